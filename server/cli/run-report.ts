/** A run on the terminal. */
import type { TrainEvent } from '../train/run/job.ts';
import type { Output } from './io.ts';
import type { Progress } from './progress.ts';

/** Shows a run as it goes. */
export class RunReport {
  private progress: Progress | undefined;

  constructor(private readonly output: Output) {}

  show(event: TrainEvent): void {
    switch (event.kind) {
      case 'device':
        this.output.note(`Device: ${event.device}`);
        break;
      case 'message':
        this.output.note(event.text);
        break;
      case 'stage':
        this.progress = this.output.startProgress(`${event.index + 1}/${event.count} ${event.name}`, event.steps);
        break;
      case 'step':
        this.progress?.update(event.step, figures(event.metrics));
        break;
      case 'evaluation':
        this.output.line(`${event.stage} ${event.step}: ${figures(event.metrics)}${event.best ? ' (best)' : ''}`);
        break;
      case 'samples':
      case 'checkpoint':
        // In the run's files, for those who want them.
        break;
      case 'done':
        this.output.endProgress();
        this.output.line(`Model: ${event.model}`);
        break;
    }
  }
}

/** The single numbers among metrics, shortly. */
function figures(metrics: Readonly<Record<string, unknown>>): string {
  return Object.entries(metrics)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toPrecision(4)}`)
    .join(', ');
}
