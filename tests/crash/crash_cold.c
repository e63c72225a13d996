/* Full disks, failing syncs and losses of power while segments are written.  What must hold: a failed write
 * leaves no temporary file and no doubt; after a commit that returned 0 the segment survives any loss of
 * power, whole; before it the old segment is still there, whole. */
#include <errno.h>

#include "../unit/cold_support.h"
#include "fault_io.h"

static const struct tsfs_scan_spec everything = {.time_min = INT64_MIN, .time_max = INT64_MAX};

static struct tsfs_hot *some_rows(struct table *t, uint64_t seed)
{
    struct tsfs_hot *hot = new_hot(t);
    for (uint32_t s = 0; s < t->nseries; s++)
        for (uint32_t i = 0; i < t->ntimes; i++)
            if (below(&seed, 5))
                put_row(t, hot, s, i, &seed);
    tsfs_hot_publish(hot);
    return hot;
}

static int write_it(struct table *t, int dirfd, struct tsfs_hot *hot, struct tsfs_segment_facts *facts,
                    struct tsfs_error *err)
{
    struct tsfs_hot_snap *snap;
    assert_int_equal(tsfs_hot_snapshot(hot, t->schema, NULL, &snap), 0);
    struct tsfs_partition_view view = {.schema = t->schema, .hots = &hot, .snaps = &snap, .nhots = 1};
    int rc = tsfs_segment_write(dirfd, "tmp", &view, NULL, NULL, facts, err);
    tsfs_hot_snap_free(snap);
    return rc;
}

static bool exists(int dirfd, const char *name)
{
    struct stat st;
    return fstatat(dirfd, name, &st, 0) == 0;
}

/* Rows of the segment, all checked, or -errno. */
static int64_t rows_of(struct table *t, int dirfd, const char *name)
{
    struct tsfs_segment *s;
    struct tsfs_segment_facts facts;
    struct tsfs_error err = {0};
    int rc = tsfs_segment_open(dirfd, name, &s, &err);
    if (rc)
        return rc;
    rc = tsfs_segment_verify(s, INT64_MIN, INT64_MAX, &err);
    tsfs_segment_facts(s, &facts);
    if (rc == 0 && t) {
        struct tsfs_partition_view view = {.schema = t->schema, .segments = {s}, .nsegments = 1};
        struct seen seen;
        uint64_t seed = 1;
        scan(t, &view, &everything, 1, false, &seen, &seed);
        assert_true(seen.n == facts.rows);
        free(seen.rows);
    }
    tsfs_segment_unref(s);
    return rc ? rc : (int64_t)facts.rows;
}

/* The disk fills up after every possible number of bytes. */
static void full_disk(void **state)
{
    (void)state;
    struct table t;
    struct scratch_dir dir;
    struct tsfs_segment_facts facts;
    table_init(&t, 8, 400);
    scratch_open(&dir);
    struct tsfs_hot *hot = some_rows(&t, 1);
    struct tsfs_error err = {0};
    assert_int_equal(write_it(&t, dir.fd, hot, &facts, &err), 0);
    assert_int_equal(tsfs_segment_commit(dir.fd, "tmp", "seg", "."), 0);
    uint64_t size = facts.bytes;
    for (uint64_t room = 0; room < size; room += 1 + size / 200) {
        fault_io_begin(dir.path, room);
        fault_io_limit_writes(room, -ENOSPC);
        memset(&err, 0, sizeof(err));
        assert_int_equal(write_it(&t, dir.fd, hot, &facts, &err), -ENOSPC);
        assert_true(err.message[0] != 0);
        assert_false(exists(dir.fd, "tmp"));
        fault_io_end();
    }
    fault_io_begin(dir.path, 7);
    fault_io_fail_sync(-EIO);
    memset(&err, 0, sizeof(err));
    assert_int_equal(write_it(&t, dir.fd, hot, &facts, &err), -EIO);
    assert_false(exists(dir.fd, "tmp"));
    fault_io_fail_sync(0);
    fault_io_short_writes(7);
    memset(&err, 0, sizeof(err));
    assert_int_equal(write_it(&t, dir.fd, hot, &facts, &err), 0);
    fault_io_end();
    assert_true(facts.bytes == size);
    assert_int_equal(tsfs_segment_commit(dir.fd, "tmp", "seg", "."), 0);
    assert_true(rows_of(&t, dir.fd, "seg") == (int64_t)facts.rows);
    tsfs_hot_unref(hot);
    scratch_close(&dir);
    table_free(&t);
}

/* Power goes after the write, or after the commit. */
static void power_loss(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, 5, 300);
    struct tsfs_hot *first = some_rows(&t, 11);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct scratch_dir dir;
        struct tsfs_segment_facts old, new;
        struct tsfs_error err = {0};
        struct table later;
        scratch_open(&dir);
        table_init(&later, 7, 320);
        struct tsfs_hot *second = some_rows(&later, 100 + seed);
        fault_io_begin(dir.path, seed);
        assert_int_equal(write_it(&t, dir.fd, first, &old, &err), 0);
        assert_true(fault_io_syncs() >= 1);
        assert_int_equal(tsfs_segment_commit(dir.fd, "tmp", "seg-1", "."), 0);
        assert_int_equal(write_it(&later, dir.fd, second, &new, &err), 0);
        bool committed = seed % 2;
        if (committed)
            assert_int_equal(tsfs_segment_commit(dir.fd, "tmp", "seg-2", "."), 0);
        fault_io_power_loss();
        assert_true(rows_of(&t, dir.fd, "seg-1") == (int64_t)old.rows);
        if (committed)
            assert_true(rows_of(&later, dir.fd, "seg-2") == (int64_t) new.rows);
        else
            assert_false(exists(dir.fd, "seg-2"));
        fault_io_end();
        tsfs_hot_unref(second);
        table_free(&later);
        scratch_close(&dir);
    }
    tsfs_hot_unref(first);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(full_disk), cmocka_unit_test(power_loss)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
