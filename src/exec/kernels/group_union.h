/* The union of tables that were filled apart: every key once. */
#ifndef TSFS_EXEC_KERNELS_GROUP_UNION_H
#define TSFS_EXEC_KERNELS_GROUP_UNION_H

#include "base/pool.h"
#include "exec/kernels/group.h"

struct group_union {
    char **records; /* [n], each a key with its payload behind it, where it lay in its table */
    uint32_t n;
};

/* What to do with a key that is there already: `again`, which is dropped, may go into `kept` (both records).
 * Several threads call it at the same time, each with a worker number of its own, below
 * tsfs_pool_threads + 1, and never for the same key. */
struct group_union_ops {
    int (*same)(void *ctx, unsigned worker, char *kept, char *again); /* NULL = nothing */
    int (*go_on)(void *ctx, unsigned worker);                         /* now and then; not 0 ends it */
    void *ctx;
};

/* Tables (ntables of them) of the same columns and payload.  Of equal keys the one of the first table is
 * kept.  The order is the same whatever the number of threads: parts by hash, in each the order of tables
 * and of groups in them; a union that is small has one part.  finals NULL, or [ntables]: arrays with an
 * item for each group of the table, set to the number of the record that it has become. Records stay the
 * tables'; the slots of the tables are not looked at. -ENOMEM, or what an
 * op says. */
TSFS_MUST_CHECK int group_union(struct group_table *const *tables, uint32_t ntables, struct tsfs_arena *arena,
                                struct tsfs_pool *pool, const struct group_union_ops *ops, uint64_t **finals,
                                struct group_union *out);

#endif
