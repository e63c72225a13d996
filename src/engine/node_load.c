/* The tree at start-up, from the folders below DATA. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/io.h"
#include "base/log.h"
#include "engine/engine_priv.h"

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

static int load_children(struct tsfs_node *parent, struct tsfs_error *err);

static int load_node(struct tsfs_node *node, struct tsfs_error *err)
{
    node->dirfd = tsfs_io()->openat(node->parent->dirfd, node->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int rc = node->dirfd < 0 ? node->dirfd : node_load_meta(node, err);
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
            tsfs_name_check(tsfs_str_from(name), NULL) < 0 || node_name_reserved(parent, name))
            continue; /* not ours */
        rc = node_new(parent->engine, parent, name,
                      parent->kind == TSFS_NODE_ROOT ? TSFS_NODE_DATABASE : TSFS_NODE_TABLE, &node);
        if (rc < 0)
            break;
        rc = node_reserve_child(parent);
        if (rc == 0)
            rc = load_node(node, &why);
        if (rc < 0 && short_of_means(rc)) {
            tsfs_error_set(err, rc, "%s: %s", name, why.message[0] ? why.message : strerror(-rc));
            tsfs_node_unref(node);
            break;
        }
        if (rc < 0)
            rc = set_aside(node, &why);
        node_insert_child(parent, node);
    }
    free_names(&names);
    return rc;
}

int node_load_tree(struct tsfs_engine *engine, struct tsfs_error *err)
{
    int rc = node_load_meta(engine->root, err);
    return rc < 0 ? rc : load_children(engine->root, err);
}

/* ---- what could not be loaded ---- */

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
