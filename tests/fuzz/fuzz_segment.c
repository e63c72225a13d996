/* Any bytes as a segment file: opened, its columns listed, read by two kinds of scan, verified.  Beside
 * crashes it catches runs without rows, blocks outside of their run, and files that pass as verified without
 * having a row. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/io.h"
#include "base/limits.h"
#include "cold/cold.h"
#include "fuzz.h"

/* A schema of the file's own columns. */
static struct tsfs_schema *schema_of(struct tsfs_segment *s, struct tsfs_arena *arena)
{
    struct tsfs_schema *base, *schema = NULL;
    struct tsfs_column *cols;
    unsigned n, m = 0;
    if (tsfs_segment_columns(s, &cols, &n, arena, NULL) != 0 || tsfs_schema_create(&base) != 0)
        return NULL;
    for (unsigned i = 0; i < n; i++)
        if (cols[i].role == TSFS_ROLE_DIMENSION || cols[i].role == TSFS_ROLE_MEASURE)
            cols[m++] = cols[i];
    if (tsfs_schema_extend(base, cols, m, &schema, NULL) != 0)
        schema = NULL;
    tsfs_schema_unref(base);
    return schema;
}

static void read_run(struct tsfs_cursor *c, const struct tsfs_run *run, const struct tsfs_schema *schema)
{
    const int64_t *time;
    const struct tsfs_block *blocks;
    uint32_t n;
    REQUIRE(run->nrows > 0);
    if (c->ops->times(c, 0, run->nrows, &time, NULL) != 0)
        return;
    for (uint16_t m = 0; m < schema->nmeasures; m++) {
        struct tsfs_vec v;
        if (c->ops->column(c, schema->measures[m], 0, run->nrows, &v, NULL) != 0)
            return;
        uint64_t sum = 0;
        for (uint32_t i = 0; i < (v.constant ? 1 : run->nrows); i++) {
            struct tsfs_value x = tsfs_vec_get(&v, i);
            if (!x.null && x.type == TSFS_VARCHAR)
                for (size_t k = 0; k < x.s.len; k++)
                    sum += (uint8_t)x.s.ptr[k];
        }
        REQUIRE(sum < UINT64_MAX);
    }
    if (c->ops->blocks(c, &blocks, &n, NULL) != 0)
        return;
    for (uint32_t b = 0; b < n; b++) {
        const struct tsfs_summary *sum;
        REQUIRE(blocks[b].row + blocks[b].nrows <= run->nrows);
        for (uint16_t m = 0; m < schema->nmeasures; m++)
            if (c->ops->summary(c, schema->measures[m], b, &sum, NULL) == 0 && sum)
                REQUIRE(sum->count <= TSFS_BLOCK_ROWS);
    }
}

static void read_all(struct tsfs_segment *s, struct tsfs_schema *schema, const struct tsfs_scan_spec *spec)
{
    struct tsfs_partition_view view = {.schema = schema, .segments = {s}, .nsegments = 1};
    struct tsfs_cursor *c;
    struct tsfs_run run;
    (void)tsfs_cold_estimate(&view, spec);
    (void)tsfs_segment_may_match(s, schema, spec);
    if (tsfs_cold_cursor(&view, spec, 0, 1, false, &c, NULL) != 0)
        return;
    while (c->ops->next_run(c, &run, NULL) == 1)
        read_run(c, &run, schema);
    c->ops->close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct tsfs_segment *s;
    struct tsfs_arena arena;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    tsfs_arena_init(&arena, NULL);
    if (tsfs_io_write_all(fd, data, size, 0) == 0 && tsfs_segment_open(AT_FDCWD, path, &s, NULL) == 0) {
        struct tsfs_segment_facts facts;
        struct tsfs_schema *schema = schema_of(s, &arena);
        tsfs_segment_facts(s, &facts);
        if (schema) {
            struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX};
            read_all(s, schema, &spec);
            struct tsfs_str host = TSFS_STR("h1");
            struct tsfs_dim_in in = {schema->ndims ? schema->dims[0] : TSFS_ORDINAL_MEASURE_NAME, 1, &host};
            spec.dim_in = &in;
            spec.n_dim_in = 1;
            spec.time_min = facts.t_min + (facts.t_min < INT64_MAX);
            spec.time_max = facts.t_max - (facts.t_max > INT64_MIN);
            read_all(s, schema, &spec);
            tsfs_schema_unref(schema);
        }
        if (tsfs_segment_verify(s, INT64_MIN, INT64_MAX, NULL) == 0)
            REQUIRE(facts.rows > 0 && facts.t_min <= facts.t_max);
        tsfs_segment_unref(s);
    }
    tsfs_arena_free(&arena);
    close(fd);
    return 0;
}
