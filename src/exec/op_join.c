/* JOIN: one side is kept in memory, the other passes by.
 *
 * With equalities the kept (build) side is a hash table of its keys, each with a chain of its rows; a row
 * whose key is NULL or NaN matches nothing and is in no chain.  Without, every row is paired with every kept
 * row. Either way what comes out are pairs of row numbers, at most a batch of them at a time; the remaining
 * condition is evaluated over the pairs, columns are gathered for those that pass it.
 *
 * Keys that are strings and columns of the kept side lie once in memory: the table points to the rows kept.
 *
 * The side that promises fewer rows is kept, but of a semi or anti join the right one.  Rows of a side that
 * an outer join preserves: of the passing side those without a match come out when their batch is through, of
 * the kept side at the very end. */
#include <errno.h>
#include <math.h>

#include "exec/exec_priv.h"
#include "exec/kernels/bits.h"
#include "exec/kernels/gather.h"
#include "exec/kernels/group.h"
#include "exec/rows.h"
#include "sql/expr_tree.h"

#define NAME "a join"

struct chain {
    uint32_t first, last; /* rows kept, 1 + number; 0 = none */
};

struct join_op {
    struct exec_op op;
    const struct join_op *kept; /* who has the kept side: this one, or the one whose stream this is part of */
    struct exec_op *probe, *build;
    bool build_left;             /* the left side is kept */
    bool keep_probe, keep_build; /* preserved although nothing matches */
    bool semi, anti;
    struct tsfs_expr **probe_keys, **build_keys;
    uint32_t nkeys, nleft, nright;
    struct tsfs_arena store;       /* the kept side */
    struct tsfs_arena batch_arena; /* the passing batch: its keys' groups */
    struct tsfs_arena scratch;     /* of the batch handed up */
    struct rows rows;
    struct group_table keys;
    enum tsfs_type *key_types;
    bool *key_kept;  /* [nkeys]: in the table are pointers to the kept rows */
    uint32_t **next; /* of each chunk: the row after in its chain, 1 + number */
    uint32_t nnext, next_room;
    uint64_t **matched; /* of each chunk, if keep_build */
    bool built, ended;
    /* the passing batch */
    struct tsfs_batch *in;
    uint32_t *groups;
    uint32_t row; /* next to pair */
    uint32_t at;  /* and the kept row it comes to next, 1 + number; 0 = its first */
    bool started; /* at is set for row */
    uint64_t hit[EXEC_BATCH_WORDS];
    uint32_t left_over; /* chunk of kept rows without a match that comes next */
    uint16_t pair_probe[TSFS_BATCH_ROWS];
    uint32_t pair_build[TSFS_BATCH_ROWS];
    struct tsfs_batch batch;
};

/* ---- the kept side ---- */

/* Rows of a batch whose keys are all there and no NaN. */
static uint32_t usable_rows(const struct tsfs_vec *keys, uint32_t nkeys, uint32_t n, uint16_t *sel)
{
    uint64_t bits[EXEC_BATCH_WORDS], one[EXEC_BATCH_WORDS];
    bits_fill(bits, n);
    for (uint32_t k = 0; k < nkeys; k++) {
        bits_of_valid(one, &keys[k], n);
        for (size_t w = 0; w < tsfs_bit_words(n); w++)
            bits[w] &= one[w];
        if (keys[k].type != TSFS_DOUBLE)
            continue;
        for (uint32_t i = 0; i < n; i++)
            if (tsfs_bit_get(bits, i) && isnan(keys[k].d[keys[k].constant ? 0 : i]))
                tsfs_bit_clear(bits, i);
    }
    return bits_to_sel(sel, bits, n);
}

/* Keys of a batch, those of sel's rows. */
static int eval_keys(struct join_op *self, struct tsfs_arena *arena, struct tsfs_expr *const *exprs,
                     const struct tsfs_batch *in, struct tsfs_vec **out, uint16_t *sel, uint32_t *nsel,
                     struct tsfs_error *err)
{
    struct tsfs_eval eval = exec_eval(self->op.ctx, arena, err);
    struct tsfs_vec *keys = *out = tsfs_arena_alloc(arena, self->nkeys * sizeof(*keys));
    int rc = keys == NULL ? -ENOMEM : 0;
    for (uint32_t k = 0; k < self->nkeys && rc == 0; k++)
        rc = tsfs_eval_expr(&eval, exprs[k], in->cols, in->nrows, &keys[k]);
    if (rc != 0)
        return rc;
    *nsel = usable_rows(keys, self->nkeys, in->nrows, sel);
    for (uint32_t k = 0; k < self->nkeys && *nsel < in->nrows && rc == 0; k++)
        rc = tsfs_vec_gather(arena, &keys[k], sel, *nsel, &keys[k]);
    return rc;
}

static int reserve_next(struct join_op *self)
{
    while (self->nnext < self->rows.nchunks) {
        if (self->nnext == self->next_room) {
            uint32_t room = self->next_room == 0 ? 16 : self->next_room * 2;
            uint32_t **next = TSFS_NEW_ARRAY(&self->store, uint32_t *, room);
            uint64_t **matched = TSFS_NEW_ARRAY(&self->store, uint64_t *, room);
            if (next == NULL || matched == NULL)
                return -ENOMEM;
            if (self->nnext > 0) {
                memcpy(next, self->next, self->nnext * sizeof(*next));
                memcpy(matched, self->matched, self->nnext * sizeof(*matched));
            }
            self->next = next;
            self->matched = matched;
            self->next_room = room;
        }
        if (self->nkeys > 0 &&
            (self->next[self->nnext] = TSFS_NEW_ARRAY(&self->store, uint32_t, TSFS_BATCH_ROWS)) == NULL)
            return -ENOMEM;
        if (self->keep_build &&
            (self->matched[self->nnext] = TSFS_NEW_ARRAY(&self->store, uint64_t, EXEC_BATCH_WORDS)) == NULL)
            return -ENOMEM;
        self->nnext++;
    }
    return 0;
}

/* A semi or anti join that has no other condition needs the keys alone. */
static bool keys_only(const struct join_op *self)
{
    return (self->semi || self->anti) && self->nkeys > 0 && self->op.plan->join.condition == NULL;
}

/* Keys of rows base + sel[0..n) that the table does not copy are taken from the rows kept. */
static int keys_of_rows(struct join_op *self, uint32_t base, const uint16_t *sel, uint32_t n,
                        struct tsfs_vec *keys)
{
    uint32_t *ids = NULL;
    int rc = 0;
    for (uint32_t k = 0; k < self->nkeys && rc == 0; k++) {
        if (!self->key_kept[k])
            continue;
        if (ids == NULL) {
            if ((ids = tsfs_arena_alloc(&self->scratch, (n + 1) * sizeof(*ids))) == NULL)
                return -ENOMEM;
            for (uint32_t i = 0; i < n; i++)
                ids[i] = base + sel[i];
        }
        rc = rows_gather(&self->rows, &self->scratch, self->build_keys[k]->index, ids, n, &keys[k]);
    }
    return rc;
}

static int add_batch(struct join_op *self, const struct tsfs_batch *in, struct tsfs_error *err)
{
    uint32_t base = self->rows.n, nsel, *groups;
    struct tsfs_vec *keys;
    uint16_t sel[TSFS_BATCH_ROWS];
    tsfs_arena_reset(&self->scratch);
    bool without_rows = keys_only(self);
    int rc = without_rows ? 0 : rows_append(&self->rows, in->cols, NULL, in->nrows);
    if (rc == 0)
        rc = reserve_next(self);
    if (rc != 0 || self->nkeys == 0)
        return rc;
    rc = eval_keys(self, &self->scratch, self->build_keys, in, &keys, sel, &nsel, err);
    groups = tsfs_arena_alloc(&self->scratch, (nsel + 1) * sizeof(*groups));
    if (rc == 0 && groups == NULL)
        rc = -ENOMEM;
    if (rc == 0)
        rc = keys_of_rows(self, base, sel, nsel, keys);
    if (rc == 0)
        rc = group_rows(&self->keys, &self->scratch, keys, nsel, groups);
    for (uint32_t i = 0; i < nsel && rc == 0 && !without_rows; i++) {
        struct chain *chain = group_payload(&self->keys, groups[i]);
        uint32_t row = base + sel[i];
        if (chain->first == 0)
            chain->first = row + 1;
        else
            self->next[(chain->last - 1) / TSFS_BATCH_ROWS][(chain->last - 1) % TSFS_BATCH_ROWS] = row + 1;
        chain->last = row + 1;
    }
    return rc;
}

static int build(struct join_op *self, struct tsfs_error *err)
{
    const struct tsfs_plan *side = self->build->plan;
    struct tsfs_batch *in;
    int rc = rows_init(&self->rows, &self->store, side->ncols);
    for (uint32_t i = 0; i < side->ncols && rc == 0; i++)
        self->rows.types[i] = side->cols[i].type;
    for (uint32_t k = 0; k < self->nkeys; k++)
        self->key_types[k] = self->build_keys[k]->type;
    if (rc == 0 && self->nkeys > 0)
        rc = group_table_init(&self->keys, &self->store, self->nkeys, self->key_types, sizeof(struct chain));
    for (uint32_t k = 0; k < self->nkeys && rc == 0; k++) {
        enum tsfs_type type = self->key_types[k];
        self->key_kept[k] = (tsfs_type_is_string(type) || tsfs_type_is_nested(type)) && !keys_only(self) &&
                            self->build_keys[k]->kind == TSFS_EXPR_COLUMN;
        if (self->key_kept[k])
            rc = group_table_borrow(&self->keys, k);
    }
    while (rc == 0 && (rc = exec_poll(self->op.ctx, err)) == 0 && (rc = exec_next(self->build, &in, err)) > 0)
        rc = exec_fail(self->op.ctx, add_batch(self, in, err), NAME, err);
    self->built = rc == 0;
    return rc;
}

/* ---- pairs ---- */

static uint32_t chain_of(const struct join_op *self, uint32_t row)
{
    if (self->nkeys == 0)
        return self->kept->rows.n > 0 ? 1 : 0;
    uint32_t group = self->groups[row];
    return group == GROUP_NONE ? 0 : ((const struct chain *)group_payload(&self->kept->keys, group))->first;
}

static uint32_t after(const struct join_op *self, uint32_t at)
{
    if (self->nkeys == 0)
        return at < self->kept->rows.n ? at + 1 : 0;
    return self->kept->next[(at - 1) / TSFS_BATCH_ROWS][(at - 1) % TSFS_BATCH_ROWS];
}

/* The next pairs of the batch, up to a full batch of them. */
static uint32_t fill_pairs(struct join_op *self)
{
    uint32_t n = 0;
    /* a preserved row without a match comes where it stands, unless a condition must be asked first */
    bool in_place = self->keep_probe && !self->keep_build && self->op.plan->join.condition == NULL;
    for (; self->row < self->in->nrows; self->row++, self->started = false) {
        if (!self->started) {
            self->at = chain_of(self, self->row);
            self->started = true;
            if (self->at == 0 && in_place) {
                if (n == TSFS_BATCH_ROWS) {
                    self->started = false;
                    return n;
                }
                tsfs_bit_set(self->hit, self->row);
                self->pair_probe[n] = (uint16_t)self->row;
                self->pair_build[n++] = ROWS_NONE;
            }
        }
        /* one match is enough to know that there is one */
        bool once = (self->semi || self->anti) && tsfs_bit_get(self->hit, self->row);
        while (self->at != 0 && !once) {
            if (n == TSFS_BATCH_ROWS)
                return n;
            self->pair_probe[n] = (uint16_t)self->row;
            self->pair_build[n++] = self->at - 1;
            self->at = after(self, self->at);
        }
    }
    return n;
}

/* Column `col` of the output for pairs; build NULL: of rows of the passing side alone. */
static int pair_column(struct join_op *self, uint32_t col, const uint16_t *probe, const uint32_t *kept,
                       uint32_t n, struct tsfs_vec *out)
{
    bool left = col < self->nleft;
    uint32_t own = left ? col : col - self->nleft;
    if (left == self->build_left) {
        if (kept == NULL) {
            *out = exec_vec_null(self->kept->rows.types[own]);
            return 0;
        }
        return rows_gather(&self->kept->rows, &self->scratch, own, kept, n, out);
    }
    if (probe == NULL) {
        *out = exec_vec_null(self->probe->plan->cols[own].type);
        return 0;
    }
    return tsfs_vec_gather(&self->scratch, &self->in->cols[own], probe, n, out);
}

struct wanted {
    bool *columns;
};

static bool want(void *ctx, uint32_t index)
{
    ((struct wanted *)ctx)->columns[index] = true;
    return true;
}

/* Which pairs meet the remaining condition: they move to the front. */
static int test_pairs(struct join_op *self, uint32_t *n, struct tsfs_error *err)
{
    const struct tsfs_expr *condition = self->op.plan->join.condition;
    uint32_t ncols = self->nleft + self->nright;
    if (condition == NULL || *n == 0)
        return 0;
    struct tsfs_vec *cols = TSFS_NEW_ARRAY(&self->scratch, struct tsfs_vec, ncols);
    struct wanted wanted = {TSFS_NEW_ARRAY(&self->scratch, bool, ncols)};
    uint16_t sel[TSFS_BATCH_ROWS];
    uint32_t nsel;
    int rc = cols == NULL || wanted.columns == NULL ? -ENOMEM : 0;
    if (rc == 0)
        tsfs_expr_each_column(condition, want, &wanted);
    for (uint32_t i = 0; i < ncols && rc == 0; i++)
        if (wanted.columns[i])
            rc = pair_column(self, i, self->pair_probe, self->pair_build, *n, &cols[i]);
    if (rc != 0)
        return rc;
    struct tsfs_eval eval = exec_eval(self->op.ctx, &self->scratch, err);
    rc = tsfs_eval_filter(&eval, condition, cols, *n, sel, &nsel);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < nsel; i++) {
        self->pair_probe[i] = self->pair_probe[sel[i]];
        self->pair_build[i] = self->pair_build[sel[i]];
    }
    *n = nsel;
    return 0;
}

static int emit(struct join_op *self, const uint16_t *probe, const uint32_t *kept, uint32_t n)
{
    uint32_t ncols = self->op.plan->ncols;
    self->batch.cols = tsfs_arena_alloc(&self->scratch, ncols * sizeof(struct tsfs_vec));
    int rc = self->batch.cols == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < ncols && rc == 0; i++)
        rc = pair_column(self, i, probe, kept, n, &self->batch.cols[i]);
    self->batch.nrows = self->batch.nsel = n;
    return rc;
}

static void note_hits(struct join_op *self, uint32_t n)
{
    if (self->keep_probe || self->semi || self->anti)
        for (uint32_t i = 0; i < n; i++)
            tsfs_bit_set(self->hit, self->pair_probe[i]);
    if (self->keep_build)
        for (uint32_t i = 0; i < n; i++)
            tsfs_bit_set(self->matched[self->pair_build[i] / TSFS_BATCH_ROWS],
                         self->pair_build[i] % TSFS_BATCH_ROWS);
}

/* The passing rows that are wanted with or without a match, once all pairs of the batch are through; 0 =
 * none. */
static int finish_batch(struct join_op *self)
{
    uint16_t sel[TSFS_BATCH_ROWS];
    uint64_t bits[EXEC_BATCH_WORDS];
    uint32_t n = self->in->nrows;
    if (!self->keep_probe && !self->semi && !self->anti)
        return 0;
    bits_fill(bits, n);
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        bits[w] &= self->semi ? self->hit[w] : ~self->hit[w];
    uint32_t nsel = bits_to_sel(sel, bits, n);
    if (nsel == 0)
        return 0;
    tsfs_arena_reset(&self->scratch);
    int rc = emit(self, sel, NULL, nsel);
    return rc != 0 ? rc : 1;
}

/* Kept rows that nothing matched. */
static int next_left_over(struct join_op *self)
{
    while (self->keep_build && self->left_over < self->rows.nchunks) {
        uint32_t chunk = self->left_over++, n = rows_in_chunk(&self->rows, chunk), count = 0;
        for (uint32_t i = 0; i < n; i++)
            if (!tsfs_bit_get(self->matched[chunk], i))
                self->pair_build[count++] = chunk * TSFS_BATCH_ROWS + i;
        if (count == 0)
            continue;
        tsfs_arena_reset(&self->scratch);
        int rc = emit(self, NULL, self->pair_build, count);
        return rc != 0 ? rc : 1;
    }
    return 0;
}

static int take_batch(struct join_op *self, struct tsfs_error *err)
{
    self->row = 0;
    self->started = false;
    memset(self->hit, 0, sizeof(self->hit));
    tsfs_arena_reset(&self->batch_arena);
    if (self->nkeys == 0)
        return 0;
    uint32_t n = self->in->nrows, nsel, *some;
    uint16_t sel[TSFS_BATCH_ROWS];
    struct tsfs_vec *keys;
    int rc = eval_keys(self, &self->batch_arena, self->probe_keys, self->in, &keys, sel, &nsel, err);
    self->groups = tsfs_arena_alloc(&self->batch_arena, n * sizeof(uint32_t));
    some = tsfs_arena_alloc(&self->batch_arena, (nsel + 1) * sizeof(uint32_t));
    if (rc == 0 && (self->groups == NULL || some == NULL))
        rc = -ENOMEM;
    if (rc == 0)
        rc = group_lookup(&self->kept->keys, &self->batch_arena, keys, nsel, some);
    if (rc != 0)
        return rc;
    memset(self->groups, 0xff, n * sizeof(uint32_t));
    for (uint32_t i = 0; i < nsel; i++)
        self->groups[sel[i]] = some[i];
    if ((self->semi || self->anti) && self->op.plan->join.condition == NULL) {
        for (uint32_t i = 0; i < n; i++)
            if (self->groups[i] != GROUP_NONE)
                tsfs_bit_set(self->hit, i);
        self->row = n; /* nothing to pair */
    }
    return 0;
}

/* 1 with a batch, 3 with the last of what passes by, 0 at the end, 2 to go on. */
static int step(struct join_op *self, struct tsfs_error *err)
{
    int rc = exec_poll(self->op.ctx, err);
    if (rc != 0)
        return rc;
    if (self->in == NULL) {
        bool nothing = self->nkeys > 0 && self->kept->keys.n == 0;
        nothing |= self->nkeys == 0 && self->kept->rows.n == 0;
        if (!self->ended && nothing && !self->keep_probe && !self->anti && !self->keep_build)
            return 0;
        if (self->ended || (rc = exec_next(self->probe, &self->in, err)) == 0) {
            self->ended = true;
            return exec_fail(self->op.ctx, next_left_over(self), NAME, err);
        }
        if (rc < 0) {
            self->in = NULL;
            return rc;
        }
        rc = take_batch(self, err);
        return rc != 0 ? exec_fail(self->op.ctx, rc, NAME, err) : 2;
    }
    if (self->row < self->in->nrows) {
        tsfs_arena_reset(&self->scratch);
        uint32_t n = fill_pairs(self);
        if ((rc = test_pairs(self, &n, err)) != 0)
            return exec_fail(self->op.ctx, rc, NAME, err);
        note_hits(self, n);
        if (n == 0 || self->semi || self->anti)
            return 2;
        rc = emit(self, self->pair_probe, self->pair_build, n);
        return rc != 0 ? exec_fail(self->op.ctx, rc, NAME, err) : 1;
    }
    rc = finish_batch(self);
    if (rc < 0)
        return exec_fail(self->op.ctx, rc, NAME, err);
    if (rc == 0) {
        self->in = NULL;
        return 2;
    }
    return 3; /* the rows that come out still borrow from the batch: it is left at the next call */
}

static int join_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct join_op *self = (struct join_op *)op;
    int rc = self->built ? 0 : build(self, err);
    if (rc != 0)
        return rc;
    if (self->in != NULL && self->row > self->in->nrows)
        self->in = NULL;
    while ((rc = step(self, err)) == 2)
        ;
    if (rc == 3) {
        self->row = self->in->nrows + 1; /* through */
        rc = 1;
    }
    *out = &self->batch;
    return rc;
}

static void join_close(struct exec_op *op)
{
    struct join_op *self = (struct join_op *)op;
    if (self->keys.arena != NULL)
        group_table_free(&self->keys);
    tsfs_arena_free(&self->store);
    tsfs_arena_free(&self->batch_arena);
    tsfs_arena_free(&self->scratch);
}

static const struct exec_op_ops join_ops = {.next = join_next, .close = join_close};

static void set_sides(struct join_op *self, bool build_left)
{
    const struct tsfs_plan *plan = self->op.plan;
    enum tsfs_join kind = plan->join.kind;
    bool left = kind == TSFS_JOIN_LEFT || kind == TSFS_JOIN_FULL;
    bool right = kind == TSFS_JOIN_RIGHT || kind == TSFS_JOIN_FULL;
    self->build_left = build_left;
    self->keep_build = build_left ? left : right;
    self->keep_probe = build_left ? right : left;
    self->build_keys = build_left ? plan->join.left_keys : plan->join.right_keys;
    self->probe_keys = build_left ? plan->join.right_keys : plan->join.left_keys;
    self->build = build_left ? self->op.input : self->op.more[0];
    self->probe = build_left ? self->op.more[0] : self->op.input;
}

int exec_open_join(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err)
{
    struct join_op *self = TSFS_NEW(&ctx->arena, struct join_op);
    enum tsfs_join kind = plan->join.kind;
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &join_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->store, ctx->options.budget);
    tsfs_arena_init(&self->batch_arena, ctx->options.budget);
    tsfs_arena_init(&self->scratch, ctx->options.budget);
    *out = &self->op;
    self->semi = kind == TSFS_JOIN_SEMI;
    self->anti = kind == TSFS_JOIN_ANTI;
    self->nleft = plan->input->ncols;
    self->nright = plan->more[0]->ncols;
    self->nkeys = plan->join.nkeys;
    self->batch.ncols = plan->ncols;
    self->op.more = TSFS_NEW_ARRAY(&ctx->arena, struct exec_op *, 1);
    self->key_types = TSFS_NEW_ARRAY(&ctx->arena, enum tsfs_type, self->nkeys);
    self->key_kept = TSFS_NEW_ARRAY(&ctx->arena, bool, self->nkeys);
    if (self->op.more == NULL || self->key_types == NULL || self->key_kept == NULL)
        return -ENOMEM;
    bool build_left = false;
    if (!self->semi && !self->anti && !plan->join.ordered && !ctx->copying) /* else exec_join_share says */
        build_left = exec_estimate(ctx, plan->input) < exec_estimate(ctx, plan->more[0]);
    self->kept = self;
    int rc = exec_op_open(ctx, plan->input, &self->op.input, err);
    self->op.nmore = 1;
    if (rc == 0)
        rc = exec_op_open(ctx, plan->more[0], &self->op.more[0], err);
    set_sides(self, build_left);
    return rc;
}

/* ---- streams: several operators that share one kept side ---- */

struct exec_op *exec_join_probe(struct exec_op *op)
{
    struct join_op *self = (struct join_op *)op;
    return op->ops != &join_ops || self->keep_build ? NULL : self->probe;
}

int exec_join_build(struct exec_op *op, struct tsfs_error *err)
{
    struct join_op *self = (struct join_op *)op;
    return self->built ? 0 : build(self, err);
}

void exec_join_share(struct exec_op *op, const struct exec_op *from)
{
    struct join_op *self = (struct join_op *)op;
    self->kept = (const struct join_op *)from;
    self->built = true;
    set_sides(self, self->kept->build_left);
}

void exec_join_again(struct exec_op *op)
{
    struct join_op *self = (struct join_op *)op;
    self->in = NULL;
    self->ended = false;
}
