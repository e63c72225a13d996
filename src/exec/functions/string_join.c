/* Strings put together and rewritten: ||, concat, concat_ws, replace, translate, soundex.
 *
 * The length of a result is known, and held against TSFS_RESULT_VARCHAR_MAX, before it is written. */
#include <wctype.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "exec/functions/nested_priv.h"
#include "exec/functions/rows.h"

static char *put(char *to, struct tsfs_str s)
{
    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    return to + s.len;
}

/* Room for a result of `total` bytes: 1, 0 if it is too long and the row was marked, or an error. */
static int make(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn, size_t total, struct tsfs_str *r,
                char **at)
{
    *at = NULL;
    if (total > TSFS_RESULT_VARCHAR_MAX)
        return function_too_long(ctx, row, fn);
    *at = function_bytes(ctx, total);
    if (*at == NULL)
        return -ENOMEM;
    *r = (struct tsfs_str){*at, total};
    return 1;
}

static int concat_row(ROW_ARGS(struct tsfs_str))
{
    size_t total = 0;
    char *p;
    for (unsigned a = 0; a < nargs && total <= TSFS_RESULT_VARCHAR_MAX; a++)
        total += row_str(args, a, row).len;
    int rc = make(ctx, row, "concat", total, r, &p);
    for (unsigned a = 0; rc > 0 && a < nargs; a++)
        p = put(p, row_str(args, a, row));
    return rc < 0 ? rc : 0;
}

ROW_KERNEL(concat, struct tsfs_str)

/* The parts of concat_ws in row `row`: further arguments, or the elements of an array.  False: it is NULL. */
static bool joined_part(const struct tsfs_vec *args, uint32_t row, unsigned k, struct tsfs_str *out)
{
    if (tsfs_type_kind(args[1].type) != TSFS_KIND_ARRAY) {
        if (tsfs_vec_null(&args[1 + k], row))
            return false;
        *out = row_str(args, 1 + k, row);
        return true;
    }
    const struct tsfs_array *a = tsfs_vec_array(&args[1], row);
    if (tsfs_vec_null(&a->elems, k))
        return false;
    *out = a->elems.s[k];
    return true;
}

static int join(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t row,
                struct tsfs_str *r)
{
    bool array = tsfs_type_kind(args[1].type) == TSFS_KIND_ARRAY;
    struct tsfs_str by = row_str(args, 0, row), s;
    unsigned parts = nargs - 1;
    size_t total = 0;
    bool any = false;
    char *p;
    if (array)
        parts = tsfs_vec_array(&args[1], row)->n;
    int rc = tsfs_kernel_work(ctx, parts);
    if (rc != 0)
        return rc;
    for (unsigned k = 0; k < parts && total <= TSFS_RESULT_VARCHAR_MAX; k++) {
        if (!joined_part(args, row, k, &s))
            continue;
        total += s.len + (any ? by.len : 0);
        any = true;
    }
    rc = make(ctx, row, "concat_ws", total, r, &p);
    any = false;
    for (unsigned k = 0; rc > 0 && k < parts; k++) {
        if (!joined_part(args, row, k, &s))
            continue;
        p = put(any ? put(p, by) : p, s);
        any = true;
    }
    return rc < 0 ? rc : 0;
}

/* NULL parts are left out; a NULL separator, or a NULL where an array of parts should be, makes the whole
 * NULL. */
static int concat_ws(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    bool array = tsfs_type_kind(args[1].type) == TSFS_KIND_ARRAY;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (tsfs_vec_null(&args[0], i) || (array && tsfs_vec_null(&args[1], i)))
            continue;
        rc = join(ctx, args, nargs, i, &((struct tsfs_str *)room.data)[i]);
        if (rc == 0)
            tsfs_bit_set(room.valid, i);
    }
    if (rc == 0)
        nested_finish(&room, n, out);
    return rc;
}

/* Every `what` becomes `with`; an empty `what` stands before every code point and at the end. */
static int replace_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row), what = row_str(args, 1, row);
    struct tsfs_str with = nargs > 2 ? row_str(args, 2, row) : TSFS_STR("");
    size_t hits = 0, added;
    char *p;
    if (what.len == 0) {
        hits = tsfs_utf8_length(s) + 1;
    } else {
        for (const char *q = s.ptr, *end = s.ptr + s.len;
             (q = memmem(q, (size_t)(end - q), what.ptr, what.len)) != NULL; q += what.len)
            hits++;
    }
    if (hits == 0) {
        *r = s;
        return 0;
    }
    if (__builtin_mul_overflow(hits, with.len, &added) || added > TSFS_RESULT_VARCHAR_MAX)
        return function_too_long(ctx, row, "replace");
    int rc = make(ctx, row, "replace", s.len - hits * what.len + added, r, &p);
    if (rc <= 0)
        return rc;
    for (size_t i = 0; i < hits; i++) {
        size_t before;
        if (what.len > 0) {
            before = (size_t)((const char *)memmem(s.ptr, s.len, what.ptr, what.len) - s.ptr);
        } else {
            uint32_t cp;
            unsigned len = i == 0 || s.len == 0 ? 0 : tsfs_utf8_decode(s, &cp);
            before = i == 0 || s.len == 0 ? 0 : len > 0 ? len : 1;
        }
        p = put(put(p, (struct tsfs_str){s.ptr, before}), with);
        s.ptr += before + what.len;
        s.len -= before + what.len;
    }
    put(p, s);
    return 0;
}

ROW_KERNEL(replace, struct tsfs_str)

/* The code point at *s, which moves on; its bytes in *bytes.  What is no UTF-8 counts byte by byte. */
static uint32_t next(struct tsfs_str *s, struct tsfs_str *bytes)
{
    uint32_t cp = (unsigned char)*s->ptr;
    unsigned len = tsfs_utf8_decode(*s, &cp);
    *bytes = (struct tsfs_str){s->ptr, len == 0 ? 1 : len};
    s->ptr += bytes->len;
    s->len -= bytes->len;
    return cp;
}

/* What translate makes of a character: that of `to` which stands where `from` has it first, or nothing. */
static struct tsfs_str translated(struct tsfs_str c, struct tsfs_str from, struct tsfs_str to)
{
    struct tsfs_str a, b;
    while (from.len > 0) {
        next(&from, &a);
        b = (struct tsfs_str){to.ptr, 0};
        if (to.len > 0)
            next(&to, &b);
        if (tsfs_str_eq(a, c))
            return b;
    }
    return c;
}

static int translate_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str from = row_str(args, 1, row), to = row_str(args, 2, row), c;
    size_t total = 0;
    char *p = NULL;
    int rc = 0;
    for (struct tsfs_str s = row_str(args, 0, row);
         s.len > 0 && total <= TSFS_RESULT_VARCHAR_MAX && rc == 0;) {
        next(&s, &c);
        total += translated(c, from, to).len;
        rc = tsfs_kernel_work(ctx, 2 * from.len);
    }
    if (rc == 0)
        rc = make(ctx, row, "translate", total, r, &p);
    for (struct tsfs_str s = row_str(args, 0, row); rc > 0 && s.len > 0;) {
        next(&s, &c);
        p = put(p, translated(c, from, to));
        int stop = tsfs_kernel_work(ctx, 2 * from.len);
        rc = stop != 0 ? stop : rc;
    }
    return rc < 0 ? rc : 0;
}

ROW_KERNEL(translate, struct tsfs_str)

/* The first letter, and the classes of the consonants behind it (American Soundex: H and W do not part equal
 * neighbours, vowels do). */
static int soundex_row(ROW_ARGS(struct tsfs_str))
{
    static const char classes[] = "01230120022455012623010202"; /* of A to Z */
    struct tsfs_str s = row_str(args, 0, row), c;
    char code[4] = "0000", last = 0;
    unsigned n = 0;
    while (s.len > 0 && n < 4) {
        uint32_t cp = next(&s, &c);
        if (cp >= 0x80 && function_is_letter(cp))
            return function_fail(ctx, row, "soundex: '%.*s' is not a letter from A to Z", (int)c.len, c.ptr);
        uint32_t letter = (cp | 0x20) - 'a';
        if (cp >= 0x80 || letter > 25)
            continue;
        char class = classes[letter];
        if (n == 0)
            code[n++] = (char)('A' + letter);
        else if (letter == 'h' - 'a' || letter == 'w' - 'a')
            continue;
        else if (class != '0' && class != last)
            code[n++] = class;
        last = class;
    }
    return row_put_text(ctx, code, n == 0 ? 0 : 4, r);
}

ROW_KERNEL(soundex, struct tsfs_str)

#define CONCAT_WS_HELP                                                                                       \
    "concat_ws(d, a, ...): all, or the elements of an array, with d between them; NULLs are left out"

static const struct tsfs_function items[] = {
    SCALAR_OP("||", TSFS_OP_CONCAT, STR, concat, "a || b: a followed by b", STR, STR),
    SCALAR_VARIADIC("concat", STR, concat, "concat(a, b, ...): all, one after another", STR, STR),
    SIG_NULLS("concat_ws", "varchar, varchar... -> varchar", concat_ws, CONCAT_WS_HELP),
    SIG_NULLS("concat_ws", "varchar, array(varchar) -> varchar", concat_ws, CONCAT_WS_HELP),
    SCALAR("replace", STR, replace, "replace(s, a): s without each a", STR, STR),
    SCALAR("replace", STR, replace, "replace(s, a, b): b instead of each a", STR, STR, STR),
    SCALAR("translate", STR, translate,
           "translate(s, from, to): each character that is in from becomes the one of to in its place", STR,
           STR, STR),
    SCALAR("soundex", STR, soundex, "soundex(s): a letter and three digits for how s sounds", STR),
};

const struct function_table functions_string_join = FUNCTION_TABLE(items);
