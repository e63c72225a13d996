/* Tables that several threads have filled meet here.
 *
 * Inserting one table after the other into a last one would be the work of one thread, and of a table that
 * no cache holds.  Instead the groups of all are dealt out by the upper bits of their hash into parts whose
 * slots fit into a cache, and the parts are taken by all threads, none ever meeting a key of another.
 * Records are not copied: a part's slots point into the tables, and the first record of a key stays. */
#include "exec/kernels/group_union.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_GROUPS (16u << 10) /* in a part, about */
#define PART_BITS   10u         /* at most so many parts, as a power of two */
#define AHEAD       8u          /* keys that are asked for before they are needed */

struct slot {
    uint32_t hash;
    uint32_t number; /* 1 + place in the part, 0 = free */
};

struct deal {
    struct group_table *const *tables;
    uint32_t ntables, shift, nparts;
    uint32_t **hashes; /* of each table's groups */
    uint32_t **order;  /* its groups by part */
    uint32_t **starts; /* [nparts + 1]: where each part begins in that */
    const struct group_union_ops *ops;
    uint64_t **finals;
    char **records;
    uint32_t *first, *kept; /* of each part: where its records begin, and how many there are */
    struct tsfs_budget *budget;
};

static uint32_t part_of(const struct deal *d, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash >> d->shift);
}

/* The groups of one table by part. */
static int deal_table(void *ctx, size_t t, unsigned worker)
{
    struct deal *d = ctx;
    const struct group_table *table = d->tables[t];
    uint32_t *hashes = d->hashes[t], *order = d->order[t], *starts = d->starts[t];
    (void)worker;
    for (uint32_t g = 0; g < table->n; g++) {
        hashes[g] = group_hash(table, group_key(table, g));
        starts[part_of(d, hashes[g]) + 1]++;
    }
    for (uint32_t p = 0; p < d->nparts; p++)
        starts[p + 1] += starts[p];
    for (uint32_t g = 0; g < table->n; g++)
        order[starts[part_of(d, hashes[g])]++] = g;
    for (uint32_t p = d->nparts; p > 0; p--) /* each has moved to the next one's place */
        starts[p] = starts[p - 1];
    starts[0] = 0;
    return 0;
}

static int add_record(struct deal *d, const struct group_table *table, char *record, uint32_t hash,
                      struct slot *slots, uint32_t mask, uint32_t p, unsigned worker, uint64_t *final)
{
    char **records = d->records + d->first[p];
    uint32_t at = hash & mask;
    for (; slots[at].number != 0; at = (at + 1) & mask) {
        char *kept = slots[at].hash == hash ? records[slots[at].number - 1] : NULL;
        if (kept == NULL || !group_same(table, kept, record))
            continue;
        *final = (uint64_t)p << 32 | (slots[at].number - 1);
        return d->ops->same == NULL ? 0 : d->ops->same(d->ops->ctx, worker, kept, record);
    }
    *final = (uint64_t)p << 32 | d->kept[p];
    records[d->kept[p]++] = record;
    slots[at] = (struct slot){hash, d->kept[p]};
    return 0;
}

static int unite_part(void *ctx, size_t part, unsigned worker)
{
    struct deal *d = ctx;
    uint32_t p = (uint32_t)part, total = 0, nslots = 64;
    int rc = d->ops->go_on(d->ops->ctx, worker);
    if (rc != 0)
        return rc;
    for (uint32_t t = 0; t < d->ntables; t++)
        total += d->starts[t][p + 1] - d->starts[t][p];
    while (nslots < total + total / 2)
        nslots *= 2;
    size_t size = nslots * sizeof(struct slot);
    if (d->budget != NULL && !tsfs_budget_charge(d->budget, size))
        return -ENOMEM;
    struct slot *slots = calloc(nslots, sizeof(*slots));
    rc = slots == NULL ? -ENOMEM : 0;
    for (uint32_t t = 0; t < d->ntables && rc == 0; t++) {
        const struct group_table *table = d->tables[t];
        const uint32_t *hashes = d->hashes[t], *order = d->order[t];
        uint32_t end = d->starts[t][p + 1];
        for (uint32_t i = d->starts[t][p]; i < end && rc == 0; i++) {
            if (i + 2 * AHEAD < end) {
                uint32_t far = order[i + 2 * AHEAD], near = order[i + AHEAD];
                const struct slot *slot = &slots[hashes[near] & (nslots - 1)];
                __builtin_prefetch(&hashes[far]);
                __builtin_prefetch(group_key(table, near));
                if (slot->number != 0)
                    __builtin_prefetch(d->records[d->first[p] + slot->number - 1]);
            }
            uint64_t unused, *final = d->finals == NULL ? &unused : &d->finals[t][order[i]];
            rc = add_record(d, table, group_key(table, order[i]), hashes[order[i]], slots, nslots - 1, p,
                            worker, final);
        }
    }
    free(slots);
    if (d->budget != NULL)
        tsfs_budget_release(d->budget, size);
    return rc;
}

static int allocate(struct deal *d, struct tsfs_arena *scratch, uint64_t total, struct tsfs_arena *arena)
{
    uint32_t n = d->ntables;
    d->hashes = TSFS_NEW_ARRAY(scratch, uint32_t *, n);
    d->order = TSFS_NEW_ARRAY(scratch, uint32_t *, n);
    d->starts = TSFS_NEW_ARRAY(scratch, uint32_t *, n);
    d->first = TSFS_NEW_ARRAY(scratch, uint32_t, d->nparts);
    d->kept = TSFS_NEW_ARRAY(scratch, uint32_t, d->nparts);
    d->records = tsfs_arena_alloc(arena, total * sizeof(*d->records));
    if (d->hashes == NULL || d->order == NULL || d->starts == NULL || d->first == NULL || d->kept == NULL ||
        d->records == NULL)
        return -ENOMEM;
    for (uint32_t t = 0; t < n; t++) {
        d->hashes[t] = tsfs_arena_alloc(scratch, d->tables[t]->n * sizeof(uint32_t));
        d->order[t] = tsfs_arena_alloc(scratch, d->tables[t]->n * sizeof(uint32_t));
        d->starts[t] = TSFS_NEW_ARRAY(scratch, uint32_t, d->nparts + 1);
        if (d->hashes[t] == NULL || d->order[t] == NULL || d->starts[t] == NULL)
            return -ENOMEM;
    }
    return 0;
}

int group_union(struct group_table *const *tables, uint32_t ntables, struct tsfs_arena *arena,
                struct tsfs_pool *pool, const struct group_union_ops *ops, uint64_t **finals,
                struct group_union *out)
{
    uint64_t total = 0;
    uint32_t bits = 0;
    for (uint32_t t = 0; t < ntables; t++)
        total += tables[t]->n;
    if (total >= UINT32_MAX - 1)
        return -ENOMEM;
    while (bits < PART_BITS && total >> bits > PART_GROUPS)
        bits++;
    struct deal d = {.tables = tables,
                     .ntables = ntables,
                     .nparts = 1u << bits,
                     .ops = ops,
                     .finals = finals,
                     .budget = arena->budget};
    d.shift = 32 - bits;
    struct tsfs_arena scratch;
    tsfs_arena_init(&scratch, arena->budget);
    int rc = allocate(&d, &scratch, total, arena);
    if (rc == 0)
        rc = tsfs_pool_run(pool, deal_table, &d, ntables);
    for (uint32_t p = 0, at = 0; p < d.nparts && rc == 0; p++) {
        d.first[p] = at;
        for (uint32_t t = 0; t < ntables; t++)
            at += d.starts[t][p + 1] - d.starts[t][p];
    }
    if (rc == 0)
        rc = tsfs_pool_run(pool, unite_part, &d, d.nparts);
    *out = (struct group_union){.records = d.records};
    for (uint32_t p = 0; p < d.nparts && rc == 0; p++) {
        uint32_t from = d.first[p];
        if (out->n != from)
            memmove(out->records + out->n, out->records + from, d.kept[p] * sizeof(*out->records));
        d.first[p] = out->n;
        out->n += d.kept[p];
    }
    for (uint32_t t = 0; finals != NULL && t < ntables && rc == 0; t++)
        for (uint32_t g = 0; g < tables[t]->n; g++)
            finals[t][g] = d.first[finals[t][g] >> 32] + (uint32_t)finals[t][g];
    tsfs_arena_free(&scratch);
    return rc;
}
