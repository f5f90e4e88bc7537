import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { timeText } from '../../server/protocol/time-text.ts';
import { readSpec } from '../../server/spec/document.ts';
import { startRun } from '../../server/train/run/job.ts';
import { estimateTime, timingsOfRuns } from '../../server/train/run/time-estimate.ts';
import { tryOut } from '../../server/train/run/trial.ts';

const steps = 24;
const reinforce = `  - reinforce:
      prompts: { task: countdown, format: compact }
      reward: { countdown: { form: compact } }
      steps: ${steps}
      batch: 4
      group: 4
      max_new: 12
      evaluate_rows: 4
      evaluate_samples: 1
      evaluate_every: 12`;
const learned = (name: string) => `  - ${name}:
      data: { task: countdown, format: compact }
      steps: ${steps}
      batch: 4
      length: 64
      evaluate_every: 12`;

describe('how long a run takes', function () {
  this.timeout(300_000);
  let root = '';
  let specFile = '';
  const signal = new AbortController().signal;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cola-time-'));
    specFile = join(root, 'all.cola.yaml');
    const stages = [learned('control'), learned('clone'), reinforce].join('\n');
    await writeFile(specFile, `model: builtin:nano\ndevice: cpu\nthreads: 1\nstages:\n${stages}\n`);
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('is seen from the first steps of every stage, and better from a run of the same sizes', async () => {
    const spec = readSpec(specFile);
    assert.equal(timingsOfRuns(root, spec, specFile), undefined);
    const trial = await tryOut({ root, spec, specFile, signal });
    assert.deepEqual(
      trial.map(({ name, steps: planned, evaluateEvery }) => [name, planned, evaluateEvery]),
      ['control', 'clone', 'reinforce'].map((name) => [name, steps, 12]),
    );
    assert.ok(!existsSync(join(root, '.cola/runs')), 'no run is left');
    assert.deepEqual(
      readdirSync(join(root, '.cola/cache')).filter((name) => name.startsWith('trial')),
      [],
    );

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
    // What is promised is a factor of 2 either way on a machine that does nothing else; tests share theirs.
    const others = 2;
    for (const { name, low, high } of estimateTime(trial, 'trial').stages) {
      const took = spent.get(name) ?? 0;
      assert.ok(took > low / others && took < high * others, `${name}: ${took} s, from ${low} to ${high} s`);
    }

    const earlier = timingsOfRuns(root, { ...spec, stages: [...spec.stages].reverse() }, specFile);
    assert.ok(earlier);
    const known = estimateTime(earlier, 'runs');
    assert.deepEqual(
      known.stages.map(({ name }) => name),
      ['reinforce', 'clone', 'control'],
    );
    for (const { name, low, high } of known.stages) {
      const took = spent.get(name) ?? 0;
      assert.ok(took > low && took < high, `${name}: ${took} s, from ${low} to ${high} s`);
    }
    // Twice as many steps take twice as long, and other sizes are not known.
    const [control] = spec.stages;
    const more = { ...spec, stages: [{ ...control, settings: { ...control.settings, steps: 2 * steps } }] };
    const [longer] = timingsOfRuns(root, more as typeof spec, specFile) ?? [];
    assert.equal(longer.steps, 2 * steps);
    const wider = { ...spec, stages: [{ ...control, settings: { ...control.settings, batch: 5 } }] };
    assert.equal(timingsOfRuns(root, wider as typeof spec, specFile), undefined);
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
