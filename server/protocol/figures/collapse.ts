/** Whether a figure of a run has fallen to a small part of what it was at first: the same judgement for notices and findings. */
import { fewest } from './trend.ts';

export interface Collapse {
  readonly first: number;
  readonly now: number;
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

/** Steps at the beginning and at the end that are compared. */
const beginning = 3;
const recent = 5;

/**
 * @param part the share of the beginning that is too little
 * @param least what the beginning has to be above: what was next to nothing cannot collapse
 * @returns undefined where it has not, or too few values are there to tell
 */
export function collapseOf(values: readonly number[], part: number, least: number): Collapse | undefined {
  if (values.length < fewest) return undefined;
  const first = mean(values.slice(0, beginning));
  const now = mean(values.slice(-recent));
  return first > least && now < part * first ? { first, now } : undefined;
}

/** In nats: a policy of so little entropy was certain from the beginning. */
export const collapsedEntropy = (values: readonly number[]): Collapse | undefined => collapseOf(values, 0.1, 0.05);
