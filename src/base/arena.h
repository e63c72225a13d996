/* Bump allocation: one arena a query, a batch, a parse.  Freed all at once. */
#ifndef TSFS_BASE_ARENA_H
#define TSFS_BASE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* An account that several arenas and buffers may share (a query's memory, the hot tier's). */
struct tsfs_budget {
    _Atomic size_t used;
    size_t limit;               /* bytes; 0 = no limit */
    struct tsfs_budget *parent; /* charged too; NULL = none */
};

/* Charges n bytes; false (and nothing charged) if that would pass the limit here or in a parent. */
bool tsfs_budget_charge(struct tsfs_budget *budget, size_t n);
void tsfs_budget_release(struct tsfs_budget *budget, size_t n);

struct tsfs_arena_block;

struct tsfs_arena {
    struct tsfs_arena_block *head; /* newest first */
    size_t used;                   /* bytes held from malloc */
    struct tsfs_budget *budget;    /* borrowed; NULL = unaccounted */
};

/* budget is borrowed until tsfs_arena_free. */
void tsfs_arena_init(struct tsfs_arena *arena, struct tsfs_budget *budget);

/* 16-byte aligned, uninitialised.  NULL when out of memory or over budget.  Size 0 gives a valid pointer. */
void *tsfs_arena_alloc(struct tsfs_arena *arena, size_t size);
void *tsfs_arena_calloc(struct tsfs_arena *arena, size_t count, size_t size);

/* NUL-terminated copies; ptr NULL on failure. */
struct tsfs_str tsfs_arena_str(struct tsfs_arena *arena, struct tsfs_str s);
char *tsfs_arena_printf(struct tsfs_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forgets all that was allocated but keeps the largest block for reuse. */
void tsfs_arena_reset(struct tsfs_arena *arena);
void tsfs_arena_free(struct tsfs_arena *arena);

#define TSFS_NEW(arena, type)          ((type *)tsfs_arena_calloc((arena), 1, sizeof(type)))
#define TSFS_NEW_ARRAY(arena, type, n) ((type *)tsfs_arena_calloc((arena), (n), sizeof(type)))

#endif
