/* Arrays, rows and timeseries are made text before the formats see them: for CSV and the table the text that
 * values have everywhere (col/text.h), for JSON real arrays and objects.  From there on they are strings,
 * which JSON puts down as they are.
 *
 * A row is an object of its fields, or an array when a field has no name; a timeseries is an array of objects
 * with "time" and "value". */
#include <errno.h>
#include <math.h>

#include "base/limits.h"
#include "col/nested.h"
#include "format/format_priv.h"

static int put(struct tsfs_buf *out, const char *text)
{
    return tsfs_buf_append(out, text, strlen(text));
}

static int put_string(struct tsfs_buf *out, struct tsfs_str s)
{
    int rc = tsfs_buf_reserve(out, JSON_WORST * s.len + 2);
    if (rc == 0)
        out->len += (size_t)(json_put_str(out->data + out->len, s) - (out->data + out->len));
    return rc;
}

static int put_scalar(struct tsfs_buf *out, const struct tsfs_value *v)
{
    char text[TSFS_VALUE_TEXT_MAX];
    if (v->type == TSFS_VARCHAR)
        return put_string(out, v->s);
    if (v->type == TSFS_VARBINARY) {
        int rc = tsfs_buf_append(out, "\"", 1);
        rc = rc != 0 ? rc : tsfs_value_append(v, SIZE_MAX, out);
        return rc != 0 ? rc : tsfs_buf_append(out, "\"", 1);
    }
    unsigned n = tsfs_value_format(v->type, &v->i, text);
    bool bare = v->type == TSFS_BOOLEAN || v->type == TSFS_INTEGER || v->type == TSFS_BIGINT ||
                (v->type == TSFS_DOUBLE && isfinite(v->d));
    return bare ? tsfs_buf_append(out, text, n) : put_string(out, (struct tsfs_str){text, n});
}

static int put_json(struct tsfs_buf *out, const struct tsfs_value *v);

static int put_row(struct tsfs_buf *out, const struct tsfs_value *v)
{
    bool named = true;
    for (uint32_t i = 0; i < v->row->n; i++)
        named &= tsfs_type_field_name(v->type, i).ptr != NULL;
    int rc = put(out, named ? "{" : "[");
    for (uint32_t i = 0; i < v->row->n && rc == 0; i++) {
        rc = put(out, i > 0 ? "," : "");
        if (rc == 0 && named && (rc = put_string(out, tsfs_type_field_name(v->type, i))) == 0)
            rc = put(out, ":");
        if (rc == 0)
            rc = put_json(out, &v->row->fields[i]);
    }
    return rc != 0 ? rc : put(out, named ? "}" : "]");
}

static int put_series(struct tsfs_buf *out, const struct tsfs_timeseries *s)
{
    int rc = put(out, "[");
    for (uint32_t i = 0; i < s->n && rc == 0; i++) {
        struct tsfs_value t = {.type = TSFS_TIMESTAMP, .i = s->times[i]}, v = tsfs_vec_get(&s->values, i);
        rc = put(out, i > 0 ? ",{\"time\":" : "{\"time\":");
        if (rc == 0)
            rc = put_json(out, &t);
        if (rc == 0)
            rc = put(out, ",\"value\":");
        if (rc == 0)
            rc = put_json(out, &v);
        if (rc == 0)
            rc = put(out, "}");
    }
    return rc != 0 ? rc : put(out, "]");
}

static int put_json(struct tsfs_buf *out, const struct tsfs_value *v)
{
    if (out->len > TSFS_RESULT_BATCH_MAX)
        return -E2BIG;
    if (v->null || v->type == TSFS_UNKNOWN)
        return put(out, "null");
    switch (tsfs_type_kind(v->type)) {
    case TSFS_KIND_ARRAY: {
        int rc = put(out, "[");
        for (uint32_t i = 0; i < v->array->n && rc == 0; i++) {
            struct tsfs_value element = tsfs_vec_get(&v->array->elems, i);
            rc = put(out, i > 0 ? "," : "");
            if (rc == 0)
                rc = put_json(out, &element);
        }
        return rc != 0 ? rc : put(out, "]");
    }
    case TSFS_KIND_ROW: return put_row(out, v);
    case TSFS_KIND_TIMESERIES: return put_series(out, v->series);
    default: return put_scalar(out, v);
    }
}

/* A column's texts: offsets into f->nested.text as they are made, which become pointers at the end. */
static int make_texts(struct tsfs_formatter *f, const struct tsfs_vec *v, uint32_t n, struct tsfs_str *to)
{
    struct tsfs_buf *text = &f->nested.text;
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct tsfs_value value = tsfs_vec_get(v, i);
        size_t at = text->len;
        if (at > TSFS_RESULT_BATCH_MAX)
            return -E2BIG;
        if (!value.null)
            rc = f->format == TSFS_FORMAT_JSON ? put_json(text, &value)
                                               : tsfs_value_append(&value, TSFS_RESULT_BATCH_MAX, text);
        to[i] = (struct tsfs_str){(const char *)(uintptr_t)at, text->len - at};
    }
    return rc;
}

int format_nested(struct tsfs_formatter *f, const struct tsfs_batch *in, struct tsfs_batch *out)
{
    struct format_nested *nested = &f->nested;
    size_t total = 0, made = 0;
    nested->text.len = nested->cols.len = nested->strs.len = 0;
    for (unsigned i = 0; i < f->ncols; i++)
        total += f->cols[i].nested ? (in->cols[i].constant ? 1 : in->nrows) : 0;
    int rc = tsfs_buf_reserve(&nested->cols, f->ncols * sizeof(struct tsfs_vec));
    if (rc == 0)
        rc = tsfs_buf_reserve(&nested->strs, (total + 1) * sizeof(struct tsfs_str));
    if (rc != 0)
        return rc;
    struct tsfs_vec *cols = (struct tsfs_vec *)(void *)nested->cols.data;
    struct tsfs_str *strs = (struct tsfs_str *)(void *)nested->strs.data;
    for (unsigned i = 0; i < f->ncols && rc == 0; i++) {
        cols[i] = in->cols[i];
        if (!f->cols[i].nested || in->cols[i].type == TSFS_UNKNOWN)
            continue;
        uint32_t n = in->cols[i].constant ? 1 : in->nrows;
        rc = make_texts(f, &in->cols[i], n, strs + made);
        cols[i].type = TSFS_VARCHAR;
        cols[i].s = strs + made;
        made += n;
    }
    /* Bytes behind the last text, so that writers may copy in large pieces. */
    if (rc == 0)
        rc = tsfs_buf_reserve(&nested->text, FORMAT_SLACK);
    for (size_t i = 0; i < made && rc == 0; i++)
        strs[i].ptr = nested->text.data + (uintptr_t)strs[i].ptr;
    *out = *in;
    out->cols = cols;
    return rc;
}
