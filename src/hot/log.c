/* Writing a record: docs/format/wal.md.
 *
 * A log defines columns, series and shapes (lists of measures) by number before it uses them, once each; the
 * definitions travel in the record that uses them first.  A series is defined after another one like it
 * (names.c).  What a record has defined is noted in the batch, so
 * that taking the record back takes the definitions back. */
#include <errno.h>

#include "base/limits.h"
#include "hot/hot_priv.h"

static int define_column(struct tsfs_hot *hot, const struct tsfs_schema *schema, uint16_t ordinal)
{
    struct hot_batch *batch = hot->batch;
    if (hot->logged_columns[ordinal / 64] >> ordinal % 64 & 1)
        return 0;
    const struct tsfs_column *column = &schema->cols[ordinal];
    int rc = hot_batch_reserve(batch, 5 + RECORD_VUINT_MAX + column->name.len);
    if (!rc)
        rc = hot_list_push(&batch->new_columns, ordinal);
    if (rc)
        return rc;
    uint8_t *p = batch->rec + TSFS_WAL_FRAME_BYTES + batch->len;
    *p++ = RECORD_COLUMN << 4;
    p = record_put_u16(p, ordinal);
    *p++ = (uint8_t)column->role;
    *p++ = (uint8_t)column->type;
    p = record_put_bytes(p, column->name.ptr, column->name.len);
    batch->len = (size_t)(p - batch->rec) - TSFS_WAL_FRAME_BYTES;
    hot->logged_columns[ordinal / 64] |= UINT64_C(1) << ordinal % 64;
    return 0;
}

/* By its difference to a model. */
static int define_series_like(struct tsfs_hot *hot, struct hot_lane *lane, const struct series_tuple *t,
                              uint32_t model)
{
    struct hot_batch *batch = hot->batch;
    uint32_t how[TSFS_DIMENSIONS_MAX], n = series_tuple_layout(hot->series, t)->ndims;
    uint32_t values = hot->logged_values;
    size_t size = 1 + RECORD_VUINT_MAX * (1 + 2 * (size_t)n);
    for (uint32_t d = 0; d < n; d++) {
        size_t len = series_text_at(hot->series, t->values[d]).len;
        how[d] = len <= TSFS_WAL_NAMED_MAX ? hot_names_value(hot, t->values[d]) : RECORD_VALUE_ONCE;
        if (how[d] < RECORD_VALUE_FIRST)
            size += len;
    }
    int rc = hot_batch_reserve(batch, size);
    if (!rc)
        rc = hot_list_push(&batch->new_series, hot_lane_number(lane));
    if (rc) {
        hot_names_cut(hot, values);
        return rc;
    }
    uint8_t *p = batch->rec + TSFS_WAL_FRAME_BYTES + batch->len;
    *p++ = RECORD_SERIES_LIKE << 4;
    p = record_put_vuint(p, model);
    for (uint32_t d = 0; d < n; d++) {
        p = record_put_vuint(p, how[d]);
        if (how[d] < RECORD_VALUE_FIRST) {
            struct tsfs_str value = series_text_at(hot->series, t->values[d]);
            p = record_put_bytes(p, value.ptr, value.len);
        }
    }
    batch->len = (size_t)(p - batch->rec) - TSFS_WAL_FRAME_BYTES;
    lane->log_number = hot->logged_series++;
    return 0;
}

static int define_series(struct tsfs_hot *hot, const struct tsfs_schema *schema, struct hot_lane *lane)
{
    struct hot_batch *batch = hot->batch;
    const struct series_tuple *t = series_tuple_at(hot->series, lane->series);
    const struct series_layout *layout = series_tuple_layout(hot->series, t);
    struct tsfs_str name = series_text_at(hot->series, t->measure_name);
    uint32_t model = name.len <= TSFS_WAL_NAMED_MAX ? hot_names_model(hot, t) : HOT_NONE;
    if (model != HOT_NONE)
        return define_series_like(hot, lane, t, model);
    const uint16_t *slots = layout->slots;
    size_t size = 1 + 2 * RECORD_VUINT_MAX + name.len;
    int rc = 0;
    for (unsigned d = 0; d < layout->ndims && rc == 0; d++) {
        size += 2 + RECORD_VUINT_MAX + series_text_at(hot->series, t->values[d]).len;
        rc = slots[d] < schema->ndims ? define_column(hot, schema, schema->dims[slots[d]]) : -EINVAL;
    }
    if (!rc)
        rc = hot_batch_reserve(batch, size);
    if (!rc)
        rc = hot_list_push(&batch->new_series, hot_lane_number(lane));
    if (rc) {
        hot_names_cut(hot, hot->logged_values); /* it is no model */
        return rc;
    }
    uint8_t *p = batch->rec + TSFS_WAL_FRAME_BYTES + batch->len;
    *p++ = RECORD_SERIES << 4;
    p = record_put_bytes(p, name.ptr, name.len);
    p = record_put_vuint(p, layout->ndims);
    for (unsigned d = 0; d < layout->ndims; d++) {
        struct tsfs_str value = series_text_at(hot->series, t->values[d]);
        p = record_put_u16(p, schema->dims[slots[d]]);
        p = record_put_bytes(p, value.ptr, value.len);
    }
    batch->len = (size_t)(p - batch->rec) - TSFS_WAL_FRAME_BYTES;
    lane->log_number = hot->logged_series++;
    return 0;
}

static int define_columns(struct tsfs_hot *hot, const struct tsfs_schema *schema,
                          const struct tsfs_cell *cells, unsigned ncells)
{
    int rc = 0;
    for (unsigned i = 0; i < ncells && rc == 0; i++)
        rc = cells[i].slot < schema->nmeasures ? define_column(hot, schema, schema->measures[cells[i].slot])
                                               : -EINVAL;
    return rc;
}

static int define_shape(struct tsfs_hot *hot, const struct tsfs_schema *schema, struct hot_shape *shape,
                        const struct tsfs_cell *cells)
{
    struct hot_batch *batch = hot->batch;
    int rc = define_columns(hot, schema, cells, shape->n);
    if (!rc)
        rc = hot_batch_reserve(batch, 1 + RECORD_VUINT_MAX + 2u * shape->n);
    if (!rc)
        rc = hot_list_push(&batch->new_shapes, shape->index);
    if (rc)
        return rc;
    uint8_t *p = batch->rec + TSFS_WAL_FRAME_BYTES + batch->len;
    *p++ = RECORD_SHAPE << 4;
    p = record_put_vuint(p, shape->n);
    for (unsigned i = 0; i < shape->n; i++)
        p = record_put_u16(p, schema->measures[cells[i].slot]);
    batch->len = (size_t)(p - batch->rec) - TSFS_WAL_FRAME_BYTES;
    shape->log_number = hot->logged_shapes++;
    return 0;
}

static uint8_t *put_mixed(uint8_t *p, const struct tsfs_cell *cells, unsigned ncells)
{
    uint8_t *widths = p;
    unsigned n = 0;
    for (unsigned i = 0; i < ncells; i++)
        n += cells[i].type == TSFS_BIGINT || cells[i].type == TSFS_DOUBLE;
    p += (n + 1) / 2;
    n = 0;
    for (unsigned i = 0; i < ncells; i++) {
        if (cells[i].type == TSFS_BOOLEAN) {
            *p++ = cells[i].b;
        } else if (cells[i].type == TSFS_VARCHAR) {
            p = record_put_bytes(p, cells[i].s.ptr, cells[i].s.len);
        } else {
            uint64_t v = cells[i].type == TSFS_DOUBLE ? record_pack_double((uint64_t)cells[i].i)
                                                      : record_zigzag(cells[i].i);
            unsigned w = record_width(v);
            record_put(p, v);
            p += w;
            if (n & 1)
                widths[n / 2] |= (uint8_t)(w << 4);
            else
                widths[n / 2] = (uint8_t)w;
            n++;
        }
    }
    return p;
}

int hot_log_row(struct tsfs_hot *hot, const struct tsfs_schema *schema, struct hot_lane *lane,
                struct hot_shape *shape, int64_t time, const struct tsfs_cell *cells, unsigned ncells,
                size_t *end)
{
    struct hot_batch *batch = hot->batch;
    size_t size = 1 + 8 + 8 + 2 * RECORD_VUINT_MAX + (ncells + 1) / 2 + 8u * (size_t)ncells;
    int rc = 0;
    if (lane->log_number == HOT_NONE)
        rc = define_series(hot, schema, lane);
    if (!rc && shape && shape->log_number == HOT_NONE)
        rc = define_shape(hot, schema, shape, cells);
    if (!rc && !shape) {
        rc = define_columns(hot, schema, cells, ncells);
        size += 2u * (size_t)ncells;
    }
    if (rc)
        return rc;
    if (!shape || !shape->numeric)
        for (unsigned i = 0; i < ncells; i++)
            size += cells[i].type == TSFS_VARCHAR ? RECORD_VUINT_MAX + cells[i].s.len : 0;
    rc = hot_batch_reserve(batch, size);
    if (rc)
        return rc;

    uint8_t *p = batch->rec + TSFS_WAL_FRAME_BYTES + batch->len, *control = p++;
    uint64_t delta = record_zigzag((int64_t)((uint64_t)time - (uint64_t)batch->last_time));
    unsigned w = record_width(lane->log_number);
    record_put(p, lane->log_number);
    p += w;
    *control = (uint8_t)w;
    if (delta) {
        w = record_width(delta);
        record_put(p, delta);
        p += w;
        *control |= (uint8_t)(w << 4);
    }
    if (shape) {
        p = record_put_vuint(p, shape->log_number + 1);
    } else {
        *p++ = 0;
        p = record_put_vuint(p, ncells);
        for (unsigned i = 0; i < ncells; i++)
            p = record_put_u16(p, schema->measures[cells[i].slot]);
    }
    batch->packed = p;
    p = shape && shape->numeric ? hot_pack(p, cells, ncells) : put_mixed(p, cells, ncells);
    batch->npacked = (size_t)(p - batch->packed);
    *end = (size_t)(p - batch->rec) - TSFS_WAL_FRAME_BYTES;
    return 0;
}
