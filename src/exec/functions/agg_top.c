/* max(x, n), min(x, n), max_by(x, y, n), min_by(x, y, n): the n best rows of a group, kept as a heap whose
 * root is the worst of them, so that a row that does not come in costs one comparison.  Texts lie in room
 * that their place in the heap keeps when another comes in for it. */
#include <math.h>
#include <stdlib.h>

#include "exec/functions/agg_priv.h"
#include "exec/functions/nested_priv.h"

struct text {
    char *room;
    size_t size;
};

struct best {
    struct tsfs_value y, x; /* x by itself for max(x, n) */
    struct text y_text, x_text;
    uint64_t number; /* of equals the one that came first */
};

struct top_state {
    int64_t wanted; /* 0 = no row yet */
    uint32_t n, cap;
    uint64_t seen;
    struct best *heap;
};

/* > 0: a is better. */
static int better(const struct best *a, const struct best *b, int sign)
{
    if (a->y.type == TSFS_DOUBLE && isnan(a->y.d) != isnan(b->y.d)) /* NaN comes after all others */
        return isnan(a->y.d) ? -1 : 1;
    int c = sign * tsfs_value_order(&a->y, &b->y);
    return c != 0 ? c : (a->number < b->number) - (a->number > b->number);
}

static void sift_down(struct top_state *s, uint32_t i, int sign)
{
    for (;;) {
        uint32_t worst = i, left = 2 * i + 1;
        for (uint32_t k = left; k < left + 2 && k < s->n; k++)
            if (better(&s->heap[k], &s->heap[worst], sign) < 0)
                worst = k;
        if (worst == i)
            return;
        struct best swap = s->heap[i];
        s->heap[i] = s->heap[worst];
        s->heap[worst] = swap;
        i = worst;
    }
}

static int own_value(struct tsfs_kernel_ctx *ctx, struct tsfs_value *v, struct text *text)
{
    if (v->null || !tsfs_type_is_string(v->type))
        return tsfs_value_copy(ctx->arena, v, v) == 0 ? 0 : function_no_memory(ctx);
    if (text->room == NULL || v->s.len > text->size) {
        size_t size = text->room == NULL ? v->s.len : v->s.len + v->s.len / 2;
        char *room = tsfs_arena_alloc(ctx->arena, size);
        if (room == NULL)
            return function_no_memory(ctx);
        *text = (struct text){room, size};
    }
    if (v->s.len > 0)
        memcpy(text->room, v->s.ptr, v->s.len);
    v->s.ptr = text->room;
    return 0;
}

static int own(struct tsfs_kernel_ctx *ctx, struct best *b, bool by)
{
    int rc = own_value(ctx, &b->y, &b->y_text);
    if (rc == 0 && by)
        rc = own_value(ctx, &b->x, &b->x_text);
    if (!by)
        b->x = b->y;
    return rc;
}

static int add(struct tsfs_kernel_ctx *ctx, struct top_state *s, struct best b, bool by, int sign)
{
    if (s->n == s->wanted) {
        if (better(&b, &s->heap[0], sign) <= 0)
            return 0;
        b.y_text = s->heap[0].y_text;
        b.x_text = s->heap[0].x_text;
        int rc = own(ctx, &b, by);
        s->heap[0] = b;
        sift_down(s, 0, sign);
        return rc;
    }
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? 4 : s->cap * 2;
        struct best *heap = TSFS_NEW_ARRAY(ctx->arena, struct best, cap);
        if (heap == NULL)
            return function_no_memory(ctx);
        if (s->n > 0)
            memcpy(heap, s->heap, s->n * sizeof(*heap));
        s->heap = heap;
        s->cap = cap;
    }
    b.y_text = b.x_text = (struct text){0};
    int rc = own(ctx, &b, by);
    if (rc != 0)
        return rc;
    uint32_t i = s->n++;
    s->heap[i] = b;
    while (i > 0 && better(&s->heap[i], &s->heap[(i - 1) / 2], sign) < 0) {
        struct best swap = s->heap[i];
        s->heap[i] = s->heap[(i - 1) / 2];
        s->heap[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
    return 0;
}

static int take_row(struct tsfs_kernel_ctx *ctx, struct top_state *s, const struct tsfs_vec *args,
                    uint32_t row, bool by, int sign)
{
    const struct tsfs_vec *count = &args[by ? 2 : 1], *y = &args[by ? 1 : 0];
    if (tsfs_vec_null(count, row) || tsfs_vec_null(y, row))
        return 0;
    int64_t wanted = count->i[row_at(count, row)];
    if (wanted < 1 || wanted > TSFS_TOP_ROWS_MAX)
        return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column,
                                 "the number of rows wanted must be between 1 and %d, not %lld",
                                 TSFS_TOP_ROWS_MAX, (long long)wanted);
    if (s->wanted != 0 && s->wanted != wanted)
        return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column,
                                 "the number of rows wanted must be the same in all rows");
    s->wanted = wanted;
    struct best b = {.y = tsfs_vec_get(y, row), .number = s->seen++};
    if (by)
        b.x = tsfs_vec_get(&args[0], row);
    else if (y->type == TSFS_DOUBLE)
        b.y.d += 0.0; /* which of two equal zeros came first does not show */
    return add(ctx, s, b, by, sign);
}

static int merge_states(AGG_MERGE_ARGS, bool by, int sign)
{
    struct top_state *s = into;
    const struct top_state *f = from;
    int rc = 0;
    if (f->wanted == 0)
        return 0;
    if (s->wanted != 0 && s->wanted != f->wanted)
        return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column,
                                 "the number of rows wanted must be the same in all rows");
    s->wanted = f->wanted;
    for (uint32_t i = 0; i < f->n && rc == 0; i++) { /* its rows come after the state's own */
        struct best b = f->heap[i];
        b.number += s->seen;
        rc = add(ctx, s, b, by, sign);
    }
    s->seen += f->seen;
    return rc;
}

#define TOP(NAME, BY, SIGN)                                                                                  \
    AGG_UPDATES_BY_ROW(NAME, take_row, BY, SIGN)                                                             \
    static int NAME##_merge(AGG_MERGE_ARGS)                                                                  \
    {                                                                                                        \
        return merge_states(ctx, into, from, BY, SIGN);                                                      \
    }                                                                                                        \
    static int NAME##_finish(AGG_FINISH_ARGS)                                                                \
    {                                                                                                        \
        return finish(ctx, state, data, valid, row, SIGN);                                                   \
    }                                                                                                        \
    AGG_IMPL(NAME##_impl, struct top_state, NAME, NAME##_merge, NAME##_finish, .by_order = BY);

static int best_first(const void *a, const void *b, void *sign)
{
    return -better(a, b, *(const int *)sign);
}

static int finish(AGG_FINISH_ARGS, int sign)
{
    const struct top_state *s = state;
    const struct tsfs_array *array;
    struct tsfs_vec_room room;
    if (s->n == 0)
        return agg_put_null(data, 8, valid, row);
    struct best *sorted = tsfs_arena_alloc(ctx->arena, s->n * sizeof(*sorted));
    enum tsfs_type type = s->heap[0].x.type;
    if (sorted == NULL || tsfs_vec_room(ctx->arena, type, s->n, &room) != 0)
        return function_no_memory(ctx);
    memcpy(sorted, s->heap, s->n * sizeof(*sorted));
    qsort_r(sorted, s->n, sizeof(*sorted), best_first, &sign);
    for (uint32_t i = 0; i < s->n; i++)
        tsfs_vec_put_value(&room, type, i, &sorted[i].x);
    struct tsfs_vec elems = tsfs_vec_of_room(type, &room, s->n);
    int rc = nested_array(ctx, &elems, s->n, &array);
    if (rc == 0)
        AGG_PUT(const void *, array);
    return rc;
}

TOP(max_n, false, 1)
TOP(min_n, false, -1)
TOP(max_by_n, true, 1)
TOP(min_by_n, true, -1)

static const struct tsfs_function items[] = {
    SIG_AGGREGATE("max", TSFS_OP_NONE, "T, bigint -> array(T)", max_n_impl,
                  "max(x, n): the array of the n largest values, the largest first"),
    SIG_AGGREGATE("min", TSFS_OP_NONE, "T, bigint -> array(T)", min_n_impl,
                  "min(x, n): the array of the n smallest values, the smallest first"),
    SIG_AGGREGATE("max_by", TSFS_OP_NONE, "T, U, bigint -> array(T)", max_by_n_impl,
                  "max_by(x, y, n): the array of x where y is largest, the largest first"),
    SIG_AGGREGATE("min_by", TSFS_OP_NONE, "T, U, bigint -> array(T)", min_by_n_impl,
                  "min_by(x, y, n): the array of x where y is smallest, the smallest first"),
};

const struct function_table functions_agg_top = FUNCTION_TABLE(items);
