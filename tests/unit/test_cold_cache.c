/* Decoded pages shared by queries: that a warm scan reads no file, that the limit holds whatever is scanned,
 * that pages go with their segment, that cursors on many threads may lose pages to one another.  Decimals:
 * how a column of them is stored, read back, and when it stays a column of doubles. */
#include <pthread.h>

#include "base/decimal.h"
#include "cold_support.h"
#include "parquet/reader.h"

static const struct tsfs_scan_spec everything = {.time_min = INT64_MIN, .time_max = INT64_MAX};

static struct tsfs_segment *segment_of(struct table *t, struct scratch_dir *dir, uint32_t nseries,
                                       uint32_t ntimes)
{
    uint64_t seed = 5;
    table_init(t, nseries, ntimes);
    scratch_open(dir);
    struct tsfs_hot *hot = new_hot(t);
    for (uint32_t s = 0; s < nseries; s++)
        for (uint32_t i = 0; i < ntimes; i++)
            put_row(t, hot, s, i, &seed);
    tsfs_hot_publish(hot);
    struct tsfs_segment *segment = write_open(t, dir, "seg", NULL, 0, &hot, 1, NULL);
    tsfs_hot_unref(hot);
    return segment;
}

static uint64_t read_all(struct table *t, struct tsfs_segment *s, bool sorted)
{
    struct tsfs_partition_view view = {.schema = t->schema, .segments = {s}, .nsegments = 1};
    struct seen seen;
    uint64_t seed = 6;
    scan(t, &view, &everything, 1, sorted, &seen, &seed);
    assert_int_equal(seen.n, (uint64_t)t->nseries * t->ntimes);
    free(seen.rows);
    return seen.stats.pages_read;
}

static void warm_scans_read_nothing(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_cold_cache_facts a, b;
    tsfs_cold_cache_limit(1u << 30);
    struct tsfs_segment *s = segment_of(&t, &dir, 20, 2000);
    /* one that reads all once, as a migration does, leaves nothing behind */
    assert_true(read_all(&t, s, true) > 0);
    tsfs_cold_cache_facts(&a);
    assert_true(a.pages == 0 && a.bytes == 0 && a.limit == 1u << 30);
    uint64_t pages = read_all(&t, s, false);
    tsfs_cold_cache_facts(&a);
    assert_true(pages > 0 && a.pages == pages && a.bytes > 20 * 2000 * 8);
    assert_int_equal(read_all(&t, s, false), 0);
    tsfs_cold_cache_facts(&b);
    assert_true(b.pages == a.pages && b.bytes == a.bytes && b.hits >= a.hits + pages);
    /* what is in the file counts for a check of the file */
    assert_int_equal(tsfs_segment_verify(s, time_of(0), time_of(2000), NULL), 0);
    tsfs_cold_cache_facts(&a);
    assert_true(a.hits == b.hits && a.pages == b.pages);
    tsfs_segment_shed(s);
    tsfs_cold_cache_facts(&a);
    assert_true(a.pages == 0 && a.bytes == 0);
    assert_int_equal(read_all(&t, s, false), pages);
    tsfs_segment_unref(s);
    tsfs_cold_cache_facts(&a);
    assert_true(a.pages == 0 && a.bytes == 0);
    scratch_close(&dir);
    table_free(&t);
}

static void the_limit_holds(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_cold_cache_facts facts;
    struct tsfs_segment *s = segment_of(&t, &dir, 60, 3000);
    static const size_t limits[] = {0, 1, 100000, 4u << 20, 6u << 20, 1u << 30};
    tsfs_cold_cache_limit(1u << 30);
    uint64_t pages = read_all(&t, s, false);
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        tsfs_cold_cache_limit(limits[i]);
        for (int round = 0; round < 3; round++) {
            uint64_t n = read_all(&t, s, false);
            tsfs_cold_cache_facts(&facts);
            assert_true(facts.bytes <= limits[i] && facts.limit == limits[i]);
            if (limits[i] < 1000)
                assert_true(facts.pages == 0 && n >= pages);
        }
    }
    assert_true(facts.pages == pages);
    tsfs_cold_cache_limit(4u << 20);
    tsfs_cold_cache_facts(&facts);
    assert_true(facts.pages > 0 && facts.bytes <= 4u << 20);
    tsfs_segment_unref(s);
    scratch_close(&dir);
    table_free(&t);
}

/* Decoded indexes count, leave room for fewer pages, and go when they are over their share. */
static void indexes_count(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *s = segment_of(&t, &dir, 30, 1500);
    struct tsfs_partition_view view = {.schema = t.schema, .segments = {s}, .nsegments = 1};
    struct tsfs_cold_cache_facts facts;
    struct seen seen;
    uint64_t seed = 1;
    tsfs_cold_cache_limit(1u << 30);
    tsfs_segment_shed(s);
    tsfs_cold_cache_facts(&facts);
    assert_int_equal(facts.index, 0);
    scan(&t, &view, &everything, 1, false, &seen, &seed);
    free(seen.rows);
    tsfs_cold_cache_facts(&facts);
    size_t whole = facts.index;
    assert_true(whole > 0); /* kept for the next query */
    tsfs_cold_cache_limit(4 * whole - 8);
    scan(&t, &view, &everything, 1, false, &seen, &seed);
    free(seen.rows);
    tsfs_cold_cache_facts(&facts);
    assert_int_equal(facts.index, 0);
    assert_true(facts.bytes <= 4 * whole);
    tsfs_cold_cache_limit(1u << 30);
    tsfs_segment_unref(s);
    tsfs_cold_cache_facts(&facts);
    assert_int_equal(facts.index, 0);
    scratch_close(&dir);
    table_free(&t);
}

struct reader {
    struct table *t;
    struct tsfs_segment *s;
    unsigned number;
};

static void *read_often(void *ctx)
{
    struct reader *r = ctx;
    for (unsigned i = 0; i < 12; i++) {
        struct tsfs_partition_view view = {.schema = r->t->schema, .segments = {r->s}, .nsegments = 1};
        struct tsfs_cursor *c;
        struct tsfs_run run;
        uint64_t rows = 0;
        if (tsfs_cold_cursor(&view, &everything, i % 3, 3, false, &c, NULL) != 0)
            return (void *)1;
        while (c->ops->next_run(c, &run, NULL) == 1) {
            struct tsfs_vec v;
            rows += run.nrows;
            if (c->ops->column(c, r->t->schema->measures[0], 0, run.nrows, &v, NULL) != 0)
                return (void *)1;
            for (uint32_t k = 0; k < run.nrows; k++) /* another thread's eviction must leave it alone */
                if (!tsfs_vec_null(&v, k) && v.i[v.constant ? 0 : k] == INT64_MIN + 12345)
                    return (void *)1;
        }
        c->ops->close(c);
        if (r->number == 0)
            tsfs_cold_cache_limit((size_t)(i % 4) << 20);
        if (r->number == 1)
            tsfs_segment_shed(r->s);
        if (rows == 0)
            return (void *)1;
    }
    return NULL;
}

static void threads_share(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *s = segment_of(&t, &dir, 30, 1500);
    struct reader readers[4];
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++) {
        readers[i] = (struct reader){&t, s, i};
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    tsfs_segment_unref(s);
    struct tsfs_cold_cache_facts facts;
    tsfs_cold_cache_facts(&facts);
    assert_true(facts.pages == 0 && facts.bytes == 0);
    tsfs_cold_cache_limit(1u << 30);
    scratch_close(&dir);
    table_free(&t);
}

/* ---- decimals ---- */

static void decimals_are_exact(void **state)
{
    (void)state;
    int64_t i = 0;
    for (unsigned scale = 0; scale <= TSFS_DECIMAL_SCALE_MAX; scale++) {
        double unit = tsfs_decimal_unit(scale);
        uint64_t seed = scale + 1;
        for (unsigned k = 0; k < 20000; k++) {
            int64_t want = (int64_t)(rnd(&seed) >> (11 + rnd(&seed) % 52)) * (k % 2 ? 1 : -1);
            double v = tsfs_decimal_double(want, unit);
            char text[64];
            snprintf(text, sizeof(text), "%llde-%u", (long long)want, scale);
            assert_true(want == 0 || strtod(text, NULL) == v); /* the nearest to the decimal */
            assert_true(tsfs_decimal_exact(v, unit, &i));
            assert_true(tsfs_decimal_double(i, unit) == v);
        }
        static const double never[] = {NAN, INFINITY, -INFINITY, -0.0, 1e300, 5e-324};
        for (unsigned k = 0; k < sizeof(never) / sizeof(never[0]); k++)
            assert_false(tsfs_decimal_exact(never[k], unit, &i));
        assert_false(tsfs_decimal_exact(0x1p54 / unit, unit, &i));
    }
    assert_true(tsfs_decimal_exact(0.1, 10, &i) && i == 1);
    assert_false(tsfs_decimal_exact(0.1 + 0.2, 10, &i)); /* 0.30000000000000004 */
    assert_false(tsfs_decimal_exact(1.005, 100, &i));
    assert_true(tsfs_decimal_exact(-19.99, 100, &i) && i == -1999);
    assert_true(tsfs_decimal_exact(90071992547409.91, 100, &i) && i == 9007199254740991);
}

static int file_pread(void *ctx, void *buf, size_t n, uint64_t offset)
{
    return tsfs_io_read_all(*(int *)ctx, buf, n, (off_t)offset);
}

/* How the file `name` stores column `column`: digits after the point, -1 = as doubles. */
static int stored(struct scratch_dir *dir, const char *name, const char *column)
{
    struct tsfs_pq_reader *r;
    int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    uint64_t size = (uint64_t)lseek(fd, 0, SEEK_END);
    assert_int_equal(tsfs_pq_reader_open((struct tsfs_pq_input){file_pread, &fd, size}, &r, NULL), 0);
    uint32_t i = tsfs_pq_reader_find(r, tsfs_str_from(column));
    assert_true(i != UINT32_MAX);
    const struct tsfs_pq_column *c = &tsfs_pq_reader_info(r)->columns[i];
    int digits = -1;
    if (c->logical == TSFS_PQ_DECIMAL) {
        assert_true(c->physical == TSFS_PQ_INT64 && c->precision == 18);
        digits = c->scale;
    } else {
        assert_int_equal(c->physical, TSFS_PQ_DOUBLE);
    }
    tsfs_pq_reader_close(r);
    close(fd);
    return digits;
}

/* temp has two decimals, noise has too many for any declaration. */
static void decimal_columns(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment *plain, *declared, *merged;
    uint64_t seed = 7;
    plain = segment_of(&t, &dir, 9, 2500);
    assert_int_equal(stored(&dir, "seg", "temp"), -1);
    write_decimals[1] = write_decimals[2] = 1 + 2;
    declared = write_open(&t, &dir, "declared", &plain, 1, NULL, 0, NULL);
    assert_int_equal(stored(&dir, "declared", "temp"), 2);
    assert_int_equal(stored(&dir, "declared", "noise"), -1);
    read_all(&t, declared, false); /* compares every value and summary */
    assert_int_equal(tsfs_segment_verify(declared, time_of(0), time_of(2500), NULL), 0);
    struct tsfs_segment_facts a, b;
    tsfs_segment_facts(plain, &a);
    tsfs_segment_facts(declared, &b);
    assert_true(b.rows == a.rows && b.bytes < a.bytes);
    /* more digits than needed are fine, fewer are not */
    struct tsfs_hot *hot = new_hot(&t);
    for (uint32_t i = 0; i < 2500; i += 3)
        put_row(&t, hot, 4, i, &seed);
    tsfs_hot_publish(hot);
    static const struct {
        uint8_t decimals;
        int stored;
    } cases[] = {{1 + 4, 4}, {1 + 1, -1}, {0, -1}};
    for (unsigned i = 0; i < 3; i++) {
        write_decimals[1] = cases[i].decimals;
        merged = write_open(&t, &dir, "merged", &declared, 1, &hot, 1, NULL);
        assert_int_equal(stored(&dir, "merged", "temp"), cases[i].stored);
        read_all(&t, merged, false);
        tsfs_segment_unref(merged);
    }
    memset(write_decimals, 0, sizeof(write_decimals));
    tsfs_hot_unref(hot);
    tsfs_segment_unref(plain);
    tsfs_segment_unref(declared);
    scratch_close(&dir);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warm_scans_read_nothing), cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(indexes_count),           cmocka_unit_test(threads_share),
        cmocka_unit_test(decimals_are_exact),      cmocka_unit_test(decimal_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
