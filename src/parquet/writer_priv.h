/* What the files of the writing half share. */
#ifndef TSFS_PARQUET_WRITER_PRIV_H
#define TSFS_PARQUET_WRITER_PRIV_H

#include <zstd.h>
#include <zstd_errors.h>

#include "parquet/codec.h"
#include "parquet/thrift.h"
#include "parquet/writer.h"

/* How the values of a column lie in memory while it is encoded. */
enum pq_kind { PQ_BOOLS, PQ_INTS, PQ_DOUBLES, PQ_STRINGS }; /* uint8_t, int64_t, double, struct tsfs_str */

enum pq_kind pq_kind_of(enum tsfs_pq_physical physical);
size_t pq_kind_width(enum pq_kind kind);

/* dict.c: the distinct values of a chunk, ascending. */
#define PQ_DICT_ENTRIES_MAX (1u << 17)
#define PQ_DICT_BYTES_MAX   (4u << 20) /* of strings */
struct pq_dict {
    uint32_t n;
    size_t bytes; /* of all strings */
    union {
        uint64_t *numbers;        /* bits of int64_t or double */
        struct tsfs_str *strings; /* borrowed from the values */
    };
};
/* codes[i] (n of them) = the entry of value i.  A run counts weight rows: the more rows, the more entries are
 * worth having.  0; 1 = too many distinct values, d is empty; -ENOMEM.  d lives in the arena. */
TSFS_MUST_CHECK int pq_dict_numbers(const uint64_t *v, size_t n, enum pq_kind kind, struct tsfs_arena *arena,
                                    struct pq_dict *d, uint32_t *codes);
TSFS_MUST_CHECK int pq_dict_strings(const struct tsfs_str *v, const uint64_t *valid, size_t n, size_t rows,
                                    struct tsfs_arena *arena, struct pq_dict *d, uint32_t *codes);

/* stats.c: bounds of values while they pass. */
struct pq_bounds {
    bool any; /* min and max are set */
    uint64_t nulls, nans;
    union {
        int64_t i;
        double d;
        struct tsfs_str s;
    } min, max;
};
void pq_bounds_of(enum pq_kind kind, const void *values, size_t n, struct pq_bounds *b); /* nulls = 0 */
void pq_bounds_merge(enum pq_kind kind, struct pq_bounds *into, const struct pq_bounds *b);
/* The bounds as the format writes them; strings over PQ_BOUND_MAX are shortened into room (lower or raised
 * as they must be; *exact says whether nothing was). */
#define PQ_BOUND_MAX 64
struct tsfs_str pq_bound_min(const struct tsfs_pq_column *column, const struct pq_bounds *b,
                             char room[PQ_BOUND_MAX + 4], bool *exact);
struct tsfs_str pq_bound_max(const struct tsfs_pq_column *column, const struct pq_bounds *b,
                             char room[PQ_BOUND_MAX + 4], bool *exact);
/* brief: short of all that a reader can do without; also of the bounds if they are not short against `pages`
 * bytes of data. */
void pq_stats_write(struct thrift_writer *w, int16_t id, const struct tsfs_pq_column *column,
                    const struct pq_bounds *b, bool brief, uint64_t pages);

/* bloom.c */
TSFS_MUST_CHECK int pq_bloom_build(const struct tsfs_pq_column *column, enum pq_kind kind, const void *values,
                                   size_t n, struct tsfs_buf *out); /* header and bitset; values may repeat */

/* source.c: a chunk's values without NULLs, cut into pages. */
struct pq_source {
    const struct tsfs_pq_column *column;
    enum pq_kind kind;
    uint32_t nrows, npages;
    const uint32_t *page_end;
    size_t nvalues;                          /* not NULL */
    const void *values;                      /* nvalues of the kind's type; NULL for runs */
    const uint64_t *valid;                   /* rows; NULL = no NULLs (or runs) */
    size_t *page_value;                      /* npages + 1: the first value of each page, and nvalues */
    const struct tsfs_pq_chunk_values *runs; /* strings in runs: then values and valid are NULL */
};
TSFS_MUST_CHECK int pq_source_init(struct pq_source *s, const struct tsfs_pq_column *column,
                                   const struct tsfs_pq_chunk_values *values, uint32_t nrows,
                                   const uint32_t *page_end, uint32_t npages, struct tsfs_arena *arena,
                                   struct tsfs_error *err);
/* Turns runs into flat values: when there are too many distinct ones for a dictionary. */
TSFS_MUST_CHECK int pq_source_expand(struct pq_source *s, struct tsfs_arena *arena);

struct pq_page_place {
    uint64_t offset; /* in the encoded chunk */
    uint32_t size;
    uint32_t first_row;
};

struct tsfs_pq_encoded {
    uint32_t column;
    struct tsfs_buf data;           /* pages, the dictionary first */
    uint64_t uncompressed_size;     /* headers included */
    uint32_t dictionary_size;       /* bytes of its page with header; 0 = none */
    enum tsfs_pq_encoding encoding; /* of the data pages */
    bool compressed;                /* any page of it is */
    uint32_t njoint;                /* pages of version 1, levels and values in one frame */
    uint64_t nrows;
    struct pq_bounds bounds; /* min and max point into strings */
    struct tsfs_buf strings; /* what bounds borrows */
    uint32_t npages;
    struct pq_page_place *pages;
    struct tsfs_buf column_index; /* serialised; empty = none is to be written */
    struct tsfs_buf bloom;        /* header and bitset; empty = none */
};

/* page_write.c: pages onto the end of a chunk. */
struct pq_page_writer {
    struct tsfs_pq_encoded *out;
    ZSTD_CCtx *zstd;
    int level;
    struct tsfs_buf levels, values; /* of the page being put together */
    struct tsfs_buf packed, header;
    struct tsfs_buf other, both; /* of a page that is compressed in two ways */
};
TSFS_MUST_CHECK int pq_page_writer_init(struct pq_page_writer *w, int zstd_level,
                                        struct tsfs_pq_encoded *out);
void pq_page_writer_free(struct pq_page_writer *w);
/* Pages to come are compressed at this level. */
TSFS_MUST_CHECK int pq_page_level(struct pq_page_writer *w, int zstd_level);
/* The size that the content of values would have in a page. */
TSFS_MUST_CHECK int pq_page_try(struct pq_page_writer *w, size_t *size);
/* Take the content of values (and levels) and leave them empty. */
TSFS_MUST_CHECK int pq_page_put_dictionary(struct pq_page_writer *w, uint32_t entries, bool sorted,
                                           bool compressed);
TSFS_MUST_CHECK int pq_page_put_data(struct pq_page_writer *w, uint32_t page, uint32_t first_row,
                                     uint32_t nrows, uint32_t nulls, enum tsfs_pq_encoding encoding);

/* chunk_write.c */
TSFS_MUST_CHECK int pq_chunk_encode(struct pq_source *s, int zstd_level, struct tsfs_arena *arena,
                                    struct tsfs_pq_encoded *out);

/* index_write.c */
TSFS_MUST_CHECK int pq_column_index_write(const struct tsfs_pq_column *column, enum pq_kind kind,
                                          const struct pq_bounds *pages, const uint32_t *page_rows,
                                          uint32_t npages, struct tsfs_buf *out);
TSFS_MUST_CHECK int pq_offset_index_write(const struct pq_page_place *pages, uint32_t npages, uint64_t base,
                                          struct tsfs_buf *out);

/* A chunk that is in the file; what the footer says of it. */
struct pq_written_chunk {
    uint64_t offset; /* of the first page */
    uint64_t compressed_size, uncompressed_size;
    uint32_t dictionary_size;
    enum tsfs_pq_encoding encoding;
    bool compressed;
    uint32_t npages, njoint;
    struct pq_bounds bounds;
    struct tsfs_buf strings;
    struct tsfs_buf column_index, offset_index, bloom;
    uint64_t column_index_offset, offset_index_offset, bloom_offset;
    uint32_t column_index_size, offset_index_size, bloom_size;
};
struct pq_written_group {
    uint64_t nrows;
    struct pq_written_chunk *chunks;
};
struct tsfs_pq_writer {
    struct tsfs_pq_sink sink;
    struct tsfs_arena arena;
    struct tsfs_pq_column *columns;
    uint32_t ncolumns;
    struct tsfs_pq_sorting *sorting;
    uint32_t nsorting;
    int zstd_level;
    bool compact;
    bool brief; /* a compact file that turned out to be small */
    bool bare;  /* ... very small */
    struct tsfs_str created_by;
    uint64_t offset;
    struct pq_written_group *groups;
    uint32_t ngroups, groups_cap;
    bool in_group;
    uint32_t next_column;
    uint32_t nrows, npages; /* of the group being written */
    uint32_t *page_end;
    bool failed, finished;
};

/* footer_write.c: FileMetaData. */
TSFS_MUST_CHECK int pq_footer_write(const struct tsfs_pq_writer *w, const struct tsfs_pq_kv *kv, uint32_t nkv,
                                    struct tsfs_buf *out);

#endif
