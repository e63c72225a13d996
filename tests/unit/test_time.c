/* The calendar against the C library, text forms there and back, and the edges of the int64 range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/time.h"

static void agrees_with_libc(void **state)
{
    uint64_t x = 1;
    for (int i = 0; i < 200000; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        int64_t ns = (int64_t)x;
        struct tsfs_civil c;
        tsfs_time_to_civil(ns, &c);
        time_t seconds = (time_t)(tsfs_time_floor(ns, TSFS_NS_PER_S) / TSFS_NS_PER_S);
        if (tsfs_time_floor(ns, TSFS_NS_PER_S) == INT64_MIN)
            continue;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour, tm.tm_hour);
        assert_int_equal(c.minute, tm.tm_min);
        assert_int_equal(c.second, tm.tm_sec);
        int64_t back;
        assert_int_equal(tsfs_time_from_civil(&c, &back), 0);
        assert_true(back == ns);
        char text[TSFS_TIME_TEXT_MAX];
        unsigned n = tsfs_time_format(ns, text);
        assert_int_equal(n, 29);
        assert_int_equal(tsfs_time_parse((struct tsfs_str){text, n}, &back), 0);
        assert_true(back == ns);
    }
}

static void every_day_of_an_era(void **state)
{
    int64_t day = tsfs_time_days_from_civil(1600, 1, 1);
    assert_int_equal(tsfs_time_days_from_civil(1970, 1, 1), 0);
    for (int i = 0; i < 146097 + 366; i++, day++) {
        int32_t year;
        unsigned month, d;
        tsfs_time_civil_from_days(day, &year, &month, &d);
        if (tsfs_time_days_from_civil(year, month, d) != day)
            fail_msg("day %lld", (long long)day);
    }
}

static void edges(void **state)
{
    char text[TSFS_TIME_TEXT_MAX];
    int64_t ns;
    assert_memory_equal(text, (tsfs_time_format(INT64_MIN, text), "1677-09-21 00:12:43.145224192"), 29);
    assert_memory_equal(text, (tsfs_time_format(INT64_MAX, text), "2262-04-11 23:47:16.854775807"), 29);
    assert_memory_equal(text, (tsfs_time_format(-1, text), "1969-12-31 23:59:59.999999999"), 29);
    assert_int_equal(tsfs_time_parse(TSFS_STR("1677-09-21 00:12:43.145224192"), &ns), 0);
    assert_true(ns == INT64_MIN);
    assert_int_equal(tsfs_time_parse(TSFS_STR("1677-09-21 00:12:43.145224191"), &ns), -ERANGE);
    assert_int_equal(tsfs_time_parse(TSFS_STR("2262-04-11 23:47:16.854775808"), &ns), -ERANGE);
    assert_int_equal(tsfs_time_parse(TSFS_STR("9999-01-01"), &ns), -ERANGE);
    assert_int_equal(tsfs_time_floor(-1, 10), -10);
    assert_int_equal(tsfs_time_floor(-10, 10), -10);
    assert_int_equal(tsfs_time_floor(19, 10), 10);
    assert_true(tsfs_time_floor(INT64_MIN + 1, TSFS_NS_PER_DAY) == INT64_MIN);
    assert_int_equal(tsfs_time_format_date(-719528, text), 10);
    assert_memory_equal(text, "0000-01-01", 10);
    assert_int_equal(tsfs_time_format_time_of_day(TSFS_NS_PER_DAY - 1, text), 18);
    assert_memory_equal(text, "23:59:59.999999999", 18);
    assert_true(tsfs_time_now() > 1700000000 * TSFS_NS_PER_S);
    int64_t before = tsfs_time_monotonic();
    assert_true(tsfs_time_monotonic() >= before);
}

static void text_forms(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t seconds, ns;
    } cases[] = {
        {"2026", 0, 1767225600, 0},
        {"2026-11", 0, 1793491200, 0},
        {"2026-11-22", 0, 1795305600, 0},
        {" 2026-11-22 ", 0, 1795305600, 0},
        {"2026-11-22 10:20", 0, 1795342800, 0},
        {"2026-11-22T10:20:30", 0, 1795342830, 0},
        {"2026-11-22 10:20:30.5", 0, 1795342830, 500000000},
        {"2026-11-22 10:20:30.123456789Z", 0, 1795342830, 123456789},
        {"2026-11-22 10:20:30 UTC", 0, 1795342830, 0},
        {"2026-11-22 10:20:30+01:00", 0, 1795339230, 0},
        {"2026-11-22 10:20:30 -0130", 0, 1795348230, 0},
        {"2026-11-22 10:20:30.1234567894", 0, 1795342830, 123456789},
        {"2026-11-22 10:20:30.1234567895", 0, 1795342830, 123456790},
        {"2026-12-31 23:59:59.9999999999", 0, 1798761600, 0},
        {"2026-1-2 3:4:5", 0, 1767323045, 0},
        {"2026-11-22 10:20:30.", -EINVAL, 0, 0},
        {"2026-11-22 10", -EINVAL, 0, 0},
        {"2026-1-2", 0, 1767312000, 0},
        {"2026-001-02", -EINVAL, 0, 0},
        {"2026-1-2 003:04", -EINVAL, 0, 0},
        {"2026-11-22x", -EINVAL, 0, 0},
        {"2026-11-22 10:20 +1", -EINVAL, 0, 0},
        {"2026-11-22 10:20 CET", -EINVAL, 0, 0},
        {"", -EINVAL, 0, 0},
        {"now", -EINVAL, 0, 0},
        {"2026-13-01", -ERANGE, 0, 0},
        {"2026-00-01", -ERANGE, 0, 0},
        {"2026-02-29", -ERANGE, 0, 0},
        {"2024-02-29", 0, 1709164800, 0},
        {"1900-02-29", -ERANGE, 0, 0},
        {"2026-11-22 24:00", -ERANGE, 0, 0},
        {"2026-11-22 10:60", -ERANGE, 0, 0},
        {"2026-11-22 10:20:60", -ERANGE, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = 0;
        int rc = tsfs_time_parse(tsfs_str_from(cases[i].text), &ns);
        if (rc != cases[i].rc || (rc == 0 && ns != cases[i].seconds * TSFS_NS_PER_S + cases[i].ns))
            fail_msg("\"%s\": %d, %lld", cases[i].text, rc, (long long)ns);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t ns;
        const char *shortest;
    } cases[] = {
        {"90s", 0, 90 * TSFS_NS_PER_S, "90s"},
        {"15m", 0, 15 * TSFS_NS_PER_MIN, "15m"},
        {"12h", 0, 12 * TSFS_NS_PER_HOUR, "12h"},
        {"30d", 0, 30 * TSFS_NS_PER_DAY, "30d"},
        {"10y", 0, 3650 * TSFS_NS_PER_DAY, "3650d"},
        {"500ms", 0, 500 * TSFS_NS_PER_MS, "500ms"},
        {"2w", 0, 14 * TSFS_NS_PER_DAY, "14d"},
        {"24h", 0, TSFS_NS_PER_DAY, "1d"},
        {"1001us", 0, 1001000, "1001us"},
        {"7ns", 0, 7, "7ns"},
        {"0s", 0, 0, "0s"},
        {" 60s\n", 0, TSFS_NS_PER_MIN, "1m"},
        {"73000d", 0, 73000 * TSFS_NS_PER_DAY, "73000d"},
        {"9223372036854775807ns", 0, INT64_MAX, "9223372036854775807ns"},
        {"0", -EINVAL, 0, NULL},
        {"12", -EINVAL, 0, NULL},
        {"h", -EINVAL, 0, NULL},
        {"-1s", -EINVAL, 0, NULL},
        {"1.5h", -EINVAL, 0, NULL},
        {"1h30m", -EINVAL, 0, NULL},
        {"1 h", -EINVAL, 0, NULL},
        {"", -EINVAL, 0, NULL},
        {"300y", -ERANGE, 0, NULL},
        {"99999999999999999999s", -ERANGE, 0, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = 0, back = 0;
        int rc = tsfs_duration_parse(tsfs_str_from(cases[i].text), &ns);
        if (rc != cases[i].rc || (rc == 0 && ns != cases[i].ns))
            fail_msg("\"%s\": %d, %lld", cases[i].text, rc, (long long)ns);
        if (rc != 0)
            continue;
        char text[TSFS_TIME_TEXT_MAX];
        unsigned n = tsfs_duration_format(ns, text);
        if (!tsfs_str_eq((struct tsfs_str){text, n}, tsfs_str_from(cases[i].shortest)))
            fail_msg("\"%s\" comes back as \"%.*s\"", cases[i].text, (int)n, text);
        assert_int_equal(tsfs_duration_parse((struct tsfs_str){text, n}, &back), 0);
        assert_true(back == ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_libc), cmocka_unit_test(every_day_of_an_era), cmocka_unit_test(edges),
        cmocka_unit_test(text_forms),       cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
