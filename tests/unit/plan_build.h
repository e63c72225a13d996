/* Plans by hand: what the binder and the planner would make of a text, spelled as C calls. */
#ifndef TESTS_PLAN_BUILD_H
#define TESTS_PLAN_BUILD_H

#include "plan/plan.h"

typedef struct tsfs_expr E;

/* Where everything is allocated; to be set before anything else is called. */
extern struct tsfs_arena *pb_arena;

E *pb_col(uint32_t index, enum tsfs_type type);
E *pb_value(struct tsfs_value value);
E *pb_double(double d);
E *pb_big(int64_t i);
E *pb_bool(bool b);
E *pb_str(const char *s);
E *pb_time(int64_t ns);
E *pb_interval(int64_t ns);
E *pb_null(enum tsfs_type type);
/* A function or operator of the registry whose signature is exactly the types of the arguments; more args
 * follow, NULL ends. */
E *pb_call(const char *name, E *first, ...);
E *pb_node(enum tsfs_expr_kind kind, enum tsfs_type type, E *first, ...);
E *pb_cast(E *arg, enum tsfs_type type, bool is_try);

/* The function for such arguments, or NULL. */
const struct tsfs_function *pb_function(const char *name, enum tsfs_function_kind kind, E *const *args,
                                        uint32_t nargs);

/* A scan whose output is the schema's columns in order of ordinals, all of them. */
struct tsfs_plan *pb_scan(struct tsfs_source *source);
E *pb_scan_col(const struct tsfs_plan *scan, const char *name);
struct tsfs_plan *pb_filter(struct tsfs_plan *input, E *predicate);
struct tsfs_plan *pb_project(struct tsfs_plan *input, E **exprs, uint32_t n);
struct tsfs_plan *pb_aggregate(struct tsfs_plan *input, E **groups, uint32_t ngroups,
                               struct tsfs_plan_aggregate *aggs, uint32_t naggs);
struct tsfs_plan_aggregate pb_agg(const char *name, E *arg, E *arg2);
struct tsfs_plan *pb_sort(struct tsfs_plan *input, struct tsfs_plan_key *keys, uint32_t n, uint64_t limit);
struct tsfs_plan *pb_limit(struct tsfs_plan *input, uint64_t limit, uint64_t offset);
struct tsfs_plan *pb_values(const enum tsfs_type *types, uint32_t ncols, struct tsfs_value *rows,
                            uint64_t nrows);

#endif
