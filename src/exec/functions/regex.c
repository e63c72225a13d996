/* regexp_like, _count, _position, _extract, _extract_all, _replace, _split; Trino's rules:
 *
 * A group that took no part in a match is NULL.  Matches do not overlap; behind an empty one the search goes
 * on one code point further.  A replacement's $1 and ${name} are groups (nothing, if they took no part), \x
 * is x.
 */
#include "base/utf8.h"
#include "exec/functions/nested_priv.h"
#include "exec/functions/regex_cache.h"
#include "exec/functions/rows.h"

/* Group g of the last match; ptr NULL if it took no part. */
static struct tsfs_str group_of(const struct regex *re, struct tsfs_str s, uint32_t g)
{
    const size_t *ends = pcre2_get_ovector_pointer(re->match);
    size_t from = ends[2 * g], to = ends[2 * g + 1];
    if (from == PCRE2_UNSET || to == PCRE2_UNSET || to < from)
        return (struct tsfs_str){0};
    return (struct tsfs_str){s.ptr + from, to - from};
}

/* One row's search: from match to match. */
struct search {
    struct regex *re;
    struct tsfs_str s;
    size_t at; /* where to look for the next match; SIZE_MAX = nowhere */
};

/* 1 begun, 0 the row was marked, or an error. */
static int begin(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, uint32_t row, struct search *m)
{
    struct tsfs_str s = row_str(args, 0, row), pattern = row_str(args, 1, row);
    *m = (struct search){.s = s.ptr != NULL ? s : TSFS_STR("")};
    int rc = regex_get(ctx, row, pattern.ptr != NULL ? pattern : TSFS_STR(""), &m->re);
    return rc != 0 ? rc : m->re != NULL;
}

/* The next match: 1, with *match where it is, 0 there is none (or the row was marked), or an error. */
static int find(struct tsfs_kernel_ctx *ctx, uint32_t row, struct search *m, struct tsfs_str *match)
{
    if (m->at == SIZE_MAX)
        return 0;
    int rc = regex_find(ctx, row, m->re, m->s, m->at);
    if (rc <= 0)
        return rc;
    *match = group_of(m->re, m->s, 0);
    size_t end = (size_t)(match->ptr - m->s.ptr) + match->len;
    if (match->len == 0) {
        if (end == m->s.len) {
            end = SIZE_MAX;
        } else {
            for (end++; end < m->s.len && ((unsigned char)m->s.ptr[end] & 0xc0) == 0x80;)
                end++;
        }
    }
    m->at = end;
    return 1;
}

static int like_row(ROW_ARGS(uint8_t))
{
    struct search m;
    struct tsfs_str match;
    int rc = begin(ctx, args, row, &m);
    if (rc > 0)
        rc = find(ctx, row, &m, &match);
    *r = rc > 0;
    return rc < 0 ? rc : 0;
}

static int count_row(ROW_ARGS(int64_t))
{
    struct search m;
    struct tsfs_str match;
    int rc = begin(ctx, args, row, &m);
    while (rc > 0 && (rc = find(ctx, row, &m, &match)) > 0)
        ++*r;
    return rc;
}

/* regexp_position(s, p[, start[, k]]): where the k-th match at or behind character `start` begins, or -1. */
static int position_row(ROW_ARGS(int64_t))
{
    struct search m;
    struct tsfs_str match = {0};
    int64_t start = nargs > 2 ? row_i64(args, 2, row) : 1, k = nargs > 3 ? row_i64(args, 3, row) : 1;
    if (start < 1 || k < 1)
        return function_fail(ctx, row, "regexp_position: the %s must be at least 1, not %lld",
                             start < 1 ? "start" : "occurrence", (long long)(start < 1 ? start : k));
    int rc = begin(ctx, args, row, &m);
    if (rc <= 0)
        return rc;
    *r = -1;
    if (start > (int64_t)tsfs_utf8_length(m.s))
        return 0;
    for (; start > 1; start--)
        for (m.at++; m.at < m.s.len && ((unsigned char)m.s.ptr[m.at] & 0xc0) == 0x80;)
            m.at++;
    for (; k > 0 && (rc = find(ctx, row, &m, &match)) > 0; k--)
        ;
    if (rc > 0)
        *r = (int64_t)tsfs_utf8_length((struct tsfs_str){m.s.ptr, (size_t)(match.ptr - m.s.ptr)}) + 1;
    return rc < 0 ? rc : 0;
}

ROW_KERNEL(like, uint8_t)
ROW_KERNEL(count, int64_t)
ROW_KERNEL(position, int64_t)

/* begin, and the group that the third argument names. */
static int begin_group(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t row,
                       struct search *m, uint32_t *group)
{
    int64_t g = nargs == 3 ? row_i64(args, 2, row) : 0;
    int rc = begin(ctx, args, row, m);
    *group = (uint32_t)g;
    if (rc <= 0 || (g >= 0 && g <= m->re->groups))
        return rc;
    return function_fail(ctx, row, "the regular expression has %u group%s, there is no group %lld",
                         m->re->groups, m->re->groups == 1 ? "" : "s", (long long)g);
}

static int extract(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct search m;
        struct tsfs_str match, *r = &((struct tsfs_str *)room.data)[i];
        uint32_t group = 0;
        if (!row_valid(valid, i))
            continue;
        rc = begin_group(ctx, args, nargs, i, &m, &group);
        if (rc > 0)
            rc = find(ctx, i, &m, &match);
        if (rc <= 0)
            continue;
        rc = 0;
        *r = group_of(m.re, m.s, group);
        if (r->ptr != NULL)
            tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int too_many(struct tsfs_kernel_ctx *ctx)
{
    return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column, "more than %u matches",
                             TSFS_ARRAY_MAX);
}

/* Strings gathered one by one. */
struct strings {
    struct tsfs_str *items; /* ptr NULL = NULL */
    uint32_t n, cap;
};

static int add(struct tsfs_kernel_ctx *ctx, uint32_t row, struct strings *list, struct tsfs_str s)
{
    if (list->n == TSFS_ARRAY_MAX)
        return too_many(ctx);
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 8 : list->cap * 2;
        struct tsfs_str *items = tsfs_arena_alloc(ctx->arena, cap * sizeof(*items));
        if (items == NULL)
            return function_no_memory(ctx);
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof(*items));
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = s;
    return 0;
}

static int put_list(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec_room *to, uint32_t row,
                    const struct strings *list)
{
    struct tsfs_vec_room room;
    const struct tsfs_array *array;
    if (tsfs_vec_room(ctx->arena, TSFS_VARCHAR, list->n, &room) != 0)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < list->n; i++)
        tsfs_vec_put_value(&room, TSFS_VARCHAR, i,
                           &(struct tsfs_value){.type = TSFS_VARCHAR,
                                                .null = list->items[i].ptr == NULL,
                                                .s = list->items[i]});
    struct tsfs_vec elems = tsfs_vec_of_room(TSFS_VARCHAR, &room, list->n);
    int rc = nested_array(ctx, &elems, list->n, &array);
    if (rc == 0)
        nested_put(to, row, array);
    return rc;
}

/* 1 the list is the row's, 0 the row was marked, or an error. */
typedef int (*list_row)(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs,
                        uint32_t row, struct strings *list);

static int lists(KERNEL_ARGS, list_row make)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct strings list = {0};
        if (!row_valid(valid, i))
            continue;
        rc = make(ctx, args, nargs, i, &list);
        if (rc > 0)
            rc = put_list(ctx, &room, i, &list);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int extract_all_row(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs,
                           uint32_t row, struct strings *list)
{
    struct search m;
    struct tsfs_str match;
    uint32_t group = 0;
    int found = 0, rc = begin_group(ctx, args, nargs, row, &m, &group);
    if (rc <= 0)
        return rc;
    while ((found = find(ctx, row, &m, &match)) > 0)
        if ((rc = add(ctx, row, list, group_of(m.re, m.s, group))) != 0)
            return rc;
    return found < 0 ? found : 1;
}

static int split_row(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t row,
                     struct strings *list)
{
    struct search m;
    struct tsfs_str match;
    int found = 0, rc = begin(ctx, args, row, &m);
    if (rc <= 0)
        return rc;
    const char *from = m.s.ptr;
    while ((found = find(ctx, row, &m, &match)) > 0) {
        if ((rc = add(ctx, row, list, (struct tsfs_str){from, (size_t)(match.ptr - from)})) != 0)
            return rc;
        from = match.ptr + match.len;
    }
    rc = found < 0 ? found : add(ctx, row, list, (struct tsfs_str){from, (size_t)(m.s.ptr + m.s.len - from)});
    return rc < 0 ? rc : 1;
}

static int extract_all(KERNEL_ARGS)
{
    return lists(ctx, args, nargs, n, valid, out, extract_all_row);
}

static int split(KERNEL_ARGS)
{
    return lists(ctx, args, nargs, n, valid, out, split_row);
}

/* ---- replace ---- */

static int fail_replacement(struct tsfs_kernel_ctx *ctx, uint32_t row, struct tsfs_str by, const char *why)
{
    return function_fail(ctx, row, "regexp_replace: the replacement '%.*s%s' %s", FUNCTION_EXCERPT(by), why);
}

/* The group behind a $: digits as long as there is such a group, or {name}.  1 taken, 0 marked, -errno. */
static int replacement_group(struct tsfs_kernel_ctx *ctx, uint32_t row, const struct regex *re,
                             struct tsfs_str by, size_t *at, uint32_t *group)
{
    size_t i = *at;
    if (i < by.len && by.ptr[i] == '{') {
        const char *end = memchr(by.ptr + i, '}', by.len - i);
        char name[64];
        size_t len = end == NULL ? 0 : (size_t)(end - (by.ptr + i)) - 1;
        if (len == 0 || len >= sizeof(name))
            return fail_replacement(ctx, row, by, "has a ${ without a group's name and }");
        memcpy(name, by.ptr + i + 1, len);
        name[len] = '\0';
        int number = pcre2_substring_number_from_name(re->code, (PCRE2_SPTR)name);
        if (number < 0)
            return fail_replacement(ctx, row, by, "names a group that the expression has not");
        *group = (uint32_t)number;
        *at = i + len + 2;
        return 1;
    }
    if (i == by.len || by.ptr[i] < '0' || by.ptr[i] > '9')
        return fail_replacement(ctx, row, by, "has a $ without a group behind it: write \\$ for a dollar");
    uint32_t g = (uint32_t)(by.ptr[i++] - '0');
    if (g > re->groups)
        return fail_replacement(ctx, row, by, "has a group that the expression has not");
    while (i < by.len && by.ptr[i] >= '0' && by.ptr[i] <= '9' &&
           g * 10 + (uint32_t)(by.ptr[i] - '0') <= re->groups)
        g = g * 10 + (uint32_t)(by.ptr[i++] - '0');
    *group = g;
    *at = i;
    return 1;
}

/* The replacement of the last match.  1 done, 0 marked, -errno. */
static int put_replacement(struct tsfs_kernel_ctx *ctx, uint32_t row, const struct regex *re,
                           struct tsfs_str s, struct tsfs_str by, struct tsfs_buf *text)
{
    for (size_t i = 0; i < by.len;) {
        struct tsfs_str piece = {by.ptr + i, 1};
        if (by.ptr[i] == '\\') {
            if (i + 1 == by.len)
                return fail_replacement(ctx, row, by, "ends in the middle of an escape");
            piece.ptr++;
            i += 2;
        } else if (by.ptr[i] == '$') {
            uint32_t group = 0;
            i++;
            int rc = replacement_group(ctx, row, re, by, &i, &group);
            if (rc <= 0)
                return rc;
            piece = group_of(re, s, group);
        } else {
            i++;
        }
        if (piece.ptr != NULL && tsfs_buf_append_str(text, piece) != 0)
            return function_no_memory(ctx);
    }
    return 1;
}

static int replace_row(ROW_TEXT_ARGS)
{
    struct search m;
    struct tsfs_str match, by = nargs == 3 ? row_str(args, 2, row) : TSFS_STR("");
    int found = 0, rc = begin(ctx, args, row, &m);
    if (rc <= 0)
        return rc;
    const char *from = m.s.ptr;
    while ((found = find(ctx, row, &m, &match)) > 0) {
        if (tsfs_buf_append(text, from, (size_t)(match.ptr - from)) != 0)
            return function_no_memory(ctx);
        rc = put_replacement(ctx, row, m.re, m.s, by, text);
        if (rc <= 0)
            return rc;
        if (text->len > TSFS_RESULT_VARCHAR_MAX)
            return function_too_long(ctx, row, "regexp_replace");
        from = match.ptr + match.len;
    }
    if (found < 0)
        return found;
    if (tsfs_buf_append(text, from, (size_t)(m.s.ptr + m.s.len - from)) != 0)
        return function_no_memory(ctx);
    return text->len > TSFS_RESULT_VARCHAR_MAX ? function_too_long(ctx, row, "regexp_replace") : 1;
}

ROW_TEXT_KERNEL(replace)

/* regexp_replace(s, p, groups -> text): the groups of every match of all rows go to the lambda together. */
struct matched {
    uint32_t row;
    uint32_t start, end; /* bytes of the row's text */
};

struct matches {
    struct matched *items;
    const void **groups; /* struct tsfs_array * each */
    uint32_t *rows;
    uint32_t n, cap;
};

static int add_match(struct tsfs_kernel_ctx *ctx, struct matches *m, const struct regex *re, uint32_t row,
                     struct tsfs_str s)
{
    if (m->n == TSFS_ARRAY_MAX)
        return too_many(ctx);
    if (m->n == m->cap) {
        uint32_t cap = m->cap == 0 ? 64 : m->cap * 2;
        struct matched *items = tsfs_arena_alloc(ctx->arena, cap * sizeof(*items));
        const void **groups = tsfs_arena_alloc(ctx->arena, cap * sizeof(*groups));
        uint32_t *rows = tsfs_arena_alloc(ctx->arena, cap * sizeof(*rows));
        if (items == NULL || groups == NULL || rows == NULL)
            return function_no_memory(ctx);
        if (m->n > 0) {
            memcpy(items, m->items, m->n * sizeof(*items));
            memcpy(groups, m->groups, m->n * sizeof(*groups));
            memcpy(rows, m->rows, m->n * sizeof(*rows));
        }
        *m = (struct matches){items, groups, rows, m->n, cap};
    }
    struct tsfs_str match = group_of(re, s, 0);
    struct tsfs_vec_room room;
    const struct tsfs_array *array;
    if (tsfs_vec_room(ctx->arena, TSFS_VARCHAR, re->groups, &room) != 0)
        return function_no_memory(ctx);
    for (uint32_t g = 0; g < re->groups; g++) {
        struct tsfs_value v = {.type = TSFS_VARCHAR, .s = group_of(re, s, g + 1)};
        v.null = v.s.ptr == NULL;
        tsfs_vec_put_value(&room, TSFS_VARCHAR, g, &v);
    }
    struct tsfs_vec elems = tsfs_vec_of_room(TSFS_VARCHAR, &room, re->groups);
    int rc = nested_array(ctx, &elems, re->groups, &array);
    if (rc != 0)
        return rc;
    uint32_t start = (uint32_t)(match.ptr - s.ptr);
    m->items[m->n] = (struct matched){row, start, start + (uint32_t)match.len};
    m->groups[m->n] = array;
    m->rows[m->n++] = row;
    return 0;
}

static int replace_lambda(KERNEL_ARGS)
{
    struct matches m = {0};
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct search search;
        struct tsfs_str match;
        if (!row_valid(valid, i))
            continue;
        rc = begin(ctx, args, i, &search);
        while (rc > 0 && (rc = find(ctx, i, &search, &match)) > 0)
            if ((rc = add_match(ctx, &m, search.re, i, search.s)) == 0)
                rc = 1;
    }
    struct tsfs_vec by, groups = {.type = tsfs_type_array(TSFS_VARCHAR), .p = m.groups};
    struct tsfs_buf text = {0};
    struct tsfs_vec_room room;
    if (rc == 0)
        rc = ctx->lambda(ctx, 2, &groups, m.rows, m.n, ctx->arena, &by);
    if (rc == 0)
        rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0, k = 0; i < n && rc == 0; i++) {
        size_t from = 0;
        bool null = false;
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = row_str(args, 0, i);
        text.len = 0;
        for (; k < m.n && m.items[k].row == i && rc == 0; k++) {
            /* What is replaced by NULL makes the whole NULL. */
            null |= tsfs_vec_null(&by, k);
            if (null || text.len > TSFS_RESULT_VARCHAR_MAX)
                continue;
            if (tsfs_buf_append(&text, s.ptr + from, m.items[k].start - from) != 0 ||
                tsfs_buf_append_str(&text, by.s[row_at(&by, k)]) != 0)
                rc = function_no_memory(ctx);
            from = m.items[k].end;
        }
        if (rc != 0 || null)
            continue;
        if (tsfs_buf_append(&text, s.ptr + from, s.len - from) != 0)
            rc = function_no_memory(ctx);
        else if (text.len > TSFS_RESULT_VARCHAR_MAX)
            rc = function_too_long(ctx, i, "regexp_replace");
        else if ((rc = row_put_text(ctx, text.data, text.len, &((struct tsfs_str *)room.data)[i])) == 0)
            tsfs_bit_set(room.valid, i);
    }
    tsfs_buf_free(&text);
    if (rc == 0)
        nested_finish(&room, n, out);
    return rc;
}

#define POSITION(MORE)                                                                                       \
    SIG("regexp_position", "varchar, varchar" MORE " -> bigint", position,                                   \
        "regexp_position(s, p[, start[, k]]): where the k-th match from character start on begins, or -1")

static const struct tsfs_function items[] = {
    SIG("regexp_like", "varchar, varchar -> boolean", like, "regexp_like(s, p): whether p matches within s"),
    SIG("regexp_count", "varchar, varchar -> bigint", count,
        "regexp_count(s, p): the number of matches of p"),
    POSITION(""),
    POSITION(", bigint"),
    POSITION(", bigint, bigint"),
    SIG("regexp_extract", "varchar, varchar -> varchar", extract,
        "regexp_extract(s, p[, g]): the first match of p, or its group g"),
    SIG("regexp_extract", "varchar, varchar, bigint -> varchar", extract,
        "regexp_extract(s, p[, g]): the first match of p, or its group g"),
    SIG("regexp_extract_all", "varchar, varchar -> array(varchar)", extract_all,
        "regexp_extract_all(s, p[, g]): the array of all matches of p, or of their groups g"),
    SIG("regexp_extract_all", "varchar, varchar, bigint -> array(varchar)", extract_all,
        "regexp_extract_all(s, p[, g]): the array of all matches of p, or of their groups g"),
    SIG("regexp_split", "varchar, varchar -> array(varchar)", split,
        "regexp_split(s, p): the parts of s between the matches of p"),
    SIG("regexp_replace", "varchar, varchar -> varchar", replace,
        "regexp_replace(s, p[, r]): s with r ($1, ${name}: groups) in the place of the matches of p"),
    SIG("regexp_replace", "varchar, varchar, varchar -> varchar", replace,
        "regexp_replace(s, p[, r]): s with r ($1, ${name}: groups) in the place of the matches of p"),
    SIG("regexp_replace", "varchar, varchar, lambda(array(varchar) -> varchar) -> varchar", replace_lambda,
        "regexp_replace(s, p, g -> r): the same with r computed from the array of the match's groups"),
};

const struct function_table functions_regex = FUNCTION_TABLE(items);
