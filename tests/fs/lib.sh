# What every case may use.  TSFS, WORK, DATA, MNT are set by run.
# shellcheck shell=bash

skip() {
    echo "$*"
    exit 77
}
[ -c /dev/fuse ] || skip "no /dev/fuse"
command -v fusermount3 >/dev/null || skip "no fusermount3"

need_root() { [ "$(id -u)" -eq 0 ] || skip "needs root"; }
need() { command -v "$1" >/dev/null || skip "needs $1"; }

# Mounts DATA on MNT, any options first.
mount_ts() { "$TSFS" "$@" "$DATA" "$MNT" || { echo "mount failed: $?"; exit 1; }; }

pid_ts() { sed -n 's/^pid = //p' "$MNT/.tsfs/status"; }

# Until process $1 is gone.
gone() {
    local n=0
    while kill -0 "$1" 2>/dev/null && [ $n -lt 300 ]; do
        sleep 0.05
        n=$((n + 1))
    done
    ! kill -0 "$1" 2>/dev/null || { echo "process $1 does not end"; exit 1; }
}

# A clean unmount: returns when the daemon has ended.
umount_ts() {
    local pid
    pid=$(pid_ts)
    cd "$WORK" || exit 1
    fusermount3 -u "$MNT" || exit 1
    gone "$pid"
}

# Runs a command line of its own; prints its output, and of a failure only the reason ("[Invalid argument]").
try() {
    local s=0 err
    { err=$(bash -c "$*" 2>&1 1>&3 3>&-) || s=$?; } 3>&1
    [ $s -eq 0 ] || printf '[%s]\n' "$(tail -n 1 <<<"$err" | sed 's/.*: //')"
}

# ask FILE SQL: one conversation on an open query file.
ask() {
    local s=0
    exec 9<>"$1" || return 1
    { echo "$2" >&9 && cat <&9; } || s=$?
    exec 9>&-
    return $s
}
# The one value of a query's result.
value() { ask "$1" "$2" | tail -n +2; }

# as UID GID GROUPS COMMAND: another user ("" = no groups).
as() {
    local groups=--clear-groups
    [ -z "$3" ] || groups=--groups=$3
    setpriv --reuid="$1" --regid="$2" "$groups" bash -c "$4"
}

# The daemon lives, and every case ends with the mount gone.
finish() {
    cd "$WORK" || exit 1
    if grep -q " $MNT fuse.tsfs " /proc/self/mounts; then
        cat "$MNT/.tsfs/version" >/dev/null || { echo "the daemon is dead"; exit 1; }
        umount_ts
    fi
    exit 0
}
