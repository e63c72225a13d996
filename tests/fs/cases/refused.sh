# What the tree does not mean has a clear errno, and never ENOSYS.
need python3
mount_ts
cd "$MNT"
mkdir p p/t
try touch p/new
try touch p/t/new
try mkfifo p/fifo
try ln -s x p/link
try ln p/config p/link
try ln p/config p/t/link
try mv p/config p/config2
try mv p/t/schema p/schema2
try rm p/config
try rm -f p/t/write
try rmdir p/t/cold
try rmdir .tsfs
try 'mv p/t/cold p/cold2'
try 'echo x > p/t/schema'
try 'echo x > p/t/stats'
try 'echo x > .tsfs/status'
try 'exec 3<>p/t/errors'
try truncate -s 0 p/t/schema
try truncate -s 10 p/t/write
try fallocate -l 10 p/t/write
try setfattr -n user.a -v b p/t/schema
try 'getfattr -n user.a p/t/schema'
try 'dd if=/dev/zero of=.tsfs/version bs=1 count=1 status=none'
python3 - <<'PY'
import ctypes, errno, fcntl, os
def code(f):
    try:
        f()
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]
libc = ctypes.CDLL(None, use_errno=True)
def rename2(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags) < 0:
        raise OSError(ctypes.get_errno(), "")
os.mkdir("q")
print(code(lambda: rename2("p", "q", 1)), code(lambda: rename2("p", "q", 2)), code(lambda: rename2("q", "r", 1)))
print(code(lambda: os.mknod("p/node", 0o644)), code(lambda: os.readlink("p")))
print(code(lambda: os.open("p", os.O_TMPFILE | os.O_RDWR)))
d = os.open("p", os.O_RDONLY)
print(code(lambda: os.fsync(d)))
f = os.open("p/t/schema", os.O_RDONLY)
print(code(lambda: fcntl.ioctl(f, 0x1234)), code(lambda: fcntl.flock(f, fcntl.LOCK_SH)), code(lambda: os.fsync(f)))
print(code(lambda: os.utime("p/t/write", (1, 1))), code(lambda: os.access("p/t/write", os.W_OK)))
w = os.open("p/t/write", os.O_WRONLY)
print(code(lambda: os.posix_fallocate(w, 0, 10)), code(lambda: os.lseek(w, 100, 0)))
PY
