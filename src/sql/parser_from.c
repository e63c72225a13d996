/* FROM: tables, subqueries, and the joins between them.
 *
 *     from := item { "," item }        item := primary { join }
 *     join := CROSS JOIN primary | [INNER | LEFT | RIGHT | FULL [OUTER]] JOIN item { ON condition | USING
 * (..) } | NATURAL .. JOIN primary
 *
 * Joins group to the left and bind tighter than the comma; parentheses may hold a join.  A parenthesis may as
 * well hold a query, and "((" does not tell which: the inner one is read first, and what follows it decides.
 */
#include "base/limits.h"
#include "sql/parser_priv.h"

/* Words that begin the next clause although they are not reserved. */
static bool ends_from(const struct sql_parser *p)
{
    switch (p->tok.kind == SQL_TOK_WORD ? p->tok.keyword : SQL_KW_NONE) {
    case SQL_KW_LIMIT:
    case SQL_KW_OFFSET:
    case SQL_KW_FETCH:
    case SQL_KW_TABLESAMPLE:
    case SQL_KW_WINDOW: return true;
    default: return false;
    }
}

bool sql_parse_alias(struct sql_parser *p, struct tsfs_str *out)
{
    bool as;
    if (!sql_accept(p, SQL_KW_AS, &as))
        return false;
    if (as || (sql_is_name(&p->tok) && !ends_from(p)))
        return sql_name(p, out, "a name after AS");
    return true;
}

bool sql_parse_columns(struct sql_parser *p, struct tsfs_str **out, uint32_t *n)
{
    struct sql_list list = {0};
    bool more = true;
    if (!sql_advance(p))
        return false;
    while (more) {
        struct tsfs_str *slot = sql_list_add(p, &list, sizeof(*slot));
        if (slot == NULL || !sql_name(p, slot, "a column name") || !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    *out = list.items;
    *n = list.n;
    return sql_expect_token(p, SQL_TOK_RPAREN, ", or )");
}

bool sql_parse_table_name(struct sql_parser *p, struct tsfs_str *database, struct tsfs_str *name)
{
    bool dot;
    if (!sql_name(p, name, "a table name") || !sql_accept_token(p, SQL_TOK_DOT, &dot))
        return false;
    if (!dot)
        return true;
    *database = *name;
    if (!sql_name(p, name, "a table name"))
        return false;
    if (p->tok.kind == SQL_TOK_DOT)
        return sql_fail_at(p, p->tok.line, p->tok.column, "a table's name is database.table");
    return true;
}

static struct sql_ast_from *new_from(struct sql_parser *p, enum sql_ast_from_kind kind,
                                     const struct sql_token *at)
{
    struct sql_ast_from *from = TSFS_NEW(p->arena, struct sql_ast_from);
    if (from == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    from->kind = kind;
    from->line = at->line;
    from->column = at->column;
    from->height = 1;
    return from;
}

static bool parse_name_and_columns(struct sql_parser *p, struct sql_ast_from *from)
{
    if (!sql_parse_alias(p, &from->alias))
        return false;
    if (from->alias.ptr != NULL && p->tok.kind == SQL_TOK_LPAREN &&
        !sql_parse_columns(p, &from->columns, &from->ncolumns))
        return false;
    if (sql_is(p, SQL_KW_TABLESAMPLE))
        return sql_fail_unsupported(p, &p->tok, "TABLESAMPLE: write WHERE random() < 0.1");
    return true;
}

static struct sql_ast_from *derived(struct sql_parser *p, struct sql_ast_query *query,
                                    const struct sql_token *open)
{
    struct sql_ast_from *from = query == NULL ? NULL : new_from(p, SQL_AST_DERIVED, open);
    if (from != NULL)
        from->query = query;
    return from;
}

/* What stood in parentheses that opened at `at`, under the name that may follow: (a JOIN b) AS x is
 * (SELECT * FROM a JOIN b) AS x. */
static struct sql_ast_from *named(struct sql_parser *p, struct sql_ast_from *from, const struct sql_token *at)
{
    struct sql_ast_from *outer = new_from(p, SQL_AST_DERIVED, at);
    if (outer == NULL || !parse_name_and_columns(p, outer))
        return NULL;
    if (outer->alias.ptr == NULL)
        return from;
    outer->query = sql_query_from(p, from, at);
    return outer->query != NULL ? outer : NULL;
}

static struct sql_ast_from *parse_joins(struct sql_parser *p, struct sql_ast_from *left);

/* After "(": what it holds, up to and including ")".  *query is set if it was a query, else the item is
 * returned; no alias has been read in either case. */
static struct sql_ast_from *parse_inside(struct sql_parser *p, struct sql_ast_query **query)
{
    struct sql_ast_from *item = NULL;
    *query = NULL;
    if (sql_starts_query(&p->tok)) {
        *query = sql_parse_query(p);
        if (*query == NULL)
            return NULL;
    } else if (p->tok.kind == SQL_TOK_LPAREN) {
        struct sql_token open = p->tok;
        struct sql_ast_query *inner;
        if (!sql_enter(p) || !sql_advance(p))
            return NULL;
        item = parse_inside(p, &inner);
        sql_leave(p);
        if (p->rc != 0)
            return NULL;
        if (inner != NULL && sql_continues_query(p)) {
            *query = sql_parse_query_rest(p, inner, &open);
            if (*query == NULL)
                return NULL;
        } else {
            if (inner == NULL)
                item = item == NULL ? NULL : named(p, item, &open);
            else if ((item = derived(p, inner, &open)) != NULL && !parse_name_and_columns(p, item))
                return NULL;
            if (item == NULL)
                return NULL;
            item = parse_joins(p, item);
        }
    } else {
        item = sql_parse_from(p);
    }
    if (*query == NULL && item == NULL)
        return NULL;
    return sql_expect_token(p, SQL_TOK_RPAREN, ")") ? item : NULL;
}

/* An UNNEST node of list's expressions over each row of left. */
static struct sql_ast_from *over_rows(struct sql_parser *p, struct sql_ast_from *from,
                                      struct sql_ast_from *left, const struct sql_list *list)
{
    from->left = left;
    from->exprs = list->items;
    from->nexprs = list->n;
    if (left != NULL && left->height >= TSFS_SQL_JOINS_MAX) {
        sql_fail_at(p, from->line, from->column, "FROM has more than %d joins", TSFS_SQL_JOINS_MAX - 1);
        return NULL;
    }
    from->height = left != NULL ? left->height + 1 : 1;
    return from;
}

/* The name that an item of SELECT gives its column; made up where it gives none. */
static struct tsfs_str item_name(struct sql_parser *p, const struct sql_ast_item *item, uint32_t number)
{
    if (item->alias.ptr != NULL)
        return item->alias;
    if (item->expr->kind == SQL_AST_NAME)
        return item->expr->parts[item->expr->nparts - 1];
    char *name = tsfs_arena_printf(p->arena, "_col%u", number);
    if (name == NULL)
        sql_fail_memory(p);
    return name == NULL ? (struct tsfs_str){0} : tsfs_str_from(name);
}

/* ARRAY[ROW(..), ..]: the rows that a LATERAL query without FROM makes of a row. */
static struct sql_ast_expr *rows_of(struct sql_parser *p, const struct sql_ast_query *q,
                                    const struct sql_token *at)
{
    const struct sql_ast_select *s = q->select;
    struct sql_list rows = {0};
    uint32_t nrows = s != NULL ? 1 : q->values->nrows;
    for (uint32_t i = 0; i < nrows; i++) {
        struct sql_list cells = {0};
        uint32_t ncols = s != NULL ? s->nitems : q->values->ncols;
        for (uint32_t k = 0; k < ncols; k++)
            if (!sql_add_expr(p, &cells, s != NULL ? s->items[k].expr : q->values->rows[i][k]))
                return NULL;
        struct sql_ast_expr *row = sql_new_node(p, SQL_AST_ROW, at);
        if (row == NULL || !sql_add_expr(p, &rows, sql_with_args(p, row, cells.items, cells.n)))
            return NULL;
    }
    struct sql_ast_expr *array = sql_new_node(p, SQL_AST_ARRAY, at);
    if (array == NULL || (array = sql_with_args(p, array, rows.items, rows.n)) == NULL || s == NULL ||
        s->where == NULL)
        return array;
    struct sql_list when = {0};
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_CASE, at);
    return e == NULL || !sql_add_expr(p, &when, s->where) || !sql_add_expr(p, &when, array)
               ? NULL
               : sql_with_args(p, e, when.items, when.n);
}

/* (SELECT array_agg(ROW(all)) FROM (q)): all rows of a query as one value. */
static struct sql_ast_expr *gathered(struct sql_parser *p, struct sql_ast_query *q,
                                     const struct sql_token *at)
{
    struct sql_list cells = {0}, rows = {0};
    struct sql_ast_query *over = sql_query_over(p, q, at);
    struct sql_ast_expr *e = over == NULL ? NULL : sql_new_node(p, SQL_AST_SUBQUERY, at);
    struct sql_ast_expr *row = sql_new_node(p, SQL_AST_ROW, at);
    struct sql_ast_expr *call = sql_new_call(p, at, TSFS_STR("array_agg"));
    if (e == NULL || row == NULL || call == NULL || !sql_add_expr(p, &cells, over->select->items[0].expr) ||
        !sql_add_expr(p, &rows, sql_with_args(p, row, cells.items, 1)) ||
        (over->select->items[0].expr = sql_with_args(p, call, rows.items, 1)) == NULL)
        return NULL;
    e->query = over;
    return e;
}

/* LATERAL (query): UNNEST of an array of rows, which for SELECT without FROM and VALUES is just written down.
 */
static struct sql_ast_from *parse_lateral(struct sql_parser *p, struct sql_ast_from *left)
{
    struct sql_token start = p->tok;
    struct sql_list list = {0};
    struct sql_ast_from *from = new_from(p, SQL_AST_UNNEST, &start);
    if (from == NULL || !sql_advance(p) || !sql_advance(p))
        return NULL;
    struct sql_ast_query *q = sql_parse_query(p);
    if (q == NULL || !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
        return NULL;
    const struct sql_ast_select *s = q->select;
    bool plain = q->nctes == 0 && q->set == NULL && q->nkeys == 0 && q->limit == UINT64_MAX &&
                 q->offset == 0 &&
                 (s == NULL ||
                  (s->from == NULL && !s->distinct && !s->grouped && s->having == NULL && s->nwindows == 0));
    for (uint32_t i = 0; plain && s != NULL && i < s->nitems; i++)
        plain = s->items[i].expr->kind != SQL_AST_STAR;
    if (!sql_add_expr(p, &list, plain ? rows_of(p, q, &start) : gathered(p, q, &start)) ||
        !over_rows(p, from, left, &list) || !parse_name_and_columns(p, from))
        return NULL;
    if (from->ncolumns > 0 || !plain)
        return from;
    from->ncolumns = s != NULL ? s->nitems : q->values->ncols;
    from->columns = TSFS_NEW_ARRAY(p->arena, struct tsfs_str, from->ncolumns);
    if (from->columns == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    for (uint32_t i = 0; i < from->ncolumns; i++) {
        struct sql_ast_expr made = {.kind = SQL_AST_NULL};
        const struct sql_ast_item none = {.expr = &made};
        from->columns[i] = item_name(p, s != NULL ? &s->items[i] : &none, i);
    }
    return p->rc == 0 ? from : NULL;
}

/* UNNEST(a, ...) [WITH ORDINALITY] of each row of left. */
static struct sql_ast_from *parse_unnest(struct sql_parser *p, struct sql_ast_from *left)
{
    struct sql_list list = {0};
    if (!sql_is(p, SQL_KW_UNNEST))
        return parse_lateral(p, left);
    struct sql_ast_from *from = new_from(p, SQL_AST_UNNEST, &p->tok);
    if (from == NULL || !sql_advance(p) || !sql_expect_token(p, SQL_TOK_LPAREN, "("))
        return NULL;
    for (bool more = true; more;)
        if (!sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return NULL;
    if (!over_rows(p, from, left, &list) || !sql_expect_token(p, SQL_TOK_RPAREN, ", or )") ||
        !sql_accept(p, SQL_KW_WITH, &from->ordinality))
        return NULL;
    if (from->ordinality) {
        if (!sql_is(p, SQL_KW_NONE) || !sql_same_word(p->tok.text, TSFS_STR("ordinality"))) {
            sql_fail_expected(p, "ORDINALITY");
            return NULL;
        }
        if (!sql_advance(p))
            return NULL;
    }
    return parse_name_and_columns(p, from) ? from : NULL;
}

/* Whether UNNEST or LATERAL ( comes next. */
static bool starts_unnest(struct sql_parser *p, bool *out)
{
    *out = sql_is(p, SQL_KW_UNNEST);
    if (!sql_is(p, SQL_KW_LATERAL))
        return true;
    if (!sql_peek(p))
        return false;
    *out = p->ahead.kind == SQL_TOK_LPAREN;
    return true;
}

/* [INNER] JOIN UNNEST(..) ON true is CROSS JOIN; LEFT JOIN keeps rows that have no elements. */
static struct sql_ast_from *join_unnest(struct sql_parser *p, struct sql_ast_from *left, bool cross,
                                        enum tsfs_join kind)
{
    struct sql_token at = p->tok;
    if (kind != TSFS_JOIN_INNER && kind != TSFS_JOIN_LEFT) {
        sql_fail_unsupported(p, &at,
                             "RIGHT and FULL JOIN with UNNEST: write LEFT JOIN UNNEST or CROSS JOIN UNNEST");
        return NULL;
    }
    bool lateral = sql_is(p, SQL_KW_LATERAL);
    struct sql_ast_from *from = parse_unnest(p, left);
    if (from == NULL || cross)
        return from;
    from->outer = kind == TSFS_JOIN_LEFT;
    if (!sql_expect(p, SQL_KW_ON, "ON"))
        return NULL;
    if (!sql_is(p, SQL_KW_TRUE)) {
        sql_fail_unsupported(
            p, &p->tok,
            lateral ? "JOIN LATERAL with a condition: write ON true, and the condition into the query"
                    : "JOIN UNNEST with a condition: write ON true, and the condition in WHERE");
        return NULL;
    }
    return sql_advance(p) ? from : NULL;
}

static struct sql_ast_from *parse_primary(struct sql_parser *p)
{
    struct sql_token start = p->tok;
    struct sql_ast_from *from;
    if (start.kind == SQL_TOK_LPAREN) {
        struct sql_ast_query *query;
        if (!sql_enter(p) || !sql_advance(p))
            return NULL;
        from = parse_inside(p, &query);
        sql_leave(p);
        if (p->rc != 0)
            return NULL;
        if (query == NULL)
            return named(p, from, &start);
        from = derived(p, query, &start);
    } else {
        bool unnest;
        if (!starts_unnest(p, &unnest))
            return NULL;
        if (unnest)
            return parse_unnest(p, NULL);
        if (sql_is(p, SQL_KW_TABLE)) {
            sql_fail_unsupported(p, &start,
                                 "TABLE functions: rows are made by UNNEST(sequence(a, b)) or VALUES");
            return NULL;
        }
        if (!sql_is_name(&p->tok)) {
            sql_fail_expected(p, "a table or a subquery");
            return NULL;
        }
        from = new_from(p, SQL_AST_TABLE, &start);
        if (from == NULL || !sql_parse_table_name(p, &from->database, &from->name))
            return NULL;
    }
    return from != NULL && parse_name_and_columns(p, from) ? from : NULL;
}

static struct sql_ast_from *new_join(struct sql_parser *p, enum tsfs_join kind, const struct sql_token *at,
                                     struct sql_ast_from *left, struct sql_ast_from *right)
{
    struct sql_ast_from *join = left == NULL || right == NULL ? NULL : new_from(p, SQL_AST_JOIN, at);
    if (join == NULL)
        return NULL;
    join->join = kind;
    join->left = left;
    join->right = right;
    unsigned height = left->height > right->height ? left->height : right->height;
    if (height >= TSFS_SQL_JOINS_MAX) {
        sql_fail_at(p, at->line, at->column, "FROM has more than %d joins", TSFS_SQL_JOINS_MAX - 1);
        return NULL;
    }
    join->height = (uint16_t)(height + 1);
    return join;
}

/* ON condition, or USING (a, b) */
static bool parse_condition(struct sql_parser *p, struct sql_ast_from *join)
{
    bool found, more = true;
    if (!sql_accept(p, SQL_KW_ON, &found))
        return false;
    if (found)
        return (join->on = sql_parse_expr(p)) != NULL;
    if (!sql_expect(p, SQL_KW_USING, "ON or USING") || !sql_expect_token(p, SQL_TOK_LPAREN, "("))
        return false;
    struct sql_list list = {0};
    while (more) {
        struct sql_ast_expr *name = sql_new_node(p, SQL_AST_NAME, &p->tok);
        if (name == NULL || (name->parts = TSFS_NEW_ARRAY(p->arena, struct tsfs_str, 1)) == NULL)
            return sql_fail_memory(p);
        name->nparts = 1;
        if (!sql_name(p, &name->parts[0], "a column name") || !sql_add_expr(p, &list, name) ||
            !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    join->using_names = list.items;
    join->nusing = list.n;
    return sql_expect_token(p, SQL_TOK_RPAREN, ", or )");
}

/* The joins that follow an item. */
static struct sql_ast_from *parse_joins(struct sql_parser *p, struct sql_ast_from *left)
{
    while (left != NULL) {
        struct sql_token at = p->tok;
        enum tsfs_join kind = TSFS_JOIN_INNER;
        bool cross = false, outer = false, natural, found;
        if (!sql_accept(p, SQL_KW_NATURAL, &natural))
            return NULL;
        if (natural)
            at = p->tok;
        switch (at.kind == SQL_TOK_WORD ? at.keyword : SQL_KW_NONE) {
        case SQL_KW_TABLESAMPLE:
            sql_fail_unsupported(p, &at, "TABLESAMPLE: write WHERE random() < 0.1");
            return NULL;
        case SQL_KW_CROSS: cross = true; break;
        case SQL_KW_LEFT:
            kind = TSFS_JOIN_LEFT;
            outer = true;
            break;
        case SQL_KW_RIGHT:
            kind = TSFS_JOIN_RIGHT;
            outer = true;
            break;
        case SQL_KW_FULL:
            kind = TSFS_JOIN_FULL;
            outer = true;
            break;
        case SQL_KW_INNER:
        case SQL_KW_JOIN: break;
        default:
            if (!natural)
                return left;
            sql_fail_expected(p, "JOIN, INNER, LEFT, RIGHT or FULL after NATURAL");
            return NULL;
        }
        if (natural && cross) {
            sql_fail_expected(p, "JOIN, INNER, LEFT, RIGHT or FULL after NATURAL");
            return NULL;
        }
        if (at.keyword != SQL_KW_JOIN && !sql_advance(p))
            return NULL;
        if (outer && !sql_accept(p, SQL_KW_OUTER, &found))
            return NULL;
        if (!sql_expect(p, SQL_KW_JOIN, outer ? "OUTER or JOIN" : "JOIN"))
            return NULL;
        bool unnest;
        if (!starts_unnest(p, &unnest))
            return NULL;
        if (unnest && !natural) {
            if ((left = join_unnest(p, left, cross, kind)) == NULL)
                return NULL;
            continue;
        }
        struct sql_ast_from *right = parse_primary(p);
        if (right == NULL)
            return NULL;
        /* "a JOIN b JOIN c ON .. ON ..": the inner pair first. */
        if (!cross && !natural && !sql_is(p, SQL_KW_ON) && !sql_is(p, SQL_KW_USING) &&
            p->tok.kind == SQL_TOK_WORD) {
            if (!sql_enter(p))
                return NULL;
            right = parse_joins(p, right);
            sql_leave(p);
        }
        left = new_join(p, kind, &at, left, right);
        if (left == NULL || (!cross && !natural && !parse_condition(p, left)))
            return NULL;
        left->natural = natural;
    }
    return left;
}

struct sql_ast_from *sql_parse_from(struct sql_parser *p)
{
    struct sql_ast_from *from = parse_joins(p, parse_primary(p));
    while (from != NULL && p->tok.kind == SQL_TOK_COMMA) {
        struct sql_token comma = p->tok;
        if (!sql_advance(p))
            return NULL;
        bool unnest;
        if (!starts_unnest(p, &unnest))
            return NULL;
        if (unnest) {
            from = parse_joins(p, parse_unnest(p, from));
            continue;
        }
        from = new_join(p, TSFS_JOIN_INNER, &comma, from, parse_joins(p, parse_primary(p)));
    }
    return from;
}
