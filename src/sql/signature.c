/* Signatures with variables: matching them against arguments, and filling them in.  A pattern is a type that
 * holds variables; array(T) is an entry of the table of types like array(bigint). */
#include "sql/bind_priv.h"
#include "sql/function.h"

bool tsfs_type_match(enum tsfs_type pattern, enum tsfs_type actual, struct tsfs_type_vars *vars)
{
    if (tsfs_type_is_var(pattern)) {
        enum tsfs_type *of = &vars->of[pattern - TSFS_TYPE_VAR];
        return bind_unify(*of, actual, of);
    }
    if (!tsfs_type_generic(pattern) || actual == TSFS_UNKNOWN)
        return true; /* what it costs is seen later */
    enum tsfs_type_kind kind = tsfs_type_kind(pattern);
    if (kind != tsfs_type_kind(actual) || tsfs_type_nfields(pattern) != tsfs_type_nfields(actual))
        return false;
    for (unsigned i = 0; i < tsfs_type_nfields(pattern); i++)
        if (!tsfs_type_match(tsfs_type_field(pattern, i), tsfs_type_field(actual, i), vars))
            return false;
    return kind == TSFS_KIND_ROW ||
           tsfs_type_match(tsfs_type_element(pattern), tsfs_type_element(actual), vars);
}

enum tsfs_type tsfs_type_fill(enum tsfs_type pattern, const struct tsfs_type_vars *vars)
{
    if (tsfs_type_is_var(pattern))
        return vars->of[pattern - TSFS_TYPE_VAR];
    if (!tsfs_type_generic(pattern))
        return pattern;
    switch (tsfs_type_kind(pattern)) {
    case TSFS_KIND_ARRAY: return tsfs_type_array(tsfs_type_fill(tsfs_type_element(pattern), vars));
    case TSFS_KIND_TIMESERIES: return tsfs_type_timeseries(tsfs_type_fill(tsfs_type_element(pattern), vars));
    case TSFS_KIND_ROW: {
        enum tsfs_type fields[TSFS_FUNCTION_ARGS_MAX];
        unsigned n = tsfs_type_nfields(pattern);
        for (unsigned i = 0; i < n && i < TSFS_FUNCTION_ARGS_MAX; i++)
            fields[i] = tsfs_type_fill(tsfs_type_field(pattern, i), vars);
        return n <= TSFS_FUNCTION_ARGS_MAX ? tsfs_type_row(fields, NULL, n) : TSFS_UNKNOWN;
    }
    default: return pattern;
    }
}

enum tsfs_type tsfs_function_result(const struct tsfs_function *fn, struct tsfs_expr *const *args,
                                    uint32_t nargs)
{
    struct tsfs_type_vars vars = {0};
    if (!tsfs_type_generic(fn->result))
        return fn->result;
    for (uint32_t i = 0; i < nargs && fn->nargs > 0; i++)
        if (!tsfs_type_match(fn->args[i < fn->nargs ? i : fn->nargs - 1u], args[i]->type, &vars))
            return TSFS_UNKNOWN;
    return tsfs_type_fill(fn->result, &vars);
}
