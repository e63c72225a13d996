/* Background work: rows move from the hot to the cold tier (move.c says how), old partitions go, logs reach
 * the disk. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/engine_priv.h"

#define ROUND_NS        (500 * TSFS_NS_PER_MS) /* between two looks at all tables */
#define SYNC_TICK_NS    (20 * TSFS_NS_PER_MS)  /* resolution of sync_interval */
#define QUIET_NS        (30 * TSFS_NS_PER_S)   /* a due partition rests this long before it moves ... */
#define HOT_AT_MOST_NS  (15 * TSFS_NS_PER_MIN) /* ... but is not kept waiting longer by a steady trickle */
#define LATE_AT_MOST_NS (TSFS_NS_PER_HOUR)     /* late rows wait this long for company before a merge */
#define LATE_SHARE      10                     /* ... or until they are a tenth of the segment */
#define IDLE_NS         (60 * TSFS_NS_PER_S)   /* a segment that nobody has read for so long is closed */
#define TOMBSTONE_BYTES (1u << 20)             /* ... and so do tombstones, while they are small */
#define RETRY_NS        (60 * TSFS_NS_PER_S)   /* after a failed migration ... */
#define RETRY_SOON_NS   (3 * TSFS_NS_PER_S)    /* ... but while memory is short */
#define PATIENCE_NS     (30 * TSFS_NS_PER_S)   /* a writer waits for memory that queries hold ... */
#define BRIEFLY_NS      (2 * TSFS_NS_PER_S)    /* ... and for migrations that fail */
#define LONG_NS         (30 * TSFS_NS_PER_DAY) /* a longer partition need not end before it moves: */
#define EARLY_ROWS      (1u << 20)             /* so many rows, some of them old enough, may go before */
#define GROUP           64                     /* small partitions move together, so many ... */
#define GROUP_ROWS      (256u << 10)           /* ... with so many rows, */
#define SMALL_ROWS      (32u << 10)            /* none of more than these; */
#define LARGE           4                      /* and so many larger ones ... */
#define LARGE_ROWS      (4u << 20)             /* ... with so many rows, for rm and truncate wait for them */
#define BREATH_NS       (50 * TSFS_NS_PER_MS)  /* between two tries that free nothing */

/* ---- one migration, or some ---- */

/* What has become of a migration: counted, and reported if it failed. */
static int finished(struct tsfs_node *node, struct migration *m, struct tsfs_error *err)
{
    char folder[TSFS_PARTITION_NAME_MAX];
    int rc = m->result;
    if (!m->begun)
        return 0;
    if (rc == 0) {
        atomic_fetch_add(&node->engine->migrations, 1);
        return 0;
    }
    *err = m->error;
    if (rc == -ECANCELED)
        return rc;
    tsfs_partition_folder(m->partition->start, folder);
    tsfs_error_set(err, rc, "%s", strerror(-rc));
    tsfs_error_prefix(err, "partition %s stays in memory", folder);
    atomic_fetch_add(&node->engine->migrations_failed, 1);
    node_report(node, "migrate", err, (struct tsfs_str){NULL, 0});
    return rc;
}

int partition_migrate(struct tsfs_node *node, struct partition *p, struct tsfs_error *err)
{
    struct migration m = {.partition = p};
    struct tsfs_error own = {0};
    partitions_move(node, &m, 1);
    return finished(node, &m, err ? err : &own);
}

/* ---- what is to be done ---- */

enum why { NOT_NOW, DUE, EXPIRED };

/* Adds the rows of a generation that waits. */
static void add_hot(struct tsfs_hot_facts *sum, const struct generation *g)
{
    struct tsfs_hot_facts one;
    tsfs_hot_facts(g->hot, &one);
    if (one.rows && (!sum->rows || one.first_written < sum->first_written))
        sum->first_written = one.first_written;
    if (one.rows && (!sum->rows || one.t_min < sum->t_min))
        sum->t_min = one.t_min;
    if (one.rows && (!sum->rows || one.t_max > sum->t_max))
        sum->t_max = one.t_max;
    sum->rows += one.rows;
}

/* Tombstones wait for company as late rows do, but not many of them. */
static bool deletes_due(const struct partition *p, int64_t now)
{
    struct tsfs_tombstone_facts facts;
    uint64_t bytes = 0;
    if (p->ndeletes > TSFS_TOMBSTONES || p->nsealed > TSFS_TOMBSTONES)
        return true;
    for (unsigned i = 0; i < p->ndeletes; i++) {
        tsfs_tombstone_facts(p->deletes[i], &facts);
        bytes += facts.bytes;
        if (facts.written < tsfs_time_minus(now, LATE_AT_MOST_NS))
            return true;
    }
    return bytes > TOMBSTONE_BYTES;
}

/* A partition of years does not keep its rows hot until it ends: they move when they are all old enough, or
 * when so many have come that rewriting the segment for them is fair. */
static bool moves_early(const struct partition *p, const struct tsfs_hot_facts *hot, int64_t cold_from)
{
    struct tsfs_segment_facts cold = {0};
    if (p->end <= tsfs_time_plus(p->start, LONG_NS))
        return false;
    if (hot->t_max <= cold_from)
        return true;
    if (p->segment)
        tsfs_segment_facts(p->segment, &cold);
    return hot->t_min <= cold_from && hot->rows > EARLY_ROWS && hot->rows > cold.rows / 2;
}

/* Under lock. */
static enum why judge(struct partition *p, const struct tsfs_settings *s, int64_t now, int64_t ticks)
{
    struct tsfs_hot_facts hot = {0};
    int64_t cold_from = tsfs_time_minus(now, s->memory_retention);
    if (p->end <= tsfs_time_minus(cold_from, s->cold_retention))
        return EXPIRED;
    if (p->broken || p->bad_delete || (p->failed_at && ticks < p->failed_at + RETRY_NS))
        return NOT_NOW;
    for (unsigned i = 0; i < p->nsealed; i++) {
        if (!p->sealed[i]->parted)
            return DUE; /* recovered ones, or the rest of a failed try */
        add_hot(&hot, p->sealed[i]);
    }
    if (deletes_due(p, now))
        return DUE;
    if (p->active)
        add_hot(&hot, p->active);
    if (hot.rows == 0 || (p->end > cold_from && !moves_early(p, &hot, cold_from)))
        return NOT_NOW;
    int64_t age = now - hot.first_written;
    if (!p->segment)
        return ticks - p->last_write > QUIET_NS || age > HOT_AT_MOST_NS ? DUE : NOT_NOW;
    struct tsfs_segment_facts cold;
    tsfs_segment_facts(p->segment, &cold);
    return age > LATE_AT_MOST_NS || (hot.rows > cold.rows / LATE_SHARE && ticks - p->last_write > QUIET_NS)
               ? DUE
               : NOT_NOW;
}

/* Whether p may move together with others; adds its rows. */
static bool is_small(const struct partition *p, uint64_t *rows)
{
    struct tsfs_hot_facts hot = {0};
    struct tsfs_segment_facts cold = {0};
    for (unsigned i = 0; i < p->nsealed; i++)
        add_hot(&hot, p->sealed[i]);
    if (p->active)
        add_hot(&hot, p->active);
    if (p->segment)
        tsfs_segment_facts(p->segment, &cold);
    *rows += hot.rows + cold.rows;
    return p->ndeletes == 0 && hot.rows + cold.rows <= SMALL_ROWS;
}

/* Whether another that is due fits into a group of n, with it of so many rows. */
static bool joins(const struct migration *m, unsigned n, bool small, uint64_t rows)
{
    return n == 0 ||
           (m->small == small && n < (small ? GROUP : LARGE) && rows <= (small ? GROUP_ROWS : LARGE_ROWS));
}

/* The next partition from `from` on (NULL: the first) with something to do, and if that is to move, those of
 * its kind that follow, small ones or others: their number, at most GROUP.  Under lock. */
static unsigned gather(struct table *t, const struct tsfs_settings *settings, bool all, const int64_t *from,
                       struct migration *m, enum why *why)
{
    uint64_t rows = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < t->npartitions && n < GROUP; i++) {
        struct partition *p = t->partitions[i];
        if (from && p->start <= *from)
            continue;
        enum why one = judge(p, settings, tsfs_time_now(), tsfs_time_monotonic());
        if (all && one != EXPIRED && (partition_has_hot(p) || p->ndeletes))
            one = DUE;
        if (one == NOT_NOW)
            continue;
        bool small = is_small(p, &rows);
        if (n > 0 && (one != *why || !joins(m, n, small, rows)))
            break;
        *why = one;
        m[n++] = (struct migration){.partition = p, .small = small};
        if (one == EXPIRED)
            break;
    }
    return n;
}

/* Does what one table's partitions need.  all: everything hot moves, whatever its age.  *worked: there was
 * something to do. */
static int work_on(struct tsfs_node *node, bool all, bool *worked, struct tsfs_error *err)
{
    struct table *t = node->table;
    struct tsfs_engine *engine = node->engine;
    struct tsfs_settings settings = node_settings(node);
    int result = 0;
    int64_t from;
    bool first = true;
    struct migration *group = malloc(GROUP * sizeof(*group));
    if (!group)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    while (!engine->stopping && !node->dead) {
        /* job_lock is given back between groups, so that rm and truncate get their turn */
        enum why why = NOT_NOW;
        pthread_mutex_lock(&t->job_lock);
        pthread_mutex_lock(&t->lock);
        unsigned n = gather(t, &settings, all, first ? NULL : &from, group, &why);
        pthread_mutex_unlock(&t->lock);
        if (n > 0) {
            from = group[n - 1].partition->start;
            first = false;
        }
        if (n > 0 && why == EXPIRED) {
            int rc = table_drop(node, group->partition);
            if (rc == 0)
                atomic_fetch_add(&engine->partitions_dropped, 1);
            else if (result == 0)
                result = rc;
        } else if (n > 0) {
            partitions_move(node, group, n);
        }
        for (unsigned i = 0; i < n && why == DUE; i++) {
            struct tsfs_error one = {0};
            int rc = finished(node, &group[i], &one);
            if (rc < 0 && result == 0) {
                result = rc;
                if (err)
                    *err = one;
            }
        }
        pthread_mutex_unlock(&t->job_lock);
        if (n == 0)
            break;
    }
    free(group);
    *worked = !first;
    return result;
}

/* The allocator would keep most of what encoding took; giving it back takes a while, and nobody has to wait.
 */
static void give_back(bool worked)
{
    if (worked)
        (void)malloc_trim(0);
}

/* Gives back descriptors of logs and segments that nobody uses. */
static void rest(struct tsfs_node *node)
{
    struct table *t = node->table;
    int64_t ticks = tsfs_time_monotonic();
    if (pthread_mutex_trylock(&t->job_lock) != 0)
        return;
    pthread_mutex_lock(&t->write_lock);
    for (unsigned i = 0; i < t->npartitions; i++) {
        struct partition *p = t->partitions[i];
        if (ticks - p->last_write < 10 * TSFS_NS_PER_S)
            continue;
        for (unsigned j = 0; j <= p->nsealed; j++) {
            struct generation *g = j < p->nsealed ? p->sealed[j] : p->active;
            if (g && g->wal && !tsfs_wal_dirty(g->wal)) /* else it would be synced, under write_lock */
                tsfs_wal_close_idle(g->wal);
        }
    }
    pthread_mutex_unlock(&t->write_lock);
    for (unsigned i = 0;; i++) { /* none goes while job_lock is held */
        pthread_mutex_lock(&t->lock);
        struct partition *p = i < t->npartitions ? t->partitions[i] : NULL;
        pthread_mutex_unlock(&t->lock);
        if (!p)
            break;
        int64_t read = p->last_read;
        if (read && p->segment && ticks - read > IDLE_NS) {
            p->last_read = 0;
            tsfs_segment_shed(p->segment);
        }
    }
    pthread_mutex_unlock(&t->job_lock);
}

/* ---- memory ---- */

/* Writers are held back at the budget; migration starts early at four fifths of it. */
static bool over_budget(struct tsfs_engine *engine)
{
    return engine->hot_budget.used >= engine->hot_budget.limit;
}

static bool near_budget(struct tsfs_engine *engine)
{
    return engine->hot_budget.used >= engine->hot_budget.limit / 5 * 4;
}

/* Migrates the oldest hot partition of all tables, with those that follow it if they are small: 1, 0 if there
 * is none, -errno. */
static int free_memory(struct tsfs_engine *engine)
{
    struct tsfs_node **tables, *oldest = NULL;
    unsigned n;
    int64_t start = 0, ticks = tsfs_time_monotonic();
    int rc = engine_tables(engine, &tables, &n);
    if (rc < 0)
        return rc;
    bool failed = false;
    for (unsigned i = 0; i < n; i++) {
        struct table *t = tables[i]->table;
        pthread_mutex_lock(&t->lock);
        for (unsigned j = 0; j < t->npartitions; j++) {
            struct partition *p = t->partitions[j];
            if (p->broken || p->bad_delete || !partition_has_hot(p))
                continue;
            if (p->failed_at && ticks < p->failed_at + RETRY_SOON_NS) {
                failed = true;
                continue;
            }
            if (!oldest || p->start < start) {
                oldest = tables[i];
                start = p->start;
            }
            break;
        }
        pthread_mutex_unlock(&t->lock);
    }
    rc = failed ? -ENOSPC : 0;
    if (oldest) {
        struct table *t = oldest->table;
        struct migration *group = malloc(GROUP * sizeof(*group));
        struct tsfs_error err = {0}; /* reported where it happens */
        uint64_t rows = 0;
        unsigned m = 0;
        rc = group ? 1 : -ENOMEM;
        pthread_mutex_lock(&t->job_lock);
        pthread_mutex_lock(&t->lock);
        for (unsigned j = 0; group && j < t->npartitions && m < GROUP; j++) {
            struct partition *p = t->partitions[j];
            if (p->start < start || p->broken || p->bad_delete || !partition_has_hot(p))
                continue;
            bool small = is_small(p, &rows);
            if (m > 0 && (!small || rows > GROUP_ROWS))
                break;
            group[m++] = (struct migration){.partition = p, .small = small};
            if (!small) /* memory is short: one at a time */
                break;
        }
        pthread_mutex_unlock(&t->lock);
        if (m > 0)
            partitions_move(oldest, group, m);
        for (unsigned j = 0; j < m; j++) {
            int one = finished(oldest, &group[j], &err);
            rc = one < 0 ? one : rc;
        }
        pthread_mutex_unlock(&t->job_lock);
        free(group);
    }
    for (unsigned i = 0; i < n; i++)
        tsfs_node_unref(tables[i]);
    free(tables);
    return rc;
}

/* False: memory is short and nothing can be freed at present. */
static bool relieve(struct tsfs_engine *engine)
{
    int rc = 1;
    while (near_budget(engine) && rc == 1 && !engine->stopping) {
        rc = free_memory(engine);
        pthread_mutex_lock(&engine->jobs_lock);
        engine->passes++;
        engine->pressure_result = rc;
        pthread_cond_broadcast(&engine->jobs_done);
        pthread_mutex_unlock(&engine->jobs_lock);
    }
    return rc == 1;
}

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ns)
{
    int64_t at = tsfs_time_monotonic() + ns;
    struct timespec ts = {(time_t)(at / TSFS_NS_PER_S), (long)(at % TSFS_NS_PER_S)};
    pthread_cond_timedwait(cond, lock, &ts);
}

static int wait_memory(struct tsfs_engine *engine, bool may_wait, struct tsfs_error *err)
{
    if (!near_budget(engine))
        return 0;
    int rc = 0;
    int64_t stuck = 0; /* since when nothing moves */
    pthread_mutex_lock(&engine->jobs_lock);
    engine->pressure = true;
    pthread_cond_signal(&engine->jobs_wake);
    while (over_budget(engine) && !engine->stopping) {
        if (!may_wait) {
            rc = -EAGAIN;
            break;
        }
        uint64_t seen = engine->passes;
        engine->pressure = true;
        pthread_cond_signal(&engine->jobs_wake);
        wait_until(&engine->jobs_done, &engine->jobs_lock, TSFS_NS_PER_S);
        if (engine->passes == seen)
            continue; /* a migration takes as long as it takes */
        int64_t now = tsfs_time_monotonic();
        int result = engine->pressure_result;
        if (result > 0)
            stuck = 0;
        else if (stuck == 0)
            stuck = now;
        else if (now - stuck > (result < 0 ? BRIEFLY_NS : PATIENCE_NS)) {
            rc = tsfs_error_set(err, -ENOSPC, "the hot tier is full and %s",
                                result < 0 ? "cannot be migrated" : "queries hold its memory");
            break;
        }
    }
    pthread_mutex_unlock(&engine->jobs_lock);
    return rc;
}

int engine_wait_memory(struct tsfs_engine *engine, struct tsfs_error *err)
{
    return wait_memory(engine, true, err);
}

int engine_has_memory(struct tsfs_engine *engine)
{
    return wait_memory(engine, false, NULL);
}

/* ---- the threads ---- */

int table_migrate_now(struct tsfs_node *node, bool (*interrupted)(void *), void *ctx, struct tsfs_error *err)
{
    struct table *t = node->table;
    struct tsfs_engine *engine = node->engine;
    int rc = 0;
    pthread_mutex_lock(&engine->jobs_lock);
    uint64_t mine = ++t->migrate_asked;
    engine->requests++;
    pthread_cond_signal(&engine->jobs_wake);
    while (t->migrate_done < mine && rc == 0) {
        wait_until(&engine->jobs_done, &engine->jobs_lock, 50 * TSFS_NS_PER_MS);
        if (engine->stopping || node->dead || (interrupted && interrupted(ctx)))
            rc = -EINTR;
    }
    if (rc == 0 && t->migrate_result < 0)
        rc = tsfs_error_set(err, t->migrate_result, "%s", t->migrate_message);
    pthread_mutex_unlock(&engine->jobs_lock);
    return rc;
}

static void serve_requests(struct tsfs_node *node)
{
    struct table *t = node->table;
    struct tsfs_engine *engine = node->engine;
    struct tsfs_error err = {0};
    pthread_mutex_lock(&engine->jobs_lock);
    uint64_t asked = t->migrate_asked;
    bool wanted = asked > t->migrate_done, worked = false;
    pthread_mutex_unlock(&engine->jobs_lock);
    if (!wanted)
        return;
    int rc = work_on(node, true, &worked, &err);
    pthread_mutex_lock(&engine->jobs_lock);
    t->migrate_done = asked;
    t->migrate_result = rc;
    memcpy(t->migrate_message, err.message, sizeof(t->migrate_message));
    pthread_cond_broadcast(&engine->jobs_done);
    pthread_mutex_unlock(&engine->jobs_lock);
    give_back(worked);
}

static void *jobs_main(void *arg)
{
    struct tsfs_engine *engine = arg;
    int64_t next_round = 0;
    while (!engine->stopping) {
        struct tsfs_node **tables;
        unsigned n;
        pthread_mutex_lock(&engine->jobs_lock);
        uint64_t seen = engine->requests;
        pthread_mutex_unlock(&engine->jobs_lock);
        bool relieved = relieve(engine);
        bool round = tsfs_time_monotonic() >= next_round;
        if (engine_tables(engine, &tables, &n) == 0) {
            for (unsigned i = 0; i < n; i++) {
                if (!engine->stopping)
                    serve_requests(tables[i]);
                if (round && !engine->stopping) {
                    bool worked = false;
                    int rc = work_on(tables[i], false, &worked, NULL); /* reported where it happens */
                    (void)rc;
                    give_back(worked);
                    rest(tables[i]);
                }
                tsfs_node_unref(tables[i]);
            }
            free(tables);
        }
        if (round)
            next_round = tsfs_time_monotonic() + ROUND_NS;
        pthread_mutex_lock(&engine->jobs_lock);
        if (engine->requests == seen && !engine->stopping && !engine->pressure)
            wait_until(&engine->jobs_wake, &engine->jobs_lock, ROUND_NS);
        engine->pressure = false;
        pthread_mutex_unlock(&engine->jobs_lock);
        if (!relieved) { /* those who wait for memory ask again at once */
            struct timespec breath = {0, BREATH_NS};
            nanosleep(&breath, NULL);
        }
    }
    return NULL;
}

/* Syncs each table's logs when its sync_interval has passed since the last time. */
static void *sync_main(void *arg)
{
    struct tsfs_engine *engine = arg;
    while (!engine->stopping) {
        struct tsfs_node **tables;
        unsigned n;
        if (engine_tables(engine, &tables, &n) == 0) {
            for (unsigned i = 0; i < n; i++) {
                struct table *t = tables[i]->table;
                int64_t now = tsfs_time_monotonic();
                if (t->dirty && now - t->last_sync >= node_settings(tables[i]).sync_interval) {
                    int rc = table_sync(tables[i]);
                    t->last_sync = now;
                    if (rc < 0) {
                        struct tsfs_error err = {0};
                        tsfs_error_set(&err, rc, "the log could not be written to disk: %s", strerror(-rc));
                        node_report(tables[i], "sync", &err, (struct tsfs_str){NULL, 0});
                        tsfs_log(TSFS_LOG_ERROR, "%s", err.message);
                        t->last_sync = now + 10 * TSFS_NS_PER_S;
                    }
                }
                tsfs_node_unref(tables[i]);
            }
            free(tables);
        }
        struct timespec tick = {0, SYNC_TICK_NS};
        nanosleep(&tick, NULL);
    }
    return NULL;
}

int jobs_start(struct tsfs_engine *engine)
{
    if (engine->options.read_only)
        return 0;
    int rc = pthread_create(&engine->jobs_thread, NULL, jobs_main, engine);
    if (rc)
        return -rc;
    rc = pthread_create(&engine->sync_thread, NULL, sync_main, engine);
    if (rc) {
        engine->stopping = true;
        pthread_join(engine->jobs_thread, NULL);
        return -rc;
    }
    engine->threads_running = true;
    return 0;
}

void jobs_stop(struct tsfs_engine *engine)
{
    struct tsfs_node **tables;
    unsigned n;
    engine->stopping = true;
    if (!engine->threads_running)
        return;
    if (engine_tables(engine, &tables, &n) == 0) {
        for (unsigned i = 0; i < n; i++) {
            tables[i]->table->job.progress.cancel = true;
            tsfs_node_unref(tables[i]);
        }
        free(tables);
    }
    pthread_mutex_lock(&engine->jobs_lock);
    pthread_cond_broadcast(&engine->jobs_wake);
    pthread_cond_broadcast(&engine->jobs_done);
    pthread_mutex_unlock(&engine->jobs_lock);
    pthread_join(engine->jobs_thread, NULL);
    pthread_join(engine->sync_thread, NULL);
    engine->threads_running = false;
}
