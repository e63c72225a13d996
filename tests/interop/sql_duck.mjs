// DuckDB in a process of its own, forked by sql_differential.mjs: a crash of it must not end a night's run.
//
// A message is a statement; the answer is { rows: [[cell]] } or { error: first line }, see cell().
import { DuckDBInstance } from '@duckdb/node-api';

let duck;

// null, or text; doubles as numbers
function cell(v) {
  if (v === null || v === undefined) return null;
  switch (typeof v) {
    case 'bigint': case 'boolean': return String(v);
    case 'number': return v;
    case 'string': return v;
    default:
      if (v.constructor.name === 'DuckDBTimeValue') return new Date(Number(v.micros / 1000n)).toISOString().slice(11, -1).replace(/\.0+$|(?<=\.\d+)0+$/, '');
      if (v.bytes !== undefined) return Buffer.from(v.bytes).toString('hex');
      if (v.entries !== undefined) return `(${Object.values(v.entries).map((item) => cell(item) ?? 'NULL').join(',')})`;
      if (v.micros !== undefined) return new Date(Number(v.micros / 1000n)).toISOString().replace('T', ' ').replace(/\.?0*Z$/, '');
      if (v.days !== undefined) return new Date(v.days * 86400000).toISOString().slice(0, 10);
      if (v.items !== undefined) return `[${v.items.map((item) => cell(item) ?? 'NULL').join(',')}]`;
      return `?${v}`;
  }
}

process.on('message', async (text) => {
  let answer;
  try {
    if (duck === undefined) {
      duck = await (await DuckDBInstance.create(':memory:')).connect();
      await duck.run("SET threads = 1; SET default_null_order = 'nulls_last'; SET TimeZone = 'UTC'; SET scalar_subquery_error_on_multiple_rows = true");
    }
    const reader = await duck.runAndReadAll(text);
    answer = { rows: reader.getRows().map((row) => row.map(cell)) };
  } catch (e) {
    answer = { error: String(e.message).split('\n')[0] };
  }
  process.send(answer);
});
