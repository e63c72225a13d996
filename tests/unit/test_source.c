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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slices_see_one_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_known_where_they_can_be, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
