#include "col/type.h"

#include <strings.h>

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
};

static const struct {
    const char *name;
    enum tsfs_type type;
} aliases[] = {
    {"bool", TSFS_BOOLEAN}, {"int", TSFS_INTEGER},    {"double precision", TSFS_DOUBLE},
    {"long", TSFS_BIGINT},  {"string", TSFS_VARCHAR},
};

const char *tsfs_type_name(enum tsfs_type type)
{
    return (unsigned)type < TSFS_TYPE_COUNT ? names[type] : "unknown";
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
    case TSFS_VARCHAR: return sizeof(struct tsfs_str);
    default: return sizeof(int64_t);
    }
}
