/* Memory for decoded pages.  slab.c says why not malloc. */
#ifndef TSFS_COLD_SLAB_H
#define TSFS_COLD_SLAB_H

#include <stddef.h>

#include "base/error.h"

struct slab;

struct slab_block {
    void *data;        /* aligned as malloc does */
    size_t size;       /* bytes that it takes, at least those asked for */
    struct slab *slab; /* NULL = from malloc: it is large */
};

/* Any number of threads; contents are not defined.  -ENOMEM. */
TSFS_MUST_CHECK int slab_alloc(size_t size, struct slab_block *out);
void slab_free(struct slab_block *block); /* takes one that is all zeros */

/* Bytes of slabs that the system has given, and those of them that no block takes. */
void slab_facts(size_t *held, size_t *idle);

#endif
