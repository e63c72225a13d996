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

int run_plan(const struct tsfs_plan *plan, const struct tsfs_exec_options *options, struct tsfs_arena *arena,
             struct result *out, struct tsfs_error *err)
{
    struct tsfs_exec *exec = NULL;
    struct tsfs_batch *batch;
    *out = (struct result){0};
    int rc = tsfs_exec_open(plan, options, &exec, err);
    while (rc == 0 && (rc = tsfs_exec_next(exec, &batch, err)) > 0)
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
