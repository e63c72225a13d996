/* Statements of several relations, from text to rows: joins, set operations, subqueries, windows, grouping
 * sets, WITH. Known answers, errors with their places, limits of memory.  What it would catch: a row lost or
 * doubled at a batch's edge, an outer join's condition in the wrong place, NULL treated as a value or the
 * other way round, a frame off by one, a subquery evaluated for the wrong row. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/function.h"
#include "plan/plan.h"
#include "sql_world.h"

static struct mock_table table, other;
static struct world world;

#define MINUTE (INT64_C(60) * 1000000000)

/* t: hosts h0..h3, three rows each, x = host + row / 2, n = 10 * host + row but NULL for (1, 2); u: hosts
 * h2..h4. */
static void fill(struct mock_table *t, uint32_t first, uint32_t hosts, uint32_t rows)
{
    static const char *const dims[] = {"host", "site"}, *const measures[] = {"x", "n", "s"};
    static const enum tsfs_type types[] = {TSFS_DOUBLE, TSFS_BIGINT, TSFS_VARCHAR};
    mock_table_init(t, dims, 2, measures, types, 3, hosts);
    for (uint32_t i = 0; i < hosts; i++) {
        struct mock_series *s = mock_series_rows(t, i, rows, true);
        uint32_t host = first + i;
        s->measure_name = TSFS_STR("m");
        s->dims[0] = tsfs_str_from(tsfs_arena_printf(&t->arena, "h%u", host));
        if (host != 3)
            s->dims[1] = host % 2 ? TSFS_STR("eu") : TSFS_STR("us");
        for (uint32_t r = 0; r < rows; r++) {
            s->times[r] = WORLD_NOW - (int64_t)(rows - r) * MINUTE;
            ((double *)s->measures[0].data)[r] = host + r * 0.5;
            ((int64_t *)s->measures[1].data)[r] = host * 10 + r;
            ((struct tsfs_str *)s->measures[2].data)[r] = r % 2 ? TSFS_STR("odd") : TSFS_STR("even");
            for (int m = 0; m < 3; m++)
                tsfs_bit_set(s->measures[m].valid, r);
            if (host == 1 && r == 2)
                tsfs_bit_clear(s->measures[1].valid, r);
        }
    }
}

static int setup(void **state)
{
    fill(&table, 0, 4, 3);
    fill(&other, 2, 3, 3);
    world_init(&world);
    world_add(&world, "t", &table, NULL);
    world_add(&world, "u", &other, NULL);
    return 0;
}

static int teardown(void **state)
{
    world_free(&world);
    mock_table_free(&table);
    mock_table_free(&other);
    return 0;
}

struct answer {
    const char *sql;
    const char *rows; /* one a line, cells as row_text has them; in any order unless the statement has one */
};

static void check(const struct answer *a)
{
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct result r;
    tsfs_arena_init(&arena, NULL);
    int rc = world_run(&world, a->sql, &arena, &r, &err);
    if (rc != 0)
        fail_msg("%s\nline %u, column %u: %s", a->sql, err.line, err.column, err.message);
    const char **got = result_text(&arena, &r);
    size_t n = 0, room = r.nrows + 64;
    const char **want = tsfs_arena_calloc(&arena, room, sizeof(*want));
    for (const char *p = a->rows; *p != '\0' && n < room;) {
        const char *end = strchr(p, '\n');
        size_t len = end == NULL ? strlen(p) : (size_t)(end - p);
        want[n++] = tsfs_arena_str(&arena, (struct tsfs_str){p, len}).ptr;
        p += len + (end != NULL);
    }
    if (strstr(a->sql, "ORDER BY 1") == NULL) {
        sort_text(got, r.nrows);
        sort_text(want, n);
    }
    bool same = n == r.nrows;
    for (size_t i = 0; i < n && same; i++)
        same = strcmp(got[i], want[i]) == 0;
    if (!same) {
        print_error("%s\n  expected %zu rows, found %zu:\n", a->sql, n, r.nrows);
        for (size_t i = 0; i < r.nrows; i++)
            print_error("    %s\n", got[i]);
        fail();
    }
    tsfs_arena_free(&arena);
}

#define CHECK_ALL(answers)                                                                                   \
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)                                        \
    check(&answers[i])

static void joins(void **state)
{
    static const struct answer answers[] = {
        {"SELECT t.host, u.host FROM t JOIN u ON t.n = u.n",
         "|'h2'|'h2'\n|'h2'|'h2'\n|'h2'|'h2'\n|'h3'|'h3'\n|'h3'|'h3'\n|'h3'|'h3'"},
        /* NULL = NULL is no match */
        {"SELECT count(*) FROM t a JOIN t b ON a.n = b.n", "|11"},
        {"SELECT count(*) FROM t a JOIN t b ON a.n IS NOT DISTINCT FROM b.n", "|12"},
        {"SELECT count(*) FROM t a, t b", "|144"},
        {"SELECT count(*) FROM t a CROSS JOIN u b WHERE a.host = b.host AND a.time = b.time", "|6"},
        {"SELECT i, v, w FROM (VALUES (1, 'a'), (2, 'b'), (CAST(NULL AS integer), 'c')) l(i, v) "
         "LEFT JOIN (VALUES (2, 'x'), (2, 'y'), (3, 'z')) r(i, w) USING (i)",
         "|1|'a'|-\n|2|'b'|'x'\n|2|'b'|'y'\n|-|'c'|-"},
        {"SELECT i, v, w FROM (VALUES (1, 'a'), (2, 'b')) l(i, v) RIGHT JOIN (VALUES (2, 'x'), (3, 'z')) "
         "r(i, w) USING (i)",
         "|2|'b'|'x'\n|3|-|'z'"},
        {"SELECT * FROM (VALUES (1, 'a'), (2, 'b')) l(i, v) FULL JOIN (VALUES (2, 'x'), (3, 'z')) r(i, w) "
         "USING (i)",
         "|1|'a'|-\n|2|'b'|'x'\n|3|-|'z'"},
        /* integer and double compare as doubles; -0 is 0, NaN is nothing's equal */
        {"SELECT l.a, r.b FROM (VALUES 1, 2) l(a) JOIN (VALUES 1e0, 2.5) r(b) ON l.a = r.b", "|1|1"},
        {"SELECT count(*) FROM (VALUES 0e0, nan()) l(a) JOIN (VALUES -0e0, nan()) r(b) ON l.a = r.b", "|1"},
        /* ON's conditions of an outer join are none of WHERE's */
        {"SELECT l.a, r.b FROM (VALUES 1, 2) l(a) LEFT JOIN (VALUES 1, 2) r(b) ON l.a = r.b AND l.a > 1",
         "|1|-\n|2|2"},
        {"SELECT l.a, r.b FROM (VALUES 1, 2) l(a) LEFT JOIN (VALUES 1, 2) r(b) ON l.a = r.b AND r.b > 1",
         "|1|-\n|2|2"},
        {"SELECT l.a, r.b FROM (VALUES 1, 2) l(a) LEFT JOIN (VALUES 1, 2) r(b) ON l.a = r.b WHERE r.b IS "
         "NULL",
         ""},
        {"SELECT l.a, r.b FROM (VALUES 1, 2) l(a) LEFT JOIN (VALUES 1) r(b) ON l.a = r.b WHERE coalesce(r.b, "
         "0) = 0",
         "|2|-"},
        {"SELECT l.a, r.b FROM (VALUES 1, 2) l(a) FULL JOIN (VALUES 2, 3) r(b) ON l.a < r.b - 1",
         "|1|3\n|2|-\n|-|2"},
        {"SELECT l.a FROM (VALUES 1, 2) l(a) LEFT JOIN (SELECT 1 AS b WHERE false) r ON true", "|1\n|2"},
        {"SELECT l.a, m.b, r.c FROM (VALUES 1, 2) l(a) JOIN ((VALUES 1, 2) m(b) JOIN (VALUES 2, 3) r(c) ON "
         "m.b = r.c) ON l.a = m.b",
         "|2|2|2"},
        {"SELECT a.host, count(*) FROM t a JOIN u b ON a.host = b.host JOIN t c ON b.host = c.host WHERE "
         "a.site = 'us' GROUP BY a.host",
         "|'h2'|27"},
        {"SELECT l.a, r.a FROM (VALUES 1) l(a), (VALUES 2) r(a)", "|1|2"},
        {"SELECT l.* FROM (VALUES (1, 2)) l(a, b) JOIN (VALUES (1, 3)) r(a, c) USING (a)", "|1|2"},
        {"SELECT * FROM (VALUES (1, 2)) l(a, b) JOIN (VALUES (1, 3)) r(a, c) USING (a)", "|1|2|3"},
    };
    CHECK_ALL(answers);
}

static void sets(void **state)
{
    static const struct answer answers[] = {
        {"VALUES (1, 'a'), (2, NULL)", "|1|'a'\n|2|-"},
        {"SELECT 1 UNION SELECT 1 UNION ALL SELECT 1", "|1\n|1"},
        {"SELECT 1 UNION ALL SELECT 2.5 UNION ALL SELECT NULL ORDER BY 1 DESC", "|2.5\n|1\n|-"},
        {"VALUES 1, 2, 2, NULL, NULL EXCEPT VALUES 2", "|1\n|-"},
        {"VALUES 1, 2, 2, 2, NULL EXCEPT ALL VALUES 2, NULL", "|1\n|2\n|2"},
        {"VALUES 1, 2, 2, NULL INTERSECT VALUES 2, 2, NULL, 5", "|2\n|-"},
        {"VALUES 1, 2, 2, 2 INTERSECT ALL VALUES 2, 2", "|2\n|2"},
        {"SELECT 1 UNION SELECT 2 INTERSECT SELECT 2 EXCEPT SELECT 1", "|2"},
        {"(SELECT host FROM t ORDER BY host DESC LIMIT 1) UNION ALL (SELECT host FROM u ORDER BY host LIMIT "
         "1)",
         "|'h3'\n|'h2'"},
        {"SELECT n FROM t UNION SELECT n FROM u ORDER BY 1 LIMIT 2 OFFSET 1", "|1\n|2"},
        {"SELECT count(*) FROM (SELECT host FROM t UNION SELECT host FROM u) WHERE host > 'h1'", "|3"},
        {"SELECT i FROM (VALUES (1, random()), (2, random())) v(i, r)", "|1\n|2"},
    };
    CHECK_ALL(answers);
}

static void subqueries(void **state)
{
    static const struct answer answers[] = {
        {"SELECT (SELECT max(x) FROM t), (SELECT x FROM t WHERE false)", "|4|-"},
        {"SELECT 5 IN (SELECT n FROM t), 0 IN (SELECT n FROM t), 5 NOT IN (SELECT n FROM t), 5 IN (SELECT n "
         "FROM t WHERE false), "
         "5 NOT IN (SELECT n FROM t WHERE n IS NOT NULL)",
         "|-|true|-|false|true"},
        {"SELECT none_match(ARRAY[3], e -> (SELECT x FROM t WHERE false) IS NOT NULL), any_match(ARRAY[3], e "
         "-> (SELECT max(n) FROM t) > 5)",
         "|true|true"},
        {"SELECT NULL IN (SELECT 1), NULL IN (SELECT 1 WHERE false), NULL NOT IN (SELECT 1 WHERE false)",
         "|-|false|true"},
        {"SELECT EXISTS (SELECT 1 FROM t), NOT EXISTS (SELECT 1 FROM t WHERE host = 'no')", "|true|true"},
        {"SELECT 5 > ALL (VALUES 1, 4), 5 > ALL (VALUES 1, NULL), 5 > ALL (VALUES 7, NULL), 5 > ALL (SELECT "
         "1 WHERE false)",
         "|true|-|false|true"},
        {"SELECT 5 > ANY (VALUES 7, 4), 5 > ANY (VALUES 7, NULL), 5 > SOME (VALUES 1, NULL), 5 > ANY (SELECT "
         "1 WHERE false)",
         "|true|-|true|false"},
        {"SELECT 5 = ALL (VALUES 5, 5), 5 = ALL (VALUES 5, 6), 5 <> ANY (VALUES 5, 6), 5 <> ANY (VALUES 5, "
         "5), 5 <> ALL (VALUES 4, 6)",
         "|true|false|true|false|true"},
        {"SELECT host FROM t WHERE time > (SELECT max(time) FROM t) - 30s ORDER BY 1",
         "|'h0'\n|'h1'\n|'h2'\n|'h3'"},
        {"SELECT DISTINCT host FROM t WHERE host IN (SELECT host FROM u WHERE x > 3) ORDER BY 1", "|'h3'"},
        {"SELECT host, x FROM t o WHERE x = (SELECT max(x) FROM t i WHERE i.host = o.host)",
         "|'h0'|1\n|'h1'|2\n|'h2'|3\n|'h3'|4"},
        {"SELECT host, (SELECT count(*) FROM u WHERE u.host = t.host AND u.n > t.n) FROM t WHERE s = 'odd'",
         "|'h0'|0\n|'h1'|0\n|'h2'|1\n|'h3'|1"},
        {"SELECT DISTINCT host FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.host = t.host)", "|'h2'\n|'h3'"},
        {"SELECT DISTINCT host FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.host = t.host AND u.x > 3.5)",
         "|'h0'\n|'h1'\n|'h2'"},
        {"SELECT DISTINCT host FROM t WHERE 2.5 NOT IN (SELECT x FROM u WHERE u.host = t.host)",
         "|'h0'\n|'h1'\n|'h3'"},
        {"SELECT host, max(x) FROM t GROUP BY host HAVING max(x) > (SELECT avg(x) FROM t) OR EXISTS (SELECT "
         "1 FROM u WHERE u.host = t.host AND u.n = 22)",
         "|'h2'|3\n|'h3'|4"},
        /* two levels: the inmost sees the outmost */
        {"SELECT DISTINCT host FROM t o WHERE EXISTS (SELECT 1 FROM u m WHERE m.n = (SELECT max(i.n) FROM u "
         "i WHERE i.host = o.host))",
         "|'h2'\n|'h3'"},
        /* the inmost takes nothing from the row next to it, but from the one further out */
        {"SELECT a FROM (VALUES 1, 2) w (a) WHERE 1 IN (SELECT 1 FROM (VALUES 1, 5) v (b) WHERE b IN (SELECT "
         "1 FROM (VALUES 2, 3) x (c) WHERE c = a))",
         "|2"},
        {"SELECT a FROM (VALUES 1, 2) w (a) WHERE a IN (SELECT b FROM (VALUES 1, 2) v (b) WHERE EXISTS "
         "(SELECT "
         "1 FROM (VALUES 2) x (c) WHERE c = a))",
         "|2"},
        {"SELECT a FROM (VALUES 1, 2, 3) w (a) WHERE NOT EXISTS (SELECT 1 FROM (VALUES 1, 2) v (b) WHERE b = "
         "a "
         "AND b = (SELECT max(c) FROM (VALUES 1, 2) x (c) WHERE c <= a - 1 OR c = a))",
         "|3"},
        {"SELECT a, (SELECT count(*) FROM (VALUES 1, 2, 2) v (b) WHERE b = a AND 2 = (SELECT max(c) FROM "
         "(VALUES 1, 2) x (c) WHERE c <= a)) FROM (VALUES 1, 2) w (a)",
         "|1|0\n|2|2"},
        /* a query of WITH whose own subqueries take something of it alone is free of what is around it */
        {"WITH c AS (SELECT a FROM (VALUES 1, 2, 2) v (a) WHERE a >= (SELECT max(b) FROM (VALUES 1, 2) x (b) "
         "WHERE b <= a)) SELECT a FROM (VALUES 1, 2) w (a) WHERE EXISTS (SELECT 1 FROM (VALUES 1, 2) y (d) "
         "WHERE d = a AND d = (SELECT max(a) FROM c))",
         "|2"},
        {"SELECT a, (WITH c AS (SELECT b FROM (VALUES 1, 2) v (b) WHERE b = (SELECT max(d) FROM (VALUES 1, "
         "2) "
         "x (d) WHERE d <= b AND d <= a)) SELECT (SELECT (SELECT sum(b) FROM c))) FROM (VALUES 1, 2) w (a)",
         "|1|1\n|2|3"},
        /* so does a query of WITH that is named further in */
        {"SELECT a, (WITH x (c) AS (VALUES (a)) SELECT (SELECT c FROM x)) FROM (VALUES 1, 2) w (a)",
         "|1|1\n|2|2"},
        {"SELECT a, (WITH x (c) AS (SELECT a), y (d) AS (SELECT c + 1 FROM x) SELECT (SELECT d FROM y) * "
         "(SELECT "
         "count(*) FROM y)) FROM (VALUES 1, 2) w (a)",
         "|1|2\n|2|3"},
        {"SELECT a, (SELECT sum(b) FROM (VALUES 1, 2, 3) v(b) WHERE b <= a) FROM (VALUES 1, 2, 3, 2) w(a)",
         "|1|1\n|2|3\n|2|3\n|3|6"},
        {"SELECT a, (SELECT b FROM (VALUES 1, 2) v(b) WHERE b = a) FROM (VALUES 1, 5) w(a)", "|1|1\n|5|-"},
        {"WITH c AS (SELECT host, max(x) AS m FROM t GROUP BY host) SELECT a.host, b.m FROM c a JOIN c b ON "
         "a.m = b.m - 1",
         "|'h0'|2\n|'h1'|3\n|'h2'|4"},
        {"WITH r AS (SELECT random() AS v) SELECT (SELECT v FROM r) = (SELECT v FROM r)", "|true"},
        {"WITH a (k) AS (VALUES 1, 2), b AS (SELECT k + 1 AS k FROM a) SELECT * FROM a JOIN b USING (k)",
         "|2"},
        {"SELECT CASE WHEN x > (SELECT avg(x) FROM t) THEN 'hi' ELSE 'lo' END AS c, count(*) FROM t GROUP BY "
         "1",
         "|'hi'|5\n|'lo'|7"},
        {"SELECT 3 IN (SELECT 3) AND 4 IN (1, (SELECT 4))", "|true"},
        {"SELECT sum((SELECT count(*) FROM u WHERE u.host = t.host)) FROM t", "|18"},
        /* a limit of the list's is no join's */
        {"SELECT n FROM t a WHERE n IN (SELECT n FROM t b WHERE b.host = a.host AND n IS NOT NULL ORDER BY n "
         "DESC LIMIT 1)",
         "|2\n|11\n|22\n|32"},
        {"SELECT n FROM t a WHERE n NOT IN (SELECT n FROM t b WHERE b.host = a.host AND n IS NOT NULL ORDER "
         "BY n DESC LIMIT 1)",
         "|0\n|1\n|10\n|20\n|21\n|30\n|31"},
        {"SELECT DISTINCT host FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.host = t.host ORDER BY x LIMIT "
         "1)",
         "|'h2'\n|'h3'"},
        /* an equality whose one side is of both rows */
        {"SELECT host, (SELECT count(*) FROM u WHERE t.x + u.x = u.x + 2e0) FROM t WHERE x >= 2e0 AND x < "
         "3e0",
         "|'h1'|9\n|'h2'|9\n|'h2'|0"},
        {"SELECT host, (SELECT max(u.x) FROM u WHERE t.x + u.x = u.x + 2e0) FROM t WHERE x = 2e0 OR x = 0e0",
         "|'h0'|-\n|'h1'|5\n|'h2'|5"},
        {"SELECT host, EXISTS (SELECT 1 FROM u WHERE coalesce(u.site, t.site) = u.host) FROM t WHERE n = 0",
         "|'h0'|false"},
        {"SELECT host FROM t WHERE n IN (0, 20) AND (EXISTS (SELECT 1 FROM u WHERE t.x + u.x = u.x + 2e0) OR "
         "false)",
         "|'h2'"},
        {"SELECT host FROM t WHERE n IN (0, 20) AND EXISTS (SELECT 1 FROM u WHERE t.x + u.x = u.x + 2e0)",
         "|'h2'"},
    };
    CHECK_ALL(answers);
}

static void windows(void **state)
{
    static const struct answer answers[] = {
        {"SELECT a, row_number() OVER (ORDER BY a), rank() OVER (ORDER BY a), dense_rank() OVER (ORDER BY "
         "a), percent_rank() OVER (ORDER BY a), "
         "cume_dist() OVER (ORDER BY a), ntile(2) OVER (ORDER BY a) FROM (VALUES 1, 2, 2, 5) v(a) ORDER BY "
         "1, 2",
         "|1|1|1|1|0|0.25|1\n|2|2|2|2|0.33333333333333331|0.75|1\n|2|3|2|2|0.33333333333333331|0.75|2\n|5|4|"
         "4|3|1|1|2"},
        {"SELECT a, sum(a) OVER (ORDER BY a), sum(a) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING), sum(a) OVER "
         "() FROM (VALUES 1, 2, 2) v(a) ORDER BY 1, 3",
         "|1|1|1|5\n|2|5|3|5\n|2|5|5|5"},
        {"SELECT a, sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING), sum(a) OVER (ORDER BY "
         "a ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING), "
         "count(*) OVER (ORDER BY a ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING) FROM (VALUES 1, 2, 4, 8) v(a) "
         "ORDER BY 1",
         "|1|3|6|0\n|2|7|12|0\n|4|14|8|1\n|8|12|-|2"},
        {"SELECT a, count(*) OVER (ORDER BY a RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING), count(*) OVER "
         "(ORDER BY a DESC RANGE BETWEEN 2 PRECEDING AND CURRENT ROW), "
         "count(*) OVER (ORDER BY a GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES 1, 2, 2, 4, "
         "NULL) v(a) ORDER BY 1",
         "|1|3|3|1\n|2|3|3|3\n|2|3|3|3\n|4|3|1|3\n|-|1|1|2"},
        {"SELECT host, time, avg(x) OVER (PARTITION BY host ORDER BY time RANGE BETWEEN INTERVAL '1' MINUTE "
         "PRECEDING AND CURRENT ROW) FROM t WHERE host = 'h1' ORDER BY 1, 2",
         "|'h1'|1714564620000000000|1\n|'h1'|1714564680000000000|1.25\n|'h1'|1714564740000000000|1.75"},
        {"SELECT a, lag(a) OVER (ORDER BY k), lead(a, 2, -1) OVER (ORDER BY k), lag(a) IGNORE NULLS OVER "
         "(ORDER BY k), lead(a) IGNORE NULLS OVER (ORDER BY k), "
         "first_value(a) IGNORE NULLS OVER (ORDER BY k ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), "
         "last_value(a) IGNORE NULLS OVER (ORDER BY k), "
         "nth_value(a, 2) OVER (ORDER BY k) FROM (VALUES (1, 10), (2, NULL), (3, 30), (4, NULL)) v(k, a) "
         "ORDER BY 1, 3",
         "|10|-|30|-|30|10|10|-\n|30|-|-1|10|-|30|30|-\n|-|30|-1|30|-|-|30|-\n|-|10|-|10|30|30|10|-"},
        {"SELECT host, max(x), rank() OVER (ORDER BY max(x) DESC), sum(count(*)) OVER () FROM t GROUP BY "
         "host ORDER BY 1",
         "|'h0'|1|4|12\n|'h1'|2|3|12\n|'h2'|3|2|12\n|'h3'|4|1|12"},
        {"SELECT host FROM (SELECT host, row_number() OVER (PARTITION BY site ORDER BY max(x) DESC) AS r "
         "FROM t GROUP BY host, site) WHERE r = 1",
         "|'h1'\n|'h2'\n|'h3'"},
        {"SELECT a, sum(DISTINCT b) OVER (ORDER BY a), count(DISTINCT b) OVER (ORDER BY a ROWS BETWEEN 1 "
         "PRECEDING AND CURRENT ROW), "
         "sum(b) FILTER (WHERE b > 1) OVER (ORDER BY a) FROM (VALUES (1, 1), (2, 1), (3, 2)) v(a, b) ORDER "
         "BY 1",
         "|1|1|1|-\n|2|1|1|-\n|3|3|2|2"},
        {"SELECT a, sum(a) OVER w, count(*) OVER (w ROWS CURRENT ROW) FROM (VALUES 1, 2) v(a) WINDOW w AS "
         "(ORDER BY a) ORDER BY 1",
         "|1|1|1\n|2|3|1"},
        {"SELECT a, min(s) OVER (ORDER BY a DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES (1, "
         "'b'), (2, 'a'), (3, 'c')) v(a, s) ORDER BY 1",
         "|1|'a'\n|2|'a'\n|3|'c'"},
        {"SELECT row_number() OVER () FROM t WHERE false", ""},
        {"SELECT a FROM (VALUES 3, 1, 2) v(a) ORDER BY row_number() OVER (ORDER BY a DESC) LIMIT 1", "|3"},
        {"SELECT CASE WHEN rank() OVER (ORDER BY a) = 1 THEN a END FROM (VALUES 3, 1) v(a)", "|1\n|-"},
    };
    CHECK_ALL(answers);
}

static void grouping(void **state)
{
    static const struct answer answers[] = {
        {"SELECT site, s, count(*), GROUPING(site, s) FROM t WHERE host < 'h2' GROUP BY ROLLUP (site, s)",
         "|'us'|'even'|2|0\n|'us'|'odd'|1|0\n|'eu'|'even'|2|0\n|'eu'|'odd'|1|0\n|'us'|-|3|1\n|'eu'|-|3|1\n|-|"
         "-|6|3"},
        {"SELECT site, s, count(*) FROM t WHERE host < 'h2' GROUP BY CUBE (site, s) HAVING GROUPING(site) = "
         "1",
         "|-|'even'|4\n|-|'odd'|2\n|-|-|6"},
        {"SELECT site, count(*) FROM t GROUP BY GROUPING SETS ((site), ())", "|'us'|6\n|'eu'|3\n|-|3\n|-|12"},
        {"SELECT site, count(*) FROM t WHERE false GROUP BY GROUPING SETS ((site), ())", "|-|0"},
        {"SELECT site, count(*) FROM t GROUP BY DISTINCT site, ROLLUP (site)", "|'us'|6\n|'eu'|3\n|-|3"},
        {"SELECT site, count(*) FROM t GROUP BY ALL site, ROLLUP (site)",
         "|'us'|6\n|'eu'|3\n|-|3\n|'us'|6\n|'eu'|3\n|-|3"},
        {"SELECT count(*), GROUPING(site) FROM t GROUP BY site", "|3|0\n|3|0\n|6|0"},
        {"SELECT array_join(a, '-'), n FROM (SELECT split(site, 'u') AS a, count(*) AS n FROM t GROUP BY 1)",
         "|'-s'|6\n|'e-'|3\n|-|3"},
        {"SELECT array_join(a, '-'), sum(n) FROM (SELECT split(site, 'u') AS a, count(*) AS n FROM t"
         " GROUP BY 1, bin(time, 1d)) GROUP BY 1",
         "|'-s'|6\n|'e-'|3\n|-|3"},
        {"SELECT array_join(a, '-'), b FROM (SELECT DISTINCT ARRAY['x', 'y'] AS a, 'z' AS b FROM t)",
         "|'x-y'|'z'"},
    };
    CHECK_ALL(answers);
}

/* Where it goes wrong and how that is said. */
static void errors(void **state)
{
    static const struct {
        const char *sql, *message;
    } cases[] = {
        {"SELECT x FROM t JOIN u ON t.host = u.host",
         "1:8 column \"x\" is ambiguous: it could be t.x or u.x"},
        {"SELECT t.x FROM t a JOIN u ON true", "1:8 no table \"t\" in FROM (did you mean \"a\"?)"},
        {"SELECT y FROM t JOIN u USING (host)", "1:8 no column \"y\" in t, u (did you mean \"x\"?)"},
        {"SELECT 1 FROM t JOIN u USING (y)", "1:31 no column \"y\" in t (did you mean \"x\"?)"},
        {"SELECT 1 FROM t JOIN u USING (host, host)", "1:37 USING names \"host\" twice"},
        {"SELECT 1 FROM t JOIN u ON t.x", "1:27 ON takes boolean, not double"},
        {"SELECT 1 FROM t JOIN u ON count(*) = 1", "1:27 ON cannot contain the aggregate count()"},
        {"SELECT 1 FROM t JOIN u ON t.x = u.s", "1:31 cannot compare double with varchar"},
        {"SELECT 1 UNION SELECT 1, 2", "1:10 the sides of UNION have 1 and 2 columns"},
        {"SELECT 1 INTERSECT SELECT 'a'", "1:10 column 1 of INTERSECT is of types integer and varchar"},
        {"VALUES (1, 2), (3)", "1:16 the rows of VALUES have 2 and 1 columns"},
        {"VALUES 1, 'a'", "1:11 column 1 of VALUES is of types integer and varchar"},
        {"SELECT (SELECT 1, 2)",
         "1:8 a subquery that is used as a value must have one column, this one has 2"},
        {"SELECT 1 IN (SELECT 1, 2)",
         "1:10 a subquery that is compared with must have one column, this one has 2"},
        {"SELECT 1 IN (SELECT 'a')", "1:10 cannot compare integer with varchar"},
        {"SELECT (SELECT n FROM t)", "1:8 the subquery gives more than one row"},
        {"SELECT host, (SELECT n FROM u WHERE u.host = t.host) FROM t",
         "1:14 the subquery gives more than one row"},
        {"SELECT host FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.host = t.hosst)",
         "1:65 no column \"hosst\" in t (did you mean \"host\"?)"},
        {"SELECT host, (SELECT max(n) FROM u WHERE u.n > t.n) FROM t GROUP BY host",
         "1:48 column \"n\" must appear in GROUP BY or stand inside an aggregate"},
        {"SELECT rank() FROM t", "1:8 the window function rank() needs OVER (..)"},
        {"SELECT abs(x) OVER () FROM t", "1:8 abs is no window function: it cannot take OVER"},
        {"SELECT host FROM t WHERE rank() OVER (ORDER BY x) = 1",
         "1:26 WHERE cannot contain the window function rank(): compute it in a subquery"},
        {"SELECT sum(rank() OVER ()) FROM t", "1:12 the window function rank() cannot stand inside sum()"},
        {"SELECT lag(rank() OVER ()) OVER () FROM t",
         "1:12 the window function rank() cannot stand inside lag()"},
        {"SELECT sum(x) OVER w FROM t", "1:20 no window \"w\""},
        {"SELECT sum(x) OVER (ORDER BY x, n RANGE 1 PRECEDING) FROM t",
         "1:20 RANGE with an offset needs ORDER BY one expression"},
        {"SELECT sum(x) OVER (ORDER BY x ROWS 1.5 PRECEDING) FROM t",
         "1:37 ROWS takes a whole number, not double"},
        {"SELECT sum(x) OVER (ORDER BY x ROWS -1 PRECEDING) FROM t",
         "1:37 a frame's offset cannot be negative"},
        {"SELECT sum(x) OVER (ORDER BY time RANGE 1 PRECEDING) FROM t",
         "1:41 cannot apply \"-\" to timestamp and integer: use an interval such as 5m"},
        {"SELECT sum(x) IGNORE NULLS OVER () FROM t", "1:8 sum cannot take IGNORE NULLS"},
        {"SELECT lag(x, n - 100) OVER (ORDER BY x) FROM t", "1:8 lag: the offset cannot be negative"},
        {"SELECT ntile(0) OVER () FROM t", "1:8 ntile: the number of tiles must be at least 1"},
        {"SELECT GROUPING(x) FROM t GROUP BY site",
         "1:17 GROUPING takes expressions of GROUP BY: this is none"},
        {"SELECT site FROM t WHERE GROUPING(site) = 1",
         "1:26 GROUPING can stand in SELECT, HAVING and ORDER BY only"},
        {"SELECT host, rank() OVER (ORDER BY x) FROM t GROUP BY host",
         "1:36 column \"x\" must appear in GROUP BY or stand inside an aggregate"},
        {"WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1", "1:23 WITH names \"a\" twice"},
        {"WITH a (x, y) AS (SELECT 1) SELECT 1", "1:6 a has 1 column, but names for 2 are given"},
        {"SELECT * FROM t NATURAL x",
         "1:25 expected JOIN, INNER, LEFT, RIGHT or FULL after NATURAL, found \"x\""},
    };
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct result r;
        char got[TSFS_ERROR_MESSAGE_MAX + 32] = "no error";
        tsfs_arena_init(&arena, NULL);
        if (world_run(&world, cases[i].sql, &arena, &r, &err) != 0)
            snprintf(got, sizeof(got), "%u:%u %s", err.line, err.column, err.message);
        if (strcmp(got, cases[i].message) != 0) {
            print_error("%s\n    expected %s\n    found    %s\n", cases[i].sql, cases[i].message, got);
            wrong++;
        }
        tsfs_arena_free(&arena);
    }
    assert_int_equal(wrong, 0);
}

/* More groups, keys and values than one thread merges: the same rows in the same order with one thread and
 * with many, and those that the table was filled with. */
static void many_groups(void **state)
{
    enum { HOSTS = 6, ROWS = 9000 };
    struct mock_table big;
    struct mock_options options = {.partition = 700 * MINUTE, .parts = 3, .run_rows = 900, .copies = true};
    struct tsfs_pool *pool;
    fill(&big, 0, HOSTS, ROWS);
    world_add(&world, "many", &big, &options);
    assert_int_equal(tsfs_pool_create(4, &pool), 0);
    static const struct answer answers[] = {
        {"SELECT count(*), sum(c), sum(m) FROM (SELECT host, time, count(*) AS c, max(n) AS m FROM many "
         "GROUP "
         "BY 1, 2)",
         "|54000|54000|244322988"},
        {"SELECT count(*), sum(c) FROM (SELECT CAST(n * 3 AS varchar) AS k, count(*) AS c FROM many GROUP BY "
         "1)",
         "|9051|54000"},
        {"SELECT count(DISTINCT host || CAST(time AS varchar)), count(DISTINCT time) FROM many",
         "|54000|9000"},
        {"SELECT host, count(DISTINCT x + 1000 * n), count(DISTINCT s) FROM many GROUP BY host ORDER BY 1",
         "|'h0'|9000|2\n|'h1'|8999|2\n|'h2'|9000|2\n|'h3'|9000|2\n|'h4'|9000|2\n|'h5'|9000|2"},
        {"SELECT count(*), sum(a.n) FROM many a JOIN many b ON a.host = b.host AND a.time = b.time",
         "|54000|244322988"},
        {"SELECT count(*), count(b.n) FROM many a LEFT JOIN (SELECT * FROM many WHERE n % 3 = 0) b ON a.host "
         "= "
         "b.host AND a.time = b.time",
         "|54000|17999"},
        {"SELECT count(*) FROM many WHERE host || CAST(time AS varchar) IN (SELECT host || CAST(time AS "
         "varchar) "
         "FROM many WHERE n % 4 = 1)",
         "|13500"},
        {"SELECT count(*) FROM many WHERE n NOT IN (SELECT n FROM many WHERE n < 5000)", "|24150"},
        {"SELECT count(*) FROM many WHERE n NOT IN (SELECT n FROM many)", "|0"},
    };
    CHECK_ALL(answers);
    world.pool = pool;
    CHECK_ALL(answers);
    static const char *const statements[] = {
        "SELECT host, time, count(*), max(n) FROM many GROUP BY 1, 2",
        "SELECT n % 5000, min_by(host, s), max_by(time, s), array_join(array_agg(host), ',') FROM many GROUP "
        "BY 1",
        "SELECT n, avg(x), sum(x), array_join(array_agg(CAST(time AS varchar)), ','), arbitrary(host) FROM "
        "many GROUP BY n",
        "SELECT DISTINCT host, n FROM many",
        "SELECT n % 3000, array_join(array_agg(DISTINCT CAST(time AS varchar)), ','), sum(DISTINCT x) FROM "
        "many "
        "GROUP BY 1",
        "SELECT a.n, array_join(array_agg(b.host), ','), avg(b.x) FROM many a JOIN many b ON a.time = b.time "
        "WHERE a.n < 2000 "
        "GROUP BY a.n",
        "SELECT a.host, b.n FROM many a JOIN t b ON a.host = b.host WHERE a.n > 20",
    };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct result one, all;
        tsfs_arena_init(&arena, NULL);
        world.pool = NULL;
        assert_int_equal(world_run(&world, statements[i], &arena, &one, &err), 0);
        world.pool = pool;
        assert_int_equal(world_run(&world, statements[i], &arena, &all, &err), 0);
        const char **x = result_text(&arena, &one), **y = result_text(&arena, &all);
        assert_int_equal(one.nrows, all.nrows);
        assert_true(one.nrows > 1500);
        for (size_t row = 0; row < one.nrows; row++)
            assert_string_equal(x[row], y[row]);
        tsfs_arena_free(&arena);
    }
    /* whatever the limit is met in, it is named, and nothing stays behind */
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        for (size_t limit = 1 << 20; limit <= 32 << 20; limit += limit / 2) {
            struct tsfs_arena arena;
            struct tsfs_error err = {0};
            struct tsfs_budget budget = {.limit = limit};
            struct result r;
            tsfs_arena_init(&arena, NULL);
            world.budget = &budget;
            int rc = world_run(&world, answers[i].sql, &arena, &r, &err);
            world.budget = NULL;
            if (rc != 0 && (rc != -ENOMEM || strstr(err.message, " needs more than query_memory (") == NULL))
                fail_msg("%s\n%zu bytes: %d %s", answers[i].sql, limit, rc, err.message);
            assert_int_equal(budget.used, 0);
            tsfs_arena_free(&arena);
            if (rc == 0)
                break;
        }
    }
    world.pool = NULL;
    world.ntables--;
    world.tables[world.ntables].source->ops->free(world.tables[world.ntables].source);
    tsfs_pool_free(pool);
    mock_table_free(&big);
}

/* More rows than a batch holds, on either side, with and without equalities. */
static void many_rows(void **state)
{
    struct mock_table big;
    struct mock_options options = {.partition = 500 * MINUTE, .parts = 3, .run_rows = 700, .copies = true};
    fill(&big, 0, 3, 5000);
    world_add(&world, "big", &big, &options);
    static const struct answer answers[] = {
        {"SELECT count(*), count(DISTINCT a.n) FROM big a JOIN big b ON a.n = b.n", "|44917|5020"},
        {"SELECT count(*) FROM big a LEFT JOIN t b ON a.host = b.host AND a.time = b.time WHERE b.host IS "
         "NULL",
         "|14991"},
        {"SELECT count(*), count(b.host) FROM t b RIGHT JOIN big a ON a.host = b.host AND a.time = b.time",
         "|15000|9"},
        {"SELECT count(*) FROM big a JOIN t b ON a.n < b.n - 20", "|39"},
        {"SELECT count(*) FROM big a WHERE EXISTS (SELECT 1 FROM t b WHERE a.host = b.host AND a.x > b.x)",
         "|14997"},
        {"SELECT count(*) FROM big a, (VALUES 1, 2, 3) v(i)", "|45000"},
        {"SELECT max(r), sum(r) FROM (SELECT row_number() OVER (PARTITION BY host ORDER BY time DESC) AS r "
         "FROM big)",
         "|5000|37507500"},
        {"SELECT sum(c) FROM (SELECT count(*) OVER (PARTITION BY host ORDER BY time ROWS BETWEEN 99 "
         "PRECEDING AND CURRENT ROW) AS c FROM big)",
         "|1485150"},
        {"SELECT sum(m) FROM (SELECT max(n) OVER (PARTITION BY host ORDER BY time ROWS BETWEEN 999 FOLLOWING "
         "AND 1500 FOLLOWING) AS m FROM big WHERE host = 'h0')",
         "|13877749"},
        {"SELECT count(*) FROM (SELECT n FROM big INTERSECT SELECT n FROM big WHERE n % 2 = 0)", "|2510"},
        {"SELECT count(*) FROM (SELECT host, n FROM big EXCEPT ALL SELECT host, n FROM big WHERE n % 2 = 0)",
         "|7501"},
        {"WITH c AS (SELECT host, n, row_number() OVER (ORDER BY n, host) AS r FROM big) SELECT count(*) "
         "FROM c a JOIN c b ON a.r = b.r + 1",
         "|14999"},
    };
    CHECK_ALL(answers);
    world.tables[world.ntables - 1].source->ops->free(world.tables[world.ntables - 1].source);
    world.ntables--;
    mock_table_free(&big);
}

/* Operators that keep rows fail by name when query_memory is small, and leave nothing behind. */
static void memory(void **state)
{
    static const struct {
        const char *sql, *operator;
    } cases[] = {
        {"SELECT count(*) FROM (SELECT a.time FROM t a, t b, t c, t d) x JOIN (SELECT a.time FROM t a, t b, "
         "t c, t d) "
         "y USING (time)",
         "a join"},
        {"SELECT max(r) FROM (SELECT rank() OVER (ORDER BY a.x) AS r FROM t a, t b, t c, t d)",
         "a window function"},
        {"SELECT 1 IN (SELECT a.x + b.x * 12 + c.x * 144 + d.x * 3000 FROM t a, t b, t c, t d)",
         "a subquery"},
        {"SELECT a.x + b.x * 12 + c.x * 144 + d.x * 3000 AS k, a.host || b.host || c.host FROM t a, t b, t "
         "c, t d EXCEPT SELECT 1e0, 'a'",
         ""},
        {"WITH w AS (SELECT DISTINCT a.x + b.x * 12 + c.x * 144 AS k, d.host FROM t a, t b, t c, t d) SELECT "
         "count(*) FROM w p JOIN w q ON p.k = q.k",
         ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_budget budget = {.limit = 256 << 10};
        struct result r;
        tsfs_arena_init(&arena, NULL);
        world.budget = &budget;
        int rc = world_run(&world, cases[i].sql, &arena, &r, &err);
        world.budget = NULL;
        if (rc != -ENOMEM || strncmp(err.message, cases[i].operator, strlen(cases[i].operator)) != 0)
            fail_msg("%s\n%d %s", cases[i].sql, rc, err.message);
        assert_non_null(strstr(err.message, "query_memory"));
        assert_int_equal(budget.used, 0);
        tsfs_arena_free(&arena);
    }
}

/* What the result of one frame is made with goes before that of the next. */
static void frames_leave_nothing(void **state)
{
    static const char *const calls[] = {"avg(x)",      "sum(x * 1e300)", "stddev(x)",
                                        "kurtosis(x)", "corr(x, n)",     "max(host)"};
    static const char *const frames[] = {"ROWS 40 PRECEDING", "ROWS UNBOUNDED PRECEDING"};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) * 2; i++) {
        char sql[512];
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_budget budget = {.limit = 6 << 20};
        struct result r;
        snprintf(sql, sizeof(sql),
                 "SELECT count(v) FROM (SELECT %s OVER (ORDER BY x, host %s) AS v FROM (SELECT a.x, a.host, "
                 "b.n FROM t a, t b, t c, t d))",
                 calls[i / 2], frames[i % 2]);
        tsfs_arena_init(&arena, NULL);
        world.budget = &budget;
        int rc = world_run(&world, sql, &arena, &r, &err);
        world.budget = NULL;
        if (rc != 0)
            fail_msg("%s\n%d %s", sql, rc, err.message);
        tsfs_arena_free(&arena);
    }
}

/* Strings of the kept side that are its keys lie in memory once: 2 MB of them here, or 1 and as many in
 * arrays. */
static void join_keeps_strings_once(void **state)
{
    static const char *const sqls[] = {
        "SELECT count(*), max(b.s) FROM (SELECT lpad(CAST(n AS varchar), 200, '0') AS s FROM "
        "UNNEST(sequence(1, 10000)) AS c (n)) a JOIN (SELECT n, lpad(CAST(n AS varchar), 200, '0') AS s FROM "
        "UNNEST(sequence(1, 10000)) AS c (n)) b ON a.s = b.s",
        "SELECT count(b.n), max(b.s) FROM (SELECT lpad(CAST(n AS varchar), 200, '0') AS s FROM "
        "UNNEST(sequence(1, 10000)) AS c (n)) a LEFT JOIN (SELECT ARRAY[lpad(CAST(n AS varchar), 200, '0')] "
        "AS l, n, lpad(CAST(n AS varchar), 200, '0') AS s FROM UNNEST(sequence(1, 5000)) AS c (n)) b ON "
        "ARRAY[a.s] = b.l AND a.s = b.s"};
    static const int most[] = {10000, 5000};
    /* 4500 and 5500 are enough for once, 6750 and 6500 too little for twice */
    static const size_t limits[] = {5500, 5900};
    for (size_t i = 0; i < 2; i++) {
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_budget budget = {.limit = limits[i] << 10};
        struct result r;
        tsfs_arena_init(&arena, NULL);
        world.budget = &budget;
        int rc = world_run(&world, sqls[i], &arena, &r, &err);
        world.budget = NULL;
        if (rc != 0)
            fail_msg("%s\n%d %s", sqls[i], rc, err.message);
        assert_int_equal(r.nrows, 1);
        assert_int_equal(r.values[0].i, most[i]);
        assert_int_equal(r.values[1].s.len, 200);
        char want[256];
        snprintf(want, sizeof(want), "%0200d", most[i]);
        assert_memory_equal(r.values[1].s.ptr, want, 200);
        tsfs_arena_free(&arena);
    }
}

static void explain(void **state)
{
    static const struct answer answers[] = {
        {"EXPLAIN SELECT t.host, u.x FROM t LEFT JOIN u USING (host) WHERE t.host = 'h1' AND u.n > 3 ORDER "
         "BY 1",
         "|'Project host, x'\n"
         "|'  Sort by host'\n"
         "|'    Join by hash of host = host'\n"
         "|'      Scan db.t columns=[host] series=(host = 'h1') lookup=[host: 1 value]'\n"
         "|'      Scan db.u columns=[host, x, n] series=(host = 'h1') rows=(n > 3) lookup=[host: 1 value] "
         "skip=[n not in 4 .. -]'"},
        {"EXPLAIN SELECT x FROM t WHERE n > (SELECT avg(n) FROM u) OR EXISTS (SELECT 1 FROM u WHERE u.n > "
         "t.n) ORDER BY 1",
         "|'First $1:'\n"
         "|'  Aggregate avg(n)'\n"
         "|'    Scan db.u columns=[n]'\n"
         "|'Project x'\n"
         "|'  Sort by x'\n"
         "|'    Filter ((CAST(n AS double) > $1) OR subquery)'\n"
         "|'      Subquery exists with $2 = n'\n"
         "|'        Scan db.t columns=[x, n]'\n"
         "|'        Project 1 AS _col0'\n"
         "|'          Scan db.u columns=[n] rows=(n > $2)'"},
        {"EXPLAIN SELECT host FROM t EXCEPT SELECT host FROM u ORDER BY 1",
         "|'Sort by host'\n|'  Except'\n|'    Scan db.t columns=[host]'\n|'    Scan db.u columns=[host]'"},
        {"EXPLAIN SELECT a.x FROM t a, t b, t c WHERE a.n = c.n AND b.x = c.x AND c.site = 'eu' ORDER BY 1",
         "|'Sort by x'\n"
         "|'  Project x'\n"
         "|'    Join by hash of x = x'\n"
         "|'      Join by hash of n = n'\n"
         "|'        Scan db.t columns=[x, n]'\n"
         "|'        Scan db.t columns=[site, x, n] series=(site = 'eu') lookup=[site: 1 value]'\n"
         "|'      Scan db.t columns=[x]'"},
        {"EXPLAIN SELECT (SELECT count(*) FROM u WHERE u.host = t.host) FROM t ORDER BY 1",
         "|'Sort by _col0'\n"
         "|'  Project coalesce(\"count(*)\", 0) AS _col0'\n"
         "|'    Left join by hash of host = host'\n"
         "|'      Scan db.t columns=[host]'\n"
         "|'      Aggregate count(*) by host'\n"
         "|'        Scan db.u columns=[host]'"},
    };
    CHECK_ALL(answers);
}

static void explain_delete(void **state)
{
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct result r;
    tsfs_arena_init(&arena, NULL);
    const char *sql = "EXPLAIN DELETE FROM t WHERE host = 'h1' AND time < TIMESTAMP '2024-01-01 00:00:00'";
    assert_int_equal(world_run(&world, sql, &arena, &r, &err), 0);
    assert_int_equal(r.nrows, 2);
    assert_string_equal(tsfs_arena_str(&arena, r.values[0].s).ptr, "Delete the series of");
    assert_non_null(strstr(tsfs_arena_str(&arena, r.values[1].s).ptr, "  Scan db.t "));
    assert_non_null(strstr(tsfs_arena_str(&arena, r.values[1].s).ptr, "h1"));
    assert_int_equal(world_run(&world, "EXPLAIN\nDELETE FROM t WHERE x > 1", &arena, &r, &err), -EINVAL);
    assert_int_equal(err.line, 2);
    tsfs_arena_free(&arena);
}

/* A join that all threads probe has its sides chosen once: who chooses opens the scans. */
static void sides_are_chosen_once(void **state)
{
    struct mock_table big;
    struct mock_options options = {.partition = 500 * MINUTE, .parts = 3, .run_rows = 700, .copies = true};
    static const struct answer answer = {
        "SELECT count(*), sum(a.n), max(a.x) FROM big a JOIN t b ON a.host = b.host",
        "|180000|1801709964|10001.5"};
    fill(&big, 0, 3, 20000);
    world_add(&world, "big", &big, &options);
    assert_int_equal(tsfs_pool_create(2, &world.pool), 0);
    int scans = mock_scans();
    check(&answer);
    assert_int_equal(mock_scans() - scans, 4);
    tsfs_pool_free(world.pool);
    world.pool = NULL;
    world.tables[world.ntables - 1].source->ops->free(world.tables[world.ntables - 1].source);
    world.ntables--;
    mock_table_free(&big);
}

/* Each read of a result brings its own interrupt to ask for: one of before may be gone. */
static unsigned asked;

static bool ask_reader(void *ctx)
{
    assert_true(*(const bool *)ctx);
    asked++;
    return false;
}

static void subqueries_ask_the_reader(void **state)
{
    struct tsfs_arena arena;
    struct tsfs_plan *plan;
    struct tsfs_exec *exec;
    struct tsfs_batch *batch;
    struct tsfs_error err = {0};
    bool before = false, now = true;
    struct tsfs_exec_options options = {
        .now = WORLD_NOW, .interrupted = ask_reader, .interrupted_ctx = &before};
    const char *sql =
        "SELECT (SELECT count(*) FROM t b, t c, t d, t e WHERE b.x + c.x + d.x > a.x * e.x) FROM t a";
    tsfs_arena_init(&arena, NULL);
    world.resolver.ctx = &world;
    assert_int_equal(
        tsfs_plan_query(tsfs_str_from(sql), &world.resolver, tsfs_functions(), &arena, &plan, &err), 0);
    assert_int_equal(tsfs_exec_open(plan, &options, &exec, &err), 0);
    tsfs_exec_resume(exec, &now, 0);
    asked = 0;
    assert_int_equal(tsfs_exec_next(exec, &batch, &err), 1);
    assert_true(asked > 1);
    tsfs_exec_close(exec);
    tsfs_arena_free(&arena);
}

static void explain_analyze(void **state)
{
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct result r;
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(
        world_run(&world,
                  "EXPLAIN ANALYZE SELECT t.n FROM t JOIN u ON t.host = u.host WHERE t.x > (SELECT 2)",
                  &arena, &r, &err),
        0);
    bool join = false, rows = false, read = false, scan = false;
    for (size_t i = 0; i < r.nrows; i++) {
        const char *line = tsfs_arena_str(&arena, r.values[i].s).ptr;
        join |= strstr(line, "Join by hash of host = host") != NULL && strstr(line, "(rows=15 time=") != NULL;
        rows |= strncmp(line, "Rows: 15 in ", 12) == 0;
        scan |= strstr(line, "Scan db.t ") != NULL && strstr(line, " partitions=") != NULL &&
                strstr(line, " series=4 pruned=") != NULL;
        read |= strncmp(line, "Read: ", 6) == 0 && strstr(line, " rows, ") != NULL;
    }
    assert_true(join && rows && read && scan);
    /* what is below UNNEST counts, too */
    assert_int_equal(world_run(&world,
                               "EXPLAIN ANALYZE SELECT y FROM (SELECT n FROM t LIMIT 3) CROSS JOIN "
                               "UNNEST(ARRAY[n, n]) AS v (y)",
                               &arena, &r, &err),
                     0);
    bool limit = false;
    for (size_t i = 0; i < r.nrows; i++) {
        const char *line = tsfs_arena_str(&arena, r.values[i].s).ptr;
        limit |= strstr(line, "Limit 3") != NULL && strstr(line, "(rows=3 time=") != NULL;
    }
    assert_true(limit);
    tsfs_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(joins, setup, teardown),
        cmocka_unit_test_setup_teardown(sets, setup, teardown),
        cmocka_unit_test_setup_teardown(subqueries, setup, teardown),
        cmocka_unit_test_setup_teardown(windows, setup, teardown),
        cmocka_unit_test_setup_teardown(grouping, setup, teardown),
        cmocka_unit_test_setup_teardown(errors, setup, teardown),
        cmocka_unit_test_setup_teardown(many_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(many_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(memory, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(join_keeps_strings_once, setup, teardown),
        cmocka_unit_test_setup_teardown(explain, setup, teardown),
        cmocka_unit_test_setup_teardown(explain_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(sides_are_chosen_once, setup, teardown),
        cmocka_unit_test_setup_teardown(subqueries_ask_the_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(explain_analyze, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
