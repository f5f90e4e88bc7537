/** Python's two ways to fill in a pattern: `'%s' % x` and `'{}'.format(x)`. */
import { spendText } from './budget.ts';
import { JinjaError } from './errors.ts';
import {
  Dict,
  defined,
  floatText,
  isNumber,
  lengthOf,
  type Named,
  quoted,
  represent,
  Tuple,
  text,
  typeName,
  type Value,
} from './values.ts';

const WIDEST = 100_000;
const MOST_DIGITS = 100;

interface Spec {
  readonly fill: string;
  readonly align: string | undefined;
  readonly sign: string;
  readonly alternate: boolean;
  readonly width: number;
  readonly grouping: string;
  readonly precision: number | undefined;
  readonly type: string;
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([a-zA-Z%]?)$/su;

function parseSpec(source: string): Spec {
  const match = SPEC.exec(source);
  if (match === null) throw new JinjaError(`${JSON.stringify(source)} is no format`);
  const [, fill, align, sign, alternate, zero, width, grouping, precision, type] = match;
  return {
    fill: fill ?? (zero === '0' ? '0' : ' '),
    align: align ?? (zero === '0' ? '=' : undefined),
    sign,
    alternate: alternate === '#',
    width: Math.min(WIDEST, Number(width)),
    grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
}

function grouped(digits: string, separator: string): string {
  return separator === '' ? digits : digits.replace(/\B(?=(?:\d{3})+(?!\d))/g, separator);
}

/** `1e5` as Python writes it, with at least two digits in the exponent. */
const exponential = (value: number, precision: number): string =>
  scientificDigits(value, precision).replace(/e([-+])(\d)$/, 'e$10$2');

/** Whether what `exact` has behind its digit `at` is just half of one: a 5 and noughts. Then the even digit is taken. */
const isHalf = (exact: string, at: number): boolean => exact[at] === '5' && /^0*$/.test(exact.slice(at + 1));

/** As `toFixed`, but halves go to the even digit, and no number is too large. */
export function fixedDigits(value: number, precision: number): string {
  const absolute = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (absolute >= 1e21) return `${sign}${BigInt(absolute)}${precision > 0 ? `.${'0'.repeat(precision)}` : ''}`;
  const [units, fraction] = absolute.toFixed(MOST_DIGITS).split('.');
  const kept = precision > 0 ? `${units}.${fraction.slice(0, precision)}` : units;
  return sign + (isHalf(fraction, precision) && Number(kept.at(-1)) % 2 === 0 ? kept : absolute.toFixed(precision));
}

/** As `toExponential`, with halves to the even digit. */
function scientificDigits(value: number, precision: number): string {
  const [mantissa, exponent] = value.toExponential(MOST_DIGITS).split('e');
  const digits = mantissa.replace('.', '');
  const even = Number(digits[precision]) % 2 === 0;
  if (!even || !isHalf(digits, precision + 1)) return value.toExponential(precision);
  return `${mantissa.slice(0, precision > 0 ? precision + 2 : 1)}e${exponent}`;
}

/** Digits of a number without its sign. */
function magnitude(value: number | bigint, spec: Spec): string {
  if (spec.type === 'E' || spec.type === 'G')
    return magnitude(value, { ...spec, type: spec.type.toLowerCase() }).toUpperCase();
  const { type } = spec;
  const absolute = typeof value === 'number' ? Math.abs(value) : value < 0n ? -value : value;
  const precision = spec.precision ?? 6;
  if (precision > MOST_DIGITS) throw new JinjaError('a number is printed with too many digits');
  if (typeof absolute === 'bigint') {
    if (type === '' || type === 'd' || type === 'n') return grouped(String(absolute), spec.grouping);
    const base = { b: 2, o: 8, x: 16, X: 16 }[type];
    if (base !== undefined) {
      const digits = `${spec.alternate ? `0${type}` : ''}${absolute.toString(base)}`;
      return type === 'X' ? digits.toUpperCase() : digits;
    }
    if (type === 'c') return String.fromCodePoint(Math.min(0x10ffff, Number(absolute)));
  }
  const number = Number(absolute);
  if (!Number.isFinite(number)) return floatText(number);
  switch (type.toLowerCase()) {
    case 'f': {
      const [units, rest] = fixedDigits(number, precision).split('.');
      return grouped(units, spec.grouping) + (rest === undefined ? '' : `.${rest}`);
    }
    case '%':
      return `${magnitude(number * 100, { ...spec, type: 'f' })}%`;
    case 'e':
      return exponential(number, precision);
    case '':
      if (spec.precision === undefined) {
        const [units, rest] = floatText(number).split('.');
        return grouped(units, spec.grouping) + (rest === undefined ? '' : `.${rest}`);
      }
      return general(number, spec.precision, true);
    case 'g':
    case 'n':
      return general(number, precision);
  }
  throw new JinjaError(`the format ${JSON.stringify(type)} does not fit a number`);
}

/** As the format `g`; `float` for none at all, which keeps a digit behind the point. */
function general(value: number, precision: number, float = false): string {
  const digits = Math.max(1, precision);
  const power = value === 0 ? 0 : Number(scientificDigits(value, digits - 1).split('e')[1]);
  const plain = (number: string) => (number.includes('.') ? number.replace(/\.?0+$/, '') : number);
  if (power >= -4 && power < digits - (float ? 1 : 0)) {
    const text = plain(fixedDigits(value, digits - 1 - power));
    return float && !text.includes('.') ? `${text}.0` : text;
  }
  const [mantissa, exponent] = exponential(value, digits - 1).split('e');
  return `${plain(mantissa)}e${exponent}`;
}

function padded(content: string, sign: string, spec: Spec, align: string): string {
  spendText(Math.max(spec.width, content.length));
  const missing = Math.max(0, spec.width - [...content].length - sign.length);
  const left = align === '>' ? missing : align === '^' ? Math.floor(missing / 2) : 0;
  if (align === '=') return sign + spec.fill.repeat(missing) + content;
  return spec.fill.repeat(left) + sign + content + spec.fill.repeat(missing - left);
}

/** As `format(value, source)`. */
function formatValue(value: Value, source: string): string {
  const spec = parseSpec(source);
  if (isNumber(value) && !(typeof value === 'boolean' && spec.type === '')) {
    const number = typeof value === 'boolean' ? BigInt(value) : value;
    const negative = number < 0 || Object.is(number, -0);
    const sign = negative ? '-' : spec.sign === '-' ? '' : spec.sign;
    return padded(magnitude(number, spec), sign, spec, spec.align ?? '>');
  }
  if (source === '') return text(value);
  if (typeof value !== 'string' && typeof value !== 'boolean')
    throw new JinjaError(`a ${typeName(value)} takes no format`);
  if (spec.type !== '' && spec.type !== 's')
    throw new JinjaError(`the format ${JSON.stringify(spec.type)} does not fit a string`);
  const content = [...text(value)].slice(0, spec.precision).join('');
  return padded(content, '', spec, spec.align === undefined || spec.align === '=' ? '<' : spec.align);
}

/** The fields of a pattern: `{0.name[key]!r:>5}`. `member` looks up `.name` (true) and `[key]` (false). */
export function formatBraces(
  pattern: string,
  args: readonly Value[],
  named: Named,
  member: (object: Value, key: Value, attribute: boolean) => Value,
): string {
  let next = 0;
  const fieldOf = (field: string): Value => {
    const [, first, path] = /^([^.[]*)(.*)$/s.exec(field) ?? ['', '', ''];
    const key = first === '' ? String(next++) : first;
    let value = /^\d+$/.test(key) ? args[Number(key)] : named.get(key);
    if (value === undefined) throw new JinjaError(`there is nothing to fill in for {${field}}`);
    for (const [, attribute, item] of path.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)) {
      const isIndex = item !== undefined && /^\d+$/.test(item);
      value = defined(member(value, isIndex ? BigInt(item) : (attribute ?? item), attribute !== undefined));
    }
    return value;
  };
  const filled = (source: string): string =>
    source.replace(
      /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::((?:[^{}]|\{[^{}]*\})*))?\}|[{}]/g,
      (part, field?: string, conversion?: string, spec?: string) => {
        if (part === '{{' || part === '}}') return part[0];
        if (field === undefined) throw new JinjaError(`a single ${part} stands in a format`);
        const value = fieldOf(field);
        const shown = conversion === undefined ? value : conversion === 's' ? text(value) : represent(value);
        return formatValue(shown, spec === undefined ? '' : filled(spec));
      },
    );
  const result = filled(pattern);
  spendText(result.length);
  return result;
}

/** As `pattern % values`. */
export function formatPercent(pattern: string, values: Value): string {
  const list = values instanceof Tuple ? values.items : [values];
  let next = 0;
  const take = (): Value => {
    const value = list[next++];
    if (value === undefined) throw new JinjaError('there are too few values for a format');
    return value;
  };
  const size = (source: string): number | undefined =>
    source === ''
      ? undefined
      : source === '*'
        ? Math.min(WIDEST, Math.abs(Number(take())))
        : Math.min(WIDEST, Number(source));
  const result = pattern.replace(
    /%(?:\(([^)]*)\))?([-+ #0]*)(\d*|\*)(?:\.(\d*|\*))?([a-zA-Z%]?)/g,
    (part, key: string | undefined, flags: string, wide: string, precise: string | undefined, type: string) => {
      if (type === '%') return '%';
      if (type === '') throw new JinjaError(`${JSON.stringify(part)} is no format`);
      const width = size(wide) ?? 0;
      const precision = precise === undefined ? undefined : (size(precise) ?? 0);
      const found = key === undefined ? take() : values instanceof Dict ? values.get(key) : undefined;
      if (found === undefined) throw new JinjaError(`there is no ${key} for a format`);
      const minus = flags.includes('-');
      const base = {
        fill: ' ',
        sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '',
        width,
        grouping: '',
        precision,
      };
      if ('sra'.includes(type)) {
        const shown = type === 's' ? text(found) : typeof found === 'string' ? quoted(found) : represent(found);
        const spec = { ...base, align: undefined, alternate: false, type: '' };
        return padded([...shown].slice(0, precision).join(''), '', spec, minus ? '<' : '>');
      }
      if (type === 'c' && typeof found === 'string' && lengthOf(found) === 1)
        return padded(found, '', { ...base, align: undefined, alternate: false, type: '' }, minus ? '<' : '>');
      if (!isNumber(found)) throw new JinjaError(`%${type} needs a number, not a ${typeName(found)}`);
      const plain = typeof found === 'boolean' ? BigInt(found) : found;
      const isWhole = 'diuxXo'.includes(type);
      if ('xXo'.includes(type) && typeof plain === 'number') throw new JinjaError(`%${type} needs a whole number`);
      const number = isWhole ? BigInt(typeof plain === 'number' ? Math.trunc(plain) : plain) : plain;
      const kind = 'iu'.includes(type) ? 'd' : type;
      const zero = flags.includes('0') && !minus;
      const spec: Spec = {
        ...base,
        fill: zero ? '0' : ' ',
        align: undefined,
        alternate: flags.includes('#'),
        type: kind,
      };
      let digits = magnitude(number, isWhole ? { ...spec, precision: undefined } : spec);
      if (isWhole && precision !== undefined) digits = digits.padStart(Math.min(WIDEST, precision), '0');
      const sign = number < 0 || Object.is(number, -0) ? '-' : type === 'c' ? '' : base.sign;
      return padded(digits, sign, spec, minus ? '<' : zero ? '=' : '>');
    },
  );
  if (values instanceof Tuple && next < list.length) throw new JinjaError('there are too many values for a format');
  spendText(result.length);
  return result;
}
