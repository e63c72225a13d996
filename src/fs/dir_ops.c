/* Reading folders.
 *
 * A handle takes one picture of the folder when it is read from its start (so also after rewinddir(3)) and
 * hands it out in pieces; the offset of an entry is its index + 1.  Sub-folders come with their attributes
 * (readdirplus), because those may be cached; a file's size may not, so it is looked up when it is asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "fs/fs_priv.h"

struct dir_entry {
    size_t name; /* offset in names */
    uint64_t ino;
    mode_t type;
    const struct fs_row *row; /* of a sub-folder; its node is made when it is asked for */
    struct tsfs_node *object; /* owned, of a sub-folder */
};

struct fs_dir_handle {
    pthread_mutex_t lock;
    bool filled;
    struct tsfs_buf names;
    struct dir_entry *entries;
    size_t n, cap;
};

static void entries_clear(struct fs_dir_handle *dir)
{
    for (size_t i = 0; i < dir->n; i++)
        tsfs_node_unref(dir->entries[i].object);
    dir->n = 0;
    dir->names.len = 0;
    dir->filled = false;
}

void fs_dir_free(struct fs_dir_handle *dir)
{
    if (!dir)
        return;
    entries_clear(dir);
    tsfs_buf_free(&dir->names);
    free(dir->entries);
    pthread_mutex_destroy(&dir->lock);
    free(dir);
}

static int entry_add(struct fs_dir_handle *dir, const char *name, uint64_t ino, mode_t type,
                     const struct fs_row *row, struct tsfs_node *object)
{
    if (TSFS_ARRAY_ROOM(dir->entries, dir->n, dir->cap, 32) != 0)
        return -ENOMEM;
    size_t at = dir->names.len;
    int r = tsfs_buf_append(&dir->names, name, strlen(name) + 1);
    if (r < 0)
        return r;
    dir->entries[dir->n++] = (struct dir_entry){
        .name = at,
        .ino = ino,
        .type = type,
        .row = row,
        .object = object ? tsfs_node_ref(object) : NULL,
    };
    return 0;
}

static int add_object(void *ctx, const char *name, struct tsfs_node *child)
{
    const struct fs_row *row = fs_row_of_object(tsfs_node_kind(child));
    return entry_add(ctx, name, fs_ino_of_row(child, row), S_IFDIR, row, child);
}

static int add_segment(void *ctx, const struct tsfs_cold_file *file)
{
    return entry_add(ctx, file->name, fs_ino_of_segment(file), S_IFREG, NULL, NULL);
}

static int fill(struct fs_dir_handle *dir, struct fs_node *node)
{
    const struct fs_layout *layout = fs_layout_of(node->row->kind);
    entries_clear(dir);
    int r = entry_add(dir, ".", node->ino, S_IFDIR, NULL, NULL);
    if (r == 0) /* the kernel knows better which number that is */
        r = entry_add(dir, "..", FUSE_ROOT_ID, S_IFDIR, NULL, NULL);
    dir->filled = r == 0;
    if (r < 0 || tsfs_node_dead(node->object))
        return r;
    for (unsigned i = 0; r == 0 && i < layout->nrows; i++) {
        const struct fs_row *row = &layout->rows[i];
        bool folder = fs_layout_of(row->kind) != NULL;
        r = entry_add(dir, row->name, fs_ino_of_row(node->object, row), folder ? S_IFDIR : S_IFREG,
                      folder ? row : NULL, folder ? node->object : NULL);
    }
    if (r == 0 && layout->holds_objects)
        r = tsfs_node_list(node->object, add_object, dir);
    if (r == 0 && layout->holds_segments)
        r = tsfs_node_cold_list(node->object, add_segment, dir);
    dir->filled = r == 0;
    return r;
}

void fs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = fs_of(req);
    struct fs_node *node = fs_node_of(fs, ino);
    struct fs_handle *handle = fs_handle_new(fs, node, fi->flags);
    if (handle)
        handle->dir = calloc(1, sizeof(*handle->dir));
    if (!handle || !handle->dir) {
        fs_handle_free(fs, handle);
        fuse_reply_err(req, ENOMEM);
        return;
    }
    pthread_mutex_init(&handle->dir->lock, NULL);
    fi->fh = (uintptr_t)handle;
    if (fuse_reply_open(req, fi) != 0)
        fs_handle_free(fs, handle);
}

/* One entry at buf, with the lookup of a sub-folder when plus asks for it.  Returns the bytes it takes; more
 * than room means that it is not there. */
static size_t emit(fuse_req_t req, struct fs_dir_handle *dir, size_t i, char *buf, size_t room, bool plus)
{
    struct fs *fs = fs_of(req);
    const struct dir_entry *entry = &dir->entries[i];
    const char *name = dir->names.data + entry->name;
    struct fuse_entry_param e = {.attr = {.st_ino = entry->ino, .st_mode = entry->type}};
    if (!plus)
        return fuse_add_direntry(req, buf, room, name, &e.attr, (off_t)i + 1);

    struct fs_node *node = NULL;
    if (entry->object && !tsfs_node_dead(entry->object))
        node = fs_node_get(fs, entry->row, entry->object, NULL, 0);
    if (node && fs_entry_fill(node, &e) < 0) {
        fs_node_forget(fs, node, 1);
        node = NULL;
        e = (struct fuse_entry_param){.attr = {.st_ino = entry->ino, .st_mode = entry->type}};
    }
    size_t need = fuse_add_direntry_plus(req, buf, room, name, &e, (off_t)i + 1);
    if (node && need > room)
        fs_node_forget(fs, node, 1);
    return need;
}

static void readdir_reply(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi, bool plus)
{
    struct fs_handle *handle = fs_handle_of(fi);
    struct fs_dir_handle *dir = handle->dir;
    char *buf = fs_scratch();
    if (!buf) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    if (size > FS_WRITE_MAX)
        size = FS_WRITE_MAX;
    int r = 0;
    size_t used = 0;
    pthread_mutex_lock(&dir->lock);
    if (offset == 0 || !dir->filled)
        r = fill(dir, handle->node);
    for (size_t i = (size_t)offset; r == 0 && i < dir->n; i++) {
        size_t need = emit(req, dir, i, buf + used, size - used, plus);
        if (need > size - used)
            break;
        used += need;
    }
    pthread_mutex_unlock(&dir->lock);
    fs_handle_done(handle);
    if (r < 0)
        fuse_reply_err(req, -r);
    else
        fuse_reply_buf(req, buf, used);
}

void fs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    readdir_reply(req, size, offset, fi, false);
}

void fs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    readdir_reply(req, size, offset, fi, true);
}

void fs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    fs_handle_free(fs_of(req), fs_handle_of(fi));
    fuse_reply_err(req, 0);
}
