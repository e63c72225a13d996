# cold/: files that are files, byte for byte those of DATA.
need python3
need getfattr
mount_ts
cd "$MNT"
mkdir p
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "m,k=k%d v=%d %d000000000\n", i % 50, i, 1700000000 + i }' > p/write
value p/query "SELECT count(*), sum(v) FROM m"
echo migrate > p/m/ctl
value p/query "SELECT count(*), sum(v) FROM m"
cd p/m/cold
ls
stat -c '%a %F %n' *
for f in *; do
    head -c 4 "$f"; tail -c 4 "$f"; echo
    found=$(find "$DATA" -type f -size "$(stat -c %s "$f")c" -exec cmp -s {} "$f" \; -print | wc -l)
    echo "in DATA: $found"
    cp "$f" "$WORK/copy"; cmp "$f" "$WORK/copy"
    [ "$(stat -c %i "$f")" = "$(stat -c %i "$f")" ] && echo "stable inode"
    [ "$(du -B1 "$f" | cut -f1)" -ge "$(stat -c %s "$f")" ] && echo "du is right"
    getfattr --absolute-names -d "$f" | grep -c '^user.tsfs\.'
    rm "$WORK/copy"
done
for f in *; do getfattr --absolute-names --only-values -n user.tsfs.rows "$f"; echo; done | awk '{ s += $1 } END { print s " rows" }'
tar -cf "$WORK/t.tar" . && mkdir "$WORK/t" && tar -xf "$WORK/t.tar" -C "$WORK/t" && diff -r . "$WORK/t" && echo "tar same"
if command -v rsync > /dev/null; then rsync -a ./ "$WORK/r/" && diff -r . "$WORK/r"; else cp -a . "$WORK/r"; fi && echo "rsync same"
python3 - <<'PY'
import mmap, os, shutil
for name in sorted(os.listdir(".")):
    with open(name, "rb") as f:
        m = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
        data = f.read()
        assert m[:] == data and len(data) == os.stat(name).st_size
    shutil.copyfile(name, os.environ["WORK"] + "/sent")
    assert open(os.environ["WORK"] + "/sent", "rb").read() == data
print("mmap and sendfile same")
PY
f=$(ls | head -1)
try "echo x > $f"
try "echo x >> $f"
try chmod 644 $f
try chmod 444 $f
try touch $f
try mv $f other
try ln $f other
try truncate -s 0 $f
try setfattr -n user.x -v 1 $f
# Out and back in.
cp -a "$f" "$WORK/$f"
rm -f "$f"
[ "$(value ../query 'SELECT count(*) FROM m')" -lt 200000 ] && echo "partition dropped"
cp -a "$WORK/$f" .; echo $?
value ../query "SELECT count(*), sum(v) FROM m"
rm -f ./*; ls
value ../query "SELECT count(*) FROM m"
(cd "$WORK/t" && tar -cf "$WORK/t2.tar" ./*.parquet); tar -xpf "$WORK/t2.tar"; echo $?
value ../query "SELECT count(*), sum(v) FROM m"
# What is no segment is refused, and nothing stays.
rm -f ./*
try 'echo junk > junk.parquet'
try '{ printf PAR1; head -c 1000 /dev/urandom; } | dd of=junk.parquet status=none'
try "head -c -100 '$WORK/$f' | dd of=junk.parquet status=none"
ls
