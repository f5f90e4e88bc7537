/** What the system refuses for lack of it: memory, addresses, open files, processes. Errors of many kinds say so, each in its own way. */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { ColaError, catalogue } from '../errors.ts';

export const limitErrors = catalogue('limits', {
  memory: (cause: unknown) => [
    'There is not enough memory for this.',
    'Close other programs, or use a smaller batch or shorter sequences: `cola fit` says what each part of a run takes.',
    cause,
  ],
  addresses: (cause: unknown) => [
    'The system lets this program have too few addresses of memory for WebAssembly.',
    'Lift the limit with `ulimit -v unlimited`, or ask for less: `export NODE_OPTIONS=--disable-wasm-trap-handler`.',
    cause,
  ],
  openFiles: (cause: unknown) => [
    'The system lets this program have no more files open.',
    'Allow more in the shell that starts it, for example with `ulimit -n 1024`.',
    cause,
  ],
  processes: (cause: unknown) => [
    'The system lets no more processes be started.',
    'Close other programs, or allow more with `ulimit -u`.',
    cause,
  ],
});

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
