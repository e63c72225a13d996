/* The names of types, and the table of nested ones.
 *
 * An entry of the table is immutable once it is there and lives as long as the process, so that reading needs
 * no lock: a number can only be known to a thread that made the type or was handed it.  Making one looks for
 * an equal type under a mutex. */
#include "col/type.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/limits.h"

static const char *const names[TSFS_TYPE_COUNT] = {
    [TSFS_UNKNOWN] = "unknown",
    [TSFS_BOOLEAN] = "boolean",
    [TSFS_INTEGER] = "integer",
    [TSFS_BIGINT] = "bigint",
    [TSFS_DOUBLE] = "double",
    [TSFS_VARCHAR] = "varchar",
    [TSFS_TIMESTAMP] = "timestamp",
    [TSFS_DATE] = "date",
    [TSFS_TIME] = "time",
    [TSFS_INTERVAL_DS] = "interval day to second",
    [TSFS_INTERVAL_YM] = "interval year to month",
    [TSFS_VARBINARY] = "varbinary",
};

static const char *const variables[TSFS_TYPE_VARS] = {"T", "U", "S", "R"};

static const struct {
    const char *name;
    enum tsfs_type type;
} aliases[] = {
    {"bool", TSFS_BOOLEAN}, {"int", TSFS_INTEGER},    {"double precision", TSFS_DOUBLE},
    {"long", TSFS_BIGINT},  {"string", TSFS_VARCHAR},
};

struct nested {
    enum tsfs_type_kind kind;
    bool generic, holds_unknown;
    uint8_t depth;
    enum tsfs_type element;
    unsigned nfields;
    enum tsfs_type *fields;
    struct tsfs_str *field_names; /* of a row */
    char *name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(const struct nested *) table[TSFS_TYPES_MAX];
static uint32_t used;
static size_t bytes; /* of all names */
static struct tsfs_hash_index by_name;

static const struct nested *nested_of(enum tsfs_type type)
{
    unsigned i = (unsigned)type - TSFS_TYPE_NESTED;
    if (type < TSFS_TYPE_NESTED || i >= TSFS_TYPES_MAX)
        return NULL;
    return atomic_load_explicit(&table[i], memory_order_acquire);
}

const char *tsfs_type_name(enum tsfs_type type)
{
    if ((unsigned)type < TSFS_TYPE_COUNT)
        return names[type];
    if (tsfs_type_is_var(type))
        return variables[type - TSFS_TYPE_VAR];
    const struct nested *t = nested_of(type);
    return t != NULL ? t->name : "unknown";
}

static bool same(struct tsfs_str s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}

bool tsfs_type_from_name(struct tsfs_str name, enum tsfs_type *out)
{
    for (int t = TSFS_UNKNOWN + 1; t < TSFS_TYPE_COUNT; t++) {
        if (same(name, names[t])) {
            *out = (enum tsfs_type)t;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (same(name, aliases[i].name)) {
            *out = aliases[i].type;
            return true;
        }
    }
    return false;
}

unsigned tsfs_type_width(enum tsfs_type type)
{
    switch (type) {
    case TSFS_UNKNOWN: return 0;
    case TSFS_BOOLEAN: return 1;
    case TSFS_DOUBLE: return sizeof(double);
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return sizeof(struct tsfs_str);
    default: return sizeof(int64_t);
    }
}

enum tsfs_type_kind tsfs_type_kind(enum tsfs_type type)
{
    const struct nested *t = nested_of(type);
    return t != NULL ? t->kind : TSFS_KIND_SCALAR;
}

enum tsfs_type tsfs_type_element(enum tsfs_type type)
{
    const struct nested *t = nested_of(type);
    return t != NULL ? t->element : TSFS_UNKNOWN;
}

unsigned tsfs_type_nfields(enum tsfs_type type)
{
    const struct nested *t = nested_of(type);
    return t != NULL ? t->nfields : 0;
}

enum tsfs_type tsfs_type_field(enum tsfs_type type, unsigned i)
{
    const struct nested *t = nested_of(type);
    return t != NULL && i < t->nfields ? t->fields[i] : TSFS_UNKNOWN;
}

struct tsfs_str tsfs_type_field_name(enum tsfs_type type, unsigned i)
{
    const struct nested *t = nested_of(type);
    if (t == NULL || i >= t->nfields || t->field_names == NULL)
        return (struct tsfs_str){0};
    return t->field_names[i];
}

bool tsfs_type_generic(enum tsfs_type type)
{
    const struct nested *t = nested_of(type);
    return t != NULL ? t->generic : tsfs_type_is_var(type);
}

bool tsfs_type_holds_unknown(enum tsfs_type type)
{
    const struct nested *t = nested_of(type);
    return t != NULL ? t->holds_unknown : type == TSFS_UNKNOWN;
}

/* ---- making ---- */

static int put_field_name(struct tsfs_buf *out, struct tsfs_str name)
{
    bool plain = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (size_t i = 0; i < name.len && plain; i++) {
        char c = name.ptr[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    if (plain)
        return tsfs_buf_append_str(out, name);
    int rc = tsfs_buf_append(out, "\"", 1);
    for (size_t i = 0; i < name.len && rc == 0; i++)
        rc = tsfs_buf_append(out, name.ptr[i] == '"' ? "\"\"" : &name.ptr[i], name.ptr[i] == '"' ? 2 : 1);
    return rc != 0 ? rc : tsfs_buf_append(out, "\"", 1);
}

/* A name tells a type from every other: field names are quoted unless they are plain words. */
static int put_name(struct tsfs_buf *out, const struct nested *t)
{
    static const char *const heads[] = {[TSFS_KIND_ARRAY] = "array(",
                                        [TSFS_KIND_ROW] = "row(",
                                        [TSFS_KIND_TIMESERIES] = "timeseries(",
                                        [TSFS_KIND_POINT] = "point(",
                                        [TSFS_KIND_LAMBDA] = "lambda("};
    int rc = tsfs_buf_append_str(out, tsfs_str_from(heads[t->kind]));
    for (unsigned i = 0; i < t->nfields && rc == 0; i++) {
        if (i > 0)
            rc = tsfs_buf_append(out, ", ", 2);
        if (rc == 0 && t->field_names != NULL && t->field_names[i].ptr != NULL) {
            rc = put_field_name(out, t->field_names[i]);
            if (rc == 0)
                rc = tsfs_buf_append(out, " ", 1);
        }
        if (rc == 0)
            rc = tsfs_buf_append_str(out, tsfs_str_from(tsfs_type_name(t->fields[i])));
        if (out->len > TSFS_TYPE_NAME_MAX)
            return -1;
    }
    if (rc == 0 && t->kind == TSFS_KIND_LAMBDA)
        rc = tsfs_buf_append(out, " -> ", 4);
    if (rc == 0 && t->kind != TSFS_KIND_ROW)
        rc = tsfs_buf_append_str(out, tsfs_str_from(tsfs_type_name(t->element)));
    if (rc == 0)
        rc = tsfs_buf_append(out, ")", 2); /* and its NUL */
    return rc != 0 || out->len > TSFS_TYPE_NAME_MAX ? -1 : 0;
}

static bool named(const void *ctx, uint32_t number)
{
    const struct nested *t = atomic_load_explicit(&table[number], memory_order_relaxed);
    return strcmp(t->name, ctx) == 0;
}

static void destroy(struct nested *t)
{
    if (t == NULL)
        return;
    for (unsigned i = 0; t->field_names != NULL && i < t->nfields; i++)
        free((char *)(uintptr_t)t->field_names[i].ptr);
    free(t->field_names);
    free(t->fields);
    free(t->name);
    free(t);
}

/* A copy of *like that owns what it points to; name is taken. */
static struct nested *keep(const struct nested *like, char *name)
{
    struct nested *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        free(name);
        return NULL;
    }
    *t = *like;
    t->name = name;
    t->fields = calloc(like->nfields > 0 ? like->nfields : 1, sizeof(*t->fields));
    t->field_names = like->field_names == NULL ? NULL : calloc(like->nfields, sizeof(*t->field_names));
    if (t->fields == NULL || (like->field_names != NULL && t->field_names == NULL))
        goto fail;
    for (unsigned i = 0; i < like->nfields; i++) {
        t->fields[i] = like->fields[i];
        if (like->field_names == NULL || like->field_names[i].ptr == NULL)
            continue;
        struct tsfs_str from = like->field_names[i];
        char *copy = strndup(from.ptr, from.len);
        if (copy == NULL)
            goto fail;
        t->field_names[i] = (struct tsfs_str){copy, from.len};
    }
    return t;
fail:
    destroy(t);
    return NULL;
}

static enum tsfs_type intern(struct nested *like)
{
    unsigned depth = 0;
    for (unsigned i = 0; i <= like->nfields; i++) {
        enum tsfs_type part = i < like->nfields ? like->fields[i] : like->element;
        const struct nested *t = nested_of(part);
        if (part >= TSFS_TYPE_NESTED && t == NULL)
            return TSFS_UNKNOWN;
        if (t != NULL && t->depth > depth)
            depth = t->depth;
        like->generic |= tsfs_type_generic(part);
        like->holds_unknown |=
            !(i == like->nfields && like->kind == TSFS_KIND_ROW) && tsfs_type_holds_unknown(part);
    }
    if (depth + 1 > TSFS_TYPE_DEPTH_MAX)
        return TSFS_UNKNOWN;
    like->depth = (uint8_t)(depth + 1);
    struct tsfs_buf name = {0};
    if (put_name(&name, like) != 0) {
        tsfs_buf_free(&name);
        return TSFS_UNKNOWN;
    }
    enum tsfs_type type = TSFS_UNKNOWN;
    pthread_mutex_lock(&lock);
    uint64_t hash = tsfs_hash(name.data, name.len);
    uint32_t number = tsfs_hash_index_find(&by_name, hash, named, name.data);
    if (number != TSFS_HASH_NONE) {
        tsfs_buf_free(&name);
        type = (enum tsfs_type)(TSFS_TYPE_NESTED + number);
    } else if (used < TSFS_TYPES_MAX && bytes + name.len <= TSFS_TYPES_BYTES_MAX) {
        size_t len = name.len;
        struct nested *t = keep(like, name.data);
        if (t != NULL && tsfs_hash_index_add(&by_name, hash, used) == 0) {
            atomic_store_explicit(&table[used], t, memory_order_release);
            type = (enum tsfs_type)(TSFS_TYPE_NESTED + used++);
            bytes += len;
        } else {
            destroy(t);
        }
    } else {
        tsfs_buf_free(&name);
    }
    pthread_mutex_unlock(&lock);
    return type;
}

enum tsfs_type tsfs_type_array(enum tsfs_type element)
{
    return intern(&(struct nested){.kind = TSFS_KIND_ARRAY, .element = element});
}

enum tsfs_type tsfs_type_timeseries(enum tsfs_type value)
{
    return intern(&(struct nested){.kind = TSFS_KIND_TIMESERIES, .element = value});
}

enum tsfs_type tsfs_type_point(enum tsfs_type value)
{
    return intern(&(struct nested){.kind = TSFS_KIND_POINT, .element = value});
}

enum tsfs_type tsfs_type_row(const enum tsfs_type *fields, const struct tsfs_str *field_names, unsigned n)
{
    bool any = false;
    for (unsigned i = 0; field_names != NULL && i < n; i++)
        any |= field_names[i].ptr != NULL;
    return intern(&(struct nested){.kind = TSFS_KIND_ROW,
                                   .nfields = n,
                                   .fields = (enum tsfs_type *)(uintptr_t)fields,
                                   .field_names = any ? (struct tsfs_str *)(uintptr_t)field_names : NULL});
}

enum tsfs_type tsfs_type_lambda(const enum tsfs_type *params, unsigned n, enum tsfs_type result)
{
    return intern(&(struct nested){.kind = TSFS_KIND_LAMBDA,
                                   .nfields = n,
                                   .fields = (enum tsfs_type *)(uintptr_t)params,
                                   .element = result});
}

/* ---- reading ---- */

#define PARSED_FIELDS_MAX 8 /* signatures are short */

static void skip_blanks(struct tsfs_str *s)
{
    while (s->len > 0 && *s->ptr == ' ') {
        s->ptr++;
        s->len--;
    }
}

static bool accept(struct tsfs_str *s, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(s);
    if (s->len < n || strncasecmp(s->ptr, word, n) != 0)
        return false;
    s->ptr += n;
    s->len -= n;
    return true;
}

static bool parse(struct tsfs_str *s, enum tsfs_type *out, unsigned depth)
{
    if (depth > TSFS_TYPE_DEPTH_MAX)
        return false;
    if (accept(s, "array(")) {
        if (!parse(s, out, depth + 1) || !accept(s, ")"))
            return false;
        *out = tsfs_type_array(*out);
    } else if (accept(s, "timeseries(")) {
        if (!parse(s, out, depth + 1) || !accept(s, ")"))
            return false;
        *out = tsfs_type_timeseries(*out);
    } else if (accept(s, "point(")) {
        if (!parse(s, out, depth + 1) || !accept(s, ")"))
            return false;
        *out = tsfs_type_point(*out);
    } else if (accept(s, "lambda(") || accept(s, "row(")) {
        bool lambda = s->ptr[-2] == 'a';
        enum tsfs_type fields[PARSED_FIELDS_MAX], result = TSFS_UNKNOWN;
        unsigned n = 0;
        do {
            if (n == PARSED_FIELDS_MAX || !parse(s, &fields[n++], depth + 1))
                return false;
        } while (accept(s, ","));
        if ((lambda && (!accept(s, "->") || !parse(s, &result, depth + 1))) || !accept(s, ")"))
            return false;
        *out = lambda ? tsfs_type_lambda(fields, n, result) : tsfs_type_row(fields, NULL, n);
    } else {
        skip_blanks(s);
        size_t len = 0;
        while (len < s->len && s->ptr[len] != ',' && s->ptr[len] != ')' && s->ptr[len] != '-')
            len++;
        struct tsfs_str word = {s->ptr, len};
        while (word.len > 0 && word.ptr[word.len - 1] == ' ')
            word.len--;
        s->ptr += len;
        s->len -= len;
        for (int v = 0; v < TSFS_TYPE_VARS; v++)
            if (tsfs_str_eq(word, tsfs_str_from(variables[v]))) {
                *out = (enum tsfs_type)(TSFS_TYPE_VAR + v);
                return true;
            }
        if (same(word, "unknown")) {
            *out = TSFS_UNKNOWN;
            return true;
        }
        return tsfs_type_from_name(word, out);
    }
    return *out != TSFS_UNKNOWN;
}

bool tsfs_type_parse(struct tsfs_str text, enum tsfs_type *out)
{
    if (!parse(&text, out, 0))
        return false;
    skip_blanks(&text);
    return text.len == 0;
}
