/* UNNEST: arrays and timeseries as rows, for each row of what stands left of it. */
#include "base/limits.h"
#include "sql/bind_priv.h"

/* How many columns a value of that type unfolds into, 0 = it does not. */
static uint32_t columns_of(enum tsfs_type type)
{
    enum tsfs_type element = tsfs_type_element(type);
    switch (tsfs_type_kind(type)) {
    case TSFS_KIND_ARRAY: return tsfs_type_kind(element) == TSFS_KIND_ROW ? tsfs_type_nfields(element) : 1;
    case TSFS_KIND_TIMESERIES: return 2;
    default: return 0;
    }
}

static struct tsfs_bound_column column_of(struct binder *b, enum tsfs_type type, uint32_t part,
                                          uint32_t number)
{
    enum tsfs_type element = tsfs_type_element(type);
    struct tsfs_bound_column col = {.type = element};
    if (tsfs_type_kind(type) == TSFS_KIND_TIMESERIES) {
        col.name = part == 0 ? TSFS_STR("time") : TSFS_STR("value");
        col.type = part == 0 ? TSFS_TIMESTAMP : element;
    } else if (tsfs_type_kind(element) == TSFS_KIND_ROW) {
        col.name = tsfs_type_field_name(element, part);
        col.type = tsfs_type_field(element, part);
    }
    if (col.name.ptr == NULL) {
        char *text = tsfs_arena_printf(b->arena, "_col%u", number);
        if (text == NULL)
            bind_fail_memory(b);
        col.name = tsfs_str_from(text);
    }
    return col;
}

static bool bind_arguments(struct binder *b, const struct sql_ast_from *from, struct bind_scope *left,
                           struct tsfs_bound *rel, uint32_t *produced)
{
    struct bind_select s = {.scope = left, .clause = "UNNEST"};
    rel->unnest.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, from->nexprs);
    if (rel->unnest.exprs == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < from->nexprs; i++) {
        const struct sql_ast_expr *ast = from->exprs[i];
        struct tsfs_expr *e = bind_expr(b, &s, ast);
        if (e == NULL)
            return false;
        uint32_t n = columns_of(e->type);
        if (n == 0)
            return bind_fail(b, ast->line, ast->column, "UNNEST takes arrays and timeseries, not %s",
                             tsfs_type_name(e->type));
        *produced += n;
        if (*produced > TSFS_SQL_COLUMNS_MAX)
            return bind_fail(b, ast->line, ast->column, "UNNEST makes more than %d columns",
                             TSFS_SQL_COLUMNS_MAX);
        rel->unnest.exprs[rel->unnest.nexprs++] = e;
    }
    *produced += from->ordinality;
    return true;
}

const struct tsfs_bound *bind_unnest(struct binder *b, const struct sql_ast_from *from,
                                     struct bind_scope *scope)
{
    const struct tsfs_bound *left = scope->rel;
    struct tsfs_bound *rel = TSFS_NEW(b->arena, struct tsfs_bound);
    uint32_t produced = 0, before = left == NULL ? 0 : left->ncols;
    if (rel == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    rel->kind = TSFS_BOUND_UNNEST;
    rel->unnest.from = left;
    rel->unnest.ordinality = from->ordinality;
    rel->unnest.outer = from->outer;
    rel->depth = left == NULL ? 1 : left->depth + 1;
    if (rel->depth > TSFS_SQL_DEPTH_MAX) {
        bind_fail(b, from->line, from->column, "queries build on one another deeper than %d levels here",
                  TSFS_SQL_DEPTH_MAX);
        return NULL;
    }
    if (!bind_arguments(b, from, scope, rel, &produced))
        return NULL;
    if (from->ncolumns > 0 && from->ncolumns != produced) {
        bind_fail(b, from->line, from->column, "UNNEST makes %u column%s here, but names for %u are given",
                  produced, produced == 1 ? "" : "s", from->ncolumns);
        return NULL;
    }
    rel->ncols = before + produced;
    rel->cols = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_column, rel->ncols);
    if (rel->cols == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < before; i++)
        rel->cols[i] = left->cols[i];
    uint32_t at = before;
    for (uint32_t i = 0; i < rel->unnest.nexprs; i++) {
        enum tsfs_type type = rel->unnest.exprs[i]->type;
        for (uint32_t part = 0; part < columns_of(type); part++, at++)
            rel->cols[at] = column_of(b, type, part, at - before);
    }
    if (from->ordinality)
        rel->cols[at++] = (struct tsfs_bound_column){TSFS_STR("ordinality"), TSFS_BIGINT};
    for (uint32_t i = 0; i < from->ncolumns; i++)
        rel->cols[before + i].name = from->columns[i];
    return b->rc == 0 ? rel : NULL;
}
