/** The errors of GGUF files. */
import { catalogue } from '../../errors.ts';
import { quote, reason } from '../../files/safetensors-errors.ts';

const AGAIN = 'Download the file again; if a program made it, make it again with the newest version of that program.';
const ANOTHER_TYPE =
  'Take a file of the same model in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K; their pages usually list several.';

export const ggufErrors = catalogue('gguf', {
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
  version: (file: string, version: number) => [
    `The file ${file} is GGUF of version ${version}; versions 2 and 3 are read.`,
    'Convert the model again with a llama.cpp of today.',
  ],
  bigEndian: (file: string) => [
    `The file ${file} is GGUF for machines that store numbers the other way round (big-endian).`,
    'Take the file for ordinary machines, or convert it with gguf_convert_endian.py of llama.cpp.',
  ],
  header: (file: string, detail: string) => [`The header of ${file} cannot be understood: ${detail}.`, AGAIN],
  tensor: (file: string, name: string, detail: string) => [
    `The tensor ${quote(name)} in ${file} is not usable: ${detail}.`,
    AGAIN,
  ],
  type: (file: string, name: string, type: string) => [
    `The tensor ${quote(name)} in ${file} is stored as ${type}, which is not read.`,
    ANOTHER_TYPE,
  ],
  split: (file: string, parts: number) => [
    `The file ${file} is one of ${parts} parts of a model.`,
    'Join the parts with the program llama-gguf-split of llama.cpp, and choose the whole.',
  ],
  notModel: (file: string, kind: string) => [
    `The file ${file} is GGUF, but holds no model: it is ${quote(kind)}.`,
    'Choose the file of the model itself.',
  ],
  value: (file: string, key: string, detail: string) => [`${quote(key)} in ${file} is not usable: ${detail}.`, AGAIN],
  architecture: (file: string, found: string, kind?: string) => [
    `The model in ${file} is of the kind ${quote(found)}${kind === undefined ? '' : ` (${kind})`}, which is not supported.`,
    'Use a causal language model of the families Llama, Mistral, Qwen2, Qwen3, SmolLM3, Gemma 2 or 3, Phi-3 or Phi-4.',
  ],
  feature: (file: string, feature: string) => [
    `The model in ${file} uses ${feature}, which is not supported.`,
    'Use a model of the families Llama, Mistral, Qwen2, Qwen3, SmolLM3, Gemma 2 or 3, Phi-3 or Phi-4 without this feature.',
  ],
  tokenizer: (file: string, what: string) => [
    `The tokenizer in ${file} is ${what}, which is not read.`,
    'Take the Hugging Face folder of the model in place of the GGUF file.',
  ],
  notWritten: (folder: string, what: string) => [
    `The model in ${folder} has ${what}, which is not written to GGUF files.`,
    'Export it as a Hugging Face folder, without `--format gguf`.',
  ],
  tooLarge: (folder: string, name: string, value: number) => [
    `The tensor ${quote(name)} of the model in ${folder} holds ${value}, which is too large for numbers of 16 bits.`,
    'Export it with `--type f32`.',
  ],
  several: (folder: string, files: readonly string[]) => [
    `${folder} holds ${files.length} GGUF files: ${files.slice(0, 3).join(', ')}${files.length > 3 ? ' …' : ''}.`,
    `Choose one of them, such as ${files[0]}.`,
  ],
});
