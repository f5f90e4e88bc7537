/**
 * From float32 to the blocks of Q8_0 and Q4_0, bit for bit as the reference rounds.
 *
 * Source: ggml-quants.c and gguf-py/gguf/quants.py of llama.cpp.
 */
import { narrowBfloat16, narrowFloat16 } from '../../files/floats.ts';
import { asBytes } from '../../files/safetensors.ts';
import type { ReadType } from './types.ts';

const f = Math.fround;

/** To the nearest whole number, halves away from zero. */
function rounded(x: number): number {
  const size = Math.abs(x);
  const floor = Math.floor(size);
  const whole = floor + Math.floor(2 * (size - floor));
  return x < 0 ? -whole : whole;
}

/** Writes a number as float16. */
const half = (() => {
  const value = new Float32Array(1);
  const bits = new Uint16Array(1);
  return (bytes: Uint8Array, at: number, x: number): void => {
    value[0] = x;
    narrowFloat16(value, bits);
    bytes[at] = bits[0] & 255;
    bytes[at + 1] = bits[0] >> 8;
  };
})();

function packQ8(values: Float32Array, from: number, bytes: Uint8Array, to: number): void {
  let most = 0;
  for (let i = 0; i < 32; i++) most = Math.max(most, Math.abs(values[from + i]));
  const d = f(most / 127);
  const inverse = d === 0 ? 0 : f(1 / d);
  half(bytes, to, d);
  for (let i = 0; i < 32; i++) bytes[to + 2 + i] = rounded(f(values[from + i] * inverse)) & 255;
}

function packQ4(values: Float32Array, from: number, bytes: Uint8Array, to: number): void {
  let most = 0;
  for (let i = 0; i < 32; i++) if (Math.abs(values[from + i]) > Math.abs(most)) most = values[from + i];
  const d = f(most / -8);
  const inverse = d === 0 ? 0 : f(1 / d);
  half(bytes, to, d);
  const quant = (x: number) => Math.min(15, Math.trunc(f(f(x * inverse) + 8.5)));
  for (let i = 0; i < 16; i++) bytes[to + 2 + i] = quant(values[from + i]) | (quant(values[from + 16 + i]) << 4);
}

/**
 * @param values whole blocks
 * @returns their bytes in the format
 */
export function quantise(type: ReadType, values: Float32Array): Uint8Array {
  const { name } = type;
  if (name === 'F32') return asBytes(values);
  if (name === 'F16' || name === 'BF16') {
    const bits = new Uint16Array(values.length);
    (name === 'F16' ? narrowFloat16 : narrowBfloat16)(values, bits);
    return asBytes(bits);
  }
  const pack = name === 'Q8_0' ? packQ8 : name === 'Q4_0' ? packQ4 : undefined;
  if (pack === undefined) throw new Error(`${name} is not written`);
  const bytes = new Uint8Array((values.length / type.elements) * type.bytes);
  for (let from = 0, to = 0; from < values.length; from += type.elements, to += type.bytes)
    pack(values, from, bytes, to);
  return bytes;
}
