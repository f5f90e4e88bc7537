/** How long runs of specs are going to take. What a trial found is known until its spec is changed or the engine ends. */
import type { Devices } from '../device/devices.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { ParamsOf, ResultOf } from '../protocol/channel/request.ts';
import type { timeSpec } from '../protocol/runs.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import { inTurns } from '../schedule/turns.ts';
import { readSpec } from '../spec/document.ts';
import type { RunSpec } from '../spec/schema.ts';
import { needMemory } from '../train/run/needs.ts';
import { estimateTime, type StageTiming, timingsOfRuns } from '../train/run/time-estimate.ts';
import { tryOut } from '../train/run/trial.ts';

/** Seconds that a trial may take: a run of which the first steps take longer is no matter of minutes. */
const patience = 180;

export class TimeKeeper {
  private readonly trials = new Map<string, StageTiming[]>();
  private under = new AbortController();

  constructor(
    private readonly scheduler: Scheduler,
    private readonly shelf: WeightShelf,
    private readonly devices: Devices,
  ) {}

  /** Ends the trials that are under way: somebody runs something, and is not to wait for them. */
  giveWay(): void {
    this.under.abort(new DOMException('A run has begun.', 'AbortError'));
    this.under = new AbortController();
  }

  /** @throws spec.*, train.tooLarge, and what the trial ends with */
  async time(
    { root, specFile, trial }: ParamsOf<typeof timeSpec>,
    signal: AbortSignal,
  ): Promise<ResultOf<typeof timeSpec>> {
    const spec = readSpec(specFile);
    const earlier = timingsOfRuns(root, spec, specFile);
    if (earlier !== undefined) return { time: copy(estimateTime(earlier, 'runs')) };
    const key = JSON.stringify([specFile, spec]);
    let known = this.trials.get(key);
    if (known === undefined && trial) {
      known = await this.tryOut(root, spec, specFile, signal);
      if (known !== undefined) this.trials.set(key, known);
    }
    return { time: known === undefined ? null : copy(estimateTime(known, 'trial')) };
  }

  /** Undefined where it took too long. */
  private async tryOut(
    root: string,
    spec: RunSpec,
    specFile: string,
    signal: AbortSignal,
  ): Promise<StageTiming[] | undefined> {
    await needMemory(spec, specFile);
    const late = AbortSignal.timeout(1000 * patience);
    const ended = AbortSignal.any([signal, late, this.under.signal]);
    const { shelf, devices } = this;
    const handle = this.scheduler.submit('train', (own) =>
      inTurns((turn) => tryOut({ root, spec, specFile, signal: AbortSignal.any([own, ended]), turn, shelf, devices })),
    );
    const cancel = () => handle.cancel(ended.reason);
    ended.addEventListener('abort', cancel, { once: true });
    try {
      return await handle.done;
    } catch (error) {
      if (late.aborted && !signal.aborted) return undefined;
      throw error;
    } finally {
      ended.removeEventListener('abort', cancel);
    }
  }
}

/** As it travels. */
const copy = ({ stages, ...rest }: ReturnType<typeof estimateTime>) => ({ ...rest, stages: [...stages] });
