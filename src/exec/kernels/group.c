/* Open addressing over slots of (32 bits of hash, group number): growing never looks at a key, a probe
 * looks at one only when the hash bits agree.  Records lie in slabs and never move.  A batch is packed
 * row by row, in chunks that stay in the cache, hashed, its slots prefetched once the table has outgrown the
 * cache, and then probed; a row equal to the one before it is not probed at all.  Integers of a narrow range
 * are looked up in an array. */
#include "exec/kernels/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "col/nested.h"

#define FIRST_SLOTS    64u
#define MOST_SLOTS     (UINT32_C(1) << 31)
#define SLAB_BYTES     (16u << 10)
#define CHUNK_BYTES    (16u << 10)
#define PREFETCH_SLOTS (1u << 15)
#define DIRECT_MAX     (1u << 16) /* keys of a narrow range that are looked up without a hash */
#define DIRECT_ROWS    64u        /* a batch that tells how narrow */

struct group_slot {
    uint32_t hash;
    uint32_t group; /* UINT32_MAX = free */
};

static size_t align(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static bool is_string(enum tsfs_type type)
{
    return tsfs_type_is_string(type) || tsfs_type_is_nested(type);
}

int group_table_init(struct group_table *table, struct tsfs_arena *arena, uint32_t ncols,
                     const enum tsfs_type *types, uint32_t payload)
{
    *table = (struct group_table){.arena = arena, .ncols = ncols, .types = types};
    table->offsets = TSFS_NEW_ARRAY(arena, uint32_t, ncols + 1);
    if (table->offsets == NULL)
        return -ENOMEM;
    table->string_types = TSFS_NEW_ARRAY(arena, enum tsfs_type, ncols + 1);
    if (table->string_types == NULL)
        return -ENOMEM;
    table->null_words = (ncols + 63) / 64;
    uint32_t at = table->null_words * 8;
    for (uint32_t i = 0; i < ncols; i++) {
        if (is_string(types[i]))
            continue;
        table->offsets[i] = at;
        at += 8;
    }
    table->fixed_words = at / 8;
    for (uint32_t i = 0; i < ncols; i++) {
        if (!is_string(types[i]))
            continue;
        table->offsets[i] = at;
        at += sizeof(struct tsfs_str);
        table->string_types[table->nstrings++] = types[i];
    }
    table->key_size = at;
    table->record_size = (uint32_t)align((size_t)at + payload, 8);
    if (table->record_size == 0)
        table->record_size = 8;
    while (table->slab_shift < 20 && ((size_t)table->record_size << (table->slab_shift + 1)) <= SLAB_BYTES)
        table->slab_shift++;
    return 0;
}

int group_table_borrow(struct group_table *table, uint32_t col)
{
    if (table->borrowed == NULL &&
        (table->borrowed = TSFS_NEW_ARRAY(table->arena, bool, table->nstrings)) == NULL)
        return -ENOMEM;
    uint32_t string = 0;
    for (uint32_t i = 0; i < col; i++)
        string += is_string(table->types[i]);
    table->borrowed[string] = true;
    return 0;
}

void group_table_free(struct group_table *table)
{
    if (table->slots != NULL && table->arena->budget != NULL)
        tsfs_budget_release(table->arena->budget, ((size_t)table->mask + 1) * sizeof(*table->slots));
    free(table->slots);
    table->slots = NULL;
}

int group_table_keep(struct group_table *table)
{
    size_t size = ((size_t)table->mask + 1) * sizeof(*table->slots);
    struct group_slot *slots = table->slots == NULL ? NULL : tsfs_arena_alloc(table->arena, size);
    if (table->slots == NULL || slots == NULL)
        return table->slots == NULL ? 0 : -ENOMEM;
    memcpy(slots, table->slots, size);
    group_table_free(table);
    table->slots = slots;
    return 0;
}

/* ---- packing ---- */

static uint64_t double_word(double d)
{
    uint64_t word;
    if (d != d)
        return UINT64_C(0x7ff8000000000000);
    d += 0.0;
    memcpy(&word, &d, sizeof(word));
    return word;
}

static void pack_column(const struct group_table *table, uint32_t col, const struct tsfs_vec *v,
                        uint32_t from, uint32_t n, char *keys)
{
    uint32_t stride = table->key_size;
    char *to = keys + table->offsets[col], *nulls = keys + col / 64 * 8;
    for (uint32_t i = 0; i < n; i++, to += stride, nulls += stride) {
        uint32_t row = v->constant ? 0 : from + i;
        if (tsfs_vec_null(v, row)) {
            *(uint64_t *)nulls |= UINT64_C(1) << (col & 63);
            memset(to, 0, is_string(table->types[col]) ? sizeof(struct tsfs_str) : 8);
            continue;
        }
        switch (v->type) {
        case TSFS_BOOLEAN: *(uint64_t *)to = v->b[row]; break;
        case TSFS_DOUBLE: *(uint64_t *)to = double_word(v->d[row]); break;
        case TSFS_VARCHAR:
        case TSFS_VARBINARY: *(struct tsfs_str *)to = v->s[row].ptr != NULL ? v->s[row] : TSFS_STR(""); break;
        default:
            if (tsfs_type_is_nested(v->type))
                *(struct tsfs_str *)to =
                    (struct tsfs_str){v->p[row], (size_t)tsfs_nested_hash(v->type, v->p[row])};
            else
                *(int64_t *)to = v->i[row];
            break;
        }
    }
}

static void pack_rows(const struct group_table *table, const struct tsfs_vec *keys, uint32_t from, uint32_t n,
                      char *to)
{
    for (uint32_t i = 0; i < n; i++)
        memset(to + (size_t)i * table->key_size, 0, table->null_words * 8);
    for (uint32_t c = 0; c < table->ncols; c++)
        pack_column(table, c, &keys[c], from, n, to);
}

void group_pack(const struct group_table *table, const struct tsfs_vec *keys, uint32_t row, char *key)
{
    pack_rows(table, keys, row, 1, key);
}

/* ---- probing ---- */

/* Folded 64x64 multiplication, the step of the wyhash family of functions. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint32_t group_hash(const struct group_table *table, const char *key)
{
    const uint64_t *words = (const uint64_t *)key;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t i = 0; i < table->fixed_words; i++)
        h = fold(h ^ words[i], UINT64_C(0xa0761d6478bd642f) + 2 * i);
    const struct tsfs_str *s = (const struct tsfs_str *)(key + (size_t)table->fixed_words * 8);
    for (uint32_t i = 0; i < table->nstrings; i++)
        h = fold(h ^ (s[i].ptr == NULL                              ? 1
                      : tsfs_type_is_nested(table->string_types[i]) ? (uint64_t)s[i].len
                                                                    : tsfs_hash(s[i].ptr, s[i].len)),
                 UINT64_C(0xe7037ed1a0b428db));
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

bool group_same(const struct group_table *table, const char *a, const char *b)
{
    const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;
    for (uint32_t i = 0; i < table->fixed_words; i++)
        if (x[i] != y[i])
            return false;
    const struct tsfs_str *s = (const struct tsfs_str *)(a + (size_t)table->fixed_words * 8);
    const struct tsfs_str *t = (const struct tsfs_str *)(b + (size_t)table->fixed_words * 8);
    for (uint32_t i = 0; i < table->nstrings; i++) {
        enum tsfs_type type = table->string_types[i];
        if (!tsfs_type_is_nested(type) || s[i].ptr == NULL || t[i].ptr == NULL) {
            if (!tsfs_str_eq(s[i], t[i]))
                return false;
        } else if (s[i].len != t[i].len || !tsfs_nested_same(type, s[i].ptr, t[i].ptr)) {
            return false;
        }
    }
    return true;
}

static int grow(struct group_table *table)
{
    uint32_t old = table->slots == NULL ? 0 : table->mask + 1;
    uint32_t n = old == 0 ? FIRST_SLOTS : old * 2;
    struct tsfs_budget *budget = table->arena->budget;
    size_t size = (size_t)n * sizeof(*table->slots);
    if (old >= MOST_SLOTS || (budget != NULL && !tsfs_budget_charge(budget, size)))
        return -ENOMEM;
    struct group_slot *slots = malloc(size);
    if (slots == NULL) {
        if (budget != NULL)
            tsfs_budget_release(budget, size);
        return -ENOMEM;
    }
    memset(slots, 0xff, size);
    for (uint32_t i = 0; i < old; i++) {
        if (table->slots[i].group == UINT32_MAX)
            continue;
        uint32_t at = table->slots[i].hash & (n - 1);
        while (slots[at].group != UINT32_MAX)
            at = (at + 1) & (n - 1);
        slots[at] = table->slots[i];
    }
    group_table_free(table);
    table->slots = slots;
    table->mask = n - 1;
    return 0;
}

static int add_slab(struct group_table *table)
{
    if (table->nslabs == table->slabs_room) {
        uint32_t room = table->slabs_room == 0 ? 16 : table->slabs_room * 2;
        char **slabs = tsfs_arena_alloc(table->arena, room * sizeof(*slabs));
        if (slabs == NULL)
            return -ENOMEM;
        if (table->nslabs > 0)
            memcpy(slabs, table->slabs, table->nslabs * sizeof(*slabs));
        table->slabs = slabs;
        table->slabs_room = room;
    }
    char *slab = tsfs_arena_calloc(table->arena, (size_t)1 << table->slab_shift, table->record_size);
    if (slab == NULL)
        return -ENOMEM;
    table->slabs[table->nslabs++] = slab;
    return 0;
}

int group_own(const struct group_table *table, struct tsfs_arena *arena, char *key)
{
    struct tsfs_str *s = (struct tsfs_str *)(key + (size_t)table->fixed_words * 8);
    for (uint32_t i = 0; i < table->nstrings; i++) {
        if (s[i].ptr == NULL || (table->borrowed != NULL && table->borrowed[i]))
            continue;
        if (tsfs_type_is_nested(table->string_types[i])) {
            const void *copy;
            int rc = tsfs_nested_copy(arena, table->string_types[i], s[i].ptr, &copy);
            if (rc != 0)
                return rc;
            s[i].ptr = copy;
        } else if ((s[i] = tsfs_arena_str(arena, s[i])).ptr == NULL) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int add_group(struct group_table *table, const char *key, uint32_t *group)
{
    if (table->n >= UINT32_MAX - 1)
        return -ENOMEM;
    if (table->n >> table->slab_shift == table->nslabs) {
        int rc = add_slab(table);
        if (rc != 0)
            return rc;
    }
    char *to = group_key(table, table->n);
    if (table->key_size > 0)
        memcpy(to, key, table->key_size);
    int rc = group_own(table, table->arena, to);
    if (rc != 0)
        return rc;
    *group = table->n++;
    return 0;
}

static int find_hashed(struct group_table *table, const char *key, uint32_t hash, uint32_t *group)
{
    if (table->slots == NULL || (uint64_t)table->n * 10 >= ((uint64_t)table->mask + 1) * 7) {
        int rc = grow(table);
        if (rc != 0)
            return rc;
    }
    uint32_t at = hash & table->mask;
    for (; table->slots[at].group != UINT32_MAX; at = (at + 1) & table->mask) {
        const struct group_slot *slot = &table->slots[at];
        if (slot->hash == hash && group_same(table, group_key(table, slot->group), key)) {
            *group = slot->group;
            return 0;
        }
    }
    int rc = add_group(table, key, group);
    if (rc == 0)
        table->slots[at] = (struct group_slot){hash, *group};
    return rc;
}

int group_find(struct group_table *table, const char *key, uint32_t *group)
{
    return find_hashed(table, key, group_hash(table, key), group);
}

/* Slots alone: to ask for the records as well, they would have to be waited for here, which costs more than
 * it brings. */
static void prefetch(const struct group_table *table, const uint32_t *hashes, uint32_t n)
{
    if (table->mask < PREFETCH_SLOTS)
        return;
    for (uint32_t i = 0; i < n; i++)
        __builtin_prefetch(&table->slots[hashes[i] & table->mask]);
}

/* The keys of as many rows as stay in the cache, as records, with their hashes. */
struct packed {
    char *keys;
    uint32_t *hashes;
    uint32_t n, cap;
};

/* For n > 0 rows, chunk by chunk. */
static int packed_room(const struct group_table *table, struct tsfs_arena *scratch, uint32_t n,
                       struct packed *p)
{
    uint32_t cap = table->key_size == 0 ? n : CHUNK_BYTES / table->key_size;
    cap = cap == 0 ? 1 : cap > n ? n : cap;
    *p = (struct packed){.cap = cap};
    p->keys = tsfs_arena_alloc(scratch, (size_t)cap * table->key_size);
    p->hashes = tsfs_arena_alloc(scratch, cap * sizeof(*p->hashes));
    return p->keys == NULL || p->hashes == NULL ? -ENOMEM : 0;
}

/* Rows of [from, n) as far as there is room. */
static void pack_chunk(const struct group_table *table, const struct tsfs_vec *keys, uint32_t from,
                       uint32_t n, struct packed *p)
{
    uint32_t *hashes = p->hashes, m = n - from < p->cap ? n - from : p->cap;
    pack_rows(table, keys, from, m, p->keys);
    for (uint32_t i = 0; i < m; i++)
        hashes[i] = group_hash(table, p->keys + (size_t)i * table->key_size);
    p->n = m;
}

static int probe_chunk(struct group_table *table, const struct packed *p, uint32_t *groups)
{
    const uint32_t *hashes = p->hashes;
    uint32_t n = p->n;
    prefetch(table, hashes, n);
    for (uint32_t i = 0; i < n; i++) {
        const char *key = p->keys + (size_t)i * table->key_size;
        if (i > 0 && hashes[i] == hashes[i - 1] && group_same(table, key, key - table->key_size)) {
            groups[i] = groups[i - 1];
            continue;
        }
        int rc = find_hashed(table, key, hashes[i], &groups[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- keys in a narrow range ---- */

/* Whether the one key column is of integers in a narrow range, as a first batch of some size shows. */
static int try_direct(struct group_table *table, const struct tsfs_vec *key, uint32_t n)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    if (n < DIRECT_ROWS || key->constant || key->type >= TSFS_TYPE_COUNT || key->type == TSFS_DOUBLE ||
        tsfs_type_width(key->type) != 8)
        return 0;
    table->direct_tried = true;
    for (uint32_t i = 0; i < n; i++) {
        lo = tsfs_vec_null(key, i) || key->i[i] > lo ? lo : key->i[i];
        hi = tsfs_vec_null(key, i) || key->i[i] < hi ? hi : key->i[i];
    }
    if (lo > hi || (uint64_t)hi - (uint64_t)lo >= DIRECT_MAX / 2)
        return 0;
    /* room on both sides for what comes */
    uint32_t width = (uint32_t)(hi - lo) + 1, room = width * 2 < 256 ? 256 : width * 2;
    int64_t from;
    if (__builtin_sub_overflow(lo, (int64_t)(room - width) / 2, &from))
        from = INT64_MIN;
    table->direct = TSFS_NEW_ARRAY(table->arena, uint32_t, room);
    if (table->direct == NULL)
        return -ENOMEM;
    table->direct_lo = from;
    table->direct_n = room;
    return 0;
}

static int direct_rows(struct group_table *table, const struct tsfs_vec *key, uint32_t n, uint32_t *groups)
{
    int64_t packed[2];
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)key->i[i] - (uint64_t)table->direct_lo;
        bool direct = at < table->direct_n && !tsfs_vec_null(key, i);
        if (direct && table->direct[at] != 0) {
            groups[i] = table->direct[at] - 1;
            continue;
        }
        pack_rows(table, key, i, 1, (char *)packed);
        int rc =
            find_hashed(table, (const char *)packed, group_hash(table, (const char *)packed), &groups[i]);
        if (rc != 0)
            return rc;
        if (direct)
            table->direct[at] = groups[i] + 1;
    }
    return 0;
}

int group_rows(struct group_table *table, struct tsfs_arena *scratch, const struct tsfs_vec *keys, uint32_t n,
               uint32_t *groups)
{
    if (n == 0)
        return 0;
    if (!table->direct_tried && table->ncols == 1) {
        int rc = try_direct(table, &keys[0], n);
        if (rc != 0)
            return rc;
    }
    if (table->direct != NULL && keys[0].type != TSFS_UNKNOWN && !keys[0].constant)
        return direct_rows(table, &keys[0], n, groups);
    struct packed p;
    if (packed_room(table, scratch, n, &p) != 0)
        return -ENOMEM;
    for (uint32_t from = 0; from < n; from += p.cap) {
        pack_chunk(table, keys, from, n, &p);
        int rc = probe_chunk(table, &p, groups + from);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void lookup_chunk(const struct group_table *table, const struct packed *p, uint32_t *groups)
{
    const uint32_t *hashes = p->hashes;
    uint32_t n = p->n;
    prefetch(table, hashes, n);
    for (uint32_t i = 0; i < n; i++) {
        const char *key = p->keys + (size_t)i * table->key_size;
        groups[i] = GROUP_NONE;
        for (uint32_t at = hashes[i] & table->mask; table->slots[at].group != UINT32_MAX;
             at = (at + 1) & table->mask) {
            const struct group_slot *slot = &table->slots[at];
            if (slot->hash == hashes[i] && group_same(table, group_key(table, slot->group), key)) {
                groups[i] = slot->group;
                break;
            }
        }
    }
}

int group_lookup(const struct group_table *table, struct tsfs_arena *scratch, const struct tsfs_vec *keys,
                 uint32_t n, uint32_t *groups)
{
    if (n == 0 || table->slots == NULL) {
        for (uint32_t i = 0; i < n; i++)
            groups[i] = GROUP_NONE;
        return 0;
    }
    struct packed p;
    if (packed_room(table, scratch, n, &p) != 0)
        return -ENOMEM;
    for (uint32_t from = 0; from < n; from += p.cap) {
        pack_chunk(table, keys, from, n, &p);
        lookup_chunk(table, &p, groups + from);
    }
    return 0;
}

int group_records_column(const struct group_table *table, struct tsfs_arena *arena, uint32_t col,
                         char *const *records, uint32_t n, struct tsfs_vec *out)
{
    enum tsfs_type type = table->types[col];
    unsigned width = tsfs_type_width(type);
    uint32_t offset = table->offsets[col];
    char *data = tsfs_arena_calloc(arena, n, width);
    uint64_t *valid = tsfs_arena_calloc(arena, tsfs_bit_words(n), 8);
    if (data == NULL || valid == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const char *key = records[i];
        if (((const uint64_t *)key)[col / 64] >> (col & 63) & 1)
            continue;
        tsfs_bit_set(valid, i);
        if (type == TSFS_BOOLEAN)
            data[i] = (char)(*(const uint64_t *)(key + offset) & 1);
        else if (width == 8)
            ((uint64_t *)data)[i] = *(const uint64_t *)(key + offset);
        else
            memcpy(data + (size_t)i * width, key + offset, width);
    }
    *out = (struct tsfs_vec){.type = type, .data = data};
    if (tsfs_bits_count(valid, n) < n)
        out->valid = valid;
    return 0;
}

int group_column(const struct group_table *table, struct tsfs_arena *arena, uint32_t col, uint32_t from,
                 uint32_t n, struct tsfs_vec *out)
{
    char **records = tsfs_arena_alloc(arena, n * sizeof(*records));
    if (records == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        records[i] = group_key(table, from + i);
    return group_records_column(table, arena, col, records, n, out);
}
