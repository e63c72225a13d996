/* Strings: cutting, padding, case.  Positions and lengths count code points.
 *
 * Every string that a function makes is at most TSFS_RESULT_VARCHAR_MAX bytes; a longer one is an error
 * before anything is allocated. */
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "exec/functions/rows.h"

static bool ascii(struct tsfs_str s)
{
    unsigned char any = 0;
    for (size_t i = 0; i < s.len; i++)
        any |= (unsigned char)s.ptr[i];
    return any < 0x80;
}

/* The byte where code point number `points` begins, or s.len. */
static size_t byte_of(struct tsfs_str s, size_t points)
{
    size_t i = 0;
    for (; i < s.len; i++) {
        bool lead = ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
        if (lead && points-- == 0)
            break;
    }
    return i;
}

#define STRINGS(NAME) ROW_KERNEL(NAME, struct tsfs_str)

static int length_row(ROW_ARGS(int64_t))
{
    *r = (int64_t)tsfs_utf8_length(row_str(args, 0, row));
    return 0;
}

ROW_KERNEL(length, int64_t)

/* Simple case mapping, one code point to one, as the C library's Unicode tables have it: they are reached
 * through a locale of our own, whatever the process runs under.  Without such a locale only ASCII maps. */
static locale_t unicode;
static pthread_once_t unicode_once = PTHREAD_ONCE_INIT;

static void find_unicode(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (unicode == (locale_t)0)
        unicode = newlocale(LC_CTYPE_MASK, "C.utf8", (locale_t)0);
    if (unicode == (locale_t)0)
        unicode = newlocale(LC_CTYPE_MASK, "en_US.UTF-8", (locale_t)0);
}

bool function_is_letter(uint32_t cp)
{
    pthread_once(&unicode_once, find_unicode);
    return unicode != (locale_t)0 && iswalpha_l((wint_t)cp, unicode);
}

static int map_case(struct tsfs_kernel_ctx *ctx, uint32_t row, struct tsfs_str s, bool up, struct tsfs_str *r)
{
    bool plain = ascii(s);
    char *p = function_bytes(ctx, plain ? s.len : 2 * s.len);
    if (p == NULL)
        return -ENOMEM;
    *r = (struct tsfs_str){p, s.len};
    if (plain) {
        unsigned char first = up ? 'a' : 'A';
        for (size_t i = 0; i < s.len; i++) {
            unsigned char c = (unsigned char)s.ptr[i];
            p[i] = (char)(c ^ ((unsigned char)(c - first) < 26 ? 0x20 : 0));
        }
        return 0;
    }
    pthread_once(&unicode_once, find_unicode);
    size_t at = 0;
    while (s.len > 0) {
        uint32_t cp;
        unsigned len = tsfs_utf8_decode(s, &cp);
        if (len == 0) { /* not UTF-8: as it is */
            p[at++] = *s.ptr++;
            s.len--;
            continue;
        }
        if (unicode != (locale_t)0)
            cp = (uint32_t)(up ? towupper_l((wint_t)cp, unicode) : towlower_l((wint_t)cp, unicode));
        else if (cp < 0x80 && (cp | 0x20) - 'a' < 26)
            cp = up ? cp & ~0x20u : cp | 0x20u;
        char bytes[4];
        unsigned mapped = tsfs_utf8_encode(cp, bytes);
        /* A letter's other case takes at most one byte more than itself: two of two, three of two. */
        memcpy(p + at, mapped > 0 && mapped <= 2 * len ? bytes : s.ptr,
               mapped > 0 && mapped <= 2 * len ? mapped : len);
        at += mapped > 0 && mapped <= 2 * len ? mapped : len;
        s.ptr += len;
        s.len -= len;
    }
    r->len = at;
    return at > TSFS_RESULT_VARCHAR_MAX ? function_too_long(ctx, row, up ? "upper" : "lower") : 0;
}

static int lower_row(ROW_ARGS(struct tsfs_str))
{
    return map_case(ctx, row, row_str(args, 0, row), false, r);
}

static int upper_row(ROW_ARGS(struct tsfs_str))
{
    return map_case(ctx, row, row_str(args, 0, row), true, r);
}

STRINGS(lower)
STRINGS(upper)

/* White space is what Java calls so: without the spaces that do not break. */
static bool space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x20) || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200a && cp != 0x2007) || cp == 0x2028 || cp == 0x2029 || cp == 0x205f ||
           cp == 0x3000;
}

static bool contains(struct tsfs_str set, const char *ptr, size_t len)
{
    return memmem(set.ptr, set.len, ptr, len) != NULL;
}

/* set ptr NULL: white space. */
static int trim_ends(struct tsfs_kernel_ctx *ctx, struct tsfs_str s, struct tsfs_str set, bool left,
                     bool right, struct tsfs_str *r)
{
    uint32_t cp;
    int rc = 0;
    while (left && s.len > 0 && rc == 0) {
        unsigned len = tsfs_utf8_decode(s, &cp);
        rc = tsfs_kernel_work(ctx, set.len);
        if (len == 0 || !(set.ptr == NULL ? space(cp) : contains(set, s.ptr, len)))
            break;
        s.ptr += len;
        s.len -= len;
    }
    while (right && s.len > 0 && rc == 0) {
        size_t at = s.len - 1;
        rc = tsfs_kernel_work(ctx, set.len);
        while (at > 0 && ((unsigned char)s.ptr[at] & 0xc0) == 0x80)
            at--;
        size_t len = s.len - at;
        if (tsfs_utf8_decode((struct tsfs_str){s.ptr + at, len}, &cp) != len ||
            !(set.ptr == NULL ? space(cp) : contains(set, s.ptr + at, len)))
            break;
        s.len = at;
    }
    *r = s;
    return rc;
}

static struct tsfs_str trim_set(const struct tsfs_vec *args, unsigned nargs, uint32_t row)
{
    return nargs > 1 ? row_str(args, 1, row) : (struct tsfs_str){NULL, 0};
}

static int trim_row(ROW_ARGS(struct tsfs_str))
{
    return trim_ends(ctx, row_str(args, 0, row), trim_set(args, nargs, row), true, true, r);
}

static int ltrim_row(ROW_ARGS(struct tsfs_str))
{
    return trim_ends(ctx, row_str(args, 0, row), trim_set(args, nargs, row), true, false, r);
}

static int rtrim_row(ROW_ARGS(struct tsfs_str))
{
    return trim_ends(ctx, row_str(args, 0, row), trim_set(args, nargs, row), false, true, r);
}

STRINGS(trim)
STRINGS(ltrim)
STRINGS(rtrim)

/* lpad, rpad: s brought to exactly `want` code points. */
static int pad(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, uint32_t row, bool left,
               const char *fn, struct tsfs_str *r)
{
    struct tsfs_str s = row_str(args, 0, row), fill = row_str(args, 2, row);
    int64_t want = row_i64(args, 1, row);
    if (want < 0)
        return function_fail(ctx, row, "%s: the length must not be negative: %lld", fn, (long long)want);
    if (want > TSFS_RESULT_VARCHAR_MAX)
        return function_too_long(ctx, row, fn);
    if (fill.len == 0)
        return function_fail(ctx, row, "%s: the text to pad with must not be empty", fn);
    size_t have = tsfs_utf8_length(s);
    if ((size_t)want <= have) {
        *r = (struct tsfs_str){s.ptr, byte_of(s, (size_t)want)};
        return 0;
    }
    size_t missing = (size_t)want - have, unit = tsfs_utf8_length(fill);
    if (unit == 0)
        return function_fail(ctx, row, "%s: the text to pad with is not UTF-8", fn);
    size_t rest = byte_of(fill, missing % unit), bytes;
    if (__builtin_mul_overflow(missing / unit, fill.len, &bytes) || bytes > TSFS_RESULT_VARCHAR_MAX ||
        bytes + rest + s.len > TSFS_RESULT_VARCHAR_MAX)
        return function_too_long(ctx, row, fn);
    char *p = function_bytes(ctx, bytes + rest + s.len);
    if (p == NULL)
        return -ENOMEM;
    *r = (struct tsfs_str){p, bytes + rest + s.len};
    if (!left && s.len > 0)
        memcpy(p, s.ptr, s.len);
    p += left ? 0 : s.len;
    for (size_t i = missing / unit; i > 0; i--, p += fill.len)
        memcpy(p, fill.ptr, fill.len);
    memcpy(p, fill.ptr, rest);
    if (left && s.len > 0)
        memcpy(p + rest, s.ptr, s.len);
    return 0;
}

static int lpad_row(ROW_ARGS(struct tsfs_str))
{
    return pad(ctx, args, row, true, "lpad", r);
}

static int rpad_row(ROW_ARGS(struct tsfs_str))
{
    return pad(ctx, args, row, false, "rpad", r);
}

STRINGS(lpad)
STRINGS(rpad)

/* start 1-based, negative from the end; outside the string, or 0, gives the empty string. */
static int substr_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    int64_t start = row_i64(args, 1, row), want = nargs > 2 ? row_i64(args, 2, row) : INT64_MAX;
    *r = (struct tsfs_str){"", 0};
    if (start == 0 || want <= 0 || s.len == 0)
        return 0;
    if (start < 0) {
        int64_t have = (int64_t)tsfs_utf8_length(s);
        if (start < -have)
            return 0;
        start += have;
    } else {
        start--;
    }
    size_t from = byte_of(s, (size_t)start);
    s.ptr += from;
    s.len -= from;
    s.len = byte_of(s, (size_t)want);
    *r = s;
    return 0;
}

STRINGS(substr)

static int reverse_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    char *p = function_bytes(ctx, s.len);
    if (p == NULL)
        return -ENOMEM;
    *r = (struct tsfs_str){p, s.len};
    p += s.len;
    while (s.len > 0) {
        uint32_t cp;
        unsigned len = tsfs_utf8_decode(s, &cp);
        len = len == 0 ? 1 : len;
        p -= len;
        memcpy(p, s.ptr, len);
        s.ptr += len;
        s.len -= len;
    }
    return 0;
}

STRINGS(reverse)

static int chr_row(ROW_ARGS(struct tsfs_str))
{
    int64_t cp = row_i64(args, 0, row);
    char bytes[4];
    unsigned len = cp >= 0 && cp <= 0x10ffff ? tsfs_utf8_encode((uint32_t)cp, bytes) : 0;
    if (len == 0)
        return function_fail(ctx, row, "chr: %lld is not a Unicode code point", (long long)cp);
    return row_put_text(ctx, bytes, len, r);
}

STRINGS(chr)

static int codepoint_row(ROW_ARGS(int64_t))
{
    struct tsfs_str s = row_str(args, 0, row);
    uint32_t cp = 0;
    unsigned len = tsfs_utf8_decode(s, &cp);
    *r = cp;
    return len > 0 && len == s.len
               ? 0
               : function_fail(ctx, row, "codepoint: '%.*s%s' is not one character", FUNCTION_EXCERPT(s));
}

ROW_KERNEL(codepoint, int64_t)

#define SUBSTR_HELP "(s, start[, len]): part of s; start is 1-based, from the end when negative"
#define SUBSTR(NAME)                                                                                         \
    SCALAR(NAME, STR, substr, NAME SUBSTR_HELP, STR, BIG),                                                   \
        SCALAR(NAME, STR, substr, NAME SUBSTR_HELP, STR, BIG, BIG)
#define TRIM(NAME, KERNEL, SIDE)                                                                             \
    SCALAR(NAME, STR, KERNEL, NAME "(s): without white space " SIDE, STR),                                   \
        SCALAR(NAME, STR, KERNEL, NAME "(s, chars): without those characters " SIDE, STR, STR)

static const struct tsfs_function items[] = {
    SCALAR("length", BIG, length, "length(s): code points of s", STR),
    SCALAR("lower", STR, lower, "lower(s): in lower case", STR),
    SCALAR("upper", STR, upper, "upper(s): in upper case", STR),
    TRIM("trim", trim, "at both ends"),
    TRIM("ltrim", ltrim, "at the start"),
    TRIM("rtrim", rtrim, "at the end"),
    SCALAR("lpad", STR, lpad, "lpad(s, n, p): n characters, filled with p on the left or cut", STR, BIG, STR),
    SCALAR("rpad", STR, rpad, "rpad(s, n, p): n characters, filled with p on the right or cut", STR, BIG,
           STR),
    SUBSTR("substr"),
    SUBSTR("substring"),
    SCALAR("reverse", STR, reverse, "reverse(s): back to front", STR),
    SCALAR("chr", STR, chr, "chr(n): the character with that code point", BIG),
    SCALAR("codepoint", INT, codepoint, "codepoint(s): the code point of a single character", STR),
};

const struct function_table functions_string = FUNCTION_TABLE(items);
