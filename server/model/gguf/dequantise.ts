/**
 * From blocks of quantised numbers to float32, with the roundings of the reference: every product and sum is rounded to float32
 * as numpy does it.
 *
 * Source of the layouts: ggml-quants.c and gguf-py/gguf/quants.py of llama.cpp.
 */
import { widenBfloat16, widenFloat16 } from '../../files/floats.ts';
import type { ReadType, TypeName } from './types.ts';

const f = Math.fround;

/** Reads halves one at a time. */
export const half = (() => {
  const bits = new Uint16Array(1);
  const value = new Float32Array(1);
  return (bytes: Uint8Array, at: number): number => {
    bits[0] = bytes[at] | (bytes[at + 1] << 8);
    widenFloat16(bits, value);
    return value[0];
  };
})();

/** Writes the elements of the block at `from` to `to`. */
type Unpack = (bytes: Uint8Array, from: number, values: Float32Array, to: number) => void;

const unpack: Readonly<Record<Exclude<TypeName, 'F32' | 'F16' | 'BF16'>, Unpack>> = {
  Q4_0(bytes, from, values, to) {
    const d = half(bytes, from);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[from + 2 + i];
      values[to + i] = d * ((pair & 15) - 8);
      values[to + 16 + i] = d * ((pair >> 4) - 8);
    }
  },
  Q4_1(bytes, from, values, to) {
    const d = half(bytes, from);
    const m = half(bytes, from + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[from + 4 + i];
      values[to + i] = f(d * (pair & 15)) + m;
      values[to + 16 + i] = f(d * (pair >> 4)) + m;
    }
  },
  Q5_0(bytes, from, values, to) {
    const d = half(bytes, from);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[from + 6 + i];
      values[to + i] = d * (((pair & 15) | fifth(bytes, from + 2, i)) - 16);
      values[to + 16 + i] = d * (((pair >> 4) | fifth(bytes, from + 2, i + 16)) - 16);
    }
  },
  Q5_1(bytes, from, values, to) {
    const d = half(bytes, from);
    const m = half(bytes, from + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[from + 8 + i];
      values[to + i] = f(d * ((pair & 15) | fifth(bytes, from + 4, i))) + m;
      values[to + 16 + i] = f(d * ((pair >> 4) | fifth(bytes, from + 4, i + 16))) + m;
    }
  },
  Q8_0(bytes, from, values, to) {
    const d = half(bytes, from);
    for (let i = 0; i < 32; i++) values[to + i] = d * signed(bytes[from + 2 + i]);
  },
  Q4_K(bytes, from, values, to) {
    const d = half(bytes, from);
    const least = half(bytes, from + 2);
    for (let group = 0; group < 8; group++) {
      const [scale, min] = scaleAndMin(bytes, from + 4, group);
      const dl = f(d * scale);
      const ml = f(least * min);
      const quants = from + 16 + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      for (let i = 0; i < 32; i++) values[to + group * 32 + i] = f(dl * ((bytes[quants + i] >> shift) & 15)) - ml;
    }
  },
  Q5_K(bytes, from, values, to) {
    const d = half(bytes, from);
    const least = half(bytes, from + 2);
    for (let group = 0; group < 8; group++) {
      const [scale, min] = scaleAndMin(bytes, from + 4, group);
      const dl = f(d * scale);
      const ml = f(least * min);
      const quants = from + 48 + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      for (let i = 0; i < 32; i++) {
        const high = (bytes[from + 16 + i] >> group) & 1;
        values[to + group * 32 + i] = f(dl * (((bytes[quants + i] >> shift) & 15) | (high << 4))) - ml;
      }
    }
  },
  Q6_K(bytes, from, values, to) {
    const d = half(bytes, from + 208);
    for (let group = 0; group < 8; group++) {
      const low = from + (group >> 2) * 64 + (group & 1) * 32;
      const high = from + 128 + (group >> 2) * 32;
      const lowShift = group & 2 ? 4 : 0;
      const highShift = (group & 3) * 2;
      for (let i = 0; i < 32; i++) {
        const scale = f(d * signed(bytes[from + 192 + group * 2 + (i >> 4)]));
        const quant = ((bytes[low + i] >> lowShift) & 15) | (((bytes[high + i] >> highShift) & 3) << 4);
        values[to + group * 32 + i] = scale * (quant - 32);
      }
    }
  },
};

const signed = (byte: number): number => (byte << 24) >> 24;
/** The fifth bit of an element, of 32 that lie together, in its place. */
export const fifth = (bytes: Uint8Array, from: number, i: number): number =>
  ((bytes[from + (i >> 3)] >> (i & 7)) & 1) << 4;

/** The six bits each of scale and least value of a group, which lie packed in twelve bytes. */
function scaleAndMin(bytes: Uint8Array, from: number, group: number): [scale: number, min: number] {
  if (group < 4) return [bytes[from + group] & 63, bytes[from + 4 + group] & 63];
  const rest = bytes[from + 4 + group];
  return [(rest & 15) | ((bytes[from + group - 4] >> 6) << 4), (rest >> 4) | ((bytes[from + group] >> 6) << 4)];
}

/**
 * @param bytes whole blocks, at the start of their buffer
 * @param values receives the elements of these blocks
 */
export function dequantise(type: ReadType, bytes: Uint8Array<ArrayBuffer>, values: Float32Array): void {
  const { name } = type;
  if (name === 'F32') values.set(new Float32Array(bytes.buffer, bytes.byteOffset, values.length));
  else if (name === 'F16') widenFloat16(new Uint16Array(bytes.buffer, bytes.byteOffset, values.length), values);
  else if (name === 'BF16') widenBfloat16(new Uint16Array(bytes.buffer, bytes.byteOffset, values.length), values);
  else {
    const one = unpack[name];
    for (let from = 0, to = 0; to < values.length; from += type.bytes, to += type.elements)
      one(bytes, from, values, to);
  }
}
