/** An update of the policy on cached h against an update of the base on the same rollouts: time, and trained parameters. */
import { openDevice } from '../server/device/device.ts';
import type { DeviceName } from '../server/device/names.ts';
import { products } from '../server/graph/cost.ts';
import { gradient } from '../server/graph/gradient.ts';
import { nodeOf, type Tensor } from '../server/graph/tensor.ts';
import type { LanguageModel } from '../server/model/language-model.ts';
import { Random } from '../server/random.ts';
import { controlSettings } from '../server/spec/settings/supervised.ts';
import { matricesDecay, Optimizer } from '../server/train/optimizer/optimizer.ts';
import { DeviceWeights } from '../server/train/optimizer/weights.ts';
import type { Actor } from '../server/train/reinforce/actor.ts';
import type { Judged } from '../server/train/reinforce/episode.ts';
import { LatentActor } from '../server/train/reinforce/latent-actor.ts';
import {
  creditOf,
  layOut,
  layOutUpdate,
  type PolicyGradientSettings,
  policyFeeds,
  policyObjective,
} from '../server/train/reinforce/policy-gradient.ts';
import { TokenActor, trainedOf } from '../server/train/reinforce/token-actor.ts';
import { prepareModules } from '../server/train/run/initialise.ts';
import type { StageContext } from '../server/train/stage.ts';
import { type Bench, type Measure, times } from './measure.ts';
import { randomModel, type ShapeName } from './shapes.ts';

const settings: PolicyGradientSettings = {
  algorithm: 'grpo',
  temperature: 1,
  kl: 0,
  gamma: 1,
  lambda: 1,
  advantage: 'std',
  loss: 'sequence',
  kl_loss: 0,
  entropy_weight: 0.1,
  clip_ratio: 0.2,
  whiten: true,
  value_clip: 0.2,
  value_weight: 0.5,
};
const promptTokens = 20;
const answerTokens = 12;

/** Rollouts that could have come from either actor, as far as their shapes go. */
function rollouts(rows: number, choices: number, base: LanguageModel, random: Random): Judged[] {
  const { hiddenSize, vocabSize } = base.config;
  const draw = (n: number, below: number) => Array.from({ length: n }, () => random.integer(below));
  const prompts = Array.from({ length: Math.ceil(rows / 8) }, () => ({
    text: '',
    ids: Int32Array.from(draw(promptTokens, vocabSize)),
    row: {},
  }));
  return Array.from({ length: rows }, (_, b) => ({
    prompt: prompts[b >> 3],
    group: b >> 3,
    seed: b,
    written: Array.from({ length: answerTokens }, (_, i) => i),
    turns: [{ end: answerTokens, reward: 0 }],
    tokens: draw(answerTokens, vocabSize),
    choices: draw(answerTokens, choices),
    logp: Array.from({ length: answerTokens }, () => -Math.log(choices)),
    values: [],
    hidden: Float32Array.from({ length: (promptTokens + answerTokens - 1) * hiddenSize }, () => random.normal()),
    banned: [],
    finished: true,
    completion: '',
    result: { value: random.integer(2), parts: {} },
  }));
}

/** Additions and multiplications of the products of matrices in a loss and its gradients: what is read, and what is trained. */
function operationsOf(loss: Tensor, { trained }: Actor): number {
  const parameters = trained.map((name) => loss.graph.parameters.get(name)).filter((p) => p !== undefined);
  const seen = new Set<Tensor>();
  const ahead = [loss, ...gradient(loss, parameters)];
  let operations = 0;
  for (let tensor = ahead.pop(); tensor !== undefined; tensor = ahead.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    operations += products(tensor);
    ahead.push(...(nodeOf(tensor)?.inputs ?? []));
  }
  return operations;
}

async function updateOf(
  actor: Actor,
  context: StageContext,
  rows: number,
): Promise<{ update: () => Promise<unknown>; parameters: number; operations: number; close: () => Promise<void> }> {
  const { state } = context.weights;
  const batch = layOut(rollouts(rows, actor.choices, context.base, new Random(3)));
  const credit = creditOf(batch, batch.logpOld, undefined, settings);
  const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, clipNorm: 1, decays: matricesDecay };
  const all = [...batch.rows.keys()];
  const layout = layOutUpdate(batch, all, actor);
  const objective = policyObjective(context.device.graph(), actor, layout.shape, settings, false);
  const optimizer = await Optimizer.create(context.device, objective, actor.trained, state, [], options);
  const feeds = policyFeeds(actor, batch, credit, all, layout, false);
  const operations = operationsOf(
    policyObjective(context.device.graph(), actor, layout.shape, settings, false).loss,
    actor,
  );
  const parameters = actor.trained.reduce((n, name) => n + state.get(name).byteLength / 4, 0);
  return {
    update: () => optimizer.step([feeds], 1e-6),
    parameters,
    operations,
    close: async () => {
      await optimizer.dispose();
      await actor.dispose();
    },
  };
}

async function compare(
  deviceName: DeviceName,
  shape: ShapeName,
  policyLayers: number,
  rows: number,
  rounds: number,
): Promise<Measure[]> {
  const { device } = await openDevice(deviceName);
  const base = randomModel(shape);
  const control = controlSettings.parse({
    data: '-',
    codes: 64,
    idm_layers: 1,
    policy_layers: policyLayers,
    merge_layers: 1,
  });
  const cola = prepareModules({ name: 'control', settings: control }, base, undefined, 1);
  if (cola === undefined) throw new Error('no modules were made');
  const weights = new DeviceWeights(device);
  await weights.add(base.weights, base.tensors);
  await weights.add(cola.weights, cola.tensors);
  const signal = new AbortController().signal;
  const context: StageContext = {
    device,
    base,
    cola,
    weights,
    seed: 1,
    resolve: (path) => path,
    cacheFolder: '',
    signal,
    say: () => undefined,
  };
  const latent = await updateOf(new LatentActor(context, cola, false, 0), context, rows);
  const tokens = await updateOf(new TokenActor(context, trainedOf(base, undefined), false), context, rows);
  const [own, other]: [number[], number[]] = [[], []];
  await times(1, 1, latent.update);
  await times(1, 1, tokens.update);
  for (let i = 0; i < rounds; i++) {
    own.push(...(await times(1, 0, latent.update)));
    other.push(...(await times(1, 0, tokens.update)));
  }
  const [a, b] = [Math.min(...own), Math.min(...other)];
  const share = latent.parameters / tokens.parameters;
  const read = latent.operations / tokens.operations;
  await latent.close();
  await tokens.close();
  weights.dispose();
  await device.dispose();
  const name = `update of the policy, base ${shape}, ${policyLayers} blocks, ${rows} rollouts`;
  return [
    { name, value: a, unit: 'ms', against: `update of all tokens' weights, ${b.toFixed(0)} ms`, ratio: a / b },
    {
      name: '  its trained parameters',
      value: latent.parameters / 1e6,
      unit: 'M',
      against: `${(tokens.parameters / 1e6).toFixed(1)} M`,
      ratio: share,
    },
    {
      name: '  products of its loss and gradients',
      value: latent.operations / 1e9,
      unit: 'GFLOP',
      against: `${(tokens.operations / 1e9).toFixed(1)} GFLOP`,
      ratio: read,
    },
    { name: '  time ratio against the ratio of products', value: a / b / read, unit: '(limit 1.05)' },
  ];
}

export const reinforceBench: Bench = {
  name: 'reinforce',
  about: 'an update over actions on cached h against an update over tokens on the same rollouts',
  async run(device) {
    return [...(await compare(device, '7M', 3, 64, 8)), ...(await compare(device, '135M', 2, 16, 4))];
  },
};
