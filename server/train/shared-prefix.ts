/**
 * Texts that begin alike in one row: the common start once, then what follows of each, which sees the start and itself. So a
 * start of 60 tokens with four continuations is read once and not four times.
 */
import type { Graph } from '../graph/tensor.ts';
import { type AttentionContext, masked, rotaryTables } from '../model/block.ts';
import type { ModelConfig } from '../model/config.ts';

export interface SharedRow {
  readonly ids: readonly number[];
  /** -1 for the start, else the continuation that the token belongs to. */
  readonly branch: readonly number[];
  /** Index of the token in its text. */
  readonly positions: readonly number[];
}

/** @param continuations may be empty */
export function sharedRow(start: readonly number[], continuations: readonly (readonly number[])[]): SharedRow {
  const ids = [...start];
  const branch = start.map(() => -1);
  const positions = start.map((_, i) => i);
  for (const [b, tokens] of continuations.entries()) {
    for (const [j, id] of tokens.entries()) {
      ids.push(id);
      branch.push(b);
      positions.push(start.length + j);
    }
  }
  return { ids, branch, positions };
}

/** Attention as inputs `positions` int64 `[B,S]` and `mask` float32 `[B,1,S,S]`, which {@link sharedFeeds} fills. */
export function sharedContext(graph: Graph, config: ModelConfig, batch: number, length: number): AttentionContext {
  return {
    ...rotaryTables(graph, config, length),
    positions: graph.input('positions', 'int64', [batch, length]),
    mask: graph.input('mask', 'float32', [batch, 1, length, length]),
  };
}

/** Feeds of rows of at most `length` tokens; rows that are not there are padding. */
export function sharedFeeds(rows: readonly SharedRow[], batch: number, length: number) {
  const ids = new Int32Array(batch * length);
  const positions = new BigInt64Array(batch * length);
  const mask = new Float32Array(batch * length * length).fill(masked);
  for (let b = 0; b < batch; b++) {
    const row = rows[b];
    for (let t = 0; t < length; t++) {
      const at = (b * length + t) * length;
      // Padding sees itself, so that its softmax has something to divide by.
      mask[at + t] = 0;
      if (row === undefined || t >= row.ids.length) continue;
      ids[b * length + t] = row.ids[t];
      positions[b * length + t] = BigInt(row.positions[t]);
      const own = row.branch[t];
      for (let s = 0; s < t; s++) if (row.branch[s] < 0 || row.branch[s] === own) mask[at + s] = 0;
    }
  }
  return { ids, positions, mask };
}
