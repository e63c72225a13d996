/* Query results as bytes: CSV, JSON lines, a text table. */
#ifndef TSFS_FORMAT_FORMAT_H
#define TSFS_FORMAT_FORMAT_H

#include "base/buf.h"
#include "col/vec.h"

enum tsfs_format { TSFS_FORMAT_CSV, TSFS_FORMAT_JSON, TSFS_FORMAT_TEXT };

struct tsfs_formatter;

/* names and types are borrowed until free.  Returns owned. */
TSFS_MUST_CHECK int tsfs_format_create(enum tsfs_format format, const struct tsfs_str *names,
                                       const enum tsfs_type *types, unsigned ncols,
                                       struct tsfs_formatter **out);
/* Appends what comes first (the CSV header), then each batch (dense), then the end.  The text table holds its
 * first rows back until it knows the widths.  -E2BIG: a batch becomes more than TSFS_RESULT_BATCH_MAX bytes.
 */
TSFS_MUST_CHECK int tsfs_format_begin(struct tsfs_formatter *f, struct tsfs_buf *out);
TSFS_MUST_CHECK int tsfs_format_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch,
                                      struct tsfs_buf *out);
TSFS_MUST_CHECK int tsfs_format_end(struct tsfs_formatter *f, struct tsfs_buf *out);
void tsfs_format_free(struct tsfs_formatter *f); /* takes NULL */

#endif
