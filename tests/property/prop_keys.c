/* Keys of lines against themselves: what the engine makes of many lines in one write, where it cuts keys by
 * the form of those before, must be what it makes of the same lines one by one, where each is taken apart by
 * the rules.  Keys change their form in all ways that may go wrong: tags more, less, in another order, longer
 * by what belongs to the next one, with escapes, beyond ASCII, and wrong in many ways. */
#include "../unit/engine_fixture.h"
#include "../unit/random.h"

#define ROUNDS 60
#define LINES  200

static uint64_t seed;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(test_random(&seed) >> 20) % n;
}

static const char *pick(const char *const *list, unsigned n)
{
    return list[below(n)];
}

#define PICK(list) pick(list, sizeof(list) / sizeof((list)[0]))

static const char *const names[] = {"host", "ho", "host2", "region", "a", "b", "t\\=a", "z\xc3\xa9"};
static const char *const values[] = {"x", "y", "server-1", "1", "a\\,b", "a\\=b", "\\", "w\\ v", "\xc3\xa4"};
static const char *const wrong[] = {",",          ",host",       ",host=", ",=x",    ",host=a=b",
                                    ",host=\xff", ",host=a\x01", ",v=1",   ",time=x"};

/* One key; most have the form of this round. */
static size_t make_key(char *out, size_t size, const char *const *form, unsigned n)
{
    size_t len = 0;
    unsigned first = 0, count = n;
    bool other = below(6) == 0;
    if (other && n > 1) {
        first = below(n);
        count = 1 + below(n);
    }
    for (unsigned i = 0; i < count; i++) {
        const char *name = form[(first + i) % n];
        if (other && below(8) == 0)
            name = PICK(names);
        if (below(12) == 0)
            len += (size_t)snprintf(out + len, size - len, ",%s=%s", name, PICK(values));
        else
            len += (size_t)snprintf(out + len, size - len, ",%s=%c%u", name, 'a' + (int)i, below(9));
    }
    if (below(25) == 0)
        len += (size_t)snprintf(out + len, size - len, "%s", PICK(wrong));
    return len;
}

static void same_as_alone(void **state)
{
    struct fixture *f = *state;
    static char text[LINES * 256], line[256], together[1 << 20];
    for (int round = 0; round < ROUNDS; round++) {
        const char *form[4];
        unsigned n = 1 + below(4);
        size_t len = 0;
        for (unsigned i = 0; i < n; i++)
            form[i] = PICK(names);
        struct tsfs_node *one, *all;
        char name[2][16];
        for (int k = 0; k < 2; k++)
            snprintf(name[k], sizeof(name[k]), "%s%d", k ? "one" : "all", round);
        assert_int_equal(tsfs_node_create(f->db, name[0], &me, 0755, &all), 0);
        assert_int_equal(tsfs_node_create(f->db, name[1], &me, 0755, &one), 0);
        assert_int_equal(command(all, TSFS_FILE_CONFIG, "on_bad_line = skip\n"), 0);
        assert_int_equal(command(one, TSFS_FILE_CONFIG, "on_bad_line = skip\n"), 0);
        for (int i = 0; i < LINES; i++) {
            char key[160];
            size_t k = make_key(key, sizeof(key), form, n);
            snprintf(line, sizeof(line), "%s%.*s v=%di %lld\n", below(30) == 0 ? "mm" : "m", (int)k, key, i,
                     (long long)(f->day + i));
            size_t m = strlen(line);
            assert_int_equal(put(one, line), m);
            memcpy(text + len, line, m + 1);
            len += m;
        }
        assert_int_equal(put(all, text), len);
        char sql[128];
        snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY v, time", name[0]);
        strcpy(together, ask(all, sql));
        snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY v, time", name[1]);
        const char *alone = ask(one, sql);
        if (strcmp(together, alone) != 0)
            print_error("round %d:\n%s", round, text);
        assert_string_equal(together, alone);
        assert_true(strlen(together) > 100);
        tsfs_node_unref(one);
        tsfs_node_unref(all);
    }
}

/* The same through databases, where lines of two tables take turns. */
static void tables_take_turns(void **state)
{
    struct fixture *f = *state;
    static char text[LINES * 256], together[1 << 20];
    struct tsfs_node *dbs[2];
    size_t shown = 0;
    for (int k = 0; k < 2; k++) {
        assert_int_equal(tsfs_node_create(f->root, k ? "one" : "all", &me, 0755, &dbs[k]), 0);
        assert_int_equal(command(dbs[k], TSFS_FILE_CONFIG, "on_bad_line = skip\n"), 0);
    }
    for (int round = 0; round < ROUNDS / 2; round++) {
        const char *form[4];
        unsigned n = 1 + below(4);
        size_t len = 0;
        for (unsigned i = 0; i < n; i++)
            form[i] = PICK(names);
        for (int i = 0; i < LINES; i++) {
            char key[160], *line = text + len;
            size_t k = make_key(key, sizeof(key), form, n);
            len += (size_t)snprintf(line, sizeof(text) - len, "%c%d%.*s v=%di %lld\n", below(3) ? 'x' : 'y',
                                    round, (int)k, key, i, (long long)(f->day + i));
            assert_int_equal(put(dbs[1], line), strlen(line));
        }
        assert_int_equal(put(dbs[0], text), len);
        for (int t = 'x'; t <= 'y'; t++) {
            char sql[128];
            snprintf(sql, sizeof(sql), "SELECT * FROM %c%d ORDER BY v, time", t, round);
            strcpy(together, ask(dbs[0], sql));
            assert_string_equal(together, ask(dbs[1], sql));
            shown += strlen(together);
        }
    }
    assert_true(shown > 100 * ROUNDS / 2); /* one table of a round may have no line */
    tsfs_node_unref(dbs[0]);
    tsfs_node_unref(dbs[1]);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)tsfs_time_now() | 1;
    print_message("seed 0x%llx\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(same_as_alone, setup, teardown),
                                       cmocka_unit_test_setup_teardown(tables_take_turns, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
