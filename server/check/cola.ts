/** Checks a CoLA folder: forward passes, the supervised losses and their gradients, the marginal, health of the codes. */
import { codeHealth } from '../cola/health.ts';
import { cloneLoss, controlLoss, guideLoss } from '../cola/losses.ts';
import type { ColaModel } from '../cola/model.ts';
import { headOn, inverseDynamics, marginalLogProbabilities, worldModelAll } from '../cola/modules.ts';
import type { Device } from '../device/device.ts';
import { logSoftmax } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';
import { languageHead } from '../model/base.ts';
import { argmaxOf } from '../model/sampling.ts';
import { ColaChecker } from './cola-checker.ts';
import { checkDecoding } from './cola-decode.ts';
import { checkRollouts } from './cola-rollouts.ts';
import type { Comparer } from './comparison.ts';
import type { Reference } from './reference.ts';

class ColaCheck {
  constructor(private readonly check: ColaChecker) {}

  async run(): Promise<void> {
    await this.forward();
    await this.control();
    await this.clone();
    for (const source of ['idm', 'policy'] as const) await this.guide(source);
    await this.marginal();
  }

  private async forward(): Promise<void> {
    const { model } = this.check;
    const { config } = model.base;
    const { graph, h, context } = this.check.sequences();
    const raw = headOn(graph, config, model.config, 'idm', h, context);
    const first = ops.reshape(ops.slice(h, 0, 0, 1), [this.check.length, config.hiddenSize]);
    const outputs = {
      'base.hidden': h,
      'base.logits': languageHead(graph, config, h),
      'idm.logits_raw': raw,
      'idm.logits': inverseDynamics(graph, config, model.config, h, context),
      'policy.logits': headOn(graph, config, model.config, 'policy', h, context),
      'world.logits_first': worldModelAll(graph, config, model.config, first),
    };
    const values = await this.check.evaluate(
      'forward',
      graph,
      outputs,
      {},
      { ids: this.check.reference.ints('in.input_ids') },
    );
    const n = model.config.numCodes;
    const actions = Int32Array.from({ length: this.check.batch * (this.check.length - 1) }, (_, i) =>
      argmaxOf(values['idm.logits'], i * n, n),
    );
    this.check.against('forward', 'idm.actions', actions);
    this.health('idm', actions);
  }

  private health(source: string, actions: Int32Array): void {
    const health = codeHealth(actions, this.check.model.config.numCodes);
    this.check.against('health', `health.${source}.counts`, health.counts);
    this.check.against('health', `health.${source}.alive`, [health.alive]);
    this.check.against('health', `health.${source}.entropy`, [health.entropy]);
    this.check.against('health', `health.${source}.max_share`, [health.maxShare]);
  }

  private async control(): Promise<void> {
    const { model, hyper } = this.check;
    const { graph, ids, h, context } = this.check.sequences();
    const gumbel = graph.input('gumbel', 'float32', [this.check.batch, this.check.length, model.config.numCodes]);
    const settings = { tau: hyper.gumbel_tau, beta: hyper.beta_reg, balance: 0 };
    const modules = { graph, config: model.base.config, cola: model.config };
    const stage1 = controlLoss(modules, { h: ops.stopGradient(h), ids, gumbel, context }, settings);
    const outputs = {
      'stage1.soft': stage1.soft,
      'stage1.actions': stage1.actions,
      'stage1.logits': stage1.logits,
      'stage1.loss_pred': stage1.prediction,
      'stage1.loss_reg': stage1.regulariser,
      'stage1.loss': stage1.loss,
    };
    const feeds = { ids: this.check.reference.ints('in.input_ids'), gumbel: this.check.reference.floats('in.gumbel') };
    const values = await this.check.evaluate('control', graph, outputs, { stage1: stage1.loss }, feeds);
    this.health('stage1', Int32Array.from(values['stage1.actions']));
  }

  private async clone(): Promise<void> {
    const { model } = this.check;
    const { graph, h, context } = this.check.sequences();
    const actions = graph.input('actions', 'int32', [this.check.batch, this.check.length - 1]);
    const loss = cloneLoss(
      headOn(graph, model.base.config, model.config, 'policy', ops.stopGradient(h), context),
      actions,
    );
    const feeds = { ids: this.check.reference.ints('in.input_ids'), actions: this.check.reference.ints('idm.actions') };
    await this.check.evaluate('clone', graph, { 'clone.loss': loss }, { clone: loss }, feeds);
  }

  private async guide(source: 'idm' | 'policy'): Promise<void> {
    const { model } = this.check;
    const prefix = source === 'idm' ? 'fta_i' : 'fta_p';
    const { graph, ids, h, context } = this.check.sequences();
    const mask = graph.input('mask', 'float32', [this.check.batch, this.check.length]);
    const modules = { graph, config: model.base.config, cola: model.config };
    const { loss, logits, actions } = guideLoss(modules, { h, ids, responseMask: mask, context }, source);
    const outputs = { [`${prefix}.loss`]: loss, [`${prefix}.logits`]: logits, [`${prefix}.actions`]: actions };
    const feeds = { ids: this.check.reference.ints('in.input_ids'), mask: this.check.maskOf('in.response_mask') };
    await this.check.evaluate(`guide ${source}`, graph, outputs, { [prefix]: loss }, feeds);
  }

  private async marginal(): Promise<void> {
    const { model } = this.check;
    const { config } = model.base;
    const { graph, h, context } = this.check.sequences();
    const rows = this.check.batch * this.check.length;
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
    await this.check.evaluate('marginal', graph, outputs, {}, { ids: this.check.reference.ints('in.input_ids') });
  }
}

/** Compares everything but the search with the reference values. */
export async function checkCola(
  device: Device,
  model: ColaModel,
  reference: Reference,
  comparer: Comparer,
): Promise<void> {
  const checker = await ColaChecker.create(device, model, reference, comparer);
  await new ColaCheck(checker).run();
  await checkRollouts(checker);
  await checkDecoding(checker);
  checker.state.dispose();
}
