/** Tuning from feedback beside a model that completes, and the policy that it completes with. */

import type { LoadedModel } from '../completion/loaded-model.ts';
import { FeedbackLog, feedbackFile } from '../feedback/log.ts';
import { original } from '../feedback/model.ts';
import { PolicyVersions } from '../feedback/versions.ts';
import type { Answering, Tell } from '../protocol/channel/answers.ts';
import { protocolErrors } from '../protocol/errors.ts';
import { tunePolicy, usePolicy } from '../protocol/feedback.ts';
import type { JobHandle, Scheduler } from '../schedule/scheduler.ts';
import { inTurns } from '../schedule/turns.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { feedbackSettings } from '../spec/settings/feedback.ts';
import { Tuner } from '../tuning/tuner.ts';

export class FeedbackHost {
  private opened: { readonly model: LoadedModel; readonly tuner: Tuner } | undefined;
  /** Tuning, one after the other. */
  private tuning: Promise<unknown> = Promise.resolve();
  private handle: JobHandle<unknown> | undefined;
  /** Folder of the version in use. */
  private root: string | undefined;

  /** @param model the one that completes. @throws engine.noModel */
  constructor(
    private readonly scheduler: Scheduler,
    private readonly model: () => LoadedModel,
    channel: Answering,
  ) {
    channel.answer(usePolicy, ({ root }) => this.use(root));
    channel.answer(tunePolicy, ({ root, settings }, signal, tell) => {
      const turn = this.tuning.then(() => this.tune(root, settings, signal, tell));
      this.tuning = turn.catch(() => {});
      return turn;
    });
  }

  private async use(root: string): Promise<{ version: string }> {
    const model = this.model();
    const versions = new PolicyVersions(root);
    const { version } = versions.current;
    // Versions of two folders have the same names.
    const same = version === original || root === this.root;
    if (!same || model.policy.version !== version) {
      const weights = versions.weights(version, model.cola, model.fingerprint);
      this.root = root;
      await model.policy.replace(version, weights, () => model.forget());
    }
    return { version };
  }

  private async tune(root: string, given: unknown, signal: AbortSignal, tell: Tell<typeof tunePolicy>) {
    const parsed = feedbackSettings.safeParse(given);
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      throw protocolErrors.params(tunePolicy.method, path, detail);
    }
    signal.throwIfAborted();
    const model = this.model().retain();
    const handle = this.scheduler.submit('train', (own) =>
      inTurns(async (turn) => {
        const tuner = await this.tunerOf(model);
        return tuner.tune(new FeedbackLog(feedbackFile(root)), new PolicyVersions(root), {
          settings: parsed.data,
          signal: own,
          turn,
          onProgress: (done, total) => tell({ done, total }),
        });
      }),
    );
    this.handle = handle;
    const cancel = () => handle.cancel(signal.reason);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const { version } = await handle.done;
      if (version.verdict === 'kept') await this.use(root);
      return version;
    } finally {
      signal.removeEventListener('abort', cancel);
      await model.release();
    }
  }

  private async tunerOf(model: LoadedModel): Promise<Tuner> {
    const { opened } = this;
    if (opened?.model === model) return opened.tuner;
    await this.free();
    const tuner = new Tuner(model.device, model.cola, model.policy.own);
    this.opened = { model: model.retain(), tuner };
    return tuner;
  }

  /** Ends what is under way, and lets go of the model. */
  async close(): Promise<void> {
    this.handle?.cancel(new DOMException('The model is unloaded.', 'AbortError'));
    await this.handle?.done.catch(() => {});
    await this.free();
  }

  private async free(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    await opened?.tuner.dispose();
    await opened?.model.release();
  }
}
