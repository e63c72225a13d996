/* Expressions, by precedence climbing.  From loosest to tightest:
 *
 *     OR | AND | NOT | comparison, BETWEEN, IN, LIKE, IS | || | + - | * / % | unary + - | primary
 *
 * Comparisons do not chain.  AND and OR take any number of operands in one node, and so do + and || where
 * very many follow each other, so that long conditions, sums and texts are no deep trees; all else that nests
 * is counted against TSFS_SQL_DEPTH_MAX, both the parser's own recursion and the height of the tree that it
 * makes, which later stages recurse over. */
#include "base/limits.h"
#include "sql/parser_priv.h"

typedef struct sql_ast_expr *(*level)(struct sql_parser *p);

struct sql_ast_expr *sql_new_node(struct sql_parser *p, enum sql_ast_kind kind, const struct sql_token *at)
{
    struct sql_ast_expr *e = TSFS_NEW(p->arena, struct sql_ast_expr);
    if (e == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    e->kind = kind;
    e->line = at->line;
    e->column = at->column;
    e->depth = 1;
    return e;
}

struct sql_ast_expr *sql_with_args(struct sql_parser *p, struct sql_ast_expr *e, struct sql_ast_expr **args,
                                   uint32_t n)
{
    e->args = args;
    e->nargs = n;
    unsigned deepest = 0;
    for (uint32_t i = 0; i < n; i++)
        if (args[i]->depth > deepest)
            deepest = args[i]->depth;
    if (deepest >= TSFS_SQL_DEPTH_MAX) {
        sql_fail_at(p, e->line, e->column, "expressions nest deeper than %d levels here", TSFS_SQL_DEPTH_MAX);
        return NULL;
    }
    e->depth = (uint16_t)(deepest + 1);
    return e;
}

static struct sql_ast_expr *new_op(struct sql_parser *p, enum sql_ast_kind kind, const struct sql_token *at,
                                   const char *op, struct sql_ast_expr *a, struct sql_ast_expr *b,
                                   struct sql_ast_expr *c)
{
    struct sql_ast_expr *e = sql_new_node(p, kind, at);
    struct sql_ast_expr **args = e == NULL ? NULL : TSFS_NEW_ARRAY(p->arena, struct sql_ast_expr *, 3);
    if (args == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    e->op = op;
    args[0] = a;
    args[1] = b;
    args[2] = c;
    return sql_with_args(p, e, args, c != NULL ? 3 : b != NULL ? 2 : 1);
}

bool sql_add_expr(struct sql_parser *p, struct sql_list *list, struct sql_ast_expr *e)
{
    struct sql_ast_expr **slot = e == NULL ? NULL : sql_list_add(p, list, sizeof(struct sql_ast_expr *));
    if (slot == NULL)
        return false;
    *slot = e;
    return true;
}

bool sql_starts_query(const struct sql_token *tok)
{
    return tok->kind == SQL_TOK_WORD && (tok->keyword == SQL_KW_SELECT || tok->keyword == SQL_KW_WITH ||
                                         tok->keyword == SQL_KW_VALUES || tok->keyword == SQL_KW_TABLE);
}

static struct sql_ast_expr *parse_unary(struct sql_parser *p)
{
    struct sql_token sign = p->tok;
    bool minus = sign.kind == SQL_TOK_MINUS;
    if (!minus && sign.kind != SQL_TOK_PLUS)
        return sql_parse_primary(p);
    if (!sql_enter(p) || !sql_advance(p))
        return NULL;
    bool literal =
        p->tok.kind == SQL_TOK_INTEGER || p->tok.kind == SQL_TOK_DOUBLE || p->tok.kind == SQL_TOK_DURATION;
    struct sql_ast_expr *e;
    if (minus && literal) {
        e = sql_parse_literal(p, true);
        if (e != NULL) {
            e->line = sign.line;
            e->column = sign.column;
        }
    } else {
        e = parse_unary(p);
        if (e != NULL)
            e = new_op(p, SQL_AST_UNARY, &sign, minus ? "-" : "+", e, NULL, NULL);
    }
    sql_leave(p);
    return e;
}

/* How tightly a token binds two values: 1 ||, 2 + -, 3 * / %, 0 not at all. */
static int binds(enum sql_token_kind kind, const char **op)
{
    switch (kind) {
    case SQL_TOK_CONCAT: *op = "||"; return 1;
    case SQL_TOK_PLUS: *op = "+"; return 2;
    case SQL_TOK_MINUS: *op = "-"; return 2;
    case SQL_TOK_STAR: *op = "*"; return 3;
    case SQL_TOK_SLASH: *op = "/"; return 3;
    case SQL_TOK_PERCENT: *op = "%"; return 3;
    default: return 0;
    }
}

/* From so many of one operator on they are one node. */
#define CHAIN_OPS 64u

/* The n operators that make up the left edge of e as one node; its operands go into list. */
static struct sql_ast_expr *flatten(struct sql_parser *p, struct sql_ast_expr *e, unsigned n,
                                    struct sql_list *list)
{
    struct sql_ast_expr *operands[CHAIN_OPS + 1], *first = e;
    for (unsigned i = n; i > 0; i--, first = first->args[0])
        operands[i] = first->args[1];
    operands[0] = first;
    for (unsigned i = 0; i <= n; i++)
        if (!sql_add_expr(p, list, operands[i]))
            return NULL;
    return sql_with_args(p, e, list->items, list->n);
}

static bool lengthen(struct sql_parser *p, struct sql_ast_expr *e, struct sql_list *list,
                     struct sql_ast_expr *operand)
{
    if (!sql_add_expr(p, list, operand))
        return false;
    /* of all others the depth is counted already: that of a leaf stands for them */
    unsigned depth = e->depth;
    if (sql_with_args(p, e, (struct sql_ast_expr **)list->items + list->n - 1, 1) == NULL)
        return false;
    e->depth = depth > e->depth ? (uint16_t)depth : e->depth;
    e->args = list->items;
    e->nargs = list->n;
    return true;
}

struct sql_ast_expr *sql_parse_value(struct sql_parser *p, int min)
{
    struct sql_ast_expr *left = parse_unary(p);
    const char *op = NULL, *last_op = NULL;
    struct sql_list chain = {0};
    unsigned same = 0; /* operators up to here that are one and the same */
    for (int power; left != NULL && (power = binds(p->tok.kind, &op)) > min;) {
        struct sql_token at = p->tok;
        if (!sql_advance(p))
            return NULL;
        const char *this_op = op;
        struct sql_ast_expr *right = sql_parse_value(p, power);
        if (right == NULL)
            return NULL;
        bool again = this_op == last_op;
        last_op = this_op;
        if (again && chain.n > 0) {
            if (!lengthen(p, left, &chain, right))
                return NULL;
            continue;
        }
        chain = (struct sql_list){0};
        left = new_op(p, SQL_AST_BINARY, &at, this_op, left, right, NULL);
        same = again ? same + 1 : 1;
        if (left != NULL && same == CHAIN_OPS && at.kind != SQL_TOK_SLASH && at.kind != SQL_TOK_PERCENT)
            left = flatten(p, left, same, &chain);
    }
    return left;
}

static const char *comparison(enum sql_token_kind kind)
{
    switch (kind) {
    case SQL_TOK_EQ: return "=";
    case SQL_TOK_NE: return "<>";
    case SQL_TOK_LT: return "<";
    case SQL_TOK_LE: return "<=";
    case SQL_TOK_GT: return ">";
    case SQL_TOK_GE: return ">=";
    default: return NULL;
    }
}

/* IN (a, ..) or IN (query) */
static struct sql_ast_expr *parse_in(struct sql_parser *p, struct sql_ast_expr *left,
                                     const struct sql_token *at)
{
    struct sql_list list = {0};
    bool found;
    if (!sql_add_expr(p, &list, left) || !sql_expect_token(p, SQL_TOK_LPAREN, "( after IN"))
        return NULL;
    bool query = sql_starts_query(&p->tok);
    struct sql_ast_expr *e = sql_new_node(p, query ? SQL_AST_IN_QUERY : SQL_AST_IN, at);
    if (e == NULL)
        return NULL;
    if (query) {
        if ((e->query = sql_parse_query(p)) == NULL || !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
            return NULL;
        return sql_with_args(p, e, list.items, 1);
    }
    do {
        if (!sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_accept_token(p, SQL_TOK_COMMA, &found))
            return NULL;
    } while (found);
    if (!sql_expect_token(p, SQL_TOK_RPAREN, ", or )"))
        return NULL;
    return sql_with_args(p, e, list.items, list.n);
}

/* a op ALL (query), from ALL, ANY or SOME on. */
static struct sql_ast_expr *parse_quantified(struct sql_parser *p, struct sql_ast_expr *left,
                                             const struct sql_token *at, const char *op)
{
    struct sql_list list = {0};
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_QUANTIFIED, at);
    if (e == NULL || !sql_add_expr(p, &list, left))
        return NULL;
    e->op = op;
    e->all = sql_is(p, SQL_KW_ALL);
    if (!sql_advance(p) || !sql_advance(p))
        return NULL;
    if (!sql_starts_query(&p->tok) && p->tok.kind != SQL_TOK_LPAREN) {
        sql_fail_expected(p, "a subquery");
        return NULL;
    }
    if ((e->query = sql_parse_query(p)) == NULL || !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
        return NULL;
    return sql_with_args(p, e, list.items, 1);
}

static struct sql_ast_expr *parse_is(struct sql_parser *p, struct sql_ast_expr *left,
                                     const struct sql_token *at)
{
    bool negated, found;
    struct sql_ast_expr *e;
    if (!sql_accept(p, SQL_KW_NOT, &negated))
        return NULL;
    if (sql_is(p, SQL_KW_NULL)) {
        if (!sql_advance(p))
            return NULL;
        e = new_op(p, SQL_AST_IS_NULL, at, NULL, left, NULL, NULL);
    } else {
        if (!sql_accept(p, SQL_KW_DISTINCT, &found))
            return NULL;
        if (!found) {
            sql_fail_expected(p, negated ? "NULL or DISTINCT FROM" : "NULL, NOT NULL or DISTINCT FROM");
            return NULL;
        }
        if (!sql_expect(p, SQL_KW_FROM, "FROM"))
            return NULL;
        struct sql_ast_expr *right = sql_parse_value(p, 0);
        e = right == NULL ? NULL : new_op(p, SQL_AST_IS_DISTINCT, at, NULL, left, right, NULL);
    }
    if (e != NULL)
        e->negated = negated;
    return e;
}

static struct sql_ast_expr *parse_predicate(struct sql_parser *p)
{
    struct sql_ast_expr *left = sql_parse_value(p, 0);
    if (left == NULL)
        return NULL;
    struct sql_token at = p->tok;
    const char *op = comparison(at.kind);
    if (op != NULL) {
        if (!sql_advance(p))
            return NULL;
        if (sql_is(p, SQL_KW_ALL) || sql_is(p, SQL_KW_ANY) || sql_is(p, SQL_KW_SOME)) {
            if (!sql_peek(p))
                return NULL;
            if (p->ahead.kind == SQL_TOK_LPAREN)
                return parse_quantified(p, left, &at, op);
        }
        struct sql_ast_expr *right = sql_parse_value(p, 0);
        return right == NULL ? NULL : new_op(p, SQL_AST_BINARY, &at, op, left, right, NULL);
    }
    if (at.kind != SQL_TOK_WORD)
        return left;
    bool negated = false;
    if (at.keyword == SQL_KW_IS)
        return sql_advance(p) ? parse_is(p, left, &at) : NULL;
    if (at.keyword == SQL_KW_NOT) {
        negated = true;
        if (!sql_advance(p))
            return NULL;
    }
    struct sql_ast_expr *e = NULL;
    bool found;
    if (sql_is(p, SQL_KW_BETWEEN)) {
        struct sql_ast_expr *lo = sql_advance(p) ? sql_parse_value(p, 0) : NULL;
        if (lo == NULL || !sql_expect(p, SQL_KW_AND, "AND"))
            return NULL;
        struct sql_ast_expr *hi = sql_parse_value(p, 0);
        e = hi == NULL ? NULL : new_op(p, SQL_AST_BETWEEN, &at, NULL, left, lo, hi);
    } else if (sql_is(p, SQL_KW_IN)) {
        e = sql_advance(p) ? parse_in(p, left, &at) : NULL;
    } else if (sql_is(p, SQL_KW_LIKE)) {
        struct sql_ast_expr *pattern = sql_advance(p) ? sql_parse_value(p, 0) : NULL, *escape = NULL;
        if (pattern == NULL || !sql_accept(p, SQL_KW_ESCAPE, &found))
            return NULL;
        if (found && (escape = sql_parse_value(p, 0)) == NULL)
            return NULL;
        e = new_op(p, SQL_AST_LIKE, &at, NULL, left, pattern, escape);
    } else if (negated) {
        sql_fail_expected(p, "BETWEEN, IN or LIKE after NOT");
        return NULL;
    } else {
        return left;
    }
    if (e != NULL)
        e->negated = negated;
    return e;
}

static struct sql_ast_expr *parse_not(struct sql_parser *p)
{
    if (!sql_is(p, SQL_KW_NOT))
        return parse_predicate(p);
    struct sql_token at = p->tok;
    if (!sql_enter(p) || !sql_advance(p))
        return NULL;
    struct sql_ast_expr *e = parse_not(p);
    sql_leave(p);
    return e == NULL ? NULL : new_op(p, SQL_AST_NOT, &at, NULL, e, NULL, NULL);
}

/* Operands joined by one keyword: a single node. */
static struct sql_ast_expr *parse_chain(struct sql_parser *p, enum sql_keyword keyword,
                                        enum sql_ast_kind kind, level operand)
{
    struct sql_ast_expr *first = operand(p);
    if (first == NULL || !sql_is(p, keyword))
        return first;
    struct sql_token at = p->tok;
    struct sql_list list = {0};
    if (!sql_add_expr(p, &list, first))
        return NULL;
    while (sql_is(p, keyword))
        if (!sql_advance(p) || !sql_add_expr(p, &list, operand(p)))
            return NULL;
    struct sql_ast_expr *e = sql_new_node(p, kind, &at);
    return e == NULL ? NULL : sql_with_args(p, e, list.items, list.n);
}

static struct sql_ast_expr *parse_and(struct sql_parser *p)
{
    return parse_chain(p, SQL_KW_AND, SQL_AST_AND, parse_not);
}

struct sql_ast_expr *sql_parse_expr(struct sql_parser *p)
{
    if (!sql_enter(p))
        return NULL;
    struct sql_ast_expr *e = parse_chain(p, SQL_KW_OR, SQL_AST_OR, parse_and);
    sql_leave(p);
    return e;
}
