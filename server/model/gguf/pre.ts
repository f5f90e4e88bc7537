/**
 * How texts are split before merging, by the name that GGUF files have for it (`tokenizer.ggml.pre`): as the tokenizer.json of
 * the models says it, which llama.cpp writes anew for its own expressions.
 *
 * Source: llama-vocab.cpp of llama.cpp, and the tokenizer.json files that it names.
 */
import type { NormalizerSpec, PreTokenizerSpec } from '../tokenizer/file.ts';

export interface PreTokenizer {
  /** Expressions whose matches become pieces, one behind the other. */
  readonly stages: readonly PreTokenizerSpec[];
  readonly normalizer: NormalizerSpec | null;
  /** A piece that is a token is that token, whatever the merges say. */
  readonly ignoreMerges: boolean;
  /** Whether a start token is put before each text where a file does not say so. */
  readonly addBos: boolean;
}

const split = (expression: string): PreTokenizerSpec => ({
  type: 'Split',
  pattern: { Regex: expression },
  behavior: 'Isolated',
  invert: false,
});
const digits: PreTokenizerSpec = { type: 'Digits', individual_digits: true };
/** GPT-2's own split, which the last stage does. */
const gpt2: PreTokenizerSpec = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };
const bytes: PreTokenizerSpec = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const words = (number: string) =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${number}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const cased = (tail: string, number: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${tail}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${tail}|${number}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const plain = { normalizer: null, ignoreMerges: false, addBos: false } as const;
const llama3: PreTokenizer = {
  ...plain,
  stages: [split(words('\\p{N}{1,3}')), bytes],
  ignoreMerges: true,
  addBos: true,
};
const dbrx: PreTokenizer = { ...plain, stages: [split(words('\\p{N}{1,3}')), bytes] };
const qwen2: PreTokenizer = { ...plain, stages: [split(words('\\p{N}')), bytes], normalizer: { type: 'NFC' } };
const digitsThenGpt2: PreTokenizer = { ...plain, stages: [digits, gpt2] };
const plainGpt2: PreTokenizer = { ...plain, stages: [gpt2] };

const kinds: Readonly<Record<string, PreTokenizer>> = {
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  falcon3: llama3,
  dbrx,
  'smaug-bpe': dbrx,
  qwen2,
  stablelm2: { ...qwen2, normalizer: null },
  'deepseek-r1-qwen': { ...qwen2, normalizer: null },
  megrez: { ...qwen2, normalizer: null },
  smollm: digitsThenGpt2,
  starcoder: digitsThenGpt2,
  refact: digitsThenGpt2,
  'command-r': { ...digitsThenGpt2, normalizer: { type: 'NFC' } },
  codeshell: digitsThenGpt2,
  'gpt-2': plainGpt2,
  olmo: { ...plainGpt2, normalizer: { type: 'NFC' } },
  tekken: { ...plain, stages: [split(cased('', '\\p{N}')), bytes], ignoreMerges: true, addBos: true },
  'gpt-4o': { ...plain, stages: [split(cased(`${CONTRACTIONS}?`, '\\p{N}{1,3}')), bytes] },
};

/** @returns undefined for a name that is not known */
export function preTokenizer(name: string): PreTokenizer | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined;
}

/** Names in the order in which a tokenizer is held against them when a file is written. */
export const preNames: readonly string[] = [
  'llama-bpe',
  'qwen2',
  'smollm',
  'gpt-2',
  'tekken',
  'dbrx',
  'stablelm2',
  'gpt-4o',
];
