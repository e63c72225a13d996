/* Random points written as line protocol by a naive writer (random spellings of each value, blanks, comments,
 * line ends) must be parsed back equal, through random cuts of the input and around broken lines put between
 * them. Catches a scan that misses a delimiter at some alignment, an escape read wrongly, a prediction of
 * names that takes a wrong one, state carried over from a bad line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "ingest/line_protocol.h"

#define MOST_POINTS 40
#define MOST_FIELDS 24
#define MOST_TAGS   6
#define ROUNDS      6000

static uint64_t state_word = 42;

static uint32_t below(uint32_t n)
{
    state_word = state_word * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((state_word >> 33) % n);
}

struct point {
    struct tsfs_str measurement; /* ptr NULL: left out */
    struct tsfs_str tag_keys[MOST_TAGS], tag_values[MOST_TAGS];
    struct tsfs_lp_field fields[MOST_FIELDS];
    unsigned ntags, nfields;
    bool has_time;
    int64_t time;
};

/* Any text; names: no control characters, and no backslash last, which could not be written. */
static struct tsfs_str text(struct tsfs_arena *arena, unsigned max, bool name)
{
    static const char specials[] = ",= \\\"'#\\,= ntr-:;/0";
    char out[400];
    unsigned n = 0, want = below(10) == 0 ? below(max) : below(9);
    want += name;
    while (n < want) {
        uint32_t cp;
        switch (below(6)) {
        case 0: cp = (unsigned char)specials[below(sizeof(specials) - 1)]; break;
        case 1: cp = name ? 0xe4 : (uint32_t)(unsigned char)"\n\r\t\n\x01\x7f"[below(6)]; break;
        case 2: cp = below(2) ? 0x20ac : 0x1f4c8; break;
        default: cp = 'a' + below(26); break;
        }
        n += tsfs_utf8_encode(cp, out + n);
    }
    if (name && out[n - 1] == '\\')
        out[n - 1] = 'z';
    struct tsfs_str s = tsfs_arena_str(arena, (struct tsfs_str){out, n});
    assert_non_null(s.ptr);
    return s;
}

static void put(struct tsfs_buf *out, const char *s, size_t n)
{
    assert_int_equal(tsfs_buf_append(out, s, n), 0);
}

static void put_text(struct tsfs_buf *out, const char *s)
{
    put(out, s, strlen(s));
}

static void put_name(struct tsfs_buf *out, struct tsfs_str s, bool first)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ',' || s.ptr[i] == '=' || s.ptr[i] == ' ')
            put(out, "\\", 1);
        put(out, s.ptr + i, 1);
    }
}

static void put_string(struct tsfs_buf *out, struct tsfs_str s)
{
    put(out, "\"", 1);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"' || c == '\\')
            put(out, "\\", 1);
        if ((c == '\n' || c == '\t' || c == '\r') && below(2))
            put_text(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else
            put(out, &c, 1);
    }
    put(out, "\"", 1);
}

static void put_value(struct tsfs_buf *out, const struct tsfs_lp_field *f)
{
    static const char *const yes[] = {"t", "T", "true", "True", "TRUE"};
    static const char *const no[] = {"f", "F", "false", "False", "FALSE"};
    static const char *const formats[] = {"%.17g", "%.17e", "%.17E", "%.25g"};
    int rc = 0;
    switch (f->type) {
    case TSFS_BOOLEAN: put_text(out, (f->b ? yes : no)[below(5)]); break;
    case TSFS_BIGINT:
        rc = f->i >= 0 && below(3) == 0
                 ? tsfs_buf_printf(out, "%" PRId64 "u", f->i)
                 : tsfs_buf_printf(out, "%s%" PRId64 "i", f->i >= 0 && below(5) == 0 ? "+" : "", f->i);
        break;
    case TSFS_DOUBLE: {
        char number[64];
        switch (below(6)) {
        case 0: snprintf(number, sizeof(number), "%.17f", f->d); break;
        case 1: snprintf(number, sizeof(number), "%g", f->d); break;
        default: number[0] = '\0'; break;
        }
        if (number[0] == '\0' || strtod(number, NULL) != f->d) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(number, sizeof(number), formats[below(4)], f->d);
#pragma GCC diagnostic pop
        }
        put_text(out, number);
        break;
    }
    default: put_string(out, f->s); break;
    }
    assert_int_equal(rc, 0);
}

static void put_blanks(struct tsfs_buf *out, unsigned least)
{
    static const char blanks[] = "       ";
    put(out, blanks, least + (below(6) == 0 ? below(5) : 0));
}

static void put_point(struct tsfs_buf *out, const struct point *pt)
{
    size_t start = out->len;
    put_blanks(out, 0);
    if (pt->measurement.ptr != NULL)
        put_name(out, pt->measurement, true);
    for (unsigned i = 0; i < pt->ntags; i++) {
        put(out, ",", 1);
        put_name(out, pt->tag_keys[i], false);
        put(out, "=", 1);
        put_name(out, pt->tag_values[i], false);
    }
    if (pt->measurement.ptr != NULL || pt->ntags > 0)
        put_blanks(out, 1);
    for (unsigned i = 0; i < pt->nfields; i++) {
        put(out, ",", i > 0);
        put_name(out, pt->fields[i].name, false);
        put(out, "=", 1);
        put_value(out, &pt->fields[i]);
    }
    if (pt->has_time) {
        put_blanks(out, 1);
        assert_int_equal(tsfs_buf_printf(out, "%" PRId64, pt->time), 0);
    }
    put_blanks(out, 0);
    put_text(out, below(8) == 0 ? "\r\n" : "\n");
    assert_true(out->len > start);
}

static void put_noise(struct tsfs_buf *out)
{
    static const char *const noise[] = {"\n", "   \n", "# m,t=v f=1 5\n", "  #\"\r\n", "\t\r\n"};
    if (below(6) == 0)
        put_text(out, noise[below(5)]);
}

static unsigned put_bad(struct tsfs_buf *out)
{
    static const char *const bad[] = {"m f=1x 5\n",
                                      "m\n",
                                      "m f=1 x\n",
                                      "m,t=v f\n",
                                      "m f=\"a\"b,g=\"c\nd\" 5\n",
                                      "m a=1,b=1,=\n",
                                      "m f=1i1 5\n",
                                      "m f=x,s=\"\nm f=1\n\"\n",
                                      "m f=1 5 6\n"};
    if (below(6) != 0)
        return 0;
    put_text(out, bad[below(9)]);
    return 1;
}

/* The key of another point, or nearly. */
static void take_key(struct tsfs_arena *arena, struct point *pt, const struct point *other)
{
    pt->measurement = other->measurement;
    pt->ntags = other->ntags;
    memcpy(pt->tag_keys, other->tag_keys, sizeof(pt->tag_keys));
    memcpy(pt->tag_values, other->tag_values, sizeof(pt->tag_values));
    if (pt->ntags == 0 || below(5) != 0)
        return;
    struct tsfs_str *last = &pt->tag_values[pt->ntags - 1];
    struct tsfs_buf longer = {0};
    assert_int_equal(tsfs_buf_append_str(&longer, *last), 0);
    assert_int_equal(tsfs_buf_append_str(&longer, text(arena, 4, true)), 0);
    *last = tsfs_arena_str(arena, tsfs_buf_str(&longer));
    tsfs_buf_free(&longer);
}

/* again: whose key it may have, or NULL. */
static void make_point(struct tsfs_arena *arena, struct point *pt, const struct point *before,
                       const struct point *again)
{
    *pt = (struct point){0};
    if (below(8) != 0) {
        pt->measurement = before != NULL && before->measurement.ptr != NULL && below(2)
                              ? before->measurement
                              : text(arena, 40, true);
        if (pt->measurement.ptr[0] == '#')
            pt->measurement = TSFS_STR("m#");
    }
    pt->ntags = below(MOST_TAGS + 1);
    for (unsigned i = 0; i < pt->ntags; i++) {
        do {
            pt->tag_keys[i] = text(arena, 40, true);
            for (unsigned k = 0; k < i; k++)
                if (tsfs_str_eq(pt->tag_keys[k], pt->tag_keys[i]))
                    pt->tag_keys[i].len = 0;
        } while (pt->tag_keys[i].len == 0);
        pt->tag_values[i] = text(arena, 200, true);
    }
    if (again != NULL && below(8) != 0)
        take_key(arena, pt, again);
    pt->nfields = 1 + below(below(4) == 0 ? MOST_FIELDS : 4);
    bool like_before = before != NULL && below(3) != 0;
    if (like_before && below(2))
        pt->nfields = before->nfields;
    for (unsigned i = 0; i < pt->nfields; i++) {
        struct tsfs_lp_field *f = &pt->fields[i];
        if (like_before && i < before->nfields && below(20) != 0)
            f->name = before->fields[i].name;
        else
            f->name = text(arena, 40, true);
        if (i == 0 && pt->measurement.ptr == NULL && pt->ntags == 0 && f->name.ptr[0] == '#')
            f->name = TSFS_STR("f#");
        for (unsigned k = 0; k < i; k++)
            if (tsfs_str_eq(pt->fields[k].name, f->name))
                pt->nfields = i; /* enough */
        if (pt->nfields == i)
            break;
        uint64_t any = ((uint64_t)below(UINT32_MAX) << 32 | below(UINT32_MAX)) >> below(64);
        switch (below(6)) {
        case 0:
            f->type = TSFS_BOOLEAN;
            f->b = below(2);
            break;
        case 1:
            f->type = TSFS_VARCHAR;
            f->s = text(arena, 300, false);
            break;
        case 2:
            f->type = TSFS_BIGINT;
            f->i = below(2) ? (int64_t)any : -(int64_t)(any >> 1) - 1;
            break;
        default:
            f->type = TSFS_DOUBLE;
            f->d = (double)(int64_t)any / (double)(1 + below(1000));
            if (below(2))
                f->d = (double)(int32_t)below(20000) / 100 - 100;
            break;
        }
    }
    pt->has_time = below(5) != 0;
    if (pt->has_time) {
        uint64_t any = ((uint64_t)below(UINT32_MAX) << 32 | below(UINT32_MAX)) >> below(64);
        pt->time = below(3) ? (int64_t)(any >> 1) : -(int64_t)(any >> 1);
    }
}

static void expect_equal(const struct tsfs_lp_batch *b, const struct tsfs_lp_point *got,
                         const struct point *want)
{
    struct tsfs_arena arena;
    struct tsfs_str measurement;
    struct tsfs_lp_tag *tags;
    unsigned ntags;
    struct tsfs_error err = {0};
    tsfs_arena_init(&arena, NULL);
    if (tsfs_lp_parse_key(got->key, &arena, &measurement, &tags, &ntags, &err) != 0)
        fail_msg("key %.*s: %s", (int)got->key.len, got->key.ptr, err.message);
    assert_int_equal(measurement.ptr == NULL, want->measurement.ptr == NULL);
    assert_true(tsfs_str_eq(measurement, want->measurement));
    assert_int_equal(ntags, want->ntags);
    for (unsigned i = 0; i < ntags; i++) {
        assert_true(tsfs_str_eq(tags[i].key, want->tag_keys[i]));
        assert_true(tsfs_str_eq(tags[i].value, want->tag_values[i]));
    }
    assert_int_equal(got->nfields, want->nfields);
    for (unsigned i = 0; i < want->nfields; i++) {
        const struct tsfs_lp_field *f = &b->fields[got->first_field + i], *w = &want->fields[i];
        assert_true(tsfs_str_eq(f->name, w->name));
        assert_int_equal(f->type, w->type);
        switch (f->type) {
        case TSFS_BOOLEAN: assert_int_equal(f->b, w->b); break;
        case TSFS_BIGINT: assert_true(f->i == w->i); break;
        case TSFS_DOUBLE: assert_memory_equal(&f->d, &w->d, sizeof(f->d)); break;
        default: assert_true(tsfs_str_eq(f->s, w->s)); break;
        }
    }
    assert_int_equal(got->has_time, want->has_time);
    assert_true(got->time == want->time);
    assert_true(got->layout < b->nlayouts);
    assert_int_equal(got->same_names, got > b->points && got[-1].layout == got->layout);
    assert_int_equal(got->key_hash, tsfs_hash(got->key.ptr, got->key.len));
    if (got->same_key != TSFS_LP_NONE) {
        assert_true(got->same_key < (size_t)(got - b->points));
        assert_true(tsfs_str_eq(b->points[got->same_key].key, got->key));
    }
    for (const struct tsfs_lp_point *like = b->points; like < got; like++) {
        if (like->layout != got->layout)
            continue;
        assert_int_equal(like->nfields, got->nfields);
        for (unsigned i = 0; i < got->nfields; i++)
            assert_true(
                tsfs_str_eq(b->fields[like->first_field + i].name, b->fields[got->first_field + i].name));
    }
    tsfs_arena_free(&arena);
}

static void points_come_back(void **state)
{
    struct tsfs_arena arena;
    struct tsfs_buf out = {0};
    struct tsfs_lp_batch b;
    static struct point points[MOST_POINTS];
    tsfs_arena_init(&arena, NULL);
    tsfs_lp_batch_init(&b, NULL);
    size_t same = 0, bad = 0, again = 0;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned n = 1 + below(MOST_POINTS), wrong = 0, seen = 0, refused = 0;
        unsigned turn = 1 + below(2 * MOST_POINTS); /* series come in turns of so many points */
        tsfs_arena_reset(&arena);
        out.len = 0;
        for (unsigned i = 0; i < n; i++) {
            put_noise(&out);
            wrong += put_bad(&out);
            make_point(&arena, &points[i], i > 0 ? &points[i - 1] : NULL,
                       i >= turn ? &points[i - turn] : NULL);
            put_point(&out, &points[i]);
        }
        size_t at = 0, have = below(2) ? out.len : below((uint32_t)out.len + 1);
        size_t line_ends = 0, newlines = 0;
        while (at < out.len) {
            char *piece = malloc(have - at + 1);
            assert_non_null(piece);
            memcpy(piece, out.data + at, have - at);
            struct tsfs_error err = {0};
            size_t used;
            int rc = tsfs_lp_parse(&b, piece, have - at, below(3) ? 0 : 1 + below(4), false, &used, &err);
            for (size_t i = 0; i < b.npoints; i++) {
                if (seen == n)
                    fail_msg("more points than written");
                same += b.points[i].same_names;
                again += b.points[i].same_key != TSFS_LP_NONE;
                expect_equal(&b, &b.points[i], &points[seen++]);
            }
            line_ends += b.lines + (rc != 0 ? b.bad_lines : 0);
            if (rc != 0) {
                used += b.bad_length;
                refused++;
            }
            at += used;
            free(piece);
            if (used == 0) {
                assert_true(have < out.len);
                have += 1 + below((uint32_t)(out.len - have));
            }
        }
        assert_int_equal(seen, n);
        /* A line that is bad before its string over two lines is one; bad behind it, its rest is bad as well.
         */
        assert_true(refused >= wrong && refused <= 3 * wrong);
        bad += refused;
        for (size_t i = 0; i < out.len; i++)
            newlines += out.data[i] == '\n';
        assert_int_equal(line_ends, newlines);
    }
    assert_true(same > 1000 && bad > 1000 && again > 1000); /* all paths were taken */
    tsfs_lp_batch_free(&b);
    tsfs_buf_free(&out);
    tsfs_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(points_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
