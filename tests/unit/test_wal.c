/* The log: what is appended comes back; a torn tail is cut, damage is not; a failed write leaves nothing;
 * syncs are shared; descriptors come and go. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/io.h"
#include "base/limits.h"
#include "wal/wal.h"

struct dir {
    char path[40];
    int fd;
};

static int setup(void **state)
{
    struct dir *d = calloc(1, sizeof(*d));
    snprintf(d->path, sizeof(d->path), "/tmp/tsfs-test-wal-XXXXXX");
    if (!mkdtemp(d->path) || (d->fd = open(d->path, O_RDONLY | O_DIRECTORY)) < 0)
        return -1;
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct dir *d = *state;
    tsfs_io_set(NULL);
    close(d->fd);
    int rc = tsfs_io_remove_tree(AT_FDCWD, d->path);
    free(d);
    return rc;
}

struct got {
    unsigned n;
    char text[64][64];
    int fail_at;
};

static int collect(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    struct got *g = ctx;
    if (g->fail_at && (int)g->n + 1 == g->fail_at)
        return tsfs_error_set(err, -EINVAL, "not this one");
    assert_true(g->n < 64);
    snprintf(g->text[g->n++], 64, "%.*s", len < 60 ? (int)len : 60, (const char *)payload);
    return 0;
}

static struct tsfs_wal *open_log(struct dir *d, uint64_t size)
{
    struct tsfs_wal *wal;
    struct tsfs_error err = {0};
    if (tsfs_wal_open(d->fd, "log", size, &wal, &err) != 0)
        fail_msg("%s", err.message);
    return wal;
}

static int recover(struct dir *d, bool read_only, struct got *g, uint64_t *good, uint64_t *torn,
                   struct tsfs_error *err)
{
    memset(g, 0, sizeof(*g));
    return tsfs_wal_recover(d->fd, "log", read_only, collect, g, good, torn, err);
}

static off_t file_size(struct dir *d)
{
    struct stat st;
    assert_int_equal(fstatat(d->fd, "log", &st, 0), 0);
    return st.st_size;
}

static void poke(struct dir *d, off_t at, const void *data, size_t n)
{
    int fd = openat(d->fd, "log", O_RDWR);
    assert_int_equal(pwrite(fd, data, n, at), n);
    close(fd);
}

static void round_trip(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal = open_log(d, 0);
    struct got g;
    uint64_t good, torn;
    char *big = malloc(100000), framed[TSFS_WAL_FRAME_BYTES + 6] = {0};
    memset(big, 'x', 100000);
    assert_false(tsfs_wal_dirty(wal));
    assert_int_equal(tsfs_wal_append(wal, "one", 3, NULL), 0);
    assert_true(tsfs_wal_dirty(wal));
    assert_int_equal(tsfs_wal_sync(wal), 0);
    assert_false(tsfs_wal_dirty(wal));
    assert_int_equal(tsfs_wal_append(wal, big, 100000, NULL), 0);
    memcpy(framed + TSFS_WAL_FRAME_BYTES, "framed", 6);
    assert_int_equal(tsfs_wal_append_framed(wal, framed, 6, NULL), 0);
    assert_int_equal(tsfs_wal_append(wal, big, 0, NULL), -EINVAL);
    assert_int_equal(tsfs_wal_append(wal, big, (size_t)TSFS_WAL_RECORD_MAX + 1, NULL), -E2BIG);
    uint64_t size = tsfs_wal_size(wal);
    tsfs_wal_close(wal);
    assert_int_equal(file_size(d), size);
    assert_int_equal(recover(d, true, &g, &good, &torn, NULL), 0);
    assert_int_equal(g.n, 3);
    assert_string_equal(g.text[0], "one");
    assert_memory_equal(g.text[1], big, 60);
    assert_string_equal(g.text[2], "framed");
    assert_int_equal(good, size);
    assert_int_equal(torn, 0);
    free(big);

    /* goes on where it ended; a log that is there is not begun again */
    wal = open_log(d, good);
    assert_true(tsfs_wal_dirty(wal)); /* who knows whether the last life synced it */
    assert_int_equal(tsfs_wal_append(wal, "more", 4, NULL), 0);
    tsfs_wal_close(wal);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    assert_int_equal(g.n, 4);
    assert_string_equal(g.text[3], "more");
    assert_int_equal(tsfs_wal_open(d->fd, "log", 0, &wal, NULL), -EEXIST);
    assert_int_equal(tsfs_wal_open(d->fd, "log", good + 1, &wal, NULL), -ESTALE);
    assert_int_equal(tsfs_wal_open(d->fd, "none", good, &wal, NULL), -ENOENT);
    assert_int_equal(tsfs_wal_recover(d->fd, "none", false, collect, &g, &good, &torn, NULL), -ENOENT);
}

static void undo(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal = open_log(d, 0);
    struct got g;
    uint64_t good, torn;
    assert_int_equal(tsfs_wal_undo(wal), -EINVAL);
    assert_int_equal(tsfs_wal_append(wal, "keep", 4, NULL), 0);
    uint64_t size = tsfs_wal_size(wal);
    assert_int_equal(tsfs_wal_append(wal, "drop this longer one", 20, NULL), 0);
    assert_int_equal(tsfs_wal_undo(wal), 0);
    assert_int_equal(tsfs_wal_undo(wal), -EINVAL); /* only the last one */
    assert_int_equal(tsfs_wal_size(wal), size);
    assert_int_equal(file_size(d), size);
    assert_int_equal(tsfs_wal_append(wal, "next", 4, NULL), 0);
    tsfs_wal_close(wal);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    assert_int_equal(g.n, 2);
    assert_string_equal(g.text[1], "next");
}

/* Cut anywhere: all records before the cut, and the rest is gone. */
static void torn_tail(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal = open_log(d, 0);
    uint64_t ends[4], good, torn;
    struct got g;
    ends[0] = tsfs_wal_size(wal);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(tsfs_wal_append(wal, "some payload", 12, NULL), 0);
        ends[i] = tsfs_wal_size(wal);
    }
    tsfs_wal_close(wal);
    for (uint64_t cut = ends[3]; cut-- > 0;) {
        int fd = openat(d->fd, "log", O_RDWR);
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        close(fd);
        unsigned want = 0;
        while (want < 3 && cut >= ends[want + 1])
            want++;
        uint64_t end = cut < ends[0] ? 0 : ends[want];
        assert_int_equal(recover(d, true, &g, &good, &torn, NULL), 0);
        assert_int_equal(g.n, want);
        assert_int_equal(good, end);
        assert_int_equal(torn, cut - end);
        assert_int_equal(file_size(d), cut); /* read only */
        if (cut == ends[2] + 5) {
            assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
            assert_int_equal(file_size(d), end);
            cut = end;
        }
    }
    wal = open_log(d, 0); /* nothing left: may be begun again */
    tsfs_wal_close(wal);
}

/* Any flipped bit in the last record is a torn tail, in an earlier one it is damage, synced or not. */
static void damage(void **state)
{
    struct dir *d = *state;
    for (unsigned with_sync = 0; with_sync < 2; with_sync++) {
        struct tsfs_wal *wal = open_log(d, 0);
        uint64_t ends[4], good, torn;
        struct got g;
        ends[0] = tsfs_wal_size(wal);
        for (unsigned i = 1; i < 4; i++) {
            char text[64];
            memset(text, 'a' + (int)i, sizeof(text));
            assert_int_equal(tsfs_wal_append(wal, text, sizeof(text), NULL), 0);
            if (with_sync)
                assert_int_equal(tsfs_wal_sync(wal), 0);
            ends[i] = tsfs_wal_size(wal);
        }
        tsfs_wal_close(wal);
        for (uint64_t at = 0; at < ends[3]; at++) {
            uint8_t was, now;
            struct tsfs_error err = {0};
            int fd = openat(d->fd, "log", O_RDWR);
            assert_int_equal(pread(fd, &was, 1, (off_t)at), 1);
            close(fd);
            now = was ^ (uint8_t)(1u << at % 8);
            poke(d, (off_t)at, &now, 1);
            int rc = recover(d, true, &g, &good, &torn, &err);
            if (at < ends[2]) {
                assert_int_equal(rc, -EBADMSG);
                assert_non_null(strstr(err.message, "log"));
                char offset[32];
                uint64_t bad = at < ends[0] ? 0 : at < ends[1] ? ends[0] : ends[1];
                snprintf(offset, sizeof(offset), "byte %llu", (unsigned long long)bad);
                assert_non_null(strstr(err.message, offset));
                assert_int_equal(recover(d, false, &g, &good, &torn, NULL), -EBADMSG);
                assert_int_equal(file_size(d), ends[3]);
            } else {
                assert_int_equal(rc, 0);
                assert_int_equal(g.n, 2);
                assert_int_equal(torn, ends[3] - ends[2]);
            }
            poke(d, (off_t)at, &was, 1);
        }
        assert_int_equal(unlinkat(d->fd, "log", 0), 0);
    }
}

static void apply_fails(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal = open_log(d, 0);
    struct got g = {.fail_at = 2};
    struct tsfs_error err = {0};
    uint64_t good, torn, first;
    assert_int_equal(tsfs_wal_append(wal, "a", 1, NULL), 0);
    first = tsfs_wal_size(wal);
    assert_int_equal(tsfs_wal_append(wal, "b", 1, NULL), 0);
    tsfs_wal_close(wal);
    assert_int_equal(tsfs_wal_recover(d->fd, "log", false, collect, &g, &good, &torn, &err), -EINVAL);
    assert_int_equal(good, first);
    assert_non_null(strstr(err.message, "not this one"));
    assert_int_equal(torn, 0);
}

static struct tsfs_io table;
static int write_error, sync_error, cut_error, open_error;
static void (*during_sync)(void);
static size_t room;
static _Atomic unsigned syncs;

static ssize_t failing_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    if (!write_error)
        return pwrite(fd, buf, n, offset);
    if (room == 0)
        return write_error;
    n = n < room ? n : room;
    room -= n;
    return pwrite(fd, buf, n, offset);
}

static int failing_fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    usleep(1000);
    if (during_sync)
        during_sync();
    return sync_error ? sync_error : fdatasync(fd) == 0 ? 0 : -errno;
}

static int failing_ftruncate(int fd, off_t size)
{
    return cut_error ? cut_error : ftruncate(fd, size) == 0 ? 0 : -errno;
}

static int failing_openat(int dirfd, const char *path, int flags, mode_t mode)
{
    int fd = open_error ? -1 : openat(dirfd, path, flags, mode);
    return open_error ? open_error : fd >= 0 ? fd : -errno;
}

static void inject(void)
{
    table = *tsfs_io();
    table.pwrite = failing_pwrite;
    table.fdatasync = failing_fdatasync;
    table.ftruncate = failing_ftruncate;
    table.openat = failing_openat;
    write_error = sync_error = cut_error = open_error = 0;
    during_sync = NULL;
    room = 0;
    syncs = 0;
    tsfs_io_set(&table);
}

static void full_disk(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal;
    struct got g;
    struct tsfs_error err = {0};
    uint64_t good, torn;
    inject();
    wal = open_log(d, 0);
    assert_int_equal(tsfs_wal_append(wal, "first", 5, NULL), 0);
    uint64_t size = tsfs_wal_size(wal);
    for (room = 0; room < 40; room += 7) { /* nothing, a part of the frame, a part of the payload */
        size_t given = room;
        write_error = -ENOSPC;
        assert_int_equal(tsfs_wal_append(wal, "does not fit", 12, &err), -ENOSPC);
        assert_int_equal(tsfs_wal_size(wal), size);
        assert_int_equal(file_size(d), size);
        assert_int_equal(tsfs_wal_undo(wal),
                         -EINVAL); /* the first one is no longer the last thing that happened */
        room = given;
        if (room >= 35)
            break;
    }
    write_error = 0;
    assert_int_equal(tsfs_wal_append(wal, "second", 6, NULL), 0);

    /* the rest cannot even be cut off: no more appends, and recovery sees a torn tail */
    write_error = -ENOSPC;
    cut_error = -EIO;
    room = 10;
    assert_int_equal(tsfs_wal_append(wal, "third", 5, NULL), -ENOSPC);
    write_error = cut_error = 0;
    assert_int_equal(tsfs_wal_append(wal, "fourth", 6, NULL), -ENOSPC);
    assert_int_equal(tsfs_wal_sync(wal), 0);
    tsfs_wal_close(wal);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    assert_int_equal(g.n, 2);
    assert_int_equal(torn, 10);
}

static void failed_sync_is_for_ever(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal;
    inject();
    wal = open_log(d, 0);
    assert_int_equal(tsfs_wal_append(wal, "first", 5, NULL), 0);
    sync_error = -EIO;
    assert_int_equal(tsfs_wal_sync(wal), -EIO);
    sync_error = 0;
    assert_int_equal(tsfs_wal_sync(wal), -EIO);
    assert_int_equal(tsfs_wal_append(wal, "second", 6, NULL), -EIO);
    assert_true(tsfs_wal_dirty(wal));
    tsfs_wal_close_idle(wal);
    tsfs_wal_close(wal);
}

/* That there is no descriptor to be had is no verdict on the log. */
static void no_descriptor(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal;
    struct got g;
    uint64_t good, torn;
    inject();
    wal = open_log(d, 0);
    assert_int_equal(tsfs_wal_append(wal, "a", 1, NULL), 0);
    open_error = -EMFILE; /* the folder's entry cannot be synced */
    assert_int_equal(tsfs_wal_sync(wal), -EMFILE);
    assert_true(tsfs_wal_dirty(wal));
    tsfs_wal_park(wal);
    assert_int_equal(tsfs_wal_sync(wal), -EMFILE); /* nor the file */
    assert_int_equal(tsfs_wal_append(wal, "b", 1, NULL), -EMFILE);
    open_error = 0;
    assert_int_equal(tsfs_wal_append(wal, "c", 1, NULL), 0);
    assert_int_equal(tsfs_wal_sync(wal), 0);
    assert_false(tsfs_wal_dirty(wal));
    tsfs_wal_close(wal);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    assert_int_equal(g.n, 2);
    assert_string_equal(g.text[1], "c");
}

static struct tsfs_wal *given_up;
static int folder_of_it;

static void give_up(void)
{
    tsfs_wal_abandon(given_up);
    (void)!unlinkat(folder_of_it, "p/log", 0);
    (void)!unlinkat(folder_of_it, "p", AT_REMOVEDIR);
}

/* A log whose rows are elsewhere may go with its folder while it is being synced. */
static void abandoned(void **state)
{
    struct dir *d = *state;
    inject();
    folder_of_it = d->fd;
    for (int error = 0; error >= -EIO; error -= EIO) {
        assert_int_equal(mkdirat(d->fd, "p", 0700), 0);
        assert_int_equal(tsfs_wal_open(d->fd, "p/log", 0, &given_up, NULL), 0);
        assert_int_equal(tsfs_wal_append(given_up, "a", 1, NULL), 0);
        during_sync = give_up;
        sync_error = error;
        assert_int_equal(tsfs_wal_sync(given_up), 0);
        assert_int_equal(syncs, error ? 2 : 1);
        assert_int_equal(faccessat(d->fd, "p", F_OK, 0), -1);
        assert_false(tsfs_wal_dirty(given_up));
        assert_int_equal(tsfs_wal_sync(given_up), 0);
        tsfs_wal_close(given_up);
        assert_int_equal(syncs, error ? 2 : 1);
    }
}

static void idle(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal;
    struct got g;
    uint64_t good, torn;
    inject();
    wal = open_log(d, 0);
    assert_int_equal(tsfs_wal_append(wal, "a", 1, NULL), 0);
    tsfs_wal_close_idle(wal);
    assert_int_equal(syncs, 1);
    int before = dup(0);
    close(before);
    tsfs_wal_close_idle(wal);
    assert_int_equal(tsfs_wal_sync(wal), 0);
    assert_int_equal(syncs, 1);
    assert_int_equal(tsfs_wal_append(wal, "b", 1, NULL), 0);
    tsfs_wal_close_idle(wal);
    assert_int_equal(tsfs_wal_undo(wal), 0); /* opens again */
    assert_int_equal(tsfs_wal_append(wal, "c", 1, NULL), 0);
    tsfs_wal_close(wal);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    assert_int_equal(g.n, 2);
    assert_string_equal(g.text[1], "c");
}

/* Puts another version into the header. */
static void make_version(struct dir *d, uint8_t version)
{
    uint8_t header[24] = "TSFSWAL\n";
    header[8] = version;
    header[12] = sizeof(header);
    uint64_t check = XXH3_64bits(header, 16);
    for (unsigned i = 0; i < 8; i++)
        header[16 + i] = (uint8_t)(check >> (8 * i));
    poke(d, 0, header, sizeof(header));
}

/* A log of the first version is read, kept and synced, and takes nothing more; of one that is not known yet
 * nothing is touched. */
static void versions(void **state)
{
    struct dir *d = *state;
    struct tsfs_wal *wal = open_log(d, 0);
    struct got g;
    uint64_t good, torn;
    struct tsfs_error err = {0};
    assert_true(tsfs_wal_takes_more(wal));
    tsfs_wal_close(wal);
    make_version(d, 1);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    wal = open_log(d, good); /* one that holds nothing is not an old one any more */
    assert_true(tsfs_wal_takes_more(wal));
    assert_int_equal(tsfs_wal_append(wal, "one", 3, NULL), 0);
    tsfs_wal_close(wal);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    wal = open_log(d, good);
    assert_true(tsfs_wal_takes_more(wal));
    tsfs_wal_close(wal);
    make_version(d, 1);
    assert_int_equal(recover(d, false, &g, &good, &torn, NULL), 0);
    assert_int_equal(g.n, 1);
    wal = open_log(d, good);
    assert_false(tsfs_wal_takes_more(wal));
    assert_int_equal(tsfs_wal_append(wal, "two", 3, NULL), -EPROTONOSUPPORT);
    assert_int_equal(tsfs_wal_sync(wal), 0);
    tsfs_wal_close(wal);
    assert_int_equal(file_size(d), good);
    make_version(d, 2);
    wal = open_log(d, good);
    assert_true(tsfs_wal_takes_more(wal));
    tsfs_wal_close(wal);
    make_version(d, 3);
    poke(d, (off_t)good, "torn", 4);
    assert_int_equal(recover(d, false, &g, &good, &torn, &err), -EPROTONOSUPPORT);
    assert_non_null(strstr(err.message, "version 3"));
    assert_int_equal(file_size(d), 24 + 24 + 3 + 4);
}

struct shared {
    struct tsfs_wal *wal;
    pthread_mutex_t appender;
    unsigned rounds;
    int rc;
};

static void *writer(void *ctx)
{
    struct shared *s = ctx;
    for (unsigned i = 0; i < s->rounds; i++) {
        pthread_mutex_lock(&s->appender);
        int rc = tsfs_wal_append(s->wal, "record of a thread", 18, NULL);
        pthread_mutex_unlock(&s->appender);
        if (!rc)
            rc = tsfs_wal_sync(s->wal);
        if (i % 7 == 0)
            tsfs_wal_close_idle(s->wal);
        if (rc)
            s->rc = rc;
    }
    return NULL;
}

static int count_one(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    ++*(unsigned *)ctx;
    return len == 18 && memcmp(payload, "record of a thread", 18) == 0 ? 0 : -EBADMSG;
}

static void group_commit(void **state)
{
    struct dir *d = *state;
    struct shared s = {.appender = PTHREAD_MUTEX_INITIALIZER, .rounds = 40};
    pthread_t threads[8];
    unsigned n = 0;
    uint64_t good, torn;
    inject();
    s.wal = open_log(d, 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &s), 0);
    for (unsigned i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(s.rc, 0);
    assert_false(tsfs_wal_dirty(s.wal));
    tsfs_wal_close(s.wal);
    assert_true(syncs < 8 * 40 / 2); /* each on its own would be 320 */
    assert_int_equal(tsfs_wal_recover(d->fd, "log", true, count_one, &n, &good, &torn, NULL), 0);
    assert_int_equal(n, 8 * 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(undo, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(damage, setup, teardown),
        cmocka_unit_test_setup_teardown(apply_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_sync_is_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(no_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(abandoned, setup, teardown),
        cmocka_unit_test_setup_teardown(idle, setup, teardown),
        cmocka_unit_test_setup_teardown(versions, setup, teardown),
        cmocka_unit_test_setup_teardown(group_commit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
