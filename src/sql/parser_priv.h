/* What the parts of the parser share: statements in parser.c, queries in parser_query.c, operators in
 * parser_expr.c, the rest of expressions in parser_primary.c. */
#ifndef TSFS_SQL_PARSER_PRIV_H
#define TSFS_SQL_PARSER_PRIV_H

#include "sql/ast.h"
#include "sql/lexer.h"

struct sql_parser {
    struct sql_lexer lx;
    struct tsfs_arena *arena;
    struct tsfs_error *err;
    struct sql_token tok, ahead; /* current, and the one after it when has_ahead */
    struct sql_token before[2];  /* those before it, the last first: for hints */
    bool has_ahead;
    bool rows; /* (a, b) may stand here: a GROUP BY element */
    unsigned depth;
    int rc;         /* the failure that ended it all */
    bool cut_short; /* more text could make the failure go away */
};

/* A list that grows in the arena. */
struct sql_list {
    void *items;
    uint32_t n, cap;
};

/* parser_token.c, parser_hint.c.  Everything here returns false or NULL on failure, with p->rc set and an
 * error recorded. */
bool sql_advance(struct sql_parser *p);
bool sql_peek(struct sql_parser *p); /* fills p->ahead */
bool sql_fail_memory(struct sql_parser *p);
/* "expected X, found Y" at the current token. */
bool sql_fail_expected(struct sql_parser *p, const char *expected);
/* What to write instead of what stands at the current token, in the parser's arena, or "". */
const char *sql_hint(struct sql_parser *p);
/* "tsfs does not support X" at a position. */
bool sql_fail_unsupported(struct sql_parser *p, const struct sql_token *where, const char *what);
bool sql_fail_at(struct sql_parser *p, uint32_t line, uint32_t column, const char *fmt, ...)
    TSFS_PRINTF(4, 5);
bool sql_is(const struct sql_parser *p, enum sql_keyword keyword);
bool sql_accept(struct sql_parser *p, enum sql_keyword keyword, bool *found);
bool sql_expect(struct sql_parser *p, enum sql_keyword keyword, const char *expected);
bool sql_accept_token(struct sql_parser *p, enum sql_token_kind kind, bool *found);
bool sql_expect_token(struct sql_parser *p, enum sql_token_kind kind, const char *expected);
bool sql_is_name(const struct sql_token *tok); /* can be an identifier */
bool sql_name(struct sql_parser *p, struct tsfs_str *out, const char *expected);
bool sql_enter(struct sql_parser *p); /* one level deeper; sql_leave when done */
void sql_leave(struct sql_parser *p);
void *sql_list_add(struct sql_parser *p, struct sql_list *list, size_t size);

/* parser_query.c */
struct sql_ast_query *sql_parse_query(struct sql_parser *p);
/* SELECT * FROM from */
struct sql_ast_query *sql_query_from(struct sql_parser *p, struct sql_ast_from *from,
                                     const struct sql_token *at);
/* SELECT * FROM (inner) */
struct sql_ast_query *sql_query_over(struct sql_parser *p, struct sql_ast_query *inner,
                                     const struct sql_token *at);
/* SELECT * FROM the table whose name is in hand, said at a place before it */
struct sql_ast_query *sql_query_table(struct sql_parser *p, const struct sql_token *at);
/* The rest of a query whose first operand is the parenthesised `first`. */
struct sql_ast_query *sql_parse_query_rest(struct sql_parser *p, struct sql_ast_query *first,
                                           const struct sql_token *open);
bool sql_continues_query(const struct sql_parser *p); /* UNION, ORDER, LIMIT or ) comes next */
/* The expressions of ORDER BY, from the first on. */
bool sql_parse_keys(struct sql_parser *p, struct sql_ast_key **keys, uint32_t *nkeys);

/* parser_from.c */
struct sql_ast_from *sql_parse_from(struct sql_parser *p);
bool sql_parse_alias(struct sql_parser *p, struct tsfs_str *out); /* [[AS] name] */
/* (a, b, c), from the parenthesis on. */
bool sql_parse_columns(struct sql_parser *p, struct tsfs_str **out, uint32_t *n);
/* database.table or table */
bool sql_parse_table_name(struct sql_parser *p, struct tsfs_str *database, struct tsfs_str *name);

/* parser_group.c: what follows GROUP BY. */
bool sql_parse_group_by(struct sql_parser *p, struct sql_ast_select *s);

/* parser_window.c: what follows OVER; what follows WINDOW. */
struct sql_ast_window *sql_parse_window(struct sql_parser *p);
bool sql_parse_window_clause(struct sql_parser *p, struct sql_ast_select *s);

/* parser_expr.c */
struct sql_ast_expr *sql_parse_expr(struct sql_parser *p);
/* Operators over values that bind tighter than min; 0: all up to ||, no comparison. */
struct sql_ast_expr *sql_parse_value(struct sql_parser *p, int min);
struct sql_ast_expr *sql_new_node(struct sql_parser *p, enum sql_ast_kind kind, const struct sql_token *at);
/* Puts the arguments into e, which counts its depth. */
struct sql_ast_expr *sql_with_args(struct sql_parser *p, struct sql_ast_expr *e, struct sql_ast_expr **args,
                                   uint32_t n);
bool sql_add_expr(struct sql_parser *p, struct sql_list *list, struct sql_ast_expr *e); /* takes e NULL */
bool sql_starts_query(const struct sql_token *tok);

/* parser_primary.c */
struct sql_ast_expr *sql_parse_primary(struct sql_parser *p);
struct sql_ast_expr *sql_parse_literal(struct sql_parser *p, bool negative); /* one token */

/* parser_forms.c */
bool sql_is_word(const struct sql_token *tok, const char *word);
struct sql_ast_expr *sql_new_call(struct sql_parser *p, const struct sql_token *at, struct tsfs_str fn);
struct sql_ast_expr *sql_parse_position(struct sql_parser *p); /* ( is ahead */
/* *fn: what TRIM with the side in hand is called, NULL if no side is in hand. */
bool sql_starts_trim(struct sql_parser *p, const struct sql_ast_expr *call, const char **fn);
/* From the side on, or from FROM on behind chars. */
struct sql_ast_expr *sql_parse_trim(struct sql_parser *p, struct sql_ast_expr *e, const char *fn,
                                    struct sql_ast_expr *chars);
struct sql_ast_expr *sql_parse_substring(struct sql_parser *p, struct sql_ast_expr *e,
                                         struct sql_ast_expr *text); /* from FROM on */
bool sql_is_listagg(const struct sql_ast_expr *e);
bool sql_parse_overflow(struct sql_parser *p); /* ON OVERFLOW ERROR */
bool sql_parse_within_group(struct sql_parser *p, struct sql_ast_expr *e);
struct sql_ast_expr *sql_make_listagg(struct sql_parser *p, struct sql_ast_expr *e,
                                      const struct sql_token *at);
/* From TO on. */
struct sql_ast_expr *sql_parse_interval_to(struct sql_parser *p, const struct sql_token *start,
                                           const struct sql_token *number, const struct sql_token *unit,
                                           bool negative);
struct sql_ast_expr *sql_parse_zone(struct sql_parser *p, struct sql_ast_expr *e); /* from AT on */

/* parser_nested.c */
/* length: of varchar(n), 0 = none was given; NULL: it may have none. */
bool sql_parse_type(struct sql_parser *p, enum tsfs_type *out, uint32_t *length);
struct sql_ast_expr *sql_parse_array(struct sql_parser *p); /* from ARRAY on, [ is ahead */
struct sql_ast_expr *sql_parse_row(struct sql_parser *p);   /* from ROW on, ( is ahead */
/* From the arrow on; params is what stood before it. */
struct sql_ast_expr *sql_parse_lambda(struct sql_parser *p, const struct sql_token *start,
                                      struct sql_ast_expr **params, uint32_t n);
/* Subscripts and fields behind e. */
struct sql_ast_expr *sql_parse_parts(struct sql_parser *p, struct sql_ast_expr *e);

#endif
