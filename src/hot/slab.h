/* Four structures that one thread grows while others read, without locks: nothing that was once published
 * moves or is freed before the owner goes (but for the tables that a slab_index has outgrown).
 *
 * "Geometric" arrays: item n lives in block k of FIRST << k items, so a fixed table of block pointers serves
 * any size, and small ones stay small. */
#ifndef TSFS_HOT_SLAB_H
#define TSFS_HOT_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* Where item n of a geometric array with 1 << first_bits items in its first block lies. */
static inline unsigned slab_block(uint32_t n, unsigned first_bits, uint32_t *offset)
{
    uint64_t m = (uint64_t)n + (UINT64_C(1) << first_bits);
    unsigned top = 63u - (unsigned)__builtin_clzll(m);
    *offset = (uint32_t)(m - (UINT64_C(1) << top));
    return top - first_bits;
}

/* Variable-sized items behind 32-bit references (8-byte units; 0 = none).  Up to 32 GiB. */
#define STORE_FIRST_BITS 14u /* 128 KiB: more than the largest item */
#define STORE_BLOCKS     18u

struct slab_store {
    _Atomic(char *) blocks[STORE_BLOCKS];
    uint64_t next; /* in units */
    _Atomic size_t bytes;
};

/* Room for size bytes (at most 128 KiB), 8-byte aligned; 0 = out of memory or full.  A store whose sizes are
 * all multiples of 16, begun with next = 2, has even references only. */
uint32_t slab_store_alloc(struct slab_store *store, size_t size);
void slab_store_free(struct slab_store *store);

static inline void *slab_store_at(const struct slab_store *store, uint32_t ref)
{
    uint32_t offset;
    unsigned k = slab_block(ref, STORE_FIRST_BITS, &offset);
    return atomic_load_explicit(&store->blocks[k], memory_order_acquire) + (size_t)offset * 8;
}

/* A hash table from the upper half of a hash to 32-bit numbers: probing hands out candidates, the caller
 * compares keys.  A slot is tag << 32 | number + 1; 0 is free. */
struct slab_table {
    uint32_t mask;
    struct slab_table *retired; /* the one that this replaced */
    _Atomic uint64_t slots[];
};

/* A table is replaced by one of twice the size when it is three quarters full.  The old one is freed as soon
 * as nobody can be reading it: readers is a count of those who may, beside the one who adds (NULL = there are
 * never any), raised before and lowered after. */
struct slab_index {
    _Atomic(struct slab_table *) table;
    struct slab_table *next; /* the one that will replace it, made ready; NULL = none yet */
    uint32_t used;
    _Atomic size_t bytes;
    _Atomic uint32_t *readers;
};

TSFS_MUST_CHECK int slab_index_add(struct slab_index *index, uint64_t hash, uint32_t number);
void slab_index_free(struct slab_index *index);

/* Brings the line where a probe for hash begins into the cache. */
static inline void slab_index_prefetch(const struct slab_index *index, uint64_t hash)
{
    const struct slab_table *table = atomic_load_explicit(&index->table, memory_order_acquire);
    if (table)
        __builtin_prefetch((const char *)table->slots +
                           ((uint32_t)(hash >> 32) & table->mask) * sizeof(table->slots[0]));
}

struct slab_probe {
    const struct slab_table *table;
    uint32_t tag, at;
};

static inline struct slab_probe slab_probe_begin(const struct slab_index *index, uint64_t hash)
{
    struct slab_probe p = {atomic_load_explicit(&index->table, memory_order_acquire), (uint32_t)(hash >> 32),
                           0};
    p.at = p.table ? p.tag & p.table->mask : 0;
    return p;
}

/* The next number with this tag; false when there is no other. */
static inline bool slab_probe_next(struct slab_probe *p, uint32_t *number)
{
    if (!p->table)
        return false;
    for (;;) {
        uint64_t slot = atomic_load_explicit(&p->table->slots[p->at], memory_order_acquire);
        if (slot == 0)
            return false;
        p->at = (p->at + 1) & p->table->mask;
        if ((uint32_t)(slot >> 32) == p->tag) {
            *number = (uint32_t)slot - 1;
            return true;
        }
    }
}

/* From dense numbers to numbers, most of them absent: pages of 64, geometric arrays of pages. */
#define MAP_PAGE_BITS  6u
#define MAP_FIRST_BITS 4u
#define MAP_BLOCKS     (32u - MAP_PAGE_BITS - MAP_FIRST_BITS + 1)

struct slab_map {
    _Atomic(_Atomic(struct slab_map_page *) *) blocks[MAP_BLOCKS];
    size_t bytes;
};

struct slab_map_page {
    _Atomic uint32_t numbers[1u << MAP_PAGE_BITS]; /* number + 1; 0 = absent */
};

TSFS_MUST_CHECK int slab_map_set(struct slab_map *map, uint32_t key, uint32_t number);
void slab_map_free(struct slab_map *map);

/* UINT32_MAX if it is absent. */
static inline uint32_t slab_map_get(const struct slab_map *map, uint32_t key)
{
    uint32_t offset;
    unsigned k = slab_block(key >> MAP_PAGE_BITS, MAP_FIRST_BITS, &offset);
    _Atomic(struct slab_map_page *) *block = atomic_load_explicit(&map->blocks[k], memory_order_acquire);
    struct slab_map_page *page = block ? atomic_load_explicit(&block[offset], memory_order_acquire) : NULL;
    return page ? atomic_load_explicit(&page->numbers[key & ((1u << MAP_PAGE_BITS) - 1)],
                                       memory_order_acquire) -
                      1
                : UINT32_MAX;
}

static inline void slab_map_prefetch(const struct slab_map *map, uint32_t key)
{
    uint32_t offset;
    unsigned k = slab_block(key >> MAP_PAGE_BITS, MAP_FIRST_BITS, &offset);
    _Atomic(struct slab_map_page *) *block = atomic_load_explicit(&map->blocks[k], memory_order_acquire);
    struct slab_map_page *page = block ? atomic_load_explicit(&block[offset], memory_order_acquire) : NULL;
    if (page)
        __builtin_prefetch((const char *)page->numbers +
                           (key & ((1u << MAP_PAGE_BITS) - 1)) * sizeof(page->numbers[0]));
}

/* Bump allocation in large blocks, accounted to a budget that is never asked for leave.  For one writer. */
struct slab_bump {
    struct slab_block_head *head; /* newest first */
    size_t used;                  /* in head */
    _Atomic size_t bytes;         /* held */
    size_t first;                 /* size of the first block */
    struct tsfs_budget *budget;   /* borrowed; NULL = none */
};

struct slab_mark {
    struct slab_block_head *head;
    size_t used;
};

/* 16-byte aligned (align 16) or packed (align 1); NULL when out of memory. */
void *slab_bump_alloc(struct slab_bump *bump, size_t size, size_t align);
/* Gives back what lies behind end, a place in (or at the end of) the last allocation. */
static inline void slab_bump_trim(struct slab_bump *bump, const char *end)
{
    bump->used = (size_t)(end - (const char *)bump->head);
}
/* Gives back all that was allocated since the mark was taken. */
struct slab_mark slab_bump_mark(const struct slab_bump *bump);
void slab_bump_rollback(struct slab_bump *bump, struct slab_mark mark);
void slab_bump_free(struct slab_bump *bump);

void slab_budget_add(struct tsfs_budget *budget, size_t n);

/* Memory that goes back to the system when it is freed; large blocks in huge pages where there are any. */
void *slab_pages_alloc(size_t size, bool zeroed);
/* Of an array of size bytes that is filled from its start, those from `from` to `to` are used next: what lies
 * behind is made ready, if the array is a large one. */
#define SLAB_AHEAD ((size_t)2 << 20)
void slab_pages_ahead(void *pages, size_t size, size_t to);
static inline void slab_pages_fill(void *pages, size_t size, size_t from, size_t to)
{
    if (size > SLAB_AHEAD && (from == 0 || from / SLAB_AHEAD != to / SLAB_AHEAD))
        slab_pages_ahead(pages, size, to);
}
void slab_pages_free(void *pages, size_t size); /* takes NULL */

#endif
