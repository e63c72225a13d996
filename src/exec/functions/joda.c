/* format_datetime and parse_datetime: patterns of Joda-Time, as Trino documents them.
 *
 *   G era  C century  Y year of era  y year  x year of the ISO week  w ISO week  e day of the week 1-7  E its
 * name D day of the year  M month (MMM Jan, MMMM January)  d day  a AM or PM  H hour 0-23  k hour 1-24  K
 * hour 0-11 h hour 1-12  m minute  s second  S fraction of a second, as many digits as letters  z zone's name
 *   Z offset +0000 (ZZ +00:00, ZZZ the zone)  '...' text  '' a quote
 *
 * The number of letters is the least number of digits; of names four letters and more mean the long form.
 * Timestamps are UTC, so that is the zone that is written; read are offsets and the names of UTC.  When only
 * a part of a date is read, the rest is that of 1970-01-01, but the year is 2000 where a month or a day is
 * read without one. */
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

struct moment {
    struct tsfs_civil c;
    int64_t day;               /* since the epoch */
    unsigned weekday, ordinal; /* 0 = Monday; 1 = 1 January */
    int32_t week_year;
    unsigned week;
};

static struct moment moment_of(int64_t ns)
{
    struct moment m = {.day = calendar_floor_div(ns, TSFS_NS_PER_DAY)};
    tsfs_time_to_civil(ns, &m.c);
    int64_t rest = (m.day + 3) % 7;
    m.weekday = (unsigned)(rest < 0 ? rest + 7 : rest);
    m.ordinal = (unsigned)(m.day - tsfs_time_days_from_civil(m.c.year, 1, 1)) + 1;
    int64_t thursday = m.day + 3 - (int64_t)m.weekday;
    unsigned month, day;
    tsfs_time_civil_from_days(thursday, &m.week_year, &month, &day);
    m.week = (unsigned)((thursday - tsfs_time_days_from_civil(m.week_year, 1, 1)) / 7) + 1;
    return m;
}

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
static int put_field(const struct moment *m, char letter, unsigned count, char *out)
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
    case 'E': return put_name(out, count, days[m->weekday]);
    case 'D': return put_number(out, count, m->ordinal);
    case 'M':
        return count < 3 ? put_number(out, count, c->month) : put_name(out, count, months[c->month - 1]);
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

static int format_datetime(KERNEL_ARGS)
{
    struct tsfs_str *r = function_calloc(ctx, out, n, sizeof(*r));
    int rc = r == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str pattern = args[1].s[row_at(&args[1], i)];
        if (pattern.len > TSFS_RESULT_VARCHAR_MAX / GROWTH) {
            rc = function_fail(ctx, i, "format_datetime: the pattern is too long");
            continue;
        }
        struct moment m = moment_of(args[0].i[row_at(&args[0], i)]);
        char *p = function_bytes(ctx, GROWTH * pattern.len + FIELD_TEXT_MAX), *start = p;
        if (p == NULL)
            return -ENOMEM;
        struct token t;
        int more;
        for (size_t at = 0; rc == 0 && (more = next_token(pattern, &at, &t)) != 0;) {
            if (more < 0 || (t.letter != 0 && (!known(t.letter) || t.count > 32))) {
                rc = bad_pattern(ctx, i, "format_datetime", &t);
                p = start;
                break;
            }
            char text[FIELD_TEXT_MAX];
            int len = t.letter == 0 ? 0 : put_field(&m, t.letter, t.count, text);
            if (t.letter == 0) {
                p = put_text(p, t.text);
            } else {
                memcpy(p, text, (size_t)len);
                p += len;
            }
        }
        r[i] = (struct tsfs_str){start, (size_t)(p - start)};
    }
    return rc;
}

/* ---- reading ---- */

struct parsed {
    int64_t year, week_year, fraction;
    unsigned month, day, ordinal, week, weekday, hour, minute, second;
    bool has_year, has_week_year, has_month, has_day, has_ordinal, has_week, has_weekday, bc;
    int half;       /* -1 none, 0 AM, 1 PM */
    int64_t offset; /* ns east of UTC */
};

static bool take_number(struct tsfs_str *s, unsigned most, bool sign, int64_t *out, unsigned *digits)
{
    bool minus = sign && s->len > 0 && s->ptr[0] == '-', plus = sign && s->len > 0 && s->ptr[0] == '+';
    struct tsfs_str t = {s->ptr + (minus || plus), s->len - (minus || plus)};
    int64_t v = 0;
    unsigned k = 0;
    for (; k < most && k < t.len && t.ptr[k] >= '0' && t.ptr[k] <= '9'; k++)
        v = v * 10 + (t.ptr[k] - '0');
    if (k == 0)
        return false;
    *s = (struct tsfs_str){t.ptr + k, t.len - k};
    *out = minus ? -v : v;
    if (digits != NULL)
        *digits = k;
    return true;
}

/* One of the names, long or by its first three letters. */
static bool take_name(struct tsfs_str *s, const char *const *names, unsigned n, unsigned *out)
{
    for (int form = 0; form < 2; form++)
        for (unsigned i = 0; i < n; i++) {
            size_t len = form == 0 ? strlen(names[i]) : 3;
            if (s->len >= len && strncasecmp(s->ptr, names[i], len) == 0) {
                *s = (struct tsfs_str){s->ptr + len, s->len - len};
                *out = i;
                return true;
            }
        }
    return false;
}

static bool take_word(struct tsfs_str *s, const char *word)
{
    size_t len = strlen(word);
    if (s->len < len || strncasecmp(s->ptr, word, len) != 0)
        return false;
    *s = (struct tsfs_str){s->ptr + len, s->len - len};
    return true;
}

/* +hh, +hhmm, +hh:mm, or a name of UTC. */
static bool take_zone(struct tsfs_str *s, int64_t *offset)
{
    static const char *const names[] = {"Etc/UTC", "UTC", "GMT", "Z"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (take_word(s, names[i])) {
            *offset = 0;
            return true;
        }
    if (s->len < 3 || (s->ptr[0] != '+' && s->ptr[0] != '-'))
        return false;
    bool minus = s->ptr[0] == '-';
    struct tsfs_str t = {s->ptr + 1, s->len - 1};
    int64_t hours, minutes = 0;
    unsigned digits;
    if (!take_number(&t, 2, false, &hours, &digits) || digits != 2)
        return false;
    bool colon = t.len > 0 && t.ptr[0] == ':';
    if (colon || (t.len >= 2 && t.ptr[0] >= '0' && t.ptr[0] <= '9')) {
        t = (struct tsfs_str){t.ptr + colon, t.len - colon};
        if (!take_number(&t, 2, false, &minutes, &digits) || digits != 2)
            return false;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *offset = (hours * 60 + minutes) * TSFS_NS_PER_MIN * (minus ? -1 : 1);
    *s = t;
    return true;
}

static bool take_unsigned(struct tsfs_str *s, unsigned most, unsigned lo, unsigned hi, unsigned *out)
{
    int64_t v;
    if (!take_number(s, most, false, &v, NULL) || v < lo || v > hi)
        return false;
    *out = (unsigned)v;
    return true;
}

/* A year of two digits is the one nearest to now, 30 years back at most. */
static bool take_year(struct tsfs_str *s, const struct token *t, bool tight, int64_t now, int64_t *out)
{
    unsigned digits;
    if (!take_number(s, tight ? (t->count < 9 ? t->count : 9) : 9, true, out, &digits))
        return false;
    if (t->count == 2 && digits == 2 && *out >= 0) {
        struct tsfs_civil c;
        tsfs_time_to_civil(now, &c);
        int64_t pivot = c.year - 30, year = pivot - pivot % 100 + *out;
        *out = year < pivot ? year + 100 : year;
    }
    return true;
}

static bool take_hour(struct tsfs_str *s, unsigned most, char letter, struct parsed *p)
{
    unsigned v;
    switch (letter) {
    case 'H': return take_unsigned(s, most, 0, 23, &p->hour);
    case 'k':
        if (!take_unsigned(s, most, 1, 24, &v))
            return false;
        p->hour = v % 24;
        return true;
    default:
        if (!take_unsigned(s, most, letter == 'K' ? 0 : 1, letter == 'K' ? 11 : 12, &v))
            return false;
        p->hour = v % 12;
        p->half = p->half < 0 ? 0 : p->half;
        return true;
    }
}

/* One letter's part of the text; next is what follows in the pattern: digits directly before digits are as
 * many as there are letters. */
static bool take_field(struct tsfs_str *s, const struct token *t, const struct token *next, int64_t now,
                       struct parsed *p)
{
    bool tight = numeric(next);
    unsigned two = tight && t->count < 2 ? t->count : 2, three = tight && t->count < 3 ? t->count : 3, v,
             digits;
    switch (t->letter) {
    case 'G':
        if (take_word(s, "BC")) {
            p->bc = true;
            return true;
        }
        return take_word(s, "AD");
    case 'Y':
    case 'y': return p->has_year = take_year(s, t, tight, now, &p->year);
    case 'x': return p->has_week_year = take_year(s, t, tight, now, &p->week_year);
    case 'w': return p->has_week = take_unsigned(s, two, 1, 53, &p->week);
    case 'e': return p->has_weekday = take_unsigned(s, tight ? 1 : two, 1, 7, &p->weekday);
    case 'E':
        if (!take_name(s, days, 7, &v))
            return false;
        p->weekday = v + 1;
        return p->has_weekday = true;
    case 'D': return p->has_ordinal = take_unsigned(s, three, 1, 366, &p->ordinal);
    case 'M':
        if (t->count < 3)
            return p->has_month = take_unsigned(s, two, 1, 12, &p->month);
        if (!take_name(s, months, 12, &v))
            return false;
        p->month = v + 1;
        return p->has_month = true;
    case 'd': return p->has_day = take_unsigned(s, two, 1, 31, &p->day);
    case 'a': p->half = s->len > 0 && (s->ptr[0] | 0x20) == 'p'; return take_word(s, p->half ? "PM" : "AM");
    case 'H':
    case 'k':
    case 'K':
    case 'h': return take_hour(s, two, t->letter, p);
    case 'm': return take_unsigned(s, two, 0, 59, &p->minute);
    case 's': return take_unsigned(s, two, 0, 59, &p->second);
    case 'S':
        if (!take_number(s, t->count < 9 ? t->count : 9, false, &p->fraction, &digits))
            return false;
        for (; digits < 9; digits++)
            p->fraction *= 10;
        while (t->count > 9 && s->len > 0 && *s->ptr >= '0' && *s->ptr <= '9') {
            s->ptr++;
            s->len--;
        }
        return true;
    default: return take_zone(s, &p->offset);
    }
}

static int to_instant(const struct parsed *p, int64_t *ns)
{
    int64_t year = p->has_year ? p->year : p->has_month || p->has_day || p->has_ordinal ? 2000 : 1970, day;
    if (p->bc)
        year = 1 - year;
    if (year < -9999 || year > 9999 || p->week_year < -9999 || p->week_year > 9999)
        return -ERANGE;
    if (p->has_week || p->has_week_year) {
        int64_t january4 = tsfs_time_days_from_civil((int32_t)(p->has_week_year ? p->week_year : year), 1, 4);
        int64_t monday = january4 - ((january4 + 3) % 7 + 7) % 7;
        day = monday + 7 * ((int64_t)(p->has_week ? p->week : 1) - 1) + (p->has_weekday ? p->weekday : 1) - 1;
    } else if (p->has_ordinal && !p->has_month && !p->has_day) {
        day = tsfs_time_days_from_civil((int32_t)year, 1, 1) + p->ordinal - 1;
        if (day >= tsfs_time_days_from_civil((int32_t)year + 1, 1, 1))
            return -ERANGE;
    } else {
        unsigned month = p->has_month ? p->month : 1, of_month = p->has_day ? p->day : 1;
        if (of_month > calendar_days_of_month((int32_t)year, month))
            return -ERANGE;
        day = tsfs_time_days_from_civil((int32_t)year, month, of_month);
    }
    int64_t hour = p->hour + (p->half == 1 && p->hour < 12 ? 12 : 0);
    int64_t of_day = ((hour * 60 + p->minute) * 60 + p->second) * TSFS_NS_PER_S + p->fraction - p->offset;
    __extension__ typedef __int128 wide;
    wide sum = (wide)day * TSFS_NS_PER_DAY + of_day;
    if (sum < INT64_MIN || sum > INT64_MAX)
        return -ERANGE;
    *ns = (int64_t)sum;
    return 0;
}

/* 1 read, 0 it does not follow the pattern, -1 the pattern is bad (*bad). */
static int read_text(struct tsfs_str s, struct tsfs_str pattern, int64_t now, struct parsed *p,
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
            if (!take_field(&s, &t, &next, now, p))
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

static int parse_datetime(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    int rc = r == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str text = args[0].s[row_at(&args[0], i)], pattern = args[1].s[row_at(&args[1], i)];
        struct parsed p = {.half = -1};
        struct token bad = {0};
        int fits = read_text(text, pattern, ctx->now, &p, &bad);
        if (fits < 0 && bad.letter == 'C')
            rc = function_fail(ctx, i, "parse_datetime: a century (C) can only be written");
        else if (fits < 0)
            rc = bad_pattern(ctx, i, "parse_datetime", &bad);
        else if (fits == 0)
            rc = function_fail(ctx, i, "parse_datetime: '%.*s%s' does not follow the pattern '%.*s%s'",
                               FUNCTION_EXCERPT(text), FUNCTION_EXCERPT(pattern));
        else if (to_instant(&p, &r[i]) != 0)
            rc = function_fail(ctx, i, "parse_datetime: '%.*s%s' is not a time that there is",
                               FUNCTION_EXCERPT(text));
    }
    return rc;
}

static const struct tsfs_function items[] = {
    SCALAR("format_datetime", STR, format_datetime,
           "format_datetime(t, p): t after a Joda pattern like 'yyyy-MM-dd HH:mm:ss'", TS, STR),
    SCALAR("parse_datetime", TS, parse_datetime,
           "parse_datetime(s, p): the time that s says after the Joda pattern p", STR, STR),
};

const struct function_table functions_joda = FUNCTION_TABLE(items);
