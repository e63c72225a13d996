#include "exec/functions/nested_priv.h"

int nested_begin(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *out, uint32_t n,
                 struct tsfs_vec_room *room)
{
    int rc = tsfs_vec_room(ctx->arena, out->type, n, room);
    if (rc != 0)
        return function_no_memory(ctx);
    memset(room->data, 0, (size_t)n * tsfs_type_width(out->type));
    return 0;
}

void nested_finish(const struct tsfs_vec_room *room, uint32_t n, struct tsfs_vec *out)
{
    out->data = room->data;
    out->valid = tsfs_bits_count(room->valid, n) < n ? room->valid : NULL;
}

int nested_too_long(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn)
{
    return function_fail(ctx, row, "%s: the result would have more than %u elements", fn, TSFS_ARRAY_MAX);
}

static const struct tsfs_vec *elements(const struct tsfs_vec *arrays, bool series, uint32_t row, uint32_t *n,
                                       const int64_t **times)
{
    if (series) {
        const struct tsfs_timeseries *s = tsfs_vec_series(arrays, row);
        *n = s->n;
        *times = s->times;
        return &s->values;
    }
    const struct tsfs_array *a = tsfs_vec_array(arrays, row);
    *n = a->n;
    *times = NULL;
    return &a->elems;
}

int nested_flatten(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *arrays, uint32_t n,
                   const uint64_t *valid, struct nested_flat *out)
{
    bool series = tsfs_type_kind(arrays->type) == TSFS_KIND_TIMESERIES;
    enum tsfs_type type = tsfs_type_element(arrays->type);
    *out = (struct nested_flat){.from = tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(uint32_t))};
    if (out->from == NULL)
        return function_no_memory(ctx);
    uint64_t total = 0;
    uint32_t only = UINT32_MAX, len, filled = 0;
    const int64_t *times;
    for (uint32_t i = 0; i < n; i++) {
        out->from[i] = (uint32_t)total;
        if (arrays->type == TSFS_UNKNOWN || !row_valid(valid, i))
            continue;
        elements(arrays, series, i, &len, &times);
        total += len;
        filled += len > 0;
        only = len > 0 ? i : only;
        if (total > UINT32_MAX - 1)
            return function_no_memory(ctx);
    }
    out->from[n] = out->n = (uint32_t)total;
    out->rows = tsfs_arena_alloc(ctx->arena, total * sizeof(uint32_t));
    if (out->rows == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = out->from[i]; k < out->from[i + 1]; k++)
            out->rows[k] = i;
    if (filled <= 1) {
        out->elems = filled == 0 ? (struct tsfs_vec){.type = type, .constant = false}
                                 : *elements(arrays, series, only, &len, &out->times);
        return 0;
    }
    struct tsfs_vec_room room;
    int64_t *all = series ? tsfs_arena_alloc(ctx->arena, total * sizeof(*all)) : NULL;
    if (tsfs_vec_room(ctx->arena, type, total, &room) != 0 || (series && all == NULL))
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++) {
        if (out->from[i] == out->from[i + 1])
            continue;
        const struct tsfs_vec *v = elements(arrays, series, i, &len, &times);
        tsfs_vec_put_range(&room, type, out->from[i], v, 0, len);
        if (series)
            memcpy(all + out->from[i], times, len * sizeof(*all));
    }
    out->times = all;
    out->elems = tsfs_vec_of_room(type, &room, total);
    return 0;
}

int nested_take(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *v, const uint32_t *index, uint32_t n,
                struct tsfs_vec *out)
{
    struct tsfs_vec_room room;
    static const struct tsfs_vec none = {.type = TSFS_UNKNOWN};
    if (tsfs_vec_room(ctx->arena, v->type, n, &room) != 0)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++)
        tsfs_vec_put(&room, v->type, i, index[i] == UINT32_MAX ? &none : v, index[i]);
    *out = tsfs_vec_of_room(v->type, &room, n);
    return 0;
}

int nested_array(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *elems, uint32_t n,
                 const struct tsfs_array **out)
{
    struct tsfs_array *a = TSFS_NEW(ctx->arena, struct tsfs_array);
    if (a == NULL)
        return function_no_memory(ctx);
    *a = (struct tsfs_array){n, *elems};
    *out = a;
    return 0;
}

/* A vector of n elements that is not constant. */
static int spread(struct tsfs_kernel_ctx *ctx, struct tsfs_vec *v, uint32_t n)
{
    struct tsfs_vec_room room;
    if (!v->constant || v->type == TSFS_UNKNOWN)
        return 0;
    if (tsfs_vec_room(ctx->arena, v->type, n, &room) != 0)
        return function_no_memory(ctx);
    tsfs_vec_put_range(&room, v->type, 0, v, 0, n);
    *v = tsfs_vec_of_room(v->type, &room, n);
    return 0;
}

int nested_arrays(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *elems, const uint32_t *from, uint32_t n,
                  const uint64_t *valid, struct tsfs_vec *out)
{
    struct tsfs_vec all = *elems;
    struct tsfs_array *arrays = TSFS_NEW_ARRAY(ctx->arena, struct tsfs_array, n);
    const void **p = function_calloc(ctx, out, n, sizeof(*p));
    if (p == NULL || arrays == NULL)
        return function_no_memory(ctx);
    int rc = spread(ctx, &all, from[n]);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        arrays[i].n = from[i + 1] - from[i];
        if (tsfs_vec_slice(ctx->arena, &all, from[i], arrays[i].n, &arrays[i].elems) != 0)
            return function_no_memory(ctx);
        p[i] = &arrays[i];
    }
    return rc;
}

int nested_series(struct tsfs_kernel_ctx *ctx, const int64_t *times, const struct tsfs_vec *values,
                  const uint32_t *from, uint32_t n, const uint64_t *valid, struct tsfs_vec *out)
{
    struct tsfs_vec all = *values;
    struct tsfs_timeseries *series = TSFS_NEW_ARRAY(ctx->arena, struct tsfs_timeseries, n);
    const void **p = function_calloc(ctx, out, n, sizeof(*p));
    if (p == NULL || series == NULL)
        return function_no_memory(ctx);
    int rc = spread(ctx, &all, from[n]);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        series[i].n = from[i + 1] - from[i];
        series[i].times = times + from[i];
        if (tsfs_vec_slice(ctx->arena, &all, from[i], series[i].n, &series[i].values) != 0)
            return function_no_memory(ctx);
        p[i] = &series[i];
    }
    return rc;
}

int nested_picks(KERNEL_ARGS, nested_pick pick)
{
    struct nested_flat flat;
    int rc = nested_flatten(ctx, &args[0], n, valid, &flat);
    if (rc != 0)
        return rc;
    uint32_t *index = tsfs_arena_alloc(ctx->arena, flat.n * sizeof(*index));
    uint32_t *from = tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(*from));
    if (index == NULL || from == NULL)
        return function_no_memory(ctx);
    uint32_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        from[i] = total;
        if (!row_valid(valid, i))
            continue;
        if ((rc = tsfs_kernel_work(ctx, flat.from[i + 1] - flat.from[i])) != 0)
            return rc;
        int64_t picked = pick(ctx, args, &flat, i, index + total);
        if (picked < 0)
            return (int)picked;
        total += (uint32_t)picked;
    }
    from[n] = total;
    struct tsfs_vec elems;
    rc = nested_take(ctx, &flat.elems, index, total, &elems);
    if (rc != 0)
        return rc;
    if (flat.times == NULL)
        return nested_arrays(ctx, &elems, from, n, valid, out);
    int64_t *times = tsfs_arena_alloc(ctx->arena, total * sizeof(*times));
    if (times == NULL)
        return function_no_memory(ctx);
    for (uint32_t k = 0; k < total; k++)
        times[k] = flat.times[index[k]];
    return nested_series(ctx, times, &elems, from, n, valid, out);
}

int nested_set_init(struct tsfs_kernel_ctx *ctx, struct nested_set *set, const struct tsfs_vec *v, uint32_t n)
{
    uint32_t slots = 16;
    while (slots < (uint64_t)n * 2 && slots < UINT32_MAX / 4)
        slots *= 2;
    *set =
        (struct nested_set){.v = v, .slots = TSFS_NEW_ARRAY(ctx->arena, uint32_t, slots), .mask = slots - 1};
    return set->slots == NULL ? function_no_memory(ctx) : 0;
}

static uint32_t *slot_of(const struct nested_set *set, const struct tsfs_value *value)
{
    uint32_t at = (uint32_t)(tsfs_value_hash(value) >> 20) & set->mask;
    for (; set->slots[at] != 0; at = (at + 1) & set->mask) {
        struct tsfs_value other = tsfs_vec_get(set->v, set->slots[at] - 1);
        if (tsfs_value_same(&other, value))
            break;
    }
    return &set->slots[at];
}

bool nested_set_add(struct nested_set *set, uint32_t i)
{
    struct tsfs_value value = tsfs_vec_get(set->v, i);
    uint32_t *slot = slot_of(set, &value);
    if (*slot != 0)
        return false;
    *slot = i + 1;
    return true;
}

bool nested_set_has(const struct nested_set *set, const struct tsfs_value *value)
{
    return *slot_of(set, value) != 0;
}
