/* Zones of the system's tz database: known offsets, skipped and doubled hours, years behind the last that is
 * listed, and names that lead out of the database.  Without a database there is nothing to test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "base/zone.h"

static int64_t instant(const char *text)
{
    int64_t ns = 0;
    assert_int_equal(tsfs_time_parse(tsfs_str_from(text), &ns), 0);
    return ns;
}

static void offsets(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *local, *utc; /* utc NULL: clocks skip it */
    } cases[] = {
        {"Europe/Berlin", "2024-01-15 12:00", "2024-01-15 11:00"},
        {"Europe/Berlin", "2024-07-15 12:00", "2024-07-15 10:00"},
        {"Europe/Berlin", "2024-03-31 01:59:59.999999999", "2024-03-31 00:59:59.999999999"},
        {"Europe/Berlin", "2024-03-31 02:00", NULL},
        {"Europe/Berlin", "2024-03-31 02:59:59", NULL},
        {"Europe/Berlin", "2024-03-31 03:00", "2024-03-31 01:00"},
        {"Europe/Berlin", "2024-10-27 02:30", "2024-10-27 00:30"},
        {"Europe/Berlin", "2024-10-27 03:00", "2024-10-27 02:00"},
        {"Europe/Berlin", "2150-07-15 12:00", "2150-07-15 10:00"},
        {"Europe/Berlin", "2150-12-15 12:00", "2150-12-15 11:00"},
        {"Australia/Sydney", "2150-12-15 12:00", "2150-12-15 01:00"},
        {"Australia/Sydney", "2150-07-15 12:00", "2150-07-15 02:00"},
        {"America/New_York", "1969-12-31 19:00", "1970-01-01 00:00"},
        {"Asia/Kolkata", "2024-07-15 05:30", "2024-07-15 00:00"},
        {"Asia/Kathmandu", "2024-07-15 05:45", "2024-07-15 00:00"},
        {"Pacific/Apia", "2011-12-30 12:00", NULL}, /* a day that was left out */
        {"Pacific/Kiritimati", "2024-01-01 14:00", "2024-01-01 00:00"},
        {"Etc/GMT+5", "2024-01-01 00:00", "2024-01-01 05:00"},
        {"UTC", "2024-01-01 00:00", "2024-01-01 00:00"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct tsfs_zone *zone;
        int64_t utc = 0;
        int rc = tsfs_zone_find(tsfs_str_from(cases[i].zone), &zone);
        if (rc == -ENOENT && access("/usr/share/zoneinfo", F_OK) != 0)
            skip();
        assert_int_equal(rc, 0);
        rc = tsfs_zone_to_utc(zone, instant(cases[i].local), &utc);
        if (rc != (cases[i].utc == NULL ? -ERANGE : 0) || (rc == 0 && utc != instant(cases[i].utc)))
            fail_msg("%s %s: %d, %lld", cases[i].zone, cases[i].local, rc, (long long)utc);
    }
}

static void names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "/etc/passwd",    "../../../etc/passwd", "Europe",  "Europe/",
                                      "tzdata", "Europe/Berlin ", "Europe/\nBerlin",     "zone.tab"};
    const struct tsfs_zone *zone, *again;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (tsfs_zone_find(tsfs_str_from(bad[i]), &zone) != -ENOENT)
            fail_msg("%s is a zone", bad[i]);
    char name[200];
    memset(name, 'x', sizeof(name));
    assert_int_equal(tsfs_zone_find((struct tsfs_str){name, sizeof(name)}, &zone), -ENOENT);
    if (tsfs_zone_find(TSFS_STR("Europe/Paris"), &zone) == 0) {
        assert_int_equal(tsfs_zone_find(TSFS_STR("Europe/Paris"), &again), 0);
        assert_ptr_equal(zone, again);
    }
}

/* Instants at both ends. */
static void range(void **state)
{
    (void)state;
    const struct tsfs_zone *zone;
    int64_t utc;
    if (tsfs_zone_find(TSFS_STR("America/New_York"), &zone) != 0)
        skip();
    assert_int_equal(tsfs_zone_to_utc(zone, INT64_MAX, &utc), -ERANGE);
    assert_int_equal(tsfs_zone_to_utc(zone, INT64_MIN, &utc), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(offsets), cmocka_unit_test(names),
                                       cmocka_unit_test(range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
