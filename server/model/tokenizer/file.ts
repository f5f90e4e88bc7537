/**
 * What tokenizer.json and tokenizer_config.json may contain, checked at the border: the byte-level and byte-fallback BPE
 * tokenizers of the Llama, Mistral, Qwen2 and Qwen3 families. Anything else is refused by name, never half understood.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { ColaError } from '../../errors.ts';
import { deeperThan } from '../../files/json-depth.ts';
import { readModelText, withNumbers } from '../json.ts';
import { tokenizerErrors } from './errors.ts';

/** The largest tokenizer file that is believed, in bytes; those of vocabularies of 256 000 tokens have 35 million. */
const TOKENIZER_BYTES = 1 << 28;

/** Levels of nesting; those in use have eight. */
const deepest = 64;

/** Added tokens; those of published models are up to ten thousand. Each is looked for at every place of a text. */
const mostAdded = 1 << 15;

const id = z.int().min(0).max(0x7fffff);
const pattern = z.union([z.object({ Regex: z.string() }), z.object({ String: z.string() })]);
export type Pattern = z.infer<typeof pattern>;

export type NormalizerSpec =
  | { type: 'NFC' | 'NFD' | 'NFKC' | 'NFKD' | 'Lowercase' }
  | { type: 'StripAccents' }
  | { type: 'Strip'; strip_left: boolean; strip_right: boolean }
  | { type: 'Prepend'; prepend: string }
  | { type: 'Replace'; pattern: Pattern; content: string }
  | { type: 'Sequence'; normalizers: NormalizerSpec[] };

const normalizer: z.ZodType<NormalizerSpec> = z.lazy(() =>
  z.discriminatedUnion('type', [
    z.object({ type: z.enum(['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase']) }),
    z.object({ type: z.literal('StripAccents') }),
    z.object({ type: z.literal('Strip'), strip_left: z.boolean(), strip_right: z.boolean() }),
    z.object({ type: z.literal('Prepend'), prepend: z.string() }),
    z.object({ type: z.literal('Replace'), pattern, content: z.string() }),
    z.object({ type: z.literal('Sequence'), normalizers: z.array(normalizer) }),
  ]),
);

const behavior = z.enum(['Isolated', 'Removed', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']);
export type SplitBehavior = z.infer<typeof behavior>;

const prependScheme = z.enum(['always', 'first', 'never']).default('always');

export type PreTokenizerSpec =
  | { type: 'Split'; pattern: Pattern; behavior: SplitBehavior; invert: boolean }
  | { type: 'ByteLevel'; add_prefix_space: boolean; use_regex: boolean }
  | { type: 'Digits'; individual_digits: boolean }
  | { type: 'Whitespace' | 'WhitespaceSplit' | 'BertPreTokenizer' }
  | { type: 'Punctuation'; behavior: SplitBehavior }
  | { type: 'CharDelimiterSplit'; delimiter: string }
  | { type: 'Metaspace'; replacement: string; prepend_scheme: 'always' | 'first' | 'never'; split: boolean }
  | { type: 'Sequence'; pretokenizers: PreTokenizerSpec[] };

const preTokenizer: z.ZodType<PreTokenizerSpec> = z.lazy(() =>
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('Split'), pattern, behavior, invert: z.boolean().default(false) }),
    z.object({
      type: z.literal('ByteLevel'),
      add_prefix_space: z.boolean().default(true),
      use_regex: z.boolean().default(true),
    }),
    z.object({ type: z.literal('Digits'), individual_digits: z.boolean().default(false) }),
    z.object({ type: z.enum(['Whitespace', 'WhitespaceSplit', 'BertPreTokenizer']) }),
    z.object({ type: z.literal('Punctuation'), behavior: behavior.default('Isolated') }),
    z.object({ type: z.literal('CharDelimiterSplit'), delimiter: z.string().min(1).max(2) }),
    z
      .object({
        type: z.literal('Metaspace'),
        replacement: z.string().length(1).default('\u2581'),
        prepend_scheme: prependScheme,
        // Of older files; the reference takes none that disagrees.
        add_prefix_space: z.boolean().optional(),
        split: z.boolean().default(true),
      })
      .refine(
        (stage) => stage.add_prefix_space !== false || stage.prepend_scheme === 'never',
        'add_prefix_space is false, and prepend_scheme is not "never"',
      ),
    z.object({ type: z.literal('Sequence'), pretokenizers: z.array(preTokenizer) }),
  ]),
);

const templatePart = z.union([
  z.object({ SpecialToken: z.object({ id: z.string() }) }),
  z.object({ Sequence: z.object({ id: z.literal('A') }) }),
]);
const tokenAndId = z.tuple([z.string(), id]);

export type PostProcessorSpec =
  | { type: 'ByteLevel' }
  | {
      type: 'TemplateProcessing';
      single: z.infer<typeof templatePart>[];
      special_tokens: Record<string, { ids: number[] }>;
    }
  | { type: 'BertProcessing' | 'RobertaProcessing'; cls: [string, number]; sep: [string, number] }
  | { type: 'Sequence'; processors: PostProcessorSpec[] };

const postProcessor: z.ZodType<PostProcessorSpec> = z.lazy(() =>
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('ByteLevel') }),
    z.object({
      type: z.literal('TemplateProcessing'),
      single: z.array(templatePart).max(64),
      special_tokens: z.record(z.string(), z.object({ ids: z.array(id).max(64) })),
    }),
    z.object({ type: z.enum(['BertProcessing', 'RobertaProcessing']), cls: tokenAndId, sep: tokenAndId }),
    z.object({ type: z.literal('Sequence'), processors: z.array(postProcessor).max(16) }),
  ]),
);

export type DecoderSpec =
  | { type: 'ByteLevel' | 'ByteFallback' | 'Fuse' }
  | { type: 'Replace'; pattern: Pattern; content: string }
  | { type: 'Strip'; content: string; start: number; stop: 0 }
  | { type: 'Metaspace'; replacement: string; prepend_scheme: 'always' | 'first' | 'never' }
  | { type: 'Sequence'; decoders: DecoderSpec[] };

const decoder: z.ZodType<DecoderSpec> = z.lazy(() =>
  z.discriminatedUnion('type', [
    z.object({ type: z.enum(['ByteLevel', 'ByteFallback', 'Fuse']) }),
    z.object({ type: z.literal('Replace'), pattern, content: z.string() }),
    z.object({
      type: z.literal('Strip'),
      content: z.string().length(1),
      start: z.int().min(0).max(1000),
      stop: z.literal(0),
    }),
    z.object({
      type: z.literal('Metaspace'),
      replacement: z.string().length(1).default('\u2581'),
      prepend_scheme: prependScheme,
    }),
    z.object({ type: z.literal('Sequence'), decoders: z.array(decoder) }),
  ]),
);

const addedToken = z.object({
  id,
  content: z.string(),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
  special: z.boolean().default(false),
});
export type AddedToken = z.infer<typeof addedToken>;

// Hundreds of thousands of entries: plain loops, since a schema for each would take longer than reading the file.
const vocabulary = z.custom<Record<string, number>>(
  (v) =>
    typeof v === 'object' &&
    v !== null &&
    !Array.isArray(v) &&
    Object.values(v).every((n) => Number.isInteger(n) && n >= 0 && n <= 0x7fffff),
  'the vocabulary must map tokens to ids',
);
const mergeRules = z.custom<(string | [string, string])[]>(
  (v) =>
    Array.isArray(v) &&
    v.every((m) =>
      typeof m === 'string'
        ? m.indexOf(' ') > 0
        : Array.isArray(m) && m.length === 2 && typeof m[0] === 'string' && typeof m[1] === 'string',
    ),
  'merges must be pairs of tokens',
);

const tokenizerFile = z.object({
  added_tokens: z.array(addedToken).default([]),
  normalizer: normalizer.nullish(),
  pre_tokenizer: preTokenizer.nullish(),
  post_processor: postProcessor.nullish(),
  decoder: decoder.nullish(),
  model: z.object({
    // Old files leave the type out.
    type: z.literal('BPE').default('BPE'),
    unk_token: z.string().nullish(),
    continuing_subword_prefix: z.literal('').nullish(),
    end_of_word_suffix: z.literal('').nullish(),
    fuse_unk: z.boolean().default(false),
    byte_fallback: z.boolean().default(false),
    ignore_merges: z.boolean().default(false),
    vocab: vocabulary,
    merges: mergeRules,
  }),
});
export type TokenizerFile = z.infer<typeof tokenizerFile>;

const namedToken = z.union([z.string(), z.object({ content: z.string() }).transform((t) => t.content)]);

const configFile = z.object({
  bos_token: namedToken.nullish(),
  eos_token: namedToken.nullish(),
  pad_token: namedToken.nullish(),
  unk_token: namedToken.nullish(),
  added_tokens_decoder: z.record(z.string().regex(/^\d{1,9}$/), addedToken.omit({ id: true })).default({}),
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]).nullish(),
});
export type TokenizerConfig = z.infer<typeof configFile>;

/** The parts whose `type` decides whether a file is unsupported rather than broken. */
const KINDS =
  /^(model|normalizer|pre_tokenizer|post_processor|decoder)\b.*\b(type|behavior|end_of_word_suffix|continuing_subword_prefix|stop)$/;

function parse<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue.path.map(String).join('.');
  const found = issue.path.reduce<unknown>((v, key) => (v as Record<PropertyKey, unknown> | undefined)?.[key], value);
  if ((typeof found === 'string' || typeof found === 'number') && KINDS.test(where))
    throw tokenizerErrors.unsupported(file, where, String(found));
  throw tokenizerErrors.broken(file, where, issue.message);
}

/** Runs `read` so that whatever goes wrong in it leaves as an error about `file`. */
function guarded<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ColaError) throw cause;
    throw tokenizerErrors.broken(file, '', cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** A list or object that is too long is not walked through. */
function refuseMany(value: unknown, key: string, file: string): void {
  const list = (value as Record<string, unknown> | null | undefined)?.[key];
  const count = typeof list === 'object' && list !== null ? Object.keys(list).length : 0;
  if (count > mostAdded) throw tokenizerErrors.broken(file, key, `${count} tokens are more than ${mostAdded}`);
}

/** Checks a parsed tokenizer.json. Throws `tokenizer.broken` or `tokenizer.unsupported`. */
export function parseTokenizerFile(value: unknown, file = 'tokenizer.json'): TokenizerFile {
  // Too deep a nesting overflows the stack inside the schema; that is a broken file too.
  refuseMany(value, 'added_tokens', file);
  return guarded(file, () => parse(tokenizerFile, value, file));
}

/** Checks a parsed tokenizer_config.json. Throws `tokenizer.broken`. */
export function parseTokenizerConfig(value: unknown, file = 'tokenizer_config.json'): TokenizerConfig {
  refuseMany(value, 'added_tokens_decoder', file);
  return guarded(file, () => parse(configFile, value, file));
}

/** The value of JSON as Python writes it: some sets have `Infinity` for a length without bounds. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const numbers = withNumbers(text);
    if (numbers === undefined) throw error;
    return numbers;
  }
}

/** Reads and parses one JSON file of a model folder; `undefined` if it is optional and absent. */
export function readModelJson(
  folder: string,
  name: string,
  optional: boolean,
): { text: string; value: unknown } | undefined {
  const file = join(folder, name);
  let text: string | undefined;
  try {
    text = readModelText(file, TOKENIZER_BYTES);
  } catch (cause) {
    if (cause instanceof ColaError && cause.id !== 'config.cannotRead') throw cause;
    throw tokenizerErrors.missingFile(file, cause);
  }
  if (text === undefined) {
    if (optional) return undefined;
    throw tokenizerErrors.missingFile(file, new Error('there is no such file'));
  }
  // Editors of Windows put a mark before the first letter.
  const read = text.replace(/^\ufeff/, '');
  if (deeperThan(read, deepest))
    throw tokenizerErrors.broken(file, '', `it is nested more than ${deepest} levels deep`);
  return guarded(file, () => ({ text: read, value: parsed(read) }));
}
