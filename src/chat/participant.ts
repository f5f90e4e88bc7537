/**
 * `@cola` in VS Code's chat: the model that completes answers, with the latent action behind each token, and with the answers that
 * begin with other actions. What a person says to them is feedback, where it is recorded.
 */
import {
  ChatRequestTurn,
  type ChatResponseStream,
  ChatResponseTurn,
  ChatResultFeedbackKind,
  chat,
  commands,
  env,
  lm,
  MarkdownString,
  Uri,
  window,
} from 'vscode';
import { z } from 'zod';
import { ColaError } from '../../server/protocol/errors.ts';
import { type Alternative, type ChatAlternativesParams, chatAlternatives } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import type { Control } from '../completion/control.ts';
import type { CommandName } from '../contributions/index.ts';
import type { FeedbackCollector } from '../feedback/collector.ts';
import { t } from '../l10n.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { alternativesMarkdown, stripMarkdown } from './answer-words.ts';
import { vendor } from './api.ts';

/** As `package.json` declares it. */
const id = 'cola-studio.cola';
/** Longest answer, in tokens. */
const longest = 256;
/** Answers that can still be judged. */
const remembered = 100;

const judgement = z.object({
  completion: z.string(),
  index: z.int().nonnegative(),
  verdict: z.enum(['accepted', 'rejected', 'taken']),
});
type Judgement = z.infer<typeof judgement>;
const answered = z.object({ completion: z.string() });

/** The answers to one question, and which of them the conversation goes on with. */
interface Given {
  readonly alternatives: readonly Alternative[];
  taken: number;
}

/** @param control of the actions that completions are written by: it steers answers too */
export function registerParticipant(studio: Studio, control: Control, collector: FeedbackCollector): void {
  const given = new Map<string, Given>();
  registerCommand(studio, 'cola.judgeAnswer', (argument) => judge(judgement.parse(argument)));
  registerCommand(studio, 'cola.askInChat', openChat);
  // Editors that have no chat leave the whole of it out.
  const create: unknown = Reflect.get(chat ?? {}, 'createChatParticipant');
  if (typeof create !== 'function') return;
  const participant = chat.createChatParticipant(id, async ({ prompt }, { history }, stream, token) => {
    const messages: ChatAlternativesParams['messages'] = [];
    for (const turn of history) {
      if (turn instanceof ChatRequestTurn) messages.push({ role: 'user', content: turn.prompt });
      else if (turn instanceof ChatResponseTurn) {
        const said = given.get(answered.safeParse(turn.result.metadata).data?.completion ?? '');
        // A question whose answer is not known any more is left out with it.
        if (said === undefined) messages.pop();
        else messages.push({ role: 'assistant', content: said.alternatives[said.taken]?.text ?? '' });
      }
    }
    messages.push({ role: 'user', content: prompt });
    try {
      stream.progress(t('Choosing latent actions'));
      const params = {
        messages,
        alternatives: setting('cola.completion.alternatives'),
        maxTokens: longest,
        control: control.value,
      };
      const { alternatives } = await studio.request(chatAlternatives, params, token);
      return { metadata: show(alternatives, stream) };
    } catch (error) {
      if (token.isCancellationRequested) return {};
      if (!(error instanceof ColaError)) throw error;
      return { errorDetails: { message: `${error.message} ${error.remedy}` } };
    }
  });
  const icon = (theme: string) => Uri.joinPath(studio.context.extensionUri, 'assets', `page-${theme}.svg`);
  participant.iconPath = { light: icon('light'), dark: icon('dark') };
  studio.context.subscriptions.push(
    participant,
    participant.onDidReceiveFeedback(({ kind, result }) => {
      const completion = answered.safeParse(result.metadata).data?.completion;
      if (completion === undefined) return;
      const verdict = kind === ChatResultFeedbackKind.Helpful ? 'accepted' : 'rejected';
      note({ completion, index: given.get(completion)?.taken ?? 0, verdict });
    }),
  );

  /** @returns what is known of the answer when the person comes back to it */
  function show(alternatives: readonly Alternative[], stream: ChatResponseStream): { completion?: string } {
    const [best] = alternatives;
    if (best === undefined) {
      stream.markdown(t('The model has nothing to say to this.'));
      return {};
    }
    stream.markdown(best.text);
    const about = new MarkdownString(
      `\n\n---\n\n${stripMarkdown(best)}\n\n${alternativesMarkdown(alternatives)}`,
      true,
    );
    about.isTrusted = { enabledCommands: ['cola.judgeAnswer' satisfies CommandName] };
    stream.markdown(about);
    const { completion } = best.source ?? {};
    if (completion === undefined) return {};
    given.set(completion, { alternatives, taken: 0 });
    for (const old of [...given.keys()].slice(0, Math.max(0, given.size - remembered))) given.delete(old);
    collector.noteAnswer({ completion, index: 0 }, { what: 'shown' });
    for (const [title, verdict] of [
      [t('Accept'), 'accepted'],
      [t('Reject'), 'rejected'],
    ] as const) {
      const about: Judgement = { completion, index: 0, verdict };
      stream.button({ title, command: 'cola.judgeAnswer' satisfies CommandName, arguments: [about] });
    }
    return { completion };
  }

  function note({ completion, index, verdict }: Judgement): boolean {
    const answers = given.get(completion);
    const { text } = answers?.alternatives[index] ?? {};
    if (answers === undefined || text === undefined) return false;
    const at = { completion, index };
    if (verdict === 'accepted') return collector.noteAnswer(at, { what: 'accepted', part: 'whole', left: 0 });
    if (verdict === 'rejected')
      return collector.noteAnswer(at, { what: 'rejected', reason: 'escape', left: text.length });
    if (answers.taken !== index) collector.noteAnswer({ completion, index: answers.taken }, { what: 'passed' });
    answers.taken = index;
    return collector.noteAnswer(at, { what: 'picked' });
  }

  async function judge(about: Judgement): Promise<void> {
    const recorded = note(about);
    const taken = given.get(about.completion)?.alternatives[about.index];
    if (taken === undefined) {
      await window.showInformationMessage(t('This answer is from an earlier window. Ask again to judge it.'));
      return;
    }
    if (about.verdict === 'taken') {
      await env.clipboard.writeText(taken.text);
      window.setStatusBarMessage(t('The conversation goes on with this answer. It is in the clipboard too.'), 5000);
      return;
    }
    if (recorded) {
      window.setStatusBarMessage(
        about.verdict === 'accepted' ? t('Recorded: accepted.') : t('Recorded: rejected.'),
        5000,
      );
      return;
    }
    const open = t('Open Setting');
    const why = t('Nothing is recorded: feedback is off, or no folder is open that you trust.');
    if ((await window.showInformationMessage(why, open)) === open)
      await commands.executeCommand('workbench.action.openSettings', 'cola.feedback.enabled');
  }
}

/** VS Code sends no question on, not even to a participant, before a model of some kind is chosen in its chat. */
async function openChat(): Promise<void> {
  const models = await lm.selectChatModels({ vendor });
  const model = models.find(({ id: name }) => name === setting('cola.model')) ?? models[0];
  const selector = model === undefined ? {} : { modelSelector: { vendor, id: model.id } };
  const asked = { query: '@cola ', isPartialQuery: true, mode: 'ask', ...selector };
  await commands.executeCommand('workbench.action.chat.open', asked);
}
