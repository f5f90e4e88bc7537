/** A few steps of every stage of a spec, to see how long they take on this machine. Nothing of it stays. */
import { join } from 'node:path';
import type { Devices } from '../../device/devices.ts';
import { removeFolder } from '../../files/atomic.ts';
import { makeFolder, namesIn } from '../../files/place.ts';
import type { WeightShelf } from '../../model/weights/shelf.ts';
import type { RunSpec } from '../../spec/schema.ts';
import type { TrainEvent } from './events.ts';
import { type ClosingMeasurement, startRun } from './job.ts';
import type { StageTiming } from './time-estimate.ts';

/** Steps of each stage; the first of them compiles its programs, and says little. */
const trialSteps = 2;
const folderName = /^trial-(\d+)$/;

export interface TrialOptions {
  readonly root: string;
  readonly spec: RunSpec;
  readonly specFile: string;
  readonly signal: AbortSignal;
  readonly turn?: () => Promise<void>;
  readonly shelf?: WeightShelf;
  readonly devices?: Devices;
}

const nothing: ClosingMeasurement = async () => {};

/** What the events of a trial say about the time of its stages. */
export class TrialTimes {
  private readonly stages: { name: string; steps: number; every: number; taken: number[]; evaluation: number }[] = [];

  note(event: TrainEvent): void {
    const stage = this.stages.at(-1);
    if (event.kind === 'stage')
      this.stages.push({ name: event.name, steps: event.steps, every: event.evaluateEvery, taken: [], evaluation: 0 });
    else if (event.kind === 'step') stage?.taken.push(event.seconds);
    else if (event.kind === 'evaluation' && stage !== undefined) stage.evaluation = event.seconds;
  }

  /** Of a step, the fastest behind the first one, which compiles its programs. */
  get timings(): StageTiming[] {
    return this.stages.map(({ taken, every, ...stage }) => ({
      ...stage,
      evaluateEvery: every,
      step: Math.min(...(taken.length > 1 ? taken.slice(1) : taken)),
    }));
  }
}

/**
 * Takes the first steps of every stage, each measured once or in part, in a folder of the project's cache that is removed again. What
 * was read and cut into tokens for it is kept for the run.
 *
 * @throws what a run of the spec would end with; the signal's reason
 */
export async function tryOut({ root, ...options }: TrialOptions): Promise<StageTiming[]> {
  const cache = join(root, '.cola', 'cache');
  const folder = join(cache, `trial-${process.pid}`);
  await sweep(cache);
  makeFolder(folder);
  const times = new TrialTimes();
  try {
    await startRun({
      ...options,
      root: folder,
      runId: 'trial',
      cacheFolder: cache,
      trialSteps,
      measure: nothing,
      // What a worker takes is not known before there are any: a trial computes all itself.
      cluster: options.spec.cluster === undefined ? {} : { engine: 'here' },
      onEvent: (event) => times.note(event),
    }).catch((error: unknown) => {
      // A trial that was stopped left nothing that could be gone on with.
      throw options.signal.aborted ? options.signal.reason : error;
    });
  } finally {
    await removeFolder(folder).catch(() => undefined);
  }
  return times.timings;
}

/** Removes what trials of processes that were killed have left. */
async function sweep(cache: string): Promise<void> {
  for (const name of namesIn(cache) ?? []) {
    const pid = folderName.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await removeFolder(join(cache, name)).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
