/* Prints the registry of functions as Markdown tables: the part of docs/sql.md that scripts/gen-sql-docs
 * keeps up to date. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exec/function.h"

enum section { OPERATORS, FUNCTIONS, AGGREGATES, WINDOWS };

static enum section section_of(const struct tsfs_function *fn)
{
    if (fn->kind == TSFS_FUNCTION_AGGREGATE)
        return AGGREGATES;
    if (fn->kind == TSFS_FUNCTION_WINDOW)
        return WINDOWS;
    static const char *const words[] = {"neg", "like", "is_distinct_from"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(fn->name, words[i]) == 0)
            return OPERATORS;
    return isalpha((unsigned char)fn->name[0]) ? FUNCTIONS : OPERATORS;
}

/* Markdown's own characters in a cell. */
static void put(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr("|*_<", text[i]) != NULL)
            putchar('\\');
        putchar(text[i]);
    }
}

/* T means something only where it stands more than once. */
static bool names_types(const struct tsfs_function *fn)
{
    bool nested = tsfs_type_is_nested(fn->result) && tsfs_type_generic(fn->result);
    for (unsigned a = 0; a < fn->nargs; a++)
        nested |= tsfs_type_is_nested(fn->args[a]) && tsfs_type_generic(fn->args[a]);
    return nested;
}

static const char *type_name(const struct tsfs_function *fn, enum tsfs_type type)
{
    return type == TSFS_ANY && !names_types(fn) ? "any" : tsfs_type_name(type);
}

static void put_signature(const struct tsfs_function *fn)
{
    /* their types are in no signature */
    if (strcmp(fn->name, ".") == 0 || (fn->sig != NULL && strcmp(fn->name, "row") == 0)) {
        printf(fn->name[0] == '.' ? "(row) → the field's" : "(any, ...) → row");
        return;
    }
    putchar('(');
    for (unsigned a = 0; a < fn->nargs; a++)
        printf("%s%s", a > 0 ? ", " : "", type_name(fn, fn->args[a]));
    printf("%s) → %s", fn->variadic ? ", ..." : "", type_name(fn, fn->result));
}

/* One line: entries first..last share their help. */
static void put_line(const struct tsfs_function *const *entries, unsigned n)
{
    const char *help = entries[0]->help, *colon = strstr(help, ": ");
    size_t head = colon != NULL ? (size_t)(colon - help) : strlen(help);
    printf("| ");
    put(help, head);
    printf(" | ");
    if (colon != NULL)
        put(colon + 2, strlen(colon + 2));
    printf(" | ");
    for (unsigned i = 0; i < n; i++) {
        printf("%s", i > 0 ? "; " : "");
        put_signature(entries[i]);
    }
    printf(" |\n");
}

static void put_section(enum section section, const char *title)
{
    const struct tsfs_function_set *set = tsfs_functions();
    printf("### %s\n\n| Form | Result | Types |\n|---|---|---|\n", title);
    for (uint32_t i = 0; i < set->n;) {
        uint32_t end = i + 1;
        while (end < set->n && strcmp(set->items[end].name, set->items[i].name) == 0)
            end++;
        /* Overloads with one help text make one line, at the place of the first. */
        for (uint32_t a = i; a < end; a++) {
            const struct tsfs_function *same[64];
            unsigned n = 0;
            for (uint32_t b = i; b < end && n < 64; b++)
                if (set->items[b].kind == set->items[a].kind &&
                    strcmp(set->items[b].help, set->items[a].help) == 0)
                    same[n++] = &set->items[b];
            if (same[0] == &set->items[a] && section_of(&set->items[a]) == section)
                put_line(same, n);
        }
        i = end;
    }
    putchar('\n');
}

int main(void)
{
    put_section(OPERATORS, "Operators");
    put_section(FUNCTIONS, "Functions");
    put_section(AGGREGATES, "Aggregates");
    put_section(WINDOWS, "Window functions");
    return ferror(stdout) || fflush(stdout) != 0;
}
