/** Headers of GGUF files for tests, written with no line of the product. */

export type Value = number | string | boolean | readonly string[] | readonly boolean[] | Float32Array | Int32Array;
export type Pair = readonly [key: string, value: Value];

export interface Entry {
  readonly name: string;
  readonly extents: readonly number[];
  readonly type: number;
  readonly offset: number;
}

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
export const u64 = (value: number | bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
export const text = (value: string) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
};

/** A value behind the number of its kind. */
function value(given: Value): Buffer {
  if (typeof given === 'string') return Buffer.concat([u32(8), text(given)]);
  if (typeof given === 'boolean') return Buffer.concat([u32(7), Buffer.from([given ? 1 : 0])]);
  if (typeof given === 'number') {
    const bytes = Buffer.alloc(4);
    if (Number.isInteger(given)) bytes.writeInt32LE(given);
    else bytes.writeFloatLE(given);
    return Buffer.concat([u32(Number.isInteger(given) ? 5 : 6), bytes]);
  }
  if (given instanceof Float32Array || given instanceof Int32Array) {
    const kind = given instanceof Float32Array ? 6 : 5;
    return Buffer.concat([u32(9), u32(kind), u64(given.length), Buffer.from(given.buffer)]);
  }
  const texts = given.filter((each): each is string => typeof each === 'string');
  if (texts.length < given.length)
    return Buffer.concat([u32(9), u32(7), u64(given.length), Buffer.from(given.map(Number))]);
  return Buffer.concat([u32(9), u32(8), u64(texts.length), ...texts.map(text)]);
}

/** A file up to where its tensors begin. */
export function header(pairs: readonly Pair[], tensors: readonly Entry[] = [], version = 3): Buffer {
  const bytes = Buffer.concat([
    Buffer.from('GGUF'),
    u32(version),
    u64(tensors.length),
    u64(pairs.length),
    ...pairs.flatMap(([key, given]) => [text(key), value(given)]),
    ...tensors.flatMap(({ name, extents, type, offset }) => [
      text(name),
      u32(extents.length),
      ...extents.map(u64),
      u32(type),
      u64(offset),
    ]),
  ]);
  return Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]);
}
