/** The metadata that says of a tokenizer what llama.cpp asks for. */
import { join } from 'node:path';
import { loadChatTemplate } from '../chat/chat.ts';
import {
  type PreTokenizerSpec,
  parseTokenizerConfig,
  parseTokenizerFile,
  readModelJson,
  type TokenizerFile,
} from '../tokenizer/file.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { ggufErrors as errors } from './errors.ts';
import { preNames, preTokenizer } from './pre.ts';
import { CONTROL, NORMAL, UNUSED, USER } from './tokenizer.ts';
import type { Written } from './writer.ts';

const KEY = 'tokenizer.ggml';

export interface WrittenTokenizer {
  readonly metadata: ReadonlyMap<string, Written>;
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
  if (source.decoder?.type !== 'ByteLevel') throw errors.notWritten(folder, 'a tokenizer that is not byte-level');
  if (tokenizer.vocabSize > vocabSize) throw errors.notWritten(folder, 'more tokens than rows of the embedding');
  const { pre, exact } = splitOf(source, tokenizer, (changed) => new Tokenizer(changed, settings, '', file));

  const ids = Array.from({ length: vocabSize }, (_, id) => id);
  const texts = ids.map((id) => tokenizer.tokenOf(id) ?? `[PAD${id}]`);
  const kinds = ids.map((id) => {
    if (tokenizer.tokenOf(id) === undefined) return UNUSED;
    const added = tokenizer.addedTokens.get(texts[id]);
    return added?.id !== id ? NORMAL : added.special ? CONTROL : USER;
  });
  const metadata = new Map<string, Written>([
    [`${KEY}.model`, { text: 'gpt2' }],
    [`${KEY}.pre`, { text: pre }],
    [`${KEY}.tokens`, { texts }],
    [`${KEY}.token_type`, { i32s: kinds }],
    [`${KEY}.merges`, { texts: source.model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))) }],
  ]);
  const [eos, ...others] = [tokenizer.eosId, ...ends].filter((id, i, all) => id !== undefined && all.indexOf(id) === i);
  for (const [name, id] of [
    ['bos', tokenizer.bosId],
    ['eos', eos],
    ['eot', others[0]],
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
  return { metadata, pre, exact };
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
