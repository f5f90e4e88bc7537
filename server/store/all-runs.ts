/** The runs of a project. */
import { ColaError } from '../errors.ts';
import { RunView, runFolder, runNames } from './run.ts';

/**
 * The runs of a project, by name.
 *
 * @param onDamaged told of every run that cannot be read, which is left out
 * @throws ColaError store.cannotRead, files.* where none can be
 */
export function listRuns(root: string, onDamaged: (error: ColaError) => void = () => {}): RunView[] {
  const runs: RunView[] = [];
  for (const name of runNames(root)) {
    try {
      runs.push(RunView.view(runFolder(root, name)));
    } catch (error) {
      if (!(error instanceof ColaError)) throw error;
      // Whatever else lies about in the folder is no run.
      if (error.id !== 'store.noRun') onDamaged(error);
    }
  }
  return runs;
}

/** {@link listRuns} for who needs those that can be read: none of a folder that cannot, of which the list itself says why. */
export function runsIn(root: string): RunView[] {
  try {
    return listRuns(root);
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
    return [];
  }
}
