/* Printing numbers.
 *
 * A double stands for an interval of reals, all that read back to it.  The digits wanted are those of the
 * shortest decimal in that interval, and of several the nearest to the double.  Multiplying the double and
 * both ends of the interval by a 128-bit approximation of a power of ten brings the candidates (two with k
 * digits fewer, or two with one digit more) into integers that are compared exactly; no digit is generated in
 * vain (R. Giulietti, "The Schubfach way to render doubles", 2020). */
#include "base/num.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/num_priv.h"

const char tsfs_num_pairs[200] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";

_Static_assert(sizeof(tsfs_num_pairs) == 200, "all pairs, no NUL");

unsigned tsfs_num_format_i64(int64_t v, char out[TSFS_NUM_TEXT_MAX])
{
    unsigned sign = v < 0;
    out[0] = '-';
    return (unsigned)(tsfs_num_put_u64(out + sign, v < 0 ? 0 - (uint64_t)v : (uint64_t)v) - out);
}

/* The high half of (g * c) / 2^64 with its last bit set if anything was cut off. */
static uint64_t round_to_odd(const struct num_pow10 *g, uint64_t c)
{
    uint64_t low, high, ignored;
    uint64_t carry = num_multiply(g->lo, c, &ignored);
    high = num_multiply(g->hi, c, &low);
    low += carry;
    high += low < carry;
    return high | (low > 1);
}

/* The fewest digits that read back to v (finite, > 0), of those the nearest to v: an integer and its power
 * of ten. */
static uint64_t shortest(double v, int *exponent)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    uint64_t c = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 0x7ff);
    bool narrow_below = c == 0 && biased > 1; /* the neighbour below is half as far as the one above */
    int q = biased == 0 ? -1074 : biased - 1075;
    if (biased != 0)
        c |= UINT64_C(1) << 52;

    uint64_t odd = c & 1; /* the ends of the interval round to v if c is even */
    int k = (q * 1262611 - (narrow_below ? 524031 : 0)) >> 22;
    int h = q + ((-k * 1741647) >> 19) + 1;
    const struct num_pow10 *g = num_pow10(-k);
    /* v and the ends of its interval, in units of 10^k / 4 */
    uint64_t lower = round_to_odd(g, (4 * c - 2 + narrow_below) << h) + odd;
    uint64_t at = round_to_odd(g, 4 * c << h);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;

    uint64_t s = at / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) {
            *exponent = k + 1;
            return tens + above;
        }
    }
    *exponent = k;
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above)
        return s + above;
    return s + (at > 4 * s + 2 || (at == 4 * s + 2 && (s & 1)));
}

unsigned tsfs_num_format_double(double v, char out[TSFS_NUM_TEXT_MAX])
{
    char *p = out;
    if (isnan(v)) {
        memcpy(p, "NaN", 3);
        return 3;
    }
    if (signbit(v)) {
        *p++ = '-';
        v = -v;
    }
    if (isinf(v)) {
        memcpy(p, "Infinity", 8);
        return (unsigned)(p - out) + 8;
    }
    if (v == 0) {
        memcpy(p, "0.0", 3);
        return (unsigned)(p - out) + 3;
    }
    int exponent;
    uint64_t m = shortest(v, &exponent);
    if (m % 100000000 == 0) {
        m /= 100000000;
        exponent += 8;
    }
    while (m % 10 == 0) {
        m /= 10;
        exponent++;
    }
    char digits[20];
    int n = (int)(tsfs_num_put_u64(digits, m) - digits);
    int scientific = n + exponent - 1;
    if (scientific < -3 || scientific >= 16) {
        *p++ = digits[0];
        if (n > 1) {
            *p++ = '.';
            memcpy(p, digits + 1, (size_t)n - 1);
            p += n - 1;
        }
        *p++ = 'e';
        *p++ = scientific < 0 ? '-' : '+';
        unsigned e = (unsigned)abs(scientific);
        if (e < 10)
            *p++ = '0';
        p = tsfs_num_put_u64(p, e);
    } else if (scientific < 0) {
        memcpy(p, "0.000", 5);
        p += 1 - scientific;
        memcpy(p, digits, (size_t)n);
        p += n;
    } else {
        int whole = scientific + 1;
        for (int i = 0; i < whole; i++)
            *p++ = i < n ? digits[i] : '0';
        *p++ = '.';
        if (n > whole) {
            memcpy(p, digits + whole, (size_t)(n - whole));
            p += n - whole;
        } else {
            *p++ = '0';
        }
    }
    return (unsigned)(p - out);
}
