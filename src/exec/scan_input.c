/* From a plan's scan node to rows.
 *
 * What a predicate says of dimensions is decided once per series, by the source calling back; what is left is
 * tested on pieces of runs, term by term, fetching a column only when a term needs it and rows are still in
 * question.  The other columns are fetched for the rows that survive, from the first to the last of them. */
#include "exec/scan_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/eval_priv.h"
#include "exec/kernels/bits.h"
#include "exec/kernels/gather.h"

void scan_expr_columns(const struct tsfs_expr *expr, void (*visit)(void *ctx, uint32_t column), void *ctx)
{
    if (expr == NULL)
        return;
    if (expr->kind == TSFS_EXPR_COLUMN)
        visit(ctx, expr->index);
    for (uint32_t i = 0; i < expr->nargs; i++)
        scan_expr_columns(expr->args[i], visit, ctx);
}

void scan_series_columns(const struct scan_input *input, const struct tsfs_series *series,
                         struct tsfs_vec *cols)
{
    for (uint32_t i = 0; i < input->plan->ncols; i++) {
        const struct scan_column *c = &input->columns[i];
        const struct tsfs_str *s = NULL;
        if (c->role == TSFS_ROLE_MEASURE_NAME)
            s = &series->measure_name;
        else if (c->role == TSFS_ROLE_DIMENSION)
            s = c->slot < series->ndims && series->dims[c->slot].ptr != NULL ? &series->dims[c->slot] : NULL;
        else
            continue;
        cols[i] = s != NULL ? (struct tsfs_vec){.type = TSFS_VARCHAR, .constant = true, .data = s}
                            : exec_vec_null(TSFS_VARCHAR);
    }
}

/* ---- the series filter, on any thread ---- */

struct match_ctx {
    struct match_ctx *next;
    struct tsfs_arena arena;
    struct tsfs_vec cols[];
};

static struct match_ctx *match_begin(struct scan_input *input)
{
    pthread_mutex_lock(&input->lock);
    struct match_ctx *m = input->free;
    if (m != NULL)
        input->free = m->next;
    pthread_mutex_unlock(&input->lock);
    if (m == NULL && (m = calloc(1, sizeof(*m) + input->plan->ncols * sizeof(m->cols[0]))) != NULL)
        tsfs_arena_init(&m->arena, input->ctx->options.budget);
    return m;
}

static void match_end(struct scan_input *input, struct match_ctx *m, int rc, const struct tsfs_error *err)
{
    pthread_mutex_lock(&input->lock);
    if (rc != 0 && input->match_rc == 0) {
        input->match_rc = rc;
        input->match_err = *err;
    }
    if (m != NULL) {
        m->next = input->free;
        input->free = m;
    }
    pthread_mutex_unlock(&input->lock);
}

static bool series_match(void *ctx, const struct tsfs_series *series)
{
    struct scan_input *input = ctx;
    const struct tsfs_expr *filter = input->plan->scan.series_filter;
    struct match_ctx *m = match_begin(input);
    struct tsfs_error err = {0};
    uint64_t bits[1] = {1};
    int rc = -ENOMEM;
    if (m != NULL) {
        if (m->arena.head != NULL)
            tsfs_arena_reset(&m->arena);
        scan_series_columns(input, series, m->cols);
        struct tsfs_eval eval = exec_eval(input->ctx, &m->arena, &err);
        rc = exec_poll(input->ctx, &err); /* there may be millions of series */
        if (rc == 0)
            rc = tsfs_eval_narrow(&eval, filter, m->cols, 1, bits);
    }
    rc = exec_fail(input->ctx, rc, "WHERE", &err);
    match_end(input, m, rc, &err);
    return rc == 0 && bits[0] != 0;
}

/* An error of the filter goes before whatever the source made of it. */
static int after_match(struct scan_input *input, int rc, struct tsfs_error *err)
{
    if (input->plan->scan.series_filter == NULL)
        return rc;
    if (input->opener != NULL)
        input = input->opener;
    pthread_mutex_lock(&input->lock);
    if (input->match_rc != 0) {
        rc = input->match_rc;
        if (err != NULL)
            *err = input->match_err;
    }
    pthread_mutex_unlock(&input->lock);
    return rc;
}

/* ---- set up ---- */

struct column_set {
    struct tsfs_arena *arena;
    uint32_t *columns;
    uint32_t n;
};

static void add_column(void *ctx, uint32_t column)
{
    struct column_set *set = ctx;
    for (uint32_t i = 0; i < set->n; i++)
        if (set->columns[i] == column)
            return;
    set->columns[set->n++] = column;
}

static int add_terms(struct scan_input *input, const struct tsfs_expr *expr, bool count_only)
{
    if (expr == NULL)
        return 0;
    if (expr->kind == TSFS_EXPR_AND) {
        for (uint32_t i = 0; i < expr->nargs; i++) {
            int rc = add_terms(input, expr->args[i], count_only);
            if (rc != 0)
                return rc;
        }
        return 0;
    }
    struct scan_term *term = count_only ? NULL : &input->terms[input->nterms];
    input->nterms++;
    if (count_only)
        return 0;
    struct column_set set = {
        .columns = tsfs_arena_alloc(&input->ctx->arena, (input->plan->ncols + 1) * sizeof(uint32_t))};
    if (set.columns == NULL)
        return -ENOMEM;
    scan_expr_columns(expr, add_column, &set);
    *term = (struct scan_term){.expr = expr, .columns = set.columns, .ncolumns = set.n};
    return 0;
}

int scan_input_init(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct scan_input *input)
{
    const struct tsfs_plan_scan *scan = &plan->scan;
    const struct tsfs_schema *schema = scan->table.schema;
    *input = (struct scan_input){.ctx = ctx, .plan = plan};
    pthread_mutex_init(&input->lock, NULL);
    int rc = exec_count_scan(ctx, plan);
    if (rc != 0)
        return rc;
    input->columns = TSFS_NEW_ARRAY(&ctx->arena, struct scan_column, plan->ncols);
    uint16_t *asked = tsfs_arena_alloc(&ctx->arena, (plan->ncols + 1) * sizeof(*asked));
    if (input->columns == NULL || asked == NULL)
        return -ENOMEM;
    uint32_t nasked = 0;
    for (uint32_t i = 0; i < plan->ncols; i++) {
        const struct tsfs_column *col = &schema->cols[scan->ordinals[i]];
        input->columns[i] = (struct scan_column){
            .ordinal = scan->ordinals[i], .slot = col->slot, .role = col->role, .type = col->type};
        if (col->role == TSFS_ROLE_MEASURE || col->role == TSFS_ROLE_TIME)
            asked[nasked++] = scan->ordinals[i];
    }
    rc = add_terms(input, scan->row_filter, true);
    if (rc != 0)
        return rc;
    input->terms = TSFS_NEW_ARRAY(&ctx->arena, struct scan_term, input->nterms);
    if (input->terms == NULL)
        return -ENOMEM;
    input->nterms = 0;
    rc = add_terms(input, scan->row_filter, false);
    input->spec = (struct tsfs_scan_spec){.series_match = scan->series_filter != NULL ? series_match : NULL,
                                          .series_ctx = input,
                                          .dim_in = scan->dim_in,
                                          .n_dim_in = scan->n_dim_in,
                                          .ranges = scan->ranges,
                                          .n_ranges = scan->n_ranges,
                                          .columns = asked,
                                          .n_columns = nasked,
                                          .newest_first = scan->newest_first,
                                          .canonical = !ctx->any_order,
                                          .count_known = exec_analyzed(ctx)};
    return rc;
}

/* What has changed since the last time: with every slice fewer partitions are pruned. */
static void count_partitions(struct scan_input *input)
{
    if (input->scan == NULL)
        return;
    struct tsfs_scan_known known = input->scan->known, *counted = &input->counted_known;
    known.series -= counted->series;
    known.blocks -= counted->blocks;
    known.pages -= counted->pages;
    *counted = input->scan->known;
    exec_add_partitions(input->ctx, input->plan, input->scan->partitions_total - input->counted_total,
                        input->scan->partitions_pruned - input->counted_pruned, &known);
    input->counted_total = input->scan->partitions_total;
    input->counted_pruned = input->scan->partitions_pruned;
}

int scan_input_open(struct scan_input *input, struct tsfs_error *err)
{
    const struct tsfs_plan_scan *plan = &input->plan->scan;
    input->spec.time_min = plan->time_min;
    input->spec.time_max = plan->time_max;
    int rc = after_match(
        input, plan->table.source->ops->scan(plan->table.source, &input->spec, &input->scan, err), err);
    count_partitions(input);
    return rc;
}

int scan_input_seek(struct scan_input *input, int64_t from, struct tsfs_scan_unit *unit,
                    struct tsfs_error *err)
{
    return after_match(input, input->scan->ops->seek(input->scan, from, unit, err), err);
}

int scan_input_slice(struct scan_input *input, int64_t time_min, int64_t time_max, struct tsfs_error *err)
{
    int rc = after_match(input, input->scan->ops->slice(input->scan, time_min, time_max, err), err);
    count_partitions(input);
    return rc;
}

void scan_input_close(struct scan_input *input)
{
    if (input->scan != NULL && input->opener == NULL)
        input->scan->ops->close(input->scan);
    input->scan = NULL;
    input->opener = NULL;
}

void scan_input_share(struct scan_input *input, struct scan_input *opener)
{
    input->scan = opener->scan;
    input->opener = opener;
}

void scan_input_free(struct scan_input *input)
{
    if (input->ctx == NULL)
        return;
    scan_input_close(input);
    for (struct match_ctx *m = input->free, *next; m != NULL; m = next) {
        next = m->next;
        tsfs_arena_free(&m->arena);
        free(m);
    }
    pthread_mutex_destroy(&input->lock);
    *input = (struct scan_input){0};
}

/* ---- readers ---- */

int scan_reader_init(struct scan_reader *reader, struct scan_input *input, struct tsfs_arena *arena)
{
    memset(reader, 0, offsetof(struct scan_reader, sel));
    reader->input = input;
    tsfs_arena_init(&reader->arena, input->ctx->options.budget);
    reader->cols = TSFS_NEW_ARRAY(arena, struct tsfs_vec, input->plan->ncols);
    return reader->cols == NULL ? -ENOMEM : 0;
}

void scan_reader_close_unit(struct scan_reader *reader)
{
    if (reader->cursor == NULL)
        return;
    exec_add_scan_stats(reader->input->ctx, reader->input->plan, &reader->cursor->stats);
    reader->cursor->ops->close(reader->cursor);
    reader->cursor = NULL;
    reader->has_piece = false;
}

void scan_reader_free(struct scan_reader *reader)
{
    if (reader == NULL || reader->input == NULL)
        return;
    scan_reader_close_unit(reader);
    tsfs_arena_free(&reader->arena);
}

int scan_reader_open_unit(struct scan_reader *reader, uint32_t unit, struct tsfs_error *err)
{
    struct tsfs_scan *scan = reader->input->scan;
    return after_match(reader->input, scan->ops->open(scan, unit, &reader->cursor, err), err);
}

int scan_reader_next_run(struct scan_reader *reader, struct tsfs_error *err)
{
    int rc = exec_poll(reader->input->ctx, err);
    if (rc != 0)
        return rc;
    reader->has_piece = false;
    return after_match(reader->input, reader->cursor->ops->next_run(reader->cursor, &reader->run, err), err);
}

void scan_reader_piece(struct scan_reader *reader, uint32_t from, uint32_t n)
{
    tsfs_arena_reset(&reader->arena);
    reader->from = from;
    reader->n = reader->nsel = n;
    if (!reader->has_piece)
        scan_series_columns(reader->input, &reader->run.series, reader->cols);
    reader->has_piece = true;
    for (uint32_t i = 0; i < reader->input->plan->ncols; i++) {
        enum tsfs_role role = reader->input->columns[i].role;
        if (role == TSFS_ROLE_TIME || role == TSFS_ROLE_MEASURE)
            reader->cols[i].type = TSFS_TYPE_COUNT;
    }
}

static int read_column(struct scan_reader *reader, uint32_t col, uint32_t from, uint32_t n,
                       struct tsfs_vec *out, struct tsfs_error *err)
{
    const struct scan_column *c = &reader->input->columns[col];
    struct tsfs_cursor *cursor = reader->cursor;
    if (c->role == TSFS_ROLE_TIME) {
        *out = (struct tsfs_vec){.type = TSFS_TIMESTAMP};
        return cursor->ops->times(cursor, from, n, &out->i, err);
    }
    return cursor->ops->column(cursor, c->ordinal, from, n, out, err);
}

/* Column col of the piece's rows, n of them, in reader->cols. */
static int fetch_piece(struct scan_reader *reader, uint32_t col, struct tsfs_error *err)
{
    if (reader->cols[col].type != TSFS_TYPE_COUNT)
        return 0;
    struct tsfs_vec v;
    int rc = read_column(reader, col, reader->from, reader->n, &v, err);
    if (rc == 0)
        reader->cols[col] = v;
    return rc;
}

int scan_reader_filter(struct scan_reader *reader, struct tsfs_error *err)
{
    struct scan_input *input = reader->input;
    reader->nsel = reader->n;
    if (input->nterms == 0)
        return 0;
    uint64_t bits[EXEC_BATCH_WORDS];
    bits_fill(bits, reader->n);
    struct tsfs_eval eval = exec_eval(input->ctx, &reader->arena, err);
    for (uint32_t i = 0; i < input->nterms; i++) {
        const struct scan_term *term = &input->terms[i];
        int rc = 0;
        for (uint32_t k = 0; k < term->ncolumns && rc == 0; k++)
            rc = fetch_piece(reader, term->columns[k], err);
        if (rc == 0)
            rc = tsfs_eval_narrow(&eval, term->expr, reader->cols, reader->n, bits);
        if (rc != 0)
            return rc;
        if (bits_none(bits, reader->n))
            break;
    }
    reader->nsel = bits_to_sel(reader->sel, bits, reader->n);
    return 0;
}

int scan_reader_take(struct scan_reader *reader, uint32_t col, struct tsfs_vec *out, struct tsfs_error *err)
{
    if (reader->nsel == reader->n) {
        int rc = fetch_piece(reader, col, err);
        *out = reader->cols[col];
        return rc;
    }
    if (reader->cols[col].type != TSFS_TYPE_COUNT)
        return tsfs_vec_gather(&reader->arena, &reader->cols[col], reader->sel, reader->nsel, out);
    uint32_t lo = reader->sel[0], n = reader->sel[reader->nsel - 1] - lo + 1;
    struct tsfs_vec v;
    int rc = read_column(reader, col, reader->from + lo, n, &v, err);
    if (rc != 0)
        return rc;
    if (n == reader->nsel) {
        *out = v;
        return 0;
    }
    for (uint32_t k = 0; k < reader->nsel; k++)
        reader->shifted[k] = (uint16_t)(reader->sel[k] - lo);
    return tsfs_vec_gather(&reader->arena, &v, reader->shifted, reader->nsel, out);
}
