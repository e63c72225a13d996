/* Loss of power and full disks under a log: what a sync has promised is there after it, in order and nothing
 * else, and the log goes on from there; without loss of power (the daemon was killed) everything appended is
 * there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/random.h"
#include "base/io.h"
#include "fault_io.h"
#include "wal/wal.h"

#define RECORDS_MAX 4000

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
    return (uint32_t)((test_random(&seed) >> 20) % n);
}

/* The records that are in the log as far as we know: their numbers and sizes. */
static struct {
    uint32_t number[RECORDS_MAX];
    uint32_t len[RECORDS_MAX];
    unsigned n;
    unsigned promised; /* the first so many are on disk */
    unsigned seen;     /* by recovery */
    uint32_t next;
} book;

static void make_payload(uint8_t *out, uint32_t number, uint32_t len)
{
    memcpy(out, &number, 4);
    for (uint32_t i = 4; i < len; i++) /* with runs of zeros, which lost pages have too */
        out[i] = number % 3 ? (uint8_t)(number * 31 + i * 7) : 0;
}

static int check_record(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    static uint8_t want[70000];
    if (book.seen >= book.n || len != book.len[book.seen])
        return tsfs_error_set(err, -EBADMSG, "a record that was not written, or another one");
    make_payload(want, book.number[book.seen], (uint32_t)len);
    if (memcmp(want, payload, len) != 0)
        return tsfs_error_set(err, -EBADMSG, "other bytes than were written");
    book.seen++;
    return 0;
}

static void append(struct tsfs_wal *wal)
{
    static uint8_t payload[70000];
    uint32_t len = 4 + (rnd(4) ? rnd(300) : rnd(5) ? rnd(6000) : rnd(60000));
    make_payload(payload, book.next, len);
    unsigned fault = rnd(15);
    if (fault == 0)
        fault_io_limit_writes(rnd(len + 30), -ENOSPC);
    if (fault == 1)
        fault_io_short_writes(1 + rnd(3000));
    int rc = tsfs_wal_append(wal, payload, len, NULL);
    fault_io_limit_writes(SIZE_MAX, 0);
    fault_io_short_writes(0);
    if (rc) {
        assert_int_equal(rc, -ENOSPC);
        book.next++;
        return;
    }
    book.number[book.n] = book.next++;
    book.len[book.n++] = len;
    if (rnd(20) == 0) {
        assert_int_equal(tsfs_wal_undo(wal), 0);
        book.n--;
    }
}

static void run(uint64_t start)
{
    char path[] = "/tmp/tsfs-crash-wal-XXXXXX";
    uint64_t good = 0, torn;
    assert_non_null(mkdtemp(path));
    int dirfd = open(path, O_RDONLY | O_DIRECTORY);
    seed = start * UINT64_C(0x9e3779b97f4a7c15);
    memset(&book, 0, sizeof(book));
    fault_io_begin(path, start * 3 + 1);
    for (unsigned life = 0; life < 5; life++) {
        struct tsfs_wal *wal;
        struct tsfs_error err = {0};
        struct stat st;
        unsigned todo = rnd(60);
        assert_int_equal(tsfs_wal_open(dirfd, "log", good, &wal, &err), 0);
        for (unsigned i = 0; i < todo; i++) {
            append(wal);
            if (rnd(10) == 0) {
                assert_int_equal(tsfs_wal_sync(wal), 0);
                book.promised = book.n;
            }
            if (rnd(25) == 0) {
                tsfs_wal_close_idle(wal);
                book.promised = book.n;
            }
        }
        /* a process that dies syncs nothing on its way */
        bool power = rnd(2);
        fault_io_fail_sync(-EIO);
        tsfs_wal_close(wal);
        fault_io_fail_sync(0);
        if (power)
            fault_io_power_loss();
        book.seen = 0;
        if (fstatat(dirfd, "log", &st, 0) != 0) {
            assert_true(power);
            assert_int_equal(book.promised, 0);
            good = 0;
        } else {
            int rc = tsfs_wal_recover(dirfd, "log", false, check_record, NULL, &good, &torn, &err);
            if (rc)
                fail_msg("seed %llu, life %u: %s", (unsigned long long)start, life, err.message);
        }
        if (book.seen < (power ? book.promised : book.n))
            fail_msg("seed %llu, life %u: %u records of %u, %u promised", (unsigned long long)start, life,
                     book.seen, book.n, book.promised);
        book.n = book.seen;
        if (book.promised > book.n)
            book.promised = book.n;
        if (good == 0)
            assert_int_equal(book.n, 0);
    }
    fault_io_end();
    close(dirfd);
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, path), 0);
}

static void power_and_disk(void **state)
{
    const char *given = getenv("TSFS_CRASH_SEED");
    uint64_t from = given ? strtoull(given, NULL, 0) : 1, to = given ? from : 400;
    for (uint64_t s = from; s <= to; s++)
        run(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_and_disk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
