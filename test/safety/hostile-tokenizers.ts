/** Tokenizers that somebody made to hang or fill whoever loads them, or whoever writes a text with them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { edit, type HostileFolder, instead, type Json } from './spoil.ts';

interface Model {
  vocab: Record<string, number>;
  merges: unknown[];
}

const tokenizer = (change: (json: Json & { model: Model; added_tokens: Json[] }) => void) =>
  edit('tokenizer.json', change as (json: Json) => void);
const splitBy = (expression: string) =>
  tokenizer((json) => {
    json.pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: expression }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    };
  });
const normalizers = (list: Json[]) =>
  tokenizer((json) => {
    json.normalizer = { type: 'Sequence', normalizers: list };
  });
const replace = (text: string, content: string): Json => ({ type: 'Replace', pattern: { String: text }, content });
const nestedIn = (outer: string, inner: string, depth: number) => {
  let json = '{"type":"NFC"}';
  for (let i = 0; i < depth; i++) json = `{"type":"${outer}","${inner}":[${json}]}`;
  return json;
};

export const tokenizerCases: readonly HostileFolder[] = [
  ...['(a+)+$', '(?:a|a)*b', '(a*)*c', '(?:(?:a?){30}){30}z', '(.*)\\1z', '(?=(a+)+$)a'].map((expression) => ({
    name: `a text is cut by ${expression}`,
    ends: /^tokenizer\.(refused|unsupported)$|^loads$/,
    spoil: splitBy(expression),
  })),
  {
    name: 'an expression of 9000 groups',
    ends: /^tokenizer\.|^loads$/,
    spoil: splitBy(`${'('.repeat(4000)}a${')*'.repeat(4000)}`),
  },
  {
    name: 'an expression that repeats by the billion',
    ends: /^tokenizer\.|^loads$/,
    spoil: splitBy('(?:a{1000}){1000}{1000}'),
  },
  {
    name: 'a text that is doubled forty times',
    ends: /^tokenizer\./,
    spoil: normalizers(Array.from({ length: 40 }, () => replace('a', 'aa'))),
  },
  { name: 'a megabyte for each character', ends: /^tokenizer\./, spoil: normalizers([replace('a', 'a'.repeat(1e6))]) },
  {
    name: 'ten megabytes before each text',
    ends: /^tokenizer\./,
    spoil: normalizers([{ type: 'Prepend', prepend: 'ab'.repeat(5e6) }]),
  },
  {
    name: 'ten thousand stages',
    ends: /^tokenizer\.|^loads$/,
    spoil: normalizers(Array.from({ length: 10_000 }, () => ({ type: 'NFKD' }))),
  },
  {
    name: 'stages nested in each other',
    ends: /^tokenizer\./,
    spoil: (folder) =>
      writeFileSync(
        join(folder, 'tokenizer.json'),
        `{"normalizer":${nestedIn('Sequence', 'normalizers', 30_000)},"model":{"vocab":{},"merges":[]}}`,
      ),
  },
  {
    name: 'a tokenizer that is deeply nested',
    ends: /^tokenizer\./,
    spoil: instead('tokenizer.json', '['.repeat(5e6) + ']'.repeat(5e6)),
  },
  {
    name: 'a vocabulary with holes',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      for (const [token, id] of Object.entries(json.model.vocab))
        if (id > 300 && id % 3 === 0) delete json.model.vocab[token];
      json.model.merges = [];
    }),
  },
  {
    name: 'a vocabulary with one id for all',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      for (const token of Object.keys(json.model.vocab)) json.model.vocab[token] = 5;
      json.model.merges = [];
    }),
  },
  {
    name: 'ids by the million',
    ends: /^(tokenizer|model|engine)\.|^loads$/,
    spoil: tokenizer((json) => {
      for (const [token, id] of Object.entries(json.model.vocab))
        if (id > 1000) json.model.vocab[token] = 0x7fffff - id;
    }),
  },
  {
    name: 'ids that are none',
    ends: /^tokenizer\.broken$/,
    spoil: tokenizer((json) => {
      json.model.vocab.a = -1;
    }),
  },
  {
    name: 'merges of what is not there',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      json.model.merges = [
        ['nothere', 'norhere'],
        ['a', ''],
      ];
    }),
  },
  {
    name: 'half a million merges into one',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      json.model.merges = Array.from({ length: 500_000 }, () => ['a', 'b']);
    }),
  },
  {
    name: 'a token of ten megabytes',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      json.model.vocab['x'.repeat(1e7)] = 4000;
    }),
  },
  {
    name: 'a million added tokens',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      for (let i = 0; i < 300_000; i++)
        json.added_tokens.push({ id: i % 4000, content: `aaaaaaaa${i}b`, special: false });
    }),
  },
  {
    name: 'an added token that is an expression',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      json.added_tokens.push({ id: 3, content: '(a+)+$', special: true });
    }),
  },
  {
    name: 'marks around a text, by the billion',
    ends: /^tokenizer\./,
    spoil: tokenizer((json) => {
      json.post_processor = {
        type: 'TemplateProcessing',
        single: [...Array.from({ length: 20_000 }, () => ({ SpecialToken: { id: 'x' } })), { Sequence: { id: 'A' } }],
        special_tokens: { x: { ids: Array.from({ length: 50_000 }, () => 3) } },
      };
    }),
  },
  {
    name: 'a post-processor nested by the thousand',
    ends: /^tokenizer\./,
    spoil: (folder) =>
      writeFileSync(
        join(folder, 'tokenizer.json'),
        `{"post_processor":${nestedIn('Sequence', 'processors', 30_000)},"model":{"vocab":{"a":1},"merges":[]}}`,
      ),
  },
  {
    name: 'a decoder that makes megabytes of a token',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      json.decoder = {
        type: 'Sequence',
        decoders: [...Array.from({ length: 40 }, () => replace('e', 'ee')), { type: 'ByteLevel' }],
      };
    }),
  },
  {
    name: 'a decoder that takes years',
    ends: /^tokenizer\.|^loads$/,
    spoil: tokenizer((json) => {
      json.decoder = {
        type: 'Sequence',
        decoders: [{ type: 'Replace', pattern: { Regex: '(e+)+$' }, content: '' }, { type: 'ByteLevel' }],
      };
    }),
  },
  {
    name: 'one key twice',
    ends: /^tokenizer\.|^loads$/,
    spoil: (folder) =>
      writeFileSync(
        join(folder, 'tokenizer_config.json'),
        '{"eos_token":"<|end|>","eos_token":{"content":"x","__proto__":null},"chat_template":"x"}',
      ),
  },
  {
    name: 'a million tokens that the settings add',
    ends: /^tokenizer\.|^loads$/,
    spoil: edit('tokenizer_config.json', (json) => {
      json.added_tokens_decoder = Object.fromEntries(
        Array.from({ length: 200_000 }, (_, i) => [String(i), { content: `t${i}` }]),
      );
    }),
  },
];
