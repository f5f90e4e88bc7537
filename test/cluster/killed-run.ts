/**
 * A run with workers on a Ray cluster that loses what a list says, one after the other: the first argument is a JSON file. What it
 * killed is written to a file before it goes on, so that the same command goes on with the list after it has killed itself.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Carrier, Link } from '../../server/cluster/carrier.ts';
import { Crew } from '../../server/cluster/crew.ts';
import { stageWork } from '../../server/cluster/employment.ts';
import type { Outgoing } from '../../server/cluster/frames.ts';
import { RayCarrier } from '../../server/cluster/ray.ts';
import { closingMeasurement } from '../../server/evaluate/closing.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { runFolder } from '../../server/store/run.ts';
import type { HireOptions } from '../../server/train/run/hiring.ts';
import { resumeRun, startRun } from '../../server/train/run/job.ts';
import { kindOf } from '../support/workers.ts';
import { parentOf, python } from './ray-cluster.ts';

/** Node's process of a worker, the process of its actor, the actor by Ray, its node's raylet, or the run itself. */
export const victims = ['worker', 'actor', 'ray.kill', 'raylet', 'learner'] as const;
export const phases = ['begin', 'sum', 'policy'] as const;

export interface Kill {
  readonly what: (typeof victims)[number];
  readonly during: (typeof phases)[number];
}

export interface Job {
  readonly root: string;
  readonly id: string;
  readonly spec: unknown;
  /** Worker's program. */
  readonly program: string;
  readonly kills: readonly Kill[];
}

/** Requests between two kills at least. */
const apart = 4;

class Killer {
  private sent = 0;

  constructor(
    private readonly job: Job,
    private readonly file: string,
  ) {}

  around(inner: Carrier): Carrier {
    return {
      identity: inner.identity,
      start: async (worker) => {
        const link = await inner.start(worker);
        const call = (message: Outgoing, mostFloats: number) => {
          const answer = link.call(message, mostFloats);
          this.see(kindOf(message), worker, link);
          return answer;
        };
        return { hello: link.hello, call, end: () => link.end() };
      },
      close: () => inner.close(),
    };
  }

  private see(kind: string, worker: number, { hello: { process: pid } }: Link): void {
    const done = existsSync(this.file) ? Number(readFileSync(this.file, 'utf8')) : 0;
    const kill = this.job.kills[done];
    if (kill === undefined || ++this.sent < apart || kind !== kill.during) return;
    const actor = parentOf(pid);
    const raylet = parentOf(actor);
    this.sent = 0;
    writeFileSync(this.file, String(done + 1));
    process.stdout.write(`${kill.what} ${worker + 1}\n`);
    if (kill.what === 'ray.kill') return;
    process.kill({ worker: pid, actor, raylet, learner: process.pid }[kill.what], 'SIGKILL');
  }
}

const [, script, file] = process.argv;
if (script === import.meta.filename && file !== undefined) {
  const job = JSON.parse(readFileSync(file, 'utf8')) as Job;
  const { root, id } = job;
  const killer = new Killer(job, `${file}.done`);
  const common = {
    root,
    runId: id,
    signal: new AbortController().signal,
    measure: closingMeasurement,
    hire: (options: HireOptions) =>
      new Crew(killer.around(new RayCarrier(options.settings, python, job.program)), stageWork(options)),
  };
  if (existsSync(runFolder(root, id))) await resumeRun(common);
  else {
    const spec = toRunSpec(runSpec.parse(job.spec));
    await startRun({ ...common, spec, specFile: join(root, 'x.cola.yaml') });
  }
}
