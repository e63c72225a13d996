/* The command line of tsfs, and of mount(8) calling it. */
#ifndef TSFS_FS_OPTIONS_H
#define TSFS_FS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct fs_options {
    const char *data, *mount; /* borrowed from argv */
    uint64_t memory;          /* 0 = the engine's choice */
    unsigned threads;         /* 0 = the engine's choice */
    bool foreground, help, version, read_only, sync;
    struct tsfs_buf kernel; /* comma-separated mount(2) options to hand on, NUL-terminated; may be empty */
};

extern const char fs_usage[];

/* Zero-initialise out before and fs_options_free it after.  -EINVAL and a sentence that names the option. */
TSFS_MUST_CHECK int fs_options_parse(int argc, char **argv, struct fs_options *out, struct tsfs_error *err);
void fs_options_free(struct fs_options *options);

#endif
