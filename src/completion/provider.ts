/** Inline completion: alternatives of the model as ghost text. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type CancellationToken,
  type InlineCompletionContext,
  InlineCompletionItem,
  type InlineCompletionItemProvider,
  InlineCompletionTriggerKind,
  type Position,
  Range,
  type TextDocument,
  workspace,
} from 'vscode';
import {
  type ActionControl,
  type Alternative,
  complete,
  type ProjectPlace,
  projectPlace,
} from '../../server/protocol/index.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { type Control, sameControl } from './control.ts';
import type { Offer } from './events.ts';
import { type Place, placeOf, textSince } from './place.ts';
import { atEnd, overlap, remainder, withFirst } from './remainder.ts';
import type { Session } from './session.ts';

/** Where VS Code's chat is typed into: a question is no text that a model of code goes on with. */
const chatInput = 'chatSessionInput';

/** Whether the person wants completion in documents of a language. */
export function enabledFor(languages: Readonly<Record<string, boolean>>, languageId: string): boolean {
  return languages[languageId] ?? languages['*'] ?? true;
}

/** Asks for completions as the settings have it. */
export async function ask(
  studio: Studio,
  document: TextDocument,
  { prefix, suffix }: Place,
  control: ActionControl,
  alternatives: number,
  token?: CancellationToken,
): Promise<Alternative[]> {
  const params = {
    prefix,
    suffix,
    control,
    alternatives,
    fill: setting('cola.completion.fillInTheMiddle', document),
    maxTokens: setting('cola.completion.maxTokens', document),
    multiline: setting('cola.completion.multiline', document),
    ...projectOf(document),
  };
  return (await studio.request(complete, params, token)).alternatives;
}

/** Where a document stands in its folder, if the other files of that have a say. */
function projectOf(document: TextDocument): { project?: ProjectPlace } {
  const folder = workspace.getWorkspaceFolder(document.uri);
  const usable = document.uri.scheme === 'file' && workspace.isTrusted && folder?.uri.scheme === 'file';
  if (!usable || !setting('cola.completion.otherFiles', document)) return {};
  const exclude = [...setting('cola.feedback.exclude', document)];
  // Paths and patterns that are too long cost no completion.
  const place = projectPlace.safeParse({ root: folder.uri.fsPath, document: document.uri.fsPath, exclude });
  return place.success ? { project: place.data } : {};
}

/** Milliseconds after which a person should know why nothing comes. */
const longWait = 400;

let offers = 0;

/** A list at a place, under a number of its own. */
export function offerAt(
  studio: Studio,
  document: TextDocument,
  { offset, prefix, suffix }: Place,
  control: ActionControl,
  trigger: Offer['trigger'],
  alternatives: readonly Alternative[],
): Offer {
  offers++;
  const { line, character } = document.positionAt(offset);
  return {
    id: offers,
    uri: document.uri.toString(),
    languageId: document.languageId,
    position: { line, character },
    offset,
    prefix,
    suffix,
    model: studio.status?.model ?? null,
    control,
    trigger,
    alternatives,
  };
}

export class CompletionProvider implements InlineCompletionItemProvider {
  constructor(
    private readonly studio: Studio,
    private readonly session: Session,
    private readonly control: Control,
    /** Told how asking went: undefined when all is well. */
    private readonly problem: (error: unknown) => void,
    /** Whether completion is off for a while. */
    private readonly off: () => boolean,
    /** Told that an answer takes long, and that it is there. */
    private readonly waiting: (long: boolean) => void,
  ) {}

  async provideInlineCompletionItems(
    document: TextDocument,
    position: Position,
    context: InlineCompletionContext,
    token: CancellationToken,
  ): Promise<InlineCompletionItem[]> {
    // The status bar says that there is no server, and why.
    if (this.studio.connection === 'down') return [];
    const on =
      document.uri.scheme !== chatInput &&
      enabledFor(setting('cola.completion.languages', document), document.languageId);
    if (this.off() || !on) {
      // What was offered before it was switched off is gone from the screen.
      if (this.session.ghost?.offer.uri === document.uri.toString()) this.session.end('moved');
      return [];
    }
    const asked = context.triggerKind === InlineCompletionTriggerKind.Invoke;
    const place = placeOf(document, position);
    const onScreen = this.follow(document, position, place);
    const wanted = asked ? setting('cola.completion.alternatives', document) : 1;
    const known = onScreen !== undefined && (!asked || wanted === 1 || this.session.ghost?.complete === true);
    if (!known) {
      if (!asked && !atEnd(document.lineAt(position).text.slice(position.character))) {
        this.session.end('typed');
        return [];
      }
      const wait = asked ? 0 : setting('cola.completion.debounce', document);
      if (wait > 0) await delay(wait);
      if (token.isCancellationRequested) return [];
      const control = this.control.value;
      let found: Alternative[];
      const patience = setTimeout(() => this.waiting(true), longWait);
      try {
        found = await ask(this.studio, document, place, control, wanted, token);
        this.problem(undefined);
      } catch (error) {
        if (!token.isCancellationRequested) this.problem(error);
        return [];
      } finally {
        clearTimeout(patience);
        this.waiting(false);
      }
      if (token.isCancellationRequested) return [];
      const alternatives = withFirst(onScreen, found);
      if (alternatives.length === 0) {
        this.session.end('typed');
        return [];
      }
      const offer = offerAt(this.studio, document, place, control, asked ? 'asked' : 'typing', alternatives);
      this.session.start(offer, asked, onScreen !== undefined);
    }
    return this.items(document, position, context, asked);
  }

  /** What is left of the ghost text where this place is one further along it. */
  private follow(document: TextDocument, position: Position, place: Place): Alternative | undefined {
    const { offer } = this.session.ghost ?? {};
    if (offer === undefined || offer.uri !== document.uri.toString()) return undefined;
    if (!sameControl(offer.control, this.control.value)) return undefined;
    const typed = textSince(document, offer.offset, position);
    if (typed === undefined || !place.prefix.endsWith(offer.prefix.slice(-256) + typed)) return undefined;
    this.session.moveTo(typed);
    const { ghost } = this.session;
    return ghost === undefined ? undefined : remainder(offer.alternatives[ghost.index], typed.length);
  }

  private items(
    document: TextDocument,
    position: Position,
    context: InlineCompletionContext,
    asked: boolean,
  ): InlineCompletionItem[] {
    const { ghost } = this.session;
    if (ghost === undefined) return [];
    const { offer, typed } = ghost;
    const start = document.positionAt(offer.offset);
    const rest = document.lineAt(position).text.slice(position.character);
    return this.session.deliver(asked).flatMap((index) => {
      const { text } = offer.alternatives[index];
      const end = position.translate(0, overlap(text.slice(typed.length), rest));
      const item = new InlineCompletionItem(text, new Range(start, end), {
        command: 'cola.completion.accepted',
        title: '',
        arguments: [offer.id, index],
      });
      return augments(document, position, text.slice(typed.length), context) ? [item] : [];
    });
  }
}

/** With the list of suggestions open the editor shows only what goes on with the selected one. */
function augments(
  document: TextDocument,
  position: Position,
  rest: string,
  { selectedCompletionInfo: selected }: InlineCompletionContext,
): boolean {
  if (selected === undefined || selected.range.start.isAfter(position)) return selected === undefined;
  return (document.getText(new Range(selected.range.start, position)) + rest).startsWith(selected.text);
}
