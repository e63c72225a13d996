/* The parts of the parser that run seldom: keys met for the first time, escapes, and what there is to say
 * about bad lines. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "ingest/line_protocol.h"
#include "ingest/lp_priv.h"
#include "ingest/lp_scan.h"

#define FEW_TAGS 16u

const char *lp_quote(struct tsfs_str raw, char out[LP_QUOTE_MAX])
{
    static const size_t keep = 40;
    size_t n = 0, i = 0;
    while (i < raw.len && n < keep) {
        uint32_t cp;
        unsigned size = tsfs_utf8_decode((struct tsfs_str){raw.ptr + i, raw.len - i}, &cp);
        if (size == 0 || cp < 32 || (cp >= 127 && cp < 160)) {
            out[n++] = '?';
            i += size == 0 ? 1 : size;
        } else {
            memcpy(out + n, raw.ptr + i, size);
            n += size;
            i += size;
        }
    }
    if (i < raw.len) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n] = '\0';
    return out;
}

struct tsfs_str lp_unescape_name(struct tsfs_arena *arena, struct tsfs_str raw)
{
    struct tsfs_str s = tsfs_arena_str(arena, raw);
    if (s.ptr == NULL || raw.len == 0 || memchr(raw.ptr, '\\', raw.len) == NULL)
        return s;
    char *out = (char *)s.ptr;
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char next = i + 1 < raw.len ? raw.ptr[i + 1] : '\0';
        if (raw.ptr[i] == '\\' && (next == ',' || next == '=' || next == ' '))
            i++;
        out[n++] = raw.ptr[i];
    }
    out[n] = '\0';
    s.len = n;
    return s;
}

struct tsfs_str lp_unescape_string(struct tsfs_arena *arena, struct tsfs_str raw)
{
    struct tsfs_str s = tsfs_arena_str(arena, raw);
    if (s.ptr == NULL)
        return s;
    char *out = (char *)s.ptr;
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '\\' && i + 1 < raw.len) {
            i++;
            switch (raw.ptr[i]) {
            case '"':
            case '\\': c = raw.ptr[i]; break;
            case 'n': c = '\n'; break;
            case 'r': c = '\r'; break;
            case 't': c = '\t'; break;
            default: i--; break;
            }
        }
        out[n++] = c;
    }
    out[n] = '\0';
    s.len = n;
    return s;
}

/* The closing quote of the string whose inside begins at p, or limit. */
static const char *closing_quote(const char *p, const char *limit)
{
    struct lp_text seen = {0};
    for (;;) {
        p = lp_scan_text(p, limit, limit, &seen);
        if (p == limit || *p == '"')
            return p;
        if (limit - p < 2)
            return limit;
        p += 2;
    }
}

const char *lp_line_end(const char *p, const char *limit, bool at_end)
{
    const char *start = p;
    for (;;) {
        const char *newline = memchr(p, '\n', (size_t)(limit - p));
        if (newline == NULL && !at_end)
            return NULL;
        const char *end = newline == NULL ? limit : newline + 1;
        const char *quote = memchr(p, '"', (size_t)(end - p));
        if (quote == NULL)
            return end;
        p = quote + 1;
        if (quote == start || quote[-1] != '=')
            continue;
        bool short_rest = limit - p <= LP_STRING_MAX;
        const char *far = short_rest ? limit : p + LP_STRING_MAX;
        const char *close = closing_quote(p, far);
        if (limit - close < 2 && short_rest && !at_end)
            return NULL;
        if (close == far || close + 1 == limit ||
            (close[1] != ',' && close[1] != ' ' && close[1] != '\n' && close[1] != '\r'))
            return end;
        p = close + 1;
    }
}

/* The first unescaped , or = from p on, or end. */
static const char *part_end(const char *p, const char *end, bool tag_key)
{
    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end && (p[1] == ',' || p[1] == '=' || p[1] == ' '))
            p++;
        else if (*p == ',' || (tag_key && *p == '='))
            break;
    }
    return p;
}

struct splitter {
    const char *start; /* of the key */
    struct tsfs_arena *arena;
    struct tsfs_error *err;
};

static TSFS_PRINTF(4, 5) int fail(const struct splitter *sp, const char *at, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tsfs_error_vset_at(sp->err, code, 1, (uint32_t)(at - sp->start) + 1, fmt, ap);
    va_end(ap);
    return code;
}

static int no_memory(const struct splitter *sp)
{
    return fail(sp, sp->start, -ENOMEM, "out of memory for the tags of a line");
}

/* A part of the key unescaped, after the checks that all parts share. */
static int take_part(const struct splitter *sp, const char *p, const char *end, size_t max, const char *part,
                     struct tsfs_str *out)
{
    struct tsfs_str raw = {p, (size_t)(end - p)};
    char text[LP_QUOTE_MAX];
    size_t good = tsfs_utf8_plain(raw);
    if (good < raw.len) {
        bool control = (unsigned char)p[good] < 128;
        return fail(sp, p + good, -EINVAL, "%s in %s \"%s\"", control ? "control character" : "invalid UTF-8",
                    part, lp_quote(raw, text));
    }
    *out = lp_unescape_name(sp->arena, raw);
    if (out->ptr == NULL)
        return no_memory(sp);
    if (out->len > max)
        return fail(sp, p, -E2BIG, "%s \"%s\" is longer than %zu bytes", part, lp_quote(raw, text), max);
    return 0;
}

static int one_tag(const struct splitter *sp, const char **pp, const char *end, struct tsfs_lp_tag *tag)
{
    const char *p = *pp, *key_end = part_end(p, end, true);
    struct tsfs_str raw_key = {p, (size_t)(key_end - p)};
    char text[LP_QUOTE_MAX];
    if (key_end == p)
        return fail(sp, p, -EINVAL, "a tag's name is missing");
    if (key_end == end || *key_end != '=')
        return fail(sp, key_end, -EINVAL, "'=' and a value are missing after the tag \"%s\"",
                    lp_quote(raw_key, text));
    int rc = take_part(sp, p, key_end, TSFS_COLUMN_NAME_MAX, "the tag's name", &tag->key);
    if (rc != 0)
        return rc;
    const char *value = key_end + 1, *value_end = part_end(value, end, true);
    if (value_end == value)
        return fail(sp, value, -EINVAL, "no value for the tag \"%s\"", lp_quote(raw_key, text));
    if (value_end != end && *value_end == '=')
        return fail(sp, value_end, -EINVAL, "an '=' that is not escaped in the value of the tag \"%s\"",
                    lp_quote(raw_key, text));
    rc = take_part(sp, value, value_end, TSFS_SERIES_KEY_MAX, "the tag's value", &tag->value);
    *pp = value_end;
    return rc;
}

struct duplicates {
    const struct tsfs_lp_tag *tags;
    struct tsfs_str key;
};

static bool same_key(const void *ctx, uint32_t number)
{
    const struct duplicates *d = ctx;
    return tsfs_str_eq(d->tags[number].key, d->key);
}

/* Whether a tag before the one at the end, n, has its name: 1, 0 or -ENOMEM.  A few are compared with each
 * other, more by their hashes: the n-th of them goes into seen. */
static int seen_before(struct tsfs_hash_index *seen, const struct tsfs_lp_tag *tags, unsigned n)
{
    struct duplicates d = {tags, tags[n].key};
    if (n < FEW_TAGS) {
        for (uint32_t i = 0; i < n; i++)
            if (same_key(&d, i))
                return 1;
        return 0;
    }
    for (unsigned i = n == FEW_TAGS ? 0 : n; i <= n; i++) {
        d.key = tags[i].key;
        uint64_t hash = tsfs_hash(d.key.ptr, d.key.len);
        if (tsfs_hash_index_find(seen, hash, same_key, &d) != TSFS_HASH_NONE)
            return 1;
        if (tsfs_hash_index_add(seen, hash, i) != 0)
            return -ENOMEM;
    }
    return 0;
}

int tsfs_lp_parse_key(struct tsfs_str key, struct tsfs_arena *arena, struct tsfs_str *measurement,
                      struct tsfs_lp_tag **tags, unsigned *ntags, struct tsfs_error *err)
{
    struct splitter sp = {key.ptr, arena, err};
    const char *end = key.ptr + key.len;
    struct tsfs_hash_index seen = {0};
    *measurement = (struct tsfs_str){NULL, 0};
    *tags = NULL;
    *ntags = 0;
    if (key.len == 0)
        return 0;
    if (key.len > TSFS_SERIES_KEY_MAX)
        return fail(&sp, key.ptr, -E2BIG, "measurement and tags are longer than %u bytes",
                    TSFS_SERIES_KEY_MAX);
    const char *p = part_end(key.ptr, end, false);
    int rc = 0;
    if (p != key.ptr)
        rc = take_part(&sp, key.ptr, p, TSFS_NAME_MAX, "the measurement", measurement);
    size_t most = 0;
    for (const char *q = p; q < end; q++)
        most += *q == ',';
    if (rc != 0 || most == 0)
        return rc;
    struct tsfs_lp_tag *all = TSFS_NEW_ARRAY(arena, struct tsfs_lp_tag, most);
    if (all == NULL)
        return no_memory(&sp);
    unsigned n = 0;
    while (p != end) {
        const char *start = ++p; /* behind the comma */
        if (n == TSFS_DIMENSIONS_MAX) {
            rc = fail(&sp, start, -E2BIG, "more than %d tags", TSFS_DIMENSIONS_MAX);
            break;
        }
        rc = one_tag(&sp, &p, end, &all[n]);
        if (rc != 0)
            break;
        rc = seen_before(&seen, all, n);
        if (rc > 0) {
            char text[LP_QUOTE_MAX];
            rc = fail(&sp, start, -EINVAL, "the tag \"%s\" comes twice", lp_quote(all[n].key, text));
            break;
        }
        if (rc < 0) {
            rc = no_memory(&sp);
            break;
        }
        n++;
    }
    tsfs_hash_index_free(&seen);
    if (rc == 0) {
        *tags = all;
        *ntags = n;
    }
    return rc;
}
