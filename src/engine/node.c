/* The tree of databases and tables, as folders below DATA:
 *
 *     DATA/.format .lock .tmp/ .perms .errors    the daemon's own; a leading dot is never a database
 *     DATA/<database>/.conf .perms .errors       settings, owners and modes, reports
 *     DATA/<database>/<table>/table.conf schema perms errors rejected <partitions>
 *
 * A folder appears under its name whole: it is made in .tmp, synced, and renamed into place; it goes the
 * same way back.  What is in memory under tree_lock mirrors the folders. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "base/utf8.h"
#include "catalog/schema_file.h"
#include "engine/engine_priv.h"

static const char *const perm_keys[TSFS_FILE_COUNT] = {
    [TSFS_FILE_SELF] = "self",       [TSFS_FILE_WRITE] = "write",       [TSFS_FILE_QUERY] = "query",
    [TSFS_FILE_CONFIG] = "config",   [TSFS_FILE_SCHEMA] = "schema",     [TSFS_FILE_STATS] = "stats",
    [TSFS_FILE_ERRORS] = "errors",   [TSFS_FILE_REJECTED] = "rejected", [TSFS_FILE_CTL] = "ctl",
    [TSFS_FILE_COLD] = "cold",       [TSFS_FILE_STATUS] = "status",     [TSFS_FILE_METRICS] = "metrics",
    [TSFS_FILE_VERSION] = "version",
};

/* Names that the tree itself uses, by the kind of the parent. */
static const char *const root_names[] = {"query", "query.json", "query.txt", ".tsfs", NULL};
static const char *const database_names[] = {"write",  "query",  "query.json", "query.txt",
                                             "config", "errors", NULL};

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

/* ---- lifetime ---- */

int node_new(struct tsfs_engine *engine, struct tsfs_node *parent, const char *name, enum tsfs_node_kind kind,
             struct tsfs_node **out)
{
    struct tsfs_node *node = calloc(1, sizeof(*node));
    if (!node)
        return -ENOMEM;
    node->refs = 1;
    node->kind = kind;
    node->id = atomic_fetch_add(&engine->next_id, 1);
    node->engine = engine;
    node->parent = parent ? tsfs_node_ref(parent) : NULL;
    snprintf(node->name, sizeof(node->name), "%s", name);
    node->dirfd = -1;
    node->mtime = node->config_mtime = tsfs_time_now();
    pthread_mutex_init(&node->meta_lock, NULL);
    tsfs_settings_default(&node->settings);
    ring_init(&node->errors, TSFS_ERRORS_BYTES);
    ring_init(&node->rejected, TSFS_REJECTED_BYTES);
    *out = node;
    return 0;
}

struct tsfs_node *tsfs_node_ref(struct tsfs_node *node)
{
    atomic_fetch_add(&node->refs, 1);
    return node;
}

void tsfs_node_unref(struct tsfs_node *node)
{
    while (node && atomic_fetch_sub(&node->refs, 1) == 1) {
        struct tsfs_node *parent = node->parent;
        table_free(node->table);
        if (node->dirfd >= 0)
            tsfs_io()->close(node->dirfd);
        ring_free(&node->errors);
        ring_free(&node->rejected);
        pthread_mutex_destroy(&node->meta_lock);
        free(node->damage);
        free(node->children);
        free(node);
        node = parent;
    }
}

enum tsfs_node_kind tsfs_node_kind(const struct tsfs_node *node)
{
    return node->kind;
}

uint64_t tsfs_node_id(const struct tsfs_node *node)
{
    return node->id;
}

bool tsfs_node_dead(const struct tsfs_node *node)
{
    return node->dead;
}

struct tsfs_node *tsfs_engine_root(struct tsfs_engine *engine)
{
    return tsfs_node_ref(engine->root);
}

void node_path(struct tsfs_node *node, char *out, size_t size)
{
    pthread_rwlock_rdlock(&node->engine->tree_lock);
    if (node->kind == TSFS_NODE_TABLE)
        snprintf(out, size, "%s.%s", node->parent->name, node->name);
    else
        snprintf(out, size, "%s", node->name);
    pthread_rwlock_unlock(&node->engine->tree_lock);
}

void node_name(struct tsfs_node *node, char out[TSFS_NAME_MAX + 1])
{
    pthread_rwlock_rdlock(&node->engine->tree_lock);
    memcpy(out, node->name, TSFS_NAME_MAX + 1);
    pthread_rwlock_unlock(&node->engine->tree_lock);
}

struct tsfs_node *node_database(struct tsfs_node *table, char database[TSFS_NAME_MAX + 1],
                                char name[TSFS_NAME_MAX + 1])
{
    pthread_rwlock_rdlock(&table->engine->tree_lock);
    struct tsfs_node *parent = tsfs_node_ref(table->parent);
    if (database)
        memcpy(database, parent->name, TSFS_NAME_MAX + 1);
    if (name)
        memcpy(name, table->name, TSFS_NAME_MAX + 1);
    pthread_rwlock_unlock(&table->engine->tree_lock);
    return parent;
}

/* ---- children ---- */

/* Where name is, or where it would be; *found says which.  Under tree_lock. */
static unsigned child_at(const struct tsfs_node *parent, const char *name, bool *found)
{
    unsigned lo = 0, hi = parent->nchildren;
    *found = false;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        int c = strcmp(parent->children[mid]->name, name);
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int reserve_child(struct tsfs_node *parent)
{
    return TSFS_ARRAY_ROOM(parent->children, parent->nchildren, parent->children_cap, 16);
}

/* Room is reserved.  The array's reference is taken over from the caller. */
static void insert_child(struct tsfs_node *parent, struct tsfs_node *child)
{
    bool found;
    unsigned at = child_at(parent, child->name, &found);
    memmove(parent->children + at + 1, parent->children + at, (parent->nchildren - at) * sizeof(child));
    parent->children[at] = child;
    parent->nchildren++;
    parent->mtime = tsfs_time_now();
}

static void remove_child(struct tsfs_node *parent, unsigned at)
{
    parent->nchildren--;
    memmove(parent->children + at, parent->children + at + 1,
            (parent->nchildren - at) * sizeof(*parent->children));
    parent->mtime = tsfs_time_now();
}

int tsfs_node_lookup(struct tsfs_node *parent, const char *name, struct tsfs_node **out)
{
    bool found;
    pthread_rwlock_rdlock(&parent->engine->tree_lock);
    unsigned at = child_at(parent, name, &found);
    bool damaged = found && parent->children[at]->damage;
    if (found && !damaged)
        *out = tsfs_node_ref(parent->children[at]);
    pthread_rwlock_unlock(&parent->engine->tree_lock);
    return damaged ? -EIO : found ? 0 : -ENOENT;
}

/* The children now, counted references in a malloc'd array. */
static int copy_children(struct tsfs_node *parent, struct tsfs_node ***out, unsigned *n)
{
    pthread_rwlock_rdlock(&parent->engine->tree_lock);
    *n = parent->nchildren;
    *out = malloc((*n + 1) * sizeof(**out));
    for (unsigned i = 0; *out && i < *n; i++)
        (*out)[i] = tsfs_node_ref(parent->children[i]);
    pthread_rwlock_unlock(&parent->engine->tree_lock);
    return *out ? 0 : -ENOMEM;
}

static void release_nodes(struct tsfs_node **nodes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        tsfs_node_unref(nodes[i]);
    free(nodes);
}

int tsfs_node_list(struct tsfs_node *parent,
                   int (*each)(void *ctx, const char *name, struct tsfs_node *child), void *ctx)
{
    struct tsfs_node **nodes;
    unsigned n;
    int rc = copy_children(parent, &nodes, &n);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        char name[TSFS_NAME_MAX + 1];
        pthread_rwlock_rdlock(&parent->engine->tree_lock);
        memcpy(name, nodes[i]->name, sizeof(name));
        pthread_rwlock_unlock(&parent->engine->tree_lock);
        rc = each(ctx, name, nodes[i]);
    }
    release_nodes(nodes, n);
    return rc;
}

int engine_tables(struct tsfs_engine *engine, struct tsfs_node ***out, unsigned *n)
{
    unsigned cap = 0;
    pthread_rwlock_rdlock(&engine->tree_lock);
    for (unsigned i = 0; i < engine->root->nchildren; i++)
        cap += engine->root->children[i]->nchildren;
    *n = 0;
    *out = malloc((cap + 1) * sizeof(**out));
    for (unsigned i = 0; *out && i < engine->root->nchildren; i++) {
        struct tsfs_node *database = engine->root->children[i];
        for (unsigned j = 0; j < database->nchildren; j++)
            if (!database->children[j]->damage)
                (*out)[(*n)++] = tsfs_node_ref(database->children[j]);
    }
    pthread_rwlock_unlock(&engine->tree_lock);
    return *out ? 0 : -ENOMEM;
}

/* ---- making and removing ---- */

typedef int save_file(int dirfd, const char *path, const void *data, size_t n, mode_t mode);

int node_save_settings(const struct tsfs_node *node, const struct tsfs_settings *settings, bool fresh)
{
    struct tsfs_buf text = {0};
    save_file *save = fresh ? tsfs_io_write_new_file : tsfs_io_replace_file;
    int rc = tsfs_settings_render_changed(settings, &text);
    if (rc == 0)
        rc = save(node->dirfd, config_name(node), text.len ? text.data : "", text.len, 0600);
    tsfs_buf_free(&text);
    return rc;
}

static int save_perms_at(int dirfd, const char *path, const struct tsfs_perms *perms, save_file *save)
{
    struct tsfs_buf text = {0};
    int rc = tsfs_perms_render(perms, &text);
    if (rc == 0)
        rc = save(dirfd, path, text.data, text.len, 0600);
    tsfs_buf_free(&text);
    return rc;
}

static int save_new_schema(int dirfd)
{
    struct tsfs_buf text = {0};
    struct tsfs_schema *schema = NULL;
    int rc = tsfs_schema_create(&schema);
    if (rc == 0)
        rc = tsfs_schema_render(schema, 0, &text);
    if (rc == 0)
        rc = tsfs_io_write_new_file(dirfd, "schema", text.data, text.len, 0600);
    tsfs_schema_unref(schema);
    tsfs_buf_free(&text);
    return rc;
}

int engine_trash(struct tsfs_engine *engine, int dirfd, const char *path, char name[32])
{
    snprintf(name, 32, "trash-%llu", (unsigned long long)atomic_fetch_add(&engine->next_tmp, 1));
    return tsfs_io()->renameat(dirfd, path, engine->tmp_fd, name);
}

void engine_empty_trash(struct tsfs_engine *engine, const char *name)
{
    int ignored = tsfs_io_remove_tree(engine->tmp_fd, name); /* what stays is cleared at the next start */
    (void)ignored;
}

static bool reserved(const struct tsfs_node *parent, const char *name)
{
    const char *const *names = parent->kind == TSFS_NODE_ROOT ? root_names : database_names;
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* The folder of a new node under .tmp, complete and synced; node->dirfd is it. */
static int make_folder(struct tsfs_node *node, const char *tmp)
{
    const struct tsfs_io *io = tsfs_io();
    struct tsfs_engine *engine = node->engine;
    int rc = io->mkdirat(engine->tmp_fd, tmp, 0700);
    if (rc < 0)
        return rc;
    node->dirfd = io->openat(engine->tmp_fd, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (node->dirfd < 0)
        return node->dirfd;
    rc = node_save_settings(node, &node->settings, true);
    if (rc == 0)
        rc = save_perms_at(node->dirfd, perms_name(node), &node->perms, tsfs_io_write_new_file);
    if (rc == 0 && node->kind == TSFS_NODE_TABLE)
        rc = save_new_schema(node->dirfd);
    if (rc == 0 && node->kind == TSFS_NODE_TABLE)
        rc = table_create(node, NULL);
    if (rc == 0)
        rc = tsfs_io_sync_dir(node->dirfd, ".");
    return rc;
}

int tsfs_node_create(struct tsfs_node *parent, const char *name, const struct tsfs_creds *creds, mode_t mode,
                     struct tsfs_node **out)
{
    struct tsfs_engine *engine = parent->engine;
    struct tsfs_node *node = NULL;
    char tmp[32] = "";
    bool found;
    if (parent->kind == TSFS_NODE_TABLE)
        return -EPERM;
    if (reserved(parent, name))
        return -EEXIST;
    int rc = tsfs_name_check(tsfs_str_from(name), NULL);
    if (rc < 0)
        return rc;
    if (engine->options.read_only)
        return -EROFS;
    pthread_rwlock_rdlock(&engine->tree_lock);
    child_at(parent, name, &found);
    pthread_rwlock_unlock(&engine->tree_lock);
    if (found)
        return -EEXIST;
    rc = node_new(engine, parent, name, parent->kind == TSFS_NODE_ROOT ? TSFS_NODE_DATABASE : TSFS_NODE_TABLE,
                  &node);
    if (rc < 0)
        return rc;
    node->settings = node_settings(parent);
    rc = tsfs_perms_set(&node->perms, perm_keys[TSFS_FILE_SELF], mode & 07777, creds->uid, creds->gid);
    if (rc < 0)
        goto out;
    snprintf(tmp, sizeof(tmp), "new-%llu", (unsigned long long)atomic_fetch_add(&engine->next_tmp, 1));
    rc = make_folder(node, tmp);
    if (rc < 0)
        goto out;
    pthread_rwlock_wrlock(&engine->tree_lock);
    child_at(parent, name, &found);
    rc = found ? -EEXIST : parent->dead ? -ENOENT : reserve_child(parent);
    if (rc == 0)
        rc = tsfs_io()->renameat(engine->tmp_fd, tmp, parent->dirfd, name);
    if (rc == 0) {
        tmp[0] = '\0';
        insert_child(parent, tsfs_node_ref(node));
    }
    pthread_rwlock_unlock(&engine->tree_lock);
    if (rc == 0)
        rc = tsfs_io_sync_dir(parent->dirfd, ".");
out:
    if (tmp[0]) {
        int ignored = tsfs_io_remove_tree(engine->tmp_fd, tmp); /* cleared at the next start if not now */
        (void)ignored;
    }
    if (rc == 0)
        *out = node;
    else
        tsfs_node_unref(node);
    return rc;
}

int node_make_table(struct tsfs_node *database, struct tsfs_str name, const struct tsfs_creds *creds,
                    struct tsfs_node **out, struct tsfs_error *err)
{
    char text[TSFS_NAME_MAX + 1];
    struct tsfs_attr attr;
    int rc = tsfs_name_check(name, err);
    if (rc < 0) {
        tsfs_error_prefix(err, "the measurement names the table");
        return rc;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    for (int tries = 0; tries < 3; tries++) {
        rc = tsfs_node_lookup(database, text, out);
        if (rc == -EIO)
            return tsfs_error_set(err, rc, "table \"%s\" is damaged: .tsfs/status says how", text);
        if (rc != -ENOENT)
            return rc;
        rc = tsfs_node_attr(database, TSFS_FILE_SELF, &attr);
        if (rc == 0)
            rc = tsfs_node_create(database, text, creds, attr.mode, out);
        if (rc != -EEXIST)
            break;
        if (reserved(database, text))
            return tsfs_error_set(err, -EINVAL, "\"%s\" cannot name a table: it is a file of the database",
                                  text);
    }
    if (rc < 0)
        return tsfs_error_set(err, rc, "cannot make table \"%s\": %s", text, strerror(-rc));
    return 0;
}

int tsfs_node_remove(struct tsfs_node *parent, const char *name)
{
    struct tsfs_engine *engine = parent->engine;
    struct tsfs_node *node;
    bool found;
    int rc = tsfs_node_lookup(parent, name, &node);
    if (rc < 0)
        return reserved(parent, name) ? -EPERM : rc;
    if (engine->options.read_only) {
        tsfs_node_unref(node);
        return -EROFS;
    }
    struct table *t = node->table;
    if (t && !table_empty(t)) {
        tsfs_node_unref(node);
        return -ENOTEMPTY;
    }
    if (t) { /* no writer may add a point, no job may run, from the last look on */
        pthread_mutex_lock(&t->job_lock);
        pthread_mutex_lock(&t->write_lock);
    }
    char trash[32];
    pthread_rwlock_wrlock(&engine->tree_lock);
    unsigned at = child_at(parent, name, &found);
    if (!found || parent->children[at] != node)
        rc = -ENOENT;
    else if (node->nchildren || (t && !table_empty(t)))
        rc = -ENOTEMPTY;
    else
        rc = engine_trash(engine, parent->dirfd, name, trash);
    if (rc == 0) {
        node->dead = true;
        remove_child(parent, at);
    }
    pthread_rwlock_unlock(&engine->tree_lock);
    if (t) {
        pthread_mutex_unlock(&t->write_lock);
        pthread_mutex_unlock(&t->job_lock);
    }
    if (rc == 0) {
        rc = tsfs_io_sync_dir(parent->dirfd, ".");
        engine_empty_trash(engine, trash);
        tsfs_node_unref(node); /* the tree's */
    }
    tsfs_node_unref(node);
    return rc;
}

/* Under tree_lock. */
static int rename_locked(struct tsfs_node *parent, const char *name, struct tsfs_node *to_parent,
                         const char *to_name)
{
    bool found;
    unsigned at = child_at(parent, name, &found);
    if (!found)
        return -ENOENT;
    struct tsfs_node *node = parent->children[at];
    child_at(to_parent, to_name, &found);
    if (found)
        return -EEXIST;
    if (to_parent->dead)
        return -ENOENT;
    int rc = reserve_child(to_parent);
    if (rc == 0)
        rc = tsfs_io()->renameat(parent->dirfd, name, to_parent->dirfd, to_name);
    if (rc < 0)
        return rc;
    remove_child(parent, at);
    snprintf(node->name, sizeof(node->name), "%s", to_name);
    if (node->parent != to_parent) {
        struct tsfs_node *old = node->parent;
        node->parent = tsfs_node_ref(to_parent);
        tsfs_node_unref(old);
    }
    insert_child(to_parent, node);
    return 0;
}

int tsfs_node_rename(struct tsfs_node *parent, const char *name, struct tsfs_node *to_parent,
                     const char *to_name, bool no_replace)
{
    struct tsfs_engine *engine = parent->engine;
    struct tsfs_node *target;
    if (reserved(parent, name))
        return -EPERM;
    if (parent->kind != to_parent->kind)
        return -EPERM; /* a database cannot become a table */
    if (reserved(to_parent, to_name))
        return -EEXIST;
    int rc = tsfs_name_check(tsfs_str_from(to_name), NULL);
    if (rc < 0)
        return rc;
    if (engine->options.read_only)
        return -EROFS;
    if (parent == to_parent && strcmp(name, to_name) == 0)
        return 0;
    rc = tsfs_node_lookup(parent, name, &target);
    if (rc < 0)
        return rc;
    tsfs_node_unref(target);
    if (tsfs_node_lookup(to_parent, to_name, &target) == 0) {
        tsfs_node_unref(target);
        if (no_replace)
            return -EEXIST;
        rc = tsfs_node_remove(to_parent, to_name); /* as rename(2): an empty folder gives way */
        if (rc < 0)
            return rc;
    }
    pthread_rwlock_wrlock(&engine->tree_lock);
    rc = rename_locked(parent, name, to_parent, to_name);
    pthread_rwlock_unlock(&engine->tree_lock);
    if (rc == 0)
        rc = tsfs_io_sync_dir(parent->dirfd, ".");
    if (rc == 0 && parent != to_parent)
        rc = tsfs_io_sync_dir(to_parent->dirfd, ".");
    return rc;
}

/* ---- owners, modes ---- */

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
    int rc = tsfs_perms_set(&next, perm_keys[file], attr->mode, attr->uid, attr->gid);
    if (rc == 0)
        rc = save_perms_at(node->dirfd, perms_name(node), &next, tsfs_io_replace_file);
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

/* ---- start-up ---- */

struct names {
    char **items;
    unsigned n, cap;
};

static int collect_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    if (name[0] == '.')
        return 0;
    if (TSFS_ARRAY_ROOM(names->items, names->n, names->cap, 16) != 0)
        return -ENOMEM;
    names->items[names->n] = strdup(name);
    return names->items[names->n] ? (names->n++, 0) : -ENOMEM;
}

static void free_names(struct names *names)
{
    for (unsigned i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
}

static int load_meta(struct tsfs_node *node, struct tsfs_error *err)
{
    struct tsfs_buf text = {0};
    int rc = tsfs_io_read_file(node->dirfd, config_name(node), 1 << 20, &text);
    if (rc == 0)
        rc = tsfs_settings_parse(&node->settings, tsfs_buf_str(&text), err);
    if (rc == -ENOENT)
        rc = 0; /* a folder made by hand: defaults */
    text.len = 0;
    if (rc == 0)
        rc = tsfs_io_read_file(node->dirfd, perms_name(node), 1 << 20, &text);
    if (rc == 0)
        rc = tsfs_perms_parse(&node->perms, tsfs_buf_str(&text), err);
    if (rc == -ENOENT)
        rc = 0;
    if (rc == 0)
        rc = ring_load(&node->errors, node->dirfd, errors_name(node));
    if (rc == 0 && node->kind == TSFS_NODE_TABLE)
        rc = ring_load(&node->rejected, node->dirfd, "rejected");
    tsfs_buf_free(&text);
    return rc;
}

static int load_children(struct tsfs_node *parent, struct tsfs_error *err);

static int load_node(struct tsfs_node *node, struct tsfs_error *err)
{
    node->dirfd = tsfs_io()->openat(node->parent->dirfd, node->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int rc = node->dirfd < 0 ? node->dirfd : load_meta(node, err);
    if (rc == 0)
        rc = node->kind == TSFS_NODE_TABLE ? table_create(node, err) : load_children(node, err);
    return rc < 0 ? tsfs_error_set(err, rc, "%s", strerror(-rc)) : 0;
}

/* One folder that cannot be read must not take the others with it.  It stays where it is and keeps its name:
 * it is listed, whoever asks for it gets EIO, and nothing else can be put into its place. */
static int set_aside(struct tsfs_node *node, const struct tsfs_error *why)
{
    struct tsfs_node *database = node->kind == TSFS_NODE_TABLE ? node->parent : NULL;
    for (unsigned i = 0; i < node->nchildren; i++)
        tsfs_node_unref(node->children[i]);
    node->nchildren = 0;
    table_free(node->table);
    node->table = NULL;
    node->dead = true;
    node->damage = strdup(why->message);
    tsfs_log(TSFS_LOG_ERROR, "%s%s%s cannot be loaded and is left alone: %s", database ? database->name : "",
             database ? "." : "", node->name, why->message);
    if (database)
        node_report(database, "load", why, tsfs_str_from(node->name));
    return node->damage ? 0 : -ENOMEM;
}

/* Nothing that is wrong with the folder itself. */
static bool short_of_means(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE;
}

static int load_children(struct tsfs_node *parent, struct tsfs_error *err)
{
    struct names names = {0};
    int rc = tsfs_io_list_dir(parent->dirfd, ".", collect_name, &names);
    for (unsigned i = 0; i < names.n && rc == 0; i++) {
        struct stat st;
        struct tsfs_node *node;
        struct tsfs_error why = {0};
        const char *name = names.items[i];
        if (tsfs_io()->fstatat(parent->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
            tsfs_name_check(tsfs_str_from(name), NULL) < 0 || reserved(parent, name))
            continue; /* not ours */
        rc = node_new(parent->engine, parent, name,
                      parent->kind == TSFS_NODE_ROOT ? TSFS_NODE_DATABASE : TSFS_NODE_TABLE, &node);
        if (rc < 0)
            break;
        rc = reserve_child(parent);
        if (rc == 0)
            rc = load_node(node, &why);
        if (rc < 0 && short_of_means(rc)) {
            tsfs_error_set(err, rc, "%s: %s", name, why.message[0] ? why.message : strerror(-rc));
            tsfs_node_unref(node);
            break;
        }
        if (rc < 0)
            rc = set_aside(node, &why);
        insert_child(parent, node);
    }
    free_names(&names);
    return rc;
}

/* One line for each node that was set aside.  Under tree_lock. */
static int render_damaged(const struct tsfs_node *node, const char *database, struct tsfs_buf *out)
{
    int rc = 0;
    if (node->damage)
        rc = tsfs_buf_printf(out, "damaged = %s%s%s\t%s\n", database, database[0] ? "." : "", node->name,
                             node->damage);
    for (unsigned i = 0; i < node->nchildren && rc == 0; i++)
        rc = render_damaged(node->children[i], node->name, out);
    return rc;
}

int node_render_damaged(struct tsfs_engine *engine, struct tsfs_buf *out)
{
    pthread_rwlock_rdlock(&engine->tree_lock);
    int rc = render_damaged(engine->root, "", out);
    pthread_rwlock_unlock(&engine->tree_lock);
    return rc;
}

int node_save_reports(struct tsfs_node *node)
{
    int rc = node->dead ? 0 : ring_save(&node->errors, node->dirfd, errors_name(node));
    if (rc == 0 && !node->dead && node->kind == TSFS_NODE_TABLE)
        rc = ring_save(&node->rejected, node->dirfd, "rejected");
    return rc;
}

int node_load_tree(struct tsfs_engine *engine, struct tsfs_error *err)
{
    int rc = load_meta(engine->root, err);
    return rc < 0 ? rc : load_children(engine->root, err);
}
