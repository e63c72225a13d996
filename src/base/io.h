/* The operating system's file calls behind a table: the seam where crash tests put their own.
 *
 * Every call takes what its POSIX namesake takes and returns a result >= 0 or -errno (never -1).
 * Short reads and writes are looped over by the _all helpers below. */
#ifndef TSFS_BASE_IO_H
#define TSFS_BASE_IO_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/error.h"

struct tsfs_io {
    int (*openat)(int dirfd, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *buf, size_t n, off_t offset);
    ssize_t (*pwrite)(int fd, const void *buf, size_t n, off_t offset);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*syncfs)(int fd);
    int (*ftruncate)(int fd, off_t size);
    int (*fstat)(int fd, struct stat *st);
    int (*fstatat)(int dirfd, const char *path, struct stat *st, int flags);
    int (*mkdirat)(int dirfd, const char *path, mode_t mode);
    int (*renameat)(int from_dirfd, const char *from, int to_dirfd, const char *to);
    int (*unlinkat)(int dirfd, const char *path, int flags);
};

/* The table in force; the operating system's unless a test has set another.  Set it before any thread
 * starts; NULL restores the default. */
const struct tsfs_io *tsfs_io(void);
void tsfs_io_set(const struct tsfs_io *io);

/* All n bytes or an error; a read that meets the end of file early is -EIO. */
TSFS_MUST_CHECK int tsfs_io_read_all(int fd, void *buf, size_t n, off_t offset);
TSFS_MUST_CHECK int tsfs_io_write_all(int fd, const void *buf, size_t n, off_t offset);

/* fsyncs the directory path below dirfd ("." for dirfd itself). */
TSFS_MUST_CHECK int tsfs_io_sync_dir(int dirfd, const char *path);

struct tsfs_buf;
/* The whole file appended to buf; -EFBIG over max bytes. */
TSFS_MUST_CHECK int tsfs_io_read_file(int dirfd, const char *path, size_t max, struct tsfs_buf *buf);

/* Makes path, with data, on disk but for its name: for files of a folder that is new itself and is synced,
 * and only then named, when it is complete. */
TSFS_MUST_CHECK int tsfs_io_write_new_file(int dirfd, const char *path, const void *data, size_t n,
                                           mode_t mode);

/* Replaces path by data through a temporary name in the same directory, fsync, rename, fsync of the
 * directory: after a crash either the old or the new content is there. */
TSFS_MUST_CHECK int tsfs_io_replace_file(int dirfd, const char *path, const void *data, size_t n,
                                         mode_t mode);

/* Calls each(ctx, name) for every entry but "." and ".."; stops at its first non-zero return and
 * returns that.  Entries may be removed by the callback. */
TSFS_MUST_CHECK int tsfs_io_list_dir(int dirfd, const char *path, int (*each)(void *ctx, const char *name),
                                     void *ctx);

/* Removes path below dirfd with all it holds; 0 when it is not there. */
TSFS_MUST_CHECK int tsfs_io_remove_tree(int dirfd, const char *path);

#endif
