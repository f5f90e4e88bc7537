/** What stands behind a dot or in brackets: methods, entries, elements and slices. */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { formatBraces } from './format.ts';
import { STRING_PARAMETERS, stringMethod } from './strings.ts';
import {
  Bytes,
  Callable,
  characters,
  count,
  Dict,
  defined,
  equal,
  isSequence,
  iterate,
  List,
  type Named,
  Namespace,
  Range,
  sliceBounds,
  sliceIndices,
  string,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from './values.ts';

/** Methods that change their object: transformers renders in a sandbox that does not let templates do so. */
const CHANGING: ReadonlySet<string> = new Set(
  'append clear extend insert pop popitem remove reverse setdefault sort update'.split(' '),
);

/** Arguments by position, with those given by name in their places. */
export function positional(what: string, names: readonly string[], args: readonly Value[], named: Named): Value[] {
  const all = [...args];
  for (const [name, value] of named) {
    const at = names.indexOf(name);
    if (at < 0 || at < args.length) throw new JinjaError(`${what} takes no argument ${name} here`);
    all[at] = value;
  }
  return Array.from(all, (value) => value ?? null);
}

const memberOf = (object: Value, key: Value, attribute: boolean): Value =>
  attribute ? attributeOf(object, String(key)) : itemOf(object, key);

function textMethod(text: string, name: string): Value | undefined {
  if (name === 'format_map') {
    return new Callable(name, ([map = null]) => {
      if (!(map instanceof Dict)) throw new JinjaError('format_map takes a dict');
      const entries = Array.from(map.entries.values(), ([key, value]) => [String(key), value] as const);
      return formatBraces(text, [], new Map(entries), memberOf);
    });
  }
  if (name === 'format') {
    return new Callable(name, (args, named) => formatBraces(text, args, named, memberOf));
  }
  const method = stringMethod(name);
  if (method === undefined) return undefined;
  return new Callable(name, (args, named) => {
    const all = named.size === 0 ? args : positional(name, STRING_PARAMETERS[name] ?? [], args, named);
    const result = method(text, all);
    if (typeof result === 'string') spendText(result.length);
    return result;
  });
}

function sequenceMethod(items: readonly Value[], name: string): Value | undefined {
  switch (name) {
    case 'index':
      return new Callable(name, ([value]) => {
        const at = items.findIndex((item) => equal(item, value));
        if (at < 0) throw new JinjaError('the value is not in the list');
        return BigInt(at);
      });
    case 'count':
      return new Callable(name, ([value]) => BigInt(items.filter((item) => equal(item, value)).length));
    case 'copy':
      return new Callable(name, () => new List(items));
  }
  return undefined;
}

function dictMethod(dict: Dict, name: string): Value | undefined {
  const view = (of: View['of'], part: (entry: readonly [Value, Value]) => Value) =>
    new Callable(name, () => {
      spendSteps(dict.entries.size);
      return new View(of, Array.from(dict.entries.values(), part));
    });
  switch (name) {
    case 'get':
      return new Callable(name, ([key, fallback = null]) => {
        const value = dict.get(key);
        return value === undefined ? fallback : value;
      });
    case 'items':
      return view(name, ([key, value]) => new Tuple([key, value]));
    case 'keys':
      return view(name, ([key]) => key);
    case 'values':
      return view(name, ([, value]) => value);
    case 'copy':
      return new Callable(name, () => new Dict(dict.entries.values()));
  }
  return undefined;
}

function methodOf(object: Value, name: string): Value | undefined {
  if (typeof object === 'string') return textMethod(object, name);
  if (
    (object instanceof List || object instanceof Dict) &&
    CHANGING.has(name) &&
    !(object instanceof List && name.endsWith('item'))
  ) {
    return new Callable(name, () => {
      throw new JinjaError(`${name}() changes a ${typeName(object)}, which templates may not do`);
    });
  }
  if (object instanceof Dict) return dictMethod(object, name);
  if (object instanceof Range && (name === 'start' || name === 'stop' || name === 'step')) return BigInt(object[name]);
  if (object instanceof Tuple && object.names.includes(name)) return object.items[object.names.indexOf(name)];
  if (isSequence(object)) return sequenceMethod(object.items, name);
  if (object instanceof Bytes && name === 'decode')
    return new Callable(name, ([encoding = 'utf-8']) => object.decoded(string(encoding, 'an encoding')));
  if (object instanceof Namespace) return object.members.get(name);
  return object instanceof Callable ? object.member?.(name) : undefined;
}

const missing = (object: Value, name: string): Undefined => new Undefined(`${name} of a ${typeName(object)}`);

/** `object.name`: a method, else an entry. */
export function attributeOf(object: Value, name: string): Value {
  defined(object);
  const method = methodOf(object, name);
  if (method !== undefined) return method;
  const entry = object instanceof Dict ? object.get(name) : undefined;
  return entry === undefined ? missing(object, name) : entry;
}

/** `object[key]`: an entry or an element, else a method. */
export function itemOf(object: Value, key: Value): Value {
  defined(object);
  if (object instanceof Dict) {
    const entry = key instanceof List || key instanceof Dict ? undefined : object.get(key);
    if (entry !== undefined) return entry;
  } else if (typeof key === 'bigint' || typeof key === 'boolean') {
    const items =
      typeof object === 'string'
        ? characters(object)
        : object instanceof Bytes
          ? iterate(object)
          : isSequence(object)
            ? object.items
            : [];
    const value = items.at(count(key, 'an index'));
    return value === undefined ? missing(object, `element ${key}`) : value;
  }
  const found = typeof key === 'string' ? methodOf(object, key) : undefined;
  return found === undefined ? missing(object, String(key)) : found;
}

export function sliceOf(object: Value, start: Value, stop: Value, step: Value): Value {
  const whole = defined(object);
  if (typeof whole === 'string') {
    const list = characters(whole);
    return sliceIndices(list.length, start, stop, step)
      .map((i) => list[i])
      .join('');
  }
  if (whole instanceof Range) {
    const [from, to, by] = sliceBounds(whole.items.length, start, stop, step);
    return new Range(whole.start + from * whole.step, whole.start + to * whole.step, by * whole.step);
  }
  if (!isSequence(whole)) throw new JinjaError(`a ${typeName(whole)} cannot be sliced`);
  const items = sliceIndices(whole.items.length, start, stop, step).map((i) => whole.items[i]);
  return whole instanceof List ? new List(items) : new Tuple(items);
}
