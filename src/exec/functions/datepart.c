/* The parts of timestamps, dates, times and intervals: year() ... nanosecond(), what EXTRACT becomes. */
#include <errno.h>

#include "base/time.h"
#include "exec/functions/functions_priv.h"

enum part { YEAR, QUARTER, MONTH, WEEK, DAY, DAY_OF_WEEK, DAY_OF_YEAR, YEAR_OF_WEEK };

/* Monday = 1 ... Sunday = 7. */
static int64_t day_of_week(int64_t day)
{
    int64_t rest = (day + 3) % 7; /* day 0 was a Thursday */
    return (rest < 0 ? rest + 7 : rest) + 1;
}

static int64_t day_part(int64_t day, enum part part)
{
    int32_t year;
    unsigned month, dom;
    switch (part) {
    case DAY_OF_WEEK: return day_of_week(day);
    case WEEK:
    case YEAR_OF_WEEK:
        /* A week belongs to the year of its Thursday (ISO 8601). */
        day += 4 - day_of_week(day);
        break;
    default: break;
    }
    tsfs_time_civil_from_days(day, &year, &month, &dom);
    switch (part) {
    case YEAR:
    case YEAR_OF_WEEK: return year;
    case QUARTER: return (month + 2) / 3;
    case MONTH: return month;
    case DAY: return dom;
    case WEEK: return (day - tsfs_time_days_from_civil(year, 1, 1)) / 7 + 1;
    default: return day - tsfs_time_days_from_civil(year, 1, 1) + 1;
    }
}

/* scale: what a row's number counts in days. Neighbouring rows mostly share their day. */
static inline int day_parts(KERNEL_ARGS, enum part part, int64_t scale)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    int64_t last_day = 0, last = 0;
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        int64_t day = calendar_floor_div(args[0].i[row_at(&args[0], i)], scale);
        if (!any || day != last_day) {
            last = day_part(day, part);
            last_day = day;
            any = true;
        }
        r[i] = last;
    }
    return 0;
}

#define DAY_PART(NAME, PART)                                                                                 \
    static int ts_##NAME(KERNEL_ARGS)                                                                        \
    {                                                                                                        \
        return day_parts(ctx, args, nargs, n, valid, out, PART, TSFS_NS_PER_DAY);                            \
    }                                                                                                        \
    static int date_##NAME(KERNEL_ARGS)                                                                      \
    {                                                                                                        \
        return day_parts(ctx, args, nargs, n, valid, out, PART, 1);                                          \
    }

DAY_PART(year, YEAR)
DAY_PART(quarter, QUARTER)
DAY_PART(month, MONTH)
DAY_PART(week, WEEK)
DAY_PART(day, DAY)
DAY_PART(dow, DAY_OF_WEEK)
DAY_PART(doy, DAY_OF_YEAR)
DAY_PART(yow, YEAR_OF_WEEK)

/* Parts that plain division gives.  Timestamps and times of day count from midnight; a negative interval has
 * negative parts. */
#define DIVIDED(NAME, EXPR)                                                                                  \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        int64_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                       \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        const int64_t *restrict a = args[0].i;                                                               \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            const int64_t x = a[row_at(&args[0], i)];                                                        \
            r[i] = (EXPR);                                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }

static inline int64_t below(int64_t x, int64_t unit)
{
    int64_t rest = x % unit;
    return rest < 0 ? rest + unit : rest;
}

DIVIDED(ts_hour, below(x, TSFS_NS_PER_DAY) / TSFS_NS_PER_HOUR)
DIVIDED(ts_minute, below(x, TSFS_NS_PER_HOUR) / TSFS_NS_PER_MIN)
DIVIDED(ts_second, below(x, TSFS_NS_PER_MIN) / TSFS_NS_PER_S)
DIVIDED(ts_millisecond, below(x, TSFS_NS_PER_S) / TSFS_NS_PER_MS)
DIVIDED(ts_microsecond, below(x, TSFS_NS_PER_S) / TSFS_NS_PER_US)
DIVIDED(ts_nanosecond, below(x, TSFS_NS_PER_S))
DIVIDED(ds_day, x / TSFS_NS_PER_DAY)
DIVIDED(ds_hour, x % TSFS_NS_PER_DAY / TSFS_NS_PER_HOUR)
DIVIDED(ds_minute, x % TSFS_NS_PER_HOUR / TSFS_NS_PER_MIN)
DIVIDED(ds_second, x % TSFS_NS_PER_MIN / TSFS_NS_PER_S)
DIVIDED(ds_millisecond, x % TSFS_NS_PER_S / TSFS_NS_PER_MS)
DIVIDED(ds_microsecond, x % TSFS_NS_PER_S / TSFS_NS_PER_US)
DIVIDED(ds_nanosecond, x % TSFS_NS_PER_S)
DIVIDED(ym_year, x / 12)
DIVIDED(ym_month, x % 12)

/* Timestamps first: a string argument becomes one. */
#define OF_DAYS(NAME, KERNEL, HELP)                                                                          \
    SCALAR(NAME, BIG, ts_##KERNEL, HELP, TS), SCALAR(NAME, BIG, date_##KERNEL, HELP, DATE)
#define OF_CLOCK(NAME, KERNEL, HELP)                                                                         \
    SCALAR(NAME, BIG, ts_##KERNEL, HELP, TS), SCALAR(NAME, BIG, ts_##KERNEL, HELP, TIME),                    \
        SCALAR(NAME, BIG, ds_##KERNEL, HELP, DS)

static const struct tsfs_function items[] = {
    OF_DAYS("year", year, "year(t): the year"),
    SCALAR("year", BIG, ym_year, "year(t): the year", YM),
    OF_DAYS("quarter", quarter, "quarter(t): 1 to 4"),
    OF_DAYS("month", month, "month(t): 1 to 12"),
    SCALAR("month", BIG, ym_month, "month(t): 1 to 12", YM),
    OF_DAYS("week", week, "week(t): ISO week, 1 to 53"),
    OF_DAYS("week_of_year", week, "week_of_year(t): ISO week, 1 to 53"),
    OF_DAYS("day", day, "day(t): day of the month; of an interval, whole days"),
    SCALAR("day", BIG, ds_day, "day(t): day of the month; of an interval, whole days", DS),
    OF_DAYS("day_of_month", day, "day_of_month(t): 1 to 31"),
    OF_DAYS("day_of_week", dow, "day_of_week(t): Monday = 1 to Sunday = 7"),
    OF_DAYS("dow", dow, "dow(t): Monday = 1 to Sunday = 7"),
    OF_DAYS("day_of_year", doy, "day_of_year(t): 1 to 366"),
    OF_DAYS("doy", doy, "doy(t): 1 to 366"),
    OF_DAYS("year_of_week", yow, "year_of_week(t): the year of t's ISO week"),
    OF_DAYS("yow", yow, "yow(t): the year of t's ISO week"),
    OF_CLOCK("hour", hour, "hour(t): 0 to 23"),
    OF_CLOCK("minute", minute, "minute(t): 0 to 59"),
    OF_CLOCK("second", second, "second(t): 0 to 59"),
    OF_CLOCK("millisecond", millisecond, "millisecond(t): milliseconds of the second, 0 to 999"),
    OF_CLOCK("microsecond", microsecond, "microsecond(t): microseconds of the second, 0 to 999999"),
    OF_CLOCK("nanosecond", nanosecond, "nanosecond(t): nanoseconds of the second, 0 to 999999999"),
};

const struct function_table functions_date_part = FUNCTION_TABLE(items);
