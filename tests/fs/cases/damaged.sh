# damaged: a table or database that cannot be read is listed, gives EIO, says why, and stays; all others work.
mount_ts
cd "$MNT"
mkdir a b
echo 'cpu,h=x v=1i 1' > a/write
echo 'mem v=2i 1' > a/write
echo 'cpu v=3i 1' > b/write
umount_ts
echo garbage > "$DATA/a/cpu/schema"
echo 'partition = never' > "$DATA/b/.conf"
mkdir -p "$DATA/odd/thing"
echo x > "$DATA/odd/thing/schema"
mount_ts 2> "$WORK/said"
sed 's/^tsfs: //' "$WORK/said" | sort
cd "$MNT"
ls . a
grep '^damaged' .tsfs/status
sed 's/^[^ ]* [^ ]* //' a/errors
value a/query 'SELECT * FROM mem' | cut -d, -f3
try "ls a/cpu"
try "ls b"
try "echo 'cpu,h=x v=4i 2' > a/write"
try "echo 'SELECT * FROM cpu' > a/query && cat a/query"
try "mkdir a/cpu"
try "mkdir b"
try "mv a/mem a/cpu"
try "rmdir a/cpu"
try "rmdir a"
echo 'mem v=5i 2' > a/write
value a/query 'SELECT sum(v) FROM mem'
umount_ts
cat "$DATA/a/cpu/schema" "$DATA/b/.conf"
# mended, it is back
printf 'time\ttime\ttimestamp\nmeasure_name\tmeasure_name\tvarchar\nh\tdimension\tvarchar\nv\tmeasure\tbigint\n' > "$DATA/a/cpu/schema"
mount_ts 2> "$WORK/said"
value "$MNT/a/query" 'SELECT v FROM cpu'
