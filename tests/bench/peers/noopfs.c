/* A file system with one file, `write`, that takes every write and does nothing with it: what FUSE itself
 * costs.
 *
 *   noopfs MOUNT      stays in the foreground until it is unmounted or gets SIGTERM */
#define FUSE_USE_VERSION 34
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_INO 2

static int fill(fuse_ino_t ino, struct stat *st)
{
    if (ino != FUSE_ROOT_ID && ino != FILE_INO)
        return ENOENT;
    *st = (struct stat){.st_ino = ino,
                        .st_mode = ino == FILE_INO ? S_IFREG | 0644 : S_IFDIR | 0755,
                        .st_nlink = ino == FILE_INO ? 1 : 2,
                        .st_uid = getuid(),
                        .st_gid = getgid()};
    return 0;
}

static void noop_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param e = {.ino = FILE_INO, .attr_timeout = 1, .entry_timeout = 1};
    if (parent != FUSE_ROOT_ID || strcmp(name, "write")) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    fill(FILE_INO, &e.attr);
    fuse_reply_entry(req, &e);
}

static void noop_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;
    int error = fill(ino, &st);
    (void)fi;
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_attr(req, &st, 1);
}

static void noop_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
                         struct fuse_file_info *fi)
{
    (void)attr;
    (void)set;
    noop_getattr(req, ino, fi);
}

static void noop_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    if (ino != FILE_INO) {
        fuse_reply_err(req, EISDIR);
        return;
    }
    fi->direct_io = 1;
    fuse_reply_open(req, fi);
}

static void noop_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    (void)ino;
    (void)buf;
    (void)off;
    (void)fi;
    fuse_reply_write(req, size);
}

static void noop_done(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    (void)fi;
    fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
    .lookup = noop_lookup,
    .getattr = noop_getattr,
    .setattr = noop_setattr,
    .open = noop_open,
    .write = noop_write,
    .flush = noop_done,
    .release = noop_done,
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: noopfs MOUNT\n");
        return 2;
    }
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct fuse_loop_config config = {.clone_fd = 0, .max_idle_threads = 10};
    struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
    int rc = 1;
    if (session && !fuse_set_signal_handlers(session)) {
        if (!fuse_session_mount(session, argv[1])) {
            rc = fuse_session_loop_mt(session, &config) ? 1 : 0;
            fuse_session_unmount(session);
        }
        fuse_remove_signal_handlers(session);
    }
    if (session)
        fuse_session_destroy(session);
    fuse_opt_free_args(&args);
    return rc;
}
