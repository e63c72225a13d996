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

static bool fail_width(struct binder *b, uint32_t line, uint32_t column, const char *clause)
{
    return bind_fail(b, line, column, "%s has more than %d expressions", clause, TSFS_SQL_COLUMNS_MAX);
}

static bool star_matches(const struct bind_scope_column *col, const struct sql_ast_expr *star)
{
    if (star->nparts == 0)
        return !col->hidden;
    struct tsfs_str table = star->parts[star->nparts - 1];
    return col->table.ptr != NULL && sql_same_word(col->table, table) &&
           (star->nparts < 2 ||
            (col->database.ptr != NULL && sql_same_word(col->database, star->parts[star->nparts - 2])));
}

/* Whether a.* is of a table: rows have a .* too, tables come first. */
static bool of_table(const struct bind_select *s, const struct sql_ast_expr *star)
{
    bool column = false;
    if (star->nargs > 0)
        return false;
    for (uint32_t i = 0; i < s->scope->ncols; i++) {
        const struct bind_scope_column *col = &s->scope->cols[i];
        if (star_matches(col, star))
            return true;
        column |= star->nparts > 0 && (sql_same_word(col->name, star->parts[0]) ||
                                       (star->nparts > 1 && sql_same_word(col->name, star->parts[1])));
    }
    return !column;
}

/* row.*: its fields. */
static bool expand_row(struct binder *b, struct bind_select *s, const struct sql_ast_expr *star,
                       struct tsfs_str *names)
{
    struct sql_ast_expr name = *star;
    name.kind = SQL_AST_NAME;
    struct tsfs_expr *row = bind_expr(b, s, star->nargs > 0 ? star->args[0] : &name);
    if (row == NULL)
        return false;
    if (tsfs_type_kind(row->type) != TSFS_KIND_ROW)
        return bind_fail(b, star->line, star->column, ".* is of tables and rows, this is %s",
                         tsfs_type_name(row->type));
    for (uint32_t i = 0; i < tsfs_type_nfields(row->type); i++) {
        if (s->nitems == TSFS_SQL_COLUMNS_MAX)
            return fail_width(b, star->line, star->column, "SELECT");
        struct tsfs_expr *e = bind_field_at(b, s, star, row, i);
        struct tsfs_str field = tsfs_type_field_name(row->type, i);
        if (e == NULL || (field.ptr == NULL && (field = bind_column_name(b, s->nitems)).ptr == NULL))
            return false;
        names[s->nitems] = field;
        s->items[s->nitems++] = (struct bind_item){.expr = e};
    }
    return true;
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
        struct tsfs_expr *e =
            col->expr != NULL ? col->expr : bind_new(b, TSFS_EXPR_COLUMN, col->type, star, 0);
        if (e == NULL)
            return false;
        if (col->expr == NULL)
            e->index = col->index;
        names[s->nitems] = col->name;
        s->items[s->nitems++] = (struct bind_item){.expr = e};
    }
    if (s->nitems == before)
        return star->nparts == 0 || bind_fail(b, star->line, star->column, "no table \"%.*s\" in FROM",
                                              BIND_NAME(star->parts[star->nparts - 1]));
    return true;
}

/* t.* AS (c, ..): names for the columns from `first` on. */
static bool name_columns(struct binder *b, struct bind_select *s, const struct sql_ast_item *item,
                         uint32_t first, struct tsfs_str *names)
{
    if (item->ncolumns == 0)
        return true;
    if (item->ncolumns != s->nitems - first)
        return bind_fail(b, item->expr->line, item->expr->column,
                         ".* has %u column%s, but names for %u are given", s->nitems - first,
                         s->nitems - first == 1 ? "" : "s", item->ncolumns);
    for (uint32_t i = 0; i < item->ncolumns; i++)
        names[first + i] = s->items[first + i].alias = item->columns[i];
    return true;
}

struct tsfs_str bind_column_name(struct binder *b, uint32_t i)
{
    char *text = tsfs_arena_printf(b->arena, "_col%u", i);
    if (text == NULL)
        bind_fail_memory(b);
    return text == NULL ? (struct tsfs_str){0} : tsfs_str_from(text);
}

static bool bind_items(struct binder *b, struct bind_select *s, const struct sql_ast_select *ast,
                       struct tsfs_str **out_names)
{
    uint64_t room = 0;
    for (uint32_t i = 0; i < ast->nitems && room < TSFS_SQL_COLUMNS_MAX; i++)
        room += ast->items[i].expr->kind != SQL_AST_STAR ? 1
                : of_table(s, ast->items[i].expr)        ? s->scope->ncols
                                                         : TSFS_SQL_COLUMNS_MAX;
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
            uint32_t first = s->nitems;
            if (!(of_table(s, expr) ? expand_star : expand_row)(b, s, expr, names) ||
                !name_columns(b, s, &ast->items[i], first, names))
                return false;
            continue;
        }
        if (s->nitems == TSFS_SQL_COLUMNS_MAX)
            return fail_width(b, expr->line, expr->column, "SELECT");
        uint32_t begun = bind_height_begin(b);
        struct tsfs_expr *e = bind_expr(b, s, expr);
        uint32_t height = bind_height_end(b, begun);
        if (e == NULL)
            return false;
        struct tsfs_str name = ast->items[i].alias;
        if (name.ptr == NULL && expr->kind == SQL_AST_NAME)
            name = b->name;
        if (name.ptr == NULL && (name = bind_column_name(b, s->nitems)).ptr == NULL)
            return false;
        names[s->nitems] = name;
        s->items[s->nitems++] = (struct bind_item){ast->items[i].alias, e, height};
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

static bool no_standin(void *ctx, uint32_t index)
{
    *(uint32_t *)ctx = index;
    return (index & BIND_STANDIN_BITS) == 0;
}

struct groups {
    struct tsfs_expr **exprs;
    uint32_t n;
    uint32_t *numbers; /* of each group written its number here */
    struct bind_index index;
};

/* The group that is written like e; if there is none, as_written: none, else the first that is equal. */
static uint32_t find_group(const struct groups *g, const struct tsfs_expr *e, bool as_written)
{
    uint32_t at = 0, i, equal = UINT32_MAX;
    if (g->n == 0)
        return UINT32_MAX;
    uint64_t hash = tsfs_expr_hash(e);
    while ((i = bind_index_next(&g->index, hash, &at)) != UINT32_MAX) {
        if (!tsfs_expr_equal(g->exprs[i], e))
            continue;
        if (tsfs_expr_equal_written(g->exprs[i], e))
            return i;
        equal = equal == UINT32_MAX ? i : equal;
    }
    return as_written ? UINT32_MAX : equal;
}

static bool bind_groups(struct binder *b, struct bind_select *s, const struct sql_ast_select *ast,
                        struct groups *g)
{
    if (ast->ngroups > TSFS_SQL_COLUMNS_MAX)
        return fail_width(b, ast->groups[0]->line, ast->groups[0]->column, "GROUP BY");
    g->exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast->ngroups);
    g->numbers = TSFS_NEW_ARRAY(b->arena, uint32_t, ast->ngroups);
    if (g->exprs == NULL || g->numbers == NULL)
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
        if (!tsfs_expr_each_column(e, no_standin, &number)) {
            if (number & BIND_AGGREGATE_BIT)
                return bind_fail(b, expr->line, expr->column, "GROUP BY cannot contain the aggregate %s()",
                                 s->aggs[number & ~BIND_STANDIN_BITS].fn->name);
            if (number & BIND_WINDOW_BIT)
                return bind_fail(b, expr->line, expr->column,
                                 "GROUP BY cannot contain the window function %s()",
                                 s->wins[number & ~BIND_STANDIN_BITS].fn->name);
            return bind_fail(b, expr->line, expr->column, "GROUP BY cannot contain GROUPING");
        }
        /* GROUPING SETS ((a + 1), (a + (2 - 1))) are two sets of two columns */
        if ((g->numbers[i] = find_group(g, e, ast->nsets > 0)) != UINT32_MAX)
            continue;
        g->numbers[i] = g->n;
        bind_index_add(&g->index, tsfs_expr_hash(e), g->n);
        g->exprs[g->n++] = e;
    }
    return true;
}

/* What e is over the output of the aggregation. */
static struct tsfs_expr *regroup(struct binder *b, const struct bind_select *s, const struct groups *g,
                                 struct tsfs_expr *e)
{
    uint32_t i = e->kind == TSFS_EXPR_LITERAL ? UINT32_MAX : find_group(g, e, false);
    struct tsfs_expr *out = e;
    if (i != UINT32_MAX) {
        out = tsfs_expr_column(b->arena, i, e->type, e);
    } else if (e->kind == TSFS_EXPR_COLUMN && (e->index & BIND_STANDIN_BITS) != 0) {
        uint32_t base = g->n, number = e->index & ~BIND_STANDIN_BITS;
        if (e->index & (BIND_GROUPING_BIT | BIND_WINDOW_BIT))
            base += s->naggs;
        if (e->index & BIND_WINDOW_BIT)
            base += s->ngroupings;
        out = tsfs_expr_column(b->arena, base + number, e->type, e);
    } else if (e->kind == TSFS_EXPR_COLUMN) {
        bind_fail(b, e->line, e->column,
                  "column \"%.*s\" must appear in GROUP BY or stand inside an aggregate",
                  BIND_NAME(s->scope->rel->cols[e->index].name));
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
    s->aggregates = q->select != NULL;
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

/* What e is over what the select's later parts see: groups and aggregates, or FROM; windows behind them. */
struct settle {
    struct binder *b;
    const struct bind_select *s;
    const struct groups *g; /* NULL: not grouped */
    bool sets;              /* GROUPING SETS, CUBE or ROLLUP */
};

static struct tsfs_expr *settle_column(void *ctx, struct tsfs_expr *e)
{
    const struct settle *c = ctx;
    if ((e->index & BIND_WINDOW_BIT) == 0)
        return e;
    uint32_t base = c->s->scope->rel == NULL ? 0 : c->s->scope->rel->ncols;
    return tsfs_expr_column(c->b->arena, base + (e->index & ~BIND_STANDIN_BITS), e->type, e);
}

static bool settle(const struct settle *c, struct tsfs_expr **e)
{
    if (*e == NULL)
        return true;
    if (c->sets &&
        (*e)->kind == TSFS_EXPR_LITERAL) { /* a group that came to a literal is NULL outside its sets */
        uint32_t i = find_group(c->g, *e, false);
        if (i != UINT32_MAX)
            *e = tsfs_expr_column(c->b->arena, i, (*e)->type, *e);
        return *e != NULL || bind_fail_memory(c->b);
    }
    if (c->g != NULL)
        return (*e = regroup(c->b, c->s, c->g, *e)) != NULL;
    if (c->s->nwins == 0)
        return true;
    *e = tsfs_expr_map(c->b->arena, *e, settle_column, (void *)c);
    return *e != NULL || bind_fail_memory(c->b);
}

static bool settle_windows(const struct settle *c)
{
    for (uint32_t i = 0; i < c->s->nwins; i++) {
        struct tsfs_bound_window *w = &c->s->wins[i];
        for (uint32_t k = 0; k < w->nargs; k++)
            if (!settle(c, &w->args[k]))
                return false;
        for (uint32_t k = 0; k < w->npartition; k++)
            if (!settle(c, &w->partition[k]))
                return false;
        for (uint32_t k = 0; k < w->nkeys; k++)
            if (!settle(c, &w->keys[k].expr))
                return false;
        if (!settle(c, &w->filter) || !settle(c, &w->start_offset) || !settle(c, &w->end_offset))
            return false;
    }
    return true;
}

static bool settle_all(const struct settle *c, struct tsfs_bound *rel)
{
    struct bind_select *s = (struct bind_select *)c->s;
    for (uint32_t i = 0; i < s->nitems; i++)
        if (!settle(c, &s->items[i].expr))
            return false;
    if (!settle(c, &rel->select.having))
        return false;
    for (uint32_t i = 0; i < rel->select.nkeys; i++) {
        struct tsfs_bound_key *key = &rel->select.keys[i];
        if (key->item != TSFS_BOUND_NO_ITEM)
            key->expr = s->items[key->item].expr;
        else if (!settle(c, &key->expr))
            return false;
    }
    return settle_windows(c);
}

static bool same_set(const struct tsfs_bound_grouping *a, const struct tsfs_bound_grouping *c, uint32_t n)
{
    return n == 0 || memcmp(a->has, c->has, n * sizeof(bool)) == 0;
}

static bool bind_sets(struct binder *b, const struct sql_ast_select *ast, const struct groups *g,
                      struct tsfs_bound *rel)
{
    rel->select.sets = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_grouping, ast->nsets);
    if (rel->select.sets == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < ast->nsets; i++) {
        struct tsfs_bound_grouping *set = &rel->select.sets[rel->select.nsets];
        set->has = TSFS_NEW_ARRAY(b->arena, bool, g->n);
        if (set->has == NULL)
            return bind_fail_memory(b);
        for (uint32_t k = 0; k < ast->sets[i].n; k++)
            set->has[g->numbers[ast->sets[i].groups[k]]] = true;
        bool again = false;
        for (uint32_t k = 0; ast->distinct_sets && k < rel->select.nsets && !again; k++)
            again = same_set(&rel->select.sets[k], set, g->n);
        rel->select.nsets += !again;
    }
    return true;
}

/* GROUPING's arguments must be groups. */
static bool bind_groupings(struct binder *b, const struct bind_select *s, const struct groups *g,
                           struct tsfs_bound *rel)
{
    rel->select.ngroupings = s->ngroupings;
    rel->select.groupings = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_groupings, s->ngroupings);
    if (rel->select.groupings == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < s->ngroupings; i++) {
        const struct bind_grouping *from = &s->groupings[i];
        struct tsfs_bound_groupings *to = &rel->select.groupings[i];
        to->n = from->nargs;
        to->groups = TSFS_NEW_ARRAY(b->arena, uint32_t, from->nargs);
        if (to->groups == NULL)
            return bind_fail_memory(b);
        for (uint32_t k = 0; k < from->nargs; k++)
            if ((to->groups[k] = find_group(g, from->args[k], false)) == UINT32_MAX)
                return bind_fail(b, from->args[k]->line, from->args[k]->column,
                                 "GROUPING takes expressions of GROUP BY: this is none");
    }
    return true;
}

bool bind_depth(struct binder *b, uint32_t depth, uint32_t line, uint32_t column)
{
    return depth <= TSFS_SQL_DEPTH_MAX ||
           bind_fail(b, line, column, "queries build on one another deeper than %d levels here",
                     TSFS_SQL_DEPTH_MAX);
}

static bool bind_clauses(struct binder *b, struct bind_select *s, const struct sql_ast_query *q,
                         struct groups *groups, struct tsfs_str **names, struct tsfs_bound *rel)
{
    const struct sql_ast_select *ast = q->select;
    s->clause = "WHERE";
    if (ast->where != NULL && (rel->select.where = bind_condition(b, s, ast->where, "WHERE")) == NULL)
        return false;
    s->windows = true;
    if (!bind_items(b, s, ast, names))
        return false;
    s->windows = false;
    if (!bind_groups(b, s, ast, groups))
        return false;
    s->clause = "HAVING";
    s->aggregates = true;
    if (ast->having != NULL && (rel->select.having = bind_condition(b, s, ast->having, "HAVING")) == NULL)
        return false;
    s->windows = true;
    return bind_keys(b, s, q, ast->distinct, rel);
}

static struct tsfs_bound *bind_select_query(struct binder *b, const struct sql_ast_query *q)
{
    const struct sql_ast_select *ast = q->select;
    struct bind_scope scope;
    struct bind_select s = {.scope = &scope, .named = ast->windows, .nnamed = ast->nwindows};
    struct groups groups = {0};
    struct tsfs_str *names = NULL;
    struct tsfs_bound *rel = bind_new_bound(b, TSFS_BOUND_SELECT, 0);
    if (rel == NULL || !bind_from(b, ast->from, &scope) || !bind_window_names(b, ast))
        return NULL;
    rel->select.from = scope.rel;
    rel->depth = scope.rel == NULL ? 1 : scope.rel->depth + 1;
    if (!bind_depth(b, rel->depth, ast->line, ast->column))
        return NULL;
    rel->select.distinct = ast->distinct;
    rel->select.limit = q->limit;
    rel->select.offset = q->offset;
    rel->select.ties = q->ties;
    if (!bind_clauses(b, &s, q, &groups, &names, rel))
        return NULL;
    rel->select.aggregated = ast->grouped || ast->having != NULL || s.naggs > 0 || s.ngroupings > 0;
    if (s.naggs > TSFS_SQL_COLUMNS_MAX || s.nwins > TSFS_SQL_COLUMNS_MAX) {
        fail_width(b, ast->line, ast->column, "the list of aggregates");
        return NULL;
    }
    struct settle settle = {b, &s, rel->select.aggregated ? &groups : NULL, ast->nsets > 0};
    if (!bind_sets(b, ast, &groups, rel) || !bind_groupings(b, &s, &groups, rel) || !settle_all(&settle, rel))
        return NULL;
    rel->select.groups = groups.exprs;
    rel->select.ngroups = groups.n;
    rel->select.aggs = s.aggs;
    rel->select.naggs = s.naggs;
    rel->select.windows = s.wins;
    rel->select.nwindows = s.nwins;
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

/* SELECT * FROM rel ORDER BY .. LIMIT ..: what a set operation or VALUES has of its own. */
static struct tsfs_bound *bind_tail(struct binder *b, const struct tsfs_bound *from,
                                    const struct sql_ast_query *q)
{
    struct bind_scope scope = {.rel = from, .what = TSFS_STR("the query"), .ncols = from->ncols};
    struct bind_select s = {.scope = &scope, .nitems = from->ncols};
    uint32_t line = q->set != NULL ? q->set->line : q->values->line;
    uint32_t column = q->set != NULL ? q->set->column : q->values->column;
    struct tsfs_bound *rel = bind_new_bound(b, TSFS_BOUND_SELECT, from->ncols);
    if (rel == NULL || !bind_depth(b, from->depth + 1, line, column))
        return NULL;
    if (from->ncols > 0)
        memcpy(rel->cols, from->cols, from->ncols * sizeof(*rel->cols));
    rel->depth = from->depth + 1;
    rel->select.from = from;
    rel->select.limit = q->limit;
    rel->select.offset = q->offset;
    rel->select.ties = q->ties;
    rel->select.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, from->ncols);
    s.items = TSFS_NEW_ARRAY(b->arena, struct bind_item, from->ncols);
    scope.cols = TSFS_NEW_ARRAY(b->arena, struct bind_scope_column, from->ncols);
    if (rel->select.exprs == NULL || s.items == NULL || scope.cols == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    struct tsfs_expr pos = {.line = line, .column = column};
    for (uint32_t i = 0; i < from->ncols; i++) {
        const struct tsfs_bound_column *col = &from->cols[i];
        scope.cols[i] = (struct bind_scope_column){.name = col->name, .type = col->type, .index = i};
        s.items[i].expr = tsfs_expr_column(b->arena, i, col->type, &pos);
        if ((rel->select.exprs[i] = s.items[i].expr) == NULL) {
            bind_fail_memory(b);
            return NULL;
        }
    }
    return bind_scope_index(b, &scope) && bind_keys(b, &s, q, false, rel) ? rel : NULL;
}

static struct tsfs_bound *bind_body(struct binder *b, const struct sql_ast_query *q)
{
    if (q->select != NULL)
        return bind_select_query(b, q);
    struct tsfs_bound *rel = q->set != NULL ? bind_set(b, q->set) : bind_values(b, q->values);
    if (rel == NULL || (q->nkeys == 0 && q->limit == UINT64_MAX && q->offset == 0))
        return rel;
    return bind_tail(b, rel, q);
}

struct tsfs_bound *bind_query(struct binder *b, const struct sql_ast_query *q)
{
    const struct bind_cte *outer = b->ctes;
    struct tsfs_bound *rel = bind_ctes(b, q) ? bind_body(b, q) : NULL;
    b->ctes = outer;
    return rel;
}
