/* SQL text to tokens, one at a time. */
#ifndef TSFS_SQL_LEXER_H
#define TSFS_SQL_LEXER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "col/type.h"

enum sql_token_kind {
    SQL_TOK_END,
    SQL_TOK_WORD,     /* bare identifier or keyword */
    SQL_TOK_QUOTED,   /* "identifier" */
    SQL_TOK_STRING,   /* 'text' */
    SQL_TOK_INTEGER,  /* text holds the digits */
    SQL_TOK_DOUBLE,   /* number */
    SQL_TOK_DURATION, /* 5m: type and integer */
    SQL_TOK_PARAM,    /* ? or @name */
    SQL_TOK_LPAREN,
    SQL_TOK_RPAREN,
    SQL_TOK_LBRACKET,
    SQL_TOK_RBRACKET,
    SQL_TOK_COMMA,
    SQL_TOK_DOT,
    SQL_TOK_SEMICOLON,
    SQL_TOK_PLUS,
    SQL_TOK_MINUS,
    SQL_TOK_STAR,
    SQL_TOK_SLASH,
    SQL_TOK_PERCENT,
    SQL_TOK_CONCAT,
    SQL_TOK_EQ,
    SQL_TOK_NE,
    SQL_TOK_LT,
    SQL_TOK_LE,
    SQL_TOK_GT,
    SQL_TOK_GE,
    SQL_TOK_ARROW,
    SQL_TOK_COLONS /* :: */
};

/* name, reserved: reserved words are identifiers only in double quotes.  Sorted. */
#define SQL_KEYWORDS(X)                                                                                      \
    X(ALL, 0)                                                                                                \
    X(ALTER, 1)                                                                                              \
    X(ANALYZE, 0)                                                                                            \
    X(AND, 1)                                                                                                \
    X(ANY, 0)                                                                                                \
    X(ARRAY, 0)                                                                                              \
    X(AS, 1)                                                                                                 \
    X(ASC, 0)                                                                                                \
    X(AT, 0)                                                                                                 \
    X(BETWEEN, 1)                                                                                            \
    X(BY, 1)                                                                                                 \
    X(CASE, 1)                                                                                               \
    X(CAST, 1)                                                                                               \
    X(CONSTRAINT, 1)                                                                                         \
    X(CREATE, 1)                                                                                             \
    X(CROSS, 1)                                                                                              \
    X(CUBE, 1)                                                                                               \
    X(CURRENT_DATE, 1)                                                                                       \
    X(CURRENT_TIME, 1)                                                                                       \
    X(CURRENT_TIMESTAMP, 1)                                                                                  \
    X(CURRENT_USER, 1)                                                                                       \
    X(DATABASES, 0)                                                                                          \
    X(DEALLOCATE, 1)                                                                                         \
    X(DELETE, 1)                                                                                             \
    X(DESC, 0)                                                                                               \
    X(DESCRIBE, 1)                                                                                           \
    X(DISTINCT, 1)                                                                                           \
    X(DROP, 1)                                                                                               \
    X(ELSE, 1)                                                                                               \
    X(END, 1)                                                                                                \
    X(ESCAPE, 1)                                                                                             \
    X(EXCEPT, 1)                                                                                             \
    X(EXECUTE, 1)                                                                                            \
    X(EXISTS, 1)                                                                                             \
    X(EXPLAIN, 0)                                                                                            \
    X(EXTRACT, 1)                                                                                            \
    X(FALSE, 1)                                                                                              \
    X(FETCH, 0)                                                                                              \
    X(FILTER, 0)                                                                                             \
    X(FIRST, 0)                                                                                              \
    X(FOR, 1)                                                                                                \
    X(FROM, 1)                                                                                               \
    X(FULL, 1)                                                                                               \
    X(GRANT, 0)                                                                                              \
    X(GROUP, 1)                                                                                              \
    X(GROUPING, 1)                                                                                           \
    X(HAVING, 1)                                                                                             \
    X(IGNORE, 0)                                                                                             \
    X(IN, 1)                                                                                                 \
    X(INNER, 1)                                                                                              \
    X(INSERT, 1)                                                                                             \
    X(INTERSECT, 1)                                                                                          \
    X(INTERVAL, 0)                                                                                           \
    X(INTO, 1)                                                                                               \
    X(IS, 1)                                                                                                 \
    X(JOIN, 1)                                                                                               \
    X(LAST, 0)                                                                                               \
    X(LATERAL, 0)                                                                                            \
    X(LEFT, 1)                                                                                               \
    X(LIKE, 1)                                                                                               \
    X(LIMIT, 0)                                                                                              \
    X(LOCALTIME, 1)                                                                                          \
    X(LOCALTIMESTAMP, 1)                                                                                     \
    X(MEASURES, 0)                                                                                           \
    X(MERGE, 0)                                                                                              \
    X(NATURAL, 1)                                                                                            \
    X(NEXT, 0)                                                                                               \
    X(NORMALIZE, 1)                                                                                          \
    X(NOT, 1)                                                                                                \
    X(NULL, 1)                                                                                               \
    X(NULLS, 0)                                                                                              \
    X(OFFSET, 0)                                                                                             \
    X(ON, 1)                                                                                                 \
    X(OR, 1)                                                                                                 \
    X(ORDER, 1)                                                                                              \
    X(OUTER, 1)                                                                                              \
    X(OVER, 0)                                                                                               \
    X(POSITION, 0)                                                                                           \
    X(PREPARE, 1)                                                                                            \
    X(RECURSIVE, 1)                                                                                          \
    X(RESPECT, 0)                                                                                            \
    X(RIGHT, 1)                                                                                              \
    X(ROLLUP, 1)                                                                                             \
    X(ROW, 0)                                                                                                \
    X(ROWS, 0)                                                                                               \
    X(SELECT, 1)                                                                                             \
    X(SETS, 0)                                                                                               \
    X(SHOW, 0)                                                                                               \
    X(SOME, 0)                                                                                               \
    X(TABLE, 1)                                                                                              \
    X(TABLES, 0)                                                                                             \
    X(TABLESAMPLE, 0)                                                                                        \
    X(THEN, 1)                                                                                               \
    X(TO, 0)                                                                                                 \
    X(TRUE, 1)                                                                                               \
    X(TRUNCATE, 0)                                                                                           \
    X(TRY_CAST, 0)                                                                                           \
    X(UESCAPE, 1)                                                                                            \
    X(UNION, 1)                                                                                              \
    X(UNLOAD, 0)                                                                                             \
    X(UNNEST, 1)                                                                                             \
    X(UPDATE, 0)                                                                                             \
    X(USING, 1)                                                                                              \
    X(VALUES, 1)                                                                                             \
    X(WHEN, 1)                                                                                               \
    X(WHERE, 1)                                                                                              \
    X(WINDOW, 0)                                                                                             \
    X(WITH, 1)

enum sql_keyword {
    SQL_KW_NONE,
#define X(name, reserved) SQL_KW_##name,
    SQL_KEYWORDS(X)
#undef X
        SQL_KW_COUNT
};

struct sql_token {
    enum sql_token_kind kind;
    enum sql_keyword keyword; /* of a WORD */
    struct tsfs_str text;     /* an identifier or string without its quotes; else as written */
    uint32_t line, column;
    size_t from, to; /* bytes of the source */
    double number;
    int64_t integer;         /* DURATION: ns or months */
    enum tsfs_type interval; /* DURATION: TSFS_INTERVAL_DS or _YM */
};

struct sql_lexer {
    struct tsfs_str text;
    struct tsfs_arena *arena; /* for strings with escapes */
    struct tsfs_error *err;
    size_t pos;
    uint32_t line;
    size_t line_start;
    /* On failure: the text ended inside the token, or the token reaches the text's end, so that more text
     * could mend it. */
    bool cut_short;
};

/* text is borrowed for as long as the tokens live.  -E2BIG: longer than TSFS_SQL_MAX; -EINVAL: not UTF-8. */
TSFS_MUST_CHECK int sql_lexer_init(struct sql_lexer *lx, struct tsfs_str text, struct tsfs_arena *arena,
                                   struct tsfs_error *err);
TSFS_MUST_CHECK int sql_lexer_next(struct sql_lexer *lx, struct sql_token *tok);

bool sql_keyword_reserved(enum sql_keyword keyword);
/* "2.5" and "day" to 216000000000000 of TSFS_INTERVAL_DS.  -EINVAL: no such unit, or not a number; -ERANGE:
 * too large, or finer than the unit allows. plural: "days" will do as well. */
TSFS_MUST_CHECK int sql_duration(struct tsfs_str number, struct tsfs_str unit, bool full_words,
                                 enum tsfs_type *type, int64_t *value);

/* ASCII letters without case. */
bool sql_same_word(struct tsfs_str a, struct tsfs_str b);

#endif
