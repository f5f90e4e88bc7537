/**
 * Reinforcement over latent actions: only the policy learns (paper, section 3.3). Rollouts keep h, so an update runs the
 * policy alone and never the base.
 */
import { type ColaConfig, moduleWeights, widthOf } from '../../cola/config.ts';
import { Decoder, fusedStep, type StepParts, type StepResult } from '../../cola/decoder.ts';
import type { ColaModel } from '../../cola/model.ts';
import { headLogits, headTrunk, stateValue } from '../../cola/modules.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import type { KeptRows } from '../../model/cache/compaction.ts';
import type { KeyValueCache } from '../../model/cache/key-value-cache.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { Random } from '../../random.ts';
import { chosenContext, type Packed, type PackedShape, packedFeeds, packedStates } from '../shared-prefix.ts';
import type { StageContext } from '../stage.ts';
import type { Feeds } from '../supervised.ts';
import type { Actor, ActorGraph, Policy } from './actor.ts';
import type { Episode } from './episode.ts';
import { type Choice, type Chooser, type SamplingSettings, sampleAnswers, type TakeHidden } from './sampler.ts';
import type { Start } from './starts.ts';

/** What a step of a rollout returns beside action and token. */
const rolloutParts = (withValue: boolean, topK: number): StepParts => ({
  hidden: true,
  ...(withValue ? { value: true } : {}),
  topK,
});

/** @param withValue whether it has a value head, which learns along */
export function latentPolicy(config: ModelConfig, cola: ColaConfig, withValue: boolean, topK: number): Policy {
  const modules = moduleWeights(config, cola);
  const learns = [...modules.policy, ...(withValue ? modules.value : [])];
  return {
    latent: true,
    choices: cola.numCodes,
    learns,
    step: fusedStep(config, cola, rolloutParts(withValue, topK)),
    added: [...learns, ...modules.world],
    width: config.hiddenSize,
    build(graph, shape) {
      const h = graph.input('hidden', 'float32', [shape.rows, shape.length, config.hiddenSize]);
      const { trunk } = headTrunk(graph, config, cola, 'policy', h, chosenContext(graph, config, shape));
      const chosen = ops.reshape(trunk, [shape.samples, shape.answer, widthOf(config, cola)]);
      const logits = headLogits(graph, config, cola, 'policy', chosen);
      return withValue ? { logits, values: stateValue(graph, chosen) } : { logits };
    },
  };
}

export class LatentActor implements Actor, Chooser {
  readonly trained: readonly string[];
  readonly choices: number;
  readonly latent = true;
  private readonly policy: Policy;
  private readonly decoder: Decoder;
  readonly endIds: ReadonlySet<number>;
  readonly width: number;

  constructor(
    private readonly context: StageContext,
    cola: ColaModel,
    withValue: boolean,
    topK: number,
  ) {
    this.policy = latentPolicy(cola.base.config, cola.config, withValue, topK);
    this.trained = this.policy.learns.map(({ name }) => name);
    this.choices = this.policy.choices;
    this.width = this.policy.width;
    this.endIds = cola.base.endIds;
    this.decoder = new Decoder(context.device, cola, {
      parts: rolloutParts(withValue, topK),
      live: [context.weights.state],
      // Weights that do not change here are compiled in.
      trained: new Set(this.trained),
    });
  }

  sample(starts: readonly Start[], settings: SamplingSettings, signal: AbortSignal): Promise<Episode[]> {
    return sampleAnswers(this, starts, settings, signal, this.context.turn);
  }

  cache(rows: number, tokens: number, capacity?: number): Promise<KeyValueCache> {
    return this.decoder.cache(rows, tokens, capacity);
  }

  get narrows(): boolean {
    return this.decoder.narrows;
  }

  narrow(from: KeyValueCache, kept: KeptRows): Promise<KeyValueCache> {
    return this.decoder.narrow(from, kept);
  }

  branch(from: KeyValueCache, sharers: number, tokens: number): Promise<KeyValueCache> {
    return this.decoder.branch(from, sharers, tokens);
  }

  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache> {
    return this.decoder.select(from, rows, tokens);
  }

  async read(cache: KeyValueCache, tokens: readonly ArrayLike<number>[], take: TakeHidden): Promise<void> {
    await this.decoder.step(cache, tokens, undefined, 1, take);
  }

  async choose(
    cache: KeyValueCache,
    tokens: readonly ArrayLike<number>[],
    streams: readonly (Random | undefined)[],
    settings: SamplingSettings,
    take: TakeHidden,
  ): Promise<(Choice | undefined)[]> {
    const temperature = settings.temperature === 0 ? 1 : settings.temperature;
    const result = await this.decoder.step(cache, tokens, this.noise(streams, settings), temperature, take);
    return streams.map((stream, b) =>
      stream === undefined ? undefined : this.choiceOf(b, result, temperature, settings.topK),
    );
  }

  /** What makes the largest logit a sample; nothing where the most likely is wanted. */
  private noise(streams: readonly (Random | undefined)[], { temperature }: SamplingSettings): Float32Array {
    const bias = new Float32Array(streams.length * this.choices);
    if (temperature === 0) return bias;
    for (const [b, stream] of streams.entries()) {
      if (stream === undefined) continue;
      for (let i = 0; i < this.choices; i++) bias[b * this.choices + i] = stream.gumbel();
    }
    return bias;
  }

  /** What row b did in a step. */
  private choiceOf(b: number, result: StepResult, temperature: number, topK: number): Choice {
    const { value } = result;
    const choice = result.action[b];
    const own = result.policyLogits.subarray(b * this.choices, (b + 1) * this.choices);
    const banned = cutsChoices(topK, this.choices) ? outside(own, topK) : undefined;
    return {
      choice,
      token: result.token[b],
      logp: logProbability(own, choice, temperature, banned),
      ...(value === undefined ? {} : { value: value[b] }),
      ...(banned === undefined ? {} : { banned }),
    };
  }

  build(graph: Graph, shape: PackedShape): ActorGraph {
    return this.policy.build(graph, shape);
  }

  feeds(episodes: readonly (Episode | undefined)[], packed: Packed): Feeds {
    const { places, attention } = packedFeeds(episodes, packed);
    return { hidden: packedStates(episodes, packed, this.width), places, ...attention };
  }

  dispose(): Promise<void> {
    return this.decoder.dispose();
  }
}

/** Whether a rollout that samples among the k most likely leaves any out. */
export const cutsChoices = (topK: number, choices: number): boolean => topK > 0 && topK < choices;

/** Flags of the choices that are not among the k most likely. */
export function outside(logits: Float32Array, k: number): Uint8Array {
  const least = [...logits].sort((a, b) => b - a)[k - 1];
  return Uint8Array.from(logits, (x) => (x < least ? 1 : 0));
}

/** log softmax(logits / temperature)[choice] over the choices that are not banned. */
export function logProbability(
  logits: ArrayLike<number>,
  choice: number,
  temperature: number,
  banned?: ArrayLike<number>,
): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (banned?.[i] !== 1 && logits[i] > top) top = logits[i];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) if (banned?.[i] !== 1) sum += Math.exp((logits[i] - top) / temperature);
  return (logits[choice] - top) / temperature - Math.log(sum);
}
