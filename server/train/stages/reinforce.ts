/**
 * Stage 3: reinforcement over latent actions (paper, section 3.3), and the same over tokens for the baseline. Each step
 * samples answers, judges them, and makes a few updates; held-out prompts are answered greedily and by sampling.
 */
import { z } from 'zod';
import { codeHealth } from '../../cola/health.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { Random } from '../../random.ts';
import { solvedFrom } from '../../rewards/range.ts';
import type { ReinforceSettings } from '../../spec/settings/reinforcement.ts';
import { stages } from '../../spec/stages.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { hasValue } from '../algorithms/algorithm.ts';
import { algorithmOf } from '../algorithms/index.ts';
import { tokenizerOf } from '../data.ts';
import { trainErrors } from '../errors.ts';
import { driftAnswers, measureDrift } from '../measures/drift.ts';
import { evaluatePrompts } from '../measures/prompts.ts';
import { solvedLists } from '../measures/solved.ts';
import type { Actor, Policy } from '../reinforce/actor.ts';
import { exerciseIn } from '../reinforce/environment-exercise.ts';
import { scoreOf } from '../reinforce/episode.ts';
import { cutsChoices, LatentActor, latentPolicy } from '../reinforce/latent-actor.ts';
import { PolicyLearner, type Recomputing } from '../reinforce/learner.ts';
import {
  choiceLogProbabilities,
  minibatchRows,
  type PolicyGradientSettings,
  policyObjective,
} from '../reinforce/policy-gradient.ts';
import { deckState, type Exercise, type Problems, PromptDeck, problemsOf } from '../reinforce/problems.ts';
import { answered } from '../reinforce/rollouts.ts';
import { describe, isSum, nothingToLearn, partsOf, type Shown, sampleOf } from '../reinforce/round-figures.ts';
import { type Drawn, mixedGroups, replaced, shortened } from '../reinforce/rounds.ts';
import type { Chooser } from '../reinforce/sampler.ts';
import { hire } from '../reinforce/shards/hired-work.ts';
import type { Told } from '../reinforce/shards/shard.ts';
import { Rounds } from '../reinforce/shards/sharded-rounds.ts';
import { type Numbered, startsOf } from '../reinforce/starts.ts';
import { reasonsOf, ScoreWatch } from '../reinforce/unscored.ts';
import { namedTensors } from '../run/checkpointing.ts';
import { assumedPrompt, type MemoryPart, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import { measuringParts, rolloutsPart } from '../run/rollout-parts.ts';
import { plannedShape } from '../shared-prefix.ts';
import type { Evaluation, Metrics, Stage, StageContext, StageState, StepOutcome } from '../stage.ts';
import { actionsOf, allModules, type Configs, type StageKind, type StageModules } from '../stage-kind.ts';

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
    private readonly learner: PolicyLearner,
    private readonly exercise: Exercise,
    private readonly rounds: Rounds | undefined,
  ) {
    this.trained = actor.trained;
    this.random = new Random(context.seed);
    this.deck = new PromptDeck(exercise.prompts, this.random);
    this.watch = new ScoreWatch(context.say);
  }

  /** Reads prompts and reward of the settings, or opens their environment. @throws train.*, data.*, reward.*, environment.* */
  static async create(
    name: string,
    settings: ReinforceSettings,
    context: StageContext,
    actor: Actor & Chooser,
  ): Promise<ReinforceStage> {
    const { environment, prompts, reward } = settings;
    if (environment !== undefined) {
      if (prompts !== undefined || reward !== undefined)
        throw trainErrors.setting(
          name,
          'environment',
          'it has its own starts and rewards; leave out prompts and reward',
        );
      const exercise = await exerciseIn({ ...settings, environment }, context, actor);
      return ReinforceStage.with(name, settings, context, actor, exercise);
    }
    if (prompts === undefined) throw trainErrors.setting(name, 'prompts', 'reinforcement needs prompts');
    if (reward === undefined) throw trainErrors.setting(name, 'reward', 'reinforcement needs a reward');
    const problems = await problemsOf({ ...settings, prompts, reward }, context);
    return ReinforceStage.of(name, settings, context, actor, problems);
  }

  /** The stage on problems that are there already; `prompts`, `held_out` and `reward` of the settings are not looked at. */
  static async of(
    name: string,
    settings: ReinforceSettings,
    context: StageContext,
    actor: Actor,
    { reward, ...problems }: Problems,
  ): Promise<ReinforceStage> {
    const rollouts = answered(actor, tokenizerOf(context), reward);
    return ReinforceStage.with(name, settings, context, actor, { ...problems, rollouts });
  }

  private static async with(
    name: string,
    settings: ReinforceSettings,
    context: StageContext,
    actor: Actor,
    exercise: Exercise,
  ): Promise<ReinforceStage> {
    const learner = await PolicyLearner.create(context, actor, settings);
    const rounds = Rounds.of(context, settings, actor, learner, exercise.rollouts);
    return new ReinforceStage(name, settings, context, actor, learner, exercise, rounds);
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
      // Updates are not broken off, so nothing but the order of the prompts has to be taken back.
      this.random.restore(drawn);
      this.deck.restore(state);
      throw error;
    }
  }

  private async round(index: number, signal: AbortSignal): Promise<StepOutcome> {
    const { settings, context } = this;
    const started = performance.now();
    if (this.rounds !== undefined) {
      const drawn = this.deck.next(settings.batch);
      const round = await this.rounds.run(index, startsOf(drawn, settings.group, context.seed, index), signal);
      const rows = round.rows.map((row) => ({ ...row, prompt: drawn[row.group].prompt }));
      return this.outcome(index, rows, started, round.judging, () => round.learn());
    }
    const { drawn, rows, judging, resampled } = await this.drawRound(index, signal);
    const greedy = algorithmOf(settings.algorithm).greedy ? await this.greedy(drawn, signal) : undefined;
    const baseline = greedy === undefined ? undefined : rows.map((row) => greedy[row.group]);
    const learn = async () => ({
      ...resampled,
      ...(await this.learner.learn(index, shortened(rows, settings), baseline)),
    });
    return this.outcome(index, rows, started, judging, learn);
  }

  /** Learns from a round, and says what came of it. @param judging seconds of the rollout in which somebody judged */
  private async outcome(
    index: number,
    rows: readonly Shown[],
    started: number,
    judging: number,
    learn: () => Promise<Metrics>,
  ): Promise<StepOutcome> {
    const { actor, context, settings } = this;
    this.watch.look(rows.length, reasonsOf(rows.map(({ result }) => result)));
    const rolled = performance.now();
    const described = { ...describe(rows), ...(isSum(settings.reward) ? partsOf(rows) : {}) };
    if (index === 0 && described.mixed_groups === 0 && described.unscored === 0)
      context.say(nothingToLearn(described.reward));
    const learned = await learn();
    const seconds = {
      seconds_rollout: (rolled - started) / 1000 - judging,
      seconds_reward: judging,
      seconds_update: (performance.now() - rolled) / 1000,
    };
    return {
      metrics: { ...described, ...learned, ...seconds, ...this.usageOf(rows) },
      samples: rows.slice(0, keptSamples).map((row) => sampleOf(row, actor.latent)),
    };
  }

  /** Samples of a batch of prompts; those of prompts that teach nothing are replaced as often as the settings say. */
  private async drawRound(
    index: number,
    signal: AbortSignal,
  ): Promise<Drawn & { judging: number; resampled: Metrics }> {
    const { settings, deck, context } = this;
    const { max_new: maxNew, temperature, top_k: topK, group, steps, batch, resample } = settings;
    let judging = 0;
    const draw = async (count: number, time: number): Promise<Drawn> => {
      const drawn = deck.next(count);
      // A prompt that comes again in the same round is sampled anew.
      const starts = startsOf(drawn, group, context.seed, index + time * steps);
      const { rows, seconds } = await this.exercise.rollouts.run(starts, { maxNew, temperature, topK }, signal);
      judging += seconds;
      return { drawn, rows };
    };
    let round = await draw(batch, 0);
    let others = 0;
    for (let time = 1; time <= resample; time++) {
      const lacking = batch - mixedGroups(round.rows).size;
      if (lacking === 0) break;
      others += lacking;
      round = replaced(round, await draw(lacking, time));
    }
    return { ...round, judging, resampled: resample === 0 ? {} : { resampled: others } };
  }

  /** How often each code was taken; nothing where the choices are tokens. */
  private usageOf(rows: readonly Told[]): { usage?: readonly number[] } {
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

  private async greedy(drawn: readonly Numbered[], signal: AbortSignal): Promise<(number | undefined)[]> {
    const sampling = { maxNew: this.settings.max_new, temperature: 0, topK: 0 };
    const starts = startsOf(drawn, 1, this.context.seed, 0);
    const { rows } = await this.exercise.rollouts.run(starts, sampling, signal);
    return rows.map(({ result }) => scoreOf(result));
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    const { settings } = this;
    const { heldOut, rollouts } = this.exercise;
    const result = await evaluatePrompts(rollouts, heldOut, {
      samples: settings.evaluate_samples,
      maxNew: settings.max_new,
      temperature: settings.temperature,
      topK: settings.top_k,
      solvedAt: settings.solved_at ?? (settings.reward === undefined ? 1 : solvedFrom(settings.reward)),
      seed: this.context.seed + 1,
      signal,
      keepHidden: driftAnswers,
    });
    const answers = result.greedy.slice(0, driftAnswers);
    const drift = await measureDrift(this.context, this.actor, this.learner.start, answers, settings.temperature);
    const { score } = result;
    if (Number.isFinite(score)) this.watch.scored();
    // Of greedy actions: sampled ones make dead codes look alive.
    const { usage } = this.usageOf(result.greedy);
    const codes: Metrics = usage === undefined ? {} : { held_out_alive: usage.filter((n) => n > 0).length, usage };
    const counted = { held_out_problems: heldOut.length };
    return { metrics: { ...result.metrics, ...solvedLists(result.each), ...counted, ...drift, ...codes }, score };
  }

  async save(): Promise<StageState> {
    const { tensors, updates } = await this.learner.save();
    return { tensors, state: { updates, random: this.random.state, ...this.deck.state } };
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    const { stage } = checkpoint.state(saved);
    await this.learner.restore(namedTensors(checkpoint, 'optimiser'), stage.updates);
    this.random.restore(stage.random);
    this.deck.restore(stage);
  }

  async dispose(): Promise<void> {
    await this.rounds?.close();
    await this.learner.dispose();
    await this.actor.dispose();
    await this.exercise.rollouts.close();
  }
}

/** Whether the algorithm of the settings learns values. */
export const valued = ({ algorithm }: Pick<ReinforceSettings, 'algorithm'>): boolean =>
  hasValue(algorithmOf(algorithm));

/** What reinforcement of a policy has in memory. @param length tokens of prompt and answer together */
export function reinforcementParts(
  settings: ReinforcementSizes,
  policy: Policy,
  config: ModelConfig,
  length: number = assumedPrompt + longestAnswer(settings),
): MemoryPart[] {
  const behind = longestAnswer(settings);
  const { batch, group, minibatches: updates, top_k } = settings;
  const samples = batch * group;
  const { step, added, learns } = policy;
  const updated = minibatchRows(samples, updates);
  // A minibatch is whole groups, where there are enough of them.
  const together = Math.min(group, updated);
  const prompt = Math.max(1, length - behind);
  const planned = plannedShape(Math.ceil(updated / together), together, prompt, behind, policy.width);
  const answers = { prompt, behind, step, added, learns };
  const round = { prompts: batch, group };
  return [
    rolloutsPart(config, { ...answers, ...round, keepsHidden: policy.latent }),
    ...measuringParts(config, answers, settings, round),
    trainingPart({
      rows: updated,
      length,
      laidOut: () => planned,
      learns,
      checkpoint: settings.checkpoint,
      // Episodes of a world are of every length.
      lengths: settings.environment === undefined ? 1 : settings.steps * updates,
      objective: (graph, rows, t) => {
        const shape = { ...planned, rows, length: t, samples: rows * planned.perRow };
        return policyObjective(graph, policy, shape, settings, cutsChoices(top_k, policy.choices));
      },
      // The divergence from the policy of the start is that of some answers, read as an update reads them.
      reference: true,
      measured: (graph, rows, t) => {
        const shape = { ...planned, rows, length: t, samples: rows * planned.perRow };
        return [choiceLogProbabilities(graph, policy, shape, settings.temperature)];
      },
    }),
  ];
}

type ReinforcementSizes = PolicyGradientSettings &
  Pick<
    ReinforceSettings,
    | 'batch'
    | 'group'
    | 'environment'
    | 'max_tokens'
    | 'max_new'
    | 'minibatches'
    | 'steps'
    | 'top_k'
    | 'temperature'
    | 'evaluate_rows'
    | 'evaluate_samples'
  > &
  Recomputing;

/** Most tokens behind a prompt. */
const longestAnswer = ({ environment, max_tokens, max_new }: ReinforcementSizes) =>
  environment === undefined ? max_new : max_tokens;

function actorOf(settings: ReinforceSettings, context: StageContext): LatentActor {
  const cola = colaOf(context, 'reinforce', allModules(modules(settings)));
  return new LatentActor(context, cola, valued(settings), settings.top_k);
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
  create: async (settings, context) =>
    ReinforceStage.create('reinforce', settings, context, actorOf(settings, context)),
  hire: async (settings, context, plan) => hire(context, settings, actorOf(settings, context), plan),
};
