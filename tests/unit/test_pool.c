/* The pool: each task once, worker numbers never shared, the first error stops, callers do not disturb each
 * other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/pool.h"

#define N 20000

struct job {
    struct tsfs_pool *pool;
    _Atomic unsigned char done[N];
    atomic_int busy[64];
    atomic_int shared;
    int fail_at;
    atomic_int after;
};

static int task(void *ctx, size_t i, unsigned worker)
{
    struct job *job = ctx;
    if (worker > tsfs_pool_threads(job->pool) || atomic_fetch_add(&job->busy[worker], 1) != 0)
        atomic_store(&job->shared, 1);
    atomic_fetch_add(&job->done[i], 1);
    if (i % 64 == 0)
        sched_yield();
    atomic_fetch_sub(&job->busy[worker], 1);
    return job->fail_at >= 0 && i == (size_t)job->fail_at ? -7 : 0;
}

static void run_once(struct tsfs_pool *pool, size_t n)
{
    static _Thread_local struct job job;
    for (size_t i = 0; i < N; i++)
        atomic_store(&job.done[i], 0);
    job.pool = pool;
    job.fail_at = -1;
    assert_int_equal(tsfs_pool_run(pool, task, &job, n), 0);
    for (size_t i = 0; i < N; i++)
        if (job.done[i] != (i < n))
            fail_msg("task %zu of %zu ran %d times", i, n, job.done[i]);
    assert_int_equal(job.shared, 0);
}

static void each_task_once(void **state)
{
    for (unsigned threads = 0; threads < 5; threads++) {
        struct tsfs_pool *pool;
        assert_int_equal(tsfs_pool_create(threads, &pool), 0);
        if (threads > 0)
            assert_int_equal(tsfs_pool_threads(pool), threads - 1); /* the caller is one */
        size_t sizes[] = {0, 1, 2, 3, 100, N};
        for (size_t i = 0; i < 6; i++)
            run_once(pool, sizes[i]);
        tsfs_pool_free(pool);
    }
    run_once(NULL, 100);
    tsfs_pool_free(NULL);
}

static void first_error_stops(void **state)
{
    static struct job job;
    assert_int_equal(tsfs_pool_create(3, &job.pool), 0);
    job.fail_at = 10;
    assert_int_equal(tsfs_pool_run(job.pool, task, &job, N), -7);
    size_t ran = 0;
    for (size_t i = 0; i < N; i++)
        ran += job.done[i];
    assert_true(ran >= 11 && ran < N);
    tsfs_pool_free(job.pool);
}

static void *caller(void *pool)
{
    for (int i = 0; i < 50; i++)
        run_once(pool, 500);
    return NULL;
}

static void several_callers(void **state)
{
    struct tsfs_pool *pool;
    assert_int_equal(tsfs_pool_create(3, &pool), 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, caller, pool), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    tsfs_pool_free(pool);
}

static int nested(void *ctx, size_t i, unsigned worker)
{
    run_once(ctx, 50);
    return 0;
}

static void runs_within_runs(void **state)
{
    struct tsfs_pool *pool;
    assert_int_equal(tsfs_pool_create(3, &pool), 0);
    assert_int_equal(tsfs_pool_run(pool, nested, pool, 20), 0);
    tsfs_pool_free(pool);
}

struct counted {
    atomic_int begun, under_way, most;
};

static void count(void *ctx)
{
    struct counted *c = ctx;
    int now = atomic_fetch_add(&c->under_way, 1) + 1, most = c->most;
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        ;
    sched_yield();
    atomic_fetch_add(&c->begun, 1);
    atomic_fetch_sub(&c->under_way, 1);
}

static void jobs_are_done_by_workers(void **state)
{
    struct tsfs_pool *pool;
    struct tsfs_pool_job *jobs[3];
    struct counted counted[3] = {0};
    assert_int_equal(tsfs_pool_create(3, &pool), 0);
    for (int j = 0; j < 3; j++)
        assert_int_equal(tsfs_pool_job_create(pool, count, &counted[j], &jobs[j]), 0);
    for (int i = 0; i < 1000; i++)
        for (int j = 0; j < 3; j++)
            tsfs_pool_job_add(jobs[j], (unsigned)(i % 2 + j));
    run_once(pool, 500); /* which goes before them */
    for (int j = 0; j < 3; j++)
        while (counted[j].begun < 500 + 1000 * j)
            sched_yield();
    for (int j = 0; j < 3; j++) {
        tsfs_pool_job_free(jobs[j]);
        assert_int_equal(counted[j].begun, 500 + 1000 * j);
        assert_true(counted[j].most <= 2); /* the caller is no worker */
    }
    tsfs_pool_free(pool);
}

static void a_freed_job_is_at_rest(void **state)
{
    struct tsfs_pool *pool;
    assert_int_equal(tsfs_pool_create(4, &pool), 0);
    for (int i = 0; i < 2000; i++) {
        struct tsfs_pool_job *job;
        struct counted counted = {0};
        assert_int_equal(tsfs_pool_job_create(pool, count, &counted, &job), 0);
        tsfs_pool_job_add(job, 5);
        if (i % 2)
            sched_yield();
        tsfs_pool_job_free(job);
        assert_int_equal(counted.under_way, 0);
        assert_true(counted.begun <= 5);
    }
    tsfs_pool_free(pool);
    tsfs_pool_job_free(NULL);
}

static void without_workers_no_job_is_done(void **state)
{
    struct tsfs_pool *pool;
    struct tsfs_pool_job *job;
    struct counted counted = {0};
    assert_int_equal(tsfs_pool_create(1, &pool), 0);
    assert_int_equal(tsfs_pool_job_create(pool, count, &counted, &job), 0);
    tsfs_pool_job_add(job, 5);
    tsfs_pool_job_free(job);
    assert_int_equal(counted.begun, 0);
    tsfs_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_once),
        cmocka_unit_test(first_error_stops),
        cmocka_unit_test(several_callers),
        cmocka_unit_test(runs_within_runs),
        cmocka_unit_test(jobs_are_done_by_workers),
        cmocka_unit_test(a_freed_job_is_at_rest),
        cmocka_unit_test(without_workers_no_job_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
