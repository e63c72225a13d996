/* What the parts of the binder share. */
#ifndef TSFS_SQL_BIND_PRIV_H
#define TSFS_SQL_BIND_PRIV_H

#include "sql/ast.h"
#include "sql/bind.h"
#include "sql/expr_tree.h"
#include "sql/names.h"

struct bind_cte {
    struct tsfs_str name;
    struct tsfs_bound *rel;
    uint32_t height;             /* of its query */
    uint32_t reach;              /* the outermost frame that it takes something of, UINT32_MAX = none */
    const struct bind_cte *next; /* older and outer ones */
};

/* From names, ASCII case aside, to numbers: built once, looked up often. */
struct bind_index {
    uint32_t *slots; /* number + 1, 0 = free */
    uint32_t mask;
};

struct bind_select;

/* A query inside an expression, while it is bound: what it takes from the select around it. */
struct bind_frame {
    struct bind_select *outer;
    struct bind_frame *up;
    struct tsfs_expr **args; /* over outer's scope */
    uint32_t *params;
    uint32_t n, cap;
    uint32_t number; /* 1 = the outermost */
    bool free;       /* it takes something from further out */
};

struct binder {
    struct tsfs_arena *arena;
    struct tsfs_error *err;
    const struct tsfs_resolver *resolver;
    const struct tsfs_function_set *functions;
    struct bind_index function_index; /* the first entry of every name */
    const struct bind_cte *ctes;
    struct bind_frame *frame; /* the innermost, NULL = none */
    uint32_t nparams;         /* numbers given out */
    uint32_t outer_refs;      /* names found in queries further out, so far */
    uint32_t reach;           /* of the query of WITH that is bound now */
    struct tsfs_str name;     /* of the column that the last name meant */
    uint32_t level;           /* expressions, joins and queries around what is bound now */
    uint32_t deepest;         /* level that has been, within what bind_height_begin and _end go around */
    int rc;                   /* the failure that ended it all */
};

struct bind_scope_column {
    struct tsfs_str database, table; /* ptr NULL where there is none */
    struct tsfs_str name;
    enum tsfs_type type;
    uint32_t index;         /* of rel's columns, */
    struct tsfs_expr *expr; /* unless this is not NULL: over them */
    bool hidden;            /* USING merged it into another: only its qualified name means it */
};

/* The columns that names can mean. */
struct bind_scope {
    struct bind_scope_column *cols;
    uint32_t ncols;
    const struct tsfs_bound *rel; /* NULL = no FROM */
    struct tsfs_str what;         /* FROM's items, for messages; ptr NULL = no FROM */
    struct bind_index index;
};

enum bind_aliases { BIND_ALIASES_NONE, BIND_ALIASES_FIRST, BIND_ALIASES_LAST };

struct bind_item {
    struct tsfs_str alias; /* ptr NULL = none */
    struct tsfs_expr *expr;
    uint32_t height;
};

/* An aggregate's place in an expression before it is known where its result will be: a column reference with
 * this bit. */
#define BIND_AGGREGATE_BIT 0x80000000u
#define BIND_WINDOW_BIT    0x40000000u /* likewise a window function's, */
#define BIND_GROUPING_BIT  0x20000000u /* and GROUPING(..)'s */
#define BIND_STANDIN_BITS  (BIND_AGGREGATE_BIT | BIND_WINDOW_BIT | BIND_GROUPING_BIT)

/* GROUPING(a, ..): its arguments, over FROM. */
struct bind_grouping {
    struct tsfs_expr **args;
    uint32_t nargs;
    uint32_t line, column;
};

/* A lambda's parameter in sight. */
struct bind_param {
    struct tsfs_str name;
    uint32_t slot;
    enum tsfs_type type; /* of a point its value's: slot is its time, slot + 1 its value */
    bool point;
    const struct bind_param *next; /* older and outer ones */
};

/* One SELECT while its expressions are bound. */
struct bind_select {
    struct bind_scope *scope;
    const char *clause;        /* the clause in hand, for messages */
    bool aggregates;           /* may stand in it */
    struct tsfs_str aggregate; /* the one whose arguments are in hand; ptr NULL = none */
    enum bind_aliases aliases;
    struct bind_item *items;
    uint32_t nitems;
    struct tsfs_bound_aggregate *aggs;
    uint32_t naggs, aggs_cap;
    struct bind_index agg_index; /* rebuilt as aggs grows */
    unsigned lazy;               /* inside a branch that may not be evaluated */
    const struct bind_param *params;
    uint32_t nslots;        /* taken by them */
    bool windows;           /* may stand in the clause */
    struct tsfs_str window; /* the window function whose arguments are in hand; ptr NULL = none */
    struct tsfs_bound_window *wins;
    uint32_t nwins, wins_cap;
    const struct sql_ast_named_window *named; /* of the WINDOW clause */
    uint32_t nnamed;
    struct bind_grouping *groupings;
    uint32_t ngroupings, groupings_cap;
};

/* Everything here returns NULL or false on failure, with b->rc set and an error recorded. */
bool bind_fail(struct binder *b, uint32_t line, uint32_t column, const char *fmt, ...) TSFS_PRINTF(4, 5);
bool bind_fail_memory(struct binder *b);
/* Records a failure of the world outside at a position, keeping its words. */
bool bind_fail_outside(struct binder *b, int rc, const struct tsfs_error *err, uint32_t line,
                       uint32_t column);
/* Later stages recurse over the whole statement, queries inside expressions inside queries, so that is what
 * has a limit.  Levels are entered where the text nests; a name that stands for something of a height, a
 * query of WITH or an item of SELECT, says so by bind_reach. */
bool bind_enter(struct binder *b, uint32_t levels, uint32_t line, uint32_t column);
void bind_leave(struct binder *b, uint32_t levels);
bool bind_reach(struct binder *b, uint32_t height, uint32_t line, uint32_t column);
/* The height of what is bound between the two; begin's result is for end. */
uint32_t bind_height_begin(struct binder *b);
uint32_t bind_height_end(struct binder *b, uint32_t begun);
/* Up to 64 bytes of a name, for "%.*s". */
#define BIND_NAME(s) ((s).len > 64 ? 64 : (int)(s).len), (s).ptr

/* scope.c */
bool bind_index_init(struct binder *b, struct bind_index *index, uint32_t n);
void bind_index_add(struct bind_index *index, uint64_t hash, uint32_t number);
/* Numbers that may be under hash, one a call; *at starts at 0.  UINT32_MAX = no more. */
uint32_t bind_index_next(const struct bind_index *index, uint64_t hash, uint32_t *at);
uint64_t bind_name_hash(struct tsfs_str name);                     /* ASCII case aside */
bool bind_scope_index(struct binder *b, struct bind_scope *scope); /* of its cols; before it is searched */
/* The column's number, or UINT32_MAX: not there (nothing recorded) or ambiguous (b->rc set). */
uint32_t bind_scope_find(struct binder *b, const struct bind_scope *scope, const struct sql_ast_expr *name,
                         bool any_case);
/* Whether the parts before a name's last are a table of the scope. */
bool bind_scope_has_table(const struct bind_scope *scope, const struct sql_ast_expr *name);
bool bind_fail_no_column(struct binder *b, const struct bind_select *s, const struct sql_ast_expr *name);

/* bind_expr.c */
struct tsfs_expr *bind_expr(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
/* Everything below ast, none of it a lambda. */
struct tsfs_expr **bind_operands(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
struct tsfs_expr *bind_new(struct binder *b, enum tsfs_expr_kind kind, enum tsfs_type type,
                           const struct sql_ast_expr *at, uint32_t nargs);

/* Before e is put into several places: the copies count as one operand, which has a limit. */
bool bind_repeat(struct binder *b, const struct sql_ast_expr *at, const struct tsfs_expr *e, uint32_t copies);

/* bind_predicate.c */
struct tsfs_expr *bind_predicate(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
/* An expression that must be boolean; what: of which. */
struct tsfs_expr *bind_condition(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                 const char *what);
/* left AND right, left OR right. */
struct tsfs_expr *bind_logic2(struct binder *b, enum tsfs_expr_kind kind, const struct sql_ast_expr *at,
                              struct tsfs_expr *left, struct tsfs_expr *right);
struct tsfs_expr *bind_compare(struct binder *b, struct bind_select *s, const char *op,
                               const struct sql_ast_expr *ast, struct tsfs_expr *left,
                               struct tsfs_expr *right);
struct tsfs_expr *bind_negate(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                              struct tsfs_expr *arg);
/* The same if ast is negated. */
struct tsfs_expr *bind_negate_if(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                                 struct tsfs_expr *e);
struct tsfs_expr *bind_boolean(struct binder *b, bool value, const struct sql_ast_expr *at);
bool bind_is_null(const struct tsfs_expr *e);
/* A boolean literal that is not NULL. */
bool bind_is_known(const struct tsfs_expr *e, bool value);

/* bind_call.c */
struct tsfs_expr *bind_call(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
/* A scalar function or operator over bound arguments (args is changed by coercion). */
struct tsfs_expr *bind_apply(struct binder *b, struct bind_select *s, struct tsfs_str name,
                             const struct sql_ast_expr *at, struct tsfs_expr **args, uint32_t nargs);
/* Coerces agg's args (asts are their lambdas', NULL = none); its function and the type of its result. */
bool bind_aggregate_call(struct binder *b, struct bind_select *s, struct tsfs_str name,
                         const struct sql_ast_expr *at, struct sql_ast_expr *const *asts,
                         struct tsfs_bound_aggregate *agg, enum tsfs_type *type);
/* Lambdas are left out: their entries are NULL. */
bool bind_args(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
               struct tsfs_expr ***out);
/* ORDER BY's keys where no number and no alias is meant. */
bool bind_plain_keys(struct binder *b, struct bind_select *s, const struct sql_ast_key *ast, uint32_t n,
                     struct tsfs_bound_key **out);
bool bind_functions_init(struct binder *b);
/* The first entry of a name and how many there are. */
const struct tsfs_function *bind_function(const struct binder *b, struct tsfs_str name, uint32_t *n);

/* bind_overload.c */
/* The entry that the call means, its lambdas bound and its arguments coerced. */
const struct tsfs_function *bind_resolve(struct binder *b, struct bind_select *s, struct tsfs_str name,
                                         const struct sql_ast_expr *at, struct tsfs_expr **args,
                                         struct sql_ast_expr *const *asts, uint32_t nargs,
                                         enum tsfs_type *result);

bool bind_fail_no_function(struct binder *b, const struct sql_ast_expr *at, struct tsfs_str name);

/* bind_nested.c */
struct tsfs_expr *bind_array(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
struct tsfs_expr *bind_row(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
/* Field `field`, counted from 0, of the row e. */
struct tsfs_expr *bind_field_at(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                                struct tsfs_expr *e, uint32_t field);
/* zip of more arrays than the registry has a signature for. */
struct tsfs_expr *bind_zip(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
/* ROW(args), its fields called names unless that is NULL. */
struct tsfs_expr *bind_make_row(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                                struct tsfs_expr **args, const struct tsfs_str *names, uint32_t n);
/* e[number] of a row. */
struct tsfs_expr *bind_numbered_field(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                                      struct tsfs_expr *e, const struct tsfs_expr *number);
struct tsfs_expr *bind_field(struct binder *b, struct bind_select *s, const struct sql_ast_expr *at,
                             struct tsfs_expr *e, struct tsfs_str name);
/* e.a.b for parts [from, nparts) of a name; e may be NULL. */
struct tsfs_expr *bind_fields(struct binder *b, struct bind_select *s, const struct sql_ast_expr *name,
                              uint32_t from, struct tsfs_expr *e);
/* The parameter that a name begins with, with what follows it; *found tells whether there is one. */
struct tsfs_expr *bind_param(struct binder *b, struct bind_select *s, const struct sql_ast_expr *name,
                             bool *found);
/* A lambda for a parameter of that pattern (a lambda's); its body is not coerced. */
struct tsfs_expr *bind_lambda(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                              enum tsfs_type pattern, const struct tsfs_type_vars *vars);

/* coerce.c */
/* The type that both can be; false if there is none. */
bool bind_unify(enum tsfs_type a, enum tsfs_type b, enum tsfs_type *out);
bool bind_castable(enum tsfs_type from, enum tsfs_type to);
struct tsfs_expr *bind_coerce(struct binder *b, struct bind_select *s, struct tsfs_expr *e,
                              enum tsfs_type to);
/* e, or the literal that it comes to when nothing in it varies. */
struct tsfs_expr *bind_fold(struct binder *b, struct bind_select *s, struct tsfs_expr *e);

struct tsfs_expr *bind_literal(struct binder *b, struct tsfs_value v, const struct sql_ast_expr *at);

/* bind_subquery.c */
struct tsfs_expr *bind_subquery(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast);
/* A name that means nothing here, in the queries further out, of a row alone if `row`: NULL and b->rc 0 if it
 * means nothing there either. */
struct tsfs_expr *bind_outer(struct binder *b, const struct sql_ast_expr *name, bool row);
/* For messages: the select whose FROM has the table that the name is qualified with, s if there is none. */
const struct bind_select *bind_outer_table(struct binder *b, const struct bind_select *s,
                                           const struct sql_ast_expr *name);

/* bind_window.c */
struct tsfs_expr *bind_window(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                              const struct tsfs_function *fns);
bool bind_window_names(struct binder *b, const struct sql_ast_select *ast);

/* bind_set.c */
struct tsfs_bound *bind_set(struct binder *b, const struct sql_ast_set *set);
struct tsfs_bound *bind_values(struct binder *b, const struct sql_ast_values *values);
/* rel with its columns coerced to types. */
const struct tsfs_bound *bind_cast_columns(struct binder *b, const struct tsfs_bound *rel,
                                           const enum tsfs_type *types, uint32_t line, uint32_t column);
struct tsfs_str bind_column_name(struct binder *b, uint32_t i); /* _col0, ...; ptr NULL on failure */

/* bind_from.c */
struct tsfs_bound *bind_new_bound(struct binder *b, enum tsfs_bound_kind kind, uint32_t ncols);
/* FROM's items and the names they give; from NULL: none. */
bool bind_from(struct binder *b, const struct sql_ast_from *from, struct bind_scope *scope);
bool bind_ctes(struct binder *b, const struct sql_ast_query *q);

/* bind_select.c */
struct tsfs_bound *bind_query(struct binder *b, const struct sql_ast_query *q);
bool bind_depth(struct binder *b, uint32_t depth, uint32_t line, uint32_t column);
bool bind_table(struct binder *b, struct tsfs_str database, struct tsfs_str name, uint32_t line,
                uint32_t column, struct tsfs_table_ref *out);

/* bind_unnest.c */
/* from is an UNNEST; left is the scope of its left side, empty if it has none. */
const struct tsfs_bound *bind_unnest(struct binder *b, const struct sql_ast_from *from,
                                     struct bind_scope *left);

/* bind_show.c */
struct tsfs_bound *bind_show(struct binder *b, const struct sql_ast_statement *st);

#endif
