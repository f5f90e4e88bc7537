import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import { measureForgetting, parameterDistance } from '../../server/evaluate/forgetting.ts';
import { Subject } from '../../server/evaluate/subject.ts';
import { assertClose } from '../support/reference.ts';
import { type Fixture, folder, openFixture } from './fixture.ts';

const limits = { marginalStates: 1000, divergenceStates: 64 };

describe('forgetting', () => {
  let fixture: Fixture;
  let scratch: string;
  before(async () => {
    fixture = await openFixture();
    scratch = mkdtempSync(join(tmpdir(), 'cola-test-'));
  });
  after(async () => {
    rmSync(scratch, { recursive: true });
    await fixture.close();
  });

  /** The model of the fixture with some weights moved. */
  async function tuned(name: string, change: (model: ColaModel) => void): Promise<Subject> {
    const model = await ColaModel.load(folder);
    change(model);
    await model.save(join(scratch, name));
    return Subject.load(fixture.device, join(scratch, name));
  }

  it('is the root of the sum of all squared differences', () => {
    const weights = (...values: number[]) =>
      new Map([
        ['a', Float32Array.from(values.slice(0, 2))],
        ['b', Float32Array.from(values.slice(2))],
      ]);
    const tensors = [
      { name: 'a', shape: [2] },
      { name: 'b', shape: [1] },
    ];
    assert.equal(parameterDistance(weights(1, 2, 3), weights(1, 5, 7), tensors), 5);
    assert.throws(() => parameterDistance(weights(1, 2, 3), new Map(), tensors), { id: 'evaluate.otherSizes' });
  });

  it('finds nothing between a model and itself', async () => {
    const { subject, text } = fixture;
    const found = await measureForgetting(subject, subject, text, limits);
    for (const name of ['distance_base', 'distance_policy', 'loss_change', 'marginal_change', 'kl_action', 'kl_token'])
      assert.equal(found[name], 0, name);
    const { reference } = fixture;
    const logp = reference.floats('marginal.base_logp');
    const v = subject.base.config.vocabSize;
    let nats = 0;
    for (let i = 0; i < text.ids.length; i++) {
      if (i % text.length > 0) nats -= logp[(i - 1) * v + text.ids[i]];
    }
    assertClose([found.loss_before], [nats / (text.count * (text.length - 1))], 1e-5, 'loss');
  });

  it('of a moved policy shows in the policy and in no base', async () => {
    const other = await tuned('policy', (model) => {
      const head = model.weight('policy.head.weight');
      for (let i = 0; i < head.length; i++) head[i] += i % 2 === 0 ? 0.25 : -0.25;
    });
    try {
      const found = await measureForgetting(fixture.subject, other, fixture.text, limits);
      assertClose([found.distance_policy], [0.25 * Math.sqrt(8 * 32)], 1e-5, 'distance');
      assert.equal(found.distance_base, 0);
      assert.equal(found.loss_change, 0);
      assert(found.kl_token > 0 && found.kl_token <= found.kl_action + 1e-9);
      assert.notEqual(found.marginal_change, 0);
    } finally {
      other.dispose();
    }
  });

  it('of a moved base shows in its loss, and compares no policies on different states', async () => {
    const other = await tuned('base', (model) => {
      const norm = model.base.weights.get('model.norm.weight')!;
      norm.fill(0);
    });
    try {
      const found = await measureForgetting(fixture.subject, other, fixture.text, limits);
      // With h = 0 every token is equally likely.
      assertClose([found.loss_after], [Math.log(96)], 1e-5, 'loss');
      assertClose([found.loss_change], [Math.log(96) - found.loss_before], 1e-6, 'change');
      assert(found.distance_base > 0);
      assert.equal(found.distance_policy, 0);
      assert(!('kl_action' in found));
    } finally {
      other.dispose();
    }
  });

  it('without text is the distance alone', async () => {
    const found = await measureForgetting(fixture.subject, fixture.subject, undefined, limits);
    assert.deepEqual(found, { distance_base: 0, distance_policy: 0 });
  });
});
