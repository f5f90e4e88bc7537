/** A small analytical world: what a code leads to, how likely it is and what it is worth are plain functions of the tokens so far. */
import type { Looked, SearchModel } from '../../server/search/model.ts';
import type { Search, SearchEvent } from '../../server/search/search.ts';

export interface ToyState {
  readonly tokens: readonly number[];
}

export interface ToyWorld {
  readonly numCodes: number;
  readonly endIds?: readonly number[];
  readonly context?: number;
  /** Tokens since the prompt -> policy logits; all equal if not given. */
  readonly policy?: (tokens: readonly number[]) => readonly number[];
  /** The token of a code; 10 + code if not given. */
  readonly token?: (tokens: readonly number[], code: number) => number;
  readonly q?: (tokens: readonly number[]) => readonly number[];
  readonly value?: (tokens: readonly number[]) => number;
}

export class ToyModel implements SearchModel<ToyState> {
  readonly numCodes: number;
  readonly vocabSize = 1000;
  readonly endIds: ReadonlySet<number>;
  readonly hasQ: boolean;
  readonly hasValue: boolean;
  readonly context: number;
  private prompt = 0;

  constructor(private readonly world: ToyWorld) {
    this.numCodes = world.numCodes;
    this.endIds = new Set(world.endIds ?? []);
    this.hasQ = world.q !== undefined;
    this.hasValue = world.value !== undefined;
    this.context = world.context ?? 1000;
  }

  open(prompt: readonly number[]): ToyState {
    this.prompt = prompt.length;
    return { tokens: prompt };
  }

  child({ tokens }: ToyState, token: number): ToyState {
    return { tokens: [...tokens, token] };
  }

  async look(states: readonly ToyState[]): Promise<Looked> {
    const { world, numCodes } = this;
    const outlooks = states.map((state) => {
      const tokens = state.tokens.slice(this.prompt);
      const next = (code: number) => world.token?.(tokens, code) ?? 10 + code;
      return {
        policy: Float32Array.from(world.policy?.(tokens) ?? Array(numCodes).fill(0)),
        nextTokens: Int32Array.from({ length: numCodes }, (_, code) => next(code)),
        ...(world.q === undefined ? {} : { q: Float32Array.from(world.q(tokens)) }),
        ...(world.value === undefined ? {} : { value: world.value(tokens) }),
      };
    });
    return { outlooks, generated: states.length };
  }
}

/** A number in [0, 1) that depends on everything before it and looks random. */
export function hash(...values: readonly number[]): number {
  let h = 0x811c9dc5;
  for (const value of values) {
    h = Math.imul(h ^ (value + 0x9e3779b9), 0x01000193);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h ^= h >>> 13;
  }
  return (h >>> 0) / 2 ** 32;
}

/** A world of irregular policies, values and early ends (token 0). */
export function wildWorld(seed: number, numCodes = 6): ToyWorld {
  return {
    numCodes,
    endIds: [0],
    policy: (tokens) => Array.from({ length: numCodes }, (_, code) => 2 * hash(seed, 1, ...tokens, code)),
    token: (tokens, code) =>
      hash(seed, 2, ...tokens, code) < 0.08 ? 0 : 1 + Math.floor(20 * hash(seed, 3, ...tokens, code)),
    q: (tokens) => Array.from({ length: numCodes }, (_, code) => hash(seed, 4, ...tokens, code)),
    value: (tokens) => hash(seed, 5, ...tokens),
  };
}

/** Runs to the end. */
export async function finish<S>(
  search: Search<S>,
  simulations: number,
): Promise<{ end: string; events: SearchEvent[] }> {
  const run = search.run({ simulations });
  const events: SearchEvent[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done === true) return { end: next.value, events };
    events.push(next.value);
  }
}
