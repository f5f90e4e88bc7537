import type { ChildProcess } from 'node:child_process';
import { endTree, markName, markOf, newMarkName } from './process-tree.ts';

/** Processes that this one starts and ends, together with all that they start. */

/** What programs need to find others, their home and a folder for scratch files; nothing else of the environment. */
const passedOn = 'PATH HOME USERPROFILE LANG TZ SystemRoot TEMP TMP TMPDIR ELECTRON_RUN_AS_NODE'.split(' ');

export interface OwnedProcess {
  readonly child: ChildProcess;
  /** Ends the process and all that it started. */
  end(): void;
}

/** How it is to be started, so that it can be ended with what it starts. */
export interface OwnedOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly detached: boolean;
}

const live = new Set<OwnedProcess>();
process.on('exit', () => {
  for (const { end } of live) end();
});

/**
 * Starts a process. It ends with this one, and what it leaves behind when it ends by itself ends then.
 *
 * @param names variables of this process's environment that it sees beside the few that every program needs
 */
export function startOwned(names: readonly string[], start: (options: OwnedOptions) => ChildProcess): OwnedProcess {
  const name = newMarkName();
  const env: NodeJS.ProcessEnv = { [markName]: name };
  for (const each of [...passedOn, ...names]) {
    if (process.env[each] !== undefined) env[each] = process.env[each];
  }
  // It leads a group of its own, so that what it starts can be ended with it.
  const child = start({ env, detached: process.platform !== 'win32' });
  const mark = markOf(name, child.pid, 'new');
  const owned: OwnedProcess = {
    child,
    end: () => {
      const ended = child.exitCode !== null || child.signalCode !== null;
      // The tree first, while it hangs together. On Windows one that has ended leads nowhere, and its number may be another's.
      if (child.pid !== undefined && !(ended && process.platform === 'win32')) endTree(child.pid, mark);
      child.kill('SIGKILL');
    },
  };
  live.add(owned);
  child.once('exit', () => {
    live.delete(owned);
    // One that ended by itself may leave others behind.
    owned.end();
  });
  // One that could not be started has no exit.
  child.once('error', () => {
    if (child.pid === undefined) live.delete(owned);
  });
  return owned;
}
