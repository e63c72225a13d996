/* Forms with words of their own that mean an expression which can be written without them:
 *
 *     POSITION(a IN b)                          strpos(b, a)
 *     TRIM([BOTH | LEADING | TRAILING] [c] FROM s)     trim(s, c), ltrim(s, c), rtrim(s, c)
 *     SUBSTRING(s FROM i [FOR n])               substring(s, i, n)
 *     LISTAGG(x, d) WITHIN GROUP (ORDER BY k)   array_join(array_agg(x ORDER BY k) FILTER (WHERE x IS NOT
 * NULL), d) INTERVAL '1 02:03' DAY TO MINUTE          the sum of its parts t AT TIME ZONE 'UTC' t
 *
 * The nodes made here stand where the form stands, so errors point to what was written. */
#include <errno.h>

#include "base/num.h"
#include "base/time.h"
#include "sql/parser_priv.h"

bool sql_is_word(const struct sql_token *tok, const char *word)
{
    return tok->kind == SQL_TOK_WORD && sql_same_word(tok->text, tsfs_str_from(word));
}

struct sql_ast_expr *sql_new_call(struct sql_parser *p, const struct sql_token *at, struct tsfs_str fn)
{
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_CALL, at);
    if (e == NULL)
        return NULL;
    e->call = TSFS_NEW(p->arena, struct sql_ast_call);
    if (e->call == NULL) {
        sql_fail_memory(p);
        return NULL;
    }
    e->call->name = fn;
    return e;
}

struct sql_ast_expr *sql_parse_position(struct sql_parser *p)
{
    struct sql_ast_expr *e = sql_new_call(p, &p->tok, TSFS_STR("strpos"));
    if (e == NULL || !sql_advance(p) || !sql_advance(p))
        return NULL;
    struct sql_ast_expr *needle = sql_parse_value(p, 0);
    if (needle == NULL || !sql_expect(p, SQL_KW_IN, "IN"))
        return NULL;
    struct sql_list list = {0};
    if (!sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_add_expr(p, &list, needle) ||
        !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
        return NULL;
    return sql_with_args(p, e, list.items, list.n);
}

/* ---- TRIM and SUBSTRING ---- */

bool sql_starts_trim(struct sql_parser *p, const struct sql_ast_expr *call, const char **fn)
{
    static const struct {
        const char *word, *fn;
    } sides[] = {{"both", "trim"}, {"leading", "ltrim"}, {"trailing", "rtrim"}};
    *fn = NULL;
    if (!sql_same_word(call->call->name, TSFS_STR("trim")) || p->tok.kind != SQL_TOK_WORD)
        return true;
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        if (!sql_is_word(&p->tok, sides[i].word))
            continue;
        if (!sql_peek(p))
            return false;
        switch (p->ahead.kind) { /* a column may have such a name */
        case SQL_TOK_RPAREN:
        case SQL_TOK_COMMA:
        case SQL_TOK_DOT:
        case SQL_TOK_LPAREN:
        case SQL_TOK_LBRACKET:
        case SQL_TOK_CONCAT: break;
        default: *fn = sides[i].fn; break;
        }
    }
    return true;
}

struct sql_ast_expr *sql_parse_trim(struct sql_parser *p, struct sql_ast_expr *e, const char *fn,
                                    struct sql_ast_expr *chars)
{
    struct sql_list list = {0};
    e->call->name = tsfs_str_from(fn);
    if (chars == NULL) { /* the side's word is in hand */
        if (!sql_advance(p))
            return NULL;
        if (!sql_is(p, SQL_KW_FROM) && (chars = sql_parse_expr(p)) == NULL)
            return NULL;
    }
    if (!sql_expect(p, SQL_KW_FROM, "FROM") || !sql_add_expr(p, &list, sql_parse_expr(p)) ||
        (chars != NULL && !sql_add_expr(p, &list, chars)) || !sql_expect_token(p, SQL_TOK_RPAREN, ")"))
        return NULL;
    return sql_with_args(p, e, list.items, list.n);
}

struct sql_ast_expr *sql_parse_substring(struct sql_parser *p, struct sql_ast_expr *e,
                                         struct sql_ast_expr *text)
{
    struct sql_list list = {0};
    bool found;
    if (!sql_add_expr(p, &list, text) || !sql_expect(p, SQL_KW_FROM, "FROM") ||
        !sql_add_expr(p, &list, sql_parse_expr(p)) || !sql_accept(p, SQL_KW_FOR, &found) ||
        (found && !sql_add_expr(p, &list, sql_parse_expr(p))) ||
        !sql_expect_token(p, SQL_TOK_RPAREN, found ? ")" : "FOR or )"))
        return NULL;
    return sql_with_args(p, e, list.items, list.n);
}

/* ---- LISTAGG ---- */

bool sql_is_listagg(const struct sql_ast_expr *e)
{
    return sql_same_word(e->call->name, TSFS_STR("listagg"));
}

bool sql_parse_overflow(struct sql_parser *p)
{
    if (!sql_advance(p))
        return false;
    if (!sql_is_word(&p->tok, "overflow"))
        return sql_fail_expected(p, "OVERFLOW");
    if (!sql_advance(p))
        return false;
    if (!sql_is_word(&p->tok, "error"))
        return sql_fail_unsupported(p, &p->tok,
                                    "ON OVERFLOW other than ERROR: shorten the texts with substr(x, 1, n)");
    return sql_advance(p);
}

bool sql_parse_within_group(struct sql_parser *p, struct sql_ast_expr *e)
{
    if (!sql_is_word(&p->tok, "within"))
        return sql_fail_expected(p, "WITHIN GROUP (ORDER BY ...) behind listagg");
    return sql_advance(p) && sql_expect(p, SQL_KW_GROUP, "GROUP") &&
           sql_expect_token(p, SQL_TOK_LPAREN, "(") && sql_expect(p, SQL_KW_ORDER, "ORDER BY") &&
           sql_expect(p, SQL_KW_BY, "BY") && sql_parse_keys(p, &e->call->keys, &e->call->nkeys) &&
           sql_expect_token(p, SQL_TOK_RPAREN, ", or )");
}

struct sql_ast_expr *sql_make_listagg(struct sql_parser *p, struct sql_ast_expr *e,
                                      const struct sql_token *at)
{
    struct sql_list args = {0}, conditions = {0}, one = {0};
    if (e->nargs < 1 || e->nargs > 2 || e->call->star) {
        sql_fail_at(p, at->line, at->column, "listagg takes 1 or 2 arguments, not %u", e->nargs);
        return NULL;
    }
    if (e->call->over != NULL) {
        sql_fail_unsupported(p, at,
                             "listagg as a window function: write array_join(array_agg(x) OVER (...), ', ')");
        return NULL;
    }
    struct sql_ast_expr *separator = NULL, *present = sql_new_node(p, SQL_AST_IS_NULL, at);
    struct sql_ast_expr *join = sql_new_call(p, at, TSFS_STR("array_join"));
    if (e->nargs == 2)
        separator = e->args[1];
    else if ((separator = sql_new_node(p, SQL_AST_STRING, at)) != NULL)
        separator->string = TSFS_STR("");
    if (present == NULL || join == NULL || !sql_add_expr(p, &one, e->args[0]) ||
        (present = sql_with_args(p, present, one.items, 1)) == NULL)
        return NULL;
    present->negated = true;
    e->call->name = TSFS_STR("array_agg");
    e->nargs = 1;
    if (e->call->filter == NULL) {
        e->call->filter = present;
    } else {
        struct sql_ast_expr *both = sql_new_node(p, SQL_AST_AND, at);
        if (both == NULL || !sql_add_expr(p, &conditions, present) ||
            !sql_add_expr(p, &conditions, e->call->filter) ||
            (e->call->filter = sql_with_args(p, both, conditions.items, 2)) == NULL)
            return NULL;
    }
    if (e->call->filter->depth >= e->depth)
        e->depth = e->call->filter->depth + 1;
    if (!sql_add_expr(p, &args, e) || !sql_add_expr(p, &args, separator))
        return NULL;
    return sql_with_args(p, join, args.items, 2);
}

/* ---- INTERVAL '..' unit TO unit ---- */

static const struct {
    const char *name;
    char before; /* what parts it from the unit before it */
    int64_t factor;
} fields[] = {
    {"year", 0, 12},
    {"month", '-', 1},
    {"day", 0, TSFS_NS_PER_DAY},
    {"hour", ' ', TSFS_NS_PER_HOUR},
    {"minute", ':', TSFS_NS_PER_MIN},
    {"second", ':', TSFS_NS_PER_S},
};

enum { FIELD_DAY = 2, FIELDS = sizeof(fields) / sizeof(fields[0]) };

static int find_field(struct tsfs_str unit)
{
    for (int i = 0; i < FIELDS; i++)
        if (sql_same_word(unit, tsfs_str_from(fields[i].name)))
            return i;
    return -1;
}

/* "1 02:03:04.5" from field a to field b, any number of each; -EINVAL, -ERANGE. */
static int parse_range(struct tsfs_str s, int a, int b, int64_t *out)
{
    size_t at = 0;
    bool negative = false;
    int64_t sum = 0;
    if (at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+'))
        negative = s.ptr[at++] == '-';
    for (int f = a; f <= b; f++) {
        if (f > a && (at >= s.len || s.ptr[at++] != fields[f].before))
            return -EINVAL;
        int64_t n = 0;
        size_t from = at;
        for (; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++)
            if (__builtin_mul_overflow(n, (int64_t)10, &n) ||
                __builtin_add_overflow(n, (int64_t)(s.ptr[at] - '0'), &n))
                return -ERANGE;
        if (at == from)
            return -EINVAL;
        if (__builtin_mul_overflow(n, fields[f].factor, &n) || __builtin_add_overflow(sum, n, &sum))
            return -ERANGE;
    }
    if (b == FIELDS - 1 && at < s.len && s.ptr[at] == '.') {
        int64_t place = TSFS_NS_PER_S / 10, part = 0;
        size_t from = ++at;
        for (; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++, place /= 10)
            if (place == 0 && s.ptr[at] != '0')
                return -ERANGE;
            else
                part += place * (s.ptr[at] - '0');
        if (at == from)
            return -EINVAL;
        if (__builtin_add_overflow(sum, part, &sum))
            return -ERANGE;
    }
    *out = negative ? -sum : sum;
    return at == s.len ? 0 : -EINVAL;
}

struct sql_ast_expr *sql_parse_interval_to(struct sql_parser *p, const struct sql_token *start,
                                           const struct sql_token *number, const struct sql_token *unit,
                                           bool negative)
{
    if (!sql_advance(p))
        return NULL;
    struct sql_token last = p->tok;
    if (last.kind != SQL_TOK_WORD) {
        sql_fail_expected(p, "the last unit of the interval, such as SECOND");
        return NULL;
    }
    int a = find_field(unit->text), b = find_field(last.text);
    if (a < 0 || b < 0 || b <= a || (a < FIELD_DAY) != (b < FIELD_DAY)) {
        p->cut_short = p->lx.pos == p->lx.text.len;
        sql_fail_at(
            p, unit->line, unit->column,
            "no interval goes from \"%.*s\" to \"%.*s\": there is YEAR TO MONTH, and from DAY, HOUR or "
            "MINUTE to a finer unit down to SECOND",
            unit->text.len > 40 ? 40 : (int)unit->text.len, unit->text.ptr,
            last.text.len > 40 ? 40 : (int)last.text.len, last.text.ptr);
        return NULL;
    }
    struct sql_ast_expr *e = sql_new_node(p, SQL_AST_INTERVAL, start);
    if (e == NULL)
        return NULL;
    e->type = a < FIELD_DAY ? TSFS_INTERVAL_YM : TSFS_INTERVAL_DS;
    int rc = parse_range(number->text, a, b, &e->integer);
    if (rc != 0) {
        static const char *const samples[] = {"1-6", "1 12:30:00.5"};
        int len = number->text.len > 40 ? 40 : (int)number->text.len;
        if (rc == -ERANGE)
            sql_fail_at(p, number->line, number->column, "'%.*s' is too large or too fine an interval", len,
                        number->text.ptr);
        else
            sql_fail_at(p, number->line, number->column, "'%.*s' is no interval from %s to %s, as '%s' is %s",
                        len, number->text.ptr, fields[a].name, fields[b].name, samples[a >= FIELD_DAY],
                        a < FIELD_DAY ? "from year to month" : "from day to second");
        return NULL;
    }
    if (negative)
        e->integer = -e->integer;
    return sql_advance(p) ? e : NULL;
}

/* ---- AT TIME ZONE ---- */

struct sql_ast_expr *sql_parse_zone(struct sql_parser *p, struct sql_ast_expr *e)
{
    static const char *const same[] = {"UTC", "Z", "GMT", "Etc/UTC", "Universal", "Zulu", "+00:00", "-00:00"};
    struct sql_token at = p->tok;
    if (!sql_advance(p) || !sql_advance(p)) /* AT TIME */
        return NULL;
    if (!sql_is_word(&p->tok, "zone")) {
        sql_fail_expected(p, "ZONE");
        return NULL;
    }
    if (!sql_advance(p))
        return NULL;
    if (p->tok.kind != SQL_TOK_STRING) {
        sql_fail_expected(p, "a time zone such as 'UTC'");
        return NULL;
    }
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (!sql_same_word(p->tok.text, tsfs_str_from(same[i])))
            continue;
        struct sql_list list = {0};
        if (!sql_advance(p) || !sql_add_expr(p, &list, e) || (e = sql_new_node(p, SQL_AST_CAST, &at)) == NULL)
            return NULL;
        e->type = TSFS_TIMESTAMP;
        e->zoned = true;
        return sql_with_args(p, e, list.items, 1);
    }
    sql_fail_at(p, p->tok.line, p->tok.column,
                "tsfs keeps time in UTC: there is no AT TIME ZONE '%.*s', but + or - an interval",
                p->tok.text.len > 40 ? 40 : (int)p->tok.text.len, p->tok.text.ptr);
    return NULL;
}
