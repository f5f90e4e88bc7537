/**
 * Decoding with latent actions. One step is one run: base, policy, choice of the action, world model, choice of the
 * token. The action is argmax(l_pi / temperature + bias): a bias of zeros is greedy, Gumbel noise is an exact sample, a
 * large number on one code forces it, minus a large number bans it; each row has its own.
 */
import type { Device } from '../device/device.ts';
import type { State } from '../device/program.ts';
import { logSumExp } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { hiddenStates, languageHead } from '../model/base.ts';
import { rowsOf } from '../model/block.ts';
import type { KeptRows } from '../model/cache/compaction.ts';
import type { KeyValueCache } from '../model/cache/key-value-cache.ts';
import type { ModelConfig } from '../model/config/config.ts';
import { Stepper } from '../model/step.ts';
import type { StepGraph } from '../model/step-graph.ts';
import type { ColaConfig } from './config.ts';
import type { ColaModel } from './model.ts';
import { codebook, headLogits, headTrunk, stateValue, worldModel, worldModelAll } from './modules.ts';

/** Large enough to decide against any logit, small enough to add to one without losing it. */
export const forced = 1e6;

/** What a step returns besides action and token. */
export interface StepParts {
  /** h of every new token, `[B,T,d]`: what the policy update trains on. */
  readonly hidden?: boolean;
  /** h of the last token of each row, `[B,d]`. */
  readonly state?: boolean;
  /** V of the last state, from the value head. */
  readonly value?: boolean;
  /** Q(s, .) of the last state `[B,N]`. */
  readonly q?: boolean;
  /** Choose only among the k most likely codes; the others get no bias that could save them. */
  readonly topK?: number;
  /** For every code the token it leads to, `[B,N]`, and that token's log-probability. */
  readonly preview?: boolean;
  /**
   * What else could follow: the second likeliest code `second [B]` with its token `second_token [B]`, the base's likeliest token
   * `base_token [B]`; and of the tokens of both codes and this one, log p under the base `base_logp [B,3]`, and under either code
   * `code_logp [B,2,3]`.
   */
  readonly rivals?: boolean;
}

/**
 * The fused step as a graph. Inputs beside the step's own: `action_bias [B,N]`, `temperature []`.
 * Outputs: `action [B]`, `token [B]`, `policy_logits [B,N]`, and what `parts` asks for.
 */
export function fusedStep(config: ModelConfig, cola: ColaConfig, parts: StepParts): StepGraph {
  const heads = parts.q === true ? 2 : 1;
  return {
    cachedBlocks: config.layers + heads * cola.policyLayers,
    build(graph, inputs) {
      const { h, caches } = hiddenStates(
        graph,
        config,
        inputs.ids,
        inputs.context,
        inputs.caches.slice(0, config.layers),
      );
      const policy = headTrunk(graph, config, cola, 'policy', h, inputs.context, inputs.caches.slice(config.layers));
      const state = rowsOf(h, inputs.last);
      const trunk = rowsOf(policy.trunk, inputs.last);
      const logits = headLogits(graph, config, cola, 'policy', trunk);
      const updated = [...caches, ...policy.caches];
      const { action, world } = choice(graph, config, cola, state, topOf(logits, parts.topK));
      const token = ops.argmax(world);
      const outputs: Record<string, Tensor> = { action, token, policy_logits: logits };
      if (parts.hidden === true) outputs.hidden = h;
      if (parts.state === true) outputs.state = state;
      if (parts.value === true) outputs.value = stateValue(graph, trunk);
      if (parts.rivals === true) Object.assign(outputs, rivals(graph, config, cola, state, logits, world, token));
      if (parts.preview === true) Object.assign(outputs, preview(graph, config, cola, state));
      if (parts.q === true) {
        const q = headTrunk(
          graph,
          config,
          cola,
          'q',
          h,
          inputs.context,
          inputs.caches.slice(config.layers + cola.policyLayers),
        );
        outputs.q = headLogits(graph, config, cola, 'q', rowsOf(q.trunk, inputs.last));
        updated.push(...q.caches);
      }
      return { outputs, caches: updated };
    },
  };
}

function choice(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  state: Tensor,
  logits: Tensor,
): { action: Tensor; world: Tensor } {
  const bias = graph.input('action_bias', 'float32', logits.shape);
  const temperature = graph.input('temperature', 'float32', []);
  const action = ops.argmax(ops.add(ops.div(logits, temperature), bias));
  const c = ops.gather(codebook(graph, config, cola), action);
  return { action, world: worldModel(graph, config, cola, state, c) };
}

/** @param world logits under the likeliest code, which lead to `token` */
function rivals(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  state: Tensor,
  logits: Tensor,
  world: Tensor,
  token: Tensor,
): Record<string, Tensor> {
  const others = ops.where(ops.greater(ops.max(logits, [-1], true), logits), logits, graph.scalar(-forced));
  const second = ops.argmax(others);
  const otherWorld = worldModel(graph, config, cola, state, ops.gather(codebook(graph, config, cola), second));
  const secondToken = ops.argmax(otherWorld);
  const base = languageHead(graph, config, state);
  const baseToken = ops.argmax(base);
  const rows = state.shape[0];
  const logp = (x: Tensor) => {
    const all = logSumExp(x);
    const each = [token, secondToken, baseToken].map((ids) => ops.reshape(ops.sub(ops.pick(x, ids), all), [rows, 1]));
    return ops.concat(each, 1);
  };
  return {
    second,
    second_token: secondToken,
    base_token: baseToken,
    base_logp: logp(base),
    code_logp: ops.reshape(ops.concat([logp(world), logp(otherWorld)], 1), [rows, 2, 3]),
  };
}

/** Logits with all but the k largest pushed out of reach. */
function topOf(logits: Tensor, k: number | undefined): Tensor {
  const n = logits.shape[logits.shape.length - 1];
  if (k === undefined || k === 0 || k >= n) return logits;
  const least = ops.kthLargest(logits, k);
  return ops.where(ops.greater(least, logits), logits.graph.scalar(-forced), logits);
}

function preview(graph: Graph, config: ModelConfig, cola: ColaConfig, state: Tensor): Record<string, Tensor> {
  const logits = worldModelAll(graph, config, cola, state);
  const tokens = ops.argmax(logits);
  return { next_tokens: tokens, next_probabilities: ops.pick(ops.softmax(logits), tokens) };
}

/** What came out of one step, on the host. */
export interface StepResult {
  readonly action: Int32Array;
  readonly token: Int32Array;
  /** `[B,N]`. */
  readonly policyLogits: Float32Array;
  readonly value?: Float32Array;
  readonly q?: Float32Array;
  readonly nextTokens?: Int32Array;
  readonly nextProbabilities?: Float32Array;
}

export interface DecoderOptions {
  readonly parts?: StepParts;
  /** Where weights are that change while the decoder lives, such as a policy in training; the others are compiled in. */
  readonly live?: readonly State[];
  /** Which weights change; all in `live`, if not given. */
  readonly trained?: ReadonlySet<string>;
}

export class Decoder {
  private readonly stepper: Stepper;
  readonly parts: StepParts;
  readonly numCodes: number;

  /** @throws cola.missing */
  constructor(device: Device, model: ColaModel, options: DecoderOptions = {}) {
    this.parts = options.parts ?? {};
    this.numCodes = model.config.numCodes;
    model.require(
      'world',
      'policy',
      ...(this.parts.value === true ? (['value'] as const) : []),
      ...(this.parts.q === true ? (['q'] as const) : []),
    );
    const live = options.live ?? [];
    const frozen = new Map(
      [...model.allWeights].filter(([name]) => !(options.trained?.has(name) ?? live.some((state) => state.has(name)))),
    );
    this.stepper = new Stepper(
      model.base.on(device),
      model.base.config,
      fusedStep(model.base.config, model.config, this.parts),
      live,
      frozen,
    );
  }

  /** An empty cache for B sequences of at most `tokens` tokens. */
  cache(batch: number, tokens: number, capacity?: number): Promise<KeyValueCache> {
    return this.stepper.cache(batch, tokens, capacity);
  }

  /** Copies the one row of a cache into a row of another. */
  join(into: KeyValueCache, row: number, from: KeyValueCache): Promise<void> {
    return this.stepper.join(into, row, from);
  }

  branch(from: KeyValueCache, sharers: number, tokens: number): Promise<KeyValueCache> {
    return this.stepper.branch(from, sharers, tokens);
  }

  get narrows(): boolean {
    return this.stepper.narrows;
  }

  narrow(from: KeyValueCache, kept: KeptRows): Promise<KeyValueCache> {
    return this.stepper.narrow(from, kept);
  }

  select(from: KeyValueCache, rows: readonly number[], tokens: number): Promise<KeyValueCache> {
    return this.stepper.select(from, rows, tokens);
  }

  /**
   * Reads the new tokens of every row, then chooses one action and one token per row. The chosen token is not read yet.
   *
   * @param bias `[B,N]`, or `[Bn,N]` for n choices behind each row, side by side in the result; greedy if not given
   * @param takeHidden receives h of every new token, row by row; needs the part `hidden`
   */
  async step(
    cache: KeyValueCache,
    tokens: readonly ArrayLike<number>[],
    bias?: Float32Array,
    temperature = 1,
    takeHidden?: (row: number, values: Float32Array) => void,
  ): Promise<StepResult> {
    const feeds = {
      action_bias: bias ?? new Float32Array(cache.batch * this.numCodes),
      temperature: Float32Array.of(temperature),
    };
    const collect = takeHidden === undefined ? undefined : { output: 'hidden', take: takeHidden };
    const choices = feeds.action_bias.length / (cache.batch * this.numCodes);
    const out = await this.stepper.advance(cache, tokens, feeds, collect, choices);
    const floats = async (name: string) => (name in out ? { [name]: await out[name].readFloats() } : {});
    const parts = { ...(await floats('value')), ...(await floats('q')) };
    const result: StepResult = {
      action: await out.action.readInts(),
      token: await out.token.readInts(),
      policyLogits: await out.policy_logits.readFloats(),
      ...parts,
      ...('next_tokens' in out
        ? { nextTokens: await out.next_tokens.readInts(), nextProbabilities: await out.next_probabilities.readFloats() }
        : {}),
    };
    for (const buffer of Object.values(out)) buffer.release();
    return result;
  }

  dispose(): Promise<void> {
    return this.stepper.dispose();
  }
}
