/* JSON lines: one object a row, keys in column order, no blanks.  Numbers and booleans are bare, NULL is
 * null; arrays, rows and timeseries are arrays and objects; all else is a string as in CSV.  JSON has no
 * numbers for them, so NaN, Infinity and -Infinity are strings of that spelling.  Text is UTF-8 as it is;
 * only quotes, backslashes and control characters are escaped. */
#include <math.h>

#include "format/format_priv.h"

#define WORST JSON_WORST

static bool special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

static char *put_escape(char *p, char c)
{
    static const char hex[] = "0123456789abcdef";
    *p++ = '\\';
    switch (c) {
    case '"':
    case '\\': *p++ = c; break;
    case '\n': *p++ = 'n'; break;
    case '\r': *p++ = 'r'; break;
    case '\t': *p++ = 't'; break;
    case '\b': *p++ = 'b'; break;
    case '\f': *p++ = 'f'; break;
    default:
        memcpy(p, "u00", 3);
        p[3] = hex[(unsigned char)c >> 4];
        p[4] = hex[c & 15];
        p += 5;
    }
    return p;
}

/* Room for WORST * s.len + 2 bytes. */
char *json_put_str(char *p, struct tsfs_str s)
{
    *p++ = '"';
    for (size_t i = 0; i < s.len;) {
        size_t start = i;
        for (; i + 8 <= s.len; i += 8) {
            uint64_t v = format_load8(s.ptr + i);
            if (format_has_less(v, 0x20) | format_has_zero(v ^ FORMAT_BYTES('"')) |
                format_has_zero(v ^ FORMAT_BYTES('\\')))
                break;
        }
        while (i < s.len && !special(s.ptr[i]))
            i++;
        memcpy(p, s.ptr + start, i - start);
        p += i - start;
        if (i < s.len)
            p = put_escape(p, s.ptr[i++]);
    }
    *p++ = '"';
    return p;
}

/* The leads: {"first": and ,"other": */
int json_leads(struct tsfs_formatter *f)
{
    for (unsigned i = 0; i < f->ncols; i++) {
        struct format_column *c = &f->cols[i];
        int rc = tsfs_buf_reserve(&f->leads, WORST * c->name.len + 4);
        if (rc != 0)
            return rc;
        char *start = f->leads.data + f->leads.len, *p = start;
        *p++ = i > 0 ? ',' : '{';
        p = json_put_str(p, c->name);
        *p++ = ':';
        c->lead.len = (size_t)(p - start);
        f->leads.len += c->lead.len;
    }
    size_t at = 0;
    for (unsigned i = 0; i < f->ncols; i++) {
        f->cols[i].lead.ptr = f->leads.data + at;
        at += f->cols[i].lead.len;
    }
    return 0;
}

static char *put_value(struct format_column *c, uint32_t row, char *p)
{
    size_t at = c->constant ? 0 : row;
    if (c->valid != NULL && !tsfs_bit_get(c->valid, at)) {
        memcpy(p, "null", 4);
        return p + 4;
    }
    bool bare = false;
    switch (c->type) {
    case TSFS_VARCHAR:
        if (!c->nested)
            return json_put_str(p, c->vec->s[at]);
        memcpy(p, c->vec->s[at].ptr, c->vec->s[at].len);
        return p + c->vec->s[at].len;
    case TSFS_BOOLEAN:
    case TSFS_INTEGER:
    case TSFS_BIGINT: bare = true; break;
    case TSFS_DOUBLE: bare = isfinite(c->vec->d[at]); break;
    default: break;
    }
    if (bare)
        return format_put_value(c, row, p);
    *p++ = '"';
    p = format_put_value(c, row, p);
    *p++ = '"';
    return p;
}

static char *put_row(struct tsfs_formatter *f, uint32_t row, char *p)
{
    for (unsigned k = 0; k < f->nvaried; k++) {
        struct format_column *c = &f->cols[f->varied[k]];
        p = format_copy(p, f->fixed.data + c->fixed_at, c->fixed_len);
        if (c->type == TSFS_BIGINT && (uint64_t)c->vec->i[row] < 100 &&
            (c->valid == NULL || tsfs_bit_get(c->valid, row)))
            p = format_put_small(p, (unsigned)c->vec->i[row]);
        else
            p = put_value(c, row, p);
    }
    return format_copy(p, f->fixed.data + f->tail_at, f->fixed.len - f->tail_at);
}

static char *put_rows(struct tsfs_formatter *f, uint32_t row, uint32_t end, char *p)
{
    while (row < end)
        p = put_row(f, row++, p);
    return p;
}

int json_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out)
{
    struct tsfs_str tail = f->ncols == 0 ? TSFS_STR("{}\n") : TSFS_STR("}\n");
    format_bind(f, batch);
    int rc = format_fix_leads(f, WORST, put_value, tail);
    return rc != 0 ? rc : format_rows(f, 0, batch->nrows, WORST, 0, put_rows, out);
}
