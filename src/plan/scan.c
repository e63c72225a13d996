/* WHERE, as far as it has come down to a scan.
 *
 * Three kinds of terms.  A comparison of time, or of bin(time, step), with a constant becomes the scan's time
 * range and is gone.  A term over dimensions and measure_name alone, if it cannot fail, is tested once a
 * series: the series filter. The rest is the row filter, in the order written.
 *
 * Beyond that, necessary conditions are drawn from every term, for lookups and for skipping: the values that
 * a dimension must have ("= 'a'", IN, and ORs of them), and the range that a measure, or time, must lie in.
 * They may say less than the term, never more, and the term stays in its filter.  A necessary condition that
 * nothing meets makes the scan empty. */
#include <errno.h>
#include <math.h>

#include "base/time.h"
#include "plan/plan_priv.h"

/* [lo, hi] of int64 values, or of doubles. */
struct range {
    bool is_double;
    int64_t ilo, ihi;
    double lo, hi;
};

struct scan_ctx {
    struct tsfs_arena *arena;
    struct tsfs_plan *plan;
    const struct tsfs_schema *schema;
    uint32_t dim_in_cap;
};

static uint16_t ordinal_of(const struct scan_ctx *c, uint32_t index)
{
    return c->plan->scan.ordinals[index];
}

static struct range everything(bool is_double)
{
    return (struct range){is_double, INT64_MIN, INT64_MAX, -INFINITY, INFINITY};
}

static struct range intersect(struct range a, struct range b)
{
    a.ilo = b.ilo > a.ilo ? b.ilo : a.ilo;
    a.ihi = b.ihi < a.ihi ? b.ihi : a.ihi;
    a.lo = b.lo > a.lo ? b.lo : a.lo;
    a.hi = b.hi < a.hi ? b.hi : a.hi;
    return a;
}

static bool nothing(struct range r)
{
    return r.is_double ? r.lo > r.hi : r.ilo > r.ihi;
}

static struct range hull(struct range a, struct range b)
{
    if (nothing(a))
        return b;
    if (nothing(b))
        return a;
    a.ilo = b.ilo < a.ilo ? b.ilo : a.ilo;
    a.ihi = b.ihi > a.ihi ? b.ihi : a.ihi;
    a.lo = b.lo < a.lo ? b.lo : a.lo;
    a.hi = b.hi > a.hi ? b.hi : a.hi;
    return a;
}

static struct range none(bool is_double)
{
    return (struct range){is_double, 1, 0, 1, 0};
}

static bool is_range_op(enum tsfs_op op)
{
    return op == TSFS_OP_EQ || op == TSFS_OP_LT || op == TSFS_OP_LE || op == TSFS_OP_GT || op == TSFS_OP_GE;
}

/* x op v over int64, strict bounds made inclusive; nothing lies beyond the ends. */
static struct range int_range(enum tsfs_op op, int64_t v)
{
    struct range r = everything(false);
    switch (op) {
    case TSFS_OP_EQ: r.ilo = r.ihi = v; break;
    case TSFS_OP_GE: r.ilo = v; break;
    case TSFS_OP_LE: r.ihi = v; break;
    case TSFS_OP_GT:
        if (v == INT64_MAX)
            return none(false);
        r.ilo = v + 1;
        break;
    case TSFS_OP_LT:
        if (v == INT64_MIN)
            return none(false);
        r.ihi = v - 1;
        break;
    default: break;
    }
    return r;
}

static struct range double_range(enum tsfs_op op, double v)
{
    struct range r = everything(true);
    if (isnan(v))
        return none(true); /* no comparison with NaN is true */
    if (op == TSFS_OP_EQ || op == TSFS_OP_GE || op == TSFS_OP_GT)
        r.lo = v;
    if (op == TSFS_OP_EQ || op == TSFS_OP_LE || op == TSFS_OP_LT)
        r.hi = v;
    return r;
}

/* CAST(bigint AS double) op v, where the cast is exact. */
static bool cast_range(enum tsfs_op op, double v, struct range *out)
{
    if (isnan(v)) {
        *out = none(false);
        return true;
    }
    if (fabs(v) > 9007199254740992.0)
        return false;
    *out = everything(false);
    if (op == TSFS_OP_EQ || op == TSFS_OP_GE || op == TSFS_OP_GT)
        out->ilo = (int64_t)ceil(v);
    if (op == TSFS_OP_EQ || op == TSFS_OP_LE || op == TSFS_OP_LT)
        out->ihi = (int64_t)floor(v);
    return true;
}

/* bin(time, step) op v, exactly: bins begin at multiples of step. */
static struct range bin_range(enum tsfs_op op, int64_t step, int64_t v)
{
    struct range r = everything(false);
    int64_t start = tsfs_time_floor(v, step), last; /* of the bin that v lies in */
    bool aligned = start == v;
    if (__builtin_add_overflow(start, step - 1, &last))
        last = INT64_MAX;
    switch (op) {
    case TSFS_OP_EQ: return aligned ? (struct range){false, start, last, 0, 0} : none(false);
    case TSFS_OP_GE: return int_range(aligned ? TSFS_OP_GE : TSFS_OP_GT, aligned ? v : last);
    case TSFS_OP_GT: return int_range(TSFS_OP_GT, last);
    case TSFS_OP_LE: return int_range(TSFS_OP_LE, last);
    case TSFS_OP_LT: return int_range(aligned ? TSFS_OP_LT : TSFS_OP_LE, aligned ? v : last);
    default: return r;
    }
}

static bool is_column(const struct tsfs_expr *e, uint32_t index)
{
    return e->kind == TSFS_EXPR_COLUMN && e->index == index;
}

/* bin(a column, a step that is known) */
static bool is_bin(const struct tsfs_expr *e)
{
    return tsfs_expr_op(e) == TSFS_OP_BIN && e->nargs == 2 && e->args[0]->kind == TSFS_EXPR_COLUMN &&
           e->args[0]->type == TSFS_TIMESTAMP && e->args[1]->kind == TSFS_EXPR_LITERAL &&
           e->args[1]->type == TSFS_INTERVAL_DS && !e->args[1]->value.null && e->args[1]->value.i > 0;
}

/* What "left op literal" says of column `index`. */
static bool compare_range(const struct tsfs_expr *left, enum tsfs_op op, const struct tsfs_value *v,
                          uint32_t index, struct range *out)
{
    if (is_column(left, index)) {
        if (left->type == TSFS_DOUBLE && v->type == TSFS_DOUBLE)
            *out = v->null ? none(true) : double_range(op, v->d);
        else if (tsfs_type_is_int64(left->type) && v->type == left->type)
            *out = v->null ? none(false) : int_range(op, v->i);
        else
            return false;
        return true;
    }
    if (left->kind == TSFS_EXPR_CAST && left->type == TSFS_DOUBLE && is_column(left->args[0], index) &&
        left->args[0]->type == TSFS_BIGINT && !v->null)
        return cast_range(op, v->d, out);
    if (tsfs_expr_op(left) == TSFS_OP_BIN && left->nargs == 2 && is_column(left->args[0], index) &&
        left->args[0]->type == TSFS_TIMESTAMP && left->args[1]->kind == TSFS_EXPR_LITERAL &&
        left->args[1]->type == TSFS_INTERVAL_DS && !left->args[1]->value.null && left->args[1]->value.i > 0 &&
        v->type == TSFS_TIMESTAMP && !v->null) {
        *out = bin_range(op, left->args[1]->value.i, v->i);
        return true;
    }
    return false;
}

/* The range that column `index` must lie in for e to be TRUE; false: e does not say. */
static bool derive_range(const struct tsfs_expr *e, uint32_t index, struct range *out)
{
    enum tsfs_op op = tsfs_expr_op(e);
    struct range one;
    bool any = false;
    if (is_range_op(op) && e->nargs == 2) {
        if (e->args[1]->kind == TSFS_EXPR_LITERAL)
            return compare_range(e->args[0], op, &e->args[1]->value, index, out);
        if (e->args[0]->kind == TSFS_EXPR_LITERAL)
            return compare_range(e->args[1], tsfs_op_mirrored(op), &e->args[0]->value, index, out);
        return false;
    }
    switch (e->kind) {
    case TSFS_EXPR_IN:
        if (e->args[1]->kind == TSFS_EXPR_SET) {
            const struct tsfs_value_set *set = e->args[1]->value.p;
            if (!set->ordered || !compare_range(e->args[0], TSFS_OP_GE, &set->min, index, out) ||
                !compare_range(e->args[0], TSFS_OP_LE, &set->max, index, &one))
                return false;
            *out = intersect(*out, one);
            return true;
        }
        for (uint32_t i = 1; i < e->nargs; i++) {
            if (e->args[i]->kind != TSFS_EXPR_LITERAL ||
                !compare_range(e->args[0], TSFS_OP_EQ, &e->args[i]->value, index, &one))
                return false;
            *out = any ? hull(*out, one) : one;
            any = true;
        }
        return any;
    case TSFS_EXPR_AND:
        for (uint32_t i = 0; i < e->nargs; i++) {
            if (!derive_range(e->args[i], index, &one))
                continue;
            *out = any ? intersect(*out, one) : one;
            any = true;
        }
        return any;
    case TSFS_EXPR_OR:
        for (uint32_t i = 0; i < e->nargs; i++) {
            if (!derive_range(e->args[i], index, &one))
                return false;
            *out = any ? hull(*out, one) : one;
            any = true;
        }
        return any;
    default: return false;
    }
}

struct values {
    struct tsfs_str *items;
    uint32_t n, cap;
};

static int add_value(struct tsfs_arena *arena, struct values *v, const struct tsfs_value *value)
{
    if (value->null)
        return 0;
    if (v->n == v->cap) {
        uint32_t cap = v->cap == 0 ? 4 : v->cap * 2;
        struct tsfs_str *items = TSFS_NEW_ARRAY(arena, struct tsfs_str, cap);
        if (items == NULL)
            return -ENOMEM;
        if (v->n > 0)
            memcpy(items, v->items, v->n * sizeof(*items));
        v->items = items;
        v->cap = cap;
    }
    v->items[v->n++] = value->s;
    return 0;
}

/* The values that column `index` must have one of for e to be TRUE: 1 and *v, 0 if e does not say, -ENOMEM.
 */
static int derive_values(struct tsfs_arena *arena, const struct tsfs_expr *e, uint32_t index,
                         struct values *v)
{
    int rc;
    if (tsfs_expr_op(e) == TSFS_OP_EQ && e->nargs == 2) {
        for (int side = 0; side < 2; side++)
            if (is_column(e->args[side], index) && e->args[1 - side]->kind == TSFS_EXPR_LITERAL) {
                rc = add_value(arena, v, &e->args[1 - side]->value);
                return rc != 0 ? rc : 1;
            }
        return 0;
    }
    switch (e->kind) {
    case TSFS_EXPR_IN:
        if (!is_column(e->args[0], index))
            return 0;
        for (uint32_t i = 1; i < e->nargs; i++)
            if (e->args[i]->kind != TSFS_EXPR_LITERAL)
                return 0;
        for (uint32_t i = 1; i < e->nargs; i++)
            if ((rc = add_value(arena, v, &e->args[i]->value)) != 0)
                return rc;
        return 1;
    case TSFS_EXPR_AND:
        for (uint32_t i = 0; i < e->nargs; i++) {
            uint32_t before = v->n;
            if ((rc = derive_values(arena, e->args[i], index, v)) != 0)
                return rc;
            v->n = before;
        }
        return 0;
    case TSFS_EXPR_OR:
        for (uint32_t i = 0; i < e->nargs; i++)
            if ((rc = derive_values(arena, e->args[i], index, v)) != 1)
                return rc;
        return e->nargs > 0;
    default: return 0;
    }
}

/* The columns that a term speaks of. */
struct columns {
    const struct scan_ctx *c;
    bool *seen;
    bool any, series_only;
};

static bool visit_column(void *ctx, uint32_t index)
{
    struct columns *cols = ctx;
    uint16_t ordinal = ordinal_of(cols->c, index);
    enum tsfs_role role = cols->c->schema->cols[ordinal].role;
    cols->seen[index] = true;
    cols->any = true;
    if (role != TSFS_ROLE_DIMENSION && role != TSFS_ROLE_MEASURE_NAME)
        cols->series_only = false;
    return true;
}

static void narrow_time(struct tsfs_plan_scan *scan, struct range r)
{
    if (r.ilo > scan->time_min)
        scan->time_min = r.ilo;
    if (r.ihi < scan->time_max)
        scan->time_max = r.ihi;
}

/* A term that the time range says in full. */
static bool is_time_term(const struct scan_ctx *c, const struct tsfs_expr *e)
{
    if (!is_range_op(tsfs_expr_op(e)) || e->nargs != 2)
        return false;
    for (int side = 0; side < 2; side++) {
        const struct tsfs_expr *col = e->args[side], *value = e->args[1 - side];
        if (is_bin(col))
            col = col->args[0];
        if (col->kind == TSFS_EXPR_COLUMN && ordinal_of(c, col->index) == TSFS_ORDINAL_TIME &&
            value->kind == TSFS_EXPR_LITERAL && value->type == TSFS_TIMESTAMP && !value->value.null)
            return true;
    }
    return false;
}

static void add_range(struct tsfs_plan_scan *scan, uint16_t ordinal, struct range r)
{
    struct tsfs_measure_range *m = NULL;
    for (uint32_t i = 0; i < scan->n_ranges; i++)
        if (scan->ranges[i].ordinal == ordinal)
            m = &scan->ranges[i];
    if (m == NULL) {
        m = &scan->ranges[scan->n_ranges++];
        *m = (struct tsfs_measure_range){ordinal, -INFINITY, INFINITY, INT64_MIN, INT64_MAX};
    }
    struct range both = intersect(r, (struct range){r.is_double, m->ilo, m->ihi, m->lo, m->hi});
    *m = (struct tsfs_measure_range){ordinal, both.lo, both.hi, both.ilo, both.ihi};
    scan->empty |= nothing(both);
}

static int add_dim_in(struct scan_ctx *c, uint16_t ordinal, const struct values *v)
{
    struct tsfs_plan_scan *scan = &c->plan->scan;
    if (scan->n_dim_in == c->dim_in_cap) {
        uint32_t cap = c->dim_in_cap == 0 ? 4 : c->dim_in_cap * 2;
        struct tsfs_dim_in *items = TSFS_NEW_ARRAY(c->arena, struct tsfs_dim_in, cap);
        if (items == NULL)
            return -ENOMEM;
        if (scan->n_dim_in > 0)
            memcpy(items, scan->dim_in, scan->n_dim_in * sizeof(*items));
        scan->dim_in = items;
        c->dim_in_cap = cap;
    }
    scan->dim_in[scan->n_dim_in++] = (struct tsfs_dim_in){ordinal, v->n, v->items};
    return 0;
}

/* What follows from a term for one column. */
static int derive(struct scan_ctx *c, const struct tsfs_expr *term, uint32_t index)
{
    struct tsfs_plan_scan *scan = &c->plan->scan;
    uint16_t ordinal = ordinal_of(c, index);
    const struct tsfs_column *col = &c->schema->cols[ordinal];
    struct range r;
    struct values v = {0};
    int rc;
    switch (col->role) {
    case TSFS_ROLE_TIME:
        if (derive_range(term, index, &r)) {
            scan->empty |= nothing(r);
            narrow_time(scan, r);
        }
        return 0;
    case TSFS_ROLE_MEASURE:
        if ((col->type == TSFS_DOUBLE || col->type == TSFS_BIGINT) && derive_range(term, index, &r))
            add_range(scan, ordinal, r);
        return 0;
    default:
        rc = derive_values(c->arena, term, index, &v);
        if (rc != 1)
            return rc;
        scan->empty |= v.n == 0;
        return v.n == 0 ? 0 : add_dim_in(c, ordinal, &v);
    }
}

#define DERIVED_COLUMNS 32 /* of one term are looked at; enough, and bounds the work on a huge one */

int plan_scan_filter(struct tsfs_arena *arena, struct tsfs_plan *plan, struct tsfs_expr *const *terms,
                     uint32_t n)
{
    struct scan_ctx c = {.arena = arena, .plan = plan, .schema = plan->scan.table.schema};
    struct tsfs_plan_scan *scan = &plan->scan;
    struct tsfs_expr **series = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n);
    struct tsfs_expr **rows = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n);
    uint32_t nseries = 0, nrows = 0;
    bool *seen = TSFS_NEW_ARRAY(arena, bool, plan->ncols);
    if (n == 0)
        return 0;
    scan->ranges = TSFS_NEW_ARRAY(arena, struct tsfs_measure_range, plan->ncols);
    if (series == NULL || rows == NULL || seen == NULL || scan->ranges == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_expr *e = terms[i];
        if (e->kind == TSFS_EXPR_LITERAL) {
            scan->empty |= e->value.null || !e->value.b;
            continue;
        }
        struct columns cols = {.c = &c, .seen = seen, .series_only = true};
        memset(seen, 0, plan->ncols * sizeof(*seen));
        tsfs_expr_each_column(e, visit_column, &cols);
        uint32_t looked = 0;
        for (uint32_t k = 0; k < plan->ncols && looked < DERIVED_COLUMNS; k++) {
            if (!seen[k])
                continue;
            looked++;
            int rc = derive(&c, e, k);
            if (rc != 0)
                return rc;
        }
        if (is_time_term(&c, e))
            continue;
        if (cols.any && cols.series_only && !tsfs_expr_can_fail(e) && !tsfs_expr_unstable(e))
            series[nseries++] = e;
        else
            rows[nrows++] = e;
    }
    scan->empty |= scan->time_min > scan->time_max;
    scan->series_filter = tsfs_expr_and(arena, series, nseries);
    scan->row_filter = tsfs_expr_and(arena, rows, nrows);
    if ((nseries > 0 && scan->series_filter == NULL) || (nrows > 0 && scan->row_filter == NULL))
        return -ENOMEM;
    return 0;
}
