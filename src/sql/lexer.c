/* The lexer.
 *
 * Text is UTF-8 and checked as such before the first token, so that identifiers and strings need no further
 * look.  Bare identifiers are ASCII letters, digits and _, and any letter beyond ASCII; what merely looks
 * like ASCII (typographic quotes, no-break spaces) is refused by its code point, because it comes from word
 * processors and would make a puzzling name.
 *
 * A number with a unit attached is a duration: 5m, 1day, 15ms, 1.5h.  The unit of "1e5" is an exponent. */
#include "sql/lexer.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/time.h"
#include "base/utf8.h"

static const struct {
    const char *name;
    bool reserved;
} keywords[SQL_KW_COUNT] = {{"", false},
#define X(name, reserved) {#name, reserved},
                            SQL_KEYWORDS(X)
#undef X
};

bool sql_keyword_reserved(enum sql_keyword keyword)
{
    return keywords[keyword].reserved;
}

bool sql_same_word(struct tsfs_str a, struct tsfs_str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static enum sql_keyword find_keyword(struct tsfs_str word)
{
    unsigned lo = 1, hi = SQL_KW_COUNT;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        size_t len = strlen(keywords[mid].name);
        int c = strncasecmp(word.ptr, keywords[mid].name, word.len < len ? word.len : len);
        if (c == 0)
            c = (word.len > len) - (word.len < len);
        if (c == 0)
            return (enum sql_keyword)mid;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return SQL_KW_NONE;
}

static const struct {
    const char *name;
    bool months, word; /* word: may stand in INTERVAL '..' unit */
    int64_t factor;
} units[] = {
    {"ns", false, false, 1},
    {"nanosecond", false, false, 1},
    {"us", false, false, TSFS_NS_PER_US},
    {"microsecond", false, false, TSFS_NS_PER_US},
    {"ms", false, false, TSFS_NS_PER_MS},
    {"millisecond", false, false, TSFS_NS_PER_MS},
    {"s", false, false, TSFS_NS_PER_S},
    {"second", false, true, TSFS_NS_PER_S},
    {"m", false, false, TSFS_NS_PER_MIN},
    {"minute", false, true, TSFS_NS_PER_MIN},
    {"h", false, false, TSFS_NS_PER_HOUR},
    {"hour", false, true, TSFS_NS_PER_HOUR},
    {"d", false, false, TSFS_NS_PER_DAY},
    {"day", false, true, TSFS_NS_PER_DAY},
    {"week", false, true, 7 * TSFS_NS_PER_DAY},
    {"y", true, false, 12},
    {"year", true, true, 12},
    {"month", true, true, 1},
};

/* number times factor, exactly. */
static int scaled(struct tsfs_str number, int64_t factor, int64_t *value)
{
    size_t at = 0;
    bool negative = false, digits = false, point = false;
    int64_t whole = 0, part = 0, places = 1, sum;
    if (at < number.len && (number.ptr[at] == '-' || number.ptr[at] == '+'))
        negative = number.ptr[at++] == '-';
    size_t end = number.len;
    while (end > at && number.ptr[end - 1] == '0' && memchr(number.ptr, '.', number.len) != NULL)
        end--; /* zeroes after the point say nothing */
    for (; at < end; at++) {
        char c = number.ptr[at];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return -EINVAL;
        digits = true;
        int64_t *into = point ? &part : &whole;
        if (__builtin_mul_overflow(*into, (int64_t)10, into) ||
            __builtin_add_overflow(*into, (int64_t)(c - '0'), into) ||
            (point && __builtin_mul_overflow(places, (int64_t)10, &places)))
            return -ERANGE;
    }
    if (!digits && end == number.len)
        return -EINVAL;
    __int128 fraction = (__int128)part * factor;
    if (fraction % places != 0 || __builtin_mul_overflow(whole, factor, &whole) ||
        __builtin_add_overflow(whole, (int64_t)(fraction / places), &sum))
        return -ERANGE;
    *value = negative ? -sum : sum;
    return 0;
}

int sql_duration(struct tsfs_str number, struct tsfs_str unit, bool full_words, enum tsfs_type *type,
                 int64_t *value)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        bool week = strcmp(units[i].name, "week") == 0;
        if (!sql_same_word(unit, tsfs_str_from(units[i].name)) || (full_words ? !units[i].word : week))
            continue;
        *type = units[i].months ? TSFS_INTERVAL_YM : TSFS_INTERVAL_DS;
        return scaled(number, units[i].factor, value);
    }
    return -EINVAL;
}

/* Where byte `pos` is. */
static void locate(const struct sql_lexer *lx, size_t pos, uint32_t *line, uint32_t *column)
{
    *line = lx->line;
    *column = (uint32_t)(pos - lx->line_start + 1);
}

int sql_lexer_init(struct sql_lexer *lx, struct tsfs_str text, struct tsfs_arena *arena,
                   struct tsfs_error *err)
{
    *lx = (struct sql_lexer){.text = text, .arena = arena, .err = err, .line = 1};
    if (text.len > TSFS_SQL_MAX)
        return tsfs_error_set(err, -E2BIG, "the statement has more than %u bytes", TSFS_SQL_MAX);
    if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
        lx->pos = lx->line_start = 3;
    if (tsfs_utf8_valid(text))
        return 0;
    for (size_t i = lx->pos; i < text.len;) {
        uint32_t cp;
        unsigned n = tsfs_utf8_decode((struct tsfs_str){text.ptr + i, text.len - i}, &cp);
        if (n == 0) {
            uint32_t line, column;
            locate(lx, i, &line, &column);
            return tsfs_error_set_at(err, -EINVAL, line, column, "byte 0x%02x is not valid UTF-8 here",
                                     (unsigned char)text.ptr[i]);
        }
        if (text.ptr[i] == '\n') {
            lx->line++;
            lx->line_start = i + 1;
        }
        i += n;
    }
    return 0;
}

static int fail(struct sql_lexer *lx, const struct sql_token *tok, bool cut_short, const char *what)
{
    lx->cut_short = cut_short;
    return tsfs_error_set_at(lx->err, -EINVAL, tok->line, tok->column, "%s", what);
}

static int at(const struct sql_lexer *lx, size_t i)
{
    return i < lx->text.len ? (unsigned char)lx->text.ptr[i] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static void newline(struct sql_lexer *lx, size_t i)
{
    lx->line++;
    lx->line_start = i + 1;
}

/* Skips blanks and comments. */
static int skip(struct sql_lexer *lx)
{
    for (;;) {
        int c = at(lx, lx->pos);
        if (c == '\n') {
            newline(lx, lx->pos++);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            lx->pos++;
        } else if (c == '-' && at(lx, lx->pos + 1) == '-') {
            while (lx->pos < lx->text.len && lx->text.ptr[lx->pos] != '\n')
                lx->pos++;
        } else if (c == '/' && at(lx, lx->pos + 1) == '*') {
            struct sql_token start = {0};
            locate(lx, lx->pos, &start.line, &start.column);
            for (lx->pos += 2;; lx->pos++) {
                int d = at(lx, lx->pos);
                if (d < 0)
                    return fail(lx, &start, true, "this comment has no end");
                if (d == '\n')
                    newline(lx, lx->pos);
                if (d == '*' && at(lx, lx->pos + 1) == '/')
                    break;
            }
            lx->pos += 2;
        } else {
            return 0;
        }
    }
}

/* 'text' or "identifier", the quote doubled inside. */
static int quoted(struct sql_lexer *lx, struct sql_token *tok, char quote)
{
    size_t from = ++lx->pos, doubled = 0;
    for (;; lx->pos++) {
        int c = at(lx, lx->pos);
        if (c < 0)
            return fail(lx, tok, true,
                        quote == '"' ? "this quoted name has no end" : "this string has no end");
        if (c == '\n')
            newline(lx, lx->pos);
        if (c != quote)
            continue;
        if (at(lx, lx->pos + 1) != quote)
            break;
        doubled++;
        lx->pos++;
    }
    tok->text = (struct tsfs_str){lx->text.ptr + from, lx->pos - from};
    tok->to = ++lx->pos;
    if (quote == '"' && tok->text.len == 0)
        return fail(lx, tok, tok->to == lx->text.len, "a quoted name cannot be empty");
    if (doubled == 0)
        return 0;
    char *copy = tsfs_arena_alloc(lx->arena, tok->text.len);
    if (copy == NULL)
        return tsfs_error_set(lx->err, -ENOMEM, "out of memory for the statement");
    size_t n = 0;
    for (size_t i = 0; i < tok->text.len; i++) {
        copy[n++] = tok->text.ptr[i];
        if (tok->text.ptr[i] == quote)
            i++;
    }
    tok->text = (struct tsfs_str){copy, n};
    return 0;
}

static int hex_digit(int c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* What follows an escape character, up to `digits` hexadecimal digits; false: it is no code point. */
static bool code_point(struct tsfs_str s, size_t at, unsigned digits, uint32_t *cp)
{
    *cp = 0;
    for (unsigned i = 0; i < digits; i++) {
        int d = at + i < s.len ? hex_digit((unsigned char)s.ptr[at + i]) : -1;
        if (d < 0)
            return false;
        *cp = *cp * 16 + (uint32_t)d;
    }
    return *cp <= 0x10ffff && (*cp < 0xd800 || *cp > 0xdfff) && *cp != 0;
}

/* U&'..': \1234 and \+123456 are characters by their code point, the escape character doubled is itself. */
static int unescape(struct sql_lexer *lx, struct sql_token *tok, char escape)
{
    char *copy = tsfs_arena_alloc(lx->arena, tok->text.len + 1);
    size_t n = 0;
    if (copy == NULL)
        return tsfs_error_set(lx->err, -ENOMEM, "out of memory for the statement");
    for (size_t i = 0; i < tok->text.len;) {
        char c = tok->text.ptr[i++];
        if (c != escape) {
            copy[n++] = c;
            continue;
        }
        if (i < tok->text.len && tok->text.ptr[i] == escape) {
            copy[n++] = escape;
            i++;
            continue;
        }
        bool wide = i < tok->text.len && tok->text.ptr[i] == '+';
        uint32_t cp;
        if (!code_point(tok->text, i + wide, wide ? 6 : 4, &cp))
            return fail(lx, tok, false,
                        "behind the escape character of U&'' there must be 4 hexadecimal digits of a code "
                        "point, or + and 6 of them");
        i += wide ? 7 : 4;
        n += tsfs_utf8_encode(cp, copy + n); /* never longer than what stood there */
    }
    tok->text = (struct tsfs_str){copy, n};
    return 0;
}

/* [UESCAPE 'c'] behind U&'..', which is put together then. */
static int unicode(struct sql_lexer *lx, struct sql_token *tok)
{
    struct sql_lexer before = *lx;
    struct sql_token escape = {0};
    char c = '\\';
    int rc = skip(lx);
    if (rc != 0)
        return rc;
    locate(lx, lx->pos, &escape.line, &escape.column);
    struct tsfs_str rest = {lx->text.ptr + lx->pos, lx->text.len - lx->pos < 7 ? 0 : 7};
    if (!sql_same_word(rest, TSFS_STR("uescape"))) {
        *lx = before;
        return unescape(lx, tok, c);
    }
    lx->pos += 7;
    if ((rc = skip(lx)) != 0)
        return rc;
    if (at(lx, lx->pos) != '\'')
        return fail(lx, &escape, lx->pos == lx->text.len, "expected a character such as '!' after UESCAPE");
    if ((rc = quoted(lx, &escape, '\'')) != 0)
        return rc;
    c = escape.text.len == 1 ? escape.text.ptr[0] : '\0';
    if (c <= ' ' || c == '+' || c == '\'' || c == '"' || c >= 0x7f || hex_digit(c) >= 0)
        return fail(
            lx, &escape, false,
            "the character after UESCAPE must be a single one, and no digit, letter of a to f, +, quote or "
            "blank");
    tok->to = lx->pos;
    return unescape(lx, tok, c);
}

static int bad_unit(struct sql_lexer *lx, struct sql_token *tok, struct tsfs_str number, struct tsfs_str unit,
                    int rc)
{
    lx->cut_short = tok->to == lx->text.len;
    int w = unit.len > 40 ? 40 : (int)unit.len;
    if (rc == -ERANGE)
        return tsfs_error_set_at(lx->err, -EINVAL, tok->line, tok->column,
                                 "this duration is too large, or finer than its unit \"%.*s\" allows", w,
                                 unit.ptr);
    return tsfs_error_set_at(lx->err, -EINVAL, tok->line, tok->column,
                             "no duration unit \"%.*s\": use ns, us, ms, s, m, h, d, month or y, as in 15m",
                             w, unit.ptr);
}

/* 0x1F, 0o17, 0b101, with or without _ between digits: as a decimal number. */
static int based(struct sql_lexer *lx, struct sql_token *tok, int base)
{
    uint64_t n = 0;
    size_t i = lx->pos + 2;
    for (int c; (c = at(lx, i)) >= 0; i++) {
        if (c == '_' && hex_digit(at(lx, i + 1)) >= 0)
            continue;
        int d = hex_digit(c);
        if (d < 0 || d >= base)
            break;
        if (__builtin_mul_overflow(n, (uint64_t)base, &n) || __builtin_add_overflow(n, (uint64_t)d, &n) ||
            n > INT64_MAX)
            return fail(lx, tok, false, "this integer does not fit into 64 bits");
    }
    if (i == lx->pos + 2 || is_letter(at(lx, i)) || is_digit(at(lx, i)))
        return fail(lx, tok, i == lx->text.len, "expected digits of this base only");
    char *text = tsfs_arena_printf(lx->arena, "%llu", (unsigned long long)n);
    if (text == NULL)
        return tsfs_error_set(lx->err, -ENOMEM, "out of memory for the statement");
    lx->pos = tok->to = i;
    tok->kind = SQL_TOK_INTEGER;
    tok->text = tsfs_str_from(text);
    return 0;
}

/* 1_000_000 without its _. */
static int without_underscores(struct sql_lexer *lx, struct sql_token *tok)
{
    char *copy = tsfs_arena_alloc(lx->arena, tok->text.len);
    size_t n = 0;
    if (copy == NULL)
        return tsfs_error_set(lx->err, -ENOMEM, "out of memory for the statement");
    for (size_t i = 0; i < tok->text.len; i++)
        if (tok->text.ptr[i] != '_')
            copy[n++] = tok->text.ptr[i];
    tok->text = (struct tsfs_str){copy, n};
    return 0;
}

static int number(struct sql_lexer *lx, struct sql_token *tok)
{
    size_t i = lx->pos;
    bool whole = true, underscores = false;
    int base = at(lx, i) != '0' ? 0 : (at(lx, i + 1) | 0x20);
    if (base == 'x' || base == 'o' || base == 'b')
        return based(lx, tok, base == 'x' ? 16 : base == 'o' ? 8 : 2);
    for (; is_digit(at(lx, i)) || (i > lx->pos && at(lx, i) == '_' && is_digit(at(lx, i + 1))); i++)
        underscores |= at(lx, i) == '_';
    if (at(lx, i) == '.') {
        whole = false;
        i++;
        while (is_digit(at(lx, i)))
            i++;
    }
    size_t mantissa = i;
    int c = at(lx, i);
    if (c == 'e' || c == 'E') {
        size_t j = i + 1;
        if (at(lx, j) == '+' || at(lx, j) == '-')
            j++;
        if (is_digit(at(lx, j))) {
            whole = false;
            while (is_digit(at(lx, j)))
                j++;
            i = mantissa = j;
        }
    }
    size_t unit = i;
    while (is_letter(at(lx, i)) || is_digit(at(lx, i)))
        i++;
    lx->pos = tok->to = i;
    tok->text = (struct tsfs_str){lx->text.ptr + tok->from, mantissa - tok->from};
    if (underscores) {
        int rc = without_underscores(lx, tok);
        if (rc != 0)
            return rc;
    }
    if (i > unit) {
        struct tsfs_str name = {lx->text.ptr + unit, i - unit};
        tok->kind = SQL_TOK_DURATION;
        int rc = sql_duration(tok->text, name, false, &tok->interval, &tok->integer);
        return rc == 0 ? 0 : bad_unit(lx, tok, tok->text, name, rc);
    }
    tok->kind = whole ? SQL_TOK_INTEGER : SQL_TOK_DOUBLE;
    if (!whole && tsfs_num_parse_double(tok->text, &tok->number) != 0)
        return fail(lx, tok, false, "this number is out of range");
    return 0;
}

/* A character that starts no token, by name. */
static int unexpected(struct sql_lexer *lx, struct sql_token *tok)
{
    uint32_t cp = 0;
    unsigned n = tsfs_utf8_decode((struct tsfs_str){lx->text.ptr + lx->pos, lx->text.len - lx->pos}, &cp);
    lx->cut_short = (cp == '!' || cp == '|' || cp == ':' || cp == '@') && lx->pos + n == lx->text.len;
    static const struct {
        char c;
        const char *hint;
    } hints[] = {
        {'`', ": names go into double quotes"},
        {'&', ": write bitwise_and(a, b)"},
        {'|', ": write || to join texts, OR, or bitwise_or(a, b)"},
        {'^', ": write power(a, b) or bitwise_xor(a, b)"},
        {'~', ": write regexp_like(s, p) or bitwise_not(a)"},
        {'!', ": write NOT or <>"},
        {'#', ": comments begin with --"},
        {'$', ": names with it go into double quotes, and there are no parameters"},
        {'{', ": arrays are ARRAY[..], rows ROW(..)"},
        {'\\', ": strings are '..' with quotes doubled"},
    };
    const char *hint = "";
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (cp == (uint32_t)hints[i].c)
            hint = hints[i].hint;
    if (cp > 0x20 && cp < 0x7f)
        return tsfs_error_set_at(lx->err, -EINVAL, tok->line, tok->column, "unexpected character \"%c\"%s",
                                 (char)cp, hint);
    if (cp == 0x2018 || cp == 0x2019)
        hint = ", a typographic quote: texts go into plain ones, '..'";
    else if (cp == 0x201c || cp == 0x201d)
        hint = ", a typographic quote: names go into plain ones, \"..\"";
    else if (cp == 0xa0)
        hint = ", a no-break space: write a plain one";
    return tsfs_error_set_at(lx->err, -EINVAL, tok->line, tok->column, "unexpected character U+%04X%s",
                             (unsigned)cp, hint);
}

/* Spaces, quotes and invisible characters beyond ASCII, and the C1 controls. */
static bool odd(uint32_t cp)
{
    return (cp >= 0x80 && cp <= 0xa0) || cp == 0xab || cp == 0xbb || cp == 0xad || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x206f) || cp == 0x3000 || cp == 0xfeff || (cp >= 0xfff0 && cp <= 0xffff);
}

static int word(struct sql_lexer *lx, struct sql_token *tok)
{
    while (is_letter(at(lx, lx->pos)) || is_digit(at(lx, lx->pos))) {
        unsigned n = 1;
        if (at(lx, lx->pos) >= 0x80) {
            uint32_t cp;
            n = tsfs_utf8_decode((struct tsfs_str){lx->text.ptr + lx->pos, lx->text.len - lx->pos}, &cp);
            if (odd(cp)) {
                locate(lx, lx->pos, &tok->line, &tok->column);
                return unexpected(lx, tok);
            }
        }
        lx->pos += n;
    }
    tok->kind = SQL_TOK_WORD;
    tok->to = lx->pos;
    tok->text = (struct tsfs_str){lx->text.ptr + tok->from, tok->to - tok->from};
    tok->keyword = find_keyword(tok->text);
    return 0;
}

int sql_lexer_next(struct sql_lexer *lx, struct sql_token *tok)
{
    *tok = (struct sql_token){0};
    int rc = skip(lx);
    if (rc != 0)
        return rc;
    locate(lx, lx->pos, &tok->line, &tok->column);
    tok->from = tok->to = lx->pos;
    int c = at(lx, lx->pos), d = at(lx, lx->pos + 1);
    if (c < 0) {
        tok->kind = SQL_TOK_END;
        return 0;
    }
    if ((c == 'U' || c == 'u') && d == '&' && (at(lx, lx->pos + 2) == '\'' || at(lx, lx->pos + 2) == '"')) {
        lx->pos += 2;
        tok->kind = at(lx, lx->pos) == '"' ? SQL_TOK_QUOTED : SQL_TOK_STRING;
        rc = quoted(lx, tok, (char)at(lx, lx->pos));
        return rc != 0 ? rc : unicode(lx, tok);
    }
    if (is_letter(c))
        return word(lx, tok);
    if (is_digit(c) || (c == '.' && is_digit(d)))
        return number(lx, tok);
    if (c == '\'' || c == '"') {
        tok->kind = c == '"' ? SQL_TOK_QUOTED : SQL_TOK_STRING;
        return quoted(lx, tok, (char)c);
    }
    unsigned len = 1;
    switch (c) {
    case '(': tok->kind = SQL_TOK_LPAREN; break;
    case ')': tok->kind = SQL_TOK_RPAREN; break;
    case '[': tok->kind = SQL_TOK_LBRACKET; break;
    case ']': tok->kind = SQL_TOK_RBRACKET; break;
    case ',': tok->kind = SQL_TOK_COMMA; break;
    case '.': tok->kind = SQL_TOK_DOT; break;
    case ';': tok->kind = SQL_TOK_SEMICOLON; break;
    case '+': tok->kind = SQL_TOK_PLUS; break;
    case '*': tok->kind = SQL_TOK_STAR; break;
    case '/': tok->kind = SQL_TOK_SLASH; break;
    case '%': tok->kind = SQL_TOK_PERCENT; break;
    case '=': tok->kind = SQL_TOK_EQ; break;
    case '?': tok->kind = SQL_TOK_PARAM; break;
    case '-':
        tok->kind = d == '>' ? SQL_TOK_ARROW : SQL_TOK_MINUS;
        len = d == '>' ? 2 : 1;
        break;
    case '<':
        tok->kind = d == '=' ? SQL_TOK_LE : d == '>' ? SQL_TOK_NE : SQL_TOK_LT;
        len = d == '=' || d == '>' ? 2 : 1;
        break;
    case '>':
        tok->kind = d == '=' ? SQL_TOK_GE : SQL_TOK_GT;
        len = d == '=' ? 2 : 1;
        break;
    case '!':
    case '|':
    case ':':
        if (d != (c == '!' ? '=' : c))
            return unexpected(lx, tok);
        tok->kind = c == '!' ? SQL_TOK_NE : c == '|' ? SQL_TOK_CONCAT : SQL_TOK_COLONS;
        len = 2;
        break;
    case '@':
        if (!is_letter(d))
            return unexpected(lx, tok);
        tok->kind = SQL_TOK_PARAM;
        while (is_letter(at(lx, lx->pos + len)) || is_digit(at(lx, lx->pos + len)))
            len++;
        break;
    default: return unexpected(lx, tok);
    }
    tok->text = (struct tsfs_str){lx->text.ptr + lx->pos, len};
    lx->pos += len;
    tok->to = lx->pos;
    return 0;
}
