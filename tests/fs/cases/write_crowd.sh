# More writers than the mount has threads, and memory for few of their points: all wait their turn and lose nothing, and
# the mount is looked at meanwhile.
need python3
mount_ts --memory=2M
mkdir "$MNT/p"
echo 'memory_retention = 36500d' > "$MNT/p/config"
python3 - << 'PY'
import os, threading

mnt = os.environ["MNT"]
WRITERS, WRITES, LINES = 80, 4, 250
faults, begin = [], threading.Barrier(WRITERS)


def write(k):
    try:
        fd = os.open(f"{mnt}/p/write", os.O_WRONLY)
        begin.wait(100)
        for i in range(WRITES):
            text = "".join(f"m,w=w{k} " + ",".join(f"f{f}={n * f}i" for f in range(12)) + f" {1600000000 + n}000000000\n"
                           for n in range(i * LINES, (i + 1) * LINES)).encode()
            while text:
                text = text[os.write(fd, text):]
        os.close(fd)
    except (OSError, threading.BrokenBarrierError) as e:
        faults.append(f"writer {k}: {e}")


threads = [threading.Thread(target=write, args=(k,)) for k in range(WRITERS)]
for t in threads:
    t.start()
while any(t.is_alive() for t in threads):
    assert "p" in os.listdir(mnt)
    with open(f"{mnt}/.tsfs/status") as f:
        assert "pid" in f.read()
    threads[0].join(0.1)
    threads[-1].join(0.1)
print("\n".join(faults) or "no write failed")
PY
value "$MNT/p/query" "SELECT count(*), count(DISTINCT w), sum(f11) = 80 * 11 * 999 * 500 FROM m"
