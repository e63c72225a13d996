/* `write`: points go in here.
 *
 * While the hot tier is full writers wait until migration has made room, and any number of them may come.  If
 * each held a thread of the mount as it waits, some sixty would stop the mount for everyone.  So a few
 * threads wait for all: a write that would be one more is copied and put aside, its answer outstanding, and
 * who has waited takes those that were put aside, the oldest first.  Whoever has such a file open waits in
 * write(2) meanwhile, so that his lines stay in their order and the handle stays. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs_priv.h"

struct fs_aside {
    struct fs_aside *next;
    fuse_req_t req;
    struct fs_handle *handle;
    size_t size;
    char data[];
};

static void answer(fuse_req_t req, struct fs_handle *handle, ssize_t n)
{
    if (n > 0 && (fs_of(req)->sync || (handle->flags & O_DSYNC))) { /* O_SYNC includes that bit */
        int r = tsfs_writer_sync(handle->writer);
        if (r < 0)
            n = r;
    }
    fs_handle_done(handle);
    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_write(req, (size_t)n);
}

/* Puts a write aside.  False: the caller is one of those that wait. */
static bool put_aside(fuse_req_t req, struct fs_handle *handle, const char *data, size_t size)
{
    struct fs_waiting *waiting = &fs_of(req)->waiting;
    struct fs_aside *aside = NULL;
    pthread_mutex_lock(&waiting->lock);
    if (waiting->threads >= FS_WAITING_MAX && size <= FS_ASIDE_MAX - waiting->bytes)
        aside = malloc(sizeof(*aside) + size);
    if (aside) {
        aside->next = NULL;
        aside->req = req;
        aside->handle = handle;
        aside->size = size;
        memcpy(aside->data, data, size);
        *(waiting->last ? &waiting->last->next : &waiting->first) = aside;
        waiting->last = aside;
        waiting->bytes += size;
    } else {
        waiting->threads++;
    }
    pthread_mutex_unlock(&waiting->lock);
    return aside != NULL;
}

/* The oldest that was put aside, or NULL: then the caller is none of those that wait any more. */
static struct fs_aside *next_aside(struct fs_waiting *waiting)
{
    pthread_mutex_lock(&waiting->lock);
    struct fs_aside *aside = waiting->first;
    if (aside) {
        waiting->first = aside->next;
        if (!waiting->first)
            waiting->last = NULL;
        waiting->bytes -= aside->size;
    } else {
        waiting->threads--;
    }
    pthread_mutex_unlock(&waiting->lock);
    return aside;
}

void fs_points_write(fuse_req_t req, struct fs_handle *handle, const char *data, size_t size,
                     const struct fuse_file_info *fi)
{
    struct fs_waiting *waiting = &fs_of(req)->waiting;
    atomic_store(&handle->wrote, fi->lock_owner);
    bool must_wait;
    ssize_t n = tsfs_writer_write_now(handle->writer, data, size, &must_wait);
    if (!must_wait) {
        answer(req, handle, n);
        return;
    }
    if (put_aside(req, handle, data, size))
        return;
    n = tsfs_writer_write(handle->writer, data, size);
    answer(req, handle, n);
    for (struct fs_aside *aside; (aside = next_aside(waiting)) != NULL; free(aside)) {
        n = tsfs_writer_write(aside->handle->writer, aside->data, aside->size);
        answer(aside->req, aside->handle, n);
    }
}
