/* The cold tier as files: one read-only Parquet file a partition.  Copying one in is the same as writing its
 * rows now: they go through the log into the hot tier, later than all that is there, and are then migrated.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/time.h"
#include "engine/engine_priv.h"

static void cold_name(struct tsfs_node *node, const struct partition *p, char name[TSFS_PARTITION_NAME_MAX])
{
    tsfs_partition_file(p->start, p->end == INT64_MAX ? node_settings(node).partition : p->end - p->start,
                        name);
}

/* A segment that cannot be read is a file all the same: to be rescued, or removed. */
static bool has_file(const struct partition *p)
{
    return p->segment || p->broken;
}

static void describe(struct tsfs_node *node, const struct partition *p, struct tsfs_cold_file *out)
{
    struct tsfs_segment_facts f;
    char name[TSFS_PARTITION_NAME_MAX];
    if (p->segment)
        tsfs_segment_facts(p->segment, &f);
    else
        f = p->broken_facts;
    cold_name(node, p, name);
    memset(out, 0, sizeof(*out));
    snprintf(out->name, sizeof(out->name), "%s", name);
    out->bytes = f.bytes;
    out->rows = f.rows;
    out->series = f.series;
    out->inode = f.inode;
    out->xxh3 = f.xxh3;
    out->t_min = f.t_min;
    out->t_max = f.t_max;
    out->mtime = f.mtime;
}

/* The partition whose segment has this name.  Under lock. */
static struct partition *find(struct tsfs_node *node, const char *name)
{
    struct table *t = node->table;
    char folder[TSFS_PARTITION_NAME_MAX], own[TSFS_PARTITION_NAME_MAX];
    int64_t start;
    /* 20261122T00... begins like its folder, 2026-11-22T00Z */
    if (strlen(name) < 11)
        return NULL;
    snprintf(folder, sizeof(folder), "%.4s-%.2s-%.5sZ", name, name + 4, name + 6);
    if (tsfs_partition_folder_parse(folder, &start) < 0)
        return NULL;
    struct partition *p = table_find_partition(t, start);
    if (!p || p->start != start || !has_file(p))
        return NULL;
    cold_name(node, p, own);
    return strcmp(own, name) == 0 ? p : NULL;
}

int tsfs_node_cold_list(struct tsfs_node *node, int (*each)(void *ctx, const struct tsfs_cold_file *file),
                        void *ctx)
{
    struct table *t = node->table;
    unsigned n = 0;
    int rc = 0;
    if (!t)
        return -ENOTDIR;
    pthread_mutex_lock(&t->lock);
    struct tsfs_cold_file *files = malloc((t->npartitions + 1) * sizeof(*files));
    for (unsigned i = 0; files && i < t->npartitions; i++)
        if (has_file(t->partitions[i]))
            describe(node, t->partitions[i], &files[n++]);
    pthread_mutex_unlock(&t->lock);
    if (!files)
        return -ENOMEM;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = each(ctx, &files[i]);
    free(files);
    return rc;
}

int tsfs_node_cold_stat(struct tsfs_node *node, const char *name, struct tsfs_cold_file *out)
{
    struct table *t = node->table;
    if (!t)
        return -ENOTDIR;
    pthread_mutex_lock(&t->lock);
    struct partition *p = find(node, name);
    if (p)
        describe(node, p, out);
    pthread_mutex_unlock(&t->lock);
    return p ? 0 : -ENOENT;
}

int tsfs_node_cold_open(struct tsfs_node *node, const char *name, struct tsfs_cold_file *out)
{
    struct table *t = node->table;
    struct tsfs_segment *segment = NULL;
    char path[96];
    if (!t)
        return -ENOTDIR;
    pthread_mutex_lock(&t->lock);
    struct partition *p = find(node, name);
    if (p) {
        describe(node, p, out);
        partition_segment_name(p, p->segment_number, path);
        if (p->segment)
            segment = tsfs_segment_ref(p->segment);
        p->last_read = tsfs_time_monotonic();
    }
    pthread_mutex_unlock(&t->lock);
    if (!p)
        return -ENOENT;
    if (!segment)
        return tsfs_io()->openat(node->dirfd, path, O_RDONLY | O_CLOEXEC, 0);
    int fd = tsfs_segment_dup(segment);
    tsfs_segment_unref(segment);
    return fd;
}

int tsfs_node_cold_remove(struct tsfs_node *node, const char *name)
{
    struct table *t = node->table;
    char path[96];
    int rc = -ENOENT;
    if (!t)
        return -ENOTDIR;
    if (node->engine->options.read_only)
        return -EROFS;
    pthread_mutex_lock(&t->job_lock);
    pthread_mutex_lock(&t->lock);
    struct partition *p = find(node, name);
    pthread_mutex_unlock(&t->lock);
    if (p) {
        partition_segment_name(p, p->segment_number, path);
        if (p->segment)
            partition_hold_file(p->segment);
        rc = tsfs_io()->unlinkat(node->dirfd, path, 0);
        if (rc == 0) {
            char folder[TSFS_PARTITION_NAME_MAX];
            pthread_mutex_lock(&t->lock);
            struct tsfs_segment *old = p->segment;
            char *why = p->broken;
            p->segment = NULL; /* segment_number stays: generations go on from there */
            p->broken = NULL;
            pthread_mutex_unlock(&t->lock);
            tsfs_segment_unref(old);
            free(why);
            tsfs_partition_folder(p->start, folder);
            rc = tsfs_io_sync_dir(node->dirfd, folder);
            node->mtime = tsfs_time_now();
        }
    }
    pthread_mutex_unlock(&t->job_lock);
    return rc;
}

/* ---- attaching ---- */

enum { ROWS_AT_ONCE = 1024 };

struct attach {
    struct tsfs_node *node;
    struct tsfs_schema *schema; /* the table's, with the file's columns; borrowed */
    struct generation *staged[64];
    unsigned nstaged;
    struct tsfs_cell *cells;
    struct tsfs_series_index *index; /* that id, the series of the rows at hand, is of; NULL = none yet */
    uint32_t id;
    uint64_t rows;
};

/* The id of a series in the index of a partition. */
static int find_id(struct attach *a, struct tsfs_series_index *index, const struct tsfs_series *series)
{
    struct tsfs_dim_value dims[TSFS_DIMENSIONS_MAX];
    unsigned ndims = 0;
    for (uint16_t d = 0; d < series->ndims && ndims < TSFS_DIMENSIONS_MAX; d++)
        if (series->dims[d].ptr)
            dims[ndims++] = (struct tsfs_dim_value){d, series->dims[d]};
    int rc = tsfs_series_index_intern(index, series->measure_name, dims, ndims, &a->id);
    a->index = rc == 0 ? index : NULL;
    return rc;
}

/* Under write_lock. */
static int commit(struct attach *a, struct tsfs_error *err)
{
    int rc = generations_log(a->staged, a->nstaged, err);
    if (rc == 0)
        table_publish(a->node->table, a->staged, a->nstaged);
    else
        generations_undo(a->staged, a->nstaged);
    a->nstaged = 0;
    return rc;
}

static int stage(struct attach *a, const struct tsfs_series *series, int64_t time, unsigned ncells,
                 struct tsfs_error *err)
{
    struct partition *p;
    struct generation *g;
    int rc = table_partition(a->node, time, &p, err);
    if (rc == 0)
        rc = partition_writable(a->node, p, &g, err);
    if (rc == 0 && !g->staged && a->nstaged == sizeof(a->staged) / sizeof(a->staged[0]))
        rc = commit(a, err);
    if (rc == 0 && a->index != tsfs_hot_series(g->hot))
        rc = find_id(a, tsfs_hot_series(g->hot), series);
    if (rc < 0)
        return rc;
    for (int tries = 0; tries < 2; tries++) {
        if (!g->staged) {
            g->staged = true;
            a->staged[a->nstaged++] = g;
        }
        rc = tsfs_hot_stage(g->hot, a->schema, a->id, time, a->cells, ncells);
        if (rc != -E2BIG)
            break;
        rc = commit(a, err);
        if (rc < 0)
            break;
    }
    return rc;
}

/* Rows [row, row + n) of the cursor's run.  Under write_lock. */
static int attach_rows(struct attach *a, struct tsfs_cursor *c, const struct tsfs_run *run, uint32_t row,
                       uint32_t n, struct tsfs_vec *vecs, struct tsfs_error *err)
{
    const int64_t *times;
    int rc = c->ops->times(c, row, n, &times, err);
    for (uint16_t m = 0; m < a->schema->nmeasures && rc == 0; m++)
        rc = c->ops->column(c, a->schema->measures[m], row, n, &vecs[m], err);
    if (rc < 0)
        return rc;
    a->index = NULL; /* another series, and the lock was free since the last one */
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        unsigned ncells = 0;
        for (uint16_t m = 0; m < a->schema->nmeasures; m++) {
            if (tsfs_vec_null(&vecs[m], i))
                continue;
            struct tsfs_value v = tsfs_vec_get(&vecs[m], i);
            struct tsfs_cell *cell = &a->cells[ncells++];
            cell->slot = m;
            cell->type = (uint8_t)a->schema->cols[a->schema->measures[m]].type;
            switch (cell->type) {
            case TSFS_BOOLEAN: cell->b = v.b; break;
            case TSFS_DOUBLE: cell->d = v.d; break;
            case TSFS_VARCHAR: cell->s = v.s; break;
            default: cell->i = v.i; break;
            }
        }
        rc = stage(a, &run->series, times[i], ncells, err);
        a->rows += rc == 0;
    }
    return rc;
}

static int attach_all(struct attach *a, struct tsfs_cursor *c, struct tsfs_error *err)
{
    struct table *t = a->node->table;
    struct tsfs_run run;
    struct tsfs_vec *vecs = calloc(a->schema->nmeasures + 1u, sizeof(*vecs));
    a->cells = calloc(a->schema->nmeasures + 1u, sizeof(*a->cells));
    int rc = vecs && a->cells ? 0 : -ENOMEM;
    while (rc == 0) {
        int more = c->ops->next_run(c, &run, err);
        if (more <= 0) {
            rc = more;
            break;
        }
        for (uint32_t row = 0; row < run.nrows && rc == 0; row += ROWS_AT_ONCE) {
            uint32_t n = run.nrows - row < ROWS_AT_ONCE ? run.nrows - row : ROWS_AT_ONCE;
            rc = engine_wait_memory(a->node->engine, err);
            if (rc < 0)
                break;
            pthread_mutex_lock(&t->write_lock);
            rc = a->node->dead ? -ENOENT : attach_rows(a, c, &run, row, n, vecs, err);
            int committed = commit(a, err);
            pthread_mutex_unlock(&t->write_lock);
            if (rc == 0)
                rc = committed;
        }
    }
    free(vecs);
    free(a->cells);
    return rc;
}

/* Columns of the file that the table lacks become the table's; a column of another type refuses the file.
 * What a string column is for is said by the table: a file of another program cannot tell. */
static int match_columns(struct tsfs_node *node, struct tsfs_segment *segment, struct tsfs_error *err)
{
    struct table *t = node->table;
    struct tsfs_arena arena;
    struct tsfs_column *cols, *add = NULL;
    unsigned n, nadd = 0;
    tsfs_arena_init(&arena, NULL);
    int rc = tsfs_segment_columns(segment, &cols, &n, &arena, err);
    if (rc == 0) {
        add = calloc(n + 1, sizeof(*add));
        rc = add ? 0 : -ENOMEM;
    }
    pthread_mutex_lock(&t->write_lock);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        uint16_t ordinal = tsfs_schema_find(t->schema, cols[i].name);
        if (ordinal == TSFS_ORDINAL_NONE)
            add[nadd++] = cols[i];
        else if (t->schema->cols[ordinal].type != cols[i].type)
            rc = tsfs_error_set(err, -EINVAL,
                                "column \"%.*s\" is a %s %s in the file but a %s %s in the table",
                                (int)cols[i].name.len, cols[i].name.ptr, tsfs_type_name(cols[i].type),
                                tsfs_role_name(cols[i].role), tsfs_type_name(t->schema->cols[ordinal].type),
                                tsfs_role_name(t->schema->cols[ordinal].role));
    }
    if (rc == 0 && nadd)
        rc = table_extend(node, add, nadd, err);
    pthread_mutex_unlock(&t->write_lock);
    free(add);
    tsfs_arena_free(&arena);
    return rc;
}

/* The file's rows are the table's first points. */
static int fix_partition(struct tsfs_node *node, const struct tsfs_segment *segment, int64_t now,
                         const struct tsfs_settings *settings, struct tsfs_error *err)
{
    struct tsfs_segment_facts facts;
    tsfs_segment_facts(segment, &facts);
    struct partition_sample sample = {facts.rows, (double)facts.t_max - (double)facts.t_min, facts.t_max};
    int64_t length = partition_length(&sample, now, settings);
    return node_fix_partition(node, &length, err);
}

static int attach(struct tsfs_node *node, int fd, struct tsfs_error *err)
{
    struct table *t = node->table;
    struct attach a = {.node = node};
    struct tsfs_settings settings = node_settings(node);
    struct tsfs_segment *segment = NULL;
    struct tsfs_cursor *cursor = NULL;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int64_t now = tsfs_time_now(), oldest, newest;
    settings_window(&settings, now, &oldest, &newest);
    int rc = tsfs_segment_open(AT_FDCWD, path, &segment, err);
    if (rc == 0)
        rc = tsfs_segment_verify(segment, oldest, newest, err);
    if (rc == 0)
        rc = match_columns(node, segment, err);
    if (rc < 0)
        goto out;
    if (node_partition_open(node)) {
        rc = fix_partition(node, segment, now, &settings, err);
        if (rc < 0)
            goto out;
    }
    pthread_mutex_lock(&t->lock);
    a.schema = tsfs_schema_ref(t->schema);
    pthread_mutex_unlock(&t->lock);
    uint16_t *columns = calloc(a.schema->ncols, sizeof(*columns));
    if (!columns) {
        rc = -ENOMEM;
        goto out;
    }
    for (uint16_t i = 0; i < a.schema->ncols; i++)
        columns[i] = i;
    struct tsfs_scan_spec spec = {
        .time_min = INT64_MIN, .time_max = INT64_MAX, .columns = columns, .n_columns = a.schema->ncols};
    struct tsfs_partition_view view = {.schema = a.schema, .segments = {segment}, .nsegments = 1};
    rc = tsfs_cold_cursor(&view, &spec, 0, 1, true, &cursor, err);
    if (rc == 0) {
        rc = attach_all(&a, cursor, err);
        cursor->ops->close(cursor);
    }
    free(columns);
out:
    tsfs_schema_unref(a.schema);
    tsfs_segment_unref(segment);
    return rc;
}

int tsfs_node_cold_attach(struct tsfs_node *node, const char *name, int fd, struct tsfs_error *err)
{
    struct tsfs_error own = {0};
    if (!err)
        err = &own;
    if (!node->table)
        return -ENOTDIR;
    if (node->engine->options.read_only)
        return -EROFS;
    int rc = attach(node, fd, err);
    if (rc == 0)
        rc = table_migrate_now(node, NULL, NULL, err);
    if (rc < 0) {
        tsfs_error_set(err, rc, "%s", strerror(-rc));
        node_report(node, "attach", err, tsfs_str_from(name));
        if (rc == -EBADMSG || rc == -ENOTSUP)
            rc = -EINVAL;
    }
    return rc;
}
