/* The page index: ColumnIndex (bounds and NULLs of each page) and OffsetIndex (where each page is).
 *
 * A page of doubles that are all NaN has no bounds that could be written, and the format then forbids the
 * whole ColumnIndex of the chunk.  boundary_order is found from the bounds as they are written. */
#include "parquet/writer_priv.h"

static int compare_written(const struct tsfs_pq_column *column, enum pq_kind kind, struct tsfs_str a,
                           struct tsfs_str b)
{
    int64_t x = 0, y = 0;
    double d, f;
    switch (kind) {
    case PQ_STRINGS: return tsfs_str_cmp(a, b);
    case PQ_DOUBLES:
        memcpy(&d, a.ptr, 8);
        memcpy(&f, b.ptr, 8);
        return (d > f) - (d < f);
    default:
        memcpy(&x, a.ptr, a.len);
        memcpy(&y, b.ptr, b.len);
        if (column->physical == TSFS_PQ_INT32) {
            x = (int32_t)x;
            y = (int32_t)y;
        }
        return (x > y) - (x < y);
    }
}

int pq_column_index_write(const struct tsfs_pq_column *column, enum pq_kind kind,
                          const struct pq_bounds *pages, const uint32_t *page_rows, uint32_t npages,
                          struct tsfs_buf *out)
{
    struct thrift_writer w;
    bool ascending = true, descending = true, exact;
    struct {
        char min[PQ_BOUND_MAX + 4], max[PQ_BOUND_MAX + 4];
        struct tsfs_str lo, hi;
    } room[2] = {0};
    const struct tsfs_str none = {"", 0};
    int before = -1;

    for (uint32_t p = 0; p < npages; p++) {
        if (!pages[p].any && pages[p].nulls < page_rows[p])
            return 0; /* all NaN */
    }
    thrift_writer_init(&w, out);
    thrift_begin_element(&w);
    thrift_put_list(&w, 1, THRIFT_TRUE, npages);
    for (uint32_t p = 0; p < npages; p++)
        thrift_add_bool(&w, !pages[p].any);
    thrift_put_list(&w, 2, THRIFT_BINARY, npages);
    for (uint32_t p = 0; p < npages; p++)
        thrift_add_binary(&w, pages[p].any ? pq_bound_min(column, &pages[p], room[0].min, &exact) : none);
    thrift_put_list(&w, 3, THRIFT_BINARY, npages);
    for (uint32_t p = 0; p < npages; p++)
        thrift_add_binary(&w, pages[p].any ? pq_bound_max(column, &pages[p], room[0].max, &exact) : none);
    for (uint32_t p = 0; p < npages; p++) {
        if (!pages[p].any)
            continue;
        int now = before == 0;
        room[now].lo = pq_bound_min(column, &pages[p], room[now].min, &exact);
        room[now].hi = pq_bound_max(column, &pages[p], room[now].max, &exact);
        if (before >= 0) {
            int lo = compare_written(column, kind, room[before].lo, room[now].lo);
            int hi = compare_written(column, kind, room[before].hi, room[now].hi);
            ascending &= lo <= 0 && hi <= 0;
            descending &= lo >= 0 && hi >= 0;
        }
        before = now;
    }
    thrift_put_i32(&w, 4, ascending ? 1 : descending ? 2 : 0);
    thrift_put_list(&w, 5, THRIFT_I64, npages);
    for (uint32_t p = 0; p < npages; p++)
        thrift_add_int(&w, (int64_t)pages[p].nulls);
    if (kind == PQ_DOUBLES) {
        thrift_put_list(&w, 8, THRIFT_I64, npages);
        for (uint32_t p = 0; p < npages; p++)
            thrift_add_int(&w, (int64_t)pages[p].nans);
    }
    thrift_end_struct(&w);
    return w.error;
}

int pq_offset_index_write(const struct pq_page_place *pages, uint32_t npages, uint64_t base,
                          struct tsfs_buf *out)
{
    struct thrift_writer w;
    thrift_writer_init(&w, out);
    thrift_begin_element(&w);
    thrift_put_list(&w, 1, THRIFT_STRUCT, npages);
    for (uint32_t p = 0; p < npages; p++) {
        thrift_begin_element(&w);
        thrift_put_i64(&w, 1, (int64_t)(base + pages[p].offset));
        thrift_put_i32(&w, 2, (int32_t)pages[p].size);
        thrift_put_i64(&w, 3, pages[p].first_row);
        thrift_end_struct(&w);
    }
    thrift_end_struct(&w);
    return w.error;
}
