/**
 * Arrays in float64 with plain loops: what the graph's ops are compared with. Nothing here shares code with the graph.
 */
export interface NdArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float64Array;
}

const count = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

/** Every index of a shape in row-major order. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  const total = count(shape);
  for (let flat = 0; flat < total; flat++) {
    const index = new Array<number>(shape.length);
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    yield index;
  }
}

/** The array whose entry at each index is `value(index)`. */
export function from(shape: readonly number[], value: (index: number[]) => number): NdArray {
  return { shape, data: Float64Array.from(indices(shape), value) };
}

/** The entry at `index`, aligned on the right; axes of length 1 and missing ones repeat. */
export function at(x: NdArray, index: readonly number[]): number {
  const lead = index.length - x.shape.length;
  let flat = 0;
  for (const [axis, d] of x.shape.entries()) flat = flat * d + (d === 1 ? 0 : index[axis + lead]);
  return x.data[flat];
}

export function broadcast(...arrays: readonly NdArray[]): number[] {
  const rank = Math.max(...arrays.map((x) => x.shape.length));
  return Array.from({ length: rank }, (_, i) =>
    Math.max(...arrays.map((x) => x.shape[i - rank + x.shape.length] ?? 1)),
  );
}

export function map(f: (...values: number[]) => number, ...arrays: readonly NdArray[]): NdArray {
  return from(broadcast(...arrays), (i) => f(...arrays.map((x) => at(x, i))));
}

export function matmul(a: NdArray, b: NdArray): NdArray {
  const batchOf = (x: NdArray): NdArray => ({ shape: x.shape.slice(0, -2), data: new Float64Array() });
  const inner = a.shape.at(-1)!;
  const shape = [...broadcast(batchOf(a), batchOf(b)), a.shape.at(-2)!, b.shape.at(-1)!];
  return from(shape, (index) => {
    const [batch, m, n] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
    let total = 0;
    for (let k = 0; k < inner; k++) total += at(a, [...batch, m, k]) * at(b, [...batch, k, n]);
    return total;
  });
}

export function transpose(x: NdArray, order: readonly number[]): NdArray {
  return from(
    order.map((axis) => x.shape[axis]),
    (index) => {
      const source = new Array<number>(index.length);
      for (const [i, axis] of order.entries()) source[axis] = index[i];
      return at(x, source);
    },
  );
}

export function transposeLast(x: NdArray): NdArray {
  const order = x.shape.map((_, i) => i);
  return transpose(x, [...order.slice(0, -2), order.length - 1, order.length - 2]);
}

export function reshape(x: NdArray, shape: readonly number[]): NdArray {
  return { shape, data: x.data };
}

/** `f` of all entries along `axes` (counted from 0). */
export function reduce(x: NdArray, axes: readonly number[], keep: boolean, f: (values: number[]) => number): NdArray {
  const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const inner = x.shape.map((d, i) => (axes.includes(i) ? d : 1));
  const full = from(kept, (index) =>
    f(
      [...indices(inner)].map((offset) =>
        at(
          x,
          index.map((v, i) => v + offset[i]),
        ),
      ),
    ),
  );
  return keep
    ? full
    : reshape(
        full,
        kept.filter((_, i) => !axes.includes(i)),
      );
}

/** `f` of every row along the last axis; rows out are as long as rows in. */
export function rows(x: NdArray, f: (row: number[]) => number[]): NdArray {
  const width = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += width) {
    data.set(f(Array.from(x.data.subarray(start, start + width))), start);
  }
  return { shape: x.shape, data };
}

export const total = (values: readonly number[]) => values.reduce((n, v) => n + v, 0);

export function softmaxRow(row: readonly number[]): number[] {
  const exponents = row.map((v) => Math.exp(v));
  return exponents.map((v) => v / total(exponents));
}

/** Central differences of a scalar function for every entry of one of its arrays. */
export function differences(f: (x: NdArray) => number, x: NdArray, h = 1e-5): Float64Array {
  return Float64Array.from(x.data, (value, i) => {
    const moved = (by: number) => {
      const data = x.data.slice();
      data[i] = value + by;
      return f({ shape: x.shape, data });
    };
    return (moved(h) - moved(-h)) / (2 * h);
  });
}

/** Fails unless |actual - expected| <= tolerance * max(1, |expected|) everywhere. */
export function assertClose(
  actual: ArrayLike<number | bigint>,
  expected: ArrayLike<number | bigint>,
  tolerance: number,
  what = 'values',
): void {
  if (actual.length !== expected.length) throw new Error(`${what}: ${actual.length} for ${expected.length} entries`);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [Number(actual[i]), Number(expected[i])];
    if (!(Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e)))) {
      throw new Error(`${what}: entry ${i} is ${a}, expected ${e} within ${tolerance}`);
    }
  }
}
