/** What the system refuses for lack of it: memory, addresses, open files, processes. Errors of many kinds say so, each in its own way. */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { ColaError } from '../errors.ts';
import { limitErrors } from './limit-errors.ts';

const causes: readonly [RegExp, (cause: unknown) => ColaError][] = [
  [/\b(EMFILE|ENFILE)\b|too many open files/i, limitErrors.openFiles],
  [/WebAssembly.*(out of memory|could not allocate)/i, limitErrors.addresses],
  [/\bspawn\b.*\bEAGAIN\b|ERR_WORKER_INIT_FAILED/i, limitErrors.processes],
  [
    /\bENOMEM\b|cannot allocate memory|array buffer allocation failed|failed to map segment|std::bad_alloc/i,
    limitErrors.memory,
  ],
];

/**
 * The limit that is behind an error, if one is. An error of the catalogue keeps its own words, unless it is about files: those
 * give the system's reason, and a remedy for another.
 */
export function limitBehind(error: unknown): ColaError | undefined {
  if (error instanceof ColaError && error.id.startsWith('limits.')) return undefined;
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof ColaError) continue;
    const said = `${'code' in at ? at.code : ''} ${at.name} ${at.message.slice(0, 1000)}`;
    const known = causes.find(([pattern]) => pattern.test(said));
    if (known !== undefined) return known[1](error);
  }
  return undefined;
}

/** Whether so many more files can be opened now. */
export function canOpen(count: number): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync(devNull, 'r'));
    return true;
  } catch (error) {
    if (limitBehind(error) === undefined) throw error;
    return false;
  } finally {
    for (const file of opened) closeSync(file);
  }
}
