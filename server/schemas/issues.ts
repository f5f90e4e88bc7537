/** What a schema has to say about a value, in words and with the exact place: one problem for each key that is wrong. */
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { rightForm } from './right-form.ts';
import { meaningsOf } from './synonyms.ts';
import { keysOf, unitOf, unwrap } from './unwrap.ts';
import { otherUnit } from './written-number.ts';

export type Path = readonly (string | number)[];

export interface SchemaProblem {
  /** From the root to the value; for an unknown key, to the object that has it. */
  readonly path: Path;
  /** The key that is wrong; undefined where it is the value at `path`, or where a key is missing below `path`. */
  readonly key?: string;
  /** Whether the place is the key that holds `path`, because what is wrong is what is not there. */
  readonly missing?: boolean;
  /** The key that is missing. */
  readonly lacks?: string;
  /** Whether the message says which settings there are. */
  readonly lists?: boolean;
  readonly message: string;
  /** What was probably meant. */
  readonly suggestion?: string;
}

type Issue = z.core.$ZodIssue;

/**
 * Checks a value and explains every problem. Of a union, only the option that the value comes closest to is talked about.
 *
 * @param base where the value stands in its document; put in front of all paths
 */
export function explain(schema: z.ZodType, value: unknown, base: Path = []): SchemaProblem[] {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return [];
  return once(parsed.error.issues.flatMap((issue) => explainIssue(schema, value, issue, base)));
}

/** What is missing is not told where the same settings have it misspelt, or are explained as a whole. */
function once(problems: readonly SchemaProblem[]): SchemaProblem[] {
  const nameless = problems.filter(({ lacks }) => lacks === undefined);
  const missing = problems.filter(({ lacks }) => lacks !== undefined);
  const told = new Set<SchemaProblem>();
  const explained = nameless.map((problem) => {
    if (problem.key === undefined) return problem;
    const beside = missing.filter(
      ({ path }) => path.length === problem.path.length && path.every(sameIn(problem.path)),
    );
    for (const each of beside) if (each.lacks === problem.suggestion) told.add(each);
    if (problem.suggestion !== undefined || problem.lists !== true) return problem;
    const needs = beside.flatMap((each) => (told.has(each) ? [] : (each.lacks ?? [])));
    for (const each of beside) told.add(each);
    return needs.length === 0 ? problem : { ...problem, message: `${problem.message}, and needs ${needs.join(', ')}` };
  });
  return [...explained, ...missing.filter((each) => !told.has(each))];
}

const sameIn = (path: Path) => (part: string | number, i: number) => path[i] === part;

/** Longer words are not misspelt ones. */
const longestWord = 64;

/** The entry of `known` that a misspelt word probably meant, or a word of another tool; never the word itself. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  if (word.length > longestWord) return undefined;
  const known = words.filter((entry) => entry !== word);
  const meant = meaningsOf(word).find((entry) => known.includes(entry));
  if (meant !== undefined) return meant;
  const limit = Math.max(1, Math.floor(word.length / 3));
  const plain = (text: string) => text.toLowerCase().replaceAll('-', '_');
  const ranked = known
    .map((entry) => ({ entry, far: distance(plain(word), plain(entry)) }))
    .sort((a, b) => a.far - b.far);
  return ranked.length > 0 && ranked[0].far <= limit ? ranked[0].entry : undefined;
}

function explainIssue(schema: z.ZodType, value: unknown, issue: Issue, base: Path): SchemaProblem[] {
  const inner = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const path = [...base, ...inner];
  const found = valueAt(value, inner);
  const name = placeName(path);
  if (found === undefined && issue.code !== 'unrecognized_keys') {
    const lacks = inner.at(-1);
    return [
      {
        path: path.slice(0, -1),
        missing: true,
        message: `${name} is missing`,
        ...(typeof lacks === 'string' ? { lacks } : {}),
      },
    ];
  }
  switch (issue.code) {
    case 'unrecognized_keys': {
      const own = schemaAt(schema, inner);
      const form = own instanceof z.ZodUnion ? rightForm(own, found) : undefined;
      if (form !== undefined) return [otherForm(path, found, form)];
      const known = keysOf(own);
      return issue.keys.map((key) => ({
        path,
        key,
        ...noSetting(path, key, known),
        ...suggest(nearest(key, unused(known, found))),
      }));
    }
    case 'invalid_union':
      return explainUnion(schemaAt(schema, inner), found, issue, path);
    case 'invalid_value': {
      const values = issue.values.map(String);
      const form = typeof found === 'string' ? undefined : rightForm(schemaAt(schema, inner), found);
      return [
        form === undefined
          ? oneOf(path, name, found, values)
          : { ...oneOf(path, name, found, values), suggestion: form },
      ];
    }
    case 'invalid_type': {
      const own = wrappedAt(schema, inner);
      const meant = rightForm(own, found);
      const unit = typeof found === 'string' && meant === undefined ? otherUnit(found, unitOf(own)) : '';
      const message = `${name} should be ${typeName(issue.expected)} and is ${describe(found)}${unit}`;
      return [{ path, message, ...suggest(meant) }];
    }
    case 'too_small':
    case 'too_big':
      return [{ path, message: `${name} ${boundOf(issue)}` }];
    default:
      return [{ path, message: `${name}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}` }];
  }
}

const otherForm = (path: Path, value: unknown, form: string): SchemaProblem => ({
  path,
  message: `${placeName(path)} takes another form than ${describe(value)}`,
  suggestion: form,
});

/** Keys that an object does not have yet: the others are not misspelt. */
const unused = (known: readonly string[], object: unknown): string[] =>
  known.filter((key) => !Object.hasOwn(object as object, key));

/** So many settings can be listed in a sentence. */
const mostListed = 12;

function noSetting(path: Path, key: string, known: readonly string[]): Pick<SchemaProblem, 'message' | 'lists'> {
  const owner = path.at(-1);
  return typeof owner === 'string' && known.length > 0 && known.length <= mostListed
    ? { message: `${owner} has no setting ${quoted(key)} but ${known.join(', ')}`, lists: true }
    : { message: `There is no setting ${quoted(key)} here` };
}

/** What has a name and settings, such as `{ length: { max: 3 } }`, among the options of a union. */
function namedOptions(options: readonly z.ZodType[]): Map<string, z.ZodType> {
  const named = new Map<string, z.ZodType>();
  for (const option of options) {
    const [name, ...others] = keysOf(option);
    const inner = name === undefined || others.length > 0 ? undefined : schemaAt(option, [name]);
    if (inner !== undefined) named.set(name, inner);
  }
  return named;
}

/** What to write for a name that cannot do without settings. */
function needsSettings(name: string, schema: z.ZodType): string {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return `${name} needs a list: write { ${name}: [...] }`;
  const needed = Object.entries(inner.shape as Record<string, z.ZodType>)
    .filter(([, each]) => !each.safeParse(undefined).success)
    .map(([key]) => key);
  const written = needed.map((key) => `${key}: ...`).join(', ');
  return `${name} needs ${needed.join(', ')}: write { ${name}: { ${written} } }`;
}

type UnionIssue = Extract<Issue, { code: 'invalid_union' }>;

function explainUnion(schema: z.ZodType | undefined, value: unknown, issue: UnionIssue, path: Path): SchemaProblem[] {
  const name = placeName(path);
  if ('discriminator' in issue && issue.errors.length === 0) {
    const { options } = issue as { options?: readonly unknown[] };
    return [oneOf(path, name, value, (options ?? []).map(String))];
  }
  const unwrapped = schema === undefined ? undefined : unwrap(schema);
  const options = unwrapped instanceof z.ZodUnion ? (unwrapped.options as readonly z.ZodType[]) : [];
  const named = namedOptions(options);
  if (typeof value === 'string') {
    const meant = named.get(value);
    if (meant !== undefined) return [{ path, message: needsSettings(value, meant) }];
  }
  const form = rightForm(schema, value);
  if (form !== undefined) return [otherForm(path, value, form)];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const firsts = options.flatMap((option) => keysOf(option).slice(0, 1));
    if (Object.keys(value).length === 0 && firsts.length > 1)
      return [{ path, message: `${name} is empty; there are ${[...new Set(firsts)].join(', ')}` }];
    const holding = options.filter((option) => keysOf(option).some((key) => Object.hasOwn(value, key)));
    if (holding.length === 1) return explain(holding[0], value, path);
  }
  const ranked = issue.errors
    .map((issues, i) => ({ issues, option: options[i], cost: costOf(issues, value) }))
    .sort((a, b) => a.cost - b.cost);
  const best = ranked[0];
  if (best === undefined || best.option === undefined || best.cost === Number.POSITIVE_INFINITY) {
    const kinds = [...new Set(ranked.flatMap(({ issues }) => issues.map(expectedBy)))].filter((kind) => kind !== '');
    return [{ path, message: `${name} should be ${kinds.join(' or ')} and is ${describe(value)}` }];
  }
  const wrong = best.issues.find((each) => each.code === 'invalid_value' && valueAt(value, each.path) !== undefined);
  if (wrong !== undefined) {
    // Options told apart by one word: all the words are possible.
    const place = wrong.path.join('.');
    const words = issue.errors
      .flat()
      .flatMap((each) =>
        each.code === 'invalid_value' && each.path.join('.') === place ? each.values.map(String) : [],
      );
    const full = [...path, ...wrong.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
    // Names that need settings are names as well.
    if (wrong.path.length === 0) words.push(...named.keys());
    return [oneOf(full, placeName(full), valueAt(value, wrong.path), [...new Set(words)])];
  }
  const strange = best.issues.find((each) => each.code === 'unrecognized_keys' && each.path.length === 0);
  if (strange?.code === 'unrecognized_keys' && best.issues.some((each) => each !== strange && missing(each, value))) {
    // Fits no option; which one was meant is not known, so the keys of all of them are offered.
    const known = [...new Set(keysOf(unwrapped))];
    const direct = directValue(issue, value);
    if (direct !== undefined) return [{ path, message: `${name} takes the text itself`, suggestion: direct }];
    return strange.keys.map((key) => {
      const suggestion = nearest(key, unused(known, value));
      const offer = suggestion === undefined ? `; there are ${known.join(', ')}` : '';
      return { path, key, message: `There is no setting ${quoted(key)} here${offer}`, ...suggest(suggestion) };
    });
  }
  const { option } = best;
  return best.issues.flatMap((each) => explainIssue(option, value, each, path));
}

const wholes: ReadonlySet<string> = new Set(['data', 'jsonl', 'text', 'workspace', 'model']);

/**
 * Of settings with one unknown key, its value, where that could stand in their place: `data: { path: a.txt }` is `data: a.txt`.
 * Rows of JSON have a key of their own.
 */
function directValue(issue: UnionIssue, value: unknown): string | undefined {
  const whole = issue.errors.flat().filter(({ path }) => path.length === 0);
  const takesText = whole.some((each) => each.code === 'invalid_type' && each.expected === 'string');
  const [[key, only] = [], ...others] = Object.entries(value ?? {});
  if (!takesText || key === undefined || others.length > 0 || typeof only !== 'string') return undefined;
  const meant = meaningsOf(key).some((word) => wholes.has(word));
  // Written without quotes it has to stay a text.
  const plain =
    /^[\w./\\-](?:[\w./\\:-]*[\w./\\-])?$/.test(only) &&
    /[a-z]/i.test(only) &&
    !/^(?:true|false|null|[-+.\d_e]+|0x.*)$/i.test(only);
  return meant && plain && !/\.jsonl?$/i.test(only) ? only : undefined;
}

const missing = (issue: Issue, value: unknown) =>
  issue.code !== 'unrecognized_keys' && valueAt(value, issue.path) === undefined;

/** How far a value is from an option of a union. */
function costOf(issues: readonly Issue[], value: unknown): number {
  let cost = 0;
  for (const issue of issues) {
    const whole = issue.path.length === 0;
    if (whole && issue.code === 'invalid_type') return Number.POSITIVE_INFINITY;
    if (whole && issue.code === 'invalid_value' && typeof value !== 'string') return Number.POSITIVE_INFINITY;
    if (issue.code === 'unrecognized_keys') cost += 2 * issue.keys.length;
    else if (issue.code === 'invalid_value') cost += valueAt(value, issue.path) === undefined ? 2 : 1.5;
    else cost += valueAt(value, issue.path) === undefined ? 1 : 0.5;
  }
  return cost;
}

function oneOf(path: Path, name: string, value: unknown, values: readonly string[]): SchemaProblem {
  const list = values.length === 1 ? values[0] : `one of ${values.join(', ')}`;
  const suggestion = typeof value === 'string' ? nearest(value, values) : undefined;
  return { path, message: `${name} should be ${list} and is ${describe(value)}`, ...suggest(suggestion) };
}

const suggest = (suggestion: string | undefined) => (suggestion === undefined ? {} : { suggestion });

function boundOf(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  const small = issue.code === 'too_small';
  const limit = Number(small ? issue.minimum : issue.maximum);
  const what =
    issue.origin === 'array' || issue.origin === 'tuple'
      ? `have ${limit === 1 ? '1 entry' : `${limit} entries`}`
      : issue.origin === 'string'
        ? `have ${limit === 1 ? '1 character' : `${limit} characters`}`
        : undefined;
  if (what !== undefined) return `should ${what} ${small ? 'or more' : 'at most'}`;
  if (issue.inclusive === false) return `should be ${small ? 'greater' : 'less'} than ${limit}`;
  return `should be ${limit} or ${small ? 'more' : 'less'}`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'settings (key: value)',
  record: 'settings (key: value)',
};

function expectedBy(issue: Issue): string {
  if (issue.code === 'invalid_type') return typeName(issue.expected);
  return issue.code === 'invalid_value' ? issue.values.join(', ') : '';
}

const typeName = (expected: string): string => typeNames[expected] ?? expected;

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'settings (key: value)';
  return typeof value === 'string' ? quoted(value) : String(value);
}

/** What a place is called: its last key, with the place in a list behind it. */
function placeName(path: Path): string {
  const at = path.findLastIndex((part) => typeof part === 'string');
  if (at < 0) return 'The spec';
  const places = path.slice(at + 1).map((part) => `[${part}]`);
  return `${quoted(String(path[at]))}${places.join('')}`;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}

function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  const at = wrappedAt(schema, path);
  return at === undefined ? undefined : unwrap(at);
}

/** With what is wrapped around it, where its description is. */
function wrappedAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  let at: z.ZodType | undefined = schema;
  for (const part of path) {
    const outer: z.ZodType = unwrap(at);
    if (outer instanceof z.ZodObject) at = outer.shape[part] as z.ZodType | undefined;
    else if (outer instanceof z.ZodArray) at = outer.element as z.ZodType;
    else if (outer instanceof z.ZodUnion) {
      at = (outer.options as readonly z.ZodType[])
        .map((option) => wrappedAt(option, [part]))
        .find((s) => s !== undefined);
    } else return undefined;
    if (at === undefined) return undefined;
  }
  return at;
}
