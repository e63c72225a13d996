/* The file system's own types: the node table's rows, nodes, handles and the mount as a whole. */
#ifndef TSFS_FS_PRIV_H
#define TSFS_FS_PRIV_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "tsfs/engine.h"

/* ---- the node table (node_table.c) ---- */

enum fs_kind {
    FS_ROOT,     /* the mount's root */
    FS_DATABASE, /* a database's folder */
    FS_TABLE,    /* a table's folder */
    FS_COLD,     /* a table's cold/ */
    FS_DAEMON,   /* .tsfs/ */
    FS_WRITE,    /* points go in here */
    FS_QUERY,    /* a conversation in SQL */
    FS_TEXT,     /* rendered; never written */
    FS_STORE,    /* rendered; one write(2) is one change or command */
    FS_SEGMENT,  /* a committed file of cold/ */
    FS_SPOOL,    /* a file being copied into cold/ */
};

/* How long the kernel may keep what it looked up, and whether two lookups may share an inode. */
enum fs_sharing {
    FS_SHARED,      /* one inode; name and attributes may be cached */
    FS_SHARED_IDLE, /* one inode until it is open, then a new one: each open has its own fstat(2) */
    FS_OWN,         /* an inode for each lookup, so that the kernel's inode lock keeps nobody apart */
};

/* One name of one kind of folder, or (name NULL) what a folder or a file of cold/ is by itself. */
struct fs_row {
    const char *name;
    enum fs_kind kind;
    enum fs_sharing sharing;
    enum tsfs_file file;           /* whose attributes and text */
    mode_t most;                   /* permission bits it can have at all */
    enum tsfs_query_format format; /* FS_QUERY */
    unsigned slot;                 /* tells the files of one object apart: st_ino = id * 32 + slot */
    bool owned;                    /* chmod and chown persist; elsewhere they are refused */
};

#define FS_SLOTS 32u

/* A kind of folder: its fixed names (in the order of readdir) and what else lives in it. */
struct fs_layout {
    const struct fs_row *self;
    const struct fs_row *rows;
    unsigned nrows;
    bool holds_objects;  /* databases or tables */
    bool holds_segments; /* cold/ */
};

/* NULL: kind is no folder. */
const struct fs_layout *fs_layout_of(enum fs_kind kind);
/* The fixed name in that kind of folder, or NULL. */
const struct fs_row *fs_row_find(const struct fs_layout *layout, const char *name);
/* What stands for an object of the engine, and for the files of cold/. */
const struct fs_row *fs_row_of_object(enum tsfs_node_kind kind);
extern const struct fs_row fs_row_segment, fs_row_spool;
/* Used somewhere in the tree, so no database or table may have it. */
bool fs_name_reserved(const char *name);

/* ---- nodes (node.c) ---- */

/* What the kernel calls an inode.  Its address is the kernel's node id; it lives while the kernel has lookups
 * of it or somebody here holds it. */
struct fs_node {
    struct fs_node *next; /* in the index of shared nodes */
    struct fs_node *all_prev, *all_next;
    const struct fs_row *row;
    struct tsfs_node *object; /* owned: the root, database or table it belongs to */
    uint64_t ino;
    uint64_t generation;
    uint64_t lookups; /* the kernel's; under the table's lock */
    unsigned holds;   /* ours; under the table's lock */
    bool indexed;
    pid_t thread;                  /* FS_OWN: whose lookup it was */
    atomic_uint opens;             /* open handles */
    _Atomic int64_t open_size;     /* size of the newest open snapshot, -1 = none */
    struct tsfs_cold_file segment; /* FS_SEGMENT; of FS_SPOOL only the name counts */
    _Atomic int64_t spool_size;    /* FS_SPOOL */
    atomic_bool spool_gone;        /* FS_SPOOL: attached or removed; its name means the engine's file */
};

struct fs_nodes {
    pthread_mutex_t lock;
    struct fs_node **buckets;
    size_t mask, count; /* of the shared ones */
    struct fs_node all; /* ring of every node */
    uint64_t generation;
};

/* ---- handles ---- */

struct fs_question; /* query_file.c */
struct fs_answer;
struct fs_dir_handle; /* dir_ops.c */

/* Whoever opened a file, as it was then. */
struct fs_caller {
    struct tsfs_creds creds; /* its groups point at the array below */
    gid_t *groups;           /* owned */
};

struct fs_query_handle {
    pthread_mutex_t lock;
    struct fs_caller caller;
    pid_t sid;                    /* the caller's session, 0 = unknown */
    struct fs_question *question; /* of a handle that writes */
    struct fs_question *asked;    /* of a handle that reads, from its first read on: what it reads the */
    struct fs_answer *answer;     /* answer to */
    int64_t base;                 /* file offset of the answer's first byte, -1 = the next read tells */
};

struct fs_spool_handle {
    pthread_mutex_t lock;
    bool dirty; /* bytes came since the last try to attach */
    int error;  /* of that try */
};

/* One open file or folder: fuse_file_info.fh. */
struct fs_handle {
    struct fs_handle *prev, *next;
    struct fs_node *node; /* held */
    int flags;            /* of open(2) */
    atomic_uint uses;     /* requests that are done with it, see fs_handle_done */
    union {
        struct { /* FS_WRITE */
            struct tsfs_writer *writer;
            _Atomic uint64_t wrote; /* whose table of descriptors the last write came through */
        };
        struct fs_query_handle query; /* FS_QUERY */
        struct tsfs_buf text;         /* FS_TEXT, FS_STORE: the snapshot */
        struct fs_dir_handle *dir;    /* folders */
        struct {
            int fd; /* FS_SEGMENT, FS_SPOOL */
            struct fs_spool_handle spool;
        };
    };
};

/* ---- the mount ---- */

/* Threads that read requests, and how many of them slow work may hold: the rest answer at once. */
#define FS_THREADS_MAX  64
#define FS_BLOCKING_MAX 48
/* Threads that wait for memory, for all writers, and the bytes that are put aside meanwhile: who brings more
 * waits on a thread of his own. */
#define FS_WAITING_MAX  8
#define FS_ASIDE_MAX    ((size_t)256 << 20)
/* Questions that are remembered for plain reads, one a user, session and folder. */
#define FS_SESSIONS_MAX 1024
#define FS_WRITE_MAX    (1u << 20)
/* What writers are asked for: few round trips, and the points of one write still fit a core's cache. */
#define FS_WRITE_BEST   (512u << 10)

struct fs_session {
    uid_t uid;
    pid_t sid;
    uint64_t object; /* the folder's id */
    uint64_t used;   /* for LRU; 0 = free */
    struct fs_question *question;
};

/* Writes that wait for memory (write_file.c). */
struct fs_waiting {
    pthread_mutex_t lock; /* leaf */
    unsigned threads;
    size_t bytes;                  /* put aside */
    struct fs_aside *first, *last; /* the oldest first; there are none while no thread waits */
};

struct fs {
    struct tsfs_engine *engine;
    struct fuse_session *session;
    bool sync; /* -o sync: every write to `write` is on disk when it returns */
    struct fs_nodes nodes;
    pthread_mutex_t handles_lock;
    struct fs_handle handles; /* ring */
    atomic_uint blocking;
    struct fs_waiting waiting;
    pthread_mutex_t sessions_lock;
    struct fs_session sessions[FS_SESSIONS_MAX];
    uint64_t sessions_clock;
};

/* engine is borrowed until fs_free. */
TSFS_MUST_CHECK int fs_create(struct tsfs_engine *engine, bool sync, struct fs **out);
/* Ends what handles the kernel never released, then all nodes.  Takes NULL. */
void fs_free(struct fs *fs);
extern const struct fuse_lowlevel_ops fs_ops;

static inline struct fs *fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static inline struct fs_handle *fs_handle_of(const struct fuse_file_info *fi)
{
    return (struct fs_handle *)(uintptr_t)fi->fh;
}

/* The last touch of a request before its reply.  Once the reply is out, the file may be closed and another
 * thread free the handle; this orders the two, the kernel being no fence that the language knows of. */
static inline void fs_handle_done(struct fs_handle *handle)
{
    atomic_fetch_add_explicit(&handle->uses, 1, memory_order_release);
}

/* ---- nodes: functions (node.c) ---- */

TSFS_MUST_CHECK int fs_nodes_init(struct fs *fs);
void fs_nodes_free(struct fs *fs);
struct fs_node *fs_node_of(struct fs *fs, fuse_ino_t ino);
/* The node of a row of object, one lookup more.  segment: of FS_SEGMENT and FS_SPOOL.  thread: who looks
 * it up, 0 = unknown.  Returns it or NULL (out of memory). */
struct fs_node *fs_node_get(struct fs *fs, const struct fs_row *row, struct tsfs_node *object,
                            const struct tsfs_cold_file *segment, pid_t thread);
void fs_node_forget(struct fs *fs, struct fs_node *node, uint64_t lookups);
void fs_node_hold(struct fs *fs, struct fs_node *node);
void fs_node_release(struct fs *fs, struct fs_node *node);
/* The file being copied into object's cold/ under that name, one lookup more; NULL. */
struct fs_node *fs_node_find_spool(struct fs *fs, const struct tsfs_node *object, const char *name);
/* Inode numbers, also for readdir. */
uint64_t fs_ino_of_row(const struct tsfs_node *object, const struct fs_row *row);
uint64_t fs_ino_of_segment(const struct tsfs_cold_file *segment);
/* All of stat(2), the exact size included. */
TSFS_MUST_CHECK int fs_node_stat(struct fs_node *node, struct stat *st);
double fs_node_attr_timeout(const struct fs_node *node);
double fs_node_entry_timeout(const struct fs_node *node);

/* ---- callers, handles and slow work (handle.c) ---- */

/* groups is set to NULL for root, who passes every check without them. */
TSFS_MUST_CHECK int fs_caller_get(fuse_req_t req, struct fs_caller *out);
void fs_caller_free(struct fs_caller *caller);
/* getsid(2) of the caller; 0 when its process cannot be seen from here. */
pid_t fs_caller_sid(fuse_req_t req);
/* A handle on node, in the mount's list.  NULL: out of memory. */
struct fs_handle *fs_handle_new(struct fs *fs, struct fs_node *node, int flags);
void fs_handle_free(struct fs *fs, struct fs_handle *handle);
/* Slow work begins: 0, or -EAGAIN when as much of it runs as may. */
TSFS_MUST_CHECK int fs_blocking_begin(struct fs *fs);
void fs_blocking_end(struct fs *fs);
/* Polled by the engine; ctx is the request.  True once the user or the daemon gives up. */
bool fs_interrupted(void *ctx);
/* This thread's buffer of FS_WRITE_MAX bytes, or NULL. */
char *fs_scratch(void);

/* ---- folders (tree_ops.c, dir_ops.c) ---- */

void fs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups);
void fs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void fs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int valid, struct fuse_file_info *fi);
void fs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void fs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
                  const char *to_name, unsigned flags);
void fs_op_statfs(fuse_req_t req, fuse_ino_t ino);
TSFS_MUST_CHECK int fs_entry_fill(struct fs_node *node, struct fuse_entry_param *e);

void fs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_dir_free(struct fs_dir_handle *dir);

/* ---- files (file_ops.c) ---- */

void fs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                 struct fuse_file_info *fi);
void fs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* ---- write (write_file.c) ---- */

/* Takes points, and answers. */
void fs_points_write(fuse_req_t req, struct fs_handle *handle, const char *data, size_t size,
                     const struct fuse_file_info *fi);

/* ---- query, query.json, query.txt (query_file.c) ---- */

TSFS_MUST_CHECK int fs_query_open(fuse_req_t req, struct fs_handle *handle);
TSFS_MUST_CHECK int fs_query_write(fuse_req_t req, struct fs_handle *handle, const char *data, size_t size);
ssize_t fs_query_read(fuse_req_t req, struct fs_handle *handle, char *data, size_t size, off_t offset);
TSFS_MUST_CHECK int fs_query_sync(fuse_req_t req, struct fs_handle *handle);
void fs_query_close(struct fs_handle *handle);
void fs_sessions_free(struct fs *fs);

/* ---- cold/ (cold_file.c) ---- */

void fs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                  struct fuse_file_info *fi);
TSFS_MUST_CHECK int fs_segment_open(struct fs_handle *handle);
TSFS_MUST_CHECK int fs_spool_write(struct fs_handle *handle, const char *data, size_t size, off_t offset);
TSFS_MUST_CHECK int fs_spool_truncate(struct fs_handle *handle, off_t size);
TSFS_MUST_CHECK int fs_spool_flush(fuse_req_t req, struct fs_handle *handle);
void fs_cold_close(struct fs_handle *handle);

/* ---- extended attributes (xattr.c) ---- */

void fs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void fs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                    int flags);
void fs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
