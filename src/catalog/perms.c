#include "catalog/perms.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct tsfs_perm *tsfs_perms_get(const struct tsfs_perms *perms, const char *key)
{
    for (unsigned i = 0; i < perms->n; i++)
        if (strcmp(perms->items[i].key, key) == 0)
            return &perms->items[i];
    return NULL;
}

int tsfs_perms_set(struct tsfs_perms *perms, const char *key, mode_t mode, uid_t uid, gid_t gid)
{
    struct tsfs_perm *p = (struct tsfs_perm *)tsfs_perms_get(perms, key);
    if (!p) {
        if (perms->n == TSFS_PERMS_MAX || strlen(key) >= TSFS_PERMS_KEY_MAX)
            return -E2BIG;
        p = &perms->items[perms->n++];
        strcpy(p->key, key);
    }
    p->mode = mode & 07777;
    p->uid = uid;
    p->gid = gid;
    return 0;
}

int tsfs_perms_render(const struct tsfs_perms *perms, struct tsfs_buf *out)
{
    for (unsigned i = 0; i < perms->n; i++) {
        const struct tsfs_perm *p = &perms->items[i];
        int rc = tsfs_buf_printf(out, "%s %04o %u %u\n", p->key, (unsigned)p->mode, (unsigned)p->uid,
                                 (unsigned)p->gid);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int tsfs_perms_parse(struct tsfs_perms *perms, struct tsfs_str text, struct tsfs_error *err)
{
    uint32_t line = 0;
    perms->n = 0;
    while (text.len) {
        struct tsfs_str one = tsfs_str_cut(&text, '\n');
        char copy[64], key[TSFS_PERMS_KEY_MAX];
        unsigned mode, uid, gid;
        line++;
        if (one.len >= sizeof(copy))
            return tsfs_error_set_at(err, -EINVAL, line, 0, "perms: the line is too long");
        memcpy(copy, one.ptr, one.len);
        copy[one.len] = '\0';
        if (sscanf(copy, "%15s %o %u %u", key, &mode, &uid, &gid) != 4)
            return tsfs_error_set_at(err, -EINVAL, line, 0, "perms: not \"key mode uid gid\"");
        int rc = tsfs_perms_set(perms, key, (mode_t)mode, (uid_t)uid, (gid_t)gid);
        if (rc < 0)
            return tsfs_error_set_at(err, rc, line, 0, "perms: too many entries");
    }
    return 0;
}
