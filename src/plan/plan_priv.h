/* What the parts of the planner share.  Plans are changed in place while they are made; expressions never. */
#ifndef TSFS_PLAN_PRIV_H
#define TSFS_PLAN_PRIV_H

#include "plan/plan.h"
#include "sql/bind.h"
#include "sql/expr_tree.h"

/* build.c: the plan as written, no rules applied.  NULL = out of memory. */
struct tsfs_plan *plan_build(struct tsfs_arena *arena, const struct tsfs_bound *rel);

/* The rules, in the order in which they are applied.  0 or -ENOMEM. */

/* push.c: conditions as near to the scans as they can go. */
TSFS_MUST_CHECK int plan_push(struct tsfs_arena *arena, struct tsfs_plan **plan);
/* inline.c: projections dissolved into what is above them. */
TSFS_MUST_CHECK int plan_inline(struct tsfs_arena *arena, struct tsfs_plan *plan);
/* prune.c: no column made that nobody uses. */
TSFS_MUST_CHECK int plan_prune(struct tsfs_arena *arena, struct tsfs_plan *plan);
/* order.c: limits into sorts, newest first, projections that change nothing. */
void plan_order(struct tsfs_plan **plan);

/* scan.c: conjunctive terms, over the scan's output, into the scan: time range, series filter, row filter,
 * and the necessary conditions that follow from them. */
TSFS_MUST_CHECK int plan_scan_filter(struct tsfs_arena *arena, struct tsfs_plan *scan,
                                     struct tsfs_expr *const *terms, uint32_t n);

struct tsfs_plan *plan_new(struct tsfs_arena *arena, enum tsfs_plan_kind kind, struct tsfs_plan *input,
                           uint32_t ncols);
/* A plan of that kind with its input's columns. */
struct tsfs_plan *plan_over(struct tsfs_arena *arena, enum tsfs_plan_kind kind, struct tsfs_plan *input);

#endif
