/* Names that are nearly right. */
#ifndef TSFS_SQL_NAMES_H
#define TSFS_SQL_NAMES_H

#include "base/str.h"

#define SQL_HINT_MAX 128

struct sql_nearest {
    struct tsfs_str wanted; /* set this one; the rest zero */
    struct tsfs_str best;   /* ptr NULL = nothing near */
    unsigned distance;
};

void sql_nearest_try(struct sql_nearest *near, struct tsfs_str candidate);
/* ' (did you mean "x"?)', or "". */
const char *sql_nearest_hint(const struct sql_nearest *near, char out[SQL_HINT_MAX]);

#endif
