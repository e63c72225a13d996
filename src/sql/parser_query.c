/* Queries: SELECT, VALUES and TABLE, set operations between them, WITH before and ORDER BY and LIMIT behind.
 */
#include "base/limits.h"
#include "base/num.h"
#include "sql/parser_priv.h"

static bool parse_items(struct sql_parser *p, struct sql_ast_select *s)
{
    struct sql_list list = {0};
    for (bool more = true; more;) {
        struct sql_ast_item *item = sql_list_add(p, &list, sizeof(*item));
        if (item == NULL)
            return false;
        if (p->tok.kind == SQL_TOK_STAR) {
            item->expr = TSFS_NEW(p->arena, struct sql_ast_expr);
            if (item->expr == NULL)
                return sql_fail_memory(p);
            *item->expr = (struct sql_ast_expr){
                .kind = SQL_AST_STAR, .line = p->tok.line, .column = p->tok.column, .depth = 1};
            if (!sql_advance(p))
                return false;
        } else {
            item->expr = sql_parse_expr(p);
            if (item->expr == NULL)
                return false;
            if (item->expr->kind != SQL_AST_STAR) {
                if (!sql_parse_alias(p, &item->alias))
                    return false;
            } else if (sql_is(p, SQL_KW_AS)) {
                if (!sql_advance(p))
                    return false;
                if (p->tok.kind != SQL_TOK_LPAREN)
                    return sql_fail_expected(p, "( and a name for each column after .* AS");
                if (!sql_parse_columns(p, &item->columns, &item->ncolumns))
                    return false;
            }
        }
        if (!sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    s->items = list.items;
    s->nitems = list.n;
    return true;
}

static struct sql_ast_select *parse_select(struct sql_parser *p)
{
    struct sql_ast_select *s = TSFS_NEW(p->arena, struct sql_ast_select);
    if (s == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    s->line = p->tok.line;
    s->column = p->tok.column;
    bool found;
    if (!sql_expect(p, SQL_KW_SELECT, "SELECT") || !sql_accept(p, SQL_KW_DISTINCT, &s->distinct))
        return NULL;
    if (!s->distinct && !sql_accept(p, SQL_KW_ALL, &found))
        return NULL;
    if (!parse_items(p, s) || !sql_accept(p, SQL_KW_FROM, &found))
        return NULL;
    if (found && (s->from = sql_parse_from(p)) == NULL)
        return NULL;
    if (!sql_accept(p, SQL_KW_WHERE, &found))
        return NULL;
    if (found && (s->where = sql_parse_expr(p)) == NULL)
        return NULL;
    if (!sql_accept(p, SQL_KW_GROUP, &found))
        return NULL;
    if (found && (!sql_expect(p, SQL_KW_BY, "BY") || !sql_parse_group_by(p, s)))
        return NULL;
    if (!sql_accept(p, SQL_KW_HAVING, &found))
        return NULL;
    if (found && (s->having = sql_parse_expr(p)) == NULL)
        return NULL;
    if (!sql_accept(p, SQL_KW_WINDOW, &found) || (found && !sql_parse_window_clause(p, s)))
        return NULL;
    return s;
}

bool sql_parse_keys(struct sql_parser *p, struct sql_ast_key **keys, uint32_t *nkeys)
{
    struct sql_list list = {0};
    for (bool more = true; more;) {
        struct sql_ast_key *key = sql_list_add(p, &list, sizeof(*key));
        bool found;
        if (key == NULL || (key->expr = sql_parse_expr(p)) == NULL || !sql_accept(p, SQL_KW_ASC, &found))
            return false;
        if (!found && !sql_accept(p, SQL_KW_DESC, &key->descending))
            return false;
        if (!sql_accept(p, SQL_KW_NULLS, &found))
            return false;
        if (found) {
            if (!sql_accept(p, SQL_KW_FIRST, &key->nulls_first))
                return false;
            if (!key->nulls_first && !sql_expect(p, SQL_KW_LAST, "FIRST or LAST"))
                return false;
        }
        if (!sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    *keys = list.items;
    *nkeys = list.n;
    return true;
}

static bool parse_count(struct sql_parser *p, uint64_t *out, const char *expected)
{
    if (p->tok.kind != SQL_TOK_INTEGER)
        return sql_fail_expected(p, expected);
    int64_t n;
    if (tsfs_num_parse_i64(p->tok.text, &n) != 0)
        return sql_fail_at(p, p->tok.line, p->tok.column, "this integer does not fit into 64 bits");
    *out = (uint64_t)n;
    return sql_advance(p);
}

static bool parse_rows_word(struct sql_parser *p, bool required)
{
    bool found;
    if (!sql_accept(p, SQL_KW_ROW, &found) || (!found && !sql_accept(p, SQL_KW_ROWS, &found)))
        return false;
    return found || !required || sql_fail_expected(p, "ROW or ROWS");
}

/* LIMIT, OFFSET and FETCH in any order, each once. */
static bool parse_limits(struct sql_parser *p, struct sql_ast_query *q)
{
    bool limited = false, skipped = false, found;
    q->limit = UINT64_MAX;
    for (;;) {
        if (!skipped && sql_is(p, SQL_KW_OFFSET)) {
            skipped = true;
            if (!sql_advance(p) || !parse_count(p, &q->offset, "a number of rows") ||
                !parse_rows_word(p, false))
                return false;
        } else if (!limited && sql_is(p, SQL_KW_LIMIT)) {
            limited = true;
            if (!sql_advance(p) || !sql_accept(p, SQL_KW_ALL, &found))
                return false;
            if (!found && !parse_count(p, &q->limit, "a number of rows or ALL"))
                return false;
        } else if (!limited && sql_is(p, SQL_KW_FETCH)) {
            limited = true;
            if (!sql_advance(p) || !sql_accept(p, SQL_KW_FIRST, &found))
                return false;
            if (!found && !sql_expect(p, SQL_KW_NEXT, "FIRST or NEXT"))
                return false;
            q->limit = 1;
            struct sql_token count = p->tok;
            if (count.kind == SQL_TOK_INTEGER && !parse_count(p, &q->limit, "a number of rows"))
                return false;
            if (q->limit == 0)
                return sql_fail_at(p, count.line, count.column,
                                   "FETCH takes at least one row: LIMIT 0 is no rows");
            if (!parse_rows_word(p, true))
                return false;
            if (!sql_accept(p, SQL_KW_WITH, &q->ties))
                return false;
            if (!sql_is(p, SQL_KW_NONE) ||
                !sql_same_word(p->tok.text, q->ties ? TSFS_STR("ties") : TSFS_STR("only")))
                return sql_fail_expected(p, q->ties ? "TIES" : "ONLY or WITH TIES");
            if (q->ties && q->nkeys == 0)
                return sql_fail_at(p, p->tok.line, p->tok.column,
                                   "FETCH .. WITH TIES needs an ORDER BY: without one no rows tie");
            if (!sql_advance(p))
                return false;
        } else {
            return true;
        }
    }
}

static bool parse_with(struct sql_parser *p, struct sql_ast_query *q)
{
    struct sql_list list = {0};
    if (sql_is(p, SQL_KW_RECURSIVE))
        return sql_fail_unsupported(
            p, &p->tok,
            "WITH RECURSIVE: write each step as a query of WITH, or UNNEST(sequence(a, b)) for numbers");
    for (bool more = true; more;) {
        struct sql_ast_cte *cte = sql_list_add(p, &list, sizeof(*cte));
        if (cte == NULL)
            return false;
        cte->line = p->tok.line;
        cte->column = p->tok.column;
        if (!sql_name(p, &cte->name, "a name after WITH"))
            return false;
        if (p->tok.kind == SQL_TOK_LPAREN && !sql_parse_columns(p, &cte->columns, &cte->ncolumns))
            return false;
        if (!sql_expect(p, SQL_KW_AS, "AS") || !sql_expect_token(p, SQL_TOK_LPAREN, "("))
            return false;
        cte->query = sql_parse_query(p);
        if (cte->query == NULL || !sql_expect_token(p, SQL_TOK_RPAREN, ")") ||
            !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    q->ctes = list.items;
    q->nctes = list.n;
    return true;
}

static struct sql_ast_query *new_query(struct sql_parser *p)
{
    struct sql_ast_query *q = TSFS_NEW(p->arena, struct sql_ast_query);
    if (q == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    q->limit = UINT64_MAX;
    q->height = 1;
    return q;
}

struct sql_ast_query *sql_query_from(struct sql_parser *p, struct sql_ast_from *from,
                                     const struct sql_token *at)
{
    struct sql_ast_query *q = new_query(p);
    struct sql_ast_select *s = TSFS_NEW(p->arena, struct sql_ast_select);
    struct sql_ast_expr *star = sql_new_node(p, SQL_AST_STAR, at);
    struct sql_ast_item *item = TSFS_NEW(p->arena, struct sql_ast_item);
    if (q == NULL || s == NULL || star == NULL || item == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    *item = (struct sql_ast_item){.expr = star};
    *s = (struct sql_ast_select){
        .line = at->line, .column = at->column, .items = item, .nitems = 1, .from = from};
    q->select = s;
    return q;
}

/* The inner one keeps its own ORDER BY and LIMIT. */
struct sql_ast_query *sql_query_over(struct sql_parser *p, struct sql_ast_query *inner,
                                     const struct sql_token *at)
{
    struct sql_ast_from *from = TSFS_NEW(p->arena, struct sql_ast_from);
    if (from == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    *from = (struct sql_ast_from){
        .kind = SQL_AST_DERIVED, .line = at->line, .column = at->column, .query = inner, .height = 1};
    return sql_query_from(p, from, at);
}

struct sql_ast_query *sql_query_table(struct sql_parser *p, const struct sql_token *at)
{
    struct sql_ast_query *q = sql_query_over(p, NULL, at);
    if (q == NULL)
        return NULL;
    struct sql_ast_from *from = q->select->from;
    from->kind = SQL_AST_TABLE;
    from->line = p->tok.line;
    from->column = p->tok.column;
    return sql_parse_table_name(p, &from->database, &from->name) ? q : NULL;
}

/* VALUES row, ..: a row is an expression or (a, b). */
static struct sql_ast_values *parse_values(struct sql_parser *p)
{
    struct sql_ast_values *v = TSFS_NEW(p->arena, struct sql_ast_values);
    struct sql_list rows = {0};
    if (v == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    v->line = p->tok.line;
    v->column = p->tok.column;
    if (!sql_advance(p))
        return NULL;
    for (bool more = true; more;) {
        struct sql_list row = {0};
        struct sql_token at = p->tok;
        struct sql_ast_expr ***slot = sql_list_add(p, &rows, sizeof(*slot));
        if (slot == NULL)
            return NULL;
        p->rows = true;
        struct sql_ast_expr *e = sql_parse_expr(p);
        p->rows = false;
        if (e == NULL)
            return NULL;
        if (e->kind == SQL_AST_ROW) {
            for (uint32_t i = 0; i < e->nargs; i++)
                if (!sql_add_expr(p, &row, e->args[i]))
                    return NULL;
        } else if (!sql_add_expr(p, &row, e)) {
            return NULL;
        }
        if (row.n == 0) {
            sql_fail_at(p, at.line, at.column, "a row of VALUES has no columns");
            return NULL;
        }
        if (rows.n > 1 && row.n != v->ncols) {
            sql_fail_at(p, at.line, at.column, "the rows of VALUES have %u and %u columns", v->ncols, row.n);
            return NULL;
        }
        v->ncols = row.n;
        *slot = row.items;
        if (!sql_accept_token(p, SQL_TOK_COMMA, &more))
            return NULL;
    }
    v->rows = rows.items;
    v->nrows = rows.n;
    return v;
}

/* SELECT .., VALUES .. or (query) */
static struct sql_ast_query *parse_operand(struct sql_parser *p, bool *nested, struct sql_token *open)
{
    *nested = false;
    *open = p->tok;
    struct sql_ast_query *q;
    if (p->tok.kind == SQL_TOK_LPAREN) {
        *nested = true;
        if (!sql_advance(p))
            return NULL;
        q = sql_parse_query(p);
        return q != NULL && sql_expect_token(p, SQL_TOK_RPAREN, ")") ? q : NULL;
    }
    if (sql_is(p, SQL_KW_TABLE))
        return sql_advance(p) ? sql_query_table(p, open) : NULL; /* TABLE t is SELECT * FROM t */
    q = new_query(p);
    if (q == NULL)
        return NULL;
    if (sql_is(p, SQL_KW_VALUES))
        return (q->values = parse_values(p)) != NULL ? q : NULL;
    return (q->select = parse_select(p)) != NULL ? q : NULL;
}

/* left op right; a run of the same UNION grows the node that is there. */
static struct sql_ast_query *combine(struct sql_parser *p, const struct sql_token *at, enum tsfs_set_op op,
                                     bool all, struct sql_ast_query *left, bool left_nested,
                                     struct sql_ast_query *right)
{
    struct sql_ast_set *old = left_nested ? NULL : left->set;
    uint32_t n = old != NULL && op == TSFS_SET_UNION && old->op == op && old->all == all ? old->ninputs : 0;
    if (n == 0) {
        struct sql_ast_query *q = new_query(p);
        struct sql_ast_set *set = q == NULL ? NULL : TSFS_NEW(p->arena, struct sql_ast_set);
        if (set == NULL || (set->inputs = TSFS_NEW_ARRAY(p->arena, struct sql_ast_query *, 2)) == NULL) {
            sql_fail_memory(p);
            return NULL;
        }
        set->line = at->line;
        set->column = at->column;
        set->op = op;
        set->all = all;
        set->inputs[0] = left;
        set->inputs[1] = right;
        set->ninputs = 2;
        q->set = set;
        q->height = left->height;
        left = q;
    } else {
        if ((n & (n - 1)) == 0) {
            struct sql_ast_query **inputs = TSFS_NEW_ARRAY(p->arena, struct sql_ast_query *, n * 2);
            if (inputs == NULL) {
                sql_fail_memory(p);
                return NULL;
            }
            memcpy(inputs, old->inputs, n * sizeof(*inputs));
            old->inputs = inputs;
        }
        old->inputs[old->ninputs++] = right;
        left->height--;
    }
    if (right->height > left->height)
        left->height = right->height;
    if (++left->height > TSFS_SQL_DEPTH_MAX) {
        sql_fail_at(p, at->line, at->column, "queries nest deeper than %d levels here", TSFS_SQL_DEPTH_MAX);
        return NULL;
    }
    return left;
}

static bool parse_quantity(struct sql_parser *p, bool *all)
{
    bool distinct;
    if (!sql_accept(p, SQL_KW_ALL, all))
        return false;
    return *all || sql_accept(p, SQL_KW_DISTINCT, &distinct);
}

/* What first begins and INTERSECTs follow. */
static struct sql_ast_query *parse_intersects(struct sql_parser *p, struct sql_ast_query *left, bool *nested)
{
    while (left != NULL && sql_is(p, SQL_KW_INTERSECT)) {
        struct sql_token at = p->tok, open;
        bool all, right_nested;
        if (!sql_advance(p) || !parse_quantity(p, &all))
            return NULL;
        struct sql_ast_query *right = parse_operand(p, &right_nested, &open);
        left = right == NULL ? NULL : combine(p, &at, TSFS_SET_INTERSECT, all, left, *nested, right);
        *nested = false;
    }
    return left;
}

static bool parse_tail(struct sql_parser *p, struct sql_ast_query *q)
{
    bool found;
    if (!sql_accept(p, SQL_KW_ORDER, &found))
        return false;
    if (found && (!sql_expect(p, SQL_KW_BY, "BY") || !sql_parse_keys(p, &q->keys, &q->nkeys)))
        return false;
    return parse_limits(p, q);
}

/* The operands after the first, ORDER BY and LIMIT. */
static struct sql_ast_query *parse_body(struct sql_parser *p, struct sql_ast_query *left, bool nested,
                                        const struct sql_token *first)
{
    left = parse_intersects(p, left, &nested);
    while (left != NULL && (sql_is(p, SQL_KW_UNION) || sql_is(p, SQL_KW_EXCEPT))) {
        struct sql_token at = p->tok, open;
        bool all, right_nested;
        enum tsfs_set_op op = at.keyword == SQL_KW_UNION ? TSFS_SET_UNION : TSFS_SET_EXCEPT;
        if (!sql_advance(p) || !parse_quantity(p, &all))
            return NULL;
        struct sql_ast_query *right = parse_operand(p, &right_nested, &open);
        right = parse_intersects(p, right, &right_nested);
        left = right == NULL ? NULL : combine(p, &at, op, all, left, nested, right);
        nested = false;
    }
    if (left != NULL && nested)
        left = sql_query_over(p, left, first);
    return left != NULL && parse_tail(p, left) ? left : NULL;
}

struct sql_ast_query *sql_parse_query_rest(struct sql_parser *p, struct sql_ast_query *first,
                                           const struct sql_token *open)
{
    return parse_body(p, first, true, open);
}

bool sql_continues_query(const struct sql_parser *p)
{
    if (p->tok.kind == SQL_TOK_RPAREN)
        return true;
    switch (p->tok.kind == SQL_TOK_WORD ? p->tok.keyword : SQL_KW_NONE) {
    case SQL_KW_UNION:
    case SQL_KW_INTERSECT:
    case SQL_KW_EXCEPT:
    case SQL_KW_ORDER:
    case SQL_KW_LIMIT:
    case SQL_KW_OFFSET:
    case SQL_KW_FETCH: return true;
    default: return false;
    }
}

struct sql_ast_query *sql_parse_query(struct sql_parser *p)
{
    struct sql_ast_query with = {0}, *q = NULL;
    struct sql_token open;
    bool found, nested, rows = p->rows;
    if (!sql_enter(p))
        return NULL;
    p->rows = false;
    if (sql_accept(p, SQL_KW_WITH, &found) && (!found || parse_with(p, &with))) {
        q = parse_operand(p, &nested, &open);
        q = q == NULL ? NULL : parse_body(p, q, nested, &open);
    }
    sql_leave(p);
    p->rows = rows;
    if (q != NULL) {
        q->ctes = with.ctes;
        q->nctes = with.nctes;
    }
    return q;
}
