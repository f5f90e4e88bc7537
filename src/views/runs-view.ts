/** The view Runs: what was tuned here, and what is under way. */
import {
  type Event,
  EventEmitter,
  MarkdownString,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  type TreeView,
} from 'vscode';
import { type ListedRun, runId } from '../../server/protocol/index.ts';
import { folderWords } from '../folders.ts';
import { t } from '../l10n.ts';
import { escaped } from '../markdown.ts';
import { taggedWith } from '../runs/run-filter.ts';
import { underWay } from '../runs/run-progress.ts';
import { describeRun } from '../runs/run-text.ts';
import type { RunBook } from '../runs/runs.ts';
import { stateWord } from '../status-text.ts';
import { listOr } from './listing.ts';

/** Milliseconds between updates while a run takes many short steps. */
const patience = 2000;

export class RunsView implements TreeDataProvider<ListedRun> {
  private readonly changed = new EventEmitter<ListedRun[] | undefined>();
  private runs: ListedRun[] | undefined;
  /** The list as it was drawn last, by its shape. */
  private drawn = '';
  /** What it says of each run, by its id. */
  private readonly said = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private view: TreeView<ListedRun> | undefined;
  /** Only runs with all of these tags are shown. */
  private tags: readonly string[] = [];
  readonly onDidChangeTreeData: Event<ListedRun[] | undefined> = this.changed.event;

  constructor(private readonly book: RunBook) {
    book.onDidChangeList(() => void this.update());
    book.onDidChange(() => this.soon());
  }

  /** Where it is shown. */
  in(view: TreeView<ListedRun>): void {
    this.view = view;
  }

  refresh(): void {
    this.runs = undefined;
    this.changed.fire(undefined);
  }

  /** Draws all of the list where it has other runs or states than before, and else what has come of them, at its time. */
  private async update(): Promise<void> {
    if (this.view?.visible !== true) return this.refresh();
    const runs = await listOr(this.book.list());
    const known = this.runs;
    if (known !== undefined && runs !== undefined && this.shape(runs) === this.drawn) {
      // The editor knows them by these objects.
      for (const [i, run] of known.entries()) Object.assign(run, runs[i]);
      return this.soon();
    }
    this.runs = runs;
    this.changed.fire(undefined);
  }

  /** What of a list is to be seen at once. */
  private shape(runs: readonly ListedRun[]): string {
    const shapes = runs.map((listed) => {
      const run = this.current(listed);
      return [runId(run), run.state, run.note, ...abilities(run)];
    });
    return JSON.stringify(shapes);
  }

  /** Draws runs again of which there is something else to say. */
  private soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const changed = (this.runs ?? []).filter((run) => {
        const before = this.said.get(runId(run));
        return before !== undefined && before !== this.words(run);
      });
      if (changed.length > 0) this.changed.fire(changed);
    }, patience);
  }

  get filter(): readonly string[] {
    return this.tags;
  }

  /** Shows only runs that have all of the tags; all runs where there are none. */
  filterBy(tags: readonly string[]): void {
    this.tags = tags;
    this.changed.fire(undefined);
  }

  async getChildren(element?: ListedRun): Promise<ListedRun[]> {
    if (element !== undefined) return [];
    this.runs ??= await listOr(this.book.list());
    const all = this.runs ?? [];
    this.drawn = this.shape(all);
    const shown = taggedWith(all, this.tags);
    // The editor takes an empty text for none.
    if (this.view !== undefined) this.view.message = this.filterWords(shown.length, all.length) ?? '';
    return shown;
  }

  /** That runs are left out, and how they come back. */
  private filterWords(shown: number, all: number): string | undefined {
    if (this.tags.length === 0) return undefined;
    const tags = this.tags.join(' ');
    return t('Only {tags}: {shown} of {all} runs. "CoLA: Show All Runs" shows the others.', { tags, shown, all });
  }

  /** As it is listed, in the state that its events tell of. */
  private current(listed: ListedRun): ListedRun {
    const progress = this.book.progress(listed);
    return progress !== undefined && underWay(progress.state) ? { ...listed, state: progress.state } : listed;
  }

  private describe(listed: ListedRun): string {
    return [describeRun(this.current(listed), this.book.progress(listed)), ...folderWords(listed.root)].join(' · ');
  }

  /** All that changes of it while its shape does not. */
  private words(listed: ListedRun): string {
    return [this.describe(listed), listed.checkpoint, listed.updated].join('\n');
  }

  getTreeItem(listed: ListedRun): TreeItem {
    const run = this.current(listed);
    const item = new TreeItem(run.run);
    item.id = runId(run);
    item.description = this.describe(listed);
    this.said.set(item.id, this.words(listed));
    item.iconPath = iconOf(run);
    item.contextValue = ['run', ...abilities(run)].join(' ');
    item.tooltip = tooltipOf(run, item.description);
    item.accessibilityInformation = {
      label: t('Run {run}, {description}', { run: run.run, description: item.description }),
    };
    item.command = { title: t('Open Dashboard'), command: 'cola.openRunDashboard', arguments: [run] };
    return item;
  }
}

/** What can be done with a run, for the `when` clauses of its menu. */
function abilities({ state, elsewhere, checkpoint, done }: ListedRun): string[] {
  if (elsewhere) return done ? ['elsewhere', 'finished'] : ['elsewhere'];
  if (state === 'running' || state === 'resuming') return ['running'];
  if (state === 'paused') return ['paused'];
  const resumable = !done && checkpoint !== null;
  return [...(resumable ? ['resumable'] : []), ...(done ? ['finished'] : [])];
}

function iconOf({ state, elsewhere }: ListedRun): ThemeIcon {
  if (elsewhere) return new ThemeIcon('lock');
  switch (state) {
    case 'running':
      return new ThemeIcon('pulse', new ThemeColor('charts.green'));
    case 'resuming':
      return new ThemeIcon('sync');
    case 'paused':
      return new ThemeIcon('debug-pause', new ThemeColor('charts.yellow'));
    case 'stopped':
      return new ThemeIcon('debug-stop');
    case 'done':
      return new ThemeIcon('pass', new ThemeColor('charts.green'));
    case 'failed':
      return new ThemeIcon('error', new ThemeColor('charts.red'));
  }
}

function tooltipOf(run: ListedRun, description: string): MarkdownString {
  const text = new MarkdownString(`**${escaped(run.run)}** ${stateWord(run.state)}\n\n`, true);
  text.appendText(description);
  if (run.note !== '') text.appendMarkdown(`\n\n$(note) ${escaped(run.note)}`);
  if (run.checkpoint !== null) text.appendMarkdown(`\n\n${t('Saved at step {0}', run.checkpoint)}`);
  text.appendMarkdown(`\n\n${t('Last written {0}', new Date(run.updated).toLocaleString())}\n\n`);
  text.appendText(run.path);
  return text;
}
