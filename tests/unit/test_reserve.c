/* The reserve of touched memory: nothing before it is asked for, then a block ready, blocks given back are
 * handed out again up to a bound, and nothing without its thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "hot/reserve.h"
#include "hot/slab.h"

#define MANY 64

static void *map_block(void)
{
    void *block = mmap(NULL, RESERVE_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(block != MAP_FAILED);
    return block;
}

/* Asks until there is one: the thread may need its time. */
static void *take_soon(void)
{
    const struct timespec moment = {0, 2000000};
    for (int i = 0; i < 5000; i++) {
        void *block = reserve_take();
        if (block)
            return block;
        nanosleep(&moment, NULL);
    }
    fail_msg("no block was made ready");
    return NULL;
}

static void test_without_thread(void **state)
{
    assert_null(reserve_take());
    void *block = map_block();
    assert_false(reserve_give(block));
    assert_null(reserve_take());
    munmap(block, RESERVE_BLOCK);
}

static void test_ready_after_request(void **state)
{
    const struct timespec moment = {0, 30000000};
    assert_int_equal(tsfs_hot_reserve_start(), 0);
    nanosleep(&moment, NULL);
    assert_null(reserve_take()); /* the first request finds nothing, as nobody had asked */
    for (int i = 0; i < 4; i++) {
        void *block = take_soon();
        assert_int_equal((uintptr_t)block % 4096, 0);
        memset(block, 1, RESERVE_BLOCK);
        munmap(block, RESERVE_BLOCK);
    }
    tsfs_hot_reserve_stop();
}

static size_t resident(char *from, size_t size)
{
    static unsigned char pages[4 * RESERVE_BLOCK / 4096];
    size_t n = 0;
    assert_int_equal(mincore(from, size, pages), 0);
    for (size_t i = 0; i < size / 4096; i++)
        n += pages[i] & 1;
    return n;
}

static void test_touch(void **state)
{
    const struct timespec moment = {0, 2000000};
    size_t size = 3 * RESERVE_BLOCK;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memory[0] = 7;
    reserve_touch(memory, size); /* nobody is there to do it */
    assert_true(resident(memory, size) < size / 4096);
    assert_int_equal(tsfs_hot_reserve_start(), 0);
    for (int i = 0; i < 100; i++) /* more than are remembered, some of them gone before they are looked at */
        reserve_touch(memory + size / 2, 4096);
    assert_int_equal(munmap(memory + size / 2, size / 2), 0);
    size /= 2;
    for (int i = 0; i < 5000 && resident(memory, size) < size / 4096; i++) {
        if (i % 100 == 0)
            reserve_touch(memory + 100, size - 100);
        nanosleep(&moment, NULL);
    }
    assert_int_equal(resident(memory, size), size / 4096);
    assert_int_equal(memory[0], 7);
    tsfs_hot_reserve_stop();
    munmap(memory, size);
}

static void test_given_back(void **state)
{
    assert_int_equal(tsfs_hot_reserve_start(), 0);
    assert_int_equal(tsfs_hot_reserve_start(), 0); /* a second user */
    tsfs_hot_reserve_stop();
    unsigned kept = 0;
    for (; kept < MANY; kept++) {
        void *block = map_block();
        memset(block, 2, 4096);
        if (!reserve_give(block)) {
            munmap(block, RESERVE_BLOCK);
            break;
        }
    }
    assert_in_range(kept, 1, MANY - 1);
    unsigned char *back = reserve_take();
    assert_non_null(back);
    assert_int_equal(back[0], 2);
    munmap(back, RESERVE_BLOCK);
    tsfs_hot_reserve_stop(); /* frees the others */
    assert_null(reserve_take());
}

static void *fill_and_free(void *failed)
{
    for (int round = 0; round < 20; round++) {
        struct slab_bump bump = {.first = 1 << 14};
        for (size_t i = 0; i < 300; i++) {
            unsigned char *p = slab_bump_alloc(&bump, 100000, 16);
            if (!p)
                return failed;
            p[0] = p[99999] = (unsigned char)i;
        }
        slab_bump_free(&bump);
        if (atomic_load(&bump.bytes) != 0)
            return failed;
    }
    return NULL;
}

static void test_shared(void **state)
{
    pthread_t threads[4];
    assert_int_equal(tsfs_hot_reserve_start(), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill_and_free, &threads), 0);
    for (int i = 0; i < 4; i++) {
        void *what;
        assert_int_equal(pthread_join(threads[i], &what), 0);
        assert_null(what);
    }
    tsfs_hot_reserve_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_thread), cmocka_unit_test(test_ready_after_request),
        cmocka_unit_test(test_touch),          cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
