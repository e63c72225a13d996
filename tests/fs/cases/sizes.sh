# st_size is what a read gives, for every file that has one; open files keep their snapshot.
need python3
mount_ts
cd "$MNT"
mkdir p
echo 'm v=1 1700000000000000000' > p/write
echo 'm v=' > p/write 2> /dev/null
echo migrate > p/m/ctl
python3 - <<'PY'
import os
def check(path):
    a = os.stat(path).st_size
    with open(path, "rb", buffering=0) as f:
        b = os.fstat(f.fileno()).st_size
        data = b""
        while True:
            piece = f.read(1000)
            if not piece:
                break
            data += piece
        assert os.pread(f.fileno(), 100, 3) == data[3:103], path
    # status and metrics move by themselves; an open file is what it was when it was opened.
    assert b == len(data), (path, b, len(data))
    if not path.startswith("./.tsfs/"):
        assert a == b, (path, a, b)
count = 0
for dir, dirs, files in os.walk("."):
    for name in files:
        if name == "write" or name.startswith("query") or name == "ctl":
            continue
        check(os.path.join(dir, name))
        count += 1
print(count, "files")
f = open("p/m/stats", "rb", buffering=0)
before = os.fstat(f.fileno()).st_size
w = open("p/m/write", "wb", buffering=0)
for i in range(1000):
    w.write(b"v=1 17000%05d000000000\n" % i)
w.close()
assert len(f.read(1 << 20)) == before == os.fstat(f.fileno()).st_size
assert open("p/m/stats", "rb").read() != b""
print("snapshot")
PY
cp p/m/config "$WORK/c"; cmp p/m/config "$WORK/c"
tar -cf - p/m/schema p/m/config p/m/errors p/m/rejected | tar -tf -
wc -c < p/m/schema > "$WORK/n"; [ "$(cat "$WORK/n")" = "$(stat -c %s p/m/schema)" ] && echo "wc agrees"
