/* A Parquet file in memory: a sink to write it and an input to read it. */
#ifndef TSFS_TESTS_PARQUET_SUPPORT_H
#define TSFS_TESTS_PARQUET_SUPPORT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "parquet/reader.h"
#include "parquet/writer.h"

static inline int memory_write(void *ctx, const void *data, size_t len)
{
    return tsfs_buf_append(ctx, data, len);
}

static inline int memory_pread(void *ctx, void *buf, size_t n, uint64_t offset)
{
    const struct tsfs_buf *file = ctx;
    if (offset > file->len || n > file->len - offset)
        return -EIO;
    memcpy(buf, file->data + offset, n);
    return 0;
}

static inline struct tsfs_pq_sink memory_sink(struct tsfs_buf *file)
{
    return (struct tsfs_pq_sink){memory_write, file};
}

static inline struct tsfs_pq_input memory_input(struct tsfs_buf *file)
{
    return (struct tsfs_pq_input){memory_pread, file, file->len};
}

#endif
