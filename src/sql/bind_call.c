/* Function calls: scalars, aggregates, and the forms that are no entries of the registry.  Which entry a call
 * means is found in bind_overload.c. */
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/time.h"
#include "sql/bind_priv.h"
#include "sql/lexer.h"

bool bind_functions_init(struct binder *b)
{
    const struct tsfs_function_set *set = b->functions;
    if (!bind_index_init(b, &b->function_index, set->n))
        return false;
    for (uint32_t i = 0; i < set->n; i++) {
        struct tsfs_str name = tsfs_str_from(set->items[i].name);
        if (i > 0 && sql_same_word(name, tsfs_str_from(set->items[i - 1].name)))
            continue;
        bind_index_add(&b->function_index, bind_name_hash(name), i);
    }
    return true;
}

const struct tsfs_function *bind_function(const struct binder *b, struct tsfs_str name, uint32_t *n)
{
    const struct tsfs_function_set *set = b->functions;
    uint64_t hash = bind_name_hash(name);
    uint32_t at = 0, i;
    while ((i = bind_index_next(&b->function_index, hash, &at)) != UINT32_MAX) {
        if (!sql_same_word(name, tsfs_str_from(set->items[i].name)))
            continue;
        uint32_t end = i + 1;
        while (end < set->n && sql_same_word(name, tsfs_str_from(set->items[end].name)))
            end++;
        *n = end - i;
        return &set->items[i];
    }
    *n = 0;
    return NULL;
}

/* bind_apply where args[i] is NULL for a lambda, which asts[i] is. */
static struct tsfs_expr *apply_lambdas(struct binder *b, struct bind_select *s, struct tsfs_str name,
                                       const struct sql_ast_expr *at, struct tsfs_expr **args,
                                       struct sql_ast_expr *const *asts, uint32_t nargs)
{
    enum tsfs_type type;
    const struct tsfs_function *fn = bind_resolve(b, s, name, at, args, asts, nargs, &type);
    struct tsfs_expr *e = fn == NULL ? NULL : bind_new(b, TSFS_EXPR_CALL, type, at, 0);
    if (e == NULL)
        return NULL;
    e->fn = fn;
    e->args = args;
    e->nargs = nargs;
    for (uint32_t i = 0; i < nargs && !fn->nulls; i++) {
        if (args[i]->kind == TSFS_EXPR_LITERAL && (args[i]->value.null || args[i]->type == TSFS_UNKNOWN)) {
            e = tsfs_expr_literal(b->arena, (struct tsfs_value){.type = type, .null = true}, e);
            if (e == NULL)
                bind_fail_memory(b);
            return e;
        }
    }
    return bind_fold(b, s, e);
}

struct tsfs_expr *bind_apply(struct binder *b, struct bind_select *s, struct tsfs_str name,
                             const struct sql_ast_expr *at, struct tsfs_expr **args, uint32_t nargs)
{
    return apply_lambdas(b, s, name, at, args, NULL, nargs);
}

bool bind_args(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
               struct tsfs_expr ***out)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast->nargs);
    if (args == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < ast->nargs; i++)
        if (ast->args[i]->kind != SQL_AST_LAMBDA && (args[i] = bind_expr(b, s, ast->args[i])) == NULL)
            return false;
    *out = args;
    return true;
}

static bool same_aggregate(const struct tsfs_bound_aggregate *a, const struct tsfs_bound_aggregate *c)
{
    if (a->fn != c->fn || a->nargs != c->nargs || a->distinct != c->distinct || !a->filter != !c->filter ||
        a->norder != c->norder ||
        (a->norder > 0 && memcmp(a->order, c->order, a->norder * sizeof(*a->order)) != 0))
        return false;
    for (uint32_t i = 0; i < a->nargs; i++)
        if (!tsfs_expr_equal(a->args[i], c->args[i]))
            return false;
    return a->filter == NULL || tsfs_expr_equal(a->filter, c->filter);
}

static uint64_t aggregate_hash(const struct tsfs_bound_aggregate *a)
{
    uint64_t h = (uint64_t)(uintptr_t)a->fn;
    for (uint32_t i = 0; i < a->nargs; i++)
        h = h * 31 + tsfs_expr_hash(a->args[i]);
    return a->filter == NULL ? h : h * 31 + tsfs_expr_hash(a->filter);
}

/* The number of an aggregate among the select's, which it joins unless an equal one is there. */
static bool intern_aggregate(struct binder *b, struct bind_select *s, const struct tsfs_bound_aggregate *agg,
                             uint32_t *number)
{
    uint64_t hash = aggregate_hash(agg);
    uint32_t at = 0, i;
    while ((i = bind_index_next(&s->agg_index, hash, &at)) != UINT32_MAX)
        if (same_aggregate(&s->aggs[i], agg)) {
            *number = i;
            return true;
        }
    if (s->naggs == s->aggs_cap) {
        uint32_t cap = s->aggs_cap == 0 ? 8 : s->aggs_cap * 2;
        struct tsfs_bound_aggregate *aggs = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_aggregate, cap);
        if (aggs == NULL)
            return bind_fail_memory(b);
        if (s->naggs > 0)
            memcpy(aggs, s->aggs, s->naggs * sizeof(*aggs));
        s->aggs = aggs;
        s->aggs_cap = cap;
        if (!bind_index_init(b, &s->agg_index, cap))
            return false;
        for (i = 0; i < s->naggs; i++)
            bind_index_add(&s->agg_index, aggregate_hash(&s->aggs[i]), i);
    }
    s->aggs[s->naggs] = *agg;
    bind_index_add(&s->agg_index, hash, s->naggs);
    *number = s->naggs++;
    return true;
}

/* f(x ORDER BY y DESC): the keys become arguments behind the function's own. */
static bool bind_aggregate_keys(struct binder *b, struct bind_select *s, const struct sql_ast_call *call,
                                struct tsfs_bound_aggregate *agg)
{
    uint32_t n = call->nkeys;
    if (n > TSFS_SQL_KEYS_MAX)
        return bind_fail(b, call->keys[0].expr->line, call->keys[0].expr->column,
                         "ORDER BY has more than %d expressions", TSFS_SQL_KEYS_MAX);
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, agg->nargs + n);
    struct tsfs_sort_flags *order = TSFS_NEW_ARRAY(b->arena, struct tsfs_sort_flags, n);
    if (args == NULL || order == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < agg->nargs; i++)
        args[i] = agg->args[i];
    for (uint32_t i = 0; i < n; i++) {
        const struct sql_ast_key *key = &call->keys[i];
        struct tsfs_expr *e = bind_expr(b, s, key->expr);
        if (e == NULL)
            return false;
        bool is_arg = false;
        for (uint32_t k = 0; k < agg->nargs; k++)
            is_arg |= tsfs_expr_equal(e, agg->args[k]);
        if (agg->distinct && !is_arg)
            return bind_fail(b, key->expr->line, key->expr->column,
                             "with DISTINCT, ORDER BY can only name what is aggregated");
        args[agg->nargs + i] = e;
        order[i] = (struct tsfs_sort_flags){key->descending, key->nulls_first};
    }
    if (!agg->fn->ordered)
        return true;
    agg->args = args;
    agg->nargs += n;
    agg->norder = n;
    agg->order = order;
    return true;
}

bool bind_plain_keys(struct binder *b, struct bind_select *s, const struct sql_ast_key *ast, uint32_t n,
                     struct tsfs_bound_key **out)
{
    struct tsfs_bound_key *keys = *out = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_key, n);
    if (keys == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_expr *e = bind_expr(b, s, ast[i].expr);
        if (e == NULL)
            return false;
        keys[i] = (struct tsfs_bound_key){e, TSFS_BOUND_NO_ITEM, ast[i].descending, ast[i].nulls_first};
    }
    return true;
}

bool bind_aggregate_call(struct binder *b, struct bind_select *s, struct tsfs_str name,
                         const struct sql_ast_expr *at, struct sql_ast_expr *const *asts,
                         struct tsfs_bound_aggregate *agg, enum tsfs_type *type)
{
    agg->line = at->line;
    agg->column = at->column;
    agg->fn = bind_resolve(b, s, name, at, agg->args, asts, agg->nargs, type);
    return agg->fn != NULL;
}

static struct tsfs_expr *bind_aggregate(struct binder *b, struct bind_select *s,
                                        const struct sql_ast_expr *ast, const struct tsfs_function *fns)
{
    const struct sql_ast_call *call = ast->call;
    if (s->aggregate.ptr != NULL) {
        bind_fail(b, ast->line, ast->column, "the aggregate %s() cannot stand inside %.*s()", fns->name,
                  BIND_NAME(s->aggregate));
        return NULL;
    }
    if (!s->aggregates) {
        bind_fail(b, ast->line, ast->column, "%s cannot contain the aggregate %s()%s", s->clause, fns->name,
                  strcmp(s->clause, "WHERE") == 0 ? ": use HAVING" : "");
        return NULL;
    }
    if (call->star && fns->op != TSFS_OP_COUNT && fns->op != TSFS_OP_COUNT_ALL) {
        bind_fail(b, ast->line, ast->column, "%s(*) is not possible: only count takes *", fns->name);
        return NULL;
    }
    if (s->params != NULL) {
        bind_fail(b, ast->line, ast->column, "a lambda cannot contain the aggregate %s()", fns->name);
        return NULL;
    }
    struct tsfs_bound_aggregate agg = {
        .nargs = ast->nargs, .distinct = call->distinct, .line = ast->line, .column = ast->column};
    enum tsfs_type type;
    unsigned lazy = s->lazy;
    s->lazy = 0; /* aggregates are computed whatever branch they stand in */
    s->aggregate = tsfs_str_from(fns->name);
    bool ok = bind_args(b, s, ast, &agg.args);
    if (ok && call->filter != NULL)
        ok = (agg.filter = bind_condition(b, s, call->filter, "FILTER")) != NULL;
    if (ok)
        ok = bind_aggregate_call(b, s, call->name, ast, ast->args, &agg, &type);
    if (ok && call->nkeys > 0)
        ok = bind_aggregate_keys(b, s, call, &agg);
    s->aggregate = (struct tsfs_str){0};
    s->lazy = lazy;
    uint32_t number = 0;
    if (!ok || !intern_aggregate(b, s, &agg, &number))
        return NULL;
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_COLUMN, type, ast, 0);
    if (e != NULL)
        e->index = number | BIND_AGGREGATE_BIT;
    return e;
}

static bool takes(struct binder *b, const struct sql_ast_expr *ast, const char *name, uint32_t least,
                  uint32_t most)
{
    if (ast->nargs >= least && ast->nargs <= most)
        return true;
    const char *count = most == 0                 ? "no arguments"
                        : least == 1 && most == 1 ? "1 argument"
                        : least == 2 && most == 2 ? "2 arguments"
                        : least == 2 && most == 3 ? "2 or 3 arguments"
                                                  : "at least 2 arguments";
    return bind_fail(b, ast->line, ast->column, "%s takes %s, not %u", name, count, ast->nargs);
}

/* now() and its relatives, from the query's one instant. */
static struct tsfs_expr *instant(struct binder *b, const struct sql_ast_expr *ast, enum tsfs_type type)
{
    int64_t day = b->resolver->now / TSFS_NS_PER_DAY - (b->resolver->now % TSFS_NS_PER_DAY < 0);
    struct tsfs_expr pos = {.line = ast->line, .column = ast->column};
    struct tsfs_value v = {.type = type};
    if (type == TSFS_VARCHAR)
        v.s = TSFS_STR("UTC");
    else if (type == TSFS_DATE)
        v.i = day;
    else if (type == TSFS_TIME)
        v.i = b->resolver->now % TSFS_NS_PER_DAY +
              (b->resolver->now % TSFS_NS_PER_DAY < 0 ? TSFS_NS_PER_DAY : 0);
    else
        v.i = b->resolver->now;
    struct tsfs_expr *e = tsfs_expr_literal(b->arena, v, &pos);
    if (e == NULL)
        bind_fail_memory(b);
    return e;
}

/* current_timestamp(3): to so many digits of the second. */
static bool cut_digits(struct binder *b, const struct sql_ast_expr *digits, struct tsfs_expr *e)
{
    int64_t unit = 1;
    if (digits->integer < 0 || digits->integer > 12)
        return bind_fail(b, digits->line, digits->column,
                         "the digits of the second must be between 0 and 12, not %lld",
                         (long long)digits->integer);
    for (int64_t i = digits->integer; i < 9; i++)
        unit *= 10;
    int64_t rest = e->value.i % unit;
    e->value.i -= rest < 0 ? rest + unit : rest;
    return true;
}

static struct tsfs_expr *bind_coalesce(struct binder *b, struct bind_select *s,
                                       const struct sql_ast_expr *ast)
{
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_COALESCE, TSFS_UNKNOWN, ast, ast->nargs);
    unsigned lazy = s->lazy;
    if (e == NULL)
        return NULL;
    e->nargs = 0;
    bool done = false;
    for (uint32_t i = 0; i < ast->nargs; i++) {
        struct tsfs_expr *arg = bind_expr(b, s, ast->args[i]);
        if (arg == NULL)
            return NULL;
        if (!bind_unify(e->type, arg->type, &e->type)) {
            bind_fail(b, ast->args[i]->line, ast->args[i]->column,
                      "the arguments of coalesce are of types %s and %s", tsfs_type_name(e->type),
                      tsfs_type_name(arg->type));
            return NULL;
        }
        s->lazy++;
        bool literal = arg->kind == TSFS_EXPR_LITERAL;
        bool null = literal && (arg->value.null || arg->type == TSFS_UNKNOWN);
        if (!done && !(null && i + 1 < ast->nargs))
            e->args[e->nargs++] = arg;
        done |= literal && !null;
    }
    s->lazy = lazy;
    if (e->nargs == 0) {
        struct tsfs_expr *null =
            tsfs_expr_literal(b->arena, (struct tsfs_value){.type = e->type, .null = true}, e);
        if (null == NULL)
            bind_fail_memory(b);
        return null;
    }
    s->lazy++;
    for (uint32_t i = 0; i < e->nargs; i++)
        if ((e->args[i] = bind_coerce(b, s, e->args[i], e->type)) == NULL)
            return NULL;
    s->lazy = lazy;
    return e->nargs == 1 ? e->args[0] : e;
}

/* if(c, a[, b]) and nullif(a, b) are CASEs. */
static struct tsfs_expr *bind_if(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct sql_ast_expr as_case = *ast;
    as_case.kind = SQL_AST_CASE;
    as_case.has_operand = false;
    as_case.has_else = ast->nargs == 3;
    return bind_expr(b, s, &as_case);
}

static struct tsfs_expr *bind_nullif(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr *a = bind_expr(b, s, ast->args[0]);
    struct tsfs_expr *c = a == NULL ? NULL : bind_expr(b, s, ast->args[1]);
    if (c == NULL || !bind_repeat(b, ast, a, 2))
        return NULL;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
    if (args == NULL)
        return (bind_fail_memory(b), NULL);
    args[0] = a;
    args[1] = c;
    struct tsfs_expr *equal = bind_apply(b, s, TSFS_STR("="), ast, args, 2);
    struct tsfs_expr *null =
        equal == NULL ? NULL
                      : tsfs_expr_literal(b->arena, (struct tsfs_value){.type = a->type, .null = true}, a);
    if (null == NULL)
        return equal == NULL ? NULL : (bind_fail_memory(b), NULL);
    if (equal->kind == TSFS_EXPR_LITERAL)
        return !equal->value.null && equal->value.b ? null : a;
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_CASE, a->type, ast, 3);
    if (e == NULL)
        return NULL;
    e->args[0] = equal;
    e->args[1] = null;
    e->args[2] = a;
    return e;
}

static struct tsfs_expr *bind_try(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    s->lazy++;
    struct tsfs_expr *arg = bind_expr(b, s, ast->args[0]);
    s->lazy--;
    if (arg == NULL || !tsfs_expr_can_fail(arg))
        return arg;
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_TRY, arg->type, ast, 1);
    if (e == NULL)
        return NULL;
    e->args[0] = arg;
    return e;
}

/* ago(x) is now() - x. */
static struct tsfs_expr *bind_ago(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
    if (args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    args[0] = instant(b, ast, TSFS_TIMESTAMP);
    args[1] = args[0] == NULL ? NULL : bind_expr(b, s, ast->args[0]);
    if (args[1] == NULL)
        return NULL;
    if (args[1]->type != TSFS_INTERVAL_DS && args[1]->type != TSFS_INTERVAL_YM &&
        args[1]->type != TSFS_UNKNOWN) {
        bind_fail(b, ast->line, ast->column, "ago takes an interval such as 15m, not %s",
                  tsfs_type_name(args[1]->type));
        return NULL;
    }
    return bind_apply(b, s, TSFS_STR("-"), ast, args, 2);
}

static bool is_named(struct tsfs_str name, const char *what)
{
    return sql_same_word(name, tsfs_str_from(what));
}

/* The forms that are no entries of the registry; *found tells whether it was one. */
static struct tsfs_expr *bind_special(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                      bool *found)
{
    struct tsfs_str name = ast->call->name;
    *found = true;
    if (is_named(name, "coalesce"))
        return takes(b, ast, "coalesce", 2, UINT32_MAX) ? bind_coalesce(b, s, ast) : NULL;
    if (is_named(name, "if"))
        return takes(b, ast, "if", 2, 3) ? bind_if(b, s, ast) : NULL;
    if (is_named(name, "nullif"))
        return takes(b, ast, "nullif", 2, 2) ? bind_nullif(b, s, ast) : NULL;
    if (is_named(name, "try"))
        return takes(b, ast, "try", 1, 1) ? bind_try(b, s, ast) : NULL;
    if (is_named(name, "ago"))
        return takes(b, ast, "ago", 1, 1) ? bind_ago(b, s, ast) : NULL;
    if (is_named(name, "now"))
        return takes(b, ast, "now", 0, 0) ? instant(b, ast, TSFS_TIMESTAMP) : NULL;
    if (is_named(name, "current_timezone"))
        return takes(b, ast, "current_timezone", 0, 0) ? instant(b, ast, TSFS_VARCHAR) : NULL;
    if (is_named(name, "zip") && ast->nargs > 4)
        return bind_zip(b, s, ast);
    *found = false;
    return NULL;
}

/* GROUPING(a, ..): a stand-in until the groups are known. */
static struct tsfs_expr *bind_grouping(struct binder *b, struct bind_select *s,
                                       const struct sql_ast_expr *ast)
{
    struct bind_grouping g = {.nargs = ast->nargs, .line = ast->line, .column = ast->column};
    if (!s->aggregates || s->aggregate.ptr != NULL) {
        bind_fail(b, ast->line, ast->column, "GROUPING can stand in SELECT, HAVING and ORDER BY only");
        return NULL;
    }
    if (ast->nargs == 0 || ast->nargs > 31 || ast->call->star || ast->call->distinct ||
        ast->call->filter != NULL || ast->call->over != NULL) {
        bind_fail(b, ast->line, ast->column, "GROUPING takes 1 to 31 columns of GROUP BY and nothing else");
        return NULL;
    }
    if (!bind_args(b, s, ast, &g.args))
        return NULL;
    if (s->ngroupings == s->groupings_cap) {
        uint32_t cap = s->groupings_cap == 0 ? 4 : s->groupings_cap * 2;
        struct bind_grouping *grown = TSFS_NEW_ARRAY(b->arena, struct bind_grouping, cap);
        if (grown == NULL)
            return (bind_fail_memory(b), NULL);
        if (s->ngroupings > 0)
            memcpy(grown, s->groupings, s->ngroupings * sizeof(*grown));
        s->groupings = grown;
        s->groupings_cap = cap;
    }
    s->groupings[s->ngroupings] = g;
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_COLUMN, TSFS_BIGINT, ast, 0);
    if (e != NULL)
        e->index = s->ngroupings++ | BIND_GROUPING_BIT;
    return e;
}

struct tsfs_expr *bind_call(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    const struct sql_ast_call *call = ast->call;
    if (call->bare) {
        enum tsfs_type type = is_named(call->name, "current_date") ? TSFS_DATE
                              : is_named(call->name, "current_time") || is_named(call->name, "localtime")
                                  ? TSFS_TIME
                                  : TSFS_TIMESTAMP;
        struct tsfs_expr *e = instant(b, ast, type);
        return e == NULL || ast->nargs == 0 || cut_digits(b, ast->args[0], e) ? e : NULL;
    }
    uint32_t n;
    if (is_named(call->name, "grouping"))
        return bind_grouping(b, s, ast);
    const struct tsfs_function *fns = bind_function(b, call->name, &n);
    if (fns != NULL && (call->over != NULL || fns->kind == TSFS_FUNCTION_WINDOW))
        return bind_window(b, s, ast, fns);
    if (fns != NULL && (call->ignore_nulls || call->respect_nulls)) {
        bind_fail(b, ast->line, ast->column, "%s is no window function: it cannot take %s NULLS", fns->name,
                  call->ignore_nulls ? "IGNORE" : "RESPECT");
        return NULL;
    }
    if (fns != NULL && fns->kind == TSFS_FUNCTION_AGGREGATE)
        return bind_aggregate(b, s, ast, fns);
    if (call->star || call->distinct || call->filter != NULL || call->nkeys > 0) {
        if (fns == NULL)
            bind_fail_no_function(b, ast, call->name);
        else
            bind_fail(b, ast->line, ast->column, "%s is no aggregate: it cannot take %s", fns->name,
                      call->star             ? "*"
                      : call->distinct       ? "DISTINCT"
                      : call->filter != NULL ? "FILTER"
                                             : "ORDER BY");
        return NULL;
    }
    bool found;
    struct tsfs_expr *e = bind_special(b, s, ast, &found);
    if (found)
        return e;
    struct tsfs_expr **args = NULL;
    if (!bind_args(b, s, ast, &args))
        return NULL;
    return apply_lambdas(b, s, call->name, ast, args, ast->args, ast->nargs);
}
