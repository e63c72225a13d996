/* Operators and the life of a query: limits, memory, cancelling, what is read and what is not. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "exec_run.h"
#include "mock_source.h"
#include "plan_build.h"

#define MEMORY_HINT ": raise that in config, or ask for fewer rows, columns or groups at once"

#define HOSTS 20u
#define ROWS  20000u
#define STEP  (10 * TSFS_NS_PER_S)

static struct tsfs_arena arena;
static struct mock_table cpu;
static struct tsfs_pool *pool;

static const struct mock_options parallel = {
    .partition = TSFS_NS_PER_DAY, .parts = 4, .block_rows = 256, .no_estimates = true};

static int set_up(void **state)
{
    tsfs_arena_init(&arena, NULL);
    pb_arena = &arena;
    mock_table_cpu(&cpu, HOSTS, ROWS, 0, STEP, false);
    return tsfs_pool_create(3, &pool);
}

static int tear_down(void **state)
{
    tsfs_pool_free(pool);
    mock_table_free(&cpu);
    tsfs_arena_free(&arena);
    return mock_open();
}

static struct result run_ok(const struct tsfs_plan *plan, struct tsfs_pool *with)
{
    struct tsfs_error err = {0};
    struct result r;
    int rc = run_plan(plan, &(struct tsfs_exec_options){.pool = with}, &arena, &r, &err);
    if (rc != 0)
        fail_msg("%d: %s", rc, err.message);
    return r;
}

static struct tsfs_value big(int64_t i)
{
    return (struct tsfs_value){.type = TSFS_BIGINT, .i = i};
}

static struct tsfs_plan *numbers(uint64_t n)
{
    static const enum tsfs_type types[] = {TSFS_BIGINT};
    struct tsfs_value *rows = tsfs_arena_alloc(&arena, (n + 1) * sizeof(*rows));
    for (uint64_t i = 0; i < n; i++)
        rows[i] = big((int64_t)i);
    return pb_values(types, 1, rows, n);
}

static void values_without_columns_are_rows(void **state)
{
    struct tsfs_plan *one = pb_values(NULL, 0, NULL, 1);
    E *exprs[] = {pb_call("+", pb_big(1), pb_big(2), NULL)};
    struct result r = run_ok(pb_project(one, exprs, 1), NULL);
    assert_int_equal(r.nrows, 1);
    assert_int_equal(r.values[0].i, 3);
}

static void limit_and_offset(void **state)
{
    static const uint64_t cases[][3] = {/* limit, offset, rows of 5000 */
                                        {10, 0, 10},        {0, 0, 0},     {UINT64_MAX, 4990, 10},
                                        {3000, 1000, 3000}, {10, 5000, 0}, {10, 4995, 5},
                                        {2048, 2048, 2048}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result r = run_ok(pb_limit(numbers(5000), cases[i][0], cases[i][1]), NULL);
        assert_int_equal(r.nrows, cases[i][2]);
        for (size_t k = 0; k < r.nrows; k++)
            assert_int_equal(r.values[k].i, cases[i][1] + k);
    }
}

static void sort_is_stable_and_places_nulls(void **state)
{
    static const enum tsfs_type types[] = {TSFS_DOUBLE, TSFS_BIGINT};
    enum { N = 9000 };
    struct tsfs_value *rows = tsfs_arena_calloc(&arena, N * 2, sizeof(*rows));
    uint64_t rng = 3;
    for (int i = 0; i < N; i++) {
        uint64_t r = mock_rand(&rng);
        rows[i * 2] = (struct tsfs_value){.type = TSFS_DOUBLE, .null = r % 10 == 0};
        rows[i * 2].d = r % 10 == 1 ? strtod("nan", NULL) : (double)(r >> 8 & 15) - 7;
        rows[i * 2 + 1] = big(i);
    }
    for (int how = 0; how < 8; how++) {
        uint64_t limit = how & 4 ? 1000 : UINT64_MAX;
        struct tsfs_plan_key key = {pb_col(0, TSFS_DOUBLE), how & 1, (how & 2) != 0};
        struct result r = run_ok(pb_sort(pb_values(types, 2, rows, N), &key, 1, limit), NULL);
        assert_int_equal(r.nrows, limit < N ? limit : N);
        for (size_t i = 1; i < r.nrows; i++) {
            struct tsfs_value *a = &r.values[i * 2 - 2], *b = a + 2;
            int rank_a = a->null ? ((how & 2) ? -1 : 1) : 0, rank_b = b->null ? ((how & 2) ? -1 : 1) : 0;
            assert_true(rank_a <= rank_b);
            if (rank_a != rank_b)
                continue;
            bool nan_a = a->d != a->d, nan_b = b->d != b->d;
            bool equal = a->null || (nan_a && nan_b) || a->d == b->d;
            if (equal)
                assert_true(a[1].i < b[1].i); /* the order in which they came */
            else if (how & 1)
                assert_true(nan_a || a->d > b->d);
            else
                assert_true(nan_b || a->d < b->d);
        }
    }
}

static void sort_by_long_strings(void **state)
{
    static const enum tsfs_type types[] = {TSFS_VARCHAR};
    enum { N = 3000 };
    struct tsfs_value *rows = tsfs_arena_calloc(&arena, N, sizeof(*rows));
    uint64_t rng = 9;
    for (int i = 0; i < N; i++)
        rows[i] = (struct tsfs_value){
            .type = TSFS_VARCHAR,
            .s = tsfs_str_from(tsfs_arena_printf(&arena, "same start %d", (int)(mock_rand(&rng) % 100000)))};
    struct tsfs_plan_key key = {pb_col(0, TSFS_VARCHAR), true, false};
    struct result r = run_ok(pb_sort(pb_values(types, 1, rows, N), &key, 1, UINT64_MAX), NULL);
    assert_int_equal(r.nrows, N);
    for (int i = 1; i < N; i++)
        assert_true(tsfs_str_cmp(r.values[i - 1].s, r.values[i].s) >= 0);
}

/* A limit keeps memory small whatever comes in: 200,000 rows through the room of some thousands. */
static void top_rows_fit_into_little_memory(void **state)
{
    struct tsfs_source *source = mock_source_create(&cpu, &(struct mock_options){.copies = true});
    struct tsfs_plan *scan = pb_scan(source);
    struct tsfs_plan_key keys[] = {{pb_scan_col(scan, "usage_user"), true, false},
                                   {pb_scan_col(scan, "time"), false, false},
                                   {pb_scan_col(scan, "hostname"), false, false}};
    struct tsfs_plan *all = pb_sort(scan, keys, 3, UINT64_MAX), *top = pb_sort(scan, keys, 3, 100);
    struct tsfs_budget budget = {.limit = 8u << 20};
    struct tsfs_exec_options options = {.budget = &budget};
    struct tsfs_error err = {0};
    struct result want = run_ok(all, NULL), got;
    assert_int_equal(run_plan(top, &options, &arena, &got, &err), 0);
    assert_int_equal(got.nrows, 100);
    const char **w = result_text(&arena, &want), **g = result_text(&arena, &got);
    for (int i = 0; i < 100; i++)
        assert_string_equal(w[i], g[i]);
    assert_int_equal(budget.used, 0);
    assert_int_equal(run_plan(all, &options, &arena, &got, &err), -ENOMEM);
    assert_string_equal(err.message, "ORDER BY needs more than query_memory (8 MiB)" MEMORY_HINT);
    assert_int_equal(budget.used, 0);
    source->ops->free(source);
}

/* Two threads that have come to a scan's runs, each waiting for the other. */
struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t change;
    pthread_t first;
    unsigned came;
};

static int meet(void *ctx, struct tsfs_error *err)
{
    struct meeting *m = ctx;
    struct timespec until;
    int rc = 0;
    (void)err;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&m->lock);
    if (m->came == 0)
        m->first = pthread_self();
    if (m->came == 0 || (m->came == 1 && !pthread_equal(m->first, pthread_self())))
        m->came++;
    pthread_cond_broadcast(&m->change);
    while (m->came < 2 && rc == 0)
        rc = pthread_cond_timedwait(&m->change, &m->lock, &until);
    pthread_mutex_unlock(&m->lock);
    return -rc;
}

/* ORDER BY with a limit: all threads read, and rows that tie stay in the order in which they came. */
static void top_rows_are_gathered_by_all_threads(void **state)
{
    static const uint64_t limits[] = {1, 700, 37, 5000}; /* 37 and 5,000: among many ties */
    struct mock_options o = parallel;
    o.no_estimates = false;
    o.copies = true;
    struct tsfs_source *source = mock_source_create(&cpu, &o);
    for (int how = 0; how < 8; how++) {
        struct tsfs_plan *input = pb_scan(source);
        struct tsfs_plan_key key = {pb_scan_col(input, "usage_user"), how & 1, false};
        if (how & 2) {
            input = pb_filter(input, pb_call(">", pb_scan_col(input, "usage_idle"), pb_double(40), NULL));
            key.expr = pb_call("floor", key.expr, NULL); /* many rows tie */
        }
        struct tsfs_plan *few = pb_sort(input, &key, 1, limits[how & 3]);
        few->sort.ties = how & 4;
        struct result all = run_ok(pb_sort(input, &key, 1, 30000), NULL);
        struct result one = run_ok(few, NULL), many = run_ok(few, pool);
        assert_true(few->sort.ties ? one.nrows >= limits[how & 3] : one.nrows == limits[how & 3]);
        assert_int_equal(one.nrows, many.nrows);
        for (size_t i = 0; i < one.nrows; i += 1 + i / 50) {
            const char *want = i < all.nrows ? row_text(&arena, &all.values[i * all.ncols], all.ncols)
                                             : row_text(&arena, &one.values[i * one.ncols], one.ncols);
            assert_string_equal(row_text(&arena, &one.values[i * one.ncols], one.ncols), want);
            assert_string_equal(row_text(&arena, &many.values[i * many.ncols], many.ncols), want);
        }
    }
    source->ops->free(source);

    struct meeting m = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
    o.on_run = meet;
    o.on_run_ctx = &m;
    source = mock_source_create(&cpu, &o);
    struct tsfs_plan *scan = pb_scan(source);
    struct tsfs_plan_key key = {pb_scan_col(scan, "usage_user"), true, false};
    assert_int_equal(run_ok(pb_sort(scan, &key, 1, 10), pool).nrows, 10);
    assert_int_equal(m.came, 2);

    /* What no thread has room for is refused as if one had read it. */
    struct tsfs_budget budget = {.limit = 3u << 20};
    struct tsfs_error err = {0};
    struct result r;
    assert_int_equal(run_plan(pb_sort(scan, &key, 1, 16000),
                              &(struct tsfs_exec_options){.pool = pool, .budget = &budget}, &arena, &r, &err),
                     -ENOMEM);
    assert_string_equal(err.message, "ORDER BY needs more than query_memory (3 MiB)" MEMORY_HINT);
    assert_int_equal(budget.used, 0);
    source->ops->free(source);
}

static void many_groups_fit_and_too_many_are_refused(void **state)
{
    struct tsfs_plan *in = numbers(300000);
    E *groups[] = {pb_col(0, TSFS_BIGINT)};
    struct tsfs_plan_aggregate aggs[] = {pb_agg("count", NULL, NULL),
                                         pb_agg("max", pb_col(0, TSFS_BIGINT), NULL)};
    struct tsfs_plan *plan = pb_aggregate(in, groups, 1, aggs, 2);
    struct result r = run_ok(plan, NULL);
    assert_int_equal(r.nrows, 300000);
    for (size_t i = 0; i < r.nrows; i++) {
        assert_int_equal(r.values[i * 3].i, i);
        assert_int_equal(r.values[i * 3 + 1].i, 1);
        assert_int_equal(r.values[i * 3 + 2].i, i);
    }
    struct tsfs_budget budget = {.limit = 4u << 20};
    struct tsfs_error err = {0};
    assert_int_equal(run_plan(plan, &(struct tsfs_exec_options){.budget = &budget}, &arena, &r, &err),
                     -ENOMEM);
    assert_string_equal(err.message, "GROUP BY needs more than query_memory (4 MiB)" MEMORY_HINT);
    assert_int_equal(budget.used, 0);
    plan = pb_aggregate(in, groups, 1, NULL, 0);
    memset(&err, 0, sizeof(err));
    assert_int_equal(run_plan(plan, &(struct tsfs_exec_options){.budget = &budget}, &arena, &r, &err),
                     -ENOMEM);
    assert_string_equal(err.message, "DISTINCT needs more than query_memory (4 MiB)" MEMORY_HINT);
}

/* The same through a source and threads. */
static void refusals_of_workers_are_named(void **state)
{
    struct tsfs_source *source = mock_source_create(&cpu, &parallel);
    struct tsfs_plan *scan = pb_scan(source);
    E *groups[] = {pb_scan_col(scan, "time"), pb_scan_col(scan, "usage_user")};
    struct tsfs_plan_aggregate aggs[] = {pb_agg("count", NULL, NULL)};
    struct tsfs_budget budget = {.limit = 6u << 20};
    struct tsfs_error err = {0};
    struct result r;
    int rc = run_plan(pb_aggregate(scan, groups, 2, aggs, 1),
                      &(struct tsfs_exec_options){.budget = &budget, .pool = pool}, &arena, &r, &err);
    assert_int_equal(rc, -ENOMEM);
    assert_string_equal(err.message, "GROUP BY needs more than query_memory (6 MiB)" MEMORY_HINT);
    assert_int_equal(budget.used, 0);
    source->ops->free(source);
}

static void no_rows_make_one_group_or_none(void **state)
{
    struct tsfs_plan *none = numbers(0);
    struct tsfs_source *source = mock_source_create(&cpu, &parallel);
    struct tsfs_plan *scan = pb_scan(source);
    scan->scan.time_min = -100;
    scan->scan.time_max = -1;
    struct tsfs_plan *inputs[] = {none, scan};
    for (int i = 0; i < 2; i++) {
        E *x = pb_col(0, inputs[i]->cols[0].type), *groups[] = {x};
        struct tsfs_plan_aggregate aggs[] = {pb_agg("count", NULL, NULL), pb_agg("max", x, NULL)};
        struct result r = run_ok(pb_aggregate(inputs[i], NULL, 0, aggs, 2), pool);
        assert_int_equal(r.nrows, 1);
        assert_int_equal(r.values[0].i, 0);
        assert_true(r.values[1].null);
        r = run_ok(pb_aggregate(inputs[i], groups, 1, aggs, 2), pool);
        assert_int_equal(r.nrows, 0);
    }
    scan->scan.time_min = INT64_MIN;
    scan->scan.time_max = INT64_MAX;
    scan->scan.empty = true;
    struct tsfs_plan_aggregate count[] = {pb_agg("count", NULL, NULL)};
    struct result r = run_ok(pb_aggregate(scan, NULL, 0, count, 1), pool);
    assert_int_equal(r.values[0].i, 0);
    assert_int_equal(run_ok(scan, pool).nrows, 0);
    source->ops->free(source);
}

/* Whole blocks come from summaries, the latest point of each series without reading runs. */
static void summaries_answer_whole_blocks(void **state)
{
    struct tsfs_source *source =
        mock_source_create(&cpu, &(struct mock_options){.block_rows = 1000, .copies = true});
    struct tsfs_plan *scan = pb_scan(source);
    E *groups[] = {pb_scan_col(scan, "hostname")}, *x = pb_scan_col(scan, "usage_user");
    E *time = pb_scan_col(scan, "time");
    struct tsfs_plan_aggregate aggs[] = {pb_agg("avg", x, NULL), pb_agg("count", NULL, NULL),
                                         pb_agg("max", x, NULL), pb_agg("max_by", x, time),
                                         pb_agg("max", time, NULL)};
    struct result r = run_ok(pb_aggregate(scan, groups, 1, aggs, 5), NULL);
    assert_int_equal(r.nrows, HOSTS);
    /* 20 blocks for avg, 20 for max, one for max_by: of each host */
    assert_int_equal(r.stats.scan.blocks_from_summary, HOSTS * 41);
    for (uint32_t h = 0; h < HOSTS; h++) {
        const struct tsfs_value *row = &r.values[h * 6];
        const double *v = cpu.series[h].measures[0].data;
        double sum = 0, max = 0;
        for (uint32_t i = 0; i < ROWS; i++) {
            sum += v[i];
            max = v[i] > max ? v[i] : max;
        }
        assert_true(row[1].d - sum / ROWS < 1e-9 && sum / ROWS - row[1].d < 1e-9);
        assert_int_equal(row[2].i, ROWS);
        assert_true(row[3].d == max);
        assert_true(row[4].d == v[ROWS - 1]);
        assert_int_equal(row[5].i, cpu.series[h].times[ROWS - 1]);
    }
    source->ops->free(source);
}

/* ORDER BY bin DESC LIMIT n reads the end of time only. */
static void wanted_bins_are_read_from_their_end(void **state)
{
    for (int newest = 0; newest < 2; newest++) {
        struct tsfs_source *source = mock_source_create(&cpu, &parallel);
        struct tsfs_plan *scan = pb_scan(source);
        E *groups[] = {pb_call("bin", pb_scan_col(scan, "time"), pb_interval(TSFS_NS_PER_MIN), NULL)};
        struct tsfs_plan_aggregate aggs[] = {pb_agg("max", pb_scan_col(scan, "usage_user"), NULL)};
        struct tsfs_plan *agg = pb_aggregate(scan, groups, 1, aggs, 1);
        struct tsfs_plan_key key = {pb_col(0, TSFS_TIMESTAMP), newest, false};
        E *same[] = {pb_col(1, TSFS_DOUBLE), pb_col(0, TSFS_TIMESTAMP)};
        struct tsfs_plan *project = pb_project(agg, same, 2);
        struct tsfs_plan_key through = {pb_col(1, TSFS_TIMESTAMP), newest, false};
        struct result all = run_ok(pb_sort(agg, &key, 1, UINT64_MAX), pool);
        struct result few = run_ok(pb_sort(agg, &key, 1, 5), pool);
        struct result moved = run_ok(pb_sort(project, &through, 1, 5), pool);
        assert_int_equal(few.nrows, 5);
        const char **w = result_text(&arena, &all), **g = result_text(&arena, &few);
        for (int i = 0; i < 5; i++) {
            assert_string_equal(w[i], g[i]);
            assert_int_equal(moved.values[i * 2 + 1].i, few.values[i * 2].i);
        }
        assert_true(few.stats.scan.rows < all.stats.scan.rows / 50);
        assert_true(moved.stats.scan.rows < all.stats.scan.rows / 50);
        assert_int_equal(few.stats.partitions_total, all.stats.partitions_total);
        /* A filter between them takes groups away: then everything must be read. */
        struct tsfs_plan *having = pb_filter(agg, pb_call(">", pb_col(1, TSFS_DOUBLE), pb_double(-1), NULL));
        struct result filtered = run_ok(pb_sort(having, &key, 1, 5), pool);
        assert_int_equal(filtered.stats.scan.rows, all.stats.scan.rows);
        source->ops->free(source);
    }
}

/* The same for rows: ORDER BY time DESC LIMIT n. */
static void wanted_rows_are_read_from_their_end(void **state)
{
    for (int how = 0; how < 8; how++) {
        struct mock_options o = parallel;
        o.no_estimates = how & 1;
        o.copies = true;
        struct tsfs_source *source = mock_source_create(&cpu, &o);
        struct tsfs_plan *scan = pb_scan(source);
        scan->scan.newest_first = how & 4;
        E *exprs[] = {pb_scan_col(scan, "hostname"), pb_scan_col(scan, "time"),
                      pb_scan_col(scan, "usage_user")};
        struct tsfs_plan *project = pb_project(scan, exprs, 3);
        struct tsfs_plan_key keys[] = {{pb_col(1, TSFS_TIMESTAMP), how & 2, false},
                                       {pb_col(0, TSFS_VARCHAR), false, false}};
        struct result all = run_ok(pb_sort(project, keys, 2, UINT64_MAX), pool);
        int scans = mock_scans();
        struct result few = run_ok(pb_sort(project, keys, 2, 50), pool);
        assert_int_equal(mock_scans(), scans + 1); /* all slices are of one snapshot */
        assert_int_equal(few.nrows, 50);
        const char **w = result_text(&arena, &all), **g = result_text(&arena, &few);
        for (int i = 0; i < 50; i++)
            assert_string_equal(w[i], g[i]);
        assert_true(few.stats.scan.rows < all.stats.scan.rows / 50);
        /* Rows that a filter leaves far from the end are found all the same. */
        scan->scan.row_filter = pb_call("=", exprs[1], pb_time(9000 * STEP), NULL);
        scans = mock_scans();
        few = run_ok(pb_sort(project, keys, 2, 50), pool);
        assert_int_equal(mock_scans(), scans + 1);
        assert_int_equal(few.nrows, HOSTS);
        source->ops->free(source);
    }
}

/* LIMIT n without an order: partitions are looked at one after the other, in the order of the whole. */
static void a_limit_opens_partitions_as_it_goes(void **state)
{
    for (int newest = 0; newest < 2; newest++) {
        struct tsfs_source *source = mock_source_create(&cpu, &parallel);
        struct tsfs_plan *scan = pb_scan(source);
        scan->scan.newest_first = newest;
        E *exprs[] = {pb_scan_col(scan, "hostname"), pb_scan_col(scan, "time"),
                      pb_scan_col(scan, "usage_user")};
        struct tsfs_plan *project = pb_project(scan, exprs, 3);
        struct result all = run_ok(project, pool);
        uint64_t total = all.stats.partitions_total;
        const uint64_t limits[] = {10, all.nrows / 2, all.nrows + 1};
        for (int i = 0; i < 3; i++) {
            int scans = mock_scans();
            struct result some = run_ok(pb_limit(project, limits[i], 5), pool);
            assert_int_equal(mock_scans(), scans + 1);
            assert_int_equal(some.nrows, i < 2 ? limits[i] : all.nrows - 5);
            for (size_t k = 0; k < some.nrows; k++) {
                const struct tsfs_value *w = &all.values[(k + 5) * 3], *g = &some.values[k * 3];
                assert_true(tsfs_str_eq(w[0].s, g[0].s) && w[1].i == g[1].i && w[2].d == g[2].d);
            }
            assert_int_equal(some.stats.partitions_total, total);
            if (i != 1) /* steps grow: in the middle some may be of no use */
                assert_int_equal(some.stats.partitions_pruned, i == 0 ? total - 1 : 0);
        }
        source->ops->free(source);
    }
}

/* max_by(x, time) of groups that can be counted beforehand: the partitions are read from their end until all
 * have come. */
static void ends_are_sought_from_their_side(void **state)
{
    static const struct tsfs_str hosts[] = {{"host_3", 6}, {"host_7", 6}, {"nowhere", 7}};
    for (int how = 0; how < 16; how++) {
        struct mock_options o = parallel;
        o.partition = TSFS_NS_PER_HOUR;
        struct tsfs_source *source = mock_source_create(&cpu, &o);
        struct tsfs_plan *scan = pb_scan(source);
        bool newest = how & 1, grouped = how & 2, filtered = how & 4, absent = how & 8;
        E *host = pb_scan_col(scan, "hostname"), *time = pb_scan_col(scan, "time");
        E *value = pb_scan_col(scan, "usage_user");
        struct tsfs_plan_aggregate aggs[] = {pb_agg(newest ? "max_by" : "min_by", value, time),
                                             pb_agg(newest ? "max" : "min", time, NULL)};
        struct tsfs_dim_in in = {source->schema->dims[0], 2 + absent, hosts};
        scan->scan.dim_in = &in;
        scan->scan.n_dim_in = 1;
        if (filtered)
            scan->scan.row_filter = pb_call(">=", value, pb_double(0), NULL);
        struct tsfs_plan *agg = pb_aggregate(scan, &host, grouped, aggs, 2);
        struct result r = run_ok(agg, pool);
        assert_int_equal(r.nrows, grouped ? 2 : 1);
        for (size_t i = 0; i < r.nrows; i++) {
            const struct tsfs_value *row = r.values + i * r.ncols + grouped;
            uint32_t h = grouped && r.values[i * r.ncols].s.ptr[5] == '7' ? 7 : 3, at = newest ? ROWS - 1 : 0;
            double x = ((double *)cpu.series[h].measures[0].data)[at];
            assert_int_equal(row[1].i, cpu.series[h].times[at]);
            assert_true(row[0].d == x ||
                        (!grouped && row[0].d == ((double *)cpu.series[7].measures[0].data)[at]));
        }
        /* One partition is enough, unless a group is awaited that does not come. */
        uint64_t total = r.stats.partitions_total, all = grouped && absent;
        assert_true(total > 3);
        assert_int_equal(r.stats.partitions_pruned, all ? 0 : total - 1);
        source->ops->free(source);
    }
}

/* ---- ends that come early ---- */

/* While the reader's thread is busy or waits, others notice that he was interrupted. */
struct reader {
    pthread_t thread;
    _Atomic bool asked;
};

static int hold_reader_up(void *ctx, struct tsfs_error *err)
{
    struct reader *reader = ctx;
    for (int i = 0; i < 5000 && pthread_equal(pthread_self(), reader->thread) && !reader->asked; i++)
        usleep(1000);
    return 0;
}

static bool interrupted_elsewhere(void *ctx)
{
    struct reader *reader = ctx;
    if (pthread_equal(pthread_self(), reader->thread))
        return false;
    reader->asked = true;
    return true;
}

static void workers_see_the_interrupt(void **state)
{
    struct reader reader = {.thread = pthread_self()};
    struct mock_options o = parallel;
    o.run_rows = 20;
    o.on_run = hold_reader_up;
    o.on_run_ctx = &reader;
    struct tsfs_source *source = mock_source_create(&cpu, &o);
    struct tsfs_plan *scan = pb_scan(source);
    E *host = pb_scan_col(scan, "hostname");
    struct tsfs_plan_aggregate aggs[] = {pb_agg("max", pb_scan_col(scan, "usage_user"), NULL)};
    struct tsfs_exec_options options = {
        .pool = pool, .interrupted = interrupted_elsewhere, .interrupted_ctx = &reader};
    struct tsfs_error err = {0};
    struct result r;
    assert_int_equal(run_plan(pb_aggregate(scan, &host, 1, aggs, 1), &options, &arena, &r, &err), -EINTR);
    assert_true(reader.asked);
    source->ops->free(source);
}

struct trip {
    int after; /* runs */
    _Atomic int runs;
    _Atomic bool *flag; /* set then, */
    int rc;             /* or this returned */
};

static int trip(void *ctx, struct tsfs_error *err)
{
    struct trip *t = ctx;
    if (++t->runs < t->after)
        return 0;
    if (t->flag != NULL)
        *t->flag = true;
    return t->rc != 0 ? tsfs_error_set(err, t->rc, "the disk said no") : 0;
}

static struct tsfs_plan *busy_plan(struct tsfs_source *source, bool aggregate)
{
    struct tsfs_plan *scan = pb_scan(source);
    E *groups[] = {pb_scan_col(scan, "hostname")};
    struct tsfs_plan_aggregate aggs[] = {pb_agg("avg", pb_scan_col(scan, "usage_user"), NULL)};
    return aggregate ? pb_aggregate(scan, groups, 1, aggs, 1) : scan;
}

static bool read_flag(void *ctx)
{
    return *(_Atomic bool *)ctx;
}

static void cancelling(void **state)
{
    for (int how = 0; how < 12; how++) {
        _Atomic bool flag = false;
        struct trip t = {.after = 30, .flag = &flag};
        struct mock_options o = parallel;
        o.run_rows = 50;
        o.on_run = trip;
        o.on_run_ctx = &t;
        struct tsfs_source *source = mock_source_create(&cpu, &o);
        bool by_flag = how % 3 == 0, by_callback = how % 3 == 1;
        struct tsfs_exec_options options = {.pool = how & 1 ? pool : NULL,
                                            .cancel = by_flag ? &flag : NULL,
                                            .interrupted = by_callback ? read_flag : NULL,
                                            .interrupted_ctx = &flag,
                                            .deadline = how % 3 == 2 ? tsfs_time_monotonic() + 1 : 0};
        struct tsfs_error err = {0};
        struct result r;
        int rc = run_plan(busy_plan(source, how >= 6), &options, &arena, &r, &err);
        assert_int_equal(rc, how % 3 == 2 ? -ETIMEDOUT : -EINTR);
        assert_true(err.message[0] != '\0');
        assert_true(by_callback || t.runs < 200); /* of 8,000: it ended soon */
        source->ops->free(source);
        assert_int_equal(mock_open(), 0);
    }
}

static void errors_of_a_source_come_through(void **state)
{
    for (int how = 0; how < 4; how++) {
        struct trip t = {.after = 15, .rc = -EIO};
        struct mock_options o = parallel;
        o.on_run = trip;
        o.on_run_ctx = &t;
        struct tsfs_source *source = mock_source_create(&cpu, &o);
        struct tsfs_error err = {0};
        struct result r;
        int rc = run_plan(busy_plan(source, how & 2),
                          &(struct tsfs_exec_options){.pool = how & 1 ? pool : NULL}, &arena, &r, &err);
        assert_int_equal(rc, -EIO);
        assert_string_equal(err.message, "the disk said no");
        source->ops->free(source);
        assert_int_equal(mock_open(), 0);
    }
}

static void errors_of_rows_and_series_come_through(void **state)
{
    struct tsfs_source *source = mock_source_create(&cpu, &parallel);
    for (int how = 0; how < 4; how++) {
        struct tsfs_plan *plan = busy_plan(source, how & 1), *scan = how & 1 ? plan->input : plan;
        E *bad = pb_call("=", pb_cast(pb_scan_col(scan, "hostname"), TSFS_BIGINT, false), pb_big(1), NULL);
        if (how & 2)
            scan->scan.series_filter = bad;
        else
            scan->scan.row_filter = bad;
        struct tsfs_error err = {0};
        struct result r;
        int rc = run_plan(plan, &(struct tsfs_exec_options){.pool = pool}, &arena, &r, &err);
        assert_int_equal(rc, -EINVAL);
        assert_int_equal(err.line, 1);
        assert_non_null(strstr(err.message, "host_"));
    }
    source->ops->free(source);
}

/* A query that has ended stays ended, and says the same. */
/* Rows that an aggregation or a sort has made are handed out in parts: the same rows in the same order. */
static void made_rows_fall_into_parts(void **state)
{
    struct tsfs_source *source = mock_source_create(&cpu, &parallel);
    for (int how = 0; how < 5; how++) {
        struct tsfs_plan *scan = pb_scan(source);
        E *groups[] = {pb_call("bin", pb_scan_col(scan, "time"), pb_interval(TSFS_NS_PER_HOUR), NULL),
                       pb_scan_col(scan, "hostname")};
        struct tsfs_plan_aggregate aggs[] = {
            pb_agg("avg", pb_scan_col(scan, "usage_user"), NULL),
            pb_agg("max_by", pb_scan_col(scan, "hostname"), pb_scan_col(scan, "usage_idle")),
            pb_agg("approx_distinct", pb_scan_col(scan, "usage_nice"), NULL)};
        struct tsfs_plan *plan = pb_aggregate(scan, groups, 2, aggs, 3);
        if (how == 1) { /* a filter above */
            plan = pb_filter(plan, pb_call(">", pb_col(2, TSFS_DOUBLE), pb_double(40), NULL));
        } else if (how >= 2) {
            struct tsfs_plan_key keys[] = {{pb_col(1, TSFS_VARCHAR), true, false},
                                           {pb_col(2, TSFS_DOUBLE), false, false}};
            plan = pb_sort(plan, keys, 2, how == 3 ? 700 : UINT64_MAX);
        }
        if (how == 4) {
            E *exprs[] = {pb_col(1, TSFS_VARCHAR), pb_call("*", pb_col(2, TSFS_DOUBLE), pb_double(2), NULL)};
            plan = pb_project(plan, exprs, 2);
        }
        struct tsfs_error err = {0};
        struct tsfs_exec *exec;
        uint32_t nparts;
        assert_int_equal(tsfs_exec_open(plan, &(struct tsfs_exec_options){.pool = pool}, &exec, &err), 0);
        assert_int_equal(tsfs_exec_parts(exec, 0, &nparts, &err), 0);
        assert_true(nparts > 1);
        tsfs_exec_close(exec);
        assert_int_equal(tsfs_exec_open(plan, &(struct tsfs_exec_options){.pool = pool}, &exec, &err), 0);
        assert_int_equal(tsfs_exec_parts(exec, 1u << 30, &nparts, &err), 0);
        assert_int_equal(nparts, 0); /* not worth it */
        struct tsfs_batch *batch;
        assert_int_equal(tsfs_exec_next(exec, &batch, &err), 1);
        tsfs_exec_close(exec);
        struct result one = run_ok(plan, NULL), many = run_ok(plan, pool); /* by parts */
        const char **a = result_text(&arena, &one), **b = result_text(&arena, &many);
        assert_true(one.nrows > 500);
        assert_int_equal(one.nrows, many.nrows);
        for (size_t i = 0; i < one.nrows; i++)
            assert_string_equal(a[i], b[i]);
    }
    source->ops->free(source);
}

static void next_after_the_end(void **state)
{
    struct tsfs_exec *exec;
    struct tsfs_batch *batch;
    assert_int_equal(tsfs_exec_open(numbers(1), &(struct tsfs_exec_options){0}, &exec, NULL), 0);
    assert_int_equal(tsfs_exec_next(exec, &batch, NULL), 1);
    assert_int_equal(tsfs_exec_next(exec, &batch, NULL), 0);
    assert_int_equal(tsfs_exec_next(exec, &batch, NULL), 0);
    struct tsfs_exec_stats stats;
    tsfs_exec_stats(exec, &stats);
    assert_int_equal(stats.rows_out, 1);
    tsfs_exec_close(exec);
    tsfs_exec_close(NULL);
    _Atomic bool cancelled = true;
    assert_int_equal(
        tsfs_exec_open(numbers(1), &(struct tsfs_exec_options){.cancel = &cancelled}, &exec, NULL), 0);
    assert_int_equal(tsfs_exec_next(exec, &batch, NULL), -EINTR);
    cancelled = false;
    assert_int_equal(tsfs_exec_next(exec, &batch, NULL), -EINTR);
    tsfs_exec_close(exec);
}

/* Only surviving rows are handed on, and the first come before the last are read. */
static void scans_stream(void **state)
{
    struct tsfs_source *source =
        mock_source_create(&cpu, &(struct mock_options){.copies = true, .partition = TSFS_NS_PER_DAY});
    struct tsfs_plan *scan = pb_scan(source);
    struct result r = run_ok(pb_limit(scan, 10, 0), NULL);
    assert_int_equal(r.nrows, 10);
    assert_true(r.stats.scan.rows <= ROWS);
    /* Few rows of many series are put together into full batches. */
    scan->scan.row_filter = pb_call("=", pb_scan_col(scan, "time"), pb_time(77 * STEP), NULL);
    struct tsfs_exec *exec;
    struct tsfs_batch *batch;
    assert_int_equal(tsfs_exec_open(scan, &(struct tsfs_exec_options){0}, &exec, NULL), 0);
    assert_int_equal(tsfs_exec_next(exec, &batch, NULL), 1);
    assert_int_equal(batch->nrows, HOSTS);
    for (uint32_t i = 0; i < HOSTS; i++)
        assert_true(tsfs_str_eq(batch->cols[2].s[i], cpu.series[i].dims[0]));
    tsfs_exec_close(exec);
    source->ops->free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_without_columns_are_rows),
        cmocka_unit_test(limit_and_offset),
        cmocka_unit_test(sort_is_stable_and_places_nulls),
        cmocka_unit_test(sort_by_long_strings),
        cmocka_unit_test(top_rows_fit_into_little_memory),
        cmocka_unit_test(top_rows_are_gathered_by_all_threads),
        cmocka_unit_test(many_groups_fit_and_too_many_are_refused),
        cmocka_unit_test(refusals_of_workers_are_named),
        cmocka_unit_test(no_rows_make_one_group_or_none),
        cmocka_unit_test(summaries_answer_whole_blocks),
        cmocka_unit_test(wanted_bins_are_read_from_their_end),
        cmocka_unit_test(wanted_rows_are_read_from_their_end),
        cmocka_unit_test(a_limit_opens_partitions_as_it_goes),
        cmocka_unit_test(ends_are_sought_from_their_side),
        cmocka_unit_test(workers_see_the_interrupt),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(errors_of_a_source_come_through),
        cmocka_unit_test(errors_of_rows_and_series_come_through),
        cmocka_unit_test(made_rows_fall_into_parts),
        cmocka_unit_test(next_after_the_end),
        cmocka_unit_test(scans_stream),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
