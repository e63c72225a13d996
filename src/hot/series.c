/* The series index.
 *
 * Three tables over stores of bytes: spellings (spelling.c; the hot path: raw bytes of "measurement,tags" ->
 * id), values (each distinct name or tag value once) and ids (name and values by slot -> id).  A series is
 * kept as a tuple of references to values, so that comparing two mostly compares integers; which dimensions
 * these are says a layout that most series of a table share.
 *
 * One adder at a time, any number of readers, no locks: stores, tables and entries only grow and what is
 * published is never moved.  A table that was outgrown goes when no reader is inside
 * (tsfs_series_index_enter).
 *
 * Cost of an idle series with 10 tags, one of them with a value of its own: entry 8, tuple 48, value 16,
 * slots in three tables 11 to 21 each: 105 to 135 bytes.  No series is ever taken out.  An index goes as a
 * whole with the last hot rows that refer to it, and the engine begins a new one when most of this one's
 * series have no hot rows any more (engine/table.c). */
#include "hot/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/limits.h"
#include "base/same.h"
#include "hot/series_priv.h"

#define ENCODE_STACK 2048u
#define CHARGE_STEP  4096u /* bytes: what the budget may lag behind */

int tsfs_series_index_create(struct tsfs_series_index **out)
{
    struct tsfs_series_index *index = calloc(1, sizeof(*index));
    if (!index)
        return -ENOMEM;
    pthread_mutex_init(&index->postings_lock, NULL);
    pthread_mutex_init(&index->ranks_lock, NULL);
    atomic_store(&index->refs, 1);
    index->texts.next = 2; /* so that all references are even: postings.c counts on it */
    index->spellings.readers = index->values.readers = index->ids.readers = &index->readers;
    *out = index;
    return 0;
}

struct tsfs_series_index *tsfs_series_index_ref(struct tsfs_series_index *index)
{
    atomic_fetch_add_explicit(&index->refs, 1, memory_order_relaxed);
    return index;
}

void tsfs_series_index_enter(const struct tsfs_series_index *index)
{
    atomic_fetch_add_explicit(&((struct tsfs_series_index *)index)->readers, 1, memory_order_seq_cst);
}

void tsfs_series_index_leave(const struct tsfs_series_index *index)
{
    atomic_fetch_sub_explicit(&((struct tsfs_series_index *)index)->readers, 1, memory_order_release);
}

static size_t entries_bytes(const struct tsfs_series_index *index)
{
    return (size_t)tsfs_series_index_count(index) * sizeof(struct series_entry);
}

static size_t adders_bytes(const struct tsfs_series_index *index)
{
    const struct slab_store *stores[] = {&index->texts, &index->tuples, &index->in_full};
    const struct slab_index *tables[] = {&index->spellings, &index->values, &index->ids, &index->layouts,
                                         &index->patterns};
    size_t n = entries_bytes(index);
    for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
        n += atomic_load_explicit(&stores[i]->bytes, memory_order_relaxed);
    for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        n += atomic_load_explicit(&tables[i]->bytes, memory_order_relaxed);
    return n;
}

void series_charge(struct tsfs_series_index *index)
{
    if (!index->budget)
        return;
    size_t now = adders_bytes(index);
    if (now >= index->charged + CHARGE_STEP)
        slab_budget_add(index->budget, now - index->charged);
    else if (now + CHARGE_STEP <= index->charged)
        tsfs_budget_release(index->budget, index->charged - now);
    else
        return;
    index->charged = now;
}

void tsfs_series_index_charge(struct tsfs_series_index *index, struct tsfs_budget *budget)
{
    index->budget = budget;
    series_charge(index);
}

void tsfs_series_index_free(struct tsfs_series_index *index)
{
    if (!index || atomic_fetch_sub_explicit(&index->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (index->budget)
        tsfs_budget_release(index->budget, index->charged + index->postings_bytes +
                                               (size_t)index->nranks * sizeof(*index->ranks));
    postings_free(index->postings);
    slab_store_free(&index->texts);
    slab_store_free(&index->tuples);
    slab_store_free(&index->in_full);
    slab_index_free(&index->spellings);
    slab_index_free(&index->values);
    slab_index_free(&index->ids);
    slab_index_free(&index->layouts);
    slab_index_free(&index->patterns);
    for (unsigned k = 0; k < SERIES_BLOCKS; k++)
        slab_pages_free(atomic_load(&index->entries[k]), sizeof(struct series_entry)
                                                             << (SERIES_FIRST_BITS + k));
    pthread_mutex_destroy(&index->postings_lock);
    pthread_mutex_destroy(&index->ranks_lock);
    free(index->ranks);
    free(index->scratch);
    free(index);
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

/* In the table of ids; dims by slot, hashes those of their values.  Not that of the canonical encoding, which
 * would have to be put together first.  The name's hash is stirred before a value's comes to it: sources that
 * name a measure after its sensor have the same text in both, and the two would cancel each other. */
static uint64_t hash_of(uint64_t name, const struct tsfs_dim_value *dims, const uint64_t *hashes,
                        unsigned ndims)
{
    uint64_t hash = name * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    for (unsigned d = 0; d < ndims; d++) {
        hash = (hash ^ hashes[d] ^ dims[d].slot) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash * UINT64_C(0xbf58476d1ce4e5b9);
}

static uint64_t text_hash(struct tsfs_str s)
{
    return XXH3_64bits(s.ptr, s.len);
}

/* dims by slot, none absent. */
static bool equals(const struct tsfs_series_index *index, uint32_t id, struct tsfs_str measure_name,
                   const struct tsfs_dim_value *dims, unsigned ndims)
{
    const struct series_tuple *t = series_tuple_at(index, id);
    const struct series_layout *layout = series_tuple_layout(index, t);
    if (layout->ndims != ndims || !tsfs_same_str(series_text_at(index, t->measure_name), measure_name))
        return false;
    for (unsigned d = 0; d < ndims; d++)
        if (layout->slots[d] != dims[d].slot ||
            !tsfs_same_str(series_text_at(index, t->values[d]), dims[d].value))
            return false;
    return true;
}

static uint32_t find(const struct tsfs_series_index *index, uint64_t hash, struct tsfs_str measure_name,
                     const struct tsfs_dim_value *dims, unsigned ndims)
{
    uint32_t id;
    for (struct slab_probe p = slab_probe_begin(&index->ids, hash); slab_probe_next(&p, &id);)
        if (equals(index, id, measure_name, dims, ndims))
            return id;
    return TSFS_SERIES_NONE;
}

uint32_t series_index_lookup(const struct tsfs_series_index *index, const struct tsfs_series *series)
{
    struct tsfs_dim_value dims[TSFS_DIMENSIONS_MAX];
    uint64_t hashes[TSFS_DIMENSIONS_MAX];
    unsigned n = 0;
    for (unsigned d = 0; d < series->ndims; d++) {
        if (!series->dims[d].ptr)
            continue;
        if (n == TSFS_DIMENSIONS_MAX)
            return TSFS_SERIES_NONE;
        hashes[n] = text_hash(series->dims[d]);
        dims[n++] = (struct tsfs_dim_value){(uint16_t)d, series->dims[d]};
    }
    return find(index, hash_of(text_hash(series->measure_name), dims, hashes, n), series->measure_name, dims,
                n);
}

static uint32_t find_value(const struct tsfs_series_index *index, struct tsfs_str value, uint64_t hash)
{
    uint32_t ref;
    for (struct slab_probe p = slab_probe_begin(&index->values, hash); slab_probe_next(&p, &ref);)
        if (tsfs_same_str(series_text_at(index, ref), value))
            return ref;
    return 0;
}

uint32_t series_index_value(const struct tsfs_series_index *index, struct tsfs_str value)
{
    return find_value(index, value, text_hash(value));
}

static int intern_value(struct tsfs_series_index *index, struct tsfs_str value, uint64_t hash, uint32_t *ref)
{
    *ref = find_value(index, value, hash);
    if (*ref)
        return 0;
    *ref = slab_store_alloc(&index->texts, (sizeof(struct series_text) + value.len + 15) & ~(size_t)15);
    if (!*ref)
        return -ENOMEM;
    struct series_text *text = slab_store_at(&index->texts, *ref);
    text->len = (uint32_t)value.len;
    if (value.len)
        memcpy(text->bytes, value.ptr, value.len);
    return slab_index_add(&index->values, hash, *ref);
}

static bool is_layout(const struct tsfs_series_index *index, uint32_t ref, const struct tsfs_dim_value *dims,
                      unsigned ndims)
{
    const struct series_layout *layout = slab_store_at(&index->tuples, ref);
    unsigned d = 0;
    if (layout->ndims != ndims)
        return false;
    while (d < ndims && layout->slots[d] == dims[d].slot)
        d++;
    return d == ndims;
}

static int intern_layout(struct tsfs_series_index *index, const struct tsfs_dim_value *dims, unsigned ndims,
                         uint32_t *ref)
{
    uint64_t hash = ndims;
    *ref = index->last_layout;
    if (*ref && is_layout(index, *ref, dims, ndims))
        return 0;
    for (unsigned d = 0; d < ndims; d++)
        hash = (hash ^ dims[d].slot) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    for (struct slab_probe p = slab_probe_begin(&index->layouts, hash); slab_probe_next(&p, ref);) {
        if (is_layout(index, *ref, dims, ndims)) {
            index->last_layout = *ref;
            return 0;
        }
    }
    struct series_layout *layout;
    *ref = slab_store_alloc(&index->tuples, sizeof(*layout) + ndims * sizeof(layout->slots[0]));
    if (!*ref)
        return -ENOMEM;
    layout = slab_store_at(&index->tuples, *ref);
    layout->ndims = (uint16_t)ndims;
    for (unsigned d = 0; d < ndims; d++)
        layout->slots[d] = dims[d].slot;
    int rc = slab_index_add(&index->layouts, hash, *ref);
    if (!rc)
        index->last_layout = *ref;
    return rc;
}

static int add(struct tsfs_series_index *index, uint64_t hash, struct tsfs_str measure_name,
               uint64_t name_hash, const struct tsfs_dim_value *dims, const uint64_t *hashes, unsigned ndims,
               uint32_t *id)
{
    uint32_t n = atomic_load_explicit(&index->count, memory_order_relaxed), offset;
    if (n >= TSFS_SERIES_MAX)
        return -E2BIG;
    unsigned k = slab_block(n, SERIES_FIRST_BITS, &offset);
    struct series_entry *block = atomic_load_explicit(&index->entries[k], memory_order_relaxed);
    if (!block) {
        block = slab_pages_alloc(sizeof(*block) << (SERIES_FIRST_BITS + k), false);
        if (!block)
            return -ENOMEM;
        atomic_store_explicit(&index->entries[k], block, memory_order_release);
    }
    slab_pages_fill(block, sizeof(*block) << (SERIES_FIRST_BITS + k), offset * sizeof(*block),
                    (offset + 1) * sizeof(*block));
    uint32_t layout;
    int rc = intern_layout(index, dims, ndims, &layout);
    if (rc)
        return rc;
    uint32_t ref = slab_store_alloc(&index->tuples, sizeof(struct series_tuple) + ndims * sizeof(uint32_t));
    if (!ref)
        return -ENOMEM;
    struct series_tuple *tuple = slab_store_at(&index->tuples, ref);
    tuple->layout = layout;
    rc = intern_value(index, measure_name, name_hash, &tuple->measure_name);
    for (unsigned d = 0; d < ndims && rc == 0; d++)
        rc = intern_value(index, dims[d].value, hashes[d], &tuple->values[d]);
    if (rc)
        return rc;
    block[offset] = (struct series_entry){ref, 0};
    rc = slab_index_add(&index->ids, hash, n);
    if (rc)
        return rc;
    atomic_store_explicit(&index->count, n + 1, memory_order_release);
    series_charge(index);
    *id = n;
    return 0;
}

char *series_scratch(struct tsfs_series_index *index, size_t size)
{
    if (size > index->scratch_cap) {
        char *grown = realloc(index->scratch, size * 2);
        if (!grown)
            return NULL;
        index->scratch = grown;
        index->scratch_cap = size * 2;
    }
    return index->scratch;
}

/* The dimensions present, by slot, in sorted[]. */
static int sort_dims(struct tsfs_str measure_name, const struct tsfs_dim_value *dims, unsigned ndims,
                     struct tsfs_dim_value *sorted, unsigned *nsorted)
{
    unsigned n = 0;
    if (measure_name.len > TSFS_SERIES_KEY_MAX)
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
    }
    for (unsigned d = 1; d < n; d++)
        if (sorted[d].slot == sorted[d - 1].slot)
            return -EINVAL;
    *nsorted = n;
    return 0;
}

int tsfs_series_index_intern(struct tsfs_series_index *index, struct tsfs_str measure_name,
                             const struct tsfs_dim_value *dims, unsigned ndims, uint32_t *id)
{
    struct tsfs_dim_value sorted[TSFS_DIMENSIONS_MAX];
    uint64_t hashes[TSFS_DIMENSIONS_MAX];
    unsigned n;
    if (ndims > TSFS_DIMENSIONS_MAX)
        return -E2BIG;
    int rc = sort_dims(measure_name, dims, ndims, sorted, &n);
    if (rc)
        return rc;
    for (unsigned d = 0; d < n; d++) {
        hashes[d] = text_hash(sorted[d].value);
        slab_index_prefetch(&index->values, hashes[d]);
    }
    uint64_t name_hash = text_hash(measure_name), hash = hash_of(name_hash, sorted, hashes, n);
    *id = find(index, hash, measure_name, sorted, n);
    return *id != TSFS_SERIES_NONE ? 0 : add(index, hash, measure_name, name_hash, sorted, hashes, n, id);
}

bool tsfs_series_key_make(struct tsfs_series_key *key, struct tsfs_str measure_name,
                          const struct tsfs_dim_value *dims, unsigned ndims)
{
    if (ndims > TSFS_SERIES_KEY_DIMS || sort_dims(measure_name, dims, ndims, key->dims, &key->ndims) != 0)
        return false;
    key->measure_name = measure_name;
    key->name_hash = text_hash(measure_name);
    for (unsigned d = 0; d < key->ndims; d++)
        key->hashes[d] = text_hash(key->dims[d].value);
    key->hash = hash_of(key->name_hash, key->dims, key->hashes, key->ndims);
    return true;
}

void tsfs_series_index_expect(const struct tsfs_series_index *index, const struct tsfs_series_key *key)
{
    slab_index_prefetch(&index->ids, key->hash);
    for (unsigned d = 0; d < key->ndims; d++)
        slab_index_prefetch(&index->values, key->hashes[d]);
}

int tsfs_series_index_intern_key(struct tsfs_series_index *index, const struct tsfs_series_key *key,
                                 uint32_t *id)
{
    *id = find(index, key->hash, key->measure_name, key->dims, key->ndims);
    if (*id != TSFS_SERIES_NONE)
        return 0;
    return add(index, key->hash, key->measure_name, key->name_hash, key->dims, key->hashes, key->ndims, id);
}

uint32_t tsfs_series_index_count(const struct tsfs_series_index *index)
{
    return atomic_load_explicit(&index->count, memory_order_acquire);
}

size_t tsfs_series_index_bytes(const struct tsfs_series_index *index)
{
    return sizeof(*index) + adders_bytes(index);
}

void tsfs_series_index_get(const struct tsfs_series_index *index, uint32_t id, struct tsfs_str *measure_name,
                           struct tsfs_str *dims, uint16_t ndims)
{
    const struct series_tuple *t = series_tuple_at(index, id);
    const struct series_layout *layout = series_tuple_layout(index, t);
    *measure_name = series_text_at(index, t->measure_name);
    for (unsigned d = 0; d < ndims; d++)
        dims[d] = (struct tsfs_str){NULL, 0};
    for (unsigned d = 0; d < layout->ndims && layout->slots[d] < ndims; d++)
        dims[layout->slots[d]] = series_text_at(index, t->values[d]);
}

int series_index_cmp(const struct tsfs_series_index *index, uint32_t a, uint32_t b)
{
    const struct series_tuple *ta = series_tuple_at(index, a), *tb = series_tuple_at(index, b);
    const struct series_layout *la = series_tuple_layout(index, ta), *lb = series_tuple_layout(index, tb);
    if (a == b)
        return 0;
    if (ta->measure_name != tb->measure_name)
        return tsfs_str_cmp(series_text_at(index, ta->measure_name), series_text_at(index, tb->measure_name));
    for (unsigned d = 0;; d++) {
        if (d == la->ndims || d == lb->ndims)
            return (d < la->ndims) - (d < lb->ndims);
        if (la->slots[d] != lb->slots[d]) /* the one that lacks the lower slot comes first */
            return la->slots[d] < lb->slots[d] ? 1 : -1;
        if (ta->values[d] != tb->values[d])
            return tsfs_str_cmp(series_text_at(index, ta->values[d]), series_text_at(index, tb->values[d]));
    }
}
