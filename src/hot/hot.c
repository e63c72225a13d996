/* The hot rows of one partition and generation.
 *
 * Rows are columnar and series-major.  A series has one or a few lanes (lane.c), a lane is a list of chunks,
 * a chunk has a time array and one array per measure.  Lanes are numbered densely in order of first use, and
 * counts[lane] is the number of rows that readers may see: that one array is all that publication changes and
 * all that a snapshot has to copy to have the state of an instant.
 *
 * Who may touch what:
 *  - one writer at a time (the table's write lock, held by the caller) stages, logs, publishes and undoes.
 *    Staging writes rows past counts[], so readers never look where it writes; bitmaps, whose words rows
 * share, are written and, in the chunk that is still filling, read as relaxed atomics.
 *  - hot->lock guards counts[] and the totals beside it.  A leaf; held for one pass over the touched lanes
 *    (publish) or one memcpy (snapshot).
 *  - everything a reader walks without a lock (lanes, lists of chunks, sets of columns, tables) is only ever
 *    added to, with release stores, and stays where it is until the last reference goes.
 *
 * Memory for full days of 10 s data in 10 DOUBLE or BIGINT measures: 8 bytes a value and 0.8 for its time;
 * bitmaps exist only where a row lacks a measure that its chunk has.  With the last chunk of a series half
 * empty (8,640 rows fill chunks of 1, 1, 2, 4, 8, 16, 64 to 512 and 7 of 1,024 and begin another) it comes to
 * some 9.7.
 */
#include "hot/hot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/time.h"
#include "hot/hot_priv.h"

#define BUMP_FIRST    (16u << 10)
#define HEADS_FIRST   (4u << 10)
#define STRINGS_FIRST (4u << 10)

int tsfs_hot_create(struct tsfs_series_index *series, struct tsfs_budget *budget, struct tsfs_hot **out)
{
    struct tsfs_hot *hot = calloc(1, sizeof(*hot));
    if (!hot)
        return -ENOMEM;
    atomic_store(&hot->refs, 1);
    hot->series = tsfs_series_index_ref(series);
    hot->budget = budget;
    hot->bump = (struct slab_bump){.first = BUMP_FIRST, .budget = budget};
    hot->heads = (struct slab_bump){.first = HEADS_FIRST, .budget = budget};
    hot->strings = (struct slab_bump){.first = STRINGS_FIRST, .budget = budget};
    hot->t_min = INT64_MAX;
    hot->t_max = INT64_MIN;
    pthread_mutex_init(&hot->lock, NULL);
    *out = hot;
    return 0;
}

struct tsfs_hot *tsfs_hot_ref(struct tsfs_hot *hot)
{
    atomic_fetch_add_explicit(&hot->refs, 1, memory_order_relaxed);
    return hot;
}

void tsfs_hot_unref(struct tsfs_hot *hot)
{
    if (!hot || atomic_fetch_sub_explicit(&hot->refs, 1, memory_order_acq_rel) != 1)
        return;
    hot_batch_end(hot);
    hot_replay_free(hot);
    slab_bump_free(&hot->bump);
    slab_bump_free(&hot->heads);
    slab_bump_free(&hot->strings);
    slab_map_free(&hot->by_series);
    slab_index_free(&hot->shape_index);
    if (hot->budget)
        tsfs_budget_release(hot->budget, hot->counts_cap * sizeof(*hot->counts) + hot->tables);
    tsfs_series_index_free(hot->series);
    slab_pages_free(hot->counts, hot->counts_cap * sizeof(*hot->counts));
    free(hot->shapes);
    free(hot->names);
    pthread_mutex_destroy(&hot->lock);
    free(hot);
}

struct tsfs_series_index *tsfs_hot_series(const struct tsfs_hot *hot)
{
    return hot->series;
}

static size_t table_bytes(const struct tsfs_hot *hot)
{
    return hot->by_series.bytes + atomic_load_explicit(&hot->shape_index.bytes, memory_order_relaxed) +
           hot->shapes_cap * sizeof(hot->shapes[0]) + hot_names_bytes(hot);
}

void hot_batch_publish(struct tsfs_hot *hot)
{
    struct hot_batch *batch = hot->batch;
    size_t tables = table_bytes(hot);
    slab_budget_add(hot->budget, tables - hot->tables);
    int64_t now = batch->rows && hot->rows == 0 ? tsfs_time_now() : 0;

    pthread_mutex_lock(&hot->lock);
    for (uint32_t i = 0; i < batch->ntouched; i++) {
        const struct hot_lane *lane = batch->touched[i].lane;
        uint32_t *count = &hot->counts[hot_lane_number(lane)];
        if (*count == 0 && hot_lane_depth(lane) == 0 && lane->staged)
            hot->published_series++;
        *count = lane->staged;
    }
    hot->published_lanes = hot->nlanes;
    hot->tables = tables;
    if (now)
        hot->first_written = now;
    hot->rows += batch->rows;
    if (batch->t_min < hot->t_min)
        hot->t_min = batch->t_min;
    if (batch->t_max > hot->t_max)
        hot->t_max = batch->t_max;
    pthread_mutex_unlock(&hot->lock);
    hot_batch_end(hot);
}

void hot_batch_forget(struct tsfs_hot *hot)
{
    struct hot_batch *batch = hot->batch;
    for (uint32_t i = 0; i < batch->ntouched; i++) {
        const struct hot_touch *t = &batch->touched[i];
        hot_lane_cut(t->lane, t->tail, hot->counts[hot_lane_number(t->lane)]);
        atomic_store_explicit(&t->lane->t_max, t->t_max, memory_order_relaxed);
    }
    slab_bump_rollback(&hot->strings, batch->strings);
    for (uint32_t i = 0; i < batch->new_series.n; i++)
        hot_lane_at(hot, batch->new_series.items[i])->log_number = HOT_NONE;
    for (uint32_t i = 0; i < batch->new_shapes.n; i++)
        hot->shapes[batch->new_shapes.items[i]]->log_number = HOT_NONE;
    for (uint32_t i = 0; i < batch->new_columns.n; i++) {
        uint32_t ordinal = batch->new_columns.items[i];
        hot->logged_columns[ordinal / 64] &= ~(UINT64_C(1) << ordinal % 64);
    }
    hot->logged_series -= batch->new_series.n;
    hot->logged_shapes -= batch->new_shapes.n;
    hot_names_cut(hot, batch->values);
    hot_batch_end(hot);
}

int tsfs_hot_log(struct tsfs_hot *hot, struct tsfs_wal *wal, struct tsfs_error *err)
{
    struct hot_batch *batch = hot->batch;
    if (!batch || batch->len == 0 || batch->logged)
        return 0;
    int rc = tsfs_wal_append_framed(wal, batch->rec, batch->len, err);
    if (rc)
        return rc;
    batch->logged = true;
    return 0;
}

void tsfs_hot_publish(struct tsfs_hot *hot)
{
    if (hot->batch)
        hot_batch_publish(hot);
}

int tsfs_hot_undo(struct tsfs_hot *hot, struct tsfs_wal *wal)
{
    if (!hot->batch)
        return 0;
    int rc = hot->batch->logged ? tsfs_wal_undo(wal) : 0;
    hot_batch_forget(hot);
    return rc;
}

void tsfs_hot_facts(struct tsfs_hot *hot, struct tsfs_hot_facts *out)
{
    pthread_mutex_lock(&hot->lock);
    *out = (struct tsfs_hot_facts){
        .rows = hot->rows,
        .series = hot->published_series,
        .bytes = sizeof(*hot) + atomic_load_explicit(&hot->bump.bytes, memory_order_relaxed) +
                 atomic_load_explicit(&hot->heads.bytes, memory_order_relaxed) +
                 atomic_load_explicit(&hot->strings.bytes, memory_order_relaxed) +
                 (size_t)hot->published_lanes * sizeof(hot->counts[0]) + hot->tables,
        .t_min = hot->t_min,
        .t_max = hot->t_max,
        .first_written = hot->first_written,
    };
    pthread_mutex_unlock(&hot->lock);
}
