/** What was meant by a value that has the right content in the wrong form: `module: x.mjs` for `module: { path: x.mjs }`. */
import { z } from 'zod';
import { dataForms } from './data-form.ts';
import { rewardForms } from './reward-form.ts';
import { keysOf, unitOf, unwrap } from './unwrap.ts';
import { writtenNumber } from './written-number.ts';

/** Files that a module can be. */
/** No address: nothing is loaded from a network. */
const moduleFile = /^(?!\w+:\/\/).*\.[cm]?[jt]s$/i;
/** Longer values are no slips. */
const longest = 200;

type Shape = Readonly<Record<string, z.ZodType>>;

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What alone stands in a list or in settings. */
function single(value: unknown): unknown {
  const all = Array.isArray(value) ? value : isMap(value) ? Object.values(value) : [];
  return all.length === 1 ? all[0] : undefined;
}

/** Values that may have been meant, the likeliest first. */
function candidates(schema: z.ZodType, value: unknown): unknown[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) return settingsFrom(inner.shape as Shape, value);
  if (inner instanceof z.ZodArray) return [...(inner.meta()?.words === true ? wordsIn(value) : []), ...listFrom(value)];
  if (inner instanceof z.ZodUnion) return optionFrom(inner, value);
  const unit = unitOf(schema);
  return [...plainFrom(inner, value, unit), ...plainFrom(inner, single(value), unit), single(value)];
}

/** Settings of which only one was written, without its name. */
function settingsFrom(shape: Shape, value: unknown): unknown[] {
  if (value === true || value === null) return [{}];
  if (Array.isArray(value)) {
    if (!value.every(isMap)) return value.length === 1 ? settingsFrom(shape, value[0]) : value.length === 0 ? [{}] : [];
    const keys = value.flatMap(Object.keys);
    return new Set(keys).size === keys.length ? [Object.assign({}, ...value)] : [];
  }
  if (typeof value === 'object') return [];
  const all = Object.entries(shape);
  const needed = all.filter(([, each]) => !each.safeParse(undefined).success);
  if (needed.length === 1) return [{ [needed[0][0]]: value }];
  // A word that only one of them knows.
  const choices = all.filter(([, each]) => unwrap(each) instanceof z.ZodEnum && each.safeParse(value).success);
  if (choices.length === 1) return [{ [choices[0][0]]: value }];
  return typeof value === 'string' && Object.hasOwn(shape, 'column') ? [{ column: value }] : [];
}

/** A command as a shell would read it, where no quotes or signs of a shell are in it. */
function wordsIn(value: unknown): unknown[] {
  return typeof value === 'string' && /^[^"'`\\|&;<>$*]*$/.test(value) ? [value.trim().split(/\s+/)] : [];
}

function listFrom(value: unknown): unknown[] {
  if (isMap(value)) {
    const entries = Object.entries(value);
    const chosen = entries.filter(([, each]) => each !== false).map(([key]) => key);
    return [entries.map(([key, item]) => ({ [key]: item })), ...(chosen.length > 0 ? [chosen] : [])];
  }
  if (value === null || value === undefined || Array.isArray(value)) return [];
  const words = typeof value === 'string' ? value.split(',').map((word) => word.trim()) : [];
  return [...(words.length > 1 ? [words] : []), [value]];
}

/** A text that is to be a number, or a yes. */
function plainFrom(schema: z.ZodType, value: unknown, unit: string | undefined): unknown[] {
  if (schema instanceof z.ZodNumber && typeof value === 'string') return [writtenNumber(value, unit)];
  if (schema instanceof z.ZodBoolean && (typeof value === 'string' || typeof value === 'number')) {
    const word = String(value).toLowerCase();
    if (['yes', 'on', 'true', '1', 'y'].includes(word)) return [true];
    return ['no', 'off', 'false', '0', 'n'].includes(word) ? [false] : [];
  }
  return [];
}

function optionFrom(union: z.ZodUnion, value: unknown): unknown[] {
  const names = keysOf(union);
  if (names.includes('workspace') && names.includes('globs')) return dataForms(value);
  const rewards = names.includes('sum') ? rewardForms(value, names) : [];
  if (rewards.length > 0) return rewards;
  if (Array.isArray(value)) return value.length === 1 ? [value[0]] : [];
  const [[key, only] = [], ...others] = isMap(value) ? Object.entries(value) : [];
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
  const meant = candidates(schema, value).find((each) => each !== undefined && schema.safeParse(each).success);
  return meant === undefined ? undefined : onOneLine(meant);
}

/** A value as YAML on one line; undefined where that would be long. */
export function onOneLine(value: unknown): string | undefined {
  const text = written(value);
  return text.length > longest ? undefined : text;
}

/** What is said behind a message of what was meant: a word, or a form that is to be written. */
export function guess(suggestion: string | undefined): string {
  if (suggestion === undefined) return '';
  return isForm(suggestion) ? `: write ${suggestion}` : ` (did you mean "${suggestion}"?)`;
}

/** Settings, lists, numbers and truth are written as they stand; of words it is clearer where they end. */
export const isForm = (suggestion: string): boolean =>
  /^(?:[[{]|[-+\d.]+(?:e[-+]?\d+)?$|true$|false$)/i.test(suggestion);

function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return scalar(value);
  const pairs = Object.entries(value).map(([key, item]) => `${scalar(key)}: ${written(item)}`);
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

/** YAML reads some words as something else than text. */
const scalar = (value: unknown): string =>
  typeof value === 'string' && /^(?!(?:true|false|null|yes|no|on|off)$)[./A-Za-z_][\w./:-]*(?<!:)$/i.test(value)
    ? value
    : JSON.stringify(value);
