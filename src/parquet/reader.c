/* Opening a Parquet file: the magic at its end, the footer before it.  The magic at its beginning says
 * nothing more, and would be an access to the disk far from all others.
 *
 * What can be read is more than writer.c makes, as files come back from other programs: data pages of both
 * versions, the old PLAIN_DICTIONARY, booleans in PLAIN, FLOAT and INT32 (widened), BYTE_STREAM_SPLIT of any
 * number, timestamps in any unit, files without page index, statistics or CRC.  Not read, and refused with a
 * sentence: nested and repeated columns, INT96, FIXED_LEN_BYTE_ARRAY, codecs other than zstd, encryption, the
 * BIT_PACKED levels of the oldest writers. */
#include "parquet/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "parquet/reader_priv.h"

struct name_query {
    const struct tsfs_pq_info *info;
    struct tsfs_str name;
};

static bool name_equal(const void *ctx, uint32_t number)
{
    const struct name_query *q = ctx;
    return tsfs_str_eq(q->info->columns[number].name, q->name);
}

static int index_names(struct tsfs_pq_reader *r, struct tsfs_error *err)
{
    for (uint32_t i = 0; i < r->info.ncolumns; i++) {
        struct tsfs_str name = r->info.columns[i].name;
        if (name.len == 0)
            return tsfs_error_set(err, -EINVAL, "not a valid Parquet file: column %u has no name", i + 1);
        if (tsfs_pq_reader_find(r, name) != UINT32_MAX)
            return tsfs_error_set(err, -EINVAL, "two columns of the Parquet file are named \"%.*s\"",
                                  (int)(name.len < 200 ? name.len : 200), name.ptr);
        int code = tsfs_hash_index_add(&r->names, tsfs_hash(name.ptr, name.len), i);
        if (code)
            return code;
    }
    return 0;
}

static int read_footer(struct tsfs_pq_reader *r, struct tsfs_error *err)
{
    const struct tsfs_pq_input *in = &r->input;
    uint8_t tail[8];
    if (in->size < 12)
        return tsfs_error_set(err, -EINVAL, "not a Parquet file: only %llu bytes",
                              (unsigned long long)in->size);
    int code = in->pread(in->ctx, tail, sizeof(tail), in->size - sizeof(tail));
    if (code)
        return code;
    if (memcmp(tail + 4, "PARE", 4) == 0)
        return tsfs_error_set(err, -ENOTSUP, "encrypted Parquet files are not supported");
    if (memcmp(tail + 4, "PAR1", 4) != 0)
        return tsfs_error_set(err, -EINVAL, "not a Parquet file: it does not end with PAR1");
    uint32_t len = pq_load32(tail);
    if (len > in->size - 12 || len > TSFS_FOOTER_MAX)
        return tsfs_error_set(err, -EINVAL, "not a valid Parquet file: a footer of %u bytes", len);
    uint8_t *footer = tsfs_arena_alloc(&r->arena, len);
    if (!footer)
        return -ENOMEM;
    uint64_t at = in->size - 8 - len;
    code = in->pread(in->ctx, footer, len, at);
    return code ? code : pq_footer_read(r, footer, len, at, err);
}

int tsfs_pq_reader_open(struct tsfs_pq_input input, struct tsfs_pq_reader **out, struct tsfs_error *err)
{
    struct tsfs_pq_reader *r = calloc(1, sizeof(*r));
    int code = -ENOMEM;
    if (!r)
        goto out;
    r->input = input;
    tsfs_arena_init(&r->arena, NULL);
    code = read_footer(r, err);
    if (!code)
        code = index_names(r, err);
    if (code)
        goto out;
    *out = r;
    return 0;
out:
    tsfs_pq_reader_close(r);
    return tsfs_error_set(err, code, "cannot read the Parquet footer: %s", strerror(-code));
}

void tsfs_pq_reader_close(struct tsfs_pq_reader *r)
{
    if (!r)
        return;
    tsfs_hash_index_free(&r->names);
    tsfs_arena_free(&r->arena);
    free(r);
}

const struct tsfs_pq_info *tsfs_pq_reader_info(const struct tsfs_pq_reader *r)
{
    return &r->info;
}

uint64_t tsfs_pq_reader_indexes(const struct tsfs_pq_reader *r)
{
    uint64_t first = r->input.size;
    for (uint32_t g = 0; g < r->info.ngroups; g++) {
        for (uint32_t i = 0; i < r->info.ncolumns; i++) {
            const struct pq_place *p = &r->places[g][i];
            if (r->info.groups[g].chunks[i].has_offset_index && p->offset_index_offset < first)
                first = p->offset_index_offset;
        }
    }
    return first;
}

uint32_t tsfs_pq_reader_find(const struct tsfs_pq_reader *r, struct tsfs_str name)
{
    struct name_query q = {&r->info, name};
    uint32_t i = tsfs_hash_index_find(&r->names, tsfs_hash(name.ptr, name.len), name_equal, &q);
    return i == TSFS_HASH_NONE ? UINT32_MAX : i;
}

struct tsfs_str tsfs_pq_reader_kv(const struct tsfs_pq_reader *r, struct tsfs_str key)
{
    for (uint32_t i = 0; i < r->info.nkv; i++) {
        if (tsfs_str_eq(r->info.kv[i].key, key))
            return r->info.kv[i].value;
    }
    return (struct tsfs_str){NULL, 0};
}
