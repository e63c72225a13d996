/* date_format and date_parse: patterns of MySQL.
 *
 *   %Y 2024  %y 24  %m 05  %c 5  %b May  %M May  %d 06  %e 6  %j 127  %a Mon  %W Monday
 *   %H 07  %k 7  %h %I 07  %l 7  %i 08  %s %S 09  %f 123456  %p AM  %T 07:08:09  %r 07:08:09 AM
 *   %v week and %x year of ISO 8601 (only to format)  %% a percent sign
 *
 * Any other letter behind a % is an error.  Parsing starts from 1970-01-01 00:00:00; %f takes 1 to 9 digits.
 */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/limits.h"
#include "base/time.h"
#include "exec/functions/functions_priv.h"

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                   "Friday", "Saturday", "Sunday"};

struct moment {
    struct tsfs_civil c;
    int64_t day; /* since the epoch */
};

static unsigned weekday(int64_t day)
{
    int64_t rest = (day + 3) % 7;
    return (unsigned)(rest < 0 ? rest + 7 : rest);
}

/* The text of one code, at most 32 bytes; -1 if there is no such code. */
static int put_code(char code, const struct moment *m, char *out)
{
    const struct tsfs_civil *c = &m->c;
    unsigned half = c->hour % 12 == 0 ? 12 : c->hour % 12u;
    int64_t thursday = m->day + 3 - (int64_t)weekday(m->day);
    int32_t year;
    unsigned month, dom;
    const size_t room = 32;
    switch (code) {
    case 'Y': return snprintf(out, room, "%04d", c->year);
    case 'y': return snprintf(out, room, "%02d", ((c->year % 100) + 100) % 100);
    case 'm': return snprintf(out, room, "%02u", c->month);
    case 'c': return snprintf(out, room, "%u", c->month);
    case 'b': return snprintf(out, room, "%.3s", months[c->month - 1]);
    case 'M': return snprintf(out, room, "%s", months[c->month - 1]);
    case 'd': return snprintf(out, room, "%02u", c->day);
    case 'e': return snprintf(out, room, "%u", c->day);
    case 'j':
        return snprintf(out, room, "%03d", (int)(m->day - tsfs_time_days_from_civil(c->year, 1, 1)) + 1);
    case 'a': return snprintf(out, room, "%.3s", days[weekday(m->day)]);
    case 'W': return snprintf(out, room, "%s", days[weekday(m->day)]);
    case 'H': return snprintf(out, room, "%02u", c->hour);
    case 'k': return snprintf(out, room, "%u", c->hour);
    case 'h':
    case 'I': return snprintf(out, room, "%02u", half);
    case 'l': return snprintf(out, room, "%u", half);
    case 'i': return snprintf(out, room, "%02u", c->minute);
    case 's':
    case 'S': return snprintf(out, room, "%02u", c->second);
    case 'f': return snprintf(out, room, "%06u", c->nanosecond / 1000);
    case 'p': return snprintf(out, room, "%s", c->hour < 12 ? "AM" : "PM");
    case 'T': return snprintf(out, room, "%02u:%02u:%02u", c->hour, c->minute, c->second);
    case 'r':
        return snprintf(out, room, "%02u:%02u:%02u %s", half, c->minute, c->second,
                        c->hour < 12 ? "AM" : "PM");
    case 'v':
    case 'x':
        tsfs_time_civil_from_days(thursday, &year, &month, &dom);
        if (code == 'x')
            return snprintf(out, room, "%04d", year);
        return snprintf(out, room, "%02d", (int)((thursday - tsfs_time_days_from_civil(year, 1, 1)) / 7) + 1);
    case '%': out[0] = '%'; return 1;
    default: return -1;
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

static int date_format(KERNEL_ARGS)
{
    struct tsfs_str *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        int64_t ns = args[0].i[row_at(&args[0], i)];
        struct tsfs_str pattern = args[1].s[row_at(&args[1], i)];
        if (pattern.len > TSFS_RESULT_VARCHAR_MAX / 16) {
            int rc = function_fail(ctx, i, "date_format: the pattern is too long");
            if (rc != 0)
                return rc;
            continue;
        }
        struct moment m = {.day = calendar_floor_div(ns, TSFS_NS_PER_DAY)};
        tsfs_time_to_civil(ns, &m.c);
        char *p = function_bytes(ctx, 16 * pattern.len);
        if (p == NULL)
            return -ENOMEM;
        r[i].ptr = p;
        for (size_t k = 0; k < pattern.len; k++) {
            if (pattern.ptr[k] != '%') {
                *p++ = pattern.ptr[k];
                continue;
            }
            char text[32];
            int len = ++k < pattern.len ? put_code(pattern.ptr[k], &m, text) : -1;
            if (len < 0) {
                int rc = bad_code(ctx, i, "date_format", pattern, k);
                if (rc != 0)
                    return rc;
                break;
            }
            memcpy(p, text, (size_t)len);
            p += len;
        }
        r[i].len = (size_t)(p - r[i].ptr);
    }
    return 0;
}

struct parsed {
    int64_t year;
    unsigned month, day, day_of_year, hour, minute, second, nanosecond;
    int half; /* -1 none, 0 AM, 1 PM */
};

/* 1 to most digits. */
static bool number(struct tsfs_str *s, unsigned most, unsigned *out, unsigned *digits)
{
    unsigned v = 0, k = 0;
    for (; k < most && s->len > 0 && *s->ptr >= '0' && *s->ptr <= '9'; k++, s->ptr++, s->len--)
        v = v * 10 + (unsigned)(*s->ptr - '0');
    *out = v;
    if (digits != NULL)
        *digits = k;
    return k > 0;
}

/* A name of the list, whole or its first three letters. */
static bool name(struct tsfs_str *s, const char *const *names, unsigned n, bool whole, unsigned *out)
{
    for (unsigned i = 0; i < n; i++) {
        size_t len = whole ? strlen(names[i]) : 3;
        if (s->len >= len && strncasecmp(s->ptr, names[i], len) == 0) {
            s->ptr += len;
            s->len -= len;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool literal(struct tsfs_str *s, char c)
{
    if (s->len == 0 || *s->ptr != c)
        return false;
    s->ptr++;
    s->len--;
    return true;
}

/* 1 taken, 0 the text does not fit, -1 no such code. */
static int take_code(char code, struct tsfs_str *s, struct parsed *p)
{
    unsigned v, digits;
    switch (code) {
    case 'Y': {
        bool minus = literal(s, '-');
        if (!number(s, 4, &v, NULL))
            return 0;
        p->year = minus ? -(int64_t)v : (int64_t)v;
        return 1;
    }
    case 'y':
        if (!number(s, 2, &v, NULL))
            return 0;
        p->year = v + (v < 70 ? 2000 : 1900);
        return 1;
    case 'm':
    case 'c': return number(s, 2, &p->month, NULL);
    case 'b':
    case 'M':
        if (!name(s, months, 12, code == 'M', &v))
            return 0;
        p->month = v + 1;
        return 1;
    case 'd':
    case 'e': return number(s, 2, &p->day, NULL);
    case 'j': return number(s, 3, &p->day_of_year, NULL) && p->day_of_year > 0;
    case 'a':
    case 'W': return name(s, days, 7, code == 'W', &v);
    case 'H':
    case 'k': return number(s, 2, &p->hour, NULL);
    case 'h':
    case 'I':
    case 'l':
        if (!number(s, 2, &v, NULL) || v < 1 || v > 12)
            return 0;
        p->hour = v % 12;
        p->half = p->half < 0 ? 0 : p->half;
        return 1;
    case 'i': return number(s, 2, &p->minute, NULL);
    case 's':
    case 'S': return number(s, 2, &p->second, NULL);
    case 'f':
        if (!number(s, 9, &v, &digits))
            return 0;
        for (; digits < 9; digits++)
            v *= 10;
        p->nanosecond = v;
        return 1;
    case 'p': {
        static const char *const halves[] = {"AM", "PM"};
        if (!name(s, halves, 2, true, &v))
            return 0;
        p->half = (int)v;
        return 1;
    }
    case 'T':
        return number(s, 2, &p->hour, NULL) && literal(s, ':') && number(s, 2, &p->minute, NULL) &&
               literal(s, ':') && number(s, 2, &p->second, NULL);
    case 'r':
        return take_code('h', s, p) == 1 && literal(s, ':') && number(s, 2, &p->minute, NULL) &&
               literal(s, ':') && number(s, 2, &p->second, NULL) && literal(s, ' ') &&
               take_code('p', s, p) == 1;
    case '%': return literal(s, '%');
    default: return -1;
    }
}

static int to_instant(const struct parsed *p, int64_t *ns)
{
    struct tsfs_civil c = {.year = (int32_t)p->year,
                           .month = (uint8_t)p->month,
                           .day = (uint8_t)p->day,
                           .hour = (uint8_t)(p->hour + (p->half == 1 && p->hour < 12 ? 12 : 0)),
                           .minute = (uint8_t)p->minute,
                           .second = (uint8_t)p->second,
                           .nanosecond = p->nanosecond};
    if (p->month > 12 || p->day > 31 || p->hour > 23 || p->minute > 59 || p->second > 59)
        return -ERANGE;
    if (p->day_of_year > 0) {
        unsigned month, day;
        int32_t year;
        tsfs_time_civil_from_days(tsfs_time_days_from_civil(c.year, 1, 1) + p->day_of_year - 1, &year, &month,
                                  &day);
        if (year != c.year)
            return -ERANGE;
        c.month = (uint8_t)month;
        c.day = (uint8_t)day;
    }
    return tsfs_time_from_civil(&c, ns);
}

static int date_parse(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str text = args[0].s[row_at(&args[0], i)], s = text;
        struct tsfs_str pattern = args[1].s[row_at(&args[1], i)];
        struct parsed p = {.year = 1970, .month = 1, .day = 1, .half = -1};
        int taken = 1;
        size_t k = 0;
        for (; k < pattern.len && taken == 1; k++) {
            if (pattern.ptr[k] != '%')
                taken = literal(&s, pattern.ptr[k]);
            else
                taken = ++k < pattern.len ? take_code(pattern.ptr[k], &s, &p) : -1;
        }
        int rc = 0;
        if (taken < 0)
            rc = bad_code(ctx, i, "date_parse", pattern, k - 1 < pattern.len ? k - 1 : pattern.len);
        else if (taken == 0 || s.len > 0)
            rc = function_fail(ctx, i, "date_parse: '%.*s%s' does not follow the pattern '%.*s%s'",
                               FUNCTION_EXCERPT(text), FUNCTION_EXCERPT(pattern));
        else if (to_instant(&p, &r[i]) != 0)
            rc = function_fail(ctx, i, "date_parse: '%.*s%s' is not a time that there is",
                               FUNCTION_EXCERPT(text));
        if (rc != 0)
            return rc;
    }
    return 0;
}

static const struct tsfs_function items[] = {
    SCALAR("date_format", STR, date_format, "date_format(t, p): t after a pattern like '%Y-%m-%d %H:%i:%s'",
           TS, STR),
    SCALAR("date_parse", TS, date_parse, "date_parse(s, p): the time that s says after the pattern p", STR,
           STR),
};

const struct function_table functions_date_text = FUNCTION_TABLE(items);
