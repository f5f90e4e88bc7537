import assert from 'node:assert/strict';
import { measureMarginal } from '../../server/evaluate/marginal.ts';
import { spread } from '../../server/train/measures/states.ts';
import { assertClose } from '../support/reference.ts';
import { colaOf, type Fixture, openFixture } from './fixture.ts';

describe('the marginal language model', () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await openFixture();
  });
  after(() => fixture.close());

  it('has the divergences of the reference over all positions', async () => {
    const { subject, text, reference } = fixture;
    const found = await measureMarginal(subject, colaOf(fixture), text, Number.MAX_SAFE_INTEGER);
    for (const name of ['kl_marginal_base', 'kl_base_marginal'] as const)
      assertClose([found[name]], reference.floats(`marginal.${name}`), 1e-5, name);
  });

  it('has the cross entropies that follow from the log-probabilities of the reference', async () => {
    const { subject, text, reference } = fixture;
    const found = await measureMarginal(subject, colaOf(fixture), text, Number.MAX_SAFE_INTEGER);
    for (const [name, stored] of [
      ['cross_entropy', 'marginal.logp'],
      ['base_cross_entropy', 'marginal.base_logp'],
    ] as const) {
      const logp = reference.floats(stored);
      const vocabulary = reference.shape(stored)[2];
      let sum = 0;
      for (let b = 0; b < text.count; b++) {
        for (let t = 0; t + 1 < text.length; t++) {
          const at = b * text.length + t;
          sum -= logp[at * vocabulary + text.ids[at + 1]];
        }
      }
      assertClose([found[name]], [sum / (text.count * (text.length - 1))], 1e-5, name);
    }
  });

  it('does not depend on how many rows fit into a run', async () => {
    const { subject, text } = fixture;
    const cola = colaOf(fixture);
    const whole = await measureMarginal(subject, cola, text, 1000);
    const perRow = cola.config.numCodes * subject.base.config.vocabSize;
    for (const rows of [1, 3, 7]) {
      const cut = await measureMarginal(subject, cola, text, 1000, rows * perRow);
      for (const [name, value] of Object.entries(whole))
        assertClose([cut[name]], [value], 1e-6, `${name}, ${rows} rows`);
    }
  });

  it('never holds more rows than the budget allows', async () => {
    const { subject, text, device } = fixture;
    const rows: number[] = [];
    const watched = {
      device: Object.create(device, {
        compile: {
          value: (outputs: Record<string, { shape: readonly number[] }>, options: object) => {
            if (outputs.cross_entropy !== undefined) rows.push(outputs.cross_entropy.shape[0]);
            return device.compile(outputs as never, options);
          },
        },
      }),
      base: subject.base,
      weights: subject.weights,
    };
    const cola = colaOf(fixture);
    await measureMarginal(watched, cola, text, 1000, 4 * cola.config.numCodes * subject.base.config.vocabSize);
    assert.deepEqual(rows, [4]);
  });

  it('takes a subset of positions that is spread evenly', () => {
    assert.deepEqual([...spread(10, 5)], [0, 2, 4, 6, 8]);
    assert.deepEqual([...spread(3, 5)], [0, 1, 2]);
    assert.equal(new Set(spread(1000, 999)).size, 999);
  });
});
