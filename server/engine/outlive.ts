/** An engine that goes on when whoever started it is gone: it ends with its runs, or when a file asks for it. */

import { takeStopWish } from '../store/outliving.ts';
import { runFolder } from '../store/run.ts';
import type { Engine } from './engine.ts';

/** Milliseconds between looks. */
const often = 500;

/** @param close saves and ends the process */
export function outlive(engine: Engine, close: () => Promise<void>): void {
  let left = false;
  process.on('disconnect', () => {
    left = true;
  });
  setInterval(() => {
    const runs = engine.underWay;
    for (const key of runs) {
      try {
        // What comes of it stands in the run's log.
        if (takeStopWish(runFolder(key.root, key.run))) engine.stopRun(key).catch(() => {});
      } catch {
        // A folder that is gone or was made a link has no wishes; the run itself says what is wrong with it.
      }
    }
    if (left && runs.length === 0) void close();
  }, often);
}
