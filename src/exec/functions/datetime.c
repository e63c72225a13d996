/* The clock, date_add and date_diff, and conversions between times and numbers. */
#include <errno.h>
#include <math.h>
#include <strings.h>

#include "base/num.h"
#include "base/time.h"
#include "exec/functions/functions_priv.h"

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

static int date_add(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    enum tsfs_type type = args[2].type;
    enum calendar_unit unit = UNIT_NONE;
    bool known = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        if (!known || !args[0].constant)
            unit = calendar_unit_from(args[0].s[row_at(&args[0], i)]);
        known = true;
        int rc = 0;
        int64_t count = args[1].i[row_at(&args[1], i)];
        if (!fits(unit, type))
            rc = bad_unit(ctx, i, "date_add", args, type);
        else if (!add(unit, type, count, args[2].i[row_at(&args[2], i)], &r[i]))
            rc = function_fail(ctx, i, "date_add: the result is out of the range of a %s",
                               tsfs_type_name(type));
        if (rc != 0)
            return rc;
    }
    return 0;
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

static int date_diff(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    enum tsfs_type type = args[1].type;
    enum calendar_unit unit = UNIT_NONE;
    bool known = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        if (!known || !args[0].constant)
            unit = calendar_unit_from(args[0].s[row_at(&args[0], i)]);
        known = true;
        int rc = 0;
        int64_t a = args[1].i[row_at(&args[1], i)], b = args[2].i[row_at(&args[2], i)], whole;
        if (!fits(unit, type))
            rc = bad_unit(ctx, i, "date_diff", args, type);
        else if (unit == UNIT_NANOSECOND && __builtin_sub_overflow(b, a, &whole))
            rc = function_fail(ctx, i, "date_diff: the difference in nanoseconds does not fit into a bigint");
        else
            r[i] = diff(unit, type, a, b);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Numbers to times and back. */

static int scale_up(KERNEL_ARGS, int64_t factor, const char *fn)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        int64_t x = args[0].i[row_at(&args[0], i)];
        if (!row_valid(valid, i) || !__builtin_mul_overflow(x, factor, &r[i]))
            continue;
        int rc = function_fail(ctx, i, "%s: %lld is out of the range of a timestamp", fn, (long long)x);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int from_milliseconds(KERNEL_ARGS)
{
    return scale_up(ctx, args, nargs, n, valid, out, TSFS_NS_PER_MS, "from_milliseconds");
}

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

static int from_unixtime(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        double x = args[0].d[row_at(&args[0], i)], seconds = floor(x);
        if (fabs(seconds) < 1e12) {
            /* The fraction apart: seconds and fraction together have more digits than a double. */
            __extension__ typedef __int128 wide;
            wide ns = (wide)seconds * TSFS_NS_PER_S + (wide)round((x - seconds) * 1e9);
            r[i] = (int64_t)ns;
            if (ns >= INT64_MIN && ns <= INT64_MAX)
                continue;
        }
        char text[TSFS_NUM_TEXT_MAX];
        unsigned len = tsfs_num_format_double(x, text);
        int rc =
            function_fail(ctx, i, "from_unixtime: %.*s is out of the range of a timestamp", (int)len, text);
        if (rc != 0)
            return rc;
    }
    return 0;
}

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

/* A timestamp of the query's text, or a date. */
static int to_timestamp(KERNEL_ARGS)
{
    return tsfs_cast_kernel(args[0].type, TSFS_TIMESTAMP)(ctx, args, nargs, n, valid, out);
}

static int last_day_of_month(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        int64_t day = args[0].i[row_at(&args[0], i)];
        if (args[0].type == TSFS_TIMESTAMP)
            day = calendar_floor_div(day, TSFS_NS_PER_DAY);
        int32_t year;
        unsigned month, dom;
        tsfs_time_civil_from_days(day, &year, &month, &dom);
        r[i] = tsfs_time_days_from_civil(year, month, calendar_days_of_month(year, month));
    }
    return 0;
}

static int to_iso8601(KERNEL_ARGS)
{
    struct tsfs_str *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        char text[TSFS_TIME_TEXT_MAX];
        int64_t x = args[0].i[row_at(&args[0], i)];
        unsigned len;
        if (args[0].type == TSFS_DATE) {
            len = tsfs_time_format_date(x, text);
        } else {
            len = tsfs_time_format(x, text);
            text[len - 19] = 'T';
            text[len++] = 'Z';
        }
        char *copy = function_bytes(ctx, len);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, text, len);
        r[i] = (struct tsfs_str){copy, len};
    }
    return 0;
}

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

static int parse_duration(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = args[0].s[row_at(&args[0], i)];
        int rc = parse_one_duration(s, &r[i]);
        if (rc != 0)
            rc =
                function_fail(ctx, i, "parse_duration: '%.*s%s' %s", FUNCTION_EXCERPT(s),
                              rc == -ERANGE ? "is out of range"
                                            : "is not a number and a unit (ns us ms s m h d or their names)");
        if (rc != 0)
            return rc;
    }
    return 0;
}

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
    SCALAR("from_unixtime", TS, from_unixtime, "from_unixtime(x): x seconds after 1970", DBL),
    SCALAR("to_milliseconds", BIG, to_milliseconds,
           "to_milliseconds(t): whole ms since 1970, or of an interval", TS),
    SCALAR("to_milliseconds", BIG, to_milliseconds,
           "to_milliseconds(t): whole ms since 1970, or of an interval", DS),
    SCALAR("to_nanoseconds", BIG, nanoseconds, "to_nanoseconds(t): ns since 1970, or of an interval", TS),
    SCALAR("to_nanoseconds", BIG, nanoseconds, "to_nanoseconds(t): ns since 1970, or of an interval", DS),
    SCALAR("to_unixtime", DBL, to_unixtime, "to_unixtime(t): seconds since 1970", TS),
    SCALAR("from_iso8601_timestamp", TS, to_timestamp,
           "from_iso8601_timestamp(s): '2024-05-01T12:00:00+02:00' and the like, as UTC", STR),
    SCALAR("from_iso8601_date", DATE, to_date, "from_iso8601_date(s): 'YYYY-MM-DD'", STR),
    SCALAR("to_iso8601", STR, to_iso8601, "to_iso8601(t): 'YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ'", TS),
    SCALAR("to_iso8601", STR, to_iso8601, "to_iso8601(d): 'YYYY-MM-DD'", DATE),
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
