/* DELETE at its edges: what is refused, damaged records of deleted rows, running once, nothing left behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/hash.h"
#include "cold/tombstone.h"
#include "engine_fixture.h"

/* Three hosts, ten rows each in either of two days. */
static void fill(struct fixture *f)
{
    static char text[1 << 16];
    size_t len = 0;
    for (int d = 0; d < 2; d++)
        for (int h = 0; h < 3; h++)
            for (int i = 0; i < 10; i++)
                len += (size_t)snprintf(text + len, sizeof(text) - len, "m,host=h%d temp=%d.5 %lld\n", h, i,
                                        (long long)(f->day + d * TSFS_NS_PER_DAY + i * TSFS_NS_PER_MIN));
    assert_int_equal(put(f->db, text), len);
}

#define COUNT "SELECT count(*) AS n FROM m"

/* The file "del-..." of the day, below DATA, or an empty text. */
static const char *record_of(const struct fixture *f, int day, char path[256])
{
    char folder[128], name[40];
    unsigned n = tsfs_time_format(f->day + day * TSFS_NS_PER_DAY, name);
    assert_true(n >= 13);
    snprintf(folder, sizeof(folder), "%s/plant/m/%.10sT00Z", f->data, name);
    path[0] = '\0';
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (strncmp(e->d_name, "del-", 4) == 0)
            snprintf(path, 256, "%s/%.32s", folder, e->d_name);
    if (dir)
        closedir(dir);
    return path;
}

static void refusals(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"DELETE FROM m", "expected WHERE"},
        {"DELETE FROM m WHERE temp > 3", "\"temp\" is a measure"},
        {"DELETE FROM m WHERE host = 'h1' AND (temp IS NULL OR host = 'h2')", "\"temp\" is a measure"},
        {"DELETE FROM m WHERE host = 'h1' OR time < ago(1h)", "time can only be compared with constants"},
        {"DELETE FROM m WHERE hour(time) = 3", "time can only be compared with constants"},
        {"DELETE FROM m WHERE time IN (ago(1d), ago(2d))", "time can only be compared with constants"},
        {"DELETE FROM m WHERE host = 'h1' AND random() > 0.5", "must be the same each time"},
        {"DELETE FROM m WHERE nope = 'x'", "no column \"nope\""},
        {"DELETE FROM nope WHERE true", "no table \"nope\""},
        {"DELETE FROM m WHERE host", "boolean"},
        {"DELETE FROM m WHERE CAST(host AS bigint) = 3", "h"},
        {"EXPLAIN DELETE FROM m WHERE temp > 3", "\"temp\" is a measure"},
    };
    fill(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = ask(f->db, cases[i][0]);
        if (strncmp(got, "error 22: ", 10) != 0 || !strstr(got, cases[i][1]))
            print_error("%s\n%s\n", cases[i][0], got);
        assert_memory_equal(got, "error 22: ", 10);
        assert_non_null(strstr(got, cases[i][1]));
    }
    struct tsfs_error err = {0};
    const char *half = "DELETE FROM m", *wrong = "DELETE FROM m WHERE temp = 1;",
               *right = "DELETE FROM m WHERE true;";
    assert_int_equal(tsfs_query_check(f->db, &me, half, strlen(half), &err), 0);
    assert_int_equal(tsfs_query_check(f->db, &me, right, strlen(right), &err), 0);
    assert_int_equal(tsfs_query_check(f->db, &me, wrong, strlen(wrong), &err), -EINVAL);
    assert_non_null(strstr(ask(f->db, "EXPLAIN DELETE FROM m WHERE true"), "Scan plant.m"));
    /* neither error, check nor explanation deleted anything */
    assert_string_equal(ask(f->db, COUNT), "n\n60\n");
}

static void permission(void **state)
{
    struct fixture *f = *state;
    struct tsfs_creds other = {.uid = 4711, .gid = 4711};
    struct tsfs_attr attr;
    fill(f);
    struct tsfs_node *t = table(f, "m");
    assert_int_equal(tsfs_node_attr(t, TSFS_FILE_QUERY, &attr), 0);
    attr.mode = 0666;
    assert_int_equal(tsfs_node_set_attr(t, TSFS_FILE_QUERY, &attr), 0);
    assert_int_equal(tsfs_node_attr(t, TSFS_FILE_WRITE, &attr), 0);
    attr.mode = 0600;
    assert_int_equal(tsfs_node_set_attr(t, TSFS_FILE_WRITE, &attr), 0);
    const char *sql = "DELETE FROM m WHERE true;";
    assert_string_equal(finish(query(f->db, &other, COUNT)), "n\n60\n");
    assert_string_equal(finish(query(f->db, &other, sql)),
                        "error 13: no permission to write to plant.m, which a DELETE needs");
    assert_int_equal(tsfs_query_check(f->db, &other, sql, strlen(sql), NULL), -EACCES);
    attr.mode = 0602;
    assert_int_equal(tsfs_node_set_attr(t, TSFS_FILE_WRITE, &attr), 0);
    assert_string_equal(finish(query(f->db, &other, sql)), "rows\n60\n");
    tsfs_node_unref(t);
}

static void read_only(void **state)
{
    struct fixture *f = *state;
    fill(f);
    migrate(f);
    assert_string_equal(ask(f->db, "DELETE FROM m WHERE host = 'h1'"), "rows\n20\n");
    stop(f);
    f->read_only = true;
    start(f);
    const char *sql = "DELETE FROM m WHERE true;";
    assert_string_equal(ask(f->db, sql), "error 30: plant.m cannot be changed: it is mounted read-only");
    assert_int_equal(tsfs_query_check(f->db, &me, sql, strlen(sql), NULL), -EROFS);
    assert_string_equal(ask(f->db, COUNT), "n\n40\n");
    f->read_only = false;
    restart(f);
    assert_string_equal(ask(f->db, COUNT), "n\n40\n");
}

/* The same text, asked in several formats or again after its answer was dropped, deletes once. */
static void once(void **state)
{
    struct fixture *f = *state;
    struct tsfs_once *mark;
    const char *sql = "DELETE FROM m WHERE host = 'h1'";
    fill(f);
    assert_int_equal(tsfs_once_create(&mark), 0);
    for (int i = 0; i < 3; i++) {
        struct tsfs_query *q = query(f->db, &me, sql);
        tsfs_query_set_once(q, mark);
        assert_string_equal(finish(q), "rows\n20\n");
        if (i == 0)
            fill(f);
        assert_string_equal(ask(f->db, COUNT), "n\n60\n");
    }
    tsfs_once_unref(mark);
    assert_string_equal(ask(f->db, sql), "rows\n20\n");
    assert_string_equal(ask(f->db, sql), "rows\n0\n");
    assert_string_equal(ask(f->db, COUNT), "n\n40\n");
}

/* When all is deleted, the table is as empty as a new one. */
static void all_of_it(void **state)
{
    struct fixture *f = *state;
    char path[256];
    fill(f);
    migrate(f);
    fill(f);
    assert_string_equal(ask(f->db, "DELETE FROM m WHERE true"), "rows\n60\n");
    assert_string_equal(record_of(f, 0, path), "");
    assert_string_equal(ask(f->db, COUNT), "n\n0\n");
    restart(f);
    assert_string_equal(ask(f->db, COUNT), "n\n0\n");
    assert_int_equal(tsfs_node_remove(f->db, "m"), 0);
}

/* The next merge takes the records away, and what is written after it is not hidden. */
static void absorbed(void **state)
{
    struct fixture *f = *state;
    char path[256], sql[128];
    fill(f);
    migrate(f);
    for (int i = 0; i < 3; i++) {
        snprintf(sql, sizeof(sql),
                 "DELETE FROM m WHERE host = 'h%d' AND bin(time, 1d) = from_nanoseconds(%lld)", i,
                 (long long)f->day);
        assert_string_equal(ask(f->db, sql), "rows\n10\n");
    }
    assert_string_not_equal(record_of(f, 0, path), "");
    assert_string_equal(record_of(f, 1, path), ""); /* not concerned */
    migrate(f);
    assert_string_equal(record_of(f, 0, path), "");
    assert_string_equal(ask(f->db, COUNT), "n\n30\n");
    restart(f);
    assert_string_equal(ask(f->db, COUNT), "n\n30\n");
    fill(f); /* all of it anew: nothing is hidden any more */
    assert_string_equal(ask(f->db, COUNT), "n\n60\n");
}

static void damage(const char *path, int how)
{
    struct tsfs_buf b = {0};
    assert_int_equal(tsfs_io_read_file(AT_FDCWD, path, 1 << 20, &b), 0);
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    size_t len = how == 0 ? 0 : how == 1 ? b.len / 2 : how == 2 ? b.len - 1 : b.len;
    if (how == 3)
        b.data[b.len / 2] ^= 1;
    if (how == 4)
        memset(b.data, 0x5a, b.len);
    assert_int_equal(write(fd, b.data, len), len);
    close(fd);
    tsfs_buf_free(&b);
}

/* A record that cannot be read: its partition refuses to be read, loudly, and nothing else suffers. */
static void damaged_record(void **state)
{
    struct fixture *f = *state;
    char path[256], sql[256];
    fill(f);
    migrate(f);
    assert_string_equal(ask(f->db, "DELETE FROM m WHERE host = 'h1'"), "rows\n20\n");
    for (int how = 0; how < 5; how++) {
        struct tsfs_buf good = {0}, errors = {0};
        assert_string_not_equal(record_of(f, 0, path), "");
        stop(f);
        assert_int_equal(tsfs_io_read_file(AT_FDCWD, path, 1 << 20, &good), 0);
        damage(path, how);
        start(f);
        const char *got = ask(f->db, COUNT);
        assert_memory_equal(got, "error 5: partition ", 19);
        assert_non_null(strstr(got, "del-"));
        assert_memory_equal(ask(f->db, "DELETE FROM m WHERE host = 'h2'"), "error 5: ", 9);
        struct tsfs_node *t = table(f, "m");
        assert_int_equal(tsfs_node_render(t, TSFS_FILE_ERRORS, &errors), 0);
        assert_non_null(memmem(errors.data, errors.len, "record of deleted rows", 22));
        tsfs_buf_free(&errors);
        struct tsfs_error err = {0};
        assert_int_equal(tsfs_node_store(t, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, &err),
                         0); /* it is left alone */
        tsfs_node_unref(t);
        snprintf(sql, sizeof(sql), COUNT " WHERE time >= from_nanoseconds(%lld)",
                 (long long)(f->day + TSFS_NS_PER_DAY));
        assert_string_equal(ask(f->db, sql), "n\n20\n");
        assert_int_equal(access(path, F_OK), 0); /* kept for whoever can mend it */
        stop(f);
        int fd = open(path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, good.data, good.len), good.len);
        close(fd);
        tsfs_buf_free(&good);
        start(f);
        assert_string_equal(ask(f->db, COUNT), "n\n40\n");
    }
}

/* A record that a segment covers already, left behind by a crash, hides nothing and goes. */
static void left_behind(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct tsfs_buf b = {0};
    fill(f);
    migrate(f);
    assert_string_equal(ask(f->db, "DELETE FROM m WHERE host = 'h1'"), "rows\n20\n");
    record_of(f, 0, path);
    assert_int_equal(tsfs_io_read_file(AT_FDCWD, path, 1 << 20, &b), 0);
    fill(f);
    migrate(f);
    stop(f);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b.data, b.len), b.len);
    close(fd);
    tsfs_buf_free(&b);
    start(f);
    assert_string_equal(ask(f->db, COUNT), "n\n60\n");
    assert_int_equal(access(path, F_OK), -1);
}

/* Points are written once each while others are deleted, moved and counted: what deletes have answered and
 * what is left at the end must be what was written. */
enum { WRITERS = 2, BATCHES = 150, BATCH = 40 };

struct crowd {
    struct fixture *f;
    int number;
    _Atomic bool *done;
    uint64_t deleted;
};

static void *writes(void *ctx)
{
    struct crowd *c = ctx;
    static _Thread_local char text[1 << 14];
    for (int b = 0; b < BATCHES; b++) {
        size_t len = 0;
        for (int i = 0; i < BATCH; i++) {
            int k = b * BATCH + i;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "m,host=h%d temp=%d %lld\n", k % 5, k,
                                    (long long)(c->f->day + (k % 2) * TSFS_NS_PER_DAY +
                                                (k * (int64_t)WRITERS + c->number) * TSFS_NS_PER_S));
        }
        put(c->f->db, text);
    }
    return NULL;
}

static void *deletes(void *ctx)
{
    struct crowd *c = ctx;
    static const char *const texts[] = {"DELETE FROM m WHERE host = 'h1'", "DELETE FROM m WHERE host <> 'h3'",
                                        "DELETE FROM m WHERE bin(time, 1d) = from_nanoseconds(%lld)",
                                        "DELETE FROM m WHERE true"};
    for (unsigned i = 0; i < 4 || !*c->done; i++) {
        char sql[128], answer[64];
        struct tsfs_query *q;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(sql, sizeof(sql), texts[i % 4], (long long)c->f->day);
#pragma GCC diagnostic pop
        q = query(c->f->db, &me, sql);
        ssize_t n = 0, more;
        while ((more = tsfs_query_read(q, answer + n, sizeof(answer) - 1 - (size_t)n, (uint64_t)n, NULL,
                                       NULL)) > 0)
            n += more;
        if (more < 0)
            print_error("%s: %s\n", sql, tsfs_query_error(q)->message);
        assert_true(more == 0 && n > 5);
        answer[n] = '\0';
        c->deleted += strtoull(answer + 5, NULL, 10);
        tsfs_query_free(q);
        usleep(3000);
    }
    return NULL;
}

static void *moves(void *ctx)
{
    struct crowd *c = ctx;
    while (!*c->done) {
        migrate(c->f);
        usleep(5000);
    }
    return NULL;
}

static void counts_add_up(void **state)
{
    struct fixture *f = *state;
    _Atomic bool done = false;
    struct crowd crowd[WRITERS + 2];
    pthread_t threads[WRITERS + 2];
    put(f->db, "m,host=h3 temp=-1\n"); /* the table */
    for (int i = 0; i < WRITERS + 2; i++) {
        crowd[i] = (struct crowd){f, i, &done, 0};
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < WRITERS    ? writes
                                        : i == WRITERS ? deletes
                                                       : moves,
                                        &crowd[i]),
                         0);
    }
    for (int i = 0; i < WRITERS + 2; i++) {
        if (i == WRITERS)
            done = true;
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    uint64_t left = strtoull(ask(f->db, COUNT) + 2, NULL, 10);
    assert_true(crowd[WRITERS].deleted > 0);
    assert_int_equal(left + crowd[WRITERS].deleted, WRITERS * BATCHES * BATCH + 1);
    restart(f);
    assert_int_equal(strtoull(ask(f->db, COUNT) + 2, NULL, 10), left);
}

static const struct tsfs_io *real_io;
static _Atomic int renames_left, unlink_result; /* of del-* files; < 0: no limit */

static int fault_rename(int from_fd, const char *from, int to_fd, const char *to)
{
    if (strstr(to, "/del-") && renames_left >= 0 && renames_left-- == 0)
        return -ENOSPC;
    return real_io->renameat(from_fd, from, to_fd, to);
}

static int fault_unlink(int fd, const char *path, int flags)
{
    return strstr(path, "/del-") && unlink_result ? unlink_result : real_io->unlinkat(fd, path, flags);
}

/* A DELETE that fails half way is taken back; where it cannot be, what queries see is what a restart shows.
 */
static void half_way(void **state)
{
    struct fixture *f = *state;
    struct tsfs_io io = *tsfs_io();
    char path[256];
    real_io = tsfs_io();
    io.renameat = fault_rename;
    io.unlinkat = fault_unlink;
    renames_left = -1;
    unlink_result = 0;
    stop(f);
    tsfs_io_set(&io);
    start(f);
    fill(f);
    for (int unlinks = 0; unlinks < 2; unlinks++) {
        for (int at = 0; at < 2; at++) {
            renames_left = at;
            unlink_result = unlinks ? -EIO : 0;
            const char *got = ask(f->db, "DELETE FROM m WHERE host = 'h1'");
            assert_string_equal(
                got, "error 28: cannot keep a record of the deleted rows: No space left on device");
            renames_left = -1;
            const char *want = unlinks && at ? "n\n50\n" : "n\n60\n";
            assert_string_equal(ask(f->db, COUNT), want);
            unlink_result = 0;
            restart(f);
            assert_string_equal(ask(f->db, COUNT), want);
            if (!unlinks)
                assert_string_equal(record_of(f, 0, path), "");
        }
    }
    unlink_result = 0;
    assert_string_equal(ask(f->db, "DELETE FROM m WHERE host = 'h1'"), "rows\n10\n");
    assert_string_equal(ask(f->db, COUNT), "n\n40\n");
    stop(f);
    tsfs_io_set(NULL);
    start(f);
    assert_string_equal(ask(f->db, COUNT), "n\n40\n");
}

/* ---- the file's bytes ---- */

static struct tsfs_schema *some_schema(void)
{
    struct tsfs_schema *base, *schema;
    struct tsfs_column cols[] = {
        {.name = TSFS_STR("host"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = TSFS_STR("temp"), .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
        {.name = TSFS_STR("site"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR}};
    assert_int_equal(tsfs_schema_create(&base), 0);
    assert_int_equal(tsfs_schema_extend(base, cols, 3, &schema, NULL), 0);
    tsfs_schema_unref(base);
    return schema;
}

static bool has(const struct tsfs_tombstone *t, const char *name, const char *host, const char *site)
{
    struct tsfs_str dims[2] = {host ? tsfs_str_from(host) : (struct tsfs_str){NULL, 0},
                               site ? tsfs_str_from(site) : (struct tsfs_str){NULL, 0}};
    struct tsfs_series s = {tsfs_str_from(name), dims, 2};
    struct tsfs_buf key = {0};
    assert_int_equal(tsfs_tombstone_key(&s, &key), 0);
    bool yes = tsfs_tombstone_has(t, tsfs_buf_str(&key));
    tsfs_buf_free(&key);
    return yes;
}

static void some_record(const struct tsfs_schema *schema, struct tsfs_tombstone_builder *b)
{
    struct tsfs_str none = {NULL, 0};
    struct tsfs_str a[2] = {TSFS_STR("h1"), none}, c[2] = {none, TSFS_STR("h1")}, d[1] = {TSFS_STR("")};
    assert_int_equal(tsfs_tombstone_begin(b, schema, 7, false, -5, 9, 1), 0);
    assert_int_equal(tsfs_tombstone_add(b, &(struct tsfs_series){TSFS_STR("m"), a, 2}), 0);
    assert_int_equal(tsfs_tombstone_add(b, &(struct tsfs_series){TSFS_STR("m"), c, 2}), 0);
    assert_int_equal(tsfs_tombstone_add(b, &(struct tsfs_series){TSFS_STR("m"), c, 2}), 0);
    assert_int_equal(tsfs_tombstone_add(b, &(struct tsfs_series){TSFS_STR("mm"), d, 1}), 0);
    assert_int_equal(tsfs_tombstone_end(b), 0);
}

static void bytes(void **state)
{
    (void)state;
    struct tsfs_schema *schema = some_schema(), *other;
    struct tsfs_tombstone_builder b = {0};
    struct tsfs_tombstone *t;
    struct tsfs_tombstone_facts facts;
    struct tsfs_error err = {0};
    some_record(schema, &b);
    assert_int_equal(tsfs_tombstone_parse(tsfs_buf_str(&b.bytes), schema, &t, &err), 0);
    tsfs_tombstone_facts(t, &facts);
    assert_int_equal(facts.generation, 7);
    assert_int_equal(facts.series, 3);
    assert_true(!facts.all && facts.time_min == -5 && facts.time_max == 9);
    assert_true(has(t, "m", "h1", NULL) && has(t, "m", NULL, "h1") && has(t, "mm", "", NULL));
    assert_false(has(t, "m", "h1", "h1") || has(t, "m", NULL, NULL) || has(t, "mm", NULL, NULL) ||
                 has(t, "mm", NULL, "") || has(t, "m", "h", NULL));
    tsfs_tombstone_unref(t);
    /* a schema that does not have the names */
    assert_int_equal(tsfs_schema_create(&other), 0);
    assert_int_equal(tsfs_tombstone_parse(tsfs_buf_str(&b.bytes), other, &t, &err), -EINVAL);
    assert_non_null(strstr(err.message, "\"host\""));
    tsfs_schema_unref(other);
    /* cut anywhere, any bit turned over, any byte more: refused; with the checksum made right again, refused
     * or read, but never past its end (a sanitizer's business) */
    for (size_t n = 0; n < b.bytes.len; n++) {
        char *exact = malloc(n + 1);
        memcpy(exact, b.bytes.data, n);
        assert_int_equal(tsfs_tombstone_parse((struct tsfs_str){exact, n}, schema, &t, &err), -EINVAL);
        if (n > 56) {
            uint64_t sum = tsfs_hash(exact, n - 8);
            memcpy(exact + n - 8, &sum, 8);
            assert_int_equal(tsfs_tombstone_parse((struct tsfs_str){exact, n}, schema, &t, &err), -EINVAL);
        }
        free(exact);
    }
    for (size_t i = 0; i < b.bytes.len * 8; i++) {
        size_t n = b.bytes.len;
        char *exact = malloc(n);
        memcpy(exact, b.bytes.data, n);
        exact[i / 8] = (char)(exact[i / 8] ^ 1 << i % 8);
        assert_int_equal(tsfs_tombstone_parse((struct tsfs_str){exact, n}, schema, &t, &err), -EINVAL);
        uint64_t sum = tsfs_hash(exact, n - 8);
        memcpy(exact + n - 8, &sum, 8);
        if (tsfs_tombstone_parse((struct tsfs_str){exact, n}, schema, &t, &err) == 0)
            tsfs_tombstone_unref(t);
        free(exact);
    }
    assert_int_equal(tsfs_buf_append(&b.bytes, "", 1), 0);
    assert_int_equal(tsfs_tombstone_parse(tsfs_buf_str(&b.bytes), schema, &t, &err), -EINVAL);
    tsfs_tombstone_builder_free(&b);
    tsfs_schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(permission, setup, teardown),
        cmocka_unit_test_setup_teardown(read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(once, setup, teardown),
        cmocka_unit_test_setup_teardown(all_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(absorbed, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_record, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(half_way, setup, teardown),
        cmocka_unit_test_setup_teardown(left_behind, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
