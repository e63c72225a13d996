/* Which types turn into which, and constant folding. */
#include <errno.h>

#include "sql/bind_priv.h"

#define TSFS_ROW_UNIFY_MAX 64 /* fields of rows whose types may differ */

/* Types of one shape as their parts do. */
static int nested_cost(enum tsfs_type from, enum tsfs_type to)
{
    enum tsfs_type_kind kind = tsfs_type_kind(from);
    unsigned n = tsfs_type_nfields(from);
    if (kind != tsfs_type_kind(to) || n != tsfs_type_nfields(to))
        return -1;
    if (kind != TSFS_KIND_ROW)
        return tsfs_coercion_cost(tsfs_type_element(from), tsfs_type_element(to));
    int total = 0;
    for (unsigned i = 0; i < n; i++) {
        int cost = tsfs_coercion_cost(tsfs_type_field(from, i), tsfs_type_field(to, i));
        if (cost < 0)
            return -1;
        total += cost;
    }
    return total;
}

int tsfs_coercion_cost(enum tsfs_type from, enum tsfs_type to)
{
    if (from == to)
        return 0;
    if (from == TSFS_UNKNOWN)
        return 1;
    if (tsfs_type_is_nested(from))
        return tsfs_type_is_nested(to) ? nested_cost(from, to) : -1;
    switch (from) {
    case TSFS_INTEGER: return to == TSFS_BIGINT ? 1 : to == TSFS_DOUBLE ? 3 : -1;
    case TSFS_BIGINT: return to == TSFS_DOUBLE ? 2 : -1;
    case TSFS_DATE: return to == TSFS_TIMESTAMP ? 2 : -1;
    case TSFS_VARCHAR: return to == TSFS_TIMESTAMP ? 10 : to == TSFS_DATE ? 11 : to == TSFS_TIME ? 12 : -1;
    default: return -1;
    }
}

/* Part by part: array(integer) and array(double), but also rows of which neither can become the other. */
static bool unify_nested(enum tsfs_type a, enum tsfs_type b, enum tsfs_type *out)
{
    enum tsfs_type_kind kind = tsfs_type_kind(a);
    unsigned n = tsfs_type_nfields(a);
    enum tsfs_type element, made, fields[TSFS_ROW_UNIFY_MAX];
    struct tsfs_str names[TSFS_ROW_UNIFY_MAX];
    if (kind != tsfs_type_kind(b) || n != tsfs_type_nfields(b) || n > TSFS_ROW_UNIFY_MAX)
        return false;
    if (kind != TSFS_KIND_ROW) {
        if (!bind_unify(tsfs_type_element(a), tsfs_type_element(b), &element))
            return false;
        made = kind == TSFS_KIND_ARRAY ? tsfs_type_array(element) : tsfs_type_timeseries(element);
    } else {
        for (unsigned i = 0; i < n; i++) {
            struct tsfs_str x = tsfs_type_field_name(a, i), y = tsfs_type_field_name(b, i);
            if (!bind_unify(tsfs_type_field(a, i), tsfs_type_field(b, i), &fields[i]))
                return false;
            names[i] = x.ptr == NULL ? y : y.ptr == NULL || tsfs_str_eq(x, y) ? x : (struct tsfs_str){0};
        }
        made = tsfs_type_row(fields, names, n);
    }
    if (made == TSFS_UNKNOWN)
        return false;
    *out = made;
    return true;
}

bool bind_unify(enum tsfs_type a, enum tsfs_type b, enum tsfs_type *out)
{
    if (tsfs_type_is_nested(a) && tsfs_type_is_nested(b) && a != b)
        return unify_nested(a, b, out);
    if (tsfs_coercion_cost(a, b) >= 0)
        *out = b;
    else if (tsfs_coercion_cost(b, a) >= 0)
        *out = a;
    else
        return false;
    return true;
}

static bool numeric(enum tsfs_type t)
{
    return t == TSFS_INTEGER || t == TSFS_BIGINT || t == TSFS_DOUBLE;
}

bool bind_castable(enum tsfs_type from, enum tsfs_type to)
{
    if (from == to || from == TSFS_UNKNOWN || (to == TSFS_VARCHAR && from != TSFS_VARBINARY))
        return true;
    if (tsfs_type_is_nested(from) || tsfs_type_is_nested(to)) {
        enum tsfs_type_kind kind = tsfs_type_kind(from);
        unsigned n = tsfs_type_nfields(from);
        bool fits = kind == tsfs_type_kind(to) && n == tsfs_type_nfields(to);
        if (kind != TSFS_KIND_ROW)
            return fits && bind_castable(tsfs_type_element(from), tsfs_type_element(to));
        for (unsigned i = 0; i < n && fits; i++)
            fits = bind_castable(tsfs_type_field(from, i), tsfs_type_field(to, i));
        return fits;
    }
    switch (from) {
    case TSFS_BOOLEAN: return numeric(to);
    case TSFS_INTEGER:
    case TSFS_BIGINT:
    case TSFS_DOUBLE: return numeric(to) || to == TSFS_BOOLEAN;
    case TSFS_VARCHAR: return to != TSFS_INTERVAL_DS && to != TSFS_INTERVAL_YM;
    case TSFS_TIMESTAMP: return to == TSFS_DATE || to == TSFS_TIME;
    case TSFS_DATE:
    case TSFS_TIME: return to == TSFS_TIMESTAMP;
    default: return false;
    }
}

static bool all_literal(const struct tsfs_expr *e)
{
    for (uint32_t i = 0; i < e->nargs; i++)
        if (e->args[i]->kind != TSFS_EXPR_LITERAL)
            return false;
    return true;
}

struct tsfs_expr *bind_fold(struct binder *b, struct bind_select *s, struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_LITERAL || e->kind == TSFS_EXPR_COLUMN || e->kind == TSFS_EXPR_OUTER ||
        e->kind == TSFS_EXPR_SUBQUERY || e->kind == TSFS_EXPR_LAMBDA || !all_literal(e) ||
        tsfs_expr_unstable(e))
        return e;
    struct tsfs_value value;
    struct tsfs_error err = {0};
    int rc = b->resolver->fold(b->resolver->ctx, e, b->arena, &value, &err);
    if (rc == -EAGAIN)
        return e;
    if (rc != 0) {
        /* A branch that is never taken must not fail the query; what is taken fails when it runs. */
        if (s->lazy > 0 && rc != -ENOMEM && rc != -EINTR && rc != -ETIMEDOUT)
            return e;
        bind_fail_outside(b, rc, &err, e->line, e->column);
        return NULL;
    }
    value.type = e->type;
    struct tsfs_expr *literal = tsfs_expr_literal(b->arena, value, e);
    if (literal == NULL)
        bind_fail_memory(b);
    else
        literal->written = e;
    return literal;
}

struct tsfs_expr *bind_coerce(struct binder *b, struct bind_select *s, struct tsfs_expr *e, enum tsfs_type to)
{
    if (e->type == to)
        return e;
    struct tsfs_expr *cast;
    if (e->kind == TSFS_EXPR_LITERAL && (e->value.null || e->type == TSFS_UNKNOWN || numeric(e->type))) {
        struct tsfs_value v = {.type = to, .null = e->value.null || e->type == TSFS_UNKNOWN};
        /* a bare NULL, or a number */
        if (!v.null && to == TSFS_DOUBLE)
            v.d = (double)e->value.i;
        else if (!v.null)
            v.i = e->value.i;
        cast = tsfs_expr_literal(b->arena, v, e);
        if (cast == NULL)
            bind_fail_memory(b);
        else
            cast->written = e->written;
        return cast;
    }
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 1);
    cast = TSFS_NEW(b->arena, struct tsfs_expr);
    if (args == NULL || cast == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    args[0] = e;
    *cast = (struct tsfs_expr){
        .kind = TSFS_EXPR_CAST, .type = to, .line = e->line, .column = e->column, .nargs = 1, .args = args};
    return bind_fold(b, s, cast);
}
