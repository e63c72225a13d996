/* What the two halves of writing a column chunk share: the choice (chunk_choose.c) and the pages
 * (chunk_write.c). */
#ifndef TSFS_PARQUET_CHUNK_H
#define TSFS_PARQUET_CHUNK_H

#include "parquet/writer_priv.h"

/* The ways of writing the values of a chunk. */
enum pq_way {
    DELTA_SMALL,         /* blocks of 128 in four miniblocks */
    DELTA_SMALL_ROUNDED, /* the same with rounded widths */
    DELTA_LARGE,         /* blocks of 2048 in eight miniblocks */
    DELTA_LARGE_ROUNDED,
    CODES,         /* dictionary */
    CODES_ROUNDED, /* dictionary, codes in whole bytes */
    CODES_EVEN,    /* dictionary with gaps, codes of two bytes that take equally many values */
    SPLIT,
    PLAIN,
    LENGTHS,
    PREFIXES,
    RLE_BOOLS,
    NWAYS
};

extern const struct pq_way_facts {
    enum tsfs_pq_encoding encoding;
    struct pq_delta_shape shape;
    bool coded; /* by a dictionary */
} pq_ways[NWAYS];

struct pq_encoder {
    struct pq_source *s;
    struct pq_page_writer pages;
    struct pq_dict dict;
    uint32_t *codes;      /* of values, or of runs; NULL = no dictionary */
    unsigned width;       /* of codes, in bits */
    uint32_t *even_codes; /* by entry; NULL = that way is of no use here */
    uint64_t *bits;       /* room for the rows of the largest page */
    struct pq_rle rle;
};

/* Appends values [from, from + n) to the page writer's values. */
TSFS_MUST_CHECK int pq_encode_span(struct pq_encoder *e, enum pq_way way, size_t from, size_t n);
/* The same for the dictionary's page; *entries in it. */
TSFS_MUST_CHECK int pq_encode_dictionary(struct pq_encoder *e, enum pq_way way, uint32_t *entries);

/* chunk_choose.c: *way, and the page writer's level, which is zstd_level at first. */
struct pq_choice {
    enum pq_way way;
    bool recalled; /* not tried, but taken from the column's habit */
};
TSFS_MUST_CHECK int pq_choose(struct pq_encoder *e, int zstd_level, struct pq_choice *out);
/* After the chunk is written, to so many bytes: what the next one may go by. */
void pq_choice_learn(const struct pq_encoder *e, const struct pq_choice *choice, size_t size);

#endif
