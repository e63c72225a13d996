/* Projections dissolve into the operator above them, so that an aggregation over a subquery stands directly
 * on its scan, where groups by time and by series are cheap.  A projected expression is taken up where it is
 * used; one that computes something is taken up once only, one that may come out differently each time not at
 * all, and none where the whole would be deeper than an expression may be. */
#include <errno.h>

#include "base/limits.h"
#include "plan/plan_priv.h"

struct use {
    const struct tsfs_plan *project;
    uint8_t *counts; /* of each of its columns, no further than 2 */
    uint32_t depth;  /* of the deepest expression that uses them */
};

/* What a lambda uses it uses for every element. */
static void count_use(struct use *use, const struct tsfs_expr *e, unsigned times)
{
    if (e->kind == TSFS_EXPR_COLUMN) {
        uint8_t *count = &use->counts[e->index];
        *count = (uint8_t)(*count + times < 2 ? *count + times : 2);
    }
    for (uint32_t i = 0; i < e->nargs; i++)
        count_use(use, e->args[i], e->kind == TSFS_EXPR_LAMBDA ? 2 : times);
}

static void count_whole(struct use *use, const struct tsfs_expr *e)
{
    uint32_t depth = tsfs_expr_depth(e);
    use->depth = depth > use->depth ? depth : use->depth;
    count_use(use, e, 1);
}

static void count_uses(struct use *use, const struct tsfs_plan *plan)
{
    if (plan->kind == TSFS_PLAN_PROJECT) {
        for (uint32_t i = 0; i < plan->ncols; i++)
            count_whole(use, plan->project.exprs[i]);
        return;
    }
    for (uint32_t i = 0; i < plan->aggregate.ngroups; i++)
        count_whole(use, plan->aggregate.groups[i]);
    for (uint32_t i = 0; i < plan->aggregate.naggs; i++) {
        const struct tsfs_plan_aggregate *a = &plan->aggregate.aggs[i];
        for (uint32_t k = 0; k < a->nargs; k++)
            count_whole(use, a->args[k]);
        if (a->filter != NULL)
            count_whole(use, a->filter);
    }
}

static bool dissolves(const struct use *use)
{
    for (uint32_t i = 0; i < use->project->ncols; i++) {
        const struct tsfs_expr *e = use->project->project.exprs[i];
        bool computes = e->kind != TSFS_EXPR_COLUMN && e->kind != TSFS_EXPR_LITERAL;
        if (computes && use->counts[i] > 0 &&
            (use->counts[i] > 1 || tsfs_expr_unstable(e) ||
             use->depth + tsfs_expr_depth(e) > TSFS_SQL_DEPTH_MAX))
            return false;
    }
    return true;
}

static struct tsfs_expr *replace(void *ctx, struct tsfs_expr *column)
{
    return ((struct tsfs_expr **)ctx)[column->index];
}

static int replace_all(struct tsfs_arena *arena, struct tsfs_expr ***exprs, uint32_t n,
                       struct tsfs_expr **with)
{
    struct tsfs_expr **out = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n);
    if (out == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        if ((out[i] = tsfs_expr_map(arena, (*exprs)[i], replace, with)) == NULL)
            return -ENOMEM;
    *exprs = out;
    return 0;
}

static int dissolve(struct tsfs_arena *arena, struct tsfs_plan *plan)
{
    struct tsfs_expr **with = plan->input->project.exprs;
    int rc;
    if (plan->kind == TSFS_PLAN_PROJECT) {
        rc = replace_all(arena, &plan->project.exprs, plan->ncols, with);
    } else {
        rc = replace_all(arena, &plan->aggregate.groups, plan->aggregate.ngroups, with);
        for (uint32_t i = 0; i < plan->aggregate.naggs && rc == 0; i++) {
            struct tsfs_plan_aggregate *a = &plan->aggregate.aggs[i];
            rc = replace_all(arena, &a->args, a->nargs, with);
            if (rc == 0 && a->filter != NULL &&
                (a->filter = tsfs_expr_map(arena, a->filter, replace, with)) == NULL)
                rc = -ENOMEM;
        }
    }
    if (rc == 0)
        plan->input = plan->input->input;
    return rc;
}

int plan_inline(struct tsfs_arena *arena, struct tsfs_plan *plan)
{
    for (struct tsfs_plan *p = plan; p != NULL; p = p->input) {
        /* subplans have had their rules */
        for (uint32_t i = 0; i < p->nmore && p->kind != TSFS_PLAN_APPLY && p->kind != TSFS_PLAN_INIT; i++) {
            int rc = plan_inline(arena, p->more[i]);
            if (rc != 0)
                return rc;
        }
        while ((p->kind == TSFS_PLAN_PROJECT || p->kind == TSFS_PLAN_AGGREGATE) &&
               p->input->kind == TSFS_PLAN_PROJECT) {
            struct use use = {.project = p->input, .counts = TSFS_NEW_ARRAY(arena, uint8_t, p->input->ncols)};
            if (use.counts == NULL)
                return -ENOMEM;
            count_uses(&use, p);
            if (!dissolves(&use))
                break;
            int rc = dissolve(arena, p);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}
