/**
 * Reinforcement over latent actions: only the policy learns (paper, section 3.3). Rollouts keep h, so an update runs the
 * policy alone and never the base.
 */
import { type ColaConfig, moduleWeights } from '../../cola/config.ts';
import { Decoder, fusedStep, type StepParts, type StepResult } from '../../cola/decoder.ts';
import type { ColaModel } from '../../cola/model.ts';
import { headLogits, headTrunk, stateValue } from '../../cola/modules.ts';
import { concatenated } from '../../files/floats.ts';
import * as ops from '../../graph/ops.ts';
import type { Graph } from '../../graph/tensor.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { KeyValueCache } from '../../model/step.ts';
import type { Random } from '../../random.ts';
import {
  chosenRows,
  type Packed,
  type PackedShape,
  packedContext,
  packedFeeds,
  packedStates,
} from '../shared-prefix.ts';
import type { StageContext } from '../stage.ts';
import type { Feeds } from '../supervised.ts';
import type { Actor, ActorGraph, Policy } from './actor.ts';
import type { Prompt, RolloutSettings, Trajectory } from './rollout.ts';

interface Row {
  readonly prompt: Prompt;
  readonly group: number;
  readonly tokens: number[];
  readonly choices: number[];
  readonly logp: number[];
  readonly values: number[];
  readonly banned: Uint8Array[];
  readonly hidden: Float32Array[];
  finished: boolean;
  done: boolean;
}

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
    choices: cola.numCodes,
    learns,
    step: fusedStep(config, cola, rolloutParts(withValue, topK)),
    added: [...learns, ...modules.world],
    width: config.hiddenSize,
    build(graph, shape) {
      const h = graph.input('hidden', 'float32', [shape.rows, shape.length, config.hiddenSize]);
      const { trunk } = headTrunk(graph, config, cola, 'policy', h, packedContext(graph, config, shape));
      const chosen = ops.reshape(chosenRows(trunk, shape), [shape.samples, shape.answer, config.hiddenSize]);
      const logits = headLogits(graph, config, cola, 'policy', chosen);
      return withValue ? { logits, values: stateValue(graph, config, chosen) } : { logits };
    },
  };
}

export class LatentActor implements Actor {
  readonly trained: readonly string[];
  readonly choices: number;
  readonly latent = true;
  private readonly policy: Policy;
  private readonly decoder: Decoder;
  private readonly endIds: ReadonlySet<number>;
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

  async rollout(
    prompts: readonly Prompt[],
    group: number,
    settings: RolloutSettings,
    random: Random,
    signal: AbortSignal,
  ): Promise<Trajectory[]> {
    const longest = Math.max(...prompts.map(({ ids }) => ids.length));
    const room = longest + settings.maxNew;
    const rows: Row[] = prompts.flatMap((prompt, g) => Array.from({ length: group }, () => newRow(prompt, g)));
    // Each prompt is read once, but for its last token; then its cache is copied for the whole group.
    const prefixes = prompts.map(({ ids }) => ids.subarray(0, ids.length - 1));
    const shared = await this.decoder.cache(prompts.length, room);
    let cache = shared;
    try {
      if (prefixes.some((prefix) => prefix.length > 0)) {
        await this.decoder.step(shared, prefixes, undefined, 1, (g, h) => {
          const copy = h.slice();
          for (let i = 0; i < group; i++) rows[g * group + i].hidden.push(copy);
        });
      }
      if (group > 1) {
        const places = rows.map((row) => row.group);
        cache = await this.decoder.select(shared, places, room);
        shared.dispose();
      }
      await this.answer(rows, cache, settings, random, signal);
    } finally {
      cache.dispose();
    }
    return rows.map((row) => ({ ...row, hidden: concatenated(row.hidden) }));
  }

  /** Decodes until every row has ended. The caches have read the prompts but for their last tokens. */
  private async answer(
    rows: readonly Row[],
    cache: KeyValueCache,
    settings: RolloutSettings,
    random: Random,
    signal: AbortSignal,
  ): Promise<void> {
    const temperature = settings.temperature === 0 ? 1 : settings.temperature;
    let next: ArrayLike<number>[] = rows.map(({ prompt }) => prompt.ids.subarray(prompt.ids.length - 1));
    for (let t = 0; t < settings.maxNew && rows.some((row) => !row.done); t++) {
      await this.context.turn?.();
      signal.throwIfAborted();
      const noise = this.noise(rows.length, settings, random);
      const result = await this.decoder.step(cache, next, noise, temperature, (b, h) => {
        if (!rows[b].done) rows[b].hidden.push(h.slice());
      });
      next = rows.map((row, b) => {
        if (row.done) return [0];
        this.record(row, b, result, temperature, settings.topK);
        row.done = row.finished;
        return [result.token[b]];
      });
    }
  }

  private noise(rows: number, settings: RolloutSettings, random: Random): Float32Array {
    const bias = new Float32Array(rows * this.choices);
    if (settings.temperature > 0) for (let i = 0; i < bias.length; i++) bias[i] = random.gumbel();
    return bias;
  }

  /** Takes down what row b did in a step. */
  private record(row: Row, b: number, result: StepResult, temperature: number, topK: number): void {
    const { value } = result;
    const [action, token] = [result.action[b], result.token[b]];
    const own = result.policyLogits.subarray(b * this.choices, (b + 1) * this.choices);
    const banned = topK > 0 && topK < this.choices ? outside(own, topK) : undefined;
    row.tokens.push(token);
    row.choices.push(action);
    row.logp.push(logProbability(own, action, temperature, banned));
    if (value !== undefined) row.values.push(value[b]);
    if (banned !== undefined) row.banned.push(banned);
    row.finished = this.endIds.has(token);
  }

  build(graph: Graph, shape: PackedShape): ActorGraph {
    return this.policy.build(graph, shape);
  }

  feeds(trajectories: readonly (Trajectory | undefined)[], packed: Packed): Feeds {
    const { places, attention } = packedFeeds(trajectories, packed);
    return { hidden: packedStates(trajectories, packed, this.width), places, ...attention };
  }

  dispose(): Promise<void> {
    return this.decoder.dispose();
  }
}

function newRow(prompt: Prompt, group: number): Row {
  return {
    prompt,
    group,
    tokens: [],
    choices: [],
    logp: [],
    values: [],
    banned: [],
    hidden: [],
    finished: false,
    done: false,
  };
}

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
