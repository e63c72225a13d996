/* Calendar and clock: nanoseconds since 1970-01-01T00:00:00Z in int64, proleptic Gregorian, UTC. */
#ifndef TSFS_BASE_TIME_H
#define TSFS_BASE_TIME_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define TSFS_NS_PER_US   INT64_C(1000)
#define TSFS_NS_PER_MS   INT64_C(1000000)
#define TSFS_NS_PER_S    INT64_C(1000000000)
#define TSFS_NS_PER_MIN  (60 * TSFS_NS_PER_S)
#define TSFS_NS_PER_HOUR (3600 * TSFS_NS_PER_S)
#define TSFS_NS_PER_DAY  (86400 * TSFS_NS_PER_S)

int64_t tsfs_time_now(void); /* CLOCK_REALTIME */
int64_t tsfs_time_monotonic(void);

/* A time and a duration, stopping at the ends of time. */
static inline int64_t tsfs_time_plus(int64_t t, int64_t duration)
{
    int64_t r;
    return __builtin_add_overflow(t, duration, &r) ? (duration > 0 ? INT64_MAX : INT64_MIN) : r;
}

static inline int64_t tsfs_time_minus(int64_t t, int64_t duration)
{
    int64_t r;
    return __builtin_sub_overflow(t, duration, &r) ? (duration > 0 ? INT64_MIN : INT64_MAX) : r;
}

struct tsfs_civil {
    int32_t year;
    uint8_t month, day; /* 1-based */
    uint8_t hour, minute, second;
    uint32_t nanosecond;
};

int64_t tsfs_time_days_from_civil(int32_t year, unsigned month, unsigned day);
void tsfs_time_civil_from_days(int64_t days, int32_t *year, unsigned *month, unsigned *day);
void tsfs_time_to_civil(int64_t ns, struct tsfs_civil *out);
/* -ERANGE outside int64 nanoseconds or not a calendar date. */
TSFS_MUST_CHECK int tsfs_time_from_civil(const struct tsfs_civil *c, int64_t *ns);

/* floor(ns / step) * step; step > 0.  Saturates at INT64_MIN. */
int64_t tsfs_time_floor(int64_t ns, int64_t step);

/* The place of the first of n ascending times that is >= t; n if there is none. */
static inline uint32_t tsfs_time_lower_bound(const int64_t *time, uint32_t n, int64_t t)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (time[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* "YYYY-MM-DD[( |T)hh:mm[:ss[.fffffffff]]][ ][Z|UTC|+hh:mm|-hh:mm|+hhmm]"; missing parts are zero, also
 * "YYYY" and "YYYY-MM"; all but the year and the zone may have one digit where two are usual, a fraction more
 * than nine, which round; blanks around are ignored.  -EINVAL, -ERANGE. */
TSFS_MUST_CHECK int tsfs_time_parse(struct tsfs_str s, int64_t *ns);

#define TSFS_TIME_TEXT_MAX 40
/* "YYYY-MM-DD hh:mm:ss.nnnnnnnnn"; returns the length (29), not NUL-terminated. */
unsigned tsfs_time_format(int64_t ns, char out[TSFS_TIME_TEXT_MAX]);
unsigned tsfs_time_format_date(int64_t days, char out[TSFS_TIME_TEXT_MAX]);      /* YYYY-MM-DD */
unsigned tsfs_time_format_time_of_day(int64_t ns, char out[TSFS_TIME_TEXT_MAX]); /* hh:mm:ss.nnnnnnnnn */

/* A setting's duration: "90s 15m 12h 30d 10y 500ms 2w", a number and one unit, y = 365 d; 0 needs a unit too.
 * -EINVAL, -ERANGE. */
TSFS_MUST_CHECK int tsfs_duration_parse(struct tsfs_str s, int64_t *ns);
/* The shortest such text, in days and smaller units, that reads back to ns exactly. */
unsigned tsfs_duration_format(int64_t ns, char out[TSFS_TIME_TEXT_MAX]);

#endif
