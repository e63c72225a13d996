/* A small world for the tests of sql and plan: two tables, a dozen functions, and a folding that knows just
 * them. */
#ifndef TSFS_TESTS_SQL_SUPPORT_H
#define TSFS_TESTS_SQL_SUPPORT_H

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/time.h"
#include "plan/plan.h"
#include "sql/expr_tree.h"
#include "sql/function.h"
#include "sql/resolver.h"

#define SCALAR(name, op, n, result, ...)                                                                     \
    {                                                                                                        \
        name, TSFS_FUNCTION_SCALAR, op, n, false, {__VA_ARGS__}, result, false, false, name, NULL            \
    }
#define AGGREGATE(name, op, n, result, ...)                                                                  \
    {                                                                                                        \
        name, TSFS_FUNCTION_AGGREGATE, op, n, false, {__VA_ARGS__}, result, false, false, name, NULL         \
    }
#define COMPARISON(name, op) SCALAR(name, op, 2, TSFS_BOOLEAN, TSFS_ANY, TSFS_ANY)
#define ARITHMETIC(name, op)                                                                                 \
    SCALAR(name, op, 2, TSFS_INTEGER, TSFS_INTEGER, TSFS_INTEGER),                                           \
        SCALAR(name, op, 2, TSFS_BIGINT, TSFS_BIGINT, TSFS_BIGINT),                                          \
        SCALAR(name, op, 2, TSFS_DOUBLE, TSFS_DOUBLE, TSFS_DOUBLE)

static const struct tsfs_function support_functions[] = {
    COMPARISON("=", TSFS_OP_EQ),
    COMPARISON("<>", TSFS_OP_NE),
    COMPARISON("<", TSFS_OP_LT),
    COMPARISON("<=", TSFS_OP_LE),
    COMPARISON(">", TSFS_OP_GT),
    COMPARISON(">=", TSFS_OP_GE),
    ARITHMETIC("+", TSFS_OP_ADD),
    SCALAR("+", TSFS_OP_ADD, 2, TSFS_TIMESTAMP, TSFS_TIMESTAMP, TSFS_INTERVAL_DS),
    ARITHMETIC("-", TSFS_OP_SUB),
    SCALAR("-", TSFS_OP_SUB, 2, TSFS_TIMESTAMP, TSFS_TIMESTAMP, TSFS_INTERVAL_DS),
    ARITHMETIC("*", TSFS_OP_MUL),
    ARITHMETIC("/", TSFS_OP_DIV),
    ARITHMETIC("%", TSFS_OP_MOD),
    SCALAR("neg", TSFS_OP_NEG, 1, TSFS_BIGINT, TSFS_BIGINT),
    SCALAR("neg", TSFS_OP_NEG, 1, TSFS_DOUBLE, TSFS_DOUBLE),
    SCALAR("||", TSFS_OP_CONCAT, 2, TSFS_VARCHAR, TSFS_VARCHAR, TSFS_VARCHAR),
    SCALAR("like", TSFS_OP_LIKE, 2, TSFS_BOOLEAN, TSFS_VARCHAR, TSFS_VARCHAR),
    SCALAR("like", TSFS_OP_LIKE, 3, TSFS_BOOLEAN, TSFS_VARCHAR, TSFS_VARCHAR, TSFS_VARCHAR),
    SCALAR("abs", TSFS_OP_NONE, 1, TSFS_BIGINT, TSFS_BIGINT),
    SCALAR("abs", TSFS_OP_NONE, 1, TSFS_DOUBLE, TSFS_DOUBLE),
    SCALAR("bin", TSFS_OP_BIN, 2, TSFS_TIMESTAMP, TSFS_TIMESTAMP, TSFS_INTERVAL_DS),
    SCALAR("date_trunc", TSFS_OP_DATE_TRUNC, 2, TSFS_TIMESTAMP, TSFS_VARCHAR, TSFS_TIMESTAMP),
    SCALAR("day", TSFS_OP_NONE, 1, TSFS_BIGINT, TSFS_TIMESTAMP),
    SCALAR("day", TSFS_OP_NONE, 1, TSFS_BIGINT, TSFS_DATE),
    {"greatest", TSFS_FUNCTION_SCALAR, TSFS_OP_NONE, 1, true, {TSFS_ANY}, TSFS_ANY, false, false, "", NULL},
    {"is_distinct_from",
     TSFS_FUNCTION_SCALAR,
     TSFS_OP_NONE,
     2,
     false,
     {TSFS_DOUBLE, TSFS_DOUBLE},
     TSFS_BOOLEAN,
     true,
     false,
     "",
     NULL},
    SCALAR("lower", TSFS_OP_NONE, 1, TSFS_VARCHAR, TSFS_VARCHAR),
    {"random", TSFS_FUNCTION_SCALAR, TSFS_OP_NONE, 0, false, {0}, TSFS_DOUBLE, false, true, "", NULL},
    SCALAR("strpos", TSFS_OP_NONE, 2, TSFS_BIGINT, TSFS_VARCHAR, TSFS_VARCHAR),
    AGGREGATE("avg", TSFS_OP_AVG, 1, TSFS_DOUBLE, TSFS_DOUBLE),
    AGGREGATE("avg", TSFS_OP_AVG, 1, TSFS_DOUBLE, TSFS_BIGINT),
    {"count", TSFS_FUNCTION_AGGREGATE, TSFS_OP_COUNT_ALL, 0, false, {0}, TSFS_BIGINT, true, false, "", NULL},
    AGGREGATE("count", TSFS_OP_COUNT, 1, TSFS_BIGINT, TSFS_ANY),
    AGGREGATE("max", TSFS_OP_MAX, 1, TSFS_ANY, TSFS_ANY),
    AGGREGATE("max_by", TSFS_OP_MAX_BY, 2, TSFS_DOUBLE, TSFS_DOUBLE, TSFS_TIMESTAMP),
    AGGREGATE("min", TSFS_OP_MIN, 1, TSFS_ANY, TSFS_ANY),
    AGGREGATE("sum", TSFS_OP_SUM, 1, TSFS_BIGINT, TSFS_BIGINT),
    AGGREGATE("sum", TSFS_OP_SUM, 1, TSFS_DOUBLE, TSFS_DOUBLE),
};
static const struct tsfs_function_set support_set = {support_functions, sizeof(support_functions) /
                                                                            sizeof(support_functions[0])};

/* 2024-05-01 12:00:00 UTC */
#define SUPPORT_NOW (INT64_C(1714564800) * TSFS_NS_PER_S)

struct support {
    struct tsfs_schema *metrics, *other;
    struct tsfs_resolver resolver;
};

static inline bool support_like(const char *s, size_t n, const char *p, size_t m)
{
    if (m == 0)
        return n == 0;
    if (*p == '%')
        return support_like(s, n, p + 1, m - 1) || (n > 0 && support_like(s + 1, n - 1, p, m));
    return n > 0 && (*p == '_' || *p == *s) && support_like(s + 1, n - 1, p + 1, m - 1);
}

static inline int support_call(const struct tsfs_expr *e, struct tsfs_value *out, struct tsfs_error *err)
{
    struct tsfs_value a = e->args[0]->value;
    struct tsfs_value b = e->nargs > 1 ? e->args[1]->value : (struct tsfs_value){0};
    int c = a.type == TSFS_DOUBLE    ? (a.d > b.d) - (a.d < b.d)
            : a.type == TSFS_VARCHAR ? (b.type == TSFS_VARCHAR ? tsfs_str_cmp(a.s, b.s) : 0)
            : a.type == TSFS_BOOLEAN ? (a.b > b.b) - (a.b < b.b)
                                     : (a.i > b.i) - (a.i < b.i);
    bool overflow = false;
    switch (e->fn->op) {
    case TSFS_OP_EQ: out->b = c == 0; return 0;
    case TSFS_OP_NE: out->b = c != 0; return 0;
    case TSFS_OP_LT: out->b = c < 0; return 0;
    case TSFS_OP_LE: out->b = c <= 0; return 0;
    case TSFS_OP_GT: out->b = c > 0; return 0;
    case TSFS_OP_GE: out->b = c >= 0; return 0;
    case TSFS_OP_ADD:
        if (e->type == TSFS_DOUBLE)
            out->d = a.d + b.d;
        else
            overflow = __builtin_add_overflow(a.i, b.i, &out->i);
        break;
    case TSFS_OP_SUB:
        if (e->type == TSFS_DOUBLE)
            out->d = a.d - b.d;
        else
            overflow = __builtin_sub_overflow(a.i, b.i, &out->i);
        break;
    case TSFS_OP_MUL:
        if (e->type == TSFS_DOUBLE)
            out->d = a.d * b.d;
        else
            overflow = __builtin_mul_overflow(a.i, b.i, &out->i);
        break;
    case TSFS_OP_DIV:
    case TSFS_OP_MOD:
        if (e->type == TSFS_DOUBLE ? b.d == 0 : b.i == 0)
            return tsfs_error_set_at(err, -EINVAL, e->line, e->column, "division by zero");
        if (e->type == TSFS_DOUBLE)
            out->d = a.d / b.d;
        else
            out->i = b.i == -1 ? 0 : e->fn->op == TSFS_OP_DIV ? a.i / b.i : a.i % b.i;
        break;
    case TSFS_OP_NEG:
        if (e->type == TSFS_DOUBLE)
            out->d = -a.d;
        else
            overflow = __builtin_sub_overflow((int64_t)0, a.i, &out->i);
        break;
    case TSFS_OP_LIKE:
        if (e->nargs == 3 && e->args[2]->value.s.len != 1)
            return tsfs_error_set(err, -EINVAL, "ESCAPE must be one character");
        out->b = support_like(a.s.ptr, a.s.len < 100 ? a.s.len : 0, b.s.ptr, b.s.len < 20 ? b.s.len : 0);
        break;
    case TSFS_OP_BIN:
        if (b.i <= 0)
            return tsfs_error_set(err, -EINVAL, "bin takes an interval above zero");
        out->i = tsfs_time_floor(a.i, b.i);
        break;
    default:
        *out = a; /* lower, abs, ... : as good as any constant */
        if (e->type == TSFS_BIGINT && a.type != TSFS_BIGINT)
            out->i = 1;
        break;
    }
    return overflow ? tsfs_error_set_at(err, -ERANGE, e->line, e->column, "integer overflow") : 0;
}

static inline int support_cast(const struct tsfs_expr *e, struct tsfs_value *out, struct tsfs_error *err)
{
    struct tsfs_value a = e->args[0]->value;
    int rc = 0;
    if (a.type == TSFS_VARCHAR && (e->type == TSFS_TIMESTAMP || e->type == TSFS_DATE)) {
        rc = tsfs_time_parse(a.s, &out->i);
        if (rc == 0 && e->type == TSFS_DATE)
            out->i /= TSFS_NS_PER_DAY;
    } else if (a.type == TSFS_VARCHAR && e->type == TSFS_DOUBLE) {
        rc = tsfs_num_parse_double(a.s, &out->d);
    } else if (a.type == TSFS_VARCHAR && (e->type == TSFS_BIGINT || e->type == TSFS_INTEGER)) {
        rc = tsfs_num_parse_i64(a.s, &out->i);
    } else if (a.type == TSFS_DATE && e->type == TSFS_TIMESTAMP) {
        rc = __builtin_mul_overflow(a.i, TSFS_NS_PER_DAY, &out->i) ? -ERANGE : 0;
    } else if (e->type == TSFS_VARCHAR) {
        out->s = TSFS_STR("text");
    } else if (tsfs_type_is_nested(e->type)) {
        out->null = true;
    } else {
        out->i = 1;
    }
    if (rc == 0)
        return 0;
    if (e->is_try) {
        out->null = true;
        return 0;
    }
    return tsfs_error_set(err, -EINVAL, "cannot cast '%.*s' to %s", (int)a.s.len, a.s.ptr,
                          tsfs_type_name(e->type));
}

static inline int support_fold(void *ctx, const struct tsfs_expr *e, struct tsfs_arena *arena,
                               struct tsfs_value *out, struct tsfs_error *err)
{
    *out = (struct tsfs_value){.type = e->type};
    for (uint32_t i = 0; i < e->nargs; i++)
        if (e->args[i]->value.null && e->kind != TSFS_EXPR_IN) {
            out->null = true;
            return 0;
        }
    switch (e->kind) {
    case TSFS_EXPR_CALL: return support_call(e, out, err);
    case TSFS_EXPR_CAST: return support_cast(e, out, err);
    case TSFS_EXPR_IN: /* good enough for constants in a test */
        for (uint32_t i = 1; i < e->nargs; i++) {
            const struct tsfs_value *a = &e->args[0]->value, *b = &e->args[i]->value;
            out->null |= b->null;
            if (!b->null && (a->type == TSFS_VARCHAR ? tsfs_str_eq(a->s, b->s) : a->i == b->i))
                *out = (struct tsfs_value){.type = TSFS_BOOLEAN, .b = true};
            if (!out->null && out->b)
                break;
        }
        return 0;
    default: return 0;
    }
}

static inline int support_table(void *ctx, struct tsfs_str database, struct tsfs_str name,
                                struct tsfs_table_ref *out, struct tsfs_error *err)
{
    struct support *s = ctx;
    if (database.ptr != NULL && !tsfs_str_eq(database, TSFS_STR("plant")))
        return tsfs_error_set(err, -ENOENT, "no database \"%.*s\" (did you mean \"plant\"?)",
                              (int)database.len, database.ptr);
    *out = (struct tsfs_table_ref){.database = TSFS_STR("plant"), .name = name};
    if (tsfs_str_eq(name, TSFS_STR("machine_metrics")))
        out->schema = s->metrics;
    else if (tsfs_str_eq(name, TSFS_STR("other")))
        out->schema = s->other;
    else
        return tsfs_error_set(err, -ENOENT, "no table \"%.*s\" in plant",
                              (int)(name.len > 64 ? 64 : name.len), name.ptr);
    return 0;
}

static inline int support_names(struct tsfs_arena *arena, const char *const *from, uint32_t n,
                                struct tsfs_str **names, uint32_t *count)
{
    *names = TSFS_NEW_ARRAY(arena, struct tsfs_str, n);
    if (*names == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        (*names)[i] = tsfs_str_from(from[i]);
    *count = n;
    return 0;
}

static inline int support_databases(void *ctx, struct tsfs_arena *arena, struct tsfs_str **names, uint32_t *n,
                                    struct tsfs_error *err)
{
    static const char *const all[] = {"plant", "lab"};
    return support_names(arena, all, 2, names, n);
}

static inline int support_tables(void *ctx, struct tsfs_str database, struct tsfs_arena *arena,
                                 struct tsfs_str **names, uint32_t *n, struct tsfs_error *err)
{
    static const char *const all[] = {"machine_metrics", "other"};
    if (database.ptr != NULL && !tsfs_str_eq(database, TSFS_STR("plant")))
        return tsfs_error_set(err, -ENOENT, "no database \"%.*s\"", (int)database.len, database.ptr);
    return support_names(arena, all, 2, names, n);
}

static inline int support_measures(void *ctx, const struct tsfs_table_ref *table, struct tsfs_arena *arena,
                                   struct tsfs_measure_info **out, uint32_t *n, struct tsfs_error *err)
{
    static struct tsfs_measure_info info;
    info =
        (struct tsfs_measure_info){TSFS_STR("metrics"), TSFS_STR("multi"), TSFS_STR("[(factory, varchar)]")};
    *out = &info;
    *n = 1;
    return 0;
}

static inline struct tsfs_schema *support_schema(const struct tsfs_column *cols, unsigned n)
{
    struct tsfs_schema *base, *full;
    if (tsfs_schema_create(&base) != 0 || tsfs_schema_extend(base, cols, n, &full, NULL) != 0)
        abort();
    tsfs_schema_unref(base);
    return full;
}

#define DIMENSION(text)                                                                                      \
    {                                                                                                        \
        .name = {text, sizeof(text) - 1}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR                  \
    }
#define MEASURE(text, kind)                                                                                  \
    {                                                                                                        \
        .name = {text, sizeof(text) - 1}, .role = TSFS_ROLE_MEASURE, .type = kind                            \
    }

static inline void support_open(struct support *s)
{
    static const struct tsfs_column metrics[] = {
        DIMENSION("factory"),
        MEASURE("temp", TSFS_DOUBLE),
        DIMENSION("machine"),
        MEASURE("pressure", TSFS_DOUBLE),
        MEASURE("n", TSFS_BIGINT),
        MEASURE("ok", TSFS_BOOLEAN),
        MEASURE("state", TSFS_VARCHAR),
        MEASURE("Amb", TSFS_DOUBLE),
        MEASURE("amb", TSFS_DOUBLE),
        MEASURE("Upper", TSFS_DOUBLE),
        MEASURE("measure_value::double", TSFS_DOUBLE),
    };
    static const struct tsfs_column other[] = {DIMENSION("host"), MEASURE("cpu", TSFS_DOUBLE)};
    s->metrics = support_schema(metrics, sizeof(metrics) / sizeof(metrics[0]));
    s->other = support_schema(other, 2);
    s->resolver = (struct tsfs_resolver){.ctx = s,
                                         .default_database = TSFS_STR("plant"),
                                         .now = SUPPORT_NOW,
                                         .table = support_table,
                                         .databases = support_databases,
                                         .tables = support_tables,
                                         .measures = support_measures,
                                         .fold = support_fold};
}

static inline void support_close(struct support *s)
{
    tsfs_schema_unref(s->metrics);
    tsfs_schema_unref(s->other);
}

/* Whether a plan is well formed: NULL, or what is wrong.  Every column reference lies within its input and
 * has its type, every call has as many arguments as its function takes. */
struct support_input {
    const struct tsfs_plan_column *cols;
    uint32_t n;
};

static inline const char *support_check_expr(const struct tsfs_expr *e, struct support_input in)
{
    if (e == NULL)
        return "an expression is missing";
    if (e->kind == TSFS_EXPR_COLUMN) {
        if (e->index >= in.n)
            return "a column that the input does not have";
        if (e->type != in.cols[e->index].type)
            return "a column of another type than the input's";
    }
    if (e->kind == TSFS_EXPR_LITERAL && e->type != e->value.type)
        return "a literal of another type than its value";
    if (e->kind == TSFS_EXPR_CALL) {
        const struct tsfs_function *fn = e->fn;
        if (fn->variadic ? e->nargs < fn->nargs : e->nargs != fn->nargs)
            return "a call with the wrong number of arguments";
        for (uint32_t i = 0; i < e->nargs && fn->sig == NULL; i++) {
            enum tsfs_type t = fn->args[i < fn->nargs ? i : fn->nargs - 1u];
            if (t == TSFS_ANY ? e->args[i]->type != e->args[0]->type : e->args[i]->type != t)
                return "an argument that was not coerced";
        }
    }
    if ((e->kind == TSFS_EXPR_AND || e->kind == TSFS_EXPR_OR) && e->nargs < 2)
        return "AND or OR of less than two";
    if (e->kind == TSFS_EXPR_CASE && (e->nargs % 2 != 1 || e->nargs < 3))
        return "CASE without ELSE or without WHEN";
    for (uint32_t i = 0; i < e->nargs; i++) {
        if (e->kind == TSFS_EXPR_IN && e->args[i]->type != e->args[0]->type)
            return "IN over several types";
        if (e->kind == TSFS_EXPR_CASE && (i % 2 == 1 || i + 1 == e->nargs) && e->args[i]->type != e->type)
            return "CASE over several types";
        if (e->kind == TSFS_EXPR_COALESCE && e->args[i]->type != e->type)
            return "COALESCE over several types";
        const char *wrong = support_check_expr(e->args[i], in);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static inline const char *support_check_predicate(const struct tsfs_expr *e, struct support_input in)
{
    if (e == NULL)
        return NULL;
    return e->type != TSFS_BOOLEAN ? "a filter that is not boolean" : support_check_expr(e, in);
}

static inline const char *support_check_plan(const struct tsfs_plan *p);

static inline const char *support_check_join(const struct tsfs_plan *p, struct support_input left)
{
    struct support_input right = {p->more[0]->cols, p->more[0]->ncols}, both = {NULL, left.n + right.n};
    bool semi = p->join.kind == TSFS_JOIN_SEMI || p->join.kind == TSFS_JOIN_ANTI;
    const char *wrong = NULL;
    struct tsfs_plan_column *cols = calloc(both.n + 1, sizeof(*cols));
    for (uint32_t i = 0; i < both.n; i++)
        cols[i] = i < left.n ? left.cols[i] : right.cols[i - left.n];
    both.cols = cols;
    if (p->ncols != (semi ? left.n : both.n))
        wrong = "a join whose columns are not its inputs'";
    for (uint32_t i = 0; i < p->ncols && wrong == NULL; i++)
        if (p->cols[i].type != cols[i].type)
            wrong = "a join's column of another type";
    for (uint32_t i = 0; i < p->join.nkeys && wrong == NULL; i++) {
        if ((wrong = support_check_expr(p->join.left_keys[i], left)) == NULL)
            wrong = support_check_expr(p->join.right_keys[i], right);
        if (wrong == NULL && p->join.left_keys[i]->type != p->join.right_keys[i]->type)
            wrong = "join keys of two types";
    }
    if (wrong == NULL)
        wrong = support_check_predicate(p->join.condition, both);
    free(cols);
    return wrong;
}

static inline const char *support_check_window(const struct tsfs_plan *p, struct support_input in)
{
    const char *wrong =
        p->ncols != in.n + p->window.nfunctions ? "a window's columns are not its functions'" : NULL;
    for (uint32_t i = 0; i < p->window.npartition && wrong == NULL; i++)
        wrong = support_check_expr(p->window.partition[i], in);
    for (uint32_t i = 0; i < p->window.nkeys && wrong == NULL; i++)
        wrong = support_check_expr(p->window.keys[i].expr, in);
    for (uint32_t i = 0; i < p->window.nfunctions && wrong == NULL; i++) {
        const struct tsfs_plan_window *w = &p->window.functions[i];
        for (uint32_t k = 0; k < w->nargs && wrong == NULL; k++)
            wrong = support_check_expr(w->args[k], in);
        if (wrong == NULL)
            wrong = support_check_predicate(w->filter, in);
        if (wrong == NULL && w->type != p->cols[in.n + i].type)
            wrong = "a window function of another type";
    }
    return wrong;
}

static inline const char *support_check_relation(const struct tsfs_plan *p, struct support_input in)
{
    const char *wrong = NULL;
    for (uint32_t i = 0; i < p->nmore && wrong == NULL; i++)
        wrong = support_check_plan(p->more[i]);
    if (wrong != NULL)
        return wrong;
    switch (p->kind) {
    case TSFS_PLAN_JOIN: return support_check_join(p, in);
    case TSFS_PLAN_WINDOW: return support_check_window(p, in);
    case TSFS_PLAN_APPEND:
    case TSFS_PLAN_SET:
        for (uint32_t k = 0; k <= p->nmore; k++) {
            const struct tsfs_plan *branch = k == 0 ? p->input : p->more[k - 1];
            if (branch->ncols != p->ncols)
                return "branches of different width";
            for (uint32_t i = 0; i < p->ncols; i++)
                if (branch->cols[i].type != p->cols[i].type)
                    return "branches of different types";
        }
        return NULL;
    case TSFS_PLAN_APPLY:
        if (p->ncols != in.n + (p->apply.kind == TSFS_RESULT_EXISTS ? 1 : p->more[0]->ncols))
            return "a subquery's columns are not its result's";
        for (uint32_t i = 0; i < p->apply.nparams && wrong == NULL; i++)
            wrong = support_check_expr(p->apply.args[i], in);
        return wrong;
    case TSFS_PLAN_SHARED:
        return p->shared->plan->ncols != p->ncols ? "shared rows of another width"
                                                  : support_check_plan(p->shared->plan);
    case TSFS_PLAN_INIT:
    case TSFS_PLAN_ANALYZE: return NULL;
    default: return "an unknown operator";
    }
}

static inline const char *support_check_plan(const struct tsfs_plan *p)
{
    struct support_input in = {0}, out = {p->cols, p->ncols};
    const char *wrong = NULL;
    bool leaf = p->kind == TSFS_PLAN_SCAN || p->kind == TSFS_PLAN_VALUES || p->kind == TSFS_PLAN_SHARED;
    if (leaf != (p->input == NULL))
        return "an operator without input, or a leaf with one";
    if (!leaf) {
        if ((wrong = support_check_plan(p->input)) != NULL)
            return wrong;
        in = (struct support_input){p->input->cols, p->input->ncols};
    }
    bool through = p->kind == TSFS_PLAN_FILTER || p->kind == TSFS_PLAN_SORT || p->kind == TSFS_PLAN_LIMIT;
    if (through && p->ncols != in.n)
        return "an operator that should pass its input's columns on";
    for (uint32_t i = 0; through && i < p->ncols; i++)
        if (p->cols[i].type != in.cols[i].type)
            return "an operator that should pass its input's types on";
    switch (p->kind) {
    case TSFS_PLAN_SCAN:
        for (uint32_t i = 0; i < p->ncols; i++) {
            if (p->scan.ordinals[i] >= p->scan.table.schema->ncols ||
                p->scan.table.schema->cols[p->scan.ordinals[i]].type != p->cols[i].type)
                return "a scan's column is not the table's";
        }
        if ((wrong = support_check_predicate(p->scan.series_filter, out)) == NULL)
            wrong = support_check_predicate(p->scan.row_filter, out);
        return wrong;
    case TSFS_PLAN_VALUES: return NULL;
    case TSFS_PLAN_FILTER:
        return p->filter.predicate == NULL ? "no predicate"
                                           : support_check_predicate(p->filter.predicate, in);
    case TSFS_PLAN_PROJECT:
        for (uint32_t i = 0; i < p->ncols && wrong == NULL; i++) {
            wrong = support_check_expr(p->project.exprs[i], in);
            if (wrong == NULL && p->project.exprs[i]->type != p->cols[i].type)
                wrong = "a projection of another type";
        }
        return wrong;
    case TSFS_PLAN_AGGREGATE:
        if (p->ncols != p->aggregate.ngroups + p->aggregate.naggs)
            return "groups and aggregates are not the columns";
        for (uint32_t i = 0; i < p->aggregate.ngroups && wrong == NULL; i++) {
            wrong = support_check_expr(p->aggregate.groups[i], in);
            if (wrong == NULL && p->aggregate.groups[i]->type != p->cols[i].type)
                wrong = "a group of another type";
        }
        for (uint32_t i = 0; i < p->aggregate.naggs && wrong == NULL; i++) {
            const struct tsfs_plan_aggregate *a = &p->aggregate.aggs[i];
            for (uint32_t k = 0; k < a->nargs && wrong == NULL; k++)
                wrong = support_check_expr(a->args[k], in);
            if (wrong == NULL)
                wrong = support_check_predicate(a->filter, in);
        }
        return wrong;
    case TSFS_PLAN_SORT:
        for (uint32_t i = 0; i < p->sort.nkeys && wrong == NULL; i++)
            wrong = support_check_expr(p->sort.keys[i].expr, in);
        return wrong;
    case TSFS_PLAN_LIMIT: return NULL;
    case TSFS_PLAN_UNNEST:
        for (uint32_t i = 0; i < p->unnest.nexprs && wrong == NULL; i++)
            wrong = support_check_expr(p->unnest.exprs[i], in);
        for (uint32_t i = 0; i < p->unnest.nthrough && wrong == NULL; i++) {
            const struct tsfs_expr *e = p->unnest.through[i];
            if ((wrong = support_check_expr(e, in)) == NULL &&
                (e->kind != TSFS_EXPR_COLUMN || e->type != p->cols[i].type))
                wrong = "a column that UNNEST does not pass on as it is";
        }
        for (uint32_t i = p->unnest.nthrough; i < p->ncols && wrong == NULL; i++)
            if (p->unnest.parts[i - p->unnest.nthrough].expr > p->unnest.nexprs)
                wrong = "a column of no expression of UNNEST";
        return wrong;
    default: return support_check_relation(p, in);
    }
}

#endif
