/* TZif files (RFC 8536), version 2 and later.
 *
 * A file lists the instants at which the offset changed and, as a text in the form of POSIX's TZ variable,
 * the rule for all instants behind the last of them.  Version 1's block of 32-bit instants is skipped.
 * Everything read is checked: a file that is not well-formed counts as absent. */
#include "base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/time.h"

#define DATABASE "/usr/share/zoneinfo"

/* The day of a year on which a rule's offset begins. */
struct rule_day {
    char form; /* M month.week.weekday, J day 1-365 without 29 February, 0 day 0-365 */
    unsigned month, week, day;
    int64_t time; /* seconds behind midnight */
};

/* POSIX's TZ; no dst when from.form is -. */
struct rule {
    int64_t offset, dst_offset; /* seconds east of UTC */
    struct rule_day from, to;
};

struct tsfs_zone {
    struct tsfs_zone *next;
    char *name;
    int64_t *at;     /* seconds since 1970, ascending */
    int32_t *offset; /* from at[i] on */
    size_t n;
    int32_t first; /* before at[0] */
    bool has_rule;
    struct rule rule;
};

/* ---- the rule ---- */

struct reader {
    const char *p, *end;
};

static bool eat(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool number(struct reader *r, int64_t most, int64_t *out)
{
    const char *start = r->p;
    int64_t v = 0;
    for (; r->p != r->end && *r->p >= '0' && *r->p <= '9' && r->p - start < 4; r->p++)
        v = v * 10 + (*r->p - '0');
    *out = v;
    return r->p != start && v <= most;
}

/* [+-]h[h][:mm[:ss]] */
static bool clock_time(struct reader *r, int64_t *out)
{
    bool minus = eat(r, '-');
    int64_t h, m = 0, s = 0;
    if (!minus)
        eat(r, '+');
    if (!number(r, 167, &h) || (eat(r, ':') && (!number(r, 59, &m) || (eat(r, ':') && !number(r, 59, &s)))))
        return false;
    *out = (h * 3600 + m * 60 + s) * (minus ? -1 : 1);
    return true;
}

/* CET, <+0330> */
static bool name(struct reader *r)
{
    const char *start = r->p;
    if (eat(r, '<')) {
        while (r->p != r->end && *r->p != '>')
            r->p++;
        return eat(r, '>');
    }
    while (r->p != r->end && ((*r->p | 0x20) >= 'a' && (*r->p | 0x20) <= 'z'))
        r->p++;
    return r->p - start >= 3;
}

static bool rule_day(struct reader *r, struct rule_day *d)
{
    int64_t month, week, day;
    *d = (struct rule_day){.time = 7200};
    if (!eat(r, ','))
        return false;
    if (eat(r, 'M')) {
        if (!number(r, 12, &month) || !eat(r, '.') || !number(r, 5, &week) || !eat(r, '.') ||
            !number(r, 6, &day) || month < 1 || week < 1)
            return false;
        *d = (struct rule_day){'M', (unsigned)month, (unsigned)week, (unsigned)day, 7200};
    } else {
        d->form = eat(r, 'J') ? 'J' : '0';
        if (!number(r, 365, &day) || (d->form == 'J' && day < 1))
            return false;
        d->day = (unsigned)day;
    }
    return !eat(r, '/') || clock_time(r, &d->time);
}

static bool parse_rule(struct reader r, struct rule *out)
{
    if (!name(&r) || !clock_time(&r, &out->offset))
        return false;
    out->offset = -out->offset; /* POSIX counts westwards */
    out->from.form = '-';
    if (r.p == r.end)
        return true;
    out->dst_offset = out->offset + 3600;
    if (!name(&r))
        return false;
    if (r.p != r.end && *r.p != ',') {
        if (!clock_time(&r, &out->dst_offset))
            return false;
        out->dst_offset = -out->dst_offset;
    }
    return rule_day(&r, &out->from) && rule_day(&r, &out->to) && r.p == r.end;
}

/* The local second at which the rule's day begins in a year, since 1970. */
static int64_t second_of(const struct rule_day *d, int32_t year)
{
    int64_t day, january1 = tsfs_time_days_from_civil(year, 1, 1);
    bool leap = tsfs_time_days_from_civil(year + 1, 1, 1) - january1 == 366;
    if (d->form == 'M') {
        int64_t first = tsfs_time_days_from_civil(year, d->month, 1);
        int64_t behind = d->month == 12 ? tsfs_time_days_from_civil(year + 1, 1, 1)
                                        : tsfs_time_days_from_civil(year, d->month + 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* Sunday = 0 */
        day = first + ((int64_t)d->day - weekday + 7) % 7 + 7 * ((int64_t)d->week - 1);
        while (day >= behind)
            day -= 7;
    } else {
        bool skip = d->form == 'J' && leap && d->day >= 60;
        day = january1 + d->day - (d->form == 'J') + skip;
    }
    return day * 86400 + d->time;
}

static int64_t rule_offset(const struct rule *rule, int64_t at)
{
    if (rule->from.form == '-')
        return rule->offset;
    int32_t year;
    unsigned month, day;
    int64_t local = at + rule->offset;
    tsfs_time_civil_from_days(local / 86400 - (local % 86400 < 0), &year, &month, &day);
    int64_t from = second_of(&rule->from, year) - rule->offset;
    int64_t to = second_of(&rule->to, year) - rule->dst_offset;
    bool dst = from < to ? at >= from && at < to : at >= from || at < to;
    return dst ? rule->dst_offset : rule->offset;
}

/* ---- files ---- */

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

#define HEADER 44

/* The bytes of a block behind its header, whose instants have `width` bytes; SIZE_MAX if it is no header. */
static size_t block_size(const unsigned char *p, size_t left, unsigned width, uint32_t counts[6])
{
    if (left < HEADER || memcmp(p, "TZif", 4) != 0)
        return SIZE_MAX;
    for (int i = 0; i < 6; i++) {
        counts[i] = be32(p + 20 + 4 * i);
        if (counts[i] > TSFS_ZONE_FILE_MAX)
            return SIZE_MAX;
    }
    /* isutc, isstd, leap, time, type, char */
    size_t size = (size_t)counts[3] * (width + 1) + (size_t)counts[4] * 6 + counts[5] +
                  (size_t)counts[2] * (width + 4) + counts[1] + counts[0];
    return size <= left - HEADER ? size : SIZE_MAX;
}

static int parse_file(const unsigned char *p, size_t size, struct tsfs_zone *zone)
{
    uint32_t counts[6];
    size_t skip = block_size(p, size, 4, counts);
    if (skip == SIZE_MAX || p[4] < '2')
        return -ENOENT;
    p += HEADER + skip;
    size -= HEADER + skip;
    size_t body = block_size(p, size, 8, counts);
    uint32_t n = counts[3], types = counts[4];
    if (body == SIZE_MAX || types == 0)
        return -ENOENT;
    const unsigned char *at = p + HEADER, *kind = at + 8 * (size_t)n, *type = kind + n;
    zone->at = calloc(n > 0 ? n : 1, sizeof(*zone->at));
    zone->offset = calloc(n > 0 ? n : 1, sizeof(*zone->offset));
    if (zone->at == NULL || zone->offset == NULL)
        return -ENOMEM;
    zone->n = n;
    zone->first = (int32_t)be32(type);
    for (uint32_t i = 0; i < n; i++) {
        if (kind[i] >= types)
            return -ENOENT;
        zone->at[i] = be64(at + 8 * (size_t)i);
        zone->offset[i] = (int32_t)be32(type + 6 * (size_t)kind[i]);
        if (i > 0 && zone->at[i] <= zone->at[i - 1])
            return -ENOENT;
    }
    const char *foot = (const char *)p + HEADER + body, *end = (const char *)p + size;
    if (foot != end && *foot == '\n') {
        const char *line = foot + 1, *stop = memchr(line, '\n', (size_t)(end - line));
        zone->has_rule = stop != NULL && parse_rule((struct reader){line, stop}, &zone->rule);
    }
    return 0;
}

static int read_file(const char *path, struct tsfs_zone *zone)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -ENOENT;
    unsigned char *bytes = malloc(TSFS_ZONE_FILE_MAX);
    size_t size = 0;
    ssize_t got = 1;
    while (bytes != NULL && size < TSFS_ZONE_FILE_MAX && got > 0) {
        got = read(fd, bytes + size, TSFS_ZONE_FILE_MAX - size);
        size += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    int rc = bytes == NULL ? -ENOMEM : got != 0 ? -ENOENT : parse_file(bytes, size, zone);
    free(bytes);
    return rc;
}

/* ---- finding ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tsfs_zone *zones;
static unsigned known;

static void destroy(struct tsfs_zone *zone)
{
    free(zone->name);
    free(zone->at);
    free(zone->offset);
    free(zone);
}

/* Names lead nowhere but into the database. */
static bool name_ok(struct tsfs_str s)
{
    if (s.len == 0 || s.len > TSFS_ZONE_NAME_MAX || s.ptr[0] == '/')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '/' && c != '_' && c != '-' && c != '+')
            return false;
    }
    return true;
}

static int load(struct tsfs_str s, struct tsfs_zone **out)
{
    char path[sizeof(DATABASE) + 1 + TSFS_ZONE_NAME_MAX];
    snprintf(path, sizeof(path), DATABASE "/%.*s", (int)s.len, s.ptr);
    struct tsfs_zone *zone = calloc(1, sizeof(*zone));
    if (zone == NULL)
        return -ENOMEM;
    zone->name = strndup(s.ptr, s.len);
    int rc = zone->name == NULL ? -ENOMEM : read_file(path, zone);
    if (rc != 0) {
        destroy(zone);
        return rc;
    }
    *out = zone;
    return 0;
}

int tsfs_zone_find(struct tsfs_str s, const struct tsfs_zone **out)
{
    if (!name_ok(s))
        return -ENOENT;
    pthread_mutex_lock(&lock);
    struct tsfs_zone *zone = zones;
    while (zone != NULL && !tsfs_str_eq(tsfs_str_from(zone->name), s))
        zone = zone->next;
    int rc = 0;
    if (zone == NULL) {
        rc = known == TSFS_ZONES_MAX ? -ENOMEM : load(s, &zone);
        if (rc == 0) {
            zone->next = zones;
            zones = zone;
            known++;
        }
    }
    pthread_mutex_unlock(&lock);
    *out = zone;
    return rc;
}

static int64_t offset_at(const struct tsfs_zone *zone, int64_t at)
{
    if (zone->n == 0 || at < zone->at[0])
        return zone->n == 0 && zone->has_rule ? rule_offset(&zone->rule, at) : zone->first;
    if (at >= zone->at[zone->n - 1] && zone->has_rule)
        return rule_offset(&zone->rule, at);
    size_t lo = 0, hi = zone->n; /* at[lo] <= at < at[hi] */
    while (hi - lo > 1) {
        size_t middle = lo + (hi - lo) / 2;
        if (zone->at[middle] <= at)
            lo = middle;
        else
            hi = middle;
    }
    return zone->offset[lo];
}

int tsfs_zone_to_utc(const struct tsfs_zone *zone, int64_t local, int64_t *utc)
{
    int64_t second = local / TSFS_NS_PER_S - (local % TSFS_NS_PER_S < 0);
    /* Offsets are less than a day: those of the days around are all that can be in force. */
    int64_t offsets[2] = {offset_at(zone, second - 86400), offset_at(zone, second + 86400)};
    bool found = false;
    int64_t best = 0;
    for (int i = 0; i < 2; i++) {
        if (offset_at(zone, second - offsets[i]) != offsets[i] || (found && offsets[i] <= best))
            continue;
        best = offsets[i];
        found = true;
    }
    if (!found || __builtin_sub_overflow(local, best * TSFS_NS_PER_S, utc))
        return -ERANGE;
    return 0;
}
