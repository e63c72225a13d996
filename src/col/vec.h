/* Vectors of one type, and batches of them. */
#ifndef TSFS_COL_VEC_H
#define TSFS_COL_VEC_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "col/type.h"

/* Bit i of word i/64 set = row i holds a value. */
static inline bool tsfs_bit_get(const uint64_t *bits, size_t i)
{
    return (bits[i >> 6] >> (i & 63)) & 1;
}
static inline void tsfs_bit_set(uint64_t *bits, size_t i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}
static inline void tsfs_bit_clear(uint64_t *bits, size_t i)
{
    bits[i >> 6] &= ~(UINT64_C(1) << (i & 63));
}
static inline size_t tsfs_bit_words(size_t n)
{
    return (n + 63) / 64;
}
void tsfs_bits_set_range(uint64_t *bits, size_t from, size_t n);
/* n bits of src from bit `from` to dst from bit 0; the rest of dst's last word is zero. */
void tsfs_bits_copy(uint64_t *dst, const uint64_t *src, size_t from, size_t n);
size_t tsfs_bits_count(const uint64_t *bits, size_t n); /* set bits among the first n */

/* A column of a batch.  It does not own what it points to; the comment of whoever fills it says how
 * long that lives.  The row count is the batch's. */
struct tsfs_vec {
    enum tsfs_type type;
    bool constant; /* one value, at index 0, stands for every row */
    union {
        const void *data;
        const uint8_t *b;
        const int64_t *i;
        const double *d;
        const struct tsfs_str *s;
        const void *const *p; /* of nested types: see col/nested.h */
    };
    const uint64_t *valid; /* NULL = no NULLs; for a constant only bit 0 counts */
};

static inline bool tsfs_vec_null(const struct tsfs_vec *v, size_t row)
{
    if (v->type == TSFS_UNKNOWN)
        return true;
    return v->valid && !tsfs_bit_get(v->valid, v->constant ? 0 : row);
}

/* Row `row` as a value; strings stay borrowed. */
struct tsfs_value tsfs_vec_get(const struct tsfs_vec *v, size_t row);
/* A constant vector of value, allocated in arena (strings stay borrowed).  0 or -ENOMEM. */
TSFS_MUST_CHECK int tsfs_vec_constant(struct tsfs_arena *arena, struct tsfs_value value,
                                      struct tsfs_vec *out);

struct tsfs_batch {
    uint32_t nrows; /* rows in the vectors, <= TSFS_BATCH_ROWS unless the producer says otherwise */
    uint32_t ncols;
    struct tsfs_vec *cols;
    const uint16_t *sel; /* the rows that count, ascending; NULL = all */
    uint32_t nsel;       /* entries of sel; = nrows when sel is NULL */
};

#endif
