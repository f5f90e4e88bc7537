/**
 * Messages between a run and its workers on a pair of streams: a mark, the length of the head, the head as JSON, then float32
 * numbers, whose counts are in the head. Who reads says how much it is ready to take.
 */
import { deeperThan } from '../files/json-depth.ts';

export const frameMark = 0x31_4c_6f_43;
const prefixBytes = 8;
/** Of a head: texts, choices and tokens of a shard. */
const mostHead = 2 ** 28;
const mostTensors = 100_000;
/** Of a head: rows of data are in it. */
const deepest = 1000;

export interface Frame {
  readonly head: Readonly<Record<string, unknown>>;
  readonly floats: readonly Float32Array[];
  /** Says that the numbers are used no more, so that the next ones may take their memory. */
  readonly release?: () => void;
}

/** Memory of messages that were read and used: what is asked for anew each time keeps the collector of garbage busy. */
class Spare {
  private readonly list: ArrayBuffer[] = [];

  take(bytes: number): ArrayBuffer {
    const at = bytes < smallest ? -1 : this.list.findIndex(({ byteLength }) => byteLength === bytes);
    return at < 0 ? new ArrayBuffer(bytes) : this.list.splice(at, 1)[0];
  }

  give(memory: ArrayBuffer): void {
    if (memory.byteLength >= smallest) this.list.push(memory);
    if (this.list.length > mostSpare) this.list.shift();
  }
}
const smallest = 2 ** 16;
const mostSpare = 2;
const spare = new Spare();

/** A message as it is written. */
export class Outgoing {
  readonly bytes: number;

  private constructor(
    readonly pieces: readonly Uint8Array[],
    /** Whether several workers are sent it. */
    readonly shared: boolean,
  ) {
    this.bytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** @param floats not copied: they stay as they are until the message is written */
  static of(head: Readonly<Record<string, unknown>>, floats: readonly Float32Array[] = [], shared = false): Outgoing {
    const text = Buffer.from(JSON.stringify({ ...head, tensors: floats.map(({ length }) => length) }));
    const prefix = Buffer.alloc(prefixBytes);
    prefix.writeUInt32LE(frameMark, 0);
    prefix.writeUInt32LE(text.byteLength, 4);
    const bodies = floats.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return new Outgoing([prefix, text, ...bodies], shared);
  }
}

/** What is read is no message, or more than was to be expected. */
export class FrameFault extends Error {}

/** Puts together what arrives in pieces. */
export class FrameReader {
  private target = Buffer.alloc(prefixBytes);
  private filled = 0;
  private step: 'prefix' | 'head' | 'body' = 'prefix';
  private head: Record<string, unknown> = {};
  private counts: readonly number[] = [];

  /**
   * @param mostFloats that a message may have now
   * @param take gets each message
   */
  constructor(
    private readonly mostFloats: () => number,
    private readonly take: (frame: Frame) => void,
  ) {}

  /** @throws FrameFault; what follows cannot be read then */
  push(chunk: Uint8Array): void {
    let at = 0;
    for (;;) {
      const part = Math.min(chunk.byteLength - at, this.target.byteLength - this.filled);
      this.target.set(chunk.subarray(at, at + part), this.filled);
      at += part;
      this.filled += part;
      if (this.filled < this.target.byteLength) return;
      this.advance();
    }
  }

  private advance(): void {
    const { target } = this;
    if (this.step === 'prefix') {
      if (target.readUInt32LE(0) !== frameMark) throw new FrameFault('what it wrote is no message');
      const length = target.readUInt32LE(4);
      if (length > mostHead) throw new FrameFault(`the head of its message has ${length} bytes`);
      this.next('head', length);
    } else if (this.step === 'head') {
      [this.head, this.counts] = headOf(target);
      const floats = this.counts.reduce((sum, count) => sum + count, 0);
      if (floats > this.mostFloats()) throw new FrameFault(`its message has ${floats} numbers, more than there may be`);
      this.next('body', floats * Float32Array.BYTES_PER_ELEMENT);
    } else {
      const { head, counts } = this;
      let at = target.byteOffset;
      const floats = counts.map((count) => {
        const array = new Float32Array(target.buffer, at, count);
        at += array.byteLength;
        return array;
      });
      const memory = target.buffer as ArrayBuffer;
      this.next('prefix', prefixBytes);
      let held = true;
      const release = () => {
        if (held) spare.give(memory);
        held = false;
      };
      this.take({ head, floats, release });
    }
  }

  private next(step: FrameReader['step'], bytes: number): void {
    this.step = step;
    // Memory of its own, which begins where numbers may.
    this.target = Buffer.from(spare.take(bytes));
    this.filled = 0;
  }
}

function headOf(text: Buffer): [head: Record<string, unknown>, counts: number[]] {
  let value: unknown;
  const json = text.toString('utf8');
  if (deeperThan(json, deepest)) throw new FrameFault('the head of its message is nested without end');
  try {
    value = JSON.parse(json);
  } catch {
    throw new FrameFault('the head of its message is no JSON');
  }
  const { tensors, ...head } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const counts = Array.isArray(tensors) && tensors.length <= mostTensors ? (tensors as unknown[]) : undefined;
  const whole = (count: unknown): count is number => Number.isSafeInteger(count) && (count as number) >= 0;
  if (counts === undefined || !counts.every(whole)) throw new FrameFault('the head of its message names no numbers');
  return [head, counts];
}
