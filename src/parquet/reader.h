/* Reads Parquet files with flat schemas: ours and those of other writers.
 *
 * Nothing in a file is trusted.  What cannot be read (nested columns, INT96, FIXED_LEN_BYTE_ARRAY, codecs but
 * zstd, encryption) is -ENOTSUP, what is wrong is -EINVAL, both with a sentence naming the column; errors of
 * the input callback pass through.
 *
 * A reader is immutable once open; a chunk loads its dictionary, column index and Bloom filter on first
 * use under a lock of its own.  Both may be shared by any number of threads; a scratch belongs to one. */
#ifndef TSFS_PARQUET_READER_H
#define TSFS_PARQUET_READER_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "col/vec.h"
#include "parquet/types.h"

/* Where the bytes come from; used from any thread that reads, until tsfs_pq_reader_close. */
struct tsfs_pq_input {
    int (*pread)(void *ctx, void *buf, size_t n, uint64_t offset); /* exactly n bytes: 0 or -errno */
    void *ctx;
    uint64_t size;
};

struct tsfs_pq_reader;
struct tsfs_pq_chunk;

struct tsfs_pq_chunk_info {
    enum tsfs_pq_codec codec;
    uint64_t offset;            /* of its first page in the file, dictionary included */
    uint64_t compressed_size;   /* bytes from there, headers included */
    uint64_t uncompressed_size; /* decoded pages before compression, headers included */
    uint32_t encodings;         /* bit n = enum tsfs_pq_encoding n is said to occur */
    bool has_bloom, has_offset_index, has_column_index;
    struct tsfs_pq_stats stats;
};

struct tsfs_pq_group_info {
    uint64_t first_row; /* in the file */
    uint64_t nrows;
    uint64_t compressed_size;
    const struct tsfs_pq_chunk_info *chunks; /* one a column */
};

/* All of it lives until tsfs_pq_reader_close. */
struct tsfs_pq_info {
    uint64_t nrows;
    uint32_t ncolumns, ngroups, nkv;
    uint32_t nsorting; /* of the first row group */
    const struct tsfs_pq_column *columns;
    const struct tsfs_pq_group_info *groups;
    const struct tsfs_pq_kv *kv;
    const struct tsfs_pq_sorting *sorting;
    struct tsfs_str created_by; /* ptr NULL = absent */
};

/* Reads and checks the footer (not the pages).  input.ctx is borrowed until close. */
TSFS_MUST_CHECK int tsfs_pq_reader_open(struct tsfs_pq_input input, struct tsfs_pq_reader **out,
                                        struct tsfs_error *err);
void tsfs_pq_reader_close(struct tsfs_pq_reader *r); /* after all its chunks; takes NULL */
const struct tsfs_pq_info *tsfs_pq_reader_info(const struct tsfs_pq_reader *r);
/* Where in the file the places of pages begin to be told (OffsetIndex); its size if nowhere. */
uint64_t tsfs_pq_reader_indexes(const struct tsfs_pq_reader *r);

/* The ordinal of a column by its exact name, or UINT32_MAX. */
uint32_t tsfs_pq_reader_find(const struct tsfs_pq_reader *r, struct tsfs_str name);
/* The value of a key; ptr NULL if there is none. */
struct tsfs_str tsfs_pq_reader_kv(const struct tsfs_pq_reader *r, struct tsfs_str key);

struct tsfs_pq_page {
    uint64_t offset; /* of its header in the file */
    uint32_t size;   /* bytes with the header */
    uint32_t nrows;
    uint64_t first_row; /* in the row group */
};

/* Opens one column of one row group: learns where its data pages are, from the OffsetIndex or, where the
 * writer left none, by walking the page headers.  Returns owned. */
TSFS_MUST_CHECK int tsfs_pq_chunk_open(struct tsfs_pq_reader *r, uint32_t group, uint32_t column,
                                       struct tsfs_pq_chunk **out, struct tsfs_error *err);
void tsfs_pq_chunk_close(struct tsfs_pq_chunk *c); /* takes NULL */

/* Ascending by first_row, without gaps from row 0 to the group's nrows; lives as long as the chunk. */
const struct tsfs_pq_page *tsfs_pq_chunk_pages(const struct tsfs_pq_chunk *c, uint32_t *npages);
/* The page that holds row (of the group) < nrows. */
uint32_t tsfs_pq_chunk_find(const struct tsfs_pq_chunk *c, uint64_t row);

/* One entry a page from the ColumnIndex; *out NULL if the file has none.  has_min/has_max false = not known
 * or only NULLs (then null_count = nrows).  Lives as long as the chunk. */
TSFS_MUST_CHECK int tsfs_pq_chunk_stats(struct tsfs_pq_chunk *c, const struct tsfs_pq_stats **out,
                                        struct tsfs_error *err);

/* The chunk's dictionary, flat, without NULLs, in the column's vector type; lives as long as the chunk.  *n =
 * 0 and out->data NULL: the chunk has none. */
TSFS_MUST_CHECK int tsfs_pq_chunk_dictionary(struct tsfs_pq_chunk *c, struct tsfs_vec *out, uint32_t *n,
                                             struct tsfs_error *err);

/* *maybe = false only if no row of the chunk equals value (of the column's vector type; a NULL is always
 * maybe).  Without a Bloom filter it is true. */
TSFS_MUST_CHECK int tsfs_pq_chunk_bloom(struct tsfs_pq_chunk *c, struct tsfs_value value, bool *maybe,
                                        struct tsfs_error *err);

/* Buffers and contexts for decoding; one a thread, reused from page to page. */
struct tsfs_pq_scratch;
TSFS_MUST_CHECK int tsfs_pq_scratch_create(struct tsfs_pq_scratch **out);
void tsfs_pq_scratch_free(struct tsfs_pq_scratch *s); /* takes NULL */
size_t tsfs_pq_scratch_bytes(const struct tsfs_pq_scratch *s);

/* The rows of one page as a vector of page.nrows rows, in memory of the arena (strings may also point into
 * the chunk's dictionary: keep the chunk).  The vector is constant where the page shows at once that all rows
 * are equal (one run of indices, all NULL); constant and flat must both be expected.  Slots of NULL rows hold
 * 0 or the empty string with ptr NULL.  valid is NULL when the page has no NULL. */
TSFS_MUST_CHECK int tsfs_pq_chunk_read(struct tsfs_pq_chunk *c, uint32_t page, struct tsfs_pq_scratch *s,
                                       struct tsfs_arena *arena, struct tsfs_vec *out,
                                       struct tsfs_error *err);

/* The same, but a dictionary-encoded page is left coded: so that a predicate is evaluated once an entry. */
struct tsfs_pq_coded {
    uint32_t nrows;
    /* Per row an entry of the dictionary, 0 where NULL; in the arena.  NULL if the page is not coded: then
     * vec holds the rows as tsfs_pq_chunk_read gives them. */
    const uint32_t *index;
    bool constant;         /* index: entry 0 stands for every row (as valid's bit 0) */
    const uint64_t *valid; /* NULL = no NULLs; for index */
    struct tsfs_vec vec;
};
TSFS_MUST_CHECK int tsfs_pq_chunk_read_coded(struct tsfs_pq_chunk *c, uint32_t page,
                                             struct tsfs_pq_scratch *s, struct tsfs_arena *arena,
                                             struct tsfs_pq_coded *out, struct tsfs_error *err);

#endif
