#!/bin/bash
# Parquet against independent programs: parquet.sh PARQUET_WRITE PARQUET_DUMP.  Skipped without npm's packages (lib.sh).
set -eu
. "$(dirname "$0")/packages.sh"
write=$(readlink -f "$1") dump=$(readlink -f "$2")
need_modules
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
# Modules are looked up beside the script: run a copy beside them.
cp "$here/parquet.mjs" "$modules/parquet.mjs"
node "$modules/parquet.mjs" "$write" "$dump" "$work"
