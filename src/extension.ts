/** Where the editor starts and ends the extension. */
import type { ExtensionContext } from 'vscode';
import { registerCompletion } from './completion/index.ts';
import { registerCore } from './core.ts';
import { registerFit } from './fit.ts';
import { ModelShelf, registerModels } from './models.ts';
import { Reports } from './report.ts';
import { registerRuns } from './run-commands.ts';
import { RunBook } from './runs.ts';
import { Studio } from './studio.ts';
import { registerViews } from './views/index.ts';

let studio: Studio | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  studio = new Studio(context);
  context.subscriptions.push(studio);
<<<<<<< HEAD
  const runs = new RunBook(studio);
  const reports = new Reports(studio);
  const shelf = new ModelShelf(studio, runs);
  context.subscriptions.push(runs);
  registerCore(studio, runs);
  registerRuns(studio, runs);
  registerFit(studio, reports);
  registerModels(studio, shelf);
  registerViews(studio, runs, shelf);
=======
  registerCore(studio);
  registerCompletion(studio);
>>>>>>> bd526fe (Inline completion: ghost text of latent actions, its place in the status bar, the list of all actions, and what accepted text remembers)
  await studio.start();
}

export async function deactivate(): Promise<void> {
  await studio?.dispose();
}
