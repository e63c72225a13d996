/* Callers, open handles, and the bound on slow work. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/fs_priv.h"

#define GROUPS_FIRST 64

int fs_caller_get(fuse_req_t req, struct fs_caller *out)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    memset(out, 0, sizeof(*out));
    out->creds.uid = ctx->uid;
    out->creds.gid = ctx->gid;
    if (ctx->uid == 0)
        return 0;

    /* The process may change its groups between two calls; then ask again. */
    int room = GROUPS_FIRST;
    for (int round = 0; round < 4; round++) {
        gid_t *groups = realloc(out->groups, (size_t)room * sizeof(groups[0]));
        if (!groups) {
            fs_caller_free(out);
            return -ENOMEM;
        }
        out->groups = groups;
        int n = fuse_req_getgroups(req, room, groups);
        if (n < 0) /* the caller's process cannot be seen from here: it has no further groups */
            break;
        if (n <= room) {
            out->creds.groups = groups;
            out->creds.ngroups = (unsigned)n;
            break;
        }
        room = n;
    }
    return 0;
}

void fs_caller_free(struct fs_caller *caller)
{
    free(caller->groups);
    memset(caller, 0, sizeof(*caller));
}

pid_t fs_caller_sid(fuse_req_t req)
{
    pid_t pid = fuse_req_ctx(req)->pid;
    if (pid <= 0)
        return 0;
    char path[40], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    /* pid (name) state ppid pgrp session ...; the name may hold anything, so start after its last bracket. */
    const char *rest = strrchr(text, ')');
    int sid;
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %d", &sid) != 1)
        return 0;
    return sid;
}

struct fs_handle *fs_handle_new(struct fs *fs, struct fs_node *node, int flags)
{
    struct fs_handle *handle = calloc(1, sizeof(*handle));
    if (!handle)
        return NULL;
    fs_node_hold(fs, node);
    handle->node = node;
    handle->flags = flags;
    if (node->row->kind == FS_SEGMENT || node->row->kind == FS_SPOOL)
        handle->fd = -1;
    atomic_fetch_add(&node->opens, 1);
    pthread_mutex_lock(&fs->handles_lock);
    handle->prev = fs->handles.prev;
    handle->next = &fs->handles;
    handle->prev->next = handle->next->prev = handle;
    pthread_mutex_unlock(&fs->handles_lock);
    return handle;
}

static void close_content(struct fs_handle *handle)
{
    switch (handle->node->row->kind) {
    case FS_WRITE: tsfs_writer_close(handle->writer); break;
    case FS_QUERY: fs_query_close(handle); break;
    case FS_TEXT:
    case FS_STORE: tsfs_buf_free(&handle->text); break;
    case FS_SEGMENT:
    case FS_SPOOL: fs_cold_close(handle); break;
    default: fs_dir_free(handle->dir); break;
    }
}

void fs_handle_free(struct fs *fs, struct fs_handle *handle)
{
    if (!handle)
        return;
    (void)atomic_load_explicit(&handle->uses, memory_order_acquire);
    close_content(handle);
    if (atomic_fetch_sub(&handle->node->opens, 1) == 1)
        atomic_store(&handle->node->open_size, -1);
    pthread_mutex_lock(&fs->handles_lock);
    handle->prev->next = handle->next;
    handle->next->prev = handle->prev;
    pthread_mutex_unlock(&fs->handles_lock);
    fs_node_release(fs, handle->node);
    free(handle);
}

int fs_blocking_begin(struct fs *fs)
{
    if (atomic_fetch_add(&fs->blocking, 1) < FS_BLOCKING_MAX)
        return 0;
    atomic_fetch_sub(&fs->blocking, 1);
    return -EAGAIN;
}

void fs_blocking_end(struct fs *fs)
{
    atomic_fetch_sub(&fs->blocking, 1);
}

bool fs_interrupted(void *ctx)
{
    fuse_req_t req = ctx;
    return fuse_req_interrupted(req) || fuse_session_exited(fs_of(req)->session);
}

/* A thread's heap grows by a system call for each page or two that is asked for.  What it has had once it
 * keeps: so the first query of a thread finds room, of which nothing has been touched yet. */
#define HEAP_ROOM (256u << 10)

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static bool scratch_ready;

static void scratch_init(void)
{
    scratch_ready = pthread_key_create(&scratch_key, free) == 0;
}

char *fs_scratch(void)
{
    pthread_once(&scratch_once, scratch_init);
    if (!scratch_ready)
        return NULL;
    char *buf = pthread_getspecific(scratch_key);
    if (!buf) {
        buf = malloc(FS_WRITE_MAX + HEAP_ROOM);
        if (buf) {
            char *shorter = realloc(buf, FS_WRITE_MAX);
            buf = shorter ? shorter : buf;
        }
        if (buf && pthread_setspecific(scratch_key, buf) != 0) {
            free(buf);
            buf = NULL;
        }
    }
    return buf;
}
