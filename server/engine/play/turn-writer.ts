/** A model in a conversation: what it has read, what it writes, and what it could write instead. */
import type { TakenDevice } from '../../device/devices.ts';
import type { Subject } from '../../evaluate/subject.ts';
import type { KeyValueCache } from '../../model/cache/key-value-cache.ts';
import { Speech } from '../../model/chat/speech.ts';
import { StreamDecoder } from '../../model/tokenizer/tokenizer.ts';
import { type PlayToken, playLimits } from '../../protocol/play.ts';
import { templateOf, tokenizerOf } from '../../train/data.ts';
import { engineErrors } from '../errors.ts';
import { type Mind, mindOf, type Outlook, type Written } from './mind.ts';

/** Does a piece of work when the device is free for it. */
export type Pace = <T>(work: () => Promise<T>) => Promise<T>;

/** Tokens of a conversation that are read at most. */
const longestContext = 4096;

export class TurnWriter {
  readonly speech: Speech;
  readonly decoding: 'actions' | 'tokens';
  private readonly mind: Mind;
  /** Most tokens of a conversation. */
  private readonly most: number;
  private ids: number[] = [];
  private cache: KeyValueCache | undefined;
  /** How many of the tokens are in the cache, and what follows them. */
  private read = 0;
  private seen: Outlook | undefined;

  /** @param taken the device, which goes with it */
  constructor(
    private readonly subject: Subject,
    private readonly taken: TakenDevice,
    private readonly pace: Pace,
  ) {
    const { context, base, decoding } = subject;
    this.speech = new Speech(tokenizerOf(context), templateOf(context));
    this.decoding = decoding;
    this.most = Math.min(base.config.maxPositionEmbeddings, longestContext);
    this.mind = mindOf(subject);
  }

  /** Tokens of the conversation so far. */
  get length(): number {
    return this.ids.length;
  }

  get last(): number {
    return this.ids[this.ids.length - 1];
  }

  add(ids: Iterable<number>): void {
    for (const id of ids) this.ids.push(id);
  }

  /** Forgets what stands behind so many tokens. */
  cut(length: number): void {
    this.ids.length = Math.min(this.ids.length, length);
    if (this.read > this.ids.length) this.forget();
  }

  /** Whether a turn ends with this token. */
  ends(id: number): boolean {
    return this.mind.endIds.has(id) || this.speech.endsTurn(id);
  }

  /** Whether it is the model's own end of an answer. */
  isEnd(id: number): boolean {
    return this.mind.endIds.has(id);
  }

  /** What the tokens of a turn say. */
  said(tokens: readonly Written[]): string {
    const ids = tokens.map(({ id }) => id);
    return this.speech.tokenizer.decode(ids, { skipSpecialTokens: true }).trim();
  }

  /** Tokens as they are shown, each with its own text. */
  shown(tokens: readonly Written[]): PlayToken[] {
    const decoder = new StreamDecoder(this.speech.tokenizer, { skipSpecialTokens: true, continuation: true });
    return tokens.map(({ id, ...face }) => ({ text: decoder.push(id), ...face }));
  }

  /** What is written next. @throws engine.playFull */
  async next(): Promise<Written> {
    return (await this.look()).best;
  }

  /**
   * How the turn could go on: by the likeliest actions that begin with different tokens, each followed by what is likeliest then.
   *
   * @param longest tokens of each
   * @throws engine.playFull; the signal's reason
   */
  async alternatives(longest: number, signal: AbortSignal): Promise<Written[][]> {
    if (this.decoding === 'tokens') return [];
    this.needRoom();
    // A branch reads the last token itself, to take another action behind it.
    if (this.read === this.ids.length) this.forget();
    await this.readUpTo(this.ids.length - 1);
    const { cache, last, length } = this;
    if (cache === undefined) return [];
    const room = Math.min(longest, this.most - length);
    const rows = Array.from({ length: playLimits.alternatives }, () => 0);
    const branches = await this.pace(() => this.mind.select(cache, rows, length + room));
    try {
      const actions = (await this.look()).actions.slice(0, rows.length);
      const begins = await this.pace(() =>
        this.mind.outlook(
          branches,
          rows.map((_, row) => (row < actions.length ? [last] : [])),
          actions,
        ),
      );
      const lines = begins.map(({ best }) => [best]);
      const firsts = lines.map(([{ id }]) => id);
      const open = (row: number) =>
        row < actions.length && firsts.indexOf(firsts[row]) === row && !this.ends(lines[row][lines[row].length - 1].id);
      for (let t = 1; t < room && rows.some((_, row) => open(row)); t++) {
        signal.throwIfAborted();
        const unread = lines.map((line, row) => (open(row) ? [line[line.length - 1].id] : []));
        const found = await this.pace(() => this.mind.outlook(branches, unread));
        for (const [row, line] of lines.entries()) if (open(row)) line.push(found[row].best);
      }
      const told = lines.filter((_, row) => row < actions.length && firsts.indexOf(firsts[row]) === row);
      // Those that come to say the same are one.
      const texts = told.map((line) => this.said(line));
      return told.filter((_, i) => texts.indexOf(texts[i]) === i);
    } finally {
      branches.dispose();
    }
  }

  async dispose(): Promise<void> {
    this.cache?.dispose();
    await this.mind.dispose();
    this.subject.dispose();
    await this.taken.release();
  }

  /** Reads what has not been read. @throws engine.playFull */
  private async look(): Promise<Outlook> {
    if (this.read === this.length && this.seen !== undefined) return this.seen;
    this.needRoom();
    return this.readUpTo(this.length);
  }

  private needRoom(): void {
    if (this.length >= this.most) throw engineErrors.playFull(this.most);
  }

  /** @returns what follows the last token that was read */
  private async readUpTo(length: number): Promise<Outlook> {
    const unread = this.ids.slice(this.read, length);
    return this.pace(async () => {
      this.cache ??= await this.mind.cache(1, this.most);
      if (unread.length > 0 || this.seen === undefined) {
        [this.seen] = await this.mind.outlook(this.cache, [unread]);
        this.read = length;
      }
      return this.seen;
    });
  }

  private forget(): void {
    this.cache?.dispose();
    this.cache = this.seen = undefined;
    this.read = 0;
  }
}
