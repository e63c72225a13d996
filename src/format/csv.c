/* CSV as RFC 4180 has it, lines ending in \n: a header, then a line a row.  NULL is an empty field, the empty
 * string is "".  A field is quoted when it holds a comma, a quote or a line break. */
#include <errno.h>

#include "base/limits.h"
#include "format/format_priv.h"

static bool special(char c)
{
    return c == ',' || c == '"' || c == '\n' || c == '\r';
}

/* The bytes of s before its first special one. */
static size_t plain_prefix(struct tsfs_str s)
{
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t v = format_load8(s.ptr + i);
        if (format_has_zero(v ^ FORMAT_BYTES(',')) | format_has_zero(v ^ FORMAT_BYTES('"')) |
            format_has_zero(v ^ FORMAT_BYTES('\n')) | format_has_zero(v ^ FORMAT_BYTES('\r')))
            break;
    }
    while (i < s.len && !special(s.ptr[i]))
        i++;
    return i;
}

/* Room for 2 * s.len + 2 bytes. */
static char *put_str(char *p, struct tsfs_str s)
{
    size_t plain = plain_prefix(s);
    if (plain == s.len && s.len > 0) {
        memcpy(p, s.ptr, s.len);
        return p + s.len;
    }
    *p++ = '"';
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            *p++ = '"';
        *p++ = s.ptr[i];
    }
    *p++ = '"';
    return p;
}

int csv_begin(struct tsfs_formatter *f, struct tsfs_buf *out)
{
    for (unsigned i = 0; i < f->ncols; i++) {
        struct tsfs_str name = f->cols[i].name;
        int rc = tsfs_buf_reserve(out, 2 * name.len + 3);
        if (rc != 0)
            return rc;
        char *start = out->data + out->len, *p = start;
        if (i > 0)
            *p++ = ',';
        out->len += (size_t)(put_str(p, name) - start);
    }
    return tsfs_buf_append(out, "\n", 1);
}

static char *put_cell(struct format_column *c, uint32_t row, char *p)
{
    if (c->valid != NULL && !tsfs_bit_get(c->valid, c->constant ? 0 : row))
        return p;
    if (c->type == TSFS_VARCHAR)
        return put_str(p, c->vec->s[c->constant ? 0 : row]);
    return format_put_value(c, row, p);
}

/* What stands before the values of a row that differ from row to row: commas and constants, rendered once a
 * batch. */
static int fix_leads(struct tsfs_formatter *f)
{
    size_t from = 0;
    f->nvaried = 0;
    for (unsigned i = 0; i < f->ncols; i++) {
        struct format_column *c = &f->cols[i];
        size_t room = TSFS_VALUE_TEXT_MAX + FORMAT_SLACK + 4;
        if (c->constant && c->type == TSFS_VARCHAR && (c->valid == NULL || tsfs_bit_get(c->valid, 0)))
            room += 2 * c->vec->s[0].len;
        int rc = tsfs_buf_reserve(&f->fixed, room);
        if (rc != 0)
            return rc;
        char *start = f->fixed.data + f->fixed.len, *p = start;
        if (i > 0)
            *p++ = ',';
        if (c->constant)
            p = put_cell(c, 0, p);
        f->fixed.len += (size_t)(p - start);
        if (c->constant)
            continue;
        c->fixed_at = from;
        c->fixed_len = f->fixed.len - from;
        f->varied[f->nvaried++] = i;
        from = f->fixed.len;
    }
    int rc = tsfs_buf_reserve(&f->fixed, FORMAT_SLACK + 1);
    if (rc != 0)
        return rc;
    f->fixed.data[f->fixed.len++] = '\n';
    f->tail_at = from;
    return 0;
}

static char *put_row(struct tsfs_formatter *f, uint32_t row, char *p)
{
    for (unsigned k = 0; k < f->nvaried; k++) {
        struct format_column *c = &f->cols[f->varied[k]];
        p = format_copy(p, f->fixed.data + c->fixed_at, c->fixed_len);
        if (c->valid != NULL && !tsfs_bit_get(c->valid, row))
            continue;
        if (c->type == TSFS_BIGINT && (uint64_t)c->vec->i[row] < 100)
            p = format_put_small(p, (unsigned)c->vec->i[row]);
        else if (c->type == TSFS_VARCHAR)
            p = put_str(p, c->vec->s[row]);
        else
            p = format_put_value(c, row, p);
    }
    return format_copy(p, f->fixed.data + f->tail_at, f->fixed.len - f->tail_at);
}

int csv_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out)
{
    size_t before = out->len;
    format_bind(f, batch);
    int rc = fix_leads(f);
    for (uint32_t row = 0; rc == 0 && row < batch->nrows;) {
        size_t bytes;
        uint32_t end = row + format_slice(f, row, batch->nrows, 2, &bytes);
        rc = out->len - before > TSFS_RESULT_BATCH_MAX ? -E2BIG : tsfs_buf_reserve(out, bytes + FORMAT_SLACK);
        if (rc != 0)
            break;
        char *p = out->data + out->len;
        while (row < end)
            p = put_row(f, row++, p);
        out->len = (size_t)(p - out->data);
    }
    return rc;
}
