/** Units and per-cent signs at the end of an answer. */

const names: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  Object.entries({
    cm: 'cm centimeter centimetre',
    mm: 'mm millimeter millimetre',
    m: 'm meter metre',
    km: 'km kilometer kilometre',
    in: 'in inch inche',
    ft: 'ft foot feet',
    yd: 'yd yard',
    mi: 'mi mile',
    g: 'g gram',
    kg: 'kg kilogram',
    lb: 'lb pound',
    oz: 'oz ounce',
    s: 's sec second',
    min: 'min minute',
    h: 'h hr hour',
    day: 'day',
    week: 'week',
    month: 'month',
    year: 'year yr',
    deg: 'deg degree',
    rad: 'rad radian',
    l: 'l liter litre',
    ml: 'ml milliliter millilitre',
    unit: 'unit',
    dollar: 'dollar usd',
    cent: 'cent',
    'km/h': 'km/h kph kmh',
    'm/s': 'm/s',
    mph: 'mph',
    'm/s^2': 'm/s^2',
  }).flatMap(([unit, spellings]) => spellings.split(' ').map((spelling) => [spelling, unit])),
);

/** The standard name of a unit, such as `cm^2` for "square centimeters"; undefined when the unit is not known. */
export function unitName(text: string): string | undefined {
  let word = text
    .toLowerCase()
    .replace(/[{}.]/g, '')
    .replace(/\s+per\s+/g, '/')
    .replace(/\s+/g, ' ')
    .trim();
  let power = '';
  word = word.replace(/^(square|sq|cubic|cu) /, (_, kind: string) => {
    power = kind.startsWith('sq') ? '^2' : '^3';
    return '';
  });
  const exact = names[word];
  if (exact !== undefined) return exact + power;
  word = word.replace(/ ?\^ ?([23])$/, (_, digit: string) => {
    power = `^${digit}`;
    return '';
  });
  const parts: (string | undefined)[] = word
    .split('/')
    .map((part) => names[part.trim()] ?? names[part.trim().replace(/s$/, '')]);
  return parts.includes(undefined) ? undefined : parts.join('/') + power;
}

/** An answer taken apart: the quantity, its unit as written (empty without one), and whether it is per cent. */
export interface Quantity {
  text: string;
  unit: string;
  percent: boolean;
}

const percentEnd = /^([\s\S]*[\d})])\s*(?:\\?%|\\text\{\s*(?:\\?%|percent)\s*\}|\s(?:percent|per cent))$/i;
const degreeEnd = /^([\s\S]*\S)\s*\^\\circ\s*(?:\\text\{\s*[CF]\s*\}|[CF])?$/;
const textEnd = /^([\s\S]*\S)\s*\\text\{([^{}]*)\}\s*(\^\s*\{?\s*[23]\s*\}?)?$/;
const wordEnd = /^([\s\S]*[\d)}])(\s*)((?:[A-Za-z]+[ /]?)+)(\^\s*\{?\s*[23]\s*\}?)?$/;
const trigonometric = /\\?(?:sin|cos|tan|cot|sec|csc)/;

/** Splits the unit off a quantity. What does not look like quantity and unit is returned whole. */
export function splitUnit(text: string): Quantity {
  const percent = percentEnd.exec(text);
  if (percent?.[1]) return { text: percent[1].trim(), unit: '', percent: true };
  const degree = trigonometric.test(text) ? null : degreeEnd.exec(text);
  if (degree?.[1]) return { text: degree[1].trim(), unit: 'deg', percent: false };
  const inText = textEnd.exec(text);
  if (inText?.[1] && /[\d)}a-z]$/i.test(inText[1])) {
    return { text: inText[1].trim(), unit: `${inText[2]}${inText[3] ?? ''}`.trim(), percent: false };
  }
  const words = wordEnd.exec(text);
  if (words?.[1] && words[3]) {
    const unit = `${words[3].trim()}${words[4] ?? ''}`;
    const apart = words[2] !== '';
    // Glued letters are a product of variables unless they are a known unit of several letters.
    const isUnit =
      unitName(unit) !== undefined ? apart || words[3].trim().length > 1 : apart && words[3].trim().length > 2;
    if (isUnit && !/^(?:sqrt|pi|sin|cos|tan|log|ln|and|or|mod)\b/.test(unit)) {
      return { text: words[1].trim(), unit, percent: false };
    }
  }
  return { text, unit: '', percent: false };
}

/** False only when both units are known and differ: `5 cm` is not `5 m`, but `5` may be either. */
export function unitsAgree(a: string, b: string): boolean {
  const first = a === '' ? undefined : unitName(a);
  const second = b === '' ? undefined : unitName(b);
  return first === undefined || second === undefined || first === second;
}
