/* Rows made by several threads ahead of their reader: the same bytes whatever the threads do, an end to the
 * work when the reader pauses or goes, errors behind the rows that came before them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "engine/query_lanes.h"
#include "mock_source.h"
#include "plan_build.h"

#define HOSTS 16u
#define ROWS  2000u
#define STEP  (10 * TSFS_NS_PER_S)

static struct tsfs_arena arena;
static struct mock_table cpu;

static int set_up(void **state)
{
    tsfs_arena_init(&arena, NULL);
    pb_arena = &arena;
    mock_table_cpu(&cpu, HOSTS, ROWS, 0, STEP, true);
    return 0;
}

static int tear_down(void **state)
{
    mock_table_free(&cpu);
    tsfs_arena_free(&arena);
    return mock_open();
}

/* A source that counts its runs, fails at one of them, and takes its time. */
struct watched {
    _Atomic int runs;
    int fail_at; /* 0: never */
    int delay;   /* microseconds */
    atomic_bool away, asked_away;
};

static int on_run(void *ctx, struct tsfs_error *err)
{
    struct watched *w = ctx;
    int n = atomic_fetch_add(&w->runs, 1) + 1;
    if (w->delay > 0)
        usleep((useconds_t)w->delay);
    return n == w->fail_at ? tsfs_error_set(err, -EIO, "the disk said no") : 0;
}

static bool ask(void *ctx)
{
    struct watched *w = ctx;
    if (w->away)
        w->asked_away = true;
    return false;
}

struct query {
    struct watched watched;
    bool long_parts; /* longer than the buffer of a lane */
    bool none;       /* no row passes the filter */
    struct tsfs_source *source;
    struct tsfs_pool *pool;
    struct tsfs_budget budget;
    struct tsfs_str names[16];
    enum tsfs_type types[16];
    struct tsfs_exec *exec;
    struct query_lanes *lanes;
    struct result result;
    struct tsfs_error err;
    _Atomic bool cancel;
    int64_t away_time; /* ns that workers have between rounds, 0: no limit */
    int64_t worked;    /* what lanes had when the last one ended */
};

/* Few rows of the table pass, or all. */
static struct tsfs_plan *rows_of(struct tsfs_source *source, bool few)
{
    struct tsfs_plan *scan = pb_scan(source);
    if (few)
        scan->scan.row_filter = pb_call(">", pb_scan_col(scan, "usage_user"), pb_big(80), NULL);
    return scan;
}

static void open_query(struct query *q, unsigned threads, bool few, enum tsfs_format format, size_t memory)
{
    struct mock_options o = {.partition = q->long_parts ? TSFS_NS_PER_HOUR : TSFS_NS_PER_HOUR / 3,
                             .parts = q->long_parts ? 1 : 4,
                             .block_rows = 256,
                             .run_rows = 100,
                             .on_run = on_run,
                             .on_run_ctx = &q->watched};
    assert_int_equal(tsfs_pool_create(threads, &q->pool), 0);
    q->source = mock_source_create(&cpu, &o);
    q->budget.limit = memory;
    q->result.spill_fd = -1;
    struct tsfs_plan *plan = rows_of(q->source, few);
    if (q->none)
        plan->scan.row_filter = pb_call(">", pb_scan_col(plan, "usage_user"), pb_big(1000), NULL);
    assert_true(plan->ncols <= 16);
    for (uint32_t i = 0; i < plan->ncols; i++) {
        q->names[i] = plan->cols[i].name;
        q->types[i] = plan->cols[i].type;
    }
    struct tsfs_exec_options options = {.pool = q->pool,
                                        .budget = &q->budget,
                                        .cancel = &q->cancel,
                                        .interrupted = ask,
                                        .interrupted_ctx = &q->watched};
    assert_int_equal(tsfs_exec_open(plan, &options, &q->exec, &q->err), 0);
    const struct query_lanes_options lanes = {.exec = q->exec,
                                              .pool = q->pool,
                                              .budget = &q->budget,
                                              .format = format,
                                              .names = q->names,
                                              .types = q->types,
                                              .ncols = plan->ncols};
    assert_int_equal(query_lanes_open(&lanes, &q->lanes, &q->err), 0);
    assert_non_null(q->lanes);
}

static void close_query(struct query *q)
{
    q->cancel = true;
    query_lanes_close(q->lanes);
    tsfs_exec_close(q->exec);
    assert_int_equal(q->budget.used, 0);
    q->source->ops->free(q->source);
    assert_int_equal(mock_open(), 0);
    tsfs_pool_free(q->pool);
    result_free(&q->result);
}

static int round_of(struct query *q)
{
    tsfs_exec_resume(q->exec, &q->watched, 0);
    q->watched.away = false;
    int rc = query_lanes_round(q->lanes, &q->result, NULL, &q->err);
    q->worked = query_lanes_worked(q->lanes);
    tsfs_exec_leave(q->exec, q->away_time ? tsfs_time_monotonic() + q->away_time : 0);
    q->watched.away = true;
    return rc;
}

/* What one thread makes of the plan, batch by batch. */
static void make_expected(bool few, bool long_parts, enum tsfs_format format, struct tsfs_buf *out)
{
    struct mock_options o = {.partition = long_parts ? TSFS_NS_PER_HOUR : TSFS_NS_PER_HOUR / 3,
                             .parts = long_parts ? 1 : 4};
    struct tsfs_source *source = mock_source_create(&cpu, &o);
    struct tsfs_plan *plan = rows_of(source, few);
    struct tsfs_str names[16];
    enum tsfs_type types[16];
    for (uint32_t i = 0; i < plan->ncols; i++) {
        names[i] = plan->cols[i].name;
        types[i] = plan->cols[i].type;
    }
    struct tsfs_formatter *f;
    struct tsfs_exec *exec;
    struct tsfs_batch *batch;
    struct tsfs_error err = {0};
    assert_int_equal(tsfs_format_create(format, names, types, plan->ncols, &f), 0);
    assert_int_equal(tsfs_exec_open(plan, &(struct tsfs_exec_options){0}, &exec, &err), 0);
    int rc;
    while ((rc = tsfs_exec_next(exec, &batch, &err)) > 0)
        assert_int_equal(tsfs_format_batch(f, batch, out), 0);
    assert_int_equal(rc, 0);
    tsfs_exec_close(exec);
    tsfs_format_free(f);
    source->ops->free(source);
}

/* The result so far is how the expected bytes begin. */
static void check_bytes(const struct query *q, const struct tsfs_buf *expected, bool whole)
{
    uint64_t n = q->result.produced;
    assert_true(whole ? n == expected->len : n < expected->len);
    char *bytes = malloc(n + 1);
    if (n > 0)
        assert_int_equal(result_read(&q->result, bytes, n, 0), n);
    assert_memory_equal(bytes, expected->data, n);
    free(bytes);
}

static void same_bytes_for_any_threads(void **state)
{
    for (int how = 0; how < 8; how++) {
        bool few = how & 1, long_parts = how & 4;
        enum tsfs_format format = how & 2 ? TSFS_FORMAT_JSON : TSFS_FORMAT_CSV;
        struct tsfs_buf expected = {0};
        make_expected(few, long_parts, format, &expected);
        for (unsigned threads = 1; threads <= 4; threads++) {
            struct query q = {.long_parts = long_parts};
            open_query(&q, threads, few, format, 0);
            int rc;
            while ((rc = round_of(&q)) > 0)
                ;
            assert_int_equal(rc, 0);
            check_bytes(&q, &expected, true);
            close_query(&q);
        }
        tsfs_buf_free(&expected);
    }
}

/* As many runs as there are when no more come; they may be late in coming, up to `least`. */
static int settled(struct watched *w, int least)
{
    int before = -1;
    for (int i = 0; i < 200 && (before != w->runs || before < least); i++) {
        before = w->runs;
        usleep(100000);
    }
    assert_int_equal(before, w->runs);
    return before;
}

static void a_reader_that_pauses_stops_the_work(void **state)
{
    struct tsfs_buf expected = {0};
    struct query q = {0};
    make_expected(false, false, TSFS_FORMAT_CSV, &expected);
    open_query(&q, 3, false, TSFS_FORMAT_CSV, 0);
    int rc, first = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(round_of(&q), 1);
        first = settled(&q.watched, 0);
    }
    assert_true(first > 0);
    assert_false(q.watched.asked_away);
    while ((rc = round_of(&q)) > 0)
        ;
    assert_int_equal(rc, 0);
    assert_true(first < q.watched.runs / 2);
    check_bytes(&q, &expected, true);
    close_query(&q);
    tsfs_buf_free(&expected);
}

static void work_goes_on_while_the_reader_is_away(void **state)
{
    struct query q = {.watched = {.delay = 200}};
    open_query(&q, 2, false, TSFS_FORMAT_CSV, 0);
    assert_int_equal(round_of(&q), 1);
    int before = q.watched.runs;
    for (int i = 0; i < 5000 && q.watched.runs < before + 40; i++)
        usleep(1000);
    assert_true(q.watched.runs >= before + 40);
    assert_false(q.watched.asked_away);
    close_query(&q);
}

static void closing_in_the_midst(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct query q = {.watched = {.delay = i % 3 * 20}};
        open_query(&q, 1 + (unsigned)i % 4, i & 1, TSFS_FORMAT_CSV, 0);
        for (int k = 0; k < i % 5; k++)
            assert_int_equal(round_of(&q), 1);
        close_query(&q);
    }
}

/* Workers that look for rows and find none.  The thread that closes may itself be kept waiting by the
 * machine, so one try of several must end at once. */
static void closing_a_long_search(void **state)
{
    bool at_once = false;
    for (int try = 0; try < 10 && !at_once; try++) {
        struct query q = {.none = true, .long_parts = true, .watched = {.delay = 5000}};
        open_query(&q, 3, true, TSFS_FORMAT_CSV, 0);
        assert_int_equal(round_of(&q), 1);
        usleep(50000); /* of some 300 ms that a part takes */
        int before = q.watched.runs;
        query_lanes_close(q.lanes);
        q.lanes = NULL;
        at_once = q.watched.runs <= before + 4;
        close_query(&q);
    }
    assert_true(at_once);
}

/* Workers of a reader that has paused find nothing for longer than they may.  Whether any of them is at work
 * when the reader leaves is the machine's affair, so one try of several must come to that. */
static void a_long_search_while_the_reader_is_away(void **state)
{
    int rc = 0;
    for (int try = 0; try < 20 && rc == 0; try++) {
        struct query q = {
            .none = true, .long_parts = true, .away_time = 60 * TSFS_NS_PER_MS, .watched = {.delay = 5000}};
        open_query(&q, 3, true, TSFS_FORMAT_CSV, 0);
        int64_t began = tsfs_time_monotonic();
        assert_int_equal(round_of(&q), 1);
        int before = q.watched.runs, after = settled(&q.watched, 0);
        assert_true(after <= before + 3 * 40); /* 12 of each thread in time; all have some thousand */
        int64_t worked = query_lanes_worked(q.lanes) - q.worked;
        assert_true(worked <= tsfs_time_monotonic() - began && (worked > 0 || after == before));
        while ((rc = round_of(&q)) > 0) /* parts that were through in time */
            ;
        close_query(&q);
    }
    assert_int_equal(rc, -ETIMEDOUT);
}

/* All of the time passes before a worker comes to begin: it has done nothing yet, and nothing is wrong. */
static void time_that_passes_without_work(void **state)
{
    struct tsfs_buf expected = {0};
    struct query q = {.away_time = 1};
    make_expected(false, false, TSFS_FORMAT_CSV, &expected);
    open_query(&q, 3, false, TSFS_FORMAT_CSV, 0);
    int rc;
    while ((rc = round_of(&q)) > 0)
        if (query_lanes_worked(q.lanes) == q.worked)
            usleep(1000);
    assert_true(rc == 0 || rc == -ETIMEDOUT); /* the latter: one was at work when the reader left */
    check_bytes(&q, &expected, rc == 0);
    close_query(&q);
    tsfs_buf_free(&expected);
}

static void hold(void *released)
{
    while (!atomic_load((atomic_bool *)released))
        usleep(1000);
}

/* Workers that others keep busy come late to the lanes: their waiting is not the query's time. */
static void waiting_for_workers_is_not_work(void **state)
{
    struct query q = {.long_parts = true};
    struct tsfs_pool_job *job;
    atomic_bool released = false;
    open_query(&q, 2, true, TSFS_FORMAT_CSV, 0);
    assert_int_equal(tsfs_pool_job_create(q.pool, hold, &released, &job), 0);
    tsfs_pool_job_add(job, 1); /* the only worker's */
    assert_int_equal(round_of(&q), 1);
    int before = q.watched.runs;
    usleep(500 * 1000);
    assert_int_equal(q.watched.runs, before);
    int64_t worked = query_lanes_worked(q.lanes), freed = tsfs_time_monotonic();
    released = true;
    assert_true(settled(&q.watched, before + 1) > before);
    assert_true(query_lanes_worked(q.lanes) - worked <= tsfs_time_monotonic() - freed);
    tsfs_pool_job_free(job);
    close_query(&q);
}

static void errors_come_behind_the_rows_before_them(void **state)
{
    struct tsfs_buf expected = {0};
    make_expected(false, false, TSFS_FORMAT_CSV, &expected);
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct query q = {.watched = {.fail_at = 300}};
        open_query(&q, threads, false, TSFS_FORMAT_CSV, 0);
        int rc;
        while ((rc = round_of(&q)) > 0)
            ;
        assert_int_equal(rc, -EIO);
        assert_string_equal(q.err.message, "the disk said no");
        assert_true(q.result.produced > 0);
        check_bytes(&q, &expected, false);
        close_query(&q);
    }
    tsfs_buf_free(&expected);
}

static void little_memory_is_one_lane(void **state)
{
    struct tsfs_buf expected = {0};
    make_expected(true, false, TSFS_FORMAT_CSV, &expected);
    static const size_t limits[] = {1u << 20, 3u << 19, 3u << 20};
    for (unsigned i = 0; i < 3; i++) {
        struct query q = {0};
        open_query(&q, 3, true, TSFS_FORMAT_CSV, limits[i]);
        int rc;
        while ((rc = round_of(&q)) > 0)
            assert_true(q.budget.used <= limits[i]);
        assert_int_equal(rc, 0);
        check_bytes(&q, &expected, true);
        close_query(&q);
    }
    tsfs_buf_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_for_any_threads),
        cmocka_unit_test(a_reader_that_pauses_stops_the_work),
        cmocka_unit_test(work_goes_on_while_the_reader_is_away),
        cmocka_unit_test(closing_in_the_midst),
        cmocka_unit_test(closing_a_long_search),
        cmocka_unit_test(a_long_search_while_the_reader_is_away),
        cmocka_unit_test(time_that_passes_without_work),
        cmocka_unit_test(waiting_for_workers_is_not_work),
        cmocka_unit_test(errors_come_behind_the_rows_before_them),
        cmocka_unit_test(little_memory_is_one_lane),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
