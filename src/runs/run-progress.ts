/** Where a run stands, followed from its events. Knows nothing of the editor. */

import { lossName, trendOf } from '../../server/protocol/figures/trend.ts';
import type { RunState, WireTrainEvent } from '../../server/protocol/runs.ts';

export interface RunProgress {
  readonly state: RunState;
  readonly stage: string | null;
  /** Stage from 0, and how many there are. */
  readonly index: number;
  readonly count: number;
  readonly step: number;
  readonly steps: number;
  /** The latest rewards or, in stages without, losses; newest last. */
  readonly values: readonly number[];
  readonly measure: 'reward' | 'loss' | null;
  readonly device: string | null;
  /** Devices that were tried before, and why they were not taken. */
  readonly attempts: readonly { readonly name: string; readonly reason?: string | undefined }[];
  readonly message: string | null;
}

/** Values that a trend is read from. */
const window = 40;

export const unknownProgress: RunProgress = {
  state: 'running',
  stage: null,
  index: 0,
  count: 1,
  step: 0,
  steps: 0,
  values: [],
  measure: null,
  device: null,
  attempts: [],
  message: null,
};

/** The progress after an event. */
export function follow(progress: RunProgress, event: WireTrainEvent): RunProgress {
  switch (event.kind) {
    case 'device':
      return { ...progress, device: event.device, attempts: event.attempts };
    case 'message':
      return { ...progress, message: event.text };
    case 'stage': {
      const { name: stage, index, count, steps, from: step } = event;
      return { ...progress, stage, index, count, steps, step, values: [], measure: null };
    }
    case 'step': {
      const { stage, step, steps, metrics } = event;
      const measure = typeof metrics.reward === 'number' ? 'reward' : 'loss';
      const value = metrics[measure];
      const kept = measure === progress.measure ? progress.values : [];
      const values = typeof value === 'number' ? [...kept, value].slice(-window) : kept;
      return { ...progress, stage, step, steps, values, measure: values.length > 0 ? measure : null };
    }
    case 'state':
      return { ...progress, state: event.state, message: event.message ?? progress.message };
    case 'evaluation':
    case 'samples':
    case 'checkpoint':
    case 'done':
      return progress;
  }
}

/** Where the values go, as the charts judge it; null where there are too few to tell. */
export function directionOf(values: readonly number[]): keyof typeof arrows | null {
  const { change } = trendOf(values);
  return change === 'unknown' ? null : directions[change];
}

const directions = { rises: 'up', falls: 'down', none: 'level' } as const;

export const arrows = { up: '↑', down: '↓', level: '→' } as const;

export const underWay = (state: RunState): boolean => state === 'running' || state === 'paused' || state === 'resuming';

/** What the values are called. */
export const shownMeasure = (measure: 'reward' | 'loss', values: readonly number[]): string =>
  measure === 'loss' ? lossName(values) : measure;
