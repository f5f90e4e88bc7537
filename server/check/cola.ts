/** Checks a CoLA folder: forward passes, every loss and its gradients, the marginal, decoding, health of the codes. */
import { Decoder, forced } from '../cola/decoder.ts';
import { codeHealth } from '../cola/health.ts';
import {
  actionLogProbabilities,
  clippedLoss,
  cloneLoss,
  controlLoss,
  guideLoss,
  policyGradientLoss,
  qLoss,
  valueLoss,
} from '../cola/losses.ts';
import type { ColaModel } from '../cola/model.ts';
import {
  headLogits,
  headOn,
  headTrunk,
  inverseDynamics,
  marginalLogProbabilities,
  stateValue,
  worldModelAll,
} from '../cola/modules.ts';
import type { Device } from '../device/device.ts';
import type { Feed, State } from '../device/program.ts';
import { logSoftmax } from '../graph/functions.ts';
import { gradient } from '../graph/gradient.ts';
import * as ops from '../graph/ops.ts';
import { Graph, type Tensor } from '../graph/tensor.ts';
import { hiddenStates, languageHead } from '../model/base.ts';
import { type AttentionContext, causalContext } from '../model/block.ts';
import { uploadWeights } from '../model/language-model.ts';
import { argmaxOf, inverseCdf, probabilities } from '../model/sampling.ts';
import { advantages, groupOutcomes, stepRewards, whiten } from '../train/advantages.ts';
import { gradientGroup, readAll } from './base.ts';
import type { Comparer, Measure } from './comparison.ts';
import { type FixtureHyper, parseHyper } from './hyper.ts';
import type { Reference } from './reference.ts';

/** Limits of test/fixtures/cola/README.md, section 11. */
const forwardLimit = 1e-4;
const gradientLimit = 5e-4;
const scalarLimit = 1e-5;

class ColaCheck {
  private readonly hyper: FixtureHyper;
  private readonly batch: number;
  private readonly length: number;
  private state: State | undefined;

  constructor(
    private readonly device: Device,
    private readonly model: ColaModel,
    private readonly reference: Reference,
    private readonly comparer: Comparer,
  ) {
    this.hyper = parseHyper(model.notes, model.folder);
    [this.batch, this.length] = reference.shape('in.input_ids');
  }

  async run(): Promise<void> {
    const tensors = [...this.model.base.tensors, ...this.model.tensors];
    this.state = await uploadWeights(this.device, this.model.allWeights, tensors);
    await this.forward();
    await this.control();
    await this.clone();
    for (const source of ['idm', 'policy'] as const) await this.guide(source);
    await this.marginal();
    await this.reinforce();
    await this.ppo();
    await this.q();
    await this.decode();
    this.state.dispose();
  }

  /** Compares one result; the measure follows from what is stored. */
  private against(group: string, name: string, actual: ArrayLike<number>): void {
    const { reference, comparer } = this;
    if (!reference.has(name)) return;
    const { dtype, shape } = reference.tensors.info(name);
    if (dtype === 'I64' || dtype === 'I32') {
      comparer.compare(group, name, actual, reference.ints(name), 'exact', 0);
      return;
    }
    const gradientOf = name.includes('.grad.');
    const single = shape.length === 1 && shape[0] === 1 && !gradientOf;
    const measure: Measure = single ? 'scalar' : 'relative';
    const limit = gradientOf ? gradientLimit : single ? scalarLimit : forwardLimit;
    comparer.compare(group, name, actual, reference.floats(name), measure, limit);
  }

  /** Compiles and runs, with the gradients of `losses` for the tensors the reference has them for, and compares everything. */
  private async evaluate(
    group: string,
    graph: Graph,
    outputs: Readonly<Record<string, Tensor>>,
    losses: Readonly<Record<string, Tensor>>,
    feeds: Readonly<Record<string, Feed>>,
  ): Promise<Record<string, Float32Array>> {
    const all: Record<string, Tensor> = { ...outputs };
    for (const [prefix, loss] of Object.entries(losses)) {
      const names = this.reference.gradientsOf(`${prefix}.grad.`);
      const shapes = new Map(
        [...this.model.base.tensors, ...this.model.tensors].map(({ name, shape }) => [name, shape]),
      );
      const gradients = gradient(
        loss,
        names.map((name) => graph.parameter(name, shapes.get(name) ?? [])),
      );
      for (const [i, name] of names.entries()) all[`${prefix}.grad.${name}`] = gradients[i];
    }
    const program = await this.device.compile(all);
    const values = await readAll(program, feeds, { states: this.state === undefined ? [] : [this.state] });
    for (const [name, value] of Object.entries(values)) {
      const at = name.indexOf('.grad.');
      this.against(at < 0 ? group : `${group} ${gradientGroup(name.slice(at + 6))}`, name, value);
    }
    return values;
  }

  private sequences(
    batch = this.batch,
    length = this.length,
  ): { graph: Graph; ids: Tensor; h: Tensor; context: AttentionContext } {
    const graph = new Graph();
    const { config } = this.model.base;
    const ids = graph.input('ids', 'int32', [batch, length]);
    const context = causalContext(graph, config, batch, length);
    const { h } = hiddenStates(graph, config, ids, context);
    return { graph, ids, h, context };
  }

  private async forward(): Promise<void> {
    const { model } = this;
    const { config } = model.base;
    const { graph, h, context } = this.sequences();
    const raw = headOn(graph, config, model.config, 'idm', h, context);
    const first = ops.reshape(ops.slice(h, 0, 0, 1), [this.length, config.hiddenSize]);
    const outputs = {
      'base.hidden': h,
      'base.logits': languageHead(graph, config, h),
      'idm.logits_raw': raw,
      'idm.logits': inverseDynamics(graph, config, model.config, h, context),
      'policy.logits': headOn(graph, config, model.config, 'policy', h, context),
      'world.logits_first': worldModelAll(graph, config, model.config, first),
    };
    const values = await this.evaluate('forward', graph, outputs, {}, { ids: this.reference.ints('in.input_ids') });
    const n = model.config.numCodes;
    const actions = Int32Array.from({ length: this.batch * (this.length - 1) }, (_, i) =>
      argmaxOf(values['idm.logits'], i * n, n),
    );
    this.against('forward', 'idm.actions', actions);
    this.health('idm', actions);
  }

  private health(source: string, actions: Int32Array): void {
    const health = codeHealth(actions, this.model.config.numCodes);
    this.against('health', `health.${source}.counts`, health.counts);
    this.against('health', `health.${source}.alive`, [health.alive]);
    this.against('health', `health.${source}.entropy`, [health.entropy]);
    this.against('health', `health.${source}.max_share`, [health.maxShare]);
  }

  private async control(): Promise<void> {
    const { model, hyper } = this;
    const { graph, ids, h, context } = this.sequences();
    const gumbel = graph.input('gumbel', 'float32', [this.batch, this.length, model.config.numCodes]);
    const settings = { tau: hyper.gumbel_tau, beta: hyper.beta_reg, balance: 0 };
    const stage1 = controlLoss(
      graph,
      model.base.config,
      model.config,
      ops.stopGradient(h),
      ids,
      gumbel,
      context,
      settings,
    );
    const outputs = {
      'stage1.soft': stage1.soft,
      'stage1.actions': stage1.actions,
      'stage1.logits': stage1.logits,
      'stage1.loss_pred': stage1.prediction,
      'stage1.loss_reg': stage1.regulariser,
      'stage1.loss': stage1.loss,
    };
    const feeds = { ids: this.reference.ints('in.input_ids'), gumbel: this.reference.floats('in.gumbel') };
    const values = await this.evaluate('control', graph, outputs, { stage1: stage1.loss }, feeds);
    this.health('stage1', Int32Array.from(values['stage1.actions']));
  }

  private async clone(): Promise<void> {
    const { model } = this;
    const { graph, h, context } = this.sequences();
    const actions = graph.input('actions', 'int32', [this.batch, this.length - 1]);
    const loss = cloneLoss(
      headOn(graph, model.base.config, model.config, 'policy', ops.stopGradient(h), context),
      actions,
    );
    const feeds = { ids: this.reference.ints('in.input_ids'), actions: this.reference.ints('idm.actions') };
    await this.evaluate('clone', graph, { 'clone.loss': loss }, { clone: loss }, feeds);
  }

  private async guide(source: 'idm' | 'policy'): Promise<void> {
    const { model } = this;
    const prefix = source === 'idm' ? 'fta_i' : 'fta_p';
    const { graph, ids, h, context } = this.sequences();
    const mask = graph.input('mask', 'float32', [this.batch, this.length]);
    const { loss, logits, actions } = guideLoss(graph, model.base.config, model.config, h, ids, mask, context, source);
    const outputs = { [`${prefix}.loss`]: loss, [`${prefix}.logits`]: logits, [`${prefix}.actions`]: actions };
    const feeds = { ids: this.reference.ints('in.input_ids'), mask: this.maskOf('in.response_mask') };
    await this.evaluate(`guide ${source}`, graph, outputs, { [prefix]: loss }, feeds);
  }

  private maskOf(name: string): Float32Array {
    const { dtype } = this.reference.tensors.info(name);
    return dtype === 'F32' ? this.reference.floats(name) : Float32Array.from(this.reference.ints(name));
  }

  private async marginal(): Promise<void> {
    const { model } = this;
    const { config } = model.base;
    const { graph, h, context } = this.sequences();
    const rows = this.batch * this.length;
    const flat = (x: Tensor, last: number) => ops.reshape(x, [rows, last]);
    const states = flat(h, config.hiddenSize);
    const pi = flat(headOn(graph, config, model.config, 'policy', h, context), model.config.numCodes);
    const logp = marginalLogProbabilities(graph, config, model.config, states, pi);
    const base = logSoftmax(languageHead(graph, config, states));
    const kl = (p: Tensor, q: Tensor) => ops.mean(ops.sum(ops.mul(ops.exp(p), ops.sub(p, q)), [-1]));
    const outputs = {
      'marginal.logp': logp,
      'marginal.base_logp': base,
      'marginal.kl_marginal_base': kl(logp, base),
      'marginal.kl_base_marginal': kl(base, logp),
    };
    await this.evaluate('marginal', graph, outputs, {}, { ids: this.reference.ints('in.input_ids') });
  }

  /** The rollouts of the reference. */
  private rollouts() {
    const { reference } = this;
    const [rows, length] = reference.shape('in.rl.actions');
    const mask = this.maskOf('in.rl.action_mask');
    return {
      rows,
      length,
      mask,
      sequences: reference.ints('in.rl.sequences'),
      actions: reference.ints('in.rl.actions'),
      logpOld: reference.floats('in.rl.logp_old'),
      logpRef: reference.floats('in.rl.logp_ref'),
      rewards: reference.floats('in.rl.rewards'),
      groups: Int32Array.from({ length: rows }, (_, b) => Math.floor(b / this.hyper.group_size)),
    };
  }

  /** The policy's trunk at the states of the actions: positions p-1 .. p-2+A. */
  private actionStates(head: 'policy' | 'q' | 'q_target', rows: number, length: number) {
    const { model, hyper } = this;
    const { graph, h, context } = this.sequences(rows, hyper.prompt_len + length);
    const { trunk } = headTrunk(graph, model.base.config, model.config, head, ops.stopGradient(h), context);
    const cut = (x: Tensor) => ops.slice(x, 1, hyper.prompt_len - 1, hyper.prompt_len - 1 + length);
    const states = cut(trunk);
    return { graph, h, context, cut, states, logits: headLogits(graph, model.base.config, model.config, head, states) };
  }

  private async reinforce(): Promise<void> {
    const { hyper, reference } = this;
    const r = this.rollouts();
    const masked = (values: ArrayLike<number>) =>
      Float32Array.from({ length: values.length }, (_, i) => values[i] * r.mask[i]);
    this.against('rewards', 'rl.kl', masked(r.logpOld.map((x, i) => x - r.logpRef[i])));
    const greedy = reference.floats('in.rl.rewards_greedy');
    const outcomes = {
      clip: r.rewards,
      grpo: groupOutcomes(r.rewards, r.groups),
      remax: r.rewards.map((x, i) => x - greedy[i]),
    };
    this.against('rewards', 'grpo.outcome', outcomes.grpo);
    this.against('rewards', 'remax.outcome', outcomes.remax);
    for (const [name, outcome] of Object.entries(outcomes)) {
      const rewards = stepRewards(r, r.logpOld, r.logpRef, outcome, hyper.beta_kl);
      this.against('rewards', `${name}.step_rewards`, rewards);
      for (const lambda of hyper.gae_lambdas) {
        const prefix = `${name}.lam${Math.round(lambda * 100)}`;
        const raw = advantages(r, rewards, undefined, hyper.gae_gamma, lambda);
        const white = whiten(r, raw);
        this.against('rewards', `${prefix}.advantages_raw`, raw);
        this.against('rewards', `${prefix}.advantages`, white);
        await this.policyLoss(name, prefix, white);
      }
    }
  }

  private async policyLoss(algorithm: string, prefix: string, white: Float64Array): Promise<void> {
    const r = this.rollouts();
    const { graph, logits } = this.actionStates('policy', r.rows, r.length);
    const row = (name: string) => graph.input(name, 'float32', [r.rows, r.length]);
    const [mask, old, advantage] = [row('mask'), row('logp_old'), row('advantages')];
    const actions = graph.input('actions', 'int32', [r.rows, r.length]);
    const logp = ops.mul(actionLogProbabilities(logits, actions, this.hyper.action_temperature), mask);
    const loss =
      algorithm === 'remax'
        ? policyGradientLoss(logp, advantage, mask)
        : clippedLoss(logp, old, advantage, mask, this.hyper.clip_eps);
    const feeds = {
      ids: r.sequences,
      actions: r.actions,
      mask: r.mask,
      logp_old: r.logpOld,
      advantages: Float32Array.from(white),
    };
    await this.evaluate(
      `reinforce ${algorithm}`,
      graph,
      { 'rl.logp': logp, [`${prefix}.loss`]: loss },
      { [prefix]: loss },
      feeds,
    );
  }

  private async ppo(): Promise<void> {
    const { hyper, reference, model } = this;
    if (!reference.has('ppo.loss')) return;
    const r = this.rollouts();
    const valuesOld = reference.floats('in.rl.values_old');
    const rewards = stepRewards(r, r.logpOld, r.logpRef, r.rewards, hyper.beta_kl);
    const raw = advantages(r, rewards, valuesOld, hyper.gae_gamma, hyper.ppo.gae_lambda);
    const white = whiten(r, raw);
    const returns = Float32Array.from(raw, (a, i) => (r.mask[i] === 0 ? 0 : a + valuesOld[i]));
    this.against('reinforce ppo', 'ppo.advantages_raw', raw);
    this.against('reinforce ppo', 'ppo.advantages', white);
    this.against('reinforce ppo', 'ppo.returns', returns);
    const { graph, states, logits } = this.actionStates('policy', r.rows, r.length);
    const row = (name: string) => graph.input(name, 'float32', [r.rows, r.length]);
    const mask = row('mask');
    const actions = graph.input('actions', 'int32', [r.rows, r.length]);
    const logp = actionLogProbabilities(logits, actions, hyper.action_temperature);
    const policy = clippedLoss(logp, row('logp_old'), row('advantages'), mask, hyper.clip_eps);
    const values = ops.mul(stateValue(graph, model.base.config, states), mask);
    const value = valueLoss(values, row('values_old'), row('returns'), mask, hyper.ppo.value_clip);
    const loss = ops.add(policy, ops.mul(value, hyper.ppo.value_coef));
    const feeds = {
      ids: r.sequences,
      actions: r.actions,
      mask: r.mask,
      logp_old: r.logpOld,
      advantages: Float32Array.from(white),
      values_old: valuesOld,
      returns,
    };
    const outputs = { 'ppo.values': values, 'ppo.loss_policy': policy, 'ppo.loss_value': value, 'ppo.loss': loss };
    await this.evaluate('reinforce ppo', graph, outputs, { ppo: loss, ppo_value: value }, feeds);
  }

  private async q(): Promise<void> {
    const { hyper, model } = this;
    if (!model.has('q') || !model.has('q_target')) return;
    const r = this.rollouts();
    const online = this.actionStates('q', r.rows, r.length);
    const { graph, cut, context } = online;
    const target = headOn(graph, model.base.config, model.config, 'q_target', ops.stopGradient(online.h), context);
    const row = (name: string) => graph.input(name, 'float32', [r.rows, r.length]);
    const [rewards, mask] = [row('rewards'), row('mask')];
    const actions = graph.input('actions', 'int32', [r.rows, r.length]);
    const { loss, targets, values } = qLoss(online.logits, cut(target), actions, rewards, mask, hyper.q_gamma);
    const zeros = new Float32Array(r.rows * r.length);
    const steps = Float32Array.from(stepRewards(r, zeros, zeros, r.rewards, 0));
    this.against('q', 'q.step_rewards', steps);
    const outputs = {
      'q.logits': online.logits,
      'q.values': ops.mul(values, mask),
      'q.targets': ops.mul(targets, mask),
      'q.loss': loss,
    };
    await this.evaluate(
      'q',
      graph,
      outputs,
      { q: loss },
      { ids: r.sequences, actions: r.actions, mask: r.mask, rewards: steps },
    );
  }

  private async decode(): Promise<void> {
    const { model, reference, hyper } = this;
    const n = model.config.numCodes;
    const decoder = new Decoder(this.device, model, { parts: { preview: true } });
    const [count, length] = reference.shape('in.gen.prompts');
    const ids = reference.ints('in.gen.prompts');
    const prompts = Array.from({ length: count }, (_, i) => ids.subarray(i * length, (i + 1) * length));
    const uniforms = reference.floats('in.gen.uniforms');
    const steps = hyper.generation.max_new;
    const draw = (logits: Float32Array, row: number, t: number) =>
      inverseCdf(probabilities(logits, row * n, n, hyper.generation.temperature), uniforms[row * steps + t]);
    const most = (logits: Float32Array, row: number) => argmaxOf(logits, row * n, n);
    await this.decoded(decoder, 'gen.sampled', prompts, draw);
    await this.decoded(decoder, 'gen.greedy', prompts, most);
    const repeated = prompts
      .slice(0, reference.shape('gen.forced.actions')[0])
      .flatMap((prompt) => Array<Int32Array>(n).fill(prompt));
    await this.decoded(decoder, 'gen.forced', repeated, (logits, row, t) => (t === 0 ? row % n : most(logits, row)));
    await this.fused(decoder, prompts, most);
    await decoder.dispose();
  }

  private async decoded(
    decoder: Decoder,
    name: string,
    prompts: readonly Int32Array[],
    choose: (logits: Float32Array, row: number, t: number) => number,
  ): Promise<void> {
    const n = this.model.config.numCodes;
    const steps = this.hyper.generation.max_new;
    const actions = new Int32Array(prompts.length * steps).fill(-1);
    const tokens = new Int32Array(prompts.length * steps).fill(-1);
    const ended = prompts.map(() => false);
    const cache = await decoder.cache(prompts.length, prompts[0].length + steps);
    let next: ArrayLike<number>[] = [...prompts];
    for (let t = 0; t < steps; t++) {
      const result = await decoder.step(cache, next);
      next = prompts.map((_, row) => {
        if (ended[row] || result.nextTokens === undefined) return [0];
        const action = choose(result.policyLogits, row, t);
        const token = result.nextTokens[row * n + action];
        actions[row * steps + t] = action;
        tokens[row * steps + t] = token;
        ended[row] = this.model.base.endIds.has(token);
        return [token];
      });
    }
    cache.dispose();
    this.against('decode', `${name}.actions`, actions);
    this.against('decode', `${name}.tokens`, tokens);
  }

  /** The fused choice inside the graph gives what the choice on the host gives: greedy, and with each code forced. */
  private async fused(
    decoder: Decoder,
    prompts: readonly Int32Array[],
    most: (logits: Float32Array, row: number) => number,
  ): Promise<void> {
    const n = this.model.config.numCodes;
    const cache = await decoder.cache(prompts.length, prompts[0].length + 1);
    for (let code = -1; code < n; code++) {
      const bias = new Float32Array(prompts.length * n);
      if (code >= 0) for (let row = 0; row < prompts.length; row++) bias[row * n + code] = forced;
      cache.lengths.fill(0);
      const result = await decoder.step(cache, prompts, bias);
      const expected = prompts.map((_, row) => (code < 0 ? most(result.policyLogits, row) : code));
      this.comparer.compare('decode', 'fused actions', result.action, expected, 'exact', 0);
      const tokens = expected.map((action, row) => result.nextTokens?.[row * n + action] ?? -1);
      this.comparer.compare('decode', 'fused tokens', result.token, tokens, 'exact', 0);
    }
    cache.dispose();
  }
}

export function checkCola(device: Device, model: ColaModel, reference: Reference, comparer: Comparer): Promise<void> {
  return new ColaCheck(device, model, reference, comparer).run();
}
