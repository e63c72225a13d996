/* The inside of one generation's hot rows; hot.c says how it fits together. */
#ifndef TSFS_HOT_HOT_PRIV_H
#define TSFS_HOT_HOT_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "hot/hot.h"
#include "hot/record.h"
#include "hot/series_priv.h"
#include "hot/slab.h"

#define HOT_NONE UINT32_MAX

/* Lanes of a series: all but the last are strictly ascending in time. */
#define HOT_LANES 4u

#define HOT_SHAPES_MAX      65536u     /* distinct lists of measures remembered */
#define HOT_SHAPE_CELLS_MAX (1u << 20) /* and their lengths together */
#define HOT_CHUNK_FIRST     1u         /* rows in a lane's first chunk */
#define HOT_CHUNK_FAR       64u        /* rows: from here on a chunk's values lie apart from it */
#define HOT_CHUNK_NEAR      16u        /* ... and in the last one that has its values right behind it */
#define HOT_CHUNK_AGAIN     8u         /* ... and in one after a chunk that came out mostly empty */
#define HOT_CHUNK_ROWS      TSFS_BLOCK_ROWS
#define HOT_CHUNK_SIZES     11u /* powers of two up to that */

/* One measure in one chunk.  Rows at and after `next` have no value; before it all have one if valid is
 * NULL, otherwise those whose bit is set. */
struct hot_col {
    intptr_t at; /* of its values, in bytes from the chunk's times */
    _Atomic(_Atomic uint64_t *) valid;
    uint16_t slot;
    uint8_t type;
    _Atomic uint16_t next;
};

struct hot_shape;

/* A shared one serves all chunks of one shape and size in which no row lacks a measure: its columns' next is
 * UINT16_MAX and nothing in it ever changes.  If it is packed its chunks have one row, whose numbers stand
 * behind its time as they do in the log. */
struct hot_colset {
    _Atomic uint16_t n;
    uint16_t cap;
    bool shared, packed;
    uint32_t cells;          /* the writer's, unless shared: values written */
    struct hot_shape *shape; /* the writer's: of the last row; if shared, of all */
    struct hot_col cols[];
};

/* A series among very many has a few of these with a row or two each: what can be told otherwise is not in
 * it. The times of a small one follow at once, and then its values; in front of all but the first of a lane
 * stands a pointer to the one before. */
struct hot_chunk {
    _Atomic(struct hot_chunk *) next;
    _Atomic(struct hot_colset *) cols;
    uint32_t start; /* number of its first row in the lane */
    uint16_t cap;
};

/* One of HOT_CHUNK_FAR rows or more. */
struct hot_far_chunk {
    struct hot_chunk chunk;
    int64_t *time;
    int64_t t_first; /* of its first row: who looks for a time stays out of the arrays */
};

/* Of a series that has been silent a new row touches this, its chunk and little else.  Among very many series
 * every eight bytes here are memory to be cleared and to be fetched. */
struct hot_lane {
    uint32_t series;
    uint32_t place;      /* number << 2 | depth, the lanes before it in its series */
    uint32_t log_number; /* in the first lane of a series: its number in the log, or HOT_NONE */
    uint32_t staged;     /* rows, those not yet published included */
    uint32_t epoch;      /* of the batch that touched it last */
    _Atomic uint32_t next_lane;
    _Atomic int64_t t_max; /* of the rows staged */
    _Atomic(struct hot_chunk *) head;
    _Atomic(struct hot_chunk *) tail; /* where the next row goes, unless it is full */
};

#define HOT_LANE_FIRST_BITS 4u
#define HOT_LANE_BLOCKS     26u

/* A list of measures as rows name them. */
struct hot_shape {
    uint32_t log_number; /* or HOT_NONE */
    uint32_t index;
    uint16_t n;
    bool numeric; /* BIGINT and DOUBLE only */
    struct hot_colset
        *dense[HOT_CHUNK_SIZES]; /* of its chunks, by the logarithm of their size; made when needed */
    struct hot_colset *packed;   /* of those that are; likewise */
    uint32_t keys[];             /* slot | type << 16 */
};

/* What a touched lane was like before this batch. */
struct hot_touch {
    struct hot_lane *lane;
    struct hot_chunk *tail;
    int64_t t_max;
};

struct hot_list {
    uint32_t *items;
    uint32_t n, cap;
};

/* The rows staged and not yet published; buffers that are lent to a hot while it has any. */
struct hot_batch {
    struct hot_batch *next_free;
    uint8_t *rec; /* TSFS_WAL_FRAME_BYTES of room, then the record's payload */
    size_t len, cap;
    struct hot_touch *touched;
    uint32_t ntouched, touched_cap;
    struct hot_list new_series;  /* lanes whose series this record defines */
    struct hot_list new_columns; /* ordinals it defines */
    struct hot_list new_shapes;  /* shapes it defines, by index */
    struct tsfs_cell *cells;     /* a row with repeated slots, each once */
    uint16_t *places;            /* column in the chunk of each cell */
    uint32_t cells_cap;
    struct slab_mark strings;
    const uint8_t *packed; /* the numbers of the row at hand as they are in the log, if it has no others */
    size_t npacked;
    uint32_t values; /* logged_values before it */
    bool logged;
    uint64_t rows;
    int64_t last_time; /* times in the record are differences */
    int64_t t_min, t_max;
};

/* Numbers of the log being replayed. */
struct hot_replay {
    struct hot_list series; /* log number -> lane */
    struct hot_list shapes; /* log number -> index */
    struct hot_list values; /* log number -> text of the series index */
    uint64_t bytes;         /* of payload so far */
    uint64_t named;         /* of texts that definitions took from earlier ones */
};

struct hot_names; /* names.c */

struct tsfs_hot {
    _Atomic uint32_t refs;
    struct tsfs_series_index *series;
    struct tsfs_budget *budget;

    /* the writer's (under the table's write lock) */
    struct slab_bump bump;    /* values, lanes, shapes */
    struct slab_bump heads;   /* chunks and their columns: close together, for whoever looks for a time */
    struct slab_bump strings; /* bytes of string values */
    uint32_t nlanes;
    uint32_t epoch;
    uint32_t logged_series, logged_shapes, logged_values;
    struct hot_names *names; /* NULL = nothing is remembered */
    uint64_t logged_columns[TSFS_COLUMNS_MAX / 64];
    struct hot_shape **shapes;
    uint32_t nshapes, shapes_cap, shape_cells;
    struct slab_index shape_index;
    struct hot_shape *last_shape; /* of the last row: the first of a new series mostly has it too */
    struct hot_batch *batch;      /* NULL while nothing is staged */
    struct hot_replay *replay;    /* until the first live row */
    bool live;                    /* has had one */

    /* grown by the writer, read by anyone */
    struct slab_map by_series; /* series -> its first lane */
    _Atomic(struct hot_lane *) lanes[HOT_LANE_BLOCKS];

    /* under lock: what is published */
    pthread_mutex_t lock; /* leaf */
    uint32_t *counts;     /* lane -> rows */
    uint32_t counts_cap;
    uint32_t published_lanes;
    uint32_t published_series;
    uint64_t rows;
    int64_t t_min, t_max, first_written;
    size_t tables; /* bytes of indexes, as charged to the budget */
};

static inline struct hot_lane *hot_lane_at(const struct tsfs_hot *hot, uint32_t number)
{
    uint32_t offset;
    unsigned k = slab_block(number, HOT_LANE_FIRST_BITS, &offset);
    return atomic_load_explicit(&hot->lanes[k], memory_order_acquire) + offset;
}

static inline struct hot_lane *hot_lane_find(const struct tsfs_hot *hot, uint32_t series)
{
    uint32_t number = slab_map_get(&hot->by_series, series);
    return number == HOT_NONE ? NULL : hot_lane_at(hot, number);
}

static inline uint32_t hot_lane_number(const struct hot_lane *lane)
{
    return lane->place / HOT_LANES;
}

static inline uint32_t hot_lane_depth(const struct hot_lane *lane)
{
    return lane->place % HOT_LANES;
}

static inline struct hot_chunk *hot_chunk_prev(const struct hot_chunk *chunk)
{
    return chunk->start ? *((struct hot_chunk *const *)chunk - 1) : NULL;
}

static inline int64_t *hot_chunk_time(const struct hot_chunk *chunk)
{
    return chunk->cap < HOT_CHUNK_FAR ? (int64_t *)(chunk + 1) : ((const struct hot_far_chunk *)chunk)->time;
}

static inline int64_t hot_chunk_first(const struct hot_chunk *chunk)
{
    return chunk->cap < HOT_CHUNK_FAR ? *(const int64_t *)(chunk + 1)
                                      : ((const struct hot_far_chunk *)chunk)->t_first;
}

static inline void *hot_col_data(const struct hot_chunk *chunk, const struct hot_col *col)
{
    return (void *)((uintptr_t)hot_chunk_time(chunk) + (uintptr_t)col->at);
}

/* packed.c */

/* Cells that are all BIGINT or DOUBLE as they go into the log: half a byte each for their widths, then their
 * bytes.  8 bytes behind the end, which is returned, may be written over. */
uint8_t *hot_pack(uint8_t *p, const struct tsfs_cell *cells, unsigned n);

/* The numbers of a packed chunk. */
static inline const uint8_t *hot_packed(const struct hot_chunk *chunk)
{
    return (const uint8_t *)(chunk + 1) + sizeof(int64_t);
}

/* One of the n; *at is where it begins, and then where the next one does.  The first one is at 0. */
uint64_t hot_packed_next(const uint8_t *packed, unsigned n, unsigned i, uint8_t type, size_t *at);

/* lane.c */

/* The first lane of a series, made if need be; lane after `lane` likewise. */
TSFS_MUST_CHECK int hot_lane_get(struct tsfs_hot *hot, uint32_t series, struct hot_lane **out);
TSFS_MUST_CHECK int hot_lane_next(struct tsfs_hot *hot, struct hot_lane *lane, struct hot_lane **out);
/* Makes lane->tail the chunk that takes row number lane->staged.  *written: its values are there already. */
TSFS_MUST_CHECK int hot_lane_room(struct tsfs_hot *hot, struct hot_lane *lane, struct hot_shape *shape,
                                  const struct tsfs_cell *cells, unsigned ncells, bool *written);
/* Finds or makes each cell's column, with a bitmap where one will be needed, so that writing the row cannot
 * fail.  rows = how many are staged in the chunk; it is not dense any more. */
TSFS_MUST_CHECK int hot_chunk_prepare(struct tsfs_hot *hot, struct hot_chunk *chunk, uint32_t rows,
                                      uint32_t row, const struct tsfs_cell *cells, unsigned ncells,
                                      uint16_t *places);
/* Column takes a value in this row. */
void hot_col_mark(struct hot_col *col, uint32_t row);
/* Forgets all rows of a lane from number `rows` on; tail is the chunk that was the tail then. */
void hot_lane_cut(struct hot_lane *lane, struct hot_chunk *tail, uint32_t rows);

/* batch.c */

TSFS_MUST_CHECK int hot_batch_begin(struct tsfs_hot *hot);
void hot_batch_end(struct tsfs_hot *hot);
TSFS_MUST_CHECK int hot_batch_reserve(struct hot_batch *batch, size_t extra);
TSFS_MUST_CHECK int hot_batch_cells(struct hot_batch *batch, unsigned ncells);
TSFS_MUST_CHECK int hot_list_push(struct hot_list *list, uint32_t item);

/* shape.c */

/* The shape of these cells, *shape NULL when it is not worth remembering.  If a slot comes twice, *cells and
 * *ncells become a copy in the batch where it does not. */
TSFS_MUST_CHECK int hot_shape_find(struct tsfs_hot *hot, const struct tsfs_cell **cells, unsigned *ncells,
                                   struct hot_shape **shape);
bool hot_shape_matches(const struct hot_shape *shape, const struct tsfs_cell *cells, unsigned ncells);

/* log.c */

/* Adds the row, and definitions of what it is the first to use, to the record.  The row
 * itself counts once batch->len is moved to *end. */
TSFS_MUST_CHECK int hot_log_row(struct tsfs_hot *hot, const struct tsfs_schema *schema, struct hot_lane *lane,
                                struct hot_shape *shape, int64_t time, const struct tsfs_cell *cells,
                                unsigned ncells, size_t *end);

/* names.c */

/* The number in the log of a series that one with this tuple, about to be defined, can be defined after;
 * HOT_NONE: it is to be written in full, and is such a model from now on. */
uint32_t hot_names_model(struct tsfs_hot *hot, const struct series_tuple *tuple);
/* How one of its values, by reference, is to be given: enum record_value.  Values in the order of the record;
 * only after a model was found. */
uint32_t hot_names_value(struct tsfs_hot *hot, uint32_t ref);
/* Forgets values numbered from `values` on, and models that are logged no more. */
void hot_names_cut(struct tsfs_hot *hot, uint32_t values);
size_t hot_names_bytes(const struct tsfs_hot *hot);

/* stage.c */

/* Stages a row in memory only.  `shape` as hot_shape_find says, cells already distinct. */
TSFS_MUST_CHECK int hot_stage_row(struct tsfs_hot *hot, struct hot_lane *lane, struct hot_shape *shape,
                                  int64_t time, const struct tsfs_cell *cells, unsigned ncells);
/* replay.c */
void hot_replay_free(struct tsfs_hot *hot);

/* hot.c: publishes or forgets the batch. */
void hot_batch_publish(struct tsfs_hot *hot);
void hot_batch_forget(struct tsfs_hot *hot);

#endif
