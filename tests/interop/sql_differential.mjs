// Random tables and random statements over the grammar that tsfs and DuckDB share; the rows must be the same.  And they must
// be the same in every way of running them here: from memory, hot, cold and mixed, on one thread and on several.
//
//     sql_differential.mjs SQL_SHELL QUERIES SEED
//
// 2,000 statements are the test; a night has 100,000 (about 20 minutes of one core, with a release build):
//
//     SQL_FAILURES=100 nice tests/interop/sql_differential.sh BUILD/tests/interop/sql_shell 100000 SEED
//
// Every 50 statements the tables are new, and some points are deleted between them; statement i of seed s can be run alone with
// QUERIES 1 and SEED s + i (tables and deletions follow from the seed's fifty).  Environment:
//     SQL_FAILURES    end after so many differences (5)
//     SQL_MODES       percentage of tables (20) for which every other statement is run in every way; all else runs in one
//     SQL_GARBLE      1: statements are damaged, nothing is compared, the shell must live
//     SQL_SHOW        refused: what DuckDB refuses is printed; slow: what takes over a second; all: every statement
//     SQL_TABLES      1: the tables of a failing statement are printed
import { fork, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { seedWith, rnd, chance, pick, render, reduce } from './sql_text.mjs';
import { makeTables, shellScript, duckScript, deleteStatement } from './sql_tables.mjs';
import { statement } from './sql_queries.mjs';

const GROUP = 50; // statements on the same tables
const [shellPath, queriesText, seedText] = process.argv.slice(2);
const queries = Number(queriesText), firstSeed = Number(seedText);
const IN_MEMORY = 3, ENGINES = 252; // ways of sql_shell.c
const modes = Number(process.env.SQL_MODES ?? 20);
const garble = process.env.SQL_GARBLE === '1';

// ---- here ----
const child = spawn(shellPath, [], { stdio: ['pipe', 'pipe', 'inherit'] });
let last = '', closing = false, asked = Promise.resolve();
child.on('exit', (code, signal) => {
  if (closing && code === 0) return;
  console.error(`sql_shell ended: ${code ?? signal}\nseed ${seed}: ${last}`);
  process.exit(1);
});
const lines = createInterface({ input: child.stdout, crlfDelay: Infinity })[Symbol.asyncIterator]();
async function readLine() {
  const timer = setTimeout(() => { console.error(`no answer in 120 s\nseed ${seed}: ${last}`); child.kill('SIGKILL'); }, 120000);
  const { value } = await lines.next();
  clearTimeout(timer);
  return value;
}
async function readAnswer() {
  const head = await readLine();
  if (head === undefined) await new Promise(() => {}); // the shell's end is told above
  if (head.startsWith('error ')) return { error: head.slice(6) };
  const rows = [];
  for (let i = Number(head.slice(5)); i > 0; i--) rows.push(await readLine());
  return { rows };
}
// The answer, and the answers of other ways that are not the same.  Questions may be sent before the last one is answered.
function runHere(ways, text) {
  child.stdin.write(`ask ${ways} ${text}\n`);
  asked = asked.then(() => readAll(text));
  return asked;
}
async function readAll(text) {
  last = text;
  const answer = await readAnswer();
  answer.modes = [];
  for (let line; (line = await readLine()) !== 'end';) answer.modes.push({ name: line.slice(5), ...await readAnswer() });
  return answer;
}

// ---- there ----
let duck, answerThere;
function openDuck() {
  duck?.removeAllListeners().kill('SIGKILL');
  duck = fork(fileURLToPath(new URL('./sql_duck.mjs', import.meta.url)), { serialization: 'advanced' });
  duck.on('message', (answer) => answerThere(answer));
  duck.on('exit', (code, signal) => answerThere({ error: `FATAL Error: the process ended: ${code ?? signal}` }));
}
openDuck();
async function askThere(text) {
  const timer = setTimeout(() => duck.kill('SIGKILL'), 120000);
  const answer = await new Promise((resolve) => { answerThere = resolve; duck.send(text, (e) => e && resolve({ error: `FATAL Error: ${e.message}` })); });
  clearTimeout(timer);
  return answer;
}
// An internal error or a crash there ends the whole database: a new one is made, with the tables as they are now.
async function reopenDuck() {
  openDuck();
  for (const text of duckScript(tables)) await mustRun(text);
  for (const { table, where } of deletions.slice(0, deleted)) await mustRun(`DELETE FROM ${table} WHERE ${where}`);
}
async function mustRun(text) {
  const { error } = await askThere(text);
  if (error === undefined) return;
  console.error(`DuckDB: ${error}\nseed ${seed}: ${text}`);
  process.exit(1);
}
async function runThere(text) {
  const answer = await askThere(text);
  if (/FATAL|INTERNAL|invalidated/.test(answer.error)) {
    counts['DuckDB anew']++;
    await reopenDuck();
  }
  return answer;
}

// ---- cells: null, or text; doubles as numbers ----
function cellsHere(line, columns) {
  const cells = [];
  for (let at = 0, i = 0; i < columns.length; i++) {
    let text = '', quoted = false;
    if (line[at] === '"') {
      quoted = true;
      for (at++; ; at++) {
        if (line[at] === '"' && line[++at] !== '"') break;
        text += line[at];
      }
    } else {
      const end = line.indexOf(',', at);
      text = end < 0 ? line.slice(at) : line.slice(at, end);
      at += text.length;
    }
    at++;
    cells.push(text === '' && !quoted ? null : columns[i].type === 'double' ? Number(text) : columns[i].type === 'timestamp' || columns[i].type === 'time' ? text.replace(/\.0+$|(?<=\.\d+)0+$/, '') : text);
  }
  return cells;
}
const fixTypes = (row, columns) => row.map((c, i) => (c !== null && columns[i].type !== 'double' ? String(c) : c));

// Doubles are the same when nine digits are: sums depend on the order of their terms.
function near(a, b) {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
}
const sameCell = (a, b) => (typeof a === 'number' && typeof b === 'number' ? near(a, b) : a === b);
const sortText = (row) => row.map((c) => (typeof c === 'number' ? (Math.abs(c) < 1e-9 ? '0' : c.toPrecision(12)) : `${c}`)).join('\u0001');
const bySort = (a, b) => { const x = sortText(a), y = sortText(b); return x < y ? -1 : x > y ? 1 : 0; };
function sameRows(a, b, ordered) {
  if (a.length !== b.length) return false;
  if (!ordered) { a = [...a].sort(bySort); b = [...b].sort(bySort); }
  const same = (x, y) => x.every((c, k) => sameCell(c, y[k]));
  if (a.every((row, i) => same(row, b[i]))) return true;
  // doubles that differ in their last digits may be sorted differently, by the statement too
  if ((ordered && !a[0]?.some((c) => typeof c === 'number')) || a.length > 2000) return false;
  const left = new Set(b);
  return a.every((row) => { for (const other of left) if (same(row, other)) return left.delete(other); return false; });
}

// ---- what may differ ----
// Errors that only a row can show come or do not come with the order of evaluation, and DuckDB's sums do not overflow.
const rowErrors = /overflow|out of range|does not fit|too large|too many|beyond|not a number|Cannot |negative|is no |year|Unimplemented/i;
const counts = { compared: 0, 'in every way': 0, 'with rows': 0, 'refused by DuckDB': 0, 'DuckDB anew': 0, 'row errors': 0, 'refused by both': 0, deletions: 0, 'last digits in modes': 0, "DuckDB's optimizer": 0, different: 0 };

// What is wrong with a statement's answers, or null.
function judge(here, there, made) {
  if (here.error !== undefined && there.error !== undefined) { counts['refused by both']++; return null; }
  if (there.error !== undefined) {
    if (/Binder Error|Parser Error|Not implemented|INTERNAL|FATAL|Invalid Input|Out of Range|Conversion|Catalog/.test(there.error)) { counts['refused by DuckDB']++; return null; }
    return `here: ${here.rows.length} rows\nthere: ${there.error}`;
  }
  if (here.error !== undefined) {
    if (rowErrors.test(here.error) && made.extreme) { counts['row errors']++; return null; }
    return `here: ${here.error}\nthere: ${there.rows.length} rows`;
  }
  const a = here.rows.map((line) => cellsHere(line, made.columns)), b = there.rows.map((row) => fixTypes(row, made.columns));
  for (const mode of here.modes) {
    const rows = mode.rows?.map((line) => cellsHere(line, made.columns));
    if (rows === undefined || !sameRows(a, rows, false)) return `mode ${mode.name}: ${mode.error ?? show(rows)}\nfirst: ${show(a)}`;
    counts['last digits in modes']++;
  }
  counts.compared++;
  counts['in every way'] += made.ways > 128;
  counts['with rows'] += b.length > 0;
  return sameRows(a, b, made.ordered) ? null : `here ${show(a)}\nthere ${show(b)}`;
}
function show(rows) {
  const sorted = [...rows].sort(bySort);
  return `(${rows.length} rows):\n  ${sorted.slice(0, 25).map((row) => row.map((c) => (c === null ? 'NULL' : typeof c === 'string' ? `'${c}'` : c)).join(', ')).join('\n  ')}`;
}

// ---- damage ----
const words = ['SELECT', 'FROM', '(', ')', ',', 'NULL', 'CASE', 'END', 'OVER', 'GROUP BY', 'WITH', '*', '->', '[', ']', "'", '"', '1e999', '9223372036854775808', '-', 'UNNEST', 'INTERVAL', "''", 'JOIN', 'USING', 'é', '\\', ';', '--', '/*', 'GROUPING SETS', 'OFFSET', 'x ->', '.', '5m', '@a'];
function damage(text) {
  for (let i = rnd(4) + 1; i > 0; i--) {
    const tokens = text.match(/\w+|'[^']*'|\s+|[^\w\s]/g) ?? ['x'], at = rnd(tokens.length), other = rnd(tokens.length);
    switch (rnd(7)) {
      case 0: tokens.splice(at, rnd(4) + 1); break;
      case 1: tokens[at] = pick(words); break;
      case 2: tokens.splice(at, 0, ` ${pick(words)} `); break;
      case 3: [tokens[at], tokens[other]] = [tokens[other], tokens[at]]; break;
      case 4: tokens.splice(at, 0, ...tokens.slice(other, other + rnd(12))); break;
      case 5: { const same = tokens.map((t, k) => [t, k]).filter(([t]) => /^\w/.test(t)); if (same.length > 1) tokens[pick(same)[1]] = pick(same)[0]; break; }
      default: { const chars = [...text]; chars.splice(rnd(chars.length + 1), rnd(3), String.fromCodePoint(pick([rnd(94) + 33, rnd(94) + 33, 0xfffd, 233, 1]))); text = chars.join(''); continue; }
    }
    text = tokens.join('');
  }
  return text.replaceAll('\n', ' ').replaceAll('\0', ' ');
}

// ---- all of it ----
let seed = firstSeed, group = -1, tables, deletions, deleted;
async function loadGroup() {
  group = Math.floor(seed / GROUP);
  seedWith(group * 7919 + 3);
  const big = chance(4);
  tables = { ...makeTables(big), big, everywhere: chance(modes), engine: chance(30) ? 4 << rnd(6) : 0 };
  deletions = tables.everywhere ? Array.from({ length: pick([0, 0, 1, 2]) }, () => ({ at: rnd(GROUP), ...deleteStatement() })).sort((a, b) => a.at - b.at) : [];
  deleted = 0;
  child.stdin.write(shellScript(tables));
  if (!garble) for (const text of duckScript(tables)) await mustRun(text);
}
async function deletePoints() {
  for (; deleted < deletions.length && deletions[deleted].at <= seed % GROUP; deleted++) {
    const { table, where } = deletions[deleted];
    const text = `DELETE FROM ${table} WHERE ${where}`;
    if (garble) {
      await runHere(ENGINES, chance(50) ? damage(text) : text);
      continue;
    }
    const here = await runHere(ENGINES, text), there = await runThere(text);
    counts.deletions++;
    const want = Number(there.rows?.[0]?.[0] ?? -1);
    if (here.error !== undefined || Number(here.rows[0]) !== want || here.modes.length > 0) fail(`seed ${seed}: ${text}\nhere: ${here.error ?? here.rows[0]}\nthere: ${there.error ?? want}\n${JSON.stringify(here.modes)}`);
  }
}
function fail(text) {
  counts.different++;
  console.log(`${text}\n`);
}

// The statement of the seed, already on its way to the shell.
function prepare() {
  seedWith(seed);
  const made = { ...statement({ extreme: tables.extreme, big: tables.big }), seed, extreme: tables.extreme };
  // tables in memory have no DELETE
  const possible = deleted > 0 ? ENGINES : IN_MEMORY | ENGINES;
  made.ways = tables.everywhere && chance(50) ? possible : deleted > 0 ? 4 << rnd(6) : tables.engine !== 0 ? tables.engine : chance(75) ? 1 : 2;
  const text = render(made.node, true);
  if (process.env.SQL_SHOW === 'all') console.log(`seed ${seed}: ${text}`);
  made.began = Date.now();
  made.here = garble ? runHere(chance(10) ? possible : 1, damage(text)) : runHere(made.ways, text);
  return made;
}

async function compare(made) {
  const there = await runThere(render(made.node, false)), here = await made.here;
  if (process.env.SQL_SHOW === 'slow' && Date.now() - made.began > 5000) console.log(`seed ${made.seed}: ${Date.now() - made.began} ms: ${render(made.node, true)}`);
  if (process.env.SQL_SHOW === 'refused' && there.error !== undefined) console.log(`seed ${made.seed}: ${there.error}\n  ${render(made.node, false)}${here.error === undefined ? '' : `\n  here: ${here.error}`}`);
  const before = { ...counts };
  if (judge(here, there, made) === null) return;
  // Without its optimizer DuckDB is right where with it it is not: conditions over the NULLs of outer joins, mostly.
  const again = async (hereToo) => {
    await mustRun('PRAGMA disable_optimizer');
    const plain = await runThere(render(made.node, false));
    await mustRun('PRAGMA enable_optimizer');
    return judge(hereToo, plain, made);
  };
  if (await again(here) === null) { counts["DuckDB's optimizer"]++; return; }
  const check = async () => {
    const now = await runHere(made.ways, render(made.node, true));
    return judge(now, await runThere(render(made.node, false)), made) === null ? null : again(now);
  };
  // what is left must be wrong in the same way
  const kind = (wrong) => (wrong === null ? null : /^(here|mode|there) ?\(/.test(wrong) ? 'rows' : wrong.split('\n')[0].replace(/"[^"]*"|-?[\d.]+|line .*?:/g, ''));
  const first = kind(await check());
  await reduce(made.node, async () => kind(await check()) === first);
  fail(`seed ${made.seed}: ${render(made.node, true)}\n${render(made.node, false) === render(made.node, true) ? '' : `there: ${render(made.node, false)}\n`}${await check()}`);
  Object.assign(counts, { ...before, different: counts.different });
  if (process.env.SQL_TABLES === '1') console.log(shellScript(tables), deletions.slice(0, deleted));
}

const end = firstSeed + queries, most = Number(process.env.SQL_FAILURES ?? 5);
while (seed < end && counts.different < most) {
  if (Math.floor(seed / GROUP) !== group) await loadGroup();
  if (seed > firstSeed && (seed - firstSeed) % 10000 < GROUP && seed % GROUP === 0) console.error(`seed ${seed}: ${counts.compared} compared, ${counts.different} different`);
  await deletePoints();
  const ahead = [];
  do {
    ahead.push(prepare());
    seed++;
  } while (seed < end && Math.floor(seed / GROUP) === group && !(deletions[deleted]?.at <= seed % GROUP));
  for (const made of ahead) {
    if (garble) await made.here;
    else if (counts.different < most) await compare(made);
  }
}
closing = true;
child.stdin.end();
console.log(`seeds ${firstSeed} to ${seed - 1}: ${garble ? 'damaged statements, the shell lives' : Object.entries(counts).map(([what, n]) => `${n} ${what}`).join(', ')}`);
process.exit(counts.different === 0 && (garble || queries < 100 || counts.compared > queries * 0.8) ? 0 : 1);
