/** A run spec as text: YAML with exact places of everything that is wrong, and back. */
import {
  Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type ScalarTag,
  type Tags,
  visit,
} from 'yaml';
import { z } from 'zod';
import { limits, readBytes } from '../files/open.ts';
import { readable } from '../files/place.ts';
import { explain, nearest, type Path, type SchemaProblem } from '../schemas/issues.ts';
import { guess, onOneLine } from '../schemas/right-form.ts';
import { specErrors } from './errors.ts';
import { type Excess, excess, specLimits } from './limits.ts';
import { brokenRules } from './rules.ts';
import { type RunSpec, runSpec, toRunSpec } from './schema.ts';
import { isStageName, stageNames, stages as stageTable } from './stages.ts';

export { rebaseSpec, resolveModel, resolvePath } from './paths.ts';

/** A place in the text. */
export interface SpecPosition {
  /** From 0. */
  readonly line: number;
  /** UTF-16 units from the start of the line, from 0. */
  readonly column: number;
  /** UTF-16 units from the start of the text. */
  readonly offset: number;
}

export interface SpecProblem {
  readonly message: string;
  readonly start: SpecPosition;
  /** Behind the last character. */
  readonly end: SpecPosition;
  /** Keys and indices from the root to what is wrong; empty for a mistake in the YAML. */
  readonly path: Path;
  /** The word that was probably meant, to replace the range. */
  readonly suggestion?: string;
}

export interface ParsedSpec {
  /** There if and only if there are no problems. */
  readonly spec?: RunSpec;
  readonly problems: readonly SpecProblem[];
}

/** Numbers with underscores between digits, as YAML 1.1 and most programming languages have them: 2_000_000. */
const underscored: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  identify: () => false,
  test: /^[-+]?[0-9]+(?:_[0-9]+)+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/,
  resolve: (text) => Number(text.replaceAll('_', '')),
};
const customTags = (tags: Tags): Tags => [underscored, ...tags];

/** The spec without the inside of its stages, which are checked one by one. */
const frame = runSpec.extend({ stages: z.array(z.unknown()).min(1) });

type Range = readonly [start: number, end: number];

/**
 * Reads a spec. Every problem has the range of the key or value that is wrong; what is missing is reported at the key of
 * the settings that lack it.
 *
 * @param file name of the text, for messages that need one
 */
export function parseSpec(text: string, file: string): ParsedSpec {
  const tooMuch = excess(text);
  const lines = new LineCounter();
  if (tooMuch !== undefined) return { problems: [excessProblem(text, tooMuch)] };
  const document = parseDocument(text, { lineCounter: lines, customTags, prettyErrors: false, stringKeys: true });
  const place = (offset: number): SpecPosition => {
    const { line, col } = lines.linePos(offset);
    return { line: line - 1, column: col - 1, offset };
  };
  const problem = (message: string, [start, end]: Range, path: Path = [], suggestion?: string): SpecProblem => ({
    message,
    start: place(start),
    // A mapping over several lines ends only where the next key begins.
    end: place(start + text.slice(start, end).trimEnd().length),
    path,
    ...(suggestion === undefined ? {} : { suggestion }),
  });
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    const first = broken.slice(0, specLimits.problems);
    return {
      problems: first.map(({ message, pos }) => {
        const pair = pairInLine(text, message, pos[0]);
        if (pair === undefined) return problem(firstLine(message), within(pos, text));
        const meant = `{ ${text.slice(...pair)} }`;
        return problem(`Two keys stand one behind the other: write ${meant}`, pair, [], meant);
      }),
    };
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // An alias of nothing, or aliases that multiply without bound.
    const range = strayAlias(document) ?? [0, text.length];
    return { problems: [problem(firstLine(error instanceof Error ? error.message : String(error)), range)] };
  }
  if (!isMap(document.contents)) {
    const range = document.contents === null ? ([0, 0] as const) : rangeOf(document.contents);
    return { problems: [problem(`${file} should have the settings model and stages`, range)] };
  }
  if (!countsWithin(value, specLimits.values)) {
    const range = rangeOf(firstKey(document.contents) ?? document.contents);
    return { problems: [problem(`The aliases of the spec stand for more than ${specLimits.values} values`, range)] };
  }
  const { spec, problems } = check(value);
  const complete = spec === undefined ? undefined : excess(stringifySpec(spec));
  if (complete !== undefined) {
    // A run keeps its spec written out, and has to be able to read it again.
    const message = `${complete.message}; so it should with all defaults and aliases written out`;
    return { problems: [problem(message, rangeOf(firstKey(document.contents)))] };
  }
  const found = problems.slice(0, specLimits.problems).map((each) => {
    const { range, path } = locate(document, each);
    return problem(each.message + guess(each.suggestion), range, path, each.suggestion);
  });
  found.sort((a, b) => a.start.offset - b.start.offset);
  return spec === undefined ? { problems: found } : { spec, problems: found };
}

/** `file: a.jsonl` in `data: file: a.jsonl`, which YAML takes for no value: where it stands, if that is the mistake. */
function pairInLine(text: string, message: string, start: number): [number, number] | undefined {
  const inFlow = /^Block collections are not allowed within flow/.test(message);
  if (!inFlow && !/^Nested mappings are not allowed in compact/.test(message)) return undefined;
  const pattern = inFlow ? /[\w-]+:[ \t]+[^\s,{}[\]#]+/y : /[\w-]+:[ \t]+[^\s{}[\]#]+(?=[ \t]*(?:#.*)?$)/my;
  pattern.lastIndex = start;
  const found = pattern.exec(text)?.[0];
  return found === undefined ? undefined : [start, start + found.length];
}

function excessProblem(text: string, { message, start, end }: Excess): SpecProblem {
  const before = text.slice(0, start).split('\n');
  const line = before.length - 1;
  const column = before[line].length;
  const place = { line, column, offset: start };
  return { message, start: place, end: { line, column: column + end - start, offset: end }, path: [] };
}

/** Whether a value has no more values in it than `most`, those that occur several times counted as often. */
function countsWithin(value: unknown, most: number): boolean {
  const open = [value];
  for (let count = 0; open.length > 0; count++) {
    if (count > most) return false;
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    for (const inner of Object.values(next)) open.push(inner);
    if (open.length > most) return false;
  }
  return true;
}

/**
 * Reads the spec in a file.
 *
 * @throws spec.cannotRead, spec.tooLong, files.*; spec.invalid with file, line and column (from 1) of the first problem
 */
export function readSpec(file: string): RunSpec {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readBytes(file, limits.document));
  } catch (error) {
    throw readable(error, (cause) => specErrors.cannotRead(file, cause));
  }
  // A text that is only a little too long is shown where it goes on too far.
  if (text.length > 3 * specLimits.characters) throw specErrors.tooLong(file, specLimits.characters);
  const { spec, problems } = parseSpec(text, file);
  const [first] = problems;
  if (first !== undefined) {
    const { line, column } = first.start;
    throw specErrors.invalid(file, line + 1, column + 1, first.message, problems.length - 1);
  }
  if (spec === undefined) throw new Error('a spec without problems was not read');
  return spec;
}

/** The complete spec as YAML, defaults filled in. Reading it gives an equal spec. */
export function stringifySpec(spec: RunSpec): string {
  const { model, base, device, threads, cluster, seed, stages, evaluate, log } = spec;
  const value = {
    model,
    ...(base.precision === 'auto' && base.model === undefined ? {} : { base }),
    device,
    ...(threads === undefined ? {} : { threads }),
    ...(cluster === undefined ? {} : { cluster }),
    seed,
    stages: stages.map(({ name, settings }) => ({ [name]: settings })),
    evaluate,
    ...(log.length > 0 ? { log } : {}),
  };
  const document = new Document(value, { customTags, keepUndefined: false, aliasDuplicateObjects: false });
  return document.toString({ lineWidth: 0 });
}

/** The spec, or what is wrong with it. */
function check(value: unknown): { spec?: RunSpec; problems: SchemaProblem[] } {
  const problems = explain(frame, value).map(ofStage);
  const entries = stagesOf(value);
  const given = entries.map((entry, i) => checkStage(entry, i));
  problems.push(...given.flat());
  if (problems.length > 0) return { problems };
  // A stage without settings is an empty one.
  const stages = entries.map((entry) =>
    Object.fromEntries(Object.entries(entry as object).map(([k, v]) => [k, v ?? {}])),
  );
  const spec = toRunSpec(runSpec.parse({ ...(value as object), stages }));
  const rules = brokenRules(spec);
  return rules.length > 0 ? { problems: rules } : { spec, problems: [] };
}

function stagesOf(value: unknown): unknown[] {
  const stages = (value as { stages?: unknown }).stages;
  return Array.isArray(stages) ? stages : [];
}

function checkStage(entry: unknown, index: number): SchemaProblem[] {
  const path = ['stages', index];
  const all = stageNames();
  const list = all.join(', ');
  if (typeof entry === 'string') {
    const known = all.find((name) => name === entry);
    const message =
      known === undefined
        ? `There is no stage "${entry}"; there are ${list}`
        : `"${known}" needs its settings: write ${known}: and the settings behind it`;
    return [{ path, message, ...suggested(known === undefined ? nearest(entry, all) : undefined) }];
  }
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry) || Object.keys(entry).length === 0) {
    return [{ path, message: `A stage should be the name of one of ${list}, with its settings` }];
  }
  const names = Object.keys(entry);
  const named = names.find(isStageName);
  const strange = names.filter((name) => name !== named);
  if (named === undefined) {
    const meant = namedInside(entry);
    if (meant !== undefined)
      return [{ path, message: 'A stage is its name with its settings behind it', ...suggested(onOneLine(meant)) }];
    const [key] = names;
    return [{ path, key, message: `There is no stage "${key}"; there are ${list}`, ...suggested(nearest(key, all)) }];
  }
  const settings = (entry as Record<string, unknown>)[named] ?? {};
  // Often settings that are not indented deeply enough.
  const shallow = strange.filter((key) => Object.hasOwn(stageTable[named].settings.shape, key));
  const inside = explain(stageTable[named].settings, settings, [...path, named])
    .filter(({ lacks }) => lacks === undefined || !shallow.includes(lacks))
    .map((each) => otherStage(each, settings, named));
  const deeper = Object.fromEntries(shallow.map((key) => [key, (entry as Record<string, unknown>)[key]]));
  const indented =
    shallow.length > 0 && shallow.length === strange.length && typeof settings === 'object'
      ? onOneLine({ [named]: { ...settings, ...deeper } })
      : undefined;
  if (indented !== undefined) {
    const keys = shallow.map((key) => `"${key}"`).join(', ');
    const message = `${keys} ${shallow.length === 1 ? 'is a setting' : 'are settings'} of the stage ${named} and should be indented below "${named}"`;
    return [...inside, { path, message, suggestion: indented }];
  }
  const outside = strange.map((key) => {
    const message = shallow.includes(key)
      ? `"${key}" is a setting of the stage ${named}: indent it below "${named}"`
      : `A stage has one name; put "${key}" into an entry of its own`;
    return { path, key, message };
  });
  return [...inside, ...outside];
}

/** `{ name: clone, data: a }` as `{ clone: { data: a } }`; undefined for anything else. */
function namedInside(entry: object): object | undefined {
  const pair = Object.entries(entry).find(
    ([key, value]) =>
      ['name', 'stage', 'type', 'kind', 'method'].includes(key) && typeof value === 'string' && isStageName(value),
  );
  if (pair === undefined) return undefined;
  const { [pair[0]]: _name, ...rest } = entry as Record<string, unknown>;
  const [inner, ...others] = Object.values(rest);
  // Settings of their own: `{ name: clone, settings: { data: a } }`.
  const nested = others.length === 0 && typeof inner === 'object' && inner !== null && !('data' in rest);
  return { [pair[1] as string]: nested ? inner : rest };
}

/** Settings of the spec as a whole that are those of a stage. */
function ofStage(problem: SchemaProblem): SchemaProblem {
  const { key, path, suggestion, message } = problem;
  if (key === undefined || path.length > 0) return problem;
  if (isStageName(key)) {
    const { suggestion: _word, ...own } = problem;
    return { ...own, message: `"${key}" is a stage, which stands in the list of them: stages: [{ ${key}: { ... } }]` };
  }
  if (suggestion !== undefined) return problem;
  const stage = (['tokens', 'reinforce'] as const).find((name) => {
    const known = Object.keys(stageTable[name].settings.shape);
    return known.includes(key) || nearest(key, known) !== undefined;
  });
  if (stage === undefined) return problem;
  return { ...problem, message: `${message}: it belongs to a stage, as in stages: [{ ${stage}: { ... } }]` };
}

/** The name of a method that is a stage here. */
function otherStage(problem: SchemaProblem, settings: unknown, own: string): SchemaProblem {
  const { path, key, suggestion, message } = problem;
  const name = key ?? path.at(-1);
  const isChoice = name === 'method' || name === 'algorithm' || name === 'variant';
  if (!isChoice || suggestion !== undefined) return problem;
  const word = (settings as Record<string, unknown>)[name];
  const stage = typeof word !== 'string' ? undefined : isStageName(word) ? word : nearest(word, stageNames());
  if (stage === undefined) return problem;
  const place =
    stage === own ? `the stage is that already: leave "${name}" out` : `${word} is the stage "${stage}" here`;
  return { ...problem, message: `${message}; ${place}` };
}

const suggested = (suggestion: string | undefined) => (suggestion === undefined ? {} : { suggestion });

function strayAlias(document: Document.Parsed): Range | undefined {
  let range: Range | undefined;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) === undefined) range ??= rangeOf(alias);
    },
  });
  return range;
}

type Place = { readonly range: Range; readonly path: Path };

/** Where in the text a problem is. */
function locate(document: Document.Parsed, problem: SchemaProblem): Place {
  let node: unknown = document.contents;
  let key: unknown;
  const walked: (string | number)[] = [];
  const target = problem.key === undefined ? problem.path : [...problem.path, problem.key];
  for (const part of target) {
    const next = step(document, node, part);
    if (next === undefined) break;
    walked.push(part);
    // Entries of a list have no key: what is missing there is reported at the key of the list.
    if (next.key !== undefined) key = next.key;
    node = next.value;
  }
  const path = walked.length === target.length ? target : walked;
  const atKey = problem.key !== undefined || problem.missing === true;
  if (atKey) return { range: rangeOf(key ?? firstKey(document.contents) ?? document.contents), path };
  const range = rangeOf(node);
  // An empty value has no extent; its key stands for it.
  return { range: range[0] === range[1] && key !== undefined ? rangeOf(key) : range, path };
}

function step(
  document: Document.Parsed,
  node: unknown,
  part: string | number,
): { key?: unknown; value: unknown } | undefined {
  const at = isAlias(node) ? node.resolve(document) : node;
  if (isSeq(at) && typeof part === 'number') return { value: at.items[part] };
  if (!isMap(at)) return undefined;
  const pair = (at.items as Pair[]).find(
    (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(part),
  );
  return pair === undefined ? undefined : { key: pair.key, value: pair.value };
}

function firstKey(node: unknown): unknown {
  return isMap(node) ? (node.items[0] as Pair | undefined)?.key : undefined;
}

function rangeOf(node: unknown): Range {
  const range = (node as Node | null)?.range;
  return range === null || range === undefined ? [0, 0] : [range[0], range[1]];
}

/** The range of a mistake in the YAML; the parser often names only where it begins. */
function within([start, end]: readonly [number, number], text: string): Range {
  const from = Math.min(start, text.length);
  const word = /^[\w.-]+/.exec(text.slice(from, from + 200))?.[0].length ?? 1;
  return [from, Math.min(Math.max(end, from + word), text.length)];
}

function firstLine(message: string): string {
  // The parser repeats what it does not understand, whole.
  return message.split('\n')[0].slice(0, 500).replace(/[.:]$/, '');
}
