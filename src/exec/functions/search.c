/* Strings: finding, splitting and comparing.  Positions count code points from 1. */
#include "base/utf8.h"
#include "exec/functions/rows.h"

/* levenshtein_distance costs the product of the lengths. */
#define LEVENSHTEIN_MAX 1000000u

/* The byte offset of the nth occurrence (occurrences may overlap), counted from the end if `back`, SIZE_MAX
 * if there is none.  Where s and what repeat themselves this takes the product of their lengths: 0 or an
 * error. */
static int find(struct tsfs_kernel_ctx *ctx, struct tsfs_str s, struct tsfs_str what, int64_t nth, bool back,
                size_t *out)
{
    int rc = 0;
    *out = SIZE_MAX;
    if (what.len > s.len)
        return 0;
    size_t last = s.len - what.len;
    for (size_t i = 0; i <= last && rc == 0; i++) {
        const char *hit = s.ptr + last - i;
        if (back) {
            hit = memcmp(hit, what.ptr, what.len) == 0 ? hit : NULL;
        } else {
            hit = memmem(s.ptr + i, s.len - i, what.ptr, what.len);
            if (hit == NULL)
                return 0;
            i = (size_t)(hit - s.ptr);
        }
        if (hit != NULL && --nth == 0) {
            *out = (size_t)(hit - s.ptr);
            return 0;
        }
        rc = tsfs_kernel_work(ctx, what.len);
    }
    return rc;
}

static int position_row(ROW_ARGS(int64_t), bool back, const char *fn)
{
    struct tsfs_str s = row_str(args, 0, row), what = row_str(args, 1, row);
    int64_t nth = nargs > 2 ? row_i64(args, 2, row) : 1;
    if (nth == 0 || nth == INT64_MIN || (nth < 0 && back))
        return function_fail(ctx, row, "%s: the instance must be %s number, not %lld", fn,
                             back ? "a positive" : "a positive or a negative", (long long)nth);
    if (what.len == 0) {
        *r = back ? (int64_t)tsfs_utf8_length(s) + 1 : 1;
        return 0;
    }
    if (nth < 0) {
        nth = -nth;
        back = true;
    }
    size_t at;
    int rc = find(ctx, s, what, nth, back, &at);
    *r = at == SIZE_MAX ? 0 : (int64_t)tsfs_utf8_length((struct tsfs_str){s.ptr, at}) + 1;
    return rc;
}

static int strpos_row(ROW_ARGS(int64_t))
{
    return position_row(ctx, args, nargs, row, r, false, "strpos");
}

static int strrpos_row(ROW_ARGS(int64_t))
{
    return position_row(ctx, args, nargs, row, r, true, "strrpos");
}

static int starts_with_row(ROW_ARGS(uint8_t))
{
    struct tsfs_str s = row_str(args, 0, row), what = row_str(args, 1, row);
    *r = s.len >= what.len && (what.len == 0 || memcmp(s.ptr, what.ptr, what.len) == 0);
    return 0;
}

static int ends_with_row(ROW_ARGS(uint8_t))
{
    struct tsfs_str s = row_str(args, 0, row), what = row_str(args, 1, row);
    *r = s.len >= what.len && (what.len == 0 || memcmp(s.ptr + s.len - what.len, what.ptr, what.len) == 0);
    return 0;
}

ROW_KERNEL(strpos, int64_t)
ROW_KERNEL(strrpos, int64_t)
ROW_KERNEL(starts_with, uint8_t)
ROW_KERNEL(ends_with, uint8_t)

/* Part number `index` of s, 1-based; false beyond the last.  An empty delimiter cuts between all characters,
 * and then an empty text has no parts. */
static bool part(struct tsfs_str s, struct tsfs_str by, int64_t index, struct tsfs_str *r)
{
    while (by.len == 0) {
        uint32_t cp;
        if (s.len == 0)
            return false;
        unsigned len = tsfs_utf8_decode(s, &cp);
        len = len == 0 ? 1 : len;
        if (--index == 0) {
            *r = (struct tsfs_str){s.ptr, len};
            return true;
        }
        s.ptr += len;
        s.len -= len;
    }
    for (;;) {
        const char *hit = memmem(s.ptr, s.len, by.ptr, by.len);
        if (--index == 0) {
            *r = (struct tsfs_str){s.ptr, hit != NULL ? (size_t)(hit - s.ptr) : s.len};
            return true;
        }
        if (hit == NULL)
            return false;
        hit += by.len;
        s.len -= (size_t)(hit - s.ptr);
        s.ptr = hit;
    }
}

static int split_part(KERNEL_ARGS)
{
    struct tsfs_str *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    uint64_t *own = NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        int64_t index = row_i64(args, 2, i);
        int rc = 0;
        if (index <= 0) {
            rc = function_fail(ctx, i, "split_part: the index must be positive, not %lld", (long long)index);
        } else if (!part(row_str(args, 0, i), row_str(args, 1, i), index, &r[i])) {
            if (own == NULL && (own = function_own_valid(ctx, n, valid, out)) == NULL)
                return -ENOMEM;
            tsfs_bit_clear(own, i);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The next code point of *s; bytes that are not UTF-8 count one each. */
static uint32_t next(struct tsfs_str *s)
{
    uint32_t cp = (unsigned char)*s->ptr;
    unsigned len = tsfs_utf8_decode(*s, &cp);
    len = len == 0 ? 1 : len;
    s->ptr += len;
    s->len -= len;
    return cp;
}

static int hamming_distance_row(ROW_ARGS(int64_t))
{
    struct tsfs_str a = row_str(args, 0, row), b = row_str(args, 1, row);
    while (a.len > 0 && b.len > 0)
        *r += next(&a) != next(&b);
    if (a.len == 0 && b.len == 0)
        return 0;
    *r = 0;
    return function_fail(ctx, row, "hamming_distance: the strings must be of the same length");
}

ROW_KERNEL(hamming_distance, int64_t)

/* The distance by two rows of the matrix of prefixes (Wagner, Fischer 1974).  0 or -ENOMEM. */
static int levenshtein(struct tsfs_kernel_ctx *ctx, struct tsfs_str a, struct tsfs_str b, size_t blen,
                       int64_t *r)
{
    uint32_t *cps = (uint32_t *)(void *)function_bytes(ctx, (2 * blen + 1) * sizeof(*cps));
    if (cps == NULL)
        return -ENOMEM;
    uint32_t *row = cps + blen;
    for (size_t j = 0; j < blen; j++)
        cps[j] = next(&b);
    for (size_t j = 0; j <= blen; j++)
        row[j] = (uint32_t)j;
    for (uint32_t i = 1; a.len > 0; i++) {
        uint32_t cp = next(&a), diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            uint32_t change = diagonal + (cp != cps[j - 1]);
            diagonal = row[j];
            uint32_t best = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < best ? change : best;
        }
    }
    *r = row[blen];
    return 0;
}

static int levenshtein_distance_row(ROW_ARGS(int64_t))
{
    struct tsfs_str a = row_str(args, 0, row), b = row_str(args, 1, row), rest = b;
    size_t points = 0, product;
    for (; rest.len > 0; points++)
        next(&rest);
    if (__builtin_mul_overflow(a.len, points, &product) || product > LEVENSHTEIN_MAX)
        return function_fail(ctx, row, "levenshtein_distance: the strings are too long (%zu and %zu bytes)",
                             a.len, b.len);
    int rc = tsfs_kernel_work(ctx, product);
    return rc != 0 ? rc : levenshtein(ctx, a, b, points, r);
}

ROW_KERNEL(levenshtein_distance, int64_t)

static const struct tsfs_function items[] = {
    SCALAR("strpos", BIG, strpos, "strpos(s, x): position of x in s, 0 if it is not there", STR, STR),
    SCALAR("strpos", BIG, strpos, "strpos(s, x, k): position of the k-th x, from the end if negative", STR,
           STR, BIG),
    SCALAR("strrpos", BIG, strrpos, "strrpos(s, x): position of the last x in s, 0 if it is not there", STR,
           STR),
    SCALAR("strrpos", BIG, strrpos, "strrpos(s, x, k): position of the k-th x from the end", STR, STR, BIG),
    SCALAR("starts_with", BOOL, starts_with, "starts_with(s, x): whether s begins with x", STR, STR),
    SCALAR("ends_with", BOOL, ends_with, "ends_with(s, x): whether s ends in x", STR, STR),
    SCALAR("split_part", STR, split_part,
           "split_part(s, d, k): the k-th part between delimiters; NULL beyond", STR, STR, BIG),
    SCALAR("hamming_distance", BIG, hamming_distance, "hamming_distance(a, b): positions that differ", STR,
           STR),
    SCALAR("levenshtein_distance", BIG, levenshtein_distance,
           "levenshtein_distance(a, b): single-character edits from a to b", STR, STR),
};

const struct function_table functions_search = FUNCTION_TABLE(items);
