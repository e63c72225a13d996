/* The parser's inner loops: 16 bytes a step where SSE2 is there (every x86-64 has it), a table otherwise
 * and near the end of the input.  Nothing is read at or behind limit.
 *
 * Those without an end of their own rely on a newline before limit: the caller scans only up to the
 * last newline of its input. */
#ifndef TSFS_INGEST_LP_SCAN_H
#define TSFS_INGEST_LP_SCAN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum lp_class {
    LP_HEAD = 1, /* , = blank \ newline: ends the measurement */
    LP_TAIL = 2, /* blank \ newline: ends the key */
    LP_NAME = 4, /* , = blank \ DEL and below blank: ends a field's name */
    LP_TEXT = 8, /* " \ : ends a stretch of a string */
};

#define LP_CONTROL LP_NAME
static const uint8_t lp_classes[256] = {
    [0 ... 9] = LP_CONTROL,
    ['\n'] = LP_HEAD | LP_TAIL | LP_NAME,
    [11 ... 31] = LP_CONTROL,
    [127] = LP_CONTROL,
    [' '] = LP_HEAD | LP_TAIL | LP_NAME,
    [','] = LP_HEAD | LP_NAME,
    ['='] = LP_HEAD | LP_NAME,
    ['\\'] = LP_HEAD | LP_TAIL | LP_NAME | LP_TEXT,
    ['"'] = LP_TEXT,
};
#undef LP_CONTROL

static inline const char *lp_scan_table(const char *p, const char *limit, unsigned class)
{
    while (p < limit && !(lp_classes[(unsigned char)*p] & class))
        p++;
    return p;
}

#ifdef __SSE2__
#define LP_EQ(x, c) _mm_cmpeq_epi8((x), _mm_set1_epi8(c))
static inline __m128i lp_load16(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}
#endif

/* The first of , = blank \ newline. */
static inline const char *lp_scan_head(const char *p, const char *limit)
{
#ifdef __SSE2__
    for (; limit - p >= 16; p += 16) {
        __m128i x = lp_load16(p);
        __m128i hit = _mm_or_si128(_mm_or_si128(LP_EQ(x, ','), LP_EQ(x, '=')),
                                   _mm_or_si128(LP_EQ(x, ' '), _mm_or_si128(LP_EQ(x, '\\'), LP_EQ(x, '\n'))));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit);
        if (bits != 0)
            return p + __builtin_ctz(bits);
    }
#endif
    return lp_scan_table(p, limit, LP_HEAD);
}

/* The first of blank \ newline. */
static inline const char *lp_scan_tail(const char *p, const char *limit)
{
#ifdef __SSE2__
    for (; limit - p >= 32; p += 32) {
        __m128i x = lp_load16(p), y = lp_load16(p + 16);
        __m128i hx = _mm_or_si128(LP_EQ(x, ' '), _mm_or_si128(LP_EQ(x, '\\'), LP_EQ(x, '\n')));
        __m128i hy = _mm_or_si128(LP_EQ(y, ' '), _mm_or_si128(LP_EQ(y, '\\'), LP_EQ(y, '\n')));
        unsigned bits = (unsigned)_mm_movemask_epi8(hx) | (unsigned)_mm_movemask_epi8(hy) << 16;
        if (bits != 0)
            return p + __builtin_ctz(bits);
    }
#endif
    return lp_scan_table(p, limit, LP_TAIL);
}

/* The first of , = blank \ or a control character; *high becomes true if a byte above 127 comes before
 * it (or shortly behind). */
static inline const char *lp_scan_name(const char *p, const char *limit, bool *high)
{
#ifdef __SSE2__
    for (; limit - p >= 16; p += 16) {
        __m128i x = lp_load16(p), top = _mm_set1_epi8(31);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, top), x);
        __m128i hit = _mm_or_si128(_mm_or_si128(LP_EQ(x, ','), LP_EQ(x, '=')),
                                   _mm_or_si128(LP_EQ(x, ' '), _mm_or_si128(LP_EQ(x, '\\'), LP_EQ(x, 127))));
        unsigned bits = (unsigned)_mm_movemask_epi8(_mm_or_si128(hit, low));
        *high |= _mm_movemask_epi8(x) != 0;
        if (bits != 0)
            return p + __builtin_ctz(bits);
    }
#endif
    for (; p < limit && !(lp_classes[(unsigned char)*p] & LP_NAME); p++)
        *high |= (unsigned char)*p >= 128;
    return p;
}

/* What a string holds, or may hold: set too often, never too rarely. */
struct lp_text {
    bool high;    /* bytes above 127 */
    bool newline; /* line breaks */
};

/* The first of " \ in [p, end), or end; bytes up to limit may be looked at. */
static inline const char *lp_scan_text(const char *p, const char *end, const char *limit,
                                       struct lp_text *seen)
{
#ifdef __SSE2__
    for (; p < end && limit - p >= 16; p += 16) {
        __m128i x = lp_load16(p);
        unsigned bits = (unsigned)_mm_movemask_epi8(_mm_or_si128(LP_EQ(x, '"'), LP_EQ(x, '\\')));
        seen->high |= _mm_movemask_epi8(x) != 0;
        seen->newline |= _mm_movemask_epi8(LP_EQ(x, '\n')) != 0;
        if (bits != 0) {
            p += __builtin_ctz(bits);
            return p < end ? p : end;
        }
    }
#endif
    for (; p < end && !(lp_classes[(unsigned char)*p] & LP_TEXT); p++) {
        seen->high |= (unsigned char)*p >= 128;
        seen->newline |= *p == '\n';
    }
    return p < end ? p : end;
}

/* Eight bytes, the first in the lowest place; zeros from limit on. */
static inline uint64_t lp_load8(const char *p, const char *limit)
{
    uint64_t x = 0;
    if (__builtin_expect(limit - p >= 8, 1))
        memcpy(&x, p, 8);
    else if (p < limit)
        memcpy(&x, p, (size_t)(limit - p));
    return le64toh(x);
}

/* Up to eight leading decimal digits of eight bytes: how many, and their value.  The three multiplications
 * are D. Lemire's ("Quickly parsing eight digits", 2018). */
static inline unsigned lp_digits_of(uint64_t bytes, uint64_t *value)
{
    uint64_t t = bytes ^ UINT64_C(0x3030303030303030);
    /* The first byte above 9 gets its top bit set; carries can only reach the bytes behind it. */
    uint64_t other = (t | (t + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
    unsigned n = 8;
    if (other != 0) {
        n = (unsigned)__builtin_ctzll(other) >> 3;
        if (n == 0) {
            *value = 0;
            return 0;
        }
        t <<= 64 - 8 * n;
    }
    t = t * 10 + (t >> 8);
    *value = ((t & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
              ((t >> 16) & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
             32;
    return n;
}

static inline unsigned lp_digits(const char *p, const char *limit, uint64_t *value)
{
    return lp_digits_of(lp_load8(p, limit), value);
}

/* Where eight bytes are known to be readable. */
static inline unsigned lp_digits_inside(const char *p, uint64_t *value)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return lp_digits_of(le64toh(x), value);
}

static inline bool lp_is_line_end(const char *p)
{
    return *p == '\n' || (*p == '\r' && p[1] == '\n');
}

/* Ends a field's value.  A '\r' is looked at more closely behind the last field. */
static inline bool lp_ends_value(char c)
{
    const uint64_t set = UINT64_C(1) << ',' | UINT64_C(1) << ' ' | UINT64_C(1) << '\n' | UINT64_C(1) << '\r' |
                         UINT64_C(1) << '\t';
    return (unsigned char)c <= ',' && (set >> c & 1);
}

#endif
