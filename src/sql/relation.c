#include "sql/relation.h"

#include <stddef.h>

const char *tsfs_join_name(enum tsfs_join join)
{
    switch (join) {
    case TSFS_JOIN_INNER: return "INNER JOIN";
    case TSFS_JOIN_LEFT: return "LEFT JOIN";
    case TSFS_JOIN_RIGHT: return "RIGHT JOIN";
    case TSFS_JOIN_FULL: return "FULL JOIN";
    case TSFS_JOIN_SEMI: return "SEMI JOIN";
    case TSFS_JOIN_ANTI: return "ANTI JOIN";
    }
    return NULL;
}

const char *tsfs_set_op_name(enum tsfs_set_op op)
{
    switch (op) {
    case TSFS_SET_UNION: return "UNION";
    case TSFS_SET_INTERSECT: return "INTERSECT";
    case TSFS_SET_EXCEPT: return "EXCEPT";
    }
    return NULL;
}
