/* EXPLAIN's lines of joins, set operations, windows and subplans. */
#include <errno.h>

#include "plan/explain_priv.h"

static int explain_join(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    uint32_t mid = plan->input->ncols, end = mid + plan->more[0]->ncols;
    bool cross = plan->join.kind == TSFS_JOIN_INNER && plan->join.nkeys == 0 && plan->join.condition == NULL;
    static const char *const names[] = {"Join",      "Left join", "Right join",
                                        "Full join", "Semi join", "Anti join"};
    int rc = explain_put(out, cross ? "Product" : names[plan->join.kind]);
    if (rc == 0 && plan->join.nkeys > 0)
        rc = explain_put(out, " by hash of ");
    for (uint32_t i = 0; i < plan->join.nkeys && rc == 0; i++) {
        rc = explain_put(out, i > 0 ? ", " : "");
        if (rc == 0)
            rc = explain_expr(out, plan->join.left_keys[i], below, mid);
        if (rc == 0)
            rc = explain_put(out, " = ");
        if (rc == 0)
            rc = explain_expr(out, plan->join.right_keys[i], below + mid, end - mid);
    }
    if (rc == 0 && plan->join.condition != NULL) {
        rc = explain_put(out, " on ");
        if (rc == 0)
            rc = explain_expr(out, plan->join.condition, below, end);
    }
    return rc;
}

static int explain_bound(enum tsfs_frame_bound bound, const struct tsfs_expr *offset,
                         const struct tsfs_str *below, uint32_t n, struct tsfs_buf *out)
{
    int rc = 0;
    if (offset != NULL) {
        rc = explain_expr(out, offset, below, n);
        if (rc == 0)
            rc = explain_put(out, " ");
    }
    static const char *const names[] = {"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING",
                                        "UNBOUNDED FOLLOWING"};
    return rc != 0 ? rc : explain_put(out, names[bound]);
}

static int explain_function(const struct tsfs_plan_window *w, const struct tsfs_str *below, uint32_t n,
                            struct tsfs_buf *out)
{
    int rc = tsfs_buf_printf(out, "%s(%s", w->fn->name, w->distinct ? "DISTINCT " : "");
    if (rc == 0 && w->nargs == 0 && w->fn->op == TSFS_OP_COUNT_ALL)
        rc = explain_put(out, "*");
    for (uint32_t i = 0; i < w->nargs && rc == 0; i++) {
        rc = explain_put(out, i > 0 ? ", " : "");
        if (rc == 0)
            rc = explain_expr(out, w->args[i], below, n);
    }
    if (rc == 0)
        rc = explain_put(out, w->ignore_nulls ? ") IGNORE NULLS" : ")");
    if (rc == 0 && w->filter != NULL) {
        rc = explain_put(out, " FILTER (WHERE ");
        if (rc == 0)
            rc = explain_expr(out, w->filter, below, n);
        if (rc == 0)
            rc = explain_put(out, ")");
    }
    if (w->fn->kind == TSFS_FUNCTION_WINDOW ||
        (w->unit == TSFS_FRAME_RANGE && w->start == TSFS_FRAME_UNBOUNDED_PRECEDING &&
         w->end == TSFS_FRAME_CURRENT))
        return rc;
    static const char *const units[] = {" RANGE ", " ROWS ", " GROUPS "};
    if (rc == 0)
        rc = explain_put(out, units[w->unit]);
    if (rc == 0)
        rc = explain_bound(w->start, w->start_offset, below, n, out);
    if (rc == 0)
        rc = explain_put(out, " TO ");
    return rc != 0 ? rc : explain_bound(w->end, w->end_offset, below, n, out);
}

static int explain_window(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    uint32_t n = plan->input->ncols;
    bool end = false;
    int rc = explain_put(out, "Window ");
    for (uint32_t i = 0; i < plan->window.nfunctions && rc == 0 && !end; i++) {
        rc = explain_list(out, i, plan->window.nfunctions, &end);
        if (rc == 0 && !end)
            rc = explain_function(&plan->window.functions[i], below, n, out);
    }
    if (rc == 0 && plan->window.npartition > 0)
        rc = explain_put(out, " for each ");
    for (uint32_t i = 0; i < plan->window.npartition && rc == 0; i++) {
        rc = explain_put(out, i > 0 ? ", " : "");
        if (rc == 0)
            rc = explain_expr(out, plan->window.partition[i], below, n);
    }
    if (rc == 0 && plan->window.nkeys > 0)
        rc = explain_put(out, " by ");
    return rc != 0 ? rc : explain_keys(out, plan->window.keys, plan->window.nkeys, below, n);
}

static int explain_apply(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    int rc =
        explain_put(out, plan->apply.kind == TSFS_RESULT_EXISTS ? "Subquery exists with " : "Subquery with ");
    for (uint32_t i = 0; i < plan->apply.nparams && rc == 0; i++) {
        rc = tsfs_buf_printf(out, "%s$%u = ", i > 0 ? ", " : "", plan->apply.params[i] + 1);
        if (rc == 0)
            rc = explain_expr(out, plan->apply.args[i], below, plan->input->ncols);
    }
    return rc;
}

int explain_more(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    int rc;
    switch (plan->kind) {
    case TSFS_PLAN_JOIN: return explain_join(plan, below, out);
    case TSFS_PLAN_APPEND: return explain_put(out, "Append");
    case TSFS_PLAN_SET:
        return tsfs_buf_printf(out, "%s%s", plan->set.op == TSFS_SET_INTERSECT ? "Intersect" : "Except",
                               plan->set.all ? " all" : "");
    case TSFS_PLAN_WINDOW: return explain_window(plan, below, out);
    case TSFS_PLAN_APPLY: return explain_apply(plan, below, out);
    case TSFS_PLAN_SHARED:
        rc = explain_put(out, "Read ");
        return rc != 0 ? rc : tsfs_expr_print_name(plan->shared->name, out);
    case TSFS_PLAN_ANALYZE: return explain_put(out, "Analyze");
    default: return 0;
    }
}

int explain_init(const struct tsfs_plan *plan, uint32_t i, struct tsfs_buf *out)
{
    const struct tsfs_plan_init *item = &plan->init.items[i];
    int rc = tsfs_buf_printf(out, "First $%u", item->param + 1);
    for (uint32_t k = 1; k < item->nparams && rc == 0; k++)
        rc = tsfs_buf_printf(out, ", $%u", item->param + k + 1);
    static const char *const kinds[] = {":", ", whether there is a row:", ", all values:"};
    if (rc == 0)
        rc = explain_put(out, kinds[item->kind]);
    return rc != 0 ? rc : explain_put(out, "\n");
}

int explain_own_name(struct tsfs_arena *arena, const struct tsfs_plan *plan, uint32_t i,
                     const struct tsfs_str *below, struct tsfs_str *out)
{
    if (plan->kind == TSFS_PLAN_APPLY) {
        *out = TSFS_STR("subquery");
        return 0;
    }
    struct tsfs_buf text = {0};
    int rc = explain_function(&plan->window.functions[i], below, plan->input->ncols, &text);
    if (rc == 0) {
        *out = tsfs_arena_str(arena, tsfs_buf_str(&text));
        rc = out->ptr == NULL ? -ENOMEM : 0;
    }
    tsfs_buf_free(&text);
    return rc;
}
