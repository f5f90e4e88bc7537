/** `tojson` as transformers defines it: Python's `json.dumps` with `ensure_ascii=False`. */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { compare, count, Dict, floatText, List, string, Tuple, text, truth, typeName, type Value } from './values.ts';

export interface JsonOptions {
  readonly ascii: boolean;
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  readonly sorted: boolean;
}

/** Options from the arguments of the filter: `ensure_ascii`, `indent`, `separators`, `sort_keys`. */
export function jsonOptions([
  ascii = false,
  indent = null,
  separators = null,
  sorted = false,
]: readonly Value[]): JsonOptions {
  const given = separators instanceof Tuple || separators instanceof List ? separators.items : undefined;
  let step: string | undefined;
  if (typeof indent === 'string') step = indent;
  else if (indent !== null) {
    const width = Math.max(0, count(indent, 'indent'));
    spendText(width);
    step = ' '.repeat(width);
  }
  return {
    ascii: truth(ascii),
    indent: step,
    separators:
      given === undefined
        ? [step === undefined ? ', ' : ',', ': ']
        : [string(given[0], 'a separator'), string(given[1], 'a separator')],
    sorted: truth(sorted),
  };
}

/** What JSON escapes, and what it escapes where it may have ASCII only. */
const CONTROL = '\\0-\\x1f';
const NOT_SHOWN = new RegExp(`["\\\\${CONTROL}]`, 'g');
const NOT_PLAIN = new RegExp(`["\\\\${CONTROL}]|[^${CONTROL}\\x20-\\x7f]`, 'g');

function jsonString(value: string, ascii: boolean): string {
  const pattern = ascii ? NOT_PLAIN : NOT_SHOWN;
  return `"${value.replace(pattern, (character) => {
    const short = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f' }[
      character
    ];
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  })}"`;
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? floatText(value) : value > 0 ? 'Infinity' : '-Infinity';
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return String(key);
  if (typeof key === 'bigint') return String(key);
  if (typeof key === 'number') return jsonFloat(key);
  throw new JinjaError(`a ${typeName(key)} cannot be a key of JSON`);
}

export function toJson(value: Value, options: JsonOptions, depth = 0): string {
  spendSteps();
  const { ascii, indent, separators, sorted } = options;
  if (value === null) return 'null';
  switch (typeof value) {
    case 'boolean':
      return String(value);
    case 'bigint':
      return String(value);
    case 'number':
      return jsonFloat(value);
    case 'string':
      spendText(value.length);
      return jsonString(value, ascii);
  }
  const enclosed = (open: string, parts: readonly string[], close: string): string => {
    if (parts.length === 0) return open + close;
    const inner = indent === undefined ? '' : `\n${indent.repeat(depth + 1)}`;
    const outer = indent === undefined ? '' : `\n${indent.repeat(depth)}`;
    spendText(parts.reduce((n, part) => n + part.length + inner.length + separators[0].length, outer.length));
    return open + inner + parts.join(separators[0] + inner) + outer + close;
  };
  if (value instanceof List || value instanceof Tuple) {
    return enclosed(
      '[',
      value.items.map((item) => toJson(item, options, depth + 1)),
      ']',
    );
  }
  if (value instanceof Dict) {
    const entries = [...value.entries.values()];
    if (sorted) entries.sort(([a], [b]) => compare(a, b));
    const parts = entries.map(
      ([key, item]) => jsonString(keyText(key), ascii) + separators[1] + toJson(item, options, depth + 1),
    );
    return enclosed('{', parts, '}');
  }
  throw new JinjaError(`${text(value) === '' ? 'a missing value' : `a ${typeName(value)}`} cannot be JSON`);
}
