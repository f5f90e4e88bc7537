/** What becomes of runs is said here, each thing once: that one has ended, goes wrong, has failed, or was stopped with the window. */
import { commands, type Disposable, RelativePattern, Uri, window, workspace } from 'vscode';
import { z } from 'zod';
import { type ListedRun, type RunKey, runEvent, runId, runKey } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import type { Studio } from '../studio.ts';
import { editSpec, failureOffers, failureText, interruptedText, openLine, resume, showLog } from './news-text.ts';
import { openPlace, placeOf } from './place.ts';
import { folderOf } from './run-key.ts';
import { underWay } from './run-progress.ts';
import type { RunBook } from './runs.ts';
import { examine, type Health, healthy } from './trouble.ts';

/** Where the editor keeps which runs are under way: a window that is closed has no time to say so. */
const memory = 'cola.runsUnderWay';
const remembered = z.array(runKey).max(100).catch([]);

/** Milliseconds between looks at a run that the window before is still saving, and how many there are. */
const patience = 1000;
const tries = 30;

// Short, as the notice says beside them who speaks.
const useModel = t('Use It');
const compare = t('Before and After');
const dashboard = t('Dashboard');
const goOn = t('Go On');
const pause = t('Pause');
const stop = t('Stop');

export class RunNews implements Disposable {
  private readonly listening: Disposable;
  private readonly failing: Disposable;
  /** Of the runs under way. */
  private readonly health = new Map<string, Health>();

  constructor(
    private readonly studio: Studio,
    private readonly runs: RunBook,
  ) {
    this.listening = studio.on(runEvent, ({ root, run, event }) => {
      const id = runId({ root, run });
      const { health, trouble } = examine(this.health.get(id) ?? healthy, event);
      this.health.set(id, health);
      if (trouble !== undefined) void this.goesWrong({ root, run }, trouble);
      if (event.kind !== 'state') return;
      if (!underWay(event.state)) this.health.delete(id);
      this.remember({ root, run }, underWay(event.state));
      // A failure without a message is told by whoever knows why.
      if (event.state === 'failed' && event.message !== undefined)
        void this.failed({ root, run }, event.message, event.remedy ?? '');
      if (event.state === 'done') void this.ended({ root, run });
    });
    this.failing = runs.onDidFailToGoOn(({ key, message, remedy }) => void this.failed(key, message, remedy));
    const first = studio.onServerUp((arrival) => {
      first.dispose();
      if (arrival === 'first') void this.tellInterrupted();
    });
  }

  dispose(): void {
    this.listening.dispose();
    this.failing.dispose();
  }

  private get known(): RunKey[] {
    return remembered.parse(this.studio.context.workspaceState.get(memory) ?? []);
  }

  private remember(key: RunKey, is: boolean): void {
    const others = this.known.filter((each) => !same(each, key));
    void this.studio.context.workspaceState.update(memory, is ? [...others, key] : others);
  }

  private async ended(key: RunKey): Promise<void> {
    const text = t('{run} has ended, and its model is saved.', { run: key.run });
    const choice = await window.showInformationMessage(text, useModel, compare, dashboard);
    if (choice === useModel) await commands.executeCommand('cola.useModel', key);
    if (choice === compare) await commands.executeCommand('cola.compareBeforeAfter', key);
    if (choice === dashboard) await commands.executeCommand('cola.openDashboard', key);
  }

  /** It goes on: only the person knows whether what it learns is what was wanted. */
  private async goesWrong(key: RunKey, trouble: string): Promise<void> {
    this.studio.log.warn(`${key.run}: ${trouble}`);
    const choice = await window.showWarningMessage(`${key.run}: ${trouble}`, dashboard, pause, stop);
    if (choice === dashboard) await commands.executeCommand('cola.openDashboard', key);
    if (choice === pause) await commands.executeCommand('cola.pauseRun', key);
    if (choice === stop) await commands.executeCommand('cola.stopRun', key);
  }

  private async failed(key: RunKey, message: string, remedy: string): Promise<void> {
    const place = placeOf(message, key.root);
    const checkpoint = (await this.find(key))?.checkpoint ?? null;
    const text = failureText(key.run, message, remedy, checkpoint);
    this.studio.log.error(text);
    const choice = await window.showErrorMessage(text, ...failureOffers(place, checkpoint));
    if (choice === resume) await commands.executeCommand('cola.resumeRun', key);
    if (choice === editSpec) await openSpecOf(key);
    if (choice === openLine && place !== undefined) await openPlace(place, key.root);
    if (choice === showLog) this.studio.log.show();
  }

  private async find(key: RunKey): Promise<ListedRun | undefined> {
    return (await this.runs.list().catch(() => [])).find((each) => same(each, key));
  }

  /** Says which runs were under way when the window was closed, and offers to go on. */
  private async tellInterrupted(): Promise<void> {
    const before = this.known;
    if (before.length === 0) return;
    const stopped: ListedRun[] = [];
    for (const key of before) {
      const run = await this.saved(key);
      // One that outlives its window is under way still.
      if (run === undefined || !underWay(run.state)) this.remember(key, false);
      // What the editor remembers may be older than the end of the run; the run's own log is not.
      if (run?.interrupted === true) stopped.push(run);
    }
    if (stopped.length === 0) return;
    const resumable = stopped.filter(({ checkpoint }) => checkpoint !== null);
    const text = interruptedText(stopped);
    this.studio.log.info(text);
    const offers = [...(resumable.length > 0 ? [goOn] : []), dashboard];
    const choice = await window.showInformationMessage(text, ...offers);
    if (choice === goOn)
      for (const { root, run } of resumable) await commands.executeCommand('cola.resumeRun', { root, run });
    if (choice === dashboard) await commands.executeCommand('cola.openDashboard', keyOf(stopped[0]));
  }

  /** A run as it is once the engine of the window before has let go of it. */
  private async saved(key: RunKey): Promise<ListedRun | undefined> {
    for (let look = 0; ; look++) {
      const run = await this.find(key);
      if (run?.elsewhere !== true || look >= tries) return run;
      await new Promise((resolve) => setTimeout(resolve, patience));
    }
  }
}

const keyOf = ({ root, run }: RunKey): RunKey => ({ root, run });
const same = (a: RunKey, b: RunKey) => a.root === b.root && a.run === b.run;

/** The spec that a run was started with, in the person's files; its frozen copy where there is none of its name. */
async function openSpecOf(key: RunKey): Promise<void> {
  const names = [...new Set([key.run, key.run.replace(/-\d+$/, '')])];
  const pattern = new RelativePattern(Uri.file(key.root), `**/{${names.join(',')}}{.cola,}.{yaml,yml}`);
  const [found] = await workspace.findFiles(pattern, '**/{node_modules,.cola}/**', 1);
  await window.showTextDocument(found ?? Uri.joinPath(folderOf(key), 'spec.yaml'));
}
