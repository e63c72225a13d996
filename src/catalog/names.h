/* Names of databases, tables and partitions. */
#ifndef TSFS_CATALOG_NAMES_H
#define TSFS_CATALOG_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* [A-Za-z0-9_.-], 1 to TSFS_NAME_MAX bytes, no leading dot: 0, -EINVAL or -ENAMETOOLONG. */
TSFS_MUST_CHECK int tsfs_name_check(struct tsfs_str name, struct tsfs_error *err);

/* The one of names that is most like name by edit distance, if it is like it at all; else ptr NULL. */
struct tsfs_str tsfs_name_nearest(struct tsfs_str name, const struct tsfs_str *names, size_t n);

#define TSFS_PARTITION_NAME_MAX 64

/* The folder of the partition that starts at `start` (whole hours): "2026-11-22T00Z". */
void tsfs_partition_folder(int64_t start, char out[TSFS_PARTITION_NAME_MAX]);
/* -EINVAL if name is not one. */
TSFS_MUST_CHECK int tsfs_partition_folder_parse(const char *name, int64_t *start);

/* Its file in cold/: "20261122T000000Z-1d.parquet". */
void tsfs_partition_file(int64_t start, int64_t length, char out[TSFS_PARTITION_NAME_MAX]);

#endif
