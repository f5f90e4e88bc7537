/**
 * A lock file that admits one process. It names its holder, so a lock left by a process that died is taken over, and
 * a living holder can be named to the person who is refused.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, renameSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { z } from 'zod';
import { temporaryName } from '../files/atomic.ts';
import { createFile, limits, piecesOf, readTextIfThere } from '../files/open.ts';
import { needPlace, readable } from '../files/place.ts';
import { storeErrors as errors } from './errors.ts';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  /** Tells the process from a later one of the same number; null where the system does not say. */
  started: z.string().nullable(),
  host: z.string(),
  token: z.string(),
});

type Holder = z.infer<typeof holderSchema>;

/** Contents of the locks that this process holds. A lock of its own that was moved away is none of them once it is released. */
const own = new Set<string>();

/** A lock that this process holds until it is released. */
export class Lock {
  private constructor(
    readonly path: string,
    private readonly content: string,
  ) {}

  /**
   * Takes a lock, also from a holder that is dead.
   *
   * @param path the lock file
   * @throws ColaError store.locked naming the process that holds it; store.cannotWrite, files.*
   */
  static acquire(path: string): Lock {
    const holder = { pid: process.pid, started: startOf(process.pid), host: hostname(), token: random() };
    const content = JSON.stringify(holder satisfies Holder);
    try {
      needPlace(path);
      while (!create(path, content)) {
        const found = readContent(path);
        if (found === null) continue;
        refuseIfAlive(path, found);
        // Of all who find the same dead holder one may replace it: the one that holds the lock of the lock.
        const guard = Lock.acquire(`${path}.next`);
        try {
          if (readContent(path) === found) {
            replace(path, content);
            break;
          }
        } finally {
          guard.release();
        }
      }
    } catch (error) {
      throw error instanceof Error && 'syscall' in error ? errors.cannotWrite(path, error) : error;
    }
    own.add(content);
    return new Lock(path, content);
  }

  /**
   * The living process that holds a lock: its number, or null on another computer; undefined where nobody does.
   *
   * @throws ColaError store.cannotRead, files.*
   */
  static holder(path: string): { readonly pid: number | null } | undefined {
    let content: string | null;
    try {
      content = readContent(path);
    } catch (error) {
      throw readable(error, (cause) => errors.cannotRead(path, cause));
    }
    const holder = content === null ? null : parseHolder(content);
    if (holder === null) return undefined;
    if (holder.host !== hostname()) return { pid: null };
    return isAlive(holder) ? { pid: holder.pid } : undefined;
  }

  /** Whether the file still says that this process has it. */
  get held(): boolean {
    return readContent(this.path) === this.content;
  }

  /** Gives the lock back, unless it is not this one's any more. */
  release(): void {
    own.delete(this.content);
    try {
      if (this.held) rmSync(this.path, { force: true });
    } catch {
      // On a broken disk it stays, and is nobody's once this process has ended. What was done under it counts, and what ended it.
    }
  }
}

/** Makes the lock file with its content in one step; false if there is one. */
function create(path: string, content: string): boolean {
  const temporary = temporaryName(path);
  try {
    createFile(temporary, content);
    try {
      linkSync(temporary, path);
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false;
      // Swept away by the holder, which cleans its folder.
      if (isCode(error, 'ENOENT')) return false;
      // Some file systems have no links; there, others may see the lock for a moment without its content.
      try {
        createFile(path, content);
      } catch (second) {
        if (isCode(second, 'EEXIST')) return false;
        throw second;
      }
    }
    return true;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function replace(path: string, content: string): void {
  const temporary = temporaryName(path);
  createFile(temporary, content);
  renameSync(temporary, path);
}

function readContent(path: string): string | null {
  return readTextIfThere(path, limits.note) ?? null;
}

function refuseIfAlive(path: string, content: string): void {
  const holder = parseHolder(content);
  if (holder === null) return;
  const place = dirname(path);
  // Processes of another computer cannot be looked at, so they count as living.
  if (holder.host !== hostname()) throw errors.locked(place, holder.pid, holder.host);
  if (holder.pid === process.pid && holder.started === startOf(process.pid) && !own.has(content)) return;
  if (isAlive(holder)) throw errors.locked(place, holder.pid, null);
}

function parseHolder(content: string): Holder | null {
  try {
    return holderSchema.safeParse(JSON.parse(content)).data ?? null;
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // Without permission to signal it, it is there.
    return isCode(error, 'EPERM');
  }
  if (process.platform !== 'linux') return true;
  const started = startOf(holder.pid);
  return started !== null && (holder.started === null || started === holder.started);
}

/**
 * When a living process began, in clock ticks since a boot that is named too. null if it is dead, also as a zombie
 * that its parent has not taken note of, or where there is no /proc.
 */
function startOf(pid: number): string | null {
  try {
    const stat = processFile(`${pid}/stat`);
    // The second field is the program's name in brackets and may hold blanks and brackets itself; see proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    const ticks = fields[19];
    if (state === 'Z' || state === 'X' || ticks === undefined) return null;
    return `${processFile('sys/kernel/random/boot_id').trim()}:${ticks}`;
  } catch {
    return null;
  }
}

/** What the kernel says of itself, which has no length before it is read. */
function processFile(name: string): string {
  return Buffer.concat([...piecesOf(`/proc/${name}`)]).toString('utf8');
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function random(): string {
  return randomBytes(8).toString('hex');
}
