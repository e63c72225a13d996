/* The series index.
 *
 * Three tables over one store of bytes: spellings (the hot path: raw bytes of "measurement,tags" -> id),
 * values (each distinct name or tag value once) and ids (canonical form -> id).  A series is kept as a tuple
 * of references to values, so that comparing two mostly compares integers.
 *
 * One adder at a time, any number of readers, no locks: store, tables and entries only grow, what is
 * published is never moved, and a table that was outgrown is kept until the end (they double, so all of them
 * together are no larger than the last).
 *
 * Cost of an idle series with 10 tags, one value of its own, and a spelling of 150 bytes: entry 16, tuple 72,
 * spelling 160, value 16, slots in three tables 8 to 21 each (outgrown tables included): 300 to 330 bytes,
 * half of them for the spelling.
 *
 * Spellings are bounded: each series may have one, and all further ones (tags in another order, escapes not
 * needed) share SPELLING_EXTRA_MAX bytes.  One that is not kept costs its writer a canonical lookup. */
#include "hot/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/limits.h"
#include "hot/series_priv.h"

#define SPELLING_EXTRA_MAX (64u << 20)
#define ENCODE_STACK       2048u

struct spelling {
    uint32_t id, len;
    char bytes[];
};

int tsfs_series_index_create(struct tsfs_series_index **out)
{
    struct tsfs_series_index *index = calloc(1, sizeof(*index));
    if (!index)
        return -ENOMEM;
    pthread_mutex_init(&index->postings_lock, NULL);
    *out = index;
    return 0;
}

void tsfs_series_index_free(struct tsfs_series_index *index)
{
    if (!index)
        return;
    postings_free(index->postings);
    slab_store_free(&index->store);
    slab_index_free(&index->spellings);
    slab_index_free(&index->values);
    slab_index_free(&index->ids);
    for (unsigned k = 0; k < SERIES_BLOCKS; k++)
        free(atomic_load(&index->entries[k]));
    pthread_mutex_destroy(&index->postings_lock);
    free(index->scratch);
    free(index);
}

uint32_t tsfs_series_index_find_spelling(const struct tsfs_series_index *index, struct tsfs_str raw,
                                         uint64_t hash)
{
    uint32_t ref;
    for (struct slab_probe p = slab_probe_begin(&index->spellings, hash); slab_probe_next(&p, &ref);) {
        const struct spelling *s = slab_store_at(&index->store, ref);
        if (s->len == raw.len && memcmp(s->bytes, raw.ptr, raw.len) == 0)
            return s->id;
    }
    return TSFS_SERIES_NONE;
}

int tsfs_series_index_add_spelling(struct tsfs_series_index *index, struct tsfs_str raw, uint64_t hash,
                                   uint32_t id)
{
    struct series_entry *entry = (struct series_entry *)series_entry_at(index, id);
    size_t size = sizeof(struct spelling) + raw.len;
    if (raw.len > TSFS_SERIES_KEY_MAX ||
        (entry->spelled && index->extra_spellings + size > SPELLING_EXTRA_MAX) ||
        tsfs_series_index_find_spelling(index, raw, hash) != TSFS_SERIES_NONE)
        return 0;
    uint32_t ref = slab_store_alloc(&index->store, size);
    if (!ref)
        return -ENOMEM;
    struct spelling *s = slab_store_at(&index->store, ref);
    s->id = id;
    s->len = (uint32_t)raw.len;
    memcpy(s->bytes, raw.ptr, raw.len);
    int rc = slab_index_add(&index->spellings, hash, ref);
    if (rc)
        return rc;
    if (entry->spelled)
        index->extra_spellings += size;
    entry->spelled = 1;
    return 0;
}

/* The canonical encoding, little-endian: u32 length and bytes of the measure name, then for every dimension
 * present, by slot: u16 slot, u32 length, bytes. */
static char *encode_text(char *p, struct tsfs_str s)
{
    uint8_t len[4] = {(uint8_t)s.len, (uint8_t)(s.len >> 8), (uint8_t)(s.len >> 16), (uint8_t)(s.len >> 24)};
    memcpy(p, len, 4);
    if (s.len)
        memcpy(p + 4, s.ptr, s.len);
    return p + 4 + s.len;
}

static char *encode_slot(char *p, uint16_t slot)
{
    p[0] = (char)slot;
    p[1] = (char)(slot >> 8);
    return p + 2;
}

static uint64_t hash_streamed(const struct tsfs_series *series)
{
    char head[6];
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (int d = -1; d < series->ndims; d++) {
        struct tsfs_str s = d < 0 ? series->measure_name : series->dims[d];
        if (d >= 0 && !s.ptr)
            continue;
        char *p = encode_text(d < 0 ? head : encode_slot(head, (uint16_t)d), (struct tsfs_str){NULL, 0});
        uint8_t len[4] = {(uint8_t)s.len, (uint8_t)(s.len >> 8), (uint8_t)(s.len >> 16),
                          (uint8_t)(s.len >> 24)};
        memcpy(p - 4, len, 4);
        XXH3_64bits_update(&state, head, (size_t)(p - head));
        XXH3_64bits_update(&state, s.ptr, s.len);
    }
    return XXH3_64bits_digest(&state);
}

uint64_t tsfs_series_hash(const struct tsfs_series *series)
{
    char stack[ENCODE_STACK];
    size_t size = 4 + series->measure_name.len;
    for (unsigned d = 0; d < series->ndims; d++)
        size += series->dims[d].ptr ? 6 + series->dims[d].len : 0;
    if (size > sizeof(stack))
        return hash_streamed(series);
    char *p = encode_text(stack, series->measure_name);
    for (unsigned d = 0; d < series->ndims; d++)
        if (series->dims[d].ptr)
            p = encode_text(encode_slot(p, (uint16_t)d), series->dims[d]);
    return XXH3_64bits(stack, (size_t)(p - stack));
}

int tsfs_series_cmp(const struct tsfs_series *a, const struct tsfs_series *b)
{
    int c = tsfs_str_cmp(a->measure_name, b->measure_name);
    unsigned n = a->ndims > b->ndims ? a->ndims : b->ndims;
    for (unsigned d = 0; d < n && c == 0; d++) {
        struct tsfs_str none = {NULL, 0};
        c = tsfs_str_cmp(d < a->ndims ? a->dims[d] : none, d < b->ndims ? b->dims[d] : none);
    }
    return c;
}

/* dims by slot, none absent. */
static bool equals(const struct tsfs_series_index *index, uint32_t id, struct tsfs_str measure_name,
                   const struct tsfs_dim_value *dims, unsigned ndims)
{
    const struct series_tuple *t = series_tuple_at(index, id);
    const uint16_t *slots = series_tuple_slots(t);
    if (t->ndims != ndims || !tsfs_str_eq(series_text_at(index, t->measure_name), measure_name))
        return false;
    for (unsigned d = 0; d < ndims; d++)
        if (slots[d] != dims[d].slot || !tsfs_str_eq(series_text_at(index, t->values[d]), dims[d].value))
            return false;
    return true;
}

static uint32_t find(const struct tsfs_series_index *index, uint64_t hash, struct tsfs_str measure_name,
                     const struct tsfs_dim_value *dims, unsigned ndims)
{
    uint32_t id;
    for (struct slab_probe p = slab_probe_begin(&index->ids, hash); slab_probe_next(&p, &id);)
        if (series_entry_at(index, id)->hash == hash && equals(index, id, measure_name, dims, ndims))
            return id;
    return TSFS_SERIES_NONE;
}

uint32_t series_index_lookup(const struct tsfs_series_index *index, const struct tsfs_series *series)
{
    struct tsfs_dim_value dims[TSFS_DIMENSIONS_MAX];
    unsigned n = 0;
    for (unsigned d = 0; d < series->ndims; d++) {
        if (!series->dims[d].ptr)
            continue;
        if (n == TSFS_DIMENSIONS_MAX)
            return TSFS_SERIES_NONE;
        dims[n++] = (struct tsfs_dim_value){(uint16_t)d, series->dims[d]};
    }
    return find(index, tsfs_series_hash(series), series->measure_name, dims, n);
}

uint32_t series_index_value(const struct tsfs_series_index *index, struct tsfs_str value)
{
    uint32_t ref;
    uint64_t hash = XXH3_64bits(value.ptr, value.len);
    for (struct slab_probe p = slab_probe_begin(&index->values, hash); slab_probe_next(&p, &ref);)
        if (tsfs_str_eq(series_text_at(index, ref), value))
            return ref;
    return 0;
}

static int intern_value(struct tsfs_series_index *index, struct tsfs_str value, uint32_t *ref)
{
    *ref = series_index_value(index, value);
    if (*ref)
        return 0;
    *ref = slab_store_alloc(&index->store, sizeof(struct series_text) + value.len);
    if (!*ref)
        return -ENOMEM;
    struct series_text *text = slab_store_at(&index->store, *ref);
    text->len = (uint32_t)value.len;
    if (value.len)
        memcpy(text->bytes, value.ptr, value.len);
    return slab_index_add(&index->values, XXH3_64bits(value.ptr, value.len), *ref);
}

static int add(struct tsfs_series_index *index, uint64_t hash, struct tsfs_str measure_name,
               const struct tsfs_dim_value *dims, unsigned ndims, uint32_t *id)
{
    uint32_t n = atomic_load_explicit(&index->count, memory_order_relaxed), offset;
    if (n >= TSFS_SERIES_MAX)
        return -E2BIG;
    unsigned k = slab_block(n, SERIES_FIRST_BITS, &offset);
    struct series_entry *block = atomic_load_explicit(&index->entries[k], memory_order_relaxed);
    if (!block) {
        block = malloc(sizeof(*block) << (SERIES_FIRST_BITS + k));
        if (!block)
            return -ENOMEM;
        atomic_store_explicit(&index->entries[k], block, memory_order_release);
    }
    uint32_t ref = slab_store_alloc(&index->store, sizeof(struct series_tuple) +
                                                       ndims * (sizeof(uint32_t) + sizeof(uint16_t)));
    if (!ref)
        return -ENOMEM;
    struct series_tuple *tuple = slab_store_at(&index->store, ref);
    uint16_t *slots = (uint16_t *)(tuple->values + ndims);
    tuple->ndims = (uint16_t)ndims;
    tuple->unused = 0;
    int rc = intern_value(index, measure_name, &tuple->measure_name);
    for (unsigned d = 0; d < ndims && rc == 0; d++) {
        slots[d] = dims[d].slot;
        rc = intern_value(index, dims[d].value, &tuple->values[d]);
    }
    if (rc)
        return rc;
    block[offset] = (struct series_entry){hash, ref, 0};
    rc = slab_index_add(&index->ids, hash, n);
    if (rc)
        return rc;
    atomic_store_explicit(&index->count, n + 1, memory_order_release);
    *id = n;
    return 0;
}

int tsfs_series_index_intern(struct tsfs_series_index *index, struct tsfs_str measure_name,
                             const struct tsfs_dim_value *dims, unsigned ndims, uint32_t *id)
{
    struct tsfs_dim_value sorted[TSFS_DIMENSIONS_MAX];
    unsigned n = 0;
    size_t size = 4 + measure_name.len;
    if (ndims > TSFS_DIMENSIONS_MAX || measure_name.len > TSFS_SERIES_KEY_MAX)
        return -E2BIG;
    for (unsigned i = 0; i < ndims; i++) {
        if (!dims[i].value.ptr)
            continue;
        if (dims[i].value.len > TSFS_SERIES_KEY_MAX)
            return -E2BIG;
        unsigned at = n++;
        for (; at > 0 && sorted[at - 1].slot > dims[i].slot; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = dims[i];
        size += 6 + dims[i].value.len;
    }
    for (unsigned d = 1; d < n; d++)
        if (sorted[d].slot == sorted[d - 1].slot)
            return -EINVAL;
    if (size > index->scratch_cap) {
        char *grown = realloc(index->scratch, size * 2);
        if (!grown)
            return -ENOMEM;
        index->scratch = grown;
        index->scratch_cap = size * 2;
    }
    char *p = encode_text(index->scratch, measure_name);
    for (unsigned d = 0; d < n; d++)
        p = encode_text(encode_slot(p, sorted[d].slot), sorted[d].value);
    uint64_t hash = XXH3_64bits(index->scratch, size);
    *id = find(index, hash, measure_name, sorted, n);
    return *id != TSFS_SERIES_NONE ? 0 : add(index, hash, measure_name, sorted, n, id);
}

uint32_t tsfs_series_index_count(const struct tsfs_series_index *index)
{
    return atomic_load_explicit(&index->count, memory_order_acquire);
}

size_t tsfs_series_index_bytes(const struct tsfs_series_index *index)
{
    return sizeof(*index) + atomic_load_explicit(&index->store.bytes, memory_order_relaxed) +
           atomic_load_explicit(&index->spellings.bytes, memory_order_relaxed) +
           atomic_load_explicit(&index->values.bytes, memory_order_relaxed) +
           atomic_load_explicit(&index->ids.bytes, memory_order_relaxed) +
           (size_t)tsfs_series_index_count(index) * sizeof(struct series_entry);
}

void tsfs_series_index_get(const struct tsfs_series_index *index, uint32_t id, struct tsfs_str *measure_name,
                           struct tsfs_str *dims, uint16_t ndims)
{
    const struct series_tuple *t = series_tuple_at(index, id);
    const uint16_t *slots = series_tuple_slots(t);
    *measure_name = series_text_at(index, t->measure_name);
    for (unsigned d = 0; d < ndims; d++)
        dims[d] = (struct tsfs_str){NULL, 0};
    for (unsigned d = 0; d < t->ndims && slots[d] < ndims; d++)
        dims[slots[d]] = series_text_at(index, t->values[d]);
}

int series_index_cmp(const struct tsfs_series_index *index, uint32_t a, uint32_t b)
{
    const struct series_tuple *ta = series_tuple_at(index, a), *tb = series_tuple_at(index, b);
    const uint16_t *sa = series_tuple_slots(ta), *sb = series_tuple_slots(tb);
    if (a == b)
        return 0;
    if (ta->measure_name != tb->measure_name)
        return tsfs_str_cmp(series_text_at(index, ta->measure_name), series_text_at(index, tb->measure_name));
    for (unsigned d = 0;; d++) {
        if (d == ta->ndims || d == tb->ndims)
            return (d < ta->ndims) - (d < tb->ndims);
        if (sa[d] != sb[d]) /* the one that lacks the lower slot comes first */
            return sa[d] < sb[d] ? 1 : -1;
        if (ta->values[d] != tb->values[d])
            return tsfs_str_cmp(series_text_at(index, ta->values[d]), series_text_at(index, tb->values[d]));
    }
}
