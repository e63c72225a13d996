/* A table for people: names, a rule, rows; columns two blanks apart, numbers to the right.  Widths are
 * counted in code points and taken from the first rows (HELD_ROWS or HELD_BYTES, whichever comes first),
 * which are held back until then; later rows stream, and a value that is wider than its column pushes the
 * rest of its line to the right.  NULL reads NULL.  Control characters are shown as escapes (\n, \x1b), so
 * that a line is a row. */
#include <errno.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "format/format_priv.h"

#define HELD_ROWS  1000u
#define HELD_BYTES (256u << 10)
#define WIDTH_MAX  4096u /* no column is padded further than this */
#define WORST      4     /* bytes that one byte of a string may become: \x00 */

struct format_table {
    bool streaming;
    uint32_t *widths;     /* of each column */
    struct tsfs_buf text; /* held cells, one after another, row by row */
    struct tsfs_buf lens; /* uint32_t bytes and code points of each */
    struct tsfs_buf cell;
    uint32_t held;
};

static bool right(const struct format_column *c)
{
    return c->type == TSFS_INTEGER || c->type == TSFS_BIGINT || c->type == TSFS_DOUBLE;
}

/* Room for WORST * s.len bytes. */
static char *put_shown(char *p, struct tsfs_str s)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c != 0x7f) {
            *p++ = (char)c;
            continue;
        }
        *p++ = '\\';
        if (c == '\n' || c == '\r' || c == '\t') {
            *p++ = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        } else {
            *p++ = 'x';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }
    return p;
}

static int show(struct tsfs_str s, struct tsfs_buf *out)
{
    int rc = tsfs_buf_reserve(out, WORST * s.len);
    if (rc == 0)
        out->len = (size_t)(put_shown(out->data + out->len, s) - out->data);
    return rc;
}

/* The cell's text appended to out. */
static int show_cell(struct format_column *c, uint32_t row, struct tsfs_buf *out)
{
    size_t at = c->constant ? 0 : row;
    if (c->valid != NULL && !tsfs_bit_get(c->valid, at))
        return tsfs_buf_append(out, "NULL", 4);
    if (c->type == TSFS_VARCHAR)
        return show(c->vec->s[at], out);
    int rc = tsfs_buf_reserve(out, TSFS_VALUE_TEXT_MAX);
    if (rc == 0) {
        char *start = out->data + out->len;
        out->len += (size_t)(format_put_value(c, row, start) - start);
    }
    return rc;
}

static int put_padded(const struct tsfs_formatter *f, unsigned col, const char *text, uint32_t len,
                      uint32_t width, struct tsfs_buf *out)
{
    uint32_t wide = f->table->widths[col], pad = width < wide ? wide - width : 0;
    int rc = tsfs_buf_reserve(out, (size_t)len + pad + 2);
    if (rc != 0)
        return rc;
    char *p = out->data + out->len;
    if (col > 0) {
        memcpy(p, "  ", 2);
        p += 2;
    }
    if (right(&f->cols[col])) {
        memset(p, ' ', pad);
        p += pad;
    }
    if (len > 0)
        memcpy(p, text, len);
    p += len;
    if (!right(&f->cols[col]) && col + 1 < f->ncols) {
        memset(p, ' ', pad);
        p += pad;
    }
    out->len = (size_t)(p - out->data);
    return 0;
}

int format_table_begin(struct tsfs_formatter *f)
{
    f->table = calloc(1, sizeof(*f->table));
    if (f->table == NULL)
        return -ENOMEM;
    f->table->widths = calloc(f->ncols > 0 ? f->ncols : 1, sizeof(*f->table->widths));
    return f->table->widths == NULL ? -ENOMEM : 0;
}

void format_table_free(struct format_table *t)
{
    if (t == NULL)
        return;
    free(t->widths);
    tsfs_buf_free(&t->text);
    tsfs_buf_free(&t->lens);
    tsfs_buf_free(&t->cell);
    free(t);
}

static void widen(uint32_t *width, uint32_t to)
{
    if (to > WIDTH_MAX)
        to = WIDTH_MAX;
    if (to > *width)
        *width = to;
}

/* Names, rule and the held rows; from here on rows stream. */
static int flush(struct tsfs_formatter *f, struct tsfs_buf *out)
{
    struct format_table *t = f->table;
    int rc = 0;
    t->cell.len = 0;
    for (unsigned i = 0; rc == 0 && i < f->ncols; i++) {
        t->cell.len = 0;
        rc = show(f->cols[i].name, &t->cell);
        if (rc != 0)
            break;
        uint32_t width = (uint32_t)tsfs_utf8_length(tsfs_buf_str(&t->cell));
        widen(&t->widths[i], width);
        rc = put_padded(f, i, tsfs_buf_str(&t->cell).ptr, (uint32_t)t->cell.len, width, out);
    }
    if (rc == 0)
        rc = tsfs_buf_append(out, "\n", 1);
    for (unsigned i = 0; rc == 0 && i < f->ncols; i++) {
        rc = tsfs_buf_reserve(out, t->widths[i] + 2);
        if (rc != 0)
            break;
        if (i > 0) {
            memcpy(out->data + out->len, "  ", 2);
            out->len += 2;
        }
        memset(out->data + out->len, '-', t->widths[i]);
        out->len += t->widths[i];
    }
    if (rc == 0)
        rc = tsfs_buf_append(out, "\n", 1);
    const char *text = t->text.data;
    const uint32_t *lens = (const uint32_t *)(void *)t->lens.data;
    for (uint32_t row = 0; rc == 0 && row < t->held; row++) {
        for (unsigned i = 0; rc == 0 && i < f->ncols; i++, lens += 2) {
            rc = put_padded(f, i, text, lens[0], lens[1], out);
            text += lens[0];
        }
        if (rc == 0)
            rc = tsfs_buf_append(out, "\n", 1);
    }
    t->streaming = true;
    tsfs_buf_free(&t->text);
    tsfs_buf_free(&t->lens);
    return rc;
}

static int hold_row(struct tsfs_formatter *f, uint32_t row)
{
    struct format_table *t = f->table;
    for (unsigned i = 0; i < f->ncols; i++) {
        size_t start = t->text.len;
        int rc = show_cell(&f->cols[i], row, &t->text);
        if (rc != 0)
            return rc;
        size_t len = t->text.len - start;
        uint32_t pair[2] = {(uint32_t)len, 0};
        if (len > 0)
            pair[1] = (uint32_t)tsfs_utf8_length((struct tsfs_str){t->text.data + start, len});
        widen(&t->widths[i], pair[1]);
        rc = tsfs_buf_append(&t->lens, pair, sizeof(pair));
        if (rc != 0)
            return rc;
    }
    t->held++;
    return 0;
}

/* What stands before the values of a row that differ from row to row: blanks and constants, rendered once a
 * batch. */
static int fix_leads(struct tsfs_formatter *f, size_t *padding)
{
    struct format_table *t = f->table;
    size_t from = 0;
    f->nvaried = 0;
    *padding = 0;
    for (unsigned i = 0; i < f->ncols; i++) {
        struct format_column *c = &f->cols[i];
        int rc = 0;
        if (c->constant) {
            t->cell.len = 0;
            rc = show_cell(c, 0, &t->cell);
            struct tsfs_str cell = tsfs_buf_str(&t->cell);
            if (rc == 0)
                rc = put_padded(f, i, cell.ptr, (uint32_t)cell.len, (uint32_t)tsfs_utf8_length(cell),
                                &f->fixed);
        } else {
            rc = tsfs_buf_append(&f->fixed, "  ", i > 0 ? 2 : 0);
            c->fixed_at = from;
            c->fixed_len = f->fixed.len - from;
            f->varied[f->nvaried++] = i;
            from = f->fixed.len;
            *padding += t->widths[i];
        }
        if (rc != 0)
            return rc;
    }
    int rc = tsfs_buf_append(&f->fixed, "\n", 1);
    f->tail_at = from;
    return rc != 0 ? rc : tsfs_buf_reserve(&f->fixed, FORMAT_SLACK);
}

static char *pad(char *p, size_t have, size_t wide)
{
    if (have >= wide)
        return p;
    memset(p, ' ', wide - have);
    return p + (wide - have);
}

static char *put_row(struct tsfs_formatter *f, uint32_t row, char *p)
{
    for (unsigned k = 0; k < f->nvaried; k++) {
        unsigned i = f->varied[k];
        struct format_column *c = &f->cols[i];
        uint32_t wide = f->table->widths[i];
        bool null = c->valid != NULL && !tsfs_bit_get(c->valid, row);
        p = format_copy(p, f->fixed.data + c->fixed_at, c->fixed_len);
        if (right(c)) {
            char text[TSFS_VALUE_TEXT_MAX] = "NULL";
            size_t n = null ? 4 : (size_t)(format_put_value(c, row, text) - text);
            p = pad(p, n, wide);
            memcpy(p, text, n);
            p += n;
            continue;
        }
        char *start = p;
        size_t n;
        if (null)
            memcpy(p, "NULL", n = 4);
        else if (c->type == TSFS_VARCHAR)
            n = (size_t)(put_shown(p, c->vec->s[row]) - p);
        else
            n = (size_t)(format_put_value(c, row, p) - p);
        p += n;
        if (c->type == TSFS_VARCHAR)
            n = tsfs_utf8_length((struct tsfs_str){start, n});
        if (i + 1 < f->ncols)
            p = pad(p, n, wide);
    }
    return format_copy(p, f->fixed.data + f->tail_at, f->fixed.len - f->tail_at);
}

static char *put_rows(struct tsfs_formatter *f, uint32_t row, uint32_t end, char *p)
{
    while (row < end)
        p = put_row(f, row++, p);
    return p;
}

/* Rows from `from` on, whose columns' widths are settled. */
static int stream_rows(struct tsfs_formatter *f, uint32_t from, uint32_t nrows, struct tsfs_buf *out)
{
    size_t padding;
    int rc = fix_leads(f, &padding);
    return rc != 0 ? rc : format_rows(f, from, nrows, WORST, padding, put_rows, out);
}

int format_table_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out)
{
    struct format_table *t = f->table;
    uint32_t row = 0;
    int rc = 0;
    format_bind(f, batch);
    while (rc == 0 && !t->streaming && row < batch->nrows) {
        rc = hold_row(f, row++);
        if (rc == 0 && (t->held >= HELD_ROWS || t->text.len >= HELD_BYTES))
            rc = flush(f, out);
    }
    return rc != 0 || row == batch->nrows ? rc : stream_rows(f, row, batch->nrows, out);
}

int format_table_end(struct tsfs_formatter *f, struct tsfs_buf *out)
{
    return f->table->streaming ? 0 : flush(f, out);
}
