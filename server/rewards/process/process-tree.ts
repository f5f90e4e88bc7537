/** Ending a process together with everything it has started. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Environment variable that marks a helper and, by inheritance, what it starts, wherever that has moved since. */
export const markName = 'COLA_HELPER';

/** A process that starts others while it is looked for is found in one of the next rounds. */
const rounds = 8;

interface Entry {
  pid: number;
  parent: number;
  group: number;
}

function processes(): Entry[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return [];
      try {
        // "pid (command) state parent group ...", where the command may hold anything, brackets too.
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const [state, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent), group: Number(group) }];
      } catch {
        return []; // it has ended since
      }
    });
  }
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,pgid='], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [pid, parent, group] = line.trim().split(/\s+/).map(Number);
    return pid && group !== undefined && parent !== undefined ? [{ pid, parent, group }] : [];
  });
}

function isMarked(pid: number, mark: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${markName}=${mark}`);
  } catch {
    return false; // somebody else's process, or one that has ended
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended since.
  }
}

/** The processes that descend from `root`, belong to its group or carry the mark; not this one. */
function members(root: number, mark: string): number[] {
  const all = processes();
  const found = new Set([root]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent, group } of all) if (group === root || found.has(parent)) found.add(pid);
  }
  for (const { pid } of all) if (!found.has(pid) && isMarked(pid, mark)) found.add(pid);
  const running = new Set(all.map(({ pid }) => pid));
  return [...found].filter((pid) => pid !== process.pid && running.has(pid));
}

/**
 * Kills `root`, which leads a process group, and all that it started: its group, its descendants, and on Linux also
 * processes that left both but inherited the mark. On Windows the tree as `taskkill` sees it, which needs `root` to be alive: of one
 * that has ended by itself, Windows ends what node started for it and did not detach (see docs/security.md). This process is spared.
 */
export function endTree(root: number, mark: string): void {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/PID', String(root), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
    return;
  }
  for (let round = 0; round < rounds; round += 1) {
    const found = members(root, mark);
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}
