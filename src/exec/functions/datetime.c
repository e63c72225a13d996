/* The clock, date_add and date_diff, and conversions between times and numbers. */
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "base/time.h"
#include "exec/functions/rows.h"

static int64_t *fill(struct tsfs_kernel_ctx *ctx, struct tsfs_vec *out, uint32_t n, int64_t v)
{
    int64_t *r = function_alloc(ctx, out, n, sizeof(*r));
    for (uint32_t i = 0; r != NULL && i < n; i++)
        r[i] = v;
    return r;
}

static int now(KERNEL_ARGS)
{
    return fill(ctx, out, n, ctx->now) ? 0 : -ENOMEM;
}

static int today(KERNEL_ARGS)
{
    return fill(ctx, out, n, calendar_floor_div(ctx->now, TSFS_NS_PER_DAY)) ? 0 : -ENOMEM;
}

static int time_of_day(KERNEL_ARGS)
{
    int64_t rest = ctx->now % TSFS_NS_PER_DAY;
    return fill(ctx, out, n, rest < 0 ? rest + TSFS_NS_PER_DAY : rest) ? 0 : -ENOMEM;
}

static int time_zone(KERNEL_ARGS)
{
    struct tsfs_str *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        r[i] = TSFS_STR("UTC");
    return 0;
}

/* date_add and date_diff: the unit is args[0]. */

static int bad_unit(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn, const struct tsfs_vec *args,
                    enum tsfs_type type)
{
    struct tsfs_str name = args[0].s[row_at(&args[0], row)];
    return function_fail(ctx, row, "%s: '%.*s%s' is not a unit of a %s", fn, FUNCTION_EXCERPT(name),
                         tsfs_type_name(type));
}

static bool fits(enum calendar_unit unit, enum tsfs_type type)
{
    switch (type) {
    case TSFS_DATE: return unit >= UNIT_DAY && unit != UNIT_NONE;
    case TSFS_TIME: return unit <= UNIT_HOUR;
    default: return unit != UNIT_NONE;
    }
}

static bool add(enum calendar_unit unit, enum tsfs_type type, int64_t count, int64_t x, int64_t *r)
{
    int64_t delta;
    if (unit > UNIT_WEEK) {
        if (__builtin_mul_overflow(count, calendar_unit_months(unit), &delta))
            return false;
        return (type == TSFS_DATE ? calendar_add_months_date(x, delta, r)
                                  : calendar_add_months_ts(x, delta, r)) == 0;
    }
    if (type == TSFS_DATE)
        return !__builtin_mul_overflow(count, unit == UNIT_WEEK ? 7 : 1, &delta) &&
               !__builtin_add_overflow(x, delta, r) && calendar_date_ok(*r);
    if (type == TSFS_TIME) {
        int64_t step = calendar_unit_ns[unit];
        delta = count % (TSFS_NS_PER_DAY / step) * step;
        *r = (x + delta + TSFS_NS_PER_DAY) % TSFS_NS_PER_DAY;
        return true;
    }
    return !__builtin_mul_overflow(count, calendar_unit_ns[unit], &delta) &&
           !__builtin_add_overflow(x, delta, r);
}

/* A kernel whose first argument names a unit that must fit the type of argument `arg`; a unit that is the
 * same for all rows is looked up once. */
typedef int (*unit_row)(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, uint32_t row,
                        enum calendar_unit unit, int64_t *r);

static inline int with_unit(KERNEL_ARGS, unsigned arg, const char *fn, unit_row each)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    int rc = r == NULL ? -ENOMEM : 0;
    enum calendar_unit unit = UNIT_NONE;
    bool known = false;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        if (!known || !args[0].constant)
            unit = calendar_unit_from(row_str(args, 0, i));
        known = true;
        rc = fits(unit, args[arg].type) ? each(ctx, args, i, unit, &r[i])
                                        : bad_unit(ctx, i, fn, args, args[arg].type);
    }
    return rc;
}

static int add_row(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, uint32_t row,
                   enum calendar_unit unit, int64_t *r)
{
    if (add(unit, args[2].type, row_i64(args, 1, row), row_i64(args, 2, row), r))
        return 0;
    return function_fail(ctx, row, "date_add: the result is out of the range of a %s",
                         tsfs_type_name(args[2].type));
}

static int date_add(KERNEL_ARGS)
{
    return with_unit(ctx, args, nargs, n, valid, out, 2, "date_add", add_row);
}

static int64_t diff(enum calendar_unit unit, enum tsfs_type type, int64_t a, int64_t b)
{
    if (unit > UNIT_WEEK) {
        /* Only whole days count between dates, so that any instant scale will do that holds them. */
        if (type != TSFS_DATE)
            return calendar_months_between(a, b) / calendar_unit_months(unit);
        bool swap = b < a;
        int64_t from = swap ? b : a, to = swap ? a : b;
        int32_t y1, y2;
        unsigned m1, m2, d1, d2;
        tsfs_time_civil_from_days(from, &y1, &m1, &d1);
        tsfs_time_civil_from_days(to, &y2, &m2, &d2);
        int64_t months = ((int64_t)y2 - y1) * 12 + (int64_t)m2 - (int64_t)m1;
        if (d1 > d2 && d2 != calendar_days_of_month(y2, m2))
            months--;
        months /= calendar_unit_months(unit);
        return swap ? -months : months;
    }
    if (type == TSFS_DATE)
        return (b - a) / (unit == UNIT_WEEK ? 7 : 1);
    __extension__ typedef __int128 wide;
    wide delta = ((wide)b - a) / calendar_unit_ns[unit];
    return delta > INT64_MAX ? INT64_MAX : delta < INT64_MIN ? INT64_MIN : (int64_t)delta;
}

static int diff_row(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, uint32_t row,
                    enum calendar_unit unit, int64_t *r)
{
    int64_t a = row_i64(args, 1, row), b = row_i64(args, 2, row), whole;
    if (unit == UNIT_NANOSECOND && __builtin_sub_overflow(b, a, &whole))
        return function_fail(ctx, row, "date_diff: the difference in nanoseconds does not fit into a bigint");
    *r = diff(unit, args[1].type, a, b);
    return 0;
}

static int date_diff(KERNEL_ARGS)
{
    return with_unit(ctx, args, nargs, n, valid, out, 1, "date_diff", diff_row);
}

/* Numbers to times and back. */

static int from_milliseconds_row(ROW_ARGS(int64_t))
{
    int64_t x = row_i64(args, 0, row);
    if (!__builtin_mul_overflow(x, TSFS_NS_PER_MS, r))
        return 0;
    return function_fail(ctx, row, "from_milliseconds: %lld is out of the range of a timestamp",
                         (long long)x);
}

ROW_KERNEL(from_milliseconds, int64_t)

/* Nanoseconds are how timestamps and intervals lie in memory. */
static int nanoseconds(KERNEL_ARGS)
{
    out->data = args[0].data;
    return 0;
}

static int to_milliseconds(KERNEL_ARGS)
{
    bool interval = args[0].type == TSFS_INTERVAL_DS;
    int64_t *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        int64_t x = args[0].i[row_at(&args[0], i)];
        r[i] = interval ? x / TSFS_NS_PER_MS : calendar_floor_div(x, TSFS_NS_PER_MS);
    }
    return 0;
}

/* To the millisecond: a double has no more digits behind ten of seconds, and what it shows there is noise. */
static int from_unixtime_row(ROW_ARGS(int64_t))
{
    double x = row_double(args, 0, row);
    if (fabs(x) < 1e12) {
        __extension__ typedef __int128 wide;
        wide ns = (wide)floor(x * 1000 + 0.5) * TSFS_NS_PER_MS;
        *r = (int64_t)ns;
        if (ns >= INT64_MIN && ns <= INT64_MAX)
            return 0;
    }
    char text[TSFS_NUM_TEXT_MAX];
    unsigned len = tsfs_num_format_double(x, text);
    return function_fail(ctx, row, "from_unixtime: %.*s is out of the range of a timestamp", (int)len, text);
}

ROW_KERNEL(from_unixtime, int64_t)

static int to_unixtime(KERNEL_ARGS)
{
    double *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        r[i] = (double)args[0].i[row_at(&args[0], i)] / 1e9;
    return 0;
}

static int to_date(KERNEL_ARGS)
{
    return tsfs_cast_kernel(args[0].type, TSFS_DATE)(ctx, args, nargs, n, valid, out);
}

static int last_day_of_month_row(ROW_ARGS(int64_t))
{
    int64_t day = row_i64(args, 0, row);
    if (args[0].type == TSFS_TIMESTAMP)
        day = calendar_floor_div(day, TSFS_NS_PER_DAY);
    int32_t year;
    unsigned month, dom;
    tsfs_time_civil_from_days(day, &year, &month, &dom);
    *r = tsfs_time_days_from_civil(year, month, calendar_days_of_month(year, month));
    return 0;
}

ROW_KERNEL(last_day_of_month, int64_t)

/* A number, blanks or none, a unit: "42.8ms", "1 day".  The digits are taken as they stand, without going
 * through a double. */
static int parse_one_duration(struct tsfs_str s, int64_t *ns)
{
    size_t i = 0, digits = 0;
    __extension__ typedef __int128 wide;
    wide whole = 0;
    uint64_t frac = 0, scale = 1;
    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, digits++)
        if (whole <= INT64_MAX)
            whole = whole * 10 + (s.ptr[i] - '0');
    if (i < s.len && s.ptr[i] == '.') {
        for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, digits++) {
            if (scale < UINT64_C(10000000000000000)) {
                frac = frac * 10 + (uint64_t)(s.ptr[i] - '0');
                scale *= 10;
            }
        }
    }
    if (digits == 0)
        return -EINVAL;
    while (i < s.len && s.ptr[i] == ' ')
        i++;
    enum calendar_unit unit = calendar_unit_from((struct tsfs_str){s.ptr + i, s.len - i});
    if (unit > UNIT_DAY)
        return -EINVAL;
    if (whole > INT64_MAX)
        return -ERANGE;
    wide total = whole * calendar_unit_ns[unit] + (wide)frac * calendar_unit_ns[unit] / (wide)scale;
    if (total > INT64_MAX)
        return -ERANGE;
    *ns = (int64_t)total;
    return 0;
}

static int parse_duration_row(ROW_ARGS(int64_t))
{
    struct tsfs_str s = row_str(args, 0, row);
    int rc = parse_one_duration(s, r);
    if (rc == 0)
        return 0;
    return function_fail(ctx, row, "parse_duration: '%.*s%s' %s", FUNCTION_EXCERPT(s),
                         rc == -ERANGE ? "is out of range"
                                       : "is not a number and a unit (ns us ms s m h d or their names)");
}

ROW_KERNEL(parse_duration, int64_t)

/* human_readable_seconds: "1 week, 2 days, 3 seconds", without what is zero. */
static int human_readable_seconds_row(ROW_ARGS(struct tsfs_str))
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"week", 604800}, {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    double x = row_double(args, 0, row);
    if (!(fabs(x) < 0x1p62))
        return function_fail(ctx, row, "human_readable_seconds: the number is not finite, or too large");
    int64_t left = (int64_t)fabs(round(x));
    char text[160];
    int len = 0;
    for (int u = 0; u < 5; u++) {
        int64_t count = left / units[u].seconds;
        left %= units[u].seconds;
        if (count > 0 || (u == 4 && len == 0))
            len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%lld %s%s", len > 0 ? ", " : "",
                            (long long)count, units[u].name, count == 1 ? "" : "s");
    }
    return row_put_text(ctx, text, (size_t)len, r);
}

ROW_KERNEL(human_readable_seconds, struct tsfs_str)

#define ADD_HELP                                                                                             \
    "date_add(unit, n, t): t plus n units (nanosecond ... second, minute, hour, day, week, month, ...)"
#define DIFF_HELP "date_diff(unit, a, b): whole units from a to b"

static const struct tsfs_function items[] = {
    SCALAR0("now", TS, now, "now(): the instant of the query, the same everywhere in it"),
    SCALAR0("current_timestamp", TS, now, "current_timestamp: now()"),
    SCALAR0("localtimestamp", TS, now, "localtimestamp: now()"),
    SCALAR0("current_date", DATE, today, "current_date: the query's day"),
    SCALAR0("current_time", TIME, time_of_day, "current_time: the query's time of day"),
    SCALAR0("localtime", TIME, time_of_day, "localtime: the query's time of day"),
    SCALAR0("current_timezone", STR, time_zone, "current_timezone(): always UTC"),
    SCALAR("date_add", TS, date_add, ADD_HELP, STR, BIG, TS),
    SCALAR("date_add", DATE, date_add, ADD_HELP, STR, BIG, DATE),
    SCALAR("date_add", TIME, date_add, ADD_HELP, STR, BIG, TIME),
    SCALAR("date_diff", BIG, date_diff, DIFF_HELP, STR, TS, TS),
    SCALAR("date_diff", BIG, date_diff, DIFF_HELP, STR, DATE, DATE),
    SCALAR("date_diff", BIG, date_diff, DIFF_HELP, STR, TIME, TIME),
    SCALAR("from_milliseconds", TS, from_milliseconds, "from_milliseconds(n): n ms after 1970", BIG),
    SCALAR("from_nanoseconds", TS, nanoseconds, "from_nanoseconds(n): n ns after 1970", BIG),
    SCALAR("from_unixtime", TS, from_unixtime, "from_unixtime(x): x seconds after 1970, to the millisecond",
           DBL),
    SCALAR("from_unixtime_nanos", TS, nanoseconds, "from_unixtime_nanos(n): n ns after 1970", BIG),
    SCALAR("human_readable_seconds", STR, human_readable_seconds,
           "human_readable_seconds(x): '1 minute, 36 seconds' for 96", DBL),
    SCALAR("to_milliseconds", BIG, to_milliseconds,
           "to_milliseconds(t): whole ms since 1970, or of an interval", TS),
    SCALAR("to_milliseconds", BIG, to_milliseconds,
           "to_milliseconds(t): whole ms since 1970, or of an interval", DS),
    SCALAR("to_nanoseconds", BIG, nanoseconds, "to_nanoseconds(t): ns since 1970, or of an interval", TS),
    SCALAR("to_nanoseconds", BIG, nanoseconds, "to_nanoseconds(t): ns since 1970, or of an interval", DS),
    SCALAR("to_unixtime", DBL, to_unixtime, "to_unixtime(t): seconds since 1970", TS),
    SCALAR("date", DATE, to_date, "date(t): the day of t", TS),
    SCALAR("date", DATE, to_date, "date(t): the day of t", DATE),
    SCALAR("last_day_of_month", DATE, last_day_of_month, "last_day_of_month(t): the last day of t's month",
           TS),
    SCALAR("last_day_of_month", DATE, last_day_of_month, "last_day_of_month(t): the last day of t's month",
           DATE),
    SCALAR("parse_duration", DS, parse_duration, "parse_duration(s): '42.8ms', '1day', ... as an interval",
           STR),
};

const struct function_table functions_datetime = FUNCTION_TABLE(items);
