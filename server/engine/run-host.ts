/** The training runs of the engine, each a job on the lane `train`. */

import { hire } from '../cluster/hire.ts';
import { Devices } from '../device/devices.ts';
import { ColaError } from '../errors.ts';
import { closingMeasurement } from '../evaluate/closing.ts';
import { limitBehind } from '../files/limits.ts';
import { WeightShelf } from '../model/weights/shelf.ts';
import { toWire } from '../protocol/errors.ts';
import type { RunEvent, RunKey, WireTrainEvent } from '../protocol/runs.ts';
import type { JobHandle, Scheduler } from '../schedule/scheduler.ts';
import { inTurns, type Turn } from '../schedule/turns.ts';
import { readSpec } from '../spec/document.ts';
import type { RunSpec } from '../spec/schema.ts';
import { RunView, runFolder } from '../store/run.ts';
import type { TrainEvent } from '../train/run/events.ts';
import { resumeRun, startRun } from '../train/run/job.ts';
import { needMemory } from '../train/run/needs.ts';
import type { ResumeChoice } from '../train/run/resume.ts';
import { engineErrors } from './errors.ts';
import type { Patience } from './patience.ts';

interface Active {
  readonly key: RunKey;
  readonly handle: JobHandle<unknown>;
  /** Whether the run exists, so that whoever asked for it has the answer. */
  begun: boolean;
  paused: boolean;
}

type Work = (turn: Turn, signal: AbortSignal, onEvent: (event: TrainEvent) => void) => Promise<unknown>;

const folderOf = ({ root, run }: RunKey) => runFolder(root, run);
const stopped = (error: unknown) => error instanceof ColaError && error.id === 'train.stopped';

export class RunHost {
  private readonly active = new Map<string, Active>();

  constructor(
    private readonly scheduler: Scheduler,
    private readonly patience: Patience,
    private readonly tell: (event: RunEvent) => void,
    private readonly shelf: WeightShelf = new WeightShelf(),
    private readonly devices: Devices = new Devices(),
  ) {}

  /**
   * Starts a run, or one stage of its spec. Settles once the run exists.
   *
   * @param anyway although more memory is needed than is free
   * @throws train.tooLarge, engine.runActive, engine.noStage, spec.*, store.*, and whatever fails before the first step of it
   */
  async start(key: RunKey, specFile: string, stage: number | undefined, anyway = false): Promise<void> {
    const { root, run: runId } = key;
    const spec = stage === undefined ? readSpec(specFile) : stageOf(readSpec(specFile), stage);
    if (!anyway) await needMemory(spec, specFile);
    const measure = closingMeasurement;
    const { shelf, devices, longestRun } = this;
    await this.launch(key, (turn, signal, onEvent) =>
      startRun({ root, runId, spec, specFile, signal, turn, longestRun, onEvent, measure, hire, shelf, devices }),
    );
  }

  /**
   * Lets a paused run go on, or continues one from its latest checkpoint or the chosen one.
   *
   * @throws engine.runActive, store.*, train.changed
   */
  async resume(key: RunKey, choice: ResumeChoice): Promise<void> {
    const active = this.active.get(folderOf(key));
    if (active === undefined) {
      const { longestRun } = this;
      const { root, run: runId } = key;
      return this.launch(key, (turn, signal, onEvent) =>
        resumeRun({
          ...choice,
          root,
          runId,
          signal,
          turn,
          longestRun,
          onEvent,
          measure: closingMeasurement,
          hire,
          shelf: this.shelf,
          devices: this.devices,
        }),
      );
    }
    if (!active.paused || choice.from !== undefined) throw engineErrors.runActive(key.run);
    active.paused = false;
    if (!active.begun) return;
    active.handle.resume();
    this.state(key, { kind: 'state', state: 'running' });
  }

  /**
   * Lets a run stand; one that does not exist yet, as soon as it does: whoever asked for it would wait for the answer until then.
   *
   * @throws engine.runNotActive
   */
  pause(key: RunKey): void {
    const active = this.find(key);
    active.paused = true;
    if (active.begun) this.stand(active);
  }

  private stand({ key, handle }: Active): void {
    handle.pause();
    this.state(key, { kind: 'state', state: 'paused' });
  }

  /** Saves the run and ends it. @returns step of its latest checkpoint. @throws engine.runNotActive */
  async stop(key: RunKey): Promise<number | null> {
    const { handle } = this.find(key);
    handle.cancel(new DOMException('The run is stopped.', 'AbortError'));
    await handle.done.catch(() => {});
    try {
      return RunView.view(folderOf(key)).latestCheckpoint()?.step ?? null;
    } catch (error) {
      // Stopped before there was anything to save.
      if (error instanceof ColaError && error.id === 'store.noRun') return null;
      throw error;
    }
  }

  get underWay(): RunKey[] {
    return [...this.active.values()].map(({ key }) => key);
  }

  get count(): number {
    return this.active.size;
  }

  private readonly longestRun = () => this.patience.longestRun;

  private find(key: RunKey): Active {
    const active = this.active.get(folderOf(key));
    if (active === undefined) throw engineErrors.runNotActive(key.run);
    return active;
  }

  private launch(key: RunKey, work: Work): Promise<void> {
    const name = folderOf(key);
    if (this.active.has(name)) throw engineErrors.runActive(key.run);
    return new Promise((exists, refused) => {
      const onEvent = (event: TrainEvent) => {
        // The first event follows the making of the run.
        if (!active.begun) {
          active.begun = true;
          exists();
          this.state(key, { kind: 'state', state: 'running' });
          if (active.paused) this.stand(active);
        }
        this.tell({ ...key, event: toWireEvent(event) });
      };
      const handle = this.scheduler.submit('train', (signal) => inTurns((turn) => work(turn, signal, onEvent)));
      const active: Active = { key, handle, begun: false, paused: false };
      this.active.set(name, active);
      handle.done
        .then(
          () => this.state(key, { kind: 'state', state: 'done' }),
          (error: unknown) => {
            if (!active.begun) refused(error);
            else this.state(key, endOf(error));
          },
        )
        .finally(() => {
          this.active.delete(name);
          exists();
        });
    });
  }

  private state(key: RunKey, event: WireTrainEvent): void {
    this.tell({ ...key, event });
  }
}

function stageOf(spec: RunSpec, stage: number): RunSpec {
  const { [stage]: only, length } = spec.stages;
  if (only === undefined) throw engineErrors.noStage(stage, length);
  return { ...spec, stages: [only] };
}

function endOf(error: unknown): WireTrainEvent {
  const { message, remedy } = toWire(limitBehind(error) ?? error);
  return { kind: 'state', state: stopped(error) ? 'stopped' : 'failed', message, remedy };
}

/** JSON has no NaN and no infinity. */
const finite = (value: number) => (Number.isFinite(value) ? value : null);
const finiteAll = (values: Readonly<Record<string, number | readonly number[]>>) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? finite(value) : value.map(finite),
    ]),
  );

function toWireEvent(event: TrainEvent): WireTrainEvent {
  switch (event.kind) {
    case 'step':
    case 'evaluation':
      return { ...event, metrics: finiteAll(event.metrics) };
    case 'samples': {
      const samples = event.samples.map(({ parts, reward, actions, turns, ...rest }) => ({
        ...rest,
        actions: [...actions],
        ...(reward === undefined ? {} : { reward: finite(reward) }),
        ...(turns === undefined ? {} : { turns: turns.map((turn) => ({ ...turn, reward: finite(turn.reward) })) }),
        ...(parts === undefined
          ? {}
          : { parts: Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, finite(value)])) }),
      }));
      return { ...event, samples };
    }
    case 'device':
      return { ...event, attempts: [...event.attempts] };
    default:
      return event;
  }
}
