/* A column chunk's values as the encoders want them: dense, without NULLs, cut into pages.
 *
 * Flat vectors without NULLs are used where they lie.  NULLs are squeezed out; numbers in runs are written
 * out (eight bytes a row are no burden); strings in runs stay runs, because their dictionary codes can be had
 * without that. */
#include <errno.h>

#include "base/limits.h"
#include "parquet/writer_priv.h"

static size_t count_range(const uint64_t *bits, size_t from, size_t to)
{
    size_t n = 0;
    while (from < to) {
        size_t k = 64 - (from & 63) < to - from ? 64 - (from & 63) : to - from;
        uint64_t w = bits[from >> 6] >> (from & 63);
        if (k < 64)
            w &= (UINT64_C(1) << k) - 1;
        n += (size_t)__builtin_popcountll(w);
        from += k;
    }
    return n;
}

static int check_type(const struct pq_source *s, const struct tsfs_vec *v, struct tsfs_error *err)
{
    static const char *const wanted[] = {"boolean", "integer", "double", "varchar"};
    bool fits = v->type == TSFS_UNKNOWN;
    switch (s->kind) {
    case PQ_BOOLS: fits |= v->type == TSFS_BOOLEAN; break;
    case PQ_INTS: fits |= tsfs_type_is_int64(v->type); break;
    case PQ_DOUBLES: fits |= v->type == TSFS_DOUBLE; break;
    case PQ_STRINGS: fits |= v->type == TSFS_VARCHAR; break;
    }
    if (fits)
        return 0;
    return tsfs_error_set(err, -EINVAL, "column \"%.*s\": values of type %s given where %s is wanted",
                          (int)s->column->name.len, s->column->name.ptr, tsfs_type_name(v->type),
                          wanted[s->kind]);
}

static int check_runs(const struct pq_source *s, const struct tsfs_pq_chunk_values *v, struct tsfs_error *err)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < v->nruns; i++) {
        if (v->run_end[i] <= before)
            return tsfs_error_set(err, -EINVAL, "column \"%.*s\": run %u is empty", (int)s->column->name.len,
                                  s->column->name.ptr, i);
        before = v->run_end[i];
    }
    if (before != s->nrows)
        return tsfs_error_set(err, -EINVAL, "column \"%.*s\": runs of %u rows in a group of %u",
                              (int)s->column->name.len, s->column->name.ptr, before, s->nrows);
    return 0;
}

static int check_values(const struct pq_source *s, size_t n, const uint64_t *valid, struct tsfs_error *err)
{
    if (s->column->physical == TSFS_PQ_INT32) {
        const int64_t *v = s->values;
        uint64_t wide = 0;
        for (size_t i = 0; i < n; i++)
            wide |= (uint64_t)(v[i] != (int32_t)v[i]);
        if (wide)
            return tsfs_error_set(err, -ERANGE, "column \"%.*s\": a value does not fit 32 bits",
                                  (int)s->column->name.len, s->column->name.ptr);
    }
    if (s->kind == PQ_STRINGS) {
        const struct tsfs_str *v = s->runs ? s->runs->vec.s : s->values;
        for (size_t i = 0; i < n; i++) {
            if ((!valid || tsfs_bit_get(valid, i)) && v[i].len > TSFS_PAGE_MAX / 2)
                return tsfs_error_set(err, -EFBIG, "column \"%.*s\": a string of %zu bytes",
                                      (int)s->column->name.len, s->column->name.ptr, v[i].len);
        }
    }
    return 0;
}

/* Writes runs out as flat values and a bitmap of rows. */
static int expand(struct pq_source *s, const struct tsfs_pq_chunk_values *runs, struct tsfs_arena *arena)
{
    size_t width = pq_kind_width(s->kind), n = 0;
    uint32_t row = 0;
    uint64_t *valid = TSFS_NEW_ARRAY(arena, uint64_t, tsfs_bit_words(s->nrows));
    char *values = tsfs_arena_alloc(arena, s->nrows * width);
    if (!valid || !values)
        return -ENOMEM;
    for (uint32_t i = 0; i < runs->nruns; i++) {
        uint32_t k = runs->run_end[i] - row;
        if (!tsfs_vec_null(&runs->vec, i)) {
            const char *value = (const char *)runs->vec.data + (runs->vec.constant ? 0 : i * width);
            tsfs_bits_set_range(valid, row, k);
            for (uint32_t j = 0; j < k; j++)
                memcpy(values + (n + j) * width, value, width);
            n += k;
        }
        row = runs->run_end[i];
    }
    s->values = values;
    s->nvalues = n;
    s->valid = n == s->nrows ? NULL : valid;
    return 0;
}

static int squeeze(struct pq_source *s, const struct tsfs_vec *v, struct tsfs_arena *arena)
{
    size_t width = pq_kind_width(s->kind), n = 0;
    size_t count = tsfs_bits_count(v->valid, s->nrows);
    s->nvalues = count;
    s->values = v->data;
    s->valid = NULL;
    if (count == s->nrows)
        return 0;
    s->valid = v->valid;
    char *values = tsfs_arena_alloc(arena, count * width);
    if (!values)
        return -ENOMEM;
    const char *from = v->data;
    for (size_t w = 0; w < tsfs_bit_words(s->nrows); w++) {
        uint64_t bits = v->valid[w];
        if (w == s->nrows / 64)
            bits &= (UINT64_C(1) << s->nrows % 64) - 1;
        if (bits == ~UINT64_C(0)) {
            memcpy(values + n * width, from + w * 64 * width, 64 * width);
            n += 64;
            continue;
        }
        for (; bits; bits &= bits - 1, n++)
            memcpy(values + n * width, from + (w * 64 + (unsigned)__builtin_ctzll(bits)) * width, width);
    }
    s->values = values;
    return 0;
}

static int cut_pages(struct pq_source *s, struct tsfs_arena *arena)
{
    size_t n = 0;
    if (!s->page_value)
        s->page_value = TSFS_NEW_ARRAY(arena, size_t, s->npages + 1);
    if (!s->page_value)
        return -ENOMEM;
    for (uint32_t p = 0; p < s->npages; p++) {
        uint32_t from = p ? s->page_end[p - 1] : 0;
        s->page_value[p] = n;
        n += s->valid ? count_range(s->valid, from, s->page_end[p]) : s->page_end[p] - from;
    }
    s->page_value[s->npages] = n;
    return 0;
}

int pq_source_expand(struct pq_source *s, struct tsfs_arena *arena)
{
    int r = expand(s, s->runs, arena);
    s->runs = NULL;
    return r ? r : cut_pages(s, arena);
}

int pq_source_init(struct pq_source *s, const struct tsfs_pq_column *column,
                   const struct tsfs_pq_chunk_values *values, uint32_t nrows, const uint32_t *page_end,
                   uint32_t npages, struct tsfs_arena *arena, struct tsfs_error *err)
{
    *s = (struct pq_source){.column = column,
                            .kind = pq_kind_of(column->physical),
                            .nrows = nrows,
                            .npages = npages,
                            .page_end = page_end};
    const struct tsfs_vec *v = &values->vec;
    int r = check_type(s, v, err);
    if (!r && values->run_end)
        r = check_runs(s, values, err);
    if (r)
        return r;

    const struct tsfs_pq_chunk_values *runs = values->run_end ? values : NULL;
    if (v->type == TSFS_UNKNOWN || (v->constant && tsfs_vec_null(v, 0))) {
        s->valid = TSFS_NEW_ARRAY(arena, uint64_t, tsfs_bit_words(nrows));
        s->values = ""; /* none */
        if (!s->valid)
            return -ENOMEM;
        runs = NULL;
    } else if (v->constant || runs) {
        if (v->constant) { /* one run; nruns of the caller would say the same value again */
            struct tsfs_pq_chunk_values *one = TSFS_NEW(arena, struct tsfs_pq_chunk_values);
            uint32_t *end = TSFS_NEW(arena, uint32_t);
            if (!one || !end)
                return -ENOMEM;
            *end = nrows;
            *one = (struct tsfs_pq_chunk_values){.vec = *v, .run_end = end, .nruns = 1};
            one->vec.constant = false;
            runs = one;
        }
        if (s->kind == PQ_STRINGS)
            s->runs = runs;
        else
            r = expand(s, runs, arena);
    } else if (v->valid) {
        r = squeeze(s, v, arena);
    } else {
        s->values = v->data;
        s->nvalues = nrows;
    }
    if (!r)
        r = s->runs ? check_values(s, s->runs->nruns, s->runs->vec.valid, err)
                    : check_values(s, s->nvalues, NULL, err);
    if (r)
        return r;

    if (s->runs) {
        uint32_t row = 0;
        for (uint32_t i = 0; i < s->runs->nruns; i++) {
            if (!tsfs_vec_null(&s->runs->vec, i))
                s->nvalues += s->runs->run_end[i] - row;
            row = s->runs->run_end[i];
        }
    }
    if (!column->optional && s->nvalues != nrows)
        return tsfs_error_set(err, -EINVAL, "column \"%.*s\" may not hold NULLs", (int)column->name.len,
                              column->name.ptr);
    return s->runs ? 0 : cut_pages(s, arena);
}
