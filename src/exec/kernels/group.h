/* A growable hash table of rows of values: the groups of GROUP BY, the seen values of DISTINCT.
 *
 * A key is packed: words of NULL bits, then a word per fixed-width column, then a tsfs_str per string column;
 * of a nested value that is its pointer, and its hash as the length.
 * Equal values have equal words (-0 is 0, every NaN is one, what NULL hides is 0).  Groups are numbered in
 * the order in which they come and keep their number and their place; each has payload bytes, zeroed at
 * first. */
#ifndef TSFS_EXEC_KERNELS_GROUP_H
#define TSFS_EXEC_KERNELS_GROUP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "col/vec.h"

struct group_slot;

struct group_table {
    struct tsfs_arena *arena; /* keys, payloads, strings; borrowed */
    uint32_t ncols, nstrings;
    enum tsfs_type *string_types; /* VARCHAR, or the type of a nested column */
    bool *borrowed;               /* [nstrings]: values that are not copied; NULL = none */
    const enum tsfs_type *types;
    uint32_t *offsets;                /* of each column in a key */
    uint32_t null_words, fixed_words; /* NULL bits included in the latter */
    uint32_t key_size, record_size;
    uint32_t n; /* groups */
    uint32_t slab_shift;
    char **slabs;
    uint32_t nslabs, slabs_room;
    struct group_slot *slots;
    uint32_t mask;
    /* One integer column: groups of the keys [direct_lo, direct_lo + direct_n), 1 + number, 0 = not seen */
    uint32_t *direct;
    int64_t direct_lo;
    uint32_t direct_n;
    bool direct_tried;
};

/* All memory but the slots is arena's; the slots are charged to its budget.  types is borrowed. */
TSFS_MUST_CHECK int group_table_init(struct group_table *table, struct tsfs_arena *arena, uint32_t ncols,
                                     const enum tsfs_type *types, uint32_t payload);
/* Strings (or nested values) of column col outlive the table wherever they come from: it makes no copies of
 * them.  Before the first group. */
TSFS_MUST_CHECK int group_table_borrow(struct group_table *table, uint32_t col);
void group_table_free(struct group_table *table);
/* All of it becomes the arena's: it lives as long as that, and takes no more groups. */
TSFS_MUST_CHECK int group_table_keep(struct group_table *table);

static inline char *group_key(const struct group_table *table, uint32_t group)
{
    uint32_t at = group & ((1u << table->slab_shift) - 1);
    return table->slabs[group >> table->slab_shift] + (size_t)at * table->record_size;
}
static inline void *group_payload(const struct group_table *table, uint32_t group)
{
    return group_key(table, group) + table->key_size;
}

/* Packs row `row` of keys into key (key_size bytes, 8-aligned); strings are borrowed. */
void group_pack(const struct group_table *table, const struct tsfs_vec *keys, uint32_t row, char *key);

/* Copies what a packed key borrows, strings and nested values, to arena, but of columns that stay borrowed.
 */
TSFS_MUST_CHECK int group_own(const struct group_table *table, struct tsfs_arena *arena, char *key);

/* The group of a packed key, made (strings copied) if it is not there yet. */
TSFS_MUST_CHECK int group_find(struct group_table *table, const char *key, uint32_t *group);

/* The groups of rows [0, n) of the key columns; scratch is for the call. */
TSFS_MUST_CHECK int group_rows(struct group_table *table, struct tsfs_arena *scratch,
                               const struct tsfs_vec *keys, uint32_t n, uint32_t *groups);

#define GROUP_NONE UINT32_MAX

/* The same without making any: GROUP_NONE where there is no such group. */
TSFS_MUST_CHECK int group_lookup(const struct group_table *table, struct tsfs_arena *scratch,
                                 const struct tsfs_vec *keys, uint32_t n, uint32_t *groups);

/* Of packed keys. */
uint32_t group_hash(const struct group_table *table, const char *key);
bool group_same(const struct group_table *table, const char *a, const char *b);

/* Column col of groups [from, from + n) as a vector in arena; strings stay the table's. */
TSFS_MUST_CHECK int group_column(const struct group_table *table, struct tsfs_arena *arena, uint32_t col,
                                 uint32_t from, uint32_t n, struct tsfs_vec *out);

/* The same of records, keys that begin where these point. */
TSFS_MUST_CHECK int group_records_column(const struct group_table *table, struct tsfs_arena *arena,
                                         uint32_t col, char *const *records, uint32_t n,
                                         struct tsfs_vec *out);

#endif
