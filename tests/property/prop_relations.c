/* Random statements over small random relations against loops that take one row at a time: joins of every
 * kind, subqueries with every quantifier, window functions over every frame.  Keys repeat and are NULL, sides
 * are empty. What it would catch: a row lost or doubled, NULL taken for a value or the other way round, a
 * subquery that answers for a row that has no match, a frame that ends a row or a peer too early. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sql_world.h"

#define ROWS_MAX 60
#define NOTHING  INT64_MIN
#define CASES    3000

struct row {
    int64_t id, k, v;
};

struct relation {
    struct row rows[ROWS_MAX];
    int n;
};

static struct world world;
static uint64_t seed = UINT64_C(0x1234567);

static uint32_t pick(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

static void fill(struct relation *r)
{
    static const int sizes[] = {0, 1, 2, 5, 9, 20, ROWS_MAX};
    int keys = 1 + (int)pick(8), values = 1 + (int)pick(6);
    bool nulls = pick(3) != 0;
    r->n = sizes[pick(7)];
    for (int i = 0; i < r->n; i++) {
        r->rows[i].id = i;
        r->rows[i].k = nulls && pick(5) == 0 ? NOTHING : pick((uint32_t)keys);
        r->rows[i].v = nulls && pick(5) == 0 ? NOTHING : (int64_t)pick((uint32_t)values) - 2;
    }
}

static void put(struct tsfs_buf *to, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    assert_int_equal(tsfs_buf_append(to, text, (size_t)n), 0);
}

static void put_value(struct tsfs_buf *to, int64_t value)
{
    if (value == NOTHING)
        put(to, "NULL");
    else
        put(to, "%" PRId64, value);
}

/* The relation as a WITH query. */
static void put_relation(struct tsfs_buf *to, const char *name, const struct relation *r)
{
    put(to, "%s AS (SELECT id, CAST(k AS bigint) AS k, CAST(v AS bigint) AS v FROM (VALUES (-1, 0, 0)", name);
    for (int i = 0; i < r->n; i++) {
        put(to, ", (%" PRId64 ", ", r->rows[i].id);
        put_value(to, r->rows[i].k);
        put(to, ", ");
        put_value(to, r->rows[i].v);
        put(to, ")");
    }
    put(to, ") x(id, k, v) WHERE id >= 0)");
}

/* ---- what is expected: rows of numbers ---- */

struct expected {
    struct tsfs_arena arena;
    const char **rows;
    size_t n, room;
};

static void expect(struct expected *e, int n, ...)
{
    char text[512] = "";
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n; i++) {
        int64_t v = va_arg(args, int64_t);
        size_t at = strlen(text);
        if (v == NOTHING)
            snprintf(text + at, sizeof(text) - at, "|NULL");
        else
            snprintf(text + at, sizeof(text) - at, "|%" PRId64, v);
    }
    va_end(args);
    if (e->n == e->room) {
        e->room = e->room == 0 ? 64 : e->room * 2;
        e->rows = realloc(e->rows, e->room * sizeof(*e->rows));
        assert_non_null(e->rows);
    }
    e->rows[e->n++] = tsfs_arena_printf(&e->arena, "%s", text);
}

static const char *text_of(struct tsfs_arena *arena, const struct result *r, size_t row)
{
    char text[512] = "";
    for (uint32_t i = 0; i < r->ncols; i++) {
        const struct tsfs_value *v = &r->values[row * r->ncols + i];
        size_t at = strlen(text);
        if (v->null)
            snprintf(text + at, sizeof(text) - at, "|NULL");
        else
            snprintf(text + at, sizeof(text) - at, "|%" PRId64, v->type == TSFS_BOOLEAN ? v->b : v->i);
    }
    return tsfs_arena_printf(arena, "%s", text);
}

static void check(const struct tsfs_buf *sql, struct expected *e, bool ordered)
{
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct result r;
    tsfs_arena_init(&arena, NULL);
    const char *text = tsfs_arena_printf(&arena, "%.*s", (int)sql->len, sql->data);
    if (world_run(&world, text, &arena, &r, &err) != 0)
        fail_msg("%s\n%u:%u %s", text, err.line, err.column, err.message);
    const char **got = tsfs_arena_alloc(&arena, (r.nrows + 1) * sizeof(*got));
    for (size_t i = 0; i < r.nrows; i++)
        got[i] = text_of(&arena, &r, i);
    if (!ordered) {
        sort_text(got, r.nrows);
        if (e->n > 0)
            sort_text(e->rows, e->n);
    }
    bool same = r.nrows == e->n;
    for (size_t i = 0; i < e->n && same; i++)
        same = strcmp(got[i], e->rows[i]) == 0;
    if (!same) {
        print_error("%s\nfound %zu rows, expected %zu\n", text, r.nrows, e->n);
        for (size_t i = 0; i < r.nrows || i < e->n; i++)
            print_error("  %-30s %s\n", i < r.nrows ? got[i] : "", i < e->n ? e->rows[i] : "");
        fail();
    }
    tsfs_arena_free(&arena);
    tsfs_arena_free(&e->arena);
    free(e->rows);
}

/* ---- three-valued logic: 1, 0, NOTHING ---- */

static int64_t eq(int64_t a, int64_t b)
{
    return a == NOTHING || b == NOTHING ? NOTHING : a == b;
}

static int64_t less(int64_t a, int64_t b)
{
    return a == NOTHING || b == NOTHING ? NOTHING : a < b;
}

static int64_t and (int64_t a, int64_t b)
{
    return a == 0 || b == 0 ? 0 : a == NOTHING || b == NOTHING ? NOTHING : 1;
}

static int64_t not(int64_t a)
{
    return a == NOTHING ? NOTHING : !a;
}

/* ---- joins ---- */

static const char *const conditions[] = {"a.k = b.k", "a.k = b.k AND a.v = b.v", "a.k = b.k AND a.v < b.v",
                                         "a.v < b.k", "a.k = b.k AND a.v > 0",   "a.k = b.k AND b.v > 0"};

static int64_t meets(uint32_t c, const struct row *a, const struct row *b)
{
    switch (c) {
    case 0: return eq(a->k, b->k);
    case 1: return and(eq(a->k, b->k), eq(a->v, b->v));
    case 2: return and(eq(a->k, b->k), less(a->v, b->v));
    case 3: return less(a->v, b->k);
    case 4: return and(eq(a->k, b->k), less(0, a->v));
    default: return and(eq(a->k, b->k), less(0, b->v));
    }
}

/* Two random relations, ra and rb, at the head of a query. */
static void fill_two(struct tsfs_buf *sql, struct relation *a, struct relation *b)
{
    fill(a);
    fill(b);
    put(sql, "WITH ");
    put_relation(sql, "ra", a);
    put(sql, ", ");
    put_relation(sql, "rb", b);
}

static void joins(void **state)
{
    static const char *const kinds[] = {"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"};
    for (int round = 0; round < CASES; round++) {
        struct relation a, b;
        struct tsfs_buf sql = {0};
        struct expected e = {0};
        bool hit[ROWS_MAX] = {false};
        uint32_t kind = pick(4), c = pick(6);
        fill_two(&sql, &a, &b);
        put(&sql, " SELECT a.id, b.id, a.k, b.v FROM ra a %s rb b ON %s", kinds[kind], conditions[c]);
        for (int i = 0; i < a.n; i++) {
            bool any = false;
            for (int j = 0; j < b.n; j++) {
                if (meets(c, &a.rows[i], &b.rows[j]) != 1)
                    continue;
                expect(&e, 4, a.rows[i].id, b.rows[j].id, a.rows[i].k, b.rows[j].v);
                any = hit[j] = true;
            }
            if (!any && (kind == 1 || kind == 3))
                expect(&e, 4, a.rows[i].id, NOTHING, a.rows[i].k, NOTHING);
        }
        for (int j = 0; j < b.n && kind >= 2; j++)
            if (!hit[j])
                expect(&e, 4, NOTHING, b.rows[j].id, NOTHING, b.rows[j].v);
        check(&sql, &e, false);
        tsfs_buf_free(&sql);
    }
}

/* ---- subqueries ---- */

/* The rows of b that a subquery of row a looks at. */
enum where { ALL, EQUAL, EQUAL_POSITIVE, EQUAL_LESS, LESS, WHERES };

static const char *const wheres[] = {"", " WHERE b.k = a.k", " WHERE a.k = b.k AND b.v > 0",
                                     " WHERE b.k = a.k AND b.v < a.v", " WHERE b.k < a.k"};

static bool looks_at(enum where w, const struct row *a, const struct row *b)
{
    switch (w) {
    case ALL: return true;
    case EQUAL: return eq(a->k, b->k) == 1;
    case EQUAL_POSITIVE: return and(eq(a->k, b->k), less(0, b->v)) == 1;
    case EQUAL_LESS: return and(eq(a->k, b->k), less(b->v, a->v)) == 1;
    default: return less(b->k, a->k) == 1;
    }
}

enum question { EXISTS, IN, COUNT, SUM, COUNT_SUM, MAXIMUM, QUESTIONS };

static const char *const questions[] = {
    "EXISTS (SELECT 1 FROM rb b%s)",
    "a.v IN (SELECT b.v FROM rb b%s)",
    "(SELECT count(*) FROM rb b%s)",
    "(SELECT sum(b.v) FROM rb b%s)",
    "(SELECT count(b.v) * 100 + coalesce(sum(b.v), 50) FROM rb b%s)",
    "(SELECT max(b.v) FROM rb b%s)",
};

static int64_t answer(enum question q, enum where w, const struct row *a, const struct relation *b)
{
    int64_t rows = 0, values = 0, sum = 0, max = NOTHING, in = 0;
    for (int j = 0; j < b->n; j++) {
        const struct row *r = &b->rows[j];
        if (!looks_at(w, a, r))
            continue;
        rows++;
        int64_t same = eq(a->v, r->v);
        in = in == 1 || same == 1 ? 1 : same == NOTHING ? NOTHING : in;
        if (r->v == NOTHING)
            continue;
        values++;
        sum += r->v;
        max = max == NOTHING || r->v > max ? r->v : max;
    }
    switch (q) {
    case EXISTS: return rows > 0;
    case IN: return in;
    case COUNT: return rows;
    case SUM: return values > 0 ? sum : NOTHING;
    case COUNT_SUM: return values * 100 + (values > 0 ? sum : 50);
    default: return max;
    }
}

static void subqueries(void **state)
{
    for (int round = 0; round < CASES; round++) {
        struct relation a, b;
        struct tsfs_buf sql = {0};
        struct expected e = {0};
        enum question q = (enum question)pick(QUESTIONS);
        enum where w = (enum where)pick(WHERES);
        bool negated = q <= IN && pick(2), shown = pick(2);
        char text[256];
        fill_two(&sql, &a, &b);
        snprintf(text, sizeof(text), questions[q], wheres[w]);
        if (shown)
            put(&sql, " SELECT a.id, %s%s FROM ra a ORDER BY a.id DESC", negated ? "NOT " : "", text);
        else if (q <= IN)
            put(&sql, " SELECT a.id, a.k FROM ra a WHERE %s%s AND a.id <> 3", negated ? "NOT " : "", text);
        else
            put(&sql, " SELECT a.id, a.k FROM ra a WHERE a.id <> 3 AND %s > 0", text);
        for (int i = a.n - 1; i >= 0; i--) {
            const struct row *r = &a.rows[i];
            int64_t value = answer(q, w, r, &b);
            if (negated)
                value = not(value);
            if (shown)
                expect(&e, 2, r->id, value);
            else if (r->id != 3 && value != NOTHING && value > 0)
                expect(&e, 2, r->id, r->k);
        }
        check(&sql, &e, shown);
        tsfs_buf_free(&sql);
    }
}

/* ---- windows ---- */

static int compare_rows(const struct row *x, const struct row *y) /* by v, NULL last */
{
    if (x->v == y->v)
        return 0;
    if (x->v == NOTHING || y->v == NOTHING)
        return x->v == NOTHING ? 1 : -1;
    return x->v < y->v ? -1 : 1;
}

static int by_place(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->k != y->k)
        return x->k < y->k ? -1 : 1;
    int order = compare_rows(x, y);
    return order != 0 ? order : x->id < y->id ? -1 : 1;
}

struct bound {
    int kind; /* 0 UNBOUNDED PRECEDING, 1 n PRECEDING, 2 CURRENT ROW, 3 n FOLLOWING, 4 UNBOUNDED FOLLOWING */
    int n;
};

static void put_bound(struct tsfs_buf *sql, struct bound b)
{
    static const char *const words[] = {"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING",
                                        "UNBOUNDED FOLLOWING"};
    if (b.kind == 1 || b.kind == 3)
        put(sql, "%d ", b.n);
    put(sql, "%s", words[b.kind]);
}

/* Whether row j of a sorted partition [lo, hi) is on the right side of a bound of row i's frame. */
static bool inside(const struct row *rows, int i, int j, int unit, struct bound b, bool start)
{
    if (b.kind == 0 || b.kind == 4)
        return true;
    int64_t distance;
    int64_t offset = b.kind == 1 ? -b.n : b.kind == 3 ? b.n : 0;
    if (unit == 0) {
        distance = j - i;
    } else if (unit == 1) { /* RANGE */
        bool null_i = rows[i].v == NOTHING, null_j = rows[j].v == NOTHING;
        if (null_i || null_j) {
            if (null_i && null_j)
                return true;
            /* NULLs come last and are peers of one another alone */
            return null_i ? !start : start;
        }
        distance = rows[j].v - rows[i].v;
    } else { /* GROUPS */
        distance = 0;
        for (int m = i; m < j; m++)
            distance += compare_rows(&rows[m], &rows[m + 1]) != 0;
        for (int m = j; m < i; m++)
            distance -= compare_rows(&rows[m], &rows[m + 1]) != 0;
    }
    return start ? distance >= offset : distance <= offset;
}

static void windows(void **state)
{
    static const char *const units[] = {"ROWS", "RANGE", "GROUPS"};
    for (int round = 0; round < CASES; round++) {
        struct relation a;
        struct tsfs_buf sql = {0};
        struct expected e = {0};
        int unit = (int)pick(3);
        struct bound from = {(int)pick(4), (int)pick(4)}, to = {(int)pick(4) + 1, (int)pick(4)};
        if (to.kind < from.kind)
            to.kind = from.kind;
        fill(&a);
        put(&sql, "WITH ");
        put_relation(&sql, "ra", &a);
        put(&sql,
            " SELECT id, count(*) OVER w, sum(v) OVER w, min(v) OVER w, max(id) OVER w, rank() OVER w, "
            "dense_rank() OVER w, count(v) OVER w FROM ra WINDOW w AS (PARTITION BY k ORDER BY v%s %s "
            "BETWEEN ",
            unit == 0 ? ", id" : "", units[unit]);
        put_bound(&sql, from);
        put(&sql, " AND ");
        put_bound(&sql, to);
        put(&sql, ")");
        if (a.n > 0)
            qsort(a.rows, (size_t)a.n, sizeof(a.rows[0]), by_place);
        for (int lo = 0, hi; lo < a.n; lo = hi) {
            for (hi = lo; hi < a.n && a.rows[hi].k == a.rows[lo].k;)
                hi++;
            for (int i = lo; i < hi; i++) {
                int64_t rows = 0, values = 0, sum = 0, min = NOTHING, id = NOTHING, rank = 1, dense = 1;
                for (int j = lo; j < hi; j++) {
                    if (!inside(a.rows, i, j, unit, from, true) || !inside(a.rows, i, j, unit, to, false))
                        continue;
                    rows++;
                    id = id == NOTHING || a.rows[j].id > id ? a.rows[j].id : id;
                    if (a.rows[j].v == NOTHING)
                        continue;
                    values++;
                    sum += a.rows[j].v;
                    min = min == NOTHING || a.rows[j].v < min ? a.rows[j].v : min;
                }
                for (int j = lo; j < i; j++) {
                    bool other = unit == 0 || compare_rows(&a.rows[j], &a.rows[j + 1]) != 0;
                    dense += other;
                    rank += unit == 0 || compare_rows(&a.rows[j], &a.rows[i]) != 0;
                }
                expect(&e, 8, a.rows[i].id, rows, values > 0 ? sum : NOTHING, min, id, rank, dense, values);
            }
        }
        check(&sql, &e, false);
        tsfs_buf_free(&sql);
    }
}

static int setup(void **state)
{
    const char *given = getenv("TSFS_SEED");
    if (given != NULL)
        seed = strtoull(given, NULL, 0);
    world_init(&world);
    return 0;
}

static int teardown(void **state)
{
    world_free(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins),
        cmocka_unit_test(subqueries),
        cmocka_unit_test(windows),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
