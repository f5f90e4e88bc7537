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
  const bits = new Int32Array(target.buffer, target.byteOffset, target.length);
  const count = source.length;
  let i = 0;
  // Two at once, where they lie so that they can be read so: most of a large model's loading is this loop.
  if (source.byteOffset % 4 === 0) {
    const pairs = new Int32Array(source.buffer, source.byteOffset, count >> 1);
    for (; i < pairs.length; i++) {
      bits[2 * i] = pairs[i] << 16;
      bits[2 * i + 1] = pairs[i] & 0xffff0000;
    }
    i *= 2;
  }
  for (; i < count; i++) bits[i] = source[i] << 16;
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
  const bits = new Int32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) {
    const single = bits[i];
    const far = single & 0x7fffffff;
    // Nearly all weights are normal numbers there too: the exponent moves, and the fraction is rounded, with a carry if need be.
    target[i] =
      far >= leastNormal && far < beyondHalf
        ? ((single >> 16) & 0x8000) | ((far - 0x38000000 + 0xfff + ((far >> 13) & 1)) >> 13)
        : halfBits(single);
  }
}

/** Patterns of the least normal half, 2^-14, and of 65520, which rounds to infinity. */
const [leastNormal, beyondHalf] = [0x38800000, 0x477ff000];

/**
 * Narrows float32 to bfloat16, round to nearest, ties to even. What rounds beyond the largest one is infinity.
 *
 * @param source `[n]` numbers
 * @param target `[n]` receives the bit patterns
 */
export function narrowBfloat16(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) {
    const single = bits[i];
    // Rounding could carry the payload of a NaN into infinity.
    const noNumber = (single & 0x7fffffff) > 0x7f800000;
    target[i] = noNumber ? (single >>> 16) | 0x40 : (single + 0x7fff + ((single >>> 16) & 1)) >>> 16;
  }
}

/** @returns the index of the first NaN or infinity, or -1 */
export function firstNonFinite(values: Float32Array): number {
  return firstBitsOver(values, 0x7f7fffff);
}

/** @returns the index of the first value further than `limit` from zero, or the first NaN, or -1 */
export function firstOver(values: Float32Array, limit: number): number {
  return firstBitsOver(values, new Int32Array(Float32Array.of(limit).buffer)[0]);
}

/** Without their signs, numbers have the order of their bit patterns, infinity is behind them all, and NaN behind that. */
function firstBitsOver(values: Float32Array, limit: number): number {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const count = bits.length;
  for (let i = 0; i < count; i++) if ((bits[i] & 0x7fffffff) > limit) return i;
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
