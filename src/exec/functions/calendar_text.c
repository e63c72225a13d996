/* Dates and times from and to parts of texts.
 *
 * calendar_instant puts parts together as Joda-Time does: the parts are set one by one into 1970-01-01
 * 00:00:00, the larger first, and each one clears what is below it; a year that is missing where a month, a
 * week or a day is given is 2000.  So a day of the week moves the date within its week, a week without a
 * year of weeks counts in that of the year's first day, and AM and PM matter to hours of half a day only. */
#include "exec/functions/calendar_text.h"

#include <errno.h>
#include <strings.h>

const char *const calendar_months[12] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
const char *const calendar_days[7] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                      "Friday", "Saturday", "Sunday"};

/* 0 = Monday. */
static unsigned weekday(int64_t day)
{
    int64_t rest = (day + 3) % 7; /* day 0 was a Thursday */
    return (unsigned)(rest < 0 ? rest + 7 : rest);
}

/* The year that the week of a day belongs to: that of its Thursday. */
static int32_t week_year_of(int64_t day, int64_t *thursday)
{
    int32_t year;
    unsigned month, dom;
    *thursday = day + 3 - (int64_t)weekday(day);
    tsfs_time_civil_from_days(*thursday, &year, &month, &dom);
    return year;
}

struct calendar_moment calendar_moment_of(int64_t ns)
{
    struct calendar_moment m = {.day = calendar_floor_div(ns, TSFS_NS_PER_DAY)};
    int64_t thursday;
    tsfs_time_to_civil(ns, &m.c);
    m.weekday = weekday(m.day);
    m.ordinal = (unsigned)(m.day - tsfs_time_days_from_civil(m.c.year, 1, 1)) + 1;
    m.week_year = week_year_of(m.day, &thursday);
    m.week = (unsigned)((thursday - tsfs_time_days_from_civil(m.week_year, 1, 1)) / 7) + 1;
    return m;
}

/* The Monday of a week; -ERANGE if the year has no such week. */
static int monday_of(int64_t year, unsigned week, int64_t *day)
{
    int64_t january4 = tsfs_time_days_from_civil((int32_t)year, 1, 4), thursday;
    *day = january4 - (int64_t)weekday(january4) + 7 * ((int64_t)week - 1);
    return week_year_of(*day, &thursday) == year ? 0 : -ERANGE;
}

static bool year_ok(int64_t year)
{
    return year >= -9999 && year <= 9999;
}

int calendar_day(const struct calendar_fields *f, int64_t *day)
{
    bool dated = f->has_month || f->has_day || f->has_ordinal || f->has_weekday || f->has_week;
    int64_t year = f->has_year ? f->year : dated && !f->has_week_year ? 2000 : 1970, thursday;
    if (f->bc)
        year = 1 - year;
    if (!year_ok(year) || !year_ok(f->week_year))
        return -ERANGE;
    /* in this order: a day of the year moves the month, one of the month stays within it */
    int32_t y = (int32_t)year;
    unsigned month = f->has_month ? f->month : 1, of_month = 1;
    if (f->has_ordinal) {
        *day = tsfs_time_days_from_civil(y, 1, 1) + f->ordinal - 1;
        tsfs_time_civil_from_days(*day, &y, &month, &of_month);
        if (y != year)
            return -ERANGE;
    }
    if (f->has_day)
        of_month = f->day;
    if (month < 1 || of_month < 1 || of_month > calendar_days_of_month(y, month))
        return -ERANGE;
    *day = tsfs_time_days_from_civil(y, month, of_month);
    if (f->has_week_year || f->has_week) {
        int64_t week_year = f->has_week_year ? f->week_year : week_year_of(*day, &thursday);
        int rc = monday_of(week_year, f->has_week ? f->week : 1, day);
        if (rc != 0)
            return rc;
    }
    if (f->has_weekday)
        *day += (int64_t)f->weekday - 1 - (int64_t)weekday(*day);
    return 0;
}

int calendar_instant(const struct calendar_fields *f, int64_t *ns)
{
    int64_t day = 0;
    int rc = calendar_day(f, &day);
    if (rc != 0)
        return rc;
    int64_t hour = f->has_hour ? f->hour : f->half == 1 ? 12 : 0;
    if (f->has_half_hour)
        hour = hour / 12 * 12 + f->half_hour;
    if (hour > 23 || f->minute > 59 || f->second > 59)
        return -ERANGE;
    __extension__ typedef __int128 wide;
    wide sum = (wide)day * TSFS_NS_PER_DAY + ((hour * 60 + f->minute) * 60 + f->second) * TSFS_NS_PER_S +
               f->fraction - f->offset;
    if (sum < INT64_MIN || sum > INT64_MAX)
        return -ERANGE;
    *ns = (int64_t)sum;
    return f->zone != NULL ? tsfs_zone_to_utc(f->zone, *ns, ns) : 0;
}

bool calendar_take_digits(struct tsfs_str *s, unsigned most, int64_t *out, unsigned *digits)
{
    int64_t v = 0;
    unsigned k = 0;
    for (; k < most && k < 18 && k < s->len && s->ptr[k] >= '0' && s->ptr[k] <= '9'; k++)
        v = v * 10 + (s->ptr[k] - '0');
    if (digits != NULL)
        *digits = k;
    if (k == 0)
        return false;
    *s = (struct tsfs_str){s->ptr + k, s->len - k};
    *out = v;
    return true;
}

bool calendar_take_number(struct tsfs_str *s, unsigned most, unsigned lo, unsigned hi, unsigned *out)
{
    int64_t v;
    if (!calendar_take_digits(s, most, &v, NULL) || v < lo || v > hi)
        return false;
    *out = (unsigned)v;
    return true;
}

static bool take(struct tsfs_str *s, const char *text, size_t len)
{
    if (s->len < len || strncasecmp(s->ptr, text, len) != 0)
        return false;
    *s = (struct tsfs_str){s->ptr + len, s->len - len};
    return true;
}

bool calendar_take_name(struct tsfs_str *s, const char *const *names, unsigned n, bool whole,
                        bool abbreviated, unsigned *out)
{
    for (int form = 0; form < 2; form++) {
        for (unsigned i = 0; i < n && (form == 0 ? whole : abbreviated); i++) {
            if (take(s, names[i], form == 0 ? strlen(names[i]) : 3)) {
                *out = i;
                return true;
            }
        }
    }
    return false;
}

bool calendar_take_word(struct tsfs_str *s, const char *word)
{
    return take(s, word, strlen(word));
}

bool calendar_take_fraction(struct tsfs_str *s, unsigned most, int64_t *ns)
{
    unsigned digits;
    if (!calendar_take_digits(s, most < 9 ? most : 9, ns, &digits))
        return false;
    for (; digits < 9; digits++)
        *ns *= 10;
    for (unsigned k = 9; k < most && s->len > 0 && *s->ptr >= '0' && *s->ptr <= '9'; k++) {
        s->ptr++;
        s->len--;
    }
    return true;
}

bool calendar_take_offset(struct tsfs_str *s, int64_t *offset)
{
    *offset = 0;
    if (s->len > 0 && (*s->ptr | 0x20) == 'z') {
        *s = (struct tsfs_str){s->ptr + 1, s->len - 1};
        return true;
    }
    if (s->len < 3 || (s->ptr[0] != '+' && s->ptr[0] != '-'))
        return false;
    bool minus = s->ptr[0] == '-';
    struct tsfs_str t = {s->ptr + 1, s->len - 1};
    int64_t hours, minutes = 0;
    unsigned digits;
    if (!calendar_take_digits(&t, 2, &hours, &digits) || digits != 2)
        return false;
    bool colon = t.len > 0 && t.ptr[0] == ':';
    if (colon || (t.len >= 2 && t.ptr[0] >= '0' && t.ptr[0] <= '9')) {
        t = (struct tsfs_str){t.ptr + colon, t.len - colon};
        if (!calendar_take_digits(&t, 2, &minutes, &digits) || digits != 2)
            return false;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *offset = (hours * 60 + minutes) * TSFS_NS_PER_MIN * (minus ? -1 : 1);
    *s = t;
    return true;
}
