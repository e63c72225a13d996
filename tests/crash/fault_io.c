#include "fault_io.h"
#include "../unit/random.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define PAGE      4096u
#define FILES_MAX 256u
#define FDS_MAX   1024

/* A file: what is on disk if power goes now. */
struct watched {
    char path[PATH_MAX];
    bool entry_synced;
    bool gone; /* unlinked */
    char *synced;
    size_t synced_len;
};

static struct {
    pthread_mutex_t lock;
    struct tsfs_io table;
    const struct tsfs_io *os;
    char root[PATH_MAX];
    uint64_t seed;
    struct watched files[FILES_MAX];
    unsigned nfiles;
    int of_fd[FDS_MAX]; /* index + 1 */
    size_t budget, step;
    int write_error, sync_error, truncate_error;
    unsigned syncs;
} io = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t rnd(uint32_t n)
{
    return (uint32_t)((test_random(&io.seed) >> 20) % n);
}

static bool path_of_fd(int fd, char *out) /* PATH_MAX bytes */
{
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return false;
    memcpy(out, target, (size_t)n);
    out[n] = 0;
    return strncmp(out, io.root, strlen(io.root)) == 0;
}

static void slurp(const char *path, char **data, size_t *len)
{
    FILE *f = fopen(path, "rb");
    free(*data);
    *data = NULL;
    *len = 0;
    if (!f)
        return;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    *data = malloc(n > 0 ? (size_t)n : 1);
    if (!*data || (n > 0 && fread(*data, 1, (size_t)n, f) != (size_t)n))
        abort();
    *len = n > 0 ? (size_t)n : 0;
    fclose(f);
}

static struct watched *watch(const char *path, bool existed)
{
    for (unsigned i = 0; i < io.nfiles; i++)
        if (!io.files[i].gone && strcmp(io.files[i].path, path) == 0)
            return &io.files[i];
    if (io.nfiles == FILES_MAX)
        abort();
    struct watched *w = &io.files[io.nfiles++];
    memset(w, 0, sizeof(*w));
    snprintf(w->path, sizeof(w->path), "%s", path);
    w->entry_synced = existed;
    if (existed)
        slurp(path, &w->synced, &w->synced_len);
    return w;
}

static int fault_openat(int dirfd, const char *path, int flags, mode_t mode)
{
    struct stat st;
    char full[PATH_MAX];
    bool existed = fstatat(dirfd, path, &st, 0) == 0;
    pthread_mutex_lock(&io.lock);
    /* seen before it is truncated by opening */
    int fd = io.os->openat(dirfd, path, flags & ~O_TRUNC, mode);
    if (fd >= 0 && fd < FDS_MAX && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && path_of_fd(fd, full))
        io.of_fd[fd] = (int)(watch(full, existed) - io.files) + 1;
    if (fd >= 0 && (flags & O_TRUNC) && ftruncate(fd, 0) != 0)
        abort();
    pthread_mutex_unlock(&io.lock);
    return fd;
}

static int fault_close(int fd)
{
    pthread_mutex_lock(&io.lock);
    if (fd >= 0 && fd < FDS_MAX)
        io.of_fd[fd] = 0;
    pthread_mutex_unlock(&io.lock);
    return io.os->close(fd);
}

static ssize_t fault_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    pthread_mutex_lock(&io.lock);
    int rc = 0;
    if (io.step && n > io.step)
        n = io.step;
    if (n > io.budget)
        n = io.budget;
    if (n == 0 && io.budget == 0)
        rc = io.write_error;
    else if (io.budget != SIZE_MAX)
        io.budget -= n;
    pthread_mutex_unlock(&io.lock);
    return rc ? rc : io.os->pwrite(fd, buf, n, offset);
}

static int synced(int fd, int (*sync)(int))
{
    char full[PATH_MAX];
    struct stat st;
    int rc;
    pthread_mutex_lock(&io.lock);
    bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    io.syncs += file;
    rc = io.sync_error;
    pthread_mutex_unlock(&io.lock);
    if (rc)
        return rc;
    rc = sync(fd);
    if (rc)
        return rc;
    pthread_mutex_lock(&io.lock);
    if (path_of_fd(fd, full)) {
        size_t len = strlen(full);
        for (unsigned i = 0; i < io.nfiles; i++) {
            struct watched *w = &io.files[i];
            if (w->gone)
                continue;
            if (file && strcmp(w->path, full) == 0)
                slurp(full, &w->synced, &w->synced_len);
            if (!file && strncmp(w->path, full, len) == 0 && w->path[len] == '/' &&
                !strchr(w->path + len + 1, '/'))
                w->entry_synced = true;
        }
    }
    pthread_mutex_unlock(&io.lock);
    return 0;
}

static int fault_fsync(int fd)
{
    return synced(fd, io.os->fsync);
}

static int fault_fdatasync(int fd)
{
    return synced(fd, io.os->fdatasync);
}

/* All there is, files and entries. */
static int fault_syncfs(int fd)
{
    pthread_mutex_lock(&io.lock);
    int rc = io.sync_error;
    io.syncs++;
    pthread_mutex_unlock(&io.lock);
    if (rc)
        return rc;
    rc = io.os->syncfs(fd);
    pthread_mutex_lock(&io.lock);
    for (unsigned i = 0; rc == 0 && i < io.nfiles; i++) {
        struct watched *w = &io.files[i];
        if (!w->gone) {
            slurp(w->path, &w->synced, &w->synced_len);
            w->entry_synced = true;
        }
    }
    pthread_mutex_unlock(&io.lock);
    return rc;
}

static int fault_ftruncate(int fd, off_t size)
{
    return io.truncate_error ? io.truncate_error : io.os->ftruncate(fd, size);
}

static int fault_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
    char a[PATH_MAX] = "", b[PATH_MAX], dir[PATH_MAX];
    struct watched *w = NULL;
    pthread_mutex_lock(&io.lock);
    if (path_of_fd(from_dirfd, dir)) {
        snprintf(a, sizeof(a), "%.2000s/%.2000s", dir, from);
        for (unsigned i = 0; i < io.nfiles; i++)
            if (!io.files[i].gone && strcmp(io.files[i].path, a) == 0)
                w = &io.files[i];
    }
    int rc = io.os->renameat(from_dirfd, from, to_dirfd, to);
    if (rc == 0 && !w && path_of_fd(to_dirfd, dir)) { /* a folder, perhaps, with all that is in it */
        size_t len = strlen(a);
        for (unsigned i = 0; i < io.nfiles; i++) {
            if (io.files[i].gone || strncmp(io.files[i].path, a, len) != 0 || io.files[i].path[len] != '/')
                continue;
            snprintf(b, sizeof(b), "%.1500s/%.500s%.2000s", dir, to, io.files[i].path + len);
            memcpy(io.files[i].path, b, sizeof(b));
        }
    }
    if (rc == 0 && w && path_of_fd(to_dirfd, dir)) {
        snprintf(b, sizeof(b), "%.2000s/%.2000s", dir, to);
        for (unsigned i = 0; i < io.nfiles; i++)
            if (strcmp(io.files[i].path, b) == 0)
                io.files[i].gone = true;
        memcpy(w->path, b, sizeof(b));
        w->entry_synced = true;
    }
    pthread_mutex_unlock(&io.lock);
    return rc;
}

static int fault_unlinkat(int dirfd, const char *path, int flags)
{
    char full[PATH_MAX], dir[PATH_MAX];
    pthread_mutex_lock(&io.lock);
    int rc = io.os->unlinkat(dirfd, path, flags);
    if (rc == 0 && path_of_fd(dirfd, dir)) {
        snprintf(full, sizeof(full), "%.2000s/%.2000s", dir, path);
        for (unsigned i = 0; i < io.nfiles; i++)
            if (strcmp(io.files[i].path, full) == 0)
                io.files[i].gone = true;
    }
    pthread_mutex_unlock(&io.lock);
    return rc;
}

static void reset(void)
{
    for (unsigned i = 0; i < io.nfiles; i++)
        free(io.files[i].synced);
    io.nfiles = 0;
    memset(io.of_fd, 0, sizeof(io.of_fd));
    io.budget = SIZE_MAX;
    io.step = 0;
    io.write_error = io.sync_error = io.truncate_error = 0;
    io.syncs = 0;
}

void fault_io_begin(const char *root, uint64_t seed)
{
    tsfs_io_set(NULL);
    reset();
    if (!realpath(root, io.root))
        abort();
    io.seed = seed ? seed : 1;
    io.os = tsfs_io();
    io.table = *io.os;
    io.table.openat = fault_openat;
    io.table.close = fault_close;
    io.table.pwrite = fault_pwrite;
    io.table.fsync = fault_fsync;
    io.table.fdatasync = fault_fdatasync;
    io.table.syncfs = fault_syncfs;
    io.table.ftruncate = fault_ftruncate;
    io.table.renameat = fault_renameat;
    io.table.unlinkat = fault_unlinkat;
    tsfs_io_set(&io.table);
}

void fault_io_end(void)
{
    tsfs_io_set(NULL);
    reset();
}

void fault_io_limit_writes(size_t bytes, int error)
{
    io.budget = bytes;
    io.write_error = error;
}

void fault_io_short_writes(size_t n)
{
    io.step = n;
}

void fault_io_fail_sync(int error)
{
    io.sync_error = error;
}

void fault_io_fail_truncate(int error)
{
    io.truncate_error = error;
}

unsigned fault_io_syncs(void)
{
    return io.syncs;
}

static void lose(struct watched *w)
{
    char *now = NULL;
    size_t now_len, len;
    if (!w->entry_synced && rnd(2)) {
        unlink(w->path);
        return;
    }
    slurp(w->path, &now, &now_len);
    size_t lo = w->synced_len < now_len ? w->synced_len : now_len;
    size_t hi = w->synced_len < now_len ? now_len : w->synced_len;
    switch (rnd(3)) {
    case 0: len = w->synced_len; break;
    case 1: len = now_len; break;
    default: len = lo + rnd((uint32_t)(hi - lo) + 1); break;
    }
    char *out = calloc(1, hi + 1);
    if (!out)
        abort();
    for (size_t at = 0; at < len; at += PAGE) {
        bool fresh = rnd(3) > 0;
        size_t n = len - at < PAGE ? len - at : PAGE;
        const char *from = fresh ? now : w->synced;
        size_t have = fresh ? now_len : w->synced_len;
        if (have > at)
            memcpy(out + at, from + at, have - at < n ? have - at : n);
    }
    FILE *f = fopen(w->path, "wb");
    if (!f || fwrite(out, 1, len, f) != len || fclose(f) != 0)
        abort();
    free(out);
    slurp(w->path, &w->synced, &w->synced_len);
    w->entry_synced = true;
    free(now);
}

void fault_io_power_loss(void)
{
    pthread_mutex_lock(&io.lock);
    for (unsigned i = 0; i < io.nfiles; i++) {
        if (!io.files[i].gone)
            lose(&io.files[i]);
        free(io.files[i].synced);
    }
    io.nfiles = 0;
    io.budget = SIZE_MAX;
    io.write_error = io.sync_error = io.truncate_error = 0;
    pthread_mutex_unlock(&io.lock);
}
