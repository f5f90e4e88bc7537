import assert from 'node:assert/strict';
import fc from 'fast-check';
import { klDivergence, policyDivergence } from '../../server/train/measures/divergence.ts';
import { softmaxRow } from '../support/reference.ts';

const logits = (n: number) => fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: n, maxLength: n });

describe('divergence of policies', () => {
  it('is the sum over the codes', () => {
    const [p, q] = [
      [0.5, 0.25, 0.25],
      [0.25, 0.25, 0.5],
    ];
    const expected = 0.5 * Math.log(2) + 0.25 * Math.log(0.5);
    assert(Math.abs(klDivergence(p, q) - expected) < 1e-12);
    assert.equal(klDivergence([1, 0], [1, 0]), 0);
  });

  it('counts no drift among codes of one token', () => {
    const current = Float32Array.of(3, -1, 0.5);
    const reference = Float32Array.of(-1, 3, 0.5);
    const { choice, token } = policyDivergence(current, reference, 3, Int32Array.of(7, 7, 9));
    assert(choice > 1);
    assert(Math.abs(token) < 1e-9);
  });

  it('adds up the probabilities of each token', () => {
    const [a, b] = [
      [1, 2, 0, -1],
      [0, 0, 1, 1],
    ];
    const [p, q] = [softmaxRow(a), softmaxRow(b)];
    const P = [p[0] + p[2], p[1] + p[3]];
    const Q = [q[0] + q[2], q[1] + q[3]];
    const expected = P.reduce((sum, x, i) => sum + x * Math.log(x / Q[i]), 0);
    const found = policyDivergence(Float32Array.from(a), Float32Array.from(b), 4, Int32Array.of(5, 6, 5, 6));
    assert(Math.abs(found.token - expected) < 1e-6);
  });

  it('over tokens is between 0 and that over actions', () => {
    const cases = fc
      .integer({ min: 1, max: 12 })
      .chain((n) =>
        fc.tuple(logits(n), logits(n), fc.array(fc.integer({ min: 0, max: 4 }), { minLength: n, maxLength: n })),
      );
    fc.assert(
      fc.property(cases, ([a, b, tokens]) => {
        const n = a.length;
        const found = policyDivergence(Float32Array.from(a), Float32Array.from(b), n, Int32Array.from(tokens));
        assert(found.token >= -1e-9 && found.token <= found.choice + 1e-9);
      }),
    );
  });

  it('is that over choices where choices are tokens', () => {
    const { choice, token } = policyDivergence(Float32Array.of(1, 0, 2), Float32Array.of(0, 0, 0), 3, undefined);
    assert.equal(choice, token);
    assert(choice > 0);
  });
});
