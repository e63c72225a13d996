// The files of a cold tier by independent readers, against what our SQL answered.  Called by cold_readers.sh.
//
//   read DB DIR TABLE...   DB/TABLE/cold/*.parquet against DIR/TABLE.{schema,rows,sums}
//   write DIR              files by DuckDB to be attached: DIR/duck-*.parquet, and some to be refused: DIR/wrong-*.parquet
//   attached DIR           DIR/attached.rows against what was written and attached
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import * as arrow from 'apache-arrow';

const wasm = createRequire(import.meta.url)('parquet-wasm');
const [mode, ...args] = process.argv.slice(2);
const duck = await (await DuckDBInstance.create(':memory:')).connect();
const sql = async text => (await duck.runAndReadAll(text)).getRows();
await sql("SET TimeZone = 'UTC'");
const quote = name => `"${name.replaceAll('"', '""')}"`;
let failures = 0, checks = 0;

function check(what, ok, detail = '') {
  checks++;
  if (!ok && ++failures <= 20) console.log(`not ok: ${what} ${detail}`);
}

// ---- cells in one form: null or text; doubles by their bits
const f64 = new Float64Array(1), bits = new BigUint64Array(f64.buffer);
function doubleText(x) {
  f64[0] = x;
  return '0x' + bits[0].toString(16).padStart(16, '0');
}

// RFC 4180; an empty field is null, "" the empty text.
function parseCsv(text) {
  const rows = [];
  let row = [], at = 0;
  while (at < text.length) {
    let cell = null;
    if (text[at] === '"') {
      cell = '';
      for (at++; ; at++) {
        const end = text.indexOf('"', at);
        cell += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        cell += '"';
      }
    } else {
      let end = at;
      while (end < text.length && text[end] !== ',' && text[end] !== '\n') end++;
      if (end > at) cell = text.slice(at, text[end - 1] === '\r' ? end - 1 : end) || null;
      at = end;
    }
    row.push(cell);
    if (text[at] === '\r') at++;
    if (text[at] !== ',') {
      rows.push(row);
      row = [];
    } else if (text[at + 1] === '\n') {
      row.push(null);
      rows.push(row);
      row = [];
      at++;
    }
    at++;
  }
  return rows;
}

function readSchema(file) { // [{name, type}], the file's columns: time, measure_name, dimensions and measures as born
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(1).map(l => {
    const [name, role, type] = l.split('\t');
    return { name, role, type };
  });
}

function readRows(file, columns) {
  const [head, ...rows] = parseCsv(readFileSync(file, 'utf8'));
  check(`${file}: columns`, head.length === columns.length && head.slice(1).every((n, i) => n === columns[i + 1].name), head);
  for (const row of rows)
    columns.forEach((c, i) => { if (row[i] !== null && c.type === 'double') row[i] = doubleText(Number(row[i])); });
  return rows;
}

const key = row => JSON.stringify(row);
function compare(what, want, got) { // as sets: every row is there as often
  check(`${what}: rows`, want.length === got.length, `SQL gives ${want.length}, the files hold ${got.length}`);
  const a = want.map(key).sort(), b = got.map(key).sort();
  for (let i = 0; i < a.length || i < b.length; i++) {
    if (a[i] !== b[i]) {
      check(what, false, `SQL gives ${a[i]}, the files hold ${b[i]}`);
      return;
    }
  }
  check(what, true);
}

// ---- readers: all files of a table to rows; a file need not have every column
async function viaDuck(files, columns) {
  const there = new Set((await sql(`DESCRIBE SELECT * FROM read_parquet([${files}], union_by_name = true)`)).map(r => r[0]));
  const list = columns.map(({ name, type }) => {
    if (!there.has(name)) return 'NULL';
    const q = quote(name);
    return type === 'timestamp' ? `epoch_us(${q})::VARCHAR` : type === 'double' ? q : `${q}::VARCHAR`;
  });
  const rows = await sql(`SELECT ${list.join(', ')} FROM read_parquet([${files}], union_by_name = true)`);
  return rows.map(r => r.map((v, i) => v === null ? null : columns[i].type === 'double' ? doubleText(v) : v));
}

async function viaHyparquet(paths, columns) {
  const out = [];
  for (const path of paths) {
    const data = readFileSync(path);
    const rows = await parquetReadObjects({
      file: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength), compressors,
      parsers: {
        timestampFromMilliseconds: x => x, timestampFromMicroseconds: x => x, timestampFromNanoseconds: x => x,
        dateFromDays: x => x, stringFromBytes: b => b && new TextDecoder().decode(b),
      },
    });
    for (const r of rows)
      out.push(columns.map(({ name, type }) => r[name] ?? null).map((v, i) => v === null ? null :
        columns[i].type === 'double' ? doubleText(v) : String(v)));
  }
  return out;
}

function viaArrow(paths, columns) {
  const out = [];
  for (const path of paths) {
    const table = arrow.tableFromIPC(wasm.readParquet(new Uint8Array(readFileSync(path))).intoIPCStream());
    const first = out.length;
    for (let i = 0; i < table.numRows; i++) out.push(new Array(columns.length).fill(null));
    columns.forEach(({ name, type }, c) => {
      let row = first;
      for (const part of table.getChild(name)?.data ?? []) {
        const vector = new arrow.Vector([part]);
        for (let i = 0; i < part.length; i++, row++) {
          const v = vector.get(i);
          if (v !== null) out[row][c] = type === 'timestamp' ? String(part.values[i]) : type === 'double' ? doubleText(v) : String(v);
        }
      }
    });
  }
  return out;
}

// ---- counts, sums, minima, maxima, by DuckDB over the files
async function compareSums(table, dir, files, columns) {
  const measures = columns.filter(c => c.role === 'measure');
  const there = new Set((await sql(`DESCRIBE SELECT * FROM read_parquet([${files}], union_by_name = true)`)).map(r => r[0]));
  const list = measures.map(({ name, type }) => {
    const q = there.has(name) ? quote(name) : 'NULL';
    const sum = type === 'double' || type === 'bigint' ? `sum(${q}::DOUBLE), sum(abs(${q}::DOUBLE))` : '0, 0';
    return type === 'double' ? `, count(${q}), ${sum}, min(${q}), max(${q})` : `, count(${q}), ${sum}, min(${q})::VARCHAR, max(${q})::VARCHAR`;
  });
  const [theirs] = await sql(`SELECT count(*)${list.join('')} FROM read_parquet([${files}], union_by_name = true)`);
  const [, ours] = parseCsv(readFileSync(`${dir}/${table}.sums`, 'utf8'));
  check(`${table}: count(*)`, Number(ours[0]) === Number(theirs[0]), `${ours[0]} ${theirs[0]}`);
  measures.forEach(({ name, type }, i) => {
    const [n, sum, low, high] = ours.slice(1 + 4 * i, 5 + 4 * i), [tn, tsum, tabs, tlow, thigh] = theirs.slice(1 + 5 * i, 6 + 5 * i);
    const what = `${table}.${name}`;
    check(`${what}: count`, Number(n) === Number(tn), `${n} ${tn}`);
    const same = (a, b) => a === null || b === null ? a === b : type === 'double' ? Number(a) === b : a === b;
    check(`${what}: min and max`, same(low, tlow) && same(high, thigh), `${low} ${tlow}, ${high} ${thigh}`);
    check(`${what}: sum`, sum === null ? tsum === null : Math.abs(Number(sum) - Number(tsum)) <= Number(tabs) * 1e-13, `${sum} ${tsum}`);
  });
}

async function read(db, dir, ...tables) {
  let rows = 0, count = 0;
  for (const table of tables) {
    const columns = readSchema(`${dir}/${table}.schema`);
    const want = readRows(`${dir}/${table}.rows`, columns);
    const paths = readdirSync(`${db}/${table}/cold`).filter(f => f.endsWith('.parquet')).map(f => `${db}/${table}/cold/${f}`);
    const files = paths.map(f => `'${f}'`).join(', ');
    // DuckDB reads a timestamp with zone in microseconds, whatever the file has
    const micros = want.map(([ns, ...rest]) => [String(BigInt(ns) / 1000n), ...rest]);
    compare(`${table} by DuckDB`, micros, await viaDuck(files, columns));
    compare(`${table} by arrow-rs`, want, viaArrow(paths, columns));
    compare(`${table} by hyparquet`, want, await viaHyparquet(paths, columns));
    await compareSums(table, dir, files, columns);
    rows += want.length;
    count += paths.length;
  }
  console.log(`${tables.length} tables, ${count} files, ${rows} rows by three readers: ${checks} checks, ${failures} failures`);
}

// ---- the other way.  The rows of file k begin a day after those of file k - 1; the last file's rows replace some of the first's.
const made = k => `SELECT make_timestamp_ns(1600000000000000000 + (i * 60 + ${k} * 86400) * 1000000000) AS time, 'duck' AS measure_name,
  'ABC'[1 + i % 3] AS site, CASE WHEN i % 4 > 0 THEN sin(i + ${k}) END AS level, i * 1000 + ${k} AS n,
  CASE WHEN i % 2 = 0 THEN i % 3 = 0 END AS ok, CASE WHEN i % 5 > 0 THEN 'name ' || (i % 7) END AS name FROM range(2000) r(i)`;
const wide = "SELECT * REPLACE (time::TIMESTAMP AS time, n::INTEGER AS n) FROM (";
const files = [
  ['zstd', made(0), 'COMPRESSION zstd'],
  ['v2', `SELECT * FROM (${made(2)}) ORDER BY n DESC`, 'COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 2048'],
  ['micros', `${wide}${made(4)})`, 'COMPRESSION uncompressed'],
  ['millis', `SELECT * REPLACE (time::TIMESTAMP::TIMESTAMP_MS AS time) FROM (${made(6)})`, 'COMPRESSION uncompressed, PARQUET_VERSION V2'],
  ['zone', `SELECT * REPLACE (time::TIMESTAMP::TIMESTAMPTZ AS time) FROM (${made(8)})`, 'COMPRESSION zstd, DICTIONARY_SIZE_LIMIT 1'],
  ['again', `SELECT time, measure_name, site, -level AS level, n FROM (${made(0)}) WHERE n % 7000 = 0`, 'COMPRESSION zstd'],
];

async function write(dir) {
  for (const [i, [name, query, options]] of files.entries())
    await sql(`COPY (${query}) TO '${dir}/duck-${i}-${name}.parquet' (FORMAT parquet, ${options})`);
  const wrong = {
    'no-time': `SELECT * EXCLUDE (time) FROM (${made(0)})`,
    'text-time': `SELECT * REPLACE (time::VARCHAR AS time) FROM (${made(0)})`,
    type: `SELECT * REPLACE (name AS level) FROM (${made(0)})`,
    date: `SELECT *, time::DATE AS day FROM (${made(0)})`,
  };
  for (const [name, query] of Object.entries(wrong))
    await sql(`COPY (${query}) TO '${dir}/wrong-${name}.parquet' (FORMAT parquet, COMPRESSION zstd)`);
}

// One row a series and time, field by field the last value given; two rows were ours.
async function attached(dir) {
  const columns = readSchema(`${dir}/attached.schema`);
  const name = columns.map(c => c.name);
  const rows = new Map();
  const put = (r, ns) => {
    const k = `${r.site} ${ns}`;
    rows.set(k, Object.assign(rows.get(k) ?? {}, Object.fromEntries(Object.entries(r).filter(([, v]) => v !== null))));
  };
  const own = '1600000000000000000';
  put({ time: own, measure_name: 'duck', site: 'A', level: doubleText(-1), n: '-1', ok: 'false', name: 'own' }, own);
  put({ time: own, measure_name: 'duck', site: 'own', level: doubleText(-2) }, own);
  for (const [, query] of files) {
    const list = ['epoch_ns(time)::VARCHAR AS time', 'measure_name', 'site', 'level', 'n::VARCHAR AS n'];
    if (!query.includes('-level')) list.push('ok::VARCHAR AS ok', 'name');
    const result = await duck.runAndReadAll(`SELECT ${list.join(', ')} FROM (${query})`);
    for (const r of result.getRowObjects()) put({ ...r, level: r.level === null ? null : doubleText(r.level) }, r.time);
  }
  const want = [...rows.values()].map(r => name.map(n => r[n] ?? null));
  compare('attached', want, readRows(`${dir}/attached.rows`, columns));
  console.log(`${want.length} rows of ${files.length} files by DuckDB: ${checks} checks, ${failures} failures`);
}

await { read, write, attached }[mode](...args);
process.exit(failures ? 1 : 0);
