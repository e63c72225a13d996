/* What all parts of the parser stand on: the token in hand, lists that grow in the arena, and errors.
 *
 * That an error comes at the first wrong token is what tsfs_sql_check relies upon: a statement whose error is
 * at the end of the text may still become right.  So errors keep whether more text could make them go away.
 */
#include <errno.h>

#include "base/limits.h"
#include "sql/parser_priv.h"

bool sql_fail_memory(struct sql_parser *p)
{
    p->rc = tsfs_error_set(p->err, -ENOMEM, "out of memory for the statement");
    return false;
}

bool sql_fail_at(struct sql_parser *p, uint32_t line, uint32_t column, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    p->rc = tsfs_error_vset_at(p->err, -EINVAL, line, column, fmt, ap);
    va_end(ap);
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
    p->before[1] = p->before[0];
    p->before[0] = p->tok;
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
