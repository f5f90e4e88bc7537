/** Messages as a broken or hostile other side may send them: some valid, some nearly so, some nothing of the kind. */
import type { z } from 'zod';
import type { Random } from '../../server/random.ts';

/** What is worth a try as a text. No folder outside the one a test runs in: some requests read all that is in one. */
const texts: readonly string[] = [
  ...[
    '',
    'a',
    'x'.repeat(5000),
    '\0',
    '\n',
    '\ud800',
    '😀'.repeat(50),
    '{{ 1 }}',
    // What some languages take for a value to be filled in.
    '\x24{1}',
    '<script>',
    '%s%n',
    '-',
    '--help',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'nan',
    '1e999',
    'null',
    'tiny.cola.yaml',
    'model',
    'builtin:nano2',
    '.cola',
  ],
  ...[
    '/dev/zero',
    '/dev/stdin',
    '/proc/self/mem',
    '../nowhere',
    '..\\..\\nowhere',
    'file:///dev/zero',
    'a/../b',
    'CON',
  ],
  ...['stages:\n  - ', '['.repeat(3000), '&a [*a, *a]', '? ', '!!js/function x', '"', "'", '\ufeff', '\u202e'],
];
const numbers: readonly number[] = [
  ...[0, 1, -1, 2, 3, 7, 0.5, -0, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, Number.NaN],
  ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, 1000, 65536],
];
const keys: readonly string[] = [
  '__proto__',
  'constructor',
  'id',
  'kind',
  'method',
  'params',
  'length',
  'toJSON',
  'a',
  '',
];

export class AnyMessage {
  constructor(readonly random: Random) {}

  pick<T>(list: readonly T[]): T {
    return list[this.random.integer(list.length)];
  }

  chance(p: number): boolean {
    return this.random.uniform() < p;
  }

  /** Anything that JSON can say, and what it makes of the rest. */
  value(depth = 3): unknown {
    switch (this.random.integer(depth > 0 ? 8 : 5)) {
      case 0:
        return null;
      case 1:
        return this.chance(0.5);
      case 2:
        return this.pick(numbers);
      case 3:
      case 4:
        return this.pick(texts);
      case 5:
        return Array.from({ length: this.random.integer(4) }, () => this.value(depth - 1));
      case 6: {
        const found: Record<string, unknown> = {};
        for (let i = this.random.integer(4); i > 0; i--) {
          // Own, as JSON makes it, whatever the name.
          const value = this.value(depth - 1);
          Object.defineProperty(found, this.pick(keys), {
            value,
            enumerable: true,
            configurable: true,
            writable: true,
          });
        }
        return found;
      }
      default: {
        let nested: unknown = 1;
        for (let i = this.random.integer(200); i > 0; i--) nested = this.chance(0.5) ? [nested] : { a: nested };
        return nested;
      }
    }
  }

  /** What a schema may accept, with something else in its place now and then. */
  like(schema: z.ZodType, wrong = 0.04): unknown {
    if (this.chance(wrong)) return this.value();
    const { def } = schema as unknown as { def: Definition };
    switch (def.type) {
      case 'object': {
        const found: Record<string, unknown> = {};
        for (const [name, inner] of Object.entries(def.shape ?? {})) {
          const { type } = (inner as unknown as { def: Definition }).def;
          if ((type === 'optional' || type === 'default') && this.chance(0.5)) continue;
          found[name] = this.like(inner, wrong);
        }
        if (this.chance(wrong)) found[this.pick(keys)] = this.value(1);
        return found;
      }
      case 'array':
        return Array.from({ length: this.random.integer(4) }, () => this.like(def.element as z.ZodType, wrong));
      case 'record': {
        const found: Record<string, unknown> = {};
        for (let i = this.random.integer(3); i > 0; i--)
          found[this.pick(texts)] = this.like(def.valueType as z.ZodType, wrong);
        return found;
      }
      case 'string':
        return this.pick(texts);
      case 'number':
        return this.chance(0.7) ? this.random.integer(20) : this.pick(numbers);
      case 'boolean':
        return this.chance(0.5);
      case 'enum':
        return this.pick(Object.values(def.entries ?? {}));
      case 'literal':
        return this.pick(def.values ?? []);
      case 'union':
        return this.like(this.pick(def.options ?? []), wrong);
      case 'optional':
      case 'default':
      case 'nullable':
      case 'readonly':
        return this.like(def.innerType as z.ZodType, wrong);
      case 'pipe':
        return this.like(def.in as z.ZodType, wrong);
      default:
        return this.value();
    }
  }
}

/** As much of the insides of a schema as is walked. */
interface Definition {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly entries?: Record<string, unknown>;
  readonly values?: readonly unknown[];
}
