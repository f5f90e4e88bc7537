import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import type { WeightMap } from '../../server/model/language-model.ts';
import { WeightShelf } from '../../server/model/weights/shelf.ts';
import { readSpec } from '../../server/spec/document.ts';
import { startRun } from '../../server/train/run/job.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';

describe('a shelf of weights', () => {
  let root = '';
  let folder = '';
  before(async () => {
    root = await temporaryFolder();
    folder = await makeModel(join(root, 'model'));
  });
  after(() => removeFolder(root));

  it('has the weights of a folder once, until its files change', async () => {
    const shelf = new WeightShelf();
    const [one, two] = [await ColaModel.load(folder, { shelf }), await ColaModel.load(folder, { shelf })];
    for (const [name, values] of one.allWeights) assert.equal(two.allWeights.get(name), values, name);
    const alone = await ColaModel.load(folder);
    const name = 'model.norm.weight';
    assert.notEqual(alone.base.weights.get(name), one.base.weights.get(name));
    const file = join(folder, 'model.safetensors');
    writeFileSync(file, readFileSync(file));
    const later = await ColaModel.load(folder, { shelf });
    assert.notEqual(later.base.weights.get(name), one.base.weights.get(name));
    assert.deepEqual(later.base.weights, one.base.weights);
  });

  it('gives a model its own copy of what it asks for, and of nothing else', async () => {
    const shelf = new WeightShelf();
    const [one, two] = [(await ColaModel.load(folder, { shelf })).base, (await ColaModel.load(folder, { shelf })).base];
    const [norm, embedding] = ['model.norm.weight', 'model.embed_tokens.weight'];
    assert.equal(one.shared.own([norm, 'policy.head.weight']), true);
    assert.equal(one.shared.own([norm]), false);
    assert.equal(one.shared.among([norm, embedding]), embedding);
    const before = two.weights.get(norm)!.slice();
    one.weights.get(norm)!.fill(7);
    assert.deepEqual(two.weights.get(norm), before);
    assert.equal(two.weights.get(embedding), one.weights.get(embedding));
  });

  /** Runs one stage on a model of a folder, with the shelf. @returns the folder of the model it makes */
  async function run(name: string, on: string, stage: string, shelf: WeightShelf): Promise<string> {
    writeFileSync(join(root, 'corpus.txt'), 'const value = 3 * 7;\n'.repeat(200));
    const row = JSON.stringify({ prompt: 'three times seven', response: '21' });
    writeFileSync(join(root, 'answers.jsonl'), `${row}\n`.repeat(20));
    const specFile = join(root, 'shelf.cola.yaml');
    writeFileSync(specFile, `model: ${on}\ndevice: cpu\nthreads: 1\nstages:\n  - ${stage}\n`);
    const { model } = await startRun({
      root,
      runId: name,
      spec: readSpec(specFile),
      specFile,
      signal: new AbortController().signal,
      measure: async () => {},
      shelf,
    });
    return model;
  }

  const changed = (weights: WeightMap, before: WeightMap) =>
    [...weights].filter(([name, values]) => values.some((x, i) => x !== before.get(name)?.[i])).map(([name]) => name);
  const copyOf = (weights: WeightMap) => new Map([...weights].map(([name, values]) => [name, values.slice()]));

  for (const [stage, kept] of [
    ['pretrain: { data: corpus.txt, steps: 2, batch: 2, length: 16 }', 0],
    ['guide: { variant: inverse, data: answers.jsonl, steps: 2, batch: 2, max_length: 32 }', 0],
    ['clone: { data: corpus.txt, steps: 2, batch: 2, length: 16 }', Number.POSITIVE_INFINITY],
  ] as const) {
    it(`is not written by a run of ${stage.split(':')[0]}`, async () => {
      const shelf = new WeightShelf();
      const cola = await ColaModel.load(folder, { shelf });
      const before = copyOf(cola.allWeights);
      const model = await run(stage.split(':')[0], './model', stage, shelf);
      assert.deepEqual(cola.allWeights, before);
      const tuned = (await ColaModel.load(model)).base.weights;
      assert.equal(tuned.size - changed(tuned, before).length, Math.min(kept, tuned.size));
    });
  }

  it('is not written by a run that trains modules which the model has, and the delayed copies of these', async () => {
    const shelf = new WeightShelf();
    const q =
      'q: { prompts: answers.jsonl, chat: false, reward: { length: { max: 9 } }, batch: 2, group: 2, max_new: 4, target_every: 1, steps: 2 }';
    const first = await run('q', './model', q, shelf);
    const cola = await ColaModel.load(first, { shelf });
    const before = copyOf(cola.allWeights);
    const again = await run('q-again', first, q, shelf);
    assert.deepEqual(cola.allWeights, before);
    const modules = changed((await ColaModel.load(again)).weights, before).map((name) => name.split('.')[0]);
    assert.deepEqual([...new Set(modules)].sort(), ['q', 'q_target']);
  });
});
