/**
 * A run from its spec to a tuned model: one loop serves every stage. It saves a checkpoint now and then, at the end of
 * every stage and when it is stopped, keeps the best one by held-out score, and continues from the latest one exactly.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ColaModel } from '../cola/model.ts';
import { type Attempt, type Device, openDevice } from '../device/device.ts';
import { LanguageModel } from '../model/language-model.ts';
import { Random } from '../random.ts';
import { readSpec, rebaseSpec, resolveModel, resolvePath, stringifySpec } from '../spec/document.ts';
import type { RunSpec, StageSpec } from '../spec/schema.ts';
import type { Checkpoint } from '../store/checkpoint.ts';
import { Run, runFolder } from '../store/run.ts';
import { trainErrors } from './errors.ts';
import { createBase, prepareModules } from './initialise.ts';
import type { Evaluation, Metrics, Sample, Stage, StageContext } from './stage.ts';
import { createStage } from './stages/index.ts';
import { DeviceWeights } from './weights.ts';

export type TrainEvent =
  | { readonly kind: 'device'; readonly device: string; readonly attempts: readonly Attempt[] }
  | { readonly kind: 'message'; readonly text: string }
  | {
      readonly kind: 'stage';
      readonly index: number;
      readonly count: number;
      readonly name: string;
      readonly steps: number;
      readonly from: number;
    }
  | {
      readonly kind: 'step';
      readonly stage: string;
      readonly step: number;
      readonly steps: number;
      readonly seconds: number;
      readonly metrics: Metrics;
    }
  | {
      readonly kind: 'evaluation';
      readonly stage: string;
      readonly step: number;
      readonly metrics: Metrics;
      readonly best: boolean;
    }
  | { readonly kind: 'samples'; readonly stage: string; readonly step: number; readonly samples: readonly Sample[] }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly stage: string }
  | { readonly kind: 'done'; readonly model: string };

interface CommonOptions {
  /** Folder whose `.cola/runs` holds the run. */
  readonly root: string;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** A new run: a spec, and the file it came from, to whose folder its paths are relative. */
export type StartOptions = CommonOptions & { readonly spec: RunSpec; readonly specFile: string };

/** Where a run stands, beside the tensors. */
const position = z.looseObject({
  /** Index of the stage. */
  at: z.int().min(0),
  /** Steps of that stage that are done. */
  done: z.int().min(0),
  /** Number of the stage's step 0: every stage before it took its steps, and one for the measurement before them. */
  before: z.int().min(0),
  /** Best held-out score of the stage so far. */
  best: z.number().nullable(),
  /** Names of all weights that the stages so far have changed. */
  changed: z.array(z.string()),
});
type Position = z.infer<typeof position>;

const keptCheckpoints = 2;

/**
 * Runs a spec.
 *
 * @returns the run's folder and the folder of the tuned model in it
 * @throws train.stopped when the signal stops it, after a checkpoint has been saved; store.runExists; whatever the stages throw
 */
export async function startRun(options: StartOptions): Promise<{ runPath: string; model: string }> {
  const { spec, specFile, root, runId } = options;
  const frozen = join(runFolder(root, runId), 'spec.yaml');
  const run = await Run.create(root, runId, stringifySpec(rebaseSpec(spec, specFile, frozen)));
  return carryOut(run, options);
}

/** Continues a run from its latest checkpoint, with the spec it was started with. Returns and throws as {@link startRun}. */
export async function resumeRun(options: CommonOptions): Promise<{ runPath: string; model: string }> {
  return carryOut(await Run.open(runFolder(options.root, options.runId)), options);
}

async function carryOut(run: Run, options: CommonOptions): Promise<{ runPath: string; model: string }> {
  try {
    const specFile = join(run.path, 'spec.yaml');
    const job = new Job(run, { ...options, spec: readSpec(specFile), specFile });
    return { runPath: run.path, model: await job.run() };
  } finally {
    run.close();
  }
}

class Job {
  private position: Position = { at: 0, done: 0, before: 0, best: null, changed: [] };

  constructor(
    private readonly runFolder: Run,
    private readonly options: StartOptions,
  ) {}

  private emit(event: TrainEvent): void {
    this.options.onEvent?.(event);
  }

  async run(): Promise<string> {
    const { spec } = this.options;
    const { device, attempts } = await openDevice(
      spec.device,
      spec.threads === undefined ? {} : { threads: spec.threads },
    );
    this.emit({ kind: 'device', device: device.name, attempts });
    const checkpoint = this.runFolder.latestCheckpoint();
    if (checkpoint !== null) this.position = checkpoint.state(position);
    await this.runFolder.truncateMetricsAfter(checkpoint?.step ?? -1);
    const weights = new DeviceWeights(device);
    const { base, cola: loaded } = await this.load();
    let cola = loaded;
    const prepare = async (planned: StageSpec) => {
      cola = prepareModules(planned, base, cola, spec.seed);
      const missing = (cola?.tensors ?? []).filter(({ name }) => !weights.has(name));
      if (cola !== undefined) await weights.add(cola.weights, missing);
    };
    try {
      await weights.add(base.weights, base.tensors);
      if (cola !== undefined) await weights.add(cola.weights, cola.tensors);
      for (const planned of spec.stages.slice(0, this.position.at + 1)) await prepare(planned);
      if (checkpoint !== null) await restoreWeights(checkpoint, weights);
      for (let at = this.position.at; at < spec.stages.length; at++) {
        await prepare(spec.stages[at]);
        await this.stage(at, device, base, cola, weights, checkpoint);
      }
      const model = await this.saveModel('model', base, cola, weights);
      const best = this.runFolder.bestCheckpoint();
      if (best !== null && best.step !== this.runFolder.latestCheckpoint()?.step) {
        await restoreWeights(best, weights);
        await this.saveModel('best', base, cola, weights);
      }
      this.emit({ kind: 'done', model });
      return model;
    } finally {
      weights.dispose();
      await device.dispose();
    }
  }

  /** Writes the whole model as it is now into a folder of the run. */
  private async saveModel(
    name: string,
    base: LanguageModel,
    cola: ColaModel | undefined,
    weights: DeviceWeights,
  ): Promise<string> {
    await weights.download(base.weights, base.weights.keys());
    if (cola !== undefined) await weights.download(cola.weights, cola.weights.keys());
    const folder = join(this.runFolder.path, name);
    await rm(folder, { recursive: true, force: true });
    if (cola === undefined) await base.save(folder);
    else await cola.save(folder);
    return folder;
  }

  private async load(): Promise<{ base: LanguageModel; cola: ColaModel | undefined }> {
    const { spec, specFile } = this.options;
    if (typeof spec.model !== 'string') return { base: createBase(spec.model, specFile, spec.seed), cola: undefined };
    const folder = resolveModel(spec.model, specFile);
    if (!ColaModel.exists(folder)) return { base: await LanguageModel.load(folder), cola: undefined };
    const cola = await ColaModel.load(folder);
    return { base: cola.base, cola };
  }

  private async stage(
    at: number,
    device: Device,
    base: LanguageModel,
    cola: ColaModel | undefined,
    weights: DeviceWeights,
    checkpoint: Checkpoint | null,
  ): Promise<void> {
    const { spec, specFile, signal, root } = this.options;
    const planned = spec.stages[at];
    const context: StageContext = {
      device,
      base,
      cola,
      weights,
      seed: new Random(spec.seed + 1000 * at).uint32(),
      resolve: (path) => resolvePath(path, specFile),
      cacheFolder: join(root, '.cola', 'cache'),
      signal,
      say: (text) => this.emit({ kind: 'message', text }),
    };
    const stage = await createStage(planned, context);
    try {
      if (checkpoint !== null && this.position.at === at && this.position.done > 0) await stage.restore(checkpoint);
      else this.position = { ...this.position, at, done: 0, best: null };
      const changed = new Set([...this.position.changed, ...stage.trained]);
      this.position.changed = [...changed].sort();
      const { length: count } = spec.stages;
      this.emit({ kind: 'stage', index: at, count, name: stage.name, steps: stage.steps, from: this.position.done });
      await this.steps(stage, weights);
      this.position = {
        ...this.position,
        at: at + 1,
        done: 0,
        before: this.position.before + stage.steps + 1,
        best: null,
      };
    } finally {
      await stage.dispose();
    }
  }

  private async steps(stage: Stage, weights: DeviceWeights): Promise<void> {
    const { signal } = this.options;
    const { before } = this.position;
    if (this.position.done === 0) await this.evaluate(stage, before);
    for (let index = this.position.done; index < stage.steps; index++) {
      if (signal.aborted) {
        await this.save(stage, weights, false);
        throw trainErrors.stopped(this.runFolder.id, before + index);
      }
      const started = performance.now();
      const outcome = await stage.step(index, signal);
      const seconds = (performance.now() - started) / 1000;
      this.position.done = index + 1;
      const step = before + index + 1;
      this.runFolder.metrics.append({ step, stage: stage.name, seconds, ...outcome.metrics });
      this.emit({
        kind: 'step',
        stage: stage.name,
        step: index + 1,
        steps: stage.steps,
        seconds,
        metrics: outcome.metrics,
      });
      if (outcome.samples !== undefined && outcome.samples.length > 0) {
        for (const sample of outcome.samples) this.runFolder.samples.append({ step, stage: stage.name, ...sample });
        this.emit({ kind: 'samples', stage: stage.name, step: index + 1, samples: outcome.samples });
      }
      const last = index + 1 === stage.steps;
      const measured = last || (index + 1) % stage.evaluateEvery === 0 ? await this.evaluate(stage, step) : undefined;
      if (last || (index + 1) % stage.checkpointEvery === 0 || measured?.best === true) {
        await this.save(stage, weights, measured?.best === true);
      }
    }
  }

  private async evaluate(stage: Stage, step: number): Promise<Evaluation & { best: boolean }> {
    const evaluation = await stage.evaluate(this.options.signal);
    const best = this.position.done > 0 && (this.position.best === null || evaluation.score > this.position.best);
    if (best) this.position.best = evaluation.score;
    this.runFolder.metrics.append({ step, stage: stage.name, evaluation: true, ...evaluation.metrics });
    this.emit({ kind: 'evaluation', stage: stage.name, step: this.position.done, metrics: evaluation.metrics, best });
    return { ...evaluation, best };
  }

  private async save(stage: Stage, weights: DeviceWeights, best: boolean): Promise<void> {
    const { tensors, state } = await stage.save();
    const files = { weights: weights.entries(this.position.changed), optimiser: tensors };
    const step = this.position.before + this.position.done;
    await this.runFolder.saveCheckpoint(
      step,
      { files, state: { ...this.position, stage: state } },
      { keep: keptCheckpoints, best },
    );
    this.emit({ kind: 'checkpoint', step, stage: stage.name });
  }
}

async function restoreWeights(checkpoint: Checkpoint, weights: DeviceWeights): Promise<void> {
  using file = checkpoint.open('weights');
  for (const name of file.names) {
    if (!weights.has(name)) throw trainErrors.checkpointMismatch(name);
    await weights.write(name, file.readFloat32(name));
  }
}
