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
    if (r->needed == NULL || r->to == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < ncols; i++)
        r->to[i] = UNUSED;
    return 0;
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

/* The same, but what comes up are the columns that r needs and no others. */
static int prune_exact(struct tsfs_arena *arena, struct tsfs_plan **plan, struct renumbering *r)
{
    uint32_t n = 0, ncols = (*plan)->ncols;
    bool *wanted = TSFS_NEW_ARRAY(arena, bool, ncols); /* the input adds what it looks at itself */
    if (wanted == NULL)
        return -ENOMEM;
    if (ncols > 0)
        memcpy(wanted, r->needed, ncols * sizeof(bool));
    int rc = prune(arena, *plan, r);
    if (rc != 0)
        return rc;
    bool exact = true;
    for (uint32_t i = 0; i < ncols; i++)
        if (wanted[i] && r->to[i] != n++)
            exact = false;
    if (exact && (*plan)->ncols == n)
        return 0;
    struct tsfs_plan *project = plan_new(arena, TSFS_PLAN_PROJECT, *plan, n);
    if (project == NULL || (project->project.exprs = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n)) == NULL)
        return -ENOMEM;
    n = 0;
    for (uint32_t i = 0; i < ncols; i++) {
        if (!wanted[i])
            continue;
        project->cols[n] = (*plan)->cols[r->to[i]];
        project->project.exprs[n] = tsfs_expr_column(arena, r->to[i], project->cols[n].type, NULL);
        if (project->project.exprs[n] == NULL)
            return -ENOMEM;
        r->to[i] = n++;
    }
    *plan = project;
    return 0;
}

/* Branches must agree on their columns. */
static int prune_branches(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    for (uint32_t i = 0; plan->kind == TSFS_PLAN_SET && i < plan->ncols; i++)
        r->needed[i] = true;
    for (uint32_t k = 0; k <= plan->nmore; k++) {
        struct tsfs_plan **branch = k == 0 ? &plan->input : &plan->more[k - 1];
        struct renumbering own;
        int rc = renumbering_init(&own, arena, plan->ncols);
        if (rc != 0)
            return rc;
        if (plan->ncols > 0)
            memcpy(own.needed, r->needed, plan->ncols * sizeof(bool));
        if ((rc = prune_exact(arena, branch, &own)) != 0)
            return rc;
    }
    close_ranks(r, plan);
    return 0;
}

struct join_needs {
    struct renumbering *left, *right;
    uint32_t mid;
};

static bool need_side(void *ctx, uint32_t index)
{
    struct join_needs *n = ctx;
    if (index < n->mid)
        n->left->needed[index] = true;
    else
        n->right->needed[index - n->mid] = true;
    return true;
}

static int prune_join(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    uint32_t mid = plan->input->ncols, end = mid + plan->more[0]->ncols, nkeys = plan->join.nkeys;
    struct renumbering left, right, both;
    struct join_needs needs = {&left, &right, mid};
    int rc = renumbering_init(&left, arena, mid);
    if (rc == 0)
        rc = renumbering_init(&right, arena, end - mid);
    if (rc == 0)
        rc = renumbering_init(&both, arena, end);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < plan->ncols; i++)
        if (r->needed[i])
            need_side(&needs, i);
    if (plan->join.condition != NULL)
        tsfs_expr_each_column(plan->join.condition, need_side, &needs);
    for (uint32_t i = 0; i < nkeys; i++) {
        need_expr(&left, plan->join.left_keys[i]);
        need_expr(&right, plan->join.right_keys[i]);
    }
    if ((rc = prune(arena, plan->input, &left)) != 0 || (rc = prune(arena, plan->more[0], &right)) != 0)
        return rc;
    uint32_t nleft = plan->input->ncols, nright = plan->more[0]->ncols;
    for (uint32_t i = 0; i < end; i++) {
        uint32_t to = i < mid ? left.to[i] : right.to[i - mid];
        both.to[i] = to == UNUSED ? UNUSED : i < mid ? to : nleft + to;
        if (i < plan->ncols)
            r->to[i] = both.to[i];
    }
    bool semi = plan->join.kind == TSFS_JOIN_SEMI || plan->join.kind == TSFS_JOIN_ANTI;
    plan->ncols = semi ? nleft : nleft + nright;
    if (nleft > 0)
        memcpy(plan->cols, plan->input->cols, nleft * sizeof(*plan->cols));
    if (!semi && nright > 0)
        memcpy(plan->cols + nleft, plan->more[0]->cols, nright * sizeof(*plan->cols));
    rc = renumber_all(&left, &plan->join.left_keys, nkeys);
    if (rc == 0)
        rc = renumber_all(&right, &plan->join.right_keys, nkeys);
    return rc != 0 ? rc : renumber(&both, &plan->join.condition);
}

/* Input's columns, then own ones: [mid, ncols), all of which stay. */
static void add_own(struct tsfs_plan *plan, struct renumbering *r, const struct renumbering *below,
                    uint32_t mid, uint32_t ncols, const bool *kept)
{
    uint32_t n = plan->input->ncols;
    struct tsfs_plan_column *own = plan->cols + mid;
    for (uint32_t i = 0; i < mid; i++)
        r->to[i] = below->to[i];
    uint32_t at = n;
    for (uint32_t i = mid; i < ncols; i++)
        r->to[i] = kept == NULL || kept[i - mid] ? at++ : UNUSED;
    for (uint32_t i = mid, k = n; i < ncols; i++)
        if (r->to[i] != UNUSED)
            plan->cols[k++] = own[i - mid]; /* n <= mid: never ahead of what is read */
    if (n > 0)
        memcpy(plan->cols, plan->input->cols, n * sizeof(*plan->cols));
    plan->ncols = at;
}

static int prune_apply(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    uint32_t mid = plan->input->ncols, ncols = plan->ncols;
    struct renumbering below;
    int rc = renumbering_init(&below, arena, mid);
    if (rc != 0)
        return rc;
    if (mid > 0)
        memcpy(below.needed, r->needed, mid * sizeof(bool));
    for (uint32_t i = 0; i < plan->apply.nparams; i++)
        need_expr(&below, plan->apply.args[i]);
    if ((rc = prune(arena, plan->input, &below)) != 0)
        return rc;
    add_own(plan, r, &below, mid, ncols, NULL);
    return renumber_all(&below, &plan->apply.args, plan->apply.nparams);
}

static int prune_window(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    uint32_t mid = plan->input->ncols, ncols = plan->ncols, n = 0;
    struct renumbering below;
    int rc = renumbering_init(&below, arena, mid);
    bool *kept = TSFS_NEW_ARRAY(arena, bool, ncols - mid);
    struct tsfs_plan_key *keys = TSFS_NEW_ARRAY(arena, struct tsfs_plan_key, plan->window.nkeys);
    if (rc != 0 || kept == NULL || keys == NULL)
        return -ENOMEM;
    if (mid > 0)
        memcpy(below.needed, r->needed, mid * sizeof(bool));
    for (uint32_t i = 0; i < plan->window.nfunctions; i++) {
        struct tsfs_plan_window *w = &plan->window.functions[i];
        if (!(kept[i] = r->needed[mid + i]))
            continue;
        for (uint32_t k = 0; k < w->nargs; k++)
            need_expr(&below, w->args[k]);
        need_expr(&below, w->filter);
        need_expr(&below, w->start_offset);
        need_expr(&below, w->end_offset);
        plan->window.functions[n++] = *w;
    }
    plan->window.nfunctions = n;
    for (uint32_t i = 0; i < plan->window.npartition; i++)
        need_expr(&below, plan->window.partition[i]);
    for (uint32_t i = 0; i < plan->window.nkeys; i++)
        need_expr(&below, plan->window.keys[i].expr);
    if ((rc = prune(arena, plan->input, &below)) != 0)
        return rc;
    add_own(plan, r, &below, mid, ncols, kept);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct tsfs_plan_window *w = &plan->window.functions[i];
        rc = renumber_all(&below, &w->args, w->nargs);
        if (rc == 0)
            rc = renumber(&below, &w->filter);
        if (rc == 0)
            rc = renumber(&below, &w->start_offset);
        if (rc == 0)
            rc = renumber(&below, &w->end_offset);
    }
    if (rc == 0)
        rc = renumber_all(&below, &plan->window.partition, plan->window.npartition);
    for (uint32_t i = 0; i < plan->window.nkeys && rc == 0; i++) {
        keys[i] = plan->window.keys[i];
        rc = renumber(&below, &keys[i].expr);
    }
    plan->window.keys = keys;
    return rc;
}

static int prune(struct tsfs_arena *arena, struct tsfs_plan *plan, struct renumbering *r)
{
    switch (plan->kind) {
    case TSFS_PLAN_SCAN: return prune_scan(plan, r);
    case TSFS_PLAN_VALUES:
    case TSFS_PLAN_SHARED:
    case TSFS_PLAN_INIT: /* complete plans, pruned when they were made */
    case TSFS_PLAN_ANALYZE:
        for (uint32_t i = 0; i < plan->ncols; i++)
            r->to[i] = i;
        return 0;
    case TSFS_PLAN_JOIN: return prune_join(arena, plan, r);
    case TSFS_PLAN_APPEND:
    case TSFS_PLAN_SET: return prune_branches(arena, plan, r);
    case TSFS_PLAN_APPLY: return prune_apply(arena, plan, r);
    case TSFS_PLAN_WINDOW: return prune_window(arena, plan, r);
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
