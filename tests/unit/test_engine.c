/* The engine end to end, without FUSE: what is written is there, in every tier and after every restart. */
#include <pthread.h>
#include <time.h>

#include "engine_fixture.h"

/* Three machines, a point a minute over three days up to an hour ago. */
static void fill(struct fixture *f)
{
    static char text[1 << 20];
    int64_t now = tsfs_time_now() / TSFS_NS_PER_DAY * TSFS_NS_PER_DAY - TSFS_NS_PER_HOUR;
    for (int m = 0; m < 3; m++) {
        size_t len = 0;
        for (int i = 0; i < 3 * 1440; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                                    "m,machine=M%d,site=a temp=%d.5,rpm=%di %lld\n", m, i % 100, i % 7,
                                    (long long)(now - (3 * 1440 - i) * TSFS_NS_PER_MIN));
        assert_int_equal(put(f->db, text), len);
    }
}

static const char *const questions[] = {
    "SELECT count(*), sum(rpm), avg(temp), min(temp), max(temp) FROM m",
    "SELECT machine, count(*) AS n, sum(rpm) AS r FROM m GROUP BY machine ORDER BY machine",
    "SELECT bin(time, 1h) AS h, avg(temp), max(rpm) FROM m WHERE machine = 'M1' GROUP BY 1 ORDER BY h",
    "SELECT * FROM m WHERE machine IN ('M0', 'M2') AND temp > 98 ORDER BY time DESC, machine LIMIT 10",
    "SELECT machine, max_by(temp, time) AS last FROM m GROUP BY machine ORDER BY machine",
    "SELECT count(DISTINCT machine) FROM m WHERE time > ago(2d)",
};

static void same_in_every_tier(void **state)
{
    struct fixture *f = *state;
    enum { N = sizeof(questions) / sizeof(questions[0]) };
    char *before[N];
    fill(f);
    for (int i = 0; i < N; i++) {
        before[i] = strdup(ask(f->db, questions[i]));
        assert_null(strstr(before[i], "error "));
    }
    assert_string_equal(before[1], "machine,n,r\nM0,4320,12957\nM1,4320,12957\nM2,4320,12957\n");
    restart(f);
    for (int i = 0; i < N; i++)
        assert_string_equal(ask(f->db, questions[i]), before[i]);
    struct tsfs_node *m = table(f, "m");
    assert_int_equal(command(m, TSFS_FILE_CTL, "migrate\n"), 0);
    struct tsfs_buf stats = {0};
    assert_int_equal(tsfs_node_render(m, TSFS_FILE_STATS, &stats), 0);
    assert_non_null(memmem(stats.data, stats.len, "hot\t0\t", 6));
    assert_non_null(memmem(stats.data, stats.len, "cold\t12960\t3\t", 13));
    tsfs_buf_free(&stats);
    for (int i = 0; i < N; i++)
        assert_string_equal(ask(f->db, questions[i]), before[i]);
    tsfs_node_unref(m);
    restart(f);
    for (int i = 0; i < N; i++) {
        assert_string_equal(ask(f->db, questions[i]), before[i]);
        free(before[i]);
    }
}

static void late_rows_merge(void **state)
{
    struct fixture *f = *state;
    char line[256];
    fill(f);
    struct tsfs_node *m = table(f, "m");
    assert_int_equal(command(m, TSFS_FILE_CTL, "migrate\n"), 0);
    int64_t t =
        tsfs_time_now() / TSFS_NS_PER_DAY * TSFS_NS_PER_DAY - TSFS_NS_PER_HOUR - 1440 * TSFS_NS_PER_MIN;
    /* the same instant again, one field only: the other keeps its value; and one a nanosecond later */
    snprintf(line, sizeof(line), "m,machine=M1,site=a temp=1000 %lld\nm,site=a,machine=M1 rpm=3i %lld\n",
             (long long)t, (long long)t + 1);
    assert_int_equal(put(f->db, line), strlen(line));
    for (int pass = 0; pass < 3; pass++) {
        assert_string_equal(ask(f->db, "SELECT count(*), max(temp) FROM m"), "_col0,_col1\n12961,1000.0\n");
        assert_string_equal(ask(f->db, "SELECT temp, rpm FROM m WHERE temp = 1000"), "temp,rpm\n1000.0,3\n");
        if (pass == 0)
            assert_int_equal(command(m, TSFS_FILE_CTL, "migrate\n"), 0);
        if (pass == 1) {
            tsfs_node_unref(m);
            restart(f);
            m = table(f, "m");
        }
    }
    tsfs_node_unref(m);
}

static void bad_lines(void **state)
{
    struct fixture *f = *state;
    const char *text = "m,a=1 v=1 1000\nm,a=1 v=2 2000\nm,a=1 v= 3000\nm,a=1 v=4 4000\n";
    size_t good = 2 * strlen("m,a=1 v=1 1000\n");
    assert_int_equal(tsfs_node_lookup(f->db, "m", &(struct tsfs_node *){0}), -ENOENT);
    assert_int_equal(put(f->db, "m,a=1 v=1 1000000000000000000\n"), 30);
    assert_int_equal(put(f->db, text), good);
    assert_int_equal(put(f->db, text + good), -EINVAL);
    assert_int_equal(put(f->db, "m,a=1 v=t 4000\n"), -EINVAL);                /* another type */
    assert_int_equal(put(f->db, "m,v=1 a=1 4000\n"), -EINVAL);                /* roles exchanged */
    assert_int_equal(put(f->db, "m,a=1 time=1 4000\n"), -EINVAL);             /* a name that is taken */
    assert_int_equal(put(f->db, "m,a=1 v=1 9223372036854775807\n"), -ERANGE); /* far ahead */
    assert_int_equal(put(f->db, "m,a=\xff\xc3\xa9\xc2\x9b v=1 1\n"), -EINVAL);
    assert_int_equal(put(f->db, "m,a=1 v=1"), 9); /* unterminated: waits, then refused */
    struct tsfs_node *m = table(f, "m");
    assert_string_equal(ask(m, "SELECT count(*), sum(v) FROM m"), "_col0,_col1\n3,4.0\n");
    struct tsfs_buf text_of = {0};
    assert_int_equal(tsfs_node_render(f->db, TSFS_FILE_ERRORS, &text_of), 0);
    assert_int_equal(tsfs_buf_append(&text_of, "", 1), 0);
    assert_non_null(strstr(text_of.data, "line 1, column 9"));
    assert_non_null(strstr(text_of.data, "field \"v\" is boolean, but this table has it as double"));
    assert_non_null(strstr(text_of.data, "no newline at its end"));
    assert_non_null(strstr(text_of.data, "m,a=?\xc3\xa9   v=1 1"));
    tsfs_buf_free(&text_of);
    assert_int_equal(command(m, TSFS_FILE_CONFIG, "on_bad_line = skip\n"), 0);
    assert_int_equal(put(m, text), strlen(text));
    assert_string_equal(ask(m, "SELECT count(*), sum(v) FROM m"), "_col0,_col1\n4,8.0\n");
    tsfs_node_unref(m);
}

static void settings(void **state)
{
    struct fixture *f = *state;
    struct tsfs_node *t;
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "partition = 1h\nprecision = ms\n"), 0);
    assert_int_equal(tsfs_node_create(f->db, "x", &me, 0755, &t), 0);
    struct tsfs_buf text = {0};
    assert_int_equal(tsfs_node_render(t, TSFS_FILE_CONFIG, &text), 0);
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    assert_non_null(strstr(text.data, "partition = 1h\nprecision = ms\n")); /* inherited */
    tsfs_buf_free(&text);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "precision = s\nnonsense = 1\n"), -EINVAL);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "memory_retention = 0s\n"), -EINVAL);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "partition = 90m\n"), -EINVAL);
    assert_int_equal(put(t, "v=1 1500000000000\n"), 18);
    assert_string_equal(ask(t, "SELECT time, measure_name, v FROM x"),
                        "time,measure_name,v\n2017-07-14 02:40:00.000000000,x,1.0\n");
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "partition = 1d\n"), -EBUSY);
    assert_int_equal(command(t, TSFS_FILE_CTL, "migrat\n"), -EINVAL);
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "partition = 1d\n"), 0);
    assert_string_equal(ask(t, "SELECT count(*) FROM x"), "_col0\n0\n");
    tsfs_node_unref(t);
}

/* The setting of a node as its config shows it: "1d". */
static const char *setting(struct tsfs_node *node, const char *key)
{
    static char value[64];
    struct tsfs_buf text = {0};
    char line[64];
    value[0] = '\0';
    snprintf(line, sizeof(line), "%s = ", key);
    assert_int_equal(tsfs_node_render(node, TSFS_FILE_CONFIG, &text), 0);
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    const char *at = strstr(text.data, line);
    assert_non_null(at);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at + strlen(line), "\n"), at + strlen(line));
    tsfs_buf_free(&text);
    return value;
}

/* Writes n lines, step apart from `from` on, after `before` (may be empty), at once, to the table of that
 * name, and says how long its partitions are then. */
static const char *partition_after(struct fixture *f, const char *name, const char *before, int n,
                                   int64_t from, int64_t step)
{
    struct tsfs_buf text = {0};
    assert_int_equal(tsfs_buf_printf(&text, "%s", before), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(tsfs_buf_printf(&text, "%s v=%di %lld\n", name, i, (long long)(from + i * step)), 0);
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    assert_int_equal(put(f->db, text.data), (ssize_t)text.len - 1);
    tsfs_buf_free(&text);
    struct tsfs_node *t;
    assert_int_equal(tsfs_node_lookup(f->db, name, &t), 0);
    const char *length = setting(t, "partition");
    tsfs_node_unref(t);
    return length;
}

static void partition_follows_the_first_write(void **state)
{
    struct fixture *f = *state;
    const int64_t y2020 = INT64_C(1577836800) * TSFS_NS_PER_S, hour = TSFS_NS_PER_HOUR, day = 24 * hour;
    struct tsfs_node *t;
    assert_string_equal(setting(f->db, "partition"), "auto");
    assert_string_equal(partition_after(f, "daily", "", 1000, y2020, day), "3650d");
    assert_string_equal(partition_after(f, "hourly", "", 1000, y2020, hour), "1825d");
    assert_string_equal(partition_after(f, "minutes", "", 1000, y2020, hour / 12), "30d");
    assert_string_equal(partition_after(f, "dense", "", 1000, y2020, TSFS_NS_PER_S), "1d");
    /* what says too little */
    assert_string_equal(partition_after(f, "one", "", 1, y2020, day), "1d");
    assert_string_equal(partition_after(f, "few", "", 50, y2020, day), "1d");
    assert_string_equal(partition_after(f, "same", "", 1000, y2020, 0), "1d");
    assert_string_equal(partition_after(f, "short", "", 100, y2020, hour / 12), "1d");
    /* a lone point that is far away, a long pause */
    assert_string_equal(partition_after(f, "lone", "lone v=1i 0\n", 1000, y2020, TSFS_NS_PER_S), "1d");
    assert_string_equal(partition_after(f, "now", "now v=1i 0\n", 100, tsfs_time_now() - day, TSFS_NS_PER_S),
                        "1d");
    /* what goes on */
    assert_string_equal(partition_after(f, "live", "", 1000, tsfs_time_now() - 9 * day, day / 120), "1d");
    assert_string_equal(partition_after(f, "old", "", 1000, tsfs_time_now() - 1000 * day, day), "30d");
    /* it stays, over a restart and whatever comes later */
    assert_string_equal(partition_after(f, "daily", "", 5000, y2020 + 1000 * day, TSFS_NS_PER_S), "3650d");
    restart(f);
    assert_string_equal(partition_after(f, "daily", "", 1, INT64_C(-5000) * day, day), "3650d");
    assert_int_equal(tsfs_node_lookup(f->db, "daily", &t), 0);
    assert_string_equal(ask(t, "SELECT count(*) FROM daily"), "_col0\n6001\n");
    assert_int_equal(command(t, TSFS_FILE_CTL, "migrate\n"), 0);
    assert_string_equal(ask(t, "SELECT count(*), count(DISTINCT bin(time, 1d)) FROM daily"),
                        "_col0,_col1\n6001,1002\n");
    struct tsfs_cold_file file;
    assert_int_equal(tsfs_node_cold_stat(t, "20191220T000000Z-3650d.parquet", &file), 0);
    assert_int_equal(file.rows, 6000);
    assert_int_equal(tsfs_node_cold_stat(t, "19500106T000000Z-3650d.parquet", &file), 0);
    assert_int_equal(file.rows, 1);
    tsfs_node_unref(t);
    restart(f);
    assert_int_equal(tsfs_node_lookup(f->db, "daily", &t), 0);
    assert_int_equal(tsfs_node_cold_stat(t, "20191220T000000Z-3650d.parquet", &file), 0);
    assert_string_equal(ask(t, "SELECT count(*), count(DISTINCT bin(time, 1d)) FROM daily"),
                        "_col0,_col1\n6001,1002\n");
    /* chosen anew when the table is empty */
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "partition = auto\non_bad_line = skip\n"), 0);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "partition = 1d\n"), -EBUSY);
    assert_string_equal(partition_after(f, "daily", "", 1, INT64_C(-5000) * day, day), "3650d");
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "partition = auto\n"), 0);
    assert_string_equal(partition_after(f, "daily", "", 1000, y2020, TSFS_NS_PER_S), "1d");
    tsfs_node_unref(t);
}

/* Lines that are refused for their times say nothing, whatever else the write brings. */
static void partition_waits_for_points(void **state)
{
    struct fixture *f = *state;
    const int64_t y2020 = INT64_C(1577836800) * TSFS_NS_PER_S, day = TSFS_NS_PER_DAY;
    struct tsfs_buf text = {0};
    struct tsfs_node *a, *b;
    assert_int_equal(tsfs_node_create(f->db, "a", &me, 0755, &a), 0);
    assert_int_equal(tsfs_node_create(f->db, "b", &me, 0755, &b), 0);
    assert_int_equal(command(a, TSFS_FILE_CONFIG, "precision = s\n"), 0);
    assert_int_equal(command(b, TSFS_FILE_CONFIG, "precision = s\n"), 0);
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "on_bad_line = skip\n"), 0);
    assert_int_equal(command(a, TSFS_FILE_CONFIG, "on_bad_line = skip\n"), 0);
    assert_int_equal(command(b, TSFS_FILE_CONFIG, "on_bad_line = skip\n"), 0);
    /* a: nanoseconds as seconds, and years ahead; b: seconds before 1970, a few lines wrong */
    for (int i = 0; i < 100; i++)
        assert_int_equal(tsfs_buf_printf(&text, "a v=%di %lld\nb v=%di %lld\n", i,
                                         i % 2 ? (long long)(y2020 + i * day) : 5000000000LL + i * 86400, i,
                                         (long long)(i % 9 ? -i * day / TSFS_NS_PER_S : INT64_MIN)),
                         0);
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    assert_int_equal(put(f->db, text.data), (ssize_t)text.len - 1);
    assert_string_equal(setting(a, "partition"), "auto");
    assert_string_equal(setting(b, "partition"), "1825d");
    assert_string_equal(ask(f->db, "SELECT count(*) FROM b"), "_col0\n88\n");
    /* and those that are put right decide */
    assert_int_equal(command(a, TSFS_FILE_CONFIG, "precision = ns\n"), 0);
    assert_string_equal(partition_after(f, "a", "", 1000, y2020, day), "3650d");
    tsfs_node_unref(a);
    tsfs_node_unref(b);
    tsfs_buf_free(&text);
}

struct first_write {
    struct fixture *f;
    int number;
};

static void *write_first(void *arg)
{
    const struct first_write *x = arg;
    struct tsfs_buf text = {0};
    const int64_t y2020 = INT64_C(1577836800) * TSFS_NS_PER_S;
    /* each alone would choose another length */
    static const int64_t steps[] = {TSFS_NS_PER_DAY, TSFS_NS_PER_HOUR, TSFS_NS_PER_HOUR / 12, TSFS_NS_PER_S};
    int rc = 0;
    for (int i = 0; i < 1000 && rc == 0; i++)
        rc = tsfs_buf_printf(&text, "first,writer=%d v=%di %lld\n", x->number, i,
                             (long long)(y2020 + i * steps[x->number % 4]));
    struct tsfs_writer *w;
    if (rc == 0 && tsfs_writer_open(x->f->db, &me, &w) == 0) {
        rc = tsfs_writer_write(w, text.data, text.len) == (ssize_t)text.len ? 1 : 0;
        tsfs_writer_close(w);
    }
    tsfs_buf_free(&text);
    return rc == 1 ? arg : NULL;
}

/* Several writers bring the first points at once: one decides, and all keep to it. */
static void partition_of_concurrent_writers(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 5; round++) {
        struct first_write hands[8];
        pthread_t threads[8];
        for (int i = 0; i < 8; i++) {
            hands[i] = (struct first_write){f, i};
            assert_int_equal(pthread_create(&threads[i], NULL, write_first, &hands[i]), 0);
        }
        for (int i = 0; i < 8; i++) {
            void *done;
            assert_int_equal(pthread_join(threads[i], &done), 0);
            assert_ptr_equal(done, &hands[i]);
        }
        assert_string_equal(ask(f->db, "SELECT count(*) FROM first"), "_col0\n8000\n");
        restart(f);
        assert_string_equal(ask(f->db, "SELECT count(*) FROM first"), "_col0\n8000\n");
        struct tsfs_node *t = table(f, "first");
        assert_string_not_equal(setting(t, "partition"), "auto");
        assert_int_equal(command(t, TSFS_FILE_CTL, "migrate\n"), 0);
        assert_string_equal(ask(f->db, "SELECT count(*) FROM first"), "_col0\n8000\n");
        assert_int_equal(command(t, TSFS_FILE_CTL, "truncate\n"), 0);
        assert_int_equal(command(t, TSFS_FILE_CONFIG, "partition = auto\n"), 0);
        tsfs_node_unref(t);
    }
}

static void partition_within_retention(void **state)
{
    struct fixture *f = *state;
    const int64_t y2020 = INT64_C(1577836800) * TSFS_NS_PER_S, day = TSFS_NS_PER_DAY;
    struct tsfs_node *t;
    /* a tenth of the retention at most */
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "cold_retention = 20000d\n"), 0);
    assert_string_equal(partition_after(f, "a", "", 1000, y2020, day), "1825d");
    /* what is set is taken as it is */
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "cold_retention = 36500d\npartition = 12h\n"), 0);
    assert_string_equal(partition_after(f, "b", "", 100, y2020, day), "12h");
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "partition = 3650d\n"), 0);
    assert_string_equal(partition_after(f, "c", "", 1, y2020, day), "3650d");
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "partition = 3651d\n"), -EINVAL);
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "partition = never\n"), -EINVAL);
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "partition = 0s\n"), -EINVAL);
    /* longer than points are kept */
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "partition = 365d\ncold_retention = 300d\n"), -EINVAL);
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "partition = 30d\ncold_retention = 1d\n"), 0);
    /* a table that has points keeps them longer, and says so */
    assert_int_equal(tsfs_node_lookup(f->db, "c", &t), 0);
    assert_int_equal(command(t, TSFS_FILE_CONFIG, "cold_retention = 3000d\n"), 0);
    struct tsfs_buf text = {0};
    assert_int_equal(tsfs_node_render(t, TSFS_FILE_ERRORS, &text), 0);
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    assert_non_null(strstr(text.data, "3650d"));
    tsfs_buf_free(&text);
    tsfs_node_unref(t);
    /* both ends of time */
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG,
                             "partition = 3650d\ncold_retention = 106000d\nfuture_limit = 106000d\n"
                             "memory_retention = 106000d\n"),
                     0);
    assert_string_equal(
        partition_after(f, "ends", "ends v=1i -9223372036854775808\n", 1, INT64_MAX - TSFS_NS_PER_S, 1),
        "3650d");
    assert_int_equal(tsfs_node_lookup(f->db, "ends", &t), 0);
    const char *all = "time,v\n1677-09-21 00:12:43.145224192,1\n2262-04-11 23:47:15.854775807,0\n";
    assert_string_equal(ask(t, "SELECT time, v FROM ends ORDER BY time"), all);
    assert_int_equal(command(t, TSFS_FILE_CTL, "migrate\n"), 0);
    tsfs_node_unref(t);
    restart(f);
    assert_int_equal(tsfs_node_lookup(f->db, "ends", &t), 0);
    assert_string_equal(ask(t, "SELECT time, v FROM ends ORDER BY time"), all);
    tsfs_node_unref(t);
}

/* WITH queries that read the one before them twice: each is computed once, and looked at once. */
static void queries_upon_queries(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f->db, "m v=1\n"), 6);
    for (int i = 0; i < 2; i++) {
        struct tsfs_buf text = {0};
        assert_int_equal(tsfs_buf_printf(&text, "WITH a0 AS (SELECT max(v) AS x FROM m)"), 0);
        for (int k = 0; k < 60; k++) {
            assert_int_equal(tsfs_buf_printf(&text, ", a%d AS (", k + 1), 0);
            assert_int_equal(i == 0
                                 ? tsfs_buf_printf(&text, "SELECT x FROM a%d UNION SELECT x FROM a%d)", k, k)
                                 : tsfs_buf_printf(&text,
                                                   "SELECT max(a.x) AS x FROM a%d AS a JOIN a%d AS b "
                                                   "ON a.x = b.x)",
                                                   k, k),
                             0);
        }
        assert_int_equal(tsfs_buf_printf(&text, " SELECT x FROM a60"), 0);
        assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
        assert_string_equal(ask(f->db, text.data), "x\n1.0\n");
        tsfs_buf_free(&text);
    }
}

/* Points with one value, called measure_value::type: the type of the measure is that of the value. */
static void single_values(void **state)
{
    struct fixture *f = *state;
    struct tsfs_node *t;
    assert_int_equal(tsfs_node_create(f->db, "m", &me, 0755, &t), 0);
    const char *lines = "cpu,h=1 measure_value::double=1.5 1500000000000000000\n"
                        "up,h=1 measure_value::boolean=t 1500000000000000000\n"
                        "state,h=1 measure_value::varchar=\"x\" 1500000000000000000\n"
                        "two,h=1 measure_value::double=1,measure_value::bigint=2i 1500000000000000000\n"
                        "many,h=1,z=2 v=1 1500000000000000000\n";
    const char *expect = "measure_name,data_type,dimensions\n"
                         "cpu,double,\"[(h, varchar)]\"\n"
                         "many,multi,\"[(h, varchar), (z, varchar)]\"\n"
                         "state,varchar,\"[(h, varchar)]\"\n"
                         "two,multi,\"[(h, varchar)]\"\n"
                         "up,boolean,\"[(h, varchar)]\"\n";
    assert_int_equal(put(t, lines), strlen(lines));
    assert_string_equal(ask(f->db, "SHOW MEASURES FROM m"), expect);
    migrate(f);
    assert_string_equal(ask(f->db, "SHOW MEASURES FROM m"), expect);
    assert_int_equal(put(t, lines), strlen(lines));
    assert_string_equal(ask(f->db, "SHOW MEASURES FROM m"), expect);
    tsfs_node_unref(t);
}

static void tree(void **state)
{
    struct fixture *f = *state;
    struct tsfs_node *t;
    assert_int_equal(tsfs_node_create(f->db, "write", &me, 0755, &t), -EEXIST);
    assert_int_equal(tsfs_node_create(f->db, ".x", &me, 0755, &t), -EINVAL);
    assert_int_equal(tsfs_node_create(f->db, "a b", &me, 0755, &t), -EINVAL);
    assert_int_equal(put(f->db, "m v=1\n"), 6);
    assert_int_equal(tsfs_node_remove(f->root, "plant"), -ENOTEMPTY);
    assert_int_equal(tsfs_node_remove(f->db, "m"), -ENOTEMPTY);
    assert_int_equal(tsfs_node_rename(f->db, "m", f->db, "n", false), 0);
    assert_string_equal(ask(f->db, "SELECT v FROM n"), "v\n1.0\n");
    restart(f);
    assert_string_equal(ask(f->db, "SELECT v FROM n"), "v\n1.0\n");
    t = table(f, "n");
    assert_int_equal(command(t, TSFS_FILE_CTL, "truncate"), 0);
    tsfs_node_unref(t);
    assert_int_equal(tsfs_node_remove(f->db, "n"), 0);
    assert_int_equal(tsfs_node_remove(f->root, "plant"), 0);
    tsfs_node_unref(f->db);
    assert_int_equal(tsfs_node_create(f->root, "plant", &me, 0755, &f->db), 0);
}

static void errors_of_queries(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f->db, "machine_metrics,machine=M1 temp=1\n"), 34);
    assert_string_equal(ask(f->db, "SELECT tempp FROM machine_metrics"),
                        "error 22: no column \"tempp\" in machine_metrics (did you mean \"temp\"?)");
    assert_non_null(
        strstr(ask(f->db, "SELECT temp FROM machine_metric"), "did you mean \"machine_metrics\"?"));
    assert_non_null(strstr(ask(f->root, "SELECT temp FROM machine_metrics"), "needs its database"));
    assert_string_equal(ask(f->root, "SELECT temp FROM plant.machine_metrics"), "temp\n1.0\n");
    assert_string_equal(ask(f->db, "SELECT 1 / 0"), "error 22: division by zero");
}

static size_t hot_memory(struct fixture *f)
{
    struct tsfs_buf status = {0};
    assert_int_equal(tsfs_node_render(f->root, TSFS_FILE_STATUS, &status), 0);
    assert_int_equal(tsfs_buf_append(&status, "", 1), 0);
    const char *at = strstr(status.data, "memory_used = ");
    assert_non_null(at);
    size_t used = strtoull(at + 14, NULL, 10);
    tsfs_buf_free(&status);
    return used;
}

/* A write that need not wait is taken at once; one that must takes nothing, and says so instead. */
static void a_write_says_that_it_must_wait(void **state)
{
    char data[] = "/tmp/tsfs-unit-XXXXXX", command_text[64];
    struct tsfs_engine_options options = {.threads = 1, .memory = 1}; /* the first point fills it */
    struct tsfs_error err = {0};
    struct tsfs_engine *engine;
    struct tsfs_node *db;
    struct tsfs_writer *w;
    const struct tsfs_creds creds = {.uid = getuid(), .gid = getgid()};
    static const char *const lines[] = {"m,a=1 v=", "1\n", "m,a=1 v=2 1\n"};
    assert_non_null(options.data = mkdtemp(data));
    assert_int_equal(tsfs_engine_open(&options, &engine, &err), 0);
    struct tsfs_node *root = tsfs_engine_root(engine);
    assert_int_equal(tsfs_node_create(root, "d", &creds, 0755, &db), 0);
    assert_int_equal(tsfs_writer_open(db, &creds, &w), 0);
    bool must_wait = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tsfs_writer_write_now(w, lines[i], strlen(lines[i]), &must_wait), strlen(lines[i]));
        assert_false(must_wait);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tsfs_writer_write_now(w, lines[2], strlen(lines[2]), &must_wait), 0);
        assert_true(must_wait);
    }
    assert_int_equal(tsfs_writer_flush(w), 0); /* nothing of it waits */
    tsfs_writer_close(w);
    assert_string_equal(ask(db, "SELECT count(*), max(v) FROM m"), "_col0,_col1\n1,1.0\n");
    tsfs_node_unref(db);
    tsfs_node_unref(root);
    assert_int_equal(tsfs_engine_close(engine), 0);
    snprintf(command_text, sizeof(command_text), "rm -rf %s", data);
    assert_int_equal(system(command_text), 0);
}

/* A point each of the series [from, to), `days` ago. */
static void many_series(struct fixture *f, int from, int to, int days, int value)
{
    static char text[1 << 20];
    int64_t day = (tsfs_time_now() / TSFS_NS_PER_DAY - days) * TSFS_NS_PER_DAY;
    size_t len = 0;
    for (int i = from; i < to; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "s,pod=pod-%d,zone=z%d v=%di %lld\n", i,
                                i % 3, value, (long long)(day + (int64_t)value * TSFS_NS_PER_S));
    assert_int_equal(put(f->db, text), len);
}

/* Series without hot points cost nothing, and those of partitions that stay are not disturbed by that. */
static void series_come_and_go(void **state)
{
    struct fixture *f = *state;
    many_series(f, 0, 6000, 9, 1);
    many_series(f, 5900, 6100, 1, 2);
    struct tsfs_node *s = table(f, "s");
    size_t used = hot_memory(f);
    assert_true(used > 6100 * 150);
    /* the old partition goes; the young one keeps the index it was made with */
    assert_int_equal(command(s, TSFS_FILE_CONFIG, "cold_retention = 1d\nmemory_retention = 2d\n"), 0);
    for (int i = 0; i < 200 && strcmp(ask(f->db, "SELECT count(*) FROM s"), "_col0\n200\n") != 0; i++)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    assert_string_equal(ask(f->db, "SELECT count(*), min(v) FROM s"), "_col0,_col1\n200,2\n");
    many_series(f, 6050, 6150, 1, 3); /* known and new ones where the old index is */
    many_series(f, 5950, 6200, 0, 4); /* and where the new one is */
    const char *const asked[] = {
        "SELECT count(*), count(DISTINCT pod), sum(v) FROM s",
        "SELECT v FROM s WHERE pod = 'pod-6060' ORDER BY time",
        "SELECT count(*) FROM s WHERE pod = 'pod-5'",
        "SELECT sum(v) FROM s WHERE zone = 'z1' AND pod IN ('pod-5950', 'pod-6199', 'pod-6100')",
    };
    const char *const answers[] = {"_col0,_col1,_col2\n550,300,1700\n", "v\n2\n3\n4\n", "_col0\n0\n",
                                   "_col0\n17\n"};
    for (int restarted = 0; restarted < 2; restarted++) {
        for (int i = 0; i < 4; i++)
            assert_string_equal(ask(f->db, asked[i]), answers[i]);
        tsfs_node_unref(s);
        if (!restarted)
            restart(f);
        s = table(f, "s");
    }
    assert_int_equal(command(s, TSFS_FILE_CTL, "migrate\n"), 0);
    for (int i = 0; i < 4; i++)
        assert_string_equal(ask(f->db, asked[i]), answers[i]);
    for (int i = 0; i < 200 && hot_memory(f) >= 64 << 10; i++) /* the last who holds it may be at work */
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    assert_true(hot_memory(f) < 64 << 10);
    many_series(f, 5950, 6200, 0, 4); /* the same once more */
    assert_string_equal(ask(f->db, asked[0]), answers[0]);
    tsfs_node_unref(s);
}

/* Lines whose fields come and go, forwards and backwards: every value finds its own column. */
static void fields_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct tsfs_buf text = {0};
    int64_t now = tsfs_time_now();
    long long sums[6] = {0};
    for (int i = 0; i < 400; i++) {
        unsigned mask = i == 0 ? 63 : (unsigned)(i * 29 + 7) % 63 + 1;
        char comma = ' ';
        assert_int_equal(tsfs_buf_printf(&text, "m,h=%d", i % 3), 0);
        for (int j = 0; j < 6; j++) {
            int k = i % 5 ? j : 5 - j;
            if (!(mask >> k & 1))
                continue;
            assert_int_equal(tsfs_buf_printf(&text, "%cf%d=%di", comma, k, k * 1000 + i), 0);
            sums[k] += k * 1000 + i;
            comma = ',';
        }
        assert_int_equal(tsfs_buf_printf(&text, " %lld\n", (long long)now - 1000000 + i), 0);
    }
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    assert_int_equal(put(f->db, text.data), (ssize_t)text.len - 1);
    tsfs_buf_free(&text);
    char expect[256];
    snprintf(expect, sizeof(expect), "a,b,c,d,e,f\n%lld,%lld,%lld,%lld,%lld,%lld\n", sums[0], sums[1],
             sums[2], sums[3], sums[4], sums[5]);
    const char *sql = "SELECT sum(f0) a, sum(f1) b, sum(f2) c, sum(f3) d, sum(f4) e, sum(f5) f FROM m";
    assert_string_equal(ask(f->db, sql), expect);
    restart(f);
    assert_string_equal(ask(f->db, sql), expect);
}

/* The kept side of a join that several threads probe is made when the query starts: that time counts too. */
static void making_a_side_times_out(void **state)
{
    struct fixture *f = *state;
    struct tsfs_buf text = {0};
    for (int i = 0; i < 60000; i++)
        assert_int_equal(
            tsfs_buf_printf(&text, "m,h=a a=1i,b=2i,c=3i,d=4i,e=5i %lld\n", (long long)(f->day + i)), 0);
    assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
    assert_int_equal(put(f->db, text.data), (ssize_t)text.len - 1);
    tsfs_buf_free(&text);
    assert_int_equal(command(f->db, TSFS_FILE_CONFIG, "query_timeout = 200ms\n"), 0);
    int64_t from = tsfs_time_monotonic();
    const char *answer = ask(
        f->db, "SELECT m.*, k FROM m JOIN (SELECT i * j AS k FROM UNNEST(sequence(1, 10000)) AS x(i) "
               "CROSS JOIN UNNEST(sequence(1, 10000)) AS y(j) CROSS JOIN UNNEST(sequence(1, 100)) AS z(l) "
               "WHERE i * j + l = 0) AS s ON a = k");
    assert_non_null(strstr(answer, "longer than query_timeout allows"));
    assert_true(tsfs_time_monotonic() - from < TSFS_NS_PER_MIN); /* all of it would take many */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_in_every_tier, setup, teardown),
        cmocka_unit_test_setup_teardown(late_rows_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(settings, setup, teardown),
        cmocka_unit_test_setup_teardown(partition_follows_the_first_write, setup, teardown),
        cmocka_unit_test_setup_teardown(partition_waits_for_points, setup, teardown),
        cmocka_unit_test_setup_teardown(partition_of_concurrent_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(partition_within_retention, setup, teardown),
        cmocka_unit_test_setup_teardown(queries_upon_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(single_values, setup, teardown),
        cmocka_unit_test_setup_teardown(tree, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_of_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(series_come_and_go, setup, teardown),
        cmocka_unit_test(a_write_says_that_it_must_wait),
        cmocka_unit_test_setup_teardown(making_a_side_times_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
