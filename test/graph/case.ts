/** The form of a case of the op suite: inputs, the graph under test, and an independent formula in float64. */
import type { DType, Tensor } from '../../server/graph/tensor.ts';
import { map, type NdArray, total } from '../support/reference.ts';

/** An input of a case: values are drawn from [low, high), or given. */
export interface Given {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly low: number;
  readonly high: number;
  readonly values?: readonly number[];
}

export interface OpCase {
  /** The export of `ops` or `functions` the case is for. */
  readonly of: string;
  readonly inputs: readonly Given[];
  readonly build: (...inputs: Tensor[]) => Tensor;
  readonly reference: (...inputs: NdArray[]) => NdArray;
  /** Whether the gradients of its float32 inputs are compared with differences; else they must be zero. */
  readonly smooth: boolean;
  /** Positions of float32 inputs that are constants of the op and have no gradient. */
  readonly fixed?: readonly number[];
}

export const real = (...shape: number[]): Given => ({ shape, dtype: 'float32', low: -2, high: 2 });
export const positive = (...shape: number[]): Given => ({ shape, dtype: 'float32', low: 0.3, high: 2.5 });
export const bool = (...shape: number[]): Given => ({ shape, dtype: 'bool', low: 0, high: 2 });
export const ids = (below: number, ...shape: number[]): Given => ({ shape, dtype: 'int32', low: 0, high: below });
export const wide = (below: number, ...shape: number[]): Given => ({ ...ids(below, ...shape), dtype: 'int64' });
export const values = (given: Given, ...list: number[]): Given => ({ ...given, values: list });

/** A case whose gradients are compared with differences. */
export function smooth(
  of: string,
  inputs: readonly Given[],
  build: OpCase['build'],
  reference: OpCase['reference'],
  fixed?: readonly number[],
): OpCase {
  return { of, inputs, build, reference, smooth: true, ...(fixed === undefined ? {} : { fixed }) };
}

/** A case through which no gradient flows. */
export function flat(
  of: string,
  inputs: readonly Given[],
  build: OpCase['build'],
  reference: OpCase['reference'],
): OpCase {
  return { of, inputs, build, reference, smooth: false };
}

/** The formula that applies `f` to every entry, with broadcasting. */
export const each =
  (f: (...values: number[]) => number): OpCase['reference'] =>
  (...arrays) =>
    map(f, ...arrays);

export const identity = (x: NdArray) => x;
export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
export const average = (list: readonly number[]) => total(list) / list.length;
