/** Values of a GGUF header under the types that are expected of them. */
import { ggufErrors as errors } from './errors.ts';
import type { GgufHeader, GgufValue } from './header.ts';

const isNumbers = (value: GgufValue | undefined): value is Exclude<GgufValue, number | bigint | boolean | string> =>
  typeof value === 'object';

export class Metadata {
  constructor(
    readonly header: GgufHeader,
    readonly file: string,
  ) {}

  has(key: string): boolean {
    return this.header.metadata.has(key);
  }

  /** @throws gguf.value for something else than a number */
  number(key: string): number | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') throw errors.value(this.file, key, 'it is no number');
    return value;
  }

  /** @throws gguf.value where it is missing */
  requiredNumber(key: string): number {
    const value = this.number(key);
    if (value === undefined) throw errors.value(this.file, key, 'it is missing');
    return value;
  }

  /** One number, or the one that all of a list are. */
  sameNumber(key: string, what: string): number | undefined {
    const value = this.header.metadata.get(key);
    if (!isNumbers(value)) return this.number(key);
    const all = new Set(value);
    const [only] = all;
    if (all.size !== 1 || typeof only !== 'number') throw errors.feature(this.file, `layers with different ${what}`);
    return only;
  }

  /** @throws gguf.value for something else than a number or a list of yes and no */
  numberOrFlags(key: string): number | readonly boolean[] | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined || typeof value === 'number') return value;
    if (Array.isArray(value) && value.every((each): each is boolean => typeof each === 'boolean')) return value;
    throw errors.value(this.file, key, 'it is neither a number nor a list of yes and no');
  }

  flag(key: string): boolean | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined || typeof value === 'boolean') return value;
    throw errors.value(this.file, key, 'it is neither true nor false');
  }

  text(key: string): string | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined || typeof value === 'string') return value;
    throw errors.value(this.file, key, 'it is no text');
  }

  texts(key: string): readonly string[] | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((each): each is string => typeof each === 'string')) return value;
    throw errors.value(this.file, key, 'it is no list of texts');
  }

  numbers(key: string): readonly number[] | undefined {
    const value = this.header.metadata.get(key);
    if (value === undefined) return undefined;
    if (isNumbers(value)) {
      const list = Array.from(value as ArrayLike<GgufValue>);
      if (list.every((each): each is number => typeof each === 'number')) return list;
    }
    throw errors.value(this.file, key, 'it is no list of numbers');
  }
}
