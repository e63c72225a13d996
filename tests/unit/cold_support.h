/* What the tests of the cold tier share: a table of random rows that is also its own oracle, and reading a
 * cursor to the end while checking all that it promises. */
#ifndef TESTS_COLD_SUPPORT_H
#define TESTS_COLD_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/limits.h"
#include "cold/cold.h"

#define NDIMS     3
#define NMEASURES 5

static inline uint64_t rnd(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}
static inline uint32_t below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(rnd(state) % n);
}

struct cell {
    bool have;
    union {
        int64_t i;
        double d;
        bool b;
        char s[24];
    };
};
struct row {
    bool have;
    struct cell cells[NMEASURES];
};
struct key {
    char measure_name[16];
    char dims[NDIMS][16];
    bool have[NDIMS];
};

/* The oracle: every (series, time) as it must be seen. */
struct table {
    struct tsfs_schema *schema;
    struct tsfs_series_index *series;
    uint32_t nseries, ntimes;
    struct key *keys;
    uint32_t *ids;
    struct row *rows; /* [series][time] */
    uint32_t shift;   /* of the next rows' counts: each generation has its own range of values */
};

static const enum tsfs_type measure_types[NMEASURES] = {TSFS_BIGINT, TSFS_DOUBLE, TSFS_DOUBLE, TSFS_VARCHAR,
                                                        TSFS_BOOLEAN};

static inline int64_t time_of(uint32_t t)
{
    return 1700000000000000000 + (int64_t)t * 10000000000;
}

static inline struct tsfs_str str_of(const char *s)
{
    return (struct tsfs_str){s, strlen(s)};
}

static inline struct tsfs_schema *make_schema(void)
{
    static const struct tsfs_column add[] = {
        {.name = {"host", 4}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = {"count", 5}, .role = TSFS_ROLE_MEASURE, .type = TSFS_BIGINT},
        {.name = {"temp", 4}, .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
        {.name = {"region", 6}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = {"noise", 5}, .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
        {.name = {"state", 5}, .role = TSFS_ROLE_MEASURE, .type = TSFS_VARCHAR},
        {.name = {"on", 2}, .role = TSFS_ROLE_MEASURE, .type = TSFS_BOOLEAN},
        {.name = {"rack", 4}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
    };
    struct tsfs_schema *base, *schema;
    assert_int_equal(tsfs_schema_create(&base), 0);
    assert_int_equal(tsfs_schema_extend(base, add, 8, &schema, NULL), 0);
    tsfs_schema_unref(base);
    return schema;
}

static inline void table_init(struct table *t, uint32_t nseries, uint32_t ntimes)
{
    memset(t, 0, sizeof(*t));
    t->schema = make_schema();
    assert_int_equal(tsfs_series_index_create(&t->series), 0);
    t->nseries = nseries;
    t->ntimes = ntimes;
    t->keys = calloc(nseries, sizeof(*t->keys));
    t->ids = calloc(nseries, sizeof(*t->ids));
    t->rows = calloc((size_t)nseries * ntimes, sizeof(*t->rows));
    for (uint32_t i = 0; i < nseries; i++) {
        struct key *k = &t->keys[i];
        struct tsfs_dim_value dims[NDIMS];
        unsigned n = 0;
        snprintf(k->measure_name, sizeof(k->measure_name), "%s", i % 3 == 0 ? "cpu" : "disk");
        snprintf(k->dims[0], 16, "h%u", i);
        snprintf(k->dims[1], 16, "r%u", i % 4);
        snprintf(k->dims[2], 16, "k%u", i % 7);
        k->have[0] = true;
        k->have[1] = i % 5 != 0;
        k->have[2] = i % 2 == 0;
        for (uint16_t d = 0; d < NDIMS; d++)
            if (k->have[d])
                dims[n++] = (struct tsfs_dim_value){d, str_of(k->dims[d])};
        assert_int_equal(tsfs_series_index_intern(t->series, str_of(k->measure_name), dims, n, &t->ids[i]),
                         0);
    }
}

static inline void table_free(struct table *t)
{
    tsfs_series_index_free(t->series);
    tsfs_schema_unref(t->schema);
    free(t->keys);
    free(t->ids);
    free(t->rows);
}

static inline struct tsfs_hot *new_hot(struct table *t)
{
    static struct tsfs_budget budget;
    struct tsfs_hot *hot;
    assert_int_equal(tsfs_hot_create(t->series, &budget, &hot), 0);
    return hot;
}

/* Writes one random row into hot and the oracle. */
static inline void put_row(struct table *t, struct tsfs_hot *hot, uint32_t s, uint32_t time, uint64_t *seed)
{
    struct tsfs_cell cells[NMEASURES];
    struct row *row = &t->rows[(size_t)s * t->ntimes + time];
    unsigned n = 0;
    unsigned mask = below(seed, 4) ? 31 : 1 + below(seed, 31);
    row->have = true;
    for (uint16_t m = 0; m < NMEASURES; m++) {
        struct cell *c = &row->cells[m];
        if (!(mask >> m & 1))
            continue;
        c->have = true;
        cells[n] = (struct tsfs_cell){.slot = m, .type = (uint8_t)measure_types[m]};
        switch (m) {
        case 0:
            c->i = below(seed, 500) == 0 ? (int64_t)rnd(seed)
                                         : (int64_t)((s + t->shift) % 6 * 1000 + below(seed, 100));
            cells[n].i = c->i;
            break;
        case 1: cells[n].d = c->d = (double)(int)(time % 500 + below(seed, 100)) / 100; break;
        case 2: cells[n].d = c->d = (double)(int64_t)rnd(seed) * 1e-7; break;
        case 3:
            snprintf(c->s, sizeof(c->s), "state%u", below(seed, 9) ? below(seed, 3) : below(seed, 100000));
            cells[n].s = str_of(c->s);
            break;
        default: cells[n].b = c->b = below(seed, 2); break;
        }
        n++;
    }
    int rc = tsfs_hot_stage(hot, t->schema, t->ids[s], time_of(time), cells, n);
    if (rc == -E2BIG) {
        tsfs_hot_publish(hot);
        rc = tsfs_hot_stage(hot, t->schema, t->ids[s], time_of(time), cells, n);
    }
    assert_int_equal(rc, 0);
}

static inline int find_key(const struct table *t, const struct tsfs_series *series)
{
    for (uint32_t i = 0; i < t->nseries; i++) {
        const struct key *k = &t->keys[i];
        bool same = tsfs_str_eq(series->measure_name, str_of(k->measure_name));
        for (uint16_t d = 0; same && d < NDIMS; d++) {
            struct tsfs_str have = d < series->ndims ? series->dims[d] : (struct tsfs_str){NULL, 0};
            same = (have.ptr != NULL) == k->have[d] && (!k->have[d] || tsfs_str_eq(have, str_of(k->dims[d])));
        }
        if (same)
            return (int)i;
    }
    return -1;
}

static inline void check_cell(const struct tsfs_vec *v, uint32_t i, const struct cell *c, uint16_t m)
{
    struct tsfs_value value = tsfs_vec_get(v, i);
    assert_int_equal(!value.null, c->have);
    if (!c->have)
        return;
    assert_int_equal(v->type, measure_types[m]);
    switch (m) {
    case 0: assert_true(value.i == c->i); break;
    case 1:
    case 2: assert_memory_equal(&value.d, &c->d, 8); break;
    case 3: assert_true(tsfs_str_eq(value.s, str_of(c->s))); break;
    default: assert_int_equal(value.b, c->b); break;
    }
}

static inline void check_summary(const struct tsfs_summary *sum, const struct row *rows, uint32_t n,
                                 uint16_t m)
{
    struct tsfs_summary want = {0};
    __int128 isum = 0;
    long double dsum = 0, size = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct cell *c = &rows[i].cells[m];
        if (!rows[i].have || !c->have)
            continue;
        if (measure_types[m] == TSFS_BIGINT) {
            isum += c->i;
            want.imin = want.count == 0 || c->i < want.imin ? c->i : want.imin;
            want.imax = want.count == 0 || c->i > want.imax ? c->i : want.imax;
            want.ifirst = want.count == 0 ? c->i : want.ifirst;
            want.ilast = c->i;
        } else if (measure_types[m] == TSFS_DOUBLE) {
            dsum += c->d;
            size += c->d < 0 ? -c->d : c->d;
            want.dmin = want.count == 0 || c->d < want.dmin ? c->d : want.dmin;
            want.dmax = want.count == 0 || c->d > want.dmax ? c->d : want.dmax;
            want.dfirst = want.count == 0 ? c->d : want.dfirst;
            want.dlast = c->d;
        }
        want.count++;
    }
    assert_int_equal(sum->count, want.count);
    if (want.count == 0)
        return;
    if (measure_types[m] == TSFS_BIGINT) {
        bool overflow = isum > INT64_MAX || isum < INT64_MIN;
        assert_int_equal(sum->isum_overflow, overflow);
        if (!overflow)
            assert_true(sum->isum == (int64_t)isum);
        assert_true(sum->imin == want.imin && sum->imax == want.imax);
        assert_true(sum->ifirst == want.ifirst && sum->ilast == want.ilast);
    } else if (measure_types[m] == TSFS_DOUBLE) {
        long double d = sum->dsum - dsum;
        assert_true((d < 0 ? -d : d) <= size * 1e-15L);
        assert_true(sum->dmin == want.dmin && sum->dmax == want.dmax);
        assert_true(sum->dfirst == want.dfirst && sum->dlast == want.dlast);
    }
}

/* How a scan went. */
struct seen {
    uint8_t *rows; /* [series][time], how often */
    uint64_t n, blocks;
    struct tsfs_scan_stats stats;
};

static inline uint32_t index_of_time(int64_t t)
{
    return (uint32_t)((t - time_of(0)) / (time_of(1) - time_of(0)));
}

/* Reads a cursor to its end; every row must be the oracle's.  sorted: series must ascend. */
static inline void drain(struct table *t, struct tsfs_cursor *c, const struct tsfs_scan_spec *spec,
                         bool sorted, struct seen *seen, uint64_t *seed)
{
    struct tsfs_run run;
    struct tsfs_error err = {0};
    char last_text[128] = "";
    int64_t last = 0;
    int last_key = -1, rc;
    struct tsfs_series prev = {0};
    struct tsfs_str prev_dims[NDIMS];
    while ((rc = c->ops->next_run(c, &run, &err)) == 1) {
        int k = find_key(t, &run.series);
        assert_true(k >= 0);
        assert_int_equal(run.same_series, k == last_key);
        if (sorted && last_key >= 0 && k != last_key)
            assert_true(tsfs_series_cmp(&prev, &run.series) < 0);
        /* strings of the series before may be gone: keep the oracle's */
        prev = (struct tsfs_series){str_of(t->keys[k].measure_name), prev_dims, NDIMS};
        for (unsigned d = 0; d < NDIMS; d++)
            prev_dims[d] = t->keys[k].have[d] ? str_of(t->keys[k].dims[d]) : (struct tsfs_str){NULL, 0};
        assert_true(run.nrows > 0);
        const int64_t *time;
        assert_int_equal(c->ops->times(c, 0, run.nrows, &time, &err), 0);
        assert_true(time[0] == run.t_first && time[run.nrows - 1] == run.t_last);
        assert_true(run.t_first >= spec->time_min && run.t_last <= spec->time_max);
        assert_true(!run.same_series || run.t_first > last);
        for (uint32_t i = 0; i < run.nrows; i++) {
            assert_true(i == 0 || time[i] > time[i - 1]);
            uint32_t at = index_of_time(time[i]);
            const struct row *row = &t->rows[(size_t)k * t->ntimes + at];
            assert_true(row->have);
            assert_int_equal(seen->rows[(size_t)k * t->ntimes + at]++, 0);
            seen->n++;
        }
        last = run.t_last;
        for (uint16_t m = 0; m < NMEASURES; m++) {
            struct tsfs_vec v;
            uint32_t from = below(seed, 3) ? 0 : below(seed, run.nrows);
            uint32_t n = below(seed, 3) ? run.nrows - from : 1 + below(seed, run.nrows - from);
            assert_int_equal(c->ops->column(c, t->schema->measures[m], from, n, &v, &err), 0);
            assert_int_equal(v.type, measure_types[m]);
            for (uint32_t i = 0; i < n; i++)
                check_cell(&v, i, &t->rows[(size_t)k * t->ntimes + index_of_time(time[from + i])].cells[m],
                           m);
        }
        const struct tsfs_block *blocks;
        uint32_t nblocks, end = 0;
        assert_int_equal(c->ops->blocks(c, &blocks, &nblocks, &err), 0);
        for (uint32_t b = 0; b < nblocks; b++) {
            assert_true(blocks[b].row >= end && blocks[b].nrows > 0);
            end = blocks[b].row + blocks[b].nrows;
            assert_true(end <= run.nrows);
            assert_true(blocks[b].t_first == time[blocks[b].row] && blocks[b].t_last == time[end - 1]);
            uint32_t lo = index_of_time(blocks[b].t_first), hi = index_of_time(blocks[b].t_last);
            for (uint16_t m = 0; m < NMEASURES; m++) {
                const struct tsfs_summary *sum;
                assert_int_equal(c->ops->summary(c, t->schema->measures[m], b, &sum, &err), 0);
                assert_non_null(sum);
                check_summary(sum, &t->rows[(size_t)k * t->ntimes + lo], hi - lo + 1, m);
            }
            seen->blocks++;
        }
        last_key = k;
    }
    (void)last_text;
    if (rc)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
    seen->stats = c->stats;
}

/* The whole scan in parts; seen->rows is allocated. */
static inline void scan(struct table *t, const struct tsfs_partition_view *view,
                        const struct tsfs_scan_spec *spec, unsigned nparts, bool sorted, struct seen *seen,
                        uint64_t *seed)
{
    memset(seen, 0, sizeof(*seen));
    seen->rows = calloc((size_t)t->nseries * t->ntimes, 1);
    for (unsigned p = 0; p < nparts; p++) {
        struct tsfs_cursor *c;
        struct tsfs_error err = {0};
        int rc = tsfs_cold_cursor(view, spec, p, nparts, sorted, &c, &err);
        if (rc)
            print_error("%s\n", err.message);
        assert_int_equal(rc, 0);
        drain(t, c, spec, sorted, seen, seed);
        c->ops->close(c);
    }
}

struct scratch_dir {
    char path[64];
    int fd;
};
static inline void scratch_open(struct scratch_dir *d)
{
    strcpy(d->path, "/tmp/tsfs-cold-XXXXXX");
    assert_non_null(mkdtemp(d->path));
    d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(d->fd >= 0);
}
static inline void scratch_close(struct scratch_dir *d)
{
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, d->path), 0);
    close(d->fd);
}

/* By measure slot, as in tsfs_partition_view; for the segments that write_open makes. */
static uint8_t write_decimals[NMEASURES];

/* Writes the hots (and segments) given as segment `name` and opens it. */
static inline struct tsfs_segment *write_open(struct table *t, struct scratch_dir *dir, const char *name,
                                              struct tsfs_segment **segments, unsigned nsegments,
                                              struct tsfs_hot **hots, unsigned nhots, struct tsfs_pool *pool)
{
    struct tsfs_hot_snap *snaps[4];
    struct tsfs_segment_facts facts, again;
    struct tsfs_error err = {0};
    struct tsfs_partition_view view = {.schema = t->schema,
                                       .hots = hots,
                                       .snaps = snaps,
                                       .nhots = nhots,
                                       .nsegments = nsegments,
                                       .decimals = write_decimals};
    for (unsigned i = 0; i < nsegments; i++)
        view.segments[i] = segments[i];
    for (unsigned i = 0; i < nhots; i++)
        assert_int_equal(tsfs_hot_snapshot(hots[i], t->schema, NULL, &snaps[i]), 0);
    struct tsfs_segment_progress progress = {.rows_total = tsfs_cold_estimate(&view, NULL)};
    int rc = tsfs_segment_write(dir->fd, "tmp", &view, pool, &progress, &facts, &err);
    if (rc)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
    for (unsigned i = 0; i < nhots; i++)
        tsfs_hot_snap_free(snaps[i]);
    assert_true(facts.rows > 0 && facts.rows == progress.rows_done && facts.rows <= progress.rows_total);
    assert_int_equal(tsfs_segment_commit(dir->fd, "tmp", name, "."), 0);
    struct tsfs_segment *s;
    rc = tsfs_segment_open(dir->fd, name, &s, &err);
    if (rc)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
    tsfs_segment_facts(s, &again);
    assert_true(facts.rows == again.rows && facts.series == again.series && facts.bytes == again.bytes);
    assert_true(facts.t_min == again.t_min && facts.t_max == again.t_max && facts.inode == again.inode);
    return s;
}

#endif
