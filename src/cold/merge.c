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
            if (rc) {
                m->base.stats.blocks_not_in_range += !m->atoms[i].cut;
                continue;
            }
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
        rc = merge_next_atoms(m, err);
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
            m->answered = TSFS_NEW_ARRAY(&m->run_arena, bool, m->to - m->from);
            if (!m->blocks || !m->block_numbers || !m->answered)
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
    m->base.stats.blocks_from_summary += !m->answered[block];
    m->answered[block] = true;
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
    tsfs_buf_free(&m->hide_key);
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
    int rc = merge_load_series(m, most, at[most - m->sources], err);
    for (uint32_t i = 0; rc == 0 && i < m->nsources; i++)
        if (&m->sources[i] != most)
            rc = bound(m, &m->sources[i], &most->series, &at[i], err);
    return rc;
}

/* What of the view may have rows in the range: segments, and then the hot generations, later ones last. */
static int add_sources(struct merge *m, const struct tsfs_partition_view *view, struct tsfs_error *err)
{
    for (unsigned i = 0; i < view->nsegments; i++) {
        struct merge_source *s = &m->sources[m->nsources];
        if (!select_times_meet(m->spec, view->segments[i]->facts.t_min, view->segments[i]->facts.t_max))
            continue;
        s->dims = TSFS_NEW_ARRAY(&m->arena, struct tsfs_str, view->schema->ndims + 1u);
        if (!s->dims)
            return oom(err);
        int rc = segment_acquire(view->segments[i], view->schema, &m->arena, &s->segment, &s->map, err);
        if (rc)
            return rc;
        m->nsources++;
    }
    for (unsigned i = 0; i < view->nhots; i++) {
        if (tsfs_hot_snap_count(view->snaps[i]) == 0)
            continue;
        m->sources[m->nsources].generation = view->generations ? view->generations[i] : 0;
        m->sources[m->nsources++].snap = view->snaps[i];
        if (m->sorted && tsfs_hot_snap_sort(view->snaps[i]) != 0)
            return oom(err);
    }
    return 0;
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
    m->deletes = view->deletes;
    m->ndeletes = view->ndeletes;
    m->hidden = TSFS_NEW_ARRAY(&m->arena, bool, m->ndeletes + 1u);
    uint32_t *lo = TSFS_NEW_ARRAY(&m->arena, uint32_t, n + 1);
    uint32_t *hi = TSFS_NEW_ARRAY(&m->arena, uint32_t, n + 1);
    if (!m->sources || !m->entries || !m->scratch_dims || !m->hidden || !lo || !hi) {
        rc = oom(err);
        goto out;
    }
    rc = add_sources(m, view, err);
    if (rc == 0)
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

/* Of rows that lie in [t_min, t_max], those in spec's range if they lie evenly; 0 only if rows is. */
static uint64_t in_range(const struct tsfs_scan_spec *spec, uint64_t rows, int64_t t_min, int64_t t_max)
{
    if (!spec || rows == 0 || (spec->time_min <= t_min && spec->time_max >= t_max))
        return rows;
    int64_t lo = spec->time_min > t_min ? spec->time_min : t_min;
    int64_t hi = spec->time_max < t_max ? spec->time_max : t_max;
    double share = ((double)hi - (double)lo + 1) / ((double)t_max - (double)t_min + 1);
    uint64_t some = (uint64_t)((double)rows * (share < 1 ? share : 1)) + 1;
    return some < rows ? some : rows;
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
        total += in_range(spec, rows, s->facts.t_min, s->facts.t_max);
    }
    for (unsigned i = 0; i < view->nhots; i++) {
        total += tsfs_hot_snap_rows(view->snaps[i]);
    }
    tsfs_arena_free(&arena);
    return total;
}
