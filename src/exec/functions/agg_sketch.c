/* approx_distinct and approx_percentile.
 *
 * approx_distinct keeps the XXH3 hashes themselves while they are few (SPARSE_MAX), so that small counts are
 * exact but for collisions of 64 bits; then it turns into a HyperLogLog of 2^p registers, read by the
 * improved estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
 * which needs no tables and no switch between ranges.
 *
 * approx_percentile is a merging t-digest: T. Dunning, O. Ertl, "Computing extremely accurate quantiles using
 * t-digests" (2019), with the arcsine scale function.  New values gather behind the centroids and are merged
 * in when the buffer is full.  Up to that many values the answer is exact. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "col/nested.h"
#include "exec/functions/agg_priv.h"

/* ---- approx_distinct ---- */

#define SPARSE_MAX     128u /* hashes */
#define P_DEFAULT      11u  /* 1.04 / sqrt(2048) = 2.3 % */
#define ERROR_LEAST    0.0040625
#define ERROR_MOST     0.26
#define SPARSE_SLOTS_0 16u

struct distinct {
    uint8_t p; /* 0 until the first value */
    bool dense;
    uint32_t used, slots; /* sparse: hashes and slots, a power of two; slot 0 = free */
    bool zero;            /* the hash 0 itself was met */
    union {
        uint64_t *hashes;
        uint8_t *registers;
    };
};

static void add_dense(struct distinct *s, uint64_t hash)
{
    uint64_t at = hash >> (64 - s->p), rest = hash << s->p;
    uint8_t rank = rest == 0 ? (uint8_t)(64 - s->p + 1) : (uint8_t)(__builtin_clzll(rest) + 1);
    if (rank > s->registers[at])
        s->registers[at] = rank;
}

static void put_sparse(uint64_t *slots, uint32_t n, uint64_t hash, uint32_t *used)
{
    uint32_t at = (uint32_t)hash & (n - 1);
    while (slots[at] != 0 && slots[at] != hash)
        at = (at + 1) & (n - 1);
    *used += slots[at] == 0;
    slots[at] = hash;
}

static int make_dense(struct tsfs_kernel_ctx *ctx, struct distinct *s)
{
    uint64_t *hashes = s->hashes;
    uint8_t *registers = tsfs_arena_calloc(ctx->arena, (size_t)1 << s->p, 1);
    if (registers == NULL)
        return function_no_memory(ctx);
    s->registers = registers;
    s->dense = true;
    for (uint32_t i = 0; i < s->slots; i++)
        if (hashes[i] != 0)
            add_dense(s, hashes[i]);
    if (s->zero)
        add_dense(s, 0);
    return 0;
}

static int add_hash(struct tsfs_kernel_ctx *ctx, struct distinct *s, uint64_t hash)
{
    if (s->dense) {
        add_dense(s, hash);
        return 0;
    }
    if (hash == 0) {
        s->zero = true;
        return 0;
    }
    if (s->used * 2 >= s->slots) {
        if (s->used >= SPARSE_MAX) {
            int rc = make_dense(ctx, s);
            if (rc == 0)
                add_dense(s, hash);
            return rc;
        }
        uint32_t slots = s->slots == 0 ? SPARSE_SLOTS_0 : s->slots * 2, used = 0;
        uint64_t *hashes = tsfs_arena_calloc(ctx->arena, slots, sizeof(*hashes));
        if (hashes == NULL)
            return function_no_memory(ctx);
        for (uint32_t i = 0; i < s->slots; i++)
            if (s->hashes[i] != 0)
                put_sparse(hashes, slots, s->hashes[i], &used);
        s->hashes = hashes;
        s->slots = slots;
    }
    put_sparse(s->hashes, s->slots, hash, &s->used);
    return 0;
}

static uint64_t hash_value(const struct tsfs_vec *v, uint32_t row)
{
    size_t at = row_at(v, row);
    double d;
    switch (v->type) {
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return tsfs_hash(v->s[at].ptr, v->s[at].len);
    case TSFS_BOOLEAN: return tsfs_hash(&v->b[at], 1);
    case TSFS_DOUBLE:
        /* One pattern for all NaNs and for both zeros. */
        d = isnan(v->d[at]) ? (double)NAN : v->d[at] + 0.0;
        return tsfs_hash(&d, sizeof(d));
    default:
        if (tsfs_type_is_nested(v->type)) {
            uint64_t hash = tsfs_nested_hash(v->type, v->p[at]);
            return tsfs_hash(&hash, sizeof(hash));
        }
        return tsfs_hash(&v->i[at], sizeof(int64_t));
    }
}

/* The number of registers for the error asked for, from the first row. */
static int choose_p(struct tsfs_kernel_ctx *ctx, struct distinct *s, const struct tsfs_vec *error,
                    uint32_t row)
{
    s->p = P_DEFAULT;
    if (error == NULL || tsfs_vec_null(error, row))
        return 0;
    double e = error->d[row_at(error, row)];
    if (!(e >= ERROR_LEAST && e <= ERROR_MOST))
        return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column,
                                 "approx_distinct: the error must be between %g and %g", ERROR_LEAST,
                                 ERROR_MOST);
    s->p = (uint8_t)ceil(log2(1.04 / e * (1.04 / e)));
    return 0;
}

static int distinct_row(struct tsfs_kernel_ctx *ctx, struct distinct *s, const struct tsfs_vec *args,
                        uint32_t row, bool has_error)
{
    if (tsfs_vec_null(&args[0], row))
        return 0;
    int rc = s->p == 0 ? choose_p(ctx, s, has_error ? &args[1] : NULL, row) : 0;
    return rc != 0 ? rc : add_hash(ctx, s, hash_value(&args[0], row));
}

#define DISTINCT_UPDATES(NAME, HAS_ERROR)                                                                    \
    static int NAME##_run(AGG_RUN_ARGS)                                                                      \
    {                                                                                                        \
        for (uint32_t i = from; i < from + (args[0].constant && n > 1 ? 1 : n); i++) {                       \
            int rc = distinct_row(ctx, state, args, i, HAS_ERROR);                                           \
            if (rc != 0)                                                                                     \
                return rc;                                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }                                                                                                        \
    static int NAME##_rows(AGG_ROWS_ARGS)                                                                    \
    {                                                                                                        \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            int rc = distinct_row(ctx, states[i], args, i, HAS_ERROR);                                       \
            if (rc != 0)                                                                                     \
                return rc;                                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }

DISTINCT_UPDATES(distinct, false)
DISTINCT_UPDATES(distinct_error, true)

static int distinct_merge(AGG_MERGE_ARGS)
{
    struct distinct *s = into;
    const struct distinct *f = from;
    if (f->p == 0)
        return 0;
    if (s->p == 0)
        s->p = f->p;
    if (s->p != f->p)
        return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column,
                                 "approx_distinct: the error must be the same in all rows");
    int rc = 0;
    if (f->dense) {
        if (!s->dense)
            rc = make_dense(ctx, s);
        for (size_t i = 0; rc == 0 && i < (size_t)1 << s->p; i++)
            if (f->registers[i] > s->registers[i])
                s->registers[i] = f->registers[i];
        return rc;
    }
    for (uint32_t i = 0; rc == 0 && i < f->slots; i++)
        if (f->hashes[i] != 0)
            rc = add_hash(ctx, s, f->hashes[i]);
    if (rc == 0 && f->zero)
        rc = add_hash(ctx, s, 0);
    return rc;
}

/* Ertl's sigma: x in [0, 1]. */
static double sigma(double x)
{
    if (x == 1)
        return INFINITY;
    double y = 1, z = x, last;
    do {
        x *= x;
        last = z;
        z += x * y;
        y += y;
    } while (z != last);
    return z;
}

static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double y = 1, z = 1 - x, last;
    do {
        x = sqrt(x);
        last = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != last);
    return z / 3;
}

static int distinct_finish(AGG_FINISH_ARGS)
{
    const struct distinct *s = state;
    if (!s->dense) {
        AGG_PUT(int64_t, (int64_t)s->used + s->zero);
        return 0;
    }
    uint32_t counts[66] = {0};
    unsigned q = 64u - s->p;
    double m = (double)(UINT64_C(1) << s->p);
    for (size_t i = 0; i < (size_t)1 << s->p; i++)
        counts[s->registers[i]]++;
    double z = m * tau(1 - counts[q + 1] / m);
    for (unsigned k = q; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += m * sigma(counts[0] / m);
    AGG_PUT(int64_t, (int64_t)llround(m * m / (2 * log(2) * z)));
    return 0;
}

AGG_IMPL(distinct_impl, struct distinct, distinct, distinct_merge, distinct_finish);
AGG_IMPL(distinct_error_impl, struct distinct, distinct_error, distinct_merge, distinct_finish);

/* ---- approx_percentile ---- */

#define COMPRESSION 400.0
#define CENTROIDS   512u /* more than a compressed digest of COMPRESSION ever has */
#define BUFFER_MAX  2048u
#define BUFFER_0    16u

struct centroid {
    double mean, weight;
};

struct digest {
    bool has_p;
    uint32_t n, cap; /* of items: centroids, and values not merged yet behind them */
    double p, min, max, weight;
    struct centroid *items;
};

static int by_mean(const void *a, const void *b)
{
    const struct centroid *x = a, *y = b;
    return (x->mean > y->mean) - (x->mean < y->mean);
}

/* Sorts, and merges neighbours as far as the scale function lets them grow. */
static void compress(struct centroid *items, uint32_t *count, double weight)
{
    uint32_t n = *count;
    qsort(items, n, sizeof(*items), by_mean);
    if (n <= CENTROIDS / 2)
        return;
    double before = 0, limit = 0;
    uint32_t to = 0;
    /* k(q) = d / (2 pi) asin(2 q - 1); a centroid that starts at q may end where k is one more. */
    for (uint32_t i = 0; i < n; i++) {
        double end = before + items[to].weight + items[i].weight;
        if (i > 0 && end <= limit) {
            double total = items[to].weight + items[i].weight;
            if (items[i].mean != items[to].mean)
                items[to].mean += (items[i].mean - items[to].mean) * (items[i].weight / total);
            items[to].weight = total;
            continue;
        }
        if (i > 0)
            before += items[to++].weight;
        items[to] = items[i];
        double k = COMPRESSION / (2 * M_PI) * asin(2 * (before / weight) - 1) + 1;
        double angle = k * 2 * M_PI / COMPRESSION;
        limit = angle >= M_PI / 2 ? weight : weight * (sin(angle) + 1) / 2;
    }
    *count = to + 1;
}

static int digest_add(struct tsfs_kernel_ctx *ctx, struct digest *s, double mean, double weight)
{
    if (s->n == s->cap && s->cap == BUFFER_MAX)
        compress(s->items, &s->n, s->weight);
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? BUFFER_0 : s->cap * 2;
        cap = cap < BUFFER_MAX ? cap : BUFFER_MAX;
        struct centroid *items = tsfs_arena_alloc(ctx->arena, cap * sizeof(*items));
        if (items == NULL)
            return function_no_memory(ctx);
        if (s->n > 0)
            memcpy(items, s->items, s->n * sizeof(*items));
        s->items = items;
        s->cap = cap;
    }
    if (s->weight == 0 || mean < s->min)
        s->min = mean;
    if (s->weight == 0 || mean > s->max)
        s->max = mean;
    s->items[s->n++] = (struct centroid){mean, weight};
    s->weight += weight;
    return 0;
}

static int bad_argument(struct tsfs_kernel_ctx *ctx, const char *what)
{
    return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column, "approx_percentile: %s", what);
}

/* x, p or x, weight, p; x double or bigint. */
static int digest_row(struct tsfs_kernel_ctx *ctx, struct digest *s, const struct tsfs_vec *args,
                      uint32_t row, bool weighted)
{
    const struct tsfs_vec *p = &args[weighted ? 2 : 1];
    if (tsfs_vec_null(&args[0], row) || tsfs_vec_null(p, row) || (weighted && tsfs_vec_null(&args[1], row)))
        return 0;
    double fraction = p->d[row_at(p, row)], weight = 1;
    if (!(fraction >= 0 && fraction <= 1))
        return bad_argument(ctx, "the percentile must be between 0 and 1");
    if (s->has_p && s->p != fraction)
        return bad_argument(ctx, "the percentile must be the same in all rows");
    s->has_p = true;
    s->p = fraction;
    if (weighted) {
        weight = args[1].d[row_at(&args[1], row)];
        if (!(weight > 0 && weight < 1e100))
            return bad_argument(ctx, "the weight must be greater than zero and below 1e100");
    }
    size_t at = row_at(&args[0], row);
    double x = args[0].type == TSFS_DOUBLE ? args[0].d[at] : (double)args[0].i[at];
    return isnan(x) ? 0 : digest_add(ctx, s, x, weight);
}

AGG_UPDATES_BY_ROW(digest, digest_row, false)
AGG_UPDATES_BY_ROW(weighted, digest_row, true)

static int digest_merge(AGG_MERGE_ARGS)
{
    struct digest *s = into;
    const struct digest *f = from;
    if (!f->has_p)
        return 0;
    if (s->has_p && s->p != f->p)
        return bad_argument(ctx, "the percentile must be the same in all rows");
    s->has_p = true;
    s->p = f->p;
    double min = s->weight == 0 || (f->weight > 0 && f->min < s->min) ? f->min : s->min;
    double max = s->weight == 0 || (f->weight > 0 && f->max > s->max) ? f->max : s->max;
    for (uint32_t i = 0; i < f->n; i++) {
        int rc = digest_add(ctx, s, f->items[i].mean, f->items[i].weight);
        if (rc != 0)
            return rc;
    }
    s->min = min;
    s->max = max;
    return 0;
}

static double between(double a, double b, double t)
{
    return t <= 0 || a == b ? a : t >= 1 ? b : a + (b - a) * t;
}

/* The value below which the fraction p of the weight lies: each centroid stands in the middle of its weight,
 * and between two of them the value runs straight. */
static double quantile(const struct centroid *items, uint32_t n, const struct digest *s)
{
    double want = s->p * s->weight, before = 0;
    if (n == 1)
        return items[0].mean;
    double last_at = 0.5 * items[0].weight, last = items[0].mean;
    if (want <= last_at)
        return items[0].weight == 1 ? last : between(s->min, last, want / last_at);
    for (uint32_t i = 1; i < n; i++) {
        before += items[i - 1].weight;
        double at = before + 0.5 * items[i].weight;
        if (want <= at)
            return between(last, items[i].mean, (want - last_at) / (at - last_at));
        last_at = at;
        last = items[i].mean;
    }
    double rest = s->weight - last_at;
    return items[n - 1].weight == 1 || rest <= 0 ? last : between(last, s->max, (want - last_at) / rest);
}

static int digest_value(struct tsfs_kernel_ctx *ctx, const struct digest *s, double *out)
{
    struct centroid *items = tsfs_arena_alloc(ctx->arena, s->n * sizeof(*items));
    if (items == NULL)
        return function_no_memory(ctx);
    memcpy(items, s->items, s->n * sizeof(*items));
    uint32_t n = s->n;
    qsort(items, n, sizeof(*items), by_mean);
    *out = quantile(items, n, s);
    return 0;
}

static int digest_finish(AGG_FINISH_ARGS)
{
    const struct digest *s = state;
    double v = 0;
    if (s->n == 0)
        return agg_put_null(data, 8, valid, row);
    int rc = digest_value(ctx, s, &v);
    if (rc == 0)
        AGG_PUT(double, v);
    return rc;
}

static int64_t whole_number(double v)
{
    return v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)llround(v);
}

static int digest_whole_finish(AGG_FINISH_ARGS)
{
    const struct digest *s = state;
    double v = 0;
    if (s->n == 0)
        return agg_put_null(data, 8, valid, row);
    int rc = digest_value(ctx, s, &v);
    if (rc == 0)
        AGG_PUT(int64_t, whole_number(v));
    return rc;
}

AGG_IMPL(digest_impl, struct digest, digest, digest_merge, digest_finish);
AGG_IMPL(digest_whole_impl, struct digest, digest, digest_merge, digest_whole_finish);
AGG_IMPL(weighted_impl, struct digest, weighted, digest_merge, digest_finish);
AGG_IMPL(weighted_whole_impl, struct digest, weighted, digest_merge, digest_whole_finish);

/* ---- approx_percentile(x, array) ---- */

struct digests {
    struct digest of;
    const struct tsfs_array *ps; /* own, NULL = no row yet */
};

static int take_fractions(struct tsfs_kernel_ctx *ctx, struct digests *s, enum tsfs_type type,
                          const struct tsfs_array *ps)
{
    if (s->ps != NULL)
        return tsfs_nested_same(type, s->ps, ps)
                   ? 0
                   : bad_argument(ctx, "the percentiles must be the same in all rows");
    for (uint32_t i = 0; i < ps->n; i++)
        if (tsfs_vec_null(&ps->elems, i) || !(ps->elems.d[i] >= 0 && ps->elems.d[i] <= 1))
            return bad_argument(ctx, "the percentiles must be between 0 and 1");
    const void *copy;
    if (tsfs_nested_copy(ctx->arena, type, ps, &copy) != 0)
        return function_no_memory(ctx);
    s->ps = copy;
    return 0;
}

static int digests_row(struct tsfs_kernel_ctx *ctx, struct digests *s, const struct tsfs_vec *args,
                       uint32_t row, bool weighted)
{
    static const double some = 0.5; /* the digest's own percentile is not used */
    const struct tsfs_vec *ps = &args[weighted ? 2 : 1];
    struct tsfs_vec inner[3] = {args[0], args[1], {.type = TSFS_DOUBLE, .constant = true, .d = &some}};
    if (!weighted)
        inner[1] = inner[2];
    if (tsfs_vec_null(ps, row))
        return 0;
    int rc = take_fractions(ctx, s, ps->type, tsfs_vec_array(ps, row));
    return rc != 0 ? rc : digest_row(ctx, &s->of, inner, row, weighted);
}

AGG_UPDATES_BY_ROW(digests, digests_row, false)
AGG_UPDATES_BY_ROW(weighted_digests, digests_row, true)

static int digests_merge(AGG_MERGE_ARGS)
{
    struct digests *s = into;
    const struct digests *f = from;
    if (f->ps == NULL)
        return 0;
    int rc = take_fractions(ctx, s, tsfs_type_array(TSFS_DOUBLE), f->ps);
    return rc != 0 ? rc : digest_merge(ctx, &s->of, &f->of);
}

static int digests_put(AGG_FINISH_ARGS, bool whole)
{
    const struct digests *s = state;
    if (s->of.n == 0)
        return agg_put_null(data, 8, valid, row);
    struct tsfs_array *array = TSFS_NEW(ctx->arena, struct tsfs_array);
    struct centroid *items = tsfs_arena_alloc(ctx->arena, s->of.n * sizeof(*items));
    double *values = tsfs_arena_alloc(ctx->arena, s->ps->n * sizeof(*values));
    int64_t *rounded = tsfs_arena_alloc(ctx->arena, s->ps->n * sizeof(*rounded));
    if (array == NULL || items == NULL || values == NULL || rounded == NULL)
        return function_no_memory(ctx);
    memcpy(items, s->of.items, s->of.n * sizeof(*items));
    qsort(items, s->of.n, sizeof(*items), by_mean);
    struct digest of = s->of;
    for (uint32_t i = 0; i < s->ps->n; i++) {
        of.p = s->ps->elems.d[i];
        values[i] = quantile(items, of.n, &of);
        rounded[i] = whole_number(values[i]);
    }
    array->n = s->ps->n;
    array->elems = (struct tsfs_vec){.type = whole ? TSFS_BIGINT : TSFS_DOUBLE, .d = values};
    if (whole)
        array->elems.i = rounded;
    AGG_PUT(const void *, array);
    return 0;
}

static int digests_finish(AGG_FINISH_ARGS)
{
    return digests_put(ctx, state, data, valid, row, false);
}

static int digests_whole_finish(AGG_FINISH_ARGS)
{
    return digests_put(ctx, state, data, valid, row, true);
}

AGG_IMPL(digests_impl, struct digests, digests, digests_merge, digests_finish);
AGG_IMPL(digests_whole_impl, struct digests, digests, digests_merge, digests_whole_finish);
AGG_IMPL(weighted_digests_impl, struct digests, weighted_digests, digests_merge, digests_finish);
AGG_IMPL(weighted_digests_whole_impl, struct digests, weighted_digests, digests_merge, digests_whole_finish);

#define PERCENTILES(SIG, IM, HLP)   SIG_AGGREGATE("approx_percentile", TSFS_OP_NONE, SIG, IM, HLP)
#define PS_HELP                     "approx_percentile(x, array): the array of the values below which these fractions lie"
#define WPS_HELP                    "approx_percentile(x, w, array): the same with weights"
#define PERCENTILE(R, IM, HLP, ...) AGGREGATE("approx_percentile", TSFS_OP_NONE, R, IM, HLP, __VA_ARGS__)
#define P_HELP                      "approx_percentile(x, p): the value below which the fraction p lies"
#define W_HELP                      "approx_percentile(x, w, p): the same with weights"

static const struct tsfs_function items[] = {
    AGGREGATE("approx_distinct", TSFS_OP_NONE, BIG, distinct_impl,
              "approx_distinct(x): number of different values, about 2.3 % off", ANY),
    AGGREGATE("approx_distinct", TSFS_OP_NONE, BIG, distinct_error_impl,
              "approx_distinct(x, e): the same with standard error e", ANY, DBL),
    PERCENTILE(DBL, digest_impl, P_HELP, DBL, DBL),
    PERCENTILE(BIG, digest_whole_impl, P_HELP, BIG, DBL),
    PERCENTILE(DBL, weighted_impl, W_HELP, DBL, DBL, DBL),
    PERCENTILE(BIG, weighted_whole_impl, W_HELP, BIG, DBL, DBL),
    PERCENTILES("double, array(double) -> array(double)", digests_impl, PS_HELP),
    PERCENTILES("bigint, array(double) -> array(bigint)", digests_whole_impl, PS_HELP),
    PERCENTILES("double, double, array(double) -> array(double)", weighted_digests_impl, WPS_HELP),
    PERCENTILES("bigint, double, array(double) -> array(bigint)", weighted_digests_whole_impl, WPS_HELP),
};

const struct function_table functions_agg_sketch = FUNCTION_TABLE(items);
