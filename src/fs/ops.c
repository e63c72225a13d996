/* The table of operations, and the ones that only say no.
 *
 * What the tree does not mean is refused with EPERM or the errno that POSIX has for it, never by being
 * absent: an absent operation is ENOSYS, which the kernel remembers and hands on.  Four are absent because
 * the kernel then does the right thing by itself: access (the mount has default_permissions), poll (always
 * ready), lseek (SEEK_DATA and SEEK_HOLE go by the size) and copy_file_range (an ordinary copy). */
#include <errno.h>
#include <stdlib.h>

#include "fs/fs_priv.h"

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    /* libfuse's defaults are wanted: asynchronous reads, atomic O_TRUNC, parallel lookups, invalidation by
     * mtime and size.  Not wanted: writeback cache (a write must meet its error), splicing (lines are parsed
     * from memory; segments go through a buffer as fast), kill-priv (no set-id bits exist), POSIX ACLs (mode
     * bits are the access control). */
    conn->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                              FUSE_CAP_SPLICE_MOVE | FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_POSIX_ACL);
    conn->max_write = FS_WRITE_MAX;
    conn->max_background = FS_THREADS_MAX;
    conn->congestion_threshold = FS_THREADS_MAX * 3 / 4;
    conn->time_gran = 1;
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    fuse_reply_err(req, 0); /* mkdir, rmdir and mv are on disk when they return */
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    fuse_reply_err(req, EPERM);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    fuse_reply_err(req, EPERM);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    fuse_reply_err(req, EINVAL);
}

/* Where the answer were EOPNOTSUPP, posix_fallocate(3) would write zeros instead: right for a file that is
 * copied in, not for a stream. */
static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                         struct fuse_file_info *fi)
{
    bool spool = fs_node_of(fs_of(req), ino)->row->kind == FS_SPOOL;
    fuse_reply_err(req, spool ? EOPNOTSUPP : EINVAL);
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
                     unsigned flags, const void *in, size_t in_size, size_t out_size)
{
    fuse_reply_err(req, ENOTTY);
}

static void op_bmap(fuse_req_t req, fuse_ino_t ino, size_t blocksize, uint64_t block)
{
    fuse_reply_err(req, EINVAL);
}

const struct fuse_lowlevel_ops fs_ops = {
    .init = op_init,
    .lookup = fs_op_lookup,
    .forget = fs_op_forget,
    .forget_multi = fs_op_forget_multi,
    .getattr = fs_op_getattr,
    .setattr = fs_op_setattr,
    .readlink = op_readlink,
    .mknod = op_mknod,
    .mkdir = fs_op_mkdir,
    .unlink = fs_op_unlink,
    .rmdir = fs_op_rmdir,
    .symlink = op_symlink,
    .rename = fs_op_rename,
    .link = op_link,
    .open = fs_op_open,
    .read = fs_op_read,
    .write = fs_op_write,
    .flush = fs_op_flush,
    .release = fs_op_release,
    .fsync = fs_op_fsync,
    .opendir = fs_op_opendir,
    .readdir = fs_op_readdir,
    .readdirplus = fs_op_readdirplus,
    .releasedir = fs_op_releasedir,
    .fsyncdir = op_fsyncdir,
    .statfs = fs_op_statfs,
    .setxattr = fs_op_setxattr,
    .getxattr = fs_op_getxattr,
    .listxattr = fs_op_listxattr,
    .removexattr = fs_op_removexattr,
    .create = fs_op_create,
    .bmap = op_bmap,
    .ioctl = op_ioctl,
    .fallocate = op_fallocate,
};

int fs_create(struct tsfs_engine *engine, bool sync, struct fs **out)
{
    struct fs *fs = calloc(1, sizeof(*fs));
    if (!fs)
        return -ENOMEM;
    fs->engine = engine;
    fs->sync = sync;
    fs->handles.prev = fs->handles.next = &fs->handles;
    pthread_mutex_init(&fs->handles_lock, NULL);
    pthread_mutex_init(&fs->sessions_lock, NULL);
    pthread_mutex_init(&fs->waiting.lock, NULL);
    struct tsfs_node *root = tsfs_engine_root(engine);
    int r = fs_nodes_init(fs);
    /* The first node of all, never forgotten: the kernel calls it 1. */
    if (r == 0 && !fs_node_get(fs, fs_row_of_object(TSFS_NODE_ROOT), root, NULL, 0))
        r = -ENOMEM;
    tsfs_node_unref(root);
    if (r < 0) {
        fs_free(fs);
        return r;
    }
    *out = fs;
    return 0;
}

void fs_free(struct fs *fs)
{
    if (!fs)
        return;
    while (fs->handles.next != &fs->handles)
        fs_handle_free(fs, fs->handles.next);
    fs_sessions_free(fs);
    fs_nodes_free(fs);
    pthread_mutex_destroy(&fs->waiting.lock);
    pthread_mutex_destroy(&fs->sessions_lock);
    pthread_mutex_destroy(&fs->handles_lock);
    free(fs);
}
