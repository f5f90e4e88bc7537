/** Orders of rows that follow from a seed. */
import { Random } from '../random.ts';

/** The order of 0..n-1 in one epoch. Every epoch of a seed has its own. */
export function epochOrder(seed: number, epoch: number, n: number): Uint32Array {
  return new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b)).permutation(n);
}
