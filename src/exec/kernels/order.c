/* Keys as words: a key is turned into an unsigned number of the same order (strings: their first eight
 * bytes), its complement if descending.  Only when that does not decide are the keys themselves looked up. */
#include "exec/kernels/order.h"

#include <endian.h>
#include <string.h>

#include "col/nested.h"

static uint64_t double_prefix(double d)
{
    uint64_t u;
    if (d != d)
        return UINT64_MAX; /* NaN is the largest */
    d += 0.0;
    memcpy(&u, &d, sizeof(u));
    return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

uint64_t order_str_word(struct tsfs_str s)
{
    uint64_t u = 0;
    if (s.len >= 8) {
        memcpy(&u, s.ptr, 8);
        return htobe64(u);
    }
    for (size_t i = 0; i < s.len; i++)
        u |= (uint64_t)(unsigned char)s.ptr[i] << (56 - 8 * i);
    return u;
}

void order_word(const struct order_key *key, const struct tsfs_vec *v, uint32_t row, struct order_entry *e)
{
    row = v->constant ? 0 : row;
    if (tsfs_vec_null(v, row)) {
        e->null_rank = key->nulls_first ? 0 : 2;
        e->prefix = 0;
        return;
    }
    e->null_rank = 1;
    switch (v->type) {
    case TSFS_BOOLEAN: e->prefix = v->b[row]; break;
    case TSFS_DOUBLE: e->prefix = double_prefix(v->d[row]); break;
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: e->prefix = order_str_word(v->s[row]); break;
    default: e->prefix = tsfs_type_is_nested(v->type) ? 0 : (uint64_t)v->i[row] ^ UINT64_C(1) << 63; break;
    }
    if (key->descending)
        e->prefix = ~e->prefix;
}

void order_prefix(const struct order_key *key, const struct tsfs_vec *v, uint32_t n,
                  struct order_entry *entries)
{
    for (uint32_t i = 0; i < n; i++)
        order_word(key, v, i, &entries[i]);
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

int order_compare_from(const struct order_set *set, uint32_t from, const struct order_entry *a,
                       const struct order_entry *b)
{
    const struct tsfs_vec *x = set->batches[a->batch], *y = set->batches[b->batch];
    for (uint32_t k = from; k < set->nkeys; k++) {
        int c = compare_values(&set->keys[k], &x[k], a->row, &y[k], b->row);
        if (c != 0)
            return c;
    }
    return 0;
}

static int compare_keys(const struct order_set *set, const struct order_entry *a, const struct order_entry *b)
{
    return order_compare_from(set, set->decisive ? 1 : 0, a, b);
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
