/** The methods of Python's `str`, and what the filters make of texts. */
import { spendSteps, spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import { capitalized, folded, isLower, isTitle, isUpper, swapped, titleCase } from './letters.ts';
import {
  Bytes,
  characters,
  count,
  Dict,
  defined,
  iterate,
  List,
  lengthOf,
  string,
  Tuple,
  type Value,
} from './values.ts';

/** White space as `str.isspace` has it: with the separators U+001C to U+001F and U+0085, without U+FEFF. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING = new RegExp(`^[${SPACE}]+`);
const ALL_SPACE = new RegExp(`^[${SPACE}]+$`);
const WORDS = new RegExp(`[^${SPACE}]+`, 'g');
const IS_SPACE = new RegExp(`[${SPACE}]`);
/** Where `splitlines` cuts. */
const BREAKS = '\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029';
const LINE_BREAK = new RegExp(`\\r\\n|[${BREAKS}]`, 'g');

type Method = (text: string, args: readonly Value[]) => Value;

/** `text` without the characters of `set` (white space, if none are given) at its ends. */
export function strip(text: string, set: Value | undefined, left: boolean, right: boolean): string {
  spendText(text.length);
  if (set === undefined || set === null) {
    let end = text.length;
    // No expression: one that is anchored at the end is tried at every blank.
    while (right && end > 0 && IS_SPACE.test(text[end - 1])) end--;
    const kept = text.slice(0, end);
    return left ? kept.replace(LEADING, '') : kept;
  }
  const unwanted = new Set(characters(string(set, 'the characters to strip')));
  const list = characters(text);
  let [start, end] = [0, list.length];
  while (left && start < end && unwanted.has(list[start])) start++;
  while (right && end > start && unwanted.has(list[end - 1])) end--;
  return list.slice(start, end).join('');
}

/** The text between two positions in code points, and where it begins in units. */
function range(text: string, start: Value | undefined, stop: Value | undefined): readonly [string, number] | undefined {
  if ((start ?? null) === null && (stop ?? null) === null) return [text, 0];
  const list = characters(text);
  const place = (value: Value | undefined, missing: number): number => {
    if (value === undefined || value === null) return missing;
    const at = count(value, 'a position');
    return Math.max(0, at < 0 ? at + list.length : at);
  };
  const [from, to] = [place(start, 0), Math.min(list.length, place(stop, list.length))];
  if (from > list.length || from > to) return undefined;
  return [list.slice(from, to).join(''), from];
}

const found = (last: boolean, must: boolean): Method => {
  return (text, [what, start, stop]) => {
    const part = range(text, start, stop);
    const needle = string(what, 'what is looked for');
    spendSteps(1 + text.length / 1000);
    const at = part === undefined ? -1 : last ? part[0].lastIndexOf(needle) : part[0].indexOf(needle);
    if (at >= 0 && part !== undefined) return BigInt(part[1] + lengthOf(part[0].slice(0, at)));
    if (must) throw new JinjaError('substring not found');
    return -1n;
  };
};

const affix = (atEnd: boolean): Method => {
  return (text, [what, start, stop]) => {
    const part = range(text, start, stop);
    const wanted = what instanceof Tuple ? what.items : [what];
    return (
      part !== undefined &&
      wanted.some((item) => {
        const value = string(item, 'what a string starts or ends with');
        return atEnd ? part[0].endsWith(value) : part[0].startsWith(value);
      })
    );
  };
};

function pieces(text: string, separator: Value | undefined, limit: Value | undefined, fromRight: boolean): List {
  const most = limit === undefined ? -1 : count(limit, 'maxsplit');
  const some = most >= 0;
  spendText(text.length);
  let parts: string[];
  if (separator === undefined || separator === null) {
    const words = [...text.matchAll(WORDS)];
    parts = words.map(([word]) => word);
    if (some && words.length > most) {
      if (fromRight) {
        const cut = words.length - most - 1;
        parts = [text.slice(0, words[cut].index + words[cut][0].length), ...parts.slice(cut + 1)];
      } else parts = [...parts.slice(0, most), strip(text.slice(words[most].index), undefined, true, false)];
    }
  } else {
    const by = string(separator, 'the separator');
    if (by === '') throw new JinjaError('empty separator');
    parts = text.split(by);
    if (some && parts.length > most + 1) {
      parts = fromRight
        ? [parts.slice(0, parts.length - most).join(by), ...parts.slice(parts.length - most)]
        : [...parts.slice(0, most), parts.slice(most).join(by)];
    }
  }
  spendSteps(parts.length);
  return new List(parts);
}

/** A text without comments and tags of HTML, as `striptags` has it; in one pass, whatever is opened and never closed. */
export function withoutTags(text: string): string {
  let plain = '';
  let [at, comments] = [0, true];
  for (;;) {
    const start = text.indexOf('<', at);
    let end = -1;
    if (comments && start >= 0 && text.startsWith('<!--', start)) {
      end = text.indexOf('-->', start + 4);
      comments = end >= 0;
      if (comments) end += 2;
    }
    if (end < 0 && start >= 0) end = text.indexOf('>', start);
    if (end < 0) return plain + text.slice(at);
    plain += text.slice(at, start);
    at = end + 1;
  }
}

export function replaced(text: string, from: Value, to: Value, limit?: Value): string {
  const [old, fresh] = [string(from, 'what is replaced'), string(to, 'what it is replaced with')];
  const most = limit === undefined || limit === null ? -1 : count(limit, 'how often it is replaced');
  const gaps = old === '' ? characters(text) : text.split(old);
  const possible = old === '' ? gaps.length + 1 : gaps.length - 1;
  const times = most < 0 ? possible : Math.min(most, possible);
  spendText(text.length + times * Math.max(0, fresh.length));
  if (times === possible && old !== '') return gaps.join(fresh);
  if (old !== '') return [gaps.slice(0, times + 1).join(fresh), ...gaps.slice(times + 1)].join(old);
  const head = gaps.slice(0, times).map((character) => fresh + character);
  return head.join('') + (times > gaps.length ? fresh : gaps.slice(times).join(''));
}

export function joined(separator: string, values: readonly Value[]): string {
  const parts = values.map((value) => string(value, 'what is joined'));
  spendText(parts.reduce((n, part) => n + part.length + separator.length, 0));
  return parts.join(separator);
}

const padding = (place: 'left' | 'right' | 'both'): Method => {
  return (text, [width, fill = ' ']) => {
    const missing = Math.max(0, count(width, 'a width') - lengthOf(text));
    const sign = string(fill, 'what is filled in');
    if (lengthOf(sign) !== 1) throw new JinjaError('what is filled in must be one character');
    spendText(text.length + missing * sign.length);
    // Python gives an odd blank to the left where the width is odd.
    const before =
      place === 'left' ? missing : place === 'right' ? 0 : (missing >> 1) + (missing & count(width, '') & 1);
    return sign.repeat(before) + text + sign.repeat(missing - before);
  };
};

const parted = (last: boolean): Method => {
  return (text, [separator]) => {
    const by = string(separator, 'the separator');
    if (by === '') throw new JinjaError('empty separator');
    const at = last ? text.lastIndexOf(by) : text.indexOf(by);
    if (at < 0) return new Tuple(last ? ['', '', text] : [text, '', '']);
    return new Tuple([text.slice(0, at), by, text.slice(at + by.length)]);
  };
};

const every = (pattern: RegExp): Method => {
  return (text) => pattern.test(text);
};

/** Each character by what the table has for its code: another code, a text, or nothing for `None`. */
function translated(text: string, table: Value): string {
  const result = characters(text).map((character) => {
    const code = BigInt(character.codePointAt(0) ?? 0);
    const entry = table instanceof Dict ? table.get(code) : iterate(table)[Number(code)];
    if (entry === undefined) return character;
    if (entry === null) return '';
    return typeof entry === 'bigint' ? String.fromCodePoint(count(entry, 'a character')) : string(entry, 'a character');
  });
  spendText(result.reduce((n, part) => n + part.length, 0));
  return result.join('');
}

/** The table of `str.maketrans`. */
function translation(from: Value, to: Value | undefined, gone: Value | undefined): Dict {
  const codeOf = (key: Value): Value => {
    if (typeof key !== 'string') return key;
    if (lengthOf(key) !== 1) throw new JinjaError('what is translated must be one character');
    return BigInt(key.codePointAt(0) ?? 0);
  };
  if (to === undefined) {
    if (!(from instanceof Dict)) throw new JinjaError('a translation is made of a dict, or of two strings');
    return new Dict(Array.from(from.entries.values(), ([key, value]) => [codeOf(key), value] as const));
  }
  const [keys, values] = [from, to].map((part) => characters(string(part, 'what is translated')));
  if (keys.length !== values.length) throw new JinjaError('the two strings of a translation differ in length');
  const table = new Dict(keys.map((key, i) => [codeOf(key), codeOf(values[i])] as const));
  for (const key of gone === undefined ? [] : characters(string(gone, 'what is left out')))
    table.set(codeOf(key), null);
  return table;
}

const METHODS: Readonly<Record<string, Method>> = {
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
  casefold: folded,
  capitalize: capitalized,
  title: titleCase,
  swapcase: swapped,
  strip: (text, [set]) => strip(text, set, true, true),
  lstrip: (text, [set]) => strip(text, set, true, false),
  rstrip: (text, [set]) => strip(text, set, false, true),
  find: found(false, false),
  rfind: found(true, false),
  index: found(false, true),
  rindex: found(true, true),
  count: (text, [what, start, stop]) => {
    const part = range(text, start, stop);
    const needle = string(what, 'what is counted');
    if (part === undefined) return 0n;
    spendText(part[0].length);
    return BigInt(needle === '' ? lengthOf(part[0]) + 1 : part[0].split(needle).length - 1);
  },
  startswith: affix(false),
  endswith: affix(true),
  split: (text, [separator, limit]) => pieces(text, separator, limit, false),
  rsplit: (text, [separator, limit]) => pieces(text, separator, limit, true),
  splitlines: (text, [keep]) => {
    const lines: string[] = [];
    let start = 0;
    for (const match of text.matchAll(LINE_BREAK)) {
      const end = match.index + match[0].length;
      lines.push(
        text.slice(start, keep !== undefined && keep !== false && keep !== 0n && keep !== null ? end : match.index),
      );
      start = end;
    }
    if (start < text.length) lines.push(text.slice(start));
    spendText(text.length);
    return new List(lines);
  },
  partition: parted(false),
  rpartition: parted(true),
  replace: (text, [from, to, limit]) => replaced(text, from, to, limit),
  join: (text, [values]) => joined(text, iterate(defined(values))),
  center: padding('both'),
  ljust: padding('right'),
  rjust: padding('left'),
  zfill: (text, [width]) => {
    const missing = Math.max(0, count(width, 'a width') - lengthOf(text));
    spendText(text.length + missing);
    const sign = /^[-+]/.test(text) ? text[0] : '';
    return sign + '0'.repeat(missing) + text.slice(sign.length);
  },
  expandtabs: (text, [size = 8n]) => {
    const width = count(size, 'a width');
    spendText(text.length + text.split('\t').length * Math.max(0, width));
    let column = 0;
    return text.replace(/\t|[\n\r]|[^\t\n\r]+/g, (part) => {
      if (part === '\n' || part === '\r') column = 0;
      else if (part !== '\t') column += lengthOf(part);
      else {
        const blanks = width > 0 ? width - (column % width) : 0;
        column += blanks;
        return ' '.repeat(blanks);
      }
      return part;
    });
  },
  removeprefix: (text, [prefix]) =>
    text.startsWith(string(prefix, 'a prefix')) ? text.slice(String(prefix).length) : text,
  removesuffix: (text, [suffix]) => {
    const end = string(suffix, 'a suffix');
    return end !== '' && text.endsWith(end) ? text.slice(0, -end.length) : text;
  },
  isalpha: every(/^\p{L}+$/u),
  isalnum: every(/^[\p{L}\p{N}]+$/u),
  isdecimal: every(/^\p{Nd}+$/u),
  isdigit: every(/^[\p{Nd}²³¹⁰⁴-⁹₀-₉]+$/u),
  isnumeric: every(/^\p{N}+$/u),
  isspace: every(ALL_SPACE),
  isascii: every(/^[\0-\x7f]*$/),
  isidentifier: every(/^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*$/u),
  isprintable: (text) => !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(text),
  isupper: isUpper,
  islower: isLower,
  istitle: isTitle,
  translate: (text, [table]) => translated(text, defined(table)),
  maketrans: (_, [from, to, gone]) => translation(from, to, gone),
  encode: (text, [encoding = 'utf-8']) => Bytes.of(text, string(encoding, 'an encoding')),
};

/** Names of the parameters that Python lets be given by name. */
export const STRING_PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  split: ['sep', 'maxsplit'],
  rsplit: ['sep', 'maxsplit'],
  splitlines: ['keepends'],
  expandtabs: ['tabsize'],
  encode: ['encoding', 'errors'],
  replace: ['old', 'new', 'count'],
};

export function stringMethod(name: string): Method | undefined {
  return Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
}
