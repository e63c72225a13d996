/* Options come in any place among DATA and MOUNT, because mount(8) puts them last.
 *
 * Of what mount(8) and fstab(5) may hand on, some mean something to the kernel, some to tsfs, and some only
 * to mount(8) and systemd themselves; those are taken and dropped.  Anything else is refused by name. */
#include "fs/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define THREADS_MAX 1024u

const char fs_usage[] =
    "usage: tsfs [options] DATA MOUNT\n"
    "\n"
    "Mounts the time-series database kept in the folder DATA at the folder MOUNT.\n"
    "\n"
    "  -f                 stay in the foreground\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "  --memory=SIZE      memory for recent points: 256M, 2G ... (default: a quarter of the RAM)\n"
    "  --threads=N        threads for queries and migration (default: one per core)\n"
    "  -o OPTION[,...]    allow_other     users beside you may enter, as far as the modes let them\n"
    "                     ro              nothing in DATA changes; queries work\n"
    "                     sync            every write is on disk when it returns\n"
    "                     memory=SIZE, threads=N\n"
    "                     and those of mount(8): rw, nosuid, nodev, noexec, noatime, noauto, user ...\n"
    "\n"
    "fusermount3 -u MOUNT unmounts.  See tsfs(1).\n";

static int set_memory(struct fs_options *out, const char *text, struct tsfs_error *err)
{
    int64_t n;
    if (tsfs_num_parse_size(tsfs_str_from(text), &n) < 0 || n == 0)
        return tsfs_error_set(err, -EINVAL, "memory=%s: not a size (such as 256M or 2G)", text);
    out->memory = (uint64_t)n;
    return 0;
}

static int set_threads(struct fs_options *out, const char *text, struct tsfs_error *err)
{
    int64_t n;
    if (tsfs_num_parse_i64(tsfs_str_from(text), &n) < 0 || n < 1 || n > (int64_t)THREADS_MAX)
        return tsfs_error_set(err, -EINVAL, "threads=%s: not a number from 1 to %u", text, THREADS_MAX);
    out->threads = (unsigned)n;
    return 0;
}

/* Handed on to the kernel. */
static const char *const kernel_options[] = {
    "allow_other", "allow_root", "auto_unmount", "nosuid", "suid",       "nodev",   "dev",
    "noexec",      "exec",       "noatime",      "atime",  "nodiratime", "dirsync",
};

/* For mount(8), the system's start and people; nothing for us. */
static const char *const foreign_options[] = {
    "defaults",
    "auto",
    "noauto",
    "user",
    "nouser",
    "users",
    "owner",
    "group",
    "nofail",
    "async",
    "_netdev",
    "relatime",
    "default_permissions" /* always on */,
};
static const char *const foreign_prefixes[] = {"x-", "X-", "comment=", "user=", "helper="};

static bool listed(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static bool foreign(const char *name)
{
    if (listed(foreign_options, sizeof(foreign_options) / sizeof(foreign_options[0]), name))
        return true;
    for (size_t i = 0; i < sizeof(foreign_prefixes) / sizeof(foreign_prefixes[0]); i++)
        if (strncmp(name, foreign_prefixes[i], strlen(foreign_prefixes[i])) == 0)
            return true;
    return false;
}

static int mount_option(struct fs_options *out, const char *name, struct tsfs_error *err)
{
    if (strcmp(name, "ro") == 0) {
        out->read_only = true;
    } else if (strcmp(name, "rw") == 0) {
        out->read_only = false;
    } else if (strcmp(name, "sync") == 0) {
        out->sync = true;
    } else if (strncmp(name, "memory=", 7) == 0) {
        return set_memory(out, name + 7, err);
    } else if (strncmp(name, "threads=", 8) == 0) {
        return set_threads(out, name + 8, err);
    } else if (listed(kernel_options, sizeof(kernel_options) / sizeof(kernel_options[0]), name)) {
        if (tsfs_buf_printf(&out->kernel, "%s%s", out->kernel.len ? "," : "", name) < 0)
            return tsfs_error_set(err, -ENOMEM, "out of memory");
    } else if (!foreign(name)) {
        return tsfs_error_set(err, -EINVAL, "unknown mount option \"%s\"", name);
    }
    return 0;
}

static int mount_options(struct fs_options *out, const char *list, struct tsfs_error *err)
{
    char *copy = strdup(list), *at = copy, *name;
    int r = copy ? 0 : tsfs_error_set(err, -ENOMEM, "out of memory");
    while (r == 0 && (name = strsep(&at, ",")) != NULL)
        if (*name)
            r = mount_option(out, name, err);
    free(copy);
    return r;
}

int fs_options_parse(int argc, char **argv, struct fs_options *out, struct tsfs_error *err)
{
    enum { OPT_MEMORY = 256, OPT_THREADS };
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"memory", required_argument, NULL, OPT_MEMORY},
        {"threads", required_argument, NULL, OPT_THREADS},
        {0},
    };
    optind = 0; /* begins anew, also in a test's second call */
    opterr = 0;
    int c, r = 0;
    while (r == 0 && (c = getopt_long(argc, argv, ":fhVo:", longs, NULL)) != -1) {
        switch (c) {
        case 'f': out->foreground = true; break;
        case 'h': out->help = true; break;
        case 'V': out->version = true; break;
        case 'o': r = mount_options(out, optarg, err); break;
        case OPT_MEMORY: r = set_memory(out, optarg, err); break;
        case OPT_THREADS: r = set_threads(out, optarg, err); break;
        case ':': r = tsfs_error_set(err, -EINVAL, "%s needs a value", argv[optind - 1]); break;
        default: r = tsfs_error_set(err, -EINVAL, "unknown option \"%s\"", argv[optind - 1]); break;
        }
    }
    if (r < 0 || out->help || out->version)
        return r;
    if (argc - optind != 2)
        return tsfs_error_set(err, -EINVAL, "needs two names, DATA and MOUNT");
    out->data = argv[optind];
    out->mount = argv[optind + 1];
    /* tsfs_buf_printf leaves no NUL behind its text. */
    if (out->kernel.len && tsfs_buf_append(&out->kernel, "", 1) < 0)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    return 0;
}

void fs_options_free(struct fs_options *options)
{
    tsfs_buf_free(&options->kernel);
}
