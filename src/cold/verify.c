/* Reading everything in a segment and believing nothing: what is asked of a file before it is attached. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cold/cold_priv.h"

struct verify {
    struct tsfs_segment *segment;
    struct cold_index *ix;
    struct tsfs_schema *schema;
    struct cold_map map;
    struct cold_pages *pages;
    struct tsfs_scan_stats stats;
    int64_t time_min, time_max;
    struct tsfs_error *err;
};

static int wrong(struct verify *v, const char *what)
{
    return tsfs_error_set(v->err, -EINVAL, "the segment is damaged: %s", what);
}

static bool same_summary(enum tsfs_type type, const struct tsfs_summary *a, uint8_t fa,
                         const struct tsfs_summary *b, uint8_t fb)
{
    if (a->count != b->count)
        return false;
    if (a->count == 0 || (type != TSFS_BIGINT && type != TSFS_DOUBLE))
        return true;
    if (fa != fb)
        return false;
    if (fa & COLD_FLAG_NONE)
        return true;
    if (type == TSFS_DOUBLE && !a->dsum_rounded && !b->dsum_rounded) {
        if (a->dsum != b->dsum || a->dsum_rest != b->dsum_rest)
            return false;
    } else if (type == TSFS_DOUBLE) {
        /* it may have been added up in another order */
        double d = a->dsum - b->dsum, big = a->dmax > -a->dmin ? a->dmax : -a->dmin;
        if (!(d <= big * a->count * 1e-12 && -d <= big * a->count * 1e-12))
            return false;
    } else if (!a->isum_overflow && a->isum != b->isum) {
        return false;
    }
    return type == TSFS_DOUBLE
               ? a->dmin == b->dmin && a->dmax == b->dmax && a->dfirst == b->dfirst && a->dlast == b->dlast
               : a->imin == b->imin && a->imax == b->imax && a->ifirst == b->ifirst && a->ilast == b->ilast;
}

static int check_strings(struct verify *v, const struct tsfs_vec *vec, uint32_t n)
{
    for (uint32_t i = 0; i < (vec->constant ? 1 : n); i++) {
        if (vec->type == TSFS_UNKNOWN || tsfs_vec_null(vec, i))
            continue;
        if (vec->s[i].len > TSFS_VARCHAR_MAX || !tsfs_utf8_valid(vec->s[i]))
            return wrong(v, "a string is too long or not UTF-8");
    }
    return 0;
}

/* Rows of one measure, and the block that they are if they are one. */
static int check_measure(struct verify *v, uint32_t column, uint64_t row, uint32_t n, uint64_t block)
{
    enum tsfs_type type = v->ix->columns[column].type;
    struct tsfs_vec vec;
    int rc = pages_read(v->pages, column, row, n, &vec, v->err);
    if (rc == 0 && type == TSFS_VARCHAR)
        rc = check_strings(v, &vec, n);
    if (rc || block == UINT64_MAX)
        return rc;
    const struct cold_measure_slice *slice;
    rc = cold_index_measure(v->ix, column, (uint32_t)(block / COLD_SLICE), &slice, v->err);
    if (rc)
        return rc;
    struct tsfs_summary sum;
    uint8_t flags;
    uint64_t values[2 * TSFS_BLOCK_ROWS], valid[TSFS_BLOCK_ROWS / 64 + 1] = {0};
    if (vec.constant) { /* summaries are of flat vectors */
        vec_put(&vec, n, type, values, valid, 0);
        vec = (struct tsfs_vec){.type = type, .data = values, .valid = valid};
    }
    cold_summarise(&vec, 0, n, &sum, &flags);
    if (!same_summary(type, &sum, flags, &slice->summary[block % COLD_SLICE],
                      slice->flags[block % COLD_SLICE]))
        return wrong(v, "a summary does not fit its rows");
    return 0;
}

static int check_rows(struct verify *v, uint64_t row, uint32_t n, uint64_t block,
                      const struct tsfs_series *series, int64_t *last, bool *first)
{
    const int64_t *time;
    pages_focus(v->pages, row, row + n);
    int rc = pages_times(v->pages, row, n, &time, v->err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        if (!*first && time[i] <= *last)
            return wrong(v, "the times of a series do not ascend");
        *first = false;
        *last = time[i];
    }
    if (time[0] < v->time_min || time[n - 1] > v->time_max)
        return tsfs_error_set(v->err, -EINVAL, "the segment has rows outside of its time range");
    for (uint32_t k = 0; k < v->ix->nkeys; k++) {
        struct tsfs_str want = k ? series->dims[v->map.key_slot[k]] : series->measure_name;
        struct tsfs_vec vec;
        rc = pages_read(v->pages, v->ix->key_column[k], row, n, &vec, v->err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < (vec.constant ? 1 : n); i++) {
            bool null = tsfs_vec_null(&vec, i);
            if (null != (want.ptr == NULL) || (!null && !tsfs_str_eq(vec.s[i], want)))
                return wrong(v, "the index has other dimensions than the rows");
        }
    }
    for (uint32_t i = 1 + v->ix->nkeys; i < v->ix->ncolumns; i++) {
        rc = check_measure(v, i, row, n, block);
        if (rc)
            return rc;
    }
    if (block != UINT64_MAX) {
        const struct cold_time_slice *slice;
        rc = cold_index_times(v->ix, (uint32_t)(block / COLD_SLICE), &slice, v->err);
        if (rc)
            return rc;
        if (slice->t_first[block % COLD_SLICE] != time[0] || slice->t_last[block % COLD_SLICE] != time[n - 1])
            return wrong(v, "a block's times do not fit its rows");
    }
    return 0;
}

static int check_one(struct verify *v, const struct cold_series_slice *s, uint32_t at,
                     const struct tsfs_series *series, uint64_t *block)
{
    uint64_t row = s->row[at], end = s->row[at + 1];
    int64_t last = 0;
    bool first = true;
    if (s->block[at] != *block)
        return wrong(v, "its blocks are misnumbered");
    for (uint32_t g = 0; row < end; g++) {
        uint64_t stop = v->ix->group_row[g + 1] < end ? v->ix->group_row[g + 1] : end;
        if (stop <= row)
            continue;
        uint64_t part = stop - row;
        uint32_t n = cold_block_count(part);
        for (uint32_t b = 0; b < (n ? n : 1); b++) {
            uint64_t from = n ? cold_block_row(part, n, b) : 0,
                     to = n ? cold_block_row(part, n, b + 1) : part;
            int rc = check_rows(v, row + from, (uint32_t)(to - from), n ? *block : UINT64_MAX, series, &last,
                                &first);
            if (rc)
                return rc;
            *block += n > 0;
        }
        row = stop;
    }
    const int64_t *time;
    pages_focus(v->pages, s->row[at], end);
    int rc = pages_times(v->pages, s->row[at], 1, &time, v->err);
    if (rc)
        return rc;
    return time[0] == s->t_first[at] && last == s->t_last[at] ? 0 : wrong(v, "a series' times do not fit");
}

static int check_series(struct verify *v)
{
    struct tsfs_str *dims[2] = {calloc(v->schema->ndims + 1u, sizeof(**dims)),
                                calloc(v->schema->ndims + 1u, sizeof(**dims))};
    struct tsfs_str *scratch = calloc(v->schema->ndims + 1u, sizeof(*scratch));
    struct tsfs_series before, series;
    uint64_t row = 0, block = 0;
    int rc = dims[0] && dims[1] && scratch ? 0 : tsfs_error_set(v->err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; rc == 0 && i < v->ix->series; i++) {
        const struct cold_series_slice *s;
        uint32_t found;
        rc = cold_index_series(v->ix, i / COLD_SLICE, &s, v->err);
        if (rc == 0)
            rc = select_series(v->ix, &v->map, i, v->schema->ndims, dims[i % 2], &series, v->err);
        if (rc)
            break;
        if (!series.measure_name.ptr)
            rc = wrong(v, "a series has no measure_name");
        else if (i > 0 && tsfs_series_cmp(&before, &series) >= 0)
            rc = wrong(v, "its series are not in order");
        else if (s->row[i % COLD_SLICE] != row)
            rc = wrong(v, "its series do not follow one another");
        else
            rc = select_find(v->ix, &v->map, &series, scratch, &found, v->err);
        if (rc == 0 && found != i)
            rc = wrong(v, "a series cannot be found by its hash");
        if (rc == 0)
            rc = check_one(v, s, i % COLD_SLICE, &series, &block);
        row = s->row[i % COLD_SLICE + 1];
        before = series;
    }
    if (rc == 0 && (row != v->ix->rows || block != v->ix->blocks))
        rc = wrong(v, "its series do not cover its rows");
    free(dims[0]);
    free(dims[1]);
    free(scratch);
    return rc;
}

/* A schema of just the file's columns, with the slots that the file had at birth where it tells them. */
static int own_schema(struct tsfs_segment *s, struct tsfs_schema **out, struct tsfs_error *err)
{
    struct tsfs_schema *base = NULL;
    struct tsfs_column *cols, *add;
    struct tsfs_arena arena;
    unsigned n, m = 0;
    tsfs_arena_init(&arena, NULL);
    int rc = tsfs_segment_columns(s, &cols, &n, &arena, err);
    if (rc == 0)
        rc = tsfs_schema_create(&base);
    add = rc ? NULL : TSFS_NEW_ARRAY(&arena, struct tsfs_column, n + 1);
    if (rc == 0 && !add)
        rc = tsfs_error_set(err, -ENOMEM, "out of memory");
    for (unsigned i = 0; rc == 0 && i < n; i++)
        if (cols[i].role == TSFS_ROLE_DIMENSION || cols[i].role == TSFS_ROLE_MEASURE)
            add[m++] = cols[i];
    if (rc == 0)
        rc = tsfs_schema_extend(base, add, m, out, err);
    tsfs_schema_unref(base);
    tsfs_arena_free(&arena);
    return rc;
}

int tsfs_segment_verify(struct tsfs_segment *segment, int64_t time_min, int64_t time_max,
                        struct tsfs_error *err)
{
    struct verify v = {.time_min = time_min, .time_max = time_max, .err = err};
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    int rc = own_schema(segment, &v.schema, err);
    if (rc == 0)
        rc = segment_acquire(segment, v.schema, &arena, &v.segment, &v.map, err);
    if (rc == 0) {
        v.ix = v.segment->index;
        (void)posix_fadvise(v.segment->fd, 0, 0, POSIX_FADV_NORMAL); /* it is read from end to end */
        rc = pages_create(v.segment, false, &v.stats, &v.pages);
        if (rc)
            tsfs_error_set(err, rc, "out of memory");
    }
    if (rc == 0)
        rc = check_series(&v);
    pages_free(v.pages);
    if (v.segment)
        (void)posix_fadvise(v.segment->fd, 0, 0, POSIX_FADV_RANDOM);
    segment_release(v.segment);
    tsfs_schema_unref(v.schema);
    tsfs_arena_free(&arena);
    return rc;
}
