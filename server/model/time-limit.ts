/**
 * Runs code for a bounded time. Expressions of a model folder are matched by the same engine that runs this program, and one
 * such as `(a+)+$` takes years for forty characters; V8 looks for its interrupt while it backtracks, so the time limit of
 * node:vm reaches into the middle of a match, which nothing else on this thread could.
 */
import { createContext, Script } from 'node:vm';

const context = createContext({ run: undefined as (() => void) | undefined });
const script = new Script('run()');

/** The error comes from the other context, so it is no `Error` of this one. */
function isTimeout(cause: unknown): boolean {
  return (cause as { code?: unknown } | null | undefined)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

/** Attempts, of which each may take twice as long as the one before. */
const attempts = 5;

/**
 * What `run` returned, in an object, or `undefined` if it did not come to its end within `milliseconds`. Costs 0.1 ms.
 *
 * The clock goes on while a machine sleeps, or has a hundred other things to do, and nothing was computed meanwhile: then
 * `run` is tried again, and so should have no effect but what it returns.
 */
export function within<T>(milliseconds: number, run: () => T): { readonly value: T } | undefined {
  const before = process.cpuUsage();
  for (let attempt = 0; attempt < attempts; attempt++) {
    const result = once(milliseconds * 2 ** attempt, run);
    if (result !== undefined) return result;
    const { user, system } = process.cpuUsage(before);
    // Half, for others of this process's threads count as well, and the system counts in steps.
    if ((user + system) / 1000 > milliseconds / 2) return undefined;
  }
  return undefined;
}

function once<T>(milliseconds: number, run: () => T): { readonly value: T } | undefined {
  let result: { value: T } | undefined;
  context.run = () => {
    result = { value: run() };
  };
  try {
    script.runInContext(context, { timeout: milliseconds });
  } catch (cause) {
    if (!isTimeout(cause)) throw cause;
  } finally {
    context.run = undefined;
  }
  return result;
}
