/* Arrays made of parts of an array, and looking for a part. */
#include "exec/functions/nested_priv.h"

#define COMBINATION_SIZE_MAX 5
#define COMBINATIONS_MAX     100000u

/* The parts that one row's arrays are made of, as numbers within the flattened elements. */
struct parts {
    uint32_t *index;
    uint64_t n, cap;
    uint32_t *from; /* of each part: where it begins; one more is the end */
    uint64_t nparts, parts_cap;
};

static int grow(struct tsfs_kernel_ctx *ctx, uint32_t **items, uint64_t n, uint64_t *cap, uint64_t more)
{
    if (n + more <= *cap)
        return 0;
    uint64_t wanted = *cap == 0 ? 64 : *cap * 2;
    while (wanted < n + more)
        wanted *= 2;
    if (wanted > UINT32_MAX)
        return function_no_memory(ctx);
    uint32_t *grown = tsfs_arena_alloc(ctx->arena, wanted * sizeof(*grown));
    if (grown == NULL)
        return function_no_memory(ctx);
    if (n > 0)
        memcpy(grown, *items, n * sizeof(*grown));
    *items = grown;
    *cap = wanted;
    return 0;
}

/* One more part of up to `len` elements, which the caller adds. */
static int begin_part(struct tsfs_kernel_ctx *ctx, struct parts *p, uint64_t len)
{
    int rc = grow(ctx, &p->index, p->n, &p->cap, len);
    if (rc == 0)
        rc = grow(ctx, &p->from, p->nparts, &p->parts_cap, 2);
    if (rc == 0)
        p->from[p->nparts++] = (uint32_t)p->n;
    return rc;
}

/* A function that makes an array of arrays: `add` appends the parts of a row. */
typedef int (*add_parts)(struct tsfs_kernel_ctx *ctx, const struct nested_flat *flat, uint32_t row, int64_t k,
                         struct parts *p);

static int make_parts(KERNEL_ARGS, add_parts add)
{
    struct nested_flat flat;
    struct parts p = {0};
    struct tsfs_vec elems, inner = {.type = tsfs_type_element(out->type)};
    uint32_t *from = tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(*from));
    int rc = nested_flatten(ctx, &args[0], n, valid, &flat);
    if (rc == 0 && from == NULL)
        rc = function_no_memory(ctx);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        from[i] = (uint32_t)p.nparts;
        if (row_valid(valid, i))
            rc = add(ctx, &flat, i, args[1].i[row_at(&args[1], i)], &p);
        if (rc == 0 && (i & 63) == 63)
            rc = tsfs_kernel_poll(ctx);
    }
    if (rc == 0)
        rc = grow(ctx, &p.from, p.nparts, &p.parts_cap, 1);
    if (rc != 0)
        return rc;
    from[n] = (uint32_t)p.nparts;
    p.from[p.nparts] = (uint32_t)p.n;
    rc = nested_take(ctx, &flat.elems, p.index, (uint32_t)p.n, &elems);
    if (rc == 0)
        rc = nested_arrays(ctx, &elems, p.from, (uint32_t)p.nparts, NULL, &inner);
    return rc != 0 ? rc : nested_arrays(ctx, &inner, from, n, valid, out);
}

/* In the order of the last elements, then of those before them. */
static int add_combinations(struct tsfs_kernel_ctx *ctx, const struct nested_flat *flat, uint32_t row,
                            int64_t k, struct parts *p)
{
    uint32_t from = flat->from[row], n = flat->from[row + 1] - from, at[COMBINATION_SIZE_MAX + 1];
    if (k < 0 || k > COMBINATION_SIZE_MAX)
        return function_fail(ctx, row, "combinations: the size must be between 0 and %d, not %lld",
                             COMBINATION_SIZE_MAX, (long long)k);
    if (k > n)
        return 0;
    for (uint32_t i = 0; i < k; i++)
        at[i] = i;
    at[k] = n;
    for (uint32_t made = 0;; made++) {
        if (made == COMBINATIONS_MAX)
            return function_fail(ctx, row, "combinations: there are more than %u", COMBINATIONS_MAX);
        int rc = begin_part(ctx, p, (uint64_t)k);
        if (rc != 0)
            return rc;
        for (uint32_t i = 0; i < k; i++)
            p->index[p->n++] = from + at[i];
        uint32_t i = 0;
        while (i < k && at[i] + 1 == at[i + 1])
            i++;
        if (i == k)
            return 0;
        at[i]++;
        while (i-- > 0)
            at[i] = i;
    }
}

static int add_ngrams(struct tsfs_kernel_ctx *ctx, const struct nested_flat *flat, uint32_t row, int64_t k,
                      struct parts *p)
{
    uint32_t from = flat->from[row], n = flat->from[row + 1] - from;
    if (k <= 0)
        return function_fail(ctx, row, "ngrams: the length must be positive, not %lld", (long long)k);
    uint32_t len = k < n ? (uint32_t)k : n;
    if ((uint64_t)len * (n - len + 1) > TSFS_ARRAY_MAX)
        return nested_too_long(ctx, row, "ngrams");
    for (uint32_t i = 0; i + len <= n; i++) {
        int rc = begin_part(ctx, p, len);
        if (rc != 0)
            return rc;
        for (uint32_t j = 0; j < len; j++)
            p->index[p->n++] = from + i + j;
    }
    return 0;
}

static int combinations(KERNEL_ARGS)
{
    return make_parts(ctx, args, nargs, n, valid, out, add_combinations);
}

static int ngrams(KERNEL_ARGS)
{
    return make_parts(ctx, args, nargs, n, valid, out, add_ngrams);
}

static int64_t trim_row(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args,
                        const struct nested_flat *flat, uint32_t row, uint32_t *index)
{
    uint32_t from = flat->from[row], n = flat->from[row + 1] - from;
    int64_t off = args[1].i[row_at(&args[1], row)];
    if (off < 0 || off > n)
        return function_fail(ctx, row, "trim_array: cannot take %lld elements off an array of %u",
                             (long long)off, n);
    for (uint32_t k = 0; k < n - off; k++)
        index[k] = from + k;
    return n - off;
}

static int trim(KERNEL_ARGS)
{
    return nested_picks(ctx, args, nargs, n, valid, out, trim_row);
}

static int end_of(KERNEL_ARGS, bool last)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        const struct tsfs_array *a = row_valid(valid, i) ? tsfs_vec_array(&args[0], i) : NULL;
        if (a != NULL && a->n > 0)
            tsfs_vec_put(&room, out->type, i, &a->elems, last ? a->n - 1 : 0);
    }
    if (rc == 0)
        nested_finish(&room, n, out);
    return rc;
}

static int first(KERNEL_ARGS)
{
    return end_of(ctx, args, nargs, n, valid, out, false);
}

static int last(KERNEL_ARGS)
{
    return end_of(ctx, args, nargs, n, valid, out, true);
}

/* Whether b stands somewhere in a; a NULL is like a NULL.  By the failures of Knuth, Morris and Pratt, so
 * that no pair of long arrays takes the product of their lengths. */
static int found(struct tsfs_kernel_ctx *ctx, const struct tsfs_array *a, const struct tsfs_array *b,
                 bool *yes)
{
    uint32_t *back = tsfs_arena_alloc(ctx->arena, ((size_t)b->n + 1) * sizeof(*back)), k = 0;
    *yes = b->n == 0;
    if (back == NULL)
        return function_no_memory(ctx);
    int rc = tsfs_kernel_work(ctx, (uint64_t)a->n + b->n);
    if (rc != 0 || b->n == 0)
        return rc;
    back[0] = 0;
    for (uint32_t i = 1; i < b->n; i++) {
        struct tsfs_value x = tsfs_vec_get(&b->elems, i), y = tsfs_vec_get(&b->elems, k);
        while (!tsfs_value_same(&x, &y) && k > 0) {
            k = back[k - 1];
            y = tsfs_vec_get(&b->elems, k);
        }
        k += tsfs_value_same(&x, &y);
        back[i] = k;
    }
    k = 0;
    for (uint32_t i = 0; i < a->n && !*yes; i++) {
        struct tsfs_value x = tsfs_vec_get(&a->elems, i), y = tsfs_vec_get(&b->elems, k);
        while (!tsfs_value_same(&x, &y) && k > 0) {
            k = back[k - 1];
            y = tsfs_vec_get(&b->elems, k);
        }
        k += tsfs_value_same(&x, &y);
        *yes = k == b->n;
    }
    return 0;
}

static int contains_sequence(KERNEL_ARGS)
{
    uint8_t *r = function_calloc(ctx, out, n, sizeof(*r));
    int rc = r == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        bool yes = false;
        if (row_valid(valid, i))
            rc = found(ctx, tsfs_vec_array(&args[0], i), tsfs_vec_array(&args[1], i), &yes);
        r[i] = yes;
    }
    return rc;
}

static const struct tsfs_function items[] = {
    SIG("combinations", "array(T), bigint -> array(array(T))", combinations,
        "combinations(a, k): all choices of k elements, up to 5 of them"),
    SIG("ngrams", "array(T), bigint -> array(array(T))", ngrams,
        "ngrams(a, k): all runs of k elements that follow each other"),
    SIG("trim_array", "array(T), bigint -> array(T)", trim,
        "trim_array(a, k): a without its last k elements"),
    SIG("array_first", "array(T) -> T", first, "array_first(a): the first element, NULL if there is none"),
    SIG("array_last", "array(T) -> T", last, "array_last(a): the last element, NULL if there is none"),
    SIG("contains_sequence", "array(T), array(T) -> boolean", contains_sequence,
        "contains_sequence(a, b): whether the elements of b follow each other somewhere in a"),
};

const struct function_table functions_array_lists = FUNCTION_TABLE(items);
