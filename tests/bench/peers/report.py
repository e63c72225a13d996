"""Tables from a run's results: as text for a terminal, as Markdown into a document.  Figures are never typed."""

import math
import re

NAMES = {"tsfs": "tsfs", "victoriametrics": "VictoriaMetrics", "influxdb": "InfluxDB", "duckdb": "DuckDB",
         "duckdb-sorted": "DuckDB sorted", "duckdb-segments": "DuckDB on our segments", "chdb": "chDB",
         "cp": "cp"}


def median(values):
    v = sorted(values)
    n = len(v)
    return (v[(n - 1) // 2] + v[n // 2]) / 2 if n else float("nan")


def percentile(values, p):
    v = sorted(values)
    return v[min(len(v) - 1, int(len(v) * p / 100))] if v else float("nan")


def number(x):
    """Three digits that count."""
    if x is None or (isinstance(x, float) and math.isnan(x)):
        return "-"
    if isinstance(x, int):
        return "{:,}".format(x)
    if abs(x) >= 1000:
        return "{:,.0f}".format(float("%.3g" % x))
    return "%.*f" % (max(0, 2 - int(math.floor(math.log10(abs(x))))) if x else 0, x)


def spread(values):
    """The median, and how far the samples lie apart."""
    values = list(values)
    if not values:
        return "-"
    low, high = number(min(values)), number(max(values))
    return number(median(values)) if low == high else "%s (%s-%s)" % (number(median(values)), low, high)


def geomean(values):
    values = [v for v in values if v > 0]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


class Table:
    def __init__(self, key, title, head, rows, notes=()):
        self.key, self.title, self.head, self.rows, self.notes = key, title, head, rows, list(notes)

    def text(self):
        cells = [self.head] + [[str(c) for c in r] for r in self.rows]
        widths = [max(len(r[i]) for r in cells) for i in range(len(self.head))]
        lines = ["", self.title]
        for n, r in enumerate(cells):
            lines.append("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                          for i, (c, w) in enumerate(zip(r, widths))).rstrip())
            if n == 0:
                lines.append("  " + "  ".join("-" * w for w in widths))
        return "\n".join(lines + ["  " + n for n in self.notes])

    def markdown(self):
        lines = ["| %s |" % " | ".join(self.head), "| --- |" + " ---: |" * (len(self.head) - 1)]
        lines += ["| %s |" % " | ".join(str(c) for c in r) for r in self.rows]
        if self.notes:
            lines += [""] + ["- " + n for n in self.notes]
        return "\n".join(lines)


def facts_table(r):
    f = r["facts"]
    rows = [["date, commit", "%s, %s" % (f["date"], f["commit"])],
            ["processor", "%s, %d cores" % (f["cpu"], f["cores"])],
            ["memory", "%.0f GiB" % (f["memory_bytes"] / 2**30)],
            ["kernel, file system", "%s, %s" % (f["kernel"], f["file_system"])],
            ["load before the run", f["load_at_start"]],
            ["data", "%d hosts, %s h, every %d s, seed %d%s" % (f["hosts"], number(f["hours"]), f["interval"],
                                                               f["seed"], ", --quick" if f["quick"] else "")]]
    rows += [[NAMES[k], v] for k, v in sorted(f.get("versions", {}).items())]
    return Table("facts", "The run", ["what", "value"], rows, ["skipped: " + s for s in r.get("skipped", [])])


def ingest_table(d):
    groups = {}
    for one in d["runs"]:
        groups.setdefault((one["engine"], one["how"]), []).append(one)
    rows = []
    for (engine, how), runs in groups.items():
        get = lambda k: [x[k] for x in runs if k in x]
        rows.append([("%s, %s" % (NAMES[engine], how))] +
                    [spread(get(k)) for k in ("rows_per_s", "values_per_s", "mb_per_s", "cpu_per_mrow",
                                              "client_cpu_per_mrow")])
    notes = []
    rate = lambda e, pick: max((pick([x["rows_per_s"] for x in runs]) for (n, _), runs in groups.items() if n == e),
                               default=0)
    ours = rate("tsfs", median)
    line_peers = [p for p in ("victoriametrics", "influxdb") if rate(p, median)]
    for p in line_peers:
        notes.append("tsfs at its best number of writers : %s at its best: %s" % (
            NAMES[p], number(ours / rate(p, median)) + "x"))
    ones = [x["mb_per_s"] for (e, h), runs in groups.items() if e == "tsfs" and h == "1 writer" for x in runs]
    copies = [x["mb_per_s"] for (e, _), runs in groups.items() if e == "cp" for x in runs]
    if ones and copies:
        notes.append("tsfs, 1 writer : cp of the same file: %s" % spread([a / b for a, b in zip(ones, copies)]))
    settled = [x["settled_cpu_per_mrow"] for x in d["runs"] if "settled_cpu_per_mrow" in x]
    if settled:
        notes.append("CPU s/Mrow of tsfs up to its coming to rest: " + spread(settled))
    return Table("ingest", "Ingest, %s rows of 10 values" % number(d["rows"]),
                 ["", "rows/s", "values/s", "MB/s", "CPU s/Mrow", "client's CPU s/Mrow"], rows, notes)


def echo_table(d):
    names = {"tsfs": "tsfs", "noop": "FUSE file that does nothing", "plain": "plain file"}
    rows = [[names[k], spread(v), spread([a / b for a, b in zip(v, d["us"]["noop"])])] for k, v in d["us"].items()]
    return Table("echo", "One line a time from a shell (echo >>)", ["", "us a line", "against the no-op file"], rows)


def sync_table(d):
    groups = {}
    for one in d["runs"]:
        groups.setdefault((one["engine"], one["writers"]), []).append(one)
    rows = [["%s, %d" % key] + [spread([x[k] for x in runs]) for k in ("writes_per_s", "p50_us", "p99_us")]
            for key, runs in sorted(groups.items(), key=lambda g: (g[0][0] != "tsfs", g[0]))]
    return Table("sync", "O_DSYNC writers, one line a write", ["writers", "writes/s", "p50 us", "p99 us"], rows)


def given_table(given):
    """Files of line protocol that were given: ours beside the smallest Parquet that DuckDB makes of the same rows."""
    rows = []
    for name, one in given.items():
        ours, peers = one["tsfs"], one["peers"]
        best = min(peers, key=peers.get) if peers else None
        rows.append([name, number(ours["rows"]), number(ours["values"]), "%.3f" % ours["bytes_per_value"]] + (
            ["%.3f" % peers[best], best.partition(", ")[2], "%.2f" % (ours["bytes_per_value"] / peers[best])]
            if best else ["-"] * 3))
    return Table("given", "Bytes a value of given files, a table each", [
        "data", "rows", "values", "tsfs", "DuckDB's smallest", "which", "ratio"], rows)


def disk_tables(d):
    sets, given = {}, {}
    for name, one in d.items():
        if "tsfs" in one:
            sets[name] = one
        else:
            given.update({"%s: %s" % (name, t): v for t, v in one.items()})
    rows, costs = [], []
    names = []
    for one in sets.values():
        for n in [k for k in one if k != "peers"] + list(one["peers"]):
            if n not in names:
                names.append(n)
    for n in names:
        cells = []
        for one in sets.values():
            v = one[n]["bytes_per_value"] if n in one and n != "peers" else one["peers"].get(n)
            cells.append("%.3f" % v if v else "-")
        head, _, rest = n.partition(", ")
        rows.append([NAMES.get(head, head) + (", " + rest if rest else "")] + cells)
    for name, one in sets.items():  # given files are too small for these
        for k, t in one.items():
            if k == "peers":
                continue
            costs.append([name + k[4:], number(t["rows"]), number(t["hot_bytes_per_value"]),
                          number(t["ingest_rows_per_s"]), number(t["start_rows_per_s"]),
                          number(t["migrate_seconds"]), number(t["migrate_cpu_per_mrow"])])
    return [Table("disk", "Bytes a value on the disk, everything counted", [""] + list(sets), rows),
            Table("life", "Memory, start after a kill, migration",
                  ["data", "rows", "hot bytes a value", "ingest rows/s", "start rows/s", "migration s",
                   "migration CPU s/Mrow"], costs)] + ([given_table(given)] if given else [])


PEER_ORDER = ("victoriametrics", "influxdb", "duckdb", "duckdb-sorted", "duckdb-segments", "chdb")


def flat(one):
    return [x for p in one["ms"] for x in p]


def query_tables(d):
    """Medians with percentiles of ours; ratios against the best of the peers, pass by pass."""
    times, ratios, cpu = [], [], []
    engines = [e for e in PEER_ORDER if any(e in one for one in d["queries"].values())]
    summary = {"hot": [], "cold": [], "segments": [], "cold segments": []}
    for name, one in d["queries"].items():
        line, best = [name], None
        for tier in ("tsfs hot", "tsfs cold"):
            v = flat(one[tier]) if tier in one else []
            line.append("%s / %s / %s" % (number(median(v)), number(percentile(v, 90)), number(percentile(v, 99))))
        for e in engines:
            loose = "%s/%s" % (name, {"victoriametrics": "vm"}.get(e, e)) in d["loose"]
            line.append((number(median(flat(one[e]))) + ("*" if loose else "")) if e in one else "-")
        times.append(line)
        cpu.append([name] + [number(median(one[e]["cpu_ms"])) if e in one else "-"
                             for e in ["tsfs hot", "tsfs cold"] + engines])
        # DuckDB on our own segments is no rival of the files they came from; it has a column of its own.
        rivals = {e: median(flat(one[e])) for e in engines if e in one and e != "duckdb-segments"}
        if not rivals:
            continue
        best = min(rivals, key=rivals.get)
        row = [name, NAMES[best]]
        for tier in ("hot", "cold"):
            mine = one.get("tsfs " + tier)
            if not mine:
                row.append("-")
                continue
            row.append(spread([median(a) / median(b) for a, b in zip(one[best]["ms"], mine["ms"])]))
            summary[tier].append(rivals[best] / median(flat(mine)))
        if "duckdb-segments" in one and "tsfs cold" in one:
            row.append(spread([median(a) / median(b) for a, b in zip(one["duckdb-segments"]["ms"],
                                                                     one["tsfs cold"]["ms"])]))
            summary["segments"].append(median(flat(one["duckdb-segments"])) / median(flat(one["tsfs cold"])))
        else:
            row.append("-")
        ratios.append(row)
    notes = ["answers compared with %s's: %d" % (d["reference"], d["compared"])]
    if any("*" in c for row in times for c in row):
        notes.append("* the nearest thing that this peer's language can say, not the same question")
    out = [Table("query", "Warm queries, ms: ours median / p90 / p99, peers median",
                 ["query", "tsfs hot", "tsfs cold"] + [NAMES[e] for e in engines], times, notes),
           Table("query-cpu", "CPU of a query, ms, server and client",
                 ["query", "tsfs hot", "tsfs cold"] + [NAMES[e] for e in engines], cpu)]
    if ratios:
        ratios.append(["geometric mean", "", number(geomean(summary["hot"])), number(geomean(summary["cold"])),
                       number(geomean(summary["segments"]))])
        lost = [r[0] for r, h, c in zip(ratios, summary["hot"], summary["cold"]) if min(h, c) < 1]
        out.insert(1, Table("ratios", "How many times faster than the best peer of each query",
                            ["query", "best peer", "hot", "cold", "cold : DuckDB on our segments"], ratios,
                            ["not first on: " + (", ".join(lost) if lost else "none")]))
    return out


def iot_table(d):
    engines = []
    for one in d["queries"].values():
        engines += [e for e in one if e not in engines]
    rows = [[name] + [number(median(flat(one[e]))) if e in one else "-" for e in engines]
            for name, one in d["queries"].items()]
    return Table("iot", "A fleet of vehicles: %s rows, with gaps, late points and retries; ms" % number(d["rows"]),
                 ["query"] + [NAMES.get(e, e) for e in engines], rows,
                 ["ingest: %s rows/s, %s MB/s, %s CPU s/Mrow; migration: %s CPU s/Mrow" % (
                     number(d["rows_per_s"]), number(d["mb_per_s"]), number(d["cpu_per_mrow"]),
                     number(d["migrate_cpu_per_mrow"])),
                  "mixed: half of the lines came after the first half had migrated",
                  "answers compared: %d" % d["compared"]])


def coldstart_table(d):
    rows = []
    for name, one in d["queries"].items():
        amount = median(one["bytes_read"])
        rows.append([name, spread(one["tsfs_ms"]), number(amount / 1024),
                     number(amount / d["disk_bytes_per_s"] * 1e3), number(amount / d["scattered_bytes_per_s"] * 1e3),
                     spread(one.get("duckdb_segments_ms", []))])
    return Table("coldstart", "First query of a new daemon, files dropped from the page cache",
                 ["query", "tsfs ms", "KiB read", "reading that many plainly, ms", "in scattered 64 KiB, ms",
                  "DuckDB on our segments, ms"], rows,
                 ["plain reading: %s MB/s; 64 KiB here and there: %s MB/s" % (
                     number(d["disk_bytes_per_s"] / 1e6), number(d["scattered_bytes_per_s"] / 1e6))])


def parallel_table(d):
    one, many = d["threads"]
    rows = []
    for name, r in d["queries"].items():
        row = [name]
        for tier in ("hot", "cold"):
            a, b = r["%s, %d" % (tier, one)], r["%s, %d" % (tier, many)]
            row += [number(median(flat(a))), number(median(flat(b))),
                    spread([median(x) / median(y) for x, y in zip(a["ms"], b["ms"])])]
        rows.append(row)
    s = {n: [m["seconds"] for m in d["migrations"] if m["threads"] == n] for n in d["threads"]}
    if many != one:
        rows.append(["migration, s", "", "", "", number(median(s[one])), number(median(s[many])),
                     spread([a / b for a, b in zip(s[one], s[many])])])
    return Table("parallel", "One thread against %d, ms" % many,
                 ["query", "hot, 1", "hot, %d" % many, "gain", "cold, 1", "cold, %d" % many, "gain"], rows)


def scale_tables(d):
    rows, asked = [], list(d["sets"][0]["hot_ms"])
    for one in d["sets"]:
        rows.append([one["label"], number(one["rows"]), number(one["partitions"]), number(one["ingest_rows_per_s"]),
                     number(one["ingest_cpu_per_mrow"]), number(one["again_rows_per_s"]),
                     number(one["again_cpu_per_mrow"]), number(one["hot_bytes_per_row"]),
                     number(one["migrate_cpu_per_mrow"]), number(one["disk_bytes_per_row"]),
                     number(one["start_seconds"]), number(one["start_memory"] / 2**20),
                     number(one["cold_memory"] / 2**20)])
    few, many = (pick(d["sets"], key=lambda one: one["series"]) for pick in (min, max))
    notes = ["again: the same series once more, none of them new",
             "memory after a start: all points being cold, nothing asked yet"]
    if many["series"] >= 100000:  # fewer do not stand out from what the allocator keeps
        notes.append("a series costs %s bytes of memory after migration, without a point in it" % number(
            (many["cold_memory"] - few["cold_memory"]) / (many["series"] - few["series"])))
    out = [Table("scale", "Cost against size",
                 ["", "rows", "partitions", "ingest rows/s", "CPU s/Mrow", "again rows/s", "CPU s/Mrow",
                  "hot bytes/row", "migration CPU s/Mrow", "disk bytes/row", "start s", "memory after a start MiB",
                  "after migration MiB"], rows, notes),
           Table("scale-query", "One series among many: p50 / p99, ms",
                 [""] + ["%s, %s" % (a, t) for a in asked for t in ("hot", "cold")],
                 [[one["label"]] + ["%s / %s" % (number(median(one[t][a])), number(percentile(one[t][a], 99)))
                                    for a in asked for t in ("hot_ms", "cold_ms")] for one in d["sets"]])]
    busy = d["busy"]
    out.append(Table("busy", "The same question beside other work: p50 / p99, ms", ["meanwhile", "hot", "cold"], [
        [state] + ["%s / %s" % (number(median(busy[state][t])), number(percentile(busy[state][t], 99)))
                   for t in ("hot", "cold")] for state in busy]))
    return out


MAKERS = {
    "ingest": lambda d: [ingest_table(d)],
    "echo": lambda d: [echo_table(d)],
    "sync": lambda d: [sync_table(d)],
    "disk": disk_tables,
    "query": query_tables,
    "iot": lambda d: [iot_table(d)],
    "coldstart": lambda d: [coldstart_table(d)],
    "parallel": lambda d: [parallel_table(d)],
    "scale": scale_tables,
}


def tables(results):
    out = [facts_table(results)]
    for section, make in MAKERS.items():
        if section in results["sections"]:
            out += make(results["sections"][section])
    return out


def fill(text, results):
    """A document whose marked places hold the tables of a run: from <!-- table KEY --> to <!-- end -->."""
    made = {t.key: t for t in tables(results)}

    def place(m):
        t = made.get(m.group(1))
        return m.group(0) if t is None else "<!-- table %s -->\n%s\n<!-- end -->" % (t.key, t.markdown())

    return re.sub(r"<!-- table (\S+) -->\n.*?<!-- end -->", place, text, flags=re.S)
