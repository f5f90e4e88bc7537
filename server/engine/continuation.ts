/** Several texts that go on from the same place, in lockstep: one row each, chosen by the policy. */
import { forced, type StepResult } from '../cola/decoder.ts';
import { argmaxOf, probabilities } from '../model/sampling.ts';
import { StreamDecoder } from '../model/tokenizer.ts';
import type { ActionToken, Alternative } from '../protocol/completion.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { Lease } from './prefix-cache.ts';
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

/** Row b of `[B,N]`. */
export function rowOf({ policyLogits }: Pick<StepResult, 'policyLogits'>, row: number, codes: number): Float32Array {
  return policyLogits.slice(row * codes, (row + 1) * codes);
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

/** Batches are padded to powers of two, so that few programs are compiled. */
export function paddedRows(rows: number): number {
  let padded = 1;
  while (padded < rows) padded *= 2;
  return padded;
}

/**
 * Goes on with rows that each have read nothing but one token behind the prefix cache, until all have ended.
 *
 * @param lease on the prefix cache; given back once the rows have copied it
 * @returns tokens that were generated
 */
export async function* continueRows(
  model: LoadedModel,
  rows: readonly Row[],
  banned: ReadonlySet<number>,
  room: number,
  lease: Lease,
  signal: AbortSignal,
): Job<number> {
  if (rows.every(({ finish }) => finish !== undefined)) return 0;
  const { tail } = model;
  const codes = tail.numCodes;
  const batch = paddedRows(rows.length);
  const bias = new Float32Array(batch * codes);
  for (const code of banned) for (let b = 0; b < batch; b++) bias[b * codes + code] = -forced;
  const from = model.prefix.current;
  const cache = await tail.select(from, new Array<number>(batch).fill(0), room);
  let generated = 0;
  try {
    // The prefix is copied: others may read on there.
    lease.release();
    while (rows.some(({ finish }) => finish === undefined)) {
      yield;
      signal.throwIfAborted();
      const tokens = Array.from({ length: batch }, (_, b) => [rows[Math.min(b, rows.length - 1)].last]);
      const result = await tail.step(cache, tokens, bias);
      for (const [b, row] of rows.entries()) {
        if (row.finish !== undefined) continue;
        row.push(result.token[b], choiceOf(rowOf(result, b, codes), result.action[b], banned));
        generated++;
      }
    }
  } finally {
    cache.dispose();
  }
  return generated;
}
