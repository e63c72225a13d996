/* Reading a record back: docs/format/wal.md.  The checksum only says that the bytes are those that were
 * written; every length, number and reference is checked all the same. */
#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "hot/hot_priv.h"

struct parser {
    const uint8_t *start, *p, *end;
    struct tsfs_hot *hot;
    const struct tsfs_hot_recovery *recovery;
    const struct tsfs_schema *schema;
    int64_t last_time;
    struct tsfs_error *err;
};

void hot_replay_free(struct tsfs_hot *hot)
{
    if (!hot->replay)
        return;
    free(hot->replay->series.items);
    free(hot->replay->shapes.items);
    free(hot->replay->values.items);
    free(hot->replay);
    hot->replay = NULL;
}

static int bad(const struct parser *in, const char *what)
{
    return tsfs_error_set(in->err, -EBADMSG, "byte %zu: %s", (size_t)(in->p - in->start), what);
}

static bool take_number(struct parser *in, unsigned width, uint64_t *out)
{
    uint64_t v = 0;
    if ((size_t)(in->end - in->p) < width)
        return false;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)in->p[i] << (8 * i);
    in->p += width;
    *out = v;
    return true;
}

static bool take_vuint(struct parser *in, uint32_t *out)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < RECORD_VUINT_MAX && in->p < in->end; i++) {
        uint8_t b = *in->p++;
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80)) {
            *out = (uint32_t)v;
            return v <= UINT32_MAX;
        }
    }
    return false;
}

static bool take_ordinal(struct parser *in, uint16_t *out)
{
    uint64_t v;
    if (!take_number(in, 2, &v))
        return false;
    *out = (uint16_t)v;
    return v < TSFS_COLUMNS_MAX;
}

/* Text of at most max bytes, valid UTF-8. */
static bool take_text(struct parser *in, size_t max, struct tsfs_str *out)
{
    uint32_t len;
    if (!take_vuint(in, &len) || len > max || len > (size_t)(in->end - in->p))
        return false;
    *out = (struct tsfs_str){(const char *)in->p, len};
    in->p += len;
    return tsfs_utf8_valid(*out);
}

/* The column of an ordinal that the log has defined, if it has this role. */
static const struct tsfs_column *column_of(const struct parser *in, uint16_t ordinal, enum tsfs_role role)
{
    if (!(in->hot->logged_columns[ordinal / 64] >> ordinal % 64 & 1) || ordinal >= in->schema->ncols ||
        in->schema->cols[ordinal].role != role)
        return NULL;
    return &in->schema->cols[ordinal];
}

static bool is_measure_type(uint64_t type)
{
    return type == TSFS_BOOLEAN || type == TSFS_BIGINT || type == TSFS_DOUBLE || type == TSFS_VARCHAR;
}

static int replay_column(struct parser *in)
{
    uint16_t ordinal;
    uint64_t role, type;
    char text[TSFS_COLUMN_NAME_MAX + 1];
    struct tsfs_column column = {0};
    struct tsfs_hot *hot = in->hot;
    if (!take_ordinal(in, &ordinal) || !take_number(in, 1, &role) || !take_number(in, 1, &type) ||
        !take_text(in, TSFS_COLUMN_NAME_MAX, &column.name) || column.name.len == 0)
        return bad(in, "a column's definition is cut short or has no proper name");
    if (ordinal <= TSFS_ORDINAL_MEASURE_NAME || (hot->logged_columns[ordinal / 64] >> ordinal % 64 & 1))
        return bad(in, "a column is defined twice");
    if (!(role == TSFS_ROLE_DIMENSION && type == TSFS_VARCHAR) &&
        !(role == TSFS_ROLE_MEASURE && is_measure_type(type)))
        return bad(in, "a column's role or type is none");
    memcpy(text, column.name.ptr, column.name.len);
    text[column.name.len] = 0;
    column.name.ptr = text;
    column.role = (enum tsfs_role)role;
    column.type = (enum tsfs_type)type;
    int rc = hot_list_push(&hot->batch->new_columns, ordinal);
    if (rc)
        return rc;
    hot->logged_columns[ordinal / 64] |= UINT64_C(1) << ordinal % 64;
    rc = in->recovery->define(in->recovery->ctx, ordinal, &column, in->err);
    if (rc)
        return rc;
    in->schema = in->recovery->schema(in->recovery->ctx);
    const struct tsfs_column *known = column_of(in, ordinal, column.role);
    if (!known || known->type != column.type)
        return bad(in, "a column is not the one that the schema has");
    return 0;
}

/* Makes the series and gives it the next number. */
static int add_series(struct parser *in, struct tsfs_str name, const struct tsfs_dim_value *dims, uint32_t n,
                      uint32_t *id)
{
    struct tsfs_hot *hot = in->hot;
    struct hot_lane *lane;
    int rc = tsfs_series_index_intern(hot->series, name, dims, n, id);
    if (rc == -EINVAL)
        return bad(in, "a series has a dimension twice");
    if (!rc)
        rc = hot_lane_get(hot, *id, &lane);
    if (rc)
        return rc;
    if (lane->log_number != HOT_NONE)
        return bad(in, "a series is defined twice");
    rc = hot_list_push(&hot->batch->new_series, hot_lane_number(lane));
    if (!rc)
        rc = hot_list_push(&hot->replay->series, hot_lane_number(lane));
    if (rc)
        return rc;
    lane->log_number = hot->logged_series++;
    return 0;
}

static int replay_series(struct parser *in)
{
    struct tsfs_dim_value dims[TSFS_DIMENSIONS_MAX];
    struct tsfs_str name;
    uint32_t n, id;
    if (!take_text(in, TSFS_SERIES_KEY_MAX, &name) || !take_vuint(in, &n) || n > TSFS_DIMENSIONS_MAX)
        return bad(in, "a series' definition is cut short or too long");
    for (uint32_t i = 0; i < n; i++) {
        uint16_t ordinal;
        if (!take_ordinal(in, &ordinal) || !take_text(in, TSFS_SERIES_KEY_MAX, &dims[i].value))
            return bad(in, "a series' dimension is cut short or too long");
        const struct tsfs_column *column = column_of(in, ordinal, TSFS_ROLE_DIMENSION);
        if (!column)
            return bad(in, "a series uses a dimension that is not defined");
        dims[i].slot = column->slot;
    }
    return add_series(in, name, dims, n, &id);
}

/* One that has the measure name and the dimensions of an earlier one. */
static int replay_series_like(struct parser *in)
{
    struct tsfs_hot *hot = in->hot;
    struct hot_list *series = &hot->replay->series, *values = &hot->replay->values;
    struct tsfs_dim_value dims[TSFS_DIMENSIONS_MAX];
    uint32_t kept[TSFS_DIMENSIONS_MAX], nkept = 0; /* those that get a number */
    uint32_t model, id;
    uint64_t named = 0;
    if (!take_vuint(in, &model) || model >= series->n)
        return bad(in, "a series is defined after one that is not");
    const struct series_tuple *t =
        series_tuple_at(hot->series, hot_lane_at(hot, series->items[model])->series);
    const struct series_layout *layout = series_tuple_layout(hot->series, t);
    for (uint32_t d = 0; d < layout->ndims; d++) {
        uint32_t how, number;
        dims[d].slot = layout->slots[d];
        if (!take_vuint(in, &how))
            return bad(in, "a series' definition is cut short");
        number = how - RECORD_VALUE_FIRST;
        if (how < RECORD_VALUE_FIRST) {
            if (!take_text(in, TSFS_SERIES_KEY_MAX, &dims[d].value))
                return bad(in, "a series' dimension is cut short or too long");
            if (how == RECORD_VALUE_KEEP)
                kept[nkept++] = d;
        } else if (number < values->n) {
            dims[d].value = series_text_at(hot->series, values->items[number]);
        } else if (number - values->n < nkept) {
            dims[d].value = dims[kept[number - values->n]].value;
        } else {
            return bad(in, "a series uses a value that has no number");
        }
        named += how < RECORD_VALUE_FIRST ? 0 : dims[d].value.len;
    }
    if (nkept > TSFS_WAL_VALUES_MAX - values->n)
        return bad(in, "too many values have numbers");
    /* every text is hashed anew: some bytes must not stand for work without end */
    struct tsfs_str name = series_text_at(hot->series, t->measure_name);
    hot->replay->named += named + name.len;
    if (hot->replay->named > TSFS_WAL_NAMED_FREE + TSFS_WAL_NAMED_MAX * hot->replay->bytes)
        return bad(in, "series take more from earlier ones than a log may");
    int rc = add_series(in, name, dims, layout->ndims, &id);
    t = rc ? NULL : series_tuple_at(hot->series, id);
    for (uint32_t k = 0; k < nkept && rc == 0; k++)
        rc = hot_list_push(values, t->values[kept[k]]);
    hot->logged_values = values->n;
    return rc;
}

/* n ordinals into cells: slots and types, no values yet. */
static int take_measures(struct parser *in, uint32_t n)
{
    struct hot_batch *batch = in->hot->batch;
    if (n > TSFS_COLUMNS_MAX || 2 * (size_t)n > (size_t)(in->end - in->p))
        return bad(in, "a list of measures is too long");
    int rc = hot_batch_cells(batch, n);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t ordinal;
        const struct tsfs_column *column =
            take_ordinal(in, &ordinal) ? column_of(in, ordinal, TSFS_ROLE_MEASURE) : NULL;
        if (!column)
            return bad(in, "a measure is not defined");
        batch->cells[i] = (struct tsfs_cell){.slot = column->slot, .type = (uint8_t)column->type};
    }
    return 0;
}

static int find_shape(struct parser *in, uint32_t n, struct hot_shape **shape)
{
    const struct tsfs_cell *cells = in->hot->batch->cells;
    unsigned distinct = n;
    int rc = hot_shape_find(in->hot, &cells, &distinct, shape);
    if (rc)
        return rc;
    return distinct == n ? 0 : bad(in, "a measure is listed twice");
}

static int replay_shape(struct parser *in)
{
    struct tsfs_hot *hot = in->hot;
    struct hot_shape *shape;
    uint32_t n;
    if (!take_vuint(in, &n))
        return bad(in, "a list of measures is cut short");
    int rc = take_measures(in, n);
    if (!rc)
        rc = find_shape(in, n, &shape);
    if (rc)
        return rc;
    if (!shape || shape->log_number != HOT_NONE)
        return bad(in, shape ? "a list of measures is defined twice" : "too many lists of measures");
    rc = hot_list_push(&hot->batch->new_shapes, shape->index);
    if (!rc)
        rc = hot_list_push(&hot->replay->shapes, shape->index);
    if (rc)
        return rc;
    shape->log_number = hot->logged_shapes++;
    return 0;
}

static int take_values(struct parser *in, struct tsfs_cell *cells, uint32_t n)
{
    const uint8_t *widths = in->p;
    uint32_t numbers = 0, at = 0;
    for (uint32_t i = 0; i < n; i++)
        numbers += cells[i].type == TSFS_BIGINT || cells[i].type == TSFS_DOUBLE;
    if ((numbers + 1) / 2 > (size_t)(in->end - in->p))
        return bad(in, "a row is cut short");
    in->p += (numbers + 1) / 2;
    if (numbers % 2 && widths[numbers / 2] >> 4)
        return bad(in, "a width without a number");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t v;
        switch (cells[i].type) {
        case TSFS_BOOLEAN:
            if (!take_number(in, 1, &v) || v > 1)
                return bad(in, "a boolean is neither 0 nor 1");
            cells[i].b = v;
            break;
        case TSFS_VARCHAR:
            if (!take_text(in, TSFS_VARCHAR_MAX, &cells[i].s))
                return bad(in, "a string is cut short, too long or not UTF-8");
            break;
        default: {
            unsigned w = widths[at / 2] >> (at % 2 * 4) & 15;
            at++;
            if (w == 0 || w > 8 || !take_number(in, w, &v))
                return bad(in, "a number is cut short");
            cells[i].i = cells[i].type == TSFS_DOUBLE ? (int64_t)record_pack_double(v) : record_unzigzag(v);
        }
        }
    }
    return 0;
}

static int replay_row(struct parser *in, unsigned series_width, unsigned time_width)
{
    struct tsfs_hot *hot = in->hot;
    uint64_t number, delta;
    uint32_t which, n;
    struct hot_shape *shape = NULL;
    int rc;
    if (series_width > 4 || time_width > 8 || !take_number(in, series_width, &number) ||
        !take_number(in, time_width, &delta) || !take_vuint(in, &which))
        return bad(in, "a row is cut short");
    if (number >= hot->replay->series.n || which > hot->replay->shapes.n)
        return bad(in, "a row uses a series or a list of measures that is not defined");
    if (which) {
        shape = hot->shapes[hot->replay->shapes.items[which - 1]];
        n = shape->n;
        rc = hot_batch_cells(hot->batch, n);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < n; i++)
            hot->batch->cells[i] =
                (struct tsfs_cell){.slot = (uint16_t)shape->keys[i], .type = (uint8_t)(shape->keys[i] >> 16)};
    } else {
        if (!take_vuint(in, &n))
            return bad(in, "a row is cut short");
        rc = take_measures(in, n);
        if (!rc)
            rc = find_shape(in, n, &shape);
        if (rc)
            return rc;
    }
    hot->batch->packed = in->p;
    rc = take_values(in, hot->batch->cells, n);
    if (rc)
        return rc;
    hot->batch->npacked = (size_t)(in->p - hot->batch->packed);
    struct hot_lane *lane = hot_lane_at(hot, hot->replay->series.items[number]);
    in->last_time = (int64_t)((uint64_t)in->last_time + (uint64_t)record_unzigzag(delta));
    return hot_stage_row(hot, lane, shape, in->last_time, hot->batch->cells, n);
}

int tsfs_hot_replay(struct tsfs_hot *hot, const struct tsfs_hot_recovery *recovery, const void *payload,
                    size_t len, struct tsfs_error *err)
{
    struct parser in = {.start = payload,
                        .p = payload,
                        .end = (const uint8_t *)payload + len,
                        .hot = hot,
                        .recovery = recovery,
                        .err = err};
    if (hot->live || hot->batch)
        return tsfs_error_set(err, -EINVAL, "a log can only be read before the first row is written");
    if (!hot->replay) {
        hot->replay = calloc(1, sizeof(*hot->replay));
        if (!hot->replay)
            return -ENOMEM;
    }
    int rc = hot_batch_begin(hot);
    if (rc)
        return rc;
    in.schema = recovery->schema(recovery->ctx);
    hot->replay->bytes += len;
    uint32_t series = hot->replay->series.n, shapes = hot->replay->shapes.n, values = hot->replay->values.n;
    while (rc == 0 && in.p < in.end) {
        uint8_t control = *in.p++;
        if (control & 15)
            rc = replay_row(&in, control & 15, control >> 4);
        else if (control >> 4 == RECORD_COLUMN)
            rc = replay_column(&in);
        else if (control >> 4 == RECORD_SERIES)
            rc = replay_series(&in);
        else if (control >> 4 == RECORD_SERIES_LIKE)
            rc = replay_series_like(&in);
        else if (control >> 4 == RECORD_SHAPE)
            rc = replay_shape(&in);
        else
            rc = bad(&in, "neither a row nor a definition");
    }
    if (rc) {
        hot->replay->series.n = series;
        hot->replay->shapes.n = shapes;
        hot->replay->values.n = values;
        hot_batch_forget(hot);
        return rc;
    }
    hot_batch_publish(hot);
    return 0;
}
