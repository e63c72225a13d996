#!/bin/sh
# Parquet against independent programs: parquet.sh PARQUET_WRITE PARQUET_DUMP
#
# Installs the packages of package.json below $TSFS_INTEROP_MODULES (default: a cache folder of the user) on first use.
# Exit 77 = skipped: no node, no npm or no registry.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${TSFS_INTEROP_MODULES:-${XDG_CACHE_HOME:-$HOME/.cache}/tsfs-interop}
skip() {
    echo "SKIPPED: $1"
    exit 77
}
command -v node >/dev/null || skip "node is not installed"
command -v npm >/dev/null || skip "npm is not installed"
mkdir -p "$cache"
if ! cmp -s "$here/package.json" "$cache/installed.json"; then
    cp "$here/package.json" "$cache/package.json"
    (cd "$cache" && npm install --no-audit --no-fund --no-package-lock --loglevel=error) >"$cache/install.log" 2>&1 ||
        skip "npm install failed: $(tail -n 1 "$cache/install.log")"
    cp "$here/package.json" "$cache/installed.json"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
# Modules are looked up beside the script: run a copy beside them.
cp "$here/parquet.mjs" "$cache/parquet.mjs"
node "$cache/parquet.mjs" "$1" "$2" "$work"
