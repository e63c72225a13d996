"""Folders, programs and processes of a run: made here, and gone when it ends."""

import atexit
import json
import os
import platform
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
MIB = 1 << 20


class Failed(Exception):
    """Something that was to be measured cannot be, with the reason."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(argv, timeout=900, **more):
    """Runs a program to its end; its failure is ours."""
    p = subprocess.run(argv, timeout=timeout, capture_output=True, text=True, **more)
    if p.returncode:
        lines = (p.stderr.strip() or p.stdout.strip()).splitlines() or ["exit status %d" % p.returncode]
        why = next((line for line in lines if "error:" in line.lower()), lines[-1])
        raise Failed("%s: %s" % (os.path.basename(argv[0]), why))
    return p.stdout


def cpu_of(pid):
    """CPU seconds of a process, all its threads, those that have ended included."""
    try:
        return time.clock_gettime(~pid << 3 | 2)  # the kernel's name for that process's CPU clock
    except OSError:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_children():
    """CPU seconds of the programs that this one has started and waited for."""
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def memory_of(pid, key="VmRSS"):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_gone(pid, seconds=60):
    end = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > end:
            raise Failed("process %d does not end" % pid)
        time.sleep(0.01)


def settle(pid, seconds=60, quiet=0.02):
    """Waits until a process has come to rest: it uses less than 2 % of a core for a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = cpu_of(pid)
        time.sleep(1)
        if cpu_of(pid) - before < quiet:
            return


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def size_of(path):
    """Bytes of a file, or of all files below a folder: (as long as they are, as the disk holds them)."""
    total = blocks = 0
    if os.path.isfile(path):
        st = os.stat(path)
        return st.st_size, st.st_blocks * 512
    for folder, _, files in os.walk(path):
        for name in files:
            st = os.lstat(os.path.join(folder, name))
            total += st.st_size
            blocks += st.st_blocks * 512
    return total, blocks


def files_below(path):
    return [os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files]


def drop_from_cache(path):
    """Writes a tree's files out and drops them from the page cache."""
    for name in files_below(path):
        fd = os.open(name, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def warm_cache(paths):
    for path in paths:
        with open(path, "rb", buffering=0) as f:
            while f.read(4 * MIB):
                pass


class Work:
    """The scratch folder with the helper programs in it, and everything that was started."""

    def __init__(self, parent):
        self.path = tempfile.mkdtemp(prefix="tsfs-bench.", dir=parent)
        self.enders = []
        atexit.register(self.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda n, _: sys.exit(128 + n))

    def __call__(self, *names):
        return os.path.join(self.path, *names)

    def fresh(self, name):
        """An empty folder of that name."""
        path = self(name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def at_end(self, function):
        self.enders.append(function)

    def forget(self, function):
        if function in self.enders:
            self.enders.remove(function)

    def close(self):
        while self.enders:
            try:
                self.enders.pop()()
            except Exception as e:  # the rest is to be ended all the same
                say("while cleaning up: %s" % e)
        shutil.rmtree(self.path, ignore_errors=True)

    def need(self, size, what):
        free = shutil.disk_usage(self.path).free
        if free < size:
            raise Failed("%s takes about %d MiB of disk, %d MiB are free" % (what, size / MIB, free / MIB))

    def build_tools(self):
        cc = [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread"]
        fuse = run(["pkg-config", "--cflags", "--libs", "fuse3"]).split()
        for name, sources, libraries in (
            ("workload", ["workload.c"], ["-lm"]),
            ("ask", ["ask.c", "embedded.c", "http.c"], ["-ldl"]),
            ("post", ["post.c", "http.c"], []),
            ("writers", ["writers.c"], []),
            ("noopfs", ["noopfs.c"], fuse),
        ):
            run(cc + ["-o", self(name)] + [os.path.join(HERE, s) for s in sources] + libraries)

    def make(self, name, **options):
        """Makes a file of the workload, unless it is there."""
        path = self(name)
        if not os.path.exists(path):
            argv = [self("workload")]
            for key, value in options.items():
                argv += ["--" + key, str(value)]
            with open(path + ".part", "wb") as f:
                p = subprocess.run(argv, stdout=f, stderr=subprocess.PIPE, text=True, timeout=900)
            if p.returncode:
                raise Failed("workload: " + p.stderr.strip())
            os.rename(path + ".part", path)
        return path

    def drop(self, *paths):
        for path in paths:
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.exists(path):
                os.unlink(path)


def facts(work, options):
    """What the figures were made on, without naming the machine."""

    def first(path, key, default="unknown"):
        try:
            with open(path) as f:
                for line in f:
                    if line.startswith(key):
                        return line.partition(":")[2].strip()
        except OSError:
            pass
        return default

    def quietly(*argv):
        try:
            return run(list(argv)).strip()
        except (Failed, OSError):
            return "unknown"

    changed = quietly("git", "-C", TOP, "status", "--porcelain", "--untracked-files=no", "--", "src", "include")
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": "a program given with --tsfs" if options.tsfs else
                  quietly("git", "-C", TOP, "rev-parse", "--short=12", "HEAD") + (" (modified)" if changed else ""),
        "cpu": first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "file_system": quietly("stat", "-f", "-c", "%T", work.path),
        "load_at_start": round(os.getloadavg()[0], 2),
        "quick": options.quick,
        "seed": options.seed,
        "hosts": options.hosts,
        "hours": options.hours,
        "interval": options.interval,
    }


def save_json(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")
