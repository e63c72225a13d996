/* Names and attributes: lookup, stat, chmod, mkdir, rmdir, mv, rm.
 *
 * Access is checked by the kernel (the mount always has default_permissions): it knows the caller's ids,
 * groups and capabilities better than anyone.  What it lets root do and the tree does not mean (writing to
 * `stats`, reading `write`) is refused where files are opened. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "fs/fs_priv.h"

/* ---- lookup ---- */

/* The node of a name for that thread, one lookup more. */
static int lookup(struct fs *fs, struct fs_node *parent, const char *name, pid_t thread, struct fs_node **out)
{
    const struct fs_layout *layout = fs_layout_of(parent->row->kind);
    if (!layout)
        return -ENOTDIR;
    if (tsfs_node_dead(parent->object))
        return -ENOENT;
    if (strlen(name) > TSFS_NAME_MAX)
        return -ENAMETOOLONG;

    const struct fs_row *row = fs_row_find(layout, name);
    struct tsfs_node *object = NULL;
    struct tsfs_cold_file segment;
    int r = 0;
    if (row) {
        *out = fs_node_get(fs, row, parent->object, NULL, thread);
    } else if (layout->holds_objects) {
        r = tsfs_node_lookup(parent->object, name, &object);
        if (r < 0)
            return r;
        *out = fs_node_get(fs, fs_row_of_object(tsfs_node_kind(object)), object, NULL, 0);
    } else if (layout->holds_segments) {
        r = tsfs_node_cold_stat(parent->object, name, &segment);
        if (r == -ENOENT) {
            *out = fs_node_find_spool(fs, parent->object, name);
            return *out ? 0 : -ENOENT;
        }
        if (r < 0)
            return r;
        *out = fs_node_get(fs, &fs_row_segment, parent->object, &segment, 0);
    } else {
        return -ENOENT;
    }
    tsfs_node_unref(object);
    return *out ? 0 : -ENOMEM;
}

int fs_entry_fill(struct fs_node *node, struct fuse_entry_param *e)
{
    memset(e, 0, sizeof(*e));
    int r = fs_node_stat(node, &e->attr);
    if (r < 0)
        return r;
    e->ino = (fuse_ino_t)(uintptr_t)node;
    e->generation = node->generation;
    e->attr_timeout = fs_node_attr_timeout(node);
    e->entry_timeout = fs_node_entry_timeout(node);
    return 0;
}

/* Answers with a node that has just been looked up; takes the lookup back when nobody gets it. */
static void reply_entry(fuse_req_t req, struct fs_node *node)
{
    struct fs *fs = fs_of(req);
    struct fuse_entry_param e;
    int r = fs_entry_fill(node, &e);
    if (r < 0) {
        fs_node_forget(fs, node, 1);
        fuse_reply_err(req, -r);
    } else if (fuse_reply_entry(req, &e) != 0) {
        fs_node_forget(fs, node, 1); /* the request was given up: the kernel does not count it */
    }
}

void fs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = fs_of(req);
    struct fs_node *node;
    int r = lookup(fs, fs_node_of(fs, parent), name, fuse_req_ctx(req)->pid, &node);
    if (r < 0)
        fuse_reply_err(req, -r);
    else
        reply_entry(req, node);
}

void fs_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
    struct fs *fs = fs_of(req);
    fs_node_forget(fs, fs_node_of(fs, ino), lookups);
    fuse_reply_none(req);
}

void fs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    struct fs *fs = fs_of(req);
    for (size_t i = 0; i < count; i++)
        fs_node_forget(fs, fs_node_of(fs, forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(req);
}

/* ---- attributes ---- */

void fs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs_node *node = fs_node_of(fs_of(req), ino);
    struct stat st;
    int r = fs_node_stat(node, &st);
    if (r < 0)
        fuse_reply_err(req, -r);
    else
        fuse_reply_attr(req, &st, fs_node_attr_timeout(node));
}

/* chmod and chown: kept for what has permissions of its own; anywhere else only "stay as you are" is fine (cp
 * -p and tar say that), and so is anything about a file that is still being copied in. */
static int change_owner_or_mode(struct fs_node *node, const struct stat *to, int valid)
{
    const struct fs_row *row = node->row;
    if (row->kind == FS_SPOOL)
        return 0;
    struct stat st;
    int r = fs_node_stat(node, &st);
    if (r < 0)
        return r;
    mode_t mode = valid & FUSE_SET_ATTR_MODE ? to->st_mode & 07777 : st.st_mode & 07777;
    uid_t uid = valid & FUSE_SET_ATTR_UID ? to->st_uid : st.st_uid;
    gid_t gid = valid & FUSE_SET_ATTR_GID ? to->st_gid : st.st_gid;
    if (mode == (st.st_mode & 07777) && uid == st.st_uid && gid == st.st_gid)
        return 0;
    if (!row->owned || (mode & 07000))
        return -EPERM;
    struct tsfs_attr attr = {.mode = mode & row->most, .uid = uid, .gid = gid};
    return tsfs_node_set_attr(node->object, row->file, &attr);
}

/* A text that is written as a whole can be emptied first, as `>` and editors do; nothing happens by that. */
static int change_size(struct fs_node *node, off_t size, const struct fuse_file_info *fi)
{
    switch (node->row->kind) {
    case FS_WRITE:
    case FS_QUERY:
    case FS_STORE: return size == 0 ? 0 : -EINVAL;
    case FS_SPOOL: return fi ? fs_spool_truncate(fs_handle_of(fi), size) : -EPERM;
    case FS_TEXT:
    case FS_SEGMENT: return -EPERM;
    default: return -EISDIR;
    }
}

void fs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int valid, struct fuse_file_info *fi)
{
    struct fs_node *node = fs_node_of(fs_of(req), ino);
    int r = 0;
    if (valid & FUSE_SET_ATTR_SIZE)
        r = change_size(node, st->st_size, fi);
    if (r == 0 && (valid & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
        r = change_owner_or_mode(node, st, valid);
    /* Times belong to the content; asking for others is harmless (touch, cp -p) and changes nothing. */
    if (r < 0)
        fuse_reply_err(req, -r);
    else
        fs_op_getattr(req, ino, fi);
}

void fs_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st;
    int r = tsfs_engine_statvfs(fs_of(req)->engine, &st);
    if (r < 0) {
        fuse_reply_err(req, -r);
        return;
    }
    st.f_namemax = TSFS_NAME_MAX;
    fuse_reply_statfs(req, &st);
}

/* ---- mkdir, rmdir, mv, rm ---- */

void fs_op_mkdir(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode)
{
    struct fs *fs = fs_of(req);
    struct fs_node *parent = fs_node_of(fs, parent_ino);
    const struct fs_layout *layout = fs_layout_of(parent->row->kind);
    struct fs_caller caller = {0};
    struct tsfs_node *object = NULL;
    struct fs_node *node = NULL;
    int r = -EPERM;
    if (!layout || !layout->holds_objects)
        goto out;
    r = -EEXIST;
    if (fs_name_reserved(name))
        goto out;
    r = fs_caller_get(req, &caller);
    if (r < 0)
        goto out;
    r = tsfs_node_create(parent->object, name, &caller.creds, mode & 0777, &object);
    if (r < 0)
        goto out;
    node = fs_node_get(fs, fs_row_of_object(tsfs_node_kind(object)), object, NULL, 0);
    if (!node)
        r = -ENOMEM;
out:
    tsfs_node_unref(object);
    fs_caller_free(&caller);
    if (r < 0)
        fuse_reply_err(req, -r);
    else
        reply_entry(req, node);
}

void fs_op_rmdir(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
    struct fs_node *parent = fs_node_of(fs_of(req), parent_ino);
    const struct fs_layout *layout = fs_layout_of(parent->row->kind);
    int r = -EPERM;
    if (layout && layout->holds_objects && !fs_name_reserved(name))
        r = tsfs_node_remove(parent->object, name);
    fuse_reply_err(req, -r);
}

void fs_op_unlink(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
    struct fs *fs = fs_of(req);
    struct fs_node *parent = fs_node_of(fs, parent_ino);
    int r = -EPERM;
    if (parent->row->kind == FS_COLD) {
        r = tsfs_node_cold_remove(parent->object, name);
        struct fs_node *spool = r == -ENOENT ? fs_node_find_spool(fs, parent->object, name) : NULL;
        if (spool) {
            atomic_store(&spool->spool_gone, true);
            fs_node_forget(fs, spool, 1);
            r = 0;
        }
    }
    fuse_reply_err(req, -r);
}

void fs_op_rename(fuse_req_t req, fuse_ino_t parent_ino, const char *name, fuse_ino_t to_parent_ino,
                  const char *to_name, unsigned flags)
{
    struct fs *fs = fs_of(req);
    struct fs_node *parent = fs_node_of(fs, parent_ino), *to_parent = fs_node_of(fs, to_parent_ino);
    const struct fs_layout *from = fs_layout_of(parent->row->kind), *to = fs_layout_of(to_parent->row->kind);
    int r;
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        r = -EINVAL;
    else if (!from || !to || !from->holds_objects || !to->holds_objects || fs_name_reserved(name))
        r = -EPERM; /* files stay where they are */
    else if (parent->row->kind != to_parent->row->kind)
        r = -EPERM; /* a database is no table */
    else if (fs_name_reserved(to_name))
        r = -EEXIST;
    else
        r = tsfs_node_rename(parent->object, name, to_parent->object, to_name, flags & RENAME_NOREPLACE);
    fuse_reply_err(req, -r);
}
