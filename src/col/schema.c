#include "col/schema.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/limits.h"

/* Column names and the three arrays live in the arena; the index maps the hash of a name to its ordinal. */
struct tsfs_schema_names {
    struct tsfs_arena arena;
    struct tsfs_hash_index index;
};

struct wanted {
    const struct tsfs_schema *schema;
    struct tsfs_str name;
};

static bool same_name(const void *ctx, uint32_t ordinal)
{
    const struct wanted *w = ctx;
    return tsfs_str_eq(w->schema->cols[ordinal].name, w->name);
}

static uint16_t find(const struct tsfs_schema *schema, struct tsfs_str name, uint64_t hash)
{
    struct wanted w = {schema, name};
    uint32_t ordinal = tsfs_hash_index_find(&schema->names->index, hash, same_name, &w);
    return ordinal == TSFS_HASH_NONE ? TSFS_ORDINAL_NONE : (uint16_t)ordinal;
}

static void destroy(struct tsfs_schema *schema)
{
    if (schema == NULL)
        return;
    if (schema->names != NULL) {
        tsfs_hash_index_free(&schema->names->index);
        tsfs_arena_free(&schema->names->arena);
        free(schema->names);
    }
    free(schema);
}

static struct tsfs_schema *allocate(unsigned ncols)
{
    struct tsfs_schema *schema = calloc(1, sizeof(*schema));
    if (schema == NULL)
        return NULL;
    atomic_init(&schema->refs, 1);
    schema->names = calloc(1, sizeof(*schema->names));
    if (schema->names == NULL)
        goto fail;
    struct tsfs_arena *arena = &schema->names->arena;
    tsfs_arena_init(arena, NULL);
    schema->cols = TSFS_NEW_ARRAY(arena, struct tsfs_column, ncols);
    schema->dims = TSFS_NEW_ARRAY(arena, uint16_t, ncols);
    schema->measures = TSFS_NEW_ARRAY(arena, uint16_t, ncols);
    if (schema->cols == NULL || schema->dims == NULL || schema->measures == NULL)
        goto fail;
    return schema;
fail:
    destroy(schema);
    return NULL;
}

static int add_column(struct tsfs_schema *schema, const struct tsfs_column *from, struct tsfs_error *err)
{
    uint64_t hash = tsfs_hash(from->name.ptr, from->name.len);
    uint16_t held = find(schema, from->name, hash);
    if (held != TSFS_ORDINAL_NONE)
        return tsfs_error_set(err, -EEXIST, "column \"%.*s\" is already there as a %s", (int)from->name.len,
                              from->name.ptr, tsfs_role_name(schema->cols[held].role));
    struct tsfs_column *col = &schema->cols[schema->ncols];
    *col = (struct tsfs_column){.role = from->role, .type = from->type};
    col->name = tsfs_arena_str(&schema->names->arena, from->name);
    if (col->name.ptr == NULL || tsfs_hash_index_add(&schema->names->index, hash, schema->ncols) != 0)
        return tsfs_error_set(err, -ENOMEM, "out of memory for the columns of a table");
    if (col->role == TSFS_ROLE_DIMENSION) {
        if (schema->ndims == TSFS_DIMENSIONS_MAX)
            return tsfs_error_set(err, -E2BIG, "more than %d dimensions", TSFS_DIMENSIONS_MAX);
        col->slot = schema->ndims;
        schema->dims[schema->ndims++] = schema->ncols;
    } else if (col->role == TSFS_ROLE_MEASURE) {
        col->slot = schema->nmeasures;
        schema->measures[schema->nmeasures++] = schema->ncols;
    }
    schema->ncols++;
    return 0;
}

int tsfs_schema_create(struct tsfs_schema **out)
{
    static const struct tsfs_column fixed[] = {
        {.name = {"time", 4}, .role = TSFS_ROLE_TIME, .type = TSFS_TIMESTAMP},
        {.name = {"measure_name", 12}, .role = TSFS_ROLE_MEASURE_NAME, .type = TSFS_VARCHAR},
    };
    struct tsfs_schema *schema = allocate(2);
    if (schema == NULL)
        return -ENOMEM;
    for (int i = 0; i < 2; i++) {
        int rc = add_column(schema, &fixed[i], NULL);
        if (rc != 0) {
            destroy(schema);
            return rc;
        }
    }
    *out = schema;
    return 0;
}

/* Fit for the schema file, which has a line a column and tabs between a column's words. */
static bool name_fits(struct tsfs_str name)
{
    bool fits = name.len > 0 && name.len <= TSFS_COLUMN_NAME_MAX;
    for (size_t i = 0; i < name.len && fits; i++)
        fits = name.ptr[i] != '\0' && name.ptr[i] != '\t' && name.ptr[i] != '\n';
    return fits;
}

int tsfs_schema_extend(const struct tsfs_schema *base, const struct tsfs_column *add, unsigned n,
                       struct tsfs_schema **out, struct tsfs_error *err)
{
    if (n > TSFS_COLUMNS_MAX || base->ncols + n > TSFS_COLUMNS_MAX)
        return tsfs_error_set(err, -E2BIG, "more than %d columns", TSFS_COLUMNS_MAX);
    struct tsfs_schema *schema = allocate(base->ncols + n);
    if (schema == NULL)
        return tsfs_error_set(err, -ENOMEM, "out of memory for the columns of a table");
    int rc = 0;
    for (unsigned i = 0; i < base->ncols && rc == 0; i++)
        rc = add_column(schema, &base->cols[i], err);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        bool measure =
            add[i].role == TSFS_ROLE_MEASURE && (add[i].type == TSFS_BOOLEAN || add[i].type == TSFS_BIGINT ||
                                                 add[i].type == TSFS_DOUBLE || add[i].type == TSFS_VARCHAR);
        bool dimension = add[i].role == TSFS_ROLE_DIMENSION && add[i].type == TSFS_VARCHAR;
        if (!name_fits(add[i].name))
            rc = tsfs_error_set(
                err, -EINVAL,
                "a column's name is empty, longer than %d bytes, or has a tab, a NUL or a line break",
                TSFS_COLUMN_NAME_MAX);
        else if (!measure && !dimension)
            rc = tsfs_error_set(err, -EINVAL, "a %s cannot be of type %s", tsfs_role_name(add[i].role),
                                tsfs_type_name(add[i].type));
        else
            rc = add_column(schema, &add[i], err);
    }
    if (rc != 0)
        destroy(schema);
    else
        *out = schema;
    return rc;
}

struct tsfs_schema *tsfs_schema_ref(struct tsfs_schema *schema)
{
    atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
    return schema;
}

void tsfs_schema_unref(struct tsfs_schema *schema)
{
    if (schema != NULL && atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) == 1)
        destroy(schema);
}

uint16_t tsfs_schema_find(const struct tsfs_schema *schema, struct tsfs_str name)
{
    return find(schema, name, tsfs_hash(name.ptr, name.len));
}

bool tsfs_column_is_single(const struct tsfs_column *col)
{
    static const char prefix[] = "measure_value::";
    return col->role == TSFS_ROLE_MEASURE && col->name.len >= sizeof(prefix) - 1 &&
           memcmp(col->name.ptr, prefix, sizeof(prefix) - 1) == 0;
}

const char *tsfs_role_name(enum tsfs_role role)
{
    switch (role) {
    case TSFS_ROLE_TIME: return "time";
    case TSFS_ROLE_MEASURE_NAME: return "measure_name";
    case TSFS_ROLE_DIMENSION: return "dimension";
    case TSFS_ROLE_MEASURE: return "measure";
    }
    return "unknown";
}
