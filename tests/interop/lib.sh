# What the scripts of this folder that mount share: everything of tests/fs/lib.sh, npm's packages, a folder of their own.
# A script reads it with TSFS set (the program under test); WORK, DATA and MNT are set here.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
top=$(cd "$here/../.." && pwd)
export LC_ALL=C TZ=UTC
# shellcheck source=tests/fs/lib.sh
. "$top/tests/fs/lib.sh"

# A folder for one run; what was mounted in it is unmounted and its daemon ended, however the script ends.
need_work() {
    WORK=$(mktemp -d /tmp/tsfs-interop.XXXXXX)
    DATA=$WORK/data MNT=$WORK/mnt
    mkdir "$MNT"
    trap 'end_work' EXIT
    trap 'exit 1' INT TERM
}
end_work() {
    local status=$? pid
    cd /
    if grep -q " $MNT fuse.tsfs " /proc/self/mounts; then
        pid=$(pid_ts 2> /dev/null)
        fusermount3 -u "$MNT" 2> /dev/null || fusermount3 -uz "$MNT"
        if [ -n "$pid" ]; then (gone "$pid") || kill -9 "$pid"; fi
    fi
    [ -n "${TSFS_KEEP:-}" ] || rm -rf "$WORK"
    exit $status
}

# kill -9 of the daemon, the dead mount taken away, a new mount.
crash_ts() {
    local pid
    pid=$(pid_ts)
    kill -9 "$pid"
    gone "$pid"
    fusermount3 -uz "$MNT" 2> /dev/null
    mount_ts "$@"
}
