/** Several texts that go on from the same place, in lockstep: one row each, chosen by the policy. */
import { forced } from '../cola/decoder.ts';
import { argmaxOf, probabilities } from '../model/sampling.ts';
import { StreamDecoder } from '../model/tokenizer.ts';
import type { ActionToken, Alternative } from '../protocol/completion.ts';
import { branchesAtOnce } from './branch-reader.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { Job } from './scheduler.ts';
import type { Cut } from './stop.ts';

/** An action that was taken, and how likely the policy held it to be. */
export interface Choice {
  readonly action: number;
  readonly probability: number;
  readonly runnerUp: { readonly action: number; readonly probability: number } | null;
}

/** What became of one row of policy logits `[N]` when `action` was taken. */
export function choiceOf(logits: Float32Array, action: number, banned: ReadonlySet<number>): Choice {
  const p = probabilities(logits, 0, logits.length);
  const others = logits.map((x, code) => (code === action || banned.has(code) ? Number.NEGATIVE_INFINITY : x));
  const second = argmaxOf(others, 0, others.length);
  const alone = others.every((x) => x === Number.NEGATIVE_INFINITY);
  return {
    action,
    probability: p[action],
    runnerUp: alone ? null : { action: second, probability: p[second] },
  };
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

  constructor(
    private readonly model: LoadedModel,
    private readonly ending: Ending,
  ) {
    this.decoder = new StreamDecoder(model.tokenizer, { skipSpecialTokens: true, continuation: true });
  }

  /** A row that has come as far as this one. */
  fork(): Row {
    const copy = new Row(this.model, this.ending);
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
    this.pieces.push(this.decoder.push(id));
    this.text += this.pieces[this.pieces.length - 1];
    this.length = this.text.length;
    const cut = this.ending.cut(this.text);
    if (cut !== undefined) {
      this.length = cut.length;
      this.finish = cut.finish;
    } else if (this.ids.length >= this.ending.maxTokens) this.finish = 'length';
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
    for (const [i, { action, probability, runnerUp }] of this.choices.entries()) {
      if (at >= this.length && at > 0) break;
      const text = this.pieces[i].slice(0, this.length - at);
      at += this.pieces[i].length;
      tokens.push({
        id: this.ids[i],
        text,
        action,
        label: labels[action],
        probability,
        runnerUp: runnerUp === null ? null : { ...runnerUp, label: labels[runnerUp.action] },
      });
    }
    return { text: this.text.slice(0, this.length), tokens, finish: this.finish ?? 'length' };
  }
}

/**
 * Goes on with rows that each have chosen one token or more behind the text in the prefix cache, and read all but the last
 * in that text, until all have ended. The cache must not be read by others meanwhile.
 *
 * @returns tokens that were generated
 */
export async function* continueRows(
  model: LoadedModel,
  rows: readonly Row[],
  banned: ReadonlySet<number>,
  signal: AbortSignal,
): Job<number> {
  const { reader, length } = model.prefix;
  const bias = new Float32Array(model.cola.config.numCodes);
  for (const code of banned) bias[code] = -forced;
  const slots = new Map<Row, number[]>(rows.map((row) => [row, []]));
  let free = length;
  let generated = 0;
  for (;;) {
    const going = rows.filter(({ finish }) => finish === undefined);
    if (going.length === 0) return generated;
    for (let at = 0; at < going.length; at += branchesAtOnce) {
      yield;
      signal.throwIfAborted();
      const some = going.slice(at, at + branchesAtOnce).map((row) => {
        const own = slots.get(row) ?? [];
        own.push(free++);
        return { row, id: row.last, position: length + own.length - 1, slots: own };
      });
      const ahead = await reader.step(length, some, bias);
      for (const [i, { row }] of some.entries()) {
        const { token, action, policyLogits } = ahead[i];
        row.push(token, choiceOf(policyLogits, action, banned));
        generated++;
      }
    }
  }
}
