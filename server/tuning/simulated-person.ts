/**
 * A person who writes a file that is written already: at places of it they look at what the model offers, take the first
 * alternative that goes on as the author did, for a word at least, and otherwise write on themselves.
 */
import { createHash } from 'node:crypto';
import type { CacheModel } from '../completion/cache-model.ts';
import { complete } from '../completion/complete.ts';
import type { LoadedModel } from '../completion/loaded-model.ts';
import { agreement } from '../evaluate/choice/agreement.ts';
import { type FeedbackLine, logged } from '../feedback/lines.ts';
import { type Alternative, completionParams } from '../protocol/completion.ts';
import type { Random } from '../random.ts';
import { Scheduler } from '../schedule/scheduler.ts';

export interface SourceText {
  readonly name: string;
  readonly text: string;
}

/** A place in a text, and what its author wrote up to the end of the line. */
export interface Place {
  readonly name: string;
  readonly prefix: string;
  readonly rest: string;
}

/** Text before a place that the model is given. */
const longestPrefix = 1200;

/** Places at the beginnings of words, in lines of at least eight characters. */
export function placesOf(texts: readonly SourceText[], count: number, random: Random): Place[] {
  const places: Place[] = [];
  const usable = texts.filter(({ text }) => text.length > 200);
  for (let tries = 0; places.length < count && tries < 100 * count && usable.length > 0; tries++) {
    const { name, text } = usable[random.integer(usable.length)];
    const at = 100 + random.integer(text.length - 100);
    const start = text.lastIndexOf('\n', at - 1) + 1;
    const end = text.indexOf('\n', start) < 0 ? text.length : text.indexOf('\n', start);
    const line = text.slice(start, end);
    if (line.trim().length < 8) continue;
    const breaks = [...line.matchAll(/(?<![\p{L}\p{N}_$])(?=[\p{L}\p{N}_$])/gu)].map(({ index }) => index);
    if (breaks.length === 0) continue;
    const place = start + breaks[random.integer(breaks.length)];
    places.push({ name, prefix: text.slice(Math.max(0, place - longestPrefix), place), rest: text.slice(place, end) });
  }
  return places;
}

/** What came of a place. */
export interface Sitting {
  /** Index of the alternative that was taken; -1 for none. */
  readonly taken: number;
  readonly characters: number;
  readonly alternatives: readonly Alternative[];
  readonly milliseconds: number;
  /** What a feedback log would hold of it. */
  readonly lines: readonly FeedbackLine[];
}

export class SimulatedPerson {
  private readonly scheduler = new Scheduler();

  /**
   * @param patience alternatives that are looked at
   * @param texts the other files of the project, if they have a say
   */
  constructor(
    private readonly model: LoadedModel,
    private readonly patience = 8,
    readonly maxTokens = 10,
    private readonly texts?: CacheModel,
  ) {}

  async sit(place: Place, id: string, at: number): Promise<Sitting> {
    const params = completionParams.parse({
      prefix: place.prefix,
      fill: false,
      alternatives: this.patience,
      maxTokens: this.maxTokens,
    });
    const { model } = this;
    const texts = this.texts?.without(place.name);
    const work = () => this.scheduler.submit('interactive', (signal) => complete(model, params, signal, texts)).done;
    const { alternatives, record, milliseconds } = await model.policy.use(work);
    const agreed = alternatives.map(({ text }) => agreement(text, place.rest));
    const taken = agreed.findIndex((characters) => characters > 0);
    if (record === undefined || alternatives.length === 0)
      return { taken: -1, characters: 0, alternatives, milliseconds, lines: [] };
    const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
    const moment: FeedbackLine = {
      kind: 'moment',
      id,
      at,
      source: 'simulated',
      document: hash(place.name),
      context: hash(place.prefix),
      ...record,
      alternatives: alternatives.map(logged),
    };
    const last = taken < 0 ? alternatives.length - 1 : taken;
    const events = Array.from({ length: last + 1 }, (_, i): FeedbackLine[] => {
      const about = { kind: 'event' as const, at, moment: id, alternative: i };
      const shown = { ...about, what: 'shown' as const };
      if (i === taken) {
        const whole = agreed[i] === alternatives[i].text.length;
        const part = whole ? (agreed[i] >= place.rest.trimEnd().length ? 'line' : 'whole') : 'word';
        return [shown, { ...about, what: 'accepted', part, characters: agreed[i] }];
      }
      return i === last
        ? [shown, { ...about, what: 'rejected', reason: 'typed', characters: 0 }]
        : [shown, { ...about, what: 'passed' }];
    });
    const lines = [moment, ...events.flat()];
    return { taken, characters: taken < 0 ? 0 : agreed[taken], alternatives, milliseconds, lines };
  }
}

/** What a person gets out of a model. */
export interface Usefulness {
  /** Share of the places where the first alternative was taken, and where any was. */
  readonly first: number;
  readonly any: number;
  /** Characters that need not be written, a place: of the first alternative, and of the one that was taken. */
  readonly savedFirst: number;
  readonly saved: number;
  /** Median milliseconds until the alternatives are there. */
  readonly milliseconds: number;
}

export function usefulnessOf(sittings: readonly Sitting[]): Usefulness {
  const share = (good: (sitting: Sitting) => boolean) => sittings.filter(good).length / Math.max(1, sittings.length);
  const total = (of: (sitting: Sitting) => number) =>
    sittings.reduce((sum, sitting) => sum + of(sitting), 0) / Math.max(1, sittings.length);
  const times = sittings.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  return {
    first: share(({ taken }) => taken === 0),
    any: share(({ taken }) => taken >= 0),
    savedFirst: total(({ taken, characters }) => (taken === 0 ? characters : 0)),
    saved: total(({ characters }) => characters),
    milliseconds: times[times.length >> 1] ?? 0,
  };
}
