/* query, query.json, query.txt: conversations.
 *
 * A question is the text somebody wrote; an answer is one run of it in one format.
 *
 *   - A handle open for both ways (exec 3<>query) has a question of its own.  The file position is shared by
 *     writes and reads, so the first read after a write tells where the answer begins in the file's offsets
 *     (base); a read before that place is a rewind.
 *   - A handle that only writes puts its question into the sessions' table, under the writer's uid, session
 *     (getsid) and folder, at the first write or at once with O_TRUNC.  A handle that only reads takes the
 *     question it finds there at its first read.  So `echo SQL > query; cat query` works, and nobody sees
 * anybody else's.  Where the caller's process is not visible (another pid namespace) the session is 0 and the
 * uid alone decides.
 *
 * A question grows with each write until it has been asked (read or fsync'ed) or refused; the next write then
 * begins another.  Reading without a question finds an empty file.
 *
 * A question of the table is answered once in a format: later readers (a second cat, grep -r) get the same
 * bytes and start nothing.  Only an answer that is long, unfinished or failed goes with its last reader, and
 * is computed again for the next.  When an answer fails, the reason stays with the question, and the next
 * read of query.txt (any handle of that conversation) shows it.
 *
 * Locks: a handle's own, then the sessions' table or the question's; none while an answer is computed. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "fs/fs_priv.h"

#define FORMATS    3
#define KEEP_MAX   (1u << 20)  /* bytes of an answer that stay when nobody has it open */
#define CHECKS_MAX (16u << 20) /* bytes that are read again for checks at each line of a question */

struct fs_question {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct tsfs_buf text;
    size_t checked;                  /* length at the last check */
    size_t checks;                   /* bytes that all checks have read */
    bool closed;                     /* asked or refused: no more text */
    bool refused;                    /* a wrong statement: error says why, nothing is run */
    struct tsfs_error error;         /* why it was refused or its last answer failed; code 0 = not */
    struct fs_answer *kept[FORMATS]; /* for the next reader */
    struct tsfs_once *once;          /* a statement that changes data does it for the first answer only */
};

struct fs_answer {
    atomic_uint refs;
    struct tsfs_query *query; /* NULL: text is all of it */
    struct tsfs_buf text;
    atomic_bool served;      /* somebody has bytes of it: it may not begin anew */
    _Atomic uint64_t length; /* once its end has been read, else UINT64_MAX */
};

/* ---- questions and answers ---- */

static void answer_unref(struct fs_answer *answer);

static struct fs_question *question_new(void)
{
    struct fs_question *question = calloc(1, sizeof(*question));
    if (question && tsfs_once_create(&question->once) != 0) {
        free(question);
        return NULL;
    }
    if (question) {
        atomic_store(&question->refs, 1);
        pthread_mutex_init(&question->lock, NULL);
    }
    return question;
}

static struct fs_question *question_ref(struct fs_question *question)
{
    atomic_fetch_add(&question->refs, 1);
    return question;
}

static void question_unref(struct fs_question *question)
{
    if (!question || atomic_fetch_sub(&question->refs, 1) != 1)
        return;
    for (size_t i = 0; i < FORMATS; i++)
        answer_unref(question->kept[i]);
    tsfs_buf_free(&question->text);
    tsfs_once_unref(question->once);
    pthread_mutex_destroy(&question->lock);
    free(question);
}

static void question_fail(struct fs_question *question, const struct tsfs_error *error, int code)
{
    pthread_mutex_lock(&question->lock);
    question->error = error ? *error : (struct tsfs_error){0};
    if (question->error.code == 0)
        question->error.code = code;
    question->refused = code == -EINVAL;
    pthread_mutex_unlock(&question->lock);
}

/* Forgets answer, if it is the one that is kept. */
static void question_drop_kept(struct fs_question *question, enum tsfs_query_format format,
                               const struct fs_answer *answer)
{
    struct fs_answer *old = NULL;
    pthread_mutex_lock(&question->lock);
    if (question->kept[format] == answer) {
        old = question->kept[format];
        question->kept[format] = NULL;
    }
    pthread_mutex_unlock(&question->lock);
    answer_unref(old);
}

static struct fs_answer *answer_new(void)
{
    struct fs_answer *answer = calloc(1, sizeof(*answer));
    if (answer) {
        atomic_store(&answer->refs, 1);
        atomic_store(&answer->length, UINT64_MAX);
    }
    return answer;
}

static struct fs_answer *answer_ref(struct fs_answer *answer)
{
    atomic_fetch_add(&answer->refs, 1);
    return answer;
}

static void answer_unref(struct fs_answer *answer)
{
    if (!answer || atomic_fetch_sub(&answer->refs, 1) != 1)
        return;
    tsfs_query_free(answer->query);
    tsfs_buf_free(&answer->text);
    free(answer);
}

/* The reason as query.txt shows it. */
static int error_text(const struct tsfs_error *error, struct tsfs_buf *out)
{
    const char *message = error->message[0] ? error->message : strerror(-error->code);
    if (error->line > 0)
        return tsfs_buf_printf(out, "line %u, column %u: %s\n", error->line, error->column, message);
    return tsfs_buf_printf(out, "%s\n", message);
}

static bool blank(const struct tsfs_buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (!isspace((unsigned char)text->data[i]))
            return false;
    return true;
}

/* ---- the sessions' table ---- */

static struct fs_session *session_find(struct fs *fs, const struct fs_handle *handle)
{
    uint64_t object = tsfs_node_id(handle->node->object);
    for (size_t i = 0; i < FS_SESSIONS_MAX; i++) {
        struct fs_session *s = &fs->sessions[i];
        if (s->question && s->uid == handle->query.caller.creds.uid && s->sid == handle->query.sid &&
            s->object == object)
            return s;
    }
    return NULL;
}

/* Returns owned, NULL: nobody asked. */
static struct fs_question *session_question(struct fs *fs, const struct fs_handle *handle)
{
    struct fs_question *question = NULL;
    pthread_mutex_lock(&fs->sessions_lock);
    struct fs_session *s = session_find(fs, handle);
    if (s) {
        s->used = ++fs->sessions_clock;
        question = question_ref(s->question);
    }
    pthread_mutex_unlock(&fs->sessions_lock);
    return question;
}

/* Makes the handle's question the last one of its session; the longest unused makes room. */
static void session_put(struct fs *fs, const struct fs_handle *handle)
{
    pthread_mutex_lock(&fs->sessions_lock);
    struct fs_session *s = session_find(fs, handle);
    if (!s) {
        s = &fs->sessions[0];
        for (size_t i = 1; i < FS_SESSIONS_MAX && s->question; i++)
            if (!fs->sessions[i].question || fs->sessions[i].used < s->used)
                s = &fs->sessions[i];
    }
    struct fs_question *old = s->question;
    if (old != handle->query.question) {
        *s = (struct fs_session){
            .uid = handle->query.caller.creds.uid,
            .sid = handle->query.sid,
            .object = tsfs_node_id(handle->node->object),
            .question = question_ref(handle->query.question),
        };
    } else {
        old = NULL;
    }
    s->used = ++fs->sessions_clock;
    pthread_mutex_unlock(&fs->sessions_lock);
    question_unref(old);
}

/* Drops a kept answer that has begun and that nobody has open; the next reader computes it again. */
static bool question_drop_paused(struct fs_question *question)
{
    struct fs_answer *old = NULL;
    pthread_mutex_lock(&question->lock);
    for (size_t i = 0; i < FORMATS && !old; i++) {
        struct fs_answer *kept = question->kept[i];
        if (kept && atomic_load(&kept->refs) == 1 && kept->query && tsfs_query_is_paused(kept->query)) {
            old = kept;
            question->kept[i] = NULL;
        }
    }
    pthread_mutex_unlock(&question->lock);
    answer_unref(old);
    return old != NULL;
}

/* Too many queries are under way: ends one that was begun by fsync and never read, of whoever it is longest
 * ago that he asked; of the caller himself if only he has too many.  False if there is none. */
static bool sessions_make_room(struct fs *fs, uid_t caller)
{
    bool all = tsfs_engine_is_full(fs->engine);
    uint64_t after = 0;
    for (bool dropped = false; !dropped;) {
        struct fs_session *oldest = NULL;
        pthread_mutex_lock(&fs->sessions_lock);
        for (size_t i = 0; i < FS_SESSIONS_MAX; i++) {
            struct fs_session *s = &fs->sessions[i];
            if (s->question && (all || s->uid == caller) && s->used > after &&
                (!oldest || s->used < oldest->used))
                oldest = s;
        }
        struct fs_question *question = oldest ? question_ref(oldest->question) : NULL;
        after = oldest ? oldest->used : after;
        pthread_mutex_unlock(&fs->sessions_lock);
        if (!question)
            return false;
        dropped = question_drop_paused(question);
        question_unref(question);
    }
    return true;
}

void fs_sessions_free(struct fs *fs)
{
    for (size_t i = 0; i < FS_SESSIONS_MAX; i++) {
        question_unref(fs->sessions[i].question);
        fs->sessions[i].question = NULL;
    }
}

/* ---- open, write ---- */

static bool is_private(const struct fs_handle *handle)
{
    return (handle->flags & O_ACCMODE) == O_RDWR;
}

int fs_query_open(fuse_req_t req, struct fs_handle *handle)
{
    struct fs_query_handle *h = &handle->query;
    pthread_mutex_init(&h->lock, NULL);
    h->base = -1;
    int r = fs_caller_get(req, &h->caller);
    if (r < 0)
        return r;
    if (is_private(handle))
        return 0;
    h->sid = fs_caller_sid(req);
    if ((handle->flags & O_ACCMODE) == O_WRONLY && (handle->flags & O_TRUNC)) {
        h->question = question_new();
        if (!h->question)
            return -ENOMEM;
        session_put(fs_of(req), handle);
    }
    return 0;
}

/* Locked (handle).  A question that still takes text. */
static int question_for_write(struct fs_query_handle *h)
{
    if (h->question) {
        pthread_mutex_lock(&h->question->lock);
        bool closed = h->question->closed;
        pthread_mutex_unlock(&h->question->lock);
        if (!closed)
            return 0;
    }
    struct fs_question *fresh = question_new();
    if (!fresh)
        return -ENOMEM;
    question_unref(h->question);
    h->question = fresh;
    answer_unref(h->answer); /* a read that still goes on holds it */
    h->answer = NULL;
    h->base = -1;
    return 0;
}

/* A check reads the whole text, so bytes that trickle in wait until they are a line, or a good deal more; of
 * a long text that comes line by line, always for the latter. */
static bool worth_checking(const struct fs_question *question, const char *data, size_t size)
{
    if (question->text.len - question->checked > question->checked / 8)
        return true;
    return question->checks < CHECKS_MAX && (memchr(data, '\n', size) || memchr(data, ';', size));
}

int fs_query_write(fuse_req_t req, struct fs_handle *handle, const char *data, size_t size)
{
    struct fs_query_handle *h = &handle->query;
    struct tsfs_error err = {0};
    pthread_mutex_lock(&h->lock);
    int r = question_for_write(h);
    if (r < 0)
        goto out;
    struct fs_question *question = h->question;
    pthread_mutex_lock(&question->lock);
    if (question->text.len + size > TSFS_SQL_MAX)
        r = tsfs_error_set(&err, -E2BIG, "the statement is longer than %u bytes", TSFS_SQL_MAX);
    else
        r = tsfs_buf_append(&question->text, data, size);
    if (r == 0 && worth_checking(question, data, size)) {
        question->checked = question->text.len;
        question->checks += question->text.len;
        if (!blank(&question->text))
            r = tsfs_query_check(handle->node->object, &h->caller.creds, question->text.data,
                                 question->text.len, &err);
    }
    if (r < 0) {
        question->closed = question->refused = true;
        question->error = err;
        if (question->error.code == 0)
            question->error.code = r;
    }
    pthread_mutex_unlock(&question->lock);
    if (!is_private(handle))
        session_put(fs_of(req), handle);
out:
    pthread_mutex_unlock(&h->lock);
    return r;
}

/* ---- read, fsync ---- */

/* Locked (handle).  An answer to question for this handle, or its refusal.  *out stays NULL when nothing was
 * asked. */
static int answer_make(struct fs_handle *handle, struct fs_question *question, struct fs_answer **out)
{
    struct fs_query_handle *h = &handle->query;
    enum tsfs_query_format format = handle->node->row->format;
    struct fs_answer *answer = NULL;
    int r = 0;
    pthread_mutex_lock(&question->lock);
    if (question->kept[format]) {
        *out = answer_ref(question->kept[format]);
        goto out;
    }
    if (question->error.code == 0 && blank(&question->text))
        goto out;
    r = -ENOMEM;
    answer = answer_new();
    if (!answer)
        goto out;
    if (question->error.code != 0 && format == TSFS_QUERY_TEXT)
        r = error_text(&question->error, &answer->text);
    else if (question->refused)
        r = question->error.code;
    else
        r = tsfs_query_create(handle->node->object, &h->caller.creds, format, question->text.data,
                              question->text.len, &answer->query);
    if (r == 0 && answer->query)
        tsfs_query_set_once(answer->query, question->once);
    question->closed = true;
    if (r == 0) {
        if (answer->query && !is_private(handle))
            question->kept[format] = answer_ref(answer);
        *out = answer;
        answer = NULL;
    }
out:
    pthread_mutex_unlock(&question->lock);
    answer_unref(answer);
    return r;
}

/* Locked (handle). */
static int answer_bind(struct fs *fs, struct fs_handle *handle)
{
    struct fs_query_handle *h = &handle->query;
    if (h->answer)
        return 0;
    struct fs_question *question =
        is_private(handle) ? (h->question ? question_ref(h->question) : NULL) : session_question(fs, handle);
    if (!question)
        return 0;
    int r = answer_make(handle, question, &h->answer);
    question_unref(h->asked);
    h->asked = question;
    return r;
}

/* Where a read at this offset of the file is in the answer. */
static uint64_t answer_offset(struct fs_handle *handle, off_t offset)
{
    struct fs_query_handle *h = &handle->query;
    if (!is_private(handle))
        return (uint64_t)offset;
    if (h->base < 0)
        h->base = offset;
    else if (offset < h->base) /* lseek(fd, 0) */
        h->base = 0;
    return (uint64_t)(offset - h->base);
}

/* A failed answer.  The reason is kept, and the next read of query.txt shows it; what was only interrupted or
 * turned away before its first byte may be asked for again. */
static void answer_failed(struct fs_handle *handle, struct fs_question *question, struct fs_answer *answer,
                          int code)
{
    struct fs_query_handle *h = &handle->query;
    enum tsfs_query_format format = handle->node->row->format;
    question_drop_kept(question, format, answer);
    if (code == -EINTR || code == -EAGAIN) {
        if (atomic_load(&answer->served))
            return;
    } else {
        question_fail(question, tsfs_query_error(answer->query), code);
        if (format != TSFS_QUERY_TEXT)
            return;
    }
    pthread_mutex_lock(&h->lock);
    struct fs_answer *old = h->answer == answer ? answer : NULL;
    if (old) {
        h->answer = NULL;
        h->base = -1;
    }
    pthread_mutex_unlock(&h->lock);
    answer_unref(old);
}

static ssize_t read_literal(const struct fs_answer *answer, char *data, size_t size, uint64_t offset)
{
    if (offset >= answer->text.len)
        return 0;
    size_t n = answer->text.len - (size_t)offset;
    if (n > size)
        n = size;
    memcpy(data, answer->text.data + offset, n);
    return (ssize_t)n;
}

/* Slow, unlocked.  *crowded: refused because of the queries that are under way already. */
static ssize_t read_answer(fuse_req_t req, struct fs_answer *answer, char *data, size_t size, uint64_t offset,
                           bool *crowded)
{
    struct fs *fs = fs_of(req);
    int r = fs_blocking_begin(fs);
    if (r < 0)
        return r;
    ssize_t n = tsfs_query_read(answer->query, data, size, offset, fs_interrupted, req);
    fs_blocking_end(fs);
    *crowded = n == -EAGAIN;
    if (n >= 0)
        atomic_store(&answer->served, true);
    if (n == 0 && size > 0 && offset < atomic_load(&answer->length))
        atomic_store(&answer->length, offset);
    return n;
}

static ssize_t read_once(fuse_req_t req, struct fs_handle *handle, char *data, size_t size, off_t offset,
                         bool *crowded)
{
    *crowded = false;
    struct fs_query_handle *h = &handle->query;
    pthread_mutex_lock(&h->lock);
    int r = answer_bind(fs_of(req), handle);
    struct fs_answer *answer = r == 0 && h->answer ? answer_ref(h->answer) : NULL;
    struct fs_question *question = answer ? question_ref(h->asked) : NULL;
    uint64_t at = answer ? answer_offset(handle, offset) : 0;
    pthread_mutex_unlock(&h->lock);
    if (!answer)
        return r;

    ssize_t n;
    if (answer->query) {
        n = read_answer(req, answer, data, size, at, crowded);
        if (n < 0)
            answer_failed(handle, question, answer, (int)n);
    } else {
        n = read_literal(answer, data, size, at);
    }
    question_unref(question);
    answer_unref(answer);
    return n;
}

ssize_t fs_query_read(fuse_req_t req, struct fs_handle *handle, char *data, size_t size, off_t offset)
{
    ssize_t n;
    bool crowded;
    do
        n = read_once(req, handle, data, size, offset, &crowded);
    while (crowded && sessions_make_room(fs_of(req), handle->query.caller.creds.uid));
    return n;
}

static int sync_once(fuse_req_t req, struct fs_handle *handle, bool *crowded)
{
    struct fs *fs = fs_of(req);
    struct fs_query_handle *h = &handle->query;
    struct fs_answer *answer = NULL;
    struct fs_question *question = NULL;
    int r = 0;
    *crowded = false;
    pthread_mutex_lock(&h->lock);
    if (h->question) {
        question = question_ref(h->question);
        r = h->answer ? 0 : answer_make(handle, question, &answer);
        if (h->answer) {
            answer = answer_ref(h->answer);
        } else if (answer && is_private(handle)) {
            h->answer = answer_ref(answer);
            question_unref(h->asked);
            h->asked = question_ref(question);
        }
    }
    pthread_mutex_unlock(&h->lock);
    if (answer && !answer->query) {
        pthread_mutex_lock(&question->lock);
        r = question->error.code;
        pthread_mutex_unlock(&question->lock);
    }
    if (r == 0 && answer) {
        r = fs_blocking_begin(fs);
        if (r == 0) {
            r = tsfs_query_run(answer->query, fs_interrupted, req);
            fs_blocking_end(fs);
            *crowded = r == -EAGAIN;
        }
        if (r < 0)
            answer_failed(handle, question, answer, r);
    }
    answer_unref(answer);
    question_unref(question);
    return r;
}

int fs_query_sync(fuse_req_t req, struct fs_handle *handle)
{
    int r;
    bool crowded;
    do
        r = sync_once(req, handle, &crowded);
    while (crowded && sessions_make_room(fs_of(req), handle->query.caller.creds.uid));
    return r;
}

void fs_query_close(struct fs_handle *handle)
{
    struct fs_query_handle *h = &handle->query;
    struct fs_answer *answer = h->answer;
    /* Two of them: ours and the question's. */
    if (answer && !is_private(handle) && atomic_load(&answer->length) > KEEP_MAX &&
        atomic_load(&answer->refs) <= 2)
        question_drop_kept(h->asked, handle->node->row->format, answer);
    answer_unref(answer);
    question_unref(h->asked);
    question_unref(h->question);
    fs_caller_free(&h->caller);
    pthread_mutex_destroy(&h->lock);
}
