/* Random queries over a random little table: the plan after the rules must give the same rows as the plan as
 * written, both run by a naive interpreter that knows none of the tricks.  What it would catch: a condition
 * pushed past a limit or ahead of the term that guards it, a time range off by one, a necessary condition
 * that is not one, a column lost or renumbered wrongly by pruning, a projection dissolved into the wrong
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../unit/random.h"
#include "../unit/sql_support.h"
#include "plan/plan_priv.h"
#include "sql/bind.h"

#define ROWS_MAX 24

/* ---- random numbers ---- */

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
    return (uint32_t)((test_random(&seed) >> 11) % n);
}

static bool chance(uint32_t percent)
{
    return rnd(100) < percent;
}

/* ---- the interpreter ---- */

struct rows {
    struct tsfs_value *cells;
    uint32_t n, ncols;
};

struct world {
    struct support support;
    struct rows table; /* by ordinal */
    struct tsfs_arena *arena;
};

static struct world world;

static bool eval(const struct tsfs_expr *e, const struct tsfs_value *row, struct tsfs_value *out);

/* Whether a filter lets the row through: its terms one after another, those after the first that is not TRUE
 * are not evaluated (not even after NULL), as exec narrows a batch. */
static bool truth(const struct tsfs_expr *e, const struct tsfs_value *row, bool *out)
{
    struct tsfs_value v;
    *out = true;
    if (e->kind == TSFS_EXPR_AND) {
        for (uint32_t i = 0; i < e->nargs && *out; i++)
            if (!truth(e->args[i], row, out))
                return false;
        return true;
    }
    if (!eval(e, row, &v))
        return false;
    *out = !v.null && v.b;
    return true;
}

/* Calls and casts: through the folding of the tests' world, with the arguments as literals. */
static bool eval_folded(const struct tsfs_expr *e, const struct tsfs_value *row, struct tsfs_value *out)
{
    struct tsfs_expr args[8], *list[8], copy = *e;
    struct tsfs_arena scratch;
    bool null = false;
    if (e->nargs > 8)
        return false;
    for (uint32_t i = 0; i < e->nargs; i++) {
        args[i] = (struct tsfs_expr){.kind = TSFS_EXPR_LITERAL, .type = e->args[i]->type};
        if (!eval(e->args[i], row, &args[i].value))
            return false;
        null |= args[i].value.null;
        list[i] = &args[i];
    }
    *out = (struct tsfs_value){.type = e->type, .null = null};
    if (null)
        return true;
    if (e->kind == TSFS_EXPR_CAST && e->type == TSFS_DOUBLE && args[0].type != TSFS_VARCHAR) {
        out->d = (double)args[0].value.i;
        return true;
    }
    copy.args = list;
    tsfs_arena_init(&scratch, NULL);
    int rc = support_fold(NULL, &copy, &scratch, out, NULL);
    tsfs_arena_free(&scratch);
    out->type = e->type;
    return rc == 0;
}

static bool same_value(const struct tsfs_value *a, const struct tsfs_value *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    switch (a->type) {
    case TSFS_UNKNOWN: return true;
    case TSFS_BOOLEAN: return a->b == b->b;
    case TSFS_DOUBLE: return a->d == b->d || (a->d != a->d && b->d != b->d);
    case TSFS_VARCHAR: return tsfs_str_eq(a->s, b->s);
    default: return a->i == b->i;
    }
}

static int compare_values(const struct tsfs_value *a, const struct tsfs_value *b)
{
    switch (a->type) {
    case TSFS_UNKNOWN: return 0;
    case TSFS_BOOLEAN: return (a->b > b->b) - (a->b < b->b);
    case TSFS_DOUBLE: return (a->d > b->d) - (a->d < b->d);
    case TSFS_VARCHAR: return tsfs_str_cmp(a->s, b->s);
    default: return (a->i > b->i) - (a->i < b->i);
    }
}

static bool eval_logic(const struct tsfs_expr *e, const struct tsfs_value *row, struct tsfs_value *out)
{
    bool is_and = e->kind == TSFS_EXPR_AND, null = false;
    for (uint32_t i = 0; i < e->nargs; i++) {
        struct tsfs_value v;
        if (!eval(e->args[i], row, &v))
            return false;
        null |= v.null;
        if (!v.null && v.b != is_and) {
            *out = (struct tsfs_value){.type = TSFS_BOOLEAN, .b = !is_and};
            return true;
        }
    }
    *out = (struct tsfs_value){.type = TSFS_BOOLEAN, .null = null, .b = is_and};
    return true;
}

static bool eval_in(const struct tsfs_expr *e, const struct tsfs_value *row, struct tsfs_value *out)
{
    struct tsfs_value left, v;
    *out = (struct tsfs_value){.type = TSFS_BOOLEAN};
    if (!eval(e->args[0], row, &left))
        return false;
    out->null = left.null;
    for (uint32_t i = 1; i < e->nargs && !left.null; i++) {
        if (!eval(e->args[i], row, &v))
            return false;
        if (v.null) {
            out->null = true;
        } else if (same_value(&left, &v)) {
            *out = (struct tsfs_value){.type = TSFS_BOOLEAN, .b = true};
            return true;
        }
    }
    return true;
}

static bool eval(const struct tsfs_expr *e, const struct tsfs_value *row, struct tsfs_value *out)
{
    bool yes;
    switch (e->kind) {
    case TSFS_EXPR_LITERAL: *out = e->value; return true;
    case TSFS_EXPR_COLUMN: *out = row[e->index]; return true;
    case TSFS_EXPR_CALL:
    case TSFS_EXPR_CAST: return eval_folded(e, row, out);
    case TSFS_EXPR_AND:
    case TSFS_EXPR_OR: return eval_logic(e, row, out);
    case TSFS_EXPR_NOT:
        if (!eval(e->args[0], row, out))
            return false;
        out->b = !out->b;
        return true;
    case TSFS_EXPR_IS_NULL:
        if (!eval(e->args[0], row, out))
            return false;
        *out = (struct tsfs_value){.type = TSFS_BOOLEAN, .b = out->null};
        return true;
    case TSFS_EXPR_CASE:
        for (uint32_t i = 0; i + 1 < e->nargs; i += 2) {
            if (!truth(e->args[i], row, &yes))
                return false;
            if (yes)
                return eval(e->args[i + 1], row, out);
        }
        return eval(e->args[e->nargs - 1], row, out);
    case TSFS_EXPR_COALESCE:
        for (uint32_t i = 0; i < e->nargs; i++) {
            if (!eval(e->args[i], row, out))
                return false;
            if (!out->null)
                return true;
        }
        return true;
    case TSFS_EXPR_IN: return eval_in(e, row, out);
    case TSFS_EXPR_SUBQUERY:
    case TSFS_EXPR_OUTER:
    case TSFS_EXPR_LAMBDA:
    case TSFS_EXPR_PARAM:
    case TSFS_EXPR_SET: return false; /* no generated statement has them */
    case TSFS_EXPR_TRY:
        if (!eval(e->args[0], row, out))
            *out = (struct tsfs_value){.type = e->type, .null = true};
        return true;
    }
    return false;
}

static struct rows new_rows(uint32_t room, uint32_t ncols)
{
    struct rows r = {TSFS_NEW_ARRAY(world.arena, struct tsfs_value, (size_t)room * ncols + 1), 0, ncols};
    assert_non_null(r.cells);
    return r;
}

static struct tsfs_value *row_of(const struct rows *r, uint32_t i)
{
    return r->cells + (size_t)i * r->ncols;
}

/* A row that passed the filters must meet every condition that is said to be necessary. */
static void check_necessary(const struct tsfs_plan_scan *scan, const struct tsfs_value *full)
{
    for (uint32_t i = 0; i < scan->n_dim_in; i++) {
        bool found = false;
        for (uint32_t k = 0; k < scan->dim_in[i].n; k++)
            found |= !full[scan->dim_in[i].ordinal].null &&
                     tsfs_str_eq(full[scan->dim_in[i].ordinal].s, scan->dim_in[i].values[k]);
        assert_true(found);
    }
    for (uint32_t i = 0; i < scan->n_ranges; i++) {
        const struct tsfs_measure_range *r = &scan->ranges[i];
        const struct tsfs_value *v = &full[r->ordinal];
        assert_false(v->null);
        if (v->type == TSFS_DOUBLE)
            assert_true(v->d >= r->lo && v->d <= r->hi);
        else
            assert_true(v->i >= r->ilo && v->i <= r->ihi);
    }
}

static bool run_scan(const struct tsfs_plan *p, struct rows *out)
{
    const struct tsfs_plan_scan *scan = &p->scan;
    *out = new_rows(world.table.n, p->ncols);
    for (uint32_t i = 0; i < world.table.n && !scan->empty; i++) {
        const struct tsfs_value *full = row_of(&world.table, i);
        struct tsfs_value *row = row_of(out, out->n);
        int64_t t = full[TSFS_ORDINAL_TIME].i;
        bool yes = true;
        if (t < scan->time_min || t > scan->time_max)
            continue;
        for (uint32_t c = 0; c < p->ncols; c++)
            row[c] = full[scan->ordinals[c]];
        if (scan->series_filter != NULL && !truth(scan->series_filter, row, &yes))
            return false;
        if (yes && scan->row_filter != NULL && !truth(scan->row_filter, row, &yes))
            return false;
        if (!yes)
            continue;
        check_necessary(scan, full);
        out->n++;
    }
    return true;
}

static bool aggregate_value(const struct tsfs_plan_aggregate *a, enum tsfs_type type, const struct rows *in,
                            const uint32_t *member, uint32_t group, struct tsfs_value *out)
{
    int64_t count = 0;
    struct tsfs_value best = {.type = type, .null = true};
    for (uint32_t i = 0; i < in->n; i++) {
        struct tsfs_value v = {.type = TSFS_UNKNOWN};
        bool yes = true;
        if (member[i] != group)
            continue;
        if (a->filter != NULL && !truth(a->filter, row_of(in, i), &yes))
            return false;
        if (!yes || (a->nargs > 0 && !eval(a->args[0], row_of(in, i), &v)) || (a->nargs > 0 && v.null)) {
            struct tsfs_value again;
            if (yes && a->nargs > 0 && !eval(a->args[0], row_of(in, i), &again))
                return false;
            continue;
        }
        count++;
        if (a->fn->op == TSFS_OP_MAX || a->fn->op == TSFS_OP_MIN) {
            int c = best.null ? 1 : compare_values(&v, &best);
            if (best.null || (a->fn->op == TSFS_OP_MAX ? c > 0 : c < 0))
                best = v;
        }
    }
    if (a->fn->op == TSFS_OP_MAX || a->fn->op == TSFS_OP_MIN)
        *out = best;
    else
        *out = (struct tsfs_value){.type = TSFS_BIGINT, .i = count};
    return true;
}

static bool run_aggregate(const struct tsfs_plan *p, const struct rows *in, struct rows *out)
{
    uint32_t ngroups = p->aggregate.ngroups, *member = TSFS_NEW_ARRAY(world.arena, uint32_t, in->n + 1);
    assert_non_null(member);
    *out = new_rows(in->n + 1, p->ncols);
    for (uint32_t i = 0; i < in->n; i++) {
        struct tsfs_value *row = row_of(out, out->n);
        for (uint32_t g = 0; g < ngroups; g++)
            if (!eval(p->aggregate.groups[g], row_of(in, i), &row[g]))
                return false;
        uint32_t found = out->n;
        for (uint32_t k = 0; k < out->n && found == out->n; k++) {
            bool same = true;
            for (uint32_t g = 0; g < ngroups && same; g++)
                same = same_value(&row_of(out, k)[g], &row[g]);
            if (same)
                found = k;
        }
        member[i] = found;
        if (found == out->n)
            out->n++;
    }
    if (ngroups == 0)
        out->n = 1;
    for (uint32_t k = 0; k < out->n; k++)
        for (uint32_t a = 0; a < p->aggregate.naggs; a++)
            if (!aggregate_value(&p->aggregate.aggs[a], p->cols[ngroups + a].type, in, member, k,
                                 &row_of(out, k)[ngroups + a]))
                return false;
    return true;
}

/* Stable, so that equal keys keep the input's order in both plans. */
static bool run_sort(const struct tsfs_plan *p, const struct rows *in, struct rows *out)
{
    uint32_t n = in->n, nkeys = p->sort.nkeys;
    struct rows keys = new_rows(n, nkeys);
    uint32_t *order = TSFS_NEW_ARRAY(world.arena, uint32_t, n + 1);
    assert_non_null(order);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < nkeys; k++)
            if (!eval(p->sort.keys[k].expr, row_of(in, i), &row_of(&keys, i)[k]))
                return false;
        uint32_t at = i;
        for (; at > 0; at--) {
            const struct tsfs_value *a = row_of(&keys, order[at - 1]), *b = row_of(&keys, i);
            int c = 0;
            for (uint32_t k = 0; k < nkeys && c == 0; k++) {
                const struct tsfs_plan_key *key = &p->sort.keys[k];
                if (a[k].null || b[k].null)
                    c = a[k].null == b[k].null ? 0 : a[k].null == key->nulls_first ? -1 : 1;
                else
                    c = key->descending ? -compare_values(&a[k], &b[k]) : compare_values(&a[k], &b[k]);
            }
            if (c <= 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    *out = new_rows(n, in->ncols);
    for (uint32_t i = 0; i < n && i < p->sort.limit; i++)
        memcpy(row_of(out, out->n++), row_of(in, order[i]), in->ncols * sizeof(struct tsfs_value));
    return true;
}

static bool run(const struct tsfs_plan *p, struct rows *out)
{
    struct rows in = {0};
    if (p->input != NULL && !run(p->input, &in))
        return false;
    *out = new_rows(in.n + 1, p->ncols);
    switch (p->kind) {
    case TSFS_PLAN_SCAN: return run_scan(p, out);
    case TSFS_PLAN_VALUES: out->n = (uint32_t)p->values.nrows; return true;
    case TSFS_PLAN_FILTER:
        for (uint32_t i = 0; i < in.n; i++) {
            bool yes;
            if (!truth(p->filter.predicate, row_of(&in, i), &yes))
                return false;
            if (yes)
                memcpy(row_of(out, out->n++), row_of(&in, i), in.ncols * sizeof(struct tsfs_value));
        }
        return true;
    case TSFS_PLAN_PROJECT:
        for (uint32_t i = 0; i < in.n; i++, out->n++)
            for (uint32_t c = 0; c < p->ncols; c++)
                if (!eval(p->project.exprs[c], row_of(&in, i), &row_of(out, i)[c]))
                    return false;
        return true;
    case TSFS_PLAN_AGGREGATE: return run_aggregate(p, &in, out);
    case TSFS_PLAN_SORT: return run_sort(p, &in, out);
    case TSFS_PLAN_LIMIT:
        for (uint32_t i = 0; i < in.n; i++)
            if (i >= p->limit.offset && i - p->limit.offset < p->limit.limit)
                memcpy(row_of(out, out->n++), row_of(&in, i), in.ncols * sizeof(struct tsfs_value));
        return true;
    default: break; /* no generated statement has it */
    }
    return false;
}

/* ---- random queries ---- */

enum kind { KIND_B, KIND_N, KIND_D, KIND_S, KIND_T, KINDS };

struct column {
    char name[24];
    enum kind kind;
};

struct scope {
    struct column cols[16];
    unsigned n;
};

static struct tsfs_buf text;

#define PUT(...) assert_int_equal(tsfs_buf_printf(&text, __VA_ARGS__), 0)

static void put_expr(const struct scope *s, enum kind kind, unsigned depth);

static bool put_column(const struct scope *s, enum kind kind)
{
    unsigned from = s->n > 0 ? rnd(s->n) : 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct column *c = &s->cols[(from + i) % s->n];
        if (c->kind == kind) {
            PUT("%s", c->name);
            return true;
        }
    }
    return false;
}

static void put_literal(enum kind kind)
{
    static const char *const numbers[] = {"0", "1", "2", "3", "-1", "7"};
    static const char *const doubles[] = {"0.0", "1.5", "2e0", "-1.5", "1", "3"};
    static const char *const strings[] = {"'a'", "'b'", "'ab'", "''", "'c'"};
    static const char *const times[] = {"'2024-01-01'", "'2024-01-01 00:30:00'", "'2024-01-01 01:00:00'",
                                        "TIMESTAMP '2024-01-01 00:59:59.999999999'",
                                        "TIMESTAMP '2024-01-02'"};
    switch (kind) {
    case KIND_B: PUT("%s", chance(50) ? "true" : chance(50) ? "false" : "CAST(NULL AS boolean)"); break;
    case KIND_N: PUT("%s", numbers[rnd(6)]); break;
    case KIND_D: PUT("%s", doubles[rnd(6)]); break;
    case KIND_S: PUT("%s", strings[rnd(5)]); break;
    default: PUT("TIMESTAMP %s", strstr(times[rnd(3)], "'")); break;
    }
}

static void put_comparison(const struct scope *s, unsigned depth)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    enum kind kind = (enum kind)(1 + rnd(KINDS - 1));
    bool literal = chance(75), mirrored = chance(20);
    if (mirrored && literal) {
        put_literal(kind);
        literal = false;
    } else {
        put_expr(s, kind, depth);
    }
    switch (rnd(8)) {
    case 0:
        PUT(chance(30) ? " NOT BETWEEN " : " BETWEEN ");
        put_literal(kind);
        PUT(" AND ");
        put_literal(kind);
        return;
    case 1:
        PUT(chance(30) ? " NOT IN (" : " IN (");
        for (unsigned i = 1 + rnd(3); i > 0; i--) {
            put_literal(kind);
            PUT(i > 1 ? ", " : chance(10) ? ", NULL)" : ")");
        }
        return;
    case 2: PUT(chance(50) ? " IS NULL" : " IS NOT NULL"); return;
    case 3: PUT(chance(50) ? " IS DISTINCT FROM " : " IS NOT DISTINCT FROM "); break;
    default: PUT(" %s ", ops[rnd(6)]); break;
    }
    if (literal)
        put_literal(kind);
    else
        put_expr(s, kind, depth);
}

static void put_condition(const struct scope *s, unsigned depth)
{
    unsigned n = 2 + rnd(3);
    switch (depth == 0 ? 2 + rnd(3) : rnd(8)) {
    case 0:
    case 1: {
        const char *op = chance(60) ? " AND " : " OR ";
        PUT("(");
        for (unsigned i = 0; i < n; i++) {
            if (i > 0)
                PUT("%s", op);
            put_condition(s, depth - 1);
        }
        PUT(")");
        break;
    }
    case 5:
        PUT("NOT (");
        put_condition(s, depth - 1);
        PUT(")");
        break;
    case 6: /* a term that guards another */
        if (chance(30) && strcmp(s->cols[0].name, "time") == 0) {
            PUT("(n <> n AND CAST(machine AS double) > 1)");
            break;
        }
        PUT("(");
        put_expr(s, KIND_N, 0);
        PUT(" <> 0 AND 6 / ");
        put_expr(s, KIND_N, 0);
        PUT(" > 1)");
        break;
    case 7:
        if (put_column(s, KIND_B))
            break;
        put_literal(KIND_B);
        break;
    default:
        PUT("(");
        put_comparison(s, depth > 0 ? depth - 1 : 0);
        PUT(")");
        break;
    }
}

static void put_pair(const struct scope *s, enum kind kind, const char *before, const char *between,
                     const char *after, unsigned depth)
{
    PUT("%s", before);
    put_expr(s, kind, depth - 1);
    PUT("%s", between);
    put_expr(s, kind, depth - 1);
    PUT("%s", after);
}

static void put_expr(const struct scope *s, enum kind kind, unsigned depth)
{
    if (kind == KIND_B) {
        put_condition(s, depth);
        return;
    }
    if (depth == 0 || chance(40)) {
        if (chance(15) || !put_column(s, kind))
            put_literal(kind);
        return;
    }
    if (chance(15)) {
        PUT("CASE WHEN ");
        put_condition(s, depth - 1);
        put_pair(s, kind, " THEN ", " ELSE ", " END", depth);
        return;
    }
    if (chance(15)) {
        put_pair(s, kind, "coalesce(", ", ", ")", depth);
        return;
    }
    switch (kind) {
    case KIND_N:
        if (chance(25))
            put_pair(s, kind, chance(50) ? "TRY(" : "(", " / ", ")", depth);
        else
            put_pair(s, kind, "(", chance(50) ? " + " : " - ", ")", depth);
        break;
    case KIND_D:
        if (chance(30)) {
            PUT("CAST(");
            put_expr(s, KIND_N, depth - 1);
            PUT(" AS double)");
        } else {
            put_pair(s, kind, "(", chance(50) ? " + " : " * ", ")", depth);
        }
        break;
    case KIND_S:
        PUT("lower(");
        put_expr(s, kind, depth - 1);
        PUT(")");
        break;
    default:
        PUT(chance(60) ? "bin(" : "(");
        if (text.data[text.len - 2] == 'n') {
            put_expr(s, kind, depth - 1);
            PUT(chance(70) ? ", 1h)" : ", 25m)");
        } else {
            put_expr(s, kind, depth - 1);
            PUT(" - 30m)");
        }
        break;
    }
}

static void put_query(struct scope *out, unsigned depth, char level);

static void put_tail(const struct scope *items, bool sortable)
{
    if (sortable && chance(40)) {
        PUT(" ORDER BY ");
        for (unsigned i = 1 + rnd(2); i > 0; i--) {
            PUT("%s%s%s", items->cols[rnd(items->n)].name, chance(40) ? " DESC" : "",
                chance(20) ? " NULLS FIRST" : "");
            if (i > 1)
                PUT(", ");
        }
    }
    if (chance(30))
        PUT(" LIMIT %u", rnd(8));
    if (chance(15))
        PUT(" OFFSET %u", rnd(4));
}

static void put_query(struct scope *out, unsigned depth, char level)
{
    static const struct scope base = {.cols = {{"time", KIND_T},
                                               {"machine", KIND_S},
                                               {"factory", KIND_S},
                                               {"temp", KIND_D},
                                               {"pressure", KIND_D},
                                               {"n", KIND_N},
                                               {"ok", KIND_B},
                                               {"state", KIND_S}},
                                      .n = 8};
    struct scope from = base;
    char *inner = NULL;
    if (depth > 0 && chance(70)) {
        struct tsfs_buf saved = text;
        text = (struct tsfs_buf){0};
        put_query(&from, depth - 1, (char)(level + 1));
        inner = text.data;
        assert_int_equal(tsfs_buf_append(&text, "", 1), 0);
        inner = text.data;
        text = saved;
    }
    bool grouped = chance(30);
    bool distinct = !grouped && chance(15);
    out->n = 0;
    PUT("SELECT %s", distinct ? "DISTINCT " : "");
    unsigned nitems = 1 + rnd(4);
    struct tsfs_buf group_by = {0};
    for (unsigned i = 0; i < nitems; i++) {
        struct column *c = &out->cols[out->n++];
        snprintf(c->name, sizeof(c->name), "%c%u", level, i);
        if (i > 0)
            PUT(", ");
        if (grouped && (i > 0 || chance(20))) {
            c->kind = chance(40) ? KIND_N : (enum kind)(1 + rnd(KINDS - 1));
            if (c->kind == KIND_N && chance(30)) {
                PUT("count(*)");
            } else {
                PUT("%s(", chance(50) ? "max" : "min");
                put_expr(&from, c->kind, 1);
                PUT(")");
            }
            if (chance(25)) {
                PUT(" FILTER (WHERE ");
                put_condition(&from, 1);
                PUT(")");
            }
        } else {
            c->kind = (enum kind)rnd(KINDS);
            put_expr(&from, c->kind, rnd(3));
            if (grouped) {
                assert_int_equal(
                    tsfs_buf_printf(&group_by, "%s%u", group_by.len > 0 ? ", " : " GROUP BY ", i + 1), 0);
            }
        }
        PUT(" AS %s", c->name);
    }
    if (inner != NULL)
        PUT(" FROM (%s) AS q%c", inner, level);
    else
        PUT(" FROM machine_metrics");
    free(inner);
    if (chance(70)) {
        PUT(" WHERE ");
        put_condition(&from, 2);
    }
    if (group_by.len > 0)
        PUT("%.*s", (int)group_by.len, group_by.data);
    tsfs_buf_free(&group_by);
    if (grouped && chance(30)) {
        PUT(" HAVING count(*) %s %u", chance(50) ? ">" : "<=", rnd(4));
    }
    put_tail(out, true);
}

/* ---- the property ---- */

static void random_table(void)
{
    const struct tsfs_schema *schema = world.support.metrics;
    static const char *const strings[] = {"a", "b", "ab", "", "c"};
    int64_t start = INT64_C(1704067200) * TSFS_NS_PER_S; /* 2024-01-01 */
    world.table = new_rows(ROWS_MAX, schema->ncols);
    world.table.n = rnd(ROWS_MAX);
    for (uint32_t i = 0; i < world.table.n; i++) {
        for (uint32_t c = 0; c < schema->ncols; c++) {
            struct tsfs_value *v = &row_of(&world.table, i)[c];
            *v = (struct tsfs_value){.type = schema->cols[c].type};
            v->null = c > TSFS_ORDINAL_MEASURE_NAME && chance(20);
            switch (v->type) {
            case TSFS_TIMESTAMP:
                v->i = start + (int64_t)rnd(8) * 15 * TSFS_NS_PER_MIN - (int64_t)rnd(2);
                break;
            case TSFS_BOOLEAN: v->b = chance(50); break;
            case TSFS_DOUBLE: v->d = (double)rnd(7) / 2 - 1; break;
            case TSFS_VARCHAR: v->s = tsfs_str_from(strings[rnd(5)]); break;
            default: v->i = (int64_t)rnd(6) - 1; break;
            }
        }
    }
}

static struct tsfs_plan *make_plan(struct tsfs_arena *arena, struct tsfs_str sql, bool rules)
{
    struct tsfs_plan *plan;
    struct tsfs_bound *rel;
    struct tsfs_error err = {0};
    struct tsfs_bound_mode mode;
    int rc = rules ? tsfs_plan_query(sql, &world.support.resolver, &support_set, arena, &plan, &err)
                   : tsfs_sql_bind(sql, &world.support.resolver, &support_set, arena, &rel, &mode, &err);
    if (rc != 0 && strcmp(err.message, "division by zero") == 0)
        return NULL;
    if (rc != 0)
        fail_msg("%.*s\nline %u, column %u: %s", (int)sql.len, sql.ptr, err.line, err.column, err.message);
    if (!rules)
        assert_int_equal(plan_build_bare(arena, rel, &plan, &err), 0);
    assert_non_null(plan);
    const char *wrong = support_check_plan(plan);
    if (wrong != NULL)
        fail_msg("%.*s\n%s", (int)sql.len, sql.ptr, wrong);
    return plan;
}

static void test_rules_change_nothing(void **state)
{
    const char *runs = getenv("PROP_RUNS"), *first = getenv("PROP_SEED");
    unsigned n = runs != NULL ? (unsigned)atoi(runs) : 20000, compared = 0, rows = 0;
    uint64_t base = first != NULL ? strtoull(first, NULL, 10) : 1;
    support_open(&world.support);
    for (unsigned i = 0; i < n; i++) {
        struct tsfs_arena arena;
        struct scope out;
        struct rows expected, got;
        seed = (base + i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
        for (int k = 0; k < 5; k++)
            rnd(2);
        tsfs_arena_init(&arena, NULL);
        world.arena = &arena;
        text.len = 0;
        put_query(&out, rnd(3), 'a');
        random_table();
        struct tsfs_str sql = tsfs_buf_str(&text);
        struct tsfs_plan *naive = make_plan(&arena, sql, false);
        struct tsfs_plan *plan = naive == NULL ? NULL : make_plan(&arena, sql, true);
        if (naive != NULL && run(naive, &expected)) {
            bool ok = run(plan, &got);
            bool same = ok && expected.n == got.n && expected.ncols == got.ncols;
            for (uint32_t k = 0; same && k < expected.n * expected.ncols; k++)
                same = same_value(&expected.cells[k], &got.cells[k]);
            if (!same) {
                struct tsfs_buf a = {0}, b = {0};
                assert_int_equal(tsfs_plan_explain(naive, &a), 0);
                assert_int_equal(tsfs_plan_explain(plan, &b), 0);
                fail_msg("seed %llu: %.*s\n--- as written: %u rows\n%.*s--- after the rules: %u rows%s\n%.*s",
                         (unsigned long long)(base + i), (int)sql.len, sql.ptr, expected.n, (int)a.len,
                         a.data, ok ? got.n : 0, ok ? "" : ", and an error", (int)b.len, b.data);
            }
            compared++;
            rows += expected.n > 0;
        }
        tsfs_arena_free(&arena);
    }
    tsfs_buf_free(&text);
    support_close(&world.support);
    print_message("%u queries, %u compared, %u with rows\n", n, compared, rows);
    assert_true(compared > n / 2 && rows > n / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
