/* min_by(x, y), max_by(x, y): x of the row with the smallest or largest y; and arbitrary(x).
 *
 * Rows with y NULL do not count; x may be NULL.  A run's best y is found first, in a loop over y alone, and x
 * is only looked at when that beats the state: for max_by(x, time) over ascending runs this is the last row.
 */
#include <math.h>

#include "col/nested.h"
#include "exec/functions/agg_priv.h"
#include "exec/functions/lanes.h"

int agg_held_str(struct tsfs_kernel_ctx *ctx, struct agg_held *held, struct tsfs_str s)
{
    if (s.len > held->cap) {
        size_t cap =
            s.len < 8 ? 16 : s.len * 2; /* so that a growing extreme costs its size, not its square */
        if (cap > UINT32_MAX)
            return function_no_memory(ctx);
        char *text = function_bytes(ctx, cap);
        if (text == NULL)
            return -ENOMEM;
        held->text = text;
        held->cap = (uint32_t)cap;
    }
    if (s.len > 0)
        memmove(held->text, s.ptr, s.len);
    else if (held->text == NULL && (held->text = function_bytes(ctx, 0)) == NULL)
        return -ENOMEM;
    held->type = TSFS_VARCHAR;
    held->len = s.len;
    held->null = false;
    return 0;
}

static int held_nested(struct tsfs_kernel_ctx *ctx, struct agg_held *held, const void *p)
{
    return tsfs_nested_copy(ctx->arena, held->type, p, &held->p) != 0 ? function_no_memory(ctx) : 0;
}

int agg_held_row(struct tsfs_kernel_ctx *ctx, struct agg_held *held, const struct tsfs_vec *v, uint32_t row)
{
    held->type = v->type;
    held->null = tsfs_vec_null(v, row);
    if (held->null)
        return 0;
    size_t at = row_at(v, row);
    switch (v->type) {
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return agg_held_str(ctx, held, v->s[at]);
    case TSFS_BOOLEAN: held->i = v->b[at]; break;
    case TSFS_DOUBLE: held->d = v->d[at]; break;
    default:
        if (tsfs_type_is_nested(v->type))
            return held_nested(ctx, held, v->p[at]);
        held->i = v->i[at];
        break;
    }
    return 0;
}

int agg_held_copy(struct tsfs_kernel_ctx *ctx, struct agg_held *held, const struct agg_held *from)
{
    if (from->type == TSFS_VARCHAR && !from->null)
        return agg_held_str(ctx, held, (struct tsfs_str){from->text, from->len});
    held->type = from->type;
    held->null = from->null;
    if (!from->null && tsfs_type_is_nested(from->type))
        return held_nested(ctx, held, from->p);
    held->i = from->i;
    return 0;
}

int agg_held_put(struct tsfs_kernel_ctx *ctx, const struct agg_held *held, void *data, uint64_t *valid,
                 uint32_t row)
{
    if (held->type == TSFS_UNKNOWN || held->null)
        return agg_put_null(data, tsfs_type_width(held->type), valid, row);
    switch (held->type) {
    case TSFS_VARCHAR: AGG_PUT(struct tsfs_str, ((struct tsfs_str){held->text, held->len})); break;
    case TSFS_BOOLEAN: AGG_PUT(uint8_t, (uint8_t)held->i); break;
    case TSFS_DOUBLE: AGG_PUT(double, held->d); break;
    default: AGG_PUT(int64_t, held->i); break;
    }
    return 0;
}

struct tsfs_value agg_held_value(const struct agg_held *held)
{
    struct tsfs_value v = {.type = held->type, .null = held->null};
    if (held->type == TSFS_BOOLEAN)
        v.b = held->i != 0;
    else if (tsfs_type_is_nested(held->type))
        v.p = held->p;
    else if (tsfs_type_width(held->type) == sizeof(struct tsfs_str))
        v.s = (struct tsfs_str){held->text, held->len};
    else
        v.i = held->i;
    return v;
}

struct by_state {
    bool any;
    struct agg_held x, y;
};

/* The first place of the least or largest of n > 0 values. */
static uint32_t place_of(const int64_t *y, int64_t m)
{
    uint32_t i = 0;
    while (y[i] != m)
        i++;
    return i;
}

static uint32_t imin_place(const int64_t *y, uint32_t n)
{
    return place_of(y, lanes_imin(y, n));
}

static uint32_t imax_place(const int64_t *y, uint32_t n)
{
    return place_of(y, lanes_imax(y, n));
}

/* Where the extreme m of y is, which has so many NaNs: they are passed over unless there is nothing else. */
static uint32_t double_place(const double *y, uint32_t n, double m, uint64_t nans)
{
    uint32_t i = 0;
    while (nans < n && y[i] != m)
        i++;
    return i;
}

static uint32_t dmin_place(const double *y, uint32_t n)
{
    uint64_t nans;
    double m = lanes_min(y, n, &nans);
    return double_place(y, n, m, nans);
}

static uint32_t dmax_place(const double *y, uint32_t n)
{
    uint64_t nans;
    double m = lanes_max(y, n, &nans);
    return double_place(y, n, m, nans);
}

/* y of row i of the run is better than the state's, or the state has none. */
#define NUMBER_BY(NAME, T, FIELD, PLACE, BETTER)                                                             \
    static inline bool NAME##_better(T a, T b)                                                               \
    {                                                                                                        \
        return BETTER;                                                                                       \
    }                                                                                                        \
    static inline int NAME##_take(struct tsfs_kernel_ctx *ctx, struct by_state *s,                           \
                                  const struct tsfs_vec *args, uint32_t row, T y)                            \
    {                                                                                                        \
        if (s->any && !NAME##_better(y, s->y.FIELD))                                                         \
            return 0;                                                                                        \
        s->any = true;                                                                                       \
        s->y.FIELD = y;                                                                                      \
        return agg_held_row(ctx, &s->x, &args[0], row);                                                      \
    }                                                                                                        \
    static int NAME##_run(AGG_RUN_ARGS)                                                                      \
    {                                                                                                        \
        const T *y = args[1].data;                                                                           \
        uint32_t best = UINT32_MAX;                                                                          \
        if (n == 0 || args[1].type == TSFS_UNKNOWN)                                                          \
            return 0;                                                                                        \
        if (args[1].constant) {                                                                              \
            if (!tsfs_vec_null(&args[1], 0))                                                                 \
                return NAME##_take(ctx, state, args, from, y[0]);                                            \
            return 0;                                                                                        \
        }                                                                                                    \
        if (args[1].valid == NULL) {                                                                         \
            best = from + PLACE(y + from, n);                                                                \
        } else {                                                                                             \
            for (uint32_t i = from; i < from + n; i++)                                                       \
                if (tsfs_bit_get(args[1].valid, i) && (best == UINT32_MAX || NAME##_better(y[i], y[best])))  \
                    best = i;                                                                                \
        }                                                                                                    \
        return best == UINT32_MAX ? 0 : NAME##_take(ctx, state, args, best, y[best]);                        \
    }                                                                                                        \
    static int NAME##_rows(AGG_ROWS_ARGS)                                                                    \
    {                                                                                                        \
        const T *y = args[1].data;                                                                           \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            int rc = tsfs_vec_null(&args[1], i)                                                              \
                         ? 0                                                                                 \
                         : NAME##_take(ctx, states[i], args, i, y[row_at(&args[1], i)]);                     \
            if (rc != 0)                                                                                     \
                return rc;                                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }                                                                                                        \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        struct by_state *s = into;                                                                           \
        const struct by_state *f = from;                                                                     \
        if (!f->any || (s->any && !NAME##_better(f->y.FIELD, s->y.FIELD)))                                   \
            return 0;                                                                                        \
        s->any = true;                                                                                       \
        s->y.FIELD = f->y.FIELD;                                                                             \
        return agg_held_copy(ctx, &s->x, &f->x);                                                             \
    }

NUMBER_BY(imin_by, int64_t, i, imin_place, a < b)
NUMBER_BY(imax_by, int64_t, i, imax_place, a > b)
NUMBER_BY(dmin_by, double, d, dmin_place, a < b || (isnan(b) && !isnan(a)))
NUMBER_BY(dmax_by, double, d, dmax_place, a > b || (isnan(b) && !isnan(a)))

static int str_take(struct tsfs_kernel_ctx *ctx, struct by_state *s, const struct tsfs_vec *args,
                    uint32_t row, int sign)
{
    struct tsfs_str y = args[1].s[row_at(&args[1], row)];
    if (s->any && sign * tsfs_str_cmp(y, (struct tsfs_str){s->y.text, s->y.len}) <= 0)
        return 0;
    s->any = true;
    int rc = agg_held_str(ctx, &s->y, y);
    return rc != 0 ? rc : agg_held_row(ctx, &s->x, &args[0], row);
}

static int str_run(AGG_RUN_ARGS, int sign)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = from; i < from + n; i++) {
        if (tsfs_vec_null(&args[1], i))
            continue;
        if (best == UINT32_MAX ||
            sign * tsfs_str_cmp(args[1].s[row_at(&args[1], i)], args[1].s[row_at(&args[1], best)]) > 0)
            best = i;
        if (args[1].constant)
            break;
    }
    return best == UINT32_MAX ? 0 : str_take(ctx, state, args, best, sign);
}

static int str_rows(AGG_ROWS_ARGS, int sign)
{
    for (uint32_t i = 0; i < n; i++) {
        int rc = tsfs_vec_null(&args[1], i) ? 0 : str_take(ctx, states[i], args, i, sign);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int str_merge(AGG_MERGE_ARGS, int sign)
{
    struct by_state *s = into;
    const struct by_state *f = from;
    struct tsfs_str y = {f->y.text, f->y.len};
    if (!f->any || (s->any && sign * tsfs_str_cmp(y, (struct tsfs_str){s->y.text, s->y.len}) <= 0))
        return 0;
    s->any = true;
    int rc = agg_held_str(ctx, &s->y, y);
    return rc != 0 ? rc : agg_held_copy(ctx, &s->x, &f->x);
}

#define STR_BY(NAME, SIGN)                                                                                   \
    static int NAME##_run(AGG_RUN_ARGS)                                                                      \
    {                                                                                                        \
        return str_run(ctx, state, args, from, n, SIGN);                                                     \
    }                                                                                                        \
    static int NAME##_rows(AGG_ROWS_ARGS)                                                                    \
    {                                                                                                        \
        return str_rows(ctx, states, args, n, SIGN);                                                         \
    }                                                                                                        \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        return str_merge(ctx, into, from, SIGN);                                                             \
    }

STR_BY(smin_by, -1)
STR_BY(smax_by, 1)

/* By truth values, arrays and rows, in the order of ORDER BY. */
static int any_by_take(struct tsfs_kernel_ctx *ctx, struct by_state *s, const struct tsfs_vec *args,
                       uint32_t row, int sign)
{
    if (tsfs_vec_null(&args[1], row))
        return 0;
    struct tsfs_value y = tsfs_vec_get(&args[1], row), old = agg_held_value(&s->y);
    if (s->any && sign * tsfs_value_order(&y, &old) <= 0)
        return 0;
    s->any = true;
    int rc = agg_held_row(ctx, &s->y, &args[1], row);
    return rc != 0 ? rc : agg_held_row(ctx, &s->x, &args[0], row);
}

static int any_by_merge(AGG_MERGE_ARGS, int sign)
{
    struct by_state *s = into;
    const struct by_state *f = from;
    struct tsfs_value y = agg_held_value(&f->y), old = agg_held_value(&s->y);
    if (!f->any || (s->any && sign * tsfs_value_order(&y, &old) <= 0))
        return 0;
    s->any = true;
    int rc = agg_held_copy(ctx, &s->y, &f->y);
    return rc != 0 ? rc : agg_held_copy(ctx, &s->x, &f->x);
}

#define ANY_BY(NAME, SIGN)                                                                                   \
    AGG_UPDATES_BY_ROW(NAME, any_by_take, SIGN)                                                              \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        return any_by_merge(ctx, into, from, SIGN);                                                          \
    }

ANY_BY(nmin_by, -1)
ANY_BY(nmax_by, 1)

/* The block's first or last row: known when no value of the block is missing, or all are. */
static int by_summary(struct by_state *s, enum tsfs_type type, const struct tsfs_block *block,
                      const struct tsfs_summary *summary, bool last)
{
    int64_t t = last ? block->t_last : block->t_first;
    if (s->any && (last ? t <= s->y.i : t >= s->y.i))
        return 0;
    bool none = summary->count == 0;
    if (!none && (summary->count != block->nrows || (type != TSFS_DOUBLE && !tsfs_type_is_int64(type))))
        return 1;
    s->any = true;
    s->y.i = t;
    s->x.type = type;
    s->x.null = none;
    if (none)
        return 0;
    if (type == TSFS_DOUBLE)
        s->x.d = last ? summary->dlast : summary->dfirst;
    else
        s->x.i = last ? summary->ilast : summary->ifirst;
    return 0;
}

static int min_by_summary(AGG_SUMMARY_ARGS)
{
    return by_summary(state, type, block, summary, false);
}

static int max_by_summary(AGG_SUMMARY_ARGS)
{
    return by_summary(state, type, block, summary, true);
}

static int by_finish(AGG_FINISH_ARGS)
{
    const struct by_state *s = state;
    return agg_held_put(ctx, &s->x, data, valid, row);
}

/* arbitrary: the first value met. */
struct any_state {
    struct agg_held x;
};

static int any_take(struct tsfs_kernel_ctx *ctx, struct any_state *s, const struct tsfs_vec *v, uint32_t row)
{
    if (s->x.type != TSFS_UNKNOWN || tsfs_vec_null(v, row))
        return 0;
    return agg_held_row(ctx, &s->x, v, row);
}

static int any_run(AGG_RUN_ARGS)
{
    struct any_state *s = state;
    for (uint32_t i = from; i < from + n && s->x.type == TSFS_UNKNOWN; i++) {
        int rc = any_take(ctx, s, &args[0], i);
        if (rc != 0)
            return rc;
        if (args[0].constant)
            break;
    }
    return 0;
}

static int any_rows(AGG_ROWS_ARGS)
{
    for (uint32_t i = 0; i < n; i++) {
        int rc = any_take(ctx, states[i], &args[0], i);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int any_merge(AGG_MERGE_ARGS)
{
    struct any_state *s = into;
    const struct any_state *f = from;
    return s->x.type == TSFS_UNKNOWN ? agg_held_copy(ctx, &s->x, &f->x) : 0;
}

static int any_finish(AGG_FINISH_ARGS)
{
    return agg_held_put(ctx, &((const struct any_state *)state)->x, data, valid, row);
}

AGG_IMPL(imin_by_impl, struct by_state, imin_by, imin_by_merge, by_finish, .by_order = true);
AGG_IMPL(imax_by_impl, struct by_state, imax_by, imax_by_merge, by_finish, .by_order = true);
AGG_IMPL(dmin_by_impl, struct by_state, dmin_by, dmin_by_merge, by_finish, .by_order = true);
AGG_IMPL(dmax_by_impl, struct by_state, dmax_by, dmax_by_merge, by_finish, .by_order = true);
AGG_IMPL(smin_by_impl, struct by_state, smin_by, smin_by_merge, by_finish, .by_order = true);
AGG_IMPL(smax_by_impl, struct by_state, smax_by, smax_by_merge, by_finish, .by_order = true);
AGG_IMPL(nmin_by_impl, struct by_state, nmin_by, nmin_by_merge, by_finish, .by_order = true);
AGG_IMPL(nmax_by_impl, struct by_state, nmax_by, nmax_by_merge, by_finish, .by_order = true);
AGG_IMPL(any_impl, struct any_state, any, any_merge, any_finish, .by_order = true);

/* y is the time column: summaries may answer. */
AGG_IMPL(tmin_by_impl, struct by_state, imin_by, imin_by_merge, by_finish, .by_order = true,
         .update_summary = min_by_summary);
AGG_IMPL(tmax_by_impl, struct by_state, imax_by, imax_by_merge, by_finish, .by_order = true,
         .update_summary = max_by_summary);

#define BY(T, MIN, MAX)                                                                                      \
    AGGREGATE("min_by", TSFS_OP_MIN_BY, ANY, MIN, "min_by(x, y): x where y is smallest", ANY, T),            \
        AGGREGATE("max_by", TSFS_OP_MAX_BY, ANY, MAX, "max_by(x, y): x where y is largest", ANY, T)

static const struct tsfs_function items[] = {
    BY(TS, tmin_by_impl, tmax_by_impl),
    BY(BIG, imin_by_impl, imax_by_impl),
    BY(DBL, dmin_by_impl, dmax_by_impl),
    BY(STR, smin_by_impl, smax_by_impl),
    BY(INT, imin_by_impl, imax_by_impl),
    BY(DATE, imin_by_impl, imax_by_impl),
    BY(TIME, imin_by_impl, imax_by_impl),
    BY(DS, imin_by_impl, imax_by_impl),
    BY(YM, imin_by_impl, imax_by_impl),
    SIG_AGGREGATE("min_by", TSFS_OP_MIN_BY, "U, T -> U", nmin_by_impl, "min_by(x, y): x where y is smallest"),
    SIG_AGGREGATE("max_by", TSFS_OP_MAX_BY, "U, T -> U", nmax_by_impl, "max_by(x, y): x where y is largest"),
    AGGREGATE("arbitrary", TSFS_OP_NONE, ANY, any_impl, "arbitrary(x): some value of x that is not NULL",
              ANY),
    AGGREGATE("any_value", TSFS_OP_NONE, ANY, any_impl, "any_value(x): some value of x that is not NULL",
              ANY),
};

const struct function_table functions_agg_by = FUNCTION_TABLE(items);
