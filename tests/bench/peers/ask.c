/* Asks one engine and times the answers: a small client that stays, told by the bench what to do, so that
 * starting a program is in no figure.
 *
 *   ask mount FILE                          the query file of a mount: open, write, read to the end, close
 *   ask http PORT                           GET over one kept connection
 *   ask duckdb LIBRARY DATABASE THREADS     in this process
 *   ask chdb LIBRARY FOLDER THREADS         in this process
 *
 * One command a line on the standard input, one answer a line:
 *   q TEXT            runs TEXT (SQL, or a path for http), takes the whole reply     ok NS BYTES
 *   s FILE <tab> TEXT the same, and keeps the reply in FILE                          ok NS BYTES
 *   u                 what this process has used                                     ok CPU_NS PEAK_RSS_BYTES
 * A failure answers "error REASON".  DuckDB's results are columns in memory: it tells rows in place of bytes,
 * and keeps no reply (its own COPY does). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "embedded.h"
#include "http.h"

enum engine { MOUNT, HTTP, DUCKDB, CHDB };

static enum engine engine;
static const char *query_file;
static struct http http;
static int http_port;
static char reason[1024];

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The kernel pins every page of a buffer that it is given, however short the answer is: 0.1 ms a question at
 * 1 MiB. So an answer's first part is asked for with little room, and only what does not fit there with much.
 */
static int ask_mount(const char *sql, FILE *save, size_t *amount)
{
    static char buffer[1024 * 1024];
    const size_t first = 64 * 1024;
    size_t n = strlen(sql), room = first;
    const char *step = "open";
    ssize_t got = -1;
    int fd = open(query_file, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        step = "write";
        if (write(fd, sql, n) == (ssize_t)n) {
            step = "read";
            while ((got = read(fd, buffer, room)) > 0) {
                room = (size_t)got < room ? first : sizeof(buffer);
                *amount += (size_t)got;
                if (save)
                    fwrite(buffer, 1, (size_t)got, save);
            }
        }
    }
    if (got < 0)
        snprintf(reason, sizeof(reason), "%s: %s", step, strerror(errno));
    if (fd >= 0)
        close(fd);
    return got < 0 ? -1 : 0;
}

struct reply {
    FILE *save;
    size_t bytes;
    char head[256];
};

static void take(void *arg, const char *p, size_t n)
{
    struct reply *r = arg;
    if (r->bytes < sizeof(r->head) - 1) {
        size_t more = sizeof(r->head) - 1 - r->bytes < n ? sizeof(r->head) - 1 - r->bytes : n;
        memcpy(r->head + r->bytes, p, more);
    }
    r->bytes += n;
    if (r->save)
        fwrite(p, 1, n, r->save);
}

static int ask_http(const char *path, FILE *save, size_t *amount)
{
    struct reply r = {.save = save};
    bool kept = http.fd >= 0;
    int rc = kept ? 0 : http_open(&http, http_port);
    if (!rc)
        rc = http_request(&http, "GET", path, NULL, 0, take, &r);
    if (kept && rc < 0 && !r.bytes) { /* servers close connections that have been open for long */
        http_close(&http);
        rc = http_open(&http, http_port);
        if (!rc)
            rc = http_request(&http, "GET", path, NULL, 0, take, &r);
    }
    *amount = r.bytes;
    if (rc == 200 && !strstr(r.head, "\"error\""))
        return 0;
    if (rc < 0) {
        http_close(&http);
        snprintf(reason, sizeof(reason), "http: %s", strerror(-rc));
    } else
        snprintf(reason, sizeof(reason), "http %d: %s", rc, r.head);
    return -1;
}

/* Runs TEXT; the answer goes out when the reply is where it is to be kept. */
static void answer(const char *text, const char *path)
{
    FILE *save = path ? fopen(path, "w") : NULL;
    if (path && !save) {
        printf("error %s: %s\n", path, strerror(errno));
        return;
    }
    size_t amount = 0;
    int rc = -1;
    int64_t begin = now(CLOCK_MONOTONIC);
    switch (engine) {
    case MOUNT: rc = ask_mount(text, save, &amount); break;
    case HTTP: rc = ask_http(text, save, &amount); break;
    case DUCKDB: rc = duckdb_run(text, &amount, reason, sizeof(reason)); break;
    case CHDB: rc = chdb_run(text, save, &amount, reason, sizeof(reason)); break;
    }
    int64_t took = now(CLOCK_MONOTONIC) - begin;
    if (save && fclose(save) && !rc) {
        snprintf(reason, sizeof(reason), "%s: %s", path, strerror(errno));
        rc = -1;
    }
    if (rc) {
        for (char *p = reason; *p; p++)
            if (iscntrl((unsigned char)*p))
                *p = ' ';
        printf("error %s\n", reason);
    } else
        printf("ok %lld %zu\n", (long long)took, amount);
}

int main(int argc, char **argv)
{
    http.fd = -1;
    if (argc == 3 && !strcmp(argv[1], "mount"))
        query_file = argv[2];
    else if (argc == 3 && !strcmp(argv[1], "http")) {
        engine = HTTP;
        http_port = atoi(argv[2]);
    } else if (argc == 5 && !strcmp(argv[1], "duckdb")) {
        engine = DUCKDB;
        duckdb_start(argv[2], argv[3], argv[4]);
    } else if (argc == 5 && !strcmp(argv[1], "chdb")) {
        engine = CHDB;
        chdb_start(argv[2], argv[3], argv[4]);
    } else {
        fprintf(stderr, "usage: ask mount FILE | http PORT | duckdb LIBRARY DATABASE THREADS | chdb LIBRARY "
                        "FOLDER THREADS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready\n");
    while ((n = getline(&line, &size, stdin)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = 0;
        char *tab = strchr(line, '\t');
        if (!strncmp(line, "q ", 2))
            answer(line + 2, NULL);
        else if (!strncmp(line, "s ", 2) && tab) {
            *tab = 0;
            answer(tab + 1, line + 2);
        } else if (!strcmp(line, "u")) {
            struct rusage r;
            getrusage(RUSAGE_SELF, &r);
            printf("ok %lld %lld\n", (long long)now(CLOCK_PROCESS_CPUTIME_ID), (long long)r.ru_maxrss * 1024);
        } else
            printf("error not a command\n");
    }
    /* The engines' own threads need not be waited for: everything has been answered. */
    fflush(stdout);
    if (engine == DUCKDB || engine == CHDB)
        _exit(0);
    free(line);
    return 0;
}
