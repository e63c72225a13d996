/* The query engine over 2.59 M rows in memory: 100 hosts, 72 hours, one row each ten seconds, ten measures.
 * The queries are those of the TSBS cpu-only set.  Medians of some runs in ms, one JSON object a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "exec_run.h"
#include "mock_source.h"
#include "plan_build.h"

#define T0   (INT64_C(1451606400) * TSFS_NS_PER_S)
#define RUNS 15

static struct mock_table table;
static struct tsfs_source *source;
static struct tsfs_pool *pool;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct tsfs_plan *scan_hosts(uint32_t nhosts, double from_hours, double hours)
{
    struct tsfs_plan *scan = pb_scan(source);
    scan->scan.time_min = T0 + (int64_t)(from_hours * 3600) * TSFS_NS_PER_S + 17 * TSFS_NS_PER_S;
    scan->scan.time_max = scan->scan.time_min + (int64_t)(hours * 3600) * TSFS_NS_PER_S - 1;
    if (nhosts > 0) {
        struct tsfs_str *names = tsfs_arena_calloc(pb_arena, nhosts, sizeof(*names));
        E *in = pb_node(TSFS_EXPR_IN, TSFS_BOOLEAN, pb_scan_col(scan, "hostname"), NULL);
        for (uint32_t i = 0; i < nhosts; i++) {
            names[i] = tsfs_str_from(tsfs_arena_printf(pb_arena, "host_%u", i * 11 + 3));
            in->args[in->nargs++] = pb_str(names[i].ptr);
        }
        scan->scan.series_filter = in;
        scan->scan.dim_in = tsfs_arena_calloc(pb_arena, 1, sizeof(*scan->scan.dim_in));
        scan->scan.dim_in[0] = (struct tsfs_dim_in){.ordinal = 2, .n = nhosts, .values = names};
        scan->scan.n_dim_in = 1;
    }
    return scan;
}

static E *usage(const struct tsfs_plan *scan, uint32_t m)
{
    return pb_col(4 + m, scan->cols[4 + m].type);
}

static struct tsfs_plan *group_by(struct tsfs_plan *scan, const char *agg, uint32_t nmeasures, int64_t step,
                                  bool by_host)
{
    E *groups[2] = {pb_call("bin", pb_scan_col(scan, "time"), pb_interval(step), NULL),
                    pb_scan_col(scan, "hostname")};
    struct tsfs_plan_aggregate aggs[10];
    for (uint32_t m = 0; m < nmeasures; m++)
        aggs[m] = pb_agg(agg, usage(scan, m), NULL);
    struct tsfs_plan *plan = pb_aggregate(scan, groups, by_host ? 2 : 1, aggs, nmeasures);
    struct tsfs_plan_key keys[2] = {{.expr = pb_col(0, TSFS_TIMESTAMP)}, {.expr = pb_col(1, TSFS_VARCHAR)}};
    return pb_sort(plan, keys, by_host ? 2 : 1, UINT64_MAX);
}

static struct tsfs_plan *high_cpu(uint32_t nhosts)
{
    struct tsfs_plan *scan = scan_hosts(nhosts, 20, 12);
    bool integer = scan->cols[4].type == TSFS_BIGINT;
    scan->scan.row_filter = pb_call(">", usage(scan, 0), integer ? pb_big(90) : pb_double(90), NULL);
    return scan;
}

static struct tsfs_plan *lastpoint(void)
{
    struct tsfs_plan *scan = pb_scan(source);
    E *groups[1] = {pb_scan_col(scan, "hostname")}, *time = pb_scan_col(scan, "time");
    struct tsfs_plan_aggregate aggs[11];
    aggs[0] = pb_agg("max", time, NULL);
    for (uint32_t m = 0; m < 10; m++)
        aggs[m + 1] = pb_agg("max_by", usage(scan, m), time);
    return pb_aggregate(scan, groups, 1, aggs, 11);
}

static struct tsfs_plan *orderby_limit(void)
{
    struct tsfs_plan *plan = group_by(scan_hosts(0, 0, 50), "max", 1, TSFS_NS_PER_MIN, false);
    plan->sort.keys[0].descending = true;
    plan->sort.limit = 5;
    return plan;
}

static struct tsfs_plan *whole_avg(void)
{
    struct tsfs_plan *scan = pb_scan(source);
    struct tsfs_plan_aggregate aggs[2] = {pb_agg("avg", usage(scan, 0), NULL), pb_agg("count", NULL, NULL)};
    return pb_aggregate(scan, NULL, 0, aggs, 2);
}

static struct tsfs_plan *by_value_group(void)
{
    struct tsfs_plan *scan = scan_hosts(0, 20, 12);
    E *groups[1] = {usage(scan, 1)};
    struct tsfs_plan_aggregate aggs[1] = {pb_agg("count", NULL, NULL)};
    return pb_aggregate(scan, groups, 1, aggs, 1);
}

static struct tsfs_plan *top_rows(void)
{
    struct tsfs_plan *scan = scan_hosts(0, 20, 12);
    struct tsfs_plan_key keys[2] = {{.expr = usage(scan, 0), .descending = true},
                                    {.expr = pb_scan_col(scan, "time")}};
    return pb_sort(scan, keys, 2, 10);
}

static void measure(const char *name, const struct tsfs_plan *plan, const char *shape, bool threads)
{
    double ms[RUNS];
    size_t rows = 0;
    for (int i = 0; i < RUNS; i++) {
        struct tsfs_exec_options options = {.pool = threads ? pool : NULL};
        struct tsfs_error err = {0};
        struct tsfs_exec *exec = NULL;
        struct tsfs_batch *batch;
        int64_t begin = tsfs_time_monotonic();
        int rc = tsfs_exec_open(plan, &options, &exec, &err);
        for (rows = 0; rc == 0 && (rc = tsfs_exec_next(exec, &batch, &err)) > 0; rc = 0)
            rows += batch->nrows;
        tsfs_exec_close(exec);
        ms[i] = (double)(tsfs_time_monotonic() - begin) / 1e6;
        if (rc != 0) {
            fprintf(stderr, "%s: %s\n", name, err.message);
            exit(1);
        }
    }
    qsort(ms, RUNS, sizeof(*ms), by_value);
    printf("{\"bench\":\"exec\",\"query\":\"%s\",\"shape\":\"%s\",\"threads\":%d,\"rows\":%zu,\"ms\":%.3f,"
           "\"min_ms\":%.3f}\n",
           name, shape, threads, rows, ms[RUNS / 2], ms[0]);
}

static void all(const char *shape, const struct mock_options *options)
{
    source = mock_source_create(&table, options);
    for (int threads = 0; threads < 2; threads++) {
        measure("single-groupby-1-1-1", group_by(scan_hosts(1, 30.1, 1), "max", 1, TSFS_NS_PER_MIN, false),
                shape, threads);
        measure("single-groupby-1-1-12", group_by(scan_hosts(1, 30.1, 12), "max", 1, TSFS_NS_PER_MIN, false),
                shape, threads);
        measure("single-groupby-5-8-1", group_by(scan_hosts(8, 30.1, 1), "max", 5, TSFS_NS_PER_MIN, false),
                shape, threads);
        measure("cpu-max-all-8", group_by(scan_hosts(8, 30.1, 8), "max", 10, TSFS_NS_PER_HOUR, false), shape,
                threads);
        measure("double-groupby-1", group_by(scan_hosts(0, 30.1, 12), "avg", 1, TSFS_NS_PER_HOUR, true),
                shape, threads);
        measure("double-groupby-5", group_by(scan_hosts(0, 30.1, 12), "avg", 5, TSFS_NS_PER_HOUR, true),
                shape, threads);
        measure("double-groupby-all", group_by(scan_hosts(0, 30.1, 12), "avg", 10, TSFS_NS_PER_HOUR, true),
                shape, threads);
        measure("high-cpu-1", high_cpu(1), shape, threads);
        measure("high-cpu-all", high_cpu(0), shape, threads);
        measure("lastpoint", lastpoint(), shape, threads);
        measure("groupby-orderby-limit", orderby_limit(), shape, threads);
        measure("avg-of-all", whole_avg(), shape, threads);
        measure("group-by-value", by_value_group(), shape, threads);
        measure("top-10-rows", top_rows(), shape, threads);
    }
    source->ops->free(source);
}

int main(int argc, char **argv)
{
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    pb_arena = &arena;
    if (tsfs_pool_create(0, &pool) != 0)
        return 1;
    mock_table_cpu(&table, 100, 25920, T0, 10 * TSFS_NS_PER_S, argc > 1 && strcmp(argv[1], "int") == 0);
    all("hot", &(struct mock_options){.partition = TSFS_NS_PER_DAY, .parts = 4});
    all("blocks", &(struct mock_options){.partition = TSFS_NS_PER_DAY, .parts = 4, .block_rows = 1024});
    mock_table_free(&table);
    tsfs_pool_free(pool);
    tsfs_arena_free(&arena);
    return 0;
}
