/* Lanes, chunks and columns: where rows lie.
 *
 * The rows of a series are spread over up to HOT_LANES lanes.  A row goes to the first lane whose last time
 * is before its own, so every lane but the last is strictly ascending and can be read without sorting; in
 * ordinary data there is only one.  A few late rows make a second lane; a clock that runs ahead blocks the
 * first one for a while and everything else is in order in the second.  Only what fits nowhere is in the
 * last lane, unordered.
 *
 * Of two rows with the same time the one in the earlier lane was written first: when the later one came, all
 * lanes before its own already had that time or a later one, and their last times only grow.
 *
 * A lane is a list of chunks.  A chunk never moves and never grows, but columns may be added to it.  The
 * first two have room for one row each, as a series among very many has no more, the others for 2, 4, 8, 16,
 * 64 and so on up to HOT_CHUNK_ROWS; a chunk that came out mostly empty (rows that each fill few of many
 * measures) is followed by a small one again, which bounds the waste.
 *
 * As long as all rows of a chunk have the same measures there is nothing to say about its columns that is not
 * true of all chunks of that shape and size, so they share one set; one of its own is made for the first row
 * that differs.  A small chunk and its values are one allocation; one of a single row holds its numbers
 * packed if they are small (packed.c).
 *
 * Arrays of large chunks are set apart by one more cache line each: with power-of-two strides, all columns of
 * one row would compete for one set of the cache. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hot/hot_priv.h"

#define STAGGER   64u /* bytes */
#define PACK_GAIN 16u /* bytes: a row that packing makes shorter by less stays as it is */

static void lane_init(struct hot_lane *lane, uint32_t number, uint32_t series, uint32_t depth)
{
    lane->series = series;
    lane->place = number * HOT_LANES + depth;
    lane->log_number = HOT_NONE;
    lane->staged = lane->epoch = 0; /* no batch has the number 0 */
    atomic_store_explicit(&lane->next_lane, HOT_NONE, memory_order_relaxed);
    atomic_store_explicit(&lane->t_max, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&lane->head, NULL, memory_order_relaxed);
    atomic_store_explicit(&lane->tail, NULL, memory_order_relaxed);
}

/* counts[] is read under the lock, so it is exchanged under the lock. */
static int grow_counts(struct tsfs_hot *hot)
{
    uint32_t cap = hot->counts_cap ? hot->counts_cap * 2 : 16;
    uint32_t *counts = slab_pages_alloc(cap * sizeof(*counts), true), *old = hot->counts;
    if (!counts)
        return -ENOMEM;
    pthread_mutex_lock(&hot->lock);
    if (old)
        memcpy(counts, old, hot->counts_cap * sizeof(*counts));
    hot->counts = counts;
    pthread_mutex_unlock(&hot->lock);
    slab_budget_add(hot->budget, (cap - hot->counts_cap) * sizeof(*counts));
    slab_pages_free(old, hot->counts_cap * sizeof(*counts));
    hot->counts_cap = cap;
    return 0;
}

static int new_lane(struct tsfs_hot *hot, uint32_t series, uint32_t depth, struct hot_lane **out)
{
    uint32_t offset, number = hot->nlanes;
    unsigned k = slab_block(number, HOT_LANE_FIRST_BITS, &offset);
    if (k >= HOT_LANE_BLOCKS)
        return -E2BIG;
    struct hot_lane *block = atomic_load_explicit(&hot->lanes[k], memory_order_relaxed);
    if (number >= hot->counts_cap) {
        int rc = grow_counts(hot);
        if (rc)
            return rc;
    }
    if (!block) {
        size_t size = sizeof(*block) << (HOT_LANE_FIRST_BITS + k);
        block = slab_bump_alloc(&hot->bump, size, 64);
        if (!block)
            return -ENOMEM;
        atomic_store_explicit(&hot->lanes[k], block, memory_order_release);
    }
    slab_pages_fill(block, sizeof(*block) << (HOT_LANE_FIRST_BITS + k), offset * sizeof(*block),
                    (offset + 1) * sizeof(*block));
    lane_init(&block[offset], number, series, depth);
    *out = &block[offset];
    return 0;
}

int hot_lane_get(struct tsfs_hot *hot, uint32_t series, struct hot_lane **out)
{
    *out = hot_lane_find(hot, series);
    if (*out)
        return 0;
    int rc = new_lane(hot, series, 0, out);
    if (!rc)
        rc = slab_map_set(&hot->by_series, series, hot_lane_number(*out));
    if (!rc)
        hot->nlanes++;
    return rc;
}

int hot_lane_next(struct tsfs_hot *hot, struct hot_lane *lane, struct hot_lane **out)
{
    uint32_t next = atomic_load_explicit(&lane->next_lane, memory_order_relaxed);
    if (next != HOT_NONE) {
        *out = hot_lane_at(hot, next);
        return 0;
    }
    int rc = new_lane(hot, lane->series, hot_lane_depth(lane) + 1, out);
    if (rc)
        return rc;
    atomic_store_explicit(&lane->next_lane, hot->nlanes++, memory_order_release);
    return 0;
}

static size_t array_bytes(uint32_t cap, size_t width)
{
    size_t size = (cap * width + 7) & ~(size_t)7;
    return cap >= HOT_CHUNK_FAR ? size + STAGGER : size;
}

static struct hot_colset *new_colset(struct tsfs_hot *hot, unsigned cap)
{
    struct hot_colset *set = slab_bump_alloc(&hot->heads, sizeof(*set) + cap * sizeof(set->cols[0]), 16);
    if (set) {
        atomic_store_explicit(&set->n, 0, memory_order_relaxed);
        set->cap = (uint16_t)cap;
        set->shared = set->packed = false;
        set->cells = 0;
        set->shape = NULL;
    }
    return set;
}

static void init_col(struct hot_col *col, uint16_t slot, uint8_t type, intptr_t at)
{
    col->at = at;
    atomic_store_explicit(&col->valid, NULL, memory_order_relaxed);
    col->slot = slot;
    col->type = type;
    atomic_store_explicit(&col->next, 0, memory_order_relaxed);
}

static uint32_t next_cap(const struct hot_chunk *last)
{
    if (!last)
        return HOT_CHUNK_FIRST;
    const struct hot_colset *set = atomic_load_explicit(&last->cols, memory_order_relaxed);
    uint64_t room = (uint64_t)last->cap * atomic_load_explicit(&set->n, memory_order_relaxed);
    if (!set->shared && (uint64_t)set->cells * 4 < room)
        return HOT_CHUNK_AGAIN;
    if (last->start == 0)
        return HOT_CHUNK_FIRST;
    uint32_t cap = last->cap * 2u;
    if (cap > HOT_CHUNK_NEAR && cap < HOT_CHUNK_FAR)
        cap = HOT_CHUNK_FAR;
    return cap < HOT_CHUNK_ROWS ? cap : HOT_CHUNK_ROWS;
}

/* The columns of a new chunk of this size, which one shape's chunks may share: then *shared keeps them. */
static struct hot_colset *first_colset(struct tsfs_hot *hot, struct hot_colset **shared, uint32_t cap,
                                       struct hot_shape *shape, const struct tsfs_cell *cells,
                                       unsigned ncells)
{
    if (shared && *shared)
        return *shared;
    struct hot_colset *set = new_colset(hot, shape || ncells > 1 ? ncells : 2);
    if (!set)
        return NULL;
    size_t at = array_bytes(cap, sizeof(int64_t));
    for (unsigned i = 0; i < ncells; i++) {
        init_col(&set->cols[i], cells[i].slot, cells[i].type, (intptr_t)at);
        at += array_bytes(cap, tsfs_type_width(cells[i].type));
        if (shape)
            atomic_store_explicit(&set->cols[i].next, UINT16_MAX, memory_order_relaxed);
    }
    atomic_store_explicit(&set->n, (uint16_t)ncells, memory_order_relaxed);
    set->shape = shape;
    if (shared) {
        set->shared = true;
        set->packed = shared == &shape->packed;
        *shared = set;
    }
    return set;
}

/* Room for one that is in one piece with its rows, with the pointer that stands in front of it. */
static struct hot_chunk *small_chunk(struct tsfs_hot *hot, const struct hot_chunk *last, size_t size)
{
    size_t front = last ? sizeof(struct hot_chunk *) : 0;
    char *room = slab_bump_alloc(&hot->bump, front + size, 8);
    return room ? (struct hot_chunk *)(room + front) : NULL;
}

/* One of HOT_CHUNK_FAR rows or more, whose arrays have so many bytes. */
static struct hot_chunk *far_chunk(struct tsfs_hot *hot, size_t size)
{
    struct {
        struct hot_chunk *prev;
        struct hot_far_chunk far;
    } *room = slab_bump_alloc(&hot->heads, sizeof(*room), 64);
    int64_t *arrays = slab_bump_alloc(&hot->bump, size, 64);
    if (!room || !arrays)
        return NULL;
    room->far.time = arrays;
    return &room->far.chunk;
}

/* One of one row, which it holds packed if that is shorter by enough to count. */
static struct hot_chunk *packed_chunk(struct tsfs_hot *hot, const struct hot_chunk *last,
                                      struct hot_shape *shape, const struct tsfs_cell *cells, unsigned ncells,
                                      struct hot_colset **set)
{
    const struct hot_batch *batch = hot->batch;
    if (batch->npacked + PACK_GAIN > ncells * sizeof(int64_t))
        return NULL;
    *set = first_colset(hot, &shape->packed, 1, shape, cells, ncells);
    struct hot_chunk *chunk =
        *set ? small_chunk(hot, last, sizeof(*chunk) + sizeof(int64_t) + batch->npacked) : NULL;
    if (chunk)
        memcpy((uint8_t *)(chunk + 1) + sizeof(int64_t), batch->packed, batch->npacked);
    return chunk;
}

static int new_chunk(struct tsfs_hot *hot, struct hot_chunk *last, struct hot_shape *shape,
                     const struct tsfs_cell *cells, unsigned ncells, struct hot_chunk **out, bool *written)
{
    uint32_t cap = next_cap(last);
    size_t size = array_bytes(cap, sizeof(int64_t));
    struct hot_colset *set = NULL;
    struct hot_chunk *chunk = NULL;
    if (cap == 1 && shape && shape->numeric)
        chunk = packed_chunk(hot, last, shape, cells, ncells, &set);
    *written = chunk != NULL;
    if (!chunk) {
        for (unsigned i = 0; i < ncells; i++)
            size += array_bytes(cap, tsfs_type_width(cells[i].type));
        set = first_colset(hot, shape ? &shape->dense[31 - __builtin_clz(cap)] : NULL, cap, shape, cells,
                           ncells);
        chunk = cap < HOT_CHUNK_FAR ? small_chunk(hot, last, sizeof(*chunk) + size) : far_chunk(hot, size);
    }
    if (!set || !chunk)
        return -ENOMEM; /* what was taken stays with the generation; memory is out anyway */
    atomic_store_explicit(&chunk->next, NULL, memory_order_relaxed);
    if (last)
        *((struct hot_chunk **)chunk - 1) = last;
    atomic_store_explicit(&chunk->cols, set, memory_order_relaxed);
    chunk->start = last ? last->start + last->cap : 0;
    chunk->cap = (uint16_t)cap;
    *out = chunk;
    return 0;
}

int hot_lane_room(struct tsfs_hot *hot, struct hot_lane *lane, struct hot_shape *shape,
                  const struct tsfs_cell *cells, unsigned ncells, bool *written)
{
    struct hot_chunk *tail = atomic_load_explicit(&lane->tail, memory_order_relaxed), *next;
    *written = false;
    if (tail && lane->staged - tail->start < tail->cap)
        return 0;
    /* a batch that was undone may have left one, empty */
    next = atomic_load_explicit(tail ? &tail->next : &lane->head, memory_order_relaxed);
    if (!next) {
        int rc = new_chunk(hot, tail, shape, cells, ncells, &next, written);
        if (rc)
            return rc;
        atomic_store_explicit(tail ? &tail->next : &lane->head, next, memory_order_release);
    }
    atomic_store_explicit(&lane->tail, next, memory_order_release);
    return 0;
}

static uint64_t bits_below(unsigned n) /* n in [0, 64] */
{
    return n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0);
}

static void clear_bits(_Atomic uint64_t *bits, uint32_t from, uint32_t to)
{
    for (uint32_t w = from / 64; w * 64 < to; w++) {
        uint64_t keep = w == from / 64 ? bits_below(from % 64) : 0;
        if (to - w * 64 < 64)
            keep |= ~bits_below(to - w * 64);
        uint64_t old = atomic_load_explicit(&bits[w], memory_order_relaxed);
        atomic_store_explicit(&bits[w], old & keep, memory_order_relaxed);
    }
}

/* A bitmap with the first `ones` bits set; rows before it were all there. */
static int add_bitmap(struct tsfs_hot *hot, struct hot_col *col, uint32_t cap, uint32_t ones)
{
    uint32_t words = (cap + 63) / 64;
    _Atomic uint64_t *bits = slab_bump_alloc(&hot->bump, words * sizeof(*bits), 16);
    if (!bits)
        return -ENOMEM;
    for (uint32_t w = 0; w < words; w++) {
        uint32_t left = ones > w * 64 ? ones - w * 64 : 0;
        atomic_store_explicit(&bits[w], bits_below(left < 64 ? left : 64), memory_order_relaxed);
    }
    atomic_store_explicit(&col->valid, bits, memory_order_release);
    return 0;
}

static int add_col(struct tsfs_hot *hot, struct hot_chunk *chunk, uint16_t slot, uint8_t type,
                   uint16_t *place)
{
    struct hot_colset *set = atomic_load_explicit(&chunk->cols, memory_order_relaxed);
    uint16_t n = atomic_load_explicit(&set->n, memory_order_relaxed);
    void *data = slab_bump_alloc(&hot->bump, array_bytes(chunk->cap, tsfs_type_width(type)), 16);
    if (!data)
        return -ENOMEM;
    if (n == set->cap) {
        struct hot_colset *grown =
            new_colset(hot, set->cap * 2u < TSFS_COLUMNS_MAX ? set->cap * 2u : TSFS_COLUMNS_MAX);
        if (!grown)
            return -ENOMEM;
        for (unsigned i = 0; i < n; i++) {
            const struct hot_col *old = &set->cols[i];
            init_col(&grown->cols[i], old->slot, old->type, old->at);
            atomic_store_explicit(&grown->cols[i].valid,
                                  atomic_load_explicit(&old->valid, memory_order_relaxed),
                                  memory_order_relaxed);
            atomic_store_explicit(&grown->cols[i].next,
                                  atomic_load_explicit(&old->next, memory_order_relaxed),
                                  memory_order_relaxed);
        }
        atomic_store_explicit(&grown->n, n, memory_order_relaxed);
        grown->cells = set->cells;
        grown->shape = set->shape;
        set = grown;
        /* Who still reads the old one sees no row after this change, and all bitmaps of rows before it. */
        atomic_store_explicit(&chunk->cols, set, memory_order_release);
    }
    init_col(&set->cols[n], slot, type, (intptr_t)((uintptr_t)data - (uintptr_t)hot_chunk_time(chunk)));
    atomic_store_explicit(&set->n, (uint16_t)(n + 1), memory_order_release);
    *place = n;
    return 0;
}

/* Gives a chunk a set of columns of its own. */
static int own_columns(struct tsfs_hot *hot, struct hot_chunk *chunk, uint32_t rows)
{
    const struct hot_colset *shared = atomic_load_explicit(&chunk->cols, memory_order_relaxed);
    uint16_t n = atomic_load_explicit(&shared->n, memory_order_relaxed);
    struct hot_colset *set = new_colset(hot, n < 2 ? 2 : n);
    uint64_t *unpacked = shared->packed ? slab_bump_alloc(&hot->bump, n * sizeof(*unpacked), 8) : NULL;
    size_t at = 0;
    if (!set || (shared->packed && !unpacked))
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        init_col(&set->cols[i], shared->cols[i].slot, shared->cols[i].type, shared->cols[i].at);
        if (unpacked) {
            unpacked[i] = hot_packed_next(hot_packed(chunk), n, i, shared->cols[i].type, &at);
            set->cols[i].at = (intptr_t)((uintptr_t)&unpacked[i] - (uintptr_t)hot_chunk_time(chunk));
        }
        atomic_store_explicit(&set->cols[i].next, (uint16_t)rows, memory_order_relaxed);
    }
    atomic_store_explicit(&set->n, n, memory_order_relaxed);
    set->cells = rows * n;
    set->shape = shared->shape;
    /* Who still reads the shared one sees none but rows that have all of its columns. */
    atomic_store_explicit(&chunk->cols, set, memory_order_release);
    return 0;
}

int hot_chunk_prepare(struct tsfs_hot *hot, struct hot_chunk *chunk, uint32_t rows, uint32_t row,
                      const struct tsfs_cell *cells, unsigned ncells, uint16_t *places)
{
    unsigned at = 0; /* cells mostly come in the order of the columns */
    if (atomic_load_explicit(&chunk->cols, memory_order_relaxed)->shared) {
        int rc = own_columns(hot, chunk, rows);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < ncells; i++) {
        struct hot_colset *set = atomic_load_explicit(&chunk->cols, memory_order_relaxed);
        unsigned n = atomic_load_explicit(&set->n, memory_order_relaxed), tried = 0;
        for (; tried < n; tried++) {
            at = at < n ? at : 0;
            if (set->cols[at].slot == cells[i].slot)
                break;
            at++;
        }
        if (tried == n) {
            int rc = add_col(hot, chunk, cells[i].slot, cells[i].type, &places[i]);
            if (rc)
                return rc;
            set = atomic_load_explicit(&chunk->cols, memory_order_relaxed);
        } else {
            places[i] = (uint16_t)at++;
        }
        struct hot_col *col = &set->cols[places[i]];
        uint32_t next = atomic_load_explicit(&col->next, memory_order_relaxed);
        if (col->type != cells[i].type)
            return -EINVAL;
        if (next < row && !atomic_load_explicit(&col->valid, memory_order_relaxed)) {
            int rc = add_bitmap(hot, col, chunk->cap, next);
            if (rc)
                return rc;
        }
    }
    return 0;
}

void hot_col_mark(struct hot_col *col, uint32_t row)
{
    _Atomic uint64_t *bits = atomic_load_explicit(&col->valid, memory_order_relaxed);
    uint32_t next = atomic_load_explicit(&col->next, memory_order_relaxed);
    if (bits) {
        if (next < row)
            clear_bits(bits, next, row);
        uint64_t old = atomic_load_explicit(&bits[row / 64], memory_order_relaxed);
        atomic_store_explicit(&bits[row / 64], old | UINT64_C(1) << row % 64, memory_order_relaxed);
    }
    if (next <= row)
        atomic_store_explicit(&col->next, (uint16_t)(row + 1), memory_order_release);
}

void hot_lane_cut(struct hot_lane *lane, struct hot_chunk *tail, uint32_t rows)
{
    struct hot_chunk *chunk = tail ? tail : atomic_load_explicit(&lane->head, memory_order_relaxed);
    for (; chunk; chunk = atomic_load_explicit(&chunk->next, memory_order_relaxed)) {
        struct hot_colset *set = atomic_load_explicit(&chunk->cols, memory_order_relaxed);
        uint32_t keep = rows > chunk->start ? rows - chunk->start : 0;
        for (unsigned i = 0, n = atomic_load_explicit(&set->n, memory_order_relaxed); i < n && !set->shared;
             i++)
            if (atomic_load_explicit(&set->cols[i].next, memory_order_relaxed) > keep)
                atomic_store_explicit(&set->cols[i].next, (uint16_t)keep, memory_order_relaxed);
        if (keep == 0 && !set->shared)
            set->cells = 0;
    }
    atomic_store_explicit(&lane->tail, tail, memory_order_release);
    lane->staged = rows;
}
