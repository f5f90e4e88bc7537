/**
 * Turns what the editor tells of completions into lines of a log. Completions are remembered for a while, in memory alone; one is
 * written down with the first thing that a person does with it, and only if its file and its text may be stored.
 */
import { createHash, randomUUID } from 'node:crypto';
import { relative } from 'node:path';
import type { ReceivedOf } from '../protocol/channel/request.ts';
import type { Completion } from '../protocol/completion.ts';
import type { FeedbackEvent, noteFeedback } from '../protocol/feedback.ts';
import { feedbackErrors } from './errors.ts';
import { type Happening, logged, type MomentLine } from './lines.ts';
import { FeedbackLog, feedbackFile } from './log.ts';
import { looksSecret, mayStore } from './privacy.ts';

/** Completions that are remembered. */
const remembered = 200;

interface Known {
  readonly completion: Omit<MomentLine, 'document' | 'kind'>;
  /** Log that it is written in; undefined before the first event. */
  written: string | undefined;
  /** Whether the person has deleted it: what is still to come of it, such as how much was kept, is not written any more. */
  deleted: boolean;
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** The editor may have shown the end of an alternative alone; the log counts from its start. */
function happeningOf(event: FeedbackEvent, length: number): Happening {
  if (event.what !== 'accepted' && event.what !== 'rejected') return event;
  const { left, ...rest } = event;
  return { ...rest, characters: Math.max(0, length - left) };
}

export class FeedbackRecorder {
  private readonly known = new Map<string, Known>();

  /** @param trusted whether the person trusts the folder: in another one nothing is written down */
  constructor(private readonly trusted: () => boolean) {}

  /**
   * Takes note of a completion on its way to the editor, and names its alternatives.
   *
   * @param prefix the text before the place, or the conversation
   * @returns the completion without what only feedback needs
   */
  name(
    prefix: string,
    { record, ...completion }: Completion,
    source: 'completion' | 'chat' = 'completion',
  ): Completion {
    if (record === undefined || completion.alternatives.length === 0) return completion;
    const id = randomUUID();
    const alternatives = completion.alternatives.map(logged);
    this.known.set(id, {
      completion: { id, at: Date.now(), source, context: hash(prefix), ...record, alternatives },
      written: undefined,
      deleted: false,
    });
    for (const old of [...this.known.keys()].slice(0, Math.max(0, this.known.size - remembered)))
      this.known.delete(old);
    return {
      ...completion,
      alternatives: completion.alternatives.map((alternative, index) => ({
        ...alternative,
        source: { completion: id, index },
      })),
    };
  }

  /** The tokens of an alternative and where they were offered; undefined for one that is not remembered, or has none. */
  suggestion(id: string, index: number) {
    const completion = this.known.get(id)?.completion;
    const alternative = completion?.alternatives[index];
    if (completion === undefined || alternative === undefined || alternative.tokens.length === 0) return undefined;
    const { model, prompt } = completion;
    const { tokens, actions } = alternative;
    return { model, prompt, tokens, actions };
  }

  /** Takes note that moments were deleted from the log of a folder; all, if not given. */
  forget(root: string, moments: readonly string[] = [...this.known.keys()]): void {
    const { path } = new FeedbackLog(feedbackFile(root));
    for (const id of moments) {
      const known = this.known.get(id);
      if (known?.written === path) known.deleted = true;
    }
  }

  /**
   * Writes an event down.
   *
   * @returns whether it was stored: not where file or text may not be, nor in a folder without trust
   * @throws feedback.noCompletion, feedback.alternative, store.cannotWrite, files.*
   */
  note({ root, folder, file, exclude, completion: id, alternative, event }: ReceivedOf<typeof noteFeedback>): boolean {
    const known = this.known.get(id);
    if (known === undefined) throw feedbackErrors.noCompletion(id);
    if (known.deleted || !this.trusted()) return false;
    const { completion } = known;
    if (alternative >= completion.alternatives.length)
      throw feedbackErrors.alternative(id, alternative, completion.alternatives.length);
    const texts = [completion.before, ...completion.alternatives.map(({ pieces }) => pieces.join(''))];
    // An answer of a chat belongs to no file; a completion always does.
    const inFile = file === undefined ? completion.source === 'chat' : mayStore(folder, file, exclude);
    if (!inFile || texts.some(looksSecret) || looksSecret(texts.slice(0, 2).join(''))) return false;
    const log = new FeedbackLog(feedbackFile(root));
    const happened = happeningOf(event, completion.alternatives[alternative].pieces.join('').length);
    const line = { kind: 'event' as const, at: Date.now(), moment: id, alternative, ...happened };
    const document = hash(file === undefined ? completion.source : relative(folder, file));
    const moment: MomentLine = { kind: 'moment', document, ...completion };
    log.append(known.written === log.path ? [line] : [moment, line]);
    known.written = log.path;
    return true;
  }
}
