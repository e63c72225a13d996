/* What the files of a writer share: writer.c takes lines, writer_target.c finds the tables they go to,
 * writer_key.c the series, writer_stage.c puts them there. */
#ifndef TSFS_ENGINE_WRITER_PRIV_H
#define TSFS_ENGINE_WRITER_PRIV_H

#include <errno.h>

#include "engine/engine_priv.h"
#include "ingest/line_protocol.h"

/* Lines that are staged and logged together: more than a usual write(2) holds, few enough for the caches. */
#define WRITER_POINTS 4096u

/* One table that the lines at hand go to.  Valid while its write lock is held but for node and raw. */
struct target {
    struct tsfs_node *node;       /* counted */
    char name[TSFS_NAME_MAX + 1]; /* its name now */
    struct tsfs_buf raw;          /* the measurement as spelled that leads here; database writers only */
    struct tsfs_settings settings;
    int64_t low, high; /* times accepted: low <= t < high */
    struct tsfs_series_index
        *series; /* that ids found before the lock was taken are of; counted, NULL = none */
    struct generation **staged;
    unsigned nstaged, staged_cap;
    struct partition *partition; /* of the row before */
    struct generation *generation;
    uint16_t *ordinals; /* of the fields of the line before, in its order */
    uint8_t *decimals;  /* beside them: 1 + digits of a field that is a decimal, else 0; NULL = none is */
    unsigned nordinals, ordinals_cap;
    const struct tsfs_schema *ordinals_schema; /* that they were found in; NULL = not valid */
    uint32_t layout; /* of that line: another line of the batch with the same one has the same ordinals */
    uint64_t rows;
};

struct tsfs_writer {
    pthread_mutex_t lock;
    struct tsfs_node *node; /* a database or a table; counted */
    struct tsfs_creds creds;
    gid_t *groups;
    struct tsfs_buf tail; /* an unterminated line */
    bool discard;         /* what follows up to the next newline belongs to a refused line */
    uint64_t lines;       /* complete lines seen, for messages */
    bool tail_noted;      /* the tail stands in errors and rejected */
    uint64_t tail_mark, tail_report;
    struct tsfs_node *tail_table; /* whose rejected it is; counted; NULL = nobody's */
    const char *input;            /* what the points at hand were parsed from */
    struct tsfs_lp_batch batch;
    struct target *targets;
    unsigned ntargets, targets_cap;
    size_t at, kept;                 /* the point at hand; those before `kept` are logged and published */
    uint32_t *point_target;          /* index into targets, a point each; UINT32_MAX = refused */
    uint32_t *point_series;          /* as found before the locks were taken; TSFS_SERIES_NONE = look again */
    struct tsfs_spelling *point_key; /* what those are found by that have to be looked up, */
    uint32_t *looked_up, *found;     /* which they are, and what was found */
    struct tsfs_cell *cells;
    unsigned cells_cap;
    const struct target *cells_of; /* whose columns, those of its layout, stand in cells; NULL = nobody's */
    struct tsfs_column *add;       /* columns that the line at hand brings; names borrowed from it */
    unsigned add_cap;
    struct tsfs_buf key;        /* a key with the measurement put in front */
    struct writer_keys *keys;   /* writer_key.c; NULL until the first new one */
    struct tsfs_arena arena;    /* of one new key */
    struct tsfs_node **touched; /* tables written to, for fsync; counted */
    unsigned ntouched, touched_cap;
};

static inline bool writer_skips(struct tsfs_node *node)
{
    return node_settings(node).on_bad_line == TSFS_BAD_LINE_SKIP;
}

static inline bool writer_callers_fault(int rc)
{
    return rc == -EINVAL || rc == -E2BIG || rc == -ERANGE || rc == -ENAMETOOLONG;
}

/* Cheaper than zeroing all of it, for what is done with every line. */
static inline void writer_no_error(struct tsfs_error *err)
{
    err->code = 0;
    err->line = err->column = 0;
    err->message[0] = 0;
}

/* writer.c */

/* A refused line, for errors and rejected.  table: where it would have gone, or NULL. */
void writer_refuse(struct tsfs_writer *w, struct tsfs_node *table, struct tsfs_error *err,
                   struct tsfs_str line);
/* Syncs the tables written to. */
TSFS_MUST_CHECK int writer_sync_touched(struct tsfs_writer *w);

/* writer_target.c */

/* The measurement's bytes of a raw key: up to the first comma that no backslash escapes. */
struct tsfs_str writer_measurement(struct tsfs_str key);
/* Where ptr stands in the point's line: counted from 1 in bytes; 1 if it is not of the line (unescaped). */
uint32_t writer_column(const struct tsfs_writer *w, const struct tsfs_lp_point *point, const char *ptr);
/* The time of a point in nanoseconds; false: out of their range. */
static inline bool writer_time(const struct tsfs_lp_point *point, int64_t precision, int64_t now,
                               int64_t *out)
{
    *out = now;
    return !point->has_time || !__builtin_mul_overflow(point->time, precision, out);
}

/* Finds the tables of the parsed points, up to a point that names none: *known of them, *found says why. */
TSFS_MUST_CHECK int writer_find_targets(struct tsfs_writer *w, size_t *known, int *found,
                                        struct tsfs_error *err);
/* Settles how long the partitions of tables are that leave it to their first points, those at hand. */
TSFS_MUST_CHECK int writer_fix_partitions(struct tsfs_writer *w, size_t known, struct tsfs_error *err);
/* Takes every target's write lock in the one order that cannot deadlock.  Two spellings of one table
 * share its lock: ordered holds each node once. */
unsigned writer_lock_targets(struct tsfs_writer *w, struct target **ordered);
void writer_release_targets(struct tsfs_writer *w);

/* writer_key.c */

/* The key of a series that is perhaps new. */
struct writer_new_key {
    struct tsfs_str raw; /* with the measurement in front */
    uint64_t hash;
    const struct tsfs_series_key *cut; /* or NULL, and the next three */
    struct tsfs_str measurement;
    struct tsfs_lp_tag *tags; /* in the writer's arena */
    unsigned ntags;
};

void writer_keys_free(struct tsfs_writer *w);
void writer_keys_reset(struct tsfs_writer *w); /* before the first point under the locks */
/* Makes the keys of points after the one at hand ready, those not found before the locks were taken. */
void writer_key_ahead(struct tsfs_writer *w, struct target *t, size_t known);
/* Takes a key apart (raw and hash are given); new dimensions go to w->add. */
TSFS_MUST_CHECK int writer_resolve_key(struct tsfs_writer *w, struct target *t,
                                       const struct tsfs_lp_point *point, struct writer_new_key *key,
                                       unsigned *nadd, struct tsfs_error *err);
/* ... and, when its columns exist, makes the series. */
TSFS_MUST_CHECK int writer_intern_key(struct tsfs_writer *w, struct target *t,
                                      const struct tsfs_lp_point *point, struct tsfs_series_index *index,
                                      const struct writer_new_key *key, uint32_t *series);
/* A column that the line at hand brings. */
TSFS_MUST_CHECK int writer_bring_column(struct tsfs_writer *w, unsigned *nadd, struct tsfs_column column);

/* writer_stage.c */

int writer_role_error(uint32_t line, uint32_t column, struct tsfs_str name, enum tsfs_role has,
                      const char *as, struct tsfs_error *err);
/* Stages and commits the parsed points.  *done = points taken (or, skipping, dealt with).  A failure's point
 * is points[*done]; *failed_table is its table if known. */
TSFS_MUST_CHECK int writer_take_points(struct tsfs_writer *w, const char *input, size_t *done,
                                       struct tsfs_node **failed_table, struct tsfs_error *err);

#endif
