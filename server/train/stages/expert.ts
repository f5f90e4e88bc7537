/**
 * Learning from search (expert iteration, arXiv 1705.08439; not in the paper, which searches only to answer): each round
 * searches some prompts, then draws the policy towards what the searches found. At every node that was visited on from, the policy
 * learns the shares of its visits that the first actions of its edges got; where edges are longer, it learns the actions behind
 * the first as they were taken. Points count by their visits; V and Q, if they are to learn, learn the mean rewards.
 */
import { z } from 'zod';
import { type ModuleName, moduleWeights } from '../../cola/config.ts';
import { fusedStep } from '../../cola/decoder.ts';
import type { ColaModel } from '../../cola/model.ts';
import { Random } from '../../random.ts';
import { openReward } from '../../reward-model/learned-reward.ts';
import { solvedFrom } from '../../rewards/range.ts';
import type { Reward } from '../../rewards/reward.ts';
import type { ExpertSettings } from '../../spec/settings/expert.ts';
import { stages } from '../../spec/stages.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { tokenizerOf } from '../data.ts';
import { type ExpertRounds, type LessonMaker, WholeRounds } from '../expert/rounds.ts';
import { PromptSearches, searchedRows, type Told } from '../expert/searches.ts';
import { ExpertWork, ShardedRounds } from '../expert/shards.ts';
import { LessonModel, lessonObjective, paddedLessons } from '../lessons.ts';
import { evaluatePrompts } from '../measures/prompts.ts';
import { solvedLists } from '../measures/solved.ts';
import { Optimizer } from '../optimizer/optimizer.ts';
import type { Prompt } from '../reinforce/episode.ts';
import { LatentActor, latentPolicy } from '../reinforce/latent-actor.ts';
import { minibatchRows } from '../reinforce/policy-gradient.ts';
import { deckState, type Problems, PromptDeck, problemsOf } from '../reinforce/problems.ts';
import { answered } from '../reinforce/rollouts.ts';
import type { Start } from '../reinforce/starts.ts';
import { ScoreWatch } from '../reinforce/unscored.ts';
import { namedTensors, toWrite } from '../run/checkpointing.ts';
import { assumedPrompt, decodingPart, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import { measuringParts } from '../run/rollout-parts.ts';
import { OwnShards } from '../shards/own-shards.ts';
import { type HirePlan, type Sharding, type ShardWork, withEnd } from '../shards/shards.ts';
import type { Evaluation, Metrics, Sample, Stage, StageContext, StageState, StepOutcome } from '../stage.ts';
import { actionsOf, allModules, type StageKind, type StageModules } from '../stage-kind.ts';
import { adamWOptions } from '../supervised.ts';

/** Answers of a round that are kept for people to look at. */
const keptSamples = 8;

const saved = z.looseObject({
  stage: z.looseObject({
    updates: z.int(),
    random: z.tuple([z.number(), z.number(), z.number(), z.number()]),
    ...deckState.shape,
  }),
});

interface ExpertParts {
  readonly rounds: ExpertRounds;
  readonly actor: LatentActor;
  readonly optimizer: Optimizer;
}

/** What a worker has to know beside the settings. */
const hiredDetail = z.object({ longest: z.int().positive() });

export class ExpertStage implements Stage {
  readonly name = 'expert';
  private readonly random: Random;
  private readonly deck: PromptDeck;
  private readonly watch: ScoreWatch;

  private constructor(
    private readonly settings: ExpertSettings,
    private readonly context: StageContext,
    private readonly problems: Problems,
    private readonly parts: ExpertParts,
    readonly trained: readonly string[],
  ) {
    this.random = new Random(context.seed);
    this.deck = new PromptDeck(problems.prompts, this.random);
    this.watch = new ScoreWatch(context.say);
  }

  /** The stage on problems that are there already; `prompts`, `held_out` and `reward` of the settings are not looked at. */
  static async of(settings: ExpertSettings, context: StageContext, problems: Problems): Promise<ExpertStage> {
    const { device, weights, sharding } = context;
    const cola = colaOf(context, 'expert', allModules(modules(settings)));
    const trained = trainedOf(settings, cola);
    const longest = Math.max(...problems.prompts.map(({ ids }) => ids.length));
    const actor = new LatentActor(context, cola, false, 0);
    const optimizer = await Optimizer.create(
      device,
      undefined,
      trained,
      weights.state,
      [],
      adamWOptions(settings),
      context,
    );
    const own = () => lessonsOf(settings, context, cola, problems.reward, longest);
    const shards = (count: number, { open }: Sharding) =>
      new ShardedRounds(
        settings,
        open?.({ learned: trained, detail: { longest } }) ?? new OwnShards(new ExpertWork(context, settings, own())),
        count,
        optimizer,
      );
    const rounds =
      sharding === undefined ? new WholeRounds(context, settings, own(), optimizer) : shards(sharding.count, sharding);
    return new ExpertStage(settings, context, problems, { rounds, actor, optimizer }, trained);
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
    const { settings, random, watch, context } = this;
    const started = performance.now();
    const drawn = this.deck.next(settings.batch);
    const starts = drawn.map(({ prompt }): Start => ({ prompt, seeds: [random.uint32()] }));
    const { told, learn } = await this.parts.rounds.run(index, starts, random, signal);
    const searched = performance.now();
    const unscored = told.flatMap((each) => each.unscored);
    watch.look(unscored.length + told.reduce((n, { rewards }) => n + rewards.length, 0), unscored);
    const described = describe(told);
    if (index === 0 && described.unscored === 0 && told.every(({ rewards }) => new Set(rewards).size < 2)) {
      context.say(nothingToLearn(described.reward));
    }
    const learned = await learn();
    const seconds = {
      seconds_rollout: (searched - started) / 1000,
      seconds_update: (performance.now() - searched) / 1000,
    };
    return {
      metrics: { ...described, ...learned, ...seconds },
      samples: told.slice(0, keptSamples).flatMap((each, i) => this.sampleOf(drawn[i].prompt, each) ?? []),
    };
  }

  private sampleOf(prompt: Prompt, { best }: Told): Sample | undefined {
    if (best === null) return undefined;
    const { actions, tokens, reward, parts } = best;
    const completion = tokenizerOf(this.context).decode([...tokens], { skipSpecialTokens: true });
    const judged = { parts, ...(reward === null ? {} : { reward }) };
    return { prompt: prompt.text, completion, actions, tokens: tokens.length, ...judged };
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    const { settings, problems, context } = this;
    const result = await evaluatePrompts(
      answered(this.parts.actor, tokenizerOf(context), problems.reward),
      problems.heldOut,
      {
        samples: settings.evaluate_samples,
        maxNew: settings.max_new,
        temperature: 1,
        topK: 0,
        solvedAt: settings.solved_at ?? solvedFrom(settings.reward),
        seed: context.seed + 1,
        signal,
      },
    );
    if (Number.isFinite(result.score)) this.watch.scored();
    const counted = { held_out_problems: problems.heldOut.length };
    return { metrics: { ...result.metrics, ...solvedLists(result.each), ...counted }, score: result.score };
  }

  async save(): Promise<StageState> {
    const { tensors, updates } = await this.parts.optimizer.save();
    return { tensors: toWrite(tensors), state: { updates, random: this.random.state, ...this.deck.state } };
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    const { stage } = checkpoint.state(saved);
    await this.parts.optimizer.restore(namedTensors(checkpoint, 'optimiser'), stage.updates);
    this.random.restore(stage.random);
    this.deck.restore(stage);
  }

  async dispose(): Promise<void> {
    await this.parts.rounds.dispose();
    await this.parts.optimizer.dispose();
    await this.parts.actor.dispose();
    await this.problems.reward.close();
  }
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

/** Figures of a round's searches. */
function describe(found: readonly Told[]) {
  const total = (of: (each: Told) => number) => found.reduce((n, each) => n + of(each), 0);
  return {
    reward: mean(found.flatMap(({ rewards }) => rewards)),
    best_reward: mean(found.flatMap(({ rewards }) => (rewards.length === 0 ? [] : Math.max(...rewards)))),
    unscored: total(({ unscored }) => unscored.length),
    nodes: total(({ nodes }) => nodes) / found.length,
    lessons: total(({ lessons }) => lessons),
    tokens: total(({ tokens }) => tokens),
  } satisfies Metrics;
}

/** Said once, when the first round teaches nothing. */
function nothingToLearn(reward: number): string {
  const same = `In the first round every answer to a prompt got the same reward (${reward.toPrecision(3)} on average).`;
  return `${same} As long as that is so, the visits say nothing new: look at samples.jsonl, and at the prompts and the reward of the spec.`;
}

async function createExpert(settings: ExpertSettings, context: StageContext): Promise<Stage> {
  const cola = colaOf(context, 'expert', ['world', 'policy']);
  const still = [
    ...(cola.has('value') && settings.value_weight === 0 ? ['a value head (value_weight)'] : []),
    ...(cola.has('q') && settings.q_weight === 0 ? ['a Q function (q_weight)'] : []),
  ];
  if (still.length > 0) context.say(`The model has ${still.join(' and ')}, which this stage leaves as it is.`);
  return ExpertStage.of(settings, context, await problemsOf(settings, context));
}

/** Modules that learn. */
const learning = ({ value_weight, q_weight }: ExpertSettings): ModuleName[] => [
  'policy',
  ...(value_weight > 0 ? (['value'] as const) : []),
  ...(q_weight > 0 ? (['q'] as const) : []),
];

const modules = (settings: ExpertSettings): StageModules => {
  const makes = learning(settings).filter((module) => module !== 'policy');
  const pruned = settings.edges === 'q' && !makes.includes('q');
  return { needs: ['world', 'policy', ...(pruned ? (['q'] as const) : [])], makes };
};

const trainedOf = (settings: ExpertSettings, cola: ColaModel): string[] =>
  learning(settings).flatMap((module) => cola.tensorsOf(module).map(({ name }) => name));

/** What searches prompts and what learns from them. @param longest tokens of a prompt */
function lessonsOf(
  settings: ExpertSettings,
  context: StageContext,
  cola: ColaModel,
  reward: Reward,
  longest: number,
): LessonMaker {
  const trained = trainedOf(settings, cola);
  const searches = new PromptSearches(context, settings, reward, cola, trained, longest);
  return { trained, searches, model: new LessonModel(context, cola, settings) };
}

async function hireExpert(settings: ExpertSettings, context: StageContext, { detail }: HirePlan): Promise<ShardWork> {
  const { longest } = hiredDetail.parse(detail);
  const cola = colaOf(context, 'expert', allModules(modules(settings)));
  const reward = await openReward(settings.reward, context.resolve('.'));
  const work = new ExpertWork(context, settings, lessonsOf(settings, context, cola, reward, longest));
  return withEnd(work, () => reward.close());
}

export const expert: StageKind<ExpertSettings> = {
  ...stages.expert,
  modules,
  learns(settings, configs) {
    const groups = moduleWeights(configs.config, actionsOf(configs));
    return learning(settings).flatMap((module) => groups[module]);
  },
  parts(settings, configs, length = assumedPrompt + settings.max_new) {
    const { config } = configs;
    const cola = actionsOf(configs);
    const groups = moduleWeights(config, cola);
    const q = settings.edges === 'q';
    const weights = { value: settings.value_weight, q: settings.q_weight };
    const learns = expert.learns(settings, configs);
    const policy = latentPolicy(config, cola, false, 0);
    const prompt = Math.max(1, length - settings.max_new);
    const searched = {
      length,
      reads: [],
      step: fusedStep(config, cola, { hidden: true, preview: true, q }),
      added: [...groups.policy, ...groups.world, ...(q ? groups.q : [])],
      learns,
    };
    return [
      decodingPart(config, { ...searched, what: 'search', rows: searchedRows(settings) }),
      // The beginning of a tree is read alone, and so is what one state leads to.
      decodingPart(config, { ...searched, what: 'search', rows: 1, reads: [prompt], kept: settings.cache * 2 ** 20 }),
      ...measuringParts(
        config,
        { prompt, behind: settings.max_new, step: policy.step, added: policy.added, learns },
        settings,
      ),
      trainingPart({
        rows: minibatchRows(settings.batch * settings.paths, settings.minibatches),
        length,
        laidOut: paddedLessons,
        learns,
        objective: (graph, rows, t) => lessonObjective(graph, config, cola, { rows, length: t }, weights),
      }),
    ];
  },
  create: createExpert,
  hire: hireExpert,
};
