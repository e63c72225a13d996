/* A Parquet file from the first byte to the last (README.md and parquet.thrift of apache/parquet-format).
 *
 * Of the format this module uses: flat schemas of required and optional columns of BOOLEAN, INT32, INT64,
 * DOUBLE and BYTE_ARRAY; data pages of version 2, or 1 (page_write.c), compressed with zstd page by page,
 * with CRCs; the encodings RLE, RLE_DICTIONARY, DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT,
 * DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY and PLAIN; statistics of chunks; the page index; split-block
 * Bloom filters; sorting columns and key-value metadata.  Page boundaries are the same rows in every column
 * of a row group, which the format does not ask for but which lets a reader go from page to page in step.
 *
 *     "PAR1"
 *     row groups: for each column a chunk (dictionary page, data pages)
 *     whatever the caller puts here (tsfs_pq_writer_raw)
 *     Bloom filters, column indexes, offset indexes
 *     FileMetaData, its length in 4 bytes, "PAR1"
 *
 * The indexes and filters are kept in memory until the end, as the format wants them near the footer.
 *
 * They serve to skip pages, and cost more than they spare where there is nothing to skip.  A file written
 * with `compact` that has one page a column is written without: no page index, no encoding statistics, and
 * bounds only of columns whose pages are well larger.  A *bare* file, one of less than 32 KiB that is read
 * whole in less time than it takes to think about it, says nothing more than what its pages need to be read:
 * no statistics, no order of rows and of columns, one name for what a type means.  And a row group of few
 * rows has no Bloom filters: the dictionaries that they would spare a reader are hardly larger than they. */
#include "parquet/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/limits.h"
#include "parquet/writer_priv.h"

#define ZSTD_LEVEL_DEFAULT 3
#define BARE_BYTES         (32u << 10) /* of a file before its footer */
#define BLOOM_ROWS_MIN     (64u << 10) /* of a row group in a compact file */

static int emit(struct tsfs_pq_writer *w, const void *data, size_t len)
{
    int r = len ? w->sink.write(w->sink.ctx, data, len) : 0;
    if (r)
        w->failed = true;
    else
        w->offset += len;
    return r;
}

static int misuse(struct tsfs_pq_writer *w, struct tsfs_error *err, const char *what)
{
    w->failed = true;
    return tsfs_error_set(err, -EINVAL, "Parquet writer: %s", what);
}

static int check_column(const struct tsfs_pq_column *c, struct tsfs_error *err)
{
    const char *wrong = NULL;
    bool integer = c->physical == TSFS_PQ_INT32 || c->physical == TSFS_PQ_INT64;
    if (!integer && c->physical != TSFS_PQ_BOOLEAN && c->physical != TSFS_PQ_DOUBLE &&
        c->physical != TSFS_PQ_BYTE_ARRAY)
        wrong = "its physical type is not written";
    switch (c->logical) {
    case TSFS_PQ_PHYSICAL: break;
    case TSFS_PQ_STRING: wrong = c->physical == TSFS_PQ_BYTE_ARRAY ? wrong : "STRING needs BYTE_ARRAY"; break;
    case TSFS_PQ_TIMESTAMP:
        if (c->physical != TSFS_PQ_INT64 || c->unit == TSFS_PQ_NO_UNIT)
            wrong = "TIMESTAMP needs INT64 and a unit";
        break;
    case TSFS_PQ_DECIMAL:
        if (!integer || c->precision == 0 || c->scale > c->precision ||
            c->precision > (c->physical == TSFS_PQ_INT32 ? 9 : 18))
            wrong = "DECIMAL needs INT32 with at most 9 digits or INT64 with at most 18";
        break;
    case TSFS_PQ_DATE: wrong = c->physical == TSFS_PQ_INT32 ? wrong : "DATE needs INT32"; break;
    default: wrong = "its logical type is not written";
    }
    if (c->name.len == 0 || c->name.len > TSFS_NAME_MAX * 4)
        wrong = "its name is empty or too long";
    if (!wrong)
        return 0;
    return tsfs_error_set(err, -EINVAL, "column \"%.*s\": %s", (int)(c->name.len < 256 ? c->name.len : 256),
                          c->name.len ? c->name.ptr : "", wrong);
}

int tsfs_pq_writer_create(const struct tsfs_pq_writer_options *options, struct tsfs_pq_sink sink,
                          struct tsfs_pq_writer **out, struct tsfs_error *err)
{
    int r = -ENOMEM;
    struct tsfs_pq_writer *w = calloc(1, sizeof(*w));
    if (!w)
        goto out;
    tsfs_arena_init(&w->arena, NULL);
    w->sink = sink;
    w->zstd_level = options->zstd_level ? options->zstd_level : ZSTD_LEVEL_DEFAULT;
    w->compact = options->compact;
    w->ncolumns = options->ncolumns;
    w->nsorting = options->nsorting;
    if (w->ncolumns == 0 || w->ncolumns > TSFS_COLUMNS_MAX + 2) {
        r = tsfs_error_set(err, -EINVAL, "a Parquet file of %u columns cannot be written", w->ncolumns);
        goto out;
    }
    w->columns = TSFS_NEW_ARRAY(&w->arena, struct tsfs_pq_column, w->ncolumns);
    w->sorting = TSFS_NEW_ARRAY(&w->arena, struct tsfs_pq_sorting, w->nsorting);
    w->created_by = tsfs_arena_str(&w->arena, options->created_by);
    if (!w->columns || !w->sorting || !w->created_by.ptr)
        goto out;
    for (uint32_t i = 0; i < w->ncolumns; i++) {
        r = check_column(&options->columns[i], err);
        if (r)
            goto out;
        w->columns[i] = options->columns[i];
        w->columns[i].name = tsfs_arena_str(&w->arena, options->columns[i].name);
        r = -ENOMEM;
        if (!w->columns[i].name.ptr)
            goto out;
    }
    for (uint32_t i = 0; i < w->nsorting; i++) {
        w->sorting[i] = options->sorting[i];
        if (w->sorting[i].column >= w->ncolumns) {
            r = misuse(w, err, "a sorting column that is none");
            goto out;
        }
    }
    r = emit(w, "PAR1", 4);
    if (r)
        goto out;
    *out = w;
    return 0;
out:
    if (r)
        tsfs_error_set(err, r, "cannot begin a Parquet file: %s", strerror(-r));
    tsfs_pq_writer_free(w);
    return r;
}

static void chunk_free(struct pq_written_chunk *c)
{
    tsfs_buf_free(&c->strings);
    tsfs_buf_free(&c->column_index);
    tsfs_buf_free(&c->offset_index);
    tsfs_buf_free(&c->bloom);
}

void tsfs_pq_writer_free(struct tsfs_pq_writer *w)
{
    if (!w)
        return;
    for (uint32_t g = 0; g < w->ngroups; g++) {
        for (uint32_t c = 0; c < w->ncolumns; c++)
            chunk_free(&w->groups[g].chunks[c]);
        free(w->groups[g].chunks);
    }
    free(w->groups);
    free(w->page_end);
    tsfs_arena_free(&w->arena);
    free(w);
}

void tsfs_pq_encoded_free(struct tsfs_pq_encoded *encoded)
{
    if (!encoded)
        return;
    tsfs_buf_free(&encoded->data);
    tsfs_buf_free(&encoded->strings);
    tsfs_buf_free(&encoded->column_index);
    tsfs_buf_free(&encoded->bloom);
    free(encoded->pages);
    free(encoded);
}

int tsfs_pq_writer_begin_group(struct tsfs_pq_writer *w, uint32_t nrows, const uint32_t *page_end,
                               uint32_t npages, struct tsfs_error *err)
{
    uint32_t before = 0;
    if (w->failed || w->finished || w->in_group)
        return misuse(w, err, "a row group begun out of turn");
    for (uint32_t i = 0; i < npages; i++) {
        if (page_end[i] <= before)
            return misuse(w, err, "pages must end at ascending rows");
        if (page_end[i] - before > TSFS_PAGE_ROWS_MAX)
            return misuse(w, err, "a page of too many rows");
        before = page_end[i];
    }
    if (nrows == 0 || nrows > INT32_MAX || before != nrows)
        return misuse(w, err, "a row group's pages must cover its rows, at least one");
    if (TSFS_ARRAY_ROOM(w->groups, w->ngroups, w->groups_cap, 8) != 0)
        goto nomem;
    uint32_t *ends = realloc(w->page_end, npages * sizeof(*ends));
    if (!ends)
        goto nomem;
    memcpy(ends, page_end, npages * sizeof(*ends));
    w->page_end = ends;
    struct pq_written_chunk *chunks = calloc(w->ncolumns, sizeof(*chunks));
    if (!chunks)
        goto nomem;
    w->groups[w->ngroups++] = (struct pq_written_group){.nrows = nrows, .chunks = chunks};
    w->nrows = nrows;
    w->npages = npages;
    w->next_column = 0;
    w->in_group = true;
    return 0;
nomem:
    w->failed = true;
    return tsfs_error_set(err, -ENOMEM, "out of memory for a Parquet row group");
}

/* Where the pages of a column end; in arena if it has pages of its own. */
static const uint32_t *column_pages(const struct tsfs_pq_writer *w, uint32_t column, struct tsfs_arena *arena,
                                    uint32_t *npages)
{
    uint32_t span = w->columns[column].page_span, n = 0;
    *npages = w->npages;
    if (span <= 1)
        return w->page_end;
    uint32_t *ends = tsfs_arena_alloc(arena, w->npages * sizeof(*ends));
    if (!ends)
        return NULL;
    for (uint32_t i = 0; i < w->npages; i += span) {
        uint32_t last = w->npages - i < span ? w->npages - 1 : i + span - 1;
        ends[n++] = w->page_end[last];
    }
    *npages = n;
    return ends;
}

int tsfs_pq_writer_encode(const struct tsfs_pq_writer *w, uint32_t column,
                          const struct tsfs_pq_chunk_values *values, struct tsfs_pq_encoded **out,
                          struct tsfs_error *err)
{
    struct pq_source source;
    struct tsfs_arena arena;
    struct tsfs_pq_encoded *e = NULL;
    uint32_t npages;
    int r;
    if (!w->in_group || column >= w->ncolumns)
        return tsfs_error_set(err, -EINVAL, "Parquet writer: a column encoded out of turn");
    tsfs_arena_init(&arena, NULL);
    const uint32_t *page_end = column_pages(w, column, &arena, &npages);
    e = calloc(1, sizeof(*e));
    r = e && page_end
            ? pq_source_init(&source, &w->columns[column], values, w->nrows, page_end, npages, &arena, err)
            : -ENOMEM;
    if (!r) {
        e->column = column;
        r = pq_chunk_encode(&source, w->zstd_level, &arena, e);
    }
    tsfs_arena_free(&arena);
    if (r) {
        tsfs_pq_encoded_free(e);
        return tsfs_error_set(err, r, "cannot encode column \"%s\": %s", w->columns[column].name.ptr,
                              strerror(-r));
    }
    *out = e;
    return 0;
}

int tsfs_pq_writer_append(struct tsfs_pq_writer *w, struct tsfs_pq_encoded *e, struct tsfs_error *err)
{
    int r;
    if (w->failed || !w->in_group || w->next_column >= w->ncolumns || e->column != w->next_column ||
        e->nrows != w->nrows) {
        tsfs_pq_encoded_free(e);
        return misuse(w, err, "a column appended out of turn");
    }
    struct pq_written_chunk *c = &w->groups[w->ngroups - 1].chunks[w->next_column];
    *c = (struct pq_written_chunk){.offset = w->offset,
                                   .compressed_size = e->data.len,
                                   .uncompressed_size = e->uncompressed_size,
                                   .dictionary_size = e->dictionary_size,
                                   .encoding = e->encoding,
                                   .compressed = e->compressed,
                                   .npages = e->npages,
                                   .njoint = e->njoint,
                                   .bounds = e->bounds,
                                   .strings = e->strings,
                                   .column_index = e->column_index,
                                   .bloom = e->bloom};
    e->strings = e->column_index = e->bloom = (struct tsfs_buf){0};
    r = pq_offset_index_write(e->pages, e->npages, w->offset, &c->offset_index);
    if (!r)
        r = emit(w, e->data.data, e->data.len);
    tsfs_pq_encoded_free(e);
    if (r) {
        w->failed = true;
        return tsfs_error_set(err, r, "cannot write column \"%s\": %s", w->columns[w->next_column].name.ptr,
                              strerror(-r));
    }
    w->next_column++;
    return 0;
}

int tsfs_pq_writer_column(struct tsfs_pq_writer *w, const struct tsfs_pq_chunk_values *values,
                          struct tsfs_error *err)
{
    struct tsfs_pq_encoded *e;
    int r = tsfs_pq_writer_encode(w, w->next_column, values, &e, err);
    if (r) {
        w->failed = true;
        return r;
    }
    return tsfs_pq_writer_append(w, e, err);
}

int tsfs_pq_writer_end_group(struct tsfs_pq_writer *w, struct tsfs_error *err)
{
    if (w->failed || !w->in_group || w->next_column != w->ncolumns)
        return misuse(w, err, "a row group ended before all its columns");
    w->in_group = false;
    return 0;
}

uint64_t tsfs_pq_writer_offset(const struct tsfs_pq_writer *w)
{
    return w->offset;
}

int tsfs_pq_writer_raw(struct tsfs_pq_writer *w, const void *data, size_t len, struct tsfs_error *err)
{
    if (w->failed || w->finished || w->in_group)
        return misuse(w, err, "raw bytes inside a row group");
    int r = emit(w, data, len);
    return r ? tsfs_error_set(err, r, "cannot write: %s", strerror(-r)) : 0;
}

/* Writes a part that the footer points to and lets go of it. */
static int emit_part(struct tsfs_pq_writer *w, struct tsfs_buf *part, uint64_t *offset, uint32_t *size)
{
    *offset = w->offset;
    *size = (uint32_t)part->len;
    int r = emit(w, part->data, part->len);
    tsfs_buf_free(part);
    return r;
}

/* What a compact file does without. */
static void leave_out(struct tsfs_pq_writer *w)
{
    w->brief = w->ngroups == 1 && w->npages == 1;
    w->bare = w->brief && w->offset < BARE_BYTES;
    for (uint32_t g = 0; g < w->ngroups; g++) {
        for (uint32_t i = 0; i < w->ncolumns; i++) {
            struct pq_written_chunk *c = &w->groups[g].chunks[i];
            if (w->groups[g].nrows < BLOOM_ROWS_MIN)
                tsfs_buf_free(&c->bloom);
            if (w->brief) {
                tsfs_buf_free(&c->column_index);
                tsfs_buf_free(&c->offset_index);
            }
        }
    }
}

int tsfs_pq_writer_finish(struct tsfs_pq_writer *w, const struct tsfs_pq_kv *kv, uint32_t nkv,
                          struct tsfs_error *err)
{
    struct tsfs_buf footer = {0};
    int r = 0;
    if (w->failed || w->finished || w->in_group)
        return misuse(w, err, "finished inside a row group");
    if (w->compact)
        leave_out(w);
    for (int part = 0; part < 3; part++) {
        for (uint32_t g = 0; g < w->ngroups; g++) {
            for (uint32_t i = 0; i < w->ncolumns && !r; i++) {
                struct pq_written_chunk *c = &w->groups[g].chunks[i];
                if (part == 0)
                    r = emit_part(w, &c->bloom, &c->bloom_offset, &c->bloom_size);
                else if (part == 1)
                    r = emit_part(w, &c->column_index, &c->column_index_offset, &c->column_index_size);
                else
                    r = emit_part(w, &c->offset_index, &c->offset_index_offset, &c->offset_index_size);
            }
        }
    }
    if (!r)
        r = pq_footer_write(w, kv, nkv, &footer);
    if (!r && footer.len > TSFS_FOOTER_MAX)
        r = -EFBIG;
    uint32_t len = (uint32_t)footer.len;
    if (!r)
        r = tsfs_buf_append(&footer, &len, 4);
    if (!r)
        r = tsfs_buf_append(&footer, "PAR1", 4);
    if (!r)
        r = emit(w, footer.data, footer.len);
    tsfs_buf_free(&footer);
    w->finished = true;
    if (r) {
        w->failed = true;
        return tsfs_error_set(err, r, "cannot write a Parquet footer: %s", strerror(-r));
    }
    return 0;
}
