/* Bloom filters: what the writing and the reading half share. */
#ifndef TSFS_PARQUET_BLOOM_H
#define TSFS_PARQUET_BLOOM_H

#include "parquet/types.h"

#define PQ_BLOOM_WRITE_MAX (1u << 20) /* bytes of a filter that is written */

/* number: an integer's value or a double's bits; for BYTE_ARRAY the string counts. */
uint64_t pq_bloom_hash(enum tsfs_pq_physical physical, int64_t number, struct tsfs_str string);
/* bytes: a multiple of 32, not 0. */
bool pq_bloom_test(const uint8_t *bits, size_t bytes, uint64_t hash);

#endif
