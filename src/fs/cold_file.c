/* The files of cold/.
 *
 * A segment is read through a descriptor of its file in DATA: immutable, in the page cache, mmap-able.  If it
 * has been replaced since the kernel looked it up, open says ESTALE, and the kernel looks again by itself.
 *
 * A file that is copied in is spooled to a nameless file on DATA's disk and attached as a whole when it is
 * closed, so that cp, tar and the shell see the engine's verdict.  A shell closes duplicates before the first
 * byte and between two commands: nothing is tried without new bytes, a failed try leaves the spool as it is
 * for the next close, and only success ends it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "fs/fs_priv.h"

int fs_segment_open(struct fs_handle *handle)
{
    struct fs_node *node = handle->node;
    struct tsfs_cold_file now;
    int fd = tsfs_node_cold_open(node->object, node->segment.name, &now);
    if (fd < 0)
        return fd;
    handle->fd = fd;
    if (now.inode != node->segment.inode || now.xxh3 != node->segment.xxh3 ||
        now.bytes != node->segment.bytes)
        return -ESTALE;
    return 0;
}

static int spool_create(struct fs *fs, struct fs_node *parent, const char *name, int flags,
                        struct fs_handle **out)
{
    struct tsfs_cold_file file = {0};
    if (parent->row->kind != FS_COLD)
        return -EPERM;
    if (tsfs_node_dead(parent->object))
        return -ENOENT;
    if (strlen(name) >= sizeof(file.name))
        return -ENAMETOOLONG;
    memcpy(file.name, name, strlen(name) + 1);
    int fd = tsfs_engine_tmpfile(fs->engine);
    if (fd < 0)
        return fd;
    struct fs_node *node = fs_node_get(fs, &fs_row_spool, parent->object, &file, 0);
    struct fs_handle *handle = node ? fs_handle_new(fs, node, flags) : NULL;
    if (!handle) {
        close(fd);
        if (node)
            fs_node_forget(fs, node, 1);
        return -ENOMEM;
    }
    handle->fd = fd;
    pthread_mutex_init(&handle->spool.lock, NULL);
    *out = handle;
    return 0;
}

void fs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    struct fs *fs = fs_of(req);
    struct fs_handle *handle;
    int r = spool_create(fs, fs_node_of(fs, parent), name, fi->flags, &handle);
    if (r < 0) {
        fuse_reply_err(req, -r);
        return;
    }
    struct fs_node *node = handle->node;
    struct fuse_entry_param e;
    r = fs_entry_fill(node, &e);
    fi->fh = (uintptr_t)handle;
    fi->direct_io = 1;
    if (r < 0)
        fuse_reply_err(req, -r);
    else
        r = fuse_reply_create(req, &e, fi);
    if (r != 0) {
        fs_handle_free(fs, handle);
        fs_node_forget(fs, node, 1);
    }
}

/* What begins otherwise is no Parquet file, and a shell that never looks at close(2) should hear of it. */
static bool magic_ok(const char *data, size_t size, off_t offset)
{
    static const char magic[4] = "PAR1";
    for (size_t i = 0; i < size && offset + (off_t)i < (off_t)sizeof(magic); i++)
        if (data[i] != magic[offset + (off_t)i])
            return false;
    return true;
}

int fs_spool_write(struct fs_handle *handle, const char *data, size_t size, off_t offset)
{
    struct fs_node *node = handle->node;
    if (!magic_ok(data, size, offset))
        return -EINVAL;
    pthread_mutex_lock(&handle->spool.lock);
    int r = -EPERM; /* attached: a segment by now */
    if (!atomic_load(&node->spool_gone)) {
        r = tsfs_io_write_all(handle->fd, data, size, offset);
        int64_t end = offset + (int64_t)size;
        if (r == 0 && end > atomic_load(&node->spool_size))
            atomic_store(&node->spool_size, end);
        handle->spool.dirty = true;
    }
    pthread_mutex_unlock(&handle->spool.lock);
    return r;
}

int fs_spool_truncate(struct fs_handle *handle, off_t size)
{
    struct fs_node *node = handle->node;
    pthread_mutex_lock(&handle->spool.lock);
    int r = -EPERM;
    if (!atomic_load(&node->spool_gone)) {
        r = tsfs_io()->ftruncate(handle->fd, size);
        if (r >= 0) {
            r = 0;
            atomic_store(&node->spool_size, size);
            handle->spool.dirty = size > 0;
        }
    }
    pthread_mutex_unlock(&handle->spool.lock);
    return r;
}

int fs_spool_flush(fuse_req_t req, struct fs_handle *handle)
{
    struct fs *fs = fs_of(req);
    struct fs_node *node = handle->node;
    pthread_mutex_lock(&handle->spool.lock);
    int r = handle->spool.error;
    if (handle->spool.dirty && !atomic_load(&node->spool_gone)) {
        r = fs_blocking_begin(fs);
        if (r == 0) {
            r = tsfs_node_cold_attach(node->object, node->segment.name, handle->fd,
                                      NULL); /* errors has why */
            fs_blocking_end(fs);
            handle->spool.dirty = false;
            handle->spool.error = r;
            if (r == 0)
                atomic_store(&node->spool_gone, true);
        }
    }
    pthread_mutex_unlock(&handle->spool.lock);
    return r;
}

void fs_cold_close(struct fs_handle *handle)
{
    if (handle->node->row->kind == FS_SPOOL) {
        atomic_store(&handle->node->spool_gone, true);
        pthread_mutex_destroy(&handle->spool.lock);
    }
    if (handle->fd >= 0)
        close(handle->fd);
}
