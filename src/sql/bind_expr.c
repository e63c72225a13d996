/* Binding of expressions, all kinds but calls and predicates. */
#include <errno.h>

#include "base/limits.h"
#include "base/time.h"
#include "sql/bind_priv.h"
#include "sql/lexer.h"

struct tsfs_expr *bind_new(struct binder *b, enum tsfs_expr_kind kind, enum tsfs_type type,
                           const struct sql_ast_expr *at, uint32_t nargs)
{
    struct tsfs_expr *e = TSFS_NEW(b->arena, struct tsfs_expr);
    if (e != NULL)
        e->args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, nargs);
    if (e == NULL || e->args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    e->kind = kind;
    e->type = type;
    e->line = at->line;
    e->column = at->column;
    e->nargs = nargs;
    return e;
}

struct tsfs_expr *bind_literal(struct binder *b, struct tsfs_value v, const struct sql_ast_expr *at)
{
    struct tsfs_expr pos = {.line = at->line, .column = at->column};
    struct tsfs_expr *e = tsfs_expr_literal(b->arena, v, &pos);
    if (e == NULL)
        bind_fail_memory(b);
    return e;
}

/* Nesting such forms would otherwise double the tree at each level. */
bool bind_repeat(struct binder *b, const struct sql_ast_expr *at, const struct tsfs_expr *e, uint32_t copies)
{
    if (copies == 0 || tsfs_expr_size(e, TSFS_SQL_NODES_MAX / copies) <= TSFS_SQL_NODES_MAX / copies)
        return true;
    return bind_fail(b, at->line, at->column,
                     "the operand here is too large: name it in a subquery and use the name");
}

static struct tsfs_expr *find_alias(struct binder *b, const struct bind_select *s,
                                    const struct sql_ast_expr *name, bool any_case)
{
    struct tsfs_expr *found = NULL;
    uint32_t height = 0;
    if (name->nparts != 1)
        return NULL;
    for (uint32_t i = 0; i < s->nitems; i++) {
        const struct bind_item *item = &s->items[i];
        if (item->alias.ptr == NULL || !(any_case ? sql_same_word(item->alias, name->parts[0])
                                                  : tsfs_str_eq(item->alias, name->parts[0])))
            continue;
        if (found != NULL && found != item->expr && !tsfs_expr_equal(found, item->expr)) {
            bind_fail(b, name->line, name->column, "\"%.*s\" is ambiguous: several columns of SELECT have it",
                      BIND_NAME(name->parts[0]));
            return NULL;
        }
        found = item->expr;
        height = item->height > height ? item->height : height;
    }
    return bind_reach(b, height, name->line, name->column) ? found : NULL;
}

/* column.field, as far as there is such a column; NULL with nothing recorded: there is not. */
static struct tsfs_expr *bind_column_field(struct binder *b, struct bind_select *s,
                                           const struct sql_ast_expr *ast)
{
    for (uint8_t n = ast->nparts - 1; n > 0; n--) {
        struct sql_ast_expr shorter = *ast;
        shorter.nparts = n;
        for (int any_case = 0; any_case < 2; any_case++) {
            uint32_t i = bind_scope_find(b, s->scope, &shorter, any_case);
            if (b->rc != 0)
                return NULL;
            if (i == UINT32_MAX || tsfs_type_kind(s->scope->cols[i].type) != TSFS_KIND_ROW)
                continue;
            const struct bind_scope_column *col = &s->scope->cols[i];
            struct tsfs_expr *e =
                col->expr != NULL ? col->expr : bind_new(b, TSFS_EXPR_COLUMN, col->type, ast, 0);
            if (e != NULL && col->expr == NULL)
                e->index = col->index;
            b->name = ast->parts[ast->nparts - 1];
            return bind_fields(b, s, ast, n, e);
        }
    }
    return NULL;
}

static struct tsfs_expr *bind_name(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    enum bind_aliases aliases = s->aggregate.ptr != NULL ? BIND_ALIASES_NONE : s->aliases;
    bool is_param = false;
    struct tsfs_expr *of_lambda = s->params == NULL ? NULL : bind_param(b, s, ast, &is_param);
    if (is_param)
        return of_lambda;
    for (int any_case = 0; any_case < 2; any_case++) {
        struct tsfs_expr *e = NULL;
        if (aliases == BIND_ALIASES_FIRST)
            e = find_alias(b, s, ast, any_case);
        if (e != NULL || b->rc != 0)
            return e;
        uint32_t i = bind_scope_find(b, s->scope, ast, any_case);
        if (b->rc != 0)
            return NULL;
        if (i != UINT32_MAX) {
            const struct bind_scope_column *col = &s->scope->cols[i];
            b->name = col->name;
            if (col->expr != NULL)
                return col->expr;
            e = bind_new(b, TSFS_EXPR_COLUMN, col->type, ast, 0);
            if (e != NULL)
                e->index = col->index;
            return e;
        }
        if (aliases == BIND_ALIASES_LAST)
            e = find_alias(b, s, ast, any_case);
        if (e != NULL || b->rc != 0)
            return e;
    }
    if (ast->nparts > 1) {
        struct tsfs_expr *e = bind_column_field(b, s, ast);
        if (e != NULL || b->rc != 0)
            return e;
    }
    struct tsfs_expr *outer = bind_outer(b, ast, false);
    struct sql_ast_expr shorter = *ast;
    while (outer == NULL && b->rc == 0 && --shorter.nparts > 0)
        if ((outer = bind_outer(b, &shorter, true)) != NULL) {
            b->name = ast->parts[ast->nparts - 1];
            return bind_fields(b, s, ast, shorter.nparts, outer);
        }
    if (outer == NULL && b->rc == 0)
        bind_fail_no_column(b, bind_outer_table(b, s, ast), ast);
    return outer;
}

struct tsfs_expr **bind_operands(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast->nargs);
    if (args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < ast->nargs; i++)
        if ((args[i] = bind_expr(b, s, ast->args[i])) == NULL)
            return NULL;
    return args;
}

/* Branch i of a CASE: condition or value. */
static struct tsfs_expr *bind_branch(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                     struct tsfs_expr *operand, uint32_t i, bool condition)
{
    if (!condition)
        return bind_expr(b, s, ast->args[i]);
    if (operand == NULL)
        return bind_condition(b, s, ast->args[i], "WHEN");
    struct tsfs_expr *value = bind_expr(b, s, ast->args[i]);
    return value == NULL ? NULL : bind_compare(b, s, "=", ast->args[i], operand, value);
}

/* Both forms.  Conditions that are known while binding drop their branch, or end the list. */
static struct tsfs_expr *bind_case(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    uint32_t first = ast->has_operand ? 1 : 0, nwhen = (ast->nargs - first - ast->has_else) / 2;
    struct tsfs_expr *operand = NULL;
    if (ast->has_operand &&
        ((operand = bind_expr(b, s, ast->args[0])) == NULL || !bind_repeat(b, ast->args[0], operand, nwhen)))
        return NULL;
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_CASE, TSFS_UNKNOWN, ast, nwhen * 2 + 1);
    if (e == NULL)
        return NULL;
    enum tsfs_type type = TSFS_UNKNOWN;
    struct tsfs_expr *otherwise = NULL;
    e->nargs = 0;
    unsigned lazy = s->lazy;
    for (uint32_t i = 0; i <= nwhen; i++) {
        bool last = i == nwhen;
        struct tsfs_expr *when = NULL, *then;
        const struct sql_ast_expr *at = ast;
        if (!last) {
            when = bind_branch(b, s, ast, operand, first + 2 * i, true);
            if (when == NULL)
                return NULL;
            s->lazy++; /* whatever follows the first condition may not be evaluated */
        }
        if (last && !ast->has_else) {
            then = bind_literal(b, (struct tsfs_value){.type = TSFS_UNKNOWN, .null = true}, ast);
        } else {
            at = ast->args[last ? ast->nargs - 1 : first + 2 * i + 1];
            then = bind_branch(b, s, ast, NULL, last ? ast->nargs - 1 : first + 2 * i + 1, false);
        }
        if (then == NULL)
            return NULL;
        enum tsfs_type before = type;
        if (!bind_unify(type, then->type, &type)) {
            bind_fail(b, at->line, at->column, "the branches of CASE are of types %s and %s",
                      tsfs_type_name(before), tsfs_type_name(then->type));
            return NULL;
        }
        if (last) {
            if (otherwise == NULL)
                otherwise = then;
        } else if (otherwise == NULL) {
            if (bind_is_known(when, true)) {
                otherwise = then;
            } else if (!bind_is_null(when) && !bind_is_known(when, false)) {
                e->args[e->nargs++] = when;
                e->args[e->nargs++] = then;
            }
        }
    }
    e->args[e->nargs++] = otherwise;
    e->type = type;
    for (uint32_t i = 0; i < e->nargs; i++)
        if ((i % 2 == 1 || i + 1 == e->nargs) && (e->args[i] = bind_coerce(b, s, e->args[i], type)) == NULL)
            return NULL;
    s->lazy = lazy;
    return e->nargs == 1 ? e->args[0] : e;
}

static struct tsfs_expr *cast_to(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                 struct tsfs_expr *arg, bool is_try)
{
    if (!bind_castable(arg->type, ast->type)) {
        bind_fail(b, ast->line, ast->column, "cannot cast %s to %s", tsfs_type_name(arg->type),
                  tsfs_type_name(ast->type));
        return NULL;
    }
    if (arg->type == ast->type)
        return arg;
    if (bind_is_null(arg))
        return bind_literal(b, (struct tsfs_value){.type = ast->type, .null = true}, ast);
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_CAST, ast->type, ast, 1);
    if (e == NULL)
        return NULL;
    e->is_try = is_try;
    e->args[0] = arg;
    return bind_fold(b, s, e);
}

static struct tsfs_expr *bind_extract(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    static const char *const fields[] = {"year",         "quarter",     "month", "week",        "day",
                                         "day_of_month", "day_of_week", "dow",   "day_of_year", "doy",
                                         "year_of_week", "yow",         "hour",  "minute",      "second",
                                         "millisecond",  "nanosecond"};
    struct sql_nearest near = {.wanted = ast->string};
    const char *field = NULL;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (sql_same_word(ast->string, tsfs_str_from(fields[i])))
            field = fields[i];
        sql_nearest_try(&near, tsfs_str_from(fields[i]));
    }
    if (field == NULL) {
        char hint[SQL_HINT_MAX];
        bind_fail(b, ast->line, ast->column, "EXTRACT has no field \"%.*s\"%s", BIND_NAME(ast->string),
                  sql_nearest_hint(&near, hint));
        return NULL;
    }
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 1);
    if (args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    args[0] = bind_expr(b, s, ast->args[0]);
    return args[0] == NULL ? NULL : bind_apply(b, s, tsfs_str_from(field), ast, args, 1);
}

/* How wide the numbers of a type are; 0: it is none.  NULL goes with any. */
static int number_width(enum tsfs_type type)
{
    return type == TSFS_INTEGER || type == TSFS_UNKNOWN ? 1
           : type == TSFS_BIGINT                        ? 2
           : type == TSFS_DOUBLE                        ? 3
                                                        : 0;
}

/* a + b + .., a || b || .. and so on of many operands, from left to right.  Numbers are added by one call as
 * long as the sum so far has one type, texts and arrays are put together by one; anything else is operator by
 * operator, each deeper than the one before. */
static struct tsfs_expr *bind_chain(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                    struct tsfs_expr **args)
{
    bool numbers = ast->op[0] != '|', texts = !numbers, arrays = !numbers;
    unsigned deepest = 0;
    for (uint32_t i = 0; i < ast->nargs; i++) {
        numbers &= number_width(args[i]->type) > 0;
        texts &= args[i]->type == TSFS_VARCHAR || args[i]->type == TSFS_UNKNOWN;
        arrays &= tsfs_type_kind(args[i]->type) == TSFS_KIND_ARRAY && args[i]->type == args[0]->type;
    }
    if (texts || arrays)
        return bind_apply(b, s, TSFS_STR("concat"), ast, args, ast->nargs);
    for (uint32_t i = 0; i < ast->nargs && !numbers; i++) {
        unsigned depth = tsfs_expr_depth(args[i]);
        deepest = depth > deepest ? depth : deepest;
    }
    if (!numbers && deepest + ast->nargs > TSFS_SQL_DEPTH_MAX) {
        bind_fail(b, ast->line, ast->column, "expressions nest deeper than %d levels here",
                  TSFS_SQL_DEPTH_MAX);
        return NULL;
    }
    struct tsfs_expr *left = args[0];
    for (uint32_t i = 1, end; i < ast->nargs && left != NULL; i = end) {
        end = i + 1;
        if (numbers && number_width(args[i]->type) <= number_width(left->type))
            while (end < ast->nargs && number_width(args[end]->type) <= number_width(left->type))
                end++;
        struct tsfs_expr **part = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, end - i + 1);
        if (part == NULL) {
            bind_fail_memory(b);
            return NULL;
        }
        part[0] = left;
        memcpy(part + 1, args + i, (end - i) * sizeof(*part));
        left = bind_apply(b, s, tsfs_str_from(ast->op), ast, part, end - i + 1);
    }
    return left;
}

static struct tsfs_expr *bind_operator(struct binder *b, struct bind_select *s,
                                       const struct sql_ast_expr *ast)
{
    /* the levels that a chain may come to */
    uint32_t levels = ast->nargs <= 2 ? 0 : ast->nargs < TSFS_SQL_DEPTH_MAX ? ast->nargs : TSFS_SQL_DEPTH_MAX;
    if (!bind_enter(b, levels, ast->line, ast->column))
        return NULL;
    struct tsfs_expr **args = bind_operands(b, s, ast);
    bind_leave(b, levels);
    if (args == NULL)
        return NULL;
    if (ast->kind == SQL_AST_BINARY)
        return ast->nargs > 2 ? bind_chain(b, s, ast, args)
                              : bind_apply(b, s, tsfs_str_from(ast->op), ast, args, 2);
    if (ast->op[0] == '-')
        return bind_apply(b, s, TSFS_STR("neg"), ast, args, 1);
    switch (args[0]->type) {
    case TSFS_UNKNOWN:
    case TSFS_INTEGER:
    case TSFS_BIGINT:
    case TSFS_DOUBLE:
    case TSFS_INTERVAL_DS:
    case TSFS_INTERVAL_YM: return args[0];
    default:
        bind_fail(b, ast->line, ast->column, "cannot apply \"+\" to %s", tsfs_type_name(args[0]->type));
        return NULL;
    }
}

static struct tsfs_expr *bind_subscript(struct binder *b, struct bind_select *s,
                                        const struct sql_ast_expr *ast)
{
    struct tsfs_expr **args = bind_operands(b, s, ast);
    if (args == NULL)
        return NULL;
    if (tsfs_type_kind(args[0]->type) == TSFS_KIND_ROW)
        return bind_numbered_field(b, s, ast, args[0], args[1]);
    return bind_apply(b, s, TSFS_STR("[]"), ast, args, 2);
}

static struct tsfs_expr *bind_integer(struct binder *b, const struct sql_ast_expr *ast)
{
    bool small = ast->integer >= INT32_MIN && ast->integer <= INT32_MAX;
    return bind_literal(b, (struct tsfs_value){.type = small ? TSFS_INTEGER : TSFS_BIGINT, .i = ast->integer},
                        ast);
}

/* A timestamp rounded to some digits of a second: half a unit later, cut to units.  At both ends of time it
 * stays at the last that there is, so that TRY_CAST has nothing to fail on. */
static struct tsfs_expr *round_time(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                    struct tsfs_expr *e)
{
    int64_t unit = TSFS_NS_PER_S;
    for (uint32_t digits = ast->length - 1; digits > 0; digits--)
        unit /= 10;
    const struct {
        const char *fn;
        struct tsfs_value by;
    } steps[] = {
        {"greatest", {.type = TSFS_TIMESTAMP, .i = INT64_MIN / unit * unit}},
        {"least", {.type = TSFS_TIMESTAMP, .i = INT64_MAX - unit / 2}},
        {"+", {.type = TSFS_INTERVAL_DS, .i = unit / 2}},
        {"bin", {.type = TSFS_INTERVAL_DS, .i = unit}},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && e != NULL; i++) {
        struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
        if (args == NULL) {
            bind_fail_memory(b);
            return NULL;
        }
        args[0] = e;
        args[1] = bind_literal(b, steps[i].by, ast);
        e = args[1] == NULL ? NULL : bind_apply(b, s, tsfs_str_from(steps[i].fn), ast, args, 2);
    }
    return e;
}

static struct tsfs_expr *bind_cast(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                   struct tsfs_expr *e)
{
    if (ast->zoned && e->type != TSFS_TIMESTAMP && e->type != TSFS_UNKNOWN) {
        bind_fail(b, ast->line, ast->column, "AT TIME ZONE takes a timestamp, not %s",
                  tsfs_type_name(e->type));
        return NULL;
    }
    if (ast->length == 0)
        return cast_to(b, s, ast, e, ast->try_cast);
    if (ast->type == TSFS_TIMESTAMP) {
        e = cast_to(b, s, ast, e, ast->try_cast);
        return e == NULL ? NULL : round_time(b, s, ast, e);
    }
    /* Cut texts short; what is no text must fit, and only a look at each could tell. */
    if (e->type != TSFS_VARCHAR && e->type != TSFS_UNKNOWN) {
        bind_fail(b, ast->line, ast->column,
                  "cannot cast %s to a varchar of limited length: write CAST(x AS varchar)",
                  tsfs_type_name(e->type));
        return NULL;
    }
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 3);
    if (args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    args[0] = cast_to(b, s, ast, e, ast->try_cast);
    args[1] = bind_literal(b, (struct tsfs_value){.type = TSFS_BIGINT, .i = 1}, ast);
    args[2] = bind_literal(b, (struct tsfs_value){.type = TSFS_BIGINT, .i = ast->length}, ast);
    return args[0] == NULL || args[1] == NULL || args[2] == NULL
               ? NULL
               : bind_apply(b, s, TSFS_STR("substr"), ast, args, 3);
}

static struct tsfs_expr *bind_kind(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr *e;
    switch (ast->kind) {
    case SQL_AST_NULL: return bind_literal(b, (struct tsfs_value){.type = TSFS_UNKNOWN, .null = true}, ast);
    case SQL_AST_BOOLEAN: return bind_boolean(b, ast->boolean, ast);
    case SQL_AST_INTEGER: return bind_integer(b, ast);
    case SQL_AST_DOUBLE:
        return bind_literal(b, (struct tsfs_value){.type = TSFS_DOUBLE, .d = ast->number}, ast);
    case SQL_AST_STRING:
        return bind_literal(b, (struct tsfs_value){.type = TSFS_VARCHAR, .s = ast->string}, ast);
    case SQL_AST_INTERVAL:
        return bind_literal(b, (struct tsfs_value){.type = ast->type, .i = ast->integer}, ast);
    case SQL_AST_TYPED:
        e = bind_literal(b, (struct tsfs_value){.type = TSFS_VARCHAR, .s = ast->string}, ast);
        return e == NULL ? NULL : cast_to(b, s, ast, e, false);
    case SQL_AST_NAME: return bind_name(b, s, ast);
    case SQL_AST_STAR:
        bind_fail(b, ast->line, ast->column, "* can stand only in a SELECT list and in count(*)");
        return NULL;
    case SQL_AST_CALL: return bind_call(b, s, ast);
    case SQL_AST_UNARY:
    case SQL_AST_BINARY: return bind_operator(b, s, ast);
    case SQL_AST_NOT:
    case SQL_AST_AND:
    case SQL_AST_OR:
    case SQL_AST_IS_NULL:
    case SQL_AST_IS_DISTINCT:
    case SQL_AST_BETWEEN:
    case SQL_AST_IN:
    case SQL_AST_LIKE: return bind_predicate(b, s, ast);
    case SQL_AST_CASE: return bind_case(b, s, ast);
    case SQL_AST_CAST:
        s->lazy += ast->try_cast;
        e = bind_expr(b, s, ast->args[0]);
        s->lazy -= ast->try_cast;
        return e == NULL ? NULL : bind_cast(b, s, ast, e);
    case SQL_AST_EXTRACT: return bind_extract(b, s, ast);
    case SQL_AST_SUBQUERY:
    case SQL_AST_EXISTS: return bind_subquery(b, s, ast);
    case SQL_AST_QUANTIFIED:
    case SQL_AST_IN_QUERY:
        e = bind_subquery(b, s, ast);
        return e == NULL ? NULL : bind_negate_if(b, s, ast, e);
    case SQL_AST_ROW: return bind_row(b, s, ast);
    case SQL_AST_ARRAY: return bind_array(b, s, ast);
    case SQL_AST_SUBSCRIPT: return bind_subscript(b, s, ast);
    case SQL_AST_FIELD:
        e = bind_expr(b, s, ast->args[0]);
        return e == NULL ? NULL : bind_field(b, s, ast, e, ast->string);
    case SQL_AST_LAMBDA:
        bind_fail(b, ast->line, ast->column,
                  "a lambda can stand only as an argument of a function that takes one");
        return NULL;
    }
    return NULL;
}

struct tsfs_expr *bind_expr(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    if (!bind_enter(b, 1, ast->line, ast->column))
        return NULL;
    struct tsfs_expr *e = bind_kind(b, s, ast);
    bind_leave(b, 1);
    return e;
}
