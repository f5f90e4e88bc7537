import assert from 'node:assert/strict';
import { newcombe, shareChange, wilson } from '../../server/protocol/shares.ts';

const rounded = ({ low, high }: { low: number; high: number }) => [low.toFixed(4), high.toFixed(4)];

describe('shares', () => {
  it('have the intervals of Wilson, as published', () => {
    assert.deepEqual(rounded(wilson(81 / 263, 263)), ['0.2553', '0.3662']);
    assert.deepEqual(rounded(wilson(0, 10)), ['0.0000', '0.2775']);
    assert.deepEqual(rounded(wilson(0.5, 10)), ['0.2366', '0.7634']);
  });

  it('differ within the intervals of Newcombe, as published', () => {
    assert.deepEqual(rounded(newcombe(48 / 80, 80, 56 / 70, 70)), ['0.0524', '0.3339']);
    assert.deepEqual(rounded(newcombe(56 / 70, 70, 48 / 80, 80)), ['-0.3339', '-0.0524']);
  });

  it('change only where that is beyond chance, and nothing is told of too few', () => {
    assert.equal(shareChange(0, 1, 1), 'unknown');
    assert.equal(shareChange(0, 1, 19), 'unknown');
    assert.equal(shareChange(0.5, 0.5, 30), 'unknown');
    assert.equal(shareChange(0.3, 0.34, 200), 'none');
    assert.equal(shareChange(0.3, 0.5, 200), 'rises');
    assert.equal(shareChange(0.5, 0.3, 200), 'falls');
  });
});
