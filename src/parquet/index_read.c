/* The page index of a chunk: OffsetIndex (where its pages are) and ColumnIndex (what they hold). */
#include <errno.h>

#include "parquet/reader_priv.h"

int pq_offset_index_read(struct tsfs_pq_chunk *c, const uint8_t *p, size_t len, struct tsfs_error *err)
{
    struct thrift_reader t;
    struct thrift_fields f = {0};
    enum thrift_type element = THRIFT_STRUCT;
    struct tsfs_pq_page *pages = NULL;
    uint32_t n = 0;
    bool good = true;

    thrift_reader_init(&t, p, len);
    thrift_enter(&t);
    while (thrift_field(&t, &f)) {
        if (f.id != 1 || pages) {
            thrift_skip(&t, f.type);
            continue;
        }
        n = thrift_get_list(&t, &f, &element);
        if (t.bad || element != THRIFT_STRUCT)
            break;
        pages = TSFS_NEW_ARRAY(&c->arena, struct tsfs_pq_page, n);
        if (!pages)
            return -ENOMEM;
        uint64_t end = c->place->first;
        for (uint32_t i = 0; i < n && !t.bad; i++) {
            struct thrift_fields g = {0};
            int64_t offset = -1, size = -1, row = -1;
            thrift_enter(&t);
            while (thrift_field(&t, &g)) {
                switch (g.id) {
                case 1: offset = thrift_get_int(&t, &g); break;
                case 2: size = thrift_get_int(&t, &g); break;
                case 3: row = thrift_get_int(&t, &g); break;
                default: thrift_skip(&t, g.type);
                }
            }
            thrift_leave(&t);
            good &= offset >= 0 && (uint64_t)offset >= end && size > 0 && size <= UINT32_MAX && row >= 0 &&
                    (uint64_t)offset <= c->place->end && (uint64_t)size <= c->place->end - (uint64_t)offset &&
                    (uint64_t)row < c->nrows &&
                    (i ? (uint64_t)row > pages[i - 1].first_row &&
                             (uint64_t)row - pages[i - 1].first_row <= UINT32_MAX
                       : row == 0);
            if (!good)
                break;
            end = (uint64_t)offset + (uint64_t)size;
            pages[i] = (struct tsfs_pq_page){
                .offset = (uint64_t)offset, .size = (uint32_t)size, .first_row = (uint64_t)row};
            if (i)
                pages[i - 1].nrows = (uint32_t)((uint64_t)row - pages[i - 1].first_row);
        }
        if (!good)
            break;
    }
    thrift_leave(&t);
    if (t.bad || !good || !pages || n == 0 || c->nrows - pages[n - 1].first_row > UINT32_MAX)
        return pq_column_error(err, -EINVAL, c->column, "its page index is not valid");
    pages[n - 1].nrows = (uint32_t)(c->nrows - pages[n - 1].first_row);
    c->pages = pages;
    c->npages = n;
    return 0;
}

static void read_counts(struct thrift_reader *t, struct tsfs_pq_chunk *c, const struct thrift_fields *f,
                        bool nans)
{
    enum thrift_type element;
    uint32_t n = thrift_get_list(t, f, &element);
    if (n != c->npages || (element != THRIFT_I64 && element != THRIFT_I32)) {
        t->bad = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        int64_t v = thrift_element_int(t);
        struct tsfs_pq_stats *s = &c->stats[i];
        if (v < 0)
            continue;
        if (nans) {
            s->has_nan_count = true;
            s->nan_count = (uint64_t)v;
        } else {
            s->has_null_count = true;
            s->null_count = (uint64_t)v;
        }
    }
}

static void read_bounds(struct thrift_reader *t, struct tsfs_pq_chunk *c, const struct thrift_fields *f,
                        bool is_max)
{
    enum thrift_type element;
    uint32_t n = thrift_get_list(t, f, &element);
    if (n != c->npages || element != THRIFT_BINARY) {
        t->bad = true;
        return;
    }
    for (uint32_t i = 0; i < n && !t->bad; i++) {
        struct tsfs_str v = thrift_element_binary(t);
        struct tsfs_pq_stats *s = &c->stats[i];
        if (t->bad)
            break;
        if (is_max)
            s->has_max = pq_bound_parse(c->column, v, true, &s->max);
        else
            s->has_min = pq_bound_parse(c->column, v, false, &s->min);
    }
}

int pq_column_index_read(struct tsfs_pq_chunk *c, const uint8_t *p, size_t len, struct tsfs_error *err)
{
    struct thrift_reader t;
    struct thrift_fields f = {0};
    enum thrift_type element;
    uint32_t n = 0;
    bool *null_page = TSFS_NEW_ARRAY(&c->arena, bool, c->npages);
    c->stats = TSFS_NEW_ARRAY(&c->arena, struct tsfs_pq_stats, c->npages);
    if (!null_page || !c->stats) {
        c->stats = NULL;
        return -ENOMEM;
    }
    thrift_reader_init(&t, p, len);
    thrift_enter(&t);
    while (thrift_field(&t, &f)) {
        switch (f.id) {
        case 1:
            n = thrift_get_list(&t, &f, &element);
            if (n != c->npages || (element != THRIFT_TRUE && element != THRIFT_FALSE))
                t.bad = true;
            for (uint32_t i = 0; i < n && !t.bad; i++)
                null_page[i] = thrift_element_bool(&t);
            break;
        case 2: read_bounds(&t, c, &f, false); break;
        case 3: read_bounds(&t, c, &f, true); break;
        case 5: read_counts(&t, c, &f, false); break;
        case 8: read_counts(&t, c, &f, true); break;
        default: thrift_skip(&t, f.type);
        }
    }
    thrift_leave(&t);
    if (t.bad || n != c->npages) {
        c->stats = NULL;
        return pq_column_error(err, -EINVAL, c->column, "its column index is not valid");
    }
    bool ordered = c->r->ordered[c->ordinal];
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_pq_stats *s = &c->stats[i];
        if (null_page[i] || !ordered)
            s->has_min = s->has_max = false;
        if (null_page[i]) {
            s->has_null_count = true;
            s->null_count = c->pages[i].nrows;
        }
    }
    return 0;
}
