/* Window functions that are no aggregates.  What they compute is in exec/op_window.c; this is what the binder
 * knows of them. */
#include "exec/functions/functions_priv.h"

#define WINDOW_IMPL(k)                                                                                       \
    &(const struct tsfs_window_impl)                                                                         \
    {                                                                                                        \
        k                                                                                                    \
    }
#define WINDOW0(nm, k, res, hlp)                                                                             \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_WINDOW, .result = (res), .nulls = true, .help = (hlp),           \
        .impl = WINDOW_IMPL(k)                                                                               \
    }
#define WINDOW(nm, k, res, hlp, ...)                                                                         \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_WINDOW, .nargs = FUNCTION_NARGS(__VA_ARGS__),                    \
        .args = {__VA_ARGS__}, .result = (res), .nulls = true, .help = (hlp), .impl = WINDOW_IMPL(k)         \
    }

static const struct tsfs_function items[] = {
    WINDOW0("row_number", TSFS_WINDOW_ROW_NUMBER, BIG,
            "row_number(): the number of the row in its partition"),
    WINDOW0("rank", TSFS_WINDOW_RANK, BIG, "rank(): rows before it in order, plus 1"),
    WINDOW0("dense_rank", TSFS_WINDOW_DENSE_RANK, BIG, "dense_rank(): different keys before it, plus 1"),
    WINDOW0("percent_rank", TSFS_WINDOW_PERCENT_RANK, DBL, "percent_rank(): (rank - 1) / (rows - 1), or 0"),
    WINDOW0("cume_dist", TSFS_WINDOW_CUME_DIST, DBL, "cume_dist(): share of rows that are not after it"),
    WINDOW("ntile", TSFS_WINDOW_NTILE, BIG, "ntile(n): the number of its part when rows are cut into n parts",
           BIG),
    WINDOW("first_value", TSFS_WINDOW_FIRST_VALUE, ANY, "first_value(x): x of the frame's first row", ANY),
    WINDOW("last_value", TSFS_WINDOW_LAST_VALUE, ANY, "last_value(x): x of the frame's last row", ANY),
    WINDOW("nth_value", TSFS_WINDOW_NTH_VALUE, ANY, "nth_value(x, n): x of the frame's row n, counted from 1",
           ANY, BIG),
    WINDOW("lag", TSFS_WINDOW_LAG, ANY, "lag(x): x of the row before", ANY),
    WINDOW("lag", TSFS_WINDOW_LAG, ANY, "lag(x, n): x of the row n before", ANY, BIG),
    WINDOW("lag", TSFS_WINDOW_LAG, ANY, "lag(x, n, d): x of the row n before, d if there is none", ANY, BIG,
           ANY),
    WINDOW("lead", TSFS_WINDOW_LEAD, ANY, "lead(x): x of the row after", ANY),
    WINDOW("lead", TSFS_WINDOW_LEAD, ANY, "lead(x, n): x of the row n after", ANY, BIG),
    WINDOW("lead", TSFS_WINDOW_LEAD, ANY, "lead(x, n, d): x of the row n after, d if there is none", ANY, BIG,
           ANY),
};

const struct function_table functions_window = FUNCTION_TABLE(items);
