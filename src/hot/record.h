/* Small parts of a record's payload; docs/format/wal.md has the whole. */
#ifndef TSFS_HOT_RECORD_H
#define TSFS_HOT_RECORD_H

#include <stdint.h>
#include <string.h>

/* Kinds of definitions: the high half of a control byte whose low half is 0. */
enum record_kind { RECORD_COLUMN = 1, RECORD_SERIES = 2, RECORD_SHAPE = 3, RECORD_SERIES_LIKE = 4 };

/* How a value is given in a series' definition after a model; from RECORD_VALUE_FIRST on by its number. */
enum record_value { RECORD_VALUE_ONCE = 0, RECORD_VALUE_KEEP = 1, RECORD_VALUE_FIRST = 2 };

#define RECORD_VUINT_MAX 5u /* bytes of a 32-bit number */

static inline uint64_t record_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline int64_t record_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Bytes that hold v, at least 1. */
static inline unsigned record_width(uint64_t v)
{
    return (71u - (unsigned)__builtin_clzll(v | 1)) / 8;
}

static inline uint64_t record_le(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

/* Writes 8 bytes of which the caller keeps the first ones. */
static inline void record_put(uint8_t *p, uint64_t v)
{
    v = record_le(v);
    memcpy(p, &v, 8);
}

static inline uint8_t *record_put_vuint(uint8_t *p, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *record_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    return p + 2;
}

static inline uint8_t *record_put_bytes(uint8_t *p, const void *s, size_t len)
{
    p = record_put_vuint(p, (uint32_t)len);
    if (len)
        memcpy(p, s, len);
    return p + len;
}

/* A number as it goes into the log: integers zigzag, so that small ones of either sign are short; doubles
 * with their bytes turned round, so that the zero bytes at the end of short fractions are the ones left out.
 */
static inline uint64_t record_pack_double(uint64_t bits)
{
    return __builtin_bswap64(bits);
}

#endif
