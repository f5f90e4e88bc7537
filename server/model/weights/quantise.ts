/**
 * Weights in fewer bits: blocks of 32 values of a row with one scale, symmetric around 0. The rules are those of llama.cpp's Q8_0
 * and Q4_0 (ggml-quants.c, `quantize_row_q8_0_ref` and `quantize_row_q4_0_ref`), with scales in float32.
 */
import { narrowFloat16, widenFloat16 } from '../../files/floats.ts';
import { type BlockWeight, blockSize, type MemoryWeight } from '../../graph/stored.ts';
import { type Shape, size } from '../../graph/tensor.ts';

/** Fills a stored weight piece by piece, so that the weight itself need not be in memory. */
export interface Filling {
  readonly weight: MemoryWeight;
  /** @param values whole blocks @param first index of the first of them in the weight */
  put(values: Float32Array, first: number): void;
}

export function halves(shape: Shape): Filling {
  const weight = { form: 'f16', shape, values: new Uint16Array(size(shape)) } as const;
  return {
    weight,
    put: (values, first) => narrowFloat16(values, weight.values.subarray(first, first + values.length)),
  };
}

/** @param shape `[N,K]`, K a multiple of 32 */
export function blocks(form: BlockWeight['form'], shape: readonly [number, number]): Filling {
  const [rows, inner] = shape;
  if (inner % blockSize !== 0) throw new Error(`rows of ${inner} values are no blocks of ${blockSize}`);
  const count = (rows * inner) / blockSize;
  const bytes = form === 'int8' ? blockSize : blockSize / 2;
  const weight = { form, shape, values: new Uint8Array(count * bytes), scales: new Float32Array(count) } as const;
  const put = form === 'int8' ? putBytes : putNibbles;
  return {
    weight,
    put(values, first) {
      for (let at = 0; at < values.length; at += blockSize) put(weight, (first + at) / blockSize, values, at);
    },
  };
}

/** The value that is furthest from 0, with its sign; of two, the first. */
function furthest(values: Float32Array, at: number): number {
  let [least, most] = [0, 0];
  for (let i = at; i < at + blockSize; i++) {
    const value = values[i];
    if (value > most) most = value;
    else if (value < least) least = value;
  }
  if (most === -least) for (let i = at; i < at + blockSize; i++) if (Math.abs(values[i]) === most) return values[i];
  return most > -least ? most : least;
}

function putBytes({ values: out, scales }: BlockWeight, block: number, values: Float32Array, at: number): void {
  const scale = Math.fround(Math.abs(furthest(values, at)) / 127);
  const inverse = scale === 0 ? 0 : 1 / scale;
  scales[block] = scale;
  const to = block * blockSize;
  // What is cut off is what is behind the point: the nearest number, 128 up.
  for (let i = 0; i < blockSize; i++) out[to + i] = atMost(values[at + i] * inverse + 128.5, 255);
}

/** The furthest value becomes -8, the only end of the range that has no counterpart: all sixteen numbers are used. */
function putNibbles({ values: out, scales }: BlockWeight, block: number, values: Float32Array, at: number): void {
  const scale = Math.fround(furthest(values, at) / -8);
  const inverse = scale === 0 ? 0 : 1 / scale;
  scales[block] = scale;
  const to = (block * blockSize) / 2;
  for (let i = 0; i < blockSize; i += 2) {
    const low = atMost(values[at + i] * inverse + 8.5, 15);
    const high = atMost(values[at + i + 1] * inverse + 8.5, 15);
    out[to + i / 2] = low | (high << 4);
  }
}

/** The whole part of a number that is not below 0. */
function atMost(value: number, most: number): number {
  const whole = value | 0;
  return whole > most ? most : whole;
}

/** A weight as it is in memory, in float32: what programs compute with. */
export function widened(weight: MemoryWeight): Float32Array {
  const values = new Float32Array(size(weight.shape));
  if (weight.form === 'f16') widenFloat16(weight.values, values);
  else if (weight.form === 'int8') {
    for (let i = 0; i < values.length; i++)
      values[i] = (weight.values[i] - 128) * weight.scales[Math.floor(i / blockSize)];
  } else {
    for (let i = 0; i < values.length; i += 2) {
      const pair = weight.values[i / 2];
      const scale = weight.scales[Math.floor(i / blockSize)];
      values[i] = ((pair & 15) - 8) * scale;
      values[i + 1] = ((pair >> 4) - 8) * scale;
    }
  }
  return values;
}
