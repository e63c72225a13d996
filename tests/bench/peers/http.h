/* The little HTTP/1.1 that measuring a server on 127.0.0.1 takes: one kept connection, whole replies. */
#ifndef TESTS_BENCH_PEERS_HTTP_H
#define TESTS_BENCH_PEERS_HTTP_H

#include <stddef.h>

struct http {
    int fd;
    char *in; /* received and not yet used: in[at..n) */
    size_t at, n, size;
};

/* Told of each piece of a reply's body as it comes. */
typedef void http_sink(void *arg, const char *p, size_t n);

/* 0 or -errno. */
int http_open(struct http *c, int port);
void http_close(struct http *c);

/* Sends METHOD PATH with a body (may be empty) and reads the whole reply.  Returns the status, or -errno when
 * the connection fails or the reply is not understood. */
int http_request(struct http *c, const char *method, const char *path, const char *body, size_t size,
                 http_sink *sink, void *arg);

#endif
