/* Rows of one row group while they are collected for writing. */
#ifndef TSFS_COLD_ROWGROUP_H
#define TSFS_COLD_ROWGROUP_H

#include "cold/cold_priv.h"
#include "parquet/writer.h"

/* Rows per page.  Measured on 10 series-major columns of 8,640-row series (docs/format/segment.md has the
 * figures): smaller pages cost headers and dictionaries' reach, larger ones cost every narrow query. */
#define COLD_PAGE_ROWS         8192u
/* A group of so few rows has one page a column if it has so few series and its strings are short: a query for
 * one of them reads a few times what it needs, which is little, and the file is smaller by three percent or
 * four. */
#define COLD_PAGE_ROWS_SMALL   32768u
#define COLD_PAGE_SERIES_SMALL 4u
#define COLD_PAGE_TEXT_SMALL   (4u << 20) /* bytes of one column */
/* Bytes of strings in a page, with those of one block more: ends it before its rows do.  TSFS_PAGE_MAX is not
 * to be reached. */
#define COLD_PAGE_TEXT         (32u << 20)
/* A page of measure_name or a dimension covers this many of the others'.  It holds a few runs: the header,
 * the bounds and the place of a page are all that it costs. */
#define COLD_KEY_PAGES         8u

struct rowgroup_column {
    enum tsfs_type type;
    void *data;       /* capacity rows, allocated with the first value */
    uint64_t *valid;  /* likewise */
    uint64_t text;    /* bytes of its strings, each as often as it is there */
    uint8_t decimals; /* 1 + digits of a column that is written as a decimal, else 0 */
};

/* The rows of one series in the group. */
struct rowgroup_part {
    uint32_t row, nrows;
    struct tsfs_str *keys; /* [nkeys], lives as long as the index builder */
    bool series_ends;
};

struct rowgroup {
    uint32_t capacity, nrows;
    uint64_t bytes; /* decoded, as counted against TSFS_ROW_GROUP_BYTES */
    int64_t *time;
    uint32_t nmeasures;
    bool texts; /* one of them at least is of strings */
    struct rowgroup_column *measures;
    struct rowgroup_part *parts;
    uint32_t nparts, cap_parts;
    struct tsfs_arena strings;
    /* made at the end of the group */
    uint32_t *block_row, *block_rows, nblocks;
    uint32_t *page_end, npages;
};

/* rows: how many the file gets at most. */
TSFS_MUST_CHECK int rowgroup_init(struct rowgroup *g, const struct cold_column *columns, uint32_t first,
                                  uint32_t ncolumns, uint64_t rows);
void rowgroup_free(struct rowgroup *g);
/* Rows that may be put before it is asked again; 0 = the group is full, write it out first. */
uint32_t rowgroup_room(const struct rowgroup *g);
/* Begins the rows of a series (keys as rowgroup_part). */
TSFS_MUST_CHECK int rowgroup_begin(struct rowgroup *g, struct tsfs_str *keys);
/* n values of measure i (of the file) at row `at`. */
TSFS_MUST_CHECK int rowgroup_put(struct rowgroup *g, uint32_t i, const struct tsfs_vec *vec, uint32_t at,
                                 uint32_t n);
/* Decides blocks and pages. */
TSFS_MUST_CHECK int rowgroup_finish(struct rowgroup *g);
/* Measure i as the Parquet writer and the summaries want it. */
struct tsfs_vec rowgroup_vec(const struct rowgroup *g, uint32_t i);
void rowgroup_reset(struct rowgroup *g);

#endif
