/** Programs as they are bundled for tests, which are not those in dist: what is built for a person may be older than the sources. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundlePrograms, type TestProgram } from '../../scripts/tests/programs.mjs';

let folder = process.env.COLA_TEST_PROGRAMS;

/** Of this process alone, where `npm test` has made none for all. */
function makeFolder(): string {
  const made = bundlePrograms(`programs-${process.pid}`);
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Whether what is run is written down by V8: what bundled programs do is no part of that, as they are no files of the sources. */
export const covered = process.env.NODE_V8_COVERAGE !== undefined;

/**
 * The file of a program, bundled: to start it from its sources takes three times as long. For the coverage each program is also
 * started from its sources somewhere.
 */
export function program(name: TestProgram): string {
  return join(programFolder(), `${name}.js`);
}

/** The folder in which they all lie. */
export function programFolder(): string {
  folder ??= makeFolder();
  return folder;
}

/** The environment of a bundled program. */
export const uncovered: NodeJS.ProcessEnv = { ...process.env, NODE_V8_COVERAGE: undefined };
