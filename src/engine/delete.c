/* DELETE: rows of some series and some time go, from every tier at one moment.
 *
 * Nothing is rewritten for it.  In every partition that it concerns
 *
 *   1. the generation that takes writes is sealed, and a number g of its own is set aside for the delete:
 * rows written from now on have later generations, all that may have to go has an earlier one (one moment for
 *      all partitions, under the write lock);
 *   2. the rows are counted and their series listed, by a scan over what is sealed;
 *   3. range and series are written to del-<g>, a tombstone, under a temporary name, and synced;
 *   4. when that is done in every partition the names are changed, and the folders synced;
 *   5. the tombstones are made known to queries, in all partitions at once, under the table's lock.
 *
 * From then on the merge that queries and migrations read through leaves those rows out (cold/merge_hide.c).
 * The next segment, whose number is not less than g, has them no more; like a log that it covers, del-<g> is
 * garbage then, and start-up removes it if nobody did.
 *
 * A crash before the first name is changed leaves nothing, a crash between the first and the last some
 * partitions with and some without: the statement has not answered yet, and can be repeated.  job_lock is
 * held throughout, so that no migration and no other delete comes between. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/engine_priv.h"
#include "exec/eval.h"
#include "plan/plan.h"

struct target { /* a partition that the delete may concern */
    struct partition *p;
    uint32_t number;
    int64_t time_min, time_max;
    struct tsfs_tombstone_builder builder;
    struct tsfs_tombstone *tombstone; /* NULL: none of its rows go */
    uint64_t rows;
    bool named; /* its file has its name */
};

/* ---- which series ---- */

struct match {
    const struct tsfs_plan *scan;
    struct tsfs_arena arena; /* of one evaluation */
    struct tsfs_arena kept;
    struct tsfs_vec *cols;
    struct tsfs_eval_sets *sets;
    int64_t now;
    int rc;
    struct tsfs_error err;
};

static int fill_columns(struct match *m, const struct tsfs_series *series)
{
    const struct tsfs_plan_scan *scan = &m->scan->scan;
    for (uint32_t i = 0; i < m->scan->ncols; i++) {
        const struct tsfs_column *c = &scan->table.schema->cols[scan->ordinals[i]];
        struct tsfs_str s;
        if (c->role == TSFS_ROLE_MEASURE_NAME)
            s = series->measure_name;
        else if (c->role == TSFS_ROLE_DIMENSION)
            s = c->slot < series->ndims ? series->dims[c->slot] : (struct tsfs_str){NULL, 0};
        else
            continue;
        struct tsfs_value v = {.type = TSFS_VARCHAR, .null = !s.ptr, .s = s};
        int rc = tsfs_vec_constant(&m->arena, v, &m->cols[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool series_match(void *ctx, const struct tsfs_series *series)
{
    struct match *m = ctx;
    uint64_t bits[1] = {1};
    struct tsfs_eval eval = {.arena = &m->arena, .now = m->now, .err = &m->err, .sets = m->sets};
    if (m->rc < 0)
        return false;
    if (m->arena.head)
        tsfs_arena_reset(&m->arena);
    m->rc = fill_columns(m, series);
    if (m->rc == 0)
        m->rc = tsfs_eval_narrow(&eval, m->scan->scan.series_filter, m->cols, 1, bits);
    return m->rc == 0 && bits[0] != 0;
}

static int match_init(struct match *m, const struct delete_request *request)
{
    *m = (struct match){.scan = request->scan, .now = request->now};
    tsfs_arena_init(&m->arena, NULL);
    tsfs_arena_init(&m->kept, NULL);
    m->cols = TSFS_NEW_ARRAY(&m->kept, struct tsfs_vec, request->scan->ncols + 1);
    if (!m->cols)
        return -ENOMEM;
    return request->scan->scan.series_filter
               ? tsfs_eval_prepare(&m->kept, request->scan->scan.series_filter, &m->sets)
               : 0;
}

static void match_free(struct match *m)
{
    tsfs_arena_free(&m->arena);
    tsfs_arena_free(&m->kept);
}

/* ---- sealing ---- */

static bool poll_end(const struct delete_request *request, int64_t deadline, int *rc)
{
    if ((request->cancel && *request->cancel) ||
        (request->interrupted && request->interrupted(request->interrupted_ctx)))
        *rc = -EINTR;
    else if (deadline && tsfs_time_monotonic() > deadline)
        *rc = -ETIMEDOUT;
    return *rc < 0;
}

/* Waits for job_lock: a migration may hold it for long. */
static int lock_jobs(struct table *t, const struct delete_request *request)
{
    int rc = 0;
    while (!poll_end(request, 0, &rc)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 20 * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        int locked = pthread_mutex_clocklock(&t->job_lock, CLOCK_MONOTONIC, &until);
        if (locked == 0)
            return 0;
        if (locked != ETIMEDOUT)
            return -locked;
    }
    return rc;
}

static int cannot(struct tsfs_error *err, const struct partition *p, int rc, const char *why)
{
    char folder[TSFS_PARTITION_NAME_MAX];
    tsfs_partition_folder(p->start, folder);
    return tsfs_error_set(err, rc, "partition %s cannot be read: %s", folder, why);
}

static uint32_t next_number(const struct partition *p)
{
    uint32_t n = p->segment_number;
    if (p->nsealed && p->sealed[p->nsealed - 1]->number > n)
        n = p->sealed[p->nsealed - 1]->number;
    return (p->reserved > n ? p->reserved : n) + 1;
}

/* The partitions in the range, all sealed at one moment.  Under job_lock. */
static int seal(struct tsfs_node *node, const struct tsfs_plan_scan *scan, struct target **out, unsigned *n,
                struct tsfs_error *err)
{
    struct table *t = node->table;
    int rc = 0;
    *n = 0;
    pthread_mutex_lock(&t->write_lock);
    pthread_mutex_lock(&t->lock);
    struct target *targets = calloc(t->npartitions + 1, sizeof(*targets));
    if (!targets)
        rc = -ENOMEM;
    for (unsigned i = 0; i < t->npartitions && rc == 0; i++) {
        struct partition *p = t->partitions[i];
        int64_t last = p->end == INT64_MAX ? INT64_MAX : p->end - 1;
        if (p->start > scan->time_max || last < scan->time_min)
            continue;
        if (p->broken || p->bad_delete) {
            rc = cannot(err, p, -EIO, p->broken ? p->broken : p->bad_delete);
            break;
        }
        if (!p->segment && !p->active && !p->nsealed)
            continue;
        targets[*n] = (struct target){.p = p,
                                      .time_min = scan->time_min > p->start ? scan->time_min : p->start,
                                      .time_max = scan->time_max < last ? scan->time_max : last};
        ++*n;
    }
    for (unsigned i = 0; i < *n && rc == 0; i++) {
        struct partition *p = targets[i].p;
        if (p->active) { /* also an empty one: its number is less than the delete's */
            struct generation **grown = realloc(p->sealed, (p->nsealed + 1) * sizeof(*grown));
            if (!grown) {
                rc = -ENOMEM;
                break;
            }
            p->sealed = grown;
            p->active->parted = true;
            p->sealed[p->nsealed++] = p->active;
            p->active = NULL;
        }
        p->reserved = targets[i].number = next_number(p);
    }
    pthread_mutex_unlock(&t->lock);
    pthread_mutex_unlock(&t->write_lock);
    *out = targets;
    return rc;
}

/* ---- counting ---- */

/* Counts the rows of one partition that go, and makes the tombstone's bytes if there are any. */
static int collect(struct tsfs_node *node, const struct delete_request *request, struct match *match,
                   int64_t deadline, struct target *target, struct tsfs_error *err)
{
    const struct tsfs_plan_scan *scan = &request->scan->scan;
    const uint16_t none = 0;
    bool all = !scan->series_filter;
    struct tsfs_scan_spec spec = {.time_min = target->time_min,
                                  .time_max = target->time_max,
                                  .series_match = all ? NULL : series_match,
                                  .series_ctx = match,
                                  .dim_in = scan->dim_in,
                                  .n_dim_in = scan->n_dim_in,
                                  .columns = &none};
    struct tsfs_partition_view view = {0};
    struct tsfs_cursor *cursor = NULL;
    struct tsfs_run run;
    int rc = partition_open_view(node, target->p, target->p->nsealed, &spec, &view);
    if (rc == 0)
        rc = tsfs_tombstone_begin(&target->builder, view.schema, target->number, all, target->time_min,
                                  target->time_max, tsfs_time_now());
    if (rc == 0)
        rc = tsfs_cold_cursor(&view, &spec, 0, 1, false, &cursor, err);
    for (unsigned k = 1; rc == 0; k++) {
        if (k % 64 == 0 && poll_end(request, deadline, &rc))
            break;
        rc = cursor->ops->next_run(cursor, &run, err);
        if (rc <= 0)
            break;
        rc = 0;
        target->rows += run.nrows;
        if (!all && !run.same_series)
            rc = tsfs_tombstone_add(&target->builder, &run.series);
        if (rc == -E2BIG)
            tsfs_error_set(err, rc,
                           "the DELETE concerns too many series of one partition: more than %u MiB "
                           "of names",
                           TSFS_TOMBSTONE_MAX >> 20);
        else if (rc == 0 && request->memory && target->builder.bytes.cap > request->memory)
            rc = tsfs_error_set(err, -ENOMEM, "the DELETE lists more series than query_memory has room for");
    }
    if (match->rc < 0) {
        rc = match->rc;
        *err = match->err;
    }
    if (rc == 0 && target->rows)
        rc = tsfs_tombstone_end(&target->builder);
    if (rc == 0 && target->rows)
        rc = tsfs_tombstone_parse(tsfs_buf_str(&target->builder.bytes), view.schema, &target->tombstone, err);
    if (!target->rows)
        tsfs_tombstone_builder_free(&target->builder);
    if (cursor)
        cursor->ops->close(cursor);
    partition_close_view(&view);
    return rc;
}

/* ---- files ---- */

static void file_name(const struct target *target, char path[96], char tmp[112])
{
    char folder[TSFS_PARTITION_NAME_MAX];
    tsfs_partition_folder(target->p->start, folder);
    snprintf(path, 96, "%s/del-%06u", folder, target->number);
    snprintf(tmp, 112, "%s.tmp", path);
}

static int write_file(struct tsfs_node *node, const struct target *target)
{
    const struct tsfs_io *io = tsfs_io();
    const struct tsfs_buf *bytes = &target->builder.bytes;
    char path[96], tmp[112];
    file_name(target, path, tmp);
    int fd = io->openat(node->dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fd;
    int rc = tsfs_io_write_all(fd, bytes->data, bytes->len, 0);
    if (rc == 0)
        rc = io->fsync(fd);
    int closed = io->close(fd);
    return rc < 0 ? rc : closed;
}

static int write_files(struct tsfs_node *node, struct target *targets, unsigned n)
{
    const struct tsfs_io *io = tsfs_io();
    char path[96], tmp[112], folder[TSFS_PARTITION_NAME_MAX];
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        if (targets[i].tombstone)
            rc = write_file(node, &targets[i]);
    }
    for (unsigned i = 0; i < n && rc == 0; i++) {
        if (!targets[i].tombstone)
            continue;
        file_name(&targets[i], path, tmp);
        rc = io->renameat(node->dirfd, tmp, node->dirfd, path);
        targets[i].named = rc == 0;
    }
    for (unsigned i = 0; i < n && rc == 0; i++) {
        if (!targets[i].tombstone)
            continue;
        tsfs_partition_folder(targets[i].p->start, folder);
        rc = tsfs_io_sync_dir(node->dirfd, folder);
    }
    return rc;
}

/* The statement failed: its files go.  One that will not stays in force, as it would after a restart. */
static void take_back(struct tsfs_node *node, struct target *targets, unsigned n)
{
    const struct tsfs_io *io = tsfs_io();
    char path[96], tmp[112], folder[TSFS_PARTITION_NAME_MAX];
    for (unsigned i = 0; i < n; i++) {
        if (!targets[i].tombstone)
            continue;
        file_name(&targets[i], path, tmp);
        tsfs_partition_folder(targets[i].p->start, folder);
        if (!targets[i].named) {
            io->unlinkat(node->dirfd, tmp, 0);
            continue;
        }
        int rc = io->unlinkat(node->dirfd, path, 0);
        if (rc < 0) {
            tsfs_log(TSFS_LOG_ERROR, "%s: a DELETE failed, but its record cannot be removed (%s): it holds",
                     path, strerror(-rc));
            continue;
        }
        targets[i].named = false;
        rc = tsfs_io_sync_dir(node->dirfd, folder);
        (void)rc; /* after a crash it may hold after all: its client knows only that it failed */
    }
}

/* Room for one more tombstone.  Under job_lock. */
static int reserve(struct tsfs_node *node, struct partition *p)
{
    struct table *t = node->table;
    pthread_mutex_lock(&t->lock);
    struct tsfs_tombstone **grown = realloc(p->deletes, (p->ndeletes + 1) * sizeof(*grown));
    if (grown)
        p->deletes = grown;
    pthread_mutex_unlock(&t->lock);
    return grown ? 0 : -ENOMEM;
}

/* Under job_lock. */
static int delete_rows(struct tsfs_node *node, const struct delete_request *request, struct match *match,
                       struct target *targets, unsigned n, uint64_t *rows, struct tsfs_error *err)
{
    struct table *t = node->table;
    int64_t deadline = request->timeout ? tsfs_time_monotonic() + request->timeout : 0;
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = collect(node, request, match, deadline, &targets[i], err);
        if (rc == 0 && targets[i].tombstone)
            rc = reserve(node, targets[i].p);
        *rows += targets[i].rows;
    }
    if (rc == 0 && *rows)
        rc = table_sync_schema(node); /* the folders, and the columns that the tombstones name */
    if (rc == 0 && *rows) {
        rc = write_files(node, targets, n);
        if (rc < 0) {
            tsfs_error_set(err, rc, "cannot keep a record of the deleted rows: %s", strerror(-rc));
            take_back(node, targets, n);
        }
    }
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < n; i++) {
        struct partition *p = targets[i].p;
        if (!targets[i].named)
            continue;
        p->deletes[p->ndeletes++] = targets[i].tombstone;
        targets[i].tombstone = NULL;
        node->mtime = tsfs_time_now();
    }
    pthread_mutex_unlock(&t->lock);
    /* Partitions that are empty now cost nothing to clean up. */
    for (unsigned i = 0; i < n && rc == 0; i++) {
        struct partition *p = targets[i].p;
        struct tsfs_error own = {0};
        if (!request->scan->scan.series_filter && targets[i].time_min == p->start &&
            targets[i].time_max >= (p->end == INT64_MAX ? INT64_MAX : p->end - 1) && targets[i].rows) {
            int migrated = partition_migrate(node, p, &own);
            (void)migrated; /* reported; tried again in the background */
        }
    }
    return rc;
}

int table_delete(struct tsfs_node *node, const struct delete_request *request, uint64_t *rows,
                 struct tsfs_error *err)
{
    struct table *t = node->table;
    struct target *targets = NULL;
    struct match match;
    unsigned n = 0;
    *rows = 0;
    if (request->scan->scan.empty)
        return 0;
    int rc = match_init(&match, request);
    if (rc == 0)
        rc = lock_jobs(t, request);
    if (rc == 0) {
        rc = node->dead ? tsfs_error_set(err, -ENOENT, "the table has been removed") : 0;
        if (rc == 0)
            rc = seal(node, &request->scan->scan, &targets, &n, err);
        if (rc == 0)
            rc = delete_rows(node, request, &match, targets, n, rows, err);
        pthread_mutex_unlock(&t->job_lock);
    }
    for (unsigned i = 0; i < n; i++) {
        tsfs_tombstone_builder_free(&targets[i].builder);
        tsfs_tombstone_unref(targets[i].tombstone);
    }
    free(targets);
    match_free(&match);
    return rc;
}

/* ---- start-up and migration ---- */

int partition_load_delete(struct tsfs_node *node, struct partition *p, const char *path, uint32_t number,
                          struct tsfs_error *err)
{
    struct tsfs_error why = {0};
    struct tsfs_buf bytes = {0};
    struct tsfs_tombstone *t = NULL;
    struct tsfs_tombstone_facts facts;
    p->reserved = number;
    int rc = tsfs_io_read_file(node->dirfd, path, TSFS_TOMBSTONE_MAX, &bytes);
    if (rc == 0)
        rc = tsfs_tombstone_parse(tsfs_buf_str(&bytes), node->table->schema, &t, &why);
    tsfs_buf_free(&bytes);
    if (rc == 0) {
        tsfs_tombstone_facts(t, &facts);
        if (facts.generation != number)
            rc =
                tsfs_error_set(&why, -EINVAL, "it is the record of another generation, %u", facts.generation);
    }
    if (rc == 0)
        rc = reserve(node, p);
    if (rc == 0) {
        p->deletes[p->ndeletes++] = t;
        return 0;
    }
    tsfs_tombstone_unref(t);
    if (rc == -ENOMEM)
        return tsfs_error_set(err, rc, "out of memory");
    char where[2 * TSFS_NAME_MAX + 8], text[TSFS_ERROR_MESSAGE_MAX + 96];
    node_path(node, where, sizeof(where));
    tsfs_error_set(&why, rc, "%s", strerror(-rc));
    snprintf(text, sizeof(text), "%s: %s", path, why.message);
    tsfs_log(TSFS_LOG_ERROR, "%s: %s; the partition is not read, lest deleted rows come back", where, text);
    node_report(node, "recovery", &why, tsfs_str_from(path));
    if (p->bad_delete)
        return 0;
    p->bad_delete = strdup(text);
    return p->bad_delete ? 0 : -ENOMEM;
}

unsigned partition_forget_deletes(struct partition *p, uint32_t number, struct tsfs_tombstone **gone)
{
    struct tsfs_tombstone_facts facts;
    unsigned n = 0;
    while (n < p->ndeletes) {
        tsfs_tombstone_facts(p->deletes[n], &facts);
        if (facts.generation > number)
            break;
        gone[n] = p->deletes[n];
        n++;
    }
    p->ndeletes -= n;
    if (n)
        memmove(p->deletes, p->deletes + n, p->ndeletes * sizeof(*p->deletes));
    return n;
}

int partition_remove_deletes(struct tsfs_node *node, struct partition *p, struct tsfs_tombstone **gone,
                             unsigned n)
{
    struct tsfs_tombstone_facts facts;
    int rc = 0;
    for (unsigned i = 0; i < n; i++) {
        char path[96], tmp[112];
        tsfs_tombstone_facts(gone[i], &facts);
        file_name(&(struct target){.p = p, .number = facts.generation}, path, tmp);
        int one = tsfs_io()->unlinkat(node->dirfd, path, 0);
        if (rc == 0)
            rc = one;
        tsfs_tombstone_unref(gone[i]);
    }
    return rc;
}
