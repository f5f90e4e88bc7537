/** The metadata that says of a tokenizer what llama.cpp asks for. */
import { basename, join } from 'node:path';
import { loadChatTemplate } from '../chat/chat.ts';
import {
  type Pattern,
  type PreTokenizerSpec,
  parseTokenizerConfig,
  parseTokenizerFile,
  readModelJson,
  type TokenizerFile,
} from '../tokenizer/file.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { ggufErrors as errors } from './errors.ts';
import { preNames, preTokenizer } from './pre.ts';
import { BYTE, CONTROL, mergesOf, NORMAL, SPACE, stripsBehind, UNKNOWN, UNUSED, USER } from './tokenizer.ts';
import type { Written } from './writer.ts';

const KEY = 'tokenizer.ggml';

export interface WrittenTokenizer {
  readonly metadata: ReadonlyMap<string, Written>;
  /** What the model is to be called: see {@link stripsBehind}. */
  readonly name: string;
  /** The split that llama.cpp is told. */
  readonly pre: string;
  /** Whether it splits as the tokenizer does; else it is the nearest that llama.cpp has. */
  readonly exact: boolean;
}

/**
 * @param vocabSize rows of the embedding
 * @param ends ids that end a generation
 * @throws gguf.notWritten, tokenizer.*
 */
export function tokenizerMetadata(folder: string, vocabSize: number, ends: ReadonlySet<number>): WrittenTokenizer {
  const file = join(folder, 'tokenizer.json');
  const { text, value } = readModelJson(folder, 'tokenizer.json', false) ?? {};
  const source = parseTokenizerFile(value, file);
  const settings = parseTokenizerConfig(readModelJson(folder, 'tokenizer_config.json', true)?.value ?? {}, file);
  const tokenizer = new Tokenizer(source, settings, '', file, { modelVocabSize: vocabSize });
  if (tokenizer.vocabSize > vocabSize) throw errors.notWritten(folder, 'more tokens than rows of the embedding');
  const ids = Array.from({ length: vocabSize }, (_, id) => id);
  const texts = ids.map((id) => tokenizer.tokenOf(id) ?? `[PAD${id}]`);
  const pieces = source.model.byte_fallback;
  const kinds = texts.map((text, id) => kindOf(text, id, tokenizer, pieces ? source.model.unk_token : undefined));
  const metadata = new Map<string, Written>([
    [`${KEY}.tokens`, { texts }],
    [`${KEY}.token_type`, { i32s: kinds }],
  ]);
  let split: { pre: string; exact: boolean };
  if (pieces) {
    const prefix = spaceBefore(source);
    if (prefix === undefined) throw errors.notWritten(folder, 'a tokenizer that changes texts before it reads them');
    const scores = scoresOf(source, texts);
    metadata.set(`${KEY}.model`, { text: 'llama' });
    metadata.set(`${KEY}.scores`, { f32s: scores });
    metadata.set(`${KEY}.add_space_prefix`, { flag: prefix !== 'never' });
    const make = (merges: [string, string][]) =>
      new Tokenizer({ ...source, model: { ...source.model, merges } }, settings, '', file);
    split = {
      pre: 'default',
      exact: prefix !== 'first' && joinsAlike(source, tokenizer, { texts, kinds, scores }, make),
    };
  } else {
    if (source.decoder?.type !== 'ByteLevel')
      throw errors.notWritten(folder, 'a tokenizer that is neither byte-level nor SentencePiece');
    split = splitOf(source, tokenizer, (changed) => new Tokenizer(changed, settings, '', file));
    metadata.set(`${KEY}.model`, { text: 'gpt2' });
    metadata.set(`${KEY}.merges`, {
      texts: source.model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))),
    });
  }
  metadata.set(`${KEY}.pre`, { text: split.pre });
  const [eos, ...others] = [tokenizer.eosId, ...ends].filter((id, i, all) => id !== undefined && all.indexOf(id) === i);
  for (const [name, id] of [
    ['bos', tokenizer.bosId],
    ['eos', eos],
    ['eot', others[0]],
    ['unknown', pieces ? tokenizer.idOf(source.model.unk_token ?? '') : undefined],
    ['padding', tokenizer.padId],
  ] as const)
    if (id !== undefined) metadata.set(`${KEY}.${name}_token_id`, { u32: id });
  const around = tokenizer.encode('');
  if (around.some((id) => id !== tokenizer.bosId && id !== eos))
    throw errors.notWritten(folder, 'a tokenizer that puts other tokens around a text than its start and its end');
  metadata.set(`${KEY}.add_bos_token`, { flag: around.length > 0 && around[0] === tokenizer.bosId });
  metadata.set(`${KEY}.add_eos_token`, {
    flag: around.length > 0 && around[0] !== tokenizer.bosId ? true : around.length > 1,
  });
  const template = templateOf(folder);
  if (template !== undefined) metadata.set('tokenizer.chat_template', { text: template });
  // Programs that read it need nothing of the above.
  metadata.set('tokenizer.huggingface.json', { text: text ?? '' });
  const added = [...tokenizer.addedTokens.values()];
  const name = nameFor(basename(folder), tokenizer);
  const stripped = added.every(({ content, lstrip, rstrip }) => !lstrip && rstrip === stripsBehind(content, name));
  return { metadata, name, pre: split.pre, exact: split.exact && stripped };
}

/** Tokens that llama.cpp asks for in a model that is called Phi-3; without them it opens none. */
const PHI3 = ['<unk>', '<s>', '</s>', '<|endoftext|>'];

/** See {@link stripsBehind}. */
function nameFor(model: string, tokenizer: Tokenizer): string {
  if (PHI3.some((token) => tokenizer.idOf(token) === undefined)) return model.replace(/phi-?3/gi, 'Phi 3');
  const strips = [...tokenizer.addedTokens.values()].some(({ rstrip }) => rstrip);
  return strips && !stripsBehind('', model) ? `Phi-3 ${model}` : model;
}

function kindOf(text: string, id: number, tokenizer: Tokenizer, unknown: string | null | undefined): number {
  if (tokenizer.tokenOf(id) === undefined) return UNUSED;
  if (text === unknown) return UNKNOWN;
  const added = tokenizer.addedTokens.get(text);
  if (added?.id === id) return added.special ? CONTROL : USER;
  return unknown !== undefined && /^<0x[0-9A-F]{2}>$/.test(text) ? BYTE : NORMAL;
}

/** Where a space is put before a text, of a tokenizer that only writes spaces as {@link SPACE}; undefined of others. */
function spaceBefore({ normalizer, pre_tokenizer: pre }: TokenizerFile): 'always' | 'first' | 'never' | undefined {
  const stages = normalizer?.type === 'Sequence' ? normalizer.normalizers : normalizer ? [normalizer] : [];
  const [first, ...others] = stages;
  const prepended = first?.type === 'Prepend' && first.prepend === SPACE;
  const replaced = prepended ? others : stages;
  if (replaced.some((stage) => stage.type !== 'Replace' || !isSpace(stage.pattern) || stage.content !== SPACE))
    return undefined;
  if (pre?.type === 'Metaspace' && replaced.length === 0 && !prepended && pre.replacement === SPACE)
    return pre.split ? undefined : pre.prepend_scheme;
  // Behind the normaliser there are no spaces that it could split at.
  const idle = pre == null || (pre.type === 'Split' && isSpace(pre.pattern) && replaced.length > 0);
  if (!idle || replaced.length === 0) return undefined;
  return prepended ? 'always' : 'never';
}

const isSpace = (pattern: Pattern) => 'String' in pattern && pattern.String === ' ';

/** The rank of the first merge that makes a piece, from 0 down, as SentencePiece scores pieces; what no merge makes is last. */
function scoresOf({ model: { merges } }: TokenizerFile, texts: readonly string[]): number[] {
  const ranks = new Map<string, number>();
  for (const merge of merges) {
    const piece = typeof merge === 'string' ? merge.replace(' ', '') : merge.join('');
    if (!ranks.has(piece)) ranks.set(piece, ranks.size);
  }
  return texts.map((text) => -(ranks.get(text) ?? ranks.size));
}

/**
 * Whether joining by score is joining by the merges: they are the same pairs, in the same order or in one that makes no other tokens
 * of the sample. In a file every piece has a score of its own; tokenizers that were converted have some of one score, by length.
 */
function joinsAlike(
  { model }: TokenizerFile,
  tokenizer: Tokenizer,
  { scores, ...tokens }: Parameters<typeof mergesOf>[0] & { readonly scores: readonly number[] },
  make: (merges: [string, string][]) => Tokenizer,
): boolean {
  const pair = (merge: string | readonly [string, string]) => (typeof merge === 'string' ? merge : merge.join(' '));
  const own = model.merges.map(pair);
  const merges = mergesOf(tokens, model.vocab, scores);
  if (own.length !== merges.length) return false;
  const known = new Set(own);
  const others = merges.map(pair);
  if (!others.every((each) => known.has(each))) return false;
  if (others.every((each, i) => each === own[i])) return true;
  const other = make(merges);
  const read = (by: Tokenizer, text: string) => by.encode(text, { addSpecialTokens: false }).join();
  return SAMPLE.every((text) => read(other, text) === read(tokenizer, text));
}

function templateOf(folder: string): string | undefined {
  try {
    return loadChatTemplate(folder).source;
  } catch (error) {
    if (error instanceof Error && 'id' in error && error.id === 'chat.noTemplate') return undefined;
    throw error;
  }
}

/** Texts on which splits differ: words, numbers, code and white space. */
const SAMPLE = [
  "The quick brown fox doesn't jump; it's 1234567 years old.",
  'How many are 12 and 345? Answer: 357.',
  'def f(x):\n    if x > 10:\n        return [i ** 2 for i in range(x)]\n\n\n    return None',
  'const a = { b: 1, c: "two" };\r\n\tfor (;;) { break; }',
  '# Title\n\n- one\n- two\n\n1. `code`  and   spaces \n',
  'HTTPServer camelCase snake_case XMLHttpRequest',
  'Größe, naïve café, 日本語 и русский текст… 👍🏽',
  '<tag attr="value">a&amp;b</tag>',
];

/** The split by its name, or the nearest: the one under which most of the tokens of the sample stay. */
function splitOf(
  source: TokenizerFile,
  tokenizer: Tokenizer,
  make: (changed: TokenizerFile) => Tokenizer,
): { pre: string; exact: boolean } {
  const own = JSON.stringify(stagesOf(source.pre_tokenizer));
  const known = preNames.flatMap((pre) => {
    const split = preTokenizer(pre);
    return split === undefined ? [] : [{ pre, ...split }];
  });
  const same = known.filter(({ stages }) => JSON.stringify(stages) === own);
  const exact = same.find(({ ignoreMerges }) => ignoreMerges === source.model.ignore_merges);
  if (exact !== undefined) return { pre: exact.pre, exact: true };
  const wanted = SAMPLE.map((text) => tokenizer.encode(text, { addSpecialTokens: false }).join());
  const scored = known.map(({ pre, stages, ignoreMerges }) => {
    const model = { ...source.model, ignore_merges: ignoreMerges };
    const other = make({ ...source, model, pre_tokenizer: { type: 'Sequence', pretokenizers: [...stages] } });
    const agree = SAMPLE.reduce((sum, text, i) => {
      const ids = other.encode(text, { addSpecialTokens: false });
      const mine = wanted[i].split(',');
      return sum + (ids.join() === wanted[i] ? 1 : commonShare(mine, Array.from(ids, String)));
    }, 0);
    return { pre, agree };
  });
  return { pre: scored.reduce((best, each) => (each.agree > best.agree ? each : best)).pre, exact: false };
}

/** How much of two lists is the same from the start and from the end. */
function commonShare(a: readonly string[], b: readonly string[]): number {
  const most = Math.min(a.length, b.length);
  let [front, back] = [0, 0];
  while (front < most && a[front] === b[front]) front++;
  while (back < most - front && a[a.length - 1 - back] === b[b.length - 1 - back]) back++;
  return (front + back) / Math.max(a.length, b.length, 1);
}

/** The stages one behind the other. */
function stagesOf(spec: PreTokenizerSpec | null | undefined): readonly PreTokenizerSpec[] {
  if (spec === null || spec === undefined) return [];
  return spec.type === 'Sequence' ? spec.pretokenizers.flatMap(stagesOf) : [spec];
}
