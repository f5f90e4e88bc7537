import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gradient } from '../../../server/graph/gradient.ts';
import * as ops from '../../../server/graph/ops.ts';
import { Graph } from '../../../server/graph/tensor.ts';
import { LanguageModel } from '../../../server/model/language-model.ts';
import { scoredPlace } from '../../../server/model/scores.ts';
import { parseSpec } from '../../../server/spec/document.ts';
import { runSpec, toRunSpec } from '../../../server/spec/schema.ts';
import { pairFigures } from '../../../server/train/measures/preferences.ts';
import { pairLosses, scoreLosses } from '../../../server/train/preference-loss.ts';
import { specParts } from '../../../server/train/run/spec-memory.ts';
import { errorOf } from '../../store/scratch.ts';
import { onEachDevice } from '../../support/devices.ts';
import { preferences } from '../../support/preferences.ts';
import { assertClose } from '../../support/reference.ts';
import { Bench, linesOf } from '../../support/runs.ts';

const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

onEachDevice((device) => {
  describe('losses of preferences', () => {
    const chosen = Float32Array.of(1.5, -2, 0.25, 80);
    const other = Float32Array.of(0.5, 1, 0.25, -70);
    const values = Float32Array.of(0, 0.5, 1, 0);

    it('are the logistic loss with a margin and the squared error, with their gradients, and overflow nowhere', async () => {
      const graph = new Graph();
      const input = (name: string) => graph.parameter(name, [4]);
      const [c, r, v] = [input('c'), input('r'), graph.input('v', 'float32', [4])];
      const pairs = pairLosses(c, r, v);
      const errors = scoreLosses(c, v);
      const [dc, dr] = gradient(ops.sum(pairs), [c, r]);
      const [de] = gradient(ops.sum(errors), [c]);
      const frozen = new Map([
        ['c', chosen],
        ['r', other],
      ]);
      const program = await device().compile({ pairs, errors, dc, dr, de }, { frozen });
      const out = await program.run({ v: values });
      const read = async (name: string) => [...(await out[name].readFloats())];
      // In float64, by the definition; the gradients by differences of it.
      const loss = (a: number, b: number, m: number) => Math.log1p(Math.exp(-(a - b - m)));
      const each = (of: (i: number) => number) => [0, 1, 2, 3].map(of);
      const step = 1e-6;
      const slope = (f: (x: number) => number, x: number) => (f(x + step) - f(x - step)) / (2 * step);
      assertClose(
        await read('pairs'),
        each((i) => loss(chosen[i], other[i], values[i])),
        1e-5,
        'pairs',
      );
      assertClose(
        await read('dc'),
        each((i) => slope((x) => loss(x, other[i], values[i]), chosen[i])),
        1e-5,
        'dc',
      );
      assertClose(
        await read('dr'),
        each((i) => slope((x) => loss(chosen[i], x, values[i]), other[i])),
        1e-5,
        'dr',
      );
      assertClose(
        await read('errors'),
        each((i) => (chosen[i] - values[i]) ** 2),
        1e-3,
        'errors',
      );
      assertClose(
        await read('de'),
        each((i) => 2 * (chosen[i] - values[i])),
        1e-4,
        'de',
      );
      for (const buffer of Object.values(out)) buffer.release();
      await program.dispose();
    });
  });
});

describe('figures of preferences', () => {
  it('are accuracy with its interval, margin, Brier score and calibration error', () => {
    const odds = (p: number) => Math.log(p / (1 - p));
    // Four pairs at 75 %, of which three are right: as sure as it may be. One tie.
    const figures = pairFigures([odds(0.75), odds(0.75), odds(0.75), -odds(0.75)]);
    assert.equal(figures.accuracy, 0.75);
    assertClose([figures.calibration], [0], 1e-12, 'calibration');
    assertClose([figures.brier], [(3 * 0.25 ** 2 + 0.75 ** 2) / 4], 1e-12, 'brier');
    assertClose([figures.margin], [odds(0.75) / 2], 1e-12, 'margin');
    // By the formula of Wilson, 3 of 4.
    assertClose([figures.interval.low, figures.interval.high], [0.3006, 0.9544], 1e-3, 'interval');
    assert.equal(pairFigures([0, 1]).accuracy, 0.75);
    // Always sure and half the time wrong.
    assertClose([pairFigures([40, -40]).calibration], [0.5], 1e-9, 'overconfident');
  });

  it('score the last token that is no padding, wherever that token stands', () => {
    assert.equal(scoredPlace([5, 6, 7, 0, 0], 0), 2);
    assert.equal(scoredPlace([5, 0, 7, 8], 0), 3);
    assert.equal(scoredPlace([5, 6], null), 1);
    assert.equal(scoredPlace([0, 0], 0), 0);
  });
});

describe('the stage reward', function () {
  this.timeout(120_000);
  const bench = Bench.forTests();
  const settings = { batch: 8, max_length: 64, learning_rate: 1e-2, warmup: 0, checkpoint_every: 100 };
  const last = (id: string) =>
    linesOf(bench.root, id, 'metrics').findLast(({ evaluation }) => evaluation === true) ?? {};

  it('tells held-out preferences beyond doubt, the same way every time', async () => {
    bench.write('kind.jsonl', lines(preferences(700, 3, 0.15)));
    bench.write('kind-held-out.jsonl', lines(preferences(200, 4, 0.15)));
    const ids = [bench.fresh(), bench.fresh()];
    const reward = { data: 'kind.jsonl', held_out: 'kind-held-out.jsonl', ...settings, steps: 60, evaluate_every: 60 };
    for (const id of ids) await bench.run([{ reward }], bench.cola, id);
    const first = linesOf(bench.root, ids[0], 'metrics')[0];
    assert.equal(first.held_out_accuracy, 0.5);
    assertClose([Number(first.held_out_loss)], [Math.log(2)], 1e-6, 'a head of zeros');
    const figures = last(ids[0]);
    assert.equal(figures.held_out_pairs, 200);
    // 15 % of the pairs are the wrong way round: nobody can be right in more than about 85 %.
    const [low, high] = [Number(figures.held_out_accuracy_low), Number(figures.held_out_accuracy_high)];
    assert(low > 0.6 && high < 0.95, `${low} ${high}`);
    assert(Number(figures.held_out_brier) < 0.2, `${figures.held_out_brier}`);
    assert(Number(figures.held_out_calibration) < 0.15, `${figures.held_out_calibration}`);
    assert.deepEqual(linesOf(bench.root, ids[1], 'metrics'), linesOf(bench.root, ids[0], 'metrics'));
  });

  it('learns scores', async () => {
    const rows = preferences(300, 5, 0).flatMap(({ prompt, chosen, rejected }) => [
      { prompt, response: chosen, liked: 1 },
      { prompt, response: rejected, liked: '-1' },
    ]);
    bench.write('scored.jsonl', lines(rows));
    const id = bench.fresh();
    const reward = { loss: 'scores', score: 'liked', data: 'scored.jsonl', ...settings, steps: 60, evaluate_every: 60 };
    await bench.run([{ reward }], bench.cola, id);
    assert(Number(last(id).held_out_correlation) > 0.6, `${last(id).held_out_correlation}`);
    assert(Number(last(id).held_out_loss) < 0.8, `${last(id).held_out_loss}`);
  });

  it('saves a folder of the kind that transformers reads, with the base that was trained', async () => {
    const id = bench.fresh();
    const reward = { data: 'pairs.jsonl', ...settings, steps: 3, evaluate_every: 3, blocks: 0 };
    const folder = await bench.run([{ reward }], bench.cola, id);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    assert.deepEqual(config.architectures, ['LlamaForSequenceClassification']);
    assert.deepEqual(config.id2label, { 0: 'score' });
    assert.equal(typeof config.pad_token_id, 'number');
    const model = await LanguageModel.load(folder, { form: 'scores' });
    assert(model.weights.get('score.weight')?.some((x) => x !== 0));
    assert(!model.weights.has('lm_head.weight'));
    // The head alone was trained.
    const before = await LanguageModel.load(bench.cola);
    for (const [name, values] of before.weights)
      if (name !== 'lm_head.weight') assert.deepEqual(model.weights.get(name), values, name);
    await assert.rejects(LanguageModel.load(folder), errorOf('config.architecture', /writes no text/));
    await assert.rejects(
      LanguageModel.load(bench.cola, { form: 'scores' }),
      errorOf('config.noScores', /LlamaForCausalLM/),
    );
  });

  it('asks for a margin, as a number or of each pair', async () => {
    const margins = [0, 2, 'by'];
    bench.write('by.jsonl', lines(preferences(40, 6, 0).map((pair) => ({ ...pair, by: 2 }))));
    const firsts = await Promise.all(
      margins.map(async (margin) => {
        const id = bench.fresh();
        const reward = { data: 'by.jsonl', margin, ...settings, steps: 1, evaluate_every: 1 };
        await bench.run([{ reward }], bench.cola, id);
        return Number(linesOf(bench.root, id, 'metrics')[0].held_out_loss);
      }),
    );
    assertClose(
      firsts,
      [0, 2, 2].map((margin) => Math.log1p(Math.exp(margin))),
      1e-6,
      'loss at the start',
    );
  });

  it('leaves out what it cannot use and says so; with nothing left it says what to do', async () => {
    const good = preferences(30, 7, 0);
    const odd = [
      { ...good[0], rejected: good[0].chosen },
      { ...good[1], chosen: 'long '.repeat(100) },
      { prompt: 'p', chosen: 'alone' },
    ];
    const said = await bench.saidBy([
      { reward: { data: bench.write('odd.jsonl', lines([...odd, ...good])), ...settings, steps: 1 } },
    ]);
    for (const reason of ['with equal answers', 'longer than max_length', 'without two answers'])
      assert(
        said.some((text) => text.endsWith(`odd.jsonl: left out 1 rows ${reason}`)),
        said.join('\n'),
      );
    await assert.rejects(
      bench.run([{ reward: { data: 'rows.jsonl', ...settings, steps: 1 } }]),
      errorOf('train.noPairs', /rows\.jsonl has no pair .* left out: 24 without two answers/),
    );
    await assert.rejects(
      bench.run([{ reward: { loss: 'scores', data: 'rows.jsonl', ...settings, steps: 1 } }]),
      errorOf('train.noScores', /number in the column "score"/),
    );
  });

  it('is the last stage, with nothing measured behind it, and fit knows it', async () => {
    const stage = '  - reward: { data: pairs.jsonl, batch: 4, max_length: 32 }\n';
    const text = `model: ${bench.cola}\nstages:\n${stage}`;
    assert.deepEqual(parseSpec(text, 'a').problems, []);
    assert.match(parseSpec(`${text}  - clone: { data: a }\n`, 'a').problems[0].message, /should be the last/);
    assert.match(parseSpec(`${text}evaluate: [accuracy]\n`, 'a').problems[0].message, /measures itself/);
    const spec = toRunSpec(
      runSpec.parse({ model: bench.cola, stages: [{ reward: { data: 'pairs.jsonl', batch: 4, max_length: 32 } }] }),
    );
    const { parts } = await specParts(join(bench.root, 'x.cola.yaml'), {}, spec);
    const { what, memory } = parts[1];
    assert.equal(what, 'reward: training 4 x 32');
    // Both texts of a pair are in memory: more than a stage has for as many rows of one text.
    const one = toRunSpec(
      runSpec.parse({
        model: bench.cola,
        stages: [{ reward: { loss: 'scores', data: 'pairs.jsonl', batch: 4, max_length: 32 } }],
      }),
    );
    const { parts: single } = await specParts(join(bench.root, 'x.cola.yaml'), {}, one);
    assert(memory().activations > 1.7 * single[1].memory().activations);
    assert.equal(memory().gradients, single[1].memory().gradients);
  });
});
