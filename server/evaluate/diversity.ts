/**
 * How different continuations are that a model can be led to, and what they are worth (paper, figure 2 and figure 11). With
 * more living codes random actions differ more and make worse text: a diversity without the quality beside it says nothing.
 */
import { Decoder } from '../cola/decoder.ts';
import { crossEntropy } from '../graph/functions.ts';
import * as ops from '../graph/ops.ts';
import { languageHead } from '../model/base.ts';
import { baseStepper } from '../model/language-model.ts';
import { Random } from '../random.ts';
import { defaultBudget, rowsWithin } from '../train/measures/chunks.ts';
import type { Figures } from '../train/measures/figures.ts';
import { meanState, type Reader, readText, type Sequences } from '../train/measures/states.ts';
import {
  type ActionChoice,
  actionWalker,
  continueTexts,
  randomTexts,
  tokenWalker,
  type Walker,
} from './continuations.ts';
import { diversityOf, meanPairwiseCosine } from './similarity.ts';
import type { Subject } from './subject.ts';
import { distinctShare, meanGap, type Place, selfBleu } from './variety.ts';

export interface DiversitySettings {
  /** Prefixes, one from each of the first sequences. */
  readonly prefixes: number;
  /** Tokens in a prefix. */
  readonly prefixTokens: number;
  /** Continuations of a prefix. */
  readonly samples: number;
  /** Tokens in a continuation. */
  readonly tokens: number;
  /** Temperatures at which actions and tokens are compared at equal quality; none for no such curves. */
  readonly temperatures: readonly number[];
}

/** Ways to continue, by name. Those of actions need a policy. */
const actionMethods: readonly (readonly [string, ActionChoice])[] = [
  ['uniform_actions', 'uniform'],
  ['policy_t1', { temperature: 1 }],
  ['policy_t2', { temperature: 2 }],
  ['greedy_actions', 'greedy'],
];
const tokenMethods = [
  ['sampled_tokens', 1],
  ['greedy_tokens', 0],
] as const;

/**
 * For every way to continue (`uniform_actions`, `policy_t1`, `policy_t2`, `greedy_actions`, `sampled_tokens`,
 * `greedy_tokens`, `random_tokens`):
 *
 * - `_quality`: mean of -log p_base of a continuation's tokens, in nats; lower is likelier text;
 * - `_similarity`: mean pairwise cosine of the continuations of a prefix, averaged over the prefixes, of the mean over the
 *   continuation of the base's states minus the centre (the mean state of the text); greedy ways have no pairs;
 * - `_diversity`: 1 / similarity, where that is not about 0.
 *
 * With temperatures, for `actions_at_<T>` and `tokens_at_<T>` also `_quality`, `_similarity`, `_distinct` (of pairs of tokens) and
 * `_self_bleu`; and by how much actions are more diverse than tokens at equal quality, over the qualities that both reach:
 * `gap_distinct`, `gap_self_bleu` and `gap_similarity` (1 less these two), with `gap_width`, the width of these in nats.
 */
export async function measureDiversity(
  subject: Subject,
  text: Sequences,
  settings: DiversitySettings,
  seed: number,
): Promise<Figures> {
  const { base, device, signal } = subject;
  const prefixes = prefixesOf(text, settings);
  const centre = await meanState(subject, text);
  const figures: Record<string, number> = {};
  const note = async (name: string, continuations: readonly Int32Array[]) => {
    const pooled = await readContinuations(subject, prefixes, continuations);
    Object.assign(figures, describe(name, pooled, prefixes.length, centre));
  };
  const samplesOf = (name: string) => (name.startsWith('greedy') ? 1 : settings.samples);
  // Each way has a generator of its own, so that leaving one out does not change another.
  const generator = (way: number) => new Random(seed + 7919 * way);
  const cola = subject.decoding === 'actions' ? subject.with('world', 'policy') : undefined;
  if (cola !== undefined) {
    const decoder = new Decoder(device, cola);
    try {
      for (const [i, [name, choice]] of actionMethods.entries()) {
        const walker = actionWalker(decoder, choice, generator(i));
        await note(name, await continueTexts(walker, prefixes, samplesOf(name), settings.tokens, signal));
      }
    } finally {
      await decoder.dispose();
    }
  }
  const curves = { actions: [] as CurvePlace[], tokens: [] as CurvePlace[] };
  const place = async (way: keyof typeof curves, walker: Walker, temperature: number) => {
    const texts = await continueTexts(walker, prefixes, settings.samples, settings.tokens, signal);
    const pooled = await readContinuations(subject, prefixes, texts);
    const name = `${way}_at_${temperature}`;
    const described = describe(name, pooled, prefixes.length, centre);
    const groups = prefixes.map((_, p) => texts.slice(p * settings.samples, (p + 1) * settings.samples));
    const mean = (of: (group: readonly Int32Array[]) => number) =>
      groups.reduce((sum, group) => sum + of(group), 0) / groups.length;
    const found = { distinct: mean((group) => distinctShare(group, 2)), self_bleu: mean(selfBleu) };
    Object.assign(figures, described, { [`${name}_distinct`]: found.distinct, [`${name}_self_bleu`]: found.self_bleu });
    const { [`${name}_quality`]: quality, [`${name}_similarity`]: similarity } = described;
    curves[way].push({ quality, similarity: 1 - similarity, distinct: found.distinct, self_bleu: 1 - found.self_bleu });
  };
  if (cola !== undefined && settings.temperatures.length > 0) {
    const decoder = new Decoder(device, cola);
    try {
      for (const [i, temperature] of settings.temperatures.entries())
        await place('actions', actionWalker(decoder, { temperature }, generator(30 + i)), temperature);
    } finally {
      await decoder.dispose();
    }
  }
  const stepper = baseStepper(device, base);
  try {
    for (const [i, temperature] of settings.temperatures.entries()) {
      const walker = tokenWalker(stepper, base.config.vocabSize, temperature, generator(60 + i));
      await place('tokens', walker, temperature);
    }
    for (const [i, [name, temperature]] of tokenMethods.entries()) {
      const walker = tokenWalker(stepper, base.config.vocabSize, temperature, generator(10 + i));
      await note(name, await continueTexts(walker, prefixes, samplesOf(name), settings.tokens, signal));
    }
  } finally {
    await stepper.dispose();
  }
  const rows = prefixes.length * settings.samples;
  await note('random_tokens', randomTexts(rows, settings.tokens, base.config.vocabSize, generator(20)));
  return { ...figures, ...gapsOf(curves.actions, curves.tokens) };
}

/** A way to write at one temperature: the larger all but the first, the more diverse. */
type CurvePlace = Readonly<Record<'quality' | 'similarity' | 'distinct' | 'self_bleu', number>>;

function gapsOf(actions: readonly CurvePlace[], tokens: readonly CurvePlace[]): Figures {
  const figures: Record<string, number> = {};
  for (const name of ['similarity', 'distinct', 'self_bleu'] as const) {
    const curve = (places: readonly CurvePlace[]) => places.map((each): Place => [each.quality, each[name]]);
    const found = meanGap(curve(actions), curve(tokens));
    if (found === undefined) continue;
    Object.assign(figures, { [`gap_${name}`]: found.gap, gap_width: found.width });
  }
  return figures;
}

function prefixesOf(text: Sequences, settings: DiversitySettings): Int32Array[] {
  const count = Math.min(settings.prefixes, text.count);
  return Array.from({ length: count }, (_, i) =>
    text.ids.subarray(i * text.length, i * text.length + settings.prefixTokens),
  );
}

function describe(name: string, read: ReadTexts, prefixes: number, centre: Float64Array): Figures {
  const samples = read.quality.length / prefixes;
  const quality = read.quality.reduce((a, b) => a + b, 0) / read.quality.length;
  if (samples < 2) return { [`${name}_quality`]: quality };
  let similarity = 0;
  for (let p = 0; p < prefixes; p++) {
    similarity += meanPairwiseCosine(read.pooled.slice(p * samples, (p + 1) * samples), centre) / prefixes;
  }
  const diversity = diversityOf(similarity);
  return {
    [`${name}_quality`]: quality,
    [`${name}_similarity`]: similarity,
    ...(diversity === undefined ? {} : { [`${name}_diversity`]: diversity }),
  };
}

export interface ReadTexts {
  /** Base loss per token of each continuation, `[R]`. */
  readonly quality: readonly number[];
  /** Mean state over the tokens of each continuation, R vectors `[d]`. */
  readonly pooled: readonly Float32Array[];
}

/**
 * Reads every continuation behind its prefix with the base.
 *
 * @param continuations `[P * samples]` of one length, groups together
 */
export async function readContinuations(
  reader: Reader,
  prefixes: readonly Int32Array[],
  continuations: readonly Int32Array[],
  budget = defaultBudget,
): Promise<ReadTexts> {
  const { hiddenSize: d } = reader.base.config;
  const samples = continuations.length / prefixes.length;
  const before = prefixes[0].length;
  const length = before + continuations[0].length;
  const ids = new Int32Array(continuations.length * length);
  for (const [r, tokens] of continuations.entries()) {
    ids.set(prefixes[Math.floor(r / samples)], r * length);
    ids.set(tokens, r * length + before);
  }
  const quality: number[] = [];
  const pooled: Float32Array[] = [];
  await readText(
    reader,
    { ids, count: continuations.length, length },
    {
      chunk: rowsWithin(budget, length * reader.base.config.vocabSize),
      build: ({ graph, config, ids: tokens, h }) => {
        const logits = languageHead(graph, config, ops.slice(h, 1, before - 1, length - 1));
        return {
          quality: ops.mean(crossEntropy(logits, ops.slice(tokens, 1, before, length)), [1]),
          pooled: ops.mean(ops.slice(h, 1, before, length), [1]),
        };
      },
      take: (values, _start, count) => {
        for (let i = 0; i < count; i++) {
          quality.push(values.floats('quality')[i]);
          pooled.push(values.floats('pooled').slice(i * d, (i + 1) * d));
        }
      },
    },
  );
  return { quality, pooled };
}
