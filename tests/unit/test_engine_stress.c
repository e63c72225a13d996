/* Writers, queries, migrations and people who move, truncate and remove tables, all at once, for a few
 * seconds.  Meant for ThreadSanitizer and AddressSanitizer too.  What it would catch: a lost or doubled row,
 * a query that sees half a write, a count that goes backwards, a deadlock, any race the sanitizers know. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/time.h"
#include "tsfs/engine.h"

enum { WRITERS = 3, BATCH = 60, LOOSE = 12, SECONDS = 5 };

static const struct tsfs_creds me = {0};

struct stress {
    char data[64];
    struct tsfs_engine *engine;
    struct tsfs_node *root, *db;
    _Atomic bool stop;
    _Atomic unsigned wrong; /* the threads must not use cmocka's assertions */
    _Atomic uint64_t written[WRITERS];
    int64_t base;
};

struct hand {
    struct stress *s;
    unsigned number;
};

#define EXPECT(s, condition)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            atomic_fetch_add(&(s)->wrong, 1);                                                                \
            print_error("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                      \
        }                                                                                                    \
    } while (0)

static void open_engine(struct stress *s)
{
    struct tsfs_error err = {0};
    struct tsfs_engine_options options = {.data = s->data, .threads = 2, .memory = 8u << 20};
    assert_int_equal(tsfs_engine_open(&options, &s->engine, &err), 0);
    assert_int_equal(tsfs_engine_start(s->engine, &err), 0);
    s->root = tsfs_engine_root(s->engine);
    if (tsfs_node_lookup(s->root, "plant", &s->db) < 0)
        assert_int_equal(tsfs_node_create(s->root, "plant", &me, 0755, &s->db), 0);
}

static void close_engine(struct stress *s)
{
    tsfs_node_unref(s->db);
    tsfs_node_unref(s->root);
    assert_int_equal(tsfs_engine_close(s->engine), 0);
}

/* The second line of the answer, or -errno. */
static int ask(struct tsfs_node *node, const char *sql, char *out, size_t size)
{
    struct tsfs_query *q;
    char text[4096];
    size_t have = 0;
    int rc = tsfs_query_create(node, &me, TSFS_QUERY_CSV, sql, strlen(sql), &q);
    if (rc < 0)
        return rc;
    for (;;) {
        ssize_t n = tsfs_query_read(q, text + have, sizeof(text) - 1 - have, have, NULL, NULL);
        if (n < 0)
            rc = (int)n;
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    text[have] = '\0';
    tsfs_query_free(q);
    char *line = strchr(text, '\n');
    snprintf(out, size, "%.*s", line ? (int)strcspn(line + 1, "\n") : 0, line ? line + 1 : "");
    return rc;
}

/* Each write holds BATCH rows of `steady`, over four partitions, and some of `loose`, each of a new series.
 */
static void *write_rows(void *arg)
{
    struct hand *h = arg;
    struct stress *s = h->s;
    static const char *const form = "steady,writer=w%u,k=%u n=1i,v=%llu.5 %lld\n";
    char text[(BATCH + LOOSE) * 160];
    struct tsfs_writer *w = NULL;
    EXPECT(s, tsfs_writer_open(s->db, &me, &w) == 0);
    for (uint64_t round = 0; !s->stop; round++) {
        size_t len = 0;
        for (unsigned i = 0; i < BATCH; i++) {
            uint64_t n = round * BATCH + i;
            int64_t t = s->base + (int64_t)(i % 4) * TSFS_NS_PER_DAY + (int64_t)n * 1000;
            len += (size_t)snprintf(text + len, sizeof(text) - len, form, h->number, i % 7,
                                    (unsigned long long)n, (long long)t);
        }
        for (unsigned i = 0; i < LOOSE; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                                    "loose,writer=w%u,series=of_w%u_number_%llu n=1i,f%llu=1i %lld\n",
                                    h->number, h->number, (unsigned long long)(round * LOOSE + i),
                                    (unsigned long long)(round % 40), (long long)(s->base + (int64_t)round));
        size_t done = 0;
        while (done < len) { /* cut anywhere */
            size_t n = len - done > 2000 && round % 3 == 0 ? 2000 : len - done;
            bool must_wait = false;
            ssize_t rc = tsfs_writer_write_now(w, text + done, n, &must_wait);
            if (must_wait)
                rc = tsfs_writer_write(w, text + done, n);
            if (rc == -ENOENT) /* loose was just being removed; what follows it is nothing */
                break;
            EXPECT(s, rc > 0);
            if (rc <= 0)
                break;
            done += (size_t)rc;
        }
        atomic_fetch_add(&s->written[h->number], BATCH);
        if (round % 16 == 0)
            EXPECT(s, tsfs_writer_sync(w) == 0);
    }
    EXPECT(s, tsfs_writer_flush(w) == 0);
    tsfs_writer_close(w);
    return NULL;
}

static uint64_t written(struct stress *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        n += s->written[i];
    return n;
}

static void *ask_questions(void *arg)
{
    struct stress *s = ((struct hand *)arg)->s;
    unsigned long long last = 0;
    char line[256];
    while (!s->stop) {
        unsigned long long before = written(s), count = 0, sum = 0;
        int rc = ask(s->db, "SELECT count(*), sum(n) FROM steady", line, sizeof(line));
        if (rc == 0) {
            int got = sscanf(line, "%llu,%llu", &count, &sum);
            EXPECT(s, got == 2 || (got == 1 && count == 0)); /* no sum of no rows */
            EXPECT(s, count == sum);
            EXPECT(s, count >= last);
            EXPECT(s, count >= before);
            last = count;
        } else {
            EXPECT(s, rc == -EINVAL && before == 0); /* not there yet */
        }
        rc = ask(s->root,
                 "SELECT writer, max(n), count(*) FROM plant.loose GROUP BY writer ORDER BY 3 LIMIT 1", line,
                 sizeof(line));
        EXPECT(s, rc == 0 || rc == -EINVAL);
        rc = ask(s->root, "SELECT series, count(*) FROM plant.loose GROUP BY series ORDER BY 2, 1 LIMIT 1",
                 line, sizeof(line));
        EXPECT(s, rc == 0 || rc == -EINVAL);
        rc = ask(s->db, "SELECT time, v FROM steady WHERE k = '3' ORDER BY time DESC LIMIT 5", line,
                 sizeof(line));
        EXPECT(s, rc == 0 || rc == -EINVAL);
    }
    return NULL;
}

static int store(struct tsfs_node *parent, const char *name, enum tsfs_file file, const char *text)
{
    struct tsfs_node *t;
    struct tsfs_error err = {0};
    int rc = tsfs_node_lookup(parent, name, &t);
    if (rc < 0)
        return rc;
    rc = tsfs_node_store(t, file, text, strlen(text), NULL, NULL, &err);
    tsfs_node_unref(t);
    return rc;
}

static void *migrate(void *arg)
{
    struct stress *s = ((struct hand *)arg)->s;
    while (!s->stop) {
        int rc = store(s->db, "steady", TSFS_FILE_CTL, "migrate\n");
        EXPECT(s, rc == 0 || rc == -ENOENT);
        usleep(20000);
    }
    return NULL;
}

static int drop_file(void *ctx, const struct tsfs_cold_file *file)
{
    struct tsfs_cold_file again;
    int fd = tsfs_node_cold_open(ctx, file->name, &again);
    if (fd >= 0)
        close(fd);
    return tsfs_node_cold_remove(ctx, file->name) == -EROFS ? -EROFS : 0;
}

/* All that must not disturb anybody, or only those who use `loose`. */
static void *meddle(void *arg)
{
    struct stress *s = ((struct hand *)arg)->s;
    struct tsfs_node *t;
    struct tsfs_buf text = {0};
    for (unsigned i = 0; !s->stop; i++) {
        int rc = 0;
        switch (i % 8) {
        case 0: rc = store(s->db, "loose", TSFS_FILE_CTL, "truncate\n"); break;
        case 1: rc = tsfs_node_rename(s->db, "loose", s->db, "moved", true); break;
        case 2: rc = store(s->db, "moved", TSFS_FILE_CTL, "migrate\n"); break;
        case 3: rc = store(s->db, "moved", TSFS_FILE_CTL, "truncate\n"); break;
        case 4: rc = tsfs_node_remove(s->db, "moved"); break;
        case 5:
            rc = store(s->db, "steady", TSFS_FILE_CONFIG,
                       i & 8 ? "sync_interval = 0s\n" : "sync_interval = 1s\n");
            break;
        case 6: rc = store(s->db, "loose", TSFS_FILE_CTL, "migrate\n"); break;
        default:
            rc = tsfs_node_lookup(s->db, "loose", &t);
            if (rc == 0) {
                rc = tsfs_node_cold_list(t, drop_file, t);
                tsfs_node_unref(t);
            }
        }
        EXPECT(s, rc == 0 || rc == -ENOENT || rc == -ENOTEMPTY || rc == -EEXIST || rc == -EINTR);
        for (enum tsfs_file f = 0; f < TSFS_FILE_COUNT; f++) {
            text.len = 0;
            rc = tsfs_node_render(s->root, f, &text);
            if (tsfs_node_lookup(s->db, "steady", &t) == 0) {
                rc = tsfs_node_render(t, f, &text);
                tsfs_node_unref(t);
            }
        }
        usleep(3000);
    }
    tsfs_buf_free(&text);
    return NULL;
}

static void all_at_once(void **state)
{
    struct stress s = {.data = "/tmp/tsfs-stress-XXXXXX"};
    struct hand hands[WRITERS + 4];
    pthread_t threads[WRITERS + 4];
    unsigned n = 0;
    char line[256], expected[64];
    assert_non_null(mkdtemp(s.data));
    s.base = tsfs_time_now() / TSFS_NS_PER_DAY * TSFS_NS_PER_DAY - 5 * TSFS_NS_PER_DAY;
    open_engine(&s);
    for (; n < WRITERS + 4; n++) {
        hands[n] = (struct hand){&s, n};
        void *(*what)(void *) = n < WRITERS        ? write_rows
                                : n < WRITERS + 2  ? ask_questions
                                : n == WRITERS + 2 ? migrate
                                                   : meddle;
        assert_int_equal(pthread_create(&threads[n], NULL, what, &hands[n]), 0);
    }
    sleep(SECONDS);
    s.stop = true;
    while (n-- > 0)
        pthread_join(threads[n], NULL);
    snprintf(expected, sizeof(expected), "%llu", (unsigned long long)written(&s));
    assert_int_equal(ask(s.db, "SELECT count(*) FROM steady", line, sizeof(line)), 0);
    assert_string_equal(line, expected);
    close_engine(&s);
    open_engine(&s);
    assert_int_equal(ask(s.db, "SELECT sum(n) FROM steady", line, sizeof(line)), 0);
    assert_string_equal(line, expected);
    assert_int_equal(store(s.db, "steady", TSFS_FILE_CTL, "migrate\n"), 0);
    assert_int_equal(ask(s.db, "SELECT count(*) FROM steady", line, sizeof(line)), 0);
    assert_string_equal(line, expected);
    close_engine(&s);
    assert_int_equal(s.wrong, 0);
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, s.data), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
