/* Doubles as text on random bit patterns.  Reading must agree with the C library's strtod to the last bit,
 * printing with the smallest %.*e that reads back.  Catches a wrong entry of the table of powers, a rounding
 * that goes the wrong way at a half, an interval whose ends are taken in or left out wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/random.h"
#include "base/num.h"

#define ROUNDS 300000

static uint64_t state_word = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
    return test_random(&state_word) * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* All sorts: any bits, the neighbourhood of powers of two, subnormals, few digits, integers. */
static double some_double(unsigned kind)
{
    double v;
    do {
        uint64_t r = next();
        switch (kind % 6) {
        case 0: v = double_of(r); break;
        case 1: v = double_of((r >> 12 & 0x7ff) << 52) + 0; break;
        case 2: v = double_of(((r >> 12 & 0x7ff) << 52) + (r & 3) - 1); break;
        case 3: v = double_of(r >> 12 >> (r & 31)); break;
        case 4: v = (double)(int64_t)(r >> 40) / 1000; break;
        default: v = (double)(r >> (r & 63)); break;
        }
    } while (!isfinite(v));
    return v;
}

static void read_as_library(const char *text)
{
    double v = -1, expect = strtod(text, NULL);
    int rc = tsfs_num_parse_double(tsfs_str_from(text), &v);
    if (isinf(expect) ? rc != -ERANGE : rc != 0 || bits_of(v) != bits_of(expect))
        fail_msg("\"%s\": %d, %.17g instead of %.17g", text, rc, v, expect);
}

static void reading_agrees_with_the_library(void **state)
{
    char text[1200];
    for (unsigned i = 0; i < ROUNDS; i++) {
        double v = some_double(i);
        static const int precisions[] = {16, 15, 17, 18, 19, 24, 40};
        snprintf(text, sizeof(text), "%.*e", precisions[i / 6 % 7], v);
        read_as_library(text);
        /* Digits and exponents that no double printed. */
        uint64_t r = next();
        snprintf(text, sizeof(text), "%llue%d", (unsigned long long)(next() >> (r & 63)),
                 (int)(r >> 32) % 345);
        read_as_library(text);
        snprintf(text, sizeof(text), "%llu.%019llue%d", (unsigned long long)(next() >> (r & 63)),
                 (unsigned long long)(next() % 10000000000000000000u), (int)(r >> 40) % 330);
        read_as_library(text);
    }
}

static void halves_go_to_even(void **state)
{
    /* The exact midpoint of two neighbours, and a hair to either side. */
    char text[1200];
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        double v = fabs(some_double(i));
        if (v > 1e300 || bits_of(v) >> 52 == 0)
            continue;
        int exponent;
        uint64_t c = (uint64_t)ldexp(frexp(v, &exponent), 53);
        exponent -= 53;
        /* (2c + 1) * 2^(exponent - 1), in decimal: long double holds it exactly. */
        long double middle = ldexpl((long double)(2 * c + 1), exponent - 1);
        snprintf(text, sizeof(text), "%.800Le", middle);
        read_as_library(text);
        char *e = strchr(text, 'e');
        char tail[16];
        snprintf(tail, sizeof(tail), "%s", e);
        snprintf(e, 32, "000001%s", tail);
        read_as_library(text);
        char *last = e - 1; /* and one below: take one off the last digit that is not zero */
        while (*last == '0' || *last == '.')
            last--;
        --*last;
        read_as_library(text);
    }
}

static void printing_is_shortest_and_nearest(void **state)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        double v = some_double(i);
        char text[TSFS_NUM_TEXT_MAX + 1], digits[40] = "", expect[40] = "", e[40];
        unsigned n = tsfs_num_format_double(v, text);
        assert_true(n <= TSFS_NUM_TEXT_MAX);
        text[n] = '\0';
        double back = strtod(text, NULL);
        if (bits_of(back) != bits_of(v))
            fail_msg("%.17g is printed as %s", v, text);
        if (v == 0)
            continue;
        int precision = 0;
        do {
            snprintf(e, sizeof(e), "%.*e", precision++, v);
        } while (strtod(e, NULL) != v);
        size_t k = 0, m = 0;
        for (const char *p = text; *p != '\0' && *p != 'e'; p++)
            if (*p >= '0' && *p <= '9' && (m > 0 || *p != '0'))
                digits[m++] = *p;
        while (m > 1 && digits[m - 1] == '0')
            digits[--m] = '\0';
        for (const char *p = e; *p != 'e'; p++)
            if (*p >= '0' && *p <= '9')
                expect[k++] = *p;
        /* Above a power of two the shortest decimal need not be the rounded one. */
        bool power_of_two = (bits_of(v) & ((UINT64_C(1) << 52) - 1)) == 0;
        if (m > k || (!power_of_two && strcmp(digits, expect) != 0))
            fail_msg("%.17g is printed as %s, %s is as good", v, text, e);
        double parsed;
        assert_int_equal(tsfs_num_parse_double((struct tsfs_str){text, n}, &parsed), 0);
        assert_true(bits_of(parsed) == bits_of(v));
    }
}

static void integers_there_and_back(void **state)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t v = (int64_t)next() >> (i & 63), back;
        char text[TSFS_NUM_TEXT_MAX], expect[40];
        unsigned n = tsfs_num_format_i64(v, text);
        assert_int_equal(n, snprintf(expect, sizeof(expect), "%lld", (long long)v));
        assert_memory_equal(text, expect, n);
        assert_int_equal(tsfs_num_parse_i64((struct tsfs_str){text, n}, &back), 0);
        assert_true(back == v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_agrees_with_the_library),
        cmocka_unit_test(halves_go_to_even),
        cmocka_unit_test(printing_is_shortest_and_nearest),
        cmocka_unit_test(integers_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
