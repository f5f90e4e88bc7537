/** Random trees as the page knows them. */
import fc from 'fast-check';
import { TreeModel } from '../../webview/tree/model.ts';
import { gamma, randomGrowth } from '../support/random-search.ts';

export function randomTree(simulations: number, breadth: number, seed: number): TreeModel {
  const model = new TreeModel(gamma);
  model.append(randomGrowth(simulations, breadth, seed));
  return model;
}

export const anyTree = fc
  .tuple(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 1, max: 6 }), fc.integer())
  .map(([simulations, breadth, seed]) => randomTree(simulations, breadth, seed));
