/** The views in the activity bar. */
import { commands, window } from 'vscode';
import { registerCommand } from '../commands.ts';
import type { ModelShelf } from '../models.ts';
import type { RunBook } from '../runs/runs.ts';
import type { Studio } from '../studio.ts';
import { CodesView } from './codes-view.ts';
import { ModelsView } from './models-view.ts';
import { RunsView } from './runs-view.ts';
import { SearchesView } from './searches-view.ts';

export function registerViews(studio: Studio, runs: RunBook, shelf: ModelShelf): void {
  const runsView = new RunsView(runs);
  const modelsView = new ModelsView(studio, shelf);
  const tree = (id: string, treeDataProvider: Parameters<typeof window.createTreeView>[1]['treeDataProvider']) =>
    studio.context.subscriptions.push(window.createTreeView(id, { treeDataProvider }));
  tree('cola.runs', runsView);
  tree('cola.models', modelsView);
  tree('cola.searches', new SearchesView(studio, runs));
  tree('cola.codes', new CodesView(studio));
  registerCommand(studio, 'cola.refreshRuns', () => runsView.refresh());
  registerCommand(studio, 'cola.refreshModels', () => modelsView.refresh());
  registerCommand(studio, 'cola.openSearch', (target) => commands.executeCommand('cola.openTree', target));
}
