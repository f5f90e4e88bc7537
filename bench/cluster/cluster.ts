/** Rounds of reinforcement in shards: by one process, by one worker and by two, of one core each, and what a simulation needs of them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Carrier } from '../../server/cluster/carrier.ts';
import { Crew } from '../../server/cluster/crew.ts';
import { stageWork } from '../../server/cluster/employment.ts';
import { LocalCarrier } from '../../server/cluster/local.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { closingMeasurement } from '../../server/evaluate/closing.ts';
import { size } from '../../server/graph/tensor.ts';
import { resolveModel } from '../../server/spec/paths.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { startRun } from '../../server/train/run/job.ts';
import type { Metrics } from '../../server/train/stage.ts';
import { type Bench, type Measure, median } from '../measure.ts';
import type { Calibration } from './sizes.ts';

const settings = { shards: 8, minibatches: 2, batch: 16, group: 8 } as const;
/** The first of them, which loads and compiles, does not count. */
const steps = 5;

interface Arm {
  readonly name: string;
  readonly workers: number;
}
const arms: readonly Arm[] = [
  { name: 'one process', workers: 0 },
  { name: 'one worker', workers: 1 },
  { name: 'two workers', workers: 2 },
];

interface Step {
  readonly seconds: number;
  /** Of the processors, for the run and for its workers. */
  readonly own: number;
  readonly theirs: number;
  readonly metrics: Metrics;
}

type Timed = Omit<Calibration, 'base' | 'hidden'>;

/** What a worker computed of one shard. */
interface Computed {
  readonly kind: string;
  readonly seconds: number;
  readonly bytes: number;
}

const ownSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Of a process of Linux, in seconds; 0 where there is no such file. */
function secondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    // Ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

class Watched {
  readonly processes = new Set<number>();
  computed: Computed[] = [];

  around(inner: Carrier): Carrier {
    return {
      identity: inner.identity,
      start: async (worker) => {
        const link = await inner.start(worker);
        this.processes.add(link.hello.process);
        const call: typeof link.call = async (message, mostFloats) => {
          const frame = await link.call(message, mostFloats);
          const { kind, seconds } = frame.head as unknown as Computed;
          const bytes = kind === 'outcome' ? JSON.stringify(frame.head).length : 4 * sum(frame.floats, (f) => f.length);
          this.computed.push({ kind, seconds, bytes });
          return frame;
        };
        return { hello: link.hello, call, end: () => link.end() };
      },
      close: () => inner.close(),
    };
  }

  get seconds(): number {
    return sum([...this.processes], secondsOf);
  }
}

const sum = <T>(list: readonly T[], of: (one: T) => number) => list.reduce((n, one) => n + of(one), 0);
const mean = (values: readonly number[]) => sum(values, (x) => x) / Math.max(1, values.length);

async function run({ workers }: Arm): Promise<{ steps: Step[]; computed: Computed[] }> {
  const root = mkdtempSync(join(tmpdir(), 'cola-cluster-'));
  const watched = new Watched();
  const taken: Step[] = [];
  const spec = {
    model: 'builtin:nano',
    device: 'cpu',
    threads: 1,
    seed: 7,
    stages: [
      {
        reinforce: {
          prompts: { task: 'countdown', format: 'compact', numbers: [1, 25] },
          reward: { countdown: { form: 'compact' } },
          ...{ batch: settings.batch, group: settings.group, minibatches: settings.minibatches },
          ...{ steps, max_new: 16, learning_rate: 1e-4, evaluate_rows: 1, evaluate_every: 100, checkpoint_every: 100 },
        },
      },
    ],
    cluster: { engine: workers === 0 ? 'here' : 'local', shards: settings.shards, ...(workers > 0 ? { workers } : {}) },
  };
  let before = { own: 0, theirs: 0 };
  try {
    await startRun({
      root,
      runId: 'run',
      signal: new AbortController().signal,
      measure: closingMeasurement,
      spec: toRunSpec(runSpec.parse(spec)),
      specFile: join(root, 'x.cola.yaml'),
      hire: (options) => new Crew(watched.around(new LocalCarrier()), stageWork(options)),
      onEvent: (event) => {
        if (event.kind !== 'step') return;
        const now = { own: ownSeconds(), theirs: watched.seconds };
        const { seconds, metrics } = event;
        taken.push({ seconds, own: now.own - before.own, theirs: now.theirs - before.theirs, metrics });
        if (taken.length === 1) watched.computed = [];
        before = now;
      },
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return { steps: taken.slice(1), computed: watched.computed };
}

/** What the simulation of larger ones begins with, from a run with one worker. */
function calibrationOf(taken: readonly Step[], computed: readonly Computed[]): Timed {
  const of = (kind: string) => computed.filter((one) => one.kind === kind);
  const rollouts = of('outcome').map(({ seconds }) => seconds);
  const gradients = of('sum');
  const tokens = mean(taken.map(({ metrics }) => Number(metrics.answer_tokens))) * settings.batch * settings.group;
  const varied = Math.sqrt(mean(rollouts.map((x) => (x - mean(rollouts)) ** 2)));
  const [bytes] = gradients.map((one) => one.bytes);
  // By the processors, where there are figures of them: on a busy machine the clock says more of others.
  const theirs = sum(taken, (step) => step.theirs);
  const scale = theirs === 0 ? 1 : Math.min(1, theirs / sum(computed, (one) => one.seconds));
  const added = sum(gradients, (one) => one.bytes);
  return {
    rollout: (scale * sum(rollouts, (x) => x)) / taken.length / tokens,
    gradient: (scale * sum(gradients, ({ seconds }) => seconds)) / taken.length / tokens,
    spread: varied / mean(rollouts),
    outcome: mean(of('outcome').map((one) => one.bytes)) / (tokens / settings.shards),
    secondsPerByte: sum(taken, ({ own }) => own) / added,
    policy: bytes / 4,
  };
}

const digits = (x: number) => Number(x.toPrecision(3));

export const clusterBench: Bench = {
  name: 'cluster',
  about: `rounds of reinforcement in ${settings.shards} shards, by one process and by workers of this machine`,
  async run(): Promise<Measure[]> {
    const found: (Arm & { steps: Step[] })[] = [];
    let timed: Timed | undefined;
    for (const arm of arms) {
      const { steps: taken, computed } = await run(arm);
      found.push({ ...arm, steps: taken });
      if (arm.workers === 1) timed = calibrationOf(taken, computed);
    }
    const { COLA_CALIBRATION: file } = process.env;
    if (file !== undefined && timed !== undefined) {
      const { base } = await ColaModel.load(resolveModel('builtin:nano', ''));
      const parameters = sum(base.tensors, ({ shape }) => size(shape));
      const calibration: Calibration = { ...timed, base: parameters, hidden: base.config.hiddenSize };
      const rows = found.map(({ name, steps: taken }) => ({
        name,
        seconds: digits(median(taken.map(({ seconds }) => seconds))),
        own: digits(median(taken.map(({ own }) => own))),
        theirs: digits(median(taken.map(({ theirs }) => theirs))),
      }));
      writeFileSync(file, JSON.stringify({ rows, calibration }, null, 2));
    }
    const [alone] = found;
    const lines = (what: string, of: (step: Step) => number) =>
      found.map(({ name, steps: taken }) => {
        const value = median(taken.map(of));
        const against = median(alone.steps.map(of));
        return {
          name: `${what}, ${name}`,
          value,
          unit: 's',
          against: `one process, ${digits(against)} s`,
          ratio: value / against,
        };
      });
    return [
      ...lines('a round', ({ seconds }) => seconds),
      ...lines('a round, CPU of all', ({ own, theirs }) => own + theirs),
      ...lines('a round, CPU of the learner', ({ own }) => own),
    ];
  },
};
