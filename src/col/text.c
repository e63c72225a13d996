/* Values as text.
 *
 *   boolean                  true, false
 *   integer, bigint          decimal
 *   double                   the shortest decimal that reads back to the same bits (base/num.h)
 *   timestamp                YYYY-MM-DD hh:mm:ss.nnnnnnnnn
 *   date                     YYYY-MM-DD
 *   time                     hh:mm:ss.nnnnnnnnn
 *   interval day to second   [-]D hh:mm:ss.nnnnnnnnn
 *   interval year to month   [-]Y-M
 *   varbinary                two hexadecimal digits a byte: 68656c6c6f
 *   array                    [1,2,NULL]
 *   row                      (a,b)
 *   timeseries               [{time: 2024-01-01 00:00:00.000000000, value: 1.5},...] */
#include "col/text.h"

#include <errno.h>

#include "base/num.h"
#include "base/time.h"
#include "col/nested.h"

static unsigned put(char *out, const char *text)
{
    unsigned n = (unsigned)strlen(text);
    memcpy(out, text, n);
    return n;
}

static unsigned format_day_second(int64_t ns, char *out)
{
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    unsigned n = 0;
    if (ns < 0)
        out[n++] = '-';
    n += tsfs_num_format_i64((int64_t)(v / (uint64_t)TSFS_NS_PER_DAY), out + n);
    out[n++] = ' ';
    return n + tsfs_time_format_time_of_day((int64_t)(v % (uint64_t)TSFS_NS_PER_DAY), out + n);
}

static unsigned format_year_month(int64_t months, char *out)
{
    uint64_t v = months < 0 ? 0 - (uint64_t)months : (uint64_t)months;
    unsigned n = 0;
    if (months < 0)
        out[n++] = '-';
    n += tsfs_num_format_i64((int64_t)(v / 12), out + n);
    out[n++] = '-';
    return n + tsfs_num_format_i64((int64_t)(v % 12), out + n);
}

unsigned tsfs_value_format(enum tsfs_type type, const void *value, char out[TSFS_VALUE_TEXT_MAX])
{
    _Static_assert(TSFS_VALUE_TEXT_MAX >= TSFS_NUM_TEXT_MAX && TSFS_VALUE_TEXT_MAX >= TSFS_TIME_TEXT_MAX + 24,
                   "room for a day count and a time of day");
    const int64_t *i = value;
    switch (type) {
    case TSFS_BOOLEAN: return put(out, *(const uint8_t *)value ? "true" : "false");
    case TSFS_INTEGER:
    case TSFS_BIGINT: return tsfs_num_format_i64(*i, out);
    case TSFS_DOUBLE: return tsfs_num_format_double(*(const double *)value, out);
    case TSFS_TIMESTAMP: return tsfs_time_format(*i, out);
    case TSFS_DATE: return tsfs_time_format_date(*i, out);
    case TSFS_TIME: return tsfs_time_format_time_of_day(*i, out);
    case TSFS_INTERVAL_DS: return format_day_second(*i, out);
    case TSFS_INTERVAL_YM: return format_year_month(*i, out);
    default: return 0;
    }
}

static int append_bytes(struct tsfs_str s, struct tsfs_buf *out)
{
    if (s.len > SIZE_MAX / 2)
        return -ENOMEM;
    int rc = tsfs_buf_reserve(out, 2 * s.len);
    for (size_t i = 0; i < s.len && rc == 0; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        out->data[out->len++] = "0123456789abcdef"[c >> 4];
        out->data[out->len++] = "0123456789abcdef"[c & 15];
    }
    return rc;
}

int tsfs_value_append(const struct tsfs_value *value, size_t most, struct tsfs_buf *out)
{
    if (value->null || value->type == TSFS_UNKNOWN)
        return 0;
    if (value->type == TSFS_VARCHAR)
        return tsfs_buf_append_str(out, value->s);
    if (value->type == TSFS_VARBINARY)
        return append_bytes(value->s, out);
    if (tsfs_type_is_nested(value->type))
        return tsfs_nested_append(value, most, out);
    int rc = tsfs_buf_reserve(out, TSFS_VALUE_TEXT_MAX);
    if (rc != 0)
        return rc;
    /* A boolean lies as bool in a value and as uint8_t in a vector: both one byte, 0 or 1. */
    out->len += tsfs_value_format(value->type, &value->i, out->data + out->len);
    return 0;
}
