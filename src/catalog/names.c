#include "catalog/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/time.h"

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

int tsfs_name_check(struct tsfs_str name, struct tsfs_error *err)
{
    if (name.len == 0)
        return tsfs_error_set(err, -EINVAL, "a name must not be empty");
    if (name.len > TSFS_NAME_MAX)
        return tsfs_error_set(err, -ENAMETOOLONG, "a name may have %d bytes, this one has %zu", TSFS_NAME_MAX,
                              name.len);
    if (name.ptr[0] == '.')
        return tsfs_error_set(err, -EINVAL, "a name must not begin with a dot");
    for (size_t i = 0; i < name.len; i++) {
        if (!name_char(name.ptr[i]))
            return tsfs_error_set(err, -EINVAL,
                                  "\"%.*s\" cannot be a name: only letters, digits, _ . and - may be in it",
                                  (int)(name.len < 80 ? name.len : 80), name.ptr);
    }
    return 0;
}

/* Levenshtein's distance without regard to case, SIZE_MAX when the names are too long to bother. */
static size_t edit_distance(struct tsfs_str a, struct tsfs_str b)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1];
    if (a.len > LONGEST || b.len > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = a.ptr[i - 1], y = b.ptr[j - 1];
            if (x >= 'A' && x <= 'Z')
                x += 32;
            if (y >= 'A' && y <= 'Z')
                y += 32;
            size_t best = diagonal + (x != y);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

struct tsfs_str tsfs_name_nearest(struct tsfs_str name, const struct tsfs_str *names, size_t n)
{
    struct tsfs_str nearest = {NULL, 0};
    size_t best = name.len / 3 + 2; /* further away is another word */
    for (size_t i = 0; i < n; i++) {
        size_t d = edit_distance(name, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

void tsfs_partition_folder(int64_t start, char out[TSFS_PARTITION_NAME_MAX])
{
    struct tsfs_civil c;
    tsfs_time_to_civil(start, &c);
    snprintf(out, TSFS_PARTITION_NAME_MAX, "%04d-%02u-%02uT%02uZ", (int)c.year, c.month, c.day, c.hour);
}

int tsfs_partition_folder_parse(const char *name, int64_t *start)
{
    unsigned year, month, day, hour;
    int end = 0;
    char again[TSFS_PARTITION_NAME_MAX];
    if (sscanf(name, "%4u-%2u-%2uT%2uZ%n", &year, &month, &day, &hour, &end) != 4 || end == 0 ||
        name[end] != '\0')
        return -EINVAL;
    if (month > 12 || day > 31 || hour > 23)
        return -EINVAL;
    struct tsfs_civil c = {
        .year = (int32_t)year, .month = (uint8_t)month, .day = (uint8_t)day, .hour = (uint8_t)hour};
    int rc = tsfs_time_from_civil(&c, start);
    if (rc == -ERANGE &&
        year == 1677) { /* the first partition begins before the first representable instant */
        *start = INT64_MIN;
        return 0;
    }
    if (rc < 0)
        return -EINVAL;
    tsfs_partition_folder(*start, again);
    return strcmp(again, name) == 0 ? 0 : -EINVAL;
}

void tsfs_partition_file(int64_t start, int64_t length, char out[TSFS_PARTITION_NAME_MAX])
{
    struct tsfs_civil c;
    char text[TSFS_TIME_TEXT_MAX];
    tsfs_time_to_civil(start, &c);
    unsigned n = tsfs_duration_format(length, text);
    snprintf(out, TSFS_PARTITION_NAME_MAX, "%04d%02u%02uT%02u%02u%02uZ-%.*s.parquet", (int)c.year, c.month,
             c.day, c.hour, c.minute, c.second, (int)n, text);
}
