/** Tells the server what the person did with completions, where that is wanted; and what is left of it after a while. */
import { type Disposable, Uri, window, workspace } from 'vscode';
import { ColaError } from '../../server/protocol/errors.ts';
import { type Alternative, type FeedbackEvent, noteFeedback, type ParamsOf } from '../../server/protocol/index.ts';
import type { CompletionEvent, Offer } from '../completion/events.ts';
import { keptAt } from '../notebooks.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { activeRoot, rootFor } from './place.ts';
import { survival } from './survival.ts';

/** After so long it is seen how much of what was accepted is still there. */
const settledSeconds = 30;
/** Characters around the place that are looked at then. */
const around = 400;

/** Whether the person wants it, and trusts the folder: in another one nothing is written. */
const recording = () => setting('cola.feedback.enabled') && workspace.isTrusted;

export class FeedbackCollector implements Disposable {
  private readonly timers = new Set<NodeJS.Timeout>();
  /** Whether the person knows that the log is full. */
  private toldFull = false;

  /** @param judged told of every judgement that was stored, with the folder of its log */
  constructor(
    private readonly studio: Studio,
    private readonly judged: (root: string) => void,
  ) {}

  take(event: CompletionEvent): void {
    if (!recording()) return;
    const { offer, index } = event;
    const { length } = offer.alternatives[index]?.text ?? '';
    switch (event.kind) {
      case 'shown':
        this.note(offer, index, { what: 'shown' });
        return;
      case 'cycled':
        this.note(offer, event.from, { what: 'passed' });
        this.note(offer, index, { what: 'shown' });
        return;
      case 'picked':
        this.note(offer, index, { what: 'picked' });
        this.look(offer, index, offer.alternatives[index]?.text ?? '');
        return;
      case 'accepted': {
        const end = event.part === 'whole' ? length : Math.min(length, event.kept + event.text.length);
        this.note(offer, index, { what: 'accepted', part: event.part, left: length - end });
        this.look(offer, index, (offer.alternatives[index]?.text ?? '').slice(0, end));
        return;
      }
      case 'rejected':
        this.note(offer, index, { what: 'rejected', reason: event.reason, left: Math.max(0, length - event.kept) });
        return;
    }
  }

  private note(offer: Offer, index: number, event: FeedbackEvent): void {
    const source = offer.alternatives[index]?.source;
    const uri = keptAt(Uri.parse(offer.uri));
    const place = rootFor(this.studio.context, uri);
    if (source === undefined || place === undefined) return;
    const exclude = [...setting('cola.feedback.exclude', uri)];
    const { completion, index: alternative } = source;
    this.send({ ...place, file: uri.fsPath, exclude, completion, alternative, event });
  }

  /**
   * What a person did with an answer of a chat, which belongs to no file.
   *
   * @returns whether it is recorded: not where the person does not want it, nor without a folder
   */
  noteAnswer({ completion, index: alternative }: NonNullable<Alternative['source']>, event: FeedbackEvent): boolean {
    const root = activeRoot(this.studio.context);
    if (!recording() || root === undefined) return false;
    this.send({ root, folder: root, completion, alternative, event });
    return true;
  }

  private send(params: ParamsOf<typeof noteFeedback>): void {
    const { root, event } = params;
    this.studio.request(noteFeedback, params).then(
      ({ stored }) => {
        if (stored && event.what !== 'shown' && event.what !== 'survived') this.judged(root);
      },
      (error: unknown) => {
        this.studio.log.warn(`Feedback was not recorded: ${String(error)}`);
        // A person who thinks that it is recorded is told once that it is not any more.
        if (!(error instanceof ColaError) || error.id !== 'feedback.full' || this.toldFull) return;
        this.toldFull = true;
        void window.showWarningMessage(`${error.message} ${error.remedy}`);
      },
    );
  }

  private look(offer: Offer, index: number, accepted: string): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      const document = workspace.textDocuments.find(({ uri }) => uri.toString() === offer.uri);
      if (document === undefined || !recording()) return;
      const text = document.getText().replaceAll('\r\n', '\n');
      const now = text.slice(Math.max(0, offer.offset - around), offer.offset + accepted.length + around);
      this.note(offer, index, { what: 'survived', share: survival(accepted, now), seconds: settledSeconds });
    }, 1000 * settledSeconds);
    this.timers.add(timer);
  }

  dispose(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }
}
