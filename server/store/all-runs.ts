/** The runs of a project. */
import { setImmediate as turn } from 'node:timers/promises';
import { ColaError } from '../errors.ts';
import { RunView, runFolder, runNames } from './run.ts';

type Tell = (error: ColaError) => void;

/**
 * The runs of a project, by name.
 *
 * @param onDamaged told of every run that cannot be read, which is left out
 * @throws ColaError store.cannotRead, files.* where none can be
 */
export function listRuns(root: string, onDamaged: Tell = () => {}): RunView[] {
  return runNames(root).flatMap((name) => viewOf(root, name, onDamaged) ?? []);
}

/** Runs after which others have their turn: some milliseconds. */
const atOnce = 32;

/** {@link listRuns}, some at a time, and others have their turn in between: a folder may hold any number of runs. */
export async function* runsInTurn(root: string, onDamaged: Tell = () => {}): AsyncGenerator<RunView, void> {
  for (const [i, name] of runNames(root).entries()) {
    if (i % atOnce === atOnce - 1) await turn();
    const view = viewOf(root, name, onDamaged);
    if (view !== undefined) yield view;
  }
}

/** {@link runsInTurn} for who needs those that can be read: none of a folder that cannot, of which the list itself says why. */
export async function* runsIn(root: string): AsyncGenerator<RunView, void> {
  try {
    yield* runsInTurn(root);
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
  }
}

/** A run of a project; undefined where there is none of that name that can be read. */
export function viewOf(root: string, name: string, onDamaged: Tell = () => {}): RunView | undefined {
  try {
    return RunView.view(runFolder(root, name));
  } catch (error) {
    if (!(error instanceof ColaError)) throw error;
    // Whatever else lies about in the folder is no run.
    if (error.id !== 'store.noRun') onDamaged(error);
    return undefined;
  }
}
