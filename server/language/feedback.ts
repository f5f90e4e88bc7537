/** Feedback in the language server: the log, its view, and which policy version is in use. Nothing here computes. */
import { FeedbackBrowser } from '../feedback/browser.ts';
import { feedbackLine } from '../feedback/lines.ts';
import { FeedbackLog, feedbackFile } from '../feedback/log.ts';
import { FeedbackRecorder } from '../feedback/recorder.ts';
import { PolicyVersions } from '../feedback/versions.ts';
import type { Answering } from '../protocol/channel/answers.ts';
import type { ParamsOf, RequestType, ResultOf } from '../protocol/channel/request.ts';
import type { Completion } from '../protocol/completion.ts';
import {
  actionHistory,
  chooseVersion,
  correctFeedback,
  eraseFeedback,
  listFeedback,
  listVersions,
  noteFeedback,
  notePath,
  pathLines,
  preferVersion,
  scorePolicies,
  usePolicy,
} from '../protocol/feedback.ts';

export interface FeedbackServices {
  readonly answering: Answering;
  /** Asks the engine. */
  readonly ask: <T extends RequestType>(type: T, params: ParamsOf<T>) => Promise<ResultOf<T>>;
  /** Whether a model is loaded. */
  readonly loaded: () => boolean;
  /** Whether the person trusts the folder. */
  readonly trusted: () => boolean;
}

export class FeedbackDesk {
  private readonly recorder: FeedbackRecorder;

  constructor({ answering, ask, loaded, trusted }: FeedbackServices) {
    this.recorder = new FeedbackRecorder(trusted);
    answering.answer(noteFeedback, async (params) => ({ stored: this.recorder.note(params) }));
    answering.answer(listFeedback, async ({ root, filter, from, limit }) =>
      new FeedbackBrowser(root).list(filter, from, limit),
    );
    answering.answer(correctFeedback, async ({ root, moment, alternative, reward }) => {
      new FeedbackBrowser(root).correct(moment, alternative, reward);
      return {};
    });
    answering.answer(eraseFeedback, async ({ root, moments }) => {
      this.recorder.forget(root, moments);
      return { erased: new FeedbackBrowser(root).erase(moments) };
    });
    answering.answer(actionHistory, async ({ root, action }) => new FeedbackBrowser(root).action(action));
    answering.answer(notePath, async ({ root, search, node, log }) => {
      const { lines } = await ask(pathLines, { root, search, node });
      const parsed = lines.map((line) => feedbackLine.parse(line));
      new FeedbackLog(feedbackFile(log)).append(parsed);
      return { moments: parsed.filter(({ kind }) => kind === 'moment').length };
    });
    answering.answer(preferVersion, async ({ root, completion, alternative }) => {
      const suggestion = this.recorder.suggestion(completion, alternative);
      return suggestion === undefined || !loaded() ? { scores: [] } : ask(scorePolicies, { root, ...suggestion });
    });
    answering.answer(listVersions, async ({ root }) => {
      const versions = new PolicyVersions(root);
      const { version, pinned } = versions.current;
      return { current: version, pinned, versions: versions.list() };
    });
    answering.answer(chooseVersion, async ({ root, version, pinned }) => {
      await new PolicyVersions(root).choose(version, pinned);
      if (loaded()) await ask(usePolicy, { root });
      return {};
    });
  }

  /** A completion or an answer on its way to the editor. @param prefix what it answers */
  passOn(prefix: string, completion: Completion, source: 'completion' | 'chat' = 'completion'): Completion {
    return this.recorder.name(prefix, completion, source);
  }
}
