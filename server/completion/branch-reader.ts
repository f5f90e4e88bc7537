/**
 * Reads a text, and several texts that go on from it, with one key-value cache of one row. A branch is a few slots behind
 * the text and a line of the mask that shows it these and the text alone. So nothing is copied to branch, keys and values
 * of the text are read once a step and not once a branch, and the programs that read the text are those that go on.
 */
import { forced, fusedStep } from '../cola/decoder.ts';
import type { ColaModel } from '../cola/model.ts';
import { worldModelAll } from '../cola/modules.ts';
import type { Device } from '../device/device.ts';
import { type Program, State } from '../device/program.ts';
import { ProgramCache } from '../device/program-cache.ts';
import { logSumExp } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Graph } from '../graph/tensor.ts';
import { type AttentionContext, masked, rotaryTables, withSliding } from '../model/block.ts';
import { CacheStore, cacheName } from '../model/cache/store.ts';
import type { WordOutlook } from './healing.ts';
import { type Outlook, outlookProgram } from './outlook.ts';
import { type Rivals, voted } from './vote.ts';

/** Tokens of one run: texts are read in pieces of these lengths. */
const lengths = [1, 8, 32, 128] as const;
/** Up to here every token of a run says what comes next, above only the last. */
export const tokensAtOnce = 32;
/** Tokens of a text between two turns of the scheduler. */
export const chunk = lengths[lengths.length - 1];

/** What the base counts for in what may follow; the rest is the marginal language model's. */
const baseShare = 0.5;

/** A token to read, and what it sees. */
export interface BranchToken {
  readonly id: number;
  /** Its index in its own text. */
  readonly position: number;
  /** Tokens of the text that it branches from: as many slots from the first on. */
  readonly text: number;
  /** Slots behind the text that hold the branch so far; the last is for this token. */
  readonly slots: readonly number[];
}

/** What the policy says behind a token, and the most likely choice. */
export interface Ahead {
  /** `[N]`. */
  readonly policyLogits: Float32Array;
  readonly action: number;
  readonly token: number;
  /** What the token was chosen with, as {@link voted} counts it; 1 where the policy chose alone. */
  readonly probability: number;
  /** h `[d]`. */
  readonly state: Float32Array;
}

export class BranchReader {
  /** By the number of tokens they read; they depend on the room of the cache. */
  private readonly steps = new ProgramCache<number>();
  private readonly outlooks = new ProgramCache<'tokens' | 'words'>();
  private cache: State | undefined;
  private size: number;
  private readonly frozen: ReadonlyMap<string, Float32Array>;
  private readonly blocks: number;
  private readonly store: CacheStore;

  /**
   * @param slots tokens there is room for, of the text and all branches together
   * @param live where weights are that are not compiled in
   */
  constructor(
    private readonly device: Device,
    private readonly model: ColaModel,
    slots: number,
    private readonly live: readonly State[],
  ) {
    this.size = capacityFor(slots);
    this.frozen = new Map([...model.allWeights].filter(([name]) => !live.some((state) => state.has(name))));
    this.blocks = model.base.config.layers + model.config.policyLayers;
    this.store = new CacheStore(model.base.config, this.blocks, device.onHost);
  }

  /** Slots that can hold tokens; one more takes the padding. */
  get room(): number {
    return this.size - 1;
  }

  /** Makes room. @returns whether what was read is lost by that */
  async grow(slots: number): Promise<boolean> {
    if (slots <= this.room) return false;
    this.cache?.dispose();
    this.cache = undefined;
    this.size = capacityFor(slots);
    await this.steps.dispose();
    return true;
  }

  /** Compiles everything, so that nobody waits for it later. */
  async prepare(): Promise<void> {
    await Promise.all([...lengths.map((length) => this.program(length)), this.preview(), this.wordPreview()]);
  }

  /**
   * Reads tokens of the text behind the first `from`, which were read before.
   *
   * @param ids at least one, and `chunk` at most
   * @returns what lies ahead of the last
   */
  async read(ids: readonly number[], from: number): Promise<Ahead> {
    const length = lengths.find((n) => n >= ids.length);
    if (length === undefined) throw new Error(`${ids.length} tokens are too many for one run`);
    const input = this.input(length);
    for (const [t, id] of ids.entries()) input.put(t, id, from + t, from + t, from + t + 1, []);
    const last = ids.length - 1;
    const ahead = await this.run(input, length <= tokensAtOnce ? undefined : last);
    return ahead[length <= tokensAtOnce ? last : 0];
  }

  /**
   * Reads further tokens of branches of a text: one a branch, or several in a row, of which each names the slots of those
   * before it.
   *
   * @param branches `tokensAtOnce` at most
   * @param bias added to the policy's logits before it chooses, `[N]`; the policy chooses alone then
   * @returns what lies ahead of each
   */
  async step(branches: readonly BranchToken[], bias?: Float32Array): Promise<Ahead[]> {
    const wide = lengths.find((n) => n >= branches.length);
    if (wide === undefined || wide > tokensAtOnce)
      throw new Error(`${branches.length} tokens are too many for one run`);
    const input = this.input(wide);
    for (const [t, { id, position, text, slots }] of branches.entries()) {
      input.put(t, id, position, slots[slots.length - 1], text, slots);
    }
    return (await this.run(input, undefined, bias)).slice(0, branches.length);
  }

  /** What may follow a state. @param banned actions that are none; the base, which knows no actions, has no say then */
  async outlook({ state, policyLogits }: Ahead, banned: ReadonlySet<number>): Promise<Outlook> {
    const logits = policyLogits.map((x, code) => (banned.has(code) ? x - forced : x));
    const feeds = { state, policy_logits: logits, base_share: Float32Array.of(banned.size > 0 ? 0 : baseShare) };
    const out = await (await this.preview()).run(feeds, { states: this.live });
    const result = {
      policyLogits,
      nextTokens: await out.next_tokens.readInts(),
      logp: await out.logp.readFloats(),
      actions: await out.actions.readInts(),
    };
    for (const buffer of Object.values(out)) buffer.release();
    return result;
  }

  /**
   * For every code where it leads from a state if only some tokens count.
   *
   * @param bias added to the logits of the tokens, `[V]`: 0 for those that count
   * @param typed a token whose probability is wanted beside theirs
   */
  async nextWord(state: Float32Array, bias: Float32Array, typed: number): Promise<WordOutlook> {
    const feeds = { state, token_bias: bias, typed: new Int32Array(this.model.config.numCodes).fill(typed) };
    const out = await (await this.wordPreview()).run(feeds, { states: this.live });
    const result = {
      tokens: await out.tokens.readInts(),
      goesOn: await out.goes_on.readFloats(),
      asTyped: await out.as_typed.readFloats(),
    };
    for (const buffer of Object.values(out)) buffer.release();
    return result;
  }

  async dispose(): Promise<void> {
    this.cache?.dispose();
    this.cache = undefined;
    await this.steps.dispose();
    await this.outlooks.dispose();
  }

  /** What layers that slide see, if there can be anything outside of it. */
  private get window(): number | undefined {
    const { sliding } = this.model.base.config;
    return sliding === null || sliding.window >= this.size ? undefined : sliding.window;
  }

  /** The inputs of a run of `length` tokens, all of them padding yet. */
  private input(length: number): RunInput {
    return new RunInput(length, this.size, this.window);
  }

  private async run(input: RunInput, last: number | undefined, bias?: Float32Array): Promise<Ahead[]> {
    const { numCodes } = this.model.config;
    const { hiddenSize } = this.model.base.config;
    const rows = last === undefined ? input.length : 1;
    const biases = new Float32Array(rows * numCodes);
    if (bias !== undefined) for (let r = 0; r < rows; r++) biases.set(bias, r * numCodes);
    this.cache ??= await this.empty();
    const program = await this.program(input.length);
    const out = await program.run(
      {
        ids: input.ids,
        positions: input.positions,
        ...this.store.slots(input.slotOf, 1, input.length),
        ...input.masks(this.device.onHost),
        last: last === undefined ? Int32Array.from({ length: rows }, (_, r) => r) : Int32Array.of(last),
        action_bias: biases,
        temperature: Float32Array.of(1),
      },
      { states: [this.cache, ...this.live] },
    );
    this.store.keep(this.cache, out, input.slotOf);
    const action = await out.action.readInts();
    const token = await out.token.readInts();
    const logits = await out.policy_logits.readFloats();
    const states = await out.state.readFloats();
    const [second, secondToken] = [await out.second.readInts(), await out.second_token.readInts()];
    const [baseToken, baseLogp] = [await out.base_token.readInts(), await out.base_logp.readFloats()];
    const codeLogp = await out.code_logp.readFloats();
    const ahead = Array.from({ length: rows }, (_, r) => {
      const policyLogits = logits.slice(r * numCodes, (r + 1) * numCodes);
      const rivals: Rivals = {
        actions: [action[r], second[r]],
        tokens: [token[r], secondToken[r]],
        baseToken: baseToken[r],
        baseLogp: baseLogp.subarray(3 * r, 3 * r + 3),
        codeLogp: [codeLogp.subarray(6 * r, 6 * r + 3), codeLogp.subarray(6 * r + 3, 6 * r + 6)],
      };
      const alone = { action: action[r], token: token[r], probability: 1 };
      const chosen = bias === undefined ? voted(policyLogits, rivals) : alone;
      return { ...chosen, policyLogits, state: states.slice(r * hiddenSize, (r + 1) * hiddenSize) };
    });
    for (const buffer of Object.values(out)) buffer.release();
    return ahead;
  }

  private get cacheShape(): number[] {
    const { kvHeads, headDim } = this.model.base.config;
    return [1, kvHeads, this.size, headDim];
  }

  private async empty(): Promise<State> {
    const shape = this.cacheShape;
    const values = new Float32Array(shape.reduce((n, d) => n * d, 1));
    const state = new State();
    for (let i = 0; i < this.blocks; i++) {
      for (const kind of ['keys', 'values'] as const) {
        state.set(cacheName(kind, i), await this.device.upload(values.slice(), 'float32', shape));
      }
    }
    return state;
  }

  private program(length: number): Promise<Program> {
    return this.steps.get(length, () => this.compile(length));
  }

  private compile(length: number): Promise<Program> {
    const { config } = this.model.base;
    const graph = this.device.graph();
    const caches = this.store.inputs(graph, 1, this.size);
    const slots = this.store.slotsInput(graph, 1, length);
    const masks = (kind: '' | 'near_') => ({
      mask: graph.input(`${kind}mask`, 'float32', [1, 1, length, this.size]),
      ...(slots === undefined
        ? { freshMask: graph.input(`${kind}fresh_mask`, 'float32', [1, 1, length, length]) }
        : {}),
    });
    const whole: AttentionContext = {
      ...rotaryTables(graph, config, this.size),
      positions: graph.input('positions', 'int64', [1, length]),
      ...masks(''),
      ...(slots === undefined ? {} : { slots }),
    };
    const context = withSliding(graph, config, this.size, whole, () => masks('near_'));
    const ids = graph.input('ids', 'int32', [1, length]);
    const last = graph.input('last', 'int32', [length <= tokensAtOnce ? length : 1]);
    const built = fusedStep(config, this.model.config, { state: true, rivals: true }).build(graph, {
      ids,
      context,
      caches,
      last,
    });
    const kept = this.store.outputs(built.caches);
    return this.device.compile({ ...built.outputs, ...kept.outputs }, { carried: kept.carried, frozen: this.frozen });
  }

  private preview(): Promise<Program> {
    return this.outlooks.get('tokens', () => outlookProgram(this.device, this.model, this.frozen));
  }

  private wordPreview(): Promise<Program> {
    const { config } = this.model.base;
    const { numCodes } = this.model.config;
    const build = (graph: Graph) => {
      const state = graph.input('state', 'float32', [1, config.hiddenSize]);
      const logits = ops.reshape(worldModelAll(graph, config, this.model.config, state), [numCodes, config.vocabSize]);
      const counting = ops.add(logits, graph.input('token_bias', 'float32', [config.vocabSize]));
      const all = logSumExp(logits);
      return {
        tokens: ops.argmax(counting),
        goes_on: ops.sub(logSumExp(counting), all),
        as_typed: ops.sub(ops.pick(logits, graph.input('typed', 'int32', [numCodes])), all),
      };
    };
    return this.outlooks.get('words', () => this.device.program(build, { frozen: this.frozen }));
  }
}

/** Slots in steps of 32, with one for padding. Each costs time in every run. */
function capacityFor(slots: number): number {
  return Math.ceil((slots + 1) / 32) * 32;
}

/** What a run is given: all tokens are padding until they are put. */
class RunInput {
  readonly ids: Int32Array;
  readonly positions: BigInt64Array;
  readonly slotOf: Int32Array;
  private readonly mask: Float32Array;

  /** The same for layers that see a window. */
  private readonly near: Float32Array | undefined;

  constructor(
    readonly length: number,
    private readonly capacity: number,
    /** Positions that such layers see; undefined where there are none, or nothing is outside it. */
    private readonly window: number | undefined,
  ) {
    this.ids = new Int32Array(length);
    this.positions = new BigInt64Array(length);
    this.slotOf = new Int32Array(length).fill(capacity - 1);
    this.mask = new Float32Array(length * capacity).fill(masked);
    this.near = window === undefined ? undefined : this.mask.slice();
  }

  /** @param seen it sees the first so many slots, in which the text stands, and `own`, in their order up to its own */
  put(t: number, id: number, position: number, slot: number, seen: number, own: readonly number[]): void {
    const line = t * this.capacity;
    this.ids[t] = id;
    this.positions[t] = BigInt(position);
    this.slotOf[t] = slot;
    this.mask.fill(0, line, line + seen);
    for (const s of own) this.mask[line + s] = 0;
    if (this.near === undefined || this.window === undefined) return;
    const first = Math.max(0, position + 1 - this.window);
    if (first < seen) this.near.fill(0, line + first, line + seen);
    for (const s of own.slice(-this.window)) this.near[line + s] = 0;
  }

  /** Feeds of the masks. @param readOnly whether the run only reads the cache */
  masks(readOnly: boolean): Record<string, Float32Array> {
    const feeds = (kind: string, mask: Float32Array | undefined) =>
      mask === undefined
        ? {}
        : { ...(readOnly ? { [`${kind}fresh_mask`]: this.takeFresh(mask) } : {}), [`${kind}mask`]: mask };
    return { ...feeds('', this.mask), ...feeds('near_', this.near) };
  }

  /**
   * For a cache that a run only reads: moves what the tokens of this run see of each other out of the mask, and into one of
   * their own `[T,T]`, for their slots hold nothing of them yet.
   */
  private takeFresh(mask: Float32Array): Float32Array {
    const { length, capacity } = this;
    const fresh = new Float32Array(length * length).fill(masked);
    for (let u = 0; u < length; u++) {
      for (let t = 0; t < length; t++) {
        const at = t * capacity + this.slotOf[u];
        fresh[t * length + u] = mask[at];
        mask[at] = masked;
      }
    }
    return fresh;
  }
}
