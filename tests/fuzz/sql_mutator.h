/* Mutations in the shape of the grammar: half of the time a piece of the statement, cut at the borders of
 * words, gives way to a made expression or query, or is doubled or dropped; else libFuzzer's own. */
#ifndef TSFS_TESTS_FUZZ_SQL_MUTATOR_H
#define TSFS_TESTS_FUZZ_SQL_MUTATOR_H

#ifdef TSFS_FUZZING

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

#define MADE_MAX 1024

struct maker {
    char text[MADE_MAX];
    size_t len;
    unsigned depth;
    uint64_t rnd;
};

/* %e an expression, %a an array, %q a query, %f what stands in FROM, %n a number, %c a literal, %t a type, %x
 * a name, %o an operator, %l a lambda of one parameter, %w a window. */
static const char *const makes_e[] = {
    "%c",
    "%x",
    "%x",
    "(%e %o %e)",
    "(%e, %e)",
    "ROW(%e)",
    "%a",
    "(%q)",
    "EXISTS (%q)",
    "%e IN (%e, %e)",
    "%e IN (%q)",
    "(%e, %e) IN (SELECT %e, %e)",
    "NOT %e",
    "-%e",
    "CASE WHEN %e THEN %e ELSE %e END",
    "CASE %e WHEN %e THEN %e END",
    "CAST(%e AS %t)",
    "TRY_CAST(%e AS %t)",
    "TRY(%e)",
    "IF(%e, %e, %e)",
    "coalesce(%e, %e)",
    "nullif(%e, %e)",
    "%e IS NULL",
    "%e IS DISTINCT FROM %e",
    "%e BETWEEN %e AND %e",
    "%e LIKE %e ESCAPE '\\'",
    "EXTRACT(day FROM %e)",
    "(%e)[%n]",
    "element_at(%a, %n)",
    "reduce(%a, %e, (s, x) -> %e, s -> %e)",
    "cardinality(%a)",
    "contains(%a, %e)",
    "any_match(%a, %l)",
    "array_max(%a)",
    "array_join(%a, %c)",
    "count(*)",
    "sum(%e)",
    "max(%e)",
    "min_by(%e, %e)",
    "array_agg(%e ORDER BY %e DESC)",
    "count(DISTINCT %e)",
    "max(%e, 2)",
    "approx_percentile(%e, 0.5)",
    "sum(%e) FILTER (WHERE %e)",
    "listagg(%e, ',') WITHIN GROUP (ORDER BY %e)",
    "sum(%e) OVER (%w)",
    "lag(%e, %n) IGNORE NULLS OVER (%w)",
    "rank() OVER (%w)",
    "nth_value(%e, %n) OVER (%w)",
    "grouping(x)",
    "%e > ALL (%q)",
    "%e = ANY (%q)",
    "date_trunc('hour', %e)",
    "bin(%e, 5m)",
    "trim(BOTH %e FROM %e)",
    "substring(%e FROM %n FOR %n)",
    "%e AT TIME ZONE 'UTC'",
    "concat(%e, %e)",
    "length(%e)",
    "regexp_replace(%e, %c, %c)",
    "split(%e, %c)",
    "greatest(%e, %e)",
    "interpolate_linear(create_time_series(%e, %e), %e)",
    "create_time_series(%e, %e)",
    "date_diff('day', %e, %e)",
    "round(%e, %n)",
};
static const char *const makes_a[] = {
    "ARRAY[%e, %e]",
    "ARRAY[]",
    "sequence(%n, %n)",
    "transform(%a, %l)",
    "filter(%a, %l)",
    "zip(%a, %a)",
    "%a || %e",
    "array_sort(%a, (x, y) -> %e)",
    "array_sort(%a)",
    "array_union(%a, %a)",
    "slice(%a, %n, %n)",
    "zip_with(%a, %a, (x, y) -> %e)",
    "flatten(ARRAY[%a, %a])",
    "combinations(%a, %n)",
    "ngrams(%a, %n)",
    "repeat(%e, %n)",
    "reverse(%a)",
    "split(%c, %c)",
    "array_remove(%a, %e)",
    "trim_array(%a, %n)",
    "NULL",
    "x",
    "array_distinct(%a)",
    "CAST(%a AS array(%t))",
};
static const char *const makes_q[] = {
    "SELECT %e",
    "SELECT %e FROM %f",
    "SELECT DISTINCT %e FROM %f",
    "SELECT %e, %e FROM %f GROUP BY 1, 2",
    "VALUES (%e, %e), (%e, %e)",
    "SELECT %e FROM %f GROUP BY x HAVING %e",
    "SELECT %e FROM %f GROUP BY ROLLUP(x, y)",
    "SELECT * FROM %f WHERE %e",
    "%q UNION ALL %q",
    "%q INTERSECT %q",
    "%q EXCEPT ALL %q",
    "SELECT * FROM %f ORDER BY %e LIMIT 3 OFFSET 1",
    "WITH x AS (%q) SELECT * FROM x, x AS y",
    "SELECT %e FROM %f WHERE %e ORDER BY 1 NULLS FIRST",
    "SELECT x, %e FROM %f GROUP BY GROUPING SETS ((x), (y), ())",
};
static const char *const makes_f[] = {
    "(VALUES (%e, %e), (%e, %e)) t(x, y)",
    "(VALUES %e, %e) t(x)",
    "UNNEST(%a) t(x)",
    "UNNEST(%a, %a) WITH ORDINALITY",
    "%f CROSS JOIN UNNEST(%a) u(y)",
    "%f LEFT JOIN UNNEST(%a) u(y) ON true",
    "%f JOIN %f ON %e",
    "%f LEFT JOIN (%q) s(y) ON %e",
    "%f FULL JOIN (%q) s(x) USING (x)",
    "%f NATURAL JOIN (VALUES 1) n(x)",
    "(%q) t(x)",
    "(%q) t(x, y)",
};
static const char *const makes_c[] = {
    "0",
    "1",
    "-1",
    "2147483647",
    "9223372036854775807",
    "0.5",
    "1e300",
    "nan()",
    "infinity()",
    "NULL",
    "true",
    "'a'",
    "''",
    "'\xc3\xbc\xf0\x9f\x98\x80'",
    "5m",
    "3month",
    "DATE '2024-02-29'",
    "TIMESTAMP '2024-01-01 10:20:30.5'",
    "TIME '10:00'",
    "INTERVAL '1-2' YEAR TO MONTH",
    "now()",
    "U&'\\0041'",
    "0xff",
    "1_0",
    "'2024-01-01'",
    "'(a|b)*'",
};
static const char *const makes_n[] = {"0", "1", "2", "-1", "3", "x", "NULL", "9223372036854775807"};
static const char *const makes_t[] = {"bigint",
                                      "integer",
                                      "double",
                                      "varchar",
                                      "boolean",
                                      "timestamp",
                                      "date",
                                      "varchar(3)",
                                      "array(%t)",
                                      "row(a %t, b %t)",
                                      "interval day to second",
                                      "timeseries(double)"};
static const char *const makes_x[] = {"x", "y", "t.x", "s.y", "x.value", "time", "\"x\""};
static const char *const makes_o[] = {"+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "AND", "OR"};
static const char *const makes_l[] = {"x -> %e", "x -> x > %e", "y -> x", "x -> (x, %e)"};
static const char *const makes_w[] = {"",
                                      "ORDER BY %e",
                                      "PARTITION BY %e ORDER BY x DESC",
                                      "ORDER BY x ROWS BETWEEN 1 PRECEDING AND %n FOLLOWING",
                                      "ORDER BY x RANGE BETWEEN %c PRECEDING AND CURRENT ROW",
                                      "ORDER BY x GROUPS 1 PRECEDING"};

static uint32_t draw(struct maker *m, uint32_t n)
{
    m->rnd = m->rnd * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((m->rnd >> 33) % n);
}

#define PICK(table) table[draw(m, sizeof(table) / sizeof(table[0]))]

static void make(struct maker *m, char what);

static void make_from(struct maker *m, const char *form)
{
    for (const char *p = form; *p != '\0'; p++) {
        if (*p == '%' && p[1] >= 'a' && p[1] <= 'z') {
            make(m, *++p);
        } else if (m->len < MADE_MAX) {
            m->text[m->len++] = *p;
        }
    }
}

static void make(struct maker *m, char what)
{
    bool leaf = m->depth >= 4 || m->len > MADE_MAX / 2;
    m->depth++;
    switch (what) {
    case 'e': make_from(m, leaf ? PICK(makes_c) : PICK(makes_e)); break;
    case 'a': make_from(m, leaf ? "ARRAY[1, NULL, 2]" : PICK(makes_a)); break;
    case 'q': make_from(m, leaf ? "SELECT 1" : PICK(makes_q)); break;
    case 'f': make_from(m, leaf ? "(VALUES 1, 2, NULL) t(x)" : PICK(makes_f)); break;
    case 'c': make_from(m, PICK(makes_c)); break;
    case 'n': make_from(m, PICK(makes_n)); break;
    case 't': make_from(m, leaf ? "bigint" : PICK(makes_t)); break;
    case 'x': make_from(m, PICK(makes_x)); break;
    case 'o': make_from(m, PICK(makes_o)); break;
    case 'l': make_from(m, leaf ? "x -> x" : PICK(makes_l)); break;
    default: make_from(m, PICK(makes_w)); break;
    }
    m->depth--;
}

static bool in_word(uint8_t c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

/* The border of a word at or behind `at`. */
static size_t border(const uint8_t *data, size_t size, size_t at)
{
    while (at > 0 && at < size && in_word(data[at]) && in_word(data[at - 1]))
        at++;
    return at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct maker made = {.rnd = seed}, *m = &made;
    uint32_t way = draw(m, 8);
    if (way < 4)
        return LLVMFuzzerMutate(data, size, max);
    if (size == 0 || way == 4) { /* a new statement */
        make(m, 'q');
        size_t n = m->len < max ? m->len : max;
        memcpy(data, m->text, n);
        return n;
    }
    size_t from = border(data, size, draw(m, (uint32_t)size + 1));
    size_t span = way == 5 ? 0 : draw(m, 24),
           to = border(data, size, from + span < size ? from + span : size);
    if (way == 7 && to > from) { /* twice */
        size_t n = to - from < MADE_MAX ? to - from : MADE_MAX;
        memcpy(m->text, data + from, n);
        m->len = n;
        to = from;
    } else {
        make(m, "eeqfaacow"[draw(m, 9)]);
    }
    if (size - (to - from) + m->len > max)
        return LLVMFuzzerMutate(data, size, max);
    memmove(data + from + m->len, data + to, size - to);
    memcpy(data + from, m->text, m->len);
    return size - (to - from) + m->len;
}

#endif
#endif
