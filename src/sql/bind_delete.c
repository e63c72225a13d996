/* DELETE: its WHERE is bound as a query's would be. */
#include "sql/bind_priv.h"
#include "sql/lexer.h"

bool tsfs_sql_is_delete(struct tsfs_str text)
{
    struct tsfs_arena arena;
    struct sql_lexer lx;
    struct sql_token tok;
    struct tsfs_error err = {0};
    tsfs_arena_init(&arena, NULL);
    bool is = sql_lexer_init(&lx, text, &arena, &err) == 0 && sql_lexer_next(&lx, &tok) == 0 &&
              tok.kind == SQL_TOK_WORD && tok.keyword == SQL_KW_DELETE;
    tsfs_arena_free(&arena);
    return is;
}

bool tsfs_sql_explains_delete(struct tsfs_str text, size_t *at)
{
    struct tsfs_arena arena;
    struct sql_lexer lx;
    struct sql_token tok;
    struct tsfs_error err = {0};
    tsfs_arena_init(&arena, NULL);
    bool is = sql_lexer_init(&lx, text, &arena, &err) == 0 && sql_lexer_next(&lx, &tok) == 0 &&
              tok.kind == SQL_TOK_WORD && tok.keyword == SQL_KW_EXPLAIN && sql_lexer_next(&lx, &tok) == 0 &&
              tok.kind == SQL_TOK_WORD && tok.keyword == SQL_KW_DELETE;
    if (is)
        *at = tok.from;
    tsfs_arena_free(&arena);
    return is;
}

int tsfs_sql_bind_delete(struct tsfs_str text, const struct tsfs_resolver *resolver,
                         const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                         struct tsfs_bound **out, struct tsfs_error *err)
{
    struct binder b = {.arena = arena, .err = err, .resolver = resolver, .functions = functions};
    struct sql_ast_statement *st;
    int rc = sql_parse(text, arena, &st, NULL, err);
    if (rc != 0)
        return rc;
    *out = bind_functions_init(&b) ? bind_query(&b, st->query) : NULL;
    return *out == NULL ? b.rc : 0;
}
