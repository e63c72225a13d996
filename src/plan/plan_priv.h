/* What the parts of the planner share.  Plans are changed in place while they are made; expressions never. */
#ifndef TSFS_PLAN_PRIV_H
#define TSFS_PLAN_PRIV_H

#include "plan/plan.h"
#include "sql/bind.h"
#include "sql/expr_tree.h"

/* build.c: the plan as written, the rules applied to it and to all plans that stand in it. */
TSFS_MUST_CHECK int plan_build(struct tsfs_arena *arena, const struct tsfs_bound *rel, struct tsfs_plan **out,
                               struct tsfs_error *err);

/* The same without the rules; a subquery makes it an INIT. */
TSFS_MUST_CHECK int plan_build_bare(struct tsfs_arena *arena, const struct tsfs_bound *rel,
                                    struct tsfs_plan **out, struct tsfs_error *err);

/* While a plan is built. */
struct plan_frame {
    struct tsfs_plan_init *items; /* subplans to be run before it */
    struct tsfs_plan **plans;
    const struct tsfs_subquery **subqueries;
    uint32_t n, cap;
};

struct plan_builder {
    struct tsfs_arena *arena;
    struct tsfs_error *err;
    struct plan_frame *frame, *root;
    struct plan_cte {
        const struct tsfs_bound_cte *cte;
        struct tsfs_plan_shared *shared;
        struct plan_cte *next;
    } * ctes;
    /* The last subquery that became a LEFT JOIN, and the projection over it. */
    const struct tsfs_plan *joined;
    const struct tsfs_subquery *joined_for;
    uint32_t nodes, nshared;
    bool bare; /* no rules */
    int rc;    /* why it failed */
};

/* NULL and b->rc on failure, here and below. */
struct tsfs_plan *plan_build_rel(struct plan_builder *b, const struct tsfs_bound *rel, bool order_matters);
struct tsfs_plan *plan_fail(struct plan_builder *b, int rc);
/* The whole of a query that stands for itself: its subplans first, the rules applied. */
struct tsfs_plan *plan_build_root(struct plan_builder *b, const struct tsfs_bound *rel, bool root,
                                  bool order_matters);
bool plan_counted(struct plan_builder *b); /* one more operator, unless there are too many */

/* subquery.c: e without subqueries.  Those that depend on the row are joined to *input by APPLY, which adds
 * columns behind those it has; the others become params. */
struct tsfs_expr *plan_lower(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *e);
bool plan_has_subquery(const struct tsfs_expr *e, bool dependent_only);
/* WHERE's term as a semi or anti join with *input, where that can be done: *done. */
/* decorrelate.c */
bool plan_lower_term(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *term, bool *done);

/* A subquery that depends on the row, as a LEFT JOIN with *input; *column NULL: it cannot be one. */
bool plan_lower_by_join(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *e,
                        struct tsfs_expr **column);
/* The subquery of "x IN (query)" whose query depends on the row, or NULL. */
const struct tsfs_subquery *plan_is_membership(const struct tsfs_expr *e);

/* select.c */
struct tsfs_plan *plan_build_select(struct plan_builder *b, const struct tsfs_bound *rel, bool order_matters);
struct tsfs_plan *plan_filter(struct plan_builder *b, struct tsfs_plan *input, struct tsfs_expr *predicate);
/* Columns [0, n) of input, under rel's names if it is not NULL. */
struct tsfs_plan *plan_first_columns(struct plan_builder *b, struct tsfs_plan *input, uint32_t n,
                                     const struct tsfs_bound *rel);

struct plan_terms {
    struct tsfs_expr **items;
    uint32_t n;
};

/* e's terms, as AND joins them; e may be NULL. */
TSFS_MUST_CHECK int plan_split(struct tsfs_arena *arena, struct tsfs_expr *e, struct plan_terms *out);
TSFS_MUST_CHECK int plan_put_filter(struct tsfs_arena *arena, struct tsfs_plan **plan,
                                    const struct plan_terms *terms);
/* terms over *plan's output go down from it. */
TSFS_MUST_CHECK int plan_push_terms(struct tsfs_arena *arena, struct tsfs_plan **plan,
                                    const struct plan_terms *terms);
/* join.c: the same for a join. */
TSFS_MUST_CHECK int plan_push_join(struct tsfs_arena *arena, struct tsfs_plan **plan,
                                   const struct plan_terms *terms);

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
