/**
 * Conversion between float32 and the 16-bit formats that weights are stored in. Widening is exact; narrowing rounds to
 * the nearest value, ties to even (IEEE 754). Everything works on bit patterns, since Node 20 has no Float16Array.
 */

/** For each half-precision bit pattern the bit pattern of the same number in float32. 256 KiB, made on first use. */
let halfTable: Uint32Array | null = null;

/**
 * Widens bfloat16 to float32: the upper half of the bit pattern is all there is.
 *
 * @param source `[n]` bit patterns
 * @param target `[n]` receives the numbers
 */
export function widenBfloat16(source: Uint16Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] ?? 0) << 16;
}

/**
 * Widens IEEE half precision to float32. NaN stays NaN and keeps its payload.
 *
 * @param source `[n]` bit patterns
 * @param target `[n]` receives the numbers
 */
export function widenFloat16(source: Uint16Array, target: Float32Array): void {
  halfTable ??= makeHalfTable();
  const table = halfTable;
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = table[source[i] ?? 0] ?? 0;
}

/**
 * Narrows float32 to IEEE half precision, round to nearest, ties to even. Beyond 65504 (from 65520) it is infinity.
 *
 * @param source `[n]` numbers
 * @param target `[n]` receives the bit patterns
 */
export function narrowFloat16(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) target[i] = halfBits(bits[i] ?? 0);
}

/** @returns the index of the first NaN or infinity, or -1 */
export function firstNonFinite(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) if (((bits[i] ?? 0) & 0x7f800000) === 0x7f800000) return i;
  return -1;
}

function halfBits(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const exponent = (single >>> 23) & 0xff;
  const fraction = single & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200 | (fraction >>> 13));
  const biased = exponent - 112;
  if (biased >= 31) return sign | 0x7c00;
  if (biased >= 1) return sign + roundShift((biased << 23) | fraction, 13);
  // Subnormal: the implicit bit becomes explicit. Below half of the smallest subnormal everything is zero.
  return biased < -10 ? sign : sign + roundShift(fraction | 0x800000, 14 - biased);
}

/** Shifts right by 1 to 24 bits, to nearest, ties to even. A carry into the exponent is what the format wants. */
function roundShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

function makeHalfTable(): Uint32Array {
  const table = new Uint32Array(1 << 16);
  for (let half = 0; half < table.length; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    let fraction = half & 0x3ff;
    if (exponent === 0x1f) table[half] = sign | 0x7f800000 | (fraction << 13);
    else if (exponent !== 0) table[half] = sign | ((exponent + 112) << 23) | (fraction << 13);
    else if (fraction === 0) table[half] = sign;
    else {
      // A subnormal half is a normal single: move its leading bit to the place of the implicit one.
      let shifts = 0;
      while ((fraction & 0x400) === 0) {
        fraction <<= 1;
        shifts++;
      }
      table[half] = sign | ((113 - shifts) << 23) | ((fraction & 0x3ff) << 13);
    }
  }
  return table;
}

/** The arrays one after the other. */
export function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
