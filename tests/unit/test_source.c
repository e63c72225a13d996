/* A table as a source of rows: what slices of a scan see, what is known of units. */
#include "engine_fixture.h"

#include "engine/engine_priv.h"

/* Rows that a slice of a scan has. */
static uint64_t slice_rows(struct tsfs_scan *scan, int64_t from, int64_t to)
{
    uint64_t rows = 0;
    assert_int_equal(scan->ops->slice(scan, from, to, NULL), 0);
    for (uint32_t u = 0; u < scan->n_units; u++) {
        struct tsfs_cursor *cursor;
        struct tsfs_run run;
        int rc;
        assert_int_equal(scan->ops->open(scan, u, &cursor, NULL), 0);
        while ((rc = cursor->ops->next_run(cursor, &run, NULL)) > 0) {
            assert_true(run.t_first >= from && run.t_last <= to);
            rows += run.nrows;
        }
        assert_int_equal(rc, 0);
        cursor->ops->close(cursor);
    }
    return rows;
}

/* Slices of one scan are of one snapshot, however much is written, migrated and dropped between them. */
static void slices_see_one_snapshot(void **state)
{
    struct fixture *f = *state;
    for (int how = 0; how < 8; how++) {
        bool migrated = how & 1, frozen = how & 2, filtered = how & 4;
        char line[200];
        for (int d = 0; d < 3; d++)
            for (int h = 0; h < 2; h++) {
                snprintf(line, sizeof(line), "sliced,host=h%d v=1i %lld\n", h,
                         (long long)(f->day - d * TSFS_NS_PER_DAY));
                assert_true(put(f->db, line) > 0);
            }
        struct tsfs_node *t = table(f, "sliced");
        if (migrated)
            assert_int_equal(tsfs_node_store(t, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, NULL), 0);
        struct tsfs_source *source;
        assert_int_equal(table_source(t, &source), 0);
        if (frozen)
            assert_int_equal(source->ops->freeze(source, NULL), 0);
        static const struct tsfs_str h1 = {"h1", 2};
        struct tsfs_dim_in in = {source->schema->dims[0], 1, &h1};
        struct tsfs_scan_spec spec = {
            .time_min = INT64_MIN, .time_max = INT64_MAX, .newest_first = true, .sliced = true};
        spec.dim_in = &in;
        spec.n_dim_in = filtered;
        uint64_t each = filtered ? 1 : 2;
        struct tsfs_scan *scan;
        struct tsfs_scan_unit unit;
        assert_int_equal(source->ops->scan(source, &spec, &scan, NULL), 0);
        assert_int_equal(scan->n_units, 0);
        assert_int_equal(scan->partitions_pruned, 3);
        assert_int_equal(scan->ops->seek(scan, INT64_MAX, &unit, NULL), 1);
        assert_int_equal(unit.time_min, f->day);
        assert_int_equal(slice_rows(scan, f->day, INT64_MAX), each);
        assert_int_equal(scan->partitions_pruned, 2);

        for (int d = 0; d < 3; d++) {
            snprintf(line, sizeof(line), "sliced,host=h1 v=2i %lld\nsliced,host=h2 v=3i %lld\n",
                     (long long)(f->day - d * TSFS_NS_PER_DAY + 5),
                     (long long)(f->day - d * TSFS_NS_PER_DAY + 6));
            assert_true(put(f->db, line) > 0);
        }
        if (how % 3)
            assert_int_equal(tsfs_node_store(t, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, NULL), 0);
        if (how % 3 == 2)
            assert_int_equal(tsfs_node_store(t, TSFS_FILE_CTL, "truncate\n", 9, NULL, NULL, NULL), 0);
        assert_int_equal(slice_rows(scan, f->day - TSFS_NS_PER_DAY, f->day - 1), each);
        assert_int_equal(slice_rows(scan, INT64_MIN, f->day - TSFS_NS_PER_DAY), 2 * each);
        assert_int_equal(slice_rows(scan, f->day, f->day + 5), each);
        assert_int_equal(scan->partitions_pruned, 0);
        assert_int_equal(scan->ops->seek(scan, f->day - 1, &unit, NULL), 1);
        assert_int_equal(unit.time_max, f->day - 1);
        assert_int_equal(scan->ops->seek(scan, f->day - 3 * TSFS_NS_PER_DAY, &unit, NULL), 0);
        scan->ops->close(scan);
        source->ops->free(source);
        assert_int_equal(tsfs_node_store(t, TSFS_FILE_CTL, "truncate\n", 9, NULL, NULL, NULL), 0);
        tsfs_node_unref(t);
    }
}

/* The rows of units that say how many they have; *unknown: units that do not. */
static uint64_t counted_rows(struct tsfs_node *t, int64_t from, int64_t to, unsigned *unknown)
{
    struct tsfs_scan_spec spec = {.time_min = from, .time_max = to};
    struct tsfs_source *source;
    struct tsfs_scan *scan;
    uint64_t rows = 0;
    assert_int_equal(table_source(t, &source), 0);
    assert_int_equal(source->ops->scan(source, &spec, &scan, NULL), 0);
    *unknown = 0;
    for (uint32_t u = 0; u < scan->n_units; u++) {
        *unknown += !scan->units[u].counted;
        rows += scan->units[u].counted ? scan->units[u].rows : 0;
    }
    scan->ops->close(scan);
    source->ops->free(source);
    return rows;
}

static void assert_count(struct fixture *f, unsigned rows)
{
    char want[32];
    snprintf(want, sizeof(want), "n,k\n%u,%u\n", rows, rows);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n, count(time) AS k FROM m"), want);
}

/* Partitions whose rows need not be read to be counted: only where none is written twice, late or gone. */
static void rows_are_known_where_they_can_be(void **state)
{
    struct fixture *f = *state;
    char line[300], late[100];
    unsigned unknown;
    for (int d = 0; d < 2; d++) {
        snprintf(line, sizeof(line), "m,host=a v=1i %lld\nm,host=a v=2i %lld\nm,host=b v=1i %lld\n",
                 (long long)(f->day - d * TSFS_NS_PER_DAY), (long long)(f->day - d * TSFS_NS_PER_DAY + 10),
                 (long long)(f->day - d * TSFS_NS_PER_DAY));
        assert_true(put(f->db, line) > 0);
    }
    struct tsfs_node *t = table(f, "m");
    for (int tier = 0; tier < 2; tier++) {
        assert_int_equal(counted_rows(t, INT64_MIN, INT64_MAX, &unknown), 6);
        assert_int_equal(unknown, 0);
        assert_int_equal(counted_rows(t, f->day, INT64_MAX, &unknown), 3);
        assert_int_equal(unknown, 0);
        assert_int_equal(counted_rows(t, f->day + 1, INT64_MAX, &unknown), 0);
        assert_int_equal(unknown, 1);
        assert_count(f, 6);
        assert_non_null(strstr(ask(f->db, "EXPLAIN ANALYZE SELECT count(*), count(time) FROM m"),
                               "Read: 0 series in 0 runs"));
        assert_non_null(
            strstr(ask(f->db, "EXPLAIN ANALYZE SELECT count(*), max(v) FROM m"), "Read: 4 series"));
        migrate(f);
    }
    /* again, and late: in front of a segment, then alone */
    for (int tier = 0; tier < 2; tier++) {
        if (tier == 1) {
            assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
            assert_true(put(f->db, line) > 0);
        }
        unsigned rows = tier == 0 ? 6 : 3;
        snprintf(late, sizeof(late), "m,host=a v=3i %lld\n", (long long)(f->day - TSFS_NS_PER_DAY));
        assert_true(put(f->db, late) > 0);
        assert_int_equal(counted_rows(t, INT64_MIN, INT64_MAX, &unknown), rows - 3);
        assert_int_equal(unknown, 1);
        assert_count(f, rows);
        snprintf(late, sizeof(late), "m,host=a v=3i %lld\n", (long long)(f->day - TSFS_NS_PER_DAY + 5));
        assert_true(put(f->db, late) > 0);
        assert_count(f, rows + 1);
    }
    migrate(f);
    assert_int_equal(counted_rows(t, INT64_MIN, INT64_MAX, &unknown), 4);
    assert_int_equal(unknown, 0);
    ask(f->db, "DELETE FROM m WHERE host = 'b'");
    assert_int_equal(counted_rows(t, INT64_MIN, INT64_MAX, &unknown), 0);
    assert_int_equal(unknown, 1);
    assert_count(f, 3);
    tsfs_node_unref(t);
}

/* A line of EXPLAIN ANALYZE of a query that begins so. */
static void assert_line(struct fixture *f, const char *sql, const char *want)
{
    char text[400];
    snprintf(text, sizeof(text), "EXPLAIN ANALYZE %s", sql);
    const char *got = ask(f->db, text);
    if (strstr(got, want) == NULL)
        fail_msg("%s: no \"%s\" in\n%s", text, want, got);
}

static void put_grid(struct fixture *f)
{
    struct tsfs_buf text = {0};
    assert_int_equal(
        tsfs_buf_printf(&text, "grid,host=a v=1i,w=1i %lld\n", (long long)(f->day - TSFS_NS_PER_DAY)), 0);
    for (int h = 0; h < 5; h++)
        for (int i = 0; i < 4096; i++)
            assert_int_equal(tsfs_buf_printf(&text, "grid,host=%c v=%di,w=%di %lld\n", 'a' + h, i, 7 * i,
                                             (long long)(f->day + i * INT64_C(1000))),
                             0);
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    assert_true(put(f->db, text.data) > 0);
    tsfs_buf_free(&text);
}

/* What EXPLAIN ANALYZE counts, on rows whose places are known: one row yesterday; today five series of 4,096
 * rows with ascending values, in four blocks each.  How many chunks they have in memory is the hot tier's
 * business; it is learnt from the first query. */
static void what_is_left_out_is_counted(void **state)
{
    struct fixture *f = *state;
    char sql[300], want[100];
    unsigned all, each;
    put_grid(f);
    struct tsfs_node *t = table(f, "grid");
    const char *line = strstr(ask(f->db, "EXPLAIN ANALYZE SELECT max(v) FROM grid"), "Blocks: ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "Blocks: %u, 0 pruned (0 by series, 0 by time, 0 by values)", &all), 1);
    each = (all - 1) / 5;
    assert_int_equal(all, 5 * each + 1);
    assert_in_range(each, 4, 32);
    assert_line(f, "SELECT max(v) FROM grid", "Series: 6, 0 pruned\"");
    assert_line(f, "SELECT max(v) FROM grid", "Pages: 0, 0 pruned, 0 cached");
    snprintf(want, sizeof(want), "Blocks: %u, %u pruned (%u by series, 0 by time, 0 by values)", 5 * each,
             4 * each, 4 * each);
    assert_line(f, "SELECT v FROM grid WHERE host = 'b'", want);
    assert_line(f, "SELECT v FROM grid WHERE host = 'b'", "Series: 5, 4 pruned");
    /* read in slices of time, of which there are several where the first have no such row */
    assert_line(f, "SELECT v FROM grid WHERE host = 'b' ORDER BY time DESC LIMIT 5000",
                "Series: 5, 4 pruned");
    snprintf(want, sizeof(want), "Blocks: %u, %u pruned (0 by series, %u by time, 0 by values)", 5 * each,
             5 * each - 5, 5 * each - 5);
    assert_line(f, "SELECT max_by(v, time) FROM grid", want);
    snprintf(sql, sizeof(sql), "SELECT max(w) FROM grid WHERE time = from_nanoseconds(%lld)",
             (long long)f->day + 4095000);
    assert_line(f, sql, want);

    assert_int_equal(command(t, TSFS_FILE_CTL, "migrate\n"), 0);
    tsfs_node_unref(t);
    /* the row of yesterday is too few for a summary: its page is read */
    assert_line(f, "SELECT max(v), min(v) FROM grid",
                "Partitions: 2, 0 pruned\"\n\"Series: 6, 0 pruned\"\n"
                "\"Blocks: 21, 0 pruned (0 by series, 0 by time, 0 by values)\"\n"
                "\"Pages: 8, 7 pruned, 0 cached\"\n"
                "\"Read: 6 series in 6 runs, 20481 rows, 20 blocks answered from summaries, 1 pages, ");
    assert_line(f, "SELECT max(v), min(v) FROM grid", "Pages: 8, 7 pruned, 1 cached");
    assert_line(f, "SELECT v FROM grid WHERE host = 'b'",
                "partitions=2 pruned=1 series=1 pruned=4 blocks=20 pruned=16 summaries=0 pages=1 pruned=5 ");
    assert_line(f, "SELECT count(*) FROM grid WHERE v > 3000",
                "Blocks: 21, 10 pruned (0 by series, 0 by time, 10 by values)\"\n"
                "\"Pages: 8, 4 pruned, 2 cached\"\n\"Read: 6 series in 6 runs, 10241 rows, 0 blocks");
    assert_line(f, "SELECT count(*) FROM grid WHERE v > 3000 AND host = 'c'",
                "Blocks: 20, 18 pruned (16 by series, 0 by time, 2 by values)");
    assert_line(f, "SELECT w FROM grid WHERE v = 5000",
                "Blocks: 21, 20 pruned (0 by series, 0 by time, 20 by values)");
    /* rows 1,024 to 2,999: the second block as it is, a part of the third */
    snprintf(sql, sizeof(sql),
             "SELECT max(w) FROM grid WHERE time >= from_nanoseconds(%lld) AND time < from_nanoseconds(%lld)",
             (long long)f->day + 1024000, (long long)f->day + 3000000);
    assert_line(f, sql,
                "Blocks: 20, 10 pruned (0 by series, 10 by time, 0 by values)\"\n"
                "\"Pages: 6, 0 pruned, 0 cached\"\n"
                "\"Read: 5 series in 5 runs, 9880 rows, 5 blocks answered from summaries, 6 pages, ");
    assert_line(f, "SELECT max_by(v, time) FROM grid",
                "Blocks: 20, 15 pruned (0 by series, 15 by time, 0 by values)\"\n\"Pages: 6, 6 pruned");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slices_see_one_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_known_where_they_can_be, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_left_out_is_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
