/* Shared by the functions over arrays and timeseries: results, and working over all elements of a batch. */
#ifndef TSFS_EXEC_FUNCTIONS_NESTED_PRIV_H
#define TSFS_EXEC_FUNCTIONS_NESTED_PRIV_H

#include <errno.h>

#include "base/limits.h"
#include "col/nested.h"
#include "exec/functions/functions_priv.h"

/* Room for the result of n rows: NULLs until they are put.  nested_finish makes it *out's. */
TSFS_MUST_CHECK int nested_begin(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *out, uint32_t n,
                                 struct tsfs_vec_room *room);
void nested_finish(const struct tsfs_vec_room *room, uint32_t n, struct tsfs_vec *out);

static inline void nested_put(const struct tsfs_vec_room *room, uint32_t row, const void *p)
{
    ((const void **)room->data)[row] = p;
    tsfs_bit_set(room->valid, row);
}

/* The elements of all valid rows, one array behind the other: those of row i are [from[i], from[i + 1]);
 * element k belongs to row rows[k].  One array alone is not copied. */
struct nested_flat {
    uint32_t n;
    uint32_t *from, *rows;
    struct tsfs_vec elems;
    const int64_t *times; /* of timeseries */
};
TSFS_MUST_CHECK int nested_flatten(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *arrays, uint32_t n,
                                   const uint64_t *valid, struct nested_flat *out);

/* Elements index[0..n) of v; UINT32_MAX = NULL. */
TSFS_MUST_CHECK int nested_take(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *v, const uint32_t *index,
                                uint32_t n, struct tsfs_vec *out);

/* Arrays for the valid rows, that of row i being elements [from[i], from[i + 1]) of a vector. */
TSFS_MUST_CHECK int nested_arrays(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *elems,
                                  const uint32_t *from, uint32_t n, const uint64_t *valid,
                                  struct tsfs_vec *out);
/* The same for timeseries. */
TSFS_MUST_CHECK int nested_series(struct tsfs_kernel_ctx *ctx, const int64_t *times,
                                  const struct tsfs_vec *values, const uint32_t *from, uint32_t n,
                                  const uint64_t *valid, struct tsfs_vec *out);

/* A function whose result is some of its first argument's elements in some order: pick writes the numbers of
 * those of one row (within the flattened elements, room for as many as the row has) and returns how many, or
 * an error < 0. */
typedef int64_t (*nested_pick)(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args,
                               const struct nested_flat *flat, uint32_t row, uint32_t *index);
TSFS_MUST_CHECK int nested_picks(KERNEL_ARGS, nested_pick pick);

/* An array of one row: n elements, which the caller has made. */
TSFS_MUST_CHECK int nested_array(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *elems, uint32_t n,
                                 const struct tsfs_array **out);

/* The elements that are not among those before them, NULLs too; as GROUP BY compares. */
struct nested_set {
    const struct tsfs_vec *v;
    uint32_t *slots; /* 1 + number of an element of v, 0 = free */
    uint32_t mask;
};
/* For up to n elements. */
TSFS_MUST_CHECK int nested_set_init(struct tsfs_kernel_ctx *ctx, struct nested_set *set,
                                    const struct tsfs_vec *v, uint32_t n);
/* True if element i of v is new, and adds it. */
bool nested_set_add(struct nested_set *set, uint32_t i);
bool nested_set_has(const struct nested_set *set, const struct tsfs_value *value);
/* For loops that add or look up element after element, k being the element's number: polls now and then. */
static inline int nested_set_poll(struct tsfs_kernel_ctx *ctx, uint32_t k)
{
    return (k & 0xffff) != 0xffff ? 0 : tsfs_kernel_work(ctx, UINT64_C(16) << 16);
}

/* An error that the result would be an array of more than TSFS_ARRAY_MAX elements. */
int nested_too_long(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn);

#endif
