/** Where the editor starts and ends the extension. */
import type { ExtensionContext } from 'vscode';
import { registerCompletion } from './completion/index.ts';
import { registerCore } from './core.ts';
import { registerDashboard } from './dashboard.ts';
import { registerEvaluate } from './evaluate.ts';
import { registerExport } from './export.ts';
import { registerFeedback } from './feedback/index.ts';
import { registerFit } from './fit.ts';
import { ModelShelf, registerModels } from './models.ts';
import { Reports } from './report.ts';
import { registerRuns } from './run-commands.ts';
import { RunBook } from './runs.ts';
import { Studio } from './studio.ts';
import { registerTrain } from './train.ts';
import { registerTree } from './tree.ts';
import { registerViews } from './views/index.ts';
import { registerWalkthrough } from './walkthrough.ts';

let studio: Studio | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  studio = new Studio(context);
  context.subscriptions.push(studio);
  const runs = new RunBook(studio);
  const reports = new Reports(studio);
  const shelf = new ModelShelf(studio, runs);
  context.subscriptions.push(runs);
  const { events } = registerCompletion(studio);
  registerCore(studio, runs, registerFeedback(studio, events));
  registerRuns(studio, runs);
  registerFit(studio, reports);
  registerModels(studio, shelf);
  registerTrain(studio, shelf);
  registerEvaluate(studio, shelf, runs, reports);
  registerExport(studio, shelf);
  registerViews(studio, runs, shelf);
  registerDashboard(studio, runs);
  registerWalkthrough(studio);
  registerTree(studio);
  await studio.start();
}

export async function deactivate(): Promise<void> {
  await studio?.dispose();
}
