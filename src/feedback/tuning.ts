/** When the policy is tuned from feedback, and which version completion uses. */
import {
  type CancellationToken,
  type Disposable,
  type Event,
  EventEmitter,
  ProgressLocation,
  window,
  workspace,
} from 'vscode';
import {
  type ListedVersion,
  listVersions,
  type ProgressOf,
  tunePolicy,
  usePolicy,
} from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { activeRoot } from './place.ts';

/** A pause of the person, in milliseconds. */
const pause = 3000;

/** What the status bar may show of the policy. */
export interface PolicyState {
  /** Version in use, or `original`. */
  readonly version: string;
  readonly pinned: boolean;
  /** On what was held back when the version was made, 0 to 1; null where nobody knows. */
  readonly acceptance: number | null;
}

export class FeedbackTuning implements Disposable {
  private readonly changed = new EventEmitter<PolicyState>();
  private readonly disposables: Disposable[] = [this.changed];
  private timer: NodeJS.Timeout | undefined;
  /** Judgements since the policy of a folder was tuned. */
  private readonly waiting = new Map<string, number>();
  private tuning = false;
  private model: string | null = null;
  /** Folder that the state is of. */
  private root: string | undefined;
  state: PolicyState = { version: 'original', pinned: false, acceptance: null };

  constructor(private readonly studio: Studio) {
    this.disposables.push(
      studio.onStatus(({ model }) => {
        const before = this.model;
        this.model = model;
        // An engine that has just loaded a model has the model's own policy.
        if (model !== null && model !== before) void this.apply();
      }),
      window.onDidChangeActiveTextEditor(() => void this.apply(true)),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('cola.feedback.scope')) void this.apply(true);
      }),
    );
  }

  /** Told whenever another version is in use. */
  get onDidChange(): Event<PolicyState> {
    return this.changed.event;
  }

  /** Counts a judgement, and tunes after enough of them and a pause. */
  judged(root: string): void {
    const waiting = (this.waiting.get(root) ?? 0) + 1;
    this.waiting.set(root, waiting);
    clearTimeout(this.timer);
    const schedule = setting('cola.feedback.schedule');
    if (schedule === 'manual' || waiting < (schedule === 'live' ? 1 : setting('cola.feedback.every'))) return;
    this.timer = setTimeout(() => {
      if (this.tuning || !workspace.isTrusted) return;
      this.waiting.delete(root);
      this.tune(root).then(
        (version) => this.studio.log.info(`Tuned from feedback: ${version.id} ${version.verdict}. ${version.why}`),
        (error: unknown) => this.studio.log.warn(`Not tuned from feedback: ${String(error)}`),
      );
    }, pause);
  }

  /** Tunes with progress that can be cancelled. */
  async tuneNow(root: string): Promise<ListedVersion> {
    this.waiting.delete(root);
    const options = {
      location: ProgressLocation.Notification,
      title: t('CoLA: tuning from feedback'),
      cancellable: true,
    };
    return window.withProgress(options, async (progress, token) => {
      let shown = 0;
      return this.tune(root, token, ({ done, total }) => {
        progress.report({
          increment: (100 * (done - shown)) / total,
          message: t('update {done} of {total}', { done, total }),
        });
        shown = done;
      });
    });
  }

  private async tune(
    root: string,
    token?: CancellationToken,
    progress?: (progress: ProgressOf<typeof tunePolicy>) => void,
  ): Promise<ListedVersion> {
    this.tuning = true;
    try {
      const version = await this.studio.request(tunePolicy, { root }, token, progress);
      await this.read(root);
      return version;
    } finally {
      this.tuning = false;
    }
  }

  /** Lets completion use the version of the folder one works in. @param quiet not where the engine would have to be started */
  async apply(quiet = false): Promise<void> {
    const root = activeRoot(this.studio.context);
    if (root === undefined || !workspace.isTrusted) return;
    try {
      const before = { root: this.root, version: this.state.version };
      await this.read(root);
      const changed = root !== before.root || this.state.version !== before.version;
      if (this.model !== null && (!quiet || changed)) await this.studio.request(usePolicy, { root });
    } catch (error) {
      this.studio.log.warn(`The policy version is not used: ${String(error)}`);
    }
  }

  private async read(root: string): Promise<void> {
    const { current, pinned, versions } = await this.studio.request(listVersions, { root });
    const used = versions.find(({ id }) => id === current);
    const acceptance = used?.verdict === 'kept' ? used.acceptance.after : null;
    this.root = root;
    this.state = { version: current, pinned, acceptance };
    this.changed.fire(this.state);
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const disposable of this.disposables) disposable.dispose();
  }
}
