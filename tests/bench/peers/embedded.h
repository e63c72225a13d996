/* DuckDB and chDB inside this process, through the C interface of their libraries, which are opened at run
 * time. */
#ifndef TESTS_BENCH_PEERS_EMBEDDED_H
#define TESTS_BENCH_PEERS_EMBEDDED_H

#include <stddef.h>
#include <stdio.h>

/* Each ends the program with a message when the library or the database cannot be opened.  PATH "-": in
 * memory. */
void duckdb_start(const char *library, const char *path, const char *threads);
void chdb_start(const char *library, const char *path, const char *threads);

/* Runs one statement and takes its whole result: rows for DuckDB, bytes for chDB.  0, or -1 with the reason
 * in error.  With `save` chDB's result goes there as CSV with a header. */
int duckdb_run(const char *sql, size_t *amount, char *error, size_t error_size);
int chdb_run(const char *sql, FILE *save, size_t *amount, char *error, size_t error_size);

#endif
