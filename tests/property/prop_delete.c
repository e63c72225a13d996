/* DELETE against a naive oracle: random writes, deletes, migrations, attached files, removed files and
 * restarts, and after each step the table must hold exactly what an array of points holds.  The counts that
 * deletes answer must be exact, a query that began before one must still see its rows, and a delete must
 * never touch what is written later nor bring back what it hides. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/random.h"
#include "base/io.h"
#include "base/time.h"
#include "tsfs/engine.h"

enum { HOSTS = 6, REGIONS = 3, NAMES = 2, SERIES = HOSTS * REGIONS * NAMES, TIMES = 48, PARTS = 4 };

struct point {
    bool there, has_a, has_b;
    int64_t a, b;
};

struct world {
    uint64_t seed;
    char data[64];
    struct tsfs_engine *engine;
    struct tsfs_node *root, *db, *table;
    int64_t base;
    struct point points[SERIES][TIMES];
    uint64_t deleted;
};

static const struct tsfs_creds me = {0};

static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)(test_random(&w->seed) >> 20) % n;
}

static int host_of(int s)
{
    return s % HOSTS;
}
static int region_of(int s) /* 0 = none */
{
    return s / HOSTS % REGIONS;
}
static int name_of(int s)
{
    return s / HOSTS / REGIONS;
}

/* Times crowd at the edges of the hours, which are the partitions. */
static int64_t time_of(const struct world *w, int t)
{
    static const int64_t offsets[TIMES / PARTS] = {0,
                                                   1,
                                                   2,
                                                   1000,
                                                   60000000000,
                                                   61000000000,
                                                   62000000000,
                                                   1800000000000,
                                                   3000000000000,
                                                   3599000000000,
                                                   3599999999998,
                                                   3599999999999};
    return w->base + t / (TIMES / PARTS) * TSFS_NS_PER_HOUR + offsets[t % (TIMES / PARTS)];
}

static void open_world(struct world *w)
{
    struct tsfs_error err = {0};
    struct tsfs_engine_options options = {.data = w->data, .threads = 2};
    int rc = tsfs_engine_open(&options, &w->engine, &err);
    if (rc < 0)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(tsfs_engine_start(w->engine, &err), 0);
    w->root = tsfs_engine_root(w->engine);
    rc = tsfs_node_lookup(w->root, "d", &w->db);
    if (rc == -ENOENT)
        rc = tsfs_node_create(w->root, "d", &me, 0755, &w->db);
    assert_int_equal(rc, 0);
    rc = tsfs_node_lookup(w->db, "t", &w->table);
    if (rc == -ENOENT) {
        rc = tsfs_node_create(w->db, "t", &me, 0755, &w->table);
        assert_int_equal(rc, 0);
        rc = tsfs_node_store(w->table, TSFS_FILE_CONFIG, "partition = 1h\n", 15, NULL, NULL, &err);
    }
    assert_int_equal(rc, 0);
}

static void close_world(struct world *w)
{
    tsfs_node_unref(w->table);
    tsfs_node_unref(w->db);
    tsfs_node_unref(w->root);
    assert_int_equal(tsfs_engine_close(w->engine), 0);
}

static struct tsfs_query *begin(struct world *w, const char *sql)
{
    struct tsfs_query *q;
    assert_int_equal(tsfs_query_create(w->table, &me, TSFS_QUERY_CSV, sql, strlen(sql), &q), 0);
    return q;
}

/* The rest of a query's result. */
static char *finish(struct tsfs_query *q, const char *sql)
{
    static char result[1 << 22];
    size_t have = 0;
    for (;;) {
        ssize_t n = tsfs_query_read(q, result + have, sizeof(result) - 1 - have, have, NULL, NULL);
        if (n < 0)
            print_error("%s\n%s\n", sql, tsfs_query_error(q)->message);
        assert_true(n >= 0);
        have += (size_t)n;
        result[have] = '\0';
        if (n == 0)
            break;
    }
    tsfs_query_free(q);
    return result;
}

static char *ask(struct world *w, const char *sql)
{
    return finish(begin(w, sql), sql);
}

static void write_points(struct world *w)
{
    static char text[1 << 16];
    size_t len = 0;
    uint32_t n = 1 + below(w, 60);
    int near = (int)below(w, SERIES);
    for (uint32_t i = 0; i < n; i++) {
        int s = below(w, 2) ? near : (int)below(w, SERIES);
        int t = (int)below(w, TIMES);
        struct point *p = &w->points[s][t];
        unsigned fields = 1 + below(w, 3);
        char tags[64] = "";
        if (region_of(s))
            snprintf(tags, sizeof(tags), ",region=r%d", region_of(s));
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "m%d,host=h%d%s ", name_of(s), host_of(s), tags);
        p->there = true;
        if (fields & 1) {
            p->a = below(w, 1000);
            p->has_a = true;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "a=%" PRId64 "i", p->a);
        }
        if (fields & 2) {
            p->b = below(w, 1000);
            p->has_b = true;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%sb=%" PRId64 "i", fields & 1 ? "," : "",
                                    p->b);
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %" PRId64 "\n", time_of(w, t));
    }
    struct tsfs_writer *writer;
    assert_int_equal(tsfs_writer_open(w->table, &me, &writer), 0);
    assert_int_equal(tsfs_writer_write(writer, text, len), len);
    tsfs_writer_close(writer);
}

static const char *time_text(int64_t ns)
{
    static char text[2][TSFS_TIME_TEXT_MAX + 1];
    static int turn;
    turn = !turn;
    text[turn][tsfs_time_format(ns, text[turn])] = '\0';
    return text[turn];
}

/* A condition as SQL, and the points that it takes out of the oracle. */
static void delete_points(struct world *w)
{
    char sql[1024], expected[64];
    size_t len = (size_t)snprintf(sql, sizeof(sql), "DELETE FROM t WHERE ");
    int64_t from = INT64_MIN, to = INT64_MAX;
    int h = (int)below(w, HOSTS), r = 1 + (int)below(w, REGIONS - 1), m = (int)below(w, NAMES);
    uint32_t kind = below(w, 9), range = below(w, 6);
    static const char *const conditions[] = {
        "true",
        "host = 'h%d'",
        "host <> 'h%d'",
        "host IN ('h%d', 'h0', 'none')",
        "region IS NULL",
        "(region = 'r%d' OR host LIKE '%%5')",
        "measure_name = 'm%d'",
        "upper(host) = 'H%d' AND region IS NOT NULL",
        "host || coalesce(region, '') > 'h%dr1'",
    };
    char upto[16];
    snprintf(upto, sizeof(upto), "h%dr1", h);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    len += (size_t)snprintf(sql + len, sizeof(sql) - len, conditions[kind],
                            kind == 5   ? r
                            : kind == 6 ? m
                                        : h);
#pragma GCC diagnostic pop
    int t0 = (int)below(w, TIMES), t1 = (int)below(w, TIMES);
    if (range == 1 || range == 2) {
        from = time_of(w, t0);
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, " AND time %s '%s'", range == 1 ? ">=" : ">",
                                time_text(from));
        from += range == 2;
    }
    if (range == 1 || range == 3) {
        to = time_of(w, t1);
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, " AND time < '%s'", time_text(to));
        to--;
    }
    if (range == 4) {
        from = time_of(w, t0 < t1 ? t0 : t1);
        to = time_of(w, t0 < t1 ? t1 : t0);
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, " AND time BETWEEN '%s' AND '%s'",
                                time_text(from), time_text(to));
    }
    if (range == 5) { /* an hour, which is a partition */
        from = w->base + (int64_t)below(w, PARTS) * TSFS_NS_PER_HOUR;
        to = from + TSFS_NS_PER_HOUR - 1;
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, " AND bin(time, 1h) = '%s'", time_text(from));
    }
    uint64_t rows = 0;
    for (int s = 0; s < SERIES; s++) {
        char both[16];
        bool hit = true;
        snprintf(both, sizeof(both), "h%d%s%.0d", host_of(s), region_of(s) ? "r" : "", region_of(s));
        switch (kind) {
        case 1: hit = host_of(s) == h; break;
        case 2: hit = host_of(s) != h; break;
        case 3: hit = host_of(s) == h || host_of(s) == 0; break;
        case 4: hit = region_of(s) == 0; break;
        case 5: hit = region_of(s) == r || host_of(s) == 5; break;
        case 6: hit = name_of(s) == m; break;
        case 7: hit = host_of(s) == h && region_of(s) != 0; break;
        case 8: hit = strcmp(both, upto) > 0; break;
        default: break;
        }
        for (int t = 0; hit && t < TIMES; t++) {
            if (time_of(w, t) < from || time_of(w, t) > to || !w->points[s][t].there)
                continue;
            w->points[s][t] = (struct point){0};
            rows++;
        }
    }
    w->deleted += rows;
    snprintf(expected, sizeof(expected), "rows\n%" PRIu64 "\n", rows);
    const char *got = ask(w, sql);
    if (strcmp(got, expected) != 0)
        print_error("%s\n", sql);
    assert_string_equal(got, expected);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All points of the oracle as sorted CSV. */
static char *picture(const struct world *w)
{
    char **lines = calloc(SERIES * TIMES, sizeof(*lines)), *text = calloc(1, 1 << 20);
    size_t n = 0, len = 0;
    for (int s = 0; s < SERIES; s++) {
        for (int t = 0; t < TIMES; t++) {
            const struct point *p = &w->points[s][t];
            char line[160], a[24] = "", b[24] = "", region[16] = "";
            if (!p->there)
                continue;
            if (p->has_a)
                snprintf(a, sizeof(a), "%" PRId64, p->a);
            if (p->has_b)
                snprintf(b, sizeof(b), "%" PRId64, p->b);
            if (region_of(s))
                snprintf(region, sizeof(region), "r%d", region_of(s));
            snprintf(line, sizeof(line), "m%d,h%d,%s,%s,%s,%s", name_of(s), host_of(s), region,
                     time_text(time_of(w, t)), a, b);
            lines[n++] = strdup(line);
        }
    }
    qsort(lines, n, sizeof(*lines), by_text);
    for (size_t i = 0; i < n; i++) {
        len += (size_t)sprintf(text + len, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    return text;
}

#define ALL "SELECT measure_name, host, region, time, a, b FROM t"

/* A result of ALL, sorted, without its header; changes text. */
static char *sorted(char *text)
{
    char **lines = calloc(SERIES * TIMES + 1, sizeof(*lines)), *out = calloc(1, 1 << 20), *save;
    size_t n = 0, len = 0;
    strtok_r(text, "\n", &save);
    for (char *line; (line = strtok_r(NULL, "\n", &save)) != NULL;) {
        assert_true(n < SERIES * TIMES);
        lines[n++] = line;
    }
    qsort(lines, n, sizeof(*lines), by_text);
    for (size_t i = 0; i < n; i++)
        len += (size_t)sprintf(out + len, "%s\n", lines[i]);
    free(lines);
    return out;
}

static void compare(struct world *w)
{
    char sums[128], expected[128];
    int64_t n = 0, a = 0, na = 0;
    for (int s = 0; s < SERIES; s++)
        for (int t = 0; t < TIMES; t++)
            if (w->points[s][t].there) {
                n++;
                na += w->points[s][t].has_a;
                a += w->points[s][t].has_a ? w->points[s][t].a : 0;
            }
    bool columns = strstr(ask(w, "DESCRIBE t"), "\na,") && strstr(ask(w, "DESCRIBE t"), "\nb,") &&
                   strstr(ask(w, "DESCRIBE t"), "\nregion,");
    if (!columns) /* nothing brought them yet */
        return;
    char *want = picture(w), *got = sorted(ask(w, ALL));
    assert_string_equal(got, want);
    free(got);
    free(want);
    if (na)
        snprintf(sums, sizeof(sums), "%" PRId64, a);
    else
        sums[0] = '\0';
    snprintf(expected, sizeof(expected), "n,na,s\n%" PRId64 ",%" PRId64 ",%s\n", n, na, sums);
    assert_string_equal(ask(w, "SELECT count(*) AS n, count(a) AS na, sum(a) AS s FROM t"), expected);
    /* the last and the first row of every host: a shortcut must not stop at rows that are gone */
    char ends[2048];
    size_t len = (size_t)snprintf(ends, sizeof(ends), "host,l,f\n");
    for (int h = 0; h < HOSTS; h++) {
        int first = TIMES, last = -1;
        for (int s = h; s < SERIES; s += HOSTS)
            for (int t = 0; t < TIMES; t++)
                if (w->points[s][t].there) {
                    first = t < first ? t : first;
                    last = t > last ? t : last;
                }
        if (last >= 0)
            len += (size_t)snprintf(ends + len, sizeof(ends) - len, "h%d,%s,%s\n", h,
                                    time_text(time_of(w, last)), time_text(time_of(w, first)));
    }
    assert_string_equal(
        ask(w, "SELECT host, max(time) AS l, min(time) AS f FROM t GROUP BY host ORDER BY host"), ends);
    char by_last[1 << 14];
    len = (size_t)snprintf(by_last, sizeof(by_last), "measure_name,host,region,v\n");
    for (int name = 0; name < NAMES; name++)
        for (int h = 0; h < HOSTS; h++)
            for (int r = 0; r < REGIONS; r++) {
                int s = name * HOSTS * REGIONS + r * HOSTS + h, last = -1;
                for (int t = 0; t < TIMES; t++)
                    last = w->points[s][t].there ? t : last;
                if (last < 0)
                    continue;
                const struct point *p = &w->points[s][last];
                char v[24] = "", region[16] = "";
                if (p->has_a)
                    snprintf(v, sizeof(v), "%" PRId64, p->a);
                if (r)
                    snprintf(region, sizeof(region), "r%d", r);
                len += (size_t)snprintf(by_last + len, sizeof(by_last) - len, "m%d,h%d,%s,%s\n", name, h,
                                        region, v);
            }
    assert_string_equal(ask(w,
                            "SELECT measure_name, host, region, max_by(a, time) AS v FROM t GROUP BY "
                            "measure_name, host, region ORDER BY measure_name, host, coalesce(region, '')"),
                        by_last);
}

static void migrate(struct world *w)
{
    struct tsfs_error err = {0};
    int rc = tsfs_node_store(w->table, TSFS_FILE_CTL, "migrate\n", 8, NULL, NULL, &err);
    if (rc < 0)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
}

/* A query that has begun reads on over what was there. */
static void delete_under_query(struct world *w)
{
    if (!strstr(ask(w, "DESCRIBE t"), "\nregion,"))
        return;
    struct tsfs_query *q = begin(w, ALL);
    if (tsfs_query_run(q, NULL, NULL) != 0) { /* no column a or b yet */
        tsfs_query_free(q);
        return;
    }
    char *want = picture(w);
    delete_points(w);
    if (below(w, 2))
        migrate(w);
    char *got = sorted(finish(q, ALL));
    assert_string_equal(got, want);
    free(got);
    free(want);
}

static int take_name(void *ctx, const struct tsfs_cold_file *file)
{
    struct tsfs_cold_file *files = ctx;
    while (files->name[0])
        files++;
    *files = *file;
    return 0;
}

static void take_off(struct world *w, int64_t start)
{
    for (int s = 0; s < SERIES; s++)
        for (int t = 0; t < TIMES; t++)
            if (time_of(w, t) >= start && time_of(w, t) < start + TSFS_NS_PER_HOUR)
                w->points[s][t] = (struct point){0};
}

/* A partition's file is taken out, its rows deleted, and the file put back: rows written later are new. */
static void attach_again(struct world *w)
{
    static struct tsfs_cold_file files[PARTS + 1];
    static struct point before[SERIES][TIMES];
    migrate(w);
    memset(files, 0, sizeof(files));
    assert_int_equal(tsfs_node_cold_list(w->table, take_name, files), 0);
    if (!files[0].name[0])
        return;
    int64_t start = files[0].t_min / TSFS_NS_PER_HOUR * TSFS_NS_PER_HOUR;
    memcpy(before, w->points, sizeof(before));
    int fd = tsfs_node_cold_open(w->table, files[0].name, &files[0]);
    assert_true(fd >= 0);
    for (int i = 0; i < 2; i++)
        delete_points(w);
    if (below(w, 4) == 0) { /* rm of the file, with deletes pending over it */
        int rc = tsfs_node_cold_remove(w->table, files[0].name);
        assert_true(rc == 0 || rc == -ENOENT);
        take_off(w, start);
    }
    compare(w);
    struct tsfs_error err = {0};
    int rc = tsfs_node_cold_attach(w->table, files[0].name, fd, &err);
    if (rc < 0)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
    close(fd);
    for (int s = 0; s < SERIES; s++)
        for (int t = 0; t < TIMES; t++)
            if (time_of(w, t) >= start && time_of(w, t) < start + TSFS_NS_PER_HOUR && before[s][t].there)
                w->points[s][t] = before[s][t];
}

static void step(struct world *w)
{
    switch (below(w, 12)) {
    case 0:
    case 1:
    case 2:
    case 3: write_points(w); break;
    case 4:
    case 5:
    case 6: delete_points(w); break;
    case 7: delete_under_query(w); break;
    case 8: migrate(w); break;
    case 9:
        close_world(w);
        open_world(w);
        break;
    case 10:
        if (below(w, 3) == 0)
            attach_again(w);
        break;
    default: write_points(w), delete_points(w), write_points(w); break;
    }
    compare(w);
}

static void against_oracle(void **state)
{
    (void)state;
    const char *rounds = getenv("ROUNDS"), *first = getenv("SEED");
    uint64_t n = rounds ? strtoull(rounds, NULL, 10) : 25, seed = first ? strtoull(first, NULL, 10) : 1;
    for (uint64_t end = seed + n; seed < end; seed++) {
        struct world *w = calloc(1, sizeof(*w));
        w->seed = seed * 0x9e3779b97f4a7c15;
        w->base = tsfs_time_now() / TSFS_NS_PER_HOUR * TSFS_NS_PER_HOUR - (PARTS + 1) * TSFS_NS_PER_HOUR;
        strcpy(w->data, "/tmp/tsfs-delete-XXXXXX");
        assert_non_null(mkdtemp(w->data));
        open_world(w);
        write_points(w);
        for (int i = 0; i < 60; i++) {
            if (getenv("VERBOSE"))
                print_message("seed %" PRIu64 " step %d\n", seed, i);
            step(w);
        }
        assert_true(w->deleted > 100); /* it was about something */
        close_world(w);
        assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, w->data), 0);
        free(w);
    }
}

/* Series long enough for blocks with summaries: cut in their middle, at their edges, between others, and
 * written again. */
enum { LONG_SERIES = 2, LONG = 9000, BINS = 30 };

static int64_t long_time(const struct world *w, int i)
{
    return w->base + (int64_t)i * 3 * TSFS_NS_PER_HOUR / 2 / LONG; /* an hour and a half: two partitions */
}

static void write_long(struct world *w, int64_t (*values)[LONG], int from, int to)
{
    static char text[1 << 20];
    size_t len = 0;
    for (int s = 0; s < LONG_SERIES; s++)
        for (int i = from; i < to; i++) {
            values[s][i] = below(w, 1000000) + 1;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "l,host=h%d v=%" PRId64 "i %" PRId64 "\n",
                                    s, values[s][i], long_time(w, i));
        }
    struct tsfs_writer *writer;
    assert_int_equal(tsfs_writer_open(w->table, &me, &writer), 0);
    assert_int_equal(tsfs_writer_write(writer, text, len), len);
    tsfs_writer_close(writer);
}

static void compare_long(struct world *w, int64_t (*values)[LONG])
{
    static char expected[1 << 14];
    size_t len = (size_t)snprintf(expected, sizeof(expected), "host,b,n,s,lo,hi\n");
    for (int s = 0; s < LONG_SERIES; s++) {
        for (int b = 0; b < BINS; b++) {
            int64_t n = 0, sum = 0, lo = INT64_MAX, hi = 0, start = w->base + b * 3 * TSFS_NS_PER_MIN;
            for (int i = 0; i < LONG; i++) {
                int64_t v = values[s][i];
                if (long_time(w, i) < start || long_time(w, i) >= start + 3 * TSFS_NS_PER_MIN || !v)
                    continue;
                n++;
                sum += v;
                lo = v < lo ? v : lo;
                hi = v > hi ? v : hi;
            }
            if (n)
                len += (size_t)snprintf(expected + len, sizeof(expected) - len,
                                        "h%d,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n", s,
                                        time_text(start), n, sum, lo, hi);
        }
    }
    assert_string_equal(ask(w, "SELECT host, bin(time, 3m) AS b, count(*) AS n, sum(v) AS s, min(v) AS lo, "
                               "max(v) AS hi FROM t GROUP BY host, bin(time, 3m) ORDER BY host, b"),
                        expected);
    len = (size_t)snprintf(expected, sizeof(expected), "host,n,s,l\n");
    for (int s = 0; s < LONG_SERIES; s++) {
        int64_t n = 0, sum = 0, last = 0;
        for (int i = 0; i < LONG; i++) {
            n += values[s][i] != 0;
            sum += values[s][i];
            last = values[s][i] ? values[s][i] : last;
        }
        if (n)
            len += (size_t)snprintf(expected + len, sizeof(expected) - len,
                                    "h%d,%" PRId64 ",%" PRId64 ",%" PRId64 "\n", s, n, sum, last);
    }
    assert_string_equal(ask(w, "SELECT host, count(*) AS n, sum(v) AS s, max_by(v, time) AS l FROM t GROUP "
                               "BY host ORDER BY host"),
                        expected);
    /* the last value alone: a scan for the ends of series */
    char last[256];
    len = (size_t)snprintf(last, sizeof(last), "host,l\n");
    for (int s = 0; s < LONG_SERIES; s++)
        for (int i = LONG - 1; i >= 0; i--)
            if (values[s][i]) {
                len += (size_t)snprintf(last + len, sizeof(last) - len, "h%d,%" PRId64 "\n", s, values[s][i]);
                break;
            }
    assert_string_equal(ask(w, "SELECT host, max_by(v, time) AS l FROM t GROUP BY host ORDER BY host"), last);
}

static void long_series(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        static int64_t values[LONG_SERIES][LONG];
        struct world *w = calloc(1, sizeof(*w));
        w->seed = seed * 0x9e3779b97f4a7c15;
        w->base = tsfs_time_now() / TSFS_NS_PER_HOUR * TSFS_NS_PER_HOUR - (PARTS + 1) * TSFS_NS_PER_HOUR;
        strcpy(w->data, "/tmp/tsfs-delete-XXXXXX");
        assert_non_null(mkdtemp(w->data));
        open_world(w);
        write_long(w, values, 0, LONG);
        if (seed % 2)
            migrate(w);
        for (int i = 0; i < 40; i++) {
            char sql[256], expected[64];
            int s = (int)below(w, LONG_SERIES + 1), from = (int)below(w, LONG), n = 0;
            int to = from + (int)below(w, below(w, 3) ? 100 : 3000);
            if (i % 8 == 7) {
                from = LONG - 1 - (int)below(w, 20); /* the newest rows */
                to = LONG - 1;
            }
            if (to >= LONG)
                to = LONG - 1;
            for (int k = 0; k < LONG_SERIES; k++)
                for (int j = from; j <= to && (s == k || s == LONG_SERIES); j++) {
                    n += values[k][j] != 0;
                    values[k][j] = 0;
                }
            snprintf(sql, sizeof(sql),
                     "DELETE FROM t WHERE %s AND time BETWEEN from_nanoseconds(%" PRId64 ") AND "
                     "from_nanoseconds(%" PRId64 ")",
                     s == 0   ? "host = 'h0'"
                     : s == 1 ? "host = 'h1'"
                              : "true",
                     long_time(w, from), long_time(w, to));
            snprintf(expected, sizeof(expected), "rows\n%d\n", n);
            assert_string_equal(ask(w, sql), expected);
            compare_long(w, values);
            if (below(w, 3) == 0) {
                write_long(w, values, from, from + (to - from) / 2);
                compare_long(w, values);
            }
            if (below(w, 12) == 0) {
                migrate(w);
                compare_long(w, values);
            }
        }
        close_world(w);
        assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, w->data), 0);
        free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_series), cmocka_unit_test(against_oracle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
