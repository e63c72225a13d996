/* The settings of a database or table: `key = value` lines. */
#ifndef TSFS_CATALOG_SETTINGS_H
#define TSFS_CATALOG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

#define TSFS_PARTITION_AUTO 0 /* no length yet: the table's first write decides */

enum tsfs_bad_line { TSFS_BAD_LINE_STOP, TSFS_BAD_LINE_SKIP };

struct tsfs_settings {
    int64_t memory_retention; /* ns a point stays hot */
    int64_t cold_retention;   /* ns it stays cold after that */
    int64_t partition;        /* ns, whole hours; or TSFS_PARTITION_AUTO */
    int64_t precision;        /* ns a unit of the timestamps written: 1, 1e3, 1e6, 1e9 */
    int64_t sync_interval;    /* ns between syncs of the log; 0 = every write is synced */
    int64_t on_bad_line;      /* enum tsfs_bad_line */
    int64_t future_limit;     /* ns ahead of the clock that a point may be */
    int64_t query_timeout;    /* ns, 0 = none */
    int64_t query_memory;     /* bytes, 0 = none */
    /* "name:scale,...": measures that hold decimals of at most scale digits after the point.  A comma, colon
     * or backslash in a name has a backslash before it.  Ask with tsfs_settings_scale. */
    char decimals[TSFS_DECIMALS_MAX];
};

void tsfs_settings_default(struct tsfs_settings *out);
/* Applies the lines of text (blank ones and # comments are passed over), all or none: *settings changes only
 * on success.  -EINVAL with line and reason. */
TSFS_MUST_CHECK int tsfs_settings_parse(struct tsfs_settings *settings, struct tsfs_str text,
                                        struct tsfs_error *err);
/* Whether measure `name` is among the decimals, and with how many digits. */
bool tsfs_settings_scale(const struct tsfs_settings *settings, struct tsfs_str name, unsigned *scale);
/* What parse reads back to the same settings. */
TSFS_MUST_CHECK int tsfs_settings_render(const struct tsfs_settings *settings, struct tsfs_buf *out);
/* Only those that are not the defaults, for a file that is read over them: a table of some dozen points is
 * not to be half settings.  So the defaults are part of what DATA means, and cannot be changed. */
TSFS_MUST_CHECK int tsfs_settings_render_changed(const struct tsfs_settings *settings, struct tsfs_buf *out);

#endif
