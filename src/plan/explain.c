/* EXPLAIN's text.  One operator a line, its input indented below it; names of columns are those of what
 * delivers them, so that "avg(temp)" can be followed from the line that computes it up to the line that sorts
 * by it. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "base/time.h"
#include "plan/plan_priv.h"

#define SHOWN_COLUMNS 64 /* of one list; "... n more" after them */
#define NAME_LONGEST  80 /* bytes of an expression that serves as a column's name further up */

static int put(struct tsfs_buf *out, const char *text)
{
    return tsfs_buf_append(out, text, strlen(text));
}

static int put_expr(struct tsfs_buf *out, const struct tsfs_expr *e, const struct tsfs_str *names, uint32_t n)
{
    return tsfs_expr_print(e, names, n, out);
}

static int put_aggregate(struct tsfs_buf *out, const struct tsfs_plan_aggregate *a,
                         const struct tsfs_str *names, uint32_t n)
{
    int rc = tsfs_buf_printf(out, "%s(%s", a->fn->name, a->distinct ? "DISTINCT " : "");
    if (rc == 0 && a->nargs == 0 && a->fn->op == TSFS_OP_COUNT_ALL)
        rc = put(out, "*");
    for (uint32_t i = 0, own = a->nargs - a->norder; i < a->nargs && rc == 0; i++) {
        rc = put(out, i == own ? " ORDER BY " : i > 0 ? ", " : "");
        if (rc == 0)
            rc = put_expr(out, a->args[i], names, n);
        if (rc == 0 && i >= own && a->order[i - own].descending)
            rc = put(out, " DESC");
        if (rc == 0 && i >= own && a->order[i - own].nulls_first)
            rc = put(out, " NULLS FIRST");
    }
    if (rc == 0)
        rc = put(out, ")");
    if (rc == 0 && a->filter != NULL) {
        rc = put(out, " FILTER (WHERE ");
        if (rc == 0)
            rc = put_expr(out, a->filter, names, n);
        if (rc == 0)
            rc = put(out, ")");
    }
    return rc;
}

/* What column i of a plan is called in the lines above it. */
static int column_name(struct tsfs_arena *arena, const struct tsfs_plan *plan, uint32_t i,
                       const struct tsfs_str *below, struct tsfs_str *out)
{
    struct tsfs_buf text = {0};
    int rc = 0;
    if (plan->kind == TSFS_PLAN_AGGREGATE) {
        uint32_t n = plan->input->ncols, ngroups = plan->aggregate.ngroups;
        if (i < ngroups && plan->aggregate.groups[i]->kind == TSFS_EXPR_COLUMN) {
            *out = below[plan->aggregate.groups[i]->index];
            return 0;
        }
        if (i < ngroups)
            rc = put_expr(&text, plan->aggregate.groups[i], below, n);
        else
            rc = put_aggregate(&text, &plan->aggregate.aggs[i - ngroups], below, n);
    } else if (plan->kind == TSFS_PLAN_UNNEST && i < plan->unnest.nthrough) {
        *out = below[plan->unnest.through[i]->index];
        return 0;
    } else if (plan->kind == TSFS_PLAN_SCAN) {
        *out = plan->scan.table.schema->cols[plan->scan.ordinals[i]].name;
        return 0;
    } else if (plan->cols[i].name.len > 0 || plan->kind != TSFS_PLAN_PROJECT) {
        *out = plan->cols[i].name;
        return 0;
    } else {
        rc = put_expr(&text, plan->project.exprs[i], below, plan->input->ncols);
    }
    if (rc == 0) {
        struct tsfs_str s = tsfs_buf_str(&text);
        if (s.len > NAME_LONGEST) {
            s.len = NAME_LONGEST;
            while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
                s.len--;
        }
        *out = tsfs_arena_str(arena, s);
        rc = out->ptr == NULL ? -ENOMEM : 0;
    }
    tsfs_buf_free(&text);
    return rc;
}

static int list_more(struct tsfs_buf *out, uint32_t i, uint32_t n, bool *end)
{
    *end = i == SHOWN_COLUMNS && n - i > 1;
    if (*end)
        return tsfs_buf_printf(out, ", ... %u more", n - i);
    return i > 0 ? put(out, ", ") : 0;
}

static int put_time(struct tsfs_buf *out, int64_t ns)
{
    char text[TSFS_TIME_TEXT_MAX];
    return tsfs_buf_append(out, text, tsfs_time_format(ns, text));
}

static int explain_range(const struct tsfs_plan_scan *scan, struct tsfs_buf *out)
{
    int rc = 0;
    if (scan->time_min == INT64_MIN && scan->time_max == INT64_MAX)
        return 0;
    rc = put(out, " time=[");
    if (rc == 0)
        rc = scan->time_min == INT64_MIN ? put(out, "-") : put_time(out, scan->time_min);
    if (rc == 0)
        rc = put(out, " .. ");
    if (rc == 0)
        rc = scan->time_max == INT64_MAX ? put(out, "-") : put_time(out, scan->time_max);
    return rc != 0 ? rc : put(out, "]");
}

static int put_double(struct tsfs_buf *out, double v)
{
    char text[TSFS_NUM_TEXT_MAX];
    return isinf(v) ? put(out, "-") : tsfs_buf_append(out, text, tsfs_num_format_double(v, text));
}

static int put_bigint(struct tsfs_buf *out, int64_t v)
{
    if (v == INT64_MIN || v == INT64_MAX)
        return put(out, "-");
    return tsfs_buf_printf(out, "%" PRId64, v);
}

/* The necessary conditions: what lookups and skipping go by. */
static int explain_needs(const struct tsfs_plan_scan *scan, struct tsfs_buf *out)
{
    const struct tsfs_column *cols = scan->table.schema->cols;
    int rc = 0;
    for (uint32_t i = 0; i < scan->n_dim_in && rc == 0; i++) {
        const struct tsfs_dim_in *in = &scan->dim_in[i];
        rc = put(out, i == 0 ? " lookup=[" : ", ");
        if (rc == 0)
            rc = tsfs_expr_print_name(cols[in->ordinal].name, out);
        if (rc == 0)
            rc = tsfs_buf_printf(out, ": %u value%s", in->n, in->n == 1 ? "" : "s");
    }
    if (rc == 0 && scan->n_dim_in > 0)
        rc = put(out, "]");
    for (uint32_t i = 0; i < scan->n_ranges && rc == 0; i++) {
        const struct tsfs_measure_range *r = &scan->ranges[i];
        bool is_double = cols[r->ordinal].type == TSFS_DOUBLE;
        rc = put(out, i == 0 ? " skip=[" : ", ");
        if (rc == 0)
            rc = tsfs_expr_print_name(cols[r->ordinal].name, out);
        if (rc == 0)
            rc = put(out, " not in ");
        if (rc == 0)
            rc = is_double ? put_double(out, r->lo) : put_bigint(out, r->ilo);
        if (rc == 0)
            rc = put(out, " .. ");
        if (rc == 0)
            rc = is_double ? put_double(out, r->hi) : put_bigint(out, r->ihi);
    }
    return rc == 0 && scan->n_ranges > 0 ? put(out, "]") : rc;
}

static int explain_scan(const struct tsfs_plan *plan, const struct tsfs_str *names, struct tsfs_buf *out)
{
    const struct tsfs_plan_scan *scan = &plan->scan;
    bool end = false;
    int rc = put(out, "Scan ");
    if (rc == 0)
        rc = tsfs_expr_print_name(scan->table.database, out);
    if (rc == 0)
        rc = put(out, ".");
    if (rc == 0)
        rc = tsfs_expr_print_name(scan->table.name, out);
    if (rc == 0)
        rc = put(out, " columns=[");
    for (uint32_t i = 0; i < plan->ncols && rc == 0 && !end; i++) {
        rc = list_more(out, i, plan->ncols, &end);
        if (rc == 0 && !end)
            rc = tsfs_expr_print_name(names[i], out);
    }
    if (rc == 0)
        rc = put(out, "]");
    if (scan->empty)
        return rc != 0 ? rc : put(out, " nothing: WHERE is never true");
    if (rc == 0)
        rc = explain_range(scan, out);
    if (rc == 0 && scan->series_filter != NULL) {
        rc = put(out, " series=");
        if (rc == 0)
            rc = put_expr(out, scan->series_filter, names, plan->ncols);
    }
    if (rc == 0 && scan->row_filter != NULL) {
        rc = put(out, " rows=");
        if (rc == 0)
            rc = put_expr(out, scan->row_filter, names, plan->ncols);
    }
    if (rc == 0)
        rc = explain_needs(scan, out);
    return rc == 0 && scan->newest_first ? put(out, " newest first") : rc;
}

static int explain_project(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    bool end = false;
    int rc = put(out, "Project ");
    for (uint32_t i = 0; i < plan->ncols && rc == 0 && !end; i++) {
        const struct tsfs_expr *e = plan->project.exprs[i];
        rc = list_more(out, i, plan->ncols, &end);
        if (rc != 0 || end)
            break;
        rc = put_expr(out, e, below, plan->input->ncols);
        bool same = e->kind == TSFS_EXPR_COLUMN && tsfs_str_eq(below[e->index], plan->cols[i].name);
        if (rc == 0 && !same && plan->cols[i].name.len > 0) {
            rc = put(out, " AS ");
            if (rc == 0)
                rc = tsfs_expr_print_name(plan->cols[i].name, out);
        }
    }
    return rc;
}

static int explain_aggregate(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    uint32_t n = plan->input->ncols, ngroups = plan->aggregate.ngroups, naggs = plan->aggregate.naggs;
    bool end = false;
    int rc = put(out, naggs == 0 && ngroups > 0 ? "Distinct " : "Aggregate ");
    for (uint32_t i = 0; i < naggs && rc == 0 && !end; i++) {
        rc = list_more(out, i, naggs, &end);
        if (rc == 0 && !end)
            rc = put_aggregate(out, &plan->aggregate.aggs[i], below, n);
    }
    if (rc == 0 && naggs > 0 && ngroups > 0)
        rc = put(out, " by ");
    end = false;
    for (uint32_t i = 0; i < ngroups && rc == 0 && !end; i++) {
        rc = list_more(out, i, ngroups, &end);
        if (rc == 0 && !end)
            rc = put_expr(out, plan->aggregate.groups[i], below, n);
    }
    return rc;
}

static int explain_sort(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    int rc = plan->sort.limit == UINT64_MAX ? put(out, "Sort by ")
                                            : tsfs_buf_printf(out, "Top %" PRIu64 " by ", plan->sort.limit);
    for (uint32_t i = 0; i < plan->sort.nkeys && rc == 0; i++) {
        const struct tsfs_plan_key *key = &plan->sort.keys[i];
        rc = put(out, i > 0 ? ", " : "");
        if (rc == 0)
            rc = put_expr(out, key->expr, below, plan->input->ncols);
        if (rc == 0)
            rc = put(out, key->descending ? " DESC" : "");
        if (rc == 0)
            rc = put(out, key->nulls_first ? " NULLS FIRST" : "");
    }
    return rc;
}

static int explain_unnest(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    bool end = false;
    int rc = put(out, "Unnest ");
    for (uint32_t i = 0; i < plan->unnest.nexprs && rc == 0 && !end; i++) {
        rc = list_more(out, i, plan->unnest.nexprs, &end);
        if (rc == 0 && !end)
            rc = put_expr(out, plan->unnest.exprs[i], below, plan->input->ncols);
    }
    end = false;
    for (uint32_t i = plan->unnest.nthrough; i < plan->ncols && rc == 0 && !end; i++) {
        if (i == plan->unnest.nthrough)
            rc = put(out, " AS ");
        if (rc == 0)
            rc = list_more(out, i - plan->unnest.nthrough, plan->ncols - plan->unnest.nthrough, &end);
        if (rc == 0 && !end)
            rc = tsfs_expr_print_name(plan->cols[i].name, out);
    }
    return rc;
}

static int explain_limit(const struct tsfs_plan *plan, struct tsfs_buf *out)
{
    int rc = put(out, "Limit");
    if (rc == 0 && plan->limit.limit != UINT64_MAX)
        rc = tsfs_buf_printf(out, " %" PRIu64, plan->limit.limit);
    if (rc == 0 && plan->limit.offset > 0)
        rc = tsfs_buf_printf(out, " after %" PRIu64, plan->limit.offset);
    return rc;
}

/* A line that is yet to be written, the inputs' first, for their names. */
static int explain(struct tsfs_arena *arena, const struct tsfs_plan *plan, unsigned depth,
                   struct tsfs_buf *out, struct tsfs_str **names)
{
    struct tsfs_buf lines = {0};
    struct tsfs_str *below = NULL;
    int rc = 0;
    if (plan->input != NULL)
        rc = explain(arena, plan->input, depth + 1, &lines, &below);
    *names = TSFS_NEW_ARRAY(arena, struct tsfs_str, plan->ncols);
    if (rc == 0 && *names == NULL)
        rc = -ENOMEM;
    bool through =
        plan->kind == TSFS_PLAN_FILTER || plan->kind == TSFS_PLAN_SORT || plan->kind == TSFS_PLAN_LIMIT;
    for (uint32_t i = 0; i < plan->ncols && rc == 0; i++) {
        if (through)
            (*names)[i] = below[i];
        else
            rc = column_name(arena, plan, i, below, &(*names)[i]);
    }
    for (unsigned i = 0; i < depth && rc == 0; i++)
        rc = put(out, "  ");
    if (rc == 0) {
        switch (plan->kind) {
        case TSFS_PLAN_SCAN: rc = explain_scan(plan, *names, out); break;
        case TSFS_PLAN_VALUES:
            rc = tsfs_buf_printf(out, "Values %" PRIu64 " row%s", plan->values.nrows,
                                 plan->values.nrows == 1 ? "" : "s");
            break;
        case TSFS_PLAN_FILTER:
            rc = put(out, "Filter ");
            if (rc == 0)
                rc = put_expr(out, plan->filter.predicate, below, plan->input->ncols);
            break;
        case TSFS_PLAN_PROJECT: rc = explain_project(plan, below, out); break;
        case TSFS_PLAN_AGGREGATE: rc = explain_aggregate(plan, below, out); break;
        case TSFS_PLAN_SORT: rc = explain_sort(plan, below, out); break;
        case TSFS_PLAN_LIMIT: rc = explain_limit(plan, out); break;
        case TSFS_PLAN_UNNEST: rc = explain_unnest(plan, below, out); break;
        }
    }
    if (rc == 0)
        rc = put(out, "\n");
    if (rc == 0)
        rc = tsfs_buf_append_str(out, tsfs_buf_str(&lines));
    tsfs_buf_free(&lines);
    return rc;
}

int tsfs_plan_explain(const struct tsfs_plan *plan, struct tsfs_buf *out)
{
    struct tsfs_arena arena;
    struct tsfs_str *names;
    tsfs_arena_init(&arena, NULL);
    int rc = explain(&arena, plan, 0, out, &names);
    tsfs_arena_free(&arena);
    return rc;
}
