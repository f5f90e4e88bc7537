/** What every chat template finds: jinja2's functions, and the two of transformers. */
import { spendSteps } from './budget.ts';
import { JinjaError } from './errors.ts';
import { Callable, count, Dict, iterate, Namespace, Range, text, type Value } from './values.ts';

/** The sandbox of jinja2 allows no longer ones either. */
const LONGEST_RANGE = 100_000;

const pairsOf = (value: Value): (readonly [Value, Value])[] =>
  value instanceof Dict
    ? [...value.entries.values()]
    : iterate(value).map((pair) => {
        const [key, item, ...more] = iterate(pair);
        if (item === undefined || more.length > 0) throw new JinjaError('a dict is made of pairs');
        return [key, item] as const;
      });

function range(args: readonly Value[]): Value {
  if (args.length > 3) throw new JinjaError('a range has three numbers at most');
  const [start, stop, step] = (args.length === 1 ? [0n, args[0], 1n] : [args[0], args[1], args[2] ?? 1n]).map((value) =>
    count(value ?? null, 'the end of a range'),
  );
  if (step === 0) throw new JinjaError('the step of a range cannot be zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > LONGEST_RANGE) throw new JinjaError(`a range has more than ${LONGEST_RANGE} numbers`);
  spendSteps(length);
  return new Range(start, stop, step);
}

const pad = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill);
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** A time as C prints it, in English whatever the machine speaks. */
export function formatTime(now: Date, format: string): string {
  const hour = now.getHours() % 12 || 12;
  const yearStart = new Date(now.getFullYear(), 0, 1);
  const day = Math.round(
    (new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime() - yearStart.getTime()) / 86_400_000,
  );
  const parts: Readonly<Record<string, string>> = {
    a: DAYS[now.getDay()].slice(0, 3),
    A: DAYS[now.getDay()],
    w: String(now.getDay()),
    d: pad(now.getDate()),
    e: pad(now.getDate(), 2, ' '),
    b: MONTHS[now.getMonth()].slice(0, 3),
    h: MONTHS[now.getMonth()].slice(0, 3),
    B: MONTHS[now.getMonth()],
    m: pad(now.getMonth() + 1),
    y: pad(now.getFullYear() % 100),
    Y: String(now.getFullYear()),
    H: pad(now.getHours()),
    I: pad(hour),
    p: now.getHours() < 12 ? 'AM' : 'PM',
    M: pad(now.getMinutes()),
    S: pad(now.getSeconds()),
    f: pad(now.getMilliseconds() * 1000, 6),
    j: pad(day + 1, 3),
    '%': '%',
  };
  const whole: Readonly<Record<string, string>> = {
    F: '%Y-%m-%d',
    T: '%H:%M:%S',
    D: '%m/%d/%y',
    R: '%H:%M',
    c: '%a %b %e %H:%M:%S %Y',
    x: '%m/%d/%y',
    X: '%H:%M:%S',
  };
  return format.replace(/%-?(.)/gs, (all, letter: string) => {
    const composed = whole[letter];
    if (composed !== undefined) return formatTime(now, composed);
    const part = parts[letter];
    if (part === undefined) throw new JinjaError(`the time format ${all} is not supported`);
    return all.startsWith('%-') && letter !== '-' ? part.replace(/^0+(?=\d)/, '').trimStart() : part;
  });
}

export function globals(): ReadonlyMap<string, Value> {
  const functions = [
    new Callable('range', range),
    new Callable('dict', (args, named) => new Dict([...args.flatMap(pairsOf), ...named])),
    new Callable('namespace', (args, named) => {
      const made = new Namespace();
      for (const [key, value] of [...args.flatMap(pairsOf), ...named]) made.members.set(text(key), value);
      return made;
    }),
    new Callable('cycler', (items) => {
      let at = 0;
      const next = () => items[at++ % items.length] ?? null;
      return new Callable('cycler', next, (name) => {
        if (name === 'next') return new Callable('next', next);
        if (name === 'current') return items[at % items.length] ?? null;
        if (name !== 'reset') return undefined;
        return new Callable('reset', () => {
          at = 0;
          return null;
        });
      });
    }),
    new Callable('joiner', ([separator = ', ']) => {
      let first = true;
      return new Callable('joiner', () => {
        const value = first ? '' : separator;
        first = false;
        return value;
      });
    }),
    new Callable('raise_exception', ([message = '']) => {
      throw new JinjaError(text(message));
    }),
    new Callable('strftime_now', ([format = '']) => formatTime(new Date(), text(format))),
  ];
  return new Map(functions.map((one) => [one.name, one]));
}
