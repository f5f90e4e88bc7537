/** The values of a run spec against its schema and its rules, in the words of somebody who writes one. */
import { z } from 'zod';
import { areRows } from '../schemas/data-form.ts';
import { explain, nearest, type SchemaProblem } from '../schemas/issues.ts';
import { onOneLine } from '../schemas/right-form.ts';
import { meaningsOf } from '../schemas/synonyms.ts';
import { elsewhere } from './elsewhere.ts';
import { dataKeys } from './path-places.ts';
import { brokenRules } from './rules.ts';
import { type RunSpec, runSpec, toRunSpec } from './schema.ts';
import { isStageName, stageNames, stages as stageTable } from './stages.ts';

/** The spec without the inside of its stages, which are checked one by one. */
const frame = runSpec.extend({ stages: z.array(z.unknown()).min(1) });

/** The spec, or what is wrong with it. */
export function check(value: unknown): { spec?: RunSpec; problems: SchemaProblem[] } {
  const problems = explain(frame, value).map(ofStage);
  if (problems.some(({ path }) => path.length === 1 && path[0] === 'stages')) {
    const dash = withoutBlank(value);
    if (dash !== undefined) return { problems: [dash] };
  }
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
    .map((each) => otherStage(severalRows(ownReward(otherPlace(each, settings), settings), settings), settings, named));
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

/** Stages whose dash has no blank behind it. */
function withoutBlank(value: unknown): SchemaProblem | undefined {
  const { stages } = value as { stages?: unknown };
  const key = typeof stages === 'object' && stages !== null ? Object.keys(stages)[0] : undefined;
  if (key === undefined || !/^-\w/.test(key)) return undefined;
  const meant = `- ${key.slice(1)}`;
  return { path: ['stages'], key, message: 'An entry of a list has a blank behind its dash', suggestion: meant };
}

/** Settings of the spec as a whole that are those of a stage. */
function ofStage(problem: SchemaProblem): SchemaProblem {
  const { key, path, message } = problem;
  if (key === undefined || path.length > 0) return problem;
  if (isStageName(key)) {
    const { suggestion: _word, ...own } = problem;
    return { ...own, message: `"${key}" is a stage, which stands in the list of them: stages: [{ ${key}: { ... } }]` };
  }
  const known = otherwise(problem);
  if (known !== undefined) return known;
  if (problem.suggestion !== undefined) return problem;
  for (const name of ['tokens', 'reinforce'] as const) {
    const settings = Object.keys(stageTable[name].settings.shape);
    const ours = settings.includes(key) ? key : nearest(key, settings);
    if (ours === undefined) continue;
    const own = ours === key ? '...' : `${ours}: ...`;
    return { ...problem, message: `${message}: it belongs to a stage, as in stages: [{ ${name}: { ${own} } }]` };
  }
  return problem;
}

/** A key of a stage that is set elsewhere, or under another name that is there already. */
function otherPlace(problem: SchemaProblem, settings: unknown): SchemaProblem {
  const { key, path, message, suggestion } = problem;
  if (key === undefined || path.length !== 3) return problem;
  const known = otherwise(problem);
  if (known !== undefined) return known;
  if (suggestion !== undefined) return problem;
  if (Object.hasOwn(runSpec.shape, key))
    return { ...problem, message: `${message}: it stands at the top of the spec, beside "model"` };
  const set = meaningsOf(key).find((word) => Object.hasOwn(settings as object, word));
  return set === undefined ? problem : { ...problem, message: `${message} but "${set}", which is set` };
}

/** A reward that is meant to be a program of one's own, and is none that is run. */
function ownReward(problem: SchemaProblem, settings: unknown): SchemaProblem {
  const { path, message, suggestion } = problem;
  const value = path.length === 4 && path[3] === 'reward' ? (settings as Record<string, unknown>).reward : undefined;
  if (typeof value !== 'string' || suggestion !== undefined || !/\.\w{1,4}$|[/\\]|^[\w.]+[.:]\w+$/.test(value))
    return problem;
  const form = '{ module: { path: reward.mjs } }';
  return { ...problem, message: `${message}; a reward of your own is a JavaScript file on this machine: ${form}` };
}

/** Several files of rows, which are read from one. */
function severalRows(problem: SchemaProblem, settings: unknown): SchemaProblem {
  const { path, message, suggestion } = problem;
  const key = path.length === 4 && dataKeys.has(String(path[3])) ? String(path[3]) : undefined;
  const value = key === undefined ? undefined : (settings as Record<string, unknown>)[key];
  const paths = Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
  if (suggestion !== undefined || !areRows(paths)) return problem;
  return {
    ...problem,
    message: `${message}; rows are read from one file: put them together, as with cat *.jsonl > all.jsonl`,
  };
}

/** A word of another tool for what is done elsewhere. A word that is only written alike is not meant. */
function otherwise(problem: SchemaProblem): SchemaProblem | undefined {
  const { key = '', message, suggestion, ...rest } = problem;
  const sentence = elsewhere(key);
  if (sentence === undefined || (suggestion !== undefined && meaningsOf(key).includes(suggestion))) return undefined;
  return { ...rest, key, message: `${message}: ${sentence}` };
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
