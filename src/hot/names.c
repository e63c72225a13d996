/* What a log need not say in full: the writer's memory of the definitions of series that it has written.
 *
 * Series of one source differ in one or two values and share the rest among them.  A series is therefore
 * defined after a model, an earlier one with the same measure name and the same dimensions, and values by
 * the number that they got in this log (docs/format/wal.md).  Both memories are small and bounded; what is
 * not in them is written in full, so forgetting costs bytes and nothing else.
 *
 * A value is worth a number when it comes for the second time: names of hosts and the like, one for each
 * series, pass through without leaving a number behind.  Values are looked up in sets of WAYS places; one
 * that has a number keeps its place, the others take each other's.
 *
 * A reader needs only what the log says: the series by their numbers, and the values that were given one. */
#include <stdlib.h>

#include "hot/hot_priv.h"

#define WAYS     4u
#define SETS     128u /* of places for values */
#define MODELS   16u
#define FROM     8u /* series in a log: the first ones are too few to remember anything for them */
#define NO_VALUE UINT32_MAX

struct hot_names {
    uint32_t nmodels, last; /* the one used last */
    uint32_t turn;
    struct {
        uint32_t layout, measure_name; /* references of the index */
        uint32_t series;               /* number in the log */
    } models[MODELS];
    struct {
        uint32_t ref[WAYS];    /* of the index; 0 = free */
        uint32_t number[WAYS]; /* in the log, or NO_VALUE */
    } sets[SETS];
};

size_t hot_names_bytes(const struct tsfs_hot *hot)
{
    return hot->names ? sizeof(*hot->names) : 0;
}

uint32_t hot_names_model(struct tsfs_hot *hot, const struct series_tuple *tuple)
{
    if (!hot->names && (hot->logged_series < FROM || !(hot->names = calloc(1, sizeof(*hot->names)))))
        return HOT_NONE;
    struct hot_names *names = hot->names;
    for (uint32_t i = 0, at = names->last; i < names->nmodels;
         i++, at = at + 1 < names->nmodels ? at + 1 : 0) {
        if (names->models[at].layout == tuple->layout &&
            names->models[at].measure_name == tuple->measure_name) {
            names->last = at;
            return names->models[at].series;
        }
    }
    /* This one will be written in full. */
    uint32_t at = names->nmodels < MODELS ? names->nmodels++ : names->turn++ % MODELS;
    names->models[at].layout = tuple->layout;
    names->models[at].measure_name = tuple->measure_name;
    names->models[at].series = hot->logged_series;
    names->last = at;
    return HOT_NONE;
}

/* Bits of the places that hold what is asked for.  All are looked at: which of them it is nobody can
 * foretell, and a branch for each would cost more. */
static unsigned places_with(const uint32_t places[WAYS], uint32_t what)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < WAYS; i++)
        bits |= (unsigned)(places[i] == what) << i;
    return bits;
}

uint32_t hot_names_value(struct tsfs_hot *hot, uint32_t ref)
{
    struct hot_names *names = hot->names;
    uint32_t set = (ref * UINT32_C(0x9e3779b1) >> 16) % SETS;
    uint32_t *refs = names->sets[set].ref, *numbers = names->sets[set].number;
    unsigned bits = places_with(refs, ref);
    if (bits) {
        uint32_t *number = &numbers[__builtin_ctz(bits)];
        if (*number != NO_VALUE)
            return RECORD_VALUE_FIRST + *number;
        if (hot->logged_values == TSFS_WAL_VALUES_MAX)
            return RECORD_VALUE_ONCE;
        *number = hot->logged_values++;
        return RECORD_VALUE_KEEP;
    }
    bits = places_with(refs, 0);
    if (!bits)
        bits = places_with(numbers, NO_VALUE);
    if (bits) {
        unsigned later = bits & ~0u << names->turn++ % WAYS;
        unsigned at = (unsigned)__builtin_ctz(later ? later : bits);
        refs[at] = ref;
        numbers[at] = NO_VALUE;
    }
    return RECORD_VALUE_ONCE;
}

void hot_names_cut(struct tsfs_hot *hot, uint32_t values)
{
    struct hot_names *names = hot->names;
    uint32_t kept = 0;
    hot->logged_values = values;
    if (!names)
        return;
    for (uint32_t i = 0; i < SETS * WAYS; i++)
        if (names->sets[i / WAYS].number[i % WAYS] >= values)
            names->sets[i / WAYS].number[i % WAYS] = NO_VALUE;
    for (uint32_t i = 0; i < names->nmodels; i++)
        if (names->models[i].series < hot->logged_series)
            names->models[kept++] = names->models[i];
    names->nmodels = kept;
    names->last = 0;
}
