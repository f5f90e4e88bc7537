/** A run spec as text: YAML with exact places of everything that is wrong, and back. */
import { statSync } from 'node:fs';
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
import { limits, readBytes } from '../files/open.ts';
import { readable } from '../files/place.ts';
import type { Path, SchemaProblem } from '../schemas/issues.ts';
import { guess } from '../schemas/right-form.ts';
import { check } from './check.ts';
import { specErrors } from './errors.ts';
import { type Excess, excess, specLimits } from './limits.ts';
import type { RunSpec } from './schema.ts';
import {
  aliasOfNothing,
  commaInNumber,
  firstLine,
  type Mistake,
  mistakeOf,
  plainMistake,
  type Range,
  unspaced,
} from './yaml-mistakes.ts';

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
  const document = parseDocument(text, {
    lineCounter: lines,
    customTags,
    prettyErrors: false,
    stringKeys: true,
    merge: true,
  });
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
  const mistake = ({ message, range, suggestion }: Mistake) => problem(message, range, [], suggestion);
  const broken = [...document.errors, ...document.warnings];
  const plain = plainMistake(text) ?? commaInNumber(document, text);
  if (plain !== undefined) return { problems: [mistake(plain)] };
  if (broken.length > 0) {
    const first = broken.slice(0, specLimits.problems);
    return { problems: first.map((each) => mistake(mistakeOf(text, document, each))) };
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // An alias of nothing, or aliases that multiply without bound.
    const stray = strayAlias(document);
    if (stray !== undefined) return { problems: [mistake(aliasOfNothing(text, stray))] };
    const message = firstLine(error instanceof Error ? error.message : String(error));
    return { problems: [problem(message, [0, text.length])] };
  }
  if (!isMap(document.contents)) {
    const range = document.contents === null ? ([0, 0] as const) : rangeOf(document.contents);
    const meant = unspaced(text, range[0]);
    if (meant !== undefined) return { problems: [mistake(meant)] };
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
    const bytes = readBytes(file, limits.document);
    const kind =
      bytes[0] === 0xff && bytes[1] === 0xfe
        ? 'utf-16le'
        : bytes[0] === 0xfe && bytes[1] === 0xff
          ? 'utf-16be'
          : 'utf-8';
    text = new TextDecoder(kind, { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw specErrors.notUtf8(file, error);
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) throw specErrors.folder(file);
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
