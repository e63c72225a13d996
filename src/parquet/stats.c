/* Bounds of values: for column statistics and the column index.
 *
 * The format's rules for doubles under TypeDefinedOrder (parquet.thrift, ColumnOrder): NaN is counted, never
 * a bound; values that are all NaN have no bounds; a bound of zero is written as -0.0 below and +0.0 above,
 * because readers may take the two zeros for different.
 *
 * Bounds of long strings are shortened: the lower one is cut, the upper one is cut and then raised to the
 * next string of that length, so that it stays above.  Both stay valid UTF-8 where the column says it is. */
#include <math.h>

#include "base/utf8.h"
#include "parquet/writer_priv.h"

enum pq_kind pq_kind_of(enum tsfs_pq_physical physical)
{
    switch (physical) {
    case TSFS_PQ_BOOLEAN: return PQ_BOOLS;
    case TSFS_PQ_FLOAT:
    case TSFS_PQ_DOUBLE: return PQ_DOUBLES;
    case TSFS_PQ_BYTE_ARRAY: return PQ_STRINGS;
    default: return PQ_INTS;
    }
}

size_t pq_kind_width(enum pq_kind kind)
{
    static const size_t width[] = {1, 8, 8, sizeof(struct tsfs_str)};
    return width[kind];
}

#define LANES 4

/* Comparisons with NaN are false, so it never becomes a bound; the lanes let the compiler use vectors. */
static void bounds_of_doubles(const double *v, size_t n, struct pq_bounds *b)
{
    double min[LANES], max[LANES];
    uint64_t nans = 0;
    for (int k = 0; k < LANES; k++) {
        min[k] = INFINITY;
        max[k] = -INFINITY;
    }
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++) {
            double x = v[i + k];
            min[k] = x < min[k] ? x : min[k];
            max[k] = x > max[k] ? x : max[k];
            nans += x != x;
        }
    }
    for (; i < n; i++) {
        double x = v[i];
        min[0] = x < min[0] ? x : min[0];
        max[0] = x > max[0] ? x : max[0];
        nans += x != x;
    }
    for (int k = 1; k < LANES; k++) {
        min[0] = min[k] < min[0] ? min[k] : min[0];
        max[0] = max[k] > max[0] ? max[k] : max[0];
    }
    b->nans = nans;
    b->any = nans < n;
    b->min.d = min[0] == 0 ? -0.0 : min[0];
    b->max.d = max[0] == 0 ? 0.0 : max[0];
}

static void bounds_of_ints(const int64_t *v, size_t n, struct pq_bounds *b)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    b->any = n > 0;
    b->min.i = min;
    b->max.i = max;
}

static void bounds_of_bools(const uint8_t *v, size_t n, struct pq_bounds *b)
{
    uint8_t any = 0, all = 1;
    for (size_t i = 0; i < n; i++) {
        any |= v[i] != 0;
        all &= v[i] != 0;
    }
    b->any = n > 0;
    b->min.i = all;
    b->max.i = any;
}

static void bounds_of_strings(const struct tsfs_str *v, size_t n, struct pq_bounds *b)
{
    b->any = n > 0;
    if (n == 0)
        return;
    b->min.s = b->max.s = v[0];
    for (size_t i = 1; i < n; i++) {
        if (tsfs_str_cmp(v[i], b->min.s) < 0)
            b->min.s = v[i];
        else if (tsfs_str_cmp(v[i], b->max.s) > 0)
            b->max.s = v[i];
    }
}

void pq_bounds_of(enum pq_kind kind, const void *values, size_t n, struct pq_bounds *b)
{
    *b = (struct pq_bounds){0};
    switch (kind) {
    case PQ_BOOLS: bounds_of_bools(values, n, b); break;
    case PQ_INTS: bounds_of_ints(values, n, b); break;
    case PQ_DOUBLES: bounds_of_doubles(values, n, b); break;
    case PQ_STRINGS: bounds_of_strings(values, n, b); break;
    }
}

void pq_bounds_merge(enum pq_kind kind, struct pq_bounds *into, const struct pq_bounds *b)
{
    into->nulls += b->nulls;
    into->nans += b->nans;
    if (!b->any)
        return;
    bool first = !into->any, lower, higher;
    into->any = true;
    switch (kind) {
    case PQ_DOUBLES:
        lower = b->min.d < into->min.d;
        higher = b->max.d > into->max.d;
        break;
    case PQ_STRINGS:
        lower = !first && tsfs_str_cmp(b->min.s, into->min.s) < 0;
        higher = !first && tsfs_str_cmp(b->max.s, into->max.s) > 0;
        break;
    default: lower = b->min.i < into->min.i; higher = b->max.i > into->max.i;
    }
    if (first || lower)
        into->min = b->min;
    if (first || higher)
        into->max = b->max;
}

/* The longest beginning of at most PQ_BOUND_MAX bytes that does not cut a character. */
static size_t cut(const struct tsfs_pq_column *column, struct tsfs_str s)
{
    size_t n = PQ_BOUND_MAX;
    if (column->logical == TSFS_PQ_STRING) {
        while (n > PQ_BOUND_MAX - 4 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80)
            n--;
    }
    return n;
}

/* Raises room[0..len) to something above all that begins with it; 0 if there is nothing. */
static size_t raise_bytes(char *room, size_t len)
{
    while (len) {
        unsigned char *last = (unsigned char *)room + len - 1;
        if (*last != 0xff) {
            ++*last;
            return len;
        }
        len--;
    }
    return 0;
}

static size_t raise_text(char *room, size_t len)
{
    while (len) {
        size_t at = len - 1;
        while (at > 0 && ((unsigned char)room[at] & 0xc0) == 0x80)
            at--;
        uint32_t cp;
        unsigned k = tsfs_utf8_decode((struct tsfs_str){room + at, len - at}, &cp);
        if (k != len - at)
            return 0; /* no UTF-8 after all: keep the whole string */
        if (cp < 0x10ffff) {
            cp = cp + 1 == 0xd800 ? 0xe000 : cp + 1;
            return at + tsfs_utf8_encode(cp, room + at);
        }
        len = at;
    }
    return 0;
}

static struct tsfs_str number_bytes(const struct tsfs_pq_column *column, const void *number, char *room)
{
    size_t n = 8;
    if (column->physical == TSFS_PQ_BOOLEAN)
        n = 1;
    else if (column->physical == TSFS_PQ_INT32)
        n = 4;
    memcpy(room, number, n);
    return (struct tsfs_str){room, n};
}

struct tsfs_str pq_bound_min(const struct tsfs_pq_column *column, const struct pq_bounds *b,
                             char room[PQ_BOUND_MAX + 4], bool *exact)
{
    *exact = true;
    if (column->physical != TSFS_PQ_BYTE_ARRAY)
        return number_bytes(column, &b->min, room);
    struct tsfs_str s = b->min.s;
    if (s.len > PQ_BOUND_MAX) {
        *exact = false;
        s.len = cut(column, s);
    }
    return s;
}

struct tsfs_str pq_bound_max(const struct tsfs_pq_column *column, const struct pq_bounds *b,
                             char room[PQ_BOUND_MAX + 4], bool *exact)
{
    *exact = true;
    if (column->physical != TSFS_PQ_BYTE_ARRAY)
        return number_bytes(column, &b->max, room);
    struct tsfs_str s = b->max.s;
    if (s.len > PQ_BOUND_MAX) {
        size_t n = cut(column, s);
        memcpy(room, s.ptr, n);
        n = column->logical == TSFS_PQ_STRING ? raise_text(room, n) : raise_bytes(room, n);
        if (n) {
            *exact = false;
            return (struct tsfs_str){room, n};
        }
    }
    return s;
}

#define BRIEF_SHARE 16 /* pages must be so many times their bounds */

void pq_stats_write(struct thrift_writer *w, int16_t id, const struct tsfs_pq_column *column,
                    const struct pq_bounds *b, bool brief, uint64_t pages)
{
    char room_min[PQ_BOUND_MAX + 4], room_max[PQ_BOUND_MAX + 4];
    bool min_exact, max_exact;
    thrift_begin_struct(w, id);
    thrift_put_i64(w, 3, (int64_t)b->nulls);
    struct tsfs_str max = {0}, min = {0};
    if (b->any) {
        max = pq_bound_max(column, b, room_max, &max_exact);
        min = pq_bound_min(column, b, room_min, &min_exact);
    }
    bool cheap = !brief || column->logical == TSFS_PQ_TIMESTAMP || (min.len + max.len) * BRIEF_SHARE < pages;
    if (b->any && cheap) {
        /* A zero may have been given the other sign. */
        if (column->physical == TSFS_PQ_DOUBLE) {
            min_exact = b->min.d != 0;
            max_exact = b->max.d != 0;
        }
        thrift_put_binary(w, 5, max);
        thrift_put_binary(w, 6, min);
        if (!brief) {
            thrift_put_bool(w, 7, max_exact);
            thrift_put_bool(w, 8, min_exact);
        }
    }
    if (column->physical == TSFS_PQ_DOUBLE && !brief)
        thrift_put_i64(w, 9, (int64_t)b->nans);
    thrift_end_struct(w);
}
