/** Runs whose process outlives the window that started it. Who follows one knows it by its files, and asks it to stop by another. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.ts';
import { limits, readTextIfThere } from '../files/open.ts';
import { isAbsent, needPlace } from '../files/place.ts';
import type { RunView } from './run.ts';

/** The argument under which an engine outlives who started it. */
export const outliveArgument = '--outlive';

const markName = 'outlives.json';
const wishName = 'stop';
const mark = z.strictObject({ pid: z.int().positive() });

/** Notes beside a run that the process which has its lock is one of its own. */
export function noteOutliving(path: string, pid: number): Promise<void> {
  return writeFileAtomic(join(path, markName), JSON.stringify({ pid } satisfies z.infer<typeof mark>));
}

/** Whether a run is under way in a process of its own on this computer. @throws store.cannotRead, files.* */
export function outlives({ path, holder }: Pick<RunView, 'path' | 'holder'>): boolean {
  if (holder === undefined || holder.pid === null) return false;
  const text = readTextIfThere(join(path, markName), limits.note);
  if (text === undefined) return false;
  try {
    return mark.safeParse(JSON.parse(text)).data?.pid === holder.pid;
  } catch {
    return false;
  }
}

/** Asks a run's process to save the run and end. */
export function askToStop(path: string): Promise<void> {
  return writeFileAtomic(join(path, wishName), '');
}

/** Whether somebody has asked a run to stop; asked again it says no. @throws files.link */
export function takeStopWish(path: string): boolean {
  const wish = join(path, wishName);
  needPlace(wish);
  try {
    rmSync(wish);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
