/* Binding of FROM: tables, WITH queries, subqueries and joins, and the scope that they make.
 *
 * A join's columns are those of its left side and then those of its right, whatever USING says: that is a
 * matter of names only.  A name in USING means one column, first in SELECT *, which is the left side's, or
 * the right side's of a RIGHT JOIN, or of a FULL JOIN whichever is not NULL; the two behind it are hidden but
 * for their qualified names. */
#include <errno.h>

#include "base/limits.h"
#include "sql/bind_priv.h"
#include "sql/lexer.h"

struct tsfs_bound *bind_new_bound(struct binder *b, enum tsfs_bound_kind kind, uint32_t ncols)
{
    struct tsfs_bound *rel = TSFS_NEW(b->arena, struct tsfs_bound);
    if (rel != NULL)
        rel->cols = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_column, ncols);
    if (rel == NULL || rel->cols == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    rel->kind = kind;
    rel->ncols = ncols;
    return rel;
}

bool bind_table(struct binder *b, struct tsfs_str database, struct tsfs_str name, uint32_t line,
                uint32_t column, struct tsfs_table_ref *out)
{
    struct tsfs_error err = {0};
    if (database.ptr == NULL && b->resolver->default_database.ptr == NULL)
        return bind_fail(b, line, column, "table \"%.*s\" needs its database: write database.%.*s",
                         BIND_NAME(name), BIND_NAME(name));
    int rc = b->resolver->table(b->resolver->ctx, database, name, out, &err);
    return rc == 0 || bind_fail_outside(b, rc, &err, line, column);
}

/* All columns of a table in the order of SELECT *. */
static struct tsfs_bound *bind_scan(struct binder *b, const struct sql_ast_from *from)
{
    struct tsfs_table_ref ref = {0};
    if (!bind_table(b, from->database, from->name, from->line, from->column, &ref))
        return NULL;
    const struct tsfs_schema *schema = ref.schema;
    struct tsfs_bound *rel = bind_new_bound(b, TSFS_BOUND_TABLE, schema->ncols);
    if (rel == NULL)
        return NULL;
    rel->table.ref = ref;
    uint16_t *ordinals = rel->table.ordinals = TSFS_NEW_ARRAY(b->arena, uint16_t, schema->ncols);
    if (ordinals == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < schema->ndims; i++)
        ordinals[n++] = schema->dims[i];
    ordinals[n++] = TSFS_ORDINAL_MEASURE_NAME;
    ordinals[n++] = TSFS_ORDINAL_TIME;
    for (uint32_t i = 0; i < schema->nmeasures; i++)
        ordinals[n++] = schema->measures[i];
    for (uint32_t i = 0; i < n; i++) {
        const struct tsfs_column *col = &schema->cols[ordinals[i]];
        rel->cols[i] = (struct tsfs_bound_column){col->name, col->type};
    }
    return rel;
}

static const struct bind_cte *find_cte(const struct binder *b, struct tsfs_str name)
{
    for (const struct bind_cte *c = b->ctes; c != NULL; c = c->next)
        if (tsfs_str_eq(c->name, name))
            return c;
    for (const struct bind_cte *c = b->ctes; c != NULL; c = c->next)
        if (sql_same_word(c->name, name))
            return c;
    return NULL;
}

/* What it takes from queries around it, queries between it and this place take through it. */
static const struct tsfs_bound *use_cte(struct binder *b, const struct bind_cte *cte,
                                        const struct sql_ast_from *at)
{
    if (!bind_reach(b, cte->height, at->line, at->column))
        return NULL;
    cte->rel->cte->uses++;
    if (!cte->rel->cte->correlated)
        return cte->rel;
    b->outer_refs++;
    b->reach = cte->reach < b->reach ? cte->reach : b->reach;
    for (struct bind_frame *f = b->frame; f != NULL && f->number > cte->reach; f = f->up)
        f->free = true;
    return cte->rel;
}

/* The same rows under other column names; n 0 = the same names. */
static const struct tsfs_bound *rename_columns(struct binder *b, const struct tsfs_bound *rel,
                                               struct tsfs_str name, const struct tsfs_str *columns,
                                               uint32_t n, uint32_t line, uint32_t column)
{
    if (n == 0)
        return rel;
    if (n != rel->ncols) {
        bind_fail(b, line, column, "%.*s has %u column%s, but names for %u are given", BIND_NAME(name),
                  rel->ncols, rel->ncols == 1 ? "" : "s", n);
        return NULL;
    }
    struct tsfs_bound *copy = bind_new_bound(b, rel->kind, n);
    if (copy == NULL)
        return NULL;
    struct tsfs_bound_column *cols = copy->cols;
    *copy = *rel;
    copy->cols = cols;
    for (uint32_t i = 0; i < n; i++)
        cols[i] = (struct tsfs_bound_column){columns[i], rel->cols[i].type};
    return copy;
}

/* ---- scopes ---- */

static bool new_columns(struct binder *b, struct bind_scope *scope, uint32_t n)
{
    scope->cols = TSFS_NEW_ARRAY(b->arena, struct bind_scope_column, n);
    return scope->cols != NULL || bind_fail_memory(b);
}

/* A table's or a subquery's own scope. */
static bool leaf_scope(struct binder *b, const struct sql_ast_from *from, const struct tsfs_bound *rel,
                       struct bind_scope *scope)
{
    struct tsfs_str table = from->alias, database = {0};
    if (table.ptr == NULL && from->kind == SQL_AST_TABLE) {
        table = from->name;
        if (rel->kind == TSFS_BOUND_TABLE)
            database = rel->table.ref.database;
    }
    scope->rel = rel;
    scope->what = table.ptr != NULL ? table : TSFS_STR("the subquery");
    scope->ncols = rel->ncols;
    if (!new_columns(b, scope, rel->ncols))
        return false;
    for (uint32_t i = 0; i < rel->ncols; i++)
        scope->cols[i] = (struct bind_scope_column){.database = database,
                                                    .table = table,
                                                    .name = rel->cols[i].name,
                                                    .type = rel->cols[i].type,
                                                    .index = i};
    return true;
}

struct shift {
    struct binder *b;
    uint32_t by;
};

static struct tsfs_expr *shift_column(void *ctx, struct tsfs_expr *column)
{
    const struct shift *s = ctx;
    return tsfs_expr_column(s->b->arena, column->index + s->by, column->type, column);
}

/* Both sides' columns under one roof. */
static bool join_scopes(struct binder *b, const struct bind_scope *left, const struct bind_scope *right,
                        uint32_t nmerged, struct bind_scope *out)
{
    struct shift shift = {b, left->rel->ncols};
    char *what = tsfs_arena_printf(b->arena, "%.*s, %.*s", (int)(left->what.len > 200 ? 200 : left->what.len),
                                   left->what.ptr, BIND_NAME(right->what));
    if (what == NULL)
        return bind_fail_memory(b);
    out->what = tsfs_str_from(what);
    out->ncols = nmerged + left->ncols + right->ncols;
    if (!new_columns(b, out, out->ncols))
        return false;
    struct bind_scope_column *to = out->cols + nmerged;
    if (left->ncols > 0)
        memcpy(to, left->cols, left->ncols * sizeof(*to));
    for (uint32_t i = 0; i < right->ncols; i++) {
        struct bind_scope_column col = right->cols[i];
        col.index += shift.by;
        if (col.expr != NULL && (col.expr = tsfs_expr_map(b->arena, col.expr, shift_column, &shift)) == NULL)
            return bind_fail_memory(b);
        to[left->ncols + i] = col;
    }
    return true;
}

static struct tsfs_expr *side_column(struct binder *b, const struct bind_scope_column *col, uint32_t by,
                                     const struct sql_ast_expr *at)
{
    struct shift shift = {b, by};
    struct tsfs_expr *e;
    if (col->expr != NULL) {
        e = by == 0 ? col->expr : tsfs_expr_map(b->arena, col->expr, shift_column, &shift);
        if (e == NULL)
            bind_fail_memory(b);
        return e;
    }
    e = bind_new(b, TSFS_EXPR_COLUMN, col->type, at, 0);
    if (e != NULL)
        e->index = col->index + by;
    return e;
}

/* A name of USING on one side. */
static uint32_t find_using(struct binder *b, struct bind_scope *side, const struct sql_ast_expr *name)
{
    if (side->index.slots == NULL && !bind_scope_index(b, side))
        return UINT32_MAX;
    uint32_t i = bind_scope_find(b, side, name, false);
    if (i == UINT32_MAX && b->rc == 0)
        i = bind_scope_find(b, side, name, true);
    if (i == UINT32_MAX && b->rc == 0) {
        struct bind_select s = {.scope = side};
        bind_fail_no_column(b, &s, name);
    }
    return i;
}

/* USING (a, ..): the condition, and one column for each name. */
static bool bind_using(struct binder *b, const struct sql_ast_from *from, struct bind_scope *left,
                       struct bind_scope *right, struct bind_scope *out, struct tsfs_expr **on)
{
    struct tsfs_expr **terms = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, from->nusing);
    struct bind_select s = {.scope = out, .clause = "USING"};
    if (terms == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < from->nusing; i++) {
        const struct sql_ast_expr *name = from->using_names[i];
        for (uint32_t k = 0; k < i; k++)
            if (tsfs_str_eq(from->using_names[k]->parts[0], name->parts[0]))
                return bind_fail(b, name->line, name->column, "USING names \"%.*s\" twice",
                                 BIND_NAME(name->parts[0]));
        uint32_t l = find_using(b, left, name);
        uint32_t r = l == UINT32_MAX ? UINT32_MAX : find_using(b, right, name);
        struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
        if (r == UINT32_MAX || args == NULL)
            return b->rc != 0 ? false : bind_fail_memory(b);
        struct tsfs_expr *le = side_column(b, &left->cols[l], 0, name);
        struct tsfs_expr *re = side_column(b, &right->cols[r], left->rel->ncols, name);
        enum tsfs_type type;
        if (le == NULL || re == NULL)
            return false;
        if (!bind_unify(le->type, re->type, &type))
            return bind_fail(b, name->line, name->column, "cannot compare %s with %s",
                             tsfs_type_name(le->type), tsfs_type_name(re->type));
        args[0] = le = bind_coerce(b, &s, le, type);
        args[1] = re = le == NULL ? NULL : bind_coerce(b, &s, re, type);
        if (re == NULL || (terms[i] = bind_apply(b, &s, TSFS_STR("="), name, args, 2)) == NULL)
            return false;
        struct tsfs_expr *merged = from->join == TSFS_JOIN_RIGHT ? re : le;
        if (from->join == TSFS_JOIN_FULL) {
            merged = bind_new(b, TSFS_EXPR_COALESCE, type, name, 2);
            if (merged == NULL)
                return false;
            merged->args[0] = le;
            merged->args[1] = re;
        }
        out->cols[i] = (struct bind_scope_column){.name = left->cols[l].name, .type = type, .expr = merged};
        out->cols[from->nusing + l].hidden = true;
        out->cols[from->nusing + left->ncols + r].hidden = true;
    }
    *on = tsfs_expr_and(b->arena, terms, from->nusing);
    return *on != NULL || bind_fail_memory(b);
}

/* NATURAL JOIN: join becomes one that uses the names that both sides have, in the order of the left's. */
static bool use_common_names(struct binder *b, const struct bind_scope *left, const struct bind_scope *right,
                             struct sql_ast_from *join)
{
    join->using_names = TSFS_NEW_ARRAY(b->arena, struct sql_ast_expr *, left->ncols);
    if (join->using_names == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < left->ncols; i++) {
        bool common = false;
        if (left->cols[i].hidden)
            continue;
        for (uint32_t k = 0; k < right->ncols && !common; k++)
            common = !right->cols[k].hidden && tsfs_str_eq(left->cols[i].name, right->cols[k].name);
        if (!common)
            continue;
        struct sql_ast_expr *name = TSFS_NEW(b->arena, struct sql_ast_expr);
        if (name == NULL || (name->parts = TSFS_NEW_ARRAY(b->arena, struct tsfs_str, 1)) == NULL)
            return bind_fail_memory(b);
        name->kind = SQL_AST_NAME;
        name->line = join->line;
        name->column = join->column;
        name->nparts = 1;
        name->parts[0] = left->cols[i].name;
        join->using_names[join->nusing++] = name;
    }
    return join->nusing > 0 ||
           bind_fail(b, join->line, join->column,
                     "%.*s and %.*s have no column name in common for NATURAL JOIN: write CROSS JOIN or ON",
                     BIND_NAME(left->what), BIND_NAME(right->what));
}

static bool bind_item(struct binder *b, const struct sql_ast_from *from, struct bind_scope *scope);

static bool bind_join(struct binder *b, const struct sql_ast_from *from, struct bind_scope *scope)
{
    struct bind_scope left = {0}, right = {0};
    struct sql_ast_from natural;
    if (!bind_item(b, from->left, &left) || !bind_item(b, from->right, &right))
        return false;
    if (from->natural) {
        natural = *from;
        if (!use_common_names(b, &left, &right, &natural))
            return false;
        from = &natural;
    }
    uint64_t ncols = (uint64_t)left.rel->ncols + right.rel->ncols;
    if (ncols > 16u * TSFS_SQL_COLUMNS_MAX)
        return bind_fail(b, from->line, from->column, "the tables of FROM have more than %u columns",
                         16u * TSFS_SQL_COLUMNS_MAX);
    struct tsfs_bound *rel = bind_new_bound(b, TSFS_BOUND_JOIN, (uint32_t)ncols);
    if (rel == NULL || !join_scopes(b, &left, &right, from->nusing, scope))
        return false;
    memcpy(rel->cols, left.rel->cols, left.rel->ncols * sizeof(*rel->cols));
    memcpy(rel->cols + left.rel->ncols, right.rel->cols, right.rel->ncols * sizeof(*rel->cols));
    rel->join.kind = from->join;
    rel->join.left = left.rel;
    rel->join.right = right.rel;
    rel->depth = (left.rel->depth > right.rel->depth ? left.rel->depth : right.rel->depth);
    scope->rel = rel;
    if (from->nusing > 0 && !bind_using(b, from, &left, &right, scope, &rel->join.on))
        return false;
    if (from->on == NULL)
        return true;
    struct bind_select s = {.scope = scope, .clause = "ON"};
    if (!bind_scope_index(b, scope))
        return false;
    rel->join.on = bind_condition(b, &s, from->on, "ON");
    return rel->join.on != NULL;
}

/* The columns of the left side, then those that UNNEST makes. */
static bool bind_unnest_item(struct binder *b, const struct sql_ast_from *from, struct bind_scope *scope)
{
    struct bind_scope left = {0};
    if (from->left != NULL && (!bind_item(b, from->left, &left) || !bind_scope_index(b, &left)))
        return false;
    const struct tsfs_bound *rel = bind_unnest(b, from, &left);
    if (rel == NULL)
        return false;
    uint32_t before = left.rel == NULL ? 0 : left.rel->ncols, made = rel->ncols - before;
    struct tsfs_str name = from->alias.ptr != NULL ? from->alias : TSFS_STR("UNNEST");
    scope->rel = rel;
    scope->what = name;
    if (left.rel != NULL) {
        char *what =
            tsfs_arena_printf(b->arena, "%.*s, %.*s", (int)(left.what.len > 200 ? 200 : left.what.len),
                              left.what.ptr, BIND_NAME(name));
        if (what == NULL)
            return bind_fail_memory(b);
        scope->what = tsfs_str_from(what);
    }
    scope->ncols = left.ncols + made;
    if (!new_columns(b, scope, scope->ncols))
        return false;
    if (left.ncols > 0)
        memcpy(scope->cols, left.cols, left.ncols * sizeof(*left.cols));
    for (uint32_t i = 0; i < made; i++)
        scope->cols[left.ncols + i] = (struct bind_scope_column){.table = from->alias,
                                                                 .name = rel->cols[before + i].name,
                                                                 .type = rel->cols[before + i].type,
                                                                 .index = before + i};
    return true;
}

static bool bind_kind(struct binder *b, const struct sql_ast_from *from, struct bind_scope *scope)
{
    const struct tsfs_bound *rel;
    const struct bind_cte *cte;
    switch (from->kind) {
    case SQL_AST_JOIN: return bind_join(b, from, scope);
    case SQL_AST_UNNEST: return bind_unnest_item(b, from, scope);
    case SQL_AST_DERIVED: rel = bind_query(b, from->query); break;
    default:
        cte = from->database.ptr == NULL ? find_cte(b, from->name) : NULL;
        rel = cte != NULL ? use_cte(b, cte, from) : bind_scan(b, from);
        break;
    }
    if (rel != NULL)
        rel = rename_columns(b, rel, from->alias, from->columns, from->ncolumns, from->line, from->column);
    return rel != NULL && leaf_scope(b, from, rel, scope);
}

static bool bind_item(struct binder *b, const struct sql_ast_from *from, struct bind_scope *scope)
{
    if (!bind_enter(b, 1, from->line, from->column))
        return false;
    bool ok = bind_kind(b, from, scope);
    bind_leave(b, 1);
    return ok;
}

bool bind_from(struct binder *b, const struct sql_ast_from *from, struct bind_scope *scope)
{
    *scope = (struct bind_scope){0};
    if (from == NULL)
        return true;
    scope->index.slots = NULL;
    return bind_item(b, from, scope) && bind_scope_index(b, scope);
}

/* Each WITH query is bound once, whether it is used or not, and sees those before it. */
bool bind_ctes(struct binder *b, const struct sql_ast_query *q)
{
    for (uint32_t i = 0; i < q->nctes; i++) {
        const struct sql_ast_cte *ast = &q->ctes[i];
        if (i == TSFS_SQL_CTES_MAX)
            return bind_fail(b, ast->line, ast->column, "WITH has more than %d queries", TSFS_SQL_CTES_MAX);
        for (uint32_t k = 0; k < i; k++)
            if (tsfs_str_eq(q->ctes[k].name, ast->name))
                return bind_fail(b, ast->line, ast->column, "WITH names \"%.*s\" twice",
                                 BIND_NAME(ast->name));
        uint32_t outer_refs = b->outer_refs, outer_reach = b->reach, begun = bind_height_begin(b);
        b->reach = UINT32_MAX;
        const struct tsfs_bound *rel = bind_query(b, ast->query);
        uint32_t height = bind_height_end(b, begun);
        if (rel == NULL)
            return false;
        rel = rename_columns(b, rel, ast->name, ast->columns, ast->ncolumns, ast->line, ast->column);
        struct bind_cte *cte = rel == NULL ? NULL : TSFS_NEW(b->arena, struct bind_cte);
        struct tsfs_bound *copy = cte == NULL ? NULL : TSFS_NEW(b->arena, struct tsfs_bound);
        if (copy == NULL || (*copy = *rel, copy->cte = TSFS_NEW(b->arena, struct tsfs_bound_cte)) == NULL)
            return rel == NULL ? false : bind_fail_memory(b);
        copy->cte->name = ast->name;
        copy->cte->correlated = b->outer_refs != outer_refs;
        *cte = (struct bind_cte){ast->name, copy, height, b->reach, b->ctes};
        if (cte->reach > (b->frame == NULL ? 0 : b->frame->number))
            cte->reach = UINT32_MAX; /* of its own queries alone */
        b->reach = cte->reach < outer_reach ? cte->reach : outer_reach;
        b->ctes = cte;
    }
    return true;
}
