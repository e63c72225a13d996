/* The merge cursor's parts: merge_series.c walks the series, merge_atoms.c lays out their rows, merge.c makes
 * runs of them, merge_rows.c merges what overlaps row by row. */
#ifndef TSFS_COLD_MERGE_H
#define TSFS_COLD_MERGE_H

#include "cold/cold_priv.h"

#define MERGE_NO_BLOCK UINT64_MAX

/* A segment or the snapshot of a hot generation; later sources win. */
struct merge_source {
    struct tsfs_segment *segment; /* acquired; NULL = hot */
    struct cold_map map;
    struct cold_pages *pages;
    uint64_t series_end; /* end of the current series' rows */
    struct tsfs_hot_snap *snap;
    uint32_t generation; /* hot; 0 = older than every delete */
    uint32_t *list;      /* segment: the numbers of the series wanted; else [pos, end) themselves */
    uint32_t pos, end;
    bool holds, done; /* sorted: series is the next one, not delivered yet */
    uint32_t number;
    struct tsfs_series series;
    struct tsfs_str *dims; /* segment: room for series.dims */
};

struct merge_entry {
    uint32_t source, number;
};

/* Rows that lie together in one source. */
struct merge_atom {
    int64_t t_first, t_last;
    uint64_t row; /* in the segment's file, or in the piece */
    uint32_t nrows;
    uint32_t source;
    uint32_t group;                     /* segment: row group */
    bool cut;                           /* not the first part of its block */
    uint64_t block;                     /* segment: number of the block that this is, MERGE_NO_BLOCK */
    const struct tsfs_hot_piece *piece; /* hot */
};

struct merge {
    struct tsfs_cursor base;
    struct tsfs_schema *schema;
    const struct tsfs_scan_spec *spec;
    bool sorted;
    struct tsfs_arena arena, series_arena, run_arena;
    struct merge_source *sources;
    uint32_t nsources, walking;
    struct tsfs_str *scratch_dims;
    struct tsfs_tombstone *const *deletes;
    uint32_t ndeletes;
    struct tsfs_buf hide_key;
    /* the current series */
    bool *hidden;                /* by delete: it speaks of this series */
    struct merge_entry *entries; /* who has it, earliest source first */
    uint32_t nentries;
    struct tsfs_series series;
    struct merge_atom *atoms; /* in order of time */
    uint32_t natoms, cap_atoms, at;
    bool fresh; /* no run of it was delivered yet */
    /* the current run: atoms [from, to) */
    uint32_t from, to, nrows;
    bool merged;
    struct tsfs_block *blocks;
    uint64_t *block_numbers;
    bool *answered;   /* by block: some summary of it was asked for */
    uint32_t nblocks; /* UINT32_MAX = not asked for yet */
    /* a merged run */
    int64_t *times;
    uint32_t **place;                 /* per atom: where each of its rows went */
    struct tsfs_vec **merged_columns; /* by measure slot, made when asked for */
};

/* merge_series.c.  The next series that is wanted, its entries and m->series: 1, 0 at the end, or an error.
 */
TSFS_MUST_CHECK int merge_next_series(struct merge *m, struct tsfs_error *err);
/* Fills s->series from its series number. */
TSFS_MUST_CHECK int merge_load_series(struct merge *m, struct merge_source *s, uint32_t number,
                                      struct tsfs_error *err);
/* merge_atoms.c.  The atoms of the next series that has rows in the asked range: 1, 0 at the end, or an
 * error. */
TSFS_MUST_CHECK int merge_next_atoms(struct merge *m, struct tsfs_error *err);

/* merge_hide.c.  Which deletes speak of m->series; then takes what they hide out of the atoms [from, natoms),
 * which are s's. */
TSFS_MUST_CHECK int merge_hide_series(struct merge *m, struct tsfs_error *err);
TSFS_MUST_CHECK int merge_hide(struct merge *m, const struct merge_source *s, uint32_t from,
                               struct tsfs_error *err);

/* merge_rows.c.  Merges the times of atoms [from, to): *nrows rows. */
TSFS_MUST_CHECK int merge_rows(struct merge *m, uint32_t *nrows, struct tsfs_error *err);
/* One measure of all rows of the merged run; lives as long as the run. */
TSFS_MUST_CHECK int merge_column(struct merge *m, uint16_t ordinal, const struct tsfs_vec **out,
                                 struct tsfs_error *err);

#endif
