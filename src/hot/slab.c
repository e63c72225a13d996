#include "hot/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hot/reserve.h"

#define STORE_UNITS_MAX (UINT64_C(1) << 32)
#define TABLE_FIRST     16u
#define RETIRE_EVERY    64u        /* additions between two tries to free what was outgrown */
#define READY_FROM      (1u << 17) /* slots: tables after one of so many are made ready before they are needed */
#define BLOCK_MAX       RESERVE_BLOCK
#define BLOCK_MAPPED    (size_t)(2u << 20) /* from here on blocks come from mmap, for huge pages */

void *slab_pages_alloc(size_t size, bool zeroed)
{
    if (size < BLOCK_MAPPED)
        return zeroed ? calloc(1, size) : malloc(size);
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    madvise(pages, size, MADV_HUGEPAGE); /* a wish: without huge pages it works as well */
    return pages;
}

void slab_pages_free(void *pages, size_t size)
{
    if (size < BLOCK_MAPPED)
        free(pages);
    else if (pages)
        munmap(pages, size);
}

void slab_pages_ahead(void *pages, size_t size, size_t to)
{
    size_t end = (to / SLAB_AHEAD + 2) * SLAB_AHEAD;
    if (end > size)
        end = size;
    if (to < end)
        reserve_touch((char *)pages + to, end - to); /* what was touched before costs next to nothing */
}

uint32_t slab_store_alloc(struct slab_store *store, size_t size)
{
    uint64_t units = (size + 7) / 8;
    if (store->next == 0)
        store->next = 1; /* 0 means none */
    for (;;) {
        uint32_t offset;
        if (units == 0 || units > (1u << STORE_FIRST_BITS) - 1 || store->next + units > STORE_UNITS_MAX)
            return 0;
        unsigned k = slab_block((uint32_t)store->next, STORE_FIRST_BITS, &offset);
        if (k >= STORE_BLOCKS)
            return 0;
        uint64_t room = (UINT64_C(1) << (STORE_FIRST_BITS + k)) - offset;
        if (units > room) { /* items do not span blocks */
            store->next += room;
            continue;
        }
        if (!atomic_load_explicit(&store->blocks[k], memory_order_relaxed)) {
            char *block = slab_pages_alloc((size_t)8 << (STORE_FIRST_BITS + k),
                                           false); /* untouched ones cost nothing */
            if (!block)
                return 0;
            atomic_store_explicit(&store->blocks[k], block, memory_order_release);
        }
        slab_pages_fill(atomic_load_explicit(&store->blocks[k], memory_order_relaxed),
                        (size_t)8 << (STORE_FIRST_BITS + k), (size_t)offset * 8, (offset + units) * 8);
        uint32_t ref = (uint32_t)store->next;
        store->next += units;
        atomic_store_explicit(&store->bytes, store->next * 8, memory_order_relaxed);
        return ref;
    }
}

void slab_store_free(struct slab_store *store)
{
    for (unsigned k = 0; k < STORE_BLOCKS; k++)
        slab_pages_free(atomic_load(&store->blocks[k]), (size_t)8 << (STORE_FIRST_BITS + k));
}

static void place(struct slab_table *table, uint64_t slot)
{
    uint32_t at = (uint32_t)(slot >> 32) & table->mask;
    while (atomic_load_explicit(&table->slots[at], memory_order_relaxed))
        at = (at + 1) & table->mask;
    atomic_store_explicit(&table->slots[at], slot, memory_order_release);
}

static size_t table_size(const struct slab_table *table)
{
    return sizeof(*table) + ((size_t)table->mask + 1) * sizeof(table->slots[0]);
}

/* Frees the tables before this one if nobody can be reading them: who raises the count from now on finds the
 * new table, as this exchange with the count comes after its publication. */
static void retire(struct slab_index *index, struct slab_table *table)
{
    if (index->readers && atomic_fetch_add_explicit(index->readers, 0, memory_order_seq_cst) != 0)
        return;
    while (table->retired) {
        struct slab_table *old = table->retired;
        table->retired = old->retired;
        atomic_fetch_sub_explicit(&index->bytes, table_size(old), memory_order_relaxed);
        slab_pages_free(old, table_size(old));
    }
}

/* Of twice the size. */
static struct slab_table *new_table(struct slab_index *index, const struct slab_table *old)
{
    if (old && old->mask >= UINT32_MAX / 2)
        return NULL;
    size_t n = old ? ((size_t)old->mask + 1) * 2 : TABLE_FIRST;
    struct slab_table *table = slab_pages_alloc(sizeof(*table) + n * sizeof(table->slots[0]), true);
    if (!table)
        return NULL;
    table->mask = (uint32_t)(n - 1);
    table->retired = NULL;
    atomic_fetch_add_explicit(&index->bytes, table_size(table), memory_order_relaxed);
    return table;
}

/* Shortly before a large table is full: the next one's memory is touched meanwhile. */
static void get_ready(struct slab_index *index, const struct slab_table *table)
{
    index->next = new_table(index, table);
    if (index->next)
        reserve_touch(index->next, table_size(index->next));
}

static int grow(struct slab_index *index, struct slab_table *old)
{
    struct slab_table *table = index->next ? index->next : new_table(index, old);
    if (!table)
        return -ENOMEM;
    index->next = NULL;
    table->retired = old;
    for (size_t i = 0; old && i <= old->mask; i++) {
        uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (slot)
            place(table, slot);
    }
    atomic_store_explicit(&index->table, table, memory_order_release);
    retire(index, table);
    return 0;
}

int slab_index_add(struct slab_index *index, uint64_t hash, uint32_t number)
{
    struct slab_table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    if (!table || ((uint64_t)index->used + 1) * 4 > ((uint64_t)table->mask + 1) * 3) {
        int rc = grow(index, table);
        if (rc)
            return rc;
        table = atomic_load_explicit(&index->table, memory_order_relaxed);
    } else if (index->used % RETIRE_EVERY == 0) {
        if (table->retired)
            retire(index, table);
        if (!index->next && table->mask >= READY_FROM && index->used > table->mask / 32 * 23)
            get_ready(index, table);
    }
    place(table, hash >> 32 << 32 | ((uint64_t)number + 1));
    index->used++;
    return 0;
}

void slab_index_free(struct slab_index *index)
{
    struct slab_table *table = atomic_load(&index->table);
    while (table) {
        struct slab_table *retired = table->retired;
        slab_pages_free(table, table_size(table));
        table = retired;
    }
    if (index->next)
        slab_pages_free(index->next, table_size(index->next));
    index->next = NULL;
    atomic_store(&index->table, NULL);
}

int slab_map_set(struct slab_map *map, uint32_t key, uint32_t number)
{
    uint32_t offset;
    unsigned k = slab_block(key >> MAP_PAGE_BITS, MAP_FIRST_BITS, &offset);
    _Atomic(struct slab_map_page *) *block = atomic_load_explicit(&map->blocks[k], memory_order_relaxed);
    if (!block) {
        block = slab_pages_alloc(sizeof(*block) << (MAP_FIRST_BITS + k), true);
        if (!block)
            return -ENOMEM;
        map->bytes += sizeof(*block) << (MAP_FIRST_BITS + k);
        atomic_store_explicit(&map->blocks[k], block, memory_order_release);
    }
    struct slab_map_page *page = atomic_load_explicit(&block[offset], memory_order_relaxed);
    if (!page) {
        page = calloc(1, sizeof(*page));
        if (!page)
            return -ENOMEM;
        map->bytes += sizeof(*page);
        atomic_store_explicit(&block[offset], page, memory_order_release);
    }
    atomic_store_explicit(&page->numbers[key & ((1u << MAP_PAGE_BITS) - 1)], number + 1,
                          memory_order_release);
    return 0;
}

void slab_map_free(struct slab_map *map)
{
    for (unsigned k = 0; k < MAP_BLOCKS; k++) {
        _Atomic(struct slab_map_page *) *block = atomic_load(&map->blocks[k]);
        for (uint32_t i = 0; block && i < 1u << (MAP_FIRST_BITS + k); i++)
            free(atomic_load_explicit(&block[i], memory_order_relaxed));
        slab_pages_free(block, sizeof(*block) << (MAP_FIRST_BITS + k));
    }
}

struct slab_block_head {
    struct slab_block_head *next;
    size_t size;
    char pad[64 - 2 * sizeof(size_t)];
};

void slab_budget_add(struct tsfs_budget *budget, size_t n)
{
    for (; budget; budget = budget->parent)
        atomic_fetch_add_explicit(&budget->used, n, memory_order_relaxed);
}

static int add_block(struct slab_bump *bump, size_t need)
{
    size_t size = bump->head ? bump->head->size * 2 : bump->first;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    while (size < need + sizeof(struct slab_block_head) + 64)
        size *= 2;
    struct slab_block_head *block = size == RESERVE_BLOCK ? reserve_take() : NULL;
    if (!block)
        block = slab_pages_alloc(size, false);
    if (!block)
        return -ENOMEM;
    *block = (struct slab_block_head){.next = bump->head, .size = size};
    bump->head = block;
    bump->used = sizeof(*block);
    atomic_fetch_add_explicit(&bump->bytes, size, memory_order_relaxed);
    slab_budget_add(bump->budget, size);
    return 0;
}

void *slab_bump_alloc(struct slab_bump *bump, size_t size, size_t align)
{
    size_t at = (bump->used + align - 1) & ~(align - 1);
    if (!bump->head || size > bump->head->size || at > bump->head->size - size) {
        if (size > SIZE_MAX / 4 || add_block(bump, size) != 0)
            return NULL;
        at = (bump->used + align - 1) & ~(align - 1);
    }
    bump->used = at + size;
    if (bump->head->size > RESERVE_BLOCK) /* made for a large array: others follow it */
        slab_pages_fill(bump->head, bump->head->size, at, bump->used);
    return (char *)bump->head + at;
}

static void drop_block(struct slab_bump *bump)
{
    struct slab_block_head *block = bump->head;
    bump->head = block->next;
    atomic_fetch_sub_explicit(&bump->bytes, block->size, memory_order_relaxed);
    if (bump->budget)
        tsfs_budget_release(bump->budget, block->size);
    if (block->size != RESERVE_BLOCK || !reserve_give(block))
        slab_pages_free(block, block->size);
}

struct slab_mark slab_bump_mark(const struct slab_bump *bump)
{
    return (struct slab_mark){bump->head, bump->used};
}

void slab_bump_rollback(struct slab_bump *bump, struct slab_mark mark)
{
    while (bump->head != mark.head)
        drop_block(bump);
    bump->used = mark.used;
}

void slab_bump_free(struct slab_bump *bump)
{
    while (bump->head)
        drop_block(bump);
}
