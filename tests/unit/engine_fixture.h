/* What the tests of the whole engine share: an engine over a new folder with one database, "plant", and the
 * few things a client does with it.  Each test gets a `struct fixture` as its state. */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/time.h"
#include "tsfs/engine.h"

struct fixture {
    char data[64];
    uint64_t memory;  /* of the next start; 0: the default */
    bool read_only;   /* the next start is */
    unsigned threads; /* of the next start; 0: 2 */
    int64_t day;      /* two days ago, at midnight */
    struct tsfs_engine *engine;
    struct tsfs_node *root, *db;
};

static const struct tsfs_creds me = {0};

/* Opens the engine and "plant", which is made when it is not there. */
static inline int try_start(struct fixture *f, struct tsfs_error *err)
{
    struct tsfs_engine_options options = {.data = f->data,
                                          .threads = f->threads ? f->threads : 2,
                                          .memory = f->memory,
                                          .read_only = f->read_only};
    int rc = tsfs_engine_open(&options, &f->engine, err);
    if (rc < 0)
        return rc;
    assert_int_equal(tsfs_engine_start(f->engine, err), 0);
    f->root = tsfs_engine_root(f->engine);
    rc = tsfs_node_lookup(f->root, "plant", &f->db);
    if (rc == -ENOENT)
        rc = tsfs_node_create(f->root, "plant", &me, 0755, &f->db);
    assert_int_equal(rc, 0);
    return 0;
}

static inline void start(struct fixture *f)
{
    struct tsfs_error err = {0};
    int rc = try_start(f, &err);
    if (rc < 0)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
}

static inline void stop(struct fixture *f)
{
    tsfs_node_unref(f->db);
    tsfs_node_unref(f->root);
    assert_int_equal(tsfs_engine_close(f->engine), 0);
}

static inline void restart(struct fixture *f)
{
    stop(f);
    start(f);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    strcpy(f->data, "/tmp/tsfs-engine-XXXXXX");
    assert_non_null(mkdtemp(f->data));
    f->day = (tsfs_time_now() / TSFS_NS_PER_DAY - 2) * TSFS_NS_PER_DAY;
    start(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    stop(f);
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, f->data), 0);
    free(f);
    return 0;
}

/* The bytes taken, or -errno. */
static inline ssize_t put(struct tsfs_node *node, const char *text)
{
    struct tsfs_writer *w;
    assert_int_equal(tsfs_writer_open(node, &me, &w), 0);
    ssize_t n = tsfs_writer_write(w, text, strlen(text));
    tsfs_writer_close(w);
    return n;
}

/* A question of `creds`, not yet run. */
static inline struct tsfs_query *query(struct tsfs_node *node, const struct tsfs_creds *creds,
                                       const char *sql)
{
    struct tsfs_query *q;
    assert_int_equal(tsfs_query_create(node, creds, TSFS_QUERY_CSV, sql, strlen(sql), &q), 0);
    return q;
}

/* Runs and frees `q`: the whole result in a static buffer, or "error ERRNO: ...". */
static inline const char *finish(struct tsfs_query *q)
{
    static char result[1 << 20];
    size_t have = 0;
    result[0] = '\0';
    for (;;) {
        ssize_t n = tsfs_query_read(q, result + have, sizeof(result) - 1 - have, have, NULL, NULL);
        if (n < 0)
            snprintf(result, sizeof(result), "error %zd: %s", -n, tsfs_query_error(q)->message);
        if (n <= 0)
            break;
        have += (size_t)n;
        result[have] = '\0';
    }
    tsfs_query_free(q);
    return result;
}

static inline const char *ask(struct tsfs_node *node, const char *sql)
{
    return finish(query(node, &me, sql));
}

/* A table of "plant"; the caller unrefs it. */
static inline struct tsfs_node *table(struct fixture *f, const char *name)
{
    struct tsfs_node *t;
    assert_int_equal(tsfs_node_lookup(f->db, name, &t), 0);
    return t;
}

/* Stores `text` in a control file of `node`: 0 or -errno, whose sentence is printed. */
static inline int command(struct tsfs_node *node, enum tsfs_file file, const char *text)
{
    struct tsfs_error err = {0};
    int rc = tsfs_node_store(node, file, text, strlen(text), NULL, NULL, &err);
    if (rc < 0)
        print_message("%s\n", err.message);
    return rc;
}

/* Moves all of the table "m" into the cold tier. */
static inline void migrate(struct fixture *f)
{
    struct tsfs_node *t = table(f, "m");
    assert_int_equal(command(t, TSFS_FILE_CTL, "migrate\n"), 0);
    tsfs_node_unref(t);
}

#endif
