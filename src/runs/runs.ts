/** The runs of the open folders: those on disk, and how far those under way have come. */
import {
  type Disposable,
  type Event,
  EventEmitter,
  RelativePattern,
  type WorkspaceFolder,
  window,
  workspace,
} from 'vscode';
import { ColaError } from '../../server/protocol/errors.ts';
import {
  type ListedRun,
  listRuns,
  pauseRun,
  type RunEvent,
  type RunKey,
  resumeRun,
  runEvent,
  runId,
} from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import type { Arrival, Studio } from '../studio.ts';
import { mayBeModel } from './model-path.ts';
import { follow, type RunProgress, underWay, unknownProgress } from './run-progress.ts';

/** Seconds an engine that ends is waited for. */
const lockTries = 30;
/** Milliseconds in which changes of files are taken together. */
const patience = 300;

export interface RunUnderWay {
  readonly key: RunKey;
  readonly progress: RunProgress;
}

/** A run that was under way when the server ended, and that a new server cannot go on with. */
export interface FailedToGoOn {
  readonly key: RunKey;
  readonly message: string;
  readonly remedy: string;
}

export class RunBook implements Disposable {
  private readonly changed = new EventEmitter<void>();
  private readonly listed = new EventEmitter<void>();
  private readonly made = new EventEmitter<void>();
  private readonly failedToGoOn = new EventEmitter<FailedToGoOn>();
  private readonly progresses = new Map<string, RunUnderWay>();
  private readonly disposables: Disposable[] = [this.changed, this.listed, this.made, this.failedToGoOn];
  private watchers: Disposable[] = [];
  private timer: NodeJS.Timeout | undefined;
  /** Whether models are among what has changed since the list was told of. */
  private models = false;

  constructor(private readonly studio: Studio) {
    this.disposables.push(
      studio.on(runEvent, (event) => this.note(event)),
      studio.onServerUp((arrival) => void this.takeUp(arrival)),
      workspace.onDidChangeWorkspaceFolders(() => this.watch()),
    );
    this.watch();
  }

  /** Something of a run under way has changed, a step for one. */
  get onDidChange(): Event<void> {
    return this.changed.event;
  }

  /** The list of runs has changed. */
  get onDidChangeList(): Event<void> {
    return this.listed.event;
  }

  /** Models that runs have made may have come or gone: less often than {@link onDidChangeList}, as all folders are looked through. */
  get onDidChangeModels(): Event<void> {
    return this.made.event;
  }

  /** A run could not go on after the server was started again. */
  get onDidFailToGoOn(): Event<FailedToGoOn> {
    return this.failedToGoOn.event;
  }

  /** Runs that are running, paused or being resumed; the running ones first. */
  get underWay(): RunUnderWay[] {
    const all = [...this.progresses.values()].filter(({ progress }) => underWay(progress.state));
    return all.sort((a, b) => Number(a.progress.state === 'paused') - Number(b.progress.state === 'paused'));
  }

  /** What is known of a run since the window was opened. */
  progress(key: RunKey): RunProgress | undefined {
    return this.progresses.get(runId(key))?.progress;
  }

  /** All runs of the open folders, those that changed last first. */
  async list(): Promise<ListedRun[]> {
    const roots = rootsOfWorkspace();
    if (roots.length === 0) return [];
    const { runs } = await this.studio.request(listRuns, { roots });
    return runs.sort((a, b) => Number(underWay(b.state)) - Number(underWay(a.state)) || b.updated - a.updated);
  }

  /** What is written of a run is another. */
  changedOnDisk(): void {
    this.tell();
  }

  /** What is not there any more. */
  forget(key: RunKey): void {
    this.progresses.delete(runId(key));
    this.tell();
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const each of [...this.watchers, ...this.disposables]) each.dispose();
  }

  private note({ root, run, event }: RunEvent): void {
    const key = { root, run };
    const before = this.progress(key) ?? unknownProgress;
    this.progresses.set(runId(key), { key, progress: follow(before, event) });
    this.changed.fire();
    if (event.kind === 'state' || event.kind === 'checkpoint' || event.kind === 'done')
      this.soon(event.kind !== 'checkpoint');
  }

  /** A server that had to be started again knows nothing of the runs of the one before. */
  private async takeUp(arrival: Arrival): Promise<void> {
    const resumed: string[] = [];
    for (const { key, progress } of arrival === 'first' ? [] : this.underWay) {
      this.note({ ...key, event: { kind: 'state', state: 'resuming' } });
      try {
        await this.resumeAgain(key);
        if (progress.state === 'paused') await this.studio.request(pauseRun, key);
        resumed.push(t('The run {run} goes on from its latest checkpoint.', { run: key.run }));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const remedy = error instanceof ColaError ? error.remedy : '';
        this.note({ ...key, event: { kind: 'state', state: 'failed', message, remedy } });
        this.failedToGoOn.fire({ key, message, remedy });
      }
    }
    this.tell();
    if (arrival === 'crashed') {
      const text = [t('The server of CoLA Studio stopped and was started again.'), ...resumed].join(' ');
      this.studio.log.warn(text);
      await window.showWarningMessage(text);
    }
  }

  /** The engine of the server before saves its runs first, and holds them until then. */
  private async resumeAgain(key: RunKey): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await this.studio.request(resumeRun, key);
        return;
      } catch (error) {
        const locked = error instanceof ColaError && error.id === 'store.locked';
        if (!locked || tries >= lockTries) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  private watch(): void {
    for (const watcher of this.watchers.splice(0)) watcher.dispose();
    for (const folder of diskFolders()) {
      const watcher = workspace.createFileSystemWatcher(
        new RelativePattern(folder, '.cola/{runs,searches}/**'),
        false,
        true,
      );
      for (const event of [watcher.onDidCreate, watcher.onDidDelete])
        this.watchers.push(event(({ path }) => this.soon(mayBeModel(path))));
      this.watchers.push(watcher);
    }
    this.soon(true);
  }

  private soon(models: boolean): void {
    this.models ||= models;
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.tell(this.models);
    }, patience);
  }

  private tell(models = true): void {
    this.models = false;
    this.listed.fire();
    if (models) this.made.fire();
  }
}

/** Folders of the workspace that are on the disk. */
export function diskFolders(): WorkspaceFolder[] {
  return (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file');
}

export function rootsOfWorkspace(): string[] {
  return diskFolders().map(({ uri }) => uri.fsPath);
}
