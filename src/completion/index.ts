/** Inline completion with latent actions: provider, status, list of actions, and what accepted text remembers. */
import { commands, type Disposable, languages, type TextDocumentChangeEvent, window, workspace } from 'vscode';
import { z } from 'zod';
import { type ActionControl, type ActionToken, type CodePreview, currentModel } from '../../server/protocol/index.ts';
import { registerCommand, reportFailure } from '../commands.ts';
import { t } from '../l10n.ts';
import type { Studio } from '../studio.ts';
import { banning, Control, free, parseCodes, pinning } from './control.ts';
import { type CompletionEvent, CompletionEvents, type Offer } from './events.ts';
import { ActionPicker } from './picker.ts';
import { textSince } from './place.ts';
import { CompletionProvider } from './provider.ts';
import { Session } from './session.ts';
import { Snooze, toggleLanguage } from './snooze.ts';
import { CompletionStatus } from './status.ts';
import { ActionStrip } from './strip.ts';
import { typicalTexts } from './typical.ts';
import { actionName, type Named, percent, reasonToWait } from './words.ts';

/** What other parts of the extension may know and do. */
export interface Completion {
  readonly events: CompletionEvents;
  readonly control: Control;
  readonly snooze: Snooze;
}

/** So many offers are remembered for the editor's word that one was accepted. */
const remembered = 32;

const actionArgument = z.union([z.int().nonnegative(), z.looseObject({ action: z.int().nonnegative() })]);

export function registerCompletion(studio: Studio): Completion {
  const events = new CompletionEvents((error) => studio.log.error(String(error)));
  const control = new Control();
  const seen = new Map<number, Named>();
  const nameless: Named = { label: null, text: '' };
  const nameOfAction = (action: number) => seen.get(action) ?? nameless;
  const offers = new Map<number, Offer>();
  const snooze = new Snooze(() => {
    status.update();
    if (snooze.on) session.end('escape');
    void again();
  });
  const status = new CompletionStatus(control, nameOfAction, () => (snooze.on ? snooze.words : undefined));
  const strip = new ActionStrip();
  const session = new Session(
    (event) => events.fire(event),
    (ghost) => {
      status.show(ghost);
      void commands.executeCommand('setContext', 'cola.ghostText', ghost !== undefined);
    },
  );
  const problem = (error: unknown) => {
    // Once, and not with every keystroke.
    if (status.problem(error) && error !== undefined) studio.log.warn(`No completion: ${String(error)}`);
  };
  const provider = new CompletionProvider(
    studio,
    session,
    control,
    problem,
    () => snooze.on,
    (long) => status.waiting(long ? reasonToWait(studio.status) : undefined),
  );
  events.on((event) => {
    remember(offers, event);
    for (const { tokens } of event.offer.alternatives)
      for (const [i, { action, label }] of tokens.entries()) seen.set(action, { label, text: textFrom(tokens, i) });
    strip.note(event);
  });
  const notePreviews = (codes: readonly CodePreview[]) => {
    for (const { action, label, text } of codes) seen.set(action, { label, text });
  };
  /** The list of actions is open: it shows ghost text of its own. */
  let picking = false;
  let changedMeanwhile = false;
  control.onChange(({ mode }) => {
    void commands.executeCommand('setContext', 'cola.actionMode', mode);
    session.end('moved');
    if (picking) changedMeanwhile = true;
    else void again();
  });
  let model = studio.status?.model;
  studio.context.subscriptions.push(
    snooze,
    status,
    strip,
    session,
    languages.registerInlineCompletionItemProvider({ pattern: '**' }, provider),
    ...watch(session),
    studio.onStatus((now) => {
      if (now.model === null || now.model === model) return;
      // The codes of another model mean other things.
      if (model !== undefined && model !== null) control.set(free);
      model = now.model;
      seen.clear();
    }),
  );

  registerCommand(studio, 'cola.completion.accepted', (id, index) => {
    const offer = offers.get(Number(id));
    if (offer !== undefined && offer.alternatives[Number(index)] !== undefined) session.accepted(offer, Number(index));
  });
  registerCommand(studio, 'cola.nextAlternative', async () => {
    session.step(1);
    await commands.executeCommand('editor.action.inlineSuggest.showNext');
  });
  registerCommand(studio, 'cola.previousAlternative', async () => {
    session.step(-1);
    await commands.executeCommand('editor.action.inlineSuggest.showPrevious');
  });
  registerCommand(studio, 'cola.hideCompletion', async () => {
    session.end('escape');
    await commands.executeCommand('editor.action.inlineSuggest.hide');
  });
  registerCommand(studio, 'cola.snoozeCompletion', () => snooze.toggle());
  registerCommand(studio, 'cola.toggleCompletionHere', () => toggleLanguage());
  registerCommand(studio, 'cola.toggleActionStrip', () => strip.toggle());
  registerCommand(studio, 'cola.pickAction', async () => {
    const editor = window.activeTextEditor;
    if (editor === undefined) return;
    session.end('moved');
    picking = true;
    const failed = (error: unknown) => void reportFailure(studio, error);
    const closed = () => {
      picking = false;
      if (changedMeanwhile) void again();
      changedMeanwhile = false;
    };
    await new ActionPicker(studio, editor, control, notePreviews, (event) => events.fire(event), failed, closed).load();
  });
  registerCommand(studio, 'cola.pinAction', async (argument) => {
    const action = await chosen(studio, argument, t('Which latent action should every completion begin with?'));
    if (action !== undefined) control.set(pinning(control.value, action));
  });
  registerCommand(studio, 'cola.banAction', async (argument) => {
    const action = await chosen(studio, argument, t('Which latent action should no completion use?'));
    if (action !== undefined) control.set(banning(control.value, action));
  });
  registerCommand(studio, 'cola.unpinActions', () => control.set(free));
  registerCommand(studio, 'cola.setActionSequence', async (argument) => {
    const given = z.array(z.int().nonnegative()).min(1).safeParse(argument).data;
    const actions = given ?? (await askCodes(t('First latent actions of every completion'), control.value, 256));
    if (actions !== undefined) control.set({ mode: 'sequence', actions });
  });
  return { events, control, snooze };
}

/** What was written from a token on, as far as a name shows it. */
const textFrom = (tokens: readonly ActionToken[], from: number) =>
  tokens
    .slice(from, from + 8)
    .map(({ text }) => text)
    .join('');

function remember(offers: Map<number, Offer>, { offer }: CompletionEvent): void {
  offers.set(offer.id, offer);
  for (const id of offers.keys()) if (offers.size > remembered) offers.delete(id);
}

/** Ghost text once more, where there is an editor that could show it. */
async function again(): Promise<void> {
  if (window.activeTextEditor === undefined) return;
  await commands.executeCommand('editor.action.inlineSuggest.hide');
  await commands.executeCommand('editor.action.inlineSuggest.trigger');
}

/** What ends or moves ghost text without the provider being asked. */
function watch(session: Session): Disposable[] {
  const here = () => session.ghost?.offer;
  /** Of the document when the cursor was last seen: one that moves in the same text has not come by writing. */
  let version = -1;
  const changed = ({ document, contentChanges }: TextDocumentChangeEvent) => {
    const offer = here();
    if (offer === undefined || document.uri.toString() !== offer.uri || contentChanges.length === 0) return;
    if (contentChanges.some(({ rangeOffset }) => rangeOffset < offer.offset)) session.end('typed');
    session.noteInserted(contentChanges.length === 1 ? contentChanges[0].text.replaceAll('\r\n', '\n') : '');
  };
  return [
    workspace.onDidChangeTextDocument(changed),
    window.onDidChangeTextEditorSelection(({ textEditor: { document }, selections }) => {
      const written = document.version !== version;
      version = document.version;
      const offer = here();
      if (offer === undefined || document.uri.toString() !== offer.uri) return;
      const [{ active, isEmpty }] = selections;
      const typed = isEmpty ? textSince(document, offer.offset, active) : undefined;
      session.moveTo(written || typed === session.ghost?.typed ? typed : undefined);
    }),
    window.onDidChangeActiveTextEditor(() => session.end('moved')),
  ];
}

/** The action of a command's argument, or one that the person chooses among those of the model. */
async function chosen(studio: Studio, argument: unknown, placeHolder: string): Promise<number | undefined> {
  const parsed = actionArgument.safeParse(argument);
  if (parsed.success) return typeof parsed.data === 'number' ? parsed.data : parsed.data.action;
  // Which actions there are is known once the model is loaded; before the first completion it is not.
  if ((await studio.request(currentModel, {})).model === null) await commands.executeCommand('cola.loadModel');
  const { model } = await studio.request(currentModel, {});
  if (model === null) return (await askCodes(placeHolder, free, 1))?.[0];
  const typical = await typicalTexts(studio, model);
  const items = Array.from({ length: model.codes }, (_, action) => {
    const usage = model.usage[action] ?? null;
    const description = usage === null ? '' : usage === 0 ? t('unused') : t('{0} of tokens', percent(usage));
    const name = model.labels[action] ?? null;
    const label = name === null ? `${typical.get(action) ?? ''} ${action}`.trim() : actionName(action, name);
    return { label, description, action, usage: usage ?? 0 };
  });
  items.sort((a, b) => b.usage - a.usage || a.action - b.action);
  return (await window.showQuickPick(items, { placeHolder }))?.action;
}

function askCodes(prompt: string, now: ActionControl, most: number): Promise<number[] | undefined> {
  const value = now.mode === 'sequence' ? now.actions.join(' ') : '';
  const wrong = most === 1 ? t('One number, such as 17.') : t('Numbers, such as 17 3 3 41; {most} at most.', { most });
  const problem = (text: string) => {
    const codes = parseCodes(text);
    return codes === undefined || codes.length > most ? wrong : undefined;
  };
  return Promise.resolve(
    window.showInputBox({ prompt, value, placeHolder: most === 1 ? '17' : '17 3 3 41', validateInput: problem }),
  ).then((text) => (text === undefined ? undefined : parseCodes(text)));
}
