/* The buffers of a write in progress.  A hot holds them only from its first staged row to publication; in
 * between they wait here for the next one, so that ten thousand idle partitions hold none. */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "hot/hot_priv.h"

#define KEPT_BATCHES 8u
#define KEPT_BYTES   (1u << 20) /* a record buffer larger than this is given back */
#define KEPT_TOUCHED (1u << 14)
#define REC_FIRST    (16u << 10)

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER; /* leaf */
static struct hot_batch *pool;
static unsigned pooled;

static void free_batch(struct hot_batch *batch)
{
    free(batch->rec);
    free(batch->touched);
    free(batch->new_series.items);
    free(batch->new_columns.items);
    free(batch->new_shapes.items);
    free(batch->cells);
    free(batch->places);
    free(batch);
}

int hot_batch_begin(struct tsfs_hot *hot)
{
    pthread_mutex_lock(&pool_lock);
    struct hot_batch *batch = pool;
    if (batch) {
        pool = batch->next_free;
        pooled--;
    }
    pthread_mutex_unlock(&pool_lock);
    if (!batch)
        batch = calloc(1, sizeof(*batch));
    if (!batch)
        return -ENOMEM;
    batch->len = 0;
    batch->ntouched = batch->new_series.n = batch->new_columns.n = batch->new_shapes.n = 0;
    batch->strings = slab_bump_mark(&hot->strings);
    batch->values = hot->logged_values;
    batch->logged = false;
    batch->rows = 0;
    batch->last_time = 0;
    batch->t_min = INT64_MAX;
    batch->t_max = INT64_MIN;
    hot->batch = batch;
    hot->epoch++;
    return 0;
}

void hot_batch_end(struct tsfs_hot *hot)
{
    struct hot_batch *batch = hot->batch;
    hot->batch = NULL;
    if (!batch)
        return;
    bool small = batch->cap <= KEPT_BYTES && batch->touched_cap <= KEPT_TOUCHED &&
                 batch->new_series.cap <= KEPT_TOUCHED;
    pthread_mutex_lock(&pool_lock);
    if (small && pooled < KEPT_BATCHES) {
        batch->next_free = pool;
        pool = batch;
        pooled++;
        batch = NULL;
    }
    pthread_mutex_unlock(&pool_lock);
    if (batch)
        free_batch(batch);
}

/* Frees what waits, so that leak checkers have nothing to say at exit. */
__attribute__((destructor)) static void drain_pool(void)
{
    while (pool) {
        struct hot_batch *next = pool->next_free;
        free_batch(pool);
        pool = next;
    }
}

int hot_batch_reserve(struct hot_batch *batch, size_t extra)
{
    size_t need = TSFS_WAL_FRAME_BYTES + batch->len + extra + 8; /* 8: numbers are stored whole */
    if (batch->len + extra > TSFS_WAL_RECORD_MAX)
        return -E2BIG;
    return TSFS_ARRAY_RESERVE(batch->rec, batch->cap, need, REC_FIRST);
}

int hot_batch_cells(struct hot_batch *batch, unsigned ncells)
{
    if (ncells <= batch->cells_cap)
        return 0;
    uint32_t cap = ncells < 64 ? 64 : ncells * 2;
    struct tsfs_cell *cells = realloc(batch->cells, cap * sizeof(*cells));
    if (!cells)
        return -ENOMEM;
    batch->cells = cells;
    uint16_t *places = realloc(batch->places, cap * sizeof(*places));
    if (!places)
        return -ENOMEM;
    batch->places = places;
    batch->cells_cap = cap;
    return 0;
}

int hot_list_push(struct hot_list *list, uint32_t item)
{
    if (TSFS_ARRAY_ROOM(list->items, list->n, list->cap, 16) != 0)
        return -ENOMEM;
    list->items[list->n++] = item;
    return 0;
}
