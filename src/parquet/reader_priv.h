/* What the files of the reading half share. */
#ifndef TSFS_PARQUET_READER_PRIV_H
#define TSFS_PARQUET_READER_PRIV_H

#include <pthread.h>
#include <zstd.h>

#include "base/hash.h"
#include "parquet/codec.h"
#include "parquet/reader.h"
#include "parquet/thrift.h"

/* Where the parts of a chunk lie; checked to be inside the file. */
struct pq_place {
    uint64_t first, end; /* its pages */
    uint64_t bloom_offset, column_index_offset, offset_index_offset;
    uint32_t bloom_size; /* 0 = not said */
    uint32_t column_index_size, offset_index_size;
};

struct tsfs_pq_reader {
    struct tsfs_pq_input input;
    struct tsfs_arena arena;
    struct tsfs_pq_info info;
    struct pq_place **places; /* [group][column] */
    bool *ordered;            /* column: min and max follow its type's order */
    struct tsfs_hash_index names;
};

struct pq_page_header {
    int type;                          /* 0 data, 1 index, 2 dictionary, 3 data of version 2 */
    uint32_t uncompressed, compressed; /* bytes after the header */
    bool has_crc, is_compressed;
    uint32_t crc;
    uint32_t nvalues;            /* rows or dictionary entries */
    uint32_t nulls, level_bytes; /* version 2 */
    int encoding, level_encoding;
    size_t size; /* of the header itself */
};

struct pq_room {
    uint8_t *data;
    size_t cap;
};

struct tsfs_pq_scratch {
    ZSTD_DCtx *zstd;
    struct pq_room raw;   /* a page as it lies in the file */
    struct pq_room plain; /* decompressed */
    struct pq_room dense; /* values before NULLs are put between them */
    struct pq_room codes; /* uint32_t */
};

struct tsfs_pq_chunk {
    struct tsfs_pq_reader *r;
    const struct tsfs_pq_column *column;
    const struct tsfs_pq_chunk_info *info;
    const struct pq_place *place;
    uint32_t group, ordinal;
    uint64_t nrows;
    struct tsfs_pq_page *pages; /* in arena; fixed once open */
    uint32_t npages;
    uint64_t dictionary_offset;
    uint64_t dictionary_end; /* 0 = the chunk has no dictionary page */

    pthread_mutex_t lock; /* guards what follows; once set, it stays */
    struct tsfs_arena arena;
    bool has_dictionary, has_stats, has_bloom;
    struct tsfs_vec dictionary;
    uint32_t ndictionary;
    struct tsfs_pq_stats *stats; /* NULL = the file has none */
    const uint8_t *bloom;
    uint32_t bloom_size; /* 0 = the file has none */
};

/* A message about a column of a file. */
int pq_column_error(struct tsfs_error *err, int code, const struct tsfs_pq_column *column, const char *fmt,
                    ...) TSFS_PRINTF(4, 5);

/* Room for n bytes and PQ_SLACK zeros after them.  -ENOMEM. */
TSFS_MUST_CHECK int pq_room_take(struct pq_room *room, size_t n);

/* footer_read.c: fills r->info and r->places.  footer lives in r->arena; data_end: where it begins in the
 * file. */
TSFS_MUST_CHECK int pq_footer_read(struct tsfs_pq_reader *r, const uint8_t *footer, size_t len,
                                   uint64_t data_end, struct tsfs_error *err);

/* stats_read.c: a bound as the format writes it.  false: not a value of that column, or one that says
 * nothing. */
bool pq_bound_parse(const struct tsfs_pq_column *column, struct tsfs_str bytes, bool is_max,
                    struct tsfs_value *out);
void pq_stats_read(struct thrift_reader *t, const struct tsfs_pq_column *column, bool ordered,
                   struct tsfs_pq_stats *out);

/* index_read.c: from the bytes of the two index structures; memory from c->arena. */
TSFS_MUST_CHECK int pq_offset_index_read(struct tsfs_pq_chunk *c, const uint8_t *p, size_t len,
                                         struct tsfs_error *err);
TSFS_MUST_CHECK int pq_column_index_read(struct tsfs_pq_chunk *c, const uint8_t *p, size_t len,
                                         struct tsfs_error *err);

/* page_read.c */
/* -EINVAL: no page header; -ENODATA: cut short, more bytes may help. */
TSFS_MUST_CHECK int pq_page_header_parse(const uint8_t *p, size_t len, struct pq_page_header *h);
/* Reads the page at offset of size bytes into s->raw and checks header and CRC. */
TSFS_MUST_CHECK int pq_page_load(const struct tsfs_pq_chunk *c, uint64_t offset, uint64_t size,
                                 struct tsfs_pq_scratch *s, struct pq_page_header *h, const uint8_t **body,
                                 struct tsfs_error *err);
/* Decompresses len bytes to want bytes in s->plain, or in arena if that is given.  src may be returned as it
 * is. */
TSFS_MUST_CHECK int pq_page_expand(const struct tsfs_pq_chunk *c, const uint8_t *src, size_t len, bool packed,
                                   size_t want, struct tsfs_pq_scratch *s, struct tsfs_arena *arena,
                                   const uint8_t **out, struct tsfs_error *err);

/* values_read.c: n values without NULLs of the column's vector type from bytes of an encoding; dst has room
 * for n of them.  Not for dictionary codes. */
TSFS_MUST_CHECK int pq_values_decode(const struct tsfs_pq_column *column, int encoding, const uint8_t *p,
                                     size_t len, void *dst, size_t n, struct tsfs_pq_scratch *s,
                                     struct tsfs_arena *arena, struct tsfs_error *err);
/* Puts n values of width bytes to the rows set in valid, zeros elsewhere. */
void pq_values_spread(const void *dense, const uint64_t *valid, size_t nrows, size_t width, void *dst);

#endif
