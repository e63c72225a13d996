"""The questions: the fourteen of the published TSBS cpu-only use case, and some that a fleet of vehicles gets.

Each is one object with its text in every dialect.  The SQL dialects say {t} for the table.  Windows begin at any
second, not at a bucket's edge; every engine gets the same hosts and windows."""

import calendar
import random
import time
from urllib.parse import quote

START = calendar.timegm((2016, 1, 1, 0, 0, 0))

CPU_TAGS = (
    "hostname region datacenter rack os arch team service service_version service_environment"
).split()
CPU_FIELDS = (
    "usage_user usage_system usage_idle usage_nice usage_iowait usage_irq usage_softirq usage_steal usage_guest "
    "usage_guest_nice"
).split()
IOT_TAGS = "name fleet driver model device_version load_capacity fuel_capacity nominal_fuel_consumption".split()
IOT_FIELDS = {
    "readings": {"latitude": "float", "longitude": "float", "elevation": "int", "velocity": "float",
                 "heading": "int", "grade": "int", "fuel_consumption": "float"},
    "diagnostics": {"fuel_state": "float", "current_load": "int", "status": "int"},
}

SQL = ("tsfs", "duckdb", "segments", "chdb", "sqlite")  # segments: DuckDB on our Parquet files

# How a cell of a result may differ from the reference's: not at all, or by the rounding of an average.
EXACT, AVERAGE = 0.0, 1e-9


class Query:
    """One question: NAME groups the instances; `ordered`: the rows' order is part of the answer."""

    def __init__(self, name, texts, tolerance=EXACT, ordered=True, table="cpu", loose=()):
        self.name, self.texts, self.tolerance, self.ordered, self.table = name, texts, tolerance, ordered, table
        self.loose = loose  # dialects in which this is only the nearest equivalent


def civil(t):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(t))


def iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


def instant(dialect, t):
    if dialect == "chdb":
        return "toDateTime('%s', 'UTC')" % civil(t)
    return str(t) if dialect == "sqlite" else "TIMESTAMP '%s'" % civil(t)


def bucket(dialect, seconds):
    """The time cut down to a whole number of steps."""
    if dialect == "sqlite":
        return "datetime(time / %d * %d, 'unixepoch')" % (seconds, seconds)
    if dialect == "chdb":
        return "toStartOfInterval(time, INTERVAL %d SECOND)" % seconds
    if dialect == "segments":
        # Time is an instant there, not a wall clock, for which date_trunc asks the calendar: this is 5 times faster.
        return "make_timestamp(epoch_us(time) // %d000000 * %d000000)" % (seconds, seconds)
    unit = {60: "minute", 3600: "hour", 86400: "day"}.get(seconds)
    if unit:
        return "date_trunc('%s', time)" % unit
    return "bin(time, %ds)" % seconds if dialect == "tsfs" else "time_bucket(INTERVAL %d SECOND, time)" % seconds


def when(dialect):
    return "datetime(time, 'unixepoch') AS time" if dialect == "sqlite" else "time"


def one_of(column, values):
    return "%s IN (%s)" % (column, ", ".join("'%s'" % v for v in values))


class Maker:
    """Draws hosts and windows, and spells the questions."""

    def __init__(self, seed, hosts, hours, instances, prefix="host_", start=START):
        self.random = random.Random(seed)
        self.hosts, self.seconds, self.instances = hosts, int(hours * 3600), instances
        self.prefix, self.start = prefix, start
        self.queries = []

    def window(self, hours):
        length = min(int(hours * 3600), self.seconds)
        begin = self.start + self.random.randrange(self.seconds - length + 1)
        return begin, begin + length

    def some(self, n):
        return [self.prefix + str(i) for i in self.random.sample(range(self.hosts), min(n, self.hosts))]

    def add(self, name, build, **more):
        """build(dialect) spells it for the SQL dialects; more["texts"] holds the others'."""
        texts = {d: build(d) for d in SQL}
        texts.update(more.pop("texts", {}))
        self.queries.append(Query(name, texts, **more))


def between(d, begin, end):
    return "time >= %s AND time < %s" % (instant(d, begin), instant(d, end))


def vm_series(fields, hosts):
    """A selector of VictoriaMetrics: metrics are measurement_field."""
    label = "hostname=~'%s'" % "|".join(hosts) if hosts else ""
    if len(fields) == 1:
        return "cpu_%s{%s}" % (fields[0], label)
    names = "__name__=~'cpu_(%s)'" % "|".join(fields)
    return "{%s}" % ", ".join(filter(None, (names, label)))


def vm_range(query, begin, end, step):
    return "/api/v1/query_range?nocache=1&query=%s&start=%d&end=%d&step=%d" % (quote(query), begin, end, step)


def influx_in(hosts):
    return "(%s)" % " or ".join("hostname = '%s'" % h for h in hosts)


def highest(m, name, fields, hosts, hours, step):
    """The highest values of some hosts, a bucket a row."""
    fields = CPU_FIELDS[:fields]
    for _ in range(m.instances):
        (begin, end), names = m.window(hours), m.some(hosts)
        sql = lambda d: "SELECT %s AS bucket, %s FROM {t} WHERE %s AND %s GROUP BY bucket ORDER BY bucket" % (
            bucket(d, step), ", ".join("max(%s) AS max_%s" % (f, f) for f in fields), one_of("hostname", names),
            between(d, begin, end))
        m.add(name, sql, texts={
            "influx": "SELECT %s FROM cpu WHERE %s AND time >= '%s' AND time < '%s' GROUP BY time(%ds)" % (
                ", ".join("max(%s)" % f for f in fields), influx_in(names), iso(begin), iso(end), step),
            "vm": vm_range("max(max_over_time(%s[%ds])) by (__name__)" % (vm_series(fields, names), step),
                           begin, end, step)})


def averages(m, name, fields):
    """The averages of all hosts, an hour and a host a row."""
    fields = CPU_FIELDS[:fields]
    for _ in range(m.instances):
        begin, end = m.window(12)
        sql = lambda d: ("SELECT %s AS bucket, hostname, %s FROM {t} WHERE %s GROUP BY bucket, hostname "
                         "ORDER BY bucket, hostname") % (
            bucket(d, 3600), ", ".join("avg(%s) AS mean_%s" % (f, f) for f in fields), between(d, begin, end))
        m.add(name, sql, tolerance=AVERAGE, texts={
            "influx": "SELECT %s FROM cpu WHERE time >= '%s' AND time < '%s' GROUP BY time(1h), hostname" % (
                ", ".join("mean(%s)" % f for f in fields), iso(begin), iso(end)),
            "vm": vm_range("avg(avg_over_time(%s[1h])) by (__name__, hostname)" % vm_series(fields, []),
                           begin, end, 3600)})


def busy(m, name, hosts):
    """All of every row above a threshold."""
    for _ in range(m.instances):
        (begin, end), names = m.window(12), m.some(hosts) if hosts else []
        mine = " AND " + one_of("hostname", names) if names else ""
        star = lambda d: "*" if d != "sqlite" else ", ".join([when(d)] + CPU_TAGS + CPU_FIELDS)
        sql = lambda d: "SELECT %s FROM {t} WHERE usage_user > 90.0 AND %s%s" % (star(d), between(d, begin, end), mine)
        m.add(name, sql, ordered=False, loose=("vm",), texts={
            "influx": "SELECT * FROM cpu WHERE usage_user > 90.0 AND time >= '%s' AND time < '%s'%s" % (
                iso(begin), iso(end), " AND " + influx_in(names) if names else ""),
            "vm": vm_range("%s and on(hostname) (%s > 90)" % (vm_series(CPU_FIELDS, names),
                                                               vm_series(CPU_FIELDS[:1], names)), begin, end, 10)})


def newest(key, columns):
    """The last row of every series.  Each dialect gets the form that is fastest there."""

    def sql(d):
        if d == "tsfs":
            return "SELECT %s, max(time) AS time, %s FROM {t} GROUP BY %s" % (
                key, ", ".join("max_by(%s, time) AS %s" % (c, c) for c in columns), key)
        names = ", ".join([when(d), key] + columns)
        pair = "(%s, max(time))" % key if d in ("duckdb", "segments") else "%s, max(time)" % key
        return "SELECT %s FROM {t} WHERE (%s, time) IN (SELECT %s FROM {t} GROUP BY %s)" % (names, key, pair, key)

    return sql


def tsbs(seed, hosts, hours, instances, prefix="host_", start=START):
    m = Maker(seed, hosts, hours, instances, prefix, start)
    for fields, names, length in ((1, 1, 1), (1, 1, 12), (1, 8, 1), (5, 1, 1), (5, 8, 1)):
        highest(m, "single-groupby-%d-%d-%d" % (fields, names, length), fields, names, length, 60)
    highest(m, "cpu-max-all-1", 10, 1, 8, 3600)
    highest(m, "cpu-max-all-8", 10, 8, 8, 3600)
    averages(m, "double-groupby-1", 1)
    averages(m, "double-groupby-5", 5)
    averages(m, "double-groupby-all", 10)
    busy(m, "high-cpu-1", 1)
    busy(m, "high-cpu-all", 0)
    last = m.start + m.seconds
    for _ in range(instances):
        m.add("lastpoint", newest("hostname", CPU_TAGS[1:] + CPU_FIELDS), ordered=False, loose=("vm",), texts={
            "influx": 'SELECT * FROM cpu GROUP BY "hostname" ORDER BY time DESC LIMIT 1',
            "vm": "/api/v1/query?nocache=1&query=%s&time=%d" % (
                quote("last_over_time(%s[%ds])" % (vm_series(CPU_FIELDS, []), m.seconds)), last)})
    for _ in range(instances):
        _, end = m.window(1)
        sql = lambda d: ("SELECT %s AS bucket, max(usage_user) AS max_usage_user FROM {t} WHERE time < %s "
                         "GROUP BY bucket ORDER BY bucket DESC LIMIT 5") % (bucket(d, 60), instant(d, end))
        m.add("groupby-orderby-limit", sql, loose=("vm",), texts={
            "influx": "SELECT max(usage_user) FROM cpu WHERE time < '%s' GROUP BY time(1m) ORDER BY time DESC LIMIT 5"
                      % iso(end),
            "vm": vm_range("max(max_over_time(cpu_usage_user[1m]))", end - 240, end, 60)})
    return m.queries


def iot(seed, vehicles, hours, instances, prefix="truck_", start=START):
    """Relatives of the above on another shape of data: missing fields, gaps, a tag that is not always there."""
    m = Maker(seed, vehicles, hours, instances, prefix, start)
    for _ in range(instances):
        m.add("last-position", newest("name", ["fleet", "driver", "latitude", "longitude", "velocity"]),
              ordered=False, table="readings")
    for _ in range(instances):
        begin, end = m.window(24)
        m.add("low-fuel", lambda d: "SELECT %s, name, fuel_state FROM {t} WHERE fuel_state < 0.1 AND %s" % (
            when(d), between(d, begin, end)), ordered=False, table="diagnostics")
    for _ in range(instances):
        begin, end = m.window(24)
        m.add("fleet-velocity", lambda d: (
            "SELECT %s AS bucket, fleet, avg(velocity) AS mean, max(velocity) AS highest, count(velocity) AS n "
            "FROM {t} WHERE %s GROUP BY bucket, fleet ORDER BY bucket, fleet") % (
                bucket(d, 3600), between(d, begin, end)), tolerance=AVERAGE, table="readings")
    for _ in range(instances):
        (begin, end), names = m.window(12), m.some(1)
        m.add("one-vehicle", lambda d: (
            "SELECT %s AS bucket, min(elevation) AS low, max(elevation) AS high, avg(grade) AS mean, count(*) AS n "
            "FROM {t} WHERE %s AND %s GROUP BY bucket ORDER BY bucket") % (
                bucket(d, 600), one_of("name", names), between(d, begin, end)), tolerance=AVERAGE, table="readings")
    for _ in range(instances):
        begin, end = m.window(24)
        m.add("heavy-drivers", lambda d: (
            "SELECT driver, count(*) AS n, max(current_load) AS highest, sum(current_load) AS total FROM {t} "
            "WHERE current_load > 4000 AND fleet = 'North' AND %s GROUP BY driver") % between(d, begin, end),
              ordered=False, table="diagnostics")
    for _ in range(instances):
        (begin, end), names = m.window(6), m.some(8)
        m.add("fast", lambda d: (
            "SELECT %s, name, velocity, latitude, longitude FROM {t} WHERE velocity > 80 AND %s AND %s "
            "ORDER BY time, name LIMIT 100") % (when(d), one_of("name", names), between(d, begin, end)),
              table="readings")
    for _ in range(instances):
        m.add("whole-fleet", lambda d: (
            "SELECT model, fleet, count(*) AS n, sum(current_load) AS total, min(fuel_state) AS low, "
            "max(status) AS worst FROM {t} GROUP BY model, fleet"), ordered=False, table="diagnostics")
    return m.queries
