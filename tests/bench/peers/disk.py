"""What stays: memory of hot points, a start after a kill, the cost of migration, bytes on the disk."""

import os
import shutil
import time

from engines import DATABASE, ChDB, DuckDB, InfluxDB, Tsfs, VictoriaMetrics
from load import check, csv_file, expect, line_protocol
from machine import Failed, say, settle, warm_cache
from queries import CPU_FIELDS, CPU_TAGS

GIVEN_BACK_S = 12  # until the daemon has let go of the memory that it held ready for more rows

# Ways of writing Parquet that come out smallest for one kind of data or another, besides DuckDB's defaults.
PARQUET = {
    "parquet, zstd": "COMPRESSION zstd",
    "parquet, zstd 9, V2, large groups": "COMPRESSION zstd, COMPRESSION_LEVEL 9, PARQUET_VERSION V2, "
                                         "ROW_GROUP_SIZE 1000000",
    "parquet, zstd 19, V2, large groups": "COMPRESSION zstd, COMPRESSION_LEVEL 19, PARQUET_VERSION V2, "
                                          "ROW_GROUP_SIZE 1000000",
    "parquet, zstd 9, V2, no dictionary": "COMPRESSION zstd, COMPRESSION_LEVEL 9, PARQUET_VERSION V2, "
                                          "ROW_GROUP_SIZE 1000000, DICTIONARY_SIZE_LIMIT 1",
}
# More of them, for recordings: the benchmark's own 26 million values would take minutes in each.
PARQUET_OF_RECORDINGS = PARQUET | {
    "parquet, zstd 19, V2, no Bloom": "COMPRESSION zstd, COMPRESSION_LEVEL 19, PARQUET_VERSION V2, "
                                      "ROW_GROUP_SIZE 1000000, WRITE_BLOOM_FILTER false",
    "parquet, zstd 19, plain, no Bloom": "COMPRESSION zstd, COMPRESSION_LEVEL 19, PARQUET_VERSION V1, "
                                         "ROW_GROUP_SIZE 1000000, DICTIONARY_SIZE_LIMIT 1, WRITE_BLOOM_FILTER false",
    "parquet, brotli, V2, no Bloom": "COMPRESSION brotli, PARQUET_VERSION V2, ROW_GROUP_SIZE 1000000, "
                                     "WRITE_BLOOM_FILTER false",
    "parquet, brotli, V2, no dictionary": "COMPRESSION brotli, PARQUET_VERSION V2, ROW_GROUP_SIZE 1000000, "
                                          "DICTIONARY_SIZE_LIMIT 1, WRITE_BLOOM_FILTER false",
    "parquet, brotli, plain, no Bloom": "COMPRESSION brotli, PARQUET_VERSION V1, ROW_GROUP_SIZE 1000000, "
                                        "DICTIONARY_SIZE_LIMIT 1, WRITE_BLOOM_FILTER false",
}


def ours(bench, files, rows, values, table="cpu", **settings):
    """Loads, kills, starts again, migrates.  rows, values: None asks the daemon."""
    work = bench.work
    t = Tsfs(work, bench.tsfs, options=bench.tsfs_options, table=table)
    t.start()
    try:
        t.create(**settings)
        warm_cache(files)
        idle, own = t.memory(), t.cpu()
        seconds, _ = t.cat([files])
        settle(t.pid)
        time.sleep(GIVEN_BACK_S)
        out = {"hot_bytes": t.memory() - idle, "ingest_seconds": seconds, "hot_disk_bytes": t.disk()[0]}
        count = t.rows(table)
        if rows is not None:
            expect("tsfs", count, rows)
        if values is None:
            values = count_values(t, table)
        t.kill()
        out["start_seconds"] = t.start(fresh=False)
        out["start_cpu"] = t.cpu()
        expect("tsfs after a kill", t.rows(table), count)
        out["migrate_seconds"], out["migrate_cpu"] = t.migrate()
        expect("tsfs after migration", t.rows(table), count)
        settle(t.pid)
        size, blocks = t.disk()
        out.update(rows=count, values=values, bytes=size, blocks=blocks, bytes_per_value=size / values,
                   hot_bytes_per_value=out["hot_bytes"] / values, start_rows_per_s=count / out["start_seconds"],
                   ingest_rows_per_s=count / seconds, migrate_cpu_per_mrow=out["migrate_cpu"] / count * 1e6)
        say("  tsfs %.3f bytes a value, hot %.1f; start %.0f rows/s; migration %.2f CPU s/Mrow" % (
            out["bytes_per_value"], out["hot_bytes_per_value"], out["start_rows_per_s"], out["migrate_cpu_per_mrow"]))
        folder = work.fresh("segments")
        for path in t.segments(table=table):
            shutil.copy(path, folder)
        return out
    finally:
        t.stop()
        work.drop(t.data)


def count_values(t, table):
    with open(t.path(DATABASE, table, "schema")) as f:
        measures = [row[0] for row in (line.rstrip("\n").split("\t") for line in f) if row[1] == "measure"]
    if not measures:
        raise Failed("%s has no measures" % table)
    return sum(int(x) for x in t.value("SELECT %s FROM %s" % (", ".join('count("%s")' % m for m in measures), table)))


def columns_of(t, table):
    with open(t.path(DATABASE, table, "schema")) as f:
        return [line.split("\t")[:2] for line in f][1:]


def best_parquet(bench, keys, values, ways):
    """The same rows, as DuckDB writes them: our segments read, sorted, and written in several ways."""
    work, sizes = bench.work, {}
    d = DuckDB(work, bench.cores)
    d.start()
    try:
        order = ", ".join(keys + ["time"])
        for name, how in ways.items():
            if bench.options.quick and "19" in name:
                continue
            target = work("trial.parquet")
            try:
                d.client.run("COPY (SELECT * FROM read_parquet('%s/*.parquet') ORDER BY %s) TO '%s' (FORMAT parquet, %s)" % (
                    work("segments"), order, target, how))
                sizes[name] = os.path.getsize(target) / values
            except Failed as e:
                say("  DuckDB, %s: %s" % (name, e))
            work.drop(target)
    finally:
        d.stop()
    return sizes


def peers_disk(bench, kind, lp):
    """Bytes a value of each peer, at rest, everything counted."""
    work, out, values = bench.work, {}, bench.rows * 10

    def note(name, size):
        out[name] = size / values
        say("  %-34s %.3f bytes a value" % (name, size / values))

    for server in (VictoriaMetrics, InfluxDB):
        if not bench.rival(server.name):
            continue
        s = server(work)
        s.start()
        try:
            s.post(lp, 2)
            check(s.name, s, bench)
            s.settle()
            s.stop()
            note(s.name, s.disk())
        finally:
            s.stop()
            work.drop(s.data)
    fields = {f: kind for f in CPU_FIELDS}
    csv = csv_file(bench, kind) if bench.rival("duckdb") or bench.rival("chdb") else None
    if bench.rival("duckdb"):
        d = DuckDB(work, bench.cores, "disk.duckdb")
        d.start()
        try:
            d.create("cpu", CPU_TAGS, fields)
            d.load("cpu", csv)
            note("duckdb, as loaded", d.disk())
            d.create("sorted", CPU_TAGS, fields)
            before = d.disk()
            d.client.run("INSERT INTO sorted SELECT * FROM cpu ORDER BY hostname, time")
            d.client.run("CHECKPOINT")
            note("duckdb, sorted", d.disk() - before)
        finally:
            d.stop()
            work.drop(d.path)
        for name, size in best_parquet(bench, ["hostname"], values, PARQUET).items():
            note("duckdb, " + name, size * values)
    if bench.rival("chdb"):
        c = ChDB(work, bench.cores)
        c.start()
        try:
            c.create("cpu", CPU_TAGS, fields, " CODEC(Delta, ZSTD(3))", " CODEC(DoubleDelta, ZSTD(1))")
            c.load("cpu", csv)
            c.settle()
            note("chdb, delta and zstd 3", c.disk())
        finally:
            c.stop()
            work.drop(c.path)
    if csv:
        work.drop(csv)
    return out


def disk(bench):
    out = {}
    for kind in ("int", "float"):
        say("  %s values" % kind)
        lp = line_protocol(bench, kind)
        one = {"tsfs": ours(bench, [lp], bench.rows, bench.rows * 10)}
        one["peers"] = peers_disk(bench, kind, lp)
        if kind == "float":
            try:
                one["tsfs, decimals"] = ours(bench, [lp], bench.rows, bench.rows * 10,
                                             decimals=",".join("%s:2" % f for f in CPU_FIELDS))
            except (Failed, OSError) as e:
                bench.skip("disk: measures declared decimal", str(e))
            bench.work.drop(lp)
        out[kind] = one
    for path in bench.options.lp:
        say("  %s" % os.path.basename(path))
        out[os.path.basename(path)] = foreign(bench, path)
    return out


def foreign(bench, path):
    """Bytes a value of a line-protocol file from elsewhere, a table for each measurement in it."""
    tables = set()
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                tables.add(line.split(",")[0].split(" ")[0])
    out = {}
    for table in sorted(tables):
        name = bench.work("foreign.lp")
        with open(path, encoding="utf-8", errors="surrogateescape") as f, open(
                name, "w", encoding="utf-8", errors="surrogateescape") as g:
            g.writelines(line for line in f if line.split(",")[0].split(" ")[0] == table)
        t = Tsfs(bench.work, bench.tsfs, table=table)
        t.start()
        try:
            t.create()
            t.cat([[name]])
            keys = [c for c, role in columns_of(t, table) if role == "dimension"]
        finally:
            t.stop()
            bench.work.drop(t.data)
        one = {"tsfs": ours(bench, [name], None, None, table=table), "peers": {}}
        if bench.rival("duckdb"):
            values = one["tsfs"]["values"]
            one["peers"] = {"duckdb, " + k: v for k, v in best_parquet(
                bench, ['"%s"' % k for k in keys], values, PARQUET_OF_RECORDINGS).items()}
        out[table] = one
        bench.work.drop(name)
    return out


def iot_files(bench):
    """The vehicles: line protocol with everything in it, and a CSV for each measurement."""
    o = bench.options
    options = dict(kind="iot", hosts=max(10, o.hosts * 4), hours=o.hours, interval=o.interval * 6, seed=o.seed)
    lp = bench.work.make("iot.lp", **options)
    csv = {m: bench.work.make("iot_%s.csv" % m, format="csv", measurement=m, **options)
           for m in ("readings", "diagnostics")}
    return lp, csv, options
