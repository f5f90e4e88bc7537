/** How long a run is said to take. What it then takes is measured by `npm run bench -- estimate`, not here. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { timeText } from '../../../server/protocol/figures/time-text.ts';
import { stringifySpec } from '../../../server/spec/document.ts';
import { type RunSpec, runSpec, toRunSpec } from '../../../server/spec/schema.ts';
import { Run } from '../../../server/store/run.ts';
import { estimateTime, timingsOfRuns } from '../../../server/train/run/time-estimate.ts';
import { TrialTimes, tryOut } from '../../../server/train/run/trial.ts';
import { scratchFolder } from '../../store/scratch.ts';
import { tinyBase, writeData } from '../../support/runs.ts';

const pretrain = { data: 'text.jsonl', steps: 24, batch: 4, length: 16, evaluate_every: 12 };
const tokens = {
  prompts: 'rows.jsonl',
  reward: { similarity: {} },
  steps: 30,
  batch: 2,
  group: 2,
  max_new: 4,
  evaluate_rows: 2,
  evaluate_every: 7,
};
function specOf(stages: readonly object[]): RunSpec {
  return toRunSpec(runSpec.parse({ model: { ...tinyBase }, device: 'cpu', stages }));
}

describe('how long a run takes', function () {
  this.timeout(60_000);
  const scratch = scratchFolder();
  const specFile = () => scratch('all.cola.yaml');

  it('is steps and measurements together, between a half and twice that from a trial, closer from runs', () => {
    const timings = [
      // Measured before the first step, behind step 12, and behind the last one.
      { name: 'control', steps: 24, evaluateEvery: 12, step: 2, evaluation: 5 },
      // Measured before, behind 7, 14, 21 and 28, and behind 30.
      { name: 'reinforce', steps: 30, evaluateEvery: 7, step: 1, evaluation: 10 },
      // Never but before and behind.
      { name: 'clone', steps: 3, evaluateEvery: 100, step: 4, evaluation: 0.5 },
    ];
    const seconds = [63, 90, 13];
    for (const [source, spread] of [
      ['trial', 2],
      ['runs', 1.5],
    ] as const) {
      const { low, high, stages } = estimateTime(timings, source);
      assert.deepEqual(
        stages,
        timings.map(({ name }, i) => ({ name, low: seconds[i] / spread, high: seconds[i] * spread })),
      );
      assert.ok(Math.abs(low - 166 / spread) < 1e-9 && Math.abs(high - 166 * spread) < 1e-9);
    }
  });

  it('counts of a trial the fastest step behind the first, which compiles', () => {
    const times = new TrialTimes();
    const stage = (name: string, steps: number) =>
      times.note({ kind: 'stage', index: 0, count: 2, name, steps, from: 0, before: 0, evaluateEvery: 12 });
    const stepTook = (seconds: number) =>
      times.note({ kind: 'step', stage: '', step: 1, steps: 24, seconds, metrics: {} });
    stage('control', 24);
    times.note({ kind: 'evaluation', stage: '', step: 0, metrics: {}, best: false, seconds: 0.5 });
    for (const seconds of [9, 0.4, 0.3]) stepTook(seconds);
    stage('clone', 8);
    stepTook(7);
    assert.deepEqual(times.timings, [
      { name: 'control', steps: 24, evaluateEvery: 12, step: 0.3, evaluation: 0.5 },
      { name: 'clone', steps: 8, evaluateEvery: 12, step: 7, evaluation: 0 },
    ]);
  });

  it('is tried with every stage of the spec, and nothing of that stays', async () => {
    writeData(scratch());
    const spec = specOf([{ pretrain }, { tokens }]);
    const signal = new AbortController().signal;
    const trial = await tryOut({ root: scratch(), spec, specFile: specFile(), signal });
    assert.deepEqual(
      trial.map(({ name, steps, evaluateEvery }) => [name, steps, evaluateEvery]),
      [
        ['pretrain', 24, 12],
        ['tokens', 30, 7],
      ],
    );
    for (const { step, evaluation } of trial) assert.ok(Number.isFinite(step) && step > 0 && evaluation > 0);
    assert.ok(!existsSync(scratch('.cola/runs')), 'no run is left');
    const kept = readdirSync(scratch('.cola/cache'));
    assert.deepEqual(
      kept.filter((name) => name.startsWith('trial')),
      [],
    );
  });

  it('is known from runs of the same sizes', async () => {
    const spec = specOf([{ pretrain }, { tokens }]);
    assert.equal(timingsOfRuns(scratch(), spec, specFile()), undefined);
    const run = await Run.create(scratch(), 'earlier', stringifySpec(spec));
    const line = (stage: string, seconds: number, evaluation?: true) =>
      run.metrics.append({ step: 0, stage, seconds, ...(evaluation && { evaluation }) });
    line('pretrain', 7, true);
    for (const seconds of [1, 2, 3]) line('pretrain', seconds);
    line('pretrain', 9, true);
    for (const seconds of [4, 4]) line('tokens', seconds);
    const earlier = () => timingsOfRuns(scratch(), specOf([{ pretrain }, { tokens }]), specFile());
    assert.equal(earlier(), undefined, 'two steps say nothing');
    line('tokens', 4);
    run.close();
    assert.deepEqual(earlier(), [
      { name: 'pretrain', steps: 24, evaluateEvery: 12, step: 2, evaluation: 8 },
      { name: 'tokens', steps: 30, evaluateEvery: 7, step: 4, evaluation: 0 },
    ]);
    const known = (more: object) =>
      timingsOfRuns(scratch(), specOf([{ pretrain: { ...pretrain, ...more } }]), specFile())?.[0];
    assert.equal(known({ steps: 48 })?.steps, 48);
    assert.equal(known({ batch: 5 }), undefined, 'other sizes take another time');
    assert.equal(timingsOfRuns(scratch(), { ...spec, threads: 7 }, specFile()), undefined, 'and so do other threads');
  });

  it('is said in a unit that fits', () => {
    const texts = [
      [0.2, 0.9],
      [0.2, 3],
      [20, 80],
      [31, 125],
      [200, 790],
      [4000, 16_000],
      [100_000, 400_000],
    ].map(([low, high]) => timeText({ low, high }));
    assert.deepEqual(texts, [
      'a moment',
      'up to 3 s',
      '20 to 80 s',
      '0.5 to 2 min',
      '3.5 to 13 min',
      '1 to 4.5 h',
      '1 to 4.5 days',
    ]);
  });
});
