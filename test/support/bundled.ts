/** Programs as they are bundled for tests, which are not those in dist: what is built for a person may be older than the sources. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundlePrograms, type TestProgram } from '../../scripts/tests/programs.mjs';
import { workerProgram } from '../../server/cluster/program.ts';

let folder = process.env.COLA_TEST_PROGRAMS;
/** Whether V8 writes down what is run, for the coverage: programs are started from their sources then. */
const counted = process.env.NODE_V8_COVERAGE !== undefined;

/** Of this process alone, where `npm test` has made none for all. */
function makeFolder(): string {
  const made = bundlePrograms(`programs-${process.pid}`, counted);
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** The file of a program, bundled: to start it from its sources takes three times as long. For the coverage it is started from them. */
export function program(name: TestProgram): string {
  // Workers say which file they are; who starts them can start a source.
  if (counted && name === 'worker') return workerProgram;
  return counted ? join(programFolder(), 'sources', `${name}.js`) : bundle(name);
}

/** The file of a program, bundled whatever is counted: where it matters what the program opens and writes beside its work. */
export const bundle = (name: TestProgram): string => join(programFolder(), `${name}.js`);

/** The folder in which they all lie. */
export function programFolder(): string {
  folder ??= makeFolder();
  return folder;
}
