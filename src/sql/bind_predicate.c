/* Binding of predicates: AND, OR, NOT, comparisons and what comes down to them (IS, BETWEEN, IN, LIKE).  What
 * is known to be true, false or NULL here is not left for each row. */
#include "sql/bind_priv.h"

struct tsfs_expr *bind_boolean(struct binder *b, bool value, const struct sql_ast_expr *at)
{
    return bind_literal(b, (struct tsfs_value){.type = TSFS_BOOLEAN, .b = value}, at);
}

bool bind_is_null(const struct tsfs_expr *e)
{
    return e->kind == TSFS_EXPR_LITERAL && (e->value.null || e->type == TSFS_UNKNOWN);
}

bool bind_is_known(const struct tsfs_expr *e, bool value)
{
    return e->kind == TSFS_EXPR_LITERAL && e->type == TSFS_BOOLEAN && !e->value.null && e->value.b == value;
}

struct tsfs_expr *bind_condition(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                 const char *what)
{
    struct tsfs_expr *e = bind_expr(b, s, ast);
    if (e == NULL)
        return NULL;
    if (e->type != TSFS_BOOLEAN && e->type != TSFS_UNKNOWN) {
        bind_fail(b, ast->line, ast->column, "%s takes boolean, not %s", what, tsfs_type_name(e->type));
        return NULL;
    }
    return bind_coerce(b, s, e, TSFS_BOOLEAN);
}

struct tsfs_expr *bind_logic2(struct binder *b, enum tsfs_expr_kind kind, const struct sql_ast_expr *at,
                              struct tsfs_expr *left, struct tsfs_expr *right)
{
    struct tsfs_expr *e = left == NULL || right == NULL ? NULL : bind_new(b, kind, TSFS_BOOLEAN, at, 2);
    if (e != NULL) {
        e->args[0] = left;
        e->args[1] = right;
    }
    return e;
}

static bool add_logic(struct tsfs_expr *e, struct tsfs_expr *arg, enum tsfs_expr_kind kind)
{
    if (bind_is_known(arg, kind == TSFS_EXPR_AND))
        return false;
    if (bind_is_known(arg, kind != TSFS_EXPR_AND))
        return true;
    e->args[e->nargs++] = arg;
    return false;
}

/* AND and OR: nested ones of the same kind become one, constants that decide or do not matter go. */
static struct tsfs_expr *bind_logic(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    bool is_and = ast->kind == SQL_AST_AND;
    enum tsfs_expr_kind kind = is_and ? TSFS_EXPR_AND : TSFS_EXPR_OR;
    struct tsfs_expr **bound = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast->nargs);
    if (bound == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    uint32_t total = 0;
    for (uint32_t i = 0; i < ast->nargs; i++) {
        bound[i] = bind_condition(b, s, ast->args[i], is_and ? "AND" : "OR");
        if (bound[i] == NULL)
            return NULL;
        total += bound[i]->kind == kind ? bound[i]->nargs : 1;
    }
    struct tsfs_expr *e = bind_new(b, kind, TSFS_BOOLEAN, ast, total);
    if (e == NULL)
        return NULL;
    e->nargs = 0;
    bool decided = false;
    for (uint32_t i = 0; i < ast->nargs; i++) {
        if (bound[i]->kind == kind)
            for (uint32_t k = 0; k < bound[i]->nargs; k++)
                decided |= add_logic(e, bound[i]->args[k], kind);
        else
            decided |= add_logic(e, bound[i], kind);
    }
    if (decided)
        return bind_boolean(b, !is_and, ast);
    if (e->nargs <= 1)
        return e->nargs == 0 ? bind_boolean(b, is_and, ast) : e->args[0];
    return e;
}

/* a op b over bound operands. */
struct tsfs_expr *bind_compare(struct binder *b, struct bind_select *s, const char *op,
                               const struct sql_ast_expr *ast, struct tsfs_expr *left,
                               struct tsfs_expr *right)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
    if (args == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    args[0] = left;
    args[1] = right;
    return bind_apply(b, s, tsfs_str_from(op), ast, args, 2);
}

/* The comparison that is true where op is false; NULL: there is none (NaN is neither < nor >= anything). */
static const char *opposite(const struct tsfs_expr *e)
{
    bool is_double =
        e->nargs > 0 && (e->args[0]->type == TSFS_DOUBLE || tsfs_type_is_nested(e->args[0]->type));
    switch (tsfs_expr_op(e)) {
    case TSFS_OP_EQ: return "<>";
    case TSFS_OP_NE: return "=";
    case TSFS_OP_LT: return is_double ? NULL : ">=";
    case TSFS_OP_LE: return is_double ? NULL : ">";
    case TSFS_OP_GT: return is_double ? NULL : "<=";
    case TSFS_OP_GE: return is_double ? NULL : "<";
    default: return NULL;
    }
}

struct tsfs_expr *bind_negate(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                              struct tsfs_expr *arg)
{
    if (arg == NULL)
        return NULL;
    if (arg->kind == TSFS_EXPR_LITERAL) {
        struct tsfs_value v = arg->value;
        v.b = !v.b;
        return bind_literal(b, v, ast);
    }
    if (arg->kind == TSFS_EXPR_NOT)
        return arg->args[0];
    const char *op = opposite(arg);
    if (op != NULL)
        return bind_compare(b, s, op, ast, arg->args[0], arg->args[1]);
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_NOT, TSFS_BOOLEAN, ast, 1);
    if (e != NULL)
        e->args[0] = arg;
    return e;
}

struct tsfs_expr *bind_negate_if(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                 struct tsfs_expr *e)
{
    return ast->negated ? bind_negate(b, s, ast, e) : e;
}

static struct tsfs_expr *test_null(struct binder *b, const struct sql_ast_expr *ast, struct tsfs_expr *arg)
{
    if (arg == NULL)
        return NULL;
    if (arg->kind == TSFS_EXPR_LITERAL)
        return bind_boolean(b, bind_is_null(arg), ast);
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_IS_NULL, TSFS_BOOLEAN, ast, 1);
    if (e != NULL)
        e->args[0] = arg;
    return e;
}

/* a BETWEEN lo AND hi is a >= lo AND a <= hi. */
static struct tsfs_expr *bind_between(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr *a[3];
    for (int i = 0; i < 3; i++)
        if ((a[i] = bind_expr(b, s, ast->args[i])) == NULL)
            return NULL;
    if (!bind_repeat(b, ast, a[0], 2))
        return NULL;
    struct tsfs_expr *lo = bind_compare(b, s, ">=", ast, a[0], a[1]);
    struct tsfs_expr *hi = lo == NULL ? NULL : bind_compare(b, s, "<=", ast, a[0], a[2]);
    if (hi == NULL)
        return NULL;
    if (bind_is_known(lo, false) || bind_is_known(hi, false))
        return bind_negate_if(b, s, ast, bind_boolean(b, false, ast));
    if (bind_is_known(lo, true))
        return bind_negate_if(b, s, ast, hi);
    if (bind_is_known(hi, true))
        return bind_negate_if(b, s, ast, lo);
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_AND, TSFS_BOOLEAN, ast, 2);
    if (e == NULL)
        return NULL;
    e->args[0] = lo;
    e->args[1] = hi;
    return bind_negate_if(b, s, ast, e);
}

/* a IS NOT DISTINCT FROM b: a = b, or where that is NULL, both are. */
static struct tsfs_expr *bind_distinct(struct binder *b, struct bind_select *s,
                                       const struct sql_ast_expr *ast)
{
    struct tsfs_expr *left = bind_expr(b, s, ast->args[0]);
    struct tsfs_expr *right = left == NULL ? NULL : bind_expr(b, s, ast->args[1]);
    if (right == NULL || !bind_repeat(b, ast, left, 2) || !bind_repeat(b, ast, right, 2))
        return NULL;
    struct tsfs_expr *same;
    bool doubles = left->type == TSFS_DOUBLE || right->type == TSFS_DOUBLE;
    if ((tsfs_type_is_nested(left->type) && tsfs_type_is_nested(right->type)) ||
        (doubles && !bind_is_null(left) && !bind_is_null(right))) {
        /* = is unknown where a NULL is inside, and false for two NaNs */
        struct tsfs_expr *distinct = bind_compare(b, s, "is_distinct_from", ast, left, right);
        return distinct == NULL || !ast->negated ? distinct : bind_negate(b, s, ast, distinct);
    }
    if (bind_is_null(right) || bind_is_null(left)) {
        same = test_null(b, ast, bind_is_null(right) ? left : right);
    } else {
        struct tsfs_expr *equal = bind_compare(b, s, "=", ast, left, right);
        struct tsfs_expr *a = equal == NULL ? NULL : test_null(b, ast, left);
        struct tsfs_expr *c = a == NULL ? NULL : test_null(b, ast, right);
        if (c == NULL)
            return NULL;
        if (equal->kind == TSFS_EXPR_LITERAL) {
            same = equal;
        } else {
            struct tsfs_expr *both = bind_new(b, TSFS_EXPR_AND, TSFS_BOOLEAN, ast, 2);
            same = both == NULL ? NULL : bind_new(b, TSFS_EXPR_COALESCE, TSFS_BOOLEAN, ast, 2);
            if (same == NULL)
                return NULL;
            both->args[0] = a;
            both->args[1] = c;
            if (bind_is_known(a, false) || bind_is_known(c, false)) {
                both = bind_boolean(b, false, ast);
                if (both == NULL)
                    return NULL;
            }
            same->args[0] = equal;
            same->args[1] = both;
        }
    }
    return ast->negated ? same : bind_negate(b, s, ast, same);
}

/* Rows and arrays: a = x OR a = y ...; e's arguments are bound and of types that can be compared. */
static struct tsfs_expr *bind_in_nested(struct binder *b, struct bind_select *s,
                                        const struct sql_ast_expr *ast, const struct tsfs_expr *e)
{
    if (!bind_repeat(b, ast, e->args[0], ast->nargs - 1))
        return NULL;
    struct tsfs_expr *any = bind_new(b, TSFS_EXPR_OR, TSFS_BOOLEAN, ast, ast->nargs - 1);
    if (any == NULL)
        return NULL;
    for (uint32_t i = 1; i < ast->nargs; i++)
        if ((any->args[i - 1] = bind_compare(b, s, "=", ast, e->args[0], e->args[i])) == NULL)
            return NULL;
    return any->nargs == 1 ? any->args[0] : any;
}

static struct tsfs_expr *bind_in(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_IN, TSFS_BOOLEAN, ast, ast->nargs);
    if (e == NULL)
        return NULL;
    enum tsfs_type type = TSFS_UNKNOWN;
    for (uint32_t i = 0; i < ast->nargs; i++) {
        e->args[i] = bind_expr(b, s, ast->args[i]);
        if (e->args[i] == NULL)
            return NULL;
        if (!bind_unify(type, e->args[i]->type, &type)) {
            bind_fail(b, ast->args[i]->line, ast->args[i]->column, "cannot compare %s with %s",
                      tsfs_type_name(type), tsfs_type_name(e->args[i]->type));
            return NULL;
        }
    }
    if (tsfs_type_is_nested(type))
        return bind_negate_if(b, s, ast, bind_in_nested(b, s, ast, e));
    if (bind_is_null(e->args[0]))
        return bind_negate_if(b, s, ast,
                              bind_literal(b, (struct tsfs_value){.type = TSFS_BOOLEAN, .null = true}, ast));
    for (uint32_t i = 0; i < ast->nargs; i++)
        if ((e->args[i] = bind_coerce(b, s, e->args[i], type)) == NULL)
            return NULL;
    e = bind_fold(b, s, e);
    return e == NULL ? NULL : bind_negate_if(b, s, ast, e);
}

/* A literal pattern is tried once here, so that a bad one is an error at its place in the text and a good one
 * is known not to fail. */
static struct tsfs_expr *bind_like(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr **args = bind_operands(b, s, ast);
    if (args == NULL)
        return NULL;
    struct tsfs_expr *e = bind_apply(b, s, TSFS_STR("like"), ast, args, ast->nargs);
    if (e == NULL)
        return NULL;
    if (e->kind == TSFS_EXPR_CALL && e->nargs == 3 && tsfs_expr_is_literal(e->args[1]) &&
        tsfs_expr_is_literal(e->args[2])) {
        struct tsfs_expr *trial = bind_new(b, TSFS_EXPR_CALL, TSFS_BOOLEAN, ast->args[1], 3);
        struct tsfs_expr *empty =
            bind_literal(b, (struct tsfs_value){.type = TSFS_VARCHAR, .s = {"", 0}}, ast->args[0]);
        if (trial == NULL || empty == NULL)
            return NULL;
        trial->fn = e->fn;
        trial->args[0] = empty;
        trial->args[1] = e->args[1];
        trial->args[2] = e->args[2];
        if (bind_fold(b, s, trial) == NULL)
            return NULL;
    }
    return bind_negate_if(b, s, ast, e);
}

struct tsfs_expr *bind_predicate(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast)
{
    struct tsfs_expr *e;
    switch (ast->kind) {
    case SQL_AST_NOT: return bind_negate(b, s, ast, bind_condition(b, s, ast->args[0], "NOT"));
    case SQL_AST_AND:
    case SQL_AST_OR: return bind_logic(b, s, ast);
    case SQL_AST_IS_NULL:
        e = bind_expr(b, s, ast->args[0]);
        return e == NULL ? NULL : bind_negate_if(b, s, ast, test_null(b, ast, e));
    case SQL_AST_IS_DISTINCT: return bind_distinct(b, s, ast);
    case SQL_AST_BETWEEN: return bind_between(b, s, ast);
    case SQL_AST_IN: return bind_in(b, s, ast);
    case SQL_AST_LIKE: return bind_like(b, s, ast);
    default: return NULL;
    }
}
