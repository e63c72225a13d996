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

#include "base/array.h"
#include "base/io.h"
#include "base/time.h"
#include "catalog/schema_file.h"
#include "engine/engine_priv.h"

/* Names that the tree itself uses, by the kind of the parent. */
static const char *const root_names[] = {"query", "query.json", "query.txt", ".tsfs", NULL};
static const char *const database_names[] = {"write",  "query",  "query.json", "query.txt",
                                             "config", "errors", NULL};

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

int node_reserve_child(struct tsfs_node *parent)
{
    return TSFS_ARRAY_ROOM(parent->children, parent->nchildren, parent->children_cap, 16);
}

void node_insert_child(struct tsfs_node *parent, struct tsfs_node *child)
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

static int save_new_schema(int dirfd)
{
    struct tsfs_buf text = {0};
    struct tsfs_schema *schema = NULL;
    int rc = tsfs_schema_create(&schema);
    if (rc == 0)
        rc = tsfs_schema_store(schema, 0, &text);
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

bool node_name_reserved(const struct tsfs_node *parent, const char *name)
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
        rc = node_save_perms(node, &node->perms, true);
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
    if (node_name_reserved(parent, name))
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
    rc = node_perms_set(&node->perms, TSFS_FILE_SELF, mode & 07777, creds->uid, creds->gid);
    if (rc < 0)
        goto out;
    snprintf(tmp, sizeof(tmp), "new-%llu", (unsigned long long)atomic_fetch_add(&engine->next_tmp, 1));
    rc = make_folder(node, tmp);
    if (rc < 0)
        goto out;
    pthread_rwlock_wrlock(&engine->tree_lock);
    child_at(parent, name, &found);
    rc = found ? -EEXIST : parent->dead ? -ENOENT : node_reserve_child(parent);
    if (rc == 0)
        rc = tsfs_io()->renameat(engine->tmp_fd, tmp, parent->dirfd, name);
    if (rc == 0) {
        tmp[0] = '\0';
        node_insert_child(parent, tsfs_node_ref(node));
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
        if (node_name_reserved(database, text))
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
        return node_name_reserved(parent, name) ? -EPERM : rc;
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
    int rc = node_reserve_child(to_parent);
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
    node_insert_child(to_parent, node);
    return 0;
}

int tsfs_node_rename(struct tsfs_node *parent, const char *name, struct tsfs_node *to_parent,
                     const char *to_name, bool no_replace)
{
    struct tsfs_engine *engine = parent->engine;
    struct tsfs_node *target;
    if (node_name_reserved(parent, name))
        return -EPERM;
    if (parent->kind != to_parent->kind)
        return -EPERM; /* a database cannot become a table */
    if (node_name_reserved(to_parent, to_name))
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
