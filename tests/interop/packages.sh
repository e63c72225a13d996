# The independent readers and writers, from npm.
# shellcheck shell=bash
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() {
    echo "SKIPPED: $*"
    exit 77
}

# Packages of package.json below $TSFS_INTEROP_MODULES (default: a cache folder of the user), installed on first use;
# sets $modules, where scripts that import them must lie.  Skips without node, npm or a registry.
need_modules() {
    command -v node >/dev/null || skip "node is not installed"
    command -v npm >/dev/null || skip "npm is not installed"
    modules=${TSFS_INTEROP_MODULES:-${XDG_CACHE_HOME:-$HOME/.cache}/tsfs-interop}
    mkdir -p "$modules"
    (
        flock 8
        cmp -s "$here/package.json" "$modules/installed.json" && exit 0
        cp "$here/package.json" "$modules/package.json"
        (cd "$modules" && npm install --no-audit --no-fund --no-package-lock --loglevel=error) \
            > "$modules/install.log" 2>&1 || exit 1
        cp "$here/package.json" "$modules/installed.json"
    ) 8> "$modules/lock" || skip "npm install failed: $(tail -n 1 "$modules/install.log")"
}
