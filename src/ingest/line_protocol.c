/* How a line is read
 *
 * The input is looked at once for its last newline.  Up to there every token but a quoted string ends at a
 * newline at the latest, so the loops need no other bound; behind it is an incomplete line, which is left
 * alone.  A string may run over newlines, and over the last one: then its line is incomplete.
 *
 * The key is skipped 32 bytes a step to the first blank that no backslash precedes, and hashed.  Its first
 * special character tells a key from a field set without one: in "f=1,g=2" it is an equals sign, in "m,t=v" a
 * comma.  Sources tend to send their series in the same order every time, so a line's key is first compared
 * with the key behind the last one that was the same as that of the line before: what is equal, with the
 * blank behind it, ends where that ended and has its hash.
 *
 * Lines of one measurement tend to have the same fields, so each field's name is first compared with the
 * name in the same place of the last point whose measurement began alike (or of the point before).  If it is
 * equal (and an equals sign follows), it needs no scan, no validation and no search for duplicates, and when
 * that holds for the whole line the point gets that point's layout number, which saves the caller his
 * lookups, too.  A name spelled with escapes is never used this way.
 *
 * Numbers: eight digits a step by multiplication.  An integer of up to fifteen digits, and a decimal of up to
 * nineteen, is finished on the spot (by one division if its digits fit 53 bits, else by tsfs_num_scale); all
 * else (exponents, longer numbers, wrong ones) goes the slow way, through tsfs_num_parse_*.
 *
 * Resynchronisation: what follows a bad line begins at the next newline that is not inside a well-formed
 * string. A string that never closes must not swallow the lines behind it, so then the first newline counts.
 */
#include "ingest/line_protocol.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/utf8.h"
#include "ingest/lp_priv.h"
#include "ingest/lp_scan.h"

#define DIGITS_MAX    19                  /* always fit 64 bits */
#define EXACT_INTEGER (UINT64_C(1) << 53) /* every integer up to here is a double */
#define EXPECTED_ROOM 32                  /* behind a name: what read_expected looks at */

/* clang-format off */
static const uint64_t whole_powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
    10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
    100000000000000000, 1000000000000000000};
static const double double_powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
    1e14, 1e15};
/* clang-format on */

void tsfs_lp_batch_init(struct tsfs_lp_batch *batch, struct tsfs_budget *budget)
{
    *batch = (struct tsfs_lp_batch){0};
    tsfs_arena_init(&batch->arena, budget);
}

void tsfs_lp_batch_free(struct tsfs_lp_batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->points);
    free(batch->fields);
    free(batch->scratch);
    tsfs_arena_free(&batch->arena);
    *batch = (struct tsfs_lp_batch){0};
}

static __attribute__((noinline)) int grow_fields(struct tsfs_lp_batch *batch)
{
    return TSFS_ARRAY_ROOM(batch->fields, batch->fields_cap, batch->fields_cap, 1024);
}

static __attribute__((noinline)) int grow_points(struct tsfs_lp_batch *batch)
{
    return TSFS_ARRAY_ROOM(batch->points, batch->points_cap, batch->points_cap, 128);
}

/* The common numbers; NULL: let lp_read_value see to it.  Returns the end of the value. */
static inline const char *fast_number(const struct lp_parser *ps, const char *p, struct tsfs_lp_field *f)
{
    const char *limit = ps->limit;
    bool negative = *p == '-';
    uint64_t v, more;
    p += negative;
    unsigned n = lp_digits(p, limit, &v);
    if (n == 0)
        return NULL;
    p += n;
    if (n == 8) {
        unsigned again = lp_digits(p, limit, &more);
        if (again == 8)
            return NULL;
        v = v * whole_powers[again] + more;
        p += again;
        n += again;
    }
    if (*p == 'i') {
        f->type = TSFS_BIGINT;
        f->i = negative ? -(int64_t)v : (int64_t)v;
        p++;
    } else {
        double d = (double)v;
        if (*p == '.') {
            uint64_t fraction;
            p++;
            unsigned behind = lp_digits(p, limit, &fraction);
            p += behind;
            for (unsigned again = behind; again == 8;) {
                again = lp_digits(p, limit, &more);
                p += again;
                behind += again;
                if (n + behind > DIGITS_MAX)
                    return NULL;
                fraction = fraction * whole_powers[again] + more;
            }
            if (n + behind > DIGITS_MAX)
                return NULL;
            v = v * whole_powers[behind] + fraction;
            d = v <= EXACT_INTEGER && behind < 16 ? (double)v / double_powers[behind]
                                                  : tsfs_num_scale(v, -(int)behind);
        }
        f->type = TSFS_DOUBLE;
        f->d = negative ? -d : d;
    }
    return lp_ends_value(*p) ? p : NULL;
}

/* Whether text (with 16 readable bytes behind it if wide) begins with name. */
static inline bool begins_with(const char *text, struct tsfs_str name, bool wide)
{
#ifdef __SSE2__
    if (name.len <= 16 && wide) {
        unsigned equal = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(lp_load16(text), lp_load16(name.ptr)));
        return (~equal & ((1u << name.len) - 1)) == 0;
    }
#endif
    return memcmp(text, name.ptr, name.len) == 0;
}

/* Fields from p on as long as they have the names of like, in their order, and short numbers, and the end of
 * the input is not near: most of all there are.  Returns where it came to, *n fields further; *last: the
 * value of the last one taken ends the field set. */
static inline const char *read_expected(struct lp_parser *ps, const char *p, const struct lp_layout *like,
                                        uint32_t *n, bool *last)
{
    struct tsfs_lp_batch *batch = ps->batch;
    *n = 0;
    *last = false;
    if (like->nfields == 0 || batch->fields_cap - batch->nfields < like->nfields)
        return p;
    const struct tsfs_lp_field *expected = batch->fields + like->first;
    struct tsfs_lp_field *f = batch->fields + batch->nfields;
    uint32_t k = 0;
    for (; k < like->nfields; k++, f++) {
        struct tsfs_str name = expected[k].name;
        if (ps->limit - p < (ptrdiff_t)name.len + EXPECTED_ROOM)
            break;
        if (p[name.len] != '=' || !begins_with(p, name, true))
            break;
        const char *q = p + name.len + 1;
        uint64_t v;
        bool negative = false;
        /* Where the next field begins hangs on where this one's digits end, and that should hang on nothing
         * that a guess of the processor can do without: the sign is a branch. */
        if (__builtin_expect_with_probability(*q == '-', 1, 0.1)) {
            negative = true;
            q++;
            __asm__("" : "+r"(q));
        }
        unsigned digits = lp_digits_inside(q, &v);
        if (digits - 1 >= 7) /* none, or perhaps more than eight */
            break;
        q += digits;
        if (*q == 'i') {
            f->type = TSFS_BIGINT;
            f->i = negative ? -(int64_t)v : (int64_t)v;
            q++;
        } else {
            double d = (double)v;
            if (*q == '.') {
                uint64_t fraction;
                unsigned behind = lp_digits_inside(++q, &fraction);
                if (behind == 8)
                    break;
                q += behind;
                d = (double)(v * whole_powers[behind] + fraction) / double_powers[behind];
            }
            f->type = TSFS_DOUBLE;
            f->d = negative ? -d : d;
        }
        if (!lp_ends_value(*q))
            break;
        f->name = (struct tsfs_str){p, name.len};
        p = q;
        if (*p != ',') {
            k++;
            *last = true;
            break;
        }
        p++;
    }
    *n = k;
    batch->nfields += k;
    return p;
}

/* The field set at *pp, up to the blank or line end behind it; *same: its names are those of like. */
static inline int read_fields(struct lp_parser *ps, const char **pp, const struct lp_layout *like, bool *same)
{
    struct tsfs_lp_batch *batch = ps->batch;
    const char *p = *pp;
    size_t first = batch->nfields;
    uint32_t taken;
    bool all = like->nfields > 0, last;
    p = read_expected(ps, p, like, &taken, &last);
    uint32_t expected = like->first + taken, left = like->nfields - taken;
    while (!last) {
        int rc;
        if (batch->nfields == batch->fields_cap) {
            rc = grow_fields(batch);
            if (rc != 0)
                return lp_fail(ps, p, rc, "out of memory for the lines of a write");
        }
        struct tsfs_lp_field *f = &batch->fields[batch->nfields];
        bool known = false;
        if (left > 0) {
            struct tsfs_str name = batch->fields[expected].name;
            ptrdiff_t room = ps->limit - p;
            known = (size_t)room > name.len && p[name.len] == '=' && begins_with(p, name, room >= 16);
            if (known) {
                f->name = (struct tsfs_str){p, name.len};
                p += name.len + 1;
                expected++;
                left--;
            }
        }
        if (!known) {
            all = false;
            left = 0;
            if (batch->nfields - first >= TSFS_COLUMNS_MAX)
                return lp_fail(ps, p, -E2BIG, "more than %d fields", TSFS_COLUMNS_MAX);
            rc = lp_read_name(ps, &p, &f->name);
            if (rc != 0)
                return rc;
        }
        const char *value_end;
        if (*p == '"') {
            p++;
            rc = lp_read_string(ps, &p, f);
            if (rc != 0)
                return rc;
        } else if ((value_end = fast_number(ps, p, f)) != NULL) {
            p = value_end;
        } else {
            rc = lp_read_value(ps, &p, f);
            if (rc != 0)
                return rc;
        }
        batch->nfields++;
        if (*p != ',')
            break;
        p++;
    }
    *pp = p;
    *same = all && left == 0;
    return 0;
}

/* [-]digits at *pp. */
static inline int read_time(struct lp_parser *ps, const char **pp, int64_t *time)
{
    const char *start = *pp, *p = start, *limit = ps->limit;
    bool negative = *p == '-';
    uint64_t v, more;
    p += negative;
    const char *digits = p;
    unsigned n = lp_digits(p, limit, &v);
    p += n;
    if (n == 8) {
        n = lp_digits(p, limit, &more);
        v = v * whole_powers[n] + more;
        p += n;
        if (n == 8) {
            n = lp_digits(p, limit, &more);
            if (n <= 3) { /* 19 digits fit 64 bits without a sign */
                v = v * whole_powers[n] + more;
                p += n;
            }
        }
    }
    if (p != digits && lp_ends_value(*p) && *p != ',' && v <= (uint64_t)INT64_MAX + negative) {
        *time = (int64_t)(negative ? 0 - v : v);
        *pp = p;
        return 0;
    }
    for (p = start; *p != ' ' && *p != '\t' && !lp_is_line_end(p);)
        p++;
    struct tsfs_str s = {start, (size_t)(p - start)};
    char text[LP_QUOTE_MAX];
    int rc = *start == '+' ? -EINVAL : tsfs_num_parse_i64(s, time);
    if (rc == -ERANGE)
        return lp_fail(ps, start, -EINVAL, "the timestamp %s is beyond the range of a 64-bit integer",
                       lp_quote(s, text));
    if (rc != 0)
        return lp_fail(ps, start, -EINVAL, "\"%s\" is not a timestamp", lp_quote(s, text));
    *pp = p;
    return 0;
}

/* The end of the key at p: an unescaped blank, or the newline; p itself for a field set alone. */
static inline const char *key_end(const char *p, const char *end)
{
    const char *start = p;
    for (;;) {
        p = lp_scan_head(p, end);
        if (*p == ',')
            break;
        if (*p == '=')
            return start;
        if (*p != '\\')
            return p;
        p += p[1] == ',' || p[1] == '=' || p[1] == ' ' ? 2 : 1;
    }
    for (;;) {
        p = lp_scan_tail(p, end);
        if (*p != '\\')
            return p;
        p += p[1] == ' ' ? 2 : 1;
    }
}

/* Whether the line at p has the key of the point before which ps->next_key is: its bytes, and then the blank
 * that ended it there. */
static inline bool is_next_key(const struct lp_parser *ps, const char *p)
{
    const struct tsfs_lp_batch *batch = ps->batch;
    if (ps->next_key >= batch->npoints)
        return false;
    struct tsfs_str key = batch->points[ps->next_key].key;
    if (ps->limit - p <= (ptrdiff_t)key.len || p[key.len] != ' ' || key.len == 0)
        return false;
#ifdef __SSE2__
    if (key.len >= 16) {
        const char *a = p, *b = key.ptr, *end = p + key.len - 16;
        for (; a < end; a += 16, b += 16)
            if (_mm_movemask_epi8(_mm_cmpeq_epi8(lp_load16(a), lp_load16(b))) != 0xffff)
                return false;
        b = key.ptr + key.len - 16;
        return _mm_movemask_epi8(_mm_cmpeq_epi8(lp_load16(end), lp_load16(b))) == 0xffff;
    }
#endif
    return memcmp(p, key.ptr, key.len) == 0;
}

/* The hash of a key that was not foreseen, and where to look for the next one. */
static inline void note_key(struct lp_parser *ps, struct tsfs_lp_point *point)
{
    struct tsfs_lp_batch *batch = ps->batch;
    uint64_t hash = tsfs_hash(point->key.ptr, point->key.len);
    uint32_t *slot = &batch->keys[hash & (TSFS_LP_KEYS - 1)], before = *slot;
    point->key_hash = hash;
    point->same_key = TSFS_LP_NONE;
    if (before < batch->npoints && batch->points[before].key_hash == hash &&
        tsfs_str_eq(batch->points[before].key, point->key)) {
        point->same_key = before;
        ps->next_key = (size_t)before + 1;
    } else {
        *slot = (uint32_t)batch->npoints;
        ps->next_key = SIZE_MAX;
    }
}

/* Where the layout of this measurement is kept, as far as its first eight bytes tell it from others. */
static inline struct lp_layout *layout_slot(struct lp_parser *ps, const char *key, const char *fields)
{
    ptrdiff_t n = fields - key;
    uint64_t start = lp_load8(key, ps->limit);
    uint64_t x =
        start ^ UINT64_C(0x2c2c2c2c2c2c2c2c); /* the lowest byte that becomes zero is the first comma */
    uint64_t commas = (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
    if (commas != 0 && n > __builtin_ctzll(commas) >> 3)
        n = __builtin_ctzll(commas) >> 3;
    if (n < 8)
        start = n == 0 ? 0 : start << (64 - 8 * n);
    return &ps->layouts[start * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LP_LAYOUT_BITS)];
}

/* The point whose key begins at p; *next: the line behind it. */
static inline int read_point(struct lp_parser *ps, const char *p, const char **next)
{
    struct tsfs_lp_batch *batch = ps->batch;
    if (batch->npoints == batch->points_cap) {
        int rc = grow_points(batch);
        if (rc != 0)
            return lp_fail(ps, p, rc, "out of memory for the lines of a write");
    }
    struct tsfs_lp_point *point = &batch->points[batch->npoints];
    bool foreseen = is_next_key(ps, p);
    const char *stop = foreseen ? p + batch->points[ps->next_key].key.len : key_end(p, ps->end);
    if (stop != p && *stop != ' ')
        return lp_fail(ps, lp_is_line_end(stop - 1) ? stop - 1 : stop, -EINVAL,
                       "the fields are missing: measurement,tag=value field=value time");
    point->key = (struct tsfs_str){p, (size_t)(stop - p)};
    if (point->key.len > TSFS_SERIES_KEY_MAX)
        return lp_fail(ps, p, -E2BIG, "measurement and tags are longer than %u bytes", TSFS_SERIES_KEY_MAX);
    for (p = stop; *p == ' ';)
        p++;

    size_t first = batch->nfields;
    bool same = false;
    ps->breaks = 0;
    ps->escaped = false;
    struct lp_layout *slot = layout_slot(ps, point->key.ptr, stop),
                     like = slot->nfields > 0 ? *slot : ps->last;
    int rc = read_fields(ps, &p, &like, &same);
    if (rc != 0)
        goto fail;
    char text[LP_QUOTE_MAX];
    if (*p != ' ' && *p != '\t' && !lp_is_line_end(p)) {
        struct tsfs_str name = batch->fields[batch->nfields - 1].name;
        rc = lp_fail(ps, p, -EINVAL, "',' or a blank is missing after the value of field \"%s\"",
                     lp_quote(name, text));
        goto fail;
    }
    while (*p == ' ' || *p == '\t')
        p++;
    point->has_time = !lp_is_line_end(p);
    point->time = 0;
    if (point->has_time) {
        rc = read_time(ps, &p, &point->time);
        if (rc != 0)
            goto fail;
        while (*p == ' ' || *p == '\t')
            p++;
        if (!lp_is_line_end(p)) {
            rc = lp_fail(ps, p, -EINVAL, "unexpected text after the timestamp");
            goto fail;
        }
    }
    point->offset = (size_t)(ps->line - ps->data);
    point->length = (size_t)(p - ps->line);
    if (point->length > TSFS_LINE_MAX) {
        rc = lp_fail(ps, ps->line, -E2BIG, "the line is longer than %u bytes", TSFS_LINE_MAX);
        goto fail;
    }
    if (!same) {
        rc = lp_drop_duplicates(ps, first);
        if (rc != 0)
            goto fail;
    }
    if (foreseen) {
        point->same_key = (uint32_t)ps->next_key;
        point->key_hash = batch->points[ps->next_key++].key_hash;
    } else {
        note_key(ps, point);
    }
    point->first_field = (uint32_t)first;
    point->nfields = (uint32_t)(batch->nfields - first);
    point->line = ps->line_number;
    point->layout = same ? like.number : batch->nlayouts++;
    point->same_names = batch->npoints > 0 && point[-1].layout == point->layout;
    *slot = ps->last =
        (struct lp_layout){point->first_field, ps->escaped ? 0 : point->nfields, point->layout};
    batch->npoints++;
    *next = p + 1 + (*p == '\r');
    return 0;
fail:
    batch->nfields = first;
    return rc;
}

/* Notes the extent of the bad line at ps->line; LP_INCOMPLETE if that cannot be told yet. */
static int note_bad(struct lp_parser *ps)
{
    struct tsfs_lp_batch *batch = ps->batch;
    bool enough = ps->at_end || ps->limit - ps->line > (ptrdiff_t)TSFS_LINE_MAX;
    const char *stop = lp_line_end(ps->line, ps->limit, enough);
    if (stop == NULL)
        return LP_INCOMPLETE;
    batch->bad_offset = (size_t)(ps->line - ps->data);
    batch->bad_length = (size_t)(stop - ps->line);
    batch->bad_unfinished = stop == ps->line || stop[-1] != '\n';
    batch->bad_lines = 0;
    for (const char *p = ps->line; (p = memchr(p, '\n', (size_t)(stop - p))) != NULL; p++)
        batch->bad_lines++;
    return 0;
}

/* What lies behind the last newline, or a line whose string does not close before it. */
static int read_rest(struct lp_parser *ps)
{
    const char *p = ps->line;
    if (ps->limit - p > (ptrdiff_t)TSFS_LINE_MAX)
        return lp_fail(ps, p, -E2BIG, "the line is longer than %u bytes", TSFS_LINE_MAX);
    if (!ps->at_end)
        return 0;
    while (p < ps->limit && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    if (p < ps->limit && *p != '#')
        return lp_fail(ps, ps->limit, -EINVAL, "the last line does not end: it may have been cut off");
    ps->line = ps->limit;
    return 0;
}

int tsfs_lp_parse(struct tsfs_lp_batch *batch, const char *data, size_t len, size_t max_points, bool at_end,
                  size_t *consumed, struct tsfs_error *err)
{
    struct tsfs_error found; /* the bad line's, which may have to wait for its end */
    found.code = 0;
    const char *last = len > 0 ? memrchr(data, '\n', len) : NULL;
    struct lp_parser ps = {
        .batch = batch,
        .data = data,
        .end = last == NULL ? data : last + 1,
        .limit = data + len,
        .line = data,
        .line_number = 1,
        .at_end = at_end,
        .next_key = SIZE_MAX,
        .err = &found,
    };
    batch->npoints = batch->nfields = batch->lines = 0;
    batch->nlayouts = 0;
    batch->bad_offset = batch->bad_length = batch->bad_lines = 0;
    batch->bad_unfinished = false;
    tsfs_arena_reset(&batch->arena);
    *consumed = 0;
    if (len == 0)
        return 0;

    int rc = 0;
    while (ps.line < ps.end) {
        const char *p = ps.line;
        while (*p == ' ' || *p == '\t')
            p++;
        if (lp_is_line_end(p)) {
            ps.line = p + 1 + (*p == '\r');
            ps.line_number++;
            continue;
        }
        if (*p == '#') {
            ps.line = (const char *)memchr(p, '\n', (size_t)(ps.end - p)) + 1;
            ps.line_number++;
            continue;
        }
        if ((max_points != 0 && batch->npoints == max_points) ||
            batch->nfields > UINT32_MAX - TSFS_COLUMNS_MAX)
            goto out;
        const char *next = p;
        rc = read_point(&ps, p, &next);
        if (rc != 0)
            break;
        ps.line = next;
        ps.line_number += 1 + ps.breaks;
    }
    if (rc == 0 || rc == LP_INCOMPLETE)
        rc = read_rest(&ps);
out:
    *consumed = (size_t)(ps.line - data);
    batch->lines = ps.line_number - 1;
    if (rc != 0 && rc != -ENOMEM && note_bad(&ps) == LP_INCOMPLETE)
        return 0;
    if (rc != 0 && err != NULL && err->code == 0)
        *err = found;
    return rc;
}
