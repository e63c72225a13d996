/* UNION, INTERSECT, EXCEPT and VALUES. */
#include <errno.h>

#include "base/limits.h"
#include "sql/bind_priv.h"

const struct tsfs_bound *bind_cast_columns(struct binder *b, const struct tsfs_bound *rel,
                                           const enum tsfs_type *types, uint32_t line, uint32_t column)
{
    bool same = true;
    for (uint32_t i = 0; i < rel->ncols; i++)
        same &= rel->cols[i].type == types[i];
    if (same)
        return rel;
    struct tsfs_bound *out = bind_new_bound(b, TSFS_BOUND_SELECT, rel->ncols);
    if (out == NULL)
        return NULL;
    out->depth = rel->depth + 1;
    out->select.from = rel;
    out->select.limit = UINT64_MAX;
    out->select.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, rel->ncols);
    if (out->select.exprs == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    struct bind_select s = {0};
    struct tsfs_expr pos = {.line = line, .column = column};
    for (uint32_t i = 0; i < rel->ncols; i++) {
        struct tsfs_expr *e = tsfs_expr_column(b->arena, i, rel->cols[i].type, &pos);
        if (e == NULL)
            bind_fail_memory(b);
        out->select.exprs[i] = e == NULL ? NULL : bind_coerce(b, &s, e, types[i]);
        if (out->select.exprs[i] == NULL)
            return NULL;
        out->cols[i] = (struct tsfs_bound_column){rel->cols[i].name, types[i]};
    }
    return out;
}

/* inputs of one common type a column; names are the first's. */
static struct tsfs_bound *bind_inputs(struct binder *b, enum tsfs_set_op op, bool all,
                                      const struct tsfs_bound **inputs, uint32_t n, uint32_t line,
                                      uint32_t column, const char *what)
{
    uint32_t ncols = inputs[0]->ncols, depth = 0;
    enum tsfs_type *types = TSFS_NEW_ARRAY(b->arena, enum tsfs_type, ncols);
    struct tsfs_bound *rel = bind_new_bound(b, TSFS_BOUND_SET, ncols);
    if (types == NULL || rel == NULL)
        return rel == NULL ? NULL : (bind_fail_memory(b), NULL);
    for (uint32_t k = 0; k < n; k++) {
        if (inputs[k]->ncols != ncols) {
            bind_fail(b, line, column, "the sides of %s have %u and %u columns", what, ncols,
                      inputs[k]->ncols);
            return NULL;
        }
        for (uint32_t i = 0; i < ncols; i++) {
            enum tsfs_type before = types[i];
            if (bind_unify(before, inputs[k]->cols[i].type, &types[i]))
                continue;
            bind_fail(b, line, column, "column %u of %s is of types %s and %s", i + 1, what,
                      tsfs_type_name(before), tsfs_type_name(inputs[k]->cols[i].type));
            return NULL;
        }
    }
    for (uint32_t k = 0; k < n; k++) {
        inputs[k] = bind_cast_columns(b, inputs[k], types, line, column);
        if (inputs[k] == NULL)
            return NULL;
        if (inputs[k]->depth > depth)
            depth = inputs[k]->depth;
    }
    for (uint32_t i = 0; i < ncols; i++)
        rel->cols[i] = (struct tsfs_bound_column){inputs[0]->cols[i].name, types[i]};
    rel->set.op = op;
    rel->set.all = all;
    rel->set.inputs = inputs;
    rel->set.ninputs = n;
    rel->depth = depth + 1;
    return bind_depth(b, rel->depth, line, column) ? rel : NULL;
}

struct tsfs_bound *bind_set(struct binder *b, const struct sql_ast_set *set)
{
    const struct tsfs_bound **inputs = TSFS_NEW_ARRAY(b->arena, const struct tsfs_bound *, set->ninputs);
    if (inputs == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    if (!bind_enter(b, 1, set->line, set->column))
        return NULL;
    for (uint32_t i = 0; i < set->ninputs; i++)
        if ((inputs[i] = bind_query(b, set->inputs[i])) == NULL)
            return NULL;
    bind_leave(b, 1);
    return bind_inputs(b, set->op, set->all, inputs, set->ninputs, set->line, set->column,
                       tsfs_set_op_name(set->op));
}

/* The types of VALUES' columns. */
static bool value_types(struct binder *b, const struct sql_ast_values *v, struct tsfs_expr *const *cells,
                        struct tsfs_bound_column *cols)
{
    for (uint32_t i = 0; i < v->nrows; i++)
        for (uint32_t k = 0; k < v->ncols; k++) {
            enum tsfs_type before = cols[k].type;
            const struct tsfs_expr *e = cells[(size_t)i * v->ncols + k];
            if (!bind_unify(before, e->type, &cols[k].type))
                return bind_fail(b, e->line, e->column, "column %u of VALUES is of types %s and %s", k + 1,
                                 tsfs_type_name(before), tsfs_type_name(e->type));
        }
    return true;
}

/* A row of VALUES that is not all literals: a SELECT without FROM. */
static const struct tsfs_bound *bind_values_row(struct binder *b, const struct tsfs_bound *like,
                                                struct tsfs_expr **cells)
{
    struct tsfs_bound *row = bind_new_bound(b, TSFS_BOUND_SELECT, like->ncols);
    if (row == NULL)
        return NULL;
    row->depth = 1;
    row->select.limit = UINT64_MAX;
    row->select.exprs = cells;
    memcpy(row->cols, like->cols, like->ncols * sizeof(*row->cols));
    return row;
}

struct tsfs_bound *bind_values(struct binder *b, const struct sql_ast_values *v)
{
    struct bind_scope scope = {0};
    struct bind_select s = {.scope = &scope, .clause = "VALUES"};
    struct tsfs_bound *rel = bind_new_bound(b, TSFS_BOUND_VALUES, v->ncols);
    size_t n = (size_t)v->nrows * v->ncols;
    struct tsfs_expr **cells = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, n);
    if (rel == NULL || cells == NULL)
        return rel == NULL ? NULL : (bind_fail_memory(b), NULL);
    rel->depth = 1;
    for (size_t i = 0; i < n; i++)
        if ((cells[i] = bind_expr(b, &s, v->rows[i / v->ncols][i % v->ncols])) == NULL)
            return NULL;
    for (uint32_t k = 0; k < v->ncols; k++)
        if ((rel->cols[k].name = bind_column_name(b, k)).ptr == NULL)
            return NULL;
    if (!value_types(b, v, cells, rel->cols))
        return NULL;
    bool literal = true;
    for (size_t i = 0; i < n; i++) {
        if ((cells[i] = bind_coerce(b, &s, cells[i], rel->cols[i % v->ncols].type)) == NULL)
            return NULL;
        literal &= cells[i]->kind == TSFS_EXPR_LITERAL;
    }
    if (literal) {
        rel->values.rows = TSFS_NEW_ARRAY(b->arena, struct tsfs_value, n);
        if (rel->values.rows == NULL)
            return (bind_fail_memory(b), NULL);
        for (size_t i = 0; i < n; i++)
            rel->values.rows[i] = cells[i]->value;
        rel->values.nrows = v->nrows;
        return rel;
    }
    const struct tsfs_bound **rows = TSFS_NEW_ARRAY(b->arena, const struct tsfs_bound *, v->nrows);
    if (rows == NULL)
        return (bind_fail_memory(b), NULL);
    for (uint32_t i = 0; i < v->nrows; i++)
        if ((rows[i] = bind_values_row(b, rel, cells + (size_t)i * v->ncols)) == NULL)
            return NULL;
    return bind_inputs(b, TSFS_SET_UNION, true, rows, v->nrows, v->line, v->column, "VALUES");
}
