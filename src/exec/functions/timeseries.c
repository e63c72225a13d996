/* Timeseries: interpolation, derivatives, integrals, correlation.
 *
 * A point whose value is NULL (interpolation makes such) counts as missing.  Times that are asked for may
 * come in any order; results have them ascending, once each. */
#include <math.h>
#include <stdlib.h>

#include "base/time.h"
#include "exec/functions/nested_priv.h"

/* The points of a series that have values. */
struct points {
    uint32_t n;
    const int64_t *t;
    struct tsfs_vec v; /* n rows without NULLs */
};

static int points_of(struct tsfs_kernel_ctx *ctx, const struct tsfs_timeseries *s, struct points *out)
{
    *out = (struct points){s->n, s->times, s->values};
    if (s->values.valid == NULL && s->values.type != TSFS_UNKNOWN)
        return 0;
    uint32_t *index = tsfs_arena_alloc(ctx->arena, s->n * sizeof(*index)), n = 0;
    int64_t *t = tsfs_arena_alloc(ctx->arena, s->n * sizeof(*t));
    if (index == NULL || t == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < s->n; i++)
        if (!tsfs_vec_null(&s->values, i)) {
            t[n] = s->times[i];
            index[n++] = i;
        }
    out->n = n;
    out->t = t;
    return nested_take(ctx, &s->values, index, n, &out->v);
}

/* The number of the last point at or before t, UINT32_MAX = none; *hint is where the last search ended. */
static uint32_t at_or_before(const struct points *p, int64_t t, uint32_t *hint)
{
    if (p->n == 0 || t < p->t[0])
        return UINT32_MAX;
    uint32_t lo = *hint < p->n && p->t[*hint] <= t ? *hint : 0, step = 1;
    while (lo + step < p->n && p->t[lo + step] <= t) {
        lo += step;
        step *= 2;
    }
    uint32_t hi = lo + step < p->n ? lo + step : p->n;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->t[mid] <= t)
            lo = mid;
        else
            hi = mid;
    }
    return *hint = lo;
}

static double seconds(int64_t from, int64_t to)
{
    return (double)((__int128)to - from) / 1e9;
}

/* ---- what lies between the points ---- */

enum kind { LINEAR, SPLINE, LOCF, FILL };

struct curve {
    enum kind kind;
    struct points p;
    double *second; /* SPLINE: second derivatives at the points */
    struct tsfs_value fill;
    uint32_t hint;
};

/* The natural cubic spline: second derivatives from the tridiagonal system of its smoothness conditions
 * (de Boor, A Practical Guide to Splines, chapter IV). */
static int make_spline(struct tsfs_kernel_ctx *ctx, struct curve *c)
{
    uint32_t n = c->p.n;
    double *m = tsfs_arena_calloc(ctx->arena, n, sizeof(*m)),
           *upper = tsfs_arena_calloc(ctx->arena, n, sizeof(*upper));
    if (m == NULL || upper == NULL)
        return function_no_memory(ctx);
    const double *y = c->p.v.d;
    const int64_t *t = c->p.t;
    for (uint32_t i = 1; i + 1 < n; i++) {
        double h0 = seconds(t[i - 1], t[i]), h1 = seconds(t[i], t[i + 1]);
        double right = 6 * ((y[i + 1] - y[i]) / h1 - (y[i] - y[i - 1]) / h0);
        double pivot = 2 * (h0 + h1) - h0 * upper[i - 1];
        upper[i] = h1 / pivot;
        m[i] = (right - h0 * m[i - 1]) / pivot;
    }
    for (uint32_t i = n; i-- > 1;)
        m[i - 1] -= upper[i - 1] * m[i];
    c->second = m;
    return 0;
}

static int make_curve(struct tsfs_kernel_ctx *ctx, enum kind kind, const struct tsfs_timeseries *s,
                      const struct tsfs_value *fill, struct curve *c)
{
    *c = (struct curve){.kind = kind};
    if (fill != NULL)
        c->fill = *fill;
    int rc = points_of(ctx, s, &c->p);
    return rc == 0 && kind == SPLINE && c->p.n > 2 ? make_spline(ctx, c) : rc;
}

static struct tsfs_value number(double d)
{
    return (struct tsfs_value){.type = TSFS_DOUBLE, .d = d};
}

static struct tsfs_value value_at(struct curve *c, int64_t t)
{
    struct tsfs_value none = {.type = c->p.v.type, .null = true};
    uint32_t i = at_or_before(&c->p, t, &c->hint);
    bool exact = i != UINT32_MAX && c->p.t[i] == t;
    if (c->kind == FILL)
        return exact ? tsfs_vec_get(&c->p.v, i) : c->fill;
    if (i == UINT32_MAX)
        return none;
    if (exact || c->kind == LOCF)
        return tsfs_vec_get(&c->p.v, i);
    if (i + 1 == c->p.n)
        return none;
    double h = seconds(c->p.t[i], c->p.t[i + 1]), x = seconds(c->p.t[i], t);
    double a = c->p.v.d[i], b = c->p.v.d[i + 1];
    if (c->kind == LINEAR || c->second == NULL)
        return number(a + (b - a) * (x / h));
    double m0 = c->second[i], m1 = c->second[i + 1], left = h - x;
    return number((m0 * left * left * left + m1 * x * x * x) / (6 * h) + (a / h - m0 * h / 6) * left +
                  (b / h - m1 * h / 6) * x);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The times of an array, ascending, once each, NULLs left out. */
static int wanted_times(struct tsfs_kernel_ctx *ctx, const struct tsfs_array *a, const int64_t **out,
                        uint32_t *n)
{
    uint32_t ascending = 1;
    if (a->elems.valid == NULL && a->n > 0) {
        while (ascending < a->n && a->elems.i[ascending] > a->elems.i[ascending - 1])
            ascending++;
        if (ascending == a->n) {
            *out = a->elems.i;
            *n = a->n;
            return 0;
        }
    }
    int64_t *t = tsfs_arena_alloc(ctx->arena, a->n * sizeof(*t));
    uint32_t k = 0, kept = 0;
    if (t == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < a->n; i++)
        if (!tsfs_vec_null(&a->elems, i))
            t[k++] = a->elems.i[i];
    qsort(t, k, sizeof(*t), by_time);
    for (uint32_t i = 0; i < k; i++)
        if (i == 0 || t[i] != t[i - 1])
            t[kept++] = t[i];
    *out = t;
    *n = kept;
    return 0;
}

static int put_series(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec_room *to, uint32_t row, uint32_t n,
                      const int64_t *times, const struct tsfs_vec *values)
{
    struct tsfs_timeseries *s = TSFS_NEW(ctx->arena, struct tsfs_timeseries);
    if (s == NULL)
        return function_no_memory(ctx);
    *s = (struct tsfs_timeseries){n, times, *values};
    nested_put(to, row, s);
    return 0;
}

static int interpolate(KERNEL_ARGS, enum kind kind)
{
    struct tsfs_vec_room room;
    bool many = tsfs_type_kind(args[1].type) == TSFS_KIND_ARRAY;
    enum tsfs_type type = tsfs_type_element(args[0].type);
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct curve curve;
        struct tsfs_value fill = {.type = type, .null = true};
        if (!row_valid(valid, i))
            continue;
        if (kind == FILL)
            fill = tsfs_vec_get(&args[2], i);
        rc = make_curve(ctx, kind, tsfs_vec_series(&args[0], i), &fill, &curve);
        /* A spline or line through nothing is nothing. */
        if (rc != 0 || (curve.p.n == 0 && kind != FILL))
            continue;
        if (!many) {
            struct tsfs_value v = value_at(&curve, args[1].i[row_at(&args[1], i)]);
            tsfs_vec_put_value(&room, type, i, &v);
            continue;
        }
        const int64_t *times = NULL;
        uint32_t wanted = 0;
        struct tsfs_vec_room values;
        if ((rc = wanted_times(ctx, tsfs_vec_array(&args[1], i), &times, &wanted)) != 0)
            continue;
        if (tsfs_vec_room(ctx->arena, type, wanted, &values) != 0)
            return function_no_memory(ctx);
        for (uint32_t k = 0; k < wanted; k++) {
            struct tsfs_value v = value_at(&curve, times[k]);
            tsfs_vec_put_value(&values, type, k, &v);
        }
        struct tsfs_vec v = tsfs_vec_of_room(type, &values, wanted);
        rc = put_series(ctx, &room, i, wanted, times, &v);
    }
    nested_finish(&room, n, out);
    return rc;
}

#define INTERPOLATE(NAME, KIND)                                                                              \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        return interpolate(ctx, args, nargs, n, valid, out, KIND);                                           \
    }

INTERPOLATE(linear, LINEAR)
INTERPOLATE(spline, SPLINE)
INTERPOLATE(locf, LOCF)
INTERPOLATE(fill, FILL)

/* ---- rates and areas ---- */

static int derivative_of(KERNEL_ARGS, bool non_negative)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct points p;
        if (!row_valid(valid, i))
            continue;
        int64_t unit = args[1].i[row_at(&args[1], i)];
        if (unit <= 0) {
            rc = function_fail(ctx, i, "the interval of a derivative must be positive");
            continue;
        }
        if ((rc = points_of(ctx, tsfs_vec_series(&args[0], i), &p)) != 0)
            continue;
        int64_t *times = tsfs_arena_alloc(ctx->arena, p.n * sizeof(*times));
        double *rates = tsfs_arena_alloc(ctx->arena, p.n * sizeof(*rates));
        if (times == NULL || rates == NULL)
            return function_no_memory(ctx);
        uint32_t k = 0;
        for (uint32_t j = 1; j < p.n; j++) {
            double rate = (p.v.d[j] - p.v.d[j - 1]) / seconds(p.t[j - 1], p.t[j]) * ((double)unit / 1e9);
            times[k] = p.t[j];
            rates[k] = rate;
            k += !non_negative || rate >= 0;
        }
        struct tsfs_vec v = {.type = TSFS_DOUBLE, .d = rates};
        rc = put_series(ctx, &room, i, k, times, &v);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int derivative(KERNEL_ARGS)
{
    return derivative_of(ctx, args, nargs, n, valid, out, false);
}

static int non_negative_derivative(KERNEL_ARGS)
{
    return derivative_of(ctx, args, nargs, n, valid, out, true);
}

static int integral(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct points p;
        if (!row_valid(valid, i))
            continue;
        int64_t unit = nargs == 2 ? args[1].i[row_at(&args[1], i)] : TSFS_NS_PER_S;
        if (unit <= 0) {
            rc = function_fail(ctx, i, "the interval of an integral must be positive");
            continue;
        }
        if ((rc = points_of(ctx, tsfs_vec_series(&args[0], i), &p)) != 0 || p.n == 0)
            continue;
        /* Neumaier's sum */
        double sum = 0, rest = 0;
        for (uint32_t j = 1; j < p.n; j++) {
            double x = (p.v.d[j] + p.v.d[j - 1]) / 2 * seconds(p.t[j - 1], p.t[j]), total = sum + x;
            if (isfinite(total))
                rest += fabs(sum) >= fabs(x) ? (sum - total) + x : (x - total) + sum;
            sum = total;
        }
        ((double *)room.data)[i] = (sum + rest) / ((double)unit / 1e9);
        tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return rc;
}

/* ---- correlation ---- */

static double pearson(const double *x, const double *y, uint32_t n)
{
    double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
    for (uint32_t i = 0; i < n; i++) {
        mean_x += (x[i] - mean_x) / (i + 1);
        mean_y += (y[i] - mean_y) / (i + 1);
    }
    for (uint32_t i = 0; i < n; i++) {
        double dx = x[i] - mean_x, dy = y[i] - mean_y;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    double both = xx * yy; /* may be out of range, where the two roots are not */
    double r = xy / (isnormal(both) ? sqrt(both) : sqrt(xx) * sqrt(yy));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* NaN goes last: a sort needs an order of all values. */
static int by_double(const void *a, const void *b, void *values)
{
    const double *v = values;
    double x = v[*(const uint32_t *)a], y = v[*(const uint32_t *)b];
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

/* Ranks from 1, equal values sharing the mean of theirs; NaN has none but NaN.  index has room for n. */
static void rank(double *v, uint32_t n, uint32_t *index, double *ranks)
{
    for (uint32_t i = 0; i < n; i++)
        index[i] = i;
    qsort_r(index, n, sizeof(*index), by_double, v);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v[index[end]] == v[index[i]];)
            end++;
        for (uint32_t k = i; k < end; k++)
            ranks[index[k]] = isnan(v[index[k]]) ? NAN : ((double)i + 1 + end) / 2;
    }
}

static int differ(struct tsfs_kernel_ctx *ctx, uint32_t row, const struct tsfs_timeseries *a,
                  const struct tsfs_timeseries *b)
{
    uint32_t i = 0;
    while (i < a->n && i < b->n && a->times[i] == b->times[i])
        i++;
    bool first = i < a->n && (i == b->n || a->times[i] < b->times[i]);
    char text[TSFS_TIME_TEXT_MAX];
    unsigned len = tsfs_time_format(first ? a->times[i] : b->times[i], text);
    return function_fail(ctx, row,
                         "correlated series must have the same times: only the %s one has a point at %.*s",
                         first ? "first" : "second", (int)len, text);
}

static int correlate(KERNEL_ARGS, bool ranked)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        const struct tsfs_timeseries *a = tsfs_vec_series(&args[0], i), *b = tsfs_vec_series(&args[1], i);
        if (a->n != b->n || (a->n > 0 && memcmp(a->times, b->times, a->n * sizeof(int64_t)) != 0)) {
            rc = differ(ctx, i, a, b);
            continue;
        }
        double *xy = tsfs_arena_alloc(ctx->arena, 4 * (size_t)a->n * sizeof(*xy));
        uint32_t *index = tsfs_arena_alloc(ctx->arena, a->n * sizeof(*index)), k = 0;
        if (xy == NULL || index == NULL)
            return function_no_memory(ctx);
        double *x = xy, *y = xy + a->n;
        for (uint32_t j = 0; j < a->n; j++) {
            if (tsfs_vec_null(&a->values, j) || tsfs_vec_null(&b->values, j))
                continue;
            x[k] = a->values.d[j];
            y[k++] = b->values.d[j];
        }
        if (k < 2)
            continue;
        if (ranked) {
            rank(x, k, index, xy + 2 * (size_t)a->n);
            rank(y, k, index, xy + 3 * (size_t)a->n);
            x = xy + 2 * (size_t)a->n;
            y = xy + 3 * (size_t)a->n;
        }
        ((double *)room.data)[i] = pearson(x, y, k);
        tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int correlate_pearson(KERNEL_ARGS)
{
    return correlate(ctx, args, nargs, n, valid, out, false);
}

static int correlate_spearman(KERNEL_ARGS)
{
    return correlate(ctx, args, nargs, n, valid, out, true);
}

#define LINEAR_HELP                                                                                          \
    "interpolate_linear(ts, t): the value at t, or the series at the times t, on straight lines"
#define SPLINE_HELP "interpolate_spline_cubic(ts, t): the same on a natural cubic spline"
#define LOCF_HELP   "interpolate_locf(ts, t): the last value at or before t"
#define FILL_HELP   "interpolate_fill(ts, t, x): the value at t, x where there is none"

static const struct tsfs_function items[] = {
    SIG("interpolate_linear", "timeseries(double), array(timestamp) -> timeseries(double)", linear,
        LINEAR_HELP),
    SIG("interpolate_linear", "timeseries(double), timestamp -> double", linear, LINEAR_HELP),
    SIG("interpolate_spline_cubic", "timeseries(double), array(timestamp) -> timeseries(double)", spline,
        SPLINE_HELP),
    SIG("interpolate_spline_cubic", "timeseries(double), timestamp -> double", spline, SPLINE_HELP),
    SIG("interpolate_locf", "timeseries(T), array(timestamp) -> timeseries(T)", locf, LOCF_HELP),
    SIG("interpolate_locf", "timeseries(T), timestamp -> T", locf, LOCF_HELP),
    SIG("interpolate_fill", "timeseries(T), array(timestamp), T -> timeseries(T)", fill, FILL_HELP),
    SIG("interpolate_fill", "timeseries(T), timestamp, T -> T", fill, FILL_HELP),
    SIG("derivative_linear", "timeseries(double), interval day to second -> timeseries(double)", derivative,
        "derivative_linear(ts, i): the change per interval i from each point to the next"),
    SIG("non_negative_derivative_linear", "timeseries(double), interval day to second -> timeseries(double)",
        non_negative_derivative, "non_negative_derivative_linear(ts, i): the same without what is negative"),
    SIG("integral_trapezoidal", "timeseries(double) -> double", integral,
        "integral_trapezoidal(ts[, i]): the area under the series, in values times i (1s)"),
    SIG("integral_trapezoidal", "timeseries(double), interval day to second -> double", integral,
        "integral_trapezoidal(ts[, i]): the area under the series, in values times i (1s)"),
    SIG("correlate_pearson", "timeseries(double), timeseries(double) -> double", correlate_pearson,
        "correlate_pearson(a, b): correlation of two series that have the same times"),
    SIG("correlate_spearman", "timeseries(double), timeseries(double) -> double", correlate_spearman,
        "correlate_spearman(a, b): the same of their ranks"),
};

const struct function_table functions_timeseries = FUNCTION_TABLE(items);
