/* What a node has beside its children and its data, and the files of its folder that hold it: settings
 * (rules of theirs in node_settings.c), owners and modes of its pseudo files, and reports. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/time.h"
#include "base/utf8.h"
#include "engine/engine_priv.h"

static const char *const perm_keys[TSFS_FILE_COUNT] = {
    [TSFS_FILE_SELF] = "self",       [TSFS_FILE_WRITE] = "write",       [TSFS_FILE_QUERY] = "query",
    [TSFS_FILE_CONFIG] = "config",   [TSFS_FILE_SCHEMA] = "schema",     [TSFS_FILE_STATS] = "stats",
    [TSFS_FILE_ERRORS] = "errors",   [TSFS_FILE_REJECTED] = "rejected", [TSFS_FILE_CTL] = "ctl",
    [TSFS_FILE_COLD] = "cold",       [TSFS_FILE_STATUS] = "status",     [TSFS_FILE_METRICS] = "metrics",
    [TSFS_FILE_VERSION] = "version",
};

static const char *config_name(const struct tsfs_node *node)
{
    return node->kind == TSFS_NODE_TABLE ? "table.conf" : ".conf";
}

static const char *perms_name(const struct tsfs_node *node)
{
    return node->kind == TSFS_NODE_TABLE ? "perms" : ".perms";
}

static const char *errors_name(const struct tsfs_node *node)
{
    return node->kind == TSFS_NODE_TABLE ? "errors" : ".errors";
}

/* ---- files ---- */

/* Frees text, whose making came to rc. */
static int save_text(const struct tsfs_node *node, const char *name, struct tsfs_buf *text, int rc,
                     bool fresh)
{
    const char *data = text->len ? text->data : "";
    if (rc == 0)
        rc = fresh ? tsfs_io_write_new_file(node->dirfd, name, data, text->len, 0600)
                   : tsfs_io_replace_file(node->dirfd, name, data, text->len, 0600);
    tsfs_buf_free(text);
    return rc;
}

int node_save_settings(const struct tsfs_node *node, const struct tsfs_settings *settings, bool fresh)
{
    struct tsfs_buf text = {0};
    return save_text(node, config_name(node), &text, tsfs_settings_render_changed(settings, &text), fresh);
}

int node_save_perms(const struct tsfs_node *node, const struct tsfs_perms *perms, bool fresh)
{
    struct tsfs_buf text = {0};
    return save_text(node, perms_name(node), &text, tsfs_perms_render(perms, &text), fresh);
}

/* rc of reading one of its files, in *err by the file's name.  One that is not there is none: a folder made
 * by hand has defaults. */
static int loaded(int rc, const char *name, struct tsfs_error *err)
{
    if (rc == 0 || rc == -ENOENT)
        return 0;
    tsfs_error_set(err, rc, "%s", strerror(-rc));
    tsfs_error_prefix(err, "its file \"%s\"", name);
    return rc;
}

int node_load_meta(struct tsfs_node *node, struct tsfs_error *err)
{
    struct tsfs_buf text = {0};
    int rc = tsfs_io_read_file(node->dirfd, config_name(node), 1 << 20, &text);
    if (rc == 0)
        rc = tsfs_settings_parse(&node->settings, tsfs_buf_str(&text), err);
    rc = loaded(rc, config_name(node), err);
    text.len = 0;
    if (rc == 0) {
        rc = tsfs_io_read_file(node->dirfd, perms_name(node), 1 << 20, &text);
        if (rc == 0)
            rc = tsfs_perms_parse(&node->perms, tsfs_buf_str(&text), err);
        rc = loaded(rc, perms_name(node), err);
    }
    if (rc == 0)
        rc = loaded(ring_load(&node->errors, node->dirfd, errors_name(node)), errors_name(node), err);
    if (rc == 0 && node->kind == TSFS_NODE_TABLE)
        rc = loaded(ring_load(&node->rejected, node->dirfd, "rejected"), "rejected", err);
    tsfs_buf_free(&text);
    return rc;
}

int node_save_reports(struct tsfs_node *node)
{
    int rc = node->dead ? 0 : ring_save(&node->errors, node->dirfd, errors_name(node));
    if (rc == 0 && !node->dead && node->kind == TSFS_NODE_TABLE)
        rc = ring_save(&node->rejected, node->dirfd, "rejected");
    return rc;
}

/* ---- owners, modes ---- */

int node_perms_set(struct tsfs_perms *perms, enum tsfs_file file, mode_t mode, uid_t uid, gid_t gid)
{
    return tsfs_perms_set(perms, perm_keys[file], mode, uid, gid);
}

/* What a file's mode is before anybody has set it: it follows the folder's own. */
static mode_t standard_mode(enum tsfs_file file, mode_t folder)
{
    mode_t readable = folder & 0444;
    switch (file) {
    case TSFS_FILE_SELF: return folder;
    case TSFS_FILE_WRITE: return folder & 0222;
    case TSFS_FILE_QUERY: return readable | readable >> 1;
    case TSFS_FILE_CONFIG: return readable | (folder & 0200);
    case TSFS_FILE_CTL: return folder & 0200;
    case TSFS_FILE_COLD: return folder & 0755;
    default: return readable;
    }
}

int tsfs_node_attr(struct tsfs_node *node, enum tsfs_file file, struct tsfs_attr *out)
{
    pthread_mutex_lock(&node->meta_lock);
    const struct tsfs_perm *self = tsfs_perms_get(&node->perms, perm_keys[TSFS_FILE_SELF]);
    const struct tsfs_perm *own = tsfs_perms_get(&node->perms, perm_keys[file]);
    mode_t folder = self ? self->mode : 0755;
    out->mode = own ? own->mode : standard_mode(file, folder);
    out->uid = own ? own->uid : self ? self->uid : geteuid();
    out->gid = own ? own->gid : self ? self->gid : getegid();
    pthread_mutex_unlock(&node->meta_lock);
    switch (file) {
    case TSFS_FILE_SELF:
    case TSFS_FILE_SCHEMA:
    case TSFS_FILE_COLD: out->mtime = node->mtime; break;
    case TSFS_FILE_CONFIG: out->mtime = node->config_mtime; break;
    case TSFS_FILE_ERRORS: out->mtime = ring_mtime(&node->errors); break;
    case TSFS_FILE_REJECTED: out->mtime = ring_mtime(&node->rejected); break;
    case TSFS_FILE_STATUS:
    case TSFS_FILE_METRICS:
    case TSFS_FILE_STATS: out->mtime = tsfs_time_now(); break;
    default: /* constant, or without content: nothing for tar and rsync to call changed */
        out->mtime = node->engine->started;
        break;
    }
    return 0;
}

int tsfs_node_set_attr(struct tsfs_node *node, enum tsfs_file file, const struct tsfs_attr *attr)
{
    if (node->engine->options.read_only)
        return -EROFS;
    if (node->dead)
        return -ENOENT;
    pthread_mutex_lock(&node->meta_lock);
    struct tsfs_perms next = node->perms;
    int rc = node_perms_set(&next, file, attr->mode, attr->uid, attr->gid);
    if (rc == 0)
        rc = node_save_perms(node, &next, false);
    if (rc == 0)
        node->perms = next;
    pthread_mutex_unlock(&node->meta_lock);
    return rc;
}

int tsfs_attr_check(const struct tsfs_attr *attr, const struct tsfs_creds *creds, int want)
{
    mode_t bits = attr->mode & 07;
    bool in_group = creds->gid == attr->gid;
    if (creds->uid == 0)
        return (want & X_OK) && !(attr->mode & 0111) ? -EACCES : 0;
    for (unsigned i = 0; i < creds->ngroups && !in_group; i++)
        in_group = creds->groups[i] == attr->gid;
    if (creds->uid == attr->uid)
        bits = attr->mode >> 6 & 07;
    else if (in_group)
        bits = attr->mode >> 3 & 07;
    return (bits & (mode_t)want) == (mode_t)want ? 0 : -EACCES;
}

/* ---- reports ---- */

uint64_t node_report(struct tsfs_node *node, const char *what, const struct tsfs_error *err,
                     struct tsfs_str text)
{
    char when[TSFS_TIME_TEXT_MAX], clipped[256], entry[TSFS_ERROR_MESSAGE_MAX + 512], where[64] = "";
    unsigned n = tsfs_time_format(tsfs_time_now(), when);
    size_t shown = text.len < sizeof(clipped) - 1 ? text.len : sizeof(clipped) - 1;
    while (shown && shown < text.len && ((unsigned char)text.ptr[shown] & 0xC0) == 0x80)
        shown--; /* not in the middle of a character */
    /* errors is text, whatever was written */
    for (size_t i = 0; i < shown;) {
        uint32_t cp;
        unsigned bytes = tsfs_utf8_decode((struct tsfs_str){text.ptr + i, shown - i}, &cp);
        if (bytes == 0)
            clipped[i] = '?';
        else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
            memset(clipped + i, ' ', bytes);
        else
            memcpy(clipped + i, text.ptr + i, bytes);
        i += bytes == 0 ? 1 : bytes;
    }
    if (err->line && err->column)
        snprintf(where, sizeof(where), "line %u, column %u: ", err->line, err->column);
    else if (err->line)
        snprintf(where, sizeof(where), "line %u: ", err->line);
    const char *message = err->message[0] ? err->message : strerror(-err->code);
    int len = snprintf(entry, sizeof(entry), "%.*s %s: %s%s%s%.*s", (int)n, when, what, where, message,
                       shown ? " | " : "", (int)shown, clipped);
    if (len < 0)
        len = 0;
    return ring_append(
        &node->errors,
        (struct tsfs_str){entry, (size_t)len < sizeof(entry) ? (size_t)len : sizeof(entry) - 1});
}
