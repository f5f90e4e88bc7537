/** What an engine is to be doing: the model that is loaded and the runs under way, so that a new engine can take over. */

import type { ReceivedOf } from '../../protocol/channel/request.ts';
import type { loadModel } from '../../protocol/model.ts';
import { type RunEvent, type RunKey, runId } from '../../protocol/runs.ts';

/** An engine that stops so often because of one thing is not given that thing again. */
export const patience = 5;

export interface RunWish {
  readonly key: RunKey;
  paused: boolean;
  /** Engines that stopped since its last step. */
  failures: number;
}

export class Wishes {
  model: ReceivedOf<typeof loadModel> | undefined;
  private readonly runsByName = new Map<string, RunWish>();

  get runs(): readonly RunWish[] {
    return [...this.runsByName.values()];
  }

  run(key: RunKey): RunWish | undefined {
    return this.runsByName.get(runId(key));
  }

  forget(key: RunKey): void {
    this.runsByName.delete(runId(key));
  }

  /** @returns whether the event shows that the run gets on */
  note({ root, run, event }: RunEvent): boolean {
    const wish = this.run({ root, run });
    if (event.kind === 'state') {
      if (event.state === 'running' && wish === undefined) {
        this.runsByName.set(runId({ root, run }), { key: { root, run }, paused: false, failures: 0 });
      } else if (wish !== undefined && (event.state === 'running' || event.state === 'paused')) {
        wish.paused = event.state === 'paused';
      } else if (event.state !== 'resuming') this.forget({ root, run });
      return false;
    }
    if (event.kind !== 'step') return false;
    if (wish !== undefined) wish.failures = 0;
    return true;
  }
}
