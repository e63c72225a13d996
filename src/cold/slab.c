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
 * would take longer than a small query.  So are the next few, in larger steps; those after them ask for
 * large pages and are prepared whole.
 *
 * A large page is seven times as fast to come by as the small ones in its place, where the machine has it at
 * hand (0.09 ms against 0.65).  A virtual machine that gives its free memory back to its host does so by the
 * large page, and has small ones of its own lying about: there a large page waits for the host to find all
 * of it, 5 ms and more.  Which of the two it is shows when one is prepared: after a slow one the next slabs
 * are of small pages, then one more is tried.
 *
 * Questions that are asked again read large pages some percent faster, so a slab of small ones asks for one
 * as soon as all of it is there: the kernel then makes one of them in its own time, some seconds later.
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
#include <time.h>

#define SLAB_BYTES ((size_t)2 << 20)
#define CELL       1024u
#define CELLS      ((uint32_t)(SLAB_BYTES / CELL))
#define BLOCK_MOST (SLAB_BYTES / 4)
#define FIRST_STEP ((size_t)64 << 10)  /* prepared at once in the first slab */
#define SMALL_STEP ((size_t)256 << 10) /* ... in other slabs of small pages */
#define SMALL_MADE 8u                  /* slabs of small pages before the first of a large one */
#define SMALL_NEXT 31u                 /* ... after one that was slow */
#define SLOW_NS    INT64_C(1300000)    /* twice what small pages take */

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
static unsigned small = SMALL_MADE;  /* slabs to be made of small pages before a large one is tried */

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

static struct slab *slab_create(void)
{
    bool large = small == 0;
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
    (void)madvise(s->base, SLAB_BYTES, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    s->step = large ? SLAB_BYTES : nslabs == 0 ? FIRST_STEP : SMALL_STEP;
    small -= !large;
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

/* What of s up to end the kernel has not been asked for yet: from *from on, so many bytes. */
static size_t unprepared(struct slab *s, size_t end, size_t *from)
{
    *from = s->ready;
    if (end <= s->ready)
        return 0;
    s->ready = (end + s->step - 1) / s->step * s->step;
    return s->ready - *from;
}

static int64_t worked(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Asks the kernel for memory; what it does not give so comes by faults.  Not under the lock: who is given
 * a part of it meanwhile comes by it that way. */
static void prepare(char *from, size_t n)
{
    int64_t begin = n == SLAB_BYTES ? worked() : 0;
    (void)madvise(from, n, MADV_POPULATE_WRITE);
    if (n == SLAB_BYTES) {
        if (worked() - begin > SLOW_NS) {
            pthread_mutex_lock(&lock);
            small = SMALL_NEXT;
            pthread_mutex_unlock(&lock);
        }
    } else if (((uintptr_t)from + n) % SLAB_BYTES == 0) {
        (void)madvise(from + n - SLAB_BYTES, SLAB_BYTES, MADV_HUGEPAGE);
    }
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
    size_t from = 0, bytes = 0;
    pthread_mutex_lock(&lock);
    struct slab *s = newest;
    while (s && (at = take_cells(s, n)) == CELLS)
        s = s->older;
    if (at == CELLS) {
        s = slab_create(); /* a spare one would have had room */
        if (s)
            at = take_cells(s, n);
    }
    if (s) {
        if (s == spare)
            spare = NULL;
        list_to_front(s);
        bytes = unprepared(s, (size_t)(at + n) * CELL, &from);
        *out = (struct slab_block){s->base + (size_t)at * CELL, (size_t)n * CELL, s};
    }
    pthread_mutex_unlock(&lock);
    if (bytes) /* s stays: it has this block */
        prepare(s->base + from, bytes);
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
