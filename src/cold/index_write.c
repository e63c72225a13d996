/* Building the private index beside the data as it is written (format: index_read.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/hash.h"
#include "cold/index.h"

#define ZSTD_LEVEL 3

struct slice_meta {
    uint32_t stored, raw;
    uint64_t xxh3;
};

/* Slices of one kind as they are finished. */
struct stream {
    struct tsfs_buf data; /* stored bytes, one slice after another */
    struct tsfs_buf meta; /* struct slice_meta each */
};

struct dict {
    struct tsfs_hash_index index;
    struct tsfs_str *values; /* in order of birth */
    uint32_t n, cap;
    uint32_t *ids;  /* per series: order of birth, COLD_ABSENT */
    uint32_t last;  /* id of the last value found, COLD_ABSENT = none */
    uint32_t *rank; /* at the end: order of birth -> order of values */
};

/* A measure's or the times' blocks that do not fill a slice yet. */
struct pending {
    struct stream stream;
    uint32_t n;
    union {
        struct tsfs_summary *s;
        int64_t *t_first;
    };
    union {
        uint8_t *flags;
        int64_t *t_last;
    };
};

struct cold_index_builder {
    const struct cold_column *columns;
    uint32_t ncolumns, nkeys;
    struct dict *dicts;
    struct pending *pending; /* by column; only times and measures are used */
    uint32_t nseries, cap;
    uint64_t *rows, *hash;
    int64_t *t_first, *t_last;
    uint64_t total_rows, total_blocks;
    struct tsfs_buf groups; /* uint32_t rows each */
    struct tsfs_arena arena;
};

static bool is_key(const struct cold_column *c)
{
    return c->role == TSFS_ROLE_MEASURE_NAME || c->role == TSFS_ROLE_DIMENSION;
}

int cold_index_builder_create(const struct cold_column *columns, uint32_t ncolumns,
                              struct cold_index_builder **out)
{
    struct cold_index_builder *b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    tsfs_arena_init(&b->arena, NULL);
    b->columns = columns;
    b->ncolumns = ncolumns;
    for (uint32_t i = 0; i < ncolumns; i++)
        b->nkeys += is_key(&columns[i]);
    b->dicts = calloc(b->nkeys ? b->nkeys : 1, sizeof(*b->dicts));
    b->pending = calloc(ncolumns, sizeof(*b->pending));
    if (!b->dicts || !b->pending) {
        cold_index_builder_free(b);
        return -ENOMEM;
    }
    for (uint32_t k = 0; k < b->nkeys; k++)
        b->dicts[k].last = COLD_ABSENT;
    *out = b;
    return 0;
}

static void stream_free(struct stream *s)
{
    tsfs_buf_free(&s->data);
    tsfs_buf_free(&s->meta);
}

void cold_index_builder_free(struct cold_index_builder *b)
{
    if (!b)
        return;
    for (uint32_t k = 0; b->dicts && k < b->nkeys; k++) {
        tsfs_hash_index_free(&b->dicts[k].index);
        free(b->dicts[k].values);
        free(b->dicts[k].ids);
        free(b->dicts[k].rank);
    }
    for (uint32_t i = 0; b->pending && i < b->ncolumns; i++) {
        stream_free(&b->pending[i].stream);
        free(b->pending[i].s);
        free(b->pending[i].flags);
    }
    free(b->dicts);
    free(b->pending);
    free(b->rows);
    free(b->hash);
    free(b->t_first);
    free(b->t_last);
    tsfs_buf_free(&b->groups);
    tsfs_arena_free(&b->arena);
    free(b);
}

uint32_t cold_index_builder_count(const struct cold_index_builder *b)
{
    return b->nseries;
}

static int put_slice(struct stream *s, const struct tsfs_buf *raw)
{
    struct slice_meta meta = {0, (uint32_t)raw->len, 0};
    if (raw->len > TSFS_INDEX_SLICE_MAX)
        return -E2BIG;
    int rc = tsfs_buf_reserve(&s->data, ZSTD_compressBound(raw->len));
    if (rc)
        return rc;
    char *to = s->data.data ? s->data.data + s->data.len : NULL;
    if (raw->len) {
        size_t z = ZSTD_compress(to, ZSTD_compressBound(raw->len), raw->data, raw->len, ZSTD_LEVEL);
        if (ZSTD_isError(z) || z >= raw->len) {
            memcpy(to, raw->data, raw->len);
            z = raw->len;
        }
        meta.stored = (uint32_t)z;
        meta.xxh3 = tsfs_hash(to, z);
    }
    rc = tsfs_buf_append(&s->meta, &meta, sizeof(meta));
    if (rc == 0)
        s->data.len += meta.stored;
    return rc;
}

/* ---- series ---- */

#define GROW(ptr, cap)                                                                                       \
    do {                                                                                                     \
        void *grown = realloc((ptr), (size_t)(cap) * sizeof(*(ptr)));                                        \
        if (!grown)                                                                                          \
            return -ENOMEM;                                                                                  \
        (ptr) = grown;                                                                                       \
    } while (0)

struct dict_key {
    const struct dict *dict;
    struct tsfs_str value;
};

static bool dict_equal(const void *ctx, uint32_t number)
{
    const struct dict_key *k = ctx;
    return tsfs_str_eq(k->dict->values[number], k->value);
}

static int dict_add(struct cold_index_builder *b, struct dict *d, struct tsfs_str *value, uint32_t *id)
{
    if (!value->ptr) {
        *id = COLD_ABSENT;
        return 0;
    }
    if (value->len > TSFS_VARCHAR_MAX)
        return -E2BIG;
    if (d->last != COLD_ABSENT && tsfs_str_eq(d->values[d->last], *value)) {
        *id = d->last;
    } else {
        struct dict_key key = {d, *value};
        uint64_t hash = tsfs_hash(value->ptr, value->len);
        *id = tsfs_hash_index_find(&d->index, hash, dict_equal, &key);
        if (*id == TSFS_HASH_NONE) {
            if (d->n == d->cap) {
                uint32_t cap = d->cap ? 2 * d->cap : 16;
                GROW(d->values, cap);
                d->cap = cap;
            }
            struct tsfs_str copy = tsfs_arena_str(&b->arena, *value);
            if (!copy.ptr)
                return -ENOMEM;
            d->values[d->n] = copy;
            int rc = tsfs_hash_index_add(&d->index, hash, d->n);
            if (rc)
                return rc;
            *id = d->n++;
        }
        d->last = *id;
    }
    *value = d->values[*id];
    return 0;
}

int cold_index_builder_series(struct cold_index_builder *b, uint64_t hash, struct tsfs_str *values)
{
    if (b->nseries == TSFS_SERIES_MAX)
        return -E2BIG;
    if (b->nseries == b->cap) {
        uint32_t cap = b->cap ? 2 * b->cap : 64;
        GROW(b->rows, cap);
        GROW(b->hash, cap);
        GROW(b->t_first, cap);
        GROW(b->t_last, cap);
        for (uint32_t k = 0; k < b->nkeys; k++)
            GROW(b->dicts[k].ids, cap);
        b->cap = cap;
    }
    for (uint32_t k = 0; k < b->nkeys; k++) {
        int rc = dict_add(b, &b->dicts[k], &values[k], &b->dicts[k].ids[b->nseries]);
        if (rc)
            return rc;
    }
    b->hash[b->nseries] = hash;
    b->rows[b->nseries] = 0;
    b->nseries++;
    return 0;
}

void cold_index_builder_rows(struct cold_index_builder *b, uint32_t nrows, int64_t t_first, int64_t t_last)
{
    uint32_t i = b->nseries - 1;
    if (b->rows[i] == 0)
        b->t_first[i] = t_first;
    b->t_last[i] = t_last;
    b->rows[i] += nrows;
    b->total_rows += nrows;
}

int cold_index_builder_group(struct cold_index_builder *b, uint32_t nrows)
{
    return tsfs_buf_append(&b->groups, &nrows, sizeof(nrows));
}

/* ---- blocks ---- */

static int flush_times(struct pending *p)
{
    struct tsfs_buf raw = {0};
    int rc = codec_time_encode(p->t_first, p->t_last, p->n, &raw);
    if (rc == 0)
        rc = put_slice(&p->stream, &raw);
    p->n = 0;
    tsfs_buf_free(&raw);
    return rc;
}

static int flush_measure(struct pending *p, enum tsfs_type type)
{
    struct tsfs_buf raw = {0};
    int rc = codec_measure_encode(type, p->s, p->flags, p->n, &raw);
    if (rc == 0)
        rc = put_slice(&p->stream, &raw);
    p->n = 0;
    tsfs_buf_free(&raw);
    return rc;
}

int cold_index_builder_times(struct cold_index_builder *b, const int64_t *t_first, const int64_t *t_last,
                             uint32_t n)
{
    struct pending *p = &b->pending[0];
    if (!p->t_first && !(p->t_first = malloc(COLD_SLICE * sizeof(int64_t))))
        return -ENOMEM;
    if (!p->t_last && !(p->t_last = malloc(COLD_SLICE * sizeof(int64_t))))
        return -ENOMEM;
    b->total_blocks += n;
    for (uint32_t i = 0; i < n; i++) {
        p->t_first[p->n] = t_first[i];
        p->t_last[p->n++] = t_last[i];
        int rc = p->n == COLD_SLICE ? flush_times(p) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

int cold_index_builder_measure(struct cold_index_builder *b, uint32_t column, const struct tsfs_summary *s,
                               const uint8_t *flags, uint32_t n)
{
    struct pending *p = &b->pending[column];
    if (!p->s && !(p->s = malloc(COLD_SLICE * sizeof(*p->s))))
        return -ENOMEM;
    if (!p->flags && !(p->flags = malloc(COLD_SLICE)))
        return -ENOMEM;
    while (n > 0) {
        uint32_t k = COLD_SLICE - p->n < n ? COLD_SLICE - p->n : n;
        memcpy(p->s + p->n, s, k * sizeof(*s));
        memcpy(p->flags + p->n, flags, k);
        p->n += k, s += k, flags += k, n -= k;
        int rc = p->n == COLD_SLICE ? flush_measure(p, b->columns[column].type) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- the end ---- */

static int by_value(const void *a, const void *b, void *ctx)
{
    const struct tsfs_str *values = ctx;
    return tsfs_str_cmp(values[*(const uint32_t *)a], values[*(const uint32_t *)b]);
}

static int finish_dict(struct dict *d, struct stream *stream)
{
    uint32_t *order = malloc(((size_t)d->n + 1) * sizeof(*order));
    struct tsfs_str *sorted = malloc(((size_t)d->n + 1) * sizeof(*sorted));
    struct tsfs_buf raw = {0};
    int rc = -ENOMEM;
    d->rank = malloc(((size_t)d->n + 1) * sizeof(*d->rank));
    if (!order || !sorted || !d->rank)
        goto out;
    for (uint32_t i = 0; i < d->n; i++)
        order[i] = i;
    qsort_r(order, d->n, sizeof(*order), by_value, d->values);
    for (uint32_t i = 0; i < d->n; i++) {
        d->rank[order[i]] = i;
        sorted[i] = d->values[order[i]];
    }
    rc = 0;
    for (uint32_t i = 0; rc == 0 && i < d->n; i += COLD_SLICE) {
        raw.len = 0;
        rc = codec_dict_encode(sorted + i, d->n - i < COLD_SLICE ? d->n - i : COLD_SLICE, &raw);
        if (rc == 0)
            rc = put_slice(stream, &raw);
    }
out:
    free(order);
    free(sorted);
    tsfs_buf_free(&raw);
    return rc;
}

static int finish_series(struct cold_index_builder *b, struct stream *stream)
{
    const uint32_t **ids = calloc(b->nkeys, sizeof(*ids));
    struct tsfs_buf raw = {0};
    const uint32_t *groups = (const uint32_t *)b->groups.data;
    uint64_t row = 0, block = 0, group_end = b->groups.len ? groups[0] : 0;
    size_t group = 0;
    int rc = ids ? 0 : -ENOMEM;
    for (uint32_t k = 0; rc == 0 && k < b->nkeys; k++)
        for (uint32_t i = 0; i < b->nseries; i++)
            if (b->dicts[k].ids[i] != COLD_ABSENT)
                b->dicts[k].ids[i] = b->dicts[k].rank[b->dicts[k].ids[i]];
    for (uint32_t i = 0; rc == 0 && i < b->nseries; i += COLD_SLICE) {
        uint32_t n = b->nseries - i < COLD_SLICE ? b->nseries - i : COLD_SLICE;
        for (uint32_t k = 0; k < b->nkeys; k++)
            ids[k] = b->dicts[k].ids + i;
        struct cold_series_raw s = {n, b->nkeys, row, block, b->rows + i, b->t_first + i, b->t_last + i, ids};
        raw.len = 0;
        rc = codec_series_encode(&s, &raw);
        if (rc == 0)
            rc = put_slice(stream, &raw);
        for (uint32_t j = i; j < i + n; j++) {
            uint64_t left = b->rows[j];
            while (left > 0) {
                while (row == group_end)
                    group_end += groups[++group];
                uint64_t part = group_end - row < left ? group_end - row : left;
                block += cold_block_count(part);
                row += part;
                left -= part;
            }
        }
    }
    free(ids);
    tsfs_buf_free(&raw);
    return rc;
}

static uint32_t bucket_count(uint32_t nseries)
{
    uint32_t n = 1;
    while (n < (nseries + COLD_SLICE - 1) / COLD_SLICE)
        n *= 2;
    return n;
}

struct hash_order {
    uint64_t hash;
    uint32_t series;
};

static int by_bucket(const void *pa, const void *pb)
{
    const struct hash_order *a = pa, *b = pb; /* .hash is rotated: bucket bits, then low bits */
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->series > b->series) - (a->series < b->series);
}

static int finish_hashes(struct cold_index_builder *b, struct stream *stream, uint32_t buckets)
{
    unsigned bits = (unsigned)__builtin_ctz(buckets);
    struct hash_order *order = malloc(((size_t)b->nseries + 1) * sizeof(*order));
    struct tsfs_buf raw = {0};
    int rc = order ? 0 : -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < b->nseries; i++) {
        uint64_t bucket = bits ? b->hash[i] >> (64 - bits) : 0;
        order[i] = (struct hash_order){bucket << 32 | (uint32_t)b->hash[i], i};
    }
    if (rc == 0)
        qsort(order, b->nseries, sizeof(*order), by_bucket);
    uint32_t i = 0;
    for (uint32_t bucket = 0; rc == 0 && bucket < buckets; bucket++) {
        raw.len = 0;
        for (; rc == 0 && i < b->nseries && order[i].hash >> 32 == bucket; i++) {
            struct cold_hash_entry e = {(uint32_t)order[i].hash, order[i].series};
            rc = tsfs_buf_append(&raw, &e, sizeof(e));
        }
        if (rc == 0)
            rc = put_slice(stream, &raw);
    }
    free(order);
    tsfs_buf_free(&raw);
    return rc;
}

static int put(struct tsfs_buf *out, const void *p, size_t n)
{
    return tsfs_buf_append(out, p, n);
}

static int put_columns(const struct cold_index_builder *b, struct tsfs_buf *out)
{
    int rc = 0;
    uint32_t key = 0;
    for (uint32_t i = 0; rc == 0 && i < b->ncolumns; i++) {
        const struct cold_column *c = &b->columns[i];
        uint8_t fixed[10] = {(uint8_t)c->role, (uint8_t)c->type};
        uint16_t len = (uint16_t)c->name.len;
        uint32_t dict = is_key(c) ? b->dicts[key++].n : 0;
        memcpy(fixed + 2, &c->slot, 2);
        memcpy(fixed + 4, &dict, 4);
        memcpy(fixed + 8, &len, 2);
        rc = put(out, fixed, sizeof(fixed));
        if (rc == 0)
            rc = tsfs_buf_append_str(out, c->name);
    }
    static const char zeros[8];
    size_t pad = -out->len & 7;
    return rc ? rc : put(out, zeros, pad);
}

/* The header at the beginning of head, which is complete but for it; data: bytes of slices behind head. */
static void fill_header(const struct cold_index_builder *b, struct tsfs_buf *head, uint64_t data,
                        uint32_t buckets)
{
    char *header = head->data;
    int64_t t_min = INT64_MAX, t_max = INT64_MIN;
    for (uint32_t i = 0; i < b->nseries; i++) {
        t_min = b->t_first[i] < t_min ? b->t_first[i] : t_min;
        t_max = b->t_last[i] > t_max ? b->t_last[i] : t_max;
    }
    memcpy(header, COLD_INDEX_MAGIC, 8);
#define FIELD(at, type, value) memcpy(header + (at), &(type){value}, sizeof(type))
    FIELD(8, uint32_t, COLD_INDEX_VERSION);
    FIELD(12, uint32_t, (uint32_t)head->len);
    FIELD(16, uint64_t, head->len + data);
    FIELD(24, uint64_t, b->total_rows);
    FIELD(32, uint64_t, b->total_blocks);
    FIELD(40, uint32_t, b->nseries);
    FIELD(44, uint32_t, b->ncolumns);
    FIELD(48, uint32_t, (uint32_t)(b->groups.len / 4));
    FIELD(52, uint32_t, TSFS_BLOCK_ROWS);
    FIELD(56, uint32_t, COLD_BLOCK_MIN);
    FIELD(60, uint32_t, COLD_SLICE);
    FIELD(64, int64_t, t_min);
    FIELD(72, int64_t, t_max);
    FIELD(80, uint32_t, buckets);
#undef FIELD
    uint64_t sum = tsfs_hash(header, head->len); /* with zeros where it goes */
    memcpy(header + 88, &sum, 8);
}

int cold_index_builder_finish(struct cold_index_builder *b, struct tsfs_buf *out)
{
    struct stream *streams = calloc((size_t)b->ncolumns + 2, sizeof(*streams)); /* series, hashes, columns */
    struct tsfs_buf head = {0};
    uint32_t buckets = bucket_count(b->nseries), key = 0;
    uint64_t data = 0;
    int rc = streams ? 0 : -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < b->ncolumns; i++) {
        struct pending *p = &b->pending[i];
        if (is_key(&b->columns[i])) {
            rc = finish_dict(&b->dicts[key++], &streams[2 + i]);
            continue;
        }
        if (p->n)
            rc = i == 0 ? flush_times(p) : flush_measure(p, b->columns[i].type);
        streams[2 + i] = p->stream;
        memset(&p->stream, 0, sizeof(p->stream));
    }
    if (rc == 0)
        rc = finish_series(b, &streams[0]);
    if (rc == 0)
        rc = finish_hashes(b, &streams[1], buckets);
    if (rc)
        goto out;

    static const uint8_t header[COLD_INDEX_HEADER]; /* filled in when all the rest is known */
    rc = put(&head, header, sizeof(header));
    if (rc == 0)
        rc = put(&head, b->groups.data, b->groups.len);
    if (rc == 0)
        rc = put_columns(b, &head);
    for (uint32_t i = 0; rc == 0 && i < b->ncolumns + 2; i++) {
        rc = put(&head, streams[i].meta.data, streams[i].meta.len);
        data += streams[i].data.len;
    }
    if (rc)
        goto out;
    if (head.len > UINT32_MAX) {
        rc = -E2BIG;
        goto out;
    }
    fill_header(b, &head, data, buckets);
    rc = put(out, head.data, head.len);
    for (uint32_t i = 0; rc == 0 && i < b->ncolumns + 2; i++)
        rc = put(out, streams[i].data.data, streams[i].data.len);
out:
    for (uint32_t i = 0; streams && i < b->ncolumns + 2; i++)
        stream_free(&streams[i]);
    free(streams);
    tsfs_buf_free(&head);
    return rc;
}
