"""Is it the same answer?  Results are CSV with a header; columns are matched by name."""

import csv
import re

from machine import Failed
from queries import CPU_FIELDS, CPU_TAGS

TIME = re.compile(r"^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00(?::00)?)?$")
WHOLE = re.compile(r"^[+-]?\d+$")
NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")

# Ours has one column more than the benchmark's table.
OWN = {"measure_name"}


def cell(text):
    m = TIME.match(text)
    if m:
        rest = (m.group(3) or "").rstrip("0")
        return "%s %s%s" % (m.group(1), m.group(2), "." + rest if rest else "")
    if WHOLE.match(text):
        return int(text)
    return float(text) if NUMBER.match(text) else text


def rows(path):
    with open(path, newline="", encoding="utf-8") as f:
        table = list(csv.reader(f))
    if not table:
        raise Failed("a result without a header line")
    return table[0], [[cell(c) for c in row] for row in table[1:]]


def same(a, b, tolerance):
    if a == b:
        return True
    if isinstance(a, str) or isinstance(b, str) or not tolerance:
        return False
    return abs(a - b) <= tolerance * max(abs(a), abs(b))


def difference(query, result, reference):
    """None when both files hold the same answer to the query, else a sentence that names the first difference."""
    names, got = rows(result)
    wanted_names, wanted = rows(reference)
    missing = [n for n in wanted_names if n not in names]
    extra = [n for n in names if n not in wanted_names and n not in OWN]
    if missing or extra:
        return "columns differ: missing %s, not expected %s" % (missing, extra)
    order = [names.index(n) for n in wanted_names]
    got = [[row[i] for i in order] for row in got]
    if len(got) != len(wanted):
        return "%d rows, expected %d" % (len(got), len(wanted))
    if not query.ordered:
        key = lambda row: [str(float(c)) if isinstance(c, int) else str(c) for c in row]
        got.sort(key=key)
        wanted.sort(key=key)
    for i, (a, b) in enumerate(zip(got, wanted)):
        for name, x, y in zip(wanted_names, a, b):
            if not same(x, y, query.tolerance):
                return "row %d, %s: %r, expected %r" % (i + 1, name, x, y)
    return None


class SQLite:
    """The reference where DuckDB is not installed: slow, but in Python's own library."""

    def __init__(self):
        import sqlite3

        self.db = sqlite3.connect(":memory:")

    def load(self, table, csv_file, tags, fields):
        """fields: name -> "int" or "float"."""
        import calendar
        import time

        kinds = ["time INTEGER"] + [t + " TEXT" for t in tags]
        kinds += ["%s %s" % (f, "INTEGER" if k == "int" else "REAL") for f, k in fields.items()]
        self.db.execute("CREATE TABLE %s (%s)" % (table, ", ".join(kinds)))
        known = {}

        def lines():
            with open(csv_file, newline="") as f:
                reader = csv.reader(f)
                next(reader)
                for row in reader:
                    at = known.get(row[0])
                    if at is None:
                        known.clear()
                        at = known[row[0]] = calendar.timegm(time.strptime(row[0], "%Y-%m-%d %H:%M:%S"))
                    yield [at] + [c or None for c in row[1:]]

        marks = ", ".join("?" * len(kinds))
        self.db.executemany("INSERT INTO %s VALUES (%s)" % (table, marks), lines())
        self.db.execute("CREATE INDEX %s_index ON %s (%s, time)" % (table, table, tags[0]))

    def save(self, query, path):
        cursor = self.db.execute(query.texts["sqlite"].replace("{t}", query.table))
        with open(path, "w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow([c[0] for c in cursor.description])
            writer.writerows([["" if c is None else repr(c) if isinstance(c, float) else c for c in row] for row in cursor])


def cpu_fields(values):
    return {f: values for f in CPU_FIELDS}


def cpu_tags():
    return list(CPU_TAGS)
