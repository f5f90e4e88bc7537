/** A search that is open in the engine, whatever its edges are. */
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { limits, readTextIfThere } from '../files/open.ts';
import { readable } from '../files/place.ts';
import type { ResultOf } from '../protocol/channel/request.ts';
import type {
  inspectNode,
  OneSimulation,
  SearchDescription,
  SearchEvent,
  SearchKey,
  TreeNode,
} from '../protocol/search.ts';
import type { Steered } from '../search/steered.ts';
import { flag, type SearchTree } from '../search/tree.ts';
import { engineErrors } from './errors.ts';

export interface OpenSearch {
  readonly key: SearchKey;
  readonly search: Steered;
  /** Whether it asks for each run of the device by itself, as its worlds may take their time meanwhile. */
  readonly asks: boolean;
  /** Tokens that a card of it has room for at least. */
  readonly room: number;
  run(
    simulations: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly kind: string }, NonNullable<SearchEvent['end']>>;
  /** A child that begins with the action, which alone is visited from then on. @throws search.* */
  tryAction(node: number, action: number): Promise<number>;
  inspect(node: number): Promise<ResultOf<typeof inspectNode>>;
  node(id: number): TreeNode;
  simulation(order: number): OneSimulation;
  /** Ids of at most `most` nodes whose edge completes the text. */
  find(text: string, most: number): number[];
  describe(): SearchDescription;
  progress(end: SearchEvent['end']): SearchEvent;
  /** The whole of it, as its file has it. */
  json(): string;
  /** A page of HTML that needs nothing else. */
  page(): string;
  dispose(): Promise<void>;
}

/** Where a search lies on disk. */
export function searchFile({ root, search }: SearchKey): string {
  return join(root, '.cola', 'searches', `${search}.json`);
}

/** @throws store.cannotWrite */
export const saveOpen = (open: OpenSearch): Promise<void> => writeFileAtomic(searchFile(open.key), open.json());

/** What lies there. @throws engine.noSearch, engine.searchFile, files.* */
export function readSearchFile(key: SearchKey): Readonly<Record<string, unknown>> {
  const file = searchFile(key);
  let text: string | undefined;
  try {
    text = readTextIfThere(file, limits.whole);
  } catch (error) {
    throw readable(error, () => engineErrors.noSearch(file));
  }
  if (text === undefined) throw engineErrors.noSearch(file);
  try {
    return z.looseObject({}).parse(JSON.parse(text));
  } catch (error) {
    const detail =
      error instanceof z.ZodError ? 'it is no object' : error instanceof Error ? error.message : String(error);
    throw engineErrors.searchFile(file, detail);
  }
}

export const finite = (value: number) => (Number.isFinite(value) ? value : null);

/** What the tree says of a node. */
export function nodeOf(tree: SearchTree, id: number, text: string): TreeNode {
  return {
    id,
    parent: tree.parent[id],
    text,
    actions: Array.from(tree.edgeActions(id)),
    visits: tree.N[id],
    q: tree.N[id] === 0 ? null : finite(tree.W[id] / tree.N[id]),
    prior: finite(tree.prior[id]),
    value: finite(tree.value[id]),
    reward: finite(tree.reward[id]),
    score: finite(tree.score[id]),
    terminal: tree.has(id, flag.terminal),
    banned: tree.has(id, flag.banned),
    forced: tree.has(id, flag.forced),
    unscored: tree.has(id, flag.unscored),
    born: tree.born[id],
  };
}

/** How far it is. @param best the node of the best simulation, and what it is worth */
export function progressOf(
  key: SearchKey,
  { tree, log }: Steered,
  best: SearchEvent['best'],
  end: SearchEvent['end'],
): SearchEvent {
  return {
    ...key,
    simulations: log.count,
    nodes: tree.count,
    best,
    rootValue: tree.N[0] === 0 ? null : finite(tree.W[0] / tree.N[0]),
    end,
  };
}
