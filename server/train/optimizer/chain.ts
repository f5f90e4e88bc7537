/**
 * A compiled graph that gives way: a chain of programs in host memory, between which others may compute. The values are those
 * of one program, for every node is computed by the same kernel from the same numbers.
 */

import type { DeviceBuffer } from '../../device/buffer.ts';
import type { Device } from '../../device/device.ts';
import type { Feed, Program, RunOptions } from '../../device/program.ts';
import { type Crossing, cut, type Piece, planCrossing, rowsOf } from '../../graph/cut.ts';
import { inputName } from '../../graph/onnx.ts';
import { type DType, reachable, size, type Tensor, type TensorData } from '../../graph/tensor.ts';

/** Memory that chains share which never run at once. */
export class CrossingMemory {
  private memory = new ArrayBuffer(0);

  /** At least so many bytes; what was there before is gone. */
  reserve(bytes: number): ArrayBuffer {
    if (this.memory.byteLength < bytes) this.memory = new ArrayBuffer(bytes);
    return this.memory;
  }
}

interface Link {
  readonly program: Program;
  readonly piece: Piece;
}

export class Chain {
  private constructor(
    private readonly links: readonly Link[],
    private readonly crossing: Crossing,
    private readonly names: ReadonlyMap<Tensor, readonly string[]>,
    private readonly memory: CrossingMemory,
  ) {}

  /**
   * @param options.limit estimated seconds of a program
   * @param options.memory where what crosses lies
   * @param options.into outputs that every run brings memory for
   * @param options.turn awaited between two programs
   */
  static async compile(
    device: Device,
    outputs: Readonly<Record<string, Tensor>>,
    options: {
      readonly limit: number;
      readonly memory: CrossingMemory;
      readonly into: readonly string[];
      readonly turn?: (() => Promise<void>) | undefined;
    },
  ): Promise<Chain> {
    const wanted = Object.values(outputs);
    const names = new Map<Tensor, string[]>();
    for (const [name, tensor] of Object.entries(outputs)) names.set(tensor, [...(names.get(tensor) ?? []), name]);
    const brought = new Set(options.into);
    const elsewhere = new Set(wanted.filter((tensor) => names.get(tensor)?.some((name) => !brought.has(name))));
    const pieces = cut(reachable(wanted), wanted, options.limit, elsewhere);
    const links: Link[] = [];
    for (const piece of pieces) {
      await options.turn?.();
      const made =
        piece.rows === undefined
          ? Object.fromEntries(
              piece.makes.flatMap((tensor) => namesOf(names, tensor).map((name) => [name, tensor] as const)),
            )
          : { [rowsName]: rowsOf(piece.rows) };
      // Programs that run one after the other need not keep the memory of each for its next run.
      const program = await device.compile(made, { given: new Set(piece.given), lean: true });
      links.push({ program, piece });
    }
    const outside = new Set(wanted);
    return new Chain(links, planCrossing(pieces, outside), names, options.memory);
  }

  /** @param turn awaited between two programs */
  async run(
    feeds: Readonly<Record<string, Feed>>,
    options: RunOptions,
    turn: () => Promise<void>,
  ): Promise<Record<string, DeviceBuffer>> {
    const memory = this.memory.reserve(this.crossing.bytes);
    const values = new Map<Tensor, Feed>();
    const results: Record<string, DeviceBuffer> = {};
    for (const [k, { program, piece }] of this.links.entries()) {
      if (k > 0) await turn();
      const given = Object.fromEntries(piece.given.map((tensor) => [inputName(tensor), values.get(tensor) as Feed]));
      const into: Record<string, TensorData> = {};
      if (piece.rows !== undefined) {
        const { product, from, to } = piece.rows;
        const offset = this.crossing.offsets[k].get(product);
        const targets = namesOf(this.names, product).map((name) => options.into?.[name]);
        const [whole, ...others] = offset === undefined ? targets : [view(memory, offset, product)];
        if (whole === undefined) throw new Error('rows of a product have no memory to be written to');
        const [count, width] = [product.shape[0], size(product.shape) / product.shape[0]];
        into[rowsName] = whole.subarray(from * width, to * width) as TensorData;
        await program.run({ ...feeds, ...given }, { states: options.states ?? [], into });
        values.set(product, whole);
        if (to === count) for (const other of others) (other as Float32Array | undefined)?.set(whole as Float32Array);
        continue;
      }
      for (const tensor of piece.makes) {
        const offset = this.crossing.offsets[k].get(tensor);
        for (const name of namesOf(this.names, tensor)) {
          const target = offset === undefined ? options.into?.[name] : view(memory, offset, tensor);
          if (target === undefined) continue;
          into[name] = target;
          values.set(tensor, target);
        }
      }
      const made = await program.run({ ...feeds, ...given }, { states: options.states ?? [], into });
      for (const tensor of piece.makes) {
        for (const name of namesOf(this.names, tensor)) {
          if (made[name] === undefined) continue;
          results[name] = made[name];
          values.set(tensor, made[name]);
        }
      }
    }
    return results;
  }

  /** How many programs it is. */
  get count(): number {
    return this.links.length;
  }

  async dispose(): Promise<void> {
    for (const { program } of this.links) await program.dispose();
  }
}

/** The output of a program that makes some rows of a product. */
const rowsName = 'rows';

/** A tensor that several outputs show has the name of each. */
const namesOf = (names: ReadonlyMap<Tensor, readonly string[]>, tensor: Tensor) =>
  names.get(tensor) ?? [`t${tensor.id}`];

function view(memory: ArrayBuffer, offset: number, { dtype, shape }: Tensor): TensorData {
  return new arrays[dtype](memory, offset, size(shape)) as TensorData;
}

const arrays = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const satisfies Record<DType, unknown>;
