import assert from 'node:assert/strict';
import type { ListedModel } from '../../server/protocol/index.ts';
import { inGroups, modelFacts, titleOf } from '../../src/model-words.ts';

const model = (more: Partial<ListedModel>): ListedModel => ({
  name: '/store/x',
  folder: '/store/x',
  latent: false,
  source: 'ollama',
  ...more,
});

describe('what a list says of a model', () => {
  it('is its name in its store, or else that of its folder', () => {
    assert.equal(titleOf(model({ title: 'qwen3:0.6b' })), 'qwen3:0.6b');
    assert.equal(titleOf(model({})), 'x');
  });

  it('is its size and family, and what stands in its way', () => {
    assert.deepEqual(modelFacts(model({ bytes: 1.2e9, family: 'qwen3', fits: 'yes', latent: true })), [
      '1.2 GB',
      'qwen3',
    ]);
    assert.deepEqual(modelFacts(model({ bytes: 16e9, family: 'llama', fits: 'in 4 bits' })), [
      '16.0 GB',
      'llama',
      'no latent actions yet',
      'fits in 4 bits',
    ]);
    assert.deepEqual(modelFacts(model({ fits: 'no' })), ['no latent actions yet', 'too large for this machine']);
  });

  it('stands under what can be done with it', () => {
    const groups = inGroups([
      model({ problem: 'no' }),
      model({}),
      model({ latent: true }),
      model({ latent: true, name: 'b' }),
    ]);
    assert.deepEqual(
      groups.map(({ models }) => models.length),
      [2, 1, 1],
    );
    assert.match(groups[1]!.heading, /training gives them/);
    assert.deepEqual(inGroups([]), []);
  });
});
