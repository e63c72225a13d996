#include "sql/names.h"

#include <stdio.h>

#define LONGEST 64 /* bytes; longer names are not compared */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that make b of a, letter case aside (optimal
 * string alignment, over bytes); more than limit comes back as limit + 1. */
static unsigned distance(struct tsfs_str a, struct tsfs_str b, unsigned limit)
{
    unsigned rows[3][LONGEST + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned least = row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = lower(a.ptr[i - 1]), y = lower(b.ptr[j - 1]);
            unsigned d = last[j - 1] + (x != y);
            if (last[j] + 1 < d)
                d = last[j] + 1;
            if (row[j - 1] + 1 < d)
                d = row[j - 1] + 1;
            if (i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && y == lower(a.ptr[i - 2]) &&
                before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            row[j] = d;
            if (d < least)
                least = d;
        }
        if (least > limit)
            return limit + 1;
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

void sql_nearest_try(struct sql_nearest *near, struct tsfs_str candidate)
{
    size_t len = near->wanted.len;
    if (len == 0 || len > LONGEST || candidate.len == 0 || candidate.len > LONGEST)
        return;
    unsigned limit = (unsigned)(len + 2) / 3;
    if (near->best.ptr != NULL && near->distance <= limit) {
        if (near->distance == 0)
            return;
        limit = near->distance - 1;
    }
    size_t gap = len > candidate.len ? len - candidate.len : candidate.len - len;
    if (gap > limit)
        return;
    unsigned d = distance(near->wanted, candidate, limit);
    if (d <= limit) {
        near->best = candidate;
        near->distance = d;
    }
}

const char *sql_nearest_hint(const struct sql_nearest *near, char out[SQL_HINT_MAX])
{
    out[0] = '\0';
    if (near->best.ptr != NULL)
        snprintf(out, SQL_HINT_MAX, " (did you mean \"%.*s\"?)", (int)near->best.len, near->best.ptr);
    return out;
}
