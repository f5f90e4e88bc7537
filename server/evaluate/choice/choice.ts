/**
 * What a person has to choose from at a place: the alternatives by latent actions, beside what the base offers without them.
 * The measure of completion's worth.
 */
import type { ColaModel } from '../../cola/model.ts';
import { complete } from '../../completion/complete.ts';
import { LoadedModel } from '../../completion/loaded-model.ts';
import { type Alternative, completionParams } from '../../protocol/completion.ts';
import { Random } from '../../random.ts';
import type { Job } from '../../schedule/scheduler.ts';
import type { Figures } from '../../train/measures/figures.ts';
import type { Sequences } from '../../train/measures/states.ts';
import type { StageContext } from '../../train/stage.ts';
import { heldOutText } from '../text.ts';
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

/** What a way offers at one place, by number of alternatives. */
type Offered = Readonly<Record<number, Readonly<Record<Quantity, number>>>>;
/** Of one place, by way. */
type Found = Readonly<Record<ChoiceWay, Offered>>;

/** The two halves of a measurement: the product's completion, and its controls, which know nothing of it. */
export interface ChoiceHalves {
  readonly actions: Pick<Found, 'actions'>;
  readonly controls: Omit<Found, 'actions'>;
}

/** Where what was found at a place is kept, so that a measurement that is ended goes on where it was. */
export interface KeptPlaces {
  get<H extends keyof ChoiceHalves>(place: ChoicePlace, half: H): ChoiceHalves[H] | undefined;
  put<H extends keyof ChoiceHalves>(place: ChoicePlace, half: H, found: ChoiceHalves[H]): void;
}

/** How places are shared between processes that keep what they find in one file. */
export interface ChoiceWork {
  /** Without it nothing is kept. */
  readonly kept?: KeptPlaces;
  /** Of so many processes, which one this is, from 0. */
  readonly part?: { readonly index: number; readonly of: number };
}

/**
 * The pieces of held-out text in which places are looked for: a piece has up to one place of each kind, and some have none.
 *
 * @throws what `heldOutText` throws
 */
export function choicePieces(
  text: Parameters<typeof heldOutText>[0],
  context: StageContext,
  { length, tokens, places }: ChoiceSettings,
): Promise<Sequences> {
  const longest = context.base.config.maxPositionEmbeddings - tokens - 1;
  return heldOutText(text, context, Math.min(length, longest), places);
}

/**
 * Figures `<way>_<quantity>_<alternatives>`, and all of it with intervals.
 *
 * @param text held-out text in which places are looked for
 * @param work what is there already of the same places, and which of them are looked at here
 */
export async function measureChoice(
  context: StageContext,
  cola: ColaModel,
  text: Sequences,
  settings: ChoiceSettings,
  seed: number,
  { kept, part = { index: 0, of: 1 } }: ChoiceWork = {},
): Promise<{ figures: Figures; report: ChoiceReport }> {
  const { device, signal } = context;
  const model = await LoadedModel.on(device, cola);
  const { alternatives, tokens } = settings;
  const random = new Random(seed);
  const all = choicePlaces(text, cola.base.endIds, model.tokenizer, settings.places, random);
  const base = new BaseWriter(device, cola.base, model.tokenizer, model.context, alternatives, tokens);
  const places: ChoicePlace[] = [];
  const found: Found[] = [];
  try {
    for (const [i, place] of all.entries()) {
      if (i % part.of !== part.index) continue;
      places.push(place);
      signal.throwIfAborted();
      const [actions, controls] = [kept?.get(place, 'actions'), kept?.get(place, 'controls')];
      if (actions !== undefined && controls !== undefined) {
        found.push({ ...actions, ...controls });
        continue;
      }
      const read = await base.read(place.prefix);
      const at = { place, read, settings, signal };
      try {
        const own = actions ?? (await byActions(model, base, at));
        if (actions === undefined) kept?.put(place, 'actions', own);
        const others = controls ?? (await byBase(base, at, new Random(seed + i)));
        if (controls === undefined) kept?.put(place, 'controls', others);
        found.push({ ...own, ...others });
      } finally {
        read.cache.dispose();
      }
      if (i % 50 === 49) context.say(`Choice: ${i + 1} of ${all.length} places`);
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

/** A place that was read, and how much is asked for there. */
interface At {
  readonly place: ChoicePlace;
  readonly read: ReadPlace;
  readonly settings: ChoiceSettings;
  readonly signal: AbortSignal;
}

const both = ({ place, settings }: At, offers: readonly Offer[], first = offers): Offered => ({
  1: quantitiesOf(first.slice(0, 1), place.rest),
  [settings.alternatives]: quantitiesOf(offers, place.rest),
});

async function byActions(model: LoadedModel, base: BaseWriter, at: At): Promise<ChoiceHalves['actions']> {
  const { place, read, settings, signal } = at;
  const offered = async (count: number) =>
    (await finished(complete(model, asked(place.prefix, count, settings.tokens), signal))).alternatives;
  // The product answers another request where it shows one suggestion only.
  const [all, one] = [await offered(settings.alternatives), await offered(1)];
  const offers = await offersOf(model, base, read, all, signal);
  const same = offers.filter(({ text }) => text === one[0]?.text);
  return { actions: both(at, offers, same.length > 0 ? same : await offersOf(model, base, read, one, signal)) };
}

async function byBase(base: BaseWriter, at: At, random: Random): Promise<ChoiceHalves['controls']> {
  const { read, signal } = at;
  const { firstTokens, sampled } = await base.alone(read, [0.7, 1], random, signal);
  const [cool, warm] = sampled;
  const beam = await base.beam(read, signal);
  return {
    first_tokens: both(at, firstTokens),
    'sampled_0.7': both(at, cool),
    sampled_1: both(at, warm),
    beam: both(at, beam),
  };
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
  alternatives: readonly Alternative[],
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
