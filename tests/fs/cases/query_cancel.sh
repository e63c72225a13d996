# Ctrl-C and close end a query at once, query_timeout ends it for you, and the daemon goes on.
need python3
mount_ts
cd "$MNT"
mkdir p
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "m v=%d %d000000000\n", i, 1700000000 + i }' > p/write
# What takes minutes if nothing ends it; seconds are a busy machine's.
slow="SELECT count(*) FROM m a CROSS JOIN m b CROSS JOIN m c WHERE a.v + b.v + c.v > 0.5"
echo "$slow" > p/query
start=$(date +%s%N)
timeout -s INT 0.3 cat p/query; echo "status $?"
took=$(((($(date +%s%N) - start)) / 1000000))
[ $took -lt 15000 ] && echo "ended at once" || echo "took $took ms"
echo "$slow" > p/query
(timeout -s KILL 0.3 cat p/query; echo "status $?") 2> /dev/null
python3 - "$slow" <<'PY'
import os, sys, time
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
# One row, or one constant, that would take minutes is ended as well.
while read -r slow; do
    echo "$slow" > p/query
    start=$(date +%s%N)
    timeout -s INT 0.3 cat p/query > /dev/null; echo "status $?"
    took=$(((($(date +%s%N) - start)) / 1000000))
    [ $took -lt 15000 ] || echo "took $took ms: $slow"
done <<'SQL'
SELECT count(*) FROM m WHERE contains(sequence(1, 16000000), CAST(-v AS bigint))
SELECT count(*) FROM m WHERE rpad('a', 16000000, 'a') LIKE '%' || rpad('_', 8000000, 'a') || CAST(v AS varchar) || '%'
SELECT strrpos(rpad('a', 16000000, 'a'), rpad('a', 8000000, 'a') || 'b')
SELECT length(translate(rpad('z', 16000000, 'z'), rpad('a', 60000, 'b'), 'c'))
SELECT sum(crc32(to_utf8(rpad(CAST(v AS varchar), 16000000, 'x')))) FROM m
SQL
# The text of a value that shares its parts stops at the limit for texts.
try "echo \"SELECT CAST(repeat(rpad('x', 16000000, 'y'), 1000000) AS varchar)\" > p/query; cat p/query"
for i in $(seq 100); do grep -q '^queries_running = 0$' .tsfs/status && break; sleep 0.1; done
grep '^queries_running = [1-9]' .tsfs/status
ask p/query "SELECT count(*) AS n FROM m WHERE v < 10 AND time >= from_unixtime(1700000000)"
