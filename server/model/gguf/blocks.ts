/** Blocks of a GGUF file that are blocks of a base in fewer bits, number for number: 32 whole numbers around 0 with one scale. */
import { type BlockWeight, blockSize } from '../../graph/stored.ts';
import { fifth, half } from './dequantise.ts';
import type { ReadType, TypeName } from './types.ts';

/** Writes the numbers of the block at `from`, and returns their scale. */
type Numbers = (bytes: Uint8Array, from: number, numbers: Int8Array) => number;

const numbersOf: Partial<Readonly<Record<TypeName, { readonly bits: number; readonly read: Numbers }>>> = {
  Q8_0: {
    bits: 8,
    read(bytes, from, numbers) {
      for (let i = 0; i < blockSize; i++) numbers[i] = bytes[from + 2 + i];
      return half(bytes, from);
    },
  },
  Q5_0: {
    bits: 5,
    read(bytes, from, numbers) {
      for (let i = 0; i < 16; i++) {
        const pair = bytes[from + 6 + i];
        numbers[i] = ((pair & 15) | fifth(bytes, from + 2, i)) - 16;
        numbers[i + 16] = ((pair >> 4) | fifth(bytes, from + 2, i + 16)) - 16;
      }
      return half(bytes, from);
    },
  },
  Q4_0: {
    bits: 4,
    read(bytes, from, numbers) {
      for (let i = 0; i < 16; i++) {
        const pair = bytes[from + 2 + i];
        numbers[i] = (pair & 15) - 8;
        numbers[i + 16] = (pair >> 4) - 8;
      }
      return half(bytes, from);
    },
  },
};

/** Whether blocks of a type fit into the form as they are. */
export function fitsBlocks(type: TypeName, form: BlockWeight['form']): boolean {
  const bits = numbersOf[type]?.bits;
  return bits !== undefined && bits <= (form === 'int8' ? 8 : 4);
}

/** @param bytes whole blocks of a type that fits @param block index of the first of them in the weight */
export function putBlocks(
  type: ReadType,
  bytes: Uint8Array,
  { form, values, scales }: BlockWeight,
  block: number,
): void {
  const read = numbersOf[type.name]?.read;
  if (read === undefined) throw new Error(`blocks of ${type.name} fit no base`);
  const numbers = new Int8Array(blockSize);
  for (let from = 0; from < bytes.length; from += type.bytes, block++) {
    scales[block] = read(bytes, from, numbers);
    const to = block * blockSize;
    if (form === 'int8') for (let i = 0; i < blockSize; i++) values[to + i] = numbers[i] + 128;
    else for (let i = 0; i < blockSize; i += 2) values[(to + i) / 2] = (numbers[i] + 8) | ((numbers[i + 1] + 8) << 4);
  }
}
