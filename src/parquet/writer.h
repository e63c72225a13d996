/* Writes a Parquet file: column chunks in, bytes out through a sink.
 *
 *     tsfs_pq_writer_create(...)                    the schema; writes the magic
 *     for each row group:
 *         tsfs_pq_writer_begin_group(nrows, pages)
 *         for each column, in order: tsfs_pq_writer_column(chunk)
 *         tsfs_pq_writer_end_group()
 *     tsfs_pq_writer_raw(...)                       private bytes of the caller, if any
 *     tsfs_pq_writer_finish(key-values)             Bloom filters, page index, footer
 *     tsfs_pq_writer_free()                         always
 *
 * A chunk is encoded whole in memory and leaves through the sink before tsfs_pq_writer_column returns, so
 * only one column of a group need be at hand at a time.  To encode on several threads use
 * tsfs_pq_writer_encode and tsfs_pq_writer_append in place of tsfs_pq_writer_column.
 *
 * After any error the writer can only be freed; what went to the sink is no file. */
#ifndef TSFS_PARQUET_WRITER_H
#define TSFS_PARQUET_WRITER_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/error.h"
#include "col/vec.h"
#include "parquet/types.h"

/* Where the bytes go, strictly one after another. */
struct tsfs_pq_sink {
    int (*write)(void *ctx, const void *data, size_t len); /* all of it: 0 or -errno */
    void *ctx;
};

/* How a small chunk of a column came out best, kept by the caller from file to file for each of its columns
 * (zeros at first): the next ones are written like it, and only some tried in all ways again.  Any number of
 * threads. */
struct tsfs_pq_habit {
    _Atomic uint64_t what;
};

struct tsfs_pq_writer_options {
    const struct tsfs_pq_column *columns;  /* BOOLEAN, INT32, INT64, DOUBLE, BYTE_ARRAY; all is copied */
    uint32_t ncolumns;                     /* 1..TSFS_COLUMNS_MAX + 2 */
    const struct tsfs_pq_sorting *sorting; /* how the rows of every group are sorted; copied */
    uint32_t nsorting;
    int zstd_level;             /* 0 = 3 */
    bool compact;               /* leave out what a small file does not repay (writer.c) */
    struct tsfs_str created_by; /* empty = "tsfs version <version> (build <version>)" form is the caller's
                                   choice; nothing is written then */
};

/* The values of one column in one row group, borrowed during the call.
 *
 * Flat (run_end NULL): vec holds the group's nrows rows (or is constant).
 * Runs: value i of vec stands for rows [run_end[i - 1], run_end[i]), run_end[-1] taken as 0; run_end ascends
 * strictly and ends with nrows.  Equal neighbours are allowed.  No row is ever expanded for strings.
 *
 * Types of vec: BOOLEAN column: TSFS_BOOLEAN (nonzero = true); INT32, INT64: anything that lies as int64_t
 * (-ERANGE if a value does not fit INT32); DOUBLE: TSFS_DOUBLE; BYTE_ARRAY: TSFS_VARCHAR (of ptr NULL only
 * where NULL).  TSFS_UNKNOWN = all NULL.  A NULL in a required column is -EINVAL. */
struct tsfs_pq_chunk_values {
    struct tsfs_vec vec;
    const uint32_t *run_end;
    uint32_t nruns;
};

struct tsfs_pq_writer;
struct tsfs_pq_encoded; /* a chunk ready to be appended */

TSFS_MUST_CHECK int tsfs_pq_writer_create(const struct tsfs_pq_writer_options *options,
                                          struct tsfs_pq_sink sink, struct tsfs_pq_writer **out,
                                          struct tsfs_error *err);

/* page_end: npages row numbers, strictly ascending, the last one nrows: where each page of every
 * column ends.  Copied.  nrows 1..INT32_MAX. */
TSFS_MUST_CHECK int tsfs_pq_writer_begin_group(struct tsfs_pq_writer *w, uint32_t nrows,
                                               const uint32_t *page_end, uint32_t npages,
                                               struct tsfs_error *err);

/* The next column of the group. */
TSFS_MUST_CHECK int tsfs_pq_writer_column(struct tsfs_pq_writer *w, const struct tsfs_pq_chunk_values *values,
                                          struct tsfs_error *err);

/* The two halves of it.  _encode only reads w: any thread, several at once, between begin_group and
 * end_group; *out is owned by the caller until _append takes it (also when _append fails). */
TSFS_MUST_CHECK int tsfs_pq_writer_encode(const struct tsfs_pq_writer *w, uint32_t column,
                                          const struct tsfs_pq_chunk_values *values,
                                          struct tsfs_pq_encoded **out, struct tsfs_error *err);
TSFS_MUST_CHECK int tsfs_pq_writer_append(struct tsfs_pq_writer *w, struct tsfs_pq_encoded *encoded,
                                          struct tsfs_error *err);
void tsfs_pq_encoded_free(struct tsfs_pq_encoded *encoded); /* takes NULL */

TSFS_MUST_CHECK int tsfs_pq_writer_end_group(struct tsfs_pq_writer *w, struct tsfs_error *err);

/* Bytes written so far = offset in the file of what comes next. */
uint64_t tsfs_pq_writer_offset(const struct tsfs_pq_writer *w);

/* Bytes that no other reader looks at, between the last group and finish (may be called more than once).
 * Take tsfs_pq_writer_offset before it and put it into a key-value. */
TSFS_MUST_CHECK int tsfs_pq_writer_raw(struct tsfs_pq_writer *w, const void *data, size_t len,
                                       struct tsfs_error *err);

TSFS_MUST_CHECK int tsfs_pq_writer_finish(struct tsfs_pq_writer *w, const struct tsfs_pq_kv *kv, uint32_t nkv,
                                          struct tsfs_error *err);
void tsfs_pq_writer_free(struct tsfs_pq_writer *w); /* takes NULL; also half way */

#endif
