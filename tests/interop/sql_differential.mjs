// Random tables and random statements over the grammar that tsfs and DuckDB share; the rows must be the same.
// sql_differential.mjs SQL_SHELL QUERIES SEED.  Every 50 statements the tables are new; statement i of seed s can be run
// alone with QUERIES 1 and SEED s+i (its tables follow from the seed's fiftieth).
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { DuckDBInstance } from '@duckdb/node-api';

const [shellPath, queriesText, seedText] = process.argv.slice(2);
const queries = Number(queriesText), firstSeed = Number(seedText);

// ---- random numbers: the same on every machine ----
let state = 1n;
const seedWith = (n) => { state = (BigInt(n) * 0x9e3779b97f4a7c15n + 0x1234567n) & 0xffffffffffffffffn; for (let i = 0; i < 4; i++) next(); };
function next() {
  state ^= (state << 13n) & 0xffffffffffffffffn;
  state ^= state >> 7n;
  state ^= (state << 17n) & 0xffffffffffffffffn;
  return Number(state >> 11n & 0x1fffffffffffffn);
}
const rnd = (n) => next() % n;
const chance = (percent) => rnd(100) < percent;
const pick = (list) => list[rnd(list.length)];

// ---- tables ----
const START = 1714560000; // s
const layouts = {
  t: { dims: ['a', 'b'], measures: { x: 'double', n: 'bigint', s: 'varchar', ok: 'boolean' } },
  u: { dims: ['a', 'c'], measures: { y: 'double', n: 'bigint', s: 'varchar' } },
  v: { dims: ['b'], measures: { k: 'bigint', x: 'double' } },
};
const types = { time: 'timestamp', measure_name: 'varchar', a: 'varchar', b: 'varchar', c: 'varchar', x: 'double', y: 'double', n: 'bigint', k: 'bigint', s: 'varchar', ok: 'boolean' };
const columnsOf = (name) => [...layouts[name].dims, 'measure_name', 'time', ...Object.keys(layouts[name].measures)];

function cell(type) {
  if (chance(15)) return null;
  switch (type) {
    case 'double': return (rnd(13) - 4) / 4;
    case 'bigint': return rnd(9) - 3;
    case 'boolean': return chance(50);
    default: return pick(['p', 'q', 'pq', '', 'Z', 'é']);
  }
}

function makeTables() {
  const tables = {};
  for (const [name, layout] of Object.entries(layouts)) {
    const rows = new Map();
    const count = chance(8) ? 0 : rnd(40) + 1;
    for (let i = 0; i < count; i++) {
      const row = { measure_name: pick(['cpu', 'mem']), time: START + rnd(12) * 60 };
      for (const d of layout.dims) row[d] = chance(12) ? null : pick(['p', 'q', 'r']);
      for (const [m, type] of Object.entries(layout.measures)) row[m] = cell(type);
      rows.set([row.measure_name, ...layout.dims.map((d) => row[d]), row.time].join('|'), row);
    }
    tables[name] = [...rows.values()];
  }
  return tables;
}

// ---- statements: [text here, text there] where they differ, else one text ----
const both = (ours, theirs) => `\u27e6${ours}\u27e7${theirs}\u27e8`;
const ours = (text) => text.replace(/\u27e6([^\u27e7]*)\u27e7[^\u27e8]*\u27e8/g, '$1');
const theirs = (text) => text.replace(/\u27e6[^\u27e7]*\u27e7([^\u27e8]*)\u27e8/g, '$1');

let aliases = 0;
// A scope is a list of { name, type }: name is how an expression spells the column.
const ofType = (scope, type) => scope.filter((c) => c.type === type);

function literal(type) {
  switch (type) {
    case 'double': return String((rnd(13) - 4) / 4) + (chance(50) ? '' : 'e0');
    case 'bigint': return String(rnd(9) - 3);
    case 'boolean': return pick(['true', 'false']);
    case 'timestamp': return `TIMESTAMP '2024-05-01 10:${String(40 + rnd(14)).padStart(2, '0')}:00'`;
    default: return pick(["'p'", "'q'", "'pq'", "''", "'Z'"]);
  }
}

function value(scope, type, depth) {
  const columns = ofType(scope.columns, type);
  const choice = rnd(depth <= 0 ? 3 : 10);
  if (choice < 2 && columns.length > 0) return pick(columns).name;
  if (choice === 2 || depth <= 0) return columns.length > 0 && chance(60) ? pick(columns).name : fix(literal(type), type);
  switch (choice) {
    case 3: return `CASE WHEN ${condition(scope, depth - 1)} THEN ${value(scope, type, depth - 1)} ELSE ${value(scope, type, depth - 1)} END`;
    case 4: return `coalesce(${value(scope, type, depth - 1)}, ${value(scope, type, depth - 1)})`;
    case 5: return `nullif(${value(scope, type, depth - 1)}, ${value(scope, type, 0)})`;
    case 6: if (scope.subqueries > 0 && depth > 1) return scalar(scope, type, depth - 1); // falls through
    default:
      if (type === 'bigint') return chance(30) ? `(${value(scope, type, depth - 1)} % 3)` : `(${value(scope, type, depth - 1)} ${pick(['+', '-', '*'])} ${value(scope, type, depth - 1)})`;
      if (type === 'double') return `(${value(scope, type, depth - 1)} ${pick(['+', '-', '*'])} ${value(scope, pick(['double', 'bigint']), depth - 1)})`;
      if (type === 'varchar') return pick([() => `(${value(scope, type, depth - 1)} || ${value(scope, type, depth - 1)})`, () => `lower(${value(scope, type, depth - 1)})`])();
      if (type === 'boolean') return `(${condition(scope, depth - 1)})`;
      return columns.length > 0 ? `(${pick(columns).name} + INTERVAL '${rnd(5)}' MINUTE)` : literal(type);
  }
}
// A double literal without point or exponent would be a bigint.
const fix = (text, type) => (type === 'double' && /^-?\d+$/.test(text) ? `${text}e0` : text);

function condition(scope, depth) {
  const type = pick(['bigint', 'double', 'varchar', 'bigint', 'varchar', 'timestamp', 'boolean']);
  switch (rnd(depth <= 0 ? 5 : 12)) {
    case 0: case 1: return `${value(scope, type, depth - 1)} ${pick(['=', '<>', '<', '<=', '>', '>='])} ${value(scope, type, depth - 1)}`;
    case 2: return `${value(scope, type, depth - 1)} IS ${chance(50) ? 'NOT ' : ''}NULL`;
    case 3: return `${value(scope, type, depth - 1)} ${chance(30) ? 'NOT ' : ''}IN (${literalList(type)})`;
    case 4: return `${value(scope, type, depth - 1)} BETWEEN ${value(scope, type, 0)} AND ${value(scope, type, 0)}`;
    case 5: return `(${condition(scope, depth - 1)} AND ${condition(scope, depth - 1)})`;
    case 6: return `(${condition(scope, depth - 1)} OR ${condition(scope, depth - 1)})`;
    case 7: return `NOT (${condition(scope, depth - 1)})`;
    case 8: return `${value(scope, type, depth - 1)} IS ${chance(50) ? 'NOT ' : ''}DISTINCT FROM ${value(scope, type, depth - 1)}`;
    default: return scope.subqueries > 0 ? subqueryCondition(scope, depth - 1) : `${value(scope, 'varchar', 0)} LIKE ${pick(["'p%'", "'%q'", "'_'"])}`;
  }
}
const literalList = (type) => Array.from({ length: rnd(3) + 1 }, () => (chance(10) ? 'NULL' : fix(literal(type), type))).join(', ');

// What a query inside an expression sees: its own FROM, and sometimes the columns around it.
function innerScope(scope, from) {
  const columns = chance(50) ? [...from.columns, ...scope.columns] : from.columns;
  return { columns, subqueries: scope.subqueries - 1 };
}

function scalar(scope, type, depth) {
  const from = fromItem({ ...scope, subqueries: scope.subqueries - 1 }, 0);
  const inner = innerScope(scope, from);
  const aggregate = type === 'boolean' ? 'max' : pick(['min', 'max']);
  if (type === 'bigint' && chance(40)) return `(SELECT count(*) FROM ${from.text} WHERE ${correlated(inner, scope, from, depth)})`;
  return `(SELECT ${aggregate}(${value({ columns: from.columns, subqueries: 0 }, type, depth - 1)}) FROM ${from.text} WHERE ${correlated(inner, scope, from, depth)})`;
}

function correlated(inner, scope, from, depth) {
  const type = pick(['varchar', 'bigint', 'timestamp']);
  const a = ofType(from.columns, type), b = ofType(scope.columns, type);
  const terms = [];
  if (a.length > 0 && b.length > 0 && chance(60)) terms.push(`${pick(a).name} = ${pick(b).name}`);
  if (chance(60) || terms.length === 0) terms.push(condition({ ...inner, subqueries: 0 }, depth - 1));
  return terms.join(' AND ');
}

function subqueryCondition(scope, depth) {
  const from = fromItem({ ...scope, subqueries: scope.subqueries - 1 }, 0);
  const inner = innerScope(scope, from);
  const where = correlated(inner, scope, from, depth);
  const type = pick(['bigint', 'varchar', 'double']);
  const item = value({ columns: from.columns, subqueries: 0 }, type, 1);
  const left = value({ ...scope, subqueries: 0 }, type, depth - 1);
  switch (rnd(4)) {
    case 0: return `${chance(40) ? 'NOT ' : ''}EXISTS (SELECT 1 FROM ${from.text} WHERE ${where})`;
    case 1: return `${left} ${pick(['=', '<>', '<', '<=', '>', '>='])} ${pick(['ANY', 'ALL'])} (SELECT ${item} FROM ${from.text} WHERE ${where})`;
    default: return `${left} ${chance(40) ? 'NOT ' : ''}IN (SELECT ${item} FROM ${from.text} WHERE ${where})`;
  }
}

function fromItem(scope, depth) {
  const choice = depth > 0 ? rnd(10) : 0;
  const alias = `r${aliases++}`;
  if (choice < 6) {
    const table = pick(Object.keys(layouts));
    return { text: `${table} ${alias}`, columns: columnsOf(table).map((c) => ({ name: `${alias}.${c}`, type: types[c] })) };
  }
  if (choice < 8) {
    const list = columnList();
    const rows = Array.from({ length: rnd(4) + 1 }, () => `(${list.map((c) => (chance(15) ? 'NULL' : fix(literal(c.type), c.type))).join(', ')})`);
    const casts = list.map((c) => `CAST(${c.name} AS ${both(c.type, c.type)}) AS ${c.name}`).join(', ');
    return { text: `(SELECT ${casts} FROM (VALUES ${rows.join(', ')}) AS ${alias}v(${list.map((c) => c.name).join(', ')})) AS ${alias}`, columns: list.map((c) => ({ name: `${alias}.${c.name}`, type: c.type })) };
  }
  const inner = select({ columns: [], subqueries: scope.subqueries - 1 }, depth - 1, columnList());
  return { text: `(${inner.text}) AS ${alias}`, columns: inner.list.map((c) => ({ name: `${alias}.${c.name}`, type: c.type })) };
}
const columnList = () => Array.from({ length: rnd(3) + 1 }, (_, i) => ({ name: `c${i}`, type: pick(['bigint', 'double', 'varchar', 'varchar', 'boolean', 'timestamp']) }));

function fromClause(scope, depth) {
  let left = fromItem(scope, depth);
  const joins = chance(45) ? 0 : rnd(3) + (chance(15) ? 1 : 0);
  for (let i = 0; i < joins; i++) {
    const right = fromItem(scope, depth);
    const columns = [...left.columns, ...right.columns];
    const kind = pick(['JOIN', 'JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'CROSS JOIN', ',']);
    if (kind === 'CROSS JOIN' || kind === ',') {
      left = { text: kind === ',' ? `${left.text} CROSS JOIN ${right.text}` : `${left.text} CROSS JOIN ${right.text}`, columns };
      continue;
    }
    const type = pick(['varchar', 'varchar', 'bigint', 'timestamp', 'double']);
    const a = ofType(left.columns, type), b = ofType(right.columns, type);
    const terms = [];
    if (a.length > 0 && b.length > 0 && chance(85)) terms.push(`${pick(a).name} = ${pick(b).name}`);
    // DuckDB joins FULL by equalities alone
    if (kind === 'FULL JOIN' && terms.length === 0) { left = { text: `${left.text} CROSS JOIN ${right.text}`, columns }; continue; }
    if (terms.length === 0 || (chance(30) && kind !== 'FULL JOIN')) terms.push(condition({ columns, subqueries: 0 }, 1));
    left = { text: `${left.text} ${kind} ${right.text} ON ${terms.join(' AND ')}`, columns };
  }
  return left;
}

function aggregate(scope, type, depth) {
  const filter = chance(20) ? ` FILTER (WHERE ${condition({ ...scope, subqueries: 0 }, 1)})` : '';
  const distinct = chance(20) ? 'DISTINCT ' : '';
  const plain = { ...scope, subqueries: chance(20) ? scope.subqueries : 0 };
  if (type === 'bigint') return pick([() => `count(*)${filter}`, () => `count(${distinct}${value(plain, pick(['varchar', 'bigint']), depth)})${filter}`, () => `sum(${distinct}${value(plain, 'bigint', depth)})${filter}`])();
  if (type === 'double') return pick([() => `sum(${value(plain, 'double', depth)})${filter}`, () => `avg(${distinct}${value(plain, pick(['double', 'bigint']), depth)})${filter}`, () => `min(${value(plain, 'double', depth)})${filter}`])();
  return `${pick(['min', 'max'])}(${value(plain, type, depth)})${filter}`;
}

function frame(keyType) {
  if (chance(40)) return '';
  const unit = pick(keyType === undefined ? ['ROWS'] : ['ROWS', 'ROWS', 'RANGE', 'GROUPS']);
  const offset = unit === 'RANGE' ? (keyType === 'timestamp' ? `INTERVAL '${rnd(4) + 1}' MINUTE` : String(rnd(4) + 1)) : String(rnd(4));
  const ranged = unit !== 'RANGE' || keyType === 'timestamp' || keyType === 'bigint' || keyType === 'double';
  const starts = ['UNBOUNDED PRECEDING', 'CURRENT ROW', ...(ranged ? [`${offset} PRECEDING`, `${offset} FOLLOWING`] : [])];
  const order = { U: 0, C: 2 };
  const rank = (b) => (b === 'UNBOUNDED PRECEDING' ? 0 : b === 'UNBOUNDED FOLLOWING' ? 4 : b.endsWith('PRECEDING') ? 1 : b === 'CURRENT ROW' ? order.C : 3);
  const start = pick(starts);
  const ends = ['CURRENT ROW', 'UNBOUNDED FOLLOWING', ...(ranged ? [`${offset} FOLLOWING`, `${offset} PRECEDING`] : [])].filter((e) => rank(e) >= rank(start));
  return ` ${unit} BETWEEN ${start} AND ${pick(ends)}`;
}

// Rows that tie in ORDER BY have no order of their own: functions of position get a key that tells all rows apart.
function windowed(scope, type, depth) {
  const plain = { ...scope, subqueries: 0 };
  const partition = chance(60) ? `PARTITION BY ${value(plain, pick(['varchar', 'bigint', 'boolean']), 1)} ` : '';
  const total = scope.columns.map((c) => `${c.name} ${pick(['ASC', 'DESC'])} NULLS ${pick(['FIRST', 'LAST'])}`).join(', ');
  const keyType = pick(['bigint', 'double', 'timestamp', 'varchar']);
  const keys = ofType(scope.columns, keyType);
  const one = keys.length > 0 ? `ORDER BY ${pick(keys).name} ${pick(['ASC', 'DESC'])} NULLS ${pick(['FIRST', 'LAST'])}` : '';
  const nulls = chance(40);
  const ignore = (fn, args, over) => (nulls ? both(`${fn}(${args}) IGNORE NULLS OVER (${over})`, `${fn}(${args} IGNORE NULLS) OVER (${over})`) : `${fn}(${args}) OVER (${over})`);
  switch (rnd(4)) {
    case 0:
      if (type === 'bigint') return pick([`row_number() OVER (${partition}ORDER BY ${total})`, `ntile(${rnd(4) + 1}) OVER (${partition}ORDER BY ${total})`, `rank() OVER (${partition}${one})`, `dense_rank() OVER (${partition}${one})`]);
      if (type === 'double') return pick([`percent_rank() OVER (${partition}${one})`, `cume_dist() OVER (${partition}${one})`]);
      // falls through
    case 1: {
      const arg = value(plain, type, depth);
      const offset = chance(50) ? `, ${rnd(4)}` : '';
      return ignore(pick(['lag', 'lead']), arg + offset, `${partition}ORDER BY ${total}`);
    }
    case 2: {
      const fn = pick(['first_value', 'last_value', 'nth_value']);
      const arg = value(plain, type, depth) + (fn === 'nth_value' ? `, ${rnd(3) + 1}` : '');
      const rows = chance(60);
      return ignore(fn, arg, rows ? `${partition}ORDER BY ${total}${frame(undefined)}` : `${partition}ORDER BY ${total}`);
    }
    default: {
      const call = aggregate({ ...scope, subqueries: 0 }, type, depth);
      const unit = one === '' ? '' : frame(keyType);
      // a frame of ROWS over tied keys is any of several
      const orderBy = unit.startsWith(' ROWS') || (one === '' && chance(50)) ? `ORDER BY ${total}` : one;
      return `${call} OVER (${partition}${orderBy}${orderBy === '' ? '' : unit})`;
    }
  }
}

// SELECT of a list of columns { name, type }.
function select(outer, depth, list) {
  const from = fromClause({ columns: [], subqueries: outer.subqueries }, depth);
  const scope = { columns: from.columns, subqueries: outer.subqueries };
  const where = chance(60) ? ` WHERE ${condition(scope, 2)}` : '';
  if (chance(35)) { // grouped
    const keys = Array.from({ length: rnd(3) }, () => { const type = pick(['varchar', 'bigint', 'boolean', 'varchar']); return { name: value({ ...scope, subqueries: 0 }, type, 1), type }; }).filter((k) => !/^[-'\d(]*[\w.']*$/.test(k.name) || k.name.startsWith('r'));
    const plainKeys = keys.filter((k) => /\br\d+\./.test(k.name));
    let by = plainKeys.map((k) => k.name).join(', ');
    const sets = plainKeys.length > 0 && chance(30);
    if (sets) by = pick([`ROLLUP (${by})`, `CUBE (${by})`, `GROUPING SETS ((${by}), ())`]);
    const items = list.map((c) => {
      const same = plainKeys.filter((k) => k.type === c.type);
      if (same.length > 0 && chance(50)) return `${pick(same).name} AS ${c.name}`;
      if (sets && c.type === 'bigint' && chance(30)) return `CAST(GROUPING(${plainKeys[0].name}) AS bigint) AS ${c.name}`;
      return `CAST(${aggregate(scope, c.type, 1)} AS ${c.type}) AS ${c.name}`;
    });
    const having = chance(30) ? ` HAVING ${aggregate({ ...scope, subqueries: 0 }, 'bigint', 1)} ${pick(['>', '<', '<>'])} ${rnd(4)}` : '';
    return { text: `SELECT ${items.join(', ')} FROM ${from.text}${where}${by === '' ? '' : ` GROUP BY ${by}`}${having}`, list };
  }
  const distinct = chance(15) ? 'DISTINCT ' : '';
  const items = list.map((c) => `CAST(${chance(25) ? windowed(scope, c.type, 1) : value(scope, c.type, 2)} AS ${c.type}) AS ${c.name}`);
  return { text: `SELECT ${distinct}${items.join(', ')} FROM ${from.text}${where}`, list };
}

function statement() {
  aliases = 0;
  const list = columnList();
  const operand = (depth) => select({ columns: [], subqueries: 2 }, depth, list).text;
  let text = operand(2);
  while (chance(20)) text = chance(30) ? `(${text}) ${pick(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT'])} (${operand(1)})` : `${text} ${pick(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT', 'INTERSECT ALL', 'EXCEPT ALL'])} ${operand(1)}`;
  if (chance(20)) { // WITH, used twice
    const join = chance(50) ? 'w AS w1 JOIN w AS w2 ON w1.c0 = w2.c0' : 'w AS w1 LEFT JOIN w AS w2 ON w1.c0 = w2.c0';
    text = `WITH w AS (${text}) SELECT ${list.map((c) => `w1.${c.name} AS ${c.name}`).join(', ')}, count(*) AS many FROM ${join} GROUP BY ${list.map((c) => `w1.${c.name}`).join(', ')}`;
    list.push({ name: 'many', type: 'bigint' });
  }
  const ordered = chance(40);
  if (ordered) text = `SELECT * FROM (${text}) AS q ORDER BY ${list.map((c) => `${c.name} ${pick(['ASC', 'DESC'])} NULLS ${pick(['FIRST', 'LAST'])}`).join(', ')}${chance(50) ? ` LIMIT ${rnd(8)}` : ''}${chance(30) ? ` OFFSET ${rnd(4)}` : ''}`;
  return { text, ordered };
}

// ---- both sides ----
const child = spawn(shellPath, [], { stdio: ['pipe', 'pipe', 'inherit'] });
let ended = false;
child.on('exit', (code, signal) => { ended = true; if (signal !== null || code !== 0) { console.error(`sql_shell ended: ${code ?? signal}\n${last}`); process.exit(1); } });
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
let last = '';
async function runHere(text) {
  last = text;
  child.stdin.write(`query ${text}\n`);
  const head = (await lines.next()).value;
  if (head === undefined) return { error: 'the shell ended' };
  if (head.startsWith('error ')) return { error: head.slice(6) };
  const rows = [];
  for (let i = Number(head.slice(5)); i > 0; i--) rows.push((await lines.next()).value.split('\t').map(cellHere));
  return { rows };
}
const number = (v) => (Number.isInteger(v) && Math.abs(v) < 1e15 ? String(v) : Number(v.toPrecision(10)).toString());
function cellHere(text) {
  if (text === '\\N') return null;
  if (text.startsWith("'")) return text;
  if (text === 'true' || text === 'false') return text;
  return number(Number(text));
}
function cellThere(v) {
  if (v === null || v === undefined) return null;
  switch (typeof v) {
    case 'bigint': return number(Number(v));
    case 'number': return number(v);
    case 'boolean': return String(v);
    case 'string': return `'${v}`;
    default:
      if (v.micros !== undefined) return number(Number(v.micros) * 1000);
      return `?${v}`;
  }
}

const instance = await DuckDBInstance.create(':memory:');
const duck = await instance.connect();
await duck.run("SET threads = 1; SET default_null_order = 'nulls_last'; SET TimeZone = 'UTC'");
async function runThere(text) {
  try {
    const reader = await duck.runAndReadAll(text);
    return { rows: reader.getRows().map((row) => row.map(cellThere)) };
  } catch (e) {
    return { error: String(e.message).split('\n')[0] };
  }
}

const sqlCell = (v, type) => (v === null ? 'NULL' : type === 'varchar' ? `'${v}'` : String(v));
async function load(tables) {
  for (const [name, layout] of Object.entries(layouts)) {
    const columns = [...layout.dims.map((d) => `${d} VARCHAR`), 'measure_name VARCHAR', '"time" TIMESTAMP', ...Object.entries(layout.measures).map(([m, t]) => `${m} ${t}`)];
    await duck.run(`CREATE OR REPLACE TABLE ${name} (${columns.join(', ')})`);
    for (const row of tables[name]) {
      const cells = [...layout.dims.map((d) => sqlCell(row[d], 'varchar')), `'${row.measure_name}'`, `make_timestamp(${row.time}000000)`, ...Object.entries(layout.measures).map(([m, t]) => sqlCell(row[m], t))];
      await duck.run(`INSERT INTO ${name} VALUES (${cells.join(', ')})`);
    }
  }
  let script = 'clear\n';
  for (const [name, layout] of Object.entries(layouts)) {
    script += `table ${[name, 'dims', ...layout.dims, 'measures', ...Object.entries(layout.measures).map(([m, t]) => `${m}:${t}`)].join('\t')}\n`;
    for (const row of tables[name]) {
      const cells = [`${row.time}000000000`, row.measure_name, ...layout.dims.map((d) => row[d] ?? '\\N'), ...Object.keys(layout.measures).map((m) => (row[m] === null ? '\\N' : String(row[m])))];
      script += `row ${cells.join('\t')}\n`;
    }
  }
  script += `shape ${pick([0, 120000000000, 300000000000])} ${rnd(3)} ${pick([0, 1, 4])} ${pick([0, 1, 3])} ${rnd(2)}\n`;
  child.stdin.write(script);
}

// What one side refuses and the other not, for reasons that are known.
const excused = [
  [/./, /Binder Error|Parser Error|Not implemented|INTERNAL|Invalid Input|Out of Range|Conversion/],
  [/cannot be negative|bigint|overflow|out of range/i, /./],
];

let failures = 0, compared = 0, refused = 0, nonempty = 0;
let group = -1;
for (let i = 0; i < queries; i++) {
  const seed = firstSeed + i;
  if (Math.floor(seed / 50) !== group) {
    group = Math.floor(seed / 50);
    seedWith(group * 7 + 3);
    await load(makeTables());
  }
  seedWith(seed);
  const { text, ordered } = statement();
  const here = await runHere(ours(text)), there = await runThere(theirs(text));
  if (ended) process.exit(1);
  if (there.error !== undefined) {
    refused++;
    if (process.env.SQL_SHOW_REFUSED) console.log(`seed ${seed}: there: ${there.error}\n  ${theirs(text)}`);
    if (here.error !== undefined || excused[0][1].test(there.error)) continue;
  }
  const show = (r) => r.map((row) => row.map((c) => (c === null ? 'NULL' : c)).join(', '));
  let wrong = null;
  if (here.error !== undefined && there.error === undefined) {
    wrong = `here: ${here.error}\nthere: ${there.rows.length} rows`;
  } else if (there.error !== undefined) {
    wrong = `here: ${here.rows.length} rows\nthere: ${there.error}`;
  } else {
    let a = show(here.rows), b = show(there.rows);
    if (!ordered) { a = a.sort(); b = b.sort(); }
    if (a.join('\n') !== b.join('\n')) wrong = `here (${a.length} rows):\n  ${a.slice(0, 30).join('\n  ')}\nthere (${b.length} rows):\n  ${b.slice(0, 30).join('\n  ')}`;
    compared++;
    nonempty += b.length > 0;
  }
  if (wrong !== null) {
    failures++;
    console.log(`seed ${seed}: ${ours(text)}\n${wrong}\n`);
    if (failures >= Number(process.env.SQL_FAILURES ?? 5)) break;
  }
}
child.stdin.end();
console.log(`${compared} statements compared, ${nonempty} with rows, ${refused} refused by DuckDB, ${failures} different`);
process.exit(failures === 0 && (compared > queries / 2 || queries < 100) ? 0 : 1);
