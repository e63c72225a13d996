/* Numbers from and to text: exact, and fast on the common forms. */
#ifndef TSFS_BASE_NUM_H
#define TSFS_BASE_NUM_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* The nearest double to the decimal text s ([+-]digits[.digits][(e|E)[+-]digits], also ".5" and "5."; nothing
 * else: no hex, no inf, no nan).  -EINVAL: not such a text; -ERANGE: beyond the largest finite double.
 * Results too small become 0 or subnormal as IEEE 754 rounds them. */
TSFS_MUST_CHECK int tsfs_num_parse_double(struct tsfs_str s, double *out);

/* The nearest double to mantissa * 10^exponent, for parsers that read digits themselves; infinity beyond the
 * largest finite one. */
double tsfs_num_scale(uint64_t mantissa, int exponent);

/* [+-]digits.  -EINVAL, -ERANGE. */
TSFS_MUST_CHECK int tsfs_num_parse_i64(struct tsfs_str s, int64_t *out);

/* A number of bytes: digits, then K, M, G or T for powers of 1,024 in either case, then B or iB if wanted:
 * 4096, 256M, 2GiB.  -EINVAL, -ERANGE. */
TSFS_MUST_CHECK int tsfs_num_parse_size(struct tsfs_str s, int64_t *out);

#define TSFS_NUM_TEXT_MAX 32

/* Shortest decimal that reads back to the same bits, as SQL results show it: 21.5, 100.0 (always a point
 * or an exponent), 1.0e-7 style for exponents < -3 or >= 16 written 1e-07 and 1.5e+16, NaN, Infinity,
 * -Infinity. Returns the length; not NUL-terminated. */
unsigned tsfs_num_format_double(double v, char out[TSFS_NUM_TEXT_MAX]);
unsigned tsfs_num_format_i64(int64_t v, char out[TSFS_NUM_TEXT_MAX]);

/* 00 01 02 ... 99 */
extern const char tsfs_num_pairs[200];

/* v in decimal, for whoever prints many; returns the end, at most 20 bytes on. */
static inline char *tsfs_num_put_u64(char *p, uint64_t v)
{
    char text[20], *end = text + sizeof(text), *q = end;
    while (v >= 100) {
        q -= 2;
        memcpy(q, tsfs_num_pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        q -= 2;
        memcpy(q, tsfs_num_pairs + v * 2, 2);
    } else {
        *--q = (char)('0' + v);
    }
    memcpy(p, q, (size_t)(end - q));
    return p + (end - q);
}

#endif
