/* Conditions go down to the scans.
 *
 * A condition is taken apart at its ANDs and each term moves on its own: through projections and groupings by
 * replacing columns with what they are computed from, through sorts as it is; not through limits, nor through
 * an aggregation unless it speaks of groups alone.
 *
 * Terms keep their order, and one term may guard another: in "x <> 0 AND 10 / x > 1" the second must not be
 * evaluated where the first is false.  So once a term has stayed behind, only terms that cannot fail may pass
 * it. */
#include <errno.h>

#include "base/limits.h"
#include "plan/plan_priv.h"

static void split(struct tsfs_expr *e, struct plan_terms *out)
{
    if (e->kind != TSFS_EXPR_AND)
        out->items[out->n++] = e;
    else
        for (uint32_t i = 0; i < e->nargs; i++)
            split(e->args[i], out);
}

static uint32_t count(const struct tsfs_expr *e)
{
    uint32_t n = 0;
    if (e->kind != TSFS_EXPR_AND)
        return 1;
    for (uint32_t i = 0; i < e->nargs; i++)
        n += count(e->args[i]);
    return n;
}

int plan_split(struct tsfs_arena *arena, struct tsfs_expr *e, struct plan_terms *out)
{
    *out = (struct plan_terms){.items = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, e == NULL ? 0 : count(e))};
    if (out->items == NULL)
        return -ENOMEM;
    if (e != NULL)
        split(e, out);
    return 0;
}

static struct tsfs_expr *replace(void *ctx, struct tsfs_expr *column)
{
    return ((struct tsfs_expr **)ctx)[column->index];
}

#define REPLACED_NODES_MAX                                                                                   \
    4096 /* that a term may grow by; it would be computed twice, and could double again below */

struct replaceable {
    struct tsfs_expr *const *exprs;
    uint32_t n, room;
    uint32_t depth; /* of the term */
    bool any;
};

static bool check_column(void *ctx, uint32_t index)
{
    struct replaceable *r = ctx;
    r->any = true;
    if (index >= r->n)
        return false;
    uint32_t size = tsfs_expr_size(r->exprs[index], r->room);
    if (size > r->room)
        return false;
    r->room -= size;
    if (size > 1 && r->depth + tsfs_expr_depth(r->exprs[index]) > TSFS_SQL_DEPTH_MAX)
        return false;
    return !tsfs_expr_unstable(r->exprs[index]);
}

/* Which terms may move below an operator that computes its columns from exprs (the first n of them). */
static int divide(struct tsfs_arena *arena, const struct plan_terms *in, struct tsfs_expr **exprs, uint32_t n,
                  struct plan_terms *down, struct plan_terms *stay)
{
    down->items = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, in->n);
    stay->items = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, in->n);
    if (down->items == NULL || stay->items == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < in->n; i++) {
        struct tsfs_expr *e = in->items[i];
        struct replaceable r = {
            .exprs = exprs, .n = n, .room = REPLACED_NODES_MAX, .depth = tsfs_expr_depth(e)};
        bool movable = !tsfs_expr_unstable(e) && tsfs_expr_each_column(e, check_column, &r) && r.any &&
                       (stay->n == 0 || !tsfs_expr_can_fail(e));
        if (movable)
            down->items[down->n++] = e;
        else
            stay->items[stay->n++] = e;
    }
    return 0;
}

/* The same, and those that move speak of what the columns are computed from. */
static int sift(struct tsfs_arena *arena, const struct plan_terms *in, struct tsfs_expr **exprs, uint32_t n,
                struct plan_terms *down, struct plan_terms *stay)
{
    int rc = divide(arena, in, exprs, n, down, stay);
    for (uint32_t i = 0; i < down->n && rc == 0; i++)
        if ((down->items[i] = tsfs_expr_map(arena, down->items[i], replace, exprs)) == NULL)
            rc = -ENOMEM;
    return rc;
}

int plan_put_filter(struct tsfs_arena *arena, struct tsfs_plan **plan, const struct plan_terms *terms)
{
    if (terms->n == 0)
        return 0;
    struct tsfs_expr *predicate = tsfs_expr_and(arena, terms->items, terms->n);
    struct tsfs_plan *filter = predicate == NULL ? NULL : plan_over(arena, TSFS_PLAN_FILTER, *plan);
    if (filter == NULL)
        return -ENOMEM;
    filter->filter.predicate = predicate;
    *plan = filter;
    return 0;
}

static int push_filter(struct tsfs_arena *arena, struct tsfs_plan **plan, const struct plan_terms *terms)
{
    struct tsfs_expr *predicate = (*plan)->filter.predicate;
    struct plan_terms all = {.items = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, count(predicate) + terms->n)};
    if (all.items == NULL)
        return -ENOMEM;
    split(predicate, &all);
    for (uint32_t i = 0; i < terms->n; i++)
        all.items[all.n++] = terms->items[i];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all.n; i++) {
        const struct tsfs_expr *e = all.items[i];
        if (!(e->kind == TSFS_EXPR_LITERAL && !e->value.null && e->value.b))
            all.items[kept++] = all.items[i];
    }
    all.n = kept;
    *plan = (*plan)->input;
    return plan_push_terms(arena, plan, &all);
}

/* Terms over the first n columns alone, which an operator hands on as they are. */
static int sift_prefix(struct tsfs_arena *arena, const struct plan_terms *in, uint32_t n,
                       struct plan_terms *down, struct plan_terms *stay)
{
    struct tsfs_expr **same = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n);
    if (same == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        if ((same[i] = tsfs_expr_column(arena, i, TSFS_UNKNOWN, NULL)) == NULL)
            return -ENOMEM;
    return divide(arena, in, same, n, down, stay);
}

/* Into every branch; what is unstable stays above. */
static int push_append(struct tsfs_arena *arena, struct tsfs_plan **plan, const struct plan_terms *terms)
{
    struct tsfs_plan *p = *plan;
    struct plan_terms down = {0}, stay = {0};
    int rc = sift_prefix(arena, terms, p->ncols, &down, &stay);
    if (rc == 0)
        rc = plan_push_terms(arena, &p->input, &down);
    for (uint32_t i = 0; i < p->nmore && rc == 0; i++)
        rc = plan_push_terms(arena, &p->more[i], &down);
    return rc != 0 ? rc : plan_put_filter(arena, plan, &stay);
}

int plan_push_terms(struct tsfs_arena *arena, struct tsfs_plan **plan, const struct plan_terms *terms)
{
    struct tsfs_plan *p = *plan;
    struct plan_terms down = {0}, stay = {0};
    int rc;
    switch (p->kind) {
    case TSFS_PLAN_SCAN: return plan_scan_filter(arena, p, terms->items, terms->n);
    case TSFS_PLAN_VALUES:
    case TSFS_PLAN_SHARED: return plan_put_filter(arena, plan, terms);
    case TSFS_PLAN_FILTER: return push_filter(arena, plan, terms);
    case TSFS_PLAN_JOIN: return plan_push_join(arena, plan, terms);
    case TSFS_PLAN_APPEND: return push_append(arena, plan, terms);
    case TSFS_PLAN_APPLY: rc = sift_prefix(arena, terms, p->input->ncols, &down, &stay); break;
    case TSFS_PLAN_SET:
        rc = plan_push_terms(arena, &p->more[0], &(struct plan_terms){0});
        stay = *terms;
        break;
    case TSFS_PLAN_PROJECT: rc = sift(arena, terms, p->project.exprs, p->ncols, &down, &stay); break;
    case TSFS_PLAN_AGGREGATE:
        rc = sift(arena, terms, p->aggregate.groups, p->aggregate.ngroups, &down, &stay);
        break;
    case TSFS_PLAN_UNNEST:
        rc = sift(arena, terms, p->unnest.through, p->unnest.nthrough, &down, &stay);
        break;
    case TSFS_PLAN_SORT:
        rc = 0;
        *(p->sort.limit == UINT64_MAX ? &down : &stay) = *terms;
        break;
    default:
        rc = 0;
        stay = *terms;
        break;
    }
    if (rc == 0)
        rc = plan_push_terms(arena, &p->input, &down);
    return rc != 0 ? rc : plan_put_filter(arena, plan, &stay);
}
