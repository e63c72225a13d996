/* Words that syntax tree, bound tree and plan share: joins, set operations, window frames. */
#ifndef TSFS_SQL_RELATION_H
#define TSFS_SQL_RELATION_H

enum tsfs_join {
    TSFS_JOIN_INNER, /* CROSS too, without a condition */
    TSFS_JOIN_LEFT,
    TSFS_JOIN_RIGHT,
    TSFS_JOIN_FULL,
    TSFS_JOIN_SEMI, /* rows of the left that have a match; the planner's own */
    TSFS_JOIN_ANTI  /* rows of the left that have none */
};

enum tsfs_set_op { TSFS_SET_UNION, TSFS_SET_INTERSECT, TSFS_SET_EXCEPT };

enum tsfs_frame_unit { TSFS_FRAME_RANGE, TSFS_FRAME_ROWS, TSFS_FRAME_GROUPS };

enum tsfs_frame_bound {
    TSFS_FRAME_UNBOUNDED_PRECEDING,
    TSFS_FRAME_PRECEDING, /* by an offset */
    TSFS_FRAME_CURRENT,
    TSFS_FRAME_FOLLOWING, /* by an offset */
    TSFS_FRAME_UNBOUNDED_FOLLOWING
};

const char *tsfs_join_name(enum tsfs_join join);   /* "INNER JOIN", ... */
const char *tsfs_set_op_name(enum tsfs_set_op op); /* "UNION", ... */

#endif
