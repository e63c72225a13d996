/* What deletes hide is taken out of a source's atoms before sources meet: a row written again later must
 * stay, and one written earlier must not shine through. */
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

int merge_hide_series(struct merge *m, struct tsfs_error *err)
{
    bool ready = false;
    for (uint32_t i = 0; i < m->ndeletes; i++) {
        struct tsfs_tombstone_facts f;
        tsfs_tombstone_facts(m->deletes[i], &f);
        m->hidden[i] = f.all;
        if (f.all || !select_times_meet(m->spec, f.time_min, f.time_max))
            continue;
        if (!ready) {
            m->hide_key.len = 0;
            if (tsfs_tombstone_key(&m->series, &m->hide_key) != 0)
                return oom(err);
            ready = true;
        }
        m->hidden[i] = tsfs_tombstone_has(m->deletes[i], tsfs_buf_str(&m->hide_key));
    }
    return 0;
}

/* Rows [from, to) of atom a, whose times are given. */
static struct merge_atom part_of(const struct merge_atom *a, const int64_t *time, uint32_t from, uint32_t to)
{
    struct merge_atom p = *a;
    p.row += from;
    p.nrows = to - from;
    p.t_first = time[from];
    p.t_last = time[to - 1];
    if (p.nrows < a->nrows)
        p.block = MERGE_NO_BLOCK; /* its summary speaks of rows that are gone */
    return p;
}

/* Takes [t_min, t_max] out of atoms [from, natoms), which do not overlap. */
static int take_out(struct merge *m, const struct merge_source *s, uint32_t from, int64_t t_min,
                    int64_t t_max, struct tsfs_error *err)
{
    uint32_t to = from;
    for (uint32_t i = from; i < m->natoms; i++) {
        struct merge_atom a = m->atoms[i];
        if (a.t_last < t_min || a.t_first > t_max) {
            m->atoms[to++] = a;
            continue;
        }
        if (a.t_first >= t_min && a.t_last <= t_max)
            continue;
        const int64_t *time = a.piece ? a.piece->time + a.row : NULL;
        if (!time) {
            int rc = pages_times(s->pages, a.row, a.nrows, &time, err);
            if (rc)
                return rc;
        }
        uint32_t lo = tsfs_time_lower_bound(time, a.nrows, t_min);
        uint32_t hi = t_max == INT64_MAX ? a.nrows : tsfs_time_lower_bound(time, a.nrows, t_max + 1);
        if (lo == hi) {
            m->atoms[to++] = a;
            continue;
        }
        if (lo > 0 && hi < a.nrows && to == i) { /* one becomes two; it happens to one atom at most */
            if (TSFS_ARRAY_ROOM(m->atoms, m->natoms, m->cap_atoms, 0) != 0)
                return oom(err);
            memmove(&m->atoms[i + 2], &m->atoms[i + 1], (m->natoms - i - 1) * sizeof(a));
            m->natoms++;
            i++;
        }
        if (lo > 0)
            m->atoms[to++] = part_of(&a, time, 0, lo);
        if (hi < a.nrows)
            m->atoms[to++] = part_of(&a, time, hi, a.nrows);
    }
    m->natoms = to;
    return 0;
}

int merge_hide(struct merge *m, const struct merge_source *s, uint32_t from, struct tsfs_error *err)
{
    for (uint32_t i = 0; i < m->ndeletes && m->natoms > from; i++) {
        struct tsfs_tombstone_facts f;
        if (!m->hidden[i])
            continue;
        tsfs_tombstone_facts(m->deletes[i], &f);
        if (!s->segment && s->generation >= f.generation)
            continue;
        int rc = take_out(m, s, from, f.time_min, f.time_max, err);
        if (rc)
            return rc;
    }
    return 0;
}
