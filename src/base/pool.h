/* A pool of worker threads for queries and background jobs. */
#ifndef TSFS_BASE_POOL_H
#define TSFS_BASE_POOL_H

#include <stddef.h>

#include "base/error.h"

struct tsfs_pool;

/* So many threads work on a run, its caller among them; 0 = one per core the process may run on. */
TSFS_MUST_CHECK int tsfs_pool_create(unsigned threads, struct tsfs_pool **out);
void tsfs_pool_free(struct tsfs_pool *pool);              /* waits for what runs */
unsigned tsfs_pool_threads(const struct tsfs_pool *pool); /* beside the caller of a run; may be 0 */

/* Calls task(ctx, i, worker) for every i in [0, n), on the calling thread and on idle workers, and
 * returns when all have returned.  worker is in [0, tsfs_pool_threads + 1): of one run, two calls that are
 * at work at the same time never share one, so it may index per-thread state that belongs to the run.  Once a
 * task returns non-zero no further ones start; that first value is returned.  Several callers may run at
 * once; pool NULL runs all on the caller. */
TSFS_MUST_CHECK int tsfs_pool_run(struct tsfs_pool *pool, int (*task)(void *ctx, size_t i, unsigned worker),
                                  void *ctx, size_t n);

/* Work for idle workers beside a thread that goes on with something else. */
struct tsfs_pool_job;
TSFS_MUST_CHECK int tsfs_pool_job_create(struct tsfs_pool *pool, void (*task)(void *ctx), void *ctx,
                                         struct tsfs_pool_job **out);
/* Asks for n more calls of the task, each when some worker has nothing else to do; without workers it never
 * has.  Not for the task itself to call: who frees the job takes it that nobody asks any more. */
void tsfs_pool_job_add(struct tsfs_pool_job *job, unsigned n);
/* Calls not begun will never be; those under way are waited for.  Takes NULL. */
void tsfs_pool_job_free(struct tsfs_pool_job *job);

#endif
