/** jinja2's filters. Those for pages and chance (`urlize`, `xmlattr`, `random`) are not there. */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { formatPercent } from './format.ts';
import { jsonOptions, toJson } from './json.ts';
import { attributeOf, itemOf, positional } from './members.ts';
import { rounded, toFloat, toInteger } from './numbers.ts';
import { arithmetic } from './operators.ts';
import { joined, replaced, stringMethod, strip, withoutTags } from './strings.ts';
import { applyTest } from './tests.ts';
import {
  characters,
  compare,
  count,
  Dict,
  defined,
  equal,
  Generator,
  isNumber,
  iterate,
  List,
  lengthOf,
  type Named,
  represent,
  string,
  Tuple,
  text,
  truth,
  typeName,
  Undefined,
  type Value,
} from './values.ts';
import { fileSize, wrapped } from './wrap.ts';

/** A filter with the names of its parameters, whose values come in their order; `undefined` for one that is not given. */
interface Filter {
  readonly parameters: readonly string[];
  readonly apply: (value: Value, args: readonly (Value | undefined)[]) => Value;
}

const filter = (parameters: string, apply: Filter['apply']): Filter => ({
  parameters: parameters === '' ? [] : parameters.split(' '),
  apply,
});

const lowered = (value: Value): Value => (typeof value === 'string' ? value.toLowerCase() : value);

/** The value at a path such as `a.0.b`. */
function at(value: Value, path: Value, fallback: Value = null): Value {
  const parts = typeof path === 'bigint' ? [path] : string(path, 'an attribute').split('.');
  let found = value;
  for (const part of parts) {
    const key = typeof part === 'string' && /^\d+$/.test(part) ? BigInt(part) : part;
    found = itemOf(found, key);
    if (found instanceof Undefined && fallback !== null) return fallback;
  }
  return found;
}

/** What things are compared by: an attribute or several, and strings without regard to case. */
function keyOf(attribute: Value | undefined, caseSensitive: boolean): (value: Value) => Value {
  const fold = caseSensitive ? (value: Value) => value : lowered;
  if (attribute === undefined || attribute === null) return fold;
  const paths: Value[] = typeof attribute === 'string' ? attribute.split(',') : [attribute];
  if (paths.length === 1) return (value) => fold(at(value, paths[0]));
  return (value) => new List(paths.map((path) => fold(at(value, path))));
}

function sorted(values: readonly Value[], key: (value: Value) => Value, reverse: boolean): Value[] {
  const keyed = values.map((value) => [key(value), value] as const);
  keyed.sort(([a], [b]) => (reverse ? compare(b, a) : compare(a, b)));
  return keyed.map(([, value]) => value);
}

function extreme(sign: 1 | -1): Filter {
  return filter('case_sensitive attribute', (value, [caseSensitive = false, attribute]) => {
    const key = keyOf(attribute, truth(caseSensitive));
    let best: Value | undefined;
    for (const item of iterate(value)) {
      if (best === undefined || sign * compare(key(item), key(best)) > 0) best = item;
    }
    return best === undefined ? new Undefined('the largest or smallest of nothing') : best;
  });
}

/** Groups of equal keys in order of the keys. */
function grouped(value: Value, attribute: Value, fallback: Value | undefined, caseSensitive: boolean): List {
  const plain = (item: Value) => at(item, attribute, fallback ?? null);
  const key = (item: Value) => (caseSensitive ? plain(item) : lowered(plain(item)));
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(iterate(value), key, false)) {
    const last = groups.at(-1);
    if (last !== undefined && equal(key(last.items[0]), key(item))) last.items.push(item);
    else groups.push({ key: plain(item), items: [item] });
  }
  return new List(groups.map((group) => new Tuple([group.key, new List(group.items)], ['grouper', 'list'])));
}

function indented(source: string, width: Value, first: boolean, blank: boolean): string {
  const step = typeof width === 'string' ? width : ' '.repeat(Math.min(100_000, Math.max(0, count(width, 'a width'))));
  // The reference puts a line break behind, so that a last empty line is one.
  const lines = source.split('\n');
  spendText(source.length + lines.length * step.length);
  const rest = lines.slice(1).map((line) => (line !== '' || blank ? step + line : line));
  return (first ? step : '') + [lines[0], ...rest].join('\n');
}

function batches(values: readonly Value[], size: number, fill: Value | undefined): Generator {
  if (size < 1) throw new JinjaError('a batch has at least one element');
  const rows: Value[][] = [];
  for (let i = 0; i < values.length; i += size) rows.push(values.slice(i, i + size));
  const last = rows.at(-1);
  if (last !== undefined && fill !== undefined && fill !== null) {
    spendSteps(size - last.length);
    while (last.length < size) last.push(fill);
  }
  return new Generator(rows.map((row) => new List(row)));
}

function columns(values: readonly Value[], number: number, fill: Value | undefined): Generator {
  if (number < 1) throw new JinjaError('there is at least one slice');
  spendSteps(number);
  const [size, extra] = [Math.floor(values.length / number), values.length % number];
  let offset = 0;
  return new Generator(
    Array.from({ length: number }, (_, i) => {
      const end = offset + size + (i < extra ? 1 : 0);
      const part = values.slice(offset, end);
      offset = end;
      if (fill !== undefined && fill !== null && i >= extra) part.push(fill);
      return new List(part);
    }),
  );
}

function truncated(source: string, length: number, whole: boolean, end: string, leeway: number): string {
  const list = characters(source);
  if (list.length <= length + leeway) return source;
  const cut = list.slice(0, Math.max(0, length - lengthOf(end))).join('');
  if (whole) return cut + end;
  const space = cut.lastIndexOf(' ');
  return (space < 0 ? cut : cut.slice(0, space)) + end;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};
const escapeHtml = filter('', (value) => {
  spendText(5 * text(value).length);
  return text(value).replace(/[&<>'"]/g, (character) => ENTITIES[character] ?? character);
});

/** A filter that is a method of strings, of whatever is printed. */
const method = (name: string, parameters = ''): Filter =>
  filter(
    parameters,
    (value, args) =>
      stringMethod(name)?.(
        text(value),
        args.map((arg) => arg ?? null),
      ) ?? null,
  );

function urlEncoded(part: string): string {
  spendText(3 * part.length);
  const encoded = encodeURIComponent(part.replace(/\p{Surrogate}/gu, '\ufffd'));
  return encoded.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

const orDefault = filter('default_value boolean', (value, [fallback = '', boolean = false]) =>
  value instanceof Undefined || (truth(boolean) && !truth(value)) ? fallback : value,
);
const size = filter('', (value) => BigInt(lengthOf(value)));
const one = (value: Value | undefined, which: string): Value =>
  value === undefined ? new Undefined(`the ${which} element of nothing`) : value;

const FILTERS: Readonly<Record<string, Filter>> = {
  abs: filter('', (value) => {
    if (!isNumber(value)) throw new JinjaError(`a ${typeName(defined(value))} has no absolute value`);
    return typeof value === 'number' ? Math.abs(value) : BigInt(value) < 0n ? -BigInt(value) : BigInt(value);
  }),
  attr: filter('name', (value, [name = null]) => {
    const found = attributeOf(value, string(name, 'an attribute'));
    return value instanceof Dict && value.get(name) === found ? new Undefined(`${text(name)} of a dict`) : found;
  }),
  batch: filter('linecount fill_with', (value, [n = null, fill]) => batches(iterate(value), count(n, 'a batch'), fill)),
  capitalize: method('capitalize'),
  center: filter('width', (value, [width = 80n]) => stringMethod('center')?.(text(value), [width]) ?? null),
  count: size,
  d: orDefault,
  default: orDefault,
  dictsort: filter('case_sensitive by reverse', (value, [caseSensitive = false, by = 'key', reverse = false]) => {
    if (!(value instanceof Dict)) throw new JinjaError(`a ${typeName(defined(value))} is no dict`);
    if (by !== 'key' && by !== 'value') throw new JinjaError('a dict is sorted by key or by value');
    const pairs = Array.from(value.entries.values(), (pair) => new Tuple(pair));
    const fold = truth(caseSensitive) ? (item: Value) => item : lowered;
    const key = (pair: Value) => fold(pair instanceof Tuple ? pair.items[by === 'key' ? 0 : 1] : pair);
    return new List(sorted(pairs, key, truth(reverse)));
  }),
  e: escapeHtml,
  escape: escapeHtml,
  filesizeformat: filter('binary', (value, [binary = false]) => {
    const bytes = toFloat(value, null);
    if (typeof bytes !== 'number') throw new JinjaError(`a ${typeName(defined(value))} is no number of bytes`);
    return fileSize(bytes, truth(binary));
  }),
  first: filter('', (value) => one(value instanceof Generator ? value.next() : iterate(value)[0], 'first')),
  float: filter('default', (value, [fallback = 0]) => toFloat(value, fallback)),
  forceescape: escapeHtml,
  groupby: filter('attribute default case_sensitive', (value, [attribute = null, fallback, caseSensitive = false]) =>
    grouped(value, attribute, fallback, truth(caseSensitive)),
  ),
  indent: filter('width first blank', (value, [width = 4n, first = false, blank = false]) =>
    indented(text(value), width, truth(first), truth(blank)),
  ),
  int: filter('default base', (value, [fallback = 0n, base = 10n]) => toInteger(value, fallback, base)),
  items: filter('', (value) => {
    if (value instanceof Undefined) return new Generator([]);
    if (!(value instanceof Dict)) throw new JinjaError(`a ${typeName(value)} has no items`);
    return new Generator(Array.from(value.entries.values(), (pair) => new Tuple(pair)));
  }),
  join: filter('d attribute', (value, [separator = '', attribute]) => {
    const items = iterate(value);
    const parts = attribute === undefined || attribute === null ? items : items.map((item) => at(item, attribute));
    return joined(text(separator), parts.map(text));
  }),
  last: filter('', (value) => one(iterate(value).at(-1), 'last')),
  length: size,
  list: filter('', (value) => new List(iterate(value))),
  lower: method('lower'),
  max: extreme(1),
  min: extreme(-1),
  pprint: filter('', represent),
  replace: filter('old new count', (value, [from = null, to = null, limit]) =>
    replaced(text(value), text(from), text(to), limit),
  ),
  reverse: filter('', (value) =>
    typeof value === 'string'
      ? characters(value).toReversed().join('')
      : value instanceof Generator
        ? new List(value.rest().toReversed())
        : new Generator(iterate(value).toReversed()),
  ),
  round: filter('precision method', (value, [precision = 0n, how = 'common']) =>
    rounded(value, count(precision, 'a precision'), string(how, 'a method')),
  ),
  safe: filter('', text),
  slice: filter('slices fill_with', (value, [n = null, fill]) => columns(iterate(value), count(n, 'the slices'), fill)),
  sort: filter(
    'reverse case_sensitive attribute',
    (value, [reverse = false, caseSensitive = false, attribute]) =>
      new List(sorted(iterate(value), keyOf(attribute, truth(caseSensitive)), truth(reverse))),
  ),
  string: filter('', text),
  striptags: filter('', (value) => {
    return strip(withoutTags(text(value)).replace(/\s+/g, ' '), undefined, true, true);
  }),
  sum: filter('attribute start', (value, [attribute, start = 0n]) =>
    iterate(value).reduce(
      (sum, item) => arithmetic(sum, attribute === undefined || attribute === null ? item : at(item, attribute), '+'),
      start,
    ),
  ),
  title: filter('', (value) =>
    text(value).replace(/[^-\s({[<]+/gu, (word) => {
      const [first] = word;
      return first.toUpperCase() + word.slice(first.length).toLowerCase();
    }),
  ),
  tojson: filter('ensure_ascii indent separators sort_keys', (value, args) =>
    toJson(value, jsonOptions(args.map((arg) => arg ?? undefined) as Value[])),
  ),
  trim: filter('chars', (value, [set]) => strip(text(value), set, true, true)),
  truncate: filter('length killwords end leeway', (value, [length = 255n, whole = false, end = '...', leeway = 5n]) =>
    truncated(text(value), count(length, 'a length'), truth(whole), string(end, 'the end'), count(leeway, 'a leeway')),
  ),
  unique: filter('case_sensitive attribute', (value, [caseSensitive = false, attribute]) => {
    const key = keyOf(attribute, truth(caseSensitive));
    const seen = new Dict();
    return new Generator(
      iterate(value).filter((item) => {
        const name = key(item);
        if (seen.get(name) !== undefined) return false;
        seen.set(name, true);
        return true;
      }),
    );
  }),
  upper: method('upper'),
  urlencode: filter('', (value) => {
    if (typeof value === 'string' || isNumber(value)) return urlEncoded(text(value)).replaceAll('%2F', '/');
    const pairs = value instanceof Dict ? [...value.entries.values()] : iterate(defined(value)).map(iterate);
    return pairs.map((pair) => pair.map((part) => urlEncoded(text(part)).replaceAll('%20', '+')).join('=')).join('&');
  }),
  wordcount: filter('', (value) => BigInt((text(value).match(/[\p{L}\p{N}_]+/gu) ?? []).length)),
  wordwrap: filter(
    'width break_long_words wrapstring break_on_hyphens',
    (value, [width = 79n, breakLongWords = true, end = null, breakOnHyphens = true]) => {
      const wrapping = {
        width: count(width, 'a width'),
        breakLongWords: truth(breakLongWords),
        breakOnHyphens: truth(breakOnHyphens),
      };
      const lines = iterate(stringMethod('splitlines')?.(text(value), []) ?? null);
      const rows = lines.map((line) => wrapped(text(line), wrapping));
      // A line without words stays a line.
      const out = rows.flatMap((row) => (row.length === 0 ? [''] : row));
      return joined(end === null ? '\n' : text(end), out);
    },
  ),
};

/** Filters that are not in the table. */
const OTHERS: ReadonlySet<Value> = new Set(['map', 'format', 'select', 'reject', 'selectattr', 'rejectattr']);

/** {@link applyTest}, and the test that asks for a filter. */
export function holdsTest(name: string, value: Value, args: readonly Value[]): boolean {
  if (name !== 'filter') return applyTest(name, value, args[0] ?? null);
  return typeof value === 'string' && (OTHERS.has(value) || Object.hasOwn(FILTERS, value));
}

/** `select`, `reject` and their like, which take another filter or a test with its arguments. */
function chosen(name: string, value: Value, args: readonly Value[]): Value {
  const byAttribute = name.endsWith('attr');
  const wanted = name.startsWith('select');
  const [attribute = null, ...rest] = byAttribute ? args : [null, ...args];
  if (byAttribute && attribute === null) throw new JinjaError(`${name} needs an attribute`);
  const [test, ...testArgs] = rest;
  return new Generator(
    (value === null ? [] : iterate(value)).filter((item) => {
      const subject = byAttribute ? at(item, attribute) : item;
      const holds = test === undefined ? truth(subject) : holdsTest(string(test, 'a test'), subject, testArgs);
      return holds === wanted;
    }),
  );
}

function mapped(value: Value, args: readonly Value[], named: Named): Value {
  const attribute = named.get('attribute');
  const items = value === null ? [] : iterate(value);
  if (args.length === 0 && attribute !== undefined) {
    const fallback = named.get('default');
    return new Generator(items.map((item) => at(item, attribute, fallback ?? null)));
  }
  const [name, ...rest] = args;
  return new Generator(items.map((item) => applyFilter(string(name ?? null, 'a filter'), item, rest, named)));
}

const WITH_OTHERS: ReadonlySet<string> = new Set(['select', 'reject', 'selectattr', 'rejectattr']);

/** What a filter makes of a value. Throws {@link JinjaError}. */
export function applyFilter(name: string, value: Value, args: readonly Value[], named: Named): Value {
  spendSteps();
  if (name === 'map') return mapped(value, args, named);
  if (WITH_OTHERS.has(name)) return chosen(name, value, args);
  if (name === 'format') return formatPercent(text(value), named.size > 0 ? new Dict(named) : new Tuple(args));
  const known = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
  if (known === undefined) throw new JinjaError(`there is no filter named ${name}`);
  const { parameters, apply } = known;
  if (args.length > parameters.length) throw new JinjaError(`the filter ${name} has too many arguments`);
  if (named.size === 0) return apply(value, args);
  for (const key of named.keys())
    if (!parameters.includes(key)) positional(`the filter ${name}`, parameters, args, named);
  return apply(
    value,
    parameters.map((parameter, i) => (named.has(parameter) ? named.get(parameter) : args[i])),
  );
}
