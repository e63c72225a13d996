/* Queries inside expressions.
 *
 * What such a query takes from the rows around it are its params: a name that its own FROM does not know is
 * looked for in the selects around it, the nearest first, and becomes a numbered param of the subquery that
 * stands in that select.  The subquery's node carries, as its arguments, what the params are there.
 *
 * EXISTS and scalar subqueries are nodes of their own.  x IN (query) without params is IN over the list of
 * the query's values, unless they are arrays or rows, (a, b) IN (query) among them.  All else (a comparison
 * with ANY or ALL, IN with params) goes by aggregates over the query:
 *
 *     x < ANY (q)    n > 0 AND (x < max OR (n > c AND NULL))
 *     x < ALL (q)    n = 0 OR (x < min AND (n = c OR NULL))
 *     x = ANY (q)    n > 0 AND (m > 0 OR ((n > c OR x IS NULL) AND NULL))
 *
 * with n the rows of q, c those that are not NULL, m those that are equal to x, as a param of its own. */
#include <errno.h>

#include "base/limits.h"
#include "sql/bind_priv.h"

/* Whether e needs a parameter of a lambda around it: those of lambdas inside of it are numbered from `own`
 * on. */
static bool of_lambda(const struct tsfs_expr *e, uint32_t own)
{
    if (e->kind == TSFS_EXPR_PARAM)
        return e->index < own;
    if (e->kind == TSFS_EXPR_LAMBDA && e->index < own)
        own = e->index;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (of_lambda(e->args[i], own))
            return true;
    return false;
}

static bool add_param(struct binder *b, struct bind_frame *f, struct tsfs_expr *e, uint32_t *id)
{
    if (of_lambda(e, UINT32_MAX))
        return bind_fail(b, e->line, e->column, "a subquery cannot depend on a lambda's parameter");
    for (uint32_t i = 0; i < f->n; i++)
        if (f->args[i]->kind == TSFS_EXPR_COLUMN && tsfs_expr_equal(f->args[i], e)) {
            *id = f->params[i];
            return true;
        }
    if (f->n == f->cap) {
        uint32_t cap = f->cap == 0 ? 4 : f->cap * 2;
        struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, cap);
        uint32_t *params = TSFS_NEW_ARRAY(b->arena, uint32_t, cap);
        if (args == NULL || params == NULL)
            return bind_fail_memory(b);
        if (f->n > 0) {
            memcpy(args, f->args, f->n * sizeof(*args));
            memcpy(params, f->params, f->n * sizeof(*params));
        }
        f->args = args;
        f->params = params;
        f->cap = cap;
    }
    f->args[f->n] = e;
    f->params[f->n++] = *id = b->nparams++;
    return true;
}

static struct tsfs_expr *param(struct binder *b, uint32_t id, enum tsfs_type type,
                               const struct sql_ast_expr *at)
{
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_OUTER, type, at, 0);
    if (e != NULL)
        e->index = id;
    return e;
}

struct tsfs_expr *bind_outer(struct binder *b, const struct sql_ast_expr *name, bool row)
{
    for (struct bind_frame *f = b->frame; f != NULL; f = f->up) {
        struct bind_scope *scope = f->outer->scope;
        uint32_t i = UINT32_MAX;
        if (scope == NULL || scope->index.slots == NULL)
            continue;
        for (int any_case = 0; any_case < 2 && i == UINT32_MAX && b->rc == 0; any_case++)
            i = bind_scope_find(b, scope, name, any_case);
        if (b->rc != 0)
            return NULL;
        if (i == UINT32_MAX || (row && tsfs_type_kind(scope->cols[i].type) != TSFS_KIND_ROW))
            continue;
        const struct bind_scope_column *col = &scope->cols[i];
        struct tsfs_expr *e = col->expr;
        uint32_t id;
        if (e == NULL) {
            e = bind_new(b, TSFS_EXPR_COLUMN, col->type, name, 0);
            if (e == NULL)
                return NULL;
            e->index = col->index;
        }
        if (!add_param(b, f, e, &id))
            return NULL;
        for (struct bind_frame *g = b->frame; g != f; g = g->up)
            g->free = true;
        b->outer_refs++;
        b->reach = f->number < b->reach ? f->number : b->reach;
        b->name = col->name;
        return param(b, id, col->type, name);
    }
    return NULL;
}

const struct bind_select *bind_outer_table(struct binder *b, const struct bind_select *s,
                                           const struct sql_ast_expr *name)
{
    if (name->nparts < 2 || bind_scope_has_table(s->scope, name))
        return s;
    for (const struct bind_frame *f = b->frame; f != NULL; f = f->up)
        if (f->outer->scope != NULL && bind_scope_has_table(f->outer->scope, name))
            return f->outer;
    return s;
}

static const struct tsfs_bound *bind_inner(struct binder *b, struct bind_select *s, struct bind_frame *frame,
                                           const struct sql_ast_query *query)
{
    *frame = (struct bind_frame){
        .outer = s, .up = b->frame, .number = b->frame == NULL ? 1 : b->frame->number + 1};
    b->frame = frame;
    const struct tsfs_bound *rel = bind_query(b, query);
    b->frame = frame->up;
    return rel;
}

static struct tsfs_subquery *new_subquery(struct binder *b, enum tsfs_subquery_kind kind,
                                          const struct tsfs_bound *rel, const struct bind_frame *frame,
                                          const struct sql_ast_expr *at)
{
    struct tsfs_subquery *q = TSFS_NEW(b->arena, struct tsfs_subquery);
    if (q == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    *q = (struct tsfs_subquery){.kind = kind,
                                .rel = rel,
                                .params = frame->params,
                                .nparams = frame->n,
                                .free = frame->free,
                                .line = at->line,
                                .column = at->column};
    if (frame->n == 0) {
        q->result = b->nparams;
        b->nparams += kind == TSFS_SUBQUERY_SCALAR ? rel->ncols : 1;
    }
    return q;
}

/* Column `column` of q; args may be shared, nodes are never changed. */
static struct tsfs_expr *result(struct binder *b, const struct tsfs_subquery *q,
                                const struct bind_frame *frame, uint32_t column, enum tsfs_type type,
                                const struct sql_ast_expr *at)
{
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_SUBQUERY, type, at, 0);
    if (e == NULL)
        return NULL;
    e->index = column;
    e->subquery = q;
    e->args = frame->args;
    e->nargs = frame->n;
    return e;
}

static bool one_column(struct binder *b, const struct tsfs_bound *rel, const struct sql_ast_expr *at,
                       const char *what)
{
    return rel->ncols == 1 ||
           bind_fail(b, at->line, at->column, "%s must have one column, this one has %u", what, rel->ncols);
}

/* ---- quantifiers ---- */

enum { AGG_ROWS, AGG_VALUES, AGG_EQUAL, AGG_MIN = AGG_EQUAL, AGG_MAX, AGG_COUNT };

/* SELECT count(*), count(y), {count(*) FILTER (WHERE y = $x) | min(y), max(y)} FROM rel */
static struct tsfs_bound *summarize(struct binder *b, struct bind_select *s, const struct tsfs_bound *rel,
                                    struct tsfs_expr *equal_to, const struct sql_ast_expr *at)
{
    uint32_t n = equal_to != NULL ? AGG_EQUAL + 1 : AGG_COUNT;
    struct tsfs_bound *out = bind_new_bound(b, TSFS_BOUND_SELECT, n);
    struct tsfs_expr pos = {.line = at->line, .column = at->column};
    struct tsfs_expr *y = tsfs_expr_column(b->arena, 0, rel->cols[0].type, &pos);
    struct tsfs_bound_aggregate *aggs = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_aggregate, n);
    struct tsfs_expr **exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, n);
    static const char *const names[] = {"count", "count", "min", "max"};
    if (out == NULL || y == NULL || aggs == NULL || exprs == NULL)
        return b->rc != 0 ? NULL : (bind_fail_memory(b), NULL);
    for (uint32_t i = 0; i < n; i++) {
        bool star = i == AGG_ROWS || (i == AGG_EQUAL && equal_to != NULL);
        enum tsfs_type type;
        aggs[i].nargs = star ? 0 : 1;
        aggs[i].args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 1);
        if (aggs[i].args == NULL)
            return (bind_fail_memory(b), NULL);
        aggs[i].args[0] = star ? NULL : y;
        if (i == AGG_VALUES && equal_to != NULL && tsfs_type_is_nested(rel->cols[0].type) &&
            (aggs[i].args[0] = bind_compare(b, s, "=", at, y, equal_to)) == NULL)
            return NULL; /* a NULL inside makes it unknown too whether a value is equal */
        if (!bind_aggregate_call(b, s, tsfs_str_from(star ? "count" : names[i]), at, NULL, &aggs[i], &type))
            return NULL;
        exprs[i] = tsfs_expr_column(b->arena, i, type, &pos);
        if (exprs[i] == NULL || (out->cols[i].name = bind_column_name(b, i)).ptr == NULL)
            return b->rc != 0 ? NULL : (bind_fail_memory(b), NULL);
        out->cols[i].type = type;
    }
    if (equal_to != NULL && (aggs[AGG_EQUAL].filter = bind_compare(b, s, "=", at, y, equal_to)) == NULL)
        return NULL;
    out->depth = rel->depth + 1;
    out->select.from = rel;
    out->select.aggregated = true;
    out->select.aggs = aggs;
    out->select.naggs = n;
    out->select.exprs = exprs;
    out->select.limit = UINT64_MAX;
    return bind_depth(b, out->depth, at->line, at->column) ? out : NULL;
}

struct quantified {
    struct binder *b;
    struct bind_select *s;
    const struct sql_ast_expr *at;
    struct tsfs_expr *x;
    const struct tsfs_subquery *q;
    const struct bind_frame *frame;
    const struct tsfs_bound *rel;
};

static struct tsfs_expr *column(const struct quantified *c, uint32_t i)
{
    return result(c->b, c->q, c->frame, i, c->rel->cols[i].type, c->at);
}

static struct tsfs_expr *both(const struct quantified *c, struct tsfs_expr *l, struct tsfs_expr *r)
{
    return bind_logic2(c->b, TSFS_EXPR_AND, c->at, l, r);
}

static struct tsfs_expr *either(const struct quantified *c, struct tsfs_expr *l, struct tsfs_expr *r)
{
    return bind_logic2(c->b, TSFS_EXPR_OR, c->at, l, r);
}

static struct tsfs_expr *compare(const struct quantified *c, const char *op, struct tsfs_expr *l,
                                 struct tsfs_expr *r)
{
    return l == NULL || r == NULL ? NULL : bind_compare(c->b, c->s, op, c->at, l, r);
}

static struct tsfs_expr *unknown(const struct quantified *c)
{
    return bind_literal(c->b, (struct tsfs_value){.type = TSFS_BOOLEAN, .null = true}, c->at);
}

static struct tsfs_expr *zero(const struct quantified *c)
{
    return bind_literal(c->b, (struct tsfs_value){.type = TSFS_BIGINT}, c->at);
}

static struct tsfs_expr *equal_any(const struct quantified *c)
{
    struct tsfs_expr *null = bind_new(c->b, TSFS_EXPR_IS_NULL, TSFS_BOOLEAN, c->at, 1);
    if (null == NULL)
        return NULL;
    null->args[0] = c->x;
    struct tsfs_expr *doubt = either(c, compare(c, ">", column(c, AGG_ROWS), column(c, AGG_VALUES)), null);
    struct tsfs_expr *hit = compare(c, ">", column(c, AGG_EQUAL), zero(c));
    return both(c, compare(c, ">", column(c, AGG_ROWS), zero(c)), either(c, hit, both(c, doubt, unknown(c))));
}

static struct tsfs_expr *by_extremes(const struct quantified *c, const char *op, bool all)
{
    struct tsfs_expr *hit;
    if (op[0] == '=' || strcmp(op, "<>") == 0) { /* = ALL, <> ANY */
        struct tsfs_expr *lo = compare(c, op, c->x, column(c, AGG_MIN));
        struct tsfs_expr *hi = compare(c, op, c->x, column(c, AGG_MAX));
        hit = all ? both(c, lo, hi) : either(c, lo, hi);
    } else {
        bool max = (op[0] == '<') != all;
        hit = compare(c, op, c->x, column(c, max ? AGG_MAX : AGG_MIN));
    }
    struct tsfs_expr *rows = column(c, AGG_ROWS), *values = column(c, AGG_VALUES);
    if (all)
        return either(c, compare(c, "=", rows, zero(c)),
                      both(c, hit, either(c, compare(c, "=", rows, values), unknown(c))));
    return both(c, compare(c, ">", rows, zero(c)),
                either(c, hit, both(c, compare(c, ">", rows, values), unknown(c))));
}

/* What (a, b) is compared with: the rows of rel in one column. */
static const struct tsfs_bound *as_rows(struct binder *b, const struct tsfs_bound *rel,
                                        const struct sql_ast_expr *at)
{
    struct tsfs_bound *out = bind_new_bound(b, TSFS_BOUND_SELECT, 1);
    struct tsfs_expr **fields = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, rel->ncols);
    struct tsfs_expr **exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 1);
    struct tsfs_expr pos = {.line = at->line, .column = at->column};
    struct bind_select s = {0};
    if (out == NULL || fields == NULL || exprs == NULL)
        return b->rc != 0 ? NULL : (bind_fail_memory(b), NULL);
    for (uint32_t i = 0; i < rel->ncols; i++)
        if ((fields[i] = tsfs_expr_column(b->arena, i, rel->cols[i].type, &pos)) == NULL)
            return (bind_fail_memory(b), NULL);
    if ((exprs[0] = bind_make_row(b, &s, at, fields, NULL, rel->ncols)) == NULL ||
        (out->cols[0].name = bind_column_name(b, 0)).ptr == NULL)
        return NULL;
    out->cols[0].type = exprs[0]->type;
    out->depth = rel->depth + 1;
    out->select.from = rel;
    out->select.limit = UINT64_MAX;
    out->select.exprs = exprs;
    return bind_depth(b, out->depth, at->line, at->column) ? out : NULL;
}

/* x op ANY (query), x op ALL (query), x IN (query); `negated` is the caller's. */
static struct tsfs_expr *bind_quantified(struct binder *b, struct bind_select *s,
                                         const struct sql_ast_expr *ast)
{
    bool in = ast->kind == SQL_AST_IN_QUERY;
    const char *op = in ? "=" : ast->op;
    bool all = !in && ast->all, equal = strcmp(op, "=") == 0, differ = strcmp(op, "<>") == 0;
    struct bind_frame frame;
    struct tsfs_expr *x = bind_expr(b, s, ast->args[0]);
    const struct tsfs_bound *rel = x == NULL ? NULL : bind_inner(b, s, &frame, ast->query);
    enum tsfs_type type;
    if (rel != NULL && rel->ncols > 1 && tsfs_type_kind(x->type) == TSFS_KIND_ROW) {
        if (tsfs_type_nfields(x->type) != rel->ncols) {
            bind_fail(b, ast->line, ast->column,
                      "the row has %u fields, the subquery that it is compared with %u columns",
                      tsfs_type_nfields(x->type), rel->ncols);
            return NULL;
        }
        rel = as_rows(b, rel, ast);
    }
    if (rel == NULL || !one_column(b, rel, ast, "a subquery that is compared with"))
        return NULL;
    if (!bind_unify(x->type, rel->cols[0].type, &type)) {
        bind_fail(b, ast->line, ast->column, "cannot compare %s with %s", tsfs_type_name(x->type),
                  tsfs_type_name(rel->cols[0].type));
        return NULL;
    }
    if ((x = bind_coerce(b, s, x, type)) == NULL ||
        (rel = bind_cast_columns(b, rel, &type, ast->line, ast->column)) == NULL)
        return NULL;
    bool membership = (equal && !all) || (differ && all); /* IN, NOT IN */
    struct quantified c = {.b = b, .s = s, .at = ast, .x = x, .frame = &frame};
    struct tsfs_expr *e;
    if (membership && frame.n == 0 && !tsfs_type_is_nested(type)) {
        struct tsfs_subquery *q = new_subquery(b, TSFS_SUBQUERY_LIST, rel, &frame, ast);
        e = q == NULL ? NULL : bind_new(b, TSFS_EXPR_IN, TSFS_BOOLEAN, ast, 2);
        if (e == NULL)
            return NULL;
        e->args[0] = x;
        e->args[1] = result(b, q, &frame, 0, type, ast);
        if (e->args[1] == NULL)
            return NULL;
    } else {
        struct tsfs_expr *equal_to = NULL;
        if (membership) {
            uint32_t id;
            if (!add_param(b, &frame, x, &id) || (equal_to = param(b, id, type, ast)) == NULL)
                return NULL;
        }
        c.rel = summarize(b, s, rel, equal_to, ast);
        c.q = c.rel == NULL ? NULL : new_subquery(b, TSFS_SUBQUERY_SCALAR, c.rel, &frame, ast);
        if (c.q == NULL)
            return NULL;
        if (membership) {
            struct tsfs_subquery *q = (struct tsfs_subquery *)c.q;
            q->members = rel;
            q->member = c.rel->select.aggs[AGG_EQUAL].filter;
            struct tsfs_expr *counted = equal_any(&c);
            e = counted == NULL ? NULL : bind_new(b, TSFS_EXPR_COALESCE, TSFS_BOOLEAN, ast, 1);
            if (e == NULL)
                return NULL;
            e->args[0] = counted;
        } else {
            e = by_extremes(&c, op, all);
        }
    }
    return membership && differ && e != NULL ? bind_negate(b, s, ast, e) : e;
}

struct tsfs_expr *bind_subquery(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct bind_frame frame;
    if (ast->kind == SQL_AST_IN_QUERY || ast->kind == SQL_AST_QUANTIFIED)
        return bind_quantified(b, s, ast);
    const struct tsfs_bound *rel = bind_inner(b, s, &frame, ast->query);
    bool exists = ast->kind == SQL_AST_EXISTS;
    if (rel == NULL || (!exists && !one_column(b, rel, ast, "a subquery that is used as a value")))
        return NULL;
    struct tsfs_subquery *q =
        new_subquery(b, exists ? TSFS_SUBQUERY_EXISTS : TSFS_SUBQUERY_SCALAR, rel, &frame, ast);
    return q == NULL ? NULL : result(b, q, &frame, 0, exists ? TSFS_BOOLEAN : rel->cols[0].type, ast);
}
