/** Our side of the bench `grpo`: one round of reinforcement a line on standard input, in a process of its own. */
import { createInterface } from 'node:readline';
import { ColaModel } from '../server/cola/model.ts';
import { openDevice } from '../server/device/device.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { reinforceSettings } from '../server/spec/settings/reinforcement.ts';
import { DeviceWeights } from '../server/train/optimizer/weights.ts';
import { LatentActor } from '../server/train/reinforce/latent-actor.ts';
import { TokenActor, trainedOf } from '../server/train/reinforce/token-actor.ts';
import type { StageContext } from '../server/train/stage.ts';
import { ReinforceStage } from '../server/train/stages/reinforce.ts';
import { peakMegabytes } from './measure.ts';

export const arms = ['actions', 'tokens'] as const;
export type Arm = (typeof arms)[number];

/** What a round took. Peers answer with the same. */
export interface Round {
  readonly seconds: number;
  /** Of all threads. */
  readonly cpu: number;
  readonly rollout: number;
  readonly rolloutCpu: number;
  readonly update: number;
  readonly updateCpu: number;
  /** Of the process since it began, in MB. */
  readonly peak: number;
  /** Tokens of an answer on average. */
  readonly tokens: number;
}

export interface RoundOptions {
  readonly threads: number;
  readonly batch: number;
  readonly group: number;
  readonly answer: number;
}

/** The problems of both sides: countdown in the short form, numbers up to 25. */
export const task = { format: 'compact', numbers: [1, 25] } as const;

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Seconds by the clock and of all threads while something runs. */
async function timed<T>(run: () => Promise<T>): Promise<{ result: T; seconds: number; cpu: number }> {
  const [wall, cpu] = [performance.now(), cpuSeconds()];
  const result = await run();
  return { result, seconds: (performance.now() - wall) / 1000, cpu: cpuSeconds() - cpu };
}

/** A stage of the model in the box as `cola train` runs it, without measuring itself. */
async function stageOf(arm: Arm, { threads, batch, group, answer }: RoundOptions) {
  const { device } = await openDevice('cpu', { threads });
  const cola = await ColaModel.load(resolveModel('builtin:nano', ''));
  const { base } = cola;
  const weights = new DeviceWeights(device);
  await weights.add(base.weights, base.tensors);
  if (arm === 'actions') await weights.add(cola.weights, cola.tensors);
  const context: StageContext = {
    device,
    base,
    cola,
    weights,
    seed: 7,
    resolve: (path) => path,
    cacheFolder: '',
    signal: new AbortController().signal,
    say: () => undefined,
  };
  const settings = reinforceSettings.parse({
    algorithm: 'grpo',
    prompts: { task: 'countdown', ...task },
    reward: { countdown: { form: 'compact' } },
    batch,
    group,
    max_new: answer,
    minibatches: 1,
    learning_rate: 1e-4,
    steps: 10_000,
  });
  const actor =
    arm === 'actions'
      ? new LatentActor(context, cola, false, 0)
      : new TokenActor(context, trainedOf(base, undefined), false);
  const rollout = { seconds: 0, cpu: 0 };
  // What is learned begins where episodes are first laid out; rewards come before.
  const learning: { from?: { seconds: number; cpu: number } } = {};
  const sample = actor.sample.bind(actor);
  actor.sample = async (...given) => {
    const { result, seconds, cpu } = await timed(() => sample(...given));
    Object.assign(rollout, { seconds, cpu });
    delete learning.from;
    return result;
  };
  const feeds = actor.feeds.bind(actor);
  actor.feeds = (...given) => {
    learning.from ??= { seconds: performance.now() / 1000, cpu: cpuSeconds() };
    return feeds(...given);
  };
  const stage = await ReinforceStage.create(arm, settings, context, actor);
  return { stage, rollout, learning };
}

/** In a process of its own, until its input ends. */
export async function serveRounds(arm: Arm, options: RoundOptions): Promise<void> {
  const { stage, rollout, learning } = await stageOf(arm, options);
  const signal = new AbortController().signal;
  console.log(JSON.stringify({ ready: 1 }));
  let index = 0;
  for await (const _ of createInterface({ input: process.stdin })) {
    const { result, seconds, cpu } = await timed(() => stage.step(index++, signal));
    const { metrics } = result;
    if (learning.from === undefined) throw new Error('nothing was learned');
    const round: Round = {
      seconds,
      cpu,
      rollout: rollout.seconds,
      rolloutCpu: rollout.cpu,
      update: performance.now() / 1000 - learning.from.seconds,
      updateCpu: cpuSeconds() - learning.from.cpu,
      peak: peakMegabytes(),
      tokens: Number(metrics.answer_tokens),
    };
    console.log(JSON.stringify(round));
  }
}
