/* Rows kept for later: by a join's build side, a window, a query that is read several times.  They lie in
 * chunks of TSFS_BATCH_ROWS rows, column by column, and have numbers in the order in which they came. */
#ifndef TSFS_EXEC_ROWS_H
#define TSFS_EXEC_ROWS_H

#include "base/arena.h"
#include "base/limits.h"
#include "col/nested.h"

#define ROWS_NONE UINT32_MAX

struct rows {
    struct tsfs_arena *arena; /* borrowed */
    uint32_t ncols;
    enum tsfs_type *types;
    uint32_t n;
    struct tsfs_vec_room **chunks; /* [ncols] each */
    uint32_t nchunks, room;
};

TSFS_MUST_CHECK int rows_init(struct rows *rows, struct tsfs_arena *arena, uint32_t ncols);
/* types[col] are the caller's to set before the first row. */

/* n rows of cols, or rows sel[0..n) of them; strings are copied.  -ENOMEM, also past UINT32_MAX - 1 rows. */
TSFS_MUST_CHECK int rows_append(struct rows *rows, const struct tsfs_vec *cols, const uint16_t *sel,
                                uint32_t n);

/* Column col of chunk i as it lies there; its rows are [i * TSFS_BATCH_ROWS, ...). */
struct tsfs_vec rows_chunk(const struct rows *rows, uint32_t col, uint32_t chunk);
static inline uint32_t rows_in_chunk(const struct rows *rows, uint32_t chunk)
{
    return chunk + 1 < rows->nchunks ? TSFS_BATCH_ROWS : rows->n - chunk * TSFS_BATCH_ROWS;
}

/* Column col of rows ids[0..n), ROWS_NONE a NULL, as a vector in arena; strings stay the rows'. */
TSFS_MUST_CHECK int rows_gather(const struct rows *rows, struct tsfs_arena *arena, uint32_t col,
                                const uint32_t *ids, uint32_t n, struct tsfs_vec *out);

/* One value. */
struct tsfs_value rows_value(const struct rows *rows, uint32_t col, uint32_t id);

#endif
