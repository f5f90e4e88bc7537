/**
 * The loop that lets a policy speak. What differs between latent actions and tokens is a {@link Chooser}; everything else, which
 * rows read what and when one has ended, is here once.
 */
import { concatenated } from '../../files/floats.ts';
import type { KeptRows } from '../../model/cache/compaction.ts';
import { type KeyValueCache, stemCapacity } from '../../model/cache/key-value-cache.ts';
import { Random } from '../../random.ts';
import type { Episode, Prompt, Turn } from './episode.ts';
import { rowsThatStay } from './leaving.ts';
import type { Start } from './starts.ts';

/** How answers are sampled. */
export interface SamplingSettings {
  readonly maxNew: number;
  /** 0 takes the most likely. */
  readonly temperature: number;
  readonly topK: number;
}

/** A choice, and what is to be remembered of it. */
export interface Choice {
  readonly choice: number;
  /** The token it led to. */
  readonly token: number;
  readonly logp: number;
  readonly value?: number;
  readonly banned?: Uint8Array;
}

/** Takes h of new tokens of a row. */
export type TakeHidden = (row: number, values: Float32Array) => void;

/** A policy behind a cache. */
export interface Chooser {
  /** Tokens behind which nothing follows. */
  readonly endIds: ReadonlySet<number>;
  /** @param capacity slots, more than `tokens`; those of the device's choice, if not given */
  cache(rows: number, tokens: number, capacity?: number): Promise<KeyValueCache>;
  /** A cache of so many rows behind each of `from`, which is given up. */
  branch(from: KeyValueCache, sharers: number, tokens: number): Promise<KeyValueCache>;
  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache>;
  /** Whether it pays to leave out rows that are done. */
  readonly narrows: boolean;
  /** A cache of some rows of another, which is given up. */
  narrow(from: KeyValueCache, kept: KeptRows): Promise<KeyValueCache>;
  /** Reads new tokens of the rows; some may have none. */
  read(cache: KeyValueCache, tokens: readonly ArrayLike<number>[], take: TakeHidden): Promise<void>;
  /**
   * Reads new tokens and chooses for every row that has a stream to draw from.
   *
   * @param streams one for each row, or n for each, side by side: as many choices are made behind it
   * @returns undefined where there is no stream
   */
  choose(
    cache: KeyValueCache,
    tokens: readonly ArrayLike<number>[],
    streams: readonly (Random | undefined)[],
    settings: SamplingSettings,
    take: TakeHidden,
  ): Promise<readonly (Choice | undefined)[]>;
}

/** An episode as it grows. */
export class Growing {
  readonly tokens: number[] = [];
  readonly written: number[] = [];
  readonly choices: number[] = [];
  readonly logp: number[] = [];
  readonly values: number[] = [];
  readonly banned: Uint8Array[] = [];
  readonly hidden: Float32Array[] = [];
  readonly stream: Random;
  readonly turns: Turn[] = [];
  finished = false;
  /** Whether it chooses nothing, for now or for good. */
  done = false;
  /** Tokens that it has not read yet. */
  next: ArrayLike<number>;

  constructor(
    readonly prompt: Prompt,
    readonly group: number,
    readonly seed: number,
  ) {
    this.stream = new Random(seed);
    this.next = prompt.ids.subarray(prompt.ids.length - 1);
  }

  take({ choice, token, logp, value, banned }: Choice): void {
    this.written.push(this.tokens.length);
    this.tokens.push(token);
    this.choices.push(choice);
    this.logp.push(logp);
    if (value !== undefined) this.values.push(value);
    if (banned !== undefined) this.banned.push(banned);
    this.next = [token];
  }

  episode(): Episode {
    const { prompt, group, seed, tokens, written, choices, logp, values, banned, finished } = this;
    const turns = this.turns.length > 0 ? this.turns : [{ end: choices.length, reward: 0 }];
    const hidden = concatenated(this.hidden);
    return { prompt, group, seed, tokens, written, choices, logp, values, banned, hidden, finished, turns };
  }
}

/**
 * Samples answers. Each prompt is read once, whatever the number of its samples.
 *
 * @param turn awaited between runs of the device
 * @returns in the order of the starts, groups together
 */
export async function sampleAnswers(
  chooser: Chooser,
  starts: readonly Start[],
  settings: SamplingSettings,
  signal: AbortSignal,
  turn?: () => Promise<void>,
): Promise<Episode[]> {
  const rows = starts.flatMap(({ prompt, seeds }, g) => seeds.map((seed) => new Growing(prompt, g, seed)));
  let cache = await readPrompts(chooser, starts, rows, settings.maxNew, settings);
  // Those in the cache: what is done leaves it. An answer draws from a stream of its own, so it does not matter what is beside it.
  let inside = rows;
  try {
    for (let t = rows[0].tokens.length; t < settings.maxNew && inside.some((row) => !row.done); t++) {
      await turn?.();
      signal.throwIfAborted();
      const kept = chooser.narrows ? rowsThatStay(inside.map(isDone), cache.stem?.sharers ?? 1) : undefined;
      if (kept !== undefined) {
        cache = await chooser.narrow(cache, kept);
        inside = kept.rows.map((b) => inside[b]);
      }
      await step(chooser, cache, inside, settings);
    }
  } finally {
    cache.dispose();
  }
  return rows.map((row) => row.episode());
}

const isDone = ({ done }: Growing) => done;

/** Every row that is not done reads what it has not read, and chooses; one that chose an end is done. */
export async function step(
  chooser: Chooser,
  cache: KeyValueCache,
  rows: readonly Growing[],
  settings: SamplingSettings,
): Promise<void> {
  const next = rows.map((row) => (row.done ? [] : row.next));
  const streams = rows.map((row) => (row.done ? undefined : row.stream));
  const choices = await chooser.choose(cache, next, streams, settings, (b, h) => rows[b].hidden.push(h.slice()));
  take(chooser, rows, choices);
}

function take(chooser: Chooser, rows: readonly Growing[], choices: readonly (Choice | undefined)[]): void {
  for (const [b, choice] of choices.entries()) {
    if (choice === undefined) continue;
    rows[b].take(choice);
    rows[b].done = rows[b].finished = chooser.endIds.has(choice.token);
  }
}

/**
 * Reads each prompt once for its whole group, but for its last token.
 *
 * @param first how the first choices are made, if they are to be made here where a group shares its cache: behind the last token of
 * the prompt, which is then read once too
 */
export async function readPrompts(
  chooser: Chooser,
  starts: readonly Start[],
  rows: readonly Growing[],
  behind: number,
  first?: SamplingSettings,
): Promise<KeyValueCache> {
  const longest = Math.max(...starts.map(({ prompt }) => prompt.ids.length));
  const prefixes = starts.map(({ prompt: { ids } }) => ids.subarray(0, ids.length - 1));
  const groups = starts.map((_, g) => rows.filter((row) => row.group === g));
  const { length: each } = groups[0];
  const branched = each > 1 && groups.every((group) => group.length === each);
  const room = longest + behind;
  const read = first === undefined ? longest - 1 : longest;
  const shared = branched
    ? await chooser.cache(starts.length, read, stemCapacity(read))
    : await chooser.cache(starts.length, room);
  const takeHidden: TakeHidden = (g, h) => {
    const copy = h.slice();
    for (const row of groups[g]) row.hidden.push(copy);
  };
  let kept = false;
  try {
    if (branched && first !== undefined) {
      const prompts = starts.map(({ prompt }) => prompt.ids);
      const streams = rows.map((row) => row.stream);
      take(chooser, rows, await chooser.choose(shared, prompts, streams, first, takeHidden));
    } else if (prefixes.some((prefix) => prefix.length > 0)) {
      await chooser.read(shared, prefixes, takeHidden);
    }
    // What of a prompt is not read here is read with the answer.
    const branches = branched ? await chooser.branch(shared, each, room - read) : undefined;
    kept = branched || groups.every((group) => group.length === 1);
    if (kept) return branches ?? shared;
    return await chooser.select(
      shared,
      rows.map((row) => row.group),
      room,
    );
  } finally {
    if (!kept) shared.dispose();
  }
}
