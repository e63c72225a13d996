/* GROUP BY: expressions, GROUPING SETS, CUBE and ROLLUP.
 *
 * All of it comes down to a list of expressions and, when one of the three words is there, a list of sets of
 * them: each element of GROUP BY stands for a list of sets (an expression for one set of it alone), and the
 * whole for every way of taking one set from each. */
#include "base/limits.h"
#include "sql/parser_priv.h"

struct set_list {
    struct sql_list sets; /* struct sql_ast_grouping */
};

struct grouping_parser {
    struct sql_parser *p;
    struct sql_list groups; /* struct sql_ast_expr * */
};

static struct sql_ast_grouping *add_set(struct grouping_parser *g, struct set_list *list, uint32_t room)
{
    if (list->sets.n >= TSFS_SQL_GROUPING_SETS_MAX) {
        sql_fail_at(g->p, g->p->tok.line, g->p->tok.column, "GROUP BY has more than %d grouping sets",
                    TSFS_SQL_GROUPING_SETS_MAX);
        return NULL;
    }
    struct sql_ast_grouping *set = sql_list_add(g->p, &list->sets, sizeof(*set));
    if (set == NULL)
        return NULL;
    set->groups = TSFS_NEW_ARRAY(g->p->arena, uint32_t, room);
    if (set->groups == NULL) {
        sql_fail_memory(g->p);
        return NULL;
    }
    return set;
}

/* An expression or (a, b): indices of its parts, added to the groups. */
static bool parse_element(struct grouping_parser *g, struct sql_ast_grouping *out)
{
    struct sql_parser *p = g->p;
    p->rows = true;
    struct sql_ast_expr *e = sql_parse_expr(p);
    p->rows = false;
    if (e == NULL)
        return false;
    bool row = e->kind == SQL_AST_ROW && e->listed;
    uint32_t n = row ? e->nargs : 1;
    out->groups = TSFS_NEW_ARRAY(p->arena, uint32_t, n);
    if (out->groups == NULL)
        return sql_fail_memory(p);
    out->n = n;
    for (uint32_t i = 0; i < n; i++) {
        out->groups[i] = g->groups.n;
        if (!sql_add_expr(p, &g->groups, row ? e->args[i] : e))
            return false;
    }
    return true;
}

static bool append_set(struct grouping_parser *g, struct set_list *list,
                       const struct sql_ast_grouping *const *parts, uint32_t nparts)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < nparts; i++)
        total += parts[i]->n;
    struct sql_ast_grouping *set = add_set(g, list, total);
    if (set == NULL)
        return false;
    for (uint32_t i = 0; i < nparts; i++)
        for (uint32_t k = 0; k < parts[i]->n; k++)
            set->groups[set->n++] = parts[i]->groups[k];
    return true;
}

/* CUBE (a, (b, c)) and ROLLUP (..), from the parenthesis on. */
static bool parse_cube(struct grouping_parser *g, bool cube, struct set_list *out)
{
    struct sql_parser *p = g->p;
    struct sql_list elements = {0};
    bool more = true;
    if (!sql_expect_token(p, SQL_TOK_LPAREN, "("))
        return false;
    while (more) {
        struct sql_ast_grouping *e = sql_list_add(p, &elements, sizeof(*e));
        if (e == NULL || !parse_element(g, e) || !sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    }
    if (!sql_expect_token(p, SQL_TOK_RPAREN, ", or )"))
        return false;
    const struct sql_ast_grouping *items = elements.items;
    const struct sql_ast_grouping **parts =
        TSFS_NEW_ARRAY(p->arena, const struct sql_ast_grouping *, elements.n);
    if (parts == NULL)
        return sql_fail_memory(p);
    if (!cube) {
        for (uint32_t n = elements.n + 1; n-- > 0;) {
            for (uint32_t i = 0; i < n; i++)
                parts[i] = &items[i];
            if (!append_set(g, out, parts, n))
                return false;
        }
        return true;
    }
    if (elements.n > 31 || (UINT32_C(1) << elements.n) > TSFS_SQL_GROUPING_SETS_MAX)
        return sql_fail_at(p, p->tok.line, p->tok.column, "CUBE of %u makes more than %d grouping sets",
                           elements.n, TSFS_SQL_GROUPING_SETS_MAX);
    for (uint32_t left = UINT32_C(1) << elements.n; left-- > 0;) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < elements.n; i++)
            if (left >> (elements.n - 1 - i) & 1)
                parts[n++] = &items[i];
        if (!append_set(g, out, parts, n))
            return false;
    }
    return true;
}

static bool parse_sets(struct grouping_parser *g, struct set_list *out, bool *special)
{
    struct sql_parser *p = g->p;
    *special = true;
    if (sql_is(p, SQL_KW_CUBE))
        return sql_advance(p) && parse_cube(g, true, out);
    if (sql_is(p, SQL_KW_ROLLUP))
        return sql_advance(p) && parse_cube(g, false, out);
    if (sql_is(p, SQL_KW_GROUPING)) {
        if (!sql_peek(p))
            return false;
        if (p->ahead.kind == SQL_TOK_WORD && p->ahead.keyword == SQL_KW_SETS) {
            bool more = true, inner;
            if (!sql_enter(p) || !sql_advance(p) || !sql_advance(p) ||
                !sql_expect_token(p, SQL_TOK_LPAREN, "( after GROUPING SETS"))
                return false;
            while (more)
                if (!parse_sets(g, out, &inner) || !sql_accept_token(p, SQL_TOK_COMMA, &more))
                    return false;
            sql_leave(p);
            return sql_expect_token(p, SQL_TOK_RPAREN, ", or )");
        }
    }
    *special = false;
    struct sql_ast_grouping e;
    const struct sql_ast_grouping *part = &e;
    return parse_element(g, &e) && append_set(g, out, &part, 1);
}

/* Every way of taking one set of a and one of b. */
static bool multiply(struct grouping_parser *g, const struct set_list *a, const struct set_list *b,
                     struct set_list *out)
{
    const struct sql_ast_grouping *left = a->sets.items, *right = b->sets.items;
    for (uint32_t i = 0; i < a->sets.n; i++)
        for (uint32_t k = 0; k < b->sets.n; k++) {
            const struct sql_ast_grouping *parts[2] = {&left[i], &right[k]};
            if (!append_set(g, out, parts, 2))
                return false;
        }
    return true;
}

bool sql_parse_group_by(struct sql_parser *p, struct sql_ast_select *s)
{
    struct grouping_parser g = {.p = p};
    struct set_list all = {0};
    bool more, any = false;
    s->grouped = true;
    if (!sql_accept(p, SQL_KW_DISTINCT, &s->distinct_sets))
        return false;
    if (!s->distinct_sets && !sql_accept(p, SQL_KW_ALL, &more))
        return false;
    do {
        struct set_list one = {0}, product = {0};
        bool special;
        if (!parse_sets(&g, &one, &special))
            return false;
        any |= special;
        if (all.sets.n == 0)
            product = one;
        else if (!multiply(&g, &all, &one, &product))
            return false;
        all = product;
        if (!sql_accept_token(p, SQL_TOK_COMMA, &more))
            return false;
    } while (more);
    s->groups = g.groups.items;
    s->ngroups = g.groups.n;
    if (any) {
        s->sets = all.sets.items;
        s->nsets = all.sets.n;
    }
    return true;
}
