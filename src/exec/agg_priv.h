/* Aggregation: the tables of groups and states that both ways of feeding them share. */
#ifndef TSFS_EXEC_AGG_PRIV_H
#define TSFS_EXEC_AGG_PRIV_H

#include "exec/exec_priv.h"
#include "exec/kernels/group_union.h"

/* One aggregate of the plan, expressions over whatever feeds the table. */
struct agg_item {
    const struct tsfs_plan_aggregate *plan;
    const struct tsfs_aggregate_impl *impl;
    struct tsfs_expr *const *args;
    const struct tsfs_expr *filter;
    bool distinct;   /* and it makes a difference */
    uint32_t offset; /* of its state in a group's payload */
};

struct agg_spec {
    struct exec_ctx *ctx;
    const char *name; /* of the operator, for errors */
    uint32_t ngroups, nitems;
    struct tsfs_expr *const *groups;
    enum tsfs_type *types; /* of the groups */
    struct agg_item *items;
    uint32_t payload;
};

/* spec for a plan; group and argument expressions are the plan's own. */
TSFS_MUST_CHECK int agg_spec_init(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct agg_spec *spec);

/* Whether the result of some aggregate depends on the order in which rows come. */
bool agg_by_order(const struct tsfs_plan *plan);

struct agg_table {
    const struct agg_spec *spec;
    struct tsfs_arena arena; /* groups and what states hold */
    struct group_table groups;
    struct group_table *distinct; /* [nitems]: values seen, keyed (group, arguments) */
};

TSFS_MUST_CHECK int agg_table_init(struct agg_table *table, const struct agg_spec *spec);
void agg_table_free(struct agg_table *table); /* takes one that is all zero */
/* into, which holds nothing, becomes what from was; from is all zero then. */
void agg_table_move(struct agg_table *into, struct agg_table *from);

static inline void *agg_state(const struct agg_table *table, const struct agg_item *item, uint32_t group)
{
    return (char *)group_payload(&table->groups, group) + item->offset;
}

struct tsfs_kernel_ctx agg_kernel_ctx(const struct agg_spec *spec, struct tsfs_arena *arena,
                                      const struct agg_item *item, struct tsfs_error *err);

/* Rows [0, n) of cols, whatever their groups. */
TSFS_MUST_CHECK int agg_table_rows(struct agg_table *table, struct tsfs_eval *eval,
                                   const struct tsfs_vec *cols, uint32_t n);

/* Values of a distinct aggregate for rows [0, n): group is a vector of BIGINT. */
TSFS_MUST_CHECK int agg_table_distinct(struct agg_table *table, struct tsfs_arena *scratch, uint32_t item,
                                       const struct tsfs_vec *group, const struct tsfs_vec *args, uint32_t n);

/* Everything of `from`, which stays as it is, joins `into`. */
TSFS_MUST_CHECK int agg_table_merge(struct agg_table *into, struct agg_table *from, struct tsfs_error *err);

/* ---- tables of several tasks as one result ---- */

#define AGG_TASKS_MAX 16u

struct agg_result {
    const struct agg_spec *spec;
    struct agg_table tables[AGG_TASKS_MAX + 1]; /* the first, and nmore that were left as they are */
    uint32_t nmore;
    struct group_union groups;    /* of all tables, if there are more */
    struct group_union *distinct; /* [nitems], likewise; their groups are numbers of those records */
    struct tsfs_arena arena;
    struct tsfs_arena *workers; /* [nworkers]: what states hold beyond those of the tables */
    uint32_t nworkers;
};

TSFS_MUST_CHECK int agg_result_init(struct agg_result *result, const struct agg_spec *spec);
void agg_result_free(struct agg_result *result); /* takes one that is all zero */

/* Runs tasks, each filling a table, and joins the tables in order to what is there.  whole: they are to
 * become one table, tables[0]. */
TSFS_MUST_CHECK int agg_result_fill(struct agg_result *result, uint32_t ntasks, bool whole,
                                    int (*fill)(void *ctx, struct agg_table *table, uint32_t task,
                                                struct tsfs_error *err),
                                    void *ctx, struct tsfs_error *err);
/* Once, when all are filled. */
TSFS_MUST_CHECK int agg_result_finish(struct agg_result *result, struct tsfs_error *err);
static inline uint32_t agg_result_groups(const struct agg_result *result)
{
    return result->nmore > 0 ? result->groups.n : result->tables[0].groups.n;
}

/* Output columns (groups, then aggregates) of groups [from, from + n) in arena; by any thread, different
 * groups at once. */
TSFS_MUST_CHECK int agg_result_output(const struct agg_result *result, struct tsfs_arena *arena,
                                      uint32_t from, uint32_t n, struct tsfs_vec *cols,
                                      struct tsfs_error *err);

/* ---- straight from a scan ---- */

struct agg_scan;

/* *out NULL: the input is not one that this can read. */
TSFS_MUST_CHECK int agg_scan_open(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct agg_scan **out,
                                  struct tsfs_error *err);
/* The rows above want `limit` groups, by group key `key` from one end of time. */
void agg_scan_want(struct agg_scan *scan, uint32_t key, bool newest, uint64_t limit);
/* Reads everything into result, which it initialises. */
TSFS_MUST_CHECK int agg_scan_run(struct agg_scan *scan, struct agg_result *result, struct tsfs_error *err);
void agg_scan_close(struct agg_scan *scan); /* takes NULL */

#endif
