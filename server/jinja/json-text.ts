/**
 * JSON as Python reads it, for what templates print: `2.0` stays a float and a whole number keeps all its digits, of which
 * JSON.parse knows nothing.
 */

/** A number as it was written, where JavaScript would not write it so again. */
export class JsonNumber {
  constructor(readonly text: string) {}

  /** As Python has it: what is written with a point or a power is a float. */
  get value(): number | bigint {
    return isWhole(this.text) ? BigInt(this.text) : Number(this.text);
  }

  toJSON(): number {
    return Number(this.text);
  }
}

const isWhole = (text: string): boolean => /^-?\d+$/.test(text);

/** Stands before a number that was made a text; no text of JSON that is looked at has it. */
const mark = '\u0000';
/** A string, or a number with a point, a power or many digits. */
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

/** Whether JavaScript has the number in another way than Python. */
function differs(text: string): boolean {
  const value = Number(text);
  return isWhole(text) ? !Number.isSafeInteger(value) || text === '-0' : Number.isSafeInteger(value);
}

/**
 * Parses JSON, with a {@link JsonNumber} for each number that JavaScript would write in another way.
 *
 * @param inside names of members that numbers are kept in; everywhere, if not given
 * @throws SyntaxError as JSON.parse does
 */
export function parseJson(text: string, inside?: readonly string[]): unknown {
  const plain: unknown = JSON.parse(text);
  if (text.includes('\\u0000') || (inside !== undefined && !inside.some((name) => text.includes(`"${name}"`))))
    return plain;
  let found = false;
  const marked = text.replace(token, (part) => {
    if (part.startsWith('"') || !differs(part)) return part;
    found = true;
    return JSON.stringify(`${mark}${part}`);
  });
  return found ? restored(JSON.parse(marked), inside) : plain;
}

function restored(value: unknown, inside: readonly string[] | undefined): unknown {
  if (typeof value === 'string' && value.startsWith(mark)) {
    const text = value.slice(mark.length);
    return inside === undefined ? new JsonNumber(text) : Number(text);
  }
  if (Array.isArray(value)) return value.map((each) => restored(each, inside));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, each]) => {
    return [key, restored(each, inside?.includes(key) === true ? undefined : inside)] as const;
  });
  return Object.fromEntries(members);
}

/** A value as JSON, with its numbers as they were written. @param gaps put a blank behind comma and colon, as Python does */
export function jsonText(value: unknown, gaps = false): string {
  const [comma, colon] = gaps ? [', ', ': '] : [',', ':'];
  const written = (each: unknown): string => {
    if (each instanceof JsonNumber) return each.text;
    if (Array.isArray(each)) return `[${each.map(written).join(comma)}]`;
    if (typeof each !== 'object' || each === null) return JSON.stringify(each ?? null);
    return `{${Object.entries(each)
      .map(([key, item]) => JSON.stringify(key) + colon + written(item))
      .join(comma)}}`;
  };
  return written(value);
}
