/* Variance, deviation, skewness, kurtosis; covariance, correlation, regression.
 *
 * A state holds the count, the mean and sums of powers of deviations from it; such states merge exactly
 * (Chan, Golub, LeVeque 1979; Pébay 2008 for the higher powers).  A run is first reduced to a state of its
 * own in two passes over the values, mean and then deviations, both in lanes that vectorise and without
 * cancellation, and then merged. */
#include <math.h>

#include "exec/functions/agg_priv.h"
#include "exec/functions/lanes.h"

struct moments {
    uint64_t n;
    double mean, m2, m3, m4;
};

static void merge_moments(struct moments *s, const struct moments *f)
{
    if (f->n == 0)
        return;
    if (s->n == 0) {
        *s = *f;
        return;
    }
    double a = (double)s->n, b = (double)f->n, n = a + b;
    double d = f->mean - s->mean, d_n = d / n;
    s->m4 += f->m4 + d * d_n * d_n * d_n * a * b * (a * a - a * b + b * b) +
             6 * d_n * d_n * (a * a * f->m2 + b * b * s->m2) + 4 * d_n * (a * f->m3 - b * s->m3);
    s->m3 += f->m3 + d * d_n * d_n * a * b * (a - b) + 3 * d_n * (a * f->m2 - b * s->m2);
    s->m2 += f->m2 + d * d_n * a * b;
    s->mean += d_n * b;
    s->n += f->n;
}

static int variance_dense(struct tsfs_kernel_ctx *ctx, struct moments *s, const double *restrict v,
                          uint32_t n)
{
    struct moments run = {.n = n, .mean = lanes_plain_sum(v, n) / n};
    double off;
    lanes_deviations(v, n, run.mean, &off, &run.m2);
    /* The mean is rounded: what the deviations sum up to takes that out again. */
    run.m2 -= off * off / n;
    run.mean += off / n;
    merge_moments(s, &run);
    return 0;
}

/* Welford 1962. */
static inline int variance_one(struct tsfs_kernel_ctx *ctx, struct moments *s, double v)
{
    double d = v - s->mean;
    s->mean += d / (double)++s->n;
    s->m2 += d * (v - s->mean);
    return 0;
}

AGG_UPDATES(variance, struct moments, double, variance_dense, variance_one)

static int higher_dense(struct tsfs_kernel_ctx *ctx, struct moments *s, const double *restrict v, uint32_t n)
{
    struct moments run = {.n = n, .mean = lanes_plain_sum(v, n) / n};
    for (uint32_t i = 0; i < n; i++) {
        double d = v[i] - run.mean, d2 = d * d;
        run.m2 += d2;
        run.m3 += d2 * d;
        run.m4 += d2 * d2;
    }
    merge_moments(s, &run);
    return 0;
}

static inline int higher_one(struct tsfs_kernel_ctx *ctx, struct moments *s, double v)
{
    merge_moments(s, &(struct moments){.n = 1, .mean = v});
    return 0;
}

AGG_UPDATES(higher, struct moments, double, higher_dense, higher_one)

static int moments_merge(AGG_MERGE_ARGS)
{
    merge_moments(into, from);
    return 0;
}

/* A result from at least `least` rows; else NULL. */
#define MOMENT_FINISH(NAME, LEAST, EXPR)                                                                     \
    static int NAME##_finish(AGG_FINISH_ARGS)                                                                \
    {                                                                                                        \
        const struct moments *s = state;                                                                     \
        const double n = (double)s->n;                                                                       \
        if (s->n < (LEAST))                                                                                  \
            return agg_put_null(data, 8, valid, row);                                                        \
        (void)n;                                                                                             \
        AGG_PUT(double, EXPR);                                                                               \
        return 0;                                                                                            \
    }

static double excess(const struct moments *s)
{
    double n = (double)s->n, variance = s->m2 / (n - 1);
    return n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * s->m4 / (variance * variance) -
           3 * (n - 1) * (n - 1) / ((n - 2) * (n - 3));
}

MOMENT_FINISH(var_pop, 1, fmax(s->m2, 0) / n)
MOMENT_FINISH(var_samp, 2, fmax(s->m2, 0) / (n - 1))
MOMENT_FINISH(stddev_pop, 1, sqrt(fmax(s->m2, 0) / n))
MOMENT_FINISH(stddev_samp, 2, sqrt(fmax(s->m2, 0) / (n - 1)))
MOMENT_FINISH(skewness, 3, sqrt(n) * s->m3 / (s->m2 * sqrt(s->m2)))
MOMENT_FINISH(kurtosis, 4, excess(s))

/* Two variables: y first, as SQL has it.  Rows where either is NULL do not count. */
struct comoments {
    uint64_t n;
    double mean_x, mean_y, xx, yy, xy;
};

static void merge_comoments(struct comoments *s, const struct comoments *f)
{
    if (f->n == 0)
        return;
    if (s->n == 0) {
        *s = *f;
        return;
    }
    double a = (double)s->n, b = (double)f->n, n = a + b;
    double dx = f->mean_x - s->mean_x, dy = f->mean_y - s->mean_y, w = a * b / n;
    s->xx += f->xx + dx * dx * w;
    s->yy += f->yy + dy * dy * w;
    s->xy += f->xy + dx * dy * w;
    s->mean_x += dx * b / n;
    s->mean_y += dy * b / n;
    s->n += f->n;
}

static inline void co_one(struct comoments *s, double y, double x)
{
    double n = (double)++s->n, dx = x - s->mean_x, dy = y - s->mean_y;
    s->mean_x += dx / n;
    s->mean_y += dy / n;
    s->xx += dx * (x - s->mean_x);
    s->yy += dy * (y - s->mean_y);
    s->xy += dx * (y - s->mean_y);
}

static int co_run(AGG_RUN_ARGS)
{
    struct comoments run = {0};
    for (uint32_t i = from; i < from + n; i++)
        if (!tsfs_vec_null(&args[0], i) && !tsfs_vec_null(&args[1], i))
            co_one(&run, args[0].d[row_at(&args[0], i)], args[1].d[row_at(&args[1], i)]);
    merge_comoments(state, &run);
    return 0;
}

static int co_rows(AGG_ROWS_ARGS)
{
    for (uint32_t i = 0; i < n; i++)
        if (!tsfs_vec_null(&args[0], i) && !tsfs_vec_null(&args[1], i))
            co_one(states[i], args[0].d[row_at(&args[0], i)], args[1].d[row_at(&args[1], i)]);
    return 0;
}

static int co_merge(AGG_MERGE_ARGS)
{
    merge_comoments(into, from);
    return 0;
}

#define CO_FINISH(NAME, NULL_IF, EXPR)                                                                       \
    static int NAME##_finish(AGG_FINISH_ARGS)                                                                \
    {                                                                                                        \
        const struct comoments *s = state;                                                                   \
        const double n = (double)s->n;                                                                       \
        if (NULL_IF)                                                                                         \
            return agg_put_null(data, 8, valid, row);                                                        \
        (void)n;                                                                                             \
        AGG_PUT(double, EXPR);                                                                               \
        return 0;                                                                                            \
    }

static double correlation(const struct comoments *s)
{
    double both = s->xx * s->yy; /* may be out of range, where the two roots are not */
    return s->xy / (isnormal(both) ? sqrt(both) : sqrt(s->xx) * sqrt(s->yy));
}

CO_FINISH(covar_pop, n < 1, s->xy / n)
CO_FINISH(covar_samp, n < 2, s->xy / (n - 1))
CO_FINISH(corr, n < 2 || !isfinite(correlation(s)), correlation(s))
CO_FINISH(regr_slope, n < 2 || s->xx == 0, s->xy / s->xx)
CO_FINISH(regr_intercept, n < 2 || s->xx == 0, s->mean_y - s->xy / s->xx * s->mean_x)

CO_FINISH(regr_avgx, n < 1, s->mean_x)
CO_FINISH(regr_avgy, n < 1, s->mean_y)
CO_FINISH(regr_sxx, n < 1, s->xx)
CO_FINISH(regr_syy, n < 1, s->yy)
CO_FINISH(regr_sxy, n < 1, s->xy)

static int regr_count_finish(AGG_FINISH_ARGS)
{
    AGG_PUT(int64_t, (int64_t)((const struct comoments *)state)->n);
    return 0;
}

CO_FINISH(regr_r2, n < 1 || s->xx == 0, s->yy == 0 ? 1.0 : s->xy * s->xy / (s->xx * s->yy))

AGG_IMPL(var_pop_impl, struct moments, variance, moments_merge, var_pop_finish);
AGG_IMPL(var_samp_impl, struct moments, variance, moments_merge, var_samp_finish);
AGG_IMPL(stddev_pop_impl, struct moments, variance, moments_merge, stddev_pop_finish);
AGG_IMPL(stddev_samp_impl, struct moments, variance, moments_merge, stddev_samp_finish);
AGG_IMPL(skewness_impl, struct moments, higher, moments_merge, skewness_finish);
AGG_IMPL(kurtosis_impl, struct moments, higher, moments_merge, kurtosis_finish);
AGG_IMPL(covar_pop_impl, struct comoments, co, co_merge, covar_pop_finish);
AGG_IMPL(covar_samp_impl, struct comoments, co, co_merge, covar_samp_finish);
AGG_IMPL(corr_impl, struct comoments, co, co_merge, corr_finish);
AGG_IMPL(regr_slope_impl, struct comoments, co, co_merge, regr_slope_finish);
AGG_IMPL(regr_intercept_impl, struct comoments, co, co_merge, regr_intercept_finish);

AGG_IMPL(regr_avgx_impl, struct comoments, co, co_merge, regr_avgx_finish);
AGG_IMPL(regr_avgy_impl, struct comoments, co, co_merge, regr_avgy_finish);
AGG_IMPL(regr_sxx_impl, struct comoments, co, co_merge, regr_sxx_finish);
AGG_IMPL(regr_syy_impl, struct comoments, co, co_merge, regr_syy_finish);
AGG_IMPL(regr_sxy_impl, struct comoments, co, co_merge, regr_sxy_finish);
AGG_IMPL(regr_count_impl, struct comoments, co, co_merge, regr_count_finish);
AGG_IMPL(regr_r2_impl, struct comoments, co, co_merge, regr_r2_finish);

#define ONE(nm, im, hlp) AGGREGATE(nm, TSFS_OP_NONE, DBL, im##_impl, nm hlp, DBL)
#define TWO(nm, im, hlp) AGGREGATE(nm, TSFS_OP_NONE, DBL, im##_impl, nm hlp, DBL, DBL)

static const struct tsfs_function items[] = {
    ONE("stddev", stddev_samp, "(x): standard deviation of a sample"),
    ONE("stddev_samp", stddev_samp, "(x): standard deviation of a sample"),
    ONE("stddev_pop", stddev_pop, "(x): standard deviation of the whole"),
    ONE("variance", var_samp, "(x): variance of a sample"),
    ONE("var_samp", var_samp, "(x): variance of a sample"),
    ONE("var_pop", var_pop, "(x): variance of the whole"),
    ONE("skewness", skewness, "(x): skewness"),
    ONE("kurtosis", kurtosis, "(x): excess kurtosis of a sample"),
    TWO("covar_pop", covar_pop, "(y, x): covariance of the whole"),
    TWO("covar_samp", covar_samp, "(y, x): covariance of a sample"),
    TWO("corr", corr, "(y, x): Pearson's correlation"),
    TWO("regr_slope", regr_slope, "(y, x): slope of the straight line fitted to y over x"),
    TWO("regr_intercept", regr_intercept, "(y, x): y of the fitted line at x = 0"),
    TWO("regr_avgx", regr_avgx, "(y, x): mean of x, of pairs without a NULL"),
    TWO("regr_avgy", regr_avgy, "(y, x): mean of y, of pairs without a NULL"),
    TWO("regr_sxx", regr_sxx, "(y, x): sum of the squares of x about its mean"),
    TWO("regr_syy", regr_syy, "(y, x): sum of the squares of y about its mean"),
    TWO("regr_sxy", regr_sxy, "(y, x): sum of the products of x and y about their means"),
    AGGREGATE("regr_count", TSFS_OP_NONE, BIG, regr_count_impl, "regr_count(y, x): pairs without a NULL", DBL,
              DBL),
    TWO("regr_r2", regr_r2, "(y, x): square of Pearson's correlation"),
};

const struct function_table functions_agg_stat = FUNCTION_TABLE(items);
