/** The object that stands on a line of JSON, within bounds. */
import { deeperThan } from '../files/json-depth.ts';
import { parseJson } from '../jinja/json-text.ts';
import { type Columns, columnAt } from '../schemas/columns.ts';
import { messagesFrom } from './conversation.ts';
import { dataErrors } from './errors.ts';

/** The text of a line. Throws `data.notUtf8`. */
export function decodeUtf8(bytes: Uint8Array, file: string, line: number, of: 'rows' | 'text'): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw dataErrors.notUtf8(file, line, of);
  }
}

/** Members in which numbers are kept as they were written. */
const calls = ['tool_calls', 'function_call'];

/** The object on a line of JSON. Throws `data.notUtf8`, `data.brokenJson`, `data.notAnObject`, `data.tooDeep`, `data.tooManyColumns`. */
export function parseObject(bytes: Uint8Array, file: string, line: number): Columns {
  const text = decodeUtf8(bytes, file, line, 'rows');
  if (text.length > small) {
    if (deeperThan(text, deepest)) throw dataErrors.tooDeep(file, line, deepest);
    if (hasTooManyNames(text)) throw dataErrors.tooManyColumns(file, line, mostColumns);
  }
  let value: unknown;
  try {
    value = parseJson(text, calls);
  } catch (cause) {
    value = repaired(text);
    if (value === undefined) throw dataErrors.brokenJson(file, line, whyNot(text, cause));
  }
  return columnsOf(value, file, line);
}

/** What Python writes for numbers that JSON does not have counts as nothing; a comma behind the row is one of a list. */
function repaired(text: string): unknown {
  const plain = text
    .replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (part) => (part.startsWith('"') ? part : 'null'))
    .replace(/\}\s*,\s*$/, '}');
  try {
    return plain === text ? undefined : parseJson(plain, calls);
  } catch {
    return undefined;
  }
}

/** What is wrong with a row, where that is not what a parser would say. */
function whyNot(text: string, cause: unknown): unknown {
  if (/^\s*\{\s*'/.test(text)) return new Error('Python prints a dict so, and json.dumps writes it as JSON');
  if (/^\s*\{.*\}\s*\{/s.test(text.slice(0, 10_000)) && /non-whitespace character after/.test(String(cause)))
    return new Error('several objects stand on one line (jq -c . writes one a line)');
  return /^\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:\s*[[{]?\s*)?$/.test(text)
    ? new Error('the row goes on in the next line, and should be one line (jq -c . writes it so)')
    : cause;
}

/** Deeper than any data set, and shallow enough for everything that walks through a row. */
export const deepest = 64;
/** More than any data set has, and few enough to be shown and searched. */
export const mostColumns = 10_000;
/** Bytes of a row that is not looked at before it is parsed: so many names have no room in it. */
const small = 4 * mostColumns;

/** Whether a text in JSON has more names than columns may be, those of objects inside each other too, but not of lists. */
function hasTooManyNames(text: string): boolean {
  let [depth, lists, names] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22:
        for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
        break;
      case 0x7b:
        depth++;
        break;
      case 0x7d:
        depth--;
        break;
      case 0x5b:
        lists++;
        break;
      case 0x5d:
        lists--;
        break;
      case 0x3a:
        // Further inside nobody looks for columns.
        if (depth <= 3 && lists === 0 && ++names > mostColumns) return true;
    }
  }
  return false;
}

function isDeeper(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => isDeeper(inner, left - 1));
}

/** What stands for a row elsewhere: a text, a conversation in a list, a row as the servers of Hugging Face wrap it. */
function unwrapped(value: unknown): unknown {
  if (typeof value === 'string') return { text: value };
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value) && value.length > 1) {
    // Open-Reasoner-Zero: the answer is not said, only what would be right.
    const right = columnAt(value.at(-1) ?? {}, 'ground_truth.value');
    const asked = value.slice(0, -1);
    if (right !== undefined && messagesFrom(asked) !== undefined) return { messages: asked, ground_truth: right };
  }
  if (Array.isArray(value))
    return messagesFrom(value) !== undefined && value.every((one) => typeof one === 'object')
      ? { messages: value }
      : value;
  const { row, row_idx, truncated_cells } = value as Columns;
  const cut = Array.isArray(truncated_cells) && truncated_cells.length > 0;
  return typeof row_idx === 'number' && typeof row === 'object' && row !== null && !cut ? row : value;
}

/** A value as the columns of a row. Throws `data.notAnObject`, `data.tooDeep`. */
export function columnsOf(given: unknown, file: string, line: number): Columns {
  const value = unwrapped(given);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw dataErrors.notAnObject(file, line);
  if (isDeeper(value, deepest)) throw dataErrors.tooDeep(file, line, deepest);
  return value as Columns;
}
