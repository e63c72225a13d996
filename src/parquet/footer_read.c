/* The footer of a file: FileMetaData (parquet.thrift) into the structures of reader.h.
 *
 * Two passes: schema and column orders first, as statistics cannot be understood without them, then the row
 * groups.  Unknown fields are skipped; of what is known, everything that a later read relies on is checked
 * here: that every chunk has the schema's type, as many values as its group has rows, and lies inside the
 * file. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"
#include "parquet/reader_priv.h"

int pq_column_error(struct tsfs_error *err, int code, const struct tsfs_pq_column *column, const char *fmt,
                    ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return tsfs_error_set(err, code, "column \"%.*s\": %s",
                          (int)(column->name.len < 200 ? column->name.len : 200), column->name.ptr, what);
}

static int broken(struct tsfs_error *err, const char *what)
{
    return tsfs_error_set(err, -EINVAL, "not a valid Parquet file: %s", what);
}

struct element { /* of the schema, as it is written */
    struct tsfs_str name;
    int type, repetition, children, converted, scale, precision;
    int logical; /* field of the LogicalType union, 0 = none */
    bool utc, is_signed;
    int unit, bits, logical_scale, logical_precision;
};

static void read_logical(struct thrift_reader *t, struct element *e)
{
    struct thrift_fields f = {0};
    thrift_enter(t);
    while (thrift_field(t, &f)) {
        e->logical = f.id;
        if (f.type != THRIFT_STRUCT) {
            thrift_skip(t, f.type);
            continue;
        }
        struct thrift_fields g = {0};
        thrift_enter(t);
        while (thrift_field(t, &g)) {
            if (e->logical == 5 && g.id == 1) {
                e->logical_scale = thrift_get_i32(t, &g);
            } else if (e->logical == 5 && g.id == 2) {
                e->logical_precision = thrift_get_i32(t, &g);
            } else if ((e->logical == 7 || e->logical == 8) && g.id == 1) {
                e->utc = thrift_get_bool(t, &g);
            } else if ((e->logical == 7 || e->logical == 8) && g.id == 2 && g.type == THRIFT_STRUCT) {
                struct thrift_fields u = {0};
                thrift_enter(t);
                while (thrift_field(t, &u)) {
                    e->unit = u.id;
                    thrift_skip(t, u.type);
                }
                thrift_leave(t);
            } else if (e->logical == 10 && g.id == 1) {
                e->bits = (int)thrift_get_int(t, &g);
            } else if (e->logical == 10 && g.id == 2) {
                e->is_signed = thrift_get_bool(t, &g);
            } else {
                thrift_skip(t, g.type);
            }
        }
        thrift_leave(t);
    }
    thrift_leave(t);
}

static void read_element(struct thrift_reader *t, struct element *e)
{
    struct thrift_fields f = {0};
    *e = (struct element){.type = -1, .repetition = -1, .converted = -1};
    thrift_enter(t);
    while (thrift_field(t, &f)) {
        switch (f.id) {
        case 1: e->type = thrift_get_i32(t, &f); break;
        case 3: e->repetition = thrift_get_i32(t, &f); break;
        case 4: e->name = thrift_get_binary(t, &f); break;
        case 5: e->children = thrift_get_i32(t, &f); break;
        case 6: e->converted = thrift_get_i32(t, &f); break;
        case 7: e->scale = thrift_get_i32(t, &f); break;
        case 8: e->precision = thrift_get_i32(t, &f); break;
        case 10:
            if (f.type == THRIFT_STRUCT)
                read_logical(t, e);
            else
                t->bad = true;
            break;
        default: thrift_skip(t, f.type);
        }
    }
    thrift_leave(t);
}

/* ConvertedType to the LogicalType that replaced it. */
static void read_converted(struct element *e)
{
    static const uint8_t bits[] = {8, 16, 32, 64};
    if (e->logical || e->converted < 0)
        return;
    switch (e->converted) {
    case 0: e->logical = 1; break;
    case 4: e->logical = 4; break;
    case 5:
        e->logical = 5;
        e->logical_scale = e->scale;
        e->logical_precision = e->precision;
        break;
    case 6: e->logical = 6; break;
    case 7:
    case 8:
        e->logical = 7;
        e->unit = e->converted == 7 ? TSFS_PQ_MILLIS : TSFS_PQ_MICROS;
        e->utc = true;
        break;
    case 9:
    case 10:
        e->logical = 8;
        e->unit = e->converted == 9 ? TSFS_PQ_MILLIS : TSFS_PQ_MICROS;
        e->utc = true;
        break;
    case 11:
    case 12:
    case 13:
    case 14:
        e->logical = 10;
        e->bits = bits[e->converted - 11];
        break;
    case 15:
    case 16:
    case 17:
    case 18:
        e->logical = 10;
        e->bits = bits[e->converted - 15];
        e->is_signed = true;
        break;
    case 19: e->logical = 12; break;
    default: break;
    }
}

static int make_column(struct element *e, struct tsfs_pq_column *c, struct tsfs_error *err)
{
    *c = (struct tsfs_pq_column){.name = e->name};
    if (e->children > 0 || e->repetition == 2)
        return pq_column_error(err, -ENOTSUP, c, "nested and repeated columns are not supported");
    if (e->type < 0 || e->type > TSFS_PQ_FIXED || e->repetition < 0 || e->repetition > 1)
        return pq_column_error(err, e->repetition > 2 || e->type > TSFS_PQ_FIXED ? -ENOTSUP : -EINVAL, c,
                               "its type is missing or unknown");
    c->physical = (enum tsfs_pq_physical)e->type;
    c->optional = e->repetition == 1;
    if (c->physical == TSFS_PQ_INT96)
        return pq_column_error(err, -ENOTSUP, c,
                               "INT96 is not supported; write timestamps as INT64 (Spark: set "
                               "spark.sql.parquet.outputTimestampType to TIMESTAMP_MICROS)");
    if (c->physical == TSFS_PQ_FIXED)
        return pq_column_error(err, -ENOTSUP, c, "FIXED_LEN_BYTE_ARRAY is not supported");

    bool integer = c->physical == TSFS_PQ_INT32 || c->physical == TSFS_PQ_INT64, fits = true;
    static const enum tsfs_type plain[] = {
        [TSFS_PQ_BOOLEAN] = TSFS_BOOLEAN, [TSFS_PQ_INT32] = TSFS_BIGINT,
        [TSFS_PQ_INT64] = TSFS_BIGINT,    [TSFS_PQ_FLOAT] = TSFS_DOUBLE,
        [TSFS_PQ_DOUBLE] = TSFS_DOUBLE,   [TSFS_PQ_BYTE_ARRAY] = TSFS_VARCHAR};
    c->type = plain[c->physical];
    read_converted(e);
    switch (e->logical) {
    case 1:
    case 4:
    case 12:
        c->logical = TSFS_PQ_STRING;
        fits = c->physical == TSFS_PQ_BYTE_ARRAY;
        break;
    case 5:
        c->logical = TSFS_PQ_DECIMAL;
        if (c->physical == TSFS_PQ_BYTE_ARRAY)
            return pq_column_error(err, -ENOTSUP, c, "DECIMAL is only supported on INT32 and INT64");
        fits = integer && e->logical_precision >= 1 && e->logical_precision <= 18 && e->logical_scale >= 0 &&
               e->logical_scale <= e->logical_precision;
        if (fits) {
            c->precision = (uint8_t)e->logical_precision;
            c->scale = (uint8_t)e->logical_scale;
        }
        break;
    case 6:
        c->logical = TSFS_PQ_DATE;
        c->type = TSFS_DATE;
        fits = c->physical == TSFS_PQ_INT32;
        break;
    case 7:
    case 8:
        c->logical = e->logical == 7 ? TSFS_PQ_TIME : TSFS_PQ_TIMESTAMP;
        c->utc = e->utc;
        fits = e->unit >= TSFS_PQ_MILLIS && e->unit <= TSFS_PQ_NANOS &&
               (e->logical == 7 && e->unit == TSFS_PQ_MILLIS ? c->physical == TSFS_PQ_INT32
                                                             : c->physical == TSFS_PQ_INT64);
        c->unit = (enum tsfs_pq_unit)e->unit;
        if (c->unit == TSFS_PQ_NANOS)
            c->type = e->logical == 7 ? TSFS_TIME : TSFS_TIMESTAMP;
        break;
    case 10:
        c->logical = TSFS_PQ_INTEGER;
        c->is_unsigned = !e->is_signed;
        fits = integer && (e->bits == 8 || e->bits == 16 || e->bits == 32 || e->bits == 64);
        c->bits = (uint8_t)e->bits;
        break;
    default: break;
    }
    if (!fits)
        return pq_column_error(err, -EINVAL, c, "its logical type does not fit its physical type %s",
                               tsfs_pq_physical_name(c->physical));
    return 0;
}

static int read_schema(struct tsfs_pq_reader *r, struct thrift_reader *t, uint32_t n, struct tsfs_error *err)
{
    struct element e;
    if (n < 2 || n - 1 > TSFS_COLUMNS_MAX + 2)
        return n < 2 ? broken(err, "it has no columns")
                     : tsfs_error_set(err, -EINVAL, "%u columns are too many", n - 1);
    struct tsfs_pq_column *columns = TSFS_NEW_ARRAY(&r->arena, struct tsfs_pq_column, n - 1);
    r->ordered = TSFS_NEW_ARRAY(&r->arena, bool, n - 1);
    if (!columns || !r->ordered)
        return -ENOMEM;
    read_element(t, &e); /* the root */
    int64_t children = e.children;
    for (uint32_t i = 0; i < n - 1 && !t->bad; i++) {
        read_element(t, &e);
        if (t->bad)
            break;
        int code = make_column(&e, &columns[i], err);
        if (code)
            return code;
    }
    if (t->bad || children != (int64_t)n - 1)
        return broken(err, "its schema cannot be read");
    r->info.columns = columns;
    r->info.ncolumns = n - 1;
    return 0;
}

static bool inside(uint64_t offset, uint64_t size, uint64_t end)
{
    return offset >= 4 && offset <= end && size <= end - offset;
}

struct chunk_fields { /* as written, unchecked */
    bool has_meta, external, encrypted;
    int type, codec;
    int64_t nvalues, uncompressed, compressed, data, dictionary, bloom;
    int64_t bloom_size, offset_index, offset_index_size, column_index, column_index_size;
    uint32_t encodings;
};

static void read_column_metadata(struct thrift_reader *t, const struct tsfs_pq_column *column, bool ordered,
                                 struct chunk_fields *c, struct tsfs_pq_stats *stats)
{
    struct thrift_fields f = {0};
    enum thrift_type element;
    c->has_meta = true;
    thrift_enter(t);
    while (thrift_field(t, &f)) {
        switch (f.id) {
        case 1: c->type = thrift_get_i32(t, &f); break;
        case 2:
            for (uint32_t n = thrift_get_list(t, &f, &element); n && !t->bad; n--) {
                int64_t encoding = thrift_element_int(t);
                if (encoding >= 0 && encoding < 32)
                    c->encodings |= UINT32_C(1) << encoding;
            }
            break;
        case 4: c->codec = thrift_get_i32(t, &f); break;
        case 5: c->nvalues = thrift_get_int(t, &f); break;
        case 6: c->uncompressed = thrift_get_int(t, &f); break;
        case 7: c->compressed = thrift_get_int(t, &f); break;
        case 9: c->data = thrift_get_int(t, &f); break;
        case 11: c->dictionary = thrift_get_int(t, &f); break;
        case 12:
            if (f.type == THRIFT_STRUCT)
                pq_stats_read(t, column, ordered, stats);
            else
                t->bad = true;
            break;
        case 14: c->bloom = thrift_get_int(t, &f); break;
        case 15: c->bloom_size = thrift_get_int(t, &f); break;
        default: thrift_skip(t, f.type);
        }
    }
    thrift_leave(t);
}

static int check_chunk(const struct tsfs_pq_column *column, const struct chunk_fields *f, uint64_t nrows,
                       uint64_t data_end, struct tsfs_pq_chunk_info *info, struct pq_place *place,
                       struct tsfs_error *err)
{
    if (f->encrypted)
        return pq_column_error(err, -ENOTSUP, column, "it is encrypted");
    if (f->external)
        return pq_column_error(err, -ENOTSUP, column, "its data is in another file");
    if (!f->has_meta || f->type != (int)column->physical)
        return pq_column_error(err, -EINVAL, column, "its metadata is missing or of another type");
    if (f->codec != TSFS_PQ_ZSTD && f->codec != TSFS_PQ_UNCOMPRESSED)
        return pq_column_error(err, -ENOTSUP, column,
                               "it is compressed with %s; write the file again with zstd or "
                               "uncompressed (DuckDB: COPY ... (FORMAT parquet, COMPRESSION zstd))",
                               tsfs_pq_codec_name(f->codec));
    if (f->nvalues < 0 || (uint64_t)f->nvalues != nrows)
        return pq_column_error(err, -EINVAL, column, "it has %lld values in a row group of %llu rows",
                               (long long)f->nvalues, (unsigned long long)nrows);
    uint64_t first = (uint64_t)f->data;
    if (f->dictionary > 0 && f->dictionary < f->data)
        first = (uint64_t)f->dictionary;
    if (f->data < 4 || f->compressed < 0 || f->uncompressed < 0 ||
        !inside(first, (uint64_t)f->compressed, data_end))
        return pq_column_error(err, -EINVAL, column, "its pages are not inside the file");
    place->first = first;
    place->end = first + (uint64_t)f->compressed;
    info->codec = (enum tsfs_pq_codec)f->codec;
    info->offset = first;
    info->compressed_size = (uint64_t)f->compressed;
    info->uncompressed_size = (uint64_t)f->uncompressed;
    info->encodings = f->encodings;
    if (f->offset_index > 0 && f->offset_index_size > 0 && f->offset_index_size <= TSFS_FOOTER_MAX) {
        if (!inside((uint64_t)f->offset_index, (uint64_t)f->offset_index_size, data_end))
            return pq_column_error(err, -EINVAL, column, "its page index is not inside the file");
        place->offset_index_offset = (uint64_t)f->offset_index;
        place->offset_index_size = (uint32_t)f->offset_index_size;
        info->has_offset_index = true;
    }
    if (f->column_index > 0 && f->column_index_size > 0 && f->column_index_size <= TSFS_FOOTER_MAX) {
        if (!inside((uint64_t)f->column_index, (uint64_t)f->column_index_size, data_end))
            return pq_column_error(err, -EINVAL, column, "its page index is not inside the file");
        place->column_index_offset = (uint64_t)f->column_index;
        place->column_index_size = (uint32_t)f->column_index_size;
        info->has_column_index = true;
    }
    if (f->bloom > 0) {
        uint64_t size = f->bloom_size > 0 ? (uint64_t)f->bloom_size : 1;
        if (!inside((uint64_t)f->bloom, size, data_end))
            return pq_column_error(err, -EINVAL, column, "its Bloom filter is not inside the file");
        place->bloom_offset = (uint64_t)f->bloom;
        place->bloom_size = f->bloom_size > 0 ? (uint32_t)f->bloom_size : 0;
        info->has_bloom = true;
    }
    return 0;
}

static void read_chunk(struct thrift_reader *t, const struct tsfs_pq_column *column, bool ordered,
                       struct chunk_fields *c, struct tsfs_pq_stats *stats)
{
    struct thrift_fields f = {0};
    *c = (struct chunk_fields){.type = -1, .codec = -1, .nvalues = -1};
    thrift_enter(t);
    while (thrift_field(t, &f)) {
        switch (f.id) {
        case 1: c->external = thrift_get_binary(t, &f).len > 0; break;
        case 3:
            if (f.type == THRIFT_STRUCT)
                read_column_metadata(t, column, ordered, c, stats);
            else
                t->bad = true;
            break;
        case 4: c->offset_index = thrift_get_int(t, &f); break;
        case 5: c->offset_index_size = thrift_get_int(t, &f); break;
        case 6: c->column_index = thrift_get_int(t, &f); break;
        case 7: c->column_index_size = thrift_get_int(t, &f); break;
        case 8:
            c->encrypted = true;
            thrift_skip(t, f.type);
            break;
        default: thrift_skip(t, f.type);
        }
    }
    thrift_leave(t);
}

static int read_sorting(struct tsfs_pq_reader *r, struct thrift_reader *t, uint32_t n)
{
    struct tsfs_pq_sorting *sorting = TSFS_NEW_ARRAY(&r->arena, struct tsfs_pq_sorting, n);
    if (!sorting)
        return -ENOMEM;
    for (uint32_t i = 0; i < n && !t->bad; i++) {
        struct thrift_fields f = {0};
        thrift_enter(t);
        while (thrift_field(t, &f)) {
            switch (f.id) {
            case 1: sorting[i].column = (uint32_t)thrift_get_i32(t, &f); break;
            case 2: sorting[i].descending = thrift_get_bool(t, &f); break;
            case 3: sorting[i].nulls_first = thrift_get_bool(t, &f); break;
            default: thrift_skip(t, f.type);
            }
        }
        thrift_leave(t);
        if (sorting[i].column >= r->info.ncolumns)
            t->bad = true;
    }
    r->info.sorting = sorting;
    r->info.nsorting = n;
    return 0;
}

/* fields: room for one group's columns.  What is kept is only allocated once the columns are seen to be
 * there. */
static int read_group(struct tsfs_pq_reader *r, struct thrift_reader *t, uint32_t g, uint64_t data_end,
                      struct chunk_fields *fields, struct tsfs_pq_group_info *group, struct tsfs_error *err)
{
    uint32_t ncolumns = r->info.ncolumns, n = 0;
    struct tsfs_pq_chunk_info *chunks = NULL;
    struct pq_place *places = NULL;
    struct thrift_fields f = {0};
    enum thrift_type element;
    int64_t nrows = -1;
    thrift_enter(t);
    while (thrift_field(t, &f)) {
        switch (f.id) {
        case 1:
            n = thrift_get_list(t, &f, &element);
            if (t->bad || element != THRIFT_STRUCT || n != ncolumns || chunks)
                return broken(err, "a row group has not the schema's columns");
            chunks = TSFS_NEW_ARRAY(&r->arena, struct tsfs_pq_chunk_info, ncolumns);
            places = TSFS_NEW_ARRAY(&r->arena, struct pq_place, ncolumns);
            if (!chunks || !places)
                return -ENOMEM;
            for (uint32_t c = 0; c < n && !t->bad; c++)
                read_chunk(t, &r->info.columns[c], r->ordered[c], &fields[c], &chunks[c].stats);
            break;
        case 3: nrows = thrift_get_int(t, &f); break;
        case 4:
            n = thrift_get_list(t, &f, &element);
            if (g == 0 && !r->info.sorting && element == THRIFT_STRUCT) {
                int code = read_sorting(r, t, n);
                if (code)
                    return code;
                break;
            }
            for (; n && !t->bad; n--)
                thrift_skip(t, element);
            break;
        default: thrift_skip(t, f.type);
        }
    }
    thrift_leave(t);
    if (t->bad || nrows < 0 || !chunks)
        return broken(err, "a row group cannot be read");
    group->nrows = (uint64_t)nrows;
    group->chunks = chunks;
    for (uint32_t c = 0; c < ncolumns; c++) {
        int code =
            check_chunk(&r->info.columns[c], &fields[c], group->nrows, data_end, &chunks[c], &places[c], err);
        if (code)
            return code;
        group->compressed_size += chunks[c].compressed_size;
        if (chunks[c].has_bloom)
            ((struct tsfs_pq_column *)r->info.columns)[c].bloom = true;
    }
    r->places[g] = places;
    return 0;
}

static int read_kv(struct tsfs_pq_reader *r, struct thrift_reader *t, uint32_t n)
{
    struct tsfs_pq_kv *kv = TSFS_NEW_ARRAY(&r->arena, struct tsfs_pq_kv, n);
    if (!kv)
        return -ENOMEM;
    for (uint32_t i = 0; i < n && !t->bad; i++) {
        struct thrift_fields f = {0};
        thrift_enter(t);
        while (thrift_field(t, &f)) {
            if (f.id == 1)
                kv[i].key = thrift_get_binary(t, &f);
            else if (f.id == 2)
                kv[i].value = thrift_get_binary(t, &f);
            else
                thrift_skip(t, f.type);
        }
        thrift_leave(t);
    }
    r->info.kv = kv;
    r->info.nkv = n;
    return 0;
}

static void read_orders(struct tsfs_pq_reader *r, struct thrift_reader *t, uint32_t n)
{
    for (uint32_t i = 0; i < n && !t->bad; i++) {
        struct thrift_fields f = {0};
        bool by_type = false;
        thrift_enter(t);
        while (thrift_field(t, &f)) {
            by_type = f.id == 1;
            thrift_skip(t, f.type);
        }
        thrift_leave(t);
        if (i < r->info.ncolumns)
            r->ordered[i] = by_type;
    }
}

int pq_footer_read(struct tsfs_pq_reader *r, const uint8_t *footer, size_t len, uint64_t data_end,
                   struct tsfs_error *err)
{
    struct thrift_reader t, groups = {0};
    struct thrift_fields f = {0};
    enum thrift_type element;
    uint32_t n, ngroups = 0;
    int64_t nrows = -1;
    int code = 0;

    thrift_reader_init(&t, footer, len);
    thrift_enter(&t);
    while (!code && thrift_field(&t, &f)) {
        switch (f.id) {
        case 2:
            n = thrift_get_list(&t, &f, &element);
            if (r->info.columns || element != THRIFT_STRUCT)
                t.bad = true;
            else if (!t.bad)
                code = read_schema(r, &t, n, err);
            break;
        case 3: nrows = thrift_get_int(&t, &f); break;
        case 4:
            ngroups = thrift_get_list(&t, &f, &element);
            groups = t;
            if (ngroups && element != THRIFT_STRUCT)
                t.bad = true;
            for (uint32_t i = 0; i < ngroups && !t.bad; i++)
                thrift_skip(&t, element);
            break;
        case 5:
            n = thrift_get_list(&t, &f, &element);
            if (element != THRIFT_STRUCT || r->info.kv)
                t.bad = true;
            else
                code = read_kv(r, &t, n);
            break;
        case 6: r->info.created_by = thrift_get_binary(&t, &f); break;
        case 7:
            n = thrift_get_list(&t, &f, &element);
            if (element != THRIFT_STRUCT || !r->info.columns)
                t.bad = true;
            else
                read_orders(r, &t, n);
            break;
        case 8: return tsfs_error_set(err, -ENOTSUP, "encrypted Parquet files are not supported");
        default: thrift_skip(&t, f.type);
        }
    }
    if (code)
        return code;
    if (t.bad || !r->info.columns || nrows < 0)
        return broken(err, "its footer cannot be read");

    struct tsfs_pq_group_info *infos = TSFS_NEW_ARRAY(&r->arena, struct tsfs_pq_group_info, ngroups);
    struct chunk_fields *fields = TSFS_NEW_ARRAY(&r->arena, struct chunk_fields, r->info.ncolumns);
    r->places = TSFS_NEW_ARRAY(&r->arena, struct pq_place *, ngroups);
    if (!infos || !r->places || !fields)
        return -ENOMEM;
    uint64_t rows = 0;
    for (uint32_t g = 0; g < ngroups; g++) {
        infos[g].first_row = rows;
        code = read_group(r, &groups, g, data_end, fields, &infos[g], err);
        if (code)
            return code;
        if (infos[g].nrows > (uint64_t)nrows - rows)
            return broken(err, "its row groups have more rows than the file");
        rows += infos[g].nrows;
    }
    if (rows != (uint64_t)nrows)
        return broken(err, "its row groups have fewer rows than the file");
    r->info.groups = infos;
    r->info.ngroups = ngroups;
    r->info.nrows = rows;
    return 0;
}
