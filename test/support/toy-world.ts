/**
 * A world small enough to solve by trying everything: the random CoLA model of the fixtures with its 8 actions, a few
 * prompts, answers of a few tokens, and a reward that is a sum over tokens and places.
 */
import { join } from 'node:path';
import { Decoder } from '../../server/cola/decoder.ts';
import { ColaModel } from '../../server/cola/model.ts';
import type { Device } from '../../server/device/device.ts';
import type { ModelConfig } from '../../server/model/config/config.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import type { Tokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import type { Random } from '../../server/random.ts';
import { pureReward, type Reward, type RewardResult, simpleScore } from '../../server/rewards/reward.ts';
import { type ReinforceSettings, reinforceSettings } from '../../server/spec/settings/reinforcement.ts';
import { DeviceWeights } from '../../server/train/optimizer/weights.ts';
import type { Prompt } from '../../server/train/reinforce/episode.ts';
import { LatentActor } from '../../server/train/reinforce/latent-actor.ts';
import type { StageContext } from '../../server/train/stage.ts';
import { ReinforceStage } from '../../server/train/stages/reinforce.ts';

const folder = join(import.meta.dirname, '../fixtures/cola/n8-plain');

/** Texts are ids with spaces between; that is all that rollouts and rewards ask of a tokenizer. */
const numbers = {
  decode: (ids: readonly number[]) => ids.join(' '),
  eosId: undefined,
} as unknown as Tokenizer;

/**
 * The model of the fixtures with the tokenizer of numbers, a policy that is almost uniform, a value of 0, and codes so long
 * that the token follows from the action more than from the state. Otherwise the first action opens up another world each
 * time, any policy gradient may settle on an answer that no small change improves, and the optimum says nothing about it.
 */
export async function toyModel(changed: Partial<ModelConfig> = {}): Promise<ColaModel> {
  const loaded = await ColaModel.load(folder);
  const { base } = loaded;
  const named = new LanguageModel(base.folder, { ...base.config, ...changed }, numbers, base.weights);
  const weights = new Map(loaded.weights);
  weights.set('value.head.weight', new Float32Array(base.config.hiddenSize));
  weights.set(
    'policy.head.weight',
    loaded.weight('policy.head.weight').map((x) => x / 10),
  );
  weights.set(
    'codebook.weight',
    loaded.weight('codebook.weight').map((x) => x * 20),
  );
  return new ColaModel(folder, named, loaded.config, weights, loaded.notes);
}

/** What a stage needs, around a model on a device. */
export async function contextOf(device: Device, cola: ColaModel, seed: number): Promise<StageContext> {
  const weights = new DeviceWeights(device);
  await weights.add(cola.base.weights, cola.base.tensors);
  await weights.add(cola.weights, cola.tensors);
  return {
    device,
    base: cola.base,
    cola,
    weights,
    seed,
    resolve: (path) => path,
    cacheFolder: folder,
    signal: new AbortController().signal,
    say: () => undefined,
  };
}

export function promptOf(ids: readonly number[]): Prompt {
  return { text: ids.join(' '), ids: Int32Array.from(ids), row: {} };
}

/** Reward of a token at each place of an answer, uniform in [0, 1): `values[place][token]`. */
export type TokenValues = readonly (readonly number[])[];

export function drawValues(places: number, vocabulary: number, random: Random): TokenValues {
  return Array.from({ length: places }, () => Array.from({ length: vocabulary }, () => random.uniform()));
}

export const worth = (values: TokenValues, tokens: readonly number[]) =>
  tokens.reduce((n, token, place) => n + values[place][token], 0);

export const tokensOf = (completion: string) => completion.split(' ').filter(Boolean).map(Number);

/** Scores an answer by its tokens. */
export const valueReward = (values: TokenValues): Reward =>
  pureReward('values', ({ completion }) => simpleScore('value', worth(values, tokensOf(completion))));

/** The same scores, dealt at random among the samples that are judged together: nothing can be learned from them. */
export function shuffledReward(values: TokenValues, random: Random): Reward {
  let waiting: { value: number; answer: (result: RewardResult) => void }[] = [];
  const deal = () => {
    const hand = waiting;
    waiting = [];
    const order = random.permutation(hand.length);
    for (const [i, { answer }] of hand.entries()) answer(simpleScore('value', hand[order[i]].value));
  };
  return {
    name: 'shuffled',
    score: ({ completion }) =>
      new Promise((answer) => {
        if (waiting.length === 0) setImmediate(deal);
        waiting.push({ value: worth(values, tokensOf(completion)), answer });
      }),
    close: async () => undefined,
  };
}

/** Tokens of every sequence of actions of a length, from a prompt: N^length of them; shorter where one ends. */
export async function everyAnswer(
  device: Device,
  cola: ColaModel,
  prompt: Prompt,
  length: number,
): Promise<number[][]> {
  const decoder = new Decoder(device, cola, { parts: { preview: true } });
  const n = cola.config.numCodes;
  const room = prompt.ids.length + length;
  let cache = await decoder.cache(1, room);
  let answers: number[][] = [[]];
  let next: ArrayLike<number>[] = [prompt.ids];
  for (let place = 0; place < length; place++) {
    const { nextTokens } = await decoder.step(cache, next);
    if (nextTokens === undefined) throw new Error('no preview');
    const ended = (answer: readonly number[]) => answer.length > 0 && cola.base.endIds.has(answer[answer.length - 1]);
    // An answer that has ended stays, once for each action that would have followed: all sequences count the same.
    const grown = answers.flatMap((answer, row) =>
      Array.from({ length: n }, (_, code) => (ended(answer) ? answer : [...answer, nextTokens[row * n + code]])),
    );
    if (place < length - 1) {
      const parents = Array.from({ length: grown.length }, (_, i) => Math.floor(i / n));
      const wider = await decoder.select(cache, parents, room);
      cache.dispose();
      cache = wider;
      next = Array.from({ length: grown.length }, (_, i) => [nextTokens[i]]);
    }
    answers = grown;
  }
  cache.dispose();
  await decoder.dispose();
  return answers;
}

export interface ToyWorld {
  readonly prompts: readonly Prompt[];
  readonly values: TokenValues;
  /** Mean over the prompts of the best reward of any sequence of actions. */
  readonly optimum: number;
  /** Mean reward of actions that are drawn uniformly. */
  readonly chance: number;
}

export function toyWorld(
  prompts: readonly Prompt[],
  answers: readonly (readonly (readonly number[])[])[],
  values: TokenValues,
): ToyWorld {
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const rewards = answers.map((each) => each.map((tokens) => worth(values, tokens)));
  return {
    prompts,
    values,
    optimum: mean(rewards.map((list) => Math.max(...list))),
    chance: mean(rewards.map(mean)),
  };
}

export type ToySettings = Partial<ReinforceSettings> & { readonly max_new: number };

export function toySettings(settings: ToySettings): ReinforceSettings {
  return reinforceSettings.parse({
    prompts: 'none',
    reward: 'repetition',
    evaluate_rows: 1,
    evaluate_samples: 1,
    learning_rate: 1e-4,
    ...settings,
  });
}

/** A stage that learns in the world, from its own reward or another. The model's weights change in place. */
export function toyStage(
  context: StageContext,
  cola: ColaModel,
  world: ToyWorld,
  settings: ReinforceSettings,
  reward: Reward = valueReward(world.values),
): Promise<ReinforceStage> {
  const actor = new LatentActor(context, cola, settings.algorithm === 'ppo', settings.top_k);
  const problems = { prompts: world.prompts, heldOut: world.prompts, reward };
  return ReinforceStage.of('reinforce', settings, context, actor, problems);
}

/** (value - chance) / (optimum - chance). */
export const relative = (world: ToyWorld, value: number) => (value - world.chance) / (world.optimum - world.chance);
