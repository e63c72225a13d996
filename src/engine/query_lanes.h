/* Rows of one query made and formatted by several threads, delivered in order, and ahead of the reader. */
#ifndef TSFS_ENGINE_QUERY_LANES_H
#define TSFS_ENGINE_QUERY_LANES_H

#include "base/pool.h"
#include "engine/result.h"
#include "exec/exec.h"
#include "format/format.h"

struct query_lanes;

struct query_lanes_options {
    struct tsfs_exec *exec;
    struct tsfs_pool *pool;
    struct tsfs_budget *budget; /* the query's memory */
    enum tsfs_format format;    /* not TEXT: it looks at the first rows as a whole */
    const struct tsfs_str *names;
    const enum tsfs_type *types;
    unsigned ncols;
};

/* *out NULL: the query is none that can be read so, or too small.  What options point at is borrowed; close
 * before exec. */
TSFS_MUST_CHECK int query_lanes_open(const struct query_lanes_options *options, struct query_lanes **out,
                                     struct tsfs_error *err);
/* Some more rows, behind what result has: 1, or 0 when these were the last, or -errno.  Workers go on when it
 * has returned. */
int query_lanes_round(struct query_lanes *lanes, struct result *result, struct tsfs_engine *engine,
                      struct tsfs_error *err);
/* How long lanes have been filled in all, by the reader and while he was away: ns. */
int64_t query_lanes_worked(struct query_lanes *lanes);
void query_lanes_close(struct query_lanes *lanes); /* takes NULL */

#endif
