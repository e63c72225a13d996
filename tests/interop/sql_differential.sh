#!/bin/bash
# Random statements, here and in DuckDB: sql_differential.sh SQL_SHELL [QUERIES [SEED]].  Skipped without npm's packages.
set -eu
. "$(dirname "$0")/packages.sh"
shell=$(readlink -f "$1")
need_modules
work=$(mktemp -d "$modules/sql.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$here"/sql_*.mjs "$work/"
node "$work/sql_differential.mjs" "$shell" "${2:-${SQL_QUERIES:-2000}}" "${3:-${SQL_SEED:-1}}"
