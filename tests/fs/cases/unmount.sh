# Every clean end loses nothing: fusermount3 -u, SIGTERM, SIGINT, with points just written and files still open.
mkdir -p "$WORK/o"
sum=0
n=0
round() {
    mount_ts
    [ -d "$MNT/p" ] || mkdir "$MNT/p"
    for i in 1 2 3 4 5; do
        n=$((n + 1))
        echo "m v=$n $((1700000000 + n))000000000" > "$MNT/p/write"
    done
    value "$MNT/p/query" "SELECT count(*), sum(v) FROM m"
}
round
umount_ts
round
# SIGUSR1 and SIGUSR2, which the daemon uses for itself, are nothing from outside.
pid=$(pid_ts); kill -USR1 "$pid"; kill -USR2 "$pid"; sleep 0.1; kill -TERM "$pid"; gone "$pid"
mountpoint -q "$MNT" && echo "still mounted"
round
pid=$(pid_ts); kill -INT "$pid"; gone "$pid"
mountpoint -q "$MNT" && echo "still mounted"
# A file is open: not by fusermount3 -u, but a signal ends it.
round
pid=$(pid_ts)
exec 5> "$MNT/p/write"
printf 'm v=6' >&5
try "fusermount3 -u '$MNT'" | sed 's/\[.*busy.*/[busy]/'
kill -TERM "$pid"; gone "$pid"
exec 5>&- 2> /dev/null
# In the foreground; the exit status tells.
"$TSFS" -f "$DATA" "$MNT" &
while ! mountpoint -q "$MNT"; do sleep 0.05; done
value "$MNT/p/query" "SELECT count(*), sum(v) FROM m"
kill -INT $!
wait $!
echo "status $?"
# While writers write: what they were told was taken is there.
mount_ts
for k in 1 2 3 4; do
    (
        i=0
        while echo "w,k=k$k v=1 $((1700000000 + i))000000000" > "$MNT/p/write"; do i=$((i + 1)); done 2> /dev/null
        echo $i > "$WORK/acked$k"
    ) &
done
sleep 1
pid=$(pid_ts); kill -TERM "$pid"
wait
gone "$pid"
mount_ts
acked=$(cat "$WORK"/acked* | paste -sd+ | bc 2> /dev/null || awk '{s += $1} END {print s}' "$WORK"/acked*)
there=$(value "$MNT/p/query" "SELECT count(*) FROM w")
[ "$there" -ge "$acked" ] && [ "$there" -le $((acked + 4)) ] && [ "$acked" -gt 0 ] && echo "all there" || echo "acked $acked, there $there"
