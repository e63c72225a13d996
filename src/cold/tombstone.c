/* Tombstones: the list of series and the range of time that a DELETE has taken out of one partition.
 *
 * The series are listed one by one, as they were when the statement ran, and not as the condition that chose
 * them: all rows that it can hide lie in generations before its own, so the list is complete, and whoever
 * reads it needs neither the statement's language nor the functions of that day.
 *
 * In the file a series names its dimensions by position in a list of names.  In memory it is a key, bytes
 * that two series share only if they are the same: measure_name with its length, then slot, length and value
 * of every dimension that it has, by rising slot.  Slots are the table's own and never change. */
#include "cold/tombstone.h"

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"

static const char magic[8] = {'T', 'S', 'F', 'S', 'D', 'E', 'L', '1'};

enum {
    FLAG_ALL = 1,
    AT_GENERATION = 8,
    AT_FLAGS = 12,
    AT_TIME_MIN = 16,
    AT_TIME_MAX = 24,
    AT_WRITTEN = 32,
    AT_NAMES = 40,
    AT_SERIES = 44,
    HEADER = 48,
    TRAILER = 8,
};

struct key {
    uint32_t at, len;
};

struct tsfs_tombstone {
    _Atomic uint32_t refs;
    struct tsfs_tombstone_facts facts;
    struct tsfs_buf bytes; /* of all keys */
    struct key *keys;
    uint32_t nkeys;
    struct tsfs_hash_index index;
};

/* ---- writing ---- */

static int put16(struct tsfs_buf *b, uint16_t v)
{
    v = htole16(v);
    return tsfs_buf_append(b, &v, sizeof(v));
}

static int put32(struct tsfs_buf *b, uint32_t v)
{
    v = htole32(v);
    return tsfs_buf_append(b, &v, sizeof(v));
}

static int put64(struct tsfs_buf *b, uint64_t v)
{
    v = htole64(v);
    return tsfs_buf_append(b, &v, sizeof(v));
}

static int put_str(struct tsfs_buf *b, struct tsfs_str s)
{
    int rc = put32(b, (uint32_t)s.len);
    return rc ? rc : tsfs_buf_append(b, s.ptr, s.len);
}

int tsfs_tombstone_begin(struct tsfs_tombstone_builder *b, const struct tsfs_schema *schema,
                         uint32_t generation, bool all, int64_t time_min, int64_t time_max, int64_t written)
{
    struct tsfs_buf *out = &b->bytes;
    uint16_t ndims = all ? 0 : schema->ndims;
    b->schema = schema;
    b->series = 0;
    out->len = 0;
    if (tsfs_buf_append(out, magic, sizeof(magic)) || put32(out, generation) ||
        put32(out, all ? FLAG_ALL : 0) || put64(out, (uint64_t)time_min) || put64(out, (uint64_t)time_max) ||
        put64(out, (uint64_t)written) || put32(out, ndims) || put32(out, 0))
        return -ENOMEM;
    for (uint16_t i = 0; i < ndims; i++)
        if (put_str(out, schema->cols[schema->dims[i]].name))
            return -ENOMEM;
    return 0;
}

int tsfs_tombstone_add(struct tsfs_tombstone_builder *b, const struct tsfs_series *series)
{
    struct tsfs_buf *out = &b->bytes;
    uint16_t n = 0;
    for (uint16_t i = 0; i < series->ndims; i++)
        n += series->dims[i].ptr != NULL;
    if (put_str(out, series->measure_name) || put16(out, n))
        return -ENOMEM;
    for (uint16_t i = 0; i < series->ndims; i++)
        if (series->dims[i].ptr && (put16(out, i) || put_str(out, series->dims[i])))
            return -ENOMEM;
    if (out->len > TSFS_TOMBSTONE_MAX - TRAILER || b->series == UINT32_MAX)
        return -E2BIG;
    b->series++;
    return 0;
}

int tsfs_tombstone_end(struct tsfs_tombstone_builder *b)
{
    uint32_t n = htole32(b->series);
    memcpy(b->bytes.data + AT_SERIES, &n, sizeof(n));
    return put64(&b->bytes, tsfs_hash(b->bytes.data, b->bytes.len));
}

void tsfs_tombstone_builder_free(struct tsfs_tombstone_builder *b)
{
    tsfs_buf_free(&b->bytes);
}

/* ---- reading ---- */

struct reader {
    const char *at, *end;
};

static bool get(struct reader *r, void *out, size_t n)
{
    if ((size_t)(r->end - r->at) < n)
        return false;
    memcpy(out, r->at, n);
    r->at += n;
    return true;
}

static bool get16(struct reader *r, uint16_t *out)
{
    if (!get(r, out, sizeof(*out)))
        return false;
    *out = le16toh(*out);
    return true;
}

static bool get_str(struct reader *r, struct tsfs_str *out)
{
    uint32_t len;
    if (!get(r, &len, sizeof(len)))
        return false;
    len = le32toh(len);
    if ((size_t)(r->end - r->at) < len)
        return false;
    *out = (struct tsfs_str){r->at, len};
    r->at += len;
    return true;
}

static uint32_t u32_at(struct tsfs_str bytes, size_t at)
{
    uint32_t v;
    memcpy(&v, bytes.ptr + at, sizeof(v));
    return le32toh(v);
}

static uint64_t u64_at(struct tsfs_str bytes, size_t at)
{
    uint64_t v;
    memcpy(&v, bytes.ptr + at, sizeof(v));
    return le64toh(v);
}

int tsfs_tombstone_key(const struct tsfs_series *series, struct tsfs_buf *out)
{
    if (put_str(out, series->measure_name))
        return -ENOMEM;
    for (uint16_t i = 0; i < series->ndims; i++)
        if (series->dims[i].ptr && (put16(out, i) || put_str(out, series->dims[i])))
            return -ENOMEM;
    return 0;
}

struct wanted {
    const struct tsfs_tombstone *t;
    struct tsfs_str key;
};

static bool is_key(const void *ctx, uint32_t number)
{
    const struct wanted *w = ctx;
    const struct key *k = &w->t->keys[number];
    return k->len == w->key.len && memcmp(w->t->bytes.data + k->at, w->key.ptr, k->len) == 0;
}

bool tsfs_tombstone_has(const struct tsfs_tombstone *t, struct tsfs_str key)
{
    struct wanted w = {t, key};
    if (t->facts.all)
        return true;
    return tsfs_hash_index_find(&t->index, tsfs_hash(key.ptr, key.len), is_key, &w) != TSFS_HASH_NONE;
}

static int damaged(struct tsfs_error *err, const char *what)
{
    return tsfs_error_set(err, -EINVAL, "not a sound record of deleted rows: %s", what);
}

/* The dimensions' names: slots[i] of the schema's is name i. */
static int read_names(struct reader *r, uint32_t n, const struct tsfs_schema *schema, uint16_t *slots,
                      struct tsfs_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_str name;
        if (!get_str(r, &name))
            return damaged(err, "its names end early");
        uint16_t ordinal = tsfs_schema_find(schema, name);
        if (ordinal == TSFS_ORDINAL_NONE || schema->cols[ordinal].role != TSFS_ROLE_DIMENSION)
            return tsfs_error_set(err, -EINVAL,
                                  "a record of deleted rows speaks of \"%.*s\", which is no "
                                  "dimension of this table",
                                  (int)(name.len < 128 ? name.len : 128), name.ptr);
        slots[i] = schema->cols[ordinal].slot;
        for (uint32_t k = 0; k < i; k++)
            if (slots[k] == slots[i])
                return damaged(err, "it names a dimension twice");
    }
    return 0;
}

static int read_series(struct reader *r, struct tsfs_tombstone *t, uint32_t nnames, const uint16_t *slots,
                       struct tsfs_error *err)
{
    struct tsfs_str dims[TSFS_DIMENSIONS_MAX + 1];
    struct tsfs_series series = {.dims = dims};
    uint16_t n, name, before = 0;
    memset(dims, 0, sizeof(dims));
    if (!get_str(r, &series.measure_name) || !get16(r, &n))
        return damaged(err, "a series ends early");
    if (n > nnames)
        return damaged(err, "a series has more dimensions than are named");
    for (uint16_t i = 0; i < n; i++, before = name) {
        struct tsfs_str value;
        if (!get16(r, &name) || !get_str(r, &value))
            return damaged(err, "a series ends early");
        if (name >= nnames || (i > 0 && name <= before))
            return damaged(err, "a series has dimensions out of order");
        dims[slots[name]] = value;
        if (slots[name] >= series.ndims)
            series.ndims = (uint16_t)(slots[name] + 1);
    }
    size_t at = t->bytes.len;
    if (tsfs_tombstone_key(&series, &t->bytes) != 0)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    struct tsfs_str key = {t->bytes.data + at, t->bytes.len - at};
    if (tsfs_tombstone_has(t, key)) {
        t->bytes.len = at;
        return 0;
    }
    t->keys[t->nkeys] = (struct key){(uint32_t)at, (uint32_t)key.len};
    if (tsfs_hash_index_add(&t->index, tsfs_hash(key.ptr, key.len), t->nkeys) != 0)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    t->nkeys++;
    return 0;
}

int tsfs_tombstone_parse(struct tsfs_str bytes, const struct tsfs_schema *schema, struct tsfs_tombstone **out,
                         struct tsfs_error *err)
{
    uint16_t slots[TSFS_DIMENSIONS_MAX + 1];
    if (bytes.len < HEADER + TRAILER || bytes.len > TSFS_TOMBSTONE_MAX)
        return damaged(err, "its length cannot be right");
    if (memcmp(bytes.ptr, magic, sizeof(magic)) != 0)
        return damaged(err, "it does not begin as one");
    if (u64_at(bytes, bytes.len - TRAILER) != tsfs_hash(bytes.ptr, bytes.len - TRAILER))
        return damaged(err, "its checksum is wrong");
    uint32_t flags = u32_at(bytes, AT_FLAGS), nnames = u32_at(bytes, AT_NAMES),
             nseries = u32_at(bytes, AT_SERIES);
    struct reader r = {bytes.ptr + HEADER, bytes.ptr + bytes.len - TRAILER};
    if (flags & ~(uint32_t)FLAG_ALL)
        return damaged(err, "it has flags that are not known");
    if (nnames > TSFS_DIMENSIONS_MAX || nseries > (size_t)(r.end - r.at) / 6 ||
        ((flags & FLAG_ALL) && (nnames || nseries)))
        return damaged(err, "its counts cannot be right");
    struct tsfs_tombstone *t = calloc(1, sizeof(*t));
    if (!t)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    t->refs = 1;
    t->facts.generation = u32_at(bytes, AT_GENERATION);
    t->facts.all = flags & FLAG_ALL;
    t->facts.time_min = (int64_t)u64_at(bytes, AT_TIME_MIN);
    t->facts.time_max = (int64_t)u64_at(bytes, AT_TIME_MAX);
    t->facts.written = (int64_t)u64_at(bytes, AT_WRITTEN);
    int rc = 0;
    if (t->facts.generation == 0 || t->facts.generation == UINT32_MAX ||
        t->facts.time_min > t->facts.time_max)
        rc = damaged(err, "its generation or time range cannot be right");
    t->keys = rc == 0 ? calloc(nseries + 1u, sizeof(*t->keys)) : NULL;
    if (rc == 0 && !t->keys)
        rc = tsfs_error_set(err, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = read_names(&r, nnames, schema, slots, err);
    for (uint32_t i = 0; rc == 0 && i < nseries; i++)
        rc = read_series(&r, t, nnames, slots, err);
    if (rc == 0 && r.at != r.end)
        rc = damaged(err, "there is more in it than it says");
    if (rc) {
        tsfs_tombstone_unref(t);
        return rc;
    }
    t->facts.series = t->nkeys;
    t->facts.bytes =
        sizeof(*t) + t->bytes.cap + nseries * sizeof(*t->keys) + tsfs_hash_index_bytes(&t->index);
    *out = t;
    return 0;
}

struct tsfs_tombstone *tsfs_tombstone_ref(struct tsfs_tombstone *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tsfs_tombstone_unref(struct tsfs_tombstone *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    tsfs_buf_free(&t->bytes);
    tsfs_hash_index_free(&t->index);
    free(t->keys);
    free(t);
}

void tsfs_tombstone_facts(const struct tsfs_tombstone *t, struct tsfs_tombstone_facts *out)
{
    *out = t->facts;
}
