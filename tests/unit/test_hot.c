/* The hot tier, call by call; snapshots beside a writer; its memory and its refusals.  The contents under
 * random writes are tests/property/prop_hot.c. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "col/vec.h"
#include "hot/hot.h"

#define MEASURES 10

struct fixture {
    char dir[40];
    int dirfd;
    struct tsfs_budget budget;
    struct tsfs_schema *schema;
    struct tsfs_series_index *index;
    struct tsfs_hot *hot;
    struct tsfs_wal *wal;
};

/* host, region; f0..f9 double, s varchar, b boolean */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct tsfs_schema *base;
    struct tsfs_column columns[2 + MEASURES + 2];
    char names[MEASURES][4];
    unsigned n = 0;
    columns[n++] =
        (struct tsfs_column){.name = TSFS_STR("host"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR};
    columns[n++] =
        (struct tsfs_column){.name = TSFS_STR("region"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR};
    for (unsigned i = 0; i < MEASURES; i++) {
        snprintf(names[i], sizeof(names[i]), "f%u", i % 10);
        columns[n++] = (struct tsfs_column){
            .name = tsfs_str_from(names[i]), .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE};
    }
    columns[n++] =
        (struct tsfs_column){.name = TSFS_STR("s"), .role = TSFS_ROLE_MEASURE, .type = TSFS_VARCHAR};
    columns[n++] =
        (struct tsfs_column){.name = TSFS_STR("b"), .role = TSFS_ROLE_MEASURE, .type = TSFS_BOOLEAN};
    snprintf(f->dir, sizeof(f->dir), "/tmp/tsfs-test-hot-XXXXXX");
    if (!mkdtemp(f->dir) || (f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY)) < 0)
        return -1;
    if (tsfs_schema_create(&base) || tsfs_schema_extend(base, columns, n, &f->schema, NULL) ||
        tsfs_series_index_create(&f->index) || tsfs_hot_create(f->index, &f->budget, &f->hot) ||
        tsfs_wal_open(f->dirfd, "log", 0, &f->wal, NULL))
        return -1;
    tsfs_schema_unref(base);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tsfs_wal_close(f->wal);
    tsfs_hot_unref(f->hot);
    tsfs_series_index_free(f->index);
    tsfs_schema_unref(f->schema);
    int rc = f->budget.used ? -1 : tsfs_io_remove_tree(AT_FDCWD, f->dir);
    close(f->dirfd);
    free(f);
    return rc;
}

static uint32_t series(struct fixture *f, unsigned host)
{
    char text[16], region[16];
    uint32_t id;
    snprintf(text, sizeof(text), "h%u", host);
    snprintf(region, sizeof(region), "r%u", host % 7);
    struct tsfs_dim_value dims[] = {{0, tsfs_str_from(text)}, {1, tsfs_str_from(region)}};
    assert_int_equal(tsfs_series_index_intern(f->index, TSFS_STR("cpu"), dims, 2, &id), 0);
    return id;
}

static void stage_one(struct fixture *f, uint32_t id, int64_t time, uint16_t slot, double v)
{
    struct tsfs_cell cell = {.slot = slot, .type = TSFS_DOUBLE, .d = v};
    assert_int_equal(tsfs_hot_stage(f->hot, f->schema, id, time, &cell, 1), 0);
}

static void commit(struct fixture *f)
{
    assert_int_equal(tsfs_hot_log(f->hot, f->wal, NULL), 0);
    tsfs_hot_publish(f->hot);
}

static void facts(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_facts facts;
    tsfs_hot_facts(f->hot, &facts);
    assert_int_equal(facts.rows, 0);
    assert_true(facts.t_min == INT64_MAX && facts.t_max == INT64_MIN);
    assert_int_equal(facts.first_written, 0);
    assert_int_equal(tsfs_hot_log(f->hot, f->wal, NULL), 0); /* nothing staged */
    tsfs_hot_publish(f->hot);
    assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
    stage_one(f, series(f, 1), 50, 0, 1);
    stage_one(f, series(f, 2), -7, 0, 1);
    tsfs_hot_facts(f->hot, &facts);
    assert_int_equal(facts.rows, 0); /* not before publication */
    commit(f);
    stage_one(f, series(f, 1), 60, 0, 1);
    commit(f);
    tsfs_hot_facts(f->hot, &facts);
    assert_int_equal(facts.rows, 3);
    assert_int_equal(facts.series, 2);
    assert_true(facts.t_min == -7 && facts.t_max == 60);
    assert_true(facts.first_written > 0);
    assert_true(facts.bytes > 0 && f->budget.used > 0);
}

/* Each measure on a line of its own, same time: one row, no lanes, no merging later. */
static void a_line_per_measure(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_snap *snap;
    struct tsfs_hot_piece *pieces;
    struct tsfs_hot_facts facts;
    struct tsfs_arena arena;
    uint32_t id = series(f, 1), n;
    for (unsigned t = 0; t < 200; t++) {
        for (uint16_t m = 0; m < MEASURES; m++)
            stage_one(f, id, t, m, t * 100 + m);
        if (t % 10 == 9)
            commit(f);
    }
    tsfs_hot_facts(f->hot, &facts);
    assert_int_equal(facts.rows, 200);
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, NULL, &snap), 0);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_hot_snap_pieces(snap, 0, &arena, &pieces, &n), 0);
    uint32_t row = 0;
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t r = 0; r < pieces[p].nrows; r++, row++)
            for (unsigned m = 0; m < MEASURES; m++) {
                assert_null(pieces[p].cols[m].valid);
                assert_true(pieces[p].cols[m].d[r] == row * 100 + m);
            }
    assert_int_equal(row, 200);
    tsfs_arena_free(&arena);
    tsfs_hot_snap_free(snap);
}

/* The common case copies nothing: pieces point at the same memory every time. */
static void pieces_in_place(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_snap *snap;
    struct tsfs_hot_piece *a, *b;
    struct tsfs_arena arena;
    uint32_t id = series(f, 1), na, nb;
    struct tsfs_scan_spec spec = {.time_min = 100, .time_max = 2500};
    for (int64_t t = 0; t < 3000; t++)
        stage_one(f, id, t, 0, (double)t);
    commit(f);
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, &spec, &snap), 0);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_hot_snap_pieces(snap, 0, &arena, &a, &na), 0);
    assert_int_equal(tsfs_hot_snap_pieces(snap, 0, &arena, &b, &nb), 0);
    assert_int_equal(na, nb);
    uint32_t rows = 0;
    for (uint32_t p = 0; p < na; p++) {
        assert_ptr_equal(a[p].time, b[p].time);
        assert_ptr_equal(a[p].cols[0].data, b[p].cols[0].data);
        assert_null(a[p].cols[0].valid);
        rows += a[p].nrows;
    }
    assert_int_equal(rows, 2401);
    assert_int_equal(a[0].time[0], 100);
    tsfs_arena_free(&arena);
    tsfs_hot_snap_free(snap);
}

/* One late row costs a small copy, not one of the series. */
static void late_rows_are_cheap(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_snap *snap;
    struct tsfs_hot_piece *pieces;
    struct tsfs_arena arena;
    uint32_t id = series(f, 1), n, rows = 0;
    for (int64_t t = 0; t < 20000; t++)
        stage_one(f, id, 10 * t, 0, (double)t);
    commit(f);
    stage_one(f, id, 55555, 0, -1);
    stage_one(f, id, 100000, 0, -2); /* the same time as a row that is there */
    commit(f);
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, NULL, &snap), 0);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_hot_snap_pieces(snap, 0, &arena, &pieces, &n), 0);
    assert_true(arena.used < 20000);
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t r = 0; r < pieces[p].nrows; r++, rows++) {
            int64_t t = pieces[p].time[r];
            double want = t == 55555 ? -1 : t == 100000 ? -2 : (double)(t / 10);
            assert_true(pieces[p].cols[0].d[r] == want);
        }
    assert_int_equal(rows, 20001);
    tsfs_arena_free(&arena);
    tsfs_hot_snap_free(snap);
}

static void memory_of_full_days(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_facts facts;
    struct tsfs_cell cells[MEASURES];
    uint32_t ids[100];
    for (unsigned s = 0; s < 100; s++)
        ids[s] = series(f, s);
    for (unsigned t = 0; t < 8640; t++) {
        for (unsigned m = 0; m < MEASURES; m++)
            cells[m] = (struct tsfs_cell){.slot = (uint16_t)m, .type = TSFS_DOUBLE, .d = t * 0.1};
        for (unsigned s = 0; s < 100; s++)
            assert_int_equal(
                tsfs_hot_stage(f->hot, f->schema, ids[s], t * INT64_C(10000000000), cells, MEASURES), 0);
        tsfs_hot_publish(f->hot);
    }
    tsfs_hot_facts(f->hot, &facts);
    assert_int_equal(facts.rows, 864000);
    assert_true(facts.bytes < facts.rows * MEASURES * 10);
    assert_true(f->budget.used >= facts.bytes - 4096);
}

/* What an undone record defined must be defined again by the next, or recovery would not know it. */
static int define(void *ctx, uint16_t ordinal, const struct tsfs_column *column, struct tsfs_error *err)
{
    return 0;
}

static const struct tsfs_schema *schema_of(void *ctx)
{
    return ((struct fixture *)ctx)->schema;
}

static int apply(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    struct tsfs_hot_recovery recovery = {define, schema_of, ctx};
    return tsfs_hot_replay(((struct fixture *)ctx)->hot, &recovery, payload, len, err);
}

static void definitions_after_undo(void **state)
{
    struct fixture *f = *state;
    struct tsfs_error err = {0};
    struct tsfs_hot_facts facts;
    uint64_t good, torn;
    for (unsigned logged = 0; logged < 2; logged++) {
        for (unsigned s = 0; s < 5; s++)
            stage_one(f, series(f, s), 1, (uint16_t)s, 1);
        if (logged)
            assert_int_equal(tsfs_hot_log(f->hot, f->wal, NULL), 0);
        assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
    }
    for (unsigned s = 5; s-- > 0;)
        stage_one(f, series(f, s), 1, (uint16_t)s, 1);
    commit(f);
    size_t used = f->budget.used;
    for (unsigned i = 0; i < 2000; i++) { /* a client that tries again and again on a full disk */
        char text[200];
        memset(text, 'a' + (int)(i % 26), sizeof(text));
        struct tsfs_cell cell = {.slot = MEASURES, .type = TSFS_VARCHAR, .s = {text, sizeof(text)}};
        for (unsigned s = 0; s < 5; s++)
            assert_int_equal(tsfs_hot_stage(f->hot, f->schema, series(f, s), 2 + s, &cell, 1), 0);
        assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
    }
    assert_true(f->budget.used < used + 65536);
    struct fixture next = {.schema = f->schema};
    assert_int_equal(tsfs_hot_create(f->index, NULL, &next.hot), 0);
    int rc = tsfs_wal_recover(f->dirfd, "log", true, apply, &next, &good, &torn, &err);
    if (rc)
        fail_msg("%s", err.message);
    tsfs_hot_facts(next.hot, &facts);
    assert_int_equal(facts.rows, 5);
    assert_int_equal(facts.series, 5);
    tsfs_hot_unref(next.hot);
}

/* Series `host` is in the snapshot, with so many rows that hold its number. */
static void has_series(struct fixture *f, struct tsfs_hot_snap *snap, unsigned host, uint64_t rows)
{
    char text[16], region[16];
    snprintf(text, sizeof(text), "h%u", host);
    snprintf(region, sizeof(region), "r%u", host % 7);
    struct tsfs_str dims[] = {tsfs_str_from(text), tsfs_str_from(region)};
    struct tsfs_series series = {.measure_name = TSFS_STR("cpu"), .dims = dims, .ndims = 2};
    struct tsfs_hot_piece *pieces;
    struct tsfs_arena arena;
    uint32_t n, i = tsfs_hot_snap_find(snap, &series);
    assert_int_not_equal(i, TSFS_SERIES_NONE);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_hot_snap_pieces(snap, i, &arena, &pieces, &n), 0);
    uint64_t seen = 0;
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t r = 0; r < pieces[k].nrows; r++, seen++)
            assert_true(pieces[k].cols[0].d[r] == host);
    assert_int_equal(seen, rows);
    tsfs_arena_free(&arena);
}

/* Many series that share values, among records that are taken back, written in several lives of the same log:
 * each is the one it was to who knows only the log. */
static void definitions_by_difference(void **state)
{
    struct fixture *f = *state;
    uint64_t good, torn;
    struct tsfs_error err = {0};
    unsigned host = 0;
    for (unsigned life = 0; life < 3; life++) {
        for (unsigned batch = 0; batch < 40; batch++) {
            unsigned n = 1 + batch % 9, undone = batch % 3;
            for (unsigned s = 0; s < n; s++)
                stage_one(f, series(f, host + s), life, 0, host + s);
            if (undone == 1)
                assert_int_equal(tsfs_hot_log(f->hot, f->wal, NULL), 0);
            if (undone) {
                assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
                continue;
            }
            commit(f);
            host += n;
        }
        uint64_t size = tsfs_wal_size(f->wal);
        assert_true(size < 24 + 40 * 24 + 9 * 60 + host * 30u);
        tsfs_wal_close(f->wal);
        tsfs_hot_unref(f->hot);
        tsfs_series_index_free(f->index);
        assert_int_equal(tsfs_series_index_create(&f->index), 0);
        assert_int_equal(tsfs_hot_create(f->index, &f->budget, &f->hot), 0);
        int rc = tsfs_wal_recover(f->dirfd, "log", false, apply, f, &good, &torn, &err);
        if (rc)
            fail_msg("%s", err.message);
        assert_int_equal(good, size);
        assert_int_equal(tsfs_wal_open(f->dirfd, "log", good, &f->wal, NULL), 0);
        struct tsfs_hot_snap *snap;
        assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, NULL, &snap), 0);
        assert_int_equal(tsfs_hot_snap_count(snap), host);
        for (unsigned h = 0; h < host; h++)
            has_series(f, snap, h, 1);
        tsfs_hot_snap_free(snap);
    }
}

static void put_text(struct tsfs_buf *b, const char *text, uint32_t len)
{
    for (uint32_t v = len;; v >>= 7) {
        uint8_t byte = (uint8_t)((v & 0x7f) | (v >= 0x80 ? 0x80 : 0));
        assert_int_equal(tsfs_buf_append(b, &byte, 1), 0);
        if (v < 0x80)
            break;
    }
    assert_int_equal(tsfs_buf_append(b, text, len), 0);
}

static void put_bytes(struct tsfs_buf *b, const char *bytes, size_t n)
{
    assert_int_equal(tsfs_buf_append(b, bytes, n), 0);
}

/* Eleven bytes that stand for a series of 64 KiB: so many are read, and then it is no log of ours. */
static void long_values_by_number(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_recovery recovery = {define, schema_of, f};
    struct tsfs_buf log = {0};
    struct tsfs_error err = {0};
    static char huge[TSFS_SERIES_KEY_MAX];
    char number[16];
    memset(huge, 'x', sizeof(huge));
    put_bytes(&log, "\x10\x02\x00\x02\x05", 5); /* the two dimensions */
    put_text(&log, "host", 4);
    put_bytes(&log, "\x10\x03\x00\x02\x05", 5);
    put_text(&log, "region", 6);
    put_bytes(&log, "\x20", 1); /* series 0 */
    put_text(&log, "cpu", 3);
    put_bytes(&log, "\x02\x02\x00", 3);
    put_text(&log, "h", 1);
    put_bytes(&log, "\x03\x00", 2);
    put_text(&log, "r", 1);
    put_bytes(&log, "\x40\x00\x01", 3); /* the first after it, which gives the value its number */
    put_text(&log, huge, sizeof(huge));
    put_bytes(&log, "\x00", 1);
    put_text(&log, "r", 1);
    assert_int_equal(tsfs_hot_replay(f->hot, &recovery, log.data, log.len, &err), 0);
    int rc = 0;
    unsigned n = 0;
    for (; rc == 0 && n < 40000; n++) {
        log.len = 0;
        put_bytes(&log, "\x40\x00\x02\x00", 4);
        put_text(&log, number, (uint32_t)snprintf(number, sizeof(number), "r%u", n));
        rc = tsfs_hot_replay(f->hot, &recovery, log.data, log.len, &err);
    }
    assert_int_equal(rc, -EBADMSG);
    assert_true(n > TSFS_WAL_NAMED_FREE / sizeof(huge) && n < TSFS_WAL_NAMED_FREE / sizeof(huge) * 5 / 4);
    tsfs_buf_free(&log);
}

/* Such values in what we write: they stand there in full, and the log can be read whatever their number. */
static void long_values_in_full(void **state)
{
    struct fixture *f = *state;
    uint64_t good, torn;
    struct tsfs_error err = {0};
    enum { N = 100, LONG = TSFS_WAL_NAMED_MAX + 1 };
    char region[LONG], host[16];
    memset(region, 'r', sizeof(region));
    for (unsigned i = 0; i < 2 * N; i++) {
        snprintf(host, sizeof(host), "h%u", i);
        struct tsfs_dim_value dims[] = {{0, tsfs_str_from(host)}, {1, {region, LONG - i / N}}};
        uint32_t id;
        assert_int_equal(tsfs_series_index_intern(f->index, TSFS_STR("cpu"), dims, 2, &id), 0);
        stage_one(f, id, 1, 0, 1);
        commit(f);
        if (i == N - 1)
            assert_true(tsfs_wal_size(f->wal) > N * LONG);
    }
    assert_true(tsfs_wal_size(f->wal) < (N + 10) * (LONG + 90)); /* the shorter ones went by number */
    struct fixture next = {.schema = f->schema};
    struct tsfs_hot_facts facts;
    assert_int_equal(tsfs_hot_create(f->index, NULL, &next.hot), 0);
    int rc = tsfs_wal_recover(f->dirfd, "log", true, apply, &next, &good, &torn, &err);
    if (rc)
        fail_msg("%s", err.message);
    tsfs_hot_facts(next.hot, &facts);
    assert_int_equal(facts.series, 2 * N);
    tsfs_hot_unref(next.hot);
}

/* Values of the first rows of a series, short and long, as they come out of a snapshot. */
static void expect_row(struct fixture *f, uint32_t id, uint32_t row, const double want[MEASURES])
{
    struct tsfs_hot_snap *snap;
    struct tsfs_hot_piece *pieces;
    struct tsfs_arena arena;
    uint32_t n;
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, NULL, &snap), 0);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_hot_snap_pieces(snap, id, &arena, &pieces, &n), 0);
    uint32_t k = 0;
    while (k < n && row >= pieces[k].nrows)
        row -= pieces[k++].nrows;
    assert_true(k < n);
    for (unsigned m = 0; m < MEASURES; m++) {
        bool there = m < pieces[k].ncols && pieces[k].cols[m].data && !tsfs_vec_null(&pieces[k].cols[m], row);
        assert_true(there == !isnan(want[m]));
        if (there)
            assert_memory_equal(&pieces[k].cols[m].d[row], &want[m], sizeof(double));
    }
    tsfs_arena_free(&arena);
    tsfs_hot_snap_free(snap);
}

static void stage_some(struct fixture *f, uint32_t id, int64_t time, const double v[MEASURES])
{
    struct tsfs_cell cells[MEASURES];
    unsigned n = 0;
    for (unsigned m = 0; m < MEASURES; m++)
        if (!isnan(v[m]))
            cells[n++] = (struct tsfs_cell){.slot = (uint16_t)m, .type = TSFS_DOUBLE, .d = v[m]};
    assert_int_equal(tsfs_hot_stage(f->hot, f->schema, id, time, cells, n), 0);
}

/* The first rows of a series are packed.  They come out as they went in; so do those that are written where
 * one that was taken back had been, longer ones and ones with other measures; and rows that are written a
 * second time before they are published. */
static void packed_rows(void **state)
{
    struct fixture *f = *state;
    double small[MEASURES], large[MEASURES], part[MEASURES], both[MEASURES];
    for (unsigned m = 0; m < MEASURES; m++) {
        small[m] = m % 4 ? m * 0.5 : m == 4 ? -0.0 : 0;
        large[m] = m % 2 ? -1.0 / (m + 1) : m;
        part[m] = m % 3 ? NAN : m * 1e300;
        both[m] = isnan(part[m]) ? small[m] : part[m];
    }
    uint32_t id = series(f, 0);
    stage_some(f, id, 1, small);
    assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
    stage_some(f, id, 1, large);
    assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
    stage_some(f, id, 1, part);
    assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
    stage_some(f, id, 1, small);
    stage_some(f, id, 2, large);
    stage_some(f, id, 3, small);
    commit(f);
    expect_row(f, 0, 0, small);
    expect_row(f, 0, 1, large);
    expect_row(f, 0, 2, small);
    id = series(f, 1);
    stage_some(f, id, 1, small); /* as a source does that sends a line for each measure */
    stage_some(f, id, 1, part);
    stage_some(f, id, 2, small);
    stage_some(f, id, 2, large);
    commit(f);
    expect_row(f, 1, 0, both);
    expect_row(f, 1, 1, large);
    id = series(f, 2);
    stage_some(f, id, 5, small);
    commit(f);
    stage_some(f, id, 5, part); /* into another lane: merged when it is read */
    stage_some(f, id, 4, small);
    commit(f);
    expect_row(f, 2, 0, small);
    expect_row(f, 2, 1, both);
}

static void record_limit(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_facts facts;
    char *text = malloc(60000);
    struct tsfs_cell cell = {.slot = MEASURES, .type = TSFS_VARCHAR, .s = {text, 60000}};
    uint32_t id = series(f, 1);
    int rc = 0, rows = 0;
    memset(text, 'x', 60000);
    while (rc == 0) {
        text[0] = (char)('a' + rows % 7);
        rc = tsfs_hot_stage(f->hot, f->schema, id, rows, &cell, 1);
        rows += rc == 0;
    }
    assert_int_equal(rc, -E2BIG);
    commit(f);
    assert_int_equal(tsfs_hot_stage(f->hot, f->schema, id, rows, &cell, 1), 0);
    commit(f);
    tsfs_hot_facts(f->hot, &facts);
    assert_int_equal(facts.rows, rows + 1);
    struct tsfs_cell unknown = {.slot = 4000, .type = TSFS_DOUBLE};
    assert_int_equal(tsfs_hot_stage(f->hot, f->schema, id, rows + 1, &unknown, 1), -EINVAL);
    assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
    free(text);
}

static bool never(void *ctx, const struct tsfs_series *s)
{
    ++*(unsigned *)ctx;
    return tsfs_str_eq(s->dims[0], TSFS_STR("h4321"));
}

/* One series out of many is found through the index: the predicate is asked about it alone. */
static void one_of_many(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_snap *snap;
    struct tsfs_series s;
    unsigned asked = 0;
    for (unsigned i = 0; i < 10000; i++)
        stage_one(f, series(f, i), i, 0, i);
    commit(f);
    struct tsfs_str hosts[] = {TSFS_STR("nobody"), TSFS_STR("h4321"), TSFS_STR("h4321")},
                    regions[] = {TSFS_STR("r2")};
    struct tsfs_dim_in in[] = {{3, 1, regions}, {2, 3, hosts}};
    struct tsfs_scan_spec spec = {.time_min = INT64_MIN,
                                  .time_max = INT64_MAX,
                                  .series_match = never,
                                  .series_ctx = &asked,
                                  .dim_in = in,
                                  .n_dim_in = 2};
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, &spec, &snap), 0);
    assert_int_equal(tsfs_hot_snap_count(snap), 1);
    assert_int_equal(asked, 1);
    tsfs_hot_snap_series(snap, 0, &s);
    assert_true(tsfs_str_eq(s.dims[0], TSFS_STR("h4321")));
    assert_int_equal(tsfs_hot_snap_find(snap, &s), 0);
    struct tsfs_str other[] = {TSFS_STR("h1"), TSFS_STR("r1")};
    s.dims = other;
    assert_int_equal(tsfs_hot_snap_find(snap, &s), TSFS_SERIES_NONE);
    tsfs_hot_snap_free(snap);

    spec = (struct tsfs_scan_spec){.time_min = 10, .time_max = 19};
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, &spec, &snap), 0);
    assert_int_equal(tsfs_hot_snap_count(snap), 10);
    tsfs_hot_snap_free(snap);
}

/* Snapshots of one instant show the same rows however much has come since: rows of series that were there,
 * new series, found through the index or not. */
static void snapshots_of_an_instant(void **state)
{
    struct fixture *f = *state;
    struct tsfs_hot_instant *instant, *empty;
    struct tsfs_hot_snap *snap;
    assert_int_equal(tsfs_hot_instant_take(f->hot, &empty), 0);
    for (unsigned i = 0; i < 100; i++)
        stage_one(f, series(f, i), 10, 0, i);
    commit(f);
    assert_int_equal(tsfs_hot_instant_take(f->hot, &instant), 0);
    for (unsigned i = 0; i < 200; i++) {
        stage_one(f, series(f, i), 20, 0, i);
        stage_one(f, series(f, i), 5, 0, i); /* late: in a lane of its own */
    }
    commit(f);
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, NULL, &snap), 0);
    assert_int_equal(tsfs_hot_snap_rows(snap), 500);
    tsfs_hot_snap_free(snap);
    assert_int_equal(tsfs_hot_snapshot_at(f->hot, instant, f->schema, NULL, &snap), 0);
    assert_int_equal(tsfs_hot_snap_count(snap), 100);
    assert_int_equal(tsfs_hot_snap_rows(snap), 100);
    tsfs_hot_snap_free(snap);
    assert_int_equal(tsfs_hot_snapshot_at(f->hot, empty, f->schema, NULL, &snap), 0);
    assert_int_equal(tsfs_hot_snap_count(snap), 0);
    tsfs_hot_snap_free(snap);

    struct tsfs_str hosts[] = {TSFS_STR("h42"), TSFS_STR("h142")};
    struct tsfs_dim_in in[] = {{2, 2, hosts}};
    struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX, .dim_in = in, .n_dim_in = 1};
    assert_int_equal(tsfs_hot_snapshot_at(f->hot, instant, f->schema, &spec, &snap), 0);
    assert_int_equal(tsfs_hot_snap_rows(snap), 1);
    tsfs_hot_snap_free(snap);
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, &spec, &snap), 0);
    assert_int_equal(tsfs_hot_snap_rows(snap), 5);
    tsfs_hot_snap_free(snap);
    tsfs_hot_instant_free(instant);
    tsfs_hot_instant_free(empty);
}

/* A writer and readers.  Every batch puts its number into all series, at times that are in order for some,
 * late or double for others, with strings and gaps; so every snapshot must show the same last number in each
 * series and all the numbers before it. */
#define THREAD_SERIES  12
#define THREAD_BATCHES 1500

struct race {
    struct fixture *f;
    _Atomic bool stop;
    _Atomic unsigned checks;
};

static void check_snapshot(struct race *r, struct tsfs_hot_snap *snap)
{
    int64_t last = -1;
    uint32_t n;
    for (uint32_t i = 0; i < tsfs_hot_snap_count(snap); i++) {
        struct tsfs_arena arena;
        struct tsfs_hot_piece *pieces;
        struct tsfs_series s;
        int64_t seen = -1, count = 0, before = INT64_MIN;
        tsfs_hot_snap_series(snap, i, &s);
        tsfs_arena_init(&arena, NULL);
        assert_int_equal(tsfs_hot_snap_pieces(snap, i, &arena, &pieces, &n), 0);
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t k = 0; k < pieces[p].nrows; k++) {
                assert_true(pieces[p].time[k] > before);
                before = pieces[p].time[k];
                const struct tsfs_vec *text = pieces[p].ncols > MEASURES ? &pieces[p].cols[MEASURES] : NULL;
                double v = pieces[p].cols[0].d[k];
                seen = (int64_t)v > seen ? (int64_t)v : seen;
                if (text && text->data && !tsfs_vec_null(text, k))
                    assert_true(text->s[k].len == 3 && memcmp(text->s[k].ptr, "abc", 3) == 0);
                if (pieces[p].ncols > 1 && pieces[p].cols[1].data && !tsfs_vec_null(&pieces[p].cols[1], k))
                    assert_true(pieces[p].cols[1].d[k] == v);
                count++;
            }
        tsfs_arena_free(&arena);
        assert_int_equal(count, seen + 1);
        if (last >= 0)
            assert_int_equal(seen, last);
        last = seen;
    }
    if (last >= 0)
        assert_int_equal(tsfs_hot_snap_count(snap), THREAD_SERIES);
    atomic_fetch_add(&r->checks, 1);
}

static void *reader(void *ctx)
{
    struct race *r = ctx;
    struct tsfs_dim_in in = {3, 1, &TSFS_STR("r1")};
    while (!atomic_load(&r->stop)) {
        struct tsfs_hot_snap *snap;
        struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX};
        assert_int_equal(tsfs_hot_snapshot(r->f->hot, r->f->schema, &spec, &snap), 0);
        check_snapshot(r, snap);
        tsfs_hot_snap_free(snap);
        spec.dim_in = &in;
        spec.n_dim_in = 1;
        assert_int_equal(tsfs_hot_snapshot(r->f->hot, r->f->schema, &spec, &snap), 0);
        tsfs_hot_snap_free(snap);
    }
    return NULL;
}

static void stage_batch(struct fixture *f, const uint32_t *ids, unsigned b)
{
    for (unsigned s = 0; s < THREAD_SERIES; s++) {
        struct tsfs_cell cells[3] = {{.slot = 0, .type = TSFS_DOUBLE, .d = b},
                                     {.slot = 1, .type = TSFS_DOUBLE, .d = b},
                                     {.slot = MEASURES, .type = TSFS_VARCHAR, .s = TSFS_STR("abc")}};
        int64_t t = b;
        if (s % 4 == 1)
            t = (int64_t)b ^ 7; /* in order by eights only */
        if (s % 4 == 2)
            t = -(int64_t)b; /* backwards: the unordered lane */
        unsigned n = s % 4 == 3 && b % 3 ? 1 : 1 + (b / 100 + s) % 3;
        assert_int_equal(tsfs_hot_stage(f->hot, f->schema, ids[s], t, cells, n), 0);
    }
}

static void snapshots_beside_a_writer(void **state)
{
    struct fixture *f = *state;
    struct race r = {.f = f};
    pthread_t threads[2];
    uint32_t ids[THREAD_SERIES];
    for (unsigned s = 0; s < THREAD_SERIES; s++)
        ids[s] = series(f, s);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &r), 0);
    for (unsigned b = 0; b < THREAD_BATCHES; b++) {
        if (b % 5 == 0) { /* more than will stay */
            stage_batch(f, ids, b + 1000);
            stage_batch(f, ids, b + 1001);
            if (b % 2)
                assert_int_equal(tsfs_hot_log(f->hot, f->wal, NULL), 0);
            assert_int_equal(tsfs_hot_undo(f->hot, f->wal), 0);
        }
        stage_batch(f, ids, b);
        commit(f);
    }
    while (atomic_load(&r.checks) < 3)
        usleep(1000);
    atomic_store(&r.stop, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(facts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_per_measure, setup, teardown),
        cmocka_unit_test_setup_teardown(pieces_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(late_rows_are_cheap, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_of_full_days, setup, teardown),
        cmocka_unit_test_setup_teardown(definitions_after_undo, setup, teardown),
        cmocka_unit_test_setup_teardown(definitions_by_difference, setup, teardown),
        cmocka_unit_test_setup_teardown(long_values_by_number, setup, teardown),
        cmocka_unit_test_setup_teardown(long_values_in_full, setup, teardown),
        cmocka_unit_test_setup_teardown(packed_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(record_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(one_of_many, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshots_of_an_instant, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshots_beside_a_writer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
