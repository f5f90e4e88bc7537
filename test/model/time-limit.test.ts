/** Limits of time for what a model folder brings along. */
import assert from 'node:assert/strict';
import { within } from '../../server/model/time-limit.ts';

/** Nobody wakes a thread that waits here. */
const nobody = new Int32Array(new SharedArrayBuffer(4));

describe('a limit of time', () => {
  it('ends what computes for longer', () => {
    let attempts = 0;
    const endless = () => {
      attempts++;
      for (;;);
    };
    assert.equal(within(200, endless), undefined);
    // One, where nothing else computes.
    assert.ok(attempts <= 5, `${attempts} attempts`);
  });

  it('is not that of the clock: what had no turn meanwhile is tried again', () => {
    let attempts = 0;
    const slept = () => {
      attempts++;
      if (attempts < 3) for (let i = 0; i < 100; i++) Atomics.wait(nobody, 0, 0, 50);
      return 'there';
    };
    assert.deepEqual(within(200, slept), { value: 'there' });
    assert.equal(attempts, 3);
  });

  it('hands on what is thrown', () => {
    assert.throws(() => within(1000, () => assert.fail('thrown')), /thrown/);
  });
});
