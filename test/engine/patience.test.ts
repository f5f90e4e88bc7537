import assert from 'node:assert/strict';
import { Patience } from '../../server/engine/patience.ts';

describe('patience', () => {
  it('is asked of training while somebody uses the editor, and a minute longer', () => {
    let now = 0;
    const patience = new Patience(() => now);
    assert.equal(patience.longestRun, Number.POSITIVE_INFINITY);
    patience.asked();
    patience.milliseconds = 40;
    assert.equal(patience.longestRun, 0.04);
    now = 59_999;
    assert.equal(patience.longestRun, 0.04);
    now = 60_000;
    assert.equal(patience.longestRun, Number.POSITIVE_INFINITY);
    patience.asked();
    assert.equal(patience.longestRun, 0.04);
  });
});
