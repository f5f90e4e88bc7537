/** Checks the losses of reinforcement and of the Q function on the rollouts of the reference. */
import { actionLogProbabilities, clippedLoss, policyGradientLoss, qLoss, valueLoss } from '../cola/losses.ts';
import { headLogits, headOn, headTrunk, stateValue } from '../cola/modules.ts';
import * as ops from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';
import { advantages, groupOutcomes, stepRewards, whiten } from '../train/reinforce/advantages.ts';
import type { ColaChecker } from './cola-checker.ts';

/** Advantages of one algorithm with one lambda, and what the reference calls their results. */
interface PolicyCase {
  readonly algorithm: string;
  readonly prefix: string;
  readonly white: Float64Array;
}

class RolloutCheck {
  constructor(private readonly check: ColaChecker) {}

  async run(): Promise<void> {
    await this.reinforce();
    await this.ppo();
    await this.q();
  }

  /** The rollouts of the reference. */
  private rollouts() {
    const { reference } = this.check;
    const [rows, length] = reference.shape('in.rl.actions');
    const mask = this.check.maskOf('in.rl.action_mask');
    return {
      rows,
      length,
      mask,
      sequences: reference.ints('in.rl.sequences'),
      actions: reference.ints('in.rl.actions'),
      logpOld: reference.floats('in.rl.logp_old'),
      logpRef: reference.floats('in.rl.logp_ref'),
      rewards: reference.floats('in.rl.rewards'),
      groups: Int32Array.from({ length: rows }, (_, b) => Math.floor(b / this.check.hyper.group_size)),
    };
  }

  /** The policy's trunk at the states of the actions: positions p-1 .. p-2+A. */
  private actionStates(head: 'policy' | 'q' | 'q_target', rows: number, length: number) {
    const { model, hyper } = this.check;
    const { graph, h, context } = this.check.sequences(rows, hyper.prompt_len + length);
    const { trunk } = headTrunk(graph, model.base.config, model.config, head, ops.stopGradient(h), context);
    const cut = (x: Tensor) => ops.slice(x, 1, hyper.prompt_len - 1, hyper.prompt_len - 1 + length);
    const states = cut(trunk);
    return { graph, h, context, cut, states, logits: headLogits(graph, model.base.config, model.config, head, states) };
  }

  private async reinforce(): Promise<void> {
    const { hyper, reference } = this.check;
    const r = this.rollouts();
    const masked = (values: ArrayLike<number>) =>
      Float32Array.from({ length: values.length }, (_, i) => values[i] * r.mask[i]);
    this.check.against('rewards', 'rl.kl', masked(r.logpOld.map((x, i) => x - r.logpRef[i])));
    const greedy = reference.floats('in.rl.rewards_greedy');
    const outcomes = {
      clip: r.rewards,
      grpo: groupOutcomes(r.rewards, r.groups),
      remax: r.rewards.map((x, i) => x - greedy[i]),
    };
    this.check.against('rewards', 'grpo.outcome', outcomes.grpo);
    this.check.against('rewards', 'remax.outcome', outcomes.remax);
    const cases: PolicyCase[] = [];
    for (const [name, outcome] of Object.entries(outcomes)) {
      const rewards = stepRewards(r, r.logpOld, r.logpRef, outcome, hyper.beta_kl);
      this.check.against('rewards', `${name}.step_rewards`, rewards);
      for (const lambda of hyper.gae_lambdas) {
        const prefix = `${name}.lam${Math.round(lambda * 100)}`;
        const raw = advantages(r, rewards, undefined, hyper.gae_gamma, lambda);
        const white = whiten(r, raw);
        this.check.against('rewards', `${prefix}.advantages_raw`, raw);
        this.check.against('rewards', `${prefix}.advantages`, white);
        cases.push({ algorithm: name, prefix, white });
      }
    }
    const clips = ({ algorithm }: PolicyCase) => algorithm !== 'remax';
    await this.policyLoss(true, cases.filter(clips));
    await this.policyLoss(
      false,
      cases.filter((each) => !clips(each)),
    );
  }

  private async policyLoss(clipped: boolean, cases: readonly PolicyCase[]): Promise<void> {
    const r = this.rollouts();
    const { graph, logits } = this.actionStates('policy', r.rows, r.length);
    const row = (name: string) => graph.input(name, 'float32', [r.rows, r.length]);
    const [mask, old, advantage] = [row('mask'), row('logp_old'), row('advantages')];
    const actions = graph.input('actions', 'int32', [r.rows, r.length]);
    const logp = ops.mul(actionLogProbabilities(logits, actions, this.check.hyper.action_temperature), mask);
    const loss = clipped
      ? clippedLoss(logp, old, advantage, mask, this.check.hyper.clip_eps)
      : policyGradientLoss(logp, advantage, mask);
    const same = { ids: r.sequences, actions: r.actions, mask: r.mask, logp_old: r.logpOld };
    await this.check.evaluateEach(
      graph,
      { 'rl.logp': logp },
      loss,
      cases.map(({ algorithm, prefix, white }) => ({
        group: `reinforce ${algorithm}`,
        prefix,
        feeds: { ...same, advantages: Float32Array.from(white) },
      })),
    );
  }

  private async ppo(): Promise<void> {
    const { hyper, reference } = this.check;
    if (!reference.has('ppo.loss')) return;
    const r = this.rollouts();
    const valuesOld = reference.floats('in.rl.values_old');
    const rewards = stepRewards(r, r.logpOld, r.logpRef, r.rewards, hyper.beta_kl);
    const raw = advantages(r, rewards, valuesOld, hyper.gae_gamma, hyper.ppo.gae_lambda);
    const white = whiten(r, raw);
    const returns = Float32Array.from(raw, (a, i) => (r.mask[i] === 0 ? 0 : a + valuesOld[i]));
    this.check.against('reinforce ppo', 'ppo.advantages_raw', raw);
    this.check.against('reinforce ppo', 'ppo.advantages', white);
    this.check.against('reinforce ppo', 'ppo.returns', returns);
    const { graph, states, logits } = this.actionStates('policy', r.rows, r.length);
    const row = (name: string) => graph.input(name, 'float32', [r.rows, r.length]);
    const mask = row('mask');
    const actions = graph.input('actions', 'int32', [r.rows, r.length]);
    const logp = actionLogProbabilities(logits, actions, hyper.action_temperature);
    const policy = clippedLoss(logp, row('logp_old'), row('advantages'), mask, hyper.clip_eps);
    const values = ops.mul(stateValue(graph, states), mask);
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
    await this.check.evaluate('reinforce ppo', graph, outputs, { ppo: loss, ppo_value: value }, feeds);
  }

  private async q(): Promise<void> {
    const { hyper, model } = this.check;
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
    this.check.against('q', 'q.step_rewards', steps);
    const outputs = {
      'q.logits': online.logits,
      'q.values': ops.mul(values, mask),
      'q.targets': ops.mul(targets, mask),
      'q.loss': loss,
    };
    await this.check.evaluate(
      'q',
      graph,
      outputs,
      { q: loss },
      { ids: r.sequences, actions: r.actions, mask: r.mask, rewards: steps },
    );
  }
}

export function checkRollouts(check: ColaChecker): Promise<void> {
  return new RolloutCheck(check).run();
}
