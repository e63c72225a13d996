/* Random plans over one table: scans, projections, filters, aggregations, sorts. */
#ifndef TSFS_TESTS_RANDOM_PLAN_H
#define TSFS_TESTS_RANDOM_PLAN_H

#include "plan/plan.h"

/* The plan of that number; lives in pb_arena.  What could fail for some row is kept from it, so that no plan
 * fails. */
struct tsfs_plan *random_plan(struct tsfs_source *source, uint64_t seed);

#endif
