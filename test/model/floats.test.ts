import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  firstNonFinite,
  firstOver,
  narrowBfloat16,
  narrowFloat16,
  widenBfloat16,
  widenFloat16,
} from '../../server/files/floats.ts';

const ALL = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);

/** Half precision by its definition: sign, 5 exponent bits with bias 15, 10 fraction bits. */
function halfValue(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function narrow(values: number[]): number[] {
  const half = new Uint16Array(values.length);
  narrowFloat16(Float32Array.from(values), half);
  return [...half];
}

describe('float formats', () => {
  it('widens all 65536 bfloat16 values exactly', () => {
    const wide = new Float32Array(ALL.length);
    widenBfloat16(ALL, wide);
    const view = new DataView(new ArrayBuffer(4));
    for (const bits of ALL) {
      view.setUint16(0, bits);
      assert.ok(Object.is(wide[bits], view.getFloat32(0)), `0x${bits.toString(16)}`);
    }
  });

  it('widens all 65536 half values exactly', () => {
    const wide = new Float32Array(ALL.length);
    widenFloat16(ALL, wide);
    for (const bits of ALL) assert.ok(Object.is(wide[bits], halfValue(bits)), `0x${bits.toString(16)}`);
  });

  it('narrows every half value to itself, and NaN to NaN', () => {
    const back = narrow([...ALL].map(halfValue));
    for (const bits of ALL) {
      if (Number.isNaN(halfValue(bits))) assert.ok(Number.isNaN(halfValue(back[bits]!)));
      else assert.equal(back[bits], bits);
    }
  });

  it('rounds to nearest, and the middle between two halves to the even one', () => {
    for (let low = 0; low < 0x7bff; low++) {
      const middle = (halfValue(low) + halfValue(low + 1)) / 2;
      // The next singles below and above the middle; halves are coarse enough that both lie between low and high.
      const view = new DataView(new ArrayBuffer(4));
      view.setFloat32(0, middle);
      const bits = view.getUint32(0);
      view.setUint32(0, bits - 1);
      const below = view.getFloat32(0);
      view.setUint32(0, bits + 1);
      const above = view.getFloat32(0);
      const even = low % 2 === 0 ? low : low + 1;
      assert.deepEqual(narrow([below, middle, above]), [low, even, low + 1]);
      assert.deepEqual(narrow([-below, -middle, -above]), [0x8000 | low, 0x8000 | even, 0x8000 | (low + 1)]);
    }
  });

  it('overflows to infinity from 65520 and underflows to zero with its sign', () => {
    assert.deepEqual(narrow([65519.99, 65520, 1e30, Infinity, -65520]), [0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00]);
    assert.deepEqual(narrow([2 ** -25, 2 ** -25 * 1.001, -(2 ** -26), 1e-45]), [0, 1, 0x8000, 0]);
  });

  it('narrows to bfloat16, to the nearest, ties to even', () => {
    const brain = (...values: number[]) => {
      const target = new Uint16Array(values.length);
      narrowBfloat16(Float32Array.from(values), target);
      return [...target];
    };
    // Beside 1.0 (0x3f80) the steps are 2^-7.
    assert.deepEqual(brain(1, 1 + 2 ** -9, 1 + 2 ** -8, 1 + 3 * 2 ** -8), [0x3f80, 0x3f80, 0x3f80, 0x3f82]);
    assert.deepEqual(brain(1 + 2 ** -8 + 2 ** -20, -1 - 2 ** -7, -0), [0x3f81, 0xbf81, 0x8000]);
    assert.deepEqual(brain(3.4e38, -3.4e38, Infinity, -Infinity), [0x7f80, 0xff80, 0x7f80, 0xff80]);
    const [nan] = brain(Number.NaN);
    const wide = new Float32Array(1);
    widenBfloat16(Uint16Array.of(nan!), wide);
    assert.ok(Number.isNaN(wide[0]));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
        widenBfloat16(Uint16Array.of(bits), wide);
        // By their bits: where the runtime has made denormal numbers zero, no number passes through arithmetic unchanged.
        const target = new Uint16Array(1);
        narrowBfloat16(wide, target);
        if ((bits & 0x7f80) !== 0x7f80 || (bits & 0x7f) === 0) assert.deepEqual([...target], [bits]);
      }),
    );
  });

  it('finds the first value that is further from zero than a limit', () => {
    assert.equal(firstOver(Float32Array.of(1, -2, 2.5, -3), 2), 2);
    assert.equal(firstOver(Float32Array.of(1, -2.5), 2), 1);
    assert.equal(firstOver(Float32Array.of(1, -2, Number.NaN), 2), 2);
    assert.equal(firstOver(Float32Array.of(1, -2, -0, 0), 2), -1);
  });

  it('finds the first value that is not finite', () => {
    fc.assert(
      fc.property(fc.float32Array({ maxLength: 20 }), (values) => {
        assert.equal(
          firstNonFinite(values),
          values.findIndex((value) => !Number.isFinite(value)),
        );
      }),
    );
  });

  it('respects where a view begins in its buffer', () => {
    const memory = new Float32Array([7, 1, 2, 7]);
    widenFloat16(new Uint16Array([0, 0x3c00, 0xc000]).subarray(1), memory.subarray(1, 3));
    assert.deepEqual([...memory], [7, 1, -2, 7]);
    assert.equal(firstNonFinite(new Float32Array([Number.NaN, 1, Infinity]).subarray(1)), 1);
  });
});
