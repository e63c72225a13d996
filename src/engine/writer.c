/* From bytes written to a `write` file to rows in the hot tier.
 *
 * Some thousand lines (WRITER_POINTS) are parsed outside every lock, then staged row by row under the write
 * locks of the tables they touch (taken in the order of their ids), logged, and published: a reader sees all
 * of their rows in a table or none.
 * Lines are taken in order up to the first bad one (or, with on_bad_line = skip, all the good ones). */
#include <errno.h>
#include <stdlib.h>

#include "engine/writer_priv.h"

/* ---- lifetime ---- */

int tsfs_writer_open(struct tsfs_node *node, const struct tsfs_creds *creds, struct tsfs_writer **out)
{
    if (node->kind == TSFS_NODE_ROOT)
        return -EINVAL;
    if (node->engine->options.read_only)
        return -EROFS;
    struct tsfs_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->creds = *creds;
    w->groups = malloc((creds->ngroups + 1) * sizeof(*w->groups));
    if (!w->groups) {
        free(w);
        return -ENOMEM;
    }
    if (creds->ngroups)
        memcpy(w->groups, creds->groups, creds->ngroups * sizeof(*w->groups));
    w->creds.groups = w->groups;
    w->node = tsfs_node_ref(node);
    pthread_mutex_init(&w->lock, NULL);
    tsfs_lp_batch_init(&w->batch, NULL);
    tsfs_arena_init(&w->arena, NULL);
    *out = w;
    return 0;
}

/* The table that a line written to a database would have gone to, if there is one.  Returns owned or NULL. */
static struct tsfs_node *table_of(struct tsfs_writer *w, struct tsfs_str line)
{
    struct tsfs_node *table = NULL;
    struct tsfs_lp_tag *tags;
    struct tsfs_str name, key;
    struct tsfs_error err = {0};
    unsigned ntags;
    size_t n = 0;
    while (line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t')) {
        line.ptr++;
        line.len--;
    }
    while (n < line.len && n <= 2 * TSFS_NAME_MAX &&
           !(line.ptr[n] == ' ' && (n == 0 || line.ptr[n - 1] != '\\')))
        n++;
    key = writer_measurement((struct tsfs_str){line.ptr, n});
    tsfs_arena_reset(&w->arena);
    if (key.len == 0 || tsfs_lp_parse_key(key, &w->arena, &name, &tags, &ntags, &err) < 0 || !name.ptr ||
        name.len > TSFS_NAME_MAX || tsfs_node_lookup(w->node, name.ptr, &table) < 0)
        return NULL;
    return table;
}

/* Keeps a refused line in the rejected text of its table (NULL: find it).  Returns that table, owned, or
 * NULL: the line went to a database and names no table. */
static struct tsfs_node *keep_rejected(struct tsfs_writer *w, struct tsfs_node *table, struct tsfs_str line,
                                       uint64_t *mark)
{
    if (!table && w->node->kind == TSFS_NODE_TABLE)
        table = w->node;
    table = table ? tsfs_node_ref(table) : table_of(w, line);
    if (table) {
        *mark = ring_append(&table->rejected, line);
        table->table->lines_refused++;
    }
    return table;
}

/* Notes the waiting tail as refused, once. */
static void note_tail(struct tsfs_writer *w)
{
    if (w->tail.len == 0 || w->tail_noted)
        return;
    struct tsfs_error err = {0};
    tsfs_error_set_at(&err, -EINVAL, (uint32_t)(w->lines + 1), 0,
                      "the last line has no newline at its end and was not taken (it may have been cut)");
    w->tail_report = node_report(w->node, "write", &err, tsfs_buf_str(&w->tail));
    w->tail_table = keep_rejected(w, NULL, tsfs_buf_str(&w->tail), &w->tail_mark);
    w->tail_noted = true;
    atomic_fetch_add(&w->node->engine->lines_refused, 1);
}

/* More of the line came after all: it was a duplicate of the descriptor that was closed, by a child of the
 * writing shell, say. */
static void unnote_tail(struct tsfs_writer *w)
{
    if (!w->tail_noted)
        return;
    ring_retract(&w->node->errors, w->tail_report);
    if (w->tail_table) {
        ring_retract(&w->tail_table->rejected, w->tail_mark);
        w->tail_table->table->lines_refused--;
        tsfs_node_unref(w->tail_table);
        w->tail_table = NULL;
    }
    atomic_fetch_sub(&w->node->engine->lines_refused, 1);
    w->tail_noted = false;
}

void tsfs_writer_close(struct tsfs_writer *w)
{
    if (!w)
        return;
    note_tail(w);
    writer_release_targets(w);
    for (unsigned i = 0; i < w->targets_cap; i++) {
        tsfs_buf_free(&w->targets[i].raw);
        free(w->targets[i].staged);
        free(w->targets[i].ordinals);
        free(w->targets[i].decimals);
    }
    free(w->targets);
    for (unsigned i = 0; i < w->ntouched; i++)
        tsfs_node_unref(w->touched[i]);
    free(w->touched);
    free(w->point_target);
    free(w->point_key);
    free(w->looked_up);
    free(w->found);
    free(w->point_series);
    free(w->cells);
    free(w->add);
    writer_keys_free(w);
    tsfs_buf_free(&w->key);
    tsfs_buf_free(&w->tail);
    tsfs_arena_free(&w->arena);
    tsfs_lp_batch_free(&w->batch);
    tsfs_node_unref(w->tail_table);
    tsfs_node_unref(w->node);
    pthread_mutex_destroy(&w->lock);
    free(w->groups);
    free(w);
}

int tsfs_writer_flush(struct tsfs_writer *w)
{
    pthread_mutex_lock(&w->lock);
    int rc = w->tail.len ? -EINVAL : 0;
    note_tail(w);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int writer_sync_touched(struct tsfs_writer *w)
{
    int rc = 0;
    for (unsigned i = 0; i < w->ntouched; i++) {
        int one = table_sync(w->touched[i]);
        if (rc == 0)
            rc = one;
    }
    return rc;
}

int tsfs_writer_sync(struct tsfs_writer *w)
{
    pthread_mutex_lock(&w->lock);
    int rc = writer_sync_touched(w);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

/* ---- a write ---- */

void writer_refuse(struct tsfs_writer *w, struct tsfs_node *table, struct tsfs_error *err,
                   struct tsfs_str line)
{
    err->line += (uint32_t)w->lines;
    while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    node_report(w->node, "write", err, line);
    uint64_t mark;
    tsfs_node_unref(keep_rejected(w, table, line, &mark));
    atomic_fetch_add(&w->node->engine->lines_refused, 1);
}

struct failure {
    int code;
    struct tsfs_error err;
    struct tsfs_str line;
    struct tsfs_node *table; /* borrowed from targets; NULL unknown */
    size_t lines;            /* line ends in it */
};

/* Takes lines from input; returns how many bytes were dealt with, up to the end, an unfinished line or a
 * failure. */
static size_t take_lines(struct tsfs_writer *w, const char *input, size_t len, struct failure *failure)
{
    size_t pos = 0;
    while (pos < len) {
        size_t consumed, done;
        struct tsfs_error why = {0}, point_why = {0};
        int parsed = tsfs_lp_parse(&w->batch, input + pos, len - pos, WRITER_POINTS, false, &consumed, &why);
        struct tsfs_lp_batch *b = &w->batch;
        int rc = b->npoints ? writer_take_points(w, input + pos, &done, &failure->table, &point_why) : 0;
        if (rc < 0) {
            failure->code = rc;
            failure->err = point_why;
            size_t at = done < b->npoints ? b->points[done].offset : 0;
            size_t length = done < b->npoints ? b->points[done].length : 0;
            failure->line = (struct tsfs_str){input + pos + at, length};
            if (done < b->npoints && b->points[done].line) { /* count only what was taken */
                uint32_t before = b->points[done].line - 1;
                w->lines += before;
                if (failure->err.line)
                    failure->err.line -= before;
            }
            failure->lines = 1;
            for (size_t k = 0; k < length; k++) /* line breaks in strings */
                failure->lines += input[pos + at + k] == '\n';
            return pos + at;
        }
        pos += consumed;
        w->lines += b->lines;
        if (parsed == 0) {
            if (consumed == 0)
                break;
            continue;
        }
        if (why.line > b->lines)
            why.line -= (uint32_t)b->lines; /* from here on lines count from the bad one */
        struct tsfs_str line = {input + pos, b->bad_length};
        if (parsed == -ENOMEM || !writer_skips(w->node)) {
            *failure = (struct failure){parsed, why, line, NULL, b->bad_lines};
            if (parsed == -ENOMEM)
                failure->line.len = 0;
            return pos;
        }
        writer_refuse(w, w->node->kind == TSFS_NODE_TABLE ? w->node : NULL, &why, line);
        pos += b->bad_length;
        w->lines += b->bad_lines;
        w->discard = b->bad_unfinished;
    }
    return pos;
}

/* When there is memory for it. */
static ssize_t write_lines(struct tsfs_writer *w, const char *data, size_t len)
{
    struct failure failure = {0};
    size_t skipped = 0;
    ssize_t result;
    int rc;
    pthread_mutex_lock(&w->lock);
    unnote_tail(w);
    if (w->discard) {
        const char *end = memchr(data, '\n', len);
        skipped = end ? (size_t)(end - data) + 1 : len;
        w->discard = end == NULL;
        w->lines += end != NULL;
    }
    size_t prior = w->tail.len;
    const char *input = data + skipped;
    size_t input_len = len - skipped;
    if (prior + input_len <= TSFS_LINE_MAX && !memchr(input, '\n', input_len)) { /* no line ends here */
        rc = tsfs_buf_append(&w->tail, input, input_len);
        result = rc < 0 ? rc : (ssize_t)len;
        goto out;
    }
    if (prior) {
        rc = tsfs_buf_append(&w->tail, input, input_len);
        if (rc < 0) {
            result = rc;
            goto out;
        }
        input = w->tail.data;
        input_len = w->tail.len;
    }
    size_t taken = take_lines(w, input, input_len, &failure);
    atomic_fetch_add(&w->node->engine->bytes_ingested, taken);
    if (failure.code) {
        if (skipped + taken > prior) {
            result =
                (ssize_t)(skipped + taken - prior); /* the next write(2) starts with the bad line and fails */
        } else {
            if (writer_callers_fault(failure.code)) {
                writer_refuse(w, failure.table, &failure.err, failure.line);
                w->lines += failure.lines;
            } else {
                node_report(w->node, "write", &failure.err, (struct tsfs_str){NULL, 0});
            }
            result = failure.code;
        }
        w->tail.len = 0;
        goto out;
    }
    size_t rest = input_len - taken;
    result = (ssize_t)len;
    if (prior) {
        memmove(w->tail.data, w->tail.data + taken, rest);
        w->tail.len = rest;
    } else if (rest) {
        rc = tsfs_buf_append(&w->tail, input + taken, rest);
        if (rc < 0)
            result = rc;
    }
out:
    writer_release_targets(w);
    pthread_mutex_unlock(&w->lock);
    return result;
}

ssize_t tsfs_writer_write(struct tsfs_writer *w, const char *data, size_t len)
{
    struct tsfs_error err = {0};
    if (w->node->dead)
        return -ENOENT;
    int rc = engine_wait_memory(w->node->engine, &err);
    if (rc < 0) {
        node_report(w->node, "write", &err, (struct tsfs_str){NULL, 0});
        return rc;
    }
    return write_lines(w, data, len);
}

ssize_t tsfs_writer_write_now(struct tsfs_writer *w, const char *data, size_t len, bool *must_wait)
{
    *must_wait = !w->node->dead && engine_has_memory(w->node->engine) == -EAGAIN;
    if (*must_wait)
        return 0;
    return w->node->dead ? -ENOENT : write_lines(w, data, len);
}
