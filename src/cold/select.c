/* Which series of a segment a scan wants: decided on the index alone.
 *
 * Values that dim_in asks for are looked up once in the dictionaries; from then on a series is tested by
 * comparing numbers, and strings are only made for those that pass, for series_match.  Series lie in the
 * order of (measure_name, dimension, dimension, ...) and dictionary numbers compare like values; so where the
 * leading keys are pinned to few values the search starts from ranges found by bisection, not from all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cold/cold_priv.h"

#define PREFIXES_MAX 256 /* combinations of leading values that are searched one by one */
#define SMALL_KEY    16  /* an unconstrained leading key with so few values is enumerated */

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

bool select_times_meet(const struct tsfs_scan_spec *spec, int64_t t_first, int64_t t_last)
{
    return !spec || (t_first <= spec->time_max && t_last >= spec->time_min);
}

static int fill(struct cold_index *ix, const struct cold_map *map, const struct cold_series_slice *s,
                uint32_t at, uint16_t ndims, struct tsfs_str *dims, struct tsfs_series *out,
                struct tsfs_error *err)
{
    memset(dims, 0, ndims * sizeof(*dims));
    out->measure_name = (struct tsfs_str){NULL, 0};
    out->dims = dims;
    out->ndims = ndims;
    for (uint32_t k = 0; k < ix->nkeys; k++) {
        uint32_t id = s->ids[(size_t)k * COLD_SLICE + at];
        if (id == COLD_ABSENT)
            continue;
        int rc = cold_index_value(ix, k, id, k ? &dims[map->key_slot[k]] : &out->measure_name, err);
        if (rc)
            return rc;
    }
    return 0;
}

int select_series(struct cold_index *ix, const struct cold_map *map, uint32_t i, uint16_t ndims,
                  struct tsfs_str *dims, struct tsfs_series *out, struct tsfs_error *err)
{
    const struct cold_series_slice *s;
    int rc = cold_index_series(ix, i / COLD_SLICE, &s, err);
    return rc ? rc : fill(ix, map, s, i % COLD_SLICE, ndims, dims, out, err);
}

int select_lower_bound(struct cold_index *ix, const struct cold_map *map, const struct tsfs_series *series,
                       struct tsfs_str *dims, uint32_t *number, struct tsfs_error *err)
{
    uint32_t lo = 0, hi = ix->series;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct tsfs_series have;
        int rc = select_series(ix, map, mid, series->ndims, dims, &have, err);
        if (rc)
            return rc;
        if (tsfs_series_cmp(&have, series) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *number = lo;
    return 0;
}

int select_find(struct cold_index *ix, const struct cold_map *map, const struct tsfs_series *series,
                struct tsfs_str *dims, uint32_t *number, struct tsfs_error *err)
{
    struct tsfs_series have;
    int rc;
    *number = TSFS_SERIES_NONE;
    if (!map->same_hash || ix->image) { /* a packed index has no hashes */
        uint32_t i;
        rc = select_lower_bound(ix, map, series, dims, &i, err);
        if (rc || i == ix->series)
            return rc;
        rc = select_series(ix, map, i, series->ndims, dims, &have, err);
        if (rc == 0 && tsfs_series_cmp(&have, series) == 0)
            *number = i;
        return rc;
    }
    uint64_t hash = tsfs_series_hash(series);
    const struct cold_hash_slice *h;
    rc = cold_index_hash(ix, cold_index_bucket(ix, hash), &h, err);
    if (rc)
        return rc;
    uint32_t lo = 0, hi = h->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (h->entries[mid].low < (uint32_t)hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < h->n && h->entries[lo].low == (uint32_t)hash; lo++) {
        rc = select_series(ix, map, h->entries[lo].series, series->ndims, dims, &have, err);
        if (rc)
            return rc;
        if (tsfs_series_cmp(&have, series) == 0) {
            *number = h->entries[lo].series;
            return 0;
        }
    }
    return 0;
}

/* ---- dim_in by dictionary numbers ---- */

/* The numbers that one key may have, ascending; several dim_in of one key are intersected by the
 * tests following one another. */
struct allowed {
    uint32_t key, n;
    uint32_t *ids;
};

struct filter {
    struct allowed *terms;
    uint32_t n;
    bool nothing; /* no series can match */
};

static void filter_free(struct filter *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        free(f->terms[i].ids);
    free(f->terms);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int make_filter(struct cold_index *ix, const struct cold_map *map, const struct tsfs_scan_spec *spec,
                       struct filter *f, struct tsfs_error *err)
{
    *f = (struct filter){0};
    if (!spec || spec->n_dim_in == 0)
        return 0;
    f->terms = calloc(spec->n_dim_in, sizeof(*f->terms));
    if (!f->terms)
        return oom(err);
    for (uint32_t i = 0; i < spec->n_dim_in; i++) {
        const struct tsfs_dim_in *in = &spec->dim_in[i];
        uint32_t column = map->column[in->ordinal];
        if (column == COLD_NONE || ix->columns[column].key == UINT32_MAX) {
            f->nothing = true; /* the dimension is absent in every series */
            return 0;
        }
        struct allowed *a = &f->terms[f->n++];
        a->key = ix->columns[column].key;
        a->ids = malloc(((size_t)in->n + 1) * sizeof(*a->ids));
        if (!a->ids)
            return oom(err);
        for (uint32_t k = 0; k < in->n; k++) {
            bool equal;
            uint32_t id;
            int rc = cold_index_lookup(ix, a->key, in->values[k], &id, &equal, err);
            if (rc)
                return rc;
            if (equal)
                a->ids[a->n++] = id;
        }
        if (a->n == 0) {
            f->nothing = true;
            return 0;
        }
        qsort(a->ids, a->n, sizeof(*a->ids), by_number);
        uint32_t distinct = 1;
        for (uint32_t k = 1; k < a->n; k++)
            if (a->ids[k] != a->ids[distinct - 1])
                a->ids[distinct++] = a->ids[k];
        a->n = distinct;
    }
    return 0;
}

static inline bool allows(const struct allowed *a, uint32_t id)
{
    if (id == COLD_ABSENT || id < a->ids[0])
        return false;
    uint32_t lo = 0, hi = a->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (a->ids[mid] < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < a->n && a->ids[lo] == id;
}

int select_may_match(struct cold_index *ix, const struct cold_map *map, const struct tsfs_scan_spec *spec,
                     bool *maybe, struct tsfs_error *err)
{
    struct filter f;
    int rc = make_filter(ix, map, spec, &f, err);
    *maybe = rc != 0 || !f.nothing;
    filter_free(&f);
    return rc;
}

bool select_wanted(const struct tsfs_schema *schema, const struct tsfs_scan_spec *spec,
                   const struct tsfs_series *series)
{
    if (!spec)
        return true;
    for (uint32_t i = 0; i < spec->n_dim_in; i++) {
        const struct tsfs_dim_in *in = &spec->dim_in[i];
        struct tsfs_str have = {NULL, 0};
        if (in->ordinal == TSFS_ORDINAL_MEASURE_NAME)
            have = series->measure_name;
        else if (schema->cols[in->ordinal].slot < series->ndims)
            have = series->dims[schema->cols[in->ordinal].slot];
        uint32_t k = 0;
        while (k < in->n && !(have.ptr && tsfs_str_eq(in->values[k], have)))
            k++;
        if (k == in->n)
            return false;
    }
    return !spec->series_match || spec->series_match(spec->series_ctx, series);
}

/* ---- ranges of series by their leading keys ---- */

struct span {
    uint32_t lo, hi;
};

/* Splits [lo, hi), whose keys before `key` are equal, by the value id of key. */
static int bisect(struct cold_index *ix, uint32_t key, uint64_t id, uint32_t lo, uint32_t hi, uint32_t *out,
                  struct tsfs_error *err)
{
    while (lo < hi) { /* absent sorts first: numbers plus one, absent = 0 */
        uint32_t mid = lo + (hi - lo) / 2;
        const struct cold_series_slice *s;
        int rc = cold_index_series(ix, mid / COLD_SLICE, &s, err);
        if (rc)
            return rc;
        uint32_t have = s->ids[(size_t)key * COLD_SLICE + mid % COLD_SLICE];
        if ((have == COLD_ABSENT ? 0 : (uint64_t)have + 1) < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = lo;
    return 0;
}

static const struct allowed *term_of(const struct filter *f, uint32_t key)
{
    const struct allowed *best = NULL;
    for (uint32_t i = 0; i < f->n; i++)
        if (f->terms[i].key == key && (!best || f->terms[i].n < best->n))
            best = &f->terms[i];
    return best;
}

/* Narrows [lo, hi) to at most PREFIXES_MAX spans, ascending. */
static int narrow(struct cold_index *ix, const struct filter *f, uint32_t lo, uint32_t hi,
                  struct span spans[PREFIXES_MAX], uint32_t *nspans, struct tsfs_error *err)
{
    uint32_t n = 1, last = 0;
    spans[0] = (struct span){lo, hi};
    *nspans = 1;
    for (uint32_t i = 0; i < f->n; i++) /* nothing to gain behind the last constrained key */
        last = f->terms[i].key + 1 > last ? f->terms[i].key + 1 : last;
    for (uint32_t key = 0; key < last; key++) {
        const struct allowed *a = term_of(f, key);
        uint32_t values = a ? a->n : ix->key_dict[key] + 1;
        if ((!a && values > SMALL_KEY) || (uint64_t)values * n > PREFIXES_MAX || hi - lo < COLD_SLICE)
            return 0;
        struct span next[PREFIXES_MAX];
        uint32_t m = 0;
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t v = 0; v < values; v++) {
                uint64_t id = a ? (uint64_t)a->ids[v] + 1 : v;
                struct span s;
                int rc = bisect(ix, key, id, spans[i].lo, spans[i].hi, &s.lo, err);
                if (rc == 0)
                    rc = bisect(ix, key, id + 1, s.lo, spans[i].hi, &s.hi, err);
                if (rc)
                    return rc;
                if (s.lo < s.hi)
                    next[m++] = s;
            }
        memcpy(spans, next, m * sizeof(*spans));
        *nspans = n = m;
        if (n == 0)
            return 0;
    }
    return 0;
}

/* Numbers of [lo, hi), all in one slice, that pass every term: *n of them to out. */
static void test_terms(const struct filter *f, const struct cold_series_slice *s, uint32_t lo, uint32_t hi,
                       uint16_t out[COLD_SLICE], uint32_t *n)
{
    uint32_t m = 0;
    if (f->n == 0) {
        for (uint32_t at = lo; at < hi; at++)
            out[m++] = (uint16_t)at;
    } else {
        const struct allowed *a = &f->terms[0];
        const uint32_t *ids = s->ids + (size_t)a->key * COLD_SLICE;
        if (a->n == 1) {
            uint32_t id = a->ids[0];
            for (uint32_t at = lo; at < hi; at++) {
                out[m] = (uint16_t)at;
                m += ids[at] == id;
            }
        } else {
            for (uint32_t at = lo; at < hi; at++) {
                out[m] = (uint16_t)at;
                m += allows(a, ids[at]);
            }
        }
    }
    for (uint32_t t = 1; t < f->n; t++) {
        const uint32_t *ids = s->ids + (size_t)f->terms[t].key * COLD_SLICE;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < m; i++)
            if (allows(&f->terms[t], ids[out[i]]))
                out[kept++] = out[i];
        m = kept;
    }
    *n = m;
}

struct found {
    uint32_t *list; /* grown when `keep` */
    uint32_t n, cap;
    bool keep;
    uint64_t rows;
};

static int add_found(struct found *found, uint32_t number, uint64_t rows, struct tsfs_error *err)
{
    found->rows += rows;
    if (!found->keep)
        return 0;
    if (TSFS_ARRAY_ROOM(found->list, found->n, found->cap, 64) != 0)
        return oom(err);
    found->list[found->n++] = number;
    return 0;
}

int select_matching(struct cold_index *ix, const struct cold_map *map, const struct tsfs_schema *schema,
                    const struct tsfs_scan_spec *spec, uint32_t lo, uint32_t hi, uint32_t **list, uint32_t *n,
                    uint64_t *rows, struct tsfs_error *err)
{
    struct tsfs_str dims[TSFS_DIMENSIONS_MAX + 1];
    struct span spans[PREFIXES_MAX];
    struct found found = {.keep = list != NULL};
    struct filter f;
    uint16_t pass[COLD_SLICE];
    uint32_t nspans = 0, npass;
    int rc = make_filter(ix, map, spec, &f, err);
    if (rc == 0 && !f.nothing && lo < hi)
        rc = narrow(ix, &f, lo, hi, spans, &nspans, err);
    for (uint32_t k = 0; rc == 0 && k < nspans; k++) {
        for (uint32_t i = spans[k].lo, end; rc == 0 && i < spans[k].hi; i = end) {
            const struct cold_series_slice *s;
            uint32_t base = i / COLD_SLICE * COLD_SLICE;
            end = base + COLD_SLICE < spans[k].hi ? base + COLD_SLICE : spans[k].hi;
            rc = cold_index_series(ix, i / COLD_SLICE, &s, err);
            if (rc)
                break;
            test_terms(&f, s, i - base, end - base, pass, &npass);
            for (uint32_t j = 0; rc == 0 && j < npass; j++) {
                uint32_t at = pass[j];
                if (!select_times_meet(spec, s->t_first[at], s->t_last[at]))
                    continue;
                if (spec && spec->series_match) {
                    struct tsfs_series series;
                    rc = fill(ix, map, s, at, schema->ndims, dims, &series, err);
                    if (rc || !spec->series_match(spec->series_ctx, &series))
                        continue;
                }
                rc = add_found(&found, base + at, s->row[at + 1] - s->row[at], err);
            }
        }
    }
    filter_free(&f);
    if (rc) {
        free(found.list);
        return rc;
    }
    if (list) {
        *list = found.list;
        *n = found.n;
    }
    if (rows)
        *rows = found.rows;
    return 0;
}

bool tsfs_segment_may_match(struct tsfs_segment *segment, struct tsfs_schema *schema,
                            const struct tsfs_scan_spec *spec)
{
    struct tsfs_segment *native;
    struct tsfs_arena arena;
    struct cold_map map;
    bool maybe = select_times_meet(spec, segment->facts.t_min, segment->facts.t_max);
    if (!maybe || !segment->native || !spec || spec->n_dim_in == 0)
        return maybe;
    tsfs_arena_init(&arena, NULL);
    if (segment_acquire(segment, schema, &arena, &native, &map, NULL) == 0) {
        if (select_may_match(native->index, &map, spec, &maybe, NULL) != 0)
            maybe = true; /* let the cursor find out what is wrong */
        segment_release(native);
    }
    tsfs_arena_free(&arena);
    return maybe;
}
