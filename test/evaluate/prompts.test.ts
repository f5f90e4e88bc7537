import assert from 'node:assert/strict';
import { passAtK } from '../../server/train/measures/prompts.ts';

/** Share of the k-subsets of n samples that hold one of the c that solve, by going through all of them. */
function bruteForce(n: number, c: number, k: number): number {
  let subsets = 0;
  let solved = 0;
  for (let mask = 0; mask < 1 << n; mask++) {
    let size = 0;
    for (let i = 0; i < n; i++) size += (mask >> i) & 1;
    if (size !== k) continue;
    subsets++;
    if ((mask & ((1 << c) - 1)) !== 0) solved++;
  }
  return solved / subsets;
}

describe('pass@k', () => {
  it('is the share of all subsets of k samples in which one solves', () => {
    for (let n = 1; n <= 9; n++) {
      for (let c = 0; c <= n; c++) {
        for (let k = 1; k <= n; k++) {
          const [found, expected] = [passAtK(n, c, k), bruteForce(n, c, k)];
          assert(Math.abs(found - expected) < 1e-12, `${n} ${c} ${k}: ${found} for ${expected}`);
        }
      }
    }
  });

  it('has no value for more than there are samples', () => assert(Number.isNaN(passAtK(4, 2, 5))));
});
