/* Numbers as text: the grammar, the edges of the ranges, how doubles are shown.  Exactness on random bit
 * patterns is tests/property. */
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

#include "base/num.h"

static void parses_doubles(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"1", 1},
        {"1.", 1},
        {".5", .5},
        {"+1", 1},
        {"-1.5", -1.5},
        {"1e5", 1e5},
        {"1E+5", 1e5},
        {"1.e-2", 0.01},
        {"00012.5000", 12.5},
        {"1e-400", 0},
        {"0e999999999999999999999", 0},
        {"0.000000000000000000000000000001e30", 1},
        {"1000000000000000000000000000000e-30", 1},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"1.7976931348623158e308", 1.7976931348623157e308},
        {"179769313486231580793728971405301e276", 1.7976931348623157e308},
        {"4.9e-324", 5e-324},
        {"2.4703282292062328e-324", 5e-324}, /* just above half of the smallest */
        {"2.4703282292062327e-324", 0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308}, /* once a famous endless loop */
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000001", 9007199254740994.0},
        {"9007199254740995", 9007199254740996.0},
        {"0.1", 0.1},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double v = -1;
        int rc = tsfs_num_parse_double(tsfs_str_from(good[i].text), &v);
        if (rc != 0 || v != good[i].value)
            fail_msg("\"%s\": %d, %.17g", good[i].text, rc, v);
    }
    double v;
    assert_int_equal(tsfs_num_parse_double(TSFS_STR("-0"), &v), 0);
    assert_true(v == 0 && signbit(v));
    assert_int_equal(tsfs_num_parse_double((struct tsfs_str){"12345", 3}, &v), 0);
    assert_true(v == 123);
    static const char *const bad[] = {"",    ".",        "-",     "+",   "e5",      "1e",    "1e+",
                                      "1e-", "1.5.2",    "--1",   "+-1", "0x10",    "inf",   "nan",
                                      "NaN", "1 ",       " 1",    "1,5", "1e5.5",   "1_000", "1f",
                                      "1i",  "infinity", "1e5e5", ".e5", "\xd9\xa1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (tsfs_num_parse_double(tsfs_str_from(bad[i]), &v) != -EINVAL)
            fail_msg("\"%s\" passes", bad[i]);
    static const char *const over[] = {"1e309", "-1e309", "1.7976931348623159e308", "1e99999999999999999999"};
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        if (tsfs_num_parse_double(tsfs_str_from(over[i]), &v) != -ERANGE)
            fail_msg("\"%s\" fits", over[i]);
}

static void endless_digits(void **state)
{
    /* The midpoint of 1 and its neighbour, exactly, then with a digit far behind it. */
    char text[3000] = "1.00000000000000011102230246251565404236316680908203125";
    double v;
    assert_int_equal(tsfs_num_parse_double(tsfs_str_from(text), &v), 0);
    assert_true(v == 1);
    size_t n = strlen(text);
    memset(text + n, '0', sizeof(text) - n);
    assert_int_equal(tsfs_num_parse_double((struct tsfs_str){text, sizeof(text)}, &v), 0);
    assert_true(v == 1);
    text[sizeof(text) - 1] = '1';
    assert_int_equal(tsfs_num_parse_double((struct tsfs_str){text, sizeof(text)}, &v), 0);
    assert_true(v == nextafter(1, 2));
    memset(text, '9', sizeof(text));
    memcpy(text + sizeof(text) - 6, "e-3000", 6);
    assert_int_equal(tsfs_num_parse_double((struct tsfs_str){text, sizeof(text)}, &v), 0);
    assert_true(v == 1e-6);
}

static void integers(void **state)
{
    int64_t v;
    assert_int_equal(tsfs_num_parse_i64(TSFS_STR("-9223372036854775808"), &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(tsfs_num_parse_i64(TSFS_STR("+9223372036854775807"), &v), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(tsfs_num_parse_i64(TSFS_STR("000000000000000000000000000000012"), &v), 0);
    assert_true(v == 12);
    static const char *const over[] = {"9223372036854775808", "-9223372036854775809", "18446744073709551616",
                                       "99999999999999999999999999"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(tsfs_num_parse_i64(tsfs_str_from(over[i]), &v), -ERANGE);
    static const char *const bad[] = {"", "-", "1.0", "1i", " 1", "0x1", "1e3", "99999999999999999999x"};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(tsfs_num_parse_i64(tsfs_str_from(bad[i]), &v), -EINVAL);
    int64_t values[] = {0, 1, -1, 9, 10, 99, 100, INT64_MAX, INT64_MIN, 1234567890123456789};
    for (size_t i = 0; i < 10; i++) {
        char text[TSFS_NUM_TEXT_MAX], expect[40];
        unsigned n = tsfs_num_format_i64(values[i], text);
        assert_int_equal(n, snprintf(expect, sizeof(expect), "%lld", (long long)values[i]));
        assert_memory_equal(text, expect, n);
    }
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"4096", 4096},
        {"4096B", 4096},
        {"1k", 1024},
        {"256M", INT64_C(256) << 20},
        {"2GB", INT64_C(2) << 30},
        {"2GiB", INT64_C(2) << 30},
        {"8388607T", INT64_C(8388607) << 40},
    };
    int64_t v;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(tsfs_num_parse_size(tsfs_str_from(good[i].text), &v), 0);
        assert_int_equal(v, good[i].value);
    }
    static const char *const bad[] = {"",    "M",   "B",    "-1",  "+1",   "1X",
                                      "1 M", "1MM", "1MiX", "1iB", "1.5G", "1BB"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tsfs_num_parse_size(tsfs_str_from(bad[i]), &v), -EINVAL);
    static const char *const over[] = {"8388608T", "9223372036854775808", "99999999999T"};
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        assert_int_equal(tsfs_num_parse_size(tsfs_str_from(over[i]), &v), -ERANGE);
}

static void shows_doubles(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {21.5, "21.5"},
        {100, "100.0"},
        {-1, "-1.0"},
        {0.1, "0.1"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {0.001, "0.001"},
        {0.0001, "1e-04"},
        {1e-7, "1e-07"},
        {1.25e-10, "1.25e-10"},
        {1e15, "1000000000000000.0"},
        {9999999999999998, "9999999999999998.0"},
        {1e16, "1e+16"},
        {1.5e16, "1.5e+16"},
        {1e100, "1e+100"},
        {9007199254740992, "9007199254740992.0"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {5.684341886080802e-14, "5.684341886080802e-14"}, /* 2^-44: the interval below is narrower */
        {9.5367431640625e-07, "9.5367431640625e-07"},
        {123456.789, "123456.789"},
        {1e23, "1e+23"},
        {9.007199254740991e15, "9007199254740991.0"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[TSFS_NUM_TEXT_MAX];
        unsigned n = tsfs_num_format_double(cases[i].value, text);
        if (!tsfs_str_eq((struct tsfs_str){text, n}, tsfs_str_from(cases[i].text)))
            fail_msg("%.17g is shown as \"%.*s\", not \"%s\"", cases[i].value, (int)n, text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_doubles), cmocka_unit_test(endless_digits), cmocka_unit_test(integers),
        cmocka_unit_test(sizes),          cmocka_unit_test(shows_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
