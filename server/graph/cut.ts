/**
 * A graph as a chain of smaller ones that are run one after the other, with the same values: between two of them others may
 * compute. What one of them makes and a later one reads crosses, and is kept in memory of the caller's, which is planned here.
 */
import { secondsOf } from './cost.ts';
import { elementSize, nodeOf, size, type Tensor } from './tensor.ts';

/** A part of a graph. */
export interface Piece {
  /** Tensors of earlier pieces that it reads. */
  readonly given: readonly Tensor[];
  /** What it makes for later pieces or for the caller. */
  readonly makes: readonly Tensor[];
  /** Estimated seconds. */
  readonly seconds: number;
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
 * Cuts the nodes behind `wanted` into pieces of about `limit` seconds; a node that takes longer is a piece by itself.
 *
 * @param order tensors, each after what it needs; one that occurs again is computed again there, and counts from then on
 * @param wanted what the caller takes out
 */
export function cut(order: readonly Tensor[], wanted: readonly Tensor[], limit: number): Piece[] {
  const constant = new Set<Tensor>();
  const anchors: Tensor[] = [];
  for (const tensor of order) {
    const node = nodeOf(tensor);
    const given = tensor.source.kind === 'input' || tensor.source.kind === 'parameter';
    if (given) continue;
    if (node === undefined || node.inputs.every((input) => constant.has(input))) constant.add(tensor);
    else if (!isFree(tensor)) anchors.push(tensor);
  }
  const groups = grouped(anchors, limit);
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
  return groups.map(({ seconds }, k) => ({ given: [...read[k]], makes: [...makes[k]], seconds }));
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
  seconds: number;
}

function grouped(anchors: readonly Tensor[], limit: number): Group[] {
  const groups: Group[] = [];
  for (const anchor of anchors) {
    const seconds = secondsOf(anchor);
    let group = groups.at(-1);
    if (group === undefined || group.has.has(anchor) || group.seconds + seconds > limit) {
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
  for (const [k, { given, makes }] of pieces.entries()) {
    for (const tensor of given) {
      const stay = current.get(tensor);
      if (stay !== undefined) stay.to = k;
    }
    for (const tensor of makes) {
      if (outside.has(tensor)) continue;
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
  for (const { tensor, from, offset } of stays) offsets[from].set(tensor, offset);
  return { offsets, bytes: total };
}
