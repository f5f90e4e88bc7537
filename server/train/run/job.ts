/**
 * A run from its spec to a tuned model: one loop serves every stage. It saves a checkpoint now and then, at the end of
 * every stage and when it is stopped, keeps the best one by held-out score, and continues from the latest one exactly.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { passOnActions } from '../../cola/actions-file.ts';
import type { ColaModel } from '../../cola/model.ts';
import type { Device } from '../../device/device.ts';
import { Devices } from '../../device/devices.ts';
import { ColaError } from '../../errors.ts';
import { removeFolder } from '../../files/atomic.ts';
import { limitBehind } from '../../files/limits.ts';
import type { LanguageModel, WeightMap } from '../../model/language-model.ts';
import type { WeightShelf } from '../../model/weights/shelf.ts';
import { EngineClosing } from '../../schedule/closing.ts';
import { readSpec, rebaseSpec, resolveModel, resolvePath, stringifySpec } from '../../spec/document.ts';
import { type RunSpec, type StageSpec, threadsOf } from '../../spec/schema.ts';
import type { ClusterSettings } from '../../spec/settings/cluster.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import type { Position } from '../../store/position.ts';
import { Run, runFolder } from '../../store/run.ts';
import { logText } from '../../store/run-log.ts';
import { trainErrors } from '../errors.ts';
import { DeviceWeights } from '../optimizer/weights.ts';
import type { OpenShards, Sharding } from '../shards/shards.ts';
import type { Metrics, StageContext } from '../stage.ts';
import { createStage, kindOf } from '../stages/index.ts';
import { forgetStates, statesFolder } from '../states/kept-states.ts';
import { noteEvent, type TrainEvent } from './events.ts';
import { FrozenData, frozenFolder } from './frozen.ts';
import type { Hire } from './hiring.ts';
import { KeptData, type Origin, originOf } from './origin.ts';
import { ratedSpec } from './rated.ts';
import { confirmOrigin, confirmSpec, type ResumeChoice, refusePosition, wholeCheckpoint } from './resume.ts';
import { alreadySaved, saveModelFolder } from './saved-model.ts';
import { stageSeed } from './seed.ts';
import { runStage } from './stage-loop.ts';
import { restoreWeights, TrainingModel } from './training-model.ts';

/** Takes the measures that the run's spec asks for, of the model that came out of it. */
export type ClosingMeasurement = (
  run: { readonly id: string; readonly path: string },
  device: Device,
  options: { readonly signal: AbortSignal; readonly cacheFolder: string; readonly say: (text: string) => void },
) => Promise<void>;

interface CommonOptions {
  /** Folder whose `.cola/runs` holds the run. */
  readonly root: string;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
  /** Awaited between runs of the device: the run stands still for as long as it takes. */
  readonly turn?: () => Promise<void>;
  /** Seconds that a run of the device should take at most; see {@link StageContext.longestRun}. */
  readonly longestRun?: () => number;
  /** What measures the model at the end, if the spec asks for measures. */
  readonly measure: ClosingMeasurement;
  /** Where what is read for training is kept; `.cola/cache` of the root, if not given. */
  readonly cacheFolder?: string;
  /** Of each stage no more than so many steps, measured once before them; nothing is saved. */
  readonly trialSteps?: number;
  /** Where models of the same folder share the weights that they do not train. */
  readonly shelf?: WeightShelf | undefined;
  /** Hires the workers of a spec that has some. */
  readonly hire?: Hire | undefined;
  /** Takes the place of what the spec says of them; no result depends on it. */
  readonly cluster?: Partial<Pick<ClusterSettings, 'engine' | 'workers'>> | undefined;
  /** Where the device is taken from; one of its own, if not given. */
  readonly devices?: Devices | undefined;
}

/** A new run: a spec, and the file it came from, to whose folder its paths are relative. */
export type StartOptions = CommonOptions & { readonly spec: RunSpec; readonly specFile: string };

/** A run that is there. */
export type ResumeOptions = CommonOptions & ResumeChoice;

/**
 * Runs a spec. A run that fails before its first step leaves nothing behind.
 *
 * @returns the run's folder and the folder of the tuned model in it
 * @throws train.stopped when the signal stops it, after a checkpoint has been saved; store.runExists; whatever the stages throw
 */
export async function startRun(options: StartOptions): Promise<{ runPath: string; model: string }> {
  const { specFile, root, runId } = options;
  const spec = await ratedSpec(options.spec, specFile);
  const frozen = join(runFolder(root, runId), 'spec.yaml');
  const run = await Run.create(root, runId, stringifySpec(rebaseSpec(spec, specFile, frozen)));
  let begun = false;
  const onEvent = (event: TrainEvent) => {
    begun ||= event.kind === 'step';
    options.onEvent?.(event);
  };
  try {
    return await carryOut(run, { ...options, onEvent });
  } catch (error) {
    // There is nothing to continue, and the name would be taken. What happened is known from memory: files may be lost.
    if (!begun && !isStop(error)) await removeFolder(run.path).catch(() => undefined);
    throw error;
  }
}

const isStop = (error: unknown) => error instanceof ColaError && error.id === 'train.stopped';

/**
 * Continues a run from its latest checkpoint or a chosen one, with the spec it was started with. Returns and throws as
 * {@link startRun}.
 *
 * @throws store.damaged, train.changed where the run is not what was saved; see resume.ts
 */
export async function resumeRun(options: ResumeOptions): Promise<{ runPath: string; model: string }> {
  return carryOut(await Run.open(runFolder(options.root, options.runId)), options);
}

async function carryOut(run: Run, options: ResumeOptions): Promise<{ runPath: string; model: string }> {
  try {
    await confirmSpec(run, options);
    const specFile = join(run.path, 'spec.yaml');
    const job = new Job(run, { ...options, spec: readSpec(specFile), specFile });
    return { runPath: run.path, model: await job.train() };
  } catch (error) {
    const { signal } = options;
    const stopped = signal.aborted && error === signal.reason;
    const end = stopped
      ? trainErrors.stopped(run.id, run.latestCheckpoint()?.step ?? 0)
      : (limitBehind(error) ?? error);
    const said = end instanceof ColaError ? `${end.message} ${end.remedy}` : String(end);
    const how = signal.reason instanceof EngineClosing ? 'interrupted' : 'stopped';
    tryToLog(run, logText(stopped ? how : 'failed', said));
    throw end;
  } finally {
    run.close();
  }
}

/** The disk may be full, or the folder gone: what ended the run is told all the same. */
function tryToLog(run: Run, text: string): void {
  try {
    run.log(text);
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
  }
}

const measuredLine = z.looseObject({ step: z.number(), evaluation: z.boolean().optional() });

class Job {
  private position: Position = { at: 0, done: 0, before: 0, best: null, unmeasured: false, changed: [] };
  /** What the run is made from; goes into every checkpoint. */
  private origin: Origin = {};
  private readonly keptData: KeptData;

  constructor(
    private readonly run: Run,
    private readonly options: StartOptions & ResumeChoice,
  ) {
    this.keptData = new KeptData(run.path);
  }

  private get cacheFolder(): string {
    return this.options.cacheFolder ?? join(this.options.root, '.cola', 'cache');
  }

  private emit(event: TrainEvent): void {
    noteEvent(this.run, event);
    this.options.onEvent?.(event);
  }

  /** @returns the folder of the tuned model */
  async train(): Promise<string> {
    const { spec } = this.options;
    const whole = spec.stages.find((planned) => kindOf(planned).hire === undefined);
    if (spec.cluster !== undefined && whole !== undefined)
      throw trainErrors.notInShards(whole.name, kindOf(whole).whole);
    const { devices = new Devices() } = this.options;
    const taken = await devices.take(spec.device, threadsOf(spec));
    const { device: opened, attempts } = taken;
    const weights = new DeviceWeights(opened);
    try {
      const { specFile, shelf } = this.options;
      const tell = (text: string) => this.emit({ kind: 'message', text });
      const model = await TrainingModel.load(spec, specFile, { shelf, say: tell });
      const { base } = model;
      const device = base.on(opened);
      // Nobody hears that the run goes on before it is known that it can.
      const checkpoint = await this.enter(base, model.cola);
      this.emit({ kind: 'device', device: device.name, attempts });
      await model.begin(this.position.at, weights);
      if (checkpoint !== null) await restoreWeights(checkpoint, weights);
      for (let at = this.position.at; at < spec.stages.length; at++) {
        await model.prepare(spec.stages[at], weights);
        await this.stage(at, device, base, model.cola, weights, checkpoint);
      }
      if (this.options.trialSteps !== undefined) return this.run.path;
      const last = this.run.latestCheckpoint();
      const { cola } = model;
      const folder = await this.saveModel('model', last, base, cola, weights);
      const best = this.run.bestCheckpoint();
      if (best !== null && best.step !== last?.step) await this.saveBest(best, base, cola, weights);
      if (spec.evaluate.length > 0) {
        const { signal, measure } = this.options;
        const say = (text: string) => this.emit({ kind: 'message', text });
        await measure(this.run, opened, { signal, cacheFolder: this.cacheFolder, say });
      }
      await forgetStates(this.run.path);
      this.emit({ kind: 'done', model: folder });
      return folder;
    } finally {
      weights.dispose();
      await taken.release();
    }
  }

  /** Finds the checkpoint to go on from, if there is one, and takes its position; the logs end where it was saved. */
  private async enter(base: LanguageModel, cola: ColaModel | undefined): Promise<Checkpoint | null> {
    const { run, options } = this;
    const { spec, specFile, from } = options;
    const say = (text: string) => this.emit({ kind: 'message', text });
    this.origin = await originOf(run.spec, spec, specFile, base, cola);
    const whole = await wholeCheckpoint(run, options, say);
    if (whole !== null) {
      const now = { ...this.origin, ...(await this.keptData.origin()) };
      await confirmOrigin(run, whole, now, options, options, say);
      if (whole.position.at >= spec.stages.length)
        await refusePosition(run, whole.checkpoint, 'state.json is of a stage that the spec does not have');
      this.position = whole.position;
    }
    if (from !== undefined) {
      await run.rewind(from);
      // A later stage may have kept those of a base that has learned since.
      await forgetStates(this.run.path);
    } else await run.truncateMetricsAfter(whole?.checkpoint.step ?? -1);
    await run.logTo(spec.log);
    return whole?.checkpoint ?? null;
  }

  /** Writes the whole model as it is now into a folder of the run, unless what is there was made from the same checkpoint. */
  private async saveModel(
    name: string,
    checkpoint: Checkpoint | null,
    base: LanguageModel,
    cola: ColaModel | undefined,
    weights: DeviceWeights,
  ): Promise<string> {
    const folder = join(this.run.path, name);
    if (await alreadySaved(folder, checkpoint)) return folder;
    await weights.download(base.weights, base.weights.keys());
    if (cola !== undefined) await weights.download(cola.weights, cola.weights.keys());
    // Where the codes were learned anew, what the old ones did says nothing of them.
    const { model, stages } = this.options.spec;
    const last = stages[stages.length - 1];
    const { result } = kindOf(last);
    const known =
      typeof model === 'string' &&
      cola !== undefined &&
      result === undefined &&
      !stages.some(({ name }) => name === 'control');
    const passOn = async (to: string) => {
      if (known) await passOnActions(resolveModel(model, this.options.specFile), to, cola.config.numCodes);
    };
    const made =
      result?.(base, await this.withExtras(last, base, cola, weights), this.measuredAt(checkpoint)) ?? cola ?? base;
    await saveModelFolder(folder, made, checkpoint, passOn);
    return folder;
  }

  /** What was measured at a checkpoint. */
  private measuredAt(checkpoint: Checkpoint | null): Metrics | undefined {
    const lines = this.run.readMetrics(measuredLine);
    return lines.findLast(({ step, evaluation }) => evaluation === true && step === checkpoint?.step) as
      | Metrics
      | undefined;
  }

  /** The weights of the base and what a stage has beside them. */
  private async withExtras(
    stage: StageSpec,
    base: LanguageModel,
    cola: ColaModel | undefined,
    weights: DeviceWeights,
  ): Promise<WeightMap> {
    const extras = kindOf(stage).extras?.(stage.settings, { config: base.config, cola: cola?.config }) ?? [];
    const read = extras.map(async ({ name }) => [name, await weights.read(name)] as const);
    return new Map([...base.weights, ...(await Promise.all(read))]);
  }

  private async saveBest(
    best: Checkpoint,
    base: LanguageModel,
    cola: ColaModel | undefined,
    weights: DeviceWeights,
  ): Promise<void> {
    const damage = await best.damage();
    if (damage.length > 0) {
      const text = `The best checkpoint, of step ${best.step}, is not what was saved (${damage.join(', ')}): no model was made of it.`;
      this.emit({ kind: 'message', text });
      return;
    }
    await restoreWeights(best, weights);
    await this.saveModel('best', best, base, cola, weights);
  }

  /** How the rounds of a stage are computed. */
  private sharding(at: number, weights: DeviceWeights, say: (text: string) => void): Sharding | undefined {
    const { spec, specFile, cluster: chosen = {}, hire } = this.options;
    if (spec.cluster === undefined) {
      if (Object.keys(chosen).length > 0) throw trainErrors.onePiece(this.run.id);
      return undefined;
    }
    const settings = { ...spec.cluster, ...chosen };
    const { shards: count, engine } = settings;
    if (engine === 'here') return { count, open: undefined };
    if (hire === undefined) throw new Error('nobody is there who hires workers');
    const open: OpenShards = (work) => {
      const { learned, sent = learned } = work;
      const others = () => this.position.changed.filter((name) => !sent.includes(name));
      const { origin } = this;
      return hire({ spec, specFile, at, settings, weights, work, others, origin, say });
    };
    return { count, open };
  }

  private async stage(
    at: number,
    device: Device,
    base: LanguageModel,
    cola: ColaModel | undefined,
    weights: DeviceWeights,
    checkpoint: Checkpoint | null,
  ): Promise<void> {
    const { spec, specFile, signal, turn, longestRun, trialSteps } = this.options;
    const planned = spec.stages[at];
    const frozen = new FrozenData(join(this.run.path, frozenFolder));
    const say = (text: string) => this.emit({ kind: 'message', text });
    const context: StageContext = {
      device,
      base,
      cola,
      weights,
      seed: stageSeed(spec.seed, at),
      resolve: (path) => resolvePath(path, specFile),
      cacheFolder: this.cacheFolder,
      frozen,
      states: { folder: join(this.run.path, statesFolder), origin: JSON.stringify(this.origin) },
      sharding: this.sharding(at, weights, say),
      signal,
      ...(turn === undefined ? {} : { turn }),
      ...(longestRun === undefined ? {} : { longestRun }),
      say,
    };
    // Stages compile the weights that they do not train into programs, from host memory.
    for (const map of [base.weights, cola?.weights]) {
      if (map !== undefined) await weights.download(map, this.position.changed);
    }
    const stage = await createStage(planned, context);
    const others = base.shared.among(stage.trained) ?? cola?.shared.among(stage.trained);
    if (others !== undefined)
      throw new Error(`the stage ${stage.name} trains ${others}, which it does not say it learns`);
    try {
      if (checkpoint !== null && this.position.at === at && this.position.done > stage.steps)
        await refusePosition(this.run, checkpoint, 'state.json is of a step that the stage does not have');
      await frozen.commit();
      if (checkpoint !== null && this.position.at === at && this.position.done > 0) await stage.restore(checkpoint);
      else this.position = { ...this.position, at, done: 0, best: null, unmeasured: false };
      const learned = new Set(stage.trained);
      if (base.tensors.some(({ name }) => learned.has(name))) await forgetStates(this.run.path);
      const changed = new Set([...this.position.changed, ...learned]);
      this.position.changed = [...changed].sort();
      const { length: count } = spec.stages;
      const { done: from, before } = this.position;
      const { steps, evaluateEvery } = stage;
      this.emit({ kind: 'stage', index: at, count, name: stage.name, steps, from, before, evaluateEvery });
      await runStage({
        run: this.run,
        stage,
        weights,
        position: this.position,
        signal,
        turn,
        trialSteps,
        emit: (event) => this.emit(event),
        origin: async () => ({ ...this.origin, ...(await this.keptData.origin()) }),
      });
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
}
