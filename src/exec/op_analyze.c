/* EXPLAIN ANALYZE: runs the plan, throws its rows away, and tells what each operator did. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/time.h"
#include "exec/exec_priv.h"

struct analyze_op {
    struct exec_op op;
    struct tsfs_buf text;
    struct tsfs_arena arena;
    size_t at; /* of the text, what has not been handed out */
    bool done;
    int64_t time;
    uint64_t rows;
    struct tsfs_batch batch;
    struct tsfs_vec column;
};

/* What was left out of all that was there.  Two cursors that share a page both count it as theirs. */
struct pruned {
    uint64_t series, pages, blocks;
    uint64_t by_series; /* blocks of series that were not asked for, or not come to */
};

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static struct pruned pruned_of(const struct tsfs_scan_known *known, const struct tsfs_scan_stats *scan)
{
    struct pruned p = {.series = less(known->series, scan->series_met),
                       .pages = less(known->pages, scan->pages_read + scan->pages_cached),
                       .by_series = less(known->blocks, scan->blocks_met)};
    p.blocks = p.by_series + scan->blocks_not_in_time + scan->blocks_not_in_range;
    return p;
}

static int note_scan(const struct exec_op_stats *s, struct tsfs_buf *out)
{
    struct pruned p = pruned_of(&s->known, &s->scan);
    return tsfs_buf_printf(out,
                           " partitions=%" PRIu64 " pruned=%" PRIu64 " series=%" PRIu64 " pruned=%" PRIu64
                           " blocks=%" PRIu64 " pruned=%" PRIu64 " summaries=%" PRIu64 " pages=%" PRIu64
                           " pruned=%" PRIu64 " bytes=%" PRIu64 " read=%" PRIu64,
                           s->partitions_total, s->partitions_pruned, s->scan.series, p.series,
                           s->known.blocks, p.blocks, s->scan.blocks_from_summary,
                           s->scan.pages_read + s->scan.pages_cached, p.pages, s->scan.bytes_read,
                           s->scan.rows);
}

static int note(void *ctx, const struct tsfs_plan *plan, struct tsfs_buf *out)
{
    const struct analyze_op *self = ctx;
    const struct exec_op_stats *s = self->op.ctx->timed;
    while (s != NULL && s->plan != plan)
        s = s->next;
    if (s == NULL)
        return plan == self->op.plan ? 0 : tsfs_buf_printf(out, " (not run)");
    int rc = 0;
    if (s->runs > 0) /* of a scan that an aggregate reads, the time is the aggregate's */
        rc = tsfs_buf_printf(out, " (rows=%" PRIu64 " time=%.3fms%s", s->rows, (double)s->time / 1e6,
                             s->copied ? " of all threads" : "");
    else
        rc = tsfs_buf_printf(out, " (read by the aggregate");
    if (rc == 0 && s->runs > 1)
        rc = tsfs_buf_printf(out, " runs=%" PRIu64, s->runs);
    if (rc == 0 && plan->kind == TSFS_PLAN_SCAN)
        rc = note_scan(s, out);
    return rc != 0 ? rc : tsfs_buf_printf(out, ")");
}

static int drain(struct exec_op *op, uint64_t *rows, struct tsfs_error *err)
{
    struct tsfs_batch *in;
    int rc;
    while ((rc = exec_poll(op->ctx, err)) == 0 && (rc = exec_next(op, &in, err)) > 0)
        *rows += in->nrows;
    return rc;
}

/* ---- by several threads, where the query itself would be ---- */

struct parts {
    struct exec_op *root;
    struct exec_op **copies; /* [nworkers] */
    uint64_t *rows;
    struct tsfs_error *errors;
    unsigned nworkers;
};

static int run_part(void *ctx, size_t part, unsigned worker)
{
    struct parts *p = ctx;
    exec_chain_part(p->copies[worker], p->root, (uint32_t)part);
    return drain(p->copies[worker], &p->rows[worker], &p->errors[worker]);
}

static int run_parts(struct analyze_op *self, uint32_t nparts, struct tsfs_error *err)
{
    struct exec_ctx *ctx = self->op.ctx;
    struct parts p = {.root = self->op.input, .nworkers = tsfs_pool_threads(ctx->options.pool) + 1};
    p.copies = TSFS_NEW_ARRAY(&ctx->arena, struct exec_op *, p.nworkers);
    p.rows = TSFS_NEW_ARRAY(&ctx->arena, uint64_t, p.nworkers);
    p.errors = TSFS_NEW_ARRAY(&ctx->arena, struct tsfs_error, p.nworkers);
    int rc = p.copies == NULL || p.rows == NULL || p.errors == NULL ? -ENOMEM : 0;
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < p.nworkers && rc == 0; i++)
        rc = exec_chain_copy(p.root, &p.copies[i], err);
    if (rc == 0) {
        rc = tsfs_pool_run(ctx->options.pool, run_part, &p, nparts);
        for (unsigned i = 0; i < p.nworkers && rc != 0 && err != NULL && err->code == 0; i++)
            *err = p.errors[i];
    }
    for (unsigned i = 0; i < p.nworkers; i++) {
        self->rows += p.rows[i];
        exec_op_close(p.copies[i]);
    }
    return rc;
}

static int run_all(struct analyze_op *self, struct tsfs_error *err)
{
    struct exec_ctx *ctx = self->op.ctx;
    uint32_t nparts = 0;
    int rc = 0;
    if (ctx->options.pool != NULL)
        rc = exec_chain_parts(self->op.input, TSFS_EXEC_PARTS_LEAST, &nparts, err);
    if (rc != 0)
        return rc;
    return nparts > 1 ? run_parts(self, nparts, err) : drain(self->op.input, &self->rows, err);
}

/* ---- the text ---- */

static int put_totals(struct analyze_op *self)
{
    const struct tsfs_exec_stats *stats = &self->op.ctx->stats;
    const struct tsfs_scan_known *known = &stats->known;
    const struct tsfs_scan_stats *scan = &stats->scan;
    struct pruned p = pruned_of(known, scan);
    int rc =
        tsfs_buf_printf(&self->text, "Rows: %" PRIu64 " in %.3f ms\n", self->rows, (double)self->time / 1e6);
    if (rc == 0)
        rc = tsfs_buf_printf(&self->text, "Partitions: %" PRIu64 ", %" PRIu64 " pruned\n",
                             stats->partitions_total, stats->partitions_pruned);
    if (rc == 0)
        rc = tsfs_buf_printf(&self->text, "Series: %" PRIu64 ", %" PRIu64 " pruned\n", known->series,
                             p.series);
    if (rc == 0)
        rc = tsfs_buf_printf(&self->text,
                             "Blocks: %" PRIu64 ", %" PRIu64 " pruned (%" PRIu64 " by series, %" PRIu64
                             " by time, %" PRIu64 " by values)\n",
                             known->blocks, p.blocks, p.by_series, scan->blocks_not_in_time,
                             scan->blocks_not_in_range);
    if (rc == 0)
        rc = tsfs_buf_printf(&self->text, "Pages: %" PRIu64 ", %" PRIu64 " pruned, %" PRIu64 " cached\n",
                             known->pages, p.pages, scan->pages_cached);
    if (rc == 0)
        rc = tsfs_buf_printf(&self->text,
                             "Read: %" PRIu64 " series in %" PRIu64 " runs, %" PRIu64 " rows, %" PRIu64
                             " blocks answered from summaries, %" PRIu64 " pages, %" PRIu64 " bytes\n",
                             scan->series, scan->runs, scan->rows, scan->blocks_from_summary,
                             scan->pages_read, scan->bytes_read);
    return rc;
}

static int run(struct analyze_op *self, struct tsfs_error *err)
{
    int64_t start = tsfs_time_monotonic();
    int rc = run_all(self, err);
    self->time = tsfs_time_monotonic() - start;
    if (rc == 0)
        rc = tsfs_plan_explain_with(self->op.plan->input, note, self, &self->text);
    return rc == 0 ? put_totals(self) : rc;
}

static int analyze_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct analyze_op *self = (struct analyze_op *)op;
    int rc = 0;
    if (!self->done && (rc = exec_fail(op->ctx, run(self, err), "EXPLAIN", err)) != 0)
        return rc;
    self->done = true;
    tsfs_arena_reset(&self->arena);
    struct tsfs_str *lines = TSFS_NEW_ARRAY(&self->arena, struct tsfs_str, TSFS_BATCH_ROWS);
    struct tsfs_str text = tsfs_buf_str(&self->text);
    uint32_t n = 0;
    if (lines == NULL)
        return exec_no_memory(op->ctx, "EXPLAIN", err);
    while (self->at < text.len && n < TSFS_BATCH_ROWS) {
        const char *from = text.ptr + self->at, *end = memchr(from, '\n', text.len - self->at);
        lines[n++] = (struct tsfs_str){from, (size_t)(end - from)};
        self->at += (size_t)(end - from) + 1;
    }
    if (n == 0)
        return 0;
    self->column = (struct tsfs_vec){.type = TSFS_VARCHAR, .s = lines};
    self->batch = (struct tsfs_batch){.nrows = n, .nsel = n, .ncols = 1, .cols = &self->column};
    *out = &self->batch;
    return 1;
}

static void analyze_close(struct exec_op *op)
{
    struct analyze_op *self = (struct analyze_op *)op;
    tsfs_buf_free(&self->text);
    tsfs_arena_free(&self->arena);
}

static const struct exec_op_ops analyze_ops = {.next = analyze_next, .close = analyze_close};

int exec_open_analyze(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                      struct tsfs_error *err)
{
    struct analyze_op *self = TSFS_NEW(&ctx->arena, struct analyze_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &analyze_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->arena, ctx->options.budget);
    *out = &self->op;
    return exec_plan_open(ctx, plan->input, &self->op.input, err);
}
