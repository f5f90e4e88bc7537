/**
 * Files and folders that exist completely or not at all. Everything is written under a temporary name beside the
 * target, forced to the disk, and renamed; so neither a kill nor a power cut leaves half a file under the final name.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { diskErrors } from './errors.ts';
import { needPlace } from './place.ts';

const TEMPORARY = /\.tmp-[0-9a-f]{12}$/;
const REPLACED = /^(.+)\.old-[0-9a-f]{12}$/;

/**
 * Writes a file so that readers see the old content or the new one.
 *
 * @param path target; replaced if it is there
 * @param write fills the temporary file through its handle
 * @throws ColaError store.cannotWrite, files.*; the target is then unchanged. Errors of `write` that are ColaErrors pass through
 */
export async function writeAtomically(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  try {
    needPlace(path);
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await discard(temporary);
    throw cannotWrite(path, error);
  }
}

/** {@link writeAtomically} for content that is at hand; text is UTF-8. */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  await writeAtomically(path, (handle) => handle.writeFile(content));
}

/**
 * Makes a folder that appears with all its content or not at all. Where a folder of that name may be replaced and the
 * process dies while it is, {@link recoverFolder} finds one of the two.
 *
 * @param path target folder
 * @param fill writes into the temporary folder it is given; what it leaves there is forced to the disk
 * @param options `replace` false: whatever has the name already stays, and the error's cause is a system error
 * @throws ColaError store.cannotWrite; the target is then unchanged
 */
export async function writeFolderAtomic(
  path: string,
  fill: (temporary: string) => Promise<void>,
  options: { readonly replace: boolean },
): Promise<void> {
  const temporary = temporaryName(path);
  let replaced: string | null = null;
  try {
    needPlace(path);
    await mkdir(temporary);
    await fill(temporary);
    await syncAll(temporary);
    if (options.replace && (await exists(path))) {
      const aside = `${path}.old-${random()}`;
      await rename(path, aside);
      replaced = aside;
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
    if (replaced !== null) await rm(replaced, { recursive: true, force: true });
  } catch (error) {
    if (replaced !== null && !(await exists(path))) await rename(replaced, path).catch(() => undefined);
    await discard(temporary);
    throw cannotWrite(path, error);
  }
}

/** Deletes a folder so that no reader meets half of it: it loses its name first. */
export async function removeFolder(path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    // A link goes alone: what it leads to stays.
    needPlace(dirname(path));
    await rename(path, temporary);
    await rm(temporary, { recursive: true, force: true });
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/**
 * Cleans a folder after a crash: temporary files and folders go, and what was being replaced comes back unless its
 * replacement is there. Only for the one process that may write to the folder.
 *
 * @param olderThanMs leaves younger temporaries alone, for folders that others may be writing to
 */
export async function recoverFolder(folder: string, olderThanMs = 0): Promise<void> {
  try {
    needPlace(folder);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const target = REPLACED.exec(name)?.[1];
      if (target !== undefined) {
        if (await exists(join(folder, target))) await rm(path, { recursive: true, force: true });
        else await rename(path, join(folder, target));
      } else if (TEMPORARY.test(name) && (await isOlder(path, olderThanMs))) {
        await rm(path, { recursive: true, force: true });
      }
    }
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

/** Whether a name is one that only a process at work, or one that was killed, has left. */
export function isLeftover(name: string): boolean {
  return TEMPORARY.test(name) || REPLACED.test(name);
}

/** A name beside `path` that {@link recoverFolder} knows as temporary. */
export function temporaryName(path: string): string {
  return `${path}.tmp-${random()}`;
}

/** Forces the names in a folder to the disk. Windows cannot open folders and needs no such step. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Forces the files of a folder, and of those in it, to the disk, and their names. */
async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncAll(path);
    else if (entry.isFile()) await syncFile(path);
  }
  await syncFolder(folder);
}

async function syncFile(path: string): Promise<void> {
  // Windows flushes only what is open for writing.
  const handle = await open(path, process.platform === 'win32' ? 'r+' : 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether there is a file or folder of that name. */
export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

async function isOlder(path: string, ms: number): Promise<boolean> {
  if (ms === 0) return true;
  const info = await stat(path).catch(() => null);
  return info !== null && Date.now() - info.mtimeMs > ms;
}

function random(): string {
  return randomBytes(6).toString('hex');
}

/** A second failure while cleaning up must not hide the first. */
async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** Work that writes at a path, whose failures are told as those of writing there are. @throws store.cannotWrite */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Only failures of the file system are the user's concern; anything else passes through as it is. */
function cannotWrite(path: string, error: unknown): unknown {
  return error instanceof Error && 'syscall' in error ? diskErrors.cannotWrite(path, error) : error;
}
