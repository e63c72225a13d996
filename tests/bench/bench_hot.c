/* Writing and reading the hot tier, in CPU time: ns per row of ten measures, staged, logged and published;
 * the same with ints; ns per series lookup; snapshots and a scan that adds up one measure.  JSON lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/time.h"
#include "hot/hot.h"

#define MEASURES 10u
#define TAGS     10u

static void die(const char *what, int rc)
{
    if (rc) {
        fprintf(stderr, "%s: %s\n", what, strerror(-rc));
        exit(1);
    }
}

/* CPU time of this process: the machine may be busy with other things. */
static int64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * TSFS_NS_PER_S + t.tv_nsec;
}

static unsigned spell(unsigned s, char *out, size_t size)
{
    return (unsigned)snprintf(
        out, size,
        "cpu,arch=x64,datacenter=eu-central-1a,hostname=host_%u,os=Ubuntu16.10,rack=%u,"
        "region=eu-central-1,service=%u,service_environment=staging,service_version=%u,team=NYC",
        s, s % 100, s % 20, s % 2);
}

static struct tsfs_schema *make_schema(enum tsfs_type type)
{
    struct tsfs_schema *schema, *next;
    struct tsfs_column columns[TAGS + MEASURES];
    static char names[TAGS + MEASURES][16];
    for (unsigned i = 0; i < TAGS + MEASURES; i++) {
        snprintf(names[i], sizeof(names[i]), "%s%u", i < TAGS ? "tag" : "field", i);
        columns[i] = (struct tsfs_column){.name = tsfs_str_from(names[i]),
                                          .role = i < TAGS ? TSFS_ROLE_DIMENSION : TSFS_ROLE_MEASURE,
                                          .type = i < TAGS ? TSFS_VARCHAR : type};
    }
    die("schema", tsfs_schema_create(&schema));
    die("schema", tsfs_schema_extend(schema, columns, TAGS + MEASURES, &next, NULL));
    tsfs_schema_unref(schema);
    return next;
}

static void intern(struct tsfs_series_index *index, unsigned s, uint32_t *id)
{
    char raw[512], text[TAGS][32];
    struct tsfs_dim_value dims[TAGS];
    for (unsigned d = 0; d < TAGS; d++) {
        snprintf(text[d], sizeof(text[d]), d == 2 ? "host_%u" : "value%u", d == 2 ? s : s % (d + 1));
        dims[d] = (struct tsfs_dim_value){(uint16_t)d, tsfs_str_from(text[d])};
    }
    die("intern", tsfs_series_index_intern(index, TSFS_STR("cpu"), dims, TAGS, id));
    struct tsfs_str r = {raw, spell(s, raw, sizeof(raw))};
    die("spelling", tsfs_series_index_add_spelling(index, r, tsfs_hash(r.ptr, r.len), *id));
}

static void bench_write(int dirfd, const char *name, enum tsfs_type type, unsigned series, unsigned rows_each,
                        unsigned batch)
{
    struct tsfs_schema *schema = make_schema(type);
    struct tsfs_series_index *index;
    struct tsfs_hot *hot;
    struct tsfs_wal *wal;
    struct tsfs_budget budget = {0};
    uint32_t *ids = malloc(series * sizeof(*ids));
    struct tsfs_cell cells[MEASURES];
    uint64_t x = 88172645463325252u, rows = 0;
    if (!ids)
        die("memory", -ENOMEM);
    die("index", tsfs_series_index_create(&index));
    for (unsigned s = 0; s < series; s++)
        intern(index, s, &ids[s]);
    size_t index_bytes = tsfs_series_index_bytes(index);
    die("hot", tsfs_hot_create(index, &budget, &hot));
    die("wal", tsfs_wal_open(dirfd, name, 0, &wal, NULL));

    /* the same random walk for every row, made before the clock runs */
    struct tsfs_cell *pool = malloc(4096 * sizeof(cells));
    if (!pool)
        die("memory", -ENOMEM);
    for (unsigned i = 0; i < 4096 * MEASURES; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pool[i] = (struct tsfs_cell){.slot = (uint16_t)(i % MEASURES), .type = (uint8_t)type};
        if (type == TSFS_DOUBLE)
            pool[i].d = (double)(x % 10000) / 100;
        else
            pool[i].i = (int64_t)(x % 100);
    }
    int64_t begin = cpu_now();
    unsigned in_batch = 0;
    for (unsigned r = 0; r < rows_each; r++) {
        for (unsigned s = 0; s < series; s++) {
            die("stage",
                tsfs_hot_stage(hot, schema, ids[s], INT64_C(1763798400000000000) + r * 10 * TSFS_NS_PER_S,
                               pool + (rows & 4095) * MEASURES, MEASURES));
            rows++;
            if (++in_batch == batch) {
                die("log", tsfs_hot_log(hot, wal, NULL));
                tsfs_hot_publish(hot);
                in_batch = 0;
            }
        }
    }
    die("log", tsfs_hot_log(hot, wal, NULL));
    tsfs_hot_publish(hot);
    int64_t took = cpu_now() - begin;
    struct tsfs_hot_facts facts;
    tsfs_hot_facts(hot, &facts);
    printf("{\"bench\": \"hot_write\", \"type\": \"%s\", \"series\": %u, \"rows\": %llu, \"batch\": %u, "
           "\"ns_per_row\": %.1f, \"log_bytes_per_row\": %.1f, \"memory_bytes_per_value\": %.2f, "
           "\"index_bytes_per_series\": %.0f}\n",
           tsfs_type_name(type), series, (unsigned long long)rows, batch, (double)took / (double)rows,
           (double)tsfs_wal_size(wal) / (double)rows, (double)facts.bytes / (double)rows / MEASURES,
           (double)index_bytes / series);

    struct tsfs_hot_snap *snap;
    begin = cpu_now();
    die("snapshot", tsfs_hot_snapshot(hot, schema, NULL, &snap));
    took = cpu_now() - begin;
    begin = cpu_now();
    double sum = 0;
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    for (uint32_t i = 0; i < tsfs_hot_snap_count(snap); i++) {
        struct tsfs_hot_piece *pieces;
        uint32_t n;
        die("pieces", tsfs_hot_snap_pieces(snap, i, &arena, &pieces, &n));
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t k = 0; k < pieces[p].nrows; k++)
                sum += pieces[p].cols[3].d[k];
        tsfs_arena_reset(&arena);
    }
    tsfs_arena_free(&arena);
    printf("{\"bench\": \"hot_scan\", \"series\": %u, \"snapshot_us\": %.1f, \"scan_ns_per_row\": %.2f, "
           "\"sum\": %g}\n",
           series, (double)took / 1000, (double)(cpu_now() - begin) / (double)rows, sum);
    begin = cpu_now();
    die("sort", tsfs_hot_snap_sort(snap));
    printf("{\"bench\": \"hot_snap_sort\", \"series\": %u, \"ms\": %.2f}\n", series,
           (double)(cpu_now() - begin) / 1e6);
    tsfs_hot_snap_free(snap);

    struct tsfs_str host = TSFS_STR("host_7");
    struct tsfs_dim_in in = {2 + 2, 1, &host};
    struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX, .dim_in = &in, .n_dim_in = 1};
    for (unsigned i = 0; i < 2; i++) {
        begin = cpu_now();
        die("snapshot", tsfs_hot_snapshot(hot, schema, &spec, &snap));
        took = cpu_now() - begin;
        printf("{\"bench\": \"hot_snapshot_one_series\", \"series\": %u, \"call\": %u, \"us\": %.1f, "
               "\"found\": %u}\n",
               series, i + 1, (double)took / 1000, tsfs_hot_snap_count(snap));
        tsfs_hot_snap_free(snap);
    }
    tsfs_wal_close(wal);
    tsfs_hot_unref(hot);
    tsfs_series_index_free(index);
    tsfs_schema_unref(schema);
    free(pool);
    free(ids);
}

static void bench_lookup(unsigned series)
{
    struct tsfs_series_index *index;
    char(*raw)[256] = malloc(series * sizeof(*raw));
    uint32_t *len = malloc(series * sizeof(*len)), id, found = 0;
    if (!raw || !len)
        die("memory", -ENOMEM);
    die("index", tsfs_series_index_create(&index));
    int64_t begin = cpu_now();
    for (unsigned s = 0; s < series; s++)
        intern(index, s, &id);
    double made = (double)(cpu_now() - begin) / series;
    for (unsigned s = 0; s < series; s++)
        len[s] = spell(s, raw[s], sizeof(raw[s]));
    unsigned times = 2000000 / series + 1;
    begin = cpu_now();
    for (unsigned r = 0; r < times; r++)
        for (unsigned s = 0; s < series; s++) {
            struct tsfs_str key = {raw[s], len[s]};
            found += tsfs_series_index_find_spelling(index, key, tsfs_hash(key.ptr, key.len)) == s;
        }
    printf("{\"bench\": \"series_lookup\", \"series\": %u, \"ns\": %.1f, \"make_ns\": %.0f, \"found\": %u}\n",
           series, (double)(cpu_now() - begin) / ((double)times * series), made, found);
    tsfs_series_index_free(index);
    free(raw);
    free(len);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/tsfs-bench-hot-XXXXXX";
    if (!mkdtemp(dir))
        die("mkdtemp", -errno);
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
    if (argc > 1) {
        bench_write(dirfd, "a", TSFS_DOUBLE, (unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), 500);
        die("clean up", tsfs_io_remove_tree(AT_FDCWD, dir));
        return 0;
    }
    bench_write(dirfd, "a", TSFS_DOUBLE, 100, 8640, 500);
    bench_write(dirfd, "b", TSFS_BIGINT, 100, 8640, 500);
    bench_write(dirfd, "c", TSFS_DOUBLE, 4000, 400, 500);
    bench_write(dirfd, "d", TSFS_DOUBLE, 200000, 4, 2000);
    bench_lookup(100);
    bench_lookup(4000);
    bench_lookup(500000);
    close(dirfd);
    die("clean up", tsfs_io_remove_tree(AT_FDCWD, dir));
    return 0;
}
