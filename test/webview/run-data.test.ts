import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { arrivalIn, arrivalText } from '../../server/protocol/figures/workers.ts';
import type { WireTrainEvent } from '../../server/protocol/runs.ts';
import { readRunMetrics } from '../../server/store/run-history.ts';
import { chartsOf, chartWords, overlaid, smoothed, withUnit } from '../../webview/run/chart-list.ts';
import { RunData, remaining } from '../../webview/run/run-data.ts';
import { chosenSamples, everySample } from '../../webview/run/sample-list.ts';
import { scratchFolder } from '../store/scratch.ts';

const line = (record: object) => `${JSON.stringify(record)}\n`;

/** The events of a run as the engine tells them, and the lines it writes at the same time. */
function runOf(steps: number): { events: WireTrainEvent[]; lines: string[] } {
  const events: WireTrainEvent[] = [];
  const lines: string[] = [];
  const measure = (stage: string, before: number, step: number, more: object = {}) => {
    const metrics = { greedy_reward: step / 10 };
    events.push({ kind: 'evaluation', stage, step, metrics, best: step === 2, seconds: 1 });
    lines.push(line({ step: before + step, stage, evaluation: true, ...more, seconds: 1, ...metrics }));
  };
  for (const [index, name] of ['clone', 'reinforce'].entries()) {
    const before = index * (steps + 1);
    events.push({ kind: 'stage', index, count: 2, name, steps, from: 0, before });
    measure(name, before, 0, { steps });
    for (let step = 1; step <= steps; step++) {
      const metrics = { reward: step, usage: [step, 0] };
      events.push({ kind: 'step', stage: name, step, steps, seconds: 2, metrics });
      lines.push(line({ step: before + step, stage: name, seconds: 2, ...metrics }));
    }
    measure(name, before, steps);
  }
  return { events, lines };
}

describe('what a page knows of a run', () => {
  const scratch = scratchFolder();

  async function read(lines: readonly string[]) {
    mkdirSync(scratch('r'), { recursive: true });
    writeFileSync(join(scratch('r'), 'metrics.jsonl'), lines.join(''));
    return readRunMetrics(scratch('r'), { rows: 4000 });
  }
  const picture = (data: RunData) => ({
    rows: data.rows,
    stages: data.stages,
    usage: data.usage,
    seconds: data.seconds,
  });

  it('is the same whether it was read from disk, told by events, or both, whatever was read twice', async () => {
    const { events, lines } = runOf(4);
    const whole = new RunData();
    whole.addMetrics(await read(lines));
    assert.equal(whole.seconds, 2 * (4 * 2 + 2));
    for (let cut = 0; cut <= lines.length; cut += 3) {
      const mixed = new RunData();
      mixed.addMetrics(await read(lines.slice(0, cut)));
      for (const event of events) mixed.apply(event, 0);
      const { rows, ...rest } = picture(mixed);
      // Events do not repeat the length of a stage in each measurement.
      const plain = (each: typeof rows.steps) =>
        each.map(({ values: { steps: _, ...values }, ...row }) => ({ ...row, values }));
      assert.deepEqual(plain(rows.steps), plain(picture(whole).rows.steps), `cut at ${cut}`);
      assert.deepEqual(plain(rows.evaluations), plain(picture(whole).rows.evaluations));
      assert.deepEqual(rest.stages, whole.stages);
      assert.equal(rest.seconds, whole.seconds);
      assert.deepEqual(
        rest.usage.map(({ step }) => step),
        whole.usage.map(({ step }) => step),
      );
    }
  });

  it('knows what workers did in the last step, from disk and by events, and where they are', async () => {
    const metrics = {
      worker_shards: [5, 3],
      worker_bytes_sent: [1e6, 2e6],
      worker_said: ['a', 'b'],
      worker_replaced: [0, {}],
    };
    const expected = { worker_shards: [5, 3], worker_bytes_sent: [1e6, 2e6] };
    const first = { step: 1, stage: 'reinforce', seconds: 1, worker_shards: [8, 0] };
    const read_ = new RunData();
    read_.addMetrics(await read([line(first), line({ step: 2, stage: 'reinforce', seconds: 1, ...metrics })]));
    assert.deepEqual(read_.workers, expected);
    const told = new RunData();
    told.apply({ kind: 'step', stage: 'reinforce', step: 1, steps: 9, seconds: 1, metrics: expected }, 0);
    assert.deepEqual(told.workers, expected);
    const plain = new RunData();
    plain.addMetrics(await read(runOf(2).lines));
    assert.equal(plain.workers, undefined);
    const arrival = { number: 2, host: 'node-3', process: 77, device: 'AMD EPYC (8 cores)' };
    assert.deepEqual(arrivalIn(arrivalText(arrival)), arrival);
    assert.equal(arrivalIn('Worker 2 on node-3 (process 77) is replaced: it was ended by SIGKILL.'), undefined);
  });

  it('says how long a stage will take by its last steps and its measurements', () => {
    const steps = Array.from({ length: 10 }, (_, i) => ({
      step: i + 1,
      stage: 's',
      evaluation: false,
      values: { seconds: 2 },
    }));
    const stage = { name: 's', before: 0, last: 10, steps: 30, seconds: 20 };
    assert.equal(remaining(stage, steps), 40);
    assert.equal(remaining({ ...stage, seconds: 30 }, steps), 60);
    assert.equal(remaining({ ...stage, steps: null }, steps), undefined);
    assert.equal(remaining({ ...stage, last: 1 }, steps), undefined);
    assert.equal(remaining(undefined, steps), undefined);
  });

  it('has a chart for what was measured and for nothing else', async () => {
    const data = new RunData();
    data.addMetrics(await read(runOf(4).lines));
    const charts = chartsOf(data.rows, 2);
    assert.deepEqual(
      charts.map(({ id }) => id),
      ['reward'],
    );
    const words = chartWords(charts[0]);
    assert.match(
      words,
      /^Reward\. training, ± spread of samples: 4 at step 9; lowest 1 at step 1, highest 4 at step 4\./,
    );
    const pretrain = ['pretrain', 'reinforce'].map((stage, i) => ({
      step: i,
      stage,
      evaluation: false,
      values: { loss: 3, ...(i === 1 ? { reward: 1 } : {}) },
    }));
    const loss = chartsOf({ steps: pretrain, evaluations: [] }, undefined).find(({ id }) => id === 'loss');
    assert.deepEqual(loss?.lines[0].x, [0], 'the loss of a stage that learns from rewards is another thing');
  });

  it('lays runs over each other where they have the same line', () => {
    const rows = (values: Record<string, number>) => ({
      steps: [{ step: 1, stage: 's', evaluation: false, values }],
      evaluations: [],
    });
    const figures: Record<string, number>[] = [{ reward: 1, entropy: 2 }, { reward: 3 }];
    const runs = figures.map((values, i) => ({
      label: `run ${i}`,
      charts: chartsOf(rows(values), undefined),
    }));
    const found = overlaid(runs);
    assert.deepEqual(
      found.map(({ id, lines }) => [id, lines.map(({ label, y }) => [label, y[0]])]),
      [
        [
          'reward',
          [
            ['run 0', 1],
            ['run 1', 3],
          ],
        ],
        ['entropy', [['run 0', 2]]],
      ],
    );
    assert.notDeepEqual(found[0].lines[0].dash, found[0].lines[1].dash, 'a second channel beside the colour');
  });

  it('smooths without shifting levels or filling gaps', () => {
    assert.deepEqual(smoothed([1, null, 1, 1], 5), [1, null, 1, 1]);
    assert.deepEqual(smoothed([1, 2, 3], 0), [1, 2, 3]);
    const noisy = smoothed([0, 10, 0, 10, 0, 10, 0, 10], 5).map((value) => value ?? 0);
    assert.ok(Math.max(...noisy.slice(4)) - Math.min(...noisy.slice(4)) < 5);
  });

  it('has units with its numbers', () => {
    assert.deepEqual(
      [withUnit(0.25, '%'), withUnit(0.031, '%'), withUnit(1.5, 'nats'), withUnit(2, ''), withUnit(null, 's')],
      ['25 %', '3.1 %', '1.5 nats', '2', 'none'],
    );
  });

  it('finds samples by text and by action, in the order that is asked for', () => {
    const sample = (step: number, reward: number | undefined, completion: string, actions: number[]) => ({
      step,
      stage: 'reinforce',
      prompt: 'p',
      completion,
      actions,
      ...(reward === undefined ? { noScore: 'too long' } : { reward }),
    });
    const all = [sample(1, 0, 'Alpha', [17]), sample(2, 2, 'beta', [1, 2, 3]), sample(3, undefined, 'gamma', [170, 1])];
    const steps = (wish: Partial<typeof everySample>) =>
      chosenSamples(all, { ...everySample, ...wish }).map(({ step }) => step);
    assert.deepEqual(steps({}), [3, 2, 1]);
    assert.deepEqual(steps({ order: 'oldest' }), [1, 2, 3]);
    assert.deepEqual(steps({ order: 'best' }), [2, 1, 3]);
    assert.deepEqual(steps({ order: 'longest' }), [2, 3, 1]);
    assert.deepEqual(steps({ kind: 'unscored' }), [3]);
    assert.deepEqual(steps({ kind: 'unrewarded' }), [1]);
    assert.deepEqual(steps({ text: 'ALPH' }), [1]);
    assert.deepEqual(steps({ text: '#17' }), [1]);
    assert.deepEqual(steps({ text: '#1' }), [3, 2]);
  });
});
