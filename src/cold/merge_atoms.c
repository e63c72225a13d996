/* The rows of one series, from every source that has it, as atoms in order of time (merge.c says how). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/time.h"
#include "cold/merge.h"

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

static int add_atom(struct merge *m, struct merge_atom a, struct tsfs_error *err)
{
    if (TSFS_ARRAY_ROOM(m->atoms, m->natoms, m->cap_atoms, 64) != 0)
        return oom(err);
    m->atoms[m->natoms++] = a;
    return 0;
}

/* Rows of [0, n) inside the asked range: [*lo, *hi). */
static void cut_times(const struct tsfs_scan_spec *spec, const int64_t *time, uint32_t n, uint32_t *lo,
                      uint32_t *hi)
{
    *lo = tsfs_time_lower_bound(time, n, spec->time_min);
    *hi = spec->time_max == INT64_MAX ? n : tsfs_time_lower_bound(time, n, spec->time_max + 1);
}

/* Adds rows [row, row + n) of a segment with the times given (t_known), cut to the range. */
static int add_rows(struct merge *m, struct merge_source *s, struct merge_atom a, bool t_known,
                    struct tsfs_error *err)
{
    m->base.stats.blocks_met++;
    if (t_known && !select_times_meet(m->spec, a.t_first, a.t_last)) {
        m->base.stats.blocks_not_in_time++;
        return 0;
    }
    if (!t_known || a.t_first < m->spec->time_min || a.t_last > m->spec->time_max) {
        const int64_t *time;
        uint32_t lo, hi;
        int rc = pages_times(s->pages, a.row, a.nrows, &time, err);
        if (rc)
            return rc;
        cut_times(m->spec, time, a.nrows, &lo, &hi);
        if (lo >= hi) {
            m->base.stats.blocks_not_in_time++;
            return 0;
        }
        if (hi - lo < a.nrows)
            a.block = MERGE_NO_BLOCK;
        a.t_first = time[lo];
        a.t_last = time[hi - 1];
        a.row += lo;
        a.nrows = hi - lo;
    }
    return add_atom(m, a, err);
}

/* The pages of a segment, and what will be read of them. */
static int open_pages(struct merge *m, struct merge_source *s)
{
    const struct tsfs_scan_spec *spec = m->spec;
    uint32_t *columns = tsfs_arena_alloc(&m->arena, (spec->n_columns + 1) * sizeof(*columns)), n = 0;
    int rc = columns ? pages_create(s->segment, !m->sorted || spec->canonical, &m->base.stats, &s->pages)
                     : -ENOMEM;
    if (rc)
        return rc;
    columns[n++] = 0;
    for (uint32_t i = 0; i < spec->n_columns; i++) {
        uint16_t o = spec->columns[i];
        if (m->schema->cols[o].role == TSFS_ROLE_MEASURE && s->map.column[o] != COLD_NONE)
            columns[n++] = s->map.column[o];
    }
    pages_plan(s->pages, columns, n, s->list, &s->pos, &s->end);
    return 0;
}

static int add_segment(struct merge *m, uint32_t source, uint32_t number, struct tsfs_error *err)
{
    struct merge_source *s = &m->sources[source];
    struct cold_index *ix = s->segment->index;
    const struct cold_series_slice *series;
    const struct cold_time_slice *times = NULL;
    uint32_t at = number % COLD_SLICE, slice = UINT32_MAX;
    int rc = cold_index_series(ix, number / COLD_SLICE, &series, err);
    if (rc)
        return rc;
    uint64_t row = series->row[at], end = series->row[at + 1], block = series->block[at];
    s->series_end = end;
    if (!s->pages && open_pages(m, s) != 0)
        return oom(err);
    pages_focus(s->pages, row, end);
    uint32_t group = 0;
    for (uint32_t lo = 0, hi = ix->ngroups; hi - lo > 1;) {
        uint32_t mid = (lo + hi) / 2;
        *(ix->group_row[mid] <= row ? &lo : &hi) = mid;
        group = lo;
    }
    bool whole = end <= ix->group_row[group + 1];
    for (; row < end; group++) {
        uint64_t stop = ix->group_row[group + 1] < end ? ix->group_row[group + 1] : end, part = stop - row;
        uint32_t nblocks = cold_block_count(part);
        struct merge_atom a = {.source = source, .group = group, .row = row, .nrows = (uint32_t)part};
        if (nblocks == 0) {
            a.block = MERGE_NO_BLOCK;
            a.t_first = series->t_first[at];
            a.t_last = series->t_last[at];
            rc = add_rows(m, s, a, whole, err);
            if (rc)
                return rc;
        }
        for (uint32_t b = 0; b < nblocks; b++, block++) {
            if (block / COLD_SLICE != slice) {
                slice = (uint32_t)(block / COLD_SLICE);
                rc = cold_index_times(ix, slice, &times, err);
                if (rc)
                    return rc;
            }
            a.row = row + cold_block_row(part, nblocks, b);
            a.nrows = (uint32_t)(row + cold_block_row(part, nblocks, b + 1) - a.row);
            a.block = block;
            a.t_first = times->t_first[block % COLD_SLICE];
            a.t_last = times->t_last[block % COLD_SLICE];
            rc = add_rows(m, s, a, true, err);
            if (rc)
                return rc;
        }
        row = stop;
    }
    return 0;
}

static int add_hot(struct merge *m, uint32_t source, uint32_t number, struct tsfs_error *err)
{
    struct tsfs_hot_piece *pieces;
    uint32_t n;
    unsigned ends = m->ndeletes ? 0 : m->spec->ends; /* what is hidden may be the very end */
    int rc = tsfs_hot_snap_ends(m->sources[source].snap, number, ends, &m->series_arena, &pieces, &n);
    if (rc)
        return tsfs_error_set(err, rc, "cannot read hot rows: %s", strerror(-rc));
    if (m->spec->count_known) {
        uint32_t nblocks = tsfs_hot_snap_blocks(m->sources[source].snap, number);
        m->base.stats.blocks_met += nblocks;
        m->base.stats.blocks_not_in_time += nblocks > n ? nblocks - n : 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct tsfs_hot_piece *p = &pieces[i];
        uint32_t lo = 0, hi = p->nrows;
        if (hi == 0)
            continue;
        if (p->time[0] < m->spec->time_min || p->time[hi - 1] > m->spec->time_max)
            cut_times(m->spec, p->time, p->nrows, &lo, &hi);
        if (lo >= hi)
            continue;
        rc = add_atom(m,
                      (struct merge_atom){.source = source,
                                          .row = lo,
                                          .nrows = hi - lo,
                                          .block = MERGE_NO_BLOCK,
                                          .piece = p,
                                          .t_first = p->time[lo],
                                          .t_last = p->time[hi - 1]},
                      err);
        if (rc)
            return rc;
    }
    return 0;
}

static int by_time(const void *pa, const void *pb)
{
    const struct merge_atom *a = pa, *b = pb;
    if (a->t_first != b->t_first)
        return a->t_first < b->t_first ? -1 : 1;
    return (a->source > b->source) - (a->source < b->source);
}

static int by_i64(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return (a > b) - (a < b);
}

/* Cuts hot atoms where other atoms begin and end, so that clusters stay small. */
static int cut_hot(struct merge *m, struct tsfs_error *err)
{
    uint32_t n = m->natoms, ncuts = 0;
    int64_t *cuts = tsfs_arena_alloc(&m->series_arena, 2 * (size_t)n * sizeof(*cuts));
    if (!cuts)
        return oom(err);
    for (uint32_t i = 0; i < n; i++) {
        cuts[ncuts++] = m->atoms[i].t_first;
        if (m->atoms[i].t_last < INT64_MAX)
            cuts[ncuts++] = m->atoms[i].t_last + 1;
    }
    qsort(cuts, ncuts, sizeof(*cuts), by_i64);
    for (uint32_t i = 0; i < n; i++) {
        struct merge_atom a = m->atoms[i];
        if (!a.piece)
            continue;
        const int64_t *time = a.piece->time + a.row;
        uint32_t from = 0;
        while (from < a.nrows) {
            uint32_t c = time[from] == INT64_MAX ? ncuts : tsfs_time_lower_bound(cuts, ncuts, time[from] + 1);
            uint32_t to = c == ncuts ? a.nrows : tsfs_time_lower_bound(time, a.nrows, cuts[c]);
            struct merge_atom part = a;
            part.row = a.row + from;
            part.nrows = to - from;
            part.t_first = time[from];
            part.t_last = time[to - 1];
            part.cut = from > 0;
            if (from == 0) {
                m->atoms[i] = part;
            } else {
                int rc = add_atom(m, part, err);
                if (rc)
                    return rc;
            }
            from = to;
        }
    }
    return 0;
}

static uint64_t count_whole(const struct merge_atom *atoms, uint32_t n)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < n; i++)
        blocks += !atoms[i].cut;
    return blocks;
}

/* Keeps the first and last cluster, as the scan asks. */
static void keep_ends(struct merge *m)
{
    uint32_t first_end = 0, last = 0;
    int64_t t_last = INT64_MIN;
    for (uint32_t i = 0; i < m->natoms; i++) {
        if (i > 0 && m->atoms[i].t_first > t_last) {
            first_end = first_end ? first_end : i;
            last = i;
        }
        t_last = m->atoms[i].t_last > t_last ? m->atoms[i].t_last : t_last;
    }
    if (last == 0)
        return;
    if (m->spec->ends == TSFS_SCAN_FIRST) {
        m->base.stats.blocks_not_in_time += count_whole(m->atoms + first_end, m->natoms - first_end);
        m->natoms = first_end;
    } else if (m->spec->ends == TSFS_SCAN_LAST) {
        m->at = last;
        m->base.stats.blocks_not_in_time += count_whole(m->atoms, last);
    } else {
        m->base.stats.blocks_not_in_time += count_whole(m->atoms + first_end, last - first_end);
        memmove(m->atoms + first_end, m->atoms + last, (m->natoms - last) * sizeof(*m->atoms));
        m->natoms -= last - first_end;
    }
}

int merge_next_atoms(struct merge *m, struct tsfs_error *err)
{
    for (;;) {
        int rc = merge_next_series(m, err);
        if (rc <= 0)
            return rc;
        m->natoms = m->at = 0;
        tsfs_arena_reset(&m->series_arena);
        bool overlap = false;
        if (m->ndeletes && (rc = merge_hide_series(m, err)) != 0)
            return rc;
        for (uint32_t i = 0; i < m->nentries; i++) {
            struct merge_entry e = m->entries[i];
            uint32_t from = m->natoms;
            rc = m->sources[e.source].segment ? add_segment(m, e.source, e.number, err)
                                              : add_hot(m, e.source, e.number, err);
            if (rc == 0 && m->ndeletes)
                rc = merge_hide(m, &m->sources[e.source], from, err);
            if (rc)
                return rc;
            /* sources that follow one another in time, the usual case, are in order already */
            if (from > 0 && m->natoms > from)
                overlap |= m->atoms[from].t_first <= m->atoms[from - 1].t_last;
        }
        if (overlap) {
            rc = cut_hot(m, err);
            if (rc)
                return rc;
            qsort(m->atoms, m->natoms, sizeof(*m->atoms), by_time);
        }
        if (m->natoms == 0)
            continue;
        if (m->spec->ends)
            keep_ends(m);
        m->fresh = true;
        m->base.stats.series++;
        m->base.stats.series_met += m->nentries;
        return 1;
    }
}
