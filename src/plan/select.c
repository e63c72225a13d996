/* From a bound SELECT to operators, as written:
 *
 *     LIMIT? SORT? over  FROM - WHERE - AGGREGATE? - HAVING - WINDOW*  below  PROJECT
 *
 * ORDER BY sorts before the SELECT list is computed: its keys are expressions over the same input, and what a
 * top-n throws away is never projected.  The exceptions sort above the projection: DISTINCT, and keys whose
 * value would differ if it were computed again (random()).
 *
 * A subquery that depends on the row puts columns behind those that its place expects; the projection at the
 * top drops them.  Grouping sets are a union of groupings, each over FROM and WHERE of its own. */
#include <errno.h>

#include "plan/plan_priv.h"

static void name_columns(struct tsfs_plan *plan, const struct tsfs_bound *rel)
{
    for (uint32_t i = 0; i < rel->ncols; i++)
        plan->cols[i] = (struct tsfs_plan_column){rel->cols[i].name, rel->cols[i].type};
}

struct tsfs_plan *plan_first_columns(struct plan_builder *b, struct tsfs_plan *input, uint32_t n,
                                     const struct tsfs_bound *rel)
{
    if (input == NULL || (input->ncols == n && rel == NULL))
        return input;
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_PROJECT, input, n);
    if (plan == NULL || (plan->project.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, n)) == NULL)
        return plan_fail(b, -ENOMEM);
    if (n > 0)
        memcpy(plan->cols, input->cols, n * sizeof(*plan->cols));
    if (rel != NULL)
        name_columns(plan, rel);
    for (uint32_t i = 0; i < n; i++)
        if ((plan->project.exprs[i] = tsfs_expr_column(b->arena, i, input->cols[i].type, NULL)) == NULL)
            return plan_fail(b, -ENOMEM);
    return plan;
}

struct tsfs_plan *plan_filter(struct plan_builder *b, struct tsfs_plan *input, struct tsfs_expr *predicate)
{
    struct tsfs_plan *plan = input == NULL ? NULL : plan_over(b->arena, TSFS_PLAN_FILTER, input);
    if (plan == NULL)
        return input == NULL ? NULL : plan_fail(b, -ENOMEM);
    plan->filter.predicate = predicate;
    return plan;
}

/* WHERE or HAVING: terms without subqueries first, so that fewer rows meet the others. */
static struct tsfs_plan *build_filter(struct plan_builder *b, struct tsfs_plan *input,
                                      struct tsfs_expr *predicate)
{
    struct plan_terms all;
    if (input == NULL || predicate == NULL)
        return input;
    if (!plan_has_subquery(predicate, true)) {
        predicate = plan_lower(b, &input, predicate);
        return predicate == NULL ? NULL : plan_filter(b, input, predicate);
    }
    if (plan_split(b->arena, predicate, &all) != 0)
        return plan_fail(b, -ENOMEM);
    struct plan_terms plain = {.items = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, all.n)}, rest = plain;
    rest.items = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, all.n);
    if (plain.items == NULL || rest.items == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < all.n; i++) {
        struct tsfs_expr *e = all.items[i];
        bool dependent = plan_has_subquery(e, true);
        if (dependent || (rest.n > 0 && tsfs_expr_can_fail(e)))
            rest.items[rest.n++] = e;
        else if ((plain.items[plain.n] = plan_lower(b, &input, e)) == NULL)
            return NULL;
        else
            plain.n++;
    }
    if (plan_put_filter(b->arena, &input, &plain) != 0)
        return plan_fail(b, -ENOMEM);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rest.n; i++) {
        bool done;
        if (!plan_lower_term(b, &input, rest.items[i], &done))
            return NULL;
        if (!done)
            rest.items[kept++] = rest.items[i];
    }
    rest.n = kept;
    for (uint32_t i = 0; i < rest.n; i++)
        if ((rest.items[i] = plan_lower(b, &input, rest.items[i])) == NULL)
            return NULL;
    if (plan_put_filter(b->arena, &input, &rest) != 0)
        return plan_fail(b, -ENOMEM);
    return input;
}

static struct tsfs_expr **lower_all(struct plan_builder *b, struct tsfs_plan **input,
                                    struct tsfs_expr *const *exprs, uint32_t n)
{
    struct tsfs_expr **out = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, n);
    if (out == NULL)
        return (plan_fail(b, -ENOMEM), NULL);
    for (uint32_t i = 0; i < n; i++)
        if ((out[i] = plan_lower(b, input, exprs[i])) == NULL)
            return NULL;
    return out;
}

static enum tsfs_type result_type(const struct tsfs_bound_aggregate *a)
{
    return tsfs_function_result(a->fn, a->args, a->nargs - a->norder);
}

/* Grouping by the groups of `has` (NULL = all). */
static struct tsfs_plan *build_aggregate(struct plan_builder *b, struct tsfs_plan *input,
                                         const struct tsfs_bound *rel, const bool *has)
{
    uint32_t n = 0, naggs = rel->select.naggs;
    struct tsfs_expr **groups =
        input == NULL ? NULL : TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, rel->select.ngroups);
    if (input == NULL || groups == NULL)
        return input == NULL ? NULL : plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < rel->select.ngroups; i++)
        if (has == NULL || has[i])
            groups[n++] = rel->select.groups[i];
    groups = lower_all(b, &input, groups, n);
    struct tsfs_plan_aggregate *aggs = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_aggregate, naggs);
    if (groups == NULL || aggs == NULL)
        return groups == NULL ? NULL : plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < naggs; i++) {
        const struct tsfs_bound_aggregate *a = &rel->select.aggs[i];
        struct tsfs_expr **args = lower_all(b, &input, a->args, a->nargs);
        struct tsfs_expr *filter = a->filter;
        if (args == NULL || (filter != NULL && (filter = plan_lower(b, &input, filter)) == NULL))
            return NULL;
        aggs[i] = (struct tsfs_plan_aggregate){.fn = a->fn,
                                               .args = args,
                                               .nargs = a->nargs,
                                               .norder = a->norder,
                                               .order = a->order,
                                               .distinct = a->distinct,
                                               .filter = filter,
                                               .line = a->line,
                                               .column = a->column};
    }
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_AGGREGATE, input, n + naggs);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    plan->aggregate.groups = groups;
    plan->aggregate.ngroups = n;
    plan->aggregate.aggs = aggs;
    plan->aggregate.naggs = naggs;
    for (uint32_t i = 0; i < n; i++) {
        plan->cols[i].type = groups[i]->type;
        plan->cols[i].name =
            groups[i]->kind == TSFS_EXPR_COLUMN ? input->cols[groups[i]->index].name : TSFS_STR("");
    }
    for (uint32_t i = 0; i < naggs; i++)
        plan->cols[n + i] = (struct tsfs_plan_column){TSFS_STR(""), result_type(&rel->select.aggs[i])};
    return plan;
}

static struct tsfs_plan *build_from(struct plan_builder *b, const struct tsfs_bound *rel)
{
    struct tsfs_plan *plan;
    if (rel->select.from != NULL) {
        plan = plan_build_rel(b, rel->select.from,
                              !rel->select.aggregated && !rel->select.distinct && rel->select.nkeys == 0);
    } else {
        plan = plan_new(b->arena, TSFS_PLAN_VALUES, NULL, 0);
        if (plan == NULL)
            return plan_fail(b, -ENOMEM);
        plan->values.nrows = 1;
    }
    return build_filter(b, plan, rel->select.where);
}

/* Groups (NULL where the set has them not), aggregates, GROUPING()s of one grouping set. */
static struct tsfs_plan *build_set(struct plan_builder *b, const struct tsfs_bound *rel, const bool *has)
{
    struct tsfs_plan *input = build_aggregate(b, build_from(b, rel), rel, has);
    uint32_t ngroups = rel->select.ngroups, naggs = rel->select.naggs,
             n = ngroups + naggs + rel->select.ngroupings;
    struct tsfs_plan *plan = input == NULL ? NULL : plan_new(b->arena, TSFS_PLAN_PROJECT, input, n);
    if (plan == NULL || (plan->project.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, n)) == NULL)
        return input == NULL ? NULL : plan_fail(b, -ENOMEM);
    uint32_t at = 0, member = 0;
    for (uint32_t i = 0; i < ngroups; i++, at++) {
        const struct tsfs_expr *g = rel->select.groups[i];
        struct tsfs_value null = {.type = g->type, .null = true};
        if (has == NULL || has[i]) {
            plan->cols[at] = input->cols[member];
            plan->project.exprs[at] = tsfs_expr_column(b->arena, member++, g->type, g);
        } else {
            plan->cols[at] = (struct tsfs_plan_column){TSFS_STR(""), g->type};
            plan->project.exprs[at] = tsfs_expr_literal(b->arena, null, g);
        }
    }
    for (uint32_t i = 0; i < naggs; i++, at++) {
        plan->cols[at] = input->cols[member + i];
        plan->project.exprs[at] = tsfs_expr_column(b->arena, member + i, plan->cols[at].type, NULL);
    }
    for (uint32_t i = 0; i < rel->select.ngroupings; i++, at++) {
        const struct tsfs_bound_groupings *g = &rel->select.groupings[i];
        struct tsfs_value bits = {.type = TSFS_BIGINT};
        for (uint32_t k = 0; k < g->n; k++)
            bits.i = bits.i * 2 + (has != NULL && !has[g->groups[k]]);
        plan->cols[at] = (struct tsfs_plan_column){TSFS_STR(""), TSFS_BIGINT};
        plan->project.exprs[at] = tsfs_expr_literal(b->arena, bits, NULL);
    }
    for (uint32_t i = 0; i < n; i++)
        if (plan->project.exprs[i] == NULL)
            return plan_fail(b, -ENOMEM);
    return plan;
}

static struct tsfs_plan *build_sets(struct plan_builder *b, const struct tsfs_bound *rel)
{
    if (rel->select.nsets == 0)
        return rel->select.ngroupings == 0 ? build_aggregate(b, build_from(b, rel), rel, NULL)
                                           : build_set(b, rel, NULL);
    struct tsfs_plan **inputs = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan *, rel->select.nsets);
    if (inputs == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < rel->select.nsets; i++)
        if (!plan_counted(b) || (inputs[i] = build_set(b, rel, rel->select.sets[i].has)) == NULL)
            return NULL;
    struct tsfs_plan *plan =
        rel->select.nsets == 1 ? inputs[0] : plan_over(b->arena, TSFS_PLAN_APPEND, inputs[0]);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    if (rel->select.nsets > 1) {
        plan->more = inputs + 1;
        plan->nmore = rel->select.nsets - 1;
    }
    return plan;
}

/* SELECT DISTINCT: a grouping by all columns. */
static struct tsfs_plan *build_distinct(struct plan_builder *b, struct tsfs_plan *input)
{
    struct tsfs_plan *plan = plan_over(b->arena, TSFS_PLAN_AGGREGATE, input);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    plan->aggregate.ngroups = input->ncols;
    plan->aggregate.groups = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, input->ncols);
    if (plan->aggregate.groups == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < input->ncols; i++) {
        plan->aggregate.groups[i] = tsfs_expr_column(b->arena, i, input->cols[i].type, NULL);
        if (plan->aggregate.groups[i] == NULL)
            return plan_fail(b, -ENOMEM);
    }
    return plan;
}

/* ---- windows ---- */

static bool same_window(const struct tsfs_bound_window *a, const struct tsfs_bound_window *c)
{
    if (a->npartition != c->npartition || a->nkeys != c->nkeys)
        return false;
    for (uint32_t i = 0; i < a->npartition; i++)
        if (!tsfs_expr_equal(a->partition[i], c->partition[i]))
            return false;
    for (uint32_t i = 0; i < a->nkeys; i++)
        if (!tsfs_expr_equal(a->keys[i].expr, c->keys[i].expr) ||
            a->keys[i].descending != c->keys[i].descending ||
            a->keys[i].nulls_first != c->keys[i].nulls_first)
            return false;
    return true;
}

static bool build_function(struct plan_builder *b, struct tsfs_plan **input,
                           const struct tsfs_bound_window *w, struct tsfs_plan_window *out)
{
    *out = (struct tsfs_plan_window){.fn = w->fn,
                                     .args = lower_all(b, input, w->args, w->nargs),
                                     .nargs = w->nargs,
                                     .type = w->type,
                                     .distinct = w->distinct,
                                     .ignore_nulls = w->ignore_nulls,
                                     .filter = w->filter,
                                     .unit = w->unit,
                                     .start = w->start,
                                     .end = w->end,
                                     .start_offset = w->start_offset,
                                     .end_offset = w->end_offset,
                                     .line = w->line,
                                     .column = w->column};
    return out->args != NULL &&
           (out->filter == NULL || (out->filter = plan_lower(b, input, out->filter)) != NULL) &&
           (out->start_offset == NULL ||
            (out->start_offset = plan_lower(b, input, out->start_offset)) != NULL) &&
           (out->end_offset == NULL || (out->end_offset = plan_lower(b, input, out->end_offset)) != NULL);
}

/* The base columns and then those at place[0..n), as they are if that is how they stand. */
static struct tsfs_plan *put_in_order(struct plan_builder *b, struct tsfs_plan *input, uint32_t base,
                                      const uint32_t *place, uint32_t n)
{
    bool straight = input->ncols == base + n;
    for (uint32_t i = 0; i < n && straight; i++)
        straight = place[i] == base + i;
    if (straight)
        return input;
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_PROJECT, input, base + n);
    if (plan == NULL ||
        (plan->project.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, base + n)) == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < base + n; i++) {
        uint32_t from = i < base ? i : place[i - base];
        plan->cols[i] = input->cols[from];
        if ((plan->project.exprs[i] = tsfs_expr_column(b->arena, from, plan->cols[i].type, NULL)) == NULL)
            return plan_fail(b, -ENOMEM);
    }
    return plan;
}

/* One WINDOW for each way of sorting; the results end up in the order of the SELECT's windows. */
static struct tsfs_plan *build_windows(struct plan_builder *b, struct tsfs_plan *input,
                                       const struct tsfs_bound *rel)
{
    uint32_t n = rel->select.nwindows, base;
    if (input == NULL || n == 0)
        return input;
    base = rel->select.aggregated     ? rel->select.ngroups + rel->select.naggs + rel->select.ngroupings
           : rel->select.from != NULL ? rel->select.from->ncols
                                      : 0;
    uint32_t *place = TSFS_NEW_ARRAY(b->arena, uint32_t, n); /* the column of each */
    bool *taken = TSFS_NEW_ARRAY(b->arena, bool, n);
    if (place == NULL || taken == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < n; i++) {
        const struct tsfs_bound_window *first = &rel->select.windows[i];
        if (taken[i])
            continue;
        struct tsfs_plan_window *functions = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_window, n - i);
        struct tsfs_plan_key *keys = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_key, first->nkeys);
        struct tsfs_expr **partition = lower_all(b, &input, first->partition, first->npartition);
        uint32_t nfunctions = 0;
        if (functions == NULL || keys == NULL || partition == NULL)
            return b->rc != 0 ? NULL : plan_fail(b, -ENOMEM);
        for (uint32_t k = 0; k < first->nkeys; k++) {
            const struct tsfs_bound_key *key = &first->keys[k];
            struct tsfs_expr *e = plan_lower(b, &input, key->expr);
            if (e == NULL)
                return NULL;
            keys[k] = (struct tsfs_plan_key){e, key->descending, key->nulls_first};
        }
        for (uint32_t k = i; k < n; k++) {
            if (taken[k] || !same_window(first, &rel->select.windows[k]))
                continue;
            taken[k] = true;
            place[k] = nfunctions;
            if (!build_function(b, &input, &rel->select.windows[k], &functions[nfunctions++]))
                return NULL;
        }
        uint32_t below = input->ncols;
        struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_WINDOW, input, below + nfunctions);
        if (plan == NULL)
            return plan_fail(b, -ENOMEM);
        memcpy(plan->cols, input->cols, below * sizeof(*plan->cols));
        for (uint32_t k = 0; k < nfunctions; k++)
            plan->cols[below + k] = (struct tsfs_plan_column){TSFS_STR(""), functions[k].type};
        plan->window.partition = partition;
        plan->window.npartition = first->npartition;
        plan->window.keys = keys;
        plan->window.nkeys = first->nkeys;
        plan->window.functions = functions;
        plan->window.nfunctions = nfunctions;
        for (uint32_t k = i; k < n; k++)
            if (taken[k] && same_window(first, &rel->select.windows[k]))
                place[k] += below;
        input = plan;
    }
    return put_in_order(b, input, base, place, n);
}

/* ---- order and limit ---- */

/* With ties the sort ends the rows, and what is above it leaves out the first ones. */
static struct tsfs_plan *build_limit(struct plan_builder *b, struct tsfs_plan *input,
                                     const struct tsfs_bound *rel, bool sorted)
{
    bool ties = rel->select.ties && rel->select.limit > 0;
    uint64_t limit = ties ? UINT64_MAX : rel->select.limit, end;
    if (input != NULL && ties && sorted &&
        !__builtin_add_overflow(rel->select.limit, rel->select.offset, &end)) {
        input->sort.limit = end;
        input->sort.ties = true;
    }
    if (input == NULL || (limit == UINT64_MAX && rel->select.offset == 0))
        return input;
    struct tsfs_plan *plan = plan_over(b->arena, TSFS_PLAN_LIMIT, input);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    plan->limit.limit = limit;
    plan->limit.offset = rel->select.offset;
    return plan;
}

/* Keys that do not vary are left out; none left, no sort. */
static struct tsfs_plan *sort_over(struct plan_builder *b, struct tsfs_plan *input,
                                   const struct tsfs_plan_key *keys, uint32_t nkeys)
{
    struct tsfs_plan_key *used = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_key, nkeys);
    uint32_t n = 0;
    if (input == NULL || used == NULL)
        return input == NULL ? NULL : plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < nkeys; i++)
        if (!tsfs_expr_is_literal(keys[i].expr) && keys[i].expr->kind != TSFS_EXPR_OUTER)
            used[n++] = keys[i];
    if (n == 0)
        return input;
    struct tsfs_plan *plan = plan_over(b->arena, TSFS_PLAN_SORT, input);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    plan->sort.keys = used;
    plan->sort.nkeys = n;
    plan->sort.limit = UINT64_MAX;
    return plan;
}

/* The SELECT list, and after it the sort keys that are no part of it. */
static struct tsfs_plan *build_project(struct plan_builder *b, struct tsfs_plan *input,
                                       const struct tsfs_bound *rel, bool hidden)
{
    uint32_t extra = 0;
    if (input == NULL)
        return NULL;
    for (uint32_t i = 0; hidden && i < rel->select.nkeys; i++)
        extra += rel->select.keys[i].item == TSFS_BOUND_NO_ITEM;
    struct tsfs_expr **exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, rel->ncols + extra);
    if (exprs == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < rel->ncols; i++)
        if ((exprs[i] = plan_lower(b, &input, rel->select.exprs[i])) == NULL)
            return NULL;
    for (uint32_t i = 0, at = rel->ncols; hidden && i < rel->select.nkeys; i++)
        if (rel->select.keys[i].item == TSFS_BOUND_NO_ITEM &&
            (exprs[at++] = plan_lower(b, &input, rel->select.keys[i].expr)) == NULL)
            return NULL;
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_PROJECT, input, rel->ncols + extra);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    plan->project.exprs = exprs;
    name_columns(plan, rel);
    for (uint32_t i = rel->ncols; i < plan->ncols; i++)
        plan->cols[i] = (struct tsfs_plan_column){TSFS_STR(""), exprs[i]->type};
    return plan;
}

/* Projection, then DISTINCT, then the sort by columns of the result. */
static struct tsfs_plan *build_sort_above(struct plan_builder *b, struct tsfs_plan *input,
                                          const struct tsfs_bound *rel)
{
    bool hidden = !rel->select.distinct;
    struct tsfs_plan *plan = build_project(b, input, rel, hidden);
    if (plan != NULL && rel->select.distinct)
        plan = build_distinct(b, plan);
    struct tsfs_plan_key *keys = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_key, rel->select.nkeys);
    if (plan == NULL || keys == NULL)
        return plan == NULL ? NULL : plan_fail(b, -ENOMEM);
    for (uint32_t i = 0, at = rel->ncols; i < rel->select.nkeys; i++) {
        const struct tsfs_bound_key *key = &rel->select.keys[i];
        uint32_t column = key->item != TSFS_BOUND_NO_ITEM ? key->item : at++;
        struct tsfs_expr *e = key->expr;
        if (!tsfs_expr_is_literal(e))
            e = tsfs_expr_column(b->arena, column, key->expr->type, key->expr);
        if (e == NULL)
            return plan_fail(b, -ENOMEM);
        keys[i] = (struct tsfs_plan_key){e, key->descending, key->nulls_first};
    }
    struct tsfs_plan *below = plan;
    plan = sort_over(b, plan, keys, rel->select.nkeys);
    plan = build_limit(b, plan, rel, plan != below);
    return plan == NULL || plan->ncols == rel->ncols ? plan : plan_first_columns(b, plan, rel->ncols, rel);
}

struct tsfs_plan *plan_build_select(struct plan_builder *b, const struct tsfs_bound *rel, bool order_matters)
{
    bool cut = rel->select.limit != UINT64_MAX || rel->select.offset > 0;
    bool sorted = rel->select.nkeys > 0 && (order_matters || cut);
    bool above = rel->select.distinct;
    struct tsfs_plan *plan = rel->select.aggregated ? build_sets(b, rel) : build_from(b, rel);
    plan = build_windows(b, build_filter(b, plan, rel->select.having), rel);
    if (plan == NULL)
        return NULL;
    for (uint32_t i = 0; sorted && i < rel->select.nkeys; i++) {
        const struct tsfs_bound_key *key = &rel->select.keys[i];
        above |= key->item != TSFS_BOUND_NO_ITEM &&
                 (tsfs_expr_unstable(key->expr) || plan_has_subquery(key->expr, true));
    }
    if (above)
        return build_sort_above(b, plan, rel);
    if (sorted) {
        struct tsfs_plan_key *keys = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_key, rel->select.nkeys);
        if (keys == NULL)
            return plan_fail(b, -ENOMEM);
        for (uint32_t i = 0; i < rel->select.nkeys; i++) {
            const struct tsfs_bound_key *key = &rel->select.keys[i];
            struct tsfs_expr *e = plan_lower(b, &plan, key->expr);
            if (e == NULL)
                return NULL;
            keys[i] = (struct tsfs_plan_key){e, key->descending, key->nulls_first};
        }
        struct tsfs_plan *below = plan;
        plan = sort_over(b, plan, keys, rel->select.nkeys);
        return build_project(b, build_limit(b, plan, rel, plan != below), rel, false);
    }
    return build_project(b, build_limit(b, plan, rel, false), rel, false);
}
