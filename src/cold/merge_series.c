/* Which series comes next, and which sources have it (merge.c says how). */
#include <errno.h>

#include "cold/merge.h"

int merge_load_series(struct merge *m, struct merge_source *s, uint32_t number, struct tsfs_error *err)
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
        int rc = merge_load_series(m, s, number, err);
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

int merge_next_series(struct merge *m, struct tsfs_error *err)
{
    return m->sorted ? next_sorted(m, err) : next_unsorted(m, err);
}
