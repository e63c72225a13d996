/* One list of blocks for all tables.  Nothing is ready until the first block has been asked for, so a daemon
 * that only answers queries holds none; and after IDLE_S without a request all are given back.  What is
 * ready is not charged to the budget of the hot tier: it is a few blocks at most. */
#include "hot/reserve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define RANGES 16u /* wishes that wait */
#define READY  2u  /* blocks that are made */
#define KEPT   8u  /* and at most so many, with those given back */
#define IDLE_S 10

static struct {
    pthread_mutex_t lock; /* leaf */
    pthread_cond_t wake;  /* monotonic clock */
    pthread_t thread;
    unsigned users;
    bool stop, asked;
    unsigned n;
    void *blocks[KEPT];
    unsigned nranges;
    struct {
        char *from;
        size_t size;
    } ranges[RANGES]; /* the next one first */
} reserve = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER; /* held over starting and joining the thread */

static void *make_block(void)
{
    void *block = mmap(NULL, RESERVE_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    /* Wishes, both: without huge pages, or touched later, it works as well. */
    madvise(block, RESERVE_BLOCK, MADV_HUGEPAGE);
    madvise(block, RESERVE_BLOCK, MADV_POPULATE_WRITE);
    return block;
}

/* Part of what is wished for.  Lock held on entry and on return, not in between. */
static void touch_some(void)
{
    char *from = reserve.ranges[0].from;
    size_t size = reserve.ranges[0].size < RESERVE_BLOCK ? reserve.ranges[0].size : RESERVE_BLOCK;
    reserve.ranges[0].from += size;
    reserve.ranges[0].size -= size;
    if (reserve.ranges[0].size == 0)
        memmove(reserve.ranges, reserve.ranges + 1, --reserve.nranges * sizeof(reserve.ranges[0]));
    pthread_mutex_unlock(&reserve.lock);
    madvise(from, size, MADV_POPULATE_WRITE);
    pthread_mutex_lock(&reserve.lock);
}

/* Lock held. */
static void give_all_back(void)
{
    reserve.nranges = 0;
    while (reserve.n)
        munmap(reserve.blocks[--reserve.n], RESERVE_BLOCK);
}

static void *fill(void *unused)
{
    pthread_mutex_lock(&reserve.lock);
    bool active = false; /* something was asked for lately */
    while (!reserve.stop) {
        active |= reserve.asked;
        if (reserve.nranges && (reserve.n || !active)) { /* rows need their blocks first */
            touch_some();
            continue;
        }
        if (active && reserve.n < READY) {
            pthread_mutex_unlock(&reserve.lock);
            void *block = make_block();
            pthread_mutex_lock(&reserve.lock);
            if (block && reserve.n < KEPT)
                reserve.blocks[reserve.n++] = block;
            else if (block)
                munmap(block, RESERVE_BLOCK);
            else
                active = reserve.asked = false; /* memory is out: until the next request */
            continue;
        }
        reserve.asked = false;
        if (!reserve.n) {
            pthread_cond_wait(&reserve.wake, &reserve.lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_S;
        if (pthread_cond_timedwait(&reserve.wake, &reserve.lock, &until) == ETIMEDOUT && !reserve.asked) {
            give_all_back();
            active = false;
        }
    }
    give_all_back();
    pthread_mutex_unlock(&reserve.lock);
    return NULL;
}

static int start_thread(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&reserve.wake, &attr);
    pthread_condattr_destroy(&attr);
    /* Signals are the business of others. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    reserve.stop = reserve.asked = false;
    int rc = -pthread_create(&reserve.thread, NULL, fill, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        pthread_cond_destroy(&reserve.wake);
    return rc;
}

int tsfs_hot_reserve_start(void)
{
    pthread_mutex_lock(&users_lock);
    int rc = reserve.users ? 0 : start_thread();
    if (rc == 0) {
        pthread_mutex_lock(&reserve.lock);
        reserve.users++;
        pthread_mutex_unlock(&reserve.lock);
    }
    pthread_mutex_unlock(&users_lock);
    return rc;
}

void tsfs_hot_reserve_stop(void)
{
    pthread_mutex_lock(&users_lock);
    pthread_mutex_lock(&reserve.lock);
    bool last = --reserve.users == 0;
    if (last) {
        reserve.stop = true;
        pthread_cond_signal(&reserve.wake);
    }
    pthread_mutex_unlock(&reserve.lock);
    if (last) {
        pthread_join(reserve.thread, NULL);
        pthread_cond_destroy(&reserve.wake);
    }
    pthread_mutex_unlock(&users_lock);
}

void *reserve_take(void)
{
    pthread_mutex_lock(&reserve.lock);
    void *block = reserve.n ? reserve.blocks[--reserve.n] : NULL;
    if (reserve.users) {
        reserve.asked = true;
        if (reserve.n < READY)
            pthread_cond_signal(&reserve.wake);
    }
    pthread_mutex_unlock(&reserve.lock);
    return block;
}

bool reserve_give(void *block)
{
    pthread_mutex_lock(&reserve.lock);
    bool kept = reserve.users && !reserve.stop && reserve.n < KEPT;
    if (kept)
        reserve.blocks[reserve.n++] = block;
    if (kept && reserve.n == 1)
        pthread_cond_signal(&reserve.wake); /* to give it back some time */
    pthread_mutex_unlock(&reserve.lock);
    return kept;
}

void reserve_touch(void *from, size_t size)
{
    uintptr_t page = (uintptr_t)from & ~(uintptr_t)4095;
    pthread_mutex_lock(&reserve.lock);
    if (reserve.users && !reserve.stop && reserve.nranges < RANGES) {
        reserve.ranges[reserve.nranges].from = (char *)page;
        reserve.ranges[reserve.nranges++].size = size + ((uintptr_t)from - page);
        pthread_cond_signal(&reserve.wake);
    }
    pthread_mutex_unlock(&reserve.lock);
}
