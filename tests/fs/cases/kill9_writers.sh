# Eight writers on one path and migrations without end; the daemon is killed at random moments, TSFS_KILLS times (50):
# every acknowledged line is there with its value, none twice, nothing that was never written, in any partition.
need python3
mount_ts
mkdir "$MNT/p"
TSFS_KILLS=${TSFS_KILLS:-50} python3 - << 'PY'
import os, random, signal, subprocess, sys, threading, time

tsfs, data, mnt = (os.environ[k] for k in ("TSFS", "DATA", "MNT"))
kills = int(os.environ["TSFS_KILLS"])
random.seed(11)
WRITERS = 8
BASE, DAY = 1600000000, 86400


def line(w, i):  # line i of writer w: five partitions in turn, some lines in two halves that must merge
    t = (BASE + i % 5 * DAY) * 1000 + i // 5
    if i % 3 == 0:
        return f"m,w=w{w} v={i}i {t}000000\nm,w=w{w} s=\"x{i}\" {t}000000\n"
    return f"m,w=w{w} v={i}i,s=\"x{i}\" {t}000000\n"


class Writer(threading.Thread):
    """Writes from line `first` until the daemon is gone; acked = lines before it were acknowledged."""

    def __init__(self, w, first):
        super().__init__()
        self.w, self.acked, self.begun = w, first, first
        self.fault = None

    def run(self):
        step = (1, 7, 100, 700, 3000)[random.randrange(5)]
        try:
            fd = os.open(f"{mnt}/p/write", os.O_WRONLY)
        except OSError:
            return
        try:
            while True:
                end = self.acked + step
                text = "".join(line(self.w, i) for i in range(self.acked, end)).encode()
                self.begun = end
                while text:  # the kernel takes a piece; the daemon all of that
                    text = text[os.write(fd, text):]
                self.acked = end
                time.sleep(step / 2000)  # enough for the moments to be random, few enough to count again and again
        except OSError as e:
            if e.errno not in (103, 107, 5):  # ECONNABORTED, ENOTCONN, EIO: the daemon is gone
                self.fault = e
        try:
            os.close(fd)
        except OSError:
            pass


def ask(sql):
    fd = os.open(f"{mnt}/p/query", os.O_RDWR)
    os.write(fd, sql.encode())
    out = b""
    while piece := os.read(fd, 1 << 20):
        out += piece
    os.close(fd)
    return [row.split(",") for row in out.decode().splitlines()[1:]]


def migrator(stop):
    while not stop.is_set():
        try:
            fd = os.open(f"{mnt}/p/m/ctl", os.O_WRONLY)
            try:
                os.write(fd, b"migrate\n")
            finally:
                os.close(fd)
        except OSError:
            pass
        stop.wait(random.random() * 0.1)


def fail(*what):
    print(*what)
    sys.exit(1)


def pid():
    for row in open(f"{mnt}/.tsfs/status"):
        if row.startswith("pid = "):
            return int(row[6:])


def check(when, acked, begun):
    """Per writer: all acknowledged lines; of those begun any; values and strings that belong to their times."""
    there = {int(r[0][1:]): [int(x or 0) for x in r[1:]] for r in ask(
        "SELECT w, count(*), count(v), count(s), count(DISTINCT time), count(DISTINCT v), max(v),"
        f" sum(CASE WHEN s <> 'x' || CAST(v AS VARCHAR) THEN 1 ELSE 0 END),"
        f" sum(CASE WHEN to_nanoseconds(time) / 1000000 <> ({BASE} + v % 5 * {DAY}) * 1000 + v / 5 THEN 1 ELSE 0 END)"
        " FROM m GROUP BY w")}
    for w in range(WRITERS):
        if acked[w] == 0 and w not in there:
            continue
        got = ask(f"SELECT count(v), count(s), sum(v) FROM m WHERE w = 'w{w}' AND v < {acked[w]}")[0]
        n = acked[w]
        if [int(x or 0) for x in got] != [n, n, n * (n - 1) // 2]:
            fail(when, f"writer {w}: {n} lines acknowledged with sum {n * (n - 1) // 2}, there are", got)
        rows, v, s, times, values, last, strange, misplaced = there[w]
        if rows != times or v != values or last >= begun[w] or strange or misplaced or rows - v > 1 or rows < v:
            fail(when, f"writer {w}: acknowledged {n}, begun {begun[w]}, there are", there[w])


at = [0] * WRITERS
log = open(os.environ["WORK"] + "/log", "w")  # torn records are as they should be
for n in range(1, kills + 1):
    daemon = pid()
    writers = [Writer(w, at[w]) for w in range(WRITERS)]
    for w in writers:
        w.start()
    stop = threading.Event()
    background = threading.Thread(target=migrator, args=[stop]) if n % 4 else None
    if background:
        time.sleep(random.random() * 0.1)
        background.start()
    time.sleep(random.random() * 0.4)
    os.kill(daemon, signal.SIGKILL)
    stop.set()
    for w in writers:
        w.join()
        if w.fault:
            fail(f"kill {n}: writer {w.w}:", w.fault)
    if background:
        background.join()
    while os.path.exists(f"/proc/{daemon}"):
        time.sleep(0.01)
    subprocess.run(["fusermount3", "-u", "-z", mnt], stderr=subprocess.DEVNULL)
    if (code := subprocess.run([tsfs, data, mnt], stderr=log).returncode) != 0:
        fail(f"kill {n}: mount failed: {code}")
    if os.path.isdir(f"{mnt}/p/m"):
        check(f"kill {n}:", [w.acked for w in writers], [w.begun for w in writers])
    for w in writers:  # what was begun is written again, which must not make it twice
        at[w.w] = w.begun
        with open(f"{mnt}/p/write", "wb", buffering=0) as f:
            text = "".join(line(w.w, i) for i in range(w.acked, w.begun)).encode()
            while text:
                text = text[f.write(text):]
    if n % 5 == 0:
        check(f"kill {n}, written again:", at, at)
with open(f"{mnt}/p/m/ctl", "w") as f:
    f.write("migrate\n")
check("at the end, migrated:", at, at)
if int(ask("SELECT count(*) FROM m")[0][0]) != sum(at):
    fail("lines:", sum(at), "rows:", ask("SELECT count(*) FROM m"))
print("enough lines" if min(at) > kills else at)
print("every line once")
PY
