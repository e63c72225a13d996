/* Numbers of fixed width: BYTE_STREAM_SPLIT, narrowing and widening, booleans.
 *
 * BYTE_STREAM_SPLIT lays out all first bytes, then all second bytes and so on: signs and exponents, which
 * hardly change, come together and compress.  Eight doubles are an 8 x 8 matrix of bytes; both ways are its
 * transposition, done in three rounds of swapping halves, quarters and neighbours in eight registers
 * (Hacker's Delight, 7-3). */
#include "parquet/codec.h"

static inline void swap_parts(uint64_t *a, uint64_t *b, unsigned shift, uint64_t mask)
{
    uint64_t t = ((*a >> shift) ^ *b) & mask;
    *b ^= t;
    *a ^= t << shift;
}

/* x[i] byte k <-> x[k] byte i */
static inline void transpose(uint64_t x[8])
{
    for (int i = 0; i < 4; i++)
        swap_parts(&x[i], &x[i + 4], 32, UINT64_C(0x00000000FFFFFFFF));
    for (int i = 0; i < 8; i += 4) {
        swap_parts(&x[i], &x[i + 2], 16, UINT64_C(0x0000FFFF0000FFFF));
        swap_parts(&x[i + 1], &x[i + 3], 16, UINT64_C(0x0000FFFF0000FFFF));
    }
    for (int i = 0; i < 8; i += 2)
        swap_parts(&x[i], &x[i + 1], 8, UINT64_C(0x00FF00FF00FF00FF));
}

int pq_split_encode(const uint64_t *v, size_t n, struct tsfs_buf *out)
{
    int r = tsfs_buf_reserve(out, n * 8 + 1);
    if (r)
        return r;
    uint8_t *dst = (uint8_t *)out->data + out->len;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t x[8];
        memcpy(x, v + i, sizeof(x));
        transpose(x);
        for (int k = 0; k < 8; k++)
            pq_store64(dst + k * n + i, x[k]);
    }
    for (; i < n; i++) {
        for (int k = 0; k < 8; k++)
            dst[k * n + i] = (uint8_t)(v[i] >> (8 * k));
    }
    out->len += n * 8;
    return 0;
}

void pq_split_decode(const uint8_t *p, uint64_t *dst, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t x[8];
        for (int k = 0; k < 8; k++)
            x[k] = pq_load64(p + k * n + i);
        transpose(x);
        memcpy(dst + i, x, sizeof(x));
    }
    for (; i < n; i++) {
        uint64_t v = 0;
        for (int k = 0; k < 8; k++)
            v |= (uint64_t)p[k * n + i] << (8 * k);
        dst[i] = v;
    }
}

void pq_split_decode32(const uint8_t *p, uint32_t *dst, size_t n)
{
    const uint8_t *a = p, *b = p + n, *c = p + 2 * n, *d = p + 3 * n;
    for (size_t i = 0; i < n; i++)
        dst[i] = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
}

int pq_narrow_encode(const int64_t *v, size_t n, struct tsfs_buf *out)
{
    int r = tsfs_buf_reserve(out, n * 4 + 1);
    if (r)
        return r;
    uint8_t *dst = (uint8_t *)out->data + out->len;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)(uint64_t)v[i];
        memcpy(dst + 4 * i, &x, 4);
    }
    out->len += n * 4;
    return 0;
}

void pq_widen_i32(const uint8_t *p, int64_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t x;
        memcpy(&x, p + 4 * i, 4);
        dst[i] = x;
    }
}

void pq_widen_f32(const uint8_t *p, double *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, p + 4 * i, 4);
        dst[i] = x;
    }
}

void pq_expand_bits(const uint64_t *bits, uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (bits[i >> 6] >> (i & 63)) & 1;
}

void pq_collect_bits(const uint8_t *bytes, uint64_t *bits, size_t n)
{
    for (size_t i = 0; i < n; i += 64) {
        size_t k = n - i < 64 ? n - i : 64;
        uint64_t w = 0;
        for (size_t j = 0; j < k; j++)
            w |= (uint64_t)(bytes[i + j] != 0) << j;
        bits[i >> 6] = w;
    }
}
