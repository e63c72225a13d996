#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>

static atomic_bool use_syslog;

void tsfs_log_to_syslog(bool on)
{
    if (on)
        openlog("tsfs", LOG_PID, LOG_DAEMON);
    else if (atomic_load(&use_syslog))
        closelog();
    atomic_store(&use_syslog, on);
}

void tsfs_log(enum tsfs_log_level level, const char *fmt, ...)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO};
    static const char *const names[] = {"error: ", "warning: ", ""};
    char text[2048]; /* one line, one write: lines of several threads do not mix */
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if (atomic_load(&use_syslog))
        syslog(priorities[level], "%s%s", names[level], text);
    else
        fprintf(stderr, "tsfs: %s%s\n", names[level], text);
}
