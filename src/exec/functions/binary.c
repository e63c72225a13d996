/* varbinary: bytes from and to texts and numbers, and their digests. */
#include "base/hash.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "exec/functions/digest.h"
#include "exec/functions/rows.h"

/* The same bytes under the other type. */
static int same(KERNEL_ARGS)
{
    out->data = args[0].data;
    return 0;
}

/* ---- UTF-8 ---- */

/* What stands for bytes that are not UTF-8: U+FFFD, or the character or code point of the second argument. */
static int replacement(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t row,
                       char bytes[4], unsigned *len)
{
    *len = 3;
    memcpy(bytes, "\xef\xbf\xbd", 3);
    if (nargs == 1)
        return 1;
    if (args[1].type == TSFS_VARCHAR) {
        struct tsfs_str s = row_str(args, 1, row);
        if (s.len > 4 || tsfs_utf8_length(s) > 1)
            return function_fail(ctx, row, "from_utf8: the replacement must be one character, or empty");
        *len = (unsigned)s.len;
        if (s.len > 0)
            memcpy(bytes, s.ptr, s.len);
        return 1;
    }
    int64_t cp = row_i64(args, 1, row);
    *len = cp >= 0 && cp <= 0x10ffff ? tsfs_utf8_encode((uint32_t)cp, bytes) : 0;
    return *len > 0 ? 1 : function_fail(ctx, row, "from_utf8: %lld is not a code point", (long long)cp);
}

static int from_utf8_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    char bytes[4], *p;
    unsigned len = 0;
    int rc = replacement(ctx, args, nargs, row, bytes, &len);
    if (rc <= 0)
        return rc;
    if (s.len > TSFS_RESULT_VARCHAR_MAX / 4)
        return function_too_long(ctx, row, "from_utf8");
    p = function_bytes(ctx, 4 * s.len);
    if (p == NULL)
        return -ENOMEM;
    r->ptr = p;
    while (s.len > 0) {
        uint32_t cp;
        unsigned good = tsfs_utf8_decode(s, &cp);
        memcpy(p, good > 0 ? s.ptr : bytes, good > 0 ? good : len);
        p += good > 0 ? good : len;
        s.ptr += good > 0 ? good : 1;
        s.len -= good > 0 ? good : 1;
    }
    r->len = (size_t)(p - r->ptr);
    return 0;
}

ROW_KERNEL(from_utf8, struct tsfs_str)

/* ---- digits and letters ---- */

static int to_hex_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    if (s.len > TSFS_RESULT_VARCHAR_MAX / 2)
        return function_too_long(ctx, row, "to_hex");
    char *p = function_bytes(ctx, 2 * s.len);
    if (p == NULL)
        return -ENOMEM;
    *r = (struct tsfs_str){p, 2 * s.len};
    for (size_t i = 0; i < s.len; i++) {
        *p++ = "0123456789ABCDEF"[(unsigned char)s.ptr[i] >> 4];
        *p++ = "0123456789ABCDEF"[(unsigned char)s.ptr[i] & 15];
    }
    return 0;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

static int from_hex_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    char *p = function_bytes(ctx, s.len / 2);
    if (p == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s.len; i += 2) {
        int high = digit(s.ptr[i]), low = i + 1 < s.len ? digit(s.ptr[i + 1]) : -1;
        if (high < 0 || low < 0)
            return function_fail(ctx, row, "from_hex: '%.*s%s' is not pairs of hexadecimal digits",
                                 FUNCTION_EXCERPT(s));
        p[i / 2] = (char)(high << 4 | low);
    }
    *r = (struct tsfs_str){p, s.len / 2};
    return 0;
}

ROW_KERNEL(to_hex, struct tsfs_str)
ROW_KERNEL(from_hex, struct tsfs_str)

/* Base 64 (RFC 4648), and its alphabet for addresses. */
static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int to_letters(struct tsfs_kernel_ctx *ctx, struct tsfs_str s, uint32_t row, const char *letters,
                      const char *fn, struct tsfs_str *r)
{
    if (s.len > TSFS_RESULT_VARCHAR_MAX / 4 * 3)
        return function_too_long(ctx, row, fn);
    size_t len = (s.len + 2) / 3 * 4;
    char *p = function_bytes(ctx, len);
    if (p == NULL)
        return -ENOMEM;
    *r = (struct tsfs_str){p, len};
    for (size_t i = 0; i < s.len; i += 3) {
        size_t have = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < have ? (unsigned char)s.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *p++ = k <= have ? letters[bits >> (18 - 6 * k) & 63] : '=';
    }
    return 0;
}

/* The padding may be left out, but not in part. */
static int from_letters(struct tsfs_kernel_ctx *ctx, struct tsfs_str s, uint32_t row, const char *letters,
                        const char *fn, struct tsfs_str *r)
{
    struct tsfs_str all = s;
    size_t pads = 0;
    while (s.len > 0 && pads < 2 && s.ptr[s.len - 1] == '=') {
        s.len--;
        pads++;
    }
    bool bad = s.len % 4 == 1 || (pads > 0 && (s.len + pads) % 4 != 0);
    char *p = function_bytes(ctx, s.len / 4 * 3 + 3);
    if (p == NULL)
        return -ENOMEM;
    r->ptr = p;
    uint32_t bits = 0;
    for (size_t i = 0; i < s.len && !bad; i++) {
        const char *at = s.ptr[i] == '\0' ? NULL : strchr(letters, s.ptr[i]);
        bad = at == NULL;
        bits = bits << 6 | (bad ? 0 : (uint32_t)(at - letters));
        if (i % 4 > 0)
            *p++ = (char)(bits >> (6 - 2 * (i % 4)));
    }
    if (bad)
        return function_fail(ctx, row, "%s: '%.*s%s' is not a text in base 64", fn, FUNCTION_EXCERPT(all));
    r->len = (size_t)(p - r->ptr);
    return 0;
}

#define LETTERS(LETTERS)                                                                                     \
    static int to_##LETTERS##_row(ROW_ARGS(struct tsfs_str))                                                 \
    {                                                                                                        \
        return to_letters(ctx, row_str(args, 0, row), row, LETTERS, "to_" #LETTERS, r);                      \
    }                                                                                                        \
    static int from_##LETTERS##_row(ROW_ARGS(struct tsfs_str))                                               \
    {                                                                                                        \
        return from_letters(ctx, row_str(args, 0, row), row, LETTERS, "from_" #LETTERS, r);                  \
    }                                                                                                        \
    ROW_KERNEL(to_##LETTERS, struct tsfs_str)                                                                \
    ROW_KERNEL(from_##LETTERS, struct tsfs_str)

LETTERS(base64)
LETTERS(base64url)

/* ---- numbers ---- */

static void put_big_endian(uint64_t v, unsigned width, char *out)
{
    for (unsigned i = 0; i < width; i++)
        out[i] = (char)(v >> 8 * (width - 1 - i));
}

static int number_row(ROW_ARGS(int64_t), unsigned width)
{
    struct tsfs_str s = row_str(args, 0, row);
    uint64_t v = 0;
    if (s.len != width)
        return function_fail(ctx, row, "from_big_endian_%u: takes %u bytes, not %zu", 8 * width, width,
                             s.len);
    for (unsigned i = 0; i < width; i++)
        v = v << 8 | (unsigned char)s.ptr[i];
    *r = width == 4 ? (int64_t)(int32_t)(uint32_t)v : (int64_t)v;
    return 0;
}

#define BIG_ENDIAN(BITS)                                                                                     \
    static int to_big_endian_##BITS##_row(ROW_ARGS(struct tsfs_str))                                         \
    {                                                                                                        \
        char text[BITS / 8];                                                                                 \
        put_big_endian((uint64_t)row_i64(args, 0, row), BITS / 8, text);                                     \
        return row_put_text(ctx, text, BITS / 8, r);                                                         \
    }                                                                                                        \
    static int from_big_endian_##BITS##_row(ROW_ARGS(int64_t))                                               \
    {                                                                                                        \
        return number_row(ctx, args, nargs, row, r, BITS / 8);                                               \
    }                                                                                                        \
    ROW_KERNEL(to_big_endian_##BITS, struct tsfs_str)                                                        \
    ROW_KERNEL(from_big_endian_##BITS, int64_t)

BIG_ENDIAN(32)
BIG_ENDIAN(64)

/* ---- digests ---- */

#define DIGEST(NAME)                                                                                         \
    static int NAME##_row(ROW_ARGS(struct tsfs_str))                                                         \
    {                                                                                                        \
        unsigned char digest[DIGEST_MAX];                                                                    \
        unsigned len = digest_##NAME(row_str(args, 0, row), digest);                                         \
        return row_put_text(ctx, (const char *)digest, len, r);                                              \
    }                                                                                                        \
    ROW_KERNEL(NAME, struct tsfs_str)

DIGEST(md5)
DIGEST(sha1)
DIGEST(sha256)
DIGEST(sha512)

static int xxhash64_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    char text[8];
    put_big_endian(tsfs_hash_xxh64(s.ptr, s.len), 8, text);
    return row_put_text(ctx, text, 8, r);
}

static int crc32_row(ROW_ARGS(int64_t))
{
    *r = digest_crc32(row_str(args, 0, row));
    return 0;
}

ROW_KERNEL(xxhash64, struct tsfs_str)
ROW_KERNEL(crc32, int64_t)

/* ---- as of texts, but by bytes ---- */

static int length_row(ROW_ARGS(int64_t))
{
    *r = (int64_t)row_str(args, 0, row).len;
    return 0;
}

static int concat_row(ROW_ARGS(struct tsfs_str))
{
    size_t total = 0;
    for (unsigned a = 0; a < nargs && total <= TSFS_RESULT_VARCHAR_MAX; a++)
        total += row_str(args, a, row).len;
    if (total > TSFS_RESULT_VARCHAR_MAX)
        return function_too_long(ctx, row, "concat");
    char *p = function_bytes(ctx, total);
    if (p == NULL)
        return -ENOMEM;
    *r = (struct tsfs_str){p, total};
    for (unsigned a = 0; a < nargs; a++) {
        struct tsfs_str s = row_str(args, a, row);
        if (s.len > 0)
            memcpy(p, s.ptr, s.len);
        p += s.len;
    }
    return 0;
}

static int substr_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    int64_t start = row_i64(args, 1, row), want = nargs > 2 ? row_i64(args, 2, row) : INT64_MAX;
    int64_t have = (int64_t)s.len;
    *r = (struct tsfs_str){"", 0};
    if (start == 0 || want <= 0 || start < -have || start > have)
        return 0;
    start = start < 0 ? start + have : start - 1;
    *r = (struct tsfs_str){s.ptr + start, (size_t)(want < have - start ? want : have - start)};
    return 0;
}

static int reverse_row(ROW_ARGS(struct tsfs_str))
{
    struct tsfs_str s = row_str(args, 0, row);
    char *p = function_bytes(ctx, s.len);
    if (p == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s.len; i++)
        p[i] = s.ptr[s.len - 1 - i];
    *r = (struct tsfs_str){p, s.len};
    return 0;
}

ROW_KERNEL(length, int64_t)
ROW_KERNEL(concat, struct tsfs_str)
ROW_KERNEL(substr, struct tsfs_str)
ROW_KERNEL(reverse, struct tsfs_str)

#define BIN TSFS_VARBINARY
#define SUBSTR_HELP                                                                                          \
    "substr(b, start[, len]): part of the bytes b; start is 1-based, from the end when negative"
#define UTF8_HELP                                                                                            \
    "from_utf8(b[, x]): the text that b is in UTF-8, with the character or code point x (U+FFFD) for what "  \
    "is "                                                                                                    \
    "not"

static const struct tsfs_function items[] = {
    SCALAR("to_utf8", BIN, same, "to_utf8(s): the bytes of s", STR),
    SCALAR("from_utf8", STR, from_utf8, UTF8_HELP, BIN),
    SCALAR("from_utf8", STR, from_utf8, UTF8_HELP, BIN, STR),
    SCALAR("from_utf8", STR, from_utf8, UTF8_HELP, BIN, BIG),
    SCALAR("to_hex", STR, to_hex, "to_hex(b): two hexadecimal digits for each byte", BIN),
    SCALAR("from_hex", BIN, from_hex, "from_hex(s): the bytes that hexadecimal digits mean", STR),
    SCALAR("from_hex", BIN, from_hex, "from_hex(s): the bytes that hexadecimal digits mean", BIN),
    SCALAR("to_base64", STR, to_base64, "to_base64(b): the bytes b in base 64", BIN),
    SCALAR("from_base64", BIN, from_base64, "from_base64(s): the bytes that s is in base 64", STR),
    SCALAR("from_base64", BIN, from_base64, "from_base64(s): the bytes that s is in base 64", BIN),
    SCALAR("to_base64url", STR, to_base64url, "to_base64url(b): with - and _ instead of + and /", BIN),
    SCALAR("from_base64url", BIN, from_base64url, "from_base64url(s): with - and _ instead of + and /", STR),
    SCALAR("from_base64url", BIN, from_base64url, "from_base64url(s): with - and _ instead of + and /", BIN),
    SCALAR("to_big_endian_32", BIN, to_big_endian_32, "to_big_endian_32(n): the 4 bytes of n", INT),
    SCALAR("from_big_endian_32", INT, from_big_endian_32, "from_big_endian_32(b): the number of 4 bytes",
           BIN),
    SCALAR("to_big_endian_64", BIN, to_big_endian_64, "to_big_endian_64(n): the 8 bytes of n", BIG),
    SCALAR("from_big_endian_64", BIG, from_big_endian_64, "from_big_endian_64(b): the number of 8 bytes",
           BIN),
    SCALAR("md5", BIN, md5, "md5(b): MD5 of b, 16 bytes", BIN),
    SCALAR("sha1", BIN, sha1, "sha1(b): SHA-1 of b, 20 bytes", BIN),
    SCALAR("sha256", BIN, sha256, "sha256(b): SHA-256 of b, 32 bytes", BIN),
    SCALAR("sha512", BIN, sha512, "sha512(b): SHA-512 of b, 64 bytes", BIN),
    SCALAR("xxhash64", BIN, xxhash64, "xxhash64(b): xxHash of b, 8 bytes", BIN),
    SCALAR("crc32", BIG, crc32, "crc32(b): CRC-32 of b", BIN),
    SCALAR("length", BIG, length, "length(b): bytes of b", BIN),
    SCALAR_OP("||", TSFS_OP_CONCAT, BIN, concat, "a || b: the bytes a followed by b", BIN, BIN),
    SCALAR_VARIADIC("concat", BIN, concat, "concat(a, b, ...): all bytes, one after another", BIN, BIN),
    SCALAR("substr", BIN, substr, SUBSTR_HELP, BIN, BIG),
    SCALAR("substr", BIN, substr, SUBSTR_HELP, BIN, BIG, BIG),
    SCALAR("reverse", BIN, reverse, "reverse(b): the bytes back to front", BIN),
};

const struct function_table functions_binary = FUNCTION_TABLE(items);
