/* OVER (..) and the WINDOW clause:
 *
 *     ( [name] [PARTITION BY a, ..] [ORDER BY ..] [{ROWS | RANGE | GROUPS} bound | BETWEEN bound AND bound] )
 *
 * Words that are no keywords elsewhere (PARTITION, PRECEDING, ...) are compared as text. */
#include "base/limits.h"
#include "sql/parser_priv.h"

static bool is_word(const struct sql_parser *p, const char *word)
{
    return p->tok.kind == SQL_TOK_WORD && sql_same_word(p->tok.text, tsfs_str_from(word));
}

static bool accept_word(struct sql_parser *p, const char *word, bool *found)
{
    *found = is_word(p, word);
    return *found ? sql_advance(p) : true;
}

static bool expect_word(struct sql_parser *p, const char *word, const char *expected)
{
    return is_word(p, word) ? sql_advance(p) : sql_fail_expected(p, expected);
}

static bool parse_bound(struct sql_parser *p, enum tsfs_frame_bound *bound, struct sql_ast_expr **offset)
{
    bool found, preceding;
    if (!accept_word(p, "unbounded", &found))
        return false;
    if (!found) {
        if (!accept_word(p, "current", &found))
            return false;
        if (found) {
            *bound = TSFS_FRAME_CURRENT;
            return sql_expect(p, SQL_KW_ROW, "ROW after CURRENT");
        }
        if ((*offset = sql_parse_value(p, 0)) == NULL)
            return false;
    }
    if (!accept_word(p, "preceding", &preceding))
        return false;
    if (!preceding && !expect_word(p, "following", "PRECEDING or FOLLOWING"))
        return false;
    if (*offset != NULL)
        *bound = preceding ? TSFS_FRAME_PRECEDING : TSFS_FRAME_FOLLOWING;
    else
        *bound = preceding ? TSFS_FRAME_UNBOUNDED_PRECEDING : TSFS_FRAME_UNBOUNDED_FOLLOWING;
    return true;
}

static bool parse_frame(struct sql_parser *p, struct sql_ast_window *w)
{
    struct sql_token at = p->tok;
    bool between;
    if (is_word(p, "rows"))
        w->unit = TSFS_FRAME_ROWS;
    else if (is_word(p, "range"))
        w->unit = TSFS_FRAME_RANGE;
    else if (is_word(p, "groups"))
        w->unit = TSFS_FRAME_GROUPS;
    else
        return true;
    w->framed = true;
    w->end = TSFS_FRAME_CURRENT;
    if (!sql_advance(p) || !sql_accept(p, SQL_KW_BETWEEN, &between))
        return false;
    if (!parse_bound(p, &w->start, &w->start_offset))
        return false;
    if (between && (!sql_expect(p, SQL_KW_AND, "AND") || !parse_bound(p, &w->end, &w->end_offset)))
        return false;
    if (w->start == TSFS_FRAME_UNBOUNDED_FOLLOWING)
        return sql_fail_at(p, at.line, at.column, "a frame cannot start at UNBOUNDED FOLLOWING");
    if (w->end == TSFS_FRAME_UNBOUNDED_PRECEDING)
        return sql_fail_at(p, at.line, at.column, "a frame cannot end at UNBOUNDED PRECEDING");
    if (w->start > w->end)
        return sql_fail_at(p, at.line, at.column, "the frame ends before it starts");
    if (is_word(p, "exclude"))
        return sql_fail_unsupported(p, &p->tok, "EXCLUDE in a window's frame");
    return true;
}

static bool parse_inside(struct sql_parser *p, struct sql_ast_window *w)
{
    bool more = false;
    if (sql_is_name(&p->tok) && !is_word(p, "partition") && !is_word(p, "rows") && !is_word(p, "range") &&
        !is_word(p, "groups")) {
        w->base = p->tok.text;
        if (!sql_advance(p))
            return false;
    }
    if (!accept_word(p, "partition", &more))
        return false;
    if (more) {
        struct sql_list list = {0};
        if (!sql_expect(p, SQL_KW_BY, "BY"))
            return false;
        while (more)
            if (!sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_accept_token(p, SQL_TOK_COMMA, &more))
                return false;
        w->partition = list.items;
        w->npartition = list.n;
    }
    if (!sql_accept(p, SQL_KW_ORDER, &more))
        return false;
    if (more && (!sql_expect(p, SQL_KW_BY, "BY") || !sql_parse_keys(p, &w->keys, &w->nkeys)))
        return false;
    return parse_frame(p, w);
}

struct sql_ast_window *sql_parse_window(struct sql_parser *p)
{
    struct sql_ast_window *w = TSFS_NEW(p->arena, struct sql_ast_window);
    if (w == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    w->line = p->tok.line;
    w->column = p->tok.column;
    if (p->tok.kind != SQL_TOK_LPAREN)
        return sql_name(p, &w->base, "( or a window's name after OVER") ? w : NULL;
    if (!sql_enter(p) || !sql_advance(p) || !parse_inside(p, w))
        return NULL;
    sql_leave(p);
    return sql_expect_token(p, SQL_TOK_RPAREN, ")") ? w : NULL;
}

/* WINDOW name AS (..), .. */
bool sql_parse_window_clause(struct sql_parser *p, struct sql_ast_select *s)
{
    struct sql_list list = {0};
    for (bool more = true; more;) {
        if (list.n == TSFS_SQL_WINDOWS_MAX)
            return sql_fail_at(p, p->tok.line, p->tok.column, "WINDOW has more than %d names",
                               TSFS_SQL_WINDOWS_MAX);
        struct sql_ast_named_window *named = sql_list_add(p, &list, sizeof(*named));
        if (named == NULL || !sql_name(p, &named->name, "a window's name") || !sql_expect(p, SQL_KW_AS, "AS"))
            return false;
        if (p->tok.kind != SQL_TOK_LPAREN)
            return sql_fail_expected(p, "(");
        named->window = sql_parse_window(p);
        if (named->window == NULL || !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    s->windows = list.items;
    s->nwindows = list.n;
    return true;
}
