/* Params become literals: a plan is copied, what has no param in it is not.  Then constants are folded, and
 * for each scan the time range, the lookups and the rest are drawn anew from its filters, which now say more.
 */
#include <errno.h>

#include "plan/plan_priv.h"

struct substitution {
    struct tsfs_arena *arena;
    const struct tsfs_plan_params *params;
    bool changed; /* some expression is another one now */
};

static bool is_known(const struct substitution *s, uint32_t id)
{
    return id < s->params->n && s->params->known[id];
}

static bool has_known(const struct substitution *s, const struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_OUTER)
        return is_known(s, e->index);
    for (uint32_t i = 0; i < e->nargs; i++)
        if (has_known(s, e->args[i]))
            return true;
    return false;
}

static struct tsfs_expr *replace(struct substitution *s, struct tsfs_expr *e);

static struct tsfs_expr *set_of(struct substitution *s, struct tsfs_expr *e, const struct tsfs_value_set *set)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(s->arena, struct tsfs_expr *, 2);
    struct tsfs_expr *node = TSFS_NEW(s->arena, struct tsfs_expr);
    if (args == NULL || node == NULL || (args[0] = replace(s, e->args[0])) == NULL)
        return NULL;
    *node = *e->args[1];
    node->kind = TSFS_EXPR_SET;
    node->value = (struct tsfs_value){.type = e->args[1]->type, .p = set};
    args[1] = node;
    return tsfs_expr_with_args(s->arena, e, args);
}

/* x IN $list */
static struct tsfs_expr *expand_list(struct substitution *s, struct tsfs_expr *e)
{
    const struct tsfs_plan_list *list = &s->params->lists[e->args[1]->index];
    if (list->n == 0)
        return tsfs_expr_boolean(s->arena, false, e);
    if (list->set != NULL)
        return set_of(s, e, list->set);
    if (list->n >= UINT32_MAX - 1)
        return NULL;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(s->arena, struct tsfs_expr *, list->n + 1);
    struct tsfs_expr *literals = args == NULL ? NULL : TSFS_NEW_ARRAY(s->arena, struct tsfs_expr, list->n);
    if (literals == NULL || (args[0] = replace(s, e->args[0])) == NULL)
        return NULL;
    for (uint64_t i = 0; i < list->n; i++) {
        literals[i] = (struct tsfs_expr){.kind = TSFS_EXPR_LITERAL,
                                         .type = e->args[1]->type,
                                         .line = e->line,
                                         .column = e->column,
                                         .value = list->values[i]};
        literals[i].value.type = e->args[1]->type;
        args[i + 1] = &literals[i];
    }
    struct tsfs_expr *out = tsfs_expr_with_args(s->arena, e, args);
    if (out != NULL)
        out->nargs = (uint32_t)list->n + 1;
    return out;
}

static struct tsfs_expr *fold(struct substitution *s, struct tsfs_expr *e)
{
    if (s->params->fold == NULL || tsfs_expr_unstable(e) || e->nargs == 0 || e->kind == TSFS_EXPR_LAMBDA)
        return e; /* a lambda has no value of its own, whatever its body */
    for (uint32_t i = 0; i < e->nargs; i++)
        if (e->args[i]->kind != TSFS_EXPR_LITERAL)
            return e;
    struct tsfs_value value;
    if (s->params->fold(s->params->ctx, e, s->arena, &value) != 0)
        return e;
    value.type = e->type;
    return tsfs_expr_literal(s->arena, value, e);
}

static struct tsfs_expr *replace(struct substitution *s, struct tsfs_expr *e)
{
    if (!has_known(s, e))
        return e;
    if (e->kind == TSFS_EXPR_OUTER) {
        struct tsfs_value value = s->params->values[e->index];
        value.type = e->type;
        return tsfs_expr_literal(s->arena, value, e);
    }
    if (e->kind == TSFS_EXPR_IN && e->nargs == 2 && e->args[1]->kind == TSFS_EXPR_OUTER &&
        is_known(s, e->args[1]->index) && s->params->is_list[e->args[1]->index]) {
        struct tsfs_expr *in = expand_list(s, e);
        return in == NULL || in->nargs == 0 || in->args[in->nargs - 1]->kind == TSFS_EXPR_SET ||
                       in->nargs > 1000
                   ? in
                   : fold(s, in);
    }
    struct tsfs_expr **args = TSFS_NEW_ARRAY(s->arena, struct tsfs_expr *, e->nargs);
    if (args == NULL)
        return NULL;
    for (uint32_t i = 0; i < e->nargs; i++)
        if ((args[i] = replace(s, e->args[i])) == NULL)
            return NULL;
    struct tsfs_expr *out = tsfs_expr_with_args(s->arena, e, args);
    return out == NULL ? NULL : fold(s, out);
}

/* ---- expressions of a node: its lists are made anew ---- */

static int replace_one(struct substitution *s, struct tsfs_expr **e)
{
    if (*e == NULL)
        return 0;
    struct tsfs_expr *to = replace(s, *e);
    if (to == NULL)
        return -ENOMEM;
    s->changed |= to != *e;
    *e = to;
    return 0;
}

static int replace_list(struct substitution *s, struct tsfs_expr ***list, uint32_t n)
{
    struct tsfs_expr **out = TSFS_NEW_ARRAY(s->arena, struct tsfs_expr *, n);
    int rc = out == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        out[i] = (*list)[i];
        rc = replace_one(s, &out[i]);
    }
    *list = out;
    return rc;
}

static int replace_keys(struct substitution *s, struct tsfs_plan_key **keys, uint32_t n)
{
    struct tsfs_plan_key *out = TSFS_NEW_ARRAY(s->arena, struct tsfs_plan_key, n);
    int rc = out == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        out[i] = (*keys)[i];
        rc = replace_one(s, &out[i].expr);
    }
    *keys = out;
    return rc;
}

static int replace_aggregates(struct substitution *s, struct tsfs_plan *plan)
{
    uint32_t n = plan->aggregate.naggs;
    struct tsfs_plan_aggregate *aggs = TSFS_NEW_ARRAY(s->arena, struct tsfs_plan_aggregate, n);
    int rc = aggs == NULL ? -ENOMEM : replace_list(s, &plan->aggregate.groups, plan->aggregate.ngroups);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        aggs[i] = plan->aggregate.aggs[i];
        rc = replace_list(s, &aggs[i].args, aggs[i].nargs);
        if (rc == 0)
            rc = replace_one(s, &aggs[i].filter);
    }
    plan->aggregate.aggs = aggs;
    return rc;
}

static int replace_windows(struct substitution *s, struct tsfs_plan *plan)
{
    uint32_t n = plan->window.nfunctions;
    struct tsfs_plan_window *functions = TSFS_NEW_ARRAY(s->arena, struct tsfs_plan_window, n);
    int rc = functions == NULL ? -ENOMEM : replace_list(s, &plan->window.partition, plan->window.npartition);
    if (rc == 0)
        rc = replace_keys(s, &plan->window.keys, plan->window.nkeys);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        functions[i] = plan->window.functions[i];
        rc = replace_list(s, &functions[i].args, functions[i].nargs);
        if (rc == 0)
            rc = replace_one(s, &functions[i].filter);
        if (rc == 0)
            rc = replace_one(s, &functions[i].start_offset);
        if (rc == 0)
            rc = replace_one(s, &functions[i].end_offset);
    }
    plan->window.functions = functions;
    return rc;
}

static int replace_node(struct substitution *s, struct tsfs_plan *plan)
{
    int rc = 0;
    switch (plan->kind) {
    case TSFS_PLAN_SCAN:
        rc = replace_one(s, &plan->scan.series_filter);
        return rc != 0 ? rc : replace_one(s, &plan->scan.row_filter);
    case TSFS_PLAN_FILTER: return replace_one(s, &plan->filter.predicate);
    case TSFS_PLAN_PROJECT: return replace_list(s, &plan->project.exprs, plan->ncols);
    case TSFS_PLAN_AGGREGATE: return replace_aggregates(s, plan);
    case TSFS_PLAN_SORT: return replace_keys(s, &plan->sort.keys, plan->sort.nkeys);
    case TSFS_PLAN_JOIN:
        rc = replace_list(s, &plan->join.left_keys, plan->join.nkeys);
        if (rc == 0)
            rc = replace_list(s, &plan->join.right_keys, plan->join.nkeys);
        return rc != 0 ? rc : replace_one(s, &plan->join.condition);
    case TSFS_PLAN_WINDOW: return replace_windows(s, plan);
    case TSFS_PLAN_APPLY: return replace_list(s, &plan->apply.args, plan->apply.nparams);
    case TSFS_PLAN_UNNEST:
        rc = replace_list(s, &plan->unnest.exprs, plan->unnest.nexprs);
        return rc != 0 ? rc : replace_list(s, &plan->unnest.through, plan->unnest.nthrough);
    case TSFS_PLAN_VALUES:
    case TSFS_PLAN_LIMIT:
    case TSFS_PLAN_APPEND:
    case TSFS_PLAN_SET:
    case TSFS_PLAN_INIT:
    case TSFS_PLAN_SHARED:
    case TSFS_PLAN_ANALYZE: return 0;
    }
    return rc;
}

/* ---- the plan ---- */

/* The scan's conditions, once more. */
static int redraw(struct tsfs_arena *arena, struct tsfs_plan *plan)
{
    struct tsfs_plan_scan *scan = &plan->scan;
    struct plan_terms series, rows;
    int rc = plan_split(arena, scan->series_filter, &series);
    if (rc == 0)
        rc = plan_split(arena, scan->row_filter, &rows);
    if (rc != 0)
        return rc;
    struct plan_terms all = {.items = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, series.n + rows.n)};
    if (all.items == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < series.n; i++)
        all.items[all.n++] = series.items[i];
    for (uint32_t i = 0; i < rows.n; i++)
        all.items[all.n++] = rows.items[i];
    scan->dim_in = NULL;
    scan->n_dim_in = 0;
    scan->n_ranges = 0;
    return plan_scan_filter(arena, plan, all.items, all.n);
}

int tsfs_plan_substitute(struct tsfs_arena *arena, struct tsfs_plan *plan,
                         const struct tsfs_plan_params *params, struct tsfs_plan **out)
{
    struct substitution s = {.arena = arena, .params = params};
    struct tsfs_plan *copy = TSFS_NEW(arena, struct tsfs_plan);
    int rc = 0;
    if (copy == NULL)
        return -ENOMEM;
    *copy = *plan;
    copy->origin = plan->origin != NULL ? plan->origin : plan;
    if (plan->input != NULL)
        rc = tsfs_plan_substitute(arena, plan->input, params, &copy->input);
    if (rc == 0 && plan->nmore > 0) {
        copy->more = TSFS_NEW_ARRAY(arena, struct tsfs_plan *, plan->nmore);
        if (copy->more == NULL)
            return -ENOMEM;
        for (uint32_t i = 0; i < plan->nmore && rc == 0; i++)
            rc = tsfs_plan_substitute(arena, plan->more[i], params, &copy->more[i]);
    }
    if (rc != 0)
        return rc;
    bool same = copy->input == plan->input;
    for (uint32_t i = 0; i < plan->nmore; i++)
        same &= copy->more[i] == plan->more[i];
    struct tsfs_expr *series = plan->kind == TSFS_PLAN_SCAN ? plan->scan.series_filter : NULL;
    struct tsfs_expr *rows = plan->kind == TSFS_PLAN_SCAN ? plan->scan.row_filter : NULL;
    if ((rc = replace_node(&s, copy)) != 0)
        return rc;
    if (plan->kind == TSFS_PLAN_SCAN && (copy->scan.series_filter != series || copy->scan.row_filter != rows))
        rc = redraw(arena, copy);
    *out = same && !s.changed ? plan : copy;
    return rc;
}
