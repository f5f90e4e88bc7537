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
  return { weight, put: (values, first) => put(weight, first / blockSize, values) };
}

/** How far the values of a block are from 0 at most, as bits: without their signs, numbers have the order of their patterns. */
function furthest(patterns: Int32Array, at: number): number {
  let most = 0;
  for (let i = at; i < at + blockSize; i++) {
    const pattern = patterns[i] & 0x7fffffff;
    most = pattern > most ? pattern : most;
  }
  return most;
}

const patternsOf = (values: Float32Array) => new Int32Array(values.buffer, values.byteOffset, values.length);
const one = new Float32Array(1);
const onePattern = patternsOf(one);

// Most of what it takes to bring a large model into its form is in these two loops.

function putBytes({ values: out, scales }: BlockWeight, firstBlock: number, values: Float32Array): void {
  const patterns = patternsOf(values);
  let to = firstBlock * blockSize;
  for (let at = 0, block = firstBlock; at < values.length; block++) {
    onePattern[0] = furthest(patterns, at);
    const scale = Math.fround(one[0] / 127);
    const inverse = scale === 0 ? 0 : 1 / scale;
    scales[block] = scale;
    // What is cut off is what is behind the point: the nearest number, 128 up, from 1 to 255.
    for (const end = at + blockSize; at < end; at++, to++) out[to] = values[at] * inverse + 128.5;
  }
}

/** The furthest value becomes -8, the only end of the range that has no counterpart: all sixteen numbers are used. */
function putNibbles({ values: out, scales }: BlockWeight, firstBlock: number, values: Float32Array): void {
  const patterns = patternsOf(values);
  let to = (firstBlock * blockSize) / 2;
  for (let at = 0, block = firstBlock; at < values.length; block++) {
    const most = furthest(patterns, at);
    let i = at;
    // Of two that are as far, the first says which sign.
    while ((patterns[i] & 0x7fffffff) !== most) i++;
    const scale = Math.fround(values[i] / -8);
    const inverse = scale === 0 ? 0 : 1 / scale;
    scales[block] = scale;
    for (const end = at + blockSize; at < end; at += 2, to++)
      out[to] = nibble(values[at] * inverse + 8.5) | (nibble(values[at + 1] * inverse + 8.5) << 4);
  }
}

/** The whole part of a number that is not below 0, at most 15. */
function nibble(value: number): number {
  const whole = value | 0;
  return whole > 15 ? 15 : whole;
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
