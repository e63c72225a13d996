/* ISO 8601: from_iso8601_timestamp, from_iso8601_date, to_iso8601.
 *
 *   date       YYYY  YYYY-MM  YYYY-MM-DD  YYYYMMDD  YYYY-Www  YYYY-Www-D  YYYY-DDD
 *   time       Thh  Thh:mm  Thh:mm:ss  Thhmm  Thhmmss, a fraction behind seconds after . or ,
 *   zone       Z  +hh  +hhmm  +hh:mm; without one it is UTC */
#include "exec/functions/calendar_text.h"
#include "exec/functions/rows.h"

static bool eat(struct tsfs_str *s, char c)
{
    if (s->len == 0 || *s->ptr != c)
        return false;
    *s = (struct tsfs_str){s->ptr + 1, s->len - 1};
    return true;
}

/* Exactly that many digits. */
static bool digits(struct tsfs_str *s, unsigned n, unsigned lo, unsigned hi, unsigned *out)
{
    const char *start = s->ptr;
    return calendar_take_number(s, n, lo, hi, out) && s->ptr - start == (ptrdiff_t)n;
}

/* How many digits come next. */
static size_t ahead(struct tsfs_str s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    return n;
}

static bool take_date(struct tsfs_str *s, struct calendar_fields *f)
{
    size_t year = ahead(*s);
    if ((year != 4 && year != 8) || !calendar_take_digits(s, 4, &f->year, NULL))
        return false;
    f->has_year = true;
    if (year == 8) {
        f->has_month = digits(s, 2, 1, 12, &f->month);
        return f->has_month && (f->has_day = digits(s, 2, 1, 31, &f->day));
    }
    if (!eat(s, '-'))
        return true;
    if (eat(s, 'W')) {
        f->week_year = f->year;
        f->has_year = false;
        f->has_week_year = true;
        if (!(f->has_week = digits(s, 2, 1, 53, &f->week)))
            return false;
        return !eat(s, '-') || (f->has_weekday = digits(s, 1, 1, 7, &f->weekday));
    }
    if (ahead(*s) == 3)
        return f->has_ordinal = digits(s, 3, 1, 366, &f->ordinal);
    if (!(f->has_month = calendar_take_number(s, 2, 1, 12, &f->month)))
        return false;
    return !eat(s, '-') || (f->has_day = calendar_take_number(s, 2, 1, 31, &f->day));
}

/* Behind the T. */
static bool take_time(struct tsfs_str *s, struct calendar_fields *f)
{
    bool basic = ahead(*s) > 2, more;
    if (!(f->has_hour = calendar_take_number(s, 2, 0, 23, &f->hour)))
        return false;
    more = basic ? ahead(*s) > 0 : eat(s, ':');
    if (more && !calendar_take_number(s, 2, 0, 59, &f->minute))
        return false;
    more = more && (basic ? ahead(*s) > 0 : eat(s, ':'));
    if (more && !calendar_take_number(s, 2, 0, 59, &f->second))
        return false;
    return !more || !(eat(s, '.') || eat(s, ',')) || calendar_take_fraction(s, 9, &f->fraction);
}

static int from_iso8601_timestamp_row(ROW_ARGS(int64_t))
{
    struct tsfs_str text = row_str(args, 0, row), s = text;
    struct calendar_fields f = CALENDAR_FIELDS_NONE;
    bool fits = take_date(&s, &f);
    if (fits && eat(&s, 'T'))
        fits = take_time(&s, &f);
    if (fits && s.len > 0)
        fits = calendar_take_offset(&s, &f.offset) && s.len == 0;
    if (fits && calendar_instant(&f, r) == 0)
        return 0;
    return function_fail(ctx, row, "from_iso8601_timestamp: '%.*s%s' is not a time as ISO 8601 writes it",
                         FUNCTION_EXCERPT(text));
}

static int from_iso8601_date_row(ROW_ARGS(int64_t))
{
    struct tsfs_str text = row_str(args, 0, row), s = text;
    struct calendar_fields f = CALENDAR_FIELDS_NONE;
    int64_t day;
    if (take_date(&s, &f) && s.len == 0 && calendar_day(&f, &day) == 0) {
        *r = day;
        return 0;
    }
    return function_fail(ctx, row, "from_iso8601_date: '%.*s%s' is not a date as ISO 8601 writes it",
                         FUNCTION_EXCERPT(text));
}

static int to_iso8601_row(ROW_ARGS(struct tsfs_str))
{
    char text[TSFS_TIME_TEXT_MAX];
    int64_t x = row_i64(args, 0, row);
    unsigned len;
    if (args[0].type == TSFS_DATE) {
        len = tsfs_time_format_date(x, text);
    } else {
        len = tsfs_time_format(x, text);
        text[len - 19] = 'T';
        text[len++] = 'Z';
    }
    return row_put_text(ctx, text, len, r);
}

ROW_KERNEL(from_iso8601_timestamp, int64_t)
ROW_KERNEL(from_iso8601_date, int64_t)
ROW_KERNEL(to_iso8601, struct tsfs_str)

#define TIMESTAMP(NAME)                                                                                      \
    SCALAR(NAME, TS, from_iso8601_timestamp,                                                                 \
           NAME "(s): '2024-05-01T12:00:00+02:00', '2024-W18-3' and the like, as UTC", STR)

static const struct tsfs_function items[] = {
    TIMESTAMP("from_iso8601_timestamp"),
    TIMESTAMP("from_iso8601_timestamp_nanos"),
    SCALAR("from_iso8601_date", DATE, from_iso8601_date,
           "from_iso8601_date(s): 'YYYY-MM-DD', 'YYYY-Www-D' or 'YYYY-DDD'", STR),
    SCALAR("to_iso8601", STR, to_iso8601, "to_iso8601(t): 'YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ'", TS),
    SCALAR("to_iso8601", STR, to_iso8601, "to_iso8601(d): 'YYYY-MM-DD'", DATE),
};

const struct function_table functions_iso8601 = FUNCTION_TABLE(items);
