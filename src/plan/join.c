/* Joins: where their conditions go, and in which order they are made.
 *
 * Inner joins that stand one inside another are one set of relations and one list of terms, ON and WHERE
 * alike. A term over one relation goes down into it; what an equality of two columns says of one of them, it
 * says of the other ("a.host = b.host AND a.host = 'x'" looks for 'x' on both sides).  Then the relations are
 * joined in the order written, but one that an equality ties to those before it comes before one that nothing
 * ties, so that "FROM a, b, c" makes no product that its WHERE does not ask for.
 *
 * An outer join keeps its sides.  WHERE's terms go into the side whose rows all come through; ON's terms into
 * the other.  A WHERE that cannot be true for rows padded with NULLs makes the join an inner one, or a FULL
 * one half of it. */
#include <errno.h>

#include "plan/plan_priv.h"

/* ---- what columns a term names ---- */

struct span {
    uint32_t lo, hi; /* columns [lo, hi) */
    bool inside, outside;
    uint32_t only; /* the one column, if there is just one */
    bool many;
};

static bool visit_span(void *ctx, uint32_t index)
{
    struct span *s = ctx;
    if (index >= s->lo && index < s->hi) {
        if (s->inside && s->only != index)
            s->many = true;
        s->inside = true;
        s->only = index;
    } else {
        s->outside = true;
    }
    return true;
}

static struct span span_of(const struct tsfs_expr *e, uint32_t lo, uint32_t hi)
{
    struct span s = {.lo = lo, .hi = hi};
    tsfs_expr_each_column(e, visit_span, &s);
    return s;
}

static bool within(const struct tsfs_expr *e, uint32_t lo, uint32_t hi)
{
    struct span s = span_of(e, lo, hi);
    return s.inside && !s.outside;
}

struct shift {
    struct tsfs_arena *arena;
    uint32_t lo, hi;
    int64_t by;
};

static struct tsfs_expr *shift_column(void *ctx, struct tsfs_expr *column)
{
    const struct shift *s = ctx;
    if (s->by == 0 || column->index < s->lo || column->index >= s->hi)
        return column;
    return tsfs_expr_column(s->arena, (uint32_t)(column->index + s->by), column->type, column);
}

static struct tsfs_expr *shifted(struct tsfs_arena *arena, struct tsfs_expr *e, uint32_t lo, uint32_t hi,
                                 int64_t by)
{
    return tsfs_expr_map(arena, e, shift_column, &(struct shift){arena, lo, hi, by});
}

struct swap {
    struct tsfs_arena *arena;
    uint32_t from;
    const struct tsfs_expr *to;
};

static struct tsfs_expr *swap_column(void *ctx, struct tsfs_expr *column)
{
    const struct swap *s = ctx;
    return column->index != s->from ? column : tsfs_expr_column(s->arena, s->to->index, s->to->type, column);
}

static bool add_term(struct plan_terms *t, struct tsfs_expr *e)
{
    if (e != NULL)
        t->items[t->n++] = e;
    return e != NULL;
}

static bool room(struct tsfs_arena *arena, struct plan_terms *t, uint32_t n)
{
    *t = (struct plan_terms){.items = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n)};
    return t->items != NULL;
}

/* a = b, each side of it over its own part of the columns; keys have no order of their own, so that whatever
 * can be compared can be hashed. */
static bool is_key(const struct tsfs_expr *e, uint32_t lo, uint32_t mid, uint32_t hi, int *left)
{
    if (tsfs_expr_op(e) != TSFS_OP_EQ || e->nargs != 2 || e->args[0]->type != e->args[1]->type ||
        tsfs_type_is_nested(e->args[0]->type) || tsfs_expr_unstable(e))
        return false;
    for (int side = 0; side < 2; side++)
        if (within(e->args[side], lo, mid) && within(e->args[1 - side], mid, hi)) {
            *left = side;
            return true;
        }
    return false;
}

static int set_keys(struct tsfs_arena *arena, struct tsfs_plan *join, const struct plan_terms *terms,
                    uint32_t mid, uint32_t end)
{
    struct plan_terms rest;
    join->join.left_keys = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, terms->n);
    join->join.right_keys = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, terms->n);
    if (join->join.left_keys == NULL || join->join.right_keys == NULL || !room(arena, &rest, terms->n))
        return -ENOMEM;
    for (uint32_t i = 0; i < terms->n; i++) {
        struct tsfs_expr *e = terms->items[i];
        int left;
        if (!is_key(e, 0, mid, end, &left)) {
            add_term(&rest, e);
            continue;
        }
        struct tsfs_expr *right = shifted(arena, e->args[1 - left], mid, end, -(int64_t)mid);
        if (right == NULL)
            return -ENOMEM;
        join->join.left_keys[join->join.nkeys] = e->args[left];
        join->join.right_keys[join->join.nkeys++] = right;
    }
    join->join.condition = tsfs_expr_and(arena, rest.items, rest.n);
    return rest.n > 0 && join->join.condition == NULL ? -ENOMEM : 0;
}

/* ---- inner joins ---- */

struct relation {
    struct tsfs_plan *plan;
    uint32_t base; /* of its columns among all */
    struct plan_terms terms;
    bool placed;
    uint32_t at; /* of its columns once the joins are made */
};

struct flat {
    struct tsfs_arena *arena;
    struct relation *items;
    uint32_t n, ncols;
    struct plan_terms terms; /* over all columns */
};

static bool is_inner(const struct tsfs_plan *p)
{
    return p->kind == TSFS_PLAN_JOIN && p->join.kind == TSFS_JOIN_INNER;
}

static void count_flat(const struct tsfs_plan *p, uint32_t *n)
{
    if (!is_inner(p)) {
        ++*n;
        return;
    }
    count_flat(p->input, n);
    count_flat(p->more[0], n);
}

static uint32_t count_terms(const struct tsfs_plan *p)
{
    if (!is_inner(p))
        return 0;
    struct tsfs_expr *e = p->join.condition;
    uint32_t n = e == NULL ? 0 : e->kind == TSFS_EXPR_AND ? tsfs_expr_size(e, UINT32_MAX - 1) : 1;
    return n + count_terms(p->input) + count_terms(p->more[0]);
}

static int flatten(struct flat *f, struct tsfs_plan *p, uint32_t base)
{
    if (!is_inner(p)) {
        f->items[f->n++] = (struct relation){.plan = p, .base = base};
        return 0;
    }
    struct plan_terms on;
    int rc = flatten(f, p->input, base);
    if (rc == 0)
        rc = flatten(f, p->more[0], base + p->input->ncols);
    if (rc == 0)
        rc = plan_split(f->arena, p->join.condition, &on);
    for (uint32_t i = 0; i < on.n && rc == 0; i++)
        if (!add_term(&f->terms, shifted(f->arena, on.items[i], 0, p->ncols, base)))
            rc = -ENOMEM;
    return rc;
}

#define DERIVED_TERMS_MAX 256

/* Says of other columns what the terms say of columns equal to them. */
static int derive_terms(struct flat *f, struct plan_terms *all)
{
    uint32_t nderived = 0;
    for (uint32_t i = 0; i < all->n && nderived < DERIVED_TERMS_MAX; i++) {
        struct tsfs_expr *e = all->items[i];
        struct span s = span_of(e, 0, f->ncols);
        if (!s.inside || s.many || tsfs_expr_can_fail(e) || tsfs_expr_unstable(e))
            continue;
        for (uint32_t k = 0; k < f->terms.n && nderived < DERIVED_TERMS_MAX; k++) {
            const struct tsfs_expr *eq = f->terms.items[k];
            if (tsfs_expr_op(eq) != TSFS_OP_EQ || eq->nargs != 2 || eq->args[0]->kind != TSFS_EXPR_COLUMN ||
                eq->args[1]->kind != TSFS_EXPR_COLUMN || eq->args[0]->type != eq->args[1]->type)
                continue;
            const struct tsfs_expr *to = eq->args[0]->index == s.only   ? eq->args[1]
                                         : eq->args[1]->index == s.only ? eq->args[0]
                                                                        : NULL;
            if (to == NULL || to->index == s.only)
                continue;
            struct tsfs_expr *derived =
                tsfs_expr_map(f->arena, e, swap_column, &(struct swap){f->arena, s.only, to});
            if (derived == NULL)
                return -ENOMEM;
            bool known = false;
            for (uint32_t m = 0; m < all->n && !known; m++)
                known = tsfs_expr_equal(all->items[m], derived);
            if (known)
                continue;
            all->items[all->n++] = derived;
            nderived++;
        }
    }
    return 0;
}

/* Terms over one relation go into it; the others stay in f->terms; those that can fail and come after one
 * that stays but is no key go to `above`. */
static int sort_terms(struct flat *f, struct plan_terms *above)
{
    struct plan_terms all, stay;
    if (!room(f->arena, &all, f->terms.n + DERIVED_TERMS_MAX) ||
        !room(f->arena, &stay, f->terms.n + DERIVED_TERMS_MAX) || !room(f->arena, above, f->terms.n))
        return -ENOMEM;
    for (uint32_t i = 0; i < f->terms.n; i++)
        add_term(&all, f->terms.items[i]);
    int rc = derive_terms(f, &all);
    if (rc != 0)
        return rc;
    for (uint32_t r = 0; r < f->n; r++)
        if (!room(f->arena, &f->items[r].terms, all.n))
            return -ENOMEM;
    bool guarded = false;
    for (uint32_t i = 0; i < all.n; i++) {
        struct tsfs_expr *e = all.items[i];
        bool stable = !tsfs_expr_unstable(e), down = false;
        for (uint32_t r = 0; r < f->n && stable && !down; r++) {
            struct relation *rel = &f->items[r];
            down = within(e, rel->base, rel->base + rel->plan->ncols) && !(guarded && tsfs_expr_can_fail(e));
            if (down && !add_term(&rel->terms, shifted(f->arena, e, 0, f->ncols, -(int64_t)rel->base)))
                return -ENOMEM;
        }
        if (down)
            continue;
        bool key = tsfs_expr_op(e) == TSFS_OP_EQ;
        if (!stable || (guarded && tsfs_expr_can_fail(e)))
            add_term(above, e);
        else
            add_term(&stay, e);
        guarded |= !key;
    }
    f->terms = stay;
    return 0;
}

struct place {
    struct tsfs_arena *arena;
    const struct flat *f;
};

static struct tsfs_expr *place_column(void *ctx, struct tsfs_expr *column)
{
    const struct place *p = ctx;
    for (uint32_t r = 0; r < p->f->n; r++) {
        const struct relation *rel = &p->f->items[r];
        if (column->index >= rel->base && column->index < rel->base + rel->plan->ncols)
            return tsfs_expr_column(p->arena, rel->at + (column->index - rel->base), column->type, column);
    }
    return column;
}

static bool visit_placed(void *ctx, uint32_t index)
{
    const struct flat *f = ctx;
    for (uint32_t r = 0; r < f->n; r++) {
        const struct relation *rel = &f->items[r];
        if (index >= rel->base && index < rel->base + rel->plan->ncols)
            return rel->placed;
    }
    return false;
}

static bool all_placed(const struct flat *f, const struct tsfs_expr *e)
{
    return tsfs_expr_each_column(e, visit_placed, (void *)f);
}

/* Whether an equality ties relation r to what is placed. */
static bool tied(struct flat *f, uint32_t r)
{
    struct relation *rel = &f->items[r];
    uint32_t lo = rel->base, hi = rel->base + rel->plan->ncols;
    for (uint32_t i = 0; i < f->terms.n; i++) {
        const struct tsfs_expr *e = f->terms.items[i];
        if (tsfs_expr_op(e) != TSFS_OP_EQ || e->nargs != 2)
            continue;
        for (int side = 0; side < 2; side++) {
            struct span other = span_of(e->args[1 - side], lo, hi);
            if (within(e->args[side], lo, hi) && !other.inside && other.outside &&
                all_placed(f, e->args[1 - side]))
                return true;
        }
    }
    return false;
}

static uint32_t next_relation(struct flat *f)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t r = 0; r < f->n; r++) {
        if (f->items[r].placed)
            continue;
        if (first == UINT32_MAX)
            first = r;
        if (tied(f, r))
            return r;
    }
    return first;
}

/* left JOIN relation r, with all terms that can now be tested. */
static int join_relation(struct flat *f, struct tsfs_plan **left, uint32_t r)
{
    struct relation *rel = &f->items[r];
    struct tsfs_plan *join = plan_new(f->arena, TSFS_PLAN_JOIN, *left, (*left)->ncols + rel->plan->ncols);
    struct plan_terms here;
    if (join == NULL || (join->more = TSFS_NEW_ARRAY(f->arena, struct tsfs_plan *, 1)) == NULL ||
        !room(f->arena, &here, f->terms.n))
        return -ENOMEM;
    rel->placed = true;
    rel->at = (*left)->ncols;
    join->more[0] = rel->plan;
    join->nmore = 1;
    if ((*left)->ncols > 0)
        memcpy(join->cols, (*left)->cols, (*left)->ncols * sizeof(*join->cols));
    if (rel->plan->ncols > 0)
        memcpy(join->cols + (*left)->ncols, rel->plan->cols, rel->plan->ncols * sizeof(*join->cols));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->terms.n; i++) {
        struct tsfs_expr *e = f->terms.items[i];
        if (!all_placed(f, e)) {
            f->terms.items[kept++] = e;
            continue;
        }
        if (!add_term(&here, tsfs_expr_map(f->arena, e, place_column, &(struct place){f->arena, f})))
            return -ENOMEM;
    }
    f->terms.n = kept;
    uint32_t mid = (*left)->ncols;
    *left = join;
    return set_keys(f->arena, join, &here, mid, join->ncols);
}

static int push_inner(struct tsfs_arena *arena, struct tsfs_plan **plan, const struct plan_terms *terms)
{
    struct tsfs_plan *p = *plan, *built;
    struct flat f = {.arena = arena, .ncols = p->ncols};
    struct plan_terms above;
    uint32_t n = 0;
    count_flat(p, &n);
    f.items = TSFS_NEW_ARRAY(arena, struct relation, n);
    if (f.items == NULL || !room(arena, &f.terms, count_terms(p) + terms->n))
        return -ENOMEM;
    int rc = flatten(&f, p, 0);
    for (uint32_t i = 0; i < terms->n; i++)
        add_term(&f.terms, terms->items[i]);
    if (rc == 0)
        rc = sort_terms(&f, &above);
    for (uint32_t r = 0; r < f.n && rc == 0; r++)
        rc = plan_push_terms(arena, &f.items[r].plan, &f.items[r].terms);
    if (rc != 0)
        return rc;
    bool moved = false;
    f.items[0].placed = true;
    built = f.items[0].plan;
    for (uint32_t k = 1; k < f.n && rc == 0; k++) {
        uint32_t r = next_relation(&f);
        moved |= r != k;
        rc = join_relation(&f, &built, r);
    }
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < above.n; i++)
        if ((above.items[i] =
                 tsfs_expr_map(arena, above.items[i], place_column, &(struct place){arena, &f})) == NULL)
            return -ENOMEM;
    if ((rc = plan_put_filter(arena, &built, &above)) != 0)
        return rc;
    if (moved) {
        struct tsfs_plan *order = plan_over(arena, TSFS_PLAN_PROJECT, p);
        if (order == NULL ||
            (order->project.exprs = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, p->ncols)) == NULL)
            return -ENOMEM;
        order->input = built;
        for (uint32_t i = 0; i < p->ncols; i++) {
            struct tsfs_expr *e = tsfs_expr_column(arena, i, p->cols[i].type, NULL);
            if (e == NULL || (order->project.exprs[i] = place_column(&(struct place){arena, &f}, e)) == NULL)
                return -ENOMEM;
        }
        built = order;
    }
    *plan = built;
    return 0;
}

/* ---- outer joins ---- */

/* Whether e is NULL wherever columns [lo, hi) all are. */
static bool strict(const struct tsfs_expr *e, uint32_t lo, uint32_t hi)
{
    switch (e->kind) {
    case TSFS_EXPR_COLUMN: return e->index >= lo && e->index < hi;
    case TSFS_EXPR_CAST:
    case TSFS_EXPR_NOT: return strict(e->args[0], lo, hi);
    case TSFS_EXPR_IN:
        return strict(e->args[0], lo, hi) && !(e->nargs == 2 && e->args[1]->kind == TSFS_EXPR_OUTER);
    case TSFS_EXPR_CALL:
        if (e->fn->nulls)
            return false;
        for (uint32_t i = 0; i < e->nargs; i++)
            if (strict(e->args[i], lo, hi))
                return true;
        return false;
    default: return false;
    }
}

/* Whether e is not TRUE wherever they all are NULL. */
static bool rejects(const struct tsfs_expr *e, uint32_t lo, uint32_t hi)
{
    switch (e->kind) {
    case TSFS_EXPR_AND:
        for (uint32_t i = 0; i < e->nargs; i++)
            if (rejects(e->args[i], lo, hi))
                return true;
        return false;
    case TSFS_EXPR_OR:
        for (uint32_t i = 0; i < e->nargs; i++)
            if (!rejects(e->args[i], lo, hi))
                return false;
        return e->nargs > 0;
    case TSFS_EXPR_NOT:
        if (e->args[0]->kind == TSFS_EXPR_IS_NULL)
            return strict(e->args[0]->args[0], lo, hi);
        return strict(e->args[0], lo, hi);
    default: return strict(e, lo, hi);
    }
}

static enum tsfs_join simplify(enum tsfs_join kind, const struct plan_terms *where, uint32_t mid,
                               uint32_t end)
{
    for (uint32_t i = 0; i < where->n; i++) {
        const struct tsfs_expr *e = where->items[i];
        bool left = rejects(e, 0, mid), right = rejects(e, mid, end);
        if (left && kind == TSFS_JOIN_FULL)
            kind = TSFS_JOIN_LEFT;
        if (left && kind == TSFS_JOIN_RIGHT)
            kind = TSFS_JOIN_INNER;
        if (right && kind == TSFS_JOIN_FULL)
            kind = TSFS_JOIN_RIGHT;
        if (right && kind == TSFS_JOIN_LEFT)
            kind = TSFS_JOIN_INNER;
    }
    return kind;
}

/* What terms over one side say of the other side's keys. */
static int mirror(struct tsfs_arena *arena, const struct tsfs_plan *join, const struct plan_terms *from,
                  bool from_left, struct plan_terms *to)
{
    for (uint32_t i = 0; i < from->n; i++) {
        struct tsfs_expr *e = from->items[i];
        struct span s = span_of(e, 0, UINT32_MAX);
        if (!s.inside || s.many || tsfs_expr_can_fail(e) || tsfs_expr_unstable(e))
            continue;
        for (uint32_t k = 0; k < join->join.nkeys; k++) {
            const struct tsfs_expr *here = from_left ? join->join.left_keys[k] : join->join.right_keys[k];
            const struct tsfs_expr *there = from_left ? join->join.right_keys[k] : join->join.left_keys[k];
            if (here->kind != TSFS_EXPR_COLUMN || there->kind != TSFS_EXPR_COLUMN || here->index != s.only)
                continue;
            if (!add_term(to, tsfs_expr_map(arena, e, swap_column, &(struct swap){arena, s.only, there})))
                return -ENOMEM;
            break;
        }
    }
    return 0;
}

static int push_outer(struct tsfs_arena *arena, struct tsfs_plan **plan, const struct plan_terms *where)
{
    struct tsfs_plan *p = *plan;
    enum tsfs_join kind = p->join.kind;
    bool semi = kind == TSFS_JOIN_SEMI || kind == TSFS_JOIN_ANTI;
    uint32_t mid = p->input->ncols, end = mid + p->more[0]->ncols;
    struct plan_terms on, rest, left, right, left_on, above;
    int rc = plan_split(arena, p->join.condition, &on);
    if (rc != 0)
        return rc;
    if (!room(arena, &rest, on.n) || !room(arena, &left, 2 * (on.n + where->n)) ||
        !room(arena, &right, 2 * (on.n + where->n)) || !room(arena, &left_on, on.n) ||
        !room(arena, &above, where->n))
        return -ENOMEM;
    bool where_left = kind == TSFS_JOIN_LEFT || semi, where_right = kind == TSFS_JOIN_RIGHT;
    bool on_left = kind == TSFS_JOIN_RIGHT || kind == TSFS_JOIN_SEMI;
    bool on_right = kind == TSFS_JOIN_LEFT || semi;
    for (uint32_t i = 0; i < where->n; i++) {
        struct tsfs_expr *e = where->items[i];
        bool movable = !tsfs_expr_unstable(e) && (above.n == 0 || !tsfs_expr_can_fail(e));
        bool ok = true;
        if (movable && where_left && within(e, 0, mid))
            ok = add_term(&left, e);
        else if (movable && where_right && within(e, mid, end))
            ok = add_term(&right, shifted(arena, e, mid, end, -(int64_t)mid));
        else
            add_term(&above, e);
        if (!ok)
            return -ENOMEM;
    }
    for (uint32_t i = 0; i < on.n; i++) {
        struct tsfs_expr *e = on.items[i];
        bool movable = !tsfs_expr_unstable(e) && (rest.n == 0 || !tsfs_expr_can_fail(e));
        bool ok = true;
        if (movable && on_left && within(e, 0, mid))
            ok = add_term(&left, e);
        else if (movable && on_right && within(e, mid, end))
            ok = add_term(&right, shifted(arena, e, mid, end, -(int64_t)mid));
        else
            add_term(&rest, e);
        if (movable && !tsfs_expr_can_fail(e) && !on_left && within(e, 0, mid))
            add_term(&left_on, e);
        if (!ok)
            return -ENOMEM;
    }
    if ((rc = set_keys(arena, p, &rest, mid, end)) != 0)
        return rc;
    /* What is known of one side's keys holds for every row of the other that can match. */
    struct plan_terms known_left = {.items = left.items, .n = left.n},
                      known_right = {.items = right.items, .n = right.n};
    if (on_right && (rc = mirror(arena, p, &known_left, true, &right)) == 0)
        rc = mirror(arena, p, &left_on, true, &right);
    if (rc == 0 && on_left)
        rc = mirror(arena, p, &known_right, false, &left);
    if (rc == 0)
        rc = plan_push_terms(arena, &p->input, &left);
    if (rc == 0)
        rc = plan_push_terms(arena, &p->more[0], &right);
    return rc != 0 ? rc : plan_put_filter(arena, plan, &above);
}

int plan_push_join(struct tsfs_arena *arena, struct tsfs_plan **plan, const struct plan_terms *terms)
{
    struct tsfs_plan *p = *plan;
    if (p->join.kind != TSFS_JOIN_SEMI && p->join.kind != TSFS_JOIN_ANTI)
        p->join.kind = simplify(p->join.kind, terms, p->input->ncols, p->ncols);
    return is_inner(p) ? push_inner(arena, plan, terms) : push_outer(arena, plan, terms);
}
