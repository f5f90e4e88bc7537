/** The program of a worker, and what tells two versions of it apart. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Among the sources a file of this folder, in a bundle one beside the others. */
const source = import.meta.url.endsWith('.ts');
export const workerProgram = fileURLToPath(new URL(source ? './worker.ts' : './worker.js', import.meta.url));

/** What node is told before the program. */
export const workerArguments = (program = workerProgram): string[] =>
  program.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];

export interface Identity {
  readonly version: string;
  readonly code: string;
}

/** @param program of a worker; that of this process's package, if not given */
export function identityOf(program = workerProgram): Identity {
  return {
    version: versionOf(dirname(program)),
    code: createHash('sha256').update(readFileSync(program)).digest('hex').slice(0, 16),
  };
}

function versionOf(start: string): string {
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) return String((JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown }).version);
  }
  return 'unknown';
}
