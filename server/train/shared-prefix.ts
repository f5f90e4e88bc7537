/**
 * Texts that begin alike in one row: the common start once, then what follows of each, which sees the start and itself. So a
 * start of 60 tokens with four continuations is read once and not four times.
 */
import * as ops from '../graph/ops.ts';
import type { Graph } from '../graph/tensor.ts';
import { type AttentionContext, causalContext, masked, rotaryTables, withSliding } from '../model/block.ts';
import type { ModelConfig } from '../model/config/config.ts';
import type { Episode } from './reinforce/episode.ts';

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

/** Attention as inputs `positions` int64 `[B,S]` and `attended` float32 `[B,1,S,S]`, which {@link sharedFeeds} fills. */
export function sharedContext(graph: Graph, config: ModelConfig, batch: number, length: number): AttentionContext {
  const positions = graph.input('positions', 'int64', [batch, length]);
  const mask = graph.input('attended', 'float32', [batch, 1, length, length]);
  return withSliding(graph, config, length, { ...rotaryTables(graph, config, length), positions, mask }, (window) => {
    const at = ops.numbers(positions, length);
    const back = ops.sub(ops.reshape(at, [batch, 1, length, 1]), ops.reshape(at, [batch, 1, 1, length]));
    const far = ops.greater(back, window - 1);
    return { mask: ops.minimum(mask, ops.where(far, graph.scalar(masked), graph.scalar(0))) };
  });
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
  return { ids, positions, attended: mask };
}

/** Sizes of an update's graph. */
export interface PackedShape {
  /** Rows R of S positions. */
  readonly rows: number;
  readonly length: number;
  /** Answers B in them, of A choices at most. */
  readonly samples: number;
  readonly answer: number;
  /** Whether answers to one prompt stand in one row behind it; otherwise each has a row of its own. */
  readonly shared: boolean;
}

export const shapeKey = ({ rows, length, samples, answer, shared }: PackedShape): string =>
  `${rows} ${length} ${samples} ${answer} ${shared}`;

/** Answers laid out for an update: a prompt is read once for several of its answers, heads only look at places that chose. */
export interface Packed {
  readonly shape: PackedShape;
  /** For each row the answers in it, by their index; all of one prompt. */
  readonly rows: readonly (readonly number[])[];
}

/** Numbers of a mask of attention beyond which answers are not put together. */
const largestMask = 2 ** 26;

/**
 * A length rounded up so that few programs are compiled: to an eighth of its power of two, and eight at least. At most an
 * eighth of it is padding.
 */
export function paddedLength(positions: number): number {
  const step = Math.max(8, 2 ** (Math.floor(Math.log2(Math.max(1, positions))) - 3));
  return Math.ceil(positions / step) * step;
}

/**
 * How many of `group` answers to a prompt to put behind it. More of them read it less often; but each position is also
 * compared with those of the other answers, for nothing.
 *
 * @param width d: a position costs about 24 d^2 operations in a block, and 2 d for each that it is compared with
 */
export function answersPerRow(prompt: number, answer: number, group: number, width: number): number {
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let k = 1; k <= group; k++) {
    const rows = Math.ceil(group / k);
    const length = prompt + k * (answer - 1);
    if (k > 1 && rows * length ** 2 > largestMask) break;
    const cost = rows * length * (24 * width + 2 * length);
    if (cost < least) [best, least] = [k, cost];
  }
  return best;
}

/** The shape of so many groups where every answer has its longest length. */
export function plannedShape(
  groups: number,
  group: number,
  prompt: number,
  answer: number,
  width: number,
): PackedShape & { readonly perRow: number } {
  const perRow = answersPerRow(prompt, answer, group, width);
  const rows = groups * Math.ceil(group / perRow);
  const length = paddedLength(prompt + perRow * (answer - 1));
  return { rows, length, samples: groups * group, answer, shared: perRow > 1, perRow };
}

/**
 * @param samples missing ones have a row where none is shared, and none else
 * @param answer A; no answer has more choices
 * @param width d
 */
export function packed(samples: readonly (Episode | undefined)[], answer: number, width: number): Packed {
  const groups = new Map<unknown, number[]>();
  for (const [i, sample] of samples.entries()) {
    const key = sample?.prompt ?? `missing ${i}`;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  const longest = Math.max(1, ...samples.map((sample) => sample?.prompt.ids.length ?? 1));
  const largest = Math.max(1, ...[...groups.values()].map((group) => group.length));
  const behind = Math.max(answer, ...samples.map((sample) => sample?.tokens.length ?? 0));
  const perRow = answersPerRow(longest, behind, largest, width);
  const rows = [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / perRow) }, (_, i) => group.slice(i * perRow, (i + 1) * perRow)),
  );
  const positions = rows.map((row) =>
    row.reduce(
      (n, i) => n + Math.max(0, (samples[i]?.tokens.length ?? 0) - 1),
      samples[row[0]]?.prompt.ids.length ?? 1,
    ),
  );
  const length = paddedLength(Math.max(1, ...positions));
  return { shape: { rows: rows.length, length, samples: samples.length, answer, shared: perRow > 1 }, rows };
}

/** What the rows of {@link Packed} attend to, `positions` and `attended` where answers share a prompt. */
export function packedContext(
  graph: Graph,
  config: ModelConfig,
  { rows, length, shared }: PackedShape,
): AttentionContext {
  return shared ? sharedContext(graph, config, rows, length) : causalContext(graph, config, rows, length);
}

/**
 * The same where nothing is wanted but the places that chose, `[BA,d]` of states `[R,S,d]`: the last block computes nothing else.
 * Input: `places` int32 `[BA]`.
 */
export function chosenContext(graph: Graph, config: ModelConfig, shape: PackedShape): AttentionContext {
  const wanted = graph.input('places', 'int32', [shape.samples * shape.answer]);
  return { ...packedContext(graph, config, shape), wanted };
}

/** Feeds of {@link chosenContext}, and the tokens `ids` int32 `[R,S]`. */
export function packedFeeds(samples: readonly (Episode | undefined)[], { shape, rows }: Packed) {
  const { length, answer } = shape;
  const places = new Int32Array(shape.samples * answer);
  const texts = rows.map((row, r) => {
    const prompt = samples[row[0]]?.prompt.ids ?? [];
    let start = prompt.length;
    const answers = row.map((i) => {
      const { written = [], tokens = [] } = samples[i] ?? {};
      // What wrote a token stands before it: for the first of all answers the end of the prompt. What is no choice looks there, too.
      for (let j = 0; j < answer; j++) {
        const at = written[j] ?? 0;
        places[i * answer + j] = r * length + (at === 0 ? Math.max(0, prompt.length - 1) : start + at - 1);
      }
      start += Math.max(0, tokens.length - 1);
      return tokens.slice(0, -1);
    });
    return sharedRow([...prompt], answers);
  });
  if (shape.shared) {
    const { ids, ...attention } = sharedFeeds(texts, shape.rows, length);
    return { ids, places, attention };
  }
  const ids = new Int32Array(shape.rows * length);
  for (const [r, text] of texts.entries()) ids.set(text.ids, r * length);
  return { ids, places, attention: {} };
}

/** States of the packed rows, `[R,S,d]`: those of the prompt from the first of its answers, then those of each. */
export function packedStates(samples: readonly (Episode | undefined)[], { shape, rows }: Packed, width: number) {
  const hidden = new Float32Array(shape.rows * shape.length * width);
  for (const [r, row] of rows.entries()) {
    let at = r * shape.length * width;
    for (const [k, i] of row.entries()) {
      const sample = samples[i];
      if (sample === undefined) continue;
      const own = k === 0 ? sample.hidden : sample.hidden.subarray(sample.prompt.ids.length * width);
      hidden.set(own, at);
      at += own.length;
    }
  }
  return hidden;
}
