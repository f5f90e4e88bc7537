/** The errors of safetensors files. */
import { catalogue } from '../errors.ts';

const AGAIN = 'Copy or download the file again; if it belongs to a checkpoint, use the checkpoint before it.';

export const safetensorsErrors = catalogue('safetensors', {
  cannotOpen: (file: string, cause: unknown) => [
    `The file ${file} cannot be opened (${reason(cause)}).`,
    'Check that it exists, is a regular file and that you may read it.',
    cause,
  ],
  cannotRead: (file: string, name: string, cause: unknown) => [
    `The tensor ${quote(name)} cannot be read from ${file} (${reason(cause)}).`,
    'Check that the disk is in order, and that nothing else changes the file while it is in use.',
    cause,
  ],
  truncated: (file: string) => [`The file ${file} ends too early: it is shorter than its own header says.`, AGAIN],
  headerLength: (file: string, length: bigint, limit: number) => [
    `The file ${file} says that its header has ${length} bytes; at most ${limit} are possible.`,
    `It is probably not a safetensors file, or damaged. ${AGAIN}`,
  ],
  header: (file: string, detail: string) => [`The header of ${file} cannot be understood: ${detail}.`, AGAIN],
  dtype: (file: string, name: string, dtype: string) => [
    `The tensor ${quote(name)} in ${file} has the number format ${quote(dtype)}, which is not supported.`,
    'Use a model whose weights are stored as F32, F16 or BF16, not a quantised one.',
  ],
  size: (file: string, name: string, detail: string) => [
    `The tensor ${quote(name)} in ${file} has a wrong size: ${detail}.`,
    AGAIN,
  ],
  layout: (file: string, name: string, detail: string) => [
    `The tensors in ${file} do not fill it exactly: ${quote(name)} ${detail}.`,
    AGAIN,
  ],
  noTensor: (file: string, name: string) => [
    `There is no tensor ${quote(name)} in ${file}.`,
    'Check that the file belongs to this model.',
  ],
  readAs: (file: string, name: string, dtype: string, wanted: string) => [
    `The tensor ${quote(name)} in ${file} holds ${dtype} numbers where ${wanted} are needed.`,
    'Check that the file belongs to this model.',
  ],
  tooLarge: (file: string, name: string, bytes: number, cause: unknown) => [
    `The tensor ${quote(name)} in ${file} has ${bytes} bytes, more than fits into memory.`,
    'Close other programs or use a smaller model.',
    cause,
  ],
});

/** JSON quoting keeps control characters of a damaged file out of terminals, and 200 characters are enough of any name. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

export function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
