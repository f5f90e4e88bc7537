/** Reinforcement over tokens: the baseline. The base itself learns, all of it or its last blocks, and reads everything again in an update. */

import { giveBack } from '../../device/buffer.ts';
import { linear } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { adapterTensors } from '../../model/adapter/adapter.ts';
import { hiddenStates, languageHead } from '../../model/base.ts';
import { rowsOf } from '../../model/block.ts';
import type { KeptRows } from '../../model/cache/compaction.ts';
import type { KeyValueCache } from '../../model/cache/key-value-cache.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { LanguageModel } from '../../model/language-model.ts';
import { baseStep } from '../../model/language-model.ts';
import { draw, sample } from '../../model/sampling.ts';
import { Stepper } from '../../model/step.ts';
import type { StepGraph } from '../../model/step-graph.ts';
import { type ExpectedTensor, expectedTensors } from '../../model/weights/weights.ts';
import type { Random } from '../../random.ts';
import { chosenContext, type Packed, type PackedShape, packedFeeds } from '../shared-prefix.ts';
import type { StageContext } from '../stage.ts';
import type { Feeds } from '../supervised.ts';
import type { Actor, ActorGraph, Policy } from './actor.ts';
import type { Episode } from './episode.ts';
import { cutsChoices, logProbability, outside } from './latent-actor.ts';
import { type Choice, type Chooser, type SamplingSettings, sampleAnswers } from './sampler.ts';
import type { Start } from './starts.ts';

/** Weights of the base that train: all, or those of the last `blocks` blocks with the final norm and the head. */
export function lastBlocks(config: ModelConfig, blocks: number | undefined): ExpectedTensor[] {
  const all = expectedTensors(config);
  if (blocks === undefined) return all;
  const first = config.layers - blocks;
  return all.filter(({ name }) => {
    const layer = /^model\.layers\.(\d+)\./.exec(name);
    return layer === null
      ? name !== 'model.embed_tokens.weight' || config.tieWordEmbeddings
      : Number(layer[1]) >= first;
  });
}

/** The names of {@link lastBlocks}. */
export function trainedOf({ config }: Pick<LanguageModel, 'config'>, blocks: number | undefined): string[] {
  return lastBlocks(config, blocks).map(({ name }) => name);
}

/** What a stage learns that may train the base or an adapter beside it. */
export const learned = (
  config: ModelConfig,
  { blocks, lora }: { readonly blocks?: number | undefined; readonly lora?: unknown },
): ExpectedTensor[] => (lora === undefined ? lastBlocks(config, blocks) : adapterTensors(config));

/** Weight of the value head that PPO over tokens needs: V from h, as the latent policy has it from its trunk. */
export const baselineValue = 'baseline.value.weight';

/** The value head of {@link baselineValue}. */
export const baselineHead = ({ hiddenSize }: ModelConfig): ExpectedTensor => ({
  name: baselineValue,
  shape: [1, hiddenSize],
});

function baselineValues(graph: Graph, h: Tensor): Tensor {
  const width = h.shape[h.shape.length - 1];
  return ops.reshape(linear(h, graph.parameter(baselineValue, [1, width])), h.shape.slice(0, -1));
}

/** A decoding step of the base that also values the state it ends in. */
function valuedStep(config: ModelConfig): StepGraph {
  return {
    cachedBlocks: config.layers,
    build(graph, { ids, context, caches, last }) {
      const { h, caches: updated } = hiddenStates(graph, config, ids, context, caches);
      const state = rowsOf(h, last);
      return {
        outputs: { logits: languageHead(graph, config, state), value: baselineValues(graph, state) },
        caches: updated,
      };
    },
  };
}

/**
 * @param trained weights of the base that learn
 * @param withValue whether it has a value head, which learns along
 */
export function tokenPolicy(config: ModelConfig, trained: readonly ExpectedTensor[], withValue: boolean): Policy {
  const added = withValue ? [baselineHead(config)] : [];
  return {
    latent: false,
    choices: config.vocabSize,
    learns: [...trained, ...added],
    step: withValue ? valuedStep(config) : baseStep(config),
    added,
    width: config.hiddenSize,
    build(graph, shape) {
      const ids = graph.input('ids', 'int32', [shape.rows, shape.length]);
      const { h } = hiddenStates(graph, config, ids, chosenContext(graph, config, shape));
      const chosen = ops.reshape(h, [shape.samples, shape.answer, config.hiddenSize]);
      const logits = languageHead(graph, config, chosen);
      return withValue ? { logits, values: baselineValues(graph, chosen) } : { logits };
    },
  };
}

export class TokenActor implements Actor, Chooser {
  readonly choices: number;
  readonly width: number;
  readonly latent = false;
  readonly trained: readonly string[];
  private readonly policy: Policy;
  private readonly stepper: Stepper;
  readonly endIds: ReadonlySet<number>;

  /** @param withValue whether there is a value head; its weight is among those of the context then */
  constructor(
    private readonly context: StageContext,
    trained: readonly string[],
    private readonly withValue: boolean,
  ) {
    const { base, device, weights } = context;
    const learning = base.tensors.filter(({ name }) => trained.includes(name));
    this.policy = tokenPolicy(base.config, learning, withValue);
    this.trained = this.policy.learns.map(({ name }) => name);
    this.choices = this.policy.choices;
    this.width = this.policy.width;
    this.endIds = base.endIds;
    const frozen = new Map([...base.weights].filter(([name]) => !trained.includes(name)));
    this.stepper = new Stepper(device, base.config, this.policy.step, [weights.state], frozen);
  }

  sample(starts: readonly Start[], settings: SamplingSettings, signal: AbortSignal): Promise<Episode[]> {
    return sampleAnswers(this, starts, settings, signal, this.context.turn);
  }

  cache(rows: number, tokens: number, capacity?: number): Promise<KeyValueCache> {
    return this.stepper.cache(rows, tokens, capacity);
  }

  get narrows(): boolean {
    return this.stepper.narrows;
  }

  narrow(from: KeyValueCache, kept: KeptRows): Promise<KeyValueCache> {
    return this.stepper.narrow(from, kept);
  }

  branch(from: KeyValueCache, sharers: number, tokens: number): Promise<KeyValueCache> {
    return this.stepper.branch(from, sharers, tokens);
  }

  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache> {
    return this.stepper.select(from, rows, tokens);
  }

  async read(cache: KeyValueCache, tokens: readonly ArrayLike<number>[]): Promise<void> {
    giveBack(Object.values(await this.stepper.advance(cache, tokens)));
  }

  async choose(
    cache: KeyValueCache,
    tokens: readonly ArrayLike<number>[],
    streams: readonly (Random | undefined)[],
    settings: SamplingSettings,
  ): Promise<(Choice | undefined)[]> {
    const read = await this.stepper.advance(cache, tokens, {}, undefined, streams.length / cache.batch);
    const logits = await read.logits.readFloats();
    const values = this.withValue ? await read.value.readFloats() : undefined;
    const choices = streams.map((stream, b) => {
      if (stream === undefined) return undefined;
      const { choice, ...drawn } = this.draw(logits, b * this.choices, settings, stream);
      return { choice, token: choice, ...drawn, ...(values === undefined ? {} : { value: values[b] }) };
    });
    giveBack(Object.values(read));
    return choices;
  }

  private draw(
    logits: Float32Array,
    start: number,
    { temperature, topK }: SamplingSettings,
    stream: Random,
  ): Pick<Choice, 'choice' | 'logp' | 'banned'> {
    if (!cutsChoices(topK, this.choices)) return draw(logits, start, this.choices, temperature, stream);
    const choice = sample(logits, start, this.choices, { temperature, topK, topP: 1 }, stream);
    const own = logits.subarray(start, start + this.choices);
    const banned = outside(own, topK);
    return { choice, logp: logProbability(own, choice, temperature || 1, banned), banned };
  }

  build(graph: Graph, shape: PackedShape): ActorGraph {
    return this.policy.build(graph, shape);
  }

  feeds(episodes: readonly (Episode | undefined)[], packed: Packed): Feeds {
    const { attention, ...rest } = packedFeeds(episodes, packed);
    return { ...rest, ...attention };
  }

  dispose(): Promise<void> {
    return this.stepper.dispose();
  }
}
