/* A snapshot: which series, and how many rows of each of their lanes. */
#ifndef TSFS_HOT_SNAP_PRIV_H
#define TSFS_HOT_SNAP_PRIV_H

#include "col/vec.h"
#include "hot/hot_priv.h"

struct snap_series {
    uint32_t lane; /* first one */
    uint32_t rows; /* of it */
    uint32_t more; /* index into more[], or HOT_NONE when the other lanes are empty */
};

struct tsfs_hot_snap {
    struct tsfs_hot *hot;
    struct tsfs_schema *schema;
    int64_t time_min, time_max;
    uint64_t *wanted;           /* measure slots that may be asked for; NULL = all */
    struct snap_series *series; /* ascending by lane */
    uint32_t n, cap;
    uint64_t rows;                   /* of all of them */
    uint32_t (*more)[HOT_LANES - 1]; /* rows of the lanes after the first */
    uint32_t nmore, more_cap;
    uint32_t *order; /* after sorting: position -> index into series; NULL = the same */
    uint32_t *rank;  /* the inverse */

    /* what tsfs_hot_snap_series hands out, filled in blocks when first asked for */
    struct tsfs_str *texts;      /* per position: measure name, dimensions */
    _Atomic uint8_t *texts_done; /* per block */
    pthread_mutex_t texts_lock;  /* and of sorting; nothing but the index's ranks_lock inside it */
};

static inline bool snap_wants(const struct tsfs_hot_snap *snap, uint16_t slot)
{
    return slot < snap->schema->nmeasures && (!snap->wanted || tsfs_bit_get(snap->wanted, slot));
}

#endif
