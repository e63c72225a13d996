#include <errno.h>
#include <strings.h>

#include "base/time.h"
#include "exec/functions/functions_priv.h"

int64_t calendar_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

unsigned calendar_days_of_month(int32_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int calendar_add_months_date(int64_t days, int64_t months, int64_t *out)
{
    int32_t year;
    unsigned month, day;
    tsfs_time_civil_from_days(days, &year, &month, &day);
    int64_t total;
    if (__builtin_add_overflow((int64_t)year * 12 + (int64_t)month - 1, months, &total))
        return -ERANGE;
    int64_t to_year = calendar_floor_div(total, 12);
    if (to_year < INT32_MIN / 366 || to_year > INT32_MAX / 366)
        return -ERANGE;
    unsigned to_month = (unsigned)(total - to_year * 12) + 1;
    unsigned last = calendar_days_of_month((int32_t)to_year, to_month);
    *out = tsfs_time_days_from_civil((int32_t)to_year, to_month, day < last ? day : last);
    return calendar_date_ok(*out) ? 0 : -ERANGE;
}

int calendar_add_months_ts(int64_t ns, int64_t months, int64_t *out)
{
    int64_t days = calendar_floor_div(ns, TSFS_NS_PER_DAY);
    int64_t of_day = (int64_t)((uint64_t)ns - (uint64_t)days * (uint64_t)TSFS_NS_PER_DAY);
    int rc = calendar_add_months_date(days, months, &days);
    if (rc != 0)
        return rc;
    __extension__ typedef __int128 wide;
    wide sum = (wide)days * TSFS_NS_PER_DAY + of_day;
    if (sum < INT64_MIN || sum > INT64_MAX)
        return -ERANGE;
    *out = (int64_t)sum;
    return 0;
}

int64_t calendar_months_between(int64_t a_ns, int64_t b_ns)
{
    if (b_ns < a_ns)
        return -calendar_months_between(b_ns, a_ns);
    struct tsfs_civil a, b;
    tsfs_time_to_civil(a_ns, &a);
    tsfs_time_to_civil(b_ns, &b);
    int64_t months = ((int64_t)b.year - a.year) * 12 + b.month - a.month;
    unsigned a_day = a.day;
    /* The last day of a shorter month completes the month, as it does when months are added. */
    if (b.day == calendar_days_of_month(b.year, b.month) && a_day > b.day)
        a_day = b.day;
    int64_t a_rest = ((a_day * 24 + a.hour) * 60 + a.minute) * 60 + a.second;
    int64_t b_rest = ((b.day * 24 + b.hour) * 60 + b.minute) * 60 + b.second;
    if (b_rest < a_rest || (b_rest == a_rest && b.nanosecond < a.nanosecond))
        months--;
    return months;
}

const int64_t calendar_unit_ns[] = {
    [UNIT_NANOSECOND] = 1,         [UNIT_MICROSECOND] = TSFS_NS_PER_US, [UNIT_MILLISECOND] = TSFS_NS_PER_MS,
    [UNIT_SECOND] = TSFS_NS_PER_S, [UNIT_MINUTE] = TSFS_NS_PER_MIN,     [UNIT_HOUR] = TSFS_NS_PER_HOUR,
    [UNIT_DAY] = TSFS_NS_PER_DAY,  [UNIT_WEEK] = 7 * TSFS_NS_PER_DAY,
};

enum calendar_unit calendar_unit_from(struct tsfs_str name)
{
    static const struct {
        const char *name;
        enum calendar_unit unit;
    } units[] = {
        {"nanosecond", UNIT_NANOSECOND},
        {"ns", UNIT_NANOSECOND},
        {"microsecond", UNIT_MICROSECOND},
        {"us", UNIT_MICROSECOND},
        {"ms", UNIT_MILLISECOND},
        {"millisecond", UNIT_MILLISECOND},
        {"second", UNIT_SECOND},
        {"s", UNIT_SECOND},
        {"minute", UNIT_MINUTE},
        {"m", UNIT_MINUTE},
        {"hour", UNIT_HOUR},
        {"h", UNIT_HOUR},
        {"day", UNIT_DAY},
        {"d", UNIT_DAY},
        {"week", UNIT_WEEK},
        {"month", UNIT_MONTH},
        {"quarter", UNIT_QUARTER},
        {"year", UNIT_YEAR},
        {"y", UNIT_YEAR},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].name) == name.len && strncasecmp(units[i].name, name.ptr, name.len) == 0)
            return units[i].unit;
    return UNIT_NONE;
}
