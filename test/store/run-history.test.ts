import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { z } from 'zod';
import { RowSampler } from '../../server/protocol/figures/down-sampling.ts';
import { StageTracker } from '../../server/protocol/figures/stage-spans.ts';
import { chartedMetrics, type RunMetrics } from '../../server/protocol/history.ts';
import { Run } from '../../server/store/run.ts';
import { readRunMetrics, readRunSamples } from '../../server/store/run-history.ts';
import { logText, parseRunLog } from '../../server/store/run-log.ts';
import { scratchFolder } from './scratch.ts';

const line = (record: object) => `${JSON.stringify(record)}\n`;
const step = (n: number, more: object = {}, stage = 'reinforce') => line({ step: n, stage, seconds: 2, ...more });
const measured = (n: number, more: object = {}, stage = 'reinforce') =>
  line({ step: n, stage, evaluation: true, seconds: 1, ...more });
const stepsOf = ({ rows }: RunMetrics) => rows.map((row) => row.step);

describe('the history of a run', () => {
  const scratch = scratchFolder();
  const metrics = () => scratch('metrics.jsonl');
  const read = (query: Partial<Parameters<typeof readRunMetrics>[1]> = {}) =>
    readRunMetrics(scratch(), { rows: 1000, ...query });

  it('is empty where nothing was written yet', async () => {
    const found = await read();
    assert.deepEqual([found.rows, found.usage, found.stages, found.damaged], [[], [], [], 0]);
    assert.deepEqual(await readRunSamples(scratch(), { count: 5 }), { total: 0, from: 0, samples: [] });
    writeFileSync(metrics(), '');
    assert.deepEqual((await read()).rows, []);
  });

  it('has stages with their steps and their time, also two of one name', async () => {
    const log = [
      [
        measured(0, { steps: 2 }, 'control'),
        step(1, {}, 'control'),
        step(2, {}, 'control'),
        measured(2, {}, 'control'),
      ],
      [measured(3, { steps: 4 }), step(4), step(5), measured(5)],
      [measured(6, { steps: 9 }), step(7)],
    ];
    writeFileSync(metrics(), log.flat().join(''));
    assert.deepEqual((await read()).stages, [
      { name: 'control', before: 0, last: 2, steps: 2, seconds: 6 },
      { name: 'reinforce', before: 3, last: 5, steps: 4, seconds: 6 },
      { name: 'reinforce', before: 6, last: 7, steps: 9, seconds: 3 },
    ]);
  });

  it('leaves out a torn last line, and reads it once it is whole', async () => {
    const whole = measured(0) + step(1, { reward: 0.5 });
    const last = step(2, { reward: 0.75 });
    for (const cut of [1, 10, last.length - 1]) {
      writeFileSync(metrics(), whole + last.slice(0, cut));
      const found = await read();
      assert.deepEqual(stepsOf(found), [1, 0]);
      assert.equal(found.damaged, 0);
      appendFileSync(metrics(), last.slice(cut));
      const more = await read({ after: found.cursor });
      assert.deepEqual([stepsOf(more), more.whole, more.damaged], [[2], false, 0]);
      assert.deepEqual(stepsOf(await read({ after: more.cursor })), []);
    }
  });

  it('counts lines that are damaged and shows the others', async () => {
    writeFileSync(metrics(), `${measured(0)}nonsense\n{"step":-1}\n${step(1)}\0\0\0\n`);
    const found = await read();
    assert.deepEqual([stepsOf(found), found.damaged], [[1, 0], 2], 'the last line may be torn by a power cut');
    assert.deepEqual(found.rows[0].values, { seconds: 2 });
  });

  it('is read anew when the file was replaced, as resuming does', async () => {
    const run = await Run.create(scratch(), 'r', 'model: x\n');
    for (let n = 1; n <= 6; n++) run.metrics.append({ step: n, stage: 'clone', loss: 1 / n });
    const all = await readRunMetrics(run.path, { rows: 1000 });
    await run.truncateMetricsAfter(3);
    run.metrics.append({ step: 4, stage: 'clone', loss: 9 });
    const again = await readRunMetrics(run.path, { rows: 1000, after: all.cursor });
    run.close();
    assert.equal(again.whole, true);
    assert.deepEqual(
      again.rows.map((row) => [row.step, row.values.loss]),
      [
        [1, 1],
        [2, 0.5],
        [3, 0.333333],
        [4, 9],
      ],
    );
  });

  it('of fifty thousand steps stays small and keeps its peaks', async () => {
    const lines = [measured(0)];
    for (let n = 1; n <= 50_000; n++) lines.push(step(n, { reward: n === 17_777 ? 5 : 0.1, usage: [n % 3, 1] }));
    writeFileSync(metrics(), lines.join(''));
    const found = await readRunMetrics(scratch(), { rows: 400 });
    assert.ok(found.rows.length < 402);
    assert.ok(found.rows.some((row) => row.step === 17_777 && row.values.reward === 5));
    const training = found.usage.filter(({ evaluation }) => !evaluation);
    assert.ok(training.length <= 121);
    const total = training.reduce((n, { counts }) => n + counts[0] + counts[1], 0);
    assert.equal(total, 100_001, 'no use is lost');
    const part = await readRunMetrics(scratch(), { rows: 400, from: 17_700, to: 17_800 });
    assert.equal(part.rows.length, 101);
    assert.equal(found.stages[0].seconds, 100_001);
  });

  describe('read many lines at once', () => {
    /** As it would be read line by line, with nothing but the schema and the sampler. */
    const plain = (text: string, rows: number) => {
      const whole = z.object({
        step: z.int().nonnegative(),
        stage: z.string().max(200),
        evaluation: z.boolean().optional(),
        seconds: z.number().nullish(),
        steps: z.int().nonnegative().nullish(),
        usage: z.array(z.number()).max(4096).optional(),
      });
      const samplers = [false, true].map(() => new RowSampler(rows, chartedMetrics));
      const stages = new StageTracker();
      let damaged = 0;
      const lines = text.split('\n').slice(0, -1);
      for (const [i, one] of lines.entries()) {
        let json: Record<string, unknown> = {};
        try {
          json = JSON.parse(one);
        } catch {}
        const { data } = whole.safeParse(json);
        if (data === undefined) {
          damaged += i < lines.length - 1 ? 1 : 0;
          continue;
        }
        const { step, stage, seconds, steps, evaluation = false } = data;
        stages.note({ step, stage, evaluation, seconds, steps });
        const figures = Object.entries(json).filter(
          ([name, value]) => (typeof value === 'number' || value === null) && !['step', '__proto__'].includes(name),
        );
        samplers[Number(evaluation)].add({
          ...{ step, stage, evaluation },
          values: Object.fromEntries(figures) as Record<string, number | null>,
        });
      }
      const short = (value: number | null) => (value === null ? null : Number(value.toPrecision(6)));
      const kept = samplers.flatMap((sampler) => sampler.rows());
      return {
        damaged,
        stages: [...stages.spans],
        rows: kept.map((row) => ({
          ...row,
          values: Object.fromEntries(Object.entries(row.values).map(([name, value]) => [name, short(value)])),
        })),
      };
    };

    const figure = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(null, 1e308, -0));
    const good = fc.record(
      {
        step: fc.oneof({ weight: 9, arbitrary: fc.nat(5000) }, fc.constantFrom(-1, 0.5, '1', 2 ** 53)),
        stage: fc.oneof({ weight: 9, arbitrary: fc.constantFrom('clone', 'control', '') }, fc.constantFrom(1, null)),
        evaluation: fc.oneof({ weight: 9, arbitrary: fc.boolean() }, fc.constantFrom('no', null)),
        seconds: fc.oneof({ weight: 9, arbitrary: figure }, fc.constant('long')),
        steps: fc.oneof({ weight: 9, arbitrary: fc.nat(50) }, fc.constantFrom(-1, 1.5)),
        usage: fc.oneof({ weight: 9, arbitrary: fc.array(fc.nat(9), { maxLength: 3 }) }, fc.constantFrom(['x'], {})),
        reward: figure,
        loss: figure,
        'of nobody': figure,
        text: fc.string(),
        list: fc.array(fc.constantFrom({ a: 1 }, [2])),
      },
      { requiredKeys: ['step', 'stage'], noNullPrototype: true },
    );
    const anyLine = fc.oneof(
      { weight: 20, arbitrary: good.map((value) => JSON.stringify(value)) },
      // What is JSON only with its neighbours, or not even then.
      fc.constantFrom(
        '',
        ' ',
        '{',
        '}',
        '[',
        ']',
        ',',
        '"',
        '{"a":[{}',
        '{}]}',
        '{"step":1,"stage":"a"},{"step":2,"stage":"a"}',
      ),
      fc.constantFrom(
        '{"step":1,"stage":"a","loss":1e999}',
        '{"step":3,"stage":"a","seconds":1e999}',
        '1',
        'null',
        '[1]',
      ),
      fc.constantFrom(
        `{"step":7,"stage":"a","long":"${'x'.repeat(3000)}","loss":3}`,
        '{"step":1,"step":2,"stage":"\\u0061"}',
      ),
    );

    it('has what every line has for itself', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyLine, { maxLength: 150 }),
          fc.integer({ min: 10, max: 60 }),
          async (lines, rows) => {
            const text = lines.map((one) => `${one}\n`).join('');
            writeFileSync(metrics(), text);
            const { rows: found, stages, damaged } = await read({ rows });
            assert.deepEqual({ rows: found, stages, damaged }, plain(text, rows));
          },
        ),
        { numRuns: 150 },
      );
    });

    it('has it also across the pieces of a file, and behind a line that was read before', async () => {
      const lines = Array.from({ length: 9000 }, (_, n) =>
        n % 1000 === 999 ? '{"step":\n' : step(n, { loss: Math.sin(n), reward: n % 77, text: 'é'.repeat(n % 90) }),
      );
      writeFileSync(metrics(), lines.slice(0, 4000).join(''));
      const { cursor } = await read();
      writeFileSync(metrics(), lines.join(''), { flag: 'r+' });
      const { rows, damaged } = await read({ rows: 300 });
      assert.deepEqual({ rows, damaged }, (({ rows, damaged }) => ({ rows, damaged }))(plain(lines.join(''), 300)));
      const rest = await read({ after: cursor });
      assert.deepEqual([rest.whole, stepsOf(rest)[0], stepsOf(rest).at(-1), rest.damaged], [false, 4000, 8998, 4]);
    });
  });

  it('made to do harm stays small: stages and numbers of codes that are others in every line', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) =>
      step(n, { loss: n, usage: Array.from({ length: 1 + (n % 3) }, () => 1) }, `stage ${n}`),
    );
    writeFileSync(metrics(), lines.join(''));
    const found = await read({ rows: 50 });
    assert.ok(found.rows.length < 500, `${found.rows.length} rows`);
    assert.equal(found.rows.at(-1)?.step, 19_999);
    assert.ok(found.stages.length <= 1000, `${found.stages.length} stages`);
    assert.ok(found.usage.length <= 242, `${found.usage.length} uses`);
    writeFileSync(metrics(), step(1, {}, 'x'.repeat(300)) + step(2, { usage: Array(5000).fill(1) }) + step(3));
    assert.deepEqual([stepsOf(await read()), (await read()).damaged], [[3], 2]);
  });

  it('has as many samples as one answer may hold, the newest ones', async () => {
    const long = (n: number) =>
      line({ step: n, stage: 's', prompt: 'x'.repeat(3e6), completion: '', actions: [], reward: null });
    writeFileSync(scratch('samples.jsonl'), Array.from({ length: 8 }, (_, n) => long(n)).join(''));
    const found = await readRunSamples(scratch(), { count: 100 });
    assert.deepEqual([found.total, found.from, found.samples.map((each) => each.step)], [8, 6, [6, 7]]);
    const first = await readRunSamples(scratch(), { from: 1, count: 100 });
    assert.deepEqual(
      first.samples.map((each) => each.step),
      [1, 2, 3],
    );
  });

  it('can be broken off', async () => {
    writeFileSync(metrics(), measured(0) + step(1));
    const reason = new Error('enough');
    await assert.rejects(readRunMetrics(scratch(), { rows: 10 }, AbortSignal.abort(reason)), reason);
  });

  it('gives samples in ranges, the newest by default', async () => {
    const sample = (n: number) => ({
      step: n,
      stage: 'reinforce',
      prompt: `p${n}`,
      completion: 'c',
      actions: [n],
      reward: null,
    });
    const text = Array.from({ length: 25 }, (_, n) => line(sample(n))).join('');
    writeFileSync(scratch('samples.jsonl'), `${text}{"step":25,"prom`);
    const newest = await readRunSamples(scratch(), { count: 4 });
    assert.deepEqual([newest.total, newest.from], [25, 21]);
    assert.deepEqual(
      newest.samples.map(({ prompt, actions }) => [prompt, actions]),
      [21, 22, 23, 24].map((n) => [`p${n}`, [n]]),
    );
    const first = await readRunSamples(scratch(), { from: 2, count: 3 });
    assert.deepEqual([first.from, first.samples.map((each) => each.step)], [2, [2, 3, 4]]);
    assert.deepEqual((await readRunSamples(scratch(), { from: 30, count: 3 })).samples, []);
  });

  it('goes on from what a page knows already', () => {
    const first = new StageTracker();
    first.note({ step: 0, stage: 'clone', evaluation: true, steps: 3, seconds: 1 });
    first.note({ step: 1, stage: 'clone', evaluation: false, seconds: 2 });
    const then = new StageTracker(first.spans);
    then.note({ step: 2, stage: 'clone', evaluation: false, seconds: 2 });
    then.note({ step: 4, stage: 'clone', evaluation: true, seconds: 1, steps: 8 });
    assert.deepEqual(
      then.spans.map(({ before, last, steps, seconds }) => [before, last, steps, seconds]),
      [
        [0, 2, 3, 5],
        [4, 4, 8, 1],
      ],
    );
    assert.equal(first.spans[0].last, 1, 'what it was given is left as it was');
  });
});

describe('the log of a run', () => {
  const scratch = scratchFolder();

  it('says what happened, when, and of what kind', async () => {
    const run = await Run.create(scratch(), 'r', 'model: x\n');
    const before = Date.now();
    run.log(logText('device', 'cpu'));
    run.log(logText('message', 'a table\n  of lines\nand more\n'));
    run.log('what: a person wrote');
    const entries = run.readLog();
    run.close();
    assert.deepEqual(
      entries.map(({ kind, text }) => [kind, text]),
      [
        ['device', 'cpu'],
        ['message', 'a table\n  of lines\nand more'],
        ['other', 'what: a person wrote'],
      ],
    );
    for (const { time } of entries) assert.ok(time >= before - 1 && time <= Date.now());
    assert.equal(readFileSync(join(run.path, 'log.txt'), 'utf8').split('\n').length, 6);
  });

  it('is empty where there is none, and holds what can be understood', () => {
    mkdirSync(scratch('empty'));
    assert.deepEqual(parseRunLog('garbage\n2026-01-01T00:00:00.000Z done: model\n\0\0'), [
      { time: Date.UTC(2026, 0, 1), kind: 'done', text: 'model' },
    ]);
  });
});
