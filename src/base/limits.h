/* Every limit that input can run into, in one place. */
#ifndef TSFS_BASE_LIMITS_H
#define TSFS_BASE_LIMITS_H

/* names */
#define TSFS_NAME_MAX        256  /* bytes in a database's or table's name */
#define TSFS_COLUMN_NAME_MAX 256  /* bytes in a dimension's or measure's name */
#define TSFS_COLUMNS_MAX     4096 /* columns of a table */
#define TSFS_DIMENSIONS_MAX  255  /* dimensions of a table */

/* tables */
#define TSFS_PARTITION_DAYS_MAX 3650 /* days of the longest partition */

/* ingest */
#define TSFS_LINE_MAX       (1u << 20)  /* bytes in one line of line protocol */
#define TSFS_SERIES_KEY_MAX (64u << 10) /* bytes of measurement and tags as spelled */
#define TSFS_VARCHAR_MAX    (64u << 10) /* bytes in one string value */
#define TSFS_SERIES_MAX     (1u << 26)  /* series of one table held hot */

/* log */
#define TSFS_WAL_RECORD_MAX (64u << 20) /* bytes in one log record's payload */
#define TSFS_WAL_VALUES_MAX 65536u      /* tag values that a log gives numbers */
#define TSFS_WAL_NAMED_MAX  256u        /* bytes of a text that a definition may take from an earlier one */
#define TSFS_WAL_NAMED_FREE (1u << 30)  /* bytes that a log's definitions may take beyond so many a byte */

/* cold */
#define TSFS_BLOCK_ROWS      1024u        /* rows of one series behind one summary */
#define TSFS_ROW_GROUP_ROWS  (1u << 20)   /* rows of a row group */
#define TSFS_ROW_GROUP_BYTES (256u << 20) /* decoded bytes of a row group, whichever comes first */
#define TSFS_FOOTER_MAX      (256u << 20) /* bytes of a Parquet footer that is read */
#define TSFS_PAGE_MAX        (256u << 20) /* decompressed bytes of one page that is read */
#define TSFS_PAGE_ROWS_MAX   (1u << 24)   /* rows of one page */
#define TSFS_PAGE_HEADER_MAX (1u << 20)   /* bytes of a page header that is read */
#define TSFS_BLOOM_MAX       (128u << 20) /* bytes of a Bloom filter that is read */
#define TSFS_TOMBSTONE_MAX   (256u << 20) /* bytes of the record of one DELETE in one partition */
#define TSFS_TOMBSTONES      64u          /* of one partition; more are merged into its segment at once */
#define TSFS_THRIFT_DEPTH    32           /* nesting of Thrift structs in a Parquet file */

#define TSFS_INDEX_SLICE_MAX   (32u << 20)         /* raw bytes of one slice of a segment's index */
#define TSFS_INDEX_MAX         (UINT64_C(4) << 30) /* bytes of a segment's index */
#define TSFS_SEGMENT_CACHE_MAX (64u << 20)         /* decoded index that an idle segment keeps */
#define TSFS_PAGE_CACHE_GUESS  (256u << 20)        /* decoded pages kept when the RAM's size is not known */
#define TSFS_RUN_ROWS          (64u << 10)         /* rows of a run out of a segment */
#define TSFS_FOREIGN_BYTES_MAX (UINT64_C(4) << 30) /* memory for re-sorting a file of another program */

/* sql */
#define TSFS_SQL_MAX               (1u << 20) /* bytes of a statement */
#define TSFS_SQL_DEPTH_MAX         200        /* nesting of expressions and subqueries */
#define TSFS_SQL_HEIGHT_MAX        2000 /* of a whole statement: all that nests, names of WITH looked into */
#define TSFS_SQL_COLUMNS_MAX       8192 /* columns of a result, expressions of GROUP BY, aggregates */
#define TSFS_SQL_NODES_MAX         100000 /* of an operand that is evaluated more than once, over all its copies */
#define TSFS_SQL_KEYS_MAX          256         /* expressions of ORDER BY */
#define TSFS_SQL_JOINS_MAX         200         /* joins of one FROM, one inside another */
#define TSFS_SQL_GROUPING_SETS_MAX 1024        /* sets that one GROUP BY stands for */
#define TSFS_SQL_RELATIONS_MAX     100000      /* operators of a plan */
#define TSFS_SQL_CTES_MAX          1024        /* queries of one WITH */
#define TSFS_SQL_WINDOWS_MAX       256         /* names of one WINDOW, each of which may build on another */
#define TSFS_BATCH_ROWS            2048u       /* rows in a batch */
#define TSFS_RESULT_VARCHAR_MAX    (16u << 20) /* bytes of one string that a function makes */

#define TSFS_RESULT_BATCH_MAX (512u << 20) /* bytes of text that one batch of a result may become */

/* regular expressions */
#define TSFS_REGEX_PATTERN_MAX (32u << 10) /* bytes of a pattern */
#define TSFS_REGEX_NESTING_MAX 100u        /* parentheses inside one another */
#define TSFS_REGEX_SUBJECT_MAX (1u << 20)  /* bytes of the text that is searched */

/* time zones */
#define TSFS_ZONES_MAX     1024u        /* kept in memory */
#define TSFS_ZONE_NAME_MAX 64u          /* bytes */
#define TSFS_ZONE_FILE_MAX (256u << 10) /* bytes that are read of one */

/* nested types and values */
#define TSFS_TYPES_MAX       (1u << 16)  /* different array, row and timeseries types of one process */
#define TSFS_TYPES_BYTES_MAX (32u << 20) /* bytes of all their names */
#define TSFS_TYPE_DEPTH_MAX  32u         /* nesting of one type */
#define TSFS_TYPE_NAME_MAX   (64u << 10) /* bytes of a type's name */
#define TSFS_TOP_ROWS_MAX    1000000     /* n of max(x, n) and its like */
#define TSFS_ARRAY_MAX       (1u << 24)  /* elements of an array, points of a timeseries */

/* queries under way at one time, also of readers who are away */
#define TSFS_QUERIES_MAX      64u /* in all */
#define TSFS_QUERIES_USER_MAX 32u /* of one user other than root */

/* files */
#define TSFS_CONFIG_WRITE_MAX 4096u       /* bytes of one write to config or ctl */
#define TSFS_DECIMALS_MAX     2048u       /* bytes of the setting decimals and its end */
#define TSFS_ERRORS_BYTES     (64u << 10) /* kept in an errors file, oldest dropped first */
#define TSFS_REJECTED_BYTES   (1u << 20)  /* kept in a rejected file, oldest dropped first */

#endif
