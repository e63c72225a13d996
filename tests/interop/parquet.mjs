// Our Parquet files through independent readers, and their files through ours.
//
//   node parquet.mjs WRITE DUMP DIR     (the programs parquet_write and parquet_dump, a folder for files)
//
// Ours: every cell of every file that parquet_write makes must come out of DuckDB, hyparquet and arrow-rs as
// it went in; DuckDB's view of statistics and Bloom filters must be right too.
// Theirs: files that DuckDB and arrow-rs write in all the versions, codecs and encodings that we claim to read must
// come out of parquet_dump as DuckDB reads them; what we do not read must be refused by name.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import * as arrow from 'apache-arrow';
import { createRequire } from 'node:module';

const wasm = createRequire(import.meta.url)('parquet-wasm');
const [write, dump, dir] = process.argv.slice(2);
const duck = await (await DuckDBInstance.create(':memory:')).connect();
const sql = async text => (await duck.runAndReadAll(text)).getRows();
await sql("SET TimeZone = 'UTC'");
let failures = 0, checks = 0;

function check(what, ok, detail = '') {
  checks++;
  if (!ok) {
    failures++;
    console.log(`not ok: ${what} ${detail}`);
  }
}

// ---- cells in one form: null or a string, as parquet_write prints them
const f64 = new Float64Array(1), bits = new BigUint64Array(f64.buffer);
function doubleText(x) {
  if (Number.isNaN(x)) return 'nan';
  f64[0] = x;
  return '0x' + bits[0].toString(16).padStart(16, '0');
}

function parse(text) {
  const lines = text.split('\n');
  lines.pop();
  return { columns: JSON.parse(lines[0]), rows: lines.slice(1).map(l => JSON.parse(l)) };
}

function compare(what, want, got) {
  check(`${what}: rows`, want.length === got.length, `${want.length} wanted, ${got.length} there`);
  for (let i = 0; i < want.length && i < got.length; i++) {
    for (let c = 0; c < want[i].length; c++) {
      if (want[i][c] !== got[i][c]) {
        check(`${what}: row ${i} column ${c}`, false, `wanted ${want[i][c]}, there is ${got[i][c]}`);
        return;
      }
    }
  }
  check(what, true);
}

const quote = name => `"${name.replaceAll('"', '""')}"`;

// DuckDB, with SQL bringing each kind into a form that JavaScript can hold.
async function viaDuck(file, columns, from = `'${file}'`) {
  const list = columns.map(([name, kind]) => {
    const q = quote(name);
    if (kind[0] === 'i') return `${q}::HUGEINT::VARCHAR`;
    if (kind[0] === 'm') return `(${q}::DECIMAL(38,${kind.slice(1)}) * 10::DECIMAL(38,0) ** 0)::VARCHAR`;
    if (kind === 't' || kind === 't9') return `(epoch_us(${q})::HUGEINT * 1000)::VARCHAR`;
    if (kind === 't6') return `epoch_us(${q})::VARCHAR`;
    if (kind === 't3') return `epoch_ms(${q})::VARCHAR`;
    return q;
  });
  const rows = await sql(`SELECT ${list.map((x, i) => columns[i][1][0] === 'm' ? quote(columns[i][0]) + '::VARCHAR' : x).join(', ')} FROM ${from}`);
  return rows.map(r => r.map((v, i) => {
    const kind = columns[i][1];
    if (v === null) return null;
    if (kind[0] === 'm') return BigInt(v.replace('.', '')).toString();
    return kind === 'd' ? doubleText(v) : String(v);
  }));
}

async function viaHyparquet(file, columns) {
  const data = readFileSync(file);
  const buffer = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const ns = BigInt(1);
  const rows = await parquetReadObjects({
    file: buffer, compressors,
    parsers: {
      timestampFromMilliseconds: x => x, timestampFromMicroseconds: x => x, timestampFromNanoseconds: x => x * ns,
      dateFromDays: x => x, stringFromBytes: b => b && new TextDecoder().decode(b),
    },
  });
  return rows.map(r => columns.map(([name, kind]) => {
    const v = r[name];
    if (v === null || v === undefined) return null;
    if (kind === 'd') return doubleText(v);
    if (kind[0] === 'm') return BigInt(Math.round(v * 10 ** Number(kind.slice(1)))).toString();
    return String(v);
  }));
}

function arrowTable(file) {
  const table = wasm.readParquet(new Uint8Array(readFileSync(file)));
  return arrow.tableFromIPC(table.intoIPCStream());
}

function viaArrow(file, columns) {
  const table = arrowTable(file);
  const out = Array.from({ length: table.numRows }, () => []);
  columns.forEach(([name, kind]) => {
    const column = table.getChild(name);
    let row = 0;
    for (const part of column.data) {
      const vector = new arrow.Vector([part]);
      for (let i = 0; i < part.length; i++, row++) {
        const v = vector.get(i);
        if (v === null) out[row].push(null);
        else if (kind[0] === 't') out[row].push(String(part.values[i]));
        else if (kind[0] === 'm') {
          const w = part.values.subarray(i * 4, i * 4 + 4); // Decimal128: four words, the lowest first
          out[row].push(BigInt.asIntN(128, BigInt(w[0]) | BigInt(w[1]) << 32n | BigInt(w[2]) << 64n | BigInt(w[3]) << 96n).toString());
        } else out[row].push(kind === 'd' ? doubleText(v) : String(v));
      }
    }
  });
  return out;
}

// ---- ours through theirs
execFileSync(write, [dir]);
for (const name of ['types', 'pages', 'extremes', 'empty']) {
  const file = `${dir}/${name}.parquet`;
  const { columns, rows } = parse(readFileSync(`${dir}/${name}.jsonl`, 'utf8'));
  compare(`${name} by DuckDB`, rows, await viaDuck(file, columns));
  compare(`${name} by hyparquet`, rows, await viaHyparquet(file, columns));
  compare(`${name} by arrow-rs`, rows, viaArrow(file, columns));
  const own = parse(execFileSync(dump, [file], { encoding: 'utf8', maxBuffer: 1 << 28 }));
  compare(`${name} by ourselves`, rows, own.rows);

  // Statistics of every chunk against the rows.
  const groups = await sql(`SELECT row_group_id, row_group_num_rows, path_in_schema, stats_min_value, stats_max_value,
    stats_null_count, type FROM parquet_metadata('${file}') ORDER BY row_group_id, column_id`);
  let first = 0, last = -1, size = 0;
  for (const [group, count, path, min, max, nulls, type] of groups) {
    if (group !== last) {
      first += size;
      size = Number(count);
      last = group;
    }
    const c = columns.findIndex(([n]) => n === path);
    const kind = columns[c][1];
    const cells = rows.slice(first, first + size).map(r => r[c]);
    const there = cells.filter(v => v !== null && v !== 'nan');
    check(`${name}.${path} group ${group} nulls`, Number(nulls) === cells.filter(v => v === null).length);
    if (there.length === 0) {
      check(`${name}.${path} group ${group} has no bounds`, min === null && max === null, `${min} ${max}`);
    } else if (kind === 'i') {
      const sorted = there.map(BigInt).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      check(`${name}.${path} group ${group} bounds`, BigInt(min) === sorted[0] && BigInt(max) === sorted.at(-1), `${min} ${max}`);
    } else if (kind === 'd') {
      const back = h => { bits[0] = BigInt(h); return f64[0]; };
      const values = there.map(back);
      const lowest = values.reduce((a, b) => Math.min(a, b)), highest = values.reduce((a, b) => Math.max(a, b));
      // DuckDB does not show bounds that are infinite.
      check(`${name}.${path} group ${group} bounds`, (min === null ? lowest === -Infinity : Number(min) === lowest) &&
        (max === null ? highest === Infinity : Number(max) === highest), `${min} ${max}`);
    } else if (kind === 's') {
      const sorted = there.map(s => Buffer.from(s)).sort(Buffer.compare);
      check(`${name}.${path} group ${group} bounds`, Buffer.compare(Buffer.from(min), sorted[0]) <= 0 &&
        Buffer.compare(Buffer.from(max), sorted.at(-1)) >= 0, `${min} ${max}`);
    }
  }
}

// What "pages" is for is there.
const facts = await parquetMetadataAsync(await asyncBufferFromFile(`${dir}/pages.parquet`));
for (const { columns } of facts.row_groups) {
  for (const { meta_data: m } of columns) {
    const [name] = m.path_in_schema, kinds = m.encoding_stats.map(s => s.page_type);
    if (['even', 'steps'].includes(name)) check(`${name} has a dictionary`, kinds.includes('DICTIONARY_PAGE'), JSON.stringify(kinds));
    else check(`${name} has pages of version 1`, kinds.includes('DATA_PAGE'), JSON.stringify(kinds));
  }
}

// Filters push down through statistics, page index and Bloom filters: the same rows as a full scan.
const types = `${dir}/types.parquet`;
const plain = parse(readFileSync(`${dir}/types.jsonl`, 'utf8'));
const at = Object.fromEntries(plain.columns.map(([n], i) => [n, i]));
for (const host of ['host-03', 'host-28', 'host-77']) {
  const want = plain.rows.filter(r => r[at.host] === host).length;
  check(`rows of ${host}`, Number((await sql(`SELECT count(*) FROM '${types}' WHERE host = '${host}'`))[0][0]) === want);
  const probe = await sql(`SELECT bloom_filter_excludes FROM parquet_bloom_probe('${types}', 'host', '${host}')`);
  const groups = [0, 7000, 14000].map(f => plain.rows.slice(f, f + 7000).some(r => r[at.host] === host));
  check(`Bloom filters know ${host}`, probe.every(([out], g) => !(out && groups[g])), JSON.stringify(probe));
  if (want === 0) check(`Bloom filters exclude ${host}`, probe.every(([out]) => out), JSON.stringify(probe));
}
for (const column of ['small', 'noise', 'path']) {
  const [kind] = plain.columns[at[column]][1];
  for (let i = 0; i < plain.rows.length; i += 1777) {
    const cell = plain.rows[i][at[column]];
    if (kind === 'd') continue; // the literal would have to be printed exactly
    const value = kind === 's' ? `'${cell}'` : cell;
    const n = Number((await sql(`SELECT count(*) FROM '${types}' WHERE ${column} = ${value}`))[0][0]);
    check(`rows where ${column} = ${cell}`, n === plain.rows.filter(r => r[at[column]] === cell).length);
    const probe = await sql(`SELECT bloom_filter_excludes FROM parquet_bloom_probe('${types}', '${column}', ${value})`);
    check(`Bloom filter of ${column} knows ${cell}`, !probe[Math.floor(i / 7000)][0]);
  }
}
check('key-value metadata', (await sql(`SELECT value FROM parquet_kv_metadata('${types}') WHERE decode(key) = 'tsfs.test'`))
  .some(([v]) => Buffer.from(v.bytes ?? v).toString() === 'a value'));

// ---- theirs through ours
await sql(`CREATE TABLE t AS SELECT
    (i % 5 = 0) AS flag, CASE WHEN i % 7 <> 0 THEN i % 3 = 0 END AS maybe,
    (i % 100)::TINYINT AS tiny, (i * 7919 % 60000)::USMALLINT AS ushort, (i * 71003 - 1000000000)::INTEGER AS int32,
    (i * 140000)::UINTEGER AS uint32, i * 123456789012 AS int64, CASE WHEN i > 500 THEN i END AS gaps,
    (i::FLOAT / 3)::FLOAT AS f32, (i % 1000) / 100.0::DOUBLE AS level, sin(i)::DOUBLE AS noise, CASE WHEN i % 2 = 0 THEN sqrt(i) END AS half,
    'name-' || (i % 20) AS name, md5(i::VARCHAR) AS digest, CASE WHEN i % 3 = 0 THEN repeat('ab', (i % 40)::INT) END AS words,
    NULL::VARCHAR AS nothing, (i * 1.25)::DECIMAL(9,2) AS cents, (i * 12345.5)::DECIMAL(18,3) AS money,
    make_timestamp(1700000000000000 + i * 1000000) AS stamp, make_timestamp_ns(1700000000000000000 + i * 1000000000) AS stamp_ns,
    make_timestamp(1700000000000000 + i * 1000000)::TIMESTAMP_MS AS stamp_ms, DATE '2026-01-01' + (i % 400)::INT AS day
  FROM range(30000) r(i)`);
const kinds = parseKinds(['flag b', 'maybe b', 'tiny i', 'ushort i', 'int32 i', 'uint32 i', 'int64 i', 'gaps i', 'f32 d', 'level d',
  'noise d', 'half d', 'name s', 'digest s', 'words s', 'nothing s', 'cents m2', 'money m3', 'stamp t6', 'stamp_ns t9', 'stamp_ms t3', 'day i']);
function parseKinds(list) { return list.map(x => x.split(' ')); }

async function expectTheirs(what, file, columns, want) {
  const run = spawnSync(dump, [file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  check(`${what}: read`, run.status === 0, run.stderr);
  if (run.status !== 0) return;
  const got = parse(run.stdout);
  check(`${what}: columns`, JSON.stringify(got.columns) === JSON.stringify(columns), JSON.stringify(got.columns));
  compare(what, want, got.rows);
}
const asSql = kinds.map(([n, k]) => n === 'day' ? ['day', 'i'] : [n, k]);
const want = await viaDuck(null, asSql.map(([n, k]) => n === 'day' ? ['day_number', k] : [n, k]),
  `(SELECT *, (day - DATE '1970-01-01') AS day_number FROM t)`);
const variants = [
  'COMPRESSION zstd', 'COMPRESSION uncompressed', 'COMPRESSION zstd, PARQUET_VERSION V2', 'COMPRESSION uncompressed, PARQUET_VERSION V2',
  'COMPRESSION zstd, PARQUET_VERSION V1, DICTIONARY_SIZE_LIMIT 1', 'COMPRESSION zstd, PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1',
  'COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 2048', 'COMPRESSION uncompressed, PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1',
];
for (const [i, options] of variants.entries()) {
  const file = `${dir}/duck-${i}.parquet`;
  await sql(`COPY t TO '${file}' (FORMAT parquet, ${options})`);
  await expectTheirs(`DuckDB's (${options})`, file, kinds, want);
}

// arrow-rs: page version, dictionary and encoding by choice.
const arrowSource = arrowTable(types);
const arrowKinds = plain.columns.map(([n, k]) => [n, k === 't' ? 't9' : k]);
const keep = arrowKinds.map(([, k]) => k[0] !== 'm'); // it stores wide decimals as FIXED_LEN_BYTE_ARRAY
const subset = arrowSource.select(arrowKinds.filter((_, i) => keep[i]).map(([n]) => n));
const arrowRows = plain.rows.map(r => r.filter((_, i) => keep[i]));
function arrowWrite(file, configure) {
  const builder = configure(new wasm.WriterPropertiesBuilder());
  writeFileSync(file, wasm.writeParquet(wasm.Table.fromIPCStream(arrow.tableToIPC(subset, 'stream')), builder.build()));
}
const { Compression, Encoding, WriterVersion } = wasm;
const arrowVariants = {
  'V1 dictionary zstd': b => b.setWriterVersion(WriterVersion.V1).setCompression(Compression.ZSTD),
  'V1 plain': b => b.setWriterVersion(WriterVersion.V1).setCompression(Compression.UNCOMPRESSED).setDictionaryEnabled(false),
  'V2 dictionary zstd, small pages': b => b.setWriterVersion(WriterVersion.V2).setCompression(Compression.ZSTD)
    .setDataPageSizeLimit(4000).setWriteBatchSize(500).setMaxRowGroupSize(6000),
  'V2 no dictionary zstd': b => b.setWriterVersion(WriterVersion.V2).setCompression(Compression.ZSTD).setDictionaryEnabled(false),
  'V1 falls back from a small dictionary': b => b.setWriterVersion(WriterVersion.V1).setCompression(Compression.ZSTD)
    .setDictionaryPageSizeLimit(2000).setDataPageSizeLimit(8000).setWriteBatchSize(500),
  'byte stream split and deltas': b => b.setWriterVersion(WriterVersion.V2).setCompression(Compression.ZSTD).setDictionaryEnabled(false)
    .setColumnEncoding('level', Encoding.BYTE_STREAM_SPLIT).setColumnEncoding('noise', Encoding.BYTE_STREAM_SPLIT)
    .setColumnEncoding('small', Encoding.BYTE_STREAM_SPLIT).setColumnEncoding('walk', Encoding.BYTE_STREAM_SPLIT)
    .setColumnEncoding('text', Encoding.DELTA_LENGTH_BYTE_ARRAY).setColumnEncoding('path', Encoding.DELTA_BYTE_ARRAY),
};
let n = 0;
for (const [what, configure] of Object.entries(arrowVariants)) {
  const file = `${dir}/arrow-${n++}.parquet`;
  arrowWrite(file, configure);
  await expectTheirs(`arrow-rs's (${what})`, file, arrowKinds.filter((_, i) => keep[i]), arrowRows);
}

// What is not read says so.
function refused(what, file, ...says) {
  const run = spawnSync(dump, [file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  check(`${what} is refused`, run.status === 1 && says.every(s => run.stderr.includes(s)), run.stderr);
}
for (const codec of ['snappy', 'gzip', 'brotli', 'lz4_raw']) {
  await sql(`COPY (SELECT 1 AS x) TO '${dir}/${codec}.parquet' (FORMAT parquet, COMPRESSION ${codec})`);
  refused(codec, `${dir}/${codec}.parquet`, codec.toUpperCase(), '"x"', 'zstd');
}
await sql(`COPY (SELECT [1, 2] AS list) TO '${dir}/list.parquet' (FORMAT parquet, COMPRESSION zstd)`);
refused('a list', `${dir}/list.parquet`, '"list"', 'nested');
await sql(`COPY (SELECT {'a': 1} AS pair) TO '${dir}/struct.parquet' (FORMAT parquet, COMPRESSION zstd)`);
refused('a struct', `${dir}/struct.parquet`, '"pair"', 'nested');
await sql(`COPY (SELECT uuid() AS id) TO '${dir}/uuid.parquet' (FORMAT parquet, COMPRESSION zstd)`);
refused('a UUID', `${dir}/uuid.parquet`, '"id"', 'FIXED_LEN_BYTE_ARRAY');

console.log(`${checks} checks, ${failures} failures`);
process.exit(failures ? 1 : 0);
