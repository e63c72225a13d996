/* The daemon's own messages: to stderr in the foreground, to syslog otherwise.  Library code below
 * engine does not log; it returns errors. */
#ifndef TSFS_BASE_LOG_H
#define TSFS_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum tsfs_log_level { TSFS_LOG_ERROR, TSFS_LOG_WARNING, TSFS_LOG_INFO };

/* Default: stderr. */
void tsfs_log_to_syslog(bool on);
void tsfs_log(enum tsfs_log_level level, const char *fmt, ...) TSFS_PRINTF(2, 3);

#endif
