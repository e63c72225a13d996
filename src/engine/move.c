/* Partitions move from the hot to the cold tier, one or several at a time.
 *
 * A migration seals the partition's active generation (writes go on in a new one), writes the merge of the
 * old segment and the sealed rows as a new segment under a temporary name, and renames it into place: that is
 * the commit. Then memory follows, and what the new segment covers is removed.  A crash at any point leaves a
 * state that start-up puts in order (recover.c).
 *
 * Each step must be on the disk before the next: the segment before it is renamed, the rename before the logs
 * that it covers go.  For a partition alone these are two fsyncs, of the file and of its folder, and a
 * thousand partitions of a hundred rows would do nothing but wait for the disk.  So small partitions move in
 * groups, in step: all segments are written, by all threads; one syncfs makes them durable; all are renamed;
 * one syncfs makes that durable; then what they cover goes.  The order of things within each partition is the
 * same, so is what a crash can leave, and one that fails does not hold up the others.
 *
 * Larger ones move side by side, each by itself, as many at a time as memory allows: while one collects its
 * rows, waits for the disk or gives its memory back, another has work for all threads. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/time.h"
#include "engine/engine_priv.h"
#include "parquet/writer.h"

/* Moves the active generation to the sealed ones.  Under job_lock; takes write_lock and lock. */
static int seal_active(struct tsfs_node *node, struct partition *p)
{
    struct table *t = node->table;
    int rc = 0;
    pthread_mutex_lock(&t->write_lock);
    pthread_mutex_lock(&t->lock);
    if (p->active) {
        struct tsfs_hot_facts facts;
        tsfs_hot_facts(p->active->hot, &facts);
        if (facts.rows) {
            struct generation **grown = realloc(p->sealed, (p->nsealed + 1) * sizeof(*grown));
            if (grown) {
                p->sealed = grown;
                p->sealed[p->nsealed++] = p->active;
                p->active = NULL;
            } else {
                rc = -ENOMEM;
            }
        }
    }
    pthread_mutex_unlock(&t->lock);
    pthread_mutex_unlock(&t->write_lock);
    return rc;
}

/* Which measures the settings declare as decimals. */
static int add_decimals(struct tsfs_node *node, struct tsfs_partition_view *view)
{
    const struct tsfs_schema *schema = view->schema;
    struct tsfs_settings settings = node_settings(node);
    unsigned digits;
    if (!settings.decimals[0])
        return 0;
    uint8_t *decimals = calloc(schema->nmeasures + 1u, sizeof(*decimals));
    if (!decimals)
        return -ENOMEM;
    for (unsigned i = 0; i < schema->nmeasures; i++)
        if (tsfs_settings_scale(&settings, schema->cols[schema->measures[i]].name, &digits))
            decimals[i] = (uint8_t)(1 + digits);
    view->decimals = decimals;
    return 0;
}

int partition_open_view(struct tsfs_node *node, struct partition *p, unsigned nsealed,
                        const struct tsfs_scan_spec *spec, struct tsfs_partition_view *view)
{
    struct table *t = node->table;
    int rc = 0;
    view->hots = calloc(nsealed + 1, sizeof(*view->hots));
    view->snaps = calloc(nsealed + 1, sizeof(*view->snaps));
    if (!view->hots || !view->snaps)
        return -ENOMEM;
    pthread_mutex_lock(&t->lock);
    view->schema = tsfs_schema_ref(t->schema);
    pthread_mutex_unlock(&t->lock);
    if (p->segment) {
        view->segments[0] = p->segment;
        view->nsegments = 1;
    }
    uint32_t *generations = calloc(nsealed + 1, sizeof(*generations));
    if (!generations)
        return -ENOMEM;
    view->generations = generations;
    view->deletes = p->deletes; /* only job_lock's holder changes them */
    view->ndeletes = p->ndeletes;
    for (unsigned i = 0; i < nsealed && rc == 0; i++) {
        generations[i] = p->sealed[i]->number;
        view->hots[i] = p->sealed[i]->hot;
        rc = tsfs_hot_snapshot(p->sealed[i]->hot, view->schema, spec, &view->snaps[i]);
        view->nhots += rc == 0;
    }
    return rc;
}

void partition_close_view(struct tsfs_partition_view *view)
{
    for (unsigned i = 0; view->snaps && i < view->nhots; i++)
        tsfs_hot_snap_free(view->snaps[i]);
    free(view->snaps);
    free(view->hots);
    free((void *)view->decimals);
    free((void *)view->generations);
    tsfs_schema_unref(view->schema);
    *view = (struct tsfs_partition_view){0};
}

/* The files of generations that a segment covers go, and the references. */
static int remove_logs(struct tsfs_node *node, const char *folder, struct generation **gone, unsigned n)
{
    const struct tsfs_io *io = tsfs_io();
    char path[96], kept[112];
    int rc = 0;
    for (unsigned i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/wal-%06u", folder, gone[i]->number);
        snprintf(kept, sizeof(kept), "%s.damaged", path);
        if (gone[i]->wal) /* first: a sync under way may not find file or folder any more */
            tsfs_wal_abandon(gone[i]->wal);
        int one = gone[i]->damaged ? io->renameat(node->dirfd, path, node->dirfd, kept)
                                   : io->unlinkat(node->dirfd, path, 0);
        if (rc == 0)
            rc = one;
        generation_unref(gone[i]);
    }
    return rc;
}

/* What the new segment covers goes from memory, then from the folder. */
static int adopt(struct tsfs_node *node, struct partition *p, struct tsfs_segment *segment, uint32_t number,
                 unsigned nsealed)
{
    struct table *t = node->table;
    char folder[TSFS_PARTITION_NAME_MAX], path[96];
    int rc = 0;
    tsfs_partition_folder(p->start, folder);
    struct generation **gone = malloc((nsealed + 1) * sizeof(*gone));
    struct tsfs_tombstone **deletes = malloc((p->ndeletes + 1) * sizeof(struct tsfs_tombstone *));
    if (!gone || !deletes) {
        tsfs_segment_unref(segment);
        free(gone);
        free(deletes);
        return -ENOMEM;
    }
    if (nsealed)
        memcpy(gone, p->sealed, nsealed * sizeof(*gone));
    pthread_mutex_lock(&t->lock);
    struct tsfs_segment *old = p->segment;
    uint32_t old_number = p->segment_number;
    p->segment = segment;
    p->segment_number = number;
    p->last_read = tsfs_time_monotonic();
    p->nsealed -= nsealed;
    if (nsealed)
        memmove(p->sealed, p->sealed + nsealed, p->nsealed * sizeof(*p->sealed));
    unsigned ndeletes = partition_forget_deletes(p, number, deletes);
    pthread_mutex_unlock(&t->lock);
    if (old) {
        partition_segment_name(&(struct partition){.start = p->start}, old_number, path);
        partition_hold_file(old);
        rc = tsfs_io()->unlinkat(node->dirfd, path, 0);
        tsfs_segment_unref(old);
    }
    int removed = remove_logs(node, folder, gone, nsealed);
    if (rc == 0)
        rc = removed;
    free(gone);
    /* With no segment in their place the rows must be gone for good before what says that they are deleted.
     */
    if (rc == 0 && ndeletes && !segment)
        rc = tsfs_io_sync_dir(node->dirfd, folder);
    if (rc == 0 || segment) {
        int one = partition_remove_deletes(node, p, deletes, ndeletes);
        if (rc == 0)
            rc = one;
    } else {
        for (unsigned i = 0; i < ndeletes; i++)
            tsfs_tombstone_unref(deletes[i]);
    }
    free(deletes);
    node->mtime = tsfs_time_now();
    return rc;
}

/* What is known of the table's columns from the segments written before; nothing is needed.  Under job_lock.
 */
static void make_habits(struct table *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned n = t->schema->ncols;
    pthread_mutex_unlock(&t->lock);
    if (n <= t->nhabits)
        return;
    free(t->habits);
    t->habits = calloc(n, sizeof(*t->habits));
    t->nhabits = t->habits ? n : 0;
}

/* ---- the steps of one ---- */

/* Seals what is hot and makes the view that is to be written.  Nothing to do: m is not begun. */
static int prepare(struct tsfs_node *node, struct migration *m)
{
    struct table *t = node->table;
    struct partition *p = m->partition;
    struct tsfs_error *err = &m->error;
    char folder[TSFS_PARTITION_NAME_MAX];
    int rc = seal_active(node, p);
    m->begun = rc < 0 || p->nsealed > 0 || p->ndeletes > 0;
    if (rc < 0)
        return tsfs_error_set(err, rc, "%s", strerror(-rc));
    if (!m->begun)
        return 0;
    m->nsealed = p->nsealed; /* only job_lock's holder changes it */
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < p->nsealed; i++)
        p->sealed[i]->parted = false; /* should it fail, it is due again */
    pthread_mutex_unlock(&t->lock);
    if (p->broken)
        return tsfs_error_set(err, -EIO, "its segment cannot be read: %s", p->broken);
    if (p->bad_delete)
        return tsfs_error_set(err, -EIO, "what was deleted in it is not known: %s", p->bad_delete);
    m->number = m->nsealed ? p->sealed[m->nsealed - 1]->number : 0;
    if (p->ndeletes) {
        struct tsfs_tombstone_facts last;
        tsfs_tombstone_facts(p->deletes[p->ndeletes - 1], &last);
        m->number = last.generation > m->number ? last.generation : m->number;
    }
    tsfs_partition_folder(p->start, folder);
    partition_segment_name(p, m->number, m->path);
    snprintf(m->tmp, sizeof(m->tmp), "%s.tmp", m->path);
    m->view.habits = t->habits;
    m->view.nhabits = t->nhabits;
    rc = partition_open_view(node, p, m->nsealed, NULL, &m->view);
    return rc == 0 ? add_decimals(node, &m->view) : rc;
}

/* The segment is durable under its name: opens it and lets go of what it covers. */
static int conclude(struct tsfs_node *node, struct migration *m)
{
    struct tsfs_segment *segment = NULL;
    int rc = m->facts.rows ? tsfs_segment_open(node->dirfd, m->path, &segment, &m->error) : 0;
    return rc < 0 ? rc : adopt(node, m->partition, segment, m->number, m->nsealed);
}

static int move_one(struct tsfs_node *node, struct migration *m)
{
    struct table *t = node->table;
    char folder[TSFS_PARTITION_NAME_MAX];
    tsfs_partition_folder(m->partition->start, folder);
    int rc = tsfs_segment_write(node->dirfd, m->tmp, &m->view, node->engine->pool, &t->job.progress,
                                &m->facts, &m->error);
    if (rc == 0 && m->facts.rows) /* a damaged log may have none */
        rc = tsfs_segment_commit(node->dirfd, m->tmp, m->path, folder);
    partition_close_view(&m->view);
    return rc < 0 ? rc : conclude(node, m);
}

/* ---- several ---- */

struct group {
    struct tsfs_node *node;
    struct migration *m;
    unsigned n;
    _Atomic unsigned next; /* side by side: not taken yet */
};

/* Pool task: takes one after the other until none is left. */
static int move_some(void *ctx, size_t lane, unsigned worker)
{
    struct group *g = ctx;
    (void)lane, (void)worker;
    for (unsigned i; (i = atomic_fetch_add(&g->next, 1)) < g->n;) {
        struct migration *m = &g->m[i];
        if (!m->begun || m->result < 0)
            continue;
        if (g->node->engine->stopping)
            m->result = tsfs_error_set(&m->error, -ECANCELED, "the engine stops");
        else
            m->result = move_one(g->node, m);
    }
    return 0;
}

/* How much the writer keeps decoded at a time. */
static uint64_t decoded_bytes(const struct tsfs_partition_view *view, uint64_t rows)
{
    const struct tsfs_schema *schema = view->schema;
    uint64_t width = sizeof(int64_t);
    for (unsigned i = 0; i < schema->nmeasures; i++)
        width += tsfs_type_width(schema->cols[schema->measures[i]].type);
    rows = rows < TSFS_ROW_GROUP_ROWS ? rows : TSFS_ROW_GROUP_ROWS;
    return rows * width < TSFS_ROW_GROUP_BYTES ? rows * width : TSFS_ROW_GROUP_BYTES;
}

/* Those that are at work at the same time have no more memory between them than one may have alone. */
static void move_side_by_side(struct group *g)
{
    uint64_t most = 1;
    for (unsigned i = 0; i < g->n; i++) {
        const struct migration *m = &g->m[i];
        uint64_t bytes = m->begun && m->result == 0 ? decoded_bytes(&m->view, m->rows) : 0;
        most = bytes > most ? bytes : most;
    }
    uint64_t lanes = TSFS_ROW_GROUP_BYTES / most;
    struct tsfs_pool *pool = g->node->engine->pool;
    if (lanes > tsfs_pool_threads(pool) + 1u)
        lanes = tsfs_pool_threads(pool) + 1u;
    int rc = tsfs_pool_run(pool, move_some, g, lanes < g->n ? (size_t)lanes : g->n);
    (void)rc; /* each has its own */
}

/* ---- in step ---- */

/* Pool task: one segment, by one thread. */
static int write_one(void *ctx, size_t i, unsigned worker)
{
    struct group *g = ctx;
    struct migration *m = &g->m[i];
    struct tsfs_segment_progress *progress = &g->node->table->job.progress;
    (void)worker;
    if (!m->begun || m->result < 0)
        return 0;
    if (atomic_load(&progress->cancel))
        m->result = tsfs_error_set(&m->error, -ECANCELED, "the writing of the segment was cancelled");
    else
        m->result = tsfs_segment_write_unsynced(g->node->dirfd, m->tmp, &m->view, NULL, progress, &m->facts,
                                                &m->error);
    m->written = m->result == 0 && m->facts.rows > 0;
    return 0;
}

/* Everything written so far is on the disk, or none of the group's segments may be relied on. */
static void sync_group(struct group *g, const char *what)
{
    int rc = tsfs_io()->syncfs(g->node->dirfd);
    for (unsigned i = 0; rc < 0 && i < g->n; i++) {
        struct migration *m = &g->m[i];
        if (m->written && m->result == 0)
            m->result = tsfs_error_set(&m->error, rc, "cannot write %s to the disk: %s", what, strerror(-rc));
    }
}

static void move_in_step(struct group *g)
{
    const struct tsfs_io *io = tsfs_io();
    int dirfd = g->node->dirfd;
    unsigned written = 0;
    int rc = tsfs_pool_run(g->node->engine->pool, write_one, g, g->n);
    for (unsigned i = 0; i < g->n; i++)
        written += g->m[i].written;
    if (rc == 0 && written)
        sync_group(g, "segments");
    for (unsigned i = 0; i < g->n; i++) {
        struct migration *m = &g->m[i];
        if (m->result == 0 && rc < 0)
            m->result = rc;
        if (m->written && m->result < 0)
            (void)io->unlinkat(dirfd, m->tmp, 0);
        else if (m->written)
            m->result = io->renameat(dirfd, m->tmp, dirfd, m->path);
    }
    if (rc == 0 && written)
        sync_group(g, "the names of segments");
    for (unsigned i = 0; i < g->n; i++) {
        struct migration *m = &g->m[i];
        partition_close_view(&m->view);
        if (m->begun && m->result == 0)
            m->result = conclude(g->node, m);
    }
}

void partitions_move(struct tsfs_node *node, struct migration *m, unsigned n)
{
    struct table *t = node->table;
    struct group g = {.node = node, .m = m, .n = n};
    uint64_t rows = 0;
    unsigned begun = 0;
    make_habits(t);
    for (unsigned i = 0; i < n; i++) {
        m[i].result = prepare(node, &m[i]);
        begun += m[i].begun;
    }
    if (!begun)
        return;
    for (unsigned i = 0; i < n; i++) {
        if (!m[i].begun || m[i].result < 0)
            continue;
        m[i].rows = tsfs_cold_estimate(&m[i].view, NULL);
        rows += m[i].rows;
    }
    pthread_mutex_lock(&t->lock);
    t->job.running = true;
    t->job.partition = m->partition->start;
    t->job.started = tsfs_time_now();
    t->job.progress.rows_done = 0;
    t->job.progress.rows_total = rows;
    pthread_mutex_unlock(&t->lock);
    int rc = table_sync_schema(node); /* the segments' columns outlive the logs that define them */
    for (unsigned i = 0; rc < 0 && i < n; i++)
        if (m[i].begun && m[i].result == 0)
            m[i].result = rc;
    if (rc == 0 && n > 1 && m->small)
        move_in_step(&g);
    else if (rc == 0)
        move_side_by_side(&g);
    pthread_mutex_lock(&t->lock);
    t->job.running = false;
    for (unsigned i = 0; i < n; i++)
        if (m[i].begun)
            m[i].partition->failed_at = m[i].result < 0 ? tsfs_time_monotonic() : 0;
    pthread_mutex_unlock(&t->lock);
    bool moved = false;
    for (unsigned i = 0; i < n; i++) {
        partition_close_view(&m[i].view);
        moved = moved || (m[i].begun && m[i].result == 0);
    }
    if (moved)
        table_renew_series(node);
}
