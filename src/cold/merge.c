/* The cursor over one partition: a segment, perhaps a second one, and hot rows, as one source.
 *
 * Series come first.  Unsorted, each source in turn walks its own series (within its share of the part) and
 * asks the others by hash whether they have the same one; a series belongs to the first source that has it.
 * Sorted, all sources are walked side by side in canonical order.
 *
 * For one series every source gives atoms: rows that lie together (a block of the segment, a piece of a hot
 * chunk) with their first and last time, the edges cut to the asked range.  Atoms of one source never
 * overlap. With several sources the atoms are put in order of time, hot ones cut where the segment's begin
 * and end, and whatever overlaps forms a cluster.  A cluster of one atom is delivered as it lies, together
 * with its neighbours from the same place: vectors point into pages and chunks, and the blocks keep their
 * summaries.  A cluster of several is merged row by row: times once, then each column that is asked for,
 * source after source, so that a later source's value replaces an earlier one's, field by field.
 *
 * A block whose summary excludes a measure range is dropped only when nothing overlaps it: a later row could
 * bring the very value that makes the merged row wanted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cold/cold_priv.h"
#include "cold/merge.h"

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

/* ---- series ---- */

static int load_series(struct merge *m, struct merge_source *s, uint32_t number, struct tsfs_error *err)
{
    s->number = number;
    if (!s->segment) {
        tsfs_hot_snap_series(s->snap, number, &s->series);
        return 0;
    }
    return select_series(s->segment->index, &s->map, number, m->schema->ndims, s->dims, &s->series, err);
}

/* The next series of s itself: 1, 0 at the end. */
static int advance(struct merge *m, struct merge_source *s, struct tsfs_error *err)
{
    while (s->pos < s->end) {
        uint32_t number = s->list ? s->list[s->pos] : s->pos;
        s->pos++;
        int rc = load_series(m, s, number, err);
        if (rc)
            return rc;
        if (s->segment || select_wanted(m->schema, m->spec, &s->series))
            return 1;
    }
    return 0;
}

/* *number of series in s if its rows may matter, else TSFS_SERIES_NONE. */
static int find_in(struct merge *m, struct merge_source *s, const struct tsfs_series *series,
                   uint32_t *number, struct tsfs_error *err)
{
    if (!s->segment) {
        *number = tsfs_hot_snap_find(s->snap, series);
        return 0;
    }
    int rc = select_find(s->segment->index, &s->map, series, m->scratch_dims, number, err);
    if (rc || *number == TSFS_SERIES_NONE)
        return rc;
    const struct cold_series_slice *slice;
    rc = cold_index_series(s->segment->index, *number / COLD_SLICE, &slice, err);
    if (rc == 0 && !select_times_meet(m->spec, slice->t_first[*number % COLD_SLICE],
                                      slice->t_last[*number % COLD_SLICE]))
        *number = TSFS_SERIES_NONE;
    return rc;
}

static int next_unsorted(struct merge *m, struct tsfs_error *err)
{
    for (; m->walking < m->nsources; m->walking++) {
        struct merge_source *s = &m->sources[m->walking];
        for (;;) {
            int rc = advance(m, s, err);
            if (rc < 0)
                return rc;
            if (rc == 0)
                break;
            m->nentries = 0;
            uint32_t number = TSFS_SERIES_NONE;
            for (uint32_t k = 0; k < m->walking && number == TSFS_SERIES_NONE; k++) {
                rc = find_in(m, &m->sources[k], &s->series, &number, err);
                if (rc)
                    return rc;
            }
            if (number != TSFS_SERIES_NONE)
                continue; /* an earlier source has it */
            m->entries[m->nentries++] = (struct merge_entry){m->walking, s->number};
            for (uint32_t k = m->walking + 1; k < m->nsources; k++) {
                rc = find_in(m, &m->sources[k], &s->series, &number, err);
                if (rc)
                    return rc;
                if (number != TSFS_SERIES_NONE)
                    m->entries[m->nentries++] = (struct merge_entry){k, number};
            }
            m->series = s->series;
            return 1;
        }
    }
    return 0;
}

static int next_sorted(struct merge *m, struct tsfs_error *err)
{
    struct merge_source *least = NULL;
    for (uint32_t k = 0; k < m->nsources; k++) {
        struct merge_source *s = &m->sources[k];
        if (!s->holds && !s->done) {
            int rc = advance(m, s, err);
            if (rc < 0)
                return rc;
            s->holds = rc == 1;
            s->done = rc == 0;
        }
        if (s->holds && (!least || tsfs_series_cmp(&s->series, &least->series) < 0))
            least = s;
    }
    if (!least)
        return 0;
    m->nentries = 0;
    for (uint32_t k = 0; k < m->nsources; k++) {
        struct merge_source *s = &m->sources[k];
        if (!s->holds || (s != least && tsfs_series_cmp(&s->series, &least->series) != 0))
            continue;
        m->entries[m->nentries++] = (struct merge_entry){k, s->number};
        s->holds = false; /* its strings stay until it advances */
    }
    m->series = least->series;
    return 1;
}

/* ---- atoms ---- */

static int add_atom(struct merge *m, struct merge_atom a, struct tsfs_error *err)
{
    if (m->natoms == m->cap_atoms) {
        uint32_t cap = m->cap_atoms ? 2 * m->cap_atoms : 64;
        struct merge_atom *grown = realloc(m->atoms, (size_t)cap * sizeof(*grown));
        if (!grown)
            return oom(err);
        m->atoms = grown;
        m->cap_atoms = cap;
    }
    m->atoms[m->natoms++] = a;
    return 0;
}

/* The first of n ascending times >= t. */
static uint32_t lower_bound(const int64_t *time, uint32_t n, int64_t t)
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

/* Rows of [0, n) inside the asked range: [*lo, *hi). */
static void cut_times(const struct tsfs_scan_spec *spec, const int64_t *time, uint32_t n, uint32_t *lo,
                      uint32_t *hi)
{
    *lo = lower_bound(time, n, spec->time_min);
    *hi = spec->time_max == INT64_MAX ? n : lower_bound(time, n, spec->time_max + 1);
}

/* Adds rows [row, row + n) of a segment with the times given (t_known), cut to the range. */
static int add_rows(struct merge *m, struct merge_source *s, struct merge_atom a, bool t_known,
                    struct tsfs_error *err)
{
    if (t_known && !select_times_meet(m->spec, a.t_first, a.t_last))
        return 0;
    if (!t_known || a.t_first < m->spec->time_min || a.t_last > m->spec->time_max) {
        const int64_t *time;
        uint32_t lo, hi;
        int rc = pages_times(s->pages, a.row, a.nrows, &time, err);
        if (rc)
            return rc;
        cut_times(m->spec, time, a.nrows, &lo, &hi);
        if (lo >= hi)
            return 0;
        if (hi - lo < a.nrows)
            a.block = MERGE_NO_BLOCK;
        a.t_first = time[lo];
        a.t_last = time[hi - 1];
        a.row += lo;
        a.nrows = hi - lo;
    }
    return add_atom(m, a, err);
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
    int rc = tsfs_hot_snap_pieces(m->sources[source].snap, number, &m->series_arena, &pieces, &n);
    if (rc)
        return tsfs_error_set(err, rc, "cannot read hot rows: %s", strerror(-rc));
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
            uint32_t c = time[from] == INT64_MAX ? ncuts : lower_bound(cuts, ncuts, time[from] + 1);
            uint32_t to = c == ncuts ? a.nrows : lower_bound(time, a.nrows, cuts[c]);
            struct merge_atom part = a;
            part.row = a.row + from;
            part.nrows = to - from;
            part.t_first = time[from];
            part.t_last = time[to - 1];
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

static int next_series(struct merge *m, struct tsfs_error *err)
{
    for (;;) {
        int rc = m->sorted ? next_sorted(m, err) : next_unsorted(m, err);
        if (rc <= 0)
            return rc;
        m->natoms = m->at = 0;
        tsfs_arena_reset(&m->series_arena);
        bool overlap = false;
        for (uint32_t i = 0; i < m->nentries; i++) {
            struct merge_entry e = m->entries[i];
            uint32_t from = m->natoms;
            rc = m->sources[e.source].segment ? add_segment(m, e.source, e.number, err)
                                              : add_hot(m, e.source, e.number, err);
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
        m->fresh = true;
        m->base.stats.series++;
        return 1;
    }
}

/* ---- runs ---- */

/* May the rows of this atom be left out by the measure ranges?  1, 0, or an error. */
static int excluded(struct merge *m, const struct merge_atom *a, struct tsfs_error *err)
{
    for (uint32_t i = 0; i < m->spec->n_ranges; i++) {
        const struct tsfs_measure_range *r = &m->spec->ranges[i];
        const struct tsfs_column *c = &m->schema->cols[r->ordinal];
        if (c->role != TSFS_ROLE_MEASURE)
            continue;
        if (a->piece) {
            if (c->slot >= a->piece->ncols || !a->piece->cols[c->slot].data)
                return 1;
            continue;
        }
        const struct merge_source *s = &m->sources[a->source];
        uint32_t column = s->map.column[r->ordinal];
        if (column == COLD_NONE)
            return 1;
        if (a->block == MERGE_NO_BLOCK)
            continue;
        const struct cold_measure_slice *slice;
        int rc =
            cold_index_measure(s->segment->index, column, (uint32_t)(a->block / COLD_SLICE), &slice, err);
        if (rc)
            return rc;
        uint32_t at = a->block % COLD_SLICE;
        const struct tsfs_summary *sum = &slice->summary[at];
        if (sum->count == 0)
            return 1;
        if (slice->flags[at] & COLD_FLAG_NONE)
            continue;
        if (c->type == TSFS_DOUBLE ? sum->dmax < r->lo || sum->dmin > r->hi
                                   : sum->imax < r->ilo || sum->imin > r->ihi)
            return 1;
    }
    return 0;
}

/* Atoms [*from, *to) of the next cluster that is wanted; 0 at the end of the series. */
static int next_cluster(struct merge *m, uint32_t *from, uint32_t *to, struct tsfs_error *err)
{
    while (m->at < m->natoms) {
        uint32_t i = m->at, j = i + 1;
        int64_t last = m->atoms[i].t_last;
        while (j < m->natoms && m->atoms[j].t_first <= last) {
            last = m->atoms[j].t_last > last ? m->atoms[j].t_last : last;
            j++;
        }
        m->at = j;
        if (j == i + 1 && m->spec->n_ranges) {
            int rc = excluded(m, &m->atoms[i], err);
            if (rc < 0)
                return rc;
            if (rc)
                continue;
        }
        *from = i;
        *to = j;
        return 1;
    }
    return 0;
}

/* Does b carry on where a ends, in the same page sequence or chunk? */
static bool adjoins(const struct merge_atom *a, const struct merge_atom *b)
{
    return a->source == b->source && a->piece == b->piece && a->group == b->group &&
           a->row + a->nrows == b->row;
}

static int next_run(struct tsfs_cursor *base, struct tsfs_run *run, struct tsfs_error *err)
{
    struct merge *m = (struct merge *)base;
    uint32_t from, to;
    for (;;) {
        int rc = next_cluster(m, &from, &to, err);
        if (rc < 0)
            return rc;
        if (rc)
            break;
        rc = next_series(m, err);
        if (rc <= 0)
            return rc;
    }
    tsfs_arena_reset(&m->run_arena);
    m->from = from;
    m->merged = to > from + 1;
    m->nblocks = UINT32_MAX;
    uint32_t nrows = m->atoms[from].nrows;
    while (!m->merged && m->at < m->natoms && adjoins(&m->atoms[to - 1], &m->atoms[m->at]) &&
           nrows + m->atoms[m->at].nrows <= TSFS_RUN_ROWS) {
        uint32_t at = m->at, i, j;
        int rc = next_cluster(m, &i, &j, err);
        if (rc < 0)
            return rc;
        if (rc == 0 || i != at || j != at + 1) { /* a cluster or a gap: it is the next run's */
            m->at = at;
            break;
        }
        nrows += m->atoms[i].nrows;
        to = j;
    }
    m->to = to;
    for (uint32_t i = 0; i < m->nentries; i++) {
        struct merge_source *s = &m->sources[m->entries[i].source];
        uint64_t row = UINT64_MAX;
        for (uint32_t k = from; s->segment && k < to && row == UINT64_MAX; k++)
            if (m->atoms[k].source == m->entries[i].source)
                row = m->atoms[k].row;
        if (row != UINT64_MAX)
            pages_focus(s->pages, row, s->series_end);
    }
    if (m->merged) {
        int rc = merge_rows(m, &nrows, err);
        if (rc)
            return rc;
    }
    m->nrows = nrows;
    run->series = m->series;
    run->same_series = !m->fresh;
    run->nrows = nrows;
    run->t_first = m->merged ? m->times[0] : m->atoms[from].t_first;
    run->t_last = m->merged ? m->times[nrows - 1] : m->atoms[to - 1].t_last;
    m->fresh = false;
    base->stats.runs++;
    base->stats.rows += nrows;
    return 1;
}

static int times(struct tsfs_cursor *base, uint32_t row, uint32_t n, const int64_t **out,
                 struct tsfs_error *err)
{
    struct merge *m = (struct merge *)base;
    const struct merge_atom *a = &m->atoms[m->from];
    if (m->merged) {
        *out = m->times + row;
        return 0;
    }
    if (a->piece) {
        *out = a->piece->time + a->row + row;
        return 0;
    }
    return pages_times(m->sources[a->source].pages, a->row + row, n, out, err);
}

static int column(struct tsfs_cursor *base, uint16_t ordinal, uint32_t row, uint32_t n, struct tsfs_vec *out,
                  struct tsfs_error *err)
{
    struct merge *m = (struct merge *)base;
    const struct tsfs_column *c = &m->schema->cols[ordinal];
    const struct merge_atom *a = &m->atoms[m->from];
    int rc = 0;
    if (c->role == TSFS_ROLE_TIME) {
        *out = (struct tsfs_vec){.type = TSFS_TIMESTAMP};
        return times(base, row, n, &out->i, err);
    }
    if (c->role != TSFS_ROLE_MEASURE) {
        struct tsfs_str v = c->role == TSFS_ROLE_MEASURE_NAME ? m->series.measure_name
                            : c->slot < m->series.ndims       ? m->series.dims[c->slot]
                                                              : (struct tsfs_str){NULL, 0};
        struct tsfs_value value = {.type = TSFS_VARCHAR, .null = !v.ptr, .s = v};
        rc = tsfs_vec_constant(&m->run_arena, value, out);
        return rc ? oom(err) : 0;
    }
    if (m->merged) {
        const struct tsfs_vec *all;
        rc = merge_column(m, ordinal, &all, err);
        if (rc)
            return rc;
        rc = cold_vec_slice(all, row, n, &m->run_arena, out);
    } else if (a->piece) {
        if (c->slot >= a->piece->ncols || !a->piece->cols[c->slot].data)
            *out = cold_vec_null(c->type);
        else
            rc = cold_vec_slice(&a->piece->cols[c->slot], (uint32_t)a->row + row, n, &m->run_arena, out);
    } else {
        const struct merge_source *s = &m->sources[a->source];
        uint32_t file_column = s->map.column[ordinal];
        if (file_column == COLD_NONE) {
            *out = cold_vec_null(c->type);
            return 0;
        }
        rc = pages_read(s->pages, file_column, a->row + row, n, out, err);
        if (rc)
            return rc;
    }
    if (rc)
        return oom(err);
    if (out->type == TSFS_UNKNOWN)
        *out = cold_vec_null(c->type);
    return 0;
}

static int blocks(struct tsfs_cursor *base, const struct tsfs_block **out, uint32_t *n,
                  struct tsfs_error *err)
{
    struct merge *m = (struct merge *)base;
    if (m->nblocks == UINT32_MAX) {
        m->nblocks = 0;
        if (!m->merged && !m->atoms[m->from].piece) {
            m->blocks = tsfs_arena_alloc(&m->run_arena, (m->to - m->from) * sizeof(*m->blocks));
            m->block_numbers = tsfs_arena_alloc(&m->run_arena, (m->to - m->from) * sizeof(*m->block_numbers));
            if (!m->blocks || !m->block_numbers)
                return oom(err);
            for (uint32_t i = m->from; i < m->to; i++) {
                const struct merge_atom *a = &m->atoms[i];
                if (a->block == MERGE_NO_BLOCK)
                    continue;
                m->block_numbers[m->nblocks] = a->block;
                m->blocks[m->nblocks++] = (struct tsfs_block){(uint32_t)(a->row - m->atoms[m->from].row),
                                                              a->nrows, a->t_first, a->t_last};
            }
        }
    }
    *out = m->blocks;
    *n = m->nblocks;
    return 0;
}

static int summary(struct tsfs_cursor *base, uint16_t ordinal, uint32_t block,
                   const struct tsfs_summary **out, struct tsfs_error *err)
{
    static const struct tsfs_summary nothing;
    struct merge *m = (struct merge *)base;
    const struct tsfs_column *c = &m->schema->cols[ordinal];
    const struct merge_source *s = &m->sources[m->atoms[m->from].source];
    *out = NULL;
    if (c->role != TSFS_ROLE_MEASURE || m->nblocks == UINT32_MAX || block >= m->nblocks)
        return 0;
    uint32_t file_column = s->map.column[ordinal];
    if (file_column == COLD_NONE) {
        *out = &nothing;
        return 0;
    }
    uint64_t number = m->block_numbers[block];
    const struct cold_measure_slice *slice;
    int rc = cold_index_measure(s->segment->index, file_column, (uint32_t)(number / COLD_SLICE), &slice, err);
    if (rc)
        return rc;
    bool numeric = c->type == TSFS_BIGINT || c->type == TSFS_DOUBLE;
    const struct tsfs_summary *sum = &slice->summary[number % COLD_SLICE];
    if (sum->count && numeric && (slice->flags[number % COLD_SLICE] & COLD_FLAG_NONE))
        return 0;
    m->base.stats.blocks_from_summary++;
    *out = sum;
    return 0;
}

/* ---- opening and closing ---- */

static void close_cursor(struct tsfs_cursor *base)
{
    struct merge *m = (struct merge *)base;
    for (uint32_t i = 0; i < m->nsources; i++) {
        free(m->sources[i].list);
        pages_free(m->sources[i].pages);
        segment_release(m->sources[i].segment);
    }
    free(m->atoms);
    tsfs_arena_free(&m->series_arena);
    tsfs_arena_free(&m->run_arena);
    tsfs_arena_free(&m->arena);
    free(m);
}

static const struct tsfs_cursor_ops merge_ops = {next_run, times, column, blocks, summary, close_cursor};

static uint32_t count_of(const struct merge_source *s)
{
    return s->segment ? s->segment->index->series : tsfs_hot_snap_count(s->snap);
}

/* The first series of s that is not before `series`. */
static int bound(struct merge *m, struct merge_source *s, const struct tsfs_series *series, uint32_t *out,
                 struct tsfs_error *err)
{
    if (s->segment)
        return select_lower_bound(s->segment->index, &s->map, series, m->scratch_dims, out, err);
    uint32_t lo = 0, hi = tsfs_hot_snap_count(s->snap);
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct tsfs_series have;
        tsfs_hot_snap_series(s->snap, mid, &have);
        if (tsfs_series_cmp(&have, series) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = lo;
    return 0;
}

/* Where part `part` begins in every source: sorted, at one series for all. */
static int split(struct merge *m, unsigned part, unsigned nparts, uint32_t *at, struct tsfs_error *err)
{
    struct merge_source *most = NULL;
    for (uint32_t i = 0; i < m->nsources; i++) {
        uint32_t n = count_of(&m->sources[i]);
        at[i] = (uint32_t)((uint64_t)n * part / nparts);
        if (!most || n > count_of(most))
            most = &m->sources[i];
    }
    if (!m->sorted || part == 0 || part == nparts || !most)
        return 0;
    int rc = load_series(m, most, at[most - m->sources], err);
    for (uint32_t i = 0; rc == 0 && i < m->nsources; i++)
        if (&m->sources[i] != most)
            rc = bound(m, &m->sources[i], &most->series, &at[i], err);
    return rc;
}

int tsfs_cold_cursor(const struct tsfs_partition_view *view, const struct tsfs_scan_spec *spec, unsigned part,
                     unsigned nparts, bool sorted, struct tsfs_cursor **out, struct tsfs_error *err)
{
    struct merge *m = calloc(1, sizeof(*m));
    uint32_t n = view->nsegments + view->nhots;
    int rc = 0;
    if (!m)
        return oom(err);
    m->base.ops = &merge_ops;
    m->schema = view->schema;
    m->spec = spec;
    m->sorted = sorted;
    tsfs_arena_init(&m->arena, NULL);
    tsfs_arena_init(&m->series_arena, NULL);
    tsfs_arena_init(&m->run_arena, NULL);
    m->sources = TSFS_NEW_ARRAY(&m->arena, struct merge_source, n + 1);
    m->entries = TSFS_NEW_ARRAY(&m->arena, struct merge_entry, n + 1);
    m->scratch_dims = TSFS_NEW_ARRAY(&m->arena, struct tsfs_str, view->schema->ndims + 1u);
    uint32_t *lo = TSFS_NEW_ARRAY(&m->arena, uint32_t, n + 1);
    uint32_t *hi = TSFS_NEW_ARRAY(&m->arena, uint32_t, n + 1);
    if (!m->sources || !m->entries || !m->scratch_dims || !lo || !hi) {
        rc = oom(err);
        goto out;
    }
    for (unsigned i = 0; i < view->nsegments; i++) {
        struct merge_source *s = &m->sources[m->nsources];
        if (!select_times_meet(spec, view->segments[i]->facts.t_min, view->segments[i]->facts.t_max))
            continue;
        s->dims = TSFS_NEW_ARRAY(&m->arena, struct tsfs_str, view->schema->ndims + 1u);
        rc = s->dims ? segment_acquire(view->segments[i], view->schema, &m->arena, &s->segment, &s->map, err)
                     : oom(err);
        if (rc)
            goto out;
        m->nsources++;
        rc = pages_create(s->segment, &m->base.stats, &s->pages);
        if (rc) {
            oom(err);
            goto out;
        }
    }
    for (unsigned i = 0; i < view->nhots; i++) {
        if (tsfs_hot_snap_count(view->snaps[i]) == 0)
            continue;
        m->sources[m->nsources++].snap = view->snaps[i];
        if (sorted) { /* the parts of one scan share the snapshots; whoever comes first sorts */
            static pthread_mutex_t sorting = PTHREAD_MUTEX_INITIALIZER;
            pthread_mutex_lock(&sorting);
            rc = tsfs_hot_snap_sort(view->snaps[i]);
            pthread_mutex_unlock(&sorting);
            if (rc) {
                oom(err);
                goto out;
            }
        }
    }
    rc = split(m, part, nparts, lo, err);
    if (rc == 0)
        rc = split(m, part + 1, nparts, hi, err);
    for (uint32_t i = 0; rc == 0 && i < m->nsources; i++) {
        struct merge_source *s = &m->sources[i];
        s->pos = lo[i];
        s->end = hi[i];
        if (s->segment) {
            s->pos = 0;
            rc = select_matching(s->segment->index, &s->map, m->schema, spec, lo[i], hi[i], &s->list, &s->end,
                                 NULL, err);
        }
    }
out:
    if (rc) {
        close_cursor(&m->base);
        return rc;
    }
    *out = &m->base;
    return 0;
}

uint64_t tsfs_cold_estimate(const struct tsfs_partition_view *view, const struct tsfs_scan_spec *spec)
{
    uint64_t total = 0;
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    struct tsfs_scan_spec narrow = spec ? *spec : (struct tsfs_scan_spec){INT64_MIN, INT64_MAX};
    narrow.series_match = NULL;
    for (unsigned i = 0; i < view->nsegments; i++) {
        struct tsfs_segment *s = view->segments[i], *native;
        struct cold_map map;
        uint64_t rows = s->facts.rows;
        if (!select_times_meet(spec, s->facts.t_min, s->facts.t_max))
            continue;
        if (spec && spec->n_dim_in && s->native &&
            segment_acquire(s, view->schema, &arena, &native, &map, NULL) == 0) {
            if (select_matching(native->index, &map, view->schema, &narrow, 0, native->index->series, NULL,
                                NULL, &rows, NULL) != 0)
                rows = s->facts.rows;
            segment_release(native);
        }
        total += rows;
    }
    for (unsigned i = 0; i < view->nhots; i++) {
        struct tsfs_hot_facts facts;
        if (tsfs_hot_snap_count(view->snaps[i]) == 0)
            continue;
        tsfs_hot_facts(view->hots[i], &facts);
        total += facts.rows;
    }
    tsfs_arena_free(&arena);
    return total;
}
