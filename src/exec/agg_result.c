/* What tasks have aggregated apart becomes one result.
 *
 * Tables are merged in the order of their tasks, by whoever finds the next one ready, as long as what they
 * make is small.  From the first that makes it large on they are left as they are, and at the end their
 * groups are united in parts by all threads (kernels/group_union.c): a record stays where it is, and of
 * several of one group the first takes up the states of the others.  When that begins depends on the tables
 * alone, so the result does not depend on threads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/agg_priv.h"
#include "exec/kernels/group_union.h"

#define MERGE_MAX   (32u << 10) /* groups and distinct values that one thread merges into */
#define FINISH_ROWS 32u

static uint64_t size_of(const struct agg_table *table)
{
    uint64_t n = table->groups.n;
    for (uint32_t i = 0; i < table->spec->nitems; i++)
        if (table->spec->items[i].distinct)
            n += table->distinct[i].n;
    return n;
}

int agg_result_init(struct agg_result *result, const struct agg_spec *spec)
{
    *result = (struct agg_result){.spec = spec};
    tsfs_arena_init(&result->arena, spec->ctx->options.budget);
    return agg_table_init(&result->tables[0], spec);
}

void agg_result_free(struct agg_result *result)
{
    if (result->spec == NULL)
        return;
    for (uint32_t i = 0; i <= AGG_TASKS_MAX; i++)
        agg_table_free(&result->tables[i]);
    for (uint32_t i = 0; i < result->nworkers; i++)
        tsfs_arena_free(&result->workers[i]);
    tsfs_arena_free(&result->arena);
    result->spec = NULL;
}

/* ---- tasks ---- */

struct share {
    struct agg_result *result;
    int (*fill)(void *ctx, struct agg_table *table, uint32_t task, struct tsfs_error *err);
    void *fill_ctx;
    bool whole;
    uint32_t ntasks;
    struct agg_table tables[AGG_TASKS_MAX];
    pthread_mutex_t lock;
    bool done[AGG_TASKS_MAX];
    bool merging;
    uint32_t next; /* to merge */
    int rc;        /* the first error */
    struct tsfs_error err;
};

static void fail(struct share *share, int rc, struct tsfs_error *err)
{
    struct exec_ctx *ctx = share->result->spec->ctx;
    rc = exec_fail(ctx, rc, share->result->spec->name, err);
    pthread_mutex_lock(&share->lock);
    if (share->rc == 0) {
        share->rc = rc;
        share->err = *err;
    }
    pthread_mutex_unlock(&share->lock);
    int go_on = 0;
    atomic_compare_exchange_strong(&ctx->stop, &go_on, rc);
}

static int take_table(struct share *share, struct agg_table *table, struct tsfs_error *err)
{
    struct agg_table *into = &share->result->tables[0];
    uint64_t size = size_of(into);
    int rc = 0;
    if (size > MERGE_MAX && !share->whole) {
        agg_table_move(&share->result->tables[++share->result->nmore], table);
        return 0;
    }
    if (size == 0)
        agg_table_move(into, table);
    else
        rc = agg_table_merge(into, table, err);
    agg_table_free(table);
    return rc;
}

/* Whoever finds the next table in line ready merges it, and those behind it; the others go on with their
 * work. */
static void merge_ready(struct share *share, uint32_t i)
{
    pthread_mutex_lock(&share->lock);
    share->done[i] = true;
    bool mine = !share->merging;
    share->merging = true;
    while (mine && share->next < share->ntasks && share->done[share->next] && share->rc == 0) {
        struct agg_table *table = &share->tables[share->next++];
        pthread_mutex_unlock(&share->lock);
        struct tsfs_error err = {0};
        int rc = take_table(share, table, &err);
        if (rc != 0)
            fail(share, rc, &err);
        pthread_mutex_lock(&share->lock);
    }
    if (mine)
        share->merging = false;
    pthread_mutex_unlock(&share->lock);
}

static int run_task(void *ctx, size_t i, unsigned worker)
{
    struct share *share = ctx;
    struct tsfs_error err = {0};
    struct agg_table *table = &share->tables[i];
    (void)worker;
    int rc = agg_table_init(table, share->result->spec);
    if (rc == 0)
        rc = share->fill(share->fill_ctx, table, (uint32_t)i, &err);
    if (rc == 0)
        merge_ready(share, (uint32_t)i);
    else
        fail(share, rc, &err);
    return rc;
}

int agg_result_fill(struct agg_result *result, uint32_t ntasks, bool whole,
                    int (*fill)(void *ctx, struct agg_table *table, uint32_t task, struct tsfs_error *err),
                    void *ctx, struct tsfs_error *err)
{
    if (ntasks == 1)
        return fill(ctx, &result->tables[0], 0, err);
    struct share *share = calloc(1, sizeof(*share));
    if (share == NULL)
        return -ENOMEM;
    share->result = result;
    share->fill = fill;
    share->fill_ctx = ctx;
    share->whole = whole;
    share->ntasks = ntasks;
    pthread_mutex_init(&share->lock, NULL);
    int rc = tsfs_pool_run(result->spec->ctx->options.pool, run_task, share, ntasks);
    if (share->rc != 0) {
        rc = share->rc;
        if (err != NULL)
            *err = share->err;
    }
    for (uint32_t i = 0; i < ntasks; i++)
        agg_table_free(&share->tables[i]);
    pthread_mutex_destroy(&share->lock);
    free(share);
    return rc;
}

/* ---- uniting ---- */

struct uniting {
    struct agg_result *result;
    struct tsfs_error *errors; /* [nworkers] */
};

static int go_on(void *ctx, unsigned worker)
{
    struct uniting *u = ctx;
    return exec_poll(u->result->spec->ctx, &u->errors[worker]);
}

static int same_group(void *ctx, unsigned worker, char *kept, char *again)
{
    struct uniting *u = ctx;
    struct agg_result *result = u->result;
    const struct agg_spec *spec = result->spec;
    uint32_t key_size = result->tables[0].groups.key_size;
    for (uint32_t i = 0; i < spec->nitems; i++) {
        const struct agg_item *item = &spec->items[i];
        if (item->distinct)
            continue;
        struct tsfs_kernel_ctx kernel =
            agg_kernel_ctx(spec, &result->workers[worker], item, &u->errors[worker]);
        int rc = item->impl->merge(&kernel, kept + key_size + item->offset, again + key_size + item->offset);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Distinct values name their group by its number in its table: now by that of its record. */
static void renumber(struct agg_table *table, uint32_t item, const uint64_t *finals)
{
    struct group_table *seen = &table->distinct[item];
    uint32_t offset = seen->offsets[0];
    for (uint32_t i = 0; i < seen->n; i++) {
        int64_t *group = (int64_t *)(group_key(seen, i) + offset);
        *group = (int64_t)finals[*group];
    }
}

static int set_workers(struct agg_result *result, struct uniting *u)
{
    uint32_t nworkers = tsfs_pool_threads(result->spec->ctx->options.pool) + 1;
    u->result = result;
    u->errors = TSFS_NEW_ARRAY(&result->arena, struct tsfs_error, nworkers);
    result->workers = TSFS_NEW_ARRAY(&result->arena, struct tsfs_arena, nworkers);
    if (u->errors == NULL || result->workers == NULL)
        return -ENOMEM;
    for (; result->nworkers < nworkers; result->nworkers++)
        tsfs_arena_init(&result->workers[result->nworkers], result->spec->ctx->options.budget);
    return 0;
}

static int unite_groups(struct agg_result *result, struct uniting *u, uint64_t **finals)
{
    struct group_table *tables[AGG_TASKS_MAX + 1];
    const struct group_union_ops ops = {result->spec->nitems > 0 ? same_group : NULL, go_on, u};
    for (uint32_t t = 0; t <= result->nmore; t++)
        tables[t] = &result->tables[t].groups;
    return group_union(tables, result->nmore + 1, &result->arena, result->spec->ctx->options.pool, &ops,
                       finals, &result->groups);
}

static int unite(struct agg_result *result, struct tsfs_error *err)
{
    const struct agg_spec *spec = result->spec;
    uint64_t *finals[AGG_TASKS_MAX + 1];
    struct group_table *tables[AGG_TASKS_MAX + 1];
    struct tsfs_arena scratch;
    struct uniting u = {0};
    uint32_t ntables = result->nmore + 1;
    bool distinct = false;
    int rc = set_workers(result, &u);
    for (uint32_t t = 0; t < ntables; t++)
        group_table_free(&result->tables[t].groups); /* its slots: they are of no use any more */
    for (uint32_t i = 0; i < spec->nitems; i++)
        distinct |= spec->items[i].distinct;
    tsfs_arena_init(&scratch, spec->ctx->options.budget);
    for (uint32_t t = 0; t < ntables && distinct && rc == 0; t++) {
        finals[t] = tsfs_arena_alloc(&scratch, result->tables[t].groups.n * sizeof(uint64_t));
        rc = finals[t] == NULL ? -ENOMEM : 0;
    }
    if (rc == 0)
        rc = unite_groups(result, &u, distinct ? finals : NULL);
    if (rc == 0 && distinct) {
        result->distinct = TSFS_NEW_ARRAY(&result->arena, struct group_union, spec->nitems);
        rc = result->distinct == NULL ? -ENOMEM : 0;
    }
    const struct group_union_ops drop = {NULL, go_on, &u};
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++) {
        if (!spec->items[i].distinct)
            continue;
        for (uint32_t t = 0; t < ntables; t++) {
            renumber(&result->tables[t], i, finals[t]);
            tables[t] = &result->tables[t].distinct[i];
            group_table_free(tables[t]);
        }
        rc = group_union(tables, ntables, &result->arena, spec->ctx->options.pool, &drop, NULL,
                         &result->distinct[i]);
    }
    for (uint32_t w = 0; w < result->nworkers && rc != 0; w++)
        if (u.errors[w].code != 0 && err != NULL)
            *err = u.errors[w];
    tsfs_arena_free(&scratch);
    return rc;
}

/* ---- output ---- */

/* Distinct values [from, from + n): their records, and the states that they go into. */
static void distinct_records(struct agg_result *result, uint32_t i, uint32_t from, uint32_t n, char **records,
                             void **states)
{
    const struct agg_item *item = &result->spec->items[i];
    const struct group_table *seen = &result->tables[0].distinct[i];
    for (uint32_t k = 0; k < n; k++) {
        records[k] =
            result->distinct != NULL ? result->distinct[i].records[from + k] : group_key(seen, from + k);
        int64_t group = *(const int64_t *)(records[k] + seen->offsets[0]);
        char *record = result->distinct != NULL ? result->groups.records[group]
                                                : group_key(&result->tables[0].groups, (uint32_t)group);
        states[k] = record + result->tables[0].groups.key_size + item->offset;
    }
}

static int finish_distinct(struct agg_result *result, struct tsfs_arena *scratch, uint32_t i,
                           struct tsfs_error *err)
{
    const struct agg_item *item = &result->spec->items[i];
    const struct group_table *seen = &result->tables[0].distinct[i];
    struct tsfs_kernel_ctx ctx = agg_kernel_ctx(result->spec, &result->arena, item, err);
    uint32_t nargs = item->plan->nargs, total = result->distinct != NULL ? result->distinct[i].n : seen->n;
    for (uint32_t from = 0; from < total; from += TSFS_BATCH_ROWS) {
        uint32_t n = total - from < TSFS_BATCH_ROWS ? total - from : TSFS_BATCH_ROWS;
        tsfs_arena_reset(scratch);
        struct tsfs_vec *args = tsfs_arena_alloc(scratch, nargs * sizeof(*args));
        char **records = tsfs_arena_alloc(scratch, n * sizeof(*records));
        void **states = tsfs_arena_alloc(scratch, n * sizeof(*states));
        int rc =
            args == NULL || states == NULL || records == NULL ? -ENOMEM : exec_poll(result->spec->ctx, err);
        if (rc != 0)
            return rc;
        distinct_records(result, i, from, n, records, states);
        for (uint32_t k = 0; k < nargs && rc == 0; k++)
            rc = group_records_column(seen, scratch, k + 1, records, n, &args[k]);
        if (rc != 0 || (rc = item->impl->update_rows(&ctx, states, args, n)) != 0)
            return rc;
    }
    return 0;
}

int agg_result_finish(struct agg_result *result, struct tsfs_error *err)
{
    const struct agg_spec *spec = result->spec;
    struct tsfs_arena scratch;
    int rc = result->nmore > 0 ? unite(result, err) : 0;
    tsfs_arena_init(&scratch, spec->ctx->options.budget);
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++)
        if (spec->items[i].distinct)
            rc = finish_distinct(result, &scratch, i, err);
    tsfs_arena_free(&scratch);
    return rc;
}

/* Rows [from, end) of all items.  So few rows at a time that their states come from memory once. */
static int finish_rows(const struct agg_result *result, struct tsfs_arena *arena, char *const *records,
                       uint32_t from, uint32_t end, const struct tsfs_vec *items, uint64_t *const *valid,
                       struct tsfs_error *err)
{
    const struct agg_spec *spec = result->spec;
    uint32_t key_size = result->tables[0].groups.key_size;
    int rc = 0;
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++) {
        const struct agg_item *item = &spec->items[i];
        struct tsfs_kernel_ctx ctx = agg_kernel_ctx(spec, arena, item, err);
        void *data = (void *)(uintptr_t)items[i].data;
        for (uint32_t k = from; k < end && rc == 0; k++)
            rc = item->impl->finish(&ctx, records[k] + key_size + item->offset, data, valid[i], k);
    }
    return rc;
}

int agg_result_output(const struct agg_result *result, struct tsfs_arena *arena, uint32_t from, uint32_t n,
                      struct tsfs_vec *cols, struct tsfs_error *err)
{
    const struct agg_spec *spec = result->spec;
    const struct group_table *groups = &result->tables[0].groups;
    char **records = tsfs_arena_alloc(arena, n * sizeof(*records));
    int rc = records == NULL ? -ENOMEM : 0;
    for (uint32_t k = 0; k < n && rc == 0; k++)
        records[k] = result->nmore > 0 ? result->groups.records[from + k] : group_key(groups, from + k);
    for (uint32_t i = 0; i < spec->ngroups && rc == 0; i++)
        rc = group_records_column(groups, arena, i, records, n, &cols[i]);
    struct tsfs_vec *items = cols + spec->ngroups;
    uint64_t **valid = tsfs_arena_alloc(arena, (spec->nitems + 1) * sizeof(*valid));
    if (valid == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++) {
        const struct tsfs_plan_aggregate *plan = spec->items[i].plan;
        enum tsfs_type type = tsfs_function_result(plan->fn, plan->args, plan->nargs - plan->norder);
        items[i] =
            (struct tsfs_vec){.type = type, .data = tsfs_arena_calloc(arena, n, tsfs_type_width(type))};
        valid[i] = tsfs_arena_calloc(arena, tsfs_bit_words(n), 8);
        if (items[i].data == NULL || valid[i] == NULL)
            return -ENOMEM;
    }
    for (uint32_t row = 0; row < n && rc == 0; row += FINISH_ROWS)
        rc = finish_rows(result, arena, records, row, n - row < FINISH_ROWS ? n : row + FINISH_ROWS, items,
                         valid, err);
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++)
        if (tsfs_bits_count(valid[i], n) < n)
            items[i].valid = valid[i];
    return rc;
}
