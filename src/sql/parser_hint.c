/* What was meant where an error is about to say that something else was expected. */
#include <stdint.h>

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
    const char *text = p->lx.text.ptr;
    size_t end = p->tok.from;
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t' || text[end - 1] == '\n'))
        end--;
    size_t from = end;
    while (from > 0 && (is_digit(text[from - 1]) || text[from - 1] == '.'))
        from--;
    struct tsfs_str none = {text, 0};
    if (from == end || !is_digit(text[from]) || !is_digit(text[end - 1]) || end - from > 20)
        return none;
    char before = from > 0 ? text[from - 1] : ' ';
    bool word = (before >= 'a' && before <= 'z') || (before >= 'A' && before <= 'Z') || before == '_' ||
                before == '"' || before == '\'' || (unsigned char)before >= 0x80;
    return word ? none : (struct tsfs_str){text + from, end - from};
}

const char *sql_hint(struct sql_parser *p)
{
    struct tsfs_str word = p->tok.text, number = number_before(p);
    if (p->tok.kind != SQL_TOK_WORD || number.len == 0)
        return "";
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
