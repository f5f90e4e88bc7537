import assert from 'node:assert/strict';
import { parseSpec } from '../../server/spec/document.ts';
import { specText } from '../../src/train/spec-templates.ts';
import { type Workers, workerOffers } from '../../src/train/worker-choices.ts';

const cluster = { nodes: 3, cpus: 48, gpus: 0 };
const chosen = (places: Parameters<typeof workerOffers>[0]) => workerOffers(places).map(({ value }) => value);

describe('workers that CoLA: Train… offers', () => {
  it('are those of this machine where it has several cores, and those of a cluster that answers', () => {
    assert.deepEqual(chosen({ cores: 1, ray: null }), [null]);
    const local: Workers = { engine: 'local', workers: 2, threads: 1, gpus: 0, shards: 8 };
    assert.deepEqual(chosen({ cores: 2, ray: null }), [null, local]);
    const ray: Workers = { engine: 'ray', workers: 48, threads: 1, gpus: 0, shards: 48 };
    assert.deepEqual(chosen({ cores: 1, ray: cluster }), [null, ray]);
    assert.deepEqual(chosen({ cores: 2, ray: cluster }), [null, local, ray]);
  });

  it('share the cores, and are no more than there is work for', () => {
    const [, local, ray] = chosen({ cores: 40, ray: { nodes: 100, cpus: 6400, gpus: 800 } });
    assert.deepEqual(local, { engine: 'local', workers: 8, threads: 5, gpus: 0, shards: 8 });
    assert.deepEqual(ray, { engine: 'ray', workers: 64, threads: 1, gpus: 1, shards: 64 });
  });

  it('stand in the spec as they were chosen', () => {
    const answers = { goal: 'answers', data: { kind: 'countdown' }, reward: 'countdown', latent: true } as const;
    for (const workers of chosen({ cores: 4, ray: { ...cluster, gpus: 2 } })) {
      const { spec, problems } = parseSpec(specText({ ...answers, model: 'builtin:nano', workers }), 'x');
      assert.deepEqual(problems, []);
      if (workers === null) {
        assert.equal(spec?.cluster, undefined);
        continue;
      }
      const { threads, ...settings } = workers;
      assert.equal(spec?.threads, threads);
      for (const [name, value] of Object.entries(settings))
        assert.equal(spec?.cluster?.[name as keyof typeof spec.cluster], value, name);
    }
  });
});
