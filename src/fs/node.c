/* Nodes: what stands behind each inode that the kernel knows.
 *
 * The kernel's node id is a node's address.  Most nodes are shared: they are found again by their st_ino in a
 * hash index, so that the kernel keeps one inode (its page cache, its place as somebody's working folder).
 * `write` and `query*` get a node for each lookup instead: the kernel lets one writer at a time into an
 * inode, and here every one of them has his own.  (A thread that finds the newest of them, its own of a
 * moment ago and closed again, takes it once more: that halves the lookups of `echo >>` in a loop.)  The
 * rendered text files lie between: shared until somebody has one open, because fstat(2) arrives here without
 * its handle, and only an inode of its own can give each open file the size of its own snapshot.  All nodes
 * of one file show one st_ino; the kernel tells them apart by node id.
 *
 * A node goes when the kernel has forgotten all its lookups and no handle holds it.  One lock guards
 * the index and the counts; it is never held across a call of the engine or a reply. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs_priv.h"

#define BUCKETS_MIN 256u

/* Number spaces of st_ino beside object id * FS_SLOTS + slot. */
#define INO_SEGMENT (UINT64_C(1) << 60)

#define TIMEOUT_STABLE 60.0 /* names and attributes that change through this mount only */
#define TIMEOUT_SHORT  1.0

int fs_nodes_init(struct fs *fs)
{
    struct fs_nodes *nodes = &fs->nodes;
    nodes->buckets = calloc(BUCKETS_MIN, sizeof(nodes->buckets[0]));
    if (!nodes->buckets)
        return -ENOMEM;
    nodes->mask = BUCKETS_MIN - 1;
    nodes->all.all_prev = nodes->all.all_next = &nodes->all;
    pthread_mutex_init(&nodes->lock, NULL);
    return 0;
}

static size_t bucket_of(const struct fs_nodes *nodes, uint64_t ino)
{
    return (size_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & nodes->mask;
}

static void index_grow(struct fs_nodes *nodes)
{
    size_t n = (nodes->mask + 1) * 2;
    struct fs_node **grown = calloc(n, sizeof(grown[0]));
    if (!grown) /* longer chains, no harm */
        return;
    struct fs_node **old = nodes->buckets;
    size_t old_n = nodes->mask + 1;
    nodes->buckets = grown;
    nodes->mask = n - 1;
    for (size_t i = 0; i < old_n; i++) {
        struct fs_node *node = old[i];
        while (node) {
            struct fs_node *next = node->next;
            size_t b = bucket_of(nodes, node->ino);
            node->next = grown[b];
            grown[b] = node;
            node = next;
        }
    }
    free(old);
}

static void index_add(struct fs_nodes *nodes, struct fs_node *node)
{
    if (nodes->count > nodes->mask)
        index_grow(nodes);
    size_t b = bucket_of(nodes, node->ino);
    node->next = nodes->buckets[b];
    nodes->buckets[b] = node;
    node->indexed = true;
    nodes->count++;
}

static void index_remove(struct fs_nodes *nodes, struct fs_node *node)
{
    if (!node->indexed)
        return;
    struct fs_node **at = &nodes->buckets[bucket_of(nodes, node->ino)];
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    node->indexed = false;
    nodes->count--;
}

static void node_free(struct fs_node *node)
{
    tsfs_node_unref(node->object);
    free(node);
}

void fs_nodes_free(struct fs *fs)
{
    struct fs_nodes *nodes = &fs->nodes;
    if (!nodes->buckets)
        return;
    while (nodes->all.all_next != &nodes->all) {
        struct fs_node *node = nodes->all.all_next;
        nodes->all.all_next = node->all_next;
        node_free(node);
    }
    free(nodes->buckets);
    nodes->buckets = NULL;
    pthread_mutex_destroy(&nodes->lock);
}

/* The kernel's root has number 1, and it is never forgotten. */
struct fs_node *fs_node_of(struct fs *fs, fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? fs->nodes.all.all_next : (struct fs_node *)(uintptr_t)ino;
}

uint64_t fs_ino_of_row(const struct tsfs_node *object, const struct fs_row *row)
{
    if (row->kind == FS_ROOT)
        return FUSE_ROOT_ID;
    return tsfs_node_id(object) * FS_SLOTS + row->slot;
}

uint64_t fs_ino_of_segment(const struct tsfs_cold_file *segment)
{
    return INO_SEGMENT | (segment->inode & (INO_SEGMENT - 1));
}

/* A segment's file in DATA may be replaced under its name, and an inode number of DATA's be used again. */
static bool same_segment(const struct tsfs_cold_file *a, const struct tsfs_cold_file *b)
{
    return a->inode == b->inode && a->xxh3 == b->xxh3 && a->bytes == b->bytes && a->mtime == b->mtime &&
           strcmp(a->name, b->name) == 0;
}

/* Locked.  The node that a lookup may share. */
static struct fs_node *index_find(const struct fs_nodes *nodes, const struct fs_row *row,
                                  const struct tsfs_node *object, uint64_t ino,
                                  const struct tsfs_cold_file *segment)
{
    struct fs_node *node = nodes->buckets[bucket_of(nodes, ino)];
    for (; node; node = node->next)
        if (node->ino == ino && node->row == row && node->object == object &&
            (!segment || same_segment(segment, &node->segment)))
            return node;
    return NULL;
}

/* Locked.  Whether a lookup by that thread may have a node that is there. */
static bool may_share(struct fs_node *node, pid_t thread)
{
    switch (node->row->sharing) {
    case FS_SHARED: return true;
    case FS_SHARED_IDLE: return atomic_load(&node->opens) == 0;
    case FS_OWN: break;
    }
    /* A thread opens one file at a time, so between this lookup and its open nobody else comes in. */
    return thread > 0 && node->thread == thread && atomic_load(&node->opens) == 0;
}

/* Locked.  The node for a lookup, counted; NULL: it needs a new one, and any that was indexed is no longer.
 */
static struct fs_node *take_shared(struct fs_nodes *nodes, const struct fs_row *row,
                                   const struct tsfs_node *object, uint64_t ino,
                                   const struct tsfs_cold_file *segment, pid_t thread)
{
    if (row->kind == FS_SPOOL)
        return NULL;
    struct fs_node *node = index_find(nodes, row, object, ino, segment);
    if (node && !may_share(node, thread)) {
        index_remove(nodes, node); /* its openers keep it */
        node = NULL;
    }
    if (node)
        node->lookups++;
    return node;
}

struct fs_node *fs_node_get(struct fs *fs, const struct fs_row *row, struct tsfs_node *object,
                            const struct tsfs_cold_file *segment, pid_t thread)
{
    struct fs_nodes *nodes = &fs->nodes;
    uint64_t ino = row->kind == FS_SEGMENT ? fs_ino_of_segment(segment) : fs_ino_of_row(object, row);
    pthread_mutex_lock(&nodes->lock);
    struct fs_node *found = take_shared(nodes, row, object, ino, segment, thread);
    pthread_mutex_unlock(&nodes->lock);
    if (found)
        return found;

    struct fs_node *node = calloc(1, sizeof(*node));
    if (!node)
        return NULL;
    node->row = row;
    node->object = tsfs_node_ref(object);
    node->ino = ino;
    node->lookups = 1;
    node->thread = thread;
    atomic_store(&node->open_size, -1);
    if (segment)
        node->segment = *segment;

    pthread_mutex_lock(&nodes->lock);
    found = take_shared(nodes, row, object, ino, segment, thread); /* made meanwhile */
    if (!found) {
        node->generation = ++nodes->generation;
        node->all_prev = nodes->all.all_prev;
        node->all_next = &nodes->all;
        node->all_prev->all_next = node->all_next->all_prev = node;
        index_add(nodes, node);
    }
    pthread_mutex_unlock(&nodes->lock);
    if (found) {
        node_free(node);
        return found;
    }
    return node;
}

struct fs_node *fs_node_find_spool(struct fs *fs, const struct tsfs_node *object, const char *name)
{
    struct fs_nodes *nodes = &fs->nodes;
    uint64_t ino = fs_ino_of_row(object, &fs_row_spool);
    pthread_mutex_lock(&nodes->lock);
    struct fs_node *node = nodes->buckets[bucket_of(nodes, ino)];
    while (node && !(node->row == &fs_row_spool && node->object == object &&
                     !atomic_load(&node->spool_gone) && strcmp(node->segment.name, name) == 0))
        node = node->next;
    if (node)
        node->lookups++;
    pthread_mutex_unlock(&nodes->lock);
    return node;
}

/* Gives up some of the counts; frees the node with the last. */
static void node_drop(struct fs *fs, struct fs_node *node, uint64_t lookups, unsigned holds)
{
    struct fs_nodes *nodes = &fs->nodes;
    pthread_mutex_lock(&nodes->lock);
    node->lookups -= lookups < node->lookups ? lookups : node->lookups;
    node->holds -= holds;
    bool last = node->lookups == 0 && node->holds == 0;
    if (last) {
        index_remove(nodes, node);
        node->all_prev->all_next = node->all_next;
        node->all_next->all_prev = node->all_prev;
    }
    pthread_mutex_unlock(&nodes->lock);
    if (last)
        node_free(node);
}

void fs_node_forget(struct fs *fs, struct fs_node *node, uint64_t lookups)
{
    if (node->row->kind != FS_ROOT)
        node_drop(fs, node, lookups, 0);
}

void fs_node_hold(struct fs *fs, struct fs_node *node)
{
    pthread_mutex_lock(&fs->nodes.lock);
    node->holds++;
    pthread_mutex_unlock(&fs->nodes.lock);
}

void fs_node_release(struct fs *fs, struct fs_node *node)
{
    if (node)
        node_drop(fs, node, 0, 1);
}

/* ---- stat ---- */

/* Files whose text can be had cheaply have its length as their size; what flows has none. */
static int size_of(struct fs_node *node, int64_t *out)
{
    *out = 0;
    switch (node->row->kind) {
    case FS_SEGMENT: *out = (int64_t)node->segment.bytes; return 0;
    case FS_SPOOL: *out = atomic_load(&node->spool_size); return 0;
    case FS_TEXT:
    case FS_STORE: break;
    default: return 0;
    }
    int64_t open_size = atomic_load(&node->open_size);
    if (open_size >= 0) {
        *out = open_size;
        return 0;
    }
    struct tsfs_buf text = {0};
    int r = tsfs_node_render(node->object, node->row->file, &text);
    if (r == 0)
        *out = (int64_t)text.len;
    tsfs_buf_free(&text);
    return r;
}

int fs_node_stat(struct fs_node *node, struct stat *st)
{
    const struct fs_row *row = node->row;
    struct tsfs_attr attr;
    int r = tsfs_node_attr(node->object, row->file, &attr);
    if (r < 0)
        return r;
    int64_t size;
    r = size_of(node, &size);
    if (r < 0)
        return r;

    int64_t mtime = attr.mtime;
    mode_t mode = attr.mode & row->most;
    memset(st, 0, sizeof(*st));
    st->st_ino = node->ino;
    st->st_nlink = tsfs_node_dead(node->object) ? 0 : 1;
    st->st_uid = attr.uid;
    st->st_gid = attr.gid;
    st->st_size = size;
    st->st_blksize = 4096;
    switch (row->kind) {
    case FS_DAEMON: mode = row->most; break;
    case FS_WRITE: st->st_blksize = FS_WRITE_BEST; break; /* cat and dd write in pieces of this size */
    case FS_SEGMENT:
        mode = row->most;
        mtime = node->segment.mtime;
        st->st_blksize = FS_WRITE_MAX;
        break;
    case FS_SPOOL: mode = row->most; break;
    default: break;
    }
    if (row->kind == FS_SEGMENT || row->kind == FS_SPOOL)
        st->st_blocks = (size + 511) / 512;
    st->st_mode = mode | (fs_layout_of(row->kind) ? S_IFDIR : S_IFREG);
    int64_t sec = mtime / 1000000000, ns = mtime % 1000000000;
    if (ns < 0) {
        sec--;
        ns += 1000000000;
    }
    st->st_mtim = st->st_atim = st->st_ctim = (struct timespec){.tv_sec = sec, .tv_nsec = ns};
    return 0;
}

double fs_node_entry_timeout(const struct fs_node *node)
{
    /* Databases and tables come, go and move through this mount, which tells the kernel itself (what a line
     * creates had no entry before, and absence is not cached). */
    return fs_layout_of(node->row->kind) ? TIMEOUT_STABLE : 0;
}

double fs_node_attr_timeout(const struct fs_node *node)
{
    switch (node->row->kind) {
    case FS_SEGMENT: return TIMEOUT_STABLE;
    case FS_WRITE:
    case FS_QUERY: return TIMEOUT_SHORT; /* looked up anew for each open */
    default: return fs_layout_of(node->row->kind) ? TIMEOUT_SHORT : 0;
    }
}
