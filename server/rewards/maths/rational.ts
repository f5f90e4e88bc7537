/** Exact fractions: `top / bottom` in lowest terms, `bottom` > 0. */
export interface Rational {
  readonly top: bigint;
  readonly bottom: bigint;
}

/** Numbers beyond this many bits are refused by {@link power}, so that no answer can exhaust the memory. */
const maxBits = 4096;
/** Longest number text and largest decimal exponent that {@link parseDecimal} reads. */
const maxDigits = 1000;
const maxExponent = 1000;

const decimal = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/;

function gcd(a: bigint, b: bigint): bigint {
  let x = a < 0n ? -a : a;
  let y = b < 0n ? -b : b;
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** `top / bottom` in lowest terms; undefined when `bottom` is 0. */
export function rational(top: bigint, bottom = 1n): Rational | undefined {
  if (bottom === 0n) return undefined;
  const divisor = gcd(top, bottom) * (bottom < 0n ? -1n : 1n);
  return { top: top / divisor, bottom: bottom / divisor };
}

export function integer(value: bigint | number): Rational {
  return { top: BigInt(value), bottom: 1n };
}

function reduced(top: bigint, bottom: bigint): Rational {
  const divisor = gcd(top, bottom) || 1n;
  return { top: top / divisor, bottom: bottom / divisor };
}

export function add(a: Rational, b: Rational): Rational {
  return reduced(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);
}

export function negate(a: Rational): Rational {
  return { top: -a.top, bottom: a.bottom };
}

export function multiply(a: Rational, b: Rational): Rational {
  return reduced(a.top * b.top, a.bottom * b.bottom);
}

/** a / b; undefined when b is 0. */
export function divide(a: Rational, b: Rational): Rational | undefined {
  return rational(a.top * b.bottom, a.bottom * b.top);
}

export function equal(a: Rational, b: Rational): boolean {
  return a.top === b.top && a.bottom === b.bottom;
}

export function absolute(a: Rational): Rational {
  return a.top < 0n ? negate(a) : a;
}

/** a <= b */
export function atMost(a: Rational, b: Rational): boolean {
  return a.top * b.bottom <= b.top * a.bottom;
}

function bits(value: bigint): number {
  return value.toString(16).length * 4;
}

/** a to the integer power n; undefined for 0 to a negative power and for results of more than 4096 bits. */
export function power(a: Rational, n: bigint): Rational | undefined {
  if (n < 0n) {
    const inverse = rational(a.bottom, a.top);
    return inverse && power(inverse, -n);
  }
  const small = a.bottom === 1n && (a.top === 0n || a.top === 1n || a.top === -1n);
  if (small) return a.top === -1n ? integer(n % 2n === 0n ? 1n : -1n) : n === 0n ? integer(1n) : a;
  if (n > BigInt(maxBits) || Math.max(bits(a.top), bits(a.bottom)) * Number(n) > maxBits * 2) return undefined;
  return { top: a.top ** n, bottom: a.bottom ** n };
}

function integerRoot(value: bigint, degree: bigint): bigint | undefined {
  if (value < 2n) return value;
  // Newton's iteration from above, which decreases until it stands at the floor of the root.
  let guess = 1n << (BigInt(bits(value)) / degree + 1n);
  for (;;) {
    const next = ((degree - 1n) * guess + value / guess ** (degree - 1n)) / degree;
    if (next >= guess) break;
    guess = next;
  }
  return guess ** degree === value ? guess : undefined;
}

/** The exact real root of `degree` 2..64; undefined when it is not rational. */
export function root(a: Rational, degree: bigint): Rational | undefined {
  if (degree < 2n || degree > 64n) return undefined;
  const negative = a.top < 0n;
  if (negative && degree % 2n === 0n) return undefined;
  const top = integerRoot(negative ? -a.top : a.top, degree);
  const bottom = integerRoot(a.bottom, degree);
  return top === undefined || bottom === undefined ? undefined : { top: negative ? -top : top, bottom };
}

/**
 * Reads a decimal number: `12`, `-.5`, `5.`, `1.2e-3`, leading zeros allowed. No separators, no spaces.
 *
 * @returns undefined when the text is something else, longer than 1000 characters, or its exponent beyond 1000
 */
export function parseDecimal(text: string): Rational | undefined {
  if (text.length > maxDigits) return undefined;
  const match = decimal.exec(text);
  if (!match) return undefined;
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  const exponent = Number(exponentText);
  if (Math.abs(exponent) > maxExponent) return undefined;
  const digits = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n);
  const shift = exponent - fraction.length;
  return shift >= 0 ? integer(digits * 10n ** BigInt(shift)) : rational(digits, 10n ** BigInt(-shift));
}

/** The exact value of a finite double as people print it: 0.1 is one tenth. */
export function fromNumber(value: number): Rational | undefined {
  return Number.isFinite(value) ? parseDecimal(String(value)) : undefined;
}
