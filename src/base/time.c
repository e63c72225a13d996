/* The calendar counts in years that begin on 1 March, so that the leap day is the last of its year, and
 * in eras of 400 such years (146097 days).  Source: H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms" (2013). */
#include "base/time.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "base/num.h"

#define DAYS_PER_ERA  146097
#define DAYS_TO_EPOCH 719468 /* 0000-03-01 to 1970-01-01 */

static int64_t read_clock(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * TSFS_NS_PER_S + ts.tv_nsec;
}

int64_t tsfs_time_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t tsfs_time_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t tsfs_time_days_from_civil(int32_t year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

void tsfs_time_civil_from_days(int64_t days, int32_t *year, unsigned *month, unsigned *day)
{
    days += DAYS_TO_EPOCH;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (DAYS_PER_ERA - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * from_march + 2) / 5 + 1);
    *month = (unsigned)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (int32_t)(year_of_era + era * 400 + (*month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void tsfs_time_to_civil(int64_t ns, struct tsfs_civil *out)
{
    int64_t days = floor_div(ns, TSFS_NS_PER_DAY);
    uint64_t rest = (uint64_t)ns - (uint64_t)days * (uint64_t)TSFS_NS_PER_DAY;
    unsigned month, day;
    tsfs_time_civil_from_days(days, &out->year, &month, &day);
    out->month = (uint8_t)month;
    out->day = (uint8_t)day;
    out->nanosecond = (uint32_t)(rest % (uint64_t)TSFS_NS_PER_S);
    uint32_t seconds = (uint32_t)(rest / (uint64_t)TSFS_NS_PER_S);
    out->hour = (uint8_t)(seconds / 3600);
    out->minute = (uint8_t)(seconds / 60 % 60);
    out->second = (uint8_t)(seconds % 60);
}

static unsigned days_of_month(int32_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* days and ns may have opposite signs: the sum can fit where the first product does not. */
static int combine(int64_t days, int64_t ns, int64_t *out)
{
    __extension__ typedef __int128 wide;
    wide sum = (wide)days * TSFS_NS_PER_DAY + ns;
    if (sum < INT64_MIN || sum > INT64_MAX)
        return -ERANGE;
    *out = (int64_t)sum;
    return 0;
}

static int from_civil(const struct tsfs_civil *c, int64_t offset, int64_t *ns)
{
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > days_of_month(c->year, c->month) ||
        c->hour > 23 || c->minute > 59 || c->second > 59 || c->nanosecond > 999999999)
        return -ERANGE;
    int64_t of_day = ((c->hour * 60 + c->minute) * 60 + c->second) * TSFS_NS_PER_S + c->nanosecond;
    return combine(tsfs_time_days_from_civil(c->year, c->month, c->day), of_day - offset, ns);
}

int tsfs_time_from_civil(const struct tsfs_civil *c, int64_t *ns)
{
    return from_civil(c, 0, ns);
}

int64_t tsfs_time_floor(int64_t ns, int64_t step)
{
    int64_t rest = ns % step;
    if (rest < 0)
        rest += step;
    int64_t floor;
    return __builtin_sub_overflow(ns, rest, &floor) ? INT64_MIN : floor;
}

/* A cursor over text. */
struct reader {
    const char *p, *end;
};

static bool digit(const struct reader *r, size_t i)
{
    return (size_t)(r->end - r->p) > i && r->p[i] >= '0' && r->p[i] <= '9';
}

static bool eat(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* least to most digits. */
static bool number(struct reader *r, unsigned least, unsigned most, unsigned *out)
{
    unsigned v = 0, i = 0;
    for (; i < most && digit(r, i); i++)
        v = v * 10 + (unsigned)(r->p[i] - '0');
    r->p += i;
    *out = v;
    return i >= least;
}

/* *carry: 1 when the fraction rounds up to a whole second. */
static bool clock_time(struct reader *r, struct tsfs_civil *c, int64_t *carry)
{
    unsigned hour, minute, second = 0;
    if (!number(r, 1, 2, &hour) || !eat(r, ':') || !number(r, 1, 2, &minute))
        return false;
    if (eat(r, ':')) {
        if (!number(r, 1, 2, &second))
            return false;
        if (eat(r, '.')) {
            unsigned digits = 0, v = 0;
            for (; digit(r, 0) && digits < 9; digits++)
                v = v * 10 + (unsigned)(*r->p++ - '0');
            if (digits == 0)
                return false;
            for (; digits < 9; digits++)
                v *= 10;
            v += digit(r, 0) && *r->p >= '5'; /* digits beyond nanoseconds round */
            while (digit(r, 0))
                r->p++;
            *carry = v == 1000000000;
            c->nanosecond = *carry ? 0 : v;
        }
    }
    c->hour = (uint8_t)hour;
    c->minute = (uint8_t)minute;
    c->second = (uint8_t)second;
    return true;
}

/* Z, UTC, +hh:mm, +hhmm or nothing, up to the end. */
static bool zone(struct reader *r, int64_t *offset)
{
    *offset = 0;
    if (r->p == r->end)
        return true;
    size_t left = (size_t)(r->end - r->p);
    if (left == 1 && (*r->p == 'Z' || *r->p == 'z'))
        return true;
    if (left == 3 && (r->p[0] | 32) == 'u' && (r->p[1] | 32) == 't' && (r->p[2] | 32) == 'c')
        return true;
    bool minus = *r->p == '-';
    unsigned hour, minute;
    if (!eat(r, '+') && !eat(r, '-'))
        return false;
    if (!number(r, 2, 2, &hour))
        return false;
    eat(r, ':');
    if (!number(r, 2, 2, &minute) || r->p != r->end || hour > 23 || minute > 59)
        return false;
    *offset = (int64_t)(hour * 60 + minute) * TSFS_NS_PER_MIN * (minus ? -1 : 1);
    return true;
}

int tsfs_time_parse(struct tsfs_str s, int64_t *ns)
{
    s = tsfs_str_trim(s);
    struct reader r = {s.ptr, s.ptr + s.len};
    struct tsfs_civil c = {.month = 1, .day = 1};
    unsigned year, month = 1, day = 1;
    int64_t offset = 0, carry = 0;
    if (!number(&r, 4, 4, &year))
        return -EINVAL;
    if (r.p != r.end) {
        if (!eat(&r, '-') || !number(&r, 1, 2, &month))
            return -EINVAL;
        if (r.p != r.end) {
            if (!eat(&r, '-') || !number(&r, 1, 2, &day))
                return -EINVAL;
            if (r.end - r.p >= 2 && (r.p[0] == ' ' || r.p[0] == 'T' || r.p[0] == 't') && digit(&r, 1)) {
                r.p++;
                if (!clock_time(&r, &c, &carry))
                    return -EINVAL;
            }
            while (eat(&r, ' '))
                ;
            if (!zone(&r, &offset))
                return -EINVAL;
        }
    }
    c.year = (int32_t)year;
    c.month = (uint8_t)month;
    c.day = (uint8_t)day;
    return from_civil(&c, offset - carry * TSFS_NS_PER_S, ns);
}

static char *put(char *p, uint32_t v, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + digits;
}

unsigned tsfs_time_format_date(int64_t days, char out[TSFS_TIME_TEXT_MAX])
{
    int32_t year;
    unsigned month, day;
    tsfs_time_civil_from_days(days, &year, &month, &day);
    char *p = out;
    if (year < 0)
        *p++ = '-';
    uint32_t y = year < 0 ? 0u - (uint32_t)year : (uint32_t)year;
    unsigned digits = 4;
    for (uint32_t rest = y / 10000; rest > 0; rest /= 10)
        digits++;
    p = put(p, y, digits);
    *p++ = '-';
    p = put(p, month, 2);
    *p++ = '-';
    p = put(p, day, 2);
    return (unsigned)(p - out);
}

unsigned tsfs_time_format_time_of_day(int64_t ns, char out[TSFS_TIME_TEXT_MAX])
{
    uint64_t of_day = (uint64_t)(ns - tsfs_time_floor(ns, TSFS_NS_PER_DAY));
    if (ns < 0 && tsfs_time_floor(ns, TSFS_NS_PER_DAY) == INT64_MIN)
        of_day = (uint64_t)(ns % TSFS_NS_PER_DAY + TSFS_NS_PER_DAY);
    uint32_t seconds = (uint32_t)(of_day / (uint64_t)TSFS_NS_PER_S);
    char *p = put(out, seconds / 3600, 2);
    *p++ = ':';
    p = put(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put(p, seconds % 60, 2);
    *p++ = '.';
    p = put(p, (uint32_t)(of_day % (uint64_t)TSFS_NS_PER_S), 9);
    return (unsigned)(p - out);
}

unsigned tsfs_time_format(int64_t ns, char out[TSFS_TIME_TEXT_MAX])
{
    unsigned n = tsfs_time_format_date(floor_div(ns, TSFS_NS_PER_DAY), out);
    out[n++] = ' ';
    return n + tsfs_time_format_time_of_day(ns, out + n);
}

/* In the order of preference among texts of the same length. */
static const struct unit {
    struct tsfs_str name;
    int64_t ns;
} units[] = {
    {{"y", 1}, 365 * TSFS_NS_PER_DAY}, {{"d", 1}, TSFS_NS_PER_DAY}, {{"h", 1}, TSFS_NS_PER_HOUR},
    {{"m", 1}, TSFS_NS_PER_MIN},       {{"s", 1}, TSFS_NS_PER_S},   {{"w", 1}, 7 * TSFS_NS_PER_DAY},
    {{"ms", 2}, TSFS_NS_PER_MS},       {{"us", 2}, TSFS_NS_PER_US}, {{"ns", 2}, 1},
};
#define N_UNITS (sizeof(units) / sizeof(units[0]))

int tsfs_duration_parse(struct tsfs_str s, int64_t *ns)
{
    s = tsfs_str_trim(s);
    size_t digits = 0;
    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    struct tsfs_str unit = {s.ptr + digits, s.len - digits};
    if (digits == 0)
        return -EINVAL;
    for (size_t i = 0; i < N_UNITS; i++) {
        if (!tsfs_str_eq(unit, units[i].name))
            continue;
        int64_t n;
        int rc = tsfs_num_parse_i64((struct tsfs_str){s.ptr, digits}, &n);
        if (rc == 0 && __builtin_mul_overflow(n, units[i].ns, ns))
            rc = -ERANGE;
        return rc;
    }
    return -EINVAL;
}

unsigned tsfs_duration_format(int64_t ns, char out[TSFS_TIME_TEXT_MAX])
{
    unsigned best = 0;
    if (ns == 0) {
        memcpy(out, "0s", 2);
        return 2;
    }
    for (size_t i = 0; i < N_UNITS; i++) {
        if (ns % units[i].ns != 0)
            continue;
        char text[TSFS_NUM_TEXT_MAX];
        unsigned n = tsfs_num_format_i64(ns / units[i].ns, text);
        if (units[i].ns > TSFS_NS_PER_DAY || (best != 0 && n + units[i].name.len >= best))
            continue;
        memcpy(out, text, n);
        memcpy(out + n, units[i].name.ptr, units[i].name.len);
        best = n + (unsigned)units[i].name.len;
    }
    return best;
}
