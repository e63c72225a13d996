"""Ingest: bulk, single lines, synchronous writers; and what a start after a crash takes."""

import json
import os
import subprocess
import time

from engines import DATABASE, ChDB, DuckDB, InfluxDB, Tsfs, VictoriaMetrics
from machine import Failed, cpu_of_children, run, say, settle, warm_cache
from queries import CPU_FIELDS, CPU_TAGS, START

PARTS = 8


def workload(bench, values="int", **more):
    """The options of the generator for this run's data set."""
    o = bench.options
    return dict(dict(kind="cpu", hosts=o.hosts, hours=o.hours, interval=o.interval, seed=o.seed, values=values), **more)


def line_protocol(bench, values="int"):
    bench.work.need(bench.rows * 400 + (1 << 28), "the line protocol")
    return bench.work.make("cpu_%s.lp" % values, **workload(bench, values))


def csv_file(bench, values="int"):
    bench.work.need(bench.rows * 150 + (1 << 28), "the CSV")
    return bench.work.make("cpu_%s.csv" % values, **workload(bench, values, format="csv"))


def expect(what, got, wanted):
    if got != wanted:
        raise Failed("%s holds %d rows, %d were sent" % (what, got, wanted))


def check(engine, server, bench):
    end = START + int(bench.options.hours * 3600)
    expect(engine, server.count(START, end), bench.rows)


def ingest(bench):
    """Every way of loading the same data, one after the other, as often as asked for."""
    work, o = bench.work, bench.options
    lp = line_protocol(bench)
    writers = [1, 4] if o.quick else [1, 2, 4, 8]
    # Several writers: each has hosts of its own, as collectors have.
    bench.work.need(os.path.getsize(lp) * 4, "ingest")
    parts = [work.make("part_%d.lp" % k, **workload(bench, part="%d/%d" % (k, PARTS))) for k in range(PARTS)]
    csv = csv_file(bench) if bench.rival("duckdb") or bench.rival("chdb") else None
    runs = []

    def note(engine, how, seconds, cpu, size, **more):
        runs.append(dict(engine=engine, how=how, seconds=seconds, rows_per_s=bench.rows / seconds,
                         values_per_s=bench.rows * 10 / seconds, mb_per_s=size / 1e6 / seconds,
                         cpu_per_mrow=cpu / bench.rows * 1e6, **more))
        say("  %-16s %-16s %8.0f rows/s  %6.2f CPU s/Mrow" % (engine, how, bench.rows / seconds,
                                                             cpu / bench.rows * 1e6))

    def ours(n):
        t = Tsfs(work, bench.tsfs, options=bench.tsfs_options)
        t.start()
        try:
            t.create()
            warm_cache([lp] if n == 1 else parts)
            idle, cpu = t.memory(), t.cpu()
            groups = [[lp]] if n == 1 else [parts[k::n] for k in range(n)]
            seconds, client = t.cat(groups)
            used = t.cpu() - cpu
            expect("tsfs", t.rows(), bench.rows)
            settle(t.pid)
            note("tsfs", "%d writer%s" % (n, "s"[:n > 1]), seconds, used, os.path.getsize(lp),
                 client_cpu_per_mrow=client / bench.rows * 1e6, settled_cpu_per_mrow=(t.cpu() - cpu) / bench.rows * 1e6,
                 memory_per_value=(t.memory() - idle) / (bench.rows * 10))
        finally:
            t.stop()
            work.drop(t.data)

    def server(kind, connections):
        s = kind(work)
        s.start()
        try:
            out = s.post(lp, connections)
            check(s.name, s, bench)
            note(s.name, "%d connection%s" % (connections, "s"[:connections > 1]), out["seconds"], out["cpu"],
                 os.path.getsize(lp), client_cpu_per_mrow=out["client_cpu"] / bench.rows * 1e6)
        finally:
            s.stop()
            work.drop(s.data)

    def embedded(engine):
        engine.start()
        try:
            engine.create("cpu", CPU_TAGS, {f: "int" for f in CPU_FIELDS})
            warm_cache([csv])
            seconds, cpu = engine.load("cpu", csv)
            expect(engine.name, engine.count(), bench.rows)
            note(engine.name, "CSV", seconds, cpu, os.path.getsize(csv))
        finally:
            engine.stop()
            work.drop(engine.path)

    def copy():
        target = work("copy")
        warm_cache([lp])
        cpu, begin = cpu_of_children(), time.monotonic()
        run(["cp", lp, target])
        note("cp", "same disk", time.monotonic() - begin, cpu_of_children() - cpu, os.path.getsize(lp))
        os.unlink(target)

    peers = []
    for connections in ((2,) if o.quick else (1, 2)):
        peers += [lambda c=connections: server(VictoriaMetrics, c)] if bench.rival("victoriametrics") else []
        peers += [lambda c=connections: server(InfluxDB, c)] if bench.rival("influxdb") else []
    peers += [lambda: embedded(DuckDB(work, bench.cores, "ingest.duckdb"))] if bench.rival("duckdb") else []
    peers += [lambda: embedded(ChDB(work, bench.cores))] if bench.rival("chdb") else []
    for _ in range(o.reps):
        copy()
        turn = list(peers)
        for i, n in enumerate(writers):
            ours(n)
            share = -(-len(turn) // (len(writers) - i)) if turn else 0
            for peer in turn[:share]:
                peer()
            turn = turn[share:]
    work.drop(*parts)
    return {"runs": runs, "rows": bench.rows, "bytes": os.path.getsize(lp)}


ECHO = 'for ((i = 0; i < $2; i++)); do echo "echo,host=h$((i % 10)) value=${i}i" >> "$1"; done'


def echo(bench):
    """A shell that appends a line at a time: to us, to a FUSE file that does nothing, to a plain file."""
    work, o = bench.work, bench.options
    times = 200 if o.quick else 2000
    t = Tsfs(work, bench.tsfs, options=bench.tsfs_options)
    noop = work.fresh("noop.mnt")
    t.start()
    p = subprocess.Popen([work("noopfs"), noop], stderr=subprocess.PIPE)

    def unmount():
        p.terminate()
        p.wait(10)

    work.at_end(unmount)
    samples = {"tsfs": [], "noop": [], "plain": []}
    try:
        for _ in range(100):
            if os.path.ismount(noop):
                break
            time.sleep(0.05)
        else:
            raise Failed("noopfs does not mount")
        t.create()
        files = {"tsfs": t.path(DATABASE, "write"), "noop": os.path.join(noop, "write"), "plain": work("plain")}
        for _ in range(max(3, o.reps)):
            for name, path in files.items():
                begin = time.monotonic()
                run(["bash", "-c", ECHO, "bash", path, str(times)])
                samples[name].append((time.monotonic() - begin) / times * 1e6)
    finally:
        t.stop()
        work.forget(unmount)
        unmount()
        work.drop(t.data)
    return {"us": samples, "times": times}


def sync(bench):
    """O_DSYNC writers: how many lines a second reach the disk, for 1 to 8 of them."""
    work, o = bench.work, bench.options
    seconds = 0.3 if o.quick else 2
    t = Tsfs(work, bench.tsfs, options=bench.tsfs_options)
    t.start()
    runs = []
    try:
        t.create()
        for _ in range(o.reps):
            for n in (1, 4) if o.quick else (1, 2, 4, 8):
                for engine, path in (("tsfs", t.path(DATABASE, "write")), ("plain file", work("plain.sync"))):
                    out = json.loads(run([work("writers"), path, str(n), str(seconds)]))
                    runs.append(dict(engine=engine, writers=n, writes_per_s=out["writes"] / out["seconds"],
                                     p50_us=out["p50_us"], p99_us=out["p99_us"]))
        sent = sum(r["writes_per_s"] for r in runs if r["engine"] == "tsfs")
        say("  %d synchronous runs, %.0f writes/s on average" % (len(runs), sent / max(1, len(runs) / 2)))
    finally:
        t.stop()
        work.drop(t.data, work("plain.sync"))
    return {"runs": runs, "seconds": seconds}
