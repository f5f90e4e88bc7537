/** Numbers out of what a template has: Python's `int`, `float` and `round`. */
import { JinjaError } from './errors.ts';
import { fixedDigits } from './format.ts';
import { strip } from './strings.ts';
import { count, isNumber, typeName, type Value } from './values.ts';

export function toInteger(value: Value, fallback: Value, base: Value): Value {
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : fallback;
  if (isNumber(value)) return BigInt(value);
  if (typeof value !== 'string') return fallback;
  const plain = strip(value, undefined, true, true).replace(/(?<=\d)_(?=\d)/g, '');
  const radix = count(base, 'a base');
  if (plain.length > 300) return fallback;
  if (radix === 10 && /^[-+]?\d+$/.test(plain)) return BigInt(plain.replace('+', ''));
  if (radix !== 10 && /^[-+]?[\da-z]+$/i.test(plain)) {
    const number = Number.parseInt(plain.replace(/^([-+]?)0[box]/i, '$1'), radix);
    return Number.isSafeInteger(number) ? BigInt(number) : fallback;
  }
  const number = toFloat(plain, null);
  return typeof number === 'number' && Number.isFinite(number) ? BigInt(Math.trunc(number)) : fallback;
}

export function toFloat(value: Value, fallback: Value): Value {
  if (isNumber(value)) return Number(value);
  const plain = typeof value === 'string' ? strip(value, undefined, true, true) : '';
  if (/^[-+]?(?:inf|infinity)$/i.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity;
  if (/^[-+]?nan$/i.test(plain)) return Number.NaN;
  return /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$/i.test(plain) ? Number(plain) : fallback;
}

/** Python rounds halves to even, by the exact value of the float; a whole number stays one. */
export function rounded(value: Value, precision: number, method: string): Value {
  if (!isNumber(value)) throw new JinjaError(`a ${typeName(value)} cannot be rounded`);
  if (Math.abs(precision) > 100) throw new JinjaError('a number is rounded to too many digits');
  const number = Number(value);
  const scale = 10 ** precision;
  if (method === 'ceil') return Math.ceil(number * scale) / scale;
  if (method === 'floor') return Math.floor(number * scale) / scale;
  if (typeof value !== 'number')
    return precision < 0 ? roundedWhole(BigInt(value), 10n ** BigInt(-precision)) : BigInt(value);
  if (!Number.isFinite(number)) return number;
  if (precision >= 0) return Number(fixedDigits(number, precision));
  const whole = roundedWhole(BigInt(Math.trunc(number)), 10n ** BigInt(-precision), !Number.isInteger(number));
  return Number(whole);
}

/** To the nearest multiple of `unit`, and to the even one from the middle; `more` where a fraction lies beyond. */
function roundedWhole(value: bigint, unit: bigint, more = false): bigint {
  const size = value < 0n ? -value : value;
  const [times, rest] = [size / unit, 2n * (size % unit)];
  const up = rest > unit || (rest === unit && (more || times % 2n === 1n));
  const result = (times + (up ? 1n : 0n)) * unit;
  return value < 0n ? -result : result;
}
