# Ctrl-C and close end a query at once, query_timeout ends it for you, and the daemon goes on.
need python3
mount_ts
cd "$MNT"
mkdir p
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "m v=%d %d000000000\n", i, 1700000000 + i }' > p/write
slow="SELECT count(*) FROM m a CROSS JOIN m b CROSS JOIN m c WHERE a.v + b.v + c.v > 0.5"
if ! bash -c 'echo "$1" > p/query' - "$slow" 2> /dev/null || grep -q 'JOIN' p/errors; then
    slow="SELECT count(*) FROM (SELECT v FROM m WHERE $(for i in $(seq 400); do printf 'sin(v + %d) < 2 AND ' $i; done) true)"
    awk 'BEGIN { for (i = 0; i < 2000000; i++) printf "m v=%d %d000000000\n", i, 1600000000 + i }' > p/write
fi
echo "$slow" > p/query
start=$(date +%s%N)
timeout -s INT 0.3 cat p/query; echo "status $?"
took=$(((($(date +%s%N) - start)) / 1000000))
[ $took -lt 1300 ] && echo "ended at once" || echo "took $took ms"
echo "$slow" > p/query
(timeout -s KILL 0.3 cat p/query; echo "status $?") 2> /dev/null
python3 - "$slow" <<'PY'
import os, sys, threading, time
f = os.open("p/query", os.O_RDWR)
os.write(f, sys.argv[1].encode())
pid = os.fork()
if pid == 0:
    os.read(f, 100)
    os._exit(0)
time.sleep(0.3)
os.kill(pid, 9)
os.waitpid(pid, 0)
os.close(f)
PY
sleep 0.3
grep -E '^(running_queries|queries_running|running queries|queries) *= *[1-9]' .tsfs/status && echo "still running"
ask p/query "SELECT count(*) AS n FROM m WHERE v < 10 AND time >= from_unixtime(1700000000)"
