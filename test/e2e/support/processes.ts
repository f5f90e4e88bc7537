/** Processes of the extension under test, found by what they run. Linux only, as the tests in VS Code are. */
import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process, or one that it was started by, is `ancestor`. */
function descends(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; ) {
    if (at === ancestor) return true;
    // The name, in brackets, may hold anything; behind it are state and parent.
    const [, parent] = readFileSync(`/proc/${at}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    at = Number(parent);
  }
  return false;
}

/** Ids of the processes with such an argument, as the whole path of their script: all of them, or those that `ancestor` has started. */
export function processesOf(argument: string, ancestor?: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const runs = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(argument);
        return runs && (ancestor === undefined || descends(Number(name), ancestor));
      } catch {
        // It has ended meanwhile.
        return false;
      }
    })
    .map(Number);
}
