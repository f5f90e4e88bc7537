/** What was meant by a value that has the right content in the wrong form: `module: x.mjs` for `module: { path: x.mjs }`. */
import { z } from 'zod';
import { keysOf, unwrap } from './unwrap.ts';

/** Files that a module can be. */
const moduleFile = /\.[cm]?[jt]s$/i;
/** Longer values are no slips. */
const longest = 200;

/** Values that may have been meant, the likeliest first. */
function candidates(schema: z.ZodType, value: unknown): unknown[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    if (value === true || value === null) return [{}];
    const needed = Object.entries(inner.shape as Record<string, z.ZodType>).filter(
      ([, each]) => !each.safeParse(undefined).success,
    );
    return needed.length === 1 && typeof value !== 'object' ? [{ [needed[0][0]]: value }] : [];
  }
  if (!(inner instanceof z.ZodUnion)) return [];
  const names = keysOf(inner);
  if (Array.isArray(value)) {
    const isTerms = names.includes('sum') && value.every((term) => typeof term === 'string');
    return isTerms ? [{ sum: value.map((reward) => ({ reward })) }] : [];
  }
  const [[key, only] = [], ...others] = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  // A name that is known has its own settings to be looked at.
  if (key !== undefined && names.includes(key)) return [];
  const text = typeof value === 'string' ? value : others.length === 0 ? only : undefined;
  if (typeof text !== 'string') return [];
  if (names.includes('module') && moduleFile.test(text)) return [{ module: { path: text } }];
  return key === 'name' || key === 'type' || key === 'kind' ? [text] : [];
}

/** The value that was meant, as YAML on one line; undefined where none would do. */
export function rightForm(schema: z.ZodType | undefined, value: unknown): string | undefined {
  if (schema === undefined) return undefined;
  const meant = candidates(schema, value).find((each) => schema.safeParse(each).success);
  const text = meant === undefined ? undefined : written(meant);
  return text === undefined || text.length > longest ? undefined : text;
}

function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return scalar(value);
  const pairs = Object.entries(value).map(([key, item]) => `${key}: ${written(item)}`);
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

/** YAML reads some words as something else than text. */
const scalar = (value: unknown): string =>
  typeof value === 'string' && /^(?!(?:true|false|null|yes|no|on|off)$)[./A-Za-z_][\w./-]*$/i.test(value)
    ? value
    : JSON.stringify(value);
