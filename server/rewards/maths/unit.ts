/** Units, scales and per-cent signs at the end of an answer. */

import { lookup } from '../lookup.ts';
import { divide, integer, multiply, parseDecimal, power, type Rational } from './rational.ts';
import { is, isWordToken, type Token } from './tokens.ts';

/** What a unit measures, as powers of base dimensions, and how many base units it is. */
interface Measure {
  readonly factor: Rational;
  /** Sorted, such as `length^2` or `length time^-1`. */
  readonly dimension: string;
}

/** What stands behind a number. */
export interface Unit {
  /** `million`, `dozen`: part of the value. */
  readonly scale: Rational;
  readonly percent: boolean;
  /** Of a known unit. */
  readonly measure?: Measure;
  /** Of one that is not known: what is counted, such as `red apples`. */
  readonly words: readonly string[];
}

const one = integer(1n);
const table = `
length: microm=0.000001 micrometer micrometre; mm=0.001 millimeter millimetre; cm=0.01 centimeter centimetre; dm=0.1 decimeter decimetre; m=1 meter metre; km=1000 kilometer kilometre; in=0.0254 inch inche; ft=0.3048 foot feet; yd=0.9144 yard; mi=1609.344 mile
mass: microg=0.000001 microgram; mg=0.001 milligram; g=1 gram; kg=1000 kilogram; t=1000000 ton tonne; oz=28.349523125 ounce; lb=453.59237 lbs
time: micros=0.000001 microsecond; ms=0.001 millisecond; s=1 sec second; min=60 minute; h=3600 hr hour; day=86400; week=604800
month: month=1; yr=12 year
volume: ml=0.001 milliliter millilitre; cl=0.01; l=1 liter litre
money: dollar=1 usd; cent=0.01
euro: euro=1 eur
pound: gbp=1
angle: deg=1 degree °
radian: rad=1 radian
unit: unit=1
celsius: celsius=1
fahrenheit: fahrenheit=1
power: w=1 watt; kw=1000 kilowatt
energy: j=1 joule; kj=1000 kilojoule
force: n=1 newton
frequency: hz=1 hertz; khz=1000
current: amp=1 ampere
voltage: v=1 volt
pressure: pa=1 pascal; kpa=1000
temperature: kelvin=1
amount: mol=1 mole
resistance: ohm=1
charge: coulomb=1; microc=0.000001 microcoulomb
capacitance: farad=1; microf=0.000001 microfarad`;

const units = new Map<string, { dimension: string; factor: Rational }>();
for (const line of table.trim().split('\n')) {
  const [dimension = '', all = ''] = line.split(': ');
  for (const entry of all.split('; ')) {
    const [first = '', ...others] = entry.split(' ');
    const [name = '', size = '1'] = first.split('=');
    const factor = parseDecimal(size) ?? one;
    for (const spelling of [name, ...others]) units.set(spelling, { dimension, factor });
  }
}
const speeds = lookup<string>({ mph: 'mi/h', kph: 'km/h', kmh: 'km/h' });
const currency = lookup<string>({ '＄': 'dollar', '€': 'euro', '£': 'gbp' });

const scales = lookup<bigint>({
  hundred: 100n,
  thousand: 1000n,
  million: 10n ** 6n,
  billion: 10n ** 9n,
  trillion: 10n ** 12n,
  dozen: 12n,
});

/** Words that change what stands before them: no unit. */
const telling = new Set(
  `squared cubed half halves third thirds quarter quarters fifth fifths sixth sixths eighth eighths tenth tenths hundredth hundredths
  thousandth thousandths more less fewer than negative minus plus root factorial mod modulo base over divided least most not no below above under zero loss deficit debt decrease behind up down and
  or to pair pairs score times point points recurring repeating remainder pi if when where only between`.split(/\s+/),
);
const maxWords = 6;

/** Single letters outside of text that are units when they stand apart. */
const unitLetters = new Set(['m', 'g', 's', 'h', 'L', 'l']);

function unitOf(token: Token | undefined): { dimension: string; factor: Rational } | undefined {
  if (token === undefined) return undefined;
  const name = token.text.toLowerCase();
  if (token.kind === 'letter') return units.get(name);
  if (token.kind !== 'word' && token.text !== '°') return undefined;
  return units.get(name) ?? units.get(name.replace(/s$/, ''));
}

/** A token with which a unit can begin. */
export function beginsUnit(token: Token): boolean {
  if (token.kind === 'word') return true;
  if (token.kind === 'letter')
    return (token.quoted && !/[ei]/.test(token.text)) || (token.spaced && unitLetters.has(token.text));
  return token.text === '%' || token.text === '°';
}

export function currencyOf(token: Token | undefined): Unit | undefined {
  const name = token?.kind === 'sign' ? currency[token.text] : undefined;
  const unit = name === undefined ? undefined : units.get(name);
  return (
    unit && { scale: one, percent: false, words: [], measure: measureOf(new Map([[unit.dimension, 1]]), unit.factor) }
  );
}

function measureOf(powers: ReadonlyMap<string, number>, factor: Rational): Measure {
  const dimension = [...powers]
    .filter(([, exponent]) => exponent !== 0)
    .map(([name, exponent]) => (exponent === 1 ? name : `${name}^${exponent}`))
    .sort()
    .join(' ');
  return { factor, dimension };
}

/** The exponent behind a unit, and how many tokens it takes. */
function exponentAt(tokens: readonly Token[], at: number): { exponent: number; length: number } {
  if (!is(tokens[at], '^')) return { exponent: 1, length: 0 };
  const braced = is(tokens[at + 1], '{');
  let next = at + 1 + Number(braced);
  const negative = is(tokens[next], '-');
  if (negative) next += 1;
  const digit = tokens[next];
  if (digit?.kind !== 'number' || !/^[1-4]$/.test(digit.text) || (braced && !is(tokens[next + 1], '}'))) {
    return { exponent: Number.NaN, length: 0 };
  }
  return { exponent: Number(digit.text) * (negative ? -1 : 1), length: next + 1 + Number(braced) - at };
}

/** Reads what stands behind a number; undefined when it is no unit as a whole, or might change the number. */
export function parseUnit(tokens: readonly Token[]): Unit | undefined {
  let scale = one;
  let at = 0;
  for (; tokens[at]?.kind === 'word'; at += 1) {
    const factor = scales[tokens[at]?.text.replace(/s$/, '') ?? ''];
    if (factor === undefined) break;
    scale = multiply(scale, integer(factor));
  }
  const rest = tokens.slice(at);
  if (rest.length === 0) return at > 0 ? { scale, percent: false, words: [] } : undefined;
  // What the share is of stands in the question, too.
  const of = rest.findIndex((token) => isWordToken(token, 'of'));
  const share = of > 0 && rest.slice(of).every(({ kind }) => kind === 'word') ? rest.slice(0, of) : rest;
  if (isPercent(share)) return { scale, percent: true, words: [] };
  const measure = parseMeasure(rest);
  if (measure) return { scale, percent: false, measure, words: [] };
  // A unit of one letter in text, such as \mathrm{C}, that is not told from others of that letter.
  const [alone, second] = rest;
  if (second === undefined && alone?.kind === 'letter' && alone.quoted && /^[ACFHKT]$/.test(alone.text))
    return { scale, percent: false, words: [alone.text.toLowerCase()] };
  const words: string[] = [];
  if (!rest.some(({ kind }) => kind === 'word')) return undefined;
  for (const token of rest) {
    if (is(token, '-', '.', ',') && words.length > 0) continue; // as in "one-way trips"
    if (token.kind !== 'word' && !(token.kind === 'letter' && token.quoted)) return undefined;
    if (telling.has(token.text.toLowerCase())) return undefined;
    words.push(token.text.toLowerCase().replace(/(?<=[a-z]{2})s$/, ''));
  }
  return words.length > maxWords ? undefined : { scale, percent: false, words };
}

function isPercent(tokens: readonly Token[]): boolean {
  const [first, second] = tokens;
  if (tokens.length === 1) return is(first, '%') || isWordToken(first, 'percent', 'pct', 'percentage');
  return tokens.length === 2 && isWordToken(first, 'per') && isWordToken(second, 'cent');
}

function parseMeasure(tokens: readonly Token[]): Measure | undefined {
  const powers = new Map<string, number>();
  let factor = one;
  let at = 0;
  let sign = 1;
  while (at < tokens.length) {
    if (at > 0) {
      if (is(tokens[at], '/') || isWordToken(tokens[at], 'per')) {
        sign = -1;
        at += 1;
      } else if (is(tokens[at], '*', '-')) at += 1;
    }
    let exponent = 1;
    if (isWordToken(tokens[at], 'square', 'sq')) exponent = 2;
    else if (isWordToken(tokens[at], 'cubic', 'cu')) exponent = 3;
    if (exponent > 1) at += is(tokens[at + 1], '.') ? 2 : 1;
    const speed = tokens[at]?.kind === 'word' ? speeds[tokens[at]?.text ?? ''] : undefined;
    if (speed !== undefined) {
      const [way = '', time = ''] = speed.split('/');
      const [length, duration] = [units.get(way), units.get(time)];
      if (tokens.length !== 1 || !length || !duration) return undefined;
      const ratio = divide(length.factor, duration.factor);
      return (
        ratio &&
        measureOf(
          new Map([
            ['length', 1],
            ['time', -1],
          ]),
          ratio,
        )
      );
    }
    let unit = unitOf(tokens[at]);
    // Degrees of temperature are another thing than degrees of an angle.
    const scaleName = tokens[at + 1];
    if (unit?.dimension === 'angle' && (is(scaleName, 'C') || isWordToken(scaleName, 'celsius'))) {
      unit = units.get('celsius');
      at += 1;
    } else if (unit?.dimension === 'angle' && (is(scaleName, 'F') || isWordToken(scaleName, 'fahrenheit'))) {
      unit = units.get('fahrenheit');
      at += 1;
    }
    if (!unit) return undefined;
    at += 1;
    if (is(tokens[at], '.')) at += 1;
    const raised = exponentAt(tokens, at);
    if (Number.isNaN(raised.exponent)) return undefined;
    at += raised.length;
    const total = exponent * raised.exponent * sign;
    // A litre is a cubic decimetre.
    const litre = unit.dimension === 'volume';
    const sized = power(litre ? multiply(unit.factor, { top: 1n, bottom: 1000n }) : unit.factor, BigInt(total));
    if (!sized) return undefined;
    factor = multiply(factor, sized);
    const name = litre ? 'length' : unit.dimension;
    powers.set(name, (powers.get(name) ?? 0) + total * (litre ? 3 : 1));
  }
  return measureOf(powers, factor);
}

/** A temperature may be given in plain degrees. */
const alike = (a: string, b: string) => a === b || (a === 'angle' && /^(celsius|fahrenheit)$/.test(b));

/**
 * By what the values are to be multiplied before they are compared; undefined when the units do not go together. A unit that
 * is missing on one side is taken to be the other's; one that is not known goes with the same words, or some of them.
 */
export function commonScale(a: Unit | undefined, b: Unit | undefined): [Rational, Rational] | undefined {
  const [left, right] = [a?.scale ?? one, b?.scale ?? one];
  if (a?.measure && b?.measure) {
    const [first, second] = [a.measure, b.measure];
    if (!alike(first.dimension, second.dimension) && !alike(second.dimension, first.dimension)) return undefined;
    return [multiply(left, first.factor), multiply(right, second.factor)];
  }
  const [said, wanted] = [a?.words ?? [], b?.words ?? []];
  if (said.length > 0 && wanted.length > 0) {
    const within = (some: readonly string[], all: readonly string[]) => some.every((word) => all.includes(word));
    if (!within(said, wanted) && !within(wanted, said)) return undefined;
  } else if ((said.length > 0 && b?.measure) || (wanted.length > 0 && a?.measure)) return undefined;
  return [left, right];
}
