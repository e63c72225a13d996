"""Queries: timed in turns, answers compared; hot and cold, warm and from an empty page cache, on one and on all cores."""

import os
import random
import shutil
import time

import queries
from compare import SQLite, difference
from disk import iot_files
from engines import (DATABASE, TIERS, ChDB, DuckDB, InfluxDB, Tsfs, VictoriaMetrics, sql_text)
from load import check, csv_file, expect, line_protocol
from machine import Failed, drop_from_cache, files_below, say, settle
from queries import CPU_FIELDS, CPU_TAGS, IOT_FIELDS, IOT_TAGS


class Contender:
    """Somebody who answers: the client to ask, how to spell a query for it, and what it has used so far."""

    def __init__(self, name, client, text, server_cpu=None, checked=False):
        self.name, self.client, self.text, self.checked = name, client, text, checked
        self.server_cpu = server_cpu
        self.failed = {}

    def cpu(self):
        return self.client.usage()[0] + (self.server_cpu() if self.server_cpu else 0)


def tsfs_contender(t, name, database=DATABASE):
    return Contender(name, t.ask(database), lambda q: sql_text(q, "tsfs"), t.cpu, checked=True)


class Reference:
    """The right answers: DuckDB's over the generator's CSV, or SQLite's where there is no DuckDB."""

    def __init__(self, bench, tables):
        """tables: name -> (CSV, tags, fields)"""
        self.work = bench.work
        self.engine = None
        if bench.has("duckdb"):
            self.engine = DuckDB(bench.work, bench.cores, "reference.duckdb")
            self.engine.start()
        else:
            self.sqlite = SQLite()
        for table, (csv, tags, fields) in tables.items():
            if self.engine:
                self.engine.create(table, tags, fields)
                self.engine.load(table, csv)
            else:
                self.sqlite.load(table, csv, tags, fields)
        self.name = "DuckDB" if self.engine else "SQLite"

    def contender(self):
        return Contender("duckdb", self.engine.client, self.engine.text)

    def save(self, query):
        path = self.work("reference.csv")
        if self.engine:
            self.engine.client.save(self.engine.text(query), path)
        else:
            self.sqlite.save(query, path)
        return path

    def stop(self):
        if self.engine:
            self.engine.stop()
            self.work.drop(self.engine.path)


def by_name(all_queries):
    groups = {}
    for q in all_queries:
        groups.setdefault(q.name, []).append(q)
    return groups


def compare(bench, groups, contenders, reference):
    """Runs every query once everywhere: warms what is to be warm, and compares the answers of those that are to be
    right to the last digit."""
    compared = 0
    for name, instances in groups.items():
        for q in instances:
            wanted = reference.save(q)
            for c in contenders:
                text = c.text(q)
                if text is None or name in c.failed:
                    continue
                try:
                    if not c.checked:
                        c.client.run(text)
                        continue
                    path = bench.work("answer.csv")
                    c.client.save(text, path)
                    wrong = difference(q, path, wanted)
                    compared += 1
                    if wrong:
                        bench.differ("%s, %s: %s\n    %s" % (name, c.name, wrong, text))
                except Failed as e:
                    c.failed[name] = str(e)
                    if c.checked and c.name.startswith("tsfs"):
                        bench.differ("%s, %s: %s\n    %s" % (name, c.name, e, text))
                    else:
                        bench.skip("%s: %s" % (c.name, name), str(e))
    return compared


def measure(bench, groups, contenders, passes):
    """In turns: all instances of one question at one contender, then at the next; the next pass begins with another."""
    out = {name: {} for name in groups}
    for p in range(passes):
        for i, (name, instances) in enumerate(groups.items()):
            turn = (p + i) % len(contenders)
            for c in contenders[turn:] + contenders[:turn]:
                if name in c.failed or c.text(instances[0]) is None:
                    continue
                cpu, times, size = c.cpu(), [], 0
                try:
                    for q in instances:
                        seconds, amount = c.client.run(c.text(q))
                        times.append(seconds * 1e3)
                        size += amount
                except Failed as e:  # a peer's failure is its own, ours is everybody's
                    if c.name.startswith("tsfs"):
                        raise
                    c.failed[name] = str(e)
                    out[name].pop(c.name, None)
                    bench.skip("%s: %s" % (c.name, name), str(e))
                    continue
                one = out[name].setdefault(c.name, {"ms": [], "cpu_ms": [], "bytes": size // len(instances)})
                one["ms"].append(times)
                one["cpu_ms"].append((c.cpu() - cpu) / len(instances) * 1e3)
    return out


def segments_contender(bench, folders):
    """DuckDB over copies of our segments.  folders: table -> folder."""
    d = DuckDB(bench.work, bench.cores, dialect="segments")
    d.start()
    for table, folder in folders.items():
        d.client.run("CREATE VIEW %s AS SELECT * FROM read_parquet('%s/*.parquet')" % (table, folder))
    return d, Contender("duckdb-segments", d.client, d.text, checked=True)


def copy_segments(bench, t, database, tables):
    folders = {}
    for table in tables:
        folders[table] = bench.work.fresh("segments_" + table)
        for path in t.segments(database, table):
            shutil.copy(path, folders[table])
    return folders


def summary(groups):
    for name, engines in groups.items():
        line = []
        for engine, one in engines.items():
            times = sorted(x for p in one["ms"] for x in p)
            line.append("%s %.2f" % (engine, times[len(times) // 2]))
        say("  %-22s %s" % (name, "  ".join(line)))


def query(bench):
    """The fourteen questions, warm: hot and cold tier, and every peer."""
    work, o = bench.work, bench.options
    lp, csv = line_protocol(bench, o.values), csv_file(bench, o.values)
    fields = {f: o.values for f in CPU_FIELDS}
    asked = by_name(queries.tsbs(o.seed + 1, o.hosts, o.hours, o.instances))
    started = []
    reference = Reference(bench, {"cpu": (csv, CPU_TAGS, fields)})
    started.append(reference)
    contenders = []
    try:
        t = Tsfs(work, bench.tsfs, options=bench.tsfs_options)
        t.start()
        started.append(t)
        for tier in ("hot", "cold"):
            t.create(TIERS[tier])
            t.cat([[lp]], TIERS[tier])
            expect("tsfs", t.rows(database=TIERS[tier]), bench.rows)
        t.migrate(TIERS["cold"])
        contenders += [tsfs_contender(t, "tsfs " + tier, TIERS[tier]) for tier in ("hot", "cold")]
        for kind in (VictoriaMetrics, InfluxDB):
            if bench.has(kind.name):
                s = kind(work)
                s.start()
                started.append(s)
                s.post(lp, 2)
                check(s.name, s, bench)
                s.settle()
                contenders.append(Contender(s.name, s.ask(), s.text, s.cpu))
        if bench.has("duckdb"):
            contenders.append(reference.contender())
            d = DuckDB(work, bench.cores, "sorted.duckdb")
            d.start()
            started.append(d)
            d.create("cpu", CPU_TAGS, fields)
            d.create("loaded", CPU_TAGS, fields)
            d.load("loaded", csv)
            d.client.run("INSERT INTO cpu SELECT * FROM loaded ORDER BY hostname, time")
            d.client.run("DROP TABLE loaded")
            d.client.run("CHECKPOINT")
            contenders.append(Contender("duckdb-sorted", d.client, d.text))
            d, c = segments_contender(bench, copy_segments(bench, t, TIERS["cold"], ["cpu"]))
            started.append(d)
            contenders.append(c)
        if bench.has("chdb"):
            c = ChDB(work, bench.cores)
            c.start()
            started.append(c)
            c.create("cpu", CPU_TAGS, fields)
            c.load("cpu", csv)
            c.settle()
            contenders.append(Contender("chdb", c.client, c.text, checked=True))
        settle(t.pid)
        compared = compare(bench, asked, contenders, reference)
        say("  %d answers compared with %s's" % (compared, reference.name))
        results = measure(bench, asked, contenders, o.passes)
        summary(results)
        loose = sorted({"%s/%s" % (q.name, d) for instances in asked.values() for q in instances for d in q.loose})
        return {"queries": results, "compared": compared, "reference": reference.name, "loose": loose,
                "rows": bench.rows, "values": o.values}
    finally:
        for c in contenders:
            c.client.close()
        for s in reversed(started):
            s.stop()
        for name in ("tsfs.data", "victoriametrics", "influxdb", "sorted.duckdb", "chdb", "segments_cpu"):
            work.drop(work(name))


def iot(bench):
    """The vehicles: answers compared, tsfs beside DuckDB."""
    work, o = bench.work, bench.options
    lp, csv, options = iot_files(bench)
    asked = by_name(queries.iot(o.seed + 2, options["hosts"], o.hours, o.instances))
    reference = Reference(bench, {m: (csv[m], IOT_TAGS, IOT_FIELDS[m]) for m in csv})
    t = Tsfs(work, bench.tsfs, options=bench.tsfs_options, table="readings")
    segments, contenders = None, []
    try:
        t.start()
        size, out = os.path.getsize(lp), {}
        with open(csv["readings"], "rb") as f, open(csv["diagnostics"], "rb") as g:
            counts = {"readings": sum(1 for _ in f) - 1, "diagnostics": sum(1 for _ in g) - 1}
        for tier in ("hot", "cold"):
            t.create(TIERS[tier])
            cpu = t.cpu()
            seconds, _ = t.cat([[lp]], TIERS[tier])
            used = t.cpu() - cpu
            for table, rows in counts.items():
                expect("tsfs's " + table, t.rows(table, TIERS[tier]), rows)
        rows = sum(counts.values())
        out = {"rows": rows, "rows_per_s": rows / seconds, "mb_per_s": size / 1e6 / seconds,
               "cpu_per_mrow": used / rows * 1e6}
        seconds, used = t.migrate(TIERS["cold"])
        out["migrate_cpu_per_mrow"] = used / rows * 1e6
        # Half of it migrates before the rest comes, so that late points meet segments.
        t.create(TIERS["mixed"])
        half = work("half.lp")
        with open(lp, "rb") as f, open(half, "wb") as g, open(work("rest.lp"), "wb") as h:
            for i, line in enumerate(f):
                (g if i < rows // 2 else h).write(line)
        t.cat([[half]], TIERS["mixed"])
        t.migrate(TIERS["mixed"])
        t.cat([[work("rest.lp")]], TIERS["mixed"])
        for table, n in counts.items():
            expect("tsfs's " + table, t.rows(table, TIERS["mixed"]), n)
        contenders = [tsfs_contender(t, "tsfs " + tier, TIERS[tier]) for tier in TIERS]
        if bench.has("duckdb"):
            contenders.append(reference.contender())
            segments, c = segments_contender(bench, copy_segments(bench, t, TIERS["cold"], list(counts)))
            contenders.append(c)
        settle(t.pid)
        out["compared"] = compare(bench, asked, contenders, reference)
        say("  %d answers compared with %s's" % (out["compared"], reference.name))
        out["queries"] = measure(bench, asked, contenders, o.passes)
        summary(out["queries"])
        return out
    finally:
        for c in contenders:
            c.client.close()
        if segments:
            segments.stop()
        t.stop()
        reference.stop()
        work.drop(t.data, lp, work("half.lp"), work("rest.lp"), *csv.values())


SCATTERED = 64 << 10  # bytes: about a page of a segment


def coldstart(bench):
    """A daemon that has just started, its files dropped from the page cache: the first answer to each question.  What it
    read from the disk is read again for comparison: plainly, and in pieces of a page's size at places of no order."""
    work, o = bench.work, bench.options
    lp = line_protocol(bench, o.values)
    asked = by_name(queries.tsbs(o.seed + 3, o.hosts, o.hours, min(5, o.instances)))
    t = Tsfs(work, bench.tsfs, options=bench.tsfs_options)
    out = {}
    try:
        t.start()
        t.create()
        t.cat([[lp]])
        t.migrate()
        folder = copy_segments(bench, t, DATABASE, ["cpu"])["cpu"]
        t.stop()
        for name, instances in asked.items():
            ours, theirs, bytes_read = [], [], []
            for q in instances:
                t.drop_cache()
                t.start(fresh=False)
                client = t.ask()
                t.drop_cache()  # what the start itself has read
                before = read_bytes(t.pid)
                ours.append(client.run(sql_text(q, "tsfs"))[0] * 1e3)
                bytes_read.append(read_bytes(t.pid) - before)
                client.close()
                t.stop()
                if bench.has("duckdb"):
                    d, c = segments_contender(bench, {"cpu": folder})
                    drop_from_cache(folder)
                    theirs.append(d.client.run(d.text(q))[0] * 1e3)
                    d.stop()
            out[name] = {"tsfs_ms": ours, "bytes_read": bytes_read}
            if theirs:
                out[name]["duckdb_segments_ms"] = theirs
        return {"queries": out, "disk_bytes_per_s": reading_speed(folder, 1 << 20, None),
                "scattered_bytes_per_s": reading_speed(folder, SCATTERED, random.Random(o.seed))}
    finally:
        t.stop()
        work.drop(t.data, work("segments_cpu"))


def reading_speed(folder, step, shuffle):
    """Bytes a second of a folder's files that are not in the page cache, so many at a time; the median of three.  With shuffle
    in an order of its making, without one from the beginning to the end."""
    speeds = []
    for _ in range(3):
        drop_from_cache(folder)
        files = [os.open(path, os.O_RDONLY) for path in files_below(folder)]
        places = [(fd, at) for fd in files for at in range(0, os.fstat(fd).st_size, step)]
        if shuffle:
            shuffle.shuffle(places)
            for fd in files:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        size, begin = 0, time.monotonic()
        for fd, at in places:
            size += len(os.pread(fd, step, at))
        speeds.append(size / (time.monotonic() - begin))
        for fd in files:
            os.close(fd)
    return sorted(speeds)[1]


def read_bytes(pid):
    with open("/proc/%d/io" % pid) as f:
        for line in f:
            if line.startswith("read_bytes:"):
                return int(line.split()[1])
    return 0


LONG = ("double-groupby-1", "double-groupby-5", "double-groupby-all", "high-cpu-all", "lastpoint",
        "groupby-orderby-limit", "cpu-max-all-8")


def parallel(bench):
    """The long questions and migration on one thread and on all."""
    work, o = bench.work, bench.options
    lp = line_protocol(bench, o.values)
    asked = {n: q for n, q in by_name(queries.tsbs(o.seed + 4, o.hosts, o.hours, o.instances)).items() if n in LONG}
    counts = [1, bench.cores]
    daemons, contenders, migrations = [], [], []
    try:
        for n in counts:
            t = Tsfs(work, bench.tsfs, "threads_%d" % n, bench.tsfs_options + ["--threads=%d" % n])
            t.start()
            daemons.append(t)
        for r in range(o.reps):
            for n, t in zip(counts, daemons):
                name = "run%d" % r
                t.create(name)
                t.cat([[lp]], name)
                settle(t.pid)
                seconds, cpu = t.migrate(name)
                migrations.append({"threads": n, "seconds": seconds, "cpu": cpu})
        for n, t in zip(counts, daemons):
            contenders.append(tsfs_contender(t, "cold, %d" % n, "run0"))
            t.create("hot")
            t.cat([[lp]], "hot")
            contenders.append(tsfs_contender(t, "hot, %d" % n, "hot"))
            settle(t.pid)
        for instances in asked.values():
            for q in instances:
                for c in contenders:
                    c.client.run(c.text(q))
        results = measure(bench, asked, contenders, o.passes)
        summary(results)
        return {"threads": counts, "migrations": migrations, "queries": results}
    finally:
        for c in contenders:
            c.client.close()
        for t in daemons:
            t.stop()
            work.drop(t.data)
