/* array_sort with a comparator.
 *
 * A lambda is cheap only when it is evaluated for many pairs at once, so the merge sort does not walk down
 * two runs but looks up, for all elements of all left runs of all rows together, how many elements of the run
 * to the right go before them, by binary search: a pass takes as many evaluations as that run's length has
 * bits. What remains of the right run fills the gaps.  It is stable, and with a comparator that contradicts
 * itself the result is still some permutation. */
#include "exec/functions/nested_priv.h"

struct sorting {
    const struct nested_flat *flat;
    uint32_t *order, *merged; /* numbers of elements, of all rows one behind the other */
    uint32_t *lo, *hi;        /* of each place in order: where it may go in the right run */
    uint32_t *ends;           /* its left run's end and its right run's */
    uint32_t *right_ends;
    uint32_t *active, *left, *right, *rows; /* the pairs of one evaluation */
};

static int allocate(struct tsfs_kernel_ctx *ctx, struct sorting *s)
{
    uint32_t **all[] = {&s->order,      &s->merged, &s->lo,   &s->hi,    &s->ends,
                        &s->right_ends, &s->active, &s->left, &s->right, &s->rows};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if ((*all[i] = tsfs_arena_alloc(ctx->arena, (size_t)s->flat->n * sizeof(uint32_t))) == NULL)
            return function_no_memory(ctx);
    return 0;
}

/* Evaluates the comparator for the m pairs and halves their ranges. */
static int compare(struct tsfs_kernel_ctx *ctx, struct tsfs_arena *arena, struct sorting *s, uint32_t m)
{
    struct tsfs_kernel_ctx inner = *ctx;
    struct tsfs_vec params[2], result;
    tsfs_arena_reset(arena);
    inner.arena = arena;
    for (uint32_t k = 0; k < m; k++) {
        uint32_t at = s->active[k];
        s->left[k] = s->order[at];
        s->right[k] = s->order[s->ends[at] + s->lo[at] + (s->hi[at] - s->lo[at]) / 2];
        s->rows[k] = s->flat->rows[s->left[k]];
    }
    int rc = nested_take(&inner, &s->flat->elems, s->left, m, &params[0]);
    if (rc == 0)
        rc = nested_take(&inner, &s->flat->elems, s->right, m, &params[1]);
    if (rc == 0)
        rc = ctx->lambda(ctx, 1, params, s->rows, m, arena, &result);
    for (uint32_t k = 0; k < m && rc == 0; k++) {
        uint32_t at = s->active[k], middle = s->lo[at] + (s->hi[at] - s->lo[at]) / 2;
        int64_t order = tsfs_vec_null(&result, k) ? 2 : result.i[row_at(&result, k)];
        if (order < -1 || order > 1) {
            rc = function_fail(ctx, s->rows[k], "array_sort: the lambda must give -1, 0 or 1 for every pair");
            order = -1; /* goes on where the error is TRY's */
        }
        if (order > 0)
            s->lo[at] = middle + 1;
        else
            s->hi[at] = middle;
    }
    return rc != 0 ? rc : tsfs_kernel_poll(ctx);
}

/* Merges runs of `width` elements. */
static int pass(struct tsfs_kernel_ctx *ctx, struct tsfs_arena *arena, struct sorting *s, uint32_t n,
                uint32_t width)
{
    const uint32_t *from = s->flat->from;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t at = from[i]; at < from[i + 1]; at++) {
            uint32_t len = from[i + 1] - from[i], run = (at - from[i]) / width;
            uint32_t end = len - run * width < width ? len : (run + 1) * width;
            uint32_t right = end == len ? len : len - end < width ? len : end + width;
            s->ends[at] = from[i] + end;
            s->right_ends[at] = from[i] + right;
            s->lo[at] = 0;
            s->hi[at] = run % 2 == 0 ? right - end : 0;
        }
    for (;;) {
        uint32_t m = 0;
        for (uint32_t at = 0; at < s->flat->n; at++)
            if (s->lo[at] < s->hi[at])
                s->active[m++] = at;
        if (m == 0)
            break;
        int rc = compare(ctx, arena, s, m);
        if (rc != 0)
            return rc;
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t at = from[i]; at < from[i + 1];) {
            uint32_t end = s->ends[at], right = end, right_end = s->right_ends[at], to = at;
            for (; at < end; at++) {
                while (right < right_end && right - end < s->lo[at])
                    s->merged[to++] = s->order[right++];
                s->merged[to++] = s->order[at];
            }
            while (right < right_end)
                s->merged[to++] = s->order[right++];
            at = right_end;
        }
    uint32_t *swap = s->order;
    s->order = s->merged;
    s->merged = swap;
    return 0;
}

static int sort(KERNEL_ARGS)
{
    struct nested_flat flat;
    struct sorting s = {.flat = &flat};
    struct tsfs_arena arena;
    struct tsfs_vec sorted;
    uint32_t longest = 0;
    int rc = nested_flatten(ctx, &args[0], n, valid, &flat);
    if (rc == 0)
        rc = allocate(ctx, &s);
    if (rc != 0)
        return rc;
    for (uint32_t k = 0; k < flat.n; k++)
        s.order[k] = k;
    for (uint32_t i = 0; i < n; i++)
        longest = flat.from[i + 1] - flat.from[i] > longest ? flat.from[i + 1] - flat.from[i] : longest;
    tsfs_arena_init(&arena, ctx->arena->budget);
    for (uint32_t width = 1; width < longest && rc == 0; width *= 2)
        rc = pass(ctx, &arena, &s, n, width);
    tsfs_arena_free(&arena);
    if (rc == 0)
        rc = nested_take(ctx, &flat.elems, s.order, flat.n, &sorted);
    return rc != 0 ? rc : nested_arrays(ctx, &sorted, flat.from, n, valid, out);
}

static const struct tsfs_function items[] = {
    SIG("array_sort", "array(T), lambda(T, T -> bigint) -> array(T)", sort,
        "array_sort(a, (x, y) -> n): the elements in the order in which n is -1 where x goes before y, 1 "
        "where "
        "it goes behind, and 0"),
};

const struct function_table functions_array_sort = FUNCTION_TABLE(items);
