/* Runs a plan to its end and keeps the rows. */
#ifndef TESTS_EXEC_RUN_H
#define TESTS_EXEC_RUN_H

#include "exec/exec.h"

struct result {
    uint32_t ncols;
    size_t nrows, room;
    struct tsfs_value *values; /* row-major; strings in arena */
    struct tsfs_exec_stats stats;
};

/* 0 or -errno; result's memory is arena's. */
int run_plan(const struct tsfs_plan *plan, const struct tsfs_exec_options *options, struct tsfs_arena *arena,
             struct result *out, struct tsfs_error *err);

/* A row as text in arena; doubles in full, -0 as 0. */
const char *row_text(struct tsfs_arena *arena, const struct tsfs_value *row, uint32_t ncols);

/* All rows as text, in their order. */
const char **result_text(struct tsfs_arena *arena, const struct result *r);
void sort_text(const char **rows, size_t n);

#endif
