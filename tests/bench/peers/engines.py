"""tsfs and its peers, each behind the same few calls: start, load, ask, what it used, what it left on the disk.

Servers listen on 127.0.0.1 at a free port, with their data in the scratch folder, and are stopped by the bench."""

import glob
import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.request
from urllib.parse import quote

from machine import (TOP, Failed, alive, cpu_of, cpu_of_children, drop_from_cache, files_below, free_port,
                     memory_of, run, say, settle, size_of, wait_gone)


DATABASE = "bench"
TIERS = {"hot": "hotdb", "cold": "colddb", "mixed": "mixeddb"}  # databases whose points are kept there


class Ask:
    """The client that stays: one command a line, one answer a line."""

    def __init__(self, work, *argv, timeout=300):
        self.timeout = timeout
        self.log = work("ask.log")
        self.p = subprocess.Popen([work("ask")] + list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=open(self.log, "ab"), bufsize=0)
        self.rest = b""
        if self.line() != "ready":
            raise Failed("ask %s does not start" % argv[0])

    def line(self):
        end = time.monotonic() + self.timeout
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.p.stdout], [], [], max(0, end - time.monotonic()))
            more = os.read(self.p.stdout.fileno(), 65536) if ready else b""
            if not more:
                self.close()
                with open(self.log, errors="replace") as f:
                    last = (f.read().strip().splitlines() or [""])[-1]
                raise Failed("no answer after %d s" % self.timeout if not ready else "the client ended: " + last)
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode(errors="replace")

    def command(self, text):
        self.p.stdin.write(text.encode() + b"\n")
        answer = self.line()
        if not answer.startswith("ok "):
            raise Failed(answer.partition(" ")[2])
        return [int(x) for x in answer.split()[1:]]

    def run(self, text):
        """Seconds and size of the reply."""
        ns, amount = self.command("q " + text.replace("\n", " "))
        return ns / 1e9, amount

    def save(self, text, path):
        ns, amount = self.command("s %s\t%s" % (path, text.replace("\n", " ")))
        return ns / 1e9, amount

    def usage(self):
        """CPU seconds and peak memory of the client, which is the engine's own for one that is embedded."""
        cpu, peak = self.command("u")
        return cpu / 1e9, peak

    def close(self):
        if self.p.poll() is None:
            try:
                self.p.stdin.close()
                self.p.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self.p.kill()
                self.p.wait()
        self.p.stdout.close()


class Tsfs:
    """One daemon on a folder of its own, used through its mount alone."""

    def __init__(self, work, program, name="tsfs", options=(), table="cpu"):
        self.work, self.program, self.options, self.table = work, program, list(options), table
        self.data, self.mnt = work(name + ".data"), work(name + ".mnt")
        os.makedirs(self.mnt, exist_ok=True)
        self.pid = 0

    def start(self, fresh=True):
        """Returns the seconds until the mount was ready."""
        if fresh:
            self.work.drop(self.data)
        begin = time.monotonic()
        # The daemon keeps the streams of who starts it until it has come up; files, so that nothing waits for it.
        with open(self.work("tsfs.log"), "a+") as log:
            at = log.tell()
            p = subprocess.run([self.program] + self.options + [self.data, self.mnt], stdin=subprocess.DEVNULL,
                               stdout=log, stderr=log, timeout=600)
            if p.returncode:
                log.seek(at)
                raise Failed("tsfs: " + (log.read().strip().splitlines() or ["does not start"])[-1])
        seconds = time.monotonic() - begin
        with open(os.path.join(self.mnt, ".tsfs", "status")) as f:
            self.pid = int(re.search(r"^pid = (\d+)", f.read(), re.M).group(1))
        self.work.at_end(self.stop)
        return seconds

    def stop(self):
        self.work.forget(self.stop)
        if self.pid and alive(self.pid):
            for _ in range(50):
                if subprocess.run(["fusermount3", "-u", self.mnt], capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)
            try:
                wait_gone(self.pid)
            except Failed:
                os.kill(self.pid, signal.SIGKILL)
        if self.pid and self.mounted():
            subprocess.run(["fusermount3", "-uz", self.mnt], capture_output=True)
        self.pid = 0

    def mounted(self):
        """By the kernel's list: a mount without a daemon cannot be looked at."""
        with open("/proc/self/mounts") as f:
            return any(line.split(" ")[1] == self.mnt for line in f)

    def kill(self):
        """Without any warning; the next start replaces the mount.  Returns when the last thread has let go of it."""
        os.kill(self.pid, signal.SIGKILL)
        wait_gone(self.pid)
        for _ in range(600):
            try:
                os.stat(self.mnt)
            except OSError:
                return
            time.sleep(0.05)
        raise Failed("the mount of a killed daemon stays up")

    def create(self, database=DATABASE, **settings):
        """A database whose points stay hot, however old, until they are told to migrate."""
        os.mkdir(self.path(database))
        for key, value in {"memory_retention": "36500d", **settings}.items():
            self.put(database + "/config", "%s = %s" % (key, value))

    def path(self, *names):
        return os.path.join(self.mnt, *names)

    def put(self, name, text):
        fd = os.open(self.path(name), os.O_WRONLY)
        try:
            os.write(fd, text.encode() + b"\n")
        finally:
            os.close(fd)

    def cat(self, writers, database=DATABASE):
        """`cat FILES >> write`, one for each of `writers` (lists of files), all at once.  Seconds, client's CPU."""
        target = self.path(database, "write")
        cpu, begin, running = cpu_of_children(), time.monotonic(), []
        for files in writers:
            running.append(subprocess.Popen(["bash", "-c", 'exec cat "$@" >> "$0"', target] + files,
                                            stderr=subprocess.PIPE, text=True))
        failures = [p.communicate(timeout=900)[1].strip() for p in running]
        seconds = time.monotonic() - begin
        if any(p.returncode for p in running):
            raise Failed("cat: %s; %s" % (" ".join(filter(None, failures)), self.last_error(database)))
        return seconds, cpu_of_children() - cpu

    def last_error(self, database=DATABASE):
        try:
            with open(self.path(database, "errors")) as f:
                return (f.read().strip().splitlines() or ["no error noted"])[-1]
        except OSError as e:
            return str(e)

    def migrate(self, database=DATABASE, table=None):
        """Everything hot goes to the cold tier.  Seconds, daemon's CPU."""
        tables = [table] if table else [e.name for e in os.scandir(self.path(database)) if e.is_dir()]
        cpu, begin = cpu_of(self.pid), time.monotonic()
        for name in tables:
            self.put("%s/%s/ctl" % (database, name), "migrate")
        return time.monotonic() - begin, cpu_of(self.pid) - cpu

    def segments(self, database=DATABASE, table=None):
        return sorted(glob.glob(self.path(database, table or self.table, "cold", "*.parquet")))

    def disk(self, database=DATABASE):
        """Bytes of all that the database keeps: (as long as files are, as the disk holds them)."""
        return size_of(os.path.join(self.data, database))

    def cpu(self):
        return cpu_of(self.pid)

    def memory(self):
        return memory_of(self.pid)

    def ask(self, database=DATABASE):
        return Ask(self.work, "mount", self.path(database, "query"))

    def value(self, sql, database=DATABASE):
        """The cells of the first row."""
        fd = os.open(self.path(database, "query"), os.O_RDWR)
        try:
            os.write(fd, sql.encode())
            out = b""
            while True:
                more = os.read(fd, 1 << 20)
                if not more:
                    break
                out += more
        except OSError as e:
            raise Failed("%s: %s" % (e.strerror, self.last_error(database)))
        finally:
            os.close(fd)
        return out.decode().splitlines()[1].split(",")

    def rows(self, table=None, database=DATABASE):
        return int(self.value("SELECT count(*) FROM " + (table or self.table), database)[0])

    def drop_cache(self):
        drop_from_cache(self.data)


class Server:
    """A peer that speaks HTTP."""

    name = program = ""

    def __init__(self, work):
        self.work, self.p = work, None
        self.data = work(self.name)

    @classmethod
    def find(cls):
        return find_program(cls.program)

    def launch(self, argv, ready, env=None):
        with open(self.work(self.name + ".log"), "wb") as log:
            self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        self.work.at_end(self.stop)
        for _ in range(300):
            try:
                self.get(ready)
                return
            except OSError:
                if self.p.poll() is not None:
                    break
                time.sleep(0.1)
        raise Failed("%s does not start" % self.name)

    def stop(self):
        self.work.forget(self.stop)
        if self.p and self.p.poll() is None:
            self.p.send_signal(signal.SIGINT)
            try:
                self.p.wait(30)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        self.p = None

    def get(self, path, data=None):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port, path), data, timeout=120) as r:
            return r.read()

    def post(self, path, connections):
        """Sends a file of line protocol.  What `post` prints, and the server's CPU."""
        before = self.cpu()
        out = json.loads(run([self.work("post"), path, str(self.port), self.write_path, "10000", str(connections)]))
        out["cpu"] = self.cpu() - before
        return out

    def cpu(self):
        return cpu_of(self.p.pid)

    def memory(self):
        return memory_of(self.p.pid)

    def ask(self):
        return Ask(self.work, "http", str(self.port))


class VictoriaMetrics(Server):
    name, program, write_path = "victoriametrics", "victoria-metrics", "/write"
    dialect = "vm"

    def start(self, fresh=True):
        if fresh:
            self.work.drop(self.data)
        self.port = free_port()
        self.launch([self.find(), "-storageDataPath=" + self.data, "-retentionPeriod=100y",
                     "-httpListenAddr=127.0.0.1:%d" % self.port, "-search.maxQueryDuration=300s",
                     "-search.maxUniqueTimeseries=20000000", "-http.connTimeout=2h"], "/health")

    def text(self, query):
        return query.texts.get("vm")

    def settle(self):
        self.get("/internal/force_flush")
        self.get("/internal/force_merge")
        time.sleep(2)
        settle(self.p.pid)

    def disk(self):
        return sum(size_of(os.path.join(self.data, d))[0] for d in ("data", "indexdb"))

    def count(self, begin, end, field="cpu_usage_user"):
        self.get("/internal/force_flush")
        query = quote("sum(count_over_time(%s[%ds]))" % (field, end - begin + 3600))
        r = json.loads(self.get("/api/v1/query?query=%s&time=%d" % (query, end)))["data"]["result"]
        return int(float(r[0]["value"][1])) if r else 0


class InfluxDB(Server):
    name, program = "influxdb", "influxd"
    write_path = "/write?db=" + DATABASE
    dialect = "influx"

    def start(self, fresh=True):
        if fresh:
            self.work.drop(self.data)
        self.port = free_port()
        config = self.work("influxdb.conf")
        with open(config, "w") as f:
            # As it comes, but on the loopback, and with the waits before a full compaction cut short.
            f.write("""reporting-disabled = true
bind-address = "127.0.0.1:%d"
[meta]
dir = "%s/meta"
[data]
dir = "%s/data"
wal-dir = "%s/wal"
cache-snapshot-write-cold-duration = "10s"
compact-full-write-cold-duration = "15s"
max-series-per-database = 0
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:%d"
log-enabled = false
suppress-write-log = true
""" % (free_port(), self.data, self.data, self.data, self.port))
        self.launch([self.find(), "run", "-config", config], "/ping")
        if fresh:
            self.get("/query?q=" + quote("CREATE DATABASE " + DATABASE), b"")

    def text(self, query):
        q = query.texts.get("influx")
        return q and "/query?db=%s&epoch=ns&q=%s" % (DATABASE, quote(q))

    def settle(self):
        time.sleep(27)  # the two waits above, and a little
        settle(self.p.pid, 120)

    def disk(self):
        """Its data files; not the 32 MiB that it sets aside for names of series at once."""
        return sum(os.path.getsize(f) for f in files_below(self.data) if f.endswith(".tsm"))

    def count(self, begin, end, field="usage_user", table="cpu"):
        q = quote("SELECT count(%s) FROM %s" % (field, table))
        r = json.loads(self.get("/query?db=%s&q=%s" % (DATABASE, q)))["results"][0]
        return r["series"][0]["values"][0][1] if "series" in r else 0


def sql_text(query, dialect, table=None):
    return query.texts[dialect].replace("{t}", table or query.table)


class DuckAsk(Ask):
    """Keeps a reply by DuckDB's own COPY."""

    def save(self, text, path):
        return self.run("COPY (%s) TO '%s' (FORMAT csv, HEADER)" % (text, path))


class DuckDB:
    """In this process's child: native as loaded, native sorted, or over somebody's Parquet files."""

    name = "duckdb"

    def __init__(self, work, threads, path="-", dialect="duckdb"):
        self.work, self.threads, self.dialect = work, threads, dialect
        self.path = path if path == "-" else work(path)
        self.client = None

    @staticmethod
    def find():
        return find_library("@duckdb", "libduckdb.so")

    def start(self, fresh=True):
        if fresh and self.path != "-":
            self.work.drop(self.path, self.path + ".wal")
        self.client = DuckAsk(self.work, "duckdb", self.find(), self.path, str(self.threads))
        self.work.at_end(self.stop)
        self.client.run("SET TimeZone = 'UTC'")

    def stop(self):
        self.work.forget(self.stop)
        if self.client:
            self.client.close()
        self.client = None

    def text(self, query):
        return sql_text(query, self.dialect)

    def ask(self):
        return self.client

    def cpu(self):
        return self.client.usage()[0]

    def create(self, table, tags, fields):
        kinds = ["time TIMESTAMP"] + [t + " VARCHAR" for t in tags]
        kinds += ["%s %s" % (f, "BIGINT" if k == "int" else "DOUBLE") for f, k in fields.items()]
        self.client.run("CREATE TABLE %s (%s)" % (table, ", ".join(kinds)))

    def load(self, table, csv_file):
        """Seconds, CPU."""
        cpu, seconds = self.cpu(), 0.0
        for sql in ("COPY %s FROM '%s' (HEADER)" % (table, csv_file), "CHECKPOINT"):
            seconds += self.client.run(sql)[0]
        return seconds, self.cpu() - cpu

    def count(self, table="cpu"):
        path = self.work("count.csv")
        self.client.save("SELECT count(*) FROM " + table, path)
        with open(path) as f:
            return int(f.read().split()[1])

    def disk(self):
        return os.path.getsize(self.path)


class ChDB:
    name = dialect = "chdb"

    def __init__(self, work, threads):
        self.work, self.threads, self.path, self.client = work, threads, work("chdb"), None

    @staticmethod
    def find():
        return find_library("@chdb", "libchdb.so")

    def start(self, fresh=True):
        if fresh:
            self.work.drop(self.path)
        self.client = Ask(self.work, "chdb", self.find(), self.path, str(self.threads))
        self.work.at_end(self.stop)
        if fresh:
            self.client.run("CREATE DATABASE " + DATABASE)

    stop = DuckDB.stop
    ask = DuckDB.ask
    cpu = DuckDB.cpu

    def text(self, query):
        return sql_text(query, "chdb", DATABASE + "." + query.table)

    def create(self, table, tags, fields, codec="", time_codec=""):
        kinds = ["time DateTime('UTC')" + time_codec] + [t + " LowCardinality(String)" for t in tags]
        kinds += ["%s %s%s" % (f, "Int64" if k == "int" else "Float64", codec) for f, k in fields.items()]
        self.client.run("CREATE TABLE %s.%s (%s) ENGINE = MergeTree ORDER BY (%s, time)" % (
            DATABASE, table, ", ".join(kinds), tags[0]))

    def load(self, table, csv_file):
        cpu = self.cpu()
        seconds, _ = self.client.run("INSERT INTO %s.%s SELECT * FROM file('%s', 'CSVWithNames') SETTINGS max_threads "
                                     "= %d, max_insert_threads = %d" % (DATABASE, table, csv_file, self.threads,
                                                                        self.threads))
        return seconds, self.cpu() - cpu

    def settle(self, table="cpu"):
        self.client.run("OPTIMIZE TABLE %s.%s FINAL" % (DATABASE, table))

    def number(self, sql):
        path = self.work("count.csv")
        self.client.save(sql, path)
        with open(path) as f:
            return int(f.read().split()[1])

    def count(self, table="cpu"):
        return self.number("SELECT count() FROM %s.%s" % (DATABASE, table))

    def disk(self, table="cpu"):
        return self.number("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '%s'" % table)


# --- what is installed ---

def cache():
    return os.environ.get("TSFS_BENCH_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tsfs-bench")


def find_program(name):
    places = [os.path.join(cache(), "root", "usr", "bin")] + os.environ.get("PATH", "").split(":") + ["/usr/sbin"]
    for place in places:
        path = os.path.join(place, name)
        if os.access(path, os.X_OK):
            return path
    return None


def find_library(scope, name):
    """A library inside an npm package, in the bench's cache or in that of the interop tests."""
    for folder in (cache(), os.environ.get("TSFS_INTEROP_MODULES") or os.path.join(os.path.dirname(cache()),
                                                                                 "tsfs-interop")):
        found = sorted(glob.glob(os.path.join(folder, "node_modules", scope, "*", name)))
        if found:
            return found[0]
    return None


PEERS = {"victoriametrics": VictoriaMetrics, "influxdb": InfluxDB, "duckdb": DuckDB, "chdb": ChDB}
DEBIAN = {"victoria-metrics": "victoria-metrics", "influxd": "influxdb"}  # program: package
NPM = ["@duckdb/node-api", "chdb"]


def setup():
    """Fetches the peers into the user's cache.  Debian's packages are unpacked there, not installed, so no service
    of theirs is started and nothing of the system changes."""
    root = os.path.join(cache(), "root")
    os.makedirs(root, exist_ok=True)
    for program, package in DEBIAN.items():
        if find_program(program):
            continue
        say("fetching %s" % package)
        try:
            try:
                run(["apt-get", "download", package], cwd=cache())
            except Failed:
                run((["sudo"] if os.geteuid() else []) + ["apt-get", "update"])
                run(["apt-get", "download", package], cwd=cache())
            for deb in glob.glob(os.path.join(cache(), package + "_*.deb")):
                run(["dpkg-deb", "-x", deb, root])
                with open(os.path.join(cache(), program + ".version"), "w") as f:
                    f.write(run(["dpkg-deb", "-f", deb, "Version"]))
                os.unlink(deb)
        except (Failed, OSError) as e:
            say("%s is not to be had: %s" % (package, e))
    for package, there in zip(NPM, (DuckDB.find, ChDB.find)):
        if there():
            continue
        say("fetching %s" % package)
        try:
            with open(os.path.join(cache(), "package.json"), "a") as f:
                if not f.tell():
                    f.write('{"private": true}\n')
            run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock",
                 "--loglevel=error", package], cwd=cache())
        except (Failed, OSError) as e:
            say("%s is not to be had: %s" % (package, e))


def build_tsfs():
    """A release build of this tree."""
    build = os.path.join(TOP, "build", "bench")
    if not os.path.exists(os.path.join(build, "build.ninja")):
        run(["meson", "setup", "-Dtests=false", "-Dbuildtype=release", build, TOP])
    say("building tsfs")
    run(["ninja", "-C", build])
    return os.path.join(build, "src", "fs", "tsfs")


def versions(peers):
    """Of the peers, by what their packages say."""
    out = {}
    for name in peers:
        path = PEERS[name].find()
        out[name] = "unknown"
        package = os.path.join(os.path.dirname(path), "package.json")
        if name in ("duckdb", "chdb"):
            if os.path.exists(package):
                with open(package) as f:
                    out[name] = json.load(f).get("version", "unknown")
            continue
        noted = os.path.join(cache(), os.path.basename(path) + ".version")
        if path.startswith(cache()) and os.path.exists(noted):
            with open(noted) as f:
                out[name] = f.read().strip()
        elif p := subprocess.run(["dpkg-query", "-W", "-f", "${Version}", DEBIAN[PEERS[name].program]],
                                 capture_output=True, text=True):
            out[name] = p.stdout.strip() or "unknown"
    return out
