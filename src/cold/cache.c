/* Decoded pages that queries share.
 *
 * A page costs far more to decode (read, checksum, zstd, deltas) than to use, and dashboards ask for the same
 * pages again and again.  So a page that a query has decoded stays, up to a limit over all segments of the
 * process, and whoever wants it next gets the very same vectors: pages are immutable and counted.
 *
 * Pages are found by (segment, column, number).  A segment's number is never used again, so a page can at
 * worst be useless, never wrong; unloading a segment forgets its pages, because strings of a page may lie in
 * a dictionary that the segment owns.  The table is cut into shards by hash, each with its own lock, list and
 * share of the limit.  New pages go to the front of the list; pages to give up are taken from its end, but
 * one that was used since it came there gets another round.  A scan larger than the limit thus pushes out
 * what nobody asked for twice before what somebody did.
 *
 * Decoded parts of the segments' indexes belong to the segments (index_read.c), but they are memory all the
 * same: what they take, up to a quarter of the limit, is not there for pages.  Over that quarter a segment
 * drops its own as soon as nobody reads it.
 *
 * The numbers of pages lie in slabs (slab.c).  What slabs have that no page takes counts, too.
 *
 * A page that is given up while a cursor holds it lives on until the cursor lets go; it no longer counts
 * against the limit then, but a cursor holds only the pages of one series. */
#include <stdlib.h>
#include <unistd.h>

#include "cold/cache.h"

#define SHARDS        16u
#define BUCKETS_FIRST 64u

struct shard {
    pthread_mutex_t lock;
    struct cold_page **buckets; /* NULL while nothing is held */
    uint32_t nbuckets, n;
    size_t bytes;
    struct cold_page *newest, *oldest;
};

static struct shard shards[SHARDS] = {
#define SHARD                                                                                                \
    {                                                                                                        \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                                    \
    }
    SHARD, SHARD, SHARD, SHARD, SHARD, SHARD, SHARD, SHARD,
    SHARD, SHARD, SHARD, SHARD, SHARD, SHARD, SHARD, SHARD,
#undef SHARD
};
static _Atomic size_t limit = SIZE_MAX; /* SIZE_MAX = not said yet */
static _Atomic uint64_t hits, misses;
static _Atomic size_t index_bytes; /* decoded, of all segments */

#define IDLE_FREE   ((size_t)8 << 20) /* of slabs, not counted: what slabs have open is no waste yet */
#define INDEX_SHARE 4                 /* of the limit that indexes may take, the inverse */

static size_t limit_now(void)
{
    size_t have = atomic_load_explicit(&limit, memory_order_relaxed);
    if (have != SIZE_MAX)
        return have;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    size_t eighth = pages > 0 && size > 0 ? (size_t)pages * (size_t)size / 8 : TSFS_PAGE_CACHE_GUESS;
    atomic_compare_exchange_strong(&limit, &have, eighth);
    return atomic_load(&limit);
}

/* What pages may take in one shard. */
static size_t shard_most(void)
{
    size_t all = limit_now(), index = atomic_load_explicit(&index_bytes, memory_order_relaxed), held, idle;
    all -= index < all / INDEX_SHARE ? index : all / INDEX_SHARE;
    slab_facts(&held, &idle);
    idle = idle > IDLE_FREE ? idle - IDLE_FREE : 0;
    return (all - (idle < all / 2 ? idle : all / 2)) / SHARDS;
}

void cold_cache_index_add(size_t bytes)
{
    atomic_fetch_add_explicit(&index_bytes, bytes, memory_order_relaxed);
}

void cold_cache_index_remove(size_t bytes)
{
    atomic_fetch_sub_explicit(&index_bytes, bytes, memory_order_relaxed);
}

bool cold_cache_index_full(void)
{
    return atomic_load_explicit(&index_bytes, memory_order_relaxed) > limit_now() / INDEX_SHARE;
}

static uint64_t hash_of(uint64_t segment, uint32_t column, uint64_t number)
{
    uint64_t h = segment * UINT64_C(0x9e3779b97f4a7c15) + column;
    h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + number;
    h = (h ^ h >> 32) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 29;
}

static struct shard *shard_of(uint64_t hash)
{
    return &shards[hash >> 60];
}

void cold_page_release(struct cold_page *page)
{
    if (!page || atomic_fetch_sub_explicit(&page->refs, 1, memory_order_acq_rel) != 1)
        return;
    slab_free(&page->block);
    tsfs_arena_free(&page->arena);
    free(page);
}

struct cold_page *cold_page_create(void)
{
    struct cold_page *page = calloc(1, sizeof(*page));
    if (page) {
        atomic_init(&page->refs, 1);
        tsfs_arena_init(&page->arena, NULL);
    }
    return page;
}

/* ---- one shard, under its lock ---- */

static struct cold_page *find(const struct shard *s, uint64_t hash, uint64_t segment, uint32_t column,
                              uint64_t number)
{
    struct cold_page *p = s->nbuckets ? s->buckets[hash & (s->nbuckets - 1)] : NULL;
    while (p && !(p->segment == segment && p->column == column && p->number == number))
        p = p->chain;
    return p;
}

static void list_front(struct shard *s, struct cold_page *p)
{
    p->newer = NULL;
    p->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = p;
    s->newest = p;
}

static void list_remove(struct shard *s, struct cold_page *p)
{
    *(p->newer ? &p->newer->older : &s->newest) = p->older;
    *(p->older ? &p->older->newer : &s->oldest) = p->newer;
}

/* Out of table and list; the cache's count goes to the caller. */
static void take_out(struct shard *s, struct cold_page *p)
{
    struct cold_page **at = &s->buckets[p->hash & (s->nbuckets - 1)];
    while (*at != p)
        at = &(*at)->chain;
    *at = p->chain;
    list_remove(s, p);
    s->n--;
    s->bytes -= p->bytes;
}

/* Gives up pages until the shard holds no more than most bytes. */
static void shrink(struct shard *s, size_t most)
{
    while (s->bytes > most) {
        struct cold_page *p = s->oldest;
        if (p->used) {
            p->used = false;
            list_remove(s, p);
            list_front(s, p);
            continue;
        }
        take_out(s, p);
        cold_page_release(p);
    }
}

static bool grow(struct shard *s)
{
    uint32_t nbuckets = s->nbuckets ? 2 * s->nbuckets : BUCKETS_FIRST;
    struct cold_page **buckets = nbuckets ? calloc(nbuckets, sizeof(*buckets)) : NULL;
    if (!buckets)
        return s->nbuckets > 0;
    for (struct cold_page *p = s->newest; p; p = p->older) {
        p->chain = buckets[p->hash & (nbuckets - 1)];
        buckets[p->hash & (nbuckets - 1)] = p;
    }
    free(s->buckets);
    s->buckets = buckets;
    s->nbuckets = nbuckets;
    return true;
}

/* ---- all ---- */

struct cold_page *cold_cache_find(uint64_t segment, uint32_t column, uint64_t number)
{
    uint64_t hash = hash_of(segment, column, number);
    struct shard *s = shard_of(hash);
    pthread_mutex_lock(&s->lock);
    struct cold_page *p = find(s, hash, segment, column, number);
    if (p) {
        p->used = true;
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add_explicit(p ? &hits : &misses, 1, memory_order_relaxed);
    return p;
}

struct cold_page *cold_cache_add(uint64_t segment, uint32_t column, uint64_t number, struct cold_page *page)
{
    uint64_t hash = hash_of(segment, column, number);
    struct shard *s = shard_of(hash);
    size_t most = shard_most();
    page->segment = segment;
    page->column = column;
    page->number = number;
    page->hash = hash;
    page->bytes = sizeof(*page) + page->block.size + page->arena.used;
    if (page->bytes > most / 2) /* it would push out everything else */
        return page;
    pthread_mutex_lock(&s->lock);
    struct cold_page *have = find(s, hash, segment, column, number);
    if (have) { /* someone else decoded it meanwhile */
        atomic_fetch_add_explicit(&have->refs, 1, memory_order_relaxed);
    } else if (s->n < s->nbuckets || grow(s)) {
        shrink(s, most - page->bytes);
        page->chain = s->buckets[hash & (s->nbuckets - 1)];
        s->buckets[hash & (s->nbuckets - 1)] = page;
        list_front(s, page);
        s->n++;
        s->bytes += page->bytes;
        atomic_fetch_add_explicit(&page->refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&s->lock);
    if (have)
        cold_page_release(page);
    return have ? have : page;
}

void cold_cache_forget(uint64_t segment)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &shards[i];
        pthread_mutex_lock(&s->lock);
        for (struct cold_page *p = s->newest, *older; p; p = older) {
            older = p->older;
            if (p->segment == segment) {
                take_out(s, p);
                cold_page_release(p);
            }
        }
        pthread_mutex_unlock(&s->lock);
    }
}

void tsfs_cold_cache_limit(size_t bytes)
{
    atomic_store(&limit, bytes == SIZE_MAX ? SIZE_MAX - 1 : bytes);
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &shards[i];
        pthread_mutex_lock(&s->lock);
        shrink(s, bytes / SHARDS);
        if (s->n == 0) {
            free(s->buckets);
            s->buckets = NULL;
            s->nbuckets = 0;
        }
        pthread_mutex_unlock(&s->lock);
    }
}

void tsfs_cold_cache_facts(struct tsfs_cold_cache_facts *out)
{
    *out = (struct tsfs_cold_cache_facts){.limit = limit_now(),
                                          .index = atomic_load(&index_bytes),
                                          .hits = atomic_load(&hits),
                                          .misses = atomic_load(&misses)};
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &shards[i];
        pthread_mutex_lock(&s->lock);
        out->bytes += s->bytes;
        out->pages += s->n;
        pthread_mutex_unlock(&s->lock);
    }
}
