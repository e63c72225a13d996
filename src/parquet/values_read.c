/* Values of a page, by physical type and encoding, into the form of the column's vectors.
 *
 * INT32 widens to int64_t and FLOAT to double on the way. */
#include <errno.h>
#include <limits.h>

#include "parquet/reader_priv.h"

static int bad(const struct tsfs_pq_column *column, int encoding, struct tsfs_error *err)
{
    return pq_column_error(err, -EINVAL, column, "a %s page holds something else than its values",
                           tsfs_pq_encoding_name(encoding));
}

static int decode_bools(const struct tsfs_pq_column *column, int encoding, const uint8_t *p, size_t len,
                        uint8_t *dst, size_t n, struct tsfs_pq_scratch *s, struct tsfs_error *err)
{
    size_t words = tsfs_bit_words(n) * 8;
    if (encoding == TSFS_PQ_PLAIN) {
        if (len < (n + 7) / 8)
            return bad(column, encoding, err);
        for (size_t i = 0; i < n; i++)
            dst[i] = (p[i >> 3] >> (i & 7)) & 1;
        return 0;
    }
    /* RLE, after its length */
    if (len < 4 || pq_load32(p) > len - 4)
        return bad(column, encoding, err);
    if (pq_room_take(&s->codes, words))
        return -ENOMEM;
    uint64_t *bits = (uint64_t *)(void *)s->codes.data;
    if (pq_rle_decode_bits(p + 4, pq_load32(p), bits, n))
        return bad(column, encoding, err);
    pq_expand_bits(bits, dst, n);
    return 0;
}

static int decode_ints(const struct tsfs_pq_column *column, int encoding, const uint8_t *p, size_t len,
                       int64_t *dst, size_t n, struct tsfs_pq_scratch *s, struct tsfs_error *err)
{
    bool narrow = column->physical == TSFS_PQ_INT32;
    size_t used;
    if (encoding == TSFS_PQ_DELTA_BINARY_PACKED) {
        if (pq_delta_decode(p, len, dst, n, narrow, &used))
            return bad(column, encoding, err);
    } else {
        if (len / (narrow ? 4 : 8) < n)
            return bad(column, encoding, err);
        if (encoding == TSFS_PQ_PLAIN && narrow) {
            pq_widen_i32(p, dst, n);
        } else if (encoding == TSFS_PQ_PLAIN) {
            memcpy(dst, p, n * 8);
        } else if (narrow) { /* BYTE_STREAM_SPLIT */
            if (pq_room_take(&s->codes, n * 4))
                return -ENOMEM;
            pq_split_decode32(p, (uint32_t *)(void *)s->codes.data, n);
            pq_widen_i32(s->codes.data, dst, n);
        } else {
            pq_split_decode(p, (uint64_t *)dst, n);
        }
    }
    if (!column->is_unsigned)
        return 0;
    uint64_t any = 0;
    if (narrow) {
        for (size_t i = 0; i < n; i++)
            dst[i] &= UINT32_MAX;
    }
    for (size_t i = 0; i < n; i++)
        any |= (uint64_t)dst[i];
    return any >> 63
               ? pq_column_error(err, -ERANGE, column, "an unsigned value is beyond the range of bigint")
               : 0;
}

static int decode_doubles(const struct tsfs_pq_column *column, int encoding, const uint8_t *p, size_t len,
                          double *dst, size_t n, struct tsfs_pq_scratch *s, struct tsfs_error *err)
{
    bool narrow = column->physical == TSFS_PQ_FLOAT;
    if (len / (narrow ? 4 : 8) < n)
        return bad(column, encoding, err);
    if (encoding == TSFS_PQ_PLAIN && narrow) {
        pq_widen_f32(p, dst, n);
    } else if (encoding == TSFS_PQ_PLAIN) {
        memcpy(dst, p, n * 8);
    } else if (narrow) {
        if (pq_room_take(&s->codes, n * 4))
            return -ENOMEM;
        pq_split_decode32(p, (uint32_t *)(void *)s->codes.data, n);
        pq_widen_f32(s->codes.data, dst, n);
    } else {
        pq_split_decode(p, (uint64_t *)(void *)dst, n);
    }
    return 0;
}

static int decode_strings(const struct tsfs_pq_column *column, int encoding, const uint8_t *p, size_t len,
                          struct tsfs_str *dst, size_t n, struct tsfs_arena *arena, struct tsfs_error *err)
{
    int r;
    switch (encoding) {
    case TSFS_PQ_PLAIN: r = pq_bytes_plain_decode(p, len, dst, n); break;
    case TSFS_PQ_DELTA_LENGTH_BYTE_ARRAY: r = pq_bytes_lengths_decode(p, len, dst, n, arena); break;
    default: r = pq_bytes_prefix_decode(p, len, dst, n, arena);
    }
    return r == -EINVAL ? bad(column, encoding, err) : r;
}

/* Bit n = encoding n is right for the physical type. */
static uint32_t encodings_of(enum tsfs_pq_physical physical)
{
    const uint32_t plain = 1u << TSFS_PQ_PLAIN, split = 1u << TSFS_PQ_BYTE_STREAM_SPLIT;
    switch (physical) {
    case TSFS_PQ_BOOLEAN: return plain | 1u << TSFS_PQ_RLE;
    case TSFS_PQ_INT32:
    case TSFS_PQ_INT64: return plain | split | 1u << TSFS_PQ_DELTA_BINARY_PACKED;
    case TSFS_PQ_FLOAT:
    case TSFS_PQ_DOUBLE: return plain | split;
    default: return plain | 1u << TSFS_PQ_DELTA_LENGTH_BYTE_ARRAY | 1u << TSFS_PQ_DELTA_BYTE_ARRAY;
    }
}

int pq_values_decode(const struct tsfs_pq_column *column, int encoding, const uint8_t *p, size_t len,
                     void *dst, size_t n, struct tsfs_pq_scratch *s, struct tsfs_arena *arena,
                     struct tsfs_error *err)
{
    if (encoding < 0 || encoding > 31 || !(encodings_of(column->physical) >> encoding & 1))
        return pq_column_error(err, -ENOTSUP, column, "encoding %s (%d) is not supported for %s",
                               tsfs_pq_encoding_name(encoding), encoding,
                               tsfs_pq_physical_name(column->physical));
    if (n == 0)
        return 0;
    switch (column->physical) {
    case TSFS_PQ_BOOLEAN: return decode_bools(column, encoding, p, len, dst, n, s, err);
    case TSFS_PQ_INT32:
    case TSFS_PQ_INT64: return decode_ints(column, encoding, p, len, dst, n, s, err);
    case TSFS_PQ_FLOAT:
    case TSFS_PQ_DOUBLE: return decode_doubles(column, encoding, p, len, dst, n, s, err);
    default: return decode_strings(column, encoding, p, len, dst, n, arena, err);
    }
}

/* One copy of the loop for each width that occurs, so that the copies are plain moves. */
static inline __attribute__((always_inline)) void spread(const uint8_t *dense, const uint64_t *valid,
                                                         size_t nrows, size_t width, uint8_t *dst)
{
    for (size_t base = 0; base < nrows; base += 64) {
        uint64_t bits = valid[base / 64];
        size_t k = nrows - base < 64 ? nrows - base : 64;
        if (bits == ~UINT64_C(0)) {
            memcpy(dst + base * width, dense, 64 * width);
            dense += 64 * width;
            continue;
        }
        memset(dst + base * width, 0, k * width);
        for (; bits; bits &= bits - 1) {
            memcpy(dst + (base + (unsigned)__builtin_ctzll(bits)) * width, dense, width);
            dense += width;
        }
    }
}

void pq_values_spread(const void *dense, const uint64_t *valid, size_t nrows, size_t width, void *dst)
{
    switch (width) {
    case 1: spread(dense, valid, nrows, 1, dst); break;
    case 4: spread(dense, valid, nrows, 4, dst); break;
    case 8: spread(dense, valid, nrows, 8, dst); break;
    default: spread(dense, valid, nrows, sizeof(struct tsfs_str), dst);
    }
}
