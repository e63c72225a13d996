/* A merge sort that compares one word most of the time: the first key is turned into an unsigned number of
 * the same order (strings: their first eight bytes), its complement if descending.  Only when that does not
 * decide are the keys themselves looked up. */
#include "exec/kernels/order.h"

#include <string.h>

#include "col/nested.h"

#define RUN 16u

static uint64_t double_prefix(double d)
{
    uint64_t u;
    if (d != d)
        return UINT64_MAX; /* NaN is the largest */
    d += 0.0;
    memcpy(&u, &d, sizeof(u));
    return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

static uint64_t str_prefix(struct tsfs_str s)
{
    uint64_t u = 0;
    for (size_t i = 0; i < 8 && i < s.len; i++)
        u |= (uint64_t)(unsigned char)s.ptr[i] << (56 - 8 * i);
    return u;
}

void order_prefix(const struct order_key *key, const struct tsfs_vec *v, uint32_t n,
                  struct order_entry *entries)
{
    for (uint32_t i = 0; i < n; i++) {
        struct order_entry *e = &entries[i];
        uint32_t row = v->constant ? 0 : i;
        if (tsfs_vec_null(v, row)) {
            e->null_rank = key->nulls_first ? 0 : 2;
            e->prefix = 0;
            continue;
        }
        e->null_rank = 1;
        switch (v->type) {
        case TSFS_BOOLEAN: e->prefix = v->b[row]; break;
        case TSFS_DOUBLE: e->prefix = double_prefix(v->d[row]); break;
        case TSFS_VARCHAR:
        case TSFS_VARBINARY: e->prefix = str_prefix(v->s[row]); break;
        default:
            e->prefix = tsfs_type_is_nested(v->type) ? 0 : (uint64_t)v->i[row] ^ UINT64_C(1) << 63;
            break;
        }
        if (key->descending)
            e->prefix = ~e->prefix;
    }
}

static int compare_values(const struct order_key *key, const struct tsfs_vec *a, uint32_t i,
                          const struct tsfs_vec *b, uint32_t j)
{
    bool an = tsfs_vec_null(a, i), bn = tsfs_vec_null(b, j);
    if (an || bn) {
        if (an && bn)
            return 0;
        return an == key->nulls_first ? -1 : 1;
    }
    i = a->constant ? 0 : i;
    j = b->constant ? 0 : j;
    int c;
    switch (a->type) {
    case TSFS_BOOLEAN: c = (a->b[i] > b->b[j]) - (a->b[i] < b->b[j]); break;
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: c = tsfs_str_cmp(a->s[i], b->s[j]); break;
    case TSFS_DOUBLE: {
        uint64_t x = double_prefix(a->d[i]), y = double_prefix(b->d[j]);
        c = (x > y) - (x < y);
        break;
    }
    default:
        c = tsfs_type_is_nested(a->type) ? tsfs_nested_order(a->type, a->p[i], b->p[j])
                                         : (a->i[i] > b->i[j]) - (a->i[i] < b->i[j]);
        break;
    }
    return key->descending ? -c : c;
}

static int compare_keys(const struct order_set *set, const struct order_entry *a, const struct order_entry *b)
{
    const struct tsfs_vec *x = set->batches[a->batch], *y = set->batches[b->batch];
    for (uint32_t k = set->decisive ? 1 : 0; k < set->nkeys; k++) {
        int c = compare_values(&set->keys[k], &x[k], a->row, &y[k], b->row);
        if (c != 0)
            return c;
    }
    return 0;
}

static int compare_slow(const struct order_set *set, const struct order_entry *a, const struct order_entry *b)
{
    int c = compare_keys(set, a, b);
    if (c != 0)
        return c;
    if (a->batch != b->batch)
        return a->batch < b->batch ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static inline int compare(const struct order_set *set, const struct order_entry *a,
                          const struct order_entry *b)
{
    if (a->null_rank != b->null_rank)
        return a->null_rank < b->null_rank ? -1 : 1;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return compare_slow(set, a, b);
}

int order_compare(const struct order_set *set, const struct order_entry *a, const struct order_entry *b)
{
    return compare(set, a, b);
}

bool order_ties(const struct order_set *set, const struct order_entry *a, const struct order_entry *b)
{
    return a->null_rank == b->null_rank && a->prefix == b->prefix && compare_keys(set, a, b) == 0;
}

static void insertion_sort(const struct order_set *set, struct order_entry *e, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct order_entry x = e[i];
        size_t j = i;
        for (; j > 0 && compare(set, &x, &e[j - 1]) < 0; j--)
            e[j] = e[j - 1];
        e[j] = x;
    }
}

static void merge(const struct order_set *set, const struct order_entry *from, size_t mid, size_t n,
                  struct order_entry *to)
{
    size_t a = 0, b = mid, k = 0;
    while (a < mid && b < n)
        to[k++] = compare(set, &from[b], &from[a]) < 0 ? from[b++] : from[a++];
    memcpy(to + k, from + a, (mid - a) * sizeof(*to));
    memcpy(to + k + (mid - a), from + b, (n - b) * sizeof(*to));
}

void order_sort(const struct order_set *set, struct order_entry *entries, struct order_entry *scratch,
                size_t n)
{
    size_t sorted = 1;
    while (sorted < n && compare(set, &entries[sorted - 1], &entries[sorted]) <= 0)
        sorted++;
    if (sorted >= n)
        return;
    for (size_t i = 0; i < n; i += RUN)
        insertion_sort(set, entries + i, n - i < RUN ? n - i : RUN);
    struct order_entry *from = entries, *to = scratch;
    for (size_t width = RUN; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t len = n - i < 2 * width ? n - i : 2 * width;
            if (len <= width || compare(set, &from[i + width - 1], &from[i + width]) <= 0)
                memcpy(to + i, from + i, len * sizeof(*to));
            else
                merge(set, from + i, width, len, to + i);
        }
        struct order_entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != entries)
        memcpy(entries, from, n * sizeof(*entries));
}
