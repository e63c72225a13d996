// Random expressions of the types that have a spelling of their own in each program: bytes, times of day, rows and series.
//
// A series is, for DuckDB, a list of {t: milliseconds, v: double} in the order of t.  It comes from seriesItem() of
// sql_queries.mjs alone, and is used by functions that make something else of it.
import { q, dual, rnd, chance, pick, times, list } from './sql_text.mjs';
import { value } from './sql_values.mjs';

export const ROW = dual('row(p bigint, q varchar)', 'STRUCT(p BIGINT, q VARCHAR)');
export const nested = (type) => type.endsWith('[]') || type === 'row' || type === 'series';

export const bytes = () => pick([dual("X''", "''::BLOB"), dual("X'00ff'", "'\\x00\\xFF'::BLOB"), dual("X'70'", "'p'::BLOB"), dual("to_utf8('é')", "encode('é')")]);
export const timeOfDay = () => `TIME '${pick(['10', '10', '10', '00', '23'])}:${40 + rnd(14)}:${pick(['00', '30'])}'`;
const aRow = (a, b) => dual(q`CAST(ROW(${a}, ${b}) AS ${ROW})`, q`{'p': CAST(${a} AS BIGINT), 'q': CAST(${b} AS VARCHAR)}`);
export const rowLiteral = () => aRow(chance(15) ? 'NULL' : String(rnd(9) - 3), chance(15) ? 'NULL' : pick(["'p'", "'q'", "''", "'é'"]));

const anyNull = (...items) => list(items.map((i) => q`(${i}) IS NULL`), ' OR ', 1);
const field = () => pick([['p', 'bigint'], ['q', 'varchar']]);

export const typeMakers = {
  varbinary: [
    (s, d) => { const a = value(s, 'varchar', d); return dual(q`to_utf8(${a})`, q`encode(${a})`); },
    (s, d) => q`(${value(s, 'varbinary', d)} || ${value(s, 'varbinary', d)})`,
    (s, d) => { const a = value(s, 'varbinary', d); return dual(q`from_base64(to_base64(${a}))`, q`from_base64(base64(${a}))`); },
    (s, d) => { const a = value(s, 'varbinary', d); return dual(q`from_hex(to_hex(${a}))`, q`unhex(hex(${a}))`); },
    (s, d) => { const a = value(s, 'varchar', d), f = pick(['md5', 'sha1', 'sha256']); return dual(q`${f}(to_utf8(${a}))`, q`unhex(${f}(${a}))`); },
    (s, d) => { const a = value(s, 'varchar', d); return dual(q`CAST(${a} AS varbinary)`, q`encode(${a})`); },
  ],
  time: [
    (s, d) => q`CAST(${value(s, 'timestamp', d)} AS time)`,
    (s, d) => q`(${value(s, 'time', d)} ${pick(['+', '-'])} INTERVAL '${rnd(30)}' ${pick(['SECOND', 'MINUTE', 'HOUR', 'DAY'])})`,
    (s, d) => { const a = value(s, 'time', d), k = rnd(40) - 10, u = pick(['second', 'minute', 'hour']); return dual(q`date_add('${u}', ${k}, ${a})`, q`(${a} + to_${u}s(${k}))`); },
    (s, d) => { const a = value(s, 'time', d), u = rnd(3); return dual(q`date_trunc('${['hour', 'minute', 'second'][u]}', ${a})`, q`make_time(hour(${a}), ${u > 0 ? q`minute(${a})` : '0'}, ${u > 1 ? q`second(${a})` : '0'})`); },
    (s, d) => { const a = times(2, () => value(s, 'time', d)), f = pick(['greatest', 'least']); return dual(q`${f}(${list(a)})`, q`CASE WHEN ${anyNull(...a)} THEN NULL ELSE ${f}(${list(a)}) END`); },
    (s, d) => { const a = value(s, 'time', d); return dual(q`CAST(CAST(${a} AS varchar) AS time)`, a); },
  ],
  row: [
    (s, d) => aRow(value(s, 'bigint', d), value(s, 'varchar', d)),
    (s, d) => { const r = value(s, 'row', d), b = value(s, 'varchar', d); return dual(q`CAST(ROW((${r}).p, ${b}) AS ${ROW})`, q`{'p': (${r}).p, 'q': CAST(${b} AS VARCHAR)}`); },
  ],
};

// More of the other types.
export const moreMakers = {
  bigint: [
    (s, d) => { const a = value(s, 'varbinary', d); return dual(q`length(${a})`, q`octet_length(${a})`); },
    (s, d) => { const a = value(s, 'time', d), u = pick(['hour', 'minute', 'second']); return chance(50) ? q`${u}(${a})` : q`EXTRACT(${u} FROM ${a})`; },
    (s, d) => { const a = value(s, 'time', d), b = value(s, 'time', d), u = pick(['second', 'minute', 'hour']); return dual(q`date_diff('${u}', ${a}, ${b})`, q`date_sub('${u}', ${a}, ${b})`); },
    (s, d) => q`(${value(s, 'row', d)}).p`,
    (s, d) => { const r = value(s, 'row', d); return dual(q`(${r})[1]`, q`struct_extract(${r}, 'p')`); },
    // an error in a row is NULL: DuckDB divides by zero without one
    (s, d) => { const a = value(s, 'bigint', d), b = value(s, 'bigint', d), op = pick(['/', '%']); return dual(q`TRY(${a} ${op} ${b})`, q`(${a} ${op === '/' ? '//' : op} nullif(${b}, 0))`); },
    (s, d) => { const a = value(s, 'bigint[]', d), i = rnd(5); return dual(q`TRY((${a})[${i}])`, q`list_extract(${a}, ${i})`); },
    (s, d) => { const a = value(s, 'varchar', d); return dual(q`TRY(CAST(regexp_replace(${a}, '[^0-9a-z]', '') AS bigint))`, q`TRY_CAST(regexp_replace(${a}, '[^0-9a-z]', '', 'g') AS BIGINT)`); },
    (s, d) => { const a = value(s, 'bigint[]', d), b = value(s, 'bigint[]', d);
      return dual(q`reduce(zip(${a}, ${b}), 0, (st, z) -> st + coalesce(z[1], 2) * coalesce(z[2], 3), st -> st)`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE coalesce(CAST(list_sum(list_transform(list_zip(${a}, ${b}), lambda z: coalesce(z[1], 2) * coalesce(z[2], 3))) AS BIGINT), 0) END`); },
    (s, d) => { const x = value(s, 'double', d), n = rnd(4) + 1; return dual(q`width_bucket(${x}, -1, 3, ${n})`, q`CASE WHEN (${x}) < -1 THEN 0 WHEN (${x}) >= 3 THEN ${n + 1} ELSE CAST(floor((${x} + 1) * ${n} / 4) AS BIGINT) + 1 END`); },
    (s, d) => { const a = value(s, 'bigint', d), n = rnd(3), f = pick(['left', 'right']); return dual(q`bitwise_${f}_shift(bitwise_and(${a}, 7), ${n})`, q`((CAST(${a} AS BIGINT) & 7) ${f === 'left' ? '<<' : '>>'} ${n})`); },
  ],
  varchar: [
    (s, d) => { const a = value(s, 'varbinary', d); return dual(q`to_hex(${a})`, q`hex(${a})`); },
    (s, d) => { const a = value(s, 'varbinary', d); return dual(q`to_base64(${a})`, q`base64(${a})`); },
    (s, d) => { const a = value(s, 'varchar', d); return dual(q`from_utf8(to_utf8(${a}))`, q`decode(encode(${a}))`); },
    (s, d) => q`substr(CAST(${value(s, 'time', d)} AS varchar), 1, 8)`,
    (s, d) => q`(${value(s, 'row', d)}).q`,
    (s, d) => q`translate(${value(s, 'varchar', d)}, 'pqé', ${pick(["'xyz'", "'é'", "''"])})`,
    (s, d) => { const a = value(s, 'bigint', d); return dual(q`chr(97 + abs(${a}) % 26)`, q`chr(CAST(97 + abs(${a}) % 26 AS INTEGER))`); },
    (s, d) => { const a = times(3, () => value(s, 'varchar', d)); return q`concat_ws('-', ${list(a)})`; },
    (s, d) => { const a = value(s, 'timestamp', d), f = pick([['%Y-%j', '%Y-%j'], ['%y%m%d %k', '%y%m%d %-H'], ['%W %M %e', '%A %B %-d'], ['%a, %b %d %h:%i %p', '%a, %b %d %I:%M %p'], ['%x-%v', '%G-%V']]); return dual(q`date_format(${a}, '${f[0]}')`, q`strftime(${a}, '${f[1]}')`); },
    (s, d) => { const a = value(s, 'timestamp', d), f = pick([['yyyy-MM-dd HH:mm:ss', '%Y-%m-%d %H:%M:%S'], ['EEE d MMM yy', '%a %-d %b %y'], ['EEEE h a', '%A %-I %p'], ['D', '%-j']]); return dual(q`format_datetime(${a}, '${f[0]}')`, q`strftime(${a}, '${f[1]}')`); },
  ],
  'bigint[]': [
    (s, d) => { const a = value(s, 'bigint[]', d), b = value(s, 'bigint[]', d); return dual(q`zip_with(${a}, ${b}, (z, y) -> z - coalesce(y, 1))`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE list_transform(list_zip(${a}, ${b}), lambda z: z[1] - coalesce(z[2], 1)) END`); },
    (s, d) => { const a = value(s, 'bigint[]', d), b = value(s, 'varchar[]', d); return dual(q`transform(zip(${a}, ${b}), z -> coalesce(z[1], 0) + coalesce(length(z[2]), 9))`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE list_transform(list_zip(${a}, ${b}), lambda z: coalesce(z[1], 0) + coalesce(length(z[2]), 9)) END`); },
    (s, d) => { const a = value(s, 'bigint[]', d), k = rnd(3); return dual(q`trim_array(${a} || ARRAY[1, 2], ${k})`, q`CASE WHEN ${a} IS NULL THEN NULL ELSE list_concat(${a}, [1, 2])[1:len(${a}) + ${2 - k}] END`); },
    (s, d) => { const a = value(s, 'bigint[]', d), f = pick([['', ''], [' DESC', ' DESC']])[0]; return dual(q`array_sort(${a}, (z, y) -> CASE WHEN z IS NULL AND y IS NULL THEN 0 WHEN z IS NULL THEN 1 WHEN y IS NULL THEN -1 WHEN z = y THEN 0 WHEN z ${f === '' ? '<' : '>'} y THEN -1 ELSE 1 END)`, q`list_sort(${a}, '${f === '' ? 'ASC' : 'DESC'}', 'NULLS LAST')`); },
    (s, d) => { const k = rnd(5) - 1, n = rnd(4), step = pick([1, 2, -1, -3]); return dual(`sequence(${k}, ${k + n * step}, ${step})`, `generate_series(CAST(${k} AS BIGINT), ${k + n * step}, ${step})`); },
  ],
  'varchar[]': [
    (s, d) => { const a = value(s, 'varchar', d), k = rnd(2) + 2; return dual(q`slice(split(${a}, 'p'), 1, ${k})`, q`str_split(${a}, 'p')[1:${k}]`); },
    (s, d) => { const a = value(s, 'varchar[]', d), b = value(s, 'varchar[]', d); return dual(q`array_sort(array_except(filter(${a}, z -> z IS NOT NULL), ${b}))`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE list_sort(list_distinct(list_filter(${a}, lambda z: z IS NOT NULL AND NOT coalesce(list_contains(${b}, z), false)))) END`); },
  ],
};

// ---- series ----
const at = () => rnd(16) * 500;
const here = (ms) => `from_milliseconds(${ms})`;
const before = (s, t) => q`list_filter(${s}, lambda p: p.t <= ${t})[-1]`;
const after = (s, t) => q`list_filter(${s}, lambda p: p.t >= ${t})[1]`;
const pairs = (s, body) => q`coalesce(list_sum(list_transform(range(1, len(${s})), lambda i: ${body})), 0)`;
const whole = (s, body) => q`CASE WHEN ${s} IS NOT NULL THEN ${body} END`;

const seriesMakers = [
  (s) => { const t = at(), b = before(s, t), a = after(s, t); return dual(q`interpolate_linear(${s}, ${here(t)})`, q`CASE WHEN ${b} IS NULL OR ${a} IS NULL THEN NULL WHEN ${b}.t = ${t} THEN ${b}.v ELSE ${b}.v + (${a}.v - ${b}.v) * (${t} - ${b}.t) / (${a}.t - ${b}.t) END`); },
  (s) => { const t = at(); return dual(q`interpolate_locf(${s}, ${here(t)})`, q`${before(s, t)}.v`); },
  (s) => { const t = at(); return dual(q`interpolate_fill(${s}, ${here(t)}, 7e0)`, whole(s, q`coalesce(list_filter(${s}, lambda p: p.t = ${t})[1].v, 7)`)); },
  (s) => { const ts = times(3, at).sort((a, b) => a - b); return dual(q`reduce(interpolate_locf(${s}, ARRAY[${ts.map(here).join(', ')}]), 0e0, (st, p) -> st + coalesce(p.value, 0), st -> st)`, whole(s, list([...new Set(ts)].map((t) => q`coalesce(${before(s, t)}.v, 0)`), ' + ', 9))); },
  (s) => { const unit = pick([['', 1000], [', 1m', 60000], [', 500ms', 500]]); return dual(q`integral_trapezoidal(${s}${unit[0]})`, whole(s, q`${pairs(s, q`(${s}[i].v + ${s}[i + 1].v) / 2 * (${s}[i + 1].t - ${s}[i].t)`)} / ${unit[1]}`)); },
  (s) => { const k = pick([1, 60]); return dual(q`reduce(derivative_linear(${s}, ${k}s), 0e0, (st, p) -> st + p.value, st -> st)`, whole(s, pairs(s, q`(${s}[i + 1].v - ${s}[i].v) / (${s}[i + 1].t - ${s}[i].t) * ${k * 1000}`))); },
  (s) => dual(q`reduce(non_negative_derivative_linear(${s}, 1s), 0e0, (st, p) -> st + p.value, st -> st)`, whole(s, pairs(s, q`greatest(0, (${s}[i + 1].v - ${s}[i].v) / (${s}[i + 1].t - ${s}[i].t) * 1000)`))),
  (s) => dual(q`reduce(filter(${s}, p -> p.value > 0.5), 0e0, (st, p) -> st + p.value, st -> st)`, whole(s, q`coalesce(list_sum(list_transform(list_filter(${s}, lambda p: p.v > 0.5), lambda p: p.v)), 0)`)),
  (s) => dual(q`reduce(transform(${s}, p -> p.value * 2e0), 1e0, (st, p) -> st + p.value, st -> st / 2e0)`, whole(s, q`(1 + coalesce(list_sum(list_transform(${s}, lambda p: p.v * 2)), 0)) / 2`)),
  (s) => dual(q`CAST(cardinality(${s}) AS double)`, q`CAST(len(${s}) AS DOUBLE)`),
  (s) => dual(q`interpolate_linear(filter(${s}, p -> p.time >= from_milliseconds(2000)), from_milliseconds(2000))`, q`list_filter(${s}, lambda p: p.t = 2000)[1].v`),
];
export const seriesValue = (columns) => pick(seriesMakers)(q`${pick(columns).name}`);
// Rows of a series: times and values.
export const seriesRows = (name, alias) => dual(q`UNNEST(${name}) AS ${alias}(m0, m1)`, q`LATERAL (SELECT make_timestamp_ms(s.t) AS m0, s.v AS m1 FROM (SELECT UNNEST(${name}) AS s)) AS ${alias}`);
