/* What a partition holds, asked for or not, so that EXPLAIN ANALYZE can say how much of it was left out. */
#include <errno.h>

#include "cold/cold_priv.h"

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

/* Blocks as merge_atoms.c lays them out. */
static int count_blocks(struct cold_index *ix, uint64_t *blocks, struct tsfs_error *err)
{
    const struct cold_series_slice *slice = NULL;
    uint32_t group = 0;
    for (uint32_t i = 0; i < ix->series; i++) {
        int rc = i % COLD_SLICE == 0 ? cold_index_series(ix, i / COLD_SLICE, &slice, err) : 0;
        if (rc)
            return rc;
        uint64_t row = slice->row[i % COLD_SLICE], end = slice->row[i % COLD_SLICE + 1];
        while (row < end) {
            if (ix->group_row[group + 1] <= row) {
                group++;
                continue;
            }
            uint64_t stop = ix->group_row[group + 1] < end ? ix->group_row[group + 1] : end;
            uint32_t n = cold_block_count(stop - row);
            *blocks += n ? n : 1;
            row = stop;
        }
    }
    return 0;
}

static int count_pages(struct tsfs_segment *s, uint32_t column, uint64_t *pages, struct tsfs_error *err)
{
    int rc = 0;
    for (uint32_t group = 0; group < s->index->ngroups && rc == 0; group++) {
        struct tsfs_pq_chunk *chunk;
        uint32_t n;
        rc = segment_chunk(s, group, column, &chunk, err);
        if (rc)
            break;
        (void)tsfs_pq_chunk_pages(chunk, &n);
        *pages += n;
    }
    return rc;
}

static int add_segment(struct tsfs_segment *s, const struct cold_map *map, const struct tsfs_schema *schema,
                       const struct tsfs_scan_spec *spec, struct tsfs_scan_known *known,
                       struct tsfs_error *err)
{
    int rc = count_blocks(s->index, &known->blocks, err);
    known->series += s->index->series;
    if (rc == 0)
        rc = count_pages(s, 0, &known->pages, err);
    for (uint32_t i = 0; i < spec->n_columns && rc == 0; i++) {
        uint16_t o = spec->columns[i];
        if (schema->cols[o].role == TSFS_ROLE_MEASURE && map->column[o] != COLD_NONE)
            rc = count_pages(s, map->column[o], &known->pages, err);
    }
    return rc;
}

int tsfs_cold_known(const struct tsfs_partition_view *view, const struct tsfs_scan_spec *spec,
                    struct tsfs_scan_known *known, struct tsfs_error *err)
{
    struct tsfs_arena arena;
    int rc = 0;
    tsfs_arena_init(&arena, NULL);
    for (unsigned i = 0; i < view->nsegments && rc == 0; i++) {
        struct tsfs_segment *native;
        struct cold_map map;
        rc = segment_acquire(view->segments[i], view->schema, &arena, &native, &map, err);
        if (rc)
            break;
        rc = add_segment(native, &map, view->schema, spec, known, err);
        segment_release(native);
    }
    for (unsigned i = 0; i < view->nhots && rc == 0; i++) {
        uint64_t series, blocks;
        rc = tsfs_hot_count_blocks(view->hots[i], &series, &blocks);
        if (rc)
            rc = oom(err);
        else
            known->series += series, known->blocks += blocks;
    }
    tsfs_arena_free(&arena);
    return rc;
}
