/* One table describes every setting: its key, kind, bounds and default.  Parsing, printing and validation
 * follow from it, so a new setting is one row here and one member of the struct. */
#include "catalog/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/num.h"
#include "base/time.h"
#include "catalog/names.h"

enum kind { DURATION, SIZE, CHOICE };

struct choice {
    const char *name;
    int64_t value;
};

struct setting {
    const char *key;
    enum kind kind;
    size_t offset; /* of the int64_t member */
    int64_t standard, least, most;
    int64_t step; /* the value must be a multiple of it; 0 = any */
    const struct choice *choices;
};

static const struct choice precisions[] = {
    {"ns", 1}, {"us", TSFS_NS_PER_US}, {"ms", TSFS_NS_PER_MS}, {"s", TSFS_NS_PER_S}, {NULL, 0}};
static const struct choice bad_lines[] = {
    {"stop", TSFS_BAD_LINE_STOP}, {"skip", TSFS_BAD_LINE_SKIP}, {NULL, 0}};

#define LONGEST    (INT64_C(106000) * TSFS_NS_PER_DAY) /* 290 years: what int64 nanoseconds hold */
#define AT(member) offsetof(struct tsfs_settings, member)

static const struct setting table[] = {
    {"memory_retention", DURATION, AT(memory_retention), 12 * TSFS_NS_PER_HOUR, TSFS_NS_PER_S, LONGEST, 0,
     NULL},
    {"cold_retention", DURATION, AT(cold_retention), 73000 * TSFS_NS_PER_DAY, TSFS_NS_PER_S, LONGEST, 0,
     NULL},
    {"partition", DURATION, AT(partition), TSFS_NS_PER_DAY, TSFS_NS_PER_HOUR, 30 * TSFS_NS_PER_DAY,
     TSFS_NS_PER_HOUR, NULL},
    {"precision", CHOICE, AT(precision), 1, 0, 0, 0, precisions},
    {"sync_interval", DURATION, AT(sync_interval), TSFS_NS_PER_S, 0, TSFS_NS_PER_HOUR, 0, NULL},
    {"on_bad_line", CHOICE, AT(on_bad_line), TSFS_BAD_LINE_STOP, 0, 0, 0, bad_lines},
    {"future_limit", DURATION, AT(future_limit), 15 * TSFS_NS_PER_MIN, 0, LONGEST, 0, NULL},
    {"query_timeout", DURATION, AT(query_timeout), TSFS_NS_PER_HOUR, 0, LONGEST, 0, NULL},
    {"query_memory", SIZE, AT(query_memory), INT64_C(1) << 30, 0, INT64_C(1) << 50, 0, NULL},
};
enum { SETTINGS = sizeof(table) / sizeof(table[0]) };

static int64_t *member(struct tsfs_settings *s, const struct setting *what)
{
    return (int64_t *)(void *)((char *)s + what->offset);
}

void tsfs_settings_default(struct tsfs_settings *out)
{
    for (int i = 0; i < SETTINGS; i++)
        *member(out, &table[i]) = table[i].standard;
}

static struct tsfs_str trim(struct tsfs_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t' || s.ptr[0] == '\r')) {
        s.ptr++;
        s.len--;
    }
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t' || s.ptr[s.len - 1] == '\r'))
        s.len--;
    return s;
}

/* "1G", "256M", "4096": binary multiples. */
static int parse_size(struct tsfs_str s, int64_t *out)
{
    static const char units[] = "KMGT";
    int shift = 0;
    if (s.len && (s.ptr[s.len - 1] == 'B' || s.ptr[s.len - 1] == 'b'))
        s.len--;
    if (s.len) {
        char last = (char)(s.ptr[s.len - 1] & ~0x20);
        const char *unit = memchr(units, last, 4);
        if (unit) {
            shift = 10 * (int)(unit - units + 1);
            s.len--;
        }
    }
    int rc = tsfs_num_parse_i64(s, out);
    if (rc < 0)
        return rc;
    if (*out < 0 || *out > (INT64_MAX >> shift))
        return -ERANGE;
    *out <<= shift;
    return 0;
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
    switch (what->kind) {
    case DURATION: return tsfs_duration_format(v, out);
    case SIZE: return format_size(v, out);
    case CHOICE:
        for (const struct choice *c = what->choices; c->name; c++) {
            if (c->value == v) {
                size_t n = strlen(c->name);
                memcpy(out, c->name, n);
                return (unsigned)n;
            }
        }
    }
    return 0;
}

static int parse_value(const struct setting *what, struct tsfs_str text, uint32_t line, int64_t *out,
                       struct tsfs_error *err)
{
    int rc = -EINVAL;
    int shown = (int)(text.len < 60 ? text.len : 60);
    if (what->kind == CHOICE) {
        char names[128] = "";
        for (const struct choice *c = what->choices; c->name; c++) {
            if (tsfs_str_eq(text, tsfs_str_from(c->name))) {
                *out = c->value;
                return 0;
            }
            size_t used = strlen(names);
            snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", c->name);
        }
        return tsfs_error_set_at(err, -EINVAL, line, 0, "%s = %.*s: must be one of %s", what->key, shown,
                                 text.ptr, names);
    }
    rc = what->kind == SIZE ? parse_size(text, out) : tsfs_duration_parse(text, out);
    if (rc == -EINVAL)
        return tsfs_error_set_at(err, -EINVAL, line, 0, "%s = %.*s: is not a %s", what->key, shown, text.ptr,
                                 what->kind == SIZE ? "size such as 256M or 2G"
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
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        struct tsfs_str one = trim((struct tsfs_str){text.ptr, n});
        size_t step = n + (end != NULL);
        text.ptr += step;
        text.len -= step;
        line++;
        if (one.len == 0 || one.ptr[0] == '#')
            continue;
        const char *equals = memchr(one.ptr, '=', one.len);
        if (!equals)
            return tsfs_error_set_at(err, -EINVAL, line, 0, "not a setting: write \"key = value\"");
        size_t at = (size_t)(equals - one.ptr);
        struct tsfs_str key = trim((struct tsfs_str){one.ptr, at});
        struct tsfs_str value = trim((struct tsfs_str){equals + 1, one.len - at - 1});
        const struct setting *what = find(key);
        if (!what)
            return unknown_key(key, line, err);
        int64_t v = 0;
        int rc = parse_value(what, value, line, &v, err);
        if (rc < 0)
            return rc;
        *member(&next, what) = v;
    }
    *settings = next;
    return 0;
}

int tsfs_settings_render(const struct tsfs_settings *settings, struct tsfs_buf *out)
{
    struct tsfs_settings copy = *settings;
    for (int i = 0; i < SETTINGS; i++) {
        char text[TSFS_TIME_TEXT_MAX];
        unsigned n = format_value(&table[i], *member(&copy, &table[i]), text);
        int rc = tsfs_buf_printf(out, "%s = %.*s\n", table[i].key, (int)n, text);
        if (rc < 0)
            return rc;
    }
    return 0;
}
