/* What date_format, date_parse, format_datetime, parse_datetime and the ISO 8601 functions share. */
#ifndef TSFS_EXEC_FUNCTIONS_CALENDAR_TEXT_H
#define TSFS_EXEC_FUNCTIONS_CALENDAR_TEXT_H

#include "base/time.h"
#include "base/zone.h"
#include "exec/functions/functions_priv.h"

extern const char *const calendar_months[12];
extern const char *const calendar_days[7]; /* from Monday on */

/* An instant taken apart. */
struct calendar_moment {
    struct tsfs_civil c;
    int64_t day;               /* since the epoch */
    unsigned weekday, ordinal; /* 0 = Monday; 1 = 1 January */
    int32_t week_year;
    unsigned week;
};

struct calendar_moment calendar_moment_of(int64_t ns);

/* What a text said.  Each part is in its own range already, has_... tells whether it was there. */
struct calendar_fields {
    int64_t year, week_year, fraction;           /* fraction: ns of the second */
    unsigned month, day, ordinal, week, weekday; /* weekday: Monday = 1 */
    unsigned hour, half_hour, minute, second;    /* half_hour: 0 to 11, of the half of the day */
    bool has_year, has_week_year, has_month, has_day, has_ordinal, has_week, has_weekday, has_hour,
        has_half_hour, bc;
    int half;                     /* -1 none, 0 AM, 1 PM */
    int64_t offset;               /* ns east of UTC */
    const struct tsfs_zone *zone; /* NULL: offset counts */
};

#define CALENDAR_FIELDS_NONE ((struct calendar_fields){.half = -1})

/* The instant they mean: -ERANGE if there is none. */
TSFS_MUST_CHECK int calendar_instant(const struct calendar_fields *f, int64_t *ns);

/* Their day alone. */
TSFS_MUST_CHECK int calendar_day(const struct calendar_fields *f, int64_t *day);

/* The next digits of *s, at most `most` of them; false if there are none. */
bool calendar_take_digits(struct tsfs_str *s, unsigned most, int64_t *out, unsigned *digits);
/* The same for a number that must be in [lo, hi]. */
bool calendar_take_number(struct tsfs_str *s, unsigned most, unsigned lo, unsigned hi, unsigned *out);
/* One of the names, in any case: whole, or, with `abbreviated`, also by its first three letters. */
bool calendar_take_name(struct tsfs_str *s, const char *const *names, unsigned n, bool whole,
                        bool abbreviated, unsigned *out);
bool calendar_take_word(struct tsfs_str *s, const char *word); /* in any case */
/* Digits behind a decimal point as ns: at most `most` count. */
bool calendar_take_fraction(struct tsfs_str *s, unsigned most, int64_t *ns);
/* Z, +hh, +hhmm or +hh:mm. */
bool calendar_take_offset(struct tsfs_str *s, int64_t *offset);

#endif
