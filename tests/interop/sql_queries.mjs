// Random queries around the expressions of sql_values.mjs.
//
// Joins are cut short when they could make more than ROWS rows.
//
// A scope says what an expression may use: { columns: [{ name, type }], sub: how deep subqueries may still go, ctes, big }.
// What the two programs are free to do differently is not asked for: the order of rows that tie (ORDER BY in windows and
// array_agg takes a key that tells all rows apart, or a function for which ties do not matter; LIMIT comes with all columns
// in ORDER BY), and which of several errors is reported.
import { q, dual, optional, typed, list, rnd, chance, pick, times } from './sql_text.mjs';
import { value, condition, literal, ofType, castName, scalarTypes, flat } from './sql_values.mjs';
import { nested, seriesRows } from './sql_types.mjs';
import { layouts, columnTypes, columnsOf } from './sql_tables.mjs';

const ROWS = 1500;
let aliases = 0, usedTables = new Set();
const types = () => pick([...scalarTypes, ...(chance(10) ? ['bigint[]', 'varchar[]'] : []), ...(chance(12) ? ['time', 'varbinary', 'row'] : [])]);
const columnList = () => times(rnd(3) + 1, (i) => ({ name: `c${i}`, type: types() }));
const where = (sc, depth, percent = 60) => (chance(percent) ? optional(q` WHERE ${condition(sc, depth)}`) : '');
const nullsOrder = () => pick(['', '', ' NULLS FIRST', ' NULLS LAST']);
const direction = () => pick(['', ' ASC', ' DESC']) + nullsOrder();

// ---- FROM ----
function table(sc) {
  const name = pick(sc.big ? ['u', 'v', 'w'] : Object.keys(layouts)), layout = layouts[name];
  const full = layout.database === 'db' ? (chance(10) ? dual(`db.${name}`, `main.${name}`) : name) : `${layout.database}.${name}`;
  const bare = chance(8) && !usedTables.has(name);
  usedTables.add(name);
  const alias = bare ? name : `r${aliases++}`;
  if (!bare && chance(6)) { // with names of its own for all columns
    const columns = columnsOf(name).map((c, i) => ({ name: `${c === 'x' || c === 'y' ? c : `z${i}`}`, type: columnTypes[c] }));
    return { name: null, alias, text: q`${full}${pick([' ', ' AS '])}${alias}(${columns.map((c) => c.name).join(', ')})`, rows: 30, columns: columns.map((c) => ({ name: `${alias}.${c.name}`, type: c.type })) };
  }
  return { name, alias, text: bare ? q`${full}` : q`${full}${pick([' ', ' AS '])}${alias}`, rows: 30, columns: columnsOf(name).map((c) => ({ name: `${alias}.${c}`, type: columnTypes[c] })) };
}

// Rows that have a number, in an order of all columns.
function numbered(inner) {
  const alias = `r${aliases++}`;
  const plain = inner.columns.map((c) => ({ name: c.name.split('.')[1], type: c.type }));
  return { alias, text: q`(SELECT ${plain.map((c) => `${inner.alias}.${c.name} AS ${c.name}`).join(', ')}, row_number() OVER (ORDER BY ${inner.columns.map((c) => c.name).join(', ')}) AS rn FROM ${inner.text}) AS ${alias}`, rows: 30, columns: [...plain.map((c) => ({ name: `${alias}.${c.name}`, type: c.type })), { name: `${alias}.rn`, type: 'bigint', unique: true }] };
}

function fromItem(sc, depth) {
  const choice = depth > 0 ? rnd(14) : rnd(7);
  const alias = `r${aliases++}`;
  const as = (columns) => columns.map((c) => ({ name: `${alias}.${c.name}`, type: c.type }));
  if (choice === 6 && sc.ctes.length > 0) {
    const cte = pick(sc.ctes);
    return { text: q`${cte.name} AS ${alias}`, rows: cte.rows, columns: as(cte.columns) };
  }
  if (choice < 8) return table(sc);
  if (choice < 10) {
    const columns = columnList();
    const rows = list(times(rnd(4) + 1, (i) => q`(${times(columns.length, (k) => [k > 0 ? ', ' : '', i === 0 || chance(85) ? q`CAST(${literal(columns[k].type)} AS ${castName(columns[k].type)})` : 'NULL']).flat().reduce((a, b) => q`${a}${b}`)})`));
    return { text: q`(VALUES ${rows}) AS ${alias}(${columns.map((c) => c.name).join(', ')})`, rows: 4, columns: as(columns) };
  }
  if (choice === 10) return chance(35) && !extreme ? seriesItem(sc) : numbered(table(sc));
  const inner = select({ ...sc, columns: [], sub: sc.sub - 1, top: false }, depth - 1, columnList());
  if (chance(25)) {
    const renamed = inner.list.map((c, i) => ({ name: `d${i}`, type: c.type }));
    return { text: q`(${inner.text}) AS ${alias}(${renamed.map((c) => c.name).join(', ')})`, rows: inner.rows, columns: as(renamed) };
  }
  return { text: q`(${inner.text}) AS ${alias}`, rows: inner.rows, columns: as(inner.list) };
}

// A row of one side comes again with every row of the other.
const joined = (...columns) => columns.flat().map((c) => ({ name: c.name, type: c.type }));

// Two tables over columns that both have.
function joinUsing(sc) {
  const a = table(sc), b = table(sc);
  if (a.alias === b.alias || a.name === null || b.name === null) return a;
  const both = columnsOf(a.name).filter((c) => columnsOf(b.name).includes(c));
  const keys = chance(60) ? [pick(both)] : both.filter(() => chance(40));
  if (keys.length === 0) keys.push(pick(both));
  const natural = chance(25);
  if (natural) keys.splice(0, keys.length, ...both);
  const rest = (t) => t.columns.filter((c) => !keys.includes(c.name.split('.')[1]));
  return { text: q`${a.text} ${natural ? 'NATURAL ' : ''}${pick(['JOIN', 'INNER JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'FULL OUTER JOIN'])} ${b.text}${natural ? '' : ` USING (${keys.join(', ')})`}`, rows: 300, columns: [...keys.map((c) => ({ name: c, type: columnTypes[c] })), ...rest(a), ...rest(b)] };
}

function unnest(sc, left) {
  const alias = `r${aliases++}`, series = ofType(left.columns, 'series');
  const made = (text, columns) => ({ text, rows: left.rows * 4, columns: [...joined(left.columns), ...columns.map((c, i) => ({ name: `${alias}.m${i}`, type: c }))] });
  if (series.length > 0) return made(q`${left.text} CROSS JOIN ${seriesRows(pick(series).name, alias)}`, ['timestamp', 'double']);
  const types = times(chance(40) ? 2 : 1, () => pick(['bigint', 'varchar']));
  const arrays = types.map((t) => value({ ...sc, columns: left.columns, sub: 0 }, `${t}[]`, 1));
  const names = types.map((t, i) => `m${i}`).join(', ');
  if (types.length === 1 && chance(40)) {
    const ordinality = chance(60);
    return made(q`${left.text} CROSS JOIN UNNEST(${arrays[0]})${ordinality ? ' WITH ORDINALITY' : ''} AS ${alias}(m0${ordinality ? ', m1' : ''})`, [...types, ...(ordinality ? ['bigint'] : [])]);
  }
  // several side by side, of which DuckDB has no form in FROM; rows without an element may stay
  const outer = chance(40), zipped = types.length === 2 && chance(30);
  const [join, on] = outer ? ['LEFT JOIN', ' ON true'] : ['CROSS JOIN', ''];
  const there = q`LATERAL (SELECT ${arrays.map((a, i) => q`${i > 0 ? ', ' : ''}UNNEST(${zipped ? q`CASE WHEN (${arrays[1 - i]}) IS NOT NULL THEN ${a} END` : a}) AS m${i}`).reduce((a, b) => q`${a}${b}`)}) AS ${alias}`;
  return made(q`${left.text} ${join} ${dual(q`UNNEST(${zipped ? q`zip(${list(arrays, ', ', 2)})` : list(arrays, ', ', 2)}) AS ${alias}(${names})`, there)}${on}`, types);
}

// A query for each row, which may use it; in DuckDB only by a subquery's own WHERE.
function lateral(sc, left) {
  const alias = `r${aliases++}`, from = table(sc), inner = { ...flat(sc), columns: from.columns };
  const columns = times(rnd(2) + 1, (i) => ({ name: `c${i}`, type: pick(['bigint', 'double', 'varchar', 'timestamp']) }));
  const [a, b] = [ofType(from.columns, 'varchar'), ofType(left.columns, 'varchar')];
  const tie = b.length > 0 ? q`${pick(a).name} ${pick(['=', '=', '<'])} ${pick(b).name}` : condition({ ...inner, columns: [...from.columns, ...left.columns] }, 1);
  const grouped = chance(40), outer = chance(40), total = totalOrder(inner);
  const items = columns.map((c, i) => q`${i > 0 ? ', ' : ''}CAST(${grouped ? aggregate({ ...inner, top: false }, c.type, 1) : value(inner, c.type, 1)} AS ${castName(c.type)}) AS ${c.name}`).reduce((x, y) => q`${x}${y}`);
  const text = q`LATERAL (SELECT ${items} FROM ${from.text} WHERE ${list([tie, ...(chance(40) ? [condition(inner, 1)] : [])], ' AND ')}${!grouped && chance(30) ? q` ORDER BY ${total} LIMIT ${rnd(3) + 1}` : ''}) AS ${alias}`;
  return { text: q`${left.text} ${outer ? 'LEFT JOIN' : 'CROSS JOIN'} ${text}${outer ? ' ON true' : ''}`, rows: left.rows * 10, columns: [...joined(left.columns), ...columns.map((c) => ({ name: `${alias}.${c.name}`, type: c.type }))] };
}

function joinCondition(a, b, sc, kind) {
  const terms = [];
  for (let i = rnd(2) + 1; i > 0; i--) {
    const type = pick(['varchar', 'varchar', 'bigint', 'timestamp', 'double']);
    const x = ofType(a, type), y = ofType(b, type);
    if (x.length > 0 && y.length > 0) terms.push(chance(70) ? q`${pick(x).name} = ${pick(y).name}` : chance(50) ? q`${pick(y).name} = ${pick(x).name}` : q`${value({ ...flat(sc), columns: a }, type, 1)} = ${value({ ...flat(sc), columns: b }, type, 1)}`);
  }
  // DuckDB joins FULL by equalities alone
  if (kind.startsWith('FULL')) return terms;
  if (terms.length === 0 || chance(30)) terms.push(condition({ ...flat(sc), columns: [...a, ...b] }, 1));
  return terms;
}

function fromClause(sc, depth) {
  if (chance(8)) return joinUsing(sc);
  let left = fromItem(sc, depth);
  const joins = chance(45) || sc.big ? 0 : rnd(3) + (chance(15) ? 1 : 0);
  for (let i = 0; i < joins; i++) {
    let right = fromItem(sc, depth);
    if (left.rows * right.rows > ROWS) continue;
    if (chance(12) && right.rows < 5) { // (b JOIN c)
      const more = table(sc), terms = joinCondition(right.columns, more.columns, sc, 'JOIN');
      right = { text: q`(${right.text} ${pick(['JOIN', 'LEFT JOIN'])} ${more.text} ON ${list(terms, ' AND ')})`, rows: right.rows * 30, columns: joined(right.columns, more.columns) };
    }
    const columns = joined(left.columns, right.columns), rows = left.rows * right.rows;
    const kind = pick(['JOIN', 'INNER JOIN', 'LEFT JOIN', 'LEFT OUTER JOIN', 'RIGHT JOIN', 'FULL JOIN', 'FULL OUTER JOIN', 'CROSS JOIN']);
    const terms = kind === 'CROSS JOIN' ? [] : joinCondition(left.columns, right.columns, sc, kind);
    if (kind === 'CROSS JOIN' || terms.length === 0) left = { text: q`${left.text} CROSS JOIN ${right.text}`, rows, columns };
    else left = { text: q`${left.text} ${kind} ${right.text} ON ${list(terms, ' AND ')}`, rows, columns };
  }
  if (chance(left.columns.some((c) => c.type === 'series') ? 40 : 9)) left = unnest(sc, left);
  else if (left.rows <= 100 && !sc.big && chance(5)) left = lateral(sc, left);
  return left;
}

// FROM a, b, c: the conditions stand in WHERE.
function commaClause(sc, depth) {
  const items = [fromItem(sc, depth)];
  for (let i = rnd(2) + 1, rows = items[0].rows; i > 0; i--) {
    const item = fromItem(sc, depth);
    if ((rows *= item.rows) > ROWS) break;
    items.push(item);
  }
  return { text: list(items.map((i) => i.text), ', ', 1), rows: items.reduce((n, i) => n * i.rows, 1), columns: items.length === 1 ? items[0].columns : joined(...items.map((i) => i.columns)) };
}

// ---- subqueries ----
function correlated(sc, from, depth) {
  const type = pick(['varchar', 'bigint', 'timestamp']);
  const a = ofType(from.columns, type), b = ofType(sc.columns, type), terms = [];
  if (a.length > 0 && b.length > 0 && chance(60)) terms.push(q`${pick(a).name} = ${pick(b).name}`);
  if (chance(60) || terms.length === 0) terms.push(condition({ ...(chance(25) && sc.sub > 1 ? { ...sc, sub: sc.sub - 1 } : flat(sc)), columns: chance(50) ? [...from.columns, ...sc.columns] : from.columns }, depth - 1));
  return list(terms, ' AND ');
}

// A series for every group of rows that have a number: the number is the time, in seconds.
function seriesItem(sc) {
  const rows = numbered(table(sc)), alias = `r${aliases++}`;
  const own = rows.columns, key = pick(own.filter((c) => c.type === 'varchar')).name, rn = `${rows.alias}.rn`;
  const x = value({ ...flat(sc), columns: own }, 'double', 1);
  const ts = dual(q`create_time_series(from_milliseconds(${rn} * 1000), ${x}) FILTER (WHERE ${x} IS NOT NULL)`, q`list({'t': ${rn} * 1000, 'v': CAST(${x} AS DOUBLE)} ORDER BY ${rn}) FILTER (WHERE ${x} IS NOT NULL)`);
  return { text: q`(SELECT ${key} AS g, ${ts} AS ts FROM ${rows.text} GROUP BY ${key}) AS ${alias}`, rows: 6, columns: [{ name: `${alias}.g`, type: 'varchar' }, { name: `${alias}.ts`, type: 'series' }] };
}
// What a subquery's expressions see: sometimes the rows around it too, and subqueries of their own.
const within = (sc, from) => (chance(15) ? { ...sc, columns: [...from.columns, ...sc.columns], sub: sc.sub - 1 } : { ...sc, columns: from.columns, sub: chance(25) ? sc.sub - 1 : 0 });

export function scalar(sc, type, depth) {
  const from = fromItem({ ...sc, sub: sc.sub - 1 }, 0), cond = correlated(sc, from, depth);
  const inner = { ...within(sc, from), columns: from.columns };
  if (type === 'bigint' && chance(40)) return q`(SELECT count(*) FROM ${from.text} WHERE ${cond})`;
  return q`(SELECT ${pick(['min', 'max'])}(${value(inner, type, depth - 1)}) FROM ${from.text} WHERE ${cond})`;
}

// A condition of subqueries in subqueries, each of which may take from any query around it, alone, through a join or WITH.
function deepQuery(around, levels, made) {
  const alias = `r${aliases++}`, own = { name: `${alias}.n`, type: 'bigint' };
  let from = q`(VALUES ${list(times(rnd(4) + 1, () => q`(${chance(15) ? 'CAST(NULL AS bigint)' : `CAST(${rnd(5)} AS bigint)`})`))}) AS ${alias}(n)`, begin = '';
  if (chance(15)) {
    const name = `d${aliases++}`;
    begin = q`WITH ${name}(k) AS (SELECT ${pick(around).name}) `;
    from = q`${from} JOIN ${name} ON ${own.name} ${pick(['=', '<=', '<>'])} ${name}.k`;
  }
  const terms = times(rnd(2) + 1, () => deepTerm([own, ...around], levels));
  if (chance(60)) terms.push(q`${own.name} ${pick(['=', '<', '>=', '<>'])} ${pick(around).name}`);
  return q`${begin}SELECT ${made(pick([own, own, ...around]).name, own.name)} FROM ${from} WHERE ${list(terms, ' AND ')}`;
}
function deepTerm(columns, levels) {
  const some = () => pick([...columns.map((c) => c.name), ...columns.map((c) => c.name), rnd(4)]);
  switch (levels > 0 ? rnd(5) : 4) {
    case 0: return q`${some()} ${chance(35) ? 'NOT ' : ''}IN (${deepQuery(columns, levels - 1, (any) => any)})`;
    case 1: case 2: return q`${chance(40) ? 'NOT ' : ''}EXISTS (${deepQuery(columns, levels - 1, (any) => any)})`;
    case 3: return q`${some()} ${pick(['=', '<', '>=', '<>'])} (${deepQuery(columns, levels - 1, (_, own) => `${pick(['max', 'min', 'count'])}(${own})`)})`;
    default: return q`${some()} ${pick(['=', '=', '<', '>=', '<>'])} ${some()}`;
  }
}

export function subqueryCondition(sc, depth) {
  const numbers = ofType(sc.columns, 'bigint');
  if (numbers.length > 0 && chance(15)) return deepTerm(numbers, rnd(3) + 1);
  const from = fromItem({ ...sc, sub: sc.sub - 1 }, 0), cond = correlated(sc, from, depth);
  const type = pick(['varchar', 'bigint', 'double', 'timestamp']);
  const inner = within(sc, from);
  const item = value(inner, type, chance(20) ? 3 : 1), left = value(flat(sc), type, depth - 1);
  switch (rnd(5)) {
    case 0: return q`${chance(40) ? 'NOT ' : ''}EXISTS (SELECT ${pick(['1', '*', from.columns[0].name])} FROM ${from.text} WHERE ${cond})`;
    case 1: case 2: return q`${left} ${chance(35) ? 'NOT ' : ''}IN (SELECT ${item} FROM ${from.text} WHERE ${cond})`;
    case 3: return q`${left} ${pick(['=', '<>', '<', '<=', '>', '>='])} ${pick(['ANY', 'ALL', 'SOME'])} (SELECT ${item} FROM ${from.text} WHERE ${cond})`;
    default: return q`${left} ${pick(['=', '<', '>='])} ${scalar(sc, type, depth)}`;
  }
}

// ---- aggregates and windows ----
// Sums of huge doubles depend on their order; of those tables only counts and extremes are taken.
let extreme = false;
const filtered = (sc) => (chance(20) ? optional(q` FILTER (WHERE ${condition(flat(sc), 1)})`) : '');

// Few values are kept as they are: between the values on both sides of p * n - 1 / 2, counted from 0.
function percentile(x) {
  const p = pick(['0', '0.25', '0.5', '0.9', '1']), n = q`count(${x})`, all = q`(list(${x} ORDER BY ${x}) FILTER (WHERE ${x} IS NOT NULL))`;
  const h = q`greatest(0, least(${n} - 1, ${p} * ${n} - 0.5))`, at = (f) => q`${all}[CAST(${f}(${h}) AS INTEGER) + 1]`;
  return dual(q`approx_percentile(${x}, ${p})`, q`(${at('floor')} + (${h} - floor(${h})) * (${at('ceil')} - ${at('floor')}))`);
}

function aggregate(sc, type, depth, window = false) {
  const s = chance(20) && !window ? sc : flat(sc), filter = filtered(sc);
  const distinct = chance(20) ? 'DISTINCT ' : '';
  // Sums of what is not a multiple of a power of two depend on the order of their terms, in the last digits: where sets are made
  // of them, or rows cut off behind them, they are of such multiples.
  const exact = () => { const own = s.columns.filter((c) => c.type === 'double' && /^r\d+\.[xy]$/.test(c.name)); return own.length > 0 ? q`${pick(own).name}` : q`CAST(${value(s, 'bigint', depth)} AS double)`; };
  const term = () => (sc.top ? value(s, 'double', depth) : exact());
  const number = () => (chance(50) ? term() : value(s, 'bigint', depth));
  // of what is not far from zero: seconds since 1970 leave too few digits for a product
  const small = () => value(s, pick(['double', 'bigint']), 0);
  const rn = sc.columns.find((c) => c.unique);
  const choices = {
    bigint: [
      () => q`count(*)${filter}`,
      () => q`count(${distinct}${value(s, pick(['varchar', 'bigint', 'double', 'boolean', 'timestamp', 'time', 'varbinary']), depth)})${filter}`,
      () => q`sum(${distinct}${value(s, 'bigint', depth)})${filter}`,
      // DuckDB's count_if of no rows is NULL
      () => { const c = condition(s, depth); return dual(q`count_if(${c})${filter}`, q`count(CASE WHEN ${c} THEN 1 END)${filter}`); },
      () => { const a = value(s, 'bigint', depth), f = pick(['and', 'or']); return dual(q`bitwise_${f}_agg(${a})${filter}`, q`bit_${f}(CAST(${a} AS BIGINT))${filter}`); },
      () => q`${pick(['min', 'max'])}(${distinct}${value(s, 'bigint', depth)})${filter}`,
      // exact up to 128 values
      ...window || sc.big ? [] : [() => { const a = value(s, pick(['varchar', 'bigint', 'double', 'timestamp']), depth); return dual(q`approx_distinct(${a})${filter}`, q`count(DISTINCT ${a})${filter}`); }],
      () => { const a = value(s, 'bigint', depth); return dual(q`bitwise_xor_agg(${a})${filter}`, q`bit_xor(CAST(${a} AS BIGINT))${filter}`); },
    ],
    double: extreme ? [() => q`${pick(['min', 'max'])}(${value(s, 'double', depth)})${filter}`] : [
      () => q`sum(${distinct}${term()})${filter}`,
      () => q`avg(${distinct}${number()})${filter}`,
      () => q`${pick(['min', 'max'])}(${value(s, 'double', depth)})${filter}`,
      ...window || sc.big ? [] : [() => percentile(value(s, 'double', depth))],
      // what follows has other last digits there: nothing may hang on them
      ...!sc.top ? [] : [() => q`${pick(['stddev', 'stddev_samp', 'stddev_pop', 'variance', 'var_samp', 'var_pop'])}(CAST(${number()} AS double))${filter}`,
        () => q`${pick(['covar_pop', 'covar_samp'])}(CAST(${small()} AS double), CAST(${small()} AS double))${filter}`,
        () => { const y = q`CAST(${small()} AS double)`, x = q`CAST(${small()} AS double)`, f = pick(['corr', 'regr_slope', 'regr_intercept']);
        // where there is nothing to divide by, Trino has NULL or NaN; DuckDB too, but not the same of them
        const call = q`${f}(${y}, ${x})${filter}`;
        return window ? q`${pick(['covar_pop', 'covar_samp'])}(${y}, ${x})${filter}` : dual(q`CASE WHEN is_finite(${call}) THEN ${call} END`, q`CASE WHEN isfinite(${call}) THEN ${call} END`); }],
      ...window || !sc.top ? [] : [() => { const a = number(); return dual(q`geometric_mean(abs(${a}) + 1e0)${filter}`, q`exp(avg(ln(abs(${a}) + 1e0))${filter})`); }],
    ],
    boolean: [() => q`${pick(['bool_and', 'bool_or'])}(${condition(s, depth)})${filter}`, () => { const c = condition(s, depth); return dual(q`every(${c})${filter}`, q`bool_and(${c})${filter}`); }],
  };
  if (type === 'row') {
    if (rn === undefined || window) return value({ ...sc, columns: [], sub: 0 }, type, 1);
    const a = value(s, type, depth);
    return dual(q`max_by(${a}, ${rn.name})`, q`arg_max_null(${a}, ${rn.name})`);
  }
  if (type.endsWith('[]')) {
    // DuckDB's list_agg of no rows is NULL as Trino's is
    const total = totalOrder(sc);
    if (window || total === null) return value({ ...sc, columns: [], sub: 0 }, type, 1);
    return q`array_agg(${value(s, type.slice(0, -2), depth)} ORDER BY ${total})${filter}`;
  }
  if (rn !== undefined && !window && chance(30)) {
    const a = value(s, type, depth), f = pick(['max', 'min']);
    // rows whose x is NULL count for Trino
    return dual(q`${f}_by(${a}, ${rn.name})${filter}`, q`arg_${f}_null(${a}, ${rn.name})${filter}`);
  }
  return pick(choices[type] ?? [() => q`${pick(['min', 'max'])}(${value(s, type, depth)})${filter}`])();
}

// All columns, so that only equal rows tie.
function totalOrder(sc) {
  const columns = sc.columns.filter((c) => !nested(c.type));
  if (columns.length === 0 || columns.length < sc.columns.length) return null;
  return list(columns.map((c) => `${c.name}${direction()}`), ', ', columns.length);
}

function frame(keyType) {
  if (chance(40)) return '';
  const unit = pick(keyType === null ? ['ROWS', 'ROWS', 'GROUPS'] : ['ROWS', 'ROWS', 'RANGE', 'GROUPS']);
  const interval = keyType === 'timestamp' || keyType === 'date';
  const offset = () => (unit !== 'RANGE' ? String(rnd(4)) : interval ? (keyType === 'date' ? `INTERVAL '${rnd(3) + 1}' DAY` : pick([`INTERVAL '${rnd(4) + 1}' MINUTE`, `INTERVAL '${rnd(2) + 1}' DAY`])) : keyType === 'double' ? pick(['1', '0.5e0', '2']) : String(rnd(3) + 1));
  // RANGE 0 FOLLOWING begins with the first row that ties; DuckDB never looks behind the row itself.  Nor where adding the
  // offset changes nothing, as 1e300 + 0.5.
  const ranged = unit !== 'RANGE' || interval || keyType === 'bigint' || (keyType === 'double' && !extreme);
  const rank = (b) => (b === 'UNBOUNDED PRECEDING' ? 0 : b === 'UNBOUNDED FOLLOWING' ? 4 : b.endsWith('PRECEDING') ? 1 : b === 'CURRENT ROW' ? 2 : 3);
  const start = pick(['UNBOUNDED PRECEDING', 'CURRENT ROW', ...(ranged ? [`${offset()} PRECEDING`, `${offset()} FOLLOWING`] : [])]);
  if (rank(start) < 3 && chance(20)) return ` ${unit} ${start}`;
  const ends = ['CURRENT ROW', 'UNBOUNDED FOLLOWING', ...(ranged ? [`${offset()} FOLLOWING`, `${offset()} PRECEDING`] : [])].filter((e) => rank(e) >= rank(start));
  return ends.length === 0 || rank(start) === 3 && chance(30) ? ` ${unit} BETWEEN ${start} AND UNBOUNDED FOLLOWING` : ` ${unit} BETWEEN ${start} AND ${pick(ends)}`;
}

// Rows that are the same in all columns stand in no order, and may stand in another one in the next window: so of the windows of a
// SELECT in which they matter there is one, with a name perhaps.  sc.window: { over: its text, set by the first of them }.
function windowed(sc, type, depth) {
  const s = flat(sc), total = totalOrder(sc);
  if (sc.window.over !== undefined && total !== null) {
    if (nested(type)) return value(s, type, depth);
    const named = sc.window.over, arg = value(s, type, depth);
    const over = sc.window.name ?? q`(${named})`, cut = frame(null), framed = sc.window.name === undefined ? (cut === '' ? q`(${named})` : q`(${named}${cut})`) : cut === '' && chance(50) ? sc.window.name : `(${sc.window.name}${cut})`;
    const ignore = chance(30), nulls = (fn, args, w) => (ignore ? dual(q`${fn}(${args}) IGNORE NULLS OVER ${w}`, q`${fn}(${args} IGNORE NULLS) OVER ${w}`) : q`${fn}(${args}) OVER ${w}`);
    return pick([
      () => nulls(pick(['lag', 'lead']), q`${arg}, ${rnd(3)}`, over),
      () => nulls(pick(['first_value', 'last_value']), arg, framed),
      () => nulls('nth_value', q`${arg}, ${rnd(3) + 1}`, framed),
      () => q`${aggregate(s, type, depth, true)} OVER ${framed}`,
      ...(type === 'bigint' ? [() => q`${pick(['row_number()', 'rank()', 'dense_rank()', 'ntile(3)'])} OVER ${over}`, () => q`count(*) OVER ${framed}`] : []),
    ])();
  }
  const partition = chance(60) ? optional(q`PARTITION BY ${list(times(rnd(2) + 1, () => value(s, pick(['varchar', 'bigint', 'boolean', 'date']), 1)))} `) : '';
  const keyType = pick(['bigint', 'double', 'timestamp', 'varchar', 'date']);
  const keys = ofType(sc.columns, keyType);
  const key = keys.length > 0 ? `ORDER BY ${pick(keys).name}${direction()}` : null;
  const rows = total !== null ? q`ORDER BY ${total}` : null;
  const mine = () => { sc.window.over = q`${partition}${rows}`; };
  const ignore = chance(40);
  const call = (fn, args, over) => (ignore ? dual(q`${fn}(${args}) IGNORE NULLS OVER (${over})`, q`${fn}(${args} IGNORE NULLS) OVER (${over})`) : q`${fn}(${args}) OVER (${over})`);
  const choice = rnd(4);
  if (choice === 0 && type === 'bigint' && rows !== null) { mine(); return pick([q`row_number() OVER (${partition}${rows})`, q`ntile(${rnd(4) + 1}) OVER (${partition}${rows})`, q`rank() OVER (${partition}${key ?? rows})`, q`dense_rank() OVER (${partition}${key ?? rows})`]); }
  if (choice === 0 && type === 'double' && (key ?? rows) !== null) return pick([q`percent_rank() OVER (${partition}${key ?? rows})`, q`cume_dist() OVER (${partition}${key ?? rows})`]);
  if (choice <= 1 && rows !== null) {
    mine();
    const arg = value(s, type, depth), offset = chance(60) ? `, ${rnd(4)}` : '';
    return call(pick(['lag', 'lead']), offset !== '' && chance(40) ? q`${arg}${offset}, ${value(s, type, 0)}` : q`${arg}${offset}`, q`${partition}${rows}`);
  }
  if (choice === 2 && rows !== null) {
    mine();
    const fn = pick(['first_value', 'last_value', 'nth_value']);
    return call(fn, q`${value(s, type, depth)}${fn === 'nth_value' ? `, ${rnd(3) + 1}` : ''}`, q`${partition}${rows}${frame(null)}`);
  }
  const fn = aggregate(s, type, depth, true);
  if (nested(type)) return fn;
  const cut = key === null ? '' : frame(keyType);
  // a frame of ROWS over tied keys is any of several
  const order = cut.startsWith(' ROWS') || key === null ? rows : key;
  if (order === rows && rows !== null) mine();
  if (order === null) return q`${fn} OVER (${partition})`;
  return q`${fn} OVER (${partition}${order}${order === rows && !cut.startsWith(' ROWS') ? '' : cut})`;
}

// ---- SELECT ----
const as = (type, text) => (chance(50) && !nested(type) && type !== 'bigint' ? text : q`CAST(${text} AS ${castName(type)})`);

function grouped(sc, from, columns, depth) {
  const filter = where(sc, 2);
  const keys = times(rnd(3), () => { const type = pick(['varchar', 'bigint', 'boolean', 'varchar', 'date', 'timestamp', 'double']); const of = ofType(sc.columns, type); return { type, text: chance(50) && of.length > 0 ? q`${pick(of).name}` : value(flat(sc), type, 1) }; })
    // computed doubles differ in their last digits, and make groups of their own
    .filter((k) => (k.type === 'double' ? /^[rtuvw]\d*\.[xy]$/ : /\b[rtuvw]\d*\./).test(textOf(k.text)));
  const items = [], by = [];
  // Known difference: two grouping expressions of which folding constants makes one are one here (CASE WHEN true THEN a END and
  // a), so that each is present in the other's set.  Sets are of columns.
  const sets = keys.length > 0 && chance(30) && keys.every((k) => /^[rtuvw]\d*\.\w+$/.test(textOf(k.text)));
  for (const c of columns) {
    const same = keys.find((k) => k.type === c.type && !k.used);
    if (same !== undefined && chance(70)) {
      same.used = true;
      // in GROUP BY a name is a column of FROM first
      const at = items.length + 1, how = sets ? 0 : rnd(sc.columns.some((f) => f.name.endsWith(`.${c.name}`)) ? 2 : 3);
      items.push(q`${same.text} AS ${c.name}`);
      by.push(how === 0 ? same.text : how === 1 ? String(at) : c.name);
    } else if (sets && c.type === 'bigint' && chance(30)) {
      items.push(q`CAST(GROUPING(${keys[0].text}) AS bigint) AS ${c.name}`);
    } else {
      items.push(q`CAST(${aggregate(sc, c.type, 1)} AS ${castName(c.type)}) AS ${c.name}`);
    }
  }
  for (const k of keys) if (!k.used) by.push(k.text);
  const all = () => list(by, ', ', 1);
  let group = by.length === 0 ? '' : sets ? pick([() => q`ROLLUP (${all()})`, () => q`CUBE (${all()})`, () => q`GROUPING SETS ((${all()}), ())`, () => q`GROUPING SETS (${list(by.map((b) => q`(${b})`))})`, ...(by.length > 1 ? [() => q`${by[0]}, ROLLUP (${list(by.slice(1), ', ', by.length - 1)})`, () => q`GROUPING SETS (CUBE (${all()}), (${by[0]}))`, () => q`ROLLUP ((${list(by, ', ', by.length)}), ${by[0]})`] : [])])() : all();
  // a key that is in a list cut short would be missing from GROUP BY
  if (group !== '') group = q` GROUP BY ${group}`;
  else if (chance(8)) group = ' GROUP BY ()';
  const having = chance(30) ? optional(q` HAVING ${pick([() => q`${aggregate(flat(sc), 'bigint', 1)} ${pick(['>', '<', '<>'])} ${rnd(4)}`, () => q`${aggregate(flat(sc), 'varchar', 1)} IS NOT NULL`])()}`) : '';
  return { text: q`SELECT ${list(items, ', ', items.length)} FROM ${from.text}${filter}${group}${having}`, rows: from.rows, list: columns };
}
// The text of an expression, to see whether it names a column.
function textOf(node) {
  return typeof node === 'object' ? (node.items ?? node.parts).map(textOf).join('') : String(node);
}

export function select(outer, depth, columns) {
  const from = chance(7) && !outer.big ? commaClause({ ...outer, columns: [] }, depth) : fromClause({ ...outer, columns: [] }, depth);
  const sc = { ...outer, columns: from.columns, window: {} };
  if (chance(35)) return grouped(sc, from, columns, depth);
  const order = chance(8) ? totalOrder(sc) : null;
  if (order !== null) sc.window = { name: 'win', over: q`${chance(50) ? q`PARTITION BY ${value(flat(sc), 'varchar', 1)} ` : ''}ORDER BY ${order}` };
  const distinct = chance(15) ? pick(['DISTINCT ', 'DISTINCT ', 'ALL ']) : '';
  if (distinct === 'DISTINCT ') sc.top = false;
  const items = list(columns.map((c) => q`${typed(c.type, q`${as(c.type, chance(order !== null ? 70 : 25) ? windowed(sc, c.type, 1) : value(sc, c.type, 2))}`)}${pick([' AS ', ' AS ', ' '])}${c.name}`), ', ', columns.length);
  return { text: q`SELECT ${distinct}${items} FROM ${from.text}${where(sc, 2)}${order !== null ? q` WINDOW win AS (${sc.window.over})` : ''}`, rows: from.rows, list: columns };
}

const setOperation = () => pick(['UNION', 'UNION ALL', 'UNION DISTINCT', 'INTERSECT', 'INTERSECT ALL', 'EXCEPT', 'EXCEPT ALL', 'INTERSECT DISTINCT']);

// A query with these columns; for set operations every column has just the type it says.
function query(sc, depth, columns) {
  const cast = (text) => q`SELECT ${columns.map((c, i) => q`${i > 0 ? ', ' : ''}CAST(${c.name} AS ${castName(c.type)}) AS ${c.name}`).reduce((a, b) => q`${a}${b}`)} FROM (${text}) AS s${aliases++}`;
  const single = !chance(25);
  const first = select(single ? sc : { ...sc, top: false }, depth, columns);
  let text = first.text, rows = first.rows;
  if (single) return { text, rows };
  text = cast(text);
  do {
    const next = chance(12) ? q`VALUES ${list(times(rnd(3) + 1, () => q`(${columns.map((c, i) => q`${i > 0 ? ', ' : ''}CAST(${chance(15) ? 'NULL' : literal(c.type)} AS ${castName(c.type)})`).reduce((a, b) => q`${a}${b}`)})`))}` : (() => { const more = select({ ...sc, top: false }, depth - 1, columns); rows += more.rows; return cast(more.text); })();
    const op = setOperation();
    text = chance(30) ? typed('query', q`(${text}) ${op} (${next})`) : typed('query', q`${text} ${op} ${next}`);
  } while (chance(30));
  return { text, rows };
}

export function statement(options) {
  aliases = 0;
  usedTables = new Set();
  extreme = options.extreme;
  const sc = { columns: [], sub: options.big ? 0 : 2, ctes: [], big: options.big, top: true };
  const columns = columnList();
  const withs = [];
  if (chance(20)) {
    for (let i = rnd(2) + 1; i > 0; i--) {
      const inner = columnList(), name = `w${withs.length}`;
      const renamed = chance(40);
      const { text, rows } = query({ ...sc, top: false }, 1, inner);
      withs.push(q`${name}${renamed ? `(${inner.map((c, k) => `k${k}`).join(', ')})` : ''} AS (${text})`);
      sc.ctes = [...sc.ctes, { name, rows, columns: renamed ? inner.map((c, k) => ({ name: `k${k}`, type: c.type })) : inner }];
    }
  }
  const ordered = chance(40), cut = ordered && chance(50);
  if (cut && columns.some((c) => c.type === 'double')) sc.top = false;
  let text = options.big ? bigQuery(sc, columns) : query(sc, 2, columns).text;
  const ties = cut && chance(15);
  if (ties) { // of some columns: which rows they are does not hang on the order of others
    const keys = columns.slice(0, rnd(columns.length) + 1).map((c) => `${c.name}${direction()}`).join(', '), n = rnd(5) + 1;
    const inner = q`SELECT * FROM (${text}) AS o`;
    text = dual(q`${inner} ORDER BY ${keys} FETCH ${pick(['FIRST', 'NEXT'])} ${n} ROWS WITH TIES`, q`SELECT ${columns.map((c) => c.name).join(', ')} FROM (SELECT *, rank() OVER (ORDER BY ${keys}) AS rk FROM (${text}) AS o) WHERE rk <= ${n}`);
  } else if (ordered) {
    const names = columns.map((c, i) => `${chance(30) ? i + 1 : c.name}${direction()}`);
    const limit = cut && chance(80) ? rnd(8) : null, offset = cut && (limit === null || chance(40)) ? rnd(4) : null;
    const tail = dual(`${offset !== null ? ` OFFSET ${offset}${pick(['', ' ROWS'])}` : ''}${limit !== null ? pick([` LIMIT ${limit}`, ` LIMIT ${limit}`, ` FETCH FIRST ${limit === 0 ? 1 : limit} ROWS ONLY`]) : pick(['', ' LIMIT ALL'])}`, '');
    const said = /(?:LIMIT|FIRST) (\d+)/.exec(tail.parts[0]);
    tail.there = [`${said !== null ? ` LIMIT ${said[1]}` : ''}${offset !== null ? ` OFFSET ${offset}` : ''}`];
    text = q`${chance(40) ? text : q`SELECT * FROM (${text}) AS o`} ORDER BY ${list(names, ', ', names.length)}${optional(tail)}`;
  }
  if (withs.length > 0) text = q`WITH ${list(withs, ', ', 1)} ${text}`;
  return { node: q`${text}`, columns, ordered: ordered && !ties };
}

// Many rows: one table, no joins but with small ones.
function bigQuery(sc, columns) {
  const alias = `r${aliases++}`;
  let from = { text: q`t AS ${alias}`, columns: columnsOf('t').map((c) => ({ name: `${alias}.${c}`, type: columnTypes[c] })) };
  if (chance(20)) {
    const right = fromItem({ ...sc, sub: 0 }, 0);
    from = { text: q`${from.text} ${pick(['JOIN', 'LEFT JOIN'])} ${right.text} ON ${alias}.time = ${ofType(right.columns, 'timestamp')[0]?.name ?? `${alias}.time`} AND ${alias}.a = ${ofType(right.columns, 'varchar')[0]?.name ?? "'p'"}`, columns: [...from.columns, ...right.columns] };
  }
  const inner = { ...sc, columns: from.columns, window: {} };
  if (chance(65)) return grouped(inner, from, columns, 1).text;
  const distinct = chance(30);
  if (distinct) inner.top = false;
  return q`SELECT ${distinct ? 'DISTINCT ' : ''}${list(columns.map((c) => q`${as(c.type, chance(25) ? windowed(inner, c.type, 1) : value(inner, c.type, 1))} AS ${c.name}`), ', ', columns.length)} FROM ${from.text}${where(inner, 2)}`;
}
