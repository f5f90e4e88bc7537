/** The views in the activity bar. */
import { commands, type TreeDataProvider, type TreeView, window } from 'vscode';
import { registerCommand } from '../commands.ts';
import { studioErrors } from '../errors.ts';
import { t } from '../l10n.ts';
import type { ModelShelf } from '../models.ts';
import { tagCounts } from '../runs/run-filter.ts';
import type { RunBook } from '../runs/runs.ts';
import type { Studio } from '../studio.ts';
import { CodesView } from './codes-view.ts';
import { ModelsView } from './models-view.ts';
import { RunsView } from './runs-view.ts';
import { SearchesView } from './searches-view.ts';

export function registerViews(studio: Studio, runs: RunBook, shelf: ModelShelf): void {
  const runsView = new RunsView(runs);
  const modelsView = new ModelsView(studio, shelf);
  const tree = <T>(id: string, treeDataProvider: TreeDataProvider<T>): TreeView<T> => {
    const view = window.createTreeView(id, { treeDataProvider });
    studio.context.subscriptions.push(view);
    return view;
  };
  runsView.in(tree('cola.runs', runsView));
  tree('cola.models', modelsView);
  tree('cola.searches', new SearchesView(studio, runs));
  tree('cola.codes', new CodesView(studio));
  registerCommand(studio, 'cola.refreshRuns', () => runsView.refresh());
  registerCommand(studio, 'cola.filterRuns', async () => {
    const tags = await pickTags(runs, runsView.filter);
    if (tags !== undefined) await filter(runsView, tags);
  });
  registerCommand(studio, 'cola.showAllRuns', () => filter(runsView, []));
  registerCommand(studio, 'cola.refreshModels', () => modelsView.refresh());
  registerCommand(studio, 'cola.openSearch', (target) => commands.executeCommand('cola.openTree', target));
}

async function filter(view: RunsView, tags: readonly string[]): Promise<void> {
  view.filterBy(tags);
  await commands.executeCommand('setContext', 'cola.runsFiltered', tags.length > 0);
}

/**
 * @param before tags that the runs are filtered by now
 * @returns those that a run is to have, all of them; undefined where the person thought better of it
 * @throws studio.noTags
 */
async function pickTags(runs: RunBook, before: readonly string[]): Promise<string[] | undefined> {
  const tags = tagCounts(await runs.list());
  if (tags.length === 0) throw studioErrors.noTags();
  const items = tags.map(({ tag, runs }) => ({
    label: tag,
    description: runs === 1 ? t('one run') : t('{runs} runs', { runs }),
    picked: before.includes(tag),
  }));
  const options = {
    title: t('Filter Runs'),
    placeHolder: t('Runs with all of which tags? None shows all runs.'),
    canPickMany: true,
  } as const;
  return (await window.showQuickPick(items, options))?.map(({ label }) => label);
}
