/* Workers sleep on one condition until some run has tasks left.  A run lives on its caller's stack and
 * hangs in the pool's list while tasks may still be taken; whoever takes part counts in `inside`, and the
 * caller leaves only when that is back to zero, so no worker ever touches a run that is gone.  Tasks
 * are taken by one atomic increment, outside the lock.
 *
 * A job is what nobody waits for: calls of one task, owed to whoever asked for them.  They are counted under
 * the lock, and workers make them when no run wants them, as somebody waits for every run. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/time.h"

#define LOOK_NS (30 * TSFS_NS_PER_US)

struct run {
    struct run *next;
    int (*task)(void *ctx, size_t i, unsigned worker);
    void *ctx;
    size_t n;
    _Atomic size_t taken; /* may pass n */
    _Atomic int result;
    _Atomic unsigned inside; /* workers at work in it; changed under the pool's lock */
};

struct tsfs_pool_job {
    struct tsfs_pool_job *next; /* of those with calls owed */
    struct tsfs_pool *pool;
    void (*task)(void *ctx);
    void *ctx;
    unsigned owed, inside; /* calls to begin, calls under way; under the pool's lock */
};

struct tsfs_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;  /* a run was added, calls are owed, or stop */
    pthread_cond_t leave; /* the inside of some run or job reached zero */
    struct run *runs;
    struct tsfs_pool_job *jobs;
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

/* Makes one call of the job that has waited longest; under the lock. */
static void work_for(struct tsfs_pool *pool, struct tsfs_pool_job *job)
{
    job->inside++;
    pool->jobs = job->next;
    if (--job->owed > 0) { /* behind the others */
        struct tsfs_pool_job **end = &pool->jobs;
        while (*end != NULL)
            end = &(*end)->next;
        *end = job;
        job->next = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    job->task(job->ctx);
    pthread_mutex_lock(&pool->lock);
    if (--job->inside == 0)
        pthread_cond_broadcast(&pool->leave);
}

static void *worker_main(void *arg)
{
    struct worker *self = arg;
    struct tsfs_pool *pool = self->pool;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct run *run = open_run(pool);
        if (run == NULL && pool->jobs != NULL && !pool->stop) {
            work_for(pool, pool->jobs);
            continue;
        }
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

/* To be put to sleep and woken again takes some 20 us, and most last calls little longer than that. */
static void look_for_end(struct run *run)
{
    if (atomic_load(&run->inside) == 0)
        return;
    int64_t until = tsfs_time_monotonic() + LOOK_NS;
    while (atomic_load(&run->inside) > 0 && tsfs_time_monotonic() < until)
        sched_yield(); /* to whoever has no core */
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

    look_for_end(&run);
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

/* ---- jobs ---- */

int tsfs_pool_job_create(struct tsfs_pool *pool, void (*task)(void *ctx), void *ctx,
                         struct tsfs_pool_job **out)
{
    struct tsfs_pool_job *job = malloc(sizeof(*job));
    if (job == NULL)
        return -ENOMEM;
    *job = (struct tsfs_pool_job){.pool = pool, .task = task, .ctx = ctx};
    *out = job;
    return 0;
}

void tsfs_pool_job_add(struct tsfs_pool_job *job, unsigned n)
{
    struct tsfs_pool *pool = job->pool;
    if (tsfs_pool_threads(pool) == 0 || n == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    if (job->owed == 0) {
        struct tsfs_pool_job **end = &pool->jobs;
        while (*end != NULL)
            end = &(*end)->next;
        *end = job;
        job->next = NULL;
    }
    job->owed += n;
    for (unsigned i = 0; i < n; i++)
        pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

void tsfs_pool_job_free(struct tsfs_pool_job *job)
{
    if (job == NULL)
        return;
    struct tsfs_pool *pool = job->pool;
    if (tsfs_pool_threads(pool) > 0) {
        pthread_mutex_lock(&pool->lock);
        struct tsfs_pool_job **at = &pool->jobs;
        while (*at != NULL && *at != job)
            at = &(*at)->next;
        if (*at == job)
            *at = job->next;
        while (job->inside > 0)
            pthread_cond_wait(&pool->leave, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
    free(job);
}
