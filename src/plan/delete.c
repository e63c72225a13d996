/* What a DELETE takes away, as one scan.
 *
 * A delete is kept as a range of time and a list of series, so its WHERE must say no more than that: terms
 * that the time range says in full, and terms over dimensions and measure_name.  Any other is refused, and
 * named. */
#include <errno.h>

#include "plan/plan_priv.h"

static int refuse(struct tsfs_error *err, const struct tsfs_expr *at, const char *why)
{
    return tsfs_error_set_at(err, -EINVAL, at->line, at->column, "%s", why);
}

struct refs {
    const struct tsfs_plan_scan *scan;
    bool time;
    uint16_t measure; /* a measure's ordinal */
};

static bool note_column(void *ctx, uint32_t index)
{
    struct refs *refs = ctx;
    uint16_t ordinal = refs->scan->ordinals[index];
    switch (refs->scan->table.schema->cols[ordinal].role) {
    case TSFS_ROLE_TIME: refs->time = true; break;
    case TSFS_ROLE_MEASURE: refs->measure = ordinal; break;
    default: break;
    }
    return true;
}

/* A term that is in no time range. */
static int check_term(const struct tsfs_plan_scan *scan, const struct tsfs_expr *e, struct tsfs_error *err)
{
    struct refs refs = {scan, false, TSFS_ORDINAL_NONE};
    tsfs_expr_each_column(e, note_column, &refs);
    if (refs.measure != TSFS_ORDINAL_NONE) {
        struct tsfs_str name = scan->table.schema->cols[refs.measure].name;
        return tsfs_error_set_at(err, -EINVAL, e->line, e->column,
                                 "\"%.*s\" is a measure: the WHERE of a DELETE may speak of dimensions, "
                                 "measure_name and time only",
                                 (int)(name.len < 128 ? name.len : 128), name.ptr);
    }
    if (refs.time)
        return refuse(err, e,
                      "in a DELETE, time can only be compared with constants (=, <, <=, >, >=, BETWEEN), in "
                      "conditions that are joined by AND");
    if (tsfs_expr_unstable(e))
        return refuse(err, e, "in a DELETE, a condition must be the same each time it is looked at");
    return 0;
}

/* e's terms, each looked at, added to terms. */
static int take_terms(const struct tsfs_plan_scan *scan, struct tsfs_expr *e, struct tsfs_expr **terms,
                      uint32_t *n, struct tsfs_error *err)
{
    if (e->kind == TSFS_EXPR_AND) {
        int rc = 0;
        for (uint32_t i = 0; i < e->nargs && rc == 0; i++)
            rc = take_terms(scan, e->args[i], terms, n, err);
        return rc;
    }
    if (terms != NULL) {
        int rc = check_term(scan, e, err);
        if (rc != 0)
            return rc;
        terms[*n] = e;
    }
    ++*n;
    return 0;
}

int tsfs_plan_delete(struct tsfs_str text, const struct tsfs_resolver *resolver,
                     const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                     struct tsfs_plan **out, struct tsfs_error *err)
{
    struct tsfs_bound *rel;
    int rc = tsfs_sql_bind_delete(text, resolver, functions, arena, &rel, err);
    if (rc != 0)
        return rc;
    struct tsfs_plan *plan;
    rc = plan_build_bare(arena, rel, &plan, err);
    if (rc == 0)
        rc = plan_push_terms(arena, &plan, &(struct plan_terms){0});
    if (rc != 0)
        return rc == -ENOMEM ? tsfs_error_set(err, rc, "out of memory for the plan") : rc;
    /* what stays above the scan speaks of no column of it, or is not always the same */
    struct tsfs_plan *scan = plan;
    struct tsfs_expr *above = NULL;
    while (scan->kind == TSFS_PLAN_PROJECT || scan->kind == TSFS_PLAN_FILTER) {
        if (scan->kind == TSFS_PLAN_FILTER)
            above = scan->filter.predicate;
        scan = scan->input;
    }
    if (scan->kind != TSFS_PLAN_SCAN || above != NULL)
        return above != NULL ? refuse(err, above,
                                      "in a DELETE, a condition must be the same each time it is "
                                      "looked at")
                             : tsfs_error_set(err, -EINVAL, "the WHERE of a DELETE may not hold a query");
    struct tsfs_plan_scan *s = &scan->scan;
    struct tsfs_expr *filters[2] = {s->series_filter, s->row_filter};
    uint32_t n = 0;
    for (int i = 0; i < 2; i++)
        if (filters[i] != NULL && (rc = take_terms(s, filters[i], NULL, &n, err)) != 0)
            return rc;
    struct tsfs_expr **terms = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n + 1);
    if (terms == NULL)
        return tsfs_error_set(err, -ENOMEM, "out of memory for the plan");
    n = 0;
    for (int i = 0; i < 2; i++)
        if (filters[i] != NULL && (rc = take_terms(s, filters[i], terms, &n, err)) != 0)
            return rc;
    s->series_filter = tsfs_expr_and(arena, terms, n);
    s->row_filter = NULL;
    if (n > 0 && s->series_filter == NULL)
        return tsfs_error_set(err, -ENOMEM, "out of memory for the plan");
    *out = scan;
    return 0;
}
