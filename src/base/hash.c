#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 16u
#define MOST_SLOTS  (UINT32_C(1) << 31)

/* The whole hash is kept, so that equal is called for true matches almost alone; its low bits pick the
 * slot.  Linear probing, at most three quarters full. */
struct tsfs_hash_slot {
    uint64_t hash;
    uint32_t number; /* TSFS_HASH_NONE = free */
};

uint64_t tsfs_hash(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}

uint64_t tsfs_hash_xxh64(const void *data, size_t len)
{
    return XXH64(data, len, 0);
}

uint32_t tsfs_hash_index_find(const struct tsfs_hash_index *index, uint64_t hash,
                              bool (*equal)(const void *ctx, uint32_t number), const void *ctx)
{
    if (index->slots == NULL)
        return TSFS_HASH_NONE;
    for (uint32_t i = (uint32_t)hash & index->mask;; i = (i + 1) & index->mask) {
        const struct tsfs_hash_slot *slot = &index->slots[i];
        if (slot->number == TSFS_HASH_NONE)
            return TSFS_HASH_NONE;
        if (slot->hash == hash && equal(ctx, slot->number))
            return slot->number;
    }
}

static void place(struct tsfs_hash_slot *slots, uint32_t mask, uint64_t hash, uint32_t number)
{
    uint32_t i = (uint32_t)hash & mask;
    while (slots[i].number != TSFS_HASH_NONE)
        i = (i + 1) & mask;
    slots[i] = (struct tsfs_hash_slot){hash, number};
}

static int grow(struct tsfs_hash_index *index)
{
    uint32_t old = index->slots == NULL ? 0 : index->mask + 1;
    if (old >= MOST_SLOTS)
        return -ENOMEM;
    uint32_t n = old == 0 ? FIRST_SLOTS : old * 2;
    struct tsfs_hash_slot *slots = malloc((size_t)n * sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        slots[i] = (struct tsfs_hash_slot){0, TSFS_HASH_NONE};
    for (uint32_t i = 0; i < old; i++)
        if (index->slots[i].number != TSFS_HASH_NONE)
            place(slots, n - 1, index->slots[i].hash, index->slots[i].number);
    free(index->slots);
    index->slots = slots;
    index->mask = n - 1;
    return 0;
}

int tsfs_hash_index_add(struct tsfs_hash_index *index, uint64_t hash, uint32_t number)
{
    size_t slots = index->slots == NULL ? 0 : (size_t)index->mask + 1;
    if (((size_t)index->used + 1) * 4 > slots * 3) {
        int rc = grow(index);
        if (rc != 0)
            return rc;
    }
    place(index->slots, index->mask, hash, number);
    index->used++;
    return 0;
}

size_t tsfs_hash_index_bytes(const struct tsfs_hash_index *index)
{
    return index->slots == NULL ? 0 : ((size_t)index->mask + 1) * sizeof(struct tsfs_hash_slot);
}

void tsfs_hash_index_free(struct tsfs_hash_index *index)
{
    if (index == NULL)
        return;
    free(index->slots);
    *index = (struct tsfs_hash_index){0};
}
