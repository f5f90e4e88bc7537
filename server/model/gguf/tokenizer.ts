/** The tokenizer.json and tokenizer_config.json that a GGUF file stands for. */
import { ggufErrors as errors } from './errors.ts';
import type { Metadata } from './metadata.ts';
import { preTokenizer } from './pre.ts';

const KEY = 'tokenizer.ggml';
/** Kinds of tokens. */
export const NORMAL = 1;
export const UNKNOWN = 2;
export const CONTROL = 3;
export const USER = 4;
export const UNUSED = 5;
export const BYTE = 6;

type Json = Readonly<Record<string, unknown>>;

/** Texts of tokens at which llama.cpp ends, whatever a file says. */
const ENDS: ReadonlySet<string> = new Set([
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|eom_id|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<end_of_turn>',
  '</s>',
  '<EOT>',
]);

/**
 * Whether a generation ends at a token, by its text. Files of Gemma call the end of a turn a token of the user; but of that kind
 * `</s>` is a mark of HTML there.
 */
export function endsText(text: string, kind: number | undefined): boolean {
  return ENDS.has(text) && (kind === CONTROL || (kind === USER && text !== '</s>'));
}

interface Tokens {
  readonly texts: readonly string[];
  readonly kinds: readonly number[];
}

function tokensOf(metadata: Metadata): Tokens {
  const texts = metadata.texts(`${KEY}.tokens`);
  if (texts === undefined) throw errors.value(metadata.file, `${KEY}.tokens`, 'it is missing');
  const kinds = metadata.numbers(`${KEY}.token_type`) ?? texts.map(() => NORMAL);
  if (kinds.length !== texts.length)
    throw errors.value(metadata.file, `${KEY}.token_type`, `it has ${kinds.length} entries for ${texts.length} tokens`);
  return { texts, kinds };
}

export function hasTokenizer(metadata: Metadata): boolean {
  return metadata.has('tokenizer.huggingface.json') || (metadata.text(`${KEY}.model`) ?? 'none') !== 'none';
}

/** @returns undefined where the file has no tokenizer */
export function tokenizerOf(metadata: Metadata): string | undefined {
  // Files may have the whole tokenizer.json in them, which says more than the rest.
  const whole = metadata.text('tokenizer.huggingface.json');
  if (whole !== undefined) return whole;
  if (!hasTokenizer(metadata)) return undefined;
  const model = metadata.text(`${KEY}.model`);
  if (model === 'gpt2') return JSON.stringify(byteLevel(metadata));
  if (model === 'llama') return JSON.stringify(sentencePiece(metadata));
  throw errors.tokenizer(metadata.file, `of the kind ${JSON.stringify(model)}`);
}

/** Tokens of Phi-3 that leave the white space behind them. */
const UNSTRIPPED: ReadonlySet<string> = new Set(['<unk>', '<s>', '<|endoftext|>']);

/** Whether llama.cpp lets tokens take the white space behind them: no file says it, and it goes by the name of the model. */
export const stripsBehind = (token: string, model: string): boolean => /phi-?3/i.test(model) && !UNSTRIPPED.has(token);

/** All tokens by their text, and those that are found before anything else. */
function tables({ texts, kinds }: Tokens, metadata: Metadata): { vocab: Record<string, number>; added: Json[] } {
  const model = metadata.text('general.name') ?? '';
  const vocab = new Map<string, number>();
  const added: Json[] = [];
  for (const [id, content] of texts.entries()) {
    // Fills the embedding up to a round number of rows.
    if (/^\[PAD\d+\]$/.test(content) || vocab.has(content)) continue;
    vocab.set(content, id);
    const kind = kinds[id];
    if (kind === CONTROL || kind === USER || kind === UNKNOWN)
      added.push({
        id,
        content,
        special: kind !== USER || endsText(content, kind),
        normalized: false,
        rstrip: stripsBehind(content, model),
      });
  }
  return { vocab: Object.fromEntries(vocab), added };
}

function byteLevel(metadata: Metadata): Json {
  const { file } = metadata;
  const name = metadata.text(`${KEY}.pre`);
  const pre = name === undefined ? undefined : preTokenizer(name);
  if (pre === undefined)
    throw errors.tokenizer(
      file,
      name === undefined ? 'without a word on how it splits' : `split as ${JSON.stringify(name)}`,
    );
  const merges = metadata.texts(`${KEY}.merges`);
  if (merges === undefined) throw errors.value(file, `${KEY}.merges`, 'it is missing');
  const tokens = tokensOf(metadata);
  const { vocab, added } = tables(tokens, metadata);
  return {
    added_tokens: added,
    normalizer: pre.normalizer,
    pre_tokenizer: { type: 'Sequence', pretokenizers: pre.stages },
    post_processor: around(metadata, tokens, pre.addBos),
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', ignore_merges: pre.ignoreMerges, vocab, merges },
  };
}

/** How SentencePiece writes a space. */
export const SPACE = '\u2581';

function sentencePiece(metadata: Metadata): Json {
  const { file } = metadata;
  if (metadata.flag(`${KEY}.remove_extra_whitespaces`) === true)
    throw errors.tokenizer(file, 'one that drops white space');
  if (metadata.has(`${KEY}.precompiled_charsmap`)) throw errors.tokenizer(file, 'one with a map of characters');
  const tokens = tokensOf(metadata);
  const scores = metadata.numbers(`${KEY}.scores`);
  if (scores?.length !== tokens.texts.length)
    throw errors.value(file, `${KEY}.scores`, `there is not one for each of the ${tokens.texts.length} tokens`);
  const { vocab, added } = tables(tokens, metadata);
  const prefix = metadata.flag(`${KEY}.add_space_prefix`) ?? true;
  const unknown = metadata.number(`${KEY}.unknown_token_id`) ?? tokens.kinds.indexOf(UNKNOWN);
  return {
    added_tokens: added,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        ...(prefix ? [{ type: 'Prepend', prepend: SPACE }] : []),
        { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
      ],
    },
    pre_tokenizer: null,
    post_processor: around(metadata, tokens, true),
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      unk_token: tokens.texts[unknown] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      vocab,
      merges: mergesOf(tokens, vocab, scores),
    },
  };
}

/** Pieces longer than any word: a damaged vocabulary must not take hours. */
const LONGEST = 256;

/**
 * SentencePiece joins the neighbours whose piece has the highest score. As merges, which have an order: every way to cut a piece
 * in two others, the piece of the highest score first, as transformers converts these models.
 */
export function mergesOf(
  { texts, kinds }: Tokens,
  vocab: Readonly<Record<string, number>>,
  scores: readonly number[],
): [string, string][] {
  const known = new Map(Object.entries(vocab));
  const merges: Merge[] = [];
  for (const [id, piece] of texts.entries()) {
    const kind = kinds[id];
    if ((kind !== NORMAL && kind !== USER) || known.get(piece) !== id || piece.length > LONGEST) continue;
    const whole = characters(piece);
    for (let cut = 1; cut < piece.length; cut++) {
      const left = known.get(piece.slice(0, cut));
      if (left === undefined) continue;
      const right = known.get(piece.slice(cut));
      if (right === undefined) continue;
      const length = whole === piece.length ? cut : characters(piece.slice(0, cut));
      merges.push({ piece, cut, score: scores[id], left, right, length, rest: whole - length });
    }
  }
  merges.sort(
    (a, b) => b.score - a.score || b.length - a.length || b.rest - a.rest || a.left - b.left || a.right - b.right,
  );
  return merges.map(({ piece, cut }) => [piece.slice(0, cut), piece.slice(cut)]);
}

/** A piece cut in two others: their ids, and how many characters they have. */
interface Merge {
  readonly piece: string;
  readonly cut: number;
  readonly score: number;
  readonly left: number;
  readonly right: number;
  readonly length: number;
  readonly rest: number;
}

/** Both halves of a surrogate pair are one. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** What is put before and behind every text. */
function around(metadata: Metadata, { texts }: Tokens, addBos: boolean): Json | null {
  const named = (name: string, otherwise: boolean) => {
    const id = metadata.number(`${KEY}.${name}_token_id`);
    return (metadata.flag(`${KEY}.add_${name}_token`) ?? otherwise) && id !== undefined ? id : undefined;
  };
  const [bos, eos] = [named('bos', addBos), named('eos', false)];
  if (bos === undefined && eos === undefined) return null;
  const ids = [bos, eos].filter((id) => id !== undefined);
  for (const id of ids)
    if (texts[id] === undefined) throw errors.value(metadata.file, `${KEY}.tokens`, `it has no token ${id}`);
  const token = (id: number | undefined) => (id === undefined ? [] : [{ SpecialToken: { id: texts[id] } }]);
  return {
    type: 'TemplateProcessing',
    single: [...token(bos), { Sequence: { id: 'A' } }, ...token(eos)],
    special_tokens: Object.fromEntries(ids.map((id) => [texts[id], { ids: [id] }])),
  };
}

/** The names of special tokens and the chat templates. */
export function tokenizerConfigOf(metadata: Metadata): Json {
  const texts = metadata.texts(`${KEY}.tokens`) ?? [];
  const token = (name: string) => {
    const id = metadata.number(`${KEY}.${name}_token_id`);
    return (id === undefined ? undefined : texts[id]) ?? null;
  };
  const main = metadata.text('tokenizer.chat_template');
  const others =
    (metadata.has('tokenizer.chat_templates') ? metadata.texts('tokenizer.chat_templates') : undefined) ?? [];
  const named = others.flatMap((name) => {
    const template = metadata.text(`tokenizer.chat_template.${name}`);
    return template === undefined ? [] : [{ name, template }];
  });
  return {
    bos_token: token('bos'),
    eos_token: token('eos'),
    pad_token: token('padding'),
    unk_token: token('unknown'),
    chat_template:
      named.length === 0
        ? (main ?? null)
        : [...(main === undefined ? [] : [{ name: 'default', template: main }]), ...named],
  };
}
