/* Reading numbers.
 *
 * A decimal is w * 10^q with an integer w of up to nineteen digits.  Three ways lead to the nearest double,
 * each tried when the one before does not apply:
 *   1. w and the power of ten are doubles themselves: one operation, rounded right by the processor (W. D.
 *      Clinger, "How to Read Floating Point Numbers Accurately", 1990).
 *   2. w times a 128-bit approximation of the power of ten decides, with a second multiplication in the rare
 * case that the first leaves the rounding open (D. Lemire, "Number Parsing at a Gigabyte per Second", 2021,
 * after M. Eisel; that no further fallback is needed: N. Mushtak, D. Lemire, "Fast Number Parsing Without
 *      Fallback", 2023).
 *   3. More than nineteen digits: if w and w + 1 lead to the same double, the rest does not matter;
 *      otherwise the C library reads the digits, which are handed over without a radix character, so that
 *      no locale matters. */
#include "base/num.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num_priv.h"

/* No more significant digits than this ever decide how a decimal rounds to a double (the exact
 * expansion of the midpoint of two neighbours has at most 767); what follows is only non-zero or not. */
#define DIGITS_MAX 800

#define MANTISSA_DIGITS 19 /* always fit 64 bits */
#define EXPONENT_MAX    100000

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Way 2: w * 10^q, w > 0. */
static double scale(uint64_t w, int q)
{
    if (q < NUM_POW10_MIN)
        return 0;
    if (q > 308)
        return INFINITY;
    int zeros = __builtin_clzll(w);
    w <<= zeros;
    const struct num_pow10 *power = num_pow10(q);
    uint64_t lower, upper = num_multiply(w, power->hi, &lower);
    if ((upper & 0x1ff) == 0x1ff) {
        /* The bits below the 55 that matter are all ones: what was left out may carry into them.  Where the
         * table's entry is rounded up for printing, reading wants it cut. */
        uint64_t ignored, more = num_multiply(w, power->lo - (q < -27 || q > 55), &ignored);
        lower += more;
        upper += lower < more;
    }
    int top = (int)(upper >> 63);
    uint64_t mantissa = upper >> (top + 9); /* 52 bits, the hidden one and two for rounding */
    int exponent = ((217706 * q) >> 16) + 63 + top - zeros + 1023;
    if (exponent <= 0) { /* subnormal */
        if (exponent <= -63)
            return 0;
        mantissa >>= 1 - exponent;
        mantissa += mantissa & 1;
        return from_bits(mantissa >> 1); /* a carry makes it normal by itself */
    }
    if (lower <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << (top + 9) == upper)
        mantissa &= ~UINT64_C(1); /* exactly half way: to even, which is down here */
    mantissa += mantissa & 1;
    mantissa >>= 1;
    if (mantissa >= UINT64_C(1) << 53) {
        mantissa = UINT64_C(1) << 52;
        exponent++;
    }
    if (exponent >= 0x7ff)
        return INFINITY;
    return from_bits((mantissa & ~(UINT64_C(1) << 52)) | (uint64_t)exponent << 52);
}

double tsfs_num_scale(uint64_t mantissa, int exponent)
{
    if (mantissa <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
        double v = (double)mantissa;
        return exponent < 0 ? v / exact_powers[-exponent] : v * exact_powers[exponent];
    }
    return mantissa == 0 ? 0 : scale(mantissa, exponent);
}

/* A decimal as found: the first MANTISSA_DIGITS significant digits and their power of ten. */
struct decimal {
    const char *digits, *end; /* the text from the first significant digit to behind the last digit */
    uint64_t mantissa;
    int64_t exponent; /* of the mantissa's last digit */
    size_t dropped;   /* significant digits left out of the mantissa */
};

/* Way 3. */
static double by_library(const struct decimal *d)
{
    char text[DIGITS_MAX + 32];
    size_t n = 0, left_out = 0;
    bool rest = false;
    for (const char *p = d->digits; p != d->end; p++) {
        if (*p == '.')
            continue;
        if (n < DIGITS_MAX) {
            text[n++] = *p;
        } else {
            rest |= *p != '0';
            left_out++;
        }
    }
    int64_t exponent = d->exponent - (int64_t)d->dropped + (int64_t)left_out;
    if (rest) {
        text[n++] = '1';
        exponent--;
    }
    snprintf(text + n, sizeof(text) - n, "e%d", (int)exponent);
    return strtod(text, NULL);
}

static int parse_decimal(const char *p, const char *end, struct decimal *d)
{
    const char *first = NULL, *point = NULL, *start = p;
    uint64_t mantissa = 0;
    size_t n = 0; /* significant digits */
    for (; p != end; p++) {
        unsigned digit = (unsigned char)(*p - '0');
        if (digit >= 10) {
            if (*p != '.' || point != NULL)
                break;
            point = p;
            continue;
        }
        if (n == 0 && digit == 0)
            continue;
        if (n++ == 0)
            first = p;
        if (n <= MANTISSA_DIGITS)
            mantissa = mantissa * 10 + digit;
    }
    if (p - start == (point != NULL))
        return -EINVAL; /* no digit at all */
    d->digits = first;
    d->end = p;
    d->mantissa = mantissa;
    d->dropped = n > MANTISSA_DIGITS ? n - MANTISSA_DIGITS : 0;
    d->exponent = (int64_t)d->dropped - (point != NULL ? p - point - 1 : 0);
    if (p != end && (*p | 32) == 'e') {
        bool negative = false;
        p++;
        if (p != end && (*p == '-' || *p == '+'))
            negative = *p++ == '-';
        if (p == end)
            return -EINVAL;
        int64_t e = 0;
        for (; p != end && is_digit(*p); p++)
            if (e < INT64_C(1000000000000000))
                e = e * 10 + (*p - '0');
        d->exponent += negative ? -e : e;
    }
    return p == end ? 0 : -EINVAL;
}

int tsfs_num_parse_double(struct tsfs_str s, double *out)
{
    const char *p = s.ptr, *end = s.ptr + s.len;
    bool negative = false;
    if (p != end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    struct decimal d;
    int rc = parse_decimal(p, end, &d);
    if (rc != 0)
        return rc;
    if (d.exponent > EXPONENT_MAX)
        d.exponent = EXPONENT_MAX;
    if (d.exponent < -EXPONENT_MAX)
        d.exponent = -EXPONENT_MAX;
    double v = tsfs_num_scale(d.mantissa, (int)d.exponent);
    if (d.dropped > 0 && v != tsfs_num_scale(d.mantissa + 1, (int)d.exponent))
        v = by_library(&d);
    if (isinf(v))
        return -ERANGE;
    *out = negative ? -v : v;
    return 0;
}

int tsfs_num_parse_i64(struct tsfs_str s, int64_t *out)
{
    const char *p = s.ptr, *end = s.ptr + s.len;
    bool negative = false;
    if (p != end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    if (p == end)
        return -EINVAL;
    uint64_t v = 0;
    bool over = false;
    for (; p != end; p++) {
        if (!is_digit(*p))
            return -EINVAL;
        over |= __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
    }
    if (over || v > (uint64_t)INT64_MAX + negative)
        return -ERANGE;
    *out = (int64_t)(negative ? 0 - v : v);
    return 0;
}

int tsfs_num_parse_size(struct tsfs_str s, int64_t *out)
{
    static const char units[] = "KMGT";
    size_t digits = 0;
    while (digits < s.len && is_digit(s.ptr[digits]))
        digits++;
    struct tsfs_str unit = {s.ptr + digits, s.len - digits};
    unsigned shift = 0;
    const char *found = unit.len > 0 ? memchr(units, unit.ptr[0] & ~0x20, sizeof(units) - 1) : NULL;
    if (found != NULL) {
        shift = 10 * (unsigned)(found - units + 1);
        size_t skip = unit.len == 3 && unit.ptr[1] == 'i' ? 2 : 1;
        unit = (struct tsfs_str){unit.ptr + skip, unit.len - skip};
    }
    if (unit.len > 1 || (unit.len == 1 && (unit.ptr[0] & ~0x20) != 'B'))
        return -EINVAL;
    int64_t n;
    int rc = tsfs_num_parse_i64((struct tsfs_str){s.ptr, digits}, &n);
    if (rc == 0 && n > INT64_MAX >> shift)
        rc = -ERANGE;
    if (rc == 0)
        *out = n << shift;
    return rc;
}
