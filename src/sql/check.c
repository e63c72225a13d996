#include "sql/check.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "sql/ast.h"
#include "sql/lexer.h"

/* Cuts a UTF-8 sequence off the end that more bytes could complete. */
static struct tsfs_str without_torn_tail(struct tsfs_str text)
{
    for (size_t back = 1; back <= 3 && back <= text.len; back++) {
        unsigned char c = (unsigned char)text.ptr[text.len - back];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t need = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 1;
        if (need > back)
            text.len -= back;
        break;
    }
    return text;
}

enum tsfs_sql_state tsfs_sql_check(struct tsfs_str text, struct tsfs_error *err)
{
    struct tsfs_str whole = without_torn_tail(text);
    bool torn = whole.len < text.len, cut_short = false;
    struct tsfs_arena arena;
    struct sql_lexer lx;
    struct sql_token tok;
    struct tsfs_error local = {0};
    enum tsfs_sql_state state = TSFS_SQL_BROKEN;
    tsfs_arena_init(&arena, NULL);
    if (sql_lexer_init(&lx, whole, &arena, &local) == 0 && sql_lexer_next(&lx, &tok) == 0 &&
        tok.kind == SQL_TOK_END) {
        state = torn ? TSFS_SQL_OPEN : TSFS_SQL_EMPTY;
    } else {
        struct sql_ast_statement *s;
        tsfs_error_clear(&local);
        int rc = sql_parse(whole, &arena, &s, &cut_short, &local);
        if (rc != 0)
            state = cut_short ? TSFS_SQL_OPEN : TSFS_SQL_BROKEN;
        else if (torn)
            state = TSFS_SQL_OPEN;
        else
            state = s->terminated ? TSFS_SQL_TERMINATED : TSFS_SQL_MAY_END;
    }
    if (state == TSFS_SQL_BROKEN && err != NULL && err->code == 0)
        *err = local;
    tsfs_arena_free(&arena);
    return state;
}
