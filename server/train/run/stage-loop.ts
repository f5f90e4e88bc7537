/** The steps of one stage of a run, from where it stands: measured and saved now and then, and saved when it ends early. */
import { z } from 'zod';
import { ColaError } from '../../errors.ts';
import type { Position } from '../../store/position.ts';
import type { Run } from '../../store/run.ts';
import { solvedIn, turned } from '../measures/solved.ts';
import type { DeviceWeights } from '../optimizer/weights.ts';
import type { Evaluation, Metrics, Stage } from '../stage.ts';
import type { TrainEvent } from './events.ts';
import type { Origin } from './origin.ts';

const keptCheckpoints = 2;

const metricsLine = z.looseObject({
  step: z.number(),
  stage: z.string().optional(),
  evaluation: z.boolean().optional(),
});

export interface StageLoopOptions {
  readonly run: Run;
  readonly stage: Stage;
  readonly weights: DeviceWeights;
  /** Moves with the steps. */
  readonly position: Position;
  readonly signal: AbortSignal;
  /** Awaited before every step. */
  readonly turn: (() => Promise<void>) | undefined;
  /** Ends after so many steps, without a measurement and a checkpoint. */
  readonly trialSteps: number | undefined;
  readonly emit: (event: TrainEvent) => void;
  /** What the run is made from; goes into every checkpoint. */
  readonly origin: () => Promise<Origin>;
}

/** @throws what ends the stage early, after what can be saved was saved */
export async function runStage(options: StageLoopOptions): Promise<void> {
  const loop = new StageLoop(options);
  await loop.steps().catch((error: unknown) => loop.breakOff(error));
}

class StageLoop {
  constructor(private readonly options: StageLoopOptions) {}

  async steps(): Promise<void> {
    const { run, stage, position, signal, turn, emit, trialSteps } = this.options;
    const { before } = position;
    if (trialSteps !== undefined) await this.tryEvaluation();
    else if (position.done === 0) await this.evaluate(before);
    if (position.unmeasured) {
      const { best } = await this.evaluate(before + position.done, true);
      await this.save(best);
    }
    for (let index = position.done; index < stage.steps; index++) {
      await turn?.();
      run.check();
      signal.throwIfAborted();
      const started = performance.now();
      const { metrics, samples = [] } = await stage.step(index, signal);
      const seconds = (performance.now() - started) / 1000;
      position.done = index + 1;
      const step = before + index + 1;
      run.record({ step, stage: stage.name, seconds, ...metrics });
      emit({ kind: 'step', stage: stage.name, step: index + 1, steps: stage.steps, seconds, metrics });
      if (samples.length > 0) {
        for (const sample of samples) run.samples.append({ step, stage: stage.name, ...sample });
        emit({ kind: 'samples', stage: stage.name, step: index + 1, samples });
      }
      if (index + 1 === trialSteps) return;
      const last = index + 1 === stage.steps;
      position.unmeasured = last || (index + 1) % stage.evaluateEvery === 0;
      const measured = position.unmeasured ? await this.evaluate(step) : undefined;
      if (last || (index + 1) % stage.checkpointEvery === 0 || measured?.best === true) {
        await this.save(measured?.best === true);
      }
    }
  }

  /** @param again whether the line of this measurement may be there already */
  private async evaluate(step: number, again = false): Promise<Evaluation & { best: boolean }> {
    const { run, stage, position, signal, emit } = this.options;
    const started = performance.now();
    const found = await stage.evaluate(signal);
    const evaluation = { ...found, metrics: { ...found.metrics, ...this.turnedSince(found.metrics) } };
    const seconds = (performance.now() - started) / 1000;
    const { score, part = 0, metrics } = evaluation;
    const before = position.best;
    const best =
      position.done > 0 && (before === null || part > before.part || (part === before.part && score > before.score));
    if (best && Number.isFinite(score)) position.best = { score, part };
    position.unmeasured = false;
    // The first one of a stage says how long it is going to be.
    const length = position.done === 0 ? { steps: stage.steps } : {};
    const spent = { seconds, memory: process.memoryUsage.rss() };
    const line = { step, stage: stage.name, evaluation: true, ...length, ...spent, ...metrics };
    // A run killed between this line and the checkpoint that follows measures again when it is resumed.
    const known = again && run.readMetrics(metricsLine).some((l) => l.step === step && l.evaluation === true);
    if (!known) run.record(line);
    emit({ kind: 'evaluation', stage: stage.name, step: position.done, metrics, best, seconds });
    return { ...evaluation, best };
  }

  /** How long a measurement takes, which a trial need not make whole. */
  private async tryEvaluation(): Promise<void> {
    const { stage, signal, emit } = this.options;
    const seconds = await stage.timeEvaluation?.(signal);
    if (seconds === undefined) await this.evaluate(0);
    else emit({ kind: 'evaluation', stage: stage.name, step: 0, metrics: {}, best: false, seconds });
  }

  /** How the held-out problems turned since the first measurement of the stage. */
  private turnedSince(metrics: Metrics): Metrics {
    const { run, stage, position } = this.options;
    const now = solvedIn(metrics);
    const { done, before } = position;
    if (now === undefined || done === 0) return {};
    const first = run
      .readMetrics(metricsLine)
      .find((line) => line.step === before && line.stage === stage.name && line.evaluation === true);
    const then = first === undefined ? undefined : solvedIn(first);
    return then === undefined ? {} : turned(then, now);
  }

  /** Saves what can be saved of a run that ends early. @throws what ended it, or what kept it from being saved */
  async breakOff(error: unknown): Promise<never> {
    const { signal } = this.options;
    if (error instanceof ColaError && error.id === 'store.disturbed') await this.saveMended();
    else if (signal.aborted && error === signal.reason)
      await this.saveStopped().catch((second: unknown) => this.breakOff(second));
    throw error;
  }

  /** Saves a run whose files were lost, so that it can go on from where it stands and not from before. */
  private async saveMended(): Promise<void> {
    const { run, position } = this.options;
    await run.mend();
    const best = run.bestCheckpoint()?.step === position.before + position.done;
    if (position.done > 0) await this.save(best);
  }

  /** Saves a run that is stopped, unless the latest checkpoint is of this very step: that one may be marked as the best. */
  private async saveStopped(): Promise<void> {
    const { run, position } = this.options;
    const { before, done } = position;
    if (done > 0 && run.latestCheckpoint()?.step !== before + done) await this.save(false);
  }

  private async save(best: boolean): Promise<void> {
    const { run, stage, weights, position, origin, emit } = this.options;
    run.check();
    const { tensors, state } = await stage.save();
    const files = { weights: weights.entries(position.changed), optimiser: tensors };
    const step = position.before + position.done;
    await run.saveCheckpoint(
      step,
      { files, state: { ...position, format: 1, stage: state }, provenance: { origin: await origin() } },
      { keep: keptCheckpoints, best },
    );
    emit({ kind: 'checkpoint', step, stage: stage.name });
  }
}
