/**
 * What a person has to choose from at a place: the alternatives by latent actions, beside what the base offers without them.
 * The measure of completion's worth.
 */
import type { ColaModel } from '../../cola/model.ts';
import { complete } from '../../completion/complete.ts';
import { LoadedModel } from '../../completion/loaded-model.ts';
import { completionParams } from '../../protocol/completion.ts';
import { Random } from '../../random.ts';
import type { Job } from '../../schedule/scheduler.ts';
import type { Figures } from '../../train/measures/figures.ts';
import type { Sequences } from '../../train/measures/states.ts';
import type { StageContext } from '../../train/stage.ts';
import { agreement, firstWord } from './agreement.ts';
import { BaseWriter, type Offer, type ReadPlace } from './base-writer.ts';
import { type ChoicePlace, choicePlaces, placeKinds } from './places.ts';
import {
  type ChoiceReport,
  type ChoiceSettings,
  type ChoiceWay,
  choiceWays,
  type Quantity,
  quantityNames,
} from './report.ts';
import { clusteredMean } from './statistics.ts';

/** Of one place, by way and number of alternatives. */
type Found = Readonly<Record<ChoiceWay, Readonly<Record<number, Readonly<Record<Quantity, number>>>>>>;

/**
 * Figures `<way>_<quantity>_<alternatives>`, and all of it with intervals.
 *
 * @param text held-out text in which places are looked for
 */
export async function measureChoice(
  context: StageContext,
  cola: ColaModel,
  text: Sequences,
  settings: ChoiceSettings,
  seed: number,
): Promise<{ figures: Figures; report: ChoiceReport }> {
  const { device, signal } = context;
  const model = await LoadedModel.on(device, cola);
  const { alternatives, tokens } = settings;
  const random = new Random(seed);
  const places = choicePlaces(text, cola.base.endIds, model.tokenizer, settings.places, random);
  const base = new BaseWriter(device, cola.base, model.tokenizer, model.context, alternatives, tokens);
  const found: Found[] = [];
  try {
    for (const [i, place] of places.entries()) {
      signal.throwIfAborted();
      found.push(await foundAt(model, base, place, settings, new Random(seed + i), signal));
      if (i % 50 === 49) context.say(`Choice: ${i + 1} of ${places.length} places`);
    }
  } finally {
    await base.dispose();
    await model.release();
  }
  const report = reportOf(places, found, alternatives);
  const figures = report.rows
    .filter(({ kind }) => kind === 'all')
    .map(({ way, quantity, alternatives: k, mean }) => [`${way}_${quantity}_${k}`, mean] as const);
  return { figures: Object.fromEntries(figures), report };
}

async function foundAt(
  model: LoadedModel,
  base: BaseWriter,
  place: ChoicePlace,
  { alternatives, tokens }: ChoiceSettings,
  random: Random,
  signal: AbortSignal,
): Promise<Found> {
  const read = await base.read(place.prefix);
  try {
    const byActions = async (count: number) =>
      offersOf(model, base, read, await finished(complete(model, asked(place.prefix, count, tokens), signal)), signal);
    const firstTokens = await base.firstTokens(read, signal);
    const cool = await base.sampled(read, 0.7, random, signal);
    const warm = await base.sampled(read, 1, random, signal);
    const beam = await base.beam(read, signal);
    const both = (offers: readonly Offer[], first = offers) => ({
      1: quantitiesOf(first.slice(0, 1), place.rest),
      [alternatives]: quantitiesOf(offers, place.rest),
    });
    return {
      // The product answers another request where it shows one suggestion only.
      actions: both(await byActions(alternatives), await byActions(1)),
      first_tokens: both(firstTokens),
      'sampled_0.7': both(cool),
      sampled_1: both(warm),
      beam: both(beam),
    };
  } finally {
    read.cache.dispose();
  }
}

const asked = (prefix: string, alternatives: number, maxTokens: number) =>
  completionParams.parse({ prefix, fill: false, alternatives, maxTokens });

async function finished<T>(job: Job<T>): Promise<T> {
  for (;;) {
    const next = await job.next();
    if (next.done === true) return next.value;
  }
}

/** What the product offers, as the base sees it. */
async function offersOf(
  model: LoadedModel,
  base: BaseWriter,
  read: ReadPlace,
  {
    alternatives,
  }: { readonly alternatives: readonly { text: string; tokens: readonly { id: number; text: string }[] }[] },
  signal: AbortSignal,
): Promise<Offer[]> {
  const texts = alternatives.map(({ tokens }) => {
    const ids = tokens.map(({ id }) => id);
    const whole = model.tokenizer.decode(ids.slice(0, 1), { skipSpecialTokens: true, continuation: true });
    const { typed, tail } = read;
    // A first token of which only the end is offered has what was typed in it.
    const within = typed !== '' && whole.startsWith(typed) && whole !== tokens[0]?.text;
    return within ? ids : [...tail, ...ids];
  });
  const scored = await base.scored(read, texts, signal);
  return alternatives.map(({ text }, i) => ({ text, nats: scored[i].nats }));
}

function quantitiesOf(offers: readonly Offer[], rest: string): Record<Quantity, number> {
  const agreed = offers.map(({ text }) => agreement(text, rest));
  const nats = offers.map((offer) => offer.nats).filter(Number.isFinite);
  const texts = offers.map(({ text }) => text.trimEnd());
  return {
    word: +agreed.some((n) => n > 0),
    line: +texts.includes(rest.trimEnd()),
    saved: Math.max(0, ...agreed),
    texts: new Set(texts.filter((text) => text !== '')).size,
    words: new Set(texts.map(firstWord).filter((word) => word !== '')).size,
    nats: nats.length === 0 ? Number.NaN : nats.reduce((sum, x) => sum + x, 0) / nats.length,
  };
}

function reportOf(places: readonly ChoicePlace[], found: readonly Found[], most: number): ChoiceReport {
  const of = (kind: string) => places.flatMap((place, i) => (kind === 'all' || place.kind === kind ? [i] : []));
  const rows: ChoiceReport['rows'] = [];
  const paired: ChoiceReport['paired'] = [];
  for (const kind of ['all', ...placeKinds] as const) {
    const some = of(kind);
    const mean = (values: (i: number) => number) => {
      const finite = some.filter((i) => Number.isFinite(values(i)));
      return clusteredMean(
        finite.map(values),
        finite.map((i) => places[i].piece),
      );
    };
    if (some.length === 0) continue;
    for (const alternatives of [1, most]) {
      for (const quantity of quantityNames) {
        const value = (way: ChoiceWay) => (i: number) => found[i][way][alternatives][quantity];
        const about = { kind, alternatives, quantity };
        for (const way of choiceWays) rows.push({ ...about, way, ...mean(value(way)) });
        for (const against of choiceWays.slice(1))
          paired.push({ ...about, against, ...mean((i) => value('actions')(i) - value(against)(i)) });
      }
    }
  }
  const count = (kind: string) => of(kind).length;
  return {
    places: { all: places.length, line: count('line'), word: count('word'), bracket: count('bracket') },
    pieces: new Set(places.map(({ piece }) => piece)).size,
    rows,
    paired,
  };
}
