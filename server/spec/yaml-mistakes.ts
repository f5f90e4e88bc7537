/** What is wrong with the YAML of a spec, in words of somebody who writes one; the parser speaks of its grammar. */
import { type Document, isMap, isScalar, type Pair, visit, type YAMLError } from 'yaml';
import { writtenNumber } from '../schemas/written-number.ts';

/** From the first character to behind the last, in UTF-16 units. */
export type Range = readonly [start: number, end: number];

export interface Mistake {
  readonly message: string;
  readonly range: Range;
  /** What was probably meant, to replace the range. */
  readonly suggestion?: string;
}

/** The line around an offset, without its end. */
function lineAt(text: string, offset: number): { line: string; start: number } {
  const start = text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1;
  const end = text.indexOf('\n', start);
  return { line: text.slice(start, end < 0 ? undefined : end).replace(/\r$/, ''), start };
}

const lineNumber = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

/** Blanks that web pages and documents use and YAML takes for letters. */
const strangeBlank = /^[ \t]*[\u00a0\u2000-\u200b\u202f\u3000\ufeff]/m;

/** Mistakes that the parser does not see as such, or sees everywhere behind them. */
export function plainMistake(text: string): Mistake | undefined {
  const conflict = /^<{7} .*$/m.exec(text);
  if (conflict !== null && /^={7}\r?$/m.test(text)) {
    const range = [conflict.index, conflict.index + conflict[0].length] as const;
    return { range, message: 'A merge has left its marks here: keep one of the two sides, and take the marks out' };
  }
  // A byte order mark may be the first character.
  const blank = strangeBlank.exec(text.replace(/^\ufeff/, ' '));
  if (blank === null) return undefined;
  const message = 'The line begins with a blank that is no plain one, as text copied from a page has them: type blanks';
  return { range: [blank.index, blank.index + blank[0].length], message };
}

/** `{ steps: 1,000 }`: the comma ends the value, and what stands behind it becomes a key. */
export function commaInNumber(document: Document.Parsed, text: string): Mistake | undefined {
  let found: Mistake | undefined;
  visit(document, {
    Map(_key, { flow, items }) {
      if (flow !== true || found !== undefined) return;
      const start = items.findIndex((pair, at) => {
        const next = items[at + 1];
        return isScalar(pair.value) && next !== undefined && followsAt(next, pair.value.range?.[1]);
      });
      const first = items[start]?.value;
      if (!isScalar(first) || !first.range) return;
      const [from] = first.range;
      let end = first.range[1];
      for (const pair of items.slice(start + 1)) {
        if (!followsAt(pair, end) || !isScalar(pair.key)) break;
        end = pair.key.range?.[1] ?? end;
      }
      const written = text.slice(from, end);
      const meant = writtenNumber(written);
      if (meant === undefined) return;
      const message = `A comma ends a value here, also in ${written}: write ${meant}`;
      found = { message, range: [from, end], suggestion: String(meant) };
    },
  });
  return found;
}

/** Whether digits without a value stand right behind the comma at `end`. */
const followsAt = ({ key, value }: Pair, end: number | undefined): boolean =>
  isScalar(key) &&
  /^\d+$/.test(String(key.source ?? key.value)) &&
  (value === null || (isScalar(value) && value.value === null)) &&
  end !== undefined &&
  key.range?.[0] === end + 1;

/** Mistakes of the parser as they are meant for a person; those whose own words are good stay. */
export function mistakeOf(text: string, document: Document.Parsed, { code, message, pos }: YAMLError): Mistake {
  return explained(text, document, code, pos[0], message) ?? { message: firstLine(message), range: within(pos, text) };
}

function explained(
  text: string,
  document: Document.Parsed,
  code: YAMLError['code'],
  at: number,
  message: string,
): Mistake | undefined {
  const pair = pairInLine(text, message, at);
  if (pair !== undefined) {
    const meant = `{ ${text.slice(...pair)} }`;
    return { message: `Two keys stand one behind the other: write ${meant}`, range: pair, suggestion: meant };
  }
  switch (code) {
    case 'TAB_AS_INDENT':
      return { message: 'Tabs are not allowed as indentation: use blanks', range: within([at, at], text) };
    case 'DUPLICATE_KEY':
      return twice(text, document, at);
    case 'MULTIPLE_DOCS':
      return {
        message: 'A run spec is one document: put what stands behind this line into a file of its own',
        range: within([at, at + 3], text),
      };
    case 'MULTILINE_IMPLICIT_KEY':
    case 'MISSING_CHAR':
      return unspaced(text, at);
    case 'BAD_SCALAR_START':
      return unquoted(text, at);
    case 'BAD_DQ_ESCAPE':
      return escaped(text, at);
    case 'NON_STRING_KEY':
      if (text.startsWith('{', at) && text[at - 1] === '{')
        return { message: 'Nothing is filled in for {{ }}: write the value itself', range: [at - 1, at + 1] };
      return undefined;
    case 'TAG_RESOLVE_FAILED': {
      const [tag = '!'] = /^![^\s,}\]]*/.exec(text.slice(at)) ?? [];
      return {
        message: `${tag} is not known here: write the value itself`,
        range: within([at, at + tag.length], text),
      };
    }
  }
  return undefined;
}

/** `file: a.jsonl` in `data: file: a.jsonl`, which YAML takes for no value: where it stands, if that is the mistake. */
function pairInLine(text: string, message: string, start: number): Range | undefined {
  const inFlow = /^Block collections are not allowed within flow/.test(message);
  if (!inFlow && !/^Nested mappings are not allowed in compact/.test(message)) return undefined;
  const pattern = inFlow ? /[\w-]+:[ \t]+[^\s,{}[\]#]+/y : /[\w-]+:[ \t]+[^\s{}[\]#]+(?=[ \t]*(?:#.*)?$)/my;
  pattern.lastIndex = start;
  const found = pattern.exec(text)?.[0];
  return found === undefined ? undefined : [start, start + found.length];
}

/** A key that its mapping has already, with the line of the first. */
function twice(text: string, document: Document.Parsed, at: number): Mistake | undefined {
  let found: Mistake | undefined;
  visit(document, {
    Map(_key, map) {
      const starts = (pair: Pair) => (isScalar(pair.key) ? (pair.key.range?.[0] ?? -1) : -1);
      const again = map.items.find((pair) => starts(pair) === at);
      if (again === undefined || !isScalar(again.key)) return;
      const key = String(again.key.value);
      const first = map.items.find(({ key: other }) => isScalar(other) && String(other.value) === key);
      if (first === undefined || first === again) return;
      const place = `first in line ${lineNumber(text, starts(first))}`;
      const message = isMap(again.value)
        ? `${JSON.stringify(key)} stands here twice, ${place}: put its settings together`
        : `${JSON.stringify(key)} stands here twice, ${place}: keep one`;
      found = { message, range: [at, again.key.range?.[1] ?? at + key.length] };
    },
  });
  return found;
}

/** `model:m`, `model = m` and the like: a key without the blank behind its colon, or without a colon. */
export function unspaced(text: string, at: number): Mistake | undefined {
  const { line, start } = lineAt(text, at);
  const [, indent, key, mark, value] = /^([ \t]*(?:- +)?)([A-Za-z_]\w*)[ \t]*(:|=|：)[ \t]*(.+)$/u.exec(line) ?? [];
  if (value === undefined || (mark === ':' && line[indent.length + key.length + 1] === ' ')) return undefined;
  const meant = `${key}: ${value.trim()}`;
  const range = [start + indent.length, start + line.length] as const;
  return { message: `A key has a colon and a blank behind it: write ${meant}`, range, suggestion: meant };
}

/** A text that begins with a mark of YAML. */
function unquoted(text: string, at: number): Mistake | undefined {
  const [word] = /^[^\s,}\]#]+/.exec(text.slice(at)) ?? [];
  if (word === undefined) return undefined;
  const meant = `"${word}"`;
  const message = `A text that begins with ${word[0]} stands in quotes: write ${meant}`;
  return { message, range: [at, at + word.length], suggestion: meant };
}

/** `*.jsonl`, which YAML takes for the name of something that stands elsewhere. */
export function aliasOfNothing(text: string, [start, end]: Range): Mistake {
  const word = text.slice(start, end);
  if (/[.*/?]/.test(word.slice(1))) return unquoted(text, start) as Mistake;
  return {
    message: `${word} stands for what &${word.slice(1)} marks, and nothing before it does`,
    range: [start, end],
  };
}

/** A path of Windows in double quotes. */
function escaped(text: string, at: number): Mistake | undefined {
  const { line, start } = lineAt(text, at);
  const column = at - start;
  const open = line.lastIndexOf('"', column);
  const close = line.indexOf('"', column + 1);
  if (open < 0 || close < 0) return undefined;
  const meant = `'${line.slice(open + 1, close).replaceAll("'", "''")}'`;
  return {
    message: `In double quotes \\ begins a sign of its own: write ${meant}`,
    range: [start + open, start + close + 1],
    suggestion: meant,
  };
}

/** The range of a mistake in the YAML; the parser often names only where it begins. */
function within([start, end]: Range, text: string): Range {
  const from = Math.min(start, text.length);
  const word = /^[\w.-]+/.exec(text.slice(from, from + 200))?.[0].length ?? 1;
  return [from, Math.min(Math.max(end, from + word), text.length)];
}

export function firstLine(message: string): string {
  // The parser repeats what it does not understand, whole.
  return message.split('\n')[0].slice(0, 500).replace(/[.:]$/, '');
}
