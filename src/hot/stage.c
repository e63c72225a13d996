/* Staging: copying rows in behind what readers see. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "hot/hot_priv.h"

#define PREFETCH_FROM 4096u /* lanes: fewer are in the cache anyway */
#define PREFETCH_STEP 6u    /* rows */

/* Remembers what a lane was like, the first time that a batch touches it. */
static int touch(struct tsfs_hot *hot, struct hot_lane *lane)
{
    struct hot_batch *batch = hot->batch;
    if (lane->epoch == hot->epoch)
        return 0;
    if (TSFS_ARRAY_ROOM(batch->touched, batch->ntouched, batch->touched_cap, 64) != 0)
        return -ENOMEM;
    batch->touched[batch->ntouched++] = (struct hot_touch){
        .lane = lane,
        .tail = atomic_load_explicit(&lane->tail, memory_order_relaxed),
        .t_max = atomic_load_explicit(&lane->t_max, memory_order_relaxed),
    };
    lane->epoch = hot->epoch;
    return 0;
}

/* One allocation for all strings of a row, before anything is written; *bytes NULL when none is needed. */
static int room_for_strings(struct tsfs_hot *hot, const struct tsfs_cell *cells, unsigned ncells,
                            char **bytes)
{
    size_t size = 0;
    for (unsigned i = 0; i < ncells; i++)
        size += cells[i].type == TSFS_VARCHAR ? cells[i].s.len : 0;
    *bytes = size ? slab_bump_alloc(&hot->strings, size, 1) : NULL;
    return size && !*bytes ? -ENOMEM : 0;
}

/* A string like the one in the row before is not copied again: states and versions rarely change. */
static char *put_string(struct tsfs_str *column, uint32_t row, bool have_before, struct tsfs_str s,
                        char *bytes)
{
    if (s.len == 0) {
        column[row] = (struct tsfs_str){"", 0};
    } else if (have_before && tsfs_str_eq(column[row - 1], s)) {
        column[row] = column[row - 1];
    } else {
        memcpy(bytes, s.ptr, s.len);
        column[row] = (struct tsfs_str){bytes, s.len};
        bytes += s.len;
    }
    return bytes;
}

static char *put_cell(const struct hot_chunk *chunk, struct hot_col *col, bool shared, uint32_t row,
                      const struct tsfs_cell *cell, char *bytes)
{
    void *data = hot_col_data(chunk, col);
    if (cell->type == TSFS_BOOLEAN)
        ((uint8_t *)data)[row] = cell->b;
    else if (cell->type != TSFS_VARCHAR)
        ((int64_t *)data)[row] = cell->i;
    else /* with row - 1 among the values: next says that it was settled, valid that it is there */
        bytes =
            put_string(data, row,
                       row > 0 && (shared || (atomic_load_explicit(&col->next, memory_order_relaxed) == row &&
                                              !atomic_load_explicit(&col->valid, memory_order_relaxed))),
                       cell->s, bytes);
    return bytes;
}

/* rows = how many the chunk has; row is one of them (some of its cells may be there) or the next. */
static int write_row(struct tsfs_hot *hot, struct hot_chunk *chunk, uint32_t rows, uint32_t row,
                     struct hot_shape *shape, const struct tsfs_cell *cells, unsigned ncells)
{
    struct hot_col *cols;
    char *bytes = NULL;
    int rc = 0;
    if (!shape || !shape->numeric)
        rc = room_for_strings(hot, cells, ncells, &bytes);
    if (rc)
        return rc;
    struct hot_colset *set = atomic_load_explicit(&chunk->cols, memory_order_relaxed);
    if (set->shared && !set->packed && set->shape == shape) {
        cols = set->cols;
        if (shape->numeric) {
            for (unsigned i = 0; i < ncells; i++)
                ((int64_t *)hot_col_data(chunk, &cols[i]))[row] = cells[i].i;
        } else {
            for (unsigned i = 0; i < ncells; i++)
                bytes = put_cell(chunk, &cols[i], true, row, &cells[i], bytes);
            if (bytes)
                slab_bump_trim(&hot->strings, bytes);
        }
        return 0;
    }
    struct hot_batch *batch = hot->batch;
    rc = hot_batch_cells(batch, ncells);
    if (!rc)
        rc = hot_chunk_prepare(hot, chunk, rows, row, cells, ncells, batch->places);
    if (rc)
        return rc;
    set = atomic_load_explicit(&chunk->cols, memory_order_relaxed);
    set->shape = shape;
    set->cells += ncells;
    cols = set->cols;
    for (unsigned i = 0; i < ncells; i++) {
        struct hot_col *col = &cols[batch->places[i]];
        bytes = put_cell(chunk, col, false, row, &cells[i], bytes);
        hot_col_mark(col, row);
    }
    if (bytes)
        slab_bump_trim(&hot->strings, bytes);
    return 0;
}

int hot_stage_row(struct tsfs_hot *hot, struct hot_lane *lane, struct hot_shape *shape, int64_t time,
                  const struct tsfs_cell *cells, unsigned ncells)
{
    struct hot_batch *batch = hot->batch;
    int rc;
    int64_t t_max = atomic_load_explicit(&lane->t_max, memory_order_relaxed);
    while (time <= t_max && hot_lane_depth(lane) < HOT_LANES - 1) {
        if (time == t_max && lane->staged > hot->counts[hot_lane_number(lane)]) {
            /* The last row of this lane has not been published: the cells can go right into it.  Sources that
             * send each measure as a line of its own live on this. */
            struct hot_chunk *last = atomic_load_explicit(&lane->tail, memory_order_relaxed);
            return write_row(hot, last, lane->staged - last->start, lane->staged - 1 - last->start, shape,
                             cells, ncells);
        }
        rc = hot_lane_next(hot, lane, &lane);
        if (rc)
            return rc;
        t_max = atomic_load_explicit(&lane->t_max, memory_order_relaxed);
    }
    bool written = false;
    rc = touch(hot, lane);
    if (!rc)
        rc = hot_lane_room(hot, lane, shape, cells, ncells, &written);
    if (rc)
        return rc;
    struct hot_chunk *chunk = atomic_load_explicit(&lane->tail, memory_order_relaxed);
    uint32_t row = lane->staged - chunk->start;
    if (!written)
        rc = write_row(hot, chunk, row, row, shape, cells, ncells);
    if (rc)
        return rc;
    hot_chunk_time(chunk)[row] = time;
    if (row == 0 && chunk->cap >= HOT_CHUNK_FAR)
        ((struct hot_far_chunk *)chunk)->t_first = time;
    lane->staged++;
    if (time > t_max)
        atomic_store_explicit(&lane->t_max, time, memory_order_relaxed);
    batch->rows++;
    if (time < batch->t_min)
        batch->t_min = time;
    if (time > batch->t_max)
        batch->t_max = time;
    return 0;
}

/* One row's memory is found in three steps, each through what the one before has brought: the number of the
 * lane, the lane, the chunk with the place for the row. */
void tsfs_hot_prefetch(const struct tsfs_hot *hot, const uint32_t *series, size_t n)
{
    if (hot->nlanes < PREFETCH_FROM)
        return;
    if (n > 3 * PREFETCH_STEP && series[3 * PREFETCH_STEP] != TSFS_SERIES_NONE)
        slab_map_prefetch(&hot->by_series, series[3 * PREFETCH_STEP]);
    if (n > 2 * PREFETCH_STEP && series[2 * PREFETCH_STEP] != TSFS_SERIES_NONE) {
        const struct hot_lane *lane = hot_lane_find(hot, series[2 * PREFETCH_STEP]);
        if (lane) {
            __builtin_prefetch(lane, 1);
            __builtin_prefetch(&lane->tail, 1); /* mostly in the same line of the cache, or in the next */
        }
    }
    if (n > PREFETCH_STEP && series[PREFETCH_STEP] != TSFS_SERIES_NONE) {
        const struct hot_lane *lane = hot_lane_find(hot, series[PREFETCH_STEP]);
        const struct hot_chunk *tail = lane ? atomic_load_explicit(&lane->tail, memory_order_relaxed) : NULL;
        if (tail) {
            __builtin_prefetch(tail);
            __builtin_prefetch((const char *)tail + 64, 1);
        }
    }
}

int tsfs_hot_stage(struct tsfs_hot *hot, const struct tsfs_schema *schema, uint32_t series, int64_t time,
                   const struct tsfs_cell *cells, unsigned ncells)
{
    struct hot_lane *lane;
    size_t end;
    int rc;
    if (!hot->batch) {
        rc = hot_batch_begin(hot);
        if (rc)
            return rc;
        hot_replay_free(hot);
        hot->live = true;
    }
    rc = hot_lane_get(hot, series, &lane);
    if (rc)
        return rc;
    const struct hot_chunk *tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);
    struct hot_shape *shape =
        tail ? atomic_load_explicit(&tail->cols, memory_order_relaxed)->shape : hot->last_shape;
    if (!shape || !hot_shape_matches(shape, cells, ncells)) {
        rc = hot_shape_find(hot, &cells, &ncells, &shape);
        if (rc)
            return rc;
    }
    rc = hot_log_row(hot, schema, lane, shape, time, cells, ncells, &end);
    if (!rc)
        rc = hot_stage_row(hot, lane, shape, time, cells, ncells);
    if (rc)
        return rc;
    hot->last_shape = shape;
    hot->batch->len = end;
    hot->batch->last_time = time;
    return 0;
}
