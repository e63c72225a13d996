#include "exec_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

static int keep(struct result *out, const struct tsfs_batch *batch, struct tsfs_arena *arena)
{
    if (batch->nrows == 0 || batch->nrows > TSFS_BATCH_ROWS || batch->sel != NULL)
        return -EPROTO; /* not what tsfs_exec_next promises */
    if (out->nrows + batch->nrows > out->room) {
        size_t room = (out->nrows + batch->nrows) * 2;
        struct tsfs_value *values = tsfs_arena_alloc(arena, room * batch->ncols * sizeof(*values));
        if (values == NULL)
            return -ENOMEM;
        if (out->nrows > 0)
            memcpy(values, out->values, out->nrows * batch->ncols * sizeof(*values));
        out->values = values;
        out->room = room;
    }
    out->ncols = batch->ncols;
    struct tsfs_value *to = out->values + out->nrows * batch->ncols;
    for (uint32_t r = 0; r < batch->nrows; r++)
        for (uint32_t c = 0; c < batch->ncols; c++, to++) {
            *to = tsfs_vec_get(&batch->cols[c], r);
            if (to->type == TSFS_VARCHAR && !to->null && (to->s = tsfs_arena_str(arena, to->s)).ptr == NULL)
                return -ENOMEM;
        }
    out->nrows += batch->nrows;
    return 0;
}

/* ---- parts, several threads at once ---- */

#define STREAMS 3

struct parts {
    struct tsfs_exec_stream *streams[STREAMS];
    struct tsfs_arena arenas[STREAMS];
    struct result results[STREAMS];
    struct tsfs_error errs[STREAMS];
    uint32_t first;
};

static int run_part(void *ctx, size_t i, unsigned worker)
{
    struct parts *parts = ctx;
    struct tsfs_batch *batch;
    int rc;
    tsfs_exec_stream_part(parts->streams[i], parts->first + (uint32_t)i);
    while ((rc = tsfs_exec_stream_next(parts->streams[i], &batch, &parts->errs[i])) > 0)
        if ((rc = keep(&parts->results[i], batch, &parts->arenas[i])) < 0)
            break;
    return rc;
}

/* Rows of a part behind those of the parts before it. */
static int keep_part(struct result *out, const struct result *part, struct tsfs_arena *arena)
{
    int rc = 0;
    for (size_t row = 0; row < part->nrows && rc == 0; row++) {
        struct tsfs_vec cols[64];
        if (part->ncols > 64)
            return -E2BIG;
        for (uint32_t c = 0; c < part->ncols && rc == 0; c++)
            rc = tsfs_vec_constant(arena, part->values[row * part->ncols + c], &cols[c]);
        struct tsfs_batch batch = {.nrows = 1, .nsel = 1, .ncols = part->ncols, .cols = cols};
        if (rc == 0)
            rc = keep(out, &batch, arena);
    }
    return rc;
}

static int run_parts(struct tsfs_exec *exec, struct tsfs_pool *pool, uint32_t n, struct tsfs_arena *arena,
                     struct result *out, struct tsfs_error *err)
{
    struct parts parts = {0};
    int rc = 0;
    for (unsigned i = 0; i < STREAMS && rc == 0; i++)
        rc = tsfs_exec_stream_open(exec, &parts.streams[i], err);
    for (; parts.first < n && rc == 0; parts.first += STREAMS) {
        uint32_t some = n - parts.first < STREAMS ? n - parts.first : STREAMS;
        for (uint32_t i = 0; i < some; i++)
            tsfs_arena_init(&parts.arenas[i], NULL);
        rc = tsfs_pool_run(pool, run_part, &parts, some);
        for (uint32_t i = 0; i < some; i++) {
            if (rc != 0 && parts.errs[i].code != 0 && err != NULL && err->code == 0)
                *err = parts.errs[i];
            if (rc == 0)
                rc = keep_part(out, &parts.results[i], arena);
            parts.results[i] = (struct result){0};
            tsfs_arena_free(&parts.arenas[i]);
        }
    }
    return rc;
}

int run_plan(const struct tsfs_plan *plan, const struct tsfs_exec_options *options, struct tsfs_arena *arena,
             struct result *out, struct tsfs_error *err)
{
    struct tsfs_exec *exec = NULL;
    struct tsfs_batch *batch;
    *out = (struct result){0};
    uint32_t nparts = 0;
    int rc = tsfs_exec_open(plan, options, &exec, err);
    if (rc == 0 && options->pool != NULL)
        rc = tsfs_exec_parts(exec, 0, &nparts, err);
    if (rc == 0 && nparts > 0)
        rc = run_parts(exec, options->pool, nparts, arena, out, err);
    while (rc == 0 && nparts == 0 && (rc = tsfs_exec_next(exec, &batch, err)) > 0)
        rc = keep(out, batch, arena);
    if (exec != NULL)
        tsfs_exec_stats(exec, &out->stats);
    tsfs_exec_close(exec);
    return rc;
}

const char *row_text(struct tsfs_arena *arena, const struct tsfs_value *row, uint32_t ncols)
{
    struct tsfs_buf buf = {0};
    int rc = 0;
    for (uint32_t c = 0; c < ncols && rc == 0; c++) {
        const struct tsfs_value *v = &row[c];
        if (v->null)
            rc = tsfs_buf_printf(&buf, "|-");
        else if (v->type == TSFS_DOUBLE)
            rc = tsfs_buf_printf(&buf, "|%.17g", v->d + 0.0);
        else if (v->type == TSFS_VARCHAR)
            rc = tsfs_buf_printf(&buf, "|'%.*s'", (int)v->s.len, v->s.ptr);
        else if (v->type == TSFS_BOOLEAN)
            rc = tsfs_buf_printf(&buf, "|%s", v->b ? "true" : "false");
        else
            rc = tsfs_buf_printf(&buf, "|%lld", (long long)v->i);
    }
    struct tsfs_str s = tsfs_arena_str(arena, tsfs_buf_str(&buf));
    tsfs_buf_free(&buf);
    if (rc != 0 || s.ptr == NULL)
        abort();
    return s.ptr;
}

const char **result_text(struct tsfs_arena *arena, const struct result *r)
{
    const char **rows = tsfs_arena_alloc(arena, (r->nrows + 1) * sizeof(*rows));
    if (rows == NULL)
        abort();
    for (size_t i = 0; i < r->nrows; i++)
        rows[i] = row_text(arena, r->values + i * r->ncols, r->ncols);
    return rows;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void sort_text(const char **rows, size_t n)
{
    qsort(rows, n, sizeof(*rows), by_text);
}
