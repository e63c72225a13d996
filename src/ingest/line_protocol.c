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

#define LAYOUT_BITS   5
#define LAYOUTS       (1 << LAYOUT_BITS)
#define INCOMPLETE    1                   /* the line goes on behind the input */
#define FEW_FIELDS    16                  /* up to here each pair of names is compared */
#define DIGITS_MAX    19                  /* always fit 64 bits */
#define EXACT_INTEGER (UINT64_C(1) << 53) /* every integer up to here is a double */
#define EXPECTED_ROOM 32                  /* behind a name: what read_expected looks at */

struct parser {
    struct tsfs_lp_batch *batch;
    const char *data, *end, *limit; /* end: behind the last newline */
    const char *line;               /* start of the line at hand */
    uint32_t line_number;
    uint32_t breaks; /* newlines inside its strings */
    bool escaped;    /* one of its names had escapes */
    bool at_end;
    /* The field sets met last, found again by the beginning of the key, and that of the point before. */
    struct layout {
        uint32_t first, nfields; /* fields in the batch; nfields 0 if they cannot serve */
        uint32_t number;
    } layouts[LAYOUTS], last;
    size_t next_key; /* the point whose key this line's is if lines come in the order that they came in
                        before; beyond the last one if there is none */
    struct tsfs_error *err;
};

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

static TSFS_PRINTF(4, 5) int fail(struct parser *ps, const char *at, int code, const char *fmt, ...)
{
    const char *line = ps->line, *newline;
    uint32_t number = ps->line_number;
    while ((newline = memchr(line, '\n', (size_t)(at - line))) != NULL) {
        line = newline + 1;
        number++;
    }
    va_list ap;
    va_start(ap, fmt);
    tsfs_error_vset_at(ps->err, code, number, (uint32_t)(at - line) + 1, fmt, ap);
    va_end(ap);
    return code;
}

static __attribute__((noinline)) int grow_fields(struct tsfs_lp_batch *batch)
{
    return TSFS_ARRAY_ROOM(batch->fields, batch->fields_cap, batch->fields_cap, 1024);
}

static __attribute__((noinline)) int grow_points(struct tsfs_lp_batch *batch)
{
    return TSFS_ARRAY_ROOM(batch->points, batch->points_cap, batch->points_cap, 128);
}

static inline bool is_line_end(const char *p)
{
    return *p == '\n' || (*p == '\r' && p[1] == '\n');
}

/* Ends a field's value.  A '\r' is looked at more closely behind the last field. */
static inline bool ends_value(char c)
{
    const uint64_t set = UINT64_C(1) << ',' | UINT64_C(1) << ' ' | UINT64_C(1) << '\n' | UINT64_C(1) << '\r' |
                         UINT64_C(1) << '\t';
    return (unsigned char)c <= ',' && (set >> c & 1);
}

/* A field's name that is not the expected one.  *pp: to behind its '='. */
static __attribute__((noinline)) int read_name(struct parser *ps, const char **pp, struct tsfs_str *name)
{
    const char *start = *pp, *p = start;
    bool high = false, escaped = false;
    char text[LP_QUOTE_MAX];
    for (;;) {
        p = lp_scan_name(p, ps->end, &high);
        if (*p != '\\')
            break;
        bool escape = p[1] == ',' || p[1] == '=' || p[1] == ' ';
        escaped |= escape;
        p += escape ? 2 : 1;
    }
    struct tsfs_str raw = {start, (size_t)(p - start)};
    if (*p != '=') {
        if (raw.len == 0 && (is_line_end(p) || *p == ',' || *p == ' '))
            return fail(ps, p, -EINVAL, "a field is missing here");
        if (*p == ',' || *p == ' ' || is_line_end(p))
            return fail(ps, p, -EINVAL, "'=' and a value are missing after the field \"%s\"",
                        lp_quote(raw, text));
        return fail(ps, p, -EINVAL, "control character in a field's name");
    }
    if (raw.len == 0)
        return fail(ps, p, -EINVAL, "a field's name is missing before '='");
    if (high && tsfs_utf8_plain(raw) != raw.len)
        return fail(ps, start + tsfs_utf8_plain(raw), -EINVAL, "invalid UTF-8 in a field's name");
    *name = raw;
    if (escaped) {
        *name = lp_unescape_name(&ps->batch->arena, raw);
        if (name->ptr == NULL)
            return fail(ps, start, -ENOMEM, "out of memory for the lines of a write");
        ps->escaped = true;
    }
    if (name->len > TSFS_COLUMN_NAME_MAX)
        return fail(ps, start, -E2BIG, "a field's name is longer than %d bytes: \"%s\"", TSFS_COLUMN_NAME_MAX,
                    lp_quote(raw, text));
    *pp = p + 1;
    return 0;
}

/* A quoted string; *pp: from behind its opening quote to behind its closing one. */
static __attribute__((noinline)) int read_string(struct parser *ps, const char **pp, struct tsfs_lp_field *f)
{
    const char *start = *pp, *p = start;
    struct lp_text seen = {0};
    char text[LP_QUOTE_MAX];
    bool escaped = false;
    for (;;) {
        p = lp_scan_text(p, ps->end, ps->limit, &seen);
        if (p < ps->end && *p == '"')
            break;
        if (ps->end - p < 2) {
            if (ps->limit - start > LP_STRING_MAX)
                return fail(ps, start - 1, -E2BIG, "the string of field \"%s\" is longer than %u bytes",
                            lp_quote(f->name, text), TSFS_VARCHAR_MAX);
            if (!ps->at_end)
                return INCOMPLETE;
            return fail(ps, start - 1, -EINVAL, "the string of field \"%s\" is not closed",
                        lp_quote(f->name, text));
        }
        escaped = true;
        seen.newline |= p[1] == '\n';
        seen.high |= (unsigned char)p[1] >= 128;
        p += 2;
    }
    *pp = p + 1;
    f->type = TSFS_VARCHAR;
    f->s = (struct tsfs_str){start, (size_t)(p - start)};
    if (seen.newline)
        for (const char *q = start; (q = memchr(q, '\n', (size_t)(p - q))) != NULL; q++)
            ps->breaks++;
    if (seen.high && !tsfs_utf8_valid(f->s))
        return fail(ps, start - 1, -EINVAL, "invalid UTF-8 in the string of field \"%s\"",
                    lp_quote(f->name, text));
    if (escaped) {
        f->s = lp_unescape_string(&ps->batch->arena, f->s);
        if (f->s.ptr == NULL)
            return fail(ps, start, -ENOMEM, "out of memory for the lines of a write");
    }
    if (f->s.len > TSFS_VARCHAR_MAX)
        return fail(ps, start - 1, -E2BIG, "the string of field \"%s\" is longer than %u bytes",
                    lp_quote(f->name, text), TSFS_VARCHAR_MAX);
    return 0;
}

static bool boolean(struct tsfs_str s, bool *out)
{
    static const struct tsfs_str yes[] = {{"t", 1}, {"T", 1}, {"true", 4}, {"True", 4}, {"TRUE", 4}};
    static const struct tsfs_str no[] = {{"f", 1}, {"F", 1}, {"false", 5}, {"False", 5}, {"FALSE", 5}};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (tsfs_str_eq(s, yes[i]) || tsfs_str_eq(s, no[i])) {
            *out = tsfs_str_eq(s, yes[i]);
            return true;
        }
    }
    return false;
}

/* Any value but a string, right or wrong. */
static __attribute__((noinline)) int read_value(struct parser *ps, const char **pp, struct tsfs_lp_field *f)
{
    const char *start = *pp, *p = start;
    char name[LP_QUOTE_MAX], text[LP_QUOTE_MAX];
    while (!ends_value(*p))
        p++;
    struct tsfs_str s = {start, (size_t)(p - start)};
    *pp = p;
    lp_quote(f->name, name);
    if (s.len == 0)
        return fail(ps, start, -EINVAL, "field \"%s\" has no value", name);
    char last = s.ptr[s.len - 1];
    bool letter = (*start | 32) >= 'a' && (*start | 32) <= 'z';
    if (!letter && (last == 'i' || last == 'u')) {
        struct tsfs_str digits = {s.ptr, s.len - 1};
        int rc = last == 'u' && *s.ptr == '-' ? -EINVAL : tsfs_num_parse_i64(digits, &f->i);
        f->type = TSFS_BIGINT;
        if (rc == -ERANGE)
            return fail(ps, start, -EINVAL, "field \"%s\": %s is beyond the range of a 64-bit integer%s",
                        name, lp_quote(s, text),
                        last == 'u' ? " (unsigned ones are taken up to 9223372036854775807)" : "");
        if (rc != 0)
            return fail(ps, start, -EINVAL, "field \"%s\": \"%s\" is not an %sinteger", name,
                        lp_quote(s, text), last == 'u' ? "unsigned " : "");
        return 0;
    }
    if (boolean(s, &f->b)) {
        f->type = TSFS_BOOLEAN;
        return 0;
    }
    f->type = TSFS_DOUBLE;
    int rc = tsfs_num_parse_double(s, &f->d);
    if (rc == -ERANGE)
        return fail(ps, start, -EINVAL, "field \"%s\": %s is beyond the range of a double", name,
                    lp_quote(s, text));
    if (rc != 0)
        return fail(ps, start, -EINVAL, "field \"%s\": \"%s\" is not a number%s", name, lp_quote(s, text),
                    letter ? " (text needs quotes)" : "");
    return 0;
}

/* The common numbers; NULL: let read_value see to it.  Returns the end of the value. */
static inline const char *fast_number(const struct parser *ps, const char *p, struct tsfs_lp_field *f)
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
    return ends_value(*p) ? p : NULL;
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
static inline const char *read_expected(struct parser *ps, const char *p, const struct layout *like,
                                        uint32_t *n, bool *last)
{
    struct tsfs_lp_batch *batch = ps->batch;
    *n = 0;
    *last = false;
    if (batch->fields_cap - batch->nfields < like->nfields)
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
        if (!ends_value(*q))
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
static inline int read_fields(struct parser *ps, const char **pp, const struct layout *like, bool *same)
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
                return fail(ps, p, rc, "out of memory for the lines of a write");
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
                return fail(ps, p, -E2BIG, "more than %d fields", TSFS_COLUMNS_MAX);
            rc = read_name(ps, &p, &f->name);
            if (rc != 0)
                return rc;
        }
        const char *value_end;
        if (*p == '"') {
            p++;
            rc = read_string(ps, &p, f);
            if (rc != 0)
                return rc;
        } else if ((value_end = fast_number(ps, p, f)) != NULL) {
            p = value_end;
        } else {
            rc = read_value(ps, &p, f);
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
static inline int read_time(struct parser *ps, const char **pp, int64_t *time)
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
    if (p != digits && ends_value(*p) && *p != ',' && v <= (uint64_t)INT64_MAX + negative) {
        *time = (int64_t)(negative ? 0 - v : v);
        *pp = p;
        return 0;
    }
    for (p = start; *p != ' ' && *p != '\t' && !is_line_end(p);)
        p++;
    struct tsfs_str s = {start, (size_t)(p - start)};
    char text[LP_QUOTE_MAX];
    int rc = *start == '+' ? -EINVAL : tsfs_num_parse_i64(s, time);
    if (rc == -ERANGE)
        return fail(ps, start, -EINVAL, "the timestamp %s is beyond the range of a 64-bit integer",
                    lp_quote(s, text));
    if (rc != 0)
        return fail(ps, start, -EINVAL, "\"%s\" is not a timestamp", lp_quote(s, text));
    *pp = p;
    return 0;
}

/* Of two fields of one name the later counts; the earlier is taken out. */
static __attribute__((noinline)) int drop_duplicates(struct parser *ps, size_t first)
{
    struct tsfs_lp_batch *batch = ps->batch;
    struct tsfs_lp_field *fields = batch->fields + first;
    size_t n = batch->nfields - first, dropped = 0;
    if (n <= FEW_FIELDS) {
        for (size_t i = 0; i + 1 < n; i++) {
            for (size_t j = i + 1; j < n; j++) {
                if (tsfs_str_eq(fields[i].name, fields[j].name)) {
                    fields[i].name.ptr = NULL;
                    dropped++;
                    break;
                }
            }
        }
    } else {
        size_t slots = 64;
        while (slots < 2 * n)
            slots *= 2;
        if (slots > batch->scratch_cap) {
            uint32_t *scratch = reallocarray(batch->scratch, slots, sizeof(*scratch));
            if (scratch == NULL)
                return fail(ps, ps->line, -ENOMEM, "out of memory for the lines of a write");
            batch->scratch = scratch;
            batch->scratch_cap = slots;
        }
        memset(batch->scratch, 0, slots * sizeof(*batch->scratch));
        for (size_t i = n; i-- > 0;) {
            size_t at = (size_t)tsfs_hash(fields[i].name.ptr, fields[i].name.len) & (slots - 1);
            uint32_t number;
            while ((number = batch->scratch[at]) != 0 &&
                   !tsfs_str_eq(fields[number - 1].name, fields[i].name))
                at = (at + 1) & (slots - 1);
            if (number == 0) {
                batch->scratch[at] = (uint32_t)i + 1;
            } else {
                fields[i].name.ptr = NULL;
                dropped++;
            }
        }
    }
    if (dropped > 0) {
        size_t kept = 0;
        for (size_t i = 0; i < n; i++)
            if (fields[i].name.ptr != NULL)
                fields[kept++] = fields[i];
        batch->nfields = first + kept;
    }
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
static inline bool is_next_key(const struct parser *ps, const char *p)
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
static inline void note_key(struct parser *ps, struct tsfs_lp_point *point)
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
static inline struct layout *layout_slot(struct parser *ps, const char *key, const char *fields)
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
    return &ps->layouts[start * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LAYOUT_BITS)];
}

/* The point whose key begins at p; *next: the line behind it. */
static inline int read_point(struct parser *ps, const char *p, const char **next)
{
    struct tsfs_lp_batch *batch = ps->batch;
    if (batch->npoints == batch->points_cap) {
        int rc = grow_points(batch);
        if (rc != 0)
            return fail(ps, p, rc, "out of memory for the lines of a write");
    }
    struct tsfs_lp_point *point = &batch->points[batch->npoints];
    bool foreseen = is_next_key(ps, p);
    const char *stop = foreseen ? p + batch->points[ps->next_key].key.len : key_end(p, ps->end);
    if (stop != p && *stop != ' ')
        return fail(ps, is_line_end(stop - 1) ? stop - 1 : stop, -EINVAL,
                    "the fields are missing: measurement,tag=value field=value time");
    point->key = (struct tsfs_str){p, (size_t)(stop - p)};
    if (point->key.len > TSFS_SERIES_KEY_MAX)
        return fail(ps, p, -E2BIG, "measurement and tags are longer than %u bytes", TSFS_SERIES_KEY_MAX);
    for (p = stop; *p == ' ';)
        p++;

    size_t first = batch->nfields;
    bool same = false;
    ps->breaks = 0;
    ps->escaped = false;
    struct layout *slot = layout_slot(ps, point->key.ptr, stop), like = slot->nfields > 0 ? *slot : ps->last;
    int rc = read_fields(ps, &p, &like, &same);
    if (rc != 0)
        goto fail;
    char text[LP_QUOTE_MAX];
    if (*p != ' ' && *p != '\t' && !is_line_end(p)) {
        struct tsfs_str name = batch->fields[batch->nfields - 1].name;
        rc = fail(ps, p, -EINVAL, "',' or a blank is missing after the value of field \"%s\"",
                  lp_quote(name, text));
        goto fail;
    }
    while (*p == ' ' || *p == '\t')
        p++;
    point->has_time = !is_line_end(p);
    point->time = 0;
    if (point->has_time) {
        rc = read_time(ps, &p, &point->time);
        if (rc != 0)
            goto fail;
        while (*p == ' ' || *p == '\t')
            p++;
        if (!is_line_end(p)) {
            rc = fail(ps, p, -EINVAL, "unexpected text after the timestamp");
            goto fail;
        }
    }
    point->offset = (size_t)(ps->line - ps->data);
    point->length = (size_t)(p - ps->line);
    if (point->length > TSFS_LINE_MAX) {
        rc = fail(ps, ps->line, -E2BIG, "the line is longer than %u bytes", TSFS_LINE_MAX);
        goto fail;
    }
    if (!same) {
        rc = drop_duplicates(ps, first);
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
    *slot = ps->last = (struct layout){point->first_field, ps->escaped ? 0 : point->nfields, point->layout};
    batch->npoints++;
    *next = p + 1 + (*p == '\r');
    return 0;
fail:
    batch->nfields = first;
    return rc;
}

/* Notes the extent of the bad line at ps->line; INCOMPLETE if that cannot be told yet. */
static int note_bad(struct parser *ps)
{
    struct tsfs_lp_batch *batch = ps->batch;
    bool enough = ps->at_end || ps->limit - ps->line > (ptrdiff_t)TSFS_LINE_MAX;
    const char *stop = lp_line_end(ps->line, ps->limit, enough);
    if (stop == NULL)
        return INCOMPLETE;
    batch->bad_offset = (size_t)(ps->line - ps->data);
    batch->bad_length = (size_t)(stop - ps->line);
    batch->bad_unfinished = stop == ps->line || stop[-1] != '\n';
    batch->bad_lines = 0;
    for (const char *p = ps->line; (p = memchr(p, '\n', (size_t)(stop - p))) != NULL; p++)
        batch->bad_lines++;
    return 0;
}

/* What lies behind the last newline, or a line whose string does not close before it. */
static int read_rest(struct parser *ps)
{
    const char *p = ps->line;
    if (ps->limit - p > (ptrdiff_t)TSFS_LINE_MAX)
        return fail(ps, p, -E2BIG, "the line is longer than %u bytes", TSFS_LINE_MAX);
    if (!ps->at_end)
        return 0;
    while (p < ps->limit && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    if (p < ps->limit && *p != '#')
        return fail(ps, ps->limit, -EINVAL, "the last line does not end: it may have been cut off");
    ps->line = ps->limit;
    return 0;
}

int tsfs_lp_parse(struct tsfs_lp_batch *batch, const char *data, size_t len, size_t max_points, bool at_end,
                  size_t *consumed, struct tsfs_error *err)
{
    struct tsfs_error found; /* the bad line's, which may have to wait for its end */
    found.code = 0;
    const char *last = len > 0 ? memrchr(data, '\n', len) : NULL;
    struct parser ps = {
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
        if (is_line_end(p)) {
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
    if (rc == 0 || rc == INCOMPLETE)
        rc = read_rest(&ps);
out:
    *consumed = (size_t)(ps.line - data);
    batch->lines = ps.line_number - 1;
    if (rc != 0 && rc != -ENOMEM && note_bad(&ps) == INCOMPLETE)
        return 0;
    if (rc != 0 && err != NULL && err->code == 0)
        *err = found;
    return rc;
}
