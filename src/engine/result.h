/* The bytes of a result, from its first on: in memory up to a size, the rest in a nameless file. */
#ifndef TSFS_ENGINE_RESULT_H
#define TSFS_ENGINE_RESULT_H

#include <sys/types.h>

#include "base/buf.h"

struct tsfs_engine;

struct result_piece {
    struct tsfs_buf bytes;
    uint64_t at; /* of the first */
};

/* Zero but for spill_fd = -1. */
struct result {
    struct result_piece *pieces;
    size_t n, cap;
    uint64_t in_memory; /* bytes of all pieces; what follows is in the file */
    uint64_t produced;  /* bytes in all */
    int spill_fd;
};

/* Puts the bytes of buf, which is empty afterwards, behind what there is. */
TSFS_MUST_CHECK int result_take(struct result *r, struct tsfs_engine *engine, struct tsfs_buf *buf);
/* Bytes from offset < produced on: how many (> 0), or -errno. */
ssize_t result_read(const struct result *r, char *data, size_t len, uint64_t offset);
void result_free(struct result *r);

#endif
