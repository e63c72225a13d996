/* Arrays as sets and lists: searching, sorting, leaving out, putting together. */
#include <math.h>
#include <stdlib.h>

#include "col/text.h"
#include "exec/functions/nested_priv.h"
#include "exec/functions/rows.h"

#define PICK_ARGS                                                                                            \
    struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, const struct nested_flat *flat, uint32_t row,  \
        uint32_t *index
#define PICKS(NAME)                                                                                          \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        return nested_picks(ctx, args, nargs, n, valid, out, NAME##_row);                                    \
    }

static int64_t reverse_row(PICK_ARGS)
{
    uint32_t from = flat->from[row], n = flat->from[row + 1] - from;
    for (uint32_t k = 0; k < n; k++)
        index[k] = from + n - 1 - k;
    return n;
}

static int64_t slice_row(PICK_ARGS)
{
    uint32_t from = flat->from[row], n = flat->from[row + 1] - from;
    int64_t start = args[1].i[row_at(&args[1], row)], len = args[2].i[row_at(&args[2], row)];
    if (start == 0)
        return function_fail(ctx, row, "slice: arrays are numbered from 1, there is no element 0");
    if (len < 0)
        return function_fail(ctx, row, "slice: the length must not be negative");
    int64_t first = start > 0 ? start - 1 : start < -(int64_t)n ? (int64_t)n : (int64_t)n + start;
    if (first >= (int64_t)n)
        return 0;
    uint32_t take = len < (int64_t)n - first ? (uint32_t)len : (uint32_t)((int64_t)n - first);
    for (uint32_t k = 0; k < take; k++)
        index[k] = from + (uint32_t)first + k;
    return take;
}

static int64_t shuffle_row(PICK_ARGS)
{
    uint32_t from = flat->from[row], n = flat->from[row + 1] - from;
    for (uint32_t k = 0; k < n; k++)
        index[k] = from + k;
    for (uint32_t k = n; k > 1; k--) {
        __extension__ typedef unsigned __int128 wide;
        uint32_t other = (uint32_t)((wide)function_random() * k >> 64), swap = index[k - 1];
        index[k - 1] = index[other];
        index[other] = swap;
    }
    return n;
}

static int64_t distinct_row(PICK_ARGS)
{
    uint32_t from = flat->from[row], to = flat->from[row + 1], n = 0;
    struct nested_set set;
    int rc = nested_set_init(ctx, &set, &flat->elems, to - from);
    if (rc != 0)
        return rc;
    for (uint32_t k = from; k < to && rc == 0; k++) {
        if (nested_set_add(&set, k))
            index[n++] = k;
        rc = nested_set_poll(ctx, k);
    }
    return rc != 0 ? rc : (int64_t)n;
}

/* The elements of the first array, once each, that are or are not in the second. */
static int64_t kept_row(PICK_ARGS, bool if_there)
{
    uint32_t from = flat->from[row], to = flat->from[row + 1], n = 0;
    const struct tsfs_array *other = tsfs_vec_array(&args[1], row);
    struct nested_set set, seen;
    int rc = nested_set_init(ctx, &set, &other->elems, other->n);
    if (rc == 0)
        rc = nested_set_init(ctx, &seen, &flat->elems, to - from);
    if (rc != 0)
        return rc;
    for (uint32_t k = 0; k < other->n && rc == 0; k++) {
        nested_set_add(&set, k);
        rc = nested_set_poll(ctx, k);
    }
    for (uint32_t k = from; k < to && rc == 0; k++) {
        struct tsfs_value v = tsfs_vec_get(&flat->elems, k);
        if (nested_set_has(&set, &v) == if_there && nested_set_add(&seen, k))
            index[n++] = k;
        rc = nested_set_poll(ctx, k);
    }
    return rc != 0 ? rc : (int64_t)n;
}

static int64_t intersect_row(PICK_ARGS)
{
    return kept_row(ctx, args, flat, row, index, true);
}

static int64_t except_row(PICK_ARGS)
{
    return kept_row(ctx, args, flat, row, index, false);
}

static int64_t remove_row(PICK_ARGS)
{
    struct tsfs_value x = tsfs_vec_get(&args[1], row);
    uint32_t n = 0;
    for (uint32_t k = flat->from[row]; k < flat->from[row + 1]; k++) {
        struct tsfs_value v = tsfs_vec_get(&flat->elems, k);
        if (tsfs_value_equal(&v, &x) != 1)
            index[n++] = k;
    }
    return n;
}

static int by_value(const void *a, const void *b, void *v)
{
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    struct tsfs_value x = tsfs_vec_get(v, i), y = tsfs_vec_get(v, k);
    int c = tsfs_value_order(&x, &y);
    return c != 0 ? c : (i > k) - (i < k);
}

static int64_t sort_row(PICK_ARGS)
{
    uint32_t from = flat->from[row], n = flat->from[row + 1] - from;
    struct tsfs_vec elems = flat->elems;
    for (uint32_t k = 0; k < n; k++)
        index[k] = from + k;
    qsort_r(index, n, sizeof(*index), by_value, &elems);
    return n;
}

PICKS(reverse)
PICKS(slice)
PICKS(shuffle)
PICKS(distinct)
PICKS(intersect)
PICKS(except)
PICKS(remove)
PICKS(sort)

/* The first array's elements and then the second's, once each. */
static int array_union(KERNEL_ARGS)
{
    enum tsfs_type type = tsfs_type_element(out->type);
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        const struct tsfs_array *a = tsfs_vec_array(&args[0], i), *b = tsfs_vec_array(&args[1], i);
        uint64_t len = (uint64_t)a->n + b->n;
        struct tsfs_vec_room both;
        uint32_t *index = tsfs_arena_alloc(ctx->arena, len * sizeof(*index)), picked = 0;
        struct nested_set set;
        struct tsfs_vec elems;
        if (len > TSFS_ARRAY_MAX) {
            rc = nested_too_long(ctx, i, "array_union");
            continue;
        }
        if (index == NULL || tsfs_vec_room(ctx->arena, type, len, &both) != 0)
            return function_no_memory(ctx);
        tsfs_vec_put_range(&both, type, 0, &a->elems, 0, a->n);
        tsfs_vec_put_range(&both, type, a->n, &b->elems, 0, b->n);
        elems = tsfs_vec_of_room(type, &both, len);
        if ((rc = nested_set_init(ctx, &set, &elems, (uint32_t)len)) != 0)
            return rc;
        for (uint32_t k = 0; k < len && rc == 0; k++) {
            if (nested_set_add(&set, k))
                index[picked++] = k;
            rc = nested_set_poll(ctx, k);
        }
        struct tsfs_vec taken;
        const struct tsfs_array *made;
        if (rc == 0)
            rc = nested_take(ctx, &elems, index, picked, &taken);
        if (rc == 0 && (rc = nested_array(ctx, &taken, picked, &made)) == 0)
            nested_put(&room, i, made);
    }
    nested_finish(&room, n, out);
    return rc;
}

/* ---- looking ---- */

/* 1 + the place of the first element equal to x, 0 = there is none, or an error; *unknown: some element or x
 * is NULL. */
static int64_t find(struct tsfs_kernel_ctx *ctx, const struct tsfs_array *a, const struct tsfs_value *x,
                    bool *unknown)
{
    int rc = tsfs_kernel_work(ctx, a->n);
    if (rc != 0)
        return rc;
    *unknown = false;
    for (uint32_t k = 0; k < a->n; k++) {
        struct tsfs_value v = tsfs_vec_get(&a->elems, k);
        int equal = tsfs_value_equal(&v, x);
        if (equal == 1)
            return k + 1;
        *unknown |= equal < 0;
    }
    return 0;
}

static int position(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    bool unknown;
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_value x = tsfs_vec_get(&args[1], i);
        r[i] = find(ctx, tsfs_vec_array(&args[0], i), &x, &unknown);
        if (r[i] < 0)
            return (int)r[i];
    }
    return 0;
}

static int contains(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        bool unknown = true;
        if (!row_valid(valid, i))
            continue;
        struct tsfs_value x = tsfs_vec_get(&args[1], i);
        int64_t at = find(ctx, tsfs_vec_array(&args[0], i), &x, &unknown);
        rc = at < 0 ? (int)at : 0;
        ((uint8_t *)room.data)[i] = at > 0;
        if (at > 0 || !unknown)
            tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return rc;
}

/* Some element that is not NULL is in both; unknown if there is none but a NULL. */
static int overlap(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        const struct tsfs_array *a = tsfs_vec_array(&args[0], i), *b = tsfs_vec_array(&args[1], i);
        struct nested_set set;
        bool found = false, unknown = false;
        rc = tsfs_kernel_work(ctx, (uint64_t)a->n + b->n);
        if (rc == 0)
            rc = nested_set_init(ctx, &set, &a->elems, a->n);
        for (uint32_t k = 0; k < a->n && rc == 0; k++) {
            unknown |= tsfs_vec_null(&a->elems, k) && b->n > 0;
            nested_set_add(&set, k);
            rc = nested_set_poll(ctx, k);
        }
        for (uint32_t k = 0; k < b->n && rc == 0 && !found; k++) {
            struct tsfs_value v = tsfs_vec_get(&b->elems, k);
            unknown |= v.null && a->n > 0;
            found = !v.null && nested_set_has(&set, &v);
            rc = nested_set_poll(ctx, k);
        }
        ((uint8_t *)room.data)[i] = found;
        if (found || !unknown)
            tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return rc;
}

/* The extreme element; NULL of an empty array and where an element is NULL.  NaN is passed over
 * unless there is nothing else. */
static bool is_nan(const struct tsfs_value *v)
{
    return v->type == TSFS_DOUBLE && isnan(v->d);
}

static int extreme(KERNEL_ARGS, int sign)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        const struct tsfs_array *a = tsfs_vec_array(&args[0], i);
        uint32_t best = 0, k = 0;
        if ((rc = tsfs_kernel_work(ctx, a->n)) != 0)
            break;
        for (; k < a->n && !tsfs_vec_null(&a->elems, k); k++) {
            struct tsfs_value v = tsfs_vec_get(&a->elems, k), w = tsfs_vec_get(&a->elems, best);
            if (k > 0 && (is_nan(&w) || (!is_nan(&v) && sign * tsfs_value_order(&v, &w) > 0)))
                best = k;
        }
        if (k > 0 && k == a->n)
            tsfs_vec_put(&room, out->type, i, &a->elems, best);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int array_max(KERNEL_ARGS)
{
    return extreme(ctx, args, nargs, n, valid, out, 1);
}

static int array_min(KERNEL_ARGS)
{
    return extreme(ctx, args, nargs, n, valid, out, -1);
}

/* ---- text ---- */

static int join_row(ROW_TEXT_ARGS)
{
    const struct tsfs_array *a = tsfs_vec_array(&args[0], row);
    struct tsfs_str between = row_str(args, 1, row);
    bool any = false;
    if (tsfs_type_is_nested(a->elems.type))
        return function_fail(ctx, row, "array_join: elements of type %s have no text to join",
                             tsfs_type_name(a->elems.type));
    int rc = tsfs_kernel_work(ctx, a->n);
    if (rc != 0)
        return rc;
    for (uint32_t k = 0; k < a->n && rc == 0; k++) {
        struct tsfs_value v = tsfs_vec_get(&a->elems, k);
        if (v.null && nargs < 3)
            continue;
        if (any)
            rc = tsfs_buf_append_str(text, between);
        any = true;
        if (rc == 0)
            rc = v.null ? tsfs_buf_append_str(text, row_str(args, 2, row))
                        : tsfs_value_append(&v, TSFS_RESULT_VARCHAR_MAX, text);
        if (rc == 0 && text->len > TSFS_RESULT_VARCHAR_MAX)
            rc = -E2BIG;
    }
    if (rc != 0)
        return rc == -E2BIG ? function_too_long(ctx, row, "array_join") : function_no_memory(ctx);
    return 1;
}

ROW_TEXT_KERNEL(join)

/* split(s, d[, limit]) */
static int split(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = args[0].s[row_at(&args[0], i)], d = args[1].s[row_at(&args[1], i)];
        int64_t limit = nargs == 3 ? args[2].i[row_at(&args[2], i)] : INT64_MAX;
        if (d.len == 0) {
            rc = function_fail(ctx, i, "split: the delimiter must not be empty");
            continue;
        }
        if (limit <= 0 || (nargs == 3 && limit > INT32_MAX)) {
            rc = function_fail(ctx, i, "split: the limit %s",
                               limit <= 0 ? "must be positive" : "does not fit into an integer");
            continue;
        }
        uint32_t len = 1;
        const char *at = s.ptr, *end = s.ptr + s.len;
        for (const char *hit;
             at < end && (int64_t)len < limit && (hit = memmem(at, (size_t)(end - at), d.ptr, d.len)) != NULL;
             len++)
            at = hit + d.len;
        if (len > TSFS_ARRAY_MAX) {
            rc = nested_too_long(ctx, i, "split");
            continue;
        }
        struct tsfs_str *parts = tsfs_arena_alloc(ctx->arena, len * sizeof(*parts));
        if (parts == NULL)
            return function_no_memory(ctx);
        at = s.ptr != NULL ? s.ptr : "";
        end = at + s.len;
        for (uint32_t k = 0; k < len; k++) {
            const char *hit = k + 1 < len ? memmem(at, (size_t)(end - at), d.ptr, d.len) : end;
            parts[k] = (struct tsfs_str){at, (size_t)(hit - at)};
            at = hit + d.len;
        }
        const struct tsfs_array *a;
        struct tsfs_vec v = {.type = TSFS_VARCHAR, .s = parts};
        if ((rc = nested_array(ctx, &v, len, &a)) == 0)
            nested_put(&room, i, a);
    }
    nested_finish(&room, n, out);
    return rc;
}

static const struct tsfs_function items[] = {
    SIG("reverse", "array(T) -> array(T)", reverse, "reverse(a): the elements from the last to the first"),
    SIG("slice", "array(T), bigint, bigint -> array(T)", slice,
        "slice(a, i, n): n elements from element i on, counted from the end if negative"),
    SIG_UNSTABLE("shuffle", "array(T) -> array(T)", shuffle, "shuffle(a): the elements in random order"),
    SIG("array_distinct", "array(T) -> array(T)", distinct, "array_distinct(a): every element once"),
    SIG("array_intersect", "array(T), array(T) -> array(T)", intersect,
        "array_intersect(a, b): the elements that both have, once each"),
    SIG("array_except", "array(T), array(T) -> array(T)", except,
        "array_except(a, b): the elements of a that b has not, once each"),
    SIG("array_union", "array(T), array(T) -> array(T)", array_union,
        "array_union(a, b): the elements of both, once each"),
    SIG("array_remove", "array(T), T -> array(T)", remove, "array_remove(a, x): a without its elements x"),
    SIG("array_sort", "array(T) -> array(T)", sort, "array_sort(a): the elements ascending, NULLs last"),
    SIG("array_position", "array(T), T -> bigint", position,
        "array_position(a, x): the number of the first element x, 0 if there is none"),
    SIG("contains", "array(T), T -> boolean", contains, "contains(a, x): whether x is an element of a"),
    SIG("arrays_overlap", "array(T), array(T) -> boolean", overlap,
        "arrays_overlap(a, b): whether they have an element in common"),
    SIG("array_max", "array(T) -> T", array_max, "array_max(a): the largest element; NULL if one is NULL"),
    SIG("array_min", "array(T) -> T", array_min, "array_min(a): the smallest element; NULL if one is NULL"),
    SIG("array_join", "array(T), varchar -> varchar", join,
        "array_join(a, d): the elements' texts with d between them, NULLs left out"),
    SIG("array_join", "array(T), varchar, varchar -> varchar", join,
        "array_join(a, d, s): the same with s for NULLs"),
    SIG("split", "varchar, varchar -> array(varchar)", split,
        "split(s, d[, n]): the parts of s between the texts d, at most n of them"),
    SIG("split", "varchar, varchar, bigint -> array(varchar)", split,
        "split(s, d[, n]): the parts of s between the texts d, at most n of them"),
};

const struct function_table functions_array_set = FUNCTION_TABLE(items);
