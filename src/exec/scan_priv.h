/* Reading a source for an operator: the scan as the plan wants it, and readers that walk its units. */
#ifndef TSFS_EXEC_SCAN_PRIV_H
#define TSFS_EXEC_SCAN_PRIV_H

#include "exec/exec_priv.h"

/* A column of the scan's output. */
struct scan_column {
    uint16_t ordinal;
    uint16_t slot;
    enum tsfs_role role;
    enum tsfs_type type;
};

/* One term of the row filter and the columns that must be fetched before it. */
struct scan_term {
    const struct tsfs_expr *expr;
    uint32_t *columns;
    uint32_t ncolumns;
};

struct match_ctx;

struct scan_input {
    struct exec_ctx *ctx;
    const struct tsfs_plan *plan;
    struct scan_column *columns; /* plan->ncols */
    struct scan_term *terms;
    uint32_t nterms;
    struct tsfs_scan_spec spec;
    struct tsfs_scan *scan;                 /* NULL while closed */
    uint64_t counted_total, counted_pruned; /* of its partitions, in the query's figures */
    struct tsfs_scan_known counted_known;
    struct scan_input *opener; /* who opened the scan, if another did; it closes it, too */
    pthread_mutex_t lock;      /* of what follows */
    struct match_ctx *free;
    int match_rc; /* the first error of the series filter */
    struct tsfs_error match_err;
};

/* In the query's arena; no scan is open yet. */
TSFS_MUST_CHECK int scan_input_init(struct exec_ctx *ctx, const struct tsfs_plan *plan,
                                    struct scan_input *input);
/* Opens the scan; with spec.sliced it has no units before the first slice. */
TSFS_MUST_CHECK int scan_input_open(struct scan_input *input, struct tsfs_error *err);
/* As the source's seek and slice, with errors of the series filter. */
TSFS_MUST_CHECK int scan_input_seek(struct scan_input *input, int64_t from, struct tsfs_scan_unit *unit,
                                    struct tsfs_error *err);
TSFS_MUST_CHECK int scan_input_slice(struct scan_input *input, int64_t time_min, int64_t time_max,
                                     struct tsfs_error *err);
void scan_input_close(struct scan_input *input);
/* Reads the scan that opener, an input of the same plan, has open. */
void scan_input_share(struct scan_input *input, struct scan_input *opener);
void scan_input_free(struct scan_input *input);

/* A walk over units, by one thread.  The current piece is rows [from, from + n) of the current run. */
struct scan_reader {
    struct scan_input *input;
    struct tsfs_arena arena; /* what belongs to the piece */
    struct tsfs_cursor *cursor;
    struct tsfs_run run;
    bool has_piece;
    uint32_t from, n;
    struct tsfs_vec *cols; /* of the piece; type TSFS_TYPE_COUNT = not fetched */
    uint32_t nsel;         /* rows that pass the filter; = n: all */
    uint16_t sel[TSFS_BATCH_ROWS];
    uint16_t shifted[TSFS_BATCH_ROWS];
};

/* What the reader itself needs comes from arena. */
TSFS_MUST_CHECK int scan_reader_init(struct scan_reader *reader, struct scan_input *input,
                                     struct tsfs_arena *arena);
void scan_reader_free(struct scan_reader *reader);
TSFS_MUST_CHECK int scan_reader_open_unit(struct scan_reader *reader, uint32_t unit, struct tsfs_error *err);
void scan_reader_close_unit(struct scan_reader *reader);

/* 1 and run is the next one of the unit, 0 at its end. */
int scan_reader_next_run(struct scan_reader *reader, struct tsfs_error *err);

/* Dimensions and measure_name of the current run, as constants, into cols (others untouched). */
void scan_series_columns(const struct scan_input *input, const struct tsfs_series *series,
                         struct tsfs_vec *cols);

/* Makes rows [from, from + n) of the run the piece (n <= TSFS_BATCH_ROWS), unfiltered. */
void scan_reader_piece(struct scan_reader *reader, uint32_t from, uint32_t n);
/* The rows of the piece that pass the filter, columns fetched as terms need them: sets sel and nsel. */
TSFS_MUST_CHECK int scan_reader_filter(struct scan_reader *reader, struct tsfs_error *err);
/* Column col of the piece's surviving rows, nsel of them. */
TSFS_MUST_CHECK int scan_reader_take(struct scan_reader *reader, uint32_t col, struct tsfs_vec *out,
                                     struct tsfs_error *err);

/* Calls visit for every column that expr names. */
void scan_expr_columns(const struct tsfs_expr *expr, void (*visit)(void *ctx, uint32_t column), void *ctx);

#endif
