/* SQL types and how a value of each lies in memory. */
#ifndef TSFS_COL_TYPE_H
#define TSFS_COL_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum tsfs_type {
    TSFS_UNKNOWN,     /* the type of a bare NULL; every row NULL, no data */
    TSFS_BOOLEAN,     /* uint8_t, 0 or 1 */
    TSFS_INTEGER,     /* int64_t holding a 32-bit value */
    TSFS_BIGINT,      /* int64_t */
    TSFS_DOUBLE,      /* double */
    TSFS_VARCHAR,     /* struct tsfs_str, valid UTF-8 */
    TSFS_TIMESTAMP,   /* int64_t, ns since the epoch, UTC */
    TSFS_DATE,        /* int64_t, days since the epoch */
    TSFS_TIME,        /* int64_t, ns since midnight */
    TSFS_INTERVAL_DS, /* int64_t, ns: interval day to second */
    TSFS_INTERVAL_YM, /* int64_t, months: interval year to month */
    TSFS_TYPE_COUNT
};

/* One value outside a vector. */
struct tsfs_value {
    enum tsfs_type type;
    bool null;
    union {
        bool b;
        int64_t i; /* every type that lies as int64_t */
        double d;
        struct tsfs_str s; /* borrowed */
    };
};

const char *tsfs_type_name(enum tsfs_type type); /* as SQL prints it: "interval day to second" */
bool tsfs_type_from_name(struct tsfs_str name, enum tsfs_type *out); /* any case; int = integer, ... */
unsigned tsfs_type_width(enum tsfs_type type); /* bytes a row: 0, 1, 8 or sizeof(struct tsfs_str) */
static inline bool tsfs_type_is_int64(enum tsfs_type t)
{
    return t == TSFS_INTEGER || t == TSFS_BIGINT || (t >= TSFS_TIMESTAMP && t <= TSFS_INTERVAL_YM);
}

#endif
