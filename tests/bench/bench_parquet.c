/* Size and speed of Parquet files of the shape that the cold tier writes: 100 series one after another, ten
 * fields each a random walk in [0, 100], as integers, with two decimals, as scaled integers (DECIMAL) and
 * with all digits. One JSON line a kind: bytes a field value (with time and dimension), CPU seconds to write
 * a million rows, and nanoseconds a value to read all pages back. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "parquet/reader.h"
#include "parquet/writer.h"

#define SERIES    100
#define PER       10000 /* rows of a series */
#define ROWS      (SERIES * PER)
#define FIELDS    10
#define PAGE_ROWS 20000

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t state = 88172645463325252u;

static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}

static double normal(void)
{
    double s = 0;
    for (int i = 0; i < 12; i++)
        s += uniform();
    return s - 6;
}

static int sink(void *ctx, const void *data, size_t len)
{
    return tsfs_buf_append(ctx, data, len);
}

static int source(void *ctx, void *buf, size_t n, uint64_t offset)
{
    const struct tsfs_buf *file = ctx;
    if (offset > file->len || n > file->len - offset)
        return -EIO;
    memcpy(buf, file->data + offset, n);
    return 0;
}

enum kind { INTEGERS, DECIMALS, SCALED, DIGITS, KINDS };
static const char *const kind_names[] = {"integers", "decimals", "scaled", "digits"};

static void walk(enum kind kind, double *d, int64_t *v)
{
    for (size_t i = 0; i < ROWS; i++) {
        static double x;
        x = i % PER == 0 ? uniform() * 100 : x + normal();
        x = x < 0 ? 0 : x > 100 ? 100 : x;
        if (kind == INTEGERS)
            v[i] = (int64_t)x;
        else if (kind == SCALED)
            v[i] = llround(x * 100);
        else
            d[i] = kind == DECIMALS ? (double)llround(x * 100) / 100 : x;
    }
}

static int read_all(struct tsfs_buf *file, double *seconds)
{
    struct tsfs_pq_reader *r;
    struct tsfs_pq_scratch *s;
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct tsfs_pq_input in = {source, file, file->len};
    double start = cpu();
    tsfs_arena_init(&arena, NULL);
    if (tsfs_pq_reader_open(in, &r, &err) || tsfs_pq_scratch_create(&s))
        return 1;
    for (uint32_t c = 2; c < FIELDS + 2; c++) {
        struct tsfs_pq_chunk *chunk;
        struct tsfs_vec vec;
        uint32_t npages;
        if (tsfs_pq_chunk_open(r, 0, c, &chunk, &err))
            return 1;
        tsfs_pq_chunk_pages(chunk, &npages);
        for (uint32_t p = 0; p < npages; p++) {
            if (tsfs_pq_chunk_read(chunk, p, s, &arena, &vec, &err))
                return 1;
            tsfs_arena_reset(&arena);
        }
        tsfs_pq_chunk_close(chunk);
    }
    *seconds = cpu() - start;
    tsfs_pq_scratch_free(s);
    tsfs_pq_reader_close(r);
    tsfs_arena_free(&arena);
    return 0;
}

static int run(enum kind kind, const int64_t *times, double *d, int64_t *v, const char *path)
{
    struct tsfs_pq_column columns[FIELDS + 2] = {{.name = TSFS_STR("time"),
                                                  .physical = TSFS_PQ_INT64,
                                                  .logical = TSFS_PQ_TIMESTAMP,
                                                  .unit = TSFS_PQ_NANOS,
                                                  .utc = true},
                                                 {.name = TSFS_STR("host"),
                                                  .physical = TSFS_PQ_BYTE_ARRAY,
                                                  .logical = TSFS_PQ_STRING,
                                                  .optional = true,
                                                  .bloom = true}};
    char names[FIELDS][16], hosts[SERIES][16];
    struct tsfs_str host[SERIES];
    uint32_t run_end[SERIES], page_end[ROWS / PAGE_ROWS];
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    struct tsfs_pq_writer *w;
    bool integer = kind == INTEGERS || kind == SCALED;

    for (int f = 0; f < FIELDS; f++) {
        struct tsfs_pq_column *c = &columns[f + 2];
        *c = (struct tsfs_pq_column){.physical = integer ? TSFS_PQ_INT64 : TSFS_PQ_DOUBLE, .optional = true};
        c->name = (struct tsfs_str){names[f], (size_t)snprintf(names[f], sizeof(names[f]), "f%d", f)};
        if (kind == SCALED) {
            c->logical = TSFS_PQ_DECIMAL;
            c->precision = 18;
            c->scale = 2;
        }
    }
    for (uint32_t i = 0; i < SERIES; i++) {
        host[i] = (struct tsfs_str){hosts[i], (size_t)snprintf(hosts[i], sizeof(hosts[i]), "host_%02u", i)};
        run_end[i] = (i + 1) * PER;
    }
    for (uint32_t i = 0; i < ROWS / PAGE_ROWS; i++)
        page_end[i] = (i + 1) * PAGE_ROWS;

    struct tsfs_pq_writer_options options = {.columns = columns, .ncolumns = FIELDS + 2};
    struct tsfs_pq_chunk_values chunk = {.vec = {.type = TSFS_BIGINT, .i = times}};
    double writing = 0, reading = 1e9, start = cpu();
    if (tsfs_pq_writer_create(&options, (struct tsfs_pq_sink){sink, &file}, &w, &err) ||
        tsfs_pq_writer_begin_group(w, ROWS, page_end, ROWS / PAGE_ROWS, &err) ||
        tsfs_pq_writer_column(w, &chunk, &err))
        return 1;
    chunk = (struct tsfs_pq_chunk_values){
        .vec = {.type = TSFS_VARCHAR, .s = host}, .run_end = run_end, .nruns = SERIES};
    if (tsfs_pq_writer_column(w, &chunk, &err))
        return 1;
    writing += cpu() - start;
    for (int f = 0; f < FIELDS; f++) {
        walk(kind, d, v);
        start = cpu();
        chunk = (struct tsfs_pq_chunk_values){
            .vec = {.type = integer ? TSFS_BIGINT : TSFS_DOUBLE, .data = integer ? (const void *)v : d}};
        if (tsfs_pq_writer_column(w, &chunk, &err))
            return 1;
        writing += cpu() - start;
    }
    start = cpu();
    if (tsfs_pq_writer_end_group(w, &err) || tsfs_pq_writer_finish(w, NULL, 0, &err))
        return 1;
    writing += cpu() - start;
    tsfs_pq_writer_free(w);
    for (int round = 0; round < 3; round++) {
        double t;
        if (read_all(&file, &t))
            return 1;
        reading = t < reading ? t : reading;
    }
    printf("{\"bench\":\"parquet\",\"kind\":\"%s\",\"bytes_per_value\":%.3f,\"write_cpu_s_per_mrow\":%.3f,"
           "\"read_ns_per_value\":%.2f}\n",
           kind_names[kind], (double)file.len / (FIELDS * (double)ROWS), writing * 1e6 / ROWS,
           reading * 1e9 / (FIELDS * (double)ROWS));
    if (path) { /* for looking at with other tools */
        char name[4096];
        snprintf(name, sizeof(name), "%s/%s.parquet", path, kind_names[kind]);
        FILE *f = fopen(name, "wb");
        if (!f || fwrite(file.data, 1, file.len, f) != file.len || fclose(f))
            return 1;
    }
    tsfs_buf_free(&file);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t *times = malloc(ROWS * sizeof(*times)), *v = malloc(ROWS * sizeof(*v));
    double *d = malloc(ROWS * sizeof(*d));
    int bad = !times || !v || !d;
    for (size_t i = 0; !bad && i < ROWS; i++)
        times[i] = INT64_C(1451606400000000000) + (int64_t)(i % PER) * INT64_C(10000000000);
    for (int kind = 0; kind < KINDS && !bad; kind++)
        bad = run((enum kind)kind, times, d, v, argc > 1 ? argv[1] : NULL);
    free(times);
    free(v);
    free(d);
    return bad;
}
