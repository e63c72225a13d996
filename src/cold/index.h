/* The private index of a segment: geometry, slices, their codecs, the builder and the reader.
 * The format is described at the top of index_read.c and, byte by byte, in docs/format/segment.md. */
#ifndef TSFS_COLD_INDEX_H
#define TSFS_COLD_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "col/schema.h"
#include "col/source.h"

#define COLD_INDEX_MAGIC    "TSFSIDX1"
#define COLD_INDEX_VERSION  1u
#define COLD_INDEX_HEADER   96u
#define COLD_PACKED_VERSION 2u
#define COLD_PACKED_HEADER  24u
#define COLD_PACKED_MAX     (32u << 10) /* bytes of a packed index, unpacked */
#define COLD_TERSE_MAGIC    "TSX3"
#define COLD_TERSE_VERSION  3u
#define COLD_TERSE_HEADER   12u
#define COLD_SLICE          256u /* entries of a slice: series, values, blocks */
#define COLD_BLOCK_MIN      32u  /* fewer rows of one series in one row group get no block */
#define COLD_ABSENT         UINT32_MAX

/* Numbers in the header and the directory. */
static inline uint32_t cold_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t cold_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint32_t cold_slices(uint64_t entries)
{
    return (uint32_t)((entries + COLD_SLICE - 1) / COLD_SLICE);
}

/* Blocks of a part (the rows of one series in one row group): as few as TSFS_BLOCK_ROWS allows, all
 * of nearly one size. */
static inline uint32_t cold_block_count(uint64_t part_rows)
{
    return part_rows < COLD_BLOCK_MIN ? 0 : (uint32_t)((part_rows + TSFS_BLOCK_ROWS - 1) / TSFS_BLOCK_ROWS);
}
/* First row of block b of nblocks in a part; b = nblocks gives its end. */
static inline uint64_t cold_block_row(uint64_t part_rows, uint32_t nblocks, uint32_t b)
{
    return part_rows * b / nblocks;
}

/* ---- bytes of slices ---- */

struct cold_in {
    const uint8_t *p, *end;
    bool bad; /* ran past the end or met an over-long number */
};

static inline uint64_t cold_get(struct cold_in *in)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->p == in->end)
            break;
        uint8_t byte = *in->p++;
        v |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return v;
    }
    in->bad = true;
    return 0;
}
static inline uint8_t *cold_put(uint8_t *p, uint64_t v)
{
    while (v >= 128) {
        *p++ = (uint8_t)(v | 128);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}
static inline uint64_t cold_zigzag(uint64_t v)
{
    return (v << 1) ^ (0 - (v >> 63));
}
static inline uint64_t cold_unzigzag(uint64_t v)
{
    return (v >> 1) ^ (0 - (v & 1));
}

#define COLD_FLAG_NONE     1 /* the block has no summary but its count */
#define COLD_FLAG_OVERFLOW 2 /* isum_overflow */
#define COLD_FLAG_ROUNDED  4 /* dsum_rounded; in slices only */

/* ---- decoded slices; each is one allocation, immutable ---- */

struct cold_series_slice {
    size_t bytes;
    uint32_t n;
    uint64_t row[COLD_SLICE + 1];   /* first row in the file, and the end of the last */
    uint64_t block[COLD_SLICE + 1]; /* number of the first block likewise */
    int64_t t_first[COLD_SLICE], t_last[COLD_SLICE];
    uint32_t ids[]; /* [key][COLD_SLICE]: entry of the key's dictionary or COLD_ABSENT */
};
struct cold_dict_slice {
    size_t bytes;
    uint32_t n;
    struct tsfs_str values[COLD_SLICE];
    char data[];
};
struct cold_hash_entry {
    uint32_t low; /* the hash's low 32 bits */
    uint32_t series;
};
struct cold_hash_slice {
    size_t bytes;
    uint32_t n;
    struct cold_hash_entry entries[];
};
struct cold_time_slice {
    size_t bytes;
    uint32_t n;
    int64_t t_first[COLD_SLICE], t_last[COLD_SLICE];
};
struct cold_measure_slice {
    size_t bytes;
    uint32_t n;
    uint8_t flags[COLD_SLICE];
    struct tsfs_summary summary[COLD_SLICE];
};

/* Codecs: values to raw bytes (appended to out) and back.  Decoding anything but what encoding gives
 * is -EINVAL, never worse. */
struct cold_series_raw {
    uint32_t n, nkeys;
    uint64_t first_row, first_block;
    const uint64_t *rows;
    const int64_t *t_first, *t_last;
    const uint32_t *const *ids; /* [key][n] */
};
TSFS_MUST_CHECK int codec_series_encode(const struct cold_series_raw *raw, struct tsfs_buf *out);
/* group_row: the ngroups + 1 first rows of row groups; dict: entries of each key's dictionary. */
TSFS_MUST_CHECK int codec_series_decode(const uint8_t *data, size_t len, uint32_t n, uint32_t nkeys,
                                        const uint64_t *group_row, uint32_t ngroups, const uint32_t *dict,
                                        struct cold_series_slice **out);
TSFS_MUST_CHECK int codec_dict_encode(const struct tsfs_str *values, uint32_t n, struct tsfs_buf *out);
TSFS_MUST_CHECK int codec_dict_decode(const uint8_t *data, size_t len, uint32_t n,
                                      struct cold_dict_slice **out);
TSFS_MUST_CHECK int codec_time_encode(const int64_t *t_first, const int64_t *t_last, uint32_t n,
                                      struct tsfs_buf *out);
TSFS_MUST_CHECK int codec_time_decode(const uint8_t *data, size_t len, uint32_t n,
                                      struct cold_time_slice **out);
TSFS_MUST_CHECK int codec_measure_encode(enum tsfs_type type, const struct tsfs_summary *s,
                                         const uint8_t *flags, uint32_t n, struct tsfs_buf *out);
TSFS_MUST_CHECK int codec_measure_decode(enum tsfs_type type, const uint8_t *data, size_t len, uint32_t n,
                                         struct cold_measure_slice **out);

/* ---- summaries ---- */

/* Rows [row, row + n) of a flat vector, n <= TSFS_BLOCK_ROWS. */
void cold_summarise(const struct tsfs_vec *vec, uint32_t row, uint32_t n, struct tsfs_summary *out,
                    uint8_t *flags);

/* ---- building ---- */

struct cold_index_builder;

/* A column of the file, in the file's order: time, measure_name, dimensions, measures. */
struct cold_column {
    struct tsfs_str name;
    enum tsfs_role role;
    enum tsfs_type type;
    uint16_t slot;
};

/* columns are borrowed until free. */
TSFS_MUST_CHECK int cold_index_builder_create(const struct cold_column *columns, uint32_t ncolumns,
                                              struct cold_index_builder **out);
void cold_index_builder_free(struct cold_index_builder *b); /* takes NULL */
/* The next series, in order.  values[i] = the value of key i (measure_name, then the file's dimensions),
 * changed to copies that live as long as the builder. */
TSFS_MUST_CHECK int cold_index_builder_series(struct cold_index_builder *b, uint64_t hash,
                                              struct tsfs_str *values);
/* More rows of the series begun last. */
void cold_index_builder_rows(struct cold_index_builder *b, uint32_t nrows, int64_t t_first, int64_t t_last);
TSFS_MUST_CHECK int cold_index_builder_group(struct cold_index_builder *b, uint32_t nrows);
/* The next blocks' times, and one measure's summaries of the same blocks (different columns may be fed on
 * different threads at once). */
TSFS_MUST_CHECK int cold_index_builder_times(struct cold_index_builder *b, const int64_t *t_first,
                                             const int64_t *t_last, uint32_t n);
TSFS_MUST_CHECK int cold_index_builder_measure(struct cold_index_builder *b, uint32_t column,
                                               const struct tsfs_summary *s, const uint8_t *flags,
                                               uint32_t n);
/* Appends the whole index to out. */
TSFS_MUST_CHECK int cold_index_builder_finish(struct cold_index_builder *b, struct tsfs_buf *out);
uint32_t cold_index_builder_count(const struct cold_index_builder *b);
/* Replaces an index just finished by its terse form, if it is small enough for one; *version = of the form.
 */
TSFS_MUST_CHECK int cold_index_pack(struct tsfs_buf *index, uint32_t *version);
/* *image = a packed or terse index as if it were none (to be freed), but for checksums and names.  -EINVAL:
 * damaged. */
TSFS_MUST_CHECK int cold_index_unpack(const uint8_t *p, size_t len, uint8_t **image, uint32_t *length);
/* index_terse.c: appends the terse form of an image; and the image of one, to be freed. */
TSFS_MUST_CHECK int cold_index_shorten(const struct tsfs_buf *image, struct tsfs_buf *out);
TSFS_MUST_CHECK int cold_index_widen(const uint8_t *p, size_t len, uint8_t **image, uint32_t *length);

/* ---- reading ---- */

struct cold_slice_ref {
    uint64_t offset; /* in the file */
    uint32_t stored, raw;
    uint64_t xxh3;
};
struct cold_index_column {
    struct tsfs_str name;
    enum tsfs_role role;
    enum tsfs_type type;
    uint16_t slot;
    uint32_t key;         /* number among the keys (measure_name = 0), or UINT32_MAX */
    uint32_t dict;        /* entries of its dictionary */
    uint32_t first_slice; /* dictionary, times or summaries */
};
struct cold_index {
    int fd; /* borrowed: whoever holds the index keeps it open */
    uint64_t rows, blocks;
    uint32_t series, buckets;
    int64_t t_min, t_max;
    uint32_t ngroups;
    uint64_t *group_row; /* ngroups + 1 */
    uint32_t ncolumns, nkeys;
    struct cold_index_column *columns;
    uint32_t *key_column; /* key -> column */
    uint32_t *key_dict;   /* key -> entries of its dictionary */
    uint32_t nslices;
    struct cold_slice_ref *slices;
    _Atomic(void *) *cache; /* decoded, by slice */
    _Atomic size_t cached;  /* bytes of those */
    _Atomic uint64_t told;  /* of the file, up to where the kernel was told to read */
    uint64_t end;           /* of the slices in the file */
    size_t fixed;           /* bytes of all the rest */
    char *names;
    uint8_t *image; /* of a packed index: the whole of it; slices' offsets count from its beginning */
};

/* Reads and checks header and directory at [offset, offset + length) of fd.  A packed index has no names of
 * columns: the caller fills them in. */
TSFS_MUST_CHECK int cold_index_load(int fd, uint64_t offset, uint64_t length, struct cold_index **out,
                                    struct tsfs_error *err);
void cold_index_free(struct cold_index *ix); /* takes NULL */
void cold_index_drop(struct cold_index *ix); /* forgets all decoded slices; nobody may use one */

/* Slices, decoded on first use and kept until drop.  Any number of threads. */
TSFS_MUST_CHECK int cold_index_series(struct cold_index *ix, uint32_t slice,
                                      const struct cold_series_slice **out, struct tsfs_error *err);
TSFS_MUST_CHECK int cold_index_hash(struct cold_index *ix, uint32_t bucket,
                                    const struct cold_hash_slice **out, struct tsfs_error *err);
TSFS_MUST_CHECK int cold_index_times(struct cold_index *ix, uint32_t slice,
                                     const struct cold_time_slice **out, struct tsfs_error *err);
TSFS_MUST_CHECK int cold_index_measure(struct cold_index *ix, uint32_t column, uint32_t slice,
                                       const struct cold_measure_slice **out, struct tsfs_error *err);
/* Value id of key's dictionary; borrowed until drop. */
TSFS_MUST_CHECK int cold_index_value(struct cold_index *ix, uint32_t key, uint32_t id, struct tsfs_str *out,
                                     struct tsfs_error *err);
/* *id = the first entry >= value, *equal = whether it is the value. */
TSFS_MUST_CHECK int cold_index_lookup(struct cold_index *ix, uint32_t key, struct tsfs_str value,
                                      uint32_t *id, bool *equal, struct tsfs_error *err);
static inline uint32_t cold_index_bucket(const struct cold_index *ix, uint64_t hash)
{
    return ix->buckets > 1 ? (uint32_t)(hash >> (64 - __builtin_ctz(ix->buckets))) : 0;
}

#endif
