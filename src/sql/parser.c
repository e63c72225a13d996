/* Statements: what surrounds the expressions of parser_expr.c.
 *
 * Recursive descent with one token in hand and one ahead.  Each clause of the dialect that tsfs does not have
 * is recognised where it may stand, so that the error names it; anything else that does not fit is "expected
 * X, found Y" at the first token that cannot be right.  That errors come at the first wrong token is also
 * what tsfs_sql_check relies upon: a statement whose error is at the end of the text may still become right.
 */
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/num.h"
#include "sql/names.h"
#include "sql/parser_priv.h"

bool sql_fail_memory(struct sql_parser *p)
{
    p->rc = tsfs_error_set(p->err, -ENOMEM, "out of memory for the statement");
    return false;
}

bool sql_fail_at(struct sql_parser *p, uint32_t line, uint32_t column, const char *fmt, ...)
{
    char text[TSFS_ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    p->rc = tsfs_error_set_at(p->err, -EINVAL, line, column, "%s", text);
    return false;
}

/* Whether more text could turn the token into another one. */
static bool open_ended(const struct sql_parser *p, const struct sql_token *tok)
{
    if (tok->kind == SQL_TOK_END)
        return true;
    if (tok->to != p->lx.text.len)
        return false;
    switch (tok->kind) {
    case SQL_TOK_WORD:
    case SQL_TOK_QUOTED:
    case SQL_TOK_STRING:
    case SQL_TOK_INTEGER:
    case SQL_TOK_DOUBLE:
    case SQL_TOK_DURATION:
    case SQL_TOK_DOT:
    case SQL_TOK_LT:
    case SQL_TOK_GT:
    case SQL_TOK_MINUS:
    case SQL_TOK_SLASH: return true;
    default: return false;
    }
}

bool sql_fail_expected(struct sql_parser *p, const char *expected)
{
    const struct sql_token *tok = &p->tok;
    p->cut_short = open_ended(p, tok);
    if (tok->kind == SQL_TOK_END)
        return sql_fail_at(p, tok->line, tok->column, "expected %s, found the end of the statement",
                           expected);
    size_t len = tok->to - tok->from;
    const char *text = p->lx.text.ptr + tok->from;
    const char *quote = tok->kind == SQL_TOK_QUOTED ? "" : "\"", *dots = "";
    if (len > 40) {
        for (len = 40; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--;
        dots = "...";
    }
    return sql_fail_at(p, tok->line, tok->column, "expected %s, found %s%.*s%s%s%s", expected, quote,
                       (int)len, text, dots, quote, sql_hint(p));
}

bool sql_fail_unsupported(struct sql_parser *p, const struct sql_token *where, const char *what)
{
    p->cut_short = false;
    return sql_fail_at(p, where->line, where->column, "tsfs does not support %s", what);
}

bool sql_peek(struct sql_parser *p)
{
    if (p->has_ahead)
        return true;
    p->rc = sql_lexer_next(&p->lx, &p->ahead);
    if (p->rc != 0) {
        p->cut_short = p->lx.cut_short;
        return false;
    }
    p->has_ahead = true;
    return true;
}

bool sql_advance(struct sql_parser *p)
{
    if (!sql_peek(p))
        return false;
    p->tok = p->ahead;
    p->has_ahead = false;
    return true;
}

bool sql_is(const struct sql_parser *p, enum sql_keyword keyword)
{
    return p->tok.kind == SQL_TOK_WORD && p->tok.keyword == keyword;
}

bool sql_accept(struct sql_parser *p, enum sql_keyword keyword, bool *found)
{
    *found = sql_is(p, keyword);
    return *found ? sql_advance(p) : true;
}

bool sql_expect(struct sql_parser *p, enum sql_keyword keyword, const char *expected)
{
    return sql_is(p, keyword) ? sql_advance(p) : sql_fail_expected(p, expected);
}

bool sql_accept_token(struct sql_parser *p, enum sql_token_kind kind, bool *found)
{
    *found = p->tok.kind == kind;
    return *found ? sql_advance(p) : true;
}

bool sql_expect_token(struct sql_parser *p, enum sql_token_kind kind, const char *expected)
{
    return p->tok.kind == kind ? sql_advance(p) : sql_fail_expected(p, expected);
}

bool sql_is_name(const struct sql_token *tok)
{
    return tok->kind == SQL_TOK_QUOTED || (tok->kind == SQL_TOK_WORD && !sql_keyword_reserved(tok->keyword));
}

bool sql_name(struct sql_parser *p, struct tsfs_str *out, const char *expected)
{
    if (!sql_is_name(&p->tok))
        return sql_fail_expected(p, expected);
    *out = p->tok.text;
    return sql_advance(p);
}

bool sql_enter(struct sql_parser *p)
{
    if (p->depth >= TSFS_SQL_DEPTH_MAX)
        return sql_fail_at(p, p->tok.line, p->tok.column, "the statement nests deeper than %d levels here",
                           TSFS_SQL_DEPTH_MAX);
    p->depth++;
    return true;
}

void sql_leave(struct sql_parser *p)
{
    p->depth--;
}

void *sql_list_add(struct sql_parser *p, struct sql_list *list, size_t size)
{
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 4 : list->cap * 2;
        void *items = tsfs_arena_calloc(p->arena, cap, size);
        if (items == NULL) {
            sql_fail_memory(p);
            return NULL;
        }
        if (list->n > 0)
            memcpy(items, list->items, list->n * size);
        list->items = items;
        list->cap = cap;
    }
    return (char *)list->items + size * list->n++;
}

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
            if (item->expr->kind != SQL_AST_STAR && !sql_parse_alias(p, &item->alias))
                return false;
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
            if (p->tok.kind == SQL_TOK_INTEGER && !parse_count(p, &q->limit, "a number of rows"))
                return false;
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

/* SELECT * FROM (inner), so that inner keeps its own ORDER BY and LIMIT. */
static struct sql_ast_select *select_all(struct sql_parser *p, struct sql_ast_query *inner,
                                         const struct sql_token *open)
{
    struct sql_ast_select *s = TSFS_NEW(p->arena, struct sql_ast_select);
    struct sql_ast_expr *star = sql_new_node(p, SQL_AST_STAR, open);
    struct sql_ast_item *item = TSFS_NEW(p->arena, struct sql_ast_item);
    struct sql_ast_from *from = TSFS_NEW(p->arena, struct sql_ast_from);
    if (s == NULL || star == NULL || item == NULL || from == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    *from = (struct sql_ast_from){
        .kind = SQL_AST_DERIVED, .line = open->line, .column = open->column, .query = inner, .height = 1};
    *item = (struct sql_ast_item){.expr = star};
    *s = (struct sql_ast_select){
        .line = open->line, .column = open->column, .items = item, .nitems = 1, .from = from};
    return s;
}

struct sql_ast_query *sql_query_over(struct sql_parser *p, struct sql_ast_query *inner,
                                     const struct sql_token *at)
{
    struct sql_ast_query *q = new_query(p);
    if (q == NULL || (q->select = select_all(p, inner, at)) == NULL)
        return NULL;
    return q;
}

/* TABLE t is SELECT * FROM t. */
static struct sql_ast_select *parse_table(struct sql_parser *p)
{
    struct sql_token at = p->tok;
    struct sql_ast_select *s = select_all(p, NULL, &at);
    if (s == NULL || !sql_advance(p))
        return NULL;
    s->from->kind = SQL_AST_TABLE;
    s->from->line = p->tok.line;
    s->from->column = p->tok.column;
    return sql_parse_table_name(p, &s->from->database, &s->from->name) ? s : NULL;
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
    q = new_query(p);
    if (q == NULL)
        return NULL;
    if (sql_is(p, SQL_KW_VALUES))
        return (q->values = parse_values(p)) != NULL ? q : NULL;
    if (sql_is(p, SQL_KW_TABLE))
        return (q->select = parse_table(p)) != NULL ? q : NULL;
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
    if (left != NULL && nested) {
        struct sql_ast_query *q = new_query(p);
        if (q == NULL || (q->select = select_all(p, left, first)) == NULL)
            return NULL;
        left = q;
    }
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

static bool parse_like(struct sql_parser *p, struct sql_ast_statement *s)
{
    bool found;
    if (!sql_accept(p, SQL_KW_LIKE, &found) || !found)
        return p->rc == 0;
    if (p->tok.kind != SQL_TOK_STRING)
        return sql_fail_expected(p, "a pattern such as 'cpu%'");
    s->like = p->tok.text;
    s->like_line = p->tok.line;
    s->like_column = p->tok.column;
    if (!sql_advance(p))
        return false;
    if (sql_is(p, SQL_KW_ESCAPE))
        return sql_fail_unsupported(p, &p->tok, "ESCAPE in SHOW");
    return true;
}

static bool parse_show(struct sql_parser *p, struct sql_ast_statement *s)
{
    bool from;
    if (!sql_advance(p))
        return false;
    if (sql_is(p, SQL_KW_DATABASES)) {
        s->kind = SQL_AST_SHOW_DATABASES;
        return sql_advance(p) && parse_like(p, s);
    }
    if (p->tok.kind == SQL_TOK_WORD && sql_same_word(p->tok.text, TSFS_STR("functions"))) {
        s->kind = SQL_AST_SHOW_FUNCTIONS;
        return sql_advance(p) && parse_like(p, s);
    }
    if (!sql_is(p, SQL_KW_TABLES) && !sql_is(p, SQL_KW_MEASURES))
        return sql_fail_expected(p, "DATABASES, TABLES, MEASURES or FUNCTIONS");
    s->kind = sql_is(p, SQL_KW_TABLES) ? SQL_AST_SHOW_TABLES : SQL_AST_SHOW_MEASURES;
    if (!sql_advance(p) || !sql_accept(p, SQL_KW_FROM, &from) || (!from && !sql_accept(p, SQL_KW_IN, &from)))
        return false;
    s->line = p->tok.line;
    s->column = p->tok.column;
    if (s->kind == SQL_AST_SHOW_TABLES) {
        if (from && !sql_name(p, &s->database, "a database name"))
            return false;
    } else if (!from) {
        return sql_fail_expected(p, "FROM and a table");
    } else if (!sql_parse_table_name(p, &s->database, &s->name)) {
        return false;
    }
    return parse_like(p, s);
}

/* A statement's first word that is none of ours. */
static bool refuse_statement(struct sql_parser *p)
{
    static const struct {
        enum sql_keyword keyword;
        const char *what;
    } others[] = {
        {SQL_KW_ALTER, "ALTER: columns come with the lines that name them, settings are in config"},
        {SQL_KW_CREATE, "CREATE: mkdir makes databases and tables"},
        {SQL_KW_DEALLOCATE, "DEALLOCATE"},
        {SQL_KW_DROP, "DROP: truncate in a table's ctl file removes its points, rmdir then the table"},
        {SQL_KW_EXECUTE, "EXECUTE"},
        {SQL_KW_GRANT, "GRANT: chmod and chown are the access control"},
        {SQL_KW_INSERT, "INSERT: append line protocol to a write file"},
        {SQL_KW_MERGE, "MERGE: a point that is written again is merged"},
        {SQL_KW_PREPARE, "PREPARE"},
        {SQL_KW_TRUNCATE, "TRUNCATE: write truncate to the table's ctl file"},
        {SQL_KW_UNLOAD, "UNLOAD: copy what query answers, or the Parquet files in cold"},
        {SQL_KW_UPDATE, "UPDATE: write the points again, the later write wins"},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (sql_is(p, others[i].keyword))
            return sql_fail_unsupported(p, &p->tok, others[i].what);
    char hint[SQL_HINT_MAX] = "", expected[SQL_HINT_MAX + 64];
    if (p->tok.kind == SQL_TOK_WORD) {
        struct sql_nearest near = {.wanted = p->tok.text};
        static const char *const ours[] = {"SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "DELETE"};
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
            sql_nearest_try(&near, tsfs_str_from(ours[i]));
        sql_nearest_hint(&near, hint);
    }
    snprintf(expected, sizeof(expected), "SELECT, WITH, SHOW, DESCRIBE, EXPLAIN or DELETE%s", hint);
    return sql_fail_expected(p, expected);
}

static bool parse_explain(struct sql_parser *p, struct sql_ast_statement *s)
{
    s->kind = SQL_AST_EXPLAIN;
    if (!sql_advance(p))
        return false;
    if (!sql_accept(p, SQL_KW_ANALYZE, &s->analyze))
        return false;
    if (!sql_starts_query(&p->tok) && p->tok.kind != SQL_TOK_LPAREN)
        return sql_fail_expected(p, "SELECT, WITH or DELETE");
    s->query = sql_parse_query(p);
    return s->query != NULL;
}

/* DELETE FROM table WHERE condition: as the query for what is to go. */
static bool parse_delete(struct sql_parser *p, struct sql_ast_statement *st)
{
    struct sql_ast_query *q = TSFS_NEW(p->arena, struct sql_ast_query);
    struct sql_ast_select *s = TSFS_NEW(p->arena, struct sql_ast_select);
    struct sql_ast_expr *star = TSFS_NEW(p->arena, struct sql_ast_expr);
    struct sql_ast_item *item = TSFS_NEW(p->arena, struct sql_ast_item);
    struct sql_ast_from *from = TSFS_NEW(p->arena, struct sql_ast_from);
    if (q == NULL || s == NULL || star == NULL || item == NULL || from == NULL)
        return sql_fail_memory(p);
    st->kind = SQL_AST_DELETE;
    st->line = p->tok.line;
    st->column = p->tok.column;
    *star = (struct sql_ast_expr){.kind = SQL_AST_STAR, .line = st->line, .column = st->column, .depth = 1};
    *item = (struct sql_ast_item){.expr = star};
    if (!sql_advance(p) || !sql_expect(p, SQL_KW_FROM, "FROM"))
        return false;
    *from = (struct sql_ast_from){
        .kind = SQL_AST_TABLE, .line = p->tok.line, .column = p->tok.column, .height = 1};
    if (!sql_parse_table_name(p, &from->database, &from->name))
        return false;
    if (!sql_is(p, SQL_KW_WHERE))
        return sql_fail_expected(p, "WHERE (every row goes with WHERE true, or with truncate in the table's "
                                    "ctl file)");
    if (!sql_advance(p))
        return false;
    *s = (struct sql_ast_select){
        .line = st->line, .column = st->column, .items = item, .nitems = 1, .from = from};
    *q = (struct sql_ast_query){.select = s, .limit = UINT64_MAX, .height = 1};
    st->query = q;
    s->where = sql_parse_expr(p);
    return s->where != NULL;
}

static bool parse_statement(struct sql_parser *p, struct sql_ast_statement *s)
{
    if (sql_starts_query(&p->tok) || p->tok.kind == SQL_TOK_LPAREN) {
        s->kind = SQL_AST_QUERY;
        s->query = sql_parse_query(p);
        return s->query != NULL;
    }
    if (sql_is(p, SQL_KW_SHOW))
        return parse_show(p, s);
    if (sql_is(p, SQL_KW_EXPLAIN))
        return parse_explain(p, s);
    if (sql_is(p, SQL_KW_DELETE))
        return parse_delete(p, s);
    if (sql_is(p, SQL_KW_DESCRIBE) || sql_is(p, SQL_KW_DESC)) {
        s->kind = SQL_AST_DESCRIBE;
        if (!sql_advance(p))
            return false;
        s->line = p->tok.line;
        s->column = p->tok.column;
        return sql_parse_table_name(p, &s->database, &s->name);
    }
    return refuse_statement(p);
}

int sql_parse(struct tsfs_str text, struct tsfs_arena *arena, struct sql_ast_statement **out, bool *cut_short,
              struct tsfs_error *err)
{
    struct sql_parser p = {.arena = arena, .err = err};
    struct sql_ast_statement *s = NULL;
    p.rc = sql_lexer_init(&p.lx, text, arena, err);
    if (p.rc == 0)
        s = TSFS_NEW(arena, struct sql_ast_statement);
    if (p.rc == 0 && s == NULL)
        sql_fail_memory(&p);
    if (p.rc != 0 || !sql_advance(&p) || !parse_statement(&p, s) ||
        !sql_accept_token(&p, SQL_TOK_SEMICOLON, &s->terminated))
        goto out;
    if (p.tok.kind != SQL_TOK_END) {
        if (s->terminated)
            sql_fail_at(&p, p.tok.line, p.tok.column, "only one statement at a time: this is the second");
        else
            sql_fail_expected(&p, "the end of the statement");
    }
out:
    if (cut_short != NULL)
        *cut_short = p.rc != 0 && p.cut_short;
    if (p.rc == 0)
        *out = s;
    return p.rc;
}
