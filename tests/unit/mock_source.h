/* A table in memory behind the tsfs_source interface, for tests and benchmarks of what reads one.
 *
 * It can behave like the hot tier (pointers into its arrays) or like the cold one (copies that are freed at
 * the next run, so that a sanitizer sees who keeps them), cut runs short, and hide or show block summaries.
 */
#ifndef TESTS_MOCK_SOURCE_H
#define TESTS_MOCK_SOURCE_H

#include "base/arena.h"
#include "col/source.h"

struct mock_measure {
    void *data;      /* NULL: the series never had it */
    uint64_t *valid; /* NULL: no NULLs */
};

struct mock_series {
    struct tsfs_str measure_name;
    struct tsfs_str *dims; /* by slot */
    uint32_t nrows;
    int64_t *times;                /* ascending */
    struct mock_measure *measures; /* by slot */
};

struct mock_options {
    int64_t partition;   /* ns; 0: one partition */
    uint32_t parts;      /* units of a partition; 0 = 1 */
    uint32_t block_rows; /* 0: no blocks */
    uint32_t run_rows;   /* longer runs are cut; 0: never */
    bool copies;         /* like the cold tier */
    bool no_estimates;   /* units do not say how many rows they have */
    bool hide_some;      /* every third block has no summary, every fifth is not shown at all */
    int (*on_run)(void *ctx, struct tsfs_error *err); /* called at every run; may fail; NULL = nothing */
    void *on_run_ctx;
};

struct mock_table {
    struct tsfs_arena arena;
    struct tsfs_schema *schema;
    struct mock_series *series;
    uint32_t nseries;
};

/* dims and measures are names; types of the measures likewise. */
void mock_table_init(struct mock_table *table, const char *const *dims, uint32_t ndims,
                     const char *const *measures, const enum tsfs_type *types, uint32_t nmeasures,
                     uint32_t nseries);
void mock_table_free(struct mock_table *table);

/* Room for rows of series i; measures are allocated, times and values are the caller's to fill. */
struct mock_series *mock_series_rows(struct mock_table *table, uint32_t i, uint32_t nrows, bool nulls);

/* table is borrowed until the source is freed. */
struct tsfs_source *mock_source_create(const struct mock_table *table, const struct mock_options *options);

/* Cursors and scans that are open now, over all sources: a test's end checks that it is 0. */
int mock_open(void);
/* Scans that were ever opened. */
int mock_scans(void);

/* The benchmark's data: hosts, one row each `step` over `rows` rows, ten measures that walk within [0, 100];
 * doubles or bigints. */
void mock_table_cpu(struct mock_table *table, uint32_t hosts, uint32_t rows, int64_t start, int64_t step,
                    bool integers);

/* Tables of a few series with every type, NULLs, gaps in time, absent dimensions and measures. */
void mock_table_random(struct mock_table *table, uint64_t seed);

uint64_t mock_rand(uint64_t *state);

#endif
