/* Start-up of a table: what its partition folders hold, put in order, and the logs replayed.
 *
 * In a folder the segment with the highest generation g counts.  Older segments, logs and tombstones up to g
 * and temporary files are what an interrupted migration left behind, and go.  A log with a bad record in its
 * middle is replayed up to there, reported, and its file kept (renamed to *.damaged once its rows are in a
 * segment). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/engine_priv.h"

struct found {
    char name[32];
    bool segment, deletes;
    uint32_t number;
};

struct folder {
    struct found *items;
    unsigned n, cap;
    struct tsfs_node *node;
    const char *path;
    uint32_t newest_segment;
};

/* name = prefix, the number just as we write it, suffix. */
static bool is_numbered(const char *name, const char *prefix, const char *suffix, uint32_t *number)
{
    char own[48];
    size_t at = strlen(prefix);
    if (strncmp(name, prefix, at) != 0)
        return false;
    unsigned long n = strtoul(name + at, NULL, 10);
    if (n == 0 || n >= UINT32_MAX)
        return false;
    snprintf(own, sizeof(own), "%s%06lu%s", prefix, n, suffix);
    *number = (uint32_t)n;
    return strcmp(own, name) == 0;
}

static int note_file(void *ctx, const char *name)
{
    struct folder *f = ctx;
    struct found item = {0};
    if (strlen(name) >= sizeof(item.name))
        return 0;
    if (is_numbered(name, "seg-", ".parquet", &item.number)) {
        item.segment = true;
        if (item.number > f->newest_segment)
            f->newest_segment = item.number;
    } else if (is_numbered(name, "del-", "", &item.number)) {
        item.deletes = true;
    } else if (!is_numbered(name, "wal-", "", &item.number)) {
        size_t len = strlen(name);
        if (len > 4 && strcmp(name + len - 4, ".tmp") == 0 && !f->node->engine->options.read_only) {
            char path[160];
            snprintf(path, sizeof(path), "%s/%s", f->path, name);
            return tsfs_io()->unlinkat(f->node->dirfd, path, 0);
        }
        return 0; /* *.damaged and what people put there */
    }
    strcpy(item.name, name);
    if (TSFS_ARRAY_ROOM(f->items, f->n, f->cap, 8) != 0)
        return -ENOMEM;
    f->items[f->n++] = item;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct found *)a)->number, y = ((const struct found *)b)->number;
    return (x > y) - (x < y);
}

/* A column that a log defines: the schema file has it, or lost it with its tail and gains it again. */
static int define(void *ctx, uint16_t ordinal, const struct tsfs_column *column, struct tsfs_error *err)
{
    struct tsfs_node *node = ctx;
    const struct tsfs_schema *schema = node->table->schema;
    if (ordinal < schema->ncols) {
        const struct tsfs_column *c = &schema->cols[ordinal];
        if (tsfs_str_eq(c->name, column->name) && c->role == column->role && c->type == column->type)
            return 0;
        return tsfs_error_set(err, -EBADMSG, "the log's column %u is not the schema's", ordinal);
    }
    if (ordinal > schema->ncols)
        return tsfs_error_set(err, -EBADMSG, "the log's column %u leaves a gap in the schema", ordinal);
    return table_extend(node, column, 1, err);
}

static const struct tsfs_schema *schema_now(void *ctx)
{
    return ((struct tsfs_node *)ctx)->table->schema;
}

struct replay {
    struct generation *g;
    struct tsfs_hot_recovery recovery;
};

static int apply(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    struct replay *r = ctx;
    return tsfs_hot_replay(r->g->hot, &r->recovery, payload, len, err);
}

static int seal(struct partition *p, struct generation *g)
{
    struct generation **grown = realloc(p->sealed, (p->nsealed + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    p->sealed = grown;
    p->sealed[p->nsealed++] = g;
    return 0;
}

static int load_log(struct tsfs_node *node, struct partition *p, const char *path, uint32_t number, bool last,
                    struct tsfs_error *err)
{
    bool read_only = node->engine->options.read_only;
    struct generation *g;
    struct tsfs_error why = {0};
    uint64_t good = 0, torn = 0;
    char where[2 * TSFS_NAME_MAX + 8];
    int rc = generation_new(node, number, &g);
    if (rc < 0)
        return rc;
    node_path(node, where, sizeof(where));
    struct replay replay = {g, {define, schema_now, node}};
    rc = tsfs_wal_recover(node->dirfd, path, read_only, apply, &replay, &good, &torn, &why);
    if (torn)
        tsfs_log(TSFS_LOG_WARNING,
                 "%s: %s: cut off %llu bytes of a torn last record (never acknowledged as synced)", where,
                 path, (unsigned long long)torn);
    if (rc == -EBADMSG || rc == -EINVAL) {
        tsfs_log(TSFS_LOG_ERROR, "%s: %s: %s; what comes after it is not loaded, the file is kept", where,
                 path, why.message);
        node_report(node, "recovery", &why, tsfs_str_from(path));
        g->damaged = true;
        rc = 0;
    }
    if (rc == 0 && !read_only && !g->damaged)
        rc = tsfs_wal_open(node->dirfd, path, good, &g->wal, err);
    if (rc == 0) {
        if (last && !g->damaged && !read_only && tsfs_wal_takes_more(g->wal))
            p->active = g;
        else
            rc = seal(p, g);
    }
    if (rc < 0) {
        tsfs_error_set(err, rc, "%s", why.message[0] ? why.message : strerror(-rc));
        generation_unref(g);
    } else if (g->wal) {
        tsfs_wal_park(g->wal); /* a killed daemon may leave thousands: the sync thread sees to them */
        node->table->dirty = true;
    }
    return rc;
}

static int load_partition(struct tsfs_node *node, int64_t start, const char *folder, struct tsfs_error *err)
{
    const struct tsfs_io *io = tsfs_io();
    struct folder f = {.node = node, .path = folder};
    struct partition *p = NULL;
    char path[96] = "";
    int rc = tsfs_io_list_dir(node->dirfd, folder, note_file, &f);
    if (rc == 0)
        rc = partition_new(start, node->settings.partition, &p);
    if (rc < 0)
        goto out;
    if (f.n)
        qsort(f.items, f.n, sizeof(*f.items), by_number);
    p->segment_number = f.newest_segment;
    for (unsigned i = 0; i < f.n && rc == 0; i++) {
        const struct found *item = &f.items[i];
        snprintf(path, sizeof(path), "%s/%s", folder, item->name);
        if (item->number < f.newest_segment || (item->number == f.newest_segment && !item->segment)) {
            if (!node->engine->options.read_only)
                rc = io->unlinkat(node->dirfd, path, 0);
        } else if (item->segment) {
            struct tsfs_error why = {0};
            int opened = tsfs_segment_open(node->dirfd, path, &p->segment, &why);
            if (opened < 0) {
                char where[2 * TSFS_NAME_MAX + 8];
                node_path(node, where, sizeof(where));
                tsfs_error_set(&why, opened, "%s", strerror(-opened));
                tsfs_log(TSFS_LOG_ERROR, "%s: %s cannot be read: %s", where, path, why.message);
                node_report(node, "recovery", &why, tsfs_str_from(path));
                struct stat st;
                p->broken = strdup(why.message);
                rc = p->broken ? 0 : -ENOMEM;
                if (rc == 0 && io->fstatat(node->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                    p->broken_facts.bytes = (uint64_t)st.st_size;
                    p->broken_facts.inode = st.st_ino;
                    p->broken_facts.mtime = st.st_mtim.tv_sec * TSFS_NS_PER_S + st.st_mtim.tv_nsec;
                }
            } else {
                tsfs_segment_shed(p->segment);
            }
        } else if (item->deletes) { /* the log before it is sealed: it is not the last */
            rc = partition_load_delete(node, p, path, item->number, err);
        } else {
            rc = load_log(node, p, path, item->number, i + 1 == f.n, err);
        }
    }
    if (rc == 0)
        rc = table_add_partition(node->table, p);
    if (rc == 0)
        p = NULL;
out:
    partition_free(p);
    free(f.items);
    return rc < 0 ? tsfs_error_set(err, rc, "%s: %s", path[0] ? path : folder, strerror(-rc)) : 0;
}

struct load {
    struct tsfs_node *node;
    struct tsfs_error *err;
};

static int load_folder(void *ctx, const char *name)
{
    struct load *load = ctx;
    int64_t start;
    if (tsfs_partition_folder_parse(name, &start) < 0)
        return 0;
    if (load->node->settings.partition == TSFS_PARTITION_AUTO) /* no table.conf, or one that forgot */
        load->node->settings.partition = TSFS_NS_PER_DAY;
    return load_partition(load->node, start, name, load->err);
}

int table_load_partitions(struct tsfs_node *node, struct tsfs_error *err)
{
    struct load load = {node, err};
    return tsfs_io_list_dir(node->dirfd, ".", load_folder, &load);
}
