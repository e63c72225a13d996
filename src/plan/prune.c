/* From the top down: which columns of its input does each operator use?  The rest is not made, and column
 * numbers close ranks.  A scan that nobody asks for a column delivers rows without any (count(*)). */
#include <errno.h>

#include "plan/plan_priv.h"

#define UNUSED UINT32_MAX

/* An operator's columns: needed or not; after pruning, the new number of each. */
struct renumbering {
    bool *needed;
    uint32_t *to;
    struct tsfs_arena *arena;
};

static int renumbering_init(struct renumbering *r, struct tsfs_arena *arena, uint32_t ncols)
{
    r->arena = arena;
    r->needed = TSFS_NEW_ARRAY(arena, bool, ncols);
    r->to = TSFS_NEW_ARRAY(arena, uint32_t, ncols);
    return r->needed == NULL || r->to == NULL ? -ENOMEM : 0;
}

static bool need(void *ctx, uint32_t index)
{
    ((struct renumbering *)ctx)->needed[index] = true;
    return true;
}

static void need_expr(struct renumbering *r, const struct tsfs_expr *e)
{
    if (e != NULL)
        tsfs_expr_each_column(e, need, r);
}

static struct tsfs_expr *renumber_column(void *ctx, struct tsfs_expr *column)
{
    const struct renumbering *r = ctx;
    uint32_t to = r->to[column->index];
    return to == column->index ? column : tsfs_expr_column(r->arena, to, column->type, column);
}

static int renumber(struct renumbering *r, struct tsfs_expr **e)
{
    if (*e != NULL && (*e = tsfs_expr_map(r->arena, *e, renumber_column, r)) == NULL)
        return -ENOMEM;
    return 0;
}

static int renumber_all(struct renumbering *r, struct tsfs_expr ***exprs, uint32_t n)
{
    struct tsfs_expr **out = TSFS_NEW_ARRAY(r->arena, struct tsfs_expr *, n);
    if (out == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (*exprs)[i];
        if (renumber(r, &out[i]) != 0)
            return -ENOMEM;
    }
    *exprs = out;
    return 0;
}

/* Numbers for what is needed, in order; returns how many. */
static uint32_t close_ranks(struct renumbering *r, struct tsfs_plan *plan)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->ncols; i++) {
        r->to[i] = r->needed[i] ? n : UNUSED;
        if (r->needed[i])
            plan->cols[n++] = plan->cols[i];
    }
    plan->ncols = n;
    return n;
}

static int prune(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r);

static int prune_scan(struct tsfs_plan *plan, struct renumbering *r)
{
    struct tsfs_plan_scan *scan = &plan->scan;
    need_expr(r, scan->series_filter);
    need_expr(r, scan->row_filter);
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->ncols; i++)
        if (r->needed[i])
            scan->ordinals[n++] = scan->ordinals[i];
    close_ranks(r, plan);
    int rc = renumber(r, &scan->series_filter);
    return rc != 0 ? rc : renumber(r, &scan->row_filter);
}

/* Operators whose columns are their input's: they pass on what is needed and what they look at themselves. */
static int prune_through(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    if (plan->kind == TSFS_PLAN_FILTER)
        need_expr(r, plan->filter.predicate);
    for (uint32_t i = 0; plan->kind == TSFS_PLAN_SORT && i < plan->sort.nkeys; i++)
        need_expr(r, plan->sort.keys[i].expr);
    int rc = prune(arena, plan->input, r);
    if (rc != 0)
        return rc;
    plan->ncols = plan->input->ncols;
    if (plan->ncols > 0)
        memcpy(plan->cols, plan->input->cols, plan->ncols * sizeof(*plan->cols));
    if (plan->kind == TSFS_PLAN_FILTER)
        return renumber(r, &plan->filter.predicate);
    for (uint32_t i = 0; plan->kind == TSFS_PLAN_SORT && i < plan->sort.nkeys && rc == 0; i++)
        rc = renumber(r, &plan->sort.keys[i].expr);
    return rc;
}

static int prune_project(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    struct renumbering below;
    int rc = renumbering_init(&below, arena, plan->input->ncols);
    if (rc != 0)
        return rc;
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->ncols; i++)
        if (r->needed[i])
            plan->project.exprs[n++] = plan->project.exprs[i];
    close_ranks(r, plan);
    for (uint32_t i = 0; i < n; i++)
        need_expr(&below, plan->project.exprs[i]);
    rc = prune(arena, plan->input, &below);
    return rc != 0 ? rc : renumber_all(&below, &plan->project.exprs, n);
}

static int prune_aggregate(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    struct renumbering below;
    int rc = renumbering_init(&below, arena, plan->input->ncols);
    if (rc != 0)
        return rc;
    uint32_t ngroups = plan->aggregate.ngroups, n = 0;
    for (uint32_t i = 0; i < ngroups; i++) {
        r->needed[i] = true;
        need_expr(&below, plan->aggregate.groups[i]);
    }
    for (uint32_t i = 0; i < plan->aggregate.naggs; i++) {
        const struct tsfs_plan_aggregate *a = &plan->aggregate.aggs[i];
        if (!r->needed[ngroups + i])
            continue;
        for (uint32_t k = 0; k < a->nargs; k++)
            need_expr(&below, a->args[k]);
        need_expr(&below, a->filter);
        plan->aggregate.aggs[n++] = *a;
    }
    plan->aggregate.naggs = n;
    close_ranks(r, plan);
    rc = prune(arena, plan->input, &below);
    if (rc == 0)
        rc = renumber_all(&below, &plan->aggregate.groups, ngroups);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        rc = renumber_all(&below, &plan->aggregate.aggs[i].args, plan->aggregate.aggs[i].nargs);
        if (rc == 0)
            rc = renumber(&below, &plan->aggregate.aggs[i].filter);
    }
    return rc;
}

/* The arrays are all looked at, whether or not a column of theirs is wanted: they say how many rows there
 * are.
 */
static int prune_unnest(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    struct renumbering below;
    int rc = renumbering_init(&below, arena, plan->input->ncols);
    if (rc != 0)
        return rc;
    uint32_t nthrough = plan->unnest.nthrough, kept = 0, parts = 0;
    for (uint32_t i = 0; i < nthrough; i++)
        if (r->needed[i]) {
            need_expr(&below, plan->unnest.through[i]);
            plan->unnest.through[kept++] = plan->unnest.through[i];
        }
    for (uint32_t i = nthrough; i < plan->ncols; i++)
        if (r->needed[i])
            plan->unnest.parts[parts++] = plan->unnest.parts[i - nthrough];
    plan->unnest.nthrough = kept;
    for (uint32_t i = 0; i < plan->unnest.nexprs; i++)
        need_expr(&below, plan->unnest.exprs[i]);
    close_ranks(r, plan);
    rc = prune(arena, plan->input, &below);
    if (rc == 0)
        rc = renumber_all(&below, &plan->unnest.exprs, plan->unnest.nexprs);
    return rc != 0 ? rc : renumber_all(&below, &plan->unnest.through, plan->unnest.nthrough);
}

static int prune(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    switch (plan->kind) {
    case TSFS_PLAN_SCAN: return prune_scan(plan, r);
    case TSFS_PLAN_VALUES:
        for (uint32_t i = 0; i < plan->ncols; i++)
            r->to[i] = i;
        return 0;
    case TSFS_PLAN_PROJECT: return prune_project(arena, plan, r);
    case TSFS_PLAN_AGGREGATE: return prune_aggregate(arena, plan, r);
    case TSFS_PLAN_UNNEST: return prune_unnest(arena, plan, r);
    case TSFS_PLAN_FILTER:
    case TSFS_PLAN_SORT:
    case TSFS_PLAN_LIMIT: break;
    }
    return prune_through(arena, plan, r);
}

int plan_prune(struct tsfs_arena *arena, struct tsfs_plan *plan)
{
    struct renumbering r;
    int rc = renumbering_init(&r, arena, plan->ncols);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < plan->ncols; i++)
        r.needed[i] = true;
    return prune(arena, plan, &r);
}
