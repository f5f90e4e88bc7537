/** Processes of the extension under test, found by what they run. Linux only, as the tests in VS Code are. */
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the processes that run a script, the whole path of it. */
export function processesOf(script: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(script);
      } catch {
        // It has ended meanwhile.
        return false;
      }
    })
    .map(Number);
}
