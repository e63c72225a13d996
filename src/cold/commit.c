/* From a view of a partition to a committed segment: which columns the file gets, the temporary file, the
 * rename that is the commit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "cold/cold_priv.h"

/* With few columns in the table every file simply gets all of them; else those that have a value. */
#define COLUMNS_FEW 64

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

/* Marks what the segments have. */
static int segment_columns(const struct tsfs_partition_view *view, bool *dims, bool *measures,
                           struct tsfs_error *err)
{
    const struct tsfs_schema *schema = view->schema;
    struct tsfs_arena arena;
    int rc = 0;
    tsfs_arena_init(&arena, NULL);
    for (unsigned i = 0; rc == 0 && i < view->nsegments; i++) {
        struct tsfs_column *cols;
        unsigned n;
        rc = tsfs_segment_columns(view->segments[i], &cols, &n, &arena, err);
        for (unsigned k = 0; rc == 0 && k < n; k++) {
            uint16_t o = tsfs_schema_find(schema, cols[k].name);
            if (o == TSFS_ORDINAL_NONE)
                continue; /* the cursor will refuse it */
            if (schema->cols[o].role == TSFS_ROLE_DIMENSION)
                dims[schema->cols[o].slot] = true;
            else if (schema->cols[o].role == TSFS_ROLE_MEASURE)
                measures[schema->cols[o].slot] = true;
        }
    }
    tsfs_arena_free(&arena);
    return rc;
}

/* Marks what hot rows have. */
static int hot_columns(const struct tsfs_partition_view *view, bool *dims, bool *measures)
{
    struct tsfs_arena arena;
    int rc = 0;
    tsfs_arena_init(&arena, NULL);
    for (unsigned h = 0; h < view->nhots; h++) {
        uint32_t count = tsfs_hot_snap_count(view->snaps[h]);
        for (uint32_t i = 0; rc == 0 && i < count; i++) {
            struct tsfs_hot_piece *pieces;
            struct tsfs_series series;
            uint32_t n;
            tsfs_hot_snap_series(view->snaps[h], i, &series);
            for (uint16_t d = 0; d < series.ndims && d < view->schema->ndims; d++)
                dims[d] |= series.dims[d].ptr != NULL;
            rc = tsfs_hot_snap_pieces(view->snaps[h], i, &arena, &pieces, &n);
            for (uint32_t k = 0; rc == 0 && k < n; k++)
                for (uint16_t c = 0; c < pieces[k].ncols && c < view->schema->nmeasures; c++)
                    measures[c] |= pieces[k].cols[c].data != NULL;
            tsfs_arena_reset(&arena);
        }
    }
    tsfs_arena_free(&arena);
    return rc;
}

static int choose(const struct tsfs_partition_view *view, bool *dims, bool *measures, struct tsfs_error *err)
{
    const struct tsfs_schema *schema = view->schema;
    if (schema->ncols <= COLUMNS_FEW) {
        memset(dims, 1, schema->ndims);
        memset(measures, 1, schema->nmeasures);
        return 0;
    }
    int rc = segment_columns(view, dims, measures, err);
    if (rc)
        return rc;
    rc = hot_columns(view, dims, measures);
    return rc ? oom(err) : 0;
}

/* Writes view's rows to the open file fd. */
int cold_write_view(int fd, const struct tsfs_partition_view *view, struct tsfs_pool *pool,
                    struct tsfs_segment_progress *progress, struct tsfs_segment_facts *facts,
                    struct tsfs_error *err)
{
    const struct tsfs_schema *schema = view->schema;
    struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX};
    struct tsfs_cursor *cursor = NULL;
    uint8_t *decimals = NULL;
    bool *dims = calloc(schema->ndims + 1u, sizeof(*dims));
    bool *measures = calloc(schema->nmeasures + 1u, sizeof(*measures));
    int rc = dims && measures ? 0 : oom(err);
    for (unsigned i = 0; rc == 0 && i < view->nhots; i++) {
        rc = tsfs_hot_snap_sort(view->snaps[i]);
        if (rc)
            oom(err);
    }
    if (rc == 0)
        rc = choose(view, dims, measures, err);
    spec.columns = schema->measures;
    spec.n_columns = schema->nmeasures;
    if (rc == 0 && view->decimals) {
        decimals = malloc(schema->nmeasures + 1u);
        if (decimals)
            memcpy(decimals, view->decimals, schema->nmeasures);
        else
            rc = oom(err);
    }
    uint64_t rows = tsfs_cold_estimate(view, NULL);
    /* A column may turn out not to be decimal after all; each time there is one less. */
    unsigned tries = schema->nmeasures + 1u;
    for (bool again = rc == 0; again;) {
        struct tsfs_error own = {0};
        struct cold_write w = {.fd = fd,
                               .schema = view->schema,
                               .dims = dims,
                               .measures = measures,
                               .decimals = decimals,
                               .habits = view->habits,
                               .nhabits = view->nhabits,
                               .rows = rows,
                               .pool = pool,
                               .progress = progress};
        rc = tsfs_cold_cursor(view, &spec, 0, 1, true, &cursor, &own);
        if (rc == 0) {
            rc = write_segment(&w, cursor, facts, &own);
            cursor->ops->close(cursor);
        }
        again = rc == -EDOM && decimals && --tries > 0;
        if (again && (rc = tsfs_io()->ftruncate(fd, 0)) != 0) {
            tsfs_error_set(&own, rc, "cannot write the segment anew: %s", strerror(-rc));
            again = false;
        }
        if (rc && !again && err)
            *err = own;
    }
    free(decimals);
    free(dims);
    free(measures);
    return rc;
}

static int write_file(int dirfd, const char *tmp_path, const struct tsfs_partition_view *view,
                      struct tsfs_pool *pool, struct tsfs_segment_progress *progress, bool sync,
                      struct tsfs_segment_facts *facts, struct tsfs_error *err)
{
    const struct tsfs_io *io = tsfs_io();
    struct stat st;
    memset(facts, 0, sizeof(*facts));
    int fd = io->openat(dirfd, tmp_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return tsfs_error_set(err, fd, "cannot create %s: %s", tmp_path, strerror(-fd));
    int rc = cold_write_view(fd, view, pool, progress, facts, err);
    bool written = rc == 0 && facts->rows > 0;
    if (written) {
        rc = sync ? io->fsync(fd) : 0;
        if (rc == 0)
            rc = io->fstat(fd, &st);
        if (rc)
            tsfs_error_set(err, rc, "cannot write %s to the disk: %s", tmp_path, strerror(-rc));
    }
    int closed = io->close(fd);
    if (written && rc == 0 && closed)
        rc = tsfs_error_set(err, closed, "cannot write %s: %s", tmp_path, strerror(-closed));
    if (rc || !written) {
        (void)io->unlinkat(dirfd, tmp_path, 0);
        return rc;
    }
    facts->inode = st.st_ino;
    facts->mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return 0;
}

int tsfs_segment_write(int dirfd, const char *tmp_path, const struct tsfs_partition_view *view,
                       struct tsfs_pool *pool, struct tsfs_segment_progress *progress,
                       struct tsfs_segment_facts *facts, struct tsfs_error *err)
{
    return write_file(dirfd, tmp_path, view, pool, progress, true, facts, err);
}

int tsfs_segment_write_unsynced(int dirfd, const char *tmp_path, const struct tsfs_partition_view *view,
                                struct tsfs_pool *pool, struct tsfs_segment_progress *progress,
                                struct tsfs_segment_facts *facts, struct tsfs_error *err)
{
    return write_file(dirfd, tmp_path, view, pool, progress, false, facts, err);
}

int tsfs_segment_commit(int dirfd, const char *tmp_path, const char *path, const char *folder)
{
    int rc = tsfs_io()->renameat(dirfd, tmp_path, dirfd, path);
    return rc ? rc : tsfs_io_sync_dir(dirfd, folder);
}
