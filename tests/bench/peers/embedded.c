/* Only the handful of functions that are needed are declared here, as the libraries' public headers define
 * them, so that building the bench needs neither. */
#include "embedded.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t deprecated[3];
    void *deprecated_columns;
    char *deprecated_error;
    void *internal;
} duckdb_result;

static struct {
    int (*create_config)(void **config);
    int (*set_config)(void *config, const char *name, const char *value);
    int (*open_ext)(const char *path, void **database, void *config, char **error);
    int (*connect)(void *database, void **connection);
    int (*query)(void *connection, const char *sql, duckdb_result *result);
    void (*destroy_result)(duckdb_result *result);
    const char *(*result_error)(duckdb_result *result);
    uint64_t (*row_count)(duckdb_result *result);
    void *connection;
} duckdb;

static struct {
    void **(*connect)(int argc, char **argv);
    void *(*query)(void *connection, const char *sql, const char *format);
    void (*destroy_result)(void *result);
    const char *(*result_error)(void *result);
    size_t (*result_length)(void *result);
    char *(*result_buffer)(void *result);
    void *connection;
} chdb;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void *load(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    if (!handle)
        die(library, dlerror());
    return handle;
}

static void find(void *handle, const char *name, void *function)
{
    void *p = dlsym(handle, name);
    if (!p)
        die(name, "not in the library");
    memcpy(function, &p, sizeof(p));
}

void duckdb_start(const char *library, const char *path, const char *threads)
{
    void *h = load(library), *config = NULL, *database = NULL;
    char *error = NULL;
    find(h, "duckdb_create_config", &duckdb.create_config);
    find(h, "duckdb_set_config", &duckdb.set_config);
    find(h, "duckdb_open_ext", &duckdb.open_ext);
    find(h, "duckdb_connect", &duckdb.connect);
    find(h, "duckdb_query", &duckdb.query);
    find(h, "duckdb_destroy_result", &duckdb.destroy_result);
    find(h, "duckdb_result_error", &duckdb.result_error);
    find(h, "duckdb_row_count", &duckdb.row_count);
    if (duckdb.create_config(&config) || duckdb.set_config(config, "threads", threads))
        die("duckdb", "cannot set the number of threads");
    if (duckdb.open_ext(strcmp(path, "-") ? path : NULL, &database, config, &error))
        die(path, error ? error : "cannot be opened");
    if (duckdb.connect(database, &duckdb.connection))
        die(path, "cannot be connected to");
}

int duckdb_run(const char *sql, size_t *amount, char *error, size_t error_size)
{
    duckdb_result result;
    int rc = duckdb.query(duckdb.connection, sql, &result) ? -1 : 0;
    if (rc) {
        const char *why = duckdb.result_error(&result);
        snprintf(error, error_size, "%s", why ? why : "failed");
    } else
        *amount = duckdb.row_count(&result);
    duckdb.destroy_result(&result);
    return rc;
}

void chdb_start(const char *library, const char *path, const char *threads)
{
    void *h = load(library);
    char option[4096], set[64], error[256];
    find(h, "chdb_connect", &chdb.connect);
    find(h, "chdb_query", &chdb.query);
    find(h, "chdb_destroy_query_result", &chdb.destroy_result);
    find(h, "chdb_result_error", &chdb.result_error);
    find(h, "chdb_result_length", &chdb.result_length);
    find(h, "chdb_result_buffer", &chdb.result_buffer);
    snprintf(option, sizeof(option), "--path=%s", path);
    char name[] = "clickhouse", *argv[] = {name, option, NULL};
    void **connection = chdb.connect(2, argv);
    if (!connection)
        die(path, "chDB cannot open it");
    chdb.connection = *connection;
    snprintf(set, sizeof(set), "SET max_threads = %s", threads);
    size_t amount;
    if (chdb_run(set, NULL, &amount, error, sizeof(error)))
        die("chdb", error);
}

int chdb_run(const char *sql, FILE *save, size_t *amount, char *error, size_t error_size)
{
    void *result = chdb.query(chdb.connection, sql, save ? "CSVWithNames" : "Native");
    const char *why = chdb.result_error(result);
    if (why)
        snprintf(error, error_size, "%s", why);
    else {
        *amount = chdb.result_length(result);
        if (save && *amount)
            fwrite(chdb.result_buffer(result), 1, *amount, save);
    }
    chdb.destroy_result(result);
    return why ? -1 : 0;
}
