/** What a search needs of a model: states by handle, and what lies ahead of each. */

/** What one run of the model says about a state. */
export interface Outlook {
  /** Policy logits `[N]`. */
  readonly policy: Float32Array;
  /** For every code the token the world model makes of it, `[N]`. */
  readonly nextTokens: Int32Array;
  /** Q(s, .) `[N]`, where the model has a Q function. */
  readonly q?: Float32Array;
  /** V(s), where the model has a value head. */
  readonly value?: number;
}

export interface Looked {
  /** In the order of the states asked for. */
  readonly outlooks: readonly Outlook[];
  /** How many states had to be run. Each such run makes one new token known, so this counts generated tokens. */
  readonly generated: number;
}

/**
 * A model as a search sees it. A state is a prompt and the tokens after it; its handle S says nothing to the search.
 * Handles are cheap: nothing runs before {@link look}.
 */
export interface SearchModel<S> {
  /** N. */
  readonly numCodes: number;
  /** Tokens are below it. */
  readonly vocabSize: number;
  /** Tokens that end an answer. */
  readonly endIds: ReadonlySet<number>;
  readonly hasQ: boolean;
  readonly hasValue: boolean;
  /** Longest sequence, prompt included. */
  readonly context: number;
  /** The state after a prompt. Every call makes a new one that shares nothing with earlier ones. */
  open(prompt: readonly number[]): S;
  /** The state after one more token. */
  child(state: S, token: number): S;
  /** Outlooks of several states, in as few runs as possible. */
  look(states: readonly S[]): Promise<Looked>;
}

/** {@link SearchModel.look} as the parts of a search are given it, with the bookkeeping done. */
export type Look<S> = (states: readonly S[]) => Promise<readonly Outlook[]>;
