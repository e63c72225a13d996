/* kill -9 at any instant while rows are written, deleted and migrated.  What must hold after each start:
 * every point is as the acknowledged steps left it, or as the one step under way would have made it; in
 * particular no acknowledged DELETE is undone, and none takes what was written after it. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/random.h"
#include "base/io.h"
#include "base/time.h"
#include "tsfs/engine.h"

enum { HOSTS = 4, TIMES = 12, PARTS = 3, POINTS = HOSTS * TIMES };

struct world {
    char data[64];
    int64_t base;
    struct tsfs_engine *engine;
    struct tsfs_node *root, *db, *table;
};

typedef int64_t picture[POINTS]; /* a point's value, 0 = it is not there */

static const struct tsfs_creds me = {0};

static int complain(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-rc));
    return -1;
}

static int open_world(struct world *w)
{
    struct tsfs_error err = {0};
    struct tsfs_engine_options options = {.data = w->data, .threads = 2};
    int rc = tsfs_engine_open(&options, &w->engine, &err);
    if (rc == 0)
        rc = tsfs_engine_start(w->engine, &err);
    if (rc < 0)
        return complain(err.message, rc);
    w->root = tsfs_engine_root(w->engine);
    rc = tsfs_node_lookup(w->root, "d", &w->db);
    if (rc == -ENOENT)
        rc = tsfs_node_create(w->root, "d", &me, 0755, &w->db);
    if (rc == 0)
        rc = tsfs_node_lookup(w->db, "t", &w->table);
    if (rc == -ENOENT) {
        rc = tsfs_node_create(w->db, "t", &me, 0755, &w->table);
        if (rc == 0)
            rc = tsfs_node_store(w->table, TSFS_FILE_CONFIG, "partition = 1h\n", 15, NULL, NULL, &err);
    }
    return rc < 0 ? complain("set up", rc) : 0;
}

static int close_world(struct world *w)
{
    tsfs_node_unref(w->table);
    tsfs_node_unref(w->db);
    tsfs_node_unref(w->root);
    return tsfs_engine_close(w->engine);
}

static int64_t time_of(const struct world *w, int t)
{
    return w->base + t / (TIMES / PARTS) * TSFS_NS_PER_HOUR + t % (TIMES / PARTS) * TSFS_NS_PER_MIN;
}

static uint32_t below(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(test_random(seed) >> 20) % n;
}

/* Step number n: changes now; its text is what the engine is to do (nothing for a migration). */
static bool make_step(const struct world *w, uint64_t n, picture now, char *text, size_t size)
{
    uint64_t seed = n * 0x9e3779b97f4a7c15 + 1;
    size_t len = 0;
    for (int i = 0; i < 4; i++)
        below(&seed, 2);
    uint32_t kind = below(&seed, 8);
    text[0] = '\0';
    if (kind < 4) {
        for (uint32_t i = 0, k = 1 + below(&seed, 12); i < k; i++) {
            int h = (int)below(&seed, HOSTS), t = (int)below(&seed, TIMES);
            now[h * TIMES + t] = (int64_t)n + 1;
            len += (size_t)snprintf(text + len, size - len, "t,host=h%d v=%" PRIu64 "i %" PRId64 "\n", h,
                                    n + 1, time_of(w, t));
        }
        return false;
    }
    if (kind == 7)
        return false;
    int host = (int)below(&seed, HOSTS + 1), from = (int)below(&seed, TIMES), to = TIMES - 1;
    if (below(&seed, 2))
        from = 0;
    if (below(&seed, 2))
        to = from + (int)below(&seed, (uint32_t)(TIMES - from));
    char condition[32] = "true";
    if (host < HOSTS)
        snprintf(condition, sizeof(condition), "host = 'h%d'", host);
    snprintf(text, size,
             "DELETE FROM t WHERE %s AND time BETWEEN from_nanoseconds(%" PRId64 ") AND "
             "from_nanoseconds(%" PRId64 ")",
             condition, time_of(w, from), time_of(w, to));
    if (from == 0 && to == TIMES - 1)
        snprintf(text, size, "DELETE FROM t WHERE %s", condition);
    for (int h = 0; h < HOSTS; h++)
        for (int t = from; t <= to && (host == HOSTS || h == host); t++)
            now[h * TIMES + t] = 0;
    return true;
}

static int ask(struct world *w, const char *sql, char *out, size_t size)
{
    struct tsfs_query *q;
    size_t have = 0;
    int rc = tsfs_query_create(w->table, &me, TSFS_QUERY_CSV, sql, strlen(sql), &q);
    if (rc < 0)
        return rc;
    for (;;) {
        ssize_t n = tsfs_query_read(q, out + have, size - 1 - have, have, NULL, NULL);
        if (n < 0)
            fprintf(stderr, "%s: %s\n", sql, tsfs_query_error(q)->message);
        rc = n < 0 ? (int)n : 0;
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    out[have] = '\0';
    tsfs_query_free(q);
    return rc;
}

/* In the child: steps without end, a byte to fd after each. */
static int work(struct world *w, uint64_t n, int fd)
{
    picture ignored;
    char text[4096], answer[256];
    struct tsfs_error err = {0};
    if (open_world(w) < 0)
        return 1;
    for (;; n++) {
        bool query = make_step(w, n, ignored, text, sizeof(text));
        if (query) {
            if (ask(w, text, answer, sizeof(answer)) < 0)
                return 1;
        } else if (text[0]) {
            struct tsfs_writer *writer;
            if (tsfs_writer_open(w->table, &me, &writer) < 0 ||
                tsfs_writer_write(writer, text, strlen(text)) != (ssize_t)strlen(text))
                return 1;
            tsfs_writer_close(writer);
        } else if (tsfs_node_store(w->table, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, &err) < 0) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        if (write(fd, "x", 1) != 1)
            return 1;
    }
}

static void look(struct world *w, picture now)
{
    static char text[1 << 16];
    char *line = text;
    memset(now, 0, sizeof(picture));
    assert_int_equal(ask(w, "SELECT host, to_nanoseconds(time) AS t, v FROM t", text, sizeof(text)), 0);
    while ((line = strchr(line, '\n')) != NULL && *++line) {
        int h;
        int64_t t, v;
        assert_int_equal(sscanf(line, "h%d,%" SCNd64 ",%" SCNd64, &h, &t, &v), 3);
        int at = 0;
        while (at < TIMES && time_of(w, at) != t)
            at++;
        assert_true(h >= 0 && h < HOSTS && at < TIMES);
        assert_int_equal(now[h * TIMES + at], 0); /* no point twice */
        now[h * TIMES + at] = v;
    }
}

static void killed(void **state)
{
    (void)state;
    struct world w = {.base = tsfs_time_now() / TSFS_NS_PER_HOUR * TSFS_NS_PER_HOUR - 6 * TSFS_NS_PER_HOUR};
    const char *kills = getenv("KILLS");
    int n = kills ? atoi(kills) : 60;
    uint64_t step = 0, seed = 88172645463325252;
    picture before, after, found;
    char text[4096];
    strcpy(w.data, "/tmp/tsfs-crash-delete-XXXXXX");
    assert_non_null(mkdtemp(w.data));
    memset(before, 0, sizeof(before));
    /* the column must be there for the query of an empty table */
    assert_int_equal(open_world(&w), 0);
    struct tsfs_writer *writer;
    char first[128];
    before[0] = 1;
    snprintf(first, sizeof(first), "t,host=h0 v=1i %" PRId64 "\n", time_of(&w, 0));
    assert_int_equal(tsfs_writer_open(w.table, &me, &writer), 0);
    assert_int_equal(tsfs_writer_write(writer, first, strlen(first)), strlen(first));
    tsfs_writer_close(writer);
    assert_int_equal(close_world(&w), 0);
    for (int k = 0; k < n; k++) {
        int pipes[2], status;
        char acknowledged[4096];
        ssize_t got;
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(pipes[0]);
            _exit(work(&w, step, pipes[1]));
        }
        close(pipes[1]);
        usleep(3000 + below(&seed, 90000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while ((got = read(pipes[0], acknowledged, sizeof(acknowledged))) > 0)
            for (ssize_t i = 0; i < got; i++)
                make_step(&w, step++, before, text, sizeof(text));
        close(pipes[0]);
        memcpy(after, before, sizeof(before));
        make_step(&w, step, after, text, sizeof(text));
        assert_int_equal(open_world(&w), 0);
        for (int look_again = 0; look_again < 2; look_again++) {
            look(&w, found);
            for (int i = 0; i < POINTS; i++) {
                if (found[i] != before[i] && found[i] != after[i])
                    print_error("kill %d, step %" PRIu64 " (%s): point %d is %" PRId64 ", not %" PRId64
                                " nor %" PRId64 "\n",
                                k, step, text, i, found[i], before[i], after[i]);
                assert_true(found[i] == before[i] || found[i] == after[i]);
            }
            struct tsfs_error err = {0};
            assert_int_equal(tsfs_node_store(w.table, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, &err), 0);
        }
        assert_int_equal(close_world(&w), 0);
        memcpy(before, found, sizeof(found));
        step++; /* the one under way is not done again */
    }
    print_message("%" PRIu64 " steps, %d kills\n", step, n);
    assert_true(step > (uint64_t)n);
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, w.data), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
