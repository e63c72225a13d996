/* Extended attributes: the facts of a segment, for getfattr and backup tools.  Nothing else has any, and none
 * can be set; only a file that is being copied in takes back the names that its original showed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/fs_priv.h"

#define PREFIX    "user.tsfs."
#define VALUE_MAX 32

static const char *const names[] = {"rows", "series", "time_min", "time_max", "xxh3"};
#define NNAMES (sizeof(names) / sizeof(names[0]))

static int value_of(const struct tsfs_cold_file *file, size_t i, char out[VALUE_MAX])
{
    switch (i) {
    case 0: return snprintf(out, VALUE_MAX, "%" PRIu64, file->rows);
    case 1: return snprintf(out, VALUE_MAX, "%" PRIu64, file->series);
    case 2: return snprintf(out, VALUE_MAX, "%" PRId64, file->t_min);
    case 3: return snprintf(out, VALUE_MAX, "%" PRId64, file->t_max);
    default: return snprintf(out, VALUE_MAX, "%016" PRIx64, file->xxh3);
    }
}

/* size 0 asks how long it is. */
static void reply(fuse_req_t req, const char *value, size_t len, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(req, len);
    else if (size < len)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, len);
}

void fs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct fs_node *node = fs_node_of(fs_of(req), ino);
    if (strncmp(name, "user.", 5) != 0) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    if (node->row->kind == FS_SEGMENT && strncmp(name, PREFIX, strlen(PREFIX)) == 0) {
        for (size_t i = 0; i < NNAMES; i++) {
            if (strcmp(name + strlen(PREFIX), names[i]) == 0) {
                char value[VALUE_MAX];
                int len = value_of(&node->segment, i, value);
                reply(req, value, (size_t)len, size);
                return;
            }
        }
    }
    fuse_reply_err(req, ENODATA);
}

void fs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct fs_node *node = fs_node_of(fs_of(req), ino);
    char list[NNAMES * (sizeof(PREFIX) + 16)];
    size_t len = 0;
    for (size_t i = 0; node->row->kind == FS_SEGMENT && i < NNAMES; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, PREFIX "%s", names[i]) + 1;
    reply(req, list, len, size);
}

void fs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                    int flags)
{
    struct fs_node *node = fs_node_of(fs_of(req), ino);
    bool harmless = node->row->kind == FS_SPOOL && strncmp(name, PREFIX, strlen(PREFIX)) == 0;
    fuse_reply_err(req, harmless ? 0 : EOPNOTSUPP);
}

void fs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    fuse_reply_err(req, EOPNOTSUPP);
}
