/* What writer and reader of Parquet files share: types of columns, statistics, codecs.
 *
 * The numbers of the enums are the format's own (parquet.thrift of apache/parquet-format). */
#ifndef TSFS_PARQUET_TYPES_H
#define TSFS_PARQUET_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "col/type.h"

enum tsfs_pq_physical {
    TSFS_PQ_BOOLEAN = 0,
    TSFS_PQ_INT32 = 1,
    TSFS_PQ_INT64 = 2,
    TSFS_PQ_INT96 = 3, /* never read */
    TSFS_PQ_FLOAT = 4, /* read as double, never written */
    TSFS_PQ_DOUBLE = 5,
    TSFS_PQ_BYTE_ARRAY = 6,
    TSFS_PQ_FIXED = 7 /* never read */
};

enum tsfs_pq_encoding {
    TSFS_PQ_PLAIN = 0,
    TSFS_PQ_PLAIN_DICTIONARY = 2,
    TSFS_PQ_RLE = 3,
    TSFS_PQ_BIT_PACKED = 4,
    TSFS_PQ_DELTA_BINARY_PACKED = 5,
    TSFS_PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    TSFS_PQ_DELTA_BYTE_ARRAY = 7,
    TSFS_PQ_RLE_DICTIONARY = 8,
    TSFS_PQ_BYTE_STREAM_SPLIT = 9
};

enum tsfs_pq_codec { TSFS_PQ_UNCOMPRESSED = 0, TSFS_PQ_SNAPPY = 1, TSFS_PQ_GZIP = 2, TSFS_PQ_ZSTD = 6 };

/* What the stored number or string means (LogicalType, or the older ConvertedType). */
enum tsfs_pq_logical {
    TSFS_PQ_PHYSICAL,  /* just what the physical type says; a BYTE_ARRAY is any bytes */
    TSFS_PQ_STRING,    /* BYTE_ARRAY, UTF-8 by the file's own word: the reader does not check it */
    TSFS_PQ_TIMESTAMP, /* INT64 since the epoch in `unit` */
    TSFS_PQ_DECIMAL,   /* INT32 or INT64: value * 10^-scale */
    TSFS_PQ_DATE,      /* INT32, days since the epoch */
    TSFS_PQ_TIME,      /* INT32 (millis) or INT64 since midnight in `unit` */
    TSFS_PQ_INTEGER    /* INT32 or INT64 of `bits`, signed or not */
};

enum tsfs_pq_unit { TSFS_PQ_NO_UNIT, TSFS_PQ_MILLIS, TSFS_PQ_MICROS, TSFS_PQ_NANOS };

struct tsfs_pq_habit;

struct tsfs_pq_column {
    struct tsfs_str name;
    enum tsfs_pq_physical physical;
    enum tsfs_pq_logical logical;
    bool optional;          /* may hold NULLs */
    bool bloom;             /* writer: give every chunk a Bloom filter; reader: some chunk has one */
    bool utc;               /* TIMESTAMP, TIME: isAdjustedToUTC */
    bool is_unsigned;       /* INTEGER */
    uint8_t bits;           /* INTEGER: 8, 16, 32, 64 */
    uint8_t precision;      /* DECIMAL: digits, 1..9 on INT32, 1..18 on INT64 */
    uint8_t scale;          /* DECIMAL: digits after the point, <= precision */
    enum tsfs_pq_unit unit; /* TIMESTAMP, TIME */
    uint8_t page_span;      /* writer: a page takes in this many of the group's pages; 0 = 1 */
    struct tsfs_pq_habit
        *habit; /* writer: what is known from other files of the same column; NULL = nothing */
    /* Reader: the type of the vectors that this column decodes to (a writer ignores it).  BOOLEAN, DOUBLE,
     * VARCHAR; TIMESTAMP for a TIMESTAMP in NANOS, DATE for a DATE, TIME for a TIME in NANOS; BIGINT for
     * every other integer: a TIMESTAMP in MILLIS or MICROS and a DECIMAL come as stored, to be scaled by the
     * caller. */
    enum tsfs_type type;
};

/* What is known of the values of a chunk or a page.  min and max are in the column's vector type (`type`
 * above), not NULL where has_min / has_max; NaN is never among them, and a zero minimum is -0.0, a zero
 * maximum +0.0. Bounds of strings may be shortened: min <= every value <= max always holds, min_exact and
 * max_exact say whether the bound itself occurs (never claimed for pages). */
struct tsfs_pq_stats {
    bool has_min, has_max, min_exact, max_exact;
    bool has_null_count;
    bool has_nan_count;
    uint64_t null_count;
    uint64_t nan_count;
    struct tsfs_value min, max;
};

struct tsfs_pq_sorting {
    uint32_t column;
    bool descending, nulls_first;
};

struct tsfs_pq_kv {
    struct tsfs_str key, value; /* value.ptr NULL = absent */
};

const char *tsfs_pq_physical_name(enum tsfs_pq_physical physical); /* "INT64"; "unknown" */
const char *tsfs_pq_encoding_name(int encoding);                   /* "RLE_DICTIONARY"; "unknown" */
const char *tsfs_pq_codec_name(int codec);                         /* "SNAPPY"; "unknown" */

#endif
