/* min and max of every comparable type.  NaN is passed over, by both, unless there is nothing else;
 * ORDER BY has it last.  Which zero came first does not show. */
#include <math.h>

#include "col/nested.h"
#include "exec/functions/agg_priv.h"
#include "exec/functions/lanes.h"

struct int_state {
    uint64_t count;
    int64_t v;
};

struct double_state {
    uint64_t count;
    double v;
};

struct bool_state {
    uint64_t count;
    uint8_t v;
};

struct str_state {
    uint64_t count;
    struct agg_held held;
};

#define INT_EXTREME(NAME, OP)                                                                                \
    static inline void NAME##_take(struct int_state *s, int64_t v, uint64_t count)                           \
    {                                                                                                        \
        if (count > 0 && (s->count == 0 || v OP s->v))                                                       \
            s->v = v;                                                                                        \
        s->count += count;                                                                                   \
    }                                                                                                        \
    static int NAME##_dense(struct tsfs_kernel_ctx *ctx, struct int_state *s, const int64_t *restrict v,     \
                            uint32_t n)                                                                      \
    {                                                                                                        \
        NAME##_take(s, lanes_##NAME(v, n), n);                                                               \
        return 0;                                                                                            \
    }                                                                                                        \
    static inline int NAME##_one(struct tsfs_kernel_ctx *ctx, struct int_state *s, int64_t v)                \
    {                                                                                                        \
        NAME##_take(s, v, 1);                                                                                \
        return 0;                                                                                            \
    }                                                                                                        \
    AGG_UPDATES(NAME, struct int_state, int64_t, NAME##_dense, NAME##_one)                                   \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        const struct int_state *f = from;                                                                    \
        NAME##_take(into, f->v, f->count);                                                                   \
        return 0;                                                                                            \
    }

INT_EXTREME(imin, <)
INT_EXTREME(imax, >)

static int imin_summary(AGG_SUMMARY_ARGS)
{
    if (!tsfs_type_is_int64(type))
        return 1;
    imin_take(state, summary->imin, summary->count);
    return 0;
}

static int imax_summary(AGG_SUMMARY_ARGS)
{
    if (!tsfs_type_is_int64(type))
        return 1;
    imax_take(state, summary->imax, summary->count);
    return 0;
}

static int int_finish(AGG_FINISH_ARGS)
{
    const struct int_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(int64_t, s->v);
    return 0;
}

/* v, the best of count values, joins the state. */
static inline void dmin_take(struct double_state *s, double v, uint64_t count)
{
    if (count > 0 && (s->count == 0 || v < s->v || isnan(s->v)))
        s->v = v;
    s->count += count;
}

static inline void dmax_take(struct double_state *s, double v, uint64_t count)
{
    if (count > 0 && (s->count == 0 || v > s->v || isnan(s->v)))
        s->v = v;
    s->count += count;
}

static int dmin_dense(struct tsfs_kernel_ctx *ctx, struct double_state *s, const double *restrict v,
                      uint32_t n)
{
    uint64_t nans;
    double best = lanes_min(v, n, &nans);
    dmin_take(s, nans == n ? NAN : best, n);
    return 0;
}

static int dmax_dense(struct tsfs_kernel_ctx *ctx, struct double_state *s, const double *restrict v,
                      uint32_t n)
{
    uint64_t nans;
    double best = lanes_max(v, n, &nans);
    dmax_take(s, nans == n ? NAN : best, n);
    return 0;
}

#define DOUBLE_EXTREME(NAME)                                                                                 \
    static inline int NAME##_one(struct tsfs_kernel_ctx *ctx, struct double_state *s, double v)              \
    {                                                                                                        \
        NAME##_take(s, v, 1);                                                                                \
        return 0;                                                                                            \
    }                                                                                                        \
    AGG_UPDATES(NAME, struct double_state, double, NAME##_dense, NAME##_one)                                 \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        const struct double_state *f = from;                                                                 \
        NAME##_take(into, f->v, f->count);                                                                   \
        return 0;                                                                                            \
    }                                                                                                        \
    static int NAME##_summary(AGG_SUMMARY_ARGS)                                                              \
    {                                                                                                        \
        if (type != TSFS_DOUBLE)                                                                             \
            return 1;                                                                                        \
        NAME##_take(state, summary->NAME, summary->count);                                                   \
        return 0;                                                                                            \
    }

DOUBLE_EXTREME(dmin)
DOUBLE_EXTREME(dmax)

static int double_finish(AGG_FINISH_ARGS)
{
    const struct double_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(double, s->v + 0.0); /* of both zeros, which are equal, the positive one */
    return 0;
}

#define BOOL_EXTREME(NAME, OP)                                                                               \
    static inline int NAME##_one(struct tsfs_kernel_ctx *ctx, struct bool_state *s, uint8_t v)               \
    {                                                                                                        \
        if (s->count++ == 0 || v OP s->v)                                                                    \
            s->v = v;                                                                                        \
        return 0;                                                                                            \
    }                                                                                                        \
    static int NAME##_dense(struct tsfs_kernel_ctx *ctx, struct bool_state *s, const uint8_t *v, uint32_t n) \
    {                                                                                                        \
        for (uint32_t i = 0; i < n; i++)                                                                     \
            NAME##_one(ctx, s, v[i]);                                                                        \
        return 0;                                                                                            \
    }                                                                                                        \
    AGG_UPDATES(NAME, struct bool_state, uint8_t, NAME##_dense, NAME##_one)                                  \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        const struct bool_state *f = from;                                                                   \
        if (f->count > 0) {                                                                                  \
            NAME##_one(ctx, into, f->v);                                                                     \
            ((struct bool_state *)into)->count += f->count - 1;                                              \
        }                                                                                                    \
        return 0;                                                                                            \
    }

BOOL_EXTREME(bmin, <)
BOOL_EXTREME(bmax, >)

static int bool_finish(AGG_FINISH_ARGS)
{
    const struct bool_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 1, valid, row);
    AGG_PUT(uint8_t, s->v);
    return 0;
}

/* Of strings only the best of a run is copied. */
#define STR_EXTREME(NAME, OP)                                                                                \
    static inline int NAME##_one(struct tsfs_kernel_ctx *ctx, struct str_state *s, struct tsfs_str v)        \
    {                                                                                                        \
        if (s->count++ == 0 || tsfs_str_cmp(v, (struct tsfs_str){s->held.text, s->held.len}) OP 0)           \
            return agg_held_str(ctx, &s->held, v);                                                           \
        return 0;                                                                                            \
    }                                                                                                        \
    static int NAME##_dense(struct tsfs_kernel_ctx *ctx, struct str_state *s, const struct tsfs_str *v,      \
                            uint32_t n)                                                                      \
    {                                                                                                        \
        struct tsfs_str best = v[0];                                                                         \
        for (uint32_t i = 1; i < n; i++)                                                                     \
            if (tsfs_str_cmp(v[i], best) OP 0)                                                               \
                best = v[i];                                                                                 \
        s->count += s->count > 0 ? n - 1 : 0;                                                                \
        return NAME##_one(ctx, s, best);                                                                     \
    }                                                                                                        \
    AGG_UPDATES(NAME, struct str_state, struct tsfs_str, NAME##_dense, NAME##_one)                           \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        const struct str_state *f = from;                                                                    \
        if (f->count == 0)                                                                                   \
            return 0;                                                                                        \
        return NAME##_one(ctx, into, (struct tsfs_str){f->held.text, f->held.len});                          \
    }

STR_EXTREME(smin, <)
STR_EXTREME(smax, >)

static int str_finish(AGG_FINISH_ARGS)
{
    const struct str_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, sizeof(struct tsfs_str), valid, row);
    return agg_held_put(ctx, &s->held, data, valid, row);
}

/* Arrays and rows, in the order of ORDER BY. */
struct nested_state {
    bool any;
    struct agg_held held;
};

static int nested_take(struct tsfs_kernel_ctx *ctx, struct nested_state *s, const struct tsfs_vec *v,
                       uint32_t row, int sign)
{
    if (tsfs_vec_null(v, row))
        return 0;
    struct tsfs_value value = tsfs_vec_get(v, row), best = agg_held_value(&s->held);
    if (s->any && sign * tsfs_value_order(&value, &best) <= 0)
        return 0;
    s->any = true;
    return agg_held_row(ctx, &s->held, v, row);
}

#define NESTED_EXTREME(NAME, SIGN)                                                                           \
    AGG_UPDATES_BY_ROW(NAME, nested_take, SIGN)                                                              \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        struct nested_state *s = into;                                                                       \
        const struct nested_state *f = from;                                                                 \
        struct tsfs_value value = agg_held_value(&f->held), best = agg_held_value(&s->held);                 \
        if (!f->any || (s->any && SIGN * tsfs_value_order(&value, &best) <= 0))                              \
            return 0;                                                                                        \
        s->any = true;                                                                                       \
        return agg_held_copy(ctx, &s->held, &f->held);                                                       \
    }

NESTED_EXTREME(nmin, -1)
NESTED_EXTREME(nmax, 1)

static int nested_finish(AGG_FINISH_ARGS)
{
    /* the width of a NULL is not known here: a varbinary is wider than an array */
    return agg_held_put(ctx, &((const struct nested_state *)state)->held, data, valid, row);
}

AGG_IMPL(impl_imin, struct int_state, imin, imin_merge, int_finish, .update_summary = imin_summary);
AGG_IMPL(impl_imax, struct int_state, imax, imax_merge, int_finish, .update_summary = imax_summary);
AGG_IMPL(impl_dmin, struct double_state, dmin, dmin_merge, double_finish, .update_summary = dmin_summary);
AGG_IMPL(impl_dmax, struct double_state, dmax, dmax_merge, double_finish, .update_summary = dmax_summary);
AGG_IMPL(impl_bmin, struct bool_state, bmin, bmin_merge, bool_finish);
AGG_IMPL(impl_bmax, struct bool_state, bmax, bmax_merge, bool_finish);
AGG_IMPL(impl_smin, struct str_state, smin, smin_merge, str_finish);
AGG_IMPL(impl_smax, struct str_state, smax, smax_merge, str_finish);
AGG_IMPL(impl_nmin, struct nested_state, nmin, nmin_merge, nested_finish);
AGG_IMPL(impl_nmax, struct nested_state, nmax, nmax_merge, nested_finish);

#define EXTREME(T, IMPL_MIN, IMPL_MAX)                                                                       \
    AGGREGATE("min", TSFS_OP_MIN, T, IMPL_MIN, "min(x): the smallest value", T),                             \
        AGGREGATE("max", TSFS_OP_MAX, T, IMPL_MAX, "max(x): the largest value", T)

static const struct tsfs_function items[] = {
    EXTREME(BIG, impl_imin, impl_imax),
    EXTREME(DBL, impl_dmin, impl_dmax),
    EXTREME(STR, impl_smin, impl_smax),
    EXTREME(TS, impl_imin, impl_imax),
    EXTREME(INT, impl_imin, impl_imax),
    EXTREME(BOOL, impl_bmin, impl_bmax),
    EXTREME(DATE, impl_imin, impl_imax),
    EXTREME(TIME, impl_imin, impl_imax),
    EXTREME(DS, impl_imin, impl_imax),
    EXTREME(YM, impl_imin, impl_imax),
    SIG_AGGREGATE("min", TSFS_OP_MIN, "array(T) -> array(T)", impl_nmin, "min(x): the smallest value"),
    SIG_AGGREGATE("max", TSFS_OP_MAX, "array(T) -> array(T)", impl_nmax, "max(x): the largest value"),
    SIG_AGGREGATE("min", TSFS_OP_MIN, "T -> T", impl_nmin, "min(x): the smallest row"),
    SIG_AGGREGATE("max", TSFS_OP_MAX, "T -> T", impl_nmax, "max(x): the largest row"),
};

const struct function_table functions_agg_extreme = FUNCTION_TABLE(items);
