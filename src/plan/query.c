/* Text to plan, through all the stages. */
#include <errno.h>

#include "plan/plan_priv.h"

/* The plan's text as rows, a line each; `above` is a line of its own, NULL = none. */
static int explained(struct tsfs_arena *arena, const char *above, struct tsfs_plan **plan)
{
    struct tsfs_buf text = {0};
    int rc = above == NULL ? 0 : tsfs_buf_printf(&text, "%s\n  ", above);
    if (rc == 0) /* below one is a scan: one line */
        rc = tsfs_plan_explain(*plan, &text);
    struct tsfs_str s = rc == 0 ? tsfs_arena_str(arena, tsfs_buf_str(&text)) : (struct tsfs_str){0};
    tsfs_buf_free(&text);
    if (s.ptr == NULL)
        return rc != 0 ? rc : -ENOMEM;
    uint64_t lines = 0;
    for (size_t i = 0; i < s.len; i++)
        lines += s.ptr[i] == '\n';
    struct tsfs_plan *values = plan_new(arena, TSFS_PLAN_VALUES, NULL, 1);
    if (values == NULL || (values->values.rows = TSFS_NEW_ARRAY(arena, struct tsfs_value, lines)) == NULL)
        return -ENOMEM;
    values->cols[0] = (struct tsfs_plan_column){TSFS_STR("plan"), TSFS_VARCHAR};
    for (size_t from = 0; from < s.len;) {
        const char *end = memchr(s.ptr + from, '\n', s.len - from);
        size_t len = (size_t)(end - (s.ptr + from));
        values->values.rows[values->values.nrows++] =
            (struct tsfs_value){.type = TSFS_VARCHAR, .s = {s.ptr + from, len}};
        from += len + 1;
    }
    *plan = values;
    return 0;
}

static int analyzed(struct tsfs_arena *arena, struct tsfs_plan **plan)
{
    struct tsfs_plan *analyze = plan_new(arena, TSFS_PLAN_ANALYZE, *plan, 1);
    if (analyze == NULL)
        return -ENOMEM;
    analyze->cols[0] = (struct tsfs_plan_column){TSFS_STR("plan"), TSFS_VARCHAR};
    *plan = analyze;
    return 0;
}

/* EXPLAIN DELETE: what the DELETE at `at` would read, in places of the whole text. */
static int explain_delete(struct tsfs_str text, size_t at, const struct tsfs_resolver *resolver,
                          const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                          struct tsfs_plan **out, struct tsfs_error *err)
{
    struct tsfs_str copy = tsfs_arena_str(arena, text);
    struct tsfs_plan *scan;
    if (copy.ptr == NULL)
        return tsfs_error_set(err, -ENOMEM, "out of memory for the plan");
    for (size_t i = 0; i < at; i++)
        if (copy.ptr[i] != '\n')
            ((char *)copy.ptr)[i] = ' ';
    int rc = tsfs_plan_delete(copy, resolver, functions, arena, &scan, err);
    if (rc != 0)
        return rc;
    *out = scan;
    rc = explained(arena, "Delete the series of", out);
    return rc == -ENOMEM ? tsfs_error_set(err, rc, "out of memory for the plan") : rc;
}

int tsfs_plan_query(struct tsfs_str text, const struct tsfs_resolver *resolver,
                    const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                    struct tsfs_plan **out, struct tsfs_error *err)
{
    struct tsfs_bound *rel;
    struct tsfs_bound_mode mode = {0};
    size_t at;
    if (tsfs_sql_explains_delete(text, &at))
        return explain_delete(text, at, resolver, functions, arena, out, err);
    int rc = tsfs_sql_bind(text, resolver, functions, arena, &rel, &mode, err);
    if (rc != 0)
        return rc;
    struct tsfs_plan *plan;
    rc = plan_build(arena, rel, &plan, err);
    if (rc == 0 && mode.analyze)
        rc = analyzed(arena, &plan);
    else if (rc == 0 && mode.explain)
        rc = explained(arena, NULL, &plan);
    if (rc == -ENOMEM)
        return tsfs_error_set(err, rc, "out of memory for the plan");
    *out = plan;
    return rc;
}
