/* File calls: short transfers are completed, errors are passed on, replacing is all or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

static int root = -1;
static char root_path[64];

static int setup(void **state)
{
    strcpy(root_path, "/tmp/tsfs-io-XXXXXX");
    if (mkdtemp(root_path) == NULL)
        return -1;
    root = open(root_path, O_RDONLY | O_DIRECTORY);
    return root < 0;
}

static int teardown(void **state)
{
    tsfs_io_set(NULL);
    close(root);
    return tsfs_io_remove_tree(AT_FDCWD, root_path);
}

/* A table that transfers three bytes at most, with an EINTR between. */
static int calls;

static ssize_t little_pread(int fd, void *buf, size_t n, off_t offset)
{
    return ++calls % 2 ? -EINTR : pread(fd, buf, n < 3 ? n : 3, offset);
}

static ssize_t little_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return ++calls % 2 ? -EINTR : pwrite(fd, buf, n < 3 ? n : 3, offset);
}

static ssize_t full_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return -ENOSPC;
}

static int failing_fsync(int fd)
{
    return -EIO;
}

static void completes_short_transfers(void **state)
{
    struct tsfs_io little = *tsfs_io();
    little.pread = little_pread;
    little.pwrite = little_pwrite;
    int fd = tsfs_io()->openat(root, "short", O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    tsfs_io_set(&little);
    char back[11] = "";
    assert_int_equal(tsfs_io_write_all(fd, "0123456789", 10, 5), 0);
    assert_int_equal(tsfs_io_read_all(fd, back, 10, 5), 0);
    assert_string_equal(back, "0123456789");
    assert_int_equal(tsfs_io_read_all(fd, back, 10, 6), -EIO);
    struct tsfs_buf b = {0};
    assert_int_equal(tsfs_io_read_file(root, "short", 100, &b), 0);
    assert_int_equal(b.len, 15);
    assert_memory_equal(b.data + 5, "0123456789", 10);
    tsfs_buf_free(&b);
    tsfs_io_set(NULL);
    assert_int_equal(tsfs_io()->close(fd), 0);
}

static void expect_content(const char *path, const char *content)
{
    struct tsfs_buf b = {0};
    assert_int_equal(tsfs_io_read_file(root, path, 1000, &b), 0);
    assert_int_equal(b.len, strlen(content));
    assert_memory_equal(b.data, content, b.len);
    tsfs_buf_free(&b);
}

static void replaces_whole_or_not(void **state)
{
    assert_int_equal(tsfs_io()->mkdirat(root, "d", 0700), 0);
    assert_int_equal(tsfs_io_replace_file(root, "d/f", "old", 3, 0644), 0);
    expect_content("d/f", "old");
    struct tsfs_io broken = *tsfs_io();
    broken.pwrite = full_pwrite;
    tsfs_io_set(&broken);
    assert_int_equal(tsfs_io_replace_file(root, "d/f", "new", 3, 0644), -ENOSPC);
    tsfs_io_set(NULL);
    broken = *tsfs_io();
    broken.fsync = failing_fsync;
    tsfs_io_set(&broken);
    assert_int_equal(tsfs_io_replace_file(root, "d/f", "new", 3, 0644), -EIO);
    tsfs_io_set(NULL);
    expect_content("d/f", "old");
    assert_int_equal(faccessat(root, "d/f.tmp", F_OK, 0), -1); /* nothing left behind */
    assert_int_equal(tsfs_io_replace_file(root, "d/f", "new", 3, 0644), 0);
    expect_content("d/f", "new");
    assert_int_equal(tsfs_io_replace_file(root, "nowhere/f", "x", 1, 0644), -ENOENT);
}

static void read_file_limits(void **state)
{
    assert_int_equal(tsfs_io_replace_file(root, "ten", "0123456789", 10, 0644), 0);
    struct tsfs_buf b = {0};
    assert_int_equal(tsfs_buf_append(&b, "x", 1), 0);
    assert_int_equal(tsfs_io_read_file(root, "ten", 9, &b), -EFBIG);
    assert_int_equal(b.len, 1);
    assert_int_equal(tsfs_io_read_file(root, "ten", 10, &b), 0);
    assert_int_equal(b.len, 11);
    assert_int_equal(tsfs_io_read_file(root, "absent", 10, &b), -ENOENT);
    /* A file whose size stat does not know. */
    b.len = 0;
    assert_int_equal(tsfs_io_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &b), 0);
    assert_true(b.len > 100);
    assert_int_equal(tsfs_io_read_file(AT_FDCWD, "/proc/self/status", 10, &b), -EFBIG);
    tsfs_buf_free(&b);
}

static int count_and_remove(void *ctx, const char *name)
{
    ++*(int *)ctx;
    char path[300];
    snprintf(path, sizeof(path), "many/%s", name);
    return tsfs_io()->unlinkat(root, path, 0);
}

static int stop_at_once(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return -ECANCELED;
}

static void lists_and_removes(void **state)
{
    assert_int_equal(tsfs_io()->mkdirat(root, "many", 0700), 0);
    for (int i = 0; i < 300; i++) {
        char path[40];
        snprintf(path, sizeof(path), "many/%d", i);
        int fd = tsfs_io()->openat(root, path, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        tsfs_io()->close(fd);
    }
    int n = 0;
    assert_int_equal(tsfs_io_list_dir(root, "many", stop_at_once, &n), -ECANCELED);
    assert_int_equal(n, 1);
    n = 0;
    assert_int_equal(tsfs_io_list_dir(root, "many", count_and_remove, &n), 0);
    assert_int_equal(n, 300);
    n = 0;
    assert_int_equal(tsfs_io_list_dir(root, "many", count_and_remove, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(tsfs_io_list_dir(root, "absent", count_and_remove, &n), -ENOENT);

    assert_int_equal(tsfs_io()->mkdirat(root, "many/a", 0700), 0);
    assert_int_equal(tsfs_io()->mkdirat(root, "many/a/b", 0700), 0);
    assert_int_equal(tsfs_io_replace_file(root, "many/a/b/f", "x", 1, 0600), 0);
    assert_int_equal(tsfs_io_replace_file(root, "outside", "x", 1, 0600), 0);
    assert_int_equal(symlinkat("../outside", root, "many/link"), 0);
    assert_int_equal(symlinkat("..", root, "many/up"), 0);
    assert_int_equal(tsfs_io_remove_tree(root, "many"), 0);
    assert_int_equal(faccessat(root, "many", F_OK, 0), -1);
    expect_content("outside", "x"); /* links are removed, not followed */
    assert_int_equal(tsfs_io_remove_tree(root, "many"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completes_short_transfers),
        cmocka_unit_test(replaces_whole_or_not),
        cmocka_unit_test(read_file_limits),
        cmocka_unit_test(lists_and_removes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
