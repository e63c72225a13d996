/* The footer: FileMetaData (parquet.thrift) and what hangs on it.
 *
 * Each column says what it means twice, as LogicalType and as the older ConvertedType where there is one, so
 * that readers of any age agree.  In bare files (writer.c) strings say it only in the older way, which all
 * readers know, and what the format leaves to the writer is left out. */
#include "parquet/writer_priv.h"

enum converted { UTF8 = 0, DECIMAL = 5, DATE = 6, TIMESTAMP_MILLIS = 9, TIMESTAMP_MICROS = 10 };

static void put_time_unit(struct thrift_writer *w, enum tsfs_pq_unit unit)
{
    thrift_begin_struct(w, 2);
    thrift_begin_struct(w, (int16_t)unit); /* MILLIS 1, MICROS 2, NANOS 3 */
    thrift_end_struct(w);
    thrift_end_struct(w);
}

static void put_column(struct thrift_writer *w, const struct tsfs_pq_column *c, bool bare)
{
    thrift_begin_element(w);
    thrift_put_i32(w, 1, c->physical);
    thrift_put_i32(w, 3, c->optional ? 1 : 0);
    thrift_put_binary(w, 4, c->name);
    switch (c->logical) {
    case TSFS_PQ_STRING:
        thrift_put_i32(w, 6, UTF8);
        if (bare)
            break;
        thrift_begin_struct(w, 10);
        thrift_begin_struct(w, 1);
        thrift_end_struct(w);
        thrift_end_struct(w);
        break;
    case TSFS_PQ_TIMESTAMP:
        if (c->unit != TSFS_PQ_NANOS)
            thrift_put_i32(w, 6, c->unit == TSFS_PQ_MILLIS ? TIMESTAMP_MILLIS : TIMESTAMP_MICROS);
        thrift_begin_struct(w, 10);
        thrift_begin_struct(w, 8);
        thrift_put_bool(w, 1, c->utc);
        put_time_unit(w, c->unit);
        thrift_end_struct(w);
        thrift_end_struct(w);
        break;
    case TSFS_PQ_DECIMAL:
        thrift_put_i32(w, 6, DECIMAL);
        thrift_put_i32(w, 7, c->scale);
        thrift_put_i32(w, 8, c->precision);
        thrift_begin_struct(w, 10);
        thrift_begin_struct(w, 5);
        thrift_put_i32(w, 1, c->scale);
        thrift_put_i32(w, 2, c->precision);
        thrift_end_struct(w);
        thrift_end_struct(w);
        break;
    case TSFS_PQ_DATE:
        thrift_put_i32(w, 6, DATE);
        thrift_begin_struct(w, 10);
        thrift_begin_struct(w, 6);
        thrift_end_struct(w);
        thrift_end_struct(w);
        break;
    default: break;
    }
    thrift_end_struct(w);
}

static void put_encoding_count(struct thrift_writer *w, int page_type, int encoding, uint32_t n)
{
    thrift_begin_element(w);
    thrift_put_i32(w, 1, page_type);
    thrift_put_i32(w, 2, encoding);
    thrift_put_i32(w, 3, (int32_t)n);
    thrift_end_struct(w);
}

static void put_chunk(struct thrift_writer *w, const struct tsfs_pq_column *column,
                      const struct pq_written_chunk *c, uint64_t nrows, bool brief, bool bare)
{
    bool dictionary = c->dictionary_size > 0;
    bool levels = column->optional && c->encoding != TSFS_PQ_RLE; /* RLE then is said only once */
    thrift_begin_element(w);
    thrift_put_i64(w, 2, 0);
    thrift_begin_struct(w, 3);
    thrift_put_i32(w, 1, column->physical);
    thrift_put_list(w, 2, THRIFT_I32, 1u + levels + dictionary);
    thrift_add_int(w, c->encoding);
    if (levels)
        thrift_add_int(w, TSFS_PQ_RLE);
    if (dictionary)
        thrift_add_int(w, TSFS_PQ_PLAIN);
    thrift_put_list(w, 3, THRIFT_BINARY, 1);
    thrift_add_binary(w, column->name);
    thrift_put_i32(w, 4, c->compressed ? TSFS_PQ_ZSTD : TSFS_PQ_UNCOMPRESSED);
    thrift_put_i64(w, 5, (int64_t)nrows);
    thrift_put_i64(w, 6, (int64_t)c->uncompressed_size);
    thrift_put_i64(w, 7, (int64_t)c->compressed_size);
    thrift_put_i64(w, 9, (int64_t)(c->offset + c->dictionary_size));
    if (dictionary)
        thrift_put_i64(w, 11, (int64_t)c->offset);
    if (!bare)
        pq_stats_write(w, 12, column, &c->bounds, brief, c->compressed_size);
    if (!brief) {
        thrift_put_list(w, 13, THRIFT_STRUCT,
                        (uint32_t)dictionary + (c->njoint > 0) + (c->njoint < c->npages));
        if (dictionary)
            put_encoding_count(w, 2, TSFS_PQ_PLAIN, 1);
        if (c->njoint > 0)
            put_encoding_count(w, 0, c->encoding, c->njoint);
        if (c->njoint < c->npages)
            put_encoding_count(w, 3, c->encoding, c->npages - c->njoint);
    }
    if (c->bloom_size) {
        thrift_put_i64(w, 14, (int64_t)c->bloom_offset);
        thrift_put_i32(w, 15, (int32_t)c->bloom_size);
    }
    thrift_end_struct(w);
    if (c->offset_index_size) {
        thrift_put_i64(w, 4, (int64_t)c->offset_index_offset);
        thrift_put_i32(w, 5, (int32_t)c->offset_index_size);
    }
    if (c->column_index_size) {
        thrift_put_i64(w, 6, (int64_t)c->column_index_offset);
        thrift_put_i32(w, 7, (int32_t)c->column_index_size);
    }
    thrift_end_struct(w);
}

static void put_group(struct thrift_writer *w, const struct tsfs_pq_writer *file, uint32_t g)
{
    const struct pq_written_group *group = &file->groups[g];
    uint64_t compressed = 0, uncompressed = 0;
    thrift_begin_element(w);
    thrift_put_list(w, 1, THRIFT_STRUCT, file->ncolumns);
    for (uint32_t c = 0; c < file->ncolumns; c++) {
        put_chunk(w, &file->columns[c], &group->chunks[c], group->nrows, file->brief, file->bare);
        compressed += group->chunks[c].compressed_size;
        uncompressed += group->chunks[c].uncompressed_size;
    }
    thrift_put_i64(w, 2, (int64_t)uncompressed);
    thrift_put_i64(w, 3, (int64_t)group->nrows);
    if (file->nsorting && !file->bare) {
        thrift_put_list(w, 4, THRIFT_STRUCT, file->nsorting);
        for (uint32_t i = 0; i < file->nsorting; i++) {
            thrift_begin_element(w);
            thrift_put_i32(w, 1, (int32_t)file->sorting[i].column);
            thrift_put_bool(w, 2, file->sorting[i].descending);
            thrift_put_bool(w, 3, file->sorting[i].nulls_first);
            thrift_end_struct(w);
        }
    }
    if (!file->bare) {
        thrift_put_i64(w, 5, (int64_t)group->chunks[0].offset);
        thrift_put_i64(w, 6, (int64_t)compressed);
        if (g <= INT16_MAX)
            thrift_put_i16(w, 7, (int16_t)g);
    }
    thrift_end_struct(w);
}

int pq_footer_write(const struct tsfs_pq_writer *file, const struct tsfs_pq_kv *kv, uint32_t nkv,
                    struct tsfs_buf *out)
{
    struct thrift_writer w;
    uint64_t nrows = 0;
    for (uint32_t g = 0; g < file->ngroups; g++)
        nrows += file->groups[g].nrows;

    thrift_writer_init(&w, out);
    thrift_begin_element(&w);
    thrift_put_i32(&w, 1, 1);
    thrift_put_list(&w, 2, THRIFT_STRUCT, file->ncolumns + 1);
    thrift_begin_element(&w);
    thrift_put_binary(&w, 4, TSFS_STR("schema"));
    thrift_put_i32(&w, 5, (int32_t)file->ncolumns);
    thrift_end_struct(&w);
    for (uint32_t c = 0; c < file->ncolumns; c++)
        put_column(&w, &file->columns[c], file->bare);
    thrift_put_i64(&w, 3, (int64_t)nrows);
    thrift_put_list(&w, 4, THRIFT_STRUCT, file->ngroups);
    for (uint32_t g = 0; g < file->ngroups; g++)
        put_group(&w, file, g);
    if (nkv) {
        thrift_put_list(&w, 5, THRIFT_STRUCT, nkv);
        for (uint32_t i = 0; i < nkv; i++) {
            thrift_begin_element(&w);
            thrift_put_binary(&w, 1, kv[i].key);
            if (kv[i].value.ptr)
                thrift_put_binary(&w, 2, kv[i].value);
            thrift_end_struct(&w);
        }
    }
    if (file->created_by.len)
        thrift_put_binary(&w, 6, file->created_by);
    if (!file->bare)
        thrift_put_list(&w, 7, THRIFT_STRUCT, file->ncolumns);
    for (uint32_t c = 0; c < file->ncolumns && !file->bare; c++) {
        thrift_begin_element(&w);
        thrift_begin_struct(&w, 1);
        thrift_end_struct(&w);
        thrift_end_struct(&w);
    }
    thrift_end_struct(&w);
    return w.error;
}
