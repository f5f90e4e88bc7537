/**
 * Reinforcement from what people did with what they were shown: the policy learns from a feedback log, judged by a part
 * of it that nothing is learned from. Nothing is sampled: a step is one update from moments that were recorded.
 */
import { existsSync, statSync } from 'node:fs';
import { z } from 'zod';
import { moduleWeights } from '../../cola/config.ts';
import { feedbackErrors } from '../../feedback/errors.ts';
import { historyOf } from '../../feedback/history.ts';
import { FeedbackLog, feedbackFile } from '../../feedback/log.ts';
import { fingerprintOf, original } from '../../feedback/model.ts';
import { Random } from '../../random.ts';
import type { FeedbackSettings } from '../../spec/settings/feedback.ts';
import { stages } from '../../spec/stages.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { fullShape } from '../feedback/batch.ts';
import { FeedbackLearner, passOf } from '../feedback/learner.ts';
import { type Lesson, type Lessons, lessonsOf } from '../feedback/lessons.ts';
import { feedbackObjective } from '../feedback/objective.ts';
import { learningRate } from '../optimizer/schedule.ts';
import { namedTensors, toWrite } from '../run/checkpointing.ts';
import { FrozenData } from '../run/frozen.ts';
import { assumedPrompt, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import type { Evaluation, Stage, StageContext, StageState, StepOutcome } from '../stage.ts';
import { actionsOf, allModules, type StageKind, type StageModules } from '../stage-kind.ts';

const saved = z.looseObject({ stage: z.looseObject({ updates: z.int() }) });
const referencePrefix = 'reference.';

class FeedbackStage implements Stage {
  readonly name = 'feedback';
  private begun = false;

  constructor(
    private readonly settings: FeedbackSettings,
    private readonly context: StageContext,
    private readonly lessons: Lessons,
    private learner: FeedbackLearner,
  ) {}

  get trained(): readonly string[] {
    return this.learner.trained;
  }
  get steps(): number {
    return this.settings.epochs * this.perPass;
  }
  get checkpointEvery(): number {
    return this.settings.checkpoint_every;
  }
  get evaluateEvery(): number {
    return this.settings.evaluate_every;
  }

  private get perPass(): number {
    return Math.ceil(this.lessons.train.length / this.settings.batch);
  }

  /** Reads what there is. The policy at the start is the reference, also in a run that goes on. */
  private async begin(signal: AbortSignal): Promise<void> {
    if (this.begun) return;
    const { train, heldBack } = this.lessons;
    await this.learner.begin([...train, ...heldBack], signal, this.learner.referenceState);
    this.begun = true;
  }

  async step(index: number, signal: AbortSignal): Promise<StepOutcome> {
    await this.begin(signal);
    await this.context.turn?.();
    signal.throwIfAborted();
    const { settings } = this;
    const pass = Math.floor(index / this.perPass);
    const batch = this.batchAt(pass, index % this.perPass);
    const schedule = {
      peak: settings.learning_rate,
      warmupSteps: settings.warmup,
      steps: this.steps,
      floor: settings.floor,
    };
    const metrics = await this.learner.learn(batch, original, learningRate(schedule, index));
    return { metrics: { pass, moments: batch.length, ...metrics } };
  }

  private batchAt(pass: number, index: number): Lesson[] {
    return passOf(this.lessons.train, this.settings.batch, new Random(this.context.seed + pass))[index];
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    await this.begin(signal);
    const { acceptance, judged, textLoss, kl } = await this.learner.shadow(this.lessons.heldBack, signal);
    const metrics = {
      reward: this.lessons.reward,
      held_back: judged,
      kl,
      ...(acceptance === null ? {} : { acceptance }),
      ...(textLoss === null ? {} : { text_loss: textLoss }),
    };
    return { metrics, score: acceptance ?? 0 };
  }

  async save(): Promise<StageState> {
    const { tensors, updates } = await this.learner.save();
    const reference = (await this.learner.referenceEntries()).map(({ name, ...rest }) => ({
      name: `${referencePrefix}${name}`,
      dtype: 'F32' as const,
      ...rest,
    }));
    return { tensors: [...toWrite(tensors), ...reference], state: { updates } };
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    const { stage } = checkpoint.state(saved);
    const tensors = namedTensors(checkpoint, 'optimiser');
    const reference = new Map(
      [...tensors].flatMap(([name, { data }]) =>
        name.startsWith(referencePrefix) ? [[name.slice(referencePrefix.length), data] as const] : [],
      ),
    );
    await this.learner.dispose();
    const cola = colaOf(this.context, 'feedback', allModules(modules));
    this.learner = await FeedbackLearner.create(this.context, cola, this.settings, reference);
    await this.learner.restore(tensors, stage.updates);
    this.begun = false;
  }

  dispose(): Promise<void> {
    return this.learner.dispose();
  }
}

/** The log that a path means: a file, or the one of a folder. */
export function logAt(path: string): FeedbackLog {
  return new FeedbackLog(existsSync(path) && statSync(path).isDirectory() ? feedbackFile(path) : path);
}

/** @throws feedback.empty where the log has nothing of this model; train.needs */
async function createFeedback(settings: FeedbackSettings, context: StageContext): Promise<Stage> {
  const cola = colaOf(context, 'feedback', allModules(modules));
  const log = logAt(context.resolve(settings.data));
  const model = fingerprintOf(cola);
  // Only what there was when the run began: a log grows while one works.
  const length = context.frozen?.length(FrozenData.nameOf('feedback', settings.data), log.size);
  const moments = historyOf(log.read(length).map(({ line }) => line)).filter(({ line }) => line.model === model);
  const lessons = lessonsOf(moments, settings);
  if (lessons.train.length === 0) throw feedbackErrors.empty(log.path);
  context.say(`${log.path}: ${moments.length} moments, ${lessons.judged} judged alternatives`);
  const learner = await FeedbackLearner.create(context, cola, settings);
  return new FeedbackStage(settings, context, lessons, learner);
}

const modules: StageModules = { needs: ['world', 'policy'], makes: [] };

export const feedback: StageKind<FeedbackSettings> = {
  ...stages.feedback,
  modules: () => modules,
  learns: (_, configs) => moduleWeights(configs.config, actionsOf(configs)).policy,
  parts(settings, configs, length = 2 * assumedPrompt) {
    const latent = { ...configs, cola: actionsOf(configs) };
    const start = Math.min(assumedPrompt, Math.ceil(length / 2));
    return [
      trainingPart({
        rows: settings.batch,
        length,
        learns: feedback.learns(settings, configs),
        objective: (graph, rows, t) =>
          feedbackObjective(graph, latent, settings, fullShape(rows, t, start, settings.anchors)),
      }),
    ];
  },
  create: createFeedback,
  whole: 'the log is read once, and its updates are too small to be shared out',
};
