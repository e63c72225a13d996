/* approx_percentile: its values in struct quantiles, one percentile or an array of them. */
#include <math.h>

#include "col/nested.h"
#include "exec/functions/agg_priv.h"
#include "exec/functions/quantiles.h"

/* ---- approx_percentile(x, p) ---- */

struct digest {
    struct quantiles set;
    bool has_p;
    double p;
};

static int bad_argument(struct tsfs_kernel_ctx *ctx, const char *what)
{
    return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column, "approx_percentile: %s", what);
}

static int take_fraction(struct tsfs_kernel_ctx *ctx, struct digest *s, double p)
{
    if (!(p >= 0 && p <= 1))
        return bad_argument(ctx, "the percentile must be between 0 and 1");
    if (s->has_p && s->p != p)
        return bad_argument(ctx, "the percentile must be the same in all rows");
    s->has_p = true;
    s->p = p;
    return 0;
}

/* x, or x and weight; x double or bigint. */
static int take_value(struct tsfs_kernel_ctx *ctx, struct quantiles *set, const struct tsfs_vec *args,
                      uint32_t row, bool weighted)
{
    double weight = weighted ? args[1].d[row_at(&args[1], row)] : 0;
    if (weighted && !(weight > 0 && weight < 1e100))
        return bad_argument(ctx, "the weight must be greater than zero and below 1e100");
    size_t at = row_at(&args[0], row);
    set->whole = args[0].type != TSFS_DOUBLE;
    if (!set->whole && isnan(args[0].d[at]))
        return 0;
    uint64_t key = set->whole ? quantiles_whole_key(args[0].i[at]) : quantiles_key(args[0].d[at]);
    return quantiles_add(ctx->arena, set, key, weight) == 0 ? 0 : function_no_memory(ctx);
}

static bool any_null(const struct tsfs_vec *args, uint32_t n, uint32_t row)
{
    for (uint32_t i = 0; i < n; i++)
        if (tsfs_vec_null(&args[i], row))
            return true;
    return false;
}

static int digest_row(struct tsfs_kernel_ctx *ctx, struct digest *s, const struct tsfs_vec *args,
                      uint32_t row, bool weighted)
{
    const struct tsfs_vec *p = &args[weighted ? 2 : 1];
    if (any_null(args, weighted ? 3 : 2, row))
        return 0;
    int rc = take_fraction(ctx, s, p->d[row_at(p, row)]);
    return rc != 0 ? rc : take_value(ctx, &s->set, args, row, weighted);
}

AGG_UPDATES_BY_ROW(digest, digest_row, false)
AGG_UPDATES_BY_ROW(weighted, digest_row, true)

static int merge_values(struct tsfs_kernel_ctx *ctx, struct quantiles *into, const struct quantiles *from)
{
    return quantiles_merge(ctx->arena, into, from) == 0 ? 0 : function_no_memory(ctx);
}

static int digest_merge(AGG_MERGE_ARGS)
{
    struct digest *s = into;
    const struct digest *f = from;
    if (!f->has_p)
        return 0;
    int rc = take_fraction(ctx, s, f->p);
    return rc != 0 ? rc : merge_values(ctx, &s->set, &f->set);
}

/* A value of eight bytes, of either type. */
static int digest_finish(AGG_FINISH_ARGS)
{
    const struct digest *s = state;
    if (s->set.n == 0)
        return agg_put_null(data, 8, valid, row);
    if (quantiles_at(ctx->arena, &s->set, &s->p, 1, (char *)data + (size_t)row * 8) != 0)
        return function_no_memory(ctx);
    tsfs_bit_set(valid, row);
    return 0;
}

AGG_IMPL(digest_impl, struct digest, digest, digest_merge, digest_finish);
AGG_IMPL(weighted_impl, struct digest, weighted, digest_merge, digest_finish);

/* ---- approx_percentile(x, array) ---- */

struct digests {
    struct quantiles set;
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
    const struct tsfs_vec *ps = &args[weighted ? 2 : 1];
    if (tsfs_vec_null(ps, row))
        return 0;
    int rc = take_fractions(ctx, s, ps->type, tsfs_vec_array(ps, row));
    return rc != 0 || any_null(args, weighted ? 2 : 1, row) ? rc
                                                            : take_value(ctx, &s->set, args, row, weighted);
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
    return rc != 0 ? rc : merge_values(ctx, &s->set, &f->set);
}

static int digests_finish(AGG_FINISH_ARGS)
{
    const struct digests *s = state;
    if (s->set.n == 0)
        return agg_put_null(data, 8, valid, row);
    struct tsfs_array *array = TSFS_NEW(ctx->arena, struct tsfs_array);
    int64_t *values = tsfs_arena_alloc(ctx->arena, s->ps->n * sizeof(*values));
    if (array == NULL || values == NULL ||
        quantiles_at(ctx->arena, &s->set, s->ps->elems.d, s->ps->n, values) != 0)
        return function_no_memory(ctx);
    array->n = s->ps->n;
    array->elems = (struct tsfs_vec){.type = s->set.whole ? TSFS_BIGINT : TSFS_DOUBLE, .data = values};
    AGG_PUT(const void *, array);
    return 0;
}

AGG_IMPL(digests_impl, struct digests, digests, digests_merge, digests_finish);
AGG_IMPL(weighted_digests_impl, struct digests, weighted_digests, digests_merge, digests_finish);

#define PERCENTILES(SIG, IM, HLP)   SIG_AGGREGATE("approx_percentile", TSFS_OP_NONE, SIG, IM, HLP)
#define PS_HELP                     "approx_percentile(x, array): the array of the values below which these fractions lie"
#define WPS_HELP                    "approx_percentile(x, w, array): the same with weights"
#define PERCENTILE(R, IM, HLP, ...) AGGREGATE("approx_percentile", TSFS_OP_NONE, R, IM, HLP, __VA_ARGS__)
#define P_HELP                      "approx_percentile(x, p): the value below which the fraction p lies"
#define W_HELP                      "approx_percentile(x, w, p): the same with weights"

static const struct tsfs_function items[] = {
    PERCENTILE(DBL, digest_impl, P_HELP, DBL, DBL),
    PERCENTILE(BIG, digest_impl, P_HELP, BIG, DBL),
    PERCENTILE(DBL, weighted_impl, W_HELP, DBL, DBL, DBL),
    PERCENTILE(BIG, weighted_impl, W_HELP, BIG, DBL, DBL),
    PERCENTILES("double, array(double) -> array(double)", digests_impl, PS_HELP),
    PERCENTILES("bigint, array(double) -> array(bigint)", digests_impl, PS_HELP),
    PERCENTILES("double, double, array(double) -> array(double)", weighted_digests_impl, WPS_HELP),
    PERCENTILES("bigint, double, array(double) -> array(bigint)", weighted_digests_impl, WPS_HELP),
};

const struct function_table functions_agg_percentile = FUNCTION_TABLE(items);
