/* Shapes: the lists of measures that rows name, in the rows' order.  Rows of one source look alike, so each
 * list is kept once, and a row of a known shape is copied without looking at names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "hot/hot_priv.h"

static uint32_t cell_key(const struct tsfs_cell *cell)
{
    return cell->slot | (uint32_t)cell->type << 16;
}

bool hot_shape_matches(const struct hot_shape *shape, const struct tsfs_cell *cells, unsigned n)
{
    if (shape->n != n)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (shape->keys[i] != cell_key(&cells[i]))
            return false;
    return true;
}

/* Keeps the last of the cells with the same slot, in the place of the first. */
static int distinct(struct hot_batch *batch, const struct tsfs_cell **cells, unsigned *ncells)
{
    uint64_t seen[TSFS_COLUMNS_MAX / 64];
    uint16_t place[TSFS_COLUMNS_MAX];
    unsigned n = 0, i;
    memset(seen, 0, sizeof(seen));
    for (i = 0; i < *ncells; i++) {
        uint16_t slot = (*cells)[i].slot;
        if (slot >= TSFS_COLUMNS_MAX)
            return -EINVAL;
        n += seen[slot / 64] >> slot % 64 & 1;
        seen[slot / 64] |= UINT64_C(1) << slot % 64;
    }
    if (n == 0)
        return 0;
    int rc = hot_batch_cells(batch, *ncells);
    if (rc)
        return rc;
    memset(seen, 0, sizeof(seen));
    for (i = n = 0; i < *ncells; i++) {
        uint16_t slot = (*cells)[i].slot;
        if (!(seen[slot / 64] >> slot % 64 & 1))
            place[slot] = (uint16_t)n++;
        seen[slot / 64] |= UINT64_C(1) << slot % 64;
        batch->cells[place[slot]] = (*cells)[i];
    }
    *cells = batch->cells;
    *ncells = n;
    return 0;
}

static int remember(struct tsfs_hot *hot, uint64_t hash, const struct tsfs_cell *cells, unsigned n,
                    struct hot_shape **out)
{
    if (TSFS_ARRAY_ROOM(hot->shapes, hot->nshapes, hot->shapes_cap, 8) != 0)
        return -ENOMEM;
    struct hot_shape *shape = slab_bump_alloc(&hot->bump, sizeof(*shape) + n * sizeof(shape->keys[0]), 16);
    if (!shape)
        return -ENOMEM;
    shape->log_number = HOT_NONE;
    shape->index = hot->nshapes;
    shape->n = (uint16_t)n;
    shape->numeric = true;
    memset(shape->dense, 0, sizeof(shape->dense));
    shape->packed = NULL;
    for (unsigned i = 0; i < n; i++) {
        shape->keys[i] = cell_key(&cells[i]);
        if (cells[i].type != TSFS_BIGINT && cells[i].type != TSFS_DOUBLE)
            shape->numeric = false;
    }
    int rc = slab_index_add(&hot->shape_index, hash, hot->nshapes);
    if (rc)
        return rc;
    hot->shapes[hot->nshapes++] = shape;
    hot->shape_cells += n;
    *out = shape;
    return 0;
}

static uint64_t shape_hash(const struct tsfs_cell *cells, unsigned n)
{
    uint64_t hash = n;
    for (unsigned i = 0; i < n; i++) {
        hash = (hash ^ cell_key(&cells[i])) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash * UINT64_C(0xbf58476d1ce4e5b9);
}

static struct hot_shape *remembered(const struct tsfs_hot *hot, uint64_t hash, const struct tsfs_cell *cells,
                                    unsigned n)
{
    uint32_t number;
    for (struct slab_probe p = slab_probe_begin(&hot->shape_index, hash); slab_probe_next(&p, &number);)
        if (hot_shape_matches(hot->shapes[number], cells, n))
            return hot->shapes[number];
    return NULL;
}

int hot_shape_find(struct tsfs_hot *hot, const struct tsfs_cell **cells, unsigned *ncells,
                   struct hot_shape **shape)
{
    unsigned given = *ncells;
    uint64_t hash = shape_hash(*cells, given);
    *shape =
        remembered(hot, hash, *cells, given); /* which names no measure twice, and types that there are */
    if (*shape)
        return 0;
    for (unsigned i = 0; i < given; i++) {
        enum tsfs_type type = (*cells)[i].type;
        if (type != TSFS_BOOLEAN && type != TSFS_BIGINT && type != TSFS_DOUBLE && type != TSFS_VARCHAR)
            return -EINVAL;
    }
    int rc = distinct(hot->batch, cells, ncells);
    if (rc)
        return rc;
    if (*ncells != given) {
        hash = shape_hash(*cells, *ncells);
        *shape = remembered(hot, hash, *cells, *ncells);
    }
    if (*shape || hot->nshapes >= HOT_SHAPES_MAX || hot->shape_cells + *ncells > HOT_SHAPE_CELLS_MAX)
        return 0;
    return remember(hot, hash, *cells, *ncells, shape);
}
