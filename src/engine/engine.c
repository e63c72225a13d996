/* Opening and closing DATA. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/engine_priv.h"
#include "exec/function.h"
#include "hot/reserve.h"

/* The first line of DATA/.format: what wrote the folder. */
#define FORMAT_TEXT "tsfs 1\n"

#define LOCK_PATIENCE_NS (3 * TSFS_NS_PER_S)

static int note_any(void *ctx, const char *name)
{
    bool *any = ctx;
    if (strcmp(name, "lost+found") != 0 && strcmp(name, ".lock") != 0)
        *any = true;
    return 0;
}

/* An empty folder becomes a tsfs one; one that is neither is refused. */
static int check_format(struct tsfs_engine *e, struct tsfs_error *err)
{
    struct tsfs_buf text = {0};
    bool any = false;
    int rc = tsfs_io_read_file(e->data_fd, ".format", 4096, &text);
    if (rc == 0 &&
        (text.len < sizeof(FORMAT_TEXT) - 1 || memcmp(text.data, FORMAT_TEXT, sizeof(FORMAT_TEXT) - 1) != 0))
        rc = tsfs_error_set(err, -EINVAL, "%s was written by another version of tsfs", e->options.data);
    tsfs_buf_free(&text);
    if (rc != -ENOENT)
        return rc;
    rc = tsfs_io_list_dir(e->data_fd, ".", note_any, &any);
    if (rc < 0)
        return rc;
    if (any)
        return tsfs_error_set(err, -EINVAL, "%s is not empty and not a tsfs data folder", e->options.data);
    if (e->options.read_only)
        return tsfs_error_set(err, -EINVAL, "%s is empty: there is nothing to mount read-only",
                              e->options.data);
    return tsfs_io_replace_file(e->data_fd, ".format", FORMAT_TEXT, sizeof(FORMAT_TEXT) - 1, 0644);
}

static int lock_data(struct tsfs_engine *e, struct tsfs_error *err)
{
    e->lock_fd = tsfs_io()->openat(e->data_fd, ".lock",
                                   (e->options.read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600);
    if (e->lock_fd == -ENOENT && e->options.read_only)
        return tsfs_error_set(err, -EINVAL, "%s is not a tsfs data folder", e->options.data);
    if (e->lock_fd < 0)
        return tsfs_error_set(err, e->lock_fd, "cannot open %s/.lock: %s%s", e->options.data,
                              strerror(-e->lock_fd),
                              e->lock_fd == -EROFS ? " (-o ro mounts it to be read)" : "");
    /* A daemon that was just unmounted or killed may need a moment to end: its files are synced after umount
     * has returned. */
    const struct timespec moment = {0, 20 * TSFS_NS_PER_MS};
    int64_t until = tsfs_time_monotonic() + LOCK_PATIENCE_NS;
    int rc;
    do {
        rc = flock(e->lock_fd, (e->options.read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 ? 0 : -errno;
    } while (rc == -EWOULDBLOCK && tsfs_time_monotonic() < until && nanosleep(&moment, NULL) == 0);
    if (rc == 0)
        return 0;
    if (rc == -EWOULDBLOCK)
        return tsfs_error_set(err, -EBUSY, "%s is in use by another tsfs", e->options.data);
    return tsfs_error_set(err, rc, "cannot lock %s: %s", e->options.data, strerror(-rc));
}

static int open_data(struct tsfs_engine *e, struct tsfs_error *err)
{
    const struct tsfs_io *io = tsfs_io();
    int rc = e->options.read_only ? 0 : io->mkdirat(AT_FDCWD, e->options.data, 0700);
    if (rc < 0 && rc != -EEXIST)
        return tsfs_error_set(err, rc, "cannot make %s: %s", e->options.data, strerror(-rc));
    e->data_fd = io->openat(AT_FDCWD, e->options.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (e->data_fd < 0)
        return tsfs_error_set(err, e->data_fd, "cannot open %s: %s", e->options.data, strerror(-e->data_fd));
    e->data_path = realpath(e->options.data, NULL);
    if (!e->data_path)
        return -errno;
    rc = lock_data(e, err);
    if (rc == 0)
        rc = check_format(e, err);
    if (rc < 0 || e->options.read_only)
        return rc;
    rc = tsfs_io_remove_tree(e->data_fd, ".tmp"); /* what an earlier daemon left */
    if (rc == 0)
        rc = io->mkdirat(e->data_fd, ".tmp", 0700);
    if (rc == 0)
        e->tmp_fd = rc = io->openat(e->data_fd, ".tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    return rc < 0 ? tsfs_error_set(err, rc, "cannot use %s/.tmp: %s", e->options.data, strerror(-rc)) : 0;
}

static uint64_t quarter_of_ram(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : 1u << 30;
}

static void monotonic_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int tsfs_engine_open(const struct tsfs_engine_options *options, struct tsfs_engine **out,
                     struct tsfs_error *err)
{
    struct tsfs_engine *e = calloc(1, sizeof(*e));
    if (!e)
        return -ENOMEM;
    e->options = *options;
    e->data_fd = e->lock_fd = e->tmp_fd = -1;
    e->next_id = 1;
    e->started = tsfs_time_now();
    e->hot_budget.limit = options->memory ? options->memory : quarter_of_ram();
    tsfs_cold_cache_limit(e->hot_budget.limit / 2);
    pthread_rwlock_init(&e->tree_lock, NULL);
    pthread_mutex_init(&e->jobs_lock, NULL);
    pthread_mutex_init(&e->queries_lock, NULL);
    monotonic_cond(&e->jobs_wake);
    monotonic_cond(&e->jobs_done);
    (void)tsfs_functions(); /* put in order now: a tenth of a millisecond of the first query */
    int rc = open_data(e, err);
    if (rc == 0)
        rc = node_new(e, NULL, "", TSFS_NODE_ROOT, &e->root);
    if (rc == 0) {
        e->root->dirfd = tsfs_io()->openat(e->data_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        rc = e->root->dirfd < 0 ? e->root->dirfd : node_load_tree(e, err);
    }
    if (rc < 0) {
        tsfs_error_set(err, rc, "cannot open %s: %s", options->data, strerror(-rc));
        tsfs_engine_close(e);
        return rc;
    }
    *out = e;
    return 0;
}

int tsfs_engine_start(struct tsfs_engine *e, struct tsfs_error *err)
{
    int rc = tsfs_pool_create(e->options.threads, &e->pool);
    if (rc == 0)
        rc = jobs_start(e);
    if (rc == 0 && !e->options.read_only) {
        rc = tsfs_hot_reserve_start();
        e->reserves = rc == 0;
    }
    return rc < 0 ? tsfs_error_set(err, rc, "cannot start threads: %s", strerror(-rc)) : 0;
}

static void save_reports(struct tsfs_node *node)
{
    int rc = node->engine->options.read_only || node->dirfd < 0 ? 0 : node_save_reports(node);
    if (rc < 0)
        tsfs_log(TSFS_LOG_WARNING, "the errors of %s could not be kept: %s",
                 node->name[0] ? node->name : "the root", strerror(-rc));
}

int tsfs_engine_close(struct tsfs_engine *e)
{
    int rc = 0;
    if (!e)
        return 0;
    jobs_stop(e);
    tsfs_pool_free(e->pool);
    if (e->root) {
        struct tsfs_node **tables;
        unsigned n;
        if (engine_tables(e, &tables, &n) == 0) {
            for (unsigned i = 0; i < n; i++) {
                int one = e->options.read_only ? 0 : table_sync(tables[i]);
                if (one < 0) {
                    tsfs_log(TSFS_LOG_ERROR, "%s.%s: the log could not be written to disk: %s",
                             tables[i]->parent->name, tables[i]->name, strerror(-one));
                    rc = one;
                }
                save_reports(tables[i]);
                tsfs_node_unref(tables[i]);
            }
            free(tables);
        }
        for (unsigned i = 0; i < e->root->nchildren; i++) {
            struct tsfs_node *database = e->root->children[i];
            save_reports(database);
            for (unsigned j = 0; j < database->nchildren; j++)
                tsfs_node_unref(database->children[j]);
            database->nchildren = 0;
            tsfs_node_unref(database);
        }
        e->root->nchildren = 0;
        save_reports(e->root);
        tsfs_node_unref(e->root);
    }
    if (e->tmp_fd >= 0)
        tsfs_io()->close(e->tmp_fd);
    if (e->data_fd >= 0)
        tsfs_io()->close(e->data_fd);
    if (e->lock_fd >= 0)
        tsfs_io()->close(e->lock_fd); /* last: the lock goes with it */
    if (e->reserves)
        tsfs_hot_reserve_stop();
    free(e->data_path);
    pthread_rwlock_destroy(&e->tree_lock);
    pthread_mutex_destroy(&e->jobs_lock);
    pthread_mutex_destroy(&e->queries_lock);
    pthread_cond_destroy(&e->jobs_wake);
    pthread_cond_destroy(&e->jobs_done);
    free(e);
    return rc;
}

int tsfs_engine_statvfs(struct tsfs_engine *e, struct statvfs *out)
{
    return fstatvfs(e->data_fd, out) == 0 ? 0 : -errno;
}

int tsfs_engine_tmpfile(struct tsfs_engine *e)
{
    if (e->tmp_fd < 0)
        return tsfs_io()->openat(AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC,
                                 0600); /* read-only: not in DATA */
    int fd = tsfs_io()->openat(e->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd != -EOPNOTSUPP && fd != -EISDIR)
        return fd;
    char name[32]; /* a disk that knows no nameless files */
    snprintf(name, sizeof(name), "spool-%llu", (unsigned long long)atomic_fetch_add(&e->next_tmp, 1));
    fd = tsfs_io()->openat(e->tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        tsfs_io()->unlinkat(e->tmp_fd, name, 0);
    return fd;
}
