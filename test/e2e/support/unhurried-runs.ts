/** Runs whose end nobody waits for, beside each other, as their folders tell of them. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import type { Session } from './session.ts';
import { writeForRuns } from './small-model.ts';
import { reinforceSpec } from './spec.ts';

/** Steps that each of them has before it. */
const steps = 5000;

/** @param session its folder gets the model of the runs */
export function unhurriedRuns(session: Session) {
  writeForRuns(session);
  /** Text of a file of a run, null where there is none. */
  const read = (run: string, name: string) => {
    const file = join(session.folder, '.cola/runs', run, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  };
  const lines = (run: string): number => read(run, 'metrics.jsonl')?.split('\n').length ?? 0;
  const goesOn = (run: string, before = lines(run)): Promise<void> =>
    eventually(`${run} goes on`, () => assert.ok(lines(run) > before + 3), 120);
  return {
    /** Waits for a few more steps. */
    goesOn,
    /** Starts one by its spec, which is then open, and waits for its first steps. */
    async start(run: string): Promise<void> {
      const lengths = { steps, maxNew: 4, evaluateEvery: steps, checkpointEvery: 5 };
      session.write(`${run}.cola.yaml`, reinforceSpec({ ...lengths, slowly: true }));
      await session.workbench.openFile(`${run}.cola.yaml`);
      await session.workbench.command('CoLA: Run Spec');
      await goesOn(run, 0);
    },
    /** Id of the process that holds it, null where none does. */
    holder(run: string): number | null {
      const lock = read(run, 'lock');
      return lock === null ? null : (JSON.parse(lock) as { pid: number }).pid;
    },
  };
}
