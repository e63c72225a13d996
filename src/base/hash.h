/* Hashing (XXH3-64) and an index from hashes to dense numbers. */
#ifndef TSFS_BASE_HASH_H
#define TSFS_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

uint64_t tsfs_hash(const void *data, size_t len);
/* XXH64 with seed 0: a hash that others can compute too. */
uint64_t tsfs_hash_xxh64(const void *data, size_t len);

/* Open addressing from a 64-bit hash to a 32-bit number chosen by the caller, who keeps the keys in
 * an array of his own and compares them.  No deletion.  Zero-initialise before use. */
struct tsfs_hash_index {
    struct tsfs_hash_slot *slots;
    uint32_t mask; /* slots - 1 */
    uint32_t used;
};

#define TSFS_HASH_NONE UINT32_MAX

/* The number stored under hash for which equal(ctx, number) holds, or TSFS_HASH_NONE. */
uint32_t tsfs_hash_index_find(const struct tsfs_hash_index *index, uint64_t hash,
                              bool (*equal)(const void *ctx, uint32_t number), const void *ctx);

/* Adds number under hash (the caller knows that no equal key is there).  0 or -ENOMEM. */
TSFS_MUST_CHECK int tsfs_hash_index_add(struct tsfs_hash_index *index, uint64_t hash, uint32_t number);

size_t tsfs_hash_index_bytes(const struct tsfs_hash_index *index);
void tsfs_hash_index_free(struct tsfs_hash_index *index);

#endif
