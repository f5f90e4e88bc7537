/** A worker: the model of a run in memory, the weights that it was sent, and the shards that it has rolled out. */
import { cpus, hostname } from 'node:os';
import { Devices } from '../device/devices.ts';
import { ColaError } from '../errors.ts';
import { MeasureWork } from '../evaluate/measuring.ts';
import { toWire } from '../protocol/errors.ts';
import { parseSpec, resolvePath } from '../spec/document.ts';
import { type RunSpec, threadsOf } from '../spec/schema.ts';
import { DeviceWeights } from '../train/optimizer/weights.ts';
import { changedParts, originOf } from '../train/run/origin.ts';
import { stageSeed } from '../train/run/seed.ts';
import { TrainingModel } from '../train/run/training-model.ts';
import { ShardSums } from '../train/shards/own-shards.ts';
import type { ShardWork } from '../train/shards/shards.ts';
import type { StageContext } from '../train/stage.ts';
import { kindOf } from '../train/stages/index.ts';
import { clusterErrors } from './errors.ts';
import { type Frame, Outgoing } from './frames.ts';
import { type Hello, type Request, request } from './messages.ts';
import { identityOf } from './program.ts';

type Open = Extract<Request, { kind: 'open' }>;

interface Opened {
  readonly work: ShardWork;
  readonly sums: ShardSums;
  /** Weights that change. */
  write(name: string, values: Float32Array): Promise<void>;
  /** Ends the work and what is behind it. */
  close(): Promise<void>;
}

export class WorkerHost {
  private opened: Opened | undefined;

  /** @param signal ends what is under way */
  constructor(private readonly signal: AbortSignal) {}

  hello(): Outgoing {
    const cpu = cpus()[0]?.model ?? process.arch;
    const said: Hello = { kind: 'hello', ...identityOf(), host: hostname(), process: process.pid, cpu };
    return Outgoing.of(said);
  }

  /** Never fails: what goes wrong is the answer. The answer may lend memory until the next request. */
  async answer(frame: Frame): Promise<Outgoing> {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      const asked = request.parse(frame.head);
      switch (asked.kind) {
        case 'open':
          await this.open(asked, frame.floats);
          return Outgoing.of({ kind: 'done', seconds: seconds() });
        case 'measure':
          await this.measure(asked.plan);
          return Outgoing.of({ kind: 'done', seconds: seconds() });
        case 'policy': {
          const opened = this.need();
          for (const [i, name] of opened.work.sent.entries()) await opened.write(name, frame.floats[i]);
          return Outgoing.of({ kind: 'done', seconds: seconds() });
        }
        case 'begin': {
          const { round, shard, value: own } = asked;
          const input = { value: own, arrays: frame.floats };
          const value = await this.need().work.begin(round, shard, input, this.signal);
          return Outgoing.of({ kind: 'outcome', seconds: seconds(), value });
        }
        case 'sum': {
          const { round, part, items, kind } = asked;
          const { values, gradients } = await this.need().sums.of(round, part, items);
          return Outgoing.of({ kind, seconds: seconds(), values }, gradients);
        }
      }
    } catch (error) {
      return Outgoing.of({ kind: 'error', ...toWire(error) });
    }
  }

  private need(): Opened {
    if (this.opened === undefined) throw new Error('the worker was not told what it works for');
    return this.opened;
  }

  private async open(asked: Open, floats: readonly Float32Array[]): Promise<void> {
    await this.close();
    const { specFile, at, others, reference } = asked;
    const spec = specOf(asked);
    const device = await new Devices().take(spec.device, threadsOf(spec));
    const weights = new DeviceWeights(device.device);
    try {
      const model = await modelOf(spec, asked);
      const { base } = model;
      await model.begin(at, weights);
      for (const [i, name] of others.entries()) await weights.write(name, floats[i]);
      for (const map of [base.weights, model.cola?.weights]) if (map !== undefined) await weights.download(map, others);
      const context: StageContext = {
        device: base.on(device.device),
        base,
        cola: model.cola,
        weights,
        seed: stageSeed(spec.seed, at),
        resolve: (path) => resolvePath(path, specFile),
        // Nothing that a worker does reads data.
        cacheFolder: '',
        signal: this.signal,
        say: () => {},
      };
      const planned = spec.stages[at];
      const work = await kindOf(planned).hire?.(planned.settings, context, {
        count: asked.shards,
        detail: asked.detail,
        reference: new Map(reference.map((name, i) => [name, floats[others.length + i]])),
      });
      if (work === undefined) throw new Error(`nobody can be hired for ${planned.name}`);
      this.opened = {
        work,
        sums: new ShardSums(work),
        write: (name, values) => weights.write(name, values),
        async close() {
          await work.dispose();
          weights.dispose();
          await device.release();
        },
      };
    } catch (error) {
      weights.dispose();
      await device.release();
      throw error;
    }
  }

  private async measure(plan: unknown): Promise<void> {
    await this.close();
    const refuse = (changed: readonly string[]) => clusterErrors.model(here(), changed);
    const work = await MeasureWork.open(plan, this.signal, refuse);
    this.opened = { work, sums: new ShardSums(work), write: async () => {}, close: () => work.dispose() };
  }

  async close(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    await opened?.close();
  }
}

const here = () => `The worker on ${hostname()}`;

function specOf({ spec: text, specFile, at }: Open): RunSpec {
  const { spec, problems } = parseSpec(text, specFile);
  if (spec?.stages[at] === undefined)
    throw new Error(`the spec was refused: ${problems[0]?.message ?? 'no such stage'}`);
  return spec;
}

/** The model of a run, if it and the rest that the run is made from are here as they were there. */
async function modelOf(spec: RunSpec, { spec: text, specFile, origin }: Open): Promise<TrainingModel> {
  let model: TrainingModel;
  try {
    model = await TrainingModel.load(spec, specFile);
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
    throw clusterErrors.cannotBegin(here(), error.message, error.remedy);
  }
  const now = await originOf(text, spec, specFile, model.base, model.cola);
  const known = Object.fromEntries(Object.entries(origin).filter(([name]) => name in now || !name.startsWith('data/')));
  const changed = changedParts({ ...known, spec: now.spec }, now, spec, specFile);
  if (changed.length > 0) throw clusterErrors.model(here(), changed);
  return model;
}
