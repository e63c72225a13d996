/* bin(timestamp, interval) and date_trunc(unit, x).
 *
 * Rows of a run ascend in time, so neighbours mostly fall into one bin: each kernel remembers the last bin as
 * [lo, hi) and only computes when a row leaves it. */
#include <errno.h>

#include "base/time.h"
#include "exec/functions/functions_priv.h"

/* The bin last found; empty (lo = hi) at first. */
struct span {
    int64_t lo, hi;
};

static inline bool inside(const struct span *s, int64_t v)
{
    return v >= s->lo && v < s->hi;
}

/* The multiple of step at or below v; false if that is not an int64. */
static bool fixed_span(int64_t v, int64_t step, struct span *s)
{
    int64_t rest = v % step;
    if (rest < 0)
        rest += step;
    if (__builtin_sub_overflow(v, rest, &s->lo))
        return false;
    if (__builtin_add_overflow(s->lo, step, &s->hi))
        s->hi = INT64_MAX;
    return true;
}

static int out_of_range(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *what, int64_t ns)
{
    char text[TSFS_TIME_TEXT_MAX];
    unsigned len = tsfs_time_format(ns, text);
    return function_fail(ctx, row, "%s: the start of the bin of %.*s is out of range", what, (int)len, text);
}

static int bin(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    struct span s = {0, 0};
    int64_t last_step = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        int64_t v = args[0].i[row_at(&args[0], i)], step = args[1].i[row_at(&args[1], i)];
        if (step == last_step && inside(&s, v)) {
            r[i] = s.lo;
            continue;
        }
        int rc = 0;
        if (step <= 0) {
            rc = function_fail(ctx, i, "bin: the interval must be longer than zero");
        } else if (!fixed_span(v, step, &s)) {
            s = (struct span){0, 0};
            rc = out_of_range(ctx, i, "bin", v);
        } else {
            last_step = step;
            r[i] = s.lo;
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int bin_year_month(KERNEL_ARGS)
{
    if (function_calloc(ctx, out, n, sizeof(int64_t)) == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        int rc = row_valid(valid, i)
                     ? function_fail(ctx, i,
                                     "bin: months and years differ in length; use date_trunc('month', t) or "
                                     "date_trunc('year', t)")
                     : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The calendar unit around the day, in days. */
static void calendar_span(int64_t day, enum calendar_unit unit, struct span *s)
{
    int32_t year;
    unsigned month, dom;
    tsfs_time_civil_from_days(day, &year, &month, &dom);
    unsigned months = (unsigned)calendar_unit_months(unit);
    unsigned first = (month - 1) / months * months + 1, next = first + months;
    s->lo = tsfs_time_days_from_civil(year, first, 1);
    s->hi = tsfs_time_days_from_civil(year + (next > 12), next > 12 ? 1 : next, 1);
}

#define EPOCH_MONDAY INT64_C(-3) /* 1969-12-29, a Monday */

/* The start of the unit around v; false if out of range. */
static bool ts_span(int64_t v, enum calendar_unit unit, struct span *s)
{
    if (unit == UNIT_WEEK) {
        int64_t shift = EPOCH_MONDAY * TSFS_NS_PER_DAY;
        if (v > INT64_MAX + shift) {
            /* The last days: shift down whole weeks instead of up. */
            shift += 7 * TSFS_NS_PER_DAY;
        }
        if (!fixed_span(v - shift, calendar_unit_ns[UNIT_WEEK], s))
            return false;
        bool open = s->hi == INT64_MAX;
        if (__builtin_add_overflow(s->lo, shift, &s->lo))
            return false;
        if (open || __builtin_add_overflow(s->hi, shift, &s->hi))
            s->hi = INT64_MAX;
        return true;
    }
    if (unit < UNIT_WEEK)
        return fixed_span(v, calendar_unit_ns[unit], s);
    struct span days;
    calendar_span(calendar_floor_div(v, TSFS_NS_PER_DAY), unit, &days);
    if (__builtin_mul_overflow(days.lo, TSFS_NS_PER_DAY, &s->lo))
        return false;
    if (__builtin_mul_overflow(days.hi, TSFS_NS_PER_DAY, &s->hi))
        s->hi = INT64_MAX;
    return true;
}

static bool date_span(int64_t v, enum calendar_unit unit, struct span *s)
{
    if (unit == UNIT_DAY) {
        *s = (struct span){v, v + 1};
    } else if (unit == UNIT_WEEK) {
        s->lo = calendar_floor_div(v - EPOCH_MONDAY, 7) * 7 + EPOCH_MONDAY;
        s->hi = s->lo + 7;
    } else {
        calendar_span(v, unit, s);
    }
    return true;
}

static bool time_span(int64_t v, enum calendar_unit unit, struct span *s)
{
    return fixed_span(v, calendar_unit_ns[unit], s);
}

static inline int trunc_rows(KERNEL_ARGS, enum calendar_unit least, enum calendar_unit most,
                             bool (*find)(int64_t, enum calendar_unit, struct span *))
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    enum calendar_unit unit = UNIT_NONE;
    struct span s = {0, 0};
    bool known = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        int rc = 0;
        struct tsfs_str name = args[0].s[row_at(&args[0], i)];
        if (!known || !args[0].constant) {
            unit = calendar_unit_from(name);
            s = (struct span){0, 0};
            known = true;
        }
        int64_t v = args[1].i[row_at(&args[1], i)];
        if (inside(&s, v)) {
            r[i] = s.lo;
        } else if (unit < least || unit > most) {
            rc = function_fail(ctx, i, "date_trunc: '%.*s%s' is not a unit of a %s", FUNCTION_EXCERPT(name),
                               tsfs_type_name(args[1].type));
        } else if (!find(v, unit, &s)) {
            s = (struct span){0, 0};
            rc = out_of_range(ctx, i, "date_trunc", v);
        } else {
            r[i] = s.lo;
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int trunc_ts(KERNEL_ARGS)
{
    return trunc_rows(ctx, args, nargs, n, valid, out, UNIT_NANOSECOND, UNIT_YEAR, ts_span);
}

static int trunc_date(KERNEL_ARGS)
{
    return trunc_rows(ctx, args, nargs, n, valid, out, UNIT_DAY, UNIT_YEAR, date_span);
}

static int trunc_time(KERNEL_ARGS)
{
    return trunc_rows(ctx, args, nargs, n, valid, out, UNIT_NANOSECOND, UNIT_HOUR, time_span);
}

#define TRUNC_HELP                                                                                           \
    "date_trunc(unit, t): t cut to 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter' or 'year'"

static const struct tsfs_function items[] = {
    SCALAR_OP("bin", TSFS_OP_BIN, TS, bin,
              "bin(t, interval): the start of the interval since 1970 that t lies in", TS, DS),
    SCALAR("bin", TS, bin_year_month, "bin(t, year-month interval): an error that points to date_trunc", TS,
           YM),
    SCALAR_OP("date_trunc", TSFS_OP_DATE_TRUNC, TS, trunc_ts, TRUNC_HELP, STR, TS),
    SCALAR("date_trunc", DATE, trunc_date, TRUNC_HELP, STR, DATE),
    SCALAR("date_trunc", TIME, trunc_time, TRUNC_HELP, STR, TIME),
};

const struct function_table functions_bin = FUNCTION_TABLE(items);
