/* What is not read at speed: names that were not expected, strings, values of every form, fields that come
 * twice, and the errors of them all. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "base/utf8.h"
#include "ingest/lp_priv.h"
#include "ingest/lp_scan.h"

#define FEW_FIELDS 16 /* up to here each pair of names is compared */

int lp_fail(struct lp_parser *ps, const char *at, int code, const char *fmt, ...)
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

int lp_read_name(struct lp_parser *ps, const char **pp, struct tsfs_str *name)
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
        if (raw.len == 0 && (lp_is_line_end(p) || *p == ',' || *p == ' '))
            return lp_fail(ps, p, -EINVAL, "a field is missing here");
        if (*p == ',' || *p == ' ' || lp_is_line_end(p))
            return lp_fail(ps, p, -EINVAL, "'=' and a value are missing after the field \"%s\"",
                           lp_quote(raw, text));
        return lp_fail(ps, p, -EINVAL, "control character in a field's name");
    }
    if (raw.len == 0)
        return lp_fail(ps, p, -EINVAL, "a field's name is missing before '='");
    if (high && tsfs_utf8_plain(raw) != raw.len)
        return lp_fail(ps, start + tsfs_utf8_plain(raw), -EINVAL, "invalid UTF-8 in a field's name");
    *name = raw;
    if (escaped) {
        *name = lp_unescape_name(&ps->batch->arena, raw);
        if (name->ptr == NULL)
            return lp_fail(ps, start, -ENOMEM, "out of memory for the lines of a write");
        ps->escaped = true;
    }
    if (name->len > TSFS_COLUMN_NAME_MAX)
        return lp_fail(ps, start, -E2BIG, "a field's name is longer than %d bytes: \"%s\"",
                       TSFS_COLUMN_NAME_MAX, lp_quote(raw, text));
    *pp = p + 1;
    return 0;
}

int lp_read_string(struct lp_parser *ps, const char **pp, struct tsfs_lp_field *f)
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
                return lp_fail(ps, start - 1, -E2BIG, "the string of field \"%s\" is longer than %u bytes",
                               lp_quote(f->name, text), TSFS_VARCHAR_MAX);
            if (!ps->at_end)
                return LP_INCOMPLETE;
            return lp_fail(ps, start - 1, -EINVAL, "the string of field \"%s\" is not closed",
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
        return lp_fail(ps, start - 1, -EINVAL, "invalid UTF-8 in the string of field \"%s\"",
                       lp_quote(f->name, text));
    if (escaped) {
        f->s = lp_unescape_string(&ps->batch->arena, f->s);
        if (f->s.ptr == NULL)
            return lp_fail(ps, start, -ENOMEM, "out of memory for the lines of a write");
    }
    if (f->s.len > TSFS_VARCHAR_MAX)
        return lp_fail(ps, start - 1, -E2BIG, "the string of field \"%s\" is longer than %u bytes",
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

int lp_read_value(struct lp_parser *ps, const char **pp, struct tsfs_lp_field *f)
{
    const char *start = *pp, *p = start;
    char name[LP_QUOTE_MAX], text[LP_QUOTE_MAX];
    while (!lp_ends_value(*p))
        p++;
    struct tsfs_str s = {start, (size_t)(p - start)};
    *pp = p;
    lp_quote(f->name, name);
    if (s.len == 0)
        return lp_fail(ps, start, -EINVAL, "field \"%s\" has no value", name);
    char last = s.ptr[s.len - 1];
    bool letter = (*start | 32) >= 'a' && (*start | 32) <= 'z';
    if (!letter && (last == 'i' || last == 'u')) {
        struct tsfs_str digits = {s.ptr, s.len - 1};
        int rc = last == 'u' && *s.ptr == '-' ? -EINVAL : tsfs_num_parse_i64(digits, &f->i);
        f->type = TSFS_BIGINT;
        if (rc == -ERANGE)
            return lp_fail(ps, start, -EINVAL, "field \"%s\": %s is beyond the range of a 64-bit integer%s",
                           name, lp_quote(s, text),
                           last == 'u' ? " (unsigned ones are taken up to 9223372036854775807)" : "");
        if (rc != 0)
            return lp_fail(ps, start, -EINVAL, "field \"%s\": \"%s\" is not an %sinteger", name,
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
        return lp_fail(ps, start, -EINVAL, "field \"%s\": %s is beyond the range of a double", name,
                       lp_quote(s, text));
    if (rc != 0)
        return lp_fail(ps, start, -EINVAL, "field \"%s\": \"%s\" is not a number%s", name, lp_quote(s, text),
                       letter ? " (text needs quotes)" : "");
    return 0;
}

int lp_drop_duplicates(struct lp_parser *ps, size_t first)
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
                return lp_fail(ps, ps->line, -ENOMEM, "out of memory for the lines of a write");
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
