/** What a person wrote about a run: one line, with tags as `#words` in it. It changes nothing of the run. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../files/atomic.ts';
import { readTextIfThere } from '../files/open.ts';
import { isAbsent, needPlace } from '../files/place.ts';

const noteName = 'note.txt';
/** A line; what a run's folder of another origin has beyond that is no note. */
const mostBytes = 8192;

/** Empty where there is none. @throws store.cannotRead, files.* */
export function readNote(path: string): string {
  return (readTextIfThere(join(path, noteName), mostBytes) ?? '').trim();
}

/** An empty note takes it away. @throws store.cannotWrite, files.* */
export async function writeNote(path: string, note: string): Promise<void> {
  const file = join(path, noteName);
  const line = note.replaceAll(/\s+/g, ' ').trim();
  if (line !== '') return writeFileAtomic(file, `${line}\n`);
  needPlace(file);
  try {
    rmSync(file);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}
