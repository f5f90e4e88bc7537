/** Which samples of a run are shown, and in which order. */
import type { RunSample } from '../../server/protocol/history.ts';

export type SampleOrder = 'newest' | 'oldest' | 'best' | 'worst' | 'longest' | 'shortest';
export type SampleKind = 'all' | 'rewarded' | 'unrewarded' | 'unscored';

export interface SampleWish {
  readonly order: SampleOrder;
  readonly kind: SampleKind;
  /** Text of prompt or completion; `#17` finds what action 17 had a part in. */
  readonly text: string;
}

export const everySample: SampleWish = { order: 'newest', kind: 'all', text: '' };

export const lengthOf = ({ tokens, actions }: RunSample) => tokens ?? actions.length;

const kinds: Record<SampleKind, (sample: RunSample) => boolean> = {
  all: () => true,
  rewarded: ({ reward }) => (reward ?? 0) > 0,
  unrewarded: ({ reward, noScore }) => noScore === undefined && (reward ?? 0) <= 0,
  unscored: ({ noScore }) => noScore !== undefined,
};

const rank = ({ reward }: RunSample) => reward ?? Number.NEGATIVE_INFINITY;

const orders: Record<SampleOrder, (a: RunSample, b: RunSample) => number> = {
  newest: (a, b) => b.step - a.step,
  oldest: (a, b) => a.step - b.step,
  best: (a, b) => compare(rank(b), rank(a)),
  worst: (a, b) => compare(rank(a), rank(b)),
  longest: (a, b) => lengthOf(b) - lengthOf(a),
  shortest: (a, b) => lengthOf(a) - lengthOf(b),
};

/** Also of infinities, whose difference is no number. */
const compare = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0);

/** The samples that are wanted, in order; of equal ones the newest first. */
export function chosenSamples(samples: readonly RunSample[], { order, kind, text }: SampleWish): RunSample[] {
  const wanted = text.trim().toLowerCase();
  const action = /^#(\d+)$/.exec(wanted)?.[1];
  const matches = (sample: RunSample) => {
    if (!kinds[kind](sample)) return false;
    if (action !== undefined) return sample.actions.includes(Number(action));
    return wanted === '' || `${sample.prompt}\n${sample.completion}`.toLowerCase().includes(wanted);
  };
  const found = samples.filter(matches);
  if (order !== 'oldest') found.reverse();
  return found.sort(orders[order]);
}
