/** Profiles of the latent actions of a model: when each is chosen, what it says, what it changes, and its name. */
import type { ColaModel } from '../../cola/model.ts';
import { noTokenizer } from '../../model/tokenizer/no-tokenizer.ts';
import type { Tokenizer } from '../../model/tokenizer/tokenizer.ts';
import { type ActionProfile, type ActionsFile, actionsVersion } from '../../protocol/actions.ts';
import { Random } from '../../random.ts';
import type { Sequences } from '../../train/measures/states.ts';
import { evaluateErrors } from '../errors.ts';
import type { Subject } from '../subject.ts';
import { type ForcedContinuations, forceActions } from './forcing.ts';
import { labelActions } from './labels.ts';
import { evidenceOf, type IdEvidence, readActionUse, sharesOf } from './use.ts';

export interface ProfileOptions {
  /** What the text is called. */
  readonly name: string;
  /** Prompts on which every code is forced. */
  readonly prompts: number;
  /** Tokens of a prompt, and of what follows. */
  readonly promptTokens: number;
  readonly tokens: number;
  readonly seed: number;
  readonly onProgress?: (text: string, done: number, total: number) => void;
}

export const defaultProfile = { prompts: 16, promptTokens: 32, tokens: 12, seed: 7 } as const;

/** How much of what was found is kept. */
const kept = { tokens: 8, contexts: 5, examples: 3, near: 4, samples: 3, before: 12, after: 6 };

/**
 * Looks at every latent action over a text. Same model, text and seed: same profiles.
 *
 * @throws evaluate.noActions, model.noTokenizer; the signal's reason
 */
export async function profileActions(subject: Subject, text: Sequences, options: ProfileOptions): Promise<ActionsFile> {
  const cola = subject.with('idm', 'world', 'policy');
  if (cola === undefined) throw evaluateErrors.noActions(subject.folder);
  const { tokenizer } = subject.base;
  if (tokenizer === undefined) throw noTokenizer(subject.folder);
  const random = new Random(options.seed);
  options.onProgress?.('reading', 0, 1);
  const use = await readActionUse(subject, cola, text);
  const prompts = drawPrompts(text, options, random);
  const continuations = await forceActions(subject.device, cola, prompts, options.tokens, subject.signal, (done) =>
    options.onProgress?.('forcing', done, prompts.length),
  );
  const codes = cola.config.numCodes;
  const words = new Words(tokenizer);
  const places = placesOf(text);
  const tokens = evidenceOf(use.inverse, places.next, codes, subject.base.config.vocabSize);
  const contexts = evidenceOf(use.inverse, places.last, codes, subject.base.config.vocabSize);
  const inverse = sharesOf(use.inverse, codes);
  const policy = sharesOf(use.policy, codes);
  const labels = labelActions(
    tokens.map((evidence, code) => ({
      code,
      usage: inverse[code],
      tokens: evidence.map(({ id, share }) => ({ text: words.of(id), special: tokenizer.specialIds.has(id), share })),
      ...mostFrequent(contexts[code], words),
    })),
  );
  const near = nearest(cola);
  const examples = drawExamples(use.inverse, places, text, tokens, words, random);
  return {
    version: actionsVersion,
    codes,
    measured: {
      text: options.name,
      positions: use.inverse.length,
      prompts: prompts.length,
      tokens: options.tokens,
      seed: options.seed,
    },
    actions: labels.map(
      (label, code): ActionProfile => ({
        code,
        label,
        usage: { inverse: round(inverse[code]), policy: round(policy[code]) },
        tokens: shown(tokens[code].slice(0, kept.tokens), words),
        contexts: shown(contexts[code].slice(0, kept.contexts), words),
        examples: examples[code],
        forced: effectOf(code, continuations, tokens, words, random.fork()),
        near: near[code],
      }),
    ),
  };
}

/** Texts of tokens, also of those that are no whole characters. */
class Words {
  constructor(private readonly tokenizer: Tokenizer) {}

  of(id: number): string {
    return this.tokenizer.decode([id]);
  }

  text(ids: ArrayLike<number>): string {
    return this.tokenizer.decode(ids);
  }
}

const round = (x: number) => Math.round(x * 1e5) / 1e5;

const shown = (evidence: readonly IdEvidence[], words: Words) =>
  evidence.map(({ id, share, lift }) => ({ text: words.of(id), share: round(share), lift: round(lift) }));

function mostFrequent(contexts: readonly IdEvidence[], words: Words) {
  const [first, ...others] = contexts;
  if (first === undefined) return {};
  const { id, share } = others.reduce((a, b) => (b.share > a.share ? b : a), first);
  return { before: { text: words.of(id), share } };
}

/** The token before each position, which its action is chosen on, and the one behind it. */
function placesOf({ ids, count, length }: Sequences) {
  const last = new Int32Array(count * (length - 1));
  const next = new Int32Array(count * (length - 1));
  for (let row = 0; row < count; row++) {
    last.set(ids.subarray(row * length, (row + 1) * length - 1), row * (length - 1));
    next.set(ids.subarray(row * length + 1, (row + 1) * length), row * (length - 1));
  }
  return { last, next };
}

/** Pieces of as many sequences, each from a random place. */
function drawPrompts(text: Sequences, { prompts, promptTokens }: ProfileOptions, random: Random): Int32Array[] {
  const size = Math.min(promptTokens, text.length);
  const rows = random.permutation(text.count).subarray(0, prompts);
  return Array.from(rows, (row) => {
    const start = row * text.length + random.integer(text.length - size + 1);
    return text.ids.slice(start, start + size);
  });
}

/** A few places of each code, at random among those with its telling tokens. */
function drawExamples(
  actions: Int32Array,
  { next }: { readonly next: Int32Array },
  text: Sequences,
  tokens: readonly (readonly IdEvidence[])[],
  words: Words,
  random: Random,
): ActionProfile['examples'][] {
  const telling = tokens.map((evidence) => new Set(evidence.slice(0, kept.tokens).map(({ id }) => id)));
  const found = tokens.map((): ActionProfile['examples'][number][] => []);
  const width = text.length - 1;
  const wanted = new Set(found.keys());
  for (const place of random.permutation(actions.length)) {
    if (wanted.size === 0) break;
    const code = actions[place];
    if (!wanted.has(code) || !telling[code].has(next[place])) continue;
    const [row, at] = [Math.floor(place / width), place % width];
    const part = (from: number, to: number) =>
      words.text(
        text.ids.subarray(row * text.length + Math.max(0, from), row * text.length + Math.min(text.length, to)),
      );
    found[code].push({
      before: part(at + 1 - kept.before, at + 1),
      token: words.of(next[place]),
      after: part(at + 2, at + 2 + kept.after),
    });
    if (found[code].length === kept.examples) wanted.delete(code);
  }
  return found;
}

/** What forcing a code changes, beside another code drawn at random on the same prompts. */
function effectOf(
  code: number,
  continuations: readonly ForcedContinuations[],
  tokens: readonly (readonly IdEvidence[])[],
  words: Words,
  random: Random,
): ActionProfile['forced'] {
  const telling = new Set(tokens[code].slice(0, kept.tokens).map(({ id }) => id));
  const firsts = new Map<number, number>();
  const sums = { changed: 0, changed_random: 0, fits: 0, fits_random: 0 };
  const samples: ActionProfile['forced']['samples'] = [];
  for (const { prompt, free, forced } of continuations) {
    const other = forced.length < 2 ? code : (code + 1 + random.integer(forced.length - 1)) % forced.length;
    const [own, others] = [forced[code], forced[other]];
    sums.changed += +(own.join() !== free.join());
    sums.changed_random += +(others.join() !== free.join());
    sums.fits += +telling.has(own[0]);
    sums.fits_random += +telling.has(others[0]);
    firsts.set(own[0], (firsts.get(own[0]) ?? 0) + 1);
    if (samples.length < kept.samples) {
      samples.push({
        prompt: words.text(prompt),
        free: words.text(free),
        forced: words.text(own),
        random: { code: other, text: words.text(others) },
      });
    }
  }
  const total = Math.max(1, continuations.length);
  const mean = (sum: number) => round(sum / total);
  return {
    changed: mean(sums.changed),
    changed_random: mean(sums.changed_random),
    fits: mean(sums.fits),
    fits_random: mean(sums.fits_random),
    tokens: [...firsts]
      .sort((a, b) => b[1] - a[1] || a[0] - b[0])
      .slice(0, kept.contexts)
      .map(([id, count]) => ({ text: words.of(id), share: mean(count) })),
    samples,
  };
}

/** The nearest rows of the codebook `[N,d]` to each, by cosine. */
function nearest(cola: ColaModel): ActionProfile['near'][] {
  const n = cola.config.numCodes;
  const book = cola.weight('codebook.weight');
  const d = book.length / n;
  const dot = (a: number, b: number) => {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += book[a * d + i] * book[b * d + i];
    return sum;
  };
  const norms = Array.from({ length: n }, (_, code) => Math.sqrt(dot(code, code)));
  return Array.from({ length: n }, (_, code) =>
    Array.from({ length: n }, (_, other) => ({
      code: other,
      cosine: round(Math.max(-1, Math.min(1, dot(code, other) / Math.max(1e-30, norms[code] * norms[other])))),
    }))
      .filter(({ code: other }) => other !== code)
      .sort((a, b) => b.cosine - a.cosine || a.code - b.code)
      .slice(0, kept.near),
  );
}
