# Mounting that cannot work says why, at once, with a status; nothing stays behind.
m() { "$TSFS" "$@" > /dev/null 2> "$WORK/err"; local s=$?; echo "$s $(head -n 1 "$WORK/err" | sed "s,$WORK,WORK,g")"; }
mount_ts
mkdir "$WORK/other"
m "$DATA" "$WORK/other" | sed 's/ tsfs: .*\(another\|lock\|use\).*/ in use/'
m "$WORK/data2" "$MNT"
m "$WORK/data2" "$WORK/none"
touch "$WORK/file"
m "$WORK/data2" "$WORK/file"
m "$WORK/file" "$WORK/other"
m "$WORK/none/none" "$WORK/other"
m "$WORK/other" "$WORK/other"
mkdir "$WORK/other/in"
m "$WORK/other" "$WORK/other/in"
rmdir "$WORK/other/in"
mkdir "$WORK/strange"; echo hello > "$WORK/strange/letter.txt"
m "$WORK/strange" "$WORK/other" | sed 's/ tsfs: .*/ not ours/'
cat "$WORK/strange/letter.txt"; ls "$WORK/strange"
m -o nonsense "$WORK/data2" "$WORK/other"
m --nonsense "$WORK/data2" "$WORK/other"
m --memory=lots "$WORK/data2" "$WORK/other"
m --threads=0 "$WORK/data2" "$WORK/other"
m --memory
m "$WORK/data2"
"$TSFS" --version | sed 's/[0-9.]*$/N/'
"$TSFS" --help | head -1
mountpoint -q "$WORK/other" && echo mounted
# A daemon that was killed leaves a dead mount; the next start takes its place.
pid=$(pid_ts); kill -9 "$pid"; gone "$pid"
try "ls '$MNT'"
mount_ts
grep -c " $MNT fuse.tsfs " /proc/self/mounts
# A folder that is not empty may be mounted on.
echo x > "$WORK/other/x"
m "$WORK/data3" "$WORK/other"
ls -A "$WORK/other"
fusermount3 -u "$WORK/other"
