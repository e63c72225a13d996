/* The engine: everything tsfs does, without FUSE.  The file system, tools and tests are its clients.
 *
 * Calls return 0 (or a count) or -errno; where a sentence helps, err carries it.  Every call may be made from
 * any thread unless a comment says otherwise; calls on one writer or one query exclude one another inside. */
#ifndef TSFS_ENGINE_H
#define TSFS_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

#define TSFS_VERSION "0.1.0"

struct tsfs_engine;
struct tsfs_node;   /* the root, a database or a table; counted; survives its removal as a dead object */
struct tsfs_writer; /* one open `write` file */
struct tsfs_query;  /* one statement and its result */

struct tsfs_engine_options {
    const char *data; /* folder; made if its parent exists */
    uint64_t memory;  /* bytes for the hot tier, 0 = a quarter of RAM */
    unsigned threads; /* for queries and migration, 0 = one per core */
    bool read_only;   /* no writes, no migration, no retention, nothing in data changes */
};

/* Locks data (-EBUSY: another daemon has it), recovers all logs, starts the background jobs.  data must be
 * empty, new or a tsfs one (-EINVAL otherwise). */
TSFS_MUST_CHECK int tsfs_engine_open(const struct tsfs_engine_options *options, struct tsfs_engine **out,
                                     struct tsfs_error *err);
/* Starts the threads.  After the last fork of a daemon, before the first call below. */
TSFS_MUST_CHECK int tsfs_engine_start(struct tsfs_engine *engine, struct tsfs_error *err);
/* Cancels queries, ends jobs, syncs every log.  All nodes, writers and queries must be gone.  -errno: the
 * last sync failed. */
int tsfs_engine_close(struct tsfs_engine *engine);
int tsfs_engine_statvfs(struct tsfs_engine *engine, struct statvfs *out); /* of data's disk */
/* A nameless read-write file on data's disk: >= 0 or -errno. */
int tsfs_engine_tmpfile(struct tsfs_engine *engine);

/* Who asks: for access checks and ownership. */
struct tsfs_creds {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary, borrowed for the call */
    unsigned ngroups;
};

/* ---- the tree ---- */

enum tsfs_node_kind { TSFS_NODE_ROOT, TSFS_NODE_DATABASE, TSFS_NODE_TABLE };

/* Files of a node.  Which exist where is the fs layer's table. */
enum tsfs_file {
    TSFS_FILE_SELF, /* the folder itself */
    TSFS_FILE_WRITE,
    TSFS_FILE_QUERY, /* query, query.json and query.txt share one set of permissions */
    TSFS_FILE_CONFIG,
    TSFS_FILE_SCHEMA,
    TSFS_FILE_STATS,
    TSFS_FILE_ERRORS,
    TSFS_FILE_REJECTED,
    TSFS_FILE_CTL,
    TSFS_FILE_COLD,   /* the folder cold/ */
    TSFS_FILE_STATUS, /* root only, these three */
    TSFS_FILE_METRICS,
    TSFS_FILE_VERSION,
    TSFS_FILE_COUNT
};

struct tsfs_attr {
    mode_t mode; /* permission bits only */
    uid_t uid;
    gid_t gid;
    int64_t mtime; /* ns */
};

struct tsfs_node *tsfs_engine_root(struct tsfs_engine *engine); /* returns owned */
struct tsfs_node *tsfs_node_ref(struct tsfs_node *node);
void tsfs_node_unref(struct tsfs_node *node); /* takes NULL */
enum tsfs_node_kind tsfs_node_kind(const struct tsfs_node *node);
uint64_t
tsfs_node_id(const struct tsfs_node *node); /* never given out twice while the daemon runs; root is 1 */
bool tsfs_node_dead(const struct tsfs_node *node); /* removed */

/* Child of the root (a database) or of a database (a table).  -ENOENT.  Returns owned. */
TSFS_MUST_CHECK int tsfs_node_lookup(struct tsfs_node *parent, const char *name, struct tsfs_node **out);
/* The names of the children, sorted.  A non-zero return of each stops and is returned. */
int tsfs_node_list(struct tsfs_node *parent,
                   int (*each)(void *ctx, const char *name, struct tsfs_node *child), void *ctx);
/* mkdir: -EEXIST, -EINVAL (name), -ENAMETOOLONG, -EROFS, -ENOSPC.  The new one belongs to creds; mode as of
 * mkdir(2) after umask. */
TSFS_MUST_CHECK int tsfs_node_create(struct tsfs_node *parent, const char *name,
                                     const struct tsfs_creds *creds, mode_t mode, struct tsfs_node **out);
/* rmdir: -ENOENT; -ENOTEMPTY while a database has tables or a table has points. */
TSFS_MUST_CHECK int tsfs_node_remove(struct tsfs_node *parent, const char *name);
/* mv of a database (both parents the root) or of a table (also to another database).  -EEXIST when the target
 * is there and not empty (an empty one is replaced unless no_replace). */
TSFS_MUST_CHECK int tsfs_node_rename(struct tsfs_node *parent, const char *name, struct tsfs_node *to_parent,
                                     const char *to_name, bool no_replace);

TSFS_MUST_CHECK int tsfs_node_attr(struct tsfs_node *node, enum tsfs_file file, struct tsfs_attr *out);
/* Persists mode, uid, gid (mtime is ignored).  The caller has checked that the user may. */
TSFS_MUST_CHECK int tsfs_node_set_attr(struct tsfs_node *node, enum tsfs_file file,
                                       const struct tsfs_attr *attr);
/* Read, write or execute (R_OK, W_OK, X_OK of access(2)) by attr's bits; root may read and write, -EACCES. */
int tsfs_attr_check(const struct tsfs_attr *attr, const struct tsfs_creds *creds, int want);

/* The content of a text file (config, schema, stats, errors, rejected, ctl (its commands), status, metrics,
 * version) now, appended to out.  Cheap enough for every stat(2). */
TSFS_MUST_CHECK int tsfs_node_render(struct tsfs_node *node, enum tsfs_file file, struct tsfs_buf *out);
/* One write(2) to config (all lines or none) or ctl (line by line until one fails).  Failures also go to
 * `errors`.  A long ctl command returns early with -EINTR when interrupted says so; its work goes on. */
TSFS_MUST_CHECK int tsfs_node_store(struct tsfs_node *node, enum tsfs_file file, const char *data, size_t len,
                                    bool (*interrupted)(void *ctx), void *ctx, struct tsfs_error *err);

/* ---- ingest ---- */

/* node: a database or a table.  creds own what is made on the way.  Returns owned. */
TSFS_MUST_CHECK int tsfs_writer_open(struct tsfs_node *node, const struct tsfs_creds *creds,
                                     struct tsfs_writer **out);
/* Takes whole lines; an unterminated rest waits.  Returns the bytes taken (fewer than len when a bad line
 * follows good ones) or -EINVAL, -E2BIG, -ERANGE, -ENOSPC ... when the first line is bad; then nothing of
 * this call is kept. */
ssize_t tsfs_writer_write(struct tsfs_writer *writer, const char *data, size_t len);
/* The same, unless it would wait until the hot tier has memory: then it takes nothing and says so. */
ssize_t tsfs_writer_write_now(struct tsfs_writer *writer, const char *data, size_t len, bool *must_wait);
/* close(2) of one descriptor: -EINVAL while an unterminated line waits (noted in errors and rejected; it may
 * still be completed). */
int tsfs_writer_flush(struct tsfs_writer *writer);
/* All that this writer's tables accepted so far is on disk when it returns. */
int tsfs_writer_sync(struct tsfs_writer *writer);
void tsfs_writer_close(struct tsfs_writer *writer); /* takes NULL */

/* ---- queries ---- */

enum tsfs_query_format { TSFS_QUERY_CSV, TSFS_QUERY_JSON, TSFS_QUERY_TEXT };

/* -EINVAL and err when no continuation can make text a right statement, or when it is terminated by `;` and
 * cannot be bound (unknown names, types); 0 otherwise.  The failure goes to the node's errors. */
TSFS_MUST_CHECK int tsfs_query_check(struct tsfs_node *node, const struct tsfs_creds *creds, const char *text,
                                     size_t len, struct tsfs_error *err);
/* A statement to be run on node (root, database or table: the default database).  text is copied.  Nothing
 * runs yet. Returns owned. */
TSFS_MUST_CHECK int tsfs_query_create(struct tsfs_node *node, const struct tsfs_creds *creds,
                                      enum tsfs_query_format format, const char *text, size_t len,
                                      struct tsfs_query **out);
/* For callers that may run one text several times (a reader in each format, one after a failed answer): what
 * it changes is changed once.  The first run of a DELETE that succeeds does it; the others under the same
 * mark answer what it answered.  Counted; before the query's first read. */
struct tsfs_once;
TSFS_MUST_CHECK int tsfs_once_create(struct tsfs_once **out);
void tsfs_once_unref(struct tsfs_once *once); /* takes NULL */
void tsfs_query_set_once(struct tsfs_query *query, struct tsfs_once *once);
/* Up to len bytes of the result from offset.  The first call takes the snapshot and runs; the result is
 * computed as it is read and kept, so that every offset reads the same again.  0 at the end; -EINVAL (bad
 * query), -EINTR, -ETIMEDOUT, -ENOMEM, -EACCES, -EAGAIN (too many queries at once) ... every time, once it
 * failed.  interrupted is polled on this thread. */
ssize_t tsfs_query_read(struct tsfs_query *query, char *data, size_t len, uint64_t offset,
                        bool (*interrupted)(void *ctx), void *ctx);
/* Runs to where the first bytes are ready (fsync of the writing handle). */
int tsfs_query_run(struct tsfs_query *query, bool (*interrupted)(void *ctx), void *ctx);
/* Whether it has begun, is not at its end, and nobody computes it now: freeing it makes room for another. */
bool tsfs_query_is_paused(struct tsfs_query *query);
/* As many queries are under way as may be, of all users together. */
bool tsfs_engine_is_full(struct tsfs_engine *engine);
/* Why it failed; code 0 if it has not.  Borrowed until free. */
const struct tsfs_error *tsfs_query_error(const struct tsfs_query *query);
void tsfs_query_free(struct tsfs_query *query); /* takes NULL; cancels */

/* ---- the cold tier as files
 * ---------------------------------------------------------------------------------- */

struct tsfs_cold_file {
    char name[64]; /* 20261122T000000Z-1d.parquet */
    uint64_t bytes, rows, series, inode, xxh3;
    int64_t t_min, t_max;
    int64_t mtime; /* ns */
};

int tsfs_node_cold_list(struct tsfs_node *table, int (*each)(void *ctx, const struct tsfs_cold_file *file),
                        void *ctx);
TSFS_MUST_CHECK int tsfs_node_cold_stat(struct tsfs_node *table, const char *name,
                                        struct tsfs_cold_file *out);
/* A descriptor of the segment as it is now; it keeps reading the same bytes whatever happens later.  The
 * caller closes it. */
int tsfs_node_cold_open(struct tsfs_node *table, const char *name, struct tsfs_cold_file *out);
/* rm: drops the partition's cold data. */
TSFS_MUST_CHECK int tsfs_node_cold_remove(struct tsfs_node *table, const char *name);
/* A Parquet file that a user copied in: validated and merged like late data; -EINVAL whole.  fd is only read.
 */
TSFS_MUST_CHECK int tsfs_node_cold_attach(struct tsfs_node *table, const char *name, int fd,
                                          struct tsfs_error *err);

#endif
