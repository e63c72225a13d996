/* IN over many literals: a hash set per list, made before the query runs and only read from then on, from any
 * thread. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "exec/eval_priv.h"
#include "exec/kernels/bits.h"

/* Fewer literals are compared one by one, a whole batch at a time. */
#define SET_LITERALS_MIN 6

struct eval_set {
    const struct tsfs_expr *in;
    enum tsfs_type type;
    bool others;
    uint32_t mask;
    uint32_t *slots; /* 1 + index into values, 0 = free */
    struct tsfs_value *values;
    struct eval_set *next;
};

struct tsfs_eval_sets {
    struct eval_set *first;
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    return x * UINT64_C(0xd6e8feb86659fd93);
}

static uint64_t bits_of_double(double d)
{
    uint64_t u;
    d += 0.0; /* -0 and 0 are one value */
    memcpy(&u, &d, sizeof(u));
    return u;
}

static uint64_t hash_value(const struct tsfs_value *v)
{
    switch (v->type) {
    case TSFS_BOOLEAN: return mix(v->b);
    case TSFS_DOUBLE: return mix(bits_of_double(v->d));
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return tsfs_hash(v->s.ptr, v->s.len);
    default: return mix((uint64_t)v->i);
    }
}

static bool same_value(const struct tsfs_value *a, const struct tsfs_value *b)
{
    switch (a->type) {
    case TSFS_BOOLEAN: return a->b == b->b;
    case TSFS_DOUBLE: return a->d == b->d;
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return tsfs_str_eq(a->s, b->s);
    default: return a->i == b->i;
    }
}

/* The slot that holds value, or the free one where it would go. */
static uint32_t *slot_of(const struct eval_set *set, const struct tsfs_value *value)
{
    uint32_t at = (uint32_t)(hash_value(value) >> 16) & set->mask;
    while (set->slots[at] != 0 && !same_value(&set->values[set->slots[at] - 1], value))
        at = (at + 1) & set->mask;
    return &set->slots[at];
}

static bool goes_in(const struct tsfs_expr *element)
{
    return element->kind == TSFS_EXPR_LITERAL && !element->value.null;
}

static int make_set(struct tsfs_arena *arena, const struct tsfs_expr *in, struct tsfs_eval_sets **sets)
{
    uint32_t n = 0, slots = 16;
    for (uint32_t i = 1; i < in->nargs; i++)
        n += goes_in(in->args[i]);
    if (n < SET_LITERALS_MIN)
        return 0;
    while (slots < n * 2)
        slots *= 2;
    if (*sets == NULL && (*sets = TSFS_NEW(arena, struct tsfs_eval_sets)) == NULL)
        return -ENOMEM;
    struct eval_set *set = TSFS_NEW(arena, struct eval_set);
    if (set == NULL || (set->slots = TSFS_NEW_ARRAY(arena, uint32_t, slots)) == NULL ||
        (set->values = TSFS_NEW_ARRAY(arena, struct tsfs_value, n)) == NULL)
        return -ENOMEM;
    set->in = in;
    set->type = in->args[0]->type;
    set->others = n + 1 < in->nargs;
    set->mask = slots - 1;
    uint32_t k = 0;
    for (uint32_t i = 1; i < in->nargs; i++) {
        if (!goes_in(in->args[i]))
            continue;
        struct tsfs_value value = in->args[i]->value;
        if (value.type == TSFS_DOUBLE && value.d != value.d)
            continue; /* NaN equals nothing */
        uint32_t *slot = slot_of(set, &value);
        if (*slot == 0) {
            set->values[k] = value;
            *slot = ++k;
        }
    }
    set->next = (*sets)->first;
    (*sets)->first = set;
    return 0;
}

int tsfs_eval_prepare(struct tsfs_arena *arena, const struct tsfs_expr *expr, struct tsfs_eval_sets **sets)
{
    if (expr == NULL)
        return 0;
    if (expr->kind == TSFS_EXPR_IN) {
        int rc = make_set(arena, expr, sets);
        if (rc != 0)
            return rc;
    }
    for (uint32_t i = 0; i < expr->nargs; i++) {
        int rc = tsfs_eval_prepare(arena, expr->args[i], sets);
        if (rc != 0)
            return rc;
    }
    return 0;
}

const struct eval_set *eval_set_find(const struct tsfs_eval_sets *sets, const struct tsfs_expr *in)
{
    for (const struct eval_set *s = sets != NULL ? sets->first : NULL; s != NULL; s = s->next)
        if (s->in == in)
            return s;
    return NULL;
}

bool eval_set_has_others(const struct eval_set *set)
{
    return set->others;
}

int eval_values_probe(const struct eval_values *values, struct tsfs_eval *eval, const struct tsfs_vec *v,
                      uint32_t n, const uint64_t *valid, uint64_t *bits)
{
    uint32_t rows = v->constant ? 1 : n;
    uint32_t *groups = tsfs_arena_alloc(eval->arena, n * sizeof(*groups));
    int rc = groups == NULL ? -ENOMEM : group_lookup(&values->table, eval->arena, v, rows, groups);
    if (rc != 0)
        return rc;
    bits_zero(bits, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = v->constant ? 0 : i;
        bool nan = v->type == TSFS_DOUBLE && v->d != NULL && v->d[row] != v->d[row]; /* equals nothing */
        bits[i / 64] |= (uint64_t)(groups[row] != GROUP_NONE && !nan) << (i % 64);
    }
    for (uint32_t w = 0; w < tsfs_bit_words(n); w++)
        bits[w] &= valid[w];
    return 0;
}

void eval_set_probe(const struct eval_set *set, const struct tsfs_vec *v, uint32_t n, const uint64_t *valid,
                    uint64_t *bits)
{
    if (v->constant) {
        struct tsfs_value value = tsfs_vec_get(v, 0);
        bits_zero(bits, n);
        if (!value.null && *slot_of(set, &value) != 0)
            memcpy(bits, valid, tsfs_bit_words(n) * 8);
        return;
    }
    for (uint32_t w = 0; w < tsfs_bit_words(n); w++) {
        uint64_t word = 0;
        for (uint64_t left = valid[w]; left != 0; left &= left - 1) {
            uint32_t j = (uint32_t)__builtin_ctzll(left);
            struct tsfs_value value = tsfs_vec_get(v, w * 64 + j);
            word |= (uint64_t)(*slot_of(set, &value) != 0) << j;
        }
        bits[w] = word;
    }
}
