"""Cost against size: one series' questions beside many others, long histories, and while the daemon is busy."""

import os
import threading
import time

import queries
from engines import TIERS, Tsfs, sql_text
from load import expect
from machine import say, settle
from queries import START

PROBES = 10  # hosts with the benchmark's own density, the same in every set, about whom is asked
ASKED = ("single-groupby-1-1-1", "single-groupby-1-1-12", "cpu-max-all-1", "high-cpu-1")


def probes(bench, hours, start):
    return bench.work.make("probe_%d_%d.lp" % (hours, start), kind="cpu", hosts=PROBES, hours=hours, interval=10,
                           seed=bench.options.seed + 9, prefix="probe_", start=start)


def questions(bench, hours, start):
    asked = [q for q in queries.tsbs(bench.options.seed + 5, PROBES, hours, bench.options.instances, "probe_", start)
             if q.name in ASKED]
    for q in queries.tsbs(bench.options.seed + 6, PROBES, hours, bench.options.instances, "probe_", start):
        if q.name == "lastpoint":
            name = "probe_%d" % (len(asked) % PROBES)
            q.name = "lastpoint of one"
            q.texts = {"tsfs": q.texts["tsfs"].replace(" GROUP BY", " WHERE hostname = '%s' GROUP BY" % name)}
            asked.append(q)
    return asked


def times(client, asked, passes):
    """All times of each question, in ms, after a pass that is not counted."""
    out = {}
    for p in range(passes + 1):
        for q in asked:
            seconds, _ = client.run(sql_text(q, "tsfs"))
            if p:
                out.setdefault(q.name, []).append(seconds * 1e3)
    return out


def one_set(bench, label, background, hours, start):
    """A table with many series or many partitions, and the probes in it; hot, then cold."""
    work, o = bench.work, bench.options
    again = work.make("again.lp", **dict(background, start=START + background["interval"] // 2))
    files = [work.make("background.lp", **background), probes(bench, hours, start)]
    t = Tsfs(work, bench.tsfs, options=bench.tsfs_options)
    t.start()
    out = {"label": label, "series": background["hosts"] + PROBES}
    try:
        t.create(memory_retention="36500d")
        idle, cpu = t.memory(), t.cpu()
        seconds, _ = t.cat([[files[0]]])
        used = t.cpu() - cpu
        settle(t.pid)
        rows = t.rows()
        out.update(rows=rows, ingest_rows_per_s=rows / seconds, ingest_cpu_per_mrow=used / rows * 1e6,
                   hot_bytes_per_row=(t.memory() - idle) / rows)
        # The same series once more, between the points that are there: nothing is new to the daemon now.
        cpu = t.cpu()
        seconds, _ = t.cat([[again]])
        out.update(again_rows_per_s=rows / seconds, again_cpu_per_mrow=(t.cpu() - cpu) / rows * 1e6)
        expect("tsfs", t.rows(), 2 * rows)
        t.cat([[files[1]]])
        client = t.ask()
        asked = questions(bench, hours, start)
        out["hot_ms"] = times(client, asked, o.passes)
        client.close()
        seconds, used = t.migrate()
        out.update(migrate_seconds=seconds, migrate_cpu_per_mrow=used / t.rows() * 1e6,
                   partitions=len(t.segments()))
        settle(t.pid)
        out["cold_memory"] = t.memory()
        client = t.ask()
        out["cold_ms"] = times(client, asked, o.passes)
        client.close()
        size, _ = t.disk()
        out["disk_bytes_per_row"] = size / t.rows()
        t.stop()
        out["start_seconds"] = t.start(fresh=False)
        out["start_memory"] = t.memory()
        return out
    finally:
        t.stop()
        work.drop(t.data, again, *files)


def busy(bench):
    """The probes' questions while nothing else happens, during ingest and during migration."""
    work, o = bench.work, bench.options
    hours = 12 if o.quick else 72
    load = work.make("noise.lp", kind="cpu", hosts=o.hosts, hours=o.hours, interval=o.interval, seed=o.seed + 8,
                     measurement="noise")
    t = Tsfs(work, bench.tsfs, options=bench.tsfs_options)
    t.start()
    out = {}
    try:
        for tier in ("hot", "cold"):
            t.create(TIERS[tier])
            t.cat([[probes(bench, hours, START)]], TIERS[tier])
        t.migrate(TIERS["cold"])
        settle(t.pid)
        asked = [q for q in questions(bench, hours, START) if q.name == ASKED[0]]
        clients = {tier: t.ask(TIERS[tier]) for tier in ("hot", "cold")}
        for c in clients.values():
            times(c, asked, 1)
        for state in ("idle", "ingest", "migration"):
            done = threading.Event()

            def work_on():
                try:
                    if state == "ingest":
                        t.cat([[load]], "noise")
                    elif state == "migration":
                        t.migrate("noise")
                finally:
                    done.set()

            if state == "ingest":
                t.create("noise")
            thread = threading.Thread(target=work_on)
            samples = {tier: [] for tier in clients}
            end = time.monotonic() + (0.5 if o.quick else 3)
            if state != "idle":
                thread.start()
            while time.monotonic() < end if state == "idle" else not done.is_set():
                for q in asked:
                    for tier, client in clients.items():
                        samples[tier].append(client.run(sql_text(q, "tsfs"))[0] * 1e3)
            if state != "idle":
                thread.join()
            out[state] = samples
        for c in clients.values():
            c.close()
        return out
    finally:
        t.stop()
        work.drop(t.data, load)


def scale(bench):
    o = bench.options
    sets = []
    hours, rows = (12, 20000) if o.quick else (72, 2592000)
    for series in (100, 1000) if o.quick else (100, 10000, 1000000):
        steps = max(3, rows // series)
        sets.append(one_set(bench, "%d series" % series, dict(
            kind="cpu", hosts=series, hours=hours, interval=hours * 3600 // steps, seed=o.seed), hours, START))
        show(sets[-1])
    for days in (3, 30) if o.quick else (3, 365, 1095):
        steps = max(days, rows // 100)
        start = START + (max(days * 24, hours) - hours) * 3600
        sets.append(one_set(bench, "%d days" % days, dict(
            kind="cpu", hosts=100, hours=days * 24, interval=days * 86400 // steps, seed=o.seed), hours, start))
        show(sets[-1])
    bench.work.drop(*[bench.work(f) for f in os.listdir(bench.work.path) if f.startswith("probe_")])
    return {"sets": sets, "busy": busy(bench)}


def show(one):
    hot, cold = (sorted(one[k][ASKED[0]]) for k in ("hot_ms", "cold_ms"))
    say("  %-16s %8.0f rows/s, %4d partitions, %s: hot %.2f ms, cold %.2f ms" % (
        one["label"], one["ingest_rows_per_s"], one["partitions"], ASKED[0], hot[len(hot) // 2], cold[len(cold) // 2]))
