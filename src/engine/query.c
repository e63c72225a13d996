/* One statement from text to result bytes.
 *
 * Nothing happens before the first read.  Then names are resolved, the plan made and its scans opened (the
 * snapshot); batches are pulled and formatted as far as the reader has come.  The result's bytes are kept, in
 * memory up to a size and then in a nameless file, so that any offset can be read again. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "engine/binding.h"
#include "engine/engine_priv.h"
#include "engine/query_lanes.h"
#include "exec/exec.h"
#include "format/format.h"
#include "plan/plan.h"
#include "sql/check.h"

/* A reader gets what is there after this long, even if he asked for more. */
#define PATIENCE_NS (100 * TSFS_NS_PER_MS)

/* Less than this stays with the allocator: the next query pays for pages that went back. */
#define GIVE_BACK_BYTES (256u << 20)

/* What a DELETE has done. */
struct tsfs_once {
    _Atomic uint32_t refs;
    pthread_mutex_t lock; /* held while it is done */
    bool done;
    uint64_t rows;
};

struct tsfs_query {
    pthread_mutex_t lock;
    struct tsfs_node *node;
    struct tsfs_creds creds;
    gid_t *groups;
    enum tsfs_query_format format;
    char *text;
    size_t text_len;

    bool started, finished, counted;
    int failed; /* -errno once it failed */
    struct tsfs_error err;
    _Atomic bool cancel;
    int64_t timeout, spent; /* ns; time counts only while a reader waits or lanes are filled for the next */
    int64_t worked;         /* what lanes had, when the last reader left */

    struct tsfs_once *once; /* NULL = nobody else runs this text */
    struct binding binding;
    struct tsfs_exec_options options;
    struct tsfs_exec *exec;
    struct tsfs_formatter *formatter;
    struct tsfs_str *names;
    enum tsfs_type *types;

    struct query_lanes *lanes; /* several threads make the rows; NULL = the reader's alone */

    struct result result;
    uint64_t delivered;    /* bytes that reads have returned, 0 = none yet */
    struct tsfs_buf chunk; /* formatted, not yet stored */
};

/* Constants are computed when a statement is bound: while it is only checked, those that take no longer than
 * this. */
#define CHECK_NS (50 * TSFS_NS_PER_MS)

static int poll_check(void *until, struct tsfs_error *err)
{
    return tsfs_time_monotonic() < *(const int64_t *)until ? 0 : -EAGAIN;
}

int tsfs_query_check(struct tsfs_node *node, const struct tsfs_creds *creds, const char *text, size_t len,
                     struct tsfs_error *err)
{
    struct tsfs_error own = {0};
    int rc = 0;
    if (!err)
        err = &own;
    enum tsfs_sql_state state = tsfs_sql_check((struct tsfs_str){text, len}, err);
    if (state == TSFS_SQL_BROKEN) {
        rc = err->code ? err->code : -EINVAL;
    } else if (state == TSFS_SQL_TERMINATED) {
        int64_t until = tsfs_time_monotonic() + CHECK_NS;
        struct binding b = {.poll = poll_check, .poll_ctx = &until};
        rc = binding_open(&b, node, creds, (struct tsfs_str){text, len}, node_settings(node).query_memory,
                          err);
        binding_close(&b);
    }
    if (rc < 0) {
        if (rc == -ENOENT)
            rc = err->code = -EINVAL;
        node_report(node, "query", err, (struct tsfs_str){text, len});
        atomic_fetch_add(&node->engine->queries_failed, 1);
    }
    return rc;
}

/* ---- lifetime ---- */

int tsfs_query_create(struct tsfs_node *node, const struct tsfs_creds *creds, enum tsfs_query_format format,
                      const char *text, size_t len, struct tsfs_query **out)
{
    struct tsfs_query *q = calloc(1, sizeof(*q));
    if (!q)
        return -ENOMEM;
    q->result.spill_fd = -1;
    q->creds = *creds;
    q->groups = malloc((creds->ngroups + 1) * sizeof(*q->groups));
    q->text = malloc(len + 1);
    if (!q->groups || !q->text) {
        free(q->groups);
        free(q->text);
        free(q);
        return -ENOMEM;
    }
    if (creds->ngroups)
        memcpy(q->groups, creds->groups, creds->ngroups * sizeof(*q->groups));
    if (len)
        memcpy(q->text, text, len);
    q->text[len] = '\0';
    q->text_len = len;
    q->creds.groups = q->groups;
    q->format = format;
    q->node = tsfs_node_ref(node);
    pthread_mutex_init(&q->lock, NULL);
    *out = q;
    return 0;
}

int tsfs_once_create(struct tsfs_once **out)
{
    struct tsfs_once *once = calloc(1, sizeof(*once));
    if (!once)
        return -ENOMEM;
    once->refs = 1;
    pthread_mutex_init(&once->lock, NULL);
    *out = once;
    return 0;
}

void tsfs_once_unref(struct tsfs_once *once)
{
    if (!once || atomic_fetch_sub(&once->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&once->lock);
    free(once);
}

void tsfs_query_set_once(struct tsfs_query *q, struct tsfs_once *once)
{
    atomic_fetch_add(&once->refs, 1);
    q->once = once;
}

/* One user's readers that stay away must not keep the others from asking. */
static int enter(struct tsfs_query *q)
{
    struct tsfs_engine *e = q->node->engine;
    int rc = 0;
    pthread_mutex_lock(&e->queries_lock);
    unsigned n = e->queries_running, own = 0;
    for (unsigned i = 0; i < n; i++)
        own += e->askers[i] == q->creds.uid;
    if (n >= TSFS_QUERIES_MAX)
        rc = tsfs_error_set(&q->err, -EAGAIN, "%u queries are running already; try again", TSFS_QUERIES_MAX);
    else if (q->creds.uid != 0 && own >= TSFS_QUERIES_USER_MAX)
        rc = tsfs_error_set(&q->err, -EAGAIN, "you run %u queries already; read or close some of them",
                            TSFS_QUERIES_USER_MAX);
    if (rc == 0) {
        e->askers[n] = q->creds.uid;
        atomic_store(&e->queries_running, n + 1);
        q->counted = true;
    }
    pthread_mutex_unlock(&e->queries_lock);
    return rc;
}

static void leave(struct tsfs_query *q)
{
    struct tsfs_engine *e = q->node->engine;
    if (!q->counted)
        return;
    pthread_mutex_lock(&e->queries_lock);
    unsigned last = e->queries_running - 1, i = 0;
    while (i < last && e->askers[i] != q->creds.uid)
        i++;
    e->askers[i] = e->askers[last];
    atomic_store(&e->queries_running, last);
    pthread_mutex_unlock(&e->queries_lock);
    q->counted = false;
}

bool tsfs_engine_is_full(struct tsfs_engine *engine)
{
    return atomic_load(&engine->queries_running) >= TSFS_QUERIES_MAX;
}

bool tsfs_query_is_paused(struct tsfs_query *q)
{
    if (pthread_mutex_trylock(&q->lock) != 0)
        return false; /* somebody is at it */
    bool paused = q->counted;
    pthread_mutex_unlock(&q->lock);
    return paused;
}

/* Gives back all but the result.  The allocator would keep what a large query has held, once for each thread
 * that worked on it. */
static void end_run(struct tsfs_query *q)
{
    size_t held = q->started ? q->binding.budget.used : 0;
    query_lanes_close(q->lanes);
    q->lanes = NULL;
    tsfs_exec_close(q->exec);
    q->exec = NULL;
    tsfs_format_free(q->formatter);
    q->formatter = NULL;
    if (q->started)
        binding_close(&q->binding);
    free(q->names);
    free(q->types);
    q->names = NULL;
    q->types = NULL;
    tsfs_buf_free(&q->chunk);
    if (held >= GIVE_BACK_BYTES)
        (void)malloc_trim(0);
    leave(q);
}

void tsfs_query_free(struct tsfs_query *q)
{
    if (!q)
        return;
    q->cancel = true;
    pthread_mutex_lock(&q->lock); /* a read still under way ends soon */
    if (!q->finished && !q->failed)
        end_run(q);
    pthread_mutex_unlock(&q->lock);
    result_free(&q->result);
    pthread_mutex_destroy(&q->lock);
    tsfs_once_unref(q->once);
    tsfs_node_unref(q->node);
    free(q->groups);
    free(q->text);
    free(q);
}

const struct tsfs_error *tsfs_query_error(const struct tsfs_query *q)
{
    return &q->err;
}

/* ---- running ---- */

static int fail(struct tsfs_query *q, int rc)
{
    if (rc == -ENOENT)
        rc = -EINVAL; /* an unknown name is a bad query, not a missing file */
    if (rc == -E2BIG)
        tsfs_error_set(&q->err, rc,
                       "some rows together are longer than %u bytes: ask for less of them at once",
                       TSFS_RESULT_BATCH_MAX);
    tsfs_error_set(&q->err, rc, "%s", strerror(-rc));
    q->err.code = rc;
    q->failed = rc;
    if (rc != -EAGAIN) {
        node_report(q->node, "query", &q->err, (struct tsfs_str){q->text, q->text_len});
        atomic_fetch_add(&q->node->engine->queries_failed, 1);
    }
    return rc;
}

/* Stores the formatted chunk behind what there is. */
static int store(struct tsfs_query *q)
{
    int rc = result_take(&q->result, q->node->engine, &q->chunk);
    return rc < 0 ? tsfs_error_set(&q->err, rc, "cannot keep the result: %s", strerror(-rc)) : 0;
}

/* Does what a DELETE says, and makes its answer the plan. */
static int run_delete(struct tsfs_query *q)
{
    struct binding *b = &q->binding;
    struct delete_request request = {.scan = b->doomed,
                                     .now = b->resolver.now,
                                     .timeout = q->timeout,
                                     .memory = b->budget.limit,
                                     .cancel = &q->cancel,
                                     .interrupted = q->options.interrupted,
                                     .interrupted_ctx = q->options.interrupted_ctx};
    struct tsfs_plan *plan = TSFS_NEW(&b->arena, struct tsfs_plan);
    struct tsfs_plan_column *cols = TSFS_NEW(&b->arena, struct tsfs_plan_column);
    struct tsfs_value *value = TSFS_NEW(&b->arena, struct tsfs_value);
    uint64_t rows = 0;
    int rc = 0;
    if (!plan || !cols || !value)
        return -ENOMEM;
    if (q->once)
        pthread_mutex_lock(&q->once->lock);
    if (q->once && q->once->done)
        rows = q->once->rows;
    else
        rc = table_delete(b->doomed_node, &request, &rows, &q->err);
    if (q->once) {
        q->once->done = q->once->done || rc == 0;
        q->once->rows = rows;
        pthread_mutex_unlock(&q->once->lock);
    }
    cols[0] = (struct tsfs_plan_column){TSFS_STR("rows"), TSFS_BIGINT};
    *value = (struct tsfs_value){.type = TSFS_BIGINT, .i = (int64_t)rows};
    *plan = (struct tsfs_plan){.kind = TSFS_PLAN_VALUES, .cols = cols, .ncols = 1};
    plan->values.rows = value;
    plan->values.nrows = 1;
    b->plan = plan;
    return rc;
}

/* While the statement is bound, on its first reader's time. */
static int poll_start(void *ctx, struct tsfs_error *err)
{
    struct tsfs_query *q = ctx;
    if (q->cancel || (q->options.interrupted && q->options.interrupted(q->options.interrupted_ctx)))
        return tsfs_error_set(err, -EINTR, "the query was cancelled");
    if (q->options.deadline && tsfs_time_monotonic() >= q->options.deadline)
        return tsfs_error_set(err, -ETIMEDOUT, "the query took longer than query_timeout allows");
    return 0;
}

static int start(struct tsfs_query *q)
{
    struct tsfs_engine *engine = q->node->engine;
    struct tsfs_settings settings = node_settings(q->node);
    atomic_fetch_add(&engine->queries_total, 1);
    int rc = enter(q);
    if (rc < 0)
        return rc;
    q->timeout = settings.query_timeout;
    q->started = true;
    q->options.deadline =
        q->timeout ? tsfs_time_monotonic() + q->timeout : 0; /* joins are built below, too */
    q->binding.poll = poll_start;
    q->binding.poll_ctx = q;
    rc = binding_open(&q->binding, q->node, &q->creds, (struct tsfs_str){q->text, q->text_len},
                      (uint64_t)settings.query_memory, &q->err);
    if (rc < 0)
        return rc;
    if (q->binding.doomed)
        rc = run_delete(q);
    if (rc < 0)
        return rc;
    struct tsfs_plan *plan = q->binding.plan;
    q->names = calloc(plan->ncols + 1, sizeof(*q->names));
    q->types = calloc(plan->ncols + 1, sizeof(*q->types));
    if (!q->names || !q->types)
        return -ENOMEM;
    for (uint32_t i = 0; i < plan->ncols; i++) {
        q->names[i] = plan->cols[i].name;
        q->types[i] = plan->cols[i].type;
    }
    static const enum tsfs_format formats[] = {TSFS_FORMAT_CSV, TSFS_FORMAT_JSON, TSFS_FORMAT_TEXT};
    enum tsfs_format format = formats[q->format];
    rc = tsfs_format_create(format, q->names, q->types, plan->ncols, &q->formatter);
    if (rc < 0)
        return rc;
    q->options.pool = engine->pool;
    q->options.budget = &q->binding.budget;
    q->options.now = q->binding.resolver.now;
    q->options.cancel = &q->cancel;
    rc = tsfs_exec_open(plan, &q->options, &q->exec, &q->err);
    const struct query_lanes_options lanes = {.exec = q->exec,
                                              .pool = engine->pool,
                                              .budget = &q->binding.budget,
                                              .format = format,
                                              .names = q->names,
                                              .types = q->types,
                                              .ncols = plan->ncols};
    if (rc == 0)
        rc = query_lanes_open(&lanes, &q->lanes, &q->err);
    if (rc == 0)
        rc = tsfs_format_begin(q->formatter, &q->chunk);
    return rc < 0 ? rc : store(q);
}

/* One more batch of result bytes; *end when there is none. */
static int step(struct tsfs_query *q)
{
    struct tsfs_batch *batch = NULL;
    int rc = q->lanes ? query_lanes_round(q->lanes, &q->result, q->node->engine, &q->err)
                      : tsfs_exec_next(q->exec, &batch, &q->err);
    if (rc < 0)
        return rc;
    if (rc == 1 && q->lanes)
        return 0;
    if (rc == 1)
        rc = tsfs_format_batch(q->formatter, batch, &q->chunk);
    else
        rc = tsfs_format_end(q->formatter, &q->chunk), q->finished = rc == 0;
    return rc < 0 ? rc : store(q);
}

/* Of work that begins now; past, if all of its time is spent. */
static int64_t deadline_of(const struct tsfs_query *q, int64_t now)
{
    return q->timeout ? now + q->timeout - q->spent : 0;
}

/* Produces result bytes up to `want` in all, or until some are there past `offset` and patience ends.  Under
 * lock. */
static int produce(struct tsfs_query *q, uint64_t offset, uint64_t want, bool (*interrupted)(void *ctx),
                   void *ctx)
{
    int64_t from = tsfs_time_monotonic();
    int rc = 0;
    q->options.interrupted = interrupted;
    q->options.interrupted_ctx = ctx;
    if (!q->started) {
        q->options.deadline = 0;
        rc = start(q);
    }
    if (q->lanes) /* what they have worked since the last read counts, too */
        q->spent += query_lanes_worked(q->lanes) - q->worked;
    if (q->exec)
        tsfs_exec_resume(q->exec, ctx, deadline_of(q, from));
    while (rc == 0 && !q->finished && q->result.produced < want) {
        if (q->result.produced > offset && tsfs_time_monotonic() - from > PATIENCE_NS)
            break;
        rc = step(q);
    }
    int64_t left = tsfs_time_monotonic();
    q->spent += left - from;
    if (q->lanes)
        q->worked = query_lanes_worked(q->lanes);
    if (q->exec)
        tsfs_exec_leave(q->exec, deadline_of(q, left));
    if (rc < 0) {
        rc = fail(q, rc);
        end_run(q);
    } else if (q->finished && q->exec) {
        end_run(q);
    }
    return rc;
}

ssize_t tsfs_query_read(struct tsfs_query *q, char *data, size_t len, uint64_t offset,
                        bool (*interrupted)(void *ctx), void *ctx)
{
    ssize_t result = 0;
    pthread_mutex_lock(&q->lock);
    if (!q->failed && !q->finished && q->result.produced < offset + len) {
        int rc = produce(q, offset, offset + len, interrupted, ctx);
        (void)rc; /* kept in q->failed */
    }
    if (q->failed && (q->delivered == 0 || offset >= q->result.produced)) {
        result = q->failed;
    } else if (offset < q->result.produced) { /* what came before a failure stays good */
        result = result_read(&q->result, data, len, offset);
        q->delivered += result < 0 ? 0 : (uint64_t)result;
    }
    pthread_mutex_unlock(&q->lock);
    return result;
}

int tsfs_query_run(struct tsfs_query *q, bool (*interrupted)(void *ctx), void *ctx)
{
    int rc = 0;
    pthread_mutex_lock(&q->lock);
    if (q->failed)
        rc = q->failed;
    else if (!q->finished && q->result.produced == 0)
        rc = produce(q, 0, 1, interrupted, ctx);
    if (rc == 0 && !q->failed && !q->finished) /* the header alone does not show that the query works */
        rc = produce(q, q->result.produced, q->result.produced + 1, interrupted, ctx);
    pthread_mutex_unlock(&q->lock);
    return rc;
}
