/* Statistics that a file gives for chunks and pages. */
#include <math.h>

#include "parquet/reader_priv.h"

bool pq_bound_parse(const struct tsfs_pq_column *column, struct tsfs_str bytes, bool is_max,
                    struct tsfs_value *out)
{
    float f;
    *out = (struct tsfs_value){.type = column->type};
    switch (column->physical) {
    case TSFS_PQ_BOOLEAN:
        if (bytes.len != 1)
            return false;
        out->b = bytes.ptr[0] != 0;
        return true;
    case TSFS_PQ_INT32:
        if (bytes.len != 4)
            return false;
        out->i = column->is_unsigned ? (int64_t)pq_load32(bytes.ptr) : (int32_t)pq_load32(bytes.ptr);
        return true;
    case TSFS_PQ_INT64:
        if (bytes.len != 8)
            return false;
        out->i = (int64_t)pq_load64(bytes.ptr);
        return !column->is_unsigned || out->i >= 0;
    case TSFS_PQ_FLOAT:
    case TSFS_PQ_DOUBLE:
        if (bytes.len != (column->physical == TSFS_PQ_FLOAT ? 4 : 8))
            return false;
        if (bytes.len == 4) {
            memcpy(&f, bytes.ptr, 4);
            out->d = f;
        } else {
            memcpy(&out->d, bytes.ptr, 8);
        }
        if (isnan(out->d))
            return false;
        if (out->d == 0) /* the other zero may be there too */
            out->d = is_max ? 0.0 : -0.0;
        return true;
    case TSFS_PQ_BYTE_ARRAY: out->s = bytes; return true;
    default: return false;
    }
}

/* Statistics.  The older min and max are only believed where every order is the signed one. */
void pq_stats_read(struct thrift_reader *t, const struct tsfs_pq_column *column, bool ordered,
                   struct tsfs_pq_stats *out)
{
    struct thrift_fields f = {0};
    struct tsfs_str min = {0}, max = {0}, old_min = {0}, old_max = {0};
    bool min_exact = false, max_exact = false;
    int64_t n;

    *out = (struct tsfs_pq_stats){0};
    thrift_enter(t);
    while (thrift_field(t, &f)) {
        switch (f.id) {
        case 1: old_max = thrift_get_binary(t, &f); break;
        case 2: old_min = thrift_get_binary(t, &f); break;
        case 3:
            n = thrift_get_int(t, &f);
            out->has_null_count = n >= 0;
            out->null_count = n >= 0 ? (uint64_t)n : 0;
            break;
        case 5: max = thrift_get_binary(t, &f); break;
        case 6: min = thrift_get_binary(t, &f); break;
        case 7: max_exact = thrift_get_bool(t, &f); break;
        case 8: min_exact = thrift_get_bool(t, &f); break;
        case 9:
            n = thrift_get_int(t, &f);
            out->has_nan_count = n >= 0;
            out->nan_count = n >= 0 ? (uint64_t)n : 0;
            break;
        default: thrift_skip(t, f.type);
        }
    }
    thrift_leave(t);
    if (t->bad)
        return;
    if (!ordered || (!min.ptr && !max.ptr)) {
        bool is_signed = column->physical != TSFS_PQ_BYTE_ARRAY && !column->is_unsigned;
        min = is_signed ? old_min : (struct tsfs_str){0};
        max = is_signed ? old_max : (struct tsfs_str){0};
        min_exact = max_exact = false;
    }
    out->has_min = min.ptr && pq_bound_parse(column, min, false, &out->min);
    out->has_max = max.ptr && pq_bound_parse(column, max, true, &out->max);
    out->min_exact = out->has_min && min_exact;
    out->max_exact = out->has_max && max_exact;
}
