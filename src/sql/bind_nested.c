/* Arrays, rows, their parts, and lambdas.
 *
 * A lambda's parameters are numbered through all lambdas that are around it, so that an inner one can use
 * those of an outer one.  A timeseries' point takes two numbers: x.time and x.value are its vectors as they
 * are, and only x by itself is made into a row. */
#include "col/nested.h"
#include "sql/bind_priv.h"
#include "sql/lexer.h"

static struct tsfs_expr *fail_type(struct binder *b, const struct sql_ast_expr *at)
{
    bind_fail(b, at->line, at->column, "this type is too large, or tsfs holds too many types");
    return NULL;
}

struct tsfs_expr *bind_array(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    static const struct tsfs_array nothing = {.n = 0};
    if (ast->nargs == 0) {
        enum tsfs_type type = tsfs_type_array(TSFS_UNKNOWN);
        struct tsfs_expr pos = {.line = ast->line, .column = ast->column};
        if (type == TSFS_UNKNOWN)
            return fail_type(b, ast);
        struct tsfs_expr *e =
            tsfs_expr_literal(b->arena, (struct tsfs_value){.type = type, .array = &nothing}, &pos);
        if (e == NULL)
            bind_fail_memory(b);
        return e;
    }
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast->nargs);
    enum tsfs_type type = TSFS_UNKNOWN;
    if (args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < ast->nargs; i++) {
        enum tsfs_type before = type;
        if ((args[i] = bind_expr(b, s, ast->args[i])) == NULL)
            return NULL;
        if (!bind_unify(type, args[i]->type, &type)) {
            bind_fail(b, ast->args[i]->line, ast->args[i]->column,
                      "the elements of an array are of types %.80s and %.80s", tsfs_type_name(before),
                      tsfs_type_name(args[i]->type));
            return NULL;
        }
    }
    return bind_apply(b, s, TSFS_STR("array"), ast, args, ast->nargs);
}

/* A call of the entry `name` whose type no signature can say. */
static struct tsfs_expr *call_entry(struct binder *b, struct bind_select *s, const char *name,
                                    const struct sql_ast_expr *at, enum tsfs_type type,
                                    struct tsfs_expr **args, uint32_t nargs)
{
    uint32_t n;
    const struct tsfs_function *fn = bind_function(b, tsfs_str_from(name), &n);
    if (fn == NULL) {
        bind_fail(b, at->line, at->column, "no function \"%s\"", name);
        return NULL;
    }
    if (type == TSFS_UNKNOWN)
        return fail_type(b, at);
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_CALL, type, at, 0);
    if (e == NULL)
        return NULL;
    e->fn = fn;
    e->args = args;
    e->nargs = nargs;
    return bind_fold(b, s, e);
}

struct tsfs_expr *bind_make_row(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                                struct tsfs_expr **args, const struct tsfs_str *names, uint32_t n)
{
    enum tsfs_type *types = TSFS_NEW_ARRAY(b->arena, enum tsfs_type, n);
    if (types == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        types[i] = args[i]->type;
    return call_entry(b, s, "row", at, tsfs_type_row(types, names, n), args, n);
}

/* ROW(all), which only the parser writes: the columns in sight, with their names. */
static struct tsfs_expr *whole_row(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    uint32_t n = s->scope->ncols;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, n);
    struct tsfs_str *names = TSFS_NEW_ARRAY(b->arena, struct tsfs_str, n);
    if (args == NULL || names == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct bind_scope_column *col = &s->scope->cols[i];
        names[i] = col->name;
        args[i] = col->expr != NULL ? col->expr : bind_new(b, TSFS_EXPR_COLUMN, col->type, ast, 0);
        if (args[i] == NULL)
            return NULL;
        if (col->expr == NULL)
            args[i]->index = col->index;
    }
    return bind_make_row(b, s, ast, args, names, n);
}

struct tsfs_expr *bind_row(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    if (ast->nargs == 0) {
        bind_fail(b, ast->line, ast->column, "a row has at least one field");
        return NULL;
    }
    if (ast->args[0]->kind == SQL_AST_STAR && ast->args[0]->nparts == 0)
        return whole_row(b, s, ast);
    struct tsfs_expr **args = bind_operands(b, s, ast);
    if (args == NULL)
        return NULL;
    return bind_make_row(b, s, ast, args, NULL, ast->nargs);
}

struct tsfs_expr *bind_zip(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast->nargs);
    enum tsfs_type *types = TSFS_NEW_ARRAY(b->arena, enum tsfs_type, ast->nargs);
    if (args == NULL || types == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < ast->nargs; i++) {
        if ((args[i] = bind_expr(b, s, ast->args[i])) == NULL)
            return NULL;
        if (args[i]->type == TSFS_UNKNOWN &&
            (args[i] = bind_coerce(b, s, args[i], tsfs_type_array(TSFS_UNKNOWN))) == NULL)
            return NULL;
        if (tsfs_type_kind(args[i]->type) != TSFS_KIND_ARRAY) {
            bind_fail(b, ast->args[i]->line, ast->args[i]->column, "zip takes arrays, not %s",
                      tsfs_type_name(args[i]->type));
            return NULL;
        }
        types[i] = tsfs_type_element(args[i]->type);
    }
    enum tsfs_type row = tsfs_type_row(types, NULL, ast->nargs);
    return call_entry(b, s, "zip", ast, row == TSFS_UNKNOWN ? row : tsfs_type_array(row), args, ast->nargs);
}

/* The number of a row's field, UINT32_MAX = none of that name, or several. */
static uint32_t find_field(enum tsfs_type row, struct tsfs_str name)
{
    for (int any_case = 0; any_case < 2; any_case++) {
        uint32_t found = UINT32_MAX, hits = 0;
        for (uint32_t i = 0; i < tsfs_type_nfields(row); i++) {
            struct tsfs_str field = tsfs_type_field_name(row, i);
            if (field.ptr == NULL || !(any_case ? sql_same_word(field, name) : tsfs_str_eq(field, name)))
                continue;
            found = i;
            hits++;
        }
        if (hits == 1)
            return found;
    }
    return UINT32_MAX;
}

/* Field `field`, counted from 0, of the row e. */
static struct tsfs_expr *take_field(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                                    struct tsfs_expr *e, uint32_t field)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
    struct tsfs_expr *number =
        tsfs_expr_literal(b->arena, (struct tsfs_value){.type = TSFS_BIGINT, .i = field}, e);
    if (args == NULL || number == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    args[0] = e;
    args[1] = number;
    enum tsfs_type type = tsfs_type_field(e->type, field);
    if (type == TSFS_UNKNOWN) {
        e = tsfs_expr_literal(b->arena, (struct tsfs_value){.type = TSFS_UNKNOWN, .null = true}, e);
        if (e == NULL)
            bind_fail_memory(b);
        return e;
    }
    return call_entry(b, s, ".", at, type, args, 2);
}

struct tsfs_expr *bind_field(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                             struct tsfs_expr *e, struct tsfs_str name)
{
    if (tsfs_type_kind(e->type) != TSFS_KIND_ROW) {
        bind_fail(b, at->line, at->column, "%.80s has no field \"%.*s\": only rows have fields",
                  tsfs_type_name(e->type), BIND_NAME(name));
        return NULL;
    }
    uint32_t field = find_field(e->type, name);
    if (field == UINT32_MAX) {
        struct sql_nearest near = {.wanted = name};
        char hint[SQL_HINT_MAX];
        for (uint32_t i = 0; i < tsfs_type_nfields(e->type); i++)
            if (tsfs_type_field_name(e->type, i).ptr != NULL)
                sql_nearest_try(&near, tsfs_type_field_name(e->type, i));
        bind_fail(b, at->line, at->column, "%.80s has no single field \"%.*s\"%s", tsfs_type_name(e->type),
                  BIND_NAME(name), sql_nearest_hint(&near, hint));
        return NULL;
    }
    return take_field(b, s, at, e, field);
}

struct tsfs_expr *bind_numbered_field(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                                      struct tsfs_expr *e, const struct tsfs_expr *number)
{
    uint32_t n = tsfs_type_nfields(e->type);
    if (number->kind != TSFS_EXPR_LITERAL || number->value.null ||
        (number->type != TSFS_INTEGER && number->type != TSFS_BIGINT)) {
        bind_fail(b, number->line, number->column, "the number of a row's field must be an integer constant");
        return NULL;
    }
    if (number->value.i < 1 || number->value.i > n) {
        bind_fail(b, number->line, number->column, "%.80s has no field number %lld: they are 1 to %u",
                  tsfs_type_name(e->type), (long long)number->value.i, n);
        return NULL;
    }
    return take_field(b, s, at, e, (uint32_t)number->value.i - 1);
}

struct tsfs_expr *bind_field_at(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                                struct tsfs_expr *e, uint32_t field)
{
    return take_field(b, s, at, e, field);
}

struct tsfs_expr *bind_fields(struct binder *b, struct bind_select *s, const struct sql_ast_expr *name,
                              uint32_t from, struct tsfs_expr *e)
{
    for (uint32_t i = from; i < name->nparts && e != NULL; i++)
        e = bind_field(b, s, name, e, name->parts[i]);
    return e;
}

/* ---- lambdas ---- */

static struct tsfs_expr *param(struct binder *b, const struct sql_ast_expr *at, uint32_t slot,
                               enum tsfs_type type)
{
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_PARAM, type, at, 0);
    if (e != NULL)
        e->index = slot;
    return e;
}

static struct tsfs_expr *bind_point(struct binder *b, struct bind_select *s, const struct sql_ast_expr *name,
                                    const struct bind_param *p)
{
    static const struct tsfs_str names[] = {{"time", 4}, {"value", 5}};
    for (int i = 0; i < 2 && name->nparts > 1; i++)
        if (sql_same_word(name->parts[1], names[i]))
            return bind_fields(b, s, name, 2,
                               param(b, name, p->slot + (uint32_t)i, i == 0 ? TSFS_TIMESTAMP : p->type));
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
    if (args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    args[0] = param(b, name, p->slot, TSFS_TIMESTAMP);
    args[1] = param(b, name, p->slot + 1, p->type);
    if (args[0] == NULL || args[1] == NULL)
        return NULL;
    return bind_fields(b, s, name, 1, bind_make_row(b, s, name, args, names, 2));
}

struct tsfs_expr *bind_param(struct binder *b, struct bind_select *s, const struct sql_ast_expr *name,
                             bool *found)
{
    *found = true;
    for (int any_case = 0; any_case < 2; any_case++)
        for (const struct bind_param *p = s->params; p != NULL; p = p->next) {
            if (!(any_case ? sql_same_word(p->name, name->parts[0]) : tsfs_str_eq(p->name, name->parts[0])))
                continue;
            if (p->point)
                return bind_point(b, s, name, p);
            return bind_fields(b, s, name, 1, param(b, name, p->slot, p->type));
        }
    *found = false;
    return NULL;
}

struct tsfs_expr *bind_lambda(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                              enum tsfs_type pattern, const struct tsfs_type_vars *vars)
{
    const struct bind_param *outer = s->params;
    uint32_t first = s->nslots;
    struct bind_param params[SQL_LAMBDA_PARAMS_MAX];
    for (uint32_t i = 0; i < ast->nparts; i++) {
        enum tsfs_type want = tsfs_type_field(pattern, i);
        bool point = tsfs_type_kind(want) == TSFS_KIND_POINT;
        for (uint32_t k = 0; k < i; k++)
            if (sql_same_word(ast->parts[i], ast->parts[k])) {
                bind_fail(b, ast->line, ast->column, "two parameters of the lambda are called \"%.*s\"",
                          BIND_NAME(ast->parts[i]));
                return NULL;
            }
        params[i] = (struct bind_param){.name = ast->parts[i],
                                        .slot = s->nslots,
                                        .type = tsfs_type_fill(point ? tsfs_type_element(want) : want, vars),
                                        .point = point,
                                        .next = i > 0 ? &params[i - 1] : outer};
        s->nslots += point ? 2 : 1;
    }
    if (ast->nparts > 0)
        s->params = &params[ast->nparts - 1];
    uint32_t slots = s->nslots - first;
    s->lazy++; /* there may be no element to evaluate it for */
    struct tsfs_expr *body = bind_expr(b, s, ast->args[0]);
    s->lazy--;
    s->params = outer;
    s->nslots = first;
    struct tsfs_expr *e = body == NULL ? NULL : bind_new(b, TSFS_EXPR_LAMBDA, TSFS_UNKNOWN, ast, 1);
    if (e == NULL)
        return NULL;
    e->index = first;
    e->value.i = slots;
    e->args[0] = body;
    return e;
}
