/** Programs that tests start, by their names. */
export type TestProgram =
  | 'server'
  | 'engine'
  | 'maths-worker'
  | 'sandbox-worker'
  | 'module-worker'
  | 'environment-worker'
  | 'worker'
  | 'cola'
  | 'train-child'
  | 'copies-child'
  | 'lying-worker'
  | 'trainer'
  | 'feedback-writer'
  | 'soak-child'
  | 'killed-run'
  | 'helper';

/**
 * Bundles them into a new folder of this name.
 *
 * @param counted whether the coverage is to have what they do: a second of each in `sources` is started from its sources
 * @returns the folder
 */
export function bundlePrograms(name: string, counted: boolean): string;
