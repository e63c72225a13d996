/* What the engine's files share.  Lock order and what each lock guards: docs/locking.md. */
#ifndef TSFS_ENGINE_ENGINE_PRIV_H
#define TSFS_ENGINE_ENGINE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/pool.h"
#include "catalog/names.h"
#include "catalog/perms.h"
#include "catalog/settings.h"
#include "cold/cold.h"
#include "engine/ring.h"
#include "hot/hot.h"
#include "tsfs/engine.h"
#include "wal/wal.h"

/* ---- partitions ---- */

/* Hot rows of one generation and their log.  Counted: writers that sync and queries outlive a migration. */
struct generation {
    _Atomic uint32_t refs;
    uint32_t number;
    struct tsfs_hot *hot;
    struct tsfs_wal *wal; /* NULL: recovered read-only */
    bool damaged;         /* its log has a bad record in the middle: the file is kept for ever */
    _Atomic bool dropped; /* its partition is being removed: that it cannot be synced any more is no loss */
    bool parted;          /* sealed by a DELETE, not to be migrated: it can wait like the active one */
    bool staged;          /* has rows of the write in progress; guarded by the table's write lock */
};

struct partition {
    int64_t start, end;           /* ns, end exclusive (INT64_MAX at the very end) */
    struct tsfs_segment *segment; /* NULL = none */
    uint32_t segment_number;
    struct generation *active;  /* takes writes; NULL = none yet */
    struct generation **sealed; /* being or to be migrated, oldest first */
    unsigned nsealed;
    struct tsfs_tombstone **deletes; /* of later generations than the segment, oldest first */
    unsigned ndeletes;
    uint32_t reserved;          /* the highest generation that a delete has taken, 0 = none */
    char *bad_delete;           /* why what was deleted is not known; NULL = it is */
    _Atomic int64_t last_write; /* tsfs_time_monotonic */
    _Atomic int64_t last_read;  /* the same, of the segment; 0 = it holds no descriptor and no index */
    int64_t failed_at;          /* tsfs_time_monotonic of the last try to migrate it; 0 = it went well */
    char *broken;               /* why the segment cannot be read; NULL = it can */
    struct tsfs_segment_facts broken_facts; /* its size, inode and mtime all the same */
};

/* ---- nodes ---- */

struct job { /* a running migration, for stats */
    bool running;
    int64_t partition, started;
    struct tsfs_segment_progress progress;
};

struct table {
    pthread_mutex_t job_lock;   /* one migration, attach, truncate or rm at a time */
    pthread_mutex_t write_lock; /* one write at a time; held over log writes */
    pthread_mutex_t lock;       /* partitions, schema: short, never over I/O */
    struct tsfs_series_index
        *series; /* that the next generations will use; changed under write_lock and lock */
    struct tsfs_schema *schema;
    int schema_fd; /* -1 while it is not being changed; guarded by sync_lock */
    uint64_t schema_size;
    struct partition **partitions; /* by start */
    unsigned npartitions, partitions_cap;
    _Atomic bool dirty; /* a hint for the sync thread: something may not be on disk yet */
    bool dir_dirty;     /* the table's folder has gained partitions; guarded by sync_lock */
    bool schema_dirty;  /* guarded by sync_lock */
    pthread_mutex_t sync_lock;
    int64_t last_sync;                    /* tsfs_time_monotonic; sync thread only */
    struct job job;                       /* guarded by lock but for progress */
    uint64_t migrate_asked, migrate_done; /* engine->jobs_lock: requests through ctl */
    struct tsfs_pq_habit *habits;         /* of nhabits columns, for writing segments; job_lock */
    unsigned nhabits;
    int migrate_result;
    char migrate_message[TSFS_ERROR_MESSAGE_MAX];
    _Atomic uint64_t points_in, lines_refused;
};

struct tsfs_node {
    _Atomic uint32_t refs;
    enum tsfs_node_kind kind;
    uint64_t id;
    struct tsfs_engine *engine;
    struct tsfs_node *parent;     /* engine->tree_lock; a counted reference */
    char name[TSFS_NAME_MAX + 1]; /* engine->tree_lock */
    _Atomic bool dead;
    char *damage;                /* why it could not be loaded: only its name is known, and it is dead */
    int dirfd;                   /* its folder below DATA; -1 for a dead node's is closed at the last unref */
    struct tsfs_node **children; /* engine->tree_lock; sorted by name; counted references */
    unsigned nchildren, children_cap;
    pthread_mutex_t meta_lock; /* settings, perms */
    struct tsfs_settings settings;
    struct tsfs_perms perms;
    _Atomic int64_t config_mtime, mtime;
    struct ring errors, rejected;
    struct table *table; /* tables only */
};

struct tsfs_engine {
    struct tsfs_engine_options options;
    char *data_path;
    int data_fd, lock_fd, tmp_fd;
    struct tsfs_budget hot_budget; /* limit = the --memory budget */
    struct tsfs_pool *pool;
    bool reserves; /* is a user of hot/reserve.h */
    struct tsfs_node *root;
    pthread_rwlock_t tree_lock;
    _Atomic uint64_t next_id, next_tmp;
    int64_t started;

    pthread_mutex_t jobs_lock;
    pthread_cond_t jobs_wake, jobs_done; /* monotonic clock */
    pthread_t jobs_thread, sync_thread;
    bool threads_running;
    _Atomic bool stopping;
    uint64_t requests;   /* jobs_lock: through ctl, ever */
    bool pressure;       /* jobs_lock: a writer waits for memory */
    uint64_t passes;     /* jobs_lock: finished tries to free memory */
    int pressure_result; /* jobs_lock: what came of the last: 1 moved a partition, 0 none to move, -errno */

    pthread_mutex_t queries_lock;   /* who has a query under way; queries_running is changed under it */
    uid_t askers[TSFS_QUERIES_MAX]; /* queries_lock: the first queries_running of them count */
    _Atomic unsigned queries_running;
    _Atomic uint64_t queries_total, queries_failed, rows_ingested, lines_refused, bytes_ingested, migrations,
        migrations_failed, partitions_dropped;
};

/* node.c */
TSFS_MUST_CHECK int node_new(struct tsfs_engine *engine, struct tsfs_node *parent, const char *name,
                             enum tsfs_node_kind kind, struct tsfs_node **out);
/* For one more child; then the child, whose reference is taken over.  Under tree_lock. */
TSFS_MUST_CHECK int node_reserve_child(struct tsfs_node *parent);
void node_insert_child(struct tsfs_node *parent, struct tsfs_node *child);
/* A name of the tree's own files, which no child can have. */
bool node_name_reserved(const struct tsfs_node *parent, const char *name);
/* Every table, counted references in a malloc'd array; the caller unrefs and frees. */
TSFS_MUST_CHECK int engine_tables(struct tsfs_engine *engine, struct tsfs_node ***out, unsigned *n);
void node_path(struct tsfs_node *node, char *out, size_t size); /* "db.table", "db" or "" for messages */
void node_name(struct tsfs_node *node, char out[TSFS_NAME_MAX + 1]);
/* The database of a table, counted; its name and the table's as they are together (each may be NULL). */
struct tsfs_node *node_database(struct tsfs_node *table, char database[TSFS_NAME_MAX + 1],
                                char name[TSFS_NAME_MAX + 1]);
/* Makes a table (for a first point); -EEXIST is not an error here: *out is the one that is there. */
TSFS_MUST_CHECK int node_make_table(struct tsfs_node *database, struct tsfs_str name,
                                    const struct tsfs_creds *creds, struct tsfs_node **out,
                                    struct tsfs_error *err);
/* Moves path below dirfd out of the way, into DATA/.tmp under a name of its own. */
TSFS_MUST_CHECK int engine_trash(struct tsfs_engine *engine, int dirfd, const char *path, char name[32]);
/* Removes what is there under that name.  Not under a lock: it may be much. */
void engine_empty_trash(struct tsfs_engine *engine, const char *name);
/* node_load.c */
TSFS_MUST_CHECK int node_load_tree(struct tsfs_engine *engine, struct tsfs_error *err);
/* The lines of status about folders that could not be loaded. */
TSFS_MUST_CHECK int node_render_damaged(struct tsfs_engine *engine, struct tsfs_buf *out);

/* node_meta.c */
/* To its file, which is replaced or, fresh, made. */
TSFS_MUST_CHECK int node_save_settings(const struct tsfs_node *node, const struct tsfs_settings *settings,
                                       bool fresh);
TSFS_MUST_CHECK int node_save_perms(const struct tsfs_node *node, const struct tsfs_perms *perms, bool fresh);
/* Settings, owners and modes, errors, rejected texts from their files, as far as there are any. */
TSFS_MUST_CHECK int node_load_meta(struct tsfs_node *node, struct tsfs_error *err);
TSFS_MUST_CHECK int node_perms_set(struct tsfs_perms *perms, enum tsfs_file file, mode_t mode, uid_t uid,
                                   gid_t gid);
/* Its errors and rejected texts to their files, at a clean end. */
TSFS_MUST_CHECK int node_save_reports(struct tsfs_node *node);
/* Into the node's errors.  Returns the entry's mark, for ring_retract. */
uint64_t node_report(struct tsfs_node *node, const char *what, const struct tsfs_error *err,
                     struct tsfs_str text);

/* node_settings.c */
struct tsfs_settings node_settings(struct tsfs_node *node);
/* Applies the lines of text, all or none. */
TSFS_MUST_CHECK int node_change_settings(struct tsfs_node *node, struct tsfs_str text, bool partition_fixed,
                                         struct tsfs_error *err);
/* Times that points may have: *oldest <= t < *newest. */
void settings_window(const struct tsfs_settings *settings, int64_t now, int64_t *oldest, int64_t *newest);
/* The first points of a table: how many, the time that they would span if all lay as densely as the densest
 * quarter, and the last one's time. */
struct partition_sample {
    uint64_t rows;
    double span; /* ns */
    int64_t newest;
};
void partition_sample_times(int64_t *times, size_t n, struct partition_sample *out); /* sorts times */
/* What `partition = auto` comes to for them. */
int64_t partition_length(const struct partition_sample *sample, int64_t now,
                         const struct tsfs_settings *settings);
bool node_partition_open(struct tsfs_node *node); /* its table's is still auto */
/* Settles for *length if the table's is still auto; *length is what it is then. */
TSFS_MUST_CHECK int node_fix_partition(struct tsfs_node *node, int64_t *length, struct tsfs_error *err);

/* table.c */
TSFS_MUST_CHECK int table_create(struct tsfs_node *node, struct tsfs_error *err); /* new or from its folder */
void table_free(struct table *table);
/* The partition of time, made (with its folder) if need be.  Under write_lock. */
TSFS_MUST_CHECK int table_partition(struct tsfs_node *node, int64_t time, struct partition **out,
                                    struct tsfs_error *err);
/* The generation that takes writes.  Under write_lock. */
TSFS_MUST_CHECK int partition_writable(struct tsfs_node *node, struct partition *p, struct generation **out,
                                       struct tsfs_error *err);
/* The end of a write, under write_lock: what is staged in n generations goes to their logs and then, if all
 * of it is there, is published at once, or else taken back from wherever it is. */
TSFS_MUST_CHECK int generations_log(struct generation **staged, unsigned n, struct tsfs_error *err);
void table_publish(struct table *table, struct generation **staged, unsigned n); /* takes lock */
void generations_undo(struct generation **staged, unsigned n);
/* The series index of the generation that a row of this time would go to.  Borrowed; under write_lock. */
struct tsfs_series_index *table_series_at(struct table *table, int64_t time);
/* Begins a new series index if most series of the present one have no hot rows: it goes with the last
 * generation that uses it.  Takes write_lock and lock. */
void table_renew_series(struct tsfs_node *node);
/* New columns; *schema is the table's afterwards (borrowed under write_lock).  Under write_lock. */
TSFS_MUST_CHECK int table_extend(struct tsfs_node *node, const struct tsfs_column *add, unsigned n,
                                 struct tsfs_error *err);
/* Its columns to disk, and the names of its partitions: before anything that needs them. */
TSFS_MUST_CHECK int table_sync_schema(struct tsfs_node *node);
/* All that was accepted so far to disk. */
TSFS_MUST_CHECK int table_sync(struct tsfs_node *node);
bool table_empty(struct table *table); /* no points in any tier */
/* Drops a partition, folder and all; p NULL: every one that is there.  Under job_lock; takes write_lock and
 * lock. */
TSFS_MUST_CHECK int table_drop(struct tsfs_node *node, struct partition *p);
TSFS_MUST_CHECK int table_truncate(struct tsfs_node *node);
TSFS_MUST_CHECK int table_add_partition(struct table *table, struct partition *p); /* takes p on success */
/* The last one that starts at or before time, NULL if none does.  Under lock or write_lock. */
struct partition *table_find_partition(struct table *table, int64_t time);
TSFS_MUST_CHECK int partition_new(int64_t start, int64_t length, struct partition **out);
void partition_free(struct partition *p); /* takes NULL */
TSFS_MUST_CHECK int generation_new(struct tsfs_node *node, uint32_t number,
                                   struct generation **out); /* without a log */
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation *g);
void partition_segment_name(const struct partition *p, uint32_t number,
                            char out[96]); /* folder/seg-000003.parquet */
/* Before its file is unlinked: a segment whose readers go on must hold the file open. */
void partition_hold_file(struct tsfs_segment *segment);
bool partition_has_hot(const struct partition *p); /* under lock */

/* recover.c */
TSFS_MUST_CHECK int table_load_partitions(struct tsfs_node *node, struct tsfs_error *err);

/* delete.c */
struct tsfs_plan;
struct delete_request {
    const struct tsfs_plan *scan; /* what is to go: tsfs_plan_delete's */
    int64_t now, timeout;         /* ns; timeout 0 = none */
    uint64_t memory;              /* bytes that the list of one partition's series may take, 0 = any */
    const _Atomic bool *cancel;
    bool (*interrupted)(void *ctx);
    void *interrupted_ctx;
};
/* Deletes, for good: *rows of them, as queries saw them.  Takes job_lock. */
TSFS_MUST_CHECK int table_delete(struct tsfs_node *node, const struct delete_request *request, uint64_t *rows,
                                 struct tsfs_error *err);
/* Start-up: the tombstone in that file.  One that cannot be read makes the partition unreadable, and is no
 * error here. */
TSFS_MUST_CHECK int partition_load_delete(struct tsfs_node *node, struct partition *p, const char *path,
                                          uint32_t number, struct tsfs_error *err);
/* Takes the tombstones up to a generation out of p, under lock, and puts them into gone: how many. */
unsigned partition_forget_deletes(struct partition *p, uint32_t number, struct tsfs_tombstone **gone);
/* Their files go, and the references. */
TSFS_MUST_CHECK int partition_remove_deletes(struct tsfs_node *node, struct partition *p,
                                             struct tsfs_tombstone **gone, unsigned n);

/* move.c */
/* A view of a partition's segment, its first nsealed sealed generations and its deletes; spec (may be NULL)
 * is what will be asked of the snapshots.  view is zeros before; close it also after an error.  Under
 * job_lock. */
TSFS_MUST_CHECK int partition_open_view(struct tsfs_node *node, struct partition *p, unsigned nsealed,
                                        const struct tsfs_scan_spec *spec, struct tsfs_partition_view *view);
void partition_close_view(struct tsfs_partition_view *view);

struct migration {
    struct partition *partition;
    bool small; /* may move in step with others that are */
    bool begun; /* there was something to move */
    int result; /* 0 or -errno, with error */
    struct tsfs_error error;
    /* its own */
    struct tsfs_partition_view view;
    struct tsfs_segment_facts facts;
    char path[96], tmp[112];
    unsigned nsealed;
    uint32_t number;
    uint64_t rows; /* at most */
    bool written;
};
/* Merges the hot rows of each of n > 0 partitions, given in m with small (zeros else), into its segment:
 * small ones in step, others side by side, never both at once.  Under job_lock. */
void partitions_move(struct tsfs_node *node, struct migration *m, unsigned n);

/* migrate.c */
TSFS_MUST_CHECK int jobs_start(struct tsfs_engine *engine);
void jobs_stop(struct tsfs_engine *engine);
/* Merges a partition's hot rows into its segment.  Under job_lock. */
TSFS_MUST_CHECK int partition_migrate(struct tsfs_node *node, struct partition *p, struct tsfs_error *err);
/* ctl's "migrate": asks the jobs thread and waits. */
TSFS_MUST_CHECK int table_migrate_now(struct tsfs_node *node, bool (*interrupted)(void *), void *ctx,
                                      struct tsfs_error *err);
/* Waits while the hot tier is over its budget; -ENOSPC when nothing can be freed. */
TSFS_MUST_CHECK int engine_wait_memory(struct tsfs_engine *engine, struct tsfs_error *err);
/* 0, or -EAGAIN where that would wait. */
TSFS_MUST_CHECK int engine_has_memory(struct tsfs_engine *engine);

/* source.c */
TSFS_MUST_CHECK int table_source(struct tsfs_node *node, struct tsfs_source **out);

#endif
