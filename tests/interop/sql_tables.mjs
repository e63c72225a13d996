// Random tables: few rows with many ties and NULLs, or extremes, or none at all; points that come late and twice.
import { rnd, chance, pick, times, shuffle } from './sql_text.mjs';

const START = 1714560000; // s: 2024-05-01 10:40
export const layouts = {
  t: { database: 'db', dims: ['a', 'b'], measures: { x: 'double', n: 'bigint', s: 'varchar', ok: 'boolean' } },
  u: { database: 'db', dims: ['a', 'c'], measures: { y: 'double', n: 'bigint', s: 'varchar' } },
  v: { database: 'db', dims: ['b'], measures: { k: 'bigint', x: 'double' } },
  w: { database: 'other', dims: ['a'], measures: { k: 'bigint', s: 'varchar', ok: 'boolean' } },
};
export const columnTypes = { time: 'timestamp', measure_name: 'varchar', a: 'varchar', b: 'varchar', c: 'varchar', x: 'double', y: 'double', n: 'bigint', k: 'bigint', s: 'varchar', ok: 'boolean' };
export const columnsOf = (name) => [...layouts[name].dims, 'measure_name', 'time', ...Object.keys(layouts[name].measures)];

const texts = ['p', 'q', 'pq', '', 'Z', 'é', 'a b', 'x,y', '12', '-3', '日本', '%', 'p_q', "it's", 'Ab'];
const hugeInts = ['9223372036854775807', '-9223372036854775808', '9007199254740993', '-1', '0', '4294967296', '2147483647'];
const hugeDoubles = ['1e300', '-1e300', '1e-300', '0.1', '-0.0', '123456789.123', '5e-324'];

function cell(type, extreme) {
  if (chance(15)) return null;
  switch (type) {
    case 'double': return extreme ? pick(hugeDoubles) : String((rnd(13) - 4) / 4);
    case 'bigint': return extreme ? pick(hugeInts) : String(rnd(9) - 3);
    case 'boolean': return chance(50) ? 'true' : 'false';
    default: return chance(70) ? pick(['p', 'q', 'pq', '', 'Z', 'é']) : pick(texts);
  }
}

function measuresOf(layout, extreme) {
  const row = {};
  for (const [m, type] of Object.entries(layout.measures)) row[m] = cell(type, extreme);
  // a point has a value
  if (Object.values(row).every((v) => v === null)) {
    const [m, type] = pick(Object.entries(layout.measures));
    while (row[m] === null) row[m] = cell(type, extreme);
  }
  return row;
}

// A point's time: close together, over days, or years apart.
const spreads = [() => START + rnd(12) * 60, () => START + rnd(6) * 60 + rnd(3) * 86400, () => pick([START, START + 3600, 0, 86399, 951782400, 4102444799, START + rnd(4)])];

export function makeTables(big) {
  const extreme = chance(6);
  const tables = { extreme, rows: {} };
  for (const [name, layout] of Object.entries(layouts)) {
    const count = big && name === 't' ? 4000 : chance(8) ? 0 : rnd(pick([4, 20, 40, 40])) + 1;
    const spread = big ? () => START + rnd(30000) : pick([spreads[0], ...spreads]);
    const rows = new Map();
    for (let i = 0; i < count; i++) {
      const row = { measure_name: pick(['cpu', 'mem']), time: spread(), old: null };
      for (const d of layout.dims) row[d] = chance(12) ? null : pick(chance(80) ? ['p', 'q', 'r'] : ['é', 'x y', 'a,b=c']);
      Object.assign(row, measuresOf(layout, extreme));
      // What it was before: without values where there is none now, as points merge field by field.
      if (chance(15)) {
        row.old = measuresOf(layout, extreme);
        for (const m of Object.keys(layout.measures)) if (row[m] === null) row.old[m] = null;
        if (Object.values(row.old).every((v) => v === null)) row.old = null;
      }
      rows.set([row.measure_name, ...layout.dims.map((d) => row[d]), row.time].join('|'), row);
    }
    tables.rows[name] = shuffle([...rows.values()]);
  }
  // sources in memory have a unit for every partition of their time, with rows or without
  const all = Object.values(tables.rows).flat().map((row) => row.time);
  const span = all.length > 0 ? Math.max(...all) - Math.min(...all) : 0;
  const partition = pick([0, 120, 300, 3600].filter((s) => s === 0 || span / s < 30));
  tables.shape = `${partition}000000000 ${rnd(3)} ${pick([0, 1, 4])} ${pick([0, 1, 3])} ${rnd(2)}`;
  return tables;
}

// The commands of sql_shell.c.
export function shellScript(tables) {
  const out = ['clear'];
  const line = (word, layout, row, measures) => [`${word} ${row.time}000000000`, row.measure_name, ...layout.dims.map((d) => row[d] ?? '\\N'), ...Object.keys(layout.measures).map((m) => measures[m] ?? '\\N')].join('\t');
  for (const [name, layout] of Object.entries(layouts)) {
    out.push([`table ${layout.database}`, name, 'dims', ...layout.dims, 'measures', ...Object.entries(layout.measures).map(([m, t]) => `${m}:${t}`)].join('\t'));
    for (const row of tables.rows[name]) if (row.old !== null) out.push(line('old', layout, row, row.old));
    for (const row of tables.rows[name]) out.push(line('row', layout, row, row));
  }
  out.push(`shape ${tables.shape}`, '');
  return out.join('\n');
}

// Statements that make the same tables.
export function* duckScript(tables) {
  yield 'CREATE SCHEMA IF NOT EXISTS other';
  for (const [name, layout] of Object.entries(layouts)) {
    const table = layout.database === 'db' ? `main.${name}` : `${layout.database}.${name}`;
    yield `CREATE OR REPLACE TABLE ${table} (${[...layout.dims.map((d) => `${d} VARCHAR`), 'measure_name VARCHAR', '"time" TIMESTAMP', ...Object.entries(layout.measures).map(([m, t]) => `${m} ${t}`)].join(', ')})`;
    const text = (v) => (v === null ? 'NULL' : `'${v.replaceAll("'", "''")}'`);
    const value = (v, type) => (v === null ? 'NULL' : type === 'varchar' ? text(v) : type === 'double' ? `CAST('${v}' AS DOUBLE)` : v);
    const rows = tables.rows[name].map((row) => `(${[...layout.dims.map((d) => text(row[d])), text(row.measure_name), `make_timestamp(${row.time}000000)`, ...Object.entries(layout.measures).map(([m, t]) => value(row[m], t))].join(', ')})`);
    for (let i = 0; i < rows.length; i += 500) yield `INSERT INTO ${table} VALUES ${rows.slice(i, i + 500).join(', ')}`;
  }
}

const lit = (v) => `'${v}'`;
// A DELETE of some dimensions, measure names and times.
export function deleteStatement() {
  const name = pick(Object.keys(layouts)), layout = layouts[name];
  const dim = () => pick([...layout.dims, 'measure_name']);
  const of = (d) => lit(pick(d === 'measure_name' ? ['cpu', 'mem'] : ['p', 'q', 'r', 'é']));
  const onDims = () => { const d = dim(); return pick([`${d} = ${of(d)}`, `${d} <> ${of(d)}`, `${d} IS NULL`, `${d} IN (${of(d)}, ${of(d)})`, `(${d} > ${of(d)} OR ${dim()} IS NULL)`, `${d} LIKE 'p%'`, `NOT (${d} = ${of(d)})`, `length(${d}) = 1`]); };
  const at = () => `TIMESTAMP '2024-05-0${rnd(3) + 1} 10:${40 + rnd(12)}:00'`;
  const onTime = () => pick([`time < ${at()}`, `time >= ${at()}`, `time = ${at()}`, `time BETWEEN ${at()} AND ${at()}`, `time > ${at()} AND time <= ${at()}`]);
  const terms = times(rnd(3), () => onDims());
  if (chance(50) || terms.length === 0) terms.push(onTime());
  return { table: layout.database === 'db' ? name : `${layout.database}.${name}`, where: shuffle(terms).join(' AND ') };
}
