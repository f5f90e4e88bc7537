/** What a model would write next: by its policy over latent actions, or by its base over tokens. */
import { Decoder, forced } from '../../cola/decoder.ts';
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

/** What is written at a place. */
export interface Outlook {
  readonly best: Written;
  /** The actions that could be taken there, the likeliest first; none of a model without. */
  readonly actions: readonly number[];
}

export interface Mind {
  readonly endIds: ReadonlySet<number>;
  cache(rows: number, tokens: number): Promise<KeyValueCache>;
  /** A cache of so many rows of another, which stays. */
  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache>;
  /**
   * Reads new tokens of every row; of one without any, what follows means nothing.
   *
   * @param actions that the rows are to take; the likeliest, if not given
   */
  outlook(
    cache: KeyValueCache,
    unread: readonly (readonly number[])[],
    actions?: readonly number[],
  ): Promise<Outlook[]>;
  dispose(): Promise<void>;
}

export function mindOf(subject: Subject): Mind {
  const { cola } = subject.context;
  return subject.decoding === 'actions' && cola !== undefined ? latentMind(subject, cola) : tokenMind(subject);
}

function latentMind({ device, weights, base }: Subject, cola: NonNullable<Subject['context']['cola']>): Mind {
  const decoder = new Decoder(device, cola, { live: [weights] });
  const { numCodes } = decoder;
  return {
    endIds: base.endIds,
    cache: (rows, tokens) => decoder.cache(rows, tokens),
    select: (from, rows, tokens) => decoder.select(from, rows, tokens),
    async outlook(cache, unread, actions = []) {
      const bias = new Float32Array(unread.length * numCodes);
      for (const [row, action] of actions.entries()) bias[row * numCodes + action] = forced;
      const { action, token, policyLogits } = await decoder.step(cache, unread, bias);
      return unread.map((_, row) =>
        outlookOf(probabilities(policyLogits, row * numCodes, numCodes), action[row], token[row]),
      );
    },
    dispose: () => decoder.dispose(),
  };
}

function outlookOf(p: Float64Array, action: number, id: number): Outlook {
  const actions = Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);
  const other = actions.find((each) => each !== action);
  const runnerUp = other === undefined ? {} : { runnerUp: { action: other, probability: p[other] } };
  return { best: { id, action, probability: p[action], ...runnerUp }, actions };
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
      return choices.map((choice): Outlook => ({ best: { id: choice?.token ?? 0 }, actions: [] }));
    },
    dispose: () => actor.dispose(),
  };
}
