# DELETE through query files: counts, every tier, restarts, errors, once per question.
mount_ts
cd "$MNT"
mkdir p p/m
now=$(date +%s)
fill() { awk -v n="$((now - 3600))" 'BEGIN { for (i = 0; i < 3000; i++) printf "m,host=h%d v=%di %d000000000\n", i % 3, i, n + int(i / 3) }' >> p/m/write; }
count() { value p/query "SELECT count(*) FROM m"; }
fill
try 'echo "DELETE FROM m" > p/query; cat p/query'
try 'echo "DELETE FROM m WHERE v > 3;" > p/query'
grep -o 'line 1, column 23: "v".*only' p/errors
try 'echo "DELETE FROM m WHERE host = '"'h9'"';" > p/query; cat p/query'
count
ask p/query "DELETE FROM m WHERE host = 'h1'"
count
# One question, three answers, one deletion.
echo "DELETE FROM m WHERE host = 'h2' AND time >= from_milliseconds($((now - 3600 + 500))000)" > p/m/query
cat p/m/query
fill
cat p/m/query.json p/m/query.txt p/m/query
count
# Through fsync of the writing handle, without reading.
dd if=/dev/stdin of=p/query conv=fsync,notrunc status=none <<< "DELETE FROM m WHERE host = 'h0'"
count
umount_ts
mount_ts
cd "$MNT"
count
echo migrate > p/m/ctl
ls "$DATA"/p/m/*/ | grep -c del-
count
fill
count
ask p/query "DELETE FROM p.m WHERE true"
count
rmdir p/m && echo gone
mkdir p/m
fill
umount_ts
mount_ts -o ro
cd "$MNT"
try 'echo "DELETE FROM m WHERE true;" > p/query'
count
