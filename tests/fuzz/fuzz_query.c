/* Any statement without tables from its text to its rows, with the real functions: no crash, no hang, and
 * what comes out can be printed in every format.  Arrays, rows, lambdas, UNNEST and regular expressions are
 * reached through this one. */
#include <errno.h>
#include <stdlib.h>

#include "fuzz.h"
#include "sql_mutator.h"

#include "base/limits.h"
#include "base/time.h"
#include "base/utf8.h"
#include "exec/exec.h"
#include "exec/function.h"
#include "format/format.h"

#define NOW      INT64_C(1700000000000000000)
#define ROWS_MAX 20000u

static int fold(void *ctx, const struct tsfs_expr *e, struct tsfs_arena *arena, struct tsfs_value *out,
                struct tsfs_error *err)
{
    return tsfs_exec_fold(e, NOW, arena, out, err);
}

static int no_table(void *ctx, struct tsfs_str database, struct tsfs_str name, struct tsfs_table_ref *out,
                    struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOENT, "there are no tables here");
}

static int no_names(void *ctx, struct tsfs_arena *arena, struct tsfs_str **names, uint32_t *n,
                    struct tsfs_error *err)
{
    *names = NULL;
    *n = 0;
    return 0;
}

static int no_tables(void *ctx, struct tsfs_str database, struct tsfs_arena *arena, struct tsfs_str **names,
                     uint32_t *n, struct tsfs_error *err)
{
    return no_names(ctx, arena, names, n, err);
}

static void print(struct tsfs_formatter *f, const struct tsfs_batch *batch)
{
    struct tsfs_buf out = {0};
    int rc = tsfs_format_batch(f, batch, &out);
    if (rc != 0 && rc != -ENOMEM)
        abort();
    if (rc == 0 && !tsfs_utf8_valid(tsfs_buf_str(&out)))
        abort();
    tsfs_buf_free(&out);
}

static int run(const struct tsfs_plan *plan, struct tsfs_budget *budget, struct tsfs_error *err)
{
    struct tsfs_exec_options options = {
        .now = NOW, .budget = budget, .deadline = tsfs_time_monotonic() + 2 * TSFS_NS_PER_S};
    struct tsfs_formatter *formats[3] = {0};
    struct tsfs_exec *exec = NULL;
    struct tsfs_batch *batch;
    struct tsfs_str names[64];
    enum tsfs_type types[64];
    uint32_t rows = 0;
    int rc = tsfs_exec_open(plan, &options, &exec, err);
    for (uint32_t i = 0; i < plan->ncols && i < 64; i++) {
        names[i] = plan->cols[i].name;
        types[i] = plan->cols[i].type;
    }
    for (int i = 0; i < 3 && rc == 0 && plan->ncols <= 64; i++)
        if (tsfs_format_create((enum tsfs_format)i, names, types, plan->ncols, &formats[i]) != 0)
            abort();
    while (rc == 0 && (rc = tsfs_exec_next(exec, &batch, err)) > 0 && rows < ROWS_MAX) {
        rc = 0;
        rows += batch->nrows;
        if (batch->nrows == 0 || batch->nrows > TSFS_BATCH_ROWS || batch->ncols != plan->ncols)
            abort();
        for (int i = 0; i < 3; i++)
            if (formats[i] != NULL)
                print(formats[i], batch);
    }
    for (int i = 0; i < 3; i++)
        tsfs_format_free(formats[i]);
    tsfs_exec_close(exec);
    return rc < 0 ? rc : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsfs_resolver resolver = {
        .now = NOW, .table = no_table, .databases = no_names, .tables = no_tables, .fold = fold};
    struct tsfs_budget budget = {.limit = 16u << 20};
    struct tsfs_error err = {0};
    struct tsfs_arena arena;
    struct tsfs_plan *plan;
    tsfs_arena_init(&arena, &budget);
    int rc = tsfs_plan_query((struct tsfs_str){(const char *)data, size}, &resolver, tsfs_functions(), &arena,
                             &plan, &err);
    if (rc == 0)
        rc = run(plan, &budget, &err);
    if (rc != 0 && (err.code != rc || err.message[0] == '\0'))
        abort(); /* an error must say what */
    tsfs_arena_free(&arena);
    return 0;
}
