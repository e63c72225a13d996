/* Owners and modes of a node's files, as chmod and chown set them: a small text file. */
#ifndef TSFS_CATALOG_PERMS_H
#define TSFS_CATALOG_PERMS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

#define TSFS_PERMS_MAX     16
#define TSFS_PERMS_KEY_MAX 16

struct tsfs_perm {
    char key[TSFS_PERMS_KEY_MAX];
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
};

struct tsfs_perms {
    struct tsfs_perm items[TSFS_PERMS_MAX];
    unsigned n;
};

const struct tsfs_perm *tsfs_perms_get(const struct tsfs_perms *perms, const char *key); /* NULL: never set */
TSFS_MUST_CHECK int tsfs_perms_set(struct tsfs_perms *perms, const char *key, mode_t mode, uid_t uid,
                                   gid_t gid);

/* "key mode uid gid" lines, mode in octal. */
TSFS_MUST_CHECK int tsfs_perms_render(const struct tsfs_perms *perms, struct tsfs_buf *out);
TSFS_MUST_CHECK int tsfs_perms_parse(struct tsfs_perms *perms, struct tsfs_str text, struct tsfs_error *err);

#endif
