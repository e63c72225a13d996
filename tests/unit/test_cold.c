/* Segments as files: what is written, what other programs wrote, what is damaged, what is interrupted. */
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/pool.h"
#include "cold/rowgroup.h"
#include "cold_support.h"
#include "parquet/reader.h"
#include "parquet/writer.h"

static const struct tsfs_scan_spec everything = {.time_min = INT64_MIN, .time_max = INT64_MAX};

static void check_all(struct table *t, struct tsfs_segment *s)
{
    struct tsfs_partition_view view = {.schema = t->schema, .segments = {s}, .nsegments = 1};
    struct seen seen;
    uint64_t seed = 3, want = 0;
    scan(t, &view, &everything, 1, true, &seen, &seed);
    for (size_t i = 0; i < (size_t)t->nseries * t->ntimes; i++)
        want += t->rows[i].have;
    assert_true(seen.n == want);
    free(seen.rows);
}

/* One series longer than a row group, others around it: parts, blocks and pages at the seam. */
static void row_groups(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_pool *pool;
    uint64_t seed = 77;
    assert_int_equal(tsfs_pool_create(2, &pool), 0);
    table_init(&t, 3, TSFS_ROW_GROUP_ROWS / 2 + 20);
    scratch_open(&dir);
    struct tsfs_hot *hot = new_hot(&t);
    for (uint32_t s = 0; s < 3; s++)
        for (uint32_t i = 0; i < t.ntimes; i++)
            put_row(&t, hot, s, i, &seed);
    tsfs_hot_publish(hot);
    struct tsfs_segment *segment = write_open(&t, &dir, "seg", NULL, 0, &hot, 1, pool);
    check_all(&t, segment);
    struct tsfs_error err = {0};
    assert_int_equal(tsfs_segment_verify(segment, time_of(0), time_of(t.ntimes), &err), 0);
    /* a narrow range at the seam between the groups */
    for (uint32_t from = TSFS_ROW_GROUP_ROWS / 2 - 60; from < TSFS_ROW_GROUP_ROWS / 2 + 20; from += 7) {
        struct tsfs_partition_view view = {.schema = t.schema, .segments = {segment}, .nsegments = 1};
        struct tsfs_scan_spec spec = {.time_min = time_of(from), .time_max = time_of(from + 9)};
        struct seen seen;
        scan(&t, &view, &spec, 2, false, &seen, &seed);
        uint32_t n = from + 10 < t.ntimes ? 10 : t.ntimes - from;
        assert_int_equal(seen.n, 3 * n);
        free(seen.rows);
    }
    tsfs_segment_unref(segment);
    tsfs_hot_unref(hot);
    tsfs_pool_free(pool);
    scratch_close(&dir);
    table_free(&t);
}

/* A query for one series of many reads that series' pages and no others. */
static void narrow_reads(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    uint64_t seed = 78;
    table_init(&t, 20, 9000);
    scratch_open(&dir);
    struct tsfs_hot *hot = new_hot(&t);
    for (uint32_t s = 0; s < 20; s++)
        for (uint32_t i = 0; i < t.ntimes; i++)
            put_row(&t, hot, s, i, &seed);
    tsfs_hot_publish(hot);
    struct tsfs_segment *segment = write_open(&t, &dir, "seg", NULL, 0, &hot, 1, NULL);
    struct tsfs_str host = TSFS_STR("h7");
    struct tsfs_dim_in in = {t.schema->dims[0], 1, &host};
    struct tsfs_scan_spec spec = everything;
    spec.dim_in = &in;
    spec.n_dim_in = 1;
    struct tsfs_partition_view view = {.schema = t.schema, .segments = {segment}, .nsegments = 1};
    struct seen seen;
    scan(&t, &view, &spec, 1, false, &seen, &seed);
    assert_int_equal(seen.n, 9000);
    assert_true(seen.stats.pages_read == 1 + NMEASURES); /* a page each of time and measures */
    assert_true(seen.blocks == 9);
    free(seen.rows);
    assert_true(tsfs_cold_estimate(&view, &spec) == 9000);
    host = TSFS_STR("h70");
    assert_false(tsfs_segment_may_match(segment, t.schema, &spec));
    in.ordinal = TSFS_ORDINAL_MEASURE_NAME;
    assert_false(tsfs_segment_may_match(segment, t.schema, &spec));
    tsfs_segment_unref(segment);
    tsfs_hot_unref(hot);
    scratch_close(&dir);
    table_free(&t);
}

static struct tsfs_segment *small(struct table *t, struct scratch_dir *dir, uint64_t seed)
{
    table_init(t, 6, 150);
    scratch_open(dir);
    struct tsfs_hot *hot = new_hot(t);
    for (uint32_t s = 0; s < t->nseries; s++)
        for (uint32_t i = 0; i < t->ntimes; i++)
            if (below(&seed, 8))
                put_row(t, hot, s, i, &seed);
    tsfs_hot_publish(hot);
    struct tsfs_segment *segment = write_open(t, dir, "seg", NULL, 0, &hot, 1, NULL);
    tsfs_hot_unref(hot);
    return segment;
}

static void life_of_a_segment(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *s = small(&t, &dir, 1);
    struct stat a, b;
    assert_int_equal(fstatat(dir.fd, "seg", &a, 0), 0);
    /* shed and used again; shed is refused while a cursor is open */
    tsfs_segment_shed(s);
    tsfs_segment_shed(s);
    check_all(&t, s);
    struct tsfs_partition_view view = {.schema = t.schema, .segments = {s}, .nsegments = 1};
    struct tsfs_cursor *c;
    assert_int_equal(tsfs_cold_cursor(&view, &everything, 0, 1, false, &c, NULL), 0);
    tsfs_segment_shed(s);
    struct seen seen = {.rows = calloc((size_t)t.nseries * t.ntimes, 1)};
    uint64_t seed = 9;
    drain(&t, c, &everything, false, &seen, &seed);
    c->ops->close(c);
    free(seen.rows);
    /* each opened for itself: what one is told of reading ahead is not the others' business, nor is where
     * they are */
    int first = tsfs_segment_dup(s), fd;
    assert_true(first >= 0);
    assert_int_equal(lseek(first, 5, SEEK_SET), 5);
    fd = tsfs_segment_dup(s);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    close(first);
    close(fd);
    /* the very file, also after another has taken its name, whatever that is */
    for (int link = 0; link < 2; link++) {
        int other =
            link ? symlinkat("nowhere", dir.fd, "other") : openat(dir.fd, "other", O_CREAT | O_WRONLY, 0600);
        assert_true(other >= 0);
        assert_int_equal(link ? 0 : close(other), 0);
        assert_int_equal(renameat(dir.fd, "other", dir.fd, "seg"), 0);
        fd = tsfs_segment_dup(s);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &b), 0);
        assert_true(a.st_ino == b.st_ino);
        close(fd);
    }
    /* once shed it cannot come back, and says so */
    tsfs_segment_shed(s);
    assert_true(tsfs_segment_dup(s) < 0);
    assert_int_equal(unlinkat(dir.fd, "seg", 0), 0);
    int other = openat(dir.fd, "seg", O_CREAT | O_WRONLY, 0600);
    close(other);
    assert_int_equal(tsfs_segment_dup(s), -ESTALE);
    tsfs_segment_unref(s);
    scratch_close(&dir);
    table_free(&t);
}

static void columns_and_schema(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *s = small(&t, &dir, 2);
    struct tsfs_arena arena;
    struct tsfs_column *cols;
    struct tsfs_error err = {0};
    unsigned n;
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_segment_columns(s, &cols, &n, &arena, &err), 0);
    assert_int_equal(n, 2 + NDIMS + NMEASURES);
    static const char *const names[] = {"time",  "measure_name", "host",  "region", "rack",
                                        "count", "temp",         "noise", "state",  "on"};
    for (unsigned i = 0; i < n; i++) {
        assert_string_equal(cols[i].name.ptr, names[i]);
        assert_int_equal(cols[i].role, i == 0          ? TSFS_ROLE_TIME
                                       : i == 1        ? TSFS_ROLE_MEASURE_NAME
                                       : i < 2 + NDIMS ? TSFS_ROLE_DIMENSION
                                                       : TSFS_ROLE_MEASURE);
    }
    tsfs_arena_free(&arena);
    /* a table that lacks a column refuses the segment with its name */
    struct tsfs_schema *bare;
    assert_int_equal(tsfs_schema_create(&bare), 0);
    struct tsfs_partition_view view = {.schema = bare, .segments = {s}, .nsegments = 1};
    struct tsfs_cursor *c;
    assert_int_equal(tsfs_cold_cursor(&view, &everything, 0, 1, false, &c, &err), -EINVAL);
    assert_non_null(strstr(err.message, "host"));
    /* one that has it with another type as well */
    struct tsfs_schema *odd;
    struct tsfs_column add[NDIMS + NMEASURES];
    for (unsigned i = 0; i < NDIMS + NMEASURES; i++)
        add[i] = (struct tsfs_column){.name = tsfs_str_from(names[2 + i]),
                                      .role = i < NDIMS ? TSFS_ROLE_DIMENSION : TSFS_ROLE_MEASURE,
                                      .type = i < NDIMS    ? TSFS_VARCHAR
                                              : i == NDIMS ? TSFS_DOUBLE
                                                           : measure_types[i - NDIMS]};
    assert_int_equal(tsfs_schema_extend(bare, add, NDIMS + NMEASURES, &odd, NULL), 0);
    view.schema = odd;
    tsfs_error_clear(&err);
    assert_int_equal(tsfs_cold_cursor(&view, &everything, 0, 1, false, &c, &err), -EINVAL);
    assert_non_null(strstr(err.message, "count"));
    tsfs_schema_unref(odd);
    tsfs_schema_unref(bare);
    tsfs_segment_unref(s);
    scratch_close(&dir);
    table_free(&t);
}

/* The same file in a table whose dimensions were born in another order: sorted anew, found all the same. */
static void other_order_of_dimensions(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *s = small(&t, &dir, 4);
    static const struct tsfs_column add[] = {
        {.name = {"rack", 4}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = {"extra", 5}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = {"on", 2}, .role = TSFS_ROLE_MEASURE, .type = TSFS_BOOLEAN},
        {.name = {"count", 5}, .role = TSFS_ROLE_MEASURE, .type = TSFS_BIGINT},
        {.name = {"temp", 4}, .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
        {.name = {"noise", 5}, .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
        {.name = {"state", 5}, .role = TSFS_ROLE_MEASURE, .type = TSFS_VARCHAR},
        {.name = {"region", 6}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = {"host", 4}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
    };
    struct tsfs_schema *base, *schema;
    assert_int_equal(tsfs_schema_create(&base), 0);
    assert_int_equal(tsfs_schema_extend(base, add, 9, &schema, NULL), 0);
    struct tsfs_partition_view view = {.schema = schema, .segments = {s}, .nsegments = 1};
    struct tsfs_cursor *c;
    struct tsfs_run run;
    struct tsfs_error err = {0};
    uint64_t rows = 0, want = 0;
    struct tsfs_str last_rack = {NULL, 0};
    char rack[16] = "";
    for (int round = 0; round < 2; round++) { /* the second time from the sorted copy at hand */
        assert_int_equal(tsfs_cold_cursor(&view, &everything, 0, 1, true, &c, &err), 0);
        rows = 0;
        last_rack.ptr = NULL;
        while (c->ops->next_run(c, &run, &err) == 1) {
            assert_true(tsfs_str_cmp(last_rack, run.series.dims[0]) <= 0 ||
                        tsfs_str_eq(run.series.measure_name, TSFS_STR("disk")));
            if (run.series.dims[0].ptr) {
                snprintf(rack, sizeof(rack), "%.*s", (int)run.series.dims[0].len, run.series.dims[0].ptr);
                last_rack = str_of(rack);
            }
            assert_null(run.series.dims[1].ptr);
            rows += run.nrows;
        }
        c->ops->close(c);
    }
    for (size_t i = 0; i < (size_t)t.nseries * t.ntimes; i++)
        want += t.rows[i].have;
    assert_true(rows == want);
    check_all(&t, s); /* and its own table still reads it */
    tsfs_schema_unref(schema);
    tsfs_schema_unref(base);
    tsfs_segment_unref(s);
    scratch_close(&dir);
    table_free(&t);
}

/* ---- files of other programs ---- */

struct file_sink {
    int fd;
    off_t at;
};
static int sink_write(void *ctx, const void *data, size_t len)
{
    struct file_sink *s = ctx;
    int rc = tsfs_io_write_all(s->fd, data, len, s->at);
    s->at += (off_t)len;
    return rc;
}

/* Strings are counted when they have been copied: only so many at once that a group cannot outgrow its limit
 * by more than they are. */
static void strings_by_the_block(void **state)
{
    (void)state;
    struct cold_column columns[] = {{.role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
                                    {.role = TSFS_ROLE_MEASURE, .type = TSFS_VARCHAR}};
    char text[] = "thing";
    struct tsfs_str values[TSFS_BLOCK_ROWS];
    for (uint32_t i = 0; i < TSFS_BLOCK_ROWS; i++)
        values[i] = (struct tsfs_str){text, 1 + i % 5};
    struct tsfs_vec vec = {.type = TSFS_VARCHAR, .s = values};
    struct rowgroup g;
    assert_int_equal(rowgroup_init(&g, columns, 0, 1, 100000), 0);
    assert_int_equal(rowgroup_room(&g), 100000);
    rowgroup_free(&g);
    assert_int_equal(rowgroup_init(&g, columns, 0, 2, 100000), 0);
    uint32_t room, rows = 0;
    while ((room = rowgroup_room(&g)) > 0) {
        assert_true(room <= TSFS_BLOCK_ROWS);
        assert_int_equal(rowgroup_put(&g, 1, &vec, rows, room), 0);
        g.nrows = rows += room;
    }
    assert_int_equal(rows, 100000);
    rowgroup_free(&g);
}

/* A column whose name the schema file could not hold is refused before anything is read. */
static void foreign_name(void **state)
{
    (void)state;
    struct scratch_dir dir;
    scratch_open(&dir);
    static const struct tsfs_pq_column cols[] = {
        {.name = {"time", 4}, .physical = TSFS_PQ_INT64, .logical = TSFS_PQ_TIMESTAMP, .unit = TSFS_PQ_NANOS},
        {.name = {"measure_name", 12}, .physical = TSFS_PQ_BYTE_ARRAY, .logical = TSFS_PQ_STRING},
        {.name = {"a\nb", 3}, .physical = TSFS_PQ_INT64},
    };
    struct file_sink sink = {openat(dir.fd, "foreign", O_CREAT | O_RDWR, 0600), 0};
    struct tsfs_pq_writer *w;
    struct tsfs_error err = {0};
    struct tsfs_pq_writer_options options = {.columns = cols, .ncolumns = 3};
    assert_int_equal(tsfs_pq_writer_create(&options, (struct tsfs_pq_sink){sink_write, &sink}, &w, &err), 0);
    int64_t number = 1;
    struct tsfs_str text = TSFS_STR("m");
    const uint32_t end = 1;
    struct tsfs_pq_chunk_values v[3] = {{.vec = {.type = TSFS_BIGINT, .i = &number}},
                                        {.vec = {.type = TSFS_VARCHAR, .s = &text}},
                                        {.vec = {.type = TSFS_BIGINT, .i = &number}}};
    assert_int_equal(tsfs_pq_writer_begin_group(w, 1, &end, 1, &err), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tsfs_pq_writer_column(w, &v[i], &err), 0);
    assert_int_equal(tsfs_pq_writer_end_group(w, &err), 0);
    assert_int_equal(tsfs_pq_writer_finish(w, NULL, 0, &err), 0);
    tsfs_pq_writer_free(w);
    close(sink.fd);
    struct tsfs_segment *s = NULL;
    struct tsfs_arena arena;
    struct tsfs_column *columns;
    unsigned n;
    tsfs_arena_init(&arena, NULL);
    int rc = tsfs_segment_open(dir.fd, "foreign", &s, &err);
    if (rc == 0)
        rc = tsfs_segment_columns(s, &columns, &n, &arena, &err);
    assert_int_equal(rc, -EINVAL);
    assert_non_null(strstr(err.message, "control characters"));
    tsfs_segment_unref(s);
    tsfs_arena_free(&arena);
    scratch_close(&dir);
}

/* Rows in any order, microseconds, float decimals, several row groups; some repeated, the later one right. */
static void foreign_file(void **state)
{
    (void)state;
    enum { N = 4000 };
    struct table t;
    struct scratch_dir dir;
    uint64_t seed = 31;
    table_init(&t, 9, 700);
    scratch_open(&dir);
    static const struct tsfs_pq_column cols[] = {
        {.name = {"count", 5}, .physical = TSFS_PQ_INT64, .optional = true},
        {.name = {"rack", 4}, .physical = TSFS_PQ_BYTE_ARRAY, .logical = TSFS_PQ_STRING, .optional = true},
        {.name = {"temp", 4},
         .physical = TSFS_PQ_INT64,
         .logical = TSFS_PQ_DECIMAL,
         .precision = 18,
         .scale = 2,
         .optional = true},
        {.name = {"measure_name", 12}, .physical = TSFS_PQ_BYTE_ARRAY, .logical = TSFS_PQ_STRING},
        {.name = {"time", 4},
         .physical = TSFS_PQ_INT64,
         .logical = TSFS_PQ_TIMESTAMP,
         .unit = TSFS_PQ_MICROS},
        {.name = {"state", 5}, .physical = TSFS_PQ_BYTE_ARRAY, .logical = TSFS_PQ_STRING, .optional = true},
        {.name = {"host", 4}, .physical = TSFS_PQ_BYTE_ARRAY, .logical = TSFS_PQ_STRING, .optional = true},
        {.name = {"region", 6}, .physical = TSFS_PQ_BYTE_ARRAY, .logical = TSFS_PQ_STRING, .optional = true},
    };
    struct file_sink sink = {openat(dir.fd, "foreign", O_CREAT | O_RDWR, 0600), 0};
    struct tsfs_pq_writer *w;
    struct tsfs_error err = {0};
    struct tsfs_pq_writer_options options = {.columns = cols, .ncolumns = 8};
    assert_int_equal(tsfs_pq_writer_create(&options, (struct tsfs_pq_sink){sink_write, &sink}, &w, &err), 0);
    static int64_t count[N], temp[N], time[N];
    static struct tsfs_str strings[5][N];
    static uint64_t valid[5][N / 64 + 1];
    for (int group = 0; group < 3; group++) {
        memset(valid, 0, sizeof(valid));
        for (uint32_t i = 0; i < N; i++) {
            uint32_t s = below(&seed, t.nseries), at = below(&seed, t.ntimes);
            struct row *row = &t.rows[(size_t)s * t.ntimes + at];
            const struct key *k = &t.keys[s];
            row->have = true;
            if (below(&seed, 3)) {
                row->cells[0].have = true;
                row->cells[0].i = count[i] = (int64_t)below(&seed, 1000) - 500;
                tsfs_bit_set(valid[0], i);
            }
            temp[i] = below(&seed, 10000);
            row->cells[1].have = true;
            row->cells[1].d = (double)temp[i] / 100;
            time[i] = time_of(at) / 1000;
            if (below(&seed, 2)) {
                row->cells[3].have = true;
                snprintf(row->cells[3].s, 24, "s%u", at % 3);
                strings[1][i] = at % 3 == 0 ? TSFS_STR("s0") : at % 3 == 1 ? TSFS_STR("s1") : TSFS_STR("s2");
                tsfs_bit_set(valid[1], i);
            }
            strings[0][i] = str_of(k->measure_name);
            for (unsigned d = 0; d < NDIMS; d++) {
                strings[2 + d][i] = str_of(k->dims[d]);
                if (k->have[d])
                    tsfs_bit_set(valid[2 + d], i);
            }
        }
        const uint32_t ends[] = {1000, 1001, N};
        assert_int_equal(tsfs_pq_writer_begin_group(w, N, ends, 3, &err), 0);
        struct tsfs_pq_chunk_values v[8] = {
            {.vec = {.type = TSFS_BIGINT, .i = count, .valid = valid[0]}},
            {.vec = {.type = TSFS_VARCHAR, .s = strings[4], .valid = valid[4]}},
            {.vec = {.type = TSFS_BIGINT, .i = temp}},
            {.vec = {.type = TSFS_VARCHAR, .s = strings[0]}},
            {.vec = {.type = TSFS_BIGINT, .i = time}},
            {.vec = {.type = TSFS_VARCHAR, .s = strings[1], .valid = valid[1]}},
            {.vec = {.type = TSFS_VARCHAR, .s = strings[2], .valid = valid[2]}},
            {.vec = {.type = TSFS_VARCHAR, .s = strings[3], .valid = valid[3]}},
        };
        for (int i = 0; i < 8; i++)
            assert_int_equal(tsfs_pq_writer_column(w, &v[i], &err), 0);
        assert_int_equal(tsfs_pq_writer_end_group(w, &err), 0);
    }
    assert_int_equal(tsfs_pq_writer_finish(w, NULL, 0, &err), 0);
    tsfs_pq_writer_free(w);
    close(sink.fd);

    struct tsfs_segment *s;
    struct tsfs_segment_facts facts;
    assert_int_equal(tsfs_segment_open(dir.fd, "foreign", &s, &err), 0);
    tsfs_segment_facts(s, &facts);
    assert_true(facts.rows == 3 * N && facts.t_min >= time_of(0) && facts.t_max < time_of(t.ntimes));
    struct tsfs_arena arena;
    struct tsfs_column *columns;
    unsigned n;
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_segment_columns(s, &columns, &n, &arena, &err), 0);
    assert_int_equal(columns[2].type, TSFS_DOUBLE);
    assert_int_equal(columns[4].role, TSFS_ROLE_TIME);
    assert_int_equal(columns[6].role, TSFS_ROLE_DIMENSION);
    tsfs_arena_free(&arena);
    assert_int_equal(tsfs_segment_verify(s, time_of(0), time_of(t.ntimes), &err), 0);
    assert_int_equal(tsfs_segment_verify(s, time_of(10), time_of(t.ntimes), &err), -EINVAL);
    check_all(&t, s); /* state is a measure here, verify took it for a dimension */
    tsfs_segment_shed(s);
    check_all(&t, s);
    /* merged into an ordinary segment */
    struct tsfs_segment *merged = write_open(&t, &dir, "seg", &s, 1, NULL, 0, NULL);
    tsfs_segment_unref(s);
    check_all(&t, merged);
    tsfs_segment_unref(merged);
    scratch_close(&dir);
    table_free(&t);
}

static void not_a_segment(void **state)
{
    (void)state;
    struct scratch_dir dir;
    struct tsfs_segment *s;
    struct tsfs_error err = {0};
    scratch_open(&dir);
    assert_int_equal(tsfs_segment_open(dir.fd, "missing", &s, &err), -ENOENT);
    int fd = openat(dir.fd, "empty", O_CREAT | O_WRONLY, 0600);
    close(fd);
    tsfs_error_clear(&err);
    assert_int_equal(tsfs_segment_open(dir.fd, "empty", &s, &err), -EINVAL);
    assert_true(err.message[0]);
    tsfs_error_clear(&err);
    assert_int_equal(mkdirat(dir.fd, "folder", 0700), 0);
    assert_true(tsfs_segment_open(dir.fd, "folder", &s, &err) < 0);
    scratch_close(&dir);
}

/* ---- damage ---- */

/* Reads all there is; 0 or the first error. */
static int read_quietly(int dirfd, const char *name, struct tsfs_schema *schema, uint64_t *rows)
{
    struct tsfs_segment *s;
    struct tsfs_cursor *c;
    struct tsfs_run run;
    struct tsfs_error err = {0};
    *rows = 0;
    int rc = tsfs_segment_open(dirfd, name, &s, &err);
    if (rc)
        return rc;
    struct tsfs_partition_view view = {.schema = schema, .segments = {s}, .nsegments = 1};
    rc = tsfs_cold_cursor(&view, &everything, 0, 1, false, &c, &err);
    if (rc == 0) {
        while ((rc = c->ops->next_run(c, &run, &err)) == 1) {
            const int64_t *time;
            struct tsfs_vec v;
            const struct tsfs_block *b;
            uint32_t n;
            *rows += run.nrows;
            rc = c->ops->times(c, 0, run.nrows, &time, &err);
            for (uint16_t m = 0; rc == 0 && m < schema->nmeasures; m++)
                rc = c->ops->column(c, schema->measures[m], 0, run.nrows, &v, &err);
            if (rc == 0)
                rc = c->ops->blocks(c, &b, &n, &err);
            if (rc)
                break;
        }
        c->ops->close(c);
    }
    if (rc == 0)
        rc = tsfs_segment_verify(s, INT64_MIN, INT64_MAX, &err);
    if (rc)
        assert_true(err.message[0] != 0);
    tsfs_segment_unref(s);
    return rc;
}

static void every_byte_damaged(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment_facts facts;
    struct tsfs_segment *s = small(&t, &dir, 6);
    uint64_t rows, whole, harmless = 0;
    tsfs_segment_facts(s, &facts);
    tsfs_segment_unref(s);
    assert_int_equal(read_quietly(dir.fd, "seg", t.schema, &whole), 0);
    int fd = openat(dir.fd, "seg", O_RDWR);
    for (uint64_t i = 0; i < facts.bytes; i++) {
        uint8_t was, now;
        assert_int_equal(tsfs_io_read_all(fd, &was, 1, (off_t)i), 0);
        now = (uint8_t)(was ^ (1 << (i % 8)));
        assert_int_equal(tsfs_io_write_all(fd, &now, 1, (off_t)i), 0);
        if (read_quietly(dir.fd, "seg", t.schema, &rows) == 0) {
            assert_true(rows == whole);
            harmless++; /* a bound in the statistics, a letter of created_by */
        }
        assert_int_equal(tsfs_io_write_all(fd, &was, 1, (off_t)i), 0);
    }
    assert_true(harmless < facts.bytes / 2);
    for (uint64_t cut = facts.bytes - 1; cut > 7; cut -= cut / 60 + 1) {
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        assert_int_not_equal(read_quietly(dir.fd, "seg", t.schema, &rows), 0);
    }
    close(fd);
    scratch_close(&dir);
    table_free(&t);
}

/* A file cut short while a cursor reads it: an error, no signal. */
static void cut_while_open(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *s = small(&t, &dir, 7);
    struct tsfs_partition_view view = {.schema = t.schema, .segments = {s}, .nsegments = 1};
    struct tsfs_cursor *c;
    struct tsfs_run run;
    struct tsfs_error err = {0};
    struct tsfs_vec v;
    assert_int_equal(tsfs_cold_cursor(&view, &everything, 0, 1, false, &c, &err), 0);
    int fd = openat(dir.fd, "seg", O_RDWR);
    assert_int_equal(ftruncate(fd, 10), 0);
    close(fd);
    int rc = c->ops->next_run(c, &run, &err);
    if (rc == 1)
        rc = c->ops->column(c, t.schema->measures[0], 0, run.nrows, &v, &err);
    assert_int_equal(rc, -EIO);
    c->ops->close(c);
    tsfs_segment_unref(s);
    scratch_close(&dir);
    table_free(&t);
}

/* ---- interruptions ---- */

static void cancelled_and_empty(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *s = small(&t, &dir, 8);
    struct tsfs_partition_view view = {.schema = t.schema, .segments = {s}, .nsegments = 1};
    struct tsfs_segment_progress progress = {.cancel = true};
    struct tsfs_segment_facts facts;
    struct tsfs_error err = {0};
    struct stat st;
    assert_int_equal(tsfs_segment_write(dir.fd, "tmp", &view, NULL, &progress, &facts, &err), -ECANCELED);
    assert_int_equal(fstatat(dir.fd, "tmp", &st, 0), -1);
    view.nsegments = 0;
    assert_int_equal(tsfs_segment_write(dir.fd, "tmp", &view, NULL, NULL, &facts, &err), 0);
    assert_int_equal(facts.rows, 0);
    assert_int_equal(fstatat(dir.fd, "tmp", &st, 0), -1);
    tsfs_segment_unref(s);
    scratch_close(&dir);
    table_free(&t);
}

struct reader {
    struct table *t;
    struct tsfs_segment *s;
};
static void *read_and_shed(void *ctx)
{
    struct reader *r = ctx;
    for (int i = 0; i < 30; i++) {
        uint64_t rows = 0;
        struct tsfs_partition_view view = {.schema = r->t->schema, .segments = {r->s}, .nsegments = 1};
        struct tsfs_cursor *c;
        struct tsfs_run run;
        struct tsfs_vec v;
        if (tsfs_cold_cursor(&view, &everything, 0, 1, i % 2, &c, NULL) != 0)
            return (void *)1;
        while (c->ops->next_run(c, &run, NULL) == 1) {
            rows += run.nrows;
            if (c->ops->column(c, r->t->schema->measures[0], 0, run.nrows, &v, NULL) != 0)
                return (void *)1;
        }
        c->ops->close(c);
        tsfs_segment_shed(r->s);
        struct tsfs_segment_facts facts;
        tsfs_segment_facts(r->s, &facts);
        if (rows != facts.rows)
            return (void *)1;
    }
    return NULL;
}

static void many_readers(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct reader r = {&t, small(&t, &dir, 9)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_shed, &r), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    tsfs_segment_unref(r.s);
    scratch_close(&dir);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_groups),
        cmocka_unit_test(narrow_reads),
        cmocka_unit_test(life_of_a_segment),
        cmocka_unit_test(columns_and_schema),
        cmocka_unit_test(other_order_of_dimensions),
        cmocka_unit_test(strings_by_the_block),
        cmocka_unit_test(foreign_name),
        cmocka_unit_test(foreign_file),
        cmocka_unit_test(not_a_segment),
        cmocka_unit_test(every_byte_damaged),
        cmocka_unit_test(cut_while_open),
        cmocka_unit_test(cancelled_and_empty),
        cmocka_unit_test(many_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
