/* SCAN as an operator: batches of rows, in the order of units and runs.
 *
 * A long stretch of a run goes up as it is: measures where the source has them, dimensions as constants. Many
 * short ones (a filter that few rows pass, series of a few points) would cost more in batches than in rows:
 * they are copied together until a batch is full, or until a reader has waited long enough. */
#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "exec/kernels/gather.h"
#include "exec/time_slices.h"

#define GATHER_TIME  (5 * TSFS_NS_PER_MS)
#define GATHER_CELLS (1u << 19) /* rows times columns copied together at most */
#define GATHER_BELOW 32u        /* rows: a piece of as many is worth a batch of its own */

struct scan_op {
    struct exec_op op;
    struct scan_input input;
    struct scan_reader reader;
    struct tsfs_batch batch;
    uint32_t unit;     /* next to open */
    uint32_t unit_end; /* of a part: behind its last */
    bool part;         /* reads units of a scan that another operator has opened */
    uint32_t row;      /* next of the run */
    bool in_run, done; /* done: nothing more comes from the source */
    bool pending;      /* the reader's piece is filtered but not handed on yet */
    bool started;      /* the scan has been opened once */
    bool sliced;       /* time is read from one end until want_rows have come */
    bool newest;
    uint64_t want_rows, found;
    bool by_partition; /* or slices are partitions, each looked at when rows of it are asked for */
    uint32_t partitions_read;
    struct time_slices slices;

    struct tsfs_arena arena; /* short pieces gathered so far */
    struct tsfs_vec *gathered;
    uint32_t ngathered, room; /* rows */
    uint64_t series;          /* number of the run's, counted from the first */
    uint64_t gathered_series; /* of all rows gathered, whose dimensions are constants then; or MANY_SERIES */
    int64_t since;            /* the first of them came */
};

#define MANY_SERIES  UINT64_MAX
#define WANT_MAX     (1u << 20)
#define FIRST_SLICES 4096 /* of a partition, when nothing is known of its rows */

/* The first slice should hold twice what is wanted. */
static void guess_width(struct scan_op *self)
{
    struct time_slices *slices = &self->slices;
    double part = slices->rows > 0 ? (double)self->want_rows * 2 / slices->rows : 1.0 / FIRST_SLICES;
    double width = slices->span * part;
    slices->width = width < TSFS_NS_PER_MS ? TSFS_NS_PER_MS : width > 4e18 ? INT64_MAX : (int64_t)width;
}

/* The next partitions of the scan, which is open. */
static int next_partitions(struct scan_op *self, struct tsfs_error *err)
{
    uint32_t n = self->partitions_read > 0 ? self->partitions_read : 1;
    int rc = time_slices_partitions(&self->slices, n, err);
    self->partitions_read = n < UINT32_MAX / 2 ? self->partitions_read + n : n;
    if (rc == 0)
        scan_input_close(&self->input);
    return rc;
}

/* Opens the scan, or goes on to the next slice of it.  1, or 0: there is no more. */
static int next_slice(struct scan_op *self, struct tsfs_error *err)
{
    int rc;
    bool first = !self->started;
    self->started = true;
    self->unit = 0;
    if (!self->sliced) {
        if (!first) {
            scan_input_close(&self->input);
            return 0;
        }
        rc = scan_input_open(&self->input, err);
        return rc != 0 ? rc : 1;
    }
    if (first) {
        rc = time_slices_init(&self->slices, &self->input, self->newest, NULL, 0, err);
        if (rc == 0)
            guess_width(self);
    } else if (self->by_partition) {
        rc = 0;
    } else if (self->found >= self->want_rows) {
        rc = 0;
        self->slices.lo = INT64_MAX;
        self->slices.hi = INT64_MIN;
    } else {
        rc = time_slices_more(&self->slices, self->found == 0, err);
    }
    if (rc == 0 && self->by_partition)
        return next_partitions(self, err);
    if (rc == 0 && (rc = time_slices_next(&self->slices, err)) == 0)
        scan_input_close(&self->input);
    return rc;
}

/* The next piece with surviving rows: 1; 0 at the end; 2 when what was gathered has waited long enough. */
static int next_piece(struct scan_op *self, struct tsfs_error *err)
{
    struct scan_reader *reader = &self->reader;
    for (unsigned k = 1;; k++) {
        int rc;
        if (k % 16 == 0 && self->ngathered > 0 && tsfs_time_monotonic() - self->since > GATHER_TIME)
            return 2;
        if (!self->in_run) {
            if (reader->cursor == NULL) {
                if (self->part && self->unit == self->unit_end)
                    return 0;
                if (self->unit == self->input.scan->n_units) {
                    if ((rc = next_slice(self, err)) <= 0)
                        return rc;
                    continue;
                }
                if ((rc = scan_reader_open_unit(reader, self->unit++, err)) != 0)
                    return rc;
            }
            if ((rc = scan_reader_next_run(reader, err)) < 0)
                return rc;
            if (rc == 0) {
                scan_reader_close_unit(reader);
                continue;
            }
            self->in_run = true;
            self->row = 0;
            self->series += !reader->run.same_series;
        } else if ((rc = exec_poll(self->op.ctx, err)) != 0) {
            return rc;
        }
        uint32_t left = reader->run.nrows - self->row;
        uint32_t n = left < TSFS_BATCH_ROWS ? left : TSFS_BATCH_ROWS;
        scan_reader_piece(reader, self->row, n);
        self->row += n;
        self->in_run = self->row < reader->run.nrows;
        if ((rc = scan_reader_filter(reader, err)) != 0)
            return rc;
        self->found += reader->nsel;
        if (reader->nsel > 0)
            return 1;
    }
}

static int emit_piece(struct scan_op *self, struct tsfs_error *err)
{
    uint32_t ncols = self->batch.ncols;
    self->batch.cols = tsfs_arena_alloc(&self->reader.arena, ncols * sizeof(struct tsfs_vec));
    int rc = self->batch.cols == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < ncols && rc == 0; i++)
        rc = scan_reader_take(&self->reader, i, &self->batch.cols[i], err);
    self->batch.nrows = self->batch.nsel = self->reader.nsel;
    return rc;
}

/* ---- short pieces ---- */

static bool of_series(const struct scan_op *self, uint32_t column)
{
    enum tsfs_role role = self->input.columns[column].role;
    return role == TSFS_ROLE_DIMENSION || role == TSFS_ROLE_MEASURE_NAME;
}

static int gather_room(struct scan_op *self, uint32_t column)
{
    enum tsfs_type type = self->input.columns[column].type;
    struct tsfs_vec *v = &self->gathered[column];
    *v = (struct tsfs_vec){.type = type};
    v->data = tsfs_arena_alloc(&self->arena, (size_t)self->room * tsfs_type_width(type));
    v->valid = tsfs_arena_calloc(&self->arena, tsfs_bit_words(self->room), 8);
    return v->data == NULL || v->valid == NULL ? -ENOMEM : 0;
}

static int gather_begin(struct scan_op *self)
{
    uint32_t ncols = self->batch.ncols;
    int rc = 0;
    tsfs_arena_reset(&self->arena);
    self->gathered = TSFS_NEW_ARRAY(&self->arena, struct tsfs_vec, ncols);
    if (self->gathered == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < ncols && rc == 0; i++) {
        if (!of_series(self, i))
            rc = gather_room(self, i);
        else if ((rc = scan_reader_take(&self->reader, i, &self->gathered[i], NULL)) == 0)
            rc = vec_copy(&self->arena, &self->gathered[i], 1, &self->gathered[i]);
    }
    self->gathered_series = self->series;
    self->since = tsfs_time_monotonic();
    return rc;
}

/* Rows of another series come: the constants of the rows so far become values. */
static int gather_many(struct scan_op *self)
{
    int rc = 0;
    for (uint32_t i = 0; i < self->batch.ncols && rc == 0; i++) {
        if (!of_series(self, i))
            continue;
        struct tsfs_vec one = self->gathered[i];
        rc = gather_room(self, i);
        if (rc == 0)
            vec_append(&one, self->ngathered, (void *)self->gathered[i].data,
                       (uint64_t *)self->gathered[i].valid, 0);
    }
    self->gathered_series = MANY_SERIES;
    return rc;
}

static int gather_piece(struct scan_op *self, struct tsfs_error *err)
{
    uint32_t n = self->reader.nsel;
    int rc = self->ngathered == 0 ? gather_begin(self) : 0;
    if (rc == 0 && self->gathered_series != self->series && self->gathered_series != MANY_SERIES)
        rc = gather_many(self);
    for (uint32_t i = 0; i < self->batch.ncols && rc == 0; i++) {
        struct tsfs_vec v, *to = &self->gathered[i];
        if (self->gathered_series != MANY_SERIES && of_series(self, i))
            continue;
        rc = scan_reader_take(&self->reader, i, &v, err);
        if (rc == 0 && v.type == TSFS_VARCHAR) /* the run's strings go away with it */
            rc = vec_copy(&self->arena, &v, n, &v);
        if (rc == 0)
            vec_append(&v, n, (void *)to->data, (uint64_t *)to->valid, self->ngathered);
    }
    self->ngathered += n;
    return rc;
}

static void emit_gathered(struct scan_op *self)
{
    self->batch.cols = self->gathered;
    self->batch.nrows = self->batch.nsel = self->ngathered;
    self->ngathered = 0;
}

static int scan_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct scan_op *self = (struct scan_op *)op;
    int rc = 0;
    if (op->plan->scan.empty || self->done)
        return 0;
    if (!self->started && (rc = next_slice(self, err)) <= 0) {
        self->done = true;
        return exec_fail(op->ctx, rc, "a scan", err);
    }
    *out = &self->batch;
    for (;;) {
        rc = self->pending ? 1 : next_piece(self, err);
        if (rc < 0)
            return exec_fail(op->ctx, rc, "a scan", err);
        self->done = rc == 0;
        if (rc != 1 && self->ngathered == 0)
            return 0;
        self->pending = rc == 1 && self->ngathered > 0 &&
                        (self->ngathered + self->reader.nsel > self->room ||
                         (self->ngathered >= GATHER_BELOW && self->gathered_series != MANY_SERIES &&
                          self->gathered_series != self->series));
        if (rc != 1 || self->pending) {
            emit_gathered(self);
            return 1;
        }
        if (self->ngathered == 0 && self->reader.nsel >= GATHER_BELOW) {
            rc = emit_piece(self, err);
            return rc != 0 ? exec_fail(op->ctx, rc, "a scan", err) : 1;
        }
        if ((rc = gather_piece(self, err)) != 0)
            return exec_fail(op->ctx, rc, "a scan", err);
    }
}

static void scan_close(struct exec_op *op)
{
    struct scan_op *self = (struct scan_op *)op;
    scan_reader_free(&self->reader);
    scan_input_free(&self->input);
    tsfs_arena_free(&self->arena);
}

static const struct exec_op_ops scan_ops = {.next = scan_next, .close = scan_close};

int exec_open_scan(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err)
{
    struct scan_op *self = TSFS_NEW(&ctx->arena, struct scan_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &scan_ops, .ctx = ctx, .plan = plan};
    self->batch.ncols = plan->ncols;
    self->room = TSFS_BATCH_ROWS;
    while (self->room > 64 && self->room * plan->ncols > GATHER_CELLS)
        self->room /= 2;
    tsfs_arena_init(&self->arena, ctx->options.budget);
    *out = &self->op;
    int rc = scan_input_init(ctx, plan, &self->input);
    return rc != 0 ? rc : scan_reader_init(&self->reader, &self->input, &ctx->arena);
}

void exec_scan_want(struct exec_op *op, uint32_t column, bool descending, uint64_t limit)
{
    struct scan_op *self = (struct scan_op *)op;
    if (op->ops != &scan_ops || limit == 0 || limit > WANT_MAX ||
        self->input.columns[column].role != TSFS_ROLE_TIME)
        return;
    self->sliced = true;
    self->newest = descending;
    self->want_rows = limit;
}

void exec_want_some(struct exec_op *op)
{
    while (op->plan->kind == TSFS_PLAN_PROJECT || op->plan->kind == TSFS_PLAN_FILTER)
        op = op->input;
    struct scan_op *self = (struct scan_op *)op;
    if (op->ops != &scan_ops || self->sliced)
        return;
    self->sliced = self->by_partition = true;
    self->newest = op->plan->scan.newest_first;
}

/* ---- parts, read by several operators at once ---- */

#define PART_ROWS (16u << 10) /* rows in a part, if the source can */

int exec_scan_parts(struct exec_op *op, uint64_t least, uint32_t *nparts, struct tsfs_error *err)
{
    struct scan_op *self = (struct scan_op *)op;
    *nparts = 0;
    if (op->ops != &scan_ops || self->started || self->sliced || op->plan->scan.empty)
        return 0;
    self->input.spec.unit_rows = PART_ROWS;
    int rc = next_slice(self, err);
    if (rc <= 0) {
        self->done = true;
        return exec_fail(op->ctx, rc, "a scan", err);
    }
    const struct tsfs_scan *scan = self->input.scan;
    uint64_t cells = 0;
    for (uint32_t u = 0; u < scan->n_units; u++)
        cells += scan->units[u].rows_estimate * (op->plan->ncols + 1u);
    if (scan->n_units > 1 && cells >= least)
        *nparts = scan->n_units;
    return 0;
}

void exec_scan_part(struct exec_op *op, struct exec_op *opener, uint32_t part)
{
    struct scan_op *self = (struct scan_op *)op;
    struct scan_op *from = (struct scan_op *)opener;
    scan_input_share(&self->input, &from->input);
    self->part = self->started = true;
    self->done = self->in_run = self->pending = false;
    self->unit = part;
    self->unit_end = part + 1;
}
