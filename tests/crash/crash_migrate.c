/* Many small partitions moved in step, and some larger ones moved side by side, on a disk that fails or fills
 * up, and a loss of power after it.  What must hold: every acknowledged point is there after the next start,
 * once, whichever part of the group came to the cold tier; and no log goes before the segment that covers it
 * has its name for good. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/time.h"
#include "fault_io.h"
#include "tsfs/engine.h"

/* How much there is. */
struct size {
    int partitions, rows; /* of each */
    bool in_step;
};
static const struct size small = {20, 40, true}, large = {5, 33000, false};

static const struct tsfs_creds me = {0};

/* ---- the order of calls */

static struct tsfs_io below, watching;
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t unsynced[64]; /* folders with a segment whose name may not last */
static int nunsynced, too_early, group_syncs;

/* Where the folder of path stands in the list, or nunsynced.  Under watch_lock. */
static int find_folder(ino_t folder)
{
    int i = 0;
    while (i < nunsynced && unsynced[i] != folder)
        i++;
    return i;
}

static ino_t folder_of(int dirfd, const char *path)
{
    char folder[96];
    struct stat st;
    snprintf(folder, sizeof(folder), "%s", path);
    char *end = strrchr(folder, '/');
    if (!end)
        return 0;
    *end = '\0';
    return fstatat(dirfd, folder, &st, 0) == 0 ? st.st_ino : 0;
}

static int watch_rename(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
    int rc = below.renameat(from_dirfd, from, to_dirfd, to);
    if (rc == 0 && strstr(to, "/seg-")) {
        ino_t folder = folder_of(to_dirfd, to);
        pthread_mutex_lock(&watch_lock);
        if (find_folder(folder) == nunsynced && nunsynced < 64)
            unsynced[nunsynced++] = folder;
        pthread_mutex_unlock(&watch_lock);
    }
    return rc;
}

static int watch_unlink(int dirfd, const char *path, int flags)
{
    if (strstr(path, "/wal-") || (strstr(path, "/seg-") && !strstr(path, ".tmp"))) {
        ino_t folder = folder_of(dirfd, path);
        pthread_mutex_lock(&watch_lock);
        too_early += find_folder(folder) < nunsynced;
        pthread_mutex_unlock(&watch_lock);
    }
    return below.unlinkat(dirfd, path, flags);
}

static int watch_fsync(int fd)
{
    struct stat st;
    int rc = below.fsync(fd);
    if (rc == 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        pthread_mutex_lock(&watch_lock);
        int i = find_folder(st.st_ino);
        if (i < nunsynced)
            unsynced[i] = unsynced[--nunsynced];
        pthread_mutex_unlock(&watch_lock);
    }
    return rc;
}

static int watch_syncfs(int fd)
{
    int rc = below.syncfs(fd);
    pthread_mutex_lock(&watch_lock);
    group_syncs++;
    if (rc == 0)
        nunsynced = 0;
    pthread_mutex_unlock(&watch_lock);
    return rc;
}

static void watch_begin(const char *root, uint64_t seed)
{
    fault_io_begin(root, seed);
    below = watching = *tsfs_io();
    watching.renameat = watch_rename;
    watching.unlinkat = watch_unlink;
    watching.fsync = watch_fsync;
    watching.syncfs = watch_syncfs;
    nunsynced = too_early = group_syncs = 0;
    tsfs_io_set(&watching);
}

/* ---- an engine */

struct world {
    struct size size;
    char data[64];
    int64_t base;
    struct tsfs_engine *engine;
    struct tsfs_node *root, *db, *table;
};

static void open_world(struct world *w)
{
    struct tsfs_error err = {0};
    struct tsfs_engine_options options = {.data = w->data, .threads = 2};
    assert_int_equal(tsfs_engine_open(&options, &w->engine, &err), 0);
    assert_int_equal(tsfs_engine_start(w->engine, &err), 0);
    w->root = tsfs_engine_root(w->engine);
    int rc = tsfs_node_lookup(w->root, "d", &w->db);
    if (rc == -ENOENT)
        rc = tsfs_node_create(w->root, "d", &me, 0755, &w->db);
    assert_int_equal(rc, 0);
    rc = tsfs_node_lookup(w->db, "t", &w->table);
    if (rc == -ENOENT) {
        rc = tsfs_node_create(w->db, "t", &me, 0755, &w->table);
        static const char config[] = "partition = 1h\nmemory_retention = 36500d\n";
        if (rc == 0)
            rc = tsfs_node_store(w->table, TSFS_FILE_CONFIG, config, sizeof(config) - 1, NULL, NULL, &err);
    }
    assert_int_equal(rc, 0);
}

static void close_world(struct world *w)
{
    tsfs_node_unref(w->table);
    tsfs_node_unref(w->db);
    tsfs_node_unref(w->root);
    int rc = tsfs_engine_close(w->engine); /* a disk that fails shows here too */
    (void)rc;
}

static void write_rows(struct world *w, int version)
{
    int partitions = w->size.partitions, rows = w->size.rows;
    char *text = malloc((size_t)partitions * (size_t)rows * 64);
    size_t len = 0, done = 0;
    struct tsfs_writer *writer;
    assert_non_null(text);
    for (int p = 0; p < partitions; p++)
        for (int i = 0; i < rows; i++)
            len += (size_t)snprintf(text + len, 64, "t,host=h%d v=%di %" PRId64 "\n", i % 3,
                                    version * 1000000 + p * rows + i,
                                    w->base + p * TSFS_NS_PER_HOUR + i * (TSFS_NS_PER_HOUR / rows));
    assert_int_equal(tsfs_writer_open(w->table, &me, &writer), 0);
    while (done < len) {
        size_t piece = len - done < (1u << 20) ? len - done : 1u << 20;
        assert_int_equal(tsfs_writer_write(writer, text + done, piece), piece);
        done += piece;
    }
    assert_int_equal(tsfs_writer_sync(writer), 0);
    tsfs_writer_close(writer);
    free(text);
}

static int migrate(struct world *w)
{
    struct tsfs_error err = {0};
    return tsfs_node_store(w->table, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, &err);
}

static void check_rows(struct world *w, int version)
{
    char want[64], have[256];
    struct tsfs_query *q;
    int64_t n = (int64_t)w->size.partitions * w->size.rows;
    static const char sql[] = "SELECT count(*), count(DISTINCT v), sum(v) FROM t";
    assert_int_equal(tsfs_query_create(w->table, &me, TSFS_QUERY_CSV, sql, sizeof(sql) - 1, &q), 0);
    size_t len = 0;
    for (ssize_t got = 1; got > 0; len += (size_t)got) { /* the head may come before the row */
        got = tsfs_query_read(q, have + len, sizeof(have) - 1 - len, (off_t)len, NULL, NULL);
        assert_true(got >= 0);
    }
    have[len] = '\0';
    tsfs_query_free(q);
    snprintf(want, sizeof(want), "\n%" PRId64 ",%" PRId64 ",%" PRId64 "\n", n, n,
             n * version * 1000000 + n * (n - 1) / 2);
    if (!strstr(have, want))
        fail_msg("%s instead of %s", have, want);
}

static void remove_world(struct world *w)
{
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, w->data), 0);
}

/* kind 0: all goes well; 1: the disk fails when synced; 2: it is full after some bytes. */
static void play(struct size size, uint64_t seed, int kind, bool late)
{
    struct world w = {.size = size,
                      .base = tsfs_time_now() / TSFS_NS_PER_HOUR * TSFS_NS_PER_HOUR -
                              (size.partitions + 3) * TSFS_NS_PER_HOUR};
    strcpy(w.data, "/tmp/tsfs-crash-migrate-XXXXXX");
    assert_non_null(mkdtemp(w.data));
    watch_begin(w.data, seed);
    open_world(&w);
    write_rows(&w, 1);
    if (late) { /* the group merges segments that are there */
        assert_int_equal(migrate(&w), 0);
        write_rows(&w, 2);
    }
    group_syncs = 0;
    if (kind == 1)
        fault_io_fail_sync(-EIO);
    if (kind == 2)
        fault_io_limit_writes(seed * 997 % (uint64_t)(size.partitions * 500), -ENOSPC); /* of some 600 */
    int rc = migrate(&w);
    assert_int_equal(rc == 0, kind == 0);
    assert_true(kind == 2 || (group_syncs > 0) == size.in_step); /* or this tests something else */
    assert_int_equal(too_early, 0);
    check_rows(&w, late ? 2 : 1);
    if (kind && seed % 2) { /* once it is well again, so is everything */
        fault_io_fail_sync(0);
        fault_io_limit_writes(SIZE_MAX, 0);
        assert_int_equal(migrate(&w), 0);
        check_rows(&w, late ? 2 : 1);
    }
    close_world(&w);
    fault_io_power_loss();
    fault_io_end();
    open_world(&w);
    check_rows(&w, late ? 2 : 1);
    assert_int_equal(migrate(&w), 0);
    check_rows(&w, late ? 2 : 1);
    close_world(&w);
    assert_int_equal(too_early, 0);
    remove_world(&w);
}

static void power_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        play(small, seed, 0, seed % 2);
}

static void sync_fails(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        play(small, seed, 1, seed % 4 / 2);
}

static void full_disk(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 16; seed++)
        play(small, seed, 2, seed % 4 / 2);
}

static void side_by_side(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (uint64_t seed = 1; seed <= 4; seed++)
            play(large, seed, kind, seed % 4 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_loss),
        cmocka_unit_test(sync_fails),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
