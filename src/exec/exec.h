/* Runs a plan: batches are pulled, nothing is computed before it is asked for. */
#ifndef TSFS_EXEC_EXEC_H
#define TSFS_EXEC_EXEC_H

#include "base/pool.h"
#include "col/vec.h"
#include "plan/plan.h"

struct tsfs_exec;

struct tsfs_exec_options {
    struct tsfs_pool *pool; /* NULL: all on the calling thread */
    struct tsfs_budget
        *budget;      /* query_memory; NULL = unlimited.  Over it: -ENOMEM that names the operator */
    int64_t deadline; /* tsfs_time_monotonic, 0 = none: -ETIMEDOUT */
    int64_t now;      /* the query's instant */
    const _Atomic bool *cancel;     /* any thread may set it: -EINTR soon after; may be NULL */
    bool (*interrupted)(void *ctx); /* asked every few ms while a call lasts, by one thread at a time but by
                                     * any that works for the query: -EINTR; may be NULL */
    void *interrupted_ctx;
};

struct tsfs_exec_stats {
    struct tsfs_scan_stats scan;
    uint64_t rows_out;
    uint64_t partitions_total, partitions_pruned;
    struct tsfs_scan_known known; /* of EXPLAIN ANALYZE */
};

/* plan and options are borrowed until close. */
TSFS_MUST_CHECK int tsfs_exec_open(const struct tsfs_plan *plan, const struct tsfs_exec_options *options,
                                   struct tsfs_exec **out, struct tsfs_error *err);
/* 1 and the next batch (dense: sel NULL, nrows > 0; borrowed until the next call), 0 at the end, -errno. */
int tsfs_exec_next(struct tsfs_exec *exec, struct tsfs_batch **out, struct tsfs_error *err);
/* Rows by several threads at once.  A scan, an aggregation or a sort with nothing but filters, projections
 * and joins above it falls into parts, whose rows one part after the other are what tsfs_exec_next would
 * deliver; groups are made and rows sorted here.  *n 0: it does not, or has fewer than `least` values to
 * read; use tsfs_exec_next.  Before any row has been read. */
struct tsfs_exec_stream;
#define TSFS_EXEC_PARTS_LEAST 400000u /* values; with fewer, threads cost more than they bring */
TSFS_MUST_CHECK int tsfs_exec_parts(struct tsfs_exec *exec, uint64_t least, uint32_t *n,
                                    struct tsfs_error *err);
/* A reader of parts, for one thread at a time; made on the thread that runs the query, closed with it. */
TSFS_MUST_CHECK int tsfs_exec_stream_open(struct tsfs_exec *exec, struct tsfs_exec_stream **out,
                                          struct tsfs_error *err);
void tsfs_exec_stream_part(struct tsfs_exec_stream *stream, uint32_t part);
/* As tsfs_exec_next: 0 at the end of the part. */
int tsfs_exec_stream_next(struct tsfs_exec_stream *stream, struct tsfs_batch **out, struct tsfs_error *err);

/* While streams are read, at any time: `interrupted` is asked with this ctx from now on, as another reader's
 * request has come; deadline as in the options. */
void tsfs_exec_resume(struct tsfs_exec *exec, void *interrupted_ctx, int64_t deadline);
/* The reader has gone: from the return on nobody is asked.  Who reads streams meanwhile has until deadline.
 */
void tsfs_exec_leave(struct tsfs_exec *exec, int64_t deadline);
/* Whether the deadline is over: any thread. */
bool tsfs_exec_late(struct tsfs_exec *exec);
/* No more rows are wanted: who reads a stream ends soon.  Any thread. */
void tsfs_exec_stop(struct tsfs_exec *exec);
void tsfs_exec_stats(const struct tsfs_exec *exec, struct tsfs_exec_stats *out);
void tsfs_exec_close(struct tsfs_exec *exec); /* takes NULL */

/* Evaluates an expression that names no column. */
TSFS_MUST_CHECK int tsfs_exec_fold(const struct tsfs_expr *expr, int64_t now, struct tsfs_arena *arena,
                                   struct tsfs_value *out, struct tsfs_error *err);
/* The same; what takes long is given up with the error that poll returns.  poll may be NULL. */
TSFS_MUST_CHECK int tsfs_exec_fold_polled(const struct tsfs_expr *expr, int64_t now, struct tsfs_arena *arena,
                                          int (*poll)(void *poll_ctx, struct tsfs_error *err), void *poll_ctx,
                                          struct tsfs_value *out, struct tsfs_error *err);

#endif
