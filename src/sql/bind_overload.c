/* Which entry of the registry a call means.
 *
 * Among the entries of a name that take as many arguments, the one wins whose coercions cost least
 * (tsfs_coercion_cost), the first among equals.  Variables of a signature are what its arguments make of
 * them; a lambda has no type before its parameters have theirs, so lambdas are bound last, in their order,
 * and a lambda's body in turn says what the variable of its result stands for. */
#include <errno.h>
#include <stdio.h>

#include "sql/bind_priv.h"
#include "sql/lexer.h"

/* Calls that this file turns into something else than a call of their name. */
static const char *const special[] = {"coalesce", "if", "nullif", "try", "now", "ago", "current_timezone"};

static bool arity_fits(const struct tsfs_function *fn, uint32_t nargs)
{
    return fn->variadic ? nargs >= fn->nargs : nargs == fn->nargs;
}

static enum tsfs_type wanted(const struct tsfs_function *fn, uint32_t i)
{
    return fn->args[i < fn->nargs ? i : fn->nargs - 1u];
}

/* What the coercions of a call cost, -1 if it does not fit.  args[i] is NULL where asts[i] is a lambda. */
static int call_cost(const struct tsfs_function *fn, struct tsfs_expr *const *args,
                     struct sql_ast_expr *const *asts, uint32_t nargs, struct tsfs_type_vars *vars)
{
    *vars = (struct tsfs_type_vars){0};
    for (uint32_t i = 0; i < nargs; i++) {
        enum tsfs_type want = wanted(fn, i);
        bool lambda = tsfs_type_kind(want) == TSFS_KIND_LAMBDA;
        if (lambda != (args[i] == NULL) || (lambda && tsfs_type_nfields(want) != asts[i]->nparts))
            return -1;
        if (!lambda && !tsfs_type_match(want, args[i]->type, vars))
            return -1;
    }
    int total = 0;
    for (uint32_t i = 0; i < nargs; i++) {
        if (args[i] == NULL)
            continue;
        enum tsfs_type want = wanted(fn, i);
        bool generic = tsfs_type_generic(want);
        int cost = tsfs_coercion_cost(args[i]->type, generic ? tsfs_type_fill(want, vars) : want);
        if (cost < 0)
            return -1;
        if (total < (1 << 24))
            total += cost * 2 + generic;
    }
    return total;
}

static const struct tsfs_function *choose(const struct tsfs_function *fns, uint32_t n,
                                          struct tsfs_expr *const *args, struct sql_ast_expr *const *asts,
                                          uint32_t nargs, struct tsfs_type_vars *vars)
{
    const struct tsfs_function *best = NULL;
    int least = -1;
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_type_vars these;
        int cost = arity_fits(&fns[i], nargs) ? call_cost(&fns[i], args, asts, nargs, &these) : -1;
        if (cost >= 0 && (least < 0 || cost < least)) {
            best = &fns[i];
            least = cost;
            *vars = these;
        }
    }
    return best;
}

static bool comparison(struct tsfs_str name)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (tsfs_str_eq(name, tsfs_str_from(ops[i])))
            return true;
    return false;
}

/* Appends to a text of limited room; what does not fit is left out. */
static void add(char *out, size_t size, const char *text)
{
    size_t at = strlen(out), len = strlen(text);
    if (at + len < size)
        memcpy(out + at, text, len + 1);
    else if (at + 4 < size)
        memcpy(out + at, "...", 4);
}

static void type_list(struct tsfs_expr *const *args, uint32_t nargs, char *out, size_t size)
{
    out[0] = '\0';
    for (uint32_t i = 0; i < nargs && strlen(out) + 40 < size; i++) {
        add(out, size, i > 0 ? ", " : "");
        add(out, size, args[i] == NULL ? "lambda" : tsfs_type_name(args[i]->type));
    }
}

/* "abs(bigint), abs(double)", as far as there is room. */
static void signature_list(const struct tsfs_function *fns, uint32_t n, char *out, size_t size)
{
    out[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        if (strlen(out) + 24u * TSFS_FUNCTION_ARGS_MAX + 80 > size) {
            add(out, size, ", ...");
            return;
        }
        add(out, size, i > 0 ? ", " : "");
        add(out, size, fns[i].name);
        add(out, size, "(");
        for (uint32_t k = 0; k < fns[i].nargs; k++) {
            enum tsfs_type t = fns[i].args[k];
            add(out, size, k > 0 ? ", " : "");
            add(out, size, t == TSFS_ANY && fns[i].sig == NULL ? "any" : tsfs_type_name(t));
        }
        add(out, size, fns[i].variadic ? ", ...)" : ")");
    }
}

/* What is meant where + or - finds no such operands. */
static const char *operand_hint(struct tsfs_str op, struct tsfs_expr *const *args)
{
    bool plus = tsfs_str_eq(op, TSFS_STR("+")), minus = tsfs_str_eq(op, TSFS_STR("-"));
    if (!(plus || minus) || args[0] == NULL || args[1] == NULL)
        return "";
    enum tsfs_type left = args[0]->type, right = args[1]->type;
    if (left == TSFS_VARCHAR && right == TSFS_VARCHAR)
        return plus ? ": use ||" : "";
    if (left != TSFS_TIMESTAMP && left != TSFS_DATE)
        return "";
    if (minus && left == right)
        return ": use date_diff";
    bool number = right == TSFS_INTEGER || right == TSFS_BIGINT || right == TSFS_DOUBLE;
    return number ? ": use an interval such as 5m" : "";
}

static bool fail_types(struct binder *b, const struct sql_ast_expr *at, struct tsfs_str name,
                       const struct tsfs_function *fns, uint32_t n, struct tsfs_expr *const *args,
                       uint32_t nargs)
{
    char have[160], list[400], left[80], right[80];
    unsigned char c = name.len > 0 ? (unsigned char)name.ptr[0] : 0;
    bool symbol = c != '_' && c < 0x80 && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    type_list(args, 1, left, sizeof(left));
    if (nargs == 2)
        type_list(args + 1, 1, right, sizeof(right));
    if (nargs == 2 && comparison(name))
        return bind_fail(b, at->line, at->column, "cannot compare %s with %s", left, right);
    if (at->kind == SQL_AST_SUBSCRIPT)
        return bind_fail(b, at->line, at->column, "cannot take [%s] of %s", right, left);
    if (nargs == 2 && symbol)
        return bind_fail(b, at->line, at->column, "cannot apply \"%.*s\" to %s and %s%s", BIND_NAME(name),
                         left, right, operand_hint(name, args));
    if (tsfs_str_eq(name, TSFS_STR("neg")) && at->kind == SQL_AST_UNARY)
        return bind_fail(b, at->line, at->column, "cannot apply \"-\" to %s", tsfs_type_name(args[0]->type));
    type_list(args, nargs, have, sizeof(have));
    if (at->kind == SQL_AST_LIKE)
        return bind_fail(b, at->line, at->column, "LIKE takes varchar, not (%s)", have);
    if (at->kind == SQL_AST_EXTRACT)
        return bind_fail(b, at->line, at->column, "cannot extract %.*s from %s", BIND_NAME(name), have);
    signature_list(fns, n, list, sizeof(list));
    return bind_fail(b, at->line, at->column, "%s does not take (%s); there is %s", fns->name, have, list);
}

static bool fail_arity(struct binder *b, const struct sql_ast_expr *at, const struct tsfs_function *fns,
                       uint32_t n, uint32_t nargs)
{
    unsigned least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (fns[i].nargs < least)
            least = fns[i].nargs;
        unsigned upto = fns[i].variadic ? UINT32_MAX : fns[i].nargs;
        if (upto > most)
            most = upto;
    }
    char text[64];
    if (most == UINT32_MAX)
        snprintf(text, sizeof(text), "%u or more arguments", least);
    else if (least == most)
        snprintf(text, sizeof(text), "%u argument%s", least, least == 1 ? "" : "s");
    else
        snprintf(text, sizeof(text), "%u to %u arguments", least, most);
    return bind_fail(b, at->line, at->column, "%s takes %s, not %u", fns->name, text, nargs);
}

/* What functions of other databases are here. */
static const char *own_spelling(struct tsfs_str name)
{
    static const struct {
        const char *other, *own;
    } spellings[] = {
        {"at_timezone", "t + an interval: times are in UTC"},
        {"date_bin", "bin(t, 5m)"},
        {"first", "min_by(x, time)"},
        {"ifnull", "coalesce(x, y)"},
        {"isnull", "x IS NULL, or coalesce(x, y)"},
        {"last", "max_by(x, time)"},
        {"len", "length(s)"},
        {"median", "approx_percentile(x, 0.5)"},
        {"nvl", "coalesce(x, y)"},
        {"percentile", "approx_percentile(x, p)"},
        {"time_bucket", "bin(t, 5m)"},
        {"to_timestamp", "from_unixtime(x), or CAST(s AS timestamp)"},
    };
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
        if (sql_same_word(name, tsfs_str_from(spellings[i].other)))
            return spellings[i].own;
    return NULL;
}

/* What tsfs has no type for, which functions are about that have such a piece at the start of a word of their
 * name. */
static const char *absent_kind(struct tsfs_str name)
{
    static const struct {
        const char *piece, *kind;
    } pieces[] = {{"map", "maps"},
                  {"multimap", "maps"},
                  {"histogram", "maps"},
                  {"json", "JSON"},
                  {"st_", "geometry"},
                  {"geometry", "geometry"},
                  {"hll", "sketches as values"},
                  {"qdigest", "sketches as values"},
                  {"tdigest", "sketches as values"}};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct tsfs_str piece = tsfs_str_from(pieces[i].piece);
        for (size_t at = 0; at + piece.len <= name.len; at++)
            if ((at == 0 || name.ptr[at - 1] == '_') &&
                sql_same_word((struct tsfs_str){name.ptr + at, piece.len}, piece))
                return pieces[i].kind;
    }
    return NULL;
}

bool bind_fail_no_function(struct binder *b, const struct sql_ast_expr *at, struct tsfs_str name)
{
    struct sql_nearest near = {.wanted = name};
    char hint[SQL_HINT_MAX];
    const char *own = own_spelling(name);
    if (own != NULL)
        return bind_fail(b, at->line, at->column, "no function \"%.*s\": use %s", BIND_NAME(name), own);
    const char *kind = absent_kind(name);
    if (kind != NULL)
        return bind_fail(b, at->line, at->column, "no function \"%.*s\": tsfs has no %s", BIND_NAME(name),
                         kind);
    for (uint32_t i = 0; i < b->functions->n; i++)
        if (b->functions->items[i].name[0] >= 'a')
            sql_nearest_try(&near, tsfs_str_from(b->functions->items[i].name));
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
        sql_nearest_try(&near, tsfs_str_from(special[i]));
    return bind_fail(b, at->line, at->column, "no function \"%.*s\"%s", BIND_NAME(name),
                     sql_nearest_hint(&near, hint));
}

/* Lambdas get their types from the other arguments, and the variables of their results from their bodies. */
static bool bind_lambdas(struct binder *b, struct bind_select *s, const struct tsfs_function *fn,
                         struct tsfs_expr **args, struct sql_ast_expr *const *asts, uint32_t nargs,
                         struct tsfs_type_vars *vars)
{
    for (uint32_t i = 0; i < nargs; i++) {
        if (args[i] != NULL)
            continue;
        enum tsfs_type result = tsfs_type_element(wanted(fn, i));
        for (int attempt = 0;; attempt++) {
            args[i] = bind_lambda(b, s, asts[i], wanted(fn, i), vars);
            if (args[i] == NULL)
                return false;
            struct tsfs_expr *body = args[i]->args[0];
            enum tsfs_type want = tsfs_type_fill(result, vars);
            if (tsfs_type_is_var(result) && want == TSFS_UNKNOWN) {
                vars->of[result - TSFS_TYPE_VAR] = body->type;
                break;
            }
            if (tsfs_coercion_cost(body->type, want) >= 0) {
                if ((args[i]->args[0] = bind_coerce(b, s, body, want)) == NULL)
                    return false;
                break;
            }
            /* reduce(a, 0, (s, x) -> s + 1.5, ...): the state must be wider than its first value. */
            enum tsfs_type wider = want;
            if (attempt > 0 || !tsfs_type_is_var(result) || !bind_unify(want, body->type, &wider))
                return bind_fail(b, asts[i]->args[0]->line, asts[i]->args[0]->column,
                                 "the lambda of %s must give %s, not %s", fn->name, tsfs_type_name(want),
                                 tsfs_type_name(body->type));
            vars->of[result - TSFS_TYPE_VAR] = wider;
        }
    }
    return true;
}

const struct tsfs_function *bind_resolve(struct binder *b, struct bind_select *s, struct tsfs_str name,
                                         const struct sql_ast_expr *at, struct tsfs_expr **args,
                                         struct sql_ast_expr *const *asts, uint32_t nargs,
                                         enum tsfs_type *result)
{
    uint32_t n;
    struct tsfs_type_vars vars;
    const struct tsfs_function *fns = bind_function(b, name, &n);
    if (fns == NULL) {
        bind_fail_no_function(b, at, name);
        return NULL;
    }
    const struct tsfs_function *fn = choose(fns, n, args, asts, nargs, &vars);
    if (fn == NULL) {
        bool fits = false;
        for (uint32_t i = 0; i < n; i++)
            fits |= arity_fits(&fns[i], nargs);
        if (fits)
            fail_types(b, at, name, fns, n, args, nargs);
        else
            fail_arity(b, at, fns, n, nargs);
        return NULL;
    }
    if (!bind_lambdas(b, s, fn, args, asts, nargs, &vars))
        return NULL;
    for (uint32_t i = 0; i < nargs; i++)
        if (args[i]->kind != TSFS_EXPR_LAMBDA &&
            (args[i] = bind_coerce(b, s, args[i], tsfs_type_fill(wanted(fn, i), &vars))) == NULL)
            return NULL;
    *result = tsfs_type_fill(fn->result, &vars);
    if (*result == TSFS_UNKNOWN && tsfs_type_is_nested(fn->result)) {
        bind_fail(b, at->line, at->column, "the result of %s would be too large a type", fn->name);
        return NULL;
    }
    return fn;
}
