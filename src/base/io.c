#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define READ_STEP      (64u << 10)
#define TREE_DEPTH_MAX 64

static int os_openat(int dirfd, const char *path, int flags, mode_t mode)
{
    int fd;
    do {
        fd = openat(dirfd, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static int os_close(int fd)
{
    /* After EINTR the descriptor is gone on Linux: never call it twice. */
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

static ssize_t os_pread(int fd, void *buf, size_t n, off_t offset)
{
    ssize_t r = pread(fd, buf, n, offset);
    return r < 0 ? -errno : r;
}

static ssize_t os_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    ssize_t r = pwrite(fd, buf, n, offset);
    return r < 0 ? -errno : r;
}

static int os_fsync(int fd)
{
    return fsync(fd) == 0 ? 0 : -errno;
}

static int os_syncfs(int fd)
{
    return syncfs(fd) == 0 ? 0 : -errno;
}

static int os_fdatasync(int fd)
{
    return fdatasync(fd) == 0 ? 0 : -errno;
}

static int os_ftruncate(int fd, off_t size)
{
    int rc;
    do {
        rc = ftruncate(fd, size);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

static int os_fstat(int fd, struct stat *st)
{
    return fstat(fd, st) == 0 ? 0 : -errno;
}

static int os_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
    return fstatat(dirfd, path, st, flags) == 0 ? 0 : -errno;
}

static int os_mkdirat(int dirfd, const char *path, mode_t mode)
{
    return mkdirat(dirfd, path, mode) == 0 ? 0 : -errno;
}

static int os_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
    return renameat(from_dirfd, from, to_dirfd, to) == 0 ? 0 : -errno;
}

static int os_unlinkat(int dirfd, const char *path, int flags)
{
    return unlinkat(dirfd, path, flags) == 0 ? 0 : -errno;
}

static const struct tsfs_io os_io = {
    .openat = os_openat,
    .close = os_close,
    .pread = os_pread,
    .pwrite = os_pwrite,
    .fsync = os_fsync,
    .fdatasync = os_fdatasync,
    .syncfs = os_syncfs,
    .ftruncate = os_ftruncate,
    .fstat = os_fstat,
    .fstatat = os_fstatat,
    .mkdirat = os_mkdirat,
    .renameat = os_renameat,
    .unlinkat = os_unlinkat,
};

static _Atomic(const struct tsfs_io *) in_force = &os_io;

const struct tsfs_io *tsfs_io(void)
{
    return atomic_load_explicit(&in_force, memory_order_acquire);
}

void tsfs_io_set(const struct tsfs_io *io)
{
    atomic_store_explicit(&in_force, io != NULL ? io : &os_io, memory_order_release);
}

/* Reads n bytes to `to`, or writes those at `from`; the other is NULL. */
static int transfer(int fd, char *to, const char *from, size_t n, off_t offset)
{
    const struct tsfs_io *io = tsfs_io();
    for (size_t done = 0; done < n;) {
        off_t at = offset + (off_t)done;
        ssize_t r = to ? io->pread(fd, to + done, n - done, at) : io->pwrite(fd, from + done, n - done, at);
        if (r == -EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? (int)r : -EIO;
        done += (size_t)r;
    }
    return 0;
}

int tsfs_io_read_all(int fd, void *buf, size_t n, off_t offset)
{
    return transfer(fd, buf, NULL, n, offset);
}

int tsfs_io_write_all(int fd, const void *buf, size_t n, off_t offset)
{
    return transfer(fd, NULL, buf, n, offset);
}

int tsfs_io_sync_dir(int dirfd, const char *path)
{
    const struct tsfs_io *io = tsfs_io();
    int fd = io->openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int rc = io->fsync(fd);
    int closed = io->close(fd);
    return rc != 0 ? rc : closed;
}

int tsfs_io_read_file(int dirfd, const char *path, size_t max, struct tsfs_buf *buf)
{
    const struct tsfs_io *io = tsfs_io();
    size_t before = buf->len;
    int fd = io->openat(dirfd, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    struct stat st;
    int rc = io->fstat(fd, &st);
    if (rc != 0)
        goto out;
    if (st.st_size > 0 && (uintmax_t)st.st_size > max) {
        rc = -EFBIG;
        goto out;
    }
    /* The size is a hint alone: read up to the end, wherever that has moved. */
    size_t step = st.st_size > 0 ? (size_t)st.st_size + 1 : READ_STEP;
    for (;;) {
        size_t got = buf->len - before;
        if (got > max) {
            rc = -EFBIG;
            goto out;
        }
        rc = tsfs_buf_reserve(buf, step);
        if (rc != 0)
            goto out;
        ssize_t r = io->pread(fd, buf->data + buf->len, step, (off_t)got);
        if (r == -EINTR)
            continue;
        if (r < 0) {
            rc = (int)r;
            goto out;
        }
        if (r == 0)
            break;
        buf->len += (size_t)r;
        step = READ_STEP;
    }
out:
    if (rc != 0)
        buf->len = before;
    int closed = io->close(fd);
    return rc != 0 ? rc : closed;
}

int tsfs_io_write_new_file(int dirfd, const char *path, const void *data, size_t n, mode_t mode)
{
    const struct tsfs_io *io = tsfs_io();
    int fd = io->openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return fd;
    int rc = tsfs_io_write_all(fd, data, n, 0);
    if (rc == 0)
        rc = io->fsync(fd);
    int closed = io->close(fd);
    return rc ? rc : closed;
}

int tsfs_io_replace_file(int dirfd, const char *path, const void *data, size_t n, mode_t mode)
{
    const struct tsfs_io *io = tsfs_io();
    size_t len = strlen(path);
    char *temporary = malloc(len + sizeof(".tmp")), *dir = malloc(len + sizeof("."));
    int fd = -1, rc = -ENOMEM;
    bool made = false;
    if (temporary == NULL || dir == NULL)
        goto out;
    memcpy(temporary, path, len);
    memcpy(temporary + len, ".tmp", sizeof(".tmp"));
    const char *slash = strrchr(path, '/');
    size_t dir_len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(dir, slash == NULL ? "." : path, dir_len);
    dir[dir_len] = '\0';

    fd = io->openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        rc = fd;
        goto out;
    }
    made = true;
    rc = tsfs_io_write_all(fd, data, n, 0);
    if (rc == 0)
        rc = io->fsync(fd);
    int closed = io->close(fd);
    if (rc == 0)
        rc = closed;
    if (rc == 0)
        rc = io->renameat(dirfd, temporary, dirfd, path);
    if (rc != 0)
        goto out;
    made = false;
    rc = tsfs_io_sync_dir(dirfd, dir);
out:
    if (made)
        (void)io->unlinkat(dirfd, temporary, 0);
    free(temporary);
    free(dir);
    return rc;
}

/* The names of a directory one after another, each with its NUL: all are read before the first is
 * handed out, so that removals cannot disturb the walk. */
static int read_names(int dirfd, const char *path, struct tsfs_buf *names)
{
    const struct tsfs_io *io = tsfs_io();
    int fd = io->openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int rc = 0;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* closedir closes its descriptor itself, past the table */
    DIR *dir = own < 0 ? NULL : fdopendir(own);
    if (dir == NULL) {
        rc = -errno;
        if (own >= 0)
            close(own);
        goto out;
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(dir);
        if (e == NULL) {
            rc = -errno;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        rc = tsfs_buf_append(names, e->d_name, strlen(e->d_name) + 1);
        if (rc != 0)
            break;
    }
    closedir(dir);
out:;
    int closed = io->close(fd);
    return rc != 0 ? rc : closed;
}

int tsfs_io_list_dir(int dirfd, const char *path, int (*each)(void *ctx, const char *name), void *ctx)
{
    struct tsfs_buf names = {0};
    int rc = read_names(dirfd, path, &names);
    for (size_t at = 0; rc == 0 && at < names.len; at += strlen(names.data + at) + 1)
        rc = each(ctx, names.data + at);
    tsfs_buf_free(&names);
    return rc;
}

static int remove_tree(int dirfd, const char *path, unsigned depth);

struct removal {
    int dirfd;
    unsigned depth;
};

static int remove_entry(void *ctx, const char *name)
{
    const struct removal *r = ctx;
    return remove_tree(r->dirfd, name, r->depth);
}

static int remove_tree(int dirfd, const char *path, unsigned depth)
{
    const struct tsfs_io *io = tsfs_io();
    if (depth > TREE_DEPTH_MAX)
        return -ELOOP;
    struct stat st;
    int rc = io->fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    if (!S_ISDIR(st.st_mode)) {
        rc = io->unlinkat(dirfd, path, 0);
        return rc == -ENOENT ? 0 : rc;
    }
    int fd = io->openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    struct removal r = {fd, depth + 1};
    rc = tsfs_io_list_dir(fd, ".", remove_entry, &r);
    int closed = io->close(fd);
    if (rc == 0)
        rc = closed;
    if (rc == 0)
        rc = io->unlinkat(dirfd, path, AT_REMOVEDIR);
    return rc == -ENOENT ? 0 : rc;
}

int tsfs_io_remove_tree(int dirfd, const char *path)
{
    return remove_tree(dirfd, path, 0);
}
