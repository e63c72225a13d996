// Random expressions.  Each is spelled for tsfs and, where that differs, for DuckDB: `dual`.  Where DuckDB means something
// else by the same words, its spelling says what Trino's rules are; where even that cannot be said (see the notes), the
// expression is not made.
import { q, dual, typed, list, rnd, chance, pick, times } from './sql_text.mjs';
import { subqueryCondition, scalar } from './sql_queries.mjs';
import { ROW, bytes, timeOfDay, rowLiteral, typeMakers, moreMakers, seriesValue, nested } from './sql_types.mjs';

export const scalarTypes = ['bigint', 'bigint', 'double', 'varchar', 'varchar', 'boolean', 'timestamp', 'date'];
export const castName = (type) => (type.endsWith('[]') ? dual(`array(${type.slice(0, -2)})`, type) : type === 'row' ? ROW : type === 'varbinary' ? dual('varbinary', 'BLOB') : type);
export const ofType = (columns, type) => columns.filter((c) => c.type === type);
const constant = (sc) => ({ ...sc, columns: [] });
const flat = (sc) => ({ ...sc, sub: 0 });

export function literal(type) {
  switch (type) {
    case 'double': { const v = String((rnd(13) - 4) / 4); return dual(v.includes('.') && chance(50) ? v : `${v}e0`, `${v}e0`); }
    case 'bigint': return String(rnd(9) - 3);
    case 'boolean': return pick(['true', 'false']);
    case 'timestamp': return `TIMESTAMP '2024-05-0${pick([1, 1, 1, 2])} 10:${String(40 + rnd(14))}:${pick(['00', '00', '30'])}'`;
    case 'date': return `DATE '2024-0${rnd(3) + 4}-${pick(['01', '02', '15', '30'])}'`;
    case 'varbinary': return bytes();
    case 'time': return timeOfDay();
    case 'row': return rowLiteral();
    case 'bigint[]': return q`ARRAY[${list(times(rnd(3) + 1, () => (chance(12) ? 'NULL' : literal('bigint'))))}]`;
    case 'varchar[]': return q`ARRAY[${list(times(rnd(3) + 1, () => (chance(12) ? 'NULL' : literal('varchar'))))}]`;
    default: return pick(["'p'", "'q'", "'pq'", "''", "'Z'", "'é'", "'a b'", "'12'"]);
  }
}
// Literals that are NULL or whole numbers only have no type of their own worth having.
const sized = (type, text) => (type.endsWith('[]') ? q`CAST(${text} AS ${castName(type)})` : text);

let lambdas = 0;
// A lambda over elements of a type, whose body make() gives from a scope with the parameter.
function lambda(sc, type, make) {
  const x = `e${lambdas++}`;
  const body = make({ ...sc, columns: [...sc.columns, { name: x, type }, { name: x, type }], sub: 0 });
  return dual(q`${x} -> ${body}`, q`lambda ${x}: ${body}`);
}

const anyNull = (...items) => list(items.map((i) => q`(${i}) IS NULL`), ' OR ', 1);
const extremeOf = (fn, items) => dual(q`${fn}(${list(items)})`, q`CASE WHEN ${anyNull(...items)} THEN NULL ELSE ${fn}(${list(items)}) END`);
const units = { second: 'SECOND', minute: 'MINUTE', hour: 'HOUR', day: 'DAY' };
const duration = () => pick([() => `INTERVAL '${rnd(5)}' ${pick(['SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR', 'WEEK'])}`, () => { const k = rnd(5) + 1, u = pick([['s', 'SECOND'], ['m', 'MINUTE'], ['h', 'HOUR'], ['day', 'DAY'], ['month', 'MONTH'], ['ms', 'MILLISECOND']]); return dual(`${k}${u[0]}`, `INTERVAL '${k}' ${u[1]}`); }])();

const makers = {
  bigint: [
    (s, d) => q`(${value(s, 'bigint', d)} ${pick(['+', '-', '*'])} ${value(s, 'bigint', d)})`,
    (s, d) => q`(${value(s, 'bigint', d)} ${pick(['+', '-', '*'])} ${value(s, 'bigint', d)})`,
    (s, d) => q`(${value(s, 'bigint', d)} % ${pick(['3', '-2', '7'])})`,
    (s, d) => { const a = value(s, 'bigint', d), k = pick(['2', '3', '-2']); return dual(q`(${a} / ${k})`, q`(${a} // ${k})`); },
    (s, d) => { const a = value(s, 'bigint', d), b = value(s, 'bigint', d); return dual(q`(${a} / nullif(${b}, 0))`, q`(${a} // nullif(${b}, 0))`); },
    (s, d) => q`(- ${value(s, 'bigint', d)})`,
    (s, d) => q`abs(${value(s, 'bigint', d)})`,
    (s, d) => q`CAST(sign(${value(s, 'bigint', d)}) AS bigint)`,
    (s, d) => q`mod(${value(s, 'bigint', d)}, 3)`,
    (s, d) => extremeOf(pick(['greatest', 'least']), times(rnd(2) + 2, () => value(s, 'bigint', d))),
    (s, d) => { const a = value(s, 'bigint', d), b = value(s, 'bigint', d), [fn, op] = pick([['and', '&'], ['or', '|']]); return dual(q`bitwise_${fn}(${a}, ${b})`, q`(CAST(${a} AS BIGINT) ${op} CAST(${b} AS BIGINT))`); },
    (s, d) => { const a = value(s, 'bigint', d), b = value(s, 'bigint', d); return dual(q`bitwise_xor(${a}, ${b})`, q`xor(CAST(${a} AS BIGINT), CAST(${b} AS BIGINT))`); },
    (s, d) => { const a = value(s, 'bigint', d); return dual(q`bit_count(${a}, 64)`, q`CAST(bit_count(CAST(${a} AS BIGINT)) AS BIGINT)`); },
    (s, d) => q`length(${value(s, 'varchar', d)})`,
    (s, d) => q`strpos(${value(s, 'varchar', d)}, ${pick(["'p'", "'q'", "'é'", "' '"])})`,
    (s, d) => { const a = value(s, 'varchar', d), b = pick(["'p'", "'q'"]); return dual(q`position(${b} IN ${a})`, q`position(${b} IN ${a})`); },
    (s, d) => { const a = value(s, 'varchar', d), b = value(s, 'varchar', 0); const plain = (v) => q`regexp_replace(${v}, '[^a-zA-Z0-9]', '', 'g')`; return dual(q`levenshtein_distance(regexp_replace(${a}, '[^a-zA-Z0-9]', ''), regexp_replace(${b}, '[^a-zA-Z0-9]', ''))`, q`levenshtein(${plain(a)}, ${plain(b)})`); },
    (s, d) => q`CAST(${pick(['floor', 'ceil'])}(${value(s, 'double', d)}) AS bigint)`,
    (s, d) => q`CAST(${value(s, 'boolean', d)} AS bigint)`,
    (s, d) => q`${pick(['TRY_CAST', 'TRY_CAST'])}(${q`CAST(${value(s, 'bigint', d)} AS varchar)`} AS bigint)`,
    (s, d) => q`TRY_CAST(${pick(["'12'", "'-3'", "'abc'", "''", "'9223372036854775808'"])} AS bigint)`,
    (s, d) => { const a = value(s, 'timestamp', d), [o, t] = pick([['year', 'year'], ['quarter', 'quarter'], ['month', 'month'], ['week', 'week'], ['day', 'day'], ['day_of_month', 'day'], ['day_of_week', 'isodow'], ['dow', 'isodow'], ['day_of_year', 'dayofyear'], ['doy', 'dayofyear'], ['year_of_week', 'isoyear'], ['yow', 'isoyear'], ['hour', 'hour'], ['minute', 'minute'], ['second', 'second']]); return dual(q`${o}(${a})`, q`${t}(${a})`); },
    (s, d) => { const a = value(s, pick(['timestamp', 'date']), d), [o, t] = pick([['YEAR', 'YEAR'], ['QUARTER', 'QUARTER'], ['MONTH', 'MONTH'], ['WEEK', 'WEEK'], ['DAY', 'DAY'], ['DOW', 'ISODOW'], ['DOY', 'DOY'], ['YEAR_OF_WEEK', 'ISOYEAR']]); return dual(q`EXTRACT(${o} FROM ${a})`, q`EXTRACT(${t} FROM ${a})`); },
    (s, d) => { const a = value(s, 'timestamp', d), b = value(s, 'timestamp', d), u = pick(['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']); return dual(q`date_diff('${u}', ${a}, ${b})`, q`date_sub('${u}', ${a}, ${b})`); },
    (s, d) => { const a = value(s, 'timestamp', d); return dual(q`to_milliseconds(${a})`, q`epoch_ms(${a})`); },
    (s, d) => { const a = value(s, pick(['bigint[]', 'varchar[]']), d); return dual(q`cardinality(${a})`, q`len(${a})`); },
    (s, d) => { const a = value(s, 'bigint[]', d), i = pick(['1', '2', '-1', '5']); return dual(q`element_at(${a}, ${i})`, q`list_extract(${a}, ${i})`); },
    (s, d) => { const a = value(s, 'bigint[]', d), fn = pick(['max', 'min']); return dual(q`array_${fn}(${a})`, q`CASE WHEN len(list_filter(${a}, lambda z: z IS NULL)) > 0 THEN NULL ELSE list_${fn}(${a}) END`); },
    (s, d) => { const a = value(s, 'bigint[]', d), b = value(s, 'bigint', 0); return dual(q`array_position(${a}, ${b})`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE coalesce(list_position(${a}, ${b}), 0) END`); },
    // DuckDB's list_reduce has no NULL rule of its own: the state is never NULL here
    (s, d) => { const a = value(s, 'bigint[]', d); return dual(q`reduce(${a}, 0, (st, z) -> st + coalesce(z, 1), st -> st)`, q`CASE WHEN ${a} IS NULL THEN NULL ELSE coalesce(CAST(list_sum(list_transform(${a}, lambda z: coalesce(z, 1))) AS BIGINT), 0) END`); },
  ],
  double: [
    (s, d) => q`(${value(s, 'double', d)} ${pick(['+', '-', '*'])} ${value(s, pick(['double', 'bigint']), d)})`,
    (s, d) => q`(${value(s, 'double', d)} ${pick(['+', '-', '*'])} ${value(s, 'double', d)})`,
    (s, d) => q`(${value(s, 'double', d)} / ${pick(['2e0', '-0.5e0', '3e0'])})`,
    // what is left of a large mean is made of its last digits, of which the two have others
    (s, d) => { const own = s.columns.filter((c) => c.type === 'double' && /^r\d+\.[xy]$/.test(c.name)); return q`(${own.length > 0 && chance(80) ? pick(own).name : q`CAST(${value(s, 'bigint', d)} AS double) / 4e0`} % ${pick(['2e0', '-0.75e0'])})`; },
    (s, d) => q`(- ${value(s, 'double', d)})`,
    (s, d) => q`${pick(['abs', 'floor', 'ceil', 'cbrt', 'sin', 'cos', 'atan', 'radians', 'degrees'])}(${value(s, 'double', d)})`,
    (s, d) => { const a = value(s, 'double', d), [o, t] = pick([['truncate', 'trunc'], ['ceiling', 'ceiling'], ['round', 'round']]); return dual(q`${o}(${a})`, q`${t}(${a})`); },
    (s, d) => q`round(${value(s, 'double', d)}, 1)`,
    (s, d) => q`${pick(['sqrt', 'ln', 'log2', 'log10'])}(abs(${value(s, 'double', d)}) + 1e0)`,
    (s, d) => q`${pick(['power', 'pow'])}(${value(s, 'double', d)}, 2)`,
    (s, d) => extremeOf(pick(['greatest', 'least']), times(rnd(2) + 2, () => value(s, 'double', d))),
    (s, d) => q`CAST(${value(s, 'bigint', d)} AS double)`,
    (s, d) => { const a = value(s, 'timestamp', d); return dual(q`to_unixtime(${a})`, q`epoch(${a})`); },
    (s, d) => q`TRY_CAST(${pick(["'1.5'", "'abc'", "'-2e3'"])} AS double)`,
  ],
  varchar: [
    (s, d) => q`(${value(s, 'varchar', d)} || ${value(s, 'varchar', d)})`,
    (s, d) => q`${pick(['lower', 'upper', 'reverse', 'trim', 'ltrim', 'rtrim'])}(${value(s, 'varchar', d)})`,
    (s, d) => q`substr(${value(s, 'varchar', d)}, ${rnd(3) + 1}${chance(50) ? `, ${rnd(3)}` : ''})`,
    // a start before the text's first character: Trino has no text there, DuckDB what would be left
    (s, d) => { const a = value(s, 'varchar', d), k = rnd(2) + 1; return q`CASE WHEN length(${a}) >= ${k} THEN substring(${a}, -${k}) END`; },
    (s, d) => q`replace(${value(s, 'varchar', d)}, ${pick(["'p'", "'pq'", "'é'"])}, ${value(s, 'varchar', 0)})`,
    (s, d) => q`${pick(['lpad', 'rpad'])}(${value(s, 'varchar', d)}, ${rnd(5)}, ${pick(["'*'", "'é-'"])})`,
    (s, d) => q`${pick(['trim', 'ltrim', 'rtrim'])}(${value(s, 'varchar', d)}, ${pick(["'p'", "'pq '"])})`,
    (s, d) => { const a = value(s, 'varchar', d), k = rnd(3) + 1; return dual(q`split_part(${a}, ' ', ${k})`, q`list_extract(str_split(${a}, ' '), ${k})`); },
    (s, d) => { const a = times(rnd(2) + 2, () => value(s, 'varchar', d)); return dual(q`concat(${list(a, ', ', 2)})`, q`(${list(a, ' || ', 2)})`); },
    (s, d) => q`CAST(${value(s, pick(['bigint', 'boolean', 'date']), d)} AS varchar)`,
    (s, d) => { const a = value(s, 'varchar', d), p = pick(["'p'", "'[pq]'", "'\\w+'", "'[^p]'"]), r = pick([["'x'", "'x'"], ["'<$0>'", "'<\\0>'"]]); return dual(q`regexp_replace(${a}, ${p}, ${r[0]})`, q`regexp_replace(${a}, ${p}, ${r[1]}, 'g')`); },
    (s, d) => { const a = value(s, 'varchar', d), p = pick(["'p'", "'[pq]+'", "'^.'", "'(p)(q)'", "'\\d+'"]); return dual(q`regexp_extract(${a}, ${p})`, q`CASE WHEN regexp_matches(${a}, ${p}) THEN regexp_extract(${a}, ${p}) END`); },
    (s, d) => { const a = value(s, 'varchar', d); return dual(q`regexp_extract(${a}, '(p)(q)', 2)`, q`CASE WHEN regexp_matches(${a}, '(p)(q)') THEN regexp_extract(${a}, '(p)(q)', 2) END`); },
    (s, d) => { const a = value(s, 'timestamp', d); return dual(q`date_format(${a}, '%Y-%m-%d %H:%i:%s')`, q`strftime(${a}, '%Y-%m-%d %H:%M:%S')`); },
    (s, d) => { const a = value(s, 'varchar[]', d); // of NULLs alone: the empty text, in DuckDB NULL
      return dual(q`array_join(${a}, '-')`, q`CASE WHEN ${a} IS NOT NULL THEN coalesce(array_to_string(${a}, '-'), '') END`); },
    (s, d) => { const a = value(s, 'bigint[]', d); return dual(q`array_join(${a}, ',', 'N')`, q`array_to_string(list_transform(${a}, lambda z: coalesce(CAST(z AS VARCHAR), 'N')), ',')`); },
    (s, d) => { const a = value(s, 'varchar[]', d), i = pick(['1', '2', '-1', '5']); return dual(q`element_at(${a}, ${i})`, q`list_extract(${a}, ${i})`); },
    (s, d) => extremeOf(pick(['greatest', 'least']), times(2, () => value(s, 'varchar', d))),
    (s, d) => { const a = value(s, 'bigint', d), r = pick(['2', '16', '36']); return dual(q`to_base(abs(${a}), ${r})`, q`lower(to_base(CAST(abs(${a}) AS BIGINT), ${r}))`); },
  ],
  boolean: [(s, d) => q`(${condition(s, d)})`],
  timestamp: [
    (s, d) => q`(${value(s, 'timestamp', d)} ${pick(['+', '-'])} ${duration()})`,
    (s, d) => q`date_trunc('${pick(['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'])}', ${value(s, 'timestamp', d)})`,
    (s, d) => { const a = value(s, 'timestamp', d), k = rnd(4) + 1, u = pick([['s', 'SECOND'], ['m', 'MINUTE'], ['h', 'HOUR'], ['day', 'DAY']]); return dual(q`bin(${a}, ${k}${u[0]})`, q`time_bucket(INTERVAL '${k}' ${u[1]}, ${a}, TIMESTAMP '1970-01-01')`); },
    (s, d) => { const a = value(s, 'timestamp', d), k = value(constant(s), 'bigint', 0), u = pick(['second', 'minute', 'hour', 'day', 'week', 'month', 'year']); return dual(q`date_add('${u}', ${k}, ${a})`, q`(${a} + to_${u}s(CAST(${k} AS INTEGER)))`); },
    (s, d) => q`CAST(${value(s, 'date', d)} AS timestamp)`,
    (s, d) => { const a = rnd(5) * 86400000 + 1714560000000; return dual(`from_milliseconds(${a})`, `make_timestamp_ms(${a})`); },
    (s, d) => extremeOf(pick(['greatest', 'least']), times(2, () => value(s, 'timestamp', d))),
    (s, d) => { const a = value(s, 'timestamp', d); return dual(q`date_parse(date_format(${a}, '%Y-%m-%d %H:%i:%s'), '%Y-%m-%d %H:%i:%s')`, q`strptime(strftime(${a}, '%Y-%m-%d %H:%M:%S'), '%Y-%m-%d %H:%M:%S')`); },
  ],
  date: [
    (s, d) => q`CAST(${value(s, 'timestamp', d)} AS date)`,
    (s, d) => { const a = value(s, 'date', d), k = rnd(5), u = pick(['DAY', 'MONTH', 'YEAR']); return dual(q`(${a} ${'+'} INTERVAL '${k}' ${u})`, q`CAST(${a} + INTERVAL '${k}' ${u} AS date)`); },
    (s, d) => { const a = value(s, pick(['date', 'timestamp']), d); return dual(q`last_day_of_month(${a})`, q`last_day(${a})`); },
    (s, d) => { const a = value(s, 'date', d), k = rnd(4), u = pick(['day', 'week', 'month', 'year']); return dual(q`date_add('${u}', ${k}, ${a})`, q`CAST(${a} + to_${u}s(${k}) AS date)`); },
    (s, d) => { const a = value(s, 'date', d), u = pick(['week', 'month', 'quarter', 'year']); return dual(q`date_trunc('${u}', ${a})`, q`CAST(date_trunc('${u}', ${a}) AS date)`); },
  ],
  'bigint[]': [
    (s, d) => sized('bigint[]', q`ARRAY[${list(times(rnd(3) + 1, () => value(s, 'bigint', d - 1)))}]`),
    (s, d) => { const k = rnd(4) + 1; return dual(`sequence(1, ${k})`, `generate_series(CAST(1 AS BIGINT), ${k})`); },
    (s, d) => { const a = value(s, 'bigint[]', d), f = lambda(s, 'bigint', (inner) => value(inner, 'bigint', d)); return dual(q`transform(${a}, ${f})`, q`list_transform(${a}, ${f})`); },
    (s, d) => { const a = value(s, 'bigint[]', d), f = lambda(s, 'bigint', (inner) => condition(inner, d)); return dual(q`filter(${a}, ${f})`, q`list_filter(${a}, ${f})`); },
    (s, d) => { const a = value(s, 'bigint[]', d); return dual(q`array_sort(${a})`, q`list_sort(${a}, 'ASC', 'NULLS LAST')`); },
    (s, d) => { const a = value(s, 'bigint[]', d); return dual(q`reverse(${a})`, q`list_reverse(${a})`); },
    (s, d) => { const a = value(s, 'bigint[]', d), k = rnd(3) + 1, n = rnd(3); return dual(q`slice(${a}, ${k}, ${n})`, q`(${a})[${k}:${k + n - 1}]`); },
    (s, d) => { const a = value(s, 'bigint[]', d); return dual(q`array_sort(filter(array_distinct(${a}), z -> z IS NOT NULL))`, q`list_sort(list_distinct(${a}))`); },
    // a NULL array: Trino's || is NULL, DuckDB's list_concat is the other one
    (s, d) => { const a = value(s, 'bigint[]', d), b = value(s, 'bigint[]', d); return dual(q`(${a} || ${b})`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE list_concat(${a}, ${b}) END`); },
    (s, d) => { const a = value(s, 'bigint', d), k = rnd(3); return dual(q`CAST(repeat(${a}, ${k}) AS array(bigint))`, q`list_transform(range(${k}), lambda z: CAST(${a} AS BIGINT))`); },
    (s, d) => { const a = value(s, 'bigint[]', d), b = value(s, 'bigint[]', d); return dual(q`array_sort(filter(array_intersect(${a}, ${b}), z -> z IS NOT NULL))`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE list_sort(list_distinct(list_intersect(${a}, ${b}))) END`); },
    (s, d) => { const a = value(s, 'bigint[]', d), b = value(s, 'bigint', 0); return dual(q`array_remove(${a}, ${b})`, q`CASE WHEN ${anyNull(a, b)} THEN NULL ELSE list_filter(${a}, lambda z: z IS DISTINCT FROM ${b}) END`); },
  ],
  'varchar[]': [
    (s, d) => sized('varchar[]', q`ARRAY[${list(times(rnd(3) + 1, () => value(s, 'varchar', d - 1)))}]`),
    (s, d) => { const a = value(s, 'varchar', d); return dual(q`split(${a}, 'q')`, q`str_split(${a}, 'q')`); },
    (s, d) => { const a = value(s, 'varchar', d), p = pick(["'[pq]'", "'q+'"]); return dual(q`regexp_split(${a}, ${p})`, q`regexp_split_to_array(${a}, ${p})`); },
    (s, d) => { const a = value(s, 'varchar', d), p = pick(["'[pq]'", "'q+'", "'\\w'"]); return dual(q`regexp_extract_all(${a}, ${p})`, q`regexp_extract_all(${a}, ${p})`); },
    (s, d) => { const a = value(s, 'bigint[]', d), f = lambda(s, 'bigint', (inner) => value(inner, 'varchar', d)); return dual(q`transform(${a}, ${f})`, q`list_transform(${a}, ${f})`); },
    (s, d) => { const a = value(s, 'varchar[]', d), f = lambda(s, 'varchar', (inner) => condition(inner, d)); return dual(q`filter(${a}, ${f})`, q`list_filter(${a}, ${f})`); },
    (s, d) => { const a = value(s, 'varchar[]', d); return dual(q`array_sort(${a})`, q`list_sort(${a}, 'ASC', 'NULLS LAST')`); },
  ],
  ...typeMakers,
};
for (const [type, more] of Object.entries(moreMakers)) makers[type].push(...more);

export function value(sc, type, depth) {
  return typed(type, valueOf(sc, type, depth));
}

function valueOf(sc, type, depth) {
  const columns = ofType(sc.columns, type);
  const series = type === 'double' ? ofType(sc.columns, 'series') : [];
  if (series.length > 0 && chance(60)) return seriesValue(series);
  const choice = rnd(depth <= 0 ? 3 : 12);
  if (choice < 2 && columns.length > 0) return q`${pick(columns).name}`;
  if (choice < 3 || depth <= 0) return columns.length > 0 && chance(60) ? q`${pick(columns).name}` : sized(type, q`${literal(type)}`);
  switch (choice) {
    case 3: return q`CASE WHEN ${condition(sc, depth - 1)} THEN ${value(sc, type, depth - 1)}${chance(30) ? q` WHEN ${condition(sc, depth - 1)} THEN ${value(sc, type, depth - 1)}` : ''}${chance(80) ? q` ELSE ${value(sc, type, depth - 1)}` : ''} END`;
    case 4: {
      const by = pick(['bigint', 'varchar']);
      if (chance(50)) return q`CASE ${value(sc, by, depth - 1)} WHEN ${value(sc, by, 0)} THEN ${value(sc, type, depth - 1)} ELSE ${value(sc, type, depth - 1)} END`;
      const c = condition(sc, depth - 1), a = value(sc, type, depth - 1), b = value(sc, type, depth - 1);
      return dual(q`IF(${c}, ${a}, ${b})`, q`CASE WHEN ${c} THEN ${a} ELSE ${b} END`);
    }
    case 5: return q`coalesce(${list(times(rnd(2) + 2, () => value(sc, type, depth - 1)))})`;
    case 6: if (!nested(type)) return q`nullif(${value(sc, type, depth - 1)}, ${value(sc, type, 0)})`; // falls through
    case 7: if (sc.sub > 0 && depth > 1 && !nested(type)) return scalar(sc, type, depth - 1); // falls through
    default: return q`${pick(makers[type])(sc, depth - 1)}`;
  }
}

const literals = (type) => list(times(rnd(3) + 1, () => (chance(10) ? 'NULL' : literal(type))));

export function condition(sc, depth) {
  return typed('boolean', conditionOf(sc, depth));
}

function conditionOf(sc, depth) {
  const type = pick(['bigint', 'double', 'varchar', 'bigint', 'varchar', 'timestamp', 'boolean', 'date', ...(chance(15) ? ['time', 'varbinary'] : [])]);
  const not = chance(25) ? 'NOT ' : '';
  switch (rnd(depth <= 0 ? 5 : 17)) {
    case 0: case 1: return q`${value(sc, type, depth - 1)} ${pick(['=', '<>', '!=', '<', '<=', '>', '>='])} ${value(sc, type, depth - 1)}`;
    case 2: return q`${value(sc, type, depth - 1)} IS ${not}NULL`;
    case 3: return q`${value(sc, type, depth - 1)} ${not}IN (${literals(type)})`;
    case 4: return q`${value(sc, type, depth - 1)} ${not}BETWEEN ${value(sc, type, 0)} AND ${value(sc, type, 0)}`;
    case 5: return q`(${list(times(rnd(2) + 2, () => condition(sc, depth - 1)), ' AND ')})`;
    case 6: return q`(${list(times(rnd(2) + 2, () => condition(sc, depth - 1)), ' OR ')})`;
    case 7: return q`NOT (${condition(sc, depth - 1)})`;
    case 8: return q`${value(sc, type, depth - 1)} IS ${not}DISTINCT FROM ${value(sc, type, depth - 1)}`;
    case 9: return q`${value(sc, 'varchar', depth - 1)} ${not}LIKE ${pick(["'p%'", "'%q'", "'_'", "'%p%'", "'%'", "'p!_q' ESCAPE '!'", "'!%' ESCAPE '!'", "'_é%'"])}`;
    case 10: { const a = value(sc, 'varchar', depth - 1), p = pick(["'p'", "'^[pq]+$'", "'(?i)z'", "'\\d'"]); return dual(q`${not}regexp_like(${a}, ${p})`, q`${not}regexp_matches(${a}, ${p})`); }
    case 11: {
      const a = value(sc, 'bigint[]', depth - 1), c = lambda(sc, 'bigint', (inner) => condition(inner, depth - 2));
      // DuckDB's lists have no any, all and none: what Trino's three values are
      const x = c.parts[0].parts[0], body = c.parts[0].parts[2];
      const has = (what) => q`len(list_filter(${a}, lambda ${x}: ${what})) > 0`;
      return pick([
        () => dual(q`any_match(${a}, ${c})`, q`CASE WHEN ${a} IS NULL THEN NULL WHEN ${has(body)} THEN true WHEN ${has(q`(${body}) IS NULL`)} THEN NULL ELSE false END`),
        () => dual(q`all_match(${a}, ${c})`, q`CASE WHEN ${a} IS NULL THEN NULL WHEN ${has(q`NOT (${body})`)} THEN false WHEN ${has(q`(${body}) IS NULL`)} THEN NULL ELSE true END`),
        () => dual(q`none_match(${a}, ${c})`, q`CASE WHEN ${a} IS NULL THEN NULL WHEN ${has(body)} THEN false WHEN ${has(q`(${body}) IS NULL`)} THEN NULL ELSE true END`)])();
    }
    case 12: {
      const a = value(sc, 'bigint[]', depth - 1), b = value(sc, 'bigint', 0);
      return dual(q`contains(${a}, ${b})`, q`CASE WHEN ${anyNull(a, b)} THEN NULL WHEN list_contains(${a}, ${b}) THEN true WHEN len(list_filter(${a}, lambda z: z IS NULL)) > 0 THEN NULL ELSE false END`);
    }
    case 13: return q`starts_with(${value(sc, 'varchar', depth - 1)}, ${value(sc, 'varchar', 0)})`;
    default: return sc.sub > 0 ? subqueryCondition(sc, depth - 1) : q`${value(sc, type, depth - 1)} = ${value(sc, type, depth - 1)}`;
  }
}
export { flat };
