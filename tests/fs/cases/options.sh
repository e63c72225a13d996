# Options, and being called by mount(8) as from fstab.
need_root
mount_ts --memory=64M --threads=2 -o noatime,nosuid,nodev,_netdev,x-systemd.automount,comment=hi
grep " $MNT " /proc/self/mounts | grep -o 'fuse.tsfs rw,nosuid,nodev,noatime'
mkdir "$MNT/p"
echo 'm v=1 1700000000000000000' > "$MNT/p/write"
umount_ts
# Read-only: queries work, DATA does not change.
mount_ts -o ro
cd "$MNT"
value p/query "SELECT count(*) FROM m"
try "echo 'm v=2 1700000001000000000' > p/write"
try mkdir q
try rmdir p
try mv p q
try chmod 700 p
try "echo 'precision = s' > p/config"
try "echo migrate > p/m/ctl"
umount_ts
# mount -t fuse.tsfs DATA MNT: the way of fstab.
mkdir "$WORK/bin" && ln -s "$TSFS" "$WORK/bin/tsfs"
if [ -x /sbin/mount.fuse3 ]; then
    PATH=$WORK/bin:$PATH /sbin/mount.fuse3 "tsfs#$DATA" "$MNT" -o rw,sync,nofail,memory=64M; echo $?
else
    "$TSFS" "$DATA" "$MNT" -o rw,sync,nofail,memory=64M; echo $?
fi
grep -q "^$DATA $MNT fuse.tsfs " /proc/self/mounts && echo "source and type"
echo 'm v=2 1700000001000000000' > "$MNT/p/write"
value "$MNT/p/query" "SELECT count(*), sum(v) FROM m"
umount_ts
# DATA on a disk that cannot be written: the message says what can be done, and so it can.
mkdir "$WORK/fixed"
mount --bind "$DATA" "$WORK/fixed" && mount -o remount,bind,ro "$WORK/fixed" || exit 1
"$TSFS" "$WORK/fixed" "$MNT" 2>&1 | sed "s|$WORK|WORK|"
"$TSFS" -o ro "$WORK/fixed" "$MNT" && value "$MNT/p/query" "SELECT count(*), sum(v) FROM m"
umount_ts
umount "$WORK/fixed"
