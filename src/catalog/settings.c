/* One table describes every setting: its key, kind, bounds and default.  Parsing, printing and validation
 * follow from it, so a new setting is one row here and one member of the struct. */
#include "catalog/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/decimal.h"
#include "base/num.h"
#include "base/time.h"
#include "catalog/names.h"

enum kind { DURATION, SIZE, CHOICE, DECIMALS };

struct choice {
    const char *name;
    int64_t value;
};

struct setting {
    const char *key;
    enum kind kind;
    size_t offset; /* of the member: an int64_t, but for DECIMALS */
    int64_t standard, least, most;
    int64_t step;                 /* the value must be a multiple of it; 0 = any */
    const struct choice *choices; /* of a DURATION: what may stand instead of one */
};

static const struct choice precisions[] = {
    {"ns", 1}, {"us", TSFS_NS_PER_US}, {"ms", TSFS_NS_PER_MS}, {"s", TSFS_NS_PER_S}, {NULL, 0}};
static const struct choice bad_lines[] = {
    {"stop", TSFS_BAD_LINE_STOP}, {"skip", TSFS_BAD_LINE_SKIP}, {NULL, 0}};
static const struct choice partitions[] = {{"auto", TSFS_PARTITION_AUTO}, {NULL, 0}};

#define LONGEST    (INT64_C(106000) * TSFS_NS_PER_DAY) /* 290 years: what int64 nanoseconds hold */
#define AT(member) offsetof(struct tsfs_settings, member)

static const struct setting table[] = {
    {"memory_retention", DURATION, AT(memory_retention), 12 * TSFS_NS_PER_HOUR, TSFS_NS_PER_S, LONGEST, 0,
     NULL},
    {"cold_retention", DURATION, AT(cold_retention), 73000 * TSFS_NS_PER_DAY, TSFS_NS_PER_S, LONGEST, 0,
     NULL},
    {"partition", DURATION, AT(partition), TSFS_PARTITION_AUTO, TSFS_NS_PER_HOUR,
     TSFS_PARTITION_DAYS_MAX *TSFS_NS_PER_DAY, TSFS_NS_PER_HOUR, partitions},
    {"precision", CHOICE, AT(precision), 1, 0, 0, 0, precisions},
    {"sync_interval", DURATION, AT(sync_interval), TSFS_NS_PER_S, 0, TSFS_NS_PER_HOUR, 0, NULL},
    {"on_bad_line", CHOICE, AT(on_bad_line), TSFS_BAD_LINE_STOP, 0, 0, 0, bad_lines},
    {"future_limit", DURATION, AT(future_limit), 15 * TSFS_NS_PER_MIN, 0, LONGEST, 0, NULL},
    {"query_timeout", DURATION, AT(query_timeout), TSFS_NS_PER_HOUR, 0, LONGEST, 0, NULL},
    {"query_memory", SIZE, AT(query_memory), INT64_C(1) << 30, 0, INT64_C(1) << 50, 0, NULL},
    {"decimals", DECIMALS, AT(decimals), 0, 0, 0, 0, NULL},
};
enum { SETTINGS = sizeof(table) / sizeof(table[0]) };

static int64_t *member(struct tsfs_settings *s, const struct setting *what)
{
    return (int64_t *)(void *)((char *)s + what->offset);
}

void tsfs_settings_default(struct tsfs_settings *out)
{
    memset(out, 0, sizeof(*out)); /* which is also the text of no decimals */
    for (int i = 0; i < SETTINGS; i++)
        if (table[i].kind != DECIMALS)
            *member(out, &table[i]) = table[i].standard;
}

static unsigned format_size(int64_t v, char out[TSFS_TIME_TEXT_MAX])
{
    static const char units[] = "TGMK";
    for (int i = 0; i < 4; i++) {
        int shift = 40 - 10 * i;
        if (v && (v & ((INT64_C(1) << shift) - 1)) == 0) {
            unsigned n = tsfs_num_format_i64(v >> shift, out);
            out[n] = units[i];
            return n + 1;
        }
    }
    return tsfs_num_format_i64(v, out);
}

static unsigned format_value(const struct setting *what, int64_t v, char out[TSFS_TIME_TEXT_MAX])
{
    for (const struct choice *c = what->choices; c && c->name; c++) {
        if (c->value == v) {
            size_t n = strlen(c->name);
            memcpy(out, c->name, n);
            return (unsigned)n;
        }
    }
    switch (what->kind) {
    case DURATION: return tsfs_duration_format(v, out);
    case SIZE: return format_size(v, out);
    case CHOICE:
    case DECIMALS: break;
    }
    return 0;
}

/* ---- decimals ---- */

/* The next "name:scale" of a list, name as spelled; false at the end.  *scale is as far as digits go. */
static bool next_decimal(struct tsfs_str *list, struct tsfs_str *name, struct tsfs_str *scale)
{
    if (list->len == 0)
        return false;
    size_t end = 0, colon = SIZE_MAX;
    for (; end < list->len && list->ptr[end] != ','; end++) {
        if (list->ptr[end] == '\\' && end + 1 < list->len)
            end++;
        else if (list->ptr[end] == ':')
            colon = end;
    }
    size_t stop = colon < end ? colon : end;
    *name = tsfs_str_trim((struct tsfs_str){list->ptr, stop});
    *scale = stop < end ? tsfs_str_trim((struct tsfs_str){list->ptr + stop + 1, end - stop - 1})
                        : (struct tsfs_str){list->ptr + end, 0};
    list->ptr += end;
    list->len -= end;
    if (list->len > 0) { /* the comma */
        list->ptr++;
        list->len--;
    }
    return true;
}

/* Whether name has a colon without a backslash: most likely two entries without a comma between them. */
static bool has_colon(struct tsfs_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == ':')
            return true;
        i += name.ptr[i] == '\\';
    }
    return false;
}

/* name without its backslashes: room for TSFS_COLUMN_NAME_MAX bytes; SIZE_MAX = longer than that. */
static size_t plain_name(struct tsfs_str name, char out[TSFS_COLUMN_NAME_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '\\' && i + 1 < name.len)
            i++;
        if (n == TSFS_COLUMN_NAME_MAX)
            return SIZE_MAX;
        out[n++] = name.ptr[i];
    }
    return n;
}

bool tsfs_settings_scale(const struct tsfs_settings *settings, struct tsfs_str name, unsigned *scale)
{
    struct tsfs_str list = tsfs_str_from(settings->decimals), have, digits;
    char plain[TSFS_COLUMN_NAME_MAX];
    int64_t v;
    while (next_decimal(&list, &have, &digits)) {
        size_t n = plain_name(have, plain);
        if (n != name.len || memcmp(plain, name.ptr, n) != 0 || tsfs_num_parse_i64(digits, &v) != 0)
            continue;
        *scale = (unsigned)v;
        return true;
    }
    return false;
}

/* Checks every entry and puts the list into the form in which it is kept. */
static int parse_decimals(struct tsfs_settings *settings, struct tsfs_str text, uint32_t line,
                          struct tsfs_error *err)
{
    struct tsfs_settings made = {.decimals = ""};
    struct tsfs_str name, digits;
    char plain[TSFS_COLUMN_NAME_MAX];
    size_t used = 0;
    unsigned have;
    while (next_decimal(&text, &name, &digits)) {
        int shown = (int)(name.len < 60 ? name.len : 60);
        int64_t scale = -1;
        size_t n = plain_name(name, plain);
        if (n == 0 || n == SIZE_MAX || has_colon(name))
            return tsfs_error_set_at(err, -EINVAL, line, 0,
                                     "decimals: \"%.*s\" is no measure's name; write name:digits,name:digits "
                                     "(and a colon in a name as \\:)",
                                     shown, name.ptr);
        if (tsfs_num_parse_i64(digits, &scale) != 0 || scale < 0 || scale > TSFS_DECIMAL_SCALE_MAX)
            return tsfs_error_set_at(err, -EINVAL, line, 0,
                                     "decimals: %.*s needs the number of its digits after the point, 0 to %d",
                                     shown, name.ptr, TSFS_DECIMAL_SCALE_MAX);
        if (tsfs_settings_scale(&made, (struct tsfs_str){plain, n}, &have))
            return tsfs_error_set_at(err, -EINVAL, line, 0, "decimals: %.*s comes twice", shown, name.ptr);
        if (name.len + 5 > sizeof(made.decimals) - used)
            return tsfs_error_set_at(err, -EINVAL, line, 0, "decimals: the list is longer than %u bytes",
                                     TSFS_DECIMALS_MAX - 1);
        used += (size_t)snprintf(made.decimals + used, sizeof(made.decimals) - used, "%s%.*s:%d",
                                 used ? "," : "", (int)name.len, name.ptr, (int)scale);
    }
    memcpy(settings->decimals, made.decimals, sizeof(made.decimals));
    return 0;
}

static int parse_value(const struct setting *what, struct tsfs_str text, uint32_t line, int64_t *out,
                       struct tsfs_error *err)
{
    int rc = -EINVAL;
    int shown = (int)(text.len < 60 ? text.len : 60);
    for (const struct choice *c = what->choices; c && c->name; c++) {
        if (tsfs_str_eq(text, tsfs_str_from(c->name))) {
            *out = c->value;
            return 0;
        }
    }
    if (what->kind == CHOICE) {
        char names[128] = "";
        for (const struct choice *c = what->choices; c->name; c++) {
            size_t used = strlen(names);
            snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", c->name);
        }
        return tsfs_error_set_at(err, -EINVAL, line, 0, "%s = %.*s: must be one of %s", what->key, shown,
                                 text.ptr, names);
    }
    rc = what->kind == SIZE ? tsfs_num_parse_size(text, out) : tsfs_duration_parse(text, out);
    if (rc == -EINVAL)
        return tsfs_error_set_at(err, -EINVAL, line, 0, "%s = %.*s: is not a %s", what->key, shown, text.ptr,
                                 what->kind == SIZE ? "size such as 256M or 2G"
                                 : what->choices    ? "duration such as 12h, 1d or 30d, nor \"auto\""
                                                    : "duration such as 90s, 15m, 12h, 30d or 10y");
    if (rc < 0 || *out < what->least || *out > what->most) {
        char low[TSFS_TIME_TEXT_MAX], high[TSFS_TIME_TEXT_MAX];
        unsigned nlow = format_value(what, what->least, low), nhigh = format_value(what, what->most, high);
        return tsfs_error_set_at(err, -EINVAL, line, 0, "%s = %.*s: must be from %.*s to %.*s", what->key,
                                 shown, text.ptr, (int)nlow, low, (int)nhigh, high);
    }
    if (what->step && *out % what->step != 0)
        return tsfs_error_set_at(err, -EINVAL, line, 0, "%s = %.*s: must be whole hours", what->key, shown,
                                 text.ptr);
    return 0;
}

static const struct setting *find(struct tsfs_str key)
{
    for (int i = 0; i < SETTINGS; i++)
        if (tsfs_str_eq(key, tsfs_str_from(table[i].key)))
            return &table[i];
    return NULL;
}

static int unknown_key(struct tsfs_str key, uint32_t line, struct tsfs_error *err)
{
    struct tsfs_str names[SETTINGS];
    for (int i = 0; i < SETTINGS; i++)
        names[i] = tsfs_str_from(table[i].key);
    struct tsfs_str nearest = tsfs_name_nearest(key, names, SETTINGS);
    int shown = (int)(key.len < 60 ? key.len : 60);
    if (nearest.ptr)
        return tsfs_error_set_at(err, -EINVAL, line, 0, "no setting \"%.*s\" (did you mean \"%s\"?)", shown,
                                 key.ptr, nearest.ptr);
    return tsfs_error_set_at(err, -EINVAL, line, 0, "no setting \"%.*s\"", shown, key.ptr);
}

int tsfs_settings_parse(struct tsfs_settings *settings, struct tsfs_str text, struct tsfs_error *err)
{
    struct tsfs_settings next = *settings;
    uint32_t line = 0;
    while (text.len) {
        struct tsfs_str one = tsfs_str_trim(tsfs_str_cut(&text, '\n'));
        line++;
        if (one.len == 0 || one.ptr[0] == '#')
            continue;
        if (!memchr(one.ptr, '=', one.len))
            return tsfs_error_set_at(err, -EINVAL, line, 0, "not a setting: write \"key = value\"");
        struct tsfs_str key = tsfs_str_trim(tsfs_str_cut(&one, '=')), value = tsfs_str_trim(one);
        const struct setting *what = find(key);
        if (!what)
            return unknown_key(key, line, err);
        int64_t v = 0;
        int rc = what->kind == DECIMALS ? parse_decimals(&next, value, line, err)
                                        : parse_value(what, value, line, &v, err);
        if (rc < 0)
            return rc;
        if (what->kind != DECIMALS)
            *member(&next, what) = v;
    }
    *settings = next;
    return 0;
}

/* The value of setting i as text; number is room for it. */
static struct tsfs_str value_text(const struct tsfs_settings *settings, int i,
                                  char number[TSFS_TIME_TEXT_MAX])
{
    struct tsfs_settings copy = *settings;
    if (table[i].kind == DECIMALS)
        return tsfs_str_from(settings->decimals);
    return (struct tsfs_str){number, format_value(&table[i], *member(&copy, &table[i]), number)};
}

static int render_line(const struct tsfs_settings *settings, int i, struct tsfs_buf *out)
{
    char number[TSFS_TIME_TEXT_MAX];
    struct tsfs_str text = value_text(settings, i, number);
    return tsfs_buf_printf(out, "%s =%s%.*s\n", table[i].key, text.len ? " " : "", (int)text.len, text.ptr);
}

int tsfs_settings_render(const struct tsfs_settings *settings, struct tsfs_buf *out)
{
    int rc = 0;
    for (int i = 0; i < SETTINGS && rc == 0; i++)
        rc = render_line(settings, i, out);
    return rc;
}

int tsfs_settings_render_changed(const struct tsfs_settings *settings, struct tsfs_buf *out)
{
    struct tsfs_settings defaults;
    int rc = 0;
    tsfs_settings_default(&defaults);
    for (int i = 0; i < SETTINGS && rc == 0; i++) {
        char number[TSFS_TIME_TEXT_MAX], other[TSFS_TIME_TEXT_MAX];
        if (!tsfs_str_eq(value_text(settings, i, number), value_text(&defaults, i, other)))
            rc = render_line(settings, i, out);
    }
    return rc;
}
