/* The private index of a segment: what is in it, and reading it piece by piece.
 *
 * A segment is sorted by series, and within a series by time.  The index says which rows belong to which
 * series and what is known of them without decoding a page:
 *
 *   header        fixed 96 bytes: version, counts, time range, checksum of header and directory
 *   directory     rows of each row group; the columns (role, type, slot, name, size of the dictionary);
 *                 the table of slices (stored bytes, raw bytes, XXH3-64 of what is stored)
 *   slices        the rest, each at most 256 entries, compressed with zstd where that helps:
 *       series        256 series a slice, in file order: rows, first and last time, for each key
 *                     (measure_name and the dimensions) the number of its value in the key's dictionary
 *       hashes        2^k buckets by the top k bits of tsfs_series_hash, about 256 series each
 *       dictionaries  one a key, values in byte order: so numbers compare like values
 *       times         first and last time of 256 blocks
 *       summaries     one list a measure: count, sum, min, max, first, last of 256 blocks
 *
 * A small index is packed (index_pack.c): it is read whole.  Of any other, opening a segment reads header and
 * directory: sixteen bytes a slice.  Everything else is read and decoded a slice at a time when it is first
 * asked for: finding one series among a million by its hash costs one bucket, one series slice and one
 * dictionary slice a key.  Nothing in here is needed to find a slice but its number: entry i of a list is
 * entry i % 256 of slice i / 256.
 *
 * Blocks are not listed, they follow from the rows: the rows of one series in one row group are a part;
 * a part of fewer than 32 rows has no block (its summary would weigh as much as its data), any other has
 * the fewest blocks of nearly equal size that hold at most 1,024 rows each.  They are numbered in file order.
 *
 * Slices that lie one after the other are often asked for one after the other (the summaries of a column,
 * those of the next): a slice that follows what the kernel was told of makes it read some more of them at
 * once.
 *
 * Decoded slices are published in an array of atomic pointers: readers on any thread find them without a
 * lock, two that decode the same slice at once agree on the first.  They stay until cold_index_drop, which
 * the segment calls when nobody reads it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/utf8.h"
#include "cold/cache.h"
#include "cold/index.h"

/* Roles and types are stored as these numbers. */
_Static_assert(TSFS_ROLE_TIME == 0 && TSFS_ROLE_MEASURE_NAME == 1 && TSFS_ROLE_DIMENSION == 2 &&
                   TSFS_ROLE_MEASURE == 3 && TSFS_BOOLEAN == 1 && TSFS_BIGINT == 3 && TSFS_DOUBLE == 4 &&
                   TSFS_VARCHAR == 5 && TSFS_TIMESTAMP == 6,
               "the format of segments has these numbers");

static int damaged(struct tsfs_error *err, const char *what)
{
    return tsfs_error_set(err, -EINVAL, "the segment's index is damaged: %s", what);
}

/* First slices: series at 0, hashes behind them, then the columns. */
static uint32_t hash_slice(const struct cold_index *ix)
{
    return cold_slices(ix->series);
}

static int load_columns(struct cold_index *ix, const uint8_t **at, const uint8_t *end, struct tsfs_error *err)
{
    const uint8_t *p = *at;
    size_t names = 0;
    ix->columns = calloc(ix->ncolumns, sizeof(*ix->columns));
    ix->key_column = calloc(ix->ncolumns, sizeof(*ix->key_column));
    ix->key_dict = calloc(ix->ncolumns, sizeof(*ix->key_dict));
    ix->names = malloc((size_t)(end - p) + ix->ncolumns);
    if (!ix->columns || !ix->key_column || !ix->key_dict || !ix->names)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < ix->ncolumns; i++) {
        struct cold_index_column *c = &ix->columns[i];
        if (end - p < 10)
            return damaged(err, "columns are cut off");
        uint16_t len;
        memcpy(&c->slot, p + 2, 2);
        memcpy(&len, p + 8, 2);
        uint8_t role = p[0], type = p[1];
        c->dict = cold_u32(p + 4);
        p += 10;
        if (end - p < len || len > (ix->image ? 0 : TSFS_COLUMN_NAME_MAX) || memchr(p, 0, len))
            return damaged(err, "a column's name");
        c->name = (struct tsfs_str){ix->names + names, len};
        memcpy(ix->names + names, p, len);
        ix->names[names + len] = 0;
        names += len + 1u;
        p += len;
        c->role = role;
        c->type = type;
        c->key = UINT32_MAX;
        bool ok = i == 0   ? role == TSFS_ROLE_TIME && type == TSFS_TIMESTAMP
                  : i == 1 ? role == TSFS_ROLE_MEASURE_NAME && type == TSFS_VARCHAR
                  : role == TSFS_ROLE_DIMENSION
                      ? type == TSFS_VARCHAR && ix->columns[i - 1].role != TSFS_ROLE_MEASURE
                      : role == TSFS_ROLE_MEASURE && type >= TSFS_BOOLEAN && type <= TSFS_VARCHAR &&
                            type != TSFS_INTEGER;
        if (!ok)
            return damaged(err, "roles and types of the columns");
        if (role == TSFS_ROLE_MEASURE_NAME || role == TSFS_ROLE_DIMENSION) {
            c->key = ix->nkeys;
            if (c->dict > TSFS_SERIES_MAX)
                return damaged(err, "size of a dictionary");
            ix->key_dict[ix->nkeys] = c->dict;
            ix->key_column[ix->nkeys++] = i;
        }
    }
    *at = p;
    return 0;
}

static int load_slices(struct cold_index *ix, const uint8_t *p, const uint8_t *end, uint64_t offset,
                       uint64_t limit, struct tsfs_error *err)
{
    uint64_t n = (uint64_t)cold_slices(ix->series) + ix->buckets;
    for (uint32_t i = 0; i < ix->ncolumns; i++) {
        struct cold_index_column *c = &ix->columns[i];
        c->first_slice = (uint32_t)n;
        n += cold_slices(c->key != UINT32_MAX ? c->dict : ix->blocks);
    }
    if ((uint64_t)(end - p) != n * 16)
        return damaged(err, "the table of slices has the wrong size");
    ix->nslices = (uint32_t)n;
    ix->slices = calloc(n ? n : 1, sizeof(*ix->slices));
    ix->cache = calloc(n ? n : 1, sizeof(*ix->cache));
    if (!ix->slices || !ix->cache)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < n; i++, p += 16) {
        struct cold_slice_ref *s = &ix->slices[i];
        *s = (struct cold_slice_ref){offset, cold_u32(p), cold_u32(p + 4), cold_u64(p + 8)};
        if (s->raw > TSFS_INDEX_SLICE_MAX || s->stored > s->raw || s->stored > limit - offset)
            return damaged(err, "the table of slices");
        offset += s->stored;
    }
    if (offset != limit)
        return damaged(err, "slices and length do not agree");
    return 0;
}

/* Bytes of the file, to be freed. */
static int read_part(int fd, uint64_t offset, size_t n, uint8_t **out, struct tsfs_error *err)
{
    uint8_t *p = malloc(n);
    if (!p)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    int rc = tsfs_io_read_all(fd, p, n, (off_t)offset);
    if (rc) {
        free(p);
        return tsfs_error_set(err, rc, "cannot read the segment's index: %s", strerror(-rc));
    }
    *out = p;
    return 0;
}

/* Header and directory, to be freed; of a packed index all of it, and length becomes that. */
static int load_head(int fd, uint64_t offset, uint64_t *length, uint8_t **out, bool *packed,
                     struct tsfs_error *err)
{
    uint8_t head[COLD_PACKED_HEADER], *whole = NULL, *dir = NULL;
    size_t least = *length < sizeof(head) ? COLD_TERSE_HEADER : sizeof(head);
    if (*length < least || *length > TSFS_INDEX_MAX || offset > INT64_MAX - *length)
        return damaged(err, "its place in the file");
    int rc = tsfs_io_read_all(fd, head, least, (off_t)offset);
    if (rc)
        return tsfs_error_set(err, rc, "cannot read the segment's index: %s", strerror(-rc));
    bool terse = memcmp(head, COLD_TERSE_MAGIC, 4) == 0;
    if (!terse && (least < sizeof(head) || memcmp(head, COLD_INDEX_MAGIC, 8) != 0))
        return damaged(err, "it does not begin as an index");
    uint32_t version = terse ? COLD_TERSE_VERSION : cold_u32(head + 8), dir_len;
    *packed = terse || version == COLD_PACKED_VERSION;
    if (*packed) {
        if (*length > sizeof(head) + COLD_PACKED_MAX)
            return damaged(err, "its lengths");
        rc = read_part(fd, offset, (size_t)*length, &whole, err);
        if (rc)
            return rc;
        rc = cold_index_unpack(whole, (size_t)*length, &dir, &dir_len);
        free(whole);
        if (rc)
            return rc == -EINVAL ? damaged(err, "its checksum") : tsfs_error_set(err, rc, "out of memory");
        *length = dir_len;
        dir_len = cold_u32(dir + 12);
        rc = cold_u32(dir + 8) == COLD_INDEX_VERSION && dir_len >= COLD_INDEX_HEADER && dir_len <= *length &&
                     cold_u64(dir + 16) == *length
                 ? 0
                 : damaged(err, "its lengths");
    } else if (version != COLD_INDEX_VERSION) {
        return tsfs_error_set(err, -ENOTSUP, "the segment's index has version %u, this program reads 1 to 3",
                              version);
    } else {
        dir_len = cold_u32(head + 12);
        if (dir_len < COLD_INDEX_HEADER || dir_len > *length || cold_u64(head + 16) != *length)
            return damaged(err, "its lengths");
        rc = read_part(fd, offset, dir_len, &dir, err);
        if (rc)
            return rc;
        uint64_t sum = cold_u64(dir + 88);
        memset(dir + 88, 0, 8);
        if (tsfs_hash(dir, dir_len) != sum)
            rc = damaged(err, "checksum of the directory");
    }
    if (rc) {
        free(dir);
        return rc;
    }
    *out = dir;
    return 0;
}

int cold_index_load(int fd, uint64_t offset, uint64_t length, struct cold_index **out, struct tsfs_error *err)
{
    uint8_t *dir = NULL;
    bool packed = false;
    struct cold_index *ix = calloc(1, sizeof(*ix));
    if (!ix)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    int rc = load_head(fd, offset, &length, &dir, &packed, err);
    if (rc)
        goto out;
    if (packed) {
        ix->image = dir;
        offset = 0;
    }
    rc = -EINVAL;
    uint32_t dir_len = cold_u32(dir + 12);
    ix->fd = fd;
    ix->rows = cold_u64(dir + 24);
    ix->blocks = cold_u64(dir + 32);
    ix->series = cold_u32(dir + 40);
    ix->ncolumns = cold_u32(dir + 44);
    ix->ngroups = cold_u32(dir + 48);
    ix->t_min = (int64_t)cold_u64(dir + 64);
    ix->t_max = (int64_t)cold_u64(dir + 72);
    ix->buckets = cold_u32(dir + 80);
    if (cold_u32(dir + 52) != TSFS_BLOCK_ROWS || cold_u32(dir + 56) != COLD_BLOCK_MIN ||
        cold_u32(dir + 60) != COLD_SLICE || ix->series == 0 || ix->series > TSFS_SERIES_MAX ||
        ix->rows < ix->series || ix->blocks > ix->rows || ix->ncolumns < 2 ||
        ix->ncolumns > TSFS_COLUMNS_MAX || ix->t_min > ix->t_max || ix->buckets == 0 ||
        ix->buckets > 1u << 24 || (ix->buckets & (ix->buckets - 1)) != 0 || ix->ngroups == 0 ||
        ix->ngroups > (dir_len - COLD_INDEX_HEADER) / 4 || ix->blocks > UINT32_MAX) {
        damaged(err, "its counts");
        goto out;
    }
    const uint8_t *p = dir + COLD_INDEX_HEADER, *end = dir + dir_len;
    ix->group_row = calloc((size_t)ix->ngroups + 1, sizeof(*ix->group_row));
    if (!ix->group_row) {
        rc = tsfs_error_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    bool whole = true;
    for (uint32_t i = 0; i < ix->ngroups; i++, p += 4) {
        ix->group_row[i + 1] = ix->group_row[i] + cold_u32(p);
        whole &= cold_u32(p) > 0;
    }
    if (!whole || ix->group_row[ix->ngroups] != ix->rows) {
        damaged(err, "rows of the row groups");
        goto out;
    }
    rc = load_columns(ix, &p, end, err);
    if (rc)
        goto out;
    p += -(p - dir) & 7;
    if (p > end) {
        rc = damaged(err, "columns are cut off");
        goto out;
    }
    rc = load_slices(ix, p, end, offset + dir_len, offset + length, err);
    ix->end = offset + length;
    ix->fixed = sizeof(*ix) + (ix->ngroups + 1u) * sizeof(uint64_t) +
                ix->ncolumns * (sizeof(*ix->columns) + 8u) +
                ix->nslices * (sizeof(*ix->slices) + sizeof(void *)) + (packed ? length : 0);
out:
    if (!ix->image)
        free(dir);
    if (rc) {
        cold_index_free(ix);
        return rc;
    }
    *out = ix;
    return 0;
}

void cold_index_drop(struct cold_index *ix)
{
    for (uint32_t i = 0; ix->cache && i < ix->nslices; i++) {
        free(atomic_load_explicit(&ix->cache[i], memory_order_relaxed));
        atomic_store_explicit(&ix->cache[i], NULL, memory_order_relaxed);
    }
    cold_cache_index_remove(atomic_exchange(&ix->cached, 0));
}

void cold_index_free(struct cold_index *ix)
{
    if (!ix)
        return;
    cold_index_drop(ix);
    free(ix->group_row);
    free(ix->columns);
    free(ix->key_column);
    free(ix->key_dict);
    free(ix->slices);
    free(ix->cache);
    free(ix->names);
    free(ix->image);
    free(ix);
}

/* ---- slices ---- */

#define AHEAD_BYTES (32u << 10)
#define AHEAD_GAP   (8u << 10)

static void tell_ahead(struct cold_index *ix, const struct cold_slice_ref *s)
{
    uint64_t told = atomic_load_explicit(&ix->told, memory_order_relaxed), end = s->offset + s->stored;
    if (end <= told && s->offset + AHEAD_BYTES >= told)
        return;
    bool follows = s->offset <= told + AHEAD_GAP && end >= told;
    uint64_t stop = follows && ix->end - s->offset > AHEAD_BYTES ? s->offset + AHEAD_BYTES
                    : follows                                    ? ix->end
                                                                 : end;
    atomic_store_explicit(&ix->told, stop, memory_order_relaxed);
    if (follows)
        (void)posix_fadvise(ix->fd, (off_t)s->offset, (off_t)(stop - s->offset), POSIX_FADV_WILLNEED);
}

/* The raw bytes of a slice; *owned is to be freed. */
static int read_slice(struct cold_index *ix, uint32_t i, uint8_t **owned, struct tsfs_error *err)
{
    const struct cold_slice_ref *s = &ix->slices[i];
    uint8_t *stored = malloc(s->stored + 1u), *raw = NULL;
    int rc = stored ? 0 : -ENOMEM;
    if (rc == 0 && ix->image) {
        memcpy(stored, ix->image + s->offset, s->stored);
    } else if (rc == 0) {
        tell_ahead(ix, s);
        rc = tsfs_io_read_all(ix->fd, stored, s->stored, (off_t)s->offset);
    }
    if (rc) {
        tsfs_error_set(err, rc, "cannot read the segment's index: %s", strerror(-rc));
    } else if (!ix->image && s->stored && tsfs_hash(stored, s->stored) != s->xxh3) {
        rc = damaged(err, "checksum of a slice");
    } else if (s->stored < s->raw) {
        raw = malloc(s->raw);
        if (!raw)
            rc = tsfs_error_set(err, -ENOMEM, "out of memory");
        else if (ZSTD_decompress(raw, s->raw, stored, s->stored) != s->raw)
            rc = damaged(err, "a slice does not decompress");
    } else {
        raw = stored;
        stored = NULL;
    }
    free(stored);
    if (rc) {
        free(raw);
        raw = NULL;
    }
    *owned = raw;
    return rc;
}

/* Publishes a decoded slice, or frees it when another thread was first. */
static void *publish(struct cold_index *ix, uint32_t i, void *slice, size_t bytes)
{
    void *none = NULL;
    if (atomic_compare_exchange_strong(&ix->cache[i], &none, slice)) {
        atomic_fetch_add(&ix->cached, bytes);
        cold_cache_index_add(bytes);
        return slice;
    }
    free(slice);
    return none;
}

static uint32_t entries_in(uint64_t n, uint32_t slice)
{
    uint64_t left = n - (uint64_t)slice * COLD_SLICE;
    return left < COLD_SLICE ? (uint32_t)left : COLD_SLICE;
}

#define CACHED(ix, i) atomic_load_explicit(&(ix)->cache[i], memory_order_acquire)

int cold_index_series(struct cold_index *ix, uint32_t slice, const struct cold_series_slice **out,
                      struct tsfs_error *err)
{
    struct cold_series_slice *s = CACHED(ix, slice);
    uint8_t *raw;
    int rc = 0;
    if (!s) {
        rc = read_slice(ix, slice, &raw, err);
        if (rc)
            return rc;
        rc = codec_series_decode(raw, ix->slices[slice].raw, entries_in(ix->series, slice), ix->nkeys,
                                 ix->group_row, ix->ngroups, ix->key_dict, &s);
        free(raw);
        if (rc == 0 && s->block[s->n] > ix->blocks) {
            free(s);
            rc = -EINVAL;
        }
        if (rc)
            return rc == -EINVAL ? damaged(err, "a slice of series") : rc;
        s = publish(ix, slice, s, s->bytes);
    }
    *out = s;
    return rc;
}

int cold_index_hash(struct cold_index *ix, uint32_t bucket, const struct cold_hash_slice **out,
                    struct tsfs_error *err)
{
    uint32_t i = hash_slice(ix) + bucket;
    struct cold_hash_slice *s = CACHED(ix, i);
    uint8_t *raw;
    if (!s) {
        int rc = read_slice(ix, i, &raw, err);
        if (rc)
            return rc;
        uint32_t len = ix->slices[i].raw;
        bool ok = len % sizeof(struct cold_hash_entry) == 0;
        s = malloc(sizeof(*s) + len);
        if (s) {
            s->bytes = sizeof(*s) + len;
            s->n = len / sizeof(struct cold_hash_entry);
            memcpy(s->entries, raw, len);
            for (uint32_t k = 0; ok && k < s->n; k++)
                ok = s->entries[k].series < ix->series &&
                     (k == 0 || s->entries[k - 1].low <= s->entries[k].low);
        }
        free(raw);
        if (!s)
            return tsfs_error_set(err, -ENOMEM, "out of memory");
        if (!ok) {
            free(s);
            return damaged(err, "a bucket of hashes");
        }
        s = publish(ix, i, s, s->bytes);
    }
    *out = s;
    return 0;
}

int cold_index_times(struct cold_index *ix, uint32_t slice, const struct cold_time_slice **out,
                     struct tsfs_error *err)
{
    uint32_t i = ix->columns[0].first_slice + slice;
    struct cold_time_slice *s = CACHED(ix, i);
    uint8_t *raw;
    if (!s) {
        int rc = read_slice(ix, i, &raw, err);
        if (rc)
            return rc;
        rc = codec_time_decode(raw, ix->slices[i].raw, entries_in(ix->blocks, slice), &s);
        free(raw);
        if (rc)
            return rc == -EINVAL ? damaged(err, "a slice of times") : rc;
        s = publish(ix, i, s, s->bytes);
    }
    *out = s;
    return 0;
}

int cold_index_measure(struct cold_index *ix, uint32_t column, uint32_t slice,
                       const struct cold_measure_slice **out, struct tsfs_error *err)
{
    const struct cold_index_column *c = &ix->columns[column];
    uint32_t i = c->first_slice + slice;
    struct cold_measure_slice *s = CACHED(ix, i);
    uint8_t *raw;
    if (!s) {
        int rc = read_slice(ix, i, &raw, err);
        if (rc)
            return rc;
        rc = codec_measure_decode(c->type, raw, ix->slices[i].raw, entries_in(ix->blocks, slice), &s);
        free(raw);
        if (rc)
            return rc == -EINVAL ? damaged(err, "a slice of summaries") : rc;
        s = publish(ix, i, s, s->bytes);
    }
    *out = s;
    return 0;
}

static int get_dict(struct cold_index *ix, uint32_t key, uint32_t slice, const struct cold_dict_slice **out,
                    struct tsfs_error *err)
{
    const struct cold_index_column *c = &ix->columns[ix->key_column[key]];
    uint32_t i = c->first_slice + slice;
    struct cold_dict_slice *s = CACHED(ix, i);
    uint8_t *raw;
    if (!s) {
        int rc = read_slice(ix, i, &raw, err);
        if (rc)
            return rc;
        rc = codec_dict_decode(raw, ix->slices[i].raw, entries_in(c->dict, slice), &s);
        free(raw);
        if (rc == 0)
            for (uint32_t k = 0; rc == 0 && k < s->n; k++)
                rc = tsfs_utf8_valid(s->values[k]) ? 0 : -EINVAL;
        if (rc) {
            free(s);
            return rc == -EINVAL ? damaged(err, "a slice of a dictionary") : rc;
        }
        s = publish(ix, i, s, s->bytes);
    }
    *out = s;
    return 0;
}

int cold_index_value(struct cold_index *ix, uint32_t key, uint32_t id, struct tsfs_str *out,
                     struct tsfs_error *err)
{
    const struct cold_dict_slice *s = NULL;
    int rc = get_dict(ix, key, id / COLD_SLICE, &s, err);
    if (rc == 0)
        *out = s->values[id % COLD_SLICE];
    return rc;
}

int cold_index_lookup(struct cold_index *ix, uint32_t key, struct tsfs_str value, uint32_t *id, bool *equal,
                      struct tsfs_error *err)
{
    uint32_t lo = 0, hi = ix->key_dict[key];
    const struct cold_dict_slice *s = NULL;
    while (cold_slices(hi) > lo / COLD_SLICE + 1) { /* which slice: by the first value of the middle one */
        uint32_t mid = (lo / COLD_SLICE + cold_slices(hi)) / 2;
        int rc = get_dict(ix, key, mid, &s, err);
        if (rc)
            return rc;
        if (tsfs_str_cmp(s->values[0], value) <= 0)
            lo = mid * COLD_SLICE;
        else
            hi = mid * COLD_SLICE;
    }
    *equal = false;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct tsfs_str v;
        int rc = cold_index_value(ix, key, mid, &v, err);
        if (rc)
            return rc;
        int c = tsfs_str_cmp(v, value);
        *equal |= c == 0;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *id = lo;
    return 0;
}
