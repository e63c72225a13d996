/* Rows of overlapping atoms merged into one run.
 *
 * Each source's atoms of the cluster, one after another, are an ascending list of times.  The lists are
 * merged into one without repetitions, noting for every row of every atom its place in the result.  A column
 * is then laid down source after source: values go to their places, NULLs leave what an earlier source put
 * there. */
#include <errno.h>
#include <string.h>

#include "cold/merge.h"

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

/* One source's way through its atoms. */
struct lane {
    uint32_t atom, row; /* next row; atom = m->to at the end */
    uint32_t source;
    const int64_t *time;
};

static void enter(const struct merge *m, const int64_t *const *time, struct lane *l, uint32_t from)
{
    while (from < m->to && m->atoms[from].source != l->source)
        from++;
    l->atom = from;
    l->row = 0;
    l->time = from < m->to ? time[from - m->from] : NULL;
}

int merge_rows(struct merge *m, uint32_t *nrows, struct tsfs_error *err)
{
    uint32_t natoms = m->to - m->from, nlanes = 0;
    uint64_t total = 0;
    const int64_t **time = tsfs_arena_alloc(&m->run_arena, natoms * sizeof(*time));
    struct lane *lanes = tsfs_arena_alloc(&m->run_arena, m->nentries * sizeof(*lanes));
    m->place = tsfs_arena_alloc(&m->run_arena, natoms * sizeof(*m->place));
    m->merged_columns = TSFS_NEW_ARRAY(&m->run_arena, struct tsfs_vec *, m->schema->nmeasures + 1u);
    if (!time || !lanes || !m->place || !m->merged_columns)
        return oom(err);
    for (uint32_t i = 0; i < natoms; i++) {
        const struct merge_atom *a = &m->atoms[m->from + i];
        total += a->nrows;
        m->place[i] = tsfs_arena_alloc(&m->run_arena, a->nrows * sizeof(**m->place));
        if (!m->place[i])
            return oom(err);
        if (a->piece) {
            time[i] = a->piece->time + a->row;
        } else {
            int rc = pages_times(m->sources[a->source].pages, a->row, a->nrows, &time[i], err);
            if (rc)
                return rc;
        }
    }
    if (total > UINT32_MAX)
        return tsfs_error_set(err, -E2BIG, "too many overlapping rows of one series");
    m->times = tsfs_arena_alloc(&m->run_arena, total * sizeof(*m->times));
    if (!m->times)
        return oom(err);
    for (uint32_t i = 0; i < m->nentries; i++) {
        lanes[nlanes].source = m->entries[i].source;
        enter(m, time, &lanes[nlanes], m->from);
        nlanes += lanes[nlanes].atom < m->to;
    }
    uint32_t n = 0;
    while (nlanes > 0) {
        int64_t t = lanes[0].time[lanes[0].row];
        for (uint32_t i = 1; i < nlanes; i++)
            if (lanes[i].time[lanes[i].row] < t)
                t = lanes[i].time[lanes[i].row];
        for (uint32_t i = 0; i < nlanes;) {
            struct lane *l = &lanes[i];
            if (l->time[l->row] != t) {
                i++;
                continue;
            }
            m->place[l->atom - m->from][l->row++] = n;
            if (l->row == m->atoms[l->atom].nrows)
                enter(m, time, l, l->atom + 1);
            if (l->atom == m->to)
                *l = lanes[--nlanes]; /* looked at next in this place */
            else
                i++;
        }
        if (n > 0 && m->times[n - 1] >= t)
            return tsfs_error_set(err, -EINVAL, "rows of a series are not in order of time");
        m->times[n++] = t;
    }
    *nrows = n;
    return 0;
}

static void lay(const struct tsfs_vec *src, uint32_t at, uint32_t n, const uint32_t *place, void *data,
                uint64_t *valid)
{
    unsigned width = tsfs_type_width(src->type);
    for (uint32_t i = 0; i < n; i++) {
        size_t from = src->constant ? 0 : (size_t)at + i;
        if (src->valid && !tsfs_bit_get(src->valid, from))
            continue;
        uint32_t to = place[i];
        tsfs_bit_set(valid, to);
        switch (width) {
        case 1: ((uint8_t *)data)[to] = src->b[from]; break;
        case 8: ((int64_t *)data)[to] = src->i[from]; break;
        default: ((struct tsfs_str *)data)[to] = src->s[from]; break;
        }
    }
}

int merge_column(struct merge *m, uint16_t ordinal, const struct tsfs_vec **out, struct tsfs_error *err)
{
    const struct tsfs_column *c = &m->schema->cols[ordinal];
    if (m->merged_columns[c->slot]) {
        *out = m->merged_columns[c->slot];
        return 0;
    }
    struct tsfs_vec *vec = TSFS_NEW(&m->run_arena, struct tsfs_vec);
    void *data = tsfs_arena_calloc(&m->run_arena, m->nrows, tsfs_type_width(c->type));
    uint64_t *valid = TSFS_NEW_ARRAY(&m->run_arena, uint64_t, tsfs_bit_words(m->nrows));
    if (!vec || !data || !valid)
        return oom(err);
    for (uint32_t k = 0; k < m->nentries; k++) { /* entries go from the earliest source to the latest */
        uint32_t source = m->entries[k].source;
        const struct merge_source *s = &m->sources[source];
        for (uint32_t i = m->from; i < m->to; i++) {
            const struct merge_atom *a = &m->atoms[i];
            struct tsfs_vec part;
            if (a->source != source)
                continue;
            if (a->piece) {
                if (c->slot < a->piece->ncols && a->piece->cols[c->slot].data)
                    lay(&a->piece->cols[c->slot], (uint32_t)a->row, a->nrows, m->place[i - m->from], data,
                        valid);
                continue;
            }
            if (s->map.column[ordinal] == COLD_NONE)
                continue;
            int rc = pages_read(s->pages, s->map.column[ordinal], a->row, a->nrows, &part, err);
            if (rc)
                return rc;
            if (part.type != TSFS_UNKNOWN)
                lay(&part, 0, a->nrows, m->place[i - m->from], data, valid);
        }
    }
    *vec = (struct tsfs_vec){
        .type = c->type, .data = data, .valid = tsfs_bits_count(valid, m->nrows) == m->nrows ? NULL : valid};
    *out = m->merged_columns[c->slot] = vec;
    return 0;
}
