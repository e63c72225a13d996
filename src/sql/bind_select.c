/* Binding of queries: FROM, the SELECT list, grouping, ordering.
 *
 * With grouping, expressions are bound twice over.  First all of them over the columns of FROM, where each
 * aggregate becomes a numbered stand-in; then SELECT, HAVING and ORDER BY are rewritten to what the
 * aggregation delivers, groups and then aggregates: a subtree equal to a group's expression becomes that
 * group's column, a stand-in its aggregate's column, and a column of FROM that is left over is the error that
 * it must be grouped. */
#include <errno.h>

#include "base/limits.h"
#include "sql/bind_priv.h"
#include "sql/lexer.h"

static struct tsfs_bound *new_bound(struct binder *b, enum tsfs_bound_kind kind, uint32_t ncols)
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
    struct tsfs_bound *rel = new_bound(b, TSFS_BOUND_TABLE, schema->ncols);
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

/* The same rows under other column names. */
static const struct tsfs_bound *rename_columns(struct binder *b, const struct tsfs_bound *rel,
                                               struct tsfs_str name, const struct tsfs_str *columns,
                                               uint32_t n, uint32_t line, uint32_t column)
{
    if (n == 0)
        return rel;
    if (n != rel->ncols) {
        bind_fail(b, line, column, "%.*s has %u column%s, but %u names are given", BIND_NAME(name),
                  rel->ncols, rel->ncols == 1 ? "" : "s", n);
        return NULL;
    }
    struct tsfs_bound *copy = new_bound(b, rel->kind, n);
    if (copy == NULL)
        return NULL;
    struct tsfs_bound_column *cols = copy->cols;
    *copy = *rel;
    copy->cols = cols;
    for (uint32_t i = 0; i < n; i++)
        cols[i] = (struct tsfs_bound_column){columns[i], rel->cols[i].type};
    return copy;
}

static const struct tsfs_bound *bind_from(struct binder *b, const struct sql_ast_from *from)
{
    const struct tsfs_bound *rel;
    if (from->kind == SQL_AST_UNNEST) {
        rel = from->left == NULL ? NULL : bind_from(b, from->left);
        return from->left != NULL && rel == NULL ? NULL : bind_unnest(b, from, rel);
    }
    if (from->kind == SQL_AST_SUBQUERY) {
        rel = bind_query(b, from->query);
    } else {
        const struct bind_cte *cte = from->database.ptr == NULL ? find_cte(b, from->name) : NULL;
        rel = cte != NULL ? cte->rel : bind_scan(b, from);
    }
    if (rel == NULL)
        return NULL;
    return rename_columns(b, rel, from->alias, from->columns, from->ncolumns, from->line, from->column);
}

static bool fail_width(struct binder *b, uint32_t line, uint32_t column, const char *clause)
{
    return bind_fail(b, line, column, "%s has more than %d expressions", clause, TSFS_SQL_COLUMNS_MAX);
}

static bool star_matches(const struct bind_scope_column *col, const struct sql_ast_expr *star)
{
    if (star->nparts == 0)
        return true;
    struct tsfs_str table = star->parts[star->nparts - 1];
    return col->table.ptr != NULL && sql_same_word(col->table, table) &&
           (star->nparts < 2 ||
            (col->database.ptr != NULL && sql_same_word(col->database, star->parts[star->nparts - 2])));
}

static bool expand_star(struct binder *b, struct bind_select *s, const struct sql_ast_expr *star,
                        struct tsfs_str *names)
{
    if (s->scope->what.ptr == NULL)
        return bind_fail(b, star->line, star->column, "SELECT * needs a FROM");
    uint32_t before = s->nitems;
    for (uint32_t i = 0; i < s->scope->ncols; i++) {
        const struct bind_scope_column *col = &s->scope->cols[i];
        if (!star_matches(col, star))
            continue;
        if (s->nitems == TSFS_SQL_COLUMNS_MAX)
            return fail_width(b, star->line, star->column, "SELECT");
        struct tsfs_expr *e = bind_new(b, TSFS_EXPR_COLUMN, col->type, star, 0);
        if (e == NULL)
            return false;
        e->index = i;
        names[s->nitems] = col->name;
        s->items[s->nitems++] = (struct bind_item){.expr = e};
    }
    if (s->nitems == before)
        return bind_fail(b, star->line, star->column, "no table \"%.*s\" in FROM",
                         BIND_NAME(star->parts[star->nparts - 1]));
    return true;
}

static bool bind_items(struct binder *b, struct bind_select *s, const struct sql_ast_select *ast,
                       struct tsfs_str **out_names)
{
    uint64_t room = 0;
    for (uint32_t i = 0; i < ast->nitems && room < TSFS_SQL_COLUMNS_MAX; i++)
        room += ast->items[i].expr->kind == SQL_AST_STAR ? s->scope->ncols : 1;
    if (room > TSFS_SQL_COLUMNS_MAX)
        room = TSFS_SQL_COLUMNS_MAX;
    s->items = TSFS_NEW_ARRAY(b->arena, struct bind_item, room);
    struct tsfs_str *names = *out_names = TSFS_NEW_ARRAY(b->arena, struct tsfs_str, room);
    if (s->items == NULL || names == NULL)
        return bind_fail_memory(b);
    s->clause = "SELECT";
    s->aggregates = true;
    s->aliases = BIND_ALIASES_NONE;
    for (uint32_t i = 0; i < ast->nitems; i++) {
        const struct sql_ast_expr *expr = ast->items[i].expr;
        if (expr->kind == SQL_AST_STAR) {
            if (!expand_star(b, s, expr, names))
                return false;
            continue;
        }
        if (s->nitems == TSFS_SQL_COLUMNS_MAX)
            return fail_width(b, expr->line, expr->column, "SELECT");
        struct tsfs_expr *e = bind_expr(b, s, expr);
        if (e == NULL)
            return false;
        struct tsfs_str name = ast->items[i].alias;
        if (name.ptr == NULL && expr->kind == SQL_AST_NAME && e->kind == TSFS_EXPR_COLUMN)
            name = s->scope->cols[e->index].name;
        if (name.ptr == NULL) {
            char *text = tsfs_arena_printf(b->arena, "_col%u", s->nitems);
            if (text == NULL)
                return bind_fail_memory(b);
            name = tsfs_str_from(text);
        }
        names[s->nitems] = name;
        s->items[s->nitems++] = (struct bind_item){ast->items[i].alias, e};
    }
    return true;
}

/* Item number n of SELECT, as GROUP BY 1 and ORDER BY 1 mean it. */
static struct tsfs_expr *ordinal(struct binder *b, const struct bind_select *s,
                                 const struct sql_ast_expr *ast)
{
    if (ast->integer < 1 || ast->integer > (int64_t)s->nitems) {
        bind_fail(b, ast->line, ast->column, "%s %lld: SELECT has %u column%s", s->clause,
                  (long long)ast->integer, s->nitems, s->nitems == 1 ? "" : "s");
        return NULL;
    }
    return s->items[ast->integer - 1].expr;
}

static bool no_aggregate(void *ctx, uint32_t index)
{
    *(uint32_t *)ctx = index & ~BIND_AGGREGATE_BIT;
    return (index & BIND_AGGREGATE_BIT) == 0;
}

struct groups {
    struct tsfs_expr **exprs;
    uint32_t n;
    struct bind_index index;
};

static uint32_t find_group(const struct groups *g, const struct tsfs_expr *e)
{
    uint32_t at = 0, i;
    if (g->n == 0)
        return UINT32_MAX;
    uint64_t hash = tsfs_expr_hash(e);
    while ((i = bind_index_next(&g->index, hash, &at)) != UINT32_MAX)
        if (tsfs_expr_equal(g->exprs[i], e))
            return i;
    return UINT32_MAX;
}

static bool bind_groups(struct binder *b, struct bind_select *s, const struct sql_ast_select *ast,
                        struct groups *g)
{
    if (ast->ngroups > TSFS_SQL_COLUMNS_MAX)
        return fail_width(b, ast->groups[0]->line, ast->groups[0]->column, "GROUP BY");
    g->exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast->ngroups);
    if (g->exprs == NULL)
        return bind_fail_memory(b);
    if (!bind_index_init(b, &g->index, ast->ngroups))
        return false;
    s->clause = "GROUP BY";
    s->aggregates = false;
    s->aliases = BIND_ALIASES_LAST;
    for (uint32_t i = 0; i < ast->ngroups; i++) {
        const struct sql_ast_expr *expr = ast->groups[i];
        struct tsfs_expr *e = expr->kind == SQL_AST_INTEGER ? ordinal(b, s, expr) : bind_expr(b, s, expr);
        if (e == NULL)
            return false;
        uint32_t number;
        if (!tsfs_expr_each_column(e, no_aggregate, &number))
            return bind_fail(b, expr->line, expr->column, "GROUP BY cannot contain the aggregate %s()",
                             s->aggs[number].fn->name);
        if (find_group(g, e) != UINT32_MAX)
            continue;
        bind_index_add(&g->index, tsfs_expr_hash(e), g->n);
        g->exprs[g->n++] = e;
    }
    return true;
}

/* What e is over the output of the aggregation. */
static struct tsfs_expr *regroup(struct binder *b, const struct bind_select *s, const struct groups *g,
                                 struct tsfs_expr *e)
{
    uint32_t i = e->kind == TSFS_EXPR_LITERAL ? UINT32_MAX : find_group(g, e);
    struct tsfs_expr *out = e;
    if (i != UINT32_MAX) {
        out = tsfs_expr_column(b->arena, i, e->type, e);
    } else if (e->kind == TSFS_EXPR_COLUMN && (e->index & BIND_AGGREGATE_BIT) != 0) {
        out = tsfs_expr_column(b->arena, g->n + (e->index & ~BIND_AGGREGATE_BIT), e->type, e);
    } else if (e->kind == TSFS_EXPR_COLUMN) {
        bind_fail(b, e->line, e->column,
                  "column \"%.*s\" must appear in GROUP BY or stand inside an aggregate",
                  BIND_NAME(s->scope->cols[e->index].name));
        return NULL;
    } else if (e->nargs > 0) {
        struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, e->nargs);
        if (args != NULL) {
            for (uint32_t k = 0; k < e->nargs; k++)
                if ((args[k] = regroup(b, s, g, e->args[k])) == NULL)
                    return NULL;
            out = tsfs_expr_with_args(b->arena, e, args);
        } else {
            out = NULL;
        }
    }
    if (out == NULL)
        bind_fail_memory(b);
    return out;
}

static uint32_t find_item(const struct bind_select *s, const struct tsfs_expr *e)
{
    for (uint32_t i = 0; i < s->nitems; i++)
        if (s->items[i].expr == e)
            return i;
    for (uint32_t i = 0; i < s->nitems; i++)
        if (tsfs_expr_equal(s->items[i].expr, e))
            return i;
    return TSFS_BOUND_NO_ITEM;
}

/* ORDER BY; the expressions are still over FROM. */
static bool bind_keys(struct binder *b, struct bind_select *s, const struct sql_ast_query *q, bool distinct,
                      struct tsfs_bound *rel)
{
    if (q->nkeys > TSFS_SQL_KEYS_MAX)
        return bind_fail(b, q->keys[0].expr->line, q->keys[0].expr->column,
                         "ORDER BY has more than %d expressions", TSFS_SQL_KEYS_MAX);
    rel->select.keys = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_key, q->nkeys);
    if (rel->select.keys == NULL)
        return bind_fail_memory(b);
    s->clause = "ORDER BY";
    s->aggregates = true;
    s->aliases = BIND_ALIASES_FIRST;
    for (uint32_t i = 0; i < q->nkeys; i++) {
        const struct sql_ast_expr *ast = q->keys[i].expr;
        bool by_number = ast->kind == SQL_AST_INTEGER;
        struct tsfs_expr *e = by_number ? ordinal(b, s, ast) : bind_expr(b, s, ast);
        if (e == NULL)
            return false;
        uint32_t item = by_number ? (uint32_t)ast->integer - 1 : find_item(s, e);
        if (distinct && item == TSFS_BOUND_NO_ITEM)
            return bind_fail(b, ast->line, ast->column,
                             "with SELECT DISTINCT, ORDER BY can only name columns of SELECT");
        rel->select.keys[rel->select.nkeys++] =
            (struct tsfs_bound_key){e, item, q->keys[i].descending, q->keys[i].nulls_first};
    }
    return true;
}

static bool regroup_all(struct binder *b, const struct bind_select *s, const struct groups *g,
                        struct tsfs_bound *rel)
{
    for (uint32_t i = 0; i < s->nitems; i++)
        if ((s->items[i].expr = regroup(b, s, g, s->items[i].expr)) == NULL)
            return false;
    if (rel->select.having != NULL && (rel->select.having = regroup(b, s, g, rel->select.having)) == NULL)
        return false;
    for (uint32_t i = 0; i < rel->select.nkeys; i++) {
        struct tsfs_bound_key *key = &rel->select.keys[i];
        key->expr = key->item != TSFS_BOUND_NO_ITEM ? s->items[key->item].expr : regroup(b, s, g, key->expr);
        if (key->expr == NULL)
            return false;
    }
    return true;
}

static struct tsfs_bound *bind_select_query(struct binder *b, const struct sql_ast_query *q)
{
    const struct sql_ast_select *ast = q->select;
    const struct tsfs_bound *from = ast->from == NULL ? NULL : bind_from(b, ast->from);
    if (ast->from != NULL && from == NULL)
        return NULL;
    struct bind_scope scope;
    struct bind_select s = {.scope = &scope};
    struct groups groups = {0};
    struct tsfs_str *names;
    struct tsfs_bound *rel = new_bound(b, TSFS_BOUND_SELECT, 0);
    if (rel == NULL || !bind_scope_init(b, &scope, from, ast->from))
        return NULL;
    rel->select.from = from;
    rel->depth = from == NULL ? 1 : from->depth + 1;
    if (rel->depth > TSFS_SQL_DEPTH_MAX) {
        bind_fail(b, ast->line, ast->column, "queries build on one another deeper than %d levels here",
                  TSFS_SQL_DEPTH_MAX);
        return NULL;
    }
    rel->select.distinct = ast->distinct;
    rel->select.limit = q->limit;
    rel->select.offset = q->offset;
    s.clause = "WHERE";
    if (ast->where != NULL && (rel->select.where = bind_condition(b, &s, ast->where, "WHERE")) == NULL)
        return NULL;
    if (!bind_items(b, &s, ast, &names) || !bind_groups(b, &s, ast, &groups))
        return NULL;
    s.clause = "HAVING";
    s.aggregates = true;
    if (ast->having != NULL && (rel->select.having = bind_condition(b, &s, ast->having, "HAVING")) == NULL)
        return NULL;
    if (!bind_keys(b, &s, q, ast->distinct, rel))
        return NULL;
    rel->select.aggregated = ast->grouped || ast->having != NULL || s.naggs > 0;
    if (s.naggs > TSFS_SQL_COLUMNS_MAX) {
        fail_width(b, ast->line, ast->column, "the list of aggregates");
        return NULL;
    }
    if (rel->select.aggregated && !regroup_all(b, &s, &groups, rel))
        return NULL;
    rel->select.groups = groups.exprs;
    rel->select.ngroups = groups.n;
    rel->select.aggs = s.aggs;
    rel->select.naggs = s.naggs;
    rel->ncols = s.nitems;
    rel->cols = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_column, s.nitems);
    rel->select.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, s.nitems);
    if (rel->cols == NULL || rel->select.exprs == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < s.nitems; i++) {
        rel->cols[i] = (struct tsfs_bound_column){names[i], s.items[i].expr->type};
        rel->select.exprs[i] = s.items[i].expr;
    }
    return rel;
}

/* Each CTE is bound once, whether it is used or not, and sees those before it. */
static bool bind_ctes(struct binder *b, const struct sql_ast_query *q)
{
    for (uint32_t i = 0; i < q->nctes; i++) {
        const struct sql_ast_cte *ast = &q->ctes[i];
        if (i == TSFS_SQL_CTES_MAX)
            return bind_fail(b, ast->line, ast->column, "WITH has more than %d queries", TSFS_SQL_CTES_MAX);
        for (uint32_t k = 0; k < i; k++)
            if (tsfs_str_eq(q->ctes[k].name, ast->name))
                return bind_fail(b, ast->line, ast->column, "WITH names \"%.*s\" twice",
                                 BIND_NAME(ast->name));
        const struct tsfs_bound *rel = bind_query(b, ast->query);
        if (rel == NULL)
            return false;
        rel = rename_columns(b, rel, ast->name, ast->columns, ast->ncolumns, ast->line, ast->column);
        struct bind_cte *cte = rel == NULL ? NULL : TSFS_NEW(b->arena, struct bind_cte);
        if (cte == NULL)
            return rel == NULL ? false : bind_fail_memory(b);
        *cte = (struct bind_cte){ast->name, rel, b->ctes};
        b->ctes = cte;
    }
    return true;
}

struct tsfs_bound *bind_query(struct binder *b, const struct sql_ast_query *q)
{
    const struct bind_cte *outer = b->ctes;
    struct tsfs_bound *rel = bind_ctes(b, q) ? bind_select_query(b, q) : NULL;
    b->ctes = outer;
    return rel;
}
