/** Numbers as people write them: `5k`, `1,000`, `10%`, `1/3`, `5 min`, `three`. */

/** How many a word or letter behind a number stands for. */
const powers: Readonly<Record<string, number>> = {
  k: 1e3,
  thousand: 1e3,
  m: 1e6,
  mio: 1e6,
  million: 1e6,
  b: 1e9,
  g: 1e9,
  bn: 1e9,
  billion: 1e9,
  t: 1e12,
};

const small =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'.split(
    ' ',
  );
const tens = 'thirty forty fifty sixty seventy eighty ninety hundred'.split(' ');
const words: ReadonlyMap<string, number> = new Map([
  ...small.map((word, value) => [word, value] as const),
  ...tens.map((word, at) => [word, 10 * (at + 3)] as const),
  ['a', 1],
  ['an', 1],
  ['half', 0.5],
]);

const seconds: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, min: 60, m: 60, h: 3600, d: 86_400 };
/** The first letters of a word for a time. */
const timeWord = /^(?:(ms|milli)|(s(?:ec(?:ond)?s?)?)|(min(?:ute)?s?)|(h(?:our|r)?s?)|(d(?:ay)?s?)|(m))$/;
const megabytes: Readonly<Record<string, number>> = { k: 2 ** -10, m: 1, g: 2 ** 10, t: 2 ** 20 };

/** What counts without changing the number: `1k tokens`, `3 epochs`, `4x`. */
const counted =
  /^(?:tokens?|steps?|samples?|rows?|prompts?|problems?|characters?|epochs?|episodes?|updates?|actions?|codes?|turns?|workers?|threads?|cores?|times|x)$/;

/** The number of digits with marks between thousands, or with a comma in front of its fraction. */
function digitsOf(text: string): number | undefined {
  if (/^\d{1,3}(?:([,_ '’.])\d{3})(?:\1\d{3})*$/.test(text) && !/^0|^\d+\.\d+$/.test(text))
    return Number(text.replace(/\D/g, ''));
  if (/^\d{1,3}(?:,\d{3})+\.\d+$/.test(text)) return Number(text.replaceAll(',', ''));
  // `1,00` is as likely a thousand that lacks a zero.
  const plain = text.replaceAll('_', '').replace(/^(\d+),(\d*[1-9]\d*)$/, '$1.$2');
  return /^(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(plain) ? Number(plain) : undefined;
}

/** A number to six digits, which is what somebody means by 1/3. */
const short = (value: number): number => Number(value.toPrecision(6));

/** @param unit what the number counts where that is a time or memory: `ms`, `seconds`, `MB` */
function inUnit(value: number, word: string, unit: string | undefined): number | undefined {
  if (unit === 'MB') {
    const [, size] = /^([kmgt])i?b(?:ytes?)?$/.exec(word) ?? [];
    return size === undefined ? undefined : value * megabytes[size];
  }
  if (unit !== 'ms' && unit !== 'seconds') return undefined;
  const found = timeWord.exec(word)?.findIndex((part, at) => at > 0 && part !== undefined) ?? -1;
  const per = [undefined, seconds.ms, seconds.s, seconds.min, seconds.h, seconds.d, seconds.m][Math.max(found, 0)];
  return per === undefined ? undefined : (value * per) / (unit === 'ms' ? 1e-3 : 1);
}

/**
 * The number that a text stands for; undefined where it is none, or has a unit of another kind than the setting.
 *
 * @param unit what the setting counts
 */
export function writtenNumber(text: string, unit?: string): number | undefined {
  if (text.length > 60) return undefined;
  const plain = text.trim().toLowerCase().replaceAll('\u2212', '-').replace(/\s+/g, ' ');
  const [, sign, rest] = /^([-+]?) ?(.+)$/.exec(plain) ?? [];
  if (rest === undefined) return undefined;
  const value = unsigned(rest, unit);
  return value === undefined || !Number.isFinite(value) ? undefined : sign === '-' ? -value : value;
}

function unsigned(text: string, unit: string | undefined): number | undefined {
  const power = /^([\d.,]+) ?(?:[x×*·] ?)?10 ?(?:\^|\*\*) ?\(?(-?\d+)\)?$/.exec(text);
  if (power !== null) return Number(`${digitsOf(power[1])}e${power[2]}`);
  const fraction = /^([\d.,_]+) ?[/÷] ?([\d.,_]+)$/.exec(text);
  if (fraction !== null) {
    const [over, under] = [digitsOf(fraction[1]), digitsOf(fraction[2])];
    return over === undefined || under === undefined || under === 0 ? undefined : short(over / under);
  }
  const [, digits, behind] = /^((?:\d[\d.,_ '’]*|\.\d+)(?:e[-+]?\d+)?)(.*)$/.exec(text) ?? [];
  const [word, ...others] = digits === undefined ? text.split(/[ -]/) : [];
  const value = digits === undefined ? words.get(word) : digitsOf(digits.trim());
  if (value === undefined) return undefined;
  return measured(value, digits === undefined ? others : behind.trim().split(' '), unit);
}

/** A number with what stands behind it, from the left: a power, then what is counted. */
function measured(number: number, behind: readonly string[], unit: string | undefined): number | undefined {
  let value = number;
  for (const word of behind) {
    if (word === '' || word === unit || counted.test(word)) continue;
    const sized = inUnit(value, word, unit);
    const further = words.get(word);
    if (sized !== undefined) value = sized;
    else if ((word === '%' || word === 'percent') && !counts(unit)) value = Number((value / 100).toPrecision(12));
    else if (Object.hasOwn(powers, word)) value *= powers[word];
    else if (word === 'hundred') value *= 100;
    else if (further !== undefined && value >= 20 && value < 100 && further < 10) value += further;
    else return undefined;
  }
  return value;
}

const counts = (unit: string | undefined): unit is string => unit !== undefined && counted.test(unit);

/** What is said of a time or a share where a setting counts something else. */
export function otherUnit(text: string, unit: string | undefined): string {
  if (!counts(unit)) return '';
  if (/^\s*[\d.,]+\s*(?:%|percent)\s*$/i.test(text)) return `: it counts ${unit} and is no share of them`;
  return writtenNumber(text, 'seconds') !== undefined && writtenNumber(text) === undefined
    ? `: it counts ${unit} and no time`
    : '';
}
