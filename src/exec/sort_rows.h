/* The rows that a sort keeps, gathered by one thread. */
#ifndef TSFS_EXEC_SORT_ROWS_H
#define TSFS_EXEC_SORT_ROWS_H

#include "exec/exec_priv.h"
#include "exec/kernels/order.h"

/* The keys of a plan, then those that decide between ties. */
struct sort_keys {
    struct order_key *keys;
    const struct tsfs_expr **exprs;
    uint32_t n;
    bool decisive; /* equal prefixes mean equal first keys */
};

struct sort_rows {
    struct exec_ctx *ctx;
    const struct tsfs_plan *plan;
    const struct tsfs_expr *const *exprs; /* of the keys */
    struct tsfs_arena store, spare;       /* the rows; spare takes those that a pruning keeps */
    struct tsfs_arena scratch;            /* of the batch at hand, in or out */
    struct tsfs_vec **cols;               /* of each stored batch: the input's columns, then the keys */
    const struct tsfs_vec **heads;        /* of each, where the keys begin */
    uint32_t nbatches, batches_room;
    struct order_entry *entries;
    size_t n, room;
    struct order_set set;
    uint64_t limit;  /* so many rows are wanted */
    size_t prune_at; /* when so many rows have gathered; SIZE_MAX = never */
    bool has_worst;  /* nothing after worst can come in, but for what ties with it */
    struct order_entry worst;
};

void sort_rows_init(struct sort_rows *rows, struct exec_ctx *ctx, const struct tsfs_plan *plan,
                    const struct sort_keys *keys);
void sort_rows_free(struct sort_rows *rows); /* takes one that is all zero */

TSFS_MUST_CHECK int sort_rows_add(struct sort_rows *rows, const struct tsfs_batch *in,
                                  struct tsfs_error *err);
/* Puts the entries in order. */
TSFS_MUST_CHECK int sort_rows_sort(struct sort_rows *rows, struct tsfs_error *err);
/* How many of the rows, which are sorted, the limit keeps. */
size_t sort_rows_kept(const struct sort_rows *rows);
/* into, which has none, gets the rows of all parts, as if they had come one part after the other.  The rows
 * stay where they are: parts must outlive into. */
TSFS_MUST_CHECK int sort_rows_join(struct sort_rows *into, struct sort_rows *parts, uint32_t nparts);

/* Column col of n stored rows. */
TSFS_MUST_CHECK int sort_rows_collect(const struct sort_rows *rows, struct tsfs_arena *arena, uint32_t col,
                                      const struct order_entry *entries, uint32_t n, struct tsfs_vec *out);

#endif
