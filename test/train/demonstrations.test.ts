import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { controlLoss } from '../../server/cola/losses.ts';
import { unlearned } from '../../server/data/unlearned.ts';
import type { Device } from '../../server/device/device.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { causalContext } from '../../server/model/block.ts';
import { Random } from '../../server/random.ts';
import { runFolder } from '../../server/store/run.ts';
import type { TrainEvent } from '../../server/train/run/events.ts';
import { inputsOnly } from '../../server/train/stages/control.ts';
import { shifted } from '../../server/train/stages/pretrain.ts';
import { onEachDevice } from '../support/devices.ts';
import { assertClose } from '../support/reference.ts';
import { linesOf, specOf, start, tinyBase } from '../support/runs.ts';
import { contextOf, toyModel } from '../support/toy-world.ts';

const data = { environment: { household: { kind: 'put', rooms: 2, rules: false } }, episodes: 12 };
const packed = { data, batch: 2, length: 96, steps: 2, evaluate_every: 2, checkpoint_every: 2 };
const rows = { data, batch: 2, max_length: 400, evaluate_every: 2, checkpoint_every: 2 };
const stages = [
  { pretrain: packed },
  { tokens: { ...rows, method: 'supervised', steps: 3 } },
  { control: { ...packed, codes: 8, idm_layers: 1, policy_layers: 1, merge_layers: 1 } },
  { clone: packed },
  { guide: { ...rows, variant: 'inverse', steps: 1 } },
];
const base = { ...tinyBase, context: 512 };

describe('stages that learn from demonstrations', function () {
  this.timeout(120_000);
  let root = '';
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'cola-demonstrations-'));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it('are pretrain, tokens, control, clone and guide, the same twice from the same seed', async () => {
    const run = async (id: string) => {
      await start({ root, id }, specOf(base, stages));
      const weights = readFileSync(join(runFolder(root, id), 'model', 'model.safetensors')).toString('base64');
      return { weights, metrics: linesOf(root, id, 'metrics') };
    };
    const first = await run('first');
    assert.deepEqual(await run('second'), first);
    const names = new Set(first.metrics.map(({ stage }) => stage));
    assert.deepEqual([...names], ['pretrain', 'tokens', 'control', 'clone', 'guide']);
    const updates = first.metrics.filter(({ stage, evaluation }) => stage === 'tokens' && evaluation === undefined);
    assert.equal(updates.length, 3, 'updates of supervised learning are as many as its steps');
  });

  it('learn what is said before an action, and not what the world says', async () => {
    const losses: Record<string, number>[] = [];
    const onEvent = (event: TrainEvent) => {
      if (event.kind === 'evaluation') losses.push(event.metrics as Record<string, number>);
    };
    const stage = { pretrain: { ...packed, steps: 30, learning_rate: 1e-2, warmup: 0, evaluate_every: 30 } };
    await start({ root, id: 'learned', onEvent }, specOf(base, [stage]));
    const [before, after] = [losses[0], losses.at(-1)].map((each) => each?.held_out_loss ?? Number.NaN);
    // Actions begin in a handful of ways; all that stands between would not be learned as fast.
    assert(after < before - 1, `${before} -> ${after}`);
  });
});

describe('masks of packed tokens', () => {
  const stream = fc.array(fc.tuple(fc.nat(999), fc.boolean()), { minLength: 12, maxLength: 12 });

  it('stand at the targets that are learned, for inputs with targets and for inputs alone', () => {
    fc.assert(
      fc.property(stream, fc.constantFrom(1, 2, 3), (tokens, batch) => {
        const length = tokens.length / batch - 1;
        const marked = Int32Array.from(tokens, ([id, own]) => (own ? id : unlearned(id)));
        const both = shifted(marked, batch, length, true);
        const alone = inputsOnly(marked, batch, length, true);
        for (let b = 0; b < batch; b++) {
          for (let t = 0; t < length; t++) {
            const [at, here] = [b * length + t, b * (length + 1) + t];
            assert.deepEqual(
              [both.ids[at], both.targets[at], both.mask[at], alone.ids[at], alone.mask[at]],
              [
                tokens[here][0],
                tokens[here + 1][0],
                Number(tokens[here + 1][1]),
                tokens[here][0],
                Number(tokens[here][1]),
              ],
            );
          }
        }
        assert.deepEqual(Object.keys(shifted(marked, batch, length)), ['ids', 'targets']);
        assert.deepEqual(Object.keys(inputsOnly(marked, batch, length, false)), ['ids']);
      }),
    );
  });
});

onEachDevice((device: () => Device) => {
  describe('the loss of latent actions with a mask', () => {
    it('is the mean over what is learned, of prediction, entropy and balance alike', async () => {
      const cola = await toyModel();
      const context = await contextOf(device(), cola, 1);
      const { config } = cola.base;
      const [batch, length, codes] = [2, 7, cola.config.numCodes];
      const random = new Random(5);
      const feeds = {
        ids: Int32Array.from({ length: batch * length }, () => 3 + random.integer(90)),
        hidden: Float32Array.from({ length: batch * length * config.hiddenSize }, () => random.uniform() - 0.5),
        gumbel: Float32Array.from({ length: batch * length * codes }, () => random.gumbel()),
        mask: Float32Array.from({ length: batch * length }, (_, i) => ((i * 5) % 3 === 0 ? 1 : 0)),
      };
      const graph = new Graph();
      const modules = { graph, config, cola: cola.config };
      const read = {
        h: graph.input('hidden', 'float32', [batch, length, config.hiddenSize]),
        ids: graph.input('ids', 'int32', [batch, length]),
        gumbel: graph.input('gumbel', 'float32', [batch, length, codes]),
        mask: graph.input('mask', 'float32', [batch, length]),
        context: causalContext(graph, config, batch, length),
      };
      const settings = { tau: 1.5, beta: 0.3, balance: 0.7 };
      const { loss, prediction, logits, soft, idmLogits } = controlLoss(modules, read, settings);
      const program = await context.device.compile({ loss, prediction, logits, soft, idmLogits });
      const out = await program.run(feeds, { states: [context.weights.state] });
      const values = Object.fromEntries(
        await Promise.all(
          Object.entries(out).map(async ([name, buffer]) => [name, (await buffer.readFloats()).slice()]),
        ),
      ) as Record<string, Float32Array>;
      for (const buffer of Object.values(out)) buffer.release();
      await program.dispose();
      context.weights.dispose();

      const places = Array.from({ length: batch * (length - 1) }, (_, i) => i);
      const counted = places.filter(
        (i) => feeds.mask[Math.floor(i / (length - 1)) * length + (i % (length - 1)) + 1] === 1,
      );
      assert(counted.length > 2 && counted.length < places.length);
      const row = (x: Float32Array, i: number) => {
        const width = x.length / places.length;
        return [...x.subarray(i * width, (i + 1) * width)];
      };
      const softmax = (x: readonly number[]) => {
        const e = x.map((each) => Math.exp(each - Math.max(...x)));
        const sum = e.reduce((a, b) => a + b, 0);
        return e.map((each) => each / sum);
      };
      const mean = (of: (i: number) => number) => counted.reduce((n, i) => n + of(i), 0) / counted.length;
      const target = (i: number) => feeds.ids[Math.floor(i / (length - 1)) * length + (i % (length - 1)) + 1];
      const predicted = mean((i) => -Math.log(softmax(row(values.logits, i))[target(i)]));
      const information = mean((i) => row(values.soft, i).reduce((n, p) => n + p * Math.log(p + 1e-8), 0));
      const shares = Array.from({ length: codes }, (_, c) => mean((i) => softmax(row(values.idmLogits, i))[c]));
      const balance = shares.reduce((n, p) => n + p * Math.log(p + 1e-8), 0);
      assertClose(values.prediction, [predicted], 1e-4);
      assertClose(values.loss, [predicted + 0.3 * information + 0.7 * balance], 1e-4);
    });
  });
});
