/** What a model would write next: by its policy over latent actions, or by its base over tokens. */
import { Decoder } from '../../cola/decoder.ts';
import type { Subject } from '../../evaluate/subject.ts';
import type { KeyValueCache } from '../../model/cache/key-value-cache.ts';
import { probabilities } from '../../model/sampling.ts';
import { Random } from '../../random.ts';
import { TokenActor } from '../../train/reinforce/token-actor.ts';

/** A token that is written, with the action that leads to it where there are actions. */
export interface Written {
  readonly id: number;
  readonly action?: number;
  /** Of the action. */
  readonly probability?: number;
  readonly runnerUp?: { readonly action: number; readonly probability: number };
}

/** All that could be written at a place, the likeliest first; a model without actions has the likeliest alone. */
export type Outlook = readonly [Written, ...Written[]];

export interface Mind {
  readonly endIds: ReadonlySet<number>;
  cache(rows: number, tokens: number): Promise<KeyValueCache>;
  /** A cache of so many rows of another, which stays. */
  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache>;
  /** Reads new tokens of every row; of one without any, what follows means nothing. */
  outlook(cache: KeyValueCache, unread: readonly (readonly number[])[]): Promise<Outlook[]>;
  dispose(): Promise<void>;
}

export function mindOf(subject: Subject): Mind {
  const { cola } = subject.context;
  return subject.decoding === 'actions' && cola !== undefined ? latentMind(subject, cola) : tokenMind(subject);
}

function latentMind({ device, weights, base }: Subject, cola: NonNullable<Subject['context']['cola']>): Mind {
  // One program writes and shows what the other actions lead to; caches go with a program.
  const decoder = new Decoder(device, cola, { parts: { preview: true }, live: [weights] });
  return {
    endIds: base.endIds,
    cache: (rows, tokens) => decoder.cache(rows, tokens),
    select: (from, rows, tokens) => decoder.select(from, rows, tokens),
    async outlook(cache, unread) {
      const { policyLogits, nextTokens = new Int32Array() } = await decoder.step(cache, unread);
      const { numCodes } = decoder;
      return unread.map((_, row) => outlookOf(probabilities(policyLogits, row * numCodes, numCodes), nextTokens, row));
    },
    dispose: () => decoder.dispose(),
  };
}

function outlookOf(p: ArrayLike<number>, nextTokens: Int32Array, row: number): Outlook {
  const codes = Array.from({ length: p.length }, (_, action) => ({ action, probability: p[action] }));
  codes.sort((a, b) => b.probability - a.probability || a.action - b.action);
  const [first, second] = codes;
  const all = codes.map((code): Written => {
    const runnerUp = code === first ? second : first;
    const id = nextTokens[row * p.length + code.action];
    return { id, ...code, ...(runnerUp === undefined ? {} : { runnerUp }) };
  });
  return [all[0], ...all.slice(1)];
}

function tokenMind(subject: Subject): Mind {
  const actor = new TokenActor(subject.context, [], false);
  const greedy = { maxNew: 1, temperature: 0, topK: 0 };
  const anything = new Random(0);
  return {
    endIds: actor.endIds,
    cache: (rows, tokens) => actor.cache(rows, tokens),
    select: (from, rows, tokens) => actor.select(from, rows, tokens),
    async outlook(cache, unread) {
      const choices = await actor.choose(
        cache,
        unread,
        unread.map(() => anything),
        greedy,
      );
      return choices.map((choice): Outlook => [{ id: choice?.token ?? 0 }]);
    },
    dispose: () => actor.dispose(),
  };
}
