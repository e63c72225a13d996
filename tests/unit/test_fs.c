/* The command line and the node table of the file system.
 *
 * Would catch: an option that is taken and lost or refused without its name, sizes that overflow, DATA and
 * MOUNT in mount(8)'s order; two files of one object with one inode number, a name of the tree that could be
 * a table's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fs/fs_priv.h"
#include "fs/options.h"

#define ARGS_MAX 12

/* Parses the words after "tsfs"; the caller frees *out. */
static int parse(struct fs_options *out, struct tsfs_error *err, const char *const *words)
{
    char *argv[ARGS_MAX] = {(char *)"tsfs"};
    int argc = 1;
    while (*words)
        argv[argc++] = (char *)*words++;
    *out = (struct fs_options){0};
    *err = (struct tsfs_error){0};
    return fs_options_parse(argc, argv, out, err);
}
#define PARSE(...) parse(&o, &err, (const char *const[]){__VA_ARGS__, NULL})

static void options_in_any_order(void **state)
{
    struct fs_options o;
    struct tsfs_error err;
    assert_int_equal(
        PARSE("D", "M", "-o", "rw,allow_other,memory=2G,nofail,x-systemd.automount", "-o", "noatime"), 0);
    assert_string_equal(o.data, "D");
    assert_string_equal(o.mount, "M");
    assert_true(o.memory == UINT64_C(2) << 30);
    assert_string_equal(o.kernel.data, "allow_other,noatime");
    assert_false(o.foreground || o.read_only || o.sync);
    fs_options_free(&o);

    assert_int_equal(PARSE("-f", "--memory=256MiB", "--threads=3", "-o", "ro,sync", "D", "M"), 0);
    assert_true(o.foreground && o.read_only && o.sync);
    assert_true(o.memory == UINT64_C(256) << 20);
    assert_int_equal(o.threads, 3);
    assert_null(o.kernel.data);
    fs_options_free(&o);
}

static void options_refused_by_name(void **state)
{
    static const struct {
        const char *words[4];
        const char *says;
    } cases[] = {
        {{"-o", "allow_otter", "D", "M"}, "\"allow_otter\""},
        {{"--memroy=1G", "D", "M"}, "--memroy=1G"},
        {{"-x", "D", "M"}, "-x"},
        {{"--memory=1X", "D", "M"}, "memory=1X"},
        {{"--memory=0", "D", "M"}, "memory=0"},
        {{"--memory=-1", "D", "M"}, "memory=-1"},
        {{"--memory=99999999999T", "D", "M"}, "memory="},
        {{"--memory=18446744073709551616", "D", "M"}, "memory="},
        {{"--threads=0", "D", "M"}, "threads=0"},
        {{"--threads=many", "D", "M"}, "threads=many"},
        {{"D"}, "DATA and MOUNT"},
        {{"D", "M", "N"}, "DATA and MOUNT"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fs_options o;
        struct tsfs_error err;
        const char *words[5] = {0};
        memcpy(words, cases[i].words, sizeof(cases[i].words));
        assert_int_equal(parse(&o, &err, words), -EINVAL);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" does not name %s", err.message, cases[i].says);
        fs_options_free(&o);
    }
}

/* Every file of one object has its own slot, for st_ino; nothing can be written that would be executable. */
static void rows_are_distinct(void **state)
{
    static const enum fs_kind folders[][4] = {
        {FS_ROOT, FS_DAEMON},
        {FS_DATABASE, FS_DATABASE},
        {FS_TABLE, FS_COLD},
    };
    for (size_t f = 0; f < 3; f++) {
        uint64_t seen = 1; /* slot 0: the object's folder */
        for (size_t k = 0; k < 2 && (k == 0 || folders[f][k] != folders[f][0]); k++) {
            const struct fs_layout *layout = fs_layout_of(folders[f][k]);
            assert_non_null(layout);
            for (unsigned i = 0; i < layout->nrows; i++) {
                const struct fs_row *row = &layout->rows[i];
                assert_true(row->slot < FS_SLOTS);
                assert_false(seen & (UINT64_C(1) << row->slot));
                seen |= UINT64_C(1) << row->slot;
                assert_ptr_equal(fs_row_find(layout, row->name), row);
                if (!fs_layout_of(row->kind))
                    assert_int_equal(row->most & 0111, 0);
                assert_true(folders[f][k] == FS_DAEMON || fs_name_reserved(row->name));
            }
        }
        if (f == 2) /* a file on its way into cold/ stands beside them */
            assert_false(seen & (UINT64_C(1) << fs_row_spool.slot));
    }
    assert_false(fs_name_reserved("machine_metrics"));
    assert_false(fs_name_reserved("version"));
    assert_null(fs_layout_of(FS_WRITE));
    assert_null(fs_layout_of(FS_SPOOL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_in_any_order),
        cmocka_unit_test(options_refused_by_name),
        cmocka_unit_test(rows_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
