/* LIKE: % is any run of characters, _ any one character, escape makes the next one plain; an empty one is
 * none.
 *
 * A pattern is compiled into pieces: the texts between its %s.  The first piece is tied to the start unless
 * a % stands before it, the last to the end; each one between is taken at its leftmost place, which is
 * always right because an earlier place leaves more for the rest.  So there is no backtracking: a row costs
 * at most its length times the longest piece.  Pieces without _ are searched as bytes (UTF-8 makes that
 * safe); pieces with _ step by code points.  A constant pattern is compiled once a call. */
#include <errno.h>

#include "base/utf8.h"
#include "exec/functions/functions_priv.h"

struct piece {
    struct tsfs_str text; /* unescaped */
    const uint8_t *any;   /* NULL, or for each byte of text whether it stands for one whole character */
};

struct pattern {
    struct piece *pieces;
    uint32_t n;
    bool open_start, open_end; /* a % at the start, at the end */
    bool only_percent;
};

static unsigned char_len(char lead)
{
    unsigned char c = (unsigned char)lead;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Returns 0, -ENOMEM, or 1 when the pattern is wrong (*why). */
static int compile(struct tsfs_arena *arena, struct tsfs_str text, const struct tsfs_str *escape,
                   struct pattern *out, const char **why)
{
    *out = (struct pattern){0};
    size_t escape_len = escape != NULL ? escape->len : 0;
    if (escape_len != 0 && tsfs_utf8_length(*escape) != 1) {
        *why = "ESCAPE must be a single character";
        return 1;
    }
    size_t percents = 0;
    for (size_t i = 0; i < text.len; i++)
        percents += text.ptr[i] == '%';
    char *bytes = tsfs_arena_alloc(arena, text.len);
    uint8_t *any = tsfs_arena_alloc(arena, text.len);
    out->pieces = tsfs_arena_calloc(arena, percents + 1, sizeof(*out->pieces));
    if (bytes == NULL || any == NULL || out->pieces == NULL)
        return -ENOMEM;

    size_t start = 0, at = 0;
    bool has_any = false, last_percent = false;
    for (size_t i = 0; i <= text.len;) {
        bool end = i == text.len;
        bool percent = !end && text.ptr[i] == '%' && !(escape_len == 1 && escape->ptr[0] == '%');
        if (end || percent) {
            if (percent && i == 0)
                out->open_start = true;
            if (at > start)
                out->pieces[out->n++] =
                    (struct piece){{bytes + start, at - start}, has_any ? any + start : NULL};
            if (end)
                break;
            start = at;
            has_any = false;
            last_percent = true;
            i++;
            continue;
        }
        last_percent = false;
        bool escaped = escape_len != 0 && text.len - i >= escape_len &&
                       memcmp(text.ptr + i, escape->ptr, escape_len) == 0;
        if (escaped) {
            i += escape_len;
            bool plain = i < text.len &&
                         (text.ptr[i] == '%' || text.ptr[i] == '_' ||
                          (text.len - i >= escape_len && memcmp(text.ptr + i, escape->ptr, escape_len) == 0));
            if (!plain) {
                *why = "the escape character must come before %, _ or itself";
                return 1;
            }
        }
        if (!escaped && text.ptr[i] == '_') {
            has_any = true;
            any[at] = 1;
            bytes[at++] = '_';
            i++;
            continue;
        }
        for (unsigned k = char_len(text.ptr[i]); k > 0 && i < text.len; k--) {
            any[at] = 0;
            bytes[at++] = text.ptr[i++];
        }
    }
    out->open_end = last_percent;
    out->only_percent = out->n == 0 && percents > 0;
    return 0;
}

/* The bytes of s (from its start) that the piece takes, or SIZE_MAX if it does not match there. */
static size_t match_here(const struct piece *piece, struct tsfs_str s)
{
    size_t at = 0;
    for (size_t i = 0; i < piece->text.len; i++) {
        if (at == s.len)
            return SIZE_MAX;
        if (piece->any[i]) {
            unsigned k = char_len(s.ptr[at]);
            at += k < s.len - at ? k : s.len - at;
        } else if (s.ptr[at++] != piece->text.ptr[i]) {
            return SIZE_MAX;
        }
    }
    return at;
}

static bool starts(struct tsfs_str s, struct tsfs_str with)
{
    return s.len >= with.len && memcmp(s.ptr, with.ptr, with.len) == 0;
}

/* Takes the piece from the start of *s. */
static bool take_first(const struct piece *piece, struct tsfs_str *s)
{
    size_t len = piece->text.len;
    if (piece->any != NULL)
        len = match_here(piece, *s);
    else if (!starts(*s, piece->text))
        return false;
    if (len == SIZE_MAX)
        return false;
    s->ptr += len;
    s->len -= len;
    return true;
}

/* Takes all up to the leftmost place of the piece and the piece: 1, 0 there is none, or an error. */
static int take_next(struct tsfs_kernel_ctx *ctx, const struct piece *piece, struct tsfs_str *s)
{
    if (piece->any == NULL) {
        const char *p = memmem(s->ptr, s->len, piece->text.ptr, piece->text.len);
        if (p == NULL)
            return false;
        p += piece->text.len;
        s->len -= (size_t)(p - s->ptr);
        s->ptr = p;
        return true;
    }
    while (s->len > 0) {
        int rc = tsfs_kernel_work(ctx, piece->text.len);
        if (rc != 0 || take_first(piece, s))
            return rc != 0 ? rc : 1;
        unsigned k = char_len(*s->ptr);
        k = k < s->len ? k : (unsigned)s->len;
        s->ptr += k;
        s->len -= k;
    }
    return 0;
}

/* Whether s ends in the piece. */
static bool match_last(const struct piece *piece, struct tsfs_str s)
{
    if (piece->any == NULL)
        return s.len >= piece->text.len &&
               memcmp(s.ptr + s.len - piece->text.len, piece->text.ptr, piece->text.len) == 0;
    /* As many characters as the piece has, counted from the end. */
    size_t chars = tsfs_utf8_length(piece->text), at = s.len;
    while (chars > 0) {
        if (at == 0)
            return false;
        at--;
        while (at > 0 && ((unsigned char)s.ptr[at] & 0xc0) == 0x80)
            at--;
        chars--;
    }
    return match_here(piece, (struct tsfs_str){s.ptr + at, s.len - at}) == s.len - at;
}

/* 1 or 0, or an error. */
static int matches(struct tsfs_kernel_ctx *ctx, const struct pattern *pattern, struct tsfs_str s)
{
    if (pattern->n == 0)
        return pattern->only_percent || s.len == 0;
    uint32_t i = 0, last = pattern->n;
    int rc = tsfs_kernel_work(ctx, s.len);
    if (rc != 0)
        return rc;
    if (!pattern->open_start) {
        if (!take_first(&pattern->pieces[0], &s))
            return 0;
        i = 1;
        if (pattern->n == 1 && !pattern->open_end)
            return s.len == 0;
    }
    if (!pattern->open_end && last > i)
        last--;
    for (; i < last; i++)
        if ((rc = take_next(ctx, &pattern->pieces[i], &s)) <= 0)
            return rc;
    return pattern->open_end || i == pattern->n || match_last(&pattern->pieces[i], s);
}

static int compile_row(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t row,
                       struct pattern *pattern, const char **why)
{
    const struct tsfs_str *escape = nargs > 2 ? &args[2].s[row_at(&args[2], row)] : NULL;
    int rc = compile(ctx->arena, args[1].s[row_at(&args[1], row)], escape, pattern, why);
    return rc < 0 ? function_no_memory(ctx) : rc;
}

static int like(KERNEL_ARGS)
{
    uint8_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    bool constant = args[1].constant && (nargs == 2 || args[2].constant), compiled = false;
    struct pattern pattern = {0};
    const char *why = NULL;
    int state = 0; /* of the pattern in force: 0 or 1 = wrong */
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        if (!constant || !compiled) {
            state = compile_row(ctx, args, nargs, i, &pattern, &why);
            if (state < 0)
                return state;
            compiled = true;
        }
        if (state == 0) {
            int found = matches(ctx, &pattern, args[0].s[row_at(&args[0], i)]);
            if (found < 0)
                return found;
            r[i] = (uint8_t)found;
            continue;
        }
        int rc = function_fail(ctx, i, "LIKE: %s", why);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static const struct tsfs_function items[] = {
    SCALAR_OP("like", TSFS_OP_LIKE, BOOL, like, "s LIKE p: % any text, _ any character", STR, STR),
    SCALAR_OP("like", TSFS_OP_LIKE, BOOL, like, "s LIKE p ESCAPE e: e before %, _ or itself makes it plain",
              STR, STR, STR),
};

const struct function_table functions_like = FUNCTION_TABLE(items);
