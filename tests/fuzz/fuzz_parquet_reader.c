/* Any bytes as a Parquet file: everything that can be asked is asked, and whatever comes back is touched.
 *
 * Memory for decoded pages is limited, so that a small file that claims a lot shows as -ENOMEM and not as a
 * slow run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "parquet/reader.h"

#define MEMORY    (64u << 20)
#define PAGES_MAX 64 /* of a chunk that are read */

struct bytes {
    const uint8_t *data;
    size_t size;
};

static int bytes_pread(void *ctx, void *buf, size_t n, uint64_t offset)
{
    const struct bytes *b = ctx;
    if (offset > b->size || n > b->size - offset)
        abort(); /* the reader must never ask for what is not there */
    memcpy(buf, b->data + offset, n);
    return 0;
}

static volatile uint64_t seen;

static void touch_value(const struct tsfs_value *v)
{
    if (v->type == TSFS_VARCHAR) {
        for (size_t i = 0; i < v->s.len; i++)
            seen += (uint8_t)v->s.ptr[i];
    } else {
        seen += (uint64_t)v->i;
    }
}

static void touch(const struct tsfs_vec *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tsfs_vec_null(v, i))
            continue;
        struct tsfs_value x = tsfs_vec_get(v, i);
        touch_value(&x);
    }
}

static void touch_stats(const struct tsfs_pq_stats *s)
{
    if (s->has_min)
        touch_value(&s->min);
    if (s->has_max)
        touch_value(&s->max);
}

static void read_chunk(struct tsfs_pq_reader *r, uint32_t g, uint32_t column, struct tsfs_pq_scratch *scratch)
{
    struct tsfs_budget budget = {.limit = MEMORY};
    struct tsfs_error err = {0};
    struct tsfs_pq_chunk *c;
    struct tsfs_arena arena;
    struct tsfs_vec vec;
    struct tsfs_pq_coded coded;
    const struct tsfs_pq_stats *stats;
    uint32_t n, ndictionary = 0;
    bool maybe;
    touch_stats(&tsfs_pq_reader_info(r)->groups[g].chunks[column].stats);
    if (tsfs_pq_chunk_open(r, g, column, &c, &err))
        return;
    tsfs_arena_init(&arena, &budget);
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(c, &n);
    if (tsfs_pq_chunk_stats(c, &stats, &err) == 0 && stats) {
        for (uint32_t p = 0; p < n; p++)
            touch_stats(&stats[p]);
    }
    if (tsfs_pq_chunk_dictionary(c, &vec, &ndictionary, &err) == 0)
        touch(&vec, ndictionary);
    struct tsfs_value value = {.type = tsfs_pq_reader_info(r)->columns[column].type};
    if (value.type == TSFS_VARCHAR)
        value.s = TSFS_STR("name");
    (void)!tsfs_pq_chunk_bloom(c, value, &maybe, &err);
    for (uint32_t p = 0; p < n && p < PAGES_MAX; p++) {
        if (tsfs_pq_chunk_find(c, pages[p].first_row) != p)
            abort();
        if (tsfs_pq_chunk_read(c, p, scratch, &arena, &vec, &err) == 0)
            touch(&vec, pages[p].nrows);
        if (tsfs_pq_chunk_read_coded(c, p, scratch, &arena, &coded, &err) == 0 && coded.index) {
            for (uint32_t i = 0; i < (coded.constant ? 1 : coded.nrows); i++) {
                if (coded.index[i] >= ndictionary && !(coded.valid && !tsfs_bit_get(coded.valid, i)))
                    abort();
            }
        }
        tsfs_arena_reset(&arena);
        tsfs_error_clear(&err);
    }
    tsfs_arena_free(&arena);
    tsfs_pq_chunk_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    struct tsfs_pq_input in = {bytes_pread, &bytes, size};
    struct tsfs_pq_reader *r;
    struct tsfs_pq_scratch *scratch;
    struct tsfs_error err = {0};
    if (tsfs_pq_reader_open(in, &r, &err)) {
        if (err.code == 0 || err.message[0] == '\0')
            abort(); /* every refusal says why */
        return 0;
    }
    if (tsfs_pq_scratch_create(&scratch) == 0) {
        const struct tsfs_pq_info *info = tsfs_pq_reader_info(r);
        for (uint32_t g = 0; g < info->ngroups && g < 8; g++) {
            for (uint32_t c = 0; c < info->ncolumns && c < 64; c++)
                read_chunk(r, g, c, scratch);
        }
        tsfs_pq_scratch_free(scratch);
    }
    tsfs_pq_reader_close(r);
    return 0;
}
