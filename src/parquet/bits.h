/* Loads, varints and bit widths; packing and unpacking of numbers of one width. */
#ifndef TSFS_PARQUET_BITS_H
#define TSFS_PARQUET_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Parquet's numbers are little-endian and this code copies them as they lie"
#endif

/* Every buffer that a decoder reads from has this many readable bytes after its end, so that unaligned
 * 64-bit loads need no test at the end. */
#define PQ_SLACK 16

static inline uint64_t pq_load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}
static inline uint32_t pq_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}
static inline void pq_store64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}
static inline uint64_t pq_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t pq_unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}
/* Bits needed for v; 0 for 0. */
static inline unsigned pq_width(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

#define PQ_VARINT_MAX 10

/* Writes v to p (room for PQ_VARINT_MAX bytes); returns the next byte. */
static inline uint8_t *pq_put_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}
/* Reads at *p, never past end; false on a cut or over-long number. */
static inline bool pq_get_varint(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        if (shift == 63 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* n values of width bits (0..64 and 0..32), the first in the lowest bits of src[0].  Reads up to PQ_SLACK
 * bytes past the last value. */
void pq_unpack64(const uint8_t *src, unsigned width, uint64_t *dst, size_t n);
void pq_unpack32(const uint8_t *src, unsigned width, uint32_t *dst, size_t n);
/* n a multiple of 8; writes exactly n * width / 8 bytes.  Bits of a value above width must be 0. */
void pq_pack64(const uint64_t *src, unsigned width, uint8_t *dst, size_t n);
void pq_pack32(const uint32_t *src, unsigned width, uint8_t *dst, size_t n);

/* CRC-32 as of gzip (polynomial 0x04C11DB7, reflected), of len bytes after those that gave crc (0 at first).
 */
uint32_t pq_crc32(uint32_t crc, const void *data, size_t len);

#endif
