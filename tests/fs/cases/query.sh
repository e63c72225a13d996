# Conversations: one handle, separate cursors, any offset, several questions.
need python3
mount_ts
cd "$MNT"
mkdir p p/m
awk 'BEGIN { for (i = 0; i < 50000; i++) printf "v=%d,s=\"text %d\" %d000000000\n", i, i, 1700000000 + i }' > p/m/write
exec 3<> p/query
echo "SELECT v FROM m ORDER BY time LIMIT 2" >&3
cat <&3
echo "SELECT v FROM m" >&3
echo "ORDER BY time DESC LIMIT 1" >&3
cat <&3
exec 3>&-
# Without a question there is nothing to read.
cat p/m/query query
python3 - <<'PY'
import os
def ask(path, sql):
    f = os.open(path, os.O_RDWR)
    assert os.write(f, sql) == len(sql)
    return f
sql = b"SELECT v, s FROM m ORDER BY time"
f = ask("p/query", sql)
whole = b""
while True:
    piece = os.read(f, 1 << 20)
    if not piece:
        break
    whole += piece
print(len(whole.splitlines()), whole[:14])
base = len(sql)
# The same bytes again, in small pieces and at odd offsets.
for off, n in ((0, 1), (5, 100), (4096, 4096), (len(whole) - 3, 100), (len(whole), 10), (123457, 65537)):
    assert os.pread(f, n, base + off) == whole[off:off + n], off
# Rewound, offsets count from the file's start.
os.lseek(f, 0, os.SEEK_SET)
assert os.read(f, 10) == whole[:10]
assert os.read(f, 10) == whole[10:20]
# A new text on the same handle.
os.write(f, b"SELECT count(*) AS n FROM m")
print(os.read(f, 100))
os.close(f)
# Unbuffered, byte by byte.
f = os.open("p/query", os.O_RDWR)
for c in b"SELECT count(*) AS n FROM m\n":
    os.write(f, bytes([c]))
print(os.read(f, 100))
# Two handles are two conversations.
g = ask("p/m/query.json", b"SELECT max(v) AS x FROM m")
h = ask("p/m/query.json", b"SELECT min(v) AS x FROM m")
print(os.read(g, 100), os.read(h, 100))
# A snapshot: what is written after the first read does not show.
f = ask("p/query", b"SELECT v FROM m ORDER BY time")
first = os.read(f, 4096)
w = os.open("p/m/write", os.O_WRONLY)
os.write(w, b"v=-1 1600000000000000000\n")
os.close(w)
rest = first
while True:
    piece = os.read(f, 1 << 20)
    if not piece:
        break
    rest += piece
print(len(rest.splitlines()))
PY
# A file copied out of a plain read.
echo "SELECT v, s FROM m ORDER BY time" > p/query
cp p/query "$WORK/all.csv"; cat p/query | cmp - "$WORK/all.csv" && wc -l < "$WORK/all.csv"
