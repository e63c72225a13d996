/* Between the files of EXPLAIN. */
#ifndef TSFS_PLAN_EXPLAIN_PRIV_H
#define TSFS_PLAN_EXPLAIN_PRIV_H

#include "plan/plan_priv.h"

TSFS_MUST_CHECK int explain_put(struct tsfs_buf *out, const char *text);
TSFS_MUST_CHECK int explain_expr(struct tsfs_buf *out, const struct tsfs_expr *e,
                                 const struct tsfs_str *names, uint32_t n);
/* Before item i of a list of n: a comma, or how many more there are and *end. */
TSFS_MUST_CHECK int explain_list(struct tsfs_buf *out, uint32_t i, uint32_t n, bool *end);
TSFS_MUST_CHECK int explain_keys(struct tsfs_buf *out, const struct tsfs_plan_key *keys, uint32_t n,
                                 const struct tsfs_str *below, uint32_t nbelow);

/* explain_more.c: operators with several inputs, windows, subplans. */
TSFS_MUST_CHECK int explain_more(const struct tsfs_plan *plan, const struct tsfs_str *below,
                                 struct tsfs_buf *out);
/* The line above subplan i of INIT, its end included. */
TSFS_MUST_CHECK int explain_init(const struct tsfs_plan *plan, uint32_t i, struct tsfs_buf *out);
/* What column i that WINDOW or APPLY adds is called. */
TSFS_MUST_CHECK int explain_own_name(struct tsfs_arena *arena, const struct tsfs_plan *plan, uint32_t i,
                                     const struct tsfs_str *below, struct tsfs_str *out);

#endif
