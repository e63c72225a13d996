/* What was meant where an error is about to say that something else was expected. */
#include <stdint.h>
#include <string.h>

#include "sql/parser_priv.h"

/* Words behind a number, 1 hour, and the unit that a duration has for them; NULL: only INTERVAL has it. */
static const struct {
    const char *word, *unit;
} durations[] = {
    {"ns", "ns"},          {"nanosecond", "ns"}, {"us", "us"}, {"microsecond", "us"}, {"ms", "ms"},
    {"millisecond", "ms"}, {"s", "s"},           {"sec", "s"}, {"second", "s"},       {"m", "m"},
    {"min", "m"},          {"minute", "m"},      {"h", "h"},   {"hour", "h"},         {"d", "d"},
    {"day", "d"},          {"month", "month"},   {"y", "y"},   {"year", "y"},         {"week", NULL},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number that stands right before the current token; len 0: there is none. */
static struct tsfs_str number_before(const struct sql_parser *p)
{
    const struct sql_token *t = &p->before[0];
    struct tsfs_str none = {"", 0};
    if ((t->kind != SQL_TOK_INTEGER && t->kind != SQL_TOK_DOUBLE) || t->text.len > 20)
        return none;
    for (size_t i = 0; i < t->text.len; i++)
        if (!is_digit(t->text.ptr[i]) && !(t->text.ptr[i] == '.' && i > 0 && i + 1 < t->text.len))
            return none;
    return t->text;
}

/* Words that other dialects have where this one has none.  Such a word may have been taken for a name, then
 * the error is about what follows it. */
static const struct {
    const char *word, *hint;
} foreign[] = {
    {"ilike", "for ILIKE write lower(s) LIKE lower(p)"},
    {"rlike", "for RLIKE write regexp_like(s, p)"},
    {"regexp", "for REGEXP write regexp_like(s, p)"},
    {"similar", "for SIMILAR TO write regexp_like(s, p)"},
    {"glob", "for GLOB write LIKE or regexp_like(s, p)"},
    {"match", "for MATCH write LIKE or regexp_like(s, p)"},
    {"collate", "there is no COLLATE: texts are compared by their bytes"},
    {"div", "for DIV write /, which truncates with whole numbers"},
    {"xor", "for XOR write <>"},
    {"notnull", "for NOTNULL write IS NOT NULL"},
    {"isnull", "for ISNULL write IS NULL"},
    {"qualify", "for QUALIFY put the window function into a subquery and use WHERE"},
    {"minus", "for MINUS write EXCEPT"},
    {"top", "for TOP write LIMIT at the end"},
    {"into", "nothing is selected INTO a table"},
    {"within", "only LISTAGG takes WITHIN GROUP"},
    {"materialized", "there is no MATERIALIZED"},
    {"overlaps", "for OVERLAPS compare the ends"},
    {"match_recognize", "there is no MATCH_RECOGNIZE"},
    {"pivot", "for PIVOT write aggregates with FILTER (WHERE ..)"},
    {"exclude", "there is no EXCLUDE: name the columns"},
    {"returning", "there is no RETURNING"},
    {"indexed", "there are no indexes to name"},
};

static const char *foreign_hint(struct sql_parser *p, struct tsfs_str word)
{
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        if (sql_same_word(word, tsfs_str_from(foreign[i].word))) {
            const char *text = tsfs_arena_printf(p->arena, ": %s", foreign[i].hint);
            return text != NULL ? text : "";
        }
    return "";
}

/* The bare word that is the n-th token before the current one; len 0: that is none. */
static struct tsfs_str word_before(const struct sql_parser *p, unsigned n)
{
    const struct sql_token *t = &p->before[n - 1];
    return t->kind == SQL_TOK_WORD ? t->text : (struct tsfs_str){"", 0};
}

/* Signs of which the first half was understood. */
static const char *sign_hint(const struct sql_parser *p, struct tsfs_str before)
{
    const struct sql_token *half = &p->before[0];
    bool adjacent = half->to == p->tok.from && half->to > 0;
    char last = adjacent ? p->lx.text.ptr[half->to - 1] : ' ';
    switch (p->tok.kind) {
    case SQL_TOK_EQ: return last == '=' ? ": for == write =" : "";
    case SQL_TOK_STAR: return last == '*' ? ": for a ** b write power(a, b)" : "";
    case SQL_TOK_LT: return last == '<' ? ": for a << b write bitwise_left_shift(a, b)" : "";
    case SQL_TOK_GT:
        if (adjacent && half->kind == SQL_TOK_ARROW)
            return ": there is no JSON for ->>";
        return last == '>'   ? ": for a >> b write bitwise_right_shift(a, b)"
               : last == '-' ? ": there is no JSON for ->"
               : last == '=' ? ": for <=> write IS NOT DISTINCT FROM"
                             : "";
    case SQL_TOK_ARROW: return ": -> stands in lambdas only, and there is no JSON";
    case SQL_TOK_LBRACKET: return last == '[' ? ": an array of arrays is ARRAY[ARRAY[..], ..]" : "";
    case SQL_TOK_LPAREN:
        return before.len == 5 && sql_same_word(before, TSFS_STR("group"))
                   ? ": only LISTAGG takes WITHIN GROUP"
               : before.len > 0 ? ": only names of functions are followed by (, and rows are made by "
                                  "UNNEST(sequence(a, b)) "
                                  "or VALUES"
                                : "";
    default: return "";
    }
}

/* Words of the language itself in places that it has not for them. */
static const char *keyword_hint(const struct sql_parser *p, struct tsfs_str before)
{
    struct tsfs_str word = p->tok.text;
    bool behind_not = sql_same_word(before, TSFS_STR("not"));
    if ((sql_same_word(before, TSFS_STR("is")) || behind_not) &&
        (sql_same_word(word, TSFS_STR("true")) || sql_same_word(word, TSFS_STR("false")) ||
         sql_same_word(word, TSFS_STR("unknown"))))
        return ": for IS TRUE write coalesce(x, false), for IS UNKNOWN x IS NULL";
    if (behind_not && sql_same_word(word, TSFS_STR("null")))
        return ": write IS NOT NULL";
    bool without = sql_same_word(word, TSFS_STR("without"));
    if (without || sql_same_word(word, TSFS_STR("with"))) {
        const char *rest = p->tok.text.ptr + p->tok.text.len, *end = p->lx.text.ptr + p->lx.text.len;
        while (rest < end && *rest == ' ')
            rest++;
        if (end - rest >= 4 && sql_same_word((struct tsfs_str){rest, 4}, TSFS_STR("time")))
            return without ? ": all times are in UTC: leave WITHOUT TIME ZONE out"
                           : ": times are in UTC, and there are no types WITH TIME ZONE";
    }
    if (sql_same_word(before, TSFS_STR("distinct")) && sql_same_word(word, TSFS_STR("on")))
        return ": for DISTINCT ON write max_by(x, time) and GROUP BY";
    if (sql_same_word(word, TSFS_STR("for")))
        return ": rows are not locked, and there are no versions of a table";
    if (sql_same_word(word, TSFS_STR("select")) && p->before[0].kind == SQL_TOK_LPAREN &&
        sql_same_word(word_before(p, 2), TSFS_STR("array")))
        return ": for ARRAY(SELECT x ..) write (SELECT array_agg(x) ..)";
    return "";
}

const char *sql_hint(struct sql_parser *p)
{
    struct tsfs_str word = p->tok.text, number = number_before(p), before = word_before(p, 1);
    const char *hint = p->tok.kind == SQL_TOK_WORD ? foreign_hint(p, word) : sign_hint(p, before);
    if (hint[0] == '\0' && p->tok.kind == SQL_TOK_WORD)
        hint = keyword_hint(p, before);
    if (hint[0] == '\0' && p->tok.kind != SQL_TOK_END)
        hint = foreign_hint(p, before);
    if (hint[0] != '\0' || p->tok.kind != SQL_TOK_WORD || number.len == 0)
        return hint;
    if (word.len > 3 && (word.ptr[word.len - 1] | 0x20) == 's')
        word.len--;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        if (!sql_same_word(word, tsfs_str_from(durations[i].word)))
            continue;
        const char *text = durations[i].unit != NULL
                               ? tsfs_arena_printf(p->arena, ": a duration is one word, %.*s%s",
                                                   (int)number.len, number.ptr, durations[i].unit)
                               : tsfs_arena_printf(p->arena, ": write INTERVAL '%.*s' %s", (int)number.len,
                                                   number.ptr, "WEEK");
        return text != NULL ? text : "";
    }
    return "";
}
