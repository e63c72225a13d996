/* Dictionaries of distinct values.
 *
 * Open addressing over 32-bit entry numbers; the keys lie in an array by order of discovery.  A chunk that
 * keeps bringing new values is given up early: after the first few thousand the dictionary may hold at most a
 * third of the values seen, as a double costs eight bytes there and two or three more for each use.  Doubles
 * are compared by their bits, so that NaN payloads and -0.0 survive.
 *
 * In the end the entries are sorted and the codes renumbered: neighbours in value then have near codes, which
 * compresses better and makes a page's smallest and largest code its bounds. */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "parquet/writer_priv.h"

#define FIRST_SLOTS  4096u
#define FREE_ENTRIES 4096u /* allowed before the share of distinct values counts */

struct table {
    uint32_t *slots; /* entry + 1; 0 = free */
    uint32_t mask;
    size_t cap; /* entries that keys has room for */
};

static uint64_t mix(uint64_t v)
{
    v ^= v >> 32;
    v *= UINT64_C(0x9E3779B97F4A7C15);
    return v ^ (v >> 29);
}

static bool too_many(uint32_t entries, size_t seen)
{
    return entries > PQ_DICT_ENTRIES_MAX || (entries > FREE_ENTRIES && entries - FREE_ENTRIES > seen / 3);
}

/* Doubles slots; hash(i) gives entry i's. */
static int grow(struct table *t, const uint64_t *hashes, uint32_t n)
{
    uint32_t slots = (t->mask + 1) * 4;
    uint32_t *fresh = calloc(slots, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    free(t->slots);
    t->slots = fresh;
    t->mask = slots - 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)hashes[i] & t->mask;
        while (fresh[at])
            at = (at + 1) & t->mask;
        fresh[at] = i + 1;
    }
    return 0;
}

struct ranked {
    union {
        uint64_t number;
        struct tsfs_str string;
    };
    uint32_t entry;
};

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = ((const struct ranked *)a)->number, y = ((const struct ranked *)b)->number;
    return (x > y) - (x < y);
}

static int compare_strings(const void *a, const void *b)
{
    return tsfs_str_cmp(((const struct ranked *)a)->string, ((const struct ranked *)b)->string);
}

/* Bits of an int64_t or a double to a number of the same order. */
static uint64_t order_key(uint64_t bits, enum pq_kind kind)
{
    const uint64_t sign = UINT64_C(1) << 63;
    if (kind == PQ_DOUBLES && (bits & sign))
        return ~bits;
    return bits ^ sign;
}

static uint64_t order_unkey(uint64_t key, enum pq_kind kind)
{
    const uint64_t sign = UINT64_C(1) << 63;
    if (kind == PQ_DOUBLES && !(key & sign))
        return ~key;
    return key ^ sign;
}

int pq_dict_numbers(const uint64_t *v, size_t n, enum pq_kind kind, struct tsfs_arena *arena,
                    struct pq_dict *d, uint32_t *codes)
{
    struct table t = {.mask = FIRST_SLOTS - 1};
    uint64_t *keys = NULL, *hashes = NULL;
    uint32_t entries = 0, *rank = NULL;
    struct ranked *order = NULL;
    int r = -ENOMEM;

    *d = (struct pq_dict){0};
    t.slots = calloc(FIRST_SLOTS, sizeof(*t.slots));
    keys = malloc((PQ_DICT_ENTRIES_MAX + 1) * sizeof(*keys));
    if (!t.slots || !keys)
        goto out;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = v[i];
        uint32_t at = (uint32_t)mix(x) & t.mask, e;
        while ((e = t.slots[at]) && keys[e - 1] != x)
            at = (at + 1) & t.mask;
        if (!e) {
            if (too_many(entries + 1, i)) {
                r = 1;
                goto out;
            }
            keys[entries++] = x;
            t.slots[at] = e = entries;
            if (entries > t.mask / 2) {
                free(hashes);
                hashes = malloc(entries * sizeof(*hashes));
                if (!hashes)
                    goto out;
                for (uint32_t k = 0; k < entries; k++)
                    hashes[k] = mix(keys[k]);
                if (grow(&t, hashes, entries))
                    goto out;
            }
        }
        codes[i] = e - 1;
    }

    order = malloc((entries + 1) * sizeof(*order));
    rank = malloc((entries + 1) * sizeof(*rank));
    d->numbers = tsfs_arena_alloc(arena, entries * sizeof(*d->numbers));
    if (!order || !rank || !d->numbers)
        goto out;
    for (uint32_t i = 0; i < entries; i++) {
        order[i].number = order_key(keys[i], kind);
        order[i].entry = i;
    }
    qsort(order, entries, sizeof(*order), compare_numbers);
    for (uint32_t i = 0; i < entries; i++) {
        d->numbers[i] = order_unkey(order[i].number, kind);
        rank[order[i].entry] = i;
    }
    for (size_t i = 0; i < n; i++)
        codes[i] = rank[codes[i]];
    d->n = entries;
    r = 0;
out:
    free(t.slots);
    free(keys);
    free(hashes);
    free(order);
    free(rank);
    return r;
}

int pq_dict_strings(const struct tsfs_str *v, const uint64_t *valid, size_t n, size_t rows,
                    struct tsfs_arena *arena, struct pq_dict *d, uint32_t *codes)
{
    struct table t = {.mask = FIRST_SLOTS - 1};
    struct ranked *order = NULL;
    uint64_t *hashes = NULL;
    uint32_t entries = 0, *rank = NULL, last = 0;
    size_t bytes = 0;
    int r = -ENOMEM;

    *d = (struct pq_dict){0};
    t.slots = calloc(FIRST_SLOTS, sizeof(*t.slots));
    if (!t.slots)
        goto out;
    for (size_t i = 0; i < n; i++) {
        codes[i] = 0;
        if (valid && !tsfs_bit_get(valid, i))
            continue;
        struct tsfs_str x = v[i];
        if (entries && order[last].string.len == x.len &&
            (order[last].string.ptr == x.ptr || tsfs_str_eq(order[last].string, x))) {
            codes[i] = last; /* the value before once more */
            continue;
        }
        uint64_t hash = tsfs_hash(x.len ? x.ptr : "", x.len);
        uint32_t at = (uint32_t)hash & t.mask, e;
        while ((e = t.slots[at]) && !(hashes[e - 1] == hash && tsfs_str_eq(order[e - 1].string, x)))
            at = (at + 1) & t.mask;
        if (!e) {
            bytes += x.len + 4;
            if (too_many(entries + 1, n == rows ? i : rows) || bytes > PQ_DICT_BYTES_MAX) {
                r = 1;
                goto out;
            }
            if (entries == t.cap) {
                size_t cap = t.cap ? t.cap * 2 : 256;
                struct ranked *bigger = realloc(order, cap * sizeof(*order));
                if (!bigger)
                    goto out;
                order = bigger;
                uint64_t *more = realloc(hashes, cap * sizeof(*hashes));
                if (!more)
                    goto out;
                hashes = more;
                t.cap = cap;
            }
            order[entries].string = (struct tsfs_str){x.len ? x.ptr : "", x.len};
            order[entries].entry = entries;
            hashes[entries] = hash;
            t.slots[at] = e = ++entries;
            if (entries > t.mask / 2 && grow(&t, hashes, entries))
                goto out;
        }
        codes[i] = last = e - 1;
    }

    rank = malloc((entries + 1) * sizeof(*rank));
    d->strings = tsfs_arena_alloc(arena, entries * sizeof(*d->strings));
    if (!rank || !d->strings)
        goto out;
    if (entries)
        qsort(order, entries, sizeof(*order), compare_strings);
    for (uint32_t i = 0; i < entries; i++) {
        d->strings[i] = order[i].string;
        rank[order[i].entry] = i;
    }
    if (entries) {
        for (size_t i = 0; i < n; i++)
            codes[i] = rank[codes[i]];
    }
    d->n = entries;
    d->bytes = bytes;
    r = 0;
out:
    free(t.slots);
    free(order);
    free(hashes);
    free(rank);
    return r;
}
