#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT   16u
#define FIRST_BLOCK (4u << 10)
#define LAST_BLOCK  (1u << 20) /* blocks double from FIRST_BLOCK up to this */

struct tsfs_arena_block {
    struct tsfs_arena_block *next;
    size_t size; /* bytes from malloc, this header included */
    size_t used; /* likewise */
    size_t pad;
};

_Static_assert(sizeof(struct tsfs_arena_block) % ALIGNMENT == 0, "allocations follow the header");

bool tsfs_budget_charge(struct tsfs_budget *budget, size_t n)
{
    for (struct tsfs_budget *b = budget; b != NULL; b = b->parent) {
        size_t old = atomic_fetch_add_explicit(&b->used, n, memory_order_relaxed);
        if (old + n < old || (b->limit != 0 && old + n > b->limit)) {
            for (struct tsfs_budget *back = budget;; back = back->parent) {
                atomic_fetch_sub_explicit(&back->used, n, memory_order_relaxed);
                if (back == b)
                    return false;
            }
        }
    }
    return true;
}

void tsfs_budget_release(struct tsfs_budget *budget, size_t n)
{
    for (; budget != NULL; budget = budget->parent)
        atomic_fetch_sub_explicit(&budget->used, n, memory_order_relaxed);
}

void tsfs_arena_init(struct tsfs_arena *arena, struct tsfs_budget *budget)
{
    *arena = (struct tsfs_arena){.budget = budget};
}

static struct tsfs_arena_block *new_block(struct tsfs_arena *arena, size_t size)
{
    if (!tsfs_budget_charge(arena->budget, size))
        return NULL;
    struct tsfs_arena_block *block = malloc(size);
    if (block == NULL) {
        tsfs_budget_release(arena->budget, size);
        return NULL;
    }
    block->size = size;
    block->used = sizeof(*block);
    arena->used += size;
    return block;
}

static void *alloc_slow(struct tsfs_arena *arena, size_t size)
{
    size_t need = size + sizeof(struct tsfs_arena_block);
    struct tsfs_arena_block *head = arena->head, *block;
    size_t grown = head == NULL ? FIRST_BLOCK : head->size < LAST_BLOCK / 2 ? head->size * 2 : LAST_BLOCK;
    if (need > grown / 4 && head != NULL && need > head->size - head->used && need >= FIRST_BLOCK) {
        /* Large: a block of its own behind the head, whose free rest stays in use. */
        block = new_block(arena, need);
        if (block == NULL)
            return NULL;
        block->next = head->next;
        head->next = block;
    } else {
        block = new_block(arena, need > grown ? need : grown);
        if (block == NULL && need < grown)
            block = new_block(arena, need); /* the budget may still hold just this */
        if (block == NULL)
            return NULL;
        block->next = head;
        arena->head = block;
    }
    void *p = (char *)block + block->used;
    block->used += size;
    return p;
}

void *tsfs_arena_alloc(struct tsfs_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct tsfs_arena_block *head = arena->head;
    if (head == NULL || size > head->size - head->used)
        return alloc_slow(arena, size);
    void *p = (char *)head + head->used;
    head->used += size;
    return p;
}

void *tsfs_arena_calloc(struct tsfs_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *p = tsfs_arena_alloc(arena, total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

struct tsfs_str tsfs_arena_str(struct tsfs_arena *arena, struct tsfs_str s)
{
    if (s.len == SIZE_MAX)
        return (struct tsfs_str){NULL, 0};
    char *p = tsfs_arena_alloc(arena, s.len + 1);
    if (p == NULL)
        return (struct tsfs_str){NULL, 0};
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return (struct tsfs_str){p, s.len};
}

char *tsfs_arena_printf(struct tsfs_arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n < 0 ? NULL : tsfs_arena_alloc(arena, (size_t)n + 1);
    if (p != NULL)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

void tsfs_arena_reset(struct tsfs_arena *arena)
{
    struct tsfs_arena_block *keep = NULL;
    for (struct tsfs_arena_block *b = arena->head; b != NULL; b = b->next)
        if (keep == NULL || b->size > keep->size)
            keep = b;
    for (struct tsfs_arena_block *b = arena->head, *next; b != NULL; b = next) {
        next = b->next;
        if (b == keep)
            continue;
        arena->used -= b->size;
        tsfs_budget_release(arena->budget, b->size);
        free(b);
    }
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = sizeof(*keep);
    }
    arena->head = keep;
}

void tsfs_arena_free(struct tsfs_arena *arena)
{
    if (arena == NULL)
        return;
    for (struct tsfs_arena_block *b = arena->head, *next; b != NULL; b = next) {
        next = b->next;
        tsfs_budget_release(arena->budget, b->size);
        free(b);
    }
    arena->head = NULL;
    arena->used = 0;
}
