/**
 * A graph as a chain of smaller ones that are run one after the other, with the same values: between two of them others may
 * compute. What one of them makes and a later one reads crosses, and is kept in memory of the caller's, which is planned here.
 */
import { secondsOf } from './cost.ts';
import * as ops from './ops.ts';
import { elementSize, nodeOf, size, type Tensor } from './tensor.ts';

/** A part of a graph. */
export interface Piece {
  /** Tensors of earlier pieces that it reads. */
  readonly given: readonly Tensor[];
  /** What it makes for later pieces or for the caller. */
  readonly makes: readonly Tensor[];
  /** Where one product alone would take too long: the rows of it that this piece makes, after the rows of the pieces before. */
  readonly rows?: Rows | undefined;
  /** Estimated seconds. */
  readonly seconds: number;
}

/** Rows of a product of matrices. */
export interface Rows {
  readonly product: Tensor;
  readonly from: number;
  readonly to: number;
}

/** A part has at least so many rows: kernels take some at once, and a single one in another way. */
const fewestRows = 16;

/** Whether rows of it can be made one after the other: it is a product of two matrices. */
function hasRows(tensor: Tensor): boolean {
  const node = nodeOf(tensor);
  if (node === undefined || (node.op !== 'MatMul' && node.op !== 'Gemm')) return false;
  return node.inputs.length === 2 && node.inputs.every(({ shape }) => shape.length === 2);
}

/**
 * The bounds of the parts that a product of `[M,K]` and `[K,N]` is made in. The kernel shares a product among threads along the
 * longer of M and N, and adds in another order where a thread's share of N is narrow: so a part is longer where the whole is.
 */
function boundsOf({ shape: [m, n] }: Tensor, parts: number): number[] {
  const most = Math.max(1, Math.floor(m / (m > n ? n + 1 : fewestRows)));
  const count = Math.min(parts, most);
  return Array.from({ length: count + 1 }, (_, i) => Math.floor((i * m) / count));
}

/** Some rows of a product, as a tensor of its own. Each of its numbers is the sum that it is in the whole. */
export function rowsOf({ product, from, to }: Rows): Tensor {
  const node = nodeOf(product);
  if (node === undefined) throw new Error('only a product has rows that can be made one after the other');
  const [a, b] = node.inputs;
  if (node.op === 'MatMul') return ops.matmul(ops.slice(a, 0, from, to), b);
  const set = (name: string) => {
    const attribute = node.attributes[name];
    return attribute !== undefined && 'int' in attribute && attribute.int === 1;
  };
  const [transA, transB] = [set('transA'), set('transB')];
  return ops.gemm(ops.slice(a, transA ? 1 : 0, from, to), b, transA, transB);
}

/** Ops that cost nothing, or next to it in the kernel behind them: whoever reads their output does them again. */
function isFree(tensor: Tensor): boolean {
  const node = nodeOf(tensor);
  if (node === undefined) return false;
  if (node.op === 'Reshape' || node.op === 'Identity') return true;
  const perm = node.attributes.perm;
  if (node.op !== 'Transpose' || perm === undefined || !('ints' in perm)) return false;
  // The last two axes swapped, which a product does while it reads.
  const { ints } = perm;
  return ints.every((axis, i) => axis === (i < ints.length - 2 ? i : 2 * ints.length - 3 - i));
}

/**
 * Cuts the nodes behind `wanted` into pieces of about `limit` seconds. A node that takes longer is a piece by itself, and a
 * product of matrices several, each of some of its rows, where the memory it is written to is known.
 *
 * @param order tensors, each after what it needs; one that occurs again is computed again there, and counts from then on
 * @param wanted what the caller takes out
 * @param elsewhere those of `wanted` that are written to memory which is not known before
 */
export function cut(
  order: readonly Tensor[],
  wanted: readonly Tensor[],
  limit: number,
  elsewhere: ReadonlySet<Tensor> = new Set(wanted),
): Piece[] {
  const constant = new Set<Tensor>();
  const anchors: Tensor[] = [];
  for (const tensor of order) {
    const node = nodeOf(tensor);
    const given = tensor.source.kind === 'input' || tensor.source.kind === 'parameter';
    if (given) continue;
    if (node === undefined || node.inputs.every((input) => constant.has(input))) constant.add(tensor);
    else if (!isFree(tensor)) anchors.push(tensor);
  }
  // What is taken out in another shape is made in one.
  const kept = new Set([...elsewhere, ...wanted.flatMap((t) => rootOf(t).filter((root) => root !== t))]);
  const groups = grouped(anchors, limit, (tensor) => hasRows(tensor) && !kept.has(tensor));
  const read = groups.map(({ members }) => {
    const own = new Set(members);
    const given = new Set<Tensor>();
    for (const member of members) for (const root of rootsOf(member, constant)) if (!own.has(root)) given.add(root);
    return given;
  });
  const makes = groups.map(() => new Set<Tensor>());
  const lastMaker = new Map<Tensor, number>();
  const makerBefore = (tensor: Tensor, piece: number) => {
    for (let k = piece - 1; k >= 0; k--) if (groups[k].has.has(tensor)) return k;
    throw new Error('a piece reads what no piece before it makes');
  };
  for (const [k, { members }] of groups.entries()) {
    for (const tensor of read[k]) makes[makerBefore(tensor, k)].add(tensor);
    for (const member of members) lastMaker.set(member, k);
  }
  for (const tensor of wanted) {
    const [root] = nodeOf(tensor) === undefined || constant.has(tensor) ? [] : rootOf(tensor);
    makes[root === undefined ? groups.length - 1 : (lastMaker.get(root) ?? groups.length - 1)].add(tensor);
  }
  return groups.map(({ seconds, rows }, k) => ({ given: [...read[k]], makes: [...makes[k]], rows, seconds }));
}

/** The computed tensor that a free one shows; itself where it is not free. */
function rootOf(tensor: Tensor): [] | [Tensor] {
  let root = tensor;
  while (isFree(root)) root = nodeOf(root)?.inputs[0] as Tensor;
  return nodeOf(root) === undefined ? [] : [root];
}

/** The computed tensors that a node reads, through free ones. */
function rootsOf(tensor: Tensor, constant: ReadonlySet<Tensor>): Tensor[] {
  return (nodeOf(tensor)?.inputs ?? []).flatMap((input) => {
    if (constant.has(input)) return [];
    const root = rootOf(input);
    return root.filter((t) => !constant.has(t));
  });
}

interface Group {
  readonly members: Tensor[];
  readonly has: Set<Tensor>;
  readonly rows?: Rows;
  seconds: number;
}

function grouped(anchors: readonly Tensor[], limit: number, mayPart: (tensor: Tensor) => boolean): Group[] {
  const groups: Group[] = [];
  for (const anchor of anchors) {
    const seconds = secondsOf(anchor);
    if (seconds > limit && mayPart(anchor)) {
      const bounds = boundsOf(anchor, Math.ceil(seconds / limit));
      for (const [i, to] of bounds.slice(1).entries()) {
        const rows = { product: anchor, from: bounds[i], to };
        groups.push({ members: [anchor], has: new Set([anchor]), rows, seconds: seconds / (bounds.length - 1) });
      }
      continue;
    }
    let group = groups.at(-1);
    if (group === undefined || group.rows !== undefined || group.has.has(anchor) || group.seconds + seconds > limit) {
      group = { members: [], has: new Set(), seconds: 0 };
      groups.push(group);
    }
    group.members.push(anchor);
    group.has.add(anchor);
    group.seconds += seconds;
  }
  return groups;
}

/** Where each tensor that crosses lies in one stretch of memory, as long as it is needed. */
export interface Crossing {
  /** By piece, then by tensor: offset in bytes of what it makes. */
  readonly offsets: readonly ReadonlyMap<Tensor, number>[];
  readonly bytes: number;
}

const alignment = 64;
export const bytesOf = (tensor: Tensor): number => size(tensor.shape) * elementSize[tensor.dtype];

/**
 * Plans the memory of what crosses: two tensors share a place if they are never needed at once.
 *
 * @param outside tensors that lie elsewhere
 */
export function planCrossing(pieces: readonly Piece[], outside: ReadonlySet<Tensor>): Crossing {
  interface Stay {
    readonly tensor: Tensor;
    readonly from: number;
    to: number;
    readonly bytes: number;
    offset: number;
  }
  const stays: Stay[] = [];
  const current = new Map<Tensor, Stay>();
  for (const [k, { given, makes, rows }] of pieces.entries()) {
    for (const tensor of given) {
      const stay = current.get(tensor);
      if (stay !== undefined) stay.to = k;
    }
    for (const tensor of rows === undefined ? makes : [rows.product]) {
      if (outside.has(tensor)) continue;
      const begun = rows !== undefined && rows.from > 0 ? current.get(tensor) : undefined;
      if (begun !== undefined) {
        begun.to = k;
        continue;
      }
      const bytes = Math.ceil(bytesOf(tensor) / alignment) * alignment;
      const stay = { tensor, from: k, to: k, bytes, offset: 0 };
      stays.push(stay);
      current.set(tensor, stay);
    }
  }
  let total = 0;
  const placed: Stay[] = [];
  for (const stay of [...stays].sort((a, b) => b.bytes - a.bytes || a.from - b.from)) {
    const beside = placed
      .filter(({ from, to }) => from <= stay.to && to >= stay.from)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of beside) {
      if (offset + stay.bytes <= other.offset) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    stay.offset = offset;
    placed.push(stay);
    total = Math.max(total, offset + stay.bytes);
  }
  const offsets = pieces.map(() => new Map<Tensor, number>());
  for (const { tensor, from, offset } of stays) {
    offsets[from].set(tensor, offset);
    for (let k = from + 1; pieces[k]?.rows?.product === tensor && pieces[k].rows?.from !== 0; k++)
      offsets[k].set(tensor, offset);
  }
  return { offsets, bytes: total };
}
