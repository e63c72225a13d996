/* format_datetime and parse_datetime: patterns of Joda-Time, as Trino documents them.
 *
 *   G era  C century  Y year of era  y year  x year of the ISO week  w ISO week  e day of the week 1-7  E its
 * name D day of the year  M month (MMM Jan, MMMM January)  d day  a AM or PM  H hour 0-23  k hour 1-24  K
 * hour 0-11 h hour 1-12  m minute  s second  S fraction of a second, as many digits as letters  z zone's name
 *   Z offset +0000 (ZZ +00:00, ZZZ the zone)  '...' text  '' a quote
 *
 * The number of letters is the least number of digits; of names four letters and more mean the long form.
 * Timestamps are UTC, so that is the zone that is written; read are offsets and the names of zones.  What is
 * missing is as exec/functions/calendar_text.c says. */
#include <stdio.h>

#include "base/limits.h"
#include "exec/functions/calendar_text.h"
#include "exec/functions/rows.h"

/* A pattern cut into letters and texts. */
struct token {
    char letter; /* 0 = text */
    unsigned count;
    struct tsfs_str text;
};

/* The token at *at; 0 none left, 1 one, -1 an open quote.  Quoted texts keep their doubled quotes. */
static int next_token(struct tsfs_str pattern, size_t *at, struct token *out)
{
    size_t i = *at;
    *out = (struct token){0};
    if (i == pattern.len)
        return 0;
    char c = pattern.ptr[i];
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
        while (i < pattern.len && pattern.ptr[i] == c)
            i++;
        *out = (struct token){.letter = c, .count = (unsigned)(i - *at)};
    } else if (c == '\'') {
        if (i + 1 < pattern.len && pattern.ptr[i + 1] == '\'') {
            out->text = (struct tsfs_str){pattern.ptr + i, 1};
            i += 2;
        } else {
            size_t start = ++i;
            while (i < pattern.len &&
                   (pattern.ptr[i] != '\'' || (i + 1 < pattern.len && pattern.ptr[i + 1] == '\'')))
                i += pattern.ptr[i] == '\'' ? 2 : 1;
            if (i >= pattern.len)
                return -1;
            out->text = (struct tsfs_str){pattern.ptr + start, i - start};
            i++;
        }
    } else {
        while (i < pattern.len && pattern.ptr[i] != '\'' &&
               !((pattern.ptr[i] | 0x20) >= 'a' && (pattern.ptr[i] | 0x20) <= 'z'))
            i++;
        out->text = (struct tsfs_str){pattern.ptr + *at, i - *at};
    }
    *at = i;
    return 1;
}

static bool known(char letter)
{
    return strchr("GCYyxweEDMdaHkKhmsSzZ", letter) != NULL;
}

static bool numeric(const struct token *t)
{
    return t->letter != 0 &&
           (strchr("CYyxweDdHkKhmsS", t->letter) != NULL || (t->letter == 'M' && t->count < 3));
}

static int bad_pattern(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn, const struct token *t)
{
    if (t->letter == 0)
        return function_fail(ctx, row, "%s: the pattern has a quote that is not closed", fn);
    if (!known(t->letter))
        return function_fail(ctx, row, "%s: the pattern letter %c means nothing", fn, t->letter);
    return function_fail(ctx, row, "%s: more than %d letters %c in a row", fn, 32, t->letter);
}

/* ---- writing ---- */

#define FIELD_TEXT_MAX 64

static int put_number(char *out, unsigned digits, int64_t v)
{
    return snprintf(out, FIELD_TEXT_MAX, "%0*lld", (int)digits, (long long)v);
}

static int put_year(char *out, unsigned count, int32_t year)
{
    return put_number(out, count, count == 2 ? (year % 100 + 100) % 100 : year);
}

static int put_name(char *out, unsigned count, const char *name)
{
    return snprintf(out, FIELD_TEXT_MAX, "%.*s", count >= 4 ? 32 : 3, name);
}

/* The text of one letter; count is at most 32. */
static int put_field(const struct calendar_moment *m, char letter, unsigned count, char *out)
{
    const struct tsfs_civil *c = &m->c;
    char digits[12];
    switch (letter) {
    case 'G': return snprintf(out, FIELD_TEXT_MAX, "%s", c->year > 0 ? "AD" : "BC");
    case 'C': return put_number(out, count, c->year / 100);
    case 'Y':
    case 'y': return put_year(out, count, c->year);
    case 'x': return put_year(out, count, m->week_year);
    case 'w': return put_number(out, count, m->week);
    case 'e': return put_number(out, count, m->weekday + 1);
    case 'E': return put_name(out, count, calendar_days[m->weekday]);
    case 'D': return put_number(out, count, m->ordinal);
    case 'M':
        return count < 3 ? put_number(out, count, c->month)
                         : put_name(out, count, calendar_months[c->month - 1]);
    case 'd': return put_number(out, count, c->day);
    case 'a': return snprintf(out, FIELD_TEXT_MAX, "%s", c->hour < 12 ? "AM" : "PM");
    case 'H': return put_number(out, count, c->hour);
    case 'k': return put_number(out, count, c->hour == 0 ? 24 : c->hour);
    case 'K': return put_number(out, count, c->hour % 12);
    case 'h': return put_number(out, count, c->hour % 12 == 0 ? 12 : c->hour % 12);
    case 'm': return put_number(out, count, c->minute);
    case 's': return put_number(out, count, c->second);
    case 'S':
        snprintf(digits, sizeof(digits), "%09u", c->nanosecond);
        for (unsigned i = 0; i < count; i++)
            out[i] = i < 9 ? digits[i] : '0';
        return (int)count;
    case 'z': return snprintf(out, FIELD_TEXT_MAX, "%s", count >= 4 ? "Coordinated Universal Time" : "UTC");
    case 'Z':
        return snprintf(out, FIELD_TEXT_MAX, "%s", count == 1 ? "+0000" : count == 2 ? "+00:00" : "UTC");
    default: return 0;
    }
}

static char *put_text(char *p, struct tsfs_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        *p++ = text.ptr[i];
        if (text.ptr[i] == '\'')
            i++; /* doubled */
    }
    return p;
}

/* Bytes that one byte of a pattern may become: "zzzz" is 26, a letter alone at most 11. */
#define GROWTH 12

static int format_datetime_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str pattern = row_str(args, 1, row);
    if (pattern.len == 0)
        return function_fail(ctx, row, "format_datetime: the pattern is empty");
    if (pattern.len > TSFS_RESULT_VARCHAR_MAX / GROWTH)
        return function_fail(ctx, row, "format_datetime: the pattern is too long");
    struct calendar_moment m = calendar_moment_of(row_i64(args, 0, row));
    char *p = function_bytes(ctx, GROWTH * pattern.len + FIELD_TEXT_MAX), *start = p;
    if (p == NULL)
        return -ENOMEM;
    struct token t;
    int more;
    for (size_t at = 0; (more = next_token(pattern, &at, &t)) != 0;) {
        if (more < 0 || (t.letter != 0 && (!known(t.letter) || t.count > 32)))
            return bad_pattern(ctx, row, "format_datetime", &t);
        if (t.letter == 0) {
            p = put_text(p, t.text);
        } else {
            char text[FIELD_TEXT_MAX];
            int len = put_field(&m, t.letter, t.count, text);
            memcpy(p, text, (size_t)len);
            p += len;
        }
    }
    *r = (struct tsfs_str){start, (size_t)(p - start)};
    return 0;
}

ROW_KERNEL(format_datetime, struct tsfs_str)

/* ---- reading ---- */

/* The longest name of a zone that the text begins with. */
static int take_zone_name(struct tsfs_str *s, const struct tsfs_zone **zone)
{
    size_t len = 0;
    int rc = -ENOENT;
    while (len < s->len && len < TSFS_ZONE_NAME_MAX && s->ptr[len] != ' ' && s->ptr[len] != '\'')
        len++;
    for (; len > 2 && rc == -ENOENT; len--) {
        rc = tsfs_zone_find((struct tsfs_str){s->ptr, len}, zone);
        if (rc == 0)
            *s = (struct tsfs_str){s->ptr + len, s->len - len};
    }
    return rc;
}

/* An offset, a name of UTC, of another zone, or, for z, what America's zones are called there. */
static bool take_zone(struct tsfs_str *s, char letter, struct calendar_fields *f)
{
    static const char *const utc[] = {"Etc/UTC", "UTC", "GMT", "UT"};
    static const char *const american[][2] = {{"EST", "America/New_York"},    {"EDT", "America/New_York"},
                                              {"CST", "America/Chicago"},     {"CDT", "America/Chicago"},
                                              {"MST", "America/Denver"},      {"MDT", "America/Denver"},
                                              {"PST", "America/Los_Angeles"}, {"PDT", "America/Los_Angeles"}};
    struct tsfs_str t = *s;
    if (calendar_take_offset(&t, &f->offset) &&
        (t.len == 0 || (*t.ptr | 0x20) < 'a' || (*t.ptr | 0x20) > 'z')) {
        *s = t;
        return true;
    }
    f->offset = 0;
    for (size_t i = 0; letter == 'z' && i < sizeof(american) / sizeof(american[0]); i++)
        if (calendar_take_word(s, american[i][0]))
            return tsfs_zone_find(tsfs_str_from(american[i][1]), &f->zone) == 0;
    t = *s;
    if (take_zone_name(&t, &f->zone) == 0) {
        *s = t;
        return true;
    }
    for (size_t i = 0; i < sizeof(utc) / sizeof(utc[0]); i++)
        if (calendar_take_word(s, utc[i]))
            return true;
    return false;
}

/* A year of two digits is in the 80 years up to now or the 20 behind. */
static bool take_year(struct tsfs_str *s, const struct token *t, bool tight, int64_t now, int64_t *out)
{
    unsigned digits;
    bool minus = s->len > 0 && s->ptr[0] == '-', sign = minus || (s->len > 0 && s->ptr[0] == '+');
    struct tsfs_str rest = {s->ptr + sign, s->len - sign};
    if (!calendar_take_digits(&rest, tight && t->count < 9 ? t->count : 9, out, &digits))
        return false;
    *s = rest;
    if (minus)
        *out = -*out;
    if (t->count == 2 && digits == 2 && !sign) {
        struct tsfs_civil c;
        tsfs_time_to_civil(now, &c);
        int64_t first = c.year - 80, year = first - first % 100 + *out;
        *out = year < first ? year + 100 : year;
    }
    return true;
}

static bool take_hour(struct tsfs_str *s, unsigned most, char letter, struct calendar_fields *f)
{
    switch (letter) {
    case 'H': return f->has_hour = calendar_take_number(s, most, 0, 23, &f->hour);
    case 'k':
        if (!calendar_take_number(s, most, 1, 24, &f->hour))
            return false;
        f->hour %= 24;
        return f->has_hour = true;
    default:
        if (!calendar_take_number(s, most, letter == 'K' ? 0 : 1, letter == 'K' ? 11 : 12, &f->half_hour))
            return false;
        f->half_hour %= 12;
        return f->has_half_hour = true;
    }
}

/* One letter's part of the text; next is what follows in the pattern: digits directly before digits are as
 * many as there are letters. */
static bool take_field(struct tsfs_str *s, const struct token *t, const struct token *next, int64_t now,
                       struct calendar_fields *f)
{
    bool tight = numeric(next);
    unsigned two = tight && t->count < 2 ? t->count : 2, three = tight && t->count < 3 ? t->count : 3, v;
    switch (t->letter) {
    case 'G':
        if (calendar_take_word(s, "BC"))
            return f->bc = true;
        return calendar_take_word(s, "AD");
    case 'Y':
    case 'y': return f->has_year = take_year(s, t, tight, now, &f->year);
    case 'x': return f->has_week_year = take_year(s, t, tight, now, &f->week_year);
    case 'w': return f->has_week = calendar_take_number(s, two, 1, 53, &f->week);
    case 'e': return f->has_weekday = calendar_take_number(s, tight ? 1 : two, 1, 7, &f->weekday);
    case 'E':
        if (!calendar_take_name(s, calendar_days, 7, true, true, &v))
            return false;
        f->weekday = v + 1;
        return f->has_weekday = true;
    case 'D': return f->has_ordinal = calendar_take_number(s, three, 1, 366, &f->ordinal);
    case 'M':
        if (t->count < 3)
            return f->has_month = calendar_take_number(s, two, 1, 12, &f->month);
        if (!calendar_take_name(s, calendar_months, 12, true, true, &v))
            return false;
        f->month = v + 1;
        return f->has_month = true;
    case 'd': return f->has_day = calendar_take_number(s, two, 1, 31, &f->day);
    case 'a':
        f->half = calendar_take_word(s, "AM") ? 0 : calendar_take_word(s, "PM") ? 1 : -1;
        return f->half >= 0;
    case 'H':
    case 'k':
    case 'K':
    case 'h': return take_hour(s, two, t->letter, f);
    case 'm': return calendar_take_number(s, two, 0, 59, &f->minute);
    case 's': return calendar_take_number(s, two, 0, 59, &f->second);
    case 'S': return calendar_take_fraction(s, t->count, &f->fraction);
    default: return take_zone(s, t->letter, f);
    }
}

/* 1 read, 0 it does not follow the pattern, -1 the pattern is bad (*bad). */
static int read_text(struct tsfs_str s, struct tsfs_str pattern, int64_t now, struct calendar_fields *f,
                     struct token *bad)
{
    struct token t, next;
    size_t at = 0;
    int more = next_token(pattern, &at, &t);
    for (; more == 1; t = next) {
        more = next_token(pattern, &at, &next);
        if (t.letter != 0 && (!known(t.letter) || t.letter == 'C' || t.count > 32)) {
            *bad = t;
            return -1;
        }
        if (t.letter != 0) {
            if (!take_field(&s, &t, &next, now, f))
                return 0;
            continue;
        }
        for (size_t i = 0; i < t.text.len; i++) {
            if (s.len == 0 || *s.ptr != t.text.ptr[i])
                return 0;
            s = (struct tsfs_str){s.ptr + 1, s.len - 1};
            if (t.text.ptr[i] == '\'')
                i++;
        }
    }
    if (more < 0) {
        *bad = (struct token){0};
        return -1;
    }
    return s.len == 0;
}

static int parse_datetime_row(ROW_ARGS(int64_t))
{
    struct tsfs_str text = row_str(args, 0, row), pattern = row_str(args, 1, row);
    struct calendar_fields f = CALENDAR_FIELDS_NONE;
    struct token bad = {0};
    if (pattern.len == 0)
        return function_fail(ctx, row, "parse_datetime: the pattern is empty");
    int fits = read_text(text, pattern, ctx->now, &f, &bad);
    if (fits < 0 && bad.letter == 'C')
        return function_fail(ctx, row, "parse_datetime: a century (C) can only be written");
    if (fits < 0)
        return bad_pattern(ctx, row, "parse_datetime", &bad);
    if (fits == 0)
        return function_fail(ctx, row, "parse_datetime: '%.*s%s' does not follow the pattern '%.*s%s'",
                             FUNCTION_EXCERPT(text), FUNCTION_EXCERPT(pattern));
    if (calendar_instant(&f, r) != 0)
        return function_fail(ctx, row, "parse_datetime: '%.*s%s' is not a time that there is",
                             FUNCTION_EXCERPT(text));
    return 0;
}

ROW_KERNEL(parse_datetime, int64_t)

static const struct tsfs_function items[] = {
    SCALAR("format_datetime", STR, format_datetime,
           "format_datetime(t, p): t after a Joda pattern like 'yyyy-MM-dd HH:mm:ss'", TS, STR),
    SCALAR("parse_datetime", TS, parse_datetime,
           "parse_datetime(s, p): the time that s says after the Joda pattern p", STR, STR),
};

const struct function_table functions_joda = FUNCTION_TABLE(items);
