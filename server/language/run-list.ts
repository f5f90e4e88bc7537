/** The runs on disk, with what is known of those under way. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ResultOf } from '../protocol/request.ts';
import type { listRuns as listRunsRequest, RunEvent, RunKey, RunState } from '../protocol/runs.ts';
import { listRuns } from '../store/run.ts';

type Listed = ResultOf<typeof listRunsRequest>['runs'][number];

const nameOf = ({ root, run }: RunKey) => `${root}\0${run}`;

export class RunList {
  private readonly states = new Map<string, RunState>();

  note({ root, run, event }: RunEvent): void {
    if (event.kind === 'state') this.states.set(nameOf({ root, run }), event.state);
  }

  /** Whether a run is under way. */
  get busy(): boolean {
    return [...this.states.values()].some((state) => state === 'running' || state === 'resuming');
  }

  /** @throws store.cannotRead */
  list(roots: readonly string[]): Listed[] {
    return roots.flatMap((root) =>
      listRuns(root).map((view) => {
        const { id: run, path } = view;
        const done = existsSync(join(path, 'model', 'config.json'));
        const state = this.states.get(nameOf({ root, run })) ?? (done ? 'done' : 'stopped');
        return { root, run, path, state, checkpoint: view.latestCheckpoint()?.step ?? null, done };
      }),
    );
  }
}
