/**
 * `search.json`: a search on disk. The tree lies in columns, one entry a node in order of creation; edges are pooled and cut by their
 * lengths. NaN (no prior, value, reward, score) is null. What follows from the rest (children, positions, exclusions) is
 * not stored. Keys and values of the model are not either: the branches are read again when they are needed.
 */
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { diskErrors } from '../files/errors.ts';
import { limits, readText } from '../files/open.ts';
import { isAbsent } from '../files/place.ts';
import { modelErrors } from '../model/model-errors.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { searchErrors } from './errors.ts';
import type { Judge } from './judge.ts';
import type { SearchModel } from './model.ts';
import { searchOptionsSchema } from './options.ts';
import { Search } from './search.ts';
import type { SimulationLog } from './simulations.ts';
import { flag, ownFlags, type SearchTree } from './tree.ts';

export const snapshotVersion = 1;

const count = z.number().int().nonnegative();
const word = z.number().int();
const counts = z.array(count);
const numbers = z.array(z.number());
const optionals = z.array(z.number().nullable());

const treeSchema = z.object({
  /** -1 for the root, else a lower id. */
  parent: z.array(z.number().int().min(-1)),
  /** Actions (and tokens) on the edge to the node. */
  edge: counts,
  /** Bellman errors of the edge. */
  error_count: counts,
  /** Edges one after the other. */
  actions: counts,
  tokens: counts,
  errors: numbers,
  N: counts,
  W: numbers,
  /** P. */
  prior: optionals,
  /** V of the value head. */
  value: optionals,
  reward: optionals,
  /** A person's. */
  score: optionals,
  /** Counted simulations that ended at the node, those of them with a value of their own, and the sum of these values. */
  own: counts,
  judged: counts,
  judged_sum: numbers,
  /** 1 terminal, 2 banned, 4 forced, 8 without a score. */
  flags: z.array(z.number().int().min(0).max(ownFlags)),
  /** Simulations done when the node was made. */
  born: counts,
});

const simulationSchema = z.object({
  node: count,
  /** What was backed up; null if it was not counted. */
  value: z.number().nullable(),
  reward: z.number().nullable(),
  parts: z.record(z.string(), z.number()).nullable(),
  no_score: z.string().nullable(),
  /** The rollout from the node. */
  actions: counts,
  tokens: counts,
  /** Generated tokens up to here. */
  generated: count,
});

export const snapshotSchema = z.object({
  kind: z.literal('cola-search'),
  version: z.literal(snapshotVersion),
  num_codes: count,
  prompt: counts.min(1),
  options: searchOptionsSchema,
  random: z.tuple([word, word, word, word]),
  spent: z.object({ simulations: count, tokens: count, seconds: z.number().nonnegative() }),
  tree: treeSchema,
  simulations: z.array(simulationSchema),
});

export type SearchSnapshot = z.output<typeof snapshotSchema>;

const nullable = (values: Float64Array) => Array.from(values, (v) => (Number.isNaN(v) ? null : v));

/** What a snapshot is taken of. */
export type Searched = Pick<Search<unknown>, 'tree' | 'log' | 'spent' | 'prompt' | 'options' | 'randomState'> & {
  readonly model: Pick<SearchModel<unknown>, 'numCodes'>;
};

/** The whole search as plain data. What is under way in a paused run is left out: it is done again. */
export function takeSnapshot(search: Searched): SearchSnapshot {
  const { tree, log, spent, prompt, options } = search;
  const n = tree.count;
  const ids = Array.from({ length: n }, (_, id) => id);
  const list = (column: ArrayLike<number> & { subarray(start: number, end: number): ArrayLike<number> }) =>
    Array.from(column.subarray(0, n));
  const optional = (column: Float64Array) => nullable(column.subarray(0, n));
  const pool = (pieces: (id: number) => ArrayLike<number>) => ids.flatMap((id) => Array.from(pieces(id)));
  return {
    kind: 'cola-search',
    version: snapshotVersion,
    num_codes: search.model.numCodes,
    prompt: [...prompt],
    options,
    random: [...search.randomState],
    spent: { ...spent },
    tree: {
      parent: list(tree.parent),
      edge: list(tree.edgeLength),
      error_count: list(tree.errorCount),
      actions: pool((id) => tree.edgeActions(id)),
      tokens: pool((id) => tree.edgeTokens(id)),
      errors: pool((id) => tree.edgeErrors(id)),
      N: list(tree.N),
      W: list(tree.W),
      prior: optional(tree.prior),
      value: optional(tree.value),
      reward: optional(tree.reward),
      score: optional(tree.score),
      own: list(tree.own),
      judged: list(tree.judged),
      judged_sum: list(tree.judgedSum),
      flags: Array.from(tree.flags.subarray(0, n), (bits) => bits & ownFlags),
      born: list(tree.born),
    },
    simulations: log.entries.map((entry) => ({
      node: entry.node,
      value: entry.value,
      reward: entry.reward,
      parts: entry.parts === null ? null : { ...entry.parts },
      no_score: entry.noScore,
      actions: Array.from(entry.rolloutActions),
      tokens: Array.from(entry.rolloutTokens),
      generated: entry.generated,
    })),
  };
}

/**
 * Checks data that should be a snapshot.
 *
 * @param file for messages
 * @param overTurns whether an edge is a turn, which may be as long as an answer
 * @throws search.snapshotJson, search.snapshotVersion
 */
export function parseSnapshot(json: unknown, file: string, overTurns = false): SearchSnapshot {
  const version = z.looseObject({ kind: z.literal('cola-search'), version: z.number() }).safeParse(json);
  if (version.success && version.data.version !== snapshotVersion) {
    throw searchErrors.snapshotVersion(file, version.data.version, snapshotVersion);
  }
  const parsed = snapshotSchema.safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw searchErrors.snapshotJson(file, path === '' ? detail : `"${path}": ${detail}`);
  }
  const problem = contradiction(parsed.data, overTurns);
  if (problem !== undefined) throw searchErrors.snapshotJson(file, problem);
  return parsed.data;
}

/** What the parts of a snapshot say against each other. */
function contradiction(
  { tree, simulations, spent, options, num_codes: codes }: SearchSnapshot,
  overTurns: boolean,
): string | undefined {
  const n = tree.parent.length;
  const { actions, tokens, errors, ...columns } = tree;
  for (const [name, column] of Object.entries(columns)) {
    if (column.length !== n) return `"tree.${name}" has ${column.length} entries for ${n} nodes`;
  }
  const lengths: number[] = [];
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  if (
    sum(tree.edge) !== actions.length ||
    actions.length !== tokens.length ||
    sum(tree.error_count) !== errors.length
  ) {
    return 'the edges do not add up';
  }
  if (n === 0 || tree.parent[0] !== -1 || tree.edge[0] !== 0) return 'the tree has no root';
  for (let id = 1; id < n; id++) {
    const parent = tree.parent[id];
    if (parent < 0 || parent >= id || tree.edge[id] === 0) return `node ${id} is not connected`;
    if ((tree.flags[parent] & flag.terminal) !== 0) return `node ${id} is below an ended answer`;
    lengths[id] = (lengths[parent] ?? 0) + tree.edge[id];
    if (!overTurns && lengths[id] > options.max_new) return `the branch to node ${id} is longer than an answer may be`;
  }
  if (actions.some((action) => action >= codes)) return 'an action is beyond the number of codes';
  if (simulations.some(({ node }) => node >= n)) return 'a simulation is of a node that is not there';
  if (simulations.some((s) => s.actions.length !== s.tokens.length)) return 'a rollout has not one action a token';
  if (spent.simulations !== simulations.length) return 'the number of simulations differs from what was spent';
  return undefined;
}

/**
 * A search that continues from a snapshot exactly as the saved one would have.
 *
 * @throws search.snapshotModel, model.idOutOfRange, and what the constructor of {@link Search} throws
 */
export function restoreSearch<S>(
  snapshot: SearchSnapshot,
  model: SearchModel<S>,
  judge: Judge,
  clock?: () => number,
): Search<S> {
  checkTokens(snapshot, model);
  const search = new Search(model, snapshot.prompt, judge, snapshot.options, clock);
  growFrom(snapshot, search);
  search.tree.derive();
  search.resume(snapshot.random, snapshot.spent);
  return search;
}

/** @throws search.snapshotModel, model.idOutOfRange */
export function checkTokens(
  { num_codes: codes, prompt, tree, simulations }: SearchSnapshot,
  { numCodes, vocabSize }: { readonly numCodes: number; readonly vocabSize: number },
): void {
  if (codes !== numCodes) throw searchErrors.snapshotModel(codes, numCodes);
  checkIds([prompt, tree.tokens, ...simulations.map((each) => each.tokens)], vocabSize);
}

/** A device may read beyond its tables without a word. @throws model.idOutOfRange */
export function checkIds(rows: readonly (readonly number[])[], vocabSize: number): void {
  for (const tokens of rows) {
    const strange = tokens.find((id) => id >= vocabSize);
    if (strange !== undefined) throw modelErrors.idOutOfRange(strange, vocabSize);
  }
}

/** Nodes and simulations as they were, in a tree that has its root alone; what follows from them is to be derived. */
export function growFrom(
  { tree: from, simulations }: SearchSnapshot,
  { tree, log }: { readonly tree: SearchTree; readonly log: SimulationLog },
): void {
  const number = (value: number | null) => value ?? Number.NaN;
  let [edge, error] = [0, 0];
  for (const [id, parent] of from.parent.entries()) {
    const actions = from.actions.slice(edge, edge + from.edge[id]);
    const tokens = from.tokens.slice(edge, edge + from.edge[id]);
    const errors = from.errors.slice(error, error + from.error_count[id]);
    edge += from.edge[id];
    error += from.error_count[id];
    if (id > 0)
      tree.add(parent, { actions, tokens, errors, prior: number(from.prior[id]), terminal: false }, from.born[id]);
    tree.N[id] = from.N[id];
    tree.W[id] = from.W[id];
    tree.value[id] = number(from.value[id]);
    tree.reward[id] = number(from.reward[id]);
    tree.score[id] = number(from.score[id]);
    tree.own[id] = from.own[id];
    tree.judged[id] = from.judged[id];
    tree.judgedSum[id] = from.judged_sum[id];
    tree.flags[id] = from.flags[id];
  }
  for (const simulation of simulations) {
    log.push({
      node: simulation.node,
      value: simulation.value,
      reward: simulation.reward,
      parts: simulation.parts,
      noScore: simulation.no_score,
      rolloutActions: simulation.actions,
      rolloutTokens: simulation.tokens,
      generated: simulation.generated,
    });
  }
}

/** Writes `search.json`, completely or not at all. @throws store.cannotWrite */
export async function saveSearch<S>(file: string, search: Search<S>): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(takeSnapshot(search))}\n`);
}

/** @throws store.cannotRead, search.snapshotJson, search.snapshotVersion */
export async function readSnapshot(file: string): Promise<SearchSnapshot> {
  return parseSnapshot(readSearchJson(file), file);
}

/** @throws store.cannotRead, search.snapshotJson */
export function readSearchJson(file: string): unknown {
  try {
    return JSON.parse(readText(file, limits.whole));
  } catch (error) {
    if (isAbsent(error)) throw diskErrors.cannotRead(file, error);
    throw searchErrors.snapshotJson(file, error instanceof Error ? error.message : String(error));
  }
}
