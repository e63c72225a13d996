/* CSV as RFC 4180 has it, lines ending in \n: a header, then a line a row.  NULL is an empty field, the empty
 * string is "".  A field is quoted when it holds a comma, a quote or a line break. */
#include "format/format_priv.h"

#define WORST 2 /* bytes that one byte of a string may become: "" */

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

/* Room for WORST * s.len + 2 bytes. */
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

int csv_leads(struct tsfs_formatter *f)
{
    for (unsigned i = 1; i < f->ncols; i++)
        f->cols[i].lead = TSFS_STR(",");
    return 0;
}

int csv_begin(struct tsfs_formatter *f, struct tsfs_buf *out)
{
    for (unsigned i = 0; i < f->ncols; i++) {
        struct tsfs_str name = f->cols[i].name;
        int rc = tsfs_buf_reserve(out, WORST * name.len + 3);
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

static char *put_rows(struct tsfs_formatter *f, uint32_t row, uint32_t end, char *p)
{
    while (row < end)
        p = put_row(f, row++, p);
    return p;
}

int csv_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out)
{
    format_bind(f, batch);
    int rc = format_fix_leads(f, WORST, put_cell, TSFS_STR("\n"));
    return rc != 0 ? rc : format_rows(f, 0, batch->nrows, WORST, 0, put_rows, out);
}
