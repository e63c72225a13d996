// Statements as trees of text, so that a failing one can be cut down; and random numbers that are the same everywhere.

// ---- random numbers ----
let state = 1;
export function seedWith(n) {
  state = (Math.imul(n >>> 0, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  for (let i = 0; i < 4; i++) next();
}
function next() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}
export const rnd = (n) => next() % n;
export const chance = (percent) => rnd(100) < percent;
export const pick = (list) => list[rnd(list.length)];
export const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));
export function shuffle(list) {
  for (let i = list.length - 1; i > 0; i--) {
    const k = rnd(i + 1);
    [list[i], list[k]] = [list[k], list[i]];
  }
  return list;
}

// ---- trees ----
// parts: texts and nodes; there: other parts for the other program, where the dialects differ.  type: what may stand for
// the node while it is cut down.  A node with `items` is a list of which single items may go, down to `least`.
class Node {
  constructor(parts, there) {
    this.parts = parts;
    this.there = there;
    this.type = null;
    this.optional = false;
    this.gone = false;
    this.swap = null;
  }
}
export const q = (strings, ...values) => new Node(strings.raw.flatMap((s, i) => (i < values.length ? [s, values[i]] : [s])).filter((p) => p !== ''));
export const dual = (here, there) => new Node([here], [there]);
export const optional = (node) => { node.optional = true; return node; };
export const typed = (type, node) => {
  const out = node instanceof Node && node.type === null ? node : new Node([node]);
  out.type = type;
  return out;
};
export function list(items, sep = ', ', least = 1) {
  const node = new Node([]);
  node.items = items.map((item) => new Node([item]));
  node.sep = sep;
  node.least = least;
  return node;
}

const liveItems = (node) => node.items.filter((item) => !item.gone);
export function render(node, here) {
  if (!(node instanceof Node)) return String(node);
  if (node.gone) return '';
  if (node.swap !== null) return render(node.swap, here);
  if (node.items) return liveItems(node).map((item) => render(item, here)).join(node.sep);
  return (here || node.there === undefined ? node.parts : node.there).map((part) => render(part, here)).join('');
}

// Every node that is part of the text, outer ones first.
function walk(node, out = []) {
  if (!(node instanceof Node) || node.gone || out.includes(node)) return out;
  out.push(node);
  if (node.swap !== null) return walk(node.swap, out);
  for (const part of node.items ?? node.parts) walk(part, out);
  for (const part of node.there ?? []) walk(part, out);
  return out;
}

const stand_ins = {
  bigint: ['0', 'CAST(NULL AS bigint)'], double: ['0e0', 'CAST(NULL AS double)'], varchar: ["''", 'CAST(NULL AS varchar)'],
  boolean: ['true', 'false', 'CAST(NULL AS boolean)'], timestamp: ["TIMESTAMP '2024-05-01 10:40:00'", 'CAST(NULL AS timestamp)'], date: ["DATE '2024-05-01'"],
};

// Cuts node down as long as fails() says that what is left still fails.
export async function reduce(node, fails, tries = 600) {
  const attempt = async (apply, undo) => {
    if (tries-- <= 0) return false;
    const before = render(node, true);
    apply();
    if (render(node, true) !== before && await fails()) return true;
    undo();
    return false;
  };
  for (let progress = true; progress && tries > 0;) {
    progress = false;
    for (const part of walk(node)) {
      if (part.gone || part.swap !== null) continue;
      if (part.optional && await attempt(() => { part.gone = true; }, () => { part.gone = false; })) { progress = true; continue; }
      if (part.items) {
        for (const item of part.items) {
          if (item.gone || liveItems(part).length <= part.least) continue;
          if (await attempt(() => { item.gone = true; }, () => { item.gone = false; })) progress = true;
        }
      }
      if (part.type === null) continue;
      const inner = walk(part).slice(1).filter((p) => p.type === part.type && p !== part);
      const candidates = [...(stand_ins[part.type] ?? []).map((text) => new Node([text])), ...inner.slice(0, 6)];
      for (const candidate of candidates) {
        if (render(candidate, true).length >= render(part, true).length) continue;
        if (await attempt(() => { part.swap = candidate; }, () => { part.swap = null; })) { progress = true; break; }
      }
    }
  }
}
