/** The elements of a JSON list of any length, in constant memory: a file's whole content, or under a key of its object. */
import { utf8Of } from '../bytes.ts';
import { dataErrors } from '../errors.ts';

/** One element, as text that JSON.parse can read. */
export interface Element {
  /** Line it begins on, from 1. */
  readonly number: number;
  /** Undefined for an element beyond the limit. */
  readonly bytes: Buffer | undefined;
}

/** Keys under which files of one object hold their rows. */
const rowKeys: ReadonlySet<string> = new Set([
  'data',
  'rows',
  'examples',
  'instances',
  'items',
  'records',
  'samples',
  'train',
  'questions',
  'dataset',
]);

const [quote, backslash, comma, colon, newline] = [0x22, 0x5c, 0x2c, 0x3a, 0x0a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** What may come next. */
type Place = 'start' | 'key' | 'first key' | 'colon' | 'value' | 'after value' | 'first' | 'element' | 'after' | 'end';

/**
 * Reads the elements of a list. Only where one ends is found here; whether it is JSON, its reader says.
 *
 * @param limit bytes of the longest element that is kept
 * Throws `data.brokenJson` with the line, `data.noRows`, and what {@link utf8Of} throws.
 */
export async function* readList(file: string, limit: number): AsyncGenerator<Element> {
  let place: Place = 'start';
  /** Whether the list stands under a key of an object. */
  let inObject = false;
  let found = false;
  let key = '';
  const keys: string[] = [];
  let line = 1;

  // The value that is being read: a key, an element, or what stands under another key.
  let reading: 'key' | 'element' | 'other' | undefined;
  let kept: Buffer[] = [];
  let size = 0;
  let begun = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let scalar = false;

  const broken = (problem: string) => dataErrors.brokenJson(file, line, new Error(problem));
  const begin = (what: 'key' | 'element' | 'other', byte: number): void => {
    reading = what;
    kept = [];
    size = 0;
    begun = line;
    depth = byte === openList || byte === openObject ? 1 : 0;
    inString = byte === quote;
    escaped = false;
    scalar = depth === 0 && !inString;
  };
  /** Takes the byte into the value that is being read. @returns whether the value ends with it, or before it */
  const step = (byte: number): 'inside' | 'ends' | 'ended' => {
    if (inString) {
      if (escaped) escaped = false;
      else if (byte === backslash) escaped = true;
      else if (byte === quote) {
        inString = false;
        return depth === 0 ? 'ends' : 'inside';
      }
      return 'inside';
    }
    if (scalar) {
      const over = byte === comma || byte === closeList || byte === closeObject || byte === colon || isSpace(byte);
      return over ? 'ended' : 'inside';
    }
    if (byte === quote) inString = true;
    else if (byte === openList || byte === openObject) depth++;
    else if ((byte === closeList || byte === closeObject) && --depth === 0) return 'ends';
    return 'inside';
  };
  const keep = (part: Buffer): void => {
    size += part.length;
    if (reading === 'other') return;
    if (size > limit) kept = [];
    else kept.push(part);
  };

  let first = true;
  for await (const chunk of utf8Of(file)) {
    let from = first && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? 3 : 0;
    first = false;
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i];
      if (reading !== undefined) {
        const state = step(byte);
        if (byte === newline && state !== 'ended') line++;
        if (state === 'inside') continue;
        const end = state === 'ends' ? i + 1 : i;
        keep(chunk.subarray(from, end));
        const bytes = size > limit ? undefined : Buffer.concat(kept);
        if (reading === 'element') yield { number: begun, bytes };
        if (reading === 'key') {
          key = keyOf(bytes);
          keys.push(key);
        }
        place = reading === 'key' ? 'colon' : reading === 'other' ? 'after value' : 'after';
        reading = undefined;
        if (state === 'ends') continue;
      }
      if (byte === newline) line++;
      if (isSpace(byte)) continue;
      switch (place) {
        case 'start':
          if (byte !== openList && byte !== openObject) throw broken('it begins with neither [ nor {');
          inObject = byte === openObject;
          found = !inObject;
          place = inObject ? 'first key' : 'first';
          continue;
        case 'first key':
        case 'key':
          if (byte === closeObject && place === 'first key') place = 'end';
          else if (byte === quote) {
            begin('key', byte);
            from = i;
          } else
            throw broken(byte === closeObject ? 'a comma stands before the closing }' : 'a name in quotes is missing');
          continue;
        case 'colon':
          if (byte !== colon) throw broken('a colon is missing');
          place = 'value';
          continue;
        case 'value':
          if (byte === openList && rowKeys.has(key.toLowerCase()) && !found) {
            found = true;
            place = 'first';
          } else {
            begin('other', byte);
            from = i;
          }
          continue;
        case 'after value':
          if (byte !== comma && byte !== closeObject) throw broken('a comma is missing');
          place = byte === comma ? 'key' : 'end';
          continue;
        case 'first':
        case 'element':
          if (byte === closeList && place === 'first') place = inObject ? 'after value' : 'end';
          else if (byte === closeList) throw broken('a comma stands before the closing ]');
          else if (byte === openList && place === 'first' && inObject) {
            // Values in lists (`orient="split"`, columns beside each other) are no rows yet: the whole object says what they are.
            found = false;
            begin('other', byte);
            depth = 2;
            from = i;
          } else if (byte === comma || byte === closeObject || byte === colon) throw broken('a row is missing');
          else {
            begin('element', byte);
            from = i;
          }
          continue;
        case 'after':
          if (byte !== comma && byte !== closeList) throw broken('a comma is missing between two rows');
          if (byte === comma) place = 'element';
          else place = inObject ? 'after value' : 'end';
          continue;
        case 'end':
          throw broken(
            inObject
              ? 'several objects stand behind each other (jq -c . writes one a line)'
              : 'something follows behind the end',
          );
      }
    }
    if (reading !== undefined) keep(chunk.subarray(from));
  }
  if (place === 'start' && reading === undefined) throw dataErrors.emptyFile(file);
  if (place !== 'end') throw broken('the file ends in the middle');
  if (!found) throw dataErrors.noRows(file, keys);
}

function keyOf(bytes: Buffer | undefined): string {
  try {
    return String(JSON.parse(bytes?.toString('utf8') ?? '""'));
  } catch {
    return '';
  }
}
