import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import { type TensorToWrite, writeSafetensors } from '../../server/files/safetensors-writer.ts';
import { configsOf } from '../../server/train/run/spec-memory.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const fixture = join(import.meta.dirname, '../fixtures/cola/n8-plain');

describe('a folder with latent actions', () => {
  const scratch = scratchFolder();
  const copy = () => {
    cpSync(fixture, scratch('model'), { recursive: true });
    return scratch('model');
  };
  const edit = (folder: string, change: (json: Record<string, unknown>) => void) => {
    const file = join(folder, 'cola.json');
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    change(json);
    writeFileSync(file, JSON.stringify(json));
  };
  /** The modules' file again, with other tensors. */
  const rewrite = async (folder: string, change: (tensors: Map<string, TensorToWrite>) => void) => {
    const model = await ColaModel.load(folder);
    const tensors = new Map<string, TensorToWrite>(
      model.tensors.map(({ name, shape }) => [name, { name, shape, dtype: 'F32', data: model.weight(name).slice() }]),
    );
    change(tensors);
    await writeSafetensors(join(folder, 'cola.safetensors'), [...tensors.values()]);
  };

  it('comes back as it was saved, notes and all', async () => {
    const model = await ColaModel.load(fixture);
    await model.save(scratch('saved'), { notes: { steps: 12 } });
    const again = await ColaModel.load(scratch('saved'));
    assert.deepEqual({ ...again.config, base: '' }, { ...model.config, base: '' });
    assert.deepEqual(again.weights, model.weights);
    assert.deepEqual(again.base.weights, model.base.weights);
    assert.equal(again.notes.steps, 12);
    assert.deepEqual(again.notes.hyper, model.notes.hyper);
  });

  it('in half precision differs by no more than that', async () => {
    const model = await ColaModel.load(fixture);
    await model.save(scratch('half'), { dtype: 'F16' });
    const again = await ColaModel.load(scratch('half'));
    for (const [name, values] of model.weights)
      for (const [i, x] of values.entries()) {
        const y = again.weight(name)[i];
        assert(Math.abs(x - y) <= Math.abs(x) * 2 ** -11 + 2 ** -25, `${name} ${x} ${y}`);
      }
  });

  it('needs cola.json', async () => {
    const folder = copy();
    rmSync(join(folder, 'cola.json'));
    await assert.rejects(ColaModel.load(folder), errorOf('cola.noCola'));
  });

  for (const [what, value, says] of [
    ['num_codes', 0, /num_codes/],
    ['num_codes', 1e6, /num_codes/],
    ['idm_layers', 1.5, /idm_layers/],
    ['merge_layers', undefined, /merge_layers/],
    ['world_residual', 'no', /world_residual/],
  ] as const) {
    it(`refuses ${what} = ${value}`, async () => {
      const folder = copy();
      edit(folder, (json) => {
        json[what] = value;
      });
      await assert.rejects(ColaModel.load(folder), errorOf('cola.config', says));
    });
  }

  it('refuses a configuration that no model has the size of, before it is read', async () => {
    const folder = copy();
    truncateSync(join(folder, 'cola.json'), 2 ** 40);
    for (const load of [() => ColaModel.load(folder), () => configsOf(folder)])
      await assert.rejects(load, errorOf('config.tooLarge', /cola\.json/));
  });

  it('refuses a configuration that is no JSON', async () => {
    const folder = copy();
    writeFileSync(join(folder, 'cola.json'), '{"num_codes": 8');
    await assert.rejects(ColaModel.load(folder), errorOf('cola.config', /cola\.json/));
  });

  it('says which tensor has another shape than the configuration calls for', async () => {
    const folder = copy();
    edit(folder, (json) => {
      json.num_codes = 9;
    });
    await assert.rejects(ColaModel.load(folder), errorOf('cola.shape', /\[8, 32\] .* \[9, 32\]/));
  });

  it('refuses tensors that no module has, and values that are not numbers', async () => {
    const folder = copy();
    edit(folder, (json) => {
      json.idm_layers = 1;
    });
    await assert.rejects(ColaModel.load(folder), errorOf('cola.extra', /idm\.blocks\.1/));
    edit(folder, (json) => {
      json.idm_layers = 2;
    });
    await rewrite(folder, (tensors) => {
      const { data } = tensors.get('merge.1.w2.weight')!;
      (data as Float32Array)[17] = Number.NaN;
    });
    await assert.rejects(ColaModel.load(folder), errorOf('cola.notFinite', /merge\.1\.w2\.weight/));
  });

  it('may lack modules, until they are asked for', async () => {
    const folder = copy();
    await rewrite(folder, (tensors) => {
      tensors.delete('q.norm.weight');
      for (const name of tensors.keys()) if (name.startsWith('idm.')) tensors.delete(name);
    });
    const model = await ColaModel.load(folder);
    assert(model.has('policy') && !model.has('idm') && !model.has('q'));
    model.require('world', 'policy', 'q_target');
    assert.throws(() => model.require('q'), errorOf('cola.missing', /lacks q\.norm\.weight\./));
    assert.throws(() => model.require('idm'), errorOf('cola.missing', /has no idm: .* and \d+ more/));
  });
});
