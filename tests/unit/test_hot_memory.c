/* The hot tier while memory is short: any allocation may fail, at any place.  A row that could not be staged
 * leaves no trace, those around it are whole, a snapshot is taken whole or not at all, the log says the same
 * as memory, and in the end all that was charged is given back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/io.h"
#include "hot/hot.h"

enum { SERIES = 2000, MEASURES = 12, ROUNDS = 100, BATCHES = 30, ROWS = 60, TIMES = 256 };

/* The linker leads the calls of the hot tier here. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);

static uint32_t state;
static unsigned one_in; /* allocations fails; 0 = none */
static unsigned failed;

static uint32_t rnd(uint32_t n)
{
    state = state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(state ^ state >> 15) * n >> 32);
}

static bool fails(void)
{
    bool now = one_in && rnd(one_in) == 0;
    failed += now;
    return now;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap(at, size, prot, flags, fd, offset);
}

struct world {
    char dir[40];
    int dirfd;
    struct tsfs_budget budget;
    struct tsfs_schema *schema;
    struct tsfs_series_index *index;
    struct tsfs_hot *hot;
    uint32_t published[SERIES], staged[SERIES];
};

/* Row number k of a series; every second series comes out of order. */
static int64_t time_of(uint32_t s, uint32_t k)
{
    return s % 2 ? k ^ 1u : k;
}

/* Tries of a row so far that came to nothing: each has a measure that the one before it did not have, so that
 * no trace of that one goes unseen. */
static uint8_t tries[SERIES][TIMES];

static bool has(uint32_t s, int64_t t, unsigned m)
{
    if (m >= MEASURES - 2)
        return m % 2 == tries[s][t] % 2;
    return (s % 3 == 0 && m < 3) || m == 0 || (s + (uint64_t)t * 7 + m * 5) % 11 < 4;
}

static unsigned make_cells(uint32_t s, int64_t t, struct tsfs_cell *cells, char text[16])
{
    unsigned n = 0;
    for (uint16_t m = 0; m < MEASURES; m++) {
        if (!has(s, t, m))
            continue;
        cells[n] = (struct tsfs_cell){.slot = m, .type = m == 1 ? TSFS_VARCHAR : TSFS_BIGINT};
        if (m == 1)
            cells[n].s =
                (struct tsfs_str){text, (size_t)snprintf(text, 16, "%u", (unsigned)(s + (uint32_t)t / 4))};
        else
            cells[n].i = (int64_t)s * 1000000 + t * 100 + m;
        n++;
    }
    return n;
}

static int intern(struct world *w, uint32_t s, uint32_t *id)
{
    char raw[32];
    size_t len = (size_t)snprintf(raw, sizeof(raw), "m,host=h%u", s);
    struct tsfs_str key = {raw, len};
    struct tsfs_dim_value dim = {0, {raw + 7, len - 7}};
    *id = tsfs_series_index_find_spelling(w->index, key, tsfs_hash(raw, len));
    if (*id != TSFS_SERIES_NONE)
        return 0;
    int rc = tsfs_series_index_intern(w->index, TSFS_STR("m"), &dim, 1, id);
    return rc ? rc : tsfs_series_index_add_spelling(w->index, key, tsfs_hash(raw, len), *id);
}

static void check_row(const struct tsfs_hot_piece *p, uint32_t row, uint32_t s)
{
    int64_t t = p->time[row];
    char text[16];
    for (uint16_t m = 0; m < MEASURES; m++) {
        bool there = m < p->ncols && p->cols[m].data && !tsfs_vec_null(&p->cols[m], row);
        assert_int_equal(there, has(s, t, m));
        if (!there)
            continue;
        snprintf(text, sizeof(text), "%u", (unsigned)(s + (uint32_t)t / 4));
        if (m == 1)
            assert_true(tsfs_str_eq(p->cols[m].s[row], tsfs_str_from(text)));
        else
            assert_int_equal(p->cols[m].i[row], (int64_t)s * 1000000 + t * 100 + m);
    }
}

/* All that is published and nothing else; 0, or -ENOMEM while memory is short. */
static int check(struct world *w, struct tsfs_hot *hot)
{
    struct tsfs_hot_snap *snap;
    struct tsfs_arena arena;
    uint32_t found = 0, expected = 0;
    int rc = tsfs_hot_snapshot(hot, w->schema, NULL, &snap);
    if (rc)
        return rc;
    tsfs_arena_init(&arena, NULL);
    for (uint32_t i = 0; i < tsfs_hot_snap_count(snap) && rc == 0; i++) {
        struct tsfs_series series;
        struct tsfs_hot_piece *pieces;
        uint32_t n, s = 0, row = 0;
        tsfs_hot_snap_series(snap, i, &series);
        for (size_t c = 1; c < series.dims[0].len; c++)
            s = s * 10 + (uint32_t)(series.dims[0].ptr[c] - '0');
        tsfs_arena_reset(&arena);
        rc = tsfs_hot_snap_pieces(snap, i, &arena, &pieces, &n);
        for (uint32_t p = 0; p < n && rc == 0; p++)
            for (uint32_t r = 0; r < pieces[p].nrows; r++, row++) {
                uint32_t last = w->published[s] - 1;
                assert_int_equal(pieces[p].time[r], row == last && s % 2 && last % 2 == 0 ? row + 1 : row);
                check_row(&pieces[p], r, s);
            }
        if (rc == 0)
            assert_int_equal(row, w->published[s]);
        found++;
    }
    for (uint32_t s = 0; s < SERIES; s++)
        expected += w->published[s] > 0;
    if (rc == 0)
        assert_int_equal(found, expected);
    tsfs_arena_free(&arena);
    tsfs_hot_snap_free(snap);
    return rc;
}

static void stage_some(struct world *w)
{
    struct tsfs_cell cells[MEASURES];
    char text[16];
    uint32_t id, n = rnd(ROWS);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = rnd(2) ? rnd(20) : rnd(SERIES);
        if (w->published[s] + w->staged[s] >= TIMES)
            continue;
        int64_t t = time_of(s, w->published[s] + w->staged[s]);
        int rc = intern(w, s, &id);
        if (rc == 0)
            rc = tsfs_hot_stage(w->hot, w->schema, id, t, cells, make_cells(s, t, cells, text));
        assert_true(rc == 0 || rc == -ENOMEM);
        w->staged[s] += rc == 0;
        tries[s][t] += rc != 0;
    }
}

static int define(void *ctx, uint16_t ordinal, const struct tsfs_column *column, struct tsfs_error *err)
{
    return 0;
}

static const struct tsfs_schema *schema_of(void *ctx)
{
    return ((struct world *)ctx)->schema;
}

struct replay {
    struct world *w;
    struct tsfs_hot *hot;
};

static int apply(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    struct replay *r = ctx;
    struct tsfs_hot_recovery recovery = {define, schema_of, r->w};
    return tsfs_hot_replay(r->hot, &recovery, payload, len, err);
}

static void make_world(struct world *w)
{
    struct tsfs_column columns[1 + MEASURES];
    struct tsfs_schema *base;
    char names[MEASURES][8];
    columns[0] =
        (struct tsfs_column){.name = TSFS_STR("host"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR};
    for (unsigned m = 0; m < MEASURES; m++) {
        snprintf(names[m], sizeof(names[m]), "f%u", m);
        columns[1 + m] = (struct tsfs_column){.name = tsfs_str_from(names[m]),
                                              .role = TSFS_ROLE_MEASURE,
                                              .type = m == 1 ? TSFS_VARCHAR : TSFS_BIGINT};
    }
    strcpy(w->dir, "/tmp/tsfs-test-memory-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(tsfs_schema_create(&base), 0);
    assert_int_equal(tsfs_schema_extend(base, columns, 1 + MEASURES, &w->schema, NULL), 0);
    tsfs_schema_unref(base);
    assert_int_equal(tsfs_series_index_create(&w->index), 0);
    tsfs_series_index_charge(w->index, &w->budget);
    assert_int_equal(tsfs_hot_create(w->index, &w->budget, &w->hot), 0);
}

static unsigned undone, looked;

static void one_round(void)
{
    struct world *w = calloc(1, sizeof(*w));
    struct tsfs_wal *wal;
    uint64_t good, torn;
    memset(tries, 0, sizeof(tries));
    make_world(w);
    assert_int_equal(tsfs_wal_open(w->dirfd, "log", 0, &wal, NULL), 0);
    for (unsigned b = 0; b < BATCHES; b++) {
        one_in = b % 5 < 4 ? 2 + rnd(20) : 0;
        memset(w->staged, 0, sizeof(w->staged));
        stage_some(w);
        if (rnd(5) == 0) {
            assert_int_equal(tsfs_hot_log(w->hot, wal, NULL), 0); /* needs no memory */
            assert_int_equal(tsfs_hot_undo(w->hot, wal), 0);
            undone++;
            for (uint32_t s = 0; s < SERIES; s++)
                for (uint32_t k = 0; k < w->staged[s]; k++)
                    tries[s][time_of(s, w->published[s] + k)]++;
        } else {
            assert_int_equal(tsfs_hot_log(w->hot, wal, NULL), 0);
            tsfs_hot_publish(w->hot);
            for (uint32_t s = 0; s < SERIES; s++)
                w->published[s] += w->staged[s];
        }
        if (b % 10 >= 8) { /* in need, and not */
            int rc = check(w, w->hot);
            assert_true(rc == 0 || rc == -ENOMEM);
            looked += rc == 0;
        }
    }
    one_in = 0;
    assert_int_equal(check(w, w->hot), 0);
    tsfs_wal_close(wal);

    struct replay r = {.w = w};
    assert_int_equal(tsfs_hot_create(w->index, &w->budget, &r.hot), 0);
    assert_int_equal(tsfs_wal_recover(w->dirfd, "log", true, apply, &r, &good, &torn, NULL), 0);
    assert_int_equal(check(w, r.hot), 0);
    tsfs_hot_unref(r.hot);
    tsfs_hot_unref(w->hot);
    tsfs_series_index_free(w->index);
    assert_int_equal(w->budget.used, 0);
    tsfs_schema_unref(w->schema);
    close(w->dirfd);
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, w->dir), 0);
    free(w);
}

static void short_of_memory(void **unused)
{
    state = 7;
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round();
    print_message("%u allocations failed, %u batches undone, %u looks\n", failed, undone, looked);
    assert_true(failed > 500 && undone > 100 && looked > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(short_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
