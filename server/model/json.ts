/**
 * The JSON files of a model folder, as Python writes and reads them: `NaN`, `Infinity` and `-Infinity` are numbers there. A file
 * is read only if it is a plain file of a believable size, and parsed only if it is not absurdly nested.
 */
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { deeperThan } from '../files/json-depth.ts';
import { readText } from '../files/open.ts';
import { refusePretender } from '../files/pretender.ts';
import { configErrors as errors } from './errors.ts';
import { ggufText } from './gguf/file.ts';

/** The largest config.json or generation_config.json that is believed, in bytes; real ones have a few thousand. */
export const CONFIG_BYTES = 1 << 20;
/** The same for an index of shards, which names every tensor. */
export const INDEX_BYTES = 1 << 26;
/** Deeper than any of these files, and far from what would overflow a stack. */
const MAX_DEPTH = 64;
/** Stands for NaN while JSON.parse reads. */
const NOT_A_NUMBER = '\u0000NaN';

/**
 * Reads a file of a model folder whole. A GGUF file is a folder too: it has the files that it stands for.
 *
 * @param limit bytes
 * @returns undefined if the file is not there
 * @throws ColaError config.cannotRead, config.tooLarge, folder.lfsPointer and the like, gguf.*
 */
export function readModelText(file: string, limit: number): string | undefined {
  let text: string;
  try {
    const info = statSync(file, { throwIfNoEntry: false });
    if (info === undefined) return ggufText(dirname(file), basename(file));
    // Reading a pipe or a device might never end.
    if (!info.isFile()) throw new Error('it is not a regular file');
    if (info.size > limit) throw errors.tooLarge(file, info.size, limit);
    text = readText(file, limit);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR')
      return ggufText(dirname(file), basename(file));
    throw error instanceof Error && error.name === 'ColaError' ? error : errors.cannotRead(file, error);
  }
  refusePretender(file, new TextEncoder().encode(text.slice(0, 512)));
  return text;
}

/**
 * Parses JSON as Python does; a byte order mark before it is passed over.
 *
 * @throws ColaError config.json, which names comments where they are the cause, and config.tooDeep
 */
export function parseModelJson(text: string, file: string): unknown {
  const plain = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (deeperThan(plain, MAX_DEPTH)) throw errors.tooDeep(file, MAX_DEPTH);
  try {
    return JSON.parse(plain);
  } catch (error) {
    const numbers = withNumbers(plain);
    if (numbers !== undefined) return numbers;
    if (hasComments(plain)) throw errors.comments(file, error);
    throw errors.json(file, error);
  }
}

/** A text cut into JSON strings, with their quotes, and what stands between them. */
function* piecesOf(
  text: string,
): Generator<{ readonly isString: boolean; readonly start: number; readonly end: number }> {
  let start = 0;
  for (let quote = text.indexOf('"'); quote >= 0; quote = text.indexOf('"', start)) {
    yield { isString: false, start, end: quote };
    let end = quote + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    start = Math.min(end + 1, text.length);
    yield { isString: true, start: quote, end: start };
  }
  yield { isString: false, start, end: text.length };
}

/** The value where Python's numbers are all that JSON.parse does not understand; undefined elsewhere. */
export function withNumbers(text: string): unknown {
  const pieces = [...piecesOf(text)].map(({ isString, start, end }) => {
    const piece = text.slice(start, end);
    // 1e999 is too large for a double: JSON.parse makes infinity of it.
    return isString
      ? piece
      : piece.replaceAll(/\bInfinity\b/g, '1e999').replaceAll(/\bNaN\b/g, JSON.stringify(NOT_A_NUMBER));
  });
  try {
    return JSON.parse(pieces.join(''), (_, value: unknown) => (value === NOT_A_NUMBER ? Number.NaN : value));
  } catch {
    return undefined;
  }
}

function hasComments(text: string): boolean {
  return [...piecesOf(text)].some(
    ({ isString, start, end }) => !isString && /\/\/|\/\*|^[ \t]*#/m.test(text.slice(start, end)),
  );
}

/**
 * The text of a config.json that names the number format its weights are saved in, under the key the file has (`dtype` of
 * transformers 5, `torch_dtype` of 4) or else the one that both understand. The rest stays letter by letter.
 *
 * @param text an object in valid JSON, but for Python's numbers
 */
export function withDtype(text: string, dtype: 'float32' | 'float16' | 'bfloat16'): string {
  const open = text.indexOf('{') + 1;
  const value = JSON.stringify(dtype);
  let changed = '';
  let kept = 0;
  for (const { key, start, end } of topLevelMembers(text, open)) {
    if (key !== 'dtype' && key !== 'torch_dtype') continue;
    changed += text.slice(kept, start) + value;
    kept = end;
  }
  if (kept > 0) return changed + text.slice(kept);
  const empty = text.slice(open).trimStart().startsWith('}');
  const [indent = ''] = /^\s*/.exec(text.slice(open)) ?? [];
  return `${text.slice(0, open)}${indent}"torch_dtype": ${value}${empty ? '' : ','}${text.slice(open)}`;
}

/** The members of an object, with where their values stand. */
function* topLevelMembers(text: string, open: number): Generator<{ key: string; start: number; end: number }> {
  let depth = 0;
  let key = '';
  let value = -1;
  for (const { isString, start, end } of piecesOf(text)) {
    if (isString) {
      if (depth === 0 && value < 0) key = JSON.parse(text.slice(start, end));
      continue;
    }
    for (let i = Math.max(start, open); i < end; i++) {
      const mark = text[i];
      if (depth === 0 && mark === ':') value = i + 1;
      else if (depth === 0 && (mark === ',' || mark === '}')) {
        if (value >= 0) yield { key, ...trimmed(text, value, i) };
        if (mark === '}') return;
        value = -1;
      } else if (mark === '{' || mark === '[') depth++;
      else if (mark === '}' || mark === ']') depth--;
    }
  }
}

function trimmed(text: string, from: number, to: number): { start: number; end: number } {
  const value = text.slice(from, to);
  const start = from + value.length - value.trimStart().length;
  return { start, end: start + value.trim().length };
}
