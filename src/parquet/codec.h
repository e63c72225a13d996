/* The encodings, both ways: between arrays of values without NULLs and bytes of a page.
 *
 * Decoders return 0, -EINVAL on bytes that are no such encoding, -ENOMEM; they read at most PQ_SLACK bytes
 * past the end they are given and decode exactly the n values asked for, or fail. */
#ifndef TSFS_PARQUET_CODEC_H
#define TSFS_PARQUET_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "parquet/bits.h"

/* rle.c: runs and bit-packed groups of numbers of width bits (<= 32). */
struct pq_rle {
    struct tsfs_buf *out;
    unsigned width;
    int error;      /* sticks */
    uint32_t value; /* of the run being counted */
    uint64_t count;
    uint32_t nliteral;
    uint32_t literal[1024];
};
void pq_rle_begin(struct pq_rle *e, unsigned width, struct tsfs_buf *out);
void pq_rle_put(struct pq_rle *e, uint32_t value, uint64_t count);
void pq_rle_put_all(struct pq_rle *e, const uint32_t *values, size_t n);
TSFS_MUST_CHECK int pq_rle_end(struct pq_rle *e);
/* Width 1 from a bitmap: definition levels.  bits above n in the last word may be anything. */
TSFS_MUST_CHECK int pq_rle_encode_bits(const uint64_t *bits, size_t n, struct tsfs_buf *out);

TSFS_MUST_CHECK int pq_rle_decode(const uint8_t *p, size_t len, unsigned width, uint32_t *dst, size_t n);
/* Whether the n values are one run; *value is it. */
bool pq_rle_is_constant(const uint8_t *p, size_t len, unsigned width, size_t n, uint32_t *value);
/* Width 1 into a bitmap of tsfs_bit_words(n) words, the rest of the last zero. */
TSFS_MUST_CHECK int pq_rle_decode_bits(const uint8_t *p, size_t len, uint64_t *bits, size_t n);

/* delta.c: DELTA_BINARY_PACKED. */
struct pq_delta_shape {
    uint32_t block;     /* values, a multiple of 128 */
    uint32_t miniblock; /* values, a multiple of 32 that divides block */
    bool round_widths;  /* widths of 1, 2, 4 or whole bytes only, for the sake of the compressor */
    bool narrow;        /* INT32: deltas wrap at 32 bits */
};
TSFS_MUST_CHECK int pq_delta_encode(const int64_t *v, size_t n, const struct pq_delta_shape *shape,
                                    struct tsfs_buf *out);
/* *used: bytes of p that belong to it.  narrow: values wrap at 32 bits. */
TSFS_MUST_CHECK int pq_delta_decode(const uint8_t *p, size_t len, int64_t *dst, size_t n, bool narrow,
                                    size_t *used);

/* fixed.c: PLAIN and BYTE_STREAM_SPLIT of numbers. */
TSFS_MUST_CHECK int pq_split_encode(const uint64_t *v, size_t n, struct tsfs_buf *out);
void pq_split_decode(const uint8_t *p, uint64_t *dst, size_t n);                        /* 8 * n bytes */
void pq_split_decode32(const uint8_t *p, uint32_t *dst, size_t n);                      /* 4 * n bytes */
TSFS_MUST_CHECK int pq_narrow_encode(const int64_t *v, size_t n, struct tsfs_buf *out); /* PLAIN INT32 */
void pq_widen_i32(const uint8_t *p, int64_t *dst, size_t n);
void pq_widen_f32(const uint8_t *p, double *dst, size_t n);
void pq_expand_bits(const uint64_t *bits, uint8_t *dst, size_t n); /* to one byte a value */
void pq_collect_bits(const uint8_t *bytes, uint64_t *bits,
                     size_t n); /* nonzero = 1; rest of the last word 0 */

/* bytes.c: PLAIN, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY of strings. */
TSFS_MUST_CHECK int pq_bytes_plain_encode(const struct tsfs_str *v, size_t n, struct tsfs_buf *out);
TSFS_MUST_CHECK int pq_bytes_lengths_encode(const struct tsfs_str *v, size_t n, struct tsfs_buf *out);
TSFS_MUST_CHECK int pq_bytes_prefix_encode(const struct tsfs_str *v, size_t n, struct tsfs_buf *out);
/* Strings point into p, but for _prefix, which builds them in the arena. */
TSFS_MUST_CHECK int pq_bytes_plain_decode(const uint8_t *p, size_t len, struct tsfs_str *dst, size_t n);
TSFS_MUST_CHECK int pq_bytes_lengths_decode(const uint8_t *p, size_t len, struct tsfs_str *dst, size_t n,
                                            struct tsfs_arena *arena);
TSFS_MUST_CHECK int pq_bytes_prefix_decode(const uint8_t *p, size_t len, struct tsfs_str *dst, size_t n,
                                           struct tsfs_arena *arena);

#endif
