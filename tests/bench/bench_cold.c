/* A day of 100 series of ten fields at 10 s (random walks in [0, 100]) written as a segment and read in the
 * ways that queries read: one JSON line a kind of number.  Bytes a value include everything in the file;
 * index_bytes the private index alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/pool.h"
#include "cold/cold.h"
#include "cold/cold_priv.h"

#define SERIES 100
#define PER    8640
#define FIELDS 10
#define ROWS   ((uint64_t)SERIES * PER)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t state = 88172645463325252u;

static double normal(void)
{
    double s = 0;
    for (int i = 0; i < 12; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        s += (double)(state >> 11) * 0x1p-53;
    }
    return s - 6;
}

static void check(int rc, const struct tsfs_error *err)
{
    if (rc < 0) {
        fprintf(stderr, "error %d: %s\n", rc, err ? err->message : "");
        exit(1);
    }
}

static bool one_host(void *ctx, const struct tsfs_series *series)
{
    return tsfs_str_eq(series->dims[0], *(const struct tsfs_str *)ctx);
}

enum how { PAGES, ONE_COLUMN, SUMMARIES, RUNS };

/* Opens a cursor and reads; returns what it added up so that nothing is left out. */
static double read_all(struct tsfs_schema *schema, struct tsfs_segment *s, const struct tsfs_scan_spec *spec,
                       enum how how, struct tsfs_scan_stats *stats)
{
    struct tsfs_partition_view view = {.schema = schema, .segments = {s}, .nsegments = 1};
    struct tsfs_cursor *c;
    struct tsfs_run run;
    struct tsfs_error err = {0};
    double sum = 0;
    int rc;
    check(tsfs_cold_cursor(&view, spec, 0, 1, false, &c, &err), &err);
    while ((rc = c->ops->next_run(c, &run, &err)) == 1) {
        unsigned fields = how == PAGES ? FIELDS : how == ONE_COLUMN ? 1 : 0;
        for (uint32_t row = 0; row < run.nrows && fields; row += TSFS_BATCH_ROWS) {
            uint32_t n = run.nrows - row < TSFS_BATCH_ROWS ? run.nrows - row : TSFS_BATCH_ROWS;
            const int64_t *time;
            check(c->ops->times(c, row, n, &time, &err), &err);
            for (unsigned f = 0; f < fields; f++) {
                struct tsfs_vec v;
                check(c->ops->column(c, schema->measures[f], row, n, &v, &err), &err);
                sum += v.constant ? 0 : v.type == TSFS_DOUBLE ? v.d[n - 1] : (double)v.i[n - 1];
            }
        }
        if (how == SUMMARIES) {
            const struct tsfs_block *blocks;
            uint32_t n;
            check(c->ops->blocks(c, &blocks, &n, &err), &err);
            for (uint32_t b = 0; b < n; b++) {
                const struct tsfs_summary *sm;
                check(c->ops->summary(c, schema->measures[0], b, &sm, &err), &err);
                sum += (double)sm->count;
            }
        }
    }
    check(rc, &err);
    *stats = c->stats;
    c->ops->close(c);
    return sum;
}

static void timed(const char *kind, const char *what, struct tsfs_schema *schema, struct tsfs_segment *s,
                  const struct tsfs_scan_spec *spec, enum how how, bool shed, int times)
{
    struct tsfs_scan_stats stats;
    double best = 1e9, sum = 0;
    for (int i = 0; i < times; i++) {
        if (shed)
            tsfs_segment_shed(s);
        double t = now();
        sum += read_all(schema, s, spec, how, &stats);
        t = now() - t;
        best = t < best ? t : best;
    }
    printf("{\"bench\":\"cold\",\"values\":\"%s\",\"query\":\"%s\",\"shed\":%s,\"us\":%.1f,\"pages\":%llu,"
           "\"bytes\":"
           "%llu,\"runs\":%llu,\"check\":%.0f}\n",
           kind, what, shed ? "true" : "false", best * 1e6, (unsigned long long)stats.pages_read,
           (unsigned long long)stats.bytes_read, (unsigned long long)stats.runs, sum);
}

static void bench(const char *kind, int decimals, struct tsfs_pool *pool)
{
    struct tsfs_schema *base, *schema;
    struct tsfs_column add[FIELDS + 2] = {
        {.name = {"hostname", 8}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = {"region", 6}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
    };
    char names[FIELDS][16], text[32];
    for (int f = 0; f < FIELDS; f++) {
        snprintf(names[f], sizeof(names[f]), "usage_%d", f);
        add[2 + f] = (struct tsfs_column){.name = tsfs_str_from(names[f]),
                                          .role = TSFS_ROLE_MEASURE,
                                          .type = decimals ? TSFS_DOUBLE : TSFS_BIGINT};
    }
    struct tsfs_error err = {0};
    struct tsfs_series_index *index;
    struct tsfs_budget budget = {0};
    struct tsfs_hot *hot;
    check(tsfs_schema_create(&base), NULL);
    check(tsfs_schema_extend(base, add, FIELDS + 2, &schema, &err), &err);
    check(tsfs_series_index_create(&index), NULL);
    check(tsfs_hot_create(index, &budget, &hot), NULL);
    for (int s = 0; s < SERIES; s++) {
        struct tsfs_dim_value dims[2];
        struct tsfs_cell cells[FIELDS];
        double v[FIELDS];
        uint32_t id;
        snprintf(text, sizeof(text), "host_%d", s);
        dims[0] = (struct tsfs_dim_value){0, tsfs_str_from(text)};
        dims[1] = (struct tsfs_dim_value){1, s % 3 ? TSFS_STR("eu-central-1") : TSFS_STR("us-west-2")};
        check(tsfs_series_index_intern(index, TSFS_STR("cpu"), dims, 2, &id), NULL);
        for (int f = 0; f < FIELDS; f++)
            v[f] = 50 + 20 * normal();
        for (int r = 0; r < PER; r++) {
            for (int f = 0; f < FIELDS; f++) {
                v[f] += normal();
                v[f] = v[f] < 0 ? 0 : v[f] > 100 ? 100 : v[f];
                cells[f] = (struct tsfs_cell){.slot = (uint16_t)f, .type = (uint8_t)add[2].type};
                if (decimals == 2)
                    cells[f].d = (double)(int)(v[f] * 100) / 100;
                else if (decimals)
                    cells[f].d = v[f];
                else
                    cells[f].i = (int64_t)v[f];
            }
            int64_t t = 1451606400000000000 + (int64_t)r * 10000000000;
            int rc = tsfs_hot_stage(hot, schema, id, t, cells, FIELDS);
            if (rc == -E2BIG) {
                tsfs_hot_publish(hot);
                rc = tsfs_hot_stage(hot, schema, id, t, cells, FIELDS);
            }
            check(rc, NULL);
        }
    }
    tsfs_hot_publish(hot);

    char dir[] = "/tmp/tsfs-bench-XXXXXX";
    if (!mkdtemp(dir))
        exit(1);
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
    struct tsfs_hot_snap *snap;
    struct tsfs_segment_facts facts;
    check(tsfs_hot_snapshot(hot, schema, NULL, &snap), NULL);
    struct tsfs_partition_view view = {.schema = schema, .hots = &hot, .snaps = &snap, .nhots = 1};
    double t = now();
    check(tsfs_segment_write(dirfd, "tmp", &view, pool, NULL, &facts, &err), &err);
    double write = now() - t;
    check(tsfs_segment_commit(dirfd, "tmp", "seg", "."), NULL);
    tsfs_hot_snap_free(snap);
    tsfs_hot_unref(hot);
    struct tsfs_segment *s;
    check(tsfs_segment_open(dirfd, "seg", &s, &err), &err);
    double values = (double)ROWS * FIELDS;
    uint64_t index_bytes = 0;
    for (uint32_t i = 0; i < s->index->nslices; i++)
        index_bytes += s->index->slices[i].stored + 16;
    printf("{\"bench\":\"cold\",\"values\":\"%s\",\"bytes_per_value\":%.4f,\"index_bytes_per_value\":%.5f,"
           "\"index_"
           "bytes\":%llu,\"write_s_per_mrow\":%.3f}\n",
           kind, (double)facts.bytes / values, (double)index_bytes / values, (unsigned long long)index_bytes,
           write / ((double)ROWS / 1e6));

    struct tsfs_scan_spec all = {.time_min = INT64_MIN, .time_max = INT64_MAX};
    struct tsfs_str host = TSFS_STR("host_42");
    struct tsfs_dim_in in = {schema->dims[0], 1, &host};
    struct tsfs_scan_spec one = all;
    one.dim_in = &in;
    one.n_dim_in = 1;
    one.series_match = one_host;
    one.series_ctx = &host;
    struct tsfs_scan_spec hour = one;
    hour.time_min = 1451606400000000000 + INT64_C(5) * 3600 * 1000000000 + 17;
    hour.time_max = hour.time_min + INT64_C(3600) * 1000000000;
    timed(kind, "all columns of all rows", schema, s, &all, PAGES, false, 3);
    timed(kind, "one column of all rows", schema, s, &all, ONE_COLUMN, false, 3);
    timed(kind, "summaries of one column", schema, s, &all, SUMMARIES, false, 20);
    timed(kind, "summaries of one column", schema, s, &all, SUMMARIES, true, 20);
    timed(kind, "runs alone", schema, s, &all, RUNS, false, 20);
    timed(kind, "one series, all columns", schema, s, &one, PAGES, false, 20);
    timed(kind, "one series, all columns", schema, s, &one, PAGES, true, 20);
    timed(kind, "one series, one hour, all columns", schema, s, &hour, PAGES, false, 20);
    timed(kind, "one series, one hour, one column", schema, s, &hour, ONE_COLUMN, false, 20);
    tsfs_segment_unref(s);
    close(dirfd);
    check(tsfs_io_remove_tree(AT_FDCWD, dir), NULL);
    tsfs_series_index_free(index);
    tsfs_schema_unref(schema);
    tsfs_schema_unref(base);
}

int main(void)
{
    struct tsfs_pool *pool;
    check(tsfs_pool_create(1, &pool), NULL);
    bench("int", 0, pool);
    bench("two decimals", 2, pool);
    bench("full double", 17, pool);
    tsfs_pool_free(pool);
    return 0;
}
