/* Variance, deviation, skewness, kurtosis; covariance, correlation, regression.
 *
 * A state holds exact sums (exact.h): of the values, of their squares, of the products of pairs, and for the
 * higher moments of cubes and fourth powers.  What is wanted are sums of powers of deviations from the mean,
 * and these are whole polynomials in those sums, divided by a power of n:
 *
 *     n    sum (x - m)(y - m') = n Sxy - Sx Sy
 *     n^2  sum (x - m)^3       = n^2 S3 - 3 n S1 S2 + 2 S1^3
 *     n^3  sum (x - m)^4       = n^3 S4 - 4 n^2 S1 S3 + 6 n S1^2 S2 - 3 S1^4
 *
 * computed with all their bits, so that the cancellation for which such formulas are known takes nothing
 * away, and rounded then.  Results do not depend on the order of rows, nor on which were added up apart.
 *
 * Rows that come in runs are brought to whole numbers of 62 bits with one power of two for all of them, the
 * sums of which and of whose products are kept in registers.  What is so much smaller than the largest of its
 * run that bits would be lost goes into the sums by itself. */
#include <float.h>
#include <math.h>

#include "exec/functions/agg_priv.h"
#include "exec/functions/exact.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

#define WHOLE_BITS 62
#define SCALE_MOST 900 /* powers of two by which numbers are multiplied without a look at the range */

/* A sum of products of two whole numbers: 192 bits in two's complement. */
struct products {
    uint64_t low, mid;
    int64_t high;
};

static inline void add_product(struct products *p, int64_t a, int64_t b)
{
    wide product = (wide)a * b;
    uwide low = (uwide)p->low + (uint64_t)product;
    uwide mid = (uwide)p->mid + (uint64_t)((uwide)product >> 64) + (uint64_t)(low >> 64);
    p->low = (uint64_t)low;
    p->mid = (uint64_t)mid;
    p->high += (int64_t)(mid >> 64) - (product < 0);
}

static int add_products(struct tsfs_kernel_ctx *ctx, struct exact *sum, struct products p, int64_t exp)
{
    bool negative = p.high < 0;
    uint64_t limbs[3] = {p.low, p.mid, (uint64_t)p.high};
    uint64_t carry = 1;
    for (int i = 0; negative && i < 3; i++) {
        limbs[i] = ~limbs[i] + carry;
        carry = carry && limbs[i] == 0;
    }
    return exact_add(ctx->arena, sum, limbs, 3, exp, negative);
}

static int add_whole(struct tsfs_kernel_ctx *ctx, struct exact *sum, wide v, int64_t exp)
{
    uwide magnitude = v < 0 ? 0 - (uwide)v : (uwide)v;
    uint64_t limbs[2] = {(uint64_t)magnitude, (uint64_t)(magnitude >> 64)};
    return exact_add(ctx->arena, sum, limbs, 2, exp, v < 0);
}

/* a times b. */
static int add_pair(struct tsfs_kernel_ctx *ctx, struct exact *sum, const struct exact_parts *a,
                    const struct exact_parts *b)
{
    uwide product = (uwide)a->whole * b->whole;
    uint64_t limbs[2] = {(uint64_t)product, (uint64_t)(product >> 64)};
    return exact_add(ctx->arena, sum, limbs, 2, (int64_t)a->exp + b->exp, a->negative != b->negative);
}

/* The power of two that makes the largest of a run, which is `most` or less, a whole number of WHOLE_BITS. */
static bool scale_of(double most, int *scale)
{
    int e;
    if (!isfinite(most))
        return false;
    frexp(most, &e);
    *scale = WHOLE_BITS - e;
    return *scale > -SCALE_MOST && *scale < SCALE_MOST;
}

static inline bool to_whole(double v, double power, int64_t *whole)
{
    double scaled = v * power;
    if (!(fabs(scaled) <= 0x1p62)) /* NaN */
        return false;
    *whole = (int64_t)scaled;
    return (double)*whole == scaled && (scaled != 0 || v == 0); /* it may be too small for the range */
}

/* ---- one variable ---- */

struct moments {
    uint64_t n;
    uint64_t odd; /* values that are infinite or NaN: there is no result then */
    struct exact s1, s2;
};

struct higher {
    struct moments low;
    struct exact s3, s4;
};

static int variance_one(struct tsfs_kernel_ctx *ctx, struct moments *s, double v)
{
    s->n++;
    if (!isfinite(v)) {
        s->odd++;
        return 0;
    }
    struct exact_parts d = exact_parts_of(v);
    int rc = exact_add(ctx->arena, &s->s1, &d.whole, 1, d.exp, d.negative);
    if (rc == 0)
        rc = add_pair(ctx, &s->s2, &d, &d);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

static int variance_dense(struct tsfs_kernel_ctx *ctx, struct moments *s, const double *restrict v,
                          uint32_t n)
{
    double most = 0;
    int scale, rc = 0;
    for (uint32_t i = 0; i < n; i++)
        most = fabs(v[i]) > most ? fabs(v[i]) : most;
    if (n < 4 || !scale_of(most, &scale)) {
        for (uint32_t i = 0; i < n && rc == 0; i++)
            rc = variance_one(ctx, s, v[i]);
        return rc;
    }
    const double power = ldexp(1, scale);
    struct products squares = {0};
    wide sum = 0;
    uint64_t apart = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        int64_t whole;
        if (!to_whole(v[i], power, &whole)) {
            rc = variance_one(ctx, s, v[i]);
            apart++;
            continue;
        }
        sum += whole;
        add_product(&squares, whole, whole);
    }
    s->n += n - apart;
    if (rc == 0 && add_whole(ctx, &s->s1, sum, -(int64_t)scale) != 0)
        rc = function_no_memory(ctx);
    if (rc == 0 && add_products(ctx, &s->s2, squares, -2 * (int64_t)scale) != 0)
        rc = function_no_memory(ctx);
    return rc;
}

AGG_UPDATES(variance, struct moments, double, variance_dense, variance_one)

static int variance_merge(AGG_MERGE_ARGS)
{
    struct moments *s = into;
    const struct moments *f = from;
    s->n += f->n;
    s->odd += f->odd;
    int rc = exact_add_exact(ctx->arena, &s->s1, &f->s1);
    if (rc == 0)
        rc = exact_add_exact(ctx->arena, &s->s2, &f->s2);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

static int higher_one(struct tsfs_kernel_ctx *ctx, struct higher *s, double v)
{
    int rc = variance_one(ctx, &s->low, v);
    if (rc != 0 || !isfinite(v))
        return rc;
    struct exact_parts d = exact_parts_of(v);
    uint64_t whole[1] = {d.whole};
    struct exact_big x = {.limbs = whole, .n = d.whole != 0, .negative = d.negative}, square, cube, fourth;
    uint64_t limbs[9]; /* of products that are small enough to be made here */
    uwide two = (uwide)d.whole * d.whole;
    limbs[0] = (uint64_t)two;
    limbs[1] = (uint64_t)(two >> 64);
    square = (struct exact_big){.limbs = limbs, .n = d.whole != 0 ? 2 : 0};
    cube = (struct exact_big){.limbs = limbs + 2};
    fourth = (struct exact_big){.limbs = limbs + 5};
    exact_big_into(&square, &x, &cube);
    exact_big_into(&square, &square, &fourth);
    rc = exact_add(ctx->arena, &s->s3, cube.limbs, cube.n, 3 * (int64_t)d.exp, d.negative);
    if (rc == 0)
        rc = exact_add(ctx->arena, &s->s4, fourth.limbs, fourth.n, 4 * (int64_t)d.exp, false);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

static int higher_dense(struct tsfs_kernel_ctx *ctx, struct higher *s, const double *v, uint32_t n)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = higher_one(ctx, s, v[i]);
    return rc;
}

AGG_UPDATES(higher, struct higher, double, higher_dense, higher_one)

static int higher_merge(AGG_MERGE_ARGS)
{
    struct higher *s = into;
    const struct higher *f = from;
    int rc = variance_merge(ctx, &s->low, &f->low);
    if (rc != 0)
        return rc;
    rc = exact_add_exact(ctx->arena, &s->s3, &f->s3);
    if (rc == 0)
        rc = exact_add_exact(ctx->arena, &s->s4, &f->s4);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

/* ---- polynomials in the sums ---- */

/* digits * 2^exp. */
struct scaled {
    double digits;
    int64_t exp;
};

/* For a square root: the same with an even power. */
static void make_even(struct scaled *v)
{
    if (v->exp % 2 != 0) {
        v->digits *= 2;
        v->exp--;
    }
}

static double scaled_value(struct scaled v)
{
    return exact_scale(v.digits, v.exp);
}

/* A sum of products of sums and of n. */
struct polynomial {
    struct tsfs_kernel_ctx *ctx;
    struct exact sum;
    int rc;
};

static void polynomial_init(struct polynomial *p, struct tsfs_kernel_ctx *ctx)
{
    *p = (struct polynomial){.ctx = ctx};
}

/* Adds times * the product of the factors. */
static void add_term(struct polynomial *p, int times, unsigned nfactors,
                     const struct exact_big *const *factors)
{
    uint64_t whole = (uint64_t)(times < 0 ? -times : times);
    struct exact_big product = {.limbs = &whole, .n = 1, .negative = times < 0};
    for (unsigned i = 0; i < nfactors && p->rc == 0; i++)
        p->rc = exact_big_multiply(p->ctx->arena, &product, factors[i], &product);
    if (p->rc == 0)
        p->rc = exact_add_big(p->ctx->arena, &p->sum, &product, false);
}

#define FACTORS(...)                                                                                         \
    (const struct exact_big *const[])                                                                        \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define TERM(p, times, ...)                                                                                  \
    add_term((p), (times), sizeof(FACTORS(__VA_ARGS__)) / sizeof(void *), FACTORS(__VA_ARGS__))

static int polynomial_value(const struct polynomial *p, struct scaled *out)
{
    if (p->rc != 0)
        return function_no_memory(p->ctx);
    out->digits = exact_frexp(&p->sum, &out->exp);
    return 0;
}

/* n sum (x - m)(y - m') */
static int central_product(struct tsfs_kernel_ctx *ctx, uint64_t n, const struct exact *sx,
                           const struct exact *sy, const struct exact *sxy, struct scaled *out)
{
    struct polynomial p;
    struct exact_big x, y, xy, count = {.limbs = &n, .n = 1};
    polynomial_init(&p, ctx);
    if (exact_big_of(ctx->arena, sx, &x) != 0 || exact_big_of(ctx->arena, sy, &y) != 0 ||
        exact_big_of(ctx->arena, sxy, &xy) != 0)
        return function_no_memory(ctx);
    TERM(&p, 1, &count, &xy);
    TERM(&p, -1, &x, &y);
    return polynomial_value(&p, out);
}

static int put_double(void *data, uint64_t *valid, uint32_t row, double v)
{
    AGG_PUT(double, v);
    return 0;
}

/* The variance is n m2 / (n divisor). */
static int variance_finish(AGG_FINISH_ARGS, bool sample, bool root)
{
    const struct moments *s = state;
    const double n = (double)s->n;
    if (s->n < (sample ? 2 : 1))
        return agg_put_null(data, 8, valid, row);
    if (s->odd > 0)
        return put_double(data, valid, row, NAN);
    struct scaled m2;
    int rc = central_product(ctx, s->n, &s->s1, &s->s1, &s->s2, &m2);
    if (rc != 0)
        return rc;
    m2.digits = m2.digits / n / (sample ? n - 1 : n);
    if (root) {
        make_even(&m2);
        m2 = (struct scaled){sqrt(m2.digits), m2.exp / 2};
    }
    return put_double(data, valid, row, scaled_value(m2));
}

#define VARIANCE_FINISH(NAME, SAMPLE, ROOT)                                                                  \
    static int NAME##_finish(AGG_FINISH_ARGS)                                                                \
    {                                                                                                        \
        return variance_finish(ctx, state, data, valid, row, SAMPLE, ROOT);                                  \
    }

VARIANCE_FINISH(var_pop, false, false)
VARIANCE_FINISH(var_samp, true, false)
VARIANCE_FINISH(stddev_pop, false, true)
VARIANCE_FINISH(stddev_samp, true, true)

/* The sums of a state as factors, and the polynomials that both results below are made of. */
struct powers {
    struct exact_big n, s1, s2, s3, s4;
    uint64_t count;
    struct scaled m2; /* n m2 */
};

static int powers_of(struct tsfs_kernel_ctx *ctx, const struct higher *s, struct powers *p)
{
    const struct moments *low = &s->low;
    p->count = low->n;
    p->n = (struct exact_big){.limbs = &p->count, .n = 1};
    if (exact_big_of(ctx->arena, &low->s1, &p->s1) != 0 || exact_big_of(ctx->arena, &low->s2, &p->s2) != 0 ||
        exact_big_of(ctx->arena, &s->s3, &p->s3) != 0 || exact_big_of(ctx->arena, &s->s4, &p->s4) != 0)
        return function_no_memory(ctx);
    int rc = central_product(ctx, low->n, &low->s1, &low->s1, &low->s2, &p->m2);
    make_even(&p->m2);
    return rc;
}

/* sqrt(n) m3 / m2^(3/2) = n^2 m3 / (n m2)^(3/2) */
static int skewness_finish(AGG_FINISH_ARGS)
{
    const struct higher *s = state;
    struct polynomial p;
    struct powers q;
    struct scaled m3;
    if (s->low.n < 3)
        return agg_put_null(data, 8, valid, row);
    if (s->low.odd > 0)
        return put_double(data, valid, row, NAN);
    int rc = powers_of(ctx, s, &q);
    if (rc != 0)
        return rc;
    polynomial_init(&p, ctx);
    TERM(&p, 1, &q.n, &q.n, &q.s3);
    TERM(&p, -3, &q.n, &q.s1, &q.s2);
    TERM(&p, 2, &q.s1, &q.s1, &q.s1);
    if ((rc = polynomial_value(&p, &m3)) != 0)
        return rc;
    double below = q.m2.digits * sqrt(q.m2.digits);
    return put_double(data, valid, row, exact_scale(m3.digits / below, m3.exp - q.m2.exp / 2 * 3));
}

/* (n - 1) / ((n - 2) (n - 3)) times ((n + 1) n^3 m4 - 3 (n - 1) (n m2)^2) / (n m2)^2 */
static int kurtosis_finish(AGG_FINISH_ARGS)
{
    const struct higher *s = state;
    struct polynomial p, whole;
    struct powers q;
    struct scaled m4;
    struct exact_big product, square;
    if (s->low.n < 4)
        return agg_put_null(data, 8, valid, row);
    if (s->low.odd > 0)
        return put_double(data, valid, row, NAN);
    int rc = powers_of(ctx, s, &q);
    if (rc != 0)
        return rc;
    uint64_t less = s->low.n - 1, more = s->low.n + 1;
    const struct exact_big n_less = {.limbs = &less, .n = 1}, n_more = {.limbs = &more, .n = 1};
    polynomial_init(&p, ctx);
    TERM(&p, 1, &q.n, &q.n, &q.n, &q.s4);
    TERM(&p, -4, &q.n, &q.n, &q.s1, &q.s3);
    TERM(&p, 6, &q.n, &q.s1, &q.s1, &q.s2);
    TERM(&p, -3, &q.s1, &q.s1, &q.s1, &q.s1);
    if (p.rc != 0 || exact_big_of(ctx->arena, &p.sum, &product) != 0)
        return function_no_memory(ctx);
    polynomial_init(&whole, ctx);
    TERM(&whole, 1, &n_more, &product);
    polynomial_init(&p, ctx);
    TERM(&p, 1, &q.n, &q.s2);
    TERM(&p, -1, &q.s1, &q.s1);
    if (p.rc != 0 || exact_big_of(ctx->arena, &p.sum, &square) != 0)
        return function_no_memory(ctx);
    TERM(&whole, -3, &n_less, &square, &square);
    if ((rc = polynomial_value(&whole, &m4)) != 0)
        return rc;
    double n = (double)s->low.n;
    double v = m4.digits * (n - 1) / (q.m2.digits * q.m2.digits * ((n - 2) * (n - 3)));
    return put_double(data, valid, row, exact_scale(v, m4.exp - 2 * q.m2.exp));
}

/* ---- two variables ---- */

/* y first, as SQL has it.  Rows where either is NULL do not count. */
struct comoments {
    uint64_t n;
    bool x_nan, x_plus, x_minus, y_nan, y_plus, y_minus; /* infinities and NaNs that came */
    struct exact x, y, xx, yy, xy;
};

static int co_one(struct tsfs_kernel_ctx *ctx, struct comoments *s, double y, double x)
{
    s->n++;
    struct exact_parts px = exact_parts_of(isfinite(x) ? x : 0), py = exact_parts_of(isfinite(y) ? y : 0);
    if (!isfinite(x) || !isfinite(y)) {
        s->x_nan |= isnan(x);
        s->y_nan |= isnan(y);
        s->x_plus |= x > DBL_MAX;
        s->y_plus |= y > DBL_MAX;
        s->x_minus |= x < -DBL_MAX;
        s->y_minus |= y < -DBL_MAX;
    }
    int rc = exact_add(ctx->arena, &s->x, &px.whole, 1, px.exp, px.negative);
    if (rc == 0)
        rc = exact_add(ctx->arena, &s->y, &py.whole, 1, py.exp, py.negative);
    if (rc == 0)
        rc = add_pair(ctx, &s->xx, &px, &px);
    if (rc == 0)
        rc = add_pair(ctx, &s->yy, &py, &py);
    if (rc == 0)
        rc = add_pair(ctx, &s->xy, &px, &py);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

/* Pairs without NULL, in chunks of which each has its powers of two. */
static int co_dense(struct tsfs_kernel_ctx *ctx, struct comoments *s, const double *y, const double *x,
                    uint32_t n)
{
    double most_x = 0, most_y = 0;
    int scale_x, scale_y, rc = 0;
    for (uint32_t i = 0; i < n; i++) {
        most_x = fabs(x[i]) > most_x ? fabs(x[i]) : most_x;
        most_y = fabs(y[i]) > most_y ? fabs(y[i]) : most_y;
    }
    if (n < 4 || !scale_of(most_x, &scale_x) || !scale_of(most_y, &scale_y)) {
        for (uint32_t i = 0; i < n && rc == 0; i++)
            rc = co_one(ctx, s, y[i], x[i]);
        return rc;
    }
    const double power_x = ldexp(1, scale_x), power_y = ldexp(1, scale_y);
    struct products xx = {0}, yy = {0}, xy = {0};
    wide sum_x = 0, sum_y = 0;
    uint64_t apart = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        int64_t wx, wy;
        if (!to_whole(x[i], power_x, &wx) || !to_whole(y[i], power_y, &wy)) {
            rc = co_one(ctx, s, y[i], x[i]);
            apart++;
            continue;
        }
        sum_x += wx;
        sum_y += wy;
        add_product(&xx, wx, wx);
        add_product(&yy, wy, wy);
        add_product(&xy, wx, wy);
    }
    s->n += n - apart;
    if (rc != 0)
        return rc;
    rc = add_whole(ctx, &s->x, sum_x, -(int64_t)scale_x);
    if (rc == 0)
        rc = add_whole(ctx, &s->y, sum_y, -(int64_t)scale_y);
    if (rc == 0)
        rc = add_products(ctx, &s->xx, xx, -2 * (int64_t)scale_x);
    if (rc == 0)
        rc = add_products(ctx, &s->yy, yy, -2 * (int64_t)scale_y);
    if (rc == 0)
        rc = add_products(ctx, &s->xy, xy, -(int64_t)scale_x - scale_y);
    return rc == 0 ? 0 : function_no_memory(ctx);
}

static int co_run(AGG_RUN_ARGS)
{
    double y[AGG_CHUNK], x[AGG_CHUNK];
    uint32_t k = 0;
    int rc = 0;
    for (uint32_t i = from; i < from + n && rc == 0; i++) {
        if (tsfs_vec_null(&args[0], i) || tsfs_vec_null(&args[1], i))
            continue;
        y[k] = args[0].d[row_at(&args[0], i)];
        x[k] = args[1].d[row_at(&args[1], i)];
        if (++k == AGG_CHUNK) {
            rc = co_dense(ctx, state, y, x, k);
            k = 0;
        }
    }
    return rc != 0 ? rc : co_dense(ctx, state, y, x, k);
}

static int co_rows(AGG_ROWS_ARGS)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++)
        if (!tsfs_vec_null(&args[0], i) && !tsfs_vec_null(&args[1], i))
            rc = co_one(ctx, states[i], args[0].d[row_at(&args[0], i)], args[1].d[row_at(&args[1], i)]);
    return rc;
}

static int co_merge(AGG_MERGE_ARGS)
{
    struct comoments *s = into;
    const struct comoments *f = from;
    struct exact *sums[] = {&s->x, &s->y, &s->xx, &s->yy, &s->xy};
    const struct exact *others[] = {&f->x, &f->y, &f->xx, &f->yy, &f->xy};
    s->n += f->n;
    s->x_nan |= f->x_nan;
    s->y_nan |= f->y_nan;
    s->x_plus |= f->x_plus;
    s->y_plus |= f->y_plus;
    s->x_minus |= f->x_minus;
    s->y_minus |= f->y_minus;
    for (unsigned i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
        if (exact_add_exact(ctx->arena, sums[i], others[i]) != 0)
            return function_no_memory(ctx);
    return 0;
}

/* What results are made of: means, and n times the sums of products of deviations. */
struct fit {
    double n, mean_x, mean_y;
    struct scaled xx, yy, xy; /* digits NaN where an infinity or NaN came in */
    struct scaled at_zero;    /* n times (mean of y times xx - mean of x times xy) */
};

static double mean_of(const struct exact *sum, double n, bool nan, bool plus, bool minus)
{
    if (nan || (plus && minus))
        return NAN;
    return plus ? INFINITY : minus ? -INFINITY : exact_double(sum) / n;
}

static int fit_of(struct tsfs_kernel_ctx *ctx, const struct comoments *s, struct fit *fit)
{
    bool odd_x = s->x_nan || s->x_plus || s->x_minus, odd_y = s->y_nan || s->y_plus || s->y_minus;
    fit->n = (double)s->n;
    fit->mean_x = mean_of(&s->x, fit->n, s->x_nan, s->x_plus, s->x_minus);
    fit->mean_y = mean_of(&s->y, fit->n, s->y_nan, s->y_plus, s->y_minus);
    int rc = central_product(ctx, s->n, &s->x, &s->x, &s->xx, &fit->xx);
    if (rc == 0)
        rc = central_product(ctx, s->n, &s->y, &s->y, &s->yy, &fit->yy);
    if (rc == 0)
        rc = central_product(ctx, s->n, &s->x, &s->y, &s->xy, &fit->xy);
    struct polynomial p;
    struct exact_big x, y, xx, xy;
    if (rc == 0 && (exact_big_of(ctx->arena, &s->x, &x) != 0 || exact_big_of(ctx->arena, &s->y, &y) != 0 ||
                    exact_big_of(ctx->arena, &s->xx, &xx) != 0 || exact_big_of(ctx->arena, &s->xy, &xy) != 0))
        rc = function_no_memory(ctx);
    if (rc != 0)
        return rc;
    polynomial_init(&p, ctx);
    TERM(&p, 1, &y, &xx);
    TERM(&p, -1, &x, &xy);
    rc = polynomial_value(&p, &fit->at_zero);
    if (odd_x)
        fit->xx.digits = NAN;
    if (odd_y)
        fit->yy.digits = NAN;
    if (odd_x || odd_y)
        fit->xy.digits = fit->at_zero.digits = NAN;
    return rc;
}

static double divided(struct scaled v, double by)
{
    return exact_scale(v.digits / by, v.exp);
}

static double slope(const struct fit *f)
{
    return exact_scale(f->xy.digits / f->xx.digits, f->xy.exp - f->xx.exp);
}

static double correlation(const struct fit *f)
{
    struct scaled both = {f->xx.digits * f->yy.digits, f->xx.exp + f->yy.exp};
    make_even(&both);
    return exact_scale(f->xy.digits / sqrt(both.digits), f->xy.exp - both.exp / 2);
}

static double determination(const struct fit *f)
{
    if (f->yy.digits == 0)
        return 1;
    return exact_scale(f->xy.digits * f->xy.digits / (f->xx.digits * f->yy.digits),
                       2 * f->xy.exp - f->xx.exp - f->yy.exp);
}

#define CO_FINISH(NAME, LEAST, NULL_IF, EXPR)                                                                \
    static int NAME##_finish(AGG_FINISH_ARGS)                                                                \
    {                                                                                                        \
        const struct comoments *s = state;                                                                   \
        struct fit fit;                                                                                      \
        if (s->n < (LEAST))                                                                                  \
            return agg_put_null(data, 8, valid, row);                                                        \
        int rc = fit_of(ctx, s, &fit);                                                                       \
        if (rc != 0 || (NULL_IF))                                                                            \
            return rc != 0 ? rc : agg_put_null(data, 8, valid, row);                                         \
        return put_double(data, valid, row, EXPR);                                                           \
    }

CO_FINISH(covar_pop, 1, false, divided(fit.xy, fit.n *fit.n))
CO_FINISH(covar_samp, 2, false, divided(fit.xy, fit.n *(fit.n - 1)))
CO_FINISH(corr, 2, !isfinite(correlation(&fit)), correlation(&fit))
CO_FINISH(regr_slope, 2, fit.xx.digits == 0, slope(&fit))
CO_FINISH(regr_intercept, 2, fit.xx.digits == 0,
          exact_scale(fit.at_zero.digits / fit.xx.digits, fit.at_zero.exp - fit.xx.exp))

CO_FINISH(regr_avgx, 1, false, fit.mean_x)
CO_FINISH(regr_avgy, 1, false, fit.mean_y)
CO_FINISH(regr_sxx, 1, false, divided(fit.xx, fit.n))
CO_FINISH(regr_syy, 1, false, divided(fit.yy, fit.n))
CO_FINISH(regr_sxy, 1, false, divided(fit.xy, fit.n))
CO_FINISH(regr_r2, 1, fit.xx.digits == 0, determination(&fit))

static int regr_count_finish(AGG_FINISH_ARGS)
{
    AGG_PUT(int64_t, (int64_t)((const struct comoments *)state)->n);
    return 0;
}

AGG_IMPL(var_pop_impl, struct moments, variance, variance_merge, var_pop_finish);
AGG_IMPL(var_samp_impl, struct moments, variance, variance_merge, var_samp_finish);
AGG_IMPL(stddev_pop_impl, struct moments, variance, variance_merge, stddev_pop_finish);
AGG_IMPL(stddev_samp_impl, struct moments, variance, variance_merge, stddev_samp_finish);
AGG_IMPL(skewness_impl, struct higher, higher, higher_merge, skewness_finish);
AGG_IMPL(kurtosis_impl, struct higher, higher, higher_merge, kurtosis_finish);
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
