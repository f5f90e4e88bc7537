/** The divergence of the base from the model that is left when actions are summed out, as cloning may learn it. */
import assert from 'node:assert/strict';
import { marginalDivergence } from '../../server/cola/losses.ts';
import { gradient } from '../../server/graph/gradient.ts';
import * as ops from '../../server/graph/ops.ts';
import { collectStates, type States } from '../../server/train/measures/states.ts';
import { colaOf, type Fixture, openFixture } from '../evaluate/fixture.ts';
import { assertClose } from '../support/reference.ts';

describe('the divergence of the base from the marginal', () => {
  let fixture: Fixture;
  let states: States;
  before(async () => {
    fixture = await openFixture();
    const { subject, text } = fixture;
    states = await collectStates(subject, colaOf(fixture), text, { limit: Number.MAX_SAFE_INTEGER, last: true });
  });
  after(() => fixture.close());

  /** At all states: each, and the gradient of the mean by the policy's logits `[K,N]`. */
  async function at(policy: Float32Array) {
    const { subject, device } = fixture;
    const { config } = subject.base;
    const cola = colaOf(fixture);
    const { count } = states;
    const n = cola.config.numCodes;
    const graph = device.graph();
    const h = graph.input('h', 'float32', [count, config.hiddenSize]);
    const logits = graph.input('policy', 'float32', [count, n]);
    const each = marginalDivergence({ graph, config, cola: cola.config }, h, logits);
    const [slope] = gradient(ops.mean(each), [logits]);
    const program = await device.compile({ each, slope });
    const results = await program.run({ h: states.h, policy }, { states: [subject.weights] });
    const found = {
      each: (await results.each.readFloats()).slice(),
      slope: (await results.slope.readFloats()).slice(),
    };
    for (const buffer of Object.values(results)) buffer.release();
    await program.dispose();
    return found;
  }
  const mean = (values: Float32Array) => values.reduce((sum, x) => sum + x, 0) / values.length;

  it('is that of the reference', async () => {
    const { each } = await at(states.policy);
    assertClose([mean(each)], fixture.reference.floats('marginal.kl_base_marginal'), 1e-5);
  });

  it('has the gradient that differences have, and falls along it', async () => {
    const { each, slope } = await at(states.policy);
    const norm = Math.sqrt(slope.reduce((sum, x) => sum + x * x, 0));
    assert.ok(norm > 1e-3);
    const moved = async (by: number) => mean((await at(states.policy.map((x, i) => x + (by * slope[i]) / norm))).each);
    const step = 0.05 / norm;
    assertClose([((await moved(step)) - (await moved(-step))) / (2 * step)], [norm], 0.02 * norm);
    assert.ok((await moved(-20 * step)) < mean(each));
  });
});
