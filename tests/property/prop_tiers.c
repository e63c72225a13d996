/* The same rows hot, cold and in both tiers, read by one thread and by several, answer every query alike:
 * which of equals min_by takes, the order of array_agg, what LIMIT keeps.  It would catch a source that tells
 * series in the order in which they were first written, and work that is divided by what happens to be in
 * memory. */
#include "../unit/engine_fixture.h"

#include "base/buf.h"

struct row {
    uint32_t series;
    int64_t time;
    int v, s;
    double x, y; /* of all sizes: their sums show the order of additions */
};

static uint64_t seed;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

/* Hundredths most of the time, and now and then numbers that are far larger or smaller. */
static double number(void)
{
    double d = ((double)below(200000) - 100000) / 100;
    static const double powers[] = {1, 1, 1, 1, 1, 1e9, 1e-7, 1e25, 1e-30, 1e150};
    return d * powers[below(200) == 0 ? below(10) : 0];
}

static void shuffle(struct row *rows, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = below((uint32_t)i);
        struct row swap = rows[i - 1];
        rows[i - 1] = rows[k];
        rows[k] = swap;
    }
}

/* Points of one series keep their order: late ones are not what this is about. */
static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

static void put_rows(struct fixture *f, const char *name, const struct row *rows, size_t n)
{
    struct tsfs_buf text = {0};
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        char region[32] = "";
        if (r->series % 5 != 4)
            snprintf(region, sizeof(region), ",region=r%u", r->series * 7 % 3);
        assert_int_equal(tsfs_buf_printf(&text, "%s,host=h%u%s v=%di,d=%d.5,s=\"t%d\",x=%.17g,y=%.17g %lld\n",
                                         name, r->series * 37 % 1009, region, r->v, r->v, r->s, r->x, r->y,
                                         (long long)r->time),
                         0);
        if (text.len > 1 << 20 || i + 1 == n) {
            assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
            assert_true(put(f->db, text.data) > 0);
            text.len = 0;
        }
    }
    tsfs_buf_free(&text);
}

static void migrate_table(struct fixture *f, const char *name)
{
    struct tsfs_node *t = table(f, name);
    assert_int_equal(tsfs_node_store(t, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, NULL), 0);
    tsfs_node_unref(t);
}

static const char *const queries[] = {
    "SELECT max_by(host, v), min_by(host, v), max_by(v, time), min_by(s, time) FROM %s",
    "SELECT max_by(host, time), min_by(host, time) FROM %s",
    "SELECT region, max_by(host, time), max_by(s, d), min_by(time, s) FROM %s GROUP BY region ORDER BY "
    "region",
    "SELECT region, max_by(s, time) FROM %s GROUP BY region ORDER BY region",
    "SELECT bin(time, 6h) AS b, min_by(host, v), max_by(s, time), arbitrary(s) FROM %s GROUP BY bin(time, "
    "6h) "
    "ORDER BY b",
    "SELECT region, bin(time, 1d) AS b, max_by(host, v) FROM %s WHERE v > 0 GROUP BY region, bin(time, 1d) "
    "ORDER BY region, b",
    "SELECT arbitrary(host), any_value(s), arbitrary(region), arbitrary(d) FROM %s",
    "SELECT slice(array_agg(host), 1, 60), slice(array_agg(v), 1, 60) FROM %s",
    "SELECT region, slice(array_agg(s), 1, 40) FROM %s GROUP BY region ORDER BY region",
    "SELECT slice(array_agg(host ORDER BY v), 1, 50) FROM %s",
    "SELECT max_by(host, v, 7), min_by(time, v, 7), max(s, 3) FROM %s",
    "SELECT v, max_by(host, s), arbitrary(time), slice(array_agg(host), 1, 9) FROM %s GROUP BY v ORDER BY v",
    "SELECT max_by(h, v) FROM (SELECT upper(host) AS h, v + 1 AS v FROM %s WHERE length(s) > 1)",
    "SELECT slice(array_agg(host), 1, 30) FROM (SELECT host, v FROM %s WHERE v > 1 LIMIT 40)",
    "SELECT host, region, time, v FROM %s LIMIT 37",
    "SELECT host, region, time, v FROM %s ORDER BY v LIMIT 37",
    "SELECT host, time, v FROM %s ORDER BY time DESC LIMIT 11",
    "SELECT host, time, v FROM %s ORDER BY time LIMIT 11 OFFSET 3",
    "SELECT host, v FROM %s WHERE v = 2 ORDER BY s LIMIT 20",
    "SELECT host, count(*) AS n FROM %s GROUP BY host LIMIT 9",
    "SELECT host, max(v) AS m FROM %s GROUP BY host ORDER BY m DESC LIMIT 9",
    "SELECT DISTINCT region, v FROM %s LIMIT 4",
    "SELECT host, n FROM (SELECT host, time, row_number() OVER (ORDER BY v) AS n FROM %s) WHERE n <= 25 "
    "ORDER BY n",
    "SELECT region, first_value(host) OVER (PARTITION BY region ORDER BY time) AS f FROM %s ORDER BY region, "
    "f LIMIT 3",
    "WITH x AS (SELECT host, v FROM %s WHERE v < 2 LIMIT 50) SELECT a.h, b.n FROM (SELECT max_by(host, v) AS "
    "h FROM x) a, "
    "(SELECT count(*) AS n FROM x) b",
    "SELECT slice(array_agg(host), 1, 60), max_by(host, n), arbitrary(host) FROM (SELECT host, count(*) AS n "
    "FROM "
    "%s GROUP BY host)",
    "SELECT array_agg(v) FROM (SELECT DISTINCT v, region FROM %s)",
    "WITH g AS (SELECT host, count(*) AS n FROM %s GROUP BY host) SELECT a.h, b.n FROM (SELECT host AS h "
    "FROM g "
    "LIMIT 1) a, (SELECT count(*) AS n FROM g) b",
    "SELECT region, (SELECT max_by(s, v) FROM %s) FROM (VALUES 'a') AS t (region)",
    /* groups that tie */
    "SELECT host, max(v) AS m FROM %s GROUP BY host ORDER BY m",
    "SELECT max(v) AS m, count(*) AS n, host, region FROM %s GROUP BY region, host ORDER BY n DESC, m DESC",
    "SELECT host, region, count(*) FROM %s GROUP BY host, region ORDER BY region NULLS FIRST",
    "SELECT host, max(v) AS m FROM %s GROUP BY host ORDER BY m DESC FETCH FIRST 3 ROWS WITH TIES",
    "SELECT host, v FROM %s WHERE v < 2 ORDER BY v FETCH FIRST 5 ROWS WITH TIES",
    "SELECT DISTINCT region, v, s FROM %s ORDER BY v",
    "SELECT bin(time, 6h) AS b, region, count(*) AS n FROM %s GROUP BY bin(time, 6h), region ORDER BY n "
    "LIMIT 7",
    "SELECT v, count(*) AS n FROM (SELECT host, max(v) AS v FROM %s GROUP BY host) GROUP BY v ORDER BY n > 0",
    /* joined rows, rows of sets */
    "SELECT a.host, b.v, b.s FROM (SELECT DISTINCT host FROM %s) a JOIN (SELECT host, v, s FROM %s WHERE v = "
    "1) b "
    "ON a.host = b.host ORDER BY b.v LIMIT 50",
    "SELECT host, v FROM %s WHERE v < 2 UNION SELECT host, v FROM %s WHERE v > 1 ORDER BY v LIMIT 30",
    "SELECT host FROM %s EXCEPT SELECT host FROM %s WHERE v = 3 ORDER BY length(host)",
    "SELECT region, count(*) FROM %s GROUP BY ROLLUP (region, v) ORDER BY 2",
    /* doubles */
    "SELECT sum(x), avg(x), sum(y), avg(y), geometric_mean(abs(x) + 1) FROM %s",
    "SELECT region, sum(x), avg(y), sum(x) FILTER (WHERE v > 1) FROM %s GROUP BY region ORDER BY region",
    "SELECT bin(time, 3h) AS b, sum(x), avg(x), sum(y * 0.1) FROM %s GROUP BY bin(time, 3h) ORDER BY b",
    "SELECT v, s, sum(x), avg(y) FROM %s GROUP BY v, s ORDER BY sum(x)",
    "SELECT stddev(x), variance(y), stddev_pop(x), var_pop(y), skewness(x), kurtosis(y) FROM %s",
    "SELECT v, stddev(x), var_pop(y), skewness(x / 1e140), kurtosis(y / 1e140) FROM %s GROUP BY v ORDER BY v",
    "SELECT region, stddev(x), kurtosis(x) FROM %s WHERE abs(x) < 1000 GROUP BY region ORDER BY region",
    "SELECT corr(x, y), covar_pop(x, y), covar_samp(x, y), regr_slope(x, y), regr_intercept(x, y), "
    "regr_r2(x, y), regr_sxy(x, y), regr_avgx(x, y) FROM %s WHERE abs(x) < 1e20",
    "SELECT s, corr(x, y), regr_slope(y, x), regr_sxx(x, y), regr_syy(x, y) FROM %s WHERE abs(x) < 1000 "
    "GROUP BY s ORDER BY s",
    "SELECT approx_percentile(x, 0.5), approx_percentile(y, 0.99), approx_percentile(v, 0.3), "
    "approx_percentile(x, v + 1.5, 0.2), sum(1) FROM %s",
    "SELECT v, approx_percentile(x, ARRAY[0.1, 0.5, 0.9]), approx_percentile(v, 0.5) FROM %s GROUP BY v "
    "ORDER BY v",
    /* of far more different values than are kept one by one */
    "SELECT approx_percentile(x + y / 7, ARRAY[0.01, 0.3, 0.5, 0.99]), approx_percentile(x + y / 3, v + 1.1, "
    "0.6), approx_percentile(to_milliseconds(time) * 1000 + v, 0.4) FROM %s",
    "SELECT v, approx_percentile(x * y, 0.5), approx_percentile(x + y / 7, 0.9) FROM %s GROUP BY v ORDER BY "
    "v",
    "SELECT v, array_agg(DISTINCT s), sum(DISTINCT x) FROM %s GROUP BY v ORDER BY v",
    "SELECT array_agg(DISTINCT host), count(DISTINCT x) FROM %s",
    "SELECT sum(n) FROM (SELECT time, sum(x) OVER (ORDER BY time, host, region ROWS BETWEEN 3 PRECEDING AND "
    "3 "
    "FOLLOWING) AS n FROM %s)",
    "SELECT count(*), sum(v), min(host), max(d), count(DISTINCT s), approx_distinct(host) FROM %s",
};

static const char *const names[] = {"hot", "cold", "mixed"};

static char *answer(struct fixture *f, unsigned query, unsigned tier)
{
    char sql[500];
    snprintf(sql, sizeof(sql), queries[query], names[tier], names[tier]);
    const char *text = ask(f->db, sql);
    if (strncmp(text, "error", 5) == 0)
        fail_msg("%s: %s", sql, text);
    char *copy = strdup(text);
    assert_non_null(copy);
    return copy;
}

/* nseries series with nrows points each, of few different values and times. */
static void check(struct fixture *f, uint32_t nseries, uint32_t nrows)
{
    size_t n = (size_t)nseries * nrows;
    struct row *rows = calloc(n, sizeof(*rows));
    assert_non_null(rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){(uint32_t)(i / nrows),
                               f->day - TSFS_NS_PER_DAY +
                                   (int64_t)(i % nrows) * (2 * TSFS_NS_PER_DAY / (int64_t)nrows),
                               (int)below(4),
                               (int)below(12),
                               number(),
                               number()};
    for (unsigned tier = 0; tier < 3; tier++) {
        shuffle(rows, n);
        size_t half = tier == 2 ? n / 2 : n;
        struct row first = {0, f->day - TSFS_NS_PER_DAY, 0, 0, 0,
                            0}; /* the order of dimensions is the same */
        for (size_t i = 0; i < n; i++)
            if (rows[i].series == 0 && rows[i].time == first.time)
                first = rows[i];
        put_rows(f, names[tier], &first, 1);
        qsort(rows, half, sizeof(*rows), by_time);
        put_rows(f, names[tier], rows, half);
        if (tier > 0)
            migrate_table(f, names[tier]);
        qsort(rows + half, n - half, sizeof(*rows), by_time);
        put_rows(f, names[tier], rows + half, n - half);
    }
    free(rows);
    char *want[sizeof(queries) / sizeof(queries[0])];
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        f->threads = threads;
        restart(f);
        for (unsigned q = 0; q < sizeof(queries) / sizeof(queries[0]); q++)
            for (unsigned tier = 0; tier < 3; tier++) {
                char *got = answer(f, q, tier);
                if (threads == 1 && tier == 0) {
                    want[q] = got;
                    continue;
                }
                if (strcmp(got, want[q]) != 0)
                    fail_msg("%s of %s by %u threads, %u series of %u points: %.1500s\nnot\n%.1500s",
                             queries[q], names[tier], threads, nseries, nrows, got, want[q]);
                free(got);
            }
    }
    for (unsigned q = 0; q < sizeof(queries) / sizeof(queries[0]); q++)
        free(want[q]);
}

static void few_series(void **state)
{
    seed = 88172645463325252u;
    check(*state, 23, 9);
}

static void series_of_one_point(void **state)
{
    seed = 362436069;
    check(*state, 400, 1);
}

static void many_rows(void **state)
{
    seed = 521288629;
    check(*state, 150, 1600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(few_series, setup, teardown),
        cmocka_unit_test_setup_teardown(series_of_one_point, setup, teardown),
        cmocka_unit_test_setup_teardown(many_rows, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
