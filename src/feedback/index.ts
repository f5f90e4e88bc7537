/** Feedback in the editor: collecting it, tuning from it, and everything a person can do with what was recorded. */
import { FileType, Uri, window, workspace } from 'vscode';
import { z } from 'zod';
import { actionHistory, eraseFeedback, listFeedback, notePath, preferVersion } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import type { CompletionEvent, CompletionEvents } from '../completion/events.ts';
import { actionName } from '../completion/words.ts';
import { needTrust } from '../folders.ts';
import { t } from '../l10n.ts';
import type { Studio } from '../studio.ts';
import { FeedbackCollector } from './collector.ts';
import { showFeedback, showVersions } from './lists.ts';
import { activeRoot, chosenRoot } from './place.ts';
import { FeedbackTuning } from './tuning.ts';
import { historyWords, percent, preferenceWords, versionWords } from './words.ts';

const pathArgument = z.object({ root: z.string(), search: z.string(), node: z.int().nonnegative() });

/** @returns the version in use and its acceptance, for whoever shows them; and what records */
export function registerFeedback(
  studio: Studio,
  events: CompletionEvents,
): { readonly tuning: FeedbackTuning; readonly collector: FeedbackCollector } {
  const { context } = studio;
  const tuning = new FeedbackTuning(studio);
  const collector = new FeedbackCollector(studio, (root) => tuning.judged(root));
  let last: CompletionEvent | undefined;
  context.subscriptions.push(
    tuning,
    collector,
    events.on((event) => {
      last = event;
      collector.take(event);
    }),
  );
  const tune = async (root: string) => {
    const { id, verdict, why } = await tuning.tuneNow(root);
    const ends = {
      kept: t('Policy {id} is in use.', { id }),
      unjudged: t('Policy {id} is there, but not in use.', { id }),
      refused: t('The new policy was not kept.'),
    };
    const text = `${ends[verdict]} ${why}`;
    const choice = await window.showInformationMessage(text, t('Policy Versions'));
    if (choice !== undefined && (await showVersions(studio, root))) await tuning.apply();
  };
  registerCommand(studio, 'cola.tuneFromFeedback', async () => {
    needTrust(t('Tuning from feedback'));
    const root = await chosenRoot(context, t('Tune from feedback'));
    if (root !== undefined) await tune(root);
  });
  registerCommand(studio, 'cola.tuneFromPath', async (argument) => {
    needTrust(t('Tuning from a path'));
    const { root, search, node } = pathArgument.parse(argument);
    const log = activeRoot(context) ?? root;
    await studio.request(notePath, { root, search, node, log });
    await tune(log);
  });
  registerCommand(studio, 'cola.showFeedback', async () => {
    needTrust(t('Reading feedback'));
    const root = await chosenRoot(context, t('Show feedback'));
    if (root !== undefined) await showFeedback(studio, root);
  });
  registerCommand(studio, 'cola.policyVersions', async () => {
    needTrust(t('A policy version'));
    const root = await chosenRoot(context, t('Policy versions'));
    if (root !== undefined && (await showVersions(studio, root))) await tuning.apply();
  });
  registerCommand(studio, 'cola.exportFeedback', async () => {
    needTrust(t('Reading feedback'));
    const root = await chosenRoot(context, t('Export feedback'));
    if (root === undefined) return;
    const { path, count } = await studio.request(listFeedback, { root, limit: 1 });
    const from = Uri.file(path);
    if (count === 0 || (await workspace.fs.stat(from)).type !== FileType.File) {
      await window.showInformationMessage(t('Nothing is recorded here, so there is nothing to export.'));
      return;
    }
    const target = await window.showSaveDialog({ filters: { 'JSON lines': ['jsonl'] }, title: t('Export feedback') });
    if (target !== undefined) await workspace.fs.copy(from, target, { overwrite: true });
  });
  registerCommand(studio, 'cola.clearFeedback', async () => {
    needTrust(t('Reading feedback'));
    const root = await chosenRoot(context, t('Clear feedback'));
    if (root === undefined) return;
    const { count, bytes } = await studio.request(listFeedback, { root, limit: 1 });
    const detail = t(
      '{0} entries, {1} kB. They cannot be brought back. Policy versions stay.',
      count,
      (bytes / 1000).toFixed(1),
    );
    const sure = await window.showWarningMessage(
      t('Delete all feedback that was recorded?'),
      { modal: true, detail },
      t('Delete'),
    );
    if (sure !== undefined) await studio.request(eraseFeedback, { root });
  });
  registerCommand(studio, 'cola.whySuggestion', () => why(studio, last, tuning));
  return { tuning, collector };
}

async function why(studio: Studio, last: CompletionEvent | undefined, tuning: FeedbackTuning): Promise<void> {
  const token = last?.offer.alternatives[last.index]?.tokens[0];
  if (last === undefined || token === undefined) {
    await window.showInformationMessage(t('Nothing was suggested yet. Ask again while a completion is on the screen.'));
    return;
  }
  const name = actionName(token.action, token.label, last.offer.alternatives[last.index]?.text);
  const next =
    token.runnerUp === null
      ? ''
      : t(' The next in line was {0} ({1}).', token.runnerUp.action, percent(token.runnerUp.probability));
  // What was recorded and the versions are files of the folder.
  const root = workspace.isTrusted ? activeRoot(studio.context) : undefined;
  const history = root === undefined ? undefined : await studio.request(actionHistory, { root, action: token.action });
  const source = last.offer.alternatives[last.index]?.source;
  const { scores } =
    root === undefined || source === undefined
      ? { scores: [] }
      : await studio.request(preferVersion, { root, completion: source.completion, alternative: source.index });
  const told = [historyWords(history), versionWords(tuning.state), preferenceWords(scores, tuning.state.version)];
  const text = t(
    'It begins with latent action {0}, which the policy held to be {1} likely.{2} {3}',
    name,
    percent(token.probability),
    next,
    told.join(' ').trim(),
  );
  await window.showInformationMessage(text);
}
