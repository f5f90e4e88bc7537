/** A search over turns as plain data and as a file: its tree as of any search, with the world and what was said in it. */
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { turnWorld } from '../protocol/search.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { behindTurns, type TakenTurn, type TurnPlayer } from './courses.ts';
import { searchErrors } from './errors.ts';
import {
  checkIds,
  checkTokens,
  growFrom,
  parseSnapshot,
  readSearchJson,
  type SearchSnapshot,
  takeSnapshot,
} from './snapshot.ts';
import { TurnSearch } from './turns.ts';

const count = z.number().int().nonnegative();
/** What a turn has beside its actions and tokens. */
const exchange = z.object({ said: z.string(), observation: z.string(), reward: z.number() });
/** A turn whose actions and tokens are in no tree: how many it has of both. */
const played = exchange.extend({ length: count });
/** One whose actions and tokens are written out. */
const takenTurn = exchange.extend({ actions: z.array(count), tokens: z.array(count) });

const memorySchema = z.object({
  by_action: z.boolean(),
  /** By node, the root left out. */
  taken: z.array(exchange),
  weight: z.array(z.number().nonnegative()),
  drained: z.array(count),
  /** By simulation; null where the episode did not come to its end. */
  rests: z.array(z.array(played).nullable()),
});

/** Where a search over turns takes place. */
const placeSchema = turnWorld.extend({
  /** Folder of the model. */
  model: z.string().min(1).max(4096),
  /** What is seen first. */
  start: z.string(),
  /** Turns before the root. */
  behind: z.array(takenTurn).max(1000),
  /** Turns of an episode at most, those before the root among them. */
  turns: count,
  decoding: z.enum(['actions', 'tokens']),
});
export type TurnPlace = Readonly<Omit<z.output<typeof placeSchema>, 'behind'>> & {
  readonly behind: readonly TakenTurn[];
};

export interface TurnFile {
  readonly place: TurnPlace;
  readonly snapshot: TurnSnapshot;
}

export const turnFileText = (place: TurnPlace, search: TurnSearch): string =>
  `${JSON.stringify({ world: place, ...takeTurnSnapshot(search) })}\n`;

/** @throws store.cannotWrite */
export async function saveTurns(file: string, place: TurnPlace, search: TurnSearch): Promise<void> {
  await writeFileAtomic(file, turnFileText(place, search));
}

/** @throws store.cannotRead, search.snapshotJson, search.snapshotVersion */
export const readTurns = (file: string): TurnFile => parseTurnFile(readSearchJson(file), file);

/** @param json what a file has @param file for messages @throws search.snapshotJson, search.snapshotVersion */
export function parseTurnFile(json: unknown, file: string): TurnFile {
  const parsed = z.looseObject({ world: placeSchema }).safeParse(json);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw searchErrors.snapshotJson(file, `"${path}": ${detail}`);
  }
  return { place: parsed.data.world, snapshot: parseTurnSnapshot(json, file) };
}

export interface TurnSnapshot {
  readonly tree: SearchSnapshot;
  readonly turns: z.output<typeof memorySchema>;
}

const exchangeOf = ({ said, observation, reward }: TakenTurn) => ({ said, observation, reward });

export function takeTurnSnapshot(search: TurnSearch): TurnSnapshot {
  const { byAction, taken, weight, drained, rests } = search.memory;
  return {
    tree: takeSnapshot(search),
    turns: {
      by_action: byAction,
      taken: taken.flatMap((turn) => (turn === undefined ? [] : [exchangeOf(turn)])),
      weight: [...weight],
      drained: [...drained],
      rests: rests.map((rest) => rest?.map((turn) => ({ ...exchangeOf(turn), length: turn.tokens.length })) ?? null),
    },
  };
}

/** @param file for messages @throws search.snapshotJson, search.snapshotVersion */
export function parseTurnSnapshot(json: unknown, file: string): TurnSnapshot {
  const both = z.looseObject({ tree: z.unknown(), turns: z.unknown() }).safeParse(json);
  if (!both.success) throw searchErrors.snapshotJson(file, 'it has no tree and no turns');
  const tree = parseSnapshot(both.data.tree, file, true);
  const parsed = memorySchema.safeParse(both.data.turns);
  if (!parsed.success) {
    const { path, detail } = firstIssue(parsed.error);
    throw searchErrors.snapshotJson(file, `"turns.${path}": ${detail}`);
  }
  const problem = contradiction(tree, parsed.data);
  if (problem !== undefined) throw searchErrors.snapshotJson(file, problem);
  return { tree, turns: parsed.data };
}

function contradiction({ tree, simulations }: SearchSnapshot, turns: TurnSnapshot['turns']): string | undefined {
  const nodes = tree.parent.length;
  const { taken, weight, drained, rests } = turns;
  if (taken.length !== nodes - 1 || weight.length !== nodes) return 'not every node has a turn';
  if (drained.some((id) => id >= nodes)) return 'a node that is not there was drawn from';
  if (rests.length !== simulations.length) return 'not every simulation has an episode';
  const fits = ({ tokens }: SearchSnapshot['simulations'][number], rest: (typeof rests)[number]) =>
    rest === null || rest.reduce((sum, { length }) => sum + length, 0) === tokens.length;
  return simulations.every((each, i) => fits(each, rests[i]))
    ? undefined
    : 'an episode has other tokens than its turns';
}

/**
 * A search that goes on exactly as the one that was saved would have.
 *
 * @param player from the start of the world
 * @throws search.snapshotModel, model.idOutOfRange, and what the constructor of {@link TurnSearch} throws
 */
export function restoreTurnSearch({ place, snapshot }: TurnFile, player: TurnPlayer, vocabSize: number): TurnSearch {
  const { tree: from, turns } = snapshot;
  checkTokens(from, { numCodes: player.numCodes, vocabSize });
  checkIds(
    place.behind.map(({ tokens }) => tokens),
    vocabSize,
  );
  const search = new TurnSearch(behindTurns(player, place.behind), { ...from.options, byAction: turns.by_action });
  growFrom(from, search);
  const { tree } = search;
  const taken = turns.taken.map(
    (turn, i): TakenTurn => ({ ...turn, actions: [...tree.edgeActions(i + 1)], tokens: [...tree.edgeTokens(i + 1)] }),
  );
  const rests = turns.rests.map((rest, order) => {
    if (rest === null) return undefined;
    const { actions, tokens } = from.simulations[order];
    let at = 0;
    return rest.map(({ length, ...turn }): TakenTurn => {
      const start = at;
      at += length;
      return { ...turn, actions: actions.slice(start, at), tokens: tokens.slice(start, at) };
    });
  });
  search.resume(
    {
      byAction: turns.by_action,
      taken: [undefined, ...taken],
      weight: turns.weight,
      drained: turns.drained,
      rests,
    },
    from.spent,
  );
  return search;
}
