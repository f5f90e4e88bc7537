/** Runs are started, paused, resumed and stopped here, and what comes of them is said. */
import { basename } from 'node:path';
import { commands, env, ProgressLocation, type QuickPickItem, Uri, window, workspace } from 'vscode';
import { ColaError } from '../../server/protocol/errors.ts';
import {
  type ListedRun,
  nameRun,
  noteRun,
  type ParamsOf,
  pauseRun,
  type RunKey,
  reportRun,
  resumeRun,
  runDetails,
  startRun,
  stopRun,
} from '../../server/protocol/index.ts';
import { registerCommand, reportFailure } from '../commands.ts';
import { studioErrors } from '../errors.ts';
import { folderWords, needTrust, rootOf } from '../folders.ts';
import { t } from '../l10n.ts';
import type { Studio } from '../studio.ts';
import { specFrom } from '../train/specs.ts';
import { folderOf, keyFrom } from './run-key.ts';
import { RunNews } from './run-news.ts';
import { underWay } from './run-progress.ts';
import { describeRun } from './run-text.ts';
import type { RunBook } from './runs.ts';

const training = t('A training run');

const earlier = t('Earlier Checkpoint…');
const asTheyAre = t('Go On as They Are');
const tryAnyway = t('Start Anyway');
/** What can be done about a run that is refused, by the error. */
const resumeOffers: Readonly<Record<string, readonly string[]>> = {
  'store.damaged': [earlier],
  'train.changed': [earlier, asTheyAre],
};

export function registerRuns(studio: Studio, runs: RunBook): void {
  const steering = new RunCommands(studio, runs);
  registerCommand(studio, 'cola.runSpec', (target) => steering.start(target, undefined));
  registerCommand(studio, 'cola.runStage', (target, stage) => steering.startStage(target, stage));
  registerCommand(studio, 'cola.pauseRun', (target) => steering.pause(target));
  registerCommand(studio, 'cola.resumeRun', (target) => steering.resume(target));
  registerCommand(studio, 'cola.stopRun', (target) => steering.stop(target));
  registerCommand(studio, 'cola.deleteRun', (target) => steering.delete(target));
  registerCommand(studio, 'cola.openRunDashboard', async (target) => {
    const run = await steering.pick(target, t('look at'), () => true);
    if (run !== undefined) await commands.executeCommand('cola.openDashboard', run);
  });
  registerCommand(studio, 'cola.noteRun', (target) => steering.note(target));
  registerCommand(studio, 'cola.exportReport', (target) => steering.report(target));
  registerCommand(studio, 'cola.revealRun', async (target) => {
    const run = await steering.pick(target, t('reveal'), () => true);
    if (run !== undefined) await commands.executeCommand('revealFileInOS', folderOf(run));
  });
  registerCommand(studio, 'cola.openRunSpec', async (target) => {
    const run = await steering.pick(target, t('open'), () => true);
    if (run !== undefined) await window.showTextDocument(Uri.joinPath(folderOf(run), 'spec.yaml'));
  });
  studio.context.subscriptions.push(new RunNews(studio, runs));
}

class RunCommands {
  constructor(
    private readonly studio: Studio,
    private readonly runs: RunBook,
  ) {}

  /** @returns the run; undefined where the person thought better of it */
  async start(target: unknown, stage: number | undefined): Promise<RunKey | undefined> {
    needTrust(training);
    const spec = await specFrom(target);
    if (spec === undefined) return undefined;
    const root = rootOf(spec);
    const specFile = spec.fsPath;
    const { run } = await this.studio.request(nameRun, { root, specFile });
    const key = { root, run };
    try {
      if (!(await this.begin({ ...key, specFile, ...(stage === undefined ? {} : { stage }) }))) return undefined;
    } catch (error) {
      await reportFailure(this.studio, error, spec);
      return undefined;
    }
    await commands.executeCommand('setContext', 'cola.tuned', true);
    return key;
  }

  /** Starts a run; where memory is too small for it, the person decides. @returns whether it has begun */
  private async begin(params: ParamsOf<typeof startRun>): Promise<boolean> {
    const { root, run } = params;
    const title = t('Starting the run {run}', { run });
    try {
      return await window.withProgress(
        { location: ProgressLocation.Notification, title, cancellable: true },
        async (_, token) => {
          const starting = this.studio.request(startRun, params);
          token.onCancellationRequested(
            () => void starting.then(() => this.studio.request(stopRun, { root, run })).catch(() => {}),
          );
          await starting;
          return !token.isCancellationRequested;
        },
      );
    } catch (error) {
      if (!(error instanceof ColaError) || error.id !== 'train.tooLarge') throw error;
      const choice = await window.showWarningMessage(error.message, { modal: true }, tryAnyway);
      return choice === tryAnyway && this.begin({ ...params, anyway: true });
    }
  }

  async note(target: unknown): Promise<void> {
    needTrust(t('A note to a run'));
    const run = await this.pick(target, t('write about'), () => true);
    if (run === undefined) return;
    const { root, run: name } = run;
    const before = (await this.runs.list()).find((each) => each.root === root && each.run === name)?.note ?? '';
    const note = await window.showInputBox({
      title: t('Note to {name}', { name }),
      prompt: t('One line; words with # before them are tags, and stand beside the run in the list.'),
      placeHolder: 'half the learning rate #baseline',
      value: before,
    });
    if (note === undefined) return;
    await this.studio.request(noteRun, { root, run: name, note });
    this.runs.changedOnDisk();
  }

  /** The page has curves, measures, samples with their actions, codes and the spec. */
  async report(target: unknown): Promise<void> {
    needTrust(t('The report of a run'));
    const run = await this.pick(target, t('report'), () => true);
    if (run === undefined) return;
    const { root, run: name } = run;
    const title = t('Report of {name}', { name });
    const defaultUri = Uri.joinPath(Uri.file(root), `${name}.html`);
    const file = await window.showSaveDialog({ title, defaultUri, filters: { HTML: ['html'] } });
    if (file === undefined) return;
    await window.withProgress({ location: ProgressLocation.Notification, title }, () =>
      this.studio.request(reportRun, { root, run: name, file: file.fsPath }),
    );
    const open = t('Open in Browser');
    if ((await window.showInformationMessage(`${title}: ${file.fsPath}`, open)) === open) await env.openExternal(file);
  }

  async startStage(target: unknown, stage: unknown): Promise<RunKey | undefined> {
    needTrust(training);
    if (typeof stage === 'number') return this.start(target, stage);
    const spec = await specFrom(target);
    if (spec === undefined) return undefined;
    const outline = await commands.executeCommand<{ name: string; children: { name: string; detail: string }[] }[]>(
      'vscode.executeDocumentSymbolProvider',
      spec,
    );
    const stages = outline?.find(({ name }) => name === 'stages')?.children ?? [];
    const items = stages.map(({ name }, index) => ({ label: name, description: t('stage {0}', index + 1), index }));
    const chosen = await window.showQuickPick(items, { placeHolder: t('Which stage of {0}?', basename(spec.fsPath)) });
    return chosen === undefined ? undefined : this.start(spec, chosen.index);
  }

  async pause(target: unknown): Promise<void> {
    const key =
      this.choose(target, t('pause'), ({ state }) => state === 'running') ?? (await this.pickUnderWay(t('pause')));
    if (key !== undefined) await this.studio.request(pauseRun, key);
  }

  /** A paused run goes on; another is continued from its latest checkpoint. */
  async resume(target: unknown): Promise<void> {
    needTrust(training);
    const key = await this.pick(
      target,
      t('resume'),
      ({ state, elsewhere, checkpoint }) =>
        state === 'paused' || (!underWay(state) && state !== 'done' && !elsewhere && checkpoint !== null),
    );
    if (key !== undefined) await this.goOn({ ...key });
  }

  /** Continues a run; where its files are not what was saved, the person chooses what to do. */
  private async goOn(params: ParamsOf<typeof resumeRun>): Promise<void> {
    try {
      await window.withProgress(
        { location: ProgressLocation.Notification, title: t('Resuming {run}', { run: params.run }) },
        () => this.studio.request(resumeRun, params),
      );
    } catch (error) {
      const offer = error instanceof ColaError ? resumeOffers[error.id] : undefined;
      if (!(error instanceof ColaError) || offer === undefined) throw error;
      this.studio.log.error(`${params.run}: ${error.message} ${error.remedy}`);
      const choice = await window.showErrorMessage(error.message, ...offer);
      if (choice === asTheyAre) await this.goOn({ ...params, asIs: true });
      if (choice !== earlier) return;
      const from = await this.pickCheckpoint(params);
      if (from !== undefined) await this.goOn({ ...params, from });
    }
  }

  /** A checkpoint before the one that a run would go on from. */
  private async pickCheckpoint({ root, run, from }: ParamsOf<typeof resumeRun>): Promise<number | undefined> {
    const { checkpoints } = await this.studio.request(runDetails, { root, run });
    const before = checkpoints.filter(({ step }) => step < (from ?? checkpoints.at(-1)?.step ?? 0)).reverse();
    if (before.length === 0) throw studioErrors.noCheckpoint(run);
    const items = before.map(({ step, best }) => ({
      label: t('Step {step}', { step }),
      description: best ? t('the best so far') : '',
      step,
    }));
    const placeHolder = t('Go on from which checkpoint? Later ones are deleted.');
    // It is asked behind a notice, which gives the focus back to the editor when it goes: a list that minds would close.
    return (await window.showQuickPick(items, { placeHolder, ignoreFocusOut: true }))?.step;
  }

  async stop(target: unknown): Promise<void> {
    const key = this.choose(target, t('stop'), () => true) ?? (await this.pickUnderWay(t('stop')));
    if (key === undefined) return;
    const { step } = await window.withProgress(
      { location: ProgressLocation.Notification, title: t('Saving and stopping {run}', { run: key.run }) },
      () => this.studio.request(stopRun, key),
    );
    const saved =
      step === null
        ? t('stopped before its first step; nothing was to be saved')
        : t('saved at step {step}, resume any time', { step });
    const choice = await window.showInformationMessage(
      `${key.run}: ${saved}.`,
      ...(step === null ? [] : [t('Resume')]),
    );
    if (choice !== undefined) await this.resume(key);
  }

  async delete(target: unknown): Promise<void> {
    const key = await this.pick(target, t('delete'), ({ state, elsewhere }) => !underWay(state) && !elsewhere);
    if (key === undefined) return;
    const detail = t(
      'Its checkpoints, metrics, samples and tuned model are deleted from the disk. This cannot be undone.',
    );
    const choice = await window.showWarningMessage(
      t('Delete the run {run}?', { run: key.run }),
      { modal: true, detail },
      t('Delete'),
    );
    if (choice === undefined) return;
    await deleteWhole(folderOf(key));
    this.runs.forget(key);
  }

  /** The run of a command's argument, or one that the person chooses among those that it can be about. */
  async pick(target: unknown, what: string, can: (run: ListedRun) => boolean): Promise<RunKey | undefined> {
    const given = keyFrom(target);
    if (given !== undefined) return given;
    const all = (await this.runs.list()).filter(can);
    if (all.length === 0) throw studioErrors.noRun(what);
    const items = all.map((run): QuickPickItem & { readonly key: RunKey } => ({
      label: run.run,
      description: [describeRun(run, this.runs.progress(run)), ...folderWords(run.root)].join(' · '),
      key: { root: run.root, run: run.run },
    }));
    return (await window.showQuickPick(items, { placeHolder: t('Which run to {what}?', { what }) }))?.key;
  }

  /** The run of a command's argument, or the only one under way that it can be about. */
  private choose(target: unknown, what: string, can: (run: { readonly state: string }) => boolean): RunKey | undefined {
    const given = keyFrom(target);
    if (given !== undefined) return given;
    const all = this.runs.underWay.filter(({ progress }) => can(progress));
    if (all.length === 0) throw studioErrors.noRun(what);
    return all.length === 1 ? all[0].key : undefined;
  }

  private async pickUnderWay(what: string): Promise<RunKey | undefined> {
    const items = this.runs.underWay.map(({ key }) => ({
      label: key.run,
      description: folderWords(key.root).join(),
      key,
    }));
    return (await window.showQuickPick(items, { placeHolder: t('Which run to {what}?', { what }) }))?.key;
  }
}

/** Deletes a folder so that nobody meets half of it: it loses its name first. */
export async function deleteWhole(folder: Uri): Promise<void> {
  const digits = Array.from({ length: 12 }, () => Math.floor(16 * Math.random()).toString(16)).join('');
  const aside = folder.with({ path: `${folder.path}.tmp-${digits}` });
  await workspace.fs.rename(folder, aside);
  await workspace.fs.delete(aside, { recursive: true });
}
