/* Memory for decoded pages.
 *
 * A cold query decodes hundreds of pages of some kilobytes, and all of them are kept.  From malloc such
 * memory is new memory, four kilobytes of it at a time: the heap grows by a system call for each block, and
 * each page that is written first is a fault.  That cost more than reading, checking and decoding the pages
 * together.
 *
 * So they come out of slabs of 2 MiB, aligned to that, in which the processor's large pages fit.  A slab is
 * cut into cells of 1 KiB with a bit each; a block is a run of cells, found by going on where the last one
 * was found.  Cells that are given back can be taken by any block that fits; a slab without blocks goes back
 * to the system, but for one.  Which slab is looked at first: the one that was last taken from or given back
 * to, as a full cache gives up pages just before it takes new ones of about the same size.
 *
 * The first slab is made of small pages, prepared by the kernel 64 KiB at a time: clearing a large page
 * would take longer than a small query.  The next ones ask for large pages and are prepared whole.
 *
 * Blocks of a quarter of a slab and more come from malloc, which maps such sizes by themselves. */
#include "cold/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLAB_BYTES ((size_t)2 << 20)
#define CELL       1024u
#define CELLS      ((uint32_t)(SLAB_BYTES / CELL))
#define BLOCK_MOST (SLAB_BYTES / 4)
#define FIRST_STEP ((size_t)64 << 10) /* prepared at once in the first slab */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct slab {
    char *base;
    size_t ready, step; /* bytes that the kernel was asked to prepare, and how many it is at a time */
    uint32_t free;      /* cells */
    uint32_t next;      /* cell where the search begins */
    uint32_t too_long;  /* no run has so many cells */
    uint64_t taken[CELLS / 64];
    struct slab *newer, *older;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slab *newest, *oldest; /* in the order in which they are looked at */
static struct slab *spare;           /* in the list, too: has no block */
static size_t nslabs, nfree;         /* cells */

static void list_front(struct slab *s)
{
    s->newer = NULL;
    s->older = newest;
    *(newest ? &newest->newer : &oldest) = s;
    newest = s;
}

static void list_remove(struct slab *s)
{
    *(s->newer ? &s->newer->older : &newest) = s->older;
    *(s->older ? &s->older->newer : &oldest) = s->newer;
}

static void list_to_front(struct slab *s)
{
    if (s == newest)
        return;
    list_remove(s);
    list_front(s);
}

/* The first cell from `at` on whose bit is `taken`, CELLS if there is none. */
static uint32_t find_cell(const struct slab *s, uint32_t at, bool taken)
{
    while (at < CELLS) {
        uint64_t bits = (taken ? s->taken[at / 64] : ~s->taken[at / 64]) >> (at % 64);
        if (bits)
            return at + (uint32_t)__builtin_ctzll(bits);
        at = (at / 64 + 1) * 64;
    }
    return CELLS;
}

static void mark(struct slab *s, uint32_t from, uint32_t n, bool taken)
{
    for (uint32_t i = from; i < from + n;) {
        uint32_t k = 64 - i % 64 < from + n - i ? 64 - i % 64 : from + n - i;
        uint64_t bits = (k == 64 ? ~UINT64_C(0) : (UINT64_C(1) << k) - 1) << (i % 64);
        if (taken)
            s->taken[i / 64] |= bits;
        else
            s->taken[i / 64] &= ~bits;
        i += k;
    }
}

/* A run of n free cells in [from, end), or CELLS. */
static uint32_t find_run(const struct slab *s, uint32_t from, uint32_t end, uint32_t n)
{
    while (from < end) {
        uint32_t first = find_cell(s, from, false), stop = find_cell(s, first, true);
        if (first < end && stop - first >= n)
            return first;
        from = stop;
    }
    return CELLS;
}

/* The first cell of the free run that ends at `at`. */
static uint32_t run_begin(const struct slab *s, uint32_t at)
{
    while (at > 0) {
        uint64_t bits = s->taken[(at - 1) / 64] << (63 - (at - 1) % 64);
        if (bits)
            return at - (uint32_t)__builtin_clzll(bits);
        at = (at - 1) / 64 * 64;
    }
    return 0;
}

static uint32_t take_cells(struct slab *s, uint32_t n)
{
    if (n > s->free || n >= s->too_long)
        return CELLS;
    uint32_t at = find_run(s, s->next, CELLS, n);
    if (at == CELLS)
        at = find_run(s, 0, s->next, n);
    if (at == CELLS) {
        s->too_long = n;
        return CELLS;
    }
    mark(s, at, n, true);
    s->next = at + n == CELLS ? 0 : at + n;
    s->free -= n;
    nfree -= n;
    return at;
}

static struct slab *slab_create(bool first)
{
    struct slab *s = calloc(1, sizeof(*s));
    char *map = s ? mmap(NULL, 2 * SLAB_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                  : MAP_FAILED;
    if (map == MAP_FAILED) {
        free(s);
        return NULL;
    }
    size_t before = (size_t)(-(uintptr_t)map & (SLAB_BYTES - 1));
    s->base = map + before;
    if (before)
        munmap(map, before);
    munmap(s->base + SLAB_BYTES, SLAB_BYTES - before);
    if (!first)
        (void)madvise(s->base, SLAB_BYTES, MADV_HUGEPAGE);
    s->step = first ? FIRST_STEP : SLAB_BYTES;
    s->free = CELLS;
    s->too_long = CELLS + 1;
    nslabs++;
    nfree += CELLS;
    list_front(s);
    return s;
}

static void slab_destroy(struct slab *s)
{
    list_remove(s);
    nslabs--;
    nfree -= CELLS;
    munmap(s->base, SLAB_BYTES);
    free(s);
}

/* Asks the kernel for the memory of s up to end, at once; what it does not give so comes by faults. */
static void prepare(struct slab *s, size_t end)
{
    size_t from = s->ready;
    if (end <= from)
        return;
    end = (end + s->step - 1) / s->step * s->step;
    s->ready = end;
    (void)madvise(s->base + from, end - from, MADV_POPULATE_WRITE);
}

int slab_alloc(size_t size, struct slab_block *out)
{
    *out = (struct slab_block){0};
    if (size >= BLOCK_MOST) {
        out->size = size;
        out->data = malloc(size);
        return out->data ? 0 : -ENOMEM;
    }
    uint32_t n = size ? (uint32_t)((size + CELL - 1) / CELL) : 1, at = CELLS;
    pthread_mutex_lock(&lock);
    struct slab *s = newest;
    while (s && (at = take_cells(s, n)) == CELLS)
        s = s->older;
    if (at == CELLS) {
        s = slab_create(nslabs == 0); /* a spare one would have had room */
        if (s)
            at = take_cells(s, n);
    }
    if (s) {
        if (s == spare)
            spare = NULL;
        list_to_front(s);
        prepare(s, (size_t)(at + n) * CELL);
        *out = (struct slab_block){s->base + (size_t)at * CELL, (size_t)n * CELL, s};
    }
    pthread_mutex_unlock(&lock);
    return s ? 0 : -ENOMEM;
}

void slab_free(struct slab_block *block)
{
    struct slab *s = block->slab;
    if (!s) {
        free(block->data);
        *block = (struct slab_block){0};
        return;
    }
    uint32_t n = (uint32_t)(block->size / CELL),
             at = (uint32_t)((size_t)((char *)block->data - s->base) / CELL);
    pthread_mutex_lock(&lock);
    mark(s, at, n, false);
    s->free += n;
    nfree += n;
    uint32_t run = find_cell(s, at + n, true) - run_begin(s, at);
    if (run >= s->too_long)
        s->too_long = run + 1;
    if (s->free < CELLS) {
        list_to_front(s);
    } else {
        s->next = 0;
        /* The one that is kept is the one of small pages, if it is one of these two. */
        struct slab *other = spare;
        if (other && other->step > s->step) {
            spare = s;
            s = other;
            other = spare;
        }
        spare = other ? other : s;
        if (other)
            slab_destroy(s);
    }
    pthread_mutex_unlock(&lock);
    *block = (struct slab_block){0};
}

void slab_facts(size_t *held, size_t *idle)
{
    pthread_mutex_lock(&lock);
    *held = nslabs * SLAB_BYTES;
    *idle = nfree * CELL;
    pthread_mutex_unlock(&lock);
}
