/** How answers go on: by the tokens of the base, or by the policy over latent actions. */
import { Decoder, forced } from '../cola/decoder.ts';
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import { hiddenStates, languageHead } from '../model/base.ts';
import { rowsOf } from '../model/block.ts';
import type { KeyValueCache } from '../model/cache/key-value-cache.ts';
import type { ModelConfig } from '../model/config/config.ts';
import { baseStepper, type LanguageModel } from '../model/language-model.ts';
import { type Sampling, sample } from '../model/sampling.ts';
import { Stepper } from '../model/step.ts';
import type { StepGraph } from '../model/step-graph.ts';
import type { Random } from '../random.ts';
import { chanceOf, type TokenChance } from './log-probabilities.ts';

/** What one answer wants of the one who chooses. */
export interface Wish {
  readonly sampling: Sampling;
  readonly random: Random;
  /** How many of the likeliest tokens are told beside each token; undefined tells no log-probabilities. */
  readonly logprobs?: number;
  /** Actions of the first tokens. */
  readonly pinned: readonly number[];
  /** Actions that are never chosen, pins apart. */
  readonly banned: readonly number[];
  /** Tokens that the answer has. */
  readonly length: number;
}

/** What was chosen. */
export interface Chosen {
  readonly id: number;
  readonly action?: number;
  readonly chance?: TokenChance;
}

export interface Voice {
  /** An empty cache for one answer of at most so many tokens with its prompt. */
  open(tokens: number): Promise<KeyValueCache>;
  /**
   * Reads a piece of a prompt into a cache of one row.
   *
   * @param takeLogits receives the logits `[n,V]` behind each of the tokens, some after the others; only by tokens
   */
  read(cache: KeyValueCache, ids: Int32Array, takeLogits?: (logits: Float32Array) => void): Promise<void>;
  /** Reads the last token of each row and chooses the next. A row without a wish stays as it is. */
  choose(cache: KeyValueCache, wishes: readonly (Wish | undefined)[], last: readonly number[]): Promise<Chosen[]>;
  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache>;
  join(into: KeyValueCache, row: number, from: KeyValueCache): Promise<void>;
  dispose(): Promise<void>;
}

/** A step that also returns the logits of every new token, `all [B,T,V]`. */
function readingStep(config: ModelConfig): StepGraph {
  return {
    cachedBlocks: config.layers,
    build(graph, { ids, context, caches, last }) {
      const { h, caches: updated } = hiddenStates(graph, config, ids, context, caches);
      const outputs = { all: languageHead(graph, config, h), logits: languageHead(graph, config, rowsOf(h, last)) };
      return { outputs, caches: updated };
    },
  };
}

const none: readonly number[] = [];
const lastTokens = (wishes: readonly (Wish | undefined)[], last: readonly number[]) =>
  wishes.map((wish, row) => (wish === undefined ? none : [last[row]]));

export class TokenVoice implements Voice {
  private readonly stepper: Stepper;
  private reading: Stepper | undefined;

  constructor(
    private readonly device: Device,
    private readonly model: LanguageModel,
  ) {
    this.stepper = baseStepper(device, model);
  }

  open(tokens: number): Promise<KeyValueCache> {
    return this.stepper.cache(1, tokens);
  }

  async read(cache: KeyValueCache, ids: Int32Array, takeLogits?: (logits: Float32Array) => void): Promise<void> {
    const { device, model } = this;
    if (takeLogits !== undefined)
      this.reading ??= new Stepper(device, model.config, readingStep(model.config), [], model.weights);
    const collect =
      takeLogits === undefined
        ? undefined
        : { output: 'all', take: (_row: number, all: Float32Array) => takeLogits(all) };
    const stepper = takeLogits === undefined ? this.stepper : this.reading;
    const results = await stepper?.advance(cache, [ids], {}, collect);
    for (const buffer of Object.values(results ?? {})) buffer.release();
  }

  async choose(
    cache: KeyValueCache,
    wishes: readonly (Wish | undefined)[],
    last: readonly number[],
  ): Promise<Chosen[]> {
    const { vocabSize } = this.model.config;
    const { logits } = await this.stepper.advance(cache, lastTokens(wishes, last));
    const values = await logits.readFloats();
    logits.release();
    return wishes.map((wish, row) => {
      if (wish === undefined) return { id: 0 };
      const start = row * vocabSize;
      const id = sample(values, start, vocabSize, wish.sampling, wish.random);
      if (wish.logprobs === undefined) return { id };
      return { id, chance: chanceOf(values, start, vocabSize, id, wish.logprobs) };
    });
  }

  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache> {
    return this.stepper.select(from, rows, tokens);
  }

  join(into: KeyValueCache, row: number, from: KeyValueCache): Promise<void> {
    return this.stepper.join(into, row, from);
  }

  async dispose(): Promise<void> {
    await this.stepper.dispose();
    await this.reading?.dispose();
  }
}

export class ActionVoice implements Voice {
  private readonly decoder: Decoder;

  constructor(device: Device, model: ColaModel) {
    this.decoder = new Decoder(device, model);
  }

  open(tokens: number): Promise<KeyValueCache> {
    return this.decoder.cache(1, tokens);
  }

  async read(cache: KeyValueCache, ids: Int32Array): Promise<void> {
    await this.decoder.step(cache, [ids]);
  }

  async choose(
    cache: KeyValueCache,
    wishes: readonly (Wish | undefined)[],
    last: readonly number[],
  ): Promise<Chosen[]> {
    const codes = this.decoder.numCodes;
    const bias = new Float32Array(wishes.length * codes);
    for (const [row, wish] of wishes.entries())
      if (wish !== undefined) biasOf(wish, bias.subarray(row * codes, (row + 1) * codes));
    const { action, token } = await this.decoder.step(cache, lastTokens(wishes, last), bias);
    return wishes.map((_, row) => ({ id: token[row], action: action[row] }));
  }

  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache> {
    return this.decoder.select(from, rows, tokens);
  }

  join(into: KeyValueCache, row: number, from: KeyValueCache): Promise<void> {
    return this.decoder.join(into, row, from);
  }

  dispose(): Promise<void> {
    return this.decoder.dispose();
  }
}

/** Fills the bias of a row: the likeliest code under logits + temperature x Gumbel noise is an exact sample at that temperature. */
function biasOf({ sampling: { temperature }, random, pinned, banned, length }: Wish, bias: Float32Array): void {
  if (length < pinned.length) {
    bias[pinned[length]] = forced;
    return;
  }
  if (temperature > 0) for (let code = 0; code < bias.length; code++) bias[code] = temperature * random.gumbel();
  for (const code of banned) bias[code] = -forced;
}
