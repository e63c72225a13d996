/* A statement bound to the tables that it names, and its plan. */
#ifndef TSFS_ENGINE_BINDING_H
#define TSFS_ENGINE_BINDING_H

#include "base/arena.h"
#include "base/limits.h"
#include "sql/resolver.h"
#include "tsfs/engine.h"

struct opened;
struct tsfs_plan;

struct binding {
    struct tsfs_node *node; /* where it was asked; borrowed, as are creds */
    const struct tsfs_creds *creds;
    struct tsfs_arena arena; /* of the plan */
    struct tsfs_budget budget;
    struct opened *opened;
    struct tsfs_resolver resolver;
    char default_database[TSFS_NAME_MAX + 1];
    /* Asked while a constant is computed that takes long, if set before binding_open: -EAGAIN leaves it for
     * the query to compute, another error ends the binding. */
    int (*poll)(void *poll_ctx, struct tsfs_error *err);
    void *poll_ctx;
    struct tsfs_plan *plan;
    struct tsfs_plan *doomed;      /* a DELETE: what it takes away */
    struct tsfs_node *doomed_node; /* and from which table; borrowed from opened */
};

/* b is zeros before, but for poll, stays where it is, and is to be closed also after an error.  memory: bytes
 * that binding and planning may take. */
TSFS_MUST_CHECK int binding_open(struct binding *b, struct tsfs_node *node, const struct tsfs_creds *creds,
                                 struct tsfs_str text, uint64_t memory, struct tsfs_error *err);
void binding_close(struct binding *b);

#endif
