/* Workers sleep on one condition until some run has tasks left.  A run lives on its caller's stack and
 * hangs in the pool's list while tasks may still be taken; whoever takes part counts in `inside`, and the
 * caller leaves only when that is back to zero, so no worker ever touches a run that is gone.  Tasks
 * are taken by one atomic increment, outside the lock. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct run {
    struct run *next;
    int (*task)(void *ctx, size_t i, unsigned worker);
    void *ctx;
    size_t n;
    _Atomic size_t taken; /* may pass n */
    _Atomic int result;
    unsigned inside; /* workers at work in it; under the pool's lock */
};

struct tsfs_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;  /* a run was added, or stop */
    pthread_cond_t leave; /* some run's inside reached zero */
    struct run *runs;
    bool stop;
    unsigned nworkers;
    struct worker {
        struct tsfs_pool *pool;
        pthread_t thread;
        unsigned number;
    } workers[];
};

static void work_on(struct run *run, unsigned worker)
{
    while (atomic_load_explicit(&run->result, memory_order_relaxed) == 0) {
        size_t i = atomic_fetch_add_explicit(&run->taken, 1, memory_order_relaxed);
        if (i >= run->n)
            break;
        int rc = run->task(run->ctx, i, worker);
        if (rc != 0) {
            int none = 0;
            atomic_compare_exchange_strong(&run->result, &none, rc);
        }
    }
}

static struct run *open_run(const struct tsfs_pool *pool)
{
    for (struct run *r = pool->runs; r != NULL; r = r->next)
        if (atomic_load_explicit(&r->taken, memory_order_relaxed) < r->n &&
            atomic_load_explicit(&r->result, memory_order_relaxed) == 0)
            return r;
    return NULL;
}

static void *worker_main(void *arg)
{
    struct worker *self = arg;
    struct tsfs_pool *pool = self->pool;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct run *run = open_run(pool);
        if (run == NULL) {
            if (pool->stop)
                break;
            pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        run->inside++;
        pthread_mutex_unlock(&pool->lock);
        work_on(run, self->number);
        pthread_mutex_lock(&pool->lock);
        if (--run->inside == 0)
            pthread_cond_broadcast(&pool->leave);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static unsigned cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

int tsfs_pool_create(unsigned threads, struct tsfs_pool **out)
{
    if (threads == 0)
        threads = cores();
    unsigned nworkers = threads - 1;
    struct tsfs_pool *pool = calloc(1, sizeof(*pool) + nworkers * sizeof(pool->workers[0]));
    if (pool == NULL)
        return -ENOMEM;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->leave, NULL);

    /* Signals are the business of the thread that made the pool. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = 0;
    for (unsigned i = 0; i < nworkers && rc == 0; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].number = i;
        rc = -pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]);
        if (rc == 0)
            pool->nworkers++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        tsfs_pool_free(pool);
        return rc;
    }
    *out = pool;
    return 0;
}

void tsfs_pool_free(struct tsfs_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->nworkers; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->leave);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

unsigned tsfs_pool_threads(const struct tsfs_pool *pool)
{
    return pool == NULL ? 0 : pool->nworkers;
}

int tsfs_pool_run(struct tsfs_pool *pool, int (*task)(void *ctx, size_t i, unsigned worker), void *ctx,
                  size_t n)
{
    unsigned self = tsfs_pool_threads(pool);
    struct run run = {.task = task, .ctx = ctx, .n = n};
    if (self == 0 || n < 2) {
        work_on(&run, self);
        return atomic_load(&run.result);
    }
    pthread_mutex_lock(&pool->lock);
    struct run **end = &pool->runs;
    while (*end != NULL)
        end = &(*end)->next;
    *end = &run;
    if (n - 1 < self)
        for (size_t i = 0; i < n - 1; i++)
            pthread_cond_signal(&pool->work);
    else
        pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);

    work_on(&run, self);

    pthread_mutex_lock(&pool->lock);
    struct run **at = &pool->runs;
    while (*at != &run)
        at = &(*at)->next;
    *at = run.next;
    while (run.inside > 0)
        pthread_cond_wait(&pool->leave, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return atomic_load(&run.result);
}
