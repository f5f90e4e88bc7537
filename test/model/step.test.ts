import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Device } from '../../server/device/device.ts';
import type { Program } from '../../server/device/program.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../../server/model/base.ts';
import { causalContext } from '../../server/model/block.ts';
import { capacityFor, stemCapacity } from '../../server/model/cache/key-value-cache.ts';
import { chunkSizes, chunksOf } from '../../server/model/chunks.ts';
import { baseStep, baseStepper, LanguageModel, uploadWeights } from '../../server/model/language-model.ts';
import { Stepper } from '../../server/model/step.ts';
import { errorOf } from '../store/scratch.ts';
import { itMainly, itOnce, onEachDevice } from '../support/devices.ts';
import { assertClose } from '../support/reference.ts';

const FOLDER = join(import.meta.dirname, '../fixtures/hf/llama-gqa');
const tokens = (length: number, seed: number) => Int32Array.from({ length }, (_, i) => (i * 29 + seed * 13 + 3) % 300);

/**
 * Passes over whole sequences, without a cache. A program reads any sequence that is not longer than it: no token sees what stands
 * behind it, and compiling a program is most of what a pass costs.
 */
class Whole {
  private readonly programs = new Map<number, Promise<Program>>();

  constructor(
    private readonly device: Device,
    private readonly model: LanguageModel,
  ) {}

  private compiled(length: number): Promise<Program> {
    const { config, weights } = this.model;
    const graph = new Graph();
    const input = graph.input('ids', 'int32', [1, length]);
    const { h } = hiddenStates(graph, config, input, causalContext(graph, config, 1, length));
    return this.device.compile({ logits: languageHead(graph, config, h) }, { frozen: weights });
  }

  /** Logits of the last token. */
  async logits(ids: Int32Array): Promise<number[]> {
    const length = [16, 80, 160, 304].find((most) => most >= ids.length) ?? assert.fail();
    const program = this.programs.get(length) ?? this.compiled(length);
    this.programs.set(length, program);
    const padded = new Int32Array(length);
    padded.set(ids);
    const { logits } = await (await program).run({ ids: padded });
    const values = await logits.readFloats();
    const { vocabSize } = this.model.config;
    const last = Array.from(values.subarray((ids.length - 1) * vocabSize, ids.length * vocabSize));
    logits.release();
    return last;
  }

  async dispose(): Promise<void> {
    for (const program of this.programs.values()) await (await program).dispose();
  }
}

async function advance(stepper: Stepper, ...args: Parameters<Stepper['advance']>): Promise<number[]> {
  const { logits } = await stepper.advance(...args);
  const values = Array.from(await logits.readFloats());
  logits.release();
  return values;
}

describe('cached steps', () => {
  it('read any number of tokens in runs of known lengths, fewer at once the more rows there are', () => {
    for (const rows of [1, 8, 64, 65, 200, 256, 257, 2000]) {
      for (let tokens = 1; tokens < 400; tokens++) {
        const chunks = chunksOf(tokens, rows);
        assert.equal(
          chunks.reduce((sum, chunk) => sum + chunk.tokens, 0),
          tokens,
        );
        for (const { tokens: read, length } of chunks) {
          assert.ok(read >= 1 && read <= length && [...chunkSizes, 16, 24].some((size) => size === length));
          assert.ok(length <= 8 || rows * length <= 8192, `${rows} rows of ${length}`);
        }
        if (tokens > 1) assert.ok(chunks.length <= Math.ceil(tokens / 8));
      }
    }
    assert.deepEqual(chunksOf(1, 1000), [{ tokens: 1, length: 1 }]);
    assert.deepEqual(chunksOf(130), [
      { tokens: 128, length: 128 },
      { tokens: 2, length: 32 },
    ]);
    // Of many rows short prompts are padded to the next eight.
    assert.deepEqual(chunksOf(17, 7), [{ tokens: 17, length: 32 }]);
    assert.deepEqual(
      [1, 2, 9, 16, 17, 25].map((tokens) => chunksOf(tokens, 8)[0]?.length),
      [1, 8, 16, 16, 24, 32],
    );
  });

  it('have slots in powers of two, one of them scratch', () => {
    assert.deepEqual([1, 63, 64, 127, 128].map(capacityFor), [64, 64, 128, 128, 256]);
    assert.deepEqual([0, 7, 8, 23, 55, 56, 63, 64].map(stemCapacity), [8, 8, 16, 24, 56, 64, 64, 128]);
  });

  onEachDevice((device, name) => {
    let model: LanguageModel;
    let whole: Whole;
    before(async () => {
      const loaded = await LanguageModel.load(FOLDER);
      model = new LanguageModel(FOLDER, { ...loaded.config, maxPositionEmbeddings: 1024 }, undefined, loaded.weights);
      whole = new Whole(device(), model);
    });
    after(() => whole.dispose());

    // How a length is cut into portions is the same on every device: there, one token, one portion, and more than one; in the short
    // form rows of unequal length are enough.
    for (const length of name === 'cpu' ? [1, 7, 8, 9, 33, 128, 129, 300] : [1, 8, 129]) {
      itMainly(name, `read ${length} tokens at once as without a cache`, async () => {
        const stepper = baseStepper(device(), model);
        const cache = await stepper.cache(1, length);
        const ids = tokens(length, 1);
        assertClose(await advance(stepper, cache, [ids]), await whole.logits(ids), 1e-4);
        assert.deepEqual([...cache.lengths], [length]);
        cache.dispose();
        await stepper.dispose();
      });
    }

    itOnce(name, 'read tokens in any portions', async () => {
      const stepper = baseStepper(device(), model);
      const ids = tokens(150, 2);
      const expected = await whole.logits(ids);
      for (const portions of [
        [1, 149],
        [149, 1],
        [130, 20],
        [50, 50, 50],
      ]) {
        const cache = await stepper.cache(1, 150);
        let at = 0;
        let logits: number[] = [];
        for (const n of portions) {
          logits = await advance(stepper, cache, [ids.subarray(at, at + n)]);
          at += n;
        }
        assertClose(logits, expected, 1e-4);
        cache.dispose();
      }
      await stepper.dispose();
    });

    it('read rows of unequal length, and none of some', async () => {
      const stepper = baseStepper(device(), model);
      const most = name === 'cpu' || process.env.COLA_SLOW === '1' ? 150 : 40;
      const rows = [tokens(5, 1), tokens(1, 2), tokens(most, 3)];
      const cache = await stepper.cache(3, most + 10);
      const logits = await advance(stepper, cache, rows);
      const { vocabSize } = model.config;
      for (const [b, ids] of rows.entries()) {
        const expected = await whole.logits(ids);
        assertClose(logits.slice(b * vocabSize, (b + 1) * vocabSize), expected, 1e-4);
      }
      const more = tokens(3, 4);
      const next = await advance(stepper, cache, [[], more, []]);
      const expected = await whole.logits(Int32Array.from([...rows[1]!, ...more]));
      assertClose(next.slice(vocabSize, 2 * vocabSize), expected, 1e-4);
      assert.deepEqual([...cache.lengths], [5, 4, most]);
      cache.dispose();
      await stepper.dispose();
    });

    it('go on from chosen rows of a cache, with more room, and leave it as it was', async () => {
      const stepper = baseStepper(device(), model);
      const rows = [tokens(6, 1), tokens(9, 2)];
      const cache = await stepper.cache(2, 20);
      await advance(stepper, cache, rows);
      const picked = await stepper.select(cache, [1, 0, 1], 100);
      assert.deepEqual([picked.batch, picked.capacity, ...picked.lengths], [3, 128, 9, 6, 9]);
      const { vocabSize } = model.config;
      const check = async (logits: number[], order: readonly number[]) => {
        for (const [i, row] of order.entries()) {
          const expected = await whole.logits(Int32Array.from([...rows[row]!, 50 + i]));
          assertClose(logits.slice(i * vocabSize, (i + 1) * vocabSize), expected, 1e-4);
        }
      };
      await check(await advance(stepper, picked, [[50], [51], [52]]), [1, 0, 1]);
      await check(await advance(stepper, cache, [[50], [51]]), [0, 1]);
      picked.dispose();
      cache.dispose();
      await stepper.dispose();
    });

    itOnce(name, 'stand in the memory of the last ones, and see nothing of what it held', async () => {
      const stepper = baseStepper(device(), model);
      const { vocabSize } = model.config;
      const memories = new Set<unknown>();
      for (const [round, seed] of [1, 4].entries()) {
        const start = tokens(20 - 12 * round, seed);
        const read = await stepper.cache(1, 20);
        await advance(stepper, read, [start]);
        const cache = await stepper.branch(read, 2, 12);
        const more = [tokens(9 - 7 * round, seed + 1), tokens(3 - 2 * round, seed + 2)];
        const logits = await advance(stepper, cache, more);
        for (const [b, ids] of more.entries()) {
          const expected = await whole.logits(Int32Array.from([...start, ...ids]));
          assertClose(logits.slice(b * vocabSize, (b + 1) * vocabSize), expected, 1e-4);
        }
        if (device().onHost) for (const key of cache.state.names) memories.add(cache.state.get(key).host);
        cache.dispose();
      }
      if (device().onHost)
        assert.equal(memories.size, 4 * model.config.layers, 'keys and values of stem and rows, once');
      await stepper.dispose();
    });

    const behind = async (model: LanguageModel, whole: Whole) => {
      const stepper = baseStepper(device(), model);
      const starts = [tokens(9, 1), tokens(1, 2)];
      const read = await stepper.cache(2, 9);
      await advance(stepper, read, starts);
      const cache = await stepper.branch(read, 3, 70);
      const { vocabSize } = model.config;
      const texts = [0, 0, 0, 1, 1, 1].map((start) => [...starts[start]!]);
      // More than the first slots hold, in portions of several sizes, and at last none of some rows.
      for (const [round, counts] of [
        [1, 1, 1, 1, 1, 1],
        [3, 1, 2, 1, 7, 1],
        [40, 1, 1, 2, 1, 20],
        [1, 0, 1, 0, 1, 1],
      ].entries()) {
        const more = counts.map((n, b) => tokens(n, 10 * round + b));
        const logits = await advance(stepper, cache, more);
        for (const [b, ids] of more.entries()) {
          if (ids.length === 0) continue;
          texts[b]!.push(...ids);
          const expected = await whole.logits(Int32Array.from(texts[b]!));
          assertClose(logits.slice(b * vocabSize, (b + 1) * vocabSize), expected, 1e-4);
        }
      }
      assert.deepEqual([...cache.lengths], [45, 3, 5, 4, 10, 23]);
      await assert.rejects(
        advance(stepper, cache, [tokens(220, 3), [], [], [], [], []]),
        errorOf('model.contextFull', /255/),
      );
      const { buffers } = device().ledger;
      cache.dispose();
      assert.equal(device().ledger.buffers, buffers - 4 * model.config.layers, 'keys and values of stem and rows');
      await stepper.dispose();
    };

    itMainly(name, 'go on in several rows behind what was read once, however far', () => behind(model, whole));

    itOnce(name, 'do so where some layers see a window', async () => {
      const sliding = { window: 6, layers: [0, 2] };
      const near = new LanguageModel(FOLDER, { ...model.config, sliding }, undefined, model.weights);
      const own = new Whole(device(), near);
      await behind(near, own);
      await own.dispose();
    });

    itOnce(name, 'refuse to outgrow the cache, and leave it as it was', async () => {
      const stepper = baseStepper(device(), model);
      const cache = await stepper.cache(2, 10);
      await advance(stepper, cache, [tokens(30, 1), tokens(2, 2)]);
      await advance(stepper, cache, [tokens(30, 1), []]);
      await assert.rejects(advance(stepper, cache, [tokens(4, 3), tokens(4, 4)]), errorOf('model.contextFull', /63/));
      assert.deepEqual([...cache.lengths], [60, 2]);
      await advance(stepper, cache, [tokens(3, 3), tokens(1, 4)]);
      cache.dispose();
      await stepper.dispose();
    });

    itOnce(name, 'are the same bit for bit where programs have to make room for each other', async () => {
      let bytes = 0;
      for (const { byteLength } of model.weights.values()) bytes += byteLength;
      const narrow = await Device.open('cpu', { threads: 1, layoutRoom: 1.5 * bytes });
      const wide = await Device.open('cpu', { threads: 1 });
      const said: number[][] = [];
      for (const computes of [narrow, wide]) {
        const stepper = baseStepper(computes, model);
        const caches = [await stepper.cache(1, 60), await stepper.cache(2, 60)];
        const logits: number[] = [];
        for (const at of [0, 1, 2, 3, 4]) {
          for (const cache of caches) {
            const next = Array.from({ length: cache.batch }, (_, b) => tokens(at === 0 ? 5 : 1, 7 * at + b));
            logits.push(...(await advance(stepper, cache, next)));
            assert(computes === wide || computes.laidOut.bytes <= 1.5 * bytes);
          }
        }
        assert.equal(computes.ledger.programs, computes === narrow ? 1 : 4);
        said.push(logits);
        for (const cache of caches) cache.dispose();
        await stepper.dispose();
        assert.deepEqual([computes.ledger.programs, computes.laidOut.bytes], [0, 0]);
        await computes.dispose();
      }
      assert.deepEqual(said[0], said[1]);
    });

    it('take weights from a state as well as compiled in', async () => {
      const weights = await uploadWeights(device(), model.weights, model.tensors);
      const stepper = new Stepper(device(), model.config, baseStep(model.config), [weights]);
      const cache = await stepper.cache(1, 10);
      const ids = tokens(10, 5);
      assertClose(await advance(stepper, cache, [ids]), await whole.logits(ids), 1e-4);
      cache.dispose();
      weights.dispose();
      await stepper.dispose();
    });
  });
});
