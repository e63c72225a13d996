/* date_format and date_parse: patterns of MySQL.
 *
 *   %Y 2024  %y 24  %m 05  %c 5  %b May  %M May  %d 06  %e 6  %j 127  %a Mon  %W Monday
 *   %H 07  %k 7  %h %I 07  %l 7  %i 08  %s %S 09  %f 123456  %p AM  %T 07:08:09  %r 07:08:09 AM
 *   %x year and %v week of ISO 8601  %% a percent sign
 *
 * %D %U %u %V %w %X are errors; any other letter behind a % is itself, without the %.  Of a text, names of
 * months and days may be long or short, and %f takes 1 to 9 digits; what is missing is as
 * exec/functions/calendar_text.c says. */
#include <stdio.h>

#include "base/limits.h"
#include "exec/functions/calendar_text.h"
#include "exec/functions/rows.h"

#define FIRST_YEAR_OF_TWO_DIGITS 1970

/* The text of one code, at most 32 bytes; -1 if it is not supported. */
static int put_code(char code, const struct calendar_moment *m, char *out)
{
    const struct tsfs_civil *c = &m->c;
    unsigned half = c->hour % 12 == 0 ? 12 : c->hour % 12u;
    const char *noon = c->hour < 12 ? "AM" : "PM";
    const size_t room = 32;
    switch (code) {
    case 'Y': return snprintf(out, room, "%04d", c->year);
    case 'y': return snprintf(out, room, "%02d", ((c->year % 100) + 100) % 100);
    case 'm': return snprintf(out, room, "%02u", c->month);
    case 'c': return snprintf(out, room, "%u", c->month);
    case 'b': return snprintf(out, room, "%.3s", calendar_months[c->month - 1]);
    case 'M': return snprintf(out, room, "%s", calendar_months[c->month - 1]);
    case 'd': return snprintf(out, room, "%02u", c->day);
    case 'e': return snprintf(out, room, "%u", c->day);
    case 'j': return snprintf(out, room, "%03u", m->ordinal);
    case 'a': return snprintf(out, room, "%.3s", calendar_days[m->weekday]);
    case 'W': return snprintf(out, room, "%s", calendar_days[m->weekday]);
    case 'H': return snprintf(out, room, "%02u", c->hour);
    case 'k': return snprintf(out, room, "%u", c->hour);
    case 'h':
    case 'I': return snprintf(out, room, "%02u", half);
    case 'l': return snprintf(out, room, "%u", half);
    case 'i': return snprintf(out, room, "%02u", c->minute);
    case 's':
    case 'S': return snprintf(out, room, "%02u", c->second);
    case 'f': return snprintf(out, room, "%06u", c->nanosecond / 1000);
    case 'p': return snprintf(out, room, "%s", noon);
    case 'T': return snprintf(out, room, "%02u:%02u:%02u", c->hour, c->minute, c->second);
    case 'r': return snprintf(out, room, "%02u:%02u:%02u %s", half, c->minute, c->second, noon);
    case 'v': return snprintf(out, room, "%02u", m->week);
    case 'x': return snprintf(out, room, "%04d", m->week_year);
    case 'D':
    case 'U':
    case 'u':
    case 'V':
    case 'w':
    case 'X': return -1;
    default: out[0] = code; return 1;
    }
}

static int bad_code(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn, struct tsfs_str pattern,
                    size_t at)
{
    if (at >= pattern.len)
        return function_fail(ctx, row, "%s: the pattern ends in the middle of a code", fn);
    struct tsfs_str code = {pattern.ptr + at, 1};
    return function_fail(ctx, row, "%s: %%%.*s is not supported", fn, (unsigned char)*code.ptr < 0x80 ? 1 : 0,
                         code.ptr);
}

static int date_format_row(ROW_ARGS(struct tsfs_str))
{
    struct calendar_moment m = calendar_moment_of(row_i64(args, 0, row));
    struct tsfs_str pattern = row_str(args, 1, row);
    if (pattern.len == 0)
        return function_fail(ctx, row, "date_format: the pattern is empty");
    if (pattern.len > TSFS_RESULT_VARCHAR_MAX / 16)
        return function_fail(ctx, row, "date_format: the pattern is too long");
    char *p = function_bytes(ctx, 16 * pattern.len), *start = p;
    if (p == NULL)
        return -ENOMEM;
    for (size_t k = 0; k < pattern.len; k++) {
        if (pattern.ptr[k] != '%') {
            *p++ = pattern.ptr[k];
            continue;
        }
        char text[32];
        int len = ++k < pattern.len ? put_code(pattern.ptr[k], &m, text) : -1;
        if (len < 0)
            return bad_code(ctx, row, "date_format", pattern, k);
        memcpy(p, text, (size_t)len);
        p += len;
    }
    *r = (struct tsfs_str){start, (size_t)(p - start)};
    return 0;
}

static bool literal(struct tsfs_str *s, char c)
{
    if (s->len == 0 || *s->ptr != c)
        return false;
    s->ptr++;
    s->len--;
    return true;
}

static bool take_year(struct tsfs_str *s, int64_t *year)
{
    bool minus = literal(s, '-');
    if (!minus)
        literal(s, '+');
    if (!calendar_take_digits(s, 4, year, NULL))
        return false;
    *year = minus ? -*year : *year;
    return true;
}

static bool take_hour(struct tsfs_str *s, struct calendar_fields *f)
{
    return f->has_hour = calendar_take_number(s, 2, 0, 23, &f->hour);
}

static bool take_half_hour(struct tsfs_str *s, struct calendar_fields *f)
{
    if (!calendar_take_number(s, 2, 1, 12, &f->half_hour))
        return false;
    f->half_hour %= 12;
    return f->has_half_hour = true;
}

static bool take_minute_second(struct tsfs_str *s, struct calendar_fields *f)
{
    return literal(s, ':') && calendar_take_number(s, 2, 0, 59, &f->minute) && literal(s, ':') &&
           calendar_take_number(s, 2, 0, 59, &f->second);
}

static bool take_half(struct tsfs_str *s, struct calendar_fields *f)
{
    f->half = calendar_take_word(s, "AM") ? 0 : calendar_take_word(s, "PM") ? 1 : -1;
    return f->half >= 0;
}

/* 1 taken, 0 the text does not fit, -1 the code is not supported. */
static int take_code(char code, struct tsfs_str *s, struct calendar_fields *f)
{
    unsigned v;
    char text[32];
    switch (code) {
    case 'Y': return f->has_year = take_year(s, &f->year);
    case 'x': return f->has_week_year = take_year(s, &f->week_year);
    case 'y':
        if (!calendar_take_number(s, 2, 0, 99, &v))
            return 0;
        f->year = v + (v < FIRST_YEAR_OF_TWO_DIGITS % 100 ? 2000 : 1900);
        return f->has_year = true;
    case 'm':
    case 'c': return f->has_month = calendar_take_number(s, 2, 1, 12, &f->month);
    case 'b':
    case 'M':
        if (!calendar_take_name(s, calendar_months, 12, true, true, &v))
            return 0;
        f->month = v + 1;
        return f->has_month = true;
    case 'd':
    case 'e': return f->has_day = calendar_take_number(s, 2, 1, 31, &f->day);
    case 'j': return f->has_ordinal = calendar_take_number(s, 3, 1, 366, &f->ordinal);
    case 'v': return f->has_week = calendar_take_number(s, 2, 1, 53, &f->week);
    case 'a':
    case 'W':
        if (!calendar_take_name(s, calendar_days, 7, true, true, &v))
            return 0;
        f->weekday = v + 1;
        return f->has_weekday = true;
    case 'H':
    case 'k': return take_hour(s, f);
    case 'h':
    case 'I':
    case 'l': return take_half_hour(s, f);
    case 'i': return calendar_take_number(s, 2, 0, 59, &f->minute);
    case 's':
    case 'S': return calendar_take_number(s, 2, 0, 59, &f->second);
    case 'f': return calendar_take_fraction(s, 9, &f->fraction);
    case 'p': return take_half(s, f);
    case 'T': return take_hour(s, f) && take_minute_second(s, f);
    case 'r': return take_half_hour(s, f) && take_minute_second(s, f) && literal(s, ' ') && take_half(s, f);
    default:
        /* what is no code is itself, or not supported */
        return put_code(code, &(struct calendar_moment){.c.month = 1}, text) < 0 ? -1 : literal(s, code);
    }
}

static int date_parse_row(ROW_ARGS(int64_t))
{
    struct tsfs_str text = row_str(args, 0, row), s = text, pattern = row_str(args, 1, row);
    struct calendar_fields f = CALENDAR_FIELDS_NONE;
    if (pattern.len == 0)
        return function_fail(ctx, row, "date_parse: the pattern is empty");
    int taken = 1;
    size_t k = 0;
    for (; k < pattern.len && taken == 1; k++) {
        if (pattern.ptr[k] != '%')
            taken = literal(&s, pattern.ptr[k]);
        else
            taken = ++k < pattern.len ? take_code(pattern.ptr[k], &s, &f) : -1;
    }
    if (taken < 0)
        return bad_code(ctx, row, "date_parse", pattern, k - 1 < pattern.len ? k - 1 : pattern.len);
    if (taken == 0 || s.len > 0)
        return function_fail(ctx, row, "date_parse: '%.*s%s' does not follow the pattern '%.*s%s'",
                             FUNCTION_EXCERPT(text), FUNCTION_EXCERPT(pattern));
    if (calendar_instant(&f, r) != 0)
        return function_fail(ctx, row, "date_parse: '%.*s%s' is not a time that there is",
                             FUNCTION_EXCERPT(text));
    return 0;
}

ROW_KERNEL(date_format, struct tsfs_str)
ROW_KERNEL(date_parse, int64_t)

static const struct tsfs_function items[] = {
    SCALAR("date_format", STR, date_format, "date_format(t, p): t after a pattern like '%Y-%m-%d %H:%i:%s'",
           TS, STR),
    SCALAR("date_parse", TS, date_parse, "date_parse(s, p): the time that s says after the pattern p", STR,
           STR),
};

const struct function_table functions_date_text = FUNCTION_TABLE(items);
