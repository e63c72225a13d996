/* Rules about order: what a limit means for the sort below it and for the scan below that; and projections
 * that turn out to change nothing. */
#include "plan/plan_priv.h"

static uint64_t rows_wanted(const struct tsfs_plan *limit)
{
    uint64_t sum;
    if (limit->limit.limit == UINT64_MAX ||
        __builtin_add_overflow(limit->limit.limit, limit->limit.offset, &sum))
        return UINT64_MAX;
    return sum;
}

/* The scan's time, seen through e and the operators above it. */
static bool is_time(const struct tsfs_plan *plan, const struct tsfs_expr *e)
{
    if (tsfs_expr_op(e) == TSFS_OP_BIN && e->nargs == 2 && tsfs_expr_is_literal(e->args[1]))
        return is_time(plan, e->args[0]);
    if (tsfs_expr_op(e) == TSFS_OP_DATE_TRUNC && e->nargs == 2 && tsfs_expr_is_literal(e->args[0]))
        return is_time(plan, e->args[1]);
    if (e->kind != TSFS_EXPR_COLUMN)
        return false;
    switch (plan->kind) {
    case TSFS_PLAN_SCAN: return plan->scan.ordinals[e->index] == TSFS_ORDINAL_TIME;
    case TSFS_PLAN_FILTER: return is_time(plan->input, e);
    case TSFS_PLAN_PROJECT: return is_time(plan->input, plan->project.exprs[e->index]);
    default: return false;
    }
}

static void want_newest(struct tsfs_plan *sort)
{
    if (!sort->sort.keys[0].descending || !is_time(sort->input, sort->sort.keys[0].expr))
        return;
    struct tsfs_plan *p = sort->input;
    while (p->kind != TSFS_PLAN_SCAN)
        p = p->input;
    p->scan.newest_first = true;
}

static bool changes_nothing(const struct tsfs_plan *project)
{
    if (project->ncols != project->input->ncols)
        return false;
    for (uint32_t i = 0; i < project->ncols; i++) {
        const struct tsfs_expr *e = project->project.exprs[i];
        if (e->kind != TSFS_EXPR_COLUMN || e->index != i)
            return false;
    }
    return true;
}

void plan_order(struct tsfs_plan **plan)
{
    for (struct tsfs_plan **at = plan; *at != NULL; at = &(*at)->input) {
        while ((*at)->kind == TSFS_PLAN_PROJECT && changes_nothing(*at)) {
            for (struct tsfs_plan *p = (*at)->input; p != NULL; p = p->input) {
                for (uint32_t i = 0; i < (*at)->ncols; i++)
                    p->cols[i].name = (*at)->cols[i].name;
                if (p->kind != TSFS_PLAN_FILTER && p->kind != TSFS_PLAN_SORT && p->kind != TSFS_PLAN_LIMIT)
                    break;
            }
            *at = (*at)->input;
        }
        for (uint32_t i = 0;
             i < (*at)->nmore && (*at)->kind != TSFS_PLAN_APPLY && (*at)->kind != TSFS_PLAN_INIT; i++)
            plan_order(&(*at)->more[i]);
        if ((*at)->kind == TSFS_PLAN_LIMIT && (*at)->input->kind == TSFS_PLAN_SORT &&
            !(*at)->input->sort.ties) {
            struct tsfs_plan *sort = (*at)->input;
            sort->sort.limit = rows_wanted(*at);
            if (sort->sort.limit != UINT64_MAX) {
                want_newest(sort);
                if ((*at)->limit.offset == 0)
                    *at = sort;
            }
        }
    }
}
