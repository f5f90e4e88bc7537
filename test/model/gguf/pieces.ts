import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LanguageModel } from '../../../server/model/language-model.ts';

/** A tokenizer.json as transformers converts those of SentencePiece: pieces that are joined by rank, and bytes for all others. */

const GEMMA = join(import.meta.dirname, '../../fixtures/families/gemma2');
const SPACE = '\u2581';
const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
const letters = [SPACE, ...'abcdehlnortuw', '\n'];
/** From the best score down. */
const joined = [
  '\n\n',
  'he',
  `${SPACE}w`,
  'll',
  `${SPACE}a`,
  'or',
  'hell',
  `${SPACE}wor`,
  'an',
  'hello',
  `${SPACE}an`,
  'ld',
];
const words = [...letters, 'd', ...joined];

interface Added {
  readonly content: string;
  readonly special: boolean;
  readonly rstrip?: boolean;
}

/** Ids of `added` begin at 3, behind `<unk>`, `<s>` and `</s>`. @param prefix whether a space is put before a text */
function pieceTokenizer(added: readonly Added[], prefix: boolean): object {
  const marks: Added[] = ['<unk>', '<s>', '</s>'].map((content) => ({ content, special: true }));
  // As in Phi-3.
  if (prefix) marks[2] = { content: '</s>', special: false, rstrip: true };
  const all = [...marks, ...added];
  const tokens = [...all.map(({ content }) => content), ...bytes, ...new Set(words)];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const merges = joined.flatMap((piece) =>
    Array.from(piece, (_, i) => [piece.slice(0, i), piece.slice(i)] as const)
      .filter(([left, right]) => left in vocab && right in vocab)
      .sort((a, b) => b[0].length - a[0].length),
  );
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  return {
    added_tokens: all.map((token, id) => ({ id, normalized: false, ...token })),
    normalizer: prefix ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: SPACE }, replace] } : replace,
    pre_tokenizer: prefix ? null : { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>' } }, { Sequence: { id: 'A' } }],
      special_tokens: { '<s>': { ids: [1] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: { type: 'BPE', unk_token: '<unk>', fuse_unk: true, byte_fallback: true, vocab, merges },
  };
}

export const pieceTexts = [
  'hello world and an all',
  ' hello  world\n\n\nöld 日本',
  '<|user|> \n hello<|end|>\n\nworld</s> and',
  'wwwellorld',
  '',
];

/** Marks of a turn, as the families have them. */
export const PIECES = [
  [
    'Gemma',
    [
      { content: '<|user|>', special: false },
      { content: '<end_of_turn>', special: true },
    ],
    false,
  ],
  [
    'Phi-3',
    [
      { content: '<|user|>', special: true, rstrip: true },
      { content: '<|end|>', special: true, rstrip: true },
      { content: '<|endoftext|>', special: true },
    ],
    true,
  ],
] as const;

/** A folder of a tiny Gemma with such a tokenizer. */
export async function withPieces(folder: string, added: readonly Added[], prefix: boolean): Promise<LanguageModel> {
  const { config, weights } = await LanguageModel.load(GEMMA);
  const vocabSize = 304;
  const name = 'model.embed_tokens.weight';
  const before = weights.get(name)!;
  const rows = Float32Array.from({ length: vocabSize * config.hiddenSize }, (_, i) => before[(i * 7) % before.length]);
  const json = JSON.parse(readFileSync(join(GEMMA, 'config.json'), 'utf8'));
  const configJson = { ...json, vocab_size: vocabSize, query_pre_attn_scalar: config.headDim, eos_token_id: [2, 4] };
  const made = new LanguageModel(GEMMA, { ...config, vocabSize }, undefined, new Map([...weights, [name, rows]]), {
    configJson,
  });
  await made.save(folder);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(pieceTokenizer(added, prefix)));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ bos_token: '<s>', eos_token: '</s>' }));
  return LanguageModel.load(folder);
}
