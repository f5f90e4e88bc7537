/** Some lessons as the inputs of one run: rows padded to one length, their decisions gathered into one list. */

import type { ColaConfig } from '../../cola/config.ts';
import { headLogits, headTrunk } from '../../cola/modules.ts';
import type { Graph, Tensor } from '../../graph/tensor.ts';
import { hiddenStates } from '../../model/base.ts';
import { rowsOf } from '../../model/block.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import { sharedContext, sharedFeeds } from '../shared-prefix.ts';
import type { Lesson } from './lessons.ts';

/** Lengths and lists are rounded up to these, so that few programs are compiled. */
const lengthStep = 16;
const decisionStep = 32;

const roundUp = (n: number, step: number) => Math.max(1, Math.ceil(n / step)) * step;

/** Sizes of a run: B rows of S tokens with D decisions. */
export interface BatchShape {
  readonly rows: number;
  readonly length: number;
  readonly decisions: number;
}

export const keyOf = ({ rows, length, decisions }: BatchShape): string => `${rows} ${length} ${decisions}`;

export function shapeOf(lessons: readonly Lesson[], rows: number): BatchShape {
  return {
    rows,
    length: roundUp(Math.max(...lessons.map(({ row }) => row.ids.length)), lengthStep),
    decisions: roundUp(
      lessons.reduce((n, { decisions }) => n + decisions.length, 0),
      decisionStep,
    ),
  };
}

/** The shape of rows of so many tokens where all alternatives of a moment are judged, behind a start of `start` tokens. */
export function fullShape(rows: number, length: number, start: number, anchors: number): BatchShape {
  const each = Math.min(anchors, start) + Math.max(0, length - start) + 1;
  return { rows, length: roundUp(length, lengthStep), decisions: roundUp(rows * each, decisionStep) };
}

/** Lessons of similar length together, so that little is padding. The order within a length is that of the log. */
export function batchesOf(lessons: readonly Lesson[], rows: number): Lesson[][] {
  const ordered = [...lessons].sort((a, b) => bucket(a) - bucket(b));
  return Array.from({ length: Math.ceil(ordered.length / rows) }, (_, i) => ordered.slice(i * rows, (i + 1) * rows));
}

const bucket = ({ row }: Lesson) => roundUp(row.ids.length, lengthStep);

/** h of all rows, `[B,S,d]`. Inputs: `ids`, `positions`, `attended`. */
export function baseStates(graph: Graph, config: ModelConfig, { rows, length }: BatchShape): Tensor {
  const ids = graph.input('ids', 'int32', [rows, length]);
  return hiddenStates(graph, config, ids, sharedContext(graph, config, rows, length)).h;
}

/** The policy's logits at the decisions, `[D,N]`. Inputs: `hidden`, `positions`, `attended`, `places`. */
export function decisionLogits(
  graph: Graph,
  config: ModelConfig,
  cola: ColaConfig,
  { rows, length, decisions }: BatchShape,
): Tensor {
  const h = graph.input('hidden', 'float32', [rows, length, config.hiddenSize]);
  const { trunk } = headTrunk(graph, config, cola, 'policy', h, sharedContext(graph, config, rows, length));
  const places = graph.input('places', 'int32', [decisions]);
  return headLogits(graph, config, cola, 'policy', rowsOf(trunk, places));
}

/** Feeds of {@link baseStates}. */
export function tokenFeeds(lessons: readonly Lesson[], { rows, length }: BatchShape) {
  return sharedFeeds(
    lessons.map(({ row }) => row),
    rows,
    length,
  );
}

/**
 * Feeds of {@link decisionLogits}.
 *
 * @param states h of each lesson's row `[S,d]`
 */
export function stateFeeds(
  lessons: readonly Lesson[],
  shape: BatchShape,
  states: (lesson: Lesson) => Float32Array,
  width: number,
) {
  const { ids: _, ...attention } = tokenFeeds(lessons, shape);
  const hidden = new Float32Array(shape.rows * shape.length * width);
  const places = new Int32Array(shape.decisions);
  let at = 0;
  for (const [b, lesson] of lessons.entries()) {
    const own = states(lesson);
    hidden.set(own, b * shape.length * width);
    // Padding is a state like any other. Left at 0 it would be what masked scores let through, 1e-22, and SwiGLU's product of
    // two such numbers is denormal: an update took ten times as long.
    for (let t = own.length / width; t < shape.length; t++) {
      hidden.set(own.subarray(0, width), (b * shape.length + t) * width);
    }
    for (const { position } of lesson.decisions) places[at++] = b * shape.length + position;
  }
  return { ...attention, hidden, places };
}
