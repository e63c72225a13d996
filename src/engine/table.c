/* One table: its columns, its partitions and their generations.
 *
 * A partition's folder holds at most one segment, seg-<g>.parquet, with everything up to generation g, and
 * the logs of later generations, wal-<h>.  In memory it is the segment, the generation that takes writes and
 * those sealed for migration.
 *
 * Series are kept in an index that generations share, so that a series costs the same in one partition and in
 * ten.  Nothing is taken out of an index.  When generations have gone and most series of the index have no
 * hot rows any more, later generations get a new one, and the old one is freed with the last generation that
 * was made with it: a fleet whose names change every day costs what its hot days hold. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/io.h"
#include "base/time.h"
#include "catalog/schema_file.h"
#include "engine/engine_priv.h"

#define SERIES_WORTH (64u << 10) /* bytes of series that are worth a look whether they are still in use */

struct generation *generation_ref(struct generation *g)
{
    atomic_fetch_add(&g->refs, 1);
    return g;
}

void generation_unref(struct generation *g)
{
    if (!g || atomic_fetch_sub(&g->refs, 1) != 1)
        return;
    tsfs_hot_unref(g->hot);
    tsfs_wal_close(g->wal);
    free(g);
}

void partition_free(struct partition *p)
{
    if (!p)
        return;
    generation_unref(p->active);
    for (unsigned i = 0; i < p->nsealed; i++)
        generation_unref(p->sealed[i]);
    free(p->sealed);
    for (unsigned i = 0; i < p->ndeletes; i++)
        tsfs_tombstone_unref(p->deletes[i]);
    free(p->deletes);
    free(p->bad_delete);
    tsfs_segment_unref(p->segment);
    free(p->broken);
    free(p);
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < t->npartitions; i++)
        partition_free(t->partitions[i]);
    free(t->partitions);
    free(t->habits);
    tsfs_schema_unref(t->schema);
    if (t->schema_fd >= 0)
        tsfs_io()->close(t->schema_fd);
    tsfs_series_index_free(t->series);
    pthread_mutex_destroy(&t->job_lock);
    pthread_mutex_destroy(&t->write_lock);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->sync_lock);
    free(t);
}

/* The file is open from a change until that is on the disk. */
static int open_schema(struct tsfs_node *node)
{
    struct table *t = node->table;
    if (t->schema_fd < 0)
        t->schema_fd = tsfs_io()->openat(node->dirfd, "schema", O_RDWR | O_CLOEXEC, 0);
    return t->schema_fd < 0 ? t->schema_fd : 0;
}

/* Reads the schema file, making it when it is not there, and cuts a torn last line off. */
static int load_schema(struct tsfs_node *node, struct tsfs_error *err)
{
    struct table *t = node->table;
    const struct tsfs_io *io = tsfs_io();
    struct tsfs_buf text = {0};
    size_t good = 0;
    bool read_only = node->engine->options.read_only;
    int rc = tsfs_io_read_file(node->dirfd, "schema", 64u << 20, &text);
    if (rc == -ENOENT) {
        rc = tsfs_schema_create(&t->schema);
        if (rc == 0)
            rc = tsfs_schema_store(t->schema, 0, &text);
        good = text.len;
        if (rc == 0 && !read_only)
            rc = tsfs_io_replace_file(node->dirfd, "schema", text.data, text.len, 0600);
    } else if (rc == 0) {
        rc = tsfs_schema_parse(tsfs_buf_str(&text), &good, &t->schema, err);
        if (rc < 0)
            tsfs_error_prefix(err, "its file \"schema\" is damaged and left alone");
    }
    if (rc < 0 || read_only)
        goto out;
    if (good < text.len) {
        rc = open_schema(node);
        if (rc == 0)
            rc = io->ftruncate(t->schema_fd, (off_t)good);
        t->schema_dirty = true;
    }
    t->schema_size = good;
out:
    tsfs_buf_free(&text);
    return rc;
}

int table_create(struct tsfs_node *node, struct tsfs_error *err)
{
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    node->table = t;
    t->schema_fd = -1;
    pthread_mutex_init(&t->job_lock, NULL);
    pthread_mutex_init(&t->write_lock, NULL);
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->sync_lock, NULL);
    int rc = tsfs_series_index_create(&t->series);
    if (rc == 0) {
        tsfs_series_index_charge(t->series, &node->engine->hot_budget);
        rc = load_schema(node, err);
    }
    if (rc == 0)
        rc = table_load_partitions(node, err);
    return rc;
}

/* ---- columns ---- */

int table_extend(struct tsfs_node *node, const struct tsfs_column *add, unsigned n, struct tsfs_error *err)
{
    struct table *t = node->table;
    struct tsfs_schema *next = NULL, *old = t->schema;
    struct tsfs_buf text = {0};
    int rc = tsfs_schema_extend(old, add, n, &next, err);
    if (rc < 0)
        return rc;
    if (!node->engine->options.read_only) {
        pthread_mutex_lock(&t->sync_lock); /* schema_fd */
        rc = tsfs_schema_store(next, old->ncols, &text);
        if (rc == 0)
            rc = open_schema(node);
        if (rc == 0)
            rc = tsfs_io_write_all(t->schema_fd, text.data, text.len, (off_t)t->schema_size);
        if (rc < 0 && t->schema_fd >= 0) {
            int cut = tsfs_io()->ftruncate(t->schema_fd, (off_t)t->schema_size);
            (void)cut; /* a torn line is cut at the next start as well, and written over before that */
        }
        t->schema_dirty = t->schema_dirty || rc == 0;
        pthread_mutex_unlock(&t->sync_lock);
        if (rc < 0) {
            tsfs_error_set(err, rc, "cannot write the table's schema: %s", strerror(-rc));
            tsfs_schema_unref(next);
            goto out;
        }
        t->schema_size += text.len;
        t->dirty = true;
    }
    pthread_mutex_lock(&t->lock);
    t->schema = next;
    pthread_mutex_unlock(&t->lock);
    tsfs_schema_unref(old);
    node->mtime = tsfs_time_now();
out:
    tsfs_buf_free(&text);
    return rc;
}

/* ---- partitions ---- */

void partition_segment_name(const struct partition *p, uint32_t number, char out[96])
{
    char folder[TSFS_PARTITION_NAME_MAX];
    tsfs_partition_folder(p->start, folder);
    snprintf(out, 96, "%s/seg-%06u.parquet", folder, number);
}

void partition_hold_file(struct tsfs_segment *segment)
{
    int fd = tsfs_segment_dup(segment);
    if (fd >= 0)
        tsfs_io()->close(fd);
}

bool partition_has_hot(const struct partition *p)
{
    struct tsfs_hot_facts facts;
    for (unsigned i = 0; i < p->nsealed; i++) {
        if (!p->sealed[i]->parted)
            return true;
        tsfs_hot_facts(p->sealed[i]->hot, &facts);
        if (facts.rows)
            return true;
    }
    if (!p->active)
        return false;
    tsfs_hot_facts(p->active->hot, &facts);
    return facts.rows > 0;
}

bool table_empty(struct table *t)
{
    bool empty = true;
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->npartitions && empty; i++) {
        struct partition *p = t->partitions[i];
        empty = !p->segment && !p->broken && !partition_has_hot(p);
    }
    pthread_mutex_unlock(&t->lock);
    return empty;
}

/* Index of the first partition that starts after time.  Under lock or write_lock. */
static unsigned upper_bound(const struct table *t, int64_t time)
{
    unsigned lo = 0, hi = t->npartitions;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (t->partitions[mid]->start <= time)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct partition *table_find_partition(struct table *t, int64_t time)
{
    unsigned at = upper_bound(t, time);
    return at > 0 ? t->partitions[at - 1] : NULL;
}

int table_add_partition(struct table *t, struct partition *p)
{
    pthread_mutex_lock(&t->lock);
    int rc = TSFS_ARRAY_ROOM(t->partitions, t->npartitions, t->partitions_cap, 16);
    if (rc == 0) {
        unsigned at = upper_bound(t, p->start);
        memmove(t->partitions + at + 1, t->partitions + at, (t->npartitions - at) * sizeof(p));
        t->partitions[at] = p;
        t->npartitions++;
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

int partition_new(int64_t start, int64_t length, struct partition **out)
{
    struct partition *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->start = start;
    /* The first partition on the line of time begins before INT64_MIN; its end is still on the grid. */
    if (start == INT64_MIN)
        p->end = tsfs_time_floor(INT64_MIN + length, length);
    else if (__builtin_add_overflow(start, length, &p->end))
        p->end = INT64_MAX;
    *out = p;
    return 0;
}

int table_partition(struct tsfs_node *node, int64_t time, struct partition **out, struct tsfs_error *err)
{
    struct table *t = node->table;
    char folder[TSFS_PARTITION_NAME_MAX];
    unsigned at = upper_bound(t, time);
    if (at > 0 && time < t->partitions[at - 1]->end) {
        *out = t->partitions[at - 1];
        return 0;
    }
    struct partition *p;
    int64_t length = TSFS_NS_PER_DAY; /* if it is still auto: set back since the writer looked */
    int rc = node_fix_partition(node, &length, err);
    if (rc == 0)
        rc = partition_new(tsfs_time_floor(time, length), length, &p);
    if (rc < 0)
        return rc;
    tsfs_partition_folder(p->start, folder);
    rc = tsfs_io()->mkdirat(node->dirfd, folder, 0700);
    if (rc == -EEXIST)
        rc = 0;
    if (rc == 0)
        rc = table_add_partition(t, p);
    if (rc < 0) {
        partition_free(p);
        return tsfs_error_set(err, rc, "cannot make partition %s: %s", folder, strerror(-rc));
    }
    pthread_mutex_lock(&t->sync_lock);
    t->dir_dirty = true;
    pthread_mutex_unlock(&t->sync_lock);
    t->dirty = true;
    *out = p;
    return 0;
}

int generation_new(struct tsfs_node *node, uint32_t number, struct generation **out)
{
    struct generation *g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->refs = 1;
    g->number = number;
    int rc = tsfs_hot_create(node->table->series, &node->engine->hot_budget, &g->hot);
    if (rc < 0) {
        free(g);
        return rc;
    }
    *out = g;
    return 0;
}

int partition_writable(struct tsfs_node *node, struct partition *p, struct generation **out,
                       struct tsfs_error *err)
{
    struct table *t = node->table;
    if (!p->active) {
        struct generation *g = NULL;
        char folder[TSFS_PARTITION_NAME_MAX], path[96];
        pthread_mutex_lock(&t->lock); /* a migration that ends turns the last sealed one into the segment */
        uint32_t number = 1 + (p->nsealed ? p->sealed[p->nsealed - 1]->number : p->segment_number);
        pthread_mutex_unlock(&t->lock);
        if (number <= p->reserved)
            number = p->reserved + 1;
        tsfs_partition_folder(p->start, folder);
        snprintf(path, sizeof(path), "%s/wal-%06u", folder, number);
        int rc = generation_new(node, number, &g);
        if (rc == 0)
            rc = tsfs_wal_open(node->dirfd, path, 0, &g->wal, err);
        if (rc < 0) {
            generation_unref(g);
            return tsfs_error_set(err, rc, "cannot open the log of partition %s: %s", folder, strerror(-rc));
        }
        pthread_mutex_lock(&t->lock);
        p->active = g;
        pthread_mutex_unlock(&t->lock);
    }
    *out = p->active;
    return 0;
}

/* ---- a write ---- */

int generations_log(struct generation **staged, unsigned n, struct tsfs_error *err)
{
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = tsfs_hot_log(staged[i]->hot, staged[i]->wal, err);
    return rc;
}

void table_publish(struct table *t, struct generation **staged, unsigned n)
{
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < n; i++) {
        staged[i]->staged = false;
        tsfs_hot_publish(staged[i]->hot);
    }
    pthread_mutex_unlock(&t->lock);
    t->dirty = true;
}

void generations_undo(struct generation **staged, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        staged[i]->staged = false;
        int undone = tsfs_hot_undo(staged[i]->hot, staged[i]->wal);
        (void)undone; /* a log that cannot take a record back is closed to writes by itself */
    }
}

/* ---- series ---- */

struct tsfs_series_index *table_series_at(struct table *t, int64_t time)
{
    const struct partition *p = table_find_partition(t, time);
    return p && time < p->end && p->active ? tsfs_hot_series(p->active->hot) : t->series;
}

/* Series of the table's index that have hot rows, those in several generations more than once.  Under lock.
 */
static uint64_t series_in_use(const struct table *t)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < t->npartitions; i++) {
        const struct partition *p = t->partitions[i];
        for (unsigned j = 0; j <= p->nsealed; j++) {
            const struct generation *g = j < p->nsealed ? p->sealed[j] : p->active;
            struct tsfs_hot_facts facts;
            if (!g || tsfs_hot_series(g->hot) != t->series)
                continue;
            tsfs_hot_facts(g->hot, &facts);
            n += facts.series;
        }
    }
    return n;
}

void table_renew_series(struct tsfs_node *node)
{
    struct table *t = node->table;
    struct tsfs_series_index *old = NULL, *fresh;
    pthread_mutex_lock(&t->write_lock);
    if (tsfs_series_index_bytes(t->series) >= SERIES_WORTH) {
        pthread_mutex_lock(&t->lock);
        uint64_t used = series_in_use(t);
        if (used < tsfs_series_index_count(t->series) / 2 && tsfs_series_index_create(&fresh) == 0) {
            tsfs_series_index_charge(fresh, &node->engine->hot_budget);
            old = t->series;
            t->series = fresh;
        }
        pthread_mutex_unlock(&t->lock);
    }
    pthread_mutex_unlock(&t->write_lock);
    tsfs_series_index_free(old);
}

/* ---- durability ---- */

int table_sync_schema(struct tsfs_node *node)
{
    struct table *t = node->table;
    int rc = 0;
    pthread_mutex_lock(&t->sync_lock);
    if (t->schema_dirty) {
        rc = tsfs_io()->fdatasync(t->schema_fd);
        t->schema_dirty = rc < 0;
        if (rc >= 0) {
            tsfs_io()->close(t->schema_fd);
            t->schema_fd = -1;
        }
    }
    if (rc == 0 && t->dir_dirty) {
        rc = tsfs_io_sync_dir(node->dirfd, ".");
        t->dir_dirty = rc < 0;
    }
    pthread_mutex_unlock(&t->sync_lock);
    return rc;
}

int table_sync(struct tsfs_node *node)
{
    struct table *t = node->table;
    struct generation **dirty = NULL;
    unsigned n = 0;
    int rc = 0;
    /* Not a reason to leave early: whoever cleared it first may be at it still, or fail. */
    t->dirty = false;
    pthread_mutex_lock(&t->lock);
    size_t most = 0;
    for (unsigned i = 0; i < t->npartitions; i++)
        most += t->partitions[i]->nsealed + 1;
    dirty = malloc((most + 1) * sizeof(*dirty));
    for (unsigned i = 0; dirty && i < t->npartitions; i++) {
        struct partition *p = t->partitions[i];
        for (unsigned j = 0; j <= p->nsealed; j++) {
            struct generation *g = j < p->nsealed ? p->sealed[j] : p->active;
            if (g && g->wal && tsfs_wal_dirty(g->wal))
                dirty[n++] = generation_ref(g);
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (!dirty) {
        t->dirty = true;
        return -ENOMEM;
    }
    rc = table_sync_schema(node);
    for (unsigned i = 0; i < n; i++) {
        int one = tsfs_wal_sync(dirty[i]->wal);
        if (rc == 0 && !dirty[i]->dropped)
            rc = one;
        generation_unref(dirty[i]);
    }
    free(dirty);
    if (rc < 0 && node->dead) /* its files may be gone; it had no points */
        return 0;
    if (rc < 0)
        t->dirty = true;
    return rc;
}

/* ---- dropping ---- */

static void set_dropped(struct partition *p, bool dropped)
{
    for (unsigned i = 0; i <= p->nsealed; i++) {
        struct generation *g = i < p->nsealed ? p->sealed[i] : p->active;
        if (g)
            g->dropped = dropped;
    }
}

/* Takes partition p from folder and memory.  Under job_lock and write_lock. */
static int drop_one(struct tsfs_node *node, struct partition *p, char trash[32])
{
    struct table *t = node->table;
    char folder[TSFS_PARTITION_NAME_MAX];
    tsfs_partition_folder(p->start, folder);
    if (p->segment)
        partition_hold_file(p->segment);
    set_dropped(p, true);
    int rc = engine_trash(node->engine, node->dirfd, folder, trash);
    if (rc < 0) {
        set_dropped(p, false); /* its rows stay, so it matters again whether they are on disk */
        return rc;
    }
    for (unsigned i = 0; i <= p->nsealed; i++) {
        struct generation *g = i < p->nsealed ? p->sealed[i] : p->active;
        if (g && g->wal)
            tsfs_wal_abandon(g->wal);
    }
    pthread_mutex_lock(&t->lock);
    unsigned at = upper_bound(t, p->start) - 1;
    t->npartitions--;
    memmove(t->partitions + at, t->partitions + at + 1, (t->npartitions - at) * sizeof(p));
    pthread_mutex_unlock(&t->lock);
    partition_free(p);
    return 0;
}

int table_drop(struct tsfs_node *node, struct partition *p)
{
    struct table *t = node->table;
    unsigned n = 0;
    int rc = 0;
    pthread_mutex_lock(&t->write_lock);
    unsigned most = p ? 1 : t->npartitions;
    char(*trash)[32] = malloc((most + 1) * sizeof(*trash));
    if (!trash)
        rc = -ENOMEM;
    for (; n < most && rc == 0; n += rc == 0)
        rc = drop_one(node, p ? p : t->partitions[t->npartitions - 1], trash[n]);
    pthread_mutex_unlock(&t->write_lock);
    if (n) {
        int synced = tsfs_io_sync_dir(node->dirfd, ".");
        if (rc == 0)
            rc = synced;
        node->mtime = tsfs_time_now();
    }
    for (unsigned i = 0; i < n; i++)
        engine_empty_trash(node->engine, trash[i]);
    free(trash);
    if (n)
        table_renew_series(node);
    return rc;
}

int table_truncate(struct tsfs_node *node)
{
    pthread_mutex_lock(&node->table->job_lock);
    int rc = table_drop(node, NULL);
    pthread_mutex_unlock(&node->table->job_lock);
    return rc;
}
