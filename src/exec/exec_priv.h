/* Between the operators of one query.
 *
 * A plan becomes a tree of operators, each pulling from its input.  A batch that an operator hands up is
 * dense and borrowed until it is asked again. */
#ifndef TSFS_EXEC_EXEC_PRIV_H
#define TSFS_EXEC_EXEC_PRIV_H

#include <pthread.h>

#include "base/limits.h"
#include "exec/eval.h"
#include "exec/exec.h"

struct exec_ctx {
    struct tsfs_exec_options options;
    struct tsfs_arena arena; /* lives as long as the query */
    struct tsfs_eval_sets *sets;
    _Atomic int stop;                 /* -errno that ends every thread's work, 0 = go on */
    _Atomic int64_t deadline;         /* as in the options, for the reader that there is now */
    _Atomic bool polling;             /* some thread is asking whether the reader was interrupted */
    bool left;                        /* there is none to ask; as what is asked, of who is polling */
    _Atomic int64_t next_poll;        /* when it is to be asked again */
    struct tsfs_exec_stream *streams; /* stream.c */
    struct tsfs_exec_stats stats;
    pthread_mutex_t stats_lock;
    struct exec_ctx *parent;        /* of a subplan that runs for one row: the query's own; else NULL */
    struct exec_shared *shared;     /* rows made once, so far */
    bool copying;                   /* operators are opened once more: they do as the first ones */
    const struct tsfs_plan *copied; /* then: the end of the chain, if it only hands out what the first made */
    bool analyze;                   /* count and time operators */
    bool any_order;              /* of what is being opened: in which order rows come makes no difference */
    bool limited;                /* the order of groups shows in what is above them */
    struct exec_op_stats *timed; /* those counted so far */
};

/* What ANALYZE says of one operator, all its runs and copies together. */
struct exec_op_stats {
    const struct tsfs_plan *plan; /* as planned, before params became literals */
    uint64_t runs;
    bool copied; /* several threads may have run it side by side */
    _Atomic uint64_t rows;
    _Atomic int64_t time;                         /* ns in it and below it, of all threads */
    struct tsfs_scan_stats scan;                  /* of a scan, whoever read it */
    uint64_t partitions_total, partitions_pruned; /* likewise */
    struct tsfs_scan_known known;                 /* likewise */
    struct exec_op_stats *next;
};

/* 0, or why the query must end: cancelled (-EINTR), too late (-ETIMEDOUT), or what another thread ran into.
 * Any thread; cheap enough for every batch and run. */
TSFS_MUST_CHECK int exec_poll(struct exec_ctx *ctx, struct tsfs_error *err);
/* The same for kernels, ctx being the exec_ctx. */
int exec_poll_kernel(void *ctx, struct tsfs_error *err);
/* The same without a sentence: who gets it from a kernel polls once more for that. */
int exec_poll_quiet(void *ctx);

/* -ENOMEM with a sentence that names the operator and the limit. */
int exec_no_memory(const struct exec_ctx *ctx, const char *operator, struct tsfs_error * err);
/* rc as it is, but -ENOMEM through the above. */
int exec_fail(const struct exec_ctx *ctx, int rc, const char *operator, struct tsfs_error * err);

/* What a cursor of a scan has read, and what the scan has left out: any thread. */
void exec_add_scan_stats(struct exec_ctx *ctx, const struct tsfs_plan *scan,
                         const struct tsfs_scan_stats *stats);
void exec_add_partitions(struct exec_ctx *ctx, const struct tsfs_plan *scan, uint64_t total, uint64_t pruned,
                         const struct tsfs_scan_known *known);
/* Those of a query that was part of this one. */
void exec_add_stats(struct exec_ctx *ctx, const struct tsfs_exec_stats *stats);
/* Whether operators of this query are counted and timed. */
bool exec_analyzed(const struct exec_ctx *ctx);
/* A scan is about to be made ready: if operators are counted, it gets figures of its own. */
TSFS_MUST_CHECK int exec_count_scan(struct exec_ctx *ctx, const struct tsfs_plan *scan);

/* An evaluator whose results live in arena. */
struct tsfs_eval exec_eval(const struct exec_ctx *ctx, struct tsfs_arena *arena, struct tsfs_error *err);

struct exec_op {
    const struct exec_op_ops *ops;
    struct exec_ctx *ctx;
    const struct tsfs_plan *plan;
    struct exec_op *input; /* NULL for leaves */
    struct exec_op **more; /* further inputs, nmore of them */
    uint32_t nmore;
    struct exec_op_stats *stats; /* NULL = not counted */
};

struct exec_op_ops {
    int (*next)(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err);
    void (*close)(struct exec_op *op); /* of the operator's own; its memory is the query's */
};

/* Whether the rows of a plan come in an order that nobody should rely on: that of groups or joined rows.  A
 * sort above lets their columns decide where its keys do not. */
bool exec_order_is_open(const struct tsfs_plan *plan);

/* The operator for a plan and all below it, in the query's arena. */
TSFS_MUST_CHECK int exec_op_open(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                                 struct tsfs_error *err);
void exec_op_close(struct exec_op *op); /* takes NULL; inputs too */

/* A plan and all that its expressions need. */
TSFS_MUST_CHECK int exec_plan_open(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                                   struct tsfs_error *err);

int exec_next_timed(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err);
/* The next batch of op: 1, 0 at the end, -errno. */
static inline int exec_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    return op->stats == NULL ? op->ops->next(op, out, err) : exec_next_timed(op, out, err);
}

/* Rows that a plan may deliver, roughly; never fails. */
uint64_t exec_estimate(struct exec_ctx *ctx, const struct tsfs_plan *plan);

/* Each opens its operator over an opened input; *out is set as soon as close must be called. */
int exec_open_scan(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err);
int exec_open_values(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err);
int exec_open_filter(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err);
int exec_open_project(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                      struct tsfs_error *err);
int exec_open_limit(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                    struct tsfs_error *err);
int exec_open_sort(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err);
int exec_open_unnest(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err);
int exec_open_aggregate(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                        struct tsfs_error *err);

int exec_open_join(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err);
int exec_open_append(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err);
int exec_open_set(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                  struct tsfs_error *err);
int exec_open_window(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err);
int exec_open_init(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err);
int exec_open_apply(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                    struct tsfs_error *err);
int exec_open_shared(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err);
int exec_open_analyze(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                      struct tsfs_error *err);
void exec_shared_free(struct exec_ctx *ctx);
/* Opens the scan of a scan operator that nothing has been read from, and gives the number of parts that it
 * may be read in; 0: it is one, or has fewer than `least` values. */
TSFS_MUST_CHECK int exec_scan_parts(struct exec_op *op, uint64_t least, uint32_t *nparts,
                                    struct tsfs_error *err);
/* Makes op, opened for the same plan, deliver one part of opener's scan from now on. */
void exec_scan_part(struct exec_op *op, struct exec_op *opener, uint32_t part);

/* Likewise of the rows that an aggregation or a sort has made, which it makes here. */
TSFS_MUST_CHECK int exec_aggregate_parts(struct exec_op *op, uint64_t least, uint32_t *nparts,
                                         struct tsfs_error *err);
void exec_aggregate_part(struct exec_op *op, struct exec_op *opener, uint32_t part);
TSFS_MUST_CHECK int exec_sort_parts(struct exec_op *op, uint64_t least, uint32_t *nparts,
                                    struct tsfs_error *err);
void exec_sort_part(struct exec_op *op, struct exec_op *opener, uint32_t part);
/* How many parts n rows of a plan fall into (0: they are not worth it), and where one begins and ends. */
uint32_t exec_made_parts(const struct tsfs_plan *plan, uint64_t n, uint64_t least);
void exec_made_part(const struct tsfs_plan *plan, size_t n, uint32_t part, size_t *from, size_t *end);

/* A chain of operators that takes rows one by one may be run by several threads: each has a copy of the chain
 * and reads parts of what is at its end, a scan, or the rows that an aggregation or a sort has made; the kept
 * sides of joins are shared.  *nparts 0: op is no such chain, or the end has fewer than `least` values; it
 * may have done its work already.  Before any row has been read. */
TSFS_MUST_CHECK int exec_chain_parts(struct exec_op *op, uint64_t least, uint32_t *nparts,
                                     struct tsfs_error *err);
TSFS_MUST_CHECK int exec_chain_copy(struct exec_op *op, struct exec_op **out, struct tsfs_error *err);
void exec_chain_part(struct exec_op *copy, struct exec_op *op, uint32_t part);

static inline bool exec_is_copied(const struct exec_ctx *ctx, const struct tsfs_plan *plan)
{
    return ctx->copying && ctx->copied == plan;
}

/* Of a join that hands up rows of the passing side alone or with kept ones: the passing side; else NULL. */
struct exec_op *exec_join_probe(struct exec_op *op);
TSFS_MUST_CHECK int exec_join_build(struct exec_op *op, struct tsfs_error *err);
/* op, of the same plan, uses what `from` has built. */
void exec_join_share(struct exec_op *op, const struct exec_op *from);
void exec_join_again(struct exec_op *op); /* its passing side starts anew */

/* Before the operators that opened their scan. */
void exec_streams_close(struct exec_ctx *ctx);

/* Of a query: what its operators share, and the topmost of them. */
struct exec_ctx *exec_context(struct tsfs_exec *exec);
struct exec_op *exec_root(struct tsfs_exec *exec);

/* Above op, if it is a scan or an aggregation, only the first `limit` rows by this column of its output are
 * wanted (ties as they come): it may stop when it has handed up that many from the right end of time. */
void exec_scan_want(struct exec_op *op, uint32_t column, bool descending, uint64_t limit);
void exec_aggregate_want(struct exec_op *op, uint32_t column, bool descending, uint64_t limit);
/* Whoever reads op may stop early: partitions of a scan below are looked at only when their turn comes. */
void exec_want_some(struct exec_op *op);

#endif
