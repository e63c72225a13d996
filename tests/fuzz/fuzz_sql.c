/* Any text to a plan, in the small world of the unit tests: no crash, no hang, and what comes out is well
 * formed. */
#include "../unit/sql_support.h"
#include "base/buf.h"
#include "fuzz.h"
#include "sql/check.h"
#include "sql_mutator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct support world;
    if (world.metrics == NULL)
        support_open(&world);
    struct tsfs_str text = {(const char *)data, size};
    struct tsfs_error err = {0};
    struct tsfs_arena arena;
    struct tsfs_plan *plan;
    struct tsfs_buf out = {0};
    enum tsfs_sql_state state = tsfs_sql_check(text, NULL);
    tsfs_arena_init(&arena, NULL);
    int rc = tsfs_plan_query(text, &world.resolver, &support_set, &arena, &plan, &err);
    if (rc == 0) {
        if (state != TSFS_SQL_MAY_END && state != TSFS_SQL_TERMINATED)
            abort();
        if (support_check_plan(plan) != NULL || tsfs_plan_explain(plan, &out) != 0)
            abort();
    } else if (err.code != rc || err.message[0] == '\0' || (err.line == 0 && rc != -E2BIG && rc != -ENOMEM)) {
        abort(); /* an error must say what and where */
    }
    tsfs_buf_free(&out);
    tsfs_arena_free(&arena);
    return 0;
}
