#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER (256u * 1024u)

int http_open(struct http *c, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int one = 1;
    *c = (struct http){.fd = -1, .in = malloc(BUFFER), .size = BUFFER};
    if (!c->in)
        return -ENOMEM;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))) {
        int rc = -errno;
        http_close(c);
        return rc;
    }
    return 0;
}

void http_close(struct http *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    *c = (struct http){.fd = -1};
}

static int send_all(struct http *c, struct iovec *v, int count)
{
    while (count) {
        ssize_t w = writev(c->fd, v, count);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -errno;
        while (count && (size_t)w >= v->iov_len) {
            w -= (ssize_t)v->iov_len;
            v++;
            count--;
        }
        if (count) {
            v->iov_base = (char *)v->iov_base + w;
            v->iov_len -= (size_t)w;
        }
    }
    return 0;
}

/* Receives more; what has been used is dropped first. */
static int receive(struct http *c)
{
    if (c->at) {
        memmove(c->in, c->in + c->at, c->n - c->at);
        c->n -= c->at;
        c->at = 0;
    }
    if (c->n == c->size)
        return -EMSGSIZE; /* a header line of 256 KiB */
    for (;;) {
        ssize_t r = read(c->fd, c->in + c->n, c->size - c->n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            return -ECONNRESET;
        c->n += (size_t)r;
        return 0;
    }
}

/* The next line without its end, zero-terminated in place; valid until the next call. */
static int line(struct http *c, char **out)
{
    for (;;) {
        char *begin = c->in + c->at, *end = memchr(begin, '\n', c->n - c->at);
        if (end) {
            c->at = (size_t)(end + 1 - c->in);
            *end = 0;
            if (end > begin && end[-1] == '\r')
                end[-1] = 0;
            *out = begin;
            return 0;
        }
        int rc = receive(c);
        if (rc)
            return rc;
    }
}

static int body(struct http *c, size_t n, http_sink *sink, void *arg)
{
    while (n) {
        if (c->at == c->n) {
            int rc = receive(c);
            if (rc)
                return rc;
        }
        size_t now = c->n - c->at < n ? c->n - c->at : n;
        if (sink)
            sink(arg, c->in + c->at, now);
        c->at += now;
        n -= now;
    }
    return 0;
}

static int chunks(struct http *c, http_sink *sink, void *arg)
{
    for (;;) {
        char *text, *end;
        int rc = line(c, &text);
        if (rc)
            return rc;
        size_t n = strtoul(text, &end, 16);
        if (end == text)
            return -EBADMSG;
        if ((rc = body(c, n, sink, arg)) || (rc = line(c, &text)))
            return rc;
        if (n == 0)
            return 0;
    }
}

int http_request(struct http *c, const char *method, const char *path, const char *content, size_t size,
                 http_sink *sink, void *arg)
{
    char *head;
    int n = asprintf(&head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n\r\n", method, path,
                     size);
    if (n < 0)
        return -ENOMEM;
    struct iovec v[2] = {{head, (size_t)n}, {(char *)(size_t)content, size}};
    int rc = send_all(c, v, size ? 2 : 1);
    free(head);
    char *text;
    if (rc || (rc = line(c, &text)))
        return rc;
    int status = 0;
    if (sscanf(text, "HTTP/1.%*d %d", &status) != 1)
        return -EBADMSG;
    size_t length = 0;
    bool chunked = false;
    for (;;) {
        if ((rc = line(c, &text)))
            return rc;
        if (!*text)
            break;
        if (!strncasecmp(text, "content-length:", 15))
            length = strtoul(text + 15, NULL, 10);
        else if (!strncasecmp(text, "transfer-encoding:", 18) && strcasestr(text + 18, "chunked"))
            chunked = true;
    }
    if (status != 204)
        rc = chunked ? chunks(c, sink, arg) : body(c, length, sink, arg);
    return rc ? rc : status;
}
