/* What arrays, rows and lambdas add to expressions: their constructors, the spelling of their types, and what
 * may stand behind a value: [i] and .field. */
#include <errno.h>

#include "base/limits.h"
#include "base/num.h"
#include "sql/names.h"
#include "sql/parser_priv.h"

static bool fail_large(struct sql_parser *p, const struct sql_token *at)
{
    return sql_fail_at(p, at->line, at->column, "this type is too large, or tsfs holds too many types");
}

/* Whether the word in hand names a field: ROW(a bigint), but ROW(double precision). */
static bool names_field(struct sql_parser *p, bool *out)
{
    *out = p->tok.kind == SQL_TOK_QUOTED;
    if (p->tok.kind != SQL_TOK_WORD)
        return true;
    if (!sql_peek(p))
        return false;
    const struct sql_token *next = &p->ahead;
    if (next->kind != SQL_TOK_WORD)
        return true;
    bool type = (sql_same_word(p->tok.text, TSFS_STR("double")) &&
                 sql_same_word(next->text, TSFS_STR("precision"))) ||
                (sql_is(p, SQL_KW_INTERVAL) &&
                 (sql_same_word(next->text, TSFS_STR("day")) || sql_same_word(next->text, TSFS_STR("year"))));
    *out = !type;
    return true;
}

/* ROW ( [name] type, ... ), from ( on. */
static bool parse_row_type(struct sql_parser *p, const struct sql_token *start, enum tsfs_type *out)
{
    struct sql_list types = {0}, names = {0};
    bool more = true;
    if (!sql_advance(p))
        return false;
    while (more) {
        enum tsfs_type *type = sql_list_add(p, &types, sizeof(*type));
        struct tsfs_str *name = type == NULL ? NULL : sql_list_add(p, &names, sizeof(*name));
        bool named;
        if (name == NULL || !names_field(p, &named) || (named && !sql_name(p, name, "a field's name")) ||
            !sql_parse_type(p, type, NULL) || !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    if (!sql_expect_token(p, SQL_TOK_RPAREN, ", or )"))
        return false;
    *out = tsfs_type_row(types.items, names.items, types.n);
    return *out != TSFS_UNKNOWN || fail_large(p, start);
}

/* ARRAY(type), TIMESERIES(type), ROW(...); the word is in hand. */
static bool parse_nested_type(struct sql_parser *p, enum tsfs_type *out)
{
    struct sql_token first = p->tok;
    bool array = sql_is(p, SQL_KW_ARRAY), row = sql_is(p, SQL_KW_ROW);
    if (!sql_enter(p) || !sql_advance(p))
        return false;
    bool angle = p->tok.kind == SQL_TOK_LT && !row; /* ARRAY<type>, as older texts have it */
    if (p->tok.kind != SQL_TOK_LPAREN && !angle)
        return sql_fail_expected(p, array ? "( and the type of the elements"
                                    : row ? "( and the types of the fields"
                                          : "( and the type of the values");
    bool ok;
    if (row) {
        ok = parse_row_type(p, &first, out);
    } else {
        ok = sql_advance(p) && sql_parse_type(p, out, NULL) &&
             (angle ? sql_expect_token(p, SQL_TOK_GT, ">") : sql_expect_token(p, SQL_TOK_RPAREN, ")"));
        if (ok) {
            *out = array ? tsfs_type_array(*out) : tsfs_type_timeseries(*out);
            ok = *out != TSFS_UNKNOWN || fail_large(p, &first);
        }
    }
    sql_leave(p);
    return ok;
}

/* What other systems call a type that tsfs has, or has something like. */
static const char *other_name(struct tsfs_str name)
{
    static const struct {
        const char *name, *hint;
    } others[] = {
        {"decimal", " (tsfs has double)"},
        {"numeric", " (tsfs has double)"},
        {"real", " (tsfs has double)"},
        {"float", " (tsfs has double)"},
        {"float64", " (tsfs has double)"},
        {"smallint", " (tsfs has integer and bigint)"},
        {"tinyint", " (tsfs has integer and bigint)"},
        {"int64", " (tsfs has bigint)"},
        {"signed", " (tsfs has bigint)"},
        {"unsigned", " (tsfs has bigint)"},
        {"char", " (tsfs has varchar)"},
        {"text", " (tsfs has varchar)"},
        {"string", " (tsfs has varchar)"},
        {"character", " (tsfs has varchar)"},
        {"datetime", " (tsfs has timestamp)"},
        {"timestamptz", " (tsfs has timestamp, always UTC)"},
        {"json", " (tsfs has rows and arrays)"},
        {"map", " (tsfs has rows and arrays)"},
        {"binary", " (tsfs has varbinary)"},
        {"blob", " (tsfs has varbinary)"},
        {"bytea", " (tsfs has varbinary)"},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (sql_same_word(name, tsfs_str_from(others[i].name)))
            return others[i].hint;
    return NULL;
}

/* The digits of a second behind timestamp, from the number on: *length is 1 more, 0 where nothing is lost. */
static bool parse_digits(struct sql_parser *p, uint32_t *length)
{
    int64_t n = 0;
    if (p->tok.kind != SQL_TOK_INTEGER)
        return sql_fail_expected(p, "a number of digits");
    if (tsfs_num_parse_i64(p->tok.text, &n) != 0 || n < 0 || n > 12)
        return sql_fail_at(p, p->tok.line, p->tok.column, "a timestamp has 0 to 12 digits behind the second");
    *length = n < 9 ? (uint32_t)n + 1 : 0;
    return sql_advance(p) && sql_expect_token(p, SQL_TOK_RPAREN, ")");
}

/* (n) behind varchar or timestamp, from ( on. */
static bool parse_length(struct sql_parser *p, enum tsfs_type type, uint32_t *length)
{
    struct sql_token open = p->tok;
    int64_t n = 0;
    if (length != NULL && type == TSFS_TIMESTAMP)
        return sql_advance(p) && parse_digits(p, length);
    if (length == NULL || type != TSFS_VARCHAR) {
        p->cut_short = false;
        return sql_fail_at(p, open.line, open.column, "tsfs does not support a length after %s%s",
                           length == NULL ? "the type of an element or a field: " : "type ",
                           tsfs_type_name(type));
    }
    if (!sql_advance(p))
        return false;
    if (p->tok.kind != SQL_TOK_INTEGER)
        return sql_fail_expected(p, "a number of characters");
    if (tsfs_num_parse_i64(p->tok.text, &n) != 0 || n < 1 || n > INT32_MAX)
        return sql_fail_at(p, p->tok.line, p->tok.column,
                           "the length of a varchar must be between 1 and 2147483647");
    *length = (uint32_t)n;
    return sql_advance(p) && sql_expect_token(p, SQL_TOK_RPAREN, ")");
}

/* WITHOUT TIME ZONE, which all times are, behind timestamp and time. */
static bool parse_zoneless(struct sql_parser *p, enum tsfs_type type)
{
    static const char *const words[] = {"without", "time", "zone"};
    if ((type != TSFS_TIMESTAMP && type != TSFS_TIME) || p->tok.kind != SQL_TOK_WORD ||
        !sql_same_word(p->tok.text, tsfs_str_from(words[0])))
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (p->tok.kind != SQL_TOK_WORD || !sql_same_word(p->tok.text, tsfs_str_from(words[i])))
            return sql_fail_expected(p, "WITHOUT TIME ZONE");
        if (!sql_advance(p))
            return false;
    }
    return true;
}

/* One word, or "double precision", "interval day to second", or a nested type. */
static bool parse_single_type(struct sql_parser *p, enum tsfs_type *out, uint32_t *length)
{
    struct sql_token first = p->tok;
    if (p->tok.kind != SQL_TOK_WORD)
        return sql_fail_expected(p, "a type");
    if (sql_is(p, SQL_KW_ARRAY) || sql_is(p, SQL_KW_ROW) ||
        sql_same_word(p->tok.text, TSFS_STR("timeseries")))
        return parse_nested_type(p, out);
    char name[64];
    size_t n = 0;
    do {
        if (n + p->tok.text.len + 2 > sizeof(name))
            break;
        if (n > 0)
            name[n++] = ' ';
        memcpy(name + n, p->tok.text.ptr, p->tok.text.len);
        n += p->tok.text.len;
        if (!sql_advance(p))
            return false;
    } while (p->tok.kind == SQL_TOK_WORD && !sql_is(p, SQL_KW_ARRAY) &&
             !sql_same_word(p->tok.text, TSFS_STR("without")));
    name[n] = '\0';
    struct tsfs_str text = {name, n};
    if (!tsfs_type_from_name(text, out) || *out == TSFS_UNKNOWN) {
        p->cut_short = p->tok.kind == SQL_TOK_END;
        struct sql_nearest near = {.wanted = first.text};
        for (int t = TSFS_UNKNOWN + 1; t < TSFS_TYPE_COUNT; t++)
            sql_nearest_try(&near, tsfs_str_from(tsfs_type_name((enum tsfs_type)t)));
        char hint[SQL_HINT_MAX];
        if (n == 0)
            return sql_fail_at(p, first.line, first.column, "no type of that long a name");
        const char *other =
            strcasestr(name, "with time zone") != NULL ? " (all times are in UTC)" : other_name(first.text);
        return sql_fail_at(p, first.line, first.column, "no type \"%.*s\"%s", (int)n, name,
                           other != NULL ? other : sql_nearest_hint(&near, hint));
    }
    return (p->tok.kind != SQL_TOK_LPAREN || parse_length(p, *out, length)) && parse_zoneless(p, *out);
}

/* A type after AS; ARRAY and ARRAY[n] may also stand behind the elements' type. */
bool sql_parse_type(struct sql_parser *p, enum tsfs_type *out, uint32_t *length)
{
    struct sql_token first = p->tok;
    if (!parse_single_type(p, out, length))
        return false;
    for (bool more; sql_is(p, SQL_KW_ARRAY);) {
        if (length != NULL && *length != 0)
            return sql_fail_at(p, first.line, first.column,
                               "tsfs does not support a length after the type of an element or a field: %s",
                               tsfs_type_name(*out));
        *out = tsfs_type_array(*out);
        if (*out == TSFS_UNKNOWN)
            return fail_large(p, &first);
        if (!sql_advance(p) || !sql_accept_token(p, SQL_TOK_LBRACKET, &more))
            return false;
        if (more && p->tok.kind != SQL_TOK_INTEGER)
            return sql_fail_expected(p, "a number of elements");
        if (more && (!sql_advance(p) || !sql_expect_token(p, SQL_TOK_RBRACKET, "]")))
            return false;
    }
    return true;
}

/* Expressions up to the closing token, which may come at once. */
static struct sql_ast_expr *parse_list(struct sql_parser *p, enum sql_ast_kind kind,
                                       enum sql_token_kind close, const char *expected)
{
    struct sql_token start = p->tok;
    struct sql_list list = {0};
    if (!sql_advance(p) || !sql_advance(p))
        return NULL;
    bool more = p->tok.kind != close;
    while (more)
        if (!sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return NULL;
    if (!sql_expect_token(p, close, expected))
        return NULL;
    struct sql_ast_expr *e = sql_new_node(p, kind, &start);
    return e == NULL ? NULL : sql_with_args(p, e, list.items, list.n);
}

struct sql_ast_expr *sql_parse_array(struct sql_parser *p)
{
    return parse_list(p, SQL_AST_ARRAY, SQL_TOK_RBRACKET, ", or ]");
}

struct sql_ast_expr *sql_parse_row(struct sql_parser *p)
{
    return parse_list(p, SQL_AST_ROW, SQL_TOK_RPAREN, ", or )");
}

struct sql_ast_expr *sql_parse_lambda(struct sql_parser *p, const struct sql_token *start,
                                      struct sql_ast_expr **params, uint32_t n)
{
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_LAMBDA, start);
    struct sql_ast_expr **args = e == NULL ? NULL : TSFS_NEW_ARRAY(p->arena, struct sql_ast_expr *, 1);
    if (args != NULL)
        e->parts = TSFS_NEW_ARRAY(p->arena, struct tsfs_str, n);
    if (args == NULL || e->parts == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (params[i]->kind != SQL_AST_NAME || params[i]->nparts != 1) {
            sql_fail_at(p, params[i]->line, params[i]->column, "a lambda's parameter is a name");
            return NULL;
        }
        if (i == SQL_LAMBDA_PARAMS_MAX) {
            sql_fail_at(p, params[i]->line, params[i]->column, "a lambda has at most %d parameters",
                        SQL_LAMBDA_PARAMS_MAX);
            return NULL;
        }
        e->parts[e->nparts++] = params[i]->parts[0];
    }
    if (!sql_advance(p))
        return NULL;
    args[0] = sql_parse_expr(p);
    return args[0] == NULL ? NULL : sql_with_args(p, e, args, 1);
}

struct sql_ast_expr *sql_parse_parts(struct sql_parser *p, struct sql_ast_expr *e)
{
    while (e != NULL && (p->tok.kind == SQL_TOK_LBRACKET || p->tok.kind == SQL_TOK_DOT)) {
        struct sql_token at = p->tok;
        struct sql_list list = {0};
        if (!sql_add_expr(p, &list, e) || !sql_advance(p))
            return NULL;
        e = sql_new_node(p, at.kind == SQL_TOK_DOT ? SQL_AST_FIELD : SQL_AST_SUBSCRIPT, &at);
        if (e == NULL)
            return NULL;
        if (at.kind == SQL_TOK_DOT && p->tok.kind == SQL_TOK_STAR) {
            e->kind = SQL_AST_STAR;
            return sql_advance(p) ? sql_with_args(p, e, list.items, list.n) : NULL;
        }
        if (at.kind == SQL_TOK_DOT) {
            if (!sql_name(p, &e->string, "a field's name"))
                return NULL;
        } else if (!sql_add_expr(p, &list, sql_parse_expr(p)) ||
                   !sql_expect_token(p, SQL_TOK_RBRACKET, "]")) {
            return NULL;
        }
        e = sql_with_args(p, e, list.items, list.n);
    }
    return e;
}
