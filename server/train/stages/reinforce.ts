/**
 * Stage 3: reinforcement over latent actions (paper, section 3.3), and the same over tokens for the baseline. Each step
 * samples answers, judges them, and makes a few updates; held-out prompts are answered greedily and by sampling.
 */
import { z } from 'zod';
import { codeHealth } from '../../cola/health.ts';
import type { ModelConfig } from '../../model/config.ts';
import { Random } from '../../random.ts';
import { solvedFrom } from '../../rewards/range.ts';
import type { Reward } from '../../rewards/reward.ts';
import type { ReinforceSettings } from '../../spec/settings.ts';
import { stages } from '../../spec/stages.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { hasValue } from '../algorithms/algorithm.ts';
import { algorithmOf } from '../algorithms/index.ts';
import { tokenizerOf } from '../data.ts';
import { driftAnswers, measureDrift } from '../measures/drift.ts';
import { evaluatePrompts } from '../measures/prompts.ts';
import { Optimizer } from '../optimizer/optimizer.ts';
import { learningRate } from '../optimizer/schedule.ts';
import type { Actor, Policy } from '../reinforce/actor.ts';
import { LatentActor, latentPolicy } from '../reinforce/latent-actor.ts';
import {
  creditOf,
  cutsChoices,
  layOut,
  layOutUpdate,
  minibatches,
  minibatchRows,
  type PolicyGradientSettings,
  policyFeeds,
  policyObjective,
  promptsIn,
  ReferencePolicy,
} from '../reinforce/policy-gradient.ts';
import { deckState, type Problems, PromptDeck, problemsOf } from '../reinforce/problems.ts';
import { type Judged, judge, type Prompt, scoreOf } from '../reinforce/rollout.ts';
import { reasonsOf, ScoreWatch } from '../reinforce/unscored.ts';
import { namedTensors, toWrite } from '../run/checkpointing.ts';
import { assumedPrompt, decodingPart, type MemoryPart, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import { plannedShape, shapeKey } from '../shared-prefix.ts';
import type { Evaluation, Metrics, Sample, Stage, StageContext, StageState, StepOutcome } from '../stage.ts';
import { actionsOf, allModules, type Configs, type StageKind, type StageModules } from '../stage-kind.ts';
import { adamWOptions } from '../supervised.ts';

/** Samples of a step that are kept for people to look at. */
const keptSamples = 8;

const saved = z.looseObject({
  stage: z.looseObject({
    updates: z.int(),
    random: z.tuple([z.number(), z.number(), z.number(), z.number()]),
    ...deckState.shape,
  }),
});

export class ReinforceStage implements Stage {
  readonly trained: readonly string[];
  private readonly random: Random;
  private readonly deck: PromptDeck;
  private readonly watch: ScoreWatch;

  private constructor(
    readonly name: string,
    private readonly settings: ReinforceSettings,
    private readonly context: StageContext,
    private readonly actor: Actor,
    private readonly reward: Reward,
    prompts: readonly Prompt[],
    private readonly heldOut: readonly Prompt[],
    private readonly optimizer: Optimizer,
    private reference: ReferencePolicy,
  ) {
    this.trained = actor.trained;
    this.random = new Random(context.seed);
    this.deck = new PromptDeck(prompts, this.random);
    this.watch = new ScoreWatch(context.say);
  }

  /** Reads prompts and reward of the settings. @throws train.*, data.*, reward.* */
  static async create(
    name: string,
    settings: ReinforceSettings,
    context: StageContext,
    actor: Actor,
  ): Promise<ReinforceStage> {
    return ReinforceStage.of(name, settings, context, actor, await problemsOf(settings, context));
  }

  /** The stage on problems that are there already; `prompts`, `held_out` and `reward` of the settings are not looked at. */
  static async of(
    name: string,
    settings: ReinforceSettings,
    context: StageContext,
    actor: Actor,
    { prompts, heldOut, reward }: Problems,
  ): Promise<ReinforceStage> {
    const { state } = context.weights;
    const optimizer = await Optimizer.create(
      context.device,
      undefined,
      actor.trained,
      state,
      [],
      adamWOptions(settings),
    );
    const reference = await ReferencePolicy.create(context, actor, settings.temperature, new Map());
    return new ReinforceStage(name, settings, context, actor, reward, prompts, heldOut, optimizer, reference);
  }

  get steps(): number {
    return this.settings.steps;
  }
  get checkpointEvery(): number {
    return this.settings.checkpoint_every;
  }
  get evaluateEvery(): number {
    return this.settings.evaluate_every;
  }

  async step(index: number, signal: AbortSignal): Promise<StepOutcome> {
    const drawn = this.random.state;
    const { state } = this.deck;
    try {
      return await this.round(index, signal);
    } catch (error) {
      // Updates are not broken off, so nothing but the draws has to be taken back.
      this.random.restore(drawn);
      this.deck.restore(state);
      throw error;
    }
  }

  private async round(index: number, signal: AbortSignal): Promise<StepOutcome> {
    const { settings, actor, random } = this;
    const started = performance.now();
    const prompts = this.deck.next(settings.batch);
    const sampling = { maxNew: settings.max_new, temperature: settings.temperature, topK: settings.top_k };
    const trajectories = await actor.rollout(prompts, settings.group, sampling, random, signal);
    const sampled = performance.now();
    const rows = await judge(trajectories, tokenizerOf(this.context), this.reward, signal);
    const judged = performance.now();
    this.watch.look(rows.length, reasonsOf(rows.map(({ result }) => result)));
    const baseline = algorithmOf(settings.algorithm).greedy ? await this.greedy(prompts, signal) : undefined;
    const rolled = performance.now();
    const described = describe(rows);
    if (index === 0 && described.mixed_groups === 0 && described.unscored === 0)
      this.context.say(nothingToLearn(described.reward));
    const batch = layOut(rows);
    const hasBans = rows.some((row) => row.banned.length > 0);
    const logpRef = await this.reference.logProbabilities(batch, hasBans);
    const credit = creditOf(
      batch,
      logpRef,
      baseline === undefined ? undefined : rows.map((row) => baseline[row.group]),
      settings,
    );
    const updates = await this.update(index, batch, credit, hasBans);
    const seconds = {
      seconds_rollout: (sampled - started + rolled - judged) / 1000,
      seconds_reward: (judged - sampled) / 1000,
      seconds_update: (performance.now() - rolled) / 1000,
    };
    const kl = batch.logpOld.reduce((n, x, i) => n + batch.mask[i] * (x - logpRef[i]), 0) / Math.max(1, rows.length);
    return {
      metrics: { ...described, kl, ...updates, ...seconds, ...this.usageOf(rows) },
      samples: rows.slice(0, keptSamples).map((row) => sampleOf(row, actor.latent)),
    };
  }

  /** How often each code was taken; nothing where the choices are tokens. */
  private usageOf(rows: readonly Judged[]): { usage?: readonly number[] } {
    const { actor } = this;
    if (!actor.latent) return {};
    return {
      usage: [
        ...codeHealth(
          rows.flatMap(({ choices }) => choices),
          actor.choices,
        ).counts,
      ],
    };
  }

  private async greedy(prompts: readonly Prompt[], signal: AbortSignal): Promise<(number | undefined)[]> {
    const sampling = { maxNew: this.settings.max_new, temperature: 0, topK: 0 };
    const best = await this.actor.rollout(prompts, 1, sampling, this.random, signal);
    const judged = await judge(best, tokenizerOf(this.context), this.reward, signal);
    return judged.map(({ result }) => scoreOf(result));
  }

  private async update(
    index: number,
    batch: ReturnType<typeof layOut>,
    credit: ReturnType<typeof creditOf>,
    hasBans: boolean,
  ): Promise<Metrics> {
    const { settings, actor } = this;
    const parts = minibatches(promptsIn(batch), settings.minibatches, this.random);
    const schedule = {
      peak: settings.learning_rate,
      warmupSteps: settings.warmup,
      steps: settings.steps * settings.minibatches,
      floor: settings.floor,
    };
    const sums: Record<string, number> = {};
    const count = (name: string, value: number) => {
      sums[name] = (sums[name] ?? 0) + value / parts.length;
    };
    for (const [i, picked] of parts.entries()) {
      await this.context.turn?.();
      const layout = layOutUpdate(batch, picked, actor);
      const variant = `${shapeKey(layout.shape)} ${hasBans}`;
      await this.optimizer.prepare(variant, () =>
        policyObjective(this.context.device.graph(), actor, layout.shape, settings, hasBans),
      );
      const rate = learningRate(schedule, index * settings.minibatches + i);
      const result = await this.optimizer.step(
        [policyFeeds(actor, batch, credit, picked, layout, hasBans)],
        rate,
        variant,
      );
      count('loss', result.loss);
      count('gradient_norm', result.gradientNorm);
      count('learning_rate', rate);
      for (const [name, values] of Object.entries(result.metrics[0])) count(name, values[0]);
    }
    return sums;
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    const { settings } = this;
    // A generator of its own: measuring must not change what training draws.
    const result = await evaluatePrompts(this.actor, this.heldOut, this.reward, tokenizerOf(this.context), {
      samples: settings.evaluate_samples,
      maxNew: settings.max_new,
      temperature: settings.temperature,
      topK: settings.top_k,
      solvedAt: settings.solved_at ?? solvedFrom(settings.reward),
      seed: this.context.seed + 1,
      signal,
      keepHidden: driftAnswers,
    });
    const answers = result.greedy.slice(0, driftAnswers);
    const drift = await measureDrift(this.context, this.actor, this.reference.state, answers, settings.temperature);
    const { score } = result;
    if (Number.isFinite(score)) this.watch.scored();
    // Of greedy actions: sampled ones make dead codes look alive.
    const { usage } = this.usageOf(result.greedy);
    const codes: Metrics = usage === undefined ? {} : { held_out_alive: usage.filter((n) => n > 0).length, usage };
    return { metrics: { ...result.metrics, held_out_problems: this.heldOut.length, ...drift, ...codes }, score };
  }

  async save(): Promise<StageState> {
    const { tensors, updates } = await this.optimizer.save();
    const reference = (await this.reference.entries()).map(({ name, shape, data }) => ({
      name: `reference.${name}`,
      shape,
      dtype: 'F32' as const,
      data,
    }));
    return {
      tensors: [...toWrite(tensors), ...reference],
      state: { updates, random: this.random.state, ...this.deck.state },
    };
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    const { stage } = checkpoint.state(saved);
    const tensors = namedTensors(checkpoint, 'optimiser');
    await this.optimizer.restore(tensors, stage.updates);
    const weights = new Map(
      [...tensors].flatMap(([name, { data }]) =>
        name.startsWith('reference.') ? [[name.slice('reference.'.length), data] as const] : [],
      ),
    );
    await this.reference.dispose();
    this.reference = await ReferencePolicy.create(this.context, this.actor, this.settings.temperature, weights);
    this.random.restore(stage.random);
    this.deck.restore(stage);
  }

  async dispose(): Promise<void> {
    await this.optimizer.dispose();
    await this.reference.dispose();
    await this.actor.dispose();
    await this.reward.close();
  }
}

/** Said once, when the first round teaches nothing. */
function nothingToLearn(reward: number): string {
  const same = `In the first round every sample of a prompt got the same reward (${reward.toPrecision(3)} on average).`;
  return `${same} As long as that is so, nothing is learned: look at samples.jsonl, and at the prompts and the reward of the spec.`;
}

/** Figures of a round's samples. */
function describe(rows: readonly Judged[]) {
  const scores = rows.flatMap(({ result }) => scoreOf(result) ?? []);
  const n = Math.max(1, scores.length);
  const mean = scores.reduce((a, b) => a + b, 0) / n;
  const variance = scores.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
  const groups = new Map<number, Set<number>>();
  for (const row of rows) {
    const score = scoreOf(row.result);
    if (score !== undefined) groups.set(row.group, (groups.get(row.group) ?? new Set()).add(score));
  }
  const mixed = [...groups.values()].filter((values) => values.size > 1).length;
  return {
    reward: mean,
    reward_spread: Math.sqrt(variance),
    unscored: rows.length - scores.length,
    mixed_groups: groups.size === 0 ? 0 : mixed / groups.size,
    answer_tokens: rows.reduce((a, row) => a + row.tokens.length, 0) / Math.max(1, rows.length),
    finished: rows.filter((row) => row.finished).length / Math.max(1, rows.length),
    tokens: rows.reduce((a, row) => a + row.tokens.length, 0),
  };
}

/** @param latent whether the choices are latent actions */
function sampleOf({ prompt, completion, choices, tokens, result }: Judged, latent: boolean): Sample {
  const judged = 'noScore' in result ? { noScore: result.noScore } : { reward: result.value, parts: result.parts };
  return { prompt: prompt.text, completion, actions: latent ? choices : [], tokens: tokens.length, ...judged };
}

/** Whether the algorithm of the settings learns values. */
export const valued = ({ algorithm }: Pick<ReinforceSettings, 'algorithm'>): boolean =>
  hasValue(algorithmOf(algorithm));

/** What reinforcement of a policy has in memory. @param length tokens of prompt and answer together */
export function reinforcementParts(
  settings: ReinforcementSizes,
  policy: Policy,
  config: ModelConfig,
  length: number = assumedPrompt + settings.max_new,
): MemoryPart[] {
  const { batch, group, minibatches: updates, top_k } = settings;
  const samples = batch * group;
  const { step, added } = policy;
  const updated = minibatchRows(samples, updates);
  // A minibatch is whole groups, where there are enough of them.
  const together = Math.min(group, updated);
  const prompt = Math.max(1, length - settings.max_new);
  const planned = plannedShape(Math.ceil(updated / together), together, prompt, settings.max_new, policy.width);
  return [
    decodingPart(config, { what: 'rollouts', rows: samples, length, step, added }),
    trainingPart({
      rows: updated,
      length,
      laidOut: () => planned,
      learns: policy.learns,
      objective: (graph, rows, t) => {
        const shape = { ...planned, rows, length: t, samples: rows * planned.perRow };
        return policyObjective(graph, policy, shape, settings, cutsChoices(top_k, policy.choices));
      },
    }),
  ];
}

type ReinforcementSizes = PolicyGradientSettings &
  Pick<ReinforceSettings, 'batch' | 'group' | 'max_new' | 'minibatches' | 'top_k'>;

async function createReinforce(settings: ReinforceSettings, context: StageContext): Promise<Stage> {
  const cola = colaOf(context, 'reinforce', allModules(modules(settings)));
  const actor = new LatentActor(context, cola, valued(settings), settings.top_k);
  return ReinforceStage.create('reinforce', settings, context, actor);
}

const modules = (settings: ReinforceSettings): StageModules => ({
  needs: ['world', 'policy'],
  makes: algorithmOf(settings.algorithm).modules,
});

const policyOf = (settings: ReinforceSettings, configs: Configs) =>
  latentPolicy(configs.config, actionsOf(configs), valued(settings), settings.top_k);

export const reinforce: StageKind<ReinforceSettings> = {
  ...stages.reinforce,
  modules,
  learns: (settings, configs) => policyOf(settings, configs).learns,
  parts: (settings, configs, length) =>
    reinforcementParts(settings, policyOf(settings, configs), configs.config, length),
  create: createReinforce,
};
