/* Statements: what may stand around a query or instead of one.
 *
 * Recursive descent with one token in hand and one ahead.  Each clause of the dialect that tsfs does not have
 * is recognised where it may stand, so that the error names it; anything else that does not fit is "expected
 * X, found Y" at the first token that cannot be right.
 */
#include <stdio.h>

#include "base/limits.h"
#include "sql/names.h"
#include "sql/parser_priv.h"

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
    bool escape;
    if (!sql_accept(p, SQL_KW_ESCAPE, &escape) || !escape)
        return p->rc == 0;
    if (p->tok.kind != SQL_TOK_STRING)
        return sql_fail_expected(p, "a character such as '!'");
    s->like_escape = p->tok.text;
    return sql_advance(p);
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
static bool parse_delete(struct sql_parser *p, struct sql_ast_statement *s)
{
    struct sql_token at = p->tok;
    s->kind = SQL_AST_DELETE;
    s->line = at.line;
    s->column = at.column;
    if (!sql_advance(p) || !sql_expect(p, SQL_KW_FROM, "FROM"))
        return false;
    s->query = sql_query_table(p, &at);
    if (s->query == NULL)
        return false;
    if (!sql_is(p, SQL_KW_WHERE))
        return sql_fail_expected(p, "WHERE (every row goes with WHERE true, or with truncate in the table's "
                                    "ctl file)");
    if (!sql_advance(p))
        return false;
    s->query->select->where = sql_parse_expr(p);
    return s->query->select->where != NULL;
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
