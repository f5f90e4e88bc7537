/** What a run tells while it goes on, and what of it goes into its log. */
import type { Attempt } from '../../device/device.ts';
import type { Run } from '../../store/run.ts';
import { logText } from '../../store/run-log.ts';
import type { Metrics, Sample } from '../stage.ts';

export type TrainEvent =
  | { readonly kind: 'device'; readonly device: string; readonly attempts: readonly Attempt[] }
  | { readonly kind: 'message'; readonly text: string }
  | {
      readonly kind: 'stage';
      readonly index: number;
      readonly count: number;
      readonly name: string;
      readonly steps: number;
      readonly from: number;
      /** Number of the stage's step 0 in the run's files. */
      readonly before: number;
      readonly evaluateEvery: number;
    }
  | {
      readonly kind: 'step';
      readonly stage: string;
      readonly step: number;
      readonly steps: number;
      readonly seconds: number;
      readonly metrics: Metrics;
    }
  | {
      readonly kind: 'evaluation';
      readonly stage: string;
      readonly step: number;
      readonly metrics: Metrics;
      readonly best: boolean;
      /** How long it took. */
      readonly seconds: number;
    }
  | { readonly kind: 'samples'; readonly stage: string; readonly step: number; readonly samples: readonly Sample[] }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly stage: string }
  | { readonly kind: 'done'; readonly model: string };

/** Logs what is worth knowing later, too, and stands in no other file. */
export function noteEvent(run: Run, event: TrainEvent): void {
  if (event.kind === 'device') run.log(logText('device', event.device));
  else if (event.kind === 'message') run.log(logText('message', event.text));
  else if (event.kind === 'done') run.log(logText('done', event.model));
  else if (event.kind === 'stage') {
    const { index, count, name, from, steps } = event;
    run.log(logText('stage', `${index + 1} of ${count}, ${name}, from step ${from} of ${steps}`));
  }
}
