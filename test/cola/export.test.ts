import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportModel } from '../../server/cola/export.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { cola, listing } from '../cli/cola.ts';
import { makeModel } from '../engine/tiny-model.ts';
import { scratchFolder } from '../store/scratch.ts';

const files = ['config.json', 'tokenizer.json', 'model.safetensors', 'cola.json', 'cola.safetensors', 'actions.json'];

describe('cola export', () => {
  const folder = scratchFolder();

  it('writes an adapter as it is, or with --merge a whole model; fit counts it', async () => {
    const adapter = join(import.meta.dirname, '../fixtures/peft/plain');
    const apart = await cola(['export', adapter, folder('apart'), '--dtype', 'f32', '--json']);
    assert.equal(apart.code, 0);
    assert(existsSync(folder('apart/adapter_model.safetensors')) && !existsSync(folder('apart/model.safetensors')));
    const { code } = await cola(['export', adapter, folder('merged'), '--merge', '--dtype', 'f32']);
    assert.equal(code, 0);
    assert(existsSync(folder('merged/model.safetensors')) && !existsSync(folder('merged/adapter_config.json')));
    const texts = await Promise.all(
      ['apart', 'merged'].map((name) =>
        cola(['generate', '--model', folder(name), '--prompt', 'a', '--max-new', '8', '--json']),
      ),
    );
    assert.equal(texts[0].code, 0);
    const [one, other] = texts.map(({ stdout }) => ({ ...JSON.parse(stdout), seconds: 0 }));
    assert.deepEqual(one, other);
    const { stdout } = await cola(['fit', adapter, '--length', '64']);
    assert.match(stdout, /weights, \d,\d{3} of an adapter beside them/);
  });

  it('writes a model in float16 that loads, half as large, and is the same when it is done again', async () => {
    await makeModel(folder('model'));
    const { code, stdout } = await cola(['export', folder('model'), folder('half'), '--json']);
    assert.equal(code, 0);
    const { parameters, bytes, largest } = JSON.parse(stdout);
    const full = await exportModel(folder('model'), folder('full'), 'F32');
    assert.equal(full.largest, 0);
    assert.equal(full.parameters, parameters);
    assert(full.bytes - bytes >= 2 * parameters, `${full.bytes} and ${bytes} bytes`);
    // Half a unit in the last place of the largest weights.
    const weights = [...(await ColaModel.load(folder('model'))).allWeights.values()];
    const top = Math.max(...weights.flatMap((values) => [...values].map(Math.abs)));
    assert(largest > 0 && largest <= top * 2 ** -11);

    await exportModel(folder('half'), folder('again'), 'F16');
    await exportModel(folder('model'), folder('half'), 'F16', { replace: true });
    for (const name of files)
      assert(readFileSync(folder(`half/${name}`)).equals(readFileSync(folder(`again/${name}`))), name);
  });

  it('leaves a folder alone that holds something else', async () => {
    mkdirSync(folder('papers'));
    writeFileSync(folder('papers/thesis.txt'), 'years of work');
    const { code, stderr } = await cola(['export', await makeModel(folder('model')), folder('papers')]);
    assert.equal(code, 2);
    assert.match(stderr, /cola\.noModelThere/);
    assert.equal(readFileSync(folder('papers/thesis.txt'), 'utf8'), 'years of work');
  });

  it('replaces a model that is there only where that is said, and never itself', async () => {
    const model = await makeModel(folder('model'));
    assert.equal((await cola(['export', model, folder('half')])).code, 0);
    writeFileSync(folder('half/notes.txt'), 'what I found');
    const before = listing(folder('half'));
    const refused = await cola(['export', model, folder('half')]);
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /would lose what it holds: .*config\.json.*notes\.txt.* MB\.\n.*--force.*\n\[cola\.modelThere\]/,
    );
    assert.deepEqual(listing(folder('half')), before);
    assert.equal((await cola(['export', model, folder('half'), '--force'])).code, 0);
    assert(!existsSync(folder('half/notes.txt')));

    const own = listing(model);
    for (const target of [model, join(model, '..')]) {
      const { code, stderr } = await cola(['export', model, target, '--force']);
      assert.equal(code, 2);
      assert.match(stderr, /\[cola\.intoItself\]/);
    }
    assert.deepEqual(listing(model), own);
  });

  it('refuses a weight that float16 cannot hold, and writes nothing', async () => {
    const model = await ColaModel.load(await makeModel(folder('model')));
    model.weight('codebook.weight')[3] = 1e5;
    await model.save(folder('large'));
    const { code, stderr } = await cola(['export', folder('large'), folder('half')]);
    assert.equal(code, 2);
    assert.match(stderr, /cola\.tooLarge/);
    assert(!existsSync(folder('half')));
    assert.equal((await cola(['export', folder('large'), folder('full'), '--dtype', 'f32'])).code, 0);
  });
});
