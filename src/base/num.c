#include "base/num.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* No more significant digits than this ever decide how a decimal rounds to a double (the exact
 * expansion of the midpoint of two neighbours has at most 767); what follows is only non-zero or not. */
#define DIGITS_MAX 800

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* digits[0..n) * 10^exponent by the C library; the text has no radix character, so no locale matters. */
static double by_strtod(const char *digits, size_t n, int64_t exponent)
{
    char text[DIGITS_MAX + 32];
    memcpy(text, digits, n);
    if (exponent > 99999)
        exponent = 99999;
    if (exponent < -99999)
        exponent = -99999;
    snprintf(text + n, sizeof(text) - n, "e%d", (int)exponent);
    return strtod(text, NULL);
}

int tsfs_num_parse_double(struct tsfs_str s, double *out)
{
    const char *p = s.ptr, *end = s.ptr + s.len;
    bool negative = false;
    if (p != end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';

    uint64_t mantissa = 0;
    char digits[DIGITS_MAX + 1];
    size_t n = 0; /* significant digits held */
    bool any = false, dropped = false, point = false;
    int64_t exponent = 0;
    for (; p != end; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(*p))
            break;
        any = true;
        if (n == 0 && *p == '0') {
            exponent -= point;
        } else if (n < DIGITS_MAX) {
            if (n < 19)
                mantissa = mantissa * 10 + (uint64_t)(*p - '0');
            digits[n++] = *p;
            exponent -= point;
        } else {
            dropped |= *p != '0';
            exponent += !point;
        }
    }
    if (!any)
        return -EINVAL;
    if (p != end && (*p == 'e' || *p == 'E')) {
        bool minus = false;
        p++;
        if (p != end && (*p == '-' || *p == '+'))
            minus = *p++ == '-';
        if (p == end)
            return -EINVAL;
        int64_t e = 0;
        for (; p != end && is_digit(*p); p++)
            if (e < INT64_C(1000000000000))
                e = e * 10 + (*p - '0');
        exponent += minus ? -e : e;
    }
    if (p != end)
        return -EINVAL;

    double v;
    if (n == 0) {
        v = 0;
    } else if (n <= 19 && mantissa <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
        /* Both exact, so the one operation rounds right (Clinger 1990). */
        v = (double)mantissa;
        v = exponent < 0 ? v / exact_powers[-exponent] : v * exact_powers[exponent];
    } else {
        if (dropped)
            digits[n++] = '1', exponent--;
        v = by_strtod(digits, n, exponent);
        if (isinf(v))
            return -ERANGE;
    }
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

static unsigned put_u64(uint64_t v, char *out)
{
    char text[20];
    unsigned n = 0;
    do {
        text[sizeof(text) - ++n] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    memcpy(out, text + sizeof(text) - n, n);
    return n;
}

unsigned tsfs_num_format_i64(int64_t v, char out[TSFS_NUM_TEXT_MAX])
{
    unsigned sign = v < 0;
    out[0] = '-';
    return sign + put_u64(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, out + sign);
}

/* The fewest digits that read back to v, as an integer without trailing zeros, times 10^*exponent. */
static uint64_t shortest(double v, int *exponent)
{
    if (v < 1e15) {
        /* At most 15 digits are unique to their double: the first hit is the shortest. */
        for (int k = 0; k <= 6; k++) {
            double scaled = nearbyint(v * exact_powers[k]);
            if (scaled >= 1e15)
                break;
            if (scaled / exact_powers[k] == v) {
                *exponent = -k;
                return (uint64_t)scaled;
            }
        }
    }
    for (int precision = 14;; precision++) {
        char text[TSFS_NUM_TEXT_MAX];
        snprintf(text, sizeof(text), "%.*e", precision, v);
        char digits[18];
        size_t n = 0;
        const char *p = text;
        for (; *p != 'e'; p++)
            if (is_digit(*p))
                digits[n++] = *p;
        *exponent = atoi(p + 1) - precision;
        if (precision < 16 && by_strtod(digits, n, *exponent) != v)
            continue;
        uint64_t m = 0;
        for (size_t i = 0; i < n; i++)
            m = m * 10 + (uint64_t)(digits[i] - '0');
        return m;
    }
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
    while (m % 10 == 0) {
        m /= 10;
        exponent++;
    }
    char digits[20];
    int n = (int)put_u64(m, digits);
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
        p += put_u64(e, p);
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
