/**
 * The number formats of GGUF tensors: their numbers in the file, and how many elements and bytes a block has.
 *
 * Source: ggml.h and gguf-py/gguf/constants.py of llama.cpp.
 */

export interface TensorType {
  readonly name: string;
  /** Elements of a block. */
  readonly elements: number;
  /** Bytes of a block. */
  readonly bytes: number;
}

/** The formats that are read, by the number they have in a file. */
const read = {
  0: { name: 'F32', elements: 1, bytes: 4 },
  1: { name: 'F16', elements: 1, bytes: 2 },
  2: { name: 'Q4_0', elements: 32, bytes: 18 },
  3: { name: 'Q4_1', elements: 32, bytes: 20 },
  6: { name: 'Q5_0', elements: 32, bytes: 22 },
  7: { name: 'Q5_1', elements: 32, bytes: 24 },
  8: { name: 'Q8_0', elements: 32, bytes: 34 },
  12: { name: 'Q4_K', elements: 256, bytes: 144 },
  13: { name: 'Q5_K', elements: 256, bytes: 176 },
  14: { name: 'Q6_K', elements: 256, bytes: 210 },
  30: { name: 'BF16', elements: 1, bytes: 2 },
} as const satisfies Record<number, TensorType>;

export type TypeName = (typeof read)[keyof typeof read]['name'];

/** A format that is read. */
export type ReadType = TensorType & { readonly name: TypeName };

const types: ReadonlyMap<number, ReadType> = new Map(Object.entries(read).map(([id, type]) => [Number(id), type]));

/** Names of the others, for messages. */
const others: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
  40: 'NVFP4',
};

/** @returns undefined for a format that is not read */
export function tensorType(id: number): ReadType | undefined {
  return types.get(id);
}

export function tensorTypeName(id: number): string {
  return types.get(id)?.name ?? others[id] ?? `type ${id}`;
}

export function tensorTypeNamed(name: TypeName): ReadType {
  for (const type of types.values()) if (type.name === name) return type;
  throw new Error(`no type ${name}`);
}

/** The number of a format in a file. */
export function tensorTypeId(name: TypeName): number {
  for (const [id, type] of types) if (type.name === name) return id;
  throw new Error(`no type ${name}`);
}
