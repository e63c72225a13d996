#!/bin/bash
# Random statements, here and in DuckDB: sql_differential.sh SQL_SHELL [QUERIES [SEED]].  Skipped without npm's packages.
set -eu
. "$(dirname "$0")/packages.sh"
shell=$(readlink -f "$1")
need_modules
cp "$here/sql_differential.mjs" "$modules/sql_differential.mjs"
node "$modules/sql_differential.mjs" "$shell" "${2:-${SQL_QUERIES:-2000}}" "${3:-${SQL_SEED:-1}}"
