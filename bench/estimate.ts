/** How long a run is said to take, from its first steps and from a run of the same sizes, beside what it took. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSpec } from '../server/spec/document.ts';
import { startRun } from '../server/train/run/job.ts';
import { estimateTime, type TimeEstimate, timingsOfRuns } from '../server/train/run/time-estimate.ts';
import { tryOut } from '../server/train/run/trial.ts';
import type { Bench, Measure } from './measure.ts';

const steps = 24;
const task = '{ task: countdown, format: compact }';
const packed = `{ data: ${task}, steps: ${steps}, batch: 4, length: 64, evaluate_every: 12 }`;
const rollouts = `{ prompts: ${task}, reward: { countdown: { form: compact } }, steps: ${steps}, batch: 4, group: 4, max_new: 12, evaluate_rows: 4, evaluate_samples: 1, evaluate_every: 12 }`;

export const estimateBench: Bench = {
  name: 'estimate',
  about: 'what is said of the time of a run, from a trial and from an earlier run, beside what it took',
  async run(device): Promise<Measure[]> {
    const root = mkdtempSync(join(tmpdir(), 'cola-bench-'));
    try {
      const specFile = join(root, 'all.cola.yaml');
      const stages = [`control: ${packed}`, `clone: ${packed}`, `reinforce: ${rollouts}`];
      const lines = stages.map((stage) => `  - ${stage}\n`).join('');
      writeFileSync(specFile, `model: builtin:nano\ndevice: ${device}\nstages:\n${lines}`);
      const spec = readSpec(specFile);
      const signal = new AbortController().signal;
      const trial = await tryOut({ root, spec, specFile, signal });
      const spent = new Map<string, number>();
      await startRun({
        root,
        runId: 'all',
        spec,
        specFile,
        signal,
        measure: async () => {},
        onEvent(event) {
          if (event.kind === 'step' || event.kind === 'evaluation')
            spent.set(event.stage, (spent.get(event.stage) ?? 0) + event.seconds);
        },
      });
      const measures = (from: string, { stages: estimated }: TimeEstimate): Measure[] =>
        estimated.map(({ name, low, high }) => {
          // What is shown is a span; its middle is what was reckoned.
          const value = Math.sqrt(low * high);
          const took = spent.get(name) ?? 0;
          return {
            name: `time of ${name}, ${steps} steps, from ${from}`,
            value,
            unit: 's',
            against: `it took ${took.toFixed(1)} s`,
            ratio: value / took,
          };
        });
      const earlier = timingsOfRuns(root, spec, specFile);
      return [
        ...measures('a trial', estimateTime(trial, 'trial')),
        ...(earlier === undefined ? [] : measures('a run of the same sizes', estimateTime(earlier, 'runs'))),
      ];
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
};
