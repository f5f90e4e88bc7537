/** Ending a process together with everything it has started. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Environment variable that marks a helper and, by inheritance, what it starts, wherever that has moved since. */
export const markName = 'COLA_HELPER';

/** A process that starts others while it is looked for is found in one of the next rounds. */
const rounds = 8;

/**
 * A helper as its descendants may be known by, wherever they have moved. On Linux a process hands on what parts of memory it would
 * have in a core dump (core(5)): through fork and exec, in an environment of its own too, and to one whose parents have ended.
 */
export interface Mark {
  /** In the environment, under {@link markName}. */
  readonly name: string;
  /** In /proc/PID/coredump_filter; undefined where there is none. */
  readonly filter?: number;
  /** When the helper began, as the system counts it; what was there before is none of its descendants. */
  readonly since?: number;
}

const filterOf = (pid: number | 'self'): number =>
  Number(readFileSync(`/proc/${pid}/coredump_filter`, 'latin1').trim().replace(/^/, '0x'));

/** Nine bits that nobody has here by chance: not those of this process, nor the usual ones. */
const filters = Array.from({ length: 511 }, (_, i) => i + 1).filter(
  (bits) => ![0x23, 0x33, 0x7f, 0xff, 0x1ff].includes(bits),
);
let last = Math.floor(Math.random() * filters.length);

/** Those of all processes that can be seen. */
function filtersInUse(): ReadonlySet<number> {
  const found = new Set<number>();
  if (process.platform !== 'linux') return found;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      found.add(filterOf(Number(pid)));
    } catch {
      // Somebody else's process, or one that has ended since.
    }
  }
  return found;
}

/**
 * A name for a helper that is going to be started, with {@link markName} in its environment. Its bits are nobody's, as whoever has
 * those of another helper, of this program in another window say, would end with it.
 */
export function newMarkName(): string {
  const taken = filtersInUse();
  for (let tries = 0; tries < filters.length; tries++) {
    last = (last + 1) % filters.length;
    if (!taken.has(filters[last])) break;
  }
  return `${randomUUID()}:${filters[last]}`;
}

/** Marks a process that has just been started, or finds the mark that this one was given. */
export function markOf(name: string, pid: number | undefined, kind: 'new' | 'own'): Mark {
  const filter = Number(name.split(':')[1]);
  if (process.platform !== 'linux' || pid === undefined || !filters.includes(filter)) return { name };
  try {
    if (kind === 'new' && filterOf('self') === filter) return { name };
    if (kind === 'new') writeFileSync(`/proc/${pid}/coredump_filter`, `0x${filter.toString(16)}`);
    // Where it was not taken, everybody might have what is there.
    return filterOf(pid) === filter ? { name, filter, since: statOf(pid).since } : { name };
  } catch {
    // A system without it: what left the group and the environment is not found there.
    return { name };
  }
}

interface Entry {
  pid: number;
  parent: number;
  group: number;
  since?: number;
}

/** "pid (command) state parent group ... start ...", where the command may hold anything, brackets too. */
function statOf(pid: number): Entry & { readonly state: string; readonly since: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, state: fields[0], parent: Number(fields[1]), group: Number(fields[2]), since: Number(fields[19]) };
}

function processes(): Entry[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return [];
      try {
        const { state, ...entry } = statOf(Number(name));
        return state === 'Z' ? [] : [entry];
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

function isMarked({ pid, since = 0 }: Entry, mark: Mark): boolean {
  if (process.platform !== 'linux') return false;
  try {
    if (readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${markName}=${mark.name}`)) return true;
    if (mark.filter === undefined || mark.since === undefined || since < mark.since) return false;
    return filterOf(pid) === mark.filter;
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

/** The processes that descend from `root`, belong to its group or carry its mark; not this one. */
function members(root: number, mark: Mark): number[] {
  const all = processes();
  const found = new Set([root]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent, group } of all) if (group === root || found.has(parent)) found.add(pid);
  }
  for (const entry of all) if (!found.has(entry.pid) && isMarked(entry, mark)) found.add(entry.pid);
  const running = new Set(all.map(({ pid }) => pid));
  return [...found].filter((pid) => pid !== process.pid && running.has(pid));
}

/**
 * Kills `root`, which leads a process group, and all that it started: its group, its descendants, and on Linux also
 * processes that left both, by its mark. On Windows the tree as `taskkill` sees it, which needs `root` to be alive: of one
 * that has ended by itself, Windows ends what node started for it and did not detach (see docs/security.md). This process is spared.
 */
export function endTree(root: number, mark: Mark): void {
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
