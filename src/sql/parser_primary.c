/* The tightest level of expressions: literals, names, calls, parentheses, and the forms with keywords of
 * their own; what arrays, rows and lambdas add is in parser_nested.c, and windows in
 * parser_window.c. */
#include <errno.h>

#include "base/limits.h"
#include "base/num.h"
#include "sql/names.h"
#include "sql/parser_priv.h"

/* INTERVAL [-] '2' DAY, from the string on. */
static struct sql_ast_expr *parse_interval(struct sql_parser *p, const struct sql_token *start, bool negative)
{
    struct sql_token number = p->tok;
    if (!sql_advance(p))
        return NULL;
    struct sql_token unit = p->tok;
    if (unit.kind != SQL_TOK_WORD) {
        sql_fail_expected(p, "second, minute, hour, day, week, month or year");
        return NULL;
    }
    if (!sql_advance(p))
        return NULL;
    if (sql_is(p, SQL_KW_TO))
        return sql_parse_interval_to(p, start, &number, &unit, negative);
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_INTERVAL, start);
    if (e == NULL)
        return NULL;
    int rc = sql_duration(number.text, unit.text, true, &e->type, &e->integer);
    if (rc != 0) {
        enum tsfs_type type;
        int64_t value;
        p->cut_short = p->tok.kind == SQL_TOK_END;
        if (rc == -EINVAL && sql_duration(TSFS_STR("1"), unit.text, true, &type, &value) != 0)
            sql_fail_at(p, unit.line, unit.column,
                        "no interval unit \"%.*s\": use second, minute, hour, day, week, month or year",
                        unit.text.len > 40 ? 40 : (int)unit.text.len, unit.text.ptr);
        else
            sql_fail_at(p, number.line, number.column, "'%.*s' is not a number of %ss that tsfs can hold",
                        number.text.len > 40 ? 40 : (int)number.text.len, number.text.ptr,
                        e->type == TSFS_INTERVAL_YM ? "month" : "nanosecond");
        return NULL;
    }
    if (negative)
        e->integer = -e->integer;
    return e;
}

static struct sql_ast_expr *parse_case(struct sql_parser *p)
{
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_CASE, &p->tok);
    if (e == NULL || !sql_advance(p))
        return NULL;
    struct sql_list list = {0};
    if (!sql_is(p, SQL_KW_WHEN)) {
        e->has_operand = true;
        if (!sql_add_expr(p, &list, sql_parse_expr(p)))
            return NULL;
    }
    bool more = true;
    if (!sql_is(p, SQL_KW_WHEN)) {
        sql_fail_expected(p, "WHEN");
        return NULL;
    }
    while (more && sql_is(p, SQL_KW_WHEN)) {
        if (!sql_advance(p) || !sql_add_expr(p, &list, sql_parse_expr(p)) ||
            !sql_expect(p, SQL_KW_THEN, "THEN") || !sql_add_expr(p, &list, sql_parse_expr(p)))
            return NULL;
    }
    if (!sql_accept(p, SQL_KW_ELSE, &e->has_else))
        return NULL;
    if (e->has_else && !sql_add_expr(p, &list, sql_parse_expr(p)))
        return NULL;
    if (!sql_expect(p, SQL_KW_END, e->has_else ? "END" : "WHEN, ELSE or END"))
        return NULL;
    return sql_with_args(p, e, list.items, list.n);
}

static struct sql_ast_expr *parse_cast(struct sql_parser *p)
{
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_CAST, &p->tok);
    if (e == NULL)
        return NULL;
    e->try_cast = p->tok.keyword == SQL_KW_TRY_CAST;
    struct sql_list list = {0};
    if (!sql_advance(p) || !sql_expect_token(p, SQL_TOK_LPAREN, "(") ||
        !sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_expect(p, SQL_KW_AS, "AS and a type") ||
        !sql_parse_type(p, &e->type, &e->length) || !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
        return NULL;
    return sql_with_args(p, e, list.items, 1);
}

static struct sql_ast_expr *parse_extract(struct sql_parser *p)
{
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_EXTRACT, &p->tok);
    struct sql_list list = {0};
    if (e == NULL || !sql_advance(p) || !sql_expect_token(p, SQL_TOK_LPAREN, "("))
        return NULL;
    if (p->tok.kind != SQL_TOK_WORD) {
        sql_fail_expected(p, "a field such as YEAR");
        return NULL;
    }
    e->string = p->tok.text;
    if (!sql_advance(p) || !sql_expect(p, SQL_KW_FROM, "FROM") ||
        !sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
        return NULL;
    return sql_with_args(p, e, list.items, 1);
}

/* What may follow a call's closing parenthesis. */
static bool parse_call_tail(struct sql_parser *p, struct sql_ast_expr *e)
{
    if (sql_is_listagg(e) && !sql_parse_within_group(p, e))
        return false;
    if (sql_is(p, SQL_KW_FILTER)) {
        if (!sql_peek(p))
            return false;
        if (p->ahead.kind == SQL_TOK_LPAREN) {
            if (!sql_advance(p) || !sql_advance(p) || !sql_expect(p, SQL_KW_WHERE, "WHERE"))
                return false;
            e->call->filter = sql_parse_expr(p);
            if (e->call->filter == NULL || !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
                return false;
            if (e->call->filter->depth >= e->depth)
                e->depth = e->call->filter->depth + 1;
        }
    }
    if (sql_is(p, SQL_KW_IGNORE) || sql_is(p, SQL_KW_RESPECT)) {
        if (!sql_peek(p))
            return false;
        if (p->ahead.kind == SQL_TOK_WORD && p->ahead.keyword == SQL_KW_NULLS) {
            e->call->ignore_nulls = sql_is(p, SQL_KW_IGNORE);
            e->call->respect_nulls = !e->call->ignore_nulls;
            if (!sql_advance(p) || !sql_advance(p))
                return false;
        }
    }
    if (sql_is(p, SQL_KW_OVER)) {
        if (!sql_peek(p))
            return false;
        if (p->ahead.kind == SQL_TOK_LPAREN || sql_is_name(&p->ahead)) {
            if (!sql_advance(p) || (e->call->over = sql_parse_window(p)) == NULL)
                return false;
        }
    }
    return true;
}

static struct sql_ast_expr *parse_call(struct sql_parser *p)
{
    struct sql_token start = p->tok;
    struct sql_ast_expr *e = sql_new_call(p, &p->tok, p->tok.text);
    if (e == NULL || !sql_advance(p) || !sql_advance(p)) /* name and ( */
        return NULL;
    struct sql_list list = {0};
    bool found = false;
    if (p->tok.kind == SQL_TOK_STAR) {
        e->call->star = true;
        if (!sql_advance(p))
            return NULL;
    } else if (p->tok.kind != SQL_TOK_RPAREN) {
        if (!sql_accept(p, SQL_KW_DISTINCT, &e->call->distinct))
            return NULL;
        if (!e->call->distinct && sql_is(p, SQL_KW_ALL) && !sql_accept(p, SQL_KW_ALL, &found))
            return NULL;
        const char *trim;
        if (!sql_starts_trim(p, e, &trim))
            return NULL;
        if (trim != NULL)
            return sql_parse_trim(p, e, trim, NULL);
        do {
            struct sql_ast_expr *arg = sql_parse_expr(p);
            if (arg != NULL && list.n == 0 && sql_is(p, SQL_KW_FROM)) {
                if (sql_same_word(e->call->name, TSFS_STR("trim")))
                    return sql_parse_trim(p, e, "trim", arg);
                if (sql_same_word(e->call->name, TSFS_STR("substring")))
                    return sql_parse_substring(p, e, arg);
            }
            if (!sql_add_expr(p, &list, arg) || !sql_accept_token(p, SQL_TOK_COMMA, &found))
                return NULL;
        } while (found);
    }
    if (sql_is(p, SQL_KW_ON) && sql_is_listagg(e) && !sql_parse_overflow(p))
        return NULL;
    if (list.n > 0 && sql_is(p, SQL_KW_ORDER) && !sql_is_listagg(e) &&
        (!sql_advance(p) || !sql_expect(p, SQL_KW_BY, "BY") ||
         !sql_parse_keys(p, &e->call->keys, &e->call->nkeys)))
        return NULL;
    if (!sql_expect_token(p, SQL_TOK_RPAREN, list.n > 0 ? ", or )" : ")"))
        return NULL;
    e = sql_with_args(p, e, list.items, list.n);
    if (e == NULL || !parse_call_tail(p, e))
        return NULL;
    for (uint32_t i = 0; i < e->call->nkeys; i++)
        if (e->call->keys[i].expr->depth >= e->depth)
            e->depth = e->call->keys[i].expr->depth + 1;
    if (sql_is_listagg(e) && (e = sql_make_listagg(p, e, &start)) == NULL)
        return NULL;
    if (e->depth > TSFS_SQL_DEPTH_MAX) {
        sql_fail_at(p, e->line, e->column, "expressions nest deeper than %d levels here", TSFS_SQL_DEPTH_MAX);
        return NULL;
    }
    return e;
}

#define PARTS_MAX 8 /* database.table.column, and fields of rows */

/* a, a.b, a.b.c, a.*, measure_value::double */
static struct sql_ast_expr *parse_name(struct sql_parser *p)
{
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_NAME, &p->tok);
    if (e == NULL)
        return NULL;
    e->parts = TSFS_NEW_ARRAY(p->arena, struct tsfs_str, PARTS_MAX);
    if (e->parts == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    for (bool dot = true; dot;) {
        struct sql_token name = p->tok;
        if (e->nparts > 0 && name.kind == SQL_TOK_STAR) {
            e->kind = SQL_AST_STAR;
            return sql_advance(p) ? e : NULL;
        }
        if (e->nparts == PARTS_MAX) {
            sql_fail_at(p, name.line, name.column, "a name has at most %d parts", PARTS_MAX);
            return NULL;
        }
        if (!sql_name(p, &e->parts[e->nparts], "a name"))
            return NULL;
        e->quoted = name.kind == SQL_TOK_QUOTED;
        if (p->tok.kind == SQL_TOK_COLONS) {
            if (!sql_same_word(name.text, TSFS_STR("measure_value"))) {
                p->cut_short = false;
                sql_fail_at(p, p->tok.line, p->tok.column,
                            "tsfs does not support :: casts: write CAST(x AS type)");
                return NULL;
            }
            struct tsfs_str type;
            if (!sql_advance(p) || !sql_name(p, &type, "a type"))
                return NULL;
            char *s = tsfs_arena_printf(p->arena, "%.*s::%.*s", (int)name.text.len, name.text.ptr,
                                        (int)type.len, type.ptr);
            if (s == NULL) {
                sql_fail_memory(p);
                return NULL;
            }
            e->parts[e->nparts] = tsfs_str_from(s);
        }
        e->nparts++;
        if (!sql_accept_token(p, SQL_TOK_DOT, &dot))
            return NULL;
    }
    return e;
}

/* A query, which `first` begins unless it is NULL, and its closing parenthesis. */
static struct sql_ast_expr *parse_subquery(struct sql_parser *p, enum sql_ast_kind kind,
                                           const struct sql_token *open, struct sql_ast_query *first)
{
    struct sql_ast_expr *e = sql_new_node(p, kind, open);
    if (e == NULL)
        return NULL;
    e->query = first == NULL ? sql_parse_query(p) : sql_parse_query_rest(p, first, open);
    return e->query != NULL && sql_expect_token(p, SQL_TOK_RPAREN, ")") ? e : NULL;
}

/* ( expr ), and what else begins with a parenthesis. */
static struct sql_ast_expr *parse_parenthesis(struct sql_parser *p)
{
    struct sql_token open = p->tok;
    bool rows = p->rows, found;
    p->rows = false;
    if (!sql_advance(p))
        return NULL;
    if (sql_starts_query(&p->tok))
        return parse_subquery(p, SQL_AST_SUBQUERY, &open, NULL);
    if (p->tok.kind == SQL_TOK_RPAREN && !rows) {
        if (!sql_peek(p))
            return NULL;
        sql_fail_expected(p, p->ahead.kind == SQL_TOK_ARROW ? "a lambda's parameter" : "an expression");
        return NULL;
    }
    struct sql_list list = {0};
    if (p->tok.kind != SQL_TOK_RPAREN) {
        do {
            struct sql_ast_expr *e = sql_parse_expr(p);
            if (list.n == 0 && e != NULL && e->kind == SQL_AST_SUBQUERY && sql_continues_query(p) &&
                p->tok.kind != SQL_TOK_RPAREN)
                return parse_subquery(p, SQL_AST_SUBQUERY, &open, e->query);
            if (!sql_add_expr(p, &list, e) || !sql_accept_token(p, SQL_TOK_COMMA, &found))
                return NULL;
        } while (found);
    }
    if (!sql_expect_token(p, SQL_TOK_RPAREN, ")"))
        return NULL;
    if (p->tok.kind == SQL_TOK_ARROW)
        return sql_parse_lambda(p, &open, list.items, list.n);
    if (list.n == 1)
        return ((struct sql_ast_expr **)list.items)[0];
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_ROW, &open);
    if (e != NULL)
        e->listed = rows;
    return e == NULL ? NULL : sql_with_args(p, e, list.items, list.n);
}

/* A literal that is one token. */
struct sql_ast_expr *sql_parse_literal(struct sql_parser *p, bool negative)
{
    struct sql_token tok = p->tok;
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_NULL, &tok);
    if (e == NULL)
        return NULL;
    switch (tok.kind) {
    case SQL_TOK_INTEGER: {
        char *text =
            tsfs_arena_printf(p->arena, "%s%.*s", negative ? "-" : "", (int)tok.text.len, tok.text.ptr);
        if (text == NULL) {
            sql_fail_memory(p);
            return NULL;
        }
        e->kind = SQL_AST_INTEGER;
        if (tsfs_num_parse_i64(tsfs_str_from(text), &e->integer) != 0) {
            p->cut_short = tok.to == p->lx.text.len; /* ".5" would make it a double */
            sql_fail_at(p, tok.line, tok.column, "this integer does not fit into 64 bits");
            return NULL;
        }
        break;
    }
    case SQL_TOK_DOUBLE:
        e->kind = SQL_AST_DOUBLE;
        e->number = negative ? -tok.number : tok.number;
        break;
    case SQL_TOK_DURATION:
        e->kind = SQL_AST_INTERVAL;
        e->type = tok.interval;
        e->integer = negative ? -tok.integer : tok.integer;
        break;
    case SQL_TOK_STRING:
        e->kind = SQL_AST_STRING;
        e->string = tok.text;
        break;
    default:
        if (tok.keyword != SQL_KW_NULL) {
            e->kind = SQL_AST_BOOLEAN;
            e->boolean = tok.keyword == SQL_KW_TRUE;
        }
        break;
    }
    return sql_advance(p) ? e : NULL;
}

/* X'00 ff' is from_hex('00ff'). */
static struct sql_ast_expr *parse_bytes(struct sql_parser *p)
{
    struct sql_ast_expr *e = sql_new_call(p, &p->tok, TSFS_STR("from_hex"));
    struct sql_list list = {0};
    if (e == NULL || !sql_advance(p))
        return NULL;
    struct tsfs_str text = p->tok.text;
    char *digits = tsfs_arena_alloc(p->arena, text.len + 1);
    if (digits == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (strchr(" \t\r\n", text.ptr[i]) == NULL || text.ptr[i] == '\0')
            digits[n++] = text.ptr[i];
    p->tok.text = (struct tsfs_str){digits, n};
    if (!sql_add_expr(p, &list, sql_parse_literal(p, false)))
        return NULL;
    return sql_with_args(p, e, list.items, list.n);
}

/* DOUBLE PRECISION '1.5', which without the text is a column called double under a name. */
static struct sql_ast_expr *parse_double_precision(struct sql_parser *p)
{
    struct sql_token word = p->tok;
    if (!sql_advance(p) || !sql_peek(p))
        return NULL;
    bool typed = p->ahead.kind == SQL_TOK_STRING;
    struct sql_ast_expr *e = sql_new_node(p, typed ? SQL_AST_TYPED : SQL_AST_NAME, &word);
    if (e == NULL)
        return NULL;
    if (typed) {
        e->type = TSFS_DOUBLE;
        e->string = p->ahead.text;
        return sql_advance(p) && sql_advance(p) ? e : NULL;
    }
    e->parts = TSFS_NEW_ARRAY(p->arena, struct tsfs_str, 1);
    if (e->parts == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    e->parts[e->nparts++] = word.text;
    return e;
}

/* A word at the start of a primary that is no keyword with a form of its own. */
static struct sql_ast_expr *parse_word(struct sql_parser *p)
{
    struct sql_token word = p->tok;
    if (!sql_peek(p))
        return NULL;
    enum sql_token_kind next = p->ahead.kind;
    if (word.kind == SQL_TOK_WORD && next == SQL_TOK_WORD && sql_same_word(word.text, TSFS_STR("double")) &&
        sql_same_word(p->ahead.text, TSFS_STR("precision")))
        return parse_double_precision(p);
    if (word.kind == SQL_TOK_WORD && next == SQL_TOK_STRING) {
        if (sql_same_word(word.text, TSFS_STR("x")))
            return parse_bytes(p);
        struct sql_ast_expr *e = sql_new_node(p, SQL_AST_TYPED, &word);
        if (e == NULL)
            return NULL;
        if (!tsfs_type_from_name(word.text, &e->type)) {
            if (sql_same_word(word.text, TSFS_STR("decimal")))
                e->type = TSFS_DOUBLE;
            else {
                sql_fail_at(p, word.line, word.column, "no type \"%.*s\" for a literal",
                            word.text.len > 40 ? 40 : (int)word.text.len, word.text.ptr);
                return NULL;
            }
        }
        e->string = p->ahead.text;
        return sql_advance(p) && sql_advance(p) ? e : NULL;
    }
    if (next != SQL_TOK_LPAREN) {
        struct sql_ast_expr *e = parse_name(p);
        return e == NULL || p->tok.kind != SQL_TOK_ARROW ? e : sql_parse_lambda(p, &word, &e, 1);
    }
    if (word.kind == SQL_TOK_QUOTED || word.keyword != SQL_KW_POSITION)
        return parse_call(p);
    return sql_parse_position(p);
}

static struct sql_ast_expr *parse_keyword(struct sql_parser *p)
{
    struct sql_token word = p->tok;
    switch (word.keyword) {
    case SQL_KW_NULL:
    case SQL_KW_TRUE:
    case SQL_KW_FALSE: return sql_parse_literal(p, false);
    case SQL_KW_CASE: return parse_case(p);
    case SQL_KW_CAST: return parse_cast(p);
    case SQL_KW_EXTRACT: return parse_extract(p);
    case SQL_KW_CURRENT_DATE:
    case SQL_KW_CURRENT_TIME:
    case SQL_KW_CURRENT_TIMESTAMP:
    case SQL_KW_LOCALTIME:
    case SQL_KW_LOCALTIMESTAMP: {
        struct sql_ast_expr *e = sql_new_call(p, &word, word.text);
        if (e == NULL)
            return NULL;
        e->call->bare = true;
        if (!sql_advance(p))
            return NULL;
        if (p->tok.kind != SQL_TOK_LPAREN || word.keyword == SQL_KW_CURRENT_DATE)
            return e;
        struct sql_list digits = {0};
        if (!sql_advance(p))
            return NULL;
        if (p->tok.kind != SQL_TOK_INTEGER) {
            sql_fail_expected(p, "how many digits of the second, such as 3");
            return NULL;
        }
        if (!sql_add_expr(p, &digits, sql_parse_literal(p, false)) ||
            !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
            return NULL;
        return sql_with_args(p, e, digits.items, 1);
    }
    case SQL_KW_LEFT:
    case SQL_KW_RIGHT: break;
    case SQL_KW_EXISTS:
        if (!sql_advance(p) || !sql_expect_token(p, SQL_TOK_LPAREN, "( and a subquery after EXISTS"))
            return NULL;
        if (!sql_starts_query(&p->tok) && p->tok.kind != SQL_TOK_LPAREN) {
            sql_fail_expected(p, "a subquery");
            return NULL;
        }
        return parse_subquery(p, SQL_AST_EXISTS, &word, NULL);
    case SQL_KW_UNNEST:
        sql_fail_unsupported(p, &word, "UNNEST in an expression: write FROM t CROSS JOIN UNNEST(x) AS u (y)");
        return NULL;
    case SQL_KW_GROUPING:
        if (!sql_peek(p))
            return NULL;
        if (p->ahead.kind == SQL_TOK_LPAREN)
            return parse_call(p);
        break;
    case SQL_KW_NORMALIZE: sql_fail_unsupported(p, &word, "NORMALIZE"); return NULL;
    case SQL_KW_CURRENT_USER:
        sql_fail_unsupported(p, &word, "CURRENT_USER: write the name as a text");
        return NULL;
    default: break;
    }
    sql_fail_expected(p, "an expression");
    return NULL;
}

static struct sql_ast_expr *parse_plain(struct sql_parser *p)
{
    switch (p->tok.kind) {
    case SQL_TOK_INTEGER:
    case SQL_TOK_DOUBLE:
    case SQL_TOK_DURATION:
    case SQL_TOK_STRING: return sql_parse_literal(p, false);
    case SQL_TOK_LPAREN: return parse_parenthesis(p);
    case SQL_TOK_QUOTED: return parse_word(p);
    case SQL_TOK_PARAM:
        p->cut_short = false;
        sql_fail_at(p, p->tok.line, p->tok.column,
                    "tsfs does not support query parameters: write the value in the place of %.*s",
                    p->tok.text.len > 40 ? 40 : (int)p->tok.text.len, p->tok.text.ptr);
        return NULL;
    case SQL_TOK_WORD: break;
    default: sql_fail_expected(p, "an expression"); return NULL;
    }
    if (sql_keyword_reserved(p->tok.keyword))
        return parse_keyword(p);
    if (p->tok.keyword == SQL_KW_NONE)
        return parse_word(p);
    struct sql_token word = p->tok;
    if (!sql_peek(p))
        return NULL;
    bool paren = p->ahead.kind == SQL_TOK_LPAREN;
    if (word.keyword == SQL_KW_TRY_CAST && paren)
        return parse_cast(p);
    if (word.keyword == SQL_KW_ARRAY && p->ahead.kind == SQL_TOK_LBRACKET)
        return sql_parse_array(p);
    if (word.keyword == SQL_KW_ROW && paren)
        return sql_parse_row(p);
    if (word.keyword == SQL_KW_INTERVAL) {
        bool sign = p->ahead.kind == SQL_TOK_MINUS || p->ahead.kind == SQL_TOK_PLUS;
        bool negative = p->ahead.kind == SQL_TOK_MINUS;
        if (p->ahead.kind == SQL_TOK_STRING)
            return sql_advance(p) ? parse_interval(p, &word, false) : NULL;
        if (sign && sql_advance(p)) {
            if (!sql_peek(p))
                return NULL;
            if (p->ahead.kind == SQL_TOK_STRING)
                return sql_advance(p) ? parse_interval(p, &word, negative) : NULL;
            sql_fail_at(p, p->ahead.line, p->ahead.column, "expected a string such as '2' after INTERVAL");
        }
        if (sign)
            return NULL;
    }
    return parse_word(p);
}

struct sql_ast_expr *sql_parse_primary(struct sql_parser *p)
{
    struct sql_ast_expr *e = parse_plain(p);
    if (e != NULL && (p->tok.kind == SQL_TOK_LBRACKET || p->tok.kind == SQL_TOK_DOT))
        e = sql_parse_parts(p, e);
    if (e == NULL)
        return NULL;
    if (p->tok.kind == SQL_TOK_COLONS) {
        p->cut_short = false;
        sql_fail_at(p, p->tok.line, p->tok.column, "tsfs does not support :: casts: write CAST(x AS type)");
        return NULL;
    }
    if (sql_is(p, SQL_KW_AT)) {
        if (!sql_peek(p))
            return NULL;
        if (sql_is_word(&p->ahead, "time"))
            return sql_parse_zone(p, e);
    }
    return e;
}
