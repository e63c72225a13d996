/* approx_distinct.
 *
 * It keeps the XXH3 hashes themselves while they are few (SPARSE_MAX), so that small counts are
 * exact but for collisions of 64 bits; then it turns into a HyperLogLog of 2^p registers, read by the
 * improved estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
 * which needs no tables and no switch between ranges. */
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

static const struct tsfs_function items[] = {
    AGGREGATE("approx_distinct", TSFS_OP_NONE, BIG, distinct_impl,
              "approx_distinct(x): number of different values, about 2.3 % off", ANY),
    AGGREGATE("approx_distinct", TSFS_OP_NONE, BIG, distinct_error_impl,
              "approx_distinct(x, e): the same with standard error e", ANY, DBL),
};

const struct function_table functions_agg_sketch = FUNCTION_TABLE(items);
