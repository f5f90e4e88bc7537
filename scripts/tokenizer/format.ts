/** How `nano` splits text, its special tokens, and the two files of the tokenizer in the Hugging Face format. */

import type { LearntBpe } from './bpe.ts';

/** Entries of the vocabulary, special tokens included. */
export const VOCABULARY = 4096;

/** Tokens with a meaning of their own; their ids are their places in this list. */
export const ADDED_TOKENS = [
  { content: '<|endoftext|>', special: true },
  { content: '<|user|>', special: true },
  { content: '<|assistant|>', special: true },
  { content: '<|end|>', special: true },
  { content: '<|fim_prefix|>', special: true },
  { content: '<|fim_suffix|>', special: true },
  { content: '<|fim_middle|>', special: true },
  // Part of what the model says and what rewards read, so decoding keeps them.
  { content: '<think>', special: false },
  { content: '</think>', special: false },
  { content: '<answer>', special: false },
  { content: '</answer>', special: false },
] as const;

/**
 * Where text is cut before merging. In order: line ends with the indentation after them; one digit; a word with one
 * blank or sign before it; signs; a run of blanks but for the last one, which belongs to the next word.
 * Written without `\s`, whose members differ between regular-expression engines.
 */
export const SPLIT = String.raw`(?:\r?\n)+[ \t]*|\p{N}|[^\r\n\p{L}\p{N}]?\p{Lu}?\p{Ll}+|[^\r\n\p{L}\p{N}]?\p{L}+| ?[^ \t\r\n\p{L}\p{N}]+|[ \t]+(?= )|[ \t]+|\r`;

/** The printable stand-in of each byte in the files of a byte-level tokenizer (as introduced with GPT-2). */
export function byteAlphabet(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/** The content of tokenizer.json. @throws Error when the merges do not fill the vocabulary */
export function tokenizerFile(learnt: LearntBpe): object {
  if (learnt.tokens.length + ADDED_TOKENS.length !== VOCABULARY) {
    throw new Error(`${learnt.tokens.length} tokens were learnt, too few for a vocabulary of ${VOCABULARY}`);
  }
  const alphabet = byteAlphabet();
  const names = learnt.tokens.map((bytes) => Array.from(bytes, (byte) => alphabet[byte]).join(''));
  const vocabulary = [...ADDED_TOKENS.map(({ content }) => content), ...names];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ADDED_TOKENS.map(({ content, special }, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: SPLIT }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((name, id) => [name, id])),
      merges: learnt.merges.map(([left, right]) => `${names[left]} ${names[right]}`),
    },
  };
}

/** Turns of a conversation; a system message goes before the first user's text. */
export const CHAT_TEMPLATE = [
  "{%- set system = messages[0]['content'] + '\\n\\n' if messages[0]['role'] == 'system' else '' -%}",
  "{%- for message in messages if message['role'] != 'system' -%}",
  "{{- '<|assistant|>\\n' if message['role'] == 'assistant' else '<|user|>\\n' -}}",
  "{{- (system if loop.first else '') + message['content'] + '<|end|>\\n' -}}",
  '{%- endfor -%}',
  "{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}",
].join('');

/** The content of tokenizer_config.json. */
export function tokenizerConfig(): object {
  return {
    add_bos_token: false,
    add_eos_token: false,
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(
      ADDED_TOKENS.map(({ content, special }, id) => [
        id,
        { content, lstrip: false, normalized: false, rstrip: false, single_word: false, special },
      ]),
    ),
    bos_token: '<|endoftext|>',
    eos_token: '<|endoftext|>',
    pad_token: '<|endoftext|>',
    unk_token: null,
    additional_special_tokens: ADDED_TOKENS.filter(
      ({ content, special }) => special && content !== '<|endoftext|>',
    ).map(({ content }) => content),
    chat_template: CHAT_TEMPLATE,
    clean_up_tokenization_spaces: false,
    errors: 'replace',
    model_max_length: 1024,
    tokenizer_class: 'PreTrainedTokenizerFast',
  };
}
