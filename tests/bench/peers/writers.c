/* Writers that want each of their lines on the disk: group commit, seen from outside.
 *
 *   writers FILE WRITERS SECONDS      each writer has its own O_DSYNC handle and its own series; one line a
 * write
 *
 * Prints the writes of all, and the median, 90th and 99th percentile of one write's time, as JSON. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_WRITERS 64
#define MAX_WRITES  (1u << 20)

struct writer {
    pthread_t thread;
    unsigned id;
    size_t count;
    int64_t *took;
};

static const char *path;
static int64_t until;
static pthread_barrier_t ready;

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "writers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *work(void *arg)
{
    struct writer *w = arg;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_DSYNC | O_CLOEXEC, 0644);
    if (fd < 0)
        die(path);
    pthread_barrier_wait(&ready);
    for (int64_t begin = now(CLOCK_MONOTONIC); begin < until && w->count < MAX_WRITES;) {
        char line[128];
        int n = snprintf(line, sizeof(line), "sync,writer=w%u value=%zui %lld\n", w->id, w->count,
                         (long long)now(CLOCK_REALTIME));
        if (write(fd, line, (size_t)n) != n)
            die("write");
        int64_t end = now(CLOCK_MONOTONIC);
        w->took[w->count++] = end - begin;
        begin = end;
    }
    close(fd);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    unsigned count = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
    if (count < 1 || count > MAX_WRITERS) {
        fprintf(stderr, "usage: writers FILE WRITERS(1..64) SECONDS\n");
        return 2;
    }
    static struct writer writers[MAX_WRITERS];
    path = argv[1];
    if (pthread_barrier_init(&ready, NULL, count))
        die("barrier");
    int64_t begin = now(CLOCK_MONOTONIC);
    until = begin + (int64_t)(atof(argv[3]) * 1e9);
    for (unsigned i = 0; i < count; i++) {
        writers[i].id = i;
        writers[i].took = malloc(MAX_WRITES * sizeof(int64_t));
        if (!writers[i].took || pthread_create(&writers[i].thread, NULL, work, &writers[i]))
            die("thread");
    }
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        pthread_join(writers[i].thread, NULL);
        total += writers[i].count;
    }
    double seconds = (double)(now(CLOCK_MONOTONIC) - begin) / 1e9;
    int64_t *all = malloc((total ? total : 1) * sizeof(*all));
    if (!all || !total)
        die("no write came through");
    size_t n = 0;
    for (unsigned i = 0; i < count; i++) {
        memcpy(all + n, writers[i].took, writers[i].count * sizeof(*all));
        n += writers[i].count;
        free(writers[i].took);
    }
    qsort(all, total, sizeof(*all), compare);
    printf("{\"seconds\": %.3f, \"writes\": %zu, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f}\n",
           seconds, total, (double)all[total / 2] / 1e3, (double)all[total * 9 / 10] / 1e3,
           (double)all[total * 99 / 100] / 1e3);
    free(all);
    return 0;
}
