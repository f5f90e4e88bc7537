/**
 * Tunes the policy of a model that is in memory from a log, and keeps the result as a version where the guard lets it pass.
 * The model's base and world model are used where they are; the policy is a copy, so that completion goes on with the old one
 * until the new one is there.
 */
import { widthOf } from '../cola/config.ts';
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import { feedbackErrors } from '../feedback/errors.ts';
import { historyOf, type Moment } from '../feedback/history.ts';
import type { FeedbackLog } from '../feedback/log.ts';
import { fingerprintOf, original } from '../feedback/model.ts';
import type { PolicyVersion, PolicyVersions, PolicyWeights } from '../feedback/versions.ts';
import { Random } from '../random.ts';
import { ratedStage } from '../spec/rates.ts';
import type { FeedbackSettings } from '../spec/settings/feedback.ts';
import { FeedbackLearner, passOf, type ShadowScore } from '../train/feedback/learner.ts';
import { lessonsOf } from '../train/feedback/lessons.ts';
import { learningRate } from '../train/optimizer/schedule.ts';
import { DeviceWeights } from '../train/optimizer/weights.ts';
import type { StageContext } from '../train/stage.ts';
import { guard } from './guard.ts';

/** The newest moments that are looked at: a log of years must not make an update of hours. */
const newest = 1000;

export interface TuneOptions {
  readonly settings: FeedbackSettings;
  readonly signal: AbortSignal;
  /** Awaited between runs of the device. */
  readonly turn?: () => Promise<void>;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Tuned {
  readonly version: PolicyVersion;
  /** What was learned, also where the guard refused it. */
  readonly weights: PolicyWeights;
  readonly before: ShadowScore;
  readonly after: ShadowScore;
}

export class Tuner {
  readonly model: string;
  private turn: () => Promise<void> = async () => {};
  private opened:
    | { readonly weights: DeviceWeights; readonly learner: FeedbackLearner; readonly key: string }
    | undefined;

  constructor(
    private readonly device: Device,
    private readonly cola: ColaModel,
    /** The model's own policy, which the tuned one is held near. */
    private readonly own: PolicyWeights = new Map(
      cola.tensorsOf('policy').map(({ name }) => [name, cola.weight(name).slice()]),
    ),
  ) {
    this.model = fingerprintOf(cola);
  }

  /** Moments of a log that this model made, newest last. */
  moments(log: FeedbackLog): Moment[] {
    return historyOf(log.read().map(({ line }) => line)).filter(({ line }) => line.model === this.model);
  }

  /**
   * Learns from what is new since the version in use was made, or from everything where nothing is.
   *
   * @throws feedback.empty, feedback.pinned, train.diverged; the signal's reason. Nothing has changed then
   */
  async tune(log: FeedbackLog, versions: PolicyVersions, options: TuneOptions): Promise<Tuned> {
    const { settings, signal } = options;
    const { version: current, pinned } = versions.current;
    if (pinned) throw feedbackErrors.pinned(current);
    const all = this.moments(log).slice(-newest);
    const until = versions.list().find(({ id }) => id === current)?.until ?? 0;
    const lessons = lessonsOf(all, settings);
    const fresh = new Set(all.filter(({ line }) => line.at > until).map(({ line }) => line.id));
    const unseen = lessons.train.filter(({ id }) => fresh.has(id));
    const train = unseen.length > 0 ? unseen : lessons.train;
    if (train.length === 0) throw feedbackErrors.empty(log.path);
    const start = versions.weights(current, this.cola, this.model) ?? this.own;
    this.turn = options.turn ?? (async () => {});
    const { learner, weights } = await this.open(settings);
    for (const [name, values] of start) await weights.write(name, values);
    await learner.rewind();
    await learner.begin([...train, ...lessons.heldBack], signal);
    const before = await learner.shadow(lessons.heldBack, signal);
    const own = current === original ? before : await learner.shadow(lessons.heldBack, signal, learner.referenceState);
    const perPass = Math.ceil(train.length / settings.batch);
    const steps = settings.epochs * perPass;
    const schedule = {
      peak: this.rateOf(settings),
      warmupSteps: settings.warmup,
      steps,
      floor: settings.floor,
    };
    for (let step = 0; step < steps; ) {
      for (const batch of passOf(train, settings.batch, new Random(step))) {
        await this.turn();
        signal.throwIfAborted();
        await learner.learn(batch, current, learningRate(schedule, step));
        step++;
        options.onProgress?.(step, steps);
      }
    }
    const after = await learner.shadow(lessons.heldBack, signal);
    const verdict = guard(before, after, own);
    const tuned: PolicyWeights = new Map(
      await Promise.all(learner.trained.map(async (name) => [name, (await weights.read(name)).slice()] as const)),
    );
    const version = await versions.add(
      {
        parent: current,
        at: Date.now(),
        model: this.model,
        moments: train.length,
        judged: train.reduce((n, { wanted }) => n + wanted.filter((w) => w !== undefined).length, 0),
        updates: steps,
        until: all[all.length - 1].line.at,
        acceptance: { before: before.acceptance, after: after.acceptance },
        held_back: before.judged,
        text_loss: { before: before.textLoss, after: after.textLoss },
        kl: after.kl,
        ...verdict,
      },
      this.cola,
      verdict.verdict === 'refused' ? undefined : tuned,
    );
    if (verdict.verdict === 'kept') await versions.choose(version.id, false);
    return { version, weights: tuned, before, after };
  }

  private rateOf(settings: FeedbackSettings): number | undefined {
    const { config, base } = this.cola;
    const widths = { base: base.config.hiddenSize, modules: widthOf(base.config, config) };
    return ratedStage({ name: 'feedback', settings }, widths).settings.learning_rate;
  }

  /** Compiled once for the same settings. */
  private async open(settings: FeedbackSettings): Promise<{ weights: DeviceWeights; learner: FeedbackLearner }> {
    const key = JSON.stringify(settings);
    if (this.opened?.key === key) return this.opened;
    await this.dispose();
    const { cola } = this;
    const device = cola.base.on(this.device);
    const weights = new DeviceWeights(device);
    await weights.add(cola.base.weights, cola.base.plainTensors);
    await weights.add(cola.weights, cola.tensorsOf('world'));
    const policy = new Map([...this.own].map(([name, values]) => [name, values.slice()]));
    await weights.add(policy, cola.tensorsOf('policy'));
    const context: StageContext = {
      device,
      base: cola.base,
      cola,
      weights,
      seed: 0,
      resolve: (path) => path,
      cacheFolder: '',
      signal: new AbortController().signal,
      turn: () => this.turn(),
      say: () => undefined,
    };
    const learner = await FeedbackLearner.create(context, cola, settings, this.own);
    this.opened = { weights, learner, key };
    return this.opened;
  }

  async dispose(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    await opened?.learner.dispose();
    opened?.weights.dispose();
  }
}
