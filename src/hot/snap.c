/* Snapshots.
 *
 * The state of an instant is the array of published row counts.  A snapshot of everything copies it under the
 * lock; one whose conditions name few series out of many finds those first, without the lock, and then copies
 * their counts alone, with those of all lanes that were published since the search began: they were not there
 * to be found.  Everything else, the exact predicate above all, is done after the lock is gone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "hot/snap_priv.h"

#define SELECT_FROM 32u /* lanes: with fewer, looking at each is cheaper than any index */
#define TEXTS_BLOCK 64u

/* The lanes to look at, and their counts. */
struct gathered {
    uint32_t *lanes; /* chain after chain: a first lane, then its others; NULL = all below nbefore */
    uint32_t *counts;
    uint32_t n;
    uint32_t nbefore;
    uint32_t *tail; /* counts of lanes from nbefore on */
    uint32_t ntail;
};

static uint32_t published_lanes(struct tsfs_hot *hot)
{
    pthread_mutex_lock(&hot->lock);
    uint32_t n = hot->published_lanes;
    pthread_mutex_unlock(&hot->lock);
    return n;
}

static int cmp_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Fills g->lanes if an index names few enough of them. */
static int find_lanes(struct tsfs_hot *hot, const struct tsfs_schema *schema,
                      const struct tsfs_scan_spec *spec, struct gathered *g)
{
    uint32_t *ids, nids, n = 0, first = 0;
    if (g->nbefore < SELECT_FROM || !spec || spec->n_dim_in == 0)
        return 0;
    tsfs_series_index_enter(hot->series);
    int rc = series_index_select(hot->series, schema, spec->dim_in, spec->n_dim_in, &ids, &nids);
    tsfs_series_index_leave(hot->series);
    if (rc <= 0)
        return rc;
    for (uint32_t i = 0; i < nids; i++) {
        const struct hot_lane *lane = hot_lane_find(hot, ids[i]);
        if (lane && hot_lane_number(lane) < g->nbefore)
            ids[first++] = hot_lane_number(lane);
    }
    qsort(ids, first, sizeof(*ids), cmp_u32);
    g->lanes = malloc((first ? (size_t)first : 1) * HOT_LANES * sizeof(*g->lanes));
    if (g->lanes) {
        for (uint32_t i = 0; i < first; i++)
            for (uint32_t at = ids[i]; at < g->nbefore;
                 at = atomic_load_explicit(&hot_lane_at(hot, at)->next_lane, memory_order_acquire))
                g->lanes[n++] = at;
        g->n = n;
        g->counts = malloc((n ? (size_t)n : 1) * sizeof(*g->counts));
    }
    free(ids);
    return g->lanes && g->counts ? 0 : -ENOMEM;
}

/* Copies the counts, all of one instant. */
static int gather(struct tsfs_hot *hot, struct gathered *g)
{
    uint32_t from = g->lanes ? g->nbefore : 0, room = 0;
    for (;;) {
        pthread_mutex_lock(&hot->lock);
        uint32_t n = hot->published_lanes - from;
        if (n <= room) {
            for (uint32_t i = 0; i < g->n; i++)
                g->counts[i] = hot->counts[g->lanes[i]];
            if (n)
                memcpy(g->tail, hot->counts + from, n * sizeof(*g->tail));
            pthread_mutex_unlock(&hot->lock);
            g->nbefore = from;
            g->ntail = n;
            return 0;
        }
        pthread_mutex_unlock(&hot->lock);
        free(g->tail); /* room is made without the lock, with some to spare for what comes meanwhile */
        room = n + n / 8 + 16;
        g->tail = malloc(room * sizeof(*g->tail));
        if (!g->tail)
            return -ENOMEM;
    }
}

struct tsfs_hot_instant {
    uint32_t n; /* lanes */
    uint32_t counts[];
};

int tsfs_hot_instant_take(struct tsfs_hot *hot, struct tsfs_hot_instant **out)
{
    uint32_t room = published_lanes(hot);
    for (;;) {
        struct tsfs_hot_instant *instant = malloc(sizeof(*instant) + room * sizeof(instant->counts[0]));
        if (!instant)
            return -ENOMEM;
        pthread_mutex_lock(&hot->lock);
        uint32_t n = instant->n = hot->published_lanes;
        if (n && n <= room)
            memcpy(instant->counts, hot->counts, n * sizeof(instant->counts[0]));
        pthread_mutex_unlock(&hot->lock);
        if (n <= room) {
            *out = instant;
            return 0;
        }
        free(instant);
        room = n + n / 8 + 16;
    }
}

void tsfs_hot_instant_free(struct tsfs_hot_instant *instant)
{
    free(instant);
}

/* The counts of that instant instead of now's; g->nbefore is how many lanes it knows. */
static int gather_at(const struct tsfs_hot_instant *instant, struct gathered *g)
{
    if (g->lanes) {
        for (uint32_t i = 0; i < g->n; i++)
            g->counts[i] = instant->counts[g->lanes[i]];
        g->ntail = 0;
        return 0;
    }
    g->nbefore = 0;
    g->ntail = instant->n;
    g->tail = malloc(((size_t)instant->n + 1) * sizeof(*g->tail));
    if (!g->tail)
        return -ENOMEM;
    if (instant->n)
        memcpy(g->tail, instant->counts, instant->n * sizeof(*g->tail));
    return 0;
}

static int push(struct tsfs_hot_snap *snap, uint32_t lane, const uint32_t rows[HOT_LANES])
{
    bool more = rows[1] || rows[2] || rows[3];
    if (TSFS_ARRAY_ROOM(snap->series, snap->n, snap->cap, 16) != 0)
        return -ENOMEM;
    if (more && TSFS_ARRAY_ROOM(snap->more, snap->nmore, snap->more_cap, 16) != 0)
        return -ENOMEM;
    snap->rows += (uint64_t)rows[0] + rows[1] + rows[2] + rows[3];
    snap->series[snap->n++] = (struct snap_series){lane, rows[0], more ? snap->nmore : HOT_NONE};
    if (more)
        memcpy(snap->more[snap->nmore++], rows + 1, sizeof(snap->more[0]));
    return 0;
}

_Static_assert(HOT_LANES == 4, "push looks at each");

/* Whether a lane with rows may have any up to `last`: in the lanes that are in order the first row says so.
 */
static bool begins_before(const struct hot_lane *lane, int64_t last)
{
    return last == INT64_MAX || hot_lane_depth(lane) == HOT_LANES - 1 ||
           hot_chunk_first(atomic_load_explicit(&lane->head, memory_order_acquire)) <= last;
}

/* Takes the series in if it has rows in the time range and the predicate wants it.  Times of a lane may cover
 * rows that are not published yet; that only lets a series in of which pieces() then finds nothing. */
static int consider(struct tsfs_hot_snap *snap, const struct tsfs_scan_spec *spec, struct tsfs_str *dims,
                    const uint32_t numbers[HOT_LANES], const uint32_t rows[HOT_LANES])
{
    bool any = false;
    const struct hot_lane *first = hot_lane_at(snap->hot, numbers[0]);
    for (unsigned i = 0; i < HOT_LANES && !any; i++) {
        if (rows[i] == 0)
            continue;
        const struct hot_lane *lane = hot_lane_at(snap->hot, numbers[i]);
        any = atomic_load_explicit(&lane->t_max, memory_order_relaxed) >= snap->time_min &&
              begins_before(lane, snap->time_max);
    }
    if (!any)
        return 0;
    if (spec && spec->series_match) {
        struct tsfs_series series = {.dims = dims, .ndims = snap->schema->ndims};
        tsfs_series_index_get(snap->hot->series, first->series, &series.measure_name, dims, series.ndims);
        if (!spec->series_match(spec->series_ctx, &series))
            return 0;
    }
    return push(snap, hot_lane_number(first), rows);
}

/* The rest of a chain, from the lanes whose counts lie in g->tail. */
static void rest_of_chain(const struct tsfs_hot *hot, const struct gathered *g, uint32_t number, unsigned n,
                          uint32_t numbers[HOT_LANES], uint32_t rows[HOT_LANES])
{
    while (n < HOT_LANES && number >= g->nbefore && number - g->nbefore < g->ntail) {
        numbers[n] = number;
        rows[n++] = g->tail[number - g->nbefore];
        number = atomic_load_explicit(&hot_lane_at(hot, number)->next_lane, memory_order_acquire);
    }
    for (; n < HOT_LANES; n++)
        numbers[n] = rows[n] = 0;
}

static int choose(struct tsfs_hot_snap *snap, const struct tsfs_scan_spec *spec, const struct gathered *g)
{
    const struct tsfs_hot *hot = snap->hot;
    uint32_t numbers[HOT_LANES], rows[HOT_LANES];
    struct tsfs_str *dims = malloc((snap->schema->ndims + 1u) * sizeof(*dims));
    int rc = dims ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < g->n && rc == 0;) {
        unsigned n = 0;
        do {
            numbers[n] = g->lanes[i];
            rows[n++] = g->counts[i++];
        } while (i < g->n && hot_lane_depth(hot_lane_at(hot, g->lanes[i])) > 0);
        rest_of_chain(
            hot, g, atomic_load_explicit(&hot_lane_at(hot, numbers[n - 1])->next_lane, memory_order_acquire),
            n, numbers, rows);
        rc = consider(snap, spec, dims, numbers, rows);
    }
    for (uint32_t i = 0; i < g->ntail && rc == 0; i++) {
        if (hot_lane_depth(hot_lane_at(hot, g->nbefore + i)) > 0)
            continue;
        rest_of_chain(hot, g, g->nbefore + i, 0, numbers, rows);
        rc = consider(snap, spec, dims, numbers, rows);
    }
    free(dims);
    return rc;
}

static int want_columns(struct tsfs_hot_snap *snap, const struct tsfs_scan_spec *spec)
{
    const struct tsfs_schema *schema = snap->schema;
    if (!spec || !spec->columns)
        return 0;
    snap->wanted = calloc(tsfs_bit_words(schema->nmeasures) + 1, sizeof(*snap->wanted));
    if (!snap->wanted)
        return -ENOMEM;
    for (uint32_t i = 0; i < spec->n_columns; i++) {
        uint16_t ordinal = spec->columns[i];
        if (ordinal < schema->ncols && schema->cols[ordinal].role == TSFS_ROLE_MEASURE)
            tsfs_bit_set(snap->wanted, schema->cols[ordinal].slot);
    }
    return 0;
}

int tsfs_hot_snapshot(struct tsfs_hot *hot, struct tsfs_schema *schema, const struct tsfs_scan_spec *spec,
                      struct tsfs_hot_snap **out)
{
    return tsfs_hot_snapshot_at(hot, NULL, schema, spec, out);
}

int tsfs_hot_snapshot_at(struct tsfs_hot *hot, const struct tsfs_hot_instant *instant,
                         struct tsfs_schema *schema, const struct tsfs_scan_spec *spec,
                         struct tsfs_hot_snap **out)
{
    struct gathered g = {0};
    struct tsfs_hot_snap *snap = calloc(1, sizeof(*snap));
    if (!snap)
        return -ENOMEM;
    pthread_mutex_init(&snap->texts_lock, NULL);
    snap->hot = tsfs_hot_ref(hot);
    snap->schema = tsfs_schema_ref(schema);
    snap->time_min = spec ? spec->time_min : INT64_MIN;
    snap->time_max = spec ? spec->time_max : INT64_MAX;
    int rc = want_columns(snap, spec);
    if (rc)
        goto out;
    g.nbefore = instant ? instant->n : published_lanes(hot);
    rc = find_lanes(hot, schema, spec, &g);
    if (!rc)
        rc = instant ? gather_at(instant, &g) : gather(hot, &g);
    if (!rc)
        rc = choose(snap, spec, &g);
    if (rc)
        goto out;
    /* touched only where asked for */
    snap->texts = malloc(((size_t)snap->n + 1) * (schema->ndims + 1u) * sizeof(*snap->texts));
    snap->texts_done = calloc(snap->n / TEXTS_BLOCK + 1, sizeof(*snap->texts_done));
    if (!snap->texts || !snap->texts_done)
        rc = -ENOMEM;
out:
    free(g.lanes);
    free(g.counts);
    free(g.tail);
    if (rc) {
        tsfs_hot_snap_free(snap);
        return rc;
    }
    *out = snap;
    return 0;
}

void tsfs_hot_snap_free(struct tsfs_hot_snap *snap)
{
    if (!snap)
        return;
    free(snap->wanted);
    free(snap->series);
    free(snap->more);
    free(snap->order);
    free(snap->rank);
    free(snap->texts);
    free(snap->texts_done);
    pthread_mutex_destroy(&snap->texts_lock);
    tsfs_schema_unref(snap->schema);
    tsfs_hot_unref(snap->hot);
    free(snap);
}

void tsfs_hot_snap_narrow(struct tsfs_hot_snap *snap, int64_t time_min, int64_t time_max)
{
    snap->time_min = time_min;
    snap->time_max = time_max;
}

static const struct snap_series *series_at(const struct tsfs_hot_snap *snap, uint32_t i)
{
    return &snap->series[snap->order ? snap->order[i] : i];
}

int tsfs_hot_snap_sort(struct tsfs_hot_snap *snap)
{
    uint32_t *order = NULL, *rank = NULL;
    pthread_mutex_lock(&snap->texts_lock);
    int rc = snap->order ? 0 : -ENOMEM;
    if (rc == 0)
        goto out;
    order = malloc(((size_t)snap->n + 1) * sizeof(*order));
    rank = malloc(((size_t)snap->n + 1) * sizeof(*rank)); /* the ids, at first */
    if (!order || !rank)
        goto out;
    for (uint32_t i = 0; i < snap->n; i++)
        rank[i] = hot_lane_at(snap->hot, snap->series[i].lane)->series;
    rc = series_index_sort(snap->hot->series, rank, snap->n, order);
    if (rc)
        goto out;
    for (uint32_t i = 0; i < snap->n; i++)
        rank[order[i]] = i;
    snap->order = order;
    snap->rank = rank;
    order = rank = NULL;
out:
    pthread_mutex_unlock(&snap->texts_lock);
    free(order);
    free(rank);
    return rc;
}

uint32_t tsfs_hot_snap_count(const struct tsfs_hot_snap *snap)
{
    return snap->n;
}

uint64_t tsfs_hot_snap_rows(const struct tsfs_hot_snap *snap)
{
    return snap->rows;
}

static uint32_t count_chunks(const struct tsfs_hot *hot, uint32_t lane, uint32_t rows)
{
    const struct hot_chunk *chunk = atomic_load_explicit(&hot_lane_at(hot, lane)->head, memory_order_acquire);
    uint32_t n = 0;
    for (; chunk && chunk->start < rows; chunk = atomic_load_explicit(&chunk->next, memory_order_acquire))
        n++;
    return n;
}

uint32_t tsfs_hot_snap_blocks(const struct tsfs_hot_snap *snap, uint32_t i)
{
    const struct snap_series *series = series_at(snap, i);
    uint32_t lane = series->lane, n = count_chunks(snap->hot, lane, series->rows);
    for (unsigned d = 1; d < HOT_LANES && series->more != HOT_NONE; d++) {
        lane = atomic_load_explicit(&hot_lane_at(snap->hot, lane)->next_lane, memory_order_acquire);
        if (lane == HOT_NONE)
            break;
        n += count_chunks(snap->hot, lane, snap->more[series->more][d - 1]);
    }
    return n;
}

int tsfs_hot_count_blocks(struct tsfs_hot *hot, uint64_t *series, uint64_t *blocks)
{
    struct tsfs_hot_instant *now;
    int rc = tsfs_hot_instant_take(hot, &now);
    if (rc)
        return rc;
    *series = *blocks = 0;
    for (uint32_t i = 0; i < now->n; i++) {
        *series += now->counts[i] > 0 && hot_lane_depth(hot_lane_at(hot, i)) == 0;
        *blocks += count_chunks(hot, i, now->counts[i]);
    }
    tsfs_hot_instant_free(now);
    return 0;
}

bool tsfs_hot_snap_in_order(const struct tsfs_hot_snap *snap)
{
    return snap->nmore == 0; /* first lanes ascend */
}

/* In canonical order neighbours lie all over memory: what will be read of [from, end) is asked for together,
 * step by step, and the cache misses overlap. */
static void ask_ahead(const struct tsfs_hot_snap *snap, uint32_t from, uint32_t end)
{
    const struct tsfs_series_index *index = snap->hot->series;
    const struct hot_lane *lanes[TEXTS_BLOCK];
    for (uint32_t i = from; i < end; i++)
        __builtin_prefetch(series_at(snap, i));
    for (uint32_t i = from; i < end; i++) {
        lanes[i - from] = hot_lane_at(snap->hot, series_at(snap, i)->lane);
        __builtin_prefetch(lanes[i - from]);
    }
    for (uint32_t i = 0; i < end - from; i++) {
        const char *chunk = (const char *)atomic_load_explicit(&lanes[i]->head, memory_order_acquire);
        __builtin_prefetch(series_entry_at(index, lanes[i]->series));
        __builtin_prefetch(chunk);
        __builtin_prefetch(chunk + 64);
    }
    for (uint32_t i = 0; i < end - from; i++)
        __builtin_prefetch(series_tuple_at(index, lanes[i]->series));
    for (uint32_t i = 0; i < end - from; i++) {
        const struct series_tuple *tuple = series_tuple_at(index, lanes[i]->series);
        for (unsigned d = 0; d < series_tuple_layout(index, tuple)->ndims; d++)
            __builtin_prefetch(slab_store_at(&index->texts, tuple->values[d]));
    }
}

static void fill_texts(const struct tsfs_hot_snap *snap, uint32_t block)
{
    struct tsfs_hot_snap *open = (struct tsfs_hot_snap *)snap;
    uint16_t ndims = snap->schema->ndims;
    pthread_mutex_lock(&open->texts_lock);
    if (!atomic_load_explicit(&snap->texts_done[block], memory_order_relaxed)) {
        uint32_t end = (block + 1) * TEXTS_BLOCK < snap->n ? (block + 1) * TEXTS_BLOCK : snap->n;
        if (snap->order)
            ask_ahead(snap, block * TEXTS_BLOCK, end);
        for (uint32_t i = block * TEXTS_BLOCK; i < end; i++) {
            struct tsfs_str *texts = snap->texts + (size_t)i * (ndims + 1u);
            tsfs_series_index_get(snap->hot->series, hot_lane_at(snap->hot, series_at(snap, i)->lane)->series,
                                  &texts[0], texts + 1, ndims);
        }
        atomic_store_explicit(&open->texts_done[block], 1, memory_order_release);
    }
    pthread_mutex_unlock(&open->texts_lock);
}

void tsfs_hot_snap_series(const struct tsfs_hot_snap *snap, uint32_t i, struct tsfs_series *out)
{
    const struct tsfs_str *texts = snap->texts + (size_t)i * (snap->schema->ndims + 1u);
    if (!atomic_load_explicit(&snap->texts_done[i / TEXTS_BLOCK], memory_order_acquire))
        fill_texts(snap, i / TEXTS_BLOCK);
    *out = (struct tsfs_series){texts[0], texts + 1, snap->schema->ndims};
}

uint32_t tsfs_hot_snap_find(const struct tsfs_hot_snap *snap, const struct tsfs_series *series)
{
    tsfs_series_index_enter(snap->hot->series);
    uint32_t id = series_index_lookup(snap->hot->series, series);
    tsfs_series_index_leave(snap->hot->series);
    const struct hot_lane *lane = id == TSFS_SERIES_NONE ? NULL : hot_lane_find(snap->hot, id);
    if (!lane)
        return TSFS_SERIES_NONE;
    uint32_t lo = 0, hi = snap->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (snap->series[mid].lane < hot_lane_number(lane))
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == snap->n || snap->series[lo].lane != hot_lane_number(lane))
        return TSFS_SERIES_NONE;
    return snap->rank ? snap->rank[lo] : lo;
}
