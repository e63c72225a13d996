/* count, sum, avg, the aggregates of truth values and of bits, arbitrary.
 *
 * Whole numbers are summed exactly: the loop adds the two 32-bit halves of each value into two 64-bit sums,
 * which cannot overflow within a run and vectorises; the state holds 128 bits.  A sum that does not fit into
 * a bigint is an error at the end, whatever the order of the rows was.
 *
 * Doubles are summed exactly, too: as two of them (base/sum.h) while these hold the sum, which for data that
 * was measured they nearly always do, else as a whole number of as many bits as it takes (exact.h).  It is
 * rounded once, at the end.  So the sum depends neither on the order of rows nor on who added them up, and
 * what passes the range of a double on the way there does no harm. */
#include "exec/functions/agg_priv.h"
#include "exec/functions/exact.h"
#include "exec/functions/lanes.h"

#include <math.h>

#include "base/sum.h"

__extension__ typedef __int128 wide;

struct count_state {
    uint64_t count;
};

static int count_all_run(AGG_RUN_ARGS)
{
    ((struct count_state *)state)->count += n;
    return 0;
}

static int count_all_rows(AGG_ROWS_ARGS)
{
    for (uint32_t i = 0; i < n; i++)
        ((struct count_state *)states[i])->count++;
    return 0;
}

static int count_all_summary(AGG_SUMMARY_ARGS)
{
    ((struct count_state *)state)->count += block->nrows;
    return 0;
}

static int count_run(AGG_RUN_ARGS)
{
    ((struct count_state *)state)->count += agg_count_valid(&args[0], from, n);
    return 0;
}

static int count_rows(AGG_ROWS_ARGS)
{
    for (uint32_t i = 0; i < n; i++)
        ((struct count_state *)states[i])->count += !tsfs_vec_null(&args[0], i);
    return 0;
}

static int count_summary(AGG_SUMMARY_ARGS)
{
    ((struct count_state *)state)->count += summary->count;
    return 0;
}

static int count_if_dense(struct tsfs_kernel_ctx *ctx, struct count_state *s, const uint8_t *v, uint32_t n)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += v[i];
    s->count += count;
    return 0;
}

static inline int count_if_one(struct tsfs_kernel_ctx *ctx, struct count_state *s, uint8_t v)
{
    s->count += v;
    return 0;
}

AGG_UPDATES(count_if, struct count_state, uint8_t, count_if_dense, count_if_one)

static int count_merge(AGG_MERGE_ARGS)
{
    ((struct count_state *)into)->count += ((const struct count_state *)from)->count;
    return 0;
}

static int count_finish(AGG_FINISH_ARGS)
{
    AGG_PUT(int64_t, (int64_t)((const struct count_state *)state)->count);
    return 0;
}

/* Sums of whole numbers.  The 128 bits lie in halves: states need not be aligned to 16 bytes. */
struct isum_state {
    uint64_t count, lo;
    int64_t hi;
};

static inline wide isum_get(const struct isum_state *s)
{
    return ((wide)s->hi * ((wide)1 << 64)) + (wide)s->lo;
}

static inline void isum_put(struct isum_state *s, wide v)
{
    s->lo = (uint64_t)v;
    s->hi = (int64_t)(v >> 64);
}

static int isum_dense(struct tsfs_kernel_ctx *ctx, struct isum_state *s, const int64_t *v, uint32_t n)
{
    /* Biased by 2^63 the values are unsigned; both halves then shift and mask without a sign. */
    uint64_t low, high;
    lanes_halves(v, n, &low, &high);
    wide total = ((wide)high << 32) + (wide)low - ((wide)n << 63);
    isum_put(s, isum_get(s) + total);
    s->count += n;
    return 0;
}

static inline int isum_one(struct tsfs_kernel_ctx *ctx, struct isum_state *s, int64_t v)
{
    isum_put(s, isum_get(s) + v);
    s->count++;
    return 0;
}

AGG_UPDATES(isum, struct isum_state, int64_t, isum_dense, isum_one)

static int isum_summary(AGG_SUMMARY_ARGS)
{
    struct isum_state *s = state;
    if (!tsfs_type_is_int64(type) || (summary->count > 0 && summary->isum_overflow))
        return 1;
    if (summary->count == 0)
        return 0;
    isum_put(s, isum_get(s) + summary->isum);
    s->count += summary->count;
    return 0;
}

static int isum_merge(AGG_MERGE_ARGS)
{
    struct isum_state *s = into;
    const struct isum_state *f = from;
    isum_put(s, isum_get(s) + isum_get(f));
    s->count += f->count;
    return 0;
}

static int isum_finish(AGG_FINISH_ARGS)
{
    const struct isum_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    wide v = isum_get(s);
    if (v < INT64_MIN || v > INT64_MAX) {
        agg_put_null(data, 8, valid, row);
        return function_fail(ctx, row,
                             "sum: the result does not fit into a bigint; sum(CAST(x AS double)) would");
    }
    AGG_PUT(int64_t, (int64_t)v);
    return 0;
}

static int iavg_finish(AGG_FINISH_ARGS)
{
    const struct isum_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(double, (double)isum_get(s) / (double)s->count);
    return 0;
}

static int ivavg_finish(AGG_FINISH_ARGS)
{
    const struct isum_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(int64_t, (int64_t)(isum_get(s) / (wide)s->count));
    return 0;
}

/* What two doubles cannot hold, and which values that are no numbers there were. */
struct wide_sum {
    struct exact sum;
    bool plus_infinity, minus_infinity, nan;
};

struct dsum_state {
    uint64_t count;
    struct tsfs_sum sum; /* as long as there is no wide one */
    struct wide_sum *wide;
};

static int wide_one(struct tsfs_kernel_ctx *ctx, struct wide_sum *all, double v)
{
    if (isfinite(v))
        return exact_add_double(ctx->arena, &all->sum, v) == 0 ? 0 : function_no_memory(ctx);
    all->nan |= isnan(v);
    all->plus_infinity |= v > 0;
    all->minus_infinity |= v < 0;
    return 0;
}

static int wide_sum(struct tsfs_kernel_ctx *ctx, struct wide_sum *all, const struct tsfs_sum *sum)
{
    int rc = exact_add_double(ctx->arena, &all->sum, sum->hi);
    if (rc == 0)
        rc = exact_add_double(ctx->arena, &all->sum, sum->lo);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

static int make_wide(struct tsfs_kernel_ctx *ctx, struct dsum_state *s)
{
    if (s->wide != NULL)
        return 0;
    s->wide = TSFS_NEW(ctx->arena, struct wide_sum);
    return s->wide == NULL ? function_no_memory(ctx) : wide_sum(ctx, s->wide, &s->sum);
}

static int dsum_add(struct tsfs_kernel_ctx *ctx, struct dsum_state *s, const struct tsfs_sum *sum)
{
    if (s->wide == NULL && tsfs_sum_merge(&s->sum, sum))
        return 0;
    int rc = make_wide(ctx, s);
    return rc != 0 ? rc : wide_sum(ctx, s->wide, sum);
}

static int dsum_dense(struct tsfs_kernel_ctx *ctx, struct dsum_state *s, const double *v, uint32_t n)
{
    struct tsfs_sum sum;
    s->count += n;
    if (tsfs_sum_of(&sum, v, n))
        return dsum_add(ctx, s, &sum);
    int rc = make_wide(ctx, s);
    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = wide_one(ctx, s->wide, v[i]);
    return rc;
}

static inline int dsum_one(struct tsfs_kernel_ctx *ctx, struct dsum_state *s, double v)
{
    s->count++;
    if (s->wide == NULL) {
        if (tsfs_sum_add(&s->sum, v))
            return 0;
        tsfs_sum_tidy(&s->sum);
        if (tsfs_sum_add(&s->sum, v))
            return 0;
    }
    int rc = make_wide(ctx, s);
    return rc != 0 ? rc : wide_one(ctx, s->wide, v);
}

AGG_UPDATES(dsum, struct dsum_state, double, dsum_dense, dsum_one)

static int dsum_summary(AGG_SUMMARY_ARGS)
{
    struct dsum_state *s = state;
    if (type != TSFS_DOUBLE || (summary->count > 0 && summary->dsum_rounded))
        return 1;
    if (summary->count == 0)
        return 0;
    s->count += summary->count;
    return dsum_add(ctx, s, &(struct tsfs_sum){summary->dsum, summary->dsum_rest});
}

static int dsum_merge(AGG_MERGE_ARGS)
{
    struct dsum_state *s = into;
    const struct dsum_state *f = from;
    s->count += f->count;
    if (f->wide == NULL)
        return dsum_add(ctx, s, &f->sum);
    int rc = make_wide(ctx, s);
    if (rc != 0)
        return rc;
    s->wide->nan |= f->wide->nan;
    s->wide->plus_infinity |= f->wide->plus_infinity;
    s->wide->minus_infinity |= f->wide->minus_infinity;
    rc = exact_add_exact(ctx->arena, &s->wide->sum, &f->wide->sum);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

static double dsum_value(const struct dsum_state *s)
{
    const struct wide_sum *all = s->wide;
    if (all == NULL)
        return s->sum.hi + s->sum.lo;
    if (all->nan || (all->plus_infinity && all->minus_infinity))
        return NAN;
    return all->plus_infinity ? INFINITY : all->minus_infinity ? -INFINITY : exact_double(&all->sum);
}

static int dsum_finish(AGG_FINISH_ARGS)
{
    const struct dsum_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(double, dsum_value(s));
    return 0;
}

static int davg_finish(AGG_FINISH_ARGS)
{
    const struct dsum_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(double, dsum_value(s) / (double)s->count);
    return 0;
}

/* geometric_mean: the mean of logarithms. */
static int log_dense(struct tsfs_kernel_ctx *ctx, struct dsum_state *s, const double *v, uint32_t n)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = dsum_one(ctx, s, log(v[i]));
    return rc;
}

static inline int log_one(struct tsfs_kernel_ctx *ctx, struct dsum_state *s, double v)
{
    return dsum_one(ctx, s, log(v));
}

AGG_UPDATES(log, struct dsum_state, double, log_dense, log_one)

static int log_finish(AGG_FINISH_ARGS)
{
    const struct dsum_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(double, exp(dsum_value(s) / (double)s->count));
    return 0;
}

/* bool_and, bool_or: counts of both. */
struct bool_state {
    uint64_t count, trues;
};

static int bool_dense(struct tsfs_kernel_ctx *ctx, struct bool_state *s, const uint8_t *v, uint32_t n)
{
    uint64_t trues = 0;
    for (uint32_t i = 0; i < n; i++)
        trues += v[i];
    s->trues += trues;
    s->count += n;
    return 0;
}

static inline int bool_one(struct tsfs_kernel_ctx *ctx, struct bool_state *s, uint8_t v)
{
    s->trues += v;
    s->count++;
    return 0;
}

AGG_UPDATES(bool, struct bool_state, uint8_t, bool_dense, bool_one)

static int bool_merge(AGG_MERGE_ARGS)
{
    struct bool_state *s = into;
    const struct bool_state *f = from;
    s->count += f->count;
    s->trues += f->trues;
    return 0;
}

static int bool_and_finish(AGG_FINISH_ARGS)
{
    const struct bool_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 1, valid, row);
    AGG_PUT(uint8_t, s->trues == s->count);
    return 0;
}

static int bool_or_finish(AGG_FINISH_ARGS)
{
    const struct bool_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 1, valid, row);
    AGG_PUT(uint8_t, s->trues > 0);
    return 0;
}

/* bitwise_and_agg keeps the complement, so that a zeroed state is neutral for both. */
struct bits_state {
    uint64_t count, zeros, ones, odd;
};

static int bits_dense(struct tsfs_kernel_ctx *ctx, struct bits_state *s, const int64_t *v, uint32_t n)
{
    uint64_t zeros = 0, ones = 0, odd = 0;
    for (uint32_t i = 0; i < n; i++) {
        zeros |= ~(uint64_t)v[i];
        ones |= (uint64_t)v[i];
        odd ^= (uint64_t)v[i];
    }
    s->zeros |= zeros;
    s->ones |= ones;
    s->odd ^= odd;
    s->count += n;
    return 0;
}

static inline int bits_one(struct tsfs_kernel_ctx *ctx, struct bits_state *s, int64_t v)
{
    return bits_dense(ctx, s, &v, 1);
}

AGG_UPDATES(bits, struct bits_state, int64_t, bits_dense, bits_one)

static int bits_merge(AGG_MERGE_ARGS)
{
    struct bits_state *s = into;
    const struct bits_state *f = from;
    s->count += f->count;
    s->zeros |= f->zeros;
    s->ones |= f->ones;
    s->odd ^= f->odd;
    return 0;
}

static int bits_and_finish(AGG_FINISH_ARGS)
{
    const struct bits_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(int64_t, (int64_t)~s->zeros);
    return 0;
}

static int bits_or_finish(AGG_FINISH_ARGS)
{
    const struct bits_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(int64_t, (int64_t)s->ones);
    return 0;
}

static int bits_xor_finish(AGG_FINISH_ARGS)
{
    const struct bits_state *s = state;
    if (s->count == 0)
        return agg_put_null(data, 8, valid, row);
    AGG_PUT(int64_t, (int64_t)s->odd);
    return 0;
}

AGG_IMPL(impl_count_all, struct count_state, count_all, count_merge, count_finish,
         .update_summary = count_all_summary);
AGG_IMPL(impl_count, struct count_state, count, count_merge, count_finish, .update_summary = count_summary);
AGG_IMPL(impl_count_if, struct count_state, count_if, count_merge, count_finish);
AGG_IMPL(impl_isum, struct isum_state, isum, isum_merge, isum_finish, .update_summary = isum_summary);
AGG_IMPL(impl_iavg, struct isum_state, isum, isum_merge, iavg_finish, .update_summary = isum_summary);
AGG_IMPL(impl_ivavg, struct isum_state, isum, isum_merge, ivavg_finish, .update_summary = isum_summary);
AGG_IMPL(impl_dsum, struct dsum_state, dsum, dsum_merge, dsum_finish, .update_summary = dsum_summary);
AGG_IMPL(impl_davg, struct dsum_state, dsum, dsum_merge, davg_finish, .update_summary = dsum_summary);
AGG_IMPL(impl_geometric, struct dsum_state, log, dsum_merge, log_finish);
AGG_IMPL(impl_bool_and, struct bool_state, bool, bool_merge, bool_and_finish);
AGG_IMPL(impl_bool_or, struct bool_state, bool, bool_merge, bool_or_finish);
AGG_IMPL(impl_bits_and, struct bits_state, bits, bits_merge, bits_and_finish);
AGG_IMPL(impl_bits_or, struct bits_state, bits, bits_merge, bits_or_finish);

AGG_IMPL(impl_bits_xor, struct bits_state, bits, bits_merge, bits_xor_finish);

#define PLAIN(nm, res, im, hlp, type) AGGREGATE(nm, TSFS_OP_NONE, res, im, hlp, type)

static const struct tsfs_function items[] = {
    {.name = "count",
     .kind = TSFS_FUNCTION_AGGREGATE,
     .op = TSFS_OP_COUNT_ALL,
     .result = BIG,
     .help = "count(*): rows",
     .impl = &impl_count_all},
    AGGREGATE("count", TSFS_OP_COUNT, BIG, impl_count, "count(x): rows where x is not NULL", ANY),
    AGGREGATE("sum", TSFS_OP_SUM, BIG, impl_isum, "sum(x): exact for whole numbers", BIG),
    AGGREGATE("sum", TSFS_OP_SUM, DBL, impl_dsum,
              "sum(x): of doubles, rounded once, whatever the order of rows", DBL),
    AGGREGATE("sum", TSFS_OP_SUM, BIG, impl_isum, "sum(x): exact for whole numbers", INT),
    AGGREGATE("sum", TSFS_OP_NONE, DS, impl_isum, "sum(x): of intervals", DS),
    AGGREGATE("sum", TSFS_OP_NONE, YM, impl_isum, "sum(x): of intervals", YM),
    AGGREGATE("avg", TSFS_OP_AVG, DBL, impl_davg, "avg(x): arithmetic mean", DBL),
    AGGREGATE("avg", TSFS_OP_AVG, DBL, impl_iavg, "avg(x): arithmetic mean", BIG),
    AGGREGATE("avg", TSFS_OP_AVG, DBL, impl_iavg, "avg(x): arithmetic mean", INT),
    AGGREGATE("avg", TSFS_OP_NONE, DS, impl_ivavg, "avg(x): of intervals", DS),
    AGGREGATE("avg", TSFS_OP_NONE, YM, impl_ivavg, "avg(x): of intervals", YM),
    PLAIN("geometric_mean", DBL, impl_geometric, "geometric_mean(x): the n-th root of the product", DBL),
    PLAIN("count_if", BIG, impl_count_if, "count_if(b): rows where b is true", BOOL),
    PLAIN("bool_and", BOOL, impl_bool_and, "bool_and(b): whether b is true everywhere", BOOL),
    PLAIN("every", BOOL, impl_bool_and, "every(b): whether b is true everywhere", BOOL),
    PLAIN("bool_or", BOOL, impl_bool_or, "bool_or(b): whether b is true anywhere", BOOL),
    PLAIN("bitwise_and_agg", BIG, impl_bits_and, "bitwise_and_agg(x): bits set in all values", BIG),
    PLAIN("bitwise_or_agg", BIG, impl_bits_or, "bitwise_or_agg(x): bits set in any value", BIG),
    PLAIN("bitwise_xor_agg", BIG, impl_bits_xor, "bitwise_xor_agg(x): bits set in an odd number of values",
          BIG),
};

const struct function_table functions_agg_basic = FUNCTION_TABLE(items);
