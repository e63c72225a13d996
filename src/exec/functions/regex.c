/* regexp_like, regexp_extract, regexp_extract_all, regexp_replace, regexp_split; Trino's rules:
 *
 * A group that took no part in a match is NULL.  Matches do not overlap; behind an empty one the search goes
 * on one code point further.  A replacement's $1 and ${name} are groups (nothing, if they took no part), \x
 * is x.
 */
#include "exec/functions/nested_priv.h"
#include "exec/functions/regex_cache.h"

static struct tsfs_str str(const struct tsfs_vec *args, unsigned arg, uint32_t row)
{
    struct tsfs_str s = args[arg].s[row_at(&args[arg], row)];
    return s.ptr != NULL ? s : TSFS_STR("");
}

/* Group g of the last match; ptr NULL if it took no part. */
static struct tsfs_str group_of(const struct regex *re, struct tsfs_str s, uint32_t g)
{
    const size_t *ends = pcre2_get_ovector_pointer(re->match);
    size_t from = ends[2 * g], to = ends[2 * g + 1];
    if (from == PCRE2_UNSET || to == PCRE2_UNSET || to < from)
        return (struct tsfs_str){0};
    return (struct tsfs_str){s.ptr + from, to - from};
}

/* Where to look for the match behind this one; SIZE_MAX = nowhere. */
static size_t behind(struct tsfs_str s, struct tsfs_str match)
{
    size_t end = (size_t)(match.ptr - s.ptr) + match.len;
    if (match.len > 0)
        return end;
    if (end == s.len)
        return SIZE_MAX;
    for (end++; end < s.len && ((unsigned char)s.ptr[end] & 0xc0) == 0x80;)
        end++;
    return end;
}

static int like(KERNEL_ARGS)
{
    uint8_t *r = function_calloc(ctx, out, n, sizeof(*r));
    int rc = r == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct regex *re;
        if (!row_valid(valid, i))
            continue;
        rc = regex_get(ctx, i, str(args, 1, i), &re);
        if (rc != 0 || re == NULL)
            continue;
        int found = regex_find(ctx, i, re, str(args, 0, i), 0);
        rc = found < 0 ? found : 0;
        r[i] = found > 0;
    }
    return rc;
}

/* The group that the third argument names; false: an error, or the row was marked. */
static bool wanted_group(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs,
                         uint32_t row, const struct regex *re, uint32_t *group, int *rc)
{
    int64_t g = nargs == 3 ? args[2].i[row_at(&args[2], row)] : 0;
    *rc = 0;
    *group = (uint32_t)g;
    if (g >= 0 && g <= re->groups)
        return true;
    *rc = function_fail(ctx, row, "the regular expression has %u group%s, there is no group %lld", re->groups,
                        re->groups == 1 ? "" : "s", (long long)g);
    return false;
}

static int extract(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct regex *re;
        uint32_t group = 0;
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = str(args, 0, i);
        rc = regex_get(ctx, i, str(args, 1, i), &re);
        if (rc != 0 || re == NULL || !wanted_group(ctx, args, nargs, i, re, &group, &rc))
            continue;
        int found = regex_find(ctx, i, re, s, 0);
        rc = found < 0 ? found : 0;
        if (found <= 0)
            continue;
        ((struct tsfs_str *)room.data)[i] = group_of(re, s, group);
        if (((struct tsfs_str *)room.data)[i].ptr != NULL)
            tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return rc;
}

/* Strings gathered one by one. */
struct strings {
    struct tsfs_str *items; /* ptr NULL = NULL */
    uint32_t n, cap;
};

static int add(struct tsfs_kernel_ctx *ctx, uint32_t row, struct strings *list, struct tsfs_str s)
{
    if (list->n == TSFS_ARRAY_MAX)
        return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column, "more than %u matches",
                                 TSFS_ARRAY_MAX);
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

static int extract_all(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct regex *re;
        struct strings list = {0};
        uint32_t group = 0;
        int found = 0;
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = str(args, 0, i);
        rc = regex_get(ctx, i, str(args, 1, i), &re);
        if (rc != 0 || re == NULL || !wanted_group(ctx, args, nargs, i, re, &group, &rc))
            continue;
        for (size_t at = 0; rc == 0 && at != SIZE_MAX && (found = regex_find(ctx, i, re, s, at)) > 0;) {
            at = behind(s, group_of(re, s, 0));
            rc = add(ctx, i, &list, group_of(re, s, group));
        }
        if (rc == 0)
            rc = found < 0 ? found : put_list(ctx, &room, i, &list);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int split(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct regex *re;
        struct strings list = {0};
        size_t from = 0;
        int found = 0;
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = str(args, 0, i);
        rc = regex_get(ctx, i, str(args, 1, i), &re);
        if (rc != 0 || re == NULL)
            continue;
        for (size_t at = 0; rc == 0 && at != SIZE_MAX && (found = regex_find(ctx, i, re, s, at)) > 0;) {
            struct tsfs_str match = group_of(re, s, 0);
            size_t start = (size_t)(match.ptr - s.ptr);
            at = behind(s, match);
            rc = add(ctx, i, &list, (struct tsfs_str){s.ptr + from, start - from});
            from = start + match.len;
        }
        if (rc == 0)
            rc = found < 0 ? found : add(ctx, i, &list, (struct tsfs_str){s.ptr + from, s.len - from});
        if (rc == 0)
            rc = put_list(ctx, &room, i, &list);
    }
    nested_finish(&room, n, out);
    return rc;
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

/* text as row's result, which may be too long. */
static int put_text(struct tsfs_kernel_ctx *ctx, uint32_t row, const struct tsfs_buf *text,
                    struct tsfs_str *r)
{
    char *copy = function_bytes(ctx, text->len);
    if (copy == NULL)
        return -ENOMEM;
    if (text->len > 0)
        memcpy(copy, text->data, text->len);
    *r = (struct tsfs_str){copy, text->len};
    return 0;
}

static int too_long(struct tsfs_kernel_ctx *ctx, uint32_t row)
{
    return function_fail(ctx, row, "regexp_replace: the result would be longer than %u bytes",
                         TSFS_RESULT_VARCHAR_MAX);
}

static int replace(KERNEL_ARGS)
{
    struct tsfs_str *r = function_calloc(ctx, out, n, sizeof(*r));
    struct tsfs_buf text = {0};
    int rc = r == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct regex *re;
        size_t from = 0;
        int found = 0, put = 1;
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = str(args, 0, i), by = nargs == 3 ? str(args, 2, i) : TSFS_STR("");
        rc = regex_get(ctx, i, str(args, 1, i), &re);
        if (rc != 0 || re == NULL)
            continue;
        text.len = 0;
        for (size_t at = 0; put > 0 && at != SIZE_MAX && (found = regex_find(ctx, i, re, s, at)) > 0;) {
            struct tsfs_str match = group_of(re, s, 0);
            size_t start = (size_t)(match.ptr - s.ptr);
            at = behind(s, match);
            if (tsfs_buf_append(&text, s.ptr + from, start - from) != 0)
                put = function_no_memory(ctx);
            else
                put = put_replacement(ctx, i, re, s, by, &text);
            from = start + match.len;
            if (put > 0 && text.len > TSFS_RESULT_VARCHAR_MAX)
                put = too_long(ctx, i);
        }
        if (found < 0 || put < 0) {
            rc = found < 0 ? found : put;
        } else if (put > 0) {
            if (tsfs_buf_append(&text, s.ptr + from, s.len - from) != 0)
                rc = function_no_memory(ctx);
            else
                rc = text.len > TSFS_RESULT_VARCHAR_MAX ? too_long(ctx, i) : put_text(ctx, i, &text, &r[i]);
        }
    }
    tsfs_buf_free(&text);
    return rc;
}

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
    if (m->n == m->cap) {
        uint32_t cap = m->cap == 0 ? 64 : m->cap * 2;
        struct matched *items = tsfs_arena_alloc(ctx->arena, cap * sizeof(*items));
        const void **groups = tsfs_arena_alloc(ctx->arena, cap * sizeof(*groups));
        uint32_t *rows = tsfs_arena_alloc(ctx->arena, cap * sizeof(*rows));
        if (items == NULL || groups == NULL || rows == NULL || m->n >= TSFS_ARRAY_MAX)
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
        struct regex *re;
        int found = 0;
        if (!row_valid(valid, i))
            continue;
        struct tsfs_str s = str(args, 0, i);
        rc = regex_get(ctx, i, str(args, 1, i), &re);
        if (rc != 0 || re == NULL)
            continue;
        for (size_t at = 0; rc == 0 && at != SIZE_MAX && (found = regex_find(ctx, i, re, s, at)) > 0;) {
            at = behind(s, group_of(re, s, 0));
            rc = add_match(ctx, &m, re, i, s);
        }
        rc = rc == 0 && found < 0 ? found : rc;
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
        struct tsfs_str s = str(args, 0, i);
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
            rc = too_long(ctx, i);
        else if ((rc = put_text(ctx, i, &text, &((struct tsfs_str *)room.data)[i])) == 0)
            tsfs_bit_set(room.valid, i);
    }
    tsfs_buf_free(&text);
    if (rc == 0)
        nested_finish(&room, n, out);
    return rc;
}

static const struct tsfs_function items[] = {
    SIG("regexp_like", "varchar, varchar -> boolean", like, "regexp_like(s, p): whether p matches within s"),
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
