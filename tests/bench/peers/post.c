/* Sends a line-protocol file to a server on 127.0.0.1 in batches over several connections.
 *
 *   post FILE PORT PATH LINES_A_BATCH CONNECTIONS      prints seconds, lines, bytes and the client's CPU as
 * JSON
 *
 * The file is mapped and faulted in before the clock starts. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

#define MAX_CONNECTIONS 64

static struct {
    pthread_mutex_t lock;
    const char *at, *end;
    size_t lines, batch;
    const char *path;
    int port;
} job = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "post: %s: %s\n", what, why);
    exit(1);
}

/* Cuts off the next batch of whole lines. */
static size_t next(const char **batch)
{
    pthread_mutex_lock(&job.lock);
    const char *p = job.at;
    size_t lines = 0;
    while (p < job.end && lines < job.batch) {
        const char *newline = memchr(p, '\n', (size_t)(job.end - p));
        p = newline ? newline + 1 : job.end;
        lines++;
    }
    *batch = job.at;
    size_t n = (size_t)(p - job.at);
    job.at = p;
    job.lines += lines;
    pthread_mutex_unlock(&job.lock);
    return n;
}

static void head(void *arg, const char *p, size_t n)
{
    char *text = arg;
    if (!*text)
        snprintf(text, 256, "%.*s", n < 255 ? (int)n : 255, p);
}

static void *sender(void *arg)
{
    struct http c;
    const char *batch;
    size_t n;
    int rc = http_open(&c, job.port);
    if (rc)
        die("connect", strerror(-rc));
    while ((n = next(&batch))) {
        char text[256] = "";
        rc = http_request(&c, "POST", job.path, batch, n, head, text);
        if (rc != 200 && rc != 204)
            die("refused", rc < 0 ? strerror(-rc) : text);
    }
    http_close(&c);
    return arg;
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: post FILE PORT PATH LINES_A_BATCH CONNECTIONS\n");
        return 2;
    }
    struct stat st;
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC), connections = atoi(argv[5]);
    if (fd < 0 || fstat(fd, &st))
        die(argv[1], strerror(errno));
    if (connections < 1 || connections > MAX_CONNECTIONS)
        die(argv[5], "from 1 to 64 connections");
    size_t size = (size_t)st.st_size;
    job.at = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0) : "";
    if (job.at == MAP_FAILED)
        die(argv[1], strerror(errno));
    job.end = job.at + size;
    job.port = atoi(argv[2]);
    job.path = argv[3];
    job.batch = strtoul(argv[4], NULL, 10);

    pthread_t threads[MAX_CONNECTIONS];
    double begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, sender, NULL))
            die("thread", strerror(errno));
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    printf("{\"seconds\": %.6f, \"lines\": %zu, \"bytes\": %zu, \"client_cpu\": %.6f}\n",
           now(CLOCK_MONOTONIC) - begin, job.lines, size, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return 0;
}
