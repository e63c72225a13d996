/* What goes wrong around the engine: damaged files in DATA, a disk that refuses, lines cut and refused.
 * Nothing may be lost that can be kept, and whatever is not touched goes on working. */
#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "engine_fixture.h"

/* Stores `text` in a control file of the table `name`: 0 or -errno. */
static int tell(struct fixture *f, const char *name, enum tsfs_file file, const char *text)
{
    struct tsfs_node *t = table(f, name);
    int rc = command(t, file, text);
    tsfs_node_unref(t);
    return rc;
}

static bool shows(struct fixture *f, const char *name, enum tsfs_file file, const char *text)
{
    struct tsfs_buf all = {0};
    struct tsfs_node *t = table(f, name);
    assert_int_equal(tsfs_node_render(t, file, &all), 0);
    tsfs_node_unref(t);
    bool found = all.len && memmem(all.data, all.len, text, strlen(text));
    tsfs_buf_free(&all);
    return found;
}

/* The path of a file in the folder of the partition `days` days ago, whose start is *start. */
static void partition_path(struct fixture *f, const char *name, int days, const char *file, char out[256])
{
    int64_t t = (tsfs_time_now() / TSFS_NS_PER_DAY - days) * TSFS_NS_PER_DAY;
    char text[TSFS_TIME_TEXT_MAX];
    tsfs_time_format(t, text);
    snprintf(out, 256, "%s/plant/%s/%.10sT00Z/%s", f->data, name, text, file);
}

static void put_days_ago(struct fixture *f, const char *name, int days, int rows)
{
    char text[4096];
    size_t len = 0;
    int64_t t = (tsfs_time_now() / TSFS_NS_PER_DAY - days) * TSFS_NS_PER_DAY;
    for (int i = 0; i < rows; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s,a=b v=1i %lld\n", name, (long long)t + i);
    assert_int_equal(put(f->db, text), len);
}

static void overwrite(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

/* A log whose first record is damaged has no rows to migrate, but is kept; and life goes on. */
static void damaged_log(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct stat st;
    put_days_ago(f, "m", 1, 1);
    put_days_ago(f, "m", 1, 2);
    partition_path(f, "m", 1, "wal-000001", path);
    stop(f);
    overwrite(path, 60, "\xff\xff", 2);
    start(f);
    assert_true(shows(f, "m", TSFS_FILE_ERRORS, "damaged"));
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n0\n");
    assert_int_equal(tell(f, "m", TSFS_FILE_CTL, "migrate\n"), 0);
    partition_path(f, "m", 1, "wal-000001.damaged", path);
    assert_int_equal(stat(path, &st), 0);
    put_days_ago(f, "m", 1, 3);
    assert_int_equal(tell(f, "m", TSFS_FILE_CTL, "migrate\n"), 0);
    stop(f);
    start(f);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n3\n");
    partition_path(f, "m", 1, "wal-000001.damaged", path);
    assert_int_equal(stat(path, &st), 0);
}

/* A log of the version before is read, what comes goes to another one, and both are migrated. */
static void old_log(void **state)
{
    static const uint8_t header[24] = {'T',  'S',  'F',  'S',  'W',  'A',  'L',  '\n', /* and then, */
                                       1,    0,    0,    0,    24,   0,    0,    0, /* with XXH3 of these: */
                                       0x84, 0x8c, 0xd1, 0x6b, 0xce, 0x01, 0x50, 0x1b};
    struct fixture *f = *state;
    char path[256];
    struct stat st;
    put_days_ago(f, "m", 1, 2);
    partition_path(f, "m", 1, "wal-000001", path);
    stop(f);
    overwrite(path, 0, (const char *)header, sizeof(header));
    assert_int_equal(stat(path, &st), 0);
    off_t size = st.st_size;
    for (unsigned life = 0; life < 2; life++) {
        start(f);
        put_days_ago(f, "m", 1, 3);
        assert_string_equal(ask(f->db, "SELECT count(*) AS n, max(v) AS v FROM m"), "n,v\n3,1\n");
        assert_true(stat(path, &st) != 0 || st.st_size == size); /* it may have been migrated */
        stop(f);
    }
    start(f);
    assert_int_equal(tell(f, "m", TSFS_FILE_CTL, "migrate\n"), 0);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n, max(v) AS v FROM m"), "n,v\n3,1\n");
    assert_int_equal(stat(path, &st), -1);
    partition_path(f, "m", 1, "wal-000002", path);
    assert_int_equal(stat(path, &st), -1);
}

static int count_file(void *ctx, const struct tsfs_cold_file *file)
{
    char *name = ctx;
    if (file->rows == 0)
        snprintf(name, 64, "%s", file->name);
    return 0;
}

/* A segment that cannot be read: its partition says so, the others answer, its bytes can be had and removed.
 * Names that only look like ours are nobody's business. */
static void broken_segment(void **state)
{
    struct fixture *f = *state;
    char path[256], name[64] = "";
    struct tsfs_cold_file file;
    put_days_ago(f, "m", 1, 5);
    put_days_ago(f, "m", 2, 7);
    assert_int_equal(tell(f, "m", TSFS_FILE_CTL, "migrate\n"), 0);
    stop(f);
    partition_path(f, "m", 2, "seg-000001.parquet", path);
    assert_int_equal(truncate(path, 100), 0);
    partition_path(f, "m", 1, "seg--1.parquet", path);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    start(f);
    assert_true(strncmp(ask(f->db, "SELECT count(*) AS n FROM m"), "error 5: partition", 18) == 0);
    char at[TSFS_TIME_TEXT_MAX], sql[128];
    tsfs_time_format((tsfs_time_now() / TSFS_NS_PER_DAY - 1) * TSFS_NS_PER_DAY, at);
    snprintf(sql, sizeof(sql), "SELECT count(*) AS n FROM m WHERE time >= '%.19s'", at);
    assert_string_equal(ask(f->db, sql), "n\n5\n");
    struct tsfs_node *t = table(f, "m");
    assert_int_equal(tsfs_node_cold_list(t, count_file, name), 0);
    assert_true(name[0] != '\0');
    fd = tsfs_node_cold_open(t, name, &file);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file.bytes, 100);
    assert_int_equal(tsfs_node_cold_remove(t, name), 0);
    tsfs_node_unref(t);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n5\n");
}

/* A schema file that is no schema: the table gives EIO, the others work, and the file stays as it is. */
static void damaged_schema(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct stat before, after;
    struct tsfs_node *t;
    put_days_ago(f, "m", 1, 5);
    put_days_ago(f, "other", 1, 3);
    stop(f);
    snprintf(path, sizeof(path), "%s/plant/m/schema", f->data);
    assert_int_equal(stat(path, &before), 0);
    overwrite(path, 4, "x", 1); /* in the name's end: the first line is none any more */
    start(f);
    assert_int_equal(tsfs_node_lookup(f->db, "m", &t), -EIO);
    assert_int_equal(tsfs_node_create(f->db, "m", &me, 0755, &t), -EEXIST);
    assert_int_equal(tsfs_node_remove(f->db, "m"), -EIO);
    assert_int_equal(tsfs_node_rename(f->db, "other", f->db, "m", false), -EEXIST);
    assert_int_equal(put(f->db, "m v=1i\n"), -EIO);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM other"), "n\n3\n");
    assert_non_null(strstr(ask(f->db, "SELECT 1 FROM m"), "table \"m\" is damaged"));
    assert_non_null(strstr(ask(f->db, "SELECT 1 FROM M"), "table \"M\" is damaged"));
    stop(f);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    overwrite(path, 4, "\t", 1);
    char longer[TSFS_COLUMN_NAME_MAX + 32];
    int n = snprintf(longer, sizeof(longer), "%0*d\tmeasure\tdouble\n", TSFS_COLUMN_NAME_MAX + 1, 0);
    overwrite(path, before.st_size, longer, (size_t)n);
    start(f);
    assert_int_equal(tsfs_node_lookup(f->db, "m", &t), -EIO);
    stop(f);
    assert_int_equal(truncate(path, before.st_size), 0);
    start(f);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n5\n");
}

/* Memory is full and cannot be migrated: ENOSPC, not an end; and it passes when the cause has gone. */
static void migration_refused(void **state)
{
    struct fixture *f = *state;
    char path[256], text[8192];
    stop(f);
    f->memory = 1u << 20;
    start(f);
    put_days_ago(f, "m", 1, 5);
    partition_path(f, "m", 1, "seg-000001.parquet.tmp", path);
    assert_int_equal(mkdir(path, 0700), 0);
    int64_t t = (tsfs_time_now() / TSFS_NS_PER_DAY - 1) * TSFS_NS_PER_DAY + TSFS_NS_PER_S;
    ssize_t n = 1;
    int rows = 0;
    while (rows < 1000000 && n > 0) {
        size_t len = 0;
        for (int i = 0; i < 100; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "m,a=c v=1i %lld\n",
                                    (long long)t + rows + i);
        n = put(f->db, text);
        rows += n > 0 ? 100 : 0;
    }
    assert_int_equal(n, -ENOSPC);
    assert_true(shows(f, "m", TSFS_FILE_ERRORS, "stays in memory"));
    assert_int_equal(rmdir(path), 0);
    for (int i = 0; i < 10 && n < 0; i++)
        n = put(f->db, text);
    assert_int_equal(n, strlen(text));
    snprintf(path, sizeof(path), "n\n%d\n", 5 + rows + 100);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), path);
    stop(f);
    f->memory = 0;
    start(f);
}

/* Lines written to a database are kept in the rejected text of their table, and the error's column is right.
 */
static void refused_lines(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f->db, "m,a=b v=1i,w=2\n"), 15);
    assert_int_equal(put(f->db, "m,a=b v=oops\n"), -EINVAL);
    assert_int_equal(put(f->db, "m,a=b w=2,v=\"x\"\n"), -EINVAL);
    assert_int_equal(put(f->db, "m,a=b,a=c v=1i\n"), -EINVAL);
    assert_int_equal(put(f->db, "m,a=b v=7"), 9);
    assert_true(
        shows(f, "m", TSFS_FILE_REJECTED, "m,a=b v=oops\nm,a=b w=2,v=\"x\"\nm,a=b,a=c v=1i\nm,a=b v=7\n"));
    struct tsfs_buf errors = {0};
    assert_int_equal(tsfs_node_render(f->db, TSFS_FILE_ERRORS, &errors), 0);
    assert_int_equal(tsfs_buf_append(&errors, "", 1), 0);
    assert_non_null(strstr(errors.data, "line 1, column 11: field \"v\" is varchar"));
    assert_non_null(strstr(errors.data, "line 1, column 7: "));
    tsfs_buf_free(&errors);
    stop(f); /* they outlive a clean end */
    start(f);
    assert_true(shows(f, "m", TSFS_FILE_REJECTED, "m,a=b v=oops\n"));
    assert_int_equal(tsfs_node_render(f->db, TSFS_FILE_ERRORS, &errors), 0);
    assert_true(errors.len > 0 && errors.data[errors.len - 1] == '\n');
    assert_non_null(memmem(errors.data, errors.len, "column 11", 9));
    tsfs_buf_free(&errors);
    /* the same in the table's own file, with the measurement left out */
    struct tsfs_node *t = table(f, "m");
    assert_int_equal(put(t, "v=1i\n,a=b,a=c v=1i\n"), 5);
    assert_int_equal(put(t, ",a=b,a=c v=1i\n"), -EINVAL);
    assert_true(shows(f, "m", TSFS_FILE_ERRORS, "line 1, column 6: "));
    tsfs_node_unref(t);
}

/* A rest that is completed after all is taken back from rejected and errors, also when it holds line breaks.
 */
static void completed_tail(void **state)
{
    struct fixture *f = *state;
    struct tsfs_writer *w;
    assert_int_equal(put(f->db, "m s=\"x\"\n"), 8);
    struct tsfs_node *t = table(f, "m");
    assert_int_equal(tsfs_writer_open(t, &me, &w), 0);
    assert_int_equal(tsfs_writer_write(w, "m s=\"one\ntwo", 12), 12);
    assert_int_equal(tsfs_writer_flush(w), -EINVAL);
    assert_true(shows(f, "m", TSFS_FILE_REJECTED, "one\ntwo\n"));
    assert_true(shows(f, "m", TSFS_FILE_ERRORS, "may have been cut"));
    for (const char *p = "\nthree\"\n"; *p; p++)
        assert_int_equal(tsfs_writer_write(w, p, 1), 1);
    assert_int_equal(tsfs_writer_flush(w), 0);
    tsfs_writer_close(w);
    tsfs_node_unref(t);
    assert_false(shows(f, "m", TSFS_FILE_REJECTED, "one"));
    assert_false(shows(f, "m", TSFS_FILE_ERRORS, "may have been cut"));
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m WHERE s LIKE '%three'"), "n\n1\n");
}

/* truncate beside a writer that syncs: it ends, and fsync does not fail over what is gone. */
static void truncate_and_sync(void **state)
{
    struct fixture *f = *state;
    struct tsfs_writer *w;
    assert_int_equal(tsfs_writer_open(f->db, &me, &w), 0);
    for (int i = 0; i < 20; i++) {
        char text[256];
        int len = snprintf(text, sizeof(text), "m v=%di\nm v=1i %lld\n", i,
                           (long long)(tsfs_time_now() - i % 5 * TSFS_NS_PER_DAY));
        assert_int_equal(tsfs_writer_write(w, text, (size_t)len), len);
        assert_int_equal(tell(f, "m", TSFS_FILE_CTL, "truncate\n"), 0);
        assert_int_equal(tsfs_writer_sync(w), 0);
        assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n0\n");
    }
    tsfs_writer_close(w);
    assert_int_equal(tsfs_node_remove(f->db, "m"), 0);
}

/* ---- a disk that does what a test says, as far as logs and the removal of folders go ---- */

static struct {
    struct tsfs_io io;
    struct tsfs_node *table; /* migrated and truncated in the middle of the next sync of a log */
    _Atomic bool meddle;
    int meddled; /* what came of that; 1 = it has not happened */
    _Atomic int sync_error, trash_error;
    _Atomic unsigned syncs; /* of logs */
    _Atomic int writes;     /* to logs, until there is no space any more; -1 = there always is */
} disk;

static bool is_log(int fd)
{
    char name[64], path[256];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    return strstr(path, "/wal-") != NULL;
}

static int disk_fdatasync(int fd)
{
    if (is_log(fd)) {
        atomic_fetch_add(&disk.syncs, 1);
        if (disk.sync_error)
            return disk.sync_error;
        if (atomic_exchange(&disk.meddle, false)) {
            struct tsfs_error err = {0};
            int rc = tsfs_node_store(disk.table, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, &err);
            if (rc == 0)
                rc = tsfs_node_store(disk.table, TSFS_FILE_CTL, "truncate\n", 9, NULL, NULL, &err);
            disk.meddled = rc;
        }
    }
    return fdatasync(fd) == 0 ? 0 : -errno;
}

static int disk_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    if (disk.trash_error && strncmp(to, "trash-", 6) == 0)
        return disk.trash_error;
    return renameat(from_fd, from, to_fd, to) == 0 ? 0 : -errno;
}

static ssize_t disk_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    if (disk.writes >= 0 && is_log(fd) && atomic_fetch_sub(&disk.writes, 1) <= 0) {
        disk.writes = 0;
        return -ENOSPC;
    }
    ssize_t done = pwrite(fd, buf, n, offset);
    return done < 0 ? -errno : done;
}

/* Starts again on such a disk, with a table "m" of no points whose log nobody syncs but who asks for it. */
static struct tsfs_node *start_on_disk(struct fixture *f)
{
    stop(f);
    disk.io = *tsfs_io();
    disk.io.fdatasync = disk_fdatasync;
    disk.io.renameat = disk_renameat;
    disk.io.pwrite = disk_pwrite;
    disk.meddle = false;
    disk.meddled = 1;
    disk.sync_error = disk.trash_error = 0;
    disk.writes = -1;
    disk.syncs = 0;
    tsfs_io_set(&disk.io);
    start(f);
    put_days_ago(f, "m", 1, 1);
    for (int i = 0; i < 10000 && disk.syncs == 0;
         i++) /* the first time is at once, then sync_interval counts */
        usleep(1000);
    assert_int_not_equal(disk.syncs, 0);
    struct tsfs_node *t = table(f, "m");
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "sync_interval = 1h\n"), 0);
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
    return t;
}

static void end_on_disk(struct fixture *f, struct tsfs_node *t)
{
    tsfs_node_unref(t);
    stop(f);
    tsfs_io_set(NULL);
    start(f);
}

/* fsync meets with a partition that is moved to the cold tier, and then removed, under its hands. */
static void gone_while_syncing(void **state)
{
    struct fixture *f = *state;
    struct tsfs_writer *w;
    disk.table = start_on_disk(f);
    assert_int_equal(tsfs_writer_open(f->db, &me, &w), 0);
    assert_int_equal(tsfs_writer_write(w, "m v=1i\n", 7), 7);
    disk.meddle = true;
    assert_int_equal(tsfs_writer_sync(w), 0);
    assert_int_equal(disk.meddled, 0);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n0\n");
    assert_int_equal(tsfs_writer_write(w, "m v=2i\n", 7), 7);
    assert_int_equal(tsfs_writer_sync(w), 0);
    tsfs_writer_close(w);
    end_on_disk(f, disk.table);
    assert_string_equal(ask(f->db, "SELECT sum(v) AS n FROM m"), "n\n2\n");
}

/* A partition that could not be removed is one as before: fsync has to tell when it fails. */
static void removal_fails(void **state)
{
    struct fixture *f = *state;
    struct tsfs_writer *w;
    struct tsfs_node *t = start_on_disk(f);
    assert_int_equal(tsfs_writer_open(f->db, &me, &w), 0);
    assert_int_equal(tsfs_writer_write(w, "m v=1i\n", 7), 7);
    disk.trash_error = -EIO;
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), -EIO);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n1\n");
    disk.sync_error = -EIO;
    assert_int_equal(tsfs_writer_sync(w), -EIO);
    disk.sync_error = disk.trash_error = 0;
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
    assert_int_equal(tsfs_writer_sync(w), 0);
    tsfs_writer_close(w);
    end_on_disk(f, t);
}

/* With sync_interval = 0 a write that cannot be brought to the disk fails, also when there is a bad line in
 * it that the good ones before it would have been counted up to. */
static void failed_sync_is_told(void **state)
{
    struct fixture *f = *state;
    struct tsfs_node *t = start_on_disk(f);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "sync_interval = 0s\n"), 0);
    assert_int_equal(put(f->db, "m v=1i\nm v=\"x\"\n"), 7);
    disk.sync_error = -EIO;
    assert_int_equal(put(f->db, "m v=1i\nm v=\"x\"\n"), -EIO);
    disk.sync_error = 0;
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
    end_on_disk(f, t);
}

/* A write that was taken back leaves a log that is not on disk; then the table goes, with its folders. */
static void sync_of_a_removed_table(void **state)
{
    struct fixture *f = *state;
    struct tsfs_writer *w;
    char text[128];
    struct tsfs_node *t = start_on_disk(f);
    int64_t now = tsfs_time_now();
    int len = snprintf(text, sizeof(text), "m v=1i %lld\nm v=1i %lld\n", (long long)now,
                       (long long)(now - TSFS_NS_PER_DAY));
    assert_int_equal(tsfs_writer_open(f->db, &me, &w), 0);
    disk.writes = 3; /* two headers and the first record */
    assert_int_equal(tsfs_writer_write(w, text, (size_t)len), -ENOSPC);
    assert_int_equal(disk.writes, 0);
    disk.writes = -1;
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n0\n");
    assert_int_equal(tsfs_node_remove(f->db, "m"), 0);
    assert_int_equal(tsfs_writer_sync(w), 0);
    tsfs_writer_close(w);
    end_on_disk(f, t);
}

/* Lines that fill a log record are logged and published before those behind them.  When that fails none of
 * them counts as written. */
static void full_record_and_disk(void **state)
{
    enum { LINES = 1200, LENGTH = 60000 }; /* more than TSFS_WAL_RECORD_MAX */
    struct fixture *f = *state;
    struct tsfs_writer *w;
    struct tsfs_node *t = start_on_disk(f);
    char *text = malloc((size_t)LINES * (LENGTH + 64));
    size_t len = 0;
    assert_non_null(text);
    int64_t now = tsfs_time_now();
    for (int i = 0; i < LINES; i++) {
        len += (size_t)sprintf(text + len, "m v=1i,s=\"");
        memset(text + len, 'x', LENGTH);
        text[len] = (char)('a' + i % 26); /* the same one twice would be kept once */
        len += LENGTH;
        len += (size_t)sprintf(text + len, "\" %lld\n", (long long)now - i);
    }
    assert_int_equal(tsfs_writer_open(f->db, &me, &w), 0);
    disk.writes = 1; /* the header */
    assert_int_equal(tsfs_writer_write(w, text, len), -ENOSPC);
    disk.writes = -1;
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n0\n");
    assert_int_equal(tsfs_writer_write(w, text, len), len);
    assert_string_equal(ask(f->db, "SELECT count(*) AS n FROM m"), "n\n1200\n");
    tsfs_writer_close(w);
    free(text);
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
    end_on_disk(f, t);
}

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* A writer that stays open does not hold on to tables that come and go. */
static void tables_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct tsfs_writer *w;
    char text[32];
    assert_int_equal(tsfs_writer_open(f->db, &me, &w), 0);
    unsigned before = descriptors();
    for (int i = 0; i < 50; i++) {
        int len = snprintf(text, sizeof(text), "t%d v=1i\n", i);
        assert_int_equal(tsfs_writer_write(w, text, (size_t)len), len);
        text[len - 6] = '\0';
        assert_int_equal(tell(f, text, TSFS_FILE_CTL, "truncate\n"), 0);
        assert_int_equal(tsfs_node_remove(f->db, text), 0);
    }
    assert_in_range(descriptors(), 0, before + 20);
    assert_int_equal(tsfs_writer_sync(w), 0);
    tsfs_writer_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_log, setup, teardown),
        cmocka_unit_test_setup_teardown(old_log, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(migration_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(completed_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(truncate_and_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(gone_while_syncing, setup, teardown),
        cmocka_unit_test_setup_teardown(removal_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_sync_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(sync_of_a_removed_table, setup, teardown),
        cmocka_unit_test_setup_teardown(full_record_and_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(tables_come_and_go, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
