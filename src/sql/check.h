/* Looks at a statement that is still being written. */
#ifndef TSFS_SQL_CHECK_H
#define TSFS_SQL_CHECK_H

#include "base/error.h"
#include "base/str.h"

enum tsfs_sql_state {
    TSFS_SQL_EMPTY,      /* nothing but blanks and comments */
    TSFS_SQL_OPEN,       /* right so far, cannot end here */
    TSFS_SQL_MAY_END,    /* a whole statement, but more could follow */
    TSFS_SQL_TERMINATED, /* a whole statement and its semicolon */
    TSFS_SQL_BROKEN      /* no continuation can make it right; err says where */
};

enum tsfs_sql_state tsfs_sql_check(struct tsfs_str text, struct tsfs_error *err);

#endif
