/**
 * How much memory ONNX Runtime takes to run a graph on the CPU. Its planner decides before the first run which tensor is written
 * where: over an input that nobody else reads, else into a buffer of the very same shape that has become free, else into a new one. A
 * buffer that is written again later is held for all the time between, so that many shapes take more than is ever alive at once.
 */
import { Arena } from './arena.ts';
import { bytesOf, overwriting, views } from './liveness.ts';
import { elementSize, type Node, nodeOf, reachable, type Tensor } from './tensor.ts';

/** What the runtime computes as one node where the graph has several. */
class Fused {
  /** Slices that cut a tensor into pieces are made together. */
  private readonly pieces = new Map<Tensor, readonly Tensor[]>();

  constructor(all: readonly Tensor[]) {
    const cuts = new Map<string, Cut[]>();
    for (const tensor of all) {
      const cut = cutOf(tensor);
      if (cut !== undefined) cuts.set(cut.key, [...(cuts.get(cut.key) ?? []), cut]);
    }
    for (const group of cuts.values()) {
      group.sort((a, b) => a.start - b.start);
      const whole = group.every(({ start }, i) => start === (i === 0 ? 0 : group[i - 1].end));
      if (group.length < 2 || !whole || group[group.length - 1].end !== group[0].length) continue;
      const made = group.map(({ tensor }) => tensor);
      for (const tensor of made) this.pieces.set(tensor, made);
    }
  }

  /** All that is made with a tensor. */
  with(tensor: Tensor): readonly Tensor[] {
    return this.pieces.get(tensor) ?? [tensor];
  }

  /** What a node reads: a product takes its sides as they were before they were transposed. */
  inputsOf(tensor: Tensor): readonly Tensor[] {
    const { op, inputs } = nodeOf(tensor) ?? { op: undefined, inputs: [] };
    return op === 'MatMul' ? inputs.map(beforeTransposed) : inputs;
  }

  /** A node that stands for several is the youngest of all. */
  ageOf(tensor: Tensor): number {
    const young =
      this.pieces.has(tensor) || this.inputsOf(tensor).some((input, i) => input !== nodeOf(tensor)?.inputs[i]);
    return young ? tensor.id + Number.MAX_SAFE_INTEGER / 2 : tensor.id;
  }
}

interface Cut {
  readonly tensor: Tensor;
  /** The same for all cuts of a tensor along an axis. */
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly length: number;
}

function cutOf(tensor: Tensor): Cut | undefined {
  const node = nodeOf(tensor);
  if (node?.op !== 'Slice') return undefined;
  const [whole, ...bounds] = node.inputs;
  const [start, end, axis] = bounds.map(({ source }) => (source.kind === 'constant' ? Number(source.data[0]) : -1));
  return { tensor, key: `${whole.id} ${axis}`, start, end, length: whole.shape[axis] };
}

function beforeTransposed(tensor: Tensor): Tensor {
  const node = nodeOf(tensor);
  const perm = node?.op === 'Transpose' ? node.attributes.perm : undefined;
  if (node === undefined || perm === undefined || !('ints' in perm)) return tensor;
  const last = perm.ints.length - 1;
  const swapped = perm.ints.every((axis, i) => axis === (i < last - 1 ? i : i === last ? last - 1 : last));
  return swapped ? node.inputs[0] : tensor;
}

/** Tensors in the order in which the runtime computes them: depth first from the last result, of inputs the one made last first. */
export function runtimeOrder(outputs: readonly Tensor[], fused = new Fused(reachable(outputs))): Tensor[] {
  const all = reachable(outputs);
  const kept = new Set(outputs);
  const read = new Set(all.flatMap((tensor) => fused.inputsOf(tensor)));
  const stack = all
    .filter((tensor) => nodeOf(tensor) !== undefined && kept.has(tensor) && !read.has(tensor))
    .map((tensor) => ({ tensor, done: false }));
  const seen = new Set<Tensor>();
  const order: Tensor[] = [];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { tensor, done } = entry;
    if (done) {
      order.push(...fused.with(tensor));
      continue;
    }
    if (seen.has(tensor)) continue;
    for (const made of fused.with(tensor)) seen.add(made);
    stack.push({ tensor, done: true });
    const inputs = [...new Set(fused.inputsOf(tensor))].filter(
      (input) => nodeOf(input) !== undefined && !seen.has(input),
    );
    for (const input of inputs.sort((a, b) => fused.ageOf(a) - fused.ageOf(b)))
      stack.push({ tensor: input, done: false });
  }
  return order;
}

interface Buffer {
  readonly shape: string;
  readonly bytes: number;
  uses: number;
  /** Place in the order after which nobody reads it. */
  end: number;
}

export interface PlannedMemory {
  /** Bytes that the runtime has written to when runs have settled. */
  readonly bytes: number;
  /** Bytes of constants among them. */
  readonly constants: number;
  /** Bytes of all buffers that the planner has made, one after the other. */
  readonly requested: number;
}

/**
 * @param outside outputs that are written into memory of the caller's
 * @param widened bytes of each weight that is widened for a node, just before it
 */
export function plannedMemory(
  outputs: readonly Tensor[],
  outside: readonly Tensor[] = [],
  widened: (node: Node) => readonly number[] = () => [],
): PlannedMemory {
  const folded = new Set<Tensor>();
  for (const tensor of reachable(outputs)) {
    const node = nodeOf(tensor);
    if (tensor.source.kind === 'constant' || node?.inputs.every((input) => folded.has(input)) === true)
      folded.add(tensor);
  }
  const fused = new Fused(reachable(outputs));
  const order = runtimeOrder(outputs, fused).filter((tensor) => !folded.has(tensor));
  const needed = new Set<Tensor>();
  for (const tensor of order) for (const input of fused.inputsOf(tensor)) if (folded.has(input)) needed.add(input);

  const readers = new Map<Tensor, number>();
  for (const tensor of order)
    for (const input of fused.inputsOf(tensor)) readers.set(input, (readers.get(input) ?? 0) + 1);
  const kept = new Set(outputs);
  const elsewhere = new Set(outside);
  const buffers = new Map<Tensor, Buffer>();
  const free: Buffer[] = [];
  /** Buffers that are first written at a place in the order. */
  const begins = new Map<number, Buffer[]>();
  for (const [at, tensor] of order.entries()) {
    const node = nodeOf(tensor) as Node;
    const uses = (readers.get(tensor) ?? 0) + (kept.has(tensor) ? 1 : 0);
    const wide = widened(node).map((bytes) => {
      const shape = `widened:${bytes}`;
      const place = free.findIndex((buffer) => buffer.shape === shape);
      const buffer = place < 0 ? { shape, bytes, uses: 0, end: order.length } : free.splice(place, 1)[0];
      if (place < 0) begins.set(at, [...(begins.get(at) ?? []), buffer]);
      return buffer;
    });
    const over = kept.has(tensor) ? undefined : writtenOver(node, buffers);
    if (over !== undefined) {
      buffers.set(tensor, over);
      over.uses += uses;
    } else if (views.has(node.op) && !kept.has(tensor)) {
      // A view of what is the caller's.
    } else if (!elsewhere.has(tensor)) {
      const shape = `${elementSize[tensor.dtype]}:${tensor.shape.join()}`;
      const place = kept.has(tensor) ? -1 : free.findIndex((buffer) => buffer.shape === shape);
      const buffer = place < 0 ? { shape, bytes: bytesOf(tensor), uses: 0, end: order.length } : free[place];
      if (place < 0) begins.set(at, [...(begins.get(at) ?? []), buffer]);
      else free.splice(place, 1);
      buffer.uses += uses;
      buffers.set(tensor, buffer);
    }
    for (const input of fused.inputsOf(tensor)) {
      const buffer = buffers.get(input);
      if (buffer === undefined) continue;
      buffer.uses--;
      if (buffer.uses > 0) continue;
      buffer.end = at;
      free.unshift(buffer);
    }
    for (const buffer of wide) {
      buffer.end = at;
      free.unshift(buffer);
    }
  }

  const arena = new Arena();
  let constants = 0;
  for (const tensor of needed) {
    constants += bytesOf(tensor);
    arena.take(bytesOf(tensor));
  }
  const ends = new Map<number, Buffer[]>();
  for (const buffer of [...begins.values()].flat()) ends.set(buffer.end, [...(ends.get(buffer.end) ?? []), buffer]);
  // A later run finds an arena that has its regions already, and may lie otherwise in it.
  for (let run = 0; run < settled; run++) {
    const chunks = new Map<Buffer, ReturnType<Arena['take']>>();
    for (let at = 0; at <= order.length; at++) {
      for (const buffer of begins.get(at) ?? []) chunks.set(buffer, arena.take(buffer.bytes));
      if (at < order.length) scratch(arena, nodeOf(order[at]) as Node);
      for (const buffer of ends.get(at) ?? []) arena.give(chunks.get(buffer) as ReturnType<Arena['take']>);
    }
  }
  const requested = [...begins.values()].flat().reduce((sum, { bytes }) => sum + bytes, 0);
  return { bytes: arena.touched, constants, requested };
}

const settled = 2;

/** The buffer of an input that the output of a node takes over. */
function writtenOver(node: Node, buffers: ReadonlyMap<Tensor, Buffer>): Buffer | undefined {
  if (views.has(node.op)) return buffers.get(node.inputs[0]);
  const [input] = node.inputs;
  const buffer = overwriting.has(node.op) ? buffers.get(input) : undefined;
  return buffer?.uses === 1 && input.shape.join() === node.output.shape.join() ? buffer : undefined;
}

/** Memory that a kernel has for itself while it computes. */
function scratch(arena: Arena, { op, output }: Node): void {
  // Where keeps what it takes of either side until it has both.
  if (op !== 'Where') return;
  const sides = [arena.take(bytesOf(output)), arena.take(bytesOf(output))];
  for (const side of sides) arena.give(side);
}
