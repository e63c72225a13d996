/* Decoded pages, shared by all cursors of the process.  cache.c says how. */
#ifndef TSFS_COLD_CACHE_H
#define TSFS_COLD_CACHE_H

#include "cold/cold_priv.h"
#include "cold/narrow.h"
#include "cold/slab.h"

struct cold_page {
    uint64_t row, end;   /* of the file */
    struct tsfs_vec vec; /* data NULL: the values are in narrow */
    struct narrow narrow;
    /* All that vec and narrow point to, but for strings in the dictionary of the chunk: numbers in block,
     * strings in arena. */
    struct slab_block block;
    struct tsfs_arena arena;
    /* cache.c's own */
    _Atomic uint32_t refs;
    bool used; /* found since it came to where it is in the list */
    uint32_t column;
    uint64_t segment, number, hash;
    size_t bytes;
    struct cold_page *chain, *newer, *older;
};

/* Counted once, for the caller to fill. */
struct cold_page *cold_page_create(void);
void cold_page_release(struct cold_page *page); /* takes NULL */

/* The page, counted for the caller, or NULL. */
struct cold_page *cold_cache_find(uint64_t segment, uint32_t column, uint64_t number);
/* Offers a page just decoded.  Returns the one to use, counted for the caller in place of the one given. */
struct cold_page *cold_cache_add(uint64_t segment, uint32_t column, uint64_t number, struct cold_page *page);
/* Decoded index parts came (or went): they count against the limit of the pages. */
void cold_cache_index_add(size_t bytes);
void cold_cache_index_remove(size_t bytes);
/* They take more than their share. */
bool cold_cache_index_full(void);
/* Gives up all pages of a segment. */
void cold_cache_forget(uint64_t segment);

#endif
