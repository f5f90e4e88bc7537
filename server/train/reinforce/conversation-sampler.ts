/**
 * Episodes of several turns: the policy writes, somebody answers, and it goes on behind the answer in the same cache, so that
 * nothing is read twice. All turns are written side by side; who waits for a slow answer is left out until it comes.
 */
import { setMaxListeners } from 'node:events';
import { ColaError } from '../../errors.ts';
import type { Episode } from './episode.ts';
import { type Chooser, Growing, readPrompts, type SamplingSettings, step } from './sampler.ts';
import type { Start } from './starts.ts';

/** What is said to a turn. */
export interface Reply {
  /** What the policy reads next, up to where it goes on. */
  readonly tokens: ArrayLike<number>;
  readonly reward: number;
  /** Whether nothing follows. */
  readonly done: boolean;
}

/** Who answers in one episode. */
export interface Partner {
  /**
   * @param written tokens of the turn
   * @param ended whether the last of them is an end token
   * @throws where there is no answer; the episode is then left out
   */
  reply(written: readonly number[], ended: boolean, signal: AbortSignal): Promise<Reply>;
  /** Nothing more is said to it. */
  leave?(): void;
}

export interface ConversationSettings extends SamplingSettings {
  /** Most turns; `maxNew` is the longest of them. */
  readonly turns: number;
  /** Most tokens behind the prompt. */
  readonly maxTokens: number;
  /** Whether a token ends a turn, beside those of the model. */
  readonly endsTurn?: (token: number) => boolean;
}

export interface Conversation extends Episode {
  /** Why it has no end that could be judged. */
  readonly failed?: string;
}

/** How long those that have their answers wait for the others, once some have. Answers that are there at once never wait. */
const patienceMs = 250;

class Speaker {
  failed: string | undefined;
  /** Where its turn begins in the tokens. */
  from = 0;
  over = false;
  waiting: Promise<void> | undefined;

  constructor(
    readonly row: Growing,
    readonly partner: Partner,
  ) {}

  /** Asks for an answer to the turn that has ended. */
  ask(settings: ConversationSettings, ended: boolean, signal: AbortSignal): void {
    const { row } = this;
    const asked = this.partner.reply(row.tokens.slice(this.from), ended, signal);
    this.waiting = asked.then(
      ({ tokens, reward, done }) => {
        this.waiting = undefined;
        row.turns.push({ end: row.choices.length, reward });
        row.finished = done;
        const more = row.turns.length < settings.turns && row.tokens.length + tokens.length < settings.maxTokens;
        if (done || !more) this.leave();
        else this.goOn(tokens);
      },
      (error: unknown) => {
        this.waiting = undefined;
        this.leave();
        this.failed = error instanceof ColaError ? error.message : String(error);
        row.turns.push({ end: row.choices.length, reward: 0 });
      },
    );
  }

  private leave(): void {
    this.over = true;
    this.partner.leave?.();
  }

  private goOn(tokens: ArrayLike<number>): void {
    const { row } = this;
    row.next = [row.tokens[row.tokens.length - 1], ...Array.from(tokens)];
    for (let i = 0; i < tokens.length; i++) row.tokens.push(tokens[i]);
    this.from = row.tokens.length;
  }
}

/**
 * @param partners one for each sample, in the order of the starts, groups together
 * @param turn awaited between runs of the device
 */
export async function sampleConversations(
  chooser: Chooser,
  starts: readonly Start[],
  partners: readonly Partner[],
  settings: ConversationSettings,
  signal: AbortSignal,
  turn?: () => Promise<void>,
): Promise<Conversation[]> {
  const rows = starts.flatMap(({ prompt, seeds }, g) => seeds.map((seed) => new Growing(prompt, g, seed)));
  const speakers = rows.map((row, i) => new Speaker(row, partners[i]));
  const cache = await readPrompts(chooser, starts, rows, settings.maxTokens);
  // Every partner listens to it, and those that still think when all is over are told to stop.
  const thinking = new AbortController();
  setMaxListeners(0, thinking.signal);
  const stop = () => thinking.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    while (speakers.some(({ over }) => !over)) {
      const speaking = speakers.filter(({ over, waiting }) => !over && waiting === undefined);
      await speak(speaking);
      for (const speaker of speaking) speaker.ask(settings, speaker.row.finished, thinking.signal);
      await answers(speakers, signal);
    }
  } finally {
    cache.dispose();
    signal.removeEventListener('abort', stop);
    thinking.abort();
  }
  return speakers.map(({ row, failed }) => ({ ...row.episode(), ...(failed === undefined ? {} : { failed }) }));

  /** Lets them write a turn each. */
  async function speak(speaking: readonly Speaker[]): Promise<void> {
    // Whose answer comes in the middle of this begins the next turn with the others.
    for (const speaker of speakers) speaker.row.done = !speaking.includes(speaker);
    for (let t = 0; t < settings.maxNew && speaking.some(({ row }) => !row.done); t++) {
      await turn?.();
      signal.throwIfAborted();
      await step(chooser, cache, rows, settings);
      for (const { row } of speaking) {
        const full = row.tokens.length >= settings.maxTokens;
        if (full || settings.endsTurn?.(row.tokens[row.tokens.length - 1]) === true) row.done = true;
      }
    }
    // Whether it is the end token that ended the turn, and not the longest length.
    for (const { row } of speaking) {
      row.finished = chooser.endIds.has(row.tokens[row.tokens.length - 1]);
      row.done = true;
    }
  }
}

/** Waits for all answers, or for some and a little longer. */
async function answers(speakers: readonly Speaker[], signal: AbortSignal): Promise<void> {
  const waiting = speakers.flatMap((speaker) => speaker.waiting ?? []);
  if (waiting.length === 0) return;
  let timer: NodeJS.Timeout | undefined;
  let abort = () => {};
  try {
    const late = Promise.race(waiting).then(
      () =>
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, patienceMs);
        }),
    );
    const stopped = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
    });
    await Promise.race([Promise.all(waiting), late, stopped]);
    signal.throwIfAborted();
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
