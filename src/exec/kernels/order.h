/* Sorting rows that lie in batches, by keys of any type. */
#ifndef TSFS_EXEC_KERNELS_ORDER_H
#define TSFS_EXEC_KERNELS_ORDER_H

#include <stdint.h>

#include "base/pool.h"
#include "col/vec.h"

/* A row and the first of its keys in short: entries compare as (null_rank, prefix), then by all keys, then by
 * (batch, row), which makes the order total and the sort stable. */
struct order_entry {
    uint64_t prefix;
    uint32_t batch;
    uint16_t row;
    uint8_t null_rank;
};

struct order_key {
    bool descending, nulls_first;
};

struct order_set {
    const struct order_key *keys;
    uint32_t nkeys;
    const struct tsfs_vec *const *batches; /* key columns of each batch */
    bool decisive;                         /* equal prefixes mean equal first keys */
};

/* Fills null_rank and prefix for rows [0, n) of the first key's column. */
void order_prefix(const struct order_key *key, const struct tsfs_vec *v, uint32_t n,
                  struct order_entry *entries);

/* < 0, 0 only for the same row, > 0. */
int order_compare(const struct order_set *set, const struct order_entry *a, const struct order_entry *b);

/* Whether their keys are the same. */
bool order_ties(const struct order_set *set, const struct order_entry *a, const struct order_entry *b);

struct order_run {
    struct tsfs_pool *pool;  /* NULL: one thread */
    int (*go_on)(void *ctx); /* now and then, by any thread; not 0 ends it; may be NULL */
    void *ctx;
};

/* Sorts n entries, which come in the order of arrival; scratch has room for n.  -ENOMEM, or what go_on
 * says: the entries are of no use then. */
TSFS_MUST_CHECK int order_sort(const struct order_set *set, struct order_entry *entries,
                               struct order_entry *scratch, size_t n, const struct order_run *run);

/* ---- between the files of this kernel ---- */

/* null_rank and prefix for one row of a key's column. */
void order_word(const struct order_key *key, const struct tsfs_vec *v, uint32_t row, struct order_entry *e);
/* The first eight bytes, filled up with zeros, as a number of the same order. */
uint64_t order_str_word(struct tsfs_str s);
/* By the keys from `from` on alone; 0 = they are the same. */
int order_compare_from(const struct order_set *set, uint32_t from, const struct order_entry *a,
                       const struct order_entry *b);

#endif
