/** Several texts that go on from the same place, in lockstep: one row each, chosen by the policy. */
import { forced } from '../cola/decoder.ts';
import { argmaxOf, probabilities } from '../model/sampling.ts';
import { StreamDecoder } from '../model/tokenizer/tokenizer.ts';
import type { ActionToken, Alternative } from '../protocol/completion.ts';
import type { Job } from '../schedule/scheduler.ts';
import { type Ahead, tokensAtOnce } from './branch-reader.ts';
import { cacheShare, saidOf, type TextCache } from './cache-model.ts';
import { DraftLength } from './drafts.ts';
import type { LoadedModel } from './loaded-model.ts';
import { type Cut, endOfSense } from './stop.ts';

/** An action that was taken, and how likely the policy held it to be. */
export interface Choice {
  readonly action: number;
  readonly probability: number;
  /** What the policy held it for by itself. */
  readonly prior: number;
  readonly runnerUp: { readonly action: number; readonly probability: number } | null;
  /** Whether it is the likeliest behind a token that other texts of the project chose. */
  readonly files?: true;
}

/**
 * What became of one row of logits `[N]` when `action` was taken.
 *
 * @param policyLogits what the policy said by itself, where the logits are given something more
 */
export function choiceOf(
  logits: Float32Array,
  action: number,
  banned: ReadonlySet<number>,
  policyLogits = logits,
): Choice {
  const p = probabilities(logits, 0, logits.length);
  const own = policyLogits === logits ? p : probabilities(policyLogits, 0, policyLogits.length);
  const others = logits.map((x, code) => (code === action || banned.has(code) ? Number.NEGATIVE_INFINITY : x));
  const second = argmaxOf(others, 0, others.length);
  const alone = others.every((x) => x === Number.NEGATIVE_INFINITY);
  return {
    action,
    probability: p[action],
    prior: own[action],
    runnerUp: alone ? null : { action: second, probability: p[second] },
  };
}

/** A token that was typed already, where an alternative is cut otherwise than the prompt, with its action and pi of it. */
export interface TypedToken {
  readonly id: number;
  readonly action: number;
  readonly prior: number;
}

/** Rules of where a text ends. */
export interface Ending {
  readonly maxTokens: number;
  /** Where the text so far is to be cut; undefined to go on. */
  readonly cut: (text: string) => Cut | undefined;
}

/** One text while it grows. */
export class Row {
  private readonly ids: number[] = [];
  private readonly choices: Choice[] = [];
  private readonly pieces: string[] = [];
  private readonly decoder: StreamDecoder;
  private text = '';
  private length = 0;
  finish: Alternative['finish'] | undefined;

  /**
   * @param typed what is there of the first token already, and so is not part of the text
   * @param before tokens between the prompt and the first, whose text is typed
   */
  constructor(
    private readonly model: LoadedModel,
    private readonly ending: Ending,
    private readonly typed = '',
    private readonly before: readonly TypedToken[] = [],
  ) {
    this.decoder = new StreamDecoder(model.tokenizer, { skipSpecialTokens: true, continuation: true });
  }

  /** A row that has come as far as this one. */
  fork(): Row {
    const copy = new Row(this.model, this.ending, this.typed, this.before);
    for (const [i, id] of this.ids.entries()) copy.push(id, this.choices[i]);
    return copy;
  }

  push(id: number, choice: Choice): void {
    if (this.finish !== undefined) return;
    if (this.model.endIds.has(id)) {
      this.finish = 'end';
      return;
    }
    this.ids.push(id);
    this.choices.push(choice);
    const piece = this.decoder.push(id);
    this.pieces.push(this.ids.length === 1 ? piece.slice(this.typed.length) : piece);
    this.text += this.pieces[this.pieces.length - 1];
    this.length = this.text.length;
    const cut = this.ending.cut(this.text);
    if (cut !== undefined) {
      this.length = cut.length;
      this.finish = cut.finish;
      return;
    }
    const kept = endOfSense(this.ids, this.pieces);
    if (kept !== undefined) {
      this.length = this.pieces.slice(0, kept).join('').length;
      this.finish = 'repeats';
    } else if (this.ids.length >= this.ending.maxTokens) this.finish = 'length';
  }

  /** Ids that were chosen. */
  get tokens(): readonly number[] {
    return this.ids;
  }

  get last(): number {
    return this.ids[this.ids.length - 1];
  }

  get count(): number {
    return this.ids.length;
  }

  result(): Alternative {
    const { labels } = this.model;
    const tokens: ActionToken[] = [];
    let at = 0;
    for (const [i, { action, probability, prior, runnerUp, ...more }] of this.choices.entries()) {
      if (at >= this.length && at > 0) break;
      const text = this.pieces[i].slice(0, this.length - at);
      at += this.pieces[i].length;
      tokens.push({
        id: this.ids[i],
        text,
        action,
        label: labels[action],
        probability,
        prior,
        runnerUp: runnerUp === null ? null : { ...runnerUp, label: labels[runnerUp.action] },
        ...more,
      });
    }
    const result = { text: this.text.slice(0, this.length), tokens, finish: this.finish ?? 'length' };
    return this.before.length === 0 ? result : { ...result, typed: [...this.before] };
  }
}

/** A row that has chosen a token, and the tokens before that one: the prefix cache begins with them. */
export interface Fork {
  readonly row: Row;
  readonly before: readonly number[];
}

/** A row on its way, the slots of its tokens that were read, and what it is guessed to go on with. */
interface Track extends Fork {
  /** Tokens of the row that are among those before it. */
  readonly known: number;
  readonly slots: number[];
  guess: readonly number[];
}

/** All tokens of a row and of what stands before it. */
const writtenOf = ({ before, row, known }: Track): number[] => [...before, ...row.tokens.slice(known)];

/** Slots behind the text: those that are not in use again. */
class Slots {
  private readonly free: number[] = [];

  constructor(private next: number) {}

  take(): number {
    return this.free.pop() ?? this.next++;
  }

  giveBack(slots: readonly number[]): void {
    this.free.push(...slots);
  }
}

/**
 * Goes on with rows that each have chosen a token behind tokens that the prefix cache begins with, until all have ended. The
 * cache must not be read by others meanwhile.
 *
 * @param texts what stands in the files of the project, which has a say too where no action is banned
 * @returns tokens that were generated
 */
export async function* continueRows(
  model: LoadedModel,
  forks: readonly Fork[],
  banned: ReadonlySet<number>,
  signal: AbortSignal,
  texts?: TextCache,
): Job<number> {
  const { reader, length } = model.prefix;
  let bias: Float32Array | undefined;
  if (banned.size > 0) {
    bias = new Float32Array(model.cola.config.numCodes);
    for (const code of banned) bias[code] = -forced;
  }
  const tracks: Track[] = forks.map((fork) => ({ ...fork, known: fork.row.count - 1, slots: [], guess: [] }));
  const slots = new Slots(length);
  const lengths = new DraftLength();
  let generated = 0;
  for (;;) {
    const going = tracks.filter(({ row }) => row.finish === undefined);
    if (going.length === 0) return generated;
    for (const track of going) {
      const written = writtenOf(track);
      const surely = texts?.follow(written, tokensAtOnce - 1) ?? [];
      track.guess = surely.length > 0 ? surely : model.drafts.propose(written, tokensAtOnce - 1);
    }
    for (let at = 0; at < going.length; at += tokensAtOnce) {
      yield;
      signal.throwIfAborted();
      generated += await advance(going.slice(at, at + tokensAtOnce));
    }
  }

  /** What the model chose, or what is more likely when the texts are asked too, with the action behind it. */
  async function withTexts(track: Track, ahead: Ahead): Promise<Pick<Ahead, 'token' | 'action'> & { files?: true }> {
    const { token, action } = ahead;
    const said = banned.size === 0 ? texts?.look(writtenOf(track)) : undefined;
    if (said === undefined || said.token === token) return { token, action };
    // What the model gives a token that it did not choose is not known, and is less than what it gives its own.
    const own = (1 - cacheShare) * ahead.probability + cacheShare * saidOf(said, token);
    if (cacheShare * saidOf(said, said.token) <= own) return { token, action };
    const { actions } = await reader.outlook(ahead, banned);
    const chosen = { token: said.token, action: actions[said.token] };
    return said.elsewhere.has(said.token) ? { ...chosen, files: true } : chosen;
  }

  /** Reads the last token of some rows with guesses behind it, and takes what the model chooses as far as it was guessed. */
  async function advance(some: readonly Track[]): Promise<number> {
    const each = lengths.choose(some.map(({ guess }) => guess.length));
    const chains = some.map(({ row, before, slots: own, guess }) => {
      const ids = [row.last, ...guess.slice(0, each)];
      const taken = ids.map(() => slots.take());
      const seen = taken.map((_, i) => [...own, ...taken.slice(0, i + 1)]);
      const tokens = ids.map((id, i) => ({
        id,
        position: before.length + own.length + i,
        text: before.length,
        slots: seen[i],
      }));
      return { ids, taken, tokens };
    });
    const ahead = await reader.step(
      chains.flatMap(({ tokens }) => tokens),
      bias,
    );
    let [from, count] = [0, 0];
    for (const [i, { ids, taken }] of chains.entries()) {
      const { row, slots: own, guess } = some[i];
      let read = 0;
      let missed = false;
      do {
        const { policyLogits } = ahead[from + read];
        const { token, action, ...more } = await withTexts(some[i], ahead[from + read]);
        row.push(token, { ...choiceOf(policyLogits, action, banned), ...more });
        // A guess that was not read teaches too, or one that was wrong a few times would never be tried again.
        missed = read < guess.length && token !== guess[read];
        read++;
      } while (row.finish === undefined && !missed && read < ids.length);
      lengths.learn(Math.min(missed ? read - 1 : read, guess.length), missed);
      count += read;
      own.push(...taken.slice(0, read));
      slots.giveBack(taken.slice(read));
      from += ids.length;
    }
    return count;
  }
}
