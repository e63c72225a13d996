/* What the files of the cold tier share. */
#ifndef TSFS_COLD_COLD_PRIV_H
#define TSFS_COLD_COLD_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "cold/cold.h"
#include "cold/index.h"
#include "parquet/reader.h"

#define COLD_KEY_INDEX "tsfs.index"
#define COLD_NONE      UINT32_MAX

/* ---- segment.c: one file, open or shed ---- */

struct tsfs_segment {
    _Atomic uint32_t refs;
    int dirfd;            /* borrowed */
    char *path;           /* NULL: an unnamed file, whose descriptor is all there is */
    bool native;          /* has an index of ours */
    uint64_t number;      /* of all segments ever opened: the cache's name for it */
    _Atomic bool cached;  /* it may have pages in the cache */
    _Atomic bool fetched; /* the kernel was asked for the page indexes at its end */
    struct tsfs_segment_facts facts;
    pthread_mutex_t lock; /* guards what follows; leaf but for loading */
    unsigned pins;
    int fd; /* -1 = shed; then the rest is NULL */
    struct tsfs_pq_reader *reader;
    struct cold_index *index;                /* native only */
    _Atomic(struct tsfs_pq_chunk *) *chunks; /* [group][column], opened on first use */
    struct tsfs_segment *inner;              /* foreign only: its rows sorted, in an unnamed segment */
};

/* Loads what is not loaded and keeps it until unpin. */
TSFS_MUST_CHECK int segment_pin(struct tsfs_segment *s, struct tsfs_error *err);
void segment_unpin(struct tsfs_segment *s);
/* Pinned only; lives until the segment is shed. */
TSFS_MUST_CHECK int segment_chunk(struct tsfs_segment *s, uint32_t group, uint32_t column,
                                  struct tsfs_pq_chunk **out, struct tsfs_error *err);
/* Takes fd (also on failure). */
TSFS_MUST_CHECK int segment_open_fd(int fd, struct tsfs_segment **out, struct tsfs_error *err);

/* How a schema sees a segment's columns. */
struct cold_map {
    uint32_t *column;   /* ordinal -> column of the file, COLD_NONE */
    uint16_t *key_slot; /* key > 0 -> dimension slot; [0] unused */
    bool same_hash;     /* slots are as they were when the file was written: its hashes hold */
};

/* The native segment to read for schema: s itself, or a sorted copy of its rows when s is foreign or sorted
 * by another order of dimensions.  Returns it counted and pinned (segment_release), map in arena.  -EINVAL: a
 * column that schema lacks or has otherwise. */
TSFS_MUST_CHECK int segment_acquire(struct tsfs_segment *s, struct tsfs_schema *schema,
                                    struct tsfs_arena *arena, struct tsfs_segment **out, struct cold_map *map,
                                    struct tsfs_error *err);
void segment_release(struct tsfs_segment *s); /* takes NULL */

/* ---- foreign.c: files of other programs ---- */

/* Checks that the columns can be read at all, and finds the time range. s->reader is open. */
TSFS_MUST_CHECK int foreign_check(struct tsfs_segment *s, int64_t *t_first, int64_t *t_last,
                                  struct tsfs_error *err);
/* What a column of a foreign file is: strings are dimensions unless something knows better. */
TSFS_MUST_CHECK int foreign_column(const struct tsfs_pq_column *c, struct tsfs_column *out,
                                   struct tsfs_error *err);
/* All rows of s (pinned), sorted by schema, as a new native segment in an unnamed file. */
TSFS_MUST_CHECK int foreign_convert(struct tsfs_segment *s, struct tsfs_schema *schema,
                                    struct tsfs_segment **out, struct tsfs_error *err);

/* ---- pages.c: rows of one segment as vectors ---- */

struct cold_pages; /* of one cursor */

/* shared: pages come from and go to the cache; else they are read from the file and kept by no one. */
TSFS_MUST_CHECK int pages_create(struct tsfs_segment *s, bool shared, struct tsfs_scan_stats *stats,
                                 struct cold_pages **out);
void pages_free(struct cold_pages *p); /* takes NULL */
/* What will be asked for, so that what is not in memory can be fetched from the disk ahead and in few pieces:
 * these columns of the file, of the series list[*pos - 1], list[*pos] ... list[n - 1].  All is borrowed. */
void pages_plan(struct cold_pages *p, const uint32_t *columns, uint32_t ncolumns, const uint32_t *list,
                const uint32_t *pos, const uint32_t *n);
/* Rows [row, end) of the file come next: pages outside are given back, vectors handed out before die. */
void pages_focus(struct cold_pages *p, uint64_t row, uint64_t end);
/* Rows of the file, all in one row group, as a flat or constant vector; lives until the next focus. */
TSFS_MUST_CHECK int pages_read(struct cold_pages *p, uint32_t column, uint64_t row, uint32_t n,
                               struct tsfs_vec *out, struct tsfs_error *err);
TSFS_MUST_CHECK int pages_times(struct cold_pages *p, uint64_t row, uint32_t n, const int64_t **out,
                                struct tsfs_error *err);
/* Rows [row, row + n) of vec as a vector of their own, validity moved to bit 0 (in arena). */
TSFS_MUST_CHECK int cold_vec_slice(const struct tsfs_vec *vec, uint32_t row, uint32_t n,
                                   struct tsfs_arena *arena, struct tsfs_vec *out);
/* Puts n rows of src at row `at` of flat arrays (valid: zero bits there). */
void vec_put(const struct tsfs_vec *src, uint32_t n, enum tsfs_type type, void *data, uint64_t *valid,
             size_t at);
struct tsfs_vec cold_vec_null(enum tsfs_type type); /* constant NULL */

/* ---- select.c: series of a segment ---- */

/* Fills series (dims: schema's ndims entries, borrowed by it) from series number i. */
TSFS_MUST_CHECK int select_series(struct cold_index *ix, const struct cold_map *map, uint32_t i,
                                  uint16_t ndims, struct tsfs_str *dims, struct tsfs_series *out,
                                  struct tsfs_error *err);
/* *number = of this series or TSFS_SERIES_NONE; dims is room for ndims entries. */
TSFS_MUST_CHECK int select_find(struct cold_index *ix, const struct cold_map *map,
                                const struct tsfs_series *series, struct tsfs_str *dims, uint32_t *number,
                                struct tsfs_error *err);
/* *number = the first series >= series in canonical order. */
TSFS_MUST_CHECK int select_lower_bound(struct cold_index *ix, const struct cold_map *map,
                                       const struct tsfs_series *series, struct tsfs_str *dims,
                                       uint32_t *number, struct tsfs_error *err);
/* The series of [lo, hi) that spec wants and whose time meets its range, ascending; *list is malloc'd.
 * rows (may be NULL): how many rows they have. */
TSFS_MUST_CHECK int select_matching(struct cold_index *ix, const struct cold_map *map,
                                    const struct tsfs_schema *schema, const struct tsfs_scan_spec *spec,
                                    uint32_t lo, uint32_t hi, uint32_t **list, uint32_t *n, uint64_t *rows,
                                    struct tsfs_error *err);
bool select_times_meet(const struct tsfs_scan_spec *spec, int64_t t_first, int64_t t_last);
/* Does series satisfy dim_in and series_match? */
bool select_wanted(const struct tsfs_schema *schema, const struct tsfs_scan_spec *spec,
                   const struct tsfs_series *series);
/* False if a value asked for is in no dictionary. */
TSFS_MUST_CHECK int select_may_match(struct cold_index *ix, const struct cold_map *map,
                                     const struct tsfs_scan_spec *spec, bool *maybe, struct tsfs_error *err);

/* ---- write.c ---- */

/* As tsfs_segment_write, to an open descriptor, from any cursor in canonical order; nothing is synced. */
struct cold_write {
    int fd;
    struct tsfs_schema *schema;
    const bool *dims, *measures; /* by slot: columns that the file gets */
    uint8_t *decimals;           /* as in tsfs_partition_view; NULL = none */
    struct tsfs_pq_habit *habits;
    unsigned nhabits;
    uint64_t rows; /* of the cursor, at most */
    struct tsfs_pool *pool;
    struct tsfs_segment_progress *progress;
};
/* -EDOM: a column in decimals holds another value; its entry is 0 now: begin again. */
TSFS_MUST_CHECK int write_segment(const struct cold_write *w, struct tsfs_cursor *cursor,
                                  struct tsfs_segment_facts *facts, struct tsfs_error *err);

/* ---- commit.c ---- */

/* Writes view's rows to the open file fd; facts without inode and mtime; nothing is synced. */
TSFS_MUST_CHECK int cold_write_view(int fd, const struct tsfs_partition_view *view, struct tsfs_pool *pool,
                                    struct tsfs_segment_progress *progress, struct tsfs_segment_facts *facts,
                                    struct tsfs_error *err);

#endif
