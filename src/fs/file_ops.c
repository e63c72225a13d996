/* Open files: what open, read, write, close and fsync mean for each kind.
 *
 * Texts are rendered at open and read from that snapshot.  They go past the page cache (direct_io), because
 * the cache would keep yesterday's; segments never change and stay in it.  Offsets mean something for texts,
 * segments and answers only: whatever is written is a stream (write), a statement (query) or one command
 * (config, ctl), wherever the shell believes its end to be. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "fs/fs_priv.h"

static bool reads(int flags)
{
    return (flags & O_ACCMODE) != O_WRONLY;
}

static bool writes(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY;
}

/* ---- open ---- */

static int open_text(struct fs_handle *handle)
{
    struct fs_node *node = handle->node;
    int r = tsfs_node_render(node->object, node->row->file, &handle->text);
    if (r == 0)
        atomic_store(&node->open_size, (int64_t)handle->text.len);
    return r;
}

static int open_write(fuse_req_t req, struct fs_handle *handle)
{
    struct fs_caller caller;
    int r = fs_caller_get(req, &caller);
    if (r < 0)
        return r;
    r = tsfs_writer_open(handle->node->object, &caller.creds, &handle->writer);
    fs_caller_free(&caller);
    return r;
}

/* What the mode bits say, for those who are above them. */
static int open_allowed(const struct fs_node *node, int flags)
{
    switch (node->row->kind) {
    case FS_WRITE: return reads(flags) ? -EACCES : 0;
    case FS_TEXT:
    case FS_SEGMENT: return writes(flags) ? -EACCES : 0;
    case FS_SPOOL: return -EBUSY; /* its maker alone has it open */
    default: return 0;
    }
}

void fs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = fs_of(req);
    struct fs_node *node = fs_node_of(fs, ino);
    int r = open_allowed(node, fi->flags);
    struct fs_handle *handle = NULL;
    if (r < 0)
        goto fail;
    r = -ENOMEM;
    handle = fs_handle_new(fs, node, fi->flags);
    if (!handle)
        goto fail;
    fi->direct_io = 1;
    fi->noflush =
        node->row->kind != FS_WRITE && node->row->kind != FS_SPOOL; /* close(2) has nothing to say */
    switch (node->row->kind) {
    case FS_WRITE: r = open_write(req, handle); break;
    case FS_QUERY: r = fs_query_open(req, handle); break;
    case FS_TEXT:
    case FS_STORE: r = open_text(handle); break;
    case FS_SEGMENT:
        fi->direct_io = 0;
        fi->keep_cache = 1;
        r = fs_segment_open(handle);
        break;
    default: r = -EISDIR; break;
    }
    if (r < 0)
        goto fail;
    fi->fh = (uintptr_t)handle;
    if (fuse_reply_open(req, fi) != 0)
        fs_handle_free(fs, handle);
    return;
fail:
    fs_handle_free(fs, handle);
    fuse_reply_err(req, -r);
}

/* ---- read ---- */

/* From a copy: the reader may have closed the file, and the snapshot be gone, before a reply returns. */
static void read_text(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset)
{
    char *buf = fs_scratch();
    if (!buf) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    size_t len = handle->text.len;
    size_t at = (uint64_t)offset < len ? (size_t)offset : len;
    size_t n = size < len - at ? size : len - at;
    if (n > FS_WRITE_MAX)
        n = FS_WRITE_MAX;
    if (n)
        memcpy(buf, handle->text.data + at, n);
    fs_handle_done(handle);
    fuse_reply_buf(req, buf, n);
}

static void read_query(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset)
{
    char *buf = fs_scratch();
    if (!buf) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    ssize_t n = fs_query_read(req, handle, buf, size < FS_WRITE_MAX ? size : FS_WRITE_MAX, offset);
    fs_handle_done(handle);
    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_buf(req, buf, (size_t)n);
}

/* Through this thread's buffer: splicing the pages measures no faster. */
static void read_fd(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset)
{
    char *buf = fs_scratch();
    if (!buf) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    ssize_t n = tsfs_io()->pread(handle->fd, buf, size < FS_WRITE_MAX ? size : FS_WRITE_MAX, offset);
    fs_handle_done(handle);
    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_buf(req, buf, (size_t)n);
}

void fs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct fs_handle *handle = fs_handle_of(fi);
    switch (handle->node->row->kind) {
    case FS_TEXT:
    case FS_STORE: read_text(req, handle, size, offset); break;
    case FS_QUERY: read_query(req, handle, size, offset); break;
    case FS_SEGMENT:
    case FS_SPOOL: read_fd(req, handle, size, offset); break;
    default: fuse_reply_err(req, EACCES); break;
    }
}

/* ---- write ---- */

/* One write(2) is one change of config, or one text of commands for ctl. */
static int write_store(fuse_req_t req, struct fs_handle *handle, const char *data, size_t size)
{
    struct fs *fs = fs_of(req);
    struct fs_node *node = handle->node;
    if (size > TSFS_CONFIG_WRITE_MAX)
        return -E2BIG;
    int r = fs_blocking_begin(fs);
    if (r < 0)
        return r;
    r = tsfs_node_store(node->object, node->row->file, data, size, fs_interrupted, req,
                        NULL); /* the reason is in errors */
    fs_blocking_end(fs);
    return r;
}

void fs_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                 struct fuse_file_info *fi)
{
    struct fs_handle *handle = fs_handle_of(fi);
    ssize_t n;
    switch (handle->node->row->kind) {
    case FS_WRITE: fs_points_write(req, handle, data, size, fi); return;
    case FS_QUERY: n = fs_query_write(req, handle, data, size); break;
    case FS_STORE: n = write_store(req, handle, data, size); break;
    case FS_SPOOL: n = fs_spool_write(handle, data, size, offset); break;
    default: n = -EACCES; break;
    }
    if (n == 0)
        n = (ssize_t)size; /* all of it */
    fs_handle_done(handle);
    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_write(req, (size_t)n);
}

/* ---- close, fsync ---- */

/* A child that closes what it inherited, as every command of a shell does at its end, does not end the line
 * that its parent is at. */
static int flush_points(struct fs_handle *handle, const struct fuse_file_info *fi)
{
    return fi->lock_owner == atomic_load(&handle->wrote) ? tsfs_writer_flush(handle->writer) : 0;
}

void fs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs_handle *handle = fs_handle_of(fi);
    int r = 0;
    switch (handle->node->row->kind) {
    case FS_WRITE: r = flush_points(handle, fi); break;
    case FS_SPOOL: r = fs_spool_flush(req, handle); break;
    default: break;
    }
    fs_handle_done(handle);
    fuse_reply_err(req, -r);
}

void fs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct fs_handle *handle = fs_handle_of(fi);
    int r = 0;
    switch (handle->node->row->kind) {
    case FS_WRITE: r = tsfs_writer_sync(handle->writer); break;
    case FS_QUERY: r = writes(handle->flags) ? fs_query_sync(req, handle) : 0; break;
    default: break; /* changes of config are on disk when write(2) returns; attached files at close(2) */
    }
    fs_handle_done(handle);
    fuse_reply_err(req, -r);
}

void fs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    fs_handle_free(fs_of(req), fs_handle_of(fi));
    fuse_reply_err(req, 0);
}
