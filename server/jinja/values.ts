/**
 * Python's values, as far as templates have them. Whole numbers are `bigint` and floats `number`, so that `1` and `1.0` print
 * as themselves; None is `null`.
 */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { JsonNumber } from './json-text.ts';

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Undefined
  | List
  | Tuple
  | Range
  | View
  | Generator
  | Bytes
  | Dict
  | Namespace
  | Callable;

/** A name or a member that is not there: prints as nothing, and most other uses of it are errors. */
export class Undefined {
  constructor(readonly what: string) {}
}
export class List {
  constructor(readonly items: readonly Value[]) {}
}
export class Tuple {
  constructor(
    readonly items: readonly Value[],
    /** Of a named tuple. */
    readonly names: readonly string[] = [],
  ) {}
}
/** What `range()` makes: a sequence that prints as it was asked for. */
export class Range {
  readonly items: readonly Value[];
  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {
    const length = Math.max(0, Math.ceil((stop - start) / step));
    this.items = Array.from({ length }, (_, i) => BigInt(start + i * step));
  }
}
/** What `keys()`, `values()` and `items()` of a dict make: to be looped over and counted, but without places. */
export class View {
  constructor(
    readonly of: 'keys' | 'values' | 'items',
    readonly items: readonly Value[],
  ) {}
}
/** What `map`, `select` and their like make: something that can be looped over once, and is true even if nothing is in it. */
export class Generator {
  private at = 0;
  constructor(private readonly items: readonly Value[]) {}
  /** The next element, or all that are left. */
  next(): Value | undefined {
    return this.items[this.at++];
  }
  rest(): readonly Value[] {
    const left = this.at === 0 ? this.items : this.items.slice(this.at);
    this.at = this.items.length;
    return left;
  }
}
/** What `encode()` makes of a string. */
export class Bytes {
  constructor(readonly data: Uint8Array) {}

  static of(text: string, encoding: string): Bytes {
    const name = encodingOf(encoding);
    const limit = name === 'ascii' ? 0x7f : 0xff;
    if (name !== 'utf8' && [...text].some((character) => (character.codePointAt(0) ?? 0) > limit))
      throw new JinjaError(`a character is not in ${encoding}`);
    spendText(3 * text.length);
    return new Bytes(Buffer.from(text, name === 'utf8' ? 'utf8' : 'latin1'));
  }

  decoded(encoding: string): string {
    const name = encodingOf(encoding);
    if (name !== 'utf8') return Buffer.from(this.data).toString('latin1');
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.data);
    } catch {
      throw new JinjaError('the bytes are not UTF-8');
    }
  }
}

function encodingOf(name: string): 'utf8' | 'ascii' | 'latin1' {
  const plain = name.toLowerCase().replace(/[-_ ]/g, '');
  if (plain === 'utf8' || plain === 'ascii' || plain === 'latin1') return plain;
  throw new JinjaError(`the encoding ${name} is not known here`);
}
/** In order of insertion; `1`, `1.0` and `True` are one key. */
export class Dict {
  readonly entries = new Map<string, readonly [key: Value, value: Value]>();

  constructor(pairs: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of pairs) this.set(key, value);
  }

  set(key: Value, value: Value): void {
    const hash = hashOf(key);
    this.entries.set(hash, [this.entries.get(hash)?.[0] ?? key, value]);
  }

  get(key: Value): Value | undefined {
    return this.entries.get(hashOf(key))?.[1];
  }
}
/** What `namespace()` makes: its members can be assigned to from inside of loops. */
export class Namespace {
  readonly members = new Map<string, Value>();
}
export type Named = ReadonlyMap<string, Value>;
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: readonly Value[], named: Named) => Value,
    /** Of `loop`, which can be called in recursive loops only. */
    readonly member?: (name: string) => Value | undefined,
  ) {}
}

/** A value of JSON, or of the program. Throws for what is neither. */
export function fromJson(value: unknown): Value {
  spendSteps();
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (value === undefined) return null;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return new List(value.map(fromJson));
  if (value instanceof JsonNumber) return value.value;
  if (typeof value !== 'object') throw new JinjaError(`a ${typeof value} cannot be given to a template`);
  return new Dict(Object.entries(value).map(([key, item]) => [key, fromJson(item)] as const));
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'string':
      return 'str';
  }
  if (value instanceof View) return `dict_${value.of}`;
  return value instanceof Callable ? 'function' : value.constructor.name.toLowerCase();
}

/** What has places that can be counted and cut. */
export type Sequence = List | Tuple | Range;
export const isSequence = (value: Value): value is Sequence =>
  value instanceof List || value instanceof Tuple || value instanceof Range;

export const isNumber = (value: Value): value is number | bigint | boolean =>
  typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';

/** The key of a dict's entry. */
function hashOf(value: Value): string {
  if (typeof value === 'string') return `s${value}`;
  if (typeof value === 'number') return Number.isInteger(value) ? `n${BigInt(value)}` : `f${value}`;
  if (typeof value === 'bigint' || typeof value === 'boolean') return `n${BigInt(value)}`;
  if (value === null) return 'N';
  if (value instanceof Tuple) {
    spendSteps(value.items.length);
    return `t${JSON.stringify(value.items.map(hashOf))}`;
  }
  throw new JinjaError(`a ${typeName(value)} cannot be a key`);
}

/** Fails as any use of a missing value does, but for those that have a meaning. */
export function defined<T extends Value>(value: T): Exclude<T, Undefined> {
  if (value instanceof Undefined) throw new JinjaError(`${value.what} is not defined`);
  return value as Exclude<T, Undefined>;
}

export function truth(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (isSequence(value) || value instanceof View) return value.items.length > 0;
  if (value instanceof Dict) return value.entries.size > 0;
  if (value instanceof Bytes) return value.data.length > 0;
  return typeof value === 'object' ? true : Boolean(value);
}

export function equal(a: Value, b: Value): boolean {
  spendSteps();
  if (isNumber(a) && isNumber(b))
    return Number(a) === Number(b) && (typeof a === 'number' || typeof b === 'number' || BigInt(a) === BigInt(b));
  if (a instanceof Undefined) return b instanceof Undefined;
  if (isSequence(a) && isSequence(b) && a.constructor === b.constructor) {
    return a.items.length === b.items.length && a.items.every((item, i) => equal(item, b.items[i]));
  }
  if (a instanceof Dict && b instanceof Dict) {
    if (a.entries.size !== b.entries.size) return false;
    for (const [hash, [, value]] of a.entries) {
      const other = b.entries.get(hash);
      if (other === undefined || !equal(value, other[1])) return false;
    }
    return true;
  }
  return a === b;
}

/** Python strings are in order of code points, JavaScript's in order of UTF-16 units. */
function compareText(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const [xHigh, yHigh] = [x >= 0xd800 && x < 0xe000, y >= 0xd800 && y < 0xe000];
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}

/** Less than 0 where `a` comes before `b`. Throws where Python cannot compare them. */
export function compare(a: Value, b: Value): number {
  spendSteps();
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [typeof a === 'boolean' ? BigInt(a) : a, typeof b === 'boolean' ? BigInt(b) : b];
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if ((a instanceof List && b instanceof List) || (a instanceof Tuple && b instanceof Tuple)) {
    for (let i = 0; i < Math.min(a.items.length, b.items.length); i++) {
      if (!equal(a.items[i], b.items[i])) return compare(a.items[i], b.items[i]);
    }
    return a.items.length - b.items.length;
  }
  throw new JinjaError(`a ${typeName(defined(a))} cannot be compared with a ${typeName(defined(b))}`);
}

/** The characters of a string as Python counts them. */
export function characters(text: string): readonly string[] {
  spendSteps(text.length);
  return [...text];
}

/** What a loop runs over. */
export function iterate(value: Value): readonly Value[] {
  if (isSequence(value) || value instanceof View) return value.items;
  if (value instanceof Generator) return value.rest();
  if (typeof value === 'string') return characters(value);
  if (value instanceof Bytes) return Array.from(value.data, BigInt);
  if (value instanceof Dict) return Array.from(value.entries.values(), ([key]) => key);
  if (value instanceof Undefined) return [];
  throw new JinjaError(`a ${typeName(value)} cannot be iterated over`);
}

export function lengthOf(value: Value): number {
  if (typeof value === 'string') return /[\ud800-\udbff]/.test(value) ? characters(value).length : value.length;
  if (value instanceof Generator) throw new JinjaError('a generator has no length: make a list of it with |list');
  return iterate(value).length;
}

export function contains(container: Value, value: Value): boolean {
  if (typeof container === 'string') {
    if (typeof value !== 'string') throw new JinjaError(`a ${typeName(value)} cannot be in a string`);
    spendSteps(1 + container.length / 1000);
    return container.includes(value);
  }
  if (container instanceof Dict) return !(value instanceof Undefined) && container.get(value) !== undefined;
  return iterate(container).some((item) => equal(item, value));
}

export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [digits, exponent] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < 16)) {
    if (Number.isInteger(value)) return `${BigInt(value)}.0`;
    const text = String(value);
    return text.includes('e') ? value.toFixed(Math.max(0, digits.replace(/[-.]/g, '').length - 1 - power)) : text;
  }
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const QUOTED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A string as Python would write it in a program. */
export function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/[\\\n\r\t]|['"]|[\p{C}\p{Z}]/gu, (character) => {
    if (character === ' ') return character;
    if (character === '"' || character === "'") return character === quote ? `\\${character}` : character;
    const known = QUOTED[character];
    if (known !== undefined) return known;
    const code = character.codePointAt(0) ?? 0;
    const [letter, width] = code < 0x100 ? ['x', 2] : code < 0x1_0000 ? ['u', 4] : ['U', 8];
    return `\\${letter}${code.toString(16).padStart(Number(width), '0')}`;
  });
  spendText(inner.length);
  return `${quote}${inner}${quote}`;
}

function bytesText(data: Uint8Array): string {
  const latin = Buffer.from(data).toString('latin1');
  const quote = latin.includes("'") && !latin.includes('"') ? '"' : "'";
  const inner = latin.replace(/[^ -~]|[\\'"]/g, (character) => {
    if (character === '"' || character === "'") return character === quote ? `\\${character}` : character;
    return QUOTED[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  spendText(inner.length);
  return `b${quote}${inner}${quote}`;
}

/** As `repr()` prints it. */
export function represent(value: Value): string {
  spendSteps();
  if (typeof value === 'string') return quoted(value);
  if (value === null) return 'None';
  switch (typeof value) {
    case 'boolean':
      return value ? 'True' : 'False';
    case 'bigint':
      return String(value);
    case 'number':
      return floatText(value);
  }
  const joined = (items: readonly string[]): string => {
    spendText(items.reduce((n, item) => n + item.length + 2, 0));
    return items.join(', ');
  };
  if (value instanceof List) return `[${joined(value.items.map(represent))}]`;
  if (value instanceof Tuple) {
    return value.items.length === 1 ? `(${represent(value.items[0])},)` : `(${joined(value.items.map(represent))})`;
  }
  if (value instanceof Dict) {
    return `{${joined(Array.from(value.entries.values(), ([key, item]) => `${represent(key)}: ${represent(item)}`))}}`;
  }
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Range) return `range(${value.start}, ${value.stop}${value.step === 1 ? '' : `, ${value.step}`})`;
  if (value instanceof View) return `dict_${value.of}(${represent(new List(value.items))})`;
  // Python prints an address, which is another one each time.
  if (value instanceof Generator) return '<generator object>';
  if (value instanceof Bytes) return bytesText(value.data);
  if (value instanceof Namespace) return `<Namespace ${represent(new Dict(value.members))}>`;
  return `<${value.name}>`;
}

/** As `str()` prints it, and as it comes into the output. */
export function text(value: Value): string {
  if (typeof value === 'string') return value;
  return value instanceof Undefined ? '' : represent(value);
}

/** A whole number of an argument, small enough to count with. */
export function count(value: Value, what: string): number {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'bigint')
    throw new JinjaError(`${what} must be a whole number, not a ${typeName(defined(value))}`);
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > limit ? limit : value < -limit ? -limit : value);
}

export function string(value: Value, what: string): string {
  if (typeof value !== 'string') throw new JinjaError(`${what} must be a string, not a ${typeName(defined(value))}`);
  return value;
}

/** Where a slice of a sequence of `length` begins and ends, and its step, as Python's `slice.indices`. */
export function sliceBounds(length: number, start: Value, stop: Value, step: Value): [number, number, number] {
  const by = step === null ? 1 : count(step, 'the step of a slice');
  if (by === 0) throw new JinjaError('the step of a slice cannot be zero');
  const [low, high] = by > 0 ? [0, length] : [-1, length - 1];
  const bound = (value: Value, missing: number): number => {
    if (value === null) return missing;
    const at = count(value, 'the end of a slice');
    return Math.min(high, Math.max(low, at < 0 ? at + length : at));
  };
  return [bound(start, by > 0 ? low : high), bound(stop, by > 0 ? high : low), by];
}

/** The indices that a slice takes. */
export function sliceIndices(length: number, start: Value, stop: Value, step: Value): number[] {
  const [from, to, by] = sliceBounds(length, start, stop, step);
  const indices: number[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) indices.push(i);
  spendSteps(indices.length);
  return indices;
}
