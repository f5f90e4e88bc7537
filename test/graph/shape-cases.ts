/** The cases of the ops in `server/graph/ops.ts` that rearrange, cut and look up. */
import * as ops from '../../server/graph/ops.ts';
import { at, from, type NdArray, reshape, transpose, transposeLast } from '../support/reference.ts';
import { flat, identity, ids, type OpCase, real, smooth, values, wide } from './case.ts';

const spread =
  (...shape: number[]) =>
  (x: NdArray) =>
    from(shape, (index) => at(x, index));
/** The entries from `start` to `end` along one axis. */
const cut = (axis: number, start: number, end: number) => (x: NdArray) =>
  from(
    x.shape.map((d, i) => (i === axis ? end - start : d)),
    (index) =>
      at(
        x,
        index.map((v, i) => (i === axis ? v + start : v)),
      ),
  );
const slices = [
  [0, 0, 1],
  [1, 1, 3],
  [-1, 2, 4],
  [2, 1, 3],
  [1, 0, 3],
];
const shapes: OpCase[] = [
  smooth(
    'reshape',
    [real(2, 3, 4)],
    (x) => ops.reshape(x, [6, 4]),
    (x) => reshape(x, [6, 4]),
  ),
  smooth(
    'reshape',
    [real(2, 3, 4)],
    (x) => ops.reshape(x, [-1, 2]),
    (x) => reshape(x, [12, 2]),
  ),
  smooth('reshape', [real(2, 3)], (x) => ops.reshape(x, [2, 3]), identity),
  smooth(
    'reshape',
    [real(1)],
    (x) => ops.reshape(x, []),
    (x) => reshape(x, []),
  ),
  smooth(
    'transpose',
    [real(2, 3, 4)],
    (x) => ops.transpose(x, [2, 0, 1]),
    (x) => transpose(x, [2, 0, 1]),
  ),
  smooth('transpose', [real(2, 3)], (x) => ops.transpose(x, [0, 1]), identity),
  smooth('transposeLast', [real(2, 3, 4)], ops.transposeLast, transposeLast),
  smooth('expand', [real(3, 1)], (x) => ops.expand(x, [2, 3, 4]), spread(2, 3, 4)),
  smooth('expand', [real()], (x) => ops.expand(x, [2, 3]), spread(2, 3)),
  smooth('expand', [real(2, 3)], (x) => ops.expand(x, [2, 3]), identity),
  flat('expand', [ids(5, 3, 1)], (x) => ops.expand(x, [3, 2]), spread(3, 2)),
  ...slices.map(([axis, start, end]) => {
    const a = axis < 0 ? axis + 3 : axis;
    return smooth('slice', [real(2, 3, 4)], (x) => ops.slice(x, axis, start, end), cut(a, start, end));
  }),
  flat('slice', [ids(5, 2, 6)], (x) => ops.slice(x, 1, 1, 4), cut(1, 1, 4)),
  flat('slice', [ids(5, 4, 3)], (x) => ops.slice(x, 0, 3, 4), cut(0, 3, 4)),
  ...[0, 1, -1].map((axis) => {
    const shape = (n: number) => (axis === 0 ? [n, 3] : [3, n]);
    const along = axis === 0 ? 0 : 1;
    const starts = [0, 2, 3];
    return smooth(
      'concat',
      [real(...shape(2)), real(...shape(1)), real(...shape(3))],
      (...parts) => ops.concat(parts, axis),
      (...parts) =>
        from(shape(6), (index) => {
          const which = index[along] < 2 ? 0 : index[along] < 3 ? 1 : 2;
          return at(
            parts[which],
            index.map((v, i) => (i === along ? v - starts[which] : v)),
          );
        }),
    );
  }),
  smooth('concat', [real(2, 3)], (x) => ops.concat([x], 0), identity),
  flat(
    'concat',
    [ids(5, 2), ids(5, 3)],
    (x, y) => ops.concat([x, y], 0),
    (x, y) => ({
      shape: [5],
      data: Float64Array.of(...x.data, ...y.data),
    }),
  ),
];

const lookup = (table: NdArray, index: NdArray) =>
  from([...index.shape, ...table.shape.slice(1)], (i) =>
    at(table, [at(index, i.slice(0, index.shape.length)), ...i.slice(index.shape.length)]),
  );
const picked = (x: NdArray, index: NdArray) => from(index.shape, (i) => at(x, [...i, at(index, i)]));
const added = (x: NdArray, index: NdArray, update: NdArray) =>
  from(x.shape, (i) => {
    const row = i.slice(0, -1);
    return at(x, i) + (at(index, row) === i.at(-1) ? at(update, row) : 0);
  });
const summed = (index: NdArray, x: NdArray) =>
  from([4, x.shape[1]], ([row, column]) => {
    let sum = 0;
    for (const [i, id] of index.data.entries()) if (id === row) sum += at(x, [i, column]);
    return sum;
  });
const replaced = (x: NdArray, index: NdArray, updates: NdArray) =>
  from(x.shape, ([i, j, k]) => {
    const hit = [0, 1].find((n) => at(index, [n, 0]) === i && at(index, [n, 1]) === j);
    return hit === undefined ? at(x, [i, j, k]) : at(updates, [hit, k]);
  });
const indexing: OpCase[] = [
  flat('numbers', [wide(5, 2, 4)], (indices) => ops.numbers(indices, 5), identity),
  smooth('gather', [real(5, 3), ids(5, 7)], ops.gather, lookup),
  smooth('gather', [real(5, 3), ids(5, 2, 4)], ops.gather, lookup),
  smooth('gather', [real(5, 2, 3), ids(5, 4)], ops.gather, lookup),
  smooth('gather', [real(5), ids(5, 4)], ops.gather, lookup),
  smooth('pick', [real(3, 5), ids(5, 3)], ops.pick, picked),
  smooth('pick', [real(2, 3, 5), ids(5, 2, 3)], ops.pick, picked),
  smooth('addAt', [real(3, 5), ids(5, 3), real(3)], ops.addAt, added),
  smooth('addAt', [real(2, 3, 5), ids(5, 2, 3), real(2, 3)], ops.addAt, added),
  smooth('sumRows', [ids(4, 9), real(9, 3)], (index, x) => ops.sumRows(index, x, 4), summed),
  // All to one row: the sum must not lose any of them.
  smooth('sumRows', [values(ids(4, 3), 2, 2, 2), real(3, 2)], (index, x) => ops.sumRows(index, x, 4), summed),
  smooth('scatter', [real(2, 3, 4), values(wide(3, 2, 2), 0, 2, 1, 0), real(2, 4)], ops.scatter, replaced),
];

export const shapeCases: readonly OpCase[] = [...shapes, ...indexing];
