#include "format/format.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "format/format_priv.h"

/* Rows are written into reserved room in slices of about this many bytes. */
#define SLICE_BYTES (256u << 10)

int tsfs_format_create(enum tsfs_format format, const struct tsfs_str *names, const enum tsfs_type *types,
                       unsigned ncols, struct tsfs_formatter **out)
{
    struct tsfs_formatter *f = calloc(1, sizeof(*f));
    int rc = -ENOMEM;
    if (f == NULL)
        return rc;
    f->format = format;
    f->ncols = ncols;
    f->cols = calloc(ncols > 0 ? ncols : 1, sizeof(*f->cols));
    f->varied = calloc(ncols > 0 ? ncols : 1, sizeof(*f->varied));
    if (f->cols == NULL || f->varied == NULL)
        goto out;
    for (unsigned i = 0; i < ncols; i++) {
        f->cols[i].name = names[i];
        f->cols[i].type = types[i];
        /* made texts of before they are put: nested values, and bytes */
        f->cols[i].nested = tsfs_type_is_nested(types[i]) || types[i] == TSFS_VARBINARY;
        f->nested.any |= f->cols[i].nested;
        if (f->cols[i].nested)
            f->cols[i].type = TSFS_VARCHAR;
    }
    switch (format) {
    case TSFS_FORMAT_CSV: rc = csv_leads(f); break;
    case TSFS_FORMAT_JSON: rc = json_leads(f); break;
    case TSFS_FORMAT_TEXT: rc = format_table_begin(f); break;
    }
out:
    if (rc != 0) {
        tsfs_format_free(f);
        return rc;
    }
    *out = f;
    return 0;
}

int tsfs_format_begin(struct tsfs_formatter *f, struct tsfs_buf *out)
{
    return f->format == TSFS_FORMAT_CSV ? csv_begin(f, out) : 0;
}

int tsfs_format_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out)
{
    struct tsfs_batch texts;
    if (batch->nrows == 0)
        return 0;
    if (f->nested.any) {
        int rc = format_nested(f, batch, &texts);
        if (rc != 0)
            return rc;
        batch = &texts;
    }
    switch (f->format) {
    case TSFS_FORMAT_CSV: return csv_batch(f, batch, out);
    case TSFS_FORMAT_JSON: return json_batch(f, batch, out);
    case TSFS_FORMAT_TEXT: break;
    }
    return format_table_batch(f, batch, out);
}

int tsfs_format_end(struct tsfs_formatter *f, struct tsfs_buf *out)
{
    return f->format == TSFS_FORMAT_TEXT ? format_table_end(f, out) : 0;
}

void tsfs_format_free(struct tsfs_formatter *f)
{
    if (f == NULL)
        return;
    format_table_free(f->table);
    tsfs_buf_free(&f->leads);
    tsfs_buf_free(&f->fixed);
    tsfs_buf_free(&f->nested.cols);
    tsfs_buf_free(&f->nested.strs);
    tsfs_buf_free(&f->nested.text);
    free(f->varied);
    free(f->cols);
    free(f);
}

void format_bind(struct tsfs_formatter *f, const struct tsfs_batch *batch)
{
    static const uint64_t none[1] = {0};
    for (unsigned i = 0; i < f->ncols; i++) {
        struct format_column *c = &f->cols[i];
        c->vec = &batch->cols[i];
        c->valid = c->vec->valid;
        c->constant = c->vec->constant;
        if (c->vec->type == TSFS_UNKNOWN) {
            c->valid = none;
            c->constant = true;
        }
    }
    f->fixed.len = 0;
}

/* Nested values are JSON already. */
static size_t worst_of(const struct tsfs_formatter *f, const struct format_column *c, size_t worst)
{
    return c->nested && f->format == TSFS_FORMAT_JSON ? 1 : worst;
}

/* Rows from `row` whose texts surely fit into *bytes, at least one: each value that is not a string counts
 * TSFS_VALUE_TEXT_MAX + 2, each string worst bytes a byte of its own, each row the leads. */
static uint32_t slice_rows(const struct tsfs_formatter *f, uint32_t row, uint32_t nrows, size_t worst,
                           size_t *bytes)
{
    size_t base = 4 + f->leads.len + f->fixed.len + f->ncols, total = 0;
    bool strings = false;
    for (unsigned i = 0; i < f->ncols; i++) {
        base += f->cols[i].constant ? 0 : TSFS_VALUE_TEXT_MAX + 2;
        strings |= f->cols[i].type == TSFS_VARCHAR && !f->cols[i].constant;
    }
    uint32_t n = 0;
    if (!strings) {
        n = SLICE_BYTES / base + 1 < nrows - row ? (uint32_t)(SLICE_BYTES / base) + 1 : nrows - row;
        *bytes = n * base;
        return n;
    }
    while (n < nrows - row && total < SLICE_BYTES) {
        total += base;
        for (unsigned i = 0; i < f->ncols; i++) {
            const struct format_column *c = &f->cols[i];
            if (c->type == TSFS_VARCHAR && !c->constant &&
                (c->valid == NULL || tsfs_bit_get(c->valid, row + n)))
                total += c->vec->s[row + n].len * worst_of(f, c, worst);
        }
        n++;
    }
    *bytes = total;
    return n;
}

int format_fix_leads(struct tsfs_formatter *f, size_t worst, format_put_cell *put, struct tsfs_str tail)
{
    size_t from = 0;
    f->nvaried = 0;
    for (unsigned i = 0; i < f->ncols; i++) {
        struct format_column *c = &f->cols[i];
        size_t room = c->lead.len + TSFS_VALUE_TEXT_MAX + FORMAT_SLACK + 4;
        if (c->constant && c->type == TSFS_VARCHAR && (c->valid == NULL || tsfs_bit_get(c->valid, 0)))
            room += worst_of(f, c, worst) * c->vec->s[0].len;
        int rc = tsfs_buf_reserve(&f->fixed, room);
        if (rc != 0)
            return rc;
        char *start = f->fixed.data + f->fixed.len, *p = start;
        if (c->lead.len > 0)
            memcpy(p, c->lead.ptr, c->lead.len);
        p += c->lead.len;
        if (c->constant)
            p = put(c, 0, p);
        f->fixed.len += (size_t)(p - start);
        if (c->constant)
            continue;
        c->fixed_at = from;
        c->fixed_len = f->fixed.len - from;
        f->varied[f->nvaried++] = i;
        from = f->fixed.len;
    }
    f->tail_at = from;
    int rc = tsfs_buf_append(&f->fixed, tail.ptr, tail.len);
    return rc != 0 ? rc : tsfs_buf_reserve(&f->fixed, FORMAT_SLACK);
}

int format_rows(struct tsfs_formatter *f, uint32_t row, uint32_t nrows, size_t worst, size_t padding,
                format_put_rows *put, struct tsfs_buf *out)
{
    size_t before = out->len;
    while (row < nrows) {
        size_t bytes;
        uint32_t end = row + slice_rows(f, row, nrows, worst, &bytes);
        bytes += (end - row) * padding + FORMAT_SLACK;
        int rc = out->len - before > TSFS_RESULT_BATCH_MAX ? -E2BIG : tsfs_buf_reserve(out, bytes);
        if (rc != 0)
            return rc;
        out->len = (size_t)(put(f, row, end, out->data + out->len) - out->data);
        row = end;
    }
    return 0;
}

static char *put_i64(char *p, int64_t v)
{
    if (v < 0) {
        *p++ = '-';
        return tsfs_num_put_u64(p, 0 - (uint64_t)v);
    }
    return tsfs_num_put_u64(p, (uint64_t)v);
}

/* ns in [0, 1 day). */
static char *put_clock(char *p, uint64_t ns)
{
    uint32_t seconds = (uint32_t)(ns / 1000000000u), frac = (uint32_t)(ns % 1000000000u);
    p = format_put_pair(p, seconds / 3600);
    *p++ = ':';
    p = format_put_pair(p, seconds / 60 % 60);
    *p++ = ':';
    p = format_put_pair(p, seconds % 60);
    if (frac == 0) {
        memcpy(p, ".000000000", 10);
        return p + 10;
    }
    *p++ = '.';
    uint32_t high = frac / 10000, low = frac % 10000;
    *p++ = (char)('0' + high / 10000);
    p = format_put_pair(p, high / 100 % 100);
    p = format_put_pair(p, high % 100);
    p = format_put_pair(p, low / 100);
    return format_put_pair(p, low % 100);
}

static char *put_timestamp(struct format_day *d, char *p, int64_t ns)
{
    int64_t day = ns / TSFS_NS_PER_DAY - (ns % TSFS_NS_PER_DAY < 0);
    if (d->len == 0 || day != d->day) {
        d->len = tsfs_time_format_date(day, d->date);
        d->date[d->len++] = ' ';
        d->day = day;
    }
    memcpy(p, d->date, d->len);
    return put_clock(p + d->len, (uint64_t)ns - (uint64_t)day * (uint64_t)TSFS_NS_PER_DAY);
}

char *format_put_value(struct format_column *c, uint32_t row, char *p)
{
    size_t at = c->constant ? 0 : row;
    switch (c->type) {
    case TSFS_INTEGER:
    case TSFS_BIGINT: return put_i64(p, c->vec->i[at]);
    case TSFS_DOUBLE: return p + tsfs_num_format_double(c->vec->d[at], p);
    case TSFS_TIMESTAMP: return put_timestamp(&c->day, p, c->vec->i[at]);
    case TSFS_BOOLEAN: return p + tsfs_value_format(c->type, &c->vec->b[at], p);
    default: return p + tsfs_value_format(c->type, &c->vec->i[at], p);
    }
}
