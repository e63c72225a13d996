/* Tables of statements and expressions with known answers.  An expression is computed twice: folded while it
 * is bound, and for a row when the query runs. */
#ifndef TSFS_TESTS_SQL_CASES_H
#define TSFS_TESTS_SQL_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "col/text.h"
#include "exec/exec.h"
#include "exec/function.h"

#define NOW INT64_C(1700000000000000000)

/* Does not fold what stands on the statement's second line, where a failure to fold is no failure. */
static int fold_first_line(void *ctx, const struct tsfs_expr *e, struct tsfs_arena *arena,
                           struct tsfs_value *out, struct tsfs_error *err)
{
    return e->line == 2 ? -22 : tsfs_exec_fold(e, NOW, arena, out, err);
}

static int fold(void *ctx, const struct tsfs_expr *e, struct tsfs_arena *arena, struct tsfs_value *out,
                struct tsfs_error *err)
{
    return tsfs_exec_fold(e, NOW, arena, out, err);
}

static int no_table(void *ctx, struct tsfs_str database, struct tsfs_str name, struct tsfs_table_ref *out,
                    struct tsfs_error *err)
{
    return tsfs_error_set(err, -2, "no table here");
}

/* Rows as text: cells apart by |, rows by newline; or the error behind a !. */
static char *run(const char *sql, struct tsfs_arena *arena)
{
    struct tsfs_resolver resolver = {
        .now = NOW, .fold = strchr(sql, '\n') != NULL ? fold_first_line : fold, .table = no_table};
    struct tsfs_plan *plan;
    struct tsfs_exec *exec = NULL;
    struct tsfs_batch *batch;
    struct tsfs_error err = {0};
    struct tsfs_exec_options options = {.now = NOW};
    struct tsfs_buf text = {0};
    int rc = tsfs_plan_query(tsfs_str_from(sql), &resolver, tsfs_functions(), arena, &plan, &err);
    if (rc == 0)
        rc = tsfs_exec_open(plan, &options, &exec, &err);
    while (rc == 0 && (rc = tsfs_exec_next(exec, &batch, &err)) > 0) {
        rc = 0;
        for (uint32_t r = 0; r < batch->nrows; r++)
            for (uint32_t c = 0; c < batch->ncols; c++) {
                struct tsfs_value v = tsfs_vec_get(&batch->cols[c], r);
                assert_int_equal(tsfs_buf_printf(&text, "%s%s",
                                                 c > 0          ? "|"
                                                 : text.len > 0 ? "\n"
                                                                : "",
                                                 v.null ? "NULL" : ""),
                                 0);
                assert_int_equal(tsfs_value_append(&v, SIZE_MAX, &text), 0);
            }
    }
    tsfs_exec_close(exec);
    if (rc < 0)
        text.len = 0;
    if (rc < 0 && tsfs_buf_printf(&text, "!%u:%u %s", err.line, err.column, err.message) != 0)
        abort();
    char *out = strndup(tsfs_buf_str(&text).ptr, text.len);
    tsfs_buf_free(&text);
    return out;
}

struct sql_case {
    const char *sql, *expected; /* !text: an error that contains it */
};

static bool agrees(const char *got, const char *expected)
{
    if (expected[0] == '!')
        return got[0] == '!' && strstr(got, expected + 1) != NULL;
    return strcmp(got, expected) == 0;
}

static unsigned check(const struct sql_case *c, const char *sql)
{
    struct tsfs_budget budget = {.limit = 256u << 20};
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, &budget);
    char *got = run(sql, &arena);
    bool good = agrees(got, c->expected);
    if (!good)
        print_error("%s\n  expected %s\n  got      %s\n", sql, c->expected, got);
    free(got);
    tsfs_arena_free(&arena);
    return !good;
}

static void check_all(const struct sql_case *cases, size_t n)
{
    unsigned failed = 0;
    for (size_t i = 0; i < n; i++)
        failed += check(&cases[i], cases[i].sql);
    assert_int_equal(failed, 0);
}

/* Expressions: SELECT is put before them, and then they are computed per row of a column as well. */
static void check_expressions(const struct sql_case *cases, size_t n)
{
    unsigned failed = 0;
    for (size_t i = 0; i < n; i++) {
        char sql[2048];
        snprintf(sql, sizeof(sql), "SELECT %s", cases[i].sql);
        failed += check(&cases[i], sql);
        /* Three rows of which the middle one is asked for: others would raise the errors first. */
        snprintf(sql, sizeof(sql),
                 "SELECT IF(i = 2,\n%s\n) FROM UNNEST(ARRAY[1, 2, 3]) AS t(i) WHERE i = 2 OR random() > 2.0",
                 cases[i].sql);
        failed += check(&cases[i], sql);
    }
    assert_int_equal(failed, 0);
}

#define CASES(array) array, sizeof(array) / sizeof((array)[0])

#endif
